#!/bin/sh
# run_example.sh EXPECTED PROGRAM...: runs PROGRAM in a fresh directory; it must print what the file
# EXPECTED holds, and succeed.
set -eu
expected=$1
shift
directory=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-example-XXXXXX")
trap 'rm -rf "$directory"' EXIT
cd "$directory"
"$@" >printed
diff -u "$expected" printed
