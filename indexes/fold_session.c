/* Sessions and registrations in the fold.
 *
 *                   opened            claim (delivered)
 *      (nothing) ----------> UNCLAIMED ----------------> OWNED --+ claim by another: takeover
 *                                ^    released, owner ended |  <-+
 *                                +--------------------------+
 *      closed, or the instance ended: from either to (gone), and its items with it
 *
 * A session with ready items has one row in sessions_ready, under its owner, tag, class and oldest
 * ready item; an owned one has one in sessions_owned and is counted by its owner's registration.
 * Whatever runs in a session runs under its owner: a change of owner first puts it back into the
 * queue. */
#include <inttypes.h>

#include "engine/base/assert.h"
#include "indexes/fold.h"
#include "indexes/soft_internal.h"

/* ---- what points to a session --------------------------------------------------------------- */

static bool stands_ready(const struct hf_row_session *row)
{
    return row && row->ready_count > 0;
}

static struct hf_key ready_key(const struct hf_row_session *row)
{
    hf_assert(row->head.lsn != 0);
    return hf_key_session_ready(&(struct hf_session_ready_place){
        row->owner, row->tag,
        hf_session_is_orphaned(row) ? HF_SESSION_CLASS_ORPHANED : HF_SESSION_CLASS_OTHER,
        row->head });
}

static hf_status ready_move(struct hf__fold *fold, const struct hf_row_session *before,
                            const struct hf_row_session *after)
{
    struct hf_key from, to, session;
    hf_status status = HF_OK;
    if (stands_ready(before)) from = ready_key(before);
    if (stands_ready(after)) to = ready_key(after);
    if (stands_ready(before) && stands_ready(after) &&
        hf_slice_equal(hf_key_slice(&from), hf_key_slice(&to))) {
        return HF_OK;
    }
    if (stands_ready(before)) status = hf__fold_delete(fold, HF_TABLE_SESSIONS_READY, &from);
    if (status != HF_OK || !stands_ready(after)) return status;
    session = hf_key_session(&after->id);
    fold->tables->effects |= HF_EFFECT_ITEMS_READY;
    return hf__fold_put(fold, HF_TABLE_SESSIONS_READY, &to, hf_key_slice(&session));
}

/* One session more or fewer under a registration. */
static hf_status registration_count(struct hf__fold *fold, uint64_t lsn, bool is_more)
{
    struct hf_row_registration row;
    hf_status status = hf_registration_get(fold->tables, lsn, &row, fold->error);
    status = hf__fold_expect(fold, HF_LAW_R2, status, "registration", lsn);
    if (status != HF_OK) return status;
    if (!is_more && row.sessions_count == 0) {
        return hf__fold_misfit(fold, HF_LAW_X3, "registration %" PRIu64 " counts too few sessions",
                               lsn);
    }
    row.sessions_count = is_more ? row.sessions_count + 1 : row.sessions_count - 1;
    return hf__registration_put(fold, &row);
}

static hf_status owner_move(struct hf__fold *fold, const struct hf_row_session *before,
                            const struct hf_row_session *after)
{
    uint64_t from = before ? before->owner : 0, to = after ? after->owner : 0;
    const struct hf_session_id *id = after ? &after->id : &before->id;
    hf_status status = HF_OK;
    if (from == to) return HF_OK;
    if (from != 0) {
        struct hf_key key = hf_key_session_owned(&(struct hf_session_owned_place){ from, *id });
        status = hf__fold_delete(fold, HF_TABLE_SESSIONS_OWNED, &key);
        if (status == HF_OK) status = registration_count(fold, from, false);
    }
    if (status == HF_OK && to != 0) {
        struct hf_key key = hf_key_session_owned(&(struct hf_session_owned_place){ to, *id });
        status = hf__fold_put(fold, HF_TABLE_SESSIONS_OWNED, &key, (hf_slice)HF_EMPTY);
        if (status == HF_OK) status = registration_count(fold, to, true);
    }
    return status;
}

hf_status hf__session_put(struct hf__fold *fold, const struct hf_row_session *before,
                          const struct hf_row_session *after)
{
    hf_assert(before || after);
    struct hf__row row = { HF_TABLE_SESSIONS, &hf__row_session_layout, after };
    struct hf_key key = hf_key_session(after ? &after->id : &before->id);
    if (after) hf_assert((after->ready_count > 0) == (after->head.lsn != 0));
    if (after && after->owner != 0) hf_assert(after->epoch != 0 && after->unowned_reason == 0);
    if (before && after) hf_assert(before->id.incarnation == after->id.incarnation);
    if (before && after) hf_assert(before->id.instance == after->id.instance);
    hf_status status = ready_move(fold, before, after);
    if (status == HF_OK) status = owner_move(fold, before, after);
    if (status == HF_OK) {
        status = after ? hf__row_put(fold->tables, &key, &row, fold->error)
                       : hf__fold_delete(fold, HF_TABLE_SESSIONS, &key);
    }
    if (status != HF_OK || !before || before->owner == 0) return status;
    return hf__registration_settle(fold, before->owner);
}

uint64_t hf__session_quiet(const struct hf__fold *fold, const struct hf_row_session *row)
{
    if (row->ready_count + row->running_count + row->delayed_count > 0) return 0;
    return fold->record->wall_unix_ms ? fold->record->wall_unix_ms : 1;
}

/* ---- moves ---------------------------------------------------------------------------------- */

hf_status hf__session_requeue(struct hf__fold *fold, const struct hf_session_id *id)
{
    while (fold->rows_left > 0) {
        struct hf_session_item_place place = { *id, HF_ITEM_RUNNING, { 0, 0 } };
        struct hf_item_id item;
        struct hf_row_item row;
        hf_status status = hf_session_items_next(fold->tables, &place, &item, fold->error);
        if (status == HF_NOT_FOUND) return HF_OK;
        if (status == HF_OK) status = hf__item_pointed(fold, &item, &row);
        if (status == HF_OK) status = hf__item_requeue(fold, &row);
        if (status != HF_OK) return status;
        fold->rows_left--;
    }
    return HF_OK;
}

hf_status hf__session_release(struct hf__fold *fold, const struct hf_session_id *id,
                              uint64_t reason)
{
    struct hf_row_session before;
    hf_status status = hf_session_get(fold->tables, id, &before, fold->error);
    status = hf__fold_expect(fold, HF_LAW_S1, status, "session", id->incarnation);
    if (status != HF_OK) return status;
    if (reason == HF_REASON_NONE) return hf__fold_misfit(fold, HF_LAW_S3, "it says not why");
    if (before.running_count != 0) {
        return hf__fold_misfit(fold, HF_LAW_S4,
                               "work runs in session %" PRIu64 " of instance %" PRIu64,
                               id->incarnation, id->instance);
    }
    struct hf_row_session after = before;
    after.owner = 0;
    after.unowned_reason = reason;
    return hf__session_put(fold, &before, &after);
}

hf_status hf__session_close(struct hf__fold *fold, const struct hf_row_session *row)
{
    struct hf_reclaim_place place = { HF_RECLAIM_SESSION, row->id.instance, row->id.incarnation };
    if (row->owner != 0) fold->tables->effects |= HF_EFFECT_VOIDED;
    hf_status status = hf__session_put(fold, row, NULL);
    return status == HF_OK ? hf__purge(fold, &place) : status;
}

/* ---- registrations -------------------------------------------------------------------------- */

hf_status hf__registration_live(struct hf__fold *fold, uint64_t lsn,
                                struct hf_row_registration *out_row)
{
    hf_status status = hf_registration_get(fold->tables, lsn, out_row, fold->error);
    status = hf__fold_expect(fold, HF_LAW_R1, status, "registration", lsn);
    if (status != HF_OK) return status;
    if (out_row->ended_reason != 0) {
        return hf__fold_misfit(fold, HF_LAW_R1, "registration %" PRIu64 " has ended", lsn);
    }
    return HF_OK;
}

hf_status hf__token_present(struct hf__fold *fold, uint64_t lsn)
{
    if (hf_lsn_generation(lsn) == hf_lsn_generation(fold->record->lsn)) return HF_OK;
    return hf__fold_misfit(fold, HF_LAW_T1, "%" PRIu64 " is of a former generation of the store",
                           lsn);
}

hf_status hf__registration_put(struct hf__fold *fold, const struct hf_row_registration *row)
{
    struct hf__row written = { HF_TABLE_REGISTRATIONS, &hf__row_registration_layout, row };
    struct hf_key key = hf_key_number(row->lsn);
    hf_assert(row->lsn != 0);
    return hf__row_put(fold->tables, &key, &written, fold->error);
}

/* Whether neither sessions nor items are left under a registration. */
static hf_status registration_is_bare(struct hf__fold *fold, uint64_t lsn, bool *out_is_bare)
{
    struct hf_session_owned_place owned = { .owner = lsn };
    struct hf_running_place running = { .registration = lsn };
    struct hf_item_id item;
    *out_is_bare = false;
    hf_status status = hf_sessions_owned_next(fold->tables, &owned, fold->error);
    if (status != HF_NOT_FOUND) return status;
    status = hf_items_running_any_next(fold->tables, &running, &item, fold->error);
    *out_is_bare = status == HF_NOT_FOUND;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

hf_status hf__registration_settle(struct hf__fold *fold, uint64_t lsn)
{
    struct hf_row_registration row;
    bool is_bare = false;
    struct hf_key key = hf_key_number(lsn);
    struct hf_reclaim_place place = { HF_RECLAIM_REGISTRATION, lsn, 0 };
    struct hf_key mark = hf_key_reclaim(&place);
    hf_status status = hf_registration_get(fold->tables, lsn, &row, fold->error);
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    if (row.ended_reason == 0) return HF_OK;
    status = registration_is_bare(fold, lsn, &is_bare);
    if (status != HF_OK || !is_bare) return status;
    if (row.sessions_count != 0) {
        return hf__fold_misfit(fold, HF_LAW_X3, "registration %" PRIu64 " counts too many sessions",
                               lsn);
    }
    status = hf__fold_delete(fold, HF_TABLE_REGISTRATIONS, &key);
    if (status == HF_OK) status = hf__lease_drop(fold->tables, lsn, fold->error);
    if (status != HF_OK) return status;
    status = hf_table_delete(fold->tables, HF_TABLE_RECLAIM, hf_key_slice(&mark), fold->error);
    return status == HF_NOT_FOUND ? HF_OK : status;
}
