#!/usr/bin/env bash
# Has many connections live as connections do, for minutes; the last fifth of the time under
# ThreadSanitizer.
#
#   Scripts/soak.sh [SECONDS [CONNECTIONS]]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
connections=${2:-2000}

ulimit -n "$(ulimit -Hn)" || echo "soak: staying at $(ulimit -n) descriptors" >&2
export SOAK_CONNECTIONS=$connections SWIFT_BACKTRACE=enable=no
part=$((seconds < 10 ? 2 : seconds / 5))
SOAK_SECONDS=$((seconds - part)) swift test --disable-xctest --filter SoakTests
SOAK_SECONDS=$part swift test --disable-xctest --filter SoakTests \
    --sanitize=thread -Xswiftc -DSANITIZED --scratch-path .build-tsan
