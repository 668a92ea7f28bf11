/* Section 5 of the session cases: the process that holds sessions is killed. */
#include "tests/support/child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* case 5.1, 5.2, 5.4: the owner of idle sessions is killed; the next activity of each runs in
 * another process, which can tell that its memory is cold. */
static void case_5_1_idle_sessions_move_when_their_owner_is_killed(void **state)
{
    enum { SESSIONS_COUNT = 3 };
    struct house house;
    struct child a, b;
    hf_error error = { 0 };
    char id[32];
    char line[STAGE_LINE_SIZE];
    char report[STAGE_LINE_SIZE];
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_orchestrator(&house);
    child_start(&a, house.directory.path, "a", CHILD_ACTIVITIES);
    for (int i = 0; i < SESSIONS_COUNT; i++) {
        snprintf(id, sizeof id, "desk-%d", i);
        house_start(&house, id, "waits", "");
        child_expect(&a, "where desk-", line, sizeof line);
        assert_non_null(strstr(line, " a cold first 1"));
        house_wait_status(&house, id, "waiting");
    }
    child_start(&b, house.directory.path, "b", CHILD_ACTIVITIES);
    int status = child_end(&a, SIGKILL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (int i = 0; i < SESSIONS_COUNT; i++) {
        snprintf(id, sizeof id, "desk-%d", i);
        assert_ok(hf_enqueue(house.store, id, "go", hf_text(""), &error), &error);
        house_output(&house, id, report, sizeof report);
        assert_string_equal(report, "a cold first 1\nb cold first 1\n");
    }
    assert_int_equal(child_end(&b, SIGTERM), 0);
    hf_runtime_free(runtime);
    house_close(&house);
}

/* case 5.3: the owner is killed in the middle of an activity: the item is delivered again, to the
 * new owner of its session, with a higher attempt number. */
static void case_5_3_running_activity_is_delivered_again(void **state)
{
    struct house house;
    struct child a, b;
    hf_error error = { 0 };
    char line[STAGE_LINE_SIZE];
    (void)state;
    house_open(&house, NULL);
    hf_runtime *runtime = house_orchestrator(&house);
    child_start(&a, house.directory.path, "a", CHILD_ACTIVITIES);
    house_start(&house, "desk", "hold", "");
    child_expect(&a, "held desk a 1", line, sizeof line);
    child_start(&b, house.directory.path, "b", CHILD_ACTIVITIES);
    child_end(&a, SIGKILL);
    child_expect(&b, "held desk", line, sizeof line);
    assert_string_equal(line, "held desk b 2");

    /* Its cancellation crosses processes: the turn that closes the session is committed here. */
    assert_ok(hf_enqueue(house.store, "desk", "close", hf_text(""), &error), &error);
    house_expect(&house, "desk", "HF_SESSION_CLOSED");
    child_expect(&b, "told", line, sizeof line);
    assert_int_equal(child_end(&b, SIGTERM), 0);
    hf_runtime_free(runtime);
    house_close(&house);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_5_1_idle_sessions_move_when_their_owner_is_killed),
        cmocka_unit_test(case_5_3_running_activity_is_delivered_again),
    };
    int status = child_main(argc, argv, NULL);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
