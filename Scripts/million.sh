#!/usr/bin/env bash
# Holds a million connections, and writes what that takes into its section of Benchmarks/RESULTS.md.
#
#     Scripts/million.sh [--print] [OPTION ...]
#
# Only a run without options is written, and only at full size: with any option, or where the machine
# has no room for a million, the section is printed instead. Options but --print go to the benchmark:
# --help lists them, --connections max has as many as fit, and --json prints one object.
# A run that misses a limit is written as well, and ends with status 99; one that can't fit at all, or
# not the size that was asked for, ends with status 69.
set -euo pipefail
cd "$(dirname "$0")/.."

options=()
for option in "$@"; do
    if [[ $option != --print ]]; then options+=("$option"); fi
done

Scripts/setup.sh dev
ulimit -n "$(ulimit -Hn)" || echo "million: staying at $(ulimit -n) descriptors" >&2
swift build -c release --product MillionBenchmark >&2
million=$(swift build -c release --show-bin-path)/MillionBenchmark

libevent=$(dpkg-query -W -f '${Version}' libevent-core-2.1-7 2>/dev/null \
    || pkg-config --modversion libevent_core)
notes=(--note "$(swift --version 2>/dev/null | sed -n 1p)" --note "libevent $libevent")

if [[ $# -gt 0 ]]; then
    exec "$million" run "${notes[@]}" "${options[@]}"
fi

section=$(mktemp)
trap 'rm -f "$section"' EXIT
status=0
"$million" "${notes[@]}" >"$section" || status=$?
if grep -q '^- Fitted to this machine' "$section"; then
    echo "million: not at full size, so the page stays as it is" >&2
    cat "$section"
elif [[ $status -eq 0 || $status -eq 99 ]]; then
    # With any other status there are no results.
    Scripts/results-section.sh million <"$section"
fi
exit "$status"
