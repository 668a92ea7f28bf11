/* Section 13: several sessions at once. */
#include "tests/sessions/crew.h"

#include <stdio.h>
#include <string.h>

/* x, y, x, y: a line of `tell` each. */
static hf_status takes_turns(hf_orchestration *o, hf_slice input)
{
    hf_slice all = HF_EMPTY;
    const hf_session sessions[] = { hf_session_open_id(o, "x"), hf_session_open_id(o, "y") };
    for (int i = 0; i < 4; i++) {
        hf_slice report;
        HF_TRY(hf_call_on(o, sessions[i % 2], "tell", input, &report));
        all = hf_format(o, HF_FMT HF_FMT "\n", HF_ARG(all), HF_ARG(report));
    }
    return hf_complete(o, all);
}

/* One activity on each of two sessions, and then ten on each at once. */
static hf_status ten_on_each(hf_orchestration *o, hf_slice input)
{
    enum { EACH_COUNT = 10 };
    hf_future futures[2 * EACH_COUNT];
    const hf_session sessions[] = { hf_session_open_id(o, "x"), hf_session_open_id(o, "y") };
    for (int i = 0; i < 2; i++) futures[i] = hf_schedule_on(o, sessions[i], "busy", hf_text("one"));
    for (int i = 0; i < 2; i++) HF_TRY(hf_await(o, futures[i], NULL));
    for (int i = 0; i < 2 * EACH_COUNT; i++) {
        futures[i] = hf_schedule_on(o, sessions[i % 2], "busy", hf_text("ten"));
    }
    for (int i = 0; i < 2 * EACH_COUNT; i++) HF_TRY(hf_await(o, futures[i], NULL));
    return hf_complete(o, input);
}

/* Says "busy <gate> <session> <worker>", and returns when its gate is open. */
static hf_status busy(hf_activity *a, hf_slice gate)
{
    const hf_activity_info *about = hf_activity_about(a);
    stage_sayf(hf_activity_user(a), "busy " HF_FMT " %s %s", HF_ARG(gate),
               about->session ? about->session : "-", about->worker_id);
    stage_wait_open(hf_activity_user(a), gate);
    return hf_activity_complete(a, gate);
}

static hf_status closes_a(hf_orchestration *o, hf_slice input)
{
    hf_slice report;
    hf_session a = hf_session_open_id(o, "A"), b = hf_session_open_id(o, "B");
    HF_TRY(hf_call_on(o, a, "tell", input, NULL));
    HF_TRY(hf_call_on(o, b, "tell", input, NULL));
    hf_session_close(o, a);
    HF_TRY(hf_call_on(o, b, "tell", input, &report));
    hf_status_set(o, hf_text("A is closed"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    HF_TRY(hf_call_on(o, b, "tell", input, &report));
    return hf_call_on(o, a, "tell", input, NULL);
}

static hf_status joins_a_and_b(hf_orchestration *o, hf_slice input)
{
    const hf_future futures[] = {
        hf_schedule_on(o, hf_session_open_id(o, "A"), "busy", hf_text("first")),
        hf_schedule_on(o, hf_session_open_id(o, "B"), "busy", hf_text("second"))
    };
    HF_TRY(hf_join(o, futures, 2));
    for (size_t i = 0; i < 2; i++) {
        if (!hf_future_is_done(o, futures[i])) return hf_fail(o, "early", "%zu is pending", i);
    }
    return hf_complete(o, input);
}

static const struct part parts[] = {
    { "takes_turns", takes_turns, NULL },
    { "ten_on_each", ten_on_each, NULL },
    { "closes_a", closes_a, NULL },
    { "joins_a_and_b", joins_a_and_b, NULL },
    { "busy", NULL, busy },
    { NULL, NULL, NULL },
};

/* Two sessions on one worker: their activities interleave, and each sees its own session id, claim
 * and memory. */
static void case_13_1_two_sessions_on_one_worker_interleave(void **state)
{
    struct crew *crew = *state;
    struct told told[4];
    crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "desk", "takes_turns", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 4), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(told[i].worker, "a");
        assert_string_equal(told[i].session, i % 2 == 0 ? "x" : "y");
        assert_int_equal(told[i].incarnation, i % 2 + 1);
        assert_int_equal(told[i].met, i / 2);
        assert_int_equal(told[i].is_first, i < 2);
    }
    assert_int_equal(told[2].epoch, told[0].epoch);
    assert_int_equal(told[3].epoch, told[1].epoch);
    assert_int_not_equal(told[0].epoch, told[1].epoch);
}

/* Two workers with room for one session each, and for everything that may run in it. */
static void hire_two(struct crew *crew)
{
    crew_hire(crew, "a", 10, 1);
    crew_hire(crew, "b", 10, 1);
}

/* Waits until count activities of the session are busy at that gate, all of them on its owner. */
static void wait_busy_on_owner(struct house *house, const char *session, const char *gate,
                               size_t count)
{
    char begin[2 * STAGE_NAME_SIZE];
    struct house_session row;
    snprintf(begin, sizeof begin, "busy %s %s ", gate, session);
    stage_wait(&house->stage, begin, count);
    assert_true(house_session(house, "desk", session, &row));
    assert_string_not_equal(row.owner, "");
    snprintf(begin, sizeof begin, "busy %s %s %s", gate, session, row.owner);
    assert_int_equal(stage_count(&house->stage, begin), count);
    assert_int_equal(row.running_count, count);
}

/* Asserts that the two sessions have different owners. */
static void assert_apart(struct house *house, const char *one, const char *other)
{
    struct house_session row, other_row;
    assert_true(house_session(house, "desk", one, &row));
    assert_true(house_session(house, "desk", other, &other_row));
    assert_string_not_equal(row.owner, other_row.owner);
}

/* Two sessions on two workers, ten activities on each at once: each of the twenty runs on the owner
 * of its session. */
static void case_13_2_ten_at_once_run_on_the_owner_of_their_session(void **state)
{
    struct crew *crew = *state;
    hire_two(crew);
    house_start(&crew->house, "desk", "ten_on_each", "done");
    wait_busy_on_owner(&crew->house, "x", "one", 1);
    wait_busy_on_owner(&crew->house, "y", "one", 1);
    assert_apart(&crew->house, "x", "y");
    stage_open(&crew->house.stage, "one");
    wait_busy_on_owner(&crew->house, "x", "ten", 10);
    wait_busy_on_owner(&crew->house, "y", "ten", 10);
    assert_apart(&crew->house, "x", "y");
    stage_open(&crew->house.stage, "ten");
    house_expect(&crew->house, "desk", "done");
}

/* Of two open sessions one is closed: the other goes on working where it was, and an activity on
 * the closed one fails the orchestration. */
static void case_13_3_one_goes_on_when_the_other_is_closed(void **state)
{
    struct crew *crew = *state;
    struct house_session row;
    hf_error error = { 0 };
    hire_two(crew);
    house_start(&crew->house, "desk", "closes_a", "");
    house_wait_status(&crew->house, "desk", "A is closed");
    assert_int_equal(house_sessions_count(&crew->house, "desk"), 1);
    assert_true(house_session(&crew->house, "desk", "B", &row));
    house_send(&crew->house, "desk", "go", "");
    house_failure(&crew->house, "desk", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "session_not_open");
    assert_non_null(strstr(error.message, "\"A\" is not open"));
    for (size_t i = 0; i < 3; i++) {
        char line[STAGE_LINE_SIZE];
        struct told told;
        stage_line(&crew->house.stage, "tell desk ", i + 2, line, sizeof line); /* behind A's */
        told_read(line + strlen("tell desk "), &told);
        assert_string_equal(told.session, "B");
        assert_string_equal(told.worker, row.owner);
        assert_int_equal(told.epoch, row.epoch);
        assert_int_equal(told.met, i);
    }
    assert_int_equal(stage_count(&crew->house.stage, "tell "), 4);
}

static bool has_completion(void *context)
{
    char history[HOUSE_TEXT_SIZE];
    house_history(context, "desk", history, sizeof history);
    return strstr(history, "activity_completed") != NULL;
}

/* A join of an activity on A and one on B: both are running at once, each on its own worker, and
 * both complete; the join waits for the second one. */
static void case_13_4_join_over_two_sessions_on_two_workers(void **state)
{
    struct crew *crew = *state;
    hire_two(crew);
    house_start(&crew->house, "desk", "joins_a_and_b", "done");
    wait_busy_on_owner(&crew->house, "A", "first", 1);
    wait_busy_on_owner(&crew->house, "B", "second", 1);
    assert_apart(&crew->house, "A", "B");
    stage_open(&crew->house.stage, "first");
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &crew->house, has_completion));
    stage_open(&crew->house.stage, "second");
    house_expect(&crew->house, "desk", "done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_13_1_two_sessions_on_one_worker_interleave, parts),
        CREW_TEST(case_13_2_ten_at_once_run_on_the_owner_of_their_session, parts),
        CREW_TEST(case_13_3_one_goes_on_when_the_other_is_closed, parts),
        CREW_TEST(case_13_4_join_over_two_sessions_on_two_workers, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
