/* Trees, lists of what has ended, and pruning, through the contract: what is looked at in the
 * transaction that acts, and how much one transaction does. */
#include "tests/conformance/story.h"

#include <stdio.h>
#include <string.h>

/* ---- words ----------------------------------------------------------------------------------- */

/* A turn of the instance of that number; those that are due before it are taken, and stay so. */
static struct plan *turn_of(struct world *world, uint64_t registration, uint64_t instance)
{
    struct hf_turn_grant grant = turn_take(world, registration);
    while (grant.token.instance != instance) grant = turn_take(world, registration);
    return plan_new(world, registration, &grant);
}

/* Starts "top" with so many children, "c0", "c1", ..., in as many turns as they take. */
static void family_start(struct world *world, uint64_t registration, size_t count)
{
    uint64_t top = instance_start(world, "top");
    for (size_t i = 0; i < count;) {
        struct plan *plan = turn_of(world, registration, top);
        for (size_t of_turn = 0; of_turn < PLAN_EVENTS_MAX / 2 && i < count; of_turn++, i++) {
            char id[24];
            snprintf(id, sizeof id, "c%zu", i);
            plan_child(plan, id);
        }
        plan_commit(plan);
        if (i < count) instance_message(world, "top", "more");
    }
}

static void assert_is_gone(struct world *world, const char *id)
{
    struct hf_store_command command = message_command(id, "hello");
    assert_refused(world, &command, HF_NOT_FOUND, "");
}

static void assert_is_there(struct world *world, const char *id)
{
    assert_true(instance_info(world, id).number != 0);
}

/* ---- trees ----------------------------------------------------------------------------------- */

/* One child that runs is enough for a refusal without a trace; then all go in one transaction, and
 * no message is written for those that go. */
static void test_tree_goes_in_one_transaction_without_messages(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    family_start(world, registration, 3);
    struct hf_store_command gently = delete_tree_command("top", false);
    assert_refused(world, &gently, HF_STILL_RUNNING, "");
    story_terminate(world, "top");
    assert_refused(world, &gently, HF_STILL_RUNNING, "");
    uint64_t commits = world_counters(world).commits, lsn = world_next_lsn(world);
    struct hf_store_command command = delete_tree_command("top", true);
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(world_counters(world).commits, commits + 1);
    assert_int_equal(world_next_lsn(world), lsn + 4);
    assert_is_gone(world, "top");
    assert_is_gone(world, "c0");
    assert_is_gone(world, "c2");
    world_reclaim(world);
    world_verify(world);
}

/* Deleted with a key, a tree is deleted once, whatever has its id afterwards. */
static void test_tree_with_known_key_goes_once(void **state)
{
    struct world *world = *state;
    family_start(world, worker_register(world, "a"), 1);
    struct hf_store_command command = delete_tree_command("top", true);
    command.delete_instance.key = hf_text("key");
    assert_ok(world_run(world, &command), &world->error);
    instance_start(world, "top");
    assert_ok(world_run(world, &command), &world->error);
    assert_is_there(world, "top");
    world_verify(world);
}

/* A tree over the limit is refused; without one child it is not. */
static void test_tree_over_the_limit_is_refused(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    family_start(world, registration, HF_TREE_MAX);
    struct hf_store_command command = delete_tree_command("top", true);
    assert_refused(world, &command, HF_TOO_LARGE, "");
    struct hf_store_command one = delete_tree_command("c7", true);
    assert_ok(world_run(world, &one), &world->error);
    assert_ok(world_run(world, &command), &world->error);
    assert_is_gone(world, "c9");
    world_verify(world);
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* A list deletes what is as it was: not what runs, what is gone, or what has run again since. */
static void test_list_passes_over_what_has_changed(void **state)
{
    struct world *world = *state;
    struct hf_instance_run runs[4];
    worker_register(world, "a");
    static const char *const ids[] = { "ended", "runs", "gone", "again" };
    for (size_t i = 0; i < HF_COUNT_OF(ids); i++) {
        instance_start(world, ids[i]);
        if (i != 1) story_terminate(world, ids[i]);
        runs[i] = story_run(world, ids[i]);
    }
    struct hf_store_command gone = delete_tree_command("gone", false);
    assert_ok(world_run(world, &gone), &world->error);
    struct hf_restarted restarted = { .instance = runs[3].instance,
                                      .execution = 1,
                                      .body = hf_text("start") };
    struct hf_store_command restart = { .kind = HF_STORE_RESTART };
    restart.restart = (struct hf_store_restart){ .id = hf_text("again"), .restarted = &restarted };
    assert_ok(world_run(world, &restart), &world->error);
    story_terminate(world, "again");
    struct hf_store_command command = { .kind = HF_STORE_DELETE_ENDED };
    command.delete_ended = (struct hf_store_delete_ended){ .runs = runs, .count = 4 };
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.delete_ended.out_looked_count, 4);
    assert_int_equal(command.delete_ended.out_trees_count, 1);
    assert_int_equal(command.delete_ended.out_deleted_count, 1);
    assert_is_gone(world, "ended");
    assert_is_there(world, "runs");
    assert_is_there(world, "again");
    world_verify(world);
}

/* Once a transaction has deleted 1,000 instances it looks at no more of its list. */
static void test_list_is_cut_at_a_thousand(void **state)
{
    enum { INSTANCES = HF_PURGE_MAX + 1 };
    struct world *world = *state;
    struct hf_instance_run runs[INSTANCES];
    for (size_t i = 0; i < INSTANCES; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%zu", i);
        runs[i] = (struct hf_instance_run){ instance_start(world, id), 1 };
        story_terminate(world, id);
    }
    struct hf_store_command command = { .kind = HF_STORE_DELETE_ENDED };
    command.delete_ended = (struct hf_store_delete_ended){ .runs = runs, .count = INSTANCES };
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.delete_ended.out_looked_count, HF_PURGE_MAX);
    assert_int_equal(command.delete_ended.out_deleted_count, HF_PURGE_MAX);
    assert_is_there(world, "i1000");
    world_verify(world);
}

/* ---- pruning --------------------------------------------------------------------------------- */

/* A transaction that has removed 1,000 events removes no further execution; who goes on behind what
 * it looked at comes to the end. */
static void test_pruning_is_cut_and_goes_on(void **state)
{
    enum { EXECUTIONS = 600 };
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    struct hf_instance_run runs[2] = { story_continued(world, registration, "i", EXECUTIONS - 1) };
    runs[1] = story_continued(world, registration, "j", 2);
    struct hf_store_command command = prune_command(runs, 2);
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.prune.out_looked_count, 0);
    assert_true(command.prune.out_events_count >= HF_PURGE_MAX);
    assert_true(command.prune.out_events_count < HF_PURGE_MAX + 10);
    uint64_t first_count = command.prune.out_executions_count;
    assert_int_equal(turn_view(world, runs[0].instance, first_count).events_count, 0);
    assert_true(turn_view(world, runs[0].instance, first_count + 1).events_count > 0);
    world_verify(world);
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.prune.out_looked_count, 2);
    assert_int_equal(first_count + command.prune.out_executions_count, EXECUTIONS - 1 + 2);
    world_verify(world);
}

/* Nothing to prune: no record. What is gone is passed over. */
static void test_pruning_nothing_leaves_no_record(void **state)
{
    struct world *world = *state;
    struct hf_instance_run runs[] = { { instance_start(world, "i"), 1 }, { 77, 1 } };
    uint64_t lsn = world_next_lsn(world);
    struct hf_store_command command = prune_command(runs, 2);
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.prune.out_looked_count, 2);
    assert_int_equal(command.prune.out_executions_count, 0);
    assert_int_equal(world_next_lsn(world), lsn);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_tree_goes_in_one_transaction_without_messages),
        CASE(test_tree_with_known_key_goes_once),
        CASE(test_tree_over_the_limit_is_refused),
        CASE(test_list_passes_over_what_has_changed),
        CASE(test_list_is_cut_at_a_thousand),
        CASE(test_pruning_is_cut_and_goes_on),
        CASE(test_pruning_nothing_leaves_no_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
