/* role.h: this test program started once more, as another process with a role to play.
 *
 *     int main(int count, char **words)
 *     {
 *         if (count > 2 && strcmp(words[1], "--role") == 0) return play(words + 2);
 *
 * Parent and role talk in lines: the role reads its standard input and prints to its standard
 * output. */
#ifndef HF_TEST_ROLE_H
#define HF_TEST_ROLE_H

#include <stdio.h>
#include <sys/types.h>

#include "tests/support/hf_test.h"

enum { HF_ROLE_LINE_SIZE = 256 };

/* A process that plays a role. */
struct hf_role {
    pid_t process;
    FILE *to, *from;
    char line[HF_ROLE_LINE_SIZE]; /* the latest that was heard, without its newline */
};

/* Starts `/proc/self/exe --role words...`; words end with NULL. Fails the test when it cannot. */
void hf_role_start(struct hf_role *self, const char *const *words);
/* Waits for a line of the role; fails the test unless it begins with `expected`. Returns
 * self->line. */
const char *hf_role_hear(struct hf_role *self, const char *expected);
/* Waits for any line of the role; false: it says no more. */
bool hf_role_hear_any(struct hf_role *self);
/* Writes a line to the role. */
void hf_role_say(struct hf_role *self, const char *line);
/* Kills it with SIGKILL and waits until it is gone. */
void hf_role_kill(struct hf_role *self);
/* Closes its standard input and waits for its end. Returns its exit status, or minus the signal. */
int hf_role_finish(struct hf_role *self);

/* For the role: prints a line at once. */
void hf_role_print(const char *line);
/* For the role: whether a line can be read, or the parent is gone. */
bool hf_role_is_told(void);
/* For the role: reads a line; false: the parent is gone. */
bool hf_role_try_read(char line[HF_ROLE_LINE_SIZE]);
/* For the role: reads a line; ends the process when the parent is gone. */
void hf_role_read(char line[HF_ROLE_LINE_SIZE]);

#endif
