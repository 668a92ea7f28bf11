#!/bin/sh
# run.sh laws|controls FOLDER: checks the model of sessions (laws.pml) with spin, working in FOLDER.
#   laws      every law holds, in a search that was whole and reached every statement
#   controls  with one check of the model spoiled, the law that stands on it is seen to fall; and a
#             search that was cut short is not taken for a whole one
# SPIN and CC name the programs. Prints how many states each search explored.
set -eu
mode=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
model=$(cd "$(dirname "$0")" && pwd)/laws.pml
spin=${SPIN:-spin}
cc=${CC:-cc}
memory_mib=1900

fail() {
    printf 'model: %s\n' "$*" >&2
    exit 1
}

# build NAME "SPIN-OPTIONS" "CC-OPTIONS": makes FOLDER/NAME/pan, and goes there.
build() {
    rm -rf "${folder:?}/$1"
    mkdir -p "$folder/$1"
    cd "$folder/$1"
    # The options are lists of words on purpose.
    $spin $2 -a "$model" >spin.out 2>&1 || { cat spin.out; fail "$1: spin -a failed"; }
    $cc -w $3 "-DMEMLIM=$memory_mib" -o pan pan.c || fail "$1: pan.c does not compile"
}

# search PAN-OPTION...: runs the search; what it found is in pan.out, for the functions below.
search() {
    ./pan -b -m10000 "$@" >pan.out 2>&1 || true
}

# is_whole: whether the search ended by itself, found nothing, and was never cut short.
is_whole() {
    grep -q 'errors: 0$' pan.out &&
        ! grep -Eq 'Search not completed|max search depth|reached -DMEMLIM|out of memory' pan.out
}

show_failure() {
    grep -v '^$' pan.out | head -40
    [ ! -e laws.pml.trail ] || ./pan -r laws.pml.trail 2>/dev/null | grep -v '^$' | tail -80
}

# holds NAME PAN-OPTION...: the search must be whole.
holds() {
    name=$1
    shift
    search "$@"
    if ! is_whole; then
        show_failure
        fail "$name: $(grep -m 1 -E '^(pan:[0-9]|error:)|MEMLIM' pan.out)"
    fi
    awk -v name="$name" '/states, stored/ { states = $1 } /depth reached/ { depth = $6 + 0 }
        /total actual memory/ { memory = $1 }
        END { printf "%s: holds: %d states, %d steps deep, %d MiB\n", name, states, depth, memory }
    ' pan.out
}

# reached_all: every statement was reached; a law's complaint and the end of a loop never are.
reached_all() {
    unreached=$(sed -n '/^unreached in proctype/,/^unreached in claim/p' pan.out |
        grep -E '\.pml:' | grep -v -e '"-end-"' -e '"assert(' || true)
    [ -z "$unreached" ] || fail "statements that no search reached:
$unreached"
}

check_laws() {
    build states "-DTROUBLES=4 -DCALM=false -DBREAK=NOTHING" "-O2 -DSAFETY -DNOCLAIM"
    holds "laws of every state"
    build end "-DTROUBLES=3 -DCALM=true -DBREAK=NOTHING" "-O2"
    for law in no_item_lost purge_leaves_no_orphan; do
        holds "$law in the end" -a -N $law
    done
    reached_all
}

# falls LAW BREAK: the law, alone, is broken in some state.
falls() {
    build "$2-$1" "-DTROUBLES=3 -DCALM=false -DBREAK=$2 -DONLY=$1" "-O1 -DSAFETY -DNOCLAIM"
    search
    grep -q "assertion violated $1 " pan.out || { show_failure; fail "$2 does not break $1"; }
    echo "$2 breaks $1"
}

# falls_in_the_end LAW BREAK: some run ends against the law.
falls_in_the_end() {
    build "$2-$1-end" "-DTROUBLES=2 -DCALM=true -DBREAK=$2" "-O1"
    search -a -A -N "$1"
    grep -q 'acceptance cycle' pan.out || { show_failure; fail "$2 does not break $1 in the end"; }
    echo "$2 breaks $1 in the end"
}

# stands_in_the_end LAW BREAK: the law does not hang on that check; so searches of the end can pass.
stands_in_the_end() {
    build "$2-$1-end" "-DTROUBLES=2 -DCALM=true -DBREAK=$2" "-O1"
    holds "$1 in the end, with $2" -a -A -N "$1"
}

# is_cut_short COMPLAINT PAN-OPTION...: pan complains, and the search does not pass for a whole one.
is_cut_short() {
    complaint=$1
    shift
    search "$@"
    grep -q -e "$complaint" pan.out || { show_failure; fail "no complaint: $complaint"; }
    ! is_whole || fail "a search passes for a whole one in spite of: $complaint"
    echo "a search that was cut short is seen: $complaint"
}

check_controls() {
    falls event_at_most_once LATE_COMPLETIONS
    falls none_acknowledged_twice NO_FINAL_CHECK
    falls one_live_owner DEAD_MAY_ACT
    falls one_live_owner NO_OWNER_COMPARE
    falls old_owner_never_passes NO_EPOCH_COMPARE
    falls old_owner_never_passes NO_TOKEN_COMPARE
    falls unowned_lease_revives CLOCK_DECIDES
    falls unowned_lease_revives RENEWAL_CLAIMS
    falls no_item_lost NO_REQUEUE
    falls purge_leaves_no_orphan NO_INCARNATION
    falls_in_the_end no_item_lost NO_REQUEUE
    falls_in_the_end purge_leaves_no_orphan NO_PURGE
    falls_in_the_end purge_leaves_no_orphan NO_RECLAIM
    stands_in_the_end no_item_lost NO_RECLAIM

    build depth "-DTROUBLES=1 -DCALM=false -DBREAK=NOTHING" "-O1 -DSAFETY -DNOCLAIM"
    is_cut_short 'max search depth too small' -m20
    build numbers "-DTROUBLES=9 -DCALM=false -DBREAK=NOTHING" "-O1 -DSAFETY -DNOCLAIM"
    is_cut_short 'invalid array index'
    memory_mib=150
    build memory "-DTROUBLES=3 -DCALM=false -DBREAK=NOTHING" "-O1 -DSAFETY -DNOCLAIM"
    is_cut_short 'reached -DMEMLIM bound'
}

case $mode in
    laws) check_laws ;;
    controls) check_controls ;;
    *) fail "unknown mode $mode: laws or controls" ;;
esac
