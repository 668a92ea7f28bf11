/* Turns: the threads that run orchestrations, and the turns on their way through them. */
#ifndef HF_RUNTIME_TURNS_H
#define HF_RUNTIME_TURNS_H

#include <uv.h>

#include "runtime/backoff.h"
#include "runtime/job.h"
#include "runtime/live.h"
#include "runtime/watchdog.h"

enum { HF__TURNS_PER_THREAD = 64 };

/* Where a turn stands. The arrows are commits, and the committer thread brings its answer back to
 * the turn's thread.
 *
 *     FREE -> GRANTED -> COMMITTING --ok, fenced--> FREE
 *                \            \--refused-\
 *                 \---------------> ABANDONING --> FREE */
enum hf__turn_state { HF__TURN_FREE, HF__TURN_GRANTED, HF__TURN_COMMITTING, HF__TURN_ABANDONING };

/* A turn that is ours. */
struct hf__turn {
    struct hf__job job; /* commits it, or hands it back; its arena holds the decision */
    struct hf__turn_thread *thread;
    struct hf__turn *next;
    enum hf__turn_state state;
    struct hf_turn_grant grant; /* its name lies in name */
    char name[256];             /* of the orchestration */
    struct hf_arena arena;      /* what was read */
    struct hf_turn_view view;
    struct hf_turn_committed decision;
    struct hf_execution *execution; /* that ran it; NULL: none */
    hf_error error;                 /* why it is handed back */
};

/* One thread; instances belong to it by their number. */
struct hf__turn_thread {
    hf_runtime *runtime;
    uv_thread_t thread;
    uv_cond_t work;
    struct hf__turn *queue_first, *queue_last;
    size_t taken_count; /* turns that are not free again */
    struct hf__watch watch;

    /* The thread's own. */
    struct hf_fiber_pool fibers;
    struct hf_execution_options options;
    struct hf__live live;
    struct hf__backoff backoff;
};

struct hf__turns {
    struct hf__turn *slots;
    size_t slots_count;
    struct hf__turn *free;
    struct hf__turn_thread *threads;
    size_t threads_count, threads_started_count, threads_running_count;
    size_t taken_count; /* of all threads */
    size_t live_count;  /* executions kept, of all threads */
    bool is_ending;     /* the threads leave when they have no turns */
};

/* Makes slots and thread objects; starts no thread. Errors: HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf__turns_init(hf_runtime *runtime, hf_error *error);
/* Threads have ended. */
void hf__turns_release(hf_runtime *runtime);
/* Starts the threads. Errors: HF_IO, and then some run: hf__turns_end. */
HF_MUST_CHECK hf_status hf__turns_start(hf_runtime *runtime, hf_error *error);
/* Lets the threads evict everything and leave. Under the mutex. */
void hf__turns_end(hf_runtime *runtime);
/* Waits for them; for as long as an orchestration blocks. */
void hf__turns_join(hf_runtime *runtime);

/* How many turns could be taken. Under the mutex. */
size_t hf__turns_room(const hf_runtime *runtime);
/* Takes a turn: queues it for its thread. Copies grant. Committer thread, under the mutex. */
void hf__turns_granted(hf_runtime *runtime, const struct hf_turn_grant *grant);

#endif
