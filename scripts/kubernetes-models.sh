#!/usr/bin/env bash
# Prints the node_modules folder that has the types of KEDA and the Prometheus Operator, and a TypeScript to hold objects against them;
# made at the first call, in the cache folder, of what tests/chart/package-lock.json pins by hash. Needs Node 20 or newer with npm.
set -euo pipefail

lock=$(dirname "$0")/../tests/chart
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}
# Another lock is another folder.
home=$cache/kubernetes-models-$(cat "$lock"/package*.json | cksum | cut -d ' ' -f 1)

if [[ ! -d $home/node_modules ]]; then
    command -v npm >/dev/null || { echo 'kubernetes-models.sh: there is no npm: install Node 20 or newer' >&2; exit 1; }
    mkdir -p "$cache"
    fresh=$(mktemp -d "$cache/kubernetes-models.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    cp "$lock"/package*.json "$fresh"
    npm ci --prefix "$fresh" --ignore-scripts --loglevel error --no-audit --no-fund >&2 || {
        echo 'kubernetes-models.sh: npm could not install what tests/chart/package-lock.json pins: it says why above' >&2
        exit 1
    }
    mv -T "$fresh" "$home" 2>/dev/null || [[ -d $home/node_modules ]]
fi
echo "$home/node_modules"
