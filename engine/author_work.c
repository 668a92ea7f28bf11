/* The public calls that schedule work, and those that schedule and await in one. */
#include <stdio.h>
#include <string.h>

#include "engine/execution_internal.h"

/* ---- scheduling ----------------------------------------------------------------------------- */

/* The open session that an activity is scheduled on. It has one tag for all its work, since another
 * could ask for a worker that may not hold it. */
static const struct hf__session_handle *session_of(struct hf_execution *self,
                                                   const hf_activity_options *options)
{
    const struct hf__session_handle *handle = hf__session_handle(self, options->session);
    const struct hf__session_handle *open = hf__session_open_of(self, handle);
    if (!open) {
        hf__execution_fail(self, HF_INVALID, "session_not_open",
                           "session \"%s\" is not open: open it before scheduling on it",
                           handle->id);
    }
    if (options->tag && !hf_slice_equal(hf_text(options->tag), hf_text(open->tag))) {
        hf__execution_fail(self, HF_INVALID, "session_tag",
                           "session \"%s\" has %s%s, and the activity on it was given the tag "
                           "\"%s\": give none",
                           open->id, open->tag ? "the tag " : "no tag", open->tag ? open->tag : "",
                           options->tag);
    }
    return open;
}

static void check_tries(struct hf_execution *self, const hf_activity_options *options)
{
    uint32_t percent = options->backoff_percent;
    if (percent == 0 || percent >= 100) return;
    hf__execution_fail(self, HF_INVALID, "bad_backoff",
                       "backoff_percent is %u: each pause would be shorter than the one before; "
                       "100 keeps it",
                       percent);
}

static hf_future schedule(struct hf_execution *self, const hf_activity_options *options)
{
    struct hf_event event = { .kind = HF_EVENT_ACTIVITY_SCHEDULED,
                              .name = hf_text(options->name),
                              .payload = options->input,
                              .tag = hf_text(options->tag),
                              .heartbeat_timeout_ms = options->heartbeat_timeout_ms };
    const char *session = NULL;
    hf__execution_check_name(self, options->name, "activity name");
    hf__execution_check_payload(self, options->input, "input");
    if (options->tag) hf__execution_check_id(self, options->tag, "tag", "bad_tag");
    check_tries(self, options);
    if (options->session.id != 0) {
        const struct hf__session_handle *open = session_of(self, options);
        session = open->id;
        event.text = hf_text(open->id);
        event.incarnation = open->incarnation;
        event.tag = hf_text(open->tag);
    }
    if (options->start_timeout_ms > 0) {
        event.start_due_unix_ms = hf__due_unix_ms(self, options->start_timeout_ms);
    }
    uint64_t id = hf__command_issue(self, &event);
    struct hf__future *future = hf__future_new(self, HF__FUTURE_ACTIVITY, id, event.name);
    hf__execution_leave(self);
    future->session = session;
    future->incarnation = event.incarnation;
    if (hf__tries_are_asked(options)) hf__tries_begin(self, future, options, &event);
    hf__execution_leave(self);
    return (hf_future){ future->id };
}

hf_future hf_schedule(hf_orchestration *o, const char *activity, hf_slice input)
{
    const hf_activity_options options = { .name = activity, .input = input };
    return schedule(hf__execution_enter(o), &options);
}

hf_future hf_schedule_on(hf_orchestration *o, hf_session session, const char *activity,
                         hf_slice input)
{
    struct hf_execution *self = hf__execution_enter(o);
    const hf_activity_options options = { .name = activity, .input = input, .session = session };
    hf__session_handle(self, session); /* here {0} is a mistake */
    return schedule(self, &options);
}

hf_future hf_schedule_with(hf_orchestration *o, const hf_activity_options *options)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf_activity_options own;
    hf__execution_copy_options(self, &own, sizeof own, options);
    return schedule(self, &own);
}

static hf_future timer(struct hf_execution *self, struct hf_event *created)
{
    uint64_t id = hf__command_issue(self, created);
    struct hf__future *future = hf__future_new(self, HF__FUTURE_TIMER, id, created->name);
    hf__execution_leave(self);
    return (hf_future){ future->id };
}

hf_future hf_timer(hf_orchestration *o, uint64_t delay_ms)
{
    struct hf_execution *self = hf__execution_enter(o);
    struct hf_event created = { .kind = HF_EVENT_TIMER_CREATED,
                                .due_unix_ms = hf__due_unix_ms(self, delay_ms) };
    return timer(self, &created);
}

hf_future hf_timer_at(hf_orchestration *o, uint64_t unix_ms)
{
    struct hf_event created = { .kind = HF_EVENT_TIMER_CREATED,
                                .due_unix_ms = unix_ms,
                                .due_is_given = true };
    return timer(hf__execution_enter(o), &created);
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

/* Names a child that was given no id: by the number of its instance, its execution and event, which
 * no other child of the store shares, and before them by its parent's id, while there is room. */
static void child_id(const struct hf_execution *self, char id[HF_ID_SIZE_MAX + 1])
{
    char place[sizeof "18446744073709551615.4294967295.4294967295"];
    int size = snprintf(place, sizeof place, "%llu.%llu.%llu", (unsigned long long)self->instance,
                        (unsigned long long)self->number,
                        (unsigned long long)hf__command_next_id(self));
    hf_assert(size > 0 && (size_t)size < sizeof place);
    bool fits = strlen(self->instance_id) + 1 + (size_t)size <= HF_ID_SIZE_MAX;
    snprintf(id, HF_ID_SIZE_MAX + 1, "%s.%s", fits ? self->instance_id : "child", place);
}

/* Whether an id is one that child_id makes, of any execution: that of the former one stands in what
 * a restart keeps of its history. */
static bool is_child_id(const struct hf_execution *self, hf_slice id)
{
    char before[HF_ID_SIZE_MAX + 24], after[24];
    int before_size = snprintf(before, sizeof before, "%s.%llu.", self->instance_id,
                               (unsigned long long)self->instance);
    int after_size = snprintf(after, sizeof after, ".%llu",
                              (unsigned long long)hf__command_next_id(self));
    hf_assert(before_size > 0 && after_size > 0);
    size_t head = (size_t)before_size, tail = (size_t)after_size;
    if (id.size < head + tail) return false;
    return memcmp(id.data, before, head) == 0 && memcmp(id.data + id.size - tail, after, tail) == 0;
}

/* The command that starts another instance: a child, or one of its own. */
static uint64_t start_issue(struct hf_execution *self, uint64_t kind, hf_child_options *own,
                            char generated[HF_ID_SIZE_MAX + 1])
{
    hf__execution_check_name(self, own->orchestration, "orchestration's name");
    hf__execution_check_version(self, own->version);
    hf__execution_check_payload(self, own->input, "input");
    if (own->instance) hf__execution_check_id(self, own->instance, "id of an instance", "bad_id");
    if (!own->instance) child_id(self, generated);
    struct hf_event event = { .kind = kind,
                              .name = hf_text(own->orchestration),
                              .version = hf_text(own->version),
                              .payload = own->input,
                              .text = hf_text(own->instance ? own->instance : generated) };
    const struct hf_event *recorded = hf__command_recorded(self);
    if (!own->instance && recorded && is_child_id(self, recorded->text)) {
        event.text = recorded->text;
    }
    return hf__command_issue(self, &event);
}

hf_future hf_child(hf_orchestration *o, const hf_child_options *options)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf_child_options own;
    char generated[HF_ID_SIZE_MAX + 1];
    hf__execution_copy_options(self, &own, sizeof own, options);
    uint64_t id = start_issue(self, HF_EVENT_CHILD_SCHEDULED, &own, generated);
    struct hf__future *future = hf__future_new(self, HF__FUTURE_CHILD, id,
                                               hf_text(own.orchestration));
    hf__execution_leave(self);
    return (hf_future){ future->id };
}

void hf_start_detached(hf_orchestration *o, const hf_child_options *options)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf_child_options own;
    char generated[HF_ID_SIZE_MAX + 1];
    hf__execution_copy_options(self, &own, sizeof own, options);
    start_issue(self, HF_EVENT_DETACHED_STARTED, &own, generated);
    hf__execution_leave(self);
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

hf_status hf_call_with(hf_orchestration *o, const hf_activity_options *options,
                       hf_slice *out_result)
{
    return hf_await(o, hf_schedule_with(o, options), out_result);
}

hf_status hf_sleep(hf_orchestration *o, uint64_t delay_ms)
{
    return hf_await(o, hf_timer(o, delay_ms), NULL);
}

hf_status hf_dequeue(hf_orchestration *o, const char *queue, hf_slice *out_message)
{
    return hf_await(o, hf_mailbox_take(o, queue), out_message);
}
