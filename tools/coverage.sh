#!/bin/sh
# coverage.sh: how much of engine, indexes and logstore the tests run, by line and by branch. Left
# out are assertions, whose other side no test may reach. What a killed process ran does not count.
set -eu
cd "$(dirname "$0")/.."

sh tools/setup.sh coverage
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
    "$@" >"$log" 2>&1 && return
    cat "$log"
    printf '\ncoverage: failed: %s\n' "$*"
    exit 1
}

find build/coverage -name '*.gcda' -delete 2>/dev/null || true # of a former run
quietly cmake --preset coverage
quietly cmake --build --preset coverage
quietly ctest --preset coverage --no-tests=error -j "$(nproc)"
gcovr --root . --object-directory build/coverage \
    --filter engine/ --filter indexes/ --filter logstore/ \
    --exclude-lines-by-pattern '.*(hf_assert\(|HF_UNREACHABLE).*' --exclude-unreachable-branches \
    --print-summary build/coverage 2>"$log" || {
    cat "$log"
    exit 1
}
