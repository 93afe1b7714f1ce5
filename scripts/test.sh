#!/usr/bin/env bash
# Runs every test against real servers and says how many there were. Arguments go to `cargo test`.
# The last line is `N passed, N failed`; the exit status is that of the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

# Fetched before the first test, so that a machine that cannot have them is told so once. An assignment ends the script when
# its command fails, `export X=$(...)` would not. Tests that need Python call the script themselves.
MONGOD=$(scripts/mongod.sh)
export MONGOD
scripts/python.sh >/dev/null

log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
"${CARGO:-cargo}" test --locked --no-fail-fast "$@" | tee "$log" || status=$?

# A binary that died has said how many tests it runs, but has no result line: they all count as failed.
awk -v status="$status" '
    /^running [0-9]+ tests?$/ { lost += open; open = $2 }
    /^test result: /          { passed += $4; failed += $6; ignored += $8; open = 0 }
    END {
        lost += open
        failed += lost
        printf "\nran %d tests in all, %d more ignored\n", passed + failed, ignored
        if (lost) printf "a test binary died: its %d tests count as failed\n", lost
        if (status && !failed) print "cargo test itself failed: what did not build or start is said above"
        if (!status && !(passed + failed)) print "no test ran, which proves nothing"
        printf "%d passed, %d failed\n", passed, failed
        exit !status && !(passed + failed)
    }' "$log"
exit "$status"
