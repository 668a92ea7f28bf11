#!/bin/sh
# table.sh TITLE TABLE NOTES: how much of a table of promises was shown, per section, and what was
# not. TABLE.tsv has a line "<id> TAB <what must be observed>" each. An id is "<section>.<number>",
# or a letter and a number. A third field says how else it is kept: "case 4.5", by that line of
# sessions.tsv; "store kv.7", by that line of store.tsv; "decision", by nothing that can be run.
# NOTES is the folder in which tests that passed noted what they show, "<id> <room>/<subject>" a
# line, in a file of the table's name.
# Fails when a line was not shown, or an id is claimed that is not in the table.
set -eu
title=$1
table=$2
shown=$3/$(basename "$table" .tsv)
touch "$shown" "$3/sessions" "$3/store"

awk -F '\t' -v title="$title" -v shown_file="$shown" -v notes="$3" '
    function section_of(id) {
        return index(id, ".") ? substr(id, 1, index(id, ".") - 1) : substr(id, 1, 1)
    }
    # What the file of another table shows, under the word by which this one refers to it.
    function read_elsewhere(file, word) {
        while ((getline line < file) > 0) {
            split(line, field, " ")
            elsewhere[word " " field[1]] = 1
        }
    }
    BEGIN {
        while ((getline line < shown_file) > 0) {
            split(line, field, " ")
            claimed[field[1]] = field[2]
        }
        read_elsewhere(notes "/sessions", "case")
        read_elsewhere(notes "/store", "store")
    }
    /^#/ || NF < 2 { next }
    $3 == "decision" {
        decided++
        next
    }
    {
        section = section_of($1)
        if (!(section in total)) order[++sections] = section
        total[section]++
        all++
        if ($1 in claimed || $3 in elsewhere) {
            count[section]++
            together++
            delete claimed[$1]
        } else {
            missing[++gaps] = $1 "  " $2
        }
    }
    END {
        for (i = 1; i <= sections; i++)
            printf "section %-10s %3d of %3d\n", order[i], count[order[i]], total[order[i]]
        for (i = 1; i <= gaps; i++) print "not shown: " missing[i]
        for (id in claimed) {
            print "nothing to show under this id: " id ", claimed by " claimed[id]
            strangers++
        }
        printf "%s: %d of %d shown", title, together, all
        if (decided > 0) printf ", and %d decided against", decided
        printf "\n"
        if (gaps > 0 || strangers > 0 || all == 0) exit 1
    }' "$table"
