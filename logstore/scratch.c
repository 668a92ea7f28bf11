/* The scratch environment. Its directory and file are removed as soon as it is open, so nothing is
 * left behind however verify ends; it has no lock file, since nobody else can open it. */
#include "logstore/scratch.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/apply.h"

enum { PATH_SIZE = 512, COMMIT_RECORDS = 4096 };

/* "$TMPDIR/holdfast-verify-XXXXXX", made. */
static hf_status scratch_directory(char path[PATH_SIZE], hf_error *error)
{
    const char *parent = getenv("TMPDIR");
    if (!parent || parent[0] != '/') parent = "/tmp";
    int size = snprintf(path, PATH_SIZE, "%s/holdfast-verify-%s", parent, "XXXXXX");
    if (size < 0 || size >= PATH_SIZE) {
        return hf_error_set(error, HF_INVALID, "TMPDIR is too long");
    }
    if (mkdtemp(path)) return HF_OK;
    return hf_table_error(errno, "making a directory for the scratch file", error);
}

static int scratch_configure(MDB_env *env, const char *path, uint64_t map_size)
{
    const unsigned flags = MDB_NOSYNC | MDB_NOLOCK | MDB_NOTLS;
    int code = mdb_env_set_maxdbs(env, HF_TABLE_COUNT);
    if (code == 0) code = mdb_env_set_mapsize(env, (size_t)map_size);
    if (code == 0) code = mdb_env_open(env, path, flags, 0600);
    return code;
}

static hf_status scratch_begin(struct hf__scratch *scratch, hf_error *error)
{
    int code = mdb_txn_begin(scratch->env, NULL, 0, &scratch->txn);
    if (code != 0) return hf_table_error(code, "beginning in the scratch file", error);
    scratch->tables.txn = scratch->txn;
    scratch->records_count = 0;
    return HF_OK;
}

hf_status hf__scratch_open(struct hf__scratch *scratch, uint64_t map_size, struct hf_arena *arena,
                           hf_error *error)
{
    char path[PATH_SIZE];
    char file[PATH_SIZE + sizeof "/data.mdb"];
    *scratch = (struct hf__scratch){ 0 };
    scratch->tables = (struct hf_tables){ .dbis = scratch->dbis, .arena = arena };
    hf_status status = scratch_directory(path, error);
    if (status != HF_OK) return status;
    snprintf(file, sizeof file, "%s/data.mdb", path);
    int code = mdb_env_create(&scratch->env);
    if (code == 0) code = scratch_configure(scratch->env, path, map_size);
    unlink(file);
    rmdir(path);
    if (code != 0) status = hf_table_error(code, "making the scratch file", error);
    if (status == HF_OK) status = scratch_begin(scratch, error);
    if (status == HF_OK) status = hf_tables_open(scratch->txn, true, scratch->dbis, error);
    if (status != HF_OK) hf__scratch_close(scratch);
    return status;
}

hf_status hf__scratch_fold(struct hf__scratch *scratch, const struct hf_log_record *record,
                           hf_error *error)
{
    hf_assert(scratch->txn);
    struct hf_fold_record fold = { .lsn = record->lsn,
                                   .kind = record->kind,
                                   .wall_unix_ms = record->wall_unix_ms,
                                   .body = record->body };
    hf_status status = hf_apply(&scratch->tables, &fold, error);
    if (status != HF_OK || ++scratch->records_count < COMMIT_RECORDS) return status;
    /* What one transaction has written stays in memory until its commit. */
    int code = mdb_txn_commit(scratch->txn);
    scratch->txn = NULL;
    if (code != 0) return hf_table_error(code, "committing in the scratch file", error);
    return scratch_begin(scratch, error);
}

void hf__scratch_close(struct hf__scratch *scratch)
{
    if (scratch->txn) mdb_txn_abort(scratch->txn);
    if (scratch->env) mdb_env_close(scratch->env);
    *scratch = (struct hf__scratch){ 0 };
}
