/* Outcomes at replay: what answers a command, what comes too late, what was called off, and what
 * stands at the end. */
#include "tests/unit/engine/play.h"

#include <stdio.h>

#include "engine/base/status.h"
#include "engine/event.h"

/* ---- an outcome closes its command ---------------------------------------------------------- */

/* Two activities, a timer and a take, of which it awaits the take alone. */
static hf_status many_pending(hf_orchestration *o, hf_slice input)
{
    int *runs = probe_of(o);
    ++*runs;
    hf_schedule(o, "a", input);
    hf_schedule(o, "b", input);
    hf_timer(o, 5);
    HF_TRY(hf_dequeue(o, "end", NULL));
    return hf_complete(o, input);
}

/* Puts event over the one at index of a good history, and sees that refused before any code runs.
 */
static void check_damage(size_t index, struct hf_event event, const char *part)
{
    int runs = 0;
    struct hf_script script;
    hf_script_init(&script, many_pending, &runs);
    play(&script, ". mq=1 c2=x mq=2 .");
    int runs_before = runs;
    script.events[index].body = hf_event_encode(&event, &script.memory);
    play_fails(&script, "e .", HF_CORRUPT, part);
    assert_true(script.error.lsn > 0);
    assert_int_equal(runs, runs_before);
    hf_script_release(&script);
}

/* 1 started, 2 and 3 activities, 4 timer, 5 take, 6 message, 7 outcome of 2, 8 message */
static void trap_a3_second_outcome_in_history_is_damage(void **state)
{
    (void)state;
    struct hf_event event = { .kind = HF_EVENT_ACTIVITY_COMPLETED, .source = 2 };
    check_damage(5, event, "is the second completion of its source");
    check_damage(7, event, "is the second completion of its source");
    event = (struct hf_event){
        .kind = HF_EVENT_ACTIVITY_FAILED, .source = 2, .status = HF_FAILED, .code = HF_SLICE("c")
    };
    check_damage(7, event, "is the second completion of its source");
}

/* Whatever is wrong with its shape. */
static void trap_a17_shape_is_proved_before_any_code_runs(void **state)
{
    (void)state;
    struct hf_event event = { .kind = HF_EVENT_STARTED, .name = HF_SLICE("t") };
    check_damage(7, event, "is a second start");
    event = (struct hf_event){ .kind = HF_EVENT_TIMER_FIRED, .source = 3 };
    check_damage(7, event, "names no command that it could answer");
    event.source = 8;
    check_damage(7, event, "names no command that it could answer");
    event = (struct hf_event){ .kind = HF_EVENT_FUTURE_CANCELLED, .source = 6 };
    check_damage(7, event, "names no command that it could cancel");
    event = (struct hf_event){ .kind = HF_EVENT_COMPLETED };
    check_damage(5, event, "stands behind the last event");
}

/* The latest turn made that message no event. */
static void check_dropped(struct hf_script *script, size_t index)
{
    const struct hf_consumed_message *consumed = script->turn.messages.items;
    assert_true(index < script->turn.messages.count);
    assert_int_equal(consumed[index].event_id, 0);
}

static void post_failure(struct hf_script *script, uint64_t source)
{
    hf_error error = { 0 };
    hf_error_set(&error, HF_FAILED, "late");
    hf_script_post(script, script->execution,
                   hf_body_activity_outcome(source, hf_text(""), &error, &script->memory));
}

/* In one batch, in a later turn and after an eviction; a failure behind an output, an output behind
 * a failure, and a timer that fires twice. */
static void trap_a4_second_outcome_is_dropped_before_it_is_recorded(void **state)
{
    (void)state;
    int runs = 0;
    struct hf_script script;
    hf_script_init(&script, many_pending, &runs);
    play(&script, ". c2=x");
    post_failure(&script, 2);
    play(&script, ".");
    check_dropped(&script, 1);
    post_failure(&script, 2);
    play(&script, "e .");
    check_dropped(&script, 0);
    play(&script, "f3=code C3=x .");
    check_dropped(&script, 1);
    play(&script, "C3=x .");
    check_dropped(&script, 0);
    play(&script, "t4 T4 .");
    check_dropped(&script, 1);
    play(&script, "e T4 .");
    check_dropped(&script, 0);
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"a\" (2 bytes)\n"
                            "3 activity_scheduled \"b\" (2 bytes)\n"
                            "4 timer_created\n"
                            "5 mailbox_waited \"end\"\n"
                            "6 activity_completed of event 2 (1 bytes)\n"
                            "7 activity_failed of event 3 code \"it failed\" (4 bytes)\n"
                            "8 timer_fired of event 4");
    play(&script, "e mend=x .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

/* ---- what was called off -------------------------------------------------------------------- */

static hf_status race_then_call(hf_orchestration *o, hf_slice input)
{
    hf_future both[] = { hf_schedule(o, "a", input), hf_timer(o, 5) };
    hf_slice output;
    HF_TRY(hf_select(o, both, 2, NULL));
    HF_TRY(hf_call(o, "after", input, &output));
    return hf_complete(o, output);
}

/* Whoever wins, what is scheduled behind the select is found again behind it. */
static void trap_a8_losers_of_a_select_stand_in_history(void **state)
{
    (void)state;
    const struct {
        const char *words, *winner, *loser;
    } cases[] = { { ". t3 . e C2=late . e c6=x .", "timer_fired of event 3", "2" },
                  { ". c2=won . e T3 . e c6=x .", "activity_completed of event 2 (3 bytes)",
                    "3" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[512];
        struct hf_script script;
        hf_script_init(&script, race_then_call, NULL);
        play(&script, cases[i].words);
        assert_completed(&script, "x");
        snprintf(expected, sizeof expected,
                 "1 started \"t\" (2 bytes)\n"
                 "2 activity_scheduled \"a\" (2 bytes)\n"
                 "3 timer_created\n"
                 "4 %s\n"
                 "5 future_cancelled of event %s\n"
                 "6 activity_scheduled \"after\" (2 bytes)\n"
                 "7 activity_completed of event 6 (1 bytes)\n"
                 "8 completed (1 bytes)",
                 cases[i].winner, cases[i].loser);
        assert_history(&script, expected);
        hf_script_release(&script);
    }
}

/* Cancels one of two in each of its turns; which one first, its user says. */
static hf_status cancel_in_turns(hf_orchestration *o, hf_slice input)
{
    const int *first = probe_of(o);
    hf_future both[] = { hf_schedule(o, "a", input), hf_schedule(o, "b", input) };
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_future_cancel(o, both[*first]);
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_future_cancel(o, both[1 - *first]);
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

static void trap_a10_each_cancel_is_matched_at_its_own_place(void **state)
{
    (void)state;
    int first = 1;
    struct hf_script script;
    hf_script_init(&script, cancel_in_turns, &first);
    play(&script, ". mq=1 . e mq=2 .");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"a\" (2 bytes)\n"
                            "3 activity_scheduled \"b\" (2 bytes)\n"
                            "4 mailbox_waited \"q\"\n"
                            "5 mailbox_message \"q\" (1 bytes)\n"
                            "6 future_cancelled of event 3\n"
                            "7 mailbox_waited \"q\"\n"
                            "8 mailbox_message \"q\" (1 bytes)\n"
                            "9 future_cancelled of event 2\n"
                            "10 mailbox_waited \"q\"");
    first = 0;
    play_fails(&script, "e mq=3 .", HF_NONDETERMINISM, "at event 6");
    first = 1;
    play(&script, "e .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

static hf_status cancel_then_await(hf_orchestration *o, hf_slice input)
{
    hf_future work = hf_schedule(o, "a", input);
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_future_cancel(o, work);
    HF_TRY(hf_dequeue(o, "q", NULL));
    if (hf_await(o, work, NULL) != HF_CANCELLED) return HF_INVALID;
    return hf_complete(o, input);
}

/* An outcome that stood in the batch behind the message which led to the cancel is recorded, and
 * ignored at every replay; one that comes later leaves nothing. */
static void trap_a11_outcome_after_the_cancel_is_legal(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, cancel_then_await, NULL);
    play(&script, ". mq=1 c2=late .");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"a\" (2 bytes)\n"
                            "3 mailbox_waited \"q\"\n"
                            "4 mailbox_message \"q\" (1 bytes)\n"
                            "5 activity_completed of event 2 (4 bytes)\n"
                            "6 future_cancelled of event 2\n"
                            "7 mailbox_waited \"q\"");
    play(&script, "e mq=2 .");
    assert_completed(&script, "in");
    hf_script_release(&script);
    hf_script_init(&script, cancel_then_await, NULL);
    play(&script, ". mq=1 . e C2=later .");
    check_dropped(&script, 0);
    play(&script, "e mq=2 .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

/* ---- the end -------------------------------------------------------------------------------- */

static const hf_future STALE = { 99 };

/* Ends in the way that the message says, whatever has been asked of it. */
static hf_status ends_as_told(hf_orchestration *o, hf_slice input)
{
    hf_slice way;
    hf_status status = hf_dequeue(o, "end", &way);
    if (status == HF_CANCELLED) HF_TRY(hf_dequeue(o, "end", &way));
    if (way.data[0] == 'm' && hf_await(o, STALE, NULL) == HF_OK) return HF_INVALID;
    if (way.data[1] == 'c') return hf_continue_as_new(o, input);
    return hf_complete(o, input);
}

/* A failure for good (m: misuse) comes before a request to stop, and both before what the code
 * returns, be it the next execution (c) or an output (r). */
static void row_7_10_failure_then_request_then_what_is_returned(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint64_t outcome;
    } cases[] = {
        { ". mend=-r .", HF_OUTCOME_COMPLETED },     { ". mend=-c .", HF_OUTCOME_CONTINUED },
        { ". x=r mend=-r .", HF_OUTCOME_CANCELLED }, { ". x=r mend=-c .", HF_OUTCOME_CANCELLED },
        { ". x=r mend=mr .", HF_OUTCOME_FAILED },    { ". x=r mend=mc .", HF_OUTCOME_FAILED },
        { ". mend=mr .", HF_OUTCOME_FAILED },        { ". mend=mc .", HF_OUTCOME_FAILED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hf_script script;
        hf_script_init(&script, ends_as_told, NULL);
        play(&script, cases[i].words);
        if (script.turn.outcome != cases[i].outcome) fail_msg("%s", cases[i].words);
        hf_script_release(&script);
    }
}

/* What came in the same batch stands before it, what came later is nowhere. */
static void row_7_16_what_came_along_stands_before_the_end(void **state)
{
    (void)state;
    int runs = 0;
    struct hf_script script;
    hf_script_init(&script, many_pending, &runs);
    play(&script, ". mend=x c2=x mq=late .");
    assert_completed(&script, "in");
    size_t events_count = script.events_count;
    assert_int_equal(hf_script_event(&script, events_count - 1).kind, HF_EVENT_COMPLETED);
    script.outcome = HF_OUTCOME_RUNNING;
    play(&script, "C3=x .");
    assert_int_equal(script.events_count, events_count);
    hf_script_release(&script);
}

/* An event behind it is damage. */
static void trap_a21_last_event_is_last(void **state)
{
    (void)state;
    int runs = 0;
    struct hf_script script;
    hf_script_init(&script, many_pending, &runs);
    play(&script, ". mend=x c2=x .");
    size_t events_count = script.events_count;
    script.outcome = HF_OUTCOME_RUNNING;
    const struct hf_event ended = { .kind = HF_EVENT_COMPLETED };
    script.events[events_count - 2].body = hf_event_encode(&ended, &script.memory);
    play_fails(&script, "e .", HF_CORRUPT, "stands behind the last event");
    hf_script_release(&script);
}

enum { LIMIT = 100 };

static hf_status asks_too_much(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_call(o, "a", hf_bytes(hf_alloc(o, LIMIT + 1), LIMIT + 1), NULL);
}

/* It has all that a failure has, and history with it is read and replayed like any other. */
static void trap_a22_written_failure_is_a_whole_event(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, asks_too_much, NULL);
    script.options.payload_size_max = LIMIT;
    play(&script, ".");
    assert_failed(&script, "too_large", "101 bytes, the limit is 100");
    struct hf_event last = hf_script_event(&script, script.events_count - 1);
    assert_int_equal(last.kind, HF_EVENT_FAILED);
    assert_int_equal(last.status, HF_TOO_LARGE);
    assert_true(hf_slice_equal(last.code, hf_text("too_large")));
    assert_true(last.text.size > 0);
    size_t events_count = script.events_count;
    script.outcome = HF_OUTCOME_RUNNING;
    play(&script, "e .");
    assert_int_equal(script.events_count, events_count);
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap_a3_second_outcome_in_history_is_damage),
        cmocka_unit_test(trap_a17_shape_is_proved_before_any_code_runs),
        cmocka_unit_test(trap_a4_second_outcome_is_dropped_before_it_is_recorded),
        cmocka_unit_test(trap_a8_losers_of_a_select_stand_in_history),
        cmocka_unit_test(trap_a10_each_cancel_is_matched_at_its_own_place),
        cmocka_unit_test(trap_a11_outcome_after_the_cancel_is_legal),
        cmocka_unit_test(row_7_10_failure_then_request_then_what_is_returned),
        cmocka_unit_test(row_7_16_what_came_along_stands_before_the_end),
        cmocka_unit_test(trap_a21_last_event_is_last),
        cmocka_unit_test(trap_a22_written_failure_is_a_whole_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
