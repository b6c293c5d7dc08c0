#!/usr/bin/env bash
# Writes an archive as CAR and opens it with the IPLD libraries of JavaScript, which share no code with ours.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
if ! cmp -s package-lock.json node_modules/.roadcomb-lock; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || { echo "archive: the npm packages cannot be installed here; skipped"; exit 0; }
  cp package-lock.json node_modules/.roadcomb-lock
fi
rc=$root/bin/roadcomb
cd "$root"
go run ./datasets/interop/drive "$work/drive" >/dev/null
code=0; "$rc" process "$work/drive" --out "$work/out" --as-of 2024-05-13 >/dev/null || code=$?
[ $code = 0 ] || [ $code = 3 ] || { echo "archive: process failed with $code"; exit 1; }
published=$("$rc" archive publish --from "$work/out" | node -e 'console.log(JSON.parse(require("fs").readFileSync(0)).root)')
frames=$("$rc" query --data "$work/out/datasets" --format csv "SELECT count(*) FROM frames" | tail -n 1)
drive=$("$rc" query --data "$work/out/datasets" --format csv "SELECT drive_id FROM frames GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1" | tail -n 1)
n=$("$rc" query --data "$work/out/datasets" --format csv "SELECT count(*) FROM frames WHERE drive_id = '$drive'" | tail -n 1)
"$rc" archive export --from "$work/out" --to "$work/all.car" 2>/dev/null
"$rc" archive export --from "$work/out" --drive "$drive" --to "$work/drive.car" 2>/dev/null
node datasets/archive/interop/read.mjs "$work/all.car" "$frames"
node datasets/archive/interop/read.mjs "$work/drive.car" "$n"
"$rc" archive audit --from "$work/out" --beacon interop -k 20 2>/dev/null | "$rc" archive check - --root "$published" --beacon interop -k 20 | sed -n 1p
