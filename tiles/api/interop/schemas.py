"""Schemas without asking another host: the core ones are part of pystac, those of extensions are in readers/extensions."""

import json
import pathlib

import pystac.validation
from pystac.validation import RegisteredValidator

core = pathlib.Path(pystac.validation.__file__).parent / "jsonschemas"
extensions = {
    d["$id"].removesuffix("#"): d for d in (json.loads(p.read_text()) for p in (pathlib.Path(__file__).parent / "readers" / "extensions").glob("*.json"))
}


def get(uri):
    """The schema at the address; None when it is not one of them."""
    if uri.startswith("https://schemas.stacspec.org/v1.0.0/"):
        return json.loads((core / "stac-spec" / "v1.0.0" / uri.split("/")[-1]).read_text())
    if uri.startswith("https://geojson.org/schema/"):
        return json.loads((core / "geojson" / uri.split("/")[-1]).read_text())
    return extensions.get(uri)


def teach_pystac():
    """Makes pystac validate against them."""
    RegisteredValidator.get_validator().schema_cache.update(extensions)
