/* The values of an instance and its custom status, as its code sees them: live, at replay, and over
 * continue-as-new. */
#include "tests/unit/engine/play.h"

#include <stdio.h>
#include <string.h>

#include "engine/event.h"

/* ---- reading and writing -------------------------------------------------------------------- */

/* Counts the messages of a mailbox in a value. */
static hf_status count_messages(hf_orchestration *o, hf_slice input)
{
    for (;;) {
        hf_slice message, value;
        int64_t count = 0;
        HF_TRY(hf_dequeue(o, "q", &message));
        if (hf_slice_equal(message, hf_text("end"))) return hf_complete(o, input);
        if (hf_kv_get(o, "count", &value) && !hf_slice_to_i64(value, &count)) return HF_INVALID;
        hf_kv_set(o, "count", hf_format(o, "%lld", (long long)count + 1));
        if (hf_slice_equal(message, hf_text("again"))) return hf_continue_as_new(o, input);
    }
}

/* The code reads what it wrote, and adds to it: at replay it begins with what was there when the
 * execution began, and comes to the same. A store that handed it the latest value would count
 * twice. */
static void trap_a9_get_compute_set_is_the_same_at_replay(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, count_messages, NULL);
    play(&script, ". mq=1 . e mq=2 . e");
    assert_string_equal(hf_script_value(&script, "count"), "2");
    play(&script, "mq=again . e mq=3 . e mq=4 . e .");
    assert_int_equal(script.execution, 2);
    assert_string_equal(hf_script_value(&script, "count"), "5");
    play(&script, "mq=end .");
    assert_completed(&script, "in");
    assert_string_equal(hf_script_value(&script, "count"), "5");
    hf_script_release(&script);
}

static hf_status write_some(hf_orchestration *o, hf_slice input)
{
    hf_kv_set(o, "b", hf_text("1"));
    hf_kv_set(o, "a", hf_text("2"));
    hf_kv_set(o, "b", hf_text("3"));
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_kv_clear(o, "a");
    hf_kv_clear(o, "a"); /* not there any more: nothing */
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_kv_set(o, "c", input);
    hf_kv_clear(o, NULL);
    hf_kv_clear(o, NULL);
    hf_kv_set(o, "d", hf_text(""));
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, hf_format(o, "%zu %s", hf_kv_count(o), hf_kv_key(o, 0)));
}

/* Each write is an event with the time of its turn; what is not there is not cleared again. */
static void row_1e_3_values_are_events_with_their_time(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, write_some, NULL);
    play(&script, ". e +500");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 kv_set \"b\" (1 bytes)\n"
                            "3 kv_set \"a\" (1 bytes)\n"
                            "4 kv_set \"b\" (1 bytes)\n"
                            "5 mailbox_waited \"q\"");
    assert_int_equal(hf_script_event(&script, 1).now_unix_ms, 1000);
    assert_string_equal(hf_script_value(&script, "b"), "3");
    assert_string_equal(hf_script_value(&script, "a"), "2");
    hf_script_release(&script);
}

/* One key, or all of them; an empty value is a value. */
static void row_1e_5_values_are_cleared(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, write_some, NULL);
    play(&script, ". e mq=1 . e");
    assert_null(hf_script_value(&script, "a"));
    assert_string_equal(hf_script_value(&script, "b"), "3");
    play(&script, "mq=2 .");
    assert_null(hf_script_value(&script, "b"));
    assert_null(hf_script_value(&script, "c"));
    assert_string_equal(hf_script_value(&script, "d"), "");
    play(&script, "e mq=3 .");
    assert_completed(&script, "1 d");
    hf_script_release(&script);
}

/* What history has of values is matched as all commands are. */
static hf_status write_otherwise(hf_orchestration *o, hf_slice input)
{
    const char *const *wish = probe_of(o);
    if (wish[0]) hf_kv_set(o, wish[0], hf_text(wish[1]));
    if (!wish[0]) hf_kv_clear(o, wish[1]);
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

static void row_7_6_values_are_compared_at_replay(void **state)
{
    (void)state;
    static const struct {
        const char *before[2], *after[2];
        const char *part;
    } cases[] = {
        { { "k", "1" }, { "k", "2" }, "kv_set \"k\" (1 bytes): another input" },
        { { "k", "1" }, { "l", "1" }, "kv_set \"l\" (1 bytes): another name" },
        { { "k", "1" }, { NULL, "k" }, "issued mailbox_waited" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *wish[2] = { cases[i].before[0], cases[i].before[1] };
        struct hf_script script;
        hf_script_init(&script, write_otherwise, wish);
        play(&script, ". e mq=wake");
        memcpy(wish, cases[i].after, sizeof wish);
        play_fails(&script, ".", HF_NONDETERMINISM, cases[i].part);
        hf_script_release(&script);
    }
}

/* ---- reading alone -------------------------------------------------------------------------- */

static hf_status read_all(hf_orchestration *o, hf_slice input)
{
    hf_slice text = HF_EMPTY, value;
    hf_kv_set(o, "z", hf_text("26"));
    hf_kv_set(o, "y", hf_text("25"));
    if (hf_kv_get(o, "x", &value)) return hf_fail(o, "found", "x is there");
    for (size_t i = 0; i < hf_kv_count(o); i++) {
        const char *key = hf_kv_key(o, i);
        if (!hf_kv_get(o, key, &value) || !hf_kv_get(o, key, NULL)) return HF_INVALID;
        text = hf_format(o, HF_FMT "%s=" HF_FMT " ", HF_ARG(text), key, HF_ARG(value));
    }
    HF_TRY(hf_dequeue(o, "q", NULL));
    (void)input;
    return hf_complete(o, text);
}

/* Keys come in their order, each with its value, and reading makes no event. */
static void row_1e_4_reading_is_no_command(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, read_all, NULL);
    play(&script, ".");
    assert_int_equal(script.events_count, 4);
    play(&script, "e mq=go .");
    assert_completed(&script, "y=25 z=26 ");
    hf_script_release(&script);
}

static hf_status read_beyond(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_kv_key(o, 0);
    return HF_OK;
}

static void test_key_beyond_the_last_fails_the_instance(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, read_beyond, NULL);
    play(&script, ".");
    assert_failed(&script, "bad_index", "there is no key 0");
    hf_script_release(&script);
}

/* ---- by age --------------------------------------------------------------------------------- */

static hf_status drop_older(hf_orchestration *o, hf_slice input)
{
    hf_kv_set(o, "old", input);
    hf_kv_set(o, "renewed", input);
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_kv_set(o, "new", input);
    hf_kv_set(o, "renewed", input);
    size_t first = hf_kv_clear_older(o, 1000), second = hf_kv_clear_older(o, 1500);
    HF_TRY(hf_dequeue(o, "q", NULL));
    size_t third = hf_kv_clear_older(o, UINT64_MAX);
    return hf_complete(o, hf_format(o, "%zu %zu %zu", first, second, third));
}

/* The time that counts is that of the last write, as history has it: a replay years later clears
 * the same. */
static void row_1e_6_old_values_are_cleared(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, drop_older, NULL);
    play(&script, ". +500 mq=1 .");
    assert_null(hf_script_value(&script, "old"));
    assert_string_equal(hf_script_value(&script, "renewed"), "in");
    play(&script, "e +1000000 mq=2 .");
    assert_completed(&script, "0 1 2");
    assert_null(hf_script_value(&script, "renewed"));
    hf_script_release(&script);
}

/* ---- limits --------------------------------------------------------------------------------- */

static hf_status fill(hf_orchestration *o, hf_slice input)
{
    const int *count = probe_of(o);
    HF_TRY(hf_dequeue(o, "q", NULL));
    for (int i = 0; i < *count; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        hf_kv_set(o, key, input);
        if (i % 2 == 1) HF_TRY(hf_dequeue(o, "q", NULL));
    }
    return hf_complete(o, input);
}

/* Keys of all turns and executions count together; a key that is there may be set again. */
static void row_10_5_keys_have_a_limit(void **state)
{
    (void)state;
    int count = 3;
    struct hf_script script;
    hf_script_init(&script, fill, &count);
    script.options.kv_keys_max = 2;
    play(&script, ". mq=1 . e mq=2 .");
    assert_failed(&script, "kv_full", "the instance has 2 keys, and \"k2\" would be one more");
    hf_script_release(&script);
}

/* Trap: keys of earlier turns do not count. */
static hf_status fill_over_executions(hf_orchestration *o, hf_slice input)
{
    hf_slice key;
    HF_TRY(hf_dequeue(o, "q", &key));
    hf_kv_set(o, key.data, input);
    return hf_continue_as_new(o, input);
}

static void trap_b22_keys_of_earlier_turns_count(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, fill_over_executions, NULL);
    script.options.kv_keys_max = 2;
    play(&script, ". mq=a . . mq=b . . mq=a . . mq=c .");
    assert_failed(&script, "kv_full", "\"c\" would be one more");
    assert_int_equal(script.execution, 4);
    hf_script_release(&script);
}

static hf_status set_large(hf_orchestration *o, hf_slice input)
{
    const size_t *sizes = probe_of(o);
    (void)input;
    char *bytes = hf_alloc(o, 300 * 1024);
    hf_kv_set(o, "k", hf_bytes(bytes, sizes[0]));
    hf_status_set(o, hf_bytes(bytes, sizes[1]));
    return hf_complete(o, hf_text("fits"));
}

static void row_10_6_value_has_a_limit(void **state)
{
    (void)state;
    size_t sizes[2] = { 16 * 1024, 0 };
    struct hf_script script;
    hf_script_init(&script, set_large, sizes);
    play(&script, ".");
    assert_completed(&script, "fits");
    hf_script_release(&script);
    sizes[0]++;
    hf_script_init(&script, set_large, sizes);
    play(&script, ".");
    assert_failed(&script, "kv_value", "has 16385 bytes, kv_value_size_max is 16384");
    hf_script_release(&script);
}

static void row_10_2_custom_status_has_a_limit(void **state)
{
    (void)state;
    size_t sizes[2] = { 0, 256 * 1024 };
    struct hf_script script;
    hf_script_init(&script, set_large, sizes);
    play(&script, ".");
    assert_completed(&script, "fits");
    hf_script_release(&script);
    sizes[1]++;
    hf_script_init(&script, set_large, sizes);
    play(&script, ".");
    assert_failed(&script, "status", "has 262145 bytes, the limit is 262144");
    hf_script_release(&script);
}

/* A limit that was lowered, or a value that was allowed once, fails nobody at replay. */
static void test_limits_are_not_judged_at_replay(void **state)
{
    (void)state;
    int count = 3;
    struct hf_script script;
    hf_script_init(&script, fill, &count);
    play(&script, ". mq=1 . e mq=2");
    script.options.kv_keys_max = 1;
    script.options.kv_value_size_max = 1;
    play(&script, ".");
    assert_failed(&script, "kv_value", "\"k2\" has 2 bytes");
    hf_script_release(&script);
}

/* ---- the custom status ---------------------------------------------------------------------- */

static hf_status show_status(hf_orchestration *o, hf_slice input)
{
    hf_slice before = hf_status_get(o);
    hf_status_set(o, hf_format(o, HF_FMT "+", HF_ARG(before)));
    hf_status_set(o, hf_format(o, HF_FMT "*", HF_ARG(hf_status_get(o))));
    hf_slice message;
    HF_TRY(hf_dequeue(o, "q", &message));
    if (hf_slice_equal(message, hf_text("reset"))) hf_status_set(o, hf_text(NULL));
    if (hf_slice_equal(message, hf_text("end"))) return hf_complete(o, hf_status_get(o));
    return hf_continue_as_new(o, input);
}

/* The code reads the latest one, also from the former execution; each execution begins with what
 * the former one ended with, also when it is replayed after it has set it anew. */
static void row_1e_8_status_outlives_executions(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, show_status, NULL);
    play(&script, ". e mq=go . . e");
    hf_slice shown = HF_EMPTY;
    assert_ok(hf_body_read_status(script.status_body, &script.memory, &shown, &script.error),
              &script.error);
    assert_true(hf_slice_equal(shown, hf_text("+*+*")));
    play(&script, "mq=reset . . e mq=end .");
    assert_completed(&script, "+*");
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap_a9_get_compute_set_is_the_same_at_replay),
        cmocka_unit_test(row_1e_3_values_are_events_with_their_time),
        cmocka_unit_test(row_1e_5_values_are_cleared),
        cmocka_unit_test(row_7_6_values_are_compared_at_replay),
        cmocka_unit_test(row_1e_4_reading_is_no_command),
        cmocka_unit_test(test_key_beyond_the_last_fails_the_instance),
        cmocka_unit_test(row_1e_6_old_values_are_cleared),
        cmocka_unit_test(row_10_5_keys_have_a_limit),
        cmocka_unit_test(trap_b22_keys_of_earlier_turns_count),
        cmocka_unit_test(row_10_6_value_has_a_limit),
        cmocka_unit_test(row_10_2_custom_status_has_a_limit),
        cmocka_unit_test(test_limits_are_not_judged_at_replay),
        cmocka_unit_test(row_1e_8_status_outlives_executions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
