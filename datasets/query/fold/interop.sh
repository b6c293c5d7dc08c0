#!/usr/bin/env bash
# Folds the same files with the embedded DuckDB and with ClickHouse's engine (chdb from PyPI) behind its HTTP protocol, from
# a folder and from the embedded object store, and compares the cells byte for byte; asks both the same questions over
# Flight SQL and through roadcomb query, and ClickHouse what it must refuse.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
work=${ROADCOMB_INTEROP:-$root/.setup/interop}/fold
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
  command -v python3 >/dev/null || { echo "fold: python3 is missing; skipped"; exit 0; }
  python3 -m venv "$work/venv" 2>/dev/null || { echo "fold: python3-venv is missing; skipped"; exit 0; }
fi
want="chdb==4.4.0"
if [ "$(cat "$work/venv/.roadcomb" 2>/dev/null)" != "$want" ]; then
  "$work/venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: "$want" || { echo "fold: chdb cannot be installed here (PyPI); skipped"; exit 0; }
  echo "$want" > "$work/venv/.roadcomb"
fi
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done' EXIT
rm -rf "$work/data" "$work/duckdb" "$work/clickhouse" "$work/port" "$work/store" "$work/lake-duckdb" "$work/lake-clickhouse"
(cd "$root" && go run ./benchmarks/fold -generate -dir "$work/data" -rows 300000 -days 3 -cells 40000)
"$work/venv/bin/python" clickhouse.py "$work/port" 2>"$work/clickhouse.log" &
pids+=($!)
for _ in $(seq 600); do [ -s "$work/port" ] && break; sleep 0.1; done
url=http://127.0.0.1:$(cat "$work/port")
fold() { "$root/bin/roadcomb" cells fold "$@"; }
same() { cmp "$1/cells.parquet" "$2/cells.parquet" || { echo "fold: the engines disagree about $3"; exit 1; }; echo "fold: equal bytes from both engines, $3"; }
fold --from "$work/data/observations" --out "$work/duckdb"
fold --from "$work/data/observations" --out "$work/clickhouse" --clickhouse "$url"
same "$work/duckdb" "$work/clickhouse" "from a folder"

# The lake: a drive through the whole chain, kept; then the store serves while the fold runs.
(cd "$root" && go run ./datasets/interop/drive "$work/drive")
"$root/bin/roadcomb" process "$work/drive" --out "$work/processed" --work "$work/store" || [ $? = 3 ]
home=(--home "$work/store" --s3-listen 127.0.0.1:0)
fold "${home[@]}" --out "$work/lake-duckdb"
fold "${home[@]}" --out "$work/lake-clickhouse" --clickhouse "$url"
same "$work/lake-duckdb" "$work/lake-clickhouse" "from the object store"

ROADCOMB_TEST_CLICKHOUSE=$url go test "$root/datasets/flight" -run TestBothEnginesGiveTheSameAnswers -count 1
ask="SELECT h3_hex(h3) AS cell, h3_parent(h3, 7) AS area, captured_at, quality_ppm FROM observations ORDER BY captured_at, frame_id"
"$root/bin/roadcomb" query --data "$work/processed/datasets" --format csv "$ask" > "$work/duckdb.csv"
"$root/bin/roadcomb" query --data "$work/processed/datasets" --clickhouse "$url" --format csv "$ask" > "$work/clickhouse.csv"
cmp "$work/duckdb.csv" "$work/clickhouse.csv" || { echo "fold: the engines answer differently"; exit 1; }
"$root/bin/roadcomb" query "${home[@]}" --clickhouse "$url" --format csv "$ask" > "$work/lake.csv"
cmp "$work/duckdb.csv" "$work/lake.csv" || { echo "fold: ClickHouse answers differently from the object store"; exit 1; }
echo "fold: equal answers from both engines"
