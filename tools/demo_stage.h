/* What the demo and the soak stand on: the text, a fresh store, worker processes, messages to the
 * conversations and a look at them. */
#ifndef HF_TOOL_DEMO_STAGE_H
#define HF_TOOL_DEMO_STAGE_H

#include <pthread.h>
#include <sys/types.h>

#include "include/holdfast.h"

enum { DEMO_PATIENCE_MS = 60000, DEMO_ID_SIZE = 40, DEMO_PATH_SIZE = 512 };

/* A worker process. */
struct demo_worker {
    char id[DEMO_ID_SIZE];
    pid_t pid; /* 0: not running */
};

struct demo_stage {
    char directory[DEMO_PATH_SIZE];
    char program[DEMO_PATH_SIZE]; /* this command, to be run as worker and for inspection */
    hf_store *store;
    size_t conversations_count;
    hf_slice text;
    hf_slice *lines;
    size_t lines_count;
    pthread_mutex_t lock; /* of the three below */
    pthread_cond_t answered;
    size_t in_flight;
    hf_error failure; /* the first failed command */
};

/* Where a conversation stands, as its custom status tells. */
struct demo_progress {
    int64_t line;
    char worker[DEMO_ID_SIZE];
    bool has_ended;
};

/* What a conversation counts. */
struct demo_count {
    int64_t lines, words;
};

/* Says "demo: <what>: <why>" on standard error; returns 1. */
int demo_say(const char *what, const char *why);

/* Reads the text at path, makes a directory and opens a store in it. Returns 0, or 1 after saying
 * why not. Then demo_stage_close, whatever it returned. */
int demo_stage_open(struct demo_stage *stage, const char *path, size_t conversations_count);

/* Closes the store, after the last message was answered; the directory stays. */
void demo_stage_leave(struct demo_stage *stage);

/* Gives the memory back. */
void demo_stage_close(struct demo_stage *stage);

/* The id of a conversation, counted from 0, into id. Returns id. */
char *demo_conversation_id(size_t conversation, char id[DEMO_ID_SIZE]);

/* Starts all conversations. Returns 0, or 1 after saying why not. */
int demo_conversations_start(struct demo_stage *stage);

/* Names worker `number`, counted from 1, starts its process, and waits until it is registered. As
 * above. */
int demo_worker_start(struct demo_stage *stage, struct demo_worker *worker, int number);

/* Ends the worker's process by that signal and waits for it. Returns 0 when it ended as that signal
 * has it end: by SIGKILL, or in order with status 0; else 1 after saying how. 0 when none runs. */
int demo_worker_end(struct demo_worker *worker, int signal_number);

/* Sends one message to a conversation, without waiting for its commit. Copies line. As above. */
int demo_send(struct demo_stage *stage, size_t conversation, char kind, hf_slice line);

/* Waits until every message is answered; 1 after saying what failed. */
int demo_settle(struct demo_stage *stage);

/* Looks where a conversation stands. As above. */
int demo_look(struct demo_stage *stage, size_t conversation, struct demo_progress *out_progress);

/* Waits until a conversation has ended and compares what it counted with the plain count. As above.
 */
int demo_compare(struct demo_stage *stage, size_t conversation, const struct demo_count *plain);

/* Runs `holdfast sessions DIR [--json]`; its output goes to `to`, or to ours when to < 0. As above.
 */
int demo_sessions_run(const struct demo_stage *stage, bool json, int to);

/* Verifies the log of the store, which is closed. As above. */
int demo_verify(const struct demo_stage *stage);

#endif
