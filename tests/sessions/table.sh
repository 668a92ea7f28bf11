#!/bin/sh
# table.sh CASES SHOWN: how many session cases were shown, per section, and which were not. CASES is
# the list, "<section>.<number> TAB <what must be observed>" a line; SHOWN has a line
# "<section>.<number> <room>/<subject>" for each test that passed and claims a case.
# Fails when a case was not shown, or one is claimed that is not in the list.
set -eu
cases=$1
shown=$2
touch "$shown"

awk -F '\t' -v shown_file="$shown" '
    BEGIN {
        while ((getline line < shown_file) > 0) {
            split(line, field, " ")
            claimed[field[1]] = field[2]
        }
    }
    /^#/ || NF < 2 { next }
    {
        section = substr($1, 1, index($1, ".") - 1)
        if (!(section in total)) order[++sections] = section
        total[section]++
        all++
        if ($1 in claimed) {
            count[section]++
            together++
            delete claimed[$1]
        } else {
            missing[++gaps] = $1 "  " $2
        }
    }
    END {
        for (i = 1; i <= sections; i++)
            printf "section %2d  %3d of %3d\n", order[i], count[order[i]], total[order[i]]
        for (i = 1; i <= gaps; i++) print "not shown: " missing[i]
        for (id in claimed) {
            print "no such case: " id ", claimed by " claimed[id]
            strangers++
        }
        printf "session cases: %d of %d shown\n", together, all
        if (gaps > 0 || strangers > 0 || all == 0) exit 1
    }' "$cases"
