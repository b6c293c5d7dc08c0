#!/usr/bin/env bash
# Holds the alert rules and the scrape settings to Debian's promtool. Its package is unpacked, not installed: the server
# that comes with it would start.
set -euo pipefail
cd "$(dirname "$0")"
tool=$(command -v promtool || true)
if [ -z "$tool" ]; then
  dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
  chmod 755 "$dir" # apt drops its rights to fetch
  (cd "$dir" && apt-get -qq download prometheus && dpkg-deb -x prometheus_*.deb .) || { echo "prometheus is not to be had from Debian's servers" >&2; exit 1; }
  tool=$dir/usr/bin/promtool
fi
"$tool" check config prometheus.yaml
"$tool" test rules alerts_test.yaml
