#!/usr/bin/env bash
# Rewrites the Swift files in the project's format.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/swift-files.sh | xargs -0 swift format --in-place --parallel
