#!/usr/bin/env bash
# Makes the page of rows: each with the API that carries it and the tests that name it in a comment.
# Fails for a row without a test, unless the row says by `-` that nothing carries it yet.
#
#     Scripts/rows.sh [--write]   compares the page with what it should be, or writes it
set -euo pipefail
cd "$(dirname "$0")/.."
page=Sources/Sluice/Sluice.docc/Rows.md

# A comment such as `// K15, K16` names the rows of the test that follows it.
tests=$(mktemp)
made=$(mktemp)
trap 'rm -f "$tests" "$made"' EXIT
mapfile -d '' -t files < <(find Tests Examples -name '*.swift' -not -path '*/.build*' -print0 | LC_ALL=C sort -z)
awk '
    FNR == 1 { ids = "" }
    /^ *\/\/ [A-Z][0-9]+(, [A-Z][0-9]+)*$/ {
        line = $0
        sub(/^ *\/\/ /, "", line)
        ids = ids == "" ? line : ids ", " line
        next
    }
    ids != "" && /func `[^`]*`|struct [A-Z]|func [a-z]/ {
        name = $0
        if (match(name, /`[^`]*`/)) name = substr(name, RSTART + 1, RLENGTH - 2)
        else { sub(/^.*(struct|func) /, "", name); sub(/[^A-Za-z0-9].*$/, "", name) }
        file = FILENAME
        sub(/^.*\//, "", file)
        sub(/\.swift$/, "", file)
        count = split(ids, list, ", ")
        for (i = 1; i <= count; i++) print list[i] "\t" file ": " name
        ids = ""
    }
' "${files[@]}" >"$tests"

awk -F ' [|] ' -v tests="$tests" '
    BEGIN {
        while ((getline line < tests) > 0) {
            split(line, part, "\t")
            if (++count[part[1]] <= 3) {
                found[part[1]] = found[part[1]] == "" ? part[2] : found[part[1]] "; " part[2]
            }
        }
        print "# Rows"
        print ""
        print "What Sluice takes over from older systems, with the API that carries it and the tests that prove it."
        print ""
        print "## Overview"
        print ""
        print "A row without API belongs to a part of the library that is still to come."
    }
    /^#  *[A-Z`]/ || /^$/ { next }
    /^## / {
        title = $2
        printf "\n### %s\n\n| id | rule | API | tests |\n| --- | --- | --- | --- |\n", title
        next
    }
    {
        if (found[$1] == "" && $3 != "-") { missing = missing " " $1 }
        known[$1] = 1
        if ($3 == "-") later++
        rows++
        text = found[$1]
        gsub(/[|]/, "\\|", text)
        if (count[$1] > 3) text = text "; and " count[$1] - 3 " more"
        printf "| %s | %s | %s | %s |\n", $1, $2, $3, text == "" ? "-" : text
    }
    END {
        for (id in found) if (id ~ /^[TKWAPCN]/ && !(id in known)) missing = missing " (" id " is no row)"
        if (missing != "") {
            print "rows: without a test:" missing > "/dev/stderr"
            exit 1
        }
        printf "rows: %d, of which %d are still to come\n", rows, later > "/dev/stderr"
    }
' Tests/Rows/rows.txt >"$made"

if [[ "${1:-}" == --write ]]; then
    cp "$made" "$page"
elif ! diff -u "$page" "$made"; then
    echo "rows: $page is out of date: run Scripts/rows.sh --write" >&2
    exit 1
fi
