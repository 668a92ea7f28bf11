/* The tables over LMDB: names, errors, and the calls in slices. It knows no key and no row.
 *
 * Rules for LMDB 0.9.24: no sorted duplicates, no nested transactions, no MDB_CURRENT with another
 * size. A write may move what earlier reads point to, even within one transaction; so nobody keeps
 * a slice of the map across a write. */
#include "indexes/table.h"

#include <errno.h>
#include <lmdb.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/law.h"

struct table_entry {
    const char *name;
    enum hf_table_class table_class;
};

static const struct table_entry table_entries[] = {
    [HF_TABLE_LOG] = { "log", HF_TABLE_CLASS_LOG },
    [HF_TABLE_META] = { "meta", HF_TABLE_CLASS_META },
    [HF_TABLE_INSTANCES] = { "instances", HF_TABLE_CLASS_HARD },
    [HF_TABLE_INSTANCE_IDS] = { "instance_ids", HF_TABLE_CLASS_HARD },
    [HF_TABLE_HISTORY] = { "history", HF_TABLE_CLASS_HARD },
    [HF_TABLE_INBOX] = { "inbox", HF_TABLE_CLASS_HARD },
    [HF_TABLE_TURNS_DUE] = { "turns_due", HF_TABLE_CLASS_HARD },
    [HF_TABLE_ITEMS] = { "items", HF_TABLE_CLASS_HARD },
    [HF_TABLE_ITEMS_READY] = { "items_ready", HF_TABLE_CLASS_HARD },
    [HF_TABLE_ITEMS_RUNNING] = { "items_running", HF_TABLE_CLASS_HARD },
    [HF_TABLE_SESSIONS] = { "sessions", HF_TABLE_CLASS_HARD },
    [HF_TABLE_SESSION_ITEMS] = { "session_items", HF_TABLE_CLASS_HARD },
    [HF_TABLE_SESSIONS_READY] = { "sessions_ready", HF_TABLE_CLASS_HARD },
    [HF_TABLE_SESSIONS_OWNED] = { "sessions_owned", HF_TABLE_CLASS_HARD },
    [HF_TABLE_TIMERS] = { "timers", HF_TABLE_CLASS_HARD },
    [HF_TABLE_TIMERS_BY_ID] = { "timers_by_id", HF_TABLE_CLASS_HARD },
    [HF_TABLE_CHILDREN] = { "children", HF_TABLE_CLASS_HARD },
    [HF_TABLE_REGISTRATIONS] = { "registrations", HF_TABLE_CLASS_HARD },
    [HF_TABLE_WORKERS] = { "workers", HF_TABLE_CLASS_HARD },
    [HF_TABLE_TAGS] = { "tags", HF_TABLE_CLASS_HARD },
    [HF_TABLE_TAG_NAMES] = { "tag_names", HF_TABLE_CLASS_HARD },
    [HF_TABLE_COMMAND_KEYS] = { "command_keys", HF_TABLE_CLASS_HARD },
    [HF_TABLE_RECLAIM] = { "reclaim", HF_TABLE_CLASS_HARD },
    [HF_TABLE_KV] = { "kv", HF_TABLE_CLASS_HARD },
    [HF_TABLE_DEAD_LETTERS] = { "dead_letters", HF_TABLE_CLASS_HARD },
    [HF_TABLE_FAMILIES] = { "families", HF_TABLE_CLASS_HARD },
    [HF_TABLE_LEASES] = { "leases", HF_TABLE_CLASS_SOFT },
    [HF_TABLE_TURN_LOCKS] = { "turn_locks", HF_TABLE_CLASS_SOFT },
    [HF_TABLE_TURN_LOCKS_OWNED] = { "turn_locks_owned", HF_TABLE_CLASS_SOFT },
    [HF_TABLE_TURNS_HELD] = { "turns_held", HF_TABLE_CLASS_SOFT },
    [HF_TABLE_PROGRESS] = { "progress", HF_TABLE_CLASS_SOFT },
    [HF_TABLE_WRITERS] = { "writers", HF_TABLE_CLASS_SOFT },
};
_Static_assert(HF_COUNT_OF(table_entries) == HF_TABLE_COUNT, "every table has a name and a class");

/* ---- names and errors ----------------------------------------------------------------------- */

const char *hf_table_name(enum hf_table table)
{
    hf_assert(table < HF_TABLE_COUNT);
    hf_assert(table_entries[table].name);
    return table_entries[table].name;
}

enum hf_table_class hf_table_class(enum hf_table table)
{
    hf_assert(table < HF_TABLE_COUNT);
    return table_entries[table].table_class;
}

static hf_status table_status(int code)
{
    switch (code) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT: return HF_DISK_FULL;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL: /* a tree deeper than any that LMDB makes */
    case MDB_BAD_TXN: /* opening a cursor looks for the table's root, and keeps a failure silent */
    case MDB_PANIC:
    case MDB_INVALID: return HF_CORRUPT;
    case ENOMEM: return HF_NO_MEMORY;
    default: return HF_IO;
    }
}

hf_status hf_table_error(int code, const char *what, hf_error *error)
{
    hf_assert(code != 0);
    hf_assert(what);
    (void)hf_error_system(error, table_status(code), code, "%s: %s", what, mdb_strerror(code));
    return hf_law_broken(error, HF_LAW_P1, table_status(code));
}

/* The status of an LMDB call on a table: 0 is HF_OK; a row that is not there is no error to tell
 * of. */
static hf_status table_result(int code, enum hf_table table, hf_error *error)
{
    if (code == 0) return HF_OK;
    if (code == MDB_NOTFOUND) return HF_NOT_FOUND;
    return hf_table_error(code, hf_table_name(table), error);
}

static int table_fault(const struct hf_tables *tables, enum hf_fault_point point)
{
    const struct hf_seams *seams = tables->seams;
    return seams && seams->fault ? seams->fault(seams->self, point) : 0;
}

static void table_count_look(struct hf_tables *tables)
{
    if (tables->rows_looked) ++*tables->rows_looked;
}

/* ---- slices and LMDB's values --------------------------------------------------------------- */

static MDB_val val_of(hf_slice slice)
{
    return (MDB_val){ slice.size, (void *)(uintptr_t)slice.data };
}

static hf_slice slice_of(MDB_val val)
{
    return (hf_slice){ val.mv_size > 0 ? val.mv_data : NULL, val.mv_size };
}

static MDB_dbi dbi_of(const struct hf_tables *tables, enum hf_table table)
{
    hf_assert(tables->txn && tables->dbis);
    hf_assert(table < HF_TABLE_COUNT);
    return tables->dbis[table];
}

/* ---- opening -------------------------------------------------------------------------------- */

hf_status hf_tables_open(struct MDB_txn *txn, bool create, unsigned *out_dbis, hf_error *error)
{
    hf_assert(txn);
    hf_assert(out_dbis);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        int code = mdb_dbi_open(txn, hf_table_name(table), create ? MDB_CREATE : 0,
                                &out_dbis[table]);
        bool is_ours = table > HF_TABLE_META; /* those two were there ever since */
        if (code == MDB_NOTFOUND && is_ours) {
            return hf_error_set(error, HF_FORMAT_NEWER,
                                "the store has no table \"%s\", it was made by another version: "
                                "run holdfast rebuild on it",
                                hf_table_name(table));
        }
        if (code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE) {
            return hf_error_set(error, HF_NOT_A_STORE,
                                "the data file has no table \"%s\": it is another program's",
                                hf_table_name(table));
        }
        if (code != 0) return hf_table_error(code, hf_table_name(table), error);
    }
    return HF_OK;
}

/* ---- single rows ---------------------------------------------------------------------------- */

hf_status hf_table_get(struct hf_tables *tables, enum hf_table table, hf_slice key,
                       hf_slice *out_value, hf_error *error)
{
    hf_assert(key.size > 0 && key.size <= HF_TABLE_KEY_SIZE_MAX);
    MDB_val key_val = val_of(key);
    MDB_val value = { 0, NULL };
    int code = table_fault(tables, HF_FAULT_READ);
    table_count_look(tables);
    if (code == 0) code = mdb_get(tables->txn, dbi_of(tables, table), &key_val, &value);
    if (code != 0) return table_result(code, table, error);
    *out_value = slice_of(value);
    return HF_OK;
}

static hf_status table_write(struct hf_tables *tables, enum hf_table table,
                             const struct hf_table_row *row, unsigned flags, hf_error *error)
{
    hf_assert(row->key.size > 0 && row->key.size <= HF_TABLE_KEY_SIZE_MAX);
    hf_assert(row->value.size <= UINT32_MAX);
    MDB_val key = val_of(row->key);
    MDB_val value = val_of(row->value);
    tables->is_written = true;
    int code = table_fault(tables, HF_FAULT_PUT);
    if (code == 0) code = mdb_put(tables->txn, dbi_of(tables, table), &key, &value, flags);
    if (code == MDB_KEYEXIST) {
        (void)hf_error_set(error, HF_CORRUPT, "%s: a row is not behind the last one",
                           hf_table_name(table));
        return hf_law_broken(error, HF_LAW_L1, HF_CORRUPT);
    }
    hf_assert(code != MDB_NOTFOUND);
    return table_result(code, table, error);
}

hf_status hf_table_put(struct hf_tables *tables, enum hf_table table, hf_slice key, hf_slice value,
                       hf_error *error)
{
    return table_write(tables, table, &(struct hf_table_row){ key, value }, 0, error);
}

hf_status hf_table_append(struct hf_tables *tables, enum hf_table table, hf_slice key,
                          hf_slice value, hf_error *error)
{
    return table_write(tables, table, &(struct hf_table_row){ key, value }, MDB_APPEND, error);
}

hf_status hf_table_delete(struct hf_tables *tables, enum hf_table table, hf_slice key,
                          hf_error *error)
{
    hf_assert(key.size > 0 && key.size <= HF_TABLE_KEY_SIZE_MAX);
    MDB_val key_val = val_of(key);
    tables->is_written = true;
    int code = table_fault(tables, HF_FAULT_DELETE);
    if (code == 0) code = mdb_del(tables->txn, dbi_of(tables, table), &key_val, NULL);
    return table_result(code, table, error);
}

hf_status hf_table_empty(struct hf_tables *tables, enum hf_table table, hf_error *error)
{
    tables->is_written = true;
    int code = table_fault(tables, HF_FAULT_DELETE);
    if (code == 0) code = mdb_drop(tables->txn, dbi_of(tables, table), 0);
    return table_result(code, table, error);
}

hf_status hf_table_count(struct hf_tables *tables, enum hf_table table, uint64_t *out_count,
                         hf_error *error)
{
    MDB_stat stat;
    int code = mdb_stat(tables->txn, dbi_of(tables, table), &stat);
    if (code != 0) return table_result(code, table, error);
    *out_count = stat.ms_entries;
    return HF_OK;
}

/* ---- walks ---------------------------------------------------------------------------------- */

/* Moves a cursor by `op`; `key` counts for MDB_SET_RANGE alone. What every search comes down to. */
static hf_status cursor_move(struct hf_table_cursor *cursor, MDB_cursor_op op, hf_slice key,
                             struct hf_table_row *out_row, hf_error *error)
{
    hf_assert(cursor->cursor);
    hf_assert(key.size <= HF_TABLE_KEY_SIZE_MAX);
    MDB_val key_val = val_of(key);
    MDB_val value = { 0, NULL };
    int code = table_fault(cursor->tables, HF_FAULT_READ);
    table_count_look(cursor->tables);
    if (code == 0) code = mdb_cursor_get(cursor->cursor, &key_val, &value, op);
    if (code != 0) return table_result(code, cursor->table, error);
    *out_row = (struct hf_table_row){ slice_of(key_val), slice_of(value) };
    return HF_OK;
}

hf_status hf_table_cursor_init(struct hf_table_cursor *cursor, struct hf_tables *tables,
                               enum hf_table table, hf_error *error)
{
    *cursor = (struct hf_table_cursor){ tables, NULL, table };
    int code = mdb_cursor_open(tables->txn, dbi_of(tables, table), &cursor->cursor);
    return table_result(code, table, error);
}

hf_status hf_table_cursor_seek(struct hf_table_cursor *cursor, hf_slice key,
                               struct hf_table_row *out_row, hf_error *error)
{
    return cursor_move(cursor, key.size > 0 ? MDB_SET_RANGE : MDB_FIRST, key, out_row, error);
}

hf_status hf_table_cursor_next(struct hf_table_cursor *cursor, struct hf_table_row *out_row,
                               hf_error *error)
{
    return cursor_move(cursor, MDB_NEXT, (hf_slice)HF_EMPTY, out_row, error);
}

void hf_table_cursor_release(struct hf_table_cursor *cursor)
{
    if (cursor->cursor) mdb_cursor_close(cursor->cursor);
    cursor->cursor = NULL;
}

hf_status hf_table_seek(struct hf_tables *tables, enum hf_table table, hf_slice key,
                        struct hf_table_row *out_row, hf_error *error)
{
    struct hf_table_cursor cursor;
    hf_status status = hf_table_cursor_init(&cursor, tables, table, error);
    if (status == HF_OK) status = hf_table_cursor_seek(&cursor, key, out_row, error);
    hf_table_cursor_release(&cursor);
    return status;
}

hf_status hf_table_last(struct hf_tables *tables, enum hf_table table, struct hf_table_row *out_row,
                        hf_error *error)
{
    struct hf_table_cursor cursor;
    hf_status status = hf_table_cursor_init(&cursor, tables, table, error);
    if (status == HF_OK) {
        status = cursor_move(&cursor, MDB_LAST, (hf_slice)HF_EMPTY, out_row, error);
    }
    hf_table_cursor_release(&cursor);
    return status;
}

/* Whether the first `size` bytes of both are the same. */
static bool has_prefix(hf_slice key, hf_slice prefix, size_t size)
{
    hf_assert(size <= prefix.size);
    return key.size >= size && (size == 0 || memcmp(key.data, prefix.data, size) == 0);
}

hf_status hf_table_next_in(struct hf_tables *tables, enum hf_table table,
                           const struct hf_table_range *range, struct hf_table_row *out_row,
                           hf_error *error)
{
    struct hf_table_cursor cursor;
    struct hf_table_row row = { HF_EMPTY, HF_EMPTY };
    hf_status status = hf_table_cursor_init(&cursor, tables, table, error);
    if (status == HF_OK) status = hf_table_cursor_seek(&cursor, range->key, &row, error);
    if (status == HF_OK && range->key.size > 0 && hf_slice_equal(row.key, range->key)) {
        status = hf_table_cursor_next(&cursor, &row, error);
    }
    if (status == HF_OK && !has_prefix(row.key, range->key, range->prefix_size)) {
        status = HF_NOT_FOUND;
    }
    if (status == HF_OK) *out_row = row;
    hf_table_cursor_release(&cursor);
    return status;
}

hf_status hf_table_before(struct hf_tables *tables, enum hf_table table, hf_slice key,
                          struct hf_table_row *out_row, hf_error *error)
{
    struct hf_table_cursor cursor;
    struct hf_table_row row;
    MDB_val found_key, found_value;
    hf_status status = hf_table_cursor_init(&cursor, tables, table, error);
    if (status == HF_OK) status = hf_table_cursor_seek(&cursor, key, &row, error);
    bool is_behind_all = status == HF_NOT_FOUND;
    if (status == HF_OK || is_behind_all) {
        int code = mdb_cursor_get(cursor.cursor, &found_key, &found_value,
                                  is_behind_all ? MDB_LAST : MDB_PREV);
        status = table_result(code, table, error);
    }
    if (status == HF_OK) {
        *out_row = (struct hf_table_row){ slice_of(found_key), slice_of(found_value) };
    }
    hf_table_cursor_release(&cursor);
    return status;
}
