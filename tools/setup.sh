#!/bin/sh
# setup.sh [build|check|coverage|fuzz]: makes sure that the Debian packages are there which are
# needed to build the command (build), for the whole check (check, the default), for
# tools/coverage.sh (coverage), or for fuzz/afl.sh and fuzz/oss-fuzz (fuzz). Installs what is
# missing, as root or with sudo; with neither at hand it prints the command to run and fails. Silent
# when nothing is missing.
set -eu

build="cmake ninja-build gcc pkg-config liblmdb-dev libuv1-dev libxxhash-dev libmsgpuck-dev"
check="$build g++ clang libclang-rt-dev libcmocka-dev clang-format python3 util-linux spin"

case "${1:-check}" in
    build) wanted=$build ;;
    check) wanted=$check ;;
    coverage) wanted="$check gcovr" ;;
    fuzz) wanted="$check afl++ lmdb-utils zip" ;;
    *)
        echo "usage: tools/setup.sh [build|check|coverage|fuzz]" >&2
        exit 2
        ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "setup: no Debian packages here; what they would be called: $wanted" >&2
    exit 0
fi

is_installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

missing=""
for package in $wanted; do
    is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null; then
    as_root="sudo"
else
    echo "setup: packages are missing; as root, run:" >&2
    echo "    apt-get update && apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

# $as_root and $missing are lists of words on purpose. env: sudo passes no variables on.
echo "setup: installing$missing"
$as_root apt-get -qq update
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends $missing >/dev/null
