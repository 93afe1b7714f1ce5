#!/usr/bin/env bash
# Builds what a release hands out, into dist/: an archive with the stripped binary, its man pages, completions, configuration and unit
# file; a bill of materials of what is in the binary (CycloneDX); and the checksums of both. DIST_PROFILE is another profile, for a try.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo="${CARGO:-cargo}"
profile="${DIST_PROFILE:-dist}"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)"
target="$(rustc -vV | sed -n 's/^host: //p')"
name="longshore-$version-$target"
# The same source makes the same archive: every time in it is that of the commit.
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct 2>/dev/null || echo 0)"
export SOURCE_DATE_EPOCH

# No path of this machine gets into the binary. A folder of its own, or other builds would be thrown away over the flags.
build="$(realpath -m "${CARGO_TARGET_DIR:-target}/shipped")"
# AWS_LC_SYS_USE_SYSTEM=0: of TLS what Cargo.lock names, whatever is installed here.
AWS_LC_SYS_USE_SYSTEM=0 RUSTFLAGS="--remap-path-prefix=$PWD=. --remap-path-prefix=$build=target --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
    "$cargo" build --locked --profile "$profile" --no-default-features --features edit,grpc,srv,sso --target-dir "$build"
folder="$profile"
[ "$profile" != dev ] || folder=debug
program="$build/$folder/longshore"

rm -rf dist
mkdir -p "dist/$name"/{completions,man/man1}
strip -o "dist/$name/longshore" "$program"
if grep -aqF -e "$PWD/" -e "$build/" -e "${CARGO_HOME:-$HOME/.cargo}/" "dist/$name/longshore"; then
    echo 'dist: a path of this machine is in the binary' >&2
    exit 1
fi
for shell in bash zsh fish; do "$program" completions "$shell" >"dist/$name/completions/longshore.$shell"; done
"$program" man --out "dist/$name/man/man1"
cp -r README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE config docs "dist/$name/"
cp deploy/systemd/longshore.service "dist/$name/"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C dist -c "$name" | gzip -9n >"dist/$name.tar.gz"
rm -r "dist/${name:?}"

# Of the crate graph as it was built: no parts for development, none for other systems.
cyclonedx="$(scripts/cargo-cyclonedx.sh)"
PATH="$(dirname "$cyclonedx"):$PATH" "$cargo" cyclonedx --quiet --format json --spec-version 1.5 --no-default-features --features edit,grpc,srv,sso --target "$target" \
    --override-filename "$name.cdx"
# The crate itself is named by its place on this machine.
sed "s#path+file://$PWD#path+file:///longshore#g" "$name.cdx.json" >"dist/$name.cdx.json"
rm "$name.cdx.json"
(cd dist && sha256sum -- * >SHA256SUMS)

ls -l dist | awk 'NR > 1 { print "dist: " $9 ", " $5 " bytes" }'
