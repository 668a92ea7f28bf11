/* Letting sessions go, in one command at a time: all that have nothing running, when the worker
 * stops; those that were idle for session_idle_ms, while it works. */
#ifndef HF_RUNTIME_RELEASING_H
#define HF_RUNTIME_RELEASING_H

#include <uv.h>

#include "runtime/task.h"

struct hf__releasing {
    struct hf__task task;
    uv_timer_t idle;       /* wakes at the nearest end of an idle time */
    bool is_refused;       /* as a whole, or for work that is not known here: not again before the
                              next tick */
    struct hf_arena owned; /* what the store says is ours, when the claims are incomplete */
};

/* Prepares the task; the loop makes the timer. */
void hf__releasing_init(hf_runtime *runtime);
/* Not while the task is busy. */
void hf__releasing_release(hf_runtime *runtime);

/* Releases every session in which nothing of ours is under way. Loop thread, as the next ones. */
void hf__releasing_stop(hf_runtime *runtime);
/* Releases those whose idle time is over, and sleeps until the next one's is. */
void hf__releasing_look(hf_runtime *runtime);
/* The next tick has come: what was refused as a whole may be tried again, and claims that could not
 * be learned are let go. */
void hf__releasing_tick(hf_runtime *runtime);
/* Looks at answers. */
void hf__releasing_answers(hf_runtime *runtime);
/* Has the loop thread look when a session has become idle. Under the mutex. */
void hf__releasing_note(hf_runtime *runtime);

#endif
