#!/usr/bin/env bash
# Asks whether an advisory is known for anything that is pinned here: crates (RustSec), packages of Python (PyPI's advisories), and packages
# of npm. For a job that runs on a schedule, where there is a network: an advisory comes without a change of ours, so this does
# not belong into the checks of a change.
#
# All three are asked, whatever the others said. Fails where an advisory is known, and where one of the three could not be asked: silence
# would read as "none".
set -euo pipefail
cd "$(dirname "$0")/.."

# Advisories of packages of Python that do not touch us. Those of crates stand in deny.toml. Each with its reason:
ACCEPTED=()

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=()

# What was said, where it went wrong, and for the last line what that means.
found() {
    failed+=("$1: advisories are known, see above")
}
not_asked() {
    failed+=("$1: NOT ASKED, the database gave no answer, see above")
}

crates() {
    local deny
    deny=$(scripts/cargo-deny.sh) || { not_asked crates; return; }
    for manifest in Cargo.toml fuzz/Cargo.toml; do
        # Both fetched first, so that what is not there is no finding.
        "${CARGO:-cargo}" fetch --quiet --locked --manifest-path "$manifest" && "$deny" --log-level error fetch db || { not_asked "crates of $manifest"; continue; }
        "$deny" --config "$PWD/deny.toml" --log-level error --locked --manifest-path "$manifest" check --hide-inclusion-graph advisories ||
            found "crates of $manifest"
    done
}

python() {
    local python options=() lock
    python=$(scripts/python.sh advisories) || { not_asked 'packages of Python'; return; }
    for id in "${ACCEPTED[@]}"; do options+=(--ignore-vuln "$id"); done
    for lock in scripts/python/*.txt scripts/wheels/*.txt; do
        # --strict: a package that the database does not answer for is an error. --disable-pip: what the lock says, nothing installed.
        "$python" -m pip_audit --strict --require-hashes --disable-pip --progress-spinner off "${options[@]}" --requirement "$lock" >"$work/said" 2>"$work/errors" && continue
        # The table of what was found goes to stdout, all else to stderr.
        echo "$lock:"
        cat "$work/errors" "$work/said"
        if [[ -s $work/said ]]; then found "packages of Python in $lock"; else not_asked "packages of Python in $lock"; fi
    done
}

node() {
    local folder
    command -v npm >/dev/null || { echo 'there is no npm: install Node 20 or newer'; not_asked 'packages of npm'; return; }
    for folder in tests/chart benches/peers; do
        (cd "$folder" && npm audit --package-lock-only --json) >"$work/said" 2>"$work/errors" && continue
        echo "$folder/package-lock.json:"
        cat "$work/errors" "$work/said"
        # A report has a version; an answer that is none has an error.
        if grep -q '"auditReportVersion"' "$work/said"; then found "packages of npm in $folder"; else not_asked "packages of npm in $folder"; fi
    done
}

for part in crates python node; do
    echo "== $part"
    "$part"
done 2>&1

if ((${#failed[@]})); then
    printf 'advisories: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo 'advisories: none is known'
