/* Section 6 of the session cases: a worker stops in order. */
#include "tests/support/child.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static hf_runtime *worker(struct house *house, const char *id)
{
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = id, .activity_threads = 2,
                                       .item_lock_ms = 600000, .session_lock_ms = 600000));
}

static void count_stop(void *user)
{
    atomic_int *count = user;
    atomic_fetch_add(count, 1);
}

/* case 6.1: SIGTERM, heeded by hf_runtime_stop_signal: the sessions are released before the process
 * exits, and another worker claims them. */
static void case_6_1_sigterm_releases_sessions_before_the_exit(void **state)
{
    struct house house;
    struct child a;
    hf_error error = { 0 };
    char line[STAGE_LINE_SIZE];
    char report[STAGE_LINE_SIZE];
    (void)state;
    house_open(&house, NULL);
    child_start(&a, house.directory.path, "a", "");
    house_start(&house, "desk", "waits", "");
    child_expect(&a, "where desk a", line, sizeof line);
    house_wait_status(&house, "desk", "waiting");
    assert_int_equal(kill(a.pid, SIGTERM), 0);
    child_expect(&a, "log session.release a", line, sizeof line);
    child_expect(&a, "stopped", line, sizeof line);
    assert_int_equal(child_end(&a, 0), 0);

    hf_runtime *b = worker(&house, "b");
    assert_ok(hf_enqueue(house.store, "desk", "go", hf_text(""), &error), &error);
    house_output(&house, "desk", report, sizeof report);
    assert_string_equal(report, "a cold first 1\nb cold first 1\n");
    assert_int_equal(stage_count(&house.stage, "log worker.dead"), 0);
    hf_runtime_free(b);
    house_close(&house);
}

/* case 6.2: an activity that returns HF_CANCELLED once told is handed back without counting. */
static void case_6_2_told_activity_is_handed_back_uncounted(void **state)
{
    struct house house;
    atomic_int stops = 0;
    hf_error error = { 0 };
    (void)state;
    house_open(&house, NULL);
    hf_runtime *a = worker(&house, "a");
    house_start(&house, "desk", "hold_free", "");
    stage_wait(&house.stage, "held desk a 1", 1);
    hf_runtime_stop(a, STAGE_LIMIT_MS, count_stop, &stops);
    hf_runtime_stop(a, 0, count_stop, &stops); /* the second call does nothing */
    assert_ok(hf_runtime_join(a, &error), &error);
    assert_int_equal(atomic_load(&stops), 1);
    assert_int_equal(stage_count(&house.stage, "told"), 1);
    assert_true(house_metric(a, "sessions_released") == 1);
    hf_runtime_free(a);
    assert_int_equal(atomic_load(&stops), 1);

    hf_runtime *b = worker(&house, "b");
    stage_wait(&house.stage, "held desk b 1", 1);
    stage_open(&house.stage, NULL);
    house_expect(&house, "desk", "let go");
    hf_runtime_free(b);
    house_close(&house);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_6_1_sigterm_releases_sessions_before_the_exit),
        cmocka_unit_test(case_6_2_told_activity_is_handed_back_uncounted),
    };
    int status = child_main(argc, argv, NULL);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
