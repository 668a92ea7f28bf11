/* The sources of instances, of what one of them has, and of dead letters. */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "engine/event.h"
#include "engine/execution.h"
#include "runtime/query.h"

/* ---- instances ------------------------------------------------------------------------------ */

static void instances_begin(hf_cursor *self)
{
    const hf_query *query = &self->query;
    uint64_t until_unix_ms = query->started_until_unix_ms;
    self->instances = (struct hf_instances_query){
        .id_prefix = hf_text(query->instance ? query->instance : query->id_prefix),
        .orchestration = hf_text(query->orchestration),
        .status = query->status,
        .started_from_unix_ms = query->started_from_unix_ms,
        .started_until_unix_ms = until_unix_ms ? until_unix_ms : UINT64_MAX,
        .ended_until_unix_ms = query->ended_until_unix_ms,
        .newest_first = query->newest_first,
        .root = self->root,
        .after = self->instance ? self->instance - 1 : 0,
        .looked_max = HF__PAGE_ROWS
    };
    if (self->instance == 0) return;
    self->instances.newest_first = false; /* there is one */
    self->instances.looked_max = 1;
}

static hf_status instances_read(hf_cursor *self)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_instance_info *rows = NULL;
    if (self->instances.looked_max == 0) instances_begin(self);
    hf_status status = backend->ops->instances(backend, &self->instances, &self->arena, &rows,
                                               &self->rows_count, &self->error);
    self->rows = rows;
    self->is_over = !self->instances.out_more || self->instance != 0;
    return status;
}

static hf_status instance_show(hf_cursor *self, bool *out_is_wanted)
{
    const struct hf_instance_info *row = (struct hf_instance_info *)self->rows + self->row_index++;
    *out_is_wanted = self->instance == 0 || row->number == self->instance;
    if (!*out_is_wanted) return HF_OK;
    return hf__instance_show(row, &self->arena, &self->shown.instance, &self->error);
}

const struct hf__source hf__source_instances = { "hf_next_instance", false, instances_read,
                                                 instance_show };

/* The number at row_index, which is passed. */
static const struct hf_instance_info *run_show(hf_cursor *self)
{
    const struct hf_instance_info *row = (struct hf_instance_info *)self->rows + self->row_index++;
    self->shown.run = (struct hf_instance_run){ row->number, row->execution };
    return row;
}

static hf_status any_show(hf_cursor *self, bool *out_is_wanted)
{
    const struct hf_instance_info *row = run_show(self);
    *out_is_wanted = self->instance == 0 || row->number == self->instance;
    return HF_OK;
}

static hf_status ended_root_show(hf_cursor *self, bool *out_is_wanted)
{
    const struct hf_instance_info *row = run_show(self);
    bool is_asked = self->instance == 0 || row->number == self->instance;
    bool is_below = row->root_id.size > 0 && !hf_slice_equal(row->root_id, row->id);
    *out_is_wanted = is_asked && row->ended_unix_ms != 0 && row->parent_id.size == 0 && !is_below;
    return HF_OK;
}

const struct hf__source hf__source_runs = { "hf_prune", false, instances_read, any_show };
const struct hf__source hf__source_ended_roots = { "hf_delete_many", false, instances_read,
                                                   ended_root_show };

/* ---- executions ----------------------------------------------------------------------------- */

static hf_status executions_read(hf_cursor *self)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_execution_row *rows = NULL;
    self->rows_count = HF__PAGE_ROWS;
    hf_status status = backend->ops->executions(backend, hf_text(self->query.instance),
                                                self->after_execution, &self->arena, &rows,
                                                &self->rows_count, &self->error);
    if (status != HF_OK) return status;
    self->rows = rows;
    self->is_over = self->rows_count < HF__PAGE_ROWS;
    if (self->rows_count > 0) self->after_execution = rows[self->rows_count - 1].execution;
    return HF_OK;
}

static hf_status execution_show(hf_cursor *self, bool *out_is_wanted)
{
    const struct hf_execution_row *row = (struct hf_execution_row *)self->rows + self->row_index++;
    *out_is_wanted = true;
    self->shown.execution = (hf_execution_info){ .size = sizeof self->shown.execution,
                                                 .execution = row->execution,
                                                 .status = (hf_instance_status)row->status,
                                                 .started_unix_ms = row->started_unix_ms,
                                                 .ended_unix_ms = row->ended_unix_ms,
                                                 .events_count = row->events_count };
    return HF_OK;
}

const struct hf__source hf__source_executions = { "hf_next_execution", true, executions_read,
                                                  execution_show };

/* ---- events --------------------------------------------------------------------------------- */

/* All of an execution at once. */
static hf_status events_read(hf_cursor *self)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_turn_view view;
    uint64_t execution = self->query.execution ? self->query.execution : self->execution;
    struct hf_item_id from = { self->instance, execution, 1 };
    hf_status status = backend->ops->turn_view(backend, &from, &self->arena, &view, &self->error);
    if (status != HF_OK) return status;
    self->rows = view.events;
    self->rows_count = view.events_count;
    self->is_over = true;
    return HF_OK;
}

static hf_status event_show(hf_cursor *self, bool *out_is_wanted)
{
    const struct hf_stored_event *row = (struct hf_stored_event *)self->rows + self->row_index++;
    struct hf_event event;
    *out_is_wanted = true;
    hf_status status = hf_event_decode(row->body, &self->arena, &event, &self->error);
    if (status == HF_CORRUPT) self->error.lsn = row->lsn;
    if (status != HF_OK) return status;
    self->shown.event = (hf_event_info){ .size = sizeof self->shown.event,
                                         .event_id = row->event_id,
                                         .kind = hf_event_kind_name(event.kind),
                                         .lsn = row->lsn,
                                         .unix_ms = row->unix_ms,
                                         .source = event.source,
                                         .name = hf__cursor_text(self, event.name),
                                         .text = hf__cursor_text(self, event.text),
                                         .code = hf__cursor_text(self, event.code),
                                         .tag = hf__cursor_text(self, event.tag),
                                         .version = hf__cursor_text(self, event.version),
                                         .payload = event.payload,
                                         .due_unix_ms = event.due_unix_ms };
    return hf__cursor_shown(self);
}

const struct hf__source hf__source_events = { "hf_next_event", true, events_read, event_show };

/* ---- values --------------------------------------------------------------------------------- */

/* All of them in one view. */
static hf_status values_read(hf_cursor *self)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_stored_value *rows = NULL;
    hf_status status = backend->ops->values(backend, hf_text(self->query.instance), hf_text(NULL),
                                            &self->arena, &rows, &self->rows_count, &self->error);
    self->rows = rows;
    self->is_over = true;
    return status;
}

static hf_status value_show(hf_cursor *self, bool *out_is_wanted)
{
    const struct hf_stored_value *row = (struct hf_stored_value *)self->rows + self->row_index++;
    *out_is_wanted = true;
    return hf__value_show(row, &self->arena, &self->shown.value, &self->error);
}

const struct hf__source hf__source_values = { "hf_next_value", true, values_read, value_show };

/* ---- dead letters --------------------------------------------------------------------------- */

static hf_status letters_read(hf_cursor *self)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_dead_letter_info *rows = NULL;
    self->letters.instance = self->instance;
    self->rows_count = HF__PAGE_ROWS;
    hf_status status = backend->ops->dead_letters(backend, &self->letters, &self->arena, &rows,
                                                  &self->rows_count, &self->error);
    self->rows = rows;
    self->is_over = status == HF_OK && self->rows_count < HF__PAGE_ROWS;
    return status;
}

static hf_status letter_show(hf_cursor *self, bool *out_is_wanted)
{
    const struct hf_dead_letter_info *row = (struct hf_dead_letter_info *)self->rows +
                                            self->row_index++;
    struct hf_scheduled_activity activity = { .name = HF_EMPTY };
    hf_status status = HF_OK;
    *out_is_wanted = row->instance_id.size > 0; /* else it is deleted */
    if (row->body.size > 0) {
        status = hf_body_read_activity(row->body, &self->arena, &activity, &self->error);
    }
    if (status != HF_OK) return status;
    self->shown.letter = (hf_dead_letter){
        .size = sizeof self->shown.letter,
        .instance = hf_arena_text(&self->arena, row->instance_id),
        .orchestration = hf_arena_text(&self->arena, row->orchestration),
        .activity = hf__cursor_text(self, activity.name),
        .execution = row->execution,
        .event_id = row->event_id,
        .attempts_count = row->attempts,
        .deaths_count = row->deaths,
        .given_up_unix_ms = row->given_up_unix_ms,
        .lsn = row->lsn
    };
    return hf__cursor_shown(self);
}

const struct hf__source hf__source_letters = { "hf_next_dead_letter", false, letters_read,
                                               letter_show };
