"""Opens a snapshot with pyarrow, DuckDB, polars and geopandas; each must agree with what roadcomb says of it."""
import csv
import glob
import json
import os
import sys

import duckdb
import geopandas
import polars
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import shapely

root, ours_csv, sums_csv = sys.argv[1:]
snapshot = json.load(open(os.path.join(root, "snapshot.json")))
ours = {name: int(n) for name, n in csv.reader(open(ours_csv))}
quality, cells, first, last = next(csv.reader(open(sums_csv)))
faults = []


def check(reader, what, got, want):
    if got != want:
        faults.append(f"{reader}: {what} is {got!r}, want {want!r}")


def files(name):
    return [os.path.join(root, f["path"]) for f in snapshot["datasets"][name]["files"]]


for name, n in ours.items():
    paths = files(name)
    check("pyarrow", f"rows of {name}", sum(pq.ParquetFile(p).metadata.num_rows for p in paths), n)
    check("pyarrow", f"rows read of {name}", ds.dataset(paths).count_rows(), n)
    check("duckdb", f"rows of {name}", duckdb.sql(f"SELECT count(*) FROM read_parquet({paths})").fetchall()[0][0], n)
    check("polars", f"rows of {name}", polars.scan_parquet(paths, hive_partitioning=False).select(polars.len()).collect().item(), n)

obs = ds.dataset(files("observations")).to_table()
check("pyarrow", "sum of quality", pc.sum(obs["quality_ppm"]).as_py(), int(quality))
check("pyarrow", "cells", sum(v % 1000003 for v in obs["h3"].to_pylist()), int(cells))
check("pyarrow", "hex text", [format(v, "x") for v in obs["h3"].to_pylist()], obs["h3_hex"].to_pylist())
lazy = polars.scan_parquet(files("observations"), hive_partitioning=False)
check("polars", "sum of quality", lazy.select(polars.col("quality_ppm").sum()).collect().item(), int(quality))

# A filter on any column must find what a scan finds: statistics that lie would lose rows.
cell = obs["h3"][len(obs) // 2].as_py()
want = sum(v == cell for v in obs["h3"].to_pylist())
check("pyarrow", "one cell", ds.dataset(files("observations")).count_rows(filter=ds.field("h3") == cell), want)
check("polars", "one cell", lazy.filter(polars.col("h3") == cell).select(polars.len()).collect().item(), want)
check("duckdb", "one cell", duckdb.sql(f"SELECT count(*) FROM read_parquet({files('observations')}) WHERE h3 = {cell}").fetchall()[0][0], want)

for name in ("frames", "drives", "cells"):
    for path in files(name):
        meta = json.loads(pq.ParquetFile(path).metadata.metadata[b"geo"])
        col = meta["columns"][meta["primary_column"]]
        check("GeoParquet", f"version of {name}", meta["version"], "1.1.0")
        frame = geopandas.read_parquet(path)
        check("geopandas", f"CRS of {name}", frame.crs.to_epsg() in (4326, None) or "CRS84" in str(frame.crs), True)
        check("geopandas", f"types of {name}", sorted(set(frame.geometry.dropna().geom_type)), sorted(col["geometry_types"]))
        table = pq.read_table(path)
        for geom, box in zip(shapely.from_wkb(table["geometry"].to_pylist()), table["bbox"].to_pylist()):
            if geom is None:
                continue
            w, s, e, n = geom.bounds
            check("GeoParquet", f"covering of {name}", box["xmin"] <= w and box["ymin"] <= s and box["xmax"] >= e and box["ymax"] >= n, True)
            check("shapely", f"validity in {name}", geom.is_valid, True)

for fault in faults[:20]:
    print("datasets:", fault)
if faults:
    sys.exit(1)
print(f"datasets: pyarrow, DuckDB {duckdb.__version__}, polars and geopandas agree on {sum(ours.values())} rows of {len(ours)} datasets")
