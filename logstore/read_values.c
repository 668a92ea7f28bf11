/* Reads of the values of instances. */
#include "logstore/read.h"

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/queries.h"
#include "indexes/values.h"

/* Gives each value of an instance, as it is now or as the former execution left it, to `add`; rows
 * that say nothing of it are passed over. */
struct walk {
    struct hf_tables *tables;
    uint64_t instance;
    bool is_former;
    hf_status (*add)(struct walk *walk, const struct hf_row_value *row, const struct hf_ref *ref,
                     hf_error *error);
    void *rows; /* of add; NULL: counts alone */
    size_t count;
};

static hf_status walk_run(struct walk *walk, hf_error *error)
{
    struct hf_row_value row = { .key = HF_EMPTY };
    walk->count = 0;
    for (;;) {
        hf_status status = hf_value_next(walk->tables, walk->instance, row.key, &row, error);
        if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
        const struct hf_ref *ref = walk->is_former ? &row.former : &row.present;
        if (ref->lsn == 0) continue;
        if (walk->rows) status = walk->add(walk, &row, ref, error);
        if (status != HF_OK) return status;
        walk->count++;
    }
}

/* Counts, makes room, and walks again, in the same transaction. */
static hf_status walk_collect(struct walk *walk, size_t row_size, hf_error *error)
{
    walk->rows = NULL;
    hf_status status = walk_run(walk, error);
    if (status != HF_OK || walk->count == 0) return status;
    walk->rows = hf_arena_array(walk->tables->arena, walk->count, row_size);
    if (!walk->rows) {
        return hf_error_set(error, HF_NO_MEMORY, "no memory for %zu values", walk->count);
    }
    return walk_run(walk, error);
}

/* ---- what a turn needs ---------------------------------------------------------------------- */

static hf_status former_add(struct walk *walk, const struct hf_row_value *row,
                            const struct hf_ref *ref, hf_error *error)
{
    struct hf_stored_event *event = (struct hf_stored_event *)walk->rows + walk->count;
    (void)row;
    event->lsn = ref->lsn;
    return hf__body_read(walk->tables, ref, &event->body, error);
}

hf_status hf__view_values(struct hf_tables *tables, const struct hf_row_instance *row,
                          struct hf_turn_view *view, hf_error *error)
{
    struct walk walk = {
        .tables = tables, .instance = row->number, .is_former = true, .add = former_add
    };
    hf_status status = hf__body_read(tables, &row->status_former, &view->status_body, error);
    if (status == HF_OK) status = walk_collect(&walk, sizeof *view->values, error);
    view->values = walk.rows;
    view->values_count = walk.count;
    return status;
}

/* ---- what clients read ---------------------------------------------------------------------- */

static hf_status present_add(struct walk *walk, const struct hf_row_value *row,
                             const struct hf_ref *ref, hf_error *error)
{
    struct hf_stored_value *value = (struct hf_stored_value *)walk->rows + walk->count;
    value->key = row->key;
    return hf__body_read(walk->tables, ref, &value->body, error);
}

static hf_status values_one(struct walk *walk, hf_slice key, hf_error *error)
{
    struct hf_row_value row;
    hf_status status = hf_value_get(walk->tables, walk->instance, key, &row, error);
    if (status == HF_NOT_FOUND || (status == HF_OK && row.present.lsn == 0)) return HF_OK;
    if (status != HF_OK) return status;
    walk->rows = hf_arena_array(walk->tables->arena, 1, sizeof(struct hf_stored_value));
    if (!walk->rows) return hf_error_set(error, HF_NO_MEMORY, "no memory for a value");
    status = present_add(walk, &row, &row.present, error);
    walk->count = status == HF_OK;
    return status;
}

hf_status hf__read_values(struct hf_backend *backend, hf_slice id, hf_slice key,
                          struct hf_arena *arena, struct hf_stored_value **out_rows,
                          size_t *out_count, hf_error *error)
{
    struct hf__reader reader;
    struct hf_row_instance row;
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    struct walk walk = { .tables = &reader.tables, .add = present_add };
    status = hf_instance_find(&reader.tables, id, &row, error);
    if (status == HF_NOT_FOUND) {
        hf_error_set(error, status, "there is no instance \"" HF_FMT "\"", HF_ARG(id));
        hf_error_code(error, "no_instance");
    }
    walk.instance = row.number;
    if (status == HF_OK && key.size > 0) status = values_one(&walk, key, error);
    if (status == HF_OK && key.size == 0) {
        status = walk_collect(&walk, sizeof(struct hf_stored_value), error);
    }
    hf__reader_end(&reader);
    *out_rows = walk.rows;
    *out_count = walk.count;
    return status;
}
