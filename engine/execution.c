/* The life of an execution, and a turn from message to message.
 *
 *            new            started is delivered            await                 its future is
 * done (none) ------> IDLE ---------------------> RUNNING ---------------> WAITING
 * ---------------------+ |                            ^ |                    | | | |
 * +-|--------------------+-|--------------------------+ |                     returns, | fails,
 * breaks        | free: evicted
 *                   +--- free ---> (none)          v                      v
 *                                                ENDED ---- free ----> (none)
 *
 * Laws
 *  1. Messages are delivered one by one, in the order of history. After each one the code runs if
 * what it waits for is done, and stops at its next await, before the next message is delivered.
 * Live and replay are the same code. So what the code sees depends on history alone, and never on
 * how messages were bundled into turns.
 *  2. The messages of a turn have their event ids before the code runs; its commands follow. An
 * event id is final when it is given.
 *  3. A broken execution runs no more, and nothing of its turn is committed.
 *  4. Deferred clean-ups run once in each life, the latest first, on the stack of whoever drives
 * the execution, when the code has left its fiber and before its memory goes. */
#include <stdarg.h>
#include <stdio.h>

#include "engine/base/options.h"
#include "engine/execution_internal.h"

/* ---- trouble, and leaving the fiber --------------------------------------------------------- */

struct hf_execution *hf__execution_enter(hf_orchestration *o)
{
    struct hf_execution *self = o->execution;
    hf_assert(self->is_running); /* the public calls are for the orchestration's own function */
    hf_assert(self->broken == HF_OK && !self->is_failed);
    hf_assert(self->watched_count == 0);
    return self;
}

void hf__execution_leave(struct hf_execution *self)
{
    hf_assert(self->is_running);
    if (self->broken != HF_OK) hf_fiber_exit(self->fiber);
}

void hf__execution_break(struct hf_execution *self, const hf_error *error)
{
    hf_assert(error->status != HF_OK);
    if (self->broken != HF_OK) return;
    self->broken = error->status;
    self->broken_error = *error;
}

void hf__execution_no_memory(struct hf_execution *self)
{
    hf_error error;
    hf_error_set(&error, HF_NO_MEMORY, "no memory for a turn of instance \"%s\"",
                 self->instance_id ? self->instance_id : "");
    hf__execution_break(self, &error);
}

void hf__execution_fail(struct hf_execution *self, hf_status status, const char *code,
                        const char *format, ...)
{
    hf_assert(self->is_running && status != HF_OK);
    self->failure = (hf_error){ .status = status };
    hf_error_code(&self->failure, code);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->failure.message, sizeof self->failure.message, format, arguments);
    va_end(arguments);
    self->is_failed = true;
    hf_fiber_exit(self->fiber);
}

void hf__execution_wait(struct hf_execution *self, size_t count)
{
    hf_assert(self->is_running && count <= self->watched_count);
    if (count == 0) return;
    self->wanted_count = count;
    hf_fiber_suspend(self->fiber);
    if (self->is_evicted) hf_fiber_exit(self->fiber);
    hf_assert(self->wanted_count == 0);
}

void hf__execution_check_id(struct hf_execution *self, const char *id, const char *what,
                            const char *code)
{
    hf_error error;
    if (hf_id_check(id, what, &error) == HF_OK) return;
    hf__execution_fail(self, HF_INVALID, code, "%s", error.message);
}

void hf__execution_check_name(struct hf_execution *self, const char *name, const char *what)
{
    hf_error error;
    if (hf_name_check(name, what, &error) == HF_OK) return;
    hf__execution_fail(self, HF_INVALID, "bad_name", "%s", error.message);
}

void hf__execution_check_version(struct hf_execution *self, const char *version)
{
    struct hf_version number;
    hf_error error;
    if (!version || hf_version_parse(hf_text(version), "version", &number, &error) == HF_OK) return;
    hf__execution_fail(self, HF_INVALID, "bad_version", "%s", error.message);
}

void hf__execution_copy_options(struct hf_execution *self, void *to, size_t to_size,
                                const void *from)
{
    hf_error error;
    if (hf_options_copy(to, to_size, from, &error) == HF_OK) return;
    hf__execution_fail(self, HF_INVALID, "bad_options", "%s", error.message);
}

/* Warns of a payload over half of what is allowed. */
static void payload_look(const struct hf_execution *self, size_t size, const char *what)
{
    enum { MESSAGE_SIZE = 160 };
    char message[MESSAGE_SIZE];
    uint64_t limit = self->options.payload_size_max;
    if (size <= limit / 2 || !hf__execution_is_heard(self)) return;
    snprintf(message, sizeof message,
             "the %s has %zu bytes, and payload_size_max is %llu: keep large data elsewhere", what,
             size, (unsigned long long)limit);
    hf_log_line line = HF_INIT(hf_log_line);
    line.level = HF_LOG_WARN;
    line.event = "payload.large";
    line.message = message;
    hf__execution_log(self, &line);
}

void hf__execution_check_payload(struct hf_execution *self, hf_slice payload, const char *what)
{
    if (payload.size > 0 && !payload.data) {
        hf__execution_fail(self, HF_INVALID, "bad_slice", "the %s has a size and no data", what);
    }
    uint64_t limit = self->options.payload_size_max;
    if (!hf__command_is_judged(self)) return;
    if (payload.size > limit) {
        hf__execution_fail(self, HF_TOO_LARGE, "too_large",
                           "the %s has %zu bytes, the limit is %llu", what, payload.size,
                           (unsigned long long)limit);
    }
    payload_look(self, payload.size, what);
}

bool hf__execution_is_heard(const struct hf_execution *self)
{
    return self->options.log && self->turn->is_live;
}

void hf__execution_log(const struct hf_execution *self, hf_log_line *line)
{
    hf_assert(hf__execution_is_heard(self));
    line->instance = self->instance_id;
    self->options.log(self->options.log_self, line);
}

uint64_t hf__due_unix_ms(const struct hf_execution *self, uint64_t delay_ms)
{
    uint64_t now = self->turn->now_unix_ms;
    return delay_ms > UINT64_MAX - now ? UINT64_MAX : now + delay_ms;
}

/* ---- running the code ----------------------------------------------------------------------- */

static void code_main(struct hf_fiber *fiber, void *argument)
{
    (void)fiber;
    struct hf_execution *self = argument;
    self->returned = self->registered->run(&self->handle, self->input);
}

/* Law 4. */
static void code_clean_up(struct hf_execution *self)
{
    hf_assert(!self->is_running && !self->fiber);
    while (self->deferred_count > 0) {
        struct hf__deferred last = self->deferred[--self->deferred_count];
        last.clean_up(last.argument);
    }
}

/* Whether the instance would go on when nothing else happens. */
static bool goes_on(const struct hf_execution *self)
{
    if (!self->has_ended) return true;
    return !self->is_failed && self->returned == HF_OK && self->intent == HF__INTENT_CONTINUE;
}

static void code_end(struct hf_execution *self)
{
    hf_fiber_free(self->fiber);
    self->fiber = NULL;
    self->has_ended = true;
    hf__futures_cancel_all(self, goes_on(self));
    hf_assert(self->watched_count == 0 && self->wanted_count == 0);
    code_clean_up(self);
    self->futures_count = 0;
    hf__scopes_release(self);
}

static void code_resume(struct hf_execution *self)
{
    hf_assert(self->fiber && !self->is_running);
    self->is_running = true;
    bool has_ended = hf_fiber_resume(self->fiber);
    self->is_running = false;
    if (has_ended) code_end(self);
}

static void code_start(struct hf_execution *self)
{
    hf_assert(!self->fiber && !self->has_ended);
    hf_error error;
    struct hf_fiber_entry entry = { code_main, self };
    if (hf_fiber_new(self->options.fibers, entry, &self->fiber, &error) != HF_OK) {
        hf__execution_break(self, &error);
        return;
    }
    code_resume(self);
}

/* Says first which version the code is, when no start says so and it is not the one that goes
 * without saying. */
static void code_start_version(struct hf_execution *self)
{
    if (self->chooses_version) {
        struct hf_event chosen = { .kind = HF_EVENT_VERSION_CHOSEN,
                                   .version = hf_text(self->registered->version) };
        if (hf__command_match(self, &chosen) == 0) return;
    }
    code_start(self);
}

/* Whether the code waits, and has all that it waits for. */
static bool code_can_go_on(const struct hf_execution *self)
{
    return self->fiber && self->wanted_count == 0;
}

/* ---- delivering ----------------------------------------------------------------------------- */

/* The first request ends all that is pending; further ones have no effect. */
static void deliver_cancel_request(struct hf_execution *self, const struct hf_event *event)
{
    if (self->is_cancel_requested) return;
    self->is_cancel_requested = true;
    self->cancel_reason = hf_arena_copy(&self->memory, event->text);
    if (!self->cancel_reason.data) hf__execution_no_memory(self);
    hf__futures_cancel_all(self, true);
}

static void deliver(struct hf_execution *self, const struct hf__step *step)
{
    self->delivered_event_id = step->event_id;
    switch (step->event.kind) {
    case HF_EVENT_STARTED: code_start_version(self); return;
    case HF_EVENT_ACTIVITY_COMPLETED:
    case HF_EVENT_ACTIVITY_FAILED:
    case HF_EVENT_CHILD_COMPLETED:
    case HF_EVENT_CHILD_FAILED:
    case HF_EVENT_TIMER_FIRED: hf__future_deliver(self, &step->event); break;
    case HF_EVENT_MAILBOX_MESSAGE: hf__mailbox_deliver(self, step->event_id, &step->event); break;
    case HF_EVENT_EVENT_RAISED: hf__raised_deliver(self, &step->event); break;
    case HF_EVENT_CANCEL_REQUESTED:
        if (goes_on(self)) deliver_cancel_request(self, &step->event);
        break;
    default: HF_UNREACHABLE("only messages are delivered");
    }
    if (self->broken == HF_OK && code_can_go_on(self)) code_resume(self);
}

/* Delivers the messages from step `begin` on and holds the code to the commands behind them.
 * Returns where the next segment begins. */
static size_t segment_run(struct hf_execution *self, size_t begin, size_t end)
{
    struct hf__turn *turn = self->turn;
    size_t messages_end = begin;
    while (messages_end < end && (turn->steps[messages_end].event.kind == HF_EVENT_STARTED ||
                                  hf_event_is_message(turn->steps[messages_end].event.kind))) {
        messages_end++;
    }
    turn->command = turn->commands_end = messages_end;
    while (turn->commands_end < end &&
           hf_event_is_command(turn->steps[turn->commands_end].event.kind)) {
        turn->commands_end++;
    }
    for (size_t i = begin; i < messages_end && self->broken == HF_OK; i++) {
        deliver(self, &turn->steps[i]);
    }
    if (self->broken == HF_OK && !turn->is_live) hf__replay_check_segment(self);
    if (self->broken == HF_OK && self->has_ended) hf__ending_issue(self);
    bool is_last = turn->commands_end < end && /* the outcome was compared with it */
                   hf__event_is_last(turn->steps[turn->commands_end].event.kind);
    return turn->commands_end + is_last;
}

/* Whether the history of the view has its last event: then there is nothing to decide. */
static bool history_has_ended(const struct hf__turn *turn)
{
    size_t count = turn->history_count;
    return count > 0 && hf__event_is_last(turn->steps[count - 1].event.kind);
}

static void turn_run(struct hf_execution *self)
{
    struct hf__turn *turn = self->turn;
    self->next_event_id += turn->history_count;
    size_t committed = hf__replay_is_committed(turn) ? turn->history_count : 0;
    size_t at = 0;
    while (at < committed && self->broken == HF_OK) at = segment_run(self, at, committed);
    turn->decision.execution = self->number;
    bool is_first = committed == 0 && !self->has_replayed;
    if (is_first) {
        turn->decision.engine_version = HF_ENGINE_VERSION;
        turn->decision.version = hf_text(self->registered->version);
    }
    turn->decision.outcome = HF_OUTCOME_RUNNING;
    if (self->broken != HF_OK || history_has_ended(turn)) return;
    turn->is_live = true;
    hf__decision_take_messages(self);
    if (self->broken == HF_OK) segment_run(self, at, turn->steps_count);
}

/* Whether the view begins where the execution stands. */
static hf_status view_check(const struct hf_execution *self, const struct hf_turn_view *view,
                            hf_error *error)
{
    uint64_t next = self->next_event_id + view->events_count;
    if (view->next_event_id == next) return HF_OK;
    return hf_error_corrupt(
        error, 0, "history goes on at event %llu, the execution of \"%s\" stands at %llu",
        (unsigned long long)view->next_event_id, self->instance_id, (unsigned long long)next);
}

hf_status hf_execution_turn(struct hf_execution *execution, const struct hf_turn_view *view,
                            uint64_t now_unix_ms, struct hf_arena *arena,
                            struct hf_turn_committed *out_turn, hf_error *error)
{
    struct hf_execution *self = execution;
    hf_assert(!self->turn && !self->is_running && self->broken == HF_OK);
    hf_assert(self->has_replayed ? view->events_count == 0 : view->events_count > 0);
    struct hf__turn turn = { .view = view, .now_unix_ms = now_unix_ms, .arena = arena };
    hf_status status = view_check(self, view, error);
    if (status == HF_OK) status = hf__replay_read(&turn, self->heap, error);
    if (status == HF_OK) {
        self->turn = &turn;
        turn_run(self);
        self->turn = NULL;
        self->has_replayed = true;
        status = self->broken;
        if (status != HF_OK && error) *error = self->broken_error;
        if (status == HF_OK) *out_turn = turn.decision;
#ifdef HF_AUDIT
        if (status == HF_OK) hf__execution_audit(self);
#endif
    }
    self->broken = status;
    if (turn.scratch.heap) hf_arena_release(&turn.scratch);
    return status;
}

/* ---- making and freeing --------------------------------------------------------------------- */

static hf_status no_memory(hf_error *error)
{
    return hf_error_set(error, HF_NO_MEMORY, "no memory for an execution");
}

/* Carried sessions rise by incarnation, up to the count of those given out. */
static bool sessions_are_sound(const struct hf_event *started)
{
    const struct hf_carried_session *sessions = started->sessions.items;
    uint64_t latest = 0;
    for (size_t i = 0; i < started->sessions.count; i++) {
        if (sessions[i].incarnation <= latest) return false;
        latest = sessions[i].incarnation;
    }
    return latest <= started->incarnations_count;
}

/* The version that history says the execution is of; empty: it says none yet. Once a turn was
 * committed without a word about it, it is the first one: so histories from before there were
 * versions go on. Of what cannot be read the turn will tell. */
static hf_slice version_recorded(const struct hf_turn_view *view, const struct hf_event *started,
                                 struct hf_arena *arena)
{
    if (started->version.size > 0) return started->version;
    for (size_t i = 1; i < view->events_count; i++) {
        struct hf_event event;
        if (hf_event_decode(view->events[i].body, arena, &event, NULL) != HF_OK) break;
        if (hf_event_is_message(event.kind)) continue;
        bool is_chosen = event.kind == HF_EVENT_VERSION_CHOSEN;
        return is_chosen ? event.version : hf_text(HF_VERSION_FIRST);
    }
    return (hf_slice)HF_EMPTY;
}

/* Finds the function that runs it. */
static hf_status execution_register(struct hf_execution *self, const struct hf_turn_view *view,
                                    const struct hf_event *started, struct hf_arena *arena,
                                    hf_error *error)
{
    hf_slice version = version_recorded(view, started, arena);
    self->registered = hf_registry_orchestration(self->options.registry, started->name, version);
    if (!self->registered) {
        return hf_error_set(error, HF_NOT_FOUND,
                            "orchestration \"" HF_FMT "\"%s" HF_FMT " is not registered: register "
                            "it, or run a worker that has it",
                            HF_ARG(started->name), version.size > 0 ? " version " : "",
                            HF_ARG(version));
    }
    bool is_first = hf_slice_equal(hf_text(self->registered->version), hf_text(HF_VERSION_FIRST));
    self->chooses_version = started->version.size == 0 && !is_first;
    return HF_OK;
}

/* What hf_orchestration_about tells. */
static void info_fill(struct hf_execution *self)
{
    self->info = (hf_orchestration_info){ .size = sizeof self->info,
                                          .instance = self->instance_id,
                                          .orchestration = self->registered->name,
                                          .version = self->registered->version,
                                          .execution = self->number };
    if (self->parent.event_id != 0) self->info.parent = self->parent.id.data;
}

static hf_status execution_begin(struct hf_execution *self, const struct hf_turn_view *view,
                                 const struct hf_event *started, hf_error *error)
{
    if (!sessions_are_sound(started)) {
        return hf_error_corrupt(error, view->events[0].lsn,
                                "the start of \"" HF_FMT "\" carries "
                                "sessions out of order",
                                HF_ARG(view->instance_id));
    }
    self->instance_id = hf_arena_text(&self->memory, view->instance_id);
    self->input = hf_arena_copy(&self->memory, started->payload);
    self->instance = view->instance;
    self->parent = (struct hf__parent){ .id = hf_arena_copy(&self->memory, started->text),
                                        .execution = started->parent_execution,
                                        .event_id = started->source };
    info_fill(self);
    bool made = hf__scope_push(self) && hf__sessions_carry(self, started);
    return made && !self->memory.failed ? HF_OK : no_memory(error);
}

static hf_status started_read(const struct hf_turn_view *view, struct hf_arena *arena,
                              struct hf_event *out_event, hf_error *error)
{
    bool begins = view->events_count > 0 && view->events[0].event_id == 1;
    if (!begins) {
        return hf_error_corrupt(error, 0, "the history of \"" HF_FMT "\" does not begin at event 1",
                                HF_ARG(view->instance_id));
    }
    hf_status status = hf_event_decode(view->events[0].body, arena, out_event, error);
    if (status == HF_CORRUPT && error) error->lsn = view->events[0].lsn;
    if (status != HF_OK || out_event->kind == HF_EVENT_STARTED) return status;
    return hf_error_corrupt(error, view->events[0].lsn,
                            "the history of \"" HF_FMT "\" begins with %s, not with its start",
                            HF_ARG(view->instance_id), hf_event_kind_name(out_event->kind));
}

hf_status hf_execution_new(const struct hf_execution_options *options,
                           const struct hf_turn_view *view, uint64_t execution,
                           struct hf_execution **out_execution, hf_error *error)
{
    struct hf_execution *self = hf_heap_new(options->heap, sizeof *self);
    if (!self) return no_memory(error);
    self->handle.execution = self;
    self->options = *options;
    self->heap = options->heap;
    self->number = execution;
    self->next_event_id = 1;
    hf_arena_init(&self->memory, self->heap);
    hf_arena_init(&self->intent_memory, self->heap);
    hf_arena_init(&self->error_memory, self->heap);
    hf_arena_init(&self->status_memory, self->heap);
    struct hf_arena scratch;
    struct hf_event started;
    hf_arena_init(&scratch, self->heap);
    hf_status status = started_read(view, &scratch, &started, error);
    if (status == HF_OK) status = execution_register(self, view, &started, &scratch, error);
    if (status == HF_OK) status = execution_begin(self, view, &started, error);
    if (status == HF_OK) status = hf__kv_seed(self, view, &scratch, error);
    hf_arena_release(&scratch);
    if (status != HF_OK) {
        hf_execution_free(self);
        return status;
    }
    *out_execution = self;
    return HF_OK;
}

static void evict(struct hf_execution *self)
{
    self->is_evicted = true;
    self->is_running = true;
    bool has_ended = hf_fiber_resume(self->fiber);
    self->is_running = false;
    hf_assert(has_ended);
    hf_fiber_free(self->fiber);
    self->fiber = NULL;
}

void hf_execution_free(struct hf_execution *execution)
{
    struct hf_execution *self = execution;
    if (!self) return;
    hf_assert(!self->turn && !self->is_running);
    const hf_allocator *heap = self->heap;
    if (self->fiber) evict(self);
    code_clean_up(self);
    hf__mailbox_release(self);
    hf__scopes_release(self);
    hf__kv_release(self);
    hf_heap_free(heap, self->deferred, self->deferred_capacity * sizeof *self->deferred);
    hf_heap_free(heap, self->futures, self->futures_capacity * sizeof *self->futures);
    hf_heap_free(heap, self->owned, self->owned_capacity * sizeof *self->owned);
    hf__lines_release(self, &self->mailboxes);
    hf__lines_release(self, &self->raised);
    hf_heap_free(heap, self->scopes, self->scopes_capacity * sizeof *self->scopes);
    hf_heap_free(heap, self->handles, self->handles_capacity * sizeof *self->handles);
    hf_heap_free(heap, self->open_sessions,
                 self->open_sessions_capacity * sizeof *self->open_sessions);
    hf_heap_free(heap, self->patches, self->patches_capacity * sizeof *self->patches);
    hf_arena_release(&self->status_memory);
    hf_arena_release(&self->error_memory);
    hf_arena_release(&self->intent_memory);
    hf_arena_release(&self->memory);
    hf_heap_free(heap, self, sizeof *self);
}

size_t hf_execution_memory_size(const struct hf_execution *execution)
{
    const struct hf_execution *self = execution;
    size_t size = sizeof *self + self->memory.total_size + self->intent_memory.total_size +
                  self->error_memory.total_size + self->buffered_size +
                  self->status_memory.total_size + self->values_size;
    for (size_t i = 0; i < self->scopes_count; i++) size += self->scopes[i].arena.total_size;
    size += self->deferred_capacity * sizeof *self->deferred;
    size += self->futures_capacity * sizeof *self->futures;
    size += self->owned_capacity * sizeof *self->owned;
    size += (self->mailboxes.capacity + self->raised.capacity) * sizeof *self->raised.items;
    size += self->scopes_capacity * sizeof *self->scopes;
    size += self->handles_capacity * sizeof *self->handles;
    size += self->open_sessions_capacity * sizeof *self->open_sessions;
    size += self->patches_capacity * sizeof *self->patches;
    size += self->values_capacity * sizeof *self->values;
    return size;
}
