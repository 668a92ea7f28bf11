/* Section 10: open sessions live on over continue-as-new, with the worker that holds them. Two
 * workers compete in each test, so that nothing stays by chance. */
#include "tests/support/house.h"

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

static hf_status goes_on(hf_orchestration *o, hf_slice input)
{
    hf_slice report;
    hf_session desk = is_second(input) ? hf_session_named(o, "desk")
                                       : hf_session_open_id(o, "desk");
    HF_TRY(hf_call_on(o, desk, "tell", input, &report));
    HF_TRY(pause_as(o, is_second(input) ? "second" : "first"));
    if (is_second(input)) return hf_complete(o, report);
    return hf_continue_as_new(o, hf_text("second"));
}

static hf_status three_go_on(hf_orchestration *o, hf_slice input)
{
    static const char *const ids[] = { "x", "y", "z" };
    hf_slice all = HF_EMPTY;
    for (size_t i = 0; i < 3; i++) {
        hf_slice report;
        hf_session session = is_second(input) ? hf_session_named(o, ids[i])
                                              : hf_session_open_id(o, ids[i]);
        HF_TRY(hf_call_on(o, session, "tell", input, &report));
        all = hf_format(o, HF_FMT HF_FMT "\n", HF_ARG(all), HF_ARG(report));
    }
    if (is_second(input)) return hf_complete(o, all);
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
    hf_slice report;
    if (is_second(input)) {
        HF_TRY(pause_as(o, "second"));
        HF_TRY(hf_call_on(o, hf_session_open_id(o, "desk"), "tell", input, &report));
        return hf_complete(o, report);
    }
    hf_session desk = hf_session_open_id(o, "desk");
    HF_TRY(hf_call_on(o, desk, "tell", input, &report));
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

/* A house with the workers "a" and "b". */
struct pair {
    struct house house;
    hf_runtime *a, *b;
};

static void pair_open(struct pair *self)
{
    house_open(&self->house, parts);
    self->a = house_worker(&self->house, HF_WITH(hf_runtime_options, .worker_id = "a"));
    self->b = house_worker(&self->house, HF_WITH(hf_runtime_options, .worker_id = "b"));
}

static void pair_close(struct pair *self)
{
    hf_runtime_free(self->a);
    hf_runtime_free(self->b);
    house_close(&self->house);
}

/* Copies the number-th report of an activity of the instance. */
static void told_on_stage(struct house *house, const char *instance, size_t number,
                          struct told *out_told)
{
    char begin[STAGE_NAME_SIZE];
    char line[STAGE_LINE_SIZE];
    int size = snprintf(begin, sizeof begin, "tell %s ", instance);
    stage_line(&house->stage, begin, number, line, sizeof line);
    told_read(line + size, out_told);
}

/* Runs `goes_on` through both executions; returns what the activities of both saw. */
static void run_goes_on(struct house *house, const char *instance, struct told *out_before,
                        struct told *out_after)
{
    house_start(house, instance, "goes_on", "");
    house_wait_status(house, instance, "first");
    house_send(house, instance, "go", "");
    house_wait_status(house, instance, "second");
    house_send(house, instance, "go", "");
    assert_int_equal(house_told(house, instance, out_after, 1), 1);
    told_on_stage(house, instance, 1, out_before);
}

/* A session lives on over continue-as-new: its next activity runs on the same worker, which still
 * has its memory. */
static void case_10_1_session_stays_with_its_worker(void **state)
{
    enum { INSTANCES_COUNT = 8 };
    struct pair pair;
    char id[32];
    (void)state;
    pair_open(&pair);
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        struct told before, after;
        snprintf(id, sizeof id, "desk-%d", i);
        run_goes_on(&pair.house, id, &before, &after);
        assert_string_equal(after.worker, before.worker);
        assert_true(before.is_first);
        assert_false(after.is_first);
        assert_int_equal(after.met, 1);
    }
    pair_close(&pair);
}

/* The new execution uses the session without opening it: its history has no SessionOpened, and the
 * activity is of the incarnation that was opened before. */
static void case_10_2_next_execution_uses_it_without_opening(void **state)
{
    struct pair pair;
    char history[HOUSE_TEXT_SIZE];
    struct told before, after;
    (void)state;
    pair_open(&pair);
    run_goes_on(&pair.house, "desk", &before, &after);
    assert_string_equal(after.session, "desk");
    assert_int_equal(after.incarnation, before.incarnation);
    house_history(&pair.house, "desk", history, sizeof history);
    assert_null(strstr(history, "session_opened"));
    assert_non_null(strstr(history, "activity_scheduled desk #1"));
    assert_non_null(strstr(history, "activity_completed"));
    pair_close(&pair);
}

/* Three open sessions live on, each with its worker, claim and memory. */
static void case_10_3_three_sessions_live_on(void **state)
{
    struct pair pair;
    struct told after[3];
    (void)state;
    pair_open(&pair);
    house_start(&pair.house, "desk", "three_go_on", "");
    assert_int_equal(house_told(&pair.house, "desk", after, 3), 3);
    for (size_t i = 0; i < 3; i++) {
        struct told before;
        told_on_stage(&pair.house, "desk", i + 1, &before);
        assert_string_equal(after[i].session, before.session);
        assert_string_equal(after[i].worker, before.worker);
        assert_int_equal(after[i].epoch, before.epoch);
        assert_int_equal(after[i].met, 1);
    }
    pair_close(&pair);
}

/* A session that was opened before continue-as-new can be closed after it; its row goes, and its
 * owner forgets it. */
static void case_10_4_session_can_be_closed_afterwards(void **state)
{
    struct pair pair;
    char history[HOUSE_TEXT_SIZE];
    (void)state;
    pair_open(&pair);
    house_start(&pair.house, "desk", "closes_afterwards", "");
    house_wait_status(&pair.house, "desk", "first");
    assert_int_equal(house_sessions_count(&pair.house, "desk"), 1);
    house_send(&pair.house, "desk", "go", "");
    house_wait_status(&pair.house, "desk", "closed");
    assert_int_equal(house_sessions_count(&pair.house, "desk"), 0);
    house_history(&pair.house, "desk", history, sizeof history);
    assert_non_null(strstr(history, "session_closed desk #1"));
    house_wait_metric(pair.a, "sessions_owned", 0);
    house_wait_metric(pair.b, "sessions_owned", 0);
    assert_true(house_metric(pair.a, "sessions_closed") + house_metric(pair.b, "sessions_closed") ==
                1);
    house_send(&pair.house, "desk", "go", "");
    house_expect(&pair.house, "desk", "done");
    pair_close(&pair);
}

/* Without an open session the new execution starts with none, and can open one: under an id that
 * was used before, too. */
static void case_10_5_without_sessions_it_starts_with_none(void **state)
{
    struct pair pair;
    struct told after;
    (void)state;
    pair_open(&pair);
    house_start(&pair.house, "desk", "starts_with_none", "");
    house_wait_status(&pair.house, "desk", "second");
    assert_int_equal(house_sessions_count(&pair.house, NULL), 0);
    house_send(&pair.house, "desk", "go", "");
    assert_int_equal(house_told(&pair.house, "desk", &after, 1), 1);
    assert_string_equal(after.session, "desk");
    assert_int_equal(after.incarnation, 2);
    assert_true(after.is_first);
    assert_int_equal(after.met, 0);
    pair_close(&pair);
}

/* The lease is held over continue-as-new: the row names the same owner and claim on both sides, and
 * nobody claimed, released or lost it in between. */
static void case_10_6_owner_and_claim_never_change(void **state)
{
    struct pair pair;
    struct house_session before, after;
    (void)state;
    pair_open(&pair);
    house_start(&pair.house, "desk", "goes_on", "");
    house_wait_status(&pair.house, "desk", "first");
    assert_true(house_session(&pair.house, "desk", "desk", &before));
    house_send(&pair.house, "desk", "go", "");
    house_wait_status(&pair.house, "desk", "second");
    assert_true(house_session(&pair.house, "desk", "desk", &after));
    assert_string_not_equal(before.owner, "");
    assert_string_equal(after.owner, before.owner);
    assert_int_equal(after.registration, before.registration);
    assert_int_equal(after.epoch, before.epoch);
    assert_int_equal(after.incarnation, before.incarnation);
    assert_int_equal(stage_count(&pair.house.stage, "log session.claim"), 1);
    assert_int_equal(stage_count(&pair.house.stage, "log session.release"), 0);
    assert_int_equal(stage_count(&pair.house.stage, "log session.lost"), 0);
    house_send(&pair.house, "desk", "go", "");
    assert_int_equal(house_told(&pair.house, "desk", &(struct told){ 0 }, 1), 1);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_10_1_session_stays_with_its_worker),
        cmocka_unit_test(case_10_2_next_execution_uses_it_without_opening),
        cmocka_unit_test(case_10_3_three_sessions_live_on),
        cmocka_unit_test(case_10_4_session_can_be_closed_afterwards),
        cmocka_unit_test(case_10_5_without_sessions_it_starts_with_none),
        cmocka_unit_test(case_10_6_owner_and_claim_never_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
