#!/bin/sh
# A producer's CI: what becomes of the messages that it sends? It takes LONGSHORE_BIN, the program
# (`longshore` if not given), and PORT, the first of three free ports of this machine.
set -eu
env=$(mktemp) port=${PORT:-8787} longshore=${LONGSHORE_BIN:-longshore}
"$longshore" dev --set admin.listen=off --port "$port" --env "$env" >/dev/null &
dev=$!
trap 'kill "$dev" && wait "$dev" || :; rm -f "$env"' EXIT
trap 'exit 1' HUP INT TERM
ask() { curl --fail-with-body -sS --max-time 60 "$@"; }
says() { said=$(ask "$LONGSHORE_DEV_URL$1") || :; echo "$1: $said"; echo "$said" | grep -q "$2"; }
ask --retry 60 --retry-delay 1 --retry-connrefused "http://127.0.0.1:$port/"
. "$env"

# Here your own producer sends: every AWS SDK finds the queue by the variables in that file.
printf '%s\n' '{"type":"event","user_id":123,"event_type":"login"}' \
  '{"type":"session","session_id":"s-81","data":{"cart":[]}}' | "$longshore" send
says '/wait?count=2' '"good":2,"bad":0'
says '/good?collection=events' '"user_id":123,"event_type":"login"'

# The next test begins with nothing. What is wrong is refused, with its reason.
ask -X POST "$LONGSHORE_DEV_URL/reset"
echo '{"type":"event","user_id":123}' | "$longshore" send
says '/wait?count=1' '"good":0,"bad":1'
says '/bad' '"reason":"missing_field"'
