/* The public calls that schedule work, and those that wait for it. */
#include <stdio.h>

#include "engine/execution_internal.h"

/* ---- scheduling ----------------------------------------------------------------------------- */

static struct hf__future *schedule(struct hf_execution *self, const char *activity, hf_slice input,
                                   struct hf_event *event)
{
    hf__execution_check_id(self, activity, "activity name", "bad_name");
    hf__execution_check_payload(self, input, "input");
    event->kind = HF_EVENT_ACTIVITY_SCHEDULED;
    event->name = hf_text(activity);
    event->payload = input;
    uint64_t id = hf__command_issue(self, event);
    struct hf__future *future = hf__future_new(self, HF__FUTURE_ACTIVITY, id, event->name);
    hf__execution_leave(self);
    return future;
}

hf_future hf_schedule(hf_orchestration *o, const char *activity, hf_slice input)
{
    struct hf_execution *self = hf__execution_enter(o);
    struct hf_event event = { 0 };
    return (hf_future){ schedule(self, activity, input, &event)->id };
}

hf_future hf_schedule_on(hf_orchestration *o, hf_session session, const char *activity,
                         hf_slice input)
{
    struct hf_execution *self = hf__execution_enter(o);
    const char *id = hf__session_handle(self, session)->id;
    uint64_t incarnation = hf__session_incarnation(self, hf__session_handle(self, session));
    if (incarnation == 0) {
        hf__execution_fail(self, HF_INVALID, "session_not_open",
                           "session \"%s\" is not open: open it before scheduling on it", id);
    }
    struct hf_event event = { .text = hf_text(id), .incarnation = incarnation };
    struct hf__future *future = schedule(self, activity, input, &event);
    future->incarnation = incarnation;
    future->session = id;
    return (hf_future){ future->id };
}

static struct hf__future *timer(struct hf_execution *self, uint64_t delay_ms)
{
    uint64_t now = self->turn->now_unix_ms;
    uint64_t due = delay_ms > UINT64_MAX - now ? UINT64_MAX : now + delay_ms;
    struct hf_event event = { .kind = HF_EVENT_TIMER_CREATED, .due_unix_ms = due };
    uint64_t id = hf__command_issue(self, &event);
    struct hf__future *future = hf__future_new(self, HF__FUTURE_TIMER, id, event.name);
    hf__execution_leave(self);
    return future;
}

hf_future hf_timer(hf_orchestration *o, uint64_t delay_ms)
{
    return (hf_future){ timer(hf__execution_enter(o), delay_ms)->id };
}

hf_future hf_mailbox_take(hf_orchestration *o, const char *queue)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf__execution_check_id(self, queue, "mailbox name", "bad_name");
    struct hf_event event = { .kind = HF_EVENT_MAILBOX_WAITED, .name = hf_text(queue) };
    uint64_t id = hf__command_issue(self, &event);
    struct hf__future *future = hf__future_new(self, HF__FUTURE_TAKE, id, event.name);
    hf__execution_leave(self);
    hf__mailbox_take(self, future);
    hf__execution_leave(self);
    return (hf_future){ future->id };
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

/* Writes `activity "a" (event 2)`. Cut, never overrun. */
static void future_describe(const struct hf__future *future, char *text, size_t text_size)
{
    const char *kind = future->kind == HF__FUTURE_TAKE ? "mailbox" : "activity";
    unsigned long long id = future->id;
    if (future->kind == HF__FUTURE_TIMER) {
        snprintf(text, text_size, "timer (event %llu)", id);
    } else {
        snprintf(text, text_size, "%s \"" HF_FMT "\" (event %llu)", kind, HF_ARG(future->name), id);
    }
}

static void error_fill(struct hf_execution *self, const struct hf__future *future, hf_status status)
{
    hf_error *error = &self->latest_error;
    char what[HF_ID_SIZE_MAX + 64];
    future_describe(future, what, sizeof what);
    switch (status) {
    case HF_FAILED:
        *error = (hf_error){ .status = status };
        hf_text_copy(error->code, sizeof error->code, future->code);
        hf_text_copy(error->message, sizeof error->message, future->text);
        return;
    case HF_TIMEOUT:
        hf_error_set(error, status, "%s had no outcome in time", what);
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

hf_status hf_await(hf_orchestration *o, hf_future future, hf_slice *out_result)
{
    struct hf_execution *self = hf__execution_enter(o);
    struct hf__future *found = future_of(self, future);
    if (found->is_pending) hf__execution_wait(self, found, NULL);
    return outcome(self, found, out_result);
}

hf_status hf_await_within(hf_orchestration *o, hf_future future, uint64_t timeout_ms,
                          hf_slice *out_result)
{
    struct hf_execution *self = hf__execution_enter(o);
    struct hf__future *found = future_of(self, future);
    if (!found->is_pending) return outcome(self, found, out_result);
    struct hf__future *deadline = timer(self, timeout_ms);
    hf__execution_wait(self, found, deadline);
    if (!found->is_pending) {
        if (deadline->is_pending) hf__future_cancel(self, deadline);
        hf__execution_leave(self);
        return outcome(self, found, out_result);
    }
    hf__future_cancel(self, found);
    hf__execution_leave(self);
    return await_fails(self, found, HF_TIMEOUT);
}

const hf_error *hf_orchestration_error(hf_orchestration *o)
{
    return &hf__execution_enter(o)->latest_error;
}

/* ---- both in one ---------------------------------------------------------------------------- */

hf_status hf_call(hf_orchestration *o, const char *activity, hf_slice input, hf_slice *out_result)
{
    return hf_await(o, hf_schedule(o, activity, input), out_result);
}

hf_status hf_call_on(hf_orchestration *o, hf_session session, const char *activity, hf_slice input,
                     hf_slice *out_result)
{
    return hf_await(o, hf_schedule_on(o, session, activity, input), out_result);
}

hf_status hf_sleep(hf_orchestration *o, uint64_t delay_ms)
{
    return hf_await(o, hf_timer(o, delay_ms), NULL);
}

hf_status hf_dequeue(hf_orchestration *o, const char *queue, hf_slice *out_message)
{
    return hf_await(o, hf_mailbox_take(o, queue), out_message);
}
