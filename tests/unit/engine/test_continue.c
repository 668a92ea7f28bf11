/* Continue-as-new: a new execution with a short history, the open sessions and the messages that
 * nobody took. */
#include "tests/unit/engine/play.h"

#include <string.h>

#include "engine/event.h"

/* Takes one message an execution; the input is what was taken so far. */
static hf_status one_each(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    hf_schedule(o, "left", input);
    HF_TRY(hf_dequeue(o, "q", &message));
    hf_slice all = hf_format(o, HF_FMT HF_FMT, HF_ARG(input), HF_ARG(message));
    if (hf_slice_equal(message, hf_text("end"))) return hf_complete(o, all);
    return hf_continue_as_new(o, all);
}

/* The execution ends with its event, the next one begins with the new input and the messages left
 * over, in their order. */
static void row_1b_5_messages_not_taken_are_carried(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, one_each, NULL);
    play(&script, "mother=x . mq=1 mother=y mq=2 .");
    assert_int_equal(script.turn.outcome, HF_OUTCOME_CONTINUED);
    assert_int_equal(script.turn.output_event, 0);
    const struct hf_turn_carried *carried = script.turn.carried.items;
    assert_int_equal(script.turn.carried.count, 3);
    assert_int_equal(carried[0].event_id, 2);
    assert_int_equal(carried[1].event_id, 6);
    assert_int_equal(carried[2].event_id, 7);
    assert_history(&script, "1 started \"t\" (3 bytes)\n"
                            "2 mailbox_message \"other\" (1 bytes)\n"
                            "3 mailbox_message \"other\" (1 bytes)\n"
                            "4 mailbox_message \"q\" (1 bytes)");
    play(&script, "mq=3 . . mq=end .");
    assert_completed(&script, "in123end");
    assert_int_equal(script.execution, 4);
    hf_script_release(&script);
}

/* What was pending is cancelled; no event of the new execution shows it. */
static void test_continue_cancels_pending_work(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, one_each, NULL);
    play(&script, ". mq=1 .");
    const struct hf_turn_cancel *cancels = script.turn.cancels.items;
    assert_int_equal(script.turn.cancels.count, 1);
    assert_int_equal(cancels[0].event_id, 2);
    hf_script_release(&script);
}

static void completion_between_view_and_commit(struct hf_script *script)
{
    hf_script_post(script, 1, hf_body_activity_outcome(2, hf_text("old"), NULL, &script->memory));
}

/* A completion of the former execution names an event id that the new one has, too: it is dropped
 * all the same. */
static void row_6b_4_completion_of_former_execution_is_dropped(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, one_each, NULL);
    play(&script, ". mq=1");
    script.before_commit = completion_between_view_and_commit;
    play(&script, ".");
    script.before_commit = NULL;
    assert_int_equal(script.messages_count, 1);
    play(&script, ".");
    assert_int_equal(hf_script_event(&script, 1).kind, HF_EVENT_ACTIVITY_SCHEDULED);
    const struct hf_consumed_message *consumed = script.turn.messages.items;
    assert_int_equal(script.turn.messages.count, 1);
    assert_int_equal(consumed[0].event_id, 0);
    completion_between_view_and_commit(&script);
    play(&script, ".");
    consumed = script.turn.messages.items;
    assert_int_equal(consumed[0].event_id, 0);
    play(&script, "e mq=end .");
    assert_completed(&script, "in1end");
    hf_script_release(&script);
}

/* A request, also one behind the message on which the code continued, ends the instance instead: it
 * would be lost else. */
static void test_continue_under_a_request_is_cancelled(void **state)
{
    (void)state;
    const char *const words[] = { ". x=r .", ". mq=1 x=r ." };
    for (size_t i = 0; i < 2; i++) {
        struct hf_script script;
        hf_script_init(&script, one_each, NULL);
        play(&script, words[i]);
        assert_cancelled(&script, "r");
        assert_int_equal(script.turn.next_body.size, 0);
        assert_int_equal(script.turn.carried.count, 0);
        hf_script_release(&script);
    }
}

/* Waits for an event in its second execution; the first ends at a message. */
static hf_status waits_in_the_next(hf_orchestration *o, hf_slice input)
{
    hf_slice data;
    if (hf_slice_equal(input, hf_text("next"))) {
        HF_TRY(hf_await(o, hf_event_wait(o, "e"), &data));
        return hf_complete(o, data);
    }
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_continue_as_new(o, hf_text("next"));
}

static void raised_between_view_and_commit(struct hf_script *script)
{
    hf_script_post(script, 0, hf_body_event_raised(hf_text("e"), hf_text("x"), &script->memory));
}

/* An event that was raised while the former execution ended is the next one's: a message names no
 * execution, the present one gets it. */
static void row_6b_6_event_goes_to_the_present_execution(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, waits_in_the_next, NULL);
    play(&script, ". ve=of-the-former mq=1");
    script.before_commit = raised_between_view_and_commit;
    play(&script, ".");
    script.before_commit = NULL;
    assert_int_equal(script.execution, 2);
    assert_int_equal(script.messages_count, 1);
    play(&script, ".");
    assert_completed(&script, "x");
    hf_script_release(&script);
}

static void message_between_view_and_commit(struct hf_script *script)
{
    hf_script_post(script, 0, hf_body_mailbox_message(hf_text("q"), hf_text("2"), &script->memory));
}

/* So is a message for a mailbox. */
static void row_6b_7_message_goes_to_the_present_execution(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, one_each, NULL);
    play(&script, ". mq=1");
    script.before_commit = message_between_view_and_commit;
    play(&script, ".");
    script.before_commit = NULL;
    assert_int_equal(script.execution, 2);
    play(&script, ". mq=end .");
    assert_completed(&script, "in12end");
    hf_script_release(&script);
}

static hf_status takes_a_then_b(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    (void)input;
    HF_TRY(hf_dequeue(o, "a", NULL));
    HF_TRY(hf_dequeue(o, "b", &message));
    return hf_complete(o, message);
}

/* Beyond history a take finds at once what has come already: the turn goes on with it. */
static void row_7_8_what_is_there_is_seen_in_the_same_turn(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, takes_a_then_b, NULL);
    play(&script, ". mb=early ma=x .");
    assert_completed(&script, "early");
    hf_script_release(&script);
}

/* The first turn of the next execution replays before and after its commit. */
static void test_carried_messages_replay(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, one_each, NULL);
    script.always_evict = true;
    play(&script, "mq=1 mq=2 mq=3 . . . e mother=z . e mq=end .");
    assert_completed(&script, "in123end");
    hf_script_release(&script);
}

static hf_status with_sessions(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x"), y = hf_session_open_id(o, "y");
    hf_session generated = hf_session_open(o);
    if (hf_slice_equal(input, hf_text("second"))) {
        hf_session_close(o, x);
        HF_TRY(hf_call_on(o, y, "a", input, NULL));
        return hf_complete(o, hf_text(hf_session_id(o, generated)));
    }
    hf_session_close(o, y);
    HF_TRY(hf_call_on(o, x, "a", input, NULL));
    return hf_continue_as_new(o, hf_text("second"));
}

/* After continue-as-new the carried session ids are the ones that were open before. */
static void test_carried_sessions_are_those_that_were_open(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, with_sessions, NULL);
    play(&script, ". c6=r .");
    struct hf_event started = hf_script_event(&script, 0);
    const struct hf_carried_session *carried = started.sessions.items;
    assert_int_equal(started.sessions.count, 2);
    assert_true(hf_slice_equal(carried[0].id, hf_text("x")));
    assert_true(hf_slice_equal(carried[1].id, hf_text("session-1")));
    assert_int_equal(carried[0].incarnation, 1);
    assert_int_equal(carried[1].incarnation, 3);
    assert_int_equal(started.incarnations_count, 3);
    assert_int_equal(script.sessions_count, 2); /* no store row goes */
    hf_script_release(&script);
}

/* A generated id is unique in its instance for good: not repeated after continue-as-new with a
 * carried session. Carried ones need no opening, can be used and closed, and a new incarnation goes
 * on counting. */
static void test_generated_id_is_not_repeated(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, with_sessions, NULL);
    play(&script, ". c6=r . e");
    play(&script, ".");
    assert_history(&script, "1 started \"t\" (6 bytes)\n"
                            "2 session_opened \"y\" #4\n"
                            "3 session_opened \"session-2\" #5\n"
                            "4 session_closed \"x\" #1\n"
                            "5 activity_scheduled \"a\" on session \"y\" #4 (6 bytes)");
    play(&script, "e c5=x .");
    assert_completed(&script, "session-2");
    hf_script_release(&script);
}

static hf_status closed_before(hf_orchestration *o, hf_slice input)
{
    hf_session a = hf_session_open(o);
    hf_session_close(o, a);
    hf_session b = hf_session_open(o);
    hf_session_close(o, b);
    if (hf_slice_equal(input, hf_text("in"))) return hf_continue_as_new(o, hf_text("second"));
    return hf_complete(o, hf_format(o, "%s %s", hf_session_id(o, a), hf_session_id(o, b)));
}

/* Nor is a generated id repeated when its session was closed before. */
static void test_generated_id_of_closed_session_is_not_repeated(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, closed_before, NULL);
    play(&script, ". .");
    assert_completed(&script, "session-3 session-4");
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1b_5_messages_not_taken_are_carried),
        cmocka_unit_test(test_continue_cancels_pending_work),
        cmocka_unit_test(row_6b_4_completion_of_former_execution_is_dropped),
        cmocka_unit_test(test_continue_under_a_request_is_cancelled),
        cmocka_unit_test(row_6b_6_event_goes_to_the_present_execution),
        cmocka_unit_test(row_6b_7_message_goes_to_the_present_execution),
        cmocka_unit_test(row_7_8_what_is_there_is_seen_in_the_same_turn),
        cmocka_unit_test(test_carried_messages_replay),
        cmocka_unit_test(test_carried_sessions_are_those_that_were_open),
        cmocka_unit_test(test_generated_id_is_not_repeated),
        cmocka_unit_test(test_generated_id_of_closed_session_is_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
