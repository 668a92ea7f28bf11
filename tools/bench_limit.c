/* The limit beside which the benchmarks stand: what LMDB itself does on this disk, in this minute.
 * A durable commit for each put is the limit of a chain of dependent steps; many puts a commit is
 * that of independent work. */
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/base/bytes.h"
#include "tools/bench.h"

double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Commits `puts` small puts under rising keys. */
static int commit_once(MDB_env *environment, unsigned puts, uint64_t *key)
{
    enum { VALUE_SIZE = 100 };
    MDB_txn *txn = NULL;
    MDB_dbi table = 0;
    unsigned char key_bytes[8], value_bytes[VALUE_SIZE] = { 0 };
    int failed = mdb_txn_begin(environment, NULL, 0, &txn);
    if (failed) return failed;
    failed = mdb_dbi_open(txn, NULL, 0, &table);
    for (unsigned i = 0; i < puts && !failed; i++) {
        hf_put_be64(key_bytes, ++*key);
        MDB_val key_value = { sizeof key_bytes, key_bytes };
        MDB_val value = { sizeof value_bytes, value_bytes };
        failed = mdb_put(txn, table, &key_value, &value, MDB_APPEND);
    }
    if (!failed) return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return failed;
}

double bench_lmdb_puts_per_second(const char *directory, unsigned puts)
{
    const double seconds = 0.5;
    MDB_env *environment = NULL;
    uint64_t key = 0;
    int failed = mdb_env_create(&environment);
    if (!failed) failed = mdb_env_set_mapsize(environment, (size_t)1 << 30);
    if (!failed) failed = mdb_env_open(environment, directory, 0, 0600);
    double start = bench_now();
    while (!failed && bench_now() - start < seconds) failed = commit_once(environment, puts, &key);
    double spent = bench_now() - start;
    if (environment) mdb_env_close(environment);
    if (failed) fprintf(stderr, "bench: LMDB in %s: %s\n", directory, mdb_strerror(failed));
    return failed ? 0 : (double)key / spent;
}
