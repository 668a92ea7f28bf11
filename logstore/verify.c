/* Proving a store: the log by its checksums, the indexes by folding the log once more.
 *
 *   walk the log --record--> what it owes to those behind it; fold into the scratch file
 *                --damage--> tell of it; fold no further
 *   then, if the log was whole: compare each hard table, both ways; the laws of the indexes
 *
 * The one place where hard rows depend on soft ones is turns_due: the row of a turn that is locked
 * is taken out. The scratch file has no locks; so a row that only it has is right when the store
 * has a lock of that instance. */
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "indexes/audit.h"
#include "indexes/law.h"
#include "indexes/rows.h"
#include "logstore/follow.h"
#include "logstore/identity.h"
#include "logstore/scan.h"
#include "logstore/scratch.h"

/* A verify under way. */
struct verify {
    struct hf_tables *tables; /* of the store */
    struct hf__scratch *scratch;
    struct hf__follow follow;
    struct hf_verify_summary *summary;
    hf_error *error;
    void *self;
    hf_verify_report_fn report;
    bool is_folding; /* no damage yet */
};

static void finding_tell(struct verify *verify, const struct hf_verify_finding *finding)
{
    hf_assert(finding->law[0] != '\0');
    verify->summary->findings++;
    if (verify->report) verify->report(verify->self, finding);
}

/* A law that the walk, the fold or the audit found broken. */
static void damage_tell(struct verify *verify, uint64_t lsn, const hf_error *damage)
{
    hf_assert(damage->status == HF_CORRUPT);
    finding_tell(verify, &(struct hf_verify_finding){
                             .law = damage->code, .lsn = lsn, .message = damage->message });
}

/* ---- the log ------------------------------------------------------------------------------- */

/* What the records before owe to this one. Bytes that are none are told by the fold. */
static hf_status verify_follow(struct verify *verify, const struct hf_log_record *record)
{
    hf_error error = { 0 };
    hf_status status = hf__follow_record(&verify->follow, &verify->scratch->tables, record, &error);
    if (status == HF_CORRUPT) {
        if (error.lsn != 0) damage_tell(verify, error.lsn, &error);
        return HF_OK;
    }
    if (status != HF_OK && verify->error) *verify->error = error;
    return status;
}

static hf_status verify_visit(void *self, const struct hf_log_visit *visit)
{
    struct verify *verify = self;
    hf_error error = { 0 };
    if (visit->damage) {
        verify->is_folding = false;
        damage_tell(verify, visit->damage->lsn, visit->damage);
        return HF_OK;
    }
    verify->summary->records++;
    if (!verify->is_folding) return HF_OK;
    hf_status status = verify_follow(verify, &visit->record);
    if (status != HF_OK) return status;
    status = hf__scratch_fold(verify->scratch, &visit->record, &error);
    if (status == HF_CORRUPT) {
        verify->is_folding = false;
        damage_tell(verify, visit->record.lsn, &error);
        return HF_OK;
    }
    if (status != HF_OK && verify->error) *verify->error = error;
    return status;
}

/* ---- the tables ---------------------------------------------------------------------------- */

/* One table, here and in the scratch file. */
struct comparison {
    enum hf_table table;
    struct hf_table_cursor stored, folded;
    struct hf_table_row stored_row, folded_row;
    hf_status stored_status, folded_status; /* HF_NOT_FOUND: at the end */
};

/* A row that is not as the fold makes it. */
static void row_tell(struct verify *verify, enum hf_law law, const struct hf_verify_finding *row)
{
    struct hf_verify_finding finding = *row;
    finding.law = hf_law_code(law);
    finding_tell(verify, &finding);
}

/* Whether a row that only the fold has is that of a locked turn. */
static hf_status is_locked_turn(struct verify *verify, const struct comparison *pair,
                                bool *out_locked)
{
    struct hf_turn_due due;
    hf_slice lock;
    *out_locked = false;
    if (pair->table != HF_TABLE_TURNS_DUE) return HF_OK;
    if (!hf_key_read_turn_due(pair->folded_row.key, &due)) return HF_OK;
    struct hf_key key = hf_key_number(due.instance);
    hf_status status = hf_table_get(verify->tables, HF_TABLE_TURN_LOCKS, hf_key_slice(&key), &lock,
                                    verify->error);
    *out_locked = status == HF_OK;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* Rows of meta that the fold makes; the others are the log's. */
static bool is_folded_row(const struct comparison *pair, hf_slice key)
{
    if (pair->table != HF_TABLE_META) return true;
    return hf_slice_equal(key, hf_text("next_instance")) ||
           hf_slice_equal(key, hf_text("next_tag"));
}

static int pair_order(const struct comparison *pair)
{
    if (pair->stored_status == HF_NOT_FOUND) return 1;
    if (pair->folded_status == HF_NOT_FOUND) return -1;
    return hf_slice_compare(pair->stored_row.key, pair->folded_row.key);
}

/* Judges the rows where the pair stands: order < 0: only the store has it, > 0: only the fold. */
static hf_status pair_judge(struct verify *verify, const struct comparison *pair, int order)
{
    bool is_locked = false;
    hf_slice key = order <= 0 ? pair->stored_row.key : pair->folded_row.key;
    struct hf_verify_finding found = { .table = hf_table_name(pair->table), .key = key };
    if (!is_folded_row(pair, key)) return HF_OK;
    if (order < 0) {
        found.message = "the log does not make this row";
        row_tell(verify, HF_LAW_X2, &found);
    }
    if (order == 0 && !hf_slice_equal(pair->stored_row.value, pair->folded_row.value)) {
        found.message = "the log makes another row";
        row_tell(verify, HF_LAW_X1, &found);
    }
    if (order <= 0) return HF_OK;
    hf_status status = is_locked_turn(verify, pair, &is_locked);
    if (status == HF_OK && !is_locked) {
        found.message = "a row that the log makes is missing";
        row_tell(verify, HF_LAW_X2, &found);
    }
    return status;
}

static hf_status pair_walk(struct verify *verify, struct comparison *pair)
{
    hf_error *error = verify->error;
    pair->stored_status = hf_table_cursor_seek(&pair->stored, (hf_slice)HF_EMPTY, &pair->stored_row,
                                               error);
    pair->folded_status = hf_table_cursor_seek(&pair->folded, (hf_slice)HF_EMPTY, &pair->folded_row,
                                               error);
    for (;;) {
        hf_status stored = pair->stored_status;
        hf_status folded = pair->folded_status;
        if (stored != HF_OK && stored != HF_NOT_FOUND) return stored;
        if (folded != HF_OK && folded != HF_NOT_FOUND) return folded;
        if (stored == HF_NOT_FOUND && folded == HF_NOT_FOUND) return HF_OK;
        int order = pair_order(pair);
        hf_status status = pair_judge(verify, pair, order);
        if (status != HF_OK) return status;
        if (order <= 0) {
            pair->stored_status = hf_table_cursor_next(&pair->stored, &pair->stored_row, error);
        }
        if (order >= 0) {
            pair->folded_status = hf_table_cursor_next(&pair->folded, &pair->folded_row, error);
        }
    }
}

static hf_status table_compare(struct verify *verify, enum hf_table table)
{
    struct comparison pair = { .table = table };
    hf_status status = hf_table_cursor_init(&pair.stored, verify->tables, table, verify->error);
    if (status == HF_OK) {
        status = hf_table_cursor_init(&pair.folded, &verify->scratch->tables, table, verify->error);
    }
    if (status == HF_OK) status = pair_walk(verify, &pair);
    hf_table_cursor_release(&pair.stored);
    hf_table_cursor_release(&pair.folded);
    return status;
}

static hf_status tables_compare(struct verify *verify)
{
    hf_status status = HF_OK;
    for (enum hf_table table = 0; status == HF_OK && table < HF_TABLE_COUNT; table++) {
        enum hf_table_class table_class = hf_table_class(table);
        if (table_class != HF_TABLE_CLASS_HARD && table_class != HF_TABLE_CLASS_META) continue;
        status = table_compare(verify, table);
    }
    return status;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static hf_status laws_check(struct verify *verify)
{
    hf_error error = { 0 };
    hf_arena_reset(verify->tables->arena);
    hf_status status = hf_audit_indexes(verify->tables, &error);
    if (status == HF_CORRUPT) {
        damage_tell(verify, error.lsn, &error);
        return HF_OK;
    }
    if (status != HF_OK && verify->error) *verify->error = error;
    return status;
}

static hf_status verify_log(struct verify *verify, const struct hf_store_id *id)
{
    struct hf__log_range range = { .tables = verify->tables, .id = id };
    hf_status status = hf_meta_get_number(verify->tables, HF__META_NEXT_LSN, &range.end_lsn,
                                          verify->error);
    if (status == HF_NOT_FOUND) {
        row_tell(verify, HF_LAW_L1,
                 &(struct hf_verify_finding){ .table = hf_table_name(HF_TABLE_META),
                                              .key = hf_text(HF__META_NEXT_LSN),
                                              .message = "the row is missing" });
        status = HF_OK;
    }
    if (status != HF_OK) return status;
    return hf__log_walk(&range, verify->error, verify, verify_visit);
}

static hf_status verify_tables(struct verify *verify, const struct hf_store_id *id)
{
    hf_status status = verify_log(verify, id);
    hf_error owed = { 0 };
    if (status == HF_OK && verify->is_folding && hf__follow_end(&verify->follow, &owed) != HF_OK) {
        damage_tell(verify, owed.lsn, &owed);
    }
    if (status == HF_OK) {
        status = hf_table_count(verify->tables, HF_TABLE_INSTANCES, &verify->summary->instances,
                                verify->error);
    }
    if (status == HF_OK && verify->is_folding) status = tables_compare(verify);
    if (status == HF_OK) status = laws_check(verify);
    return status;
}

/* A table that cannot be read ends the proof; that it cannot is what verify was asked for. */
static hf_status verify_run(struct verify *verify, const struct hf_store_id *id)
{
    hf_error *error = verify->error;
    hf_error damage = { 0 };
    verify->error = &damage;
    hf_status status = verify_tables(verify, id);
    if (status == HF_CORRUPT) {
        damage_tell(verify, damage.lsn, &damage);
        return HF_OK;
    }
    if (status != HF_OK && error) *error = damage;
    return status;
}

hf_status hf_store_verify(struct hf_backend *backend, struct hf_verify_summary *out_summary,
                          hf_error *error, void *self, hf_verify_report_fn report)
{
    struct hf__store *store = hf__store_of(backend);
    struct hf__reader reader;
    struct hf__scratch scratch = { 0 };
    struct hf_arena arena, scratch_arena;
    struct hf_verify_summary summary = { 0 };
    struct verify verify = { .scratch = &scratch,
                             .summary = &summary,
                             .error = error,
                             .self = self,
                             .report = report,
                             .is_folding = true };
    hf_arena_init(&arena, store->heap);
    hf_arena_init(&scratch_arena, store->heap);
    hf_status status = hf__reader_begin(store, &arena, &reader, error);
    if (status == HF_OK) {
        verify.tables = &reader.tables;
        hf__follow_init(&verify.follow, store->heap);
        status = hf__scratch_open(&scratch, store->options.map_size_max, &scratch_arena, error);
        if (status == HF_OK) status = verify_run(&verify, &store->identity.id);
        hf__scratch_close(&scratch);
        hf__follow_release(&verify.follow);
        hf__reader_end(&reader);
    }
    hf_arena_release(&scratch_arena);
    hf_arena_release(&arena);
    if (status != HF_OK) return status;
    summary.ok = summary.findings == 0;
    *out_summary = summary;
    return HF_OK;
}
