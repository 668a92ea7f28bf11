/* The open store, as the files of logstore/ share it.
 *
 *   hf_backend_open        backend.c   checks, identity, generation; makes the struct hf__store
 *   commit                 commit.c    one write transaction for a batch
 *   hf__command_run        command.c   one command: check, then records by hf__step_append
 *   reads of the contract  read*.c     each in a pooled read transaction
 *
 * Two laws for commands:
 *  1. All checks come before the first write: a command that returns something else than HF_OK has
 *     written nothing.
 *  2. An error of a table, of the log or of the fold is passed on unchanged. HF_IO, HF_DISK_FULL,
 *     HF_CORRUPT and HF_NO_MEMORY end the transaction whatever was written, and the batch is
 *     repeated command by command; any other status is a refusal and leaves the transaction as it
 *     is. */
#ifndef HF_STORE_INTERNAL_H
#define HF_STORE_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "engine/store.h"
#include "logstore/log.h"

struct MDB_env;
struct hf__store;

enum { HF__IDENTITY_SIZE_MAX = 256 };

/* What to do about index rows that are no fold of the log: the end of a message. */
#define HF__REBUILD_ADVICE "stop the workers, then run holdfast rebuild on the store"

/* ---- one command in a transaction ---------------------------------------------------------- */

/* The surroundings of one command in a write transaction, or of a question (peek, check_held) in a
 * read transaction. Made anew for each command. What fetches look at is counted by the tables:
 * tables->rows_looked is set for their kinds alone. */
struct hf__step {
    struct hf__store *store;
    struct hf_tables *tables; /* of the transaction; its arena is the one below */
    struct hf_arena *arena;   /* scratch: forgotten when the command is answered */
    hf_error *error;          /* of the command; never NULL */
    uint64_t generation;      /* of the store: tokens of another one are void */
    uint64_t now_boot_ms;     /* fixed for the transaction */
    uint64_t now_wall_unix_ms;
    bool may_expire;    /* false in the grace after a stall: no deadline counts as passed */
    bool is_read;       /* no writes in this transaction */
    uint32_t effects;   /* enum hf_effect bits beyond those of the fold in tables->effects */
    uint64_t first_lsn; /* of the command's first record, 0: none yet */
    uint64_t next_lsn;  /* that the next record gets */
};

/* Encodes record (the struct of that kind), appends it to the log, and folds the appended bytes
 * into the tables. The LSN is also in step->first_lsn when it is the command's first one, which
 * becomes command->lsn. Copies. out_lsn may be NULL. Errors: HF_TOO_LARGE before anything is
 * written; else as law 2. */
HF_MUST_CHECK hf_status hf__step_append(struct hf__step *step, enum hf_record_kind kind,
                                        const void *record, uint64_t *out_lsn);

/* Whether the boot clock has reached a deadline of this boot. In the grace after a stall nothing
 * has passed. A lease row that is missing, or of another boot, is the caller's to judge. */
bool hf__step_has_passed(const struct hf__step *step, uint64_t deadline_boot_ms);

/* Whether anything may be declared expired now: false in the grace after a stall of the store. */
bool hf__store_may_expire(const struct hf__step *step);

/* ---- the open store ------------------------------------------------------------------------ */

/* A place in the table of open stores; its fields belong to open_table.c. */
struct hf__open_entry {
    dev_t device;
    ino_t inode;
    pid_t pid; /* of the process that entered it; 0: not entered */
    struct hf__open_entry *next;
};

/* The verified directory, and its data file as the last open met it. */
struct hf__place {
    int directory; /* descriptor; -1: none */
    dev_t directory_device;
    ino_t directory_inode;
    uint64_t data_device, data_inode; /* of data.mdb */
};

/* What LSN 1 says, and what the store has become since. */
struct hf__identity {
    struct hf_store_id id;
    bool is_copy; /* met with another device and inode; a writing open has raised the generation */
    unsigned char row[HF__IDENTITY_SIZE_MAX]; /* as this handle has proved it */
    size_t row_size;
};

/* The file `writer`, mapped; its layout is in writer_lock.c. */
struct hf__writer_lock {
    struct hf__writer_file *file; /* NULL: not attached */
    uint64_t stalls_count;        /* of waits of this handle that went over 1 s */
};

/* Reset read transactions that wait for their next use. */
struct hf__read_pool {
    pthread_mutex_t mutex;
    struct MDB_txn **idle;
    size_t idle_count, idle_capacity;
};

struct hf__store {
    struct hf_backend backend;         /* first: the contract's view of it */
    struct hf_backend_options options; /* defaults filled in */
    const struct hf_seams *seams;
    const hf_allocator *heap;
    pid_t pid; /* of the process that opened it */
    struct hf__place place;
    struct hf__open_entry open_entry;
    struct hf__identity identity;
    struct hf__writer_lock writer;

    pthread_rwlock_t env_lock; /* shared: every transaction; alone: closing and opening the env */
    struct MDB_env *env;       /* NULL: failed for ever */
    unsigned dbis[HF_TABLE_COUNT];
    struct hf__read_pool readers;

    pthread_mutex_t commit_mutex; /* one write transaction of this handle at a time */
    uint64_t handle_id;           /* random: its row in `writers` */
    uint64_t groups_count;        /* the counter in that row */
    uint64_t preallocate_after;   /* groups_count from which it is tried again; 0: it went well */

    pthread_mutex_t counters_mutex;
    struct hf_store_counters counters;
};

/* The store behind a backend that hf_backend_open made. */
static inline struct hf__store *hf__store_of(struct hf_backend *backend)
{
    return (struct hf__store *)(void *)backend;
}

/* HF_OK when the calling process may use the store. Errors: HF_FORKED, HF_STORE_FAILED. */
HF_MUST_CHECK hf_status hf__store_check(const struct hf__store *store, hf_error *error);

/* Sends one line to the log seam. lsn 0: none. Copies nothing: message is read during the call. */
void hf__store_log(const struct hf__store *store, hf_log_level level, const char *event,
                   const char *message);

/* ---- read transactions --------------------------------------------------------------------- */

/* A read transaction of the pool and the tables in it. */
struct hf__reader {
    struct hf__store *store;
    struct MDB_txn *txn;
    struct hf_tables tables;
};

/* Begins to read: one consistent state of the store until hf__reader_end. Rows are read into arena
 * (Borrows). A thread must not begin a second one meanwhile. Errors: HF_FORKED, HF_STORE_FAILED,
 * HF_BUSY (too many readers), HF_IO. */
HF_MUST_CHECK hf_status hf__reader_begin(struct hf__store *store, struct hf_arena *arena,
                                         struct hf__reader *out_reader, hf_error *error);

/* Ends it; only after a begin that returned HF_OK. What was Borrowed from the map is gone. */
void hf__reader_end(struct hf__reader *reader);

/* ---- defined by the commands --------------------------------------------------------------- */

/* Runs one command in step: checks, then appends. The answer is the status returned; hf_error in
 * step->error. Outputs go to command->arena. Errors: as the two laws above. */
HF_MUST_CHECK hf_status hf__command_run(struct hf__step *step, struct hf_store_command *command);

/* Looks for what may be waiting, in a read transaction: fills peek's out fields. */
HF_MUST_CHECK hf_status hf__command_peek(struct hf__step *step, struct hf_peek *peek);

/* Names what is void of what renew presents, in a read transaction, without renewing: fills its out
 * fields; rows in arena. */
HF_MUST_CHECK hf_status hf__command_check_held(struct hf__step *step, struct hf_store_renew *renew,
                                               struct hf_arena *arena);

#endif
