"""PostGIS as a tile builder, for contest.sh.

postgis.py load DSN DIR            reads lines.geojsonl and points.geojsonl of DIR into tables with a GiST index
postgis.py build DSN TILES COUNT   builds the tiles that COUNT lists of the archive TILES, over two connections, gzip 6;
                                   prints tiles | features | bytes
"""

import gzip
import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import psycopg

LAYER = """SELECT ST_AsMVT(t, %(name)s, 4096, 'geom'), count(*) FROM (
  SELECT ST_AsMVTGeom(f.geom, e.env, 4096, 64, true) AS geom, {columns} FROM {table} f, (SELECT ST_TileEnvelope(%(z)s, %(x)s, %(y)s) AS env) e
  WHERE f.geom && ST_Expand(e.env, (ST_XMax(e.env) - ST_XMin(e.env)) / 64)) t WHERE geom IS NOT NULL"""


def load(dsn, folder):
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        for table in ("lines", "points"):
            with open(f"{folder}/{table}.geojsonl") as f:
                keys = sorted(json.loads(next(f))["properties"])
            kinds = {"id": "bigint", "captured_at": "bigint", "freshness_days": "int", "quality": "float8", "compass_angle": "float8"}
            db.execute(f"CREATE TABLE {table} (geom geometry, {', '.join(k + ' ' + kinds.get(k, 'text') for k in keys)})")
            with db.cursor() as c, open(f"{folder}/{table}.geojsonl") as f, c.copy(f"COPY {table} FROM STDIN") as copy:
                for line in f:
                    o = json.loads(line)
                    g = o["geometry"]
                    ps = [g["coordinates"]] if g["type"] == "Point" else g["coordinates"]
                    wkt = ("POINT" if g["type"] == "Point" else "LINESTRING") + "(" + ",".join(f"{x} {y}" for x, y in ps) + ")"
                    copy.write_row(["SRID=4326;" + wkt] + [o["properties"][k] for k in keys])
            db.execute(f"ALTER TABLE {table} ALTER geom TYPE geometry USING ST_Transform(geom, 3857)")
            db.execute(f"CREATE INDEX ON {table} USING gist (geom)")
            db.execute(f"VACUUM ANALYZE {table}")


db = None


def start(dsn):
    global db
    db = psycopg.connect(dsn, autocommit=True)


def tile(zxy):
    z, x, y = zxy
    body, n = b"", 0
    for table, name in (("lines", "seq"), ("points", "img")):
        columns = ", ".join("f." + c[0] for c in db.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s AND column_name <> 'geom' ORDER BY 1", (table,)))
        mvt, k = db.execute(LAYER.format(columns=columns, table=table), {"name": name, "z": z, "x": x, "y": y}).fetchone()
        body, n = body + bytes(mvt or b""), n + k
    return n, len(gzip.compress(body, 6)) if body else 0


def build(dsn, archive, count):
    tiles = [tuple(map(int, line.split("/"))) for line in subprocess.check_output([count, "-list", archive], text=True).split()]
    with ProcessPoolExecutor(2, initializer=start, initargs=(dsn,)) as pool:
        got = list(pool.map(tile, tiles, chunksize=4))
    print(sum(n > 0 for _, n in got), "|", sum(n for n, _ in got), "|", sum(b for _, b in got))


{"load": load, "build": build}[sys.argv[1]](*sys.argv[2:])
