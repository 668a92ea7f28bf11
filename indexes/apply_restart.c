/* A restart: an ended instance runs again in its next execution. What is kept of its history are
 * rows that name the same bytes; what was pending there is scheduled anew, under the same event
 * ids. */
#include <inttypes.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "indexes/fold.h"

/* The record on its way in. */
struct restart {
    struct hf__fold *fold;
    const struct hf_restarted *body;
    struct hf_row_instance before;
    struct hf_row_instance row; /* as it becomes */
};

/* ---- it fits --------------------------------------------------------------------------------- */

static hf_status restart_check(struct restart *self)
{
    const struct hf_restarted *body = self->body;
    struct hf__fold *fold = self->fold;
    hf_status status = hf_instance_get(fold->tables, body->instance, &self->before, fold->error);
    status = hf__fold_expect(fold, HF_LAW_H1, status, "instance", body->instance);
    if (status != HF_OK) return status;
    if (!hf_instance_has_ended(&self->before)) {
        return hf__fold_misfit(fold, HF_LAW_H1, "instance %" PRIu64 " has not ended",
                               body->instance);
    }
    if (self->before.parent.instance != 0) {
        return hf__fold_misfit(
            fold, HF_LAW_H6, "instance %" PRIu64 " has ended and is a child still", body->instance);
    }
    bool is_present = body->execution == self->before.execution &&
                      body->execution < HF_KEY_PART_MAX;
    bool is_begun = body->events_kept > 0 ? body->events_kept < self->before.next_event_id
                                          : body->body.size > 0;
    if (!is_present || !is_begun || body->engine_version > HF_KEY_PART_MAX) {
        return hf__fold_misfit(fold, HF_LAW_H1, "it does not go on from execution %" PRIu64,
                               self->before.execution);
    }
    return HF_OK;
}

/* ---- history --------------------------------------------------------------------------------- */

/* The bytes of an event of the execution that ended. */
static hf_status former_ref(struct restart *self, uint64_t event_id, struct hf_ref *out_ref)
{
    struct hf_item_id event = { self->before.number, self->before.execution, event_id };
    struct hf__fold *fold = self->fold;
    if (event_id >= self->before.next_event_id) {
        return hf__fold_misfit(fold, HF_LAW_H2, "event %" PRIu64 " was never there", event_id);
    }
    hf_status status = hf_history_get(fold->tables, &event, out_ref, fold->error);
    return hf__fold_expect(fold, HF_LAW_H2, status, "event", event_id);
}

/* The same of one that is kept. */
static hf_status kept_ref(struct restart *self, uint64_t event_id, struct hf_ref *out_ref)
{
    if (event_id > self->body->events_kept) {
        return hf__fold_misfit(self->fold, HF_LAW_H2, "event %" PRIu64 " is not kept", event_id);
    }
    return former_ref(self, event_id, out_ref);
}

static hf_status history_add(struct restart *self, const struct hf_ref *ref)
{
    struct hf_item_id event = { self->row.number, self->row.execution, self->row.next_event_id };
    self->row.next_event_id++;
    return hf__history_put(self->fold, &event, ref);
}

static hf_status restart_history(struct restart *self)
{
    struct hf_ref ref;
    hf_status status = HF_OK;
    if (self->body->events_kept == 0) {
        ref = hf_ref_of(self->fold->record, self->body->body);
        return history_add(self, &ref);
    }
    for (uint64_t id = 1; status == HF_OK && id <= self->body->events_kept; id++) {
        status = kept_ref(self, id, &ref);
        if (status == HF_OK) status = history_add(self, &ref);
    }
    return status;
}

/* ---- what was pending ------------------------------------------------------------------------ */

static hf_status open_again(struct restart *self, const struct hf_turn_session *session)
{
    struct hf__fold *fold = self->fold;
    struct hf_row_session row = { .id = { self->row.number, session->incarnation },
                                  .name = session->id,
                                  .opened_unix_ms = fold->record->wall_unix_ms };
    if (session->id.size == 0 || session->incarnation > HF_KEY_PART_MAX) {
        return hf__fold_misfit(fold, HF_LAW_S1, "session %" PRIu64 " has no id",
                               session->incarnation);
    }
    struct hf_row_session other;
    hf_status status = hf_session_get(fold->tables, &row.id, &other, fold->error);
    if (status == HF_OK) {
        return hf__fold_misfit(fold, HF_LAW_S1, "session %" PRIu64 " is open already",
                               session->incarnation);
    }
    if (status == HF_NOT_FOUND) status = kept_ref(self, session->event_id, &row.opening);
    if (status == HF_OK) status = hf__tag_number(fold, session->tag, &row.tag);
    row.quiet_unix_ms = hf__session_quiet(fold, &row);
    return status == HF_OK ? hf__session_put(fold, NULL, &row) : status;
}

static hf_status restart_sessions(struct restart *self)
{
    const struct hf_turn_session *sessions = self->body->sessions.items;
    hf_status status = HF_OK;
    for (size_t i = 0; status == HF_OK && i < self->body->sessions.count; i++) {
        status = open_again(self, &sessions[i]);
    }
    return status;
}

static hf_status schedule_again(struct restart *self, const struct hf_turn_item *item,
                                uint64_t number)
{
    struct hf__fold *fold = self->fold;
    struct hf_session_id id = { self->row.number, item->incarnation };
    struct hf_row_session session;
    struct hf_row_item row = { .id = { self->row.number, self->row.execution, item->event_id },
                               .arrival = { fold->record->lsn, number },
                               .incarnation = item->incarnation,
                               .state = HF_ITEM_READY };
    hf_status status = kept_ref(self, item->event_id, &row.body);
    if (status != HF_OK) return status;
    if (item->incarnation == 0) {
        status = hf__tag_number(fold, item->tag, &row.tag);
    } else {
        status = hf_session_get(fold->tables, &id, &session, fold->error);
        status = hf__fold_expect(fold, HF_LAW_S7, status, "session", id.incarnation);
        if (status == HF_OK) row.tag = session.tag;
    }
    return status == HF_OK ? hf__item_put(fold, NULL, &row) : status;
}

static hf_status restart_items(struct restart *self)
{
    const struct hf_turn_item *items = self->body->items.items;
    hf_status status = HF_OK;
    for (size_t i = 0; status == HF_OK && i < self->body->items.count; i++) {
        if (i > 0 && items[i].event_id <= items[i - 1].event_id) {
            return hf__fold_misfit(self->fold, HF_LAW_L6, "its items are not by rising event id");
        }
        struct hf_arena_mark mark = hf_arena_mark(self->fold->tables->arena);
        status = schedule_again(self, &items[i], i + 1);
        hf_arena_reset_to(self->fold->tables->arena, mark);
    }
    return status;
}

static hf_status restart_timers(struct restart *self)
{
    const struct hf_turn_timer *timers = self->body->timers.items;
    hf_status status = HF_OK;
    for (size_t i = 0; status == HF_OK && i < self->body->timers.count; i++) {
        struct hf_timer_place place = {
            timers[i].due_unix_ms, { self->row.number, self->row.execution, timers[i].event_id }
        };
        struct hf_ref event;
        struct hf_row_timer row = { HF_TIMER_MESSAGE,
                                    hf_ref_of(self->fold->record, timers[i].body) };
        status = kept_ref(self, timers[i].event_id, &event);
        if (status == HF_OK) status = hf__timer_put(self->fold, &place, &row);
    }
    return status;
}

/* A message's name in the inbox is the record that brought it, so they come in the old order. */
static hf_status message_again(struct restart *self, uint64_t event_id)
{
    struct hf__fold *fold = self->fold;
    struct hf_row_message row = { .execution = self->row.execution };
    unsigned char bytes[HF_MESSAGE_SIZE];
    hf_slice other;
    hf_status status = former_ref(self, event_id, &row.body);
    if (status != HF_OK) return status;
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ self->row.number, row.body.lsn });
    status = hf_table_get(fold->tables, HF_TABLE_INBOX, hf_key_slice(&key), &other, fold->error);
    if (status == HF_OK) {
        return hf__fold_misfit(fold, HF_LAW_H3, "two messages of record %" PRIu64 " come again",
                               row.body.lsn);
    }
    if (status != HF_NOT_FOUND) return status;
    hf_message_write(&row, bytes);
    return hf__fold_put(fold, HF_TABLE_INBOX, &key, hf_bytes(bytes, sizeof bytes));
}

static hf_status restart_messages(struct restart *self)
{
    const struct hf_turn_carried *messages = self->body->messages.items;
    hf_status status = HF_OK;
    for (size_t i = 0; status == HF_OK && i < self->body->messages.count; i++) {
        status = message_again(self, messages[i].event_id);
    }
    return status;
}

/* ---- what it had said ------------------------------------------------------------------------ */

/* With nothing kept, what the ended execution left is what the next one finds, as when it continues
 * as new. Else it is what the ended one found, and what the kept part made of that. */
static hf_status restart_values(struct restart *self)
{
    const struct hf_turn_value *values = self->body->values.items;
    uint64_t instance = self->row.number;
    if (self->body->events_kept == 0) return hf__values_settle(self->fold, instance);
    hf_status status = hf__values_revert(self->fold, instance);
    for (size_t i = 0; status == HF_OK && i < self->body->values.count; i++) {
        struct hf_ref ref;
        status = kept_ref(self, values[i].event_id, &ref);
        if (status != HF_OK) return status;
        if (values[i].key.size > HF_ID_SIZE_MAX || (!values[i].cleared && !values[i].key.size)) {
            return hf__fold_misfit(self->fold, HF_LAW_L6, "a value has no key");
        }
        status = values[i].cleared ? hf__value_clear(self->fold, instance, values[i].key)
                                   : hf__value_set(self->fold, instance, values[i].key, &ref);
    }
    return status;
}

static hf_status restart_status(struct restart *self)
{
    struct hf_row_instance *row = &self->row;
    row->status_version++;
    self->fold->tables->effects |= HF_EFFECT_CHANGED;
    if (self->body->events_kept == 0) {
        row->status_former = row->status_ref;
        return HF_OK;
    }
    row->status_ref = row->status_former;
    if (self->body->status_event == 0) return HF_OK;
    return kept_ref(self, self->body->status_event, &row->status_ref);
}

static hf_status restart_letters(struct restart *self)
{
    hf_status status = HF_OK;
    for (; status == HF_OK && self->fold->rows_left > 0; self->fold->rows_left--) {
        status = hf__dead_letter_purge(self->fold, self->row.number);
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* It has ended no more: the next execution stands at its start. */
static void row_begin(struct restart *self)
{
    struct hf_row_instance *row = &self->row;
    *row = self->before;
    row->status = HF_INSTANCE_RUNNING;
    row->execution++;
    row->head = row->turn_due_lsn = self->fold->record->lsn;
    row->next_event_id = 1;
    row->ended_unix_ms = 0;
    row->turns_lost = row->turn_deaths = 0;
    row->output = (struct hf_ref){ 0, 0, 0, 0 };
    row->version = self->body->version;
    if (self->body->engine_version != 0) row->engine_version = self->body->engine_version;
}

hf_status hf__apply_restarted(struct hf__fold *fold, const struct hf_restarted *body)
{
    static hf_status (*const parts[])(struct restart *) = {
        restart_history,  restart_sessions, restart_items,  restart_timers,
        restart_messages, restart_values,   restart_status, restart_letters,
    };
    struct restart restart = { .fold = fold, .body = body };
    hf_status status = restart_check(&restart);
    if (status != HF_OK) return status;
    row_begin(&restart);
    for (size_t i = 0; status == HF_OK && i < HF_COUNT_OF(parts); i++) status = parts[i](&restart);
    if (status != HF_OK) return status;
    hf_assert(restart.row.next_event_id > 1);
    return hf__instance_put(fold,
                            &(struct hf__instance_change){ &restart.before, &restart.row, false });
}
