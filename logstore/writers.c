/* One small row for each open handle, written by each of its groups:
 *   key: random id of the handle 8 | row: counter 8, wall time of the group 8, little-endian
 * After a commit whose outcome is not known it tells, once the store is open again, whether the
 * group is there. Nobody looks for a row longer than a commit takes; so those of an older day than
 * ours are removed at open, when there are many. */
#include "logstore/writers.h"

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/status.h"
#include "indexes/keys.h"

enum { ROW_SIZE = 16, ROWS_KEPT = 16, TRIMMED_MAX = 1000 };

static const uint64_t kept_ms = UINT64_C(24) * 60 * 60 * 1000;

hf_status hf__writers_put(struct hf__write *write, uint64_t counter, hf_error *error)
{
    unsigned char row[ROW_SIZE];
    struct hf_key key = hf_key_number(write->store->handle_id);
    hf_assert(counter > 0 && write->store->handle_id != 0);
    hf_assert(write->tables.is_written); /* else there is no group whose outcome could be asked */
    hf_put_le64(row, counter);
    hf_put_le64(row + 8, write->now_wall_unix_ms);
    return hf_table_put(&write->tables, HF_TABLE_WRITERS, hf_key_slice(&key),
                        hf_bytes(row, sizeof row), error);
}

hf_status hf__writers_get(struct hf__store *store, uint64_t *out_counter, hf_error *error)
{
    struct hf__reader reader;
    hf_slice row;
    struct hf_key key = hf_key_number(store->handle_id);
    hf_assert(store->handle_id != 0);
    hf_status status = hf__reader_begin(store, NULL, &reader, error);
    if (status != HF_OK) return status;
    *out_counter = 0;
    status = hf_table_get(&reader.tables, HF_TABLE_WRITERS, hf_key_slice(&key), &row, error);
    if (status == HF_OK && row.size == ROW_SIZE) *out_counter = hf_get_le64(row.data);
    hf__reader_end(&reader);
    return status == HF_NOT_FOUND ? HF_OK : status;
}

static bool is_old(const struct hf__write *write, hf_slice row)
{
    if (row.size != ROW_SIZE) return true;
    uint64_t written_unix_ms = hf_get_le64(row.data + 8);
    return written_unix_ms + kept_ms < write->now_wall_unix_ms;
}

hf_status hf__writers_trim(struct hf__write *write, hf_error *error)
{
    struct hf_tables *tables = &write->tables;
    struct hf_table_row found;
    struct hf_table_range range = { HF_EMPTY, 0 };
    struct hf_key key;
    uint64_t handle = 0;
    uint64_t count = 0;
    hf_status status = hf_table_count(tables, HF_TABLE_WRITERS, &count, error);
    if (status != HF_OK || count <= ROWS_KEPT) return status;
    for (int i = 0; i < TRIMMED_MAX; i++) {
        status = hf_table_next_in(tables, HF_TABLE_WRITERS, &range, &found, error);
        if (status != HF_OK || !hf_key_read_number(found.key, &handle)) break;
        key = hf_key_number(handle);
        range.key = hf_key_slice(&key);
        if (is_old(write, found.value)) {
            status = hf_table_delete(tables, HF_TABLE_WRITERS, range.key, error);
        }
        if (status != HF_OK) break;
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}
