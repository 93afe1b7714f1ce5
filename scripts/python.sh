#!/bin/sh
# Prints the path of a Python that has what the tests need: moto (an SQS server that is not Rust), boto3 and pymongo; oteltap and rotel (two
# collectors that are not ours) and the OpenTelemetry SDK of a producer.
#
# It is a virtual environment in the cache folder, made at the first call (half a minute) and only looked up afterwards.
# Several processes may call this at once. Needs python3 >= 3.10 with its venv module, and a way to PyPI for the first call.
set -eu

# Exact, so that what passed yesterday passes today. flask and flask-cors are what moto's server needs for SQS alone.
packages='moto==5.2.5 flask==3.1.3 flask-cors==6.0.5 boto3==1.44.5 pymongo==4.20.0 oteltap==1.0.0 rotel==0.0.1a15 opentelemetry-sdk==1.45.2'
# Further ones, for those who need them: an environment of their own.
packages="$packages $*"

cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}
# Another list of packages, or another Python, is another folder.
mark=$( (echo "$packages"; python3 --version) | cksum | cut -d ' ' -f 1)
venv=$cache/python-$mark
python=$venv/bin/python

fail() {
    echo "python.sh: $*" >&2
    exit 1
}

# The folder gets its name when it is complete, so what is there is whole.
if [ -x "$python" ]; then
    echo "$python"
    exit 0
fi

command -v python3 >/dev/null || fail "there is no python3: install Python 3.10 or newer"
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
    echo "python.sh: making a Python environment in $venv" >&2
    python3 -m venv "$new/venv" >&2 || fail "python3 has no venv module: install it (Debian: apt-get install python3-venv)"
    # shellcheck disable=SC2086 # a list of words
    "$new/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input $packages >&2 ||
        fail "pip could not install $packages: is there a way to PyPI?"
    # Renaming a directory onto one with files in it fails: then another process was first, which is as good.
    python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$new/venv" "$venv" 2>/dev/null || true
fi
[ -x "$python" ] || fail "cannot put the Python environment to $venv"
echo "$python"
