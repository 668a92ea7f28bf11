/* Section 12: activities of sessions compose with everything else that an orchestration does. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

/* Adds a line to what is there. */
static hf_slice line_add(hf_orchestration *o, hf_slice all, hf_slice line)
{
    return hf_format(o, HF_FMT HF_FMT "\n", HF_ARG(all), HF_ARG(line));
}

/* Three on a session and three ordinary ones, by turns. */
static hf_status mixes(hf_orchestration *o, hf_slice input)
{
    hf_slice all = HF_EMPTY;
    hf_slice report;
    hf_session desk = hf_session_open_id(o, "desk");
    for (int i = 0; i < 3; i++) {
        HF_TRY(hf_call_on(o, desk, "tell", input, &report));
        all = line_add(o, all, report);
        HF_TRY(hf_call(o, "tell", input, &report));
        all = line_add(o, all, report);
    }
    return hf_complete(o, all);
}

static hf_status one_between(hf_orchestration *o, hf_slice input)
{
    hf_slice first, between, second;
    hf_session desk = hf_session_open_id(o, "desk");
    HF_TRY(hf_call_on(o, desk, "tell", input, &first));
    HF_TRY(hf_call(o, "tell", input, &between));
    HF_TRY(hf_call_on(o, desk, "tell", input, &second));
    return hf_complete(
        o, line_add(o, line_add(o, line_add(o, (hf_slice)HF_EMPTY, first), between), second));
}

static hf_status joins_four(hf_orchestration *o, hf_slice input)
{
    hf_slice all = HF_EMPTY;
    hf_session desk = hf_session_open_id(o, "desk");
    const hf_future futures[] = { hf_schedule_on(o, desk, "tell", input),
                                  hf_schedule(o, "tell", input),
                                  hf_schedule_on(o, desk, "tell", input),
                                  hf_schedule(o, "tell", input) };
    HF_TRY(hf_join(o, futures, 4));
    for (size_t i = 0; i < 4; i++) {
        hf_slice report;
        if (!hf_future_is_done(o, futures[i])) return hf_fail(o, "early", "%zu is pending", i);
        HF_TRY(hf_await(o, futures[i], &report));
        all = line_add(o, all, report);
    }
    return hf_complete(o, all);
}

/* Waits for an activity on a session or for the other, and says which of them was first. */
static hf_status select_against(hf_orchestration *o, hf_future held, hf_future other)
{
    const hf_future futures[] = { held, other };
    size_t winner = 2;
    HF_TRY(hf_select(o, futures, 2, &winner));
    hf_status_set(o, hf_format(o, "winner %zu", winner));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, hf_format(o, "%s %s", hf_status_name(hf_await(o, held, NULL)),
                                    hf_status_name(hf_await(o, other, NULL))));
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

static const struct part parts[] = {
    { "mixes", mixes, NULL },
    { "one_between", one_between, NULL },
    { "joins_four", joins_four, NULL },
    { "selects_a_timer", selects_a_timer, NULL },
    { "selects_an_activity", selects_an_activity, NULL },
    { NULL, NULL, NULL },
};

/* Two workers that compete for everything. */
struct pair {
    struct house house;
    hf_runtime *a, *b;
};

static void pair_open(struct pair *self)
{
    house_open(&self->house, parts);
    self->a = house_worker(&self->house,
                           HF_WITH(hf_runtime_options, .worker_id = "a", .activity_threads = 4));
    self->b = house_worker(&self->house,
                           HF_WITH(hf_runtime_options, .worker_id = "b", .activity_threads = 4));
}

static void pair_close(struct pair *self)
{
    hf_runtime_free(self->a);
    hf_runtime_free(self->b);
    house_close(&self->house);
}

/* Activities on a session and ordinary ones of one orchestration all complete; each knows whether
 * it has a session. */
static void case_12_1_session_and_ordinary_activities_complete(void **state)
{
    struct pair pair;
    struct told told[6];
    (void)state;
    pair_open(&pair);
    house_start(&pair.house, "desk", "mixes", "");
    assert_int_equal(house_told(&pair.house, "desk", told, 6), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(told[i].session, i % 2 == 0 ? "desk" : "-");
        assert_int_equal(told[i].attempt, 1);
    }
    pair_close(&pair);
}

/* Session, ordinary, session: both activities on the session run on one worker, wherever the one
 * between them ran. */
static void case_12_2_ordinary_between_two_leaves_the_session_where_it_is(void **state)
{
    enum { INSTANCES_COUNT = 8 };
    struct pair pair;
    char id[32];
    (void)state;
    pair_open(&pair);
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        struct told told[3];
        snprintf(id, sizeof id, "desk-%d", i);
        house_start(&pair.house, id, "one_between", "");
        assert_int_equal(house_told(&pair.house, id, told, 3), 3);
        assert_string_equal(told[2].worker, told[0].worker);
        assert_int_equal(told[2].epoch, told[0].epoch);
        assert_int_equal(told[2].met, 1);
    }
    pair_close(&pair);
}

/* A join over two activities on a session and two ordinary ones: all four complete, those on the
 * session on one worker. */
static void case_12_3_join_of_session_and_ordinary_activities(void **state)
{
    enum { INSTANCES_COUNT = 8 };
    struct pair pair;
    char id[32];
    (void)state;
    pair_open(&pair);
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        struct told told[4];
        snprintf(id, sizeof id, "desk-%d", i);
        house_start(&pair.house, id, "joins_four", "");
        assert_int_equal(house_told(&pair.house, id, told, 4), 4);
        assert_string_equal(told[0].session, "desk");
        assert_string_equal(told[2].session, "desk");
        assert_string_equal(told[2].worker, told[0].worker);
        assert_int_equal(told[2].epoch, told[0].epoch);
        assert_string_equal(told[1].session, "-");
        assert_string_equal(told[3].session, "-");
    }
    pair_close(&pair);
}

/* Asserts that the loser is cancelled in history, told to stop, and of no row any more. */
static void assert_loser_told(struct house *house, const char *instance)
{
    char begin[STAGE_NAME_SIZE];
    char history[HOUSE_TEXT_SIZE];
    snprintf(begin, sizeof begin, "told %s ", instance);
    stage_wait(&house->stage, begin, 1);
    house_history(house, instance, history, sizeof history);
    assert_non_null(strstr(history, "future_cancelled"));
    assert_null(strstr(history, "activity_failed"));
}

static void assert_session_idle(struct house *house, const char *instance)
{
    struct house_session row;
    assert_true(house_session(house, instance, "desk", &row));
    assert_int_equal(row.queued_count, 0);
    assert_int_equal(row.running_count, 0);
}

/* A select of an activity on a session against a timer that wins: the activity is cancelled as the
 * loser, and its session lives on. */
static void case_12_4_select_cancels_the_activity_when_a_timer_wins(void **state)
{
    struct pair pair;
    (void)state;
    pair_open(&pair);
    house_start(&pair.house, "desk", "selects_a_timer", "3600000");
    stage_wait(&pair.house.stage, "held desk", 1);
    house_move_clocks(&pair.house, 0, 3600000);
    house_wait_status(&pair.house, "desk", "winner 1");
    assert_loser_told(&pair.house, "desk");
    assert_session_idle(&pair.house, "desk");
    house_send(&pair.house, "desk", "go", "");
    house_expect(&pair.house, "desk", "HF_CANCELLED HF_OK");
    pair_close(&pair);
}

/* A select of an activity on a session against an ordinary one: whichever is first wins, and the
 * other is cancelled. */
static void case_12_5_select_cancels_the_later_of_two_activities(void **state)
{
    struct pair pair;
    (void)state;
    pair_open(&pair);
    house_start(&pair.house, "by-ordinary", "selects_an_activity", "");
    stage_wait(&pair.house.stage, "held by-ordinary", 2);
    stage_open(&pair.house.stage, "ordinary");
    house_wait_status(&pair.house, "by-ordinary", "winner 1");
    assert_loser_told(&pair.house, "by-ordinary");
    assert_session_idle(&pair.house, "by-ordinary");
    house_send(&pair.house, "by-ordinary", "go", "");
    house_expect(&pair.house, "by-ordinary", "HF_CANCELLED HF_OK");
    pair_close(&pair);

    pair_open(&pair);
    house_start(&pair.house, "by-session", "selects_an_activity", "");
    stage_wait(&pair.house.stage, "held by-session", 2);
    stage_open(&pair.house.stage, "session");
    house_wait_status(&pair.house, "by-session", "winner 0");
    assert_loser_told(&pair.house, "by-session");
    assert_session_idle(&pair.house, "by-session");
    house_send(&pair.house, "by-session", "go", "");
    house_expect(&pair.house, "by-session", "HF_OK HF_CANCELLED");
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_12_1_session_and_ordinary_activities_complete),
        cmocka_unit_test(case_12_2_ordinary_between_two_leaves_the_session_where_it_is),
        cmocka_unit_test(case_12_3_join_of_session_and_ordinary_activities),
        cmocka_unit_test(case_12_4_select_cancels_the_activity_when_a_timer_wins),
        cmocka_unit_test(case_12_5_select_cancels_the_later_of_two_activities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
