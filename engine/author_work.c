/* The public calls that schedule work, and those that schedule and await in one. */
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

hf_future hf_timer(hf_orchestration *o, uint64_t delay_ms)
{
    struct hf_execution *self = hf__execution_enter(o);
    uint64_t now = self->turn->now_unix_ms;
    uint64_t due = delay_ms > UINT64_MAX - now ? UINT64_MAX : now + delay_ms;
    struct hf_event event = { .kind = HF_EVENT_TIMER_CREATED, .due_unix_ms = due };
    uint64_t id = hf__command_issue(self, &event);
    struct hf__future *future = hf__future_new(self, HF__FUTURE_TIMER, id, event.name);
    hf__execution_leave(self);
    return (hf_future){ future->id };
}

/* Makes a future that waits for what comes under a name. */
static struct hf__future *wait_by_name(struct hf_execution *self, enum hf__future_kind kind,
                                       const char *name)
{
    bool is_take = kind == HF__FUTURE_TAKE;
    hf__execution_check_id(self, name, is_take ? "mailbox name" : "event name", "bad_name");
    struct hf_event event = { .kind = is_take ? HF_EVENT_MAILBOX_WAITED : HF_EVENT_EVENT_WAITED,
                              .name = hf_text(name) };
    uint64_t id = hf__command_issue(self, &event);
    struct hf__future *future = hf__future_new(self, kind, id, event.name);
    hf__execution_leave(self);
    return future;
}

hf_future hf_mailbox_take(hf_orchestration *o, const char *queue)
{
    struct hf_execution *self = hf__execution_enter(o);
    struct hf__future *take = wait_by_name(self, HF__FUTURE_TAKE, queue);
    hf__mailbox_take(self, take);
    hf__execution_leave(self);
    return (hf_future){ take->id };
}

hf_future hf_event_wait(hf_orchestration *o, const char *event)
{
    struct hf_execution *self = hf__execution_enter(o);
    struct hf__future *wait = wait_by_name(self, HF__FUTURE_RAISED, event);
    hf__raised_wait(self, wait);
    hf__execution_leave(self);
    return (hf_future){ wait->id };
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
