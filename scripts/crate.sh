#!/usr/bin/env bash
# Builds a program from crates.io into a new FOLDER: `crate.sh NAME VERSION SHA256 FOLDER`. SHA256 is that of the crate; its own Cargo.lock
# has the hashes of all others, and --locked keeps to them.
set -euo pipefail

name=$1 version=$2 sha256=$3 folder=$4
cargo=${CARGO:-cargo}

fail() {
    echo "crate.sh: $*" >&2
    exit 1
}

work=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$work"' EXIT
# `cargo install` takes no hash. It does hold what it downloads against the registry's index, so ask first what that says: cargo puts
# it into the lock of whoever depends on the crate.
mkdir -p "$work/asked/src"
touch "$work/asked/src/lib.rs"
printf '[package]\nname = "asked"\nedition = "2021"\n\n[dependencies]\n%s = "=%s"\n\n[workspace]\n' "$name" "$version" >"$work/asked/Cargo.toml"
"$cargo" generate-lockfile --quiet --manifest-path "$work/asked/Cargo.toml" >&2 || fail "cargo found no $name $version on crates.io: it says why above"
said=$(awk -v name="name = \"$name\"" '$0 == name { is_it = 1 } is_it && /^checksum/ { gsub(/"/, "", $3); print $3; exit }' "$work/asked/Cargo.lock")
[[ $said == "$sha256" ]] ||
    fail "$name $version is not the crate that was pinned: its SHA-256 is ${said:-not known}, not $sha256. It is not built"
"$cargo" install --quiet --locked --root "$work/root" --target-dir "$work/target" "$name@$version" >&2 || fail "cargo could not build $name $version: it says why above"
mv -T "$work/root" "$folder" 2>/dev/null || [[ -d $folder/bin ]] || fail "cannot write $folder"
