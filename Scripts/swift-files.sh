#!/usr/bin/env bash
# Prints every Swift file that is kept in format, each followed by a null byte.
#
# Left out: what a build made, and the programs of Tests/RefusalTests, where a formatter would move
# the long comments that must stand beside the line they speak of.
set -euo pipefail
cd "$(dirname "$0")/.."

shopt -s nullglob
roots=(Package.swif[t] Source[s] Test[s] Example[s] Benchmark[s])
find "${roots[@]}" \( -name '.build*' -o -path Tests/RefusalTests \) -prune \
    -o -type f -name '*.swift' -print0
