#!/usr/bin/env bash
# Builds the examples, a package of their own, and compares those that the documentation shows.
set -euo pipefail
cd "$(dirname "$0")/.."

# It does not notice files that were added to the library, unless its manifest is newer.
touch Examples/Package.swift
swift build --package-path Examples
# A listing ends with the fence behind it.
shows() { # DOCUMENT EXAMPLE
    python3 - "$1" "Examples/Sources/$2/main.swift" <<'END' && return
import sys
page, program = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
sys.exit(0 if "```swift\n" + program + "```" in page else 1)
END
    echo "examples: $1 does not show $2 as it is" >&2
    exit 1
}
shows README.md Echo
shows Sources/Sluice/Sluice.docc/Tutorial.md AsyncEcho
shows Sources/Sluice/Sluice.docc/Tutorial.md ChatRooms
echo "examples: built"
