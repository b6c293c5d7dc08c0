#!/bin/bash
# The reward tree against @openzeppelin/merkle-tree from npm: the same bytes, roots and proofs.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund --silent
ROADCOMB_INTEROP=required go test -count=1 -run Interop ../merkle
