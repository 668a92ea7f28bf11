/* Cursors over open sessions. A page is one short read of the store, of a bounded number of rows;
 * between pages a cursor is a place and nothing else.
 *
 * A worker id is looked up once, at opening: its registrations (a former one may still hold
 * sessions that nobody has claimed since) are then read one after the other. */
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "engine/base/options.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "runtime/store.h"

enum { PAGE_ROWS = 256 };

struct hf_cursor {
    hf_store *store;
    uint64_t instance;      /* 0: of all */
    struct hf_arena memory; /* of owners */
    bool has_owners;        /* owners is the filter */
    const uint64_t *owners; /* registrations of the worker id that was asked for */
    size_t owners_count, owner_index;
    uint64_t left_count; /* rows that may still be given */
    struct hf_sessions_query place;
    bool is_over;

    struct hf_arena arena; /* of the page */
    struct hf_session_row *rows;
    size_t rows_count, row_index;
    hf_session_info row;
    hf_error error;
};

/* ---- opening -------------------------------------------------------------------------------- */

static hf_status query_check(const hf_query *query, hf_error *error)
{
    hf_status status = HF_OK;
    if (query->instance) status = hf_id_check(query->instance, "instance id", error);
    if (status == HF_OK && query->worker_id) {
        status = hf_id_check(query->worker_id, "worker id", error);
    }
    return status;
}

static hf_status find_instance(hf_cursor *self, const char *id, hf_error *error)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_instance_info info;
    hf_status status = backend->ops->instance(backend, hf_text(id), &self->arena, &info, error);
    if (status == HF_OK) self->instance = self->place.after_instance = info.number;
    return status;
}

static hf_status find_owners(hf_cursor *self, const char *worker_id, hf_error *error)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_registration_row *rows = NULL;
    size_t count = 0;
    hf_status status = backend->ops->registrations(backend, &self->arena, &rows, &count, error);
    if (status != HF_OK) return status;
    uint64_t *owners = hf_arena_array(&self->memory, count, sizeof *owners);
    if (!owners) return hf_error_set(error, HF_NO_MEMORY, "no memory for a query of sessions");
    for (size_t i = 0; i < count; i++) {
        bool is_asked = hf_slice_equal(rows[i].worker_id, hf_text(worker_id));
        if (is_asked) owners[self->owners_count++] = rows[i].registration;
    }
    self->owners = owners;
    self->has_owners = true;
    self->is_over = self->owners_count == 0;
    if (!self->is_over) self->place.owner = owners[0];
    return HF_OK;
}

static hf_status cursor_prepare(hf_cursor *self, const hf_query *query, hf_error *error)
{
    const hf_clock *clock = self->store->clock;
    self->place.looked_max = PAGE_ROWS;
    self->left_count = query->limit ? query->limit : UINT64_MAX;
    if (query->quiet_ms > 0) {
        uint64_t now_unix_ms = clock->wall_unix_ms(clock->self);
        self->is_over = query->quiet_ms >= now_unix_ms; /* nothing is older than time */
        self->place.quiet_until_unix_ms = now_unix_ms - query->quiet_ms;
    }
    hf_status status = HF_OK;
    if (query->instance) status = find_instance(self, query->instance, error);
    if (status == HF_OK && query->worker_id && !self->is_over) {
        status = find_owners(self, query->worker_id, error);
    }
    return status;
}

static void cursor_free(hf_cursor *self)
{
    const hf_allocator *heap = self->store->heap;
    hf_arena_release(&self->memory);
    hf_arena_release(&self->arena);
    hf_heap_free(heap, self, sizeof *self);
}

hf_status hf_query_open(hf_store *store, const hf_query *query, hf_cursor **out_cursor,
                        hf_error *error)
{
    hf_query own;
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK && !out_cursor) {
        status = hf_error_set(error, HF_INVALID, "out_cursor is NULL: give it a place");
    }
    if (status == HF_OK && !store->backend->ops->capabilities.sessions) {
        status = hf_error_set(error, HF_INVALID, "the store does not support sessions");
    }
    if (status == HF_OK) status = hf_options_copy(&own, sizeof own, query, error);
    if (status == HF_OK) status = query_check(&own, error);
    if (status != HF_OK) return status;
    hf_cursor *self = hf_heap_new(store->heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory for a cursor");
    self->store = store;
    hf_arena_init(&self->memory, store->heap);
    hf_arena_init(&self->arena, store->heap);
    hf_error unwanted;
    status = cursor_prepare(self, &own, error ? error : &unwanted);
    if (status != HF_OK) {
        cursor_free(self);
        return status;
    }
    *out_cursor = self;
    return HF_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Moves on to the next registration of the worker; false: that was the last. */
static bool owner_next(hf_cursor *self)
{
    if (!self->has_owners || self->owner_index + 1 == self->owners_count) return false;
    self->place.owner = self->owners[++self->owner_index];
    self->place.after_instance = self->instance;
    self->place.after_incarnation = 0;
    return true;
}

/* Reads the next page, which may be empty. */
static hf_status page_read(hf_cursor *self)
{
    struct hf_backend *backend = self->store->backend;
    hf_arena_reset(&self->arena);
    self->row_index = 0;
    self->rows_count = 0;
    hf_status status = backend->ops->sessions(backend, &self->place, &self->arena, &self->rows,
                                              &self->rows_count, &self->error);
    if (status != HF_OK) return status;
    bool is_beyond = self->instance != 0 && self->place.after_instance != self->instance;
    if (!self->place.out_more || is_beyond) self->is_over = !owner_next(self);
    return HF_OK;
}

/* NULL for the empty text: nobody, or none. */
static const char *text_or_null(hf_cursor *self, hf_slice text)
{
    return text.size > 0 ? hf_arena_text(&self->arena, text) : NULL;
}

static hf_status row_show(hf_cursor *self, const struct hf_session_row *row)
{
    self->row = (hf_session_info){ .size = sizeof self->row,
                                   .instance = hf_arena_text(&self->arena, row->instance_id),
                                   .session = hf_arena_text(&self->arena, row->session_id),
                                   .owner = text_or_null(self, row->worker_id),
                                   .tag = text_or_null(self, row->tag),
                                   .incarnation = row->incarnation,
                                   .epoch = row->epoch,
                                   .registration_lsn = row->owner,
                                   .lease_left_ms = row->lease_left_ms,
                                   .queued_count = row->queued_count,
                                   .running_count = row->running_count,
                                   .opened_unix_ms = row->opened_unix_ms,
                                   .quiet_unix_ms = row->quiet_unix_ms };
    if (!self->arena.failed) return HF_OK;
    return hf_error_set(&self->error, HF_NO_MEMORY, "no memory for the row of a session");
}

/* The next row that is asked for; NULL: none, or self->error says why. */
static const struct hf_session_row *row_find(hf_cursor *self)
{
    for (;;) {
        while (self->row_index < self->rows_count) {
            const struct hf_session_row *row = &self->rows[self->row_index++];
            if (self->instance == 0 || row->instance == self->instance) return row;
        }
        if (self->is_over || page_read(self) != HF_OK) return NULL;
    }
}

bool hf_next_session(hf_cursor *cursor, const hf_session_info **out_row)
{
    hf_assert(cursor && out_row);
    bool can_read = cursor->error.status == HF_OK && cursor->left_count > 0 &&
                    hf__handle_check(cursor->store, &cursor->error) == HF_OK;
    const struct hf_session_row *row = can_read ? row_find(cursor) : NULL;
    if (!row || row_show(cursor, row) != HF_OK) return false;
    cursor->left_count--;
    *out_row = &cursor->row;
    return true;
}

hf_status hf_cursor_close(hf_cursor *cursor, hf_error *error)
{
    if (!cursor) return HF_OK;
    hf_status status = cursor->error.status;
    if (error) *error = cursor->error;
    cursor_free(cursor);
    return status;
}
