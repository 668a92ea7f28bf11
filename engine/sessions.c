/* Which sessions of the instance are open, as its code knows it. No worker, claim or lease is known
 * here.
 *
 * The public value hf_session names a handle: an id with the incarnation that it meant when it was
 * got, or with 0 for whichever is open under that id. A handle whose incarnation is closed is stale
 * for good, also when the id is opened again. */
#include <stdio.h>
#include <string.h>

#include "engine/execution_internal.h"

static const struct hf__session_handle *handle_at(const struct hf_execution *self, hf_session value)
{
    hf_assert(value.id > 0 && value.id <= self->handles_count);
    return &self->handles[value.id - 1];
}

const struct hf__session_handle *hf__session_handle(struct hf_execution *self, hf_session session)
{
    if (session.id == 0 || session.id > self->handles_count) {
        hf__execution_fail(self, HF_INVALID, "stale_session",
                           "the value %llu names no session: use what hf_session_open, _open_id or "
                           "_named returned",
                           (unsigned long long)session.id);
    }
    return handle_at(self, session);
}

hf_session hf__session_find_open(const struct hf_execution *self, hf_slice id)
{
    for (size_t i = 0; i < self->open_sessions_count; i++) {
        hf_session value = { self->open_sessions[i] };
        if (hf_slice_equal(hf_text(handle_at(self, value)->id), id)) return value;
    }
    return (hf_session){ 0 };
}

const struct hf__session_handle *hf__session_open_of(const struct hf_execution *self,
                                                     const struct hf__session_handle *handle)
{
    hf_session value = hf__session_find_open(self, hf_text(handle->id));
    if (value.id == 0) return NULL;
    const struct hf__session_handle *open = handle_at(self, value);
    bool is_meant = handle->incarnation == 0 || handle->incarnation == open->incarnation;
    return is_meant ? open : NULL;
}

/* ---- values --------------------------------------------------------------------------------- */

/* A new handle. Copies. {0}: no memory, the execution is broken. */
static hf_session handle_add(struct hf_execution *self, hf_slice id, uint64_t incarnation,
                             hf_slice tag)
{
    void *array = self->handles;
    bool fits = self->handles_count < self->handles_capacity ||
                hf_heap_grow(self->heap, &array, &self->handles_capacity, sizeof *self->handles);
    self->handles = array;
    struct hf__session_handle handle = { .incarnation = incarnation };
    if (fits) handle.id = hf_arena_text(&self->memory, id);
    if (fits && tag.size > 0) handle.tag = hf_arena_text(&self->memory, tag);
    if (!fits || self->memory.failed) {
        hf__execution_no_memory(self);
        return (hf_session){ 0 };
    }
    self->handles[self->handles_count++] = handle;
    return (hf_session){ self->handles_count };
}

hf_session hf__session_name(struct hf_execution *self, hf_slice id)
{
    for (size_t i = self->handles_count; i > 0; i--) {
        const struct hf__session_handle *handle = &self->handles[i - 1];
        if (handle->incarnation == 0 && hf_slice_equal(hf_text(handle->id), id)) {
            return (hf_session){ i };
        }
    }
    return handle_add(self, id, 0, hf_text(NULL));
}

/* ---- opening and closing -------------------------------------------------------------------- */

static hf_session open_add(struct hf_execution *self, hf_slice id, uint64_t incarnation,
                           hf_slice tag)
{
    void *array = self->open_sessions;
    bool fits = self->open_sessions_count < self->open_sessions_capacity ||
                hf_heap_grow(self->heap, &array, &self->open_sessions_capacity,
                             sizeof *self->open_sessions);
    self->open_sessions = array;
    hf_session value = { 0 };
    if (fits) value = handle_add(self, id, incarnation, tag);
    if (value.id == 0) {
        hf__execution_no_memory(self);
        return value;
    }
    self->open_sessions[self->open_sessions_count++] = value.id;
    return value;
}

/* Limits and capabilities: asked beyond history only. */
static void judge_open(struct hf_execution *self, hf_slice id)
{
    unsigned long long count = self->open_sessions_count, limit = self->options.sessions_max;
    if (!self->options.sessions_supported) {
        hf__execution_fail(self, HF_INVALID, "sessions_unsupported",
                           "session \"" HF_FMT "\" cannot be opened: the store does not support "
                           "sessions",
                           HF_ARG(id));
    }
    if (count >= limit) {
        hf__execution_fail(self, HF_TOO_LARGE, "session_limit",
                           "session \"" HF_FMT "\" is one too many: %llu are open, the limit is "
                           "%llu; close one first",
                           HF_ARG(id), count, limit);
    }
}

hf_session hf__session_open(struct hf_execution *self, hf_slice id,
                            const hf_session_options *options)
{
    hf_assert(hf__session_find_open(self, id).id == 0);
    if (hf__command_is_judged(self)) judge_open(self, id);
    struct hf_event event = { .kind = HF_EVENT_SESSION_OPENED,
                              .text = id,
                              .incarnation = self->incarnations_count + 1,
                              .tag = hf_text(options->tag),
                              .recovery = (uint32_t)options->recovery,
                              .name = hf_text(options->rebuild),
                              .payload = options->rebuild_input };
    hf__command_issue(self, &event);
    self->incarnations_count++;
    return open_add(self, id, event.incarnation, event.tag);
}

void hf__session_forget(struct hf_execution *self, uint64_t incarnation)
{
    size_t index = 0;
    hf_assert(incarnation > 0); /* 0 is a handle that names no incarnation, never an open one */
    while (index < self->open_sessions_count) {
        hf_session value = { self->open_sessions[index] };
        if (handle_at(self, value)->incarnation == incarnation) break;
        index++;
    }
    hf_assert(index < self->open_sessions_count);
    self->open_sessions_count--;
    uint64_t *at = self->open_sessions + index;
    memmove(at, at + 1, (self->open_sessions_count - index) * sizeof *at);
}

/* ---- over continue-as-new ------------------------------------------------------------------- */

bool hf__sessions_carry(struct hf_execution *self, const struct hf_event *started)
{
    const struct hf_carried_session *sessions = started->sessions.items;
    self->incarnations_count = started->incarnations_count;
    self->generated_ids_count = started->generated_ids_count;
    for (size_t i = 0; i < started->sessions.count; i++) {
        const struct hf_carried_session *session = &sessions[i];
        hf_session value = open_add(self, session->id, session->incarnation, session->tag);
        if (value.id == 0) return false;
    }
    return true;
}

struct hf_list hf_execution_sessions(const struct hf_execution *self, struct hf_arena *arena)
{
    struct hf_list list = { NULL, self->open_sessions_count };
    struct hf_carried_session *rows = hf_arena_array(arena, list.count, sizeof *rows);
    for (size_t i = 0; rows && i < list.count; i++) {
        const struct hf__session_handle *handle = handle_at(self,
                                                            (hf_session){ self->open_sessions[i] });
        rows[i] = (struct hf_carried_session){ .incarnation = handle->incarnation,
                                               .id = hf_text(handle->id),
                                               .tag = hf_text(handle->tag) };
    }
    list.items = rows;
    return list;
}
