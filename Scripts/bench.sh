#!/usr/bin/env bash
# Builds Sluice and its peers for release, then measures them side by side; further options go to
# the comparison.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh bench
ulimit -n "$(ulimit -Hn)" || echo "bench: staying at $(ulimit -n) descriptors" >&2
swift build -c release --product sluice
products=$(swift build -c release --show-bin-path)
swift build -c release --package-path Benchmarks
swift run -c release --package-path Benchmarks compare --sluice "$products/sluice" "$@"
