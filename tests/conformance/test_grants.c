/* What a grant tells besides its token: tag, deaths, and of a claim whose the session was, and why
 * it is not any more. And what a session's row tells: since when it is open, and quiet. */
#include "tests/conformance/world.h"

static void assert_claim_told(const struct hf_item_grant *grant, uint64_t from,
                              const char *from_worker, uint64_t reason)
{
    assert_true(grant->first_in_claim && grant->is_older_than_claim);
    assert_int_equal(grant->was_owned, from != 0);
    assert_int_equal(grant->from, from);
    assert_true(hf_slice_equal(grant->from_worker, hf_text(from_worker)));
    assert_int_equal(grant->claim_reason, reason);
    assert_true(hf_slice_equal(grant->session_body, hf_text("opened")));
}

/* ---- grants ---------------------------------------------------------------------------------- */

/* The first item of a claim tells whose the session was, and for what reason it is not any more:
 * for each way in which a session changes hands, also when the former owner has no row left. */
static void test_first_in_a_claim_tells_from_whom_and_why(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    assert_claim_told(&grant, 0, "", HF_REASON_FIRST);
    worker_die(world, "a", a);
    grant = item_take(world, b);
    assert_claim_told(&grant, a, "a", HF_REASON_DEAD);
    item_complete(world, b, &grant.token);
    struct hf_session_claim claim = claim_of(&grant);
    struct hf_store_command release = release_command(world, b, &claim);
    assert_ok(world_run(world, &release), &world->error);
    plan_commit(scene_turn(world, b));
    session_add(world, b, "one", 1);
    a = worker_register(world, "a");
    grant = item_take(world, a);
    assert_claim_told(&grant, b, "b", HF_REASON_RELEASED);
    world->boot_ms += WORLD_SESSIONS_MS;
    worker_renew(world, b);
    grant = item_take(world, b);
    assert_claim_told(&grant, a, "a", HF_REASON_EXPIRED);
    assert_ok(worker_end(world, b, HF_REASON_SHUTDOWN), &world->error);
    uint64_t c = worker_register(world, "c");
    grant = item_take(world, c);
    assert_claim_told(&grant, b, "b", HF_REASON_SHUTDOWN);
    assert_int_equal(grant.deaths, 0);
}

/* Later ones of a claim tell nothing of it, and which of them were there before. */
static void test_items_tell_whether_they_are_older_than_the_claim(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    scene_session(world, a, "one", 3);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, a, 2, &count);
    assert_int_equal(count, 2);
    assert_true(grants[0].first_in_claim && !grants[1].first_in_claim);
    assert_true(grants[1].is_older_than_claim);
    assert_int_equal(grants[1].session_body.size + grants[1].claim_reason, 0);
    assert_true(item_take(world, a).is_older_than_claim);
    session_add(world, a, "one", 1);
    struct hf_item_grant young = item_take(world, a);
    assert_false(young.is_older_than_claim || young.first_in_claim || young.was_owned);
}

/* Session work tells when it was scheduled, for the time that it waited. */
static void test_session_items_tell_when_they_were_scheduled(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t scheduled_ms = world->wall_ms;
    scene_session(world, a, "one", 1);
    world->wall_ms += 1000;
    struct hf_item_grant grant = item_take(world, a);
    assert_int_equal(grant.scheduled_unix_ms, scheduled_ms);
}

/* Grants name the tag under which they were queued, ordinary ones and those of sessions. */
static void test_grants_name_their_tag(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    plan_open(plan, 1, "s", "gpu");
    plan_item(plan, 1, "");
    plan_item(plan, 0, "cpu");
    plan_item(plan, 0, "");
    plan_commit(plan);
    const hf_slice tags[] = { hf_text("gpu"), hf_text("cpu") };
    struct hf_store_command fetch = fetch_items_command(world, a);
    fetch.fetch_items.items_max = 10;
    fetch.fetch_items.tags = tags;
    fetch.fetch_items.tags_count = 2;
    assert_ok(world_run(world, &fetch), &world->error);
    const struct hf_item_grant *grants = fetch.fetch_items.out_items;
    assert_int_equal(fetch.fetch_items.out_items_count, 3);
    assert_true(hf_slice_equal(grants[0].tag, tags[0]) && hf_slice_equal(grants[1].tag, tags[1]));
    assert_int_equal(grants[2].tag.size, 0);
    assert_false(grants[1].is_older_than_claim);
}

/* ---- rows of sessions ------------------------------------------------------------------------ */

/* A row knows since when its session is open, and since when it is without work: queued, running
 * and delayed items all count as work. */
static void test_row_knows_since_when_the_session_is_open_and_quiet(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t opened_ms = world->wall_ms;
    uint64_t instance = scene_session(world, a, "one", 1);
    assert_int_equal(session_row(world, instance, 1).quiet_unix_ms, 0);
    world->wall_ms += 1000;
    struct hf_item_grant grant = item_take(world, a);
    struct hf_store_command back = abandon_command(a, &grant.token);
    back.abandon_item.delay_ms = 50;
    assert_ok(world_run(world, &back), &world->error);
    assert_int_equal(session_row(world, instance, 1).quiet_unix_ms, 0);
    world->wall_ms += 1000;
    assert_int_equal(timers_fire(world), 1);
    grant = item_take(world, a);
    item_complete(world, a, &grant.token);
    struct hf_session_row row = session_row(world, instance, 1);
    assert_int_equal(row.opened_unix_ms, opened_ms);
    assert_int_equal(row.quiet_unix_ms, opened_ms + 2000);
    plan_commit(scene_turn(world, a));
    world->wall_ms += 1000;
    session_add(world, a, "one", 1);
    assert_int_equal(session_row(world, instance, 1).quiet_unix_ms, 0);
    uint64_t empty = scene_session(world, a, "two", 0);
    assert_int_equal(session_row(world, empty, 1).quiet_unix_ms, opened_ms + 3000);
}

/* A query for quiet sessions gives those that are quiet long enough, in bounded slices: what it
 * looks at is bounded, not what it gives. */
static void test_query_gives_quiet_sessions_in_slices(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    const char *ids[] = { "one", "two", "three", "four" };
    for (size_t i = 0; i < 4; i++) {
        world->wall_ms += 1000;
        scene_session(world, a, ids[i], i == 1 ? 1 : 0);
    }
    struct hf_sessions_query query = { .quiet_until_unix_ms = world->wall_ms - 1000,
                                       .looked_max = 2 };
    struct hf_session_row *rows;
    size_t count, slices = 0, found = 0;
    do {
        assert_ok(world->backend->ops->sessions(world->backend, &query, &world->arena, &rows,
                                                &count, &world->error),
                  &world->error);
        for (size_t i = 0; i < count; i++) assert_int_equal(rows[i].instance, found++ ? 3 : 1);
        slices++;
    } while (query.out_more);
    assert_int_equal(found, 2);
    assert_int_equal(slices, 3); /* 2 and 2, and one that finds that there is no more */
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_first_in_a_claim_tells_from_whom_and_why),
        CASE(test_items_tell_whether_they_are_older_than_the_claim),
        CASE(test_session_items_tell_when_they_were_scheduled),
        CASE(test_grants_name_their_tag),
        CASE(test_row_knows_since_when_the_session_is_open_and_quiet),
        CASE(test_query_gives_quiet_sessions_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
