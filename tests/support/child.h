/* child.h: a worker in a process of its own: this test program started once more.
 *
 *     int main(int argc, char **argv)
 *     {
 *         int status = child_main(argc, argv, parts);
 *         if (status >= 0) return status;
 */
#ifndef HF_TEST_CHILD_H
#define HF_TEST_CHILD_H

#include <sys/types.h>

#include "tests/support/house.h"

/* Options of a child that runs activities alone, with leases of ten minutes. */
#define CHILD_ACTIVITIES "orchestration_threads=none item_lock_ms=600000 session_lock_ms=600000 "

/* A child process: a runtime on the same directory, with a stage of its own. */
struct child {
    pid_t pid;
    int input, output; /* what it is told, and its lines */
    char pending[8192];
    size_t pending_size;
};

/* Starts a worker: options are words "<field of hf_runtime_options>=<number or none>". Returns when
 * it said that it is ready; fails the test when it was refused. */
void child_start(struct child *self, const char *directory, const char *worker_id,
                 const char *options);
/* The same for one that must be refused; copies its line "refused <status>: <message>", and waits
 * for its end. */
void child_start_refused(const char *directory, const char *worker_id, const char *options,
                         char *out_line, size_t line_size);
/* Reads its next line; false at its end. Fails the test after STAGE_LIMIT_MS. */
bool child_line(struct child *self, char *out_line, size_t line_size);
/* Reads lines until one begins so; fails the test when none comes. */
void child_expect(struct child *self, const char *begin, char *out_line, size_t line_size);
/* Opens a gate of its stage; NULL: all. */
void child_open(struct child *self, const char *gate);
/* Has its observer keep whoever logs that event: stage_watch. Returns when it does. */
void child_watch(struct child *self, const char *event);
/* Calls hf_runtime_stop in it, with ten seconds of grace. Returns when that is done. */
void child_retire(struct child *self);
/* Has its process stop itself, as by SIGSTOP, inside its next commit: it holds the locks of
 * writers. Returns when it stands. */
void child_freeze(struct child *self);
/* Stops its process with SIGSTOP, and waits until it stands. */
void child_stop(struct child *self);
/* Sends a signal (0: none) and waits for its end; returns the status of waitpid. */
int child_end(struct child *self, int signal_number);

/* What main calls first: when this is a child, plays its role and returns its exit status; else -1.
 */
int child_main(int argc, char **argv, const struct part *parts);

#endif
