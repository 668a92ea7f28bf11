/* Waiting for all of several futures, and asking whether one is done. */
#include "tests/unit/engine/play.h"

#include <string.h>

static hf_status three_in_parallel(hf_orchestration *o, hf_slice input)
{
    hf_future all[] = { hf_schedule(o, "a", input), hf_timer(o, 10), hf_mailbox_take(o, "q") };
    hf_slice output, message;
    HF_TRY(hf_join(o, all, 3));
    for (size_t i = 0; i < 3; i++) {
        if (!hf_future_is_done(o, all[i])) return HF_INVALID;
    }
    HF_TRY(hf_await(o, all[0], &output));
    HF_TRY(hf_await(o, all[2], &message));
    return hf_complete(o, hf_format(o, HF_FMT HF_FMT, HF_ARG(output), HF_ARG(message)));
}

/* A join ends with the last of its futures, of whatever kind, in whatever order and turns they
 * come; it is no event of its own. */
static void row_1c_1_join_waits_for_all(void **state)
{
    (void)state;
    const char *const words[] = { ". c2=A t3 mq=M .", ". mq=M . t3 . c2=A .", "mq=M . e t4 c3=A .",
                                  ". t3 . e mq=M . e c2=A ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, three_in_parallel, NULL);
        play(&script, words[i]);
        assert_completed(&script, "AM");
        assert_int_equal(script.events_count, 8);
        hf_script_release(&script);
    }
}

/* While one is missing the code waits. */
static void test_join_does_not_return_early(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, three_in_parallel, NULL);
    play(&script, ". c2=A mq=M . e .");
    assert_int_equal(script.outcome, HF_OUTCOME_RUNNING);
    assert_int_equal(script.events_count, 6);
    hf_script_release(&script);
}

static hf_status join_of_failures(hf_orchestration *o, hf_slice input)
{
    hf_future all[] = { hf_schedule(o, "a", input), hf_schedule(o, "b", input),
                        hf_schedule(o, "c", input) };
    hf_status status = hf_join(o, all, 3);
    if (status != HF_FAILED || !hf_future_is_done(o, all[2])) return HF_INVALID;
    return status;
}

/* The status and error are those of the first in the array that failed, not of the first in time,
 * and not before all are done. */
static void test_join_tells_the_first_failure_of_the_array(void **state)
{
    (void)state;
    const char *const words[] = { ". f4=late f3=early c2=A .", ". f4=late . f3=early . e c2=A .",
                                  ". c2=A f3=early f4=late ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, join_of_failures, NULL);
        play(&script, words[i]);
        assert_failed(&script, "early", "it failed");
        hf_script_release(&script);
    }
}

static hf_status join_of_few(hf_orchestration *o, hf_slice input)
{
    hf_future once = hf_schedule(o, "a", input);
    hf_future thrice[] = { once, once, once };
    hf_slice output;
    HF_TRY(hf_join(o, NULL, 0));
    HF_TRY(hf_join(o, thrice, 3));
    HF_TRY(hf_join(o, thrice, 1)); /* all are done */
    HF_TRY(hf_await(o, thrice[2], &output));
    return hf_complete(o, output);
}

/* None at all are done; the same one several times is one; done ones need no wait. */
static void test_join_of_none_of_one_and_of_done(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, join_of_few, NULL);
    play(&script, ". c2=A .");
    assert_completed(&script, "A");
    assert_int_equal(script.events_count, 4);
    hf_script_release(&script);
}

static hf_status join_of_closed(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x");
    hf_future both[] = { hf_schedule(o, "a", input), hf_schedule_on(o, x, "b", input) };
    hf_session_close(o, x);
    return hf_join(o, both, 2);
}

/* Work that ended with its session counts as done, and as the failure that it is. */
static void test_join_meets_a_closed_session(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, join_of_closed, NULL);
    play(&script, ". e c3=A .");
    assert_failed(&script, "session_closed", "session \"x\" was closed");
    hf_script_release(&script);
}

static hf_status join_then_undo(hf_orchestration *o, hf_slice input)
{
    hf_future both[] = { hf_schedule(o, "a", input), hf_schedule(o, "b", input) };
    if (hf_join(o, both, 2) != HF_CANCELLED) return HF_INVALID;
    if (hf_await(o, both[0], NULL) != HF_OK) return HF_INVALID;
    HF_TRY(hf_call(o, "undo", input, NULL));
    return hf_complete(o, hf_text("ignored"));
}

/* A request ends a join at once; what was done before keeps its outcome. */
static void test_join_under_a_request(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, join_then_undo, NULL);
    play(&script, ". c2=A x=stop .");
    assert_int_equal(script.turn.cancels.count, 1);
    play(&script, "C3=late e . c6=ok .");
    assert_cancelled(&script, "stop");
    hf_script_release(&script);
}

static hf_status join_null(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_join(o, NULL, 2);
}

static hf_status join_stale(hf_orchestration *o, hf_slice input)
{
    hf_future both[] = { hf_schedule(o, "a", input), { 77 } };
    return hf_join(o, both, 2);
}

static hf_status done_of_none(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_future none = { 0 };
    return hf_future_is_done(o, none) ? HF_OK : HF_INVALID;
}

/* Futures that are none fail the instance, as in every await. */
static void test_misuse_fails_the_instance(void **state)
{
    (void)state;
    const struct {
        hf_orchestration_fn run;
        const char *code, *part;
    } cases[] = { { join_null, "bad_futures", "2 futures were given as NULL" },
                  { join_stale, "stale_future", "future 77" },
                  { done_of_none, "stale_future", "future 0" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hf_script script;
        hf_script_init(&script, cases[i].run, NULL);
        play(&script, ".");
        assert_failed(&script, cases[i].code, cases[i].part);
        hf_script_release(&script);
    }
}

static hf_status done_before_and_after(hf_orchestration *o, hf_slice input)
{
    hf_future a = hf_schedule(o, "a", input), b = hf_schedule(o, "b", input);
    bool before = hf_future_is_done(o, b);
    HF_TRY(hf_await(o, a, NULL));
    if (before) return HF_INVALID;
    bool between = hf_future_is_done(o, b);
    HF_TRY(hf_sleep(o, 1));
    return hf_complete(o, hf_text(between ? "done" : "not yet"));
}

/* What is done is told by history, not by what the inbox holds already: the same live and replayed,
 * in one batch or in several. */
static void test_is_done_goes_by_history(void **state)
{
    (void)state;
    const char *const words[] = { ". c2=A c3=B . t6 .", ". c3=B c2=A . t6 .",
                                  ". c3=B . c2=A . t6 .", ". c2=A . e t5 c3=B ." };
    const char *const outputs[] = { "not yet", "done", "done", "not yet" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int evict = 0; evict < 2; evict++) {
            struct hf_script script;
            hf_script_init(&script, done_before_and_after, NULL);
            script.always_evict = evict == 1;
            play(&script, words[i]);
            assert_completed(&script, outputs[i]);
            hf_script_release(&script);
        }
    }
}

enum { MANY_COUNT = 100000 };

static hf_status join_many(hf_orchestration *o, hf_slice input)
{
    hf_future *all = hf_alloc(o, MANY_COUNT * sizeof *all);
    for (size_t i = 0; i < MANY_COUNT; i++) all[i] = hf_schedule(o, "a", input);
    HF_TRY(hf_join(o, all, MANY_COUNT));
    return hf_complete(o, hf_text("all"));
}

/* A join over 100,000 futures costs in the order of their number, live and replayed: were each
 * completion to look at all of them, this test would not end in its time. */
static void test_join_of_hundred_thousand(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, join_many, NULL);
    script.no_check = true;
    play(&script, ".");
    for (size_t turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < MANY_COUNT / 2; i++) {
            bool answered = hf_script_answer(&script, script.works[0].event_id, hf_text(""), NULL);
            assert_true(answered);
        }
        play(&script, turn == 0 ? ". e" : ".");
    }
    assert_completed(&script, "all");
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1c_1_join_waits_for_all),
        cmocka_unit_test(test_join_does_not_return_early),
        cmocka_unit_test(test_join_tells_the_first_failure_of_the_array),
        cmocka_unit_test(test_join_of_none_of_one_and_of_done),
        cmocka_unit_test(test_join_meets_a_closed_session),
        cmocka_unit_test(test_join_under_a_request),
        cmocka_unit_test(test_misuse_fails_the_instance),
        cmocka_unit_test(test_is_done_goes_by_history),
        cmocka_unit_test(test_join_of_hundred_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
