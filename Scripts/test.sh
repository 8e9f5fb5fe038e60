#!/usr/bin/env bash
# Runs every test with as many descriptors as the machine grants; further options go to `swift test`.
#
# One test after the other: each counts the descriptors of the whole process before and after itself.
#
# Every test is written with Swift Testing. XCTest's own runner stays out: it has nothing to run, and
# AddressSanitizer counts what it leaks.
set -euo pipefail
cd "$(dirname "$0")/.."

ulimit -n "$(ulimit -Hn)" || echo "test: staying at $(ulimit -n) descriptors" >&2
# The examples are programs that the tests run.
Scripts/check-examples.sh

# Thousands of lines end with how many failed; which ones they were is said again behind them.
output=$(mktemp)
trap 'rm -f "$output"' EXIT
if swift test --disable-xctest --no-parallel "$@" 2>&1 | tee "$output"; then exit; fi
echo "test: what failed:" >&2
grep -aE '^(✘|↳|.*: (error|Fatal error): )|recorded an issue' "$output" | head -n 60 >&2 || tail -n 20 "$output" >&2
exit 1
