#!/bin/sh
# check.sh: everything that must hold before a change lands; continuous integration runs just this.
#   release        gcc, optimised, no warning; all tests, which must show every line of the tables
#   controls       the product with one thing broken at a time: the named tests must fail
#   release-clang  clang, optimised, no warning
#   tsan           ThreadSanitizer; the tests with threads and with several processes
#   asan           AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer; all tests, but for
#                  the model of sessions, which is no C of ours
# Stops at the first step that fails. The tests include the tidy check (tools/tidy.py).
set -eu
cd "$(dirname "$0")/.."

jobs=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# ctest hides what passing tests print; the count of cases comes through this descriptor.
exec 3>&1
export HOLDFAST_REPORT_FD=3

step() {
    printf '\n== %s\n' "$*"
}

# Output of configuring and building is shown only when it failed.
quietly() {
    "$@" >"$log" 2>&1 && return
    cat "$log"
    printf '\ncheck: failed: %s\n' "$*"
    exit 1
}

build() {
    step "build $1"
    quietly cmake --preset "$1"
    quietly cmake --build --preset "$1"
}

# run_tests PRESET [CTEST-ARGUMENT...]
run_tests() {
    preset=$1
    shift
    step "test $preset $*"
    ctest --preset "$preset" --no-tests=error -j "$jobs" "$@"
}

# shown TABLE TITLE: what the tests of the release build showed of a table.
shown() {
    sh tests/tables/table.sh "$2" "tests/tables/$1.tsv" build/tests/report
}

step "set-up"
sh tools/setup.sh check

build release
run_tests release
step "what the tests showed"
shown sessions "session cases"
shown store "store cases"
shown features "features"
shown traps "traps"
step "controls: with one thing broken, the tests named for it fail"
sh tests/controls/run.sh
build release-clang
build tsan
run_tests tsan -L 'concurrent|process'
build asan
run_tests asan -LE model
