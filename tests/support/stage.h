/* stage.h: what the activities of a test's workers report, and what they wait for; and the small
 * orchestrations and activities that many tests share.
 *
 * Orchestrations   input     output
 *   hello          name      "Hello, <name>!"
 *   fan            "<n>"     "<n>", after n echoes in parallel
 *   chain          "<n>"     "<n>", after n echoes one behind the other
 *   naps           "<ms>"    "woke", after a durable timer
 *   talk           "<n>"     n reports of `where` on one session, a line each
 *   waits          -         two reports of `tell` on the session "desk"; between them it shows
 *                            the status "waiting" and takes a message from the mailbox "go"
 *   hold           gate      the status of `hold` on the session "desk", which the mailbox
 *                            "close" closes
 *   hold_free      gate      what `hold` on the session "desk" returned; of `stuck` if it names
 *                            a gate
 *
 * Activities
 *   echo           returns its input
 *   greet          "Hello, <input>!"
 *   where          "<worker> <cold|warm> <first|later> <attempt>", also said on the stage
 *   tell           the same in full: struct told; also said on the stage
 *   hold           says "held <instance> <worker> <attempt> <gate>", waits until it is told to stop
 *                  (says "told <instance> <worker>") or its gate opens (returns "let go"); the gate
 *                  is its input
 *   stuck          the same, but it heeds nothing except its gate
 * `where` and `tell` leave a memory in their session, which says "forgotten <worker>" at its end.
 */
#ifndef HF_TEST_STAGE_H
#define HF_TEST_STAGE_H

#include <pthread.h>

#include "tests/support/hf_test.h"

enum {
    STAGE_LIMIT_MS = 60000, /* of every wait */
    STAGE_LINE_SIZE = 512,
    STAGE_LINES_MAX = 4096,
    STAGE_GATES_MAX = 16,
    STAGE_NAME_SIZE = 64
};

/* What activities and the log say, line by line; gates; and the memories of sessions. */
struct stage {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char (*lines)[STAGE_LINE_SIZE];
    size_t lines_count;
    int output;        /* -1, or where each line is written too: a child's standard output */
    bool all_are_open; /* every gate */
    char gates[STAGE_GATES_MAX][STAGE_NAME_SIZE]; /* that are open */
    size_t gates_count;
    char watched[STAGE_NAME_SIZE]; /* event of the log at which threads are kept; "": none */
    int memories;                  /* of sessions: made and not destroyed */
    int memories_max;              /* ever at once */
};

/* Prepares a stage. */
void stage_init(struct stage *self, int output);
/* Gives it back; nobody waits on it. */
void stage_release(struct stage *self);
/* Adds a line. Any thread. */
void stage_say(struct stage *self, const char *line);
/* printf of a line. Any thread. */
void stage_sayf(struct stage *self, const char *format, ...) HF_PRINTF(2, 3);
/* How many lines begin with `begin`. */
size_t stage_count(struct stage *self, const char *begin);
/* Waits until count lines begin so; fails the test after STAGE_LIMIT_MS. */
void stage_wait(struct stage *self, const char *begin, size_t count);
/* Copies the line that is the number-th, from 1, to begin so; waits for it. */
void stage_line(struct stage *self, const char *begin, size_t number, char *out_line,
                size_t line_size);
/* Prints all lines: for a test that is about to fail. */
void stage_print(struct stage *self);
/* Opens one gate; NULL: all of them. */
void stage_open(struct stage *self, const char *gate);
/* Memories of sessions that were made and not destroyed. */
int stage_memories(struct stage *self);

/* Whether the gate is open. Any thread: for activities of a test's own. */
bool stage_is_open(struct stage *self, hf_slice gate);
/* Waits until it is, heeding nothing else. Any thread but the test's. */
void stage_wait_open(struct stage *self, hf_slice gate);
/* Counts this activity in the memory of its session, which it makes when there is none; returns how
 * many were counted before. 0 without a session. */
uint64_t stage_meet(hf_activity *a);

/* What `tell` reports. */
struct told {
    char worker[STAGE_NAME_SIZE], session[STAGE_NAME_SIZE]; /* "-": an ordinary activity */
    uint64_t incarnation, epoch;
    bool is_first; /* first_in_claim */
    uint64_t met;  /* activities that used its memory before it: 0 is cold */
    unsigned attempt;
};

/* Reads such a line; fails the test when it is none. */
void told_read(const char *line, struct told *out_told);
/* Reads up to told_max lines of text; returns how many there were. */
size_t told_read_all(const char *text, struct told *out_told, size_t told_max);

/* For orchestrations: calls `tell` on the session ({0}: on none) and adds its report to lines. */
HF_MUST_CHECK hf_status stage_tell(hf_orchestration *o, hf_session session, hf_slice *lines);
/* For orchestrations: lines and one more. Valid until: the scope ends. */
hf_slice stage_add(hf_orchestration *o, hf_slice lines, hf_slice line);

/* What a test adds of its own; a row has one of the two functions, with the stage as its user
 * pointer, and the last row is zero. */
struct part {
    const char *name;
    hf_orchestration_fn orchestration;
    hf_activity_fn activity;
};

/* A registry with everything above and parts (NULL: none), without the one named `without` (NULL:
 * none is missing). Returns owned. */
hf_registry *stage_registry(struct stage *stage, const struct part *parts, const char *without);
/* An observer that says each line of the log on the stage, of all levels:
 * "log <event> <worker> <instance> <session>: <message>", "-" for what it does not name. */
hf_observer stage_observer(struct stage *stage);
/* From now on the observer keeps the thread that logs such an event until the gate of that name
 * opens: so a test stops a thread of the library at a known place. */
void stage_watch(struct stage *self, const char *event);

#endif
