/* Transactions of the open store: the pool of readers, and writing. What is done inside one is the
 * business of others.
 *
 * Reading: a transaction costs 16 ns when it is renewed instead of begun, so ended ones wait in a
 * pool, reset: they pin no pages, and keep only their slot in LMDB's table.
 *
 * Writing, in this order: the writer lock (a stalled holder is named), LMDB's own lock, the file
 * grows if it must, the body of the transaction, its commit.
 *
 * Preallocation. LMDB lets its file grow by writing pages behind the end, which costs a journal
 * commit each time. So a whole step of zeros is written instead, through LMDB's own descriptor, by
 * the one who has its write lock: nobody else writes behind the end then, LMDB never looks at the
 * size of the file, and a page is read only once it was written. A failure is no error: LMDB will
 * meet a full disk itself, and then it counts; so the step that failed leaves the room to it.
 *
 * The reserve. When less than a part of the map is left, no new work is taken (is_tight), so that
 * what ends work still finds room. Free pages inside the file are counted only near the end. */
#include <errno.h>
#include <lmdb.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/rows.h"
#include "logstore/env.h"
#include "logstore/identity.h"
#include "logstore/writer_lock.h"

enum {
    IDLE_READERS_MAX = 64,
    RESIZES_MAX = 8,              /* tries while other processes raise the map */
    READER_CHECK_GROUPS = 256,    /* commits between two looks for dead readers */
    PREALLOCATE_REST_GROUPS = 64, /* commits between two tries, once one has failed */
    GROUP_SIZE_MAX = 2048 * 4096, /* what a group may add to the file */
    ZEROS_SIZE = 64 * 1024,
    RESERVE_PART = 4,
    RESERVE_SIZE_MAX = 16 * 1024 * 1024
};

static int store_fault(const struct hf__store *store, enum hf_fault_point point)
{
    const struct hf_seams *seams = store->seams;
    return seams->fault ? seams->fault(seams->self, point) : 0;
}

static void env_lock_shared(struct hf__store *store)
{
    int failed = pthread_rwlock_rdlock(&store->env_lock);
    hf_assert(failed == 0);
}

static void env_unlock(struct hf__store *store)
{
    int failed = pthread_rwlock_unlock(&store->env_lock);
    hf_assert(failed == 0);
}

static hf_status failed_for_ever(hf_error *error)
{
    return hf_error_set(error, HF_STORE_FAILED,
                        "a commit failed and opening again did not help: close the store");
}

/* Takes over the map that another process has made larger. The caller has no transaction open. */
static hf_status env_resize(struct hf__store *store, hf_error *error)
{
    int failed = pthread_rwlock_wrlock(&store->env_lock);
    hf_assert(failed == 0);
    int code = store->env ? mdb_env_set_mapsize(store->env, 0) : MDB_PANIC;
    env_unlock(store);
    return code == 0 ? HF_OK : hf_table_error(code, "taking over a larger map", error);
}

/* ---- reading ------------------------------------------------------------------------------- */

static MDB_txn *pool_take(struct hf__read_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    MDB_txn *txn = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
    pthread_mutex_unlock(&pool->mutex);
    return txn;
}

/* Puts a reset transaction back, or ends it when enough wait. */
static void pool_give(struct hf__store *store, MDB_txn *txn)
{
    struct hf__read_pool *pool = &store->readers;
    bool is_kept = false;
    pthread_mutex_lock(&pool->mutex);
    if (pool->idle_count < pool->idle_capacity ||
        (pool->idle_capacity < IDLE_READERS_MAX &&
         hf_heap_grow(store->heap, (void **)&pool->idle, &pool->idle_capacity,
                      sizeof(MDB_txn *)))) {
        pool->idle[pool->idle_count++] = txn;
        is_kept = true;
    }
    pthread_mutex_unlock(&pool->mutex);
    if (!is_kept) mdb_txn_abort(txn);
}

/* Begins or renews a read transaction; the code is LMDB's. */
static int reader_txn(struct hf__store *store, MDB_txn **out_txn)
{
    int code = store_fault(store, HF_FAULT_TXN_BEGIN);
    if (code != 0) return code;
    MDB_txn *txn = pool_take(&store->readers);
    if (txn) {
        code = mdb_txn_renew(txn);
        if (code != 0) mdb_txn_abort(txn);
    } else {
        code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    }
    if (code == 0) *out_txn = txn;
    return code;
}

hf_status hf__reader_begin(struct hf__store *store, struct hf_arena *arena,
                           struct hf__reader *out_reader, hf_error *error)
{
    MDB_txn *txn = NULL;
    int code = MDB_MAP_RESIZED;
    bool is_checked = false;
    hf_status status = hf__store_check(store, error);
    for (int i = 0; status == HF_OK && i < RESIZES_MAX; i++) {
        env_lock_shared(store);
        if (!store->env) {
            env_unlock(store);
            return failed_for_ever(error);
        }
        code = reader_txn(store, &txn);
        if (code == 0) break;
        if (code == MDB_READERS_FULL && !is_checked) {
            mdb_reader_check(store->env, NULL);
            is_checked = true;
            code = MDB_MAP_RESIZED;
            env_unlock(store);
            continue;
        }
        env_unlock(store);
        if (code != MDB_MAP_RESIZED) break;
        status = env_resize(store, error);
    }
    if (status != HF_OK) return status;
    if (code == MDB_READERS_FULL) {
        return hf_error_system(error, HF_BUSY, code, "too many readers of the store");
    }
    if (code != 0) return hf_table_error(code, "beginning to read", error);
    *out_reader = (struct hf__reader){
        .store = store,
        .txn = txn,
        .tables = { .txn = txn, .dbis = store->dbis, .seams = store->seams, .arena = arena },
    };
    return HF_OK;
}

void hf__reader_end(struct hf__reader *reader)
{
    struct hf__store *store = reader->store;
    hf_assert(reader->txn);
    mdb_txn_reset(reader->txn);
    pool_give(store, reader->txn);
    env_unlock(store);
    *reader = (struct hf__reader){ 0 };
}

/* ---- growing ------------------------------------------------------------------------------- */

/* Whether the file system has room for twice so much: the rest is LMDB's and others'. */
static int room_check(int descriptor, uint64_t size)
{
    struct statvfs found;
    if (fstatvfs(descriptor, &found) != 0) return errno;
    return found.f_bavail / 2 >= size / found.f_frsize ? 0 : ENOSPC;
}

/* Writes zeros from `size` to `end` of the data file; what fails halfway is given back. Nobody else
 * changes the size meanwhile, so that nothing is cut off but these zeros. */
static int zeros_write(int descriptor, uint64_t size, uint64_t end)
{
    static const char zeros[ZEROS_SIZE];
    uint64_t place = size;
    while (place < end) {
        size_t piece = end - place < ZEROS_SIZE ? (size_t)(end - place) : ZEROS_SIZE;
        ssize_t written = pwrite(descriptor, zeros, piece, (off_t)place);
        if (written <= 0) {
            int code = written < 0 ? errno : ENOSPC;
            return ftruncate(descriptor, (off_t)size) == 0 ? code : errno;
        }
        place += (uint64_t)written;
    }
    return 0;
}

/* A step that failed is told once, and not tried again for a while: each try costs its writing. */
static void preallocate_rest(struct hf__store *store, int code)
{
    bool is_news = store->preallocate_after == 0;
    store->preallocate_after = code ? store->groups_count + PREALLOCATE_REST_GROUPS : 0;
    if (code && is_news) hf__store_log(store, HF_LOG_WARN, "store.preallocate", mdb_strerror(code));
}

/* Lets the data file grow by whole steps while a group might write behind its end. */
static void preallocate(struct hf__write *write, const MDB_envinfo *info, uint64_t page_size)
{
    struct hf__store *store = write->store;
    uint64_t step = store->options.preallocate_size;
    int descriptor = -1;
    struct stat found;
    if (step <= 1 || store->groups_count < store->preallocate_after) return;
    if (mdb_env_get_fd(store->env, &descriptor) != 0) return;
    if (fstat(descriptor, &found) != 0) return;
    uint64_t size = (uint64_t)found.st_size;
    uint64_t wanted = ((uint64_t)info->me_last_pgno + 1) * page_size +
                      (step < GROUP_SIZE_MAX ? step : GROUP_SIZE_MAX);
    if (wanted <= size) return;
    uint64_t end = (wanted + step - 1) / step * step;
    if (end > info->me_mapsize) end = info->me_mapsize;
    int code = store_fault(store, HF_FAULT_PREALLOCATE);
    if (code == 0) code = room_check(descriptor, end - size);
    if (code == 0) code = zeros_write(descriptor, size, end);
    preallocate_rest(store, code);
}

/* Pages that LMDB can use again, as its free list tells. LMDB shows that list to readers alone;
 * this one sees the very state that the write transaction begins with. */
static int free_pages_count(MDB_env *env, uint64_t *out_count)
{
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    size_t entry_count = 0;
    *out_count = 0;
    int code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (code != 0) return code;
    code = mdb_cursor_open(txn, 0, &cursor);
    if (code == 0) code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0) {
        if (value.mv_size >= sizeof entry_count) {
            memcpy(&entry_count, value.mv_data, sizeof entry_count);
            *out_count += entry_count;
        }
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (cursor) mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return code == MDB_NOTFOUND ? 0 : code;
}

/* Whether the map has only its reserve left. */
static int map_look(struct hf__write *write, const MDB_envinfo *info, uint64_t page_size)
{
    uint64_t size = info->me_mapsize;
    uint64_t reserve = size / RESERVE_PART;
    uint64_t used = ((uint64_t)info->me_last_pgno + 1) * page_size;
    uint64_t free_count = 0;
    if (reserve > RESERVE_SIZE_MAX) reserve = RESERVE_SIZE_MAX;
    if (used + reserve <= size) return 0;
    int code = free_pages_count(write->store->env, &free_count);
    uint64_t free_size = free_count * page_size;
    write->is_tight = (free_size < used ? used - free_size : 0) + reserve > size;
    return code;
}

static int write_prepare(struct hf__write *write)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct hf__store *store = write->store;
    int code = mdb_env_info(store->env, &info);
    if (code == 0) code = mdb_env_stat(store->env, &stat);
    if (code != 0) return code;
    if (store->groups_count % READER_CHECK_GROUPS == 0) mdb_reader_check(store->env, NULL);
    preallocate(write, &info, stat.ms_psize);
    return map_look(write, &info, stat.ms_psize);
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Begins LMDB's transaction with env_lock held shared; on HF_OK it stays held. */
static hf_status write_txn(struct hf__write *write, hf_error *error)
{
    struct hf__store *store = write->store;
    int code = MDB_MAP_RESIZED;
    hf_status status = HF_OK;
    for (int i = 0; code == MDB_MAP_RESIZED && i < RESIZES_MAX; i++) {
        env_lock_shared(store);
        if (!store->env) {
            env_unlock(store);
            return failed_for_ever(error);
        }
        code = store_fault(store, HF_FAULT_TXN_BEGIN);
        if (code == 0) code = mdb_txn_begin(store->env, NULL, 0, &write->txn);
        if (code == 0) break;
        env_unlock(store);
        if (code == MDB_MAP_RESIZED) status = env_resize(store, error);
        if (status != HF_OK) return status;
    }
    return code == 0 ? HF_OK : hf_table_error(code, "beginning to write", error);
}

hf_status hf__write_begin(struct hf__store *store, uint64_t registration,
                          struct hf__write *out_write, hf_error *error)
{
    const hf_clock *clock = store->seams->clock;
    hf_assert(!store->options.read_only);
    hf_status status = hf__writer_acquire(store, registration, error);
    if (status != HF_OK) return status;
    struct hf__write *write = out_write;
    *write = (struct hf__write){ .store = store };
    status = write_txn(write, error);
    if (status != HF_OK) {
        hf__writer_release(store);
        return status;
    }
    hf_arena_init(&write->arena, store->heap);
    write->tables = (struct hf_tables){
        .txn = write->txn, .dbis = store->dbis, .seams = store->seams, .arena = &write->arena
    };
    write->now_boot_ms = clock->boot_ms(clock->self);
    write->now_wall_unix_ms = clock->wall_unix_ms(clock->self);
    write->may_expire = !hf__writer_in_grace(store, write->now_boot_ms);
    int code = write_prepare(write);
    if (code == 0) return HF_OK;
    hf__write_abort(write);
    return hf_table_error(code, "preparing to write", error);
}

hf_status hf__write_load(struct hf__write *write, hf_error *error)
{
    hf_status status = hf__identity_recheck(write, error);
    if (status == HF_OK) {
        status = hf_meta_get_number(&write->tables, HF__META_NEXT_LSN, &write->next_lsn, error);
    }
    if (status == HF_NOT_FOUND || (status == HF_OK && hf_lsn_counter(write->next_lsn) == 0)) {
        return hf_error_corrupt(error, 0, "the store does not know its next LSN: rebuild it");
    }
    write->first_lsn = write->next_lsn;
    return status;
}

/* Ends what hf__write_begin took, but for the transaction itself. */
static void write_end(struct hf__write *write)
{
    struct hf__store *store = write->store;
    hf_arena_release(&write->arena);
    env_unlock(store);
    hf__writer_release(store);
    write->txn = NULL;
}

hf_status hf__write_commit(struct hf__write *write, hf_error *error)
{
    struct hf__store *store = write->store;
    hf_assert(write->txn);
    if (write->next_lsn != write->first_lsn) {
        hf_status status = hf_meta_put_number(&write->tables, HF__META_NEXT_LSN, write->next_lsn,
                                              error);
        if (status != HF_OK) {
            hf__write_abort(write);
            return status;
        }
    }
    int code = store_fault(store, HF_FAULT_COMMIT_BEFORE);
    if (code != 0) {
        mdb_txn_abort(write->txn);
    } else {
        code = mdb_txn_commit(write->txn);
        if (code == 0) code = store_fault(store, HF_FAULT_COMMIT_AFTER);
    }
    code = hf__env_write_code(store, code);
    write->is_in_doubt = code != 0;
    write_end(write);
    return code == 0 ? HF_OK : hf_table_error(code, "committing", error);
}

void hf__write_abort(struct hf__write *write)
{
    hf_assert(write->txn);
    mdb_txn_abort(write->txn);
    write_end(write);
}

struct hf__step hf__write_step(struct hf__write *write, hf_error *error)
{
    hf_assert(write->txn && error);
    return (struct hf__step){
        .store = write->store,
        .tables = &write->tables,
        .arena = &write->arena,
        .error = error,
        .generation = hf_lsn_generation(write->next_lsn),
        .now_boot_ms = write->now_boot_ms,
        .now_wall_unix_ms = write->now_wall_unix_ms,
        .may_expire = write->may_expire,
        .next_lsn = write->next_lsn,
    };
}
