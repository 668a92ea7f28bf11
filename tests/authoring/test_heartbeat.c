/* Reports of activities: who reads them, what they cost, and what becomes of an attempt that falls
 * silent. The clocks are moved by hand. */
#include "tests/support/child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "runtime/store.h"

enum { HEARTBEAT_MS = 5000, ACTIVITY_ID = 2, SPEAKS = 5 };

/* ---- what runs ------------------------------------------------------------------------------ */

/* The options that all here begin with: the activity of that name has to report. */
static hf_activity_options reporting(const char *name, uint32_t tries_max)
{
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = name;
    options.tries_max = tries_max;
    options.backoff_first_ms = UINT64_MAX;
    options.heartbeat_timeout_ms = HEARTBEAT_MS;
    return options;
}

/* Calls the activity that its input names, once. */
static hf_status once(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    hf_activity_options options = reporting(hf_format(o, HF_FMT, HF_ARG(input)).data, 1);
    HF_TRY(hf_call_with(o, &options, &output));
    return hf_complete(o, output);
}

/* The same, twice if need be. */
static hf_status twice(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    hf_activity_options options = reporting(hf_format(o, HF_FMT, HF_ARG(input)).data, 2);
    HF_TRY(hf_call_with(o, &options, &output));
    return hf_complete(o, output);
}

/* Says that it begins. The first one heeds nothing but its gate, and then answers all the same. */
static hf_status silent(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    (void)input;
    stage_sayf(stage, "begun %s", hf_activity_about(a)->idempotency_key);
    if (stage_count(stage, "begun ") > 1) return hf_activity_complete(a, hf_text("second"));
    stage_wait_open(stage, hf_text("gate"));
    stage_say(stage, hf_activity_is_cancelled(a) ? "late, told" : "late, untold");
    return hf_activity_complete(a, hf_text("late"));
}

/* Reports once, and waits to be told to stop; then a report tells it, too. */
static hf_status waits_told(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    (void)input;
    hf_status status = hf_activity_report(a, hf_text("half"));
    stage_sayf(stage, "reported %s", hf_status_name(status));
    hf_activity_wait_cancelled(a, UINT64_MAX);
    status = hf_activity_report(a, hf_text("more"));
    stage_sayf(stage, "reported %s", hf_status_name(status));
    return status;
}

/* Reports each time that a gate opens: "0", "1", ... */
static hf_status speaks(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    char gate[16];
    (void)input;
    stage_say(stage, "begun");
    for (int i = 0; i < SPEAKS; i++) {
        snprintf(gate, sizeof gate, "%d", i);
        stage_wait_open(stage, hf_text(gate));
        HF_TRY(hf_activity_report(a, hf_text(gate)));
        stage_say(stage, "spoke");
    }
    stage_wait_open(stage, hf_text("end"));
    return hf_activity_complete(a, hf_text("spoken"));
}

/* Reports very often, at every size; waits for its gate. */
static hf_status talks(hf_activity *a, hf_slice input)
{
    static const char bytes[4001];
    struct stage *stage = hf_activity_user(a);
    (void)input;
    for (size_t i = 0; i < 20000; i++) HF_TRY(hf_activity_report(a, hf_bytes(bytes, i % 4001)));
    HF_TRY(hf_activity_report(a, hf_bytes(bytes, 4000)));
    if (hf_activity_report(a, hf_bytes(bytes, 4001)) != HF_TOO_LARGE) return HF_INVALID;
    stage_say(stage, "talked");
    stage_wait_open(stage, hf_text("gate"));
    return hf_activity_complete(a, hf_text("done"));
}

/* The first delivery reports, waits until the store has it, and kills its process. The next one
 * tells what it was told. */
static hf_status dies_at_half(hf_activity *a, hf_slice input)
{
    const hf_activity_info *about = hf_activity_about(a);
    char text[128];
    (void)input;
    uint64_t reported_unix_ms = 0;
    if (about->attempt == 1) HF_TRY(hf_activity_report(a, hf_text("half")));
    while (about->attempt == 1) {
        const hf_progress *progress = NULL;
        HF_TRY(hf_progress_read(hf_activity_store(a), about->instance, about->activity_id,
                                &progress, NULL));
        reported_unix_ms = progress->reported_unix_ms;
        hf_progress_free(progress);
        if (reported_unix_ms > 0) raise(SIGKILL);
    }
    snprintf(text, sizeof text, "attempt %u of %llu: " HF_FMT, about->attempt,
             (unsigned long long)about->activity_id, HF_ARG(about->progress));
    return hf_activity_complete(a, hf_text(text));
}

/* Gives its completion away, which falls silent: whoever holds it learns so. */
static hf_status detaches(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    (void)input;
    hf_completion *completion = hf_activity_detach(a);
    stage_say(stage, "begun");
    hf_activity_wait_cancelled(hf_completion_activity(completion), UINT64_MAX);
    hf_status status = hf_completion_complete(completion, hf_text("late"));
    stage_sayf(stage, "completed %s", hf_status_name(status));
    return HF_OK;
}

static const struct part parts[] = { { "once", once, NULL },
                                     { "twice", twice, NULL },
                                     { "silent", NULL, silent },
                                     { "waits_told", NULL, waits_told },
                                     { "speaks", NULL, speaks },
                                     { "talks", NULL, talks },
                                     { "dies_at_half", NULL, dies_at_half },
                                     { "detaches", NULL, detaches },
                                     { NULL, NULL, NULL } };

static hf_runtime *worker(struct house *house)
{
    return house_worker(house,
                        HF_WITH(hf_runtime_options, .worker_id = "w", .activity_threads = 2));
}

/* The runtime rests, and that many of its activities fell silent. */
static void rest(struct house *house, hf_runtime *runtime, double silent_count)
{
    house_rest(runtime);
    assert_true(house_metric(runtime, "activities_silent") == silent_count);
    assert_true(house_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
    house_close(house);
}

/* ---- who reads them ------------------------------------------------------------------------- */

/* A process dies in an activity that has reported: the next delivery, in another process, is told
 * what, and how often it was tried. */
static void row_2_7_progress_outlives_the_process(void **state)
{
    (void)state;
    struct house house;
    struct child first, second;
    house_open(&house, parts);
    house_start(&house, "i", "once", "dies_at_half");
    child_start(&first, house.directory.path, "a", "");
    int status = child_end(&first, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    child_start(&second, house.directory.path, "b", "");
    house_expect(&house, "i", "attempt 2 of 2: half");
    assert_int_equal(child_end(&second, SIGTERM), 0);
    house_close(&house);
}

struct look {
    struct house *house;
    const char *wanted;
};

/* Whether clients see that report. */
static bool look_is_seen(void *context)
{
    struct look *look = context;
    const hf_progress *progress = NULL;
    hf_error error = { 0 };
    assert_ok(hf_progress_read(look->house->store, "i", ACTIVITY_ID, &progress, &error), &error);
    bool is_seen = hf_slice_equal(progress->progress, hf_text(look->wanted));
    if (is_seen) assert_true(progress->is_running && progress->reported_unix_ms > 0);
    if (is_seen) assert_int_equal(progress->attempt, 1);
    hf_progress_free(progress);
    return is_seen;
}

/* Clients see the latest report while it runs, and none of an activity that has ended. */
static void row_2_7_progress_is_read_by_clients(void **state)
{
    (void)state;
    struct house house;
    struct look look = { &house, "0" };
    hf_error error = { 0 };
    const hf_progress *progress = NULL;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "once", "speaks");
    stage_wait(&house.stage, "begun", 1);
    stage_open(&house.stage, "0");
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &look, look_is_seen));
    look.wanted = "1";
    stage_open(&house.stage, "1");
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &look, look_is_seen));
    stage_open(&house.stage, NULL);
    house_expect(&house, "i", "spoken");
    assert_status(hf_progress_read(house.store, "i", ACTIVITY_ID, &progress, &error), HF_NOT_FOUND);
    assert_string_equal(error.code, "no_activity");
    assert_status(hf_progress_read(house.store, "other", 3, &progress, &error), HF_NOT_FOUND);
    assert_string_equal(error.code, "no_instance");
    rest(&house, runtime, 0);
}

/* What is reported when the worker stops goes back with the item, and is told to whom it is given
 * next. */
static void row_2_7_last_report_is_handed_over(void **state)
{
    (void)state;
    struct house house;
    struct look look = { &house, "more" };
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "once", "waits_told");
    stage_wait(&house.stage, "reported HF_OK", 1);
    house_rest(runtime);
    hf_runtime_free(runtime);
    stage_wait(&house.stage, "reported HF_CANCELLED", 1);
    const hf_progress *progress = NULL;
    hf_error error = { 0 };
    assert_ok(hf_progress_read(house.store, "i", ACTIVITY_ID, &progress, &error), &error);
    assert_true(hf_slice_equal(progress->progress, hf_text(look.wanted)));
    assert_false(progress->is_running);
    hf_progress_free(progress);
    house_close(&house);
}

/* Twenty thousand reports are a handful of commits; the largest is kept whole, a larger one
 * refused. */
static void row_2_7_reports_are_gathered_and_bounded(void **state)
{
    (void)state;
    struct house house;
    struct hf_store_counters before, after;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    struct hf_backend *backend = house.store->backend;
    backend->ops->counters(backend, &before);
    house_start(&house, "i", "once", "talks");
    stage_wait(&house.stage, "talked", 1);
    backend->ops->counters(backend, &after);
    assert_true(after.commits - before.commits < 1000);
    stage_open(&house.stage, "gate");
    house_expect(&house, "i", "done");
    rest(&house, runtime, 0);
}

/* ---- who falls silent ----------------------------------------------------------------------- */

/* An attempt that never reports counts as timed out and is tried again; what it answers later is
 * dropped. */
static void row_2_8_silent_attempt_is_tried_again(void **state)
{
    (void)state;
    struct house house;
    char history[HOUSE_TEXT_SIZE];
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "twice", "silent");
    stage_wait(&house.stage, "begun ", 1);
    house_move_clocks(&house, HEARTBEAT_MS, 0);
    stage_wait(&house.stage, "log activity.silent w", 1);
    house_expect(&house, "i", "second");
    stage_open(&house.stage, "gate");
    stage_wait(&house.stage, "late, told", 1);
    house_history(&house, "i", history, sizeof history);
    const char *failed = strstr(history, "activity_failed");
    assert_non_null(failed);
    assert_null(strstr(failed + 1, "activity_failed"));
    rest(&house, runtime, 1);
}

/* Whoever reports in time may take as long as it likes: each report is seen by clients, so the
 * worker has looked at it before the next one. */
static void row_2_8_reports_keep_an_attempt_alive(void **state)
{
    (void)state;
    struct house house;
    struct look look = { &house, "" };
    char gate[16];
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "once", "speaks");
    stage_wait(&house.stage, "begun", 1);
    for (size_t i = 0; i < SPEAKS; i++) {
        house_move_clocks(&house, HEARTBEAT_MS - 1000, 0);
        snprintf(gate, sizeof gate, "%zu", i);
        stage_open(&house.stage, gate);
        stage_wait(&house.stage, "spoke", i + 1);
        look.wanted = gate;
        assert_true(hf_test_wait(STAGE_LIMIT_MS, &look, look_is_seen));
    }
    stage_open(&house.stage, NULL);
    house_expect(&house, "i", "spoken");
    rest(&house, runtime, 0);
}

/* Without a further try the future ends with HF_TIMEOUT, its code, and the last report as data. The
 * one that is silent is told to stop. */
static void row_2_8_silence_is_told_with_the_last_report(void **state)
{
    (void)state;
    struct house house;
    const hf_instance *instance = NULL;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "once", "waits_told");
    stage_wait(&house.stage, "reported HF_OK", 1);
    house_move_clocks(&house, HEARTBEAT_MS, 0);
    stage_wait(&house.stage, "reported HF_CANCELLED", 1);
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    assert_status(error.status, HF_TIMEOUT);
    assert_string_equal(error.code, "heartbeat_timeout");
    assert_ok(hf_get(house.store, "i", &instance, &error), &error);
    assert_true(hf_slice_equal(instance->error->data, hf_text("half")));
    hf_instance_free(instance);
    rest(&house, runtime, 1);
}

/* A completion that was given away is stale then. */
static void row_2_8_detached_one_is_fenced(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "once", "detaches");
    stage_wait(&house.stage, "begun", 1);
    house_move_clocks(&house, HEARTBEAT_MS, 0);
    stage_wait(&house.stage, "completed HF_STALE", 1);
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "heartbeat_timeout");
    rest(&house, runtime, 1);
}

int main(int argc, char **argv)
{
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_2_7_progress_outlives_the_process),
        cmocka_unit_test(row_2_7_progress_is_read_by_clients),
        cmocka_unit_test(row_2_7_last_report_is_handed_over),
        cmocka_unit_test(row_2_7_reports_are_gathered_and_bounded),
        cmocka_unit_test(row_2_8_silent_attempt_is_tried_again),
        cmocka_unit_test(row_2_8_reports_keep_an_attempt_alive),
        cmocka_unit_test(row_2_8_silence_is_told_with_the_last_report),
        cmocka_unit_test(row_2_8_detached_one_is_fenced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
