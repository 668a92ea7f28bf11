/* Section 12: activities of sessions compose with everything else that an orchestration does. */
#include "tests/sessions/crew.h"

#include <stdio.h>
#include <string.h>

static const hf_session nowhere = { 0 };

/* Three on a session and three ordinary ones, by turns. */
static hf_status mixes(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_session desk = hf_session_open_id(o, "desk");
    (void)input;
    for (int i = 0; i < 3; i++) {
        HF_TRY(stage_tell(o, desk, &lines));
        HF_TRY(stage_tell(o, nowhere, &lines));
    }
    return hf_complete(o, lines);
}

/* Shows a status, and goes on when told. */
static hf_status pause_as(hf_orchestration *o, const char *status)
{
    hf_status_set(o, hf_text(status));
    return hf_dequeue(o, "go", NULL);
}

static hf_status one_between(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_session desk = hf_session_open_id(o, "desk");
    (void)input;
    HF_TRY(stage_tell(o, desk, &lines));
    HF_TRY(pause_as(o, "first"));
    HF_TRY(stage_tell(o, nowhere, &lines));
    HF_TRY(stage_tell(o, desk, &lines));
    return hf_complete(o, lines);
}

static hf_status joins_four(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_session desk = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, desk, &lines));
    HF_TRY(pause_as(o, "first"));
    const hf_future futures[] = { hf_schedule_on(o, desk, "tell", input),
                                  hf_schedule(o, "tell", input),
                                  hf_schedule_on(o, desk, "tell", input),
                                  hf_schedule(o, "tell", input) };
    HF_TRY(hf_join(o, futures, 4));
    for (size_t i = 0; i < 4; i++) {
        hf_slice report;
        if (!hf_future_is_done(o, futures[i])) return hf_fail(o, "early", "%zu is pending", i);
        HF_TRY(hf_await(o, futures[i], &report));
        lines = stage_add(o, lines, report);
    }
    return hf_complete(o, lines);
}

/* Waits for an activity on a session or for the other, and says which of them was first. */
static hf_status select_against(hf_orchestration *o, hf_future held, hf_future other)
{
    const hf_future futures[] = { held, other };
    size_t winner = 2;
    HF_TRY(hf_select(o, futures, 2, &winner));
    HF_TRY(pause_as(o, winner == 0 ? "the first" : "the second"));
    hf_status of_held = hf_await(o, held, NULL), of_other = hf_await(o, other, NULL);
    return hf_complete(o, hf_format(o, "%s %s", hf_status_name(of_held), hf_status_name(of_other)));
}

static hf_status selects_a_timer(hf_orchestration *o, hf_slice input)
{
    hf_future held = hf_schedule_on(o, hf_session_open_id(o, "desk"), "hold", hf_text("never"));
    int64_t delay_ms = 0;
    hf_slice_to_i64(input, &delay_ms);
    return select_against(o, held, hf_timer(o, (uint64_t)delay_ms));
}

/* The activity on the session waits for the gate "session", the ordinary one for "ordinary". */
static hf_status selects_an_activity(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_future held = hf_schedule_on(o, hf_session_open_id(o, "desk"), "hold", hf_text("session"));
    return select_against(o, held, hf_schedule(o, "hold", hf_text("ordinary")));
}

/* Uses the session "desk", which is its parent's. */
static hf_status borrows(hf_orchestration *o, hf_slice input)
{
    HF_TRY(hf_call_on(o, hf_session_named(o, "desk"), "tell", input, NULL));
    return hf_complete(o, hf_text("it ran"));
}

/* Lends its session to a child in vain: before and after it, an activity of its own. */
static hf_status lends(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_session desk = hf_session_open_id(o, "desk");
    const hf_child_options *kid = HF_WITH(hf_child_options, .orchestration = "borrows",
                                          .instance = "kid", .input = input);
    HF_TRY(stage_tell(o, desk, &lines));
    hf_status status = hf_await(o, hf_child(o, kid), NULL);
    if (status != HF_FAILED || strcmp(hf_orchestration_error(o)->code, "session_not_open") != 0) {
        return hf_fail(o, "lent", "the child ended with %s", hf_status_name(status));
    }
    HF_TRY(stage_tell(o, desk, &lines));
    return hf_complete(o, lines);
}

static const struct part parts[] = {
    { "lends", lends, NULL },
    { "borrows", borrows, NULL },
    { "mixes", mixes, NULL },
    { "one_between", one_between, NULL },
    { "joins_four", joins_four, NULL },
    { "selects_a_timer", selects_a_timer, NULL },
    { "selects_an_activity", selects_an_activity, NULL },
    { NULL, NULL, NULL },
};

/* Activities on a session and ordinary ones of one orchestration all complete; each knows whether
 * it has a session. */
static void case_12_1_session_and_ordinary_activities_complete(void **state)
{
    struct crew *crew = *state;
    struct told told[6];
    crew_hire(crew, "a", 1, 0);
    crew_hire(crew, "b", 1, 0);
    house_start(&crew->house, "desk", "mixes", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 6), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(told[i].session, i % 2 == 0 ? "desk" : "-");
        assert_int_equal(told[i].attempt, 1);
    }
}

/* The session "desk" belongs to "a", which has something in its way; "b" has nothing to do. */
static void begin_beside_a_busy_owner(struct crew *crew, const char *orchestration)
{
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", orchestration, "");
    house_wait_status(&crew->house, "desk", "first");
    crew_put_in_the_way(crew);
    crew_hire(crew, "b", 1, 0);
    house_send(&crew->house, "desk", "go", "");
}

/* Session, ordinary, session: the ordinary one runs elsewhere, and the second one on the session
 * waits for the worker that ran the first. */
static void case_12_2_ordinary_between_two_leaves_the_session_where_it_is(void **state)
{
    struct crew *crew = *state;
    struct told told[3];
    begin_beside_a_busy_owner(crew, "one_between");
    crew_assert_waits(crew, "desk", "desk", 1);
    stage_open(&crew->house.stage, "way");
    assert_int_equal(house_told(&crew->house, "desk", told, 3), 3);
    assert_string_equal(told[0].worker, "a");
    assert_string_equal(told[1].worker, "b");
    assert_string_equal(told[1].session, "-");
    assert_string_equal(told[2].worker, "a");
    assert_int_equal(told[2].epoch, told[0].epoch);
    assert_int_equal(told[2].met, 1);
}

/* A join over two activities on a session and two ordinary ones: all four complete, those on the
 * session where it is, and the ordinary ones meanwhile elsewhere. */
static void case_12_3_join_of_session_and_ordinary_activities(void **state)
{
    struct crew *crew = *state;
    struct told told[5];
    begin_beside_a_busy_owner(crew, "joins_four");
    crew_assert_waits(crew, "desk", "desk", 2);
    stage_wait(&crew->house.stage, "tell desk b - ", 2);
    stage_open(&crew->house.stage, "way");
    assert_int_equal(house_told(&crew->house, "desk", told, 5), 5);
    for (size_t i = 1; i < 5; i++) {
        bool is_on_session = i % 2 == 1;
        assert_string_equal(told[i].session, is_on_session ? "desk" : "-");
        assert_string_equal(told[i].worker, is_on_session ? "a" : "b");
        assert_int_equal(told[i].epoch, is_on_session ? told[0].epoch : 0);
    }
}

/* Asserts that one activity was cancelled in history and told to stop, and that its session has no
 * work left, and is there. */
static void assert_loser_told(struct crew *crew)
{
    struct house_session row;
    char history[HOUSE_TEXT_SIZE];
    stage_wait(&crew->house.stage, "told desk a", 1);
    house_history(&crew->house, "desk", history, sizeof history);
    assert_non_null(strstr(history, "future_cancelled"));
    assert_null(strstr(history, "activity_failed"));
    assert_true(house_session(&crew->house, "desk", "desk", &row));
    assert_int_equal(row.queued_count + row.running_count, 0);
    house_send(&crew->house, "desk", "go", "");
}

/* A select of an activity on a session against a timer that wins: the activity is cancelled as the
 * loser, and its session lives on. */
static void case_12_4_select_cancels_the_activity_when_a_timer_wins(void **state)
{
    enum { HOUR_MS = 3600000 };
    struct crew *crew = *state;
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "selects_a_timer", "3600000");
    stage_wait(&crew->house.stage, "held desk a 1 never", 1);
    house_move_clocks(&crew->house, 0, HOUR_MS);
    house_wait_status(&crew->house, "desk", "the second");
    assert_loser_told(crew);
    house_expect(&crew->house, "desk", "HF_CANCELLED HF_OK");
}

/* Runs the select of two activities, of which the one at the gate is let go. */
static void check_select(struct crew *crew, const char *gate, const char *winner,
                         const char *outcomes)
{
    crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "desk", "selects_an_activity", "");
    stage_wait(&crew->house.stage, "held desk a 1 ", 2);
    stage_open(&crew->house.stage, gate);
    house_wait_status(&crew->house, "desk", winner);
    assert_loser_told(crew);
    house_expect(&crew->house, "desk", outcomes);
    assert_int_equal(stage_count(&crew->house.stage, "told desk"), 1);
}

/* A select of an activity on a session against an ordinary one: the first wins, and the other is
 * cancelled. Here the ordinary one is first. */
static void case_12_5_select_cancels_the_one_on_the_session(void **state)
{
    check_select(*state, "ordinary", "the second", "HF_CANCELLED HF_OK");
}

/* The same when the one on the session is first. */
static void test_select_cancels_the_ordinary_one(void **state)
{
    check_select(*state, "session", "the first", "HF_OK HF_CANCELLED");
}

/* A session of the parent is none of the child's: the activity on it fails the child with an error
 * that names the session, while the parent's own go on where they ran. */
static void case_12_6_child_cannot_use_its_parents_session(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    hf_error error;
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "parent", "lends", "");
    assert_int_equal(house_told(&crew->house, "parent", told, 2), 2);
    crew_assert_one_claim(told, 2);
    house_failure(&crew->house, "kid", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "session_not_open");
    assert_non_null(strstr(error.message, "\"desk\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_12_1_session_and_ordinary_activities_complete, parts),
        CREW_TEST(case_12_2_ordinary_between_two_leaves_the_session_where_it_is, parts),
        CREW_TEST(case_12_3_join_of_session_and_ordinary_activities, parts),
        CREW_TEST(case_12_4_select_cancels_the_activity_when_a_timer_wins, parts),
        CREW_TEST(case_12_5_select_cancels_the_one_on_the_session, parts),
        CREW_TEST(case_12_6_child_cannot_use_its_parents_session, parts),
        CREW_TEST(test_select_cancels_the_ordinary_one, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
