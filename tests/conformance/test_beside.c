/* Two processes on one store, each with instances of its own: both play the same rounds, and each
 * sees exactly what it would see alone.
 *
 * What keeps them apart is what keeps workers apart: an instance is started and its first turn
 * fetched in one group, so that nobody else meets it without a version; later turns are of the
 * process's own engine version, and its work has a tag of its own. */
/* ctest-label: process */
#include "tests/conformance/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/compiler.h"
#include "tests/support/role.h"

enum { ROUNDS = HF_ASAN || HF_TSAN ? 60 : 300, ITEMS = 3 };

/* One of the two. */
struct side {
    struct world *world;
    const char *name; /* also its worker id and tag */
    uint64_t version;
    uint64_t registration;
};

static struct hf_store_command turn_command(const struct side *side)
{
    struct hf_store_command fetch = fetch_turns_command(side->world, side->registration);
    fetch.fetch_turns.engine_version_min = side->version;
    fetch.fetch_turns.engine_version_max = side->version;
    return fetch;
}

/* Starts an instance and takes its first turn, in one group. */
static struct plan *begin(const struct side *side, const char *id)
{
    struct hf_store_command start = start_command(id), fetch = turn_command(side);
    struct hf_store_command *group[] = { &start, &fetch };
    world_group(side->world, group, 2);
    assert_ok(start.status, &start.error);
    assert_int_equal(fetch.fetch_turns.out_turns_count, 1);
    assert_true(fetch.fetch_turns.out_turns[0].token.instance == start.start.out_instance);
    return plan_new(side->world, side->registration, &fetch.fetch_turns.out_turns[0]);
}

/* Delivers all items of the instance, two of them of its session, and completes them. */
static void work(const struct side *side, uint64_t instance)
{
    const hf_slice tag = hf_text(side->name);
    struct hf_store_command fetch = fetch_items_command(side->world, side->registration);
    fetch.fetch_items.items_max = 10;
    fetch.fetch_items.tags = &tag;
    fetch.fetch_items.tags_count = 1;
    assert_ok(world_run(side->world, &fetch), &side->world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, ITEMS);
    for (size_t i = 0; i < ITEMS; i++) {
        const struct hf_item_grant *grant = &fetch.fetch_items.out_items[i];
        assert_true(grant->token.item.instance == instance);
        assert_int_equal(grant->attempt, 1);
        item_complete(side->world, side->registration, &grant->token);
    }
}

/* Ends the instance in its second turn, which has heard of all items, and deletes it. */
static void end(const struct side *side, const char *id, uint64_t instance)
{
    struct world *world = side->world;
    struct hf_store_command fetch = turn_command(side);
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_turns.out_turns_count, 1);
    assert_true(fetch.fetch_turns.out_turns[0].token.instance == instance);
    struct plan *plan = plan_new(world, side->registration, &fetch.fetch_turns.out_turns[0]);
    assert_int_equal(plan->record.messages.count, ITEMS);
    plan->record.engine_version = side->version;
    plan_close(plan, 1);
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan_commit(plan);
    /* its start, the session opened and closed, the items, their outcomes, its end */
    assert_int_equal(instance_info(world, id).events_count, 1 + 2 + 2 * ITEMS + 1);
    assert_false(session_find(world, instance, 1, NULL));
    struct hf_store_command delete = delete_command(id, false);
    assert_ok(world_run(world, &delete), &world->error);
}

static void play(const struct side *side, size_t round)
{
    char id[64];
    snprintf(id, sizeof id, "%s %zu", side->name, round);
    struct plan *plan = begin(side, id);
    uint64_t instance = plan->token.instance;
    plan->record.engine_version = side->version;
    plan_open(plan, 1, "s", side->name);
    plan_item(plan, 1, "");
    plan_item(plan, 1, "");
    plan_item(plan, 0, side->name);
    plan_commit(plan);
    work(side, instance);
    end(side, id, instance);
    hf_arena_reset(&side->world->arena);
}

/* ---- the other process ---------------------------------------------------------------------- */

/* Plays rounds until it is told to stop; says when it has begun, and how many they were. A failing
 * assertion ends it: it runs no test. */
static int role_plays(const char *directory)
{
    struct world world;
    char line[HF_ROLE_LINE_SIZE];
    size_t rounds_count = 0;
    world_init(&world);
    snprintf(world.directory.path, sizeof world.directory.path, "%s", directory);
    world_open(&world);
    struct side side = { .world = &world, .name = "other", .version = 2 };
    side.registration = worker_register(&world, side.name);
    while (rounds_count == 0 || !hf_role_is_told()) {
        play(&side, rounds_count++);
        if (rounds_count == 1) hf_role_print("begun");
    }
    world_leave(&world);
    snprintf(line, sizeof line, "%zu", rounds_count);
    hf_role_print(line);
    return 0;
}

static void store_beyond_10_another_process_works_beside(void **state)
{
    struct world *world = *state;
    struct hf_role other;
    struct side side = { .world = world, .name = "here", .version = 1 };
    hf_role_start(&other, (const char *const[]){ world->directory.path, NULL });
    hf_role_hear(&other, "begun");
    side.registration = worker_register(world, side.name);
    for (size_t round = 0; round < ROUNDS; round++) play(&side, round);
    hf_role_say(&other, "enough");
    unsigned long rounds_count = strtoul(hf_role_hear(&other, ""), NULL, 10);
    assert_int_equal(hf_role_finish(&other), 0);
    print_message("%d rounds here, %lu there\n", ROUNDS, rounds_count);
    assert_true(rounds_count > 1);
}

int main(int count, char **words)
{
    if (count > 2 && strcmp(words[1], "--role") == 0) return role_plays(words[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(store_beyond_10_another_process_works_beside, world_setup,
                                        world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
