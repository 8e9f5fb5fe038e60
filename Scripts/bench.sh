#!/usr/bin/env bash
# Builds Sluice and its peers for release, then measures them side by side.
#
#     Scripts/bench.sh [--rounds N] [--seconds N] [--output FILE] [--only TEXT]
#
# --only measures the scenarios with TEXT in their names, such as `datagram`, and prints their
# tables instead of writing the page.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh bench
ulimit -n "$(ulimit -Hn)" || echo "bench: staying at $(ulimit -n) descriptors" >&2
swift build -c release --product sluice
products=$(swift build -c release --show-bin-path)
swift build -c release --package-path Benchmarks
swift run -c release --package-path Benchmarks compare --sluice "$products/sluice" "$@"
