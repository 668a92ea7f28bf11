/* Deleting and pruning many: a list is read by a query, page by page, and handed to the store,
 * which looks again in the transaction that acts. */
#include "tests/conformance/story.h"

#include <stdio.h>

#include "tests/conformance/subject.h"

/* ---- words ----------------------------------------------------------------------------------- */

enum { PAGE = 3 };

/* Ended instances with these ids, and a second of the wall clock between their ends. */
static void ended_start(struct world *world, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        instance_start(world, ids[i]);
        story_terminate(world, ids[i]);
        world->wall_ms += 1000;
    }
}

static struct hf_store_command list_command(const struct hf_instance_run *runs, size_t count)
{
    struct hf_store_command command = { .kind = HF_STORE_DELETE_ENDED };
    command.delete_ended = (struct hf_store_delete_ended){ .runs = runs, .count = count };
    return command;
}

/* Deletes the trees of a list; returns how many instances went. */
static uint64_t list_delete(struct world *world, const struct hf_instance_run *runs, size_t count)
{
    struct hf_store_command command = list_command(runs, count);
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.delete_ended.out_looked_count, count);
    return command.delete_ended.out_deleted_count;
}

/* Deletes the trees of a page until `limit` of them are gone; returns how many are. */
static uint64_t page_delete(struct world *world, const struct hf_instance_run *runs, size_t count,
                            uint64_t limit)
{
    uint64_t trees_count = 0;
    for (size_t done = 0; done < count && trees_count < limit;) {
        size_t left = count - done;
        if (left > limit - trees_count) left = (size_t)(limit - trees_count);
        struct hf_store_command command = list_command(runs + done, left);
        assert_ok(world_run(world, &command), &world->error);
        done += command.delete_ended.out_looked_count;
        trees_count += command.delete_ended.out_trees_count;
    }
    return trees_count;
}

/* Deletes what the query gives until `limit` trees are gone; returns how many are. */
static uint64_t bulk_delete(struct world *world, struct hf_instances_query query, uint64_t limit)
{
    uint64_t trees_count = 0;
    query.looked_max = PAGE;
    query.out_more = true;
    while (query.out_more && trees_count < limit) {
        struct hf_instance_run runs[PAGE];
        struct hf_instance_info *rows = NULL;
        size_t count = 0;
        assert_ok(world->backend->ops->instances(world->backend, &query, &world->arena, &rows,
                                                 &count, &world->error),
                  &world->error);
        for (size_t i = 0; i < count; i++) {
            runs[i] = (struct hf_instance_run){ rows[i].number, rows[i].execution };
        }
        trees_count += page_delete(world, runs, count, limit - trees_count);
    }
    return trees_count;
}

/* ---- deleting -------------------------------------------------------------------------------- */

static const char *const five[] = { "a1", "a2", "b1", "b2", "b3" };

static void store_bulkdelete_1_ids_time_and_both_choose(void **state)
{
    struct world *world = *state;
    uint64_t begin_ms = world->wall_ms;
    ended_start(world, five, HF_COUNT_OF(five));
    struct hf_instance_run unknown = { 77, 1 };
    assert_int_equal(list_delete(world, &unknown, 1), 0);
    struct hf_instance_run runs[] = { story_run(world, "a1"), unknown };
    assert_int_equal(list_delete(world, runs, 2), 1); /* by id */
    assert_listed(world, story_query(), "a2 b1 b2 b3 ");
    struct hf_instances_query query = story_query();
    query.id_prefix = hf_text("b");
    query.ended_until_unix_ms = begin_ms + 2000;
    assert_int_equal(bulk_delete(world, query, UINT64_MAX), 1); /* both */
    assert_listed(world, story_query(), "a2 b2 b3 ");
    query.id_prefix = (hf_slice)HF_EMPTY;
    query.ended_until_unix_ms = begin_ms + 3000;
    assert_int_equal(bulk_delete(world, query, UINT64_MAX), 2); /* by time */
    assert_listed(world, story_query(), "b3 ");
    assert_int_equal(bulk_delete(world, story_query(), UINT64_MAX), 1); /* without a filter */
    assert_listed(world, story_query(), "");
}

static void store_bulkdelete_2_what_runs_is_skipped_and_the_limit_holds(void **state)
{
    struct world *world = *state;
    instance_start(world, "runs");
    ended_start(world, five, HF_COUNT_OF(five));
    assert_int_equal(bulk_delete(world, story_query(), 3), 3);
    assert_listed(world, story_query(), "runs b2 b3 ");
    assert_int_equal(bulk_delete(world, story_query(), 1), 1);
    assert_listed(world, story_query(), "runs b3 ");
    assert_int_equal(bulk_delete(world, story_query(), UINT64_MAX), 1);
    assert_listed(world, story_query(), "runs ");
}

static void store_bulkdelete_3_only_what_ended_before_the_cut_goes(void **state)
{
    struct world *world = *state;
    uint64_t begin_ms = world->wall_ms;
    ended_start(world, five, HF_COUNT_OF(five));
    struct hf_instances_query query = story_query();
    query.ended_until_unix_ms = begin_ms - 1;
    assert_int_equal(bulk_delete(world, query, UINT64_MAX), 0);
    query.ended_until_unix_ms = begin_ms + 3000;
    query.id_prefix = hf_text("b");
    assert_int_equal(bulk_delete(world, query, UINT64_MAX), 2);
    assert_listed(world, story_query(), "a1 a2 b3 ");
    query.id_prefix = (hf_slice)HF_EMPTY;
    assert_int_equal(bulk_delete(world, query, UINT64_MAX), 2);
    assert_listed(world, story_query(), "b3 ");
}

/* Ends all of a tree; its children are named after it: "<id>1", "<id>2", ... */
static void tree_start(struct world *world, uint64_t worker, const char *id, size_t children_count)
{
    char child[32];
    instance_start(world, id);
    for (size_t i = 1; i <= children_count; i++) {
        snprintf(child, sizeof child, "%s%zu", id, i);
        story_child(world, worker, id, child);
        story_terminate(world, child);
    }
    story_terminate(world, id);
}

static void store_bulkdelete_4_children_go_with_their_roots(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    tree_start(world, worker, "a", 1);
    tree_start(world, worker, "b", 5);
    tree_start(world, worker, "c", 0);
    instance_start(world, "stays");
    struct hf_instance_run runs[] = { story_run(world, "a"), story_run(world, "b"),
                                      story_run(world, "c") };
    struct hf_store_command command = list_command(runs, HF_COUNT_OF(runs));
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.delete_ended.out_trees_count, 3);
    assert_int_equal(command.delete_ended.out_deleted_count, 9);
    assert_listed(world, story_query(), "stays ");
}

static void store_delete_10_set_goes_together_and_is_counted(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    tree_start(world, worker, "a", 2);
    tree_start(world, worker, "b", 3);
    struct hf_instance_run runs[] = { story_run(world, "a"), story_run(world, "b") };
    uint64_t commits = world_counters(world).commits;
    assert_int_equal(list_delete(world, runs, HF_COUNT_OF(runs)), 7);
    assert_int_equal(world_counters(world).commits, commits + 1);
    assert_listed(world, story_query(), "");
}

/* ---- pruning --------------------------------------------------------------------------------- */

static uint64_t pruned_count(struct world *world, const struct hf_instance_run *run,
                             uint64_t keep_last, uint64_t ended_until_unix_ms)
{
    struct hf_store_command command = prune_command(run, 1);
    command.prune.keep_last = keep_last;
    command.prune.ended_until_unix_ms = ended_until_unix_ms;
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.prune.out_looked_count, 1);
    return command.prune.out_executions_count;
}

/* Its executions end a second of the wall clock after each other. */
static struct hf_instance_run aged_start(struct world *world, uint64_t worker, const char *id,
                                         size_t times)
{
    instance_start(world, id);
    for (size_t i = 0; i < times; i++) {
        story_continue(world, worker, id);
        world->wall_ms += 1000;
    }
    return story_run(world, id);
}

static void store_prune_1_number_age_both_and_neither_choose(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w"), begin_ms = world->wall_ms;
    struct hf_instance_run run = aged_start(world, worker, "i", 7);
    assert_executions(world, "i", "1 2 3 4 5 6 7 8 ");
    assert_int_equal(pruned_count(world, &run, 7, 0), 1);
    assert_executions(world, "i", "2 3 4 5 6 7 8 ");
    assert_int_equal(pruned_count(world, &run, 0, begin_ms + 1000), 1);
    assert_executions(world, "i", "3 4 5 6 7 8 ");
    assert_int_equal(pruned_count(world, &run, 5, begin_ms + 5000), 1);
    assert_executions(world, "i", "4 5 6 7 8 ");
    assert_int_equal(pruned_count(world, &run, 2, begin_ms + 3000), 1);
    assert_executions(world, "i", "5 6 7 8 ");
    assert_int_equal(pruned_count(world, &run, 0, 0), 3);
    assert_executions(world, "i", "8 ");
}

static void store_prune_2_present_execution_is_never_pruned(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    static const char *const ids[] = { "none", "zero", "one", "ended" };
    for (size_t i = 0; i < HF_COUNT_OF(ids); i++) {
        story_continued(world, worker, ids[i], i == 0 ? 0 : 2);
        if (i == 3) story_complete(world, worker, ids[i]);
        assert_int_equal(story_prune(world, ids[i], i == 2 ? 1 : 0), i == 0 ? 0 : 2);
        assert_executions(world, ids[i], i == 0 ? "1 " : "3 ");
        assert_int_equal(story_prune(world, ids[i], 1), 0);
    }
    struct hf_instance_run unknown = { 77, 1 };
    uint64_t lsn = world_next_lsn(world);
    assert_int_equal(pruned_count(world, &unknown, 0, 0), 0);
    assert_int_equal(world_next_lsn(world), lsn);
    assert_false(story_finds(world, "unknown")); /* whoever has only an id is told here */
}

static void store_prune_3_listed_instances_are_pruned_and_counted(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    struct hf_instance_run runs[] = { story_continued(world, worker, "a", 2),
                                      story_continued(world, worker, "b", 3),
                                      story_continued(world, worker, "c", 1) };
    struct hf_store_command command = prune_command(runs, 2); /* a limit is a shorter list */
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.prune.out_looked_count, 2);
    assert_int_equal(command.prune.out_executions_count, 5);
    assert_int_equal(command.prune.out_events_count, 5 * 3);
    assert_executions(world, "a", "3 ");
    assert_executions(world, "b", "4 ");
    assert_executions(world, "c", "1 2 ");
}

static void store_prune_4_running_instance_is_pruned_and_goes_on(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    story_continued(world, worker, "i", 2);
    struct plan *plan = story_turn(world, worker, "i");
    assert_int_equal(story_prune(world, "i", 0), 2);
    plan_event(plan, "went on");
    plan_commit(plan); /* a turn in progress is not disturbed */
    assert_executions(world, "i", "3 ");
    assert_int_equal(instance_info(world, "i").events_count, 3);
    story_complete(world, worker, "i");
    assert_int_equal(instance_info(world, "i").status, HF_INSTANCE_COMPLETED);
}

/* A worker, and an instance "i" in its third execution, which still has of the first one: a value,
 * the custom status, a message that was carried on twice, and an open session. */
static uint64_t scene_referred(struct world *world)
{
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    instance_message(world, "i", "letter"); /* becomes event 2 */
    struct plan *plan = story_turn(world, worker, "i");
    plan_set(plan, "a", "1");
    plan_open(plan, 1, "s", "");
    plan->record.status_event = plan_event(plan, "status");
    plan_commit(plan);
    for (int i = 0; i < 2; i++) {
        plan = story_turn(world, worker, "i");
        plan_end(plan, HF_OUTCOME_CONTINUED);
        plan->record.carried.count = 1;
        plan->carried[0].event_id = 2;
        plan_commit(plan);
    }
    return worker;
}

static void store_beyond_15_pruning_keeps_what_is_referred_to(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_referred(world);
    assert_int_equal(story_prune(world, "i", 0), 2);
    world_reopen(world, NULL);
    struct hf_instance_info info = instance_info(world, "i");
    assert_true(hf_slice_equal(info.status_body, hf_text("status")));
    struct hf_turn_view view = turn_view(world, info.number, 3);
    assert_true(hf_slice_equal(view.events[1].body, hf_text("letter")));
    assert_true(hf_slice_equal(view.status_body, hf_text("status")));
    assert_int_equal(view.values_count, 1);
    assert_true(hf_slice_equal(view.values[0].body, hf_text("a=1")));
    struct plan *plan = story_turn(world, worker, "i");
    plan_item(plan, 1, "");
    plan_commit(plan);
    struct hf_item_grant grant = item_take(world, worker);
    assert_true(hf_slice_equal(grant.session_body, hf_text("opened")));
}

static void store_beyond_15_verification_tells_pruned_from_missing(void **state)
{
    struct world *world = *state;
    scene_referred(world);
    assert_int_equal(story_prune(world, "i", 2), 1);
    assert_true(subject_is_whole(world->backend));
    subject_lose_row(world->backend, "history");
    assert_false(subject_is_whole(world->backend));
}

/* The items of a closed session that wait for reclaim outlive the history that scheduled them, and
 * nothing is wrong with that. */
static void test_pruned_execution_may_leave_items_to_reclaim(void **state)
{
    enum { ITEMS = 1100 };
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    instance_start(world, "i");
    struct plan *plan = story_turn(world, worker, "i");
    plan_open(plan, 1, "s", "");
    for (int i = 0; i < ITEMS; i++) plan_item(plan, 1, "");
    plan_commit(plan);
    plan = story_turn(world, worker, "i");
    plan_close(plan, 1);
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan_commit(plan);
    assert_int_equal(story_prune(world, "i", 1), 1);
    assert_true(subject_rows_count(world->backend, "items") > 0);
    world_verify(world);
    world_reclaim(world);
    assert_int_equal(subject_rows_count(world->backend, "items"), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
#define DAMAGED(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown_unverified)
    const struct CMUnitTest tests[] = {
        CASE(store_bulkdelete_1_ids_time_and_both_choose),
        CASE(store_bulkdelete_2_what_runs_is_skipped_and_the_limit_holds),
        CASE(store_bulkdelete_3_only_what_ended_before_the_cut_goes),
        CASE(store_bulkdelete_4_children_go_with_their_roots),
        CASE(store_delete_10_set_goes_together_and_is_counted),
        CASE(store_prune_1_number_age_both_and_neither_choose),
        CASE(store_prune_2_present_execution_is_never_pruned),
        CASE(store_prune_3_listed_instances_are_pruned_and_counted),
        CASE(store_prune_4_running_instance_is_pruned_and_goes_on),
        CASE(test_pruned_execution_may_leave_items_to_reclaim),
        CASE(store_beyond_15_pruning_keeps_what_is_referred_to),
        DAMAGED(store_beyond_15_verification_tells_pruned_from_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
