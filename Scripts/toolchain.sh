#!/usr/bin/env bash
# Prints the path of a program that comes with the Swift toolchain, such as docc.
#
#     Scripts/toolchain.sh NAME
set -euo pipefail

name=$1
resources=$(swift -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
tool=$(dirname "$(dirname "$resources")")/bin/$name
if [[ -x $tool ]]; then
    echo "$tool"
elif ! command -v "$name"; then
    echo "toolchain: this Swift has no $name, neither as $tool nor on the path" >&2
    exit 69
fi
