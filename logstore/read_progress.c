/* How far an activity is: its row, and what it reported last. */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/queries.h"
#include "indexes/soft.h"
#include "logstore/read.h"

/* Nothing of that kind is there: says so with a code. */
static hf_status missing(hf_error *error, const char *code, const char *what)
{
    hf_error_set(error, HF_NOT_FOUND, "%s", what);
    hf_error_code(error, code);
    return HF_NOT_FOUND;
}

static hf_status progress_find(struct hf_tables *tables, hf_slice id, uint64_t event_id,
                               struct hf_progress_row *out_row, hf_error *error)
{
    struct hf_row_instance instance;
    struct hf_row_item item;
    struct hf_item_progress progress = { 0 };
    hf_status status = hf_instance_find(tables, id, &instance, error);
    if (status == HF_NOT_FOUND) return missing(error, "no_instance", "no instance has that id");
    if (status != HF_OK) return status;
    const struct hf_item_id place = { instance.number, instance.execution, event_id };
    status = event_id <= UINT32_MAX ? hf_item_get(tables, &place, &item, error) : HF_NOT_FOUND;
    if (status == HF_NOT_FOUND) {
        return missing(error, "no_activity", "no activity of that event waits or runs");
    }
    if (status == HF_OK) status = hf_progress_get(tables, &place, &progress, error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    *out_row = (struct hf_progress_row){ .progress = progress.progress,
                                         .reported_unix_ms = progress.reported_unix_ms,
                                         .attempts = item.attempts,
                                         .is_running = item.state == HF_ITEM_RUNNING };
    return HF_OK;
}

hf_status hf__read_progress(struct hf_backend *backend, hf_slice id, uint64_t event_id,
                            struct hf_arena *arena, struct hf_progress_row *out_row,
                            hf_error *error)
{
    struct hf__reader reader;
    hf_assert(out_row);
    hf_status status = hf__reader_begin(hf__store_of(backend), arena, &reader, error);
    if (status != HF_OK) return status;
    status = progress_find(&reader.tables, id, event_id, out_row, error);
    hf__reader_end(&reader);
    return status;
}
