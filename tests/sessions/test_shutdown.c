/* Section 6 of the session cases, and 19.12: a worker stops in order. All leases are ten minutes
 * long, and no process dies before it has ended its registration. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/sessions/crew.h"

/* ---- what runs ------------------------------------------------------------------------------ */

/* Runs the activity that its input names on the session "desk"; the output is that one's. */
static hf_status runs(hf_orchestration *o, hf_slice activity)
{
    hf_slice output;
    hf_session session = hf_session_open_id(o, "desk");
    const char *name = hf_format(o, HF_FMT, HF_ARG(activity)).data;
    HF_TRY(hf_call_on(o, session, name, hf_text("gate"), &output));
    return hf_complete(o, output);
}

/* The same, and then it waits for the mailbox "go" with its session open. */
static hf_status stays(hf_orchestration *o, hf_slice activity)
{
    hf_slice output;
    hf_session session = hf_session_open_id(o, "desk");
    const char *name = hf_format(o, HF_FMT, HF_ARG(activity)).data;
    HF_TRY(hf_call_on(o, session, name, hf_text("gate"), &output));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, output);
}

/* Says "held <worker> <attempt>", and "heard" when it is told to stop; but it only ends when its
 * gate is opened. */
static hf_status deaf(hf_activity *a, hf_slice gate)
{
    enum { STEP_MS = 5 };
    struct stage *stage = hf_activity_user(a);
    const hf_activity_info *about = hf_activity_about(a);
    bool has_heard = false;
    stage_sayf(stage, "held %s %u", about->worker_id, about->attempt);
    while (!stage_is_open(stage, gate)) {
        bool is_told = hf_activity_wait_cancelled(a, STEP_MS);
        if (is_told && !has_heard) stage_sayf(stage, "heard %s", about->worker_id);
        has_heard = is_told;
    }
    return hf_activity_complete(a, hf_text("let go"));
}

static const struct part parts[] = {
    { "runs", runs, NULL },
    { "stays", stays, NULL },
    { "deaf", NULL, deaf },
    { NULL, NULL, NULL },
};

/* ---- cases ---------------------------------------------------------------------------------- */

/* Shutdown of A makes its sessions claimable at once: B, which lives on, has them at its next
 * fetch.
 */
static void case_6_1_sessions_are_claimable_at_once(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    hf_runtime *a = crew_hire(crew, "a", 2, 0);
    crew_start_waiting(crew, "x");
    crew_start_waiting(crew, "y");
    hf_runtime *b = crew_hire(crew, "b", 2, 0);
    crew_dismiss(crew, a);
    crew_assert_owner(crew, "x", "desk", "");
    crew_assert_owner(crew, "y", "desk", "");
    house_send(&crew->house, "x", "go", "");
    house_send(&crew->house, "y", "go", "");
    assert_int_equal(house_told(&crew->house, "x", told, 2), 2);
    assert_string_equal(told[1].worker, "b");
    assert_true(told[1].is_first);
    assert_int_equal(house_told(&crew->house, "y", told, 2), 2);
    assert_string_equal(told[1].worker, "b");
    assert_true(house_metric(b, "sessions_claimed") == 2);
}

/* Shutdown during activities: all are told to stop; one heeds that and is handed back, one does not
 * and is given up after the grace. Both are delivered to another worker, with their sessions, and
 * at the first attempt. */
static void case_6_2_running_activities_go_over_uncounted(void **state)
{
    enum { GRACE_MS = 100 };
    struct crew *crew = *state;
    struct stage *stage = &crew->house.stage;
    hf_error error = { 0 };
    hf_runtime *a = crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "heeds", "runs", "hold");
    stage_wait(stage, "held heeds a 1 gate", 1);
    house_start(&crew->house, "deaf", "runs", "deaf");
    stage_wait(stage, "held a 1", 1);
    hf_runtime_stop(a, GRACE_MS, NULL, NULL);
    assert_ok(hf_runtime_join(a, &error), &error); /* although one function has not returned */
    assert_int_equal(stage_count(stage, "told heeds a"), 1);
    assert_int_equal(stage_count(stage, "heard a"), 1);
    crew_assert_owner(crew, "heeds", "desk", "");
    crew_assert_owner(crew, "deaf", "desk", "");

    crew_hire(crew, "b", 2, 0);
    stage_wait(stage, "held heeds b 1 gate", 1);
    stage_wait(stage, "held b 1", 1);
    crew_assert_owner(crew, "heeds", "desk", "b");
    crew_assert_owner(crew, "deaf", "desk", "b");
    stage_open(stage, "gate");
    house_expect(&crew->house, "heeds", "let go");
    house_expect(&crew->house, "deaf", "let go");
    assert_true(house_metric(a, "activities_completed") == 0);
}

/* A process that is told to stop by SIGTERM, heeded by hf_runtime_stop_signal, exits behind the
 * commit that released its last session: when it is gone, the store shows no owner, and nobody has
 * declared it dead. */
static void case_19_12_sigterm_exits_behind_the_last_release(void **state)
{
    struct crew *crew = *state;
    char line[STAGE_LINE_SIZE];
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
    crew_start_waiting(crew, "idle");
    house_start(&crew->house, "busy", "stays", "deaf");
    child_expect(a, "held a 1", line, sizeof line);
    assert_int_equal(kill(a->pid, SIGTERM), 0);
    child_expect(a, "heard a", line, sizeof line);
    house_wait_owner(&crew->house, "idle", "desk", "");
    crew_assert_owner(crew, "busy", "desk", "a"); /* it drains */
    child_open(a, "gate");
    assert_int_equal(crew_end(crew, a, 0), 0);
    crew_assert_owner(crew, "busy", "desk", "");
    crew_assert_owner(crew, "idle", "desk", "");
    assert_int_equal(stage_count(&crew->house.stage, "log worker.dead"), 0);
    house_send(&crew->house, "busy", "go", "");
    house_expect(&crew->house, "busy", "let go");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_6_1_sessions_are_claimable_at_once, parts),
        CREW_TEST(case_6_2_running_activities_go_over_uncounted, parts),
        CREW_TEST(case_19_12_sigterm_exits_behind_the_last_release, parts),
    };
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
