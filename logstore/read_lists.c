/* Reads of who holds what: sessions and registrations, and the questions that the commands answer.
 * All that is given out lies in the caller's arena. */
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/queries.h"
#include "logstore/lease.h"
#include "logstore/read.h"

/* An array in an arena that doubles. */
struct list {
    struct hf_arena *arena;
    void *items;
    size_t count, capacity, element_size;
};

/* Room for one more; NULL: no memory, and error says so. */
static void *list_add(struct list *list, hf_error *error)
{
    hf_assert(list->count <= list->capacity);
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 16;
        void *items = hf_arena_array(list->arena, capacity, list->element_size);
        if (!items) {
            hf_error_set(error, HF_NO_MEMORY, "no memory for what was read");
            return NULL;
        }
        if (list->count > 0) memcpy(items, list->items, list->count * list->element_size);
        list->items = items;
        list->capacity = capacity;
    }
    return (char *)list->items + list->count++ * list->element_size;
}

static uint64_t left_ms(bool is_passed, uint64_t deadline_boot_ms, uint64_t now_boot_ms)
{
    return is_passed || deadline_boot_ms <= now_boot_ms ? 0 : deadline_boot_ms - now_boot_ms;
}

/* ---- sessions ------------------------------------------------------------------------------ */

/* Who owns it, and for how long. The registration's row may be gone when it has ended. */
static hf_status session_owner(struct hf__step *step, struct hf_session_row *row)
{
    struct hf__holder holder;
    struct hf_row_registration registration;
    hf_status status = hf__holder_get(step, row->owner, &holder);
    if (status != HF_OK) return status;
    row->lease_left_ms = left_ms(holder.sessions_passed, holder.sessions_deadline_boot_ms,
                                 step->now_boot_ms);
    status = hf_registration_get(step->tables, row->owner, &registration, step->error);
    if (status == HF_OK) row->worker_id = registration.worker_id;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

static hf_status session_fill(struct hf__step *step, const struct hf_row_session *session,
                              struct list *list)
{
    struct hf_row_instance instance;
    struct hf_session_row row = {
        .instance = session->id.instance,
        .incarnation = session->id.incarnation,
        .session_id = session->name,
        .owner = session->owner,
        .epoch = session->epoch,
        .queued_count = session->ready_count + session->delayed_count,
        .running_count = session->running_count,
        .opened_unix_ms = session->opened_unix_ms,
        .quiet_unix_ms = session->quiet_unix_ms,
    };
    hf_status status = hf_instance_get(step->tables, row.instance, &instance, step->error);
    if (status == HF_NOT_FOUND) return HF_OK; /* deleted: reclaim has not come to it yet */
    if (status == HF_OK && hf_instance_has_ended(&instance)) return HF_OK;
    if (status == HF_OK) row.instance_id = instance.id;
    if (status == HF_OK) status = hf_tag_name(step->tables, session->tag, &row.tag, step->error);
    if (status == HF_OK && row.owner != 0) status = session_owner(step, &row);
    if (status != HF_OK) return status;
    struct hf_session_row *room = list_add(list, step->error);
    if (!room) return HF_NO_MEMORY;
    *room = row;
    return HF_OK;
}

/* The session behind *id: of an owner, or of all. */
static hf_status session_next(struct hf__step *step, uint64_t owner, struct hf_session_id *id,
                              struct hf_row_session *out_row)
{
    if (owner == 0) {
        hf_status status = hf_session_next(step->tables, id, out_row, step->error);
        if (status == HF_OK) *id = out_row->id;
        return status;
    }
    struct hf_session_owned_place place = { owner, *id };
    hf_status status = hf_sessions_owned_next(step->tables, &place, step->error);
    if (status != HF_OK) return status;
    *id = place.session;
    status = hf_session_get(step->tables, id, out_row, step->error);
    if (status != HF_NOT_FOUND) return status;
    return hf_error_corrupt(step->error, 0, "a registration owns a session that is not there");
}

/* Whether a session is quiet for as long as the query wants. */
static bool is_quiet(const struct hf_sessions_query *query, const struct hf_row_session *session)
{
    if (query->quiet_until_unix_ms == 0) return true;
    return session->quiet_unix_ms != 0 && session->quiet_unix_ms <= query->quiet_until_unix_ms;
}

hf_status hf__read_sessions(struct hf_backend *backend, struct hf_sessions_query *query,
                            struct hf_arena *arena, struct hf_session_row **out_rows,
                            size_t *out_count, hf_error *error)
{
    struct hf__reader reader;
    struct hf__step step;
    struct hf_row_session session;
    struct hf_session_id id = { query->after_instance, query->after_incarnation };
    size_t looked_count = 0;
    struct list list = { .arena = arena, .element_size = sizeof(struct hf_session_row) };
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    status = hf__reader_step(&reader, error, &step);
    bool is_full = false;
    while (status == HF_OK && !is_full) {
        status = session_next(&step, query->owner, &id, &session);
        if (status == HF_OK && is_quiet(query, &session)) {
            status = session_fill(&step, &session, &list);
        }
        is_full = query->looked_max > 0 && ++looked_count == query->looked_max;
    }
    hf__reader_end(&reader);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    query->out_more = status == HF_OK;
    query->after_instance = id.instance;
    query->after_incarnation = id.incarnation;
    *out_rows = list.items;
    *out_count = list.count;
    return HF_OK;
}

/* ---- registrations ------------------------------------------------------------------------- */

static hf_status items_count(struct hf__step *step, uint64_t registration, uint64_t *out_count)
{
    struct hf_running_place place = { .registration = registration };
    struct hf_item_id item;
    hf_status status = HF_OK;
    *out_count = 0;
    while (status == HF_OK) {
        status = hf_items_running_any_next(step->tables, &place, &item, step->error);
        if (status == HF_OK) ++*out_count;
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

static hf_status registration_fill(struct hf__step *step, const struct hf_row_registration *found,
                                   struct list *list)
{
    struct hf__holder holder;
    struct hf_registration_row row = {
        .registration = found->lsn,
        .worker_id = found->worker_id,
        .life = found->life,
        .boot_id = found->boot_id,
        .pid = found->pid,
        .ended = found->ended_reason != 0,
        .sessions_count = found->sessions_count,
    };
    hf_status status = hf__holder_get(step, found->lsn, &holder);
    if (status == HF_OK) status = items_count(step, found->lsn, &row.items_count);
    if (status != HF_OK) return status;
    row.items_left_ms = left_ms(holder.items_passed, holder.items_deadline_boot_ms,
                                step->now_boot_ms);
    row.sessions_left_ms = left_ms(holder.sessions_passed, holder.sessions_deadline_boot_ms,
                                   step->now_boot_ms);
    struct hf_registration_row *room = list_add(list, step->error);
    if (!room) return HF_NO_MEMORY;
    *room = row;
    return HF_OK;
}

hf_status hf__read_registrations(struct hf_backend *backend, struct hf_arena *arena,
                                 struct hf_registration_row **out_rows, size_t *out_count,
                                 hf_error *error)
{
    struct hf__reader reader;
    struct hf__step step;
    struct hf_row_registration found = { 0 };
    struct list list = { .arena = arena, .element_size = sizeof(struct hf_registration_row) };
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    status = hf__reader_step(&reader, error, &step);
    while (status == HF_OK) {
        status = hf_registration_next(&reader.tables, found.lsn, &found, step.error);
        if (status == HF_OK) status = registration_fill(&step, &found, &list);
    }
    hf__reader_end(&reader);
    if (status != HF_NOT_FOUND) return status;
    *out_rows = list.items;
    *out_count = list.count;
    return HF_OK;
}

/* ---- questions to the commands ------------------------------------------------------------- */

hf_status hf__read_check_held(struct hf_backend *backend, struct hf_store_renew *renew,
                              struct hf_arena *arena, hf_error *error)
{
    struct hf__reader reader;
    struct hf__step step;
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    status = hf__reader_step(&reader, error, &step);
    if (status == HF_OK) status = hf__command_check_held(&step, renew, arena);
    hf__reader_end(&reader);
    return status;
}

hf_status hf__read_peek(struct hf_backend *backend, struct hf_peek *peek, hf_error *error)
{
    struct hf__reader reader;
    struct hf__step step;
    struct hf_arena arena;
    struct hf__store *store = hf__store_of(backend);
    hf_arena_init(&arena, store->heap);
    hf_status status = hf__reader_begin(store, &arena, &reader, error);
    if (status == HF_OK) {
        status = hf__reader_step(&reader, error, &step);
        if (status == HF_OK) status = hf__command_peek(&step, peek);
        hf__reader_end(&reader);
    }
    hf_arena_release(&arena);
    return status;
}
