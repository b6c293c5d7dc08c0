"""The same work by pyarrow and DuckDB in Python: writing a file of ours again, and scanning a lake of ours."""
import glob
import os
import sys
import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

file, lake = sys.argv[1:]
table = pq.read_table(file)
pa.set_cpu_count(2)
columns = pq.ParquetFile(file).metadata.row_group(0)
ours = [c.path_in_schema for c in map(columns.column, range(columns.num_columns)) if any("DICTIONARY" in e for e in c.encodings)]
n = table.num_rows
for what, dictionaries in {"its own dictionaries": True, "our dictionaries": ours}.items():
    best = None
    for _ in range(5):
        wall, cpu = time.time(), time.process_time()
        pq.write_table(table, file + ".again", compression="zstd", compression_level=3, row_group_size=131072, use_dictionary=dictionaries)
        wall, cpu = time.time() - wall, time.process_time() - cpu
        best = min(best or (wall, cpu), (wall, cpu))
    print(f"pyarrow {pa.__version__} write, {what}: {n / best[0]:.0f} rows/s, {n / best[1]:.0f} rows/cpu-s, {os.path.getsize(file + '.again') / n:.1f} B/row; ours {os.path.getsize(file) / n:.1f} B/row")
if not lake:
    sys.exit()

files = glob.glob(lake + "/observations/v1/*/*.parquet")
con = duckdb.connect(config={"threads": 2})
con.execute("SET TimeZone = 'UTC'")
best = None
for _ in range(5):
    wall, cpu, rows, size = time.time(), time.process_time(), 0, 0
    for batch in con.sql(f"SELECT * FROM read_parquet({files})").to_arrow_reader(16384):
        rows += batch.num_rows
        size += batch.get_total_buffer_size()
    wall, cpu = time.time() - wall, time.process_time() - cpu
    best = min(best or (wall, cpu), (wall, cpu))
print(f"DuckDB {duckdb.__version__} in process, as Arrow: {rows / best[0]:.0f} rows/s, {rows / best[1]:.0f} rows/cpu-s, {size / 1e6 / best[0]:.0f} MB/s")
