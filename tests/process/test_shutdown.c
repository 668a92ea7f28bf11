/* Stopping: what ends in time is completed, and nothing is left. */
/* ctest-timeout: 300 */
#include "tests/support/house.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static hf_runtime *worker(struct house *house, const char *id)
{
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = id, .activity_threads = 2,
                                       .item_lock_ms = 600000, .session_lock_ms = 600000));
}

/* An activity that ends within the grace is completed, and its session released with it. */
static void test_activity_that_ends_in_the_grace_is_completed(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    house_open(&house, NULL);
    hf_runtime *a = worker(&house, "a");
    house_start(&house, "desk", "hold_free", "stuck");
    stage_wait(&house.stage, "held desk a 1", 1);
    hf_runtime_stop(a, STAGE_LIMIT_MS, NULL, NULL);
    stage_open(&house.stage, NULL);
    assert_ok(hf_runtime_join(a, &error), &error);
    assert_true(house_metric(a, "activities_completed") == 1);
    assert_true(house_metric(a, "activities_abandoned") == 0);
    assert_true(house_metric(a, "sessions_released") == 1);
    hf_runtime_free(a);

    hf_runtime *b = worker(&house, "b");
    house_expect(&house, "desk", "let go");
    hf_runtime_free(b);
    house_close(&house);
}

/* Freeing a runtime that works stops it in order first: nothing of it stays behind. */
static void test_free_of_a_working_runtime_stops_it(void **state)
{
    struct house house;
    char id[32];
    (void)state;
    house_open(&house, NULL);
    hf_runtime *a = worker(&house, "a");
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "chain-%d", i);
        house_start(&house, id, "chain", "20");
        snprintf(id, sizeof id, "talk-%d", i);
        house_start(&house, id, "talk", "4");
    }
    stage_wait(&house.stage, "where", 1);
    hf_runtime_free(a);
    assert_int_equal(stage_count(&house.stage, "log worker.stop a"), 1);
    assert_int_equal(stage_memories(&house.stage), 0);
    hf_runtime *b = worker(&house, "b");
    char report[1024];
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "chain-%d", i);
        house_expect(&house, id, "20");
        snprintf(id, sizeof id, "talk-%d", i);
        house_output(&house, id, report, sizeof report);
    }
    assert_int_equal(stage_count(&house.stage, "log worker.dead"), 0);
    hf_runtime_free(b);
    house_close(&house);
}

/* In a forked child the runtime of the parent is nobody's: stopping and freeing it there do nothing
 * to the parent's. */
static void test_forked_child_does_not_touch_the_runtime(void **state)
{
    struct house house;
    int status = 0;
    (void)state;
    house_open(&house, NULL);
    hf_runtime *a = worker(&house, "a");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        hf_error error;
        hf_runtime_stop_signal(a);
        hf_runtime_stop(a, 0, NULL, NULL);
        bool is_refused = hf_runtime_start(a, &error) == HF_FORKED;
        bool is_not_joined = hf_runtime_join(a, &error) == HF_FORKED;
        hf_runtime_free(a);
        _exit(is_refused && is_not_joined ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    house_start(&house, "greeting", "hello", "world");
    house_expect(&house, "greeting", "Hello, world!");
    assert_int_equal(stage_count(&house.stage, "log worker.stop"), 0);
    hf_runtime_free(a);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activity_that_ends_in_the_grace_is_completed),
        cmocka_unit_test(test_free_of_a_working_runtime_stops_it),
        cmocka_unit_test(test_forked_child_does_not_touch_the_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
