#!/usr/bin/env bash
# Builds what is measured and measures it: see benches/README.md. Arguments go to the benchmark.
#
#   MESSAGES=200000   messages a run
#   WARM_UP=20000     messages of a first run that does not count
#   RUNS=1            runs; of several, medians are shown
#   PROFILE=dist      `release` builds faster and measures code that is not shipped
set -euo pipefail
cd "$(dirname "$0")/.."

# An assignment of its own ends the script when the command fails, `export MONGOD=$(...)` would not.
MONGOD=$(scripts/mongod.sh)
export MONGOD

exec "${CARGO:-cargo}" bench --locked --profile "${PROFILE:-dist}" --bench "${BENCH:-unload}" -- "$@"
