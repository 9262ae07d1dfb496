#!/bin/sh
# Take pictures of the dashboards with the data of a running Prometheus: look.py --help. Needs node >= 20, npm and Chromium.
# Grafana's components go to .venv/dashboard-preview, not into the tree; they take 600 MB.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work="$root/.venv/dashboard-preview"

command -v npm >/dev/null || { echo "look.sh: npm is needed to install Grafana's components" >&2; exit 2; }

if ! cmp -s "$here/package-lock.json" "$work/installed"; then
    rm -rf "$work"
    mkdir -p "$work"
    cp "$here/package.json" "$here/package-lock.json" "$work/"
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp "$here/package-lock.json" "$work/installed"
fi
node "$here/build.mjs" "$here" "$work/node_modules" "$work"
exec "$root/.venv/bin/python" "$here/look.py" --script "$work/preview.js" "$@"
