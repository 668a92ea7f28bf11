/* Events that are raised by name: the nth raise reaches the nth wait that is live, in whatever
 * turns they come, and one that answers nobody is recorded and dropped. */
#include "tests/unit/engine/play.h"

#include <string.h>

#include "engine/event.h"

static hf_status wait_in_other_order(hf_orchestration *o, hf_slice input)
{
    hf_future first = hf_event_wait(o, "e"), second = hf_event_wait(o, "e");
    hf_slice a, b;
    (void)input;
    HF_TRY(hf_await(o, second, &b));
    HF_TRY(hf_await(o, first, &a));
    return hf_complete(o, hf_format(o, HF_FMT HF_FMT, HF_ARG(a), HF_ARG(b)));
}

/* Order is that of the waits, not of the awaits; other names and mailboxes of that name are apart.
 */
static void row_1b_1_nth_wait_gets_nth_event(void **state)
{
    (void)state;
    const char *const words[] = { ". ve=1 ve=2 .", ". ve=1 . ve=2 .", ". ve=1 . e ve=2 .",
                                  ". vf=x me=y ve=1 ve=2 vf=z .", "ve=1 ve=2 ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, wait_in_other_order, NULL);
        play(&script, words[i]);
        assert_completed(&script, "12");
        hf_script_release(&script);
    }
}

static hf_status sleep_then_wait(hf_orchestration *o, hf_slice input)
{
    hf_slice data;
    (void)input;
    HF_TRY(hf_sleep(o, 5));
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), &data));
    return hf_complete(o, data);
}

/* Raised while nobody waits: history has it, the code never does; the next one is met. */
static void trap_a13_event_that_nobody_waits_for_is_recorded(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, sleep_then_wait, NULL);
    play(&script, ". ve=early . t2 .");
    assert_int_equal(script.outcome, HF_OUTCOME_RUNNING);
    play(&script, "e ve=now .");
    assert_completed(&script, "now");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 timer_created\n"
                            "3 event_raised \"e\" (5 bytes)\n"
                            "4 timer_fired of event 2\n"
                            "5 event_waited \"e\"\n"
                            "6 event_raised \"e\" (3 bytes)\n"
                            "7 completed (3 bytes)");
    hf_script_release(&script);
}

static hf_status wait_twice(hf_orchestration *o, hf_slice input)
{
    hf_slice a, b;
    (void)input;
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), &a));
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), &b));
    return hf_complete(o, hf_format(o, HF_FMT HF_FMT, HF_ARG(a), HF_ARG(b)));
}

/* A wait that the first raise led to is live before the second one, also when one batch has both:
 * what the code sees does not depend on how messages are bundled. */
static void test_raises_of_one_batch_reach_waits_one_after_the_other(void **state)
{
    (void)state;
    const char *const words[] = { ". ve=1 ve=2 .", ". ve=1 . ve=2 .", "ve=1 ve=2 ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, wait_twice, NULL);
        play(&script, words[i]);
        assert_completed(&script, "12");
        hf_script_release(&script);
    }
}

static hf_status lose_then_wait(hf_orchestration *o, hf_slice input)
{
    hf_future both[] = { hf_event_wait(o, "e"), hf_timer(o, 5) };
    size_t winner;
    hf_slice data;
    HF_TRY(hf_select(o, both, 2, &winner));
    if (winner != 1) return hf_fail(o, "too_early", "the event won");
    HF_TRY(hf_call(o, "between", input, NULL));
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), &data));
    return hf_complete(o, data);
}

/* A wait that lost gives up its place: it takes nothing from the next one, and what is raised
 * between the two answers nobody. Before the timer in history, the event wins. */
static void trap_a12_lost_wait_steals_no_event(void **state)
{
    (void)state;
    const struct {
        const char *words, *output;
    } cases[] = { { ". t3 . c6=x . ve=now .", "now" },
                  { ". t3 . ve=between c6=x . ve=now .", "now" },
                  { ". t3 ve=between . e c7=x ve=now .", "now" },
                  { ". t3 . e c6=x ve=now .", "now" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hf_script script;
        hf_script_init(&script, lose_then_wait, NULL);
        play(&script, cases[i].words);
        assert_completed(&script, cases[i].output);
        hf_script_release(&script);
    }
    struct hf_script script;
    hf_script_init(&script, lose_then_wait, NULL);
    play(&script, ". ve=1 t3 .");
    assert_failed(&script, "too_early", "the event won");
    hf_script_release(&script);
}

static hf_status cancel_the_middle(hf_orchestration *o, hf_slice input)
{
    hf_future waits[] = { hf_event_wait(o, "e"), hf_event_wait(o, "e"), hf_event_wait(o, "e") };
    hf_slice a, c;
    (void)input;
    hf_future_cancel(o, waits[1]);
    if (hf_join(o, waits, 3) != HF_CANCELLED) return HF_INVALID;
    const char *message = hf_orchestration_error(o)->message;
    if (strcmp(message, "event \"e\" (event 3) was cancelled") != 0) return HF_INVALID;
    HF_TRY(hf_await(o, waits[0], &a));
    HF_TRY(hf_await(o, waits[2], &c));
    return hf_complete(o, hf_format(o, HF_FMT HF_FMT, HF_ARG(a), HF_ARG(c)));
}

/* The same in the middle of a line. A store is told nothing: it knows no waits. */
static void row_1b_2_cancelled_wait_gives_up_its_place(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, cancel_the_middle, NULL);
    play(&script, ".");
    assert_int_equal(script.turn.cancels.count, 0);
    play(&script, "e ve=1 . ve=2 .");
    assert_completed(&script, "12");
    hf_script_release(&script);
}

static hf_status wait_under_request(hf_orchestration *o, hf_slice input)
{
    hf_slice data;
    if (hf_await(o, hf_event_wait(o, "e"), &data) != HF_CANCELLED) return HF_INVALID;
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), &data));
    hf_status_set(o, data);
    (void)input;
    return HF_OK;
}

/* A request ends waits like all else; a later one is met again. */
static void test_wait_under_a_request(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, wait_under_request, NULL);
    play(&script, ". x=stop ve=1 .");
    assert_cancelled(&script, "stop");
    assert_int_equal(script.turn.status_event, 6);
    hf_script_release(&script);
}

static hf_status wait_in_each_execution(hf_orchestration *o, hf_slice input)
{
    hf_slice data;
    if (hf_slice_equal(input, hf_text("in"))) {
        HF_TRY(hf_sleep(o, 5));
        return hf_continue_as_new(o, hf_text("next"));
    }
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), &data));
    return hf_complete(o, data);
}

/* Continue-as-new carries no events on, whether they came before the end or in its turn; a raise
 * behind it is one of the next execution. */
static void row_1b_5_events_are_not_carried(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, wait_in_each_execution, NULL);
    play(&script, ". ve=1 . t2 ve=2 .");
    assert_int_equal(script.execution, 2);
    assert_int_equal(script.turn.carried.count, 0);
    play(&script, ". ve=3 .");
    assert_completed(&script, "3");
    hf_script_release(&script);
}

static hf_status wait_for_nothing(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_await(o, hf_event_wait(o, ""), NULL);
}

/* An event needs a name. */
static void test_bad_name_fails_the_instance(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, wait_for_nothing, NULL);
    play(&script, ".");
    assert_failed(&script, "bad_name", "event name is empty");
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1b_1_nth_wait_gets_nth_event),
        cmocka_unit_test(trap_a13_event_that_nobody_waits_for_is_recorded),
        cmocka_unit_test(test_raises_of_one_batch_reach_waits_one_after_the_other),
        cmocka_unit_test(trap_a12_lost_wait_steals_no_event),
        cmocka_unit_test(row_1b_2_cancelled_wait_gives_up_its_place),
        cmocka_unit_test(test_wait_under_a_request),
        cmocka_unit_test(row_1b_5_events_are_not_carried),
        cmocka_unit_test(test_bad_name_fails_the_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
