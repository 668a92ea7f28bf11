#!/bin/sh
# record.sh BUILD: runs every example of a build and keeps the histories of its instances. Only for
# new examples, or when the format of an exported history has changed: a history that is recorded
# anew no longer proves anything about the code before.
set -eu
build=$(cd "${1:?usage: record.sh BUILD}" && pwd)
histories=$(cd "$(dirname "$0")" && pwd)/histories
work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-record-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p "$histories"
for program in "$build"/examples/example_*; do
    name=${program##*/example_}
    mkdir "$name"
    (cd "$name" && "$program" >/dev/null)
    store=$(echo "$name"/*.hf)
    "$build/holdfast" instances "$store" --json | sed -n 's/^{"instance":"\([^"]*\)".*/\1/p' |
        while read -r instance; do
            "$build/holdfast" export "$store" "$instance" >"$histories/$name.$instance.history"
        done
done
