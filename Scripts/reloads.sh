#!/usr/bin/env bash
# Reloads and kills workers under load, counts what clients lose by it, and writes that into
# Benchmarks/RESULTS.md.
#
#     Scripts/reloads.sh [OPTION ...]
#
# Options go to the benchmark: --help lists them. With any of them the report is printed, and the page
# stays as it is.
# Exit status 99: clients lost more than they may; the page says so, too.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh dev
swift build -c release --product ReloadBenchmark >&2
program=$(swift build -c release --show-bin-path)/ReloadBenchmark

# All clients are one process: those that stay, those that come and go, and some more.
needed=7000
ulimit -n "$(ulimit -Hn)" || true
descriptors=$(ulimit -n)
if [[ $descriptors != unlimited && $descriptors -lt $needed && $# -eq 0 ]]; then
    echo "reloads: $needed descriptors a process are needed, and $descriptors allowed (ulimit -Hn)" >&2
    exit 69
fi

if [[ $# -gt 0 ]]; then exec "$program" conduct "$@"; fi
exec Scripts/record.sh reloads "$program"
