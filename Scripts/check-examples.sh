#!/usr/bin/env bash
# Builds the examples, a package of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ! -e Examples/Package.swift ]]; then
    echo "examples: none yet"
    exit 0
fi
swift build --package-path Examples
echo "examples: built"
