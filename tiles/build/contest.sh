#!/usr/bin/env bash
# contest.sh DIR [ROUNDS]: builds the synthetic city in DIR (lines.geojsonl, points.geojsonl: 100,000 features each) with
# roadcomb and with tippecanoe, in turns, and prints wall time, CPU time and peak memory of each. tippecanoe is whatever
# $TIPPECANOE names, or the one on the path; without one only roadcomb runs. The roadcomb is $ROADCOMB or bin/roadcomb.
set -euo pipefail
dir=$(realpath "$1") rounds=${2:-5} root=$(realpath "$(dirname "$0")/../..")
roadcomb=${ROADCOMB:-$root/bin/roadcomb} tippecanoe=${TIPPECANOE:-$(command -v tippecanoe || true)}
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
measure() { local name=$1; shift; /usr/bin/time -f "$name wall %e s, cpu %U + %S s, peak %M kB" "$@" >/dev/null 2>"$out/err" || { cat "$out/err" >&2; return 1; }; tail -n 1 "$out/err"; }
cd "$dir"
for _ in $(seq "$rounds"); do
	measure roadcomb "$roadcomb" tiles build --layer seq=lines.geojsonl --layer img=points.geojsonl --out "$out/r.pmtiles"
	[ -z "$tippecanoe" ] || measure tippecanoe "$tippecanoe" -q -Z0 -z14 -r1 -pf -pk -P -f -L seq:lines.geojsonl -L img:points.geojsonl -o "$out/t.pmtiles"
done
ls -l "$out"/*.pmtiles | awk '{print $5, "bytes", $9}'
