/* The environment: opened by descriptor, closed, opened again. It reads and writes no row.
 *
 * Laws:
 *  1. LMDB is given "/proc/self/fd/N" of the verified directory, so it opens what was examined.
 *  2. Whoever has a transaction open holds env_lock shared; only its lone holder closes, opens or
 *     resizes the environment. So none of these ever happens under a transaction.
 *  3. Rules for LMDB 0.9.24: MDB_NOTLS, no MDB_WRITEMAP, HF__READERS_MAX by every opener. */
#include "logstore/env.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "logstore/place.h"

enum {
    HF__READERS_MAX = 1024,
    TABLES_SPARE = 5,
    ROOM_SIZE_MIN = 64 * 1024 /* with less left on the disk, a write came short for want of it */
};

int hf__env_write_code(const struct hf__store *store, int code)
{
    struct statvfs found;
    if (code != EIO || fstatvfs(store->place.directory, &found) != 0) return code;
    return found.f_bavail < ROOM_SIZE_MIN / found.f_frsize ? ENOSPC : code;
}

static unsigned env_flags(const struct hf__store *store)
{
    unsigned flags = MDB_NOTLS;
    if (store->options.durability == HF_DURABLE_NO_META_SYNC) flags |= MDB_NOMETASYNC;
    if (store->options.durability == HF_DURABLE_NONE) flags |= MDB_NOSYNC;
    if (store->options.read_only) flags |= MDB_RDONLY;
    return flags;
}

static hf_status env_open_error(const struct hf__store *store, int code, hf_error *error)
{
    switch (code) {
    case MDB_INVALID: return hf__place_foreign(store->place.directory, code, error);
    case MDB_VERSION_MISMATCH:
        return hf_error_system(error, HF_FORMAT_NEWER, code,
                               "%s or %s is of another version of LMDB than %s", HF__DATA_NAME,
                               HF__LOCK_NAME, MDB_VERSION_STRING);
    case ENOMEM:
        return hf_error_system(error, HF_NO_MEMORY, code,
                               "no room for a map of %llu bytes: lower map_size_max",
                               (unsigned long long)store->options.map_size_max);
    case ENOENT:
        return hf_error_system(error, HF_NOT_A_STORE, code,
                               "it holds no store: name the directory of one");
    default: return hf_table_error(code, "opening the data file", error);
    }
}

static int env_configure(struct hf__store *store, MDB_env *env)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", store->place.directory);
    int code = mdb_env_set_maxdbs(env, HF_TABLE_COUNT + TABLES_SPARE);
    if (code == 0) code = mdb_env_set_maxreaders(env, HF__READERS_MAX);
    if (code == 0) code = mdb_env_set_mapsize(env, (size_t)store->options.map_size_max);
    if (code == 0) code = mdb_env_open(env, path, env_flags(store), 0600);
    return code;
}

hf_status hf__env_open(struct hf__store *store, hf_error *error)
{
    MDB_env *env = NULL;
    struct stat found;
    int descriptor = -1;
    hf_assert(!store->env);
    int code = mdb_env_create(&env);
    if (code == 0) code = env_configure(store, env);
    if (code == 0) code = mdb_env_get_fd(env, &descriptor);
    if (code == 0 && fstat(descriptor, &found) != 0) code = errno;
    if (code != 0) {
        if (env) mdb_env_close(env);
        return env_open_error(store, hf__env_write_code(store, code), error);
    }
    store->place.data_device = (uint64_t)found.st_dev;
    store->place.data_inode = (uint64_t)found.st_ino;
    store->env = env;
    return HF_OK;
}

hf_status hf__env_open_tables(struct hf__store *store, hf_error *error)
{
    MDB_txn *txn = NULL;
    hf_assert(store->env);
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (code != 0) return hf_table_error(code, "beginning to read", error);
    hf_status status = hf_tables_open(txn, false, store->dbis, error);
    if (status != HF_OK) {
        mdb_txn_abort(txn);
        return status;
    }
    /* The handles of a read transaction are the environment's only after its commit. */
    code = mdb_txn_commit(txn);
    return code == 0 ? HF_OK : hf_table_error(code, "opening the tables", error);
}

void hf__env_close(struct hf__store *store)
{
    struct hf__read_pool *pool = &store->readers;
    for (size_t i = 0; i < pool->idle_count; i++) mdb_txn_abort(pool->idle[i]);
    pool->idle_count = 0;
    if (store->env) mdb_env_close(store->env);
    store->env = NULL;
}

static hf_status env_reopen_alone(struct hf__store *store, hf_error *error)
{
    uint64_t device = store->place.data_device;
    uint64_t inode = store->place.data_inode;
    hf__env_close(store);
    hf_status status = hf__place_examine(&store->place, true, error);
    if (status == HF_OK) status = hf__env_open(store, error);
    if (status != HF_OK) return status;
    if (store->place.data_device != device || store->place.data_inode != inode) {
        return hf_error_set(error, HF_IO, "another data file has taken the place of ours");
    }
    status = hf__env_open_tables(store, error);
    if (status != HF_OK || store->options.durability == HF_DURABLE_NONE) return status;
    int code = hf__env_write_code(store, mdb_env_sync(store->env, 1));
    return code == 0 ? HF_OK : hf_table_error(code, "syncing the data file", error);
}

void hf__env_fail(struct hf__store *store)
{
    int failed = pthread_rwlock_wrlock(&store->env_lock);
    hf_assert(failed == 0);
    hf__env_close(store);
    pthread_rwlock_unlock(&store->env_lock);
}

hf_status hf__env_reopen(struct hf__store *store, hf_error *error)
{
    hf_error cause = { 0 };
    hf_assert(!store->options.read_only);
    int failed = pthread_rwlock_wrlock(&store->env_lock);
    hf_assert(failed == 0);
    hf_status status = env_reopen_alone(store, &cause);
    if (status != HF_OK) hf__env_close(store);
    pthread_rwlock_unlock(&store->env_lock);
    if (status == HF_OK) return HF_OK;
    return hf_error_system(error, HF_STORE_FAILED, cause.system_error,
                           "a commit failed, and so did opening the store again: %s",
                           cause.message);
}
