/* Lists of instances and of their executions, page by page: each call is a read of its own, and
 * looks at a bounded number of rows. */
#include "logstore/read.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "indexes/dead_letters.h"
#include "indexes/families.h"
#include "indexes/queries.h"

static hf_status no_memory(hf_error *error)
{
    return hf_error_set(error, HF_NO_MEMORY, "no memory for what was read");
}

/* ---- instances ------------------------------------------------------------------------------ */

/* Whether an instance fulfils all that is asked. */
static bool is_asked(const struct hf_instances_query *query, const struct hf_row_instance *row)
{
    hf_slice prefix = query->id_prefix;
    bool has_prefix = row->id.size >= prefix.size &&
                      hf_slice_equal(hf_bytes(row->id.data, prefix.size), prefix);
    bool has_name = query->orchestration.size == 0 ||
                    hf_slice_equal(row->orchestration, query->orchestration);
    bool has_status = query->status == 0 || row->status == query->status;
    uint64_t ended_until_unix_ms = query->ended_until_unix_ms;
    bool has_ended_by = ended_until_unix_ms == 0 ||
                        (hf_instance_has_ended(row) && row->ended_unix_ms <= ended_until_unix_ms);
    return has_prefix && has_name && has_status &&
           row->started_unix_ms >= query->started_from_unix_ms &&
           row->started_unix_ms <= query->started_until_unix_ms && has_ended_by;
}

/* The next instance of the walk, whatever is asked: by rising or falling number. */
static hf_status walk_all(struct hf_tables *tables, const struct hf_instances_query *query,
                          struct hf_row_instance *out_row, hf_error *error)
{
    if (!query->newest_first) return hf_instance_next(tables, query->after, out_row, error);
    return hf_instance_before(tables, query->after, out_row, error);
}

/* The next number of the family of query->root, with that as the smallest. */
static hf_status family_step(struct hf_tables *tables, const struct hf_instances_query *query,
                             uint64_t family, uint64_t *out_number, hf_error *error)
{
    struct hf_number_pair place = { family, query->after };
    hf_status status = HF_NOT_FOUND;
    *out_number = query->root;
    if (!query->newest_first) {
        if (query->after < query->root) return HF_OK;
        status = hf_family_next(tables, &place, error);
        if (status == HF_OK) *out_number = place.second;
        return status;
    }
    if (query->after != 0 && query->after <= query->root) return HF_NOT_FOUND;
    status = hf_family_before(tables, &place, error);
    if (status == HF_OK && place.second > query->root) *out_number = place.second;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* The same among the family of query->root. */
static hf_status walk_family(struct hf_tables *tables, const struct hf_instances_query *query,
                             struct hf_row_instance *out_row, hf_error *error)
{
    struct hf_row_instance root;
    uint64_t number = 0;
    hf_status status = hf_instance_get(tables, query->root, &root, error);
    if (status != HF_OK) return status;
    status = family_step(tables, query, hf_family_of(&root), &number, error);
    return status == HF_OK ? hf_instance_get(tables, number, out_row, error) : status;
}

static hf_status walk_next(struct hf_tables *tables, const struct hf_instances_query *query,
                           struct hf_row_instance *out_row, hf_error *error)
{
    return query->root ? walk_family(tables, query, out_row, error)
                       : walk_all(tables, query, out_row, error);
}

/* Whether an instance of the walk is wanted: is_asked, and of the tree of query->root. */
static hf_status is_wanted(struct hf_tables *tables, const struct hf_instances_query *query,
                           const struct hf_row_instance *row, bool *out_is, hf_error *error)
{
    *out_is = is_asked(query, row);
    if (!*out_is || query->root == 0 || row->number == query->root) return HF_OK;
    return hf_family_stems_from(tables, row, query->root, out_is, error);
}

hf_status hf__read_instances(struct hf_backend *backend, struct hf_instances_query *query,
                             struct hf_arena *arena, struct hf_instance_info **out_rows,
                             size_t *out_count, hf_error *error)
{
    struct hf__reader reader;
    struct hf_row_instance row;
    size_t found = 0;
    hf_assert(query->looked_max > 0);
    struct hf_instance_info *rows = hf_arena_array(arena, query->looked_max, sizeof *rows);
    if (!rows) return no_memory(error);
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    for (size_t looked = 0; looked < query->looked_max && status == HF_OK; looked++) {
        struct hf_arena_mark mark = hf_arena_mark(arena);
        status = walk_next(&reader.tables, query, &row, error);
        if (status != HF_OK) break;
        query->after = row.number;
        bool is_found = false;
        status = is_wanted(&reader.tables, query, &row, &is_found, error);
        if (is_found) status = hf__info_fill(&reader.tables, &row, &rows[found], error);
        if (is_found && status == HF_OK) found++;
        if (!is_found) hf_arena_reset_to(arena, mark);
    }
    hf__reader_end(&reader);
    query->out_more = status == HF_OK;
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    *out_rows = rows;
    *out_count = found;
    return HF_OK;
}

/* ---- executions ----------------------------------------------------------------------------- */

/* The first event of the first execution behind the number. HF_NOT_FOUND: there is none. */
static hf_status first_event(struct hf_tables *tables, uint64_t instance, uint64_t after,
                             struct hf_item_id *out_id, struct hf_ref *out_ref, hf_error *error)
{
    if (after >= HF_KEY_PART_MAX) return HF_NOT_FOUND;
    struct hf_key key = hf_key_item(&(struct hf_item_id){ instance, after + 1, 0 });
    struct hf_table_range range = { hf_key_slice(&key), 8 };
    struct hf_table_row found;
    hf_status status = hf_table_next_in(tables, HF_TABLE_HISTORY, &range, &found, error);
    if (status != HF_OK) return status;
    if (hf_key_read_item(found.key, out_id) && hf_ref_read(found.value, out_ref)) return HF_OK;
    return hf_error_corrupt(error, 0, "a row of history is damaged: " HF__REBUILD_ADVICE);
}

static hf_status execution_fill(struct hf_tables *tables, const struct hf_row_instance *instance,
                                const struct hf_item_id *first, const struct hf_ref *first_ref,
                                struct hf_execution_row *out_row, hf_error *error)
{
    struct hf_item_id last;
    struct hf_ref last_ref;
    *out_row = (struct hf_execution_row){ .execution = first->execution };
    bool is_present = first->execution == instance->execution;
    out_row->status = is_present ? instance->status : 0;
    hf_status status = hf_log_wall_time(tables, first_ref->lsn, &out_row->started_unix_ms, error);
    if (status == HF_OK) status = hf_history_last(tables, first, &last, &last_ref, error);
    if (status != HF_OK) return status;
    out_row->events_count = last.event_id;
    bool has_ended = !is_present || hf_instance_has_ended(instance);
    if (!has_ended) return HF_OK;
    return hf_log_wall_time(tables, last_ref.lsn, &out_row->ended_unix_ms, error);
}

hf_status hf__read_executions(struct hf_backend *backend, hf_slice id, uint64_t after,
                              struct hf_arena *arena, struct hf_execution_row **out_rows,
                              size_t *count, hf_error *error)
{
    struct hf__reader reader;
    struct hf_row_instance instance;
    struct hf_item_id first = { .execution = after };
    struct hf_ref ref;
    size_t found = 0;
    struct hf_execution_row *rows = hf_arena_array(arena, *count, sizeof *rows);
    if (!rows) return no_memory(error);
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    status = hf_instance_find(&reader.tables, id, &instance, error);
    while (status == HF_OK && found < *count) {
        status = first_event(&reader.tables, instance.number, first.execution, &first, &ref, error);
        if (status == HF_OK) {
            status = execution_fill(&reader.tables, &instance, &first, &ref, &rows[found], error);
        }
        if (status == HF_OK) found++;
    }
    hf__reader_end(&reader);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    *out_rows = rows;
    *count = found;
    return HF_OK;
}

/* ---- dead letters --------------------------------------------------------------------------- */

static hf_status letter_fill(struct hf_tables *tables, const struct hf_row_dead_letter *row,
                             struct hf_dead_letter_info *out_info, hf_error *error)
{
    struct hf_row_instance instance;
    struct hf_ref ref = { 0, 0, 0, 0 };
    struct hf_item_id event = { row->instance, row->execution, row->event_id };
    *out_info = (struct hf_dead_letter_info){ .instance = row->instance,
                                              .lsn = row->lsn,
                                              .execution = row->execution,
                                              .event_id = row->event_id,
                                              .attempts = row->attempts,
                                              .deaths = row->deaths,
                                              .given_up_unix_ms = row->given_up_unix_ms };
    hf_status status = hf_instance_get(tables, row->instance, &instance, error);
    if (status == HF_OK) {
        out_info->instance_id = instance.id;
        out_info->orchestration = instance.orchestration;
    }
    if (status == HF_OK && row->event_id != 0) status = hf_history_get(tables, &event, &ref, error);
    if (status == HF_OK) status = hf__body_read(tables, &ref, &out_info->body, error);
    /* Deleted, or pruned: what is known of it stands in the row. */
    return status == HF_NOT_FOUND ? HF_OK : status;
}

hf_status hf__read_dead_letters(struct hf_backend *backend, struct hf_dead_letters_query *query,
                                struct hf_arena *arena, struct hf_dead_letter_info **out_rows,
                                size_t *count, hf_error *error)
{
    struct hf__reader reader;
    size_t found = 0;
    struct hf_dead_letter_info *rows = hf_arena_array(arena, *count, sizeof *rows);
    if (!rows) return no_memory(error);
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    /* The letters of one instance lie together: those of lower numbers are passed at once. */
    if (query->after_instance < query->instance) {
        query->after_instance = query->instance;
        query->after_lsn = 0;
    }
    while (status == HF_OK && found < *count) {
        struct hf_row_dead_letter row;
        struct hf_number_pair place = { query->after_instance, query->after_lsn };
        status = hf_dead_letter_next(&reader.tables, &place, &row, error);
        if (status != HF_OK || (query->instance != 0 && row.instance != query->instance)) break;
        query->after_instance = row.instance;
        query->after_lsn = row.lsn;
        status = letter_fill(&reader.tables, &row, &rows[found], error);
        if (status == HF_OK) found++;
    }
    hf__reader_end(&reader);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    *out_rows = rows;
    *count = found;
    return HF_OK;
}

/* ---- totals --------------------------------------------------------------------------------- */

/* Walks all instances: their statuses stand nowhere else. */
static hf_status count_instances(struct hf_tables *tables, struct hf_store_totals *totals,
                                 hf_error *error)
{
    struct hf_row_instance row = { .number = 0 };
    for (;;) {
        struct hf_arena_mark mark = hf_arena_mark(tables->arena);
        hf_status status = hf_instance_next(tables, row.number, &row, error);
        if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
        hf_assert(row.status < HF_COUNT_OF(totals->instances));
        totals->instances[row.status]++;
        totals->executions += row.execution - row.pruned;
        if (row.suspended_code.size > 0) totals->suspended++;
        hf_arena_reset_to(tables->arena, mark);
    }
}

hf_status hf__read_totals(struct hf_backend *backend, struct hf_arena *arena,
                          struct hf_store_totals *out_totals, hf_error *error)
{
    struct hf__reader reader;
    struct hf_store_totals totals = { .suspended = 0 };
    const struct {
        enum hf_table table;
        uint64_t *count;
    } tables[] = { { HF_TABLE_HISTORY, &totals.events },
                   { HF_TABLE_INBOX, &totals.messages },
                   { HF_TABLE_TURNS_DUE, &totals.turns_due },
                   { HF_TABLE_ITEMS, &totals.items },
                   { HF_TABLE_ITEMS_RUNNING, &totals.items_running },
                   { HF_TABLE_TIMERS, &totals.timers },
                   { HF_TABLE_SESSIONS, &totals.sessions },
                   { HF_TABLE_KV, &totals.values },
                   { HF_TABLE_DEAD_LETTERS, &totals.dead_letters },
                   { HF_TABLE_WORKERS, &totals.workers } };
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    for (size_t i = 0; i < HF_COUNT_OF(tables) && status == HF_OK; i++) {
        status = hf_table_count(&reader.tables, tables[i].table, tables[i].count, error);
    }
    if (status == HF_OK) status = count_instances(&reader.tables, &totals, error);
    hf__reader_end(&reader);
    if (status == HF_OK) *out_totals = totals;
    return status;
}
