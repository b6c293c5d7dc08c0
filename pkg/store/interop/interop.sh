#!/usr/bin/env bash
# The behaviour of an S3 server that roadcomb relies on, held against a second implementation: rclone's, over a folder.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
mkdir -p "$root/.setup"
(cd rclone && GOWORK=off go build -o "$root/.setup/rclone-s3" .)
dir=$(mktemp -d)
pid=
stop() { [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"; }
trap stop EXIT
mkdir "$dir/objects"
port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
RCLONE_CONFIG=/dev/null "$root/.setup/rclone-s3" serve s3 --addr "127.0.0.1:$port" --auth-key outside,outside-secret --vfs-cache-mode off "$dir/objects" >"$dir/log" 2>&1 &
pid=$!
for _ in $(seq 100); do
  curl -s -o /dev/null "http://127.0.0.1:$port/" && break
  kill -0 "$pid" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
  sleep 0.1
done
export ROADCOMB_TEST_S3="http://outside:outside-secret@127.0.0.1:$port"
go test -count=1 "$root/pkg/store" || { tail -n 20 "$dir/log" >&2; exit 1; }
# And a whole network over it and Debian's PostgreSQL: separate processes, two workers replaced under way.
"$root/.ci/with-postgres" go test -count=1 "$root/cmd/roadcomb" -run 'TestSeparateProcessesShareOneNetwork$' || { tail -n 20 "$dir/log" >&2; exit 1; }
