#!/usr/bin/env bash
# Tracks of films, and metadata of images, as other readers see them: mapillary_tools from PyPI, and exiftool where it is
# installed (Debian: libimage-exiftool-perl); FrameKM bundles by a reader of their published description. "interop.sh bench"
# measures both against ours in one run instead.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
work=${ROADCOMB_INTEROP:-$root/.setup/interop}/ingest
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
  command -v python3 >/dev/null || { echo "ingest: python3 is missing; skipped"; exit 0; }
  python3 -m venv "$work/venv" 2>/dev/null || { echo "ingest: python3-venv is missing; skipped"; exit 0; }
fi
if ! cmp -s requirements.txt "$work/venv/.roadcomb"; then
  "$work/venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt || { echo "ingest: mapillary_tools cannot be installed here (PyPI); skipped"; exit 0; }
  cp requirements.txt "$work/venv/.roadcomb"
fi
export ROADCOMB_MAPILLARY=$work/venv/bin
cd "$root"
case ${1:-} in
bench) go test -count=1 -run '^$' -bench 'Against|LongFilm' -benchtime 1x ./ingest/media ./ingest/exif && go test -count=1 -run '^$' -bench Upload -benchtime 8x ./ingest/upload && go test -count=1 -run '^$' -bench Rebuild -benchtime 1x ./ingest/trace ;;
*) go test -count=1 -run 'Mapillary|ExifTool|Outside' ./ingest/media ./ingest/exif ./ingest/framekm ;;
esac
