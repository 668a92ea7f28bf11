/* Section 10: open sessions live on over continue-as-new, with the worker that holds them. */
#include "tests/sessions/crew.h"

#include <stdio.h>
#include <string.h>

static bool is_second(hf_slice input)
{
    return hf_slice_equal(input, hf_text("second"));
}

/* Shows a status, and goes on when told. */
static hf_status pause_as(hf_orchestration *o, const char *status)
{
    hf_status_set(o, hf_text(status));
    return hf_dequeue(o, "go", NULL);
}

/* One activity on the session in each execution; the second one does not open it. */
static hf_status goes_on(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_session desk = is_second(input) ? hf_session_named(o, "desk")
                                       : hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, desk, &lines));
    HF_TRY(pause_as(o, is_second(input) ? "second" : "first"));
    if (is_second(input)) return hf_complete(o, lines);
    return hf_continue_as_new(o, hf_text("second"));
}

/* The same with three sessions and their activities at once. */
static hf_status three_go_on(hf_orchestration *o, hf_slice input)
{
    static const char *const ids[] = { "x", "y", "z" };
    hf_slice lines = HF_EMPTY;
    hf_future futures[3];
    for (size_t i = 0; i < 3; i++) {
        hf_session session = is_second(input) ? hf_session_named(o, ids[i])
                                              : hf_session_open_id(o, ids[i]);
        futures[i] = hf_schedule_on(o, session, "tell", input);
    }
    for (size_t i = 0; i < 3; i++) {
        hf_slice report;
        HF_TRY(hf_await(o, futures[i], &report));
        lines = stage_add(o, lines, report);
    }
    if (is_second(input)) return hf_complete(o, lines);
    HF_TRY(pause_as(o, "first"));
    return hf_continue_as_new(o, hf_text("second"));
}

static hf_status closes_afterwards(hf_orchestration *o, hf_slice input)
{
    if (is_second(input)) {
        hf_session_close(o, hf_session_named(o, "desk"));
        HF_TRY(pause_as(o, "closed"));
        return hf_complete(o, hf_text("done"));
    }
    HF_TRY(hf_call_on(o, hf_session_open_id(o, "desk"), "tell", input, NULL));
    HF_TRY(pause_as(o, "first"));
    return hf_continue_as_new(o, hf_text("second"));
}

static hf_status starts_with_none(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    if (is_second(input)) {
        HF_TRY(pause_as(o, "second"));
        HF_TRY(stage_tell(o, hf_session_open_id(o, "desk"), &lines));
        return hf_complete(o, lines);
    }
    hf_session desk = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, desk, &lines));
    hf_session_close(o, desk);
    return hf_continue_as_new(o, hf_text("second"));
}

static const struct part parts[] = {
    { "goes_on", goes_on, NULL },
    { "three_go_on", three_go_on, NULL },
    { "closes_afterwards", closes_afterwards, NULL },
    { "starts_with_none", starts_with_none, NULL },
    { NULL, NULL, NULL },
};

/* Reads the number-th report of an activity of the instance. */
static void told_on_stage(struct crew *crew, const char *instance, size_t number,
                          struct told *out_told)
{
    char begin[STAGE_NAME_SIZE];
    char line[STAGE_LINE_SIZE];
    int size = snprintf(begin, sizeof begin, "tell %s ", instance);
    stage_line(&crew->house.stage, begin, number, line, sizeof line);
    told_read(line + size, out_told);
}

/* Runs `goes_on` as the instance "desk" until its second execution waits. */
static void run_to_second(struct crew *crew)
{
    house_start(&crew->house, "desk", "goes_on", "");
    house_wait_status(&crew->house, "desk", "first");
    house_send(&crew->house, "desk", "go", "");
    house_wait_status(&crew->house, "desk", "second");
}

/* A session lives on over continue-as-new: its next activity waits for the same worker, which still
 * has its memory, although another one has room. */
static void case_10_1_session_stays_with_its_worker(void **state)
{
    struct crew *crew = *state;
    struct told told;
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "goes_on", "");
    house_wait_status(&crew->house, "desk", "first");
    crew_put_in_the_way(crew);
    crew_hire(crew, "b", 1, 0);
    house_send(&crew->house, "desk", "go", "");
    crew_assert_waits(crew, "desk", "desk", 1);
    stage_open(&crew->house.stage, "way");
    house_wait_status(&crew->house, "desk", "second");
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", &told, 1), 1);
    assert_string_equal(told.worker, "a");
    assert_false(told.is_first);
    assert_int_equal(told.met, 1);
}

/* The new execution uses the session without opening it: its history has no SessionOpened, and the
 * activity is of the incarnation that was opened before. */
static void case_10_2_next_execution_uses_it_without_opening(void **state)
{
    struct crew *crew = *state;
    struct told before, after;
    char history[HOUSE_TEXT_SIZE];
    crew_hire(crew, "a", 1, 0);
    run_to_second(crew);
    house_history(&crew->house, "desk", history, sizeof history);
    assert_null(strstr(history, "session_opened"));
    assert_non_null(strstr(history, "activity_scheduled desk #1"));
    assert_non_null(strstr(history, "activity_completed"));
    house_send(&crew->house, "desk", "go", "");
    told_on_stage(crew, "desk", 1, &before);
    assert_int_equal(house_told(&crew->house, "desk", &after, 1), 1);
    assert_string_equal(after.session, "desk");
    assert_int_equal(after.incarnation, before.incarnation);
}

/* Three open sessions live on, each with its worker, claim and memory. */
static void case_10_3_three_sessions_live_on(void **state)
{
    struct crew *crew = *state;
    struct told after[3];
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "three_go_on", "");
    house_wait_status(&crew->house, "desk", "first");
    crew_put_in_the_way(crew);
    crew_hire(crew, "b", 1, 0);
    house_send(&crew->house, "desk", "go", "");
    crew_wait_queued(crew, "desk", "x", 1);
    crew_wait_queued(crew, "desk", "y", 1);
    crew_assert_waits(crew, "desk", "z", 1);
    stage_open(&crew->house.stage, "way");
    assert_int_equal(house_told(&crew->house, "desk", after, 3), 3);
    for (size_t i = 0; i < 3; i++) {
        struct told before;
        told_on_stage(crew, "desk", i + 1, &before);
        assert_string_equal(after[i].session, before.session);
        assert_string_equal(after[i].worker, "a");
        assert_int_equal(after[i].epoch, before.epoch);
        assert_int_equal(after[i].met, 1);
    }
}

/* A session that was opened before continue-as-new can be closed after it; its row goes, and its
 * owner forgets it. */
static void case_10_4_session_can_be_closed_afterwards(void **state)
{
    struct crew *crew = *state;
    char history[HOUSE_TEXT_SIZE];
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "closes_afterwards", "");
    house_wait_status(&crew->house, "desk", "first");
    assert_int_equal(house_sessions_count(&crew->house, "desk"), 1);
    house_send(&crew->house, "desk", "go", "");
    house_wait_status(&crew->house, "desk", "closed");
    assert_int_equal(house_sessions_count(&crew->house, "desk"), 0);
    house_history(&crew->house, "desk", history, sizeof history);
    assert_non_null(strstr(history, "session_closed desk #1"));
    house_wait_metric(a, "sessions_owned", 0);
    assert_true(house_metric(a, "sessions_closed") == 1);
    house_send(&crew->house, "desk", "go", "");
    house_expect(&crew->house, "desk", "done");
}

/* Without an open session the new execution starts with none, and can open one: under an id that
 * was used before, too. */
static void case_10_5_without_sessions_it_starts_with_none(void **state)
{
    struct crew *crew = *state;
    struct told told;
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "starts_with_none", "");
    house_wait_status(&crew->house, "desk", "second");
    assert_int_equal(house_sessions_count(&crew->house, NULL), 0);
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", &told, 1), 1);
    assert_string_equal(told.session, "desk");
    assert_int_equal(told.incarnation, 2);
    assert_true(told.is_first);
    assert_int_equal(told.met, 0);
}

/* The lease is held over continue-as-new: the row names the same owner and claim on both sides, and
 * nobody claimed, released or lost it in between. */
static void case_10_6_owner_and_claim_never_change(void **state)
{
    struct crew *crew = *state;
    struct house_session before, after;
    struct told told;
    crew_hire(crew, "a", 1, 0);
    crew_hire(crew, "b", 1, 0);
    house_start(&crew->house, "desk", "goes_on", "");
    house_wait_status(&crew->house, "desk", "first");
    assert_true(house_session(&crew->house, "desk", "desk", &before));
    house_send(&crew->house, "desk", "go", "");
    house_wait_status(&crew->house, "desk", "second");
    assert_true(house_session(&crew->house, "desk", "desk", &after));
    assert_string_not_equal(before.owner, "");
    assert_string_equal(after.owner, before.owner);
    assert_int_equal(after.registration, before.registration);
    assert_int_equal(after.epoch, before.epoch);
    assert_int_equal(after.incarnation, before.incarnation);
    assert_int_equal(stage_count(&crew->house.stage, "log session.claim"), 1);
    assert_int_equal(stage_count(&crew->house.stage, "log session.release"), 0);
    assert_int_equal(stage_count(&crew->house.stage, "log session.lost"), 0);
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", &told, 1), 1);
    assert_int_equal(told.epoch, before.epoch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_10_1_session_stays_with_its_worker, parts),
        CREW_TEST(case_10_2_next_execution_uses_it_without_opening, parts),
        CREW_TEST(case_10_3_three_sessions_live_on, parts),
        CREW_TEST(case_10_4_session_can_be_closed_afterwards, parts),
        CREW_TEST(case_10_5_without_sessions_it_starts_with_none, parts),
        CREW_TEST(case_10_6_owner_and_claim_never_change, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
