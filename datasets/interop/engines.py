"""Opens a snapshot with ClickHouse's engine (chdb), GDAL and a validator of GeoParquet, and its Iceberg tables with pyiceberg and
ClickHouse; with the argument "spark", only with Apache Spark. Each must agree with what roadcomb says: rows, sums, and every geometry."""
import csv
import json
import os
import sys

root, ours_csv, sums_csv, frames_csv = sys.argv[1:5]
snapshot = json.load(open(os.path.join(root, "snapshot.json")))
ours = {name: int(n) for name, n in csv.reader(open(ours_csv))}
quality, cells, first, last = next(csv.reader(open(sums_csv)))
want_sums = (int(quality), int(cells))
frames = {f: wkb.lower() for f, wkb in csv.reader(open(frames_csv))}
faults = []


def check(reader, what, got, want):
    if got != want:
        faults.append(f"{reader}: {what} is {str(got)[:200]!r}, want {str(want)[:200]!r}")


def files(name):
    return [os.path.join(root, f["path"]) for f in snapshot["datasets"].get(name, {"files": []})["files"]]


def done(words):
    for fault in faults[:20]:
        print("datasets:", fault)
    if faults:
        sys.exit(1)
    print("datasets:", words)


def spark():
    from pyspark.sql import SparkSession, functions as f

    session = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.driver.bindAddress", "127.0.0.1")
               .config("spark.driver.host", "127.0.0.1").config("spark.sql.shuffle.partitions", "1").config("spark.sql.session.timeZone", "UTC").getOrCreate())
    session.sparkContext.setLogLevel("ERROR")
    for name, n in ours.items():
        check("Spark", f"rows of {name}", session.read.parquet(*files(name)).count() if files(name) else 0, n)
    obs = session.read.parquet(*files("observations"))
    check("Spark", "sums", tuple(obs.select(f.sum("quality_ppm"), f.sum(f.col("h3") % 1000003)).first()), want_sums)
    cell = obs.select("h3").first()[0]
    check("Spark", "one cell", obs.where(obs.h3 == cell).count(), sum(r.h3 == cell for r in obs.select("h3").collect()))
    check("Spark", "hex text", obs.where(f.lower(f.hex("h3")) != obs.h3_hex).count(), 0)
    check("Spark", "geometry", {r[0]: r[1].lower() for r in session.read.parquet(*files("frames")).select("frame_id", f.hex("geometry")).collect()}, frames)
    check("Spark", "coverings", obs.where((f.col("bbox.xmin") > f.col("bbox.xmax")) | f.col("bbox").isNull()).count(), 0)
    version = session.version
    session.stop()
    done(f"Spark {version} agrees on {sum(ours.values())} rows, and on {len(frames)} geometries")


def clickhouse():
    import chdb

    os.chdir(root)  # it reads tables in and below its working folder
    def ask(sql):
        return list(csv.reader(str(chdb.query(sql, "CSV")).splitlines()))

    def each(reader, source):
        for name, n in ours.items():
            if files(name):
                check(reader, f"rows of {name}", int(ask(f"SELECT count() FROM {source(name)}")[0][0]), n)
        obs = source("observations")
        check(reader, "sums", tuple(map(int, ask(f"SELECT sum(quality_ppm), sum(h3 % 1000003) FROM {obs}")[0])), want_sums)
        check(reader, "hex text", ask(f"SELECT countIf(lower(hex(h3)) != concat('0', h3_hex)) FROM {obs}"), [["0"]])
        cell = ask(f"SELECT any(h3) FROM {obs}")[0][0]
        check(reader, "one cell", ask(f"SELECT count() FROM {obs} WHERE h3 = {cell}"), ask(f"SELECT countIf(h3 = {cell}) FROM {obs}"))
        got = ask(f"SELECT frame_id, lower(hex(geometry)) FROM {source('frames')} SETTINGS input_format_parquet_allow_geoparquet_parser = 0")
        check(reader, "geometry", dict(got), frames)

    def parquet(name):
        paths = [p.removeprefix(root + "/") for p in files(name)]
        return f"file('{root}/{{{','.join(paths)}}}', 'Parquet')" if len(paths) > 1 else f"file('{root}/{paths[0]}', 'Parquet')"

    each("ClickHouse", parquet)
    # It takes GeoParquet's points for points by itself.
    import shapely
    for frame, x, y in ask(f"SELECT frame_id, geometry.1, geometry.2 FROM {parquet('frames')}"):
        p = shapely.from_wkb(frames[frame])
        check("ClickHouse", f"point of {frame}", (float(x), float(y)), (p.x, p.y))
    each("ClickHouse, Iceberg", lambda name: f"icebergLocal('{root}/{name}/')")
    return ask("SELECT version()")[0][0]


def iceberg():
    import pyarrow.compute as pc
    import pyiceberg
    from pyiceberg.expressions import EqualTo
    from pyiceberg.table import StaticTable

    def table(name):
        with open(os.path.join(root, name, "metadata", "version-hint.text")) as f:
            return StaticTable.from_metadata(os.path.join(root, name, "metadata", f"v{f.read()}.metadata.json"))

    for name, n in ours.items():
        if files(name):
            t = table(name)
            check("pyiceberg", f"rows of {name}", t.scan().to_arrow().num_rows, n)
            check("pyiceberg", f"files of {name}", sorted(f.file.file_path for f in t.scan().plan_files()), sorted(files(name)))
    obs = table("observations").scan().to_arrow()
    check("pyiceberg", "sums", (pc.sum(obs["quality_ppm"]).as_py(), sum(v % 1000003 for v in obs["h3"].to_pylist())), want_sums)
    cell = obs["h3"][len(obs) // 2].as_py()
    check("pyiceberg", "one cell", table("observations").scan(row_filter=EqualTo("h3", cell)).to_arrow().num_rows, sum(v == cell for v in obs["h3"].to_pylist()))
    rows = table("frames").scan(selected_fields=("frame_id", "geometry")).to_arrow().to_pylist()
    check("pyiceberg", "geometry", {r["frame_id"]: r["geometry"].hex() for r in rows}, frames)
    return pyiceberg.__version__


def gdal():
    """Gives words on whether there is a GDAL with the driver here; its wheels from PyPI have it or not."""
    import pyogrio

    if "Parquet" not in pyogrio.list_drivers():
        return f"the GDAL {pyogrio.__gdal_version_string__} of PyPI's wheel has no Parquet driver"
    n = 0
    for path in files("frames"):
        frame = pyogrio.read_dataframe(path, columns=["frame_id"])
        check("GDAL", f"geometry of {path}", {r.frame_id: r.geometry.wkb.hex() for r in frame.itertuples()}, {k: v for k, v in frames.items() if k in set(frame.frame_id)})
        n += len(frame)
    check("GDAL", "rows of frames", n, ours["frames"])
    return f"GDAL {pyogrio.__gdal_version_string__} agrees"


if sys.argv[5:] == ["spark"]:
    spark()
else:
    version, py = clickhouse(), iceberg()
    done(f"ClickHouse {version} agrees on {sum(ours.values())} rows of the files and of the Iceberg tables, pyiceberg {py} on these; {gdal()}")
