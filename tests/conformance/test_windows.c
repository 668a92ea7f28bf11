/* The reclaim window: a dead worker's sessions wait for its worker id until it is over, and for
 * nobody else is anything held up. */
#include "tests/conformance/world.h"

enum { WINDOW_MS = 5000 };

/* While the window is open the sessions stay their dead owner's, with what ran in them queued, and
 * the row shows how long; ordinary work is free at once. When it is over anybody may claim, without
 * any other event: the look itself finds it. */
static void test_sessions_wait_until_the_window_is_over(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register_to_return(world, "a", WINDOW_MS);
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 2);
    scene_items(world, a, "plain", 1);
    size_t count;
    items_fetch(world, a, 2, &count);
    assert_int_equal(count, 2);
    struct hf_store_command plain = fetch_items_command(world, a);
    plain.fetch_items.no_sessions = true;
    assert_ok(world_run(world, &plain), &world->error);
    assert_int_equal(plain.fetch_items.out_items_count, 1);
    worker_die(world, "a", a);
    struct hf_item_grant free = item_take(world, b);
    assert_true(free.incarnation == 0 && free.deaths == 1);
    struct hf_session_row row = session_row(world, instance, 1);
    assert_true(row.owner == a && row.queued_count == 2 && row.running_count == 0);
    assert_int_equal(row.lease_left_ms, WINDOW_MS);
    world->boot_ms += WINDOW_MS - 1;
    worker_renew(world, b);
    assert_no_item(world, b);
    world->boot_ms += 1;
    assert_true(world_peek(world, b).out_items_ready);
    struct hf_item_grant *grants = items_fetch(world, b, 10, &count);
    assert_int_equal(count, 2);
    assert_true(grants[0].first_in_claim && grants[0].deaths == 1 && grants[0].from == a);
    assert_int_equal(grants[0].claim_reason, HF_REASON_DEAD);
}

/* The worker that comes back has its sessions at once, before older ones of others, and claims them
 * anew; what it does not claim others get when the window is over. */
static void test_returning_worker_claims_its_sessions_first(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register_to_return(world, "a", WINDOW_MS);
    uint64_t b = worker_register(world, "b");
    uint64_t c = worker_register(world, "c");
    uint64_t older = scene_session(world, a, "older", 1);
    item_take(world, c);
    uint64_t first = scene_session(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    uint64_t second = scene_session(world, a, "two", 1);
    item_take(world, a);
    worker_die(world, "c", c);
    world_kill(world, "a");
    uint64_t again = worker_register(world, "a");
    struct hf_item_grant mine = item_take(world, again);
    assert_int_equal(mine.token.item.instance, first);
    assert_true(mine.epoch > grant.epoch && mine.first_in_claim && mine.from == a);
    assert_int_equal(item_take(world, b).token.item.instance, older);
    assert_no_item(world, b);
    world->boot_ms += WINDOW_MS;
    assert_int_equal(item_take(world, b).token.item.instance, second);
}

/* Without a window a dead worker's sessions are whoever's fetches first. */
static void test_without_a_window_sessions_are_anybodys_at_once(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 1);
    item_take(world, a);
    world_kill(world, "a");
    worker_register(world, "a");
    assert_true(item_take(world, b).first_in_claim);
}

/* An end in order opens no window. */
static void test_shutdown_opens_no_window(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register_to_return(world, "a", WINDOW_MS);
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 1);
    item_take(world, a);
    assert_ok(worker_end(world, a, HF_REASON_SHUTDOWN), &world->error);
    assert_int_equal(session_row(world, instance, 1).owner, 0);
    assert_true(item_take(world, b).first_in_claim);
}

/* Reclaiming waits for the window of this registration, says so, and goes on with others: nobody
 * spins. When the window is over it clears up, and the lease row goes with the registration. */
static void test_reclaim_waits_for_the_window_and_goes_on_with_others(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register_to_return(world, "a", WINDOW_MS);
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    item_complete(world, a, &grant.token);
    plan_commit(scene_turn(world, b));
    worker_die(world, "a", a);
    assert_false(world_peek(world, b).out_reclaim);
    assert_int_equal(world_reclaim(world), 0);
    scene_items(world, b, "many", 1200);
    instance_message(world, "many", "end");
    struct plan *plan = scene_turn(world, b);
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan_commit(plan);
    assert_true(world_peek(world, b).out_reclaim);
    assert_int_equal(world_reclaim(world), 1);
    assert_false(world_peek(world, b).out_reclaim);
    assert_true(session_row(world, instance, 1).owner == a);
    world->boot_ms += WINDOW_MS;
    assert_true(world_peek(world, b).out_reclaim);
    assert_int_equal(world_reclaim(world), 1);
    assert_int_equal(session_row(world, instance, 1).owner, 0);
    assert_false(world_peek(world, b).out_reclaim);
}

/* More running work than one record moves goes back while the window is open, step by step, and
 * the sessions stay. */
static void test_work_of_a_waiting_session_goes_back_in_steps(void **state)
{
    enum { ITEMS = 1300 };
    struct world *world = *state;
    uint64_t a = worker_register_to_return(world, "a", WINDOW_MS);
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", ITEMS);
    size_t count, taken = 0;
    while (taken < ITEMS) {
        items_fetch(world, a, 1000, &count);
        taken += count;
    }
    worker_die(world, "a", a);
    assert_int_equal(session_row(world, instance, 1).running_count, 300);
    assert_true(world_peek(world, b).out_reclaim);
    assert_no_item(world, b);
    assert_int_equal(world_reclaim(world), 1);
    struct hf_session_row row = session_row(world, instance, 1);
    assert_true(row.owner == a && row.running_count == 0 && row.queued_count == ITEMS);
    assert_false(world_peek(world, b).out_reclaim);
    uint64_t again = worker_register(world, "a");
    struct hf_item_grant *grants = items_fetch(world, again, 1000, &count);
    assert_int_equal(count, 1000);
    for (size_t i = 0; i < count; i++) assert_int_equal(grants[i].deaths, 1);
}

/* The window is soft: when the machine was started anew, it is over. */
static void test_lost_soft_state_ends_the_window(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register_to_return(world, "a", WINDOW_MS);
    scene_session(world, a, "one", 1);
    item_take(world, a);
    worker_die(world, "a", a);
    world_reopen(world, "boot-2");
    uint64_t b = worker_register(world, "b");
    assert_true(item_take(world, b).first_in_claim);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_sessions_wait_until_the_window_is_over),
        CASE(test_returning_worker_claims_its_sessions_first),
        CASE(test_without_a_window_sessions_are_anybodys_at_once),
        CASE(test_shutdown_opens_no_window),
        CASE(test_reclaim_waits_for_the_window_and_goes_on_with_others),
        CASE(test_work_of_a_waiting_session_goes_back_in_steps),
        CASE(test_lost_soft_state_ends_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
