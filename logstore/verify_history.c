/* Proving what histories say: a walk over the table, event by event, each read from the log. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "engine/history_laws.h"
#include "indexes/rows.h"
#include "logstore/inspect.h"
#include "logstore/store_internal.h"

/* A walk over one table of events. */
struct walk {
    struct hf_tables *tables; /* its arena is reset after each event */
    struct hf_arena kept;     /* of the present history */
    struct hf_history_laws laws;
    struct hf_item_id at; /* the event that is being judged */
    bool is_judged;       /* false: the rest of this history is passed over */
    struct hf_verify_summary *summary;
    hf_error *error;
    void *self;
    hf_verify_report_fn report;
};

/* Tells of a law that is broken; the rest of that history is passed over. */
static hf_status walk_tell(struct walk *walk, const hf_error *broken, uint64_t lsn)
{
    char message[HF_ERROR_MESSAGE_SIZE + 96];
    (void)snprintf(message, sizeof message, "instance %" PRIu64 ", execution %" PRIu64 ": %s",
                   walk->at.instance, walk->at.execution, broken->message);
    const struct hf_verify_finding finding = { .law = broken->code,
                                               .lsn = lsn,
                                               .message = message };
    hf_assert(broken->status == HF_CORRUPT);
    walk->is_judged = false;
    walk->summary->findings++;
    if (walk->report) walk->report(walk->self, &finding);
    return HF_OK;
}

/* Passes a status on; a broken law is told. */
static hf_status walk_judge(struct walk *walk, hf_status status, const hf_error *error,
                            uint64_t lsn)
{
    if (status == HF_CORRUPT && error->code[0] != '\0') return walk_tell(walk, error, lsn);
    if (status != HF_OK && walk->error) *walk->error = *error;
    return status;
}

/* The history that was walked is all there. What is left of a deleted instance is judged by nobody.
 */
static hf_status history_end(struct walk *walk)
{
    struct hf_row_instance row;
    hf_error error = { 0 };
    if (!walk->is_judged) return HF_OK;
    hf_status status = hf_instance_get(walk->tables, walk->at.instance, &row, walk->error);
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    bool is_over = walk->at.execution < row.execution || hf_instance_has_ended(&row);
    status = hf_history_laws_end(&walk->laws, is_over, &error);
    return walk_judge(walk, status, &error, 0);
}

static hf_status history_begin(struct walk *walk, const struct hf_item_id *event)
{
    hf_status status = history_end(walk);
    walk->at = *event;
    walk->is_judged = event->event_id == 1; /* else it is half reclaimed */
    hf_arena_reset(&walk->kept);
    hf_history_laws_begin(&walk->laws, &walk->kept);
    return status;
}

static hf_status walk_event(struct walk *walk, const struct hf_table_row *row)
{
    struct hf_item_id event;
    struct hf_ref ref;
    hf_slice body;
    hf_error error = { 0 };
    if (!hf_key_read_item(row->key, &event) || !hf_ref_read(row->value, &ref)) {
        return hf_error_corrupt(walk->error, 0, "a row of history is damaged");
    }
    hf_status status = HF_OK;
    if (event.instance != walk->at.instance || event.execution != walk->at.execution) {
        status = history_begin(walk, &event);
    }
    walk->at.event_id = event.event_id;
    if (status != HF_OK || !walk->is_judged) return status;
    status = hf_log_read_ref(walk->tables, &ref, walk->tables->arena, &body, walk->error);
    if (status != HF_OK) return status;
    status = hf_history_laws_next(&walk->laws, body, walk->tables->arena, &error);
    return walk_judge(walk, status, &error, ref.lsn);
}

static hf_status walk_all(struct walk *walk)
{
    struct hf_table_cursor cursor;
    struct hf_table_row row;
    hf_status status = hf_table_cursor_init(&cursor, walk->tables, HF_TABLE_HISTORY, walk->error);
    if (status == HF_OK) {
        status = hf_table_cursor_seek(&cursor, (hf_slice)HF_EMPTY, &row, walk->error);
    }
    while (status == HF_OK) {
        hf_arena_reset(walk->tables->arena);
        status = walk_event(walk, &row);
        hf_assert(status != HF_NOT_FOUND);
        if (status == HF_OK) status = hf_table_cursor_next(&cursor, &row, walk->error);
    }
    hf_table_cursor_release(&cursor);
    return status == HF_NOT_FOUND ? history_end(walk) : status;
}

hf_status hf_store_verify_histories(struct hf_backend *backend, struct hf_verify_summary *summary,
                                    hf_error *error, void *self, hf_verify_report_fn report)
{
    struct hf__store *store = hf__store_of(backend);
    struct hf__reader reader;
    struct hf_arena arena;
    struct walk walk = { .summary = summary, .error = error, .self = self, .report = report };
    hf_assert(summary->ok);
    hf_arena_init(&arena, store->heap);
    hf_arena_init(&walk.kept, store->heap);
    hf_status status = hf__reader_begin(store, &arena, &reader, error);
    if (status == HF_OK) {
        walk.tables = &reader.tables;
        status = walk_all(&walk);
        hf__reader_end(&reader);
    }
    summary->ok = summary->findings == 0;
    hf_arena_release(&walk.kept);
    hf_arena_release(&arena);
    return status;
}
