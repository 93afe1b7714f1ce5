#!/bin/sh
# Prints the path of a Python that has the packages of an environment: `python.sh [NAME]`, `test` where no NAME is given.
#
# scripts/python/NAME.in says what is in it and why. scripts/python/NAME.txt, which `make locks` makes of that, pins each package that is
# installed, those that others bring too, by version and hash; nothing else is installed, and nothing is built.
#
# It is a virtual environment in the cache folder, made at the first call (half a minute) and only looked up afterwards.
# Several processes may call this at once. Needs python3 >= 3.11 with its venv module, and a way to PyPI for the first call.
set -eu

name=${1:-test}
here=$(cd "$(dirname "$0")" && pwd)
lock=$here/python/$name.txt

fail() {
    echo "python.sh: $*" >&2
    exit 1
}

[ $# -le 1 ] || fail "takes one name of an environment, not '$*'"
[ -f "$lock" ] || fail "there is no environment '$name': take one of" $(cd "$here/python" && ls ./*.txt | sed 's|^\./\(.*\)\.txt$|\1|') \
    "or add one (CONTRIBUTING.md, \"What is fetched\")"
command -v python3 >/dev/null || fail "there is no python3: install Python 3.11 or newer"

cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}
# Another lock, or another Python, is another folder.
mark=$( (cat "$lock"; python3 --version) | cksum | cut -d ' ' -f 1)
venv=$cache/python-$name-$mark
python=$venv/bin/python

# The folder gets its name when it is complete, so what is there is whole.
if [ -x "$python" ]; then
    echo "$python"
    exit 0
fi

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "python3 is $(python3 --version): install Python 3.11 or newer"
mkdir -p "$cache"
new=$(mktemp -d "$cache/python-new.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM

# One at a time where flock is there; without it, several may work and the first to finish wins.
if command -v flock >/dev/null; then
    exec 9>"$cache/python.lock"
    flock 9
fi
if [ ! -x "$python" ]; then
    echo "python.sh: making the Python environment '$name' in $venv" >&2
    # With the pip that Python brings: another one would have to be fetched by it.
    python3 -m venv "$new/venv" >&2 || fail "python3 has no venv module: install it (Debian: apt-get install python3-venv)"
    "$new/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps --only-binary :all: \
        --requirement "$lock" >&2 ||
        fail "pip could not install the environment '$name' from scripts/python/$name.txt: it says why above. Where there is no way to" \
            "PyPI, it cannot be made. Where a hash does not match, that package is not the one that was locked: do not install it by hand"
    # One whose own Python is gone, as after an upgrade of the system, is in the way.
    [ -x "$python" ] || rm -rf "$venv"
    # Renaming a directory onto one with files in it fails: then another process was first, which is as good.
    python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$new/venv" "$venv" 2>/dev/null || true
fi
[ -x "$python" ] || fail "cannot put the Python environment to $venv"
echo "$python"
