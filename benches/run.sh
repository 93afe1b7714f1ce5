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

# Prints a folder that has the modules and scripts of the peer that runs on Node.
peers_node() {
    command -v node >/dev/null && command -v npm >/dev/null || { echo 'no Node here' >&2 && return 1; }
    # What mongodb asks for.
    node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' ||
        { echo 'Node is older than 20.19' >&2 && return 1; }
    local cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}
    local folder
    folder=$cache/peers-$(cat benches/peers/package*.json | cksum | cut -d ' ' -f 1)
    mkdir -p "$folder"
    cp benches/peers/package*.json benches/peers/*.mjs "$folder"
    (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund) >&2 || { echo 'npm ci failed' >&2 && return 1; }
    echo "$folder"
}

# Sets NAME to what the command prints, or NAME_MISSING to the last that it says.
fetch() {
    local name=$1 said
    shift
    said=$(mktemp)
    if printf -v "$name" %s "$("$@" 2>"$said")" && [ -n "${!name}" ]; then
        export "${name?}"
    else
        export "${name}_MISSING=$(tail -n 1 "$said")"
    fi
    rm -f "$said"
}

case ${PEERS:-} in
'' | 0 | false) ;;
*)
    fetch PEERS_BOTO3 scripts/python.sh
    fetch PEERS_MQ_BRIDGE scripts/python.sh peers
    fetch PEERS_NODE peers_node
    ;;
esac

exec "${CARGO:-cargo}" bench --locked --profile "${PROFILE:-dist}" --bench "${BENCH:-unload}" -- "$@"
