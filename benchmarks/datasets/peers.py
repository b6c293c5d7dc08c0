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
best = None
for _ in range(5):
    wall, cpu = time.time(), time.process_time()
    pq.write_table(table, file + ".again", compression="zstd", compression_level=3, row_group_size=131072)
    wall, cpu = time.time() - wall, time.process_time() - cpu
    best = min(best or (wall, cpu), (wall, cpu))
n = table.num_rows
print(f"pyarrow {pa.__version__} write: {n / best[0]:.0f} rows/s, {n / best[1]:.0f} rows/cpu-s, {os.path.getsize(file + '.again') / n:.1f} B/row; ours {os.path.getsize(file) / n:.1f} B/row")

files = glob.glob(lake + "/observations/v1/*/*.parquet")
con = duckdb.connect(config={"threads": 2})
con.execute("SET TimeZone = 'UTC'")
best = None
for _ in range(5):
    wall, cpu, rows = time.time(), time.process_time(), 0
    for batch in con.sql(f"SELECT * FROM read_parquet({files})").to_arrow_reader(16384):
        rows += batch.num_rows
    wall, cpu = time.time() - wall, time.process_time() - cpu
    best = min(best or (wall, cpu), (wall, cpu))
print(f"DuckDB {duckdb.__version__} in process, as Arrow: {rows / best[0]:.0f} rows/s, {rows / best[1]:.0f} rows/cpu-s")
