/* What clients ask: starts, messages, terminations, their idempotency keys; and the timers that
 * become messages. */
#include "tests/conformance/story.h"

#include <string.h>

/* An instance is there at once: numbered, pending, with its first event, and its turn is due. */
static void store_create_1_start_creates_the_instance_at_once(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    assert_int_equal(instance_start(world, "one"), 1);
    assert_int_equal(world->effects & HF_EFFECT_TURNS_DUE, HF_EFFECT_TURNS_DUE);
    assert_int_equal(instance_start(world, "two"), 2);
    struct hf_instance_info info = instance_info(world, "one");
    assert_int_equal(info.status, HF_INSTANCE_PENDING);
    assert_int_equal(info.execution, 1);
    assert_int_equal(info.events_count, 1);
    assert_int_equal(info.started_unix_ms, world->wall_ms);
    assert_true(hf_slice_equal(info.orchestration, hf_text("demo")));
    struct hf_turn_view view = turn_view(world, 1, 1);
    assert_int_equal(view.events_count, 1);
    assert_true(hf_slice_equal(view.events[0].body, hf_text("input")));
    assert_true(world_peek(world, registration).out_turns_due);
}

/* An id is taken whatever the state of its instance, and a second start changes nothing. */
static void store_create_2_second_start_is_refused_in_any_state(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct hf_store_command again = start_command("one");
    assert_refused(world, &again, HF_EXISTS, "");
    struct plan *plan = scene_turn(world, registration);
    assert_refused(world, &again, HF_EXISTS, "");
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan_commit(plan);
    assert_int_equal(instance_info(world, "one").status, HF_INSTANCE_COMPLETED);
    assert_refused(world, &again, HF_EXISTS, "");
}

/* A start that comes again with its key is done already, and names the same instance. */
static void store_beyond_17_start_with_known_key_takes_effect_once(void **state)
{
    struct world *world = *state;
    struct hf_store_command start = start_command("one");
    start.start.key = hf_text("key-1");
    assert_ok(world_run(world, &start), &world->error);
    uint64_t instance = start.start.out_instance;
    uint64_t fingerprint = world_fingerprint(world);
    start.start.out_instance = 0;
    assert_ok(world_run(world, &start), &world->error);
    assert_int_equal(start.start.out_instance, instance);
    assert_int_equal(start.lsn, 0);
    assert_true(world_fingerprint(world) == fingerprint);
}

/* A message and a termination that come again with their key take effect once. */
static void test_message_and_terminate_with_known_key_take_effect_once(void **state)
{
    struct world *world = *state;
    uint64_t instance = instance_start(world, "one");
    struct hf_store_command message = message_command("one", "hello");
    message.message.key = hf_text("key-2");
    assert_ok(world_run(world, &message), &world->error);
    assert_ok(world_run(world, &message), &world->error);
    assert_int_equal(inbox_count(world, instance), 1);
    struct hf_store_command terminate = terminate_command("one");
    terminate.terminate.key = hf_text("key-3");
    assert_ok(world_run(world, &terminate), &world->error);
    uint64_t events_count = instance_info(world, "one").events_count;
    assert_ok(world_run(world, &terminate), &world->error);
    assert_int_equal(instance_info(world, "one").events_count, events_count);
    /* The key still answers when the instance has ended meanwhile. */
    assert_ok(world_run(world, &message), &world->error);
}

/* A key that did something for another instance is no proof for this one. */
static void test_key_of_another_instance_is_refused(void **state)
{
    struct world *world = *state;
    struct hf_store_command start = start_command("one");
    start.start.key = hf_text("key");
    assert_ok(world_run(world, &start), &world->error);
    instance_start(world, "two");
    struct hf_store_command message = message_command("two", "hello");
    message.message.key = hf_text("key");
    assert_refused(world, &message, HF_INVALID, "");
    struct hf_store_command other = start_command("three");
    other.start.key = hf_text("key");
    assert_refused(world, &other, HF_INVALID, "");
}

/* Nor is one that did something else for this one. */
static void test_key_of_another_command_is_refused(void **state)
{
    struct world *world = *state;
    struct hf_store_command start = start_command("one");
    start.start.key = hf_text("started");
    assert_ok(world_run(world, &start), &world->error);
    struct hf_store_command message = message_command("one", "hello");
    message.message.key = hf_text("started");
    assert_refused(world, &message, HF_INVALID, "");
    struct hf_store_command delete = delete_command("one", true);
    delete.delete_instance.key = hf_text("started");
    assert_refused(world, &delete, HF_INVALID, "");
    struct hf_store_command terminate = terminate_command("one");
    terminate.terminate.key = hf_text("started");
    assert_refused(world, &terminate, HF_INVALID, "");
    terminate.terminate.key = hf_text("ended");
    assert_ok(world_run(world, &terminate), &world->error);
    start.start.key = hf_text("ended");
    assert_refused(world, &start, HF_INVALID, "");
}

/* A start without a version fits every range; the version of its first turn is the one stored. */
static void store_create_3_first_turn_resolves_the_version(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    assert_int_equal(instance_info(world, "one").engine_version, 0);
    struct plan *plan = scene_turn(world, registration);
    plan->record.engine_version = 7;
    plan_commit(plan);
    assert_int_equal(instance_info(world, "one").engine_version, 7);
}

/* Ids, names, keys and bodies that no record may hold are refused before anything is written. */
static void test_malformed_client_commands_are_refused(void **state)
{
    struct world *world = *state;
    char long_id[300];
    memset(long_id, 'x', sizeof long_id);
    instance_start(world, "one");
    struct hf_store_command command = start_command("");
    assert_refused(world, &command, HF_INVALID, "");
    command = start_command("two");
    command.start.id = hf_bytes(long_id, 256);
    assert_refused(world, &command, HF_INVALID, "");
    command.start.id = hf_bytes("a\0b", 3);
    assert_refused(world, &command, HF_INVALID, "");
    command.start.id = hf_bytes("\xff", 1);
    assert_refused(world, &command, HF_INVALID, "");
    command = start_command("two");
    command.start.orchestration = hf_text("");
    assert_refused(world, &command, HF_INVALID, "");
    command = start_command("two");
    command.start.body = hf_text("");
    assert_refused(world, &command, HF_INVALID, "");
    command = start_command("two");
    command.start.key = hf_bytes(long_id, sizeof long_id);
    assert_refused(world, &command, HF_INVALID, "");
    command = message_command("one", "");
    assert_refused(world, &command, HF_INVALID, "");
    command = (struct hf_store_command){ .kind = (enum hf_store_command_kind)99 };
    assert_refused(world, &command, HF_INVALID, "");
    command = start_command("two");
    command.start.id = hf_bytes(long_id, 255);
    assert_ok(world_run(world, &command), &world->error);
}

/* A message waits in the inbox and makes the turn of its instance due. */
static void test_message_waits_in_the_inbox_and_makes_a_turn_due(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = instance_start(world, "one");
    plan_commit(scene_turn(world, registration));
    assert_false(world_peek(world, registration).out_turns_due);
    instance_message(world, "one", "first");
    assert_int_equal(world->effects & HF_EFFECT_TURNS_DUE, HF_EFFECT_TURNS_DUE);
    instance_message(world, "one", "second");
    struct hf_turn_view view = turn_view(world, instance, 1);
    assert_int_equal(view.messages_count, 2);
    assert_true(hf_slice_equal(view.messages[0].body, hf_text("first")));
    assert_true(hf_slice_equal(view.messages[1].body, hf_text("second")));
    assert_true(world_peek(world, registration).out_turns_due);
}

/* Messages to instances that are not there, or have ended, are refused, or dropped on request. */
static void trap_b6_message_to_nobody_is_refused(void **state)
{
    struct world *world = *state;
    struct hf_store_command message = message_command("nobody", "hello");
    assert_refused(world, &message, HF_NOT_FOUND, "");
    message.message.ended_is_fine = true;
    assert_refused(world, &message, HF_NOT_FOUND, "");
    instance_start(world, "one");
    struct hf_store_command terminate = terminate_command("one");
    assert_ok(world_run(world, &terminate), &world->error);
    message = message_command("one", "hello");
    assert_refused(world, &message, HF_NOT_FOUND, "");
    message.message.ended_is_fine = true;
    uint64_t fingerprint = world_fingerprint(world);
    assert_ok(world_run(world, &message), &world->error);
    assert_true(world_fingerprint(world) == fingerprint);
}

/* A termination ends the instance at once: last event, status, nothing due, nothing to fetch, and
 * the turn in progress is refused. */
static void row_7_11_ended_instance_has_no_further_turn(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_session(world, registration, "one", 2);
    instance_message(world, "one", "hello");
    struct plan *plan = scene_turn(world, registration);
    struct hf_item_grant grant = item_take(world, registration);
    struct hf_store_command terminate = terminate_command("one");
    assert_ok(world_run(world, &terminate), &world->error);
    assert_int_equal(world->effects & (HF_EFFECT_ENDED | HF_EFFECT_VOIDED),
                     HF_EFFECT_ENDED | HF_EFFECT_VOIDED);
    struct hf_instance_info info = instance_info(world, "one");
    assert_int_equal(info.status, HF_INSTANCE_TERMINATED);
    assert_true(hf_slice_equal(info.output_body, hf_text("terminated")));
    assert_false(session_find(world, instance, 1, NULL));
    assert_int_equal(inbox_count(world, instance), 0);
    assert_no_item(world, registration);
    assert_false(world_peek(world, registration).out_turns_due);
    struct hf_store_command commit = plan_command(plan);
    assert_refused(world, &commit, HF_STALE, "instance_ended");
    struct hf_store_command complete = complete_command(registration, &grant.token);
    assert_refused(world, &complete, HF_STALE, "instance_ended");
    struct hf_store_command again = terminate_command("nobody");
    assert_refused(world, &again, HF_NOT_FOUND, "");
    uint64_t fingerprint = world_fingerprint(world);
    assert_ok(world_run(world, &terminate), &world->error);
    assert_true(world_fingerprint(world) == fingerprint);
}

/* A timer is a message that arrives when the wall clock reaches its time, and not before. */
static void store_queue_4_timer_is_invisible_before_its_time(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_timer(plan, world->wall_ms + 1000);
    plan_timer(plan, world->wall_ms + 2000);
    plan_commit(plan);
    assert_int_equal(world->effects & HF_EFFECT_TIMERS, HF_EFFECT_TIMERS);
    assert_true(world_peek(world, registration).out_next_timer_unix_ms == world->wall_ms + 1000);
    world->wall_ms += 999;
    assert_int_equal(timers_fire(world), 0);
    assert_int_equal(inbox_count(world, instance), 0);
    world->wall_ms += 1;
    assert_int_equal(timers_fire(world), 1);
    assert_int_equal(world->effects & HF_EFFECT_TURNS_DUE, HF_EFFECT_TURNS_DUE);
    struct hf_turn_view view = turn_view(world, instance, 1);
    assert_int_equal(view.messages_count, 1);
    assert_true(hf_slice_equal(view.messages[0].body, hf_text("fired")));
    assert_int_equal(timers_fire(world), 0);
    world->wall_ms += 5000;
    assert_int_equal(timers_fire(world), 1);
    assert_int_equal(world_peek(world, registration).out_next_timer_unix_ms, 0);
}

/* At most so many timers fire as are asked for; a cancelled one never does. */
static void test_timers_fire_in_bounded_steps_and_cancelled_ones_never(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    for (uint64_t i = 0; i < 5; i++) plan_timer(plan, world->wall_ms + i);
    uint64_t cancelled = plan_timer(plan, world->wall_ms);
    plan_commit(plan);
    instance_message(world, "one", "go on");
    plan = scene_turn(world, registration);
    plan_cancel(plan, cancelled);
    plan_commit(plan);
    world->wall_ms += 100;
    struct hf_store_command fire = { .kind = HF_STORE_FIRE_TIMERS };
    fire.fire_timers.timers_max = 3;
    assert_ok(world_run(world, &fire), &world->error);
    assert_int_equal(fire.fire_timers.out_fired_count, 3);
    assert_int_equal(timers_fire(world), 2);
    assert_int_equal(inbox_count(world, instance), 5);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_create_1_start_creates_the_instance_at_once),
        CASE(store_create_2_second_start_is_refused_in_any_state),
        CASE(store_beyond_17_start_with_known_key_takes_effect_once),
        CASE(test_message_and_terminate_with_known_key_take_effect_once),
        CASE(test_key_of_another_instance_is_refused),
        CASE(test_key_of_another_command_is_refused),
        CASE(store_create_3_first_turn_resolves_the_version),
        CASE(test_malformed_client_commands_are_refused),
        CASE(test_message_waits_in_the_inbox_and_makes_a_turn_due),
        CASE(trap_b6_message_to_nobody_is_refused),
        CASE(row_7_11_ended_instance_has_no_further_turn),
        CASE(store_queue_4_timer_is_invisible_before_its_time),
        CASE(test_timers_fire_in_bounded_steps_and_cancelled_ones_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
