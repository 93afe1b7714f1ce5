#!/bin/sh
# Prints a folder with what the package-lock.json in FOLDER says: `node-modules.sh FOLDER`. It is installed into the cache folder
# at the first call (some seconds) and only looked up afterwards; nothing is written into the checkout, and no script of a
# package runs. Exit status 3, with the reason: there is no Node, no npm, or an old one.
set -eu

# What the AWS SDK needs.
NODE_MIN=20

lack() {
    echo "node-modules.sh: $*" >&2
    exit 3
}

command -v node >/dev/null || lack "there is no node: install Node.js $NODE_MIN or newer"
command -v npm >/dev/null || lack "there is node, but no npm: install it"
version=$(node --version)
major=${version#v}
[ "${major%%.*}" -ge "$NODE_MIN" ] || lack "node is $version: install Node.js $NODE_MIN or newer"

cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}
mark=$( (cat "$1/package.json" "$1/package-lock.json"; echo "$version") | cksum | cut -d ' ' -f 1)
modules=$cache/node-$mark/node_modules

# The folder gets its name when it is complete, so what is there is whole.
if [ ! -d "$modules" ]; then
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/node-new.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    echo "node-modules.sh: installing into $cache/node-$mark" >&2
    mkdir "$new/node"
    cp "$1/package.json" "$1/package-lock.json" "$new/node"
    (cd "$new/node" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error >&2) || {
        echo "node-modules.sh: npm could not install what $1/package-lock.json says: is there a way to the npm registry?" >&2
        exit 1
    }
    # -T: never into a folder that another caller has put there in the meantime, which is then as good as this one.
    mv -T "$new/node" "$cache/node-$mark" 2>/dev/null || [ -d "$modules" ] || {
        echo "node-modules.sh: cannot write $cache/node-$mark" >&2
        exit 1
    }
fi
echo "$modules"
