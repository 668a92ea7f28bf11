/* house.h: what the tests of whole processes share: a store in a directory of its own, a registry
 * of small orchestrations and activities, a stage on which activities report and wait, and children
 * that are started from /proc/self/exe.
 *
 * Orchestrations (input -> output)
 *   hello     name                -> "Hello, <name>!"
 *   fan       "<n>"               -> "<n>", after n echoes in parallel
 *   chain     "<n>"               -> "<n>", after n echoes one behind the other
 *   talk      "<n>"               -> the reports of n `where` on one session, a line each
 *   waits     -                   session activity `where`, status "waiting", mailbox "go",
 * another: both reports hold      -                   `hold` on a session; mailbox "close" closes
 * the session hold_free -                   `hold` without a session -> what it returned naps
 * "<ms>"              -> "woke", after a durable timer Activities echo      returns its input where
 * reports "<worker> <cold|warm> <first|later> <attempt>", and leaves a memory behind hold reports
 * "held <worker> <attempt>", then waits until it is told to stop or let go stuck     the same, but
 * heeds nothing but being let go */
#ifndef HF_TEST_HOUSE_H
#define HF_TEST_HOUSE_H

#include <pthread.h>
#include <sys/types.h>

#include "tests/support/hf_test.h"

enum { HOUSE_LIMIT_MS = 60000, HOUSE_LINE_SIZE = 256, HOUSE_LINES_MAX = 4096 };

/* What activities say, and what the log says, line by line; waits on it. */
struct stage {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char (*lines)[HOUSE_LINE_SIZE];
    size_t lines_count;
    int output;       /* -1, or where each line is written too: a child's standard output */
    bool lets_go;     /* `stuck` and `hold` return */
    int memories;     /* of sessions: made and not destroyed */
    int memories_max; /* ever at once */
};

struct house {
    struct hf_test_directory directory;
    struct stage stage;
    hf_observer observer;
    hf_registry *registry;
    hf_store *store;
};

/* Prepares a stage. */
void stage_init(struct stage *self, int output);
/* Gives it back; nobody waits on it. */
void stage_release(struct stage *self);
/* Adds a line. Any thread. */
void stage_say(struct stage *self, const char *line);
/* How many lines begin with `begin`. */
size_t stage_count(struct stage *self, const char *begin);
/* Waits until count lines begin so; fails the test after HOUSE_LIMIT_MS. */
void stage_wait(struct stage *self, const char *begin, size_t count);
/* Lets `stuck` and `hold` return. */
void stage_let_go(struct stage *self);
/* Memories of sessions that were made and not destroyed. */
int stage_memories(struct stage *self);

/* A registry with everything above, reporting on stage. Without those named in `without` (NULL:
 * none is missing). */
hf_registry *house_registry(struct stage *stage, const char *without);
/* An observer that says each line of the log on the stage: "log <event> <worker>: <message>". */
hf_observer house_observer(struct stage *stage);

/* Makes directory, stage, registry and store. */
void house_open(struct house *self);
/* Closes the store, proves it with hf_store_verify, removes all. Runtimes are freed before. */
void house_close(struct house *self);
/* Proves the closed store in the directory. */
void house_verify(const char *directory);
/* Starts a runtime with check_replay on. */
hf_runtime *house_worker(struct house *self, const hf_runtime_options *options);
/* Starts an instance; fails the test otherwise. */
void house_start(struct house *self, const char *instance, const char *orchestration,
                 const char *input);
/* Waits for it, asserts that it completed, copies its output. */
void house_output(struct house *self, const char *instance, char *out_text, size_t text_size);
/* The same, and compares. */
void house_expect(struct house *self, const char *instance, const char *output);
/* Waits until the instance shows that custom status. */
void house_wait_status(struct house *self, const char *instance, const char *status);
/* Stops a runtime in order and waits for it: its counters are final then. */
void house_rest(hf_runtime *runtime);
/* The value of a runtime's metric. */
double house_metric(hf_runtime *runtime, const char *name);

/* A child process in the role `worker`: a runtime on the same directory. */
struct child {
    pid_t pid;
    int output; /* its lines */
    char pending[4096];
    size_t pending_size;
};

/* Starts this program again as `worker <directory> <worker id> <options>`: options is "" or made of
 * the letters a (no orchestrations), o (no activities). Returns when it said that it is ready, or
 * that it was refused. */
void child_start(struct child *self, const char *directory, const char *worker_id,
                 const char *options);
/* Reads its next line; false at its end. Fails the test after HOUSE_LIMIT_MS. */
bool child_line(struct child *self, char *out_line, size_t line_size);
/* Reads lines until one begins so; fails the test when none comes. */
void child_expect(struct child *self, const char *begin, char *out_line, size_t line_size);
/* Sends a signal and waits for its end; returns the status of waitpid. */
int child_end(struct child *self, int signal_number);

/* What main calls first: when this is a child, plays its role and returns its exit status; else -1.
 */
int house_child_main(int argc, char **argv);

#endif
