#!/bin/sh
# Checks clients/python: `python-test.sh LONGSHORE [arguments of pytest]`. Types, the oldest Python that it is written for, its
# tests against the real worker, and its wheel, which is built, put into an empty environment and imported. Nothing is written
# into the checkout.
set -eu

longshore=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
python=$(scripts/python.sh client)
MONGOD=$(scripts/mongod.sh)
export MONGOD LONGSHORE_BIN="$longshore" PYTHONDONTWRITEBYTECODE=1
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM
cd clients/python

"$python" -m mypy --cache-dir "$new/mypy"
# Its own script names the folder in which the environment was made.
"$python" -c 'import vermin; vermin.main()' --quiet --no-tips --eval-annotations --violations -t=3.9- src
# By three processes: most tests wait for a queue, or for a program that they start. Arguments may say `-n 0`.
"$python" -m pytest -q -n 3 "$@"

# From a copy: the build writes beside what it builds.
cp -R . "$new/source"
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w "$new/wheels" "$new/source"
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$new/installed" "$new"/wheels/*.whl
test -f "$new/installed/longshore_producer/py.typed"
for licence in LICENSE-*; do
    cmp "$licence" "../../$licence"
    test -f "$(echo "$new"/installed/longshore_producer-*.dist-info/licenses/"$licence")"
done
mkdir "$new/empty"
cd "$new/empty"
export PYTHONPATH="$new/installed"
"$python" -c 'import longshore_producer as l; assert l.__file__.startswith("'"$new"'"), l.__file__'
# pytest finds the fixtures by the wheel alone.
"$python" -m pytest -q -p no:cacheprovider --fixtures | grep -q '^longshore '
basename "$new"/wheels/*.whl
