/* What reaches an instance from outside, and what its awaits make of it: timers, events, messages,
 * and what a library does not know. */
#include "tests/unit/engine/play.h"

#include "engine/base/status.h"
#include "engine/event.h"

enum { NOTE_SIZE = 64 };

/* ---- timers --------------------------------------------------------------------------------- */

static hf_status sleeps(hf_orchestration *o, hf_slice input)
{
    const uint64_t *delay_ms = probe_of(o);
    (void)input;
    HF_TRY(hf_sleep(o, *delay_ms));
    return hf_complete(o, hf_text("woke"));
}

/* The due time counts from the turn that set the timer; no later replay moves it. */
static void row_1a_13_due_time_stands_in_history(void **state)
{
    (void)state;
    uint64_t delay_ms = 700;
    struct hf_script script;
    hf_script_init(&script, sleeps, &delay_ms);
    uint64_t due_unix_ms = script.now_unix_ms + delay_ms;
    play(&script, ".");
    assert_int_equal(hf_script_event(&script, 1).due_unix_ms, due_unix_ms);
    play(&script, "+500 mq=x e . +5000 mq=x e .");
    assert_int_equal(hf_script_event(&script, 1).due_unix_ms, due_unix_ms);
    assert_int_equal(hf_script_work(&script, 2)->due_unix_ms, due_unix_ms);
    play(&script, "e t2 .");
    assert_completed(&script, "woke");
    hf_script_release(&script);
}

/* A delay of 0 is a timer like any other: it is due at once, and ends with the next turn. */
static void row_1a_13_delay_of_zero_ends_with_the_next_turn(void **state)
{
    (void)state;
    uint64_t delay_ms = 0;
    struct hf_script script;
    hf_script_init(&script, sleeps, &delay_ms);
    play(&script, ".");
    assert_int_equal(script.outcome, HF_OUTCOME_RUNNING);
    assert_int_equal(hf_script_work(&script, 2)->due_unix_ms, script.now_unix_ms);
    play(&script, "t2 .");
    assert_completed(&script, "woke");
    hf_script_release(&script);
}

/* ---- events --------------------------------------------------------------------------------- */

static const hf_slice BYTES = HF_SLICE("\0\xff\xc1 no text");

static hf_status wait_for_bytes(hf_orchestration *o, hf_slice input)
{
    hf_future first = hf_event_wait(o, "e"), second = hf_event_wait(o, "e");
    hf_slice a, b;
    (void)input;
    HF_TRY(hf_await(o, second, &b));
    HF_TRY(hf_await(o, first, &a));
    if (!hf_slice_equal(a, BYTES)) return HF_INVALID;
    return hf_complete(o, b);
}

/* Waits stand in the order of their calls; what an event carries is handed on as it came, and
 * events that are of no use change nothing. */
static void row_1a_14_event_waits_are_positional_and_data_is_bytes(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, wait_for_bytes, NULL);
    hf_script_post(&script, 0, hf_body_event_raised(hf_text("e"), BYTES, &script.memory));
    hf_script_post(&script, 0, hf_body_event_raised(hf_text("of no use"), BYTES, &script.memory));
    play(&script, ".");
    assert_int_equal(script.outcome, HF_OUTCOME_RUNNING);
    play(&script, "e ve=second ve=third .");
    assert_completed(&script, "second");
    hf_script_release(&script);
}

static hf_status wait_for_two(hf_orchestration *o, hf_slice input)
{
    hf_slice a, b;
    (void)input;
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), &a));
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), &b));
    return hf_complete(o, hf_format(o, HF_FMT HF_FMT, HF_ARG(a), HF_ARG(b)));
}

/* Nothing is taken for a repeat of what came before. */
static void row_1b_3_equal_events_are_two(void **state)
{
    (void)state;
    const char *const words[] = { ". ve=1 ve=1 .", ". ve=1 . e ve=1 ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, wait_for_two, NULL);
        play(&script, words[i]);
        assert_completed(&script, "11");
        hf_script_release(&script);
    }
}

/* ---- messages ------------------------------------------------------------------------------- */

/* Takes in a join, in a select and with a deadline. */
static hf_status take_in_all_ways(hf_orchestration *o, hf_slice input)
{
    hf_future all[] = { hf_mailbox_take(o, "q"), hf_schedule(o, "a", input),
                        hf_mailbox_take(o, "q") };
    hf_slice first, second, third;
    size_t winner;
    HF_TRY(hf_join(o, all, 3));
    HF_TRY(hf_await(o, all[0], &first));
    HF_TRY(hf_await(o, all[2], &second));
    hf_future race[] = { hf_timer(o, 5), hf_mailbox_take(o, "q") };
    HF_TRY(hf_select(o, race, 2, &winner));
    if (winner != 1) return HF_INVALID;
    HF_TRY(hf_await(o, race[1], &third));
    hf_status late = hf_await_within(o, hf_mailbox_take(o, "q"), 5, NULL);
    if (late != HF_TIMEOUT) return HF_INVALID;
    return hf_complete(
        o, hf_format(o, HF_FMT HF_FMT HF_FMT, HF_ARG(first), HF_ARG(second), HF_ARG(third)));
}

static void row_1a_15_take_is_a_future_like_any_other(void **state)
{
    (void)state;
    for (int evicts = 0; evicts < 2; evicts++) {
        struct hf_script script;
        hf_script_init(&script, take_in_all_ways, NULL);
        script.always_evict = evicts;
        play(&script, ". mq=1 . c3=x mq=2 . mq=3 .");
        assert_int_equal(script.outcome, HF_OUTCOME_RUNNING);
        play(&script, "t13 .");
        assert_completed(&script, "123");
        hf_script_release(&script);
    }
}

static hf_status read_number(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    int64_t number;
    (void)input;
    HF_TRY(hf_dequeue(o, "q", &message));
    while (!hf_slice_to_i64(message, &number)) {
        hf_status_set(o, hf_text("no number"));
        HF_TRY(hf_dequeue(o, "q", &message));
    }
    return hf_complete(o, message);
}

/* What the code cannot read is handed to it all the same; it decides what follows. */
static void trap_a23_unreadable_message_is_the_codes_to_judge(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, read_number, NULL);
    hf_script_post(&script, 0, hf_body_mailbox_message(hf_text("q"), BYTES, &script.memory));
    play(&script, ".");
    assert_int_equal(script.outcome, HF_OUTCOME_RUNNING);
    assert_int_not_equal(script.turn.status_event, 0);
    play(&script, "e mq=7 .");
    assert_completed(&script, "7");
    hf_script_release(&script);
}

static hf_status wait_in_vain(hf_orchestration *o, hf_slice input)
{
    hf_future wait = hf_event_wait(o, "e"), take = hf_mailbox_take(o, "q");
    hf_slice message;
    (void)input;
    hf_future_cancel(o, wait);
    hf_future_cancel(o, take);
    HF_TRY(hf_dequeue(o, "q", &message));
    return hf_complete(o, message);
}

/* A store hears nothing of it: it knows neither waits nor takes. */
static void row_1d_3_cancelled_waits_leave_a_mark_in_history(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, wait_in_vain, NULL);
    play(&script, ".");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 event_waited \"e\"\n"
                            "3 mailbox_waited \"q\"\n"
                            "4 future_cancelled of event 2\n"
                            "5 future_cancelled of event 3\n"
                            "6 mailbox_waited \"q\"");
    assert_int_equal(script.turn.cancels.count, 0);
    assert_int_equal(script.turn.items.count + script.turn.timers.count, 0);
    play(&script, "e ve=nobody mq=mine .");
    assert_completed(&script, "mine");
    hf_script_release(&script);
}

static void note_line(void *self, const hf_log_line *line)
{
    char *text = self;
    hf_text_copy(text, NOTE_SIZE, hf_text(line->event));
}

/* Messages fill a history like all else: the warning comes also when the event at half of the limit
 * is one, and once. */
static void row_7_19_messages_fill_a_history(void **state)
{
    (void)state;
    char note[NOTE_SIZE] = "";
    struct hf_script script;
    hf_script_init(&script, read_number, NULL);
    script.options.history_events_max = 8;
    script.options.log = note_line;
    script.options.log_self = note;
    play(&script, ". mother=1 .");
    assert_string_equal(note, "");
    play(&script, "mother=2 .");
    assert_string_equal(note, "instance.history_long");
    note[0] = '\0';
    play(&script, "mother=3 . e mother=4 .");
    assert_string_equal(note, "");
    play(&script, "mother=5 . mq=bad .");
    assert_failed(&script, "history_full", "its history has");
    hf_script_release(&script);
}

/* ---- what is not known ---------------------------------------------------------------------- */

/* An event of a kind that this library does not have, in the inbox or in history, is told by its
 * number. Nothing is committed: a library that knows it finds all as it was. */
static void row_1a_17_unknown_kind_is_told_and_nothing_is_lost(void **state)
{
    (void)state;
    const hf_slice unknown = HF_SLICE("\x81\x00\x7f");
    struct hf_script script;
    hf_script_init(&script, wait_for_two, NULL);
    play(&script, ". ve=1 .");
    size_t events_count = script.events_count;
    hf_script_post(&script, 0, unknown);
    play_fails(&script, "ve=2 .", HF_CORRUPT, "the unknown kind 127");
    assert_int_equal(script.events_count, events_count);
    assert_int_equal(script.messages_count, 2);
    struct hf_event raised = { .kind = HF_EVENT_EVENT_RAISED, .name = HF_SLICE("of no use") };
    script.messages[0].body = hf_event_encode(&raised, &script.memory);
    hf_slice kept = script.events[2].body;
    script.events[2].body = unknown;
    play_fails(&script, "e .", HF_CORRUPT, "the unknown kind 127");
    script.events[2].body = kept;
    play(&script, "e .");
    assert_completed(&script, "12");
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1a_13_due_time_stands_in_history),
        cmocka_unit_test(row_1a_13_delay_of_zero_ends_with_the_next_turn),
        cmocka_unit_test(row_1a_14_event_waits_are_positional_and_data_is_bytes),
        cmocka_unit_test(row_1b_3_equal_events_are_two),
        cmocka_unit_test(row_1a_15_take_is_a_future_like_any_other),
        cmocka_unit_test(trap_a23_unreadable_message_is_the_codes_to_judge),
        cmocka_unit_test(row_1d_3_cancelled_waits_leave_a_mark_in_history),
        cmocka_unit_test(row_7_19_messages_fill_a_history),
        cmocka_unit_test(row_1a_17_unknown_kind_is_told_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
