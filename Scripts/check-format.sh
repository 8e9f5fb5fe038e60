#!/usr/bin/env bash
# Fails where a Swift file breaks a rule of .swift-format.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -d '' -t files < <(Scripts/swift-files.sh)
if [[ ${#files[@]} -eq 0 ]]; then
    echo "format: no Swift file found" >&2
    exit 1
fi
swift format lint --strict --parallel "${files[@]}"
echo "format: ${#files[@]} files as they should be"
