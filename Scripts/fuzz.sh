#!/usr/bin/env bash
# Runs every fuzz target for a while: `Scripts/fuzz.sh [SECONDS]`, 60 for each unless said otherwise.
# What a target finds is left in .build-fuzz, as the file that libFuzzer names.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
folder=.build-fuzz
mkdir -p "$folder"
export SWIFT_BACKTRACE=enable=no

modules=(
    -I "$folder" -package-name sluice -swift-version 6
    -enable-upcoming-feature InternalImportsByDefault
    -enable-upcoming-feature MemberImportVisibility
    -Xcc -fmodule-map-file="$PWD/CShims/CLibevent/module.modulemap"
    -Xcc -fmodule-map-file="$PWD/CShims/CSystemCalls/module.modulemap"
    -Xcc -fmodule-map-file="$PWD/CShims/CCares/module.modulemap"
)

# Each module with the instructions that libFuzzer steers by, and AddressSanitizer's.
build_module() {
    local name=$1
    local files
    mapfile -d '' -t files < <(find "Sources/$name" -name '*.swift' -print0 | sort -z)
    swiftc -O -wmo -parse-as-library -sanitize=fuzzer,address "${modules[@]}" \
        -module-name "$name" -emit-module -emit-module-path "$folder/$name.swiftmodule" \
        -c -o "$folder/$name.o" "${files[@]}"
}

build_module SluiceText
build_module Sluice
build_module SluiceDNS
for source in Tests/FuzzTargets/*.swift; do
    target=$(basename "$source" .swift)
    swiftc -O -parse-as-library -sanitize=fuzzer,address -use-ld=lld "${modules[@]}" \
        -module-name "Fuzz$target" \
        -o "$folder/$target" "$source" \
        "$folder/SluiceDNS.o" "$folder/Sluice.o" "$folder/SluiceText.o" \
        $(pkg-config --libs libevent_core libcares)
    mkdir -p "$folder/$target.corpus"
    "$folder/$target" -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=4096 -timeout=20 \
        -artifact_prefix="$folder/$target-" -print_final_stats=1 "$folder/$target.corpus" \
        >"$folder/$target.log" 2>&1 || {
        tail -40 "$folder/$target.log" >&2
        echo "fuzz: $target failed; the input is in $folder" >&2
        exit 1
    }
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$folder/$target.log")
    echo "fuzz: $target: $runs inputs in $seconds s, clean"
done
