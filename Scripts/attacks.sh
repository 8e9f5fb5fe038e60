#!/usr/bin/env bash
# Attacks a server in every way that is known here, measures what its honest clients notice of it, and
# writes that into Benchmarks/RESULTS.md.
#
#     Scripts/attacks.sh [--print] [--small] [--json] [--rounds N] [--only TEXT]
#
# --only makes the attacks with TEXT in their names. With any option the report is printed, and the
# page stays as it is.
# Exit status 99: the honest clients noticed more than they may, an attack was not what it is meant to
# be, or memory is over its bound; the page says so, too.
set -euo pipefail
cd "$(dirname "$0")/.."

options=()
for option in "$@"; do
    if [[ $option != --print ]]; then options+=("$option"); fi
done

Scripts/setup.sh dev
swift build -c release --product AttackBenchmark >&2
program=$(swift build -c release --show-bin-path)/AttackBenchmark

# The server holds one descriptor a connection, of four fifths of those that it has.
needed=20000
ulimit -n "$(ulimit -Hn)" || true
descriptors=$(ulimit -n)
if [[ $descriptors != unlimited && $descriptors -lt $needed && ! " $* " == *" --small "* ]]; then
    echo "attacks: $needed descriptors a process are needed, and $descriptors allowed (ulimit -Hn)" >&2
    exit 69
fi

if [[ $# -gt 0 ]]; then exec "$program" conduct "${options[@]}"; fi
exec Scripts/record.sh attacks "$program"
