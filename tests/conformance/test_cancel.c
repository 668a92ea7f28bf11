/* Work that is called off: who may still acknowledge it, who is told, and how. */
#include "tests/conformance/story.h"

/* Runs a turn of instance "one" that cancels what those events scheduled. */
static void cancel(struct world *world, uint64_t registration, const uint64_t *event_ids,
                   size_t count)
{
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, registration);
    for (size_t i = 0; i < count; i++) plan_cancel(plan, event_ids[i]);
    plan_commit(plan);
}

/* ---- what runs ------------------------------------------------------------------------------ */

static void store_cancel_1_item_of_a_running_orchestration_is_delivered(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_items(world, registration, "one", 1);
    assert_int_equal(instance_info(world, "one").status, HF_INSTANCE_RUNNING);
    assert_int_equal(item_take(world, registration).token.item.instance, instance);
}

/* holdfast purges in the commit that ends an instance what it has left: queued, running, delayed.
 * The parent of a fan-out has no work of its own behind its end. */
static void test_nothing_is_delivered_behind_the_end(void **state)
{
    static const enum hf_outcome outcomes[] = { HF_OUTCOME_COMPLETED, HF_OUTCOME_FAILED };
    static const char *const ids[] = { "completes", "fails" };
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    for (size_t i = 0; i < 2; i++) {
        scene_items(world, registration, ids[i], 2);
        struct hf_item_grant running = item_take(world, registration);
        instance_message(world, ids[i], "end");
        struct plan *plan = scene_turn(world, registration);
        plan_end(plan, outcomes[i]);
        plan_commit(plan);
        assert_no_item(world, registration);
        assert_string_equal(held_code(world, registration, &running.token, NULL), "instance_ended");
    }
}

static void store_cancel_5_item_of_a_deleted_instance_is_not_delivered(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 2);
    story_delete(world, "one");
    assert_no_item(world, registration);
}

static void store_cancel_6_renewal_works_while_the_orchestration_runs(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a"), b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    for (size_t i = 0; i < 5; i++) {
        world->boot_ms += WORLD_ITEMS_MS - 1;
        worker_renew(world, b);
        assert_null(held_code(world, a, &grant.token, NULL)); /* names it, and moves nothing */
        worker_renew(world, a);
        assert_no_item(world, b);
    }
    item_complete(world, a, &grant.token);
}

static void store_cancel_8_renewal_names_the_item_of_a_deleted_instance(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    story_delete(world, "one");
    assert_int_equal(world->effects & HF_EFFECT_VOIDED, HF_EFFECT_VOIDED);
    assert_string_equal(held_code(world, registration, &grant.token, NULL), "instance_ended");
}

/* ---- what is cancelled ---------------------------------------------------------------------- */

static void store_cancel_11_completion_of_a_cancelled_item_is_refused_for_ever(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_items(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    cancel(world, registration, &grant.token.item.event_id, 1);
    struct hf_store_command late = complete_command(registration, &grant.token);
    assert_refused(world, &late, HF_STALE, "item_final");
    world_reopen(world, NULL);
    assert_refused(world, &late, HF_STALE, "item_final");
    assert_int_equal(inbox_count(world, instance), 0);
}

static void store_cancel_12_renewal_names_the_cancelled_item(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 2);
    struct hf_item_grant called_off = item_take(world, registration);
    struct hf_item_grant kept = item_take(world, registration);
    const struct hf_item_token tokens[] = { kept.token, called_off.token };
    cancel(world, registration, &called_off.token.item.event_id, 1);
    assert_int_equal(world->effects & HF_EFFECT_VOIDED, HF_EFFECT_VOIDED);
    struct hf_store_command renew = renew_command(world, registration);
    renew.renew.items = tokens;
    renew.renew.items_count = 2;
    assert_ok(world_run(world, &renew), &world->error);
    assert_int_equal(renew.renew.out_voids_count, 1);
    assert_int_equal(renew.renew.out_voids[0].index, 1);
    assert_string_equal(renew.renew.out_voids[0].code, "item_final");
}

static void store_cancel_13_cancelling_what_is_not_there_is_no_error(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    const uint64_t nothing[] = { 4000, 1 }; /* no event; an event that scheduled nothing */
    cancel(world, registration, nothing, 2);
    struct hf_item_grant grant = item_take(world, registration);
    cancel(world, registration, &grant.token.item.event_id, 1);
    cancel(world, registration, &grant.token.item.event_id, 1);
}

static void store_cancel_14_one_commit_cancels_many(void **state)
{
    enum { MANY = 50 };
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t event_ids[MANY];
    size_t count;
    scene_items(world, registration, "one", MANY + 1);
    struct hf_item_grant first = item_take(world, registration);
    for (uint64_t i = 0; i < MANY; i++) event_ids[i] = first.token.item.event_id + 1 + i;
    uint64_t lsn = world_next_lsn(world);
    cancel(world, registration, event_ids, MANY);
    assert_true(world_next_lsn(world) == lsn + 2); /* the message, and one record of the turn */
    items_fetch(world, registration, MANY, &count);
    assert_int_equal(count, 0);
    item_complete(world, registration, &first.token);
}

static void store_cancel_16_completion_behind_a_forced_deletion_brings_nothing_back(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    story_delete(world, "one");
    uint64_t again = instance_start(world, "one");
    struct hf_store_command late = complete_command(registration, &grant.token);
    assert_refused(world, &late, HF_STALE, "instance_ended");
    assert_int_equal(inbox_count(world, again), 0);
    assert_int_equal(instance_info(world, "one").events_count, 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_cancel_1_item_of_a_running_orchestration_is_delivered),
        CASE(test_nothing_is_delivered_behind_the_end),
        CASE(store_cancel_5_item_of_a_deleted_instance_is_not_delivered),
        CASE(store_cancel_6_renewal_works_while_the_orchestration_runs),
        CASE(store_cancel_8_renewal_names_the_item_of_a_deleted_instance),
        CASE(store_cancel_11_completion_of_a_cancelled_item_is_refused_for_ever),
        CASE(store_cancel_12_renewal_names_the_cancelled_item),
        CASE(store_cancel_13_cancelling_what_is_not_there_is_no_error),
        CASE(store_cancel_14_one_commit_cancels_many),
        CASE(store_cancel_16_completion_behind_a_forced_deletion_brings_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
