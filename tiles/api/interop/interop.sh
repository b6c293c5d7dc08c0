#!/usr/bin/env bash
# The STAC API as pystac-client walks it and pystac validates it; the OGC API as GDAL reads it.
set -euo pipefail
cd "$(dirname "$0")"
venv=$(cd ../../.. && pwd)/.setup/interop/stac
if ! cmp -s requirements.txt "$venv/.roadcomb"; then
  mkdir -p "$(dirname "$venv")"
  command -v python3 >/dev/null && python3 -m venv "$venv" 2>/dev/null || { echo "tiles/api: python3 with venv is missing; skipped"; exit 0; }
  "$venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt || { echo "tiles/api: the readers cannot be installed here (PyPI); skipped"; exit 0; }
  cp requirements.txt "$venv/.roadcomb"
fi
ROADCOMB_INTEROP_PYTHON=$venv/bin/python go test -count=1 -run "STAC|OGC" ..
ROADCOMB_INTEROP_CLIENTS=1 go test -count=1 -run GeneratedClients -v ..
