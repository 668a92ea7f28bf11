#!/bin/sh
# run_test.sh NAME PROGRAM [ARGUMENT...]: notes that the test NAME (room/subject) started, then
# becomes the program. report.sh fails when a test that started has counted no case.
set -eu
name=$1
shift
mkdir -p "$HOLDFAST_REPORT/started/${name%/*}"
: >"$HOLDFAST_REPORT/started/$name"
exec "$@"
