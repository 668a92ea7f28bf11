/* The fold of an instance's life: start, messages, turns, timers, continue-as-new, ends. */
#include "tests/unit/indexes/world.h"

#include <string.h>

/* A started instance is pending, due at its start, and has one event. */
static void test_start_makes_instance_due(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    uint64_t start = world_start(&world, 1, "talk");
    struct hf_row_instance row = world_instance(&world, 1);
    assert_int_equal(row.status, HF_INSTANCE_PENDING);
    assert_int_equal(row.head, start);
    assert_int_equal(row.turn_due_lsn, start);
    assert_int_equal(row.next_event_id, 2);
    assert_int_equal(row.started_unix_ms, 1000);
    assert_int_equal(world.effects, HF_EFFECT_TURNS_DUE);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 1);
    assert_int_equal(world_start(&world, 2, "walk"), start + 1);
    struct hf_started again = {
        .instance = 3, .id = hf_text("talk"), .body = hf_text("x"), .orchestration = hf_text("o")
    };
    world_refuse(&world, HF_RECORD_STARTED, &again);
    again.id = hf_text("free");
    again.instance = 5;
    world_refuse(&world, HF_RECORD_STARTED, &again);
    world_release(&world);
}

/* An item goes from the turn that schedules it to a delivery, a completion, and the turn that reads
 * it, and leaves nothing. */
static void test_item_runs_from_turn_to_turn(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    uint64_t event_id = turn_item(&turn, 0, "gpu");
    uint64_t head = world_turn(&world, &turn);
    assert_int_equal(world.effects, HF_EFFECT_ITEMS_READY);
    assert_int_equal(world_instance(&world, 1).turn_due_lsn, 0);
    assert_int_equal(world_instance(&world, 1).status, HF_INSTANCE_RUNNING);
    assert_int_equal(world_item(&world, event_id).state, HF_ITEM_READY);
    assert_int_equal(world_item(&world, event_id).arrival.lsn, head);
    uint64_t registration = world_register(&world, "worker");
    uint64_t delivery = world_deliver(&world, registration, event_id, 0);
    struct hf_row_item item = world_item(&world, event_id);
    assert_int_equal(item.state, HF_ITEM_RUNNING);
    assert_int_equal(item.attempts, 1);
    assert_int_equal(item.delivery_lsn, delivery);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_READY), 0);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_RUNNING), 1);
    uint64_t completion = world_complete(&world, registration, event_id, delivery);
    assert_int_equal(world.effects, HF_EFFECT_TURNS_DUE);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS), 0);
    assert_int_equal(world_instance(&world, 1).turn_due_lsn, completion);
    turn = turn_begin(&world);
    turn_consume(&turn, completion);
    turn.body.output_event = turn_event(&turn, "done");
    turn.body.outcome = HF_OUTCOME_COMPLETED;
    world_turn(&world, &turn);
    struct hf_row_instance row = world_instance(&world, 1);
    assert_int_equal(row.status, HF_INSTANCE_COMPLETED);
    assert_int_equal(row.output.lsn, row.head);
    assert_int_equal(row.ended_unix_ms, world.wall_unix_ms - 10);
    assert_true(world.effects & HF_EFFECT_ENDED);
    assert_int_equal(world_count(&world, HF_TABLE_INBOX), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 0);
    assert_int_equal(world_count(&world, HF_TABLE_HISTORY), 4);
    world_release(&world);
}

/* A ref names exactly the bytes of its payload within the record, and a changed byte fails its
 * check. */
static void test_history_refs_name_payloads(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct hf_ref ref;
    world_begin(&world);
    assert_ok(hf_history_get(&world.tables, &(struct hf_item_id){ 1, 1, 1 }, &ref, &world.error),
              &world.error);
    world_end(&world);
    const struct hf_fold_record *started = &world.records[world.records_count - 1];
    assert_int_equal(ref.lsn, started->lsn);
    hf_slice payload = { started->body.data + ref.offset, ref.size };
    assert_true(hf_slice_equal(payload, hf_text("started")));
    assert_true(hf_ref_check(&ref, payload));
    assert_false(hf_ref_check(&ref, hf_text("startes")));
    assert_false(hf_ref_check(&ref, hf_text("starte")));
    world_release(&world);
}

/* Messages left over by a turn keep the instance due, at the oldest of them; a dropped one leaves
 * no event. */
static void test_messages_left_over_stay_due(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    uint64_t first = world_message(&world, "one");
    assert_int_equal(world.effects, 0);
    uint64_t second = world_message(&world, "two");
    uint64_t third = world_message(&world, "three");
    struct world_turn turn = turn_begin(&world);
    turn_consume(&turn, first);
    turn.messages[turn.body.messages.count++] = (struct hf_consumed_message){ second, 0 };
    world_turn(&world, &turn);
    assert_int_equal(world_instance(&world, 1).turn_due_lsn, third);
    assert_int_equal(world_instance(&world, 1).next_event_id, 3);
    assert_int_equal(world_count(&world, HF_TABLE_INBOX), 1);
    turn = turn_begin(&world);
    turn_consume(&turn, first);
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    assert_non_null(strstr(world.error.message, "message"));
    world_release(&world);
}

/* Event ids that leave a gap or repeat, another head, another execution and foreign events are
 * refused. */
static void test_turn_that_does_not_fit_is_corrupt(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn.next_event_id++;
    turn_event(&turn, "gap");
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    turn = turn_begin(&world);
    turn.body.head++;
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    turn = turn_begin(&world);
    turn.body.execution++;
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    turn = turn_begin(&world);
    turn_item(&turn, 0, "");
    turn.items[0].event_id = 1;
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    turn = turn_begin(&world);
    turn_item(&turn, 0, "");
    turn.items[1] = turn.items[0];
    turn.body.items.count = 2;
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    turn = turn_begin(&world);
    turn.body.outcome = 77;
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    turn = turn_begin(&world);
    turn.body.outcome = HF_OUTCOME_COMPLETED;
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    world_release(&world);
}

/* Records about an instance that is not there, or has ended, are refused; so are bodies that are no
 * body, and kinds that are none. */
static void test_records_of_nobody_are_corrupt(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct hf_message_record message = { .instance = 1, .body = hf_text("hello") };
    world_refuse(&world, HF_RECORD_MESSAGE, &message);
    world_start(&world, 1, "talk");
    struct hf_terminated end = { 1, 1, 3, hf_text("stop"), HF_EMPTY, 0 };
    world_refuse(&world, HF_RECORD_TERMINATED, &end);
    end.event_id = 2;
    world_fold(&world, HF_RECORD_TERMINATED, &end);
    assert_int_equal(world_instance(&world, 1).status, HF_INSTANCE_TERMINATED);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 0);
    world_refuse(&world, HF_RECORD_MESSAGE, &message);
    struct hf_fold_record record = { world.next_lsn, HF_RECORD_MESSAGE, 0, hf_text("no map") };
    world_begin(&world);
    assert_status(hf_apply(&world.tables, &record, &world.error), HF_CORRUPT);
    assert_int_equal(world.error.lsn, record.lsn);
    record.kind = HF_RECORD_KIND_MAX + 1;
    assert_status(hf_apply(&world.tables, &record, &world.error), HF_CORRUPT);
    world_end(&world);
    world_release(&world);
}

/* What one turn schedules and cancels leaves no item, no timer and no queue row. */
static void test_cancels_in_the_same_turn_net_nothing(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_cancel(&turn, turn_item(&turn, 0, ""));
    turn_cancel(&turn, turn_timer(&turn, 5000));
    turn_cancel(&turn, 999);
    world_turn(&world, &turn);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_READY), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TIMERS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TIMERS_BY_ID), 0);
    world_release(&world);
}

/* A cancel reaches a running item: it goes, and its holder is to be told. */
static void test_cancel_voids_a_running_item(void **state)
{
    (void)state;
    struct world world;
    uint64_t event_id = world_init_with_item(&world);
    uint64_t registration = world_register(&world, "worker");
    uint64_t delivery = world_deliver(&world, registration, event_id, 0);
    struct world_turn turn = turn_begin(&world);
    turn_cancel(&turn, event_id);
    world_turn(&world, &turn);
    assert_true(world.effects & HF_EFFECT_VOIDED);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_RUNNING), 0);
    struct hf_completed late = {
        { 1, 1, event_id }, delivery, 1, registration, hf_text("late"), 0
    };
    world_refuse(&world, HF_RECORD_COMPLETED, &late);
    world_release(&world);
}

/* Timers stand by due time; a fired one becomes a message with the body that the turn gave it. */
static void test_timer_fires_into_the_inbox(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_timer(&turn, 9000);
    uint64_t event_id = turn_timer(&turn, 5000);
    uint64_t head = world_turn(&world, &turn);
    assert_true(world.effects & HF_EFFECT_TIMERS);
    struct hf_timer_place place = { 0, { 0, 0, 0 } };
    struct hf_row_timer timer;
    world_begin(&world);
    assert_ok(hf_timers_next(&world.tables, &place, &timer, &world.error), &world.error);
    world_end(&world);
    assert_int_equal(place.due_unix_ms, 5000);
    assert_int_equal(place.id.event_id, event_id);
    struct hf_timer_fired fired = { .timer = place.id, .due_unix_ms = 5000 };
    world_refuse(&world, HF_RECORD_TIMER_FIRED, &fired); /* it is not due yet */
    assert_string_equal(world.error.code, "H5");
    world.wall_unix_ms = 5000;
    uint64_t lsn = world_fold(&world, HF_RECORD_TIMER_FIRED, &fired);
    assert_int_equal(world_instance(&world, 1).turn_due_lsn, lsn);
    struct hf_row_message message;
    world_begin(&world);
    assert_ok(
        hf_inbox_next(&world.tables, &(struct hf_number_pair){ 1, 0 }, &message, &world.error),
        &world.error);
    world_end(&world);
    assert_int_equal(message.lsn, lsn);
    assert_int_equal(message.body.lsn, head);
    assert_int_equal(message.execution, 1);
    assert_true(hf_ref_check(&message.body, hf_text("fired")));
    world_refuse(&world, HF_RECORD_TIMER_FIRED, &fired);
    turn = turn_begin(&world);
    turn_consume(&turn, lsn);
    world_turn(&world, &turn);
    assert_int_equal(world_count(&world, HF_TABLE_TIMERS), 1);
    world_release(&world);
}

/* Continue-as-new begins a history of its own with the carried events, keeps sessions and messages,
 * and is due at once. */
static void row_6c_6_continue_as_new_is_one_step(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "chat");
    uint64_t pending = turn_item(&turn, 1, "");
    world_turn(&world, &turn);
    uint64_t message = world_message(&world, "keep me");
    world_message(&world, "still there");
    turn = turn_begin(&world);
    uint64_t kept = turn_consume(&turn, message);
    turn_event(&turn, "continued");
    turn.body.outcome = HF_OUTCOME_CONTINUED;
    turn.body.next_body = hf_text("second start");
    turn.carried[0].event_id = kept;
    turn.body.carried.count = 1;
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    assert_non_null(strstr(world.error.message, "pending"));
    turn_cancel(&turn, pending);
    uint64_t head = world_turn(&world, &turn);
    struct hf_row_instance row = world_instance(&world, 1);
    assert_int_equal(row.execution, 2);
    assert_int_equal(row.next_event_id, 3);
    assert_int_equal(row.head, head);
    assert_int_equal(row.turn_due_lsn, head);
    struct hf_ref ref;
    world_begin(&world);
    assert_ok(hf_history_get(&world.tables, &(struct hf_item_id){ 1, 2, 2 }, &ref, &world.error),
              &world.error);
    world_end(&world);
    assert_int_equal(ref.lsn, message);
    assert_int_equal(world_session(&world, 1).ready_count, 0);
    assert_int_equal(world_count(&world, HF_TABLE_INBOX), 1);
    turn = turn_begin(&world);
    turn_item(&turn, 1, "");
    world_turn(&world, &turn);
    assert_int_equal(world_session(&world, 1).ready_count, 1);
    world_release(&world);
}

/* A message names the execution whose item it answers, so that the next execution does not take it
 * for its own. */
static void test_message_names_the_execution_it_answers(void **state)
{
    (void)state;
    struct world world;
    uint64_t event_id = world_init_with_item(&world);
    uint64_t registration = world_register(&world, "worker");
    uint64_t delivery = world_deliver(&world, registration, event_id, 0);
    struct world_turn turn = turn_begin(&world);
    turn_event(&turn, "continued");
    uint64_t late = world_complete(&world, registration, event_id, delivery);
    uint64_t plain = world_message(&world, "hello");
    turn.body.outcome = HF_OUTCOME_CONTINUED;
    turn.body.next_body = hf_text("second start");
    world_turn(&world, &turn);
    struct hf_row_message message;
    world_begin(&world);
    assert_ok(hf_inbox_next(&world.tables, &(struct hf_number_pair){ 1, 0 }, &message, NULL), NULL);
    assert_int_equal(message.lsn, late);
    assert_int_equal(message.execution, 1);
    assert_ok(hf_inbox_next(&world.tables, &(struct hf_number_pair){ 1, late }, &message, NULL),
              NULL);
    assert_int_equal(message.lsn, plain);
    assert_int_equal(message.execution, 0);
    world_end(&world);
    assert_int_equal(world_instance(&world, 1).execution, 2);
    world_release(&world);
}

/* An item has its identity, session and tag; its input stands in the event alone, which it names.
 */
static void row_6b_3_item_names_its_event_and_nothing_twice(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "chat");
    uint64_t plain = turn_item(&turn, 0, "gpu");
    uint64_t bound = turn_item(&turn, 1, "");
    world_turn(&world, &turn);
    struct hf_row_item item = world_item(&world, plain);
    const struct hf_item_id id = { 1, 1, plain };
    struct hf_ref event;
    world_begin(&world);
    assert_ok(hf_history_get(&world.tables, &id, &event, &world.error), &world.error);
    world_end(&world);
    assert_int_equal(item.body.lsn, event.lsn);
    assert_int_equal(item.body.offset, event.offset);
    assert_int_equal(item.body.size, event.size);
    assert_int_equal(item.id.instance, 1);
    assert_int_equal(item.id.execution, 1);
    assert_int_equal(item.incarnation, 0);
    assert_int_not_equal(item.tag, 0);
    assert_int_equal(world_item(&world, bound).incarnation, 1);
    assert_int_equal(world_item(&world, bound).tag, 0);
    world_release(&world);
}

/* The custom status is that of the event which set it last, and counts its changes. */
static void row_6c_7_status_event_sets_custom_status(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn.body.status_event = turn_event(&turn, "busy");
    uint64_t head = world_turn(&world, &turn);
    assert_int_equal(world_instance(&world, 1).status_ref.lsn, head);
    world_message(&world, "go on");
    turn = turn_begin(&world);
    world_turn(&world, &turn);
    assert_int_equal(world_instance(&world, 1).status_ref.lsn, head);
    assert_int_equal(world_instance(&world, 1).status_version, 1);
    world_release(&world);
}

/* A message for a locked turn makes the instance due without a turns_due row; the commit releases
 * the lock and puts it there. */
static void test_message_for_a_locked_turn_waits_for_its_commit(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    uint64_t start = world_start(&world, 1, "talk");
    uint64_t registration = world_register(&world, "worker");
    struct hf_row_instance row = world_instance(&world, 1);
    world_begin(&world);
    assert_ok(hf_turn_lock_put(&world.tables, &row,
                               &(struct hf_turn_lock){ registration, 7, start, 0 }, &world.error),
              &world.error);
    world_end(&world);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 0);
    struct world_turn turn = turn_begin(&world);
    uint64_t message = world_message(&world, "meanwhile");
    assert_int_equal(world.effects, 0);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 0);
    world_turn(&world, &turn);
    assert_true(world.effects & HF_EFFECT_TURNS_DUE);
    assert_int_equal(world_instance(&world, 1).turn_due_lsn, message);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 1);
    assert_int_equal(world_count(&world, HF_TABLE_TURN_LOCKS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TURN_LOCKS_OWNED), 0);
    world_release(&world);
}

/* A lost turn counts, releases its lock and moves no head; the next commit counts from nothing
 * again. */
static void test_lost_turn_counts_and_unlocks(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    uint64_t start = world_start(&world, 1, "talk");
    struct hf_row_instance row = world_instance(&world, 1);
    world_begin(&world);
    assert_ok(hf_turn_lock_put(&world.tables, &row, &(struct hf_turn_lock){ 0, 7, start, 99 },
                               &world.error),
              &world.error);
    world_end(&world);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_HELD), 1);
    struct hf_turn_lost lost = { .instance = 1, .head = start + 1, .reason = HF_REASON_DEAD };
    world_refuse(&world, HF_RECORD_TURN_LOST, &lost);
    lost.head = start;
    world_fold(&world, HF_RECORD_TURN_LOST, &lost);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_HELD), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 1);
    assert_int_equal(world_instance(&world, 1).turns_lost, 1);
    assert_int_equal(world_instance(&world, 1).head, start);
    struct world_turn turn = turn_begin(&world);
    world_turn(&world, &turn);
    assert_int_equal(world_instance(&world, 1).turns_lost, 0);
    world_release(&world);
}

/* An idempotency key is remembered with what it did, and never used twice. */
static void test_idempotency_key_is_remembered(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct hf_message_record message = { .instance = 1,
                                         .body = HF_SLICE("hello"),
                                         .key = HF_SLICE("key") };
    uint64_t lsn = world_fold(&world, HF_RECORD_MESSAGE, &message);
    struct hf_row_command_key row;
    world_begin(&world);
    assert_ok(hf_command_key_find(&world.tables, hf_text("key"), &row, &world.error), &world.error);
    world_end(&world);
    assert_int_equal(row.lsn, lsn);
    assert_int_equal(row.instance, 1);
    world_refuse(&world, HF_RECORD_MESSAGE, &message);
    world_release(&world);
}

/* A turn of another engine version moves the instance to that version's queue. */
static void test_engine_version_moves_the_due_row(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn.body.engine_version = 3;
    world_turn(&world, &turn);
    uint64_t message = world_message(&world, "go on");
    struct hf_turn_due place = { 0, 0, 0 };
    world_begin(&world);
    assert_ok(hf_turns_due_next(&world.tables, &place, &world.error), &world.error);
    assert_int_equal(place.engine_version, 3);
    assert_int_equal(place.arrival_lsn, message);
    assert_status(hf_turns_due_next(&world.tables, &place, &world.error), HF_NOT_FOUND);
    world_end(&world);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_makes_instance_due),
        cmocka_unit_test(test_item_runs_from_turn_to_turn),
        cmocka_unit_test(test_history_refs_name_payloads),
        cmocka_unit_test(test_messages_left_over_stay_due),
        cmocka_unit_test(test_turn_that_does_not_fit_is_corrupt),
        cmocka_unit_test(test_records_of_nobody_are_corrupt),
        cmocka_unit_test(test_cancels_in_the_same_turn_net_nothing),
        cmocka_unit_test(test_cancel_voids_a_running_item),
        cmocka_unit_test(test_timer_fires_into_the_inbox),
        cmocka_unit_test(row_6c_6_continue_as_new_is_one_step),
        cmocka_unit_test(test_message_names_the_execution_it_answers),
        cmocka_unit_test(row_6b_3_item_names_its_event_and_nothing_twice),
        cmocka_unit_test(row_6c_7_status_event_sets_custom_status),
        cmocka_unit_test(test_message_for_a_locked_turn_waits_for_its_commit),
        cmocka_unit_test(test_lost_turn_counts_and_unlocks),
        cmocka_unit_test(test_idempotency_key_is_remembered),
        cmocka_unit_test(test_engine_version_moves_the_due_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
