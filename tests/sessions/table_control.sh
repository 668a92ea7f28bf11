#!/bin/sh
# table_control.sh: proves that table.sh fails when it must.
set -eu
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '# a list\n1.1\tfirst\n1.2\tsecond\n10.1\tthird\n' >"$folder/cases"

# expect STATUS TEXT LINE...: the table of these lines ends so and says TEXT.
expect() {
    status=0
    wanted=$1
    text=$2
    shift 2
    printf '%s\n' "$@" >"$folder/shown"
    said=$(sh "$here/table.sh" "$folder/cases" "$folder/shown") || status=$?
    case "$status:$said" in
        "$wanted:"*"$text"*) ;;
        *) printf 'not "%s" with status %s:\n%s\n' "$text" "$wanted" "$said" && exit 1 ;;
    esac
}

expect 0 'session cases: 3 of 3 shown' '1.1 a/b' '1.2 a/b' '1.2 a/c' '10.1 a/b'
expect 0 'section  1    2 of   2' '1.1 a/b' '1.2 a/b' '10.1 a/b'
expect 1 'not shown: 1.2  second' '1.1 a/b' '10.1 a/b'
expect 1 'session cases: 2 of 3 shown' '1.1 a/b' '10.1 a/b'
expect 1 'no such case: 1.3, claimed by a/c' '1.1 a/b' '1.2 a/b' '1.3 a/c' '10.1 a/b'
rm "$folder/cases" && : >"$folder/cases"
expect 1 'session cases: 0 of 0 shown' ''
echo "table.sh fails when it must"
