/* Cancellation: a request asks, the code may compensate, the instance ends as cancelled; deadlines
 * cancel the loser alone. */
#include "tests/unit/engine/play.h"

#include <string.h>

static hf_status saga(hf_orchestration *o, hf_slice input)
{
    hf_future other = hf_schedule(o, "other", input);
    hf_future timer = hf_timer(o, 1000);
    hf_future take = hf_mailbox_take(o, "q");
    hf_status status = hf_call(o, "book", input, NULL);
    if (status != HF_CANCELLED || strcmp(hf_orchestration_error(o)->code, "cancelled") != 0) {
        return hf_fail(o, "not_cancelled", "%d", (int)status);
    }
    if (hf_await(o, other, NULL) != HF_CANCELLED) return HF_INVALID;
    if (hf_await(o, timer, NULL) != HF_CANCELLED) return HF_INVALID;
    if (hf_await(o, take, NULL) != HF_CANCELLED) return HF_INVALID;
    HF_TRY(hf_call(o, "undo", input, NULL));
    return hf_complete(o, hf_text("undone"));
}

/* A request ends what is pending; work scheduled after it runs; the end is cancelled, with the
 * reason. */
static void test_request_lets_the_code_compensate(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, saga, NULL);
    play(&script, ". x=enough .");
    const struct hf_turn_cancel *cancels = script.turn.cancels.items;
    assert_int_equal(script.turn.cancels.count, 3);
    assert_int_equal(cancels[0].event_id, 2);
    assert_int_equal(cancels[1].event_id, 3);
    assert_int_equal(cancels[2].event_id, 5);
    assert_int_equal(script.turn.items.count, 1);
    play(&script, "e c7=ok .");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"other\" (2 bytes)\n"
                            "3 timer_created\n"
                            "4 mailbox_waited \"q\"\n"
                            "5 activity_scheduled \"book\" (2 bytes)\n"
                            "6 cancel_requested \"enough\"\n"
                            "7 activity_scheduled \"undo\" (2 bytes)\n"
                            "8 activity_completed of event 7 (2 bytes)\n"
                            "9 cancelled \"enough\"");
    assert_cancelled(&script, "enough");
    hf_script_release(&script);
}

/* A second request changes nothing: compensation goes on, the first reason stays. */
static void row_6b_9_second_request_has_no_effect(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, saga, NULL);
    play(&script, ". x=first x=second . x=third . c8=ok .");
    assert_cancelled(&script, "first");
    hf_script_release(&script);
}

/* A completion in front of the request is delivered, one behind it is not. */
static void test_request_takes_its_place_in_history(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, saga, NULL);
    play(&script, ". x=stop c5=late c2=late . e");
    play(&script, "c9=ok .");
    assert_cancelled(&script, "stop");
    hf_script_release(&script);
    hf_script_init(&script, saga, NULL);
    play(&script, ". c5=first x=stop .");
    assert_failed(&script, "not_cancelled", "0"); /* it ended before the request came */
    hf_script_release(&script);
}

/* A request that waits before the first turn reaches the first await. */
static void test_request_before_the_first_turn(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, saga, NULL);
    play(&script, "x=early . e c7=ok .");
    assert_cancelled(&script, "early");
    hf_script_release(&script);
}

static hf_status returns_at_once(hf_orchestration *o, hf_slice input)
{
    if (hf_call(o, "a", input, NULL) != HF_OK) return HF_INVALID;
    return HF_OK;
}

static hf_status misuses(hf_orchestration *o, hf_slice input)
{
    if (hf_call(o, "a", input, NULL) == HF_OK) return HF_OK;
    return hf_await(o, (hf_future){ 0 }, NULL);
}

/* Whatever the code returns after a request, the instance is cancelled; only misuse fails it. */
static void test_cancelled_whatever_is_returned(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, returns_at_once, NULL);
    play(&script, ". x= .");
    assert_cancelled(&script, "");
    hf_script_release(&script);
    hf_script_init(&script, misuses, NULL);
    play(&script, ". x=r .");
    assert_failed(&script, "stale_future", "future 0");
    hf_script_release(&script);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static hf_status within(hf_orchestration *o, hf_slice input)
{
    hf_slice output = HF_SLICE("untouched");
    hf_future future = hf_schedule(o, "slow", input);
    hf_status status = hf_await_within(o, future, 50, &output);
    if (status == HF_TIMEOUT) {
        if (strcmp(hf_orchestration_error(o)->code, "timeout") != 0) return HF_INVALID;
        if (hf_await(o, future, NULL) != HF_CANCELLED) return HF_INVALID;
    } else if (hf_await_within(o, future, 50, &output) != status) { /* done: no second timer */
        return HF_INVALID;
    }
    hf_future next = hf_schedule(o, "next", input);
    HF_TRY(hf_await(o, next, NULL));
    return hf_complete(o, output);
}

/* The work is done in time: its deadline is cancelled. */
static void test_await_within_cancels_the_deadline(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, within, NULL);
    play(&script, ".");
    assert_int_equal(script.works[1].due_unix_ms, 1050);
    play(&script, "c2=done .");
    assert_int_equal(((struct hf_turn_cancel *)script.turn.cancels.items)->event_id, 3);
    play(&script, "T3 e . c6=x .");
    assert_completed(&script, "done");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"slow\" (2 bytes)\n"
                            "3 timer_created\n"
                            "4 activity_completed of event 2 (4 bytes)\n"
                            "5 future_cancelled of event 3\n"
                            "6 activity_scheduled \"next\" (2 bytes)\n"
                            "7 activity_completed of event 6 (1 bytes)\n"
                            "8 completed (4 bytes)");
    hf_script_release(&script);
}

/* The deadline passes: the work is cancelled, and its late completion dropped. */
static void test_await_within_cancels_the_work(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, within, NULL);
    play(&script, ". t3 .");
    assert_int_equal(((struct hf_turn_cancel *)script.turn.cancels.items)->event_id, 2);
    play(&script, "C2=late . e c6=x .");
    assert_completed(&script, "untouched");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"slow\" (2 bytes)\n"
                            "3 timer_created\n"
                            "4 timer_fired of event 3\n"
                            "5 future_cancelled of event 2\n"
                            "6 activity_scheduled \"next\" (2 bytes)\n"
                            "7 activity_completed of event 6 (1 bytes)\n"
                            "8 completed (9 bytes)");
    hf_script_release(&script);
}

/* Both come in one batch: the first in history wins, the other is recorded and ignored. */
static void test_await_within_first_in_history_wins(void **state)
{
    (void)state;
    const char *const words[] = { ". c2=done t3 . e c7=x .", ". t3 c2=done . e c7=x ." };
    const char *const outputs[] = { "done", "untouched" };
    for (size_t i = 0; i < 2; i++) {
        struct hf_script script;
        hf_script_init(&script, within, NULL);
        play(&script, words[i]);
        assert_completed(&script, outputs[i]);
        hf_script_release(&script);
    }
}

static hf_status within_cancelled(hf_orchestration *o, hf_slice input)
{
    hf_status status = hf_await_within(o, hf_schedule(o, "a", input), 50, NULL);
    return status == HF_CANCELLED ? hf_sleep(o, 1) : HF_INVALID;
}

/* A request during such an await ends both, and no event says so. */
static void test_await_within_under_a_request(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, within_cancelled, NULL);
    play(&script, ". x=r .");
    assert_int_equal(script.turn.cancels.count, 2);
    assert_int_equal(script.turn.events.count, 1);
    play(&script, "e t5 .");
    assert_cancelled(&script, "r");
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_lets_the_code_compensate),
        cmocka_unit_test(row_6b_9_second_request_has_no_effect),
        cmocka_unit_test(test_request_takes_its_place_in_history),
        cmocka_unit_test(test_request_before_the_first_turn),
        cmocka_unit_test(test_cancelled_whatever_is_returned),
        cmocka_unit_test(test_await_within_cancels_the_deadline),
        cmocka_unit_test(test_await_within_cancels_the_work),
        cmocka_unit_test(test_await_within_first_in_history_wins),
        cmocka_unit_test(test_await_within_under_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
