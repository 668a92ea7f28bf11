/* Activities that nobody wants any more, and what a worker counts of the others: through whole
 * runtimes on a store. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

#include "runtime/world.h"

/* ---- what runs ------------------------------------------------------------------------------ */

/* Calls `hold` as often as its input says, and calls each off when a message comes. */
static hf_status changes_its_mind(hf_orchestration *o, hf_slice input)
{
    int64_t count = 0;
    if (!hf_slice_to_i64(input, &count)) return HF_INVALID;
    for (int64_t i = 0; i < count; i++) {
        hf_future held = hf_schedule(o, "hold", hf_text("never"));
        HF_TRY(hf_dequeue(o, "go", NULL));
        hf_future_cancel(o, held);
    }
    return hf_complete(o, input);
}

/* Calls one off that heeds nothing, and stays. */
static hf_status moves_on(hf_orchestration *o, hf_slice input)
{
    hf_future held = hf_schedule(o, "stuck", input);
    HF_TRY(hf_dequeue(o, "go", NULL));
    hf_future_cancel(o, held);
    HF_TRY(hf_dequeue(o, "end", NULL));
    return hf_complete(o, hf_text("moved on"));
}

static hf_status refuses(hf_activity *a, hf_slice input)
{
    return hf_activity_fail(a, "refused", input, "not today");
}

/* Two activities that complete and one that fails, in one session; then the same in another
 * execution, or the end. */
static hf_status counted(hf_orchestration *o, hf_slice input)
{
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(hf_call_on(o, session, "echo", input, NULL));
    HF_TRY(hf_call_on(o, session, "echo", input, NULL));
    if (hf_call(o, "refuses", input, NULL) != HF_FAILED) return hf_complete(o, input);
    if (hf_slice_equal(input, hf_text("first"))) return hf_continue_as_new(o, hf_text("second"));
    return hf_fail(o, "counted", "as it should");
}

static const struct part parts[] = { { "changes its mind", changes_its_mind, NULL },
                                     { "moves on", moves_on, NULL },
                                     { "counted", counted, NULL },
                                     { "refuses", NULL, refuses },
                                     { NULL, NULL, NULL } };

/* ---- being told ----------------------------------------------------------------------------- */

/* The commit that calls an activity off tells it, at once: no lease is renewed meanwhile, and no
 * look once a second would do so many. */
static void trap_c11_commit_that_voids_tells_its_activity(void **state)
{
    enum { ROUNDS = 20, LEASE_MS = 600000, LIMIT_MS = 500 * ROUNDS };
    struct house house;
    hf_stats stats = HF_INIT(hf_stats);
    hf_error error = { 0 };
    char count[16];
    (void)state;
    snprintf(count, sizeof count, "%d", ROUNDS);
    house_open(&house, parts);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "w",
                                                       .item_lock_ms = LEASE_MS,
                                                       .session_lock_ms = LEASE_MS));
    const hf_clock *clock = hf_world_clock();
    uint64_t begin_ms = clock->boot_ms(clock->self);
    house_start(&house, "i", "changes its mind", count);
    for (size_t i = 1; i <= ROUNDS; i++) {
        stage_wait(&house.stage, "held i w", i);
        house_send(&house, "i", "go", "");
        stage_wait(&house.stage, "told i w", i);
    }
    assert_true(clock->boot_ms(clock->self) - begin_ms < LIMIT_MS);
    house_expect(&house, "i", count);
    assert_ok(hf_stats_read(house.store, &stats, &error), &error);
    assert_int_equal(stats.activities_running_count + stats.activities_waiting_count, 0);
    house_rest(runtime);
    assert_true(house_metric(runtime, "renewals") == 0);
    assert_true(house_metric(runtime, "activities_voided") == ROUNDS);
    hf_runtime_free(runtime);
    house_close(&house);
}

struct patience {
    struct house *house;
    hf_runtime *runtime;
};

/* Time goes on until the worker has lost patience: when it began to count, nobody sees. */
static bool is_reported(void *context)
{
    enum { STEP_MS = 1000 };
    struct patience *patience = context;
    house_move_clocks(patience->house, STEP_MS, 0);
    return house_metric(patience->runtime, "activities_stuck") == 1;
}

/* One that does not stop is reported once, and what it returns in the end reaches nobody. */
static void trap_c16_activity_that_does_not_stop_is_fenced(void **state)
{
    char history[HOUSE_TEXT_SIZE];
    struct house house;
    (void)state;
    house_open(&house, parts);
    hf_runtime *runtime = house_worker(
        &house, HF_WITH(hf_runtime_options, .worker_id = "w", .cancel_grace_ms = 5000));
    struct patience patience = { &house, runtime };
    house_start(&house, "i", "moves on", "gate");
    stage_wait(&house.stage, "held i w", 1);
    house_send(&house, "i", "go", "");
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &patience, is_reported));
    stage_wait(&house.stage, "log activity.stuck w i", 1);
    stage_open(&house.stage, "gate");
    house_send(&house, "i", "end", "");
    house_expect(&house, "i", "moved on");
    house_rest(runtime);
    assert_int_equal(stage_count(&house.stage, "log activity.stuck"), 1);
    assert_true(house_metric(runtime, "activities_completed") == 0);
    house_history(&house, "i", history, sizeof history);
    assert_null(strstr(history, "activity_completed"));
    hf_runtime_free(runtime);
    house_close(&house);
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Each start, outcome and turn counts once, where it is committed; what lives on in the next
 * execution is not begun there again. */
static void trap_c19_numbers_count_transitions(void **state)
{
    static const struct {
        const char *name;
        double value;
    } cases[] = {
        { "activities_started", 6 },   { "activities_completed", 4 }, { "activities_failed", 2 },
        { "activities_abandoned", 0 }, { "activities_voided", 0 },    { "activities_poisoned", 0 },
        { "turns_committed", 8 },      { "turns_abandoned", 0 },      { "turns_stale", 0 },
        { "sessions_opened", 1 },      { "sessions_ended", 1 },       { "sessions_claimed", 1 },
        { "sessions_taken_over", 0 },  { "sessions_closed", 1 },      { "workers_declared_dead", 0 }
    };
    struct house house;
    hf_stats stats = HF_INIT(hf_stats);
    hf_error error = { 0 };
    (void)state;
    house_open(&house, parts);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "w"));
    house_start(&house, "i", "counted", "first");
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    house_rest(runtime);
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        double value = house_metric(runtime, cases[i].name);
        if (value != cases[i].value) fail_msg("%s is %g", cases[i].name, value);
    }
    assert_ok(hf_stats_read(house.store, &stats, &error), &error);
    assert_int_equal(stats.failed_count, 1);
    assert_int_equal(stats.executions_count, 2);
    hf_runtime_free(runtime);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap_c11_commit_that_voids_tells_its_activity),
        cmocka_unit_test(trap_c16_activity_that_does_not_stop_is_fenced),
        cmocka_unit_test(trap_c19_numbers_count_transitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
