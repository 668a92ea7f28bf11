#!/bin/sh
# report.sh FOLDER: adds up the test cases that ran, per room, and fails when a test program started
# and counted none. Each line of FOLDER/cases is "room/subject COUNT", written by hf_test_run.
# ctest hides what a passing test prints, so a caller may ask for a second copy on the descriptor
# HOLDFAST_REPORT_FD, which it holds open for this program.
set -eu
folder=$1
mkdir -p "$folder/started"
touch "$folder/cases"

started() { (cd "$folder/started" && find . -type f | sed 's|^\./||' | sort); }

summary() {
    started | awk -v cases_file="$folder/cases" '
        BEGIN {
            while ((getline line < cases_file) > 0) {
                split(line, field, " ")
                cases[field[1]] += field[2]
            }
        }
        {
            room = substr($1, 1, index($1, "/") - 1)
            if (!(room in programs)) order[++rooms] = room
            programs[room]++
            total_programs++
            count[room] += cases[$1]
            total += cases[$1]
            if (cases[$1] == 0) silent[++silents] = $1
        }
        END {
            for (i = 1; i <= rooms; i++)
                printf "%-12s %5d cases in %3d programs\n", order[i], count[order[i]],
                    programs[order[i]]
            printf "%-12s %5d cases in %3d programs\n", "together", total, total_programs
            for (i = 1; i <= silents; i++)
                printf "%s: started and counted no case: does it run its group to the end?\n",
                    silent[i]
            if (silents > 0 || total == 0) exit 1
        }'
}

status=0
text=$(summary) || status=1
printf '%s\n' "$text"
if [ -n "${HOLDFAST_REPORT_FD:-}" ]; then
    printf '\nTest cases that ran:\n%s\n' "$text" >&"$HOLDFAST_REPORT_FD"
fi
exit "$status"
