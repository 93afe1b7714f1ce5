#!/bin/sh
# Unpacks the one wheel that scripts/wheels/NAME.txt pins by version and hash: `wheel.sh NAME FOLDER`. It carries a program that is not
# Python; what it says it depends on is left out. `make locks` makes NAME.txt of NAME.in. Needs python3 with pip, and a way to PyPI.
set -eu

name=$1
lock=$(dirname "$0")/wheels/$name.txt
python3 -m pip install --quiet --disable-pip-version-check --no-input --root-user-action ignore --require-hashes --no-deps --only-binary :all: \
    --requirement "$lock" --target "$2" >&2 || {
    echo "wheel.sh: pip could not install $name from scripts/wheels/$name.txt: it says why above. Where there is no way to PyPI, or no wheel" \
        "for this machine, it cannot be had so. Where a hash does not match, the file is not the one that was locked: do not use it" >&2
    exit 1
}
