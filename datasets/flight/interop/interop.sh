#!/usr/bin/env bash
# Asks a server of ours with the ADBC Flight SQL driver, with pyarrow over HTTP and, where Java and Maven are, with Arrow's JDBC driver
# (in sqlline), and compares with pyarrow on the files.
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
if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then
  echo "flight: no Java or no Maven here; not checked over JDBC"; exit 0
fi
jars=("$work/jars/flight-sql-jdbc-driver-18.3.0.jar" "$work/jars/sqlline-1.12.0-jar-with-dependencies.jar")
if [ ! -s "${jars[0]}" ] || [ ! -s "${jars[1]}" ]; then
  for artifact in org.apache.arrow:flight-sql-jdbc-driver:18.3.0 sqlline:sqlline:1.12.0:jar:jar-with-dependencies; do
    (cd "$work" && mvn -q -B dependency:copy -Dartifact="$artifact" -DoutputDirectory="$work/jars" >/dev/null) || { echo "flight: the JDBC driver cannot be installed here (Maven); skipped"; exit 0; }
  done
fi
# jdbc KEY SQL prints the answer as CSV; errors go to stderr, with the words of loggers.
jdbc() {
  java --add-opens=java.base/java.nio=ALL-UNNAMED -cp "${jars[0]}:${jars[1]}" sqlline.SqlLine --silent=true --outputformat=csv -d org.apache.arrow.driver.jdbc.ArrowFlightJdbcDriver \
    -u "jdbc:arrow-flight-sql://${flight#grpc://}?useEncryption=false&user=me&password=$1" -n me -p "$1" -e "$2"
}
jdbc key "SELECT frame_id, h3, h3_hex(h3) AS hex, quality_ppm, epoch_us(captured_at) AS at FROM observations" > "$work/jdbc.csv" 2> "$work/jdbc.log" || { tail -n 20 "$work/jdbc.log"; exit 1; }
"$work/venv/bin/python" - "$work/jdbc.csv" "$file" <<'EOF'
import csv, sys
import pyarrow.parquet as pq
rows = list(csv.DictReader(open(sys.argv[1]), quotechar="'"))
got = sorted((r["frame_id"], int(r["h3"]), r["hex"], int(r["quality_ppm"]), int(r["at"])) for r in rows)
t = pq.read_table(sys.argv[2])
want = sorted(zip(t["frame_id"].to_pylist(), t["h3"].to_pylist(), t["h3_hex"].to_pylist(), t["quality_ppm"].to_pylist(), t["captured_at"].cast("int64").to_pylist()))
if got != want:
    sys.exit(f"flight: JDBC gives {len(got)} rows, want {len(want)}; the first that differ: {next(((a, b) for a, b in zip(got, want) if a != b), None)}")
print(f"flight: Arrow's JDBC driver agrees with the files on {len(got)} rows")
EOF
for bad in "key|DROP TABLE observations|only SELECT is allowed" "nobody|SELECT 1|the key is not known"; do
  IFS='|' read -r key sql want <<< "$bad"
  { jdbc "$key" "$sql" 2>&1 || true; } | grep -q "$want" || { echo "flight: over JDBC, $sql was not refused with \"$want\""; exit 1; }
done
