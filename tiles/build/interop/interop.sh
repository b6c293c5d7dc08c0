#!/usr/bin/env bash
# The built archives as pmtiles.js and Mapbox's own decoder from npm see them.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund --silent
go test -count=1 .
