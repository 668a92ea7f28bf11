/* A call that waits for the answer of its command.
 *
 * While a process is stopped inside a commit nobody can write. A client's call must not hang with
 * it for ever: what was not begun within the deadline is withdrawn, certainly not done, and
 * answered HF_BUSY. What is in a group already has to be waited for, since nobody can say yet
 * whether it is done. */
#include <uv.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "runtime/store.h"

enum { NS_PER_MS = 1000 * 1000 };

struct call {
    uv_mutex_t mutex;
    uv_cond_t answered;
    bool is_answered;
};

static void call_done(struct hf__submission *submission)
{
    struct call *call = submission->user;
    uv_mutex_lock(&call->mutex);
    hf_assert(!call->is_answered);
    call->is_answered = true;
    uv_cond_signal(&call->answered);
    uv_mutex_unlock(&call->mutex);
}

/* Waits for the answer, until deadline_ns (of uv_hrtime) at most; whether it came. UINT64_MAX is no
 * deadline: as a number it would wrap inside uv_cond_timedwait. */
static bool call_wait(struct call *call, uint64_t deadline_ns)
{
    uv_mutex_lock(&call->mutex);
    bool is_over = false;
    while (!call->is_answered && !is_over) {
        uint64_t now_ns = uv_hrtime();
        is_over = now_ns >= deadline_ns;
        if (deadline_ns == UINT64_MAX) {
            uv_cond_wait(&call->answered, &call->mutex);
        } else if (!is_over) {
            uv_cond_timedwait(&call->answered, &call->mutex, deadline_ns - now_ns);
        }
    }
    bool is_answered = call->is_answered;
    uv_mutex_unlock(&call->mutex);
    return is_answered;
}

/* Submits, waits, and withdraws what nobody has begun. */
static hf_status call_run(hf_store *store, struct hf__submission *submission, hf_error *error)
{
    struct call *call = submission->user;
    uint64_t deadline_ns = UINT64_MAX;
    if (submission->of_client) deadline_ns = uv_hrtime() + store->call_deadline_ms * NS_PER_MS;
    hf_status status = hf__committer_submit(store->committer, submission, error);
    if (status != HF_OK) return status;
    if (call_wait(call, deadline_ns)) return HF_OK;
    if (hf__committer_withdraw(store->committer, submission)) {
        return hf_error_set(error, HF_BUSY,
                            "the store took no command for %llu ms: another process holds it, or "
                            "the disk is slow; nothing was done, try later",
                            (unsigned long long)store->call_deadline_ms);
    }
    bool is_answered = call_wait(call, UINT64_MAX);
    hf_assert(is_answered);
    return HF_OK;
}

hf_status hf__store_call(hf_store *store, struct hf__submission *submission, hf_error *error)
{
    struct call call = { .is_answered = false };
    if (hf__committer_is_self(store->committer)) {
        return hf_error_set(error, HF_INVALID,
                            "a call that waits was made from a callback of the store, where it "
                            "would wait for itself: use hf_submit");
    }
    int failed = uv_mutex_init(&call.mutex);
    hf_assert(failed == 0);
    failed = uv_cond_init(&call.answered);
    hf_assert(failed == 0);
    submission->done = call_done;
    submission->user = &call;

    hf_status status = call_run(store, submission, error);
    if (status == HF_OK) status = hf__submission_answer(submission, error);
    submission->user = NULL;
    uv_cond_destroy(&call.answered);
    uv_mutex_destroy(&call.mutex);
    return status;
}
