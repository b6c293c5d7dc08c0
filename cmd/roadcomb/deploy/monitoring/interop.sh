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
# Prometheus reads each query of the dashboard, as a rule that would record it.
rules=$(mktemp); trap 'rm -rf "${dir:-}" "$rules"' EXIT
node -e '
  const board = JSON.parse(require("fs").readFileSync("grafana.json", "utf8"));
  const rules = board.panels.flatMap((p) => p.targets.map((t) => ({ record: "panel:query", labels: { panel: p.title }, expr: t.expr.replaceAll("$__rate_interval", "5m") })));
  if (rules.length < 10) throw new Error("the dashboard asks for little");
  console.log(JSON.stringify({ groups: [{ name: "dashboard", rules }] }));' >"$rules"
"$tool" check rules --lint=none "$rules"
