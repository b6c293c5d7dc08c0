"""Reads the OGC API - Tiles with GDAL's OGCAPI driver (in pyogrio's wheels), by the box of the collection alone.

usage: ogc.py URL FRAMES SIGNS
"""

import json
import math
import sys
import urllib.request

import pyogrio
import pyogrio.raw

url, frames, signs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def get(href):
    with urllib.request.urlopen(href) as r:
        return json.load(r)


def metres(lon, lat):
    """GDAL wants a box in the tiles' own coordinates, or takes degrees for metres."""
    r = 6378137
    return math.radians(lon) * r, math.log(math.tan(math.pi / 4 + math.radians(lat) / 2)) * r


for layer, want in (("images", frames), ("features", signs)):
    west, south, east, north = get(f"{url}/collections/{layer}")["extent"]["spatial"]["bbox"][0]
    (x0, y0), (x1, y1) = metres(west, south), metres(east, north)
    meta, _, geometry, fields = pyogrio.raw.read(
        f"OGCAPI:{url}/collections/{layer}", layer="Zoom level 14", columns=["id"], MINX=str(x0 - 1), MINY=str(y0 - 1), MAXX=str(x1 + 1), MAXY=str(y1 + 1))
    ids = set(fields[list(meta["fields"]).index("id")])
    assert len(ids) == want, f"GDAL reads {len(ids)} of {want} features of {layer}"
    print(f"{layer}: {len(ids)} features, {meta['geometry_type']}, {meta['crs'][:20]}")
print("GDAL", pyogrio.__gdal_version__)
