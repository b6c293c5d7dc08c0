#!/bin/sh
# Compiles the contracts and makes their Go bindings. Needs Node; Go builds use the committed result and need none of it.
set -eu
cd "$(dirname "$0")"
(cd contracts && npm ci --ignore-scripts --no-audit --no-fund && node build.mjs)
for n in RewardToken RewardDistributor; do
  pkg=$(echo $n | tr 'A-Z' 'a-z')
  mkdir -p bindings/$pkg
  go run github.com/ethereum/go-ethereum/cmd/abigen --v2 --abi contracts/abi/$n.abi --bin contracts/abi/$n.bin \
    --pkg $pkg --type $n --out bindings/$pkg/$pkg.go
done
