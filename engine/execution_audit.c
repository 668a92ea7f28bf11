/* The audit: what must hold of an execution between two turns, as one walk over all of it.
 * Sanitized builds run it after each turn (HF_AUDIT); it changes nothing and is no check of a
 * user's data.
 *
 *  1. Futures rise by id; the pending ones are linked in that order, and no other is linked.
 *  2. Futures of a scope are the table's tail from its futures_begin; scopes rise.
 *  3. Takes and waits that are pending, and no other futures, stand in the line of their name, by
 * rising id. A mailbox has takes or messages, never both; an event has no messages. All messages
 * are in the list of all, which rises by event id.
 *  4. The code watches pending futures only, and wants at least one of them while it is there.
 *  5. A pending future with tries has a try or a pause, and a limit of a try only with one; a done
 * one has nothing. The table of owned works holds exactly those that are no first try.
 *  6. Open sessions rise by incarnation, and none is beyond the count of those given out. A handle
 * without an incarnation has no tag. */
#include "engine/execution_internal.h"

static void audit_waiting(const struct hf_execution *self)
{
    size_t watched = 0;
    for (size_t i = 0; i < self->futures_count; i++) {
        if (!self->futures[i]->is_watched) continue;
        hf_assert(self->futures[i]->is_pending);
        watched++;
    }
    hf_assert(watched == self->watched_count && self->wanted_count <= watched);
    hf_assert((self->wanted_count > 0) == (self->fiber != NULL));
}

static void audit_futures(const struct hf_execution *self)
{
    const struct hf__future *pending = self->pending_first;
    uint64_t latest = 0;
    for (size_t i = 0; i < self->futures_count; i++) {
        const struct hf__future *future = self->futures[i];
        hf_assert(future->id > latest && future->scope < self->scopes_count);
        hf_assert(i >= self->scopes[future->scope].futures_begin);
        hf_assert((future->session != NULL) == (future->incarnation > 0));
        latest = future->id;
        if (!future->is_pending) continue;
        hf_assert(pending == future && future->status == HF_OK);
        bool is_in_line = future->kind == HF__FUTURE_TAKE || future->kind == HF__FUTURE_RAISED;
        hf_assert((future->line != NULL) == is_in_line);
        pending = future->next_pending;
    }
    hf_assert(!pending);
}

/* Returns how many of its works are owned. */
static size_t audit_works(const struct hf_execution *self, const struct hf__future *future)
{
    const struct hf__work *works = future->tries->works;
    size_t owned = 0;
    hf_assert(future->kind == HF__FUTURE_ACTIVITY && future->tries->count <= future->tries->max);
    bool has_try = works[HF__WORK_TRY].id > 0, has_pause = works[HF__WORK_PAUSE].id > 0;
    hf_assert(future->is_pending == (has_try != has_pause));
    if (!has_try) hf_assert(works[HF__WORK_TRY_LIMIT].id == 0);
    if (!future->is_pending) hf_assert(!has_try && works[HF__WORK_TOTAL_LIMIT].id == 0);
    for (size_t i = 0; i < HF__WORKS_COUNT; i++) {
        if (works[i].id == 0 || works[i].id == future->id) continue;
        hf_assert(hf__tries_find(self, works[i].id) == future);
        owned++;
    }
    return owned;
}

static void audit_tries(const struct hf_execution *self)
{
    size_t owned = 0;
    for (size_t i = 0; i < self->futures_count; i++) {
        if (self->futures[i]->tries) owned += audit_works(self, self->futures[i]);
    }
    hf_assert(owned == self->owned_count - self->owned_empty_count);
    for (size_t i = 1; i < self->owned_count; i++) {
        hf_assert(self->owned[i].id > self->owned[i - 1].id);
    }
}

static void audit_scopes(const struct hf_execution *self)
{
    for (size_t i = 1; i < self->scopes_count; i++) {
        hf_assert(self->scopes[i].id > self->scopes[i - 1].id);
        hf_assert(self->scopes[i].futures_begin >= self->scopes[i - 1].futures_begin);
        hf_assert(self->scopes[i].futures_begin <= self->futures_count);
    }
}

static void audit_line(const struct hf__line *line, enum hf__future_kind kind)
{
    const struct hf__future *future = line->first, *previous = NULL;
    for (; future; previous = future, future = future->next_in_line) {
        hf_assert(future->is_pending && future->line == line && future->kind == kind);
        hf_assert(future->previous_in_line == previous && (!previous || previous->id < future->id));
        hf_assert(hf_slice_equal(future->name, line->name));
    }
    hf_assert(line->last == previous);
}

static void audit_raised(const struct hf_execution *self)
{
    for (size_t i = 0; i < self->raised.count; i++) {
        audit_line(self->raised.items[i], HF__FUTURE_RAISED);
        hf_assert(!self->raised.items[i]->messages_first);
    }
}

static void audit_mailboxes(const struct hf_execution *self)
{
    size_t in_lines = 0, size = 0;
    uint64_t latest = 0;
    for (size_t i = 0; i < self->mailboxes.count; i++) {
        const struct hf__line *line = self->mailboxes.items[i];
        hf_assert(!line->first || !line->messages_first);
        audit_line(line, HF__FUTURE_TAKE);
        const struct hf__buffered *message = line->messages_first;
        for (; message; message = message->next_in_line) in_lines++;
    }
    const struct hf__buffered *message = self->buffered_first;
    for (; message; message = message->next) {
        hf_assert(message->event_id > latest && in_lines > 0);
        latest = message->event_id;
        size += sizeof *message + message->payload_size;
        in_lines--;
    }
    hf_assert(in_lines == 0 && size == self->buffered_size);
}

static void audit_sessions(const struct hf_execution *self)
{
    uint64_t latest = 0;
    for (size_t i = 0; i < self->open_sessions_count; i++) {
        uint64_t value = self->open_sessions[i];
        hf_assert(value > 0 && value <= self->handles_count);
        hf_assert(self->handles[value - 1].incarnation > latest);
        latest = self->handles[value - 1].incarnation;
    }
    hf_assert(latest <= self->incarnations_count);
    for (size_t i = 0; i < self->handles_count; i++) {
        hf_assert(self->handles[i].incarnation > 0 || !self->handles[i].tag);
    }
}

void hf__execution_audit(const struct hf_execution *self)
{
    hf_assert(!self->is_running && self->has_ended == !self->fiber);
    audit_futures(self);
    audit_tries(self);
    audit_waiting(self);
    audit_scopes(self);
    audit_mailboxes(self);
    audit_raised(self);
    audit_sessions(self);
}
