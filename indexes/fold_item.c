/* Items in the fold: the row, its place in a queue, its session's view of it, its timer; and tags.
 *
 *                   turn_committed            delivered                  completed
 *        (nothing) ----------------> READY ------------------> RUNNING -----------> (gone)
 *                                      ^  <------------------     |
 *                      timer_fired     |   abandoned, requeue     | abandoned with a due time
 *                                   DELAYED <---------------------+
 *
 * Where an item's row says it is, one more row says so too: ordinary and READY: items_ready;
 * RUNNING: items_running; DELAYED: timers. An item of a session also stands in session_items, by
 * state, and is counted in the session's row while the session is open. */
#include <inttypes.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/slice.h"
#include "indexes/fold.h"
#include "indexes/soft_internal.h"

/* ---- the rows that point to an item --------------------------------------------------------- */

/* Where an item waits or runs; table HF_TABLE_COUNT: nowhere that is ours. */
struct item_place {
    enum hf_table table;
    struct hf_key key;
};

static struct item_place queue_place(const struct hf_row_item *row)
{
    struct item_place none = { HF_TABLE_COUNT, { .size = 0 } };
    if (!row) return none;
    if (row->state == HF_ITEM_RUNNING) {
        struct hf_running_place place = { row->registration, row->tag, row->arrival };
        return (struct item_place){ HF_TABLE_ITEMS_RUNNING, hf_key_running(&place) };
    }
    if (row->state == HF_ITEM_READY && row->incarnation == 0) {
        struct hf_ready_place place = { row->tag, row->arrival };
        return (struct item_place){ HF_TABLE_ITEMS_READY, hf_key_ready(&place) };
    }
    return none;
}

static struct item_place session_place(const struct hf_row_item *row)
{
    if (!row || row->incarnation == 0) return (struct item_place){ HF_TABLE_COUNT, { .size = 0 } };
    struct hf_session_item_place place = { { row->id.instance, row->incarnation },
                                           row->state,
                                           row->arrival };
    return (struct item_place){ HF_TABLE_SESSION_ITEMS, hf_key_session_item(&place) };
}

static bool place_is_same(const struct item_place *a, const struct item_place *b)
{
    if (a->table != b->table) return false;
    if (a->table == HF_TABLE_COUNT) return true;
    return hf_slice_equal(hf_key_slice(&a->key), hf_key_slice(&b->key));
}

/* Moves the row that points to an item from one place to another. */
static hf_status place_move(struct hf__fold *fold, const struct item_place *from,
                            const struct item_place *to, const struct hf_key *item)
{
    if (place_is_same(from, to)) return HF_OK;
    hf_status status = HF_OK;
    if (from->table != HF_TABLE_COUNT) status = hf__fold_delete(fold, from->table, &from->key);
    if (status != HF_OK || to->table == HF_TABLE_COUNT) return status;
    return hf__fold_put(fold, to->table, &to->key, hf_key_slice(item));
}

/* ---- the session's counts ------------------------------------------------------------------- */

static uint64_t *state_count(struct hf_row_session *session, uint64_t state)
{
    switch (state) {
    case HF_ITEM_READY: return &session->ready_count;
    case HF_ITEM_RUNNING: return &session->running_count;
    case HF_ITEM_DELAYED: return &session->delayed_count;
    default: HF_UNREACHABLE("an item in no state");
    }
}

/* The oldest ready item of a session; lsn 0: none. */
static hf_status session_head(struct hf__fold *fold, const struct hf_session_id *id,
                              struct hf_arrival *out_head)
{
    struct hf_session_item_place place = { *id, HF_ITEM_READY, { 0, 0 } };
    struct hf_item_id item;
    hf_status status = hf_session_items_next(fold->tables, &place, &item, fold->error);
    *out_head = place.arrival;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* Keeps an open session's row in step with one item that came, went or moved; a closed session has
 * none. */
static hf_status session_follow(struct hf__fold *fold, const struct hf_row_item *before,
                                const struct hf_row_item *after)
{
    const struct hf_row_item *item = after ? after : before;
    struct hf_session_id id = { item->id.instance, item->incarnation };
    struct hf_row_session old;
    if (item->incarnation == 0) return HF_OK;
    hf_status status = hf_session_get(fold->tables, &id, &old, fold->error);
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    struct hf_row_session session = old;
    if (before && *state_count(&session, before->state) == 0) {
        return hf__fold_misfit(fold, HF_LAW_X3,
                               "session %" PRIu64 " of instance %" PRIu64 " counts too few",
                               id.incarnation, id.instance);
    }
    if (before) --*state_count(&session, before->state);
    if (after) ++*state_count(&session, after->state);
    session.quiet_unix_ms = hf__session_quiet(fold, &session);
    if (session.ready_count != old.ready_count) status = session_head(fold, &id, &session.head);
    if (status == HF_OK && (session.ready_count > 0) != (session.head.lsn != 0)) {
        return hf__fold_misfit(fold, HF_LAW_X3,
                               "session %" PRIu64 " of instance %" PRIu64 " counts wrongly",
                               id.incarnation, id.instance);
    }
    return status == HF_OK ? hf__session_put(fold, &old, &session) : status;
}

/* ---- items ---------------------------------------------------------------------------------- */

static hf_status item_row_write(struct hf__fold *fold, const struct hf_key *key,
                                const struct hf_row_item *after)
{
    struct hf__row row = { HF_TABLE_ITEMS, &hf__row_item_layout, after };
    if (!after) return hf__fold_delete(fold, HF_TABLE_ITEMS, key);
    hf_assert(after->arrival.lsn != 0);
    if (after->state == HF_ITEM_RUNNING) hf_assert(after->registration && after->delivery_lsn);
    if (after->state != HF_ITEM_RUNNING) hf_assert(!after->registration && !after->delivery_lsn);
    return hf__row_put(fold->tables, key, &row, fold->error);
}

hf_status hf__item_put(struct hf__fold *fold, const struct hf_row_item *before,
                       const struct hf_row_item *after)
{
    hf_assert(before || after);
    if (before && after) hf_assert(hf_item_id_equal(&before->id, &after->id));
    /* A session is for life: no item goes to another, nor into one or out of it. */
    if (before && after) hf_assert(before->incarnation == after->incarnation);
    struct hf_arena_mark mark = hf_arena_mark(fold->tables->arena);
    struct hf_key key = hf_key_item(after ? &after->id : &before->id);
    struct item_place from = queue_place(before), to = queue_place(after);
    hf_status status = place_move(fold, &from, &to, &key);
    if (status == HF_OK) {
        from = session_place(before), to = session_place(after);
        status = place_move(fold, &from, &to, &key);
    }
    if (status == HF_OK) status = item_row_write(fold, &key, after);
    if (status == HF_OK && !after) {
        status = hf__progress_drop(fold->tables, &before->id, fold->error);
    }
    bool has_moved = !before || !after || before->state != after->state;
    if (status == HF_OK && has_moved) status = session_follow(fold, before, after);
    if (after && after->state == HF_ITEM_READY) fold->tables->effects |= HF_EFFECT_ITEMS_READY;
    /* With a suspect goes what kept its holder from all other work. */
    if (before && before->state == HF_ITEM_RUNNING && before->deaths >= HF_SUSPECT_DEATHS) {
        fold->tables->effects |= HF_EFFECT_ITEMS_READY;
    }
    hf_arena_reset_to(fold->tables->arena, mark);
    return status;
}

hf_status hf__item_pointed(struct hf__fold *fold, const struct hf_item_id *id,
                           struct hf_row_item *out_row)
{
    hf_status status = hf_item_get(fold->tables, id, out_row, fold->error);
    if (status != HF_NOT_FOUND) return status;
    return hf__fold_misfit(fold, HF_LAW_X2, "item %" PRIu64 " of instance %" PRIu64 " is not there",
                           id->event_id, id->instance);
}

hf_status hf__item_purge(struct hf__fold *fold, const struct hf_row_item *row)
{
    struct hf_row_timer timer;
    hf_status status = HF_OK;
    if (row->state == HF_ITEM_RUNNING) fold->tables->effects |= HF_EFFECT_VOIDED;
    if (row->state == HF_ITEM_DELAYED || row->has_start_limit) {
        status = hf__timer_take(fold, &row->id, &timer);
        status = hf__fold_expect(fold, HF_LAW_X2, status, "timer of item", row->id.event_id);
    }
    if (status == HF_OK) status = hf__item_put(fold, row, NULL);
    if (status != HF_OK || row->state != HF_ITEM_RUNNING) return status;
    return hf__registration_settle(fold, row->registration);
}

hf_status hf__item_take_away(struct hf__fold *fold, const struct hf_row_item *row,
                             struct hf_row_item *out_after)
{
    struct hf_row_registration holder;
    *out_after = *row;
    out_after->registration = 0;
    out_after->delivery_lsn = 0;
    out_after->delivery_number = 0;
    if (row->state != HF_ITEM_RUNNING) return HF_OK;
    hf_status status = hf_registration_get(fold->tables, row->registration, &holder, fold->error);
    status = hf__fold_expect(fold, HF_LAW_R2, status, "registration", row->registration);
    if (status == HF_OK && holder.ended_reason == HF_REASON_DEAD) out_after->deaths++;
    return status;
}

hf_status hf__item_requeue(struct hf__fold *fold, const struct hf_row_item *row)
{
    struct hf_row_item after;
    if (row->state == HF_ITEM_READY) { /* only a row of tables that disagree can lead here */
        return hf__fold_misfit(fold, HF_LAW_Q1, "item %" PRIu64 " of instance %" PRIu64 " is ready",
                               row->id.event_id, row->id.instance);
    }
    hf_status status = hf__item_take_away(fold, row, &after);
    after.state = HF_ITEM_READY;
    return status == HF_OK ? hf__item_put(fold, row, &after) : status;
}

/* ---- timers --------------------------------------------------------------------------------- */

hf_status hf__timer_put(struct hf__fold *fold, const struct hf_timer_place *place,
                        const struct hf_row_timer *row)
{
    hf_assert(row->kind >= HF_TIMER_MESSAGE && row->kind <= HF_TIMER_START);
    if (row->kind != HF_TIMER_ITEM) hf_assert(row->body.lsn != 0);
    unsigned char bytes[1 + HF_REF_SIZE] = { (unsigned char)row->kind };
    unsigned char due[8];
    uint64_t old_due = 0;
    struct hf_key key = hf_key_timer(place), key_by_id = hf_key_item(&place->id);
    hf_status status = hf_timer_find(fold->tables, &place->id, &old_due, fold->error);
    if (status == HF_OK) {
        return hf__fold_misfit(fold, HF_LAW_Q2, "timer %" PRIu64 " is set already",
                               place->id.event_id);
    }
    if (status != HF_NOT_FOUND) return status;
    bool has_body = row->kind != HF_TIMER_ITEM;
    size_t size = has_body ? sizeof(bytes) : 1;
    if (has_body) hf_ref_write(&row->body, bytes + 1);
    hf_put_le64(due, place->due_unix_ms);
    fold->tables->effects |= HF_EFFECT_TIMERS;
    status = hf__fold_put(fold, HF_TABLE_TIMERS, &key, hf_bytes(bytes, size));
    if (status != HF_OK) return status;
    return hf__fold_put(fold, HF_TABLE_TIMERS_BY_ID, &key_by_id, hf_bytes(due, sizeof(due)));
}

hf_status hf__timer_take(struct hf__fold *fold, const struct hf_item_id *id,
                         struct hf_row_timer *out_row)
{
    struct hf_timer_place place = { 0, *id };
    hf_slice value = HF_EMPTY;
    hf_status status = hf_timer_find(fold->tables, id, &place.due_unix_ms, fold->error);
    if (status != HF_OK) return status;
    struct hf_key key = hf_key_timer(&place), key_by_id = hf_key_item(id);
    status = hf_table_get(fold->tables, HF_TABLE_TIMERS, hf_key_slice(&key), &value, fold->error);
    status = hf__fold_expect(fold, HF_LAW_X2, status, "due row of timer", id->event_id);
    if (status == HF_OK) status = hf__timer_read(value, out_row, fold->error);
    if (status == HF_OK) status = hf__fold_delete(fold, HF_TABLE_TIMERS, &key);
    if (status == HF_OK) status = hf__fold_delete(fold, HF_TABLE_TIMERS_BY_ID, &key_by_id);
    return status;
}

/* ---- tags ----------------------------------------------------------------------------------- */

hf_status hf__tag_number(struct hf__fold *fold, hf_slice tag, uint64_t *out_number)
{
    unsigned char bytes[8];
    uint64_t number = 0;
    if (tag.size > HF_ID_SIZE_MAX) {
        return hf__fold_misfit(fold, HF_LAW_L6, "a tag has over 255 bytes");
    }
    hf_status status = hf_tag_find(fold->tables, tag, out_number, fold->error);
    if (status != HF_NOT_FOUND) return status;
    status = hf_meta_get_number(fold->tables, "next_tag", &number, fold->error);
    if (status == HF_NOT_FOUND) number = 1;
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    if (number >= HF_KEY_PART_MAX) return hf__fold_misfit(fold, HF_LAW_L6, "tags have run out");
    hf_put_le64(bytes, number);
    struct hf_key key = hf_key_tag(number);
    status = hf_meta_put_number(fold->tables, "next_tag", number + 1, fold->error);
    if (status == HF_OK) status = hf__fold_put(fold, HF_TABLE_TAG_NAMES, &key, tag);
    if (status == HF_OK) {
        status = hf_table_put(fold->tables, HF_TABLE_TAGS, tag, hf_bytes(bytes, sizeof(bytes)),
                              fold->error);
    }
    if (status == HF_OK) *out_number = number;
    return status;
}
