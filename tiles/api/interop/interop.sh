#!/usr/bin/env bash
# The STAC API as pystac-client and Panoramax's viewer read it and three validators find it; the OGC API as GDAL reads it;
# clients generated from the OpenAPI document.
set -euo pipefail
cd "$(dirname "$0")"
venv=$(cd ../../.. && pwd)/.setup/interop/stac
if ! cmp -s requirements.txt "$venv/.roadcomb"; then
  mkdir -p "$(dirname "$venv")"
  command -v python3 >/dev/null && python3 -m venv "$venv" 2>/dev/null || { echo "tiles/api: python3 with venv is missing; skipped"; exit 0; }
  "$venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt || { echo "tiles/api: the readers cannot be installed here (PyPI); skipped"; exit 0; }
  cp requirements.txt "$venv/.roadcomb"
fi
if ! cmp -s readers/package-lock.json readers/node_modules/.roadcomb-lock; then
  (cd readers && npm ci --ignore-scripts --no-audit --no-fund --silent && cp package-lock.json node_modules/.roadcomb-lock)
fi
schemas=$("$venv/bin/python" -c 'import schemas; print(schemas.core)')
ROADCOMB_INTEROP_PYTHON=$venv/bin/python ROADCOMB_INTEROP_STAC_SCHEMAS=$schemas ROADCOMB_INTEROP_PANORAMAX=1 go test -count=1 -run "STAC|OGC|Panoramax" -v .. | grep -vE '^=== |^PASS'
ROADCOMB_INTEROP_CLIENTS=1 go test -count=1 -run GeneratedClients -v ..
