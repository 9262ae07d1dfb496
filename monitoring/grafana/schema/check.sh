#!/bin/sh
# Hold the dashboards (or the files given) against the JSON Schema of Grafana's own types. Needs node >= 20 and npm.
# The tools go to .venv/dashboard-schema, not into the tree.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work="$root/.venv/dashboard-schema"
check="$root/.venv/bin/check-jsonschema"

command -v npm >/dev/null || { echo "check.sh: npm is needed to derive the schema of dashboards" >&2; exit 2; }
[ -x "$check" ] || { echo "check.sh: $check is missing: run \`make test\` once" >&2; exit 2; }

if ! cmp -s "$here/package-lock.json" "$work/installed"; then
    rm -rf "$work"
    mkdir -p "$work"
    cp "$here/package.json" "$here/package-lock.json" "$work/"
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    # The top-level type has optional fields of plugins: additional properties are theirs.
    "$work/node_modules/.bin/ts-json-schema-generator" --type Dashboard --additional-properties --no-type-check \
        --path "$work/node_modules/@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen.d.ts" \
        --out "$work/dashboard.schema.json"
    cp "$here/package-lock.json" "$work/installed"
fi

[ $# -gt 0 ] || set -- "$here"/../dashboards/*.json
exec "$check" --schemafile "$work/dashboard.schema.json" "$@"
