#!/usr/bin/env bash
# Builds the image as IMAGE (longshore:VERSION unless given), with docker, else with buildah, and says how large it is. Where the
# stand-ins of scripts/image-bases.sh are there, buildah takes them and asks no registry. BUILDER and RUNTIME are other base images than those
# of the Dockerfile, or the same by digest, which it says how to ask for. BUILD_ARGS are handed on.
set -euo pipefail
cd "$(dirname "$0")/.."

version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)"
image="${IMAGE:-longshore:$version}"
arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)")
tags=''
for base in BUILDER RUNTIME; do
    given="${!base:-}"
    if [ -n "$given" ]; then arguments+=(--build-arg "$base=$given"); else given="$(sed -n "s/^ARG $base=//p" Dockerfile)"; fi
    case "$given" in
    *@*)
        # Docker says of a digest that is cut short that the reference is invalid, and not which.
        [[ $given =~ @sha256:[0-9a-f]{64}$ ]] || { echo "image: $base is $given: a digest is NAME@sha256: and 64 hexadecimal digits" >&2; exit 1; } ;;
    *) tags="$tags $given" ;;
    esac
done
[ -z "$tags" ] || echo "image: by tag, so tomorrow it may be another:$tags"
read -ra further <<<"${BUILD_ARGS:-}"
arguments+=("${further[@]}")
archive="$(mktemp -d)"
trap 'rm -rf "$archive"' EXIT

if [ "${BUILDER_TOOL:-}" != buildah ] && docker info >/dev/null 2>&1; then
    docker build --tag "$image" "${arguments[@]}" .
    docker save "$image" | gzip -9 >"$archive/image.gz"
else
    command -v buildah >/dev/null || { echo 'image: neither a running docker nor buildah is here' >&2; exit 1; }
    # The docker format, because that of the OCI has no health check. As root in a container there may be nothing but chroot to run in.
    # Every file has the time 0, so that the same files are the same image.
    buildah bud --format docker --layers --isolation "${BUILDAH_ISOLATION:-chroot}" --pull=missing --timestamp 0 --tag "$image" "${arguments[@]}" .
    buildah push --quiet "$image" "docker-archive:$archive/image.tar"
    gzip -9 "$archive/image.tar"
    mv "$archive/image.tar.gz" "$archive/image.gz"
fi
bytes="$(stat -c %s "$archive/image.gz")"
echo "image: $image, $((bytes / 1000)) kB compressed"
# What is pulled on every new node is waited for.
[ "$bytes" -le 20000000 ] || { echo 'image: more than 20 MB compressed' >&2; exit 1; }
