#!/bin/sh
# control.sh: proves that table.sh fails when it must.
set -eu
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '# a list\n1.1\tfirst\n1.2\tsecond\n1.3\tthird\tdecision\n' >"$folder/table.tsv"
printf '10.1\tfourth\na7\tfifth\n10.2\tsixth\tcase 4.5\n' >>"$folder/table.tsv"
printf '10.3\tseventh\tstore kv.7\n' >>"$folder/table.tsv"
echo '4.5 a/d' >"$folder/sessions"
echo 'kv.7 a/e' >"$folder/store"

# expect STATUS TEXT LINE...: the table of these lines ends so and says TEXT.
expect() {
    status=0
    wanted=$1
    text=$2
    shift 2
    printf '%s\n' "$@" >"$folder/table"
    said=$(sh "$here/table.sh" cases "$folder/table.tsv" "$folder") || status=$?
    case "$status:$said" in
        "$wanted:"*"$text"*) ;;
        *) printf 'not "%s" with status %s:\n%s\n' "$text" "$wanted" "$said" && exit 1 ;;
    esac
}

expect 0 'cases: 6 of 6 shown, and 1 decided against' '1.2 a/c' \
    '1.1 a/b' '1.2 a/b' '10.1 a/b' 'a7 a/b'
expect 0 'section 1            2 of   2' '1.1 a/b' '1.2 a/b' '10.1 a/b' 'a7 a/b'
expect 0 'section a            1 of   1' '1.1 a/b' '1.2 a/b' '10.1 a/b' 'a7 a/b'
expect 1 'not shown: 1.2  second' '1.1 a/b' '10.1 a/b' 'a7 a/b'
expect 1 'cases: 5 of 6 shown' '1.1 a/b' '10.1 a/b' 'a7 a/b'
expect 1 'under this id: 1.4, claimed by a/c' '1.1 a/b' '1.2 a/b' '1.4 a/c' '10.1 a/b' 'a7 a/b'
expect 1 'under this id: 1.3, claimed by a/c' '1.1 a/b' '1.2 a/b' '1.3 a/c' '10.1 a/b' 'a7 a/b'
echo 'kv.8 a/e' >"$folder/store"
expect 1 'not shown: 10.3  seventh' '1.1 a/b' '1.2 a/b' '10.1 a/b' 'a7 a/b'
echo '4.6 a/d' >"$folder/sessions"
expect 1 'not shown: 10.2  sixth' '1.1 a/b' '1.2 a/b' '10.1 a/b' 'a7 a/b'
: >"$folder/table.tsv"
expect 1 'cases: 0 of 0 shown' ''
echo "table.sh fails when it must"
