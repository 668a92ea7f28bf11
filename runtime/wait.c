/* Come in, begin to hear other processes, then repeat: note the count of wakings, look, and sleep
 * until the count has moved. What is committed after the look moves the count, here at once or
 * through the ring; a lost ring costs one period of the slow poll. */
#include "runtime/wait.h"

#include <uv.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "runtime/store.h"

enum { NS_PER_MS = 1000 * 1000 };

/* What a wait that ended without its end returns. */
static hf_status wait_error(const struct hf__wait *wait, enum hf__waiters_outcome outcome,
                            hf_error *error)
{
    hf_assert(outcome != HF__WAITERS_WOKEN);
    if (outcome == HF__WAITERS_CLOSED) {
        return hf_error_set(error, HF_CLOSED, "the store was closed while \"%.255s\" was awaited",
                            wait->id);
    }
    return hf_error_set(error, HF_TIMEOUT, "\"%.255s\" %s in the given time", wait->id, wait->what);
}

/* When a wait that begins now is over, in the time of uv_hrtime. */
static uint64_t wait_deadline_ns(uint64_t timeout_ms)
{
    uint64_t now_ns = uv_hrtime();
    if (timeout_ms == 0 || timeout_ms > (UINT64_MAX - now_ns) / NS_PER_MS) return UINT64_MAX;
    return now_ns + timeout_ms * NS_PER_MS;
}

/* The caller is inside the waiters. */
static hf_status wait_inside(const struct hf__wait *wait, uint64_t deadline_ns, hf_error *error)
{
    struct hf__waiters *waiters = wait->store->waiters;
    for (;;) {
        bool is_over = false;
        uint64_t seen = hf__waiters_count(waiters);
        hf_status status = wait->look(wait->self, &is_over, error);
        if (status != HF_OK || is_over) return status;
        enum hf__waiters_outcome outcome = hf__waiters_wait(waiters, seen, deadline_ns);
        if (outcome != HF__WAITERS_WOKEN) return wait_error(wait, outcome, error);
    }
}

hf_status hf__wait(const struct hf__wait *wait, hf_error *error)
{
    hf_store *store = wait->store;
    uint64_t deadline_ns = wait_deadline_ns(wait->timeout_ms);
    hf_status status = HF_OK;
    hf_assert(wait->look && wait->what);
    if (hf__committer_is_self(store->committer)) {
        return hf_error_set(error, HF_INVALID,
                            "%s was called from a callback of the store, which it would wait for: "
                            "call it on another thread",
                            wait->call);
    }
    if (!hf__waiters_enter(store->waiters)) return wait_error(wait, HF__WAITERS_CLOSED, error);
    if (store->ring) status = hf__ring_hear(store->ring, error);
    if (status == HF_OK) status = wait_inside(wait, deadline_ns, error);
    hf__waiters_leave(store->waiters);
    return status;
}
