/* Which turns a registration is offered by its range of engine versions; and instances whose
 * history the disk has damaged: offered like others, told by where the damage is, given up by
 * nobody's code.
 */
#include "tests/conformance/story.h"

#include "tests/conformance/subject.h"

#include <stdio.h>

/* ---- words ----------------------------------------------------------------------------------- */

static struct hf_store_command fetch_command(struct world *world, uint64_t registration,
                                             uint64_t min, uint64_t max)
{
    struct hf_store_command fetch = fetch_turns_command(world, registration);
    fetch.fetch_turns.engine_version_min = min;
    fetch.fetch_turns.engine_version_max = max;
    fetch.fetch_turns.turns_max = 100;
    return fetch;
}

/* Takes all turns of a range, and gives the only one. */
static struct hf_turn_grant only_turn(struct world *world, uint64_t registration, uint64_t min,
                                      uint64_t max)
{
    struct hf_store_command fetch = fetch_command(world, registration, min, max);
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_turns.out_turns_count, 1);
    return fetch.fetch_turns.out_turns[0];
}

static void turn_back(struct world *world, uint64_t registration, const struct hf_turn_grant *grant,
                      bool counted)
{
    struct hf_store_command back = abandon_turn_command(registration, &grant->token);
    back.abandon_turn.counted = counted;
    back.abandon_turn.reason = HF_REASON_ABANDONED;
    assert_ok(world_run(world, &back), &world->error);
}

/* How many turns a registration is offered for a range of engine versions, and then hands back. */
static size_t offered_count(struct world *world, uint64_t registration, uint64_t min, uint64_t max)
{
    struct hf_store_command fetch = fetch_command(world, registration, min, max);
    assert_ok(world_run(world, &fetch), &world->error);
    size_t count = fetch.fetch_turns.out_turns_count;
    for (size_t i = 0; i < count; i++) {
        turn_back(world, registration, &fetch.fetch_turns.out_turns[i], false);
    }
    return count;
}

/* Commits the turn that is due for that version, as one of another; 0: of none. Then one is due. */
static void version_change(struct world *world, uint64_t registration, const char *id,
                           uint64_t from, uint64_t to)
{
    struct hf_turn_grant grant = only_turn(world, registration, from, from);
    struct plan *plan = plan_new(world, registration, &grant);
    plan->record.engine_version = to;
    plan_commit(plan);
    instance_message(world, id, "go on");
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static void store_version_1_widest_range_is_offered_everything(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "one", 1);
    instance_of_version(world, registration, "nine", 9);
    instance_start(world, "of no version");
    assert_int_equal(offered_count(world, registration, 0, UINT64_MAX), 3);
}

static void store_version_2_version_in_the_range_is_offered(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "one", 5);
    struct hf_turn_grant grant = only_turn(world, registration, 3, 7);
    assert_int_equal(grant.engine_version, 5);
}

static void store_version_3_version_out_of_the_range_is_not_offered(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "one", 5);
    assert_int_equal(offered_count(world, registration, 7, 9), 0);
    assert_int_equal(offered_count(world, registration, 1, 3), 0);
}

static void store_version_4_later_one_is_offered_behind_those_that_do_not_fit(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "first", 1);
    instance_of_version(world, registration, "second", 3);
    instance_of_version(world, registration, "third", 2);
    struct hf_turn_grant grant = only_turn(world, registration, 2, 2);
    assert_int_equal(grant.token.instance, instance_info(world, "third").number);
}

static void store_version_5_skipped_one_is_free_for_another(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_of_version(world, a, "old", 1);
    instance_of_version(world, a, "new", 2);
    only_turn(world, a, 2, 2);
    struct hf_turn_grant old = only_turn(world, b, 1, 1);
    assert_int_equal(old.token.instance, instance_info(world, "old").number);
    assert_int_equal(old.attempt, 1);
}

/* Versions are numbers: 10 is above 9, and 256 above 255. */
static void store_beyond_13_range_is_compared_number_by_number(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    static const struct {
        const char *id;
        uint64_t version;
    } of[] = { { "nine", 9 }, { "ten", 10 }, { "low byte", 255 }, { "next byte", 256 } };
    enum { COUNT = sizeof of / sizeof of[0] };
    for (size_t i = 0; i < COUNT; i++) {
        instance_of_version(world, registration, of[i].id, of[i].version);
    }
    for (size_t min = 0; min < COUNT; min++) {
        for (size_t max = min; max < COUNT; max++) {
            uint64_t least = of[min].version, most = of[max].version;
            assert_int_equal(offered_count(world, registration, least, most), max - min + 1);
        }
    }
    assert_int_equal(offered_count(world, registration, 11, 254), 0);
}

/* What is skipped is neither locked nor in the way, also when it comes and goes again. */
static void trap_a18_skipped_turns_are_neither_locked_nor_counted(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_of_version(world, a, "new", 2);
    instance_of_version(world, a, "old", 1);
    version_change(world, a, "new", 2, 2);
    struct hf_turn_grant grant = only_turn(world, a, 2, 2);
    assert_int_equal(grant.token.instance, 1);
    struct hf_turn_grant old = turn_take(world, b);
    assert_int_equal(old.token.instance, 2);
    assert_int_equal(old.attempt, 1);
}

static void store_version_6_instance_without_a_version_fits_every_range(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    assert_int_equal(offered_count(world, registration, 6, 9), 1);
    assert_int_equal(offered_count(world, registration, 1, 1), 1);
}

static void store_version_7_ends_of_a_range_belong_to_it(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "one", 5);
    assert_int_equal(offered_count(world, registration, 5, 5), 1);
    assert_int_equal(offered_count(world, registration, 1, 5), 1);
    assert_int_equal(offered_count(world, registration, 5, 9), 1);
    assert_int_equal(offered_count(world, registration, 6, 9), 0);
    assert_int_equal(offered_count(world, registration, 1, 4), 0);
}

/* Not even instances without a version. */
static void store_version_11_empty_range_is_offered_nothing(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "of no version");
    instance_of_version(world, registration, "one", 3);
    assert_int_equal(offered_count(world, registration, 3, 2), 0);
    assert_int_equal(offered_count(world, registration, UINT64_MAX, UINT64_MAX), 0);
}

/* Fetches of one group, of several registrations with ranges that overlap. */
static void store_version_12_fetches_side_by_side_never_lock_one_twice(void **state)
{
    enum { WORKERS = 4, INSTANCES = 24, TURNS = 4 };
    static const char *const workers[WORKERS] = { "a", "b", "c", "d" };
    struct world *world = *state;
    struct hf_store_command fetches[WORKERS], *group[WORKERS];
    uint64_t registrations[WORKERS], taken = 0, seen = 0;
    for (size_t i = 0; i < WORKERS; i++) registrations[i] = worker_register(world, workers[i]);
    for (size_t i = 0; i < INSTANCES; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%zu", i);
        instance_of_version(world, registrations[0], id, 1 + i % 4);
    }
    for (size_t round = 0; round < INSTANCES; round++) {
        for (size_t i = 0; i < WORKERS; i++) {
            fetches[i] = fetch_command(world, registrations[i], i, i + 1);
            fetches[i].fetch_turns.turns_max = TURNS;
            group[i] = &fetches[i];
        }
        world_group(world, group, WORKERS);
        for (size_t i = 0; i < WORKERS; i++) {
            assert_ok(fetches[i].status, &fetches[i].error);
            for (size_t j = 0; j < fetches[i].fetch_turns.out_turns_count; j++, taken++) {
                uint64_t number = fetches[i].fetch_turns.out_turns[j].token.instance;
                assert_int_equal(seen >> number & 1, 0);
                seen |= UINT64_C(1) << number;
            }
        }
    }
    assert_int_equal(taken, INSTANCES);
}

/* ---- what is stored -------------------------------------------------------------------------- */

static void store_version_8_version_of_a_commit_filters_what_is_due_next(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    version_change(world, registration, "one", 7, 4);
    assert_int_equal(instance_info(world, "one").engine_version, 4);
    assert_int_equal(offered_count(world, registration, 7, 7), 0);
    assert_int_equal(offered_count(world, registration, 4, 4), 1);
}

static void store_version_9_commit_without_a_version_leaves_it(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "one", 4);
    version_change(world, registration, "one", 4, 0);
    assert_int_equal(instance_info(world, "one").engine_version, 4);
    assert_int_equal(offered_count(world, registration, 3, 3), 0);
    assert_int_equal(offered_count(world, registration, 4, 4), 1);
}

static void store_version_13_later_commit_with_a_version_stores_it(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "one", 1);
    version_change(world, registration, "one", 1, 4);
    assert_int_equal(instance_info(world, "one").engine_version, 4);
    assert_int_equal(offered_count(world, registration, 1, 1), 0);
    assert_int_equal(offered_count(world, registration, 4, 4), 1);
}

/* The execution that continues has the version of the turn that began it, not that under which the
 * former one was begun. */
static void store_version_10_continued_execution_has_its_own_version(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "one", 2);
    struct hf_turn_grant grant = only_turn(world, registration, 2, 2);
    struct plan *plan = plan_new(world, registration, &grant);
    plan->record.engine_version = 6;
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan_commit(plan);
    assert_int_equal(world->effects & HF_EFFECT_TURNS_DUE, HF_EFFECT_TURNS_DUE);
    assert_int_equal(offered_count(world, registration, 2, 2), 0);
    grant = only_turn(world, registration, 6, 6);
    assert_int_equal(grant.execution, 2);
}

/* ---- damaged history ------------------------------------------------------------------------- */

static const char damaged_text[] = "the event that a disk will damage";

/* An instance "one" of version 5, whose second event the disk has damaged, and whose turn is due.
 * Returns the LSN of the record that holds it. (The store is not whole then: these cases verify
 * nothing at their end.) */
static uint64_t scene_damaged(struct world *world, uint64_t registration)
{
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_event(plan, damaged_text);
    plan->record.engine_version = 5;
    uint64_t lsn = plan_commit(plan);
    instance_message(world, "one", "go on");
    world->backend->ops->close(world->backend);
    subject_damage(world->directory.path, damaged_text);
    world_open(world);
    return lsn;
}

/* Fails the test unless the history of a turn cannot be read, because of that record. */
static void assert_damaged(struct world *world, const struct hf_turn_grant *grant, uint64_t lsn)
{
    struct hf_turn_view view;
    const struct hf_item_id from = { grant->token.instance, grant->execution, 1 };
    assert_status(
        world->backend->ops->turn_view(world->backend, &from, &world->arena, &view, &world->error),
        HF_CORRUPT);
    assert_true(world->error.lsn == lsn);
}

static void store_version_15_damaged_history_is_told_by_its_record(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t lsn = scene_damaged(world, registration);
    struct hf_turn_grant grant = only_turn(world, registration, 5, 5);
    assert_damaged(world, &grant, lsn);
}

static void store_version_16_turn_that_meets_damage_is_recorded_as_lost(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t lsn = scene_damaged(world, registration);
    for (uint64_t attempt = 1; attempt <= 3; attempt++) {
        struct hf_turn_grant grant = only_turn(world, registration, 5, 5);
        assert_int_equal(grant.attempt, attempt);
        assert_damaged(world, &grant, lsn);
        uint64_t before = world_next_lsn(world);
        turn_back(world, registration, &grant, true);
        assert_true(world_next_lsn(world) == before + 1);
    }
}

/* It is handed out again with attempts over the limit, and can be given up without being read. */
static void store_version_17_damaged_history_ends_as_poison(void **state)
{
    enum { LIMIT = 3 };
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t lsn = scene_damaged(world, registration);
    struct hf_instance_info before = instance_info(world, "one");
    struct hf_turn_grant grant = only_turn(world, registration, 5, 5);
    for (uint64_t lost = 1; lost <= LIMIT; lost++) {
        turn_back(world, registration, &grant, true);
        grant = only_turn(world, registration, 5, 5);
    }
    assert_true(grant.attempt > LIMIT);
    struct hf_instance_info after = instance_info(world, "one");
    assert_int_equal(after.events_count, before.events_count);
    assert_true(after.head == before.head);
    assert_damaged(world, &grant, lsn);
    struct hf_store_command fail = { .kind = HF_STORE_FAIL_TURN };
    fail.fail_turn = (struct hf_store_fail_turn){ .token = grant.token,
                                                  .registration = registration,
                                                  .attempts = LIMIT,
                                                  .body = hf_text("poisoned") };
    assert_ok(world_run(world, &fail), &world->error);
    assert_int_equal(instance_info(world, "one").status, HF_INSTANCE_FAILED);
    assert_int_equal(instance_info(world, "one").events_count, before.events_count + 1);
    assert_damaged(world, &grant, lsn);
}

static void store_version_18_history_that_does_not_fit_is_not_read(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_damaged(world, registration);
    uint64_t fingerprint = world_fingerprint(world);
    assert_int_equal(offered_count(world, registration, 6, 9), 0);
    assert_true(world_fingerprint(world) == fingerprint);
    assert_int_equal(world->damaged_count, 0);
    assert_int_equal(only_turn(world, registration, 5, 5).attempt, 1);
}

static void store_version_20_commit_appends_to_damaged_history(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t lsn = scene_damaged(world, registration);
    struct hf_turn_grant grant = only_turn(world, registration, 5, 5);
    uint64_t event_id = instance_info(world, "one").events_count + 1;
    struct hf_turn_event event = { .event_id = event_id, .body = hf_text("appended") };
    struct hf_turn_committed turn = { .execution = 1,
                                      .events = { &event, 1 },
                                      .outcome = HF_OUTCOME_RUNNING };
    struct hf_store_command commit = { .kind = HF_STORE_COMMIT_TURN };
    commit.commit_turn = (struct hf_store_commit_turn){ .token = grant.token,
                                                        .registration = registration,
                                                        .turn = &turn };
    assert_ok(world_run(world, &commit), &world->error);
    struct hf_turn_view view;
    const struct hf_item_id from = { grant.token.instance, 1, event_id };
    assert_ok(
        world->backend->ops->turn_view(world->backend, &from, &world->arena, &view, &world->error),
        &world->error);
    assert_int_equal(view.events_count, 1);
    assert_true(hf_slice_equal(view.events[0].body, event.body));
    assert_damaged(world, &grant, lsn);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
#define DAMAGED(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown_unverified)
    const struct CMUnitTest tests[] = {
        CASE(store_version_1_widest_range_is_offered_everything),
        CASE(store_version_2_version_in_the_range_is_offered),
        CASE(store_version_3_version_out_of_the_range_is_not_offered),
        CASE(store_version_4_later_one_is_offered_behind_those_that_do_not_fit),
        CASE(store_version_5_skipped_one_is_free_for_another),
        CASE(store_beyond_13_range_is_compared_number_by_number),
        CASE(trap_a18_skipped_turns_are_neither_locked_nor_counted),
        CASE(store_version_6_instance_without_a_version_fits_every_range),
        CASE(store_version_7_ends_of_a_range_belong_to_it),
        CASE(store_version_11_empty_range_is_offered_nothing),
        CASE(store_version_12_fetches_side_by_side_never_lock_one_twice),
        CASE(store_version_8_version_of_a_commit_filters_what_is_due_next),
        CASE(store_version_9_commit_without_a_version_leaves_it),
        CASE(store_version_13_later_commit_with_a_version_stores_it),
        CASE(store_version_10_continued_execution_has_its_own_version),
        DAMAGED(store_version_15_damaged_history_is_told_by_its_record),
        DAMAGED(store_version_16_turn_that_meets_damage_is_recorded_as_lost),
        DAMAGED(store_version_17_damaged_history_ends_as_poison),
        DAMAGED(store_version_18_history_that_does_not_fit_is_not_read),
        DAMAGED(store_version_20_commit_appends_to_damaged_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
