#!/bin/sh
# run.sh: positive controls. For each tests/controls/<name>.edit the product is built with that one
# thing broken (cmake/control.cmake), and each test that the file names must fail: by an assertion,
# not by a crash. Then all of them must pass in a build with nothing broken. All in build/control.
#
# A line `test PROGRAM PATTERN` names them: the tests of that program whose names match.
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
}

# The lists of programs are lists of words on purpose.
for control in tests/controls/*.edit; do
    name=$(basename "$control" .edit)
    build "$name" $(programs "$control")
    expect failed "$control"
    printf '%-20s broken: %d of %d named tests fail\n' "$name" "$count" "$count"
done
build "" $(programs tests/controls/*.edit)
expect passed tests/controls/*.edit
printf '%-20s %d of %d named tests pass\n' "nothing broken:" "$count" "$count"
