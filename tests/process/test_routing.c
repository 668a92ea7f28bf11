/* Whole runtimes on a real store, in one process: work reaches who may run it. */
#include "tests/support/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/store.h"

/* One orchestration and one activity go through the whole house. */
static void test_hello_runs_from_end_to_end(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "one"));
    house_start(&house, "greeting", "hello", "world");
    house_expect(&house, "greeting", "Hello, world!");
    house_rest(runtime);
    assert_true(house_metric(runtime, "turns_committed") >= 2);
    assert_true(house_metric(runtime, "activities_completed") == 1);
    assert_true(house_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
    assert_int_equal(stage_count(&house.stage, "log worker.start one"), 1);
    assert_int_equal(stage_count(&house.stage, "log worker.stop one"), 1);
    house_close(&house);
}

static void run_many(struct house *house, const char *orchestration, const char *input, int count)
{
    char id[32];
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%s-%d", orchestration, i);
        house_start(house, id, orchestration, input);
    }
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%s-%d", orchestration, i);
        house_expect(house, id, input);
    }
}

/* 100 instances with 5 activities each at once all complete, each activity once. */
static void test_hundred_instances_of_five_activities_complete(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_worker(
        &house, HF_WITH(hf_runtime_options, .orchestration_threads = 2, .activity_threads = 4));
    run_many(&house, "fan", "5", 100);
    house_rest(runtime);
    assert_true(house_metric(runtime, "activities_completed") == 500);
    assert_true(house_metric(runtime, "activities_abandoned") == 0);
    assert_true(house_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
    house_close(&house);
}

/* Fifty activities one behind the other: the live execution is resumed each time. */
static void test_chain_of_fifty_resumes_the_live_execution(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .activity_threads = 2));
    house_start(&house, "long", "chain", "50");
    house_expect(&house, "long", "50");
    house_rest(runtime);
    assert_true(house_metric(runtime, "turns_committed") == 51);
    assert_true(house_metric(runtime, "turns_replayed") == 1);
    hf_runtime_free(runtime);
    house_close(&house);
}

/* Eager hand-over: the commit of a turn delivers what it scheduled, and that of a completion hands
 * out the turn that it made due. So a step of a chain costs two commits. */
static void test_step_of_a_chain_costs_two_commits(void **state)
{
    enum { STEPS_COUNT = 50, OTHERS_MAX = 10 };
    struct house house;
    struct hf_store_counters before, after;
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .activity_threads = 2));
    house_start(&house, "warm", "chain", "1");
    house_expect(&house, "warm", "1");
    struct hf_backend *backend = house.store->backend;
    backend->ops->counters(backend, &before);
    house_start(&house, "long", "chain", "50");
    house_expect(&house, "long", "50");
    backend->ops->counters(backend, &after);
    assert_in_range(after.commits - before.commits, 2 * STEPS_COUNT, 2 * STEPS_COUNT + OTHERS_MAX);
    hf_runtime_free(runtime);
    house_close(&house);
}

/* With room for one live instance the others are evicted, replayed, and complete all the same. */
static void test_evicted_instances_complete(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_worker(
        &house, HF_WITH(hf_runtime_options, .live_instances_max = 1, .activity_threads = 2));
    run_many(&house, "chain", "10", 8);
    house_rest(runtime);
    assert_true(house_metric(runtime, "instances_evicted") > 0);
    assert_true(house_metric(runtime, "turns_replayed") > 8);
    assert_true(house_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
    house_close(&house);
}

/* Without any live instances each turn is replayed from history. */
static void test_no_live_instances_replays_each_turn(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_worker(
        &house, HF_WITH(hf_runtime_options, .live_instances_max = UINT32_MAX));
    house_start(&house, "long", "chain", "10");
    house_expect(&house, "long", "10");
    house_rest(runtime);
    assert_true(house_metric(runtime, "turns_replayed") == 11);
    hf_runtime_free(runtime);
    house_close(&house);
}

/* A durable timer wakes its instance when it is due. */
static void test_timer_wakes_its_instance(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "one"));
    house_start(&house, "nap", "naps", "30");
    house_start(&house, "no-nap", "naps", "0");
    house_expect(&house, "nap", "woke");
    house_expect(&house, "no-nap", "woke");
    house_rest(runtime);
    assert_true(house_metric(runtime, "timers_fired") == 2);
    hf_runtime_free(runtime);
    house_close(&house);
}

static bool no_memories(void *context)
{
    return stage_memories(context) == 0;
}

/* Terminating an instance tells the activity of its session to stop, and its memory goes. */
static void test_terminate_tells_the_running_activity(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "a"));
    house_start(&house, "desk", "hold", "");
    stage_wait(&house.stage, "held desk a 1", 1);
    assert_ok(hf_terminate(house.store, "desk", "enough", &error), &error);
    stage_wait(&house.stage, "told", 1);
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &house.stage, no_memories));
    hf_runtime_free(runtime);
    house_close(&house);
}

/* An activity that nobody here has is handed back, logged and kept until a worker that has it
 * comes.
 */
static void test_unknown_activity_waits_for_a_worker_that_has_it(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    hf_registry *all = house.registry;
    house.registry = stage_registry(&house.stage, NULL, "greet");
    hf_runtime *without = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "old"));
    house_start(&house, "greeting", "hello", "world");
    stage_wait(&house.stage, "log activity.unregistered old", 1);
    hf_registry *some = house.registry;
    house.registry = all;
    hf_runtime *with = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "new"));
    house_rest(without); /* while both are there, chance says who is the next to take it */
    assert_true(house_metric(without, "activities_abandoned") >= 1);
    house_expect(&house, "greeting", "Hello, world!");
    hf_runtime_free(with);
    hf_runtime_free(without);
    hf_registry_free(some);
    house_close(&house);
}

/* The same for an orchestration. */
static void test_unknown_orchestration_waits_for_a_worker_that_has_it(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    hf_registry *all = house.registry;
    house.registry = stage_registry(&house.stage, NULL, "hello");
    hf_runtime *without = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "old"));
    house_start(&house, "greeting", "hello", "world");
    stage_wait(&house.stage, "log instance.unregistered old", 1);
    hf_registry *some = house.registry;
    house.registry = all;
    hf_runtime *with = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "new"));
    house_rest(without); /* while both are there, chance says who is the next to take it */
    assert_true(house_metric(without, "turns_abandoned") >= 1);
    house_expect(&house, "greeting", "Hello, world!");
    hf_runtime_free(with);
    hf_runtime_free(without);
    hf_registry_free(some);
    house_close(&house);
}

/* A worker id that lives in this process is refused, with a message that names it; once it has
 * stopped, it is free again. */
static void test_worker_id_that_lives_here_is_refused(void **state)
{
    struct house house;
    hf_error error = { 0 };
    hf_runtime *second = NULL;
    (void)state;
    house_open(&house, NULL);
    const hf_runtime_options *options = HF_WITH(hf_runtime_options, .worker_id = "twin");
    hf_runtime *first = house_worker(&house, options);
    assert_ok(hf_runtime_new(house.store, house.registry, options, &second, &error), &error);
    assert_status(hf_runtime_start(second, &error), HF_WORKER_ALIVE);
    assert_non_null(strstr(error.message, "twin"));
    assert_status(hf_runtime_start(second, &error), HF_INVALID);
    assert_status(hf_runtime_join(second, &error), HF_INVALID);
    hf_runtime_free(second);
    hf_runtime_free(first);
    hf_runtime *third = house_worker(&house, options);
    hf_runtime_free(third);
    house_close(&house);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello_runs_from_end_to_end),
        cmocka_unit_test(test_hundred_instances_of_five_activities_complete),
        cmocka_unit_test(test_chain_of_fifty_resumes_the_live_execution),
        cmocka_unit_test(test_step_of_a_chain_costs_two_commits),
        cmocka_unit_test(test_evicted_instances_complete),
        cmocka_unit_test(test_no_live_instances_replays_each_turn),
        cmocka_unit_test(test_timer_wakes_its_instance),
        cmocka_unit_test(test_terminate_tells_the_running_activity),
        cmocka_unit_test(test_unknown_activity_waits_for_a_worker_that_has_it),
        cmocka_unit_test(test_unknown_orchestration_waits_for_a_worker_that_has_it),
        cmocka_unit_test(test_worker_id_that_lives_here_is_refused),
    };
    int status = child_main(argc, argv, NULL);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
