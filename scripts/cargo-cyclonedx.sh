#!/usr/bin/env bash
# Prints the path of cargo-cyclonedx, which makes the bill of materials of a release: $CARGO_CYCLONEDX, else the one on the PATH, else one
# that cargo builds into the cache folder (three minutes, once).
set -euo pipefail

version=0.5.9
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

if [[ -n ${CARGO_CYCLONEDX:-} ]]; then
    echo "$CARGO_CYCLONEDX"
    exit
fi
if command -v cargo-cyclonedx; then
    exit
fi

home=$cache/cargo-cyclonedx-$version
if [[ ! -x $home/bin/cargo-cyclonedx ]]; then
    mkdir -p "$cache"
    build=$(mktemp -d "$cache/cargo-cyclonedx-new.XXXXXX")
    trap 'rm -rf "$build"' EXIT
    "${CARGO:-cargo}" install --quiet --locked --root "$build/home" --target-dir "$build/target" "cargo-cyclonedx@$version" >&2 || {
        echo "cargo-cyclonedx.sh: cargo could not build cargo-cyclonedx $version" >&2
        exit 1
    }
    mv -T "$build/home" "$home" 2>/dev/null || [[ -x $home/bin/cargo-cyclonedx ]]
fi
echo "$home/bin/cargo-cyclonedx"
