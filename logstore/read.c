/* Reads of instances and their histories. All that is given out lies in the caller's arena: nothing
 * points into the map. */
#include "logstore/read.h"

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "indexes/queries.h"
#include "logstore/identity.h"
#include "logstore/writer_lock.h"

static hf_status no_memory(hf_error *error)
{
    return hf_error_set(error, HF_NO_MEMORY, "no memory for what was read");
}

hf_status hf__reader_step(struct hf__reader *reader, hf_error *error, struct hf__step *out_step)
{
    struct hf__store *store = reader->store;
    const hf_clock *clock = store->seams->clock;
    uint64_t next_lsn = 0;
    hf_assert(reader->tables.arena && error);
    hf_status status = hf_meta_get_number(&reader->tables, HF__META_NEXT_LSN, &next_lsn, error);
    if (status == HF_NOT_FOUND) {
        return hf_error_corrupt(error, 0, "the store does not know its next LSN: rebuild it");
    }
    if (status != HF_OK) return status;
    uint64_t now_boot_ms = clock->boot_ms(clock->self);
    *out_step = (struct hf__step){
        .store = store,
        .tables = &reader->tables,
        .arena = reader->tables.arena,
        .error = error,
        .generation = hf_lsn_generation(next_lsn),
        .now_boot_ms = now_boot_ms,
        .now_wall_unix_ms = clock->wall_unix_ms(clock->self),
        .may_expire = !hf__writer_in_grace(store, now_boot_ms),
        .is_read = true,
        .next_lsn = next_lsn,
    };
    return HF_OK;
}

/* ---- instances ----------------------------------------------------------------------------- */

hf_status hf__body_read(struct hf_tables *tables, const struct hf_ref *ref, hf_slice *out_body,
                        hf_error *error)
{
    *out_body = (hf_slice)HF_EMPTY;
    if (ref->lsn == 0) return HF_OK;
    return hf_log_read_ref(tables, ref, tables->arena, out_body, error);
}

/* The id of an instance; empty: it is deleted. */
static hf_status id_read(struct hf_tables *tables, uint64_t number, hf_slice *out_id,
                         hf_error *error)
{
    struct hf_row_instance row = { .number = 0 };
    hf_status status = hf_instance_get(tables, number, &row, error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    *out_id = row.id;
    return HF_OK;
}

static hf_status family_fill(struct hf_tables *tables, const struct hf_row_instance *row,
                             struct hf_instance_info *info, hf_error *error)
{
    info->root_id = row->id;
    if (row->family_root == 0) return HF_OK;
    hf_status status = id_read(tables, row->family_parent, &info->parent_id, error);
    return status == HF_OK ? id_read(tables, row->family_root, &info->root_id, error) : status;
}

hf_status hf__info_fill(struct hf_tables *tables, const struct hf_row_instance *row,
                        struct hf_instance_info *out_info, hf_error *error)
{
    struct hf_instance_info info = {
        .number = row->number,
        .id = row->id,
        .orchestration = row->orchestration,
        .status = row->status,
        .execution = row->execution,
        .head = row->head,
        .events_count = row->next_event_id > 0 ? row->next_event_id - 1 : 0,
        .engine_version = row->engine_version,
        .started_unix_ms = row->started_unix_ms,
        .ended_unix_ms = row->ended_unix_ms,
        .status_version = row->status_version,
        .suspended_code = row->suspended_code,
        .suspended_text = row->suspended_text,
        .version = row->version,
    };
    hf_status status = hf__body_read(tables, &row->output, &info.output_body, error);
    if (status == HF_OK) status = hf__body_read(tables, &row->status_ref, &info.status_body, error);
    if (status == HF_OK) status = family_fill(tables, row, &info, error);
    if (status == HF_OK) *out_info = info;
    return status;
}

hf_status hf__read_instance(struct hf_backend *backend, hf_slice id, struct hf_arena *arena,
                            struct hf_instance_info *out_info, hf_error *error)
{
    struct hf__reader reader;
    struct hf_row_instance row;
    if (id.size == 0 || id.size > HF_ID_SIZE_MAX) {
        return hf_error_set(error, HF_INVALID, "an instance id has 1 to %d bytes", HF_ID_SIZE_MAX);
    }
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    status = hf_instance_find(&reader.tables, id, &row, error);
    if (status == HF_NOT_FOUND) {
        hf_error_set(error, status, "there is no instance \"" HF_FMT "\"", HF_ARG(id));
    }
    if (status == HF_OK) status = hf__info_fill(&reader.tables, &row, out_info, error);
    hf__reader_end(&reader);
    return status;
}

/* ---- what a turn needs --------------------------------------------------------------------- */

/* Rows of history share instance and execution: 8 and 4 bytes of their keys. */
enum { EXECUTION_PREFIX_SIZE = 12 };

/* Walks the events of from's execution from its id on; rows NULL: counts alone. */
static hf_status events_walk(struct hf_tables *tables, const struct hf_item_id *from,
                             struct hf_stored_event *rows, size_t *count, hf_error *error)
{
    struct hf_table_cursor cursor;
    struct hf_table_row found;
    struct hf_ref ref;
    size_t seen = 0;
    struct hf_key key = hf_key_item(from);
    hf_status status = hf_table_cursor_init(&cursor, tables, HF_TABLE_HISTORY, error);
    if (status == HF_OK) status = hf_table_cursor_seek(&cursor, hf_key_slice(&key), &found, error);
    for (; status == HF_OK; status = hf_table_cursor_next(&cursor, &found, error)) {
        struct hf_item_id id;
        if (!hf_key_read_item(found.key, &id) || !hf_ref_read(found.value, &ref)) {
            status = hf_error_corrupt(error, 0, "a row of history is damaged: " HF__REBUILD_ADVICE);
            break;
        }
        if (id.instance != from->instance || id.execution != from->execution) break;
        if (rows) {
            struct hf_stored_event *row = &rows[seen];
            hf_assert(seen < *count);
            *row = (struct hf_stored_event){ .event_id = id.event_id, .lsn = ref.lsn };
            bool is_same_record = seen > 0 && rows[seen - 1].lsn == ref.lsn;
            if (is_same_record) row->unix_ms = rows[seen - 1].unix_ms;
            if (!is_same_record) {
                status = hf_log_wall_time(tables, ref.lsn, &row->unix_ms, error);
            }
            if (status == HF_OK) status = hf__body_read(tables, &ref, &row->body, error);
            if (status != HF_OK) break;
        }
        seen++;
    }
    hf_table_cursor_release(&cursor);
    *count = seen;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* Walks an inbox by arrival; rows NULL: counts alone. */
static hf_status inbox_walk(struct hf_tables *tables, uint64_t instance,
                            struct hf_stored_message *rows, size_t *count, hf_error *error)
{
    struct hf_row_message message = { 0 };
    size_t seen = 0;
    hf_status status = HF_OK;
    for (;; seen++) {
        struct hf_number_pair place = { instance, message.lsn };
        status = hf_inbox_next(tables, &place, &message, error);
        if (status != HF_OK) break;
        if (!rows) continue;
        hf_assert(seen < *count);
        rows[seen].lsn = message.lsn;
        rows[seen].execution = message.execution;
        status = hf__body_read(tables, &message.body, &rows[seen].body, error);
        if (status != HF_OK) break;
    }
    *count = seen;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

static hf_status view_events(struct hf_tables *tables, const struct hf_item_id *from,
                             struct hf_turn_view *view, hf_error *error)
{
    size_t count = 0;
    hf_status status = events_walk(tables, from, NULL, &count, error);
    if (status != HF_OK) return status;
    view->events = hf_arena_array(tables->arena, count, sizeof *view->events);
    if (!view->events) return no_memory(error);
    status = events_walk(tables, from, view->events, &count, error);
    view->events_count = count;
    return status;
}

static hf_status view_messages(struct hf_tables *tables, uint64_t instance,
                               struct hf_turn_view *view, hf_error *error)
{
    size_t count = 0;
    hf_status status = inbox_walk(tables, instance, NULL, &count, error);
    if (status != HF_OK) return status;
    view->messages = hf_arena_array(tables->arena, count, sizeof *view->messages);
    if (!view->messages) return no_memory(error);
    status = inbox_walk(tables, instance, view->messages, &count, error);
    view->messages_count = count;
    return status;
}

hf_status hf__read_turn_view(struct hf_backend *backend, const struct hf_item_id *from,
                             struct hf_arena *arena, struct hf_turn_view *out_view, hf_error *error)
{
    struct hf__reader reader;
    struct hf_row_instance row;
    struct hf_turn_view view = { 0 };
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    status = hf_item_id_fits(from) ? hf_instance_get(&reader.tables, from->instance, &row, error)
                                   : HF_NOT_FOUND;
    if (status == HF_NOT_FOUND) {
        hf_error_set(error, status, "there is no instance of number %llu",
                     (unsigned long long)from->instance);
    }
    if (status == HF_OK) {
        view.instance = row.number;
        view.instance_id = row.id;
        view.next_event_id = row.next_event_id;
        status = view_events(&reader.tables, from, &view, error);
    }
    if (status == HF_OK && from->event_id == 1) {
        status = hf__view_values(&reader.tables, &row, &view, error);
    }
    if (status == HF_OK) status = view_messages(&reader.tables, from->instance, &view, error);
    hf__reader_end(&reader);
    if (status == HF_OK) *out_view = view;
    return status;
}
