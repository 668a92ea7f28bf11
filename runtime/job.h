/* A job: a command that must get an answer, because work would be stuck without: completing an
 * item, committing a turn, handing either back. Refused for want of room, memory or luck, it is
 * tried again, with pauses that grow, until the runtime's grace period is over. */
#ifndef HF_RUNTIME_JOB_H
#define HF_RUNTIME_JOB_H

#include "runtime/committer.h"

struct hf__job {
    struct hf__submission submission;
    struct hf__job *next_retry;
    uint32_t pause_ticks; /* the latest pause; 0: its latest answer was final */
    uint32_t left_ticks;  /* of that pause */
};

struct hf__retries {
    struct hf__job *first;
    bool is_closed; /* the grace is over: nothing is tried again */
};

/* Keeps a job whose answer was not final for a later tick. False: its answer is final, or nothing
 * is tried again. Under the mutex. */
bool hf__retries_add(hf_runtime *runtime, struct hf__job *job);
/* Submits those again whose pause ends with this tick. Under the mutex. */
void hf__retries_submit(hf_runtime *runtime);
/* Ends all of them with the answer they have, and tries nothing again. Loop thread, without the
 * mutex. */
void hf__retries_close(hf_runtime *runtime);

#endif
