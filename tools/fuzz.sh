#!/bin/sh
# fuzz.sh [--minutes N] [TARGET...]: runs each fuzz target (all: see fuzz/) for so long, with
# AddressSanitizer and UndefinedBehaviorSanitizer. Starts from the stored corpus; what is found new
# stays in build/fuzz/found/TARGET, and is for whoever keeps it:
#
#     build/fuzz/fuzz/fuzz_TARGET -merge=1 fuzz/corpus/TARGET build/fuzz/found/TARGET
#
# Ends with what ran, and fails on a finding: its input is build/fuzz/found/TARGET-crash-...
set -eu
cd "$(dirname "$0")/.."

minutes=10
if [ "${1:-}" = --minutes ] && [ $# -gt 1 ]; then
    minutes=$2
    shift 2
fi

found=build/fuzz/found
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake --preset fuzz >"$log" 2>&1 && cmake --build --preset fuzz >"$log" 2>&1 || {
    cat "$log"
    exit 1
}

[ $# -gt 0 ] || set -- $(cd fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
for target in "$@"; do
    mkdir -p "$found/$target"
    if ! build/fuzz/fuzz/fuzz_"$target" -max_total_time=$((minutes * 60)) -timeout=20 \
        -rss_limit_mb=4096 -artifact_prefix="$found/$target-" -print_final_stats=1 \
        "$found/$target" "fuzz/corpus/$target" >"$log" 2>&1; then
        tail -n 40 "$log"
        echo "fuzz: $target failed; again: build/fuzz/fuzz/replay_$target $found/$target-..."
        exit 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "fuzz: $target: $runs runs in $minutes minutes, $edges edges, nothing found"
done
