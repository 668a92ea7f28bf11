/* What scheduling an activity records: name, input, session and tag, all given with the call, all
 * compared at replay. */
#include "tests/unit/engine/play.h"

#include "engine/event.h"

/* What the code schedules in its present version. */
struct wish {
    const char *activity, *tag, *session;
    const char *input;
};

static hf_status schedule_one(hf_orchestration *o, hf_slice input)
{
    const struct wish *wish = probe_of(o);
    (void)input;
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = wish->activity;
    options.input = hf_text(wish->input);
    options.tag = wish->tag;
    hf_session_open_id(o, "one");
    hf_session_open_id(o, "two");
    if (wish->session) options.session = hf_session_named(o, wish->session);
    hf_slice output;
    HF_TRY(hf_call_with(o, &options, &output));
    return hf_complete(o, output);
}

/* The tag is in the event and in the item of the very turn that schedules. */
static void row_1a_4_tag_is_given_with_the_call(void **state)
{
    (void)state;
    struct wish wish = { .activity = "a", .tag = "gpu" };
    struct hf_script script;
    hf_script_init(&script, schedule_one, &wish);
    play(&script, ".");
    const struct hf_turn_item *items = script.turn.items.items;
    assert_int_equal(script.turn.items.count, 1);
    assert_true(hf_slice_equal(items[0].tag, hf_text("gpu")));
    assert_true(hf_slice_equal(hf_script_event(&script, 3).tag, hf_text("gpu")));
    hf_script_release(&script);
}

static hf_status schedule_plainly(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    hf_future first = hf_schedule(o, "a", input), second = hf_schedule(o, "a", input);
    HF_TRY(hf_await(o, first, &output));
    if (hf_await(o, second, NULL) != HF_FAILED) return hf_fail(o, "no_failure", "it did not fail");
    const hf_error *error = hf_orchestration_error(o);
    return hf_complete(o, hf_format(o, HF_FMT " %s", HF_ARG(output), error->code));
}

/* Two activities of one name and input are two: each future has its own outcome, whichever comes
 * first. */
static void row_1a_5_future_is_of_output_or_failure(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, schedule_plainly, NULL);
    play(&script, ". f3=broken . e c2=out .");
    assert_completed(&script, "out broken");
    hf_script_release(&script);
}

/* The session's id and incarnation stand in history, beside the tag, name and input. */
static void row_1a_7_session_stands_in_history(void **state)
{
    (void)state;
    struct wish wish = { .activity = "a", .session = "two" };
    struct hf_script script;
    hf_script_init(&script, schedule_one, &wish);
    play(&script, ". e c4=x .");
    assert_completed(&script, "x");
    assert_int_equal(hf_script_event(&script, 3).incarnation, 2);
    assert_true(hf_slice_equal(hf_script_event(&script, 3).text, hf_text("two")));
    hf_script_release(&script);
}

/* Code that schedules something else where history has this is told, whatever differs. */
static void row_1a_7_all_that_was_recorded_is_compared(void **state)
{
    (void)state;
    static const struct {
        struct wish before, after;
    } cases[] = {
        { { .activity = "a", .session = "two" }, { .activity = "a", .session = "one" } },
        { { .activity = "a", .session = "two" }, { .activity = "a" } },
        { { .activity = "a", .tag = "gpu" }, { .activity = "a", .tag = "cpu" } },
        { { .activity = "a", .tag = "gpu" }, { .activity = "a" } },
        { { .activity = "a" }, { .activity = "b" } },
        { { .activity = "a", .input = "1" }, { .activity = "a", .input = "2" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wish wish = cases[i].before;
        struct hf_script script;
        hf_script_init(&script, schedule_one, &wish);
        play(&script, ". e mq=wake");
        wish = cases[i].after;
        play_fails(&script, ".", HF_NONDETERMINISM, "history has activity_scheduled");
        hf_script_release(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1a_4_tag_is_given_with_the_call),
        cmocka_unit_test(row_1a_5_future_is_of_output_or_failure),
        cmocka_unit_test(row_1a_7_session_stands_in_history),
        cmocka_unit_test(row_1a_7_all_that_was_recorded_is_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
