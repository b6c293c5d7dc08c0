"""The ADBC Flight SQL driver and pyarrow over HTTP must agree with pyarrow on the files themselves."""
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import adbc_driver_flightsql.dbapi as dbapi
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from adbc_driver_flightsql import DatabaseOptions

flight, http, path = sys.argv[1:]
truth = pq.read_table(path)
faults = []


def check(what, got, want):
    if got != want:
        faults.append(f"{what} is {got!r}, want {want!r}")


def sums(table):
    geometry = pc.sum(pc.binary_length(table["geometry"])).as_py()
    return (table.num_rows, pc.sum(pc.bit_wise_and(table["h3"], pa.scalar((1 << 40) - 1, pa.int64()))).as_py(), pc.sum(table["quality_ppm"]).as_py(), pc.max(table["captured_at"]).as_py(),
            pc.max(table["frame_id"]).as_py(), geometry, table["geometry"][-1].as_py())


def refused(what, fn):
    try:
        fn()
    except Exception as e:  # noqa: BLE001
        return str(e)
    faults.append(f"{what} was answered")
    return ""


def connect(**options):
    return dbapi.connect(flight, db_kwargs=options, autocommit=True)


bearer = {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer key"}
with connect(**bearer) as con, con.cursor() as cur:
    cur.execute("SELECT * FROM observations ORDER BY captured_at")
    table = cur.fetch_arrow_table()
    check("ADBC: the whole table", sums(table), sums(truth.sort_by("captured_at")))
    check("ADBC: columns", table.column_names, truth.column_names)
    check("ADBC: time zone", table.schema.field("captured_at").type, pa.timestamp("us", "UTC"))
    cur.execute("SELECT count(*), sum(quality_ppm) FROM observations WHERE quality_ppm < ? AND drive_id = ?", (100, "d"))
    check("ADBC: parameters", cur.fetchone(), (100, 4950))
    cur.execute("SELECT ? + 1 AS a", (41,))
    check("ADBC: a type that follows from a parameter", cur.fetchone(), (42,))
    cur.execute("SELECT 1.5::DECIMAL(4,2) d, [1, NULL] l, {'a': 1} s, MAP {'k': 2} m, DATE '2024-05-08' t, NULL n")
    check("ADBC: types", [str(v) for v in cur.fetchone()], ["1.50", "[1, None]", "{'a': 1}", "[('k', 2)]", "2024-05-08", "None"])
    check("ADBC: name", con.adbc_get_info()["vendor_name"], "roadcomb")
    tables = con.adbc_get_objects(depth="columns", table_name_filter="observations").read_all().to_pylist()
    columns = [c["column_name"] for c in tables[0]["catalog_db_schemas"][0]["db_schema_tables"][0]["table_columns"]]
    check("ADBC: columns of the catalogue", columns, truth.column_names)
    check("ADBC: table schema", con.adbc_get_table_schema("observations").field("h3").type, pa.int64())
    cell = truth["h3"][len(truth) // 2].as_py()
    cur.execute(f"SELECT count(*), any_value(h3_hex = h3_hex(h3)), any_value(octet_length(h3_boundary_wkb(h3))) FROM observations WHERE h3 = {cell}")
    want = pc.sum(pc.equal(truth["h3"], cell)).as_py()
    check("ADBC: H3", cur.fetchone(), (want, True, 125))
    for what, sql in {"a write": "CREATE TABLE x (i INT)", "a file": "SELECT * FROM read_csv('/etc/passwd')", "ATTACH": "ATTACH '/tmp/x'", "two statements": "SELECT 1; SELECT 2"}.items():
        refused("ADBC: " + what, lambda: cur.execute(sql) and cur.fetchall())

# A cancelled query ends, and the connection goes on.
with connect(**bearer) as con, con.cursor() as cur:
    cur.execute("SELECT i, 'some text ' || i FROM range(1000000000) r(i)")
    reader = cur.fetch_record_batch()
    reader.read_next_batch()
    threading.Timer(0.3, con.adbc_cancel if hasattr(con, "adbc_cancel") else cur.adbc_cancel).start()

    def drain():
        for _ in reader:
            pass
    refused("ADBC: a cancelled query", drain)
with connect(username="anyone", password="key") as con, con.cursor() as cur:
    cur.execute("SELECT 7")
    check("ADBC: user and password", cur.fetchone(), (7,))
for what, options in {"no key": {}, "a wrong key": {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer x"}}.items():
    def ask():
        with connect(**options) as con, con.cursor() as cur:
            cur.execute("SELECT 1")
            return cur.fetchall()
    refused("ADBC: " + what, ask)


def get(dataset, **query):
    url = f"{http}/v1/datasets/{dataset}?{urllib.parse.urlencode(query, doseq=True)}"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"X-API-Key": "key"})) as r:
        return pa.ipc.open_stream(r.read()).read_all()


for compression in ("none", "zstd"):
    check(f"HTTP, {compression}", sums(get("observations", compression=compression).sort_by("captured_at")), sums(truth.sort_by("captured_at")))
some = get("observations", columns="frame_id,quality_ppm", where=["quality_ppm>=10", "quality_ppm<20"])
check("HTTP: filter", (some.num_rows, some.column_names), (10, ["frame_id", "quality_ppm"]))
check("HTTP: an empty dataset", get("drives").num_rows, 0)

for fault in faults[:20]:
    print("flight:", fault)
if faults:
    sys.exit(1)
print(f"flight: ADBC and pyarrow agree with the files on {truth.num_rows} rows")
