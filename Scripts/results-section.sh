#!/usr/bin/env bash
# Puts standard input into a page of results, as the section of a name: in place of what stands there
# between the lines `<!-- NAME -->` and `<!-- /NAME -->`, or, where it has none yet, with these lines
# before the page's last section, "Machine, versions, method".
#
#     Scripts/results-section.sh NAME [FILE]
#
# FILE is Benchmarks/RESULTS.md unless it is named. The page is replaced as a whole or not at all.
# Empty lines at the end of what comes in are left out.
# Exit status 65: nothing came in, there is no page, or its marks do not fit.
set -euo pipefail

name=${1:-}
if [[ ! $name =~ ^[a-z][a-z0-9-]*$ || $# -gt 2 ]]; then
    echo "usage: Scripts/results-section.sh NAME [FILE]; a NAME is small letters, digits and -" >&2
    exit 64
fi
page=${2:-$(dirname "$0")/../Benchmarks/RESULTS.md}

if [[ ! -f $page ]]; then
    echo "results-section: there is no page $page" >&2
    exit 65
fi

# In the same folder, so that it takes the page's place in one step.
new=$(mktemp "$page.XXXXXX")
section=$(mktemp)
trap 'rm -f "$new" "$section"' EXIT
cat >"$section"
if ! grep -q . "$section"; then
    echo "results-section: nothing came in for '$name'" >&2
    exit 65
fi

awk -v begin="<!-- $name -->" -v end="<!-- /$name -->" '
    function put(    number) {
        print begin
        for (number = 1; number <= count; number++) print section[number]
        print end
        isPut = 1
    }
    # The first file is the section, the second one the page.
    NR == FNR {
        section[NR] = $0
        if ($0 != "") count = NR
        if ($0 == begin || $0 == end) isMarked = 1
        next
    }
    { lines[++total] = $0 }
    $0 == begin { begins++; first = total }
    $0 == end { ends++; last = total }
    $0 == "## Machine, versions, method" && !place { place = total }
    END {
        if (isMarked || begins != ends || begins > 1 || first > last) exit 65
        for (number = 1; number <= total; number++) {
            if (begins && number == first) put()
            if (begins && number >= first && number <= last) continue
            if (!begins && number == place) { put(); print "" }
            print lines[number]
        }
        if (!isPut) { print ""; put() }
    }' "$section" "$page" >"$new" || {
    echo "results-section: $page: the marks of '$name' do not fit" >&2
    exit 65
}
chmod --reference="$page" "$new"
mv "$new" "$page"
