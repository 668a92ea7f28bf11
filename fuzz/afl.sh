#!/bin/sh
# afl.sh [--minutes N] [COMMAND...]: AFL++ on the whole `holdfast` command, with damaged data files:
# each command that reads ("log verify", "log dump", instances, sessions, stats, workers: all of
# them when none is named) for so long. LMDB may die of its pages; the command must not: it says
# that they are damaged. Needs the packages afl++ and lmdb-utils (tools/setup.sh fuzz).
#
# Seeds are the store of a demo, without its free pages, and the same with a page cut off. Findings
# are in build/afl/COMMAND/default/crashes and hangs.
set -eu
cd "$(dirname "$0")/.."

minutes=5
if [ "${1:-}" = --minutes ] && [ $# -gt 1 ]; then
    minutes=$2
    shift 2
fi
[ $# -gt 0 ] || set -- "log verify" "log dump" instances sessions stats workers

folder=build/afl
log=$(mktemp)
trap 'rm -f "$log"' EXIT

quietly() {
    "$@" >"$log" 2>&1 && return
    cat "$log"
    exit 1
}

quietly cmake -S . -B "$folder/build" -G Ninja -DCMAKE_C_COMPILER=afl-clang-fast \
    -DHOLDFAST_TESTS=OFF
quietly cmake --build "$folder/build" --target holdfast

# The demo leaves its store in $TMPDIR; LMDB's own copy leaves the preallocated pages out.
rm -rf "$folder/seeds" "$folder/demo" "$folder/small"
mkdir -p -m 700 "$folder/seeds" "$folder/demo" "$folder/small"
quietly env TMPDIR="$PWD/$folder/demo" "$folder/build/holdfast" demo
store=$(dirname "$(find "$folder/demo" -name data.mdb | head -n 1)")
quietly mdb_copy -c "$store" "$folder/small"
cp "$folder/small/data.mdb" "$folder/seeds/whole"
head -c -4096 "$folder/seeds/whole" >"$folder/seeds/cut"

status=0
for command in "$@"; do
    name=$(echo "$command" | tr ' ' '-')
    mkdir -p -m 700 "$folder/$name.store"
    # shellcheck disable=SC2086 # a command may be two words
    AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 \
        afl-fuzz -V $((minutes * 60)) -t 20000 -i "$folder/seeds" -o "$folder/$name" \
        -f "$folder/$name.store/data.mdb" -- \
        "$folder/build/holdfast" $command "$folder/$name.store" >"$log" 2>&1 || {
        tail -n 30 "$log"
        exit 1
    }
    stats=$folder/$name/default/fuzzer_stats
    runs=$(sed -n 's/^execs_done *: //p' "$stats")
    crashes=$(sed -n 's/^saved_crashes *: //p' "$stats")
    hangs=$(sed -n 's/^saved_hangs *: //p' "$stats")
    echo "afl: $command: $runs runs in $minutes minutes, $crashes crashes, $hangs hangs"
    [ "$crashes$hangs" = 00 ] || status=1
done
exit $status
