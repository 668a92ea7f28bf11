/* The store behind the contract: opening and closing it, and its table of calls. What it is made of
 * is in store_internal.h.
 *
 * Opening, in this order: the directory is verified (place.c); it is entered in the process's table
 * (open_table.c); LMDB opens it (env.c); the writer lock is mapped, or made inside a write
 * transaction (writer_lock.c); the identity is judged, made or adopted (identity.c). A read-only
 * open leaves out all that writes. Closing goes the other way round. */
#include "logstore/backend.h"

#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/rows.h"
#include "logstore/commit.h"
#include "logstore/env.h"
#include "logstore/identity.h"
#include "logstore/inspect.h"
#include "logstore/open_table.h"
#include "logstore/place.h"
#include "logstore/read.h"
#include "logstore/writer_lock.h"
#include "logstore/writers.h"

enum { RENEW_PERIOD_MS = 10000, MAP_SIZE_MIN = 1024 * 1024 };

static const uint64_t map_size_default = sizeof(size_t) < 8 || HF_TSAN
                                             ? UINT64_C(1) << 30  /* 1 GiB */
                                             : UINT64_C(1) << 40; /* 1 TiB */
static const uint64_t preallocate_default = UINT64_C(64) << 20;   /* 64 MiB */

hf_status hf__store_check(const struct hf__store *store, hf_error *error)
{
    hf_assert(store);
    if (store->pid == getpid()) return HF_OK;
    return hf_error_set(error, HF_FORKED,
                        "the store was opened by the parent of this process: open it again here");
}

void hf__store_log(const struct hf__store *store, hf_log_level level, const char *event,
                   const char *message)
{
    hf_assert(event && message);
    if (!store->seams->log) return;
    hf_log_line line = { .size = sizeof line, .level = level, .event = event, .message = message };
    store->seams->log(store->seams->self, &line);
}

/* ---- the calls that need no file of their own ---------------------------------------------- */

static void backend_counters(struct hf_backend *backend, struct hf_store_counters *out_counters)
{
    struct hf__store *store = hf__store_of(backend);
    *out_counters = (struct hf_store_counters){ 0 };
    if (hf__store_check(store, NULL) != HF_OK) return;
    pthread_mutex_lock(&store->counters_mutex);
    *out_counters = store->counters;
    pthread_mutex_unlock(&store->counters_mutex);
}

static int backend_directory(struct hf_backend *backend)
{
    return hf__store_of(backend)->place.directory;
}

static void backend_close(struct hf_backend *backend)
{
    hf__store_close(hf__store_of(backend));
}

static const struct hf_backend_ops backend_ops = {
    .capabilities = { .sessions = true },
    .commit = hf__commit,
    .instance = hf__read_instance,
    .instances = hf__read_instances,
    .turn_view = hf__read_turn_view,
    .values = hf__read_values,
    .progress = hf__read_progress,
    .executions = hf__read_executions,
    .dead_letters = hf__read_dead_letters,
    .totals = hf__read_totals,
    .sessions = hf__read_sessions,
    .registrations = hf__read_registrations,
    .check_held = hf__read_check_held,
    .peek = hf__read_peek,
    .counters = backend_counters,
    .directory = backend_directory,
    .close = backend_close,
};

hf_status hf_store_facts_read(struct hf_backend *backend, struct hf_store_facts *out_facts,
                              hf_error *error)
{
    struct hf__store *store = hf__store_of(backend);
    struct hf__reader reader;
    struct hf_arena arena;
    MDB_envinfo info;
    MDB_stat stat;
    struct hf_store_created created;
    struct hf_store_facts facts = { .id = store->identity.id, .is_copy = store->identity.is_copy };
    hf_arena_init(&arena, store->heap);
    hf_status status = hf__reader_begin(store, &arena, &reader, error);
    if (status == HF_OK) {
        struct hf_tables *tables = &reader.tables;
        hf_slice row = hf_bytes(store->identity.row, store->identity.row_size);
        status = hf_decode(hf_record_layout(HF_RECORD_STORE_CREATED), row, &arena, &created, error);
        if (status == HF_OK) {
            status = hf_meta_get_number(tables, HF__META_NEXT_LSN, &facts.next_lsn, error);
        }
        if (status == HF_OK) {
            status = hf_meta_get_number(tables, HF__META_FOLD_VERSION, &facts.fold_version, error);
        }
        mdb_env_info(store->env, &info);
        mdb_env_stat(store->env, &stat);
        hf__reader_end(&reader);
    }
    hf_arena_release(&arena);
    if (status == HF_NOT_FOUND) return hf_error_corrupt(error, 0, "a row of meta is missing");
    if (status != HF_OK) return status;
    facts.format_major = created.major;
    facts.format_minor = created.minor;
    facts.generation = hf_lsn_generation(facts.next_lsn);
    facts.map_size = info.me_mapsize;
    facts.data_size = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    *out_facts = facts;
    return HF_OK;
}

/* ---- making the struct --------------------------------------------------------------------- */

static hf_status options_check(const struct hf_backend_options *options, hf_error *error)
{
    if (options->map_size_max > 0 && options->map_size_max < MAP_SIZE_MIN) {
        return hf_error_set(error, HF_INVALID, "map_size_max is %llu: at least %d",
                            (unsigned long long)options->map_size_max, MAP_SIZE_MIN);
    }
    if (options->map_size_max > SIZE_MAX / 2) {
        return hf_error_set(error, HF_INVALID, "map_size_max is over what can be addressed");
    }
    if (options->durability > HF_DURABLE_NONE) {
        return hf_error_set(error, HF_INVALID, "there is no durability %d",
                            (int)options->durability);
    }
    return HF_OK;
}

static void store_free(struct hf__store *store)
{
    const hf_allocator *heap = store->heap;
    hf_assert(!store->env);
    pthread_rwlock_destroy(&store->env_lock);
    pthread_mutex_destroy(&store->commit_mutex);
    pthread_mutex_destroy(&store->counters_mutex);
    pthread_mutex_destroy(&store->readers.mutex);
    hf_heap_free(heap, store->readers.idle, store->readers.idle_capacity * sizeof(MDB_txn *));
    hf_heap_free(heap, store, sizeof *store);
}

/* The lock of the environment lets no reader in while someone waits to be alone: else a doubtful
 * commit would wait for ever among many readers. */
static int env_lock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;
    int code = pthread_rwlockattr_init(&attributes);
    if (code != 0) return code;
    code = pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    if (code == 0) code = pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return code;
}

static struct hf__store *store_new(const struct hf_backend_options *options)
{
    const struct hf_seams *seams = options->seams;
    const hf_allocator *heap = seams->allocator ? seams->allocator : hf_heap_default();
    struct hf__store *store = hf_heap_new(heap, sizeof *store);
    if (!store) return NULL;
    store->backend.ops = &backend_ops;
    store->options = *options;
    if (options->map_size_max == 0) store->options.map_size_max = map_size_default;
    if (options->preallocate_size == 0) store->options.preallocate_size = preallocate_default;
    if (options->renew_period_ms == 0) store->options.renew_period_ms = RENEW_PERIOD_MS;
    store->seams = seams;
    store->heap = heap;
    store->pid = getpid();
    store->place.directory = -1;
    int code = env_lock_init(&store->env_lock);
    if (code == 0) code = pthread_mutex_init(&store->commit_mutex, NULL);
    if (code == 0) code = pthread_mutex_init(&store->counters_mutex, NULL);
    if (code == 0) code = pthread_mutex_init(&store->readers.mutex, NULL);
    hf_assert(code == 0);
    while (store->handle_id == 0) {
        seams->random(seams->self, &store->handle_id, sizeof store->handle_id);
    }
    return store;
}

/* ---- opening ------------------------------------------------------------------------------- */

/* Maps the writer lock; where there is none that is of use, makes it inside a transaction of LMDB.
 */
static hf_status open_writer(struct hf__store *store, hf_error *error)
{
    MDB_txn *txn = NULL;
    hf_status status = hf__writer_attach(store, error);
    if (status != HF_NOT_FOUND) return status;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0) return hf_table_error(code, "beginning to write", error);
    status = hf__writer_create(store, error);
    mdb_txn_abort(txn);
    return status;
}

/* Whether the data file has no table at all: it was made, and nothing was ever committed. */
static hf_status is_blank(MDB_txn *txn, bool *out_blank, hf_error *error)
{
    MDB_dbi main_dbi;
    MDB_stat stat;
    int code = mdb_dbi_open(txn, NULL, 0, &main_dbi);
    if (code == 0) code = mdb_stat(txn, main_dbi, &stat);
    if (code != 0) return hf_table_error(code, "looking at the data file", error);
    *out_blank = stat.ms_entries == 0;
    return HF_OK;
}

static hf_status open_writing(struct hf__write *write, bool accept_fold, bool *out_created,
                              hf_error *error)
{
    struct hf__store *store = write->store;
    bool blank = false;
    *out_created = false;
    hf_status status = is_blank(write->txn, &blank, error);
    if (status != HF_OK) return status;
    if (blank && store->options.must_exist) {
        return hf_error_set(error, HF_NOT_A_STORE, "it holds no store: name the directory of one");
    }
    if (blank) {
        *out_created = true;
        return hf__identity_create(write, error);
    }
    /* Who makes the indexes anew makes those that are missing; not in a file that is no store's. */
    status = hf_tables_open(write->txn, accept_fold, store->dbis, error);
    if (status == HF_OK) status = hf__identity_load(store, &write->tables, error);
    if (status == HF_OK) status = hf__write_load(write, error);
    if (status == HF_OK && !accept_fold) status = hf__identity_check_fold(&write->tables, error);
    if (status == HF_OK) status = hf__identity_adopt(write, error);
    if (status == HF_OK) status = hf__writers_trim(write, error);
    return status;
}

/* The first transaction of a store that is opened for writing. */
static hf_status open_for_writing(struct hf__store *store, bool accept_fold, hf_error *error)
{
    struct hf__write write;
    bool is_created = false;
    hf_status status = open_writer(store, error);
    if (status == HF_OK) status = hf__write_begin(store, 0, &write, error);
    if (status != HF_OK) return status;
    status = open_writing(&write, accept_fold, &is_created, error);
    if (status != HF_OK) {
        hf__write_abort(&write);
        return status;
    }
    /* Also without anything written: the handles of the tables last only after a commit. */
    status = hf__write_commit(&write, error);
    if (status == HF_OK && is_created) status = hf__place_sync(&store->place, error);
    return status;
}

static hf_status open_for_reading(struct hf__store *store, bool accept_fold, hf_error *error)
{
    struct hf__reader reader;
    struct hf_arena arena;
    hf_status status = hf__env_open_tables(store, error);
    if (status != HF_OK) return status;
    hf_arena_init(&arena, store->heap);
    status = hf__reader_begin(store, &arena, &reader, error);
    if (status == HF_OK) {
        status = hf__identity_load(store, &reader.tables, error);
        if (status == HF_OK && !accept_fold) {
            status = hf__identity_check_fold(&reader.tables, error);
        }
        hf__reader_end(&reader);
    }
    hf_arena_release(&arena);
    return status;
}

static hf_status store_open(const char *directory, const struct hf_backend_options *options,
                            bool accept_fold, struct hf__store **out_store, hf_error *error)
{
    hf_assert(options && options->seams);
    hf_assert(options->seams->clock && options->seams->random);
    hf_status status = options_check(options, error);
    if (status != HF_OK) return status;
    struct hf__store *store = store_new(options);
    if (!store) return hf_error_set(error, HF_NO_MEMORY, "no memory for a store");
    status = hf__place_open(directory, &store->options, &store->place, error);
    if (status == HF_OK) {
        status = hf__open_table_enter(&store->open_entry, &store->place, error);
    }
    if (status == HF_OK) status = hf__env_open(store, error);
    if (status == HF_OK) {
        status = options->read_only ? open_for_reading(store, accept_fold, error)
                                    : open_for_writing(store, accept_fold, error);
    }
    if (status != HF_OK) {
        hf__store_close(store);
        return status;
    }
    if (store->identity.is_copy) {
        hf__store_log(store, HF_LOG_WARN, "store.copy",
                      options->read_only ? "this is a plain copy of a store"
                                         : "a plain copy was opened: older tokens are void");
    }
    *out_store = store;
    return HF_OK;
}

/* Puts the directory before the message: a process may have several stores. */
static void name_directory(const char *directory, hf_error *error)
{
    hf_error cause = *error;
    hf_assert(cause.status != HF_OK);
    snprintf(error->message, sizeof error->message, "%.120s: %.250s", directory, cause.message);
}

hf_status hf__store_open(const char *directory, const struct hf_backend_options *options,
                         bool accept_fold, struct hf__store **out_store, hf_error *error)
{
    hf_error cause = { 0 };
    hf_status status = store_open(directory, options, accept_fold, out_store, &cause);
    if (status == HF_OK) return HF_OK;
    name_directory(directory, &cause);
    if (error) *error = cause;
    return status;
}

hf_status hf_backend_open(const char *directory, const struct hf_backend_options *options,
                          struct hf_backend **out_backend, hf_error *error)
{
    struct hf__store *store = NULL;
    hf_status status = hf__store_open(directory, options, false, &store, error);
    if (status == HF_OK) *out_backend = &store->backend;
    return status;
}

void hf__store_close(struct hf__store *store)
{
    /* A forked child has only a copy of the memory: nothing in it may be undone there. */
    if (!store || store->pid != getpid()) return;
    hf__env_close(store);
    hf__writer_detach(store);
    hf__open_table_leave(&store->open_entry);
    hf__place_close(&store->place);
    store_free(store);
}
