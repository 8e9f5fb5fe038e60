#!/usr/bin/env bash
# Lists the public declarations of each module, without their comments, in API/MODULE.txt.
#
#     Scripts/api.sh            rewrites the files
#     Scripts/api.sh --check    fails where a file is out of date, and shows how
#
# Types stand in the order of their names, each with its extensions; members stand as in the source.
# A conformance that is marked unavailable is not listed: Tests/RefusalTests holds those.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:-write}
if [[ $mode != write && $mode != --check ]]; then
    echo "usage: Scripts/api.sh [--check]" >&2
    exit 64
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

synthesize=$(Scripts/toolchain.sh swift-synthesize-interface)
lines=$(Scripts/module-flags.sh)
mapfile -t flags <<<"$lines"
kinds='actor|class|enum|extension|func|let|macro|operator|precedencegroup|protocol|struct'
kinds+='|typealias|var'

for module in Sluice SluiceText SluiceDNS SluiceLogging SluiceMetrics SluiceServiceLifecycle; do
    "$synthesize" -module-name "$module" -swift-version 6 "${flags[@]}" -o "$scratch/interface"

    # One declaration of the top level a line, its own lines joined by a control character and behind the
    # name it declares; sorted; taken apart again.
    grep -vE '^[[:space:]]*///|^[[:space:]]*deinit$|^import ' "$scratch/interface" \
        | sed "s/\\<$module\\.//g" | awk -v declares="(^| )($kinds) [^ :<({]+" '
        function flush() {
            if (block != "") print name "\t" (extends ? 1 : 0) "\t" block
            block = ""; name = ""; extends = 0
        }
        /^[^ }]/ && complete { flush() }
        /^$/ { complete = (depth == 0); next }
        {
            if (block == "" || name == "") {
                if (match($0, declares)) {
                    name = substr($0, RSTART, RLENGTH)
                    extends = name ~ /^ ?extension /
                    sub(/^ ?[a-z]+ /, "", name)
                }
            }
            block = block == "" ? $0 : block "\001" $0
            depth = /^[^ }].*\{$/ ? 1 : (/^}/ ? 0 : depth)
            complete = (depth == 0) && !/^@[^ ]+(\(.*\))?$/
        }
        END { flush() }
    ' | LC_ALL=C sort | cut -f 3- | sed 's/$/\n/' | tr '\001' '\n' | sed '$d' >"$scratch/$module.txt"

    if [[ ! -s $scratch/$module.txt ]]; then
        echo "api: module $module has no public declaration" >&2
        exit 1
    fi
    if [[ $mode == write ]]; then
        mkdir -p API
        cp "$scratch/$module.txt" "API/$module.txt"
        echo "api: API/$module.txt holds $(wc -l <"API/$module.txt") lines"
    elif diff -u --label "API/$module.txt" --label 'what the sources say' \
        <(cat "API/$module.txt" 2>/dev/null) "$scratch/$module.txt" >&2; then
        echo "api: $module: as committed"
    else
        echo "api: the public declarations of $module have changed; if that is meant: make api" >&2
        exit 1
    fi
done
