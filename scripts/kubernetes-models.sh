#!/usr/bin/env bash
# Prints the node_modules folder that has the types of KEDA and the Prometheus Operator, and a TypeScript to hold objects against them;
# made at the first call, in the cache folder. Needs Node 20 or newer with npm.
set -euo pipefail

packages=(kubernetes-models@5.1.0 @kubernetes-models/keda@2.0.0 @kubernetes-models/prometheus-operator@6.0.0 typescript@7.0.2)
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}
home=$cache/kubernetes-models-$(cksum <<<"${packages[*]}" | cut -d ' ' -f 1)

if [[ ! -d $home/node_modules ]]; then
    command -v npm >/dev/null || { echo 'kubernetes-models.sh: there is no npm: install Node 20 or newer' >&2; exit 1; }
    mkdir -p "$cache"
    fresh=$(mktemp -d "$cache/kubernetes-models.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    npm install --prefix "$fresh" --silent --no-audit --no-fund "${packages[@]}" >&2 || {
        echo 'kubernetes-models.sh: npm could not install the types' >&2
        exit 1
    }
    mv -T "$fresh" "$home" 2>/dev/null || [[ -d $home/node_modules ]]
fi
echo "$home/node_modules"
