/* Trying again. Not for commands whose refusal says something: a fenced one is over, one that names
 * damage or misuse would be refused again. */
#include "runtime/job.h"

#include "engine/base/assert.h"
#include "runtime/runtime.h"

enum { PAUSE_TICKS_MAX = 32 }; /* the pauses double up to that: 8 seconds */

/* Whether a later attempt at the same command can end otherwise. */
static bool is_passing(hf_status status)
{
    switch (status) {
    case HF_BUSY:
    case HF_NO_MEMORY:
    case HF_IO:
    case HF_DISK_FULL:
    case HF_UNKNOWN:
    case HF_STORE_FAILED: return true;
    default: return false;
    }
}

bool hf__retries_add(hf_runtime *runtime, struct hf__job *job)
{
    hf_assert(job->submission.done);
    hf_assert(!job->next_retry); /* it waits in the list once, or the list is a ring */
    if (runtime->retries.is_closed || !is_passing(job->submission.command.status)) {
        job->pause_ticks = 0;
        return false;
    }
    job->pause_ticks = job->pause_ticks == 0 ? 1 : job->pause_ticks * 2;
    if (job->pause_ticks > PAUSE_TICKS_MAX) job->pause_ticks = PAUSE_TICKS_MAX;
    job->left_ticks = job->pause_ticks;
    job->next_retry = runtime->retries.first;
    runtime->retries.first = job;
    hf__metrics_add(&runtime->metrics, HF__COMMAND_RETRIES, 1);
    return true;
}

void hf__retries_submit(hf_runtime *runtime)
{
    struct hf__job *job = runtime->retries.first;
    runtime->retries.first = NULL;
    while (job) {
        struct hf__job *next = job->next_retry;
        job->next_retry = NULL;
        hf_assert(job->left_ticks > 0 && job->left_ticks <= PAUSE_TICKS_MAX);
        if (--job->left_ticks > 0) {
            job->next_retry = runtime->retries.first;
            runtime->retries.first = job;
        } else {
            hf__runtime_submit(runtime, &job->submission);
        }
        job = next;
    }
}

void hf__retries_close(hf_runtime *runtime)
{
    uv_mutex_lock(&runtime->mutex);
    struct hf__job *job = runtime->retries.first;
    runtime->retries.first = NULL;
    runtime->retries.is_closed = true;
    uv_mutex_unlock(&runtime->mutex);
    while (job) {
        struct hf__job *next = job->next_retry;
        job->next_retry = NULL;
        job->submission.done(&job->submission);
        job = next;
    }
}
