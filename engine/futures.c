/* Futures: what the code can await. A table by rising id, and among them the pending ones as a
 * list.
 *
 * A future is named by the event id of the command that made it, so a completion finds it by its
 * source. It lives in the arena of the scope in which it was made. Scopes are a stack, hence the
 * futures of a scope and of those inside it are the table's tail.
 *
 *            new               deliver, cancel, close of its session, cancel request
 *   (none) ------> pending --------------------------------------------------------> done
 *
 * A done future never changes again: a later completion of it is ignored. */
#include <string.h>

#include "engine/execution_internal.h"

/* ---- the table ------------------------------------------------------------------------------ */

static void pending_append(struct hf_execution *self, struct hf__future *future)
{
    future->previous_pending = self->pending_last;
    if (self->pending_last) {
        hf_assert(self->pending_last->id < future->id);
        self->pending_last->next_pending = future;
    } else {
        self->pending_first = future;
    }
    self->pending_last = future;
}

static void pending_remove(struct hf_execution *self, struct hf__future *future)
{
    struct hf__future *previous = future->previous_pending, *next = future->next_pending;
    hf_assert(previous || self->pending_first == future);
    hf_assert(next || self->pending_last == future);
    if (previous) hf_assert(previous->next_pending == future);
    if (next) hf_assert(next->previous_pending == future);
    if (previous) previous->next_pending = next;
    if (next) next->previous_pending = previous;
    if (!previous) self->pending_first = next;
    if (!next) self->pending_last = previous;
    future->previous_pending = future->next_pending = NULL;
}

static bool table_fits_one(struct hf_execution *self)
{
    if (self->futures_count < self->futures_capacity) return true;
    void *array = self->futures;
    bool grown = hf_heap_grow(self->heap, &array, &self->futures_capacity, sizeof *self->futures);
    self->futures = array;
    return grown;
}

struct hf__future *hf__future_new(struct hf_execution *self, enum hf__future_kind kind,
                                  uint64_t event_id, hf_slice name)
{
    hf_assert(event_id > 0);
    struct hf_arena *arena = hf__scope_arena(self);
    struct hf__future *future = hf_arena_new(arena, sizeof *future);
    hf_slice copy = hf_arena_copy(arena, name);
    if (!future || !copy.data || !table_fits_one(self)) {
        hf__execution_no_memory(self);
        return NULL;
    }
    hf_assert(self->futures_count == 0 || self->futures[self->futures_count - 1]->id < event_id);
    *future = (struct hf__future){ .id = event_id,
                                   .kind = kind,
                                   .is_pending = true,
                                   .scope = self->scopes_count - 1,
                                   .name = copy };
    self->futures[self->futures_count++] = future;
    pending_append(self, future);
    return future;
}

struct hf__future *hf__future_find(const struct hf_execution *self, uint64_t id)
{
    size_t low = 0, high = self->futures_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->futures[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < self->futures_count && self->futures[low]->id == id;
    return found ? self->futures[low] : NULL;
}

void hf__future_watch(struct hf_execution *self, struct hf__future *future)
{
    if (!future->is_pending || future->is_watched) return;
    future->is_watched = true;
    self->watched_count++;
}

/* ---- ending --------------------------------------------------------------------------------- */

static void unwatch(struct hf_execution *self, struct hf__future *future)
{
    hf_assert(future->is_watched);
    hf_assert(self->watched_count > 0);
    future->is_watched = false;
    self->watched_count--;
    if (self->wanted_count > 0) self->wanted_count--;
}

void hf__future_finish(struct hf_execution *self, struct hf__future *future, hf_status status)
{
    hf_assert(future->is_pending);
    pending_remove(self, future);
    if (future->line) hf__line_leave(future);
    if (future->is_watched) unwatch(self, future);
    if (future->tries) hf__tries_end(self, future);
    future->is_pending = false;
    future->status = status;
}

void hf__future_receive(struct hf_execution *self, struct hf__future *future, hf_slice payload)
{
    hf_assert(future->is_pending); /* what the code was given stays as it is */
    hf_assert(future->scope < self->scopes_count);
    future->result = hf_arena_copy(&self->scopes[future->scope].arena, payload);
    if (!future->result.data) hf__execution_no_memory(self);
    hf__future_finish(self, future, HF_OK);
}

static hf_status status_of(const struct hf_event *outcome)
{
    switch (outcome->kind) {
    case HF_EVENT_ACTIVITY_FAILED:
        if (outcome->status == HF_SESSION_LOST) return HF_SESSION_LOST;
        return outcome->status == HF_TIMEOUT ? HF_TIMEOUT : HF_FAILED; /* nobody took it in time */
    case HF_EVENT_CHILD_FAILED: return HF_FAILED;
    default: return HF_OK;
    }
}

void hf__future_end(struct hf_execution *self, struct hf__future *future,
                    const struct hf_event *event)
{
    hf_assert(future->is_pending);
    hf_assert(future->scope < self->scopes_count);
    struct hf_arena *arena = &self->scopes[future->scope].arena;
    future->result = hf_arena_copy(arena, event->payload);
    future->code = hf_arena_copy(arena, event->code);
    future->text = hf_arena_copy(arena, event->text);
    if (arena->failed) hf__execution_no_memory(self);
    hf__future_finish(self, future, status_of(event));
}

/* The pending future that a completion of that source is for, or NULL. */
static struct hf__future *future_behind(const struct hf_execution *self, uint64_t source)
{
    struct hf__future *future = hf__future_find(self, source);
    if (!future) future = hf__tries_find(self, source);
    return future && future->is_pending ? future : NULL;
}

bool *hf__future_expect(struct hf_execution *self, uint64_t source, enum hf__future_kind *out_kind)
{
    struct hf__future *future = future_behind(self, source);
    if (!future) return NULL;
    if (future->tries) return hf__tries_expect(future, source, out_kind);
    *out_kind = future->kind;
    return &future->is_answered;
}

void hf__future_deliver(struct hf_execution *self, const struct hf_event *event)
{
    struct hf__future *future = future_behind(self, event->source);
    if (!future) return; /* it ended before: legal, and no second outcome */
    if (future->tries) {
        hf__tries_deliver(self, future, event);
    } else {
        hf__future_end(self, future, event);
    }
}

/* Names what a store does for a future that is given up. Nothing stands behind one that waits in
 * line; tries name theirs themselves. */
static void name_work(struct hf_execution *self, const struct hf__future *future)
{
    if (future->tries) return;
    switch (future->kind) {
    case HF__FUTURE_ACTIVITY:
    case HF__FUTURE_TIMER: hf__decision_cancel(self, future->id); break;
    case HF__FUTURE_CHILD: hf__decision_cancel_child(self, future->id); break;
    case HF__FUTURE_TAKE:
    case HF__FUTURE_RAISED: break;
    }
}

void hf__future_cancel(struct hf_execution *self, struct hf__future *future)
{
    hf_assert(future->is_pending);
    struct hf_event event = { .kind = HF_EVENT_FUTURE_CANCELLED, .source = future->id };
    hf__command_issue(self, &event);
    name_work(self, future);
    hf__future_finish(self, future, HF_CANCELLED);
}

void hf__futures_cancel_all(struct hf_execution *self, bool tells_children)
{
    while (self->pending_first) {
        struct hf__future *future = self->pending_first;
        if (tells_children || future->kind != HF__FUTURE_CHILD) name_work(self, future);
        hf__future_finish(self, future, HF_CANCELLED);
    }
    hf_assert(!self->pending_last);
    hf_assert(self->watched_count == 0);
}

void hf__futures_close_session(struct hf_execution *self, uint64_t incarnation)
{
    hf_assert(incarnation > 0);
    struct hf__future *future = self->pending_first;
    while (future) {
        struct hf__future *next = future->next_pending;
        if (future->incarnation == incarnation) {
            hf__future_finish(self, future, HF_SESSION_CLOSED);
        }
        future = next;
    }
}

void hf__futures_cut(struct hf_execution *self, size_t begin)
{
    hf_assert(begin <= self->futures_count);
    for (size_t i = begin; i < self->futures_count; i++) {
        if (self->futures[i]->is_pending) hf__future_cancel(self, self->futures[i]);
    }
    self->futures_count = begin;
}
