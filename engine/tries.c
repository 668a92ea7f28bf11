/* Tries: an activity that is scheduled again when it fails, and limits of its time. To the code it
 * is one future, that of the first try. What is behind it are works: an item or a pause, and
 * timers.
 *
 *                 failed, tries are left             its timer fires
 *   try --------------------------------> pause -----------------------> try ...
 *    | completed, failed for good           |
 *    +---------------> done <---------------+  a limit's timer fires, cancel, its session closes
 *
 * Laws
 *  1. A further try, a pause and a limit are commands of the engine's own: issued when the message
 * is delivered that brings them about, off the fiber, and matched at replay in strict order like
 * those of the code. Their source is the first try.
 *  2. No clock is compared with a limit: that its timer fired is in history, and decides.
 *  3. What ends the future calls off all of its works. That needs no event of its own, since
 * history tells what ended it. What still comes from a work that is over is dropped.
 *
 * The policy is code, not history: it may be changed under an instance, as long as what history
 * shows is what the new one would have done. */
#include <stdio.h>

#include "engine/execution_internal.h"

/* ---- whose work it is ----------------------------------------------------------------------- */

/* Index of the entry of that work, or where it would be. */
static size_t owned_place(const struct hf_execution *self, uint64_t id)
{
    size_t low = 0, high = self->owned_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->owned[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct hf__future *hf__tries_find(const struct hf_execution *self, uint64_t id)
{
    size_t at = owned_place(self, id);
    bool found = at < self->owned_count && self->owned[at].id == id;
    return found ? self->owned[at].future : NULL;
}

static bool owned_add(struct hf_execution *self, uint64_t id, struct hf__future *future)
{
    hf_assert(self->owned_count == 0 || self->owned[self->owned_count - 1].id < id);
    if (self->owned_count == self->owned_capacity) {
        void *array = self->owned;
        bool grown = hf_heap_grow(self->heap, &array, &self->owned_capacity, sizeof *self->owned);
        self->owned = array;
        if (!grown) return false;
    }
    self->owned[self->owned_count++] = (struct hf__owned){ id, future };
    return true;
}

/* Entries go in any order, most of them soon: their places are closed up when half of them are
 * empty. */
static void owned_remove(struct hf_execution *self, uint64_t id)
{
    size_t at = owned_place(self, id);
    hf_assert(at < self->owned_count && self->owned[at].id == id && self->owned[at].future);
    self->owned[at].future = NULL;
    self->owned_empty_count++;
    if (self->owned_empty_count * 2 < self->owned_count) return;
    size_t kept = 0;
    for (size_t i = 0; i < self->owned_count; i++) {
        if (self->owned[i].future) self->owned[kept++] = self->owned[i];
    }
    self->owned_count = kept;
    self->owned_empty_count = 0;
}

/* ---- works ---------------------------------------------------------------------------------- */

static void work_add(struct hf_execution *self, struct hf__future *future, enum hf__work_kind kind,
                     uint64_t id)
{
    struct hf__work *work = &future->tries->works[kind];
    if (self->broken != HF_OK) return;
    hf_assert(work->id == 0 && id > 0);
    if (id == future->id || owned_add(self, id, future)) {
        *work = (struct hf__work){ .id = id };
    } else {
        hf__execution_no_memory(self);
    }
}

static void work_remove(struct hf_execution *self, struct hf__future *future,
                        enum hf__work_kind kind)
{
    struct hf__work *work = &future->tries->works[kind];
    hf_assert(work->id > 0);
    if (work->id != future->id) owned_remove(self, work->id);
    work->id = 0;
}

static void work_call_off(struct hf_execution *self, struct hf__future *future,
                          enum hf__work_kind kind)
{
    uint64_t id = future->tries->works[kind].id;
    if (id == 0) return;
    hf__decision_cancel(self, id);
    work_remove(self, future, kind);
}

/* Which work of the future has that event id; HF__WORKS_COUNT: none. */
static enum hf__work_kind work_of(const struct hf__future *future, uint64_t id)
{
    unsigned kind = 0;
    while (kind < HF__WORKS_COUNT && future->tries->works[kind].id != id) kind++;
    return (enum hf__work_kind)kind;
}

bool *hf__tries_expect(struct hf__future *future, uint64_t source, enum hf__future_kind *out_kind)
{
    enum hf__work_kind kind = work_of(future, source);
    if (kind == HF__WORKS_COUNT) return NULL;
    *out_kind = kind == HF__WORK_TRY ? HF__FUTURE_ACTIVITY : HF__FUTURE_TIMER;
    return &future->tries->works[kind].is_answered;
}

void hf__tries_end(struct hf_execution *self, struct hf__future *future)
{
    for (unsigned kind = 0; kind < HF__WORKS_COUNT; kind++) {
        work_call_off(self, future, (enum hf__work_kind)kind);
    }
}

/* ---- one step after the other --------------------------------------------------------------- */

static void timer_begin(struct hf_execution *self, struct hf__future *future,
                        enum hf__work_kind kind, uint64_t delay_ms)
{
    static const char *const names[] = { [HF__WORK_PAUSE] = "pause",
                                         [HF__WORK_TRY_LIMIT] = "try_timeout",
                                         [HF__WORK_TOTAL_LIMIT] = "total_timeout" };
    if (self->broken != HF_OK) return;
    struct hf_event created = { .kind = HF_EVENT_TIMER_CREATED,
                                .source = future->id,
                                .text = hf_text(names[kind]),
                                .due_unix_ms = hf__due_unix_ms(self, delay_ms) };
    work_add(self, future, kind, hf__command_match(self, &created));
}

/* The try `id` was scheduled. */
static void try_begun(struct hf_execution *self, struct hf__future *future, uint64_t id)
{
    struct hf__tries *tries = future->tries;
    tries->count++;
    work_add(self, future, HF__WORK_TRY, id);
    if (tries->try_timeout_ms > 0) {
        timer_begin(self, future, HF__WORK_TRY_LIMIT, tries->try_timeout_ms);
    }
}

static void try_again(struct hf_execution *self, struct hf__future *future)
{
    struct hf__tries *tries = future->tries;
    struct hf_event event = tries->again;
    if (tries->start_timeout_ms > 0) {
        event.start_due_unix_ms = hf__due_unix_ms(self, tries->start_timeout_ms);
    }
    try_begun(self, future, hf__command_match(self, &event));
}

/* pause_ms * percent / 100, rounded up, plus step_ms, at most pause_max_ms; nothing wraps. */
static uint64_t longer(const struct hf__tries *tries)
{
    uint64_t pause_ms = tries->pause_ms, percent = tries->percent, max_ms = tries->pause_max_ms;
    if (pause_ms > UINT64_MAX / percent) return max_ms;
    uint64_t product = pause_ms * percent;
    uint64_t next_ms = product / 100 + (product % 100 > 0);
    if (next_ms >= max_ms || tries->step_ms > max_ms - next_ms) return max_ms;
    return next_ms + tries->step_ms;
}

static void retry_tell(struct hf_execution *self, const struct hf__future *future,
                       const struct hf_event *failed)
{
    enum { MESSAGE_SIZE = 512 };
    char message[MESSAGE_SIZE], activity[HF_ID_SIZE_MAX + 1];
    const struct hf__tries *tries = future->tries;
    if (!hf__execution_is_heard(self)) return;
    snprintf(message, sizeof message,
             "try %u of %u failed, the next in %llu ms: " HF_FMT ", " HF_FMT, tries->count,
             tries->max, (unsigned long long)tries->pause_ms, HF_ARG(failed->code),
             HF_ARG(failed->text));
    hf_text_copy(activity, sizeof activity, future->name);
    hf_log_line line = HF_INIT(hf_log_line);
    line.level = HF_LOG_WARN;
    line.event = "activity.retry";
    line.message = message;
    line.activity = activity;
    line.session = future->session;
    hf__execution_log(self, &line);
}

static void pause_begin(struct hf_execution *self, struct hf__future *future)
{
    uint64_t pause_ms = future->tries->pause_ms;
    work_call_off(self, future, HF__WORK_TRY_LIMIT);
    if (pause_ms == 0) {
        try_again(self, future);
        return;
    }
    timer_begin(self, future, HF__WORK_PAUSE, pause_ms);
    future->tries->pause_ms = longer(future->tries);
}

/* Whether a failure is answered by a further try: one of the activity itself. A lost session is
 * not, since its memory is gone, and what is poison was tried often enough. */
static bool is_tried_again(const struct hf__tries *tries, const struct hf_event *failed)
{
    if (failed->kind != HF_EVENT_ACTIVITY_FAILED || tries->count >= tries->max) return false;
    /* Nobody took it: its time is over. But who fell silent is fenced, and another may do better.
     */
    bool fell_silent = hf_slice_equal(failed->code, hf_text(HF_CODE_HEARTBEAT));
    if (failed->status == HF_TIMEOUT && !fell_silent) return false;
    return failed->status != HF_SESSION_LOST && !hf_slice_equal(failed->code, hf_text("poison"));
}

void hf__tries_deliver(struct hf_execution *self, struct hf__future *future,
                       const struct hf_event *event)
{
    enum hf__work_kind kind = work_of(future, event->source);
    hf_assert(kind < HF__WORKS_COUNT); /* no first try has two outcomes, others are not found */
    work_remove(self, future, kind);
    switch (kind) {
    case HF__WORK_TRY:
        if (is_tried_again(future->tries, event)) {
            retry_tell(self, future, event);
            pause_begin(self, future);
        } else {
            hf__future_end(self, future, event);
        }
        return;
    case HF__WORK_PAUSE: try_again(self, future); return;
    default: hf__future_finish(self, future, HF_TIMEOUT);
    }
}

/* ---- beginning ------------------------------------------------------------------------------ */

bool hf__tries_are_asked(const hf_activity_options *options)
{
    return options->tries_max > 1 || options->try_timeout_ms > 0 || options->total_timeout_ms > 0;
}

/* The pauses that the options ask for. */
static void pauses_set(struct hf__tries *tries, const hf_activity_options *options)
{
    enum { FIRST_MS = 100, MAX_MS = 30000, PERCENT = 200 };
    uint64_t first_ms = options->backoff_first_ms, max_ms = options->backoff_max_ms;
    tries->percent = options->backoff_percent > 0 ? options->backoff_percent : PERCENT;
    tries->step_ms = options->backoff_step_ms;
    if (first_ms == UINT64_MAX) return; /* none */
    if (first_ms == 0) first_ms = FIRST_MS;
    if (max_ms == 0) max_ms = first_ms > MAX_MS ? first_ms : MAX_MS;
    tries->pause_ms = first_ms < max_ms ? first_ms : max_ms;
    tries->pause_max_ms = max_ms;
}

/* The command of a further try: the first one again, in the memory of the future. */
static struct hf_event again(struct hf_execution *self, struct hf__future *future,
                             const struct hf_event *scheduled)
{
    struct hf_arena *arena = &self->scopes[future->scope].arena;
    struct hf_event event = *scheduled;
    event.source = future->id;
    event.name = future->name;
    event.payload = hf_arena_copy(arena, scheduled->payload);
    event.text = hf_text(future->session);
    event.tag = hf_arena_copy(arena, scheduled->tag);
    if (arena->failed) hf__execution_no_memory(self);
    return event;
}

void hf__tries_begin(struct hf_execution *self, struct hf__future *future,
                     const hf_activity_options *options, const struct hf_event *scheduled)
{
    struct hf__tries *tries = hf_arena_new(&self->scopes[future->scope].arena, sizeof *tries);
    if (!tries) {
        hf__execution_no_memory(self);
        return;
    }
    *tries = (struct hf__tries){ .max = options->tries_max > 0 ? options->tries_max : 1,
                                 .try_timeout_ms = options->try_timeout_ms,
                                 .start_timeout_ms = options->start_timeout_ms };
    pauses_set(tries, options);
    if (tries->max > 1) tries->again = again(self, future, scheduled);
    future->tries = tries;
    if (options->total_timeout_ms > 0) {
        timer_begin(self, future, HF__WORK_TOTAL_LIMIT, options->total_timeout_ms);
    }
    try_begun(self, future, future->id);
}
