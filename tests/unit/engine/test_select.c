/* Waiting for the first of several futures, which gives the others up, and giving up one alone. */
#include "tests/unit/engine/play.h"

#include <string.h>

#include "engine/event.h"

static hf_status race(hf_orchestration *o, hf_slice input)
{
    hf_future runners[] = { hf_schedule(o, "a", input), hf_timer(o, 50), hf_mailbox_take(o, "q"),
                            hf_schedule(o, "b", input) };
    size_t winner = 99;
    hf_slice result;
    HF_TRY(hf_select(o, runners, 4, &winner));
    for (size_t i = 0; i < 4; i++) {
        hf_status status = hf_await(o, runners[i], &result);
        if (status != (i == winner ? HF_OK : HF_CANCELLED)) return HF_INVALID;
    }
    HF_TRY(hf_await(o, runners[winner], &result));
    hf_slice won = hf_format(o, "%zu" HF_FMT, winner, HF_ARG(result));
    HF_TRY(hf_call(o, "next", input, NULL));
    return hf_complete(o, won);
}

/* The first to finish wins; the others are cancelled by events, in the order of the array, and a
 * store is told of those that it knows; what they still say is dropped. */
static void test_select_cancels_the_losers(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, race, NULL);
    play(&script, ". mq=M .");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"a\" (2 bytes)\n"
                            "3 timer_created\n"
                            "4 mailbox_waited \"q\"\n"
                            "5 activity_scheduled \"b\" (2 bytes)\n"
                            "6 mailbox_message \"q\" (1 bytes)\n"
                            "7 future_cancelled of event 2\n"
                            "8 future_cancelled of event 3\n"
                            "9 future_cancelled of event 5\n"
                            "10 activity_scheduled \"next\" (2 bytes)");
    const struct hf_turn_cancel *cancels = script.turn.cancels.items;
    assert_int_equal(script.turn.cancels.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cancels[i].event_id, hf_script_event(&script, 6 + i).source);
    }
    play(&script, "C2=late T3 C5=late e . e c10=ok .");
    assert_completed(&script, "2M");
    assert_int_equal(script.events_count, 12);
    hf_script_release(&script);
}

/* The first in history wins, also within one batch; what came behind it is recorded and ignored. */
static void row_7_7_first_in_history_wins_a_select(void **state)
{
    (void)state;
    const char *const words[] = { ". c5=B c2=A t3 mq=M . e c13=ok .", ". t3 c2=A . c11=ok .",
                                  ". c2=A t3 mq=M c5=B . c13=ok ." };
    const char *const outputs[] = { "3B", "1", "0A" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, race, NULL);
        play(&script, words[i]);
        assert_completed(&script, outputs[i]);
        hf_script_release(&script);
    }
}

static hf_status race_of_done(hf_orchestration *o, hf_slice input)
{
    HF_TRY(hf_sleep(o, 5));
    hf_future takes[] = { hf_mailbox_take(o, "p"), hf_mailbox_take(o, "q"),
                          hf_mailbox_take(o, "r") };
    size_t winner = 99;
    hf_slice message;
    HF_TRY(hf_select(o, takes, 3, &winner));
    HF_TRY(hf_await(o, takes[winner], &message));
    HF_TRY(hf_call(o, "next", input, NULL));
    return hf_complete(o, message);
}

/* Of several that are done already the first in the array wins, whenever they came; done losers are
 * not cancelled. */
static void row_1c_2_order_of_the_array_decides_among_done(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, race_of_done, NULL);
    play(&script, ". mr=R mq=Q t2 . e c10=ok .");
    assert_completed(&script, "Q");
    struct hf_event cancelled = hf_script_event(&script, 8);
    assert_int_equal(cancelled.kind, HF_EVENT_FUTURE_CANCELLED);
    assert_int_equal(cancelled.source, 6); /* the take from "p" alone */
    assert_int_equal(hf_script_event(&script, 9).kind, HF_EVENT_ACTIVITY_SCHEDULED);
    hf_script_release(&script);
}

static hf_status failed_winner(hf_orchestration *o, hf_slice input)
{
    hf_future both[] = { hf_schedule(o, "a", input), hf_schedule(o, "b", input) };
    HF_TRY(hf_select(o, both, 2, NULL));
    return hf_await(o, both[1], NULL);
}

/* A failure is an outcome like any other: it wins, and its await tells it. */
static void test_select_failure_wins(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, failed_winner, NULL);
    play(&script, ". f3=bad .");
    assert_failed(&script, "bad", "it failed");
    hf_script_release(&script);
}

static hf_status select_then_undo(hf_orchestration *o, hf_slice input)
{
    hf_future both[] = { hf_schedule(o, "a", input), hf_timer(o, 50) };
    size_t winner = 99;
    if (hf_select(o, both, 2, &winner) != HF_CANCELLED || winner != 99) return HF_INVALID;
    if (strcmp(hf_orchestration_error(o)->code, "cancelled") != 0) return HF_INVALID;
    HF_TRY(hf_call(o, "undo", input, NULL));
    return HF_OK;
}

/* A request ends a select with HF_CANCELLED, without an event of its own. */
static void test_select_under_a_request(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, select_then_undo, NULL);
    play(&script, ". x=stop . ");
    assert_int_equal(script.turn.cancels.count, 2);
    assert_int_equal(script.turn.events.count, 1);
    play(&script, "e c5=ok .");
    assert_cancelled(&script, "stop");
    hf_script_release(&script);
}

static hf_status take_after_lost_race(hf_orchestration *o, hf_slice input)
{
    hf_future both[] = { hf_mailbox_take(o, "q"), hf_schedule(o, "a", input) };
    hf_slice message;
    HF_TRY(hf_select(o, both, 2, NULL));
    HF_TRY(hf_dequeue(o, "q", &message));
    return hf_complete(o, message);
}

/* A take that lost consumes nothing: the next one gets the message, also one of the same batch. */
static void test_select_lost_take_gives_up_its_place(void **state)
{
    (void)state;
    const char *const words[] = { ". c3=A . mq=M .", ". c3=A mq=M .", ". c3=A . e mq=M ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, take_after_lost_race, NULL);
        play(&script, words[i]);
        assert_completed(&script, "M");
        hf_script_release(&script);
    }
}

static hf_status select_none(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_select(o, NULL, 0, NULL);
}

static hf_status select_null(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_select(o, NULL, 3, NULL);
}

static hf_status select_stale(hf_orchestration *o, hf_slice input)
{
    hf_scope scope = hf_scope_open(o);
    hf_future three[] = { hf_mailbox_take(o, "q"), hf_schedule(o, "a", input), { 0 } };
    hf_scope_close(o, scope);
    three[0] = hf_mailbox_take(o, "q");
    three[2] = hf_mailbox_take(o, "q");
    return hf_select(o, three, 3, NULL);
}

static hf_status cancel_stale(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_future none = { 0 };
    hf_future_cancel(o, none);
    return HF_OK;
}

/* No futures, or futures that are none, fail the instance; nothing is given up before. */
static void test_misuse_fails_the_instance(void **state)
{
    (void)state;
    const struct {
        hf_orchestration_fn run;
        const char *code, *part;
        size_t events_count;
    } cases[] = { { select_none, "no_futures", "would wait for ever", 1 },
                  { select_null, "bad_futures", "3 futures", 1 },
                  { select_stale, "stale_future", "future 3", 7 },
                  { cancel_stale, "stale_future", "future 0", 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hf_script script;
        hf_script_init(&script, cases[i].run, NULL);
        play(&script, ".");
        assert_failed(&script, cases[i].code, cases[i].part);
        assert_int_equal(script.events_count, cases[i].events_count + 1);
        hf_script_release(&script);
    }
}

static hf_status cancel_one(hf_orchestration *o, hf_slice input)
{
    hf_future a = hf_schedule(o, "a", input), b = hf_schedule(o, "b", input);
    hf_future_cancel(o, a);
    hf_future_cancel(o, a);
    if (!hf_future_is_done(o, a)) return HF_INVALID;
    hf_future both[] = { a, b };
    if (hf_select(o, both, 1, NULL) != HF_CANCELLED) return HF_INVALID;
    if (hf_join(o, both, 2) != HF_CANCELLED) return HF_INVALID;
    if (strcmp(hf_orchestration_error(o)->message, "activity \"a\" (event 2) was cancelled") != 0) {
        return HF_INVALID;
    }
    hf_slice output;
    HF_TRY(hf_await(o, b, &output));
    hf_future_cancel(o, b);
    HF_TRY(hf_await(o, b, &output));
    return hf_complete(o, output);
}

/* A cancel is one event and one effect, at once; on a future that is done it is none. Scheduled and
 * cancelled in one turn, the work is named in both lists. */
static void test_cancel_of_one_future(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, cancel_one, NULL);
    play(&script, ".");
    assert_int_equal(script.turn.items.count, 2);
    assert_int_equal(script.turn.cancels.count, 1);
    assert_int_equal(script.works_count, 1);
    play(&script, "C2=late . e c3=B .");
    assert_completed(&script, "B");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"a\" (2 bytes)\n"
                            "3 activity_scheduled \"b\" (2 bytes)\n"
                            "4 future_cancelled of event 2\n"
                            "5 activity_completed of event 3 (1 bytes)\n"
                            "6 completed (1 bytes)");
    hf_script_release(&script);
}

static hf_status select_many(hf_orchestration *o, hf_slice input)
{
    enum { MANY_COUNT = 100000 };
    hf_future *all = hf_alloc(o, MANY_COUNT * sizeof *all);
    for (size_t i = 0; i < MANY_COUNT; i++) all[i] = hf_schedule(o, "a", input);
    HF_TRY(hf_select(o, all, MANY_COUNT, NULL));
    return hf_complete(o, hf_text("one"));
}

/* A select over 100,000 futures costs in the order of their number, the cancelling included; each
 * loser has its event. */
static void test_select_of_hundred_thousand(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, select_many, NULL);
    script.no_check = true;
    play(&script, ".");
    script.works_count = 0; /* its search for each of them would be quadratic */
    play(&script, "C50000=x .");
    assert_completed(&script, "one");
    assert_int_equal(script.turn.cancels.count, 99999);
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_cancels_the_losers),
        cmocka_unit_test(row_7_7_first_in_history_wins_a_select),
        cmocka_unit_test(row_1c_2_order_of_the_array_decides_among_done),
        cmocka_unit_test(test_select_failure_wins),
        cmocka_unit_test(test_select_under_a_request),
        cmocka_unit_test(test_select_lost_take_gives_up_its_place),
        cmocka_unit_test(test_misuse_fails_the_instance),
        cmocka_unit_test(test_cancel_of_one_future),
        cmocka_unit_test(test_select_of_hundred_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
