/* Cursors. A page is one short read of the store, of a bounded number of rows; between pages a
 * cursor is a place and nothing else. What the rows are is the sources' business (query_rows.c,
 * query_sessions.c). */
#include "runtime/query.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/options.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"

/* ---- opening -------------------------------------------------------------------------------- */

static hf_status query_check(const hf_query *query, hf_error *error)
{
    const struct {
        const char *what, *text;
    } texts[] = { { "instance id", query->instance },
                  { "root id", query->root },
                  { "worker id", query->worker_id },
                  { "prefix of an id", query->id_prefix },
                  { "orchestration's name", query->orchestration } };
    for (size_t i = 0; i < HF_COUNT_OF(texts); i++) {
        hf_status status = texts[i].text ? hf_id_check(texts[i].text, texts[i].what, error) : HF_OK;
        if (status != HF_OK) return status;
    }
    if (query->status <= HF_INSTANCE_TERMINATED) return HF_OK;
    return hf_error_set(error, HF_INVALID, "%u is no status of an instance: use HF_INSTANCE_...",
                        (unsigned)query->status);
}

/* Reads the instance of an id; NULL: none, and zeros. */
static hf_status find(hf_cursor *self, const char *id, struct hf_instance_info *out_info,
                      hf_error *error)
{
    struct hf_backend *backend = self->store->backend;
    *out_info = (struct hf_instance_info){ .number = 0 };
    if (!id) return HF_OK;
    return backend->ops->instance(backend, hf_text(id), &self->arena, out_info, error);
}

static hf_status find_instances(hf_cursor *self, hf_error *error)
{
    struct hf_instance_info instance, root;
    hf_status status = find(self, self->query.instance, &instance, error);
    if (status == HF_OK) status = find(self, self->query.root, &root, error);
    if (status != HF_OK) return status;
    self->instance = instance.number;
    self->execution = instance.execution;
    self->root = root.number;
    return HF_OK;
}

static const char *text_keep(hf_cursor *self, const char *text)
{
    return text ? hf_arena_text(&self->memory, hf_text(text)) : NULL;
}

static hf_status cursor_prepare(hf_cursor *self, hf_error *error)
{
    self->query.instance = text_keep(self, self->query.instance);
    self->query.root = text_keep(self, self->query.root);
    self->query.worker_id = text_keep(self, self->query.worker_id);
    self->query.id_prefix = text_keep(self, self->query.id_prefix);
    self->query.orchestration = text_keep(self, self->query.orchestration);
    if (self->memory.failed) return hf_error_set(error, HF_NO_MEMORY, "no memory for a query");
    self->left_count = self->query.limit ? self->query.limit : UINT64_MAX;
    return find_instances(self, error);
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
    if (status == HF_OK) status = hf_options_copy(&own, sizeof own, query, error);
    if (status == HF_OK) status = query_check(&own, error);
    if (status != HF_OK) return status;
    hf_cursor *self = hf_heap_new(store->heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory for a cursor");
    self->store = store;
    self->query = own;
    hf_arena_init(&self->memory, store->heap);
    hf_arena_init(&self->arena, store->heap);
    hf_error unwanted;
    status = cursor_prepare(self, error ? error : &unwanted);
    if (status != HF_OK) {
        cursor_free(self);
        return status;
    }
    *out_cursor = self;
    return HF_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

const char *hf__cursor_text(hf_cursor *self, hf_slice text)
{
    return text.size > 0 ? hf_arena_text(&self->arena, text) : NULL;
}

hf_status hf__cursor_shown(hf_cursor *self)
{
    if (!self->arena.failed) return HF_OK;
    return hf_error_set(&self->error, HF_NO_MEMORY, "no memory for a row");
}

/* What the first row decides; a cursor gives rows of one kind. */
static hf_status cursor_begin(hf_cursor *self, const struct hf__source *source)
{
    if (self->source == source) return HF_OK;
    if (self->source) {
        return hf_error_set(&self->error, HF_INVALID,
                            "%s was called on a cursor that %s has begun to read: open another one",
                            source->call, self->source->call);
    }
    if (source->needs_instance && self->instance == 0) {
        return hf_error_set(&self->error, HF_INVALID, "%s reads one instance: name it in the query",
                            source->call);
    }
    self->source = source;
    return HF_OK;
}

/* Goes on to the next row that is wanted; false: none, or self->error says why. */
static bool cursor_next(hf_cursor *self)
{
    bool is_wanted = false;
    while (!is_wanted) {
        if (self->row_index < self->rows_count) {
            if (self->source->show(self, &is_wanted) != HF_OK) return false;
            continue;
        }
        if (self->is_over) return false;
        hf_arena_reset(&self->arena);
        self->rows = NULL;
        self->rows_count = self->row_index = 0;
        if (self->source->read(self) != HF_OK) return false;
    }
    self->left_count--;
    return true;
}

static bool next(hf_cursor *self, const struct hf__source *source)
{
    hf_assert(self);
    if (self->error.status != HF_OK || cursor_begin(self, source) != HF_OK) return false;
    if (self->left_count == 0) return false;
    if (hf__handle_check(self->store, &self->error) != HF_OK) return false;
    return cursor_next(self);
}

bool hf_next_session(hf_cursor *cursor, const hf_session_info **out_row)
{
    if (!next(cursor, &hf__source_sessions)) return false;
    *out_row = &cursor->shown.session;
    return true;
}

bool hf_next_instance(hf_cursor *cursor, const hf_instance **out_row)
{
    if (!next(cursor, &hf__source_instances)) return false;
    *out_row = &cursor->shown.instance.instance;
    return true;
}

bool hf__next_run(hf_cursor *cursor, const struct hf__source *source,
                  struct hf_instance_run *out_run)
{
    hf_assert(source == &hf__source_runs || source == &hf__source_ended_roots);
    if (!next(cursor, source)) return false;
    *out_run = cursor->shown.run;
    return true;
}

bool hf_next_execution(hf_cursor *cursor, const hf_execution_info **out_row)
{
    if (!next(cursor, &hf__source_executions)) return false;
    *out_row = &cursor->shown.execution;
    return true;
}

bool hf_next_event(hf_cursor *cursor, const hf_event_info **out_row)
{
    if (!next(cursor, &hf__source_events)) return false;
    *out_row = &cursor->shown.event;
    return true;
}

bool hf_next_value(hf_cursor *cursor, const hf_value **out_row)
{
    if (!next(cursor, &hf__source_values)) return false;
    *out_row = &cursor->shown.value;
    return true;
}

bool hf_next_dead_letter(hf_cursor *cursor, const hf_dead_letter **out_row)
{
    if (!next(cursor, &hf__source_letters)) return false;
    *out_row = &cursor->shown.letter;
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

/* ---- totals --------------------------------------------------------------------------------- */

hf_status hf_stats_read(hf_store *store, hf_stats *out_stats, hf_error *error)
{
    struct hf_arena arena;
    struct hf_store_totals totals;
    hf_error unwanted;
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK && !out_stats) {
        status = hf_error_set(error, HF_INVALID, "out_stats is NULL: give it a place");
    }
    if (status != HF_OK) return status;
    struct hf_backend *backend = store->backend;
    hf_arena_init(&arena, store->heap);
    status = backend->ops->totals(backend, &arena, &totals, error ? error : &unwanted);
    hf_arena_release(&arena);
    if (status != HF_OK) return status;
    hf_assert(totals.items >= totals.items_running);
    const hf_stats stats = { .size = sizeof stats,
                             .pending_count = totals.instances[HF_INSTANCE_PENDING],
                             .running_count = totals.instances[HF_INSTANCE_RUNNING],
                             .completed_count = totals.instances[HF_INSTANCE_COMPLETED],
                             .failed_count = totals.instances[HF_INSTANCE_FAILED],
                             .cancelled_count = totals.instances[HF_INSTANCE_CANCELLED],
                             .terminated_count = totals.instances[HF_INSTANCE_TERMINATED],
                             .suspended_count = totals.suspended,
                             .executions_count = totals.executions,
                             .events_count = totals.events,
                             .messages_count = totals.messages,
                             .turns_due_count = totals.turns_due,
                             .activities_waiting_count = totals.items - totals.items_running,
                             .activities_running_count = totals.items_running,
                             .timers_count = totals.timers,
                             .sessions_count = totals.sessions,
                             .values_count = totals.values,
                             .dead_letters_count = totals.dead_letters,
                             .workers_count = totals.workers };
    return hf_options_fill(out_stats, &stats, sizeof stats, error);
}
