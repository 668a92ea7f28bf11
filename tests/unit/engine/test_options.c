/* What activities and sessions are scheduled and opened with: tags, and how a session is recovered.
 */
#include "tests/unit/engine/play.h"

#include <string.h>

#include "engine/base/slice.h"
#include "engine/event.h"

/* ---- activities ------------------------------------------------------------------------------ */

static hf_status tagged_calls(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    HF_TRY(hf_call_with(o, HF_WITH(hf_activity_options, .name = "a", .input = input, .tag = "gpu"),
                        &output));
    HF_TRY(hf_call_with(o, HF_WITH(hf_activity_options, .name = "b", .input = output), &output));
    return hf_complete(o, output);
}

/* A tag is of the event and of the item; without one there is none. */
static void test_tag_of_an_ordinary_activity(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, tagged_calls, NULL);
    script.always_evict = true;
    play(&script, ".");
    const struct hf_turn_item *item = script.turn.items.items;
    assert_true(hf_slice_equal(item->tag, hf_text("gpu")));
    play(&script, "c2=A .");
    item = script.turn.items.items;
    assert_int_equal(item->tag.size, 0);
    play(&script, "c4=B .");
    assert_completed(&script, "B");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"a\" tag \"gpu\" (2 bytes)\n"
                            "3 activity_completed of event 2 (1 bytes)\n"
                            "4 activity_scheduled \"b\" (1 bytes)\n"
                            "5 activity_completed of event 4 (1 bytes)\n"
                            "6 completed (1 bytes)");
    hf_script_release(&script);
}

static hf_status on_tagged_session(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_with(o, HF_WITH(hf_session_options, .id = "x", .tag = "gpu"));
    hf_activity_options given = {
        .size = sizeof given, .name = "a", .input = input, .session = x, .tag = "gpu"
    };
    hf_activity_options none = { .size = sizeof none, .name = "b", .input = input, .session = x };
    hf_future all[] = { hf_schedule_with(o, &given), hf_schedule_with(o, &none),
                        hf_schedule_on(o, hf_session_named(o, "x"), "c", input) };
    HF_TRY(hf_join(o, all, 3));
    return hf_complete(o, input);
}

/* Work on a session has the session's tag, given again or not; the store finds it with the session.
 */
static void test_activities_have_the_tag_of_their_session(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, on_tagged_session, NULL);
    play(&script, ".");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 session_opened \"x\" #1 tag \"gpu\"\n"
                            "3 activity_scheduled \"a\" on session \"x\" #1 tag \"gpu\" (2 bytes)\n"
                            "4 activity_scheduled \"b\" on session \"x\" #1 tag \"gpu\" (2 bytes)\n"
                            "5 activity_scheduled \"c\" on session \"x\" #1 tag \"gpu\" (2 bytes)");
    const struct hf_turn_item *items = script.turn.items.items;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(items[i].incarnation, 1);
        assert_int_equal(items[i].tag.size, 0);
    }
    play(&script, "e c3=x c4=x c5=x .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

static hf_status other_tag(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_with(o, HF_WITH(hf_session_options, .id = "x", .tag = "gpu"));
    hf_activity_options options = {
        .size = sizeof options, .name = "a", .input = input, .session = x, .tag = "cpu"
    };
    return hf_call_with(o, &options, NULL);
}

static hf_status tag_on_untagged(hf_orchestration *o, hf_slice input)
{
    hf_activity_options options = { .size = sizeof options,
                                    .name = "a",
                                    .input = input,
                                    .session = hf_session_open_id(o, "x"),
                                    .tag = "cpu" };
    return hf_call_with(o, &options, NULL);
}

static hf_status empty_tag(hf_orchestration *o, hf_slice input)
{
    return hf_call_with(o, HF_WITH(hf_activity_options, .name = "a", .input = input, .tag = ""),
                        NULL);
}

static hf_status no_name(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_call_with(o, NULL, NULL);
}

static hf_status no_session(hf_orchestration *o, hf_slice input)
{
    hf_session none = { 0 };
    return hf_call_on(o, none, "a", input, NULL);
}

static hf_status no_size(hf_orchestration *o, hf_slice input)
{
    const hf_activity_options options = { .name = "a", .input = input };
    return hf_call_with(o, &options, NULL);
}

static hf_status newer_option(hf_orchestration *o, hf_slice input)
{
    struct {
        hf_activity_options known;
        uint64_t unknown;
    } options = { { .size = sizeof options, .name = "a", .input = input }, 1 };
    return hf_call_with(o, &options.known, NULL);
}

struct misuse {
    hf_orchestration_fn run;
    const char *code, *part;
};

static void check_misuse(const struct misuse *misuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct hf_script script;
        hf_script_init(&script, misuses[i].run, NULL);
        play(&script, ".");
        assert_failed(&script, misuses[i].code, misuses[i].part);
        assert_int_equal(script.turn.items.count, 0);
        hf_script_release(&script);
    }
}

/* Another tag than the session's could never be served; that, and options that are none, fail the
 * instance. */
static void test_misuse_of_activity_options_fails_the_instance(void **state)
{
    (void)state;
    const struct misuse misuses[] = {
        { other_tag, "session_tag", "session \"x\" has the tag gpu, and the activity on it" },
        { tag_on_untagged, "session_tag", "session \"x\" has no tag, and the activity on it" },
        { empty_tag, "bad_tag", "tag is empty: give 1 to 255 bytes" },
        { no_name, "bad_name", "activity name is empty" },
        { no_session, "stale_session", "names no session" },
        { no_size, "bad_options", "HF_INIT" },
        { newer_option, "bad_options", "does not know" },
    };
    check_misuse(misuses, sizeof misuses / sizeof *misuses);
}

static hf_status tag_of_size(hf_orchestration *o, hf_slice input)
{
    const size_t *size = probe_of(o);
    char *tag = hf_alloc(o, *size + 1);
    memset(tag, 't', *size);
    return hf_call_with(o, HF_WITH(hf_activity_options, .name = "a", .input = input, .tag = tag),
                        NULL);
}

/* A tag may have 255 bytes, and not one more. */
static void row_10_4_tag_has_a_limit(void **state)
{
    (void)state;
    size_t size = HF_ID_SIZE_MAX;
    struct hf_script script;
    hf_script_init(&script, tag_of_size, &size);
    play(&script, ". c2=x .");
    assert_completed(&script, "");
    hf_script_release(&script);
    size++;
    hf_script_init(&script, tag_of_size, &size);
    play(&script, ".");
    assert_failed(&script, "bad_tag", "over 255 bytes");
    assert_int_equal(script.turn.items.count, 0);
    hf_script_release(&script);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static hf_status open_three(hf_orchestration *o, hf_slice input)
{
    hf_session generated = hf_session_open_with(o, NULL);
    hf_session_open_with(
        o, HF_WITH(hf_session_options, .id = "f", .tag = "gpu", .recovery = HF_SESSION_FAIL));
    hf_session_options options = HF_INIT(hf_session_options);
    options.id = "r";
    options.recovery = HF_SESSION_REBUILD;
    options.rebuild = "warm";
    options.rebuild_input = input;
    hf_session rebuilt = hf_session_open_with(o, &options);
    options.tag = "other";
    options.rebuild = "colder";
    if (hf_session_open_with(o, &options).id != rebuilt.id) return HF_INVALID;
    if (hf_session_open_id(o, "r").id != rebuilt.id) return HF_INVALID;
    HF_TRY(hf_call_on(o, rebuilt, "a", input, NULL));
    return hf_complete(o, hf_text(hf_session_id(o, generated)));
}

/* What a session is opened with stands in its event, and its row names tag and event; all of it
 * once, by the first opening. */
static void test_session_options_are_of_the_first_opening(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, open_three, NULL);
    play(&script, ".");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 session_opened \"session-1\" #1\n"
                            "3 session_opened \"f\" #2 tag \"gpu\" fail\n"
                            "4 session_opened \"r\" #3 rebuild \"warm\" (2 bytes)\n"
                            "5 activity_scheduled \"a\" on session \"r\" #3 (2 bytes)");
    const struct hf_turn_session *opened = script.turn.opened.items;
    const char *const tags[] = { "", "gpu", "" };
    assert_int_equal(script.turn.opened.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(opened[i].event_id, i + 2);
        assert_int_equal(opened[i].incarnation, i + 1);
        assert_true(hf_slice_equal(opened[i].tag, hf_text(tags[i])));
    }
    struct hf_session_policy policy;
    assert_ok(hf_body_read_session(script.events[3].body, &script.memory, &policy, NULL), NULL);
    assert_int_equal(policy.recovery, HF_SESSION_REBUILD);
    assert_true(hf_slice_equal(policy.rebuild, hf_text("warm")));
    assert_true(hf_slice_equal(policy.rebuild_input, hf_text("in")));
    play(&script, "e c5=x .");
    assert_completed(&script, "session-1");
    hf_script_release(&script);
}

static hf_status bad_recovery(hf_orchestration *o, hf_slice input)
{
    hf_session_options options = HF_INIT(hf_session_options);
    options.recovery = (hf_session_recovery)3;
    (void)input;
    hf_session_open_with(o, &options);
    return HF_OK;
}

static hf_status rebuild_without_name(hf_orchestration *o, hf_slice input)
{
    hf_session_open_with(
        o, HF_WITH(hf_session_options, .recovery = HF_SESSION_REBUILD, .rebuild_input = input));
    return HF_OK;
}

static hf_status name_without_rebuild(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_session_open_with(o, HF_WITH(hf_session_options, .rebuild = "warm"));
    return HF_OK;
}

static hf_status input_without_rebuild(hf_orchestration *o, hf_slice input)
{
    hf_session_open_with(
        o, HF_WITH(hf_session_options, .recovery = HF_SESSION_FAIL, .rebuild_input = input));
    return HF_OK;
}

static hf_status long_tag(hf_orchestration *o, hf_slice input)
{
    char *tag = hf_alloc(o, 257);
    memset(tag, 'x', 256);
    (void)input;
    hf_session_open_with(o, HF_WITH(hf_session_options, .tag = tag));
    return HF_OK;
}

static hf_status bad_id(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_session_open_with(o, HF_WITH(hf_session_options, .id = ""));
    return HF_OK;
}

static hf_status large_input(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_session_open_with(o, HF_WITH(hf_session_options, .recovery = HF_SESSION_REBUILD,
                                    .rebuild = "warm",
                                    .rebuild_input = { hf_alloc(o, 1048577), 1048577 }));
    return HF_OK;
}

/* Options that contradict themselves, or are none, fail the instance, and open nothing. */
static void test_misuse_of_session_options_fails_the_instance(void **state)
{
    (void)state;
    const struct misuse misuses[] = {
        { bad_recovery, "bad_recovery", "3 is no way to recover a session" },
        { rebuild_without_name, "bad_recovery", "rebuild activity's name is empty" },
        { name_without_rebuild, "bad_recovery", "not opened with HF_SESSION_REBUILD" },
        { input_without_rebuild, "bad_recovery", "not opened with HF_SESSION_REBUILD" },
        { long_tag, "bad_tag", "over 255 bytes" },
        { bad_id, "bad_id", "session id is empty" },
        { large_input, "too_large", "input of the rebuild activity has 1048577 bytes" },
    };
    check_misuse(misuses, sizeof misuses / sizeof *misuses);
}

static hf_status carry_tags(hf_orchestration *o, hf_slice input)
{
    if (hf_slice_equal(input, hf_text("in"))) {
        hf_session_open_id(o, "plain");
        hf_session_open_with(
            o, HF_WITH(hf_session_options, .id = "x", .tag = "gpu", .recovery = HF_SESSION_FAIL));
        return hf_continue_as_new(o, hf_text("second"));
    }
    HF_TRY(hf_call_on(o, hf_session_named(o, "x"), "a", input, NULL));
    if (hf_slice_equal(input, hf_text("second"))) return hf_continue_as_new(o, hf_text("third"));
    hf_activity_options options = { .size = sizeof options,
                                    .name = "b",
                                    .input = input,
                                    .session = hf_session_named(o, "x"),
                                    .tag = "cpu" };
    return hf_call_with(o, &options, NULL);
}

/* Continue-as-new carries the tag with the session, also twice. */
static void test_carried_session_keeps_its_tag(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, carry_tags, NULL);
    play(&script, ". . ");
    assert_history(&script, "1 started \"t\" (6 bytes)\n"
                            "2 activity_scheduled \"a\" on session \"x\" #2 tag \"gpu\" (6 bytes)");
    play(&script, "e c2=x . . c2=x .");
    assert_int_equal(script.execution, 3);
    assert_failed(&script, "session_tag", "session \"x\" has the tag gpu");
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tag_of_an_ordinary_activity),
        cmocka_unit_test(test_activities_have_the_tag_of_their_session),
        cmocka_unit_test(test_misuse_of_activity_options_fails_the_instance),
        cmocka_unit_test(row_10_4_tag_has_a_limit),
        cmocka_unit_test(test_session_options_are_of_the_first_opening),
        cmocka_unit_test(test_misuse_of_session_options_fails_the_instance),
        cmocka_unit_test(test_carried_session_keeps_its_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
