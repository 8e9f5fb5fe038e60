#!/usr/bin/env bash
# Builds the documentation of module Sluice under .build/docs; a warning is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

extract=$(Scripts/toolchain.sh swift-symbolgraph-extract)
docc=$(Scripts/toolchain.sh docc)
lines=$(Scripts/module-flags.sh)
mapfile -t flags <<<"$lines"

graphs=.build/symbol-graphs
rm -rf "$graphs" .build/docs
mkdir -p "$graphs"
"$extract" -module-name Sluice -minimum-access-level public -skip-synthesized-members \
    -output-dir "$graphs" "${flags[@]}"
"$docc" convert Sources/Sluice/Sluice.docc --additional-symbol-graph-dir "$graphs" \
    --fallback-display-name Sluice --output-path .build/docs --warnings-as-errors
echo "docs: written to .build/docs"
