/* What each kind of event keeps: all of it and nothing else, byte for byte. */
#include "tests/unit/engine/play.h"

#include "engine/base/status.h"
#include "engine/event.h"

/* The bytes are those of the expected event. */
static void assert_body(struct hf_script *script, hf_slice body, struct hf_event expected)
{
    hf_slice bytes = hf_event_encode(&expected, &script->memory);
    if (hf_slice_equal(body, bytes)) return;
    fail_msg("no such %s in:\n%s", hf_event_kind_name(expected.kind), hf_script_history(script));
}

/* The event of that id is the expected one. */
static void assert_event(struct hf_script *script, uint64_t event_id, struct hf_event expected)
{
    assert_true(event_id <= script->events_count);
    assert_body(script, script->events[event_id - 1].body, expected);
}

/* Makes the script, runs its first turn, and plays the words. */
static void begin(struct hf_script *script, hf_orchestration_fn run, const char *words)
{
    hf_script_init(script, run, NULL);
    play(script, ".");
    play(script, words);
}

/* ---- beginning and end ---------------------------------------------------------------------- */

/* Says who it is and goes on, with a session and a message that nobody took. */
static hf_status goes_on(hf_orchestration *o, hf_slice input)
{
    const hf_orchestration_info *about = hf_orchestration_about(o);
    hf_session_open_with(o, HF_WITH(hf_session_options, .id = "desk", .tag = "gpu"));
    hf_status_set(o, hf_format(o, "%s %s %s", about->orchestration, about->version, about->parent));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_continue_as_new(o, hf_format(o, HF_FMT " again", HF_ARG(input)));
}

static void row_6a_1_start_names_all_of_the_execution(void **state)
{
    (void)state;
    struct hf_script script;
    struct hf_carried_session desk = { 1, HF_SLICE("desk"), HF_SLICE("gpu") };
    struct hf_event started = { .kind = HF_EVENT_STARTED,
                                .name = HF_SLICE("t"),
                                .version = HF_SLICE("1.0.0"),
                                .payload = HF_SLICE("in"),
                                .text = HF_SLICE("parent"),
                                .source = 5,
                                .parent_execution = 2 };
    hf_script_init(&script, goes_on, NULL);
    hf_script_become(&script, "kid", hf_event_encode(&started, &script.memory));
    play(&script, ".");
    assert_event(
        &script, 3,
        (struct hf_event){ .kind = HF_EVENT_STATUS_SET, .payload = HF_SLICE("t 1.0.0 parent") });
    play(&script, "mleft=over mgo=x .");
    assert_int_equal(script.execution, 2);
    started.payload = hf_text("in again");
    started.version = hf_text("");
    started.sessions = (struct hf_list){ &desk, 1 };
    started.incarnations_count = 1;
    assert_event(&script, 1, started);
    assert_event(&script, 2,
                 (struct hf_event){ .kind = HF_EVENT_MAILBOX_MESSAGE,
                                    .name = HF_SLICE("left"),
                                    .payload = HF_SLICE("over") });
    hf_script_release(&script);
}

/* The execution that goes on ends with an event of its own, behind all others. */
static void row_6a_4_continued_is_the_last_event(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, goes_on, "mgo=x .");
    const struct hf_turn_event *events = script.turn.events.items;
    assert_true(script.turn.events.count > 0);
    assert_body(&script, events[script.turn.events.count - 1].body,
                (struct hf_event){ .kind = HF_EVENT_CONTINUED });
    hf_script_release(&script);
}

static hf_status completes(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_schedule(o, "left behind", hf_text(""));
    return hf_complete(o, hf_text("out"));
}

static void row_6a_2_completed_has_the_output(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, completes, "");
    assert_event(&script, script.events_count,
                 (struct hf_event){ .kind = HF_EVENT_COMPLETED, .payload = HF_SLICE("out") });
    hf_script_release(&script);
}

static hf_status fails(hf_orchestration *o, hf_slice input)
{
    return hf_fail_with(o, "refused", input, "by %s", "the boss");
}

static void row_6a_3_failed_has_status_code_message_and_data(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, fails, "");
    assert_event(&script, 2,
                 (struct hf_event){ .kind = HF_EVENT_FAILED,
                                    .status = HF_FAILED,
                                    .code = HF_SLICE("refused"),
                                    .text = HF_SLICE("by the boss"),
                                    .payload = HF_SLICE("in") });
    hf_script_release(&script);
}

static hf_status takes(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_status status = hf_dequeue(o, "q", NULL);
    return status == HF_CANCELLED ? hf_dequeue(o, "clean-up", NULL) : status;
}

static void row_6a_5_cancel_request_has_its_reason(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, takes, "x=enough .");
    assert_event(
        &script, 3,
        (struct hf_event){ .kind = HF_EVENT_CANCEL_REQUESTED, .text = HF_SLICE("enough") });
    hf_script_release(&script);
}

/* ---- activities and timers ------------------------------------------------------------------ */

static hf_status schedules(hf_orchestration *o, hf_slice input)
{
    hf_session desk = hf_session_open_with(o,
                                           HF_WITH(hf_session_options, .id = "desk", .tag = "gpu"));
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "here";
    options.input = input;
    options.session = desk;
    hf_schedule_with(o, &options);
    options = (hf_activity_options)HF_INIT(hf_activity_options);
    options.name = "there";
    options.input = input;
    options.tag = "cpu";
    hf_schedule_with(o, &options);
    return hf_sleep(o, 5);
}

static void row_6a_6_scheduled_has_name_input_session_and_tag(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, schedules, "");
    struct hf_event expected = { .kind = HF_EVENT_ACTIVITY_SCHEDULED,
                                 .name = HF_SLICE("here"),
                                 .payload = HF_SLICE("in"),
                                 .text = HF_SLICE("desk"),
                                 .incarnation = 1,
                                 .tag = HF_SLICE("gpu") };
    assert_event(&script, 3, expected);
    expected = (struct hf_event){ .kind = HF_EVENT_ACTIVITY_SCHEDULED,
                                  .name = HF_SLICE("there"),
                                  .payload = HF_SLICE("in"),
                                  .tag = HF_SLICE("cpu") };
    assert_event(&script, 4, expected);
    hf_script_release(&script);
}

static void row_6a_7_outcomes_have_source_and_result(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, schedules, "c3=done f4=code .");
    assert_event(&script, 6,
                 (struct hf_event){ .kind = HF_EVENT_ACTIVITY_COMPLETED,
                                    .source = 3,
                                    .payload = HF_SLICE("done") });
    assert_event(&script, 7,
                 (struct hf_event){ .kind = HF_EVENT_ACTIVITY_FAILED,
                                    .source = 4,
                                    .status = HF_FAILED,
                                    .code = HF_SLICE("code"),
                                    .text = HF_SLICE("it failed"),
                                    .payload = HF_SLICE("data") });
    hf_script_release(&script);
}

static void row_6a_9_timer_has_its_time_and_fires_for_it(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, schedules, "");
    assert_event(
        &script, 5,
        (struct hf_event){ .kind = HF_EVENT_TIMER_CREATED, .due_unix_ms = script.now_unix_ms + 5 });
    play(&script, "t5 .");
    assert_event(&script, 6, (struct hf_event){ .kind = HF_EVENT_TIMER_FIRED, .source = 5 });
    hf_script_release(&script);
}

/* ---- cancels -------------------------------------------------------------------------------- */

static hf_status cancels(hf_orchestration *o, hf_slice input)
{
    hf_child_options child = HF_INIT(hf_child_options);
    child.orchestration = "c";
    child.instance = "kid";
    hf_future all[] = { hf_schedule(o, "a", input), hf_event_wait(o, "e"), hf_mailbox_take(o, "q"),
                        hf_child(o, &child) };
    for (size_t i = 0; i < 4; i++) hf_future_cancel(o, all[i]);
    return hf_dequeue(o, "end", NULL);
}

static void assert_cancel_of(uint64_t source)
{
    struct hf_script script;
    begin(&script, cancels, "");
    assert_event(&script, source + 4,
                 (struct hf_event){ .kind = HF_EVENT_FUTURE_CANCELLED, .source = source });
    hf_script_release(&script);
}

/* What the code cancels has an event that names it; what only the end calls off has none. */
static void row_6a_8_cancel_has_its_source_and_the_end_none(void **state)
{
    (void)state;
    struct hf_script script;
    assert_cancel_of(2);
    begin(&script, completes, "");
    assert_int_equal(script.turn.cancels.count, 1);
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"left behind\"\n"
                            "3 completed (3 bytes)");
    hf_script_release(&script);
}

static void row_6a_11_cancelled_wait_is_a_cancelled_future(void **state)
{
    (void)state;
    assert_cancel_of(3);
}

static void row_6a_13_cancelled_take_is_a_cancelled_future(void **state)
{
    (void)state;
    assert_cancel_of(4);
}

static void row_6a_16_cancelled_child_is_a_cancelled_future(void **state)
{
    (void)state;
    assert_cancel_of(5);
}

/* ---- events and messages -------------------------------------------------------------------- */

static hf_status waits(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_event_wait(o, "e");
    hf_mailbox_take(o, "q");
    return hf_dequeue(o, "end", NULL);
}

static void row_6a_10_waits_and_raised_events_have_name_and_data(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, waits, "ve=data .");
    assert_event(&script, 2,
                 (struct hf_event){ .kind = HF_EVENT_EVENT_WAITED, .name = HF_SLICE("e") });
    assert_event(&script, 5,
                 (struct hf_event){ .kind = HF_EVENT_EVENT_RAISED,
                                    .name = HF_SLICE("e"),
                                    .payload = HF_SLICE("data") });
    hf_script_release(&script);
}

static void row_6a_12_takes_and_messages_have_name_and_message(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, waits, "mq=data .");
    assert_event(&script, 3,
                 (struct hf_event){ .kind = HF_EVENT_MAILBOX_WAITED, .name = HF_SLICE("q") });
    assert_event(&script, 5,
                 (struct hf_event){ .kind = HF_EVENT_MAILBOX_MESSAGE,
                                    .name = HF_SLICE("q"),
                                    .payload = HF_SLICE("data") });
    hf_script_release(&script);
}

/* A store is asked for nothing by it: no item, no timer, no child, no cancel. */
static void row_6c_3_waiting_makes_an_event_alone(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, waits, "");
    assert_int_equal(script.turn.events.count, 3);
    assert_int_equal(script.turn.items.count, 0);
    assert_int_equal(script.turn.timers.count, 0);
    assert_int_equal(script.turn.children.count, 0);
    assert_int_equal(script.turn.cancels.count, 0);
    hf_script_release(&script);
}

/* ---- children ------------------------------------------------------------------------------- */

static hf_status has_children(hf_orchestration *o, hf_slice input)
{
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = "c";
    options.instance = "one";
    options.input = input;
    options.version = "2.1.0";
    hf_child(o, &options);
    options.instance = "two";
    hf_child(o, &options);
    return hf_dequeue(o, "end", NULL);
}

static void row_6a_14_child_has_name_id_version_and_input(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, has_children, "");
    assert_event(&script, 2,
                 (struct hf_event){ .kind = HF_EVENT_CHILD_SCHEDULED,
                                    .name = HF_SLICE("c"),
                                    .text = HF_SLICE("one"),
                                    .version = HF_SLICE("2.1.0"),
                                    .payload = HF_SLICE("in") });
    hf_script_release(&script);
}

static void row_6a_15_outcomes_of_children_have_source_and_result(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, has_children, "c2=done f3=code .");
    assert_event(&script, 5,
                 (struct hf_event){
                     .kind = HF_EVENT_CHILD_COMPLETED, .source = 2, .payload = HF_SLICE("done") });
    assert_event(&script, 6,
                 (struct hf_event){ .kind = HF_EVENT_CHILD_FAILED,
                                    .source = 3,
                                    .status = HF_FAILED,
                                    .code = HF_SLICE("code"),
                                    .text = HF_SLICE("it failed"),
                                    .payload = HF_SLICE("data") });
    hf_script_release(&script);
}

/* ---- state ---------------------------------------------------------------------------------- */

static hf_status shows(hf_orchestration *o, hf_slice input)
{
    hf_status_set(o, hf_text("shown"));
    hf_kv_set(o, "key", input);
    hf_kv_clear(o, "key");
    hf_kv_set(o, "key", input);
    hf_kv_clear(o, NULL);
    return hf_dequeue(o, "end", NULL);
}

static void row_6a_18_status_set_has_the_status(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, shows, "");
    assert_event(&script, 2,
                 (struct hf_event){ .kind = HF_EVENT_STATUS_SET, .payload = HF_SLICE("shown") });
    hf_script_release(&script);
}

static void row_6a_19_values_have_key_value_and_time(void **state)
{
    (void)state;
    struct hf_script script;
    begin(&script, shows, "");
    assert_event(&script, 3,
                 (struct hf_event){ .kind = HF_EVENT_KV_SET,
                                    .name = HF_SLICE("key"),
                                    .payload = HF_SLICE("in"),
                                    .now_unix_ms = script.now_unix_ms });
    assert_event(&script, 4,
                 (struct hf_event){ .kind = HF_EVENT_KV_CLEARED, .name = HF_SLICE("key") });
    assert_event(&script, 6, (struct hf_event){ .kind = HF_EVENT_KV_CLEARED });
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_6a_1_start_names_all_of_the_execution),
        cmocka_unit_test(row_6a_4_continued_is_the_last_event),
        cmocka_unit_test(row_6a_2_completed_has_the_output),
        cmocka_unit_test(row_6a_3_failed_has_status_code_message_and_data),
        cmocka_unit_test(row_6a_5_cancel_request_has_its_reason),
        cmocka_unit_test(row_6a_6_scheduled_has_name_input_session_and_tag),
        cmocka_unit_test(row_6a_7_outcomes_have_source_and_result),
        cmocka_unit_test(row_6a_9_timer_has_its_time_and_fires_for_it),
        cmocka_unit_test(row_6a_8_cancel_has_its_source_and_the_end_none),
        cmocka_unit_test(row_6a_11_cancelled_wait_is_a_cancelled_future),
        cmocka_unit_test(row_6a_13_cancelled_take_is_a_cancelled_future),
        cmocka_unit_test(row_6a_16_cancelled_child_is_a_cancelled_future),
        cmocka_unit_test(row_6a_10_waits_and_raised_events_have_name_and_data),
        cmocka_unit_test(row_6a_12_takes_and_messages_have_name_and_message),
        cmocka_unit_test(row_6c_3_waiting_makes_an_event_alone),
        cmocka_unit_test(row_6a_14_child_has_name_id_version_and_input),
        cmocka_unit_test(row_6a_15_outcomes_of_children_have_source_and_result),
        cmocka_unit_test(row_6a_18_status_set_has_the_status),
        cmocka_unit_test(row_6a_19_values_have_key_value_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
