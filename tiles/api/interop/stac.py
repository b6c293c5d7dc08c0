"""Reads a STAC API with pystac-client and checks every object with pystac against the schemas of the core and the extensions.

usage: stac.py URL FRAMES DRIVES
"""

import json
import sys
import urllib.request

import pystac
import schemas
from pystac_client import Client

url, frames, drives = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

schemas.teach_pystac()
client = Client.open(url)
for what in ("core", "collections", "item-search", "ogcapi-features"):
    assert any(what in c for c in client.get_conforms_to()), f"{what} is not among the conformance classes"


def check(href):
    """As served: pystac's own objects are of the version that it writes."""
    with urllib.request.urlopen(href) as r:
        d = json.load(r)
    assert d["stac_version"] == "1.0.0", d["stac_version"]
    pystac.validation.validate_dict(d)


check(url)
collections = list(client.get_collections())
assert len(collections) == drives, f"{len(collections)} collections, want {drives}"
for c in collections:
    check(c.get_self_href())

items = list(client.search(limit=50).items())
assert len(items) == frames, f"{len(items)} items, want {frames}"
assert len({i.id for i in items}) == frames
for i in items[:40]:
    check(i.get_self_href())

one = items[7]
found = list(client.search(intersects=one.geometry, datetime=one.datetime).items())
assert one.id in {i.id for i in found}, "a search at an item's own place and time does not find it"
west, south, east, north = collections[0].extent.spatial.bboxes[0]
inside = list(client.search(bbox=[west, south, east, north], collections=[collections[0].id]).items())
assert len(inside) == len(list(collections[0].get_items())), f"the box of a collection holds {len(inside)} items of its {len(list(collections[0].get_items()))}"
print(f"{len(collections)} collections and {len(items)} items are valid STAC 1.0.0")
