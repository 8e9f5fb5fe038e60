#!/usr/bin/env bash
# Fails where Sluice calls a libevent function that Scripts/libevent-symbols.txt does not allow, where
# that list allows one which is not called, or where the command needs more of libevent than its core.
set -euo pipefail
cd "$(dirname "$0")/.."

# Every public prefix of libevent 2.1. A name that ends in an underscore is private to it.
family='^(event|evbuffer|bufferevent|evutil|evthread|evdns|evhttp|evconnlistener|evsignal|evtimer'
family+='|evtag|evrpc|ev_token_bucket|evmap|libevent)_'
list=Scripts/libevent-symbols.txt

swift build -c release --product sluice
products=$(swift build -c release --show-bin-path)
mapfile -t objects < <(grep '/Sluice[A-Za-z]*\.build/' "$products/sluice.product/Objects.LinkFileList")
if ! printf '%s\n' "${objects[@]}" | grep -q '/Sluice\.build/'; then
    echo "symbols: found no object file of module Sluice under $products" >&2
    exit 1
fi

export LC_ALL=C  # comm wants the order that sort gives.
called=$(nm -u "${objects[@]}" | awk -v family="$family" '$1 == "U" && $2 ~ family { print $2 }' | sort -u)
allowed=$(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$list" | sort -u)

failed=0
refuse() {
    local why=$1 names=$2
    if [[ -n $names ]]; then
        echo "symbols: $why:" >&2
        while read -r name; do echo "    $name" >&2; done <<<"$names"
        failed=1
    fi
}
refuse "called, but not allowed by $list" \
    "$(comm -23 <(echo "$called") <(echo "$allowed") | grep . || true)"
refuse "allowed by $list, but not called" \
    "$(comm -13 <(echo "$called") <(echo "$allowed") | grep . || true)"

libraries=$(readelf -d "$products/sluice" | sed -n 's/.*(NEEDED).*\[\(libevent.*\)\]/\1/p')
if ! grep -q '^libevent_core[-.]' <<<"$libraries"; then
    echo "symbols: the command does not need libevent_core" >&2
    failed=1
fi
refuse "the command needs another libevent library" \
    "$(grep -v '^libevent_core[-.]' <<<"$libraries" | grep . || true)"

[[ $failed -eq 0 ]]
echo "symbols: $(wc -l <<<"$called") libevent functions called, each allowed; only libevent_core linked"
