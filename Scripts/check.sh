#!/usr/bin/env bash
# Everything that is checked besides the tests: each check runs, and then the failed ones are named.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh dev
export SLUICE_STRICT=1  # All checks build alike, so what one has built the next one finds.

failed=()
check() {
    echo "== ${*}"
    "Scripts/$1" "${@:2}" || failed+=("$1")
}
check check-format.sh
check check-warnings.sh
check check-refusals.sh
check check-symbols.sh
check api.sh --check
check rows.sh
check check-docs.sh
check check-examples.sh

if [[ ${#failed[@]} -ne 0 ]]; then
    echo "check: failed: ${failed[*]}" >&2
    exit 1
fi
echo "check: all is well"
