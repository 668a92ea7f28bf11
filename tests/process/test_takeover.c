/* A worker process dies by SIGKILL: others take over what it held, long before any lease is over.
 */
/* ctest-timeout: 300 */
#include "tests/support/child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Queued and running work, ordinary and of sessions, of a process that is killed again and again:
 * everything completes. */
static void test_work_of_killed_workers_completes(void **state)
{
    enum { INSTANCES_COUNT = 20, KILLS_COUNT = 3 };
    struct house house;
    struct child worker;
    char id[32];
    char line[STAGE_LINE_SIZE];
    char report[1024];
    (void)state;
    house_open(&house, NULL);
    child_start(&worker, house.directory.path, "w", "");
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        snprintf(id, sizeof id, "talk-%d", i);
        house_start(&house, id, "talk", "6");
        snprintf(id, sizeof id, "chain-%d", i);
        house_start(&house, id, "chain", "6");
    }
    for (int i = 0; i < KILLS_COUNT; i++) {
        child_expect(&worker, "where", line, sizeof line);
        child_end(&worker, SIGKILL);
        child_start(&worker, house.directory.path, "w", ""); /* the same worker id, started again */
    }
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        snprintf(id, sizeof id, "chain-%d", i);
        house_expect(&house, id, "6");
        snprintf(id, sizeof id, "talk-%d", i);
        house_output(&house, id, report, sizeof report);
        assert_non_null(strstr(report, "w cold first"));
    }
    assert_int_equal(child_end(&worker, SIGTERM), 0);
    house_close(&house);
}

/* A turn in progress goes with its process: another one runs the orchestration on. */
static void test_orchestrations_of_a_killed_worker_go_on(void **state)
{
    struct house house;
    struct child first;
    char line[STAGE_LINE_SIZE];
    struct told told[2];
    (void)state;
    house_open(&house, NULL);
    child_start(&first, house.directory.path, "first", "");
    house_start(&house, "desk", "waits", "");
    child_expect(&first, "tell desk first", line, sizeof line);
    house_wait_status(&house, "desk", "waiting");
    child_end(&first, SIGKILL);
    hf_runtime *second = house_worker(
        &house, HF_WITH(hf_runtime_options, .worker_id = "second", .activity_threads = 1));
    stage_wait(&house.stage, "log worker.dead first", 1);
    house_send(&house, "desk", "go", "");
    assert_int_equal(house_told(&house, "desk", told, 2), 2);
    assert_string_equal(told[0].worker, "first");
    assert_string_equal(told[1].worker, "second");
    hf_runtime_free(second);
    house_close(&house);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_of_killed_workers_completes),
        cmocka_unit_test(test_orchestrations_of_a_killed_worker_go_on),
    };
    int status = child_main(argc, argv, NULL);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
