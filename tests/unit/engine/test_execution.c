/* Executions: what each public call records and gives back, how the code ends, what is refused
 * before any code runs. */
#include "tests/unit/engine/play.h"

#include <stdio.h>
#include <string.h>

#include "engine/event.h"

/* What an orchestration notes for the test. */
struct probe {
    int lives, replays, logs, ended;
    hf_status status;
    hf_error error;
    char text[256];
    size_t count;
};

static hf_status call_once(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    HF_TRY(hf_call(o, "greet", input, &output));
    return hf_complete(o, output);
}

/* An activity is scheduled, awaited and its output completes the instance. */
static void row_6c_1_scheduling_makes_an_event_and_an_item(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, call_once, NULL);
    play(&script, ".");
    assert_int_equal(script.turn.items.count, 1);
    assert_int_equal(((struct hf_turn_item *)script.turn.items.items)->event_id, 2);
    assert_int_equal(script.turn.outcome, HF_OUTCOME_RUNNING);
    play(&script, "c2=hello .");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"greet\" (2 bytes)\n"
                            "3 activity_completed of event 2 (5 bytes)\n"
                            "4 completed (5 bytes)");
    assert_completed(&script, "hello");
    hf_script_release(&script);
}

static hf_status note_failure(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    probe->error = *hf_orchestration_error(o);
    hf_slice output = HF_SLICE("untouched");
    probe->status = hf_call(o, "pay", input, &output);
    if (!hf_slice_equal(output, hf_text("untouched"))) return HF_INVALID;
    probe->error = *hf_orchestration_error(o);
    snprintf(probe->text, sizeof probe->text, HF_FMT, HF_ARG(probe->error.data));
    return probe->status;
}

/* A failed activity's whole error reaches the code, and its status passes the error on. */
static void test_returned_status_of_latest_await_passes_its_error_on(void **state)
{
    (void)state;
    struct probe probe = { 0 };
    struct hf_script script;
    hf_script_init(&script, note_failure, &probe);
    play(&script, ".");
    assert_status(probe.error.status, HF_OK);
    play(&script, "f2=declined .");
    assert_status(probe.status, HF_FAILED);
    assert_string_equal(probe.error.code, "declined");
    assert_string_equal(probe.text, "data");
    assert_failed(&script, "declined", "it failed");
    struct hf_event last = hf_script_event(&script, script.events_count - 1);
    assert_true(hf_slice_equal(last.payload, hf_text("data")));
    hf_script_release(&script);
}

static hf_status sleep_once(hf_orchestration *o, hf_slice input)
{
    HF_TRY(hf_sleep(o, 500));
    return hf_complete(o, input);
}

/* A timer is due by the wall clock of the turn that made it; replays adopt that time. */
static void row_6c_2_timer_makes_an_event_and_a_due_row(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, sleep_once, NULL);
    play(&script, ".");
    assert_int_equal(script.works[0].due_unix_ms, 1500);
    struct hf_turn_timer *timer = script.turn.timers.items;
    struct hf_event fired;
    assert_ok(hf_event_decode(timer->body, &script.memory, &fired, NULL), NULL);
    assert_int_equal(fired.kind, HF_EVENT_TIMER_FIRED);
    assert_int_equal(fired.source, 2);
    play(&script, "e +100000 t2 .");
    assert_int_equal(hf_script_event(&script, 1).due_unix_ms, 1500);
    assert_completed(&script, "in");
    hf_script_release(&script);
}

static hf_status sleep_for_ever(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_sleep(o, UINT64_MAX);
}

/* A delay beyond the end of time is the end of time. */
static void test_timer_due_time_does_not_wrap(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, sleep_for_ever, NULL);
    play(&script, ".");
    assert_true(script.works[0].due_unix_ms == UINT64_MAX);
    hf_script_release(&script);
}

static hf_status set_status(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_status_set(o, hf_text("one"));
    hf_status_set(o, hf_text("two"));
    HF_TRY(hf_sleep(o, 1));
    return HF_OK;
}

/* The last custom status of a turn is the one that is shown. */
static void test_status_set_names_its_last_event(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, set_status, NULL);
    play(&script, ".");
    hf_slice shown;
    assert_int_equal(script.turn.status_event, 3);
    assert_ok(hf_body_read_status(script.status_body, &script.memory, &shown, NULL), NULL);
    assert_true(hf_slice_equal(shown, hf_text("two")));
    play(&script, "e t4 .");
    assert_int_equal(script.turn.status_event, 0);
    assert_completed(&script, "");
    hf_script_release(&script);
}

static hf_status look_around(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    probe->lives++;
    snprintf(probe->text, sizeof probe->text, "%s " HF_FMT, hf_instance_id(o), HF_ARG(input));
    probe->replays += hf_is_replaying(o);
    hf_log(o, HF_LOG_INFO, "step %d", 1);
    HF_TRY(hf_sleep(o, 1));
    hf_log(o, HF_LOG_INFO, "step %d", 2);
    HF_TRY(hf_sleep(o, 1));
    return HF_OK;
}

static void count_log(void *self, const hf_log_line *line)
{
    struct probe *probe = self;
    probe->logs++;
    if (strcmp(line->instance, "i-1") != 0 || strncmp(line->message, "step ", 5) != 0) {
        probe->logs += 1000;
    }
}

/* The code learns its instance; what it logs is told once, however often it is replayed. */
static void test_log_is_silent_at_replay(void **state)
{
    (void)state;
    struct probe probe = { 0 };
    struct hf_script script;
    hf_script_init(&script, look_around, &probe);
    script.no_check = true;
    script.options.log = count_log;
    script.options.log_self = &probe;
    play(&script, ". e t2 .");
    assert_string_equal(probe.text, "i-1 in");
    assert_int_equal(probe.lives, 2);
    assert_int_equal(probe.replays, 1);
    assert_int_equal(probe.logs, 2);
    play(&script, "e t4 .");
    assert_int_equal(probe.logs, 2);
    hf_script_release(&script);
}

/* ---- ending --------------------------------------------------------------------------------- */

static hf_status fail_on_purpose(hf_orchestration *o, hf_slice input)
{
    hf_status status = hf_fail(o, "refused", "by %s \xff", "the boss");
    struct probe *probe = probe_of(o);
    probe->error = *hf_orchestration_error(o);
    (void)input;
    return status;
}

/* hf_fail ends the instance with its own code and text; bytes that are no text do no harm. */
static void test_fail_records_code_and_message(void **state)
{
    (void)state;
    struct probe probe = { 0 };
    struct hf_script script;
    hf_script_init(&script, fail_on_purpose, &probe);
    play(&script, ".");
    assert_failed(&script, "refused", "by the boss ?");
    assert_string_equal(probe.error.code, "refused");
    hf_script_release(&script);
}

static hf_status return_a_number(hf_orchestration *o, hf_slice input)
{
    (void)o;
    (void)input;
    return -7;
}

/* A status that no await gave fails the instance with the status' name as code. */
static void test_returned_status_of_its_own_fails(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, return_a_number, NULL);
    play(&script, ".");
    assert_failed(&script, "HF_?", "(-7)");
    hf_error error = { 0 };
    hf_script_output(&script, &error);
    assert_int_equal(error.status, -7);
    hf_script_release(&script);
}

static hf_status change_its_mind(hf_orchestration *o, hf_slice input)
{
    if (hf_complete(o, hf_text("first")) != HF_OK) return HF_INVALID;
    if (hf_call(o, "a", input, NULL) != HF_OK) {
        return hf_complete(o, hf_format(o, "last of %d", 2));
    }
    return HF_INVALID;
}

/* The latest hf_complete counts; a failure that the code has handled does not. */
static void test_complete_latest_output_wins(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, change_its_mind, NULL);
    play(&script, ". f2=no .");
    assert_completed(&script, "last of 2");
    hf_script_release(&script);
}

static hf_status leave_work_behind(hf_orchestration *o, hf_slice input)
{
    hf_schedule(o, "a", input);
    hf_timer(o, 5);
    hf_mailbox_take(o, "q");
    HF_TRY(hf_call(o, "b", input, NULL));
    return HF_OK;
}

/* What is pending at the end is cancelled in the store, without events. */
static void test_end_cancels_pending_work(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, leave_work_behind, NULL);
    play(&script, ". c5=x .");
    struct hf_turn_cancel *cancels = script.turn.cancels.items;
    assert_int_equal(script.turn.cancels.count, 2);
    assert_int_equal(cancels[0].event_id, 2);
    assert_int_equal(cancels[1].event_id, 3);
    assert_int_equal(script.turn.events.count, 1);
    assert_completed(&script, "");
    hf_script_release(&script);
}

/* ---- limits --------------------------------------------------------------------------------- */

enum { LIMIT = 100 };

static hf_status big_input(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_call(o, "a", hf_bytes(hf_alloc(o, LIMIT + 1), LIMIT + 1), NULL);
}

static hf_status big_status(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_status_set(o, hf_bytes(hf_alloc(o, LIMIT + 1), LIMIT + 1));
    return hf_sleep(o, 1);
}

static hf_status big_output(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_complete(o, hf_bytes(hf_alloc(o, LIMIT + 1), LIMIT + 1));
}

static hf_status big_next_input(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_continue_as_new(o, hf_bytes(hf_alloc(o, LIMIT + 1), LIMIT + 1));
}

/* A payload over the limit fails the instance, and the message gives both sizes. */
static void row_7_18_payload_over_the_limit_fails_the_instance(void **state)
{
    (void)state;
    const hf_orchestration_fn runs[] = { big_input, big_status, big_output, big_next_input };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct hf_script script;
        hf_script_init(&script, runs[i], NULL);
        script.options.payload_size_max = LIMIT;
        play(&script, ".");
        assert_failed(&script, "too_large", "101 bytes, the limit is 100");
        hf_script_release(&script);
    }
}

/* A limit that was lowered since does not disturb what history holds. */
static void row_7_18_payload_limit_is_not_judged_at_replay(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, big_input, NULL);
    play(&script, ".");
    script.options.payload_size_max = LIMIT;
    play(&script, "e c2=x .");
    assert_completed(&script, "");
    hf_script_release(&script);
}

static hf_status bad_name(hf_orchestration *o, hf_slice input)
{
    return hf_call(o, input.size > 0 ? "\xff\xfe" : "", input, NULL);
}

static hf_status bad_mailbox(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_dequeue(o, NULL, NULL);
}

static hf_status bad_slice(hf_orchestration *o, hf_slice input)
{
    input.data = NULL;
    return hf_call(o, "a", input, NULL);
}

/* Misuse fails the instance and says what is wrong. */
static void row_7_15_misuse_fails_the_instance(void **state)
{
    (void)state;
    const struct {
        hf_orchestration_fn run;
        const char *code, *part;
    } cases[] = { { bad_name, "bad_name", "not UTF-8" },
                  { bad_mailbox, "bad_name", "mailbox name is empty" },
                  { bad_slice, "bad_slice", "no data" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hf_script script;
        hf_script_init(&script, cases[i].run, NULL);
        play(&script, ".");
        assert_failed(&script, cases[i].code, cases[i].part);
        hf_script_release(&script);
    }
}

static hf_status until_long(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    probe->count = 0;
    while (!hf_history_is_long(o)) {
        HF_TRY(hf_dequeue(o, "q", NULL));
        probe->count++;
    }
    (void)input;
    return hf_complete(o, hf_format(o, "%zu", probe->count));
}

/* A history is long at the same message whether the code was replayed or not. */
static void test_history_is_long_is_the_same_at_replay(void **state)
{
    (void)state;
    struct probe probe = { 0 };
    for (int evict = 0; evict < 2; evict++) {
        struct hf_script script;
        hf_script_init(&script, until_long, &probe);
        script.no_check = true;
        script.always_evict = evict;
        while (script.outcome == HF_OUTCOME_RUNNING) play(&script, ". mq=a mq=b mq=c");
        assert_completed(&script, "501");
        hf_script_release(&script);
    }
}

/* ---- messages ------------------------------------------------------------------------------- */

static hf_status two_calls(hf_orchestration *o, hf_slice input)
{
    hf_future a = hf_schedule(o, "a", input), b = hf_schedule(o, "b", input);
    hf_slice first, second, again;
    HF_TRY(hf_await(o, b, &second));
    HF_TRY(hf_call(o, "c", input, NULL));
    HF_TRY(hf_await(o, a, &first));
    HF_TRY(hf_await(o, a, &again));
    return hf_complete(
        o, hf_format(o, HF_FMT HF_FMT HF_FMT, HF_ARG(first), HF_ARG(second), HF_ARG(again)));
}

/* Messages of a batch are recorded first; awaiting a finished future again gives the same. */
static void test_batch_is_recorded_before_its_commands(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, two_calls, NULL);
    play(&script, ". c3=B c2=A . c6=C .");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"a\" (2 bytes)\n"
                            "3 activity_scheduled \"b\" (2 bytes)\n"
                            "4 activity_completed of event 3 (1 bytes)\n"
                            "5 activity_completed of event 2 (1 bytes)\n"
                            "6 activity_scheduled \"c\" (2 bytes)\n"
                            "7 activity_completed of event 6 (1 bytes)\n"
                            "8 completed (3 bytes)");
    assert_completed(&script, "ABA");
    hf_script_release(&script);
}

/* A completion that comes twice, in one batch, late or after eviction, is consumed without an
 * event. */
static void row_7_2_second_completion_is_dropped(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, two_calls, NULL);
    play(&script, ". c3=B C3=X .");
    struct hf_consumed_message *consumed = script.turn.messages.items;
    assert_int_equal(script.turn.messages.count, 2);
    assert_int_equal(consumed[0].event_id, 4);
    assert_int_equal(consumed[1].event_id, 0);
    play(&script, "C3=Y . e C3=Z C99=Z .");
    assert_int_equal(script.events_count, 5);
    play(&script, "c2=A c5=C .");
    assert_completed(&script, "ABA");
    hf_script_release(&script);
}

/* A completion of a timer by an activity's outcome, or the other way round, is damage that names
 * the record. */
static void test_completion_of_another_kind_is_damage(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, two_calls, NULL);
    play_fails(&script, ". T2 .", HF_CORRUPT, "another kind");
    assert_int_equal(script.error.lsn, script.messages[0].lsn);
    hf_script_release(&script);
}

/* What is no message, or no event at all, is damage that names the record. */
static void test_damaged_message_names_its_record(void **state)
{
    (void)state;
    const struct hf_event kind = { .kind = HF_EVENT_STATUS_SET };
    for (int i = 0; i < 2; i++) {
        struct hf_script script;
        hf_script_init(&script, two_calls, NULL);
        hf_slice body = i == 0 ? hf_text("\xc1") : hf_event_encode(&kind, &script.memory);
        hf_script_post(&script, 0, body);
        play_fails(&script, ".", HF_CORRUPT, "");
        assert_int_equal(script.error.lsn, script.messages[0].lsn);
        hf_script_release(&script);
    }
}

/* ---- before any code runs -------------------------------------------------------------------- */

/* An orchestration that this process does not know is told by name. */
static void test_new_unregistered_orchestration_is_not_found(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, call_once, NULL);
    script.events[0].body = hf_body_started(hf_text("other"), hf_text(NULL), hf_text(""),
                                            &script.memory);
    play_fails(&script, ".", HF_NOT_FOUND, "\"other\" is not registered");
    hf_script_release(&script);
}

/* A history that does not begin with its start is damaged. */
static void test_new_history_without_start_is_damage(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, call_once, NULL);
    script.events[0].body = hf_body_terminated(hf_text("r"), &script.memory);
    play_fails(&script, ".", HF_CORRUPT, "begins with terminated");
    script.events[0].body = hf_text("\xc1");
    play_fails(&script, ".", HF_CORRUPT, "");
    script.events[0].event_id = 2;
    play_fails(&script, ".", HF_CORRUPT, "does not begin at event 1");
    hf_script_release(&script);
}

/* Sessions that continue-as-new carried out of order are damage. */
static void test_new_carried_sessions_out_of_order_are_damage(void **state)
{
    (void)state;
    struct hf_carried_session sessions[] = { { .incarnation = 2, .id = HF_SLICE("a") },
                                             { .incarnation = 1, .id = HF_SLICE("b") } };
    struct hf_event started = { .kind = HF_EVENT_STARTED,
                                .name = HF_SLICE("t"),
                                .sessions = { sessions, 2 },
                                .incarnations_count = 2 };
    struct hf_script script;
    hf_script_init(&script, call_once, NULL);
    script.events[0].body = hf_event_encode(&started, &script.memory);
    play_fails(&script, ".", HF_CORRUPT, "out of order");
    started.sessions.count = 1;
    started.incarnations_count = 1;
    script.events[0].body = hf_event_encode(&started, &script.memory);
    play_fails(&script, ".", HF_CORRUPT, "out of order");
    hf_script_release(&script);
}

/* An execution that stands elsewhere than its history is not run. */
static void test_turn_elsewhere_in_history_is_refused(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, two_calls, NULL);
    play(&script, ".");
    script.events_count--; /* the store lost the last event */
    play_fails(&script, ".", HF_CORRUPT, "goes on at event 3");
    hf_script_release(&script);
}

/* The history of an ended or terminated instance replays to its end, and nothing new is decided. */
static void test_ended_history_replays_and_decides_nothing(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, two_calls, NULL);
    play(&script, ". c3=B c2=A . c6=C .");
    script.outcome = HF_OUTCOME_RUNNING;
    play(&script, ".");
    assert_int_equal(script.turn.events.count, 0);
    assert_int_equal(script.turn.outcome, HF_OUTCOME_RUNNING);
    script.events[7].body = hf_body_terminated(hf_text("r"), &script.memory);
    script.events[6].body = script.events[7].body;
    script.events_count = 7;
    play(&script, "e .");
    assert_int_equal(script.turn.outcome, HF_OUTCOME_RUNNING);
    hf_script_release(&script);
}

static hf_status drain(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    (void)input;
    hf_scope round = hf_scope_open(o);
    for (probe->count = 0; probe->count < 10000; probe->count++) {
        hf_scope_reset(o, round);
        hf_slice message;
        HF_TRY(hf_dequeue(o, "q", &message));
        if (message.size != 1) return HF_INVALID;
        hf_status_set(o, message);
    }
    return HF_OK;
}

/* There is no bound on how much a turn drains: 10,000 messages, a status for each. */
static void row_10_7_backlog_of_ten_thousand_drains(void **state)
{
    (void)state;
    struct probe probe = { 0 };
    struct hf_script script;
    hf_script_init(&script, drain, &probe);
    for (int i = 0; i < 10000; i++) play(&script, "mq=x");
    play(&script, ".");
    assert_completed(&script, "");
    assert_int_equal(script.turn.events.count, 20001);
    assert_int_equal(script.turn.messages.count, 10000);
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_6c_1_scheduling_makes_an_event_and_an_item),
        cmocka_unit_test(test_returned_status_of_latest_await_passes_its_error_on),
        cmocka_unit_test(row_6c_2_timer_makes_an_event_and_a_due_row),
        cmocka_unit_test(test_timer_due_time_does_not_wrap),
        cmocka_unit_test(test_status_set_names_its_last_event),
        cmocka_unit_test(test_log_is_silent_at_replay),
        cmocka_unit_test(test_fail_records_code_and_message),
        cmocka_unit_test(test_returned_status_of_its_own_fails),
        cmocka_unit_test(test_complete_latest_output_wins),
        cmocka_unit_test(test_end_cancels_pending_work),
        cmocka_unit_test(row_7_18_payload_over_the_limit_fails_the_instance),
        cmocka_unit_test(row_7_18_payload_limit_is_not_judged_at_replay),
        cmocka_unit_test(row_7_15_misuse_fails_the_instance),
        cmocka_unit_test(test_history_is_long_is_the_same_at_replay),
        cmocka_unit_test(test_batch_is_recorded_before_its_commands),
        cmocka_unit_test(row_7_2_second_completion_is_dropped),
        cmocka_unit_test(test_completion_of_another_kind_is_damage),
        cmocka_unit_test(test_damaged_message_names_its_record),
        cmocka_unit_test(test_new_unregistered_orchestration_is_not_found),
        cmocka_unit_test(test_new_history_without_start_is_damage),
        cmocka_unit_test(test_new_carried_sessions_out_of_order_are_damage),
        cmocka_unit_test(test_turn_elsewhere_in_history_is_refused),
        cmocka_unit_test(test_ended_history_replays_and_decides_nothing),
        cmocka_unit_test(row_10_7_backlog_of_ten_thousand_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
