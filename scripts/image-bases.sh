#!/usr/bin/env bash
# Makes stand-ins for the two base images of the Dockerfile, under their own names, where no registry can be reached: from Debian's
# packages and from this machine's Rust. Needs root, Debian, buildah and debootstrap. Nobody else needs it: `make image` asks the registries.
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    echo "image-bases: $*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || die 'needs root, for debootstrap'
for tool in buildah debootstrap apt-get dpkg-deb rustc; do
    command -v "$tool" >/dev/null || die "no $tool: apt-get install buildah debootstrap"
done

# The names as the Dockerfile has them, so that there is one place for each.
base() {
    sed -n "s/^ARG $1=//p" Dockerfile
}
builder="$(base BUILDER)"
runtime="$(base RUNTIME)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# A root file system becomes an image of that name.
image() {
    local container
    container="$(buildah from scratch)"
    buildah add --quiet "$container" "$2" / >/dev/null
    buildah config "${@:3}" "$container"
    buildah commit --quiet --rm "$container" "$1" >/dev/null
    echo "image-bases: $1"
}

if ! buildah inspect --type image "$builder" >/dev/null 2>&1; then
    debootstrap --variant=minbase --include=gcc,libc6-dev,make,ca-certificates bookworm "$work/builder" >"$work/log" 2>&1 \
        || { tail -5 "$work/log" >&2; die 'debootstrap failed'; }
    rm -rf "$work"/builder/var/cache/apt/archives/*.deb "$work"/builder/var/lib/apt/lists/* "$work"/builder/usr/share/{doc,man,locale}
    mkdir -p "$work/builder/usr/local/rust"
    cp -a "$(rustc --print sysroot)"/{bin,lib} "$work/builder/usr/local/rust/"
    # It trusts what this machine trusts: there may be a proxy with a certificate of its own. The image that runs does not.
    cp /etc/ssl/certs/ca-certificates.crt "$work/builder/etc/ssl/certs/"
    image "$builder" "$work/builder" --env PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        --env CARGO_HOME=/usr/local/cargo
fi

if ! buildah inspect --type image "$runtime" >/dev/null 2>&1; then
    # What distroless puts into this image: the C library, certificates of authorities, time zones, names of protocols.
    root="$work/runtime"
    mkdir -p "$work/debs" "$root/etc/ssl/certs" "$root/tmp"
    (cd "$work/debs" && apt-get -qq -o APT::Sandbox::User=root download libc6 ca-certificates tzdata netbase base-files)
    for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$root"; done
    rm -rf "$root"/usr/share/{man,locale,lintian} "$root"/usr/sbin
    cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
    printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    chmod 1777 "$root/tmp"
    image "$runtime" "$root" --user 65532:65532 --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt --workingdir /
fi
