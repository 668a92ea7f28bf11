/* Deaths and suspects: how often a process died in an item, and that an item in which two died runs
 * alone, without starving and without holding everybody up. */
#include "tests/conformance/world.h"

#include <stdio.h>

/* Registers a worker anew that died with what it had in its hands. */
static uint64_t worker_restart(struct world *world, const char *worker_id)
{
    world_kill(world, worker_id);
    return worker_register(world, worker_id);
}

/* Makes the one ordinary item of a new instance a suspect: two processes die in it. */
static uint64_t scene_suspect(struct world *world, uint64_t registration, const char *id)
{
    uint64_t instance = scene_items(world, registration, id, 1);
    for (int i = 0; i < 2; i++) {
        uint64_t victim = worker_restart(world, "victim");
        struct hf_item_grant grant = item_take(world, victim);
        assert_int_equal(grant.token.item.instance, instance);
        assert_int_equal(grant.deaths, i);
    }
    world_kill(world, "victim");
    uint64_t victim = worker_register(world, "victim");
    assert_ok(worker_end(world, victim, HF_REASON_SHUTDOWN), &world->error);
    return instance;
}

/* The same for the item of a session, which is orphaned then. */
static uint64_t scene_session_suspect(struct world *world, uint64_t registration, const char *id)
{
    uint64_t instance = scene_session(world, registration, id, 1);
    for (int i = 0; i < 2; i++) item_take(world, worker_restart(world, "victim"));
    world_kill(world, "victim");
    uint64_t victim = worker_register(world, "victim");
    assert_ok(worker_end(world, victim, HF_REASON_SHUTDOWN), &world->error);
    return instance;
}

/* ---- deaths ---------------------------------------------------------------------------------- */

/* A death counts as a delivery and as a death; a shutdown, a failure and an expiry are no deaths.
 */
static void test_only_deaths_count_as_deaths(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    item_take(world, a);
    a = worker_restart(world, "a");
    struct hf_item_grant grant = item_take(world, a);
    assert_true(grant.attempt == 2 && grant.deaths == 1);
    assert_ok(worker_end(world, a, HF_REASON_SHUTDOWN), &world->error);
    grant = item_take(world, b);
    assert_true(grant.attempt == 3 && grant.deaths == 1);
    struct hf_store_command back = abandon_command(b, &grant.token);
    assert_ok(world_run(world, &back), &world->error);
    grant = item_take(world, b);
    assert_true(grant.attempt == 4 && grant.deaths == 1);
    world->boot_ms += WORLD_ITEMS_MS;
    a = worker_register(world, "a");
    grant = item_take(world, a);
    assert_true(grant.attempt == 5 && grant.deaths == 1);
}

/* Of more items than one record moves, each has its death counted once: those that went back with
 * the record of the death, those that a fetch takes from the dead, those that are reclaimed. */
static void test_deaths_are_counted_whoever_puts_the_work_back(void **state)
{
    enum { ITEMS = 1300 };
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", ITEMS);
    size_t count, taken = 0;
    while (taken < ITEMS) {
        items_fetch(world, a, 1000, &count);
        taken += count;
    }
    world_kill(world, "a");
    assert_ok(worker_end(world, a, HF_REASON_DEAD), &world->error);
    struct hf_item_grant *grants = items_fetch(world, b, 1000, &count);
    assert_int_equal(count, 1000);
    for (size_t i = 0; i < count; i++) assert_int_equal(grants[i].deaths, 1);
    struct hf_item_grant *stolen = items_fetch(world, b, 100, &count);
    assert_int_equal(count, 100);
    for (size_t i = 0; i < count; i++) assert_int_equal(stolen[i].deaths, 1);
    assert_int_equal(world_reclaim(world), 1);
    grants = items_fetch(world, b, 1000, &count);
    assert_int_equal(count, 200);
    for (size_t i = 0; i < count; i++) assert_int_equal(grants[i].deaths, 1);
}

/* ---- alone ----------------------------------------------------------------------------------- */

/* An idle worker gets the suspect and nothing beside it; while it runs it gets nothing else, and
 * others get the rest; afterwards it goes on. */
static void store_beyond_19_suspect_runs_alone(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t suspect = scene_suspect(world, a, "suspect");
    scene_items(world, a, "plain", 2);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 1);
    assert_int_equal(grants[0].token.item.instance, suspect);
    assert_int_equal(grants[0].deaths, HF_SUSPECT_DEATHS);
    assert_no_item(world, a);
    item_take(world, b);
    item_complete(world, a, &grants[0].token);
    assert_int_equal(world->effects & HF_EFFECT_ITEMS_READY, HF_EFFECT_ITEMS_READY);
    item_take(world, a);
}

/* Nothing older is delivered beside it, and it beside nothing older. */
static void test_suspect_is_not_delivered_beside_older_work(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    scene_items(world, a, "older", 1);
    uint64_t b = worker_register(world, "b");
    struct hf_item_grant older = item_take(world, b);
    uint64_t suspect = scene_suspect(world, a, "suspect");
    struct hf_store_command back = abandon_command(b, &older.token);
    assert_ok(world_run(world, &back), &world->error);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 1);
    assert_int_not_equal(grants[0].token.item.instance, suspect);
    assert_no_item(world, a);
    item_complete(world, a, &grants[0].token);
    assert_int_equal(item_take(world, a).token.item.instance, suspect);
}

/* ---- making way ------------------------------------------------------------------------------ */

/* Of two busy workers one makes way and the other goes on with younger work; the first gets the
 * suspect as soon as it runs nothing, whatever younger work there is. */
static void test_one_busy_worker_makes_way_and_the_others_go_on(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "busy", 2);
    struct hf_item_grant of_a = item_take(world, a);
    struct hf_item_grant of_b = item_take(world, b);
    uint64_t suspect = scene_suspect(world, a, "suspect");
    scene_items(world, a, "younger", 3);
    assert_true(world_peek(world, a).out_items_ready); /* it has something to say */
    size_t count;
    items_fetch(world, a, 10, &count);
    assert_int_equal(count, 0);
    assert_no_item(world, a);
    worker_renew(world, a); /* keeps the note */
    struct hf_item_grant next = item_take(world, b);
    assert_int_not_equal(next.token.item.instance, suspect);
    item_complete(world, b, &of_b.token);
    assert_int_not_equal(item_take(world, b).token.item.instance, suspect);
    item_complete(world, a, &of_a.token);
    assert_int_equal(item_take(world, a).token.item.instance, suspect);
}

/* One that runs nothing takes the suspect whoever makes way for it; that one goes on then. */
static void test_idle_worker_takes_the_suspect_at_once(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    scene_items(world, a, "busy", 1);
    item_take(world, a);
    uint64_t suspect = scene_suspect(world, a, "suspect");
    scene_items(world, a, "younger", 1);
    size_t count;
    items_fetch(world, a, 10, &count);
    assert_int_equal(count, 0);
    uint64_t idle = worker_register(world, "idle");
    assert_int_equal(item_take(world, idle).token.item.instance, suspect);
    item_take(world, a);
}

/* A note of one who is dead, or whose lease has passed, or of a suspect that is gone, is none. */
static void test_way_is_made_anew_when_its_maker_is_gone(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t third = worker_register(world, "third");
    scene_items(world, a, "busy", 3);
    item_take(world, a);
    struct hf_item_grant of_b = item_take(world, b);
    item_take(world, third);
    uint64_t suspect = scene_suspect(world, b, "suspect");
    size_t count;
    items_fetch(world, a, 10, &count);
    assert_int_equal(count, 0);
    scene_items(world, b, "younger", 2);
    world->boot_ms += WORLD_ITEMS_MS; /* of a the deadline passes; what it ran is older */
    worker_renew(world, b);
    worker_renew(world, third);
    struct hf_item_grant *stolen = items_fetch(world, b, 10, &count);
    assert_int_equal(count, 1);
    assert_int_not_equal(stolen[0].token.item.instance, suspect);
    assert_no_item(world, b); /* b makes way now */
    assert_int_not_equal(item_take(world, third).token.item.instance, suspect);
    item_complete(world, b, &of_b.token);
    item_complete(world, b, &stolen[0].token);
    assert_int_equal(item_take(world, b).token.item.instance, suspect);
}

/* One that has no room for the suspect's session any more makes way no longer, and says so, also
 * when each of its fetches finds as much as it may take. */
static void test_way_is_made_by_another_when_its_maker_is_full(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t c = worker_register(world, "c");
    scene_items(world, a, "busy", 2);
    item_take(world, a);
    item_take(world, b);
    scene_session(world, a, "older", 1);
    item_take(world, c);
    scene_session_suspect(world, a, "one");
    size_t count;
    items_fetch(world, a, 10, &count);
    assert_int_equal(count, 0); /* a makes way */
    assert_ok(worker_end(world, c, HF_REASON_SHUTDOWN), &world->error);
    struct hf_store_command fetch = fetch_items_command(world, a);
    fetch.fetch_items.sessions_max = 1;
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1); /* older, and a is full with it */
    assert_true(fetch.fetch_items.out_items[0].first_in_claim);
    scene_items(world, a, "younger", 2);
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1);
    items_fetch(world, b, 10, &count);
    assert_int_equal(count, 0); /* b makes way now */
}

/* With many suspects one worker at a time is held up, not all. */
static void test_many_suspects_hold_up_one_worker(void **state)
{
    struct world *world = *state;
    const char *names[] = { "a", "b", "c" };
    uint64_t workers[3];
    for (size_t i = 0; i < 3; i++) workers[i] = worker_register(world, names[i]);
    scene_items(world, workers[0], "busy", 3);
    for (size_t i = 0; i < 3; i++) item_take(world, workers[i]);
    scene_items(world, workers[0], "suspects", 4);
    size_t count;
    for (int i = 0; i < 2; i++) {
        /* Both times all of them run, and the process dies in all. */
        uint64_t victim = worker_restart(world, "victim");
        items_fetch(world, victim, 4, &count);
        assert_int_equal(count, 4);
    }
    world_kill(world, "victim");
    assert_ok(worker_end(world, worker_register(world, "victim"), HF_REASON_SHUTDOWN),
              &world->error);
    scene_items(world, workers[0], "younger", 2);
    items_fetch(world, workers[0], 10, &count);
    assert_int_equal(count, 0);
    for (size_t i = 1; i < 3; i++) item_take(world, workers[i]);
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* The owner makes way for its session's suspect, and goes on with it; nobody else is given it, and
 * nobody else is held up. */
static void test_owner_makes_way_for_its_sessions_suspect(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session_suspect(world, a, "one");
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, a);
    plan_item(plan, 1, "");
    plan_commit(plan);
    struct hf_item_grant suspect = item_take(world, a); /* it was idle: it has the session now */
    assert_true(suspect.deaths == 2 && suspect.first_in_claim);
    struct hf_store_command back = abandon_command(a, &suspect.token);
    assert_no_item(world, a); /* not even the session's own next */
    assert_ok(world_run(world, &back), &world->error);
    scene_items(world, a, "plain", 1);
    struct hf_store_command plain = fetch_items_command(world, a);
    plain.fetch_items.no_sessions = true;
    assert_ok(world_run(world, &plain), &world->error);
    assert_int_equal(plain.fetch_items.out_items_count, 1); /* it is busy with this one */
    scene_items(world, a, "younger", 2);
    assert_no_item(world, a);
    assert_int_equal(item_take(world, b).incarnation, 0);
    item_complete(world, a, &plain.fetch_items.out_items[0].token);
    suspect = item_take(world, a);
    assert_int_equal(suspect.token.item.instance, instance);
    item_complete(world, a, &suspect.token);
    assert_int_equal(item_take(world, a).token.item.instance, instance);
}

/* A claimable session with a suspect at its head is left by the busy, whole, but for the one that
 * makes way; an idle worker claims it with the suspect alone. */
static void test_claimable_session_of_a_suspect_waits_for_an_idle_worker(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "busy", 2);
    struct hf_item_grant of_a = item_take(world, a);
    item_take(world, b);
    uint64_t instance = scene_session_suspect(world, a, "one");
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, a);
    plan_item(plan, 1, "");
    plan_commit(plan);
    scene_session(world, a, "two", 1);
    size_t count;
    items_fetch(world, a, 10, &count);
    assert_int_equal(count, 0);
    assert_no_item(world, a);
    struct hf_item_grant next = item_take(world, b);
    assert_int_not_equal(next.token.item.instance, instance);
    assert_true(next.first_in_claim);
    assert_no_item(world, b);
    item_complete(world, a, &of_a.token);
    struct hf_item_grant *grants = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 1);
    assert_true(grants[0].token.item.instance == instance && grants[0].deaths == 2);
    item_complete(world, a, &grants[0].token);
    grants = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 1);
    assert_true(grants[0].token.item.instance == instance && grants[0].deaths == 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_only_deaths_count_as_deaths),
        CASE(test_deaths_are_counted_whoever_puts_the_work_back),
        CASE(store_beyond_19_suspect_runs_alone),
        CASE(test_suspect_is_not_delivered_beside_older_work),
        CASE(test_one_busy_worker_makes_way_and_the_others_go_on),
        CASE(test_idle_worker_takes_the_suspect_at_once),
        CASE(test_way_is_made_anew_when_its_maker_is_gone),
        CASE(test_way_is_made_by_another_when_its_maker_is_full),
        CASE(test_many_suspects_hold_up_one_worker),
        CASE(test_owner_makes_way_for_its_sessions_suspect),
        CASE(test_claimable_session_of_a_suspect_waits_for_an_idle_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
