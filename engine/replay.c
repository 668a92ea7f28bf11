/* Replay: reading a history and holding the code to it.
 *
 * A history is made of segments: messages, then the commands that the code issued while they were
 * delivered.
 *
 *   started mailbox.. messages..  commands..   messages..  commands..   ...   last event
 *   |------- turn 1 ----------------------|   |----- turn 2 --------|
 *
 * Laws
 *  1. The shape is proved before any code runs: ids without a gap, one start, nothing behind a last
 * event, sources that name an earlier command of the right kind, at most one completion for each.
 * What breaks it is HF_CORRUPT.
 *  2. Each command must be the next one of the segment whose messages are being delivered, alike in
 * every recorded field. Only what the world said is adopted: a time that was read, random bits, and
 * the due time of a delay, since the clock has gone on. What breaks it is HF_NONDETERMINISM.
 *  3. When the messages of a segment are delivered, no command of it is left over.
 *  4. The end of history ends a segment, unless no turn was committed yet: then the code may issue
 * commands anew. */
#include <stdarg.h>
#include <stdio.h>

#include "engine/execution_internal.h"

bool hf__event_is_last(uint64_t kind)
{
    return kind >= HF_EVENT_COMPLETED && kind <= HF_EVENT_TERMINATED;
}

/* ---- telling -------------------------------------------------------------------------------- */

struct text {
    char *at;
    size_t left;
};

static void text_add(struct text *text, const char *format, ...) HF_PRINTF(2, 3);

static void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text->at, text->left, format, arguments);
    va_end(arguments);
    size_t taken = size < 0 ? 0 : (size_t)size < text->left ? (size_t)size : text->left - 1;
    text->at += taken;
    text->left -= taken;
}

void hf__event_describe(const struct hf_event *event, char *text, size_t text_size)
{
    hf_assert(text_size > 0);
    struct text out = { text, text_size };
    bool is_activity = event->kind == HF_EVENT_ACTIVITY_SCHEDULED;
    bool opens = event->kind == HF_EVENT_SESSION_OPENED; /* name: its rebuild activity */
    const char *before = is_activity ? "on session " : "";
    text_add(&out, "%s", hf_event_kind_name(event->kind));
    if (event->name.size > 0 && !opens) text_add(&out, " \"" HF_FMT "\"", HF_ARG(event->name));
    if (event->source > 0) text_add(&out, " of event %llu", (unsigned long long)event->source);
    if (event->code.size > 0) text_add(&out, " " HF_FMT, HF_ARG(event->code));
    if (event->text.size > 0) text_add(&out, " %s\"" HF_FMT "\"", before, HF_ARG(event->text));
    if (event->incarnation > 0) text_add(&out, " #%llu", (unsigned long long)event->incarnation);
    if (event->version.size > 0) text_add(&out, " version " HF_FMT, HF_ARG(event->version));
    if (event->tag.size > 0) text_add(&out, " tag \"" HF_FMT "\"", HF_ARG(event->tag));
    if (event->recovery > 0) text_add(&out, " %s", hf_event_recovery_name(event->recovery));
    if (event->name.size > 0 && opens) text_add(&out, " \"" HF_FMT "\"", HF_ARG(event->name));
    if (event->payload.size > 0) text_add(&out, " (%zu bytes)", event->payload.size);
}

enum { DESCRIPTION_SIZE = 128 };

/* Breaks the execution: at step `index` (or its end) history has one thing, the code did another.
 */
static void nondeterminism(struct hf_execution *self, size_t index, const char *code_did)
{
    const struct hf__turn *turn = self->turn;
    char has[DESCRIPTION_SIZE];
    hf_error error;
    if (index < turn->history_count) {
        const struct hf__step *step = &turn->steps[index];
        const char *advice = step->event.kind == HF_EVENT_PATCHED
                                 ? ", where hf_patched or hf_patch_retired must stay until no "
                                   "history has it"
                                 : "";
        hf__event_describe(&step->event, has, sizeof has);
        hf_error_set(&error, HF_NONDETERMINISM, "history has %s at event %llu%s / %s", has,
                     (unsigned long long)step->event_id, advice, code_did);
    } else {
        hf_error_set(&error, HF_NONDETERMINISM,
                     "history ends at event %zu, and no message is left / %s", turn->history_count,
                     code_did);
    }
    hf__execution_break(self, &error);
}

static void nondeterminism_issued(struct hf_execution *self, size_t index,
                                  const struct hf_event *event, const char *difference)
{
    char issued[DESCRIPTION_SIZE], did[2 * DESCRIPTION_SIZE];
    hf__event_describe(event, issued, sizeof issued);
    snprintf(did, sizeof did, "the code issued %s%s%s", issued, difference ? ": another " : "",
             difference ? difference : "");
    nondeterminism(self, index, did);
}

/* ---- matching ------------------------------------------------------------------------------- */

/* Whether the due times are alike, as far as they are the code's. */
static bool due_is_equal(const struct hf_event *a, const struct hf_event *b)
{
    if (a->due_is_given != b->due_is_given) return false;
    return !a->due_is_given || a->due_unix_ms == b->due_unix_ms;
}

/* Whether the payloads are alike: random bits in their number. */
static bool payload_is_equal(const struct hf_event *a, const struct hf_event *b)
{
    if (a->kind == HF_EVENT_RANDOM_DRAWN) return a->payload.size == b->payload.size;
    return hf_slice_equal(a->payload, b->payload);
}

/* Gives a command that history has what the world said when it was recorded. */
static void adopt(struct hf_event *event, const struct hf_event *recorded)
{
    event->due_unix_ms = recorded->due_unix_ms;
    event->now_unix_ms = recorded->now_unix_ms;
    event->start_due_unix_ms = recorded->start_due_unix_ms;
    if (event->kind == HF_EVENT_RANDOM_DRAWN) event->payload = recorded->payload;
}

/* The name of the first recorded field that differs, or NULL. */
static const char *event_difference(const struct hf_event *a, const struct hf_event *b)
{
    if (a->kind != b->kind) return "command";
    if (!hf_slice_equal(a->name, b->name)) return "name";
    if (!hf_slice_equal(a->text, b->text)) {
        bool starts = a->kind == HF_EVENT_CHILD_SCHEDULED || a->kind == HF_EVENT_DETACHED_STARTED;
        return starts ? "id" : "session or text";
    }
    if (a->incarnation != b->incarnation) return "incarnation";
    if (!hf_slice_equal(a->tag, b->tag)) return "tag";
    if (a->recovery != b->recovery) return "recovery";
    if (a->source != b->source) return "source";
    if (!hf_slice_equal(a->version, b->version)) return "version";
    if (!payload_is_equal(a, b)) return a->kind == HF_EVENT_RANDOM_DRAWN ? "size" : "input";
    if (!due_is_equal(a, b)) return "due time";
    if ((a->start_due_unix_ms == 0) != (b->start_due_unix_ms == 0)) return "limit of its start";
    if ((a->heartbeat_timeout_ms == 0) != (b->heartbeat_timeout_ms == 0)) return "heartbeat";
    if (a->status != b->status || !hf_slice_equal(a->code, b->code)) return "status";
    return NULL;
}

bool hf__command_is_next(const struct hf_execution *self, const struct hf_event *event)
{
    const struct hf__turn *turn = self->turn;
    if (turn->is_live || turn->command == turn->commands_end) return false;
    return !event_difference(&turn->steps[turn->command].event, event);
}

const struct hf_event *hf__command_recorded(const struct hf_execution *self)
{
    const struct hf__turn *turn = self->turn;
    if (turn->is_live || turn->command == turn->commands_end) return NULL;
    return &turn->steps[turn->command].event;
}

uint64_t hf__command_next_id(const struct hf_execution *self)
{
    const struct hf__turn *turn = self->turn;
    bool is_matched = !turn->is_live && turn->command < turn->commands_end;
    return is_matched ? turn->steps[turn->command].event_id : self->next_event_id;
}

bool hf__command_is_judged(const struct hf_execution *self)
{
    const struct hf__turn *turn = self->turn;
    if (turn->is_live) return true;
    size_t index = turn->commands_end;
    return turn->command == index && index < turn->history_count &&
           hf__event_is_last(turn->steps[index].event.kind);
}

uint64_t hf__command_match(struct hf_execution *self, struct hf_event *event)
{
    struct hf__turn *turn = self->turn;
    hf_assert(hf_event_is_command(event->kind));
    if (turn->is_live) return hf__decision_add_event(self, event);
    const struct hf__step *step = &turn->steps[turn->command];
    bool is_surplus = turn->command == turn->commands_end;
    const char *difference = is_surplus ? NULL : event_difference(&step->event, event);
    if (is_surplus || difference) {
        nondeterminism_issued(self, turn->command, event, difference);
        return 0;
    }
    adopt(event, &step->event);
    turn->command++;
    return step->event_id;
}

uint64_t hf__command_issue(struct hf_execution *self, struct hf_event *event)
{
    uint64_t limit = self->options.history_events_max;
    if (limit > 0 && self->next_event_id > limit && hf__command_is_judged(self)) {
        hf__execution_fail(self, HF_TOO_LARGE, "history_full",
                           "its history has %llu events, which is history_events_max: continue as "
                           "new in time (hf_history_is_long)",
                           (unsigned long long)limit);
    }
    uint64_t event_id = hf__command_match(self, event);
    if (event_id == 0) hf__execution_leave(self);
    return event_id;
}

uint64_t hf__outcome_issue(struct hf_execution *self, const struct hf_event *event)
{
    struct hf__turn *turn = self->turn;
    hf_assert(hf__event_is_last(event->kind));
    if (turn->is_live) return hf__decision_add_event(self, event);
    hf_assert(turn->command == turn->commands_end); /* law 3 was checked */
    size_t index = turn->commands_end;
    if (index == turn->history_count || event_difference(&turn->steps[index].event, event)) {
        nondeterminism_issued(self, index, event, NULL);
        return 0;
    }
    return turn->steps[index].event_id;
}

void hf__replay_check_segment(struct hf_execution *self)
{
    const struct hf__turn *turn = self->turn;
    if (turn->command < turn->commands_end) {
        nondeterminism(self, turn->command,
                       self->is_failed   ? self->failure.message
                       : self->has_ended ? "the code did not issue it: it ended"
                                         : "the code did not issue it: it waits");
        return;
    }
    size_t index = turn->commands_end;
    if (self->has_ended || index == turn->history_count) return;
    uint64_t kind = turn->steps[index].event.kind;
    if (hf__event_is_last(kind) && kind != HF_EVENT_TERMINATED) {
        nondeterminism(self, index, "the code has not ended: it waits");
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

/* What a history is proved with. */
struct proof {
    const struct hf__step *steps;
    bool *is_answered; /* by step: a completion of it was seen */
    const char *wrong; /* why the last step is damaged, or NULL */
};

/* The kind of command that a message of this kind completes; 0: it completes none. */
static uint64_t completed_kind(uint64_t kind)
{
    switch (kind) {
    case HF_EVENT_TIMER_FIRED: return HF_EVENT_TIMER_CREATED;
    case HF_EVENT_ACTIVITY_COMPLETED:
    case HF_EVENT_ACTIVITY_FAILED: return HF_EVENT_ACTIVITY_SCHEDULED;
    case HF_EVENT_CHILD_COMPLETED:
    case HF_EVENT_CHILD_FAILED: return HF_EVENT_CHILD_SCHEDULED;
    default: return 0;
    }
}

/* Whether a command of this kind makes what can be given up. */
static bool is_cancellable(uint64_t kind)
{
    switch (kind) {
    case HF_EVENT_ACTIVITY_SCHEDULED:
    case HF_EVENT_TIMER_CREATED:
    case HF_EVENT_MAILBOX_WAITED:
    case HF_EVENT_EVENT_WAITED:
    case HF_EVENT_CHILD_SCHEDULED: return true;
    default: return false;
    }
}

/* The kind of the earlier event that the step at index names as its source; 0: it names none. */
static uint64_t source_kind(const struct proof *proof, size_t index)
{
    uint64_t source = proof->steps[index].event.source;
    return source > 0 && source <= index ? proof->steps[source - 1].event.kind : 0;
}

/* Whether the step is of the engine's own, for an activity of the code: its source. */
static bool is_work(const struct hf_event *event)
{
    bool may_be = event->kind == HF_EVENT_ACTIVITY_SCHEDULED ||
                  event->kind == HF_EVENT_TIMER_CREATED;
    return may_be && event->source > 0;
}

static void prove_work(struct proof *proof, size_t index)
{
    const struct hf_event *event = &proof->steps[index].event;
    if (source_kind(proof, index) != HF_EVENT_ACTIVITY_SCHEDULED ||
        is_work(&proof->steps[event->source - 1].event)) {
        proof->wrong = "names no activity that it could be for";
    }
}

static void prove_cancel(struct proof *proof, size_t index)
{
    const struct hf_event *event = &proof->steps[index].event;
    if (!is_cancellable(source_kind(proof, index)) ||
        is_work(&proof->steps[event->source - 1].event)) {
        proof->wrong = "names no command that it could cancel";
    }
}

static void prove_completion(struct proof *proof, size_t index)
{
    const struct hf_event *event = &proof->steps[index].event;
    if (source_kind(proof, index) != completed_kind(event->kind)) {
        proof->wrong = "names no command that it could answer";
        return;
    }
    bool *is_answered = &proof->is_answered[event->source - 1];
    if (*is_answered) proof->wrong = "is the second completion of its source";
    *is_answered = true;
}

static void prove_step(struct proof *proof, size_t index)
{
    const struct hf_event *event = &proof->steps[index].event;
    proof->wrong = NULL;
    if (proof->steps[index].event_id != index + 1) {
        proof->wrong = "does not have the next id";
    } else if ((event->kind == HF_EVENT_STARTED) != (index == 0)) {
        proof->wrong = index == 0 ? "is not a start" : "is a second start";
    } else if (index > 0 && hf__event_is_last(proof->steps[index - 1].event.kind)) {
        proof->wrong = "stands behind the last event";
    } else if (completed_kind(event->kind) != 0) {
        prove_completion(proof, index);
    } else if (event->kind == HF_EVENT_FUTURE_CANCELLED) {
        prove_cancel(proof, index);
    } else if (is_work(event)) {
        prove_work(proof, index);
    }
}

static hf_status step_read(struct hf__turn *turn, size_t index, struct proof *proof,
                           hf_error *error)
{
    const struct hf_stored_event *stored = &turn->view->events[index];
    struct hf__step *step = &turn->steps[index];
    step->event_id = stored->event_id;
    hf_status status = hf_event_decode(stored->body, &turn->scratch, &step->event, error);
    if (status == HF_CORRUPT && error) error->lsn = stored->lsn;
    if (status != HF_OK) return status;
    prove_step(proof, index);
    if (!proof->wrong) return HF_OK;
    char text[DESCRIPTION_SIZE];
    hf__event_describe(&step->event, text, sizeof text);
    return hf_error_corrupt(error, stored->lsn, "history is damaged: event %llu, %s, %s",
                            (unsigned long long)stored->event_id, text, proof->wrong);
}

hf_status hf__replay_read(struct hf__turn *turn, const hf_allocator *heap, hf_error *error)
{
    const struct hf_turn_view *view = turn->view;
    hf_arena_init(&turn->scratch, heap);
    size_t count = view->events_count;
    turn->steps = hf_arena_array(&turn->scratch, count + view->messages_count, sizeof *turn->steps);
    struct proof proof = { .steps = turn->steps };
    proof.is_answered = hf_arena_array(&turn->scratch, count, sizeof *proof.is_answered);
    if (turn->scratch.failed) {
        return hf_error_set(error, HF_NO_MEMORY, "no memory for a history of %zu events", count);
    }
    for (size_t i = 0; i < count; i++) {
        hf_status status = step_read(turn, i, &proof, error);
        if (status != HF_OK) return status;
    }
    turn->history_count = turn->steps_count = count;
    return HF_OK;
}

bool hf__replay_is_committed(const struct hf__turn *turn)
{
    for (size_t i = 0; i < turn->history_count; i++) {
        uint64_t kind = turn->steps[i].event.kind;
        if (hf_event_is_command(kind) || hf__event_is_last(kind)) return true;
    }
    return false;
}
