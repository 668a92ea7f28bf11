/* The tables: LMDB's named databases behind a handful of calls in slices. table.c is the one file
 * of this room that knows LMDB.
 *
 * Hard tables are a fold of the log: rebuild makes them anew, verify compares them byte by byte.
 * Soft ones are emptied by rebuild and left out by verify: losing them only ever costs repeated
 * work.
 *
 * Slices that a call gives out Borrow the map: valid until the next write in the transaction, or
 * its end. */
#ifndef HF_INDEXES_TABLE_H
#define HF_INDEXES_TABLE_H

#include "engine/store.h"

struct MDB_txn;
struct MDB_cursor;

/* All named databases; keys and rows are told in keys.h and rows.h. */
enum hf_table {
    HF_TABLE_LOG = 0,
    HF_TABLE_META,
    HF_TABLE_INSTANCES,
    HF_TABLE_INSTANCE_IDS,
    HF_TABLE_HISTORY,
    HF_TABLE_INBOX,
    HF_TABLE_TURNS_DUE,
    HF_TABLE_ITEMS,
    HF_TABLE_ITEMS_READY,
    HF_TABLE_ITEMS_RUNNING,
    HF_TABLE_SESSIONS,
    HF_TABLE_SESSION_ITEMS,
    HF_TABLE_SESSIONS_READY,
    HF_TABLE_SESSIONS_OWNED,
    HF_TABLE_TIMERS,
    HF_TABLE_TIMERS_BY_ID,
    HF_TABLE_CHILDREN,
    HF_TABLE_REGISTRATIONS,
    HF_TABLE_WORKERS,
    HF_TABLE_TAGS,
    HF_TABLE_TAG_NAMES,
    HF_TABLE_COMMAND_KEYS,
    HF_TABLE_RECLAIM,
    HF_TABLE_KV,
    HF_TABLE_DEAD_LETTERS,
    HF_TABLE_FAMILIES,
    HF_TABLE_LEASES,
    HF_TABLE_TURN_LOCKS,
    HF_TABLE_TURN_LOCKS_OWNED,
    HF_TABLE_TURNS_HELD,
    HF_TABLE_PROGRESS,
    HF_TABLE_WRITERS,
    HF_TABLE_COUNT
};

enum hf_table_class {
    HF_TABLE_CLASS_LOG = 1, /* the truth */
    HF_TABLE_CLASS_META,    /* some rows hard, some not: see apply.h */
    HF_TABLE_CLASS_HARD,
    HF_TABLE_CLASS_SOFT
};

/* LMDB takes keys of 1 to 511 bytes. */
enum { HF_TABLE_KEY_SIZE_MAX = 511 };

/* One transaction's view of all tables. Made anew for each transaction by whoever began it; zero
 * what is not used. */
struct hf_tables {
    struct MDB_txn *txn;          /* Borrows */
    const unsigned *dbis;         /* Borrows: HF_TABLE_COUNT handles, from hf_tables_open */
    const struct hf_seams *seams; /* Borrows; its fault seam is asked at each get, put and delete;
                                     may be NULL */
    struct hf_arena *arena;       /* Borrows: rows that are read are copied to it; must be given for
                                     rows.h, soft.h, apply.h */
    uint64_t *rows_looked; /* Borrows: counts each get, seek and next, also one that finds no row;
                              may be NULL */
    uint32_t effects;      /* enum hf_effect bits, added by hf_apply and by the locks of soft.h */
    bool is_written; /* set by each put, append, delete and empty: a commit is worth its cost */
};

/* "items_ready". Static storage. */
const char *hf_table_name(enum hf_table table);
/* Whether a table is the log, meta, hard or soft. */
enum hf_table_class hf_table_class(enum hf_table table);

/* Opens (create: makes) all databases in a transaction; the environment must allow HF_TABLE_COUNT
 * of them (mdb_env_set_maxdbs), and the handles hold from this transaction's commit on until the
 * environment is closed. Errors: as hf_table_get; HF_FORMAT_NEWER when one is
 * missing that came later, HF_NOT_A_STORE when the log or meta is. */
HF_MUST_CHECK hf_status hf_tables_open(struct MDB_txn *txn, bool create, unsigned *out_dbis,
                                       hf_error *error);

/* The status of an LMDB or system code (not 0), with error filled: "<what>: <LMDB's text>".
 * MDB_MAP_FULL, MDB_TXN_FULL and ENOSPC: HF_DISK_FULL; MDB_CORRUPTED, MDB_PAGE_NOTFOUND,
 * MDB_CURSOR_FULL, MDB_BAD_TXN, MDB_PANIC and MDB_INVALID: HF_CORRUPT; ENOMEM: HF_NO_MEMORY; else
 * HF_IO. */
hf_status hf_table_error(int code, const char *what, hf_error *error);

/* The row of key. Borrows the map. Errors: HF_NOT_FOUND, and then error stays as it was; HF_IO,
 * HF_CORRUPT (as hf_table_error). */
HF_MUST_CHECK hf_status hf_table_get(struct hf_tables *tables, enum hf_table table, hf_slice key,
                                     hf_slice *out_value, hf_error *error);
/* Writes a row, replacing one of the same key. Copies; key and value may not lie in the map.
 * Errors: as hf_table_error. */
HF_MUST_CHECK hf_status hf_table_put(struct hf_tables *tables, enum hf_table table, hf_slice key,
                                     hf_slice value, hf_error *error);
/* Writes a row behind the last one. Copies. Errors: HF_CORRUPT when it is not behind it; as
 * hf_table_error. */
HF_MUST_CHECK hf_status hf_table_append(struct hf_tables *tables, enum hf_table table, hf_slice key,
                                        hf_slice value, hf_error *error);
/* Removes a row. Errors: HF_NOT_FOUND, and then error stays as it was; as hf_table_error. */
HF_MUST_CHECK hf_status hf_table_delete(struct hf_tables *tables, enum hf_table table, hf_slice key,
                                        hf_error *error);
/* Removes all rows of a table. Errors: as hf_table_error. */
HF_MUST_CHECK hf_status hf_table_empty(struct hf_tables *tables, enum hf_table table,
                                       hf_error *error);
/* How many rows a table has; costs nothing. Errors: as hf_table_error. */
HF_MUST_CHECK hf_status hf_table_count(struct hf_tables *tables, enum hf_table table,
                                       uint64_t *out_count, hf_error *error);

/* A row as a search finds it. Borrows the map. */
struct hf_table_row {
    hf_slice key, value;
};

/* The first row whose key is at or behind `key` (empty: the very first). Errors: HF_NOT_FOUND,
 * error as it was; as hf_table_get. */
HF_MUST_CHECK hf_status hf_table_seek(struct hf_tables *tables, enum hf_table table, hf_slice key,
                                      struct hf_table_row *out_row, hf_error *error);
/* The last row. Errors: as hf_table_seek. */
HF_MUST_CHECK hf_status hf_table_last(struct hf_tables *tables, enum hf_table table,
                                      struct hf_table_row *out_row, hf_error *error);

/* What hf_table_next_in searches for: the first row behind `key` that shares its first prefix_size
 * bytes. */
struct hf_table_range {
    hf_slice key;
    size_t prefix_size;
};
/* As hf_table_seek, for a range. */
HF_MUST_CHECK hf_status hf_table_next_in(struct hf_tables *tables, enum hf_table table,
                                         const struct hf_table_range *range,
                                         struct hf_table_row *out_row, hf_error *error);

/* The last row before `key`. Errors: as hf_table_seek. */
HF_MUST_CHECK hf_status hf_table_before(struct hf_tables *tables, enum hf_table table, hf_slice key,
                                        struct hf_table_row *out_row, hf_error *error);

/* A walk over one table: init, seek, next ..., release, all in one transaction. A write to the same
 * table while the walk is under way is allowed for nobody. */
struct hf_table_cursor {
    struct hf_tables *tables;
    struct MDB_cursor *cursor;
    enum hf_table table;
};
/* Begins a walk; release it whatever comes of it. Errors: as hf_table_error. */
HF_MUST_CHECK hf_status hf_table_cursor_init(struct hf_table_cursor *cursor,
                                             struct hf_tables *tables, enum hf_table table,
                                             hf_error *error);
/* The first row at or behind key (empty: the very first). Errors: as hf_table_seek. */
HF_MUST_CHECK hf_status hf_table_cursor_seek(struct hf_table_cursor *cursor, hf_slice key,
                                             struct hf_table_row *out_row, hf_error *error);
/* The row behind the latest. Errors: as hf_table_seek. */
HF_MUST_CHECK hf_status hf_table_cursor_next(struct hf_table_cursor *cursor,
                                             struct hf_table_row *out_row, hf_error *error);
/* A zeroed or released one is fine. Before the transaction ends. */
void hf_table_cursor_release(struct hf_table_cursor *cursor);

#endif
