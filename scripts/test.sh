#!/usr/bin/env bash
# Runs tests against real servers and says how many there were: `test.sh [--long] [arguments of cargo test]`.
# The last line is `N passed, N failed`; the exit status is that of the tests.
#
# A test of the long tail is marked in the code: `#[ignore = "long: make test-long"]`. --long runs those and no others.
#
# By libtest, not nextest: nextest gives each test a process of its own, and here hundreds of tests share the servers of one process.
set -euo pipefail
cd "$(dirname "$0")/.."

LONG_MARK='#[ignore = "long: make test-long"]'
# After so many seconds without a word the script says how far the tests are.
SILENCE_S=20

is_long=false
if [ "${1-}" = --long ]; then
    is_long=true
    shift
fi

# The names of tests that are ignored for another reason than their length: a target of their own runs them, or another test.
ignored_otherwise() {
    find src tests -name '*.rs' -exec awk -v mark="$LONG_MARK" '
        /^ *#\[ignore/ { is_other = !index($0, mark) }
        is_other && match($0, /fn [a-z0-9_]+/) { print substr($0, RSTART + 3, RLENGTH - 3); is_other = 0 }' {} +
}

# Fills long silences with how many tests of the binary that runs have ended.
tell() {
    local before=0 now
    while sleep "$SILENCE_S" >/dev/null 2>&1; do
        now=$(wc -c <"$log")
        if [ "$now" = "$before" ]; then
            awk -v seconds="$SECONDS" '
                /^running [0-9]+ tests?$/ { total = $2; ended = 0 }
                /^test .* \.\.\. /        { ended++ }
                END { if (total) printf "  ... %d of %d tests have ended, %d s so far\n", ended, total, seconds }' "$log"
        fi
        before=$now
    done
}

# Most tests wait for servers most of their time: four at once, even on two processors, take three quarters of the time.
processors=$(getconf _NPROCESSORS_ONLN)
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-$((processors > 4 ? processors : 4))}"

# Fetched before the first test, so that a machine that cannot have them is told so once. An assignment ends the script when
# its command fails, `export X=$(...)` would not. Tests that need Python call the script themselves.
MONGOD=$(scripts/mongod.sh)
export MONGOD
scripts/python.sh >/dev/null

command=("${CARGO:-cargo}" test --locked --no-fail-fast)
if $is_long; then
    # What stands before `--` is for cargo, what stands behind it for the tests.
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        command+=("$1")
        shift
    done
    [ $# = 0 ] || shift
    command+=(-- --ignored)
    others=$(ignored_otherwise)
    for name in $others; do
        command+=(--skip "$name")
    done
fi

log=$(mktemp)
tell &
trap 'kill $! 2>/dev/null || true; rm -f "$log"' EXIT

status=0
"${command[@]}" "$@" | tee "$log" || status=$?

# A binary that died has said how many tests it runs, but has no result line: they all count as failed. What did not build or
# start counts as one.
awk -v status="$status" -v seconds="$SECONDS" '
    /^running [0-9]+ tests?$/ { lost += open; open = $2 }
    /^test result: /          { passed += $4; failed += $6; ignored += $8; open = 0 }
    END {
        lost += open
        failed += lost
        ran = passed + failed
        printf "\nran %d tests in all in %d s", ran, seconds
        print ignored ? ", " ignored " more ignored" : ""
        if (lost) printf "a test binary died: its %d tests count as failed\n", lost
        if (!ran && !status) print "no test ran, which proves nothing"
        if (!ran && ignored) print "what was asked for may be long: make test-long takes the same ARGS"
        if (status && !failed) {
            print "cargo test itself failed: what did not build or start is said above and counts as one failed"
            failed = 1
        }
        printf "%d passed, %d failed\n", passed, failed
        exit !status && !ran
    }' "$log"
exit "$status"
