/* command.h: `holdfast` as a user calls it. */
#ifndef HF_TEST_COMMAND_H
#define HF_TEST_COMMAND_H

#include "tests/support/hf_test.h"

/* One run of the command: what it printed on both channels, and its exit status. */
struct command {
    char output[64 * 1024]; /* what is beyond is not kept */
    int exit_status;
};

/* Runs holdfast with words for a shell: "log verify '/path'". A sanitizer leaves it its faults: how
 * it meets them is what is looked at. Fails the test when a signal ends it. */
void command_run(struct command *self, const char *words);

/* Fails the test, and shows the output, unless the run ended so and said so. */
void command_must(const struct command *self, int exit_status, const char *said);

/* Fails the test, and shows the output, when the run said so. */
void command_must_not(const struct command *self, const char *said);

#endif
