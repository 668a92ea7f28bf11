/* Instances in the fold: the row, whether a turn is due, whose child it is, inbox, history and
 * idempotency keys, dead letters.
 *
 * A turn of a running instance is due when it was just started or continued (turn_due_lsn is its
 * own head), or when its inbox holds messages (the oldest). Its turns_due row stands under (engine
 * version, turn_due_lsn), unless a soft lock hides it or the instance is suspended.
 *
 * A running child says whose it is, and children says the same, until it ends or is orphaned. Whose
 * it was started as stays in its row and in families until it is deleted itself. */
#include <inttypes.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "indexes/fold.h"
#include "indexes/soft_internal.h"

hf_status hf__instance_running(struct hf__fold *fold, uint64_t number,
                               struct hf_row_instance *out_row)
{
    hf_status status = hf_instance_get(fold->tables, number, out_row, fold->error);
    status = hf__fold_expect(fold, HF_LAW_H1, status, "instance", number);
    if (status != HF_OK) return status;
    if (hf_instance_has_ended(out_row)) {
        return hf__fold_misfit(fold, HF_LAW_H1, "instance %" PRIu64 " has ended", number);
    }
    return HF_OK;
}

static bool due_is_same(const struct hf_row_instance *a, const struct hf_row_instance *b)
{
    uint64_t due_lsn = hf_instance_due_lsn(a);
    return due_lsn == hf_instance_due_lsn(b) &&
           (due_lsn == 0 || a->engine_version == b->engine_version);
}

/* Moves the turns_due row. A locked instance has none, before and after, unless the record releases
 * the lock. */
static hf_status due_move(struct hf__fold *fold, const struct hf__instance_change *change)
{
    const struct hf_row_instance none = { .number = change->after->number };
    const struct hf_row_instance *before = change->before ? change->before : &none;
    const struct hf_row_instance *after = change->after;
    struct hf_turn_lock lock;
    bool was_locked = false;
    hf_status status = HF_OK;
    if (!change->releases_lock && due_is_same(before, after)) return HF_OK;
    if (change->releases_lock) {
        status = hf__turn_lock_take(fold->tables, after->number, &was_locked, fold->error);
    } else if (change->before) {
        status = hf_turn_lock_get(fold->tables, after->number, &lock, fold->error);
        if (status == HF_OK) return HF_OK;
        if (status == HF_NOT_FOUND) status = HF_OK;
    }
    if (status != HF_OK || (!was_locked && due_is_same(before, after))) return status;
    if (!was_locked && hf_instance_due_lsn(before) != 0) {
        status = hf__turn_due_delete(fold->tables, before, fold->error);
    }
    if (status != HF_OK || hf_instance_due_lsn(after) == 0) return status;
    return hf__turn_due_put(fold->tables, after, fold->error);
}

hf_status hf__instance_put(struct hf__fold *fold, const struct hf__instance_change *change)
{
    const struct hf_row_instance *after = change->after;
    struct hf__row row = { HF_TABLE_INSTANCES, &hf__row_instance_layout, after };
    struct hf_key key = hf_key_number(after->number);
    hf_assert(!change->before || change->before->number == after->number);
    hf_assert(after->head != 0);
    if (change->before) hf_assert(change->before->execution <= after->execution);
    if (hf_instance_has_ended(after)) hf_assert(after->turn_due_lsn == 0);
    hf_status status = due_move(fold, change);
    return status == HF_OK ? hf__row_put(fold->tables, &key, &row, fold->error) : status;
}

hf_status hf__instance_end(struct hf__fold *fold, const struct hf_row_instance *before,
                           const struct hf_row_instance *after, const struct hf__ending *ending)
{
    struct hf_reclaim_place place = { HF_RECLAIM_INSTANCE, before->number, 0 };
    struct hf_row_instance row = *after;
    hf_assert(!hf_instance_has_ended(before));
    row.status = ending->status;
    row.output = ending->output;
    row.ended_unix_ms = fold->record->wall_unix_ms;
    row.turn_due_lsn = 0;
    row.suspended_code = row.suspended_text = (hf_slice)HF_EMPTY;
    hf_assert(hf_instance_has_ended(&row));
    fold->tables->effects |= HF_EFFECT_ENDED;
    hf_status status = hf__child_cut(fold, &row);
    if (status == HF_OK) {
        status = hf__instance_put(fold, &(struct hf__instance_change){ before, &row, true });
    }
    return status == HF_OK ? hf__purge(fold, &place) : status;
}

/* What a child keeps of its descent when the link to its parent is cut. */
static hf_status family_join(struct hf__fold *fold, const struct hf_row_instance *parent,
                             struct hf_row_instance *row)
{
    if (parent->number >= row->number) { /* the row of the next number was lower than it may be */
        return hf__fold_misfit(fold, HF_LAW_H10, "instance %" PRIu64 " is older than its parent",
                               row->number);
    }
    row->family_parent = parent->number;
    row->family_root = parent->family_root ? parent->family_root : parent->number;
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ row->family_root, row->number });
    return hf__fold_put(fold, HF_TABLE_FAMILIES, &key, (hf_slice)HF_EMPTY);
}

static hf_status family_leave(struct hf__fold *fold, const struct hf_row_instance *row)
{
    if (row->family_root == 0) return HF_OK;
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ row->family_root, row->number });
    return hf__fold_delete(fold, HF_TABLE_FAMILIES, &key);
}

/* Its turn is neither locked nor due any more. */
static hf_status instance_forget_turn(struct hf__fold *fold, const struct hf_row_instance *row)
{
    bool was_locked = false;
    hf_status status = hf__turn_lock_take(fold->tables, row->number, &was_locked, fold->error);
    if (status != HF_OK || was_locked || hf_instance_due_lsn(row) == 0) return status;
    return hf__turn_due_delete(fold->tables, row, fold->error);
}

hf_status hf__instance_remove(struct hf__fold *fold, const struct hf_row_instance *row)
{
    struct hf_reclaim_place place = { HF_RECLAIM_INSTANCE, row->number, 0 };
    struct hf_row_instance gone = *row;
    struct hf_key key = hf_key_number(row->number);
    if (!hf_instance_has_ended(row)) fold->tables->effects |= HF_EFFECT_ENDED;
    hf_status status = hf__child_cut(fold, &gone);
    if (status == HF_OK) status = family_leave(fold, row);
    if (status == HF_OK) status = instance_forget_turn(fold, row);
    if (status == HF_OK) status = hf__fold_delete(fold, HF_TABLE_INSTANCES, &key);
    if (status == HF_OK) {
        status = hf_table_delete(fold->tables, HF_TABLE_INSTANCE_IDS, row->id, fold->error);
        status = hf__fold_expect(fold, HF_LAW_X2, status, "id of instance", row->number);
    }
    return status == HF_OK ? hf__purge(fold, &place) : status;
}

/* ---- children ------------------------------------------------------------------------------- */

hf_status hf__child_link(struct hf__fold *fold, struct hf_row_instance *row)
{
    const struct hf_item_id *event = &row->parent;
    struct hf_row_instance parent;
    uint64_t other = 0;
    unsigned char number[8];
    hf_status status = hf__instance_running(fold, event->instance, &parent);
    if (status != HF_OK) return status;
    if (event->execution != parent.execution || event->event_id >= parent.next_event_id) {
        return hf__fold_misfit(fold, HF_LAW_H6,
                               "event %" PRIu64 " is none of its parent's execution",
                               event->event_id);
    }
    status = hf_child_get(fold->tables, event, &other, fold->error);
    if (status == HF_OK) {
        return hf__fold_misfit(fold, HF_LAW_H6, "event %" PRIu64 " has a child, instance %" PRIu64,
                               event->event_id, other);
    }
    if (status != HF_NOT_FOUND) return status;
    status = family_join(fold, &parent, row);
    if (status != HF_OK) return status;
    struct hf_key key = hf_key_item(event);
    hf_put_le64(number, row->number);
    return hf__fold_put(fold, HF_TABLE_CHILDREN, &key, hf_bytes(number, sizeof(number)));
}

hf_status hf__child_cut(struct hf__fold *fold, struct hf_row_instance *row)
{
    const struct hf_ref none = { 0, 0, 0, 0 };
    if (row->parent.instance == 0) return HF_OK;
    struct hf_key key = hf_key_item(&row->parent);
    row->parent = (struct hf_item_id){ 0, 0, 0 };
    row->lost = row->deleted = row->orphan = none;
    return hf__fold_delete(fold, HF_TABLE_CHILDREN, &key);
}

/* ---- messages and history ------------------------------------------------------------------- */

hf_status hf__message_arrive(struct hf__fold *fold, uint64_t instance,
                             const struct hf_row_message *message)
{
    unsigned char bytes[HF_MESSAGE_SIZE];
    struct hf_row_instance before;
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ instance, fold->record->lsn });
    hf_status status = hf__instance_running(fold, instance, &before);
    if (status != HF_OK) return status;
    if (message->execution > before.execution) {
        return hf__fold_misfit(fold, HF_LAW_H2, "execution %" PRIu64 " is not there yet",
                               message->execution);
    }
    hf_message_write(message, bytes);
    status = hf__fold_put(fold, HF_TABLE_INBOX, &key, hf_bytes(bytes, sizeof(bytes)));
    if (status != HF_OK || before.turn_due_lsn != 0) return status;
    struct hf_row_instance after = before;
    after.turn_due_lsn = fold->record->lsn;
    return hf__instance_put(fold, &(struct hf__instance_change){ &before, &after, false });
}

hf_status hf__history_put(struct hf__fold *fold, const struct hf_item_id *event,
                          const struct hf_ref *ref)
{
    unsigned char bytes[HF_REF_SIZE];
    if (!hf_item_id_fits(event)) {
        return hf__fold_misfit(fold, HF_LAW_L6, "an event id has over 32 bits");
    }
    struct hf_key key = hf_key_item(event);
    hf_assert(ref->lsn != 0); /* else nobody could read it: see hf_ref_read */
    hf_ref_write(ref, bytes);
    return hf__fold_put(fold, HF_TABLE_HISTORY, &key, hf_bytes(bytes, sizeof(bytes)));
}

hf_status hf__command_key_put(struct hf__fold *fold, hf_slice key, uint64_t instance)
{
    unsigned char bytes[16];
    struct hf_row_command_key row;
    if (key.size == 0) return HF_OK;
    if (key.size > HF_TABLE_KEY_SIZE_MAX) {
        return hf__fold_misfit(fold, HF_LAW_L6, "its key is too long");
    }
    hf_status status = hf_command_key_find(fold->tables, key, &row, fold->error);
    if (status == HF_OK) {
        return hf__fold_misfit(fold, HF_LAW_H3, "record %" PRIu64 " used its idempotency key",
                               row.lsn);
    }
    if (status != HF_NOT_FOUND) return status;
    hf_put_le64(bytes, fold->record->lsn);
    hf_put_le64(bytes + 8, instance);
    return hf_table_put(fold->tables, HF_TABLE_COMMAND_KEYS, key, hf_bytes(bytes, sizeof(bytes)),
                        fold->error);
}

/* ---- dead letters --------------------------------------------------------------------------- */

hf_status hf__dead_letter_put(struct hf__fold *fold, const struct hf_row_dead_letter *row)
{
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ row->instance, fold->record->lsn });
    struct hf_row_dead_letter letter = *row;
    struct hf__row value = { HF_TABLE_DEAD_LETTERS, &hf__row_dead_letter_layout, &letter };
    if (row->attempts == 0) {
        return hf__fold_misfit(fold, HF_LAW_Q6, "it gives up what was not tried");
    }
    letter.given_up_unix_ms = fold->record->wall_unix_ms;
    return hf__row_put(fold->tables, &key, &value, fold->error);
}

hf_status hf__dead_letter_purge(struct hf__fold *fold, uint64_t instance)
{
    struct hf_number_pair place = { instance, 0 };
    struct hf_row_dead_letter row;
    hf_status status = hf_dead_letter_next(fold->tables, &place, &row, fold->error);
    if (status != HF_OK) return status;
    if (row.instance != instance) return HF_NOT_FOUND;
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ instance, row.lsn });
    return hf__fold_delete(fold, HF_TABLE_DEAD_LETTERS, &key);
}
