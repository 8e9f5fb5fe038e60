#!/usr/bin/env bash
# An echo server, and 10,000 connections that talk to it: progress, a report, an orderly end.
# Exit status 0 only if all of that went well.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh dev
swift build -c release --product sluice
sluice=$(swift build -c release --show-bin-path)/sluice

# Each side holds one descriptor a connection, and some of its own.
connections=10000
spare=100
ulimit -n "$(ulimit -Hn)" || true
descriptors=$(ulimit -n)
if [[ $descriptors != unlimited && $descriptors -lt $((connections + spare)) ]]; then
    connections=$((descriptors - spare))
    if [[ $connections -lt 1 ]]; then
        echo "demo: $descriptors descriptors a process are too few to show anything" >&2
        exit 69
    fi
    echo "demo: only $descriptors descriptors are allowed a process: $connections connections" \
        "instead of 10000 (ulimit -Hn)"
fi

scratch=$(mktemp -d)
server=
# shellcheck disable=SC2317  # Called by the trap.
clean_up() {
    if [[ -n $server ]]; then
        kill -KILL "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkfifo "$scratch/output"
"$sluice" serve echo --port 0 >"$scratch/output" </dev/null &
server=$!
exec 3<"$scratch/output"
line=
IFS= read -r -t 30 line <&3 || true
if [[ ! $line =~ ^listening\ on\ 127\.0\.0\.1:([0-9]+)$ ]]; then
    echo "demo: the server did not say where it listens, but: '$line'" >&2
    exit 70
fi
port=${BASH_REMATCH[1]}
echo "demo: an echo server listens on 127.0.0.1:$port; now $connections connections"

status=0
"$sluice" load "tcp://127.0.0.1:$port" --connections "$connections" --ramp 3s --duration 10s \
    --observe "$server" </dev/null || status=$?
if [[ $status -ne 0 ]]; then
    echo "demo: the load ended with status $status" >&2
    exit "$status"
fi

# The server drains: whoever waits longer than this for the end waits for nothing.
patience=30
kill -TERM "$server" || true
for ((tenths = 0; tenths < patience * 10; tenths++)); do
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if kill -0 "$server" 2>/dev/null; then
    echo "demo: the server did not drain within $patience s" >&2
    exit 70
fi
wait "$server" || status=$?
server=
if [[ $status -ne 0 ]]; then
    echo "demo: the server ended with status $status" >&2
    exit 70
fi
cat <&3
echo "demo: the server drained and ended in good order. That was Sluice; see README.md for more."
