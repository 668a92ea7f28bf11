/* Registrations: who may register, what an end voids and frees, and reclaim in bounded steps. */
#include "tests/conformance/world.h"

#include <string.h>

enum { PURGE_MAX = 1000 }; /* rows that one record moves, as engine/store.h promises */

static size_t registrations_count(struct world *world)
{
    struct hf_registration_row *rows;
    size_t count;
    assert_ok(world->backend->ops->registrations(world->backend, &world->arena, &rows, &count,
                                                 &world->error),
              &world->error);
    return count;
}

/* ---- registering ----------------------------------------------------------------------------- */

/* A second live process of the same worker id is refused, and the message names the first. */
static void test_second_live_process_is_refused(void **state)
{
    struct world *world = *state;
    worker_register(world, "a");
    struct hf_store_command second = register_command(world, "a");
    assert_refused(world, &second, HF_WORKER_ALIVE, "");
    assert_non_null(strstr(world->error.message, "4711"));
    worker_register(world, "b");
    assert_int_equal(registrations_count(world), 2);
}

/* After a crash the same id registers at once: the dead registration ends in the same transaction,
 * with the turn that it had in its hands. */
static void test_crashed_worker_registers_at_once(void **state)
{
    struct world *world = *state;
    uint64_t first = worker_register(world, "a");
    scene_items(world, first, "one", 1);
    struct hf_item_grant grant = item_take(world, first);
    instance_start(world, "two");
    turn_take(world, first);
    world_kill(world, "a");
    struct hf_store_counters before = world_counters(world);
    uint64_t second = worker_register(world, "a");
    assert_int_equal(world_counters(world).commits, before.commits + 1);
    assert_int_equal(world_counters(world).records, before.records + 3);
    assert_true(second > first);
    assert_int_equal(registrations_count(world), 1);
    struct hf_store_command late = complete_command(first, &grant.token);
    assert_refused(world, &late, HF_STALE, "registration_dead");
    assert_int_equal(item_take(world, second).attempt, 2);
    assert_int_equal(turn_take(world, second).attempt, 2);
}

/* A registration of another boot is dead, whatever its life file seems to say. */
static void test_registration_of_another_boot_is_dead(void **state)
{
    struct world *world = *state;
    uint64_t first = worker_register(world, "a");
    world_reopen(world, "boot-2");
    uint64_t second = worker_register(world, "a");
    assert_true(second > first);
    assert_int_equal(registrations_count(world), 1);
}

/* Names that no record may hold are refused. */
static void test_malformed_registrations_are_refused(void **state)
{
    struct world *world = *state;
    struct hf_store_command command = register_command(world, "");
    assert_refused(world, &command, HF_INVALID, "");
    command = register_command(world, "a");
    command.register_worker.life = hf_text("");
    assert_refused(world, &command, HF_INVALID, "");
    command.register_worker.life = hf_bytes("\xff", 1);
    assert_refused(world, &command, HF_INVALID, "");
    struct hf_store_command end = { .kind = HF_STORE_END_REGISTRATION };
    end.end_registration.registration = worker_register(world, "b");
    end.end_registration.reason = HF_REASON_EXPIRED;
    assert_refused(world, &end, HF_INVALID, "");
}

/* ---- ending ---------------------------------------------------------------------------------- */

/* Nobody is declared dead who lives; an end that was done already is done. */
static void test_only_the_dead_are_declared_dead(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    world->boot_ms += 10 * WORLD_SESSIONS_MS;
    struct hf_store_command end = { .kind = HF_STORE_END_REGISTRATION };
    end.end_registration.registration = a;
    end.end_registration.reason = HF_REASON_DEAD;
    assert_refused(world, &end, HF_WORKER_ALIVE, "");
    world_kill(world, "a");
    assert_ok(world_run(world, &end), &world->error);
    assert_int_equal(world->effects & HF_EFFECT_REGISTRATIONS, HF_EFFECT_REGISTRATIONS);
    uint64_t fingerprint = world_fingerprint(world);
    assert_ok(world_run(world, &end), &world->error);
    end.end_registration.registration = 123456;
    assert_ok(world_run(world, &end), &world->error);
    assert_true(world_fingerprint(world) == fingerprint);
    struct hf_store_command renew = renew_command(world, a);
    assert_refused(world, &renew, HF_STALE, "registration_dead");
}

/* A death frees items, sessions and turns for others whatever the lease says. */
static void test_death_frees_everything_at_once(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    const char *ids[] = { "one", "two", "three" };
    for (size_t i = 0; i < 3; i++) scene_session(world, a, ids[i], 2);
    scene_items(world, a, "plain", 1);
    size_t count;
    items_fetch(world, a, 10, &count);
    assert_int_equal(count, 7);
    instance_start(world, "turn");
    turn_take(world, a);
    assert_no_item(world, b);
    world_kill(world, "a");
    assert_ok(worker_end(world, a, HF_REASON_DEAD), &world->error);
    assert_int_equal(world->effects & (HF_EFFECT_ITEMS_READY | HF_EFFECT_TURNS_DUE),
                     HF_EFFECT_ITEMS_READY | HF_EFFECT_TURNS_DUE);
    for (uint64_t instance = 1; instance <= 3; instance++) {
        struct hf_session_row row = session_row(world, instance, 1);
        assert_int_equal(row.owner | row.running_count, 0);
        assert_int_equal(row.queued_count, 2);
    }
    struct hf_item_grant *grants = items_fetch(world, b, 20, &count);
    assert_int_equal(count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(grants[i].attempt, 2);
        assert_int_equal(grants[i].first_in_claim, i < 6 && i % 2 == 0);
    }
    assert_int_equal(turn_take(world, b).attempt, 2);
}

/* A shutdown in order blames nobody: its turns are due again as they were, its items have what they
 * counted. */
static void test_shutdown_loses_no_turn(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    turn_take(world, a);
    struct hf_store_counters before = world_counters(world);
    assert_ok(worker_end(world, a, HF_REASON_SHUTDOWN), &world->error);
    assert_int_equal(world_counters(world).records, before.records + 1);
    assert_int_equal(turn_take(world, b).attempt, 1);
    assert_int_equal(registrations_count(world), 1);
}

/* The lock of a turn that was taken over is not the dead one's to lose. */
static void test_death_blames_only_turns_still_in_its_hands(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    turn_take(world, a);
    world->boot_ms += WORLD_ITEMS_MS;
    worker_renew(world, b);
    struct hf_turn_grant taken = turn_take(world, b);
    world_kill(world, "a");
    struct hf_store_counters before = world_counters(world);
    assert_ok(worker_end(world, a, HF_REASON_DEAD), &world->error);
    assert_int_equal(world_counters(world).records, before.records + 1);
    plan_commit(plan_new(world, b, &taken));
}

/* However much it held, a death is one transaction of small records, and the rest moves in bounded
 * ones; meanwhile its tokens are void and its work can be had. */
static void store_beyond_18_death_of_a_large_holder_is_one_small_record(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", PURGE_MAX + 300);
    size_t count;
    struct hf_item_grant *held = items_fetch(world, a, PURGE_MAX, &count);
    assert_int_equal(count, PURGE_MAX);
    items_fetch(world, a, PURGE_MAX, &count);
    assert_int_equal(count, 300);
    world_kill(world, "a");
    struct hf_store_counters before = world_counters(world);
    assert_ok(worker_end(world, a, HF_REASON_DEAD), &world->error);
    assert_int_equal(world_counters(world).commits, before.commits + 1);
    assert_int_equal(world_counters(world).records, before.records + 1);
    assert_int_equal(world->effects & HF_EFFECT_RECLAIM, HF_EFFECT_RECLAIM);
    assert_true(world_peek(world, b).out_reclaim);
    struct hf_store_command late = complete_command(a, &held[PURGE_MAX - 1].token);
    assert_refused(world, &late, HF_STALE, "registration_dead");
    struct hf_store_command renew = renew_command(world, a); /* its row is still there */
    assert_refused(world, &renew, HF_STALE, "registration_dead");
    struct hf_store_command fetch = fetch_items_command(world, a);
    assert_refused(world, &fetch, HF_STALE, "registration_dead");
    assert_false(world_peek(world, a).out_items_ready);
    uint64_t fingerprint = world_fingerprint(world);
    assert_ok(worker_end(world, a, HF_REASON_DEAD), &world->error);
    assert_true(world_fingerprint(world) == fingerprint);
    /* Before any reclaim a fetch gets all of it. */
    items_fetch(world, b, PURGE_MAX, &count);
    assert_int_equal(count, PURGE_MAX);
    items_fetch(world, b, PURGE_MAX, &count);
    assert_int_equal(count, 300);
    assert_int_equal(world_reclaim(world), 0); /* the rows that moved left nothing to reclaim */
    assert_false(world_peek(world, b).out_reclaim);
    assert_int_equal(registrations_count(world), 1);
}

/* What nobody fetches goes back by reclaim, step by step. */
static void test_reclaim_moves_the_rest_of_a_dead_holder(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 2 * PURGE_MAX + 300);
    size_t count;
    for (size_t i = 0; i < 3; i++) items_fetch(world, a, PURGE_MAX, &count);
    assert_int_equal(count, 300);
    world_kill(world, "a");
    assert_ok(worker_end(world, a, HF_REASON_DEAD), &world->error);
    assert_int_equal(world_reclaim(world), 2);
    assert_int_equal(registrations_count(world), 1);
    assert_false(world_peek(world, b).out_reclaim);
    size_t total = 0;
    do {
        items_fetch(world, b, PURGE_MAX, &count);
        total += count;
    } while (count > 0);
    assert_int_equal(total, 2 * PURGE_MAX + 300);
}

/* A session with very many items is dead with the commit that closes it; the rest of its rows goes
 * in bounded steps, and nothing finds them meanwhile. */
static void test_rest_of_a_large_session_is_reclaimed(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t instance = scene_session(world, a, "one", PURGE_MAX + 500);
    struct hf_item_grant grant = item_take(world, a);
    instance_message(world, "one", "close");
    struct plan *plan = scene_turn(world, a);
    plan_close(plan, 1);
    plan_commit(plan);
    assert_int_equal(world->effects & HF_EFFECT_RECLAIM, HF_EFFECT_RECLAIM);
    assert_false(session_find(world, instance, 1, NULL));
    assert_no_item(world, a);
    assert_string_equal(held_code(world, a, &grant.token, NULL), "session_closed");
    struct hf_store_command late = complete_command(a, &grant.token);
    assert_refused(world, &late, HF_STALE, "session_closed");
    assert_int_equal(world_reclaim(world), 1);
    assert_refused(world, &late, HF_STALE, "session_closed");
    assert_no_item(world, a);
    assert_int_equal(world_reclaim(world), 0);
}

/* The same of an instance that ends with very much left over, ordinary work and sessions. */
static void test_rest_of_a_large_instance_is_reclaimed(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    scene_session(world, a, "one", PURGE_MAX + 500);
    struct hf_item_grant grant = item_take(world, a);
    instance_message(world, "one", "more");
    struct plan *plan = scene_turn(world, a);
    for (size_t i = 0; i < 700; i++) plan_item(plan, 0, "");
    plan_commit(plan);
    instance_message(world, "one", "end");
    plan = scene_turn(world, a);
    plan_end(plan, HF_OUTCOME_FAILED);
    plan_commit(plan);
    struct hf_store_command late = complete_command(a, &grant.token);
    assert_refused(world, &late, HF_STALE, "instance_ended");
    assert_no_item(world, a);
    assert_true(world_reclaim(world) >= 2);
    assert_refused(world, &late, HF_STALE, "instance_ended");
    assert_no_item(world, a);
}

/* Reclaim with nothing to do writes nothing. */
static void test_reclaim_of_nothing_writes_nothing(void **state)
{
    struct world *world = *state;
    uint64_t fingerprint = world_fingerprint(world);
    struct hf_store_counters before = world_counters(world);
    assert_int_equal(world_reclaim(world), 0);
    assert_true(world_fingerprint(world) == fingerprint);
    assert_int_equal(world_counters(world).commits, before.commits);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_second_live_process_is_refused),
        CASE(test_crashed_worker_registers_at_once),
        CASE(test_registration_of_another_boot_is_dead),
        CASE(test_malformed_registrations_are_refused),
        CASE(test_only_the_dead_are_declared_dead),
        CASE(test_death_frees_everything_at_once),
        CASE(test_shutdown_loses_no_turn),
        CASE(test_death_blames_only_turns_still_in_its_hands),
        CASE(store_beyond_18_death_of_a_large_holder_is_one_small_record),
        CASE(test_reclaim_moves_the_rest_of_a_dead_holder),
        CASE(test_rest_of_a_large_session_is_reclaimed),
        CASE(test_rest_of_a_large_instance_is_reclaimed),
        CASE(test_reclaim_of_nothing_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
