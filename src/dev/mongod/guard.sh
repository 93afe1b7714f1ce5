# Runs the server "$@" in the folder "$1", or a new one where that is empty, until stdin ends; then kills it and removes the folder.
#
# stdin is a pipe whose other end only Longshore holds: it ends when Longshore closes it, and when Longshore dies, however it
# dies. So neither the process nor the folder can outlive it. What a terminal sends to a process group does not count.
#
# Protocol: prints the folder; waits for a line, before which Longshore puts files into the folder; prints the server's
# process id; then stdout carries what the server prints, and ends when the server does. A line after that kills the server and
# leaves the folder to another guard.
trap '' HUP INT TERM PIPE
exec 3<&0 </dev/null 2>&1
folder=$1
shift
[ -n "$folder" ] || folder=$(mktemp -d "${TMPDIR:-/tmp}/longshore-mongod-XXXXXX") || exit 1
cd "$folder" && mkdir -p data && echo "$folder"
if read -r _ <&3; then
    # It prints its id itself: what it has to say, if only that it cannot be run, comes after.
    sh -c 'echo $$; exec "$@"' longshore-mongod "$@" 3<&- &
    server=$!
    exec >/dev/null 2>&1
    read -r leave <&3 && leave=yes
    kill -KILL "$server"
    wait "$server"
    [ "$leave" != yes ] || exit 0
fi
cd / && rm -rf "$folder"
