#!/bin/sh
# Prints the path of promtool, which checks alerts and metrics: $PROMTOOL, else the one on the PATH, else that of Debian's package
# `prometheus`, unpacked into the cache folder. Needs neither root nor an installation; elsewhere than on Debian, install it.
# The one thing that is fetched and not pinned by a hash of ours: a release of Debian keeps only the newest version of a package, so a pinned one
# would be gone after its next update. What stands for it is the signature of Debian, which apt-get checks.
set -eu

if [ -n "${PROMTOOL:-}" ]; then
    echo "$PROMTOOL"
    exit 0
fi
if command -v promtool; then
    exit 0
fi
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}
promtool=$cache/prometheus/usr/bin/promtool
if [ ! -x "$promtool" ]; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
        echo "promtool.sh: there is no promtool: install Prometheus, or set PROMTOOL" >&2
        exit 1
    }
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/prometheus-new.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    (cd "$new" && { apt-get -qq download prometheus || { apt-get -qq update && apt-get -qq download prometheus; }; } >&2 && dpkg-deb -x prometheus_*.deb root) || {
        echo "promtool.sh: apt-get could not download the package prometheus: install it, or set PROMTOOL" >&2
        exit 1
    }
    mv -T "$new/root" "$cache/prometheus" 2>/dev/null || [ -x "$promtool" ]
fi
echo "$promtool"
