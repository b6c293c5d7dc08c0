#!/usr/bin/env bash
# Writing, scanning and filtering datasets, beside pyarrow and DuckDB on the same files. ROADCOMB_BENCH_ROWS is the size
# of the scan (1,000,000) and of the filter (2,000,000; the goal is stated for 100,000,000).
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${ROADCOMB_INTEROP:-$PWD/.setup/interop}/bench
mkdir -p "$work"
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: pyarrow==26.0.1 duckdb==2.0.1
export ROADCOMB_BENCH_DIR=$work ROADCOMB_BENCH_FILE=$work/sightings.parquet
rows=${ROADCOMB_BENCH_ROWS:-1000000}
go test ./pkg/lake -run '^$' -bench 'WriteSightings|OneCell' -benchtime 3x | grep Benchmark
ROADCOMB_BENCH_ROWS=$rows go test ./datasets/flight -run '^$' -bench Scan -benchtime 5x -timeout 60m | grep Benchmark
"$work/venv/bin/python" benchmarks/datasets/peers.py "$ROADCOMB_BENCH_FILE" "$work/$rows"
