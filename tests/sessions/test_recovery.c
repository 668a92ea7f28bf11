/* What becomes of a session's activities when its owner goes, by the policy that it was opened
 * with, and how the orchestration meets it. Nothing here is of the list of cases: the project adds
 * it. All leases are ten minutes long: no time decides here. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/sessions/crew.h"

/* ---- what runs ------------------------------------------------------------------------------ */

/* Tells, shows that it waits, and takes a message from "go". */
static hf_status tell_and_wait(hf_orchestration *o, hf_session desk, hf_slice *lines)
{
    HF_TRY(stage_tell(o, desk, lines));
    hf_status_set(o, hf_text("waiting"));
    return hf_dequeue(o, "go", NULL);
}

/* Opens "desk" to fail, loses two activities that never end, and tells again on the same session.
 */
static hf_status loses(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_session desk = hf_session_open_with(
        o, HF_WITH(hf_session_options, .id = "desk", .recovery = HF_SESSION_FAIL));
    HF_TRY(stage_tell(o, desk, &lines));
    hf_future both[] = { hf_schedule_on(o, desk, "hold", hf_text("never")),
                         hf_schedule_on(o, desk, "hold", hf_text("never")) };
    hf_status status = hf_join(o, both, 2);
    if (status != HF_SESSION_LOST) return hf_fail(o, "not_lost", "%s", hf_status_name(status));
    if (strcmp(hf_orchestration_error(o)->code, "session_lost") != 0) return HF_INVALID;
    HF_TRY(stage_tell(o, desk, &lines));
    (void)input;
    return hf_complete(o, lines);
}

/* Opens "desk" to fail, continues as new, and then loses an activity that never ends. */
static hf_status loses_later(hf_orchestration *o, hf_slice input)
{
    if (input.size == 0) {
        hf_session_open_with(
            o, HF_WITH(hf_session_options, .id = "desk", .recovery = HF_SESSION_FAIL));
        return hf_continue_as_new(o, hf_text("later"));
    }
    hf_session desk = hf_session_named(o, "desk");
    return hf_call_on(o, desk, "hold", hf_text("never"), NULL);
}

/* Opens "desk" to be rebuilt by `load` of the input; behind "go" two tell on it at once. */
static hf_status reloads(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_session desk = hf_session_open_with(o, HF_WITH(hf_session_options, .id = "desk",
                                                      .recovery = HF_SESSION_REBUILD,
                                                      .rebuild = "load", .rebuild_input = input));
    HF_TRY(tell_and_wait(o, desk, &lines));
    hf_future both[] = { hf_schedule_on(o, desk, "tell", input),
                         hf_schedule_on(o, desk, "tell", input) };
    HF_TRY(hf_join(o, both, 2));
    for (size_t i = 0; i < 2; i++) {
        hf_slice report;
        HF_TRY(hf_await(o, both[i], &report));
        lines = stage_add(o, lines, report);
    }
    return hf_complete(o, lines);
}

/* Says "loaded <worker> <first|later> <met> <input>", with a memory of the session; fails on
 * "broken". */
static hf_status load(hf_activity *a, hf_slice input)
{
    const hf_activity_info *about = hf_activity_about(a);
    stage_sayf(hf_activity_user(a), "loaded %s %s %d " HF_FMT, about->worker_id,
               about->first_in_claim ? "first" : "later", (int)stage_meet(a), HF_ARG(input));
    if (!hf_slice_equal(input, hf_text("broken"))) return HF_OK;
    return hf_activity_fail(a, "no_file", input, "the file is gone");
}

static const struct part parts[] = {
    { "loses", loses, NULL },     { "loses_later", loses_later, NULL },
    { "reloads", reloads, NULL }, { "load", NULL, load },
    { NULL, NULL, NULL },
};

static void kill_owner(struct crew *crew, struct child *owner)
{
    int status = crew_end(crew, owner, SIGKILL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- fail ----------------------------------------------------------------------------------- */

/* Killed with activities in it: they end with HF_SESSION_LOST and do not run again; the session is
 * open, and what is scheduled now runs on its new owner. */
static void lost_activities_are_told_and_the_session_goes_on(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    char line[STAGE_LINE_SIZE];
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES "activity_threads=2 ");
    house_start(&crew->house, "desk", "loses", "");
    child_expect(a, "held desk a", line, sizeof line);
    child_expect(a, "held desk a", line, sizeof line);
    crew_hire(crew, "b", 1, 0);
    kill_owner(crew, a);
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    assert_string_equal(told[1].worker, "b");
    assert_int_equal(told[1].met, 0);
    assert_int_equal(told[1].incarnation, told[0].incarnation);
    assert_int_not_equal(told[1].epoch, told[0].epoch);
    assert_int_equal(stage_count(&crew->house.stage, "held desk b"), 0);
}

/* The policy is the session's: it outlives the execution that opened it. An error that is passed on
 * is the instance's. */
static void lost_activity_of_a_later_execution_is_told(void **state)
{
    struct crew *crew = *state;
    char line[STAGE_LINE_SIZE];
    hf_error error;
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
    house_start(&crew->house, "desk", "loses_later", "");
    child_expect(a, "held desk a", line, sizeof line);
    crew_hire(crew, "b", 1, 0);
    kill_owner(crew, a);
    house_failure(&crew->house, "desk", HF_INSTANCE_FAILED, &error);
    assert_int_equal(error.status, HF_SESSION_LOST);
    assert_string_equal(error.code, "session_lost");
    assert_non_null(strstr(error.message, "desk"));
    assert_int_equal(stage_count(&crew->house.stage, "held desk b"), 0);
}

/* ---- rebuild -------------------------------------------------------------------------------- */

/* The new owner has rebuilt, once, before both activities, which then meet its memory. */
static void assert_rebuilt_by_b(struct crew *crew)
{
    struct told told[3];
    char line[STAGE_LINE_SIZE];
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 3), 3);
    stage_line(&crew->house.stage, "loaded ", 1, line, sizeof line);
    assert_string_equal(line, "loaded b first 0 book");
    assert_int_equal(stage_count(&crew->house.stage, "loaded "), 1);
    for (size_t i = 1; i < 3; i++) {
        assert_string_equal(told[i].worker, "b");
        assert_false(told[i].is_first);
        assert_in_range(told[i].met, 1, 2);
    }
    assert_int_not_equal(told[1].met, told[2].met);
}

/* Its owner was killed: the session is rebuilt before anything else runs on it. Nothing was rebuilt
 * for its first owner. */
static void session_of_a_killed_owner_is_rebuilt_once(void **state)
{
    struct crew *crew = *state;
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
    house_start(&crew->house, "desk", "reloads", "book");
    house_wait_status(&crew->house, "desk", "waiting");
    crew_hire(crew, "b", 2, 0);
    kill_owner(crew, a);
    assert_rebuilt_by_b(crew);
}

/* Its owner stopped in order and released it: its memory is as gone, and rebuilt. */
static void session_of_a_stopped_owner_is_rebuilt_once(void **state)
{
    struct crew *crew = *state;
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "reloads", "book");
    house_wait_status(&crew->house, "desk", "waiting");
    crew_dismiss(crew, a);
    assert_int_equal(stage_count(&crew->house.stage, "loaded "), 0);
    crew_hire(crew, "b", 2, 0);
    assert_rebuilt_by_b(crew);
}

/* It cannot be rebuilt: what waits for it is lost, and told why. */
static void session_that_cannot_be_rebuilt_is_lost(void **state)
{
    struct crew *crew = *state;
    hf_error error;
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "reloads", "broken");
    house_wait_status(&crew->house, "desk", "waiting");
    crew_dismiss(crew, a);
    crew_hire(crew, "b", 2, 0);
    house_send(&crew->house, "desk", "go", "");
    house_failure(&crew->house, "desk", HF_INSTANCE_FAILED, &error);
    assert_int_equal(error.status, HF_SESSION_LOST);
    assert_string_equal(error.code, "session_lost");
    assert_non_null(strstr(error.message, "the file is gone"));
    assert_int_equal(stage_count(&crew->house.stage, "tell desk b"), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(lost_activities_are_told_and_the_session_goes_on, parts),
        CREW_TEST(lost_activity_of_a_later_execution_is_told, parts),
        CREW_TEST(session_of_a_killed_owner_is_rebuilt_once, parts),
        CREW_TEST(session_of_a_stopped_owner_is_rebuilt_once, parts),
        CREW_TEST(session_that_cannot_be_rebuilt_is_lost, parts),
    };
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
