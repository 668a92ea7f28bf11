#!/bin/sh
# run.sh: positive controls. For each tests/controls/<name>.edit the product is built with that one
# thing broken (cmake/control.cmake), and each test that the file names must fail: by an assertion,
# not by a crash. Then all of them must pass in a build with nothing broken. All in build/control.
#
# A line `test PROGRAM PATTERN` names them: the tests of that program whose names match. A line
# `sim SEEDS` says that the simulator must find it, too, within so many seeds.
set -eu
cd "$(dirname "$0")/../.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT

fail() {
    cat "$log"
    printf 'controls: %s\n' "$*"
    exit 1
}

tests_of() {
    sed -n 's/^test //p' "$@" | sort -u
}

# Within how many seeds the simulator must find it; nothing: it is not asked to.
seeds_of() {
    sed -n 's/^sim //p' "$@" | sort -n | tail -n 1
}

# build BREAK PROGRAM...
build() {
    cmake --preset control -DHOLDFAST_BREAK="$1" >"$log" 2>&1 || fail "$1 cannot be configured"
    name=$1
    shift
    cmake --build build/control --target "$@" >"$log" 2>&1 || fail "$name does not build"
}

# judge PROGRAM PATTERN: sets $verdict to passed, failed, or what else became of the run.
judge() {
    status=0
    env -u HOLDFAST_REPORT HOLDFAST_TEST_ONLY="$2" timeout 100 "build/control/tests/$1" \
        >"$log" 2>&1 || status=$?
    ran=$(grep -c '^\[ RUN      \]' "$log" || true)
    good=$(grep -c '^\[       OK \]' "$log" || true)
    bad=$(sed -n 's/^\[  \(FAILED\|ERROR \)  \] \([a-z]\)/\2/p' "$log" | sort -u | wc -l)
    if [ "$ran" -eq 0 ]; then
        verdict="names no test"
    elif [ "$status" -eq 124 ] || grep -q 'with exception:' "$log"; then
        verdict="crashed or hung"
    elif [ "$status" -eq 0 ] && [ "$good" -eq "$ran" ]; then
        verdict=passed
    elif [ "$status" -ne 0 ] && [ "$bad" -eq "$ran" ]; then
        verdict=failed
    else
        verdict="ended with status $status after $good of $ran passed"
    fi
}

# expect VERDICT FILE...: of every test that the files name.
expect() {
    wanted=$1
    shift
    list=$(mktemp)
    tests_of "$@" >"$list"
    [ -s "$list" ] || fail "$* names no test"
    while read -r program pattern; do
        judge "$program" "$pattern"
        [ "$verdict" = "$wanted" ] || fail "$* : $program, $pattern: $verdict instead of $wanted"
    done <"$list"
    count=$(wc -l <"$list")
    rm -f "$list"
}

programs() {
    tests_of "$@" | cut -d ' ' -f 1 | sort -u
    [ -z "$(seeds_of "$@")" ] || echo holdfast-sim
}

# simulate STATUS FILE...: the simulator ends with that status; 1: it has found a broken law.
simulate() {
    wanted=$1
    shift
    seeds=$(seeds_of "$@")
    found="not simulated"
    [ -n "$seeds" ] || return 0
    status=0
    timeout 300 build/control/holdfast-sim --seeds "$seeds" >"$log" 2>&1 || status=$?
    [ "$status" -eq "$wanted" ] || fail "$* : the simulator ends with $status instead of $wanted"
    found="$(sed -n 's/^\([0-9]*\) seeds,.*/\1/p' "$log") seeds simulated"
    [ "$wanted" -eq 0 ] || grep -q '^holdfast-sim --seed ' "$log" || fail "$* : no law is named"
}

# The lists of programs are lists of words on purpose.
for control in tests/controls/*.edit; do
    name=$(basename "$control" .edit)
    build "$name" $(programs "$control")
    expect failed "$control"
    simulate 1 "$control"
    printf '%-20s broken: %d of %d named tests fail; %s\n' "$name" "$count" "$count" "$found"
done
build "" $(programs tests/controls/*.edit)
expect passed tests/controls/*.edit
simulate 0 tests/controls/*.edit
printf '%-20s %d of %d named tests pass; %s\n' "nothing broken:" "$count" "$count" "$found"
