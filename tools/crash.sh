#!/bin/sh
# crash.sh [--minutes N] [--seed S]: the long crash campaign; the check runs the same programs once.
#   kills    worker processes end by SIGKILL at random moments
#   power    what a power cut may leave, at every moment of a recorded workload, by other chances
#            each time
#   exits    the process ends before and after every call that changes the store's files (once)
#   faults   every such call fails, in every way (once)
#   sim      whole clusters on one store, from one seed each
# Ends with what ran. A finding ends it with the seed, and the line that repeats it.
set -eu
cd "$(dirname "$0")/.."

minutes=10
seed=$(date +%s)
while [ $# -gt 1 ]; do
    case $1 in
        --minutes) minutes=$2 ;;
        --seed) seed=$2 ;;
        *) break ;;
    esac
    shift 2
done
[ $# -eq 0 ] || { echo "usage: tools/crash.sh [--minutes N] [--seed S]" >&2; exit 2; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake --preset release >"$log" 2>&1 && cmake --build --preset release >"$log" 2>&1 ||
    { cat "$log"; exit 1; }

# try NAME PROGRAM [ARGUMENT...]: runs it from $seed; says how to repeat it when it fails.
try() {
    name=$1
    shift
    if ! HOLDFAST_TEST_SEED=$seed "$@" >"$log" 2>&1; then
        cat "$log"
        echo "crash: $name failed; again: HOLDFAST_TEST_SEED=$seed $*"
        exit 1
    fi
}

end=$(($(date +%s) + minutes * 60))
first=$seed
echo "crash: from seed $seed, for $minutes minutes"
try exits build/tests/test_crash_exits
try faults build/tests/test_crash_faults
while [ "$(date +%s)" -lt "$end" ]; do
    try kills build/tests/test_crash_kills
    try power build/tests/test_crash_power
    try sim build/holdfast-sim --seed "$((seed * 1000))" --seeds 200
    seed=$((seed + 1))
done
rounds=$((seed - first))
echo "crash: $rounds rounds of kills, power cuts and 200 simulated clusters: nothing found"
