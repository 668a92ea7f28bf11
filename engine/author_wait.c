/* The public calls that wait for futures, look at them and give them up.
 *
 * There are two ways to wait: for all of some futures, or for the first of them.
 *
 *   all      hf_await (of one), hf_join
 *   first    hf_select, hf_await_within (of the future and a timer)
 *
 * Messages are delivered one by one, so several futures are done together only when they were done
 * before the call, or when one request to stop ended them all. Of those the first in the caller's
 * order counts. Who waits for the first gives up the others; so no future is watched any longer
 * than the call that watched it. */
#include <stdio.h>

#include "engine/execution_internal.h"

/* ---- what became of a future ---------------------------------------------------------------- */

/* Writes `activity "a" (event 2)`. Cut, never overrun. */
static void future_describe(const struct hf__future *future, char *text, size_t text_size)
{
    static const char *const kinds[] = { [HF__FUTURE_ACTIVITY] = "activity",
                                         [HF__FUTURE_TIMER] = "timer",
                                         [HF__FUTURE_TAKE] = "mailbox",
                                         [HF__FUTURE_RAISED] = "event",
                                         [HF__FUTURE_CHILD] = "child" };
    const char *kind = kinds[future->kind];
    unsigned long long id = future->id;
    if (future->name.size == 0) {
        snprintf(text, text_size, "%s (event %llu)", kind, id);
    } else {
        snprintf(text, text_size, "%s \"" HF_FMT "\" (event %llu)", kind, HF_ARG(future->name), id);
    }
}

/* Writes which try it was; nothing for what is tried once. */
static void timeout_describe(const struct hf__future *future, char *text, size_t text_size)
{
    const struct hf__tries *tries = future->tries;
    bool has_several = tries && tries->max > 1;
    if (has_several) snprintf(text, text_size, ", at try %u of %u", tries->count, tries->max);
    if (!has_several) text[0] = '\0';
}

static void error_fill(struct hf_execution *self, const struct hf__future *future, hf_status status)
{
    hf_error *error = &self->latest_error;
    char what[HF_ID_SIZE_MAX + 64], tries[sizeof ", at try 4294967295 of 4294967295"];
    future_describe(future, what, sizeof what);
    bool was_told = future->code.size > 0; /* by whoever ended it, not by a limit here */
    switch (was_told && status == HF_TIMEOUT ? HF_FAILED : status) {
    case HF_FAILED:
        *error = (hf_error){ .status = status };
        hf_text_copy(error->code, sizeof error->code, future->code);
        hf_text_copy(error->message, sizeof error->message, future->text);
        return;
    case HF_SESSION_LOST:
        *error = (hf_error){ .status = status };
        hf_text_copy(error->message, sizeof error->message, future->text);
        hf_error_code(error, "session_lost");
        return;
    case HF_TIMEOUT:
        timeout_describe(future, tries, sizeof tries);
        hf_error_set(error, status, "%s had no outcome in time%s", what, tries);
        hf_error_code(error, "timeout");
        return;
    case HF_SESSION_CLOSED:
        hf_error_set(error, status, "session \"%.64s\" was closed while %s was pending",
                     future->session, what);
        hf_error_code(error, "session_closed");
        return;
    default:
        hf_assert(status == HF_CANCELLED);
        hf_error_set(error, status, "%s was cancelled", what);
        hf_error_code(error, "cancelled");
    }
}

/* Keeps the error of an await that did not succeed, with a copy of its data that outlives scopes.
 */
static hf_status await_fails(struct hf_execution *self, const struct hf__future *future,
                             hf_status status)
{
    error_fill(self, future, status);
    hf_arena_reset(&self->error_memory);
    self->latest_error.data = hf_arena_copy(&self->error_memory, future->result);
    if (!self->latest_error.data.data) hf__execution_no_memory(self);
    hf__execution_leave(self);
    return status;
}

static hf_status outcome(struct hf_execution *self, const struct hf__future *future,
                         hf_slice *out_result)
{
    hf_assert(!future->is_pending);
    if (future->status != HF_OK) return await_fails(self, future, future->status);
    if (out_result) *out_result = future->result;
    return HF_OK;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static struct hf__future *future_of(struct hf_execution *self, hf_future future)
{
    struct hf__future *found = hf__future_find(self, future.id);
    if (found) return found;
    hf__execution_fail(self, HF_INVALID, "stale_future",
                       "future %llu does not exist: it is of a scope that was reset or closed, or "
                       "was never made",
                       (unsigned long long)future.id);
}

static void check_futures(struct hf_execution *self, const hf_future *futures, size_t count)
{
    if (futures || count == 0) return;
    hf__execution_fail(self, HF_INVALID, "bad_futures", "%zu futures were given as NULL", count);
}

static void watch(struct hf_execution *self, const hf_future *futures, size_t count)
{
    for (size_t i = 0; i < count; i++) hf__future_watch(self, future_of(self, futures[i]));
}

static void wait_for_all(struct hf_execution *self, const hf_future *futures, size_t count)
{
    watch(self, futures, count);
    hf__execution_wait(self, self->watched_count);
}

/* The index of the first future that is done; count: none is. Meets each, so that a stale one is
 * told before anything is given up. */
static size_t first_done(struct hf_execution *self, const hf_future *futures, size_t count)
{
    size_t first = count;
    for (size_t i = count; i > 0; i--) {
        if (!future_of(self, futures[i - 1])->is_pending) first = i - 1;
    }
    return first;
}

/* Returns the winner's index; all others are done or cancelled. */
static size_t wait_for_first(struct hf_execution *self, const hf_future *futures, size_t count)
{
    hf_assert(count > 0);
    size_t winner = first_done(self, futures, count);
    if (winner == count) {
        watch(self, futures, count);
        hf__execution_wait(self, 1);
        winner = first_done(self, futures, count);
    }
    hf_assert(winner < count);
    for (size_t i = 0; i < count; i++) {
        struct hf__future *loser = future_of(self, futures[i]);
        if (loser->is_pending) hf__future_cancel(self, loser);
    }
    hf__execution_leave(self);
    return winner;
}

hf_status hf_await(hf_orchestration *o, hf_future future, hf_slice *out_result)
{
    struct hf_execution *self = hf__execution_enter(o);
    wait_for_all(self, &future, 1);
    return outcome(self, future_of(self, future), out_result);
}

hf_status hf_await_within(hf_orchestration *o, hf_future future, uint64_t timeout_ms,
                          hf_slice *out_result)
{
    struct hf_execution *self = hf__execution_enter(o);
    const struct hf__future *found = future_of(self, future);
    if (found->is_pending) {
        const hf_future either[] = { future, hf_timer(o, timeout_ms) };
        if (wait_for_first(self, either, 2) == 1) return await_fails(self, found, HF_TIMEOUT);
    }
    return outcome(self, found, out_result);
}

hf_status hf_join(hf_orchestration *o, const hf_future *futures, size_t count)
{
    struct hf_execution *self = hf__execution_enter(o);
    check_futures(self, futures, count);
    wait_for_all(self, futures, count);
    for (size_t i = 0; i < count; i++) {
        const struct hf__future *future = future_of(self, futures[i]);
        if (future->status != HF_OK) return await_fails(self, future, future->status);
    }
    return HF_OK;
}

hf_status hf_select(hf_orchestration *o, const hf_future *futures, size_t count, size_t *out_winner)
{
    struct hf_execution *self = hf__execution_enter(o);
    check_futures(self, futures, count);
    if (count == 0) {
        hf__execution_fail(self, HF_INVALID, "no_futures",
                           "hf_select was given no futures: it would wait for ever");
    }
    size_t winner = wait_for_first(self, futures, count);
    const struct hf__future *future = future_of(self, futures[winner]);
    if (future->status == HF_CANCELLED) return await_fails(self, future, HF_CANCELLED);
    if (out_winner) *out_winner = winner;
    return HF_OK;
}

const hf_error *hf_orchestration_error(hf_orchestration *o)
{
    return &hf__execution_enter(o)->latest_error;
}

/* ---- without waiting ------------------------------------------------------------------------ */

void hf_future_cancel(hf_orchestration *o, hf_future future)
{
    struct hf_execution *self = hf__execution_enter(o);
    struct hf__future *found = future_of(self, future);
    if (found->is_pending) hf__future_cancel(self, found);
    hf__execution_leave(self);
}

bool hf_future_is_done(hf_orchestration *o, hf_future future)
{
    return !future_of(hf__execution_enter(o), future)->is_pending;
}
