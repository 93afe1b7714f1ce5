#!/usr/bin/env bash
# Builds what is measured and measures it: see benches/README.md. Arguments go to the benchmark.
#
#   MESSAGES=200000   messages a run
#   WARM_UP=20000     messages of a first run that does not count
#   RUNS=1            runs; of several, medians are shown
#   PROFILE=dist      `release` builds faster and measures code that is not shipped
#   PEERS=1           also what people use today (benches/peers): fetched from PyPI and npm
set -euo pipefail
cd "$(dirname "$0")/.."

# An assignment of its own ends the script when the command fails, `export MONGOD=$(...)` would not.
MONGOD=$(scripts/mongod.sh)
export MONGOD

# Prints a folder that has the modules and scripts of the peers that run on Node.
peers_node() {
    command -v node >/dev/null && command -v npm >/dev/null || return 1
    local cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}
    local folder
    folder=$cache/peers-$(cksum <benches/peers/package.json | cut -d ' ' -f 1)
    mkdir -p "$folder"
    cp benches/peers/package.json benches/peers/*.mjs "$folder"
    (cd "$folder" && npm install --silent --no-package-lock --ignore-scripts --no-audit --no-fund >&2) || return 1
    echo "$folder"
}

case ${PEERS:-} in
'' | 0 | false) ;;
*)
    # What cannot be fetched is told as NOT RUN.
    PEERS_PYTHON=$(scripts/python.sh mq-bridge==1.2.0) || PEERS_PYTHON=''
    PEERS_NODE=$(peers_node) || PEERS_NODE=''
    export PEERS_PYTHON PEERS_NODE
    ;;
esac

exec "${CARGO:-cargo}" bench --locked --profile "${PROFILE:-dist}" --bench "${BENCH:-unload}" -- "$@"
