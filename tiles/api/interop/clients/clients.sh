#!/usr/bin/env bash
# clients.sh URL KEY LON LAT: lints the OpenAPI document of the whole API and the one that URL serves, generates a Go and a
# TypeScript client from the latter, and runs the examples of the documentation with them. Prints one line of JSON of each
# example.
set -euo pipefail
url=$1 key=$2 lon=$3 lat=$4
cd "$(dirname "$0")"
[ -d node_modules/openapi-typescript ] || npm ci --ignore-scripts --no-audit --no-fund --silent
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
curl -fsS "$url/v1/openapi.json" -o "$tmp/openapi.json"
(cd ../../../.. && bin/roadcomb openapi) >"$tmp/whole.json"
REDOCLY_TELEMETRY=off node_modules/.bin/redocly lint --config redocly.yaml --format summary "$tmp/openapi.json" "$tmp/whole.json" >"$tmp/lint" 2>&1 || { cat "$tmp/lint" >&2; exit 1; }

mkdir "$tmp/ts" "$tmp/go" "$tmp/go/roadcomb"
node_modules/.bin/openapi-typescript "$tmp/openapi.json" -o "$tmp/ts/api.d.ts" >/dev/null
cp client.ts package.json "$tmp/ts"
ln -s "$PWD/node_modules" "$tmp/ts/node_modules"
node_modules/.bin/tsc --strict --target es2022 --module nodenext --skipLibCheck "$tmp/ts/client.ts"
node "$tmp/ts/client.js" "$url" "$key" "$lon" "$lat"

# oapi-codegen reads OpenAPI 3.0, which the server gives too.
curl -fsS "$url/v1/openapi-3.0.json" -o "$tmp/go/openapi.json"
sed "1,2d" go/main.go >"$tmp/go/main.go" # without the line that keeps it out of this module
cd "$tmp/go"
printf 'module example.org/client\n\ngo 1.24\n' >go.mod
go get -tool github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.5.0 >/dev/null 2>&1
go get github.com/oapi-codegen/runtime@v1.1.2 >/dev/null 2>&1
go tool oapi-codegen -generate types,client -package roadcomb -o roadcomb/client.go openapi.json
go run . "$url" "$key" "$lon" "$lat"
