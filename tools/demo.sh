#!/bin/sh
# demo.sh [FILE]: builds the holdfast command and runs its demonstration on FILE (README.md).
set -eu
here=$(pwd)
cd "$(dirname "$0")/.."

file=${1:-$PWD/README.md}
case "$file" in
    /*) ;;
    *) file=$here/$file ;;
esac

sh tools/setup.sh build

# The log is shown only when something goes wrong.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "demo: building build/holdfast ..."
if ! { cmake --preset release -DHOLDFAST_TESTS=OFF && cmake --build build --target holdfast; } \
    >"$log" 2>&1; then
    cat "$log" >&2
    echo "demo: the build failed" >&2
    exit 1
fi
rm -f "$log"
trap - EXIT
exec build/holdfast demo "$file"
