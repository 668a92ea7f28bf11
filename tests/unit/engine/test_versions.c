/* Versions: what a registry holds, which of them begins an execution, and that history alone says
 * which one goes on with it. */
#include "tests/unit/engine/play.h"

#include <stdio.h>
#include <string.h>

#include "engine/event.h"
#include "engine/registry.h"

/* ---- code in several versions --------------------------------------------------------------- */

static hf_status say(hf_orchestration *o, const char *what)
{
    HF_TRY(hf_call(o, what, hf_text(NULL), NULL));
    const hf_orchestration_info *about = hf_orchestration_about(o);
    return hf_complete(o,
                       hf_format(o, "%s %s %s %llu %s", what, about->orchestration, about->version,
                                 (unsigned long long)about->execution, about->instance));
}

static hf_status first(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return say(o, "first");
}

static hf_status second(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return say(o, "second");
}

static hf_status tenth(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return say(o, "tenth");
}

static void add(hf_registry *registry, hf_orchestration_fn run, const char *version)
{
    hf_orchestration_settings settings = HF_INIT(hf_orchestration_settings);
    settings.version = version;
    hf_register_orchestration(registry, "t", run, &settings);
}

/* The script's own registration is 1.0.0, of `first`. */
static void script_of(struct hf_script *script, const char *version)
{
    hf_script_init(script, first, NULL);
    script->events[0].body = hf_body_started(hf_text("t"), hf_text(version), hf_text("in"),
                                             &script->memory);
}

/* ---- the registry --------------------------------------------------------------------------- */

static const char *chosen(const hf_registry *registry, const char *version)
{
    const struct hf_registered_orchestration *found = hf_registry_orchestration(
        registry, hf_text("t"), hf_text(version));
    return found ? found->version : "none";
}

/* Any order of registering; the latest is the greatest as numbers, unless a policy names one. */
static void row_1f_2_policy_is_the_latest_or_a_given_one(void **state)
{
    (void)state;
    hf_registry *registry = hf_registry_new();
    add(registry, second, "1.2.0");
    add(registry, tenth, "1.10.0");
    add(registry, first, NULL);
    assert_ok(hf_registry_check(registry, NULL), NULL);
    assert_string_equal(chosen(registry, NULL), "1.10.0");
    assert_string_equal(chosen(registry, "1.2.0"), "1.2.0");
    assert_string_equal(chosen(registry, "1.3.0"), "none");
    hf_register_policy(registry, "t", "1.2.0");
    assert_string_equal(chosen(registry, NULL), "1.2.0");
    assert_string_equal(chosen(registry, "1.10.0"), "1.10.0");
    hf_register_policy(registry, "t", "9.9.9"); /* of which another process may have the code */
    assert_string_equal(chosen(registry, NULL), "none");
    hf_register_policy(registry, "t", NULL);
    assert_string_equal(chosen(registry, NULL), "1.10.0");
    assert_ok(hf_registry_check(registry, NULL), NULL);
    hf_registry_free(registry);
}

/* Three numbers of 32 bits each: no packing, no other text. */
static void row_10_9_versions_are_three_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = { "",       "1",       "1.0",           "1.0.0.0", "1.0.0-a",
                                         "v1.0.0", "1.0.x",   " 1.0.0",        "01.0.0",  "1..0",
                                         "-1.0.0", "1.0.0\n", "1.0.4294967296" };
    struct hf_version low, high;
    hf_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hf_registry *registry = hf_registry_new();
        add(registry, first, wrong[i]);
        assert_status(hf_registry_check(registry, &error), HF_INVALID);
        assert_non_null(strstr(error.message, "is no version"));
        hf_registry_free(registry);
    }
    assert_ok(hf_version_parse(hf_text("0.4294967295.0"), "v", &low, &error), &error);
    assert_ok(hf_version_parse(hf_text("1.0.0"), "v", &high, &error), &error);
    assert_true(hf_version_compare(&low, &high) < 0);
}

static void trap_b20_thousands_are_compared_as_numbers(void **state)
{
    (void)state;
    static const char *const rising[] = { "1.9.0",       "1.1000.0", "1.1000.999",
                                          "1.1000.1000", "1.1001.0", "2.0.0" };
    hf_registry *registry = hf_registry_new();
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) {
        add(registry, first, rising[i]);
        assert_string_equal(chosen(registry, NULL), rising[i]);
    }
    hf_registry_free(registry);
}

/* The same version twice, and names that are the library's. */
static void row_1f_1_doubled_versions_are_reported(void **state)
{
    (void)state;
    hf_error error;
    hf_registry *registry = hf_registry_new();
    add(registry, first, "2.0.0");
    add(registry, second, "2.0.0");
    assert_status(hf_registry_check(registry, &error), HF_INVALID);
    assert_non_null(strstr(error.message, "\"t\" 2.0.0 is registered twice"));
    hf_registry_free(registry);
}

static hf_status act(hf_activity *a, hf_slice input)
{
    (void)a;
    (void)input;
    return HF_OK;
}

static void row_1f_5_reserved_names_are_refused(void **state)
{
    (void)state;
    hf_error error;
    for (int i = 0; i < 2; i++) {
        hf_registry *registry = hf_registry_new();
        if (i == 0) hf_register_orchestration(registry, "holdfast.own", first, NULL);
        if (i == 1) hf_register_activity(registry, "holdfast.own", act, NULL);
        assert_status(hf_registry_check(registry, &error), HF_INVALID);
        assert_non_null(strstr(error.message, "reserved"));
        hf_registry_free(registry);
    }
}

/* A registry tells what it holds, in order, and where it ends. */
static void row_1f_6_registry_tells_what_it_holds(void **state)
{
    (void)state;
    char text[128] = "";
    hf_registry_entry entry;
    hf_registry *registry = hf_registry_new();
    add(registry, second, "2.0.0");
    add(registry, first, NULL);
    hf_register_activity(registry, "a", act, NULL);
    for (size_t i = 0; hf_registry_at(registry, i, &entry); i++) {
        size_t size = strlen(text);
        snprintf(text + size, sizeof text - size, "%s %s,", entry.name,
                 entry.version ? entry.version : "-");
    }
    assert_string_equal(text, "t 1.0.0,t 2.0.0,a -,");
    hf_registry_free(registry);
    assert_false(hf_registry_at(NULL, 0, &entry));
}

/* ---- executions ----------------------------------------------------------------------------- */

/* A start without a version gets the latest, and history says so before all else; a turn that
 * brings nothing but an outcome, in a process that has a newer one by then, goes on with the one
 * that began. */
static void trap_a1_outcome_alone_finds_its_version(void **state)
{
    (void)state;
    struct hf_script script;
    script_of(&script, NULL);
    add(script.registry, second, "1.2.0");
    play(&script, ". e");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 version_chosen version 1.2.0\n"
                            "3 activity_scheduled \"second\"");
    assert_true(hf_slice_equal(script.turn.version, hf_text("1.2.0")));
    add(script.registry, tenth, "1.10.0");
    play(&script, "c3=x .");
    assert_completed(&script, "second t 1.2.0 1 i-1");
    hf_script_release(&script);
}

/* What was asked for stands in the start; what goes without saying stands nowhere. */
static void row_1f_3_version_is_pinned_from_history(void **state)
{
    (void)state;
    struct hf_script script;
    script_of(&script, "1.2.0");
    add(script.registry, second, "1.2.0");
    add(script.registry, tenth, "1.10.0");
    play(&script, ". e");
    assert_history(&script, "1 started \"t\" version 1.2.0 (2 bytes)\n"
                            "2 activity_scheduled \"second\"");
    play(&script, "c2=x .");
    assert_completed(&script, "second t 1.2.0 1 i-1");
    hf_script_release(&script);

    script_of(&script, NULL);
    play(&script, ". e");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"first\"");
    add(script.registry, second, "1.2.0");
    play(&script, "c2=x .");
    assert_completed(&script, "first t 1.0.0 1 i-1");
    hf_script_release(&script);
}

/* Code of that version is nowhere: nothing is run. */
static void row_1f_7_missing_version_is_not_run(void **state)
{
    (void)state;
    struct hf_script script;
    script_of(&script, "3.0.0");
    play_fails(&script, ".", HF_NOT_FOUND, "orchestration \"t\" version 3.0.0 is not registered");
    hf_script_release(&script);
}

static hf_status continues(hf_orchestration *o, hf_slice input)
{
    if (!hf_slice_equal(input, hf_text("in"))) {
        hf_continue_options options = HF_INIT(hf_continue_options);
        options.version = "1.0.0";
        options.input = hf_text("in");
        return hf_continue_as_new_with(o, &options);
    }
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_continue_as_new(o, hf_text("again"));
}

/* The next execution is of the latest version then, or of the one that is given, and pins it. */
static void row_1f_4_continued_execution_has_its_own_version(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, continues, NULL);
    play(&script, ".");
    add(script.registry, continues, "2.0.0");
    play(&script, "e mq=go . e");
    assert_int_equal(script.execution, 2);
    assert_true(hf_slice_is_empty(script.turn.next_version));
    play(&script, ".");
    assert_int_equal(script.execution, 3);
    assert_true(hf_slice_equal(script.turn.version, hf_text("2.0.0")));
    assert_true(hf_slice_equal(script.turn.next_version, hf_text("1.0.0")));
    play(&script, ".");
    assert_true(hf_slice_equal(script.turn.version, hf_text("1.0.0")));
    assert_history(&script, "1 started \"t\" version 1.0.0 (2 bytes)\n2 mailbox_waited \"q\"");
    hf_script_release(&script);
}

/* ---- children and detached starts ----------------------------------------------------------- */

struct wish {
    const char *version, *id, *input, *orchestration;
    bool is_detached;
};

static hf_status starts(hf_orchestration *o, hf_slice input)
{
    const struct wish *wish = probe_of(o);
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = wish->orchestration ? wish->orchestration : "kid";
    options.version = wish->version;
    options.instance = wish->id;
    options.input = hf_text(wish->input);
    if (wish->is_detached) hf_start_detached(o, &options);
    if (!wish->is_detached) hf_child(o, &options);
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

/* The version of a child is recorded, and handed on to its start. */
static void row_1a_20_child_has_a_version(void **state)
{
    (void)state;
    struct wish wish = { .version = "3.1.4", .id = "k" };
    struct hf_script script;
    struct hf_event started;
    hf_script_init(&script, starts, &wish);
    play(&script, ".");
    const struct hf_turn_child *child = script.turn.children.items;
    assert_true(hf_slice_equal(child->version, hf_text("3.1.4")));
    assert_ok(hf_event_decode(child->body, &script.memory, &started, &script.error), &script.error);
    assert_true(hf_slice_equal(started.version, hf_text("3.1.4")));
    hf_script_release(&script);
}

/* A detached start is an event, and an instance that knows of nobody. */
static void row_6a_17_detached_start_is_an_event(void **state)
{
    (void)state;
    struct wish wish = { .id = "k", .input = "go", .is_detached = true };
    struct hf_script script;
    struct hf_event started;
    hf_script_init(&script, starts, &wish);
    script.no_check = false;
    play(&script, ". e");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 detached_started \"kid\" \"k\" (2 bytes)\n"
                            "3 mailbox_waited \"q\"");
    const struct hf_turn_child *child = script.turn.children.items;
    assert_int_equal(script.turn.children.count, 1);
    assert_true(child->is_detached && child->lost_body.size == 0);
    assert_ok(hf_event_decode(child->body, &script.memory, &started, &script.error), &script.error);
    assert_int_equal(started.source, 0);
    assert_int_equal(started.text.size, 0);
    play(&script, "mq=go .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

/* Each thing that starts an instance is compared whole: kind, name, id, version and input. */
static void trap_a16_all_of_a_start_is_compared(void **state)
{
    (void)state;
    static const struct wish before = { .version = "1.1.0", .id = "k", .input = "1" };
    static const struct {
        struct wish after;
        const char *part;
    } cases[] = {
        { { .version = "1.2.0", .id = "k", .input = "1" }, "another version" },
        { { .id = "k", .input = "1" }, "another version" },
        { { .version = "1.1.0", .id = "l", .input = "1" }, "another id" },
        { { .version = "1.1.0", .id = "k", .input = "2" }, "another input" },
        { { .version = "1.1.0", .id = "k", .input = "1", .orchestration = "son" }, "another name" },
        { { .version = "1.1.0", .id = "k", .input = "1", .is_detached = true },
          "issued detached_started" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wish wish = before;
        struct hf_script script;
        hf_script_init(&script, starts, &wish);
        play(&script, ". e mq=wake");
        wish = cases[i].after;
        play_fails(&script, ".", HF_NONDETERMINISM, cases[i].part);
        hf_script_release(&script);
    }
}

/* The command behind a detached start matches at replay. */
static void trap_a5_detached_start_is_matched(void **state)
{
    (void)state;
    struct wish wish = { .id = "k", .is_detached = true };
    struct hf_script script;
    hf_script_init(&script, starts, &wish);
    script.always_evict = true;
    play(&script, ". mq=go .");
    assert_completed(&script, "in");
    hf_script_release(&script);
    hf_script_init(&script, starts, &wish);
    play(&script, ". e mq=go");
    wish.id = "l";
    play_fails(&script, ".", HF_NONDETERMINISM, "another id");
    hf_script_release(&script);
}

static void test_reserved_and_malformed_wishes_fail_the_instance(void **state)
{
    (void)state;
    static const struct {
        struct wish wish;
        const char *code, *part;
    } cases[] = {
        { { .orchestration = "holdfast.x" }, "bad_name", "reserved" },
        { { .orchestration = "holdfast.x", .is_detached = true }, "bad_name", "reserved" },
        { { .version = "one" }, "bad_version", "is no version" },
        { { .id = "" }, "bad_id", "is empty" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wish wish = cases[i].wish;
        struct hf_script script;
        hf_script_init(&script, starts, &wish);
        play(&script, ".");
        assert_failed(&script, cases[i].code, cases[i].part);
        hf_script_release(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1f_2_policy_is_the_latest_or_a_given_one),
        cmocka_unit_test(row_10_9_versions_are_three_numbers),
        cmocka_unit_test(trap_b20_thousands_are_compared_as_numbers),
        cmocka_unit_test(row_1f_1_doubled_versions_are_reported),
        cmocka_unit_test(row_1f_5_reserved_names_are_refused),
        cmocka_unit_test(row_1f_6_registry_tells_what_it_holds),
        cmocka_unit_test(trap_a1_outcome_alone_finds_its_version),
        cmocka_unit_test(row_1f_3_version_is_pinned_from_history),
        cmocka_unit_test(row_1f_7_missing_version_is_not_run),
        cmocka_unit_test(row_1f_4_continued_execution_has_its_own_version),
        cmocka_unit_test(row_1a_20_child_has_a_version),
        cmocka_unit_test(row_6a_17_detached_start_is_an_event),
        cmocka_unit_test(trap_a16_all_of_a_start_is_compared),
        cmocka_unit_test(trap_a5_detached_start_is_matched),
        cmocka_unit_test(test_reserved_and_malformed_wishes_fail_the_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
