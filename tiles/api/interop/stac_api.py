"""Asks a STAC API all that stac-api-validator asks of the classes that it claims: core, collections, features, item search.

usage: stac_api.py URL COLLECTION

No other host is asked for schemas.
"""

import importlib.metadata
import json
import sys
import urllib.request

import schemas
import stac_validator.utilities
from stac_api_validator import validations

url, collection = sys.argv[1], sys.argv[2]
fetch = stac_validator.utilities.fetch_and_parse_file


def local(path, headers=None):
    return schemas.get(path) or fetch(path, headers)


schemas.teach_pystac()
stac_validator.utilities.fetch_and_parse_file = local

with urllib.request.urlopen(f"{url}/collections/{collection}") as r:
    west, south, east, north = json.load(r)["extent"]["spatial"]["bbox"][0]
area = {"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]}
warnings, errors = validations.validate_api(
    root_url=url,
    ccs_to_validate=["core", "collections", "features", "item-search"],
    collection=collection,
    geometry=json.dumps(area),
    auth_bearer_token=None,
    auth_query_parameter=None,
    fields_nested_property=None,
    validate_pagination=True,
    query_config=validations.QueryConfig(*[None] * 13),
    transaction_collection=None,
    headers=None,
)
for w in warnings:
    print("warning:", w)
for e in errors:
    print("error:", e)
if errors:
    sys.exit(1)
print(f"stac-api-validator {importlib.metadata.version('stac-api-validator')} finds no error")
