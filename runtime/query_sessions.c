/* The source of open sessions. A worker id is looked up once, at the first page: its registrations
 * (a former one may still hold sessions that nobody has claimed since) are then read one after the
 * other. */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "runtime/query.h"

static hf_status find_owners(hf_cursor *self)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_registration_row *rows = NULL;
    size_t count = 0;
    hf_slice worker_id = hf_text(self->query.worker_id);
    hf_status status = backend->ops->registrations(backend, &self->arena, &rows, &count,
                                                   &self->error);
    if (status != HF_OK) return status;
    uint64_t *owners = hf_arena_array(&self->memory, count, sizeof *owners);
    if (!owners) return hf_error_set(&self->error, HF_NO_MEMORY, "no memory for a query");
    for (size_t i = 0; i < count; i++) {
        bool is_asked = hf_slice_equal(rows[i].worker_id, worker_id);
        if (is_asked) owners[self->owners_count++] = rows[i].registration;
    }
    self->owners = owners;
    self->is_over = self->owners_count == 0;
    if (!self->is_over) self->sessions.owner = owners[0];
    return HF_OK;
}

static hf_status sessions_begin(hf_cursor *self)
{
    const hf_clock *clock = self->store->clock;
    uint64_t quiet_ms = self->query.quiet_ms;
    if (!self->store->backend->ops->capabilities.sessions) {
        return hf_error_set(&self->error, HF_INVALID, "the store does not support sessions");
    }
    self->sessions.looked_max = HF__PAGE_ROWS;
    self->sessions.after_instance = self->instance;
    if (quiet_ms > 0) {
        uint64_t now_unix_ms = clock->wall_unix_ms(clock->self);
        self->is_over = quiet_ms >= now_unix_ms; /* nothing is older than time */
        self->sessions.quiet_until_unix_ms = now_unix_ms - quiet_ms;
    }
    bool has_worker = self->query.worker_id && !self->is_over;
    return has_worker ? find_owners(self) : HF_OK;
}

/* Moves on to the next registration of the worker; false: that was the last. */
static bool owner_next(hf_cursor *self)
{
    if (!self->owners || self->owner_index + 1 == self->owners_count) return false;
    self->sessions.owner = self->owners[++self->owner_index];
    self->sessions.after_instance = self->instance;
    self->sessions.after_incarnation = 0;
    return true;
}

static hf_status sessions_read(hf_cursor *self)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_session_row *rows = NULL;
    hf_status status = self->sessions.looked_max == 0 ? sessions_begin(self) : HF_OK;
    if (status != HF_OK || self->is_over) return status;
    status = backend->ops->sessions(backend, &self->sessions, &self->arena, &rows,
                                    &self->rows_count, &self->error);
    if (status != HF_OK) return status;
    self->rows = rows;
    bool is_beyond = self->instance != 0 && self->sessions.after_instance != self->instance;
    if (!self->sessions.out_more || is_beyond) self->is_over = !owner_next(self);
    return HF_OK;
}

static hf_status session_show(hf_cursor *self, bool *out_is_wanted)
{
    const struct hf_session_row *row = (struct hf_session_row *)self->rows + self->row_index++;
    *out_is_wanted = self->instance == 0 || row->instance == self->instance;
    if (!*out_is_wanted) return HF_OK;
    self->shown.session = (hf_session_info){
        .size = sizeof self->shown.session,
        .instance = hf_arena_text(&self->arena, row->instance_id),
        .session = hf_arena_text(&self->arena, row->session_id),
        .owner = hf__cursor_text(self, row->worker_id),
        .tag = hf__cursor_text(self, row->tag),
        .incarnation = row->incarnation,
        .epoch = row->epoch,
        .registration_lsn = row->owner,
        .lease_left_ms = row->lease_left_ms,
        .queued_count = row->queued_count,
        .running_count = row->running_count,
        .opened_unix_ms = row->opened_unix_ms,
        .quiet_unix_ms = row->quiet_unix_ms
    };
    return hf__cursor_shown(self);
}

const struct hf__source hf__source_sessions = { "hf_next_session", false, sessions_read,
                                                session_show };
