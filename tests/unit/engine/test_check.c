/* The checking mode: a turn that was decided live is decided again from history, and every
 * difference is told. Also the bodies that others make and read. */
#include "tests/unit/engine/play.h"

#include <stdio.h>
#include <string.h>

#include "engine/event.h"

static hf_status busy(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x");
    hf_status_set(o, input);
    hf_schedule_on(o, x, "a", input);
    hf_session_close(o, x);
    hf_schedule(o, "b", input);
    hf_future message = hf_mailbox_take(o, "q");
    HF_TRY(hf_await_within(o, message, 5, NULL));
    return hf_continue_as_new(o, input);
}

/* Runs the second run of the latest turn against a decision that differs. */
static void check_differs(struct hf_script *script, const struct hf_turn_view *view,
                          const struct hf_turn_committed *turn, const char *part)
{
    hf_error error = { 0 };
    hf_status status = hf_execution_check(&script->options, view, script->now_unix_ms, turn,
                                          &error);
    if (status != HF_NONDETERMINISM || !strstr(error.message, part)) {
        fail_msg("\"%s\" is not in: %s", part, error.message);
    }
}

/* Every list and number of the decision is compared; the message names the first that differs. */
static void test_check_names_the_first_difference(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, busy, NULL);
    play(&script, "mother=1");
    struct hf_stored_event event = script.events[0];
    struct hf_stored_message message = script.messages[0];
    struct hf_turn_view view = { .instance_id = HF_SLICE("i-1"),
                                 .next_event_id = 2,
                                 .events = &event,
                                 .events_count = 1,
                                 .messages = &message,
                                 .messages_count = 1 };
    play(&script, ".");
    assert_ok(hf_execution_check(&script.options, &view, script.now_unix_ms, &script.turn, NULL),
              NULL);
    struct hf_turn_committed turn = script.turn;
    turn.head = turn.registration = turn.instance = 77; /* the store's own */
    assert_ok(hf_execution_check(&script.options, &view, script.now_unix_ms, &turn, NULL), NULL);
    ((struct hf_turn_item *)turn.items.items)[1].event_id++;
    check_differs(&script, &view, &turn, "items[1].event_id was 8 / is 7");
    ((struct hf_turn_item *)turn.items.items)[1].event_id--;
    turn.events.count--;
    check_differs(&script, &view, &turn, "the count of events was 6 / is 7");
    turn.events.count++;
    turn.status_event = 0;
    check_differs(&script, &view, &turn, "status_event was 0 / is 4");
    struct hf_turn_event *events = turn.events.items;
    hf_slice body = events[0].body;
    events[0].body = events[1].body;
    check_differs(&script, &view, &turn, "was status_set (2 bytes) / is session_opened \"x\" #1");
    events[0].body = body;
    script.now_unix_ms++;
    check_differs(&script, &view, &turn, "timer_created");
    hf_script_release(&script);
}

struct counter {
    int runs;
};

static hf_status different_every_time(hf_orchestration *o, hf_slice input)
{
    struct counter *counter = probe_of(o);
    if (counter->runs++ % 2) hf_schedule(o, "odd", input);
    return hf_sleep(o, 1);
}

/* Code that is not deterministic is found in the very turn, before it is committed. */
static void test_check_finds_code_that_differs(void **state)
{
    (void)state;
    struct counter counter = { 0 };
    struct hf_script script;
    hf_script_init(&script, different_every_time, &counter);
    play_fails(&script, ".", HF_NONDETERMINISM, "events[0].body was timer_created / is activity");
    assert_int_equal(script.events_count, 1);
    hf_script_release(&script);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

/* What is made for the engine is read back by it; text that is none becomes text. */
static void test_bodies_read_back(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, hf_heap_default());
    struct hf_event event;
    hf_slice body = hf_body_cancel_requested(hf_text("a\xff\xc3\xa9\x80z\xe2\x82"), &arena);
    assert_ok(hf_event_decode(body, &arena, &event, NULL), NULL);
    assert_true(hf_slice_equal(event.text, hf_text("a?\xc3\xa9?z??")));
    body = hf_body_event_raised(hf_text("approved"), hf_text("by x"), &arena);
    assert_ok(hf_event_decode(body, &arena, &event, NULL), NULL);
    assert_int_equal(event.kind, HF_EVENT_EVENT_RAISED);
    assert_true(hf_slice_equal(event.name, hf_text("approved")));
    assert_true(hf_slice_equal(event.payload, hf_text("by x")));
    hf_error error = { .status = HF_TOO_LARGE, .code = "c\xff", .message = "m" };
    body = hf_body_activity_outcome(7, hf_text("data"), &error, &arena);
    assert_ok(hf_event_decode(body, &arena, &event, NULL), NULL);
    assert_int_equal(event.kind, HF_EVENT_ACTIVITY_FAILED);
    assert_int_equal(event.source, 7);
    assert_int_equal(event.status, HF_TOO_LARGE);
    assert_true(hf_slice_equal(event.code, hf_text("c?")));
    assert_true(hf_slice_equal(event.payload, hf_text("data")));
    error.status = HF_OK; /* an outcome with an error is a failure */
    body = hf_body_activity_outcome(7, hf_text(""), &error, &arena);
    assert_ok(hf_event_decode(body, &arena, &event, NULL), NULL);
    assert_int_equal(event.status, HF_FAILED);
    hf_arena_release(&arena);
}

/* An ended instance is read from its last event alone; other events are none. */
static void test_output_is_read_from_the_last_event(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, hf_heap_default());
    hf_slice output = HF_EMPTY;
    struct hf_scheduled_activity activity;
    hf_error shown = { 0 }, error = { 0 };
    hf_slice body = hf_body_terminated(hf_text("by hand"), &arena);
    assert_ok(hf_body_read_output(body, &arena, &output, &shown, &error), &error);
    assert_int_equal(shown.status, HF_CANCELLED);
    assert_string_equal(shown.code, "terminated");
    assert_string_equal(shown.message, "by hand");
    body = hf_body_started(hf_text("t"), hf_text(NULL), hf_text("in"), &arena);
    assert_status(hf_body_read_output(body, &arena, &output, &shown, &error), HF_CORRUPT);
    assert_status(hf_body_read_status(body, &arena, &output, &error), HF_CORRUPT);
    assert_status(hf_body_read_activity(body, &arena, &activity, &error), HF_CORRUPT);
    assert_status(hf_body_read_output(hf_text("\xc1"), &arena, &output, &shown, &error),
                  HF_CORRUPT);
    assert_status(hf_body_read_status(hf_text(""), &arena, &output, &error), HF_CORRUPT);
    assert_status(hf_body_read_activity(hf_text("x"), &arena, &activity, &error), HF_CORRUPT);
    hf_arena_release(&arena);
}

static hf_status one_call(hf_orchestration *o, hf_slice input)
{
    return hf_call(o, "greet", input, NULL);
}

/* A worker reads name and input of an activity from the event that scheduled it. */
static void test_activity_is_read_from_its_event(void **state)
{
    (void)state;
    struct hf_script script;
    struct hf_scheduled_activity activity;
    hf_script_init(&script, one_call, NULL);
    play(&script, ".");
    assert_ok(hf_body_read_activity(script.events[1].body, &script.memory, &activity, NULL), NULL);
    assert_true(hf_slice_equal(activity.name, hf_text("greet")));
    assert_true(hf_slice_equal(activity.input, hf_text("in")));
    hf_script_release(&script);
}

/* A worker reads from the event that opened a session how it is recovered; an unknown way is
 * damage, and so is another event. */
static void test_policy_is_read_from_the_opening_event(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, hf_heap_default());
    struct hf_session_policy policy;
    struct hf_event event = { .kind = HF_EVENT_SESSION_OPENED,
                              .text = hf_text("desk"),
                              .incarnation = 1,
                              .recovery = HF_SESSION_REBUILD,
                              .name = hf_text("load"),
                              .payload = hf_text("it") };
    assert_ok(hf_body_read_session(hf_event_encode(&event, &arena), &arena, &policy, NULL), NULL);
    assert_int_equal(policy.recovery, HF_SESSION_REBUILD);
    assert_true(hf_slice_equal(policy.rebuild, hf_text("load")));
    assert_true(hf_slice_equal(policy.rebuild_input, hf_text("it")));
    event.recovery = HF_SESSION_REBUILD + 1;
    hf_slice body = hf_event_encode(&event, &arena);
    assert_status(hf_body_read_session(body, &arena, &policy, NULL), HF_CORRUPT);
    event.recovery = HF_SESSION_REBUILD;
    event.name = hf_text("");
    body = hf_event_encode(&event, &arena);
    assert_status(hf_body_read_session(body, &arena, &policy, NULL), HF_CORRUPT);
    body = hf_body_started(hf_text("t"), hf_text(NULL), hf_text("in"), &arena);
    assert_status(hf_body_read_session(body, &arena, &policy, NULL), HF_CORRUPT);
    hf_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_names_the_first_difference),
        cmocka_unit_test(test_check_finds_code_that_differs),
        cmocka_unit_test(test_bodies_read_back),
        cmocka_unit_test(test_output_is_read_from_the_last_event),
        cmocka_unit_test(test_activity_is_read_from_its_event),
        cmocka_unit_test(test_policy_is_read_from_the_opening_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
