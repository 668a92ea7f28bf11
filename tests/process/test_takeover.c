/* A worker process dies by SIGKILL: others take over what it held, long before any lease is over.
 */
/* ctest-timeout: 300 */
#include "tests/process/house.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { TAKEOVER_LIMIT_MS = 20000 }; /* far below the leases of ten minutes */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Runs orchestrations alone, so that every activity is the children's. */
static hf_runtime *orchestrator(struct house *house)
{
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = "orchestrator",
                                       .activity_threads = UINT32_MAX, .item_lock_ms = 600000,
                                       .session_lock_ms = 600000));
}

/* Asserts what a line of `where` says: "where <instance> <worker> <cold|warm> <first|later> <n>".
 */
static void assert_where(const char *report, const char *expected)
{
    if (!strstr(report, expected)) fail_msg("\"%s\" has no \"%s\"", report, expected);
}

/* case 5.1, 5.2, 5.4: the owner of idle sessions is killed; the next activity of each runs in
 * another process, which can tell that its memory is cold. */
static void test_case_5_1_idle_sessions_move_when_their_owner_is_killed(void **state)
{
    enum { SESSIONS_COUNT = 3 };
    struct house house;
    struct child a, b;
    hf_error error = { 0 };
    char id[32];
    char line[HOUSE_LINE_SIZE];
    char report[HOUSE_LINE_SIZE];
    (void)state;
    house_open(&house);
    hf_runtime *runtime = orchestrator(&house);
    child_start(&a, house.directory.path, "a", "a");
    for (int i = 0; i < SESSIONS_COUNT; i++) {
        snprintf(id, sizeof id, "desk-%d", i);
        house_start(&house, id, "waits", "");
        child_expect(&a, "where desk-", line, sizeof line);
        assert_where(line, " a cold first 1");
        house_wait_status(&house, id, "waiting");
    }
    child_start(&b, house.directory.path, "b", "a");
    uint64_t killed_ms = now_ms();
    int status = child_end(&a, SIGKILL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (int i = 0; i < SESSIONS_COUNT; i++) {
        snprintf(id, sizeof id, "desk-%d", i);
        assert_ok(hf_enqueue(house.store, id, "go", hf_text(""), &error), &error);
        house_output(&house, id, report, sizeof report);
        assert_string_equal(report, "a cold first 1\nb cold first 1\n");
    }
    uint64_t passed_ms = now_ms() - killed_ms;
    print_message("three idle sessions moved within %llu ms\n", (unsigned long long)passed_ms);
    assert_true(passed_ms < TAKEOVER_LIMIT_MS);
    assert_int_equal(child_end(&b, SIGTERM), 0);
    hf_runtime_free(runtime);
    house_close(&house);
}

/* case 5.3: the owner is killed in the middle of an activity: the item is delivered again, to the
 * new owner of its session, with a higher attempt number. */
static void test_case_5_3_running_activity_is_delivered_again(void **state)
{
    struct house house;
    struct child a, b;
    hf_error error = { 0 };
    char line[HOUSE_LINE_SIZE];
    (void)state;
    house_open(&house);
    hf_runtime *runtime = orchestrator(&house);
    child_start(&a, house.directory.path, "a", "a");
    house_start(&house, "desk", "hold", "");
    child_expect(&a, "held desk a 1", line, sizeof line);
    child_start(&b, house.directory.path, "b", "a");
    uint64_t killed_ms = now_ms();
    child_end(&a, SIGKILL);
    child_expect(&b, "held desk", line, sizeof line);
    uint64_t passed_ms = now_ms() - killed_ms;
    assert_string_equal(line, "held desk b 2");
    print_message("a running activity was delivered again after %llu ms\n",
                  (unsigned long long)passed_ms);
    assert_true(passed_ms < TAKEOVER_LIMIT_MS);

    /* Its cancellation crosses processes: the turn that closes the session is committed here. */
    assert_ok(hf_enqueue(house.store, "desk", "close", hf_text(""), &error), &error);
    house_expect(&house, "desk", "HF_SESSION_CLOSED");
    child_expect(&b, "told", line, sizeof line);
    assert_int_equal(child_end(&b, SIGTERM), 0);
    hf_runtime_free(runtime);
    house_close(&house);
}

/* Queued and running work, ordinary and of sessions, of a process that is killed again and again:
 * everything completes. */
static void test_work_of_killed_workers_completes(void **state)
{
    enum { INSTANCES_COUNT = 20, KILLS_COUNT = 3 };
    struct house house;
    struct child worker;
    char id[32];
    char line[HOUSE_LINE_SIZE];
    char report[1024];
    (void)state;
    house_open(&house);
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
        assert_where(report, "w cold first");
    }
    assert_int_equal(child_end(&worker, SIGTERM), 0);
    house_close(&house);
}

/* A turn in progress goes with its process: another one runs the orchestration on. */
static void test_orchestrations_of_a_killed_worker_go_on(void **state)
{
    struct house house;
    struct child first;
    char line[HOUSE_LINE_SIZE];
    char report[HOUSE_LINE_SIZE];
    hf_error error = { 0 };
    (void)state;
    house_open(&house);
    child_start(&first, house.directory.path, "first", "");
    house_start(&house, "desk", "waits", "");
    child_expect(&first, "where desk first", line, sizeof line);
    house_wait_status(&house, "desk", "waiting");
    child_end(&first, SIGKILL);
    hf_runtime *second = house_worker(
        &house, HF_WITH(hf_runtime_options, .worker_id = "second", .activity_threads = 1));
    stage_wait(&house.stage, "log worker.dead first", 1);
    assert_ok(hf_enqueue(house.store, "desk", "go", hf_text(""), &error), &error);
    house_output(&house, "desk", report, sizeof report);
    assert_string_equal(report, "first cold first 1\nsecond cold first 1\n");
    hf_runtime_free(second);
    house_close(&house);
}

/* A worker id that lives in another process is refused, with a message that says so; once that
 * process is dead, it is free. */
static void test_worker_id_of_a_living_process_is_refused(void **state)
{
    struct house house;
    struct child child;
    hf_error error = { 0 };
    hf_runtime *twin = NULL;
    char pid[32];
    (void)state;
    house_open(&house);
    child_start(&child, house.directory.path, "twin", "");
    const hf_runtime_options *options = HF_WITH(hf_runtime_options, .worker_id = "twin");
    assert_ok(hf_runtime_new(house.store, house.registry, options, &twin, &error), &error);
    assert_status(hf_runtime_start(twin, &error), HF_WORKER_ALIVE);
    snprintf(pid, sizeof pid, "%d", (int)child.pid);
    assert_where(error.message, "twin");
    assert_where(error.message, pid);
    hf_runtime_free(twin);
    child_end(&child, SIGKILL);
    hf_runtime *heir = house_worker(&house, options);
    house_start(&house, "greeting", "hello", "world");
    house_expect(&house, "greeting", "Hello, world!");
    hf_runtime_free(heir);
    house_close(&house);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_case_5_1_idle_sessions_move_when_their_owner_is_killed),
        cmocka_unit_test(test_case_5_3_running_activity_is_delivered_again),
        cmocka_unit_test(test_work_of_killed_workers_completes),
        cmocka_unit_test(test_orchestrations_of_a_killed_worker_go_on),
        cmocka_unit_test(test_worker_id_of_a_living_process_is_refused),
    };
    int status = house_child_main(argc, argv);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
