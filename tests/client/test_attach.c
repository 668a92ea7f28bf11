/* A runtime on a loop that the host runs: the test's own, with timers of its own beside it. */
#include "tests/support/house.h"

#include <uv.h>

enum { TICK_MS = 1 };

/* The host: a loop, a timer on it, and what was called on the loop's thread. */
struct host {
    struct house house;
    uv_loop_t loop;
    uv_timer_t timer;
    hf_runtime *runtime;
    pthread_t thread;
    int ticks_count, gains_count, losses_count, strangers_count, stops_count;
};

static void host_note(struct host *host, int *count)
{
    ++*count;
    if (!pthread_equal(host->thread, pthread_self())) host->strangers_count++;
}

static void host_on_session(void *user, const hf_session_info *session, bool gained)
{
    struct host *host = user;
    (void)session;
    host_note(host, gained ? &host->gains_count : &host->losses_count);
}

static void host_stopped(void *user)
{
    struct host *host = user;
    host_note(host, &host->stops_count);
    uv_close((uv_handle_t *)&host->timer, NULL);
}

/* Asks the runtime to stop as soon as the instance has completed. */
static void host_tick(uv_timer_t *timer)
{
    struct host *host = timer->data;
    const hf_instance *instance = NULL;
    host->ticks_count++;
    if (hf_get(host->house.store, "i", &instance, NULL) != HF_OK) return;
    bool is_over = instance->status == HF_INSTANCE_COMPLETED;
    hf_instance_free(instance);
    if (is_over) hf_runtime_stop(host->runtime, 0, host_stopped, host);
}

static void host_attach(struct host *host)
{
    hf_error error = { 0 };
    hf_runtime_options options = HF_INIT(hf_runtime_options);
    options.worker_id = "w";
    options.on_session = host_on_session;
    options.user = host;
    assert_ok(
        hf_runtime_new(host->house.store, host->house.registry, &options, &host->runtime, &error),
        &error);
    assert_ok(hf_runtime_attach(host->runtime, &host->loop, &error), &error);
}

static void host_open(struct host *host)
{
    *host = (struct host){ .thread = pthread_self() };
    house_open(&host->house, NULL);
    assert_int_equal(uv_loop_init(&host->loop), 0);
    host_attach(host);
}

/* Nothing is left on the loop: it can be closed. */
static void host_close(struct host *host)
{
    assert_int_equal(uv_loop_close(&host->loop), 0);
    house_close(&host->house);
}

/* Orchestration, session and activities run while the host's own timer ticks; what the runtime
 * calls back comes on the thread of the loop; once stopped, the loop runs out by itself. */
static void row_4b_13_runtime_runs_on_the_hosts_loop(void **state)
{
    (void)state;
    struct host host;
    host_open(&host);
    assert_int_equal(uv_timer_init(&host.loop, &host.timer), 0);
    host.timer.data = &host;
    assert_int_equal(uv_timer_start(&host.timer, host_tick, TICK_MS, TICK_MS), 0);
    house_start(&host.house, "i", "talk", "3");
    assert_int_equal(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    assert_true(host.ticks_count > 0);
    assert_int_equal(host.gains_count, 1);
    assert_int_equal(host.losses_count, 1);
    assert_int_equal(host.stops_count, 1);
    assert_int_equal(host.strangers_count, 0);
    assert_ok(hf_runtime_join(host.runtime, NULL), NULL);
    hf_runtime_free(host.runtime);
    host_close(&host);
}

/* Stopped by a signal handler, or by another thread, it leaves the loop as well. */
static void row_4b_13_loop_runs_out_when_a_signal_stops_it(void **state)
{
    (void)state;
    struct host host;
    host_open(&host);
    hf_runtime_stop_signal(host.runtime);
    assert_int_equal(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    hf_runtime_free(host.runtime);
    host_close(&host);
}

/* Freed while it runs, by the thread of the loop: it ends in order, and another runtime may be
 * attached to the same loop. */
static void row_4b_13_free_runs_the_loop_to_its_end(void **state)
{
    (void)state;
    struct host host;
    host_open(&host);
    hf_runtime_free(host.runtime);
    house_wait_gone(&host.house, "w");
    host_attach(&host);
    hf_runtime_free(host.runtime);
    host_close(&host);
}

static void free_elsewhere(void *argument)
{
    hf_runtime_free(argument);
}

/* Another thread frees it while the host runs the loop. */
static void row_4b_13_another_thread_may_free_it(void **state)
{
    (void)state;
    struct host host;
    uv_thread_t thread;
    host_open(&host);
    assert_int_equal(uv_thread_create(&thread, free_elsewhere, host.runtime), 0);
    assert_int_equal(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_thread_join(&thread), 0);
    host_close(&host);
}

/* The thread of the loop does not wait for itself; a runtime begins once, and needs a loop. A start
 * that is refused leaves nothing on the loop. */
static void row_4b_13_misuse_is_refused(void **state)
{
    (void)state;
    struct host host;
    hf_error error = { 0 };
    hf_runtime *twin = NULL;
    host_open(&host);
    assert_status(hf_runtime_join(host.runtime, &error), HF_INVALID);
    assert_status(hf_runtime_attach(host.runtime, &host.loop, &error), HF_INVALID);
    assert_status(hf_runtime_attach(host.runtime, NULL, &error), HF_INVALID);
    assert_ok(hf_runtime_new(host.house.store, host.house.registry,
                             HF_WITH(hf_runtime_options, .worker_id = "w"), &twin, &error),
              &error);
    assert_status(hf_runtime_attach(twin, &host.loop, &error), HF_WORKER_ALIVE);
    hf_runtime_free(twin);
    hf_runtime_free(host.runtime);
    host_close(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_4b_13_runtime_runs_on_the_hosts_loop),
        cmocka_unit_test(row_4b_13_loop_runs_out_when_a_signal_stops_it),
        cmocka_unit_test(row_4b_13_free_runs_the_loop_to_its_end),
        cmocka_unit_test(row_4b_13_another_thread_may_free_it),
        cmocka_unit_test(row_4b_13_misuse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
