/* Limits that end something in order: activities that nobody takes, histories that grow, backlogs
 * that do not; and failures that carry data. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

/* ---- what runs ------------------------------------------------------------------------------ */

/* Calls an activity that must be taken within the time, on a session when the input says so. */
static hf_status hurries(hf_orchestration *o, hf_slice input)
{
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "echo";
    options.input = input;
    options.start_timeout_ms = 1000;
    options.tries_max = 3;
    if (hf_slice_equal(input, hf_text("tag"))) options.tag = "nobody serves it";
    if (hf_slice_equal(input, hf_text("session"))) options.session = hf_session_open(o);
    hf_slice output;
    hf_status status = hf_call_with(o, &options, &output);
    if (status == HF_OK) return hf_complete(o, output);
    return hf_complete(
        o, hf_format(o, "%s %s", hf_status_name(status), hf_orchestration_error(o)->code));
}

/* Fails with details, which its parent sees. */
static hf_status fails(hf_orchestration *o, hf_slice input)
{
    return hf_fail_with(o, "refused", input, "by %s", hf_instance_id(o));
}

static hf_status asks(hf_orchestration *o, hf_slice input)
{
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = "fails";
    options.instance = "child";
    options.input = input;
    if (hf_await(o, hf_child(o, &options), NULL) != HF_FAILED) return hf_fail(o, "other", "no");
    const hf_error *error = hf_orchestration_error(o);
    return hf_complete(
        o, hf_format(o, "%s " HF_FMT " %s", error->code, HF_ARG(error->data), error->message));
}

/* Sets its status again and again. */
static hf_status grows(hf_orchestration *o, hf_slice input)
{
    int64_t count = 0;
    if (!hf_slice_to_i64(input, &count)) return HF_INVALID;
    for (int64_t i = 0; i < count; i++) hf_status_set(o, hf_text("more"));
    return hf_complete(o, input);
}

/* Completes with so many bytes. */
static hf_status inflates(hf_orchestration *o, hf_slice input)
{
    int64_t size = 0;
    if (!hf_slice_to_i64(input, &size)) return HF_INVALID;
    return hf_complete(o, hf_bytes(hf_alloc(o, (size_t)size), (size_t)size));
}

/* Answers each message by a command, in one turn. */
static hf_status drains(hf_orchestration *o, hf_slice input)
{
    int64_t count = 0;
    if (!hf_slice_to_i64(input, &count)) return HF_INVALID;
    HF_TRY(hf_dequeue(o, "go", NULL));
    for (int64_t i = 0; i < count; i++) {
        hf_scope round = hf_scope_open(o);
        hf_slice message;
        HF_TRY(hf_dequeue(o, "q", &message));
        if (!hf_slice_equal(message, hf_format(o, "%lld", (long long)i))) {
            return hf_fail(o, "order", "message %lld came out of order", (long long)i);
        }
        hf_status_set(o, message);
        hf_scope_close(o, round);
    }
    return hf_complete(o, input);
}

static const struct part parts[] = {
    { "hurries", hurries, NULL }, { "fails", fails, NULL },       { "asks", asks, NULL },
    { "grows", grows, NULL },     { "inflates", inflates, NULL }, { "drains", drains, NULL },
    { NULL, NULL, NULL }
};

static void rest(struct house *house, hf_runtime *runtime)
{
    house_rest(runtime);
    assert_true(house_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
    house_close(house);
}

/* ---- limits of a start ---------------------------------------------------------------------- */

static bool item_waits(void *context)
{
    struct house *house = context;
    hf_stats stats = HF_INIT(hf_stats);
    assert_ok(hf_stats_read(house->store, &stats, NULL), NULL);
    return stats.activities_waiting_count > 0;
}

/* Waits until an item waits in the store. */
static void wait_item(struct house *house)
{
    if (!hf_test_wait(STAGE_LIMIT_MS, house, item_waits)) fail_msg("no item waits");
}

/* A tag that nobody serves; a worker that runs no activities: the time passes, the await returns a
 * typed timeout, and nothing is left. What is taken in time ends as it does. */
static void trap_c20_work_that_nobody_takes_ends(void **state)
{
    static const char *const inputs[] = { "tag", "session", "plain" };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct house house;
        house_open(&house, parts);
        hf_runtime *runtime = house_orchestrator(&house);
        house_start(&house, "i", "hurries", inputs[i]);
        wait_item(&house);
        house_move_clocks(&house, 0, 1001);
        house_expect(&house, "i", "HF_TIMEOUT start_timeout");
        hf_stats stats = HF_INIT(hf_stats);
        assert_ok(hf_stats_read(house.store, &stats, NULL), NULL);
        assert_int_equal(stats.activities_waiting_count + stats.timers_count, 0);
        rest(&house, runtime);
    }
}

static void test_what_is_taken_in_time_has_no_limit(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "w"));
    house_start(&house, "i", "hurries", "plain");
    house_expect(&house, "i", "plain");
    hf_stats stats = HF_INIT(hf_stats);
    assert_ok(hf_stats_read(house.store, &stats, NULL), NULL);
    assert_int_equal(stats.timers_count, 0);
    rest(&house, runtime);
}

/* A cancel takes the limit with it. */
static void test_cancelled_start_leaves_no_limit(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *runtime = house_orchestrator(&house);
    house_start(&house, "i", "hurries", "tag");
    wait_item(&house);
    assert_ok(hf_terminate(house.store, "i", NULL, &error), &error);
    hf_stats stats = HF_INIT(hf_stats);
    assert_ok(hf_stats_read(house.store, &stats, NULL), NULL);
    assert_int_equal(stats.timers_count + stats.activities_waiting_count, 0);
    rest(&house, runtime);
}

/* ---- failures ------------------------------------------------------------------------------- */

/* Code, message and data of a failure reach the parent, and the client. */
static void row_8_3_failures_carry_code_message_and_data(void **state)
{
    (void)state;
    struct house house;
    const hf_instance *child = NULL;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "w"));
    house_start(&house, "i", "asks", "details");
    house_expect(&house, "i", "refused details by child");
    assert_ok(hf_get(house.store, "child", &child, &error), &error);
    assert_int_equal(child->status, HF_INSTANCE_FAILED);
    assert_string_equal(child->error->code, "refused");
    assert_true(hf_slice_equal(child->error->data, hf_text("details")));
    hf_instance_free(child);
    rest(&house, runtime);
}

/* One thread of each kind serves a parent, its child and their activities: nobody waits on a
 * thread.
 */
static void row_4b_11_one_thread_of_each_is_enough(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    hf_runtime *runtime = house_worker(&house,
                                       HF_WITH(hf_runtime_options, .worker_id = "w",
                                               .orchestration_threads = 1, .activity_threads = 1));
    house_start(&house, "one", "hurries", "session");
    house_start(&house, "two", "hurries", "plain");
    house_start(&house, "three", "asks", "details");
    house_expect(&house, "three", "refused details by child");
    house_expect(&house, "two", "plain");
    house_expect(&house, "one", "session");
    rest(&house, runtime);
}

/* ---- histories ------------------------------------------------------------------------------ */

/* At half of the limit the log warns, beyond it the instance fails, clearly and once. */
static void row_7_19_long_history_warns_and_then_fails(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *runtime = house_worker(
        &house, HF_WITH(hf_runtime_options, .worker_id = "w", .history_events_max = 100));
    house_start(&house, "short", "grows", "40");
    house_expect(&house, "short", "40");
    assert_int_equal(stage_count(&house.stage, "log instance.history_long"), 0);
    house_start(&house, "long", "grows", "60");
    house_expect(&house, "long", "60");
    assert_int_equal(stage_count(&house.stage, "log instance.history_long"), 1);
    house_start(&house, "endless", "grows", "1000");
    house_failure(&house, "endless", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "history_full");
    assert_non_null(strstr(error.message, "its history has 100 events"));
    rest(&house, runtime);
}

/* Ten thousand messages that wait are answered one by one: nothing counts rounds. */
static void trap_a15_backlog_drains(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct house house;
    char text[16];
    house_open(&house, parts);
    snprintf(text, sizeof text, "%d", COUNT);
    house_start(&house, "i", "drains", text);
    for (int i = 0; i < COUNT; i++) {
        hf_command message = HF_INIT(hf_command);
        hf_error error = { 0 };
        snprintf(text, sizeof text, "%d", i);
        message.kind = HF_COMMAND_ENQUEUE;
        message.instance = "i";
        message.name = "q";
        message.data = hf_text(text);
        hf_status status = hf_submit(house.store, &message, &error);
        if (status == HF_BUSY) status = hf_execute(house.store, &message, &error);
        assert_ok(status, &error);
    }
    house_send(&house, "i", "go", "");
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "w"));
    house_expect(&house, "i", "10000");
    rest(&house, runtime);
}

/* ---- payloads ------------------------------------------------------------------------------- */

/* Beyond half of the limit the log warns, of what the code makes and of what clients send; beyond
 * the limit it is refused. */
static void row_10_10_large_payloads_warn_and_then_fail(void **state)
{
    static const char bytes[1024 * 1024 / 2 + 1];
    static const char of_code[] = "log payload.large - more -: the output has 524289 bytes";
    struct house house;
    hf_error error = { 0 };
    (void)state;
    house_open(&house, parts);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "w"));
    house_start(&house, "half", "inflates", "524288");
    house_start(&house, "more", "inflates", "524289");
    house_start(&house, "all", "inflates", "1048577");
    house_failure(&house, "all", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "too_large");
    stage_wait(&house.stage, of_code, 1);
    const hf_instance *done = NULL;
    assert_ok(hf_wait(house.store, "half", STAGE_LIMIT_MS, &done, &error), &error);
    hf_instance_free(done);
    assert_int_equal(stage_count(&house.stage, "log payload.large"), 1);

    hf_slice large = hf_bytes(bytes, sizeof bytes);
    assert_status(hf_enqueue(house.store, "nobody", "q", large, &error), HF_NOT_FOUND);
    assert_int_equal(stage_count(&house.stage, "log payload.large"), 2);
    rest(&house, runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap_c20_work_that_nobody_takes_ends),
        cmocka_unit_test(test_what_is_taken_in_time_has_no_limit),
        cmocka_unit_test(test_cancelled_start_leaves_no_limit),
        cmocka_unit_test(row_8_3_failures_carry_code_message_and_data),
        cmocka_unit_test(row_4b_11_one_thread_of_each_is_enough),
        cmocka_unit_test(row_7_19_long_history_warns_and_then_fails),
        cmocka_unit_test(trap_a15_backlog_drains),
        cmocka_unit_test(row_10_10_large_payloads_warn_and_then_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
