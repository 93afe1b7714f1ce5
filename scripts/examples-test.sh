#!/bin/sh
# Runs the examples of producers against a real worker: `examples-test.sh LONGSHORE [arguments of pytest]`. Servers are a real
# MongoDB, the SQS server of `longshore dev`, and moto for SNS and EventBridge; Celery, uvicorn and Node are real too. What a
# machine lacks is named as NOT RUN. Nothing is written into the checkout.
set -eu

longshore=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
python=$(scripts/python.sh examples)
MONGOD=$(scripts/mongod.sh)
NODE_MODULES=$(scripts/node-modules.sh examples/node) || [ $? = 3 ]
# The package as it is here. Where it is installed, pytest finds its fixtures by itself.
export MONGOD NODE_MODULES LONGSHORE_BIN="$longshore" PYTHONPATH="$PWD/clients/python/src" PYTHONDONTWRITEBYTECODE=1
exec "$python" -m pytest -q -rs -p pytest_longshore -p no:cacheprovider "$@" examples/tests
