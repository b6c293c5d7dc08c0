#!/usr/bin/env bash
# Asks a server of ours with the ADBC Flight SQL driver and with pyarrow over HTTP, and compares with pyarrow on the files.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
work=${ROADCOMB_INTEROP:-$root/.setup/interop}/flight
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
  command -v python3 >/dev/null || { echo "flight: python3 is missing; skipped"; exit 0; }
  python3 -m venv "$work/venv" 2>/dev/null || { echo "flight: python3-venv is missing; skipped"; exit 0; }
fi
if ! cmp -s requirements.txt "$work/venv/.roadcomb"; then
  "$work/venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: -r requirements.txt || { echo "flight: the drivers cannot be installed here (PyPI); skipped"; exit 0; }
  cp requirements.txt "$work/venv/.roadcomb"
fi
(cd "$root" && go build -o "$work/server" ./datasets/flight/interop/server)
rm -rf "$work/lake"
"$work/server" "$work/lake" 50000 > "$work/address" &
server=$!
trap 'kill $server 2>/dev/null' EXIT
for _ in $(seq 100); do [ -s "$work/address" ] && break; sleep 0.2; done
read -r flight http file < "$work/address"
"$work/venv/bin/python" clients.py "$flight" "$http" "$file"
