#!/usr/bin/env bash
# Fuzzes each target (or those that are named) for MINUTES, beginning with the corpus that is checked in. What is found to
# be new is kept in the cache folder, not in the checkout; what breaks a check is left in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${MINUTES:-1}
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

# The sanitizer and the coverage that libFuzzer is guided by are flags of unstable rustc.
rustup run nightly rustc --version >/dev/null 2>&1 || {
    echo "fuzz.sh: cargo-fuzz needs a nightly compiler: rustup toolchain install nightly (make test runs the same checks without)" >&2
    exit 1
}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || {
    echo "fuzz.sh: MINUTES is $minutes: give whole minutes for each target, 1 or more" >&2
    exit 1
}
fuzz=$(scripts/cargo-fuzz.sh)

targets=("$@")
((${#targets[@]})) || targets=(decode envelope)
for target in "${targets[@]}"; do
    found=$cache/fuzz/$target
    mkdir -p "$found"
    # libFuzzer writes what is new into the first folder. 100 KB is more than any interesting input needs, and then 5 s are far
    # beyond linear time, and 64 MB in one piece (a zstd window is 8 MiB) far beyond linear memory.
    rustup run nightly "$fuzz" run "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time=$((minutes * 60)) -max_len=100000 -timeout=5 -malloc_limit_mb=64 -print_final_stats=1 "-dict=fuzz/$target.dict"
done
