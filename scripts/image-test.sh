#!/usr/bin/env bash
# Looks into the image (IMAGE, as `make image` names it) and runs it: its worker unloads the portal's load from an SQS server on this
# machine into a MongoDB on it, is stopped and killed on the way, and is asked for its health. The tests are those of the worker, with the program
# in the image instead of the one in the build folder: on a read-only root, as the image's user, without capabilities.
# Needs root, Linux and buildah.
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    echo "image-test: $*" >&2
    exit 1
}
for tool in buildah unshare setpriv python3; do command -v "$tool" >/dev/null || die "no $tool: apt-get install buildah util-linux"; done

version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)"
image="${IMAGE:-longshore:$version}"
buildah inspect --type image "$image" >/dev/null 2>&1 || die "there is no image $image: make image"
work="$(mktemp -d)"
container="$(buildah from --pull-never "$image")"
trap 'buildah rm "$container" >/dev/null; rm -rf "$work"' EXIT
root="$(buildah mount "$container")"

# What the image says of itself.
buildah inspect --type image "$image" | python3 -c '
import json, sys
image = json.load(sys.stdin)["Docker"]["config"]
expected = {
    "User": "65532:65532", "Entrypoint": ["/usr/local/bin/longshore"], "Cmd": ["run"], "StopSignal": "SIGTERM",
    "ExposedPorts": {"9690/tcp": {}},
}
for key, value in expected.items():
    assert image[key] == value, f"{key} is {image[key]}"
assert image["Healthcheck"]["Test"] == ["CMD", "/usr/local/bin/longshore", "check", "--live"], image["Healthcheck"]
labels = image["Labels"]
for name in ("title", "description", "licenses", "version", "revision"):
    assert labels["org.opencontainers.image." + name] not in ("", "dev", "unknown"), labels
'
# What is in it: no shell, no package manager, nothing that runs as somebody else, none of the parts for development.
for absent in bin/sh usr/bin/sh bin/bash usr/bin/apt usr/bin/dpkg; do [ ! -e "$root/$absent" ] || die "there is a $absent in it"; done
[ -z "$(find "$root" -xdev -perm /6000 -type f)" ] || die 'there are setuid programs in it'
[[ "$("$root/usr/local/bin/longshore" demo 2>&1 || true)" == *'unrecognized subcommand'* ]] || die 'it has the commands for development'
! grep -aqE "$PWD|/build/src" "$root/usr/local/bin/longshore" || die 'the path of its build is in the binary'

# The program, as a container would run it: its own root, read-only, its own user, nothing to gain by any file. In this process, which the
# tests send signals to, and on this network, which has the servers.
mkdir -p "$root"/{proc,dev,tmp}
touch "$root/etc/hosts" "$root/etc/resolv.conf"
cat >"$work/inside" <<EOF
set -e
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
for file in /etc/hosts /etc/resolv.conf; do mount --bind "\$file" "$root\$file"; done
if [ -n "\${NOTIFY_SOCKET:-}" ]; then
    # The socket of the test that plays systemd, whose own anybody may write to.
    chmod 777 "\$NOTIFY_SOCKET"
    mount -t tmpfs tmpfs "$root/tmp"
    mkdir -p "$root/\${NOTIFY_SOCKET%/*}"
    touch "$root\$NOTIFY_SOCKET"
    mount --bind "\$NOTIFY_SOCKET" "$root\$NOTIFY_SOCKET"
fi
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec=65532:65532 "$root" /usr/local/bin/longshore "\$@"
EOF
printf '#!/bin/sh\nexec unshare --mount --ipc --uts -- sh "%s" "$@"\n' "$work/inside" >"$work/longshore"
chmod +x "$work/longshore"
"$work/longshore" --version

MONGOD="$(scripts/mongod.sh)" LONGSHORE_PROGRAM="$work/longshore" "${CARGO:-cargo}" test --locked --test it -- worker::interruptions seen::admin::
echo "image-test: $image is as it should be"
