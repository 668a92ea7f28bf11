/* Whose a session's work is, and that ordinary work is everybody's; leases of sessions that have
 * passed while nobody took anything. What is taken over is in test_fencing.c. */
#include "tests/conformance/world.h"

static void store_affinity_1_ordinary_items_go_to_any_worker(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a"), b = worker_register(world, "b");
    session_own(world, a, "of a");
    scene_items(world, a, "plain", 2);
    assert_int_equal(item_take(world, b).incarnation, 0);
    assert_int_equal(item_take(world, a).incarnation, 0);
}

static void store_affinity_3_owner_gets_the_next_items(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a"), b = worker_register(world, "b");
    struct hf_session_claim claim = session_own(world, a, "one");
    session_add(world, a, "one", 1);
    assert_no_item(world, b);
    struct hf_item_grant grant = item_take(world, a);
    assert_true(grant.epoch == claim.epoch && !grant.first_in_claim);
}

static void store_affinity_6_both_kinds_in_one_queue_are_served(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a"), b = worker_register(world, "b");
    size_t count;
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    plan_open(plan, 1, "s", "");
    plan_item(plan, 1, "");
    plan_item(plan, 0, "");
    plan_item(plan, 1, "");
    plan_item(plan, 0, "");
    plan_commit(plan);
    assert_int_equal(item_take(world, a).incarnation, 1);
    struct hf_item_grant *of_b = items_fetch(world, b, 1, &count);
    assert_int_equal(of_b[0].incarnation, 0);
    struct hf_item_grant *of_a = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 2);
    assert_int_equal(of_a[0].incarnation + of_a[1].incarnation, 1);
    assert_true(of_a[0].token.item.event_id < of_a[1].token.item.event_id);
    assert_no_item(world, b);
}

/* They are handed out in order, may run at once, and may end in any. */
static void store_affinity_18_items_of_a_session_come_oldest_first(void **state)
{
    enum { ITEMS = 4 };
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t instance = scene_session(world, a, "one", ITEMS);
    struct hf_item_grant grants[ITEMS];
    for (size_t i = 0; i < ITEMS; i++) {
        grants[i] = item_take(world, a);
        assert_true(i == 0 ||
                    grants[i].token.item.event_id == grants[i - 1].token.item.event_id + 1);
    }
    assert_int_equal(session_row(world, instance, 1).running_count, ITEMS);
    for (size_t i = ITEMS; i > 0; i--) item_complete(world, a, &grants[i - 1].token);
    assert_int_equal(inbox_count(world, instance), ITEMS);
}

static void store_affinity_25_uncounted_session_item_keeps_its_count(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    scene_session(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    struct hf_store_command back = abandon_command(a, &grant.token);
    back.abandon_item.uncounted = true;
    assert_ok(world_run(world, &back), &world->error);
    assert_int_equal(item_take(world, a).attempt, 1);
}

/* By its renewal, or by its next fetch, as long as nobody took the session. */
static void store_affinity_27_passed_lease_is_revived_by_its_owner(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a"), b = worker_register(world, "b");
    struct hf_session_claim claim = session_own(world, a, "one");
    world->boot_ms += 2 * WORLD_SESSIONS_MS;
    worker_renew(world, a);
    worker_renew(world, b);
    session_add(world, a, "one", 2);
    assert_no_item(world, b);
    assert_true(item_take(world, a).epoch == claim.epoch);
    world->boot_ms += 2 * WORLD_SESSIONS_MS;
    struct hf_item_grant grant = item_take(world, a);
    assert_true(grant.epoch == claim.epoch && !grant.first_in_claim);
    assert_null(held_code(world, a, &grant.token, &claim));
}

static void store_affinity_32_completion_under_a_passed_lease_is_accepted(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t instance = scene_session(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    world->boot_ms += 2 * WORLD_SESSIONS_MS;
    item_complete(world, a, &grant.token);
    assert_int_equal(inbox_count(world, instance), 1);
    assert_true(session_row(world, instance, 1).owner == a);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_affinity_1_ordinary_items_go_to_any_worker),
        CASE(store_affinity_3_owner_gets_the_next_items),
        CASE(store_affinity_6_both_kinds_in_one_queue_are_served),
        CASE(store_affinity_18_items_of_a_session_come_oldest_first),
        CASE(store_affinity_25_uncounted_session_item_keeps_its_count),
        CASE(store_affinity_27_passed_lease_is_revived_by_its_owner),
        CASE(store_affinity_32_completion_under_a_passed_lease_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
