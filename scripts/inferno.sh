#!/usr/bin/env bash
# Prints the folder of inferno's programs, which draw flame graphs: $INFERNO, else that of those on the PATH, else one that cargo fills in the
# cache folder (a minute, once).
set -euo pipefail

version=0.12.8
sha256=0c460d4fa06223667240720ab69a8045133755ae6dfbe100cf481b95e3a014f1
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

if [[ -n ${INFERNO:-} ]]; then
    echo "$INFERNO"
    exit
fi
if there=$(command -v inferno-flamegraph); then
    dirname "$there"
    exit
fi

home=$cache/inferno-$version-${sha256:0:8}
if [[ ! -x $home/bin/inferno-flamegraph ]]; then
    mkdir -p "$cache"
    "$(dirname "$0")/crate.sh" inferno "$version" "$sha256" "$home" || {
        echo "inferno.sh: there is no inferno $version: install it, or set INFERNO" >&2
        exit 1
    }
fi
echo "$home/bin"
