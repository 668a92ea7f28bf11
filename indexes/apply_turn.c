/* A committed turn and a lost one: the largest record, folded part by part.
 *
 * Order of a committed turn
 *  1. it fits: instance and registration live, execution and head are as the turn saw them
 *  2. consumed messages leave the inbox; those with an event id become the first new events
 *  3. new events become history; their ids follow on without a gap
 *  4. opened sessions; then items, those on a session that is not open are dropped; then timers
 *  5. cancels: items in any state, and timers; unknown ones have no effect
 *  6. closed sessions, with all that is queued and runs in them
 *  7. the custom status, and values in the order of their events
 *  8. the outcome: it goes on, continues as a new execution, or has ended */
#include <inttypes.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "indexes/fold.h"

/* The record on its way in. */
struct turn {
    struct hf__fold *fold;
    const struct hf_turn_committed *body;
    struct hf_row_instance before; /* as the turn found it */
    struct hf_row_instance row;    /* as it becomes */
    uint64_t first_event_id;       /* of body->events; 0: none */
};

/* ---- 1 to 3: fit, messages, events ---------------------------------------------------------- */

static hf_status turn_check(struct turn *turn)
{
    const struct hf_turn_committed *body = turn->body;
    struct hf_row_registration by;
    hf_status status = hf__instance_running(turn->fold, body->instance, &turn->before);
    if (status == HF_OK) status = hf__registration_live(turn->fold, body->registration, &by);
    if (status == HF_OK) status = hf__token_present(turn->fold, body->registration);
    if (status != HF_OK) return status;
    if (body->execution != turn->before.execution) {
        return hf__fold_misfit(turn->fold, HF_LAW_Q8,
                               "execution %" PRIu64 " is not the present one", body->execution);
    }
    if (body->head != turn->before.head) {
        return hf__fold_misfit(turn->fold, HF_LAW_Q8,
                               "head %" PRIu64 " is not the present one, %" PRIu64, body->head,
                               turn->before.head);
    }
    if (body->engine_version > HF_KEY_PART_MAX) {
        return hf__fold_misfit(turn->fold, HF_LAW_L6, "engine version %" PRIu64,
                               body->engine_version);
    }
    turn->row = turn->before;
    turn->row.status = HF_INSTANCE_RUNNING;
    turn->row.head = turn->fold->record->lsn;
    turn->row.turns_lost = turn->row.turn_deaths = 0;
    turn->row.turn_due_lsn = 0;
    if (body->engine_version != 0) turn->row.engine_version = body->engine_version;
    if (body->version.size > 0) turn->row.version = body->version;
    return HF_OK;
}

/* The next event of the execution must have this id. */
static hf_status turn_follow_on(struct turn *turn, uint64_t event_id)
{
    if (event_id != turn->row.next_event_id) {
        return hf__fold_misfit(turn->fold, HF_LAW_H1,
                               "event %" PRIu64 " does not follow on: %" PRIu64 " does", event_id,
                               turn->row.next_event_id);
    }
    turn->row.next_event_id++;
    return HF_OK;
}

static hf_status turn_add_event(struct turn *turn, uint64_t event_id, const struct hf_ref *ref)
{
    struct hf_item_id event = { turn->row.number, turn->row.execution, event_id };
    hf_status status = turn_follow_on(turn, event_id);
    return status == HF_OK ? hf__history_put(turn->fold, &event, ref) : status;
}

static hf_status turn_consume_message(struct turn *turn, const struct hf_consumed_message *message)
{
    struct hf__fold *fold = turn->fold;
    struct hf_row_message row;
    hf_slice value = HF_EMPTY;
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ turn->row.number, message->lsn });
    hf_status status = hf_table_get(fold->tables, HF_TABLE_INBOX, hf_key_slice(&key), &value,
                                    fold->error);
    status = hf__fold_expect(fold, HF_LAW_H3, status, "message", message->lsn);
    if (status != HF_OK) return status;
    if (!hf_message_read(value, &row)) return hf__row_damaged(HF_TABLE_INBOX, fold->error);
    if (message->event_id != 0) status = turn_add_event(turn, message->event_id, &row.body);
    return status == HF_OK ? hf__fold_delete(fold, HF_TABLE_INBOX, &key) : status;
}

static hf_status turn_consume(struct turn *turn)
{
    const struct hf_consumed_message *messages = turn->body->messages.items;
    for (size_t i = 0; i < turn->body->messages.count; i++) {
        hf_status status = turn_consume_message(turn, &messages[i]);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

static hf_status turn_events(struct turn *turn)
{
    const struct hf_turn_event *events = turn->body->events.items;
    for (size_t i = 0; i < turn->body->events.count; i++) {
        struct hf_ref ref = hf_ref_of(turn->fold->record, events[i].body);
        hf_status status = turn_add_event(turn, events[i].event_id, &ref);
        if (status != HF_OK) return status;
        if (i == 0) turn->first_event_id = events[i].event_id;
    }
    return HF_OK;
}

/* The payload of an event of this record. */
static hf_status turn_event_ref(struct turn *turn, uint64_t event_id, struct hf_ref *out_ref)
{
    const struct hf_turn_event *events = turn->body->events.items;
    uint64_t place = event_id - turn->first_event_id;
    if (event_id < turn->first_event_id || place >= turn->body->events.count) {
        return hf__fold_misfit(turn->fold, HF_LAW_Q2, "event %" PRIu64 " is not one of the record",
                               event_id);
    }
    hf_assert(events[place].event_id == event_id);
    *out_ref = hf_ref_of(turn->fold->record, events[place].body);
    return HF_OK;
}

/* ---- 4: sessions, items, timers ------------------------------------------------------------- */

static hf_status turn_open_session(struct turn *turn, const struct hf_turn_session *opened)
{
    struct hf__fold *fold = turn->fold;
    struct hf_row_session row = { .id = { turn->row.number, opened->incarnation },
                                  .name = opened->id,
                                  .opened_unix_ms = fold->record->wall_unix_ms };
    struct hf_row_session other;
    if (opened->id.size == 0 || opened->incarnation > HF_KEY_PART_MAX) {
        return hf__fold_misfit(fold, HF_LAW_S1, "session %" PRIu64 " has no id",
                               opened->incarnation);
    }
    hf_status status = hf_session_get(fold->tables, &row.id, &other, fold->error);
    if (status == HF_OK) {
        return hf__fold_misfit(fold, HF_LAW_S1, "session %" PRIu64 " is open already",
                               opened->incarnation);
    }
    if (status != HF_NOT_FOUND) return status;
    status = hf__tag_number(fold, opened->tag, &row.tag);
    if (status == HF_OK && opened->event_id != 0) {
        status = turn_event_ref(turn, opened->event_id, &row.opening);
    }
    row.quiet_unix_ms = hf__session_quiet(fold, &row);
    return status == HF_OK ? hf__session_put(fold, NULL, &row) : status;
}

static hf_status turn_open_sessions(struct turn *turn)
{
    const struct hf_turn_session *opened = turn->body->opened.items;
    for (size_t i = 0; i < turn->body->opened.count; i++) {
        hf_status status = turn_open_session(turn, &opened[i]);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

/* The tag of an item: its own, or that of its session. HF_NOT_FOUND: that session is not open. */
static hf_status turn_item_tag(struct turn *turn, const struct hf_turn_item *item,
                               uint64_t *out_tag)
{
    struct hf_session_id id = { turn->row.number, item->incarnation };
    struct hf_row_session session;
    if (item->incarnation == 0) return hf__tag_number(turn->fold, item->tag, out_tag);
    hf_status status = hf_session_get(turn->fold->tables, &id, &session, turn->fold->error);
    if (status == HF_OK) *out_tag = session.tag;
    return status;
}

/* Whether no item and no timer has the id of this event yet. */
static hf_status turn_check_free(struct turn *turn, const struct hf_item_id *id)
{
    struct hf_row_item item;
    uint64_t due = 0;
    hf_status status = hf_item_get(turn->fold->tables, id, &item, turn->fold->error);
    if (status == HF_NOT_FOUND) {
        status = hf_timer_find(turn->fold->tables, id, &due, turn->fold->error);
    }
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK) return status;
    return hf__fold_misfit(turn->fold, HF_LAW_Q2, "event %" PRIu64 " schedules twice",
                           id->event_id);
}

static hf_status turn_limit_start(struct turn *turn, const struct hf_turn_item *item,
                                  const struct hf_item_id *id)
{
    const struct hf_timer_place place = { item->start_due_unix_ms, *id };
    const struct hf_row_timer row = { HF_TIMER_START,
                                      hf_ref_of(turn->fold->record, item->late_body) };
    return hf__timer_put(turn->fold, &place, &row);
}

static hf_status turn_add_item(struct turn *turn, const struct hf_turn_item *item, uint64_t number)
{
    struct hf_row_item row = {
        .id = { turn->row.number, turn->row.execution, item->event_id },
        .arrival = { turn->fold->record->lsn, number },
        .incarnation = item->incarnation,
        .state = HF_ITEM_READY,
    };
    hf_status status = turn_event_ref(turn, item->event_id, &row.body);
    if (status == HF_OK) status = turn_check_free(turn, &row.id);
    if (status != HF_OK) return status;
    status = turn_item_tag(turn, item, &row.tag);
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    row.has_start_limit = item->late_body.size > 0;
    if (row.has_start_limit) status = turn_limit_start(turn, item, &row.id);
    return status == HF_OK ? hf__item_put(turn->fold, NULL, &row) : status;
}

static hf_status turn_items(struct turn *turn)
{
    const struct hf_turn_item *items = turn->body->items.items;
    for (size_t i = 0; i < turn->body->items.count; i++) {
        struct hf_arena_mark mark = hf_arena_mark(turn->fold->tables->arena);
        hf_status status = turn_add_item(turn, &items[i], i + 1);
        hf_arena_reset_to(turn->fold->tables->arena, mark);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

static hf_status turn_timers(struct turn *turn)
{
    const struct hf_turn_timer *timers = turn->body->timers.items;
    for (size_t i = 0; i < turn->body->timers.count; i++) {
        struct hf_timer_place place = {
            timers[i].due_unix_ms, { turn->row.number, turn->row.execution, timers[i].event_id }
        };
        struct hf_ref event;
        struct hf_row_timer row = { HF_TIMER_MESSAGE, { 0, 0, 0, 0 } };
        hf_status status = turn_event_ref(turn, timers[i].event_id, &event);
        if (status == HF_OK) status = turn_check_free(turn, &place.id);
        if (status != HF_OK) return status;
        row.body = hf_ref_of(turn->fold->record, timers[i].body);
        status = hf__timer_put(turn->fold, &place, &row);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

/* ---- 5 and 6: cancels and closed sessions --------------------------------------------------- */

static hf_status turn_cancel(struct turn *turn, uint64_t event_id)
{
    struct hf_item_id id = { turn->row.number, turn->row.execution, event_id };
    struct hf_row_item item;
    struct hf_row_timer timer;
    hf_status status = hf_item_get(turn->fold->tables, &id, &item, turn->fold->error);
    if (status == HF_OK) return hf__item_purge(turn->fold, &item);
    if (status != HF_NOT_FOUND) return status;
    status = hf__timer_take(turn->fold, &id, &timer);
    return status == HF_NOT_FOUND ? HF_OK : status;
}

static hf_status turn_cancels(struct turn *turn)
{
    const struct hf_turn_cancel *cancels = turn->body->cancels.items;
    for (size_t i = 0; i < turn->body->cancels.count; i++) {
        hf_status status = turn_cancel(turn, cancels[i].event_id);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

static hf_status turn_close_sessions(struct turn *turn)
{
    const struct hf_turn_session *closed = turn->body->closed.items;
    for (size_t i = 0; i < turn->body->closed.count; i++) {
        struct hf_session_id id = { turn->row.number, closed[i].incarnation };
        struct hf_row_session row;
        hf_status status = hf_session_get(turn->fold->tables, &id, &row, turn->fold->error);
        if (status == HF_NOT_FOUND) continue;
        if (status == HF_OK) status = hf__session_close(turn->fold, &row);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

/* ---- 7: the outcome ------------------------------------------------------------------------- */

static hf_status turn_set_status(struct turn *turn)
{
    if (turn->body->status_event == 0) return HF_OK;
    turn->row.status_version++;
    turn->fold->tables->effects |= HF_EFFECT_CHANGED;
    return turn_event_ref(turn, turn->body->status_event, &turn->row.status_ref);
}

static hf_status turn_change_value(struct turn *turn, const struct hf_turn_value *value)
{
    struct hf_ref set;
    if (value->key.size > HF_ID_SIZE_MAX || (value->key.size == 0 && !value->cleared)) {
        return hf__fold_misfit(turn->fold, HF_LAW_L6, "a value's key has %zu bytes",
                               value->key.size);
    }
    hf_status status = turn_event_ref(turn, value->event_id, &set);
    if (status != HF_OK) return status;
    turn->fold->tables->effects |= HF_EFFECT_CHANGED;
    if (value->cleared) return hf__value_clear(turn->fold, turn->row.number, value->key);
    return hf__value_set(turn->fold, turn->row.number, value->key, &set);
}

static hf_status turn_values(struct turn *turn)
{
    const struct hf_turn_value *values = turn->body->values.items;
    for (size_t i = 0; i < turn->body->values.count; i++) {
        hf_status status = turn_change_value(turn, &values[i]);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

/* Due again if messages are left. */
static hf_status turn_go_on(struct turn *turn)
{
    struct hf_number_pair place = { turn->row.number, 0 };
    struct hf_row_message message;
    hf_status status = hf_inbox_next(turn->fold->tables, &place, &message, turn->fold->error);
    if (status == HF_OK) turn->row.turn_due_lsn = message.lsn;
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    return hf__instance_put(turn->fold,
                            &(struct hf__instance_change){ &turn->before, &turn->row, true });
}

/* Whether an item or timer of the old execution is dead already: its session is closed and reclaim
 * has not come to it yet. */
static hf_status turn_is_dead(struct turn *turn, const struct hf_item_id *id, bool *out_is_dead)
{
    struct hf_row_item item;
    struct hf_row_session session;
    *out_is_dead = false;
    hf_status status = hf_item_get(turn->fold->tables, id, &item, turn->fold->error);
    if (status == HF_OK && item.incarnation != 0) {
        struct hf_session_id session_id = { id->instance, item.incarnation };
        status = hf_session_get(turn->fold->tables, &session_id, &session, turn->fold->error);
        *out_is_dead = status == HF_NOT_FOUND;
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* Nothing of the old execution may be left open: its code has cancelled it by name. */
static hf_status turn_check_bare(struct turn *turn, enum hf_table table)
{
    struct hf_item_id id = { turn->row.number, 0, 0 };
    for (;;) {
        struct hf__search search = { table, hf_key_item(&id), 8 };
        struct hf_table_row found;
        bool is_dead = false;
        hf_status status = hf__search(turn->fold->tables, &search, &found, turn->fold->error);
        if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
        if (!hf_key_read_item(found.key, &id)) return hf__row_damaged(table, turn->fold->error);
        status = turn_is_dead(turn, &id, &is_dead);
        if (status != HF_OK) return status;
        if (!is_dead) break;
    }
    return hf__fold_misfit(turn->fold, HF_LAW_H4,
                           "it continues as new, and event %" PRIu64 " is pending", id.event_id);
}

/* An event of the old execution becomes the next one of the new. */
static hf_status turn_carry(struct turn *turn, uint64_t event_id)
{
    struct hf_item_id old = { turn->row.number, turn->before.execution, event_id };
    struct hf_ref ref;
    hf_status status = hf_history_get(turn->fold->tables, &old, &ref, turn->fold->error);
    status = hf__fold_expect(turn->fold, HF_LAW_H2, status, "carried event", event_id);
    return status == HF_OK ? turn_add_event(turn, turn->row.next_event_id, &ref) : status;
}

static hf_status turn_continue(struct turn *turn)
{
    const struct hf_turn_carried *carried = turn->body->carried.items;
    if (turn->body->next_body.size == 0 || turn->before.execution >= HF_KEY_PART_MAX) {
        return hf__fold_misfit(turn->fold, HF_LAW_L6, "it continues as new without a first event");
    }
    hf_status status = turn_check_bare(turn, HF_TABLE_ITEMS);
    if (status == HF_OK) status = turn_check_bare(turn, HF_TABLE_TIMERS_BY_ID);
    if (status != HF_OK) return status;
    struct hf_ref first = hf_ref_of(turn->fold->record, turn->body->next_body);
    turn->row.execution++;
    turn->row.next_event_id = 1;
    turn->row.status_former = turn->row.status_ref;
    turn->row.version = turn->body->next_version;
    status = hf__values_settle(turn->fold, turn->row.number);
    if (status == HF_OK) status = turn_add_event(turn, 1, &first);
    for (size_t i = 0; status == HF_OK && i < turn->body->carried.count; i++) {
        status = turn_carry(turn, carried[i].event_id);
    }
    if (status != HF_OK) return status;
    turn->row.turn_due_lsn = turn->fold->record->lsn;
    return hf__instance_put(turn->fold,
                            &(struct hf__instance_change){ &turn->before, &turn->row, true });
}

static hf_status turn_end(struct turn *turn, hf_instance_status instance_status)
{
    struct hf__ending ending = { instance_status, { 0, 0, 0, 0 } };
    hf_status status = turn_event_ref(turn, turn->body->output_event, &ending.output);
    return status == HF_OK ? hf__instance_end(turn->fold, &turn->before, &turn->row, &ending)
                           : status;
}

static hf_status turn_outcome(struct turn *turn)
{
    switch (turn->body->outcome) {
    case HF_OUTCOME_RUNNING: return turn_go_on(turn);
    case HF_OUTCOME_CONTINUED: return turn_continue(turn);
    case HF_OUTCOME_COMPLETED: return turn_end(turn, HF_INSTANCE_COMPLETED);
    case HF_OUTCOME_FAILED: return turn_end(turn, HF_INSTANCE_FAILED);
    case HF_OUTCOME_CANCELLED: return turn_end(turn, HF_INSTANCE_CANCELLED);
    default:
        return hf__fold_misfit(turn->fold, HF_LAW_L6, "outcome %" PRIu64 " is none",
                               turn->body->outcome);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

hf_status hf__apply_turn_committed(struct hf__fold *fold, const struct hf_turn_committed *body)
{
    static hf_status (*const parts[])(struct turn *) = {
        turn_check,      turn_consume, turn_events,  turn_open_sessions,
        turn_items,      turn_timers,  turn_cancels, turn_close_sessions,
        turn_set_status, turn_values,  turn_outcome,
    };
    struct turn turn = { .fold = fold, .body = body };
    for (size_t i = 0; i < HF_COUNT_OF(parts); i++) {
        hf_status status = parts[i](&turn);
        if (status != HF_OK) return status;
    }
    hf_assert(turn.row.head == fold->record->lsn);
    return HF_OK;
}

hf_status hf__apply_turn_lost(struct hf__fold *fold, const struct hf_turn_lost *body)
{
    struct hf_row_instance before;
    hf_status status = hf__instance_running(fold, body->instance, &before);
    if (status != HF_OK) return status;
    if (body->head != before.head) {
        return hf__fold_misfit(fold, HF_LAW_Q8, "head %" PRIu64 " is not the present one, %" PRIu64,
                               body->head, before.head);
    }
    struct hf_row_instance after = before;
    after.turns_lost++;
    if (body->reason == HF_REASON_DEAD) after.turn_deaths++;
    return hf__instance_put(fold, &(struct hf__instance_change){ &before, &after, true });
}
