/* What a turn decides: the lists of struct hf_turn_committed, grown in the arena of the decision.
 * It knows what an event means for a store (an item, a timer, a session's row, a child), not when
 * the code may issue it. At replay nothing is added: it was committed. */
#include <stdio.h>
#include <string.h>

#include "engine/execution_internal.h"

/* Room for one more element at the end of list, which doubles when its count is a power of two;
 * NULL: no memory. */
static void *list_add(struct hf_execution *self, struct hf_list *list, size_t element_size)
{
    enum { FIRST_COUNT = 8 };
    size_t count = list->count;
    bool is_full = count == 0 || (count >= FIRST_COUNT && (count & (count - 1)) == 0);
    if (is_full) {
        size_t capacity = count == 0 ? FIRST_COUNT : count * 2;
        void *items = hf_arena_array(self->turn->arena, capacity, element_size);
        if (!items) {
            hf__execution_no_memory(self);
            return NULL;
        }
        if (count > 0) memcpy(items, list->items, count * element_size);
        list->items = items;
    }
    list->count++;
    return (char *)list->items + count * element_size;
}

/* ---- commands ------------------------------------------------------------------------------- */

/* What is to be said when nobody is given the item in time. */
static void limit_start(struct hf_execution *self, struct hf_turn_item *item,
                        const struct hf_event *scheduled)
{
    enum { TEXT_SIZE = HF_ID_SIZE_MAX + 96 };
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "no worker took the activity \"" HF_FMT "\" in time",
             HF_ARG(scheduled->name));
    const struct hf_event late = { .kind = HF_EVENT_ACTIVITY_FAILED,
                                   .source = item->event_id,
                                   .status = HF_TIMEOUT,
                                   .code = HF_SLICE("start_timeout"),
                                   .text = hf_text(text) };
    item->start_due_unix_ms = scheduled->start_due_unix_ms;
    item->late_body = hf_event_encode(&late, self->turn->arena);
    if (!item->late_body.data) hf__execution_no_memory(self);
}

/* What is done on a session has the session's tag, which the store knows. */
static void add_item(struct hf_execution *self, uint64_t event_id, const struct hf_event *event)
{
    struct hf_turn_item *item = list_add(self, &self->turn->decision.items, sizeof *item);
    if (!item) return;
    *item = (struct hf_turn_item){ .event_id = event_id, .incarnation = event->incarnation };
    if (event->start_due_unix_ms > 0) limit_start(self, item, event);
    if (event->incarnation > 0) return;
    item->tag = hf_arena_copy(self->turn->arena, event->tag);
    if (!item->tag.data) hf__execution_no_memory(self);
}

/* The timer's row holds the message that it becomes. */
static void add_timer(struct hf_execution *self, uint64_t event_id, uint64_t due_unix_ms)
{
    struct hf_event fired = { .kind = HF_EVENT_TIMER_FIRED, .source = event_id };
    hf_slice body = hf_event_encode(&fired, self->turn->arena);
    struct hf_turn_timer *timer = list_add(self, &self->turn->decision.timers, sizeof *timer);
    if (!timer) return;
    *timer = (struct hf_turn_timer){ event_id, due_unix_ms, body };
    if (!body.data) hf__execution_no_memory(self);
}

static void add_opened(struct hf_execution *self, uint64_t event_id, const struct hf_event *event)
{
    struct hf_turn_session *session = list_add(self, &self->turn->decision.opened, sizeof *session);
    if (!session) return;
    *session = (struct hf_turn_session){ .incarnation = event->incarnation,
                                         .id = hf_arena_copy(self->turn->arena, event->text),
                                         .tag = hf_arena_copy(self->turn->arena, event->tag),
                                         .event_id = event_id };
    if (!session->id.data || !session->tag.data) hf__execution_no_memory(self);
}

/* A session that was not open has no incarnation, and nothing to be closed. */
static void add_closed(struct hf_execution *self, const struct hf_event *event)
{
    if (event->incarnation == 0) return;
    struct hf_turn_session *session = list_add(self, &self->turn->decision.closed, sizeof *session);
    if (session) *session = (struct hf_turn_session){ .incarnation = event->incarnation };
}

static void add_child(struct hf_execution *self, uint64_t event_id, const struct hf_event *event)
{
    struct hf_turn_child *child = list_add(self, &self->turn->decision.children, sizeof *child);
    if (child) *child = hf__child_of(self, event_id, event);
}

static void add_value(struct hf_execution *self, uint64_t event_id, const struct hf_event *event)
{
    struct hf_turn_value *value = list_add(self, &self->turn->decision.values, sizeof *value);
    if (!value) return;
    *value = (struct hf_turn_value){ .event_id = event_id,
                                     .key = hf_arena_copy(self->turn->arena, event->name),
                                     .cleared = event->kind == HF_EVENT_KV_CLEARED };
    if (!value->key.data) hf__execution_no_memory(self);
}

/* What a command does besides being an event. */
static void add_effects(struct hf_execution *self, uint64_t event_id, const struct hf_event *event)
{
    switch (event->kind) {
    case HF_EVENT_ACTIVITY_SCHEDULED: add_item(self, event_id, event); break;
    case HF_EVENT_TIMER_CREATED: add_timer(self, event_id, event->due_unix_ms); break;
    case HF_EVENT_SESSION_OPENED: add_opened(self, event_id, event); break;
    case HF_EVENT_SESSION_CLOSED: add_closed(self, event); break;
    case HF_EVENT_CHILD_SCHEDULED:
    case HF_EVENT_DETACHED_STARTED: add_child(self, event_id, event); break;
    case HF_EVENT_STATUS_SET: self->turn->decision.status_event = event_id; break;
    case HF_EVENT_KV_SET:
    case HF_EVENT_KV_CLEARED: add_value(self, event_id, event); break;
    default: break;
    }
}

/* Warns once when half of what a history may hold is there. */
static void history_look(struct hf_execution *self, uint64_t event_id)
{
    enum { MESSAGE_SIZE = 160 };
    char message[MESSAGE_SIZE];
    uint64_t limit = self->options.history_events_max;
    if (limit == 0 || event_id != limit / 2 || !hf__execution_is_heard(self)) return;
    snprintf(message, sizeof message,
             "its history has %llu events, and may have %llu: it should continue as new",
             (unsigned long long)event_id, (unsigned long long)limit);
    hf_log_line line = HF_INIT(hf_log_line);
    line.level = HF_LOG_WARN;
    line.event = "instance.history_long";
    line.message = message;
    hf__execution_log(self, &line);
}

uint64_t hf__decision_add_event(struct hf_execution *self, const struct hf_event *event)
{
    struct hf__turn *turn = self->turn;
    hf_assert(turn->is_live);
    uint64_t event_id = self->next_event_id++;
    history_look(self, event_id);
    struct hf_turn_event *row = list_add(self, &turn->decision.events, sizeof *row);
    if (!row) return event_id;
    *row = (struct hf_turn_event){ event_id, hf_event_encode(event, turn->arena) };
    if (!row->body.data) hf__execution_no_memory(self);
    add_effects(self, event_id, event);
    return event_id;
}

void hf__decision_cancel(struct hf_execution *self, uint64_t event_id)
{
    struct hf__turn *turn = self->turn;
    if (!turn->is_live) return;
    struct hf_turn_cancel *cancel = list_add(self, &turn->decision.cancels, sizeof *cancel);
    if (cancel) cancel->event_id = event_id;
}

void hf__decision_cancel_child(struct hf_execution *self, uint64_t event_id)
{
    struct hf__turn *turn = self->turn;
    if (!turn->is_live) return;
    struct hf_turn_child_cancel *cancel = list_add(self, &turn->decision.child_cancels,
                                                   sizeof *cancel);
    if (cancel) *cancel = (struct hf_turn_child_cancel){ event_id, hf__child_cancel_body(self) };
}

/* ---- messages ------------------------------------------------------------------------------- */

static bool damaged_message(struct hf_execution *self, const struct hf_stored_message *message,
                            const struct hf_event *event, const char *why)
{
    hf_error error;
    hf_error_corrupt(&error, message->lsn, "the inbox holds %s that %s",
                     hf_event_kind_name(event->kind), why);
    hf__execution_break(self, &error);
    return false;
}

/* What a completion of this kind is the outcome of. */
static enum hf__future_kind completed_kind(uint64_t kind)
{
    switch (kind) {
    case HF_EVENT_TIMER_FIRED: return HF__FUTURE_TIMER;
    case HF_EVENT_CHILD_COMPLETED:
    case HF_EVENT_CHILD_FAILED: return HF__FUTURE_CHILD;
    default: return HF__FUTURE_ACTIVITY;
    }
}

/* Whether a completion answers something that is pending and not answered yet, in this execution.
 */
static bool completion_is_wanted(struct hf_execution *self, const struct hf_stored_message *message,
                                 const struct hf_event *event)
{
    if (message->execution != self->number) return false;
    enum hf__future_kind kind;
    bool *is_answered = hf__future_expect(self, event->source, &kind);
    if (!is_answered || *is_answered) return false;
    if (kind != completed_kind(event->kind)) {
        return damaged_message(self, message, event, "answers a command of another kind");
    }
    *is_answered = true;
    return true;
}

static bool message_is_wanted(struct hf_execution *self, const struct hf_stored_message *message,
                              const struct hf_event *event)
{
    switch (event->kind) {
    case HF_EVENT_ACTIVITY_COMPLETED:
    case HF_EVENT_ACTIVITY_FAILED:
    case HF_EVENT_CHILD_COMPLETED:
    case HF_EVENT_CHILD_FAILED:
    case HF_EVENT_TIMER_FIRED: return completion_is_wanted(self, message, event);
    case HF_EVENT_MAILBOX_MESSAGE:
    case HF_EVENT_EVENT_RAISED:
    case HF_EVENT_CANCEL_REQUESTED: return true;
    default: return damaged_message(self, message, event, "is no message");
    }
}

/* Its event becomes the next step when it is wanted. Returns the event id, 0: dropped. */
static uint64_t message_take(struct hf_execution *self, const struct hf_stored_message *message)
{
    struct hf__turn *turn = self->turn;
    struct hf_event event;
    hf_error error = { 0 };
    if (hf_event_decode(message->body, &turn->scratch, &event, &error) != HF_OK) {
        if (error.status == HF_CORRUPT) error.lsn = message->lsn;
        hf__execution_break(self, &error);
        return 0;
    }
    if (!message_is_wanted(self, message, &event)) return 0;
    uint64_t event_id = self->next_event_id++;
    history_look(self, event_id);
    turn->steps[turn->steps_count++] = (struct hf__step){ event_id, event };
    return event_id;
}

void hf__decision_take_messages(struct hf_execution *self)
{
    const struct hf_turn_view *view = self->turn->view;
    struct hf_list *list = &self->turn->decision.messages;
    for (size_t i = 0; i < view->messages_count && self->broken == HF_OK; i++) {
        struct hf_consumed_message *consumed = list_add(self, list, sizeof *consumed);
        if (!consumed) return;
        consumed->lsn = view->messages[i].lsn;
        consumed->event_id = message_take(self, &view->messages[i]);
    }
}

/* ---- continue-as-new ------------------------------------------------------------------------ */

void hf__decision_continue(struct hf_execution *self)
{
    struct hf__turn *turn = self->turn;
    struct hf_event started = { .kind = HF_EVENT_STARTED,
                                .name = hf_text(self->registered->name),
                                .version = self->intent_version,
                                .payload = self->intent_payload,
                                .text = self->parent.id,
                                .source = self->parent.event_id,
                                .parent_execution = self->parent.execution,
                                .sessions = hf_execution_sessions(self, turn->arena),
                                .incarnations_count = self->incarnations_count,
                                .generated_ids_count = self->generated_ids_count };
    if (!started.sessions.items) {
        hf__execution_no_memory(self);
        return;
    }
    turn->decision.engine_version = HF_ENGINE_VERSION; /* who writes its start begins it */
    turn->decision.next_version = hf_arena_copy(turn->arena, self->intent_version);
    turn->decision.next_body = hf_event_encode(&started, turn->arena);
    if (!turn->decision.next_body.data) hf__execution_no_memory(self);
    const struct hf__buffered *message = self->buffered_first;
    for (; message && self->broken == HF_OK; message = message->next) {
        struct hf_turn_carried *carried = list_add(self, &turn->decision.carried, sizeof *carried);
        if (carried) carried->event_id = message->event_id;
    }
}
