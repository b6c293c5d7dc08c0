#!/usr/bin/env bash
# Opens one snapshot with independent readers from PyPI and npm (Python, JavaScript, ClickHouse's engine, Spark), and GDAL where it has
# the driver, its Iceberg tables with two more, has a validator of GeoParquet judge it, and compares rows, sums and geometry with our own.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
work=${ROADCOMB_INTEROP:-$root/.setup/interop}
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
  command -v python3 >/dev/null || { echo "datasets: python3 is missing; skipped"; exit 0; }
  python3 -m venv "$work/venv" 2>/dev/null || { echo "datasets: python3-venv is missing; skipped"; exit 0; }
fi
if ! cmp -s requirements.txt "$work/venv/.roadcomb"; then
  "$work/venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: -r requirements.txt || { echo "datasets: the Python readers cannot be installed here (PyPI); skipped"; exit 0; }
  cp requirements.txt "$work/venv/.roadcomb"
fi
out=$work/out
rm -rf "$out"
demo=$work/drive
(cd "$root" && go run ./datasets/interop/drive "$demo")
# A key of this script's own, and its public half (of 32 zero bytes).
export ROADCOMB_SIGNING_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
public=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=
set +e
"$root/bin/roadcomb" process "$demo" --out "$out" --as-of 2024-05-13; code=$?
set -e
[ $code = 0 ] || [ $code = 3 ] || { echo "datasets: process failed with $code"; exit 1; }
for q in frames observations drives cells epochs allocations; do
  "$root/bin/roadcomb" query --data "$out/datasets" --format csv "SELECT '$q' AS dataset, count(*) AS n FROM $q" | tail -n 1
done > "$work/ours.csv"
"$root/bin/roadcomb" query --data "$out/datasets" --format csv "SELECT sum(quality_ppm), sum(h3 % 1000003), min(captured_at), max(captured_at) FROM observations" | tail -n 1 > "$work/sums.csv"
"$root/bin/roadcomb" datasets verify --data "$out/datasets" --key "$public" >/dev/null
"$work/venv/bin/python" signature.py "$out/datasets" "$public"
"$work/venv/bin/python" readers.py "$out/datasets" "$work/ours.csv" "$work/sums.csv"
if ! cmp -s package-lock.json node_modules/.roadcomb-lock; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || { echo "datasets: the npm readers cannot be installed here; skipped"; exit 0; }
  cp package-lock.json node_modules/.roadcomb-lock
fi
"$root/bin/roadcomb" query --data "$out/datasets" --format csv "SELECT frame_id, hex(ST_AsWKB(geometry)) FROM frames" | tail -n +2 > "$work/frames.csv"
# The tables lose a file and get it again, so that what readers see has been changed by commits.
node -e 'const fs = require("fs"), s = JSON.parse(fs.readFileSync(process.argv[1])); for (const d of Object.values(s.datasets)) d.files = d.files.slice(1); fs.mkdirSync(process.argv[2], {recursive: true}); fs.writeFileSync(process.argv[2] + "/snapshot.json", JSON.stringify(s))' "$out/datasets/snapshot.json" "$work/older"
cp "$out/datasets/snapshot.json" "$work/newest.json"
"$root/bin/roadcomb-iceberg" --data "$out/datasets" >/dev/null
cp "$work/older/snapshot.json" "$out/datasets/snapshot.json"
"$root/bin/roadcomb-iceberg" --data "$out/datasets" >/dev/null
cp "$work/newest.json" "$out/datasets/snapshot.json"
if "$root/bin/roadcomb-iceberg" --data "$out/datasets" --key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= >/dev/null 2>&1; then
  echo "datasets: roadcomb-iceberg takes a snapshot that another signed"; exit 1
fi
"$root/bin/roadcomb-iceberg" --data "$out/datasets" --key "$public" >/dev/null
"$work/venv/bin/python" engines.py "$out/datasets" "$work/ours.csv" "$work/sums.csv" "$work/frames.csv"
n=0
for f in $(find "$out/datasets/"{frames,observations,drives,cells,features} -name '*.parquet' 2>/dev/null); do
  "$work/venv/bin/geoparquet-validator" check "$f" > "$work/validator.log" 2>&1 || { cat "$work/validator.log"; echo "datasets: not GeoParquet: $f"; exit 1; }
  n=$((n + 1))
done
[ $n -ge 4 ] || { echo "datasets: only $n files with a geometry"; exit 1; }
echo "datasets: geoparquet-validator finds $n files conformant to GeoParquet 1.1, coverings included"
if command -v java >/dev/null; then
  if ! cmp -s requirements-spark.txt "$work/venv/.roadcomb-spark"; then # of PyPI, which has its source alone
    "$work/venv/bin/pip" install -q --disable-pip-version-check --no-binary=pyspark -r requirements-spark.txt && cp requirements-spark.txt "$work/venv/.roadcomb-spark"
  fi
  timeout 500 "$work/venv/bin/python" engines.py "$out/datasets" "$work/ours.csv" "$work/sums.csv" "$work/frames.csv" spark 2>"$work/spark.log" || { tail -n 20 "$work/spark.log"; exit 1; }
else
  echo "datasets: no Java here; not checked with Spark"
fi
node readers.mjs "$out/datasets" "$work/ours.csv" "$work/sums.csv"
if command -v ogrinfo >/dev/null && ogrinfo --formats 2>/dev/null | grep -qi '^ *parquet'; then
  f=$(find "$out/datasets/frames" -name '*.parquet' | sed -n 1p)
  ogrinfo -so "$f" "$(basename "$f" .parquet)" | grep -q 'Geometry: Point' || { echo "datasets: GDAL does not see points in $f"; exit 1; }
  echo "datasets: GDAL $(gdalinfo --version | cut -d' ' -f2 | tr -d ,) reads frames as points"
else
  echo "datasets: no GDAL with a Parquet driver here; not checked with it"
fi
