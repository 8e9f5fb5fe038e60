#!/usr/bin/env bash
# Builds the examples, a package of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

# It does not notice files that were added to the library, unless its manifest is newer.
touch Examples/Package.swift
swift build --package-path Examples
echo "examples: built"
