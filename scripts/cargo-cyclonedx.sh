#!/usr/bin/env bash
# Prints the path of cargo-cyclonedx, which makes the bill of materials of a release: $CARGO_CYCLONEDX, else the one on the PATH, else one
# that cargo builds into the cache folder (three minutes, once).
set -euo pipefail

version=0.5.9
sha256=5d162f67705f0f5038759d73bf546a083bf30e8677c2e944b416bca48d9d69a8
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

if [[ -n ${CARGO_CYCLONEDX:-} ]]; then
    echo "$CARGO_CYCLONEDX"
    exit
fi
if command -v cargo-cyclonedx; then
    exit
fi

home=$cache/cargo-cyclonedx-$version-${sha256:0:8}
if [[ ! -x $home/bin/cargo-cyclonedx ]]; then
    mkdir -p "$cache"
    "$(dirname "$0")/crate.sh" cargo-cyclonedx "$version" "$sha256" "$home" || {
        echo "cargo-cyclonedx.sh: there is no cargo-cyclonedx $version: install it, or set CARGO_CYCLONEDX" >&2
        exit 1
    }
fi
echo "$home/bin/cargo-cyclonedx"
