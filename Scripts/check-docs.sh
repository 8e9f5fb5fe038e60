#!/usr/bin/env bash
# Builds the documentation of the modules under .build/docs and .build/docs-text; a warning is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

extract=$(Scripts/toolchain.sh swift-symbolgraph-extract)
docc=$(Scripts/toolchain.sh docc)
lines=$(Scripts/module-flags.sh)
mapfile -t flags <<<"$lines"

rm -rf .build/docs .build/docs-text
for module in Sluice SluiceText; do
    graphs=.build/symbol-graphs-$module
    rm -rf "$graphs"
    mkdir -p "$graphs"
    "$extract" -module-name "$module" -minimum-access-level public -skip-synthesized-members \
        -output-dir "$graphs" "${flags[@]}"
done
"$docc" convert Sources/Sluice/Sluice.docc --additional-symbol-graph-dir .build/symbol-graphs-Sluice \
    --fallback-display-name Sluice --output-path .build/docs --warnings-as-errors
"$docc" convert --additional-symbol-graph-dir .build/symbol-graphs-SluiceText \
    --fallback-display-name SluiceText --fallback-bundle-identifier SluiceText \
    --output-path .build/docs-text --warnings-as-errors
echo "docs: written to .build/docs and .build/docs-text"
