#!/usr/bin/env bash
# Fails where a program that must not compile does, or is refused for another reason.
#
# Each file of Tests/RefusalTests says what the compiler has to answer, beside the line concerned:
#     // expected-error {{a part of the message}}
# Compiled down to SIL, for it is after type checking that ownership and sending are judged.
set -euo pipefail
cd "$(dirname "$0")/.."

fewest=6
lines=$(Scripts/module-flags.sh)
mapfile -t flags <<<"$lines"

count=0
failed=0
shopt -s nullglob
for program in Tests/RefusalTests/*.swift; do
    count=$((count + 1))
    if ! grep -qE '//.*expected-error(@[^ {]+)? *[0-9+*-]* *\{\{.+\}\}' "$program"; then
        echo "refusals: $program expects no error" >&2
        failed=$((failed + 1))
    elif ! swiftc -frontend -emit-sil -o /dev/null -parse-as-library -swift-version 6 \
        -module-name Refusal -verify -verify-ignore-unrelated "${flags[@]}" "$program"; then
        echo "refusals: $program is not refused as it says" >&2
        failed=$((failed + 1))
    fi
done

echo "refusals: $((count - failed)) of $count programs refused as expected"
if [[ $count -lt $fewest ]]; then
    echo "refusals: at least $fewest are wanted" >&2
    exit 1
fi
[[ $failed -eq 0 ]]
