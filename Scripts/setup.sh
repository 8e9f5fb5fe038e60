#!/usr/bin/env bash
# Installs the system packages that a job needs, and nothing where they are there already.
#
#     Scripts/setup.sh [dev|interop|bench|spamd]
#
# dev (the default) builds and checks, interop also talks to other programs, bench also measures.
# spamd installs that one program, where it can be had; without it the tests have a stand-in. Only CI
# asks for it: on a machine of one's own the package would leave a mail filter running.
# Exit status 69: something is missing, and it can't be installed from here.
set -euo pipefail
# Where servers are, which only root has in its path.
PATH=$PATH:/usr/sbin:/sbin

tcl_has() {
    echo "exit [catch {package require $1}]" | tclsh >/dev/null 2>&1
}

# Each line: the Debian package, then the command that fails where it is missing.
needs_of_dev() {
    cat <<'NEEDS'
make command -v make
binutils command -v readelf
pkg-config command -v pkg-config
libevent-dev pkg-config --exists libevent_core
libc-ares-dev pkg-config --exists libcares
libssl-dev pkg-config --exists libcrypto
NEEDS
}

needs_of_interop() {
    needs_of_dev
    cat <<'NEEDS'
tcl command -v tclsh
tcllib tcl_has transfer::connect
tcl-tls tcl_has tls
python3 command -v python3
socat command -v socat
strace command -v strace
perl-base command -v perl
dnsmasq-base command -v dnsmasq
iproute2 command -v ip
NEEDS
}

install_spamd() {
    if [[ -x /usr/sbin/spamd || $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then return; fi
    echo "setup: installing spamd, if it can be had"
    export DEBIAN_FRONTEND=noninteractive
    # What may be slow is fetched first: nothing ends an installation half-way.
    { timeout 120 apt-get update -qq \
        && timeout 120 apt-get install -y -qq --no-install-recommends --download-only spamd \
        && apt-get install -y -qq --no-install-recommends --no-download spamd; } </dev/null >&2 \
        || echo "setup: no spamd; a stand-in is talked to" >&2
}

job=${1:-dev}
case $job in
spamd)
    install_spamd
    exit
    ;;
dev | bench) needs=$(needs_of_dev) ;;
interop) needs=$(needs_of_interop) ;;
*)
    echo "usage: Scripts/setup.sh [dev|interop|bench|spamd]" >&2
    exit 64
    ;;
esac

missing=()
find_missing() {
    local package probe
    missing=()
    while read -r package probe; do
        $probe >/dev/null 2>&1 </dev/null || missing+=("$package")
    done <<<"$needs"
}

retrying() {
    local attempt
    for attempt in 1 2 3; do
        "$@" && return 0
        echo "setup: attempt $attempt of 3 failed: $*" >&2
        sleep "$attempt"
    done
    return 1
}

find_missing
if [[ ${#missing[@]} -eq 0 ]]; then
    exit 0
fi

if ! command -v apt-get >/dev/null || [[ $EUID -ne 0 ]]; then
    echo "setup: please install these packages, then try again: ${missing[*]}" >&2
    if command -v apt-get >/dev/null; then
        echo "setup: as root: apt-get install ${missing[*]}" >&2
    fi
    exit 69
fi

echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
if ! retrying apt-get update -qq </dev/null >&2 \
    || ! retrying apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >&2; then
    echo "setup: apt-get could not install: ${missing[*]}" >&2
    exit 69
fi

find_missing
if [[ ${#missing[@]} -ne 0 ]]; then
    echo "setup: installed, but still not usable: ${missing[*]}" >&2
    exit 69
fi
