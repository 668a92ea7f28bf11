/* Which part of a history a restart keeps, and what is pending in it.
 *
 * History is laid out by turns: messages, then the commands of the code. Only whole turns can be
 * replayed, so what is kept ends behind the commands of one. The messages behind it come again:
 * those before the event that was named all, those after it as far as they came from outside, or
 * from a child, which does not run again. */
#include "engine/restart.h"

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/event.h"
#include "engine/execution.h"

/* A history on its way in, and what is gathered from it. Arrays are by event, from 1. */
struct plan {
    const struct hf_turn_view *view;
    struct hf_arena *arena;
    struct hf_event *events;
    bool *is_over;        /* the work of that event is over: one try, one timer, a child */
    bool *is_done;        /* the command of the code is, with all works of it */
    uint64_t *latest_try; /* of an activity */
    uint64_t count, kept;
    struct hf_turn_event *answers; /* one an event at most */
    struct hf_restart_plan *out;
    hf_error *error;
};

static hf_status no_memory(struct plan *self)
{
    return hf_error_set(self->error, HF_NO_MEMORY, "no memory to restart from %llu events",
                        (unsigned long long)self->count);
}

/* ---- reading -------------------------------------------------------------------------------- */

static hf_status plan_read(struct plan *self)
{
    size_t count = self->view->events_count;
    self->count = count;
    self->events = hf_arena_array(self->arena, count + 1, sizeof *self->events);
    self->is_over = hf_arena_array(self->arena, count + 1, sizeof *self->is_over);
    self->is_done = hf_arena_array(self->arena, count + 1, sizeof *self->is_done);
    self->latest_try = hf_arena_array(self->arena, count + 1, sizeof *self->latest_try);
    if (self->arena->failed) return no_memory(self);
    for (size_t i = 0; i < count; i++) {
        const struct hf_stored_event *stored = &self->view->events[i];
        struct hf_event *event = &self->events[i + 1];
        hf_status status = hf_event_decode(stored->body, self->arena, event, self->error);
        /* The start of a child names an event of its parent. */
        bool is_known = event->kind == HF_EVENT_STARTED || event->source <= i;
        bool is_sound = status == HF_OK && stored->event_id == i + 1 && is_known;
        if (status == HF_OK && !is_sound) {
            status = hf_error_corrupt(self->error, stored->lsn, "history is damaged: event %llu",
                                      (unsigned long long)stored->event_id);
        }
        if (status != HF_OK) return status;
    }
    if (count > 0 && self->events[1].kind == HF_EVENT_STARTED) return HF_OK;
    return hf_error_corrupt(self->error, 0, "history does not begin with a start");
}

/* ---- anew ----------------------------------------------------------------------------------- */

hf_status hf_restart_anew(const struct hf_turn_view *view, hf_slice input, struct hf_arena *arena,
                          struct hf_restart_plan *out_plan, hf_error *error)
{
    struct plan self = { .view = view, .arena = arena, .error = error };
    hf_status status = plan_read(&self);
    if (status != HF_OK) return status;
    struct hf_event started = self.events[1];
    started.sessions = (struct hf_list){ NULL, 0 };
    for (uint64_t id = 2; id <= self.count; id++) {
        if (self.events[id].kind != HF_EVENT_SESSION_OPENED) continue;
        started.incarnations_count = self.events[id].incarnation;
        started.generated_ids_count++; /* at most */
    }
    if (input.data) started.payload = input;
    *out_plan = (struct hf_restart_plan){
        .restarted = { .instance = view->instance,
                       .body = hf_event_encode(&started, arena),
                       .version = started.version,
                       .engine_version = HF_ENGINE_VERSION },
    };
    return out_plan->restarted.body.data ? HF_OK : no_memory(&self);
}

/* ---- from an event -------------------------------------------------------------------------- */

/* Whether a turn may begin with that event: it is no command, and what is before it is one. An end
 * that the code brought about is of the turn, and so of the record, whose commands are before it;
 * one that a client or the store brought about is not. */
static bool begins_turn(const struct plan *self, uint64_t id)
{
    const struct hf_stored_event *stored = self->view->events;
    if (id == 2) return true;
    hf_assert(id > 2 && id <= self->count);
    bool is_behind = hf_event_is_command(self->events[id - 1].kind);
    if (!is_behind || hf_event_is_command(self->events[id].kind)) return false;
    return hf_event_is_message(self->events[id].kind) || stored[id - 1].lsn != stored[id - 2].lsn;
}

static hf_status plan_cut(struct plan *self, uint64_t event_id)
{
    if (event_id < 2 || event_id > self->count) {
        return hf_error_set(self->error, HF_INVALID,
                            "there is no event %llu to restart from: take one of 2 to %llu",
                            (unsigned long long)event_id, (unsigned long long)self->count);
    }
    if (self->events[1].sessions.count > 0) {
        hf_error_set(self->error, HF_INVALID,
                     "the execution began with sessions of a former one: restart it anew");
        hf_error_code(self->error, "carried_sessions");
        return HF_INVALID;
    }
    uint64_t id = event_id;
    while (!begins_turn(self, id)) id--;
    self->kept = id - 1;
    hf_assert(self->kept >= 1);
    return HF_OK;
}

/* The event of the code that an event of work belongs to. */
static uint64_t owner_of(const struct plan *self, uint64_t id)
{
    return self->events[id].source ? self->events[id].source : id;
}

/* An outcome ends what it answers. With that of an activity its limits are over, and with a limit
 * the try is. */
static void plan_answer(struct plan *self, const struct hf_event *outcome)
{
    uint64_t owner = owner_of(self, outcome->source);
    self->is_over[outcome->source] = true;
    if (outcome->kind == HF_EVENT_ACTIVITY_COMPLETED) self->is_done[owner] = true;
    if (outcome->kind == HF_EVENT_TIMER_FIRED) self->is_over[self->latest_try[owner]] = true;
}

static void plan_look(struct plan *self, uint64_t id)
{
    const struct hf_event *event = &self->events[id];
    switch (event->kind) {
    case HF_EVENT_ACTIVITY_SCHEDULED: {
        uint64_t owner = owner_of(self, id);
        self->is_over[self->latest_try[owner]] = true;
        self->latest_try[owner] = id;
        break;
    }
    case HF_EVENT_ACTIVITY_COMPLETED:
    case HF_EVENT_ACTIVITY_FAILED:
    case HF_EVENT_CHILD_COMPLETED:
    case HF_EVENT_CHILD_FAILED:
    case HF_EVENT_TIMER_FIRED: plan_answer(self, event); break;
    case HF_EVENT_FUTURE_CANCELLED: self->is_done[event->source] = true; break;
    case HF_EVENT_STATUS_SET: self->out->restarted.status_event = id; break;
    default: break;
    }
}

/* ---- what is pending ------------------------------------------------------------------------ */

/* The lists of a plan, each with room for all that is kept. */
struct lists {
    struct hf_turn_session *sessions;
    struct hf_turn_item *items;
    struct hf_turn_timer *timers;
    struct hf_turn_value *values;
};

static void answer_add(struct plan *self, uint64_t event_id, hf_slice body)
{
    struct hf_list *list = &self->out->answers;
    hf_assert(list->count < self->count);
    self->answers[list->count++] = (struct hf_turn_event){ event_id, body };
}

static void sessions_follow(struct plan *self, struct lists *lists, uint64_t id)
{
    const struct hf_event *event = &self->events[id];
    struct hf_list *list = &self->out->restarted.sessions;
    if (event->kind == HF_EVENT_SESSION_OPENED) {
        lists->sessions[list->count++] = (struct hf_turn_session){
            .incarnation = event->incarnation, .id = event->text, .tag = event->tag, .event_id = id
        };
    }
    if (event->kind != HF_EVENT_SESSION_CLOSED) return;
    size_t left = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (lists->sessions[i].incarnation == event->incarnation) continue;
        lists->sessions[left++] = lists->sessions[i];
    }
    list->count = left;
}

static bool session_is_open(const struct plan *self, const struct lists *lists,
                            uint64_t incarnation)
{
    if (incarnation == 0) return true;
    for (size_t i = 0; i < self->out->restarted.sessions.count; i++) {
        if (lists->sessions[i].incarnation == incarnation) return true;
    }
    return false;
}

static hf_slice timer_body(struct plan *self, uint64_t id)
{
    struct hf_event fired = { .kind = HF_EVENT_TIMER_FIRED, .source = id };
    return hf_event_encode(&fired, self->arena);
}

static hf_slice child_body(struct plan *self, uint64_t id)
{
    struct hf_event failed = { .kind = HF_EVENT_CHILD_FAILED,
                               .source = id,
                               .status = HF_FAILED,
                               .code = hf_text("restarted"),
                               .text = hf_text("its parent was restarted, and its outcome was not "
                                               "known there") };
    return hf_event_encode(&failed, self->arena);
}

static void pending_add(struct plan *self, struct lists *lists, uint64_t id)
{
    const struct hf_event *event = &self->events[id];
    struct hf_restarted *out = &self->out->restarted;
    if (self->is_over[id] || self->is_done[owner_of(self, id)]) return;
    if (event->kind == HF_EVENT_ACTIVITY_SCHEDULED &&
        session_is_open(self, lists, event->incarnation)) {
        lists->items[out->items.count++] = (struct hf_turn_item){ .event_id = id,
                                                                  .incarnation = event->incarnation,
                                                                  .tag = event->incarnation
                                                                             ? (hf_slice)HF_EMPTY
                                                                             : event->tag };
    }
    if (event->kind == HF_EVENT_TIMER_CREATED) {
        lists->timers[out->timers.count++] = (struct hf_turn_timer){ id, event->due_unix_ms,
                                                                     timer_body(self, id) };
    }
    if (event->kind == HF_EVENT_CHILD_SCHEDULED) {
        answer_add(self, id, child_body(self, id));
    }
}

static void values_add(struct plan *self, struct lists *lists, uint64_t id)
{
    const struct hf_event *event = &self->events[id];
    bool is_cleared = event->kind == HF_EVENT_KV_CLEARED;
    if (event->kind != HF_EVENT_KV_SET && !is_cleared) return;
    struct hf_list *list = &self->out->restarted.values;
    lists->values[list->count++] = (struct hf_turn_value){ id, event->name, is_cleared };
}

static hf_status plan_gather(struct plan *self)
{
    size_t room = (size_t)self->kept;
    struct hf_restarted *out = &self->out->restarted;
    struct lists lists = {
        .sessions = hf_arena_array(self->arena, room, sizeof *lists.sessions),
        .items = hf_arena_array(self->arena, room, sizeof *lists.items),
        .timers = hf_arena_array(self->arena, room, sizeof *lists.timers),
        .values = hf_arena_array(self->arena, room, sizeof *lists.values),
    };
    if (self->arena->failed) return no_memory(self);
    for (uint64_t id = 2; id <= self->kept; id++) {
        plan_look(self, id);
        sessions_follow(self, &lists, id);
        values_add(self, &lists, id);
    }
    for (uint64_t id = 2; id <= self->kept; id++) pending_add(self, &lists, id);
    out->sessions.items = lists.sessions;
    out->items.items = lists.items;
    out->timers.items = lists.timers;
    out->values.items = lists.values;
    return self->arena->failed ? no_memory(self) : HF_OK;
}

/* Whether a message behind what is kept comes again. A timer is set again instead, and a request to
 * stop has been answered by the end. */
static bool comes_again(const struct plan *self, uint64_t id, uint64_t event_id)
{
    const struct hf_event *event = &self->events[id];
    switch (event->kind) {
    case HF_EVENT_MAILBOX_MESSAGE:
    case HF_EVENT_EVENT_RAISED: return true;
    case HF_EVENT_ACTIVITY_COMPLETED:
    case HF_EVENT_ACTIVITY_FAILED: return id < event_id && !self->is_over[event->source];
    case HF_EVENT_CHILD_COMPLETED:
    case HF_EVENT_CHILD_FAILED: return event->source <= self->kept;
    default: return false;
    }
}

/* Whether the message is no record of its own: that an activity was not begun in time is said by
 * the turn that scheduled it, and two of one turn would have one name in the inbox. */
static bool is_of_its_turn(const struct plan *self, uint64_t id)
{
    const struct hf_stored_event *stored = self->view->events;
    uint64_t source = self->events[id].source;
    return source > 0 && stored[id - 1].lsn == stored[source - 1].lsn;
}

static hf_status plan_messages(struct plan *self, uint64_t event_id)
{
    struct hf_list *list = &self->out->restarted.messages;
    struct hf_turn_carried *messages = hf_arena_array(
        self->arena, (size_t)(self->count - self->kept), sizeof *messages);
    self->answers = hf_arena_array(self->arena, (size_t)self->count, sizeof *self->answers);
    if (!messages || !self->answers) return no_memory(self);
    for (uint64_t id = self->kept + 1; id <= self->count; id++) {
        if (!comes_again(self, id, event_id)) continue;
        if (is_of_its_turn(self, id)) {
            answer_add(self, self->events[id].source, self->view->events[id - 1].body);
        } else {
            messages[list->count++].event_id = id;
        }
        /* It is answered: nothing is to be done again. */
        if (self->events[id].source > 0) plan_answer(self, &self->events[id]);
    }
    list->items = messages;
    self->out->answers.items = self->answers;
    return HF_OK;
}

hf_status hf_restart_from(const struct hf_turn_view *view, uint64_t event_id, hf_slice version,
                          struct hf_arena *arena, struct hf_restart_plan *out_plan, hf_error *error)
{
    struct plan self = { .view = view, .arena = arena, .out = out_plan, .error = error };
    *out_plan = (struct hf_restart_plan){ .restarted = { .instance = view->instance } };
    hf_status status = plan_read(&self);
    if (status == HF_OK) status = plan_cut(&self, event_id);
    if (status == HF_OK) status = plan_messages(&self, event_id);
    if (status == HF_OK) status = plan_gather(&self);
    out_plan->restarted.events_kept = self.kept;
    out_plan->restarted.version = self.kept > 1 ? version
                                  : self.events ? self.events[1].version
                                                : (hf_slice)HF_EMPTY;
    return status;
}

hf_status hf_restart_find_failure(const struct hf_turn_view *view, uint64_t activity_event_id,
                                  struct hf_arena *arena, uint64_t *out_event_id, hf_error *error)
{
    struct plan self = { .view = view, .arena = arena, .error = error };
    hf_status status = plan_read(&self);
    *out_event_id = self.count;
    for (uint64_t id = 2; status == HF_OK && activity_event_id > 0 && id <= self.count; id++) {
        const struct hf_event *event = &self.events[id];
        bool is_it = event->kind == HF_EVENT_ACTIVITY_FAILED && event->source == activity_event_id;
        if (is_it) *out_event_id = id;
    }
    return status;
}
