/* Clearing up in bounded steps: what a closed session, an ended or deleted instance or an ended
 * registration leaves behind.
 *
 * The record that ends it clears as much as its bound allows and marks the rest in `reclaim`;
 * `reclaimed` records do the rest, step by step, in the same order. Meanwhile what is left is dead
 * to whoever looks: its session has no row, its instance has ended or has none, its registration
 * has ended.
 *
 * Children of an instance that has ended are told so by a record each, theirs, which the store
 * appends; with it the row in children goes. Until then the mark stays. */
#include <inttypes.h>

#include "engine/base/assert.h"
#include "indexes/fold.h"

/* One step: moves or removes one row, or finds that none is left, or none that may go now. */
struct purge {
    struct hf__fold *fold;
    const struct hf_reclaim_place *place;
    bool is_deleted; /* the instance has no row: its history goes, too */
    bool is_done;    /* nothing is left */
    bool must_wait; /* what is left goes by a later record: sessions of a dead worker with a reclaim
                       window, children that are not told yet */
};

/* ---- steps ---------------------------------------------------------------------------------- */

static hf_status purge_item(struct hf__fold *fold, const struct hf_item_id *id)
{
    struct hf_row_item row;
    hf_status status = hf__item_pointed(fold, id, &row);
    return status == HF_OK ? hf__item_purge(fold, &row) : status;
}

static hf_status purge_session_step(struct purge *purge)
{
    struct hf_session_item_place place = { .session = { purge->place->number,
                                                        purge->place->incarnation } };
    struct hf_item_id item;
    hf_status status = hf_session_items_any_next(purge->fold->tables, &place, &item,
                                                 purge->fold->error);
    purge->is_done = status == HF_NOT_FOUND;
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    return purge_item(purge->fold, &item);
}

/* The first row of an instance in a table whose keys begin with (instance, execution, event id).
 * HF_NOT_FOUND: none. */
static hf_status first_of_instance(struct purge *purge, enum hf_table table,
                                   struct hf_item_id *out_id)
{
    struct hf__search search = { table,
                                 hf_key_item(&(struct hf_item_id){ purge->place->number, 0, 0 }),
                                 8 };
    struct hf_table_row row;
    hf_status status = hf__search(purge->fold->tables, &search, &row, purge->fold->error);
    if (status != HF_OK) return status;
    return hf_key_read_item(row.key, out_id) ? HF_OK : hf__row_damaged(table, purge->fold->error);
}

static hf_status purge_open_session(struct purge *purge)
{
    struct hf_session_id after = { purge->place->number, 0 };
    struct hf_row_session row;
    hf_status status = hf_session_next(purge->fold->tables, &after, &row, purge->fold->error);
    if (status == HF_OK && row.id.instance != after.instance) return HF_NOT_FOUND;
    if (status != HF_OK) return status;
    if (row.owner != 0) purge->fold->tables->effects |= HF_EFFECT_VOIDED;
    return hf__session_put(purge->fold, &row, NULL);
}

static hf_status purge_inbox(struct purge *purge)
{
    struct hf_number_pair place = { purge->place->number, 0 };
    struct hf_row_message message;
    hf_status status = hf_inbox_next(purge->fold->tables, &place, &message, purge->fold->error);
    if (status != HF_OK) return status;
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ place.first, message.lsn });
    return hf__fold_delete(purge->fold, HF_TABLE_INBOX, &key);
}

static hf_status purge_history(struct purge *purge)
{
    struct hf_item_id id;
    if (!purge->is_deleted) return HF_NOT_FOUND;
    hf_status status = first_of_instance(purge, HF_TABLE_HISTORY, &id);
    if (status != HF_OK) return status;
    struct hf_key key = hf_key_item(&id);
    return hf__fold_delete(purge->fold, HF_TABLE_HISTORY, &key);
}

/* What outlives the end of an instance and not its deletion, besides history. */
static hf_status purge_value(struct purge *purge)
{
    uint64_t instance = purge->place->number;
    if (!purge->is_deleted) return HF_NOT_FOUND;
    hf_status status = hf__value_purge(purge->fold, instance);
    return status == HF_NOT_FOUND ? hf__dead_letter_purge(purge->fold, instance) : status;
}

/* Nothing is left that is purged here. */
static hf_status purge_instance_end(struct purge *purge)
{
    struct hf_item_id place = { purge->place->number, 0, 0 };
    uint64_t child = 0;
    hf_status status = hf_children_next(purge->fold->tables, &place, &child, purge->fold->error);
    purge->must_wait = status == HF_OK;
    purge->is_done = status == HF_NOT_FOUND;
    return purge->is_done ? HF_OK : status;
}

/* Sessions first, since they can be claimed; then items, for they can be fetched; then timers,
 * messages and, of a deleted one, history, values and dead letters. */
static hf_status purge_instance_step(struct purge *purge)
{
    struct hf_item_id id;
    struct hf_row_timer timer;
    hf_status status = purge_open_session(purge);
    if (status != HF_NOT_FOUND) return status;
    status = first_of_instance(purge, HF_TABLE_ITEMS, &id);
    if (status == HF_OK) return purge_item(purge->fold, &id);
    if (status != HF_NOT_FOUND) return status;
    status = first_of_instance(purge, HF_TABLE_TIMERS_BY_ID, &id);
    if (status == HF_OK) return hf__timer_take(purge->fold, &id, &timer);
    if (status != HF_NOT_FOUND) return status;
    status = purge_inbox(purge);
    if (status == HF_NOT_FOUND) status = purge_history(purge);
    if (status == HF_NOT_FOUND) status = purge_value(purge);
    return status == HF_NOT_FOUND ? purge_instance_end(purge) : status;
}

/* The next session of an ended registration loses its owner; nothing runs under that any more. The
 * sessions of a dead one with a reclaim window wait for their worker: no clock is asked here, so
 * they go by a later record, which is made when the window is over. */
static hf_status purge_owned_session(struct purge *purge)
{
    struct hf_session_owned_place owned = { .owner = purge->place->number };
    struct hf_row_registration owner;
    struct hf__fold *fold = purge->fold;
    hf_status status = hf_sessions_owned_next(fold->tables, &owned, fold->error);
    purge->is_done = status == HF_NOT_FOUND;
    if (status != HF_OK) return purge->is_done ? HF_OK : status;
    status = hf_registration_get(fold->tables, purge->place->number, &owner, fold->error);
    status = hf__fold_expect(fold, HF_LAW_R2, status, "registration", purge->place->number);
    if (status != HF_OK) return status;
    purge->must_wait = owner.ended_reason == HF_REASON_DEAD && owner.reclaim_ms > 0 &&
                       fold->record->kind == HF_RECORD_REGISTRATION_ENDED;
    if (purge->must_wait) return HF_OK;
    return hf__session_release(fold, &owned.session, owner.ended_reason);
}

/* First what runs, of sessions too, back into its queue; then the sessions. */
static hf_status purge_registration_step(struct purge *purge)
{
    struct hf_running_place running = { .registration = purge->place->number };
    struct hf__fold *fold = purge->fold;
    struct hf_item_id item;
    struct hf_row_item row;
    hf_status status = hf_items_running_any_next(fold->tables, &running, &item, fold->error);
    if (status == HF_NOT_FOUND) return purge_owned_session(purge);
    if (status == HF_OK) status = hf__item_pointed(fold, &item, &row);
    return status == HF_OK ? hf__item_requeue(fold, &row) : status;
}

static hf_status purge_step(struct purge *purge)
{
    switch (purge->place->kind) {
    case HF_RECLAIM_REGISTRATION: return purge_registration_step(purge);
    case HF_RECLAIM_INSTANCE: return purge_instance_step(purge);
    case HF_RECLAIM_SESSION: return purge_session_step(purge);
    default: HF_UNREACHABLE("a kind of reclaim that is none");
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Sets or removes the mark that rows are left. A registration that has gone with its last row
 * leaves none. */
static hf_status purge_mark(struct hf__fold *fold, const struct hf_reclaim_place *place,
                            bool is_done)
{
    struct hf_key key = hf_key_reclaim(place);
    struct hf_row_registration registration;
    if (!is_done && place->kind == HF_RECLAIM_REGISTRATION) {
        hf_status status = hf_registration_get(fold->tables, place->number, &registration,
                                               fold->error);
        if (status != HF_OK && status != HF_NOT_FOUND) return status;
        is_done = status == HF_NOT_FOUND;
    }
    if (!is_done) {
        fold->tables->effects |= HF_EFFECT_RECLAIM;
        /* What is left of it may be in somebody's hands. */
        if (place->kind != HF_RECLAIM_REGISTRATION) fold->tables->effects |= HF_EFFECT_VOIDED;
        return hf__fold_put(fold, HF_TABLE_RECLAIM, &key, (hf_slice)HF_EMPTY);
    }
    hf_status status = hf_table_delete(fold->tables, HF_TABLE_RECLAIM, hf_key_slice(&key),
                                       fold->error);
    return status == HF_NOT_FOUND ? HF_OK : status;
}

static hf_status purge_begin(struct purge *purge)
{
    struct hf__fold *fold = purge->fold;
    struct hf_row_instance row;
    if (purge->place->kind != HF_RECLAIM_INSTANCE) return HF_OK;
    hf_status status = hf_instance_get(fold->tables, purge->place->number, &row, fold->error);
    purge->is_deleted = status == HF_NOT_FOUND;
    return purge->is_deleted ? HF_OK : status;
}

hf_status hf__purge(struct hf__fold *fold, const struct hf_reclaim_place *place)
{
    struct purge purge = { .fold = fold, .place = place };
    struct hf_arena_mark mark = hf_arena_mark(fold->tables->arena);
    hf_status begun = purge_begin(&purge);
    if (begun != HF_OK) return begun;
    while (fold->rows_left > 0 && !purge.is_done && !purge.must_wait) {
        hf_status status = purge_step(&purge);
        hf_arena_reset_to(fold->tables->arena, mark);
        if (status != HF_OK) return status;
        if (!purge.is_done && !purge.must_wait) fold->rows_left--;
    }
    if (place->kind != HF_RECLAIM_REGISTRATION) return purge_mark(fold, place, purge.is_done);
    hf_status status = purge_mark(fold, place, purge.is_done);
    return status == HF_OK ? hf__registration_settle(fold, place->number) : status;
}

hf_status hf__apply_reclaimed(struct hf__fold *fold, const struct hf_reclaimed *body)
{
    struct hf_reclaim_place place = { HF_RECLAIM_REGISTRATION, body->registration, 0 };
    if ((body->registration != 0) == (body->instance != 0)) {
        return hf__fold_misfit(fold, HF_LAW_L6, "it names not one of registration and instance");
    }
    if (body->incarnation > HF_KEY_PART_MAX || (body->registration && body->incarnation)) {
        return hf__fold_misfit(fold, HF_LAW_L6, "incarnation %" PRIu64, body->incarnation);
    }
    if (body->instance != 0) {
        place.kind = body->incarnation ? HF_RECLAIM_SESSION : HF_RECLAIM_INSTANCE;
        place.number = body->instance;
        place.incarnation = body->incarnation;
    }
    hf_slice value = HF_EMPTY;
    struct hf_key key = hf_key_reclaim(&place);
    hf_status status = hf_table_get(fold->tables, HF_TABLE_RECLAIM, hf_key_slice(&key), &value,
                                    fold->error);
    status = hf__fold_expect(fold, HF_LAW_X7, status, "work to reclaim of", place.number);
    if (status != HF_OK) return status;
    fold->rows_left = body->rows_max;
    return hf__purge(fold, &place);
}
