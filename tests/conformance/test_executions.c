/* Executions: each has a history of its own, which stays when the next one has begun. */
#include "tests/conformance/story.h"

/* A worker, and an instance "i" in its third execution; each former one has an event "<number>". */
static uint64_t scene_executions(struct world *world)
{
    static const char *const marks[] = { "1", "2" };
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    for (size_t i = 0; i < HF_COUNT_OF(marks); i++) {
        struct plan *plan = story_turn(world, worker, "i");
        plan_event(plan, marks[i]);
        plan_end(plan, HF_OUTCOME_CONTINUED);
        plan_commit(plan);
    }
    return worker;
}

/* Fails the test unless that is the history of a former execution of the scene. */
static void assert_history(struct world *world, uint64_t execution, const char *input,
                           const char *mark)
{
    const char *const bodies[] = { input, "go on", mark, "output" };
    struct hf_turn_view view = turn_view(world, story_run(world, "i").instance, execution);
    assert_int_equal(view.events_count, HF_COUNT_OF(bodies));
    for (size_t i = 0; i < HF_COUNT_OF(bodies); i++) {
        assert_int_equal(view.events[i].event_id, i + 1);
        assert_true(hf_slice_equal(view.events[i].body, hf_text(bodies[i])));
    }
}

static void store_execution_1_executions_have_separate_histories(void **state)
{
    struct world *world = *state;
    scene_executions(world);
    assert_history(world, 1, "input", "1");
    assert_history(world, 2, "next input", "2");
}

static void store_execution_2_latest_execution_is_known(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_executions(world);
    struct plan *plan = story_turn(world, worker, "i");
    plan_event(plan, "newest");
    plan_commit(plan);
    struct hf_instance_info info = instance_info(world, "i");
    assert_int_equal(info.execution, 3);
    struct hf_turn_view view = turn_view(world, info.number, info.execution);
    assert_int_equal(view.events_count, info.events_count);
    assert_true(hf_slice_equal(view.events[2].body, hf_text("newest")));
}

static void store_execution_3_numbers_rise_by_one(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    for (uint64_t execution = 1; execution <= 4; execution++) {
        assert_int_equal(instance_info(world, "i").execution, execution);
        story_continue(world, worker, "i");
    }
    assert_executions(world, "i", "1 2 3 4 5 ");
}

static void store_execution_4_continuing_begins_the_next_execution(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    story_continue(world, worker, "i");
    struct hf_instance_info info = instance_info(world, "i");
    assert_int_equal(info.execution, 2);
    assert_int_equal(info.status, HF_INSTANCE_RUNNING);
    assert_int_equal(info.events_count, 1);
    struct hf_turn_grant grant = turn_take(world, worker);
    assert_int_equal(grant.execution, 2);
    struct hf_turn_view view = turn_view(world, info.number, 2);
    assert_int_equal(view.events_count, 1);
    assert_true(hf_slice_equal(view.events[0].body, hf_text("next input")));
}

static void store_execution_5_former_executions_stay_readable(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_executions(world);
    story_complete(world, worker, "i");
    world_reopen(world, NULL);
    assert_history(world, 1, "input", "1");
    assert_history(world, 2, "next input", "2");
    assert_executions(world, "i", "1 2 3 ");
}

/* Who asks for what is not there is told so, and finds no execution. */
static void test_unknown_instance_is_not_found(void **state)
{
    struct world *world = *state;
    scene_executions(world);
    struct hf_turn_view view;
    const struct hf_item_id from = { 77, 1, 1 };
    assert_status(
        world->backend->ops->turn_view(world->backend, &from, &world->arena, &view, &world->error),
        HF_NOT_FOUND);
    assert_false(story_finds(world, "nobody"));
    assert_executions(world, "nobody", "");
    assert_int_equal(turn_view(world, story_run(world, "i").instance, 9).events_count, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_execution_1_executions_have_separate_histories),
        CASE(store_execution_2_latest_execution_is_known),
        CASE(store_execution_3_numbers_rise_by_one),
        CASE(store_execution_4_continuing_begins_the_next_execution),
        CASE(store_execution_5_former_executions_stay_readable),
        CASE(test_unknown_instance_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
