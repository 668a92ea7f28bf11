/* The LMDB environment of an open store, and its write transactions. The read transactions are in
 * store_internal.h. */
#ifndef HF_LOGSTORE_ENV_H
#define HF_LOGSTORE_ENV_H

#include "logstore/store_internal.h"

/* Opens the environment in the verified directory, and notes device and inode of its data file. The
 * tables are not opened yet. The caller alone knows the store, or holds env_lock alone.
 * Errors: HF_NOT_A_STORE, HF_FORMAT_NEWER, HF_DISK_FULL, HF_NO_MEMORY, HF_IO. */
HF_MUST_CHECK hf_status hf__env_open(struct hf__store *store, hf_error *error);

/* Opens the handles of all tables in a transaction of its own, making none.
 * Errors: as hf_tables_open. */
HF_MUST_CHECK hf_status hf__env_open_tables(struct hf__store *store, hf_error *error);

/* Closes it with the waiting read transactions; a closed one is fine. */
void hf__env_close(struct hf__store *store);

/* Closes the environment for ever: nobody can say what is in the store. */
void hf__env_fail(struct hf__store *store);

/* Closes and opens the environment again, after a commit whose outcome is not known, and makes sure
 * that what can be read now is on disk. The caller has no transaction open. When it fails, the
 * store has failed for ever. Errors: HF_STORE_FAILED with the cause in the message. */
HF_MUST_CHECK hf_status hf__env_reopen(struct hf__store *store, hf_error *error);

/* The code that a write of LMDB's failed with; ENOSPC, when that explains it better: LMDB says EIO
 * of a write that came short, without its reason, and on a disk without room that is the reason. */
int hf__env_write_code(const struct hf__store *store, int code);

/* A write transaction. */
struct hf__write {
    struct hf__store *store;
    struct MDB_txn *txn;
    struct hf_tables tables; /* its arena is the one below */
    struct hf_arena arena;   /* scratch of the present command */
    uint64_t first_lsn;      /* next_lsn as it was at the begin; 0: not loaded */
    uint64_t next_lsn;
    uint64_t now_boot_ms, now_wall_unix_ms;
    bool may_expire;
    bool is_tight;    /* only the reserve of the map is left: no new work */
    bool is_in_doubt; /* set by a commit that failed where its outcome is not known */
    uint64_t rows_looked;
};

/* Takes the writer lock and LMDB's, preallocates, and begins. registration names us to those who
 * wait. The tables need their handles; next_lsn is loaded by hf__write_load. Released by
 * hf__write_commit or hf__write_abort, on the same thread. Errors: HF_STORE_FAILED, HF_IO,
 * HF_NO_MEMORY, HF_DISK_FULL, HF_CORRUPT. */
HF_MUST_CHECK hf_status hf__write_begin(struct hf__store *store, uint64_t registration,
                                        struct hf__write *out_write, hf_error *error);

/* Proves that the store is still one that we can write, and loads next_lsn.
 * Errors: HF_FORMAT_NEWER, HF_CORRUPT, HF_STORE_FAILED; the transaction is still open then. */
HF_MUST_CHECK hf_status hf__write_load(struct hf__write *write, hf_error *error);

/* Commits and ends it. Errors: as hf__write_begin: nothing was done, unless is_in_doubt is set. */
HF_MUST_CHECK hf_status hf__write_commit(struct hf__write *write, hf_error *error);

/* Ends it without a trace. */
void hf__write_abort(struct hf__write *write);

/* A step of this transaction, for one command whose error is given. Borrows all. */
struct hf__step hf__write_step(struct hf__write *write, hf_error *error);

#endif
