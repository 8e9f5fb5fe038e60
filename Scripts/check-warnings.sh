#!/usr/bin/env bash
# Builds everything, tests included, for debugging and for release; a warning is an error.
#
# The manifest reads SLUICE_STRICT, because a flag for the whole build would hit dependencies too.
set -euo pipefail
cd "$(dirname "$0")/.."

export SLUICE_STRICT=1
swift build --build-tests
swift build -c release
echo "warnings: none"
