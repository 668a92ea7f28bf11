/* Clearing up in bounded steps: more than HF_PURGE_MAX rows under a registration, a session, an
 * instance. */
#include "indexes/law.h"
#include "indexes/rows_internal.h"
#include "tests/unit/indexes/world.h"

#include <string.h>

enum { MANY = HF_PURGE_MAX + 150 };

/* The parts of a large turn and a large delivery: too large for a stack. */
struct many {
    struct hf_turn_event events[MANY];
    struct hf_turn_item items[MANY];
    struct hf_delivered_item delivered[MANY];
};

static struct many *many_new(struct world *world)
{
    struct many *many = hf_arena_new(&world->log, sizeof(*many));
    assert_non_null(many);
    return many;
}

/* Schedules MANY items in one turn; incarnation 0: ordinary. Event ids from row.next_event_id on.
 * Returns the first. */
static uint64_t schedule_many(struct world *world, struct many *many, uint64_t incarnation)
{
    struct world_turn turn = turn_begin(world);
    uint64_t first = turn.next_event_id;
    turn_finish(&turn);
    for (size_t i = 0; i < MANY; i++) {
        many->events[i] = (struct hf_turn_event){ first + i, hf_text("scheduled") };
        many->items[i] = (struct hf_turn_item){ .event_id = first + i, .incarnation = incarnation };
    }
    turn.body.events = (struct hf_list){ many->events, MANY };
    turn.body.items = (struct hf_list){ many->items, MANY };
    world_fold(world, HF_RECORD_TURN_COMMITTED, &turn.body);
    return first;
}

static void deliver_many(struct world *world, struct many *many, struct hf_delivered *body,
                         uint64_t first)
{
    for (size_t i = 0; i < MANY; i++) {
        many->delivered[i] = (struct hf_delivered_item){ .item = { 1, 1, first + i } };
    }
    body->items = (struct hf_list){ many->delivered, MANY };
    world_reason(world, body);
    world_fold(world, HF_RECORD_DELIVERED, body);
}

/* The reclaim work that waits: kind 0: none. */
static struct hf_reclaim_place waiting(struct world *world)
{
    struct hf_reclaim_place place = { 0, 0, 0 };
    world_begin(world);
    hf_status status = hf_reclaim_next(&world->tables, &place, &world->error);
    assert_true(status == HF_OK || status == HF_NOT_FOUND);
    world_end(world);
    return place;
}

/* An ended registration with more than 1,000 items gives back 1,000 at once, the rest step by step,
 * and then is gone. */
static void test_ended_registration_is_reclaimed_in_steps(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct many *many = many_new(&world);
    world_start(&world, 1, "talk");
    uint64_t first = schedule_many(&world, many, 0);
    uint64_t registration = world_register(&world, "worker");
    struct hf_delivered delivered = { .registration = registration };
    deliver_many(&world, many, &delivered, first);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_RUNNING), MANY);
    world_end_registration(&world, registration, HF_REASON_DEAD);
    assert_true(world.effects & HF_EFFECT_RECLAIM);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_RUNNING), MANY - HF_PURGE_MAX);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_READY), HF_PURGE_MAX);
    assert_int_equal(waiting(&world).number, registration);
    assert_int_equal(world_registration(&world, registration).ended_reason, HF_REASON_DEAD);
    struct hf_reclaimed step = { .registration = registration, .rows_max = 100 };
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_RUNNING), MANY - HF_PURGE_MAX - 100);
    assert_int_not_equal(world_register(&world, "worker"), registration);
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_RUNNING), 0);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_READY), MANY);
    assert_int_equal(world_count(&world, HF_TABLE_REGISTRATIONS), 2);
    assert_int_equal(waiting(&world).kind, 0);
    world_refuse(&world, HF_RECORD_RECLAIMED, &step);
    world_release(&world);
}

/* Stealing the last item of an ended registration ends its reclaiming too. */
static void test_stealing_the_last_item_settles_the_registration(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct many *many = many_new(&world);
    world_start(&world, 1, "talk");
    uint64_t first = schedule_many(&world, many, 0);
    uint64_t registration = world_register(&world, "worker");
    struct hf_delivered delivered = { .registration = registration };
    deliver_many(&world, many, &delivered, first);
    world_end_registration(&world, registration, HF_REASON_DEAD);
    uint64_t other = world_register(&world, "other");
    delivered.registration = other;
    deliver_many(&world, many, &delivered, first);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_RUNNING), MANY);
    assert_int_equal(world_count(&world, HF_TABLE_REGISTRATIONS), 2);
    assert_int_equal(waiting(&world).kind, 0);
    world_release(&world);
}

/* A dead owner's session with more running work than one step is released when all of that is
 * queued again, not before. */
static void test_owned_session_is_released_when_its_work_is_queued(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct many *many = many_new(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "chat");
    world_turn(&world, &turn);
    uint64_t first = schedule_many(&world, many, 1);
    uint64_t registration = world_register(&world, "worker");
    struct hf_claimed_session claim = { .instance = 1, .incarnation = 1 };
    struct hf_delivered delivered = { .registration = registration, .claims = { &claim, 1 } };
    deliver_many(&world, many, &delivered, first);
    world_end_registration(&world, registration, HF_REASON_DEAD);
    assert_int_equal(world_session(&world, 1).owner, registration);
    assert_int_equal(world_session(&world, 1).running_count, MANY - HF_PURGE_MAX);
    struct hf_reclaimed step = { .registration = registration,
                                 .rows_max = MANY - HF_PURGE_MAX + 1 };
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_int_equal(waiting(&world).kind, 0);
    assert_int_equal(world_session(&world, 1).owner, 0);
    assert_int_equal(world_session(&world, 1).unowned_reason, HF_REASON_DEAD);
    assert_int_equal(world_session(&world, 1).ready_count, MANY);
    assert_int_equal(world_count(&world, HF_TABLE_REGISTRATIONS), 1);
    world_release(&world);
}

/* A claim that takes the last session of an ended registration takes what runs in it too, and the
 * registration goes. */
static void test_claiming_the_last_session_settles_the_registration(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct many *many = many_new(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "chat");
    world_turn(&world, &turn);
    uint64_t first = schedule_many(&world, many, 1);
    uint64_t dead = world_register(&world, "worker"), other = world_register(&world, "other");
    struct hf_claimed_session claim = { .instance = 1, .incarnation = 1 };
    struct hf_delivered delivered = { .registration = dead, .claims = { &claim, 1 } };
    deliver_many(&world, many, &delivered, first);
    world_end_registration(&world, dead, HF_REASON_DEAD);
    world_deliver(&world, other, first, 1);
    assert_int_equal(world_session(&world, 1).owner, other);
    assert_int_equal(world_session(&world, 1).running_count, 1);
    assert_int_equal(world_session(&world, 1).ready_count, MANY - 1);
    assert_int_equal(world_count(&world, HF_TABLE_REGISTRATIONS), 2);
    assert_int_equal(waiting(&world).kind, 0);
    world_release(&world);
}

/* When an instance ends, the purge of its last item under an ended registration ends that
 * registration's reclaiming. */
static void test_purging_the_last_item_settles_the_registration(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct many *many = many_new(&world);
    world_start(&world, 1, "talk");
    uint64_t first = schedule_many(&world, many, 0);
    uint64_t dead = world_register(&world, "worker");
    struct hf_delivered delivered = { .registration = dead };
    deliver_many(&world, many, &delivered, first);
    world_end_registration(&world, dead, HF_REASON_DEAD);
    struct hf_terminated end = {
        1, 1, world_instance(&world, 1).next_event_id, hf_text("stop"), HF_EMPTY, 0
    };
    world_fold(&world, HF_RECORD_TERMINATED, &end);
    assert_int_equal(world_count(&world, HF_TABLE_REGISTRATIONS), 2);
    struct hf_reclaimed step = { .instance = 1, .rows_max = 1000 };
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_int_equal(world_count(&world, HF_TABLE_REGISTRATIONS), 1);
    assert_int_equal(waiting(&world).kind, 0);
    world_release(&world);
}

/* A closed session with very many items is dead at once, goes in steps, and does not hinder
 * continue-as-new meanwhile. */
static void test_closed_session_is_purged_in_steps(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct many *many = many_new(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "chat");
    world_turn(&world, &turn);
    schedule_many(&world, many, 1);
    turn = turn_begin(&world);
    turn_close(&turn, 1);
    turn_event(&turn, "continued");
    turn.body.outcome = HF_OUTCOME_CONTINUED;
    turn.body.next_body = hf_text("again");
    world_turn(&world, &turn);
    assert_true(world.effects & HF_EFFECT_RECLAIM);
    assert_int_equal(world_count(&world, HF_TABLE_SESSIONS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_SESSIONS_READY), 0);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS), MANY - HF_PURGE_MAX);
    struct hf_reclaim_place place = waiting(&world);
    assert_int_equal(place.kind, HF_RECLAIM_SESSION);
    assert_int_equal(place.incarnation, 1);
    struct hf_reclaimed step = { .instance = 1, .incarnation = 1, .rows_max = 1000 };
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_SESSION_ITEMS), 0);
    assert_int_equal(waiting(&world).kind, 0);
    world_release(&world);
}

/* An ended instance with very many items has them purged in steps, and its running ones leave their
 * registration. */
static void test_ended_instance_is_purged_in_steps(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct many *many = many_new(&world);
    world_start(&world, 1, "talk");
    uint64_t first = schedule_many(&world, many, 0);
    uint64_t registration = world_register(&world, "worker");
    struct hf_delivered delivered = { .registration = registration };
    deliver_many(&world, many, &delivered, first);
    struct hf_terminated end = {
        1, 1, world_instance(&world, 1).next_event_id, hf_text("stop"), HF_EMPTY, 0
    };
    world_fold(&world, HF_RECORD_TERMINATED, &end);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS), MANY - HF_PURGE_MAX);
    assert_int_equal(waiting(&world).kind, HF_RECLAIM_INSTANCE);
    struct hf_delivered again = { .registration = registration,
                                  .items = { &many->delivered[MANY - 1], 1 } };
    world_reason(&world, &again);
    world_refuse(&world, HF_RECORD_DELIVERED, &again); /* what is left is dead */
    assert_non_null(strstr(world.error.message, "instance 1 has ended"));
    struct hf_reclaimed both = { .instance = 1, .registration = registration, .rows_max = 1 };
    world_refuse(&world, HF_RECORD_RECLAIMED, &both);
    struct hf_reclaimed step = { .instance = 1, .rows_max = 1000 };
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_RUNNING), 0);
    assert_int_equal(waiting(&world).kind, 0);
    world_release(&world);
}

/* A row that says of a ready item that it runs is damage, and told: whoever ends that worker
 * neither goes down with it nor goes on for ever. */
static void test_ready_item_among_those_that_run_is_damage(void **state)
{
    (void)state;
    struct world world;
    uint64_t event_id = world_init_with_item(&world);
    uint64_t registration = world_register(&world, "worker");
    struct hf_row_item item = world_item(&world, event_id);
    struct hf_running_place place = { registration, item.tag, item.arrival };
    struct hf_key key = hf_key_running(&place), named = hf_key_item(&item.id);
    world_begin(&world);
    assert_ok(hf_table_put(&world.tables, HF_TABLE_ITEMS_RUNNING, hf_key_slice(&key),
                           hf_key_slice(&named), &world.error),
              &world.error);
    world_end(&world);
    struct hf_registration_ended ended = { .registration = registration, .reason = HF_REASON_DEAD };
    world_refuse(&world, HF_RECORD_REGISTRATION_ENDED, &ended);
    assert_non_null(strstr(world.error.message, "is ready"));
    assert_string_equal(world.error.code, hf_law_code(HF_LAW_Q1));
    world_drop(&world);
}

/* A row that says of an item that runs that it was never delivered is damage, and told when the
 * item is given up. */
static void test_item_that_runs_untried_is_damage(void **state)
{
    (void)state;
    struct world world;
    uint64_t event_id = world_init_with_item(&world);
    uint64_t registration = world_register(&world, "worker");
    uint64_t delivery = world_deliver(&world, registration, event_id, 0);
    struct hf_row_item item = world_item(&world, event_id);
    struct hf__row row = { HF_TABLE_ITEMS, &hf__row_item_layout, &item };
    struct hf_key key = hf_key_item(&item.id);
    item.attempts = 0;
    world_begin(&world);
    assert_ok(hf__row_put(&world.tables, &key, &row, &world.error), &world.error);
    world_end(&world);
    struct hf_completed given_up = { .item = item.id,
                                     .delivery_lsn = delivery,
                                     .delivery_number = 1,
                                     .registration = registration,
                                     .body = hf_text("poison"),
                                     .is_poison = 1 };
    world_refuse(&world, HF_RECORD_COMPLETED, &given_up);
    assert_string_equal(world.error.code, hf_law_code(HF_LAW_Q6));
    world_drop(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ended_registration_is_reclaimed_in_steps),
        cmocka_unit_test(test_stealing_the_last_item_settles_the_registration),
        cmocka_unit_test(test_owned_session_is_released_when_its_work_is_queued),
        cmocka_unit_test(test_claiming_the_last_session_settles_the_registration),
        cmocka_unit_test(test_purging_the_last_item_settles_the_registration),
        cmocka_unit_test(test_closed_session_is_purged_in_steps),
        cmocka_unit_test(test_ended_instance_is_purged_in_steps),
        cmocka_unit_test(test_ready_item_among_those_that_run_is_damage),
        cmocka_unit_test(test_item_that_runs_untried_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
