#!/usr/bin/env bash
# Builds for debugging, then prints the flags with which a compiler finds module Sluice, one a line.
set -euo pipefail
cd "$(dirname "$0")/.."

swift build --quiet >&2
echo "-I"
echo "$(swift build --show-bin-path)/Modules"
for map in "$PWD"/CShims/*/module.modulemap; do
    echo "-Xcc"
    echo "-fmodule-map-file=$map"
done
for flag in $(pkg-config --cflags libevent_core); do
    echo "-Xcc"
    echo "$flag"
done
