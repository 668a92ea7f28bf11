/* Making the indexes anew: every table but the log is emptied, and the log is folded again, by the
 * same hf_apply on the same bytes.
 *
 * It is one write transaction, however long the log: readers see the old indexes or the new ones, a
 * crash leaves the old ones, and no other process can append meanwhile. LMDB spills what does not
 * fit into memory. Locks and leases are gone afterwards: turns in progress are handed out again. */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/apply.h"
#include "logstore/backend.h"
#include "logstore/env.h"
#include "logstore/identity.h"
#include "logstore/scan.h"

/* A rebuild under way. */
struct rebuild {
    struct hf__write *write;
    hf_error *error;
    uint64_t last_lsn;
};

/* The tables that the fold makes, and the soft ones; `writers` answers for commits, not for work.
 */
static hf_status tables_empty(struct hf_tables *tables, hf_error *error)
{
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        enum hf_table_class table_class = hf_table_class(table);
        bool is_made = table_class == HF_TABLE_CLASS_HARD || table_class == HF_TABLE_CLASS_SOFT;
        if (!is_made || table == HF_TABLE_WRITERS) continue;
        hf_status status = hf_table_empty(tables, table, error);
        if (status != HF_OK) return status;
    }
    static const char *const folded_rows[] = { "next_instance", "next_tag" };
    for (size_t i = 0; i < HF_COUNT_OF(folded_rows); i++) {
        hf_status status = hf_table_delete(tables, HF_TABLE_META, hf_text(folded_rows[i]), error);
        if (status != HF_OK && status != HF_NOT_FOUND) return status;
    }
    return HF_OK;
}

/* Folds one record; the first damage ends the rebuild. */
static hf_status rebuild_visit(void *self, const struct hf_log_visit *visit)
{
    struct rebuild *rebuild = self;
    if (visit->damage) {
        if (rebuild->error) *rebuild->error = *visit->damage;
        return HF_CORRUPT;
    }
    hf_assert(visit->record.lsn > rebuild->last_lsn);
    rebuild->last_lsn = visit->record.lsn;
    struct hf_fold_record fold = { .lsn = visit->record.lsn,
                                   .kind = visit->record.kind,
                                   .wall_unix_ms = visit->record.wall_unix_ms,
                                   .body = visit->record.body };
    return hf_apply(&rebuild->write->tables, &fold, rebuild->error);
}

static hf_status rebuild_write(struct hf__write *write, hf_error *error)
{
    struct rebuild rebuild = { write, error, 0 };
    struct hf__store *store = write->store;
    struct hf__log_range range = { .tables = &write->tables,
                                   .id = &store->identity.id,
                                   .end_lsn = write->next_lsn };
    hf_status status = tables_empty(&write->tables, error);
    if (status == HF_OK) status = hf__log_walk(&range, error, &rebuild, rebuild_visit);
    if (status == HF_OK && rebuild.last_lsn + 1 != write->next_lsn) {
        return hf_error_corrupt(error, write->next_lsn, "the log does not end where it should");
    }
    if (status != HF_OK) return status;
    return hf_meta_put_number(&write->tables, HF__META_FOLD_VERSION, HF_FOLD_VERSION, error);
}

hf_status hf_store_rebuild(const char *directory, const struct hf_seams *seams, hf_error *error)
{
    struct hf__write write;
    struct hf__store *store = NULL;
    /* No zeros are written ahead: a damaged file is left as it is. */
    struct hf_backend_options options = { .must_exist = true,
                                          .preallocate_size = 1,
                                          .seams = seams };
    hf_status status = hf__store_open(directory, &options, true, &store, error);
    if (status != HF_OK) return status;
    status = hf__write_begin(store, 0, &write, error);
    if (status == HF_OK) {
        status = hf__write_load(&write, error);
        if (status == HF_OK) status = rebuild_write(&write, error);
        if (status == HF_OK) {
            status = hf__write_commit(&write, error);
        } else {
            hf__write_abort(&write);
        }
    }
    hf__store_close(store);
    return status;
}
