/* The fold's entry: decodes a record and hands it to its kind. What a kind does stands in
 * apply_<subject>.c, and how a row and all that points to it are kept in step in fold_<subject>.c.
 *
 * Laws
 *  1. Hard rows are a function of the records, in the order of their LSNs. No clock, no chance, no
 * soft row.
 *  2. A record proves itself against the rows before it is believed: a misfit is HF_CORRUPT with
 * its LSN.
 *  3. One record moves at most HF_PURGE_MAX rows that it does not name itself; what is left is
 * marked in reclaim. */
#include "indexes/apply.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/base/assert.h"
#include "indexes/fold.h"

/* ---- telling what does not fit -------------------------------------------------------------- */

hf_status hf__fold_misfit(struct hf__fold *fold, enum hf_law law, const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    const struct hf_layout *layout = hf_record_layout((enum hf_record_kind)fold->record->kind);
    (void)hf_error_corrupt(fold->error, fold->record->lsn,
                           "record %" PRIu64 " (%s) does not fit the store: %s", fold->record->lsn,
                           layout ? layout->name : "unknown", what);
    return hf_law_broken(fold->error, law, HF_CORRUPT);
}

hf_status hf__fold_expect(struct hf__fold *fold, enum hf_law law, hf_status status,
                          const char *what, uint64_t number)
{
    if (status != HF_NOT_FOUND) return status;
    return hf__fold_misfit(fold, law, "%s %" PRIu64 " is not there", what, number);
}

/* ---- rows in general ------------------------------------------------------------------------ */

hf_status hf__fold_put(struct hf__fold *fold, enum hf_table table, const struct hf_key *key,
                       hf_slice value)
{
    return hf_table_put(fold->tables, table, hf_key_slice(key), value, fold->error);
}

hf_status hf__fold_delete(struct hf__fold *fold, enum hf_table table, const struct hf_key *key)
{
    hf_status status = hf_table_delete(fold->tables, table, hf_key_slice(key), fold->error);
    if (status != HF_NOT_FOUND) return status;
    return hf__fold_misfit(fold, HF_LAW_X2, "a row of table \"%s\" is missing",
                           hf_table_name(table));
}

struct hf_ref hf_ref_of(const struct hf_fold_record *record, hf_slice payload)
{
    hf_assert(payload.size > 0 && payload.size <= record->body.size);
    hf_assert(payload.data >= record->body.data);
    size_t offset = (size_t)(payload.data - record->body.data);
    hf_assert(offset <= record->body.size - payload.size);
    return (struct hf_ref){ record->lsn, offset, payload.size, hf_payload_check(payload) };
}

/* ---- dispatch ------------------------------------------------------------------------------- */

static hf_status apply_body(struct hf__fold *fold, const union hf_record_body *body)
{
    switch (fold->record->kind) {
    case HF_RECORD_STORE_CREATED:
    case HF_RECORD_GENERATION_RAISED: return HF_OK; /* the log's own affair: see apply.h */
    case HF_RECORD_STARTED: return hf__apply_started(fold, &body->started);
    case HF_RECORD_MESSAGE: return hf__apply_message(fold, &body->message);
    case HF_RECORD_TIMER_FIRED: return hf__apply_timer_fired(fold, &body->timer_fired);
    case HF_RECORD_TERMINATED: return hf__apply_terminated(fold, &body->terminated);
    case HF_RECORD_REGISTERED: return hf__apply_registered(fold, &body->registered);
    case HF_RECORD_REGISTRATION_ENDED:
        return hf__apply_registration_ended(fold, &body->registration_ended);
    case HF_RECORD_RECLAIMED: return hf__apply_reclaimed(fold, &body->reclaimed);
    case HF_RECORD_DELIVERED: return hf__apply_delivered(fold, &body->delivered);
    case HF_RECORD_COMPLETED: return hf__apply_completed(fold, &body->completed);
    case HF_RECORD_ABANDONED: return hf__apply_abandoned(fold, &body->abandoned);
    case HF_RECORD_SESSIONS_RELEASED:
        return hf__apply_sessions_released(fold, &body->sessions_released);
    case HF_RECORD_TURN_COMMITTED: return hf__apply_turn_committed(fold, &body->turn_committed);
    case HF_RECORD_TURN_LOST: return hf__apply_turn_lost(fold, &body->turn_lost);
    case HF_RECORD_DELETED: return hf__apply_deleted(fold, &body->deleted);
    case HF_RECORD_SUSPENDED: return hf__apply_suspended(fold, &body->suspended);
    case HF_RECORD_RESTARTED: return hf__apply_restarted(fold, &body->restarted);
    case HF_RECORD_PRUNED: return hf__apply_pruned(fold, &body->pruned);
    default: HF_UNREACHABLE("a kind with a layout and no fold");
    }
}

hf_status hf_apply(struct hf_tables *tables, const struct hf_fold_record *record, hf_error *error)
{
    hf_assert(tables->arena);
    hf_assert(record->lsn != 0);
    struct hf_arena_mark mark = hf_arena_mark(tables->arena);
    struct hf__fold fold = { tables, record, error, HF_PURGE_MAX };
    union hf_record_body body;
    bool is_known = record->kind >= 1 && record->kind <= HF_RECORD_KIND_MAX;
    if (!is_known) {
        return hf__fold_misfit(&fold, HF_LAW_L6, "kind %" PRIu64 " is none", record->kind);
    }
    const struct hf_layout *layout = hf_record_layout((enum hf_record_kind)record->kind);
    hf_assert(layout && layout->size <= sizeof(body));
    hf_status status = hf_decode(layout, record->body, tables->arena, &body, error);
    if (status != HF_OK) hf_law_broken(error, HF_LAW_L6, status);
    if (status == HF_CORRUPT && error) error->lsn = record->lsn;
    if (status == HF_OK) status = apply_body(&fold, &body);
    hf_assert(status != HF_NOT_FOUND);
    hf_arena_reset_to(tables->arena, mark);
    return status;
}
