#!/usr/bin/env bash
# Runs a benchmark, and puts what it prints into Benchmarks/RESULTS.md, as the section of a name.
#
#     Scripts/record.sh NAME PROGRAM [ARGUMENT ...]
#
# The exit status is the program's. With 0 the page is written, and with 99, for a run that misses a
# limit has results, too; with any other status there are none, and the page stays as it is.
set -euo pipefail

if [[ $# -lt 2 ]]; then
    echo "usage: Scripts/record.sh NAME PROGRAM [ARGUMENT ...]" >&2
    exit 64
fi
name=$1
program=("${@:2}")

report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
"${program[@]}" >"$report" || status=$?
if [[ $status -eq 0 || $status -eq 99 ]]; then
    "$(dirname "$0")/results-section.sh" "$name" <"$report"
    echo "$name: wrote the section '$name' of Benchmarks/RESULTS.md"
fi
exit "$status"
