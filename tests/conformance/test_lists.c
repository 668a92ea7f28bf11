/* What who runs a store asks of it: instances, their executions, their families, and how much of
 * everything there is. */
#include "tests/conformance/story.h"

/* ---- instances ------------------------------------------------------------------------------- */

/* A worker; "done" has completed, "dead" was terminated, "on" runs and "new" waits. */
static uint64_t scene_instances(struct world *world)
{
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "done");
    story_complete(world, worker, "done");
    instance_start(world, "dead");
    story_terminate(world, "dead");
    instance_start(world, "on");
    plan_commit(story_turn(world, worker, "on"));
    instance_start(world, "new");
    return worker;
}

static void store_manage_1_all_instances_are_listed(void **state)
{
    struct world *world = *state;
    scene_instances(world);
    assert_listed(world, story_query(), "done dead on new ");
}

static void store_manage_2_instances_are_listed_by_present_status(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_instances(world);
    struct hf_instances_query query = story_query();
    query.status = HF_INSTANCE_RUNNING;
    assert_listed(world, query, "on ");
    story_complete(world, worker, "on");
    assert_listed(world, query, "");
    query.status = HF_INSTANCE_COMPLETED;
    assert_listed(world, query, "done on ");
}

static void store_manage_3_executions_are_listed_by_rising_number(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    story_continued(world, worker, "i", 11);
    assert_executions(world, "i", "1 2 3 4 5 6 7 8 9 10 11 12 ");
}

static void store_manage_4_instance_tells_name_version_execution_and_status(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    struct hf_store_command start = start_command("i");
    start.start.version = hf_text("2.0.0");
    assert_ok(world_run(world, &start), &world->error);
    struct hf_instance_info info = instance_info(world, "i");
    assert_int_equal(info.status, HF_INSTANCE_PENDING);
    story_continue(world, worker, "i");
    struct plan *plan = story_turn(world, worker, "i");
    plan->record.version = hf_text("2.1.0");
    plan_commit(plan);
    info = instance_info(world, "i");
    assert_true(hf_slice_equal(info.id, hf_text("i")));
    assert_true(hf_slice_equal(info.orchestration, hf_text("demo")));
    assert_true(hf_slice_equal(info.version, hf_text("2.1.0")));
    assert_int_equal(info.execution, 2);
    assert_int_equal(info.status, HF_INSTANCE_RUNNING);
}

static void store_manage_5_execution_tells_status_output_and_events(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    story_continued(world, worker, "i", 1);
    story_complete(world, worker, "i");
    struct hf_execution_row *rows = NULL;
    size_t count = 10;
    assert_ok(world->backend->ops->executions(world->backend, hf_text("i"), 0, &world->arena, &rows,
                                              &count, &world->error),
              &world->error);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].status, 0);
    assert_int_equal(rows[1].status, HF_INSTANCE_COMPLETED);
    assert_int_equal(rows[0].events_count, 3);
    assert_int_equal(rows[1].events_count, 3);
    assert_true(rows[0].ended_unix_ms != 0 && rows[1].ended_unix_ms != 0);
    assert_true(hf_slice_equal(instance_info(world, "i").output_body, hf_text("output")));
}

/* Of the instances above "on" has continued as new, and has a timer and a value; "busy" has a
 * session with two items, of which one runs. */
static void scene_totals(struct world *world)
{
    uint64_t worker = scene_instances(world);
    instance_start(world, "busy");
    struct plan *plan = story_turn(world, worker, "busy");
    plan_open(plan, 1, "s", "");
    plan_item(plan, 1, "");
    plan_item(plan, 1, "");
    plan_commit(plan);
    item_take(world, worker);
    story_continue(world, worker, "on");
    plan = story_turn(world, worker, "on");
    plan_timer(plan, world->wall_ms + 1000);
    plan_set(plan, "a", "1");
    plan_commit(plan);
    instance_message(world, "new", "waits");
}

static void store_manage_6_totals_are_counted(void **state)
{
    struct world *world = *state;
    scene_totals(world);
    struct hf_store_totals totals = story_totals(world);
    assert_int_equal(totals.instances[HF_INSTANCE_PENDING], 1);
    assert_int_equal(totals.instances[HF_INSTANCE_RUNNING], 2);
    assert_int_equal(totals.instances[HF_INSTANCE_COMPLETED], 1);
    assert_int_equal(totals.instances[HF_INSTANCE_TERMINATED], 1);
    assert_int_equal(totals.instances[HF_INSTANCE_FAILED], 0);
    assert_int_equal(totals.executions, 6);
    assert_int_equal(totals.messages, 1);
    assert_int_equal(totals.turns_due, 1);
    assert_int_equal(totals.items, 2);
    assert_int_equal(totals.items_running, 1);
    assert_int_equal(totals.timers, 1);
    assert_int_equal(totals.sessions, 1);
    assert_int_equal(totals.values, 1);
    assert_int_equal(totals.workers, 1);
    /* Of "done", "dead", the two executions of "on", "new" and "busy". */
    assert_int_equal(totals.events, 3 + 2 + 4 + 4 + 1 + 5);
}

/* ---- families -------------------------------------------------------------------------------- */

/* "top" has "a" and "b", and "a" has "a1"; "other" is nobody's. */
static uint64_t scene_family(struct world *world)
{
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "top");
    instance_start(world, "other");
    story_child(world, worker, "top", "a");
    story_child(world, worker, "top", "b");
    story_child(world, worker, "a", "a1");
    return worker;
}

/* Fails the test unless these are the direct children of an instance. */
static void assert_children(struct world *world, const char *id, size_t expected_count)
{
    struct hf_instances_query query = story_query();
    struct hf_instance_info *rows = NULL;
    size_t count = 0, children_count = 0;
    query.root = story_run(world, id).instance;
    assert_ok(world->backend->ops->instances(world->backend, &query, &world->arena, &rows, &count,
                                             &world->error),
              &world->error);
    for (size_t i = 0; i < count; i++) {
        children_count += hf_slice_equal(rows[i].parent_id, hf_text(id));
    }
    assert_int_equal(children_count, expected_count);
}

static void store_delete_7_children_are_told_from_grandchildren(void **state)
{
    struct world *world = *state;
    scene_family(world);
    assert_children(world, "top", 2);
    assert_children(world, "a", 1);
    assert_children(world, "a1", 0);
}

static void store_delete_8_instance_names_its_parent(void **state)
{
    struct world *world = *state;
    scene_family(world);
    assert_true(hf_slice_is_empty(instance_info(world, "top").parent_id));
    assert_true(hf_slice_equal(instance_info(world, "a").parent_id, hf_text("top")));
    assert_true(hf_slice_equal(instance_info(world, "a1").parent_id, hf_text("a")));
    assert_true(hf_slice_equal(instance_info(world, "a1").root_id, hf_text("top")));
    assert_false(story_finds(world, "nobody"));
}

static void store_delete_9_tree_of_an_instance_is_listed(void **state)
{
    struct world *world = *state;
    scene_family(world);
    struct hf_instances_query query = story_query();
    query.root = story_run(world, "top").instance;
    assert_listed(world, query, "top a b a1 ");
    query.root = story_run(world, "a").instance;
    assert_listed(world, query, "a a1 ");
    query.root = story_run(world, "a1").instance;
    assert_listed(world, query, "a1 ");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_manage_1_all_instances_are_listed),
        CASE(store_manage_2_instances_are_listed_by_present_status),
        CASE(store_manage_3_executions_are_listed_by_rising_number),
        CASE(store_manage_4_instance_tells_name_version_execution_and_status),
        CASE(store_manage_5_execution_tells_status_output_and_events),
        CASE(store_manage_6_totals_are_counted),
        CASE(store_delete_7_children_are_told_from_grandchildren),
        CASE(store_delete_8_instance_names_its_parent),
        CASE(store_delete_9_tree_of_an_instance_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
