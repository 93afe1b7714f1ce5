#!/usr/bin/env bash
# Makes the locks of what is fetched anew: `locks.sh [NAME...]`, all of them where no NAME is given. UPGRADE=1 takes the newest of what only
# others ask for; without it, a version that still fits stays. Needs a way to PyPI and crates.io, and to npm's registry where npm is here.
#
#   scripts/python/NAME.in       -> NAME.txt             an environment of Python, for scripts/python.sh
#   scripts/wheels/NAME.in       -> NAME.txt             one wheel that carries a program, for scripts/wheel.sh
#   tests/chart and others       package.json -> package-lock.json
#   fuzz                         Cargo.toml   -> Cargo.lock, with the crates of the worker in the versions that it has
#
# No address of a package index gets into a lock: a hash is as good from a mirror.
set -euo pipefail
cd "$(dirname "$0")/.."

# The oldest Python that the locks are for; scripts/python.sh refuses an older one.
PYTHON_MIN=3.11
# Folders of packages for Node.
NODE=(tests/chart benches/peers examples/node)

upgrade=()
[[ -z ${UPGRADE:-} ]] || upgrade=(--upgrade)
chosen=("$@")
is_chosen() {
    ((${#chosen[@]} == 0)) || [[ " ${chosen[*]} " == *" $1 "* ]]
}
made=0
not_made=0

python=$(scripts/python.sh locks)
# For every system and every Python from PYTHON_MIN on, and of wheels alone: what runs code of its own to be built is not taken.
compile() {
    UV_CUSTOM_COMPILE_COMMAND='make locks' "$python" -m uv pip compile --quiet --no-config --universal --python-version "$PYTHON_MIN" --generate-hashes \
        --only-binary :all: --no-emit-index-url --no-emit-find-links "${upgrade[@]}" "${@:2}" "$1.in" --output-file "$1.txt" >/dev/null
    echo "locks: $1.txt"
}
for folder in python wheels; do
    options=()
    [[ $folder != wheels ]] || options=(--no-deps)
    for file in scripts/"$folder"/*.in; do
        name=$(basename "$file" .in)
        is_chosen "$name" || continue
        # From there, so that the comments of a lock name no folders.
        (cd "scripts/$folder" && compile "$name" "${options[@]}")
        made=$((made + 1))
    done
done

for folder in "${NODE[@]}"; do
    is_chosen "$folder" || continue
    if ! command -v npm >/dev/null; then
        echo "locks: NOT MADE: $folder (no npm)" >&2
        not_made=$((not_made + 1))
        continue
    fi
    [[ -z ${UPGRADE:-} ]] || rm -f "$folder/package-lock.json"
    npm install --prefix "$folder" --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --silent --no-audit --no-fund
    echo "locks: $folder/package-lock.json"
    made=$((made + 1))
done
if is_chosen fuzz; then
    cp Cargo.lock fuzz/
    "${CARGO:-cargo}" metadata --manifest-path fuzz/Cargo.toml --format-version 1 --quiet >/dev/null
    echo 'locks: fuzz/Cargo.lock'
    made=$((made + 1))
fi
((made + not_made > 0)) || { echo "locks: there is no $*: see scripts/python, scripts/wheels and the folders ${NODE[*]} fuzz" >&2; exit 1; }
# What was asked for by name, and no other lock beside it.
((made > 0)) || exit 1
