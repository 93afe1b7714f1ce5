#!/usr/bin/env bash
# Prints the folder of inferno's programs, which draw flame graphs: $INFERNO, else that of those on the PATH, else one that cargo fills in the
# cache folder (a minute, once).
set -euo pipefail

version=0.12.8
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

if [[ -n ${INFERNO:-} ]]; then
    echo "$INFERNO"
    exit
fi
if there=$(command -v inferno-flamegraph); then
    dirname "$there"
    exit
fi

home=$cache/inferno-$version
if [[ ! -x $home/bin/inferno-flamegraph ]]; then
    mkdir -p "$cache"
    build=$(mktemp -d "$cache/inferno-new.XXXXXX")
    trap 'rm -rf "$build"' EXIT
    "${CARGO:-cargo}" install --quiet --locked --root "$build/home" --target-dir "$build/target" "inferno@$version" >&2 || {
        echo "inferno.sh: cargo could not build inferno $version" >&2
        exit 1
    }
    mv -T "$build/home" "$home" 2>/dev/null || [[ -x $home/bin/inferno-flamegraph ]]
fi
echo "$home/bin"
