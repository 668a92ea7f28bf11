/* The laws of docs/laws.md, each broken by itself: one row of the table below changes a record or a
 * row of a sound store, and verify must report exactly that law. A row of a table that is changed
 * is not what the log makes of it either: so X1 or X2 stands beside what the audit says. */
#include "tests/unit/logstore/law_store.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "indexes/rows_internal.h"
#include "indexes/values.h"

#define BIT(code) (UINT64_C(1) << HF_LAW_##code)

/* A turn of an instance, as its next one could be. */
static struct hf_turn_committed next_turn(struct law_store *self, const char *id)
{
    struct hf_row_instance row = law_instance(self, id);
    return (struct hf_turn_committed){ .instance = row.number,
                                       .execution = row.execution,
                                       .head = row.head,
                                       .registration = self->thief,
                                       .outcome = HF_OUTCOME_RUNNING };
}

/* ---- the log's own laws ---------------------------------------------------------------------- */

static void record_is_missing(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_MESSAGE, 0);
    memmove(&self->records[place], &self->records[place + 1],
            (self->records_count - place - 1) * sizeof self->records[0]);
    self->records_count--;
    self->is_log_changed = true;
}

static void last_record_is_missing(struct law_store *self)
{
    self->records_count--;
    self->is_log_changed = true;
}

static void bit_is_flipped(struct law_store *self)
{
    struct hf_table_row row;
    char bytes[4096];
    assert_true(store_row(self->store, HF_TABLE_LOG, 5, &row));
    assert_true(row.value.size <= sizeof bytes);
    memcpy(bytes, row.value.data, row.value.size);
    bytes[row.value.size / 2] = (char)(bytes[row.value.size / 2] ^ 4);
    store_must_tamper(self->store, HF_TABLE_LOG, row.key, hf_bytes(bytes, row.value.size));
}

static void store_is_created_again(struct law_store *self)
{
    law_append_bytes(self, HF_RECORD_STORE_CREATED, self->records[0].body);
}

static void store_is_another(struct law_store *self)
{
    union hf_record_body body = law_body(self, 0);
    body.store_created.store_id = (hf_slice)HF_SLICE("sixteen bytes!!!");
    law_body_set(self, 0, &body);
}

static void record_has_bytes_behind_it(struct law_store *self)
{
    char bytes[512];
    struct hf_log_record *record = &self->records[law_record(self, HF_RECORD_STARTED, 0)];
    assert_true(record->body.size < sizeof bytes);
    memcpy(bytes, record->body.data, record->body.size);
    bytes[record->body.size] = 0;
    record->body = hf_arena_copy(&self->store->arena, hf_bytes(bytes, record->body.size + 1));
    self->is_log_changed = true;
}

static void kind_is_unknown(struct law_store *self)
{
    law_append_bytes(self, HF_RECORD_KIND_MAX + 1, (hf_slice)HF_SLICE("\x80"));
}

static void outcome_is_unknown(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_TURN_COMMITTED, 0);
    union hf_record_body body = law_body(self, place);
    body.turn_committed.outcome = 99;
    law_body_set(self, place, &body);
}

/* Another record in the place of one. */
static void record_becomes_a_message(struct law_store *self, size_t place)
{
    struct hf_message_record body = { .instance = law_instance(self, "rich").number,
                                      .body = HF_SLICE("instead") };
    self->records[place].kind = HF_RECORD_MESSAGE;
    law_body_set(self, place, &body);
}

static void child_does_not_start(struct law_store *self)
{
    struct hf_turn_event event = { law_instance(self, "due").next_event_id, HF_SLICE("child") };
    struct hf_turn_child child = { .event_id = event.event_id,
                                   .id = HF_SLICE("lost"),
                                   .orchestration = HF_SLICE("demo"),
                                   .body = HF_SLICE("start"),
                                   .lost_body = HF_SLICE("lost"),
                                   .orphan_body = HF_SLICE("orphan"),
                                   .deleted_body = HF_SLICE("deleted"),
                                   .clash_body = HF_SLICE("clash") };
    struct hf_turn_committed turn = next_turn(self, "due");
    turn.events = (struct hf_list){ &event, 1 };
    turn.children = (struct hf_list){ &child, 1 };
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void parent_is_not_told_of_an_end(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_TERMINATED, 1);
    assert_int_equal(self->records[place + 1].kind, HF_RECORD_MESSAGE);
    record_becomes_a_message(self, place + 1);
    union hf_record_body body = law_body(self, place + 1);
    body.message.instance = law_instance(self, "loop").number;
    law_body_set(self, place + 1, &body);
}

static void table_has_a_key_of_another_form(struct law_store *self)
{
    static const char key[] = "\x7f\x7f\x7f";
    store_must_tamper(self->store, HF_TABLE_LOG, hf_bytes(key, 3), hf_text("x"));
}

/* ---- history --------------------------------------------------------------------------------- */

static void message_to_what_has_ended(struct law_store *self)
{
    struct hf_message_record body = { .instance = law_instance(self, "ended").number,
                                      .body = HF_SLICE("late") };
    law_append(self, HF_RECORD_MESSAGE, &body);
}

static void deleted_twice(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_DELETED, 0);
    law_append_bytes(self, HF_RECORD_DELETED, self->records[place].body);
}

static void event_is_left_out(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_TURN_COMMITTED, 0);
    union hf_record_body body = law_body(self, place);
    struct hf_turn_event *events = body.turn_committed.events.items;
    events[body.turn_committed.events.count - 1].event_id++;
    law_body_set(self, place, &body);
}

static void last_event_is_not_the_next(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_TERMINATED, 0);
    union hf_record_body body = law_body(self, place);
    body.terminated.event_id++;
    law_body_set(self, place, &body);
}

static void event_row_is_missing(struct law_store *self)
{
    struct hf_row_instance rich = law_instance(self, "rich");
    struct hf_key key = hf_key_item(&(struct hf_item_id){ rich.number, 1, 2 });
    law_row_put(self, HF_TABLE_HISTORY, &key, (hf_slice)HF_EMPTY);
}

static void answer_to_a_later_execution(struct law_store *self)
{
    struct hf_message_record body = { .instance = law_instance(self, "rich").number,
                                      .body = HF_SLICE("early"),
                                      .execution = 2 };
    law_append(self, HF_RECORD_MESSAGE, &body);
}

static void carried_event_never_was(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_TURN_COMMITTED, 2);
    union hf_record_body body = law_body(self, place);
    ((struct hf_turn_carried *)body.turn_committed.carried.items)[0].event_id = 77;
    law_body_set(self, place, &body);
}

static void message_is_consumed_twice(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_TURN_COMMITTED, 2);
    union hf_record_body body = law_body(self, place);
    struct hf_turn_committed turn = next_turn(self, "loop");
    struct hf_consumed_message *message = body.turn_committed.messages.items;
    struct hf_consumed_message dropped = { message->lsn, 0 };
    turn.messages = (struct hf_list){ &dropped, 1 };
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void timer_fires_twice(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_TIMER_FIRED, 0);
    law_append_bytes(self, HF_RECORD_TIMER_FIRED, self->records[place].body);
}

static void idempotency_key_is_used_twice(struct law_store *self)
{
    struct hf_message_record body = { .instance = law_instance(self, "rich").number,
                                      .body = HF_SLICE("again"),
                                      .key = HF_SLICE("key-1") };
    law_append(self, HF_RECORD_MESSAGE, &body);
}

static void execution_leaves_its_work_behind(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_TURN_COMMITTED, 2);
    union hf_record_body body = law_body(self, place);
    body.turn_committed.cancels.count = 0;
    law_body_set(self, place, &body);
}

static void ended_instance_has_a_message(struct law_store *self)
{
    unsigned char bytes[HF_MESSAGE_SIZE];
    struct hf_row_instance ended = law_instance(self, "ended");
    struct hf_row_message message = { .body = ended.output };
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ ended.number, ended.output.lsn });
    hf_message_write(&message, bytes);
    law_row_put(self, HF_TABLE_INBOX, &key, hf_bytes(bytes, sizeof bytes));
}

/* The timer of instance "rich", which is still to come. */
static struct hf_turn_timer timer_to_come(struct law_store *self)
{
    union hf_record_body body = law_body(self, law_record(self, HF_RECORD_TURN_COMMITTED, 0));
    return *(struct hf_turn_timer *)body.turn_committed.timers.items;
}

static void timer_fires_early(struct law_store *self)
{
    struct hf_turn_timer timer = timer_to_come(self);
    struct hf_timer_fired body = { { law_instance(self, "rich").number, 1, timer.event_id },
                                   timer.due_unix_ms };
    law_append(self, HF_RECORD_TIMER_FIRED, &body);
}

static void timer_was_due_at_another_time(struct law_store *self)
{
    struct hf_turn_timer timer = timer_to_come(self);
    struct hf_timer_fired body = { { law_instance(self, "rich").number, 1, timer.event_id },
                                   timer.due_unix_ms - 1 };
    law_append(self, HF_RECORD_TIMER_FIRED, &body);
    self->records[self->records_count - 1].wall_unix_ms = timer.due_unix_ms;
}

static void event_has_two_children(struct law_store *self)
{
    union hf_record_body body = law_body(self, law_record(self, HF_RECORD_STARTED, 3));
    assert_int_not_equal(body.started.parent_instance, 0);
    body.started.instance = law_instance(self, "due").number + 1;
    body.started.id = (hf_slice)HF_SLICE("twin");
    law_append(self, HF_RECORD_STARTED, &body);
}

static void parent_does_not_know_its_child(struct law_store *self)
{
    law_row_drop(self, HF_TABLE_CHILDREN, 0);
}

static void child_is_not_in_its_family(struct law_store *self)
{
    law_row_drop(self, HF_TABLE_FAMILIES, 0);
}

static void instance_number_is_used_again(struct law_store *self)
{
    union hf_record_body body = law_body(self, law_record(self, HF_RECORD_STARTED, 0));
    body.started.id = (hf_slice)HF_SLICE("another");
    law_append(self, HF_RECORD_STARTED, &body);
}

static void id_is_given_twice(struct law_store *self)
{
    union hf_record_body body = law_body(self, law_record(self, HF_RECORD_STARTED, 0));
    body.started.instance = law_instance(self, "due").number + 1;
    law_append(self, HF_RECORD_STARTED, &body);
}

static void resumed_without_having_been_suspended(struct law_store *self)
{
    struct hf_suspended body = { .instance = law_instance(self, "rich").number };
    law_append(self, HF_RECORD_SUSPENDED, &body);
}

/* ---- queue and delivery ---------------------------------------------------------------------- */

static void item_is_completed_twice(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_COMPLETED, 0);
    law_append_bytes(self, HF_RECORD_COMPLETED, self->records[place].body);
}

static void item_stands_in_a_queue_beside_its_state(struct law_store *self)
{
    struct hf_item_id id = law_item_id(self, HF_TABLE_ITEMS_RUNNING, false);
    struct hf_row_item item = law_item(self, &id);
    struct hf_key key = hf_key_ready(&(struct hf_ready_place){ item.tag, item.arrival });
    struct hf_key named = hf_key_item(&id);
    law_row_put(self, HF_TABLE_ITEMS_READY, &key, hf_key_slice(&named));
}

static void item_has_no_event_of_its_own(struct law_store *self)
{
    struct hf_turn_item item = { .event_id = 2 };
    struct hf_turn_committed turn = next_turn(self, "rich");
    turn.items = (struct hf_list){ &item, 1 };
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void event_schedules_twice(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_TURN_COMMITTED, 0);
    union hf_record_body body = law_body(self, place);
    struct hf_turn_item *items = body.turn_committed.items.items;
    items[3].event_id = items[2].event_id;
    law_body_set(self, place, &body);
}

/* The completion of what the second worker runs. */
static struct hf_completed completion(struct law_store *self)
{
    struct hf_item_id id = law_item_id(self, HF_TABLE_ITEMS_RUNNING, false);
    struct hf_row_item item = law_item(self, &id);
    return (struct hf_completed){ .item = id,
                                  .delivery_lsn = item.delivery_lsn,
                                  .delivery_number = item.delivery_number,
                                  .registration = item.registration,
                                  .body = HF_SLICE("done") };
}

static void completed_under_another_delivery(struct law_store *self)
{
    struct hf_completed body = completion(self);
    body.delivery_number += 40;
    law_append(self, HF_RECORD_COMPLETED, &body);
}

static void completed_by_another_worker(struct law_store *self)
{
    struct hf_completed body = completion(self);
    body.registration = body.registration == self->owner ? self->thief : self->owner;
    law_append(self, HF_RECORD_COMPLETED, &body);
}

static void delivery_says_not_truly_why(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_DELIVERED, 0);
    union hf_record_body body = law_body(self, place);
    ((struct hf_delivered_item *)body.delivered.items.items)[2].reason = HF_REASON_EXPIRED;
    law_body_set(self, place, &body);
}

static void item_is_taken_without_a_word(struct law_store *self)
{
    struct hf_completed held = completion(self);
    struct hf_delivered_item item = { .item = held.item };
    struct hf_delivered body = {
        .registration = held.registration == self->owner ? self->thief : self->owner,
        .items = { &item, 1 },
    };
    law_append(self, HF_RECORD_DELIVERED, &body);
}

static void attempts_are_forgotten(struct law_store *self)
{
    struct hf_item_id id = law_item_id(self, HF_TABLE_ITEMS_RUNNING, false);
    struct hf_row_item item = law_item(self, &id);
    struct hf_key key = hf_key_item(&id);
    item.attempts = 0;
    law_row_put(self, HF_TABLE_ITEMS, &key,
                hf_encode(&hf__row_item_layout, &item, &self->store->arena));
}

/* An item that was put aside. */
static struct hf_item_id item_aside(struct law_store *self)
{
    struct hf_table_row row;
    for (size_t i = 0; store_row(self->store, HF_TABLE_ITEMS, i, &row); i++) {
        struct hf_item_id id;
        assert_true(hf_key_read_item(row.key, &id));
        if (law_item(self, &id).state == HF_ITEM_DELAYED) return id;
    }
    fail_msg("no item is put aside");
    return (struct hf_item_id){ 0, 0, 0 };
}

static void item_is_delivered_before_its_time(struct law_store *self)
{
    struct hf_delivered_item item = { .item = item_aside(self) };
    struct hf_delivered body = { .registration = self->thief, .items = { &item, 1 } };
    law_append(self, HF_RECORD_DELIVERED, &body);
}

static void item_comes_back_before_its_time(struct law_store *self)
{
    union hf_record_body abandoned = law_body(self, law_record(self, HF_RECORD_ABANDONED, 1));
    struct hf_timer_fired body = { item_aside(self), abandoned.abandoned.due_unix_ms };
    law_append(self, HF_RECORD_TIMER_FIRED, &body);
}

static void turn_stands_on_an_older_head(struct law_store *self)
{
    struct hf_turn_committed turn = next_turn(self, "rich");
    turn.head--;
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void turn_is_of_a_former_execution(struct law_store *self)
{
    struct hf_turn_committed turn = next_turn(self, "loop");
    turn.execution--;
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void turn_lost_that_was_committed(struct law_store *self)
{
    struct hf_turn_lost body = { law_instance(self, "rich").number, 3, self->owner,
                                 HF_REASON_ABANDONED };
    law_append(self, HF_RECORD_TURN_LOST, &body);
}

static void due_turn_is_forgotten(struct law_store *self)
{
    law_row_drop(self, HF_TABLE_TURNS_DUE, 0);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static void session_is_opened_twice(struct law_store *self)
{
    struct hf_turn_session opened = { .incarnation = 2, .id = HF_SLICE("queued") };
    struct hf_turn_committed turn = next_turn(self, "rich");
    turn.opened = (struct hf_list){ &opened, 1 };
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void session_is_released_by_another(struct law_store *self)
{
    struct hf_row_session row = law_session(self, law_instance(self, "rich").number, 1);
    struct hf_released_session session = { row.id.instance, row.id.incarnation, row.epoch };
    assert_int_equal(row.owner, self->thief);
    struct hf_sessions_released body = { self->owner, HF_REASON_RELEASED, { &session, 1 } };
    law_append(self, HF_RECORD_SESSIONS_RELEASED, &body);
}

static void session_has_two_owners(struct law_store *self)
{
    struct hf_session_id id = { law_instance(self, "rich").number, 1 };
    struct hf_key key = hf_key_session_owned(&(struct hf_session_owned_place){ self->owner, id });
    law_row_put(self, HF_TABLE_SESSIONS_OWNED, &key, (hf_slice){ "", 0 });
}

static void item_runs_under_another_than_the_owner(struct law_store *self)
{
    struct hf_session_id id = { law_instance(self, "rich").number, 1 };
    struct hf_row_session row = law_session(self, id.instance, id.incarnation);
    struct hf_key key = hf_key_session(&id);
    row.owner = self->owner;
    law_row_put(self, HF_TABLE_SESSIONS, &key,
                hf_encode(&hf__row_session_layout, &row, &self->store->arena));
}

static void claim_says_not_truly_why(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_DELIVERED, 0);
    union hf_record_body body = law_body(self, place);
    assert_true(body.delivered.claims.count > 0);
    ((struct hf_claimed_session *)body.delivered.claims.items)[0].reason = HF_REASON_RELEASED;
    law_body_set(self, place, &body);
}

static void session_is_taken_from_somebody_else(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_DELIVERED, 2);
    union hf_record_body body = law_body(self, place);
    assert_true(body.delivered.claims.count > 0);
    struct hf_claimed_session *claim = body.delivered.claims.items;
    assert_int_equal(claim->from, self->owner);
    claim->from = self->thief;
    law_body_set(self, place, &body);
}

static void item_of_a_session_is_delivered_without_claim(struct law_store *self)
{
    struct hf_delivered_item item = { .item = { law_instance(self, "rich").number, 1, 9 },
                                      .reason = HF_REASON_FIRST };
    struct hf_delivered body = { .registration = self->owner, .items = { &item, 1 } };
    law_append(self, HF_RECORD_DELIVERED, &body);
}

/* What the first worker was given in session 1, before that was taken over. */
static void completed_under_an_older_claim(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_DELIVERED, 0);
    union hf_record_body given = law_body(self, place);
    const struct hf_delivered_item *items = given.delivered.items.items;
    assert_int_equal(items[1].item.event_id, 5);
    struct hf_completed body = { .item = items[1].item,
                                 .delivery_lsn = self->records[place].lsn,
                                 .delivery_number = 2,
                                 .registration = self->owner,
                                 .body = HF_SLICE("late") };
    law_append(self, HF_RECORD_COMPLETED, &body);
}

static void closed_session_leaves_an_item(struct law_store *self)
{
    struct hf_key key = hf_key_session(
        &(struct hf_session_id){ law_instance(self, "rich").number, 2 });
    law_row_put(self, HF_TABLE_SESSIONS, &key, (hf_slice)HF_EMPTY);
}

static void ended_instance_has_a_session(struct law_store *self)
{
    struct hf_row_session row = { .id = { law_instance(self, "ended").number, 1 },
                                  .name = HF_SLICE("left"),
                                  .quiet_unix_ms = 1 };
    struct hf_key key = hf_key_session(&row.id);
    law_row_put(self, HF_TABLE_SESSIONS, &key,
                hf_encode(&hf__row_session_layout, &row, &self->store->arena));
}

static void closed_session_is_claimed(struct law_store *self)
{
    struct hf_claimed_session claim = { .instance = law_instance(self, "rich").number,
                                        .incarnation = 3,
                                        .reason = HF_REASON_FIRST };
    struct hf_delivered body = { .registration = self->owner, .claims = { &claim, 1 } };
    law_append(self, HF_RECORD_DELIVERED, &body);
}

static void session_has_another_tag_than_its_items(struct law_store *self)
{
    struct hf_session_id id = { law_instance(self, "rich").number, 1 };
    struct hf_row_session row = law_session(self, id.instance, id.incarnation);
    struct hf_key key = hf_key_session(&id);
    assert_int_not_equal(row.tag, 0);
    row.tag = 0;
    law_row_put(self, HF_TABLE_SESSIONS, &key,
                hf_encode(&hf__row_session_layout, &row, &self->store->arena));
}

/* ---- registrations and tokens ---------------------------------------------------------------- */

static void dead_worker_is_given_work(struct law_store *self)
{
    union hf_record_body ended = law_body(self, law_record(self, HF_RECORD_REGISTRATION_ENDED, 0));
    struct hf_delivered_item item = { .item = law_item_id(self, HF_TABLE_ITEMS_READY, false) };
    struct hf_delivered body = { .registration = ended.registration_ended.registration,
                                 .items = { &item, 1 } };
    law_append(self, HF_RECORD_DELIVERED, &body);
}

static void dead_worker_commits_a_turn(struct law_store *self)
{
    union hf_record_body ended = law_body(self, law_record(self, HF_RECORD_REGISTRATION_ENDED, 0));
    struct hf_turn_committed turn = next_turn(self, "due");
    turn.registration = ended.registration_ended.registration;
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void worker_is_registered_twice(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_REGISTERED, 0);
    law_append_bytes(self, HF_RECORD_REGISTERED, self->records[place].body);
}

static void live_registration_has_no_worker(struct law_store *self)
{
    store_must_tamper(self->store, HF_TABLE_WORKERS, hf_text("worker"), (hf_slice)HF_EMPTY);
}

static void item_is_delivered_twice_in_one_record(struct law_store *self)
{
    struct hf_item_id id = law_item_id(self, HF_TABLE_ITEMS_READY, false);
    bool is_first = law_item(self, &id).attempts == 0;
    struct hf_delivered_item item = { .item = id,
                                      .reason = is_first ? HF_REASON_FIRST : HF_REASON_NONE };
    struct hf_delivered_item items[] = { item, item };
    struct hf_delivered body = { .registration = self->owner, .items = { items, 2 } };
    law_append(self, HF_RECORD_DELIVERED, &body);
}

static void generation_is_raised_to_itself(struct law_store *self)
{
    struct hf_generation_raised body = { .generation = 1, .reason = 1 };
    law_append(self, HF_RECORD_GENERATION_RAISED, &body);
}

static void generation_is_raised_by_no_record(struct law_store *self)
{
    self->next_lsn = hf_lsn_make(1, self->next_lsn);
    message_to_what_has_ended(self);
}

/* The generation is raised in order, and then a token of the former one acts. */
static void token_is_of_a_former_generation(struct law_store *self)
{
    struct hf_generation_raised raised = { .generation = 1, .reason = 1 };
    struct hf_completed late = completion(self);
    self->next_lsn = hf_lsn_make(1, self->next_lsn);
    law_append(self, HF_RECORD_GENERATION_RAISED, &raised);
    law_append(self, HF_RECORD_COMPLETED, &late);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void message_has_other_words(struct law_store *self)
{
    size_t place = law_record(self, HF_RECORD_MESSAGE, 0);
    union hf_record_body body = law_body(self, place);
    char *bytes = (char *)(uintptr_t)hf_arena_copy(&self->store->arena, body.message.body).data;
    bytes[body.message.body.size - 1] ^= 1;
    body.message.body.data = bytes;
    law_body_set(self, place, &body);
}

static void instance_started_at_another_time(struct law_store *self)
{
    struct hf_row_instance row = law_instance(self, "rich");
    struct hf_key key = hf_key_number(row.number);
    row.started_unix_ms++;
    law_row_put(self, HF_TABLE_INSTANCES, &key,
                hf_encode(&hf__row_instance_layout, &row, &self->store->arena));
}

static void idempotency_key_is_forgotten(struct law_store *self)
{
    law_row_drop(self, HF_TABLE_COMMAND_KEYS, 0);
}

static void value_that_nobody_set(struct law_store *self)
{
    unsigned char bytes[HF_VALUE_ROW_SIZE];
    struct hf_row_instance rich = law_instance(self, "rich");
    struct hf_row_value value = { .key = HF_SLICE("zzz"), .present = rich.status_ref };
    struct hf_value_key key = hf_value_key(rich.number, value.key);
    hf_value_write(&value, bytes);
    store_must_tamper(self->store, HF_TABLE_KV, hf_value_key_slice(&key),
                      hf_bytes(bytes, sizeof bytes));
}

static void session_counts_wrongly(struct law_store *self)
{
    struct hf_session_id id = { law_instance(self, "rich").number, 2 };
    struct hf_row_session row = law_session(self, id.instance, id.incarnation);
    struct hf_key key = hf_key_session(&id);
    row.ready_count++;
    law_row_put(self, HF_TABLE_SESSIONS, &key,
                hf_encode(&hf__row_session_layout, &row, &self->store->arena));
}

static void present_execution_is_pruned(struct law_store *self)
{
    struct hf_pruned body = { law_instance(self, "loop").number, 2 };
    law_append(self, HF_RECORD_PRUNED, &body);
}

static void pruned_event_is_still_there(struct law_store *self)
{
    unsigned char bytes[HF_REF_SIZE];
    struct hf_row_instance rich = law_instance(self, "rich");
    struct hf_row_instance loop = law_instance(self, "loop");
    struct hf_key key = hf_key_item(&(struct hf_item_id){ loop.number, 1, 1 });
    hf_ref_write(&rich.status_ref, bytes);
    law_row_put(self, HF_TABLE_HISTORY, &key, hf_bytes(bytes, sizeof bytes));
}

static void running_instance_is_reclaimed(struct law_store *self)
{
    struct hf_reclaimed body = { .instance = law_instance(self, "rich").number, .rows_max = 10 };
    law_append(self, HF_RECORD_RECLAIMED, &body);
}

static void running_instance_waits_to_be_reclaimed(struct law_store *self)
{
    struct hf_key key = hf_key_reclaim(
        &(struct hf_reclaim_place){ HF_RECLAIM_INSTANCE, law_instance(self, "rich").number, 0 });
    law_row_put(self, HF_TABLE_RECLAIM, &key, (hf_slice){ "", 0 });
}

/* ---- more of the same laws ------------------------------------------------------------------- */

static hf_slice text_of(struct law_store *self, size_t size)
{
    char *text = hf_arena_array(&self->store->arena, size, 1);
    assert_non_null(text);
    memset(text, 'x', size);
    return hf_bytes(text, size);
}

static void instance_id_is_too_long(struct law_store *self)
{
    struct hf_started body = { .instance = law_instance(self, "due").number + 1,
                               .id = text_of(self, HF_ID_SIZE_MAX + 1),
                               .orchestration = HF_SLICE("demo"),
                               .body = HF_SLICE("start") };
    law_append(self, HF_RECORD_STARTED, &body);
}

static void engine_version_is_too_large(struct law_store *self)
{
    struct hf_started body = { .instance = law_instance(self, "due").number + 1,
                               .id = HF_SLICE("new"),
                               .orchestration = HF_SLICE("demo"),
                               .engine_version = UINT64_C(1) << 40,
                               .body = HF_SLICE("start") };
    law_append(self, HF_RECORD_STARTED, &body);
}

static void engine_version_of_a_turn_is_too_large(struct law_store *self)
{
    struct hf_turn_committed turn = next_turn(self, "rich");
    turn.engine_version = UINT64_C(1) << 40;
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void worker_id_is_too_long(struct law_store *self)
{
    struct hf_registered body = { .worker_id = text_of(self, HF_ID_SIZE_MAX + 1),
                                  .life = HF_SLICE("life") };
    law_append(self, HF_RECORD_REGISTERED, &body);
}

static void idempotency_key_is_too_long(struct law_store *self)
{
    struct hf_message_record body = { .instance = law_instance(self, "rich").number,
                                      .body = HF_SLICE("x"),
                                      .key = text_of(self, HF_TABLE_KEY_SIZE_MAX + 1) };
    law_append(self, HF_RECORD_MESSAGE, &body);
}

static void tag_is_too_long(struct law_store *self)
{
    struct hf_turn_committed turn = next_turn(self, "rich");
    struct hf_turn_session opened = { .incarnation = 9,
                                      .id = HF_SLICE("new"),
                                      .tag = text_of(self, HF_ID_SIZE_MAX + 1) };
    turn.opened = (struct hf_list){ &opened, 1 };
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void next_execution_has_no_first_event(struct law_store *self)
{
    struct hf_turn_committed turn = next_turn(self, "due");
    turn.outcome = HF_OUTCOME_CONTINUED;
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void reclaimed_is_a_session_of_a_registration(struct law_store *self)
{
    struct hf_reclaimed body = { .registration = self->owner, .incarnation = 1, .rows_max = 1 };
    law_append(self, HF_RECORD_RECLAIMED, &body);
}

static void message_has_no_body(struct law_store *self)
{
    struct hf_message_record body = { .instance = law_instance(self, "rich").number };
    law_append(self, HF_RECORD_MESSAGE, &body);
}

static void running_instance_is_restarted(struct law_store *self)
{
    struct hf_restarted body = { .instance = law_instance(self, "rich").number,
                                 .execution = 1,
                                 .body = HF_SLICE("start") };
    law_append(self, HF_RECORD_RESTARTED, &body);
}

static void former_execution_is_restarted(struct law_store *self)
{
    struct hf_restarted body = { .instance = law_instance(self, "ended").number,
                                 .execution = 9,
                                 .body = HF_SLICE("start") };
    law_append(self, HF_RECORD_RESTARTED, &body);
}

/* The record that restarted "again", changed. */
static void restart_change(struct law_store *self, void (*change)(struct hf_restarted *body))
{
    size_t place = law_record(self, HF_RECORD_RESTARTED, 0);
    union hf_record_body body = law_body(self, place);
    change(&body.restarted);
    law_body_set(self, place, &body);
}

static void change_item_event(struct hf_restarted *body)
{
    ((struct hf_turn_item *)body->items.items)[1].event_id = body->events_kept + 1;
}

static void restarted_item_is_of_no_kept_event(struct law_store *self)
{
    restart_change(self, change_item_event);
}

static void change_message(struct hf_restarted *body)
{
    static struct hf_turn_carried message = { 99 };
    body->messages = (struct hf_list){ &message, 1 };
}

static void restarted_message_never_was(struct law_store *self)
{
    restart_change(self, change_message);
}

static void change_sessions(struct hf_restarted *body)
{
    static struct hf_turn_session twice[2];
    twice[0] = twice[1] = *(struct hf_turn_session *)body->sessions.items;
    body->sessions = (struct hf_list){ twice, 2 };
}

static void restarted_session_is_opened_twice(struct law_store *self)
{
    restart_change(self, change_sessions);
}

static void change_no_session(struct hf_restarted *body)
{
    body->sessions.count = 0;
}

static void restarted_item_is_on_no_open_session(struct law_store *self)
{
    restart_change(self, change_no_session);
}

static void change_item_order(struct hf_restarted *body)
{
    struct hf_turn_item *items = body->items.items;
    items[1].event_id = items[0].event_id;
}

static void restarted_items_are_out_of_order(struct law_store *self)
{
    restart_change(self, change_item_order);
}

static void change_timers(struct hf_restarted *body)
{
    static struct hf_turn_timer twice[2];
    twice[0] = twice[1] = *(struct hf_turn_timer *)body->timers.items;
    body->timers = (struct hf_list){ twice, 2 };
}

static void restarted_timer_is_set_twice(struct law_store *self)
{
    restart_change(self, change_timers);
}

static void change_value(struct hf_restarted *body)
{
    ((struct hf_turn_value *)body->values.items)->key = (hf_slice)HF_EMPTY;
}

static void restarted_value_has_no_key(struct law_store *self)
{
    restart_change(self, change_value);
}

static void change_session_id(struct hf_restarted *body)
{
    ((struct hf_turn_session *)body->sessions.items)->id = (hf_slice)HF_EMPTY;
}

static void restarted_session_has_no_id(struct law_store *self)
{
    restart_change(self, change_session_id);
}

static void session_has_no_id(struct law_store *self)
{
    struct hf_turn_session opened = { .incarnation = 9 };
    struct hf_turn_committed turn = next_turn(self, "rich");
    turn.opened = (struct hf_list){ &opened, 1 };
    law_append(self, HF_RECORD_TURN_COMMITTED, &turn);
}

static void id_points_to_another_instance(struct law_store *self)
{
    unsigned char bytes[8];
    hf_put_le64(bytes, law_instance(self, "loop").number);
    store_must_tamper(self->store, HF_TABLE_INSTANCE_IDS, hf_text("rich"),
                      hf_bytes(bytes, sizeof bytes));
}

static void ready_item_stands_among_those_that_run(struct law_store *self)
{
    struct hf_item_id id = law_item_id(self, HF_TABLE_ITEMS_READY, false);
    struct hf_row_item item = law_item(self, &id);
    struct hf_running_place place = { self->owner, item.tag, item.arrival };
    struct hf_key key = hf_key_running(&place), named = hf_key_item(&id);
    law_row_put(self, HF_TABLE_ITEMS_RUNNING, &key, hf_key_slice(&named));
}

static void release_says_not_why(struct law_store *self)
{
    struct hf_row_session row = law_session(self, law_instance(self, "rich").number, 1);
    struct hf_released_session session = { row.id.instance, row.id.incarnation, row.epoch };
    struct hf_sessions_released body = { .registration = row.owner, .sessions = { &session, 1 } };
    law_append(self, HF_RECORD_SESSIONS_RELEASED, &body);
}

static void release_of_a_session_at_work(struct law_store *self)
{
    struct hf_row_session row = law_session(self, law_instance(self, "rich").number, 1);
    struct hf_released_session session = { row.id.instance, row.id.incarnation, row.epoch };
    struct hf_sessions_released body = { row.owner, HF_REASON_RELEASED, { &session, 1 } };
    assert_true(row.running_count > 0);
    law_append(self, HF_RECORD_SESSIONS_RELEASED, &body);
}

static void registration_counts_wrongly(struct law_store *self)
{
    struct hf_row_registration row;
    struct hf_key key = hf_key_number(self->thief);
    law_registration(self, self->thief, &row);
    row.sessions_count++;
    law_row_put(self, HF_TABLE_REGISTRATIONS, &key,
                hf_encode(&hf__row_registration_layout, &row, &self->store->arena));
}

static void next_instance_number_was_given_out(struct law_store *self)
{
    unsigned char bytes[8];
    hf_put_le64(bytes, law_instance(self, "due").number);
    store_must_tamper(self->store, HF_TABLE_META, hf_text("next_instance"),
                      hf_bytes(bytes, sizeof bytes));
}

static void event_beyond_the_end(struct law_store *self)
{
    unsigned char bytes[HF_REF_SIZE];
    struct hf_row_instance rich = law_instance(self, "rich");
    struct hf_key key = hf_key_item(&(struct hf_item_id){ rich.number, 1, rich.next_event_id });
    hf_ref_write(&rich.status_ref, bytes);
    law_row_put(self, HF_TABLE_HISTORY, &key, hf_bytes(bytes, sizeof bytes));
}

/* Changes the row of the item that runs. */
static void running_item_put(struct law_store *self, const struct hf_row_item *item)
{
    struct hf_key key = hf_key_item(&item->id);
    law_row_put(self, HF_TABLE_ITEMS, &key,
                hf_encode(&hf__row_item_layout, item, &self->store->arena));
}

static void item_has_the_body_of_another_event(struct law_store *self)
{
    struct hf_item_id id = law_item_id(self, HF_TABLE_ITEMS_RUNNING, false);
    struct hf_row_item item = law_item(self, &id);
    item.body.lsn++;
    running_item_put(self, &item);
}

static void session_is_quiet_with_items(struct law_store *self)
{
    struct hf_session_id id = { law_instance(self, "rich").number, 2 };
    struct hf_row_session row = law_session(self, id.instance, id.incarnation);
    struct hf_key key = hf_key_session(&id);
    row.quiet_unix_ms = 1;
    law_row_put(self, HF_TABLE_SESSIONS, &key,
                hf_encode(&hf__row_session_layout, &row, &self->store->arena));
}

/* ---- the table ------------------------------------------------------------------------------- */

struct mutant {
    const char *name;
    void (*make)(struct law_store *self);
    enum hf_law law;  /* that it breaks */
    uint64_t besides; /* what necessarily breaks with it */
};

#define MUTANT(name, code, besides)                                                                \
    {                                                                                              \
#name, name, HF_LAW_##code, besides                                                        \
    }
static const struct mutant mutants[] = {
    MUTANT(record_is_missing, L1, 0),
    MUTANT(last_record_is_missing, L1, 0),
    MUTANT(bit_is_flipped, L2, 0),
    MUTANT(store_is_created_again, L4, 0),
    MUTANT(store_is_another, L4, 0),
    MUTANT(record_has_bytes_behind_it, L6, 0),
    MUTANT(kind_is_unknown, L6, 0),
    MUTANT(outcome_is_unknown, L6, 0),
    MUTANT(child_does_not_start, L7, BIT(X1) | BIT(X2)),
    MUTANT(parent_is_not_told_of_an_end, L7, BIT(X2)),
    MUTANT(table_has_a_key_of_another_form, P1, 0),
    MUTANT(message_to_what_has_ended, H1, 0),
    MUTANT(deleted_twice, H1, 0),
    MUTANT(event_is_left_out, H1, 0),
    MUTANT(last_event_is_not_the_next, H1, 0),
    MUTANT(event_row_is_missing, H1, BIT(X2)),
    MUTANT(answer_to_a_later_execution, H2, 0),
    MUTANT(carried_event_never_was, H2, 0),
    MUTANT(message_is_consumed_twice, H3, 0),
    MUTANT(timer_fires_twice, H3, 0),
    MUTANT(idempotency_key_is_used_twice, H3, 0),
    MUTANT(execution_leaves_its_work_behind, H4, 0),
    MUTANT(ended_instance_has_a_message, H4, BIT(X2)),
    MUTANT(timer_fires_early, H5, 0),
    MUTANT(timer_was_due_at_another_time, H5, 0),
    MUTANT(event_has_two_children, H6, 0),
    MUTANT(parent_does_not_know_its_child, H6, BIT(X2)),
    MUTANT(child_is_not_in_its_family, H6, BIT(X2)),
    MUTANT(instance_number_is_used_again, H10, 0),
    MUTANT(id_is_given_twice, H10, 0),
    MUTANT(resumed_without_having_been_suspended, H11, 0),
    MUTANT(item_is_completed_twice, Q1, 0),
    MUTANT(item_stands_in_a_queue_beside_its_state, Q1, BIT(X2)),
    MUTANT(item_has_no_event_of_its_own, Q2, 0),
    MUTANT(event_schedules_twice, Q2, 0),
    MUTANT(completed_under_another_delivery, Q4, 0),
    MUTANT(completed_by_another_worker, Q4, 0),
    MUTANT(delivery_says_not_truly_why, Q5, 0),
    MUTANT(item_is_taken_without_a_word, Q5, 0),
    MUTANT(attempts_are_forgotten, Q6, BIT(X1)),
    MUTANT(item_is_delivered_before_its_time, Q7, 0),
    MUTANT(item_comes_back_before_its_time, Q7, 0),
    MUTANT(turn_stands_on_an_older_head, Q8, 0),
    MUTANT(turn_is_of_a_former_execution, Q8, 0),
    MUTANT(turn_lost_that_was_committed, Q8, 0),
    MUTANT(due_turn_is_forgotten, Q9, BIT(X2)),
    MUTANT(session_is_opened_twice, S1, 0),
    MUTANT(session_is_released_by_another, S2, 0),
    MUTANT(session_has_two_owners, S2, BIT(X2)),
    MUTANT(claim_says_not_truly_why, S3, 0),
    MUTANT(session_is_taken_from_somebody_else, S3, 0),
    MUTANT(item_of_a_session_is_delivered_without_claim, S4, 0),
    MUTANT(item_runs_under_another_than_the_owner, S4, BIT(X1)),
    MUTANT(completed_under_an_older_claim, S5, 0),
    MUTANT(closed_session_leaves_an_item, S6, BIT(X2)),
    MUTANT(ended_instance_has_a_session, S6, BIT(X2)),
    MUTANT(closed_session_is_claimed, S7, 0),
    MUTANT(session_has_another_tag_than_its_items, S11, BIT(X1)),
    MUTANT(dead_worker_is_given_work, R1, 0),
    MUTANT(dead_worker_commits_a_turn, R1, 0),
    MUTANT(worker_is_registered_twice, R2, 0),
    MUTANT(live_registration_has_no_worker, R2, BIT(X2)),
    MUTANT(item_is_delivered_twice_in_one_record, T1, 0),
    MUTANT(generation_is_raised_to_itself, T1, 0),
    MUTANT(generation_is_raised_by_no_record, T1, 0),
    MUTANT(token_is_of_a_former_generation, T1, 0),
    MUTANT(message_has_other_words, X1, 0),
    MUTANT(instance_started_at_another_time, X1, 0),
    MUTANT(idempotency_key_is_forgotten, X2, 0),
    MUTANT(value_that_nobody_set, X2, 0),
    MUTANT(session_counts_wrongly, X3, BIT(X1)),
    MUTANT(present_execution_is_pruned, X6, 0),
    MUTANT(pruned_event_is_still_there, X6, BIT(X2)),
    MUTANT(running_instance_is_reclaimed, X7, 0),
    MUTANT(running_instance_waits_to_be_reclaimed, X7, BIT(X2)),
    MUTANT(instance_id_is_too_long, L6, 0),
    MUTANT(engine_version_is_too_large, L6, 0),
    MUTANT(engine_version_of_a_turn_is_too_large, L6, 0),
    MUTANT(worker_id_is_too_long, L6, 0),
    MUTANT(idempotency_key_is_too_long, L6, 0),
    MUTANT(tag_is_too_long, L6, 0),
    MUTANT(next_execution_has_no_first_event, L6, 0),
    MUTANT(reclaimed_is_a_session_of_a_registration, L6, 0),
    MUTANT(message_has_no_body, L6, 0),
    MUTANT(running_instance_is_restarted, H1, 0),
    MUTANT(former_execution_is_restarted, H1, 0),
    MUTANT(restarted_item_is_of_no_kept_event, H2, 0),
    MUTANT(restarted_message_never_was, H2, 0),
    MUTANT(restarted_session_is_opened_twice, S1, 0),
    MUTANT(restarted_item_is_on_no_open_session, S7, 0),
    MUTANT(restarted_items_are_out_of_order, L6, 0),
    MUTANT(restarted_timer_is_set_twice, Q2, 0),
    MUTANT(restarted_value_has_no_key, L6, 0),
    MUTANT(restarted_session_has_no_id, S1, 0),
    MUTANT(session_has_no_id, S1, 0),
    MUTANT(id_points_to_another_instance, H10, BIT(X1)),
    MUTANT(ready_item_stands_among_those_that_run, Q1, BIT(X2)),
    MUTANT(release_says_not_why, S3, 0),
    MUTANT(release_of_a_session_at_work, S4, 0),
    MUTANT(registration_counts_wrongly, X3, BIT(X1)),
    MUTANT(next_instance_number_was_given_out, X3, BIT(X1)),
    MUTANT(event_beyond_the_end, H1, BIT(X2)),
    MUTANT(item_has_the_body_of_another_event, Q2, BIT(X1)),
    MUTANT(session_is_quiet_with_items, X1, 0),
};

static void laws_print(const char *what, uint64_t laws)
{
    char line[256] = "";
    size_t size = 0;
    for (enum hf_law law = 0; law < HF_LAW_COUNT; law++) {
        if (!(laws & UINT64_C(1) << law)) continue;
        int more = snprintf(line + size, sizeof line - size, " %s", hf_law_code(law));
        size += more > 0 && size + (size_t)more < sizeof line ? (size_t)more : 0;
    }
    print_error("    %s:%s\n", what, line);
}

/* Each mutant is reported by its laws and no other; put back, the store is sound again. */
static void test_each_broken_law_is_reported_alone(void **state)
{
    static struct law_store laws; /* large */
    size_t wrong_count = 0;
    law_store_init(&laws, *state);
    for (size_t i = 0; i < HF_COUNT_OF(mutants); i++) {
        const struct mutant *mutant = &mutants[i];
        uint64_t expected = UINT64_C(1) << mutant->law | mutant->besides;
        print_message("%s\n", mutant->name);
        mutant->make(&laws);
        uint64_t found = law_verify(&laws);
        if (found != expected) {
            print_error("%s is not reported as it should be\n", mutant->name);
            laws_print("expected", expected);
            laws_print("reported", found);
            wrong_count++;
        }
        law_restore(&laws);
        assert_int_equal(law_verify(&laws), 0);
    }
    assert_int_equal(wrong_count, 0);
}

/* No law is without a mutant that it reports. */
static void test_every_law_has_a_killing_mutant(void **state)
{
    (void)state;
    uint64_t killing = 0, all = (UINT64_C(1) << HF_LAW_COUNT) - 1;
    for (size_t i = 0; i < HF_COUNT_OF(mutants); i++) killing |= UINT64_C(1) << mutants[i].law;
    size_t count = 0;
    for (enum hf_law law = 0; law < HF_LAW_COUNT; law++) count += (killing >> law) & 1;
    print_message("%zu of %d laws have a killing mutant; %zu mutants\n", count, HF_LAW_COUNT,
                  HF_COUNT_OF(mutants));
    if (killing != all) laws_print("without one", all & ~killing);
    assert_true(killing == all);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_each_broken_law_is_reported_alone),
        cmocka_unit_test(test_every_law_has_a_killing_mutant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
