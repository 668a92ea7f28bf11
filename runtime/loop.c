/* The loop thread: libuv, the ticks, and what the bits of enum hf__wake lead to. It reads the store
 * and submits tasks; it never runs a user's function but on_session and on_stopped, and never waits
 * for a commit. It is a thread of the runtime's own, or the caller's, who attached the runtime to a
 * loop that he runs himself: then no callback here may assume that the loop has nothing else to do.
 *
 * A signal only writes to an eventfd that the loop polls. */
#include <unistd.h>

#include "engine/base/assert.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

enum { TICKS_PER_LOOK = 4 }; /* the net under lost rings and clock jumps: once a second */

/* ---- bits ----------------------------------------------------------------------------------- */

void hf__runtime_wake(hf_runtime *runtime, uint32_t bits)
{
    struct hf__loop *loop = &runtime->loop;
    loop->bits |= bits;
    if (!loop->is_open) return;
    int failed = uv_async_send(&loop->wake);
    hf_assert(failed == 0);
}

void hf__runtime_wake_if_stopping(hf_runtime *runtime)
{
    if (runtime->state == HF__RUNTIME_STOPPING) hf__runtime_wake(runtime, HF__WAKE_SHUTDOWN);
}

void hf__loop_effects(struct hf__listener *listener, uint32_t effects)
{
    size_t offset = offsetof(struct hf_runtime, listener);
    hf_runtime *runtime = (hf_runtime *)(void *)((char *)listener - offset);
    const uint32_t work = HF_EFFECT_TURNS_DUE | HF_EFFECT_ITEMS_READY | HF_EFFECT_REGISTRATIONS;
    bool is_heard = (effects & HF__EFFECT_HEARD) != 0;
    uint32_t bits = 0;
    if (is_heard && (effects & work)) bits |= HF__WAKE_LOOK;
    if (effects & HF_EFFECT_VOIDED) bits |= HF__WAKE_HELD;
    if (effects & HF_EFFECT_TIMERS) bits |= HF__WAKE_TIMERS;
    if (effects & HF_EFFECT_RECLAIM) bits |= HF__WAKE_RECLAIM;
    uv_mutex_lock(&runtime->mutex);
    if (!is_heard) hf__dispatch_effects(runtime, effects);
    if (bits) hf__runtime_wake(runtime, bits);
    uv_mutex_unlock(&runtime->mutex);
}

static void bury_run(uv_work_t *work)
{
    hf__claims_bury(work->data);
}

/* Something may have died while the destructors ran. */
static void bury_done(uv_work_t *work, int status)
{
    hf_runtime *runtime = work->data;
    hf_assert(status == 0);
    uv_mutex_lock(&runtime->mutex);
    runtime->loop.is_burying = false;
    hf__claims_bury_later(runtime);
    hf__runtime_wake_if_stopping(runtime);
    uv_mutex_unlock(&runtime->mutex);
}

/* Destructors are the user's code and may be slow: not on this thread. */
static void bury(hf_runtime *runtime)
{
    struct hf__loop *loop = &runtime->loop;
    uv_mutex_lock(&runtime->mutex);
    bool is_needed = runtime->claims.dying && !loop->is_burying;
    if (is_needed) loop->is_burying = true;
    uv_mutex_unlock(&runtime->mutex);
    if (!is_needed) return;
    loop->bury.data = runtime;
    int failed = uv_queue_work(loop->uv, &loop->bury, bury_run, bury_done);
    hf_assert(failed == 0);
}

static void loop_woken(uv_async_t *async)
{
    hf_runtime *runtime = async->data;
    uv_mutex_lock(&runtime->mutex);
    uint32_t bits = runtime->loop.bits;
    runtime->loop.bits = 0;
    uv_mutex_unlock(&runtime->mutex);
    if (bits & HF__WAKE_BURY) bury(runtime);
    if (bits & HF__WAKE_UPKEEP) hf__upkeep_answers(runtime);
    if (bits & HF__WAKE_FIRED) hf__timers_answers(runtime);
    if (bits & HF__WAKE_HELD) hf__upkeep_check(runtime);
    if (bits & HF__WAKE_FENCED) hf__upkeep_lost(runtime);
    if (bits & HF__WAKE_RELEASED) hf__releasing_answers(runtime);
    if (bits & HF__WAKE_REPORTED) hf__heartbeats_answers(runtime);
    if (bits & HF__WAKE_IDLE) hf__releasing_look(runtime);
    if (bits & HF__WAKE_NEWS) hf__sessions_tell(runtime);
    bool is_working = runtime->shutdown.phase == HF__SHUTDOWN_NONE;
    if (is_working && (bits & HF__WAKE_LOOK)) hf__dispatch_look(runtime);
    if (is_working && (bits & HF__WAKE_TIMERS)) hf__timers_look(runtime);
    if (is_working && (bits & HF__WAKE_RECLAIM)) hf__upkeep_reclaim(runtime);
    hf__shutdown_advance(runtime);
}

/* ---- ticks ---------------------------------------------------------------------------------- */

static void loop_tick(uv_timer_t *timer)
{
    hf_runtime *runtime = timer->data;
    struct hf__loop *loop = &runtime->loop;
    loop->ticks_count++;
    hf__upkeep_tick(runtime);
    hf__releasing_tick(runtime);
    hf__activities_look_stuck(runtime);
    hf__watch_look(runtime);
    if (runtime->shutdown.phase <= HF__SHUTDOWN_DRAINING) hf__heartbeats_tick(runtime);
    uv_mutex_lock(&runtime->mutex);
    hf__retries_submit(runtime);
    hf__dispatch_kick(runtime);
    uv_mutex_unlock(&runtime->mutex);
    if (runtime->shutdown.phase == HF__SHUTDOWN_NONE) {
        hf__upkeep_probe(runtime);
        if (loop->ticks_count % TICKS_PER_LOOK == 0) {
            hf__dispatch_look(runtime);
            hf__timers_look(runtime);
            hf__leaks_look(runtime);
        }
    }
    hf__shutdown_advance(runtime);
}

static void loop_renew(uv_timer_t *timer)
{
    hf_runtime *runtime = timer->data;
    if (runtime->shutdown.phase <= HF__SHUTDOWN_DRAINING) hf__upkeep_renew(runtime);
}

static void loop_signalled(uv_poll_t *poll, int status, int events)
{
    hf_runtime *runtime = poll->data;
    uint64_t count = 0;
    if (status != 0 || !(events & UV_READABLE)) return;
    if (read(runtime->stop_signal, &count, sizeof count) != (ssize_t)sizeof count) return;
    hf_runtime_stop(runtime, HF__GRACE_MS, NULL, NULL);
}

/* ---- life ----------------------------------------------------------------------------------- */

static hf_status loop_failed(int failed, hf_error *error)
{
    hf_assert(failed < 0);
    return hf_error_system(error, failed == UV_ENOMEM ? HF_NO_MEMORY : HF_IO, -failed,
                           "cannot make the event loop (%s): raise the limit of open files",
                           uv_strerror(failed));
}

static void timer_make(hf_runtime *runtime, uv_timer_t *timer)
{
    int failed = uv_timer_init(runtime->loop.uv, timer);
    hf_assert(failed == 0);
    timer->data = runtime;
}

/* Takes the loop that is given, or makes one. */
static hf_status loop_choose(struct hf__loop *loop, uv_loop_t *given, hf_error *error)
{
    loop->is_attached = given != NULL;
    loop->uv = given ? given : &loop->own;
    loop->has_runner = loop->is_attached;
    loop->runner = uv_thread_self();
    int failed = given ? 0 : uv_loop_init(&loop->own);
    return failed ? loop_failed(failed, error) : HF_OK;
}

hf_status hf__loop_open(hf_runtime *runtime, uv_loop_t *given, hf_error *error)
{
    struct hf__loop *loop = &runtime->loop;
    hf_status status = loop_choose(loop, given, error);
    if (status != HF_OK) return status;
    int failed = uv_async_init(loop->uv, &loop->wake, loop_woken);
    if (failed) {
        if (!given) uv_loop_close(&loop->own);
        return loop_failed(failed, error);
    }
    loop->wake.data = runtime;
    timer_make(runtime, &loop->tick);
    timer_make(runtime, &loop->renew);
    timer_make(runtime, &runtime->timers.due);
    timer_make(runtime, &runtime->releasing.idle);
    timer_make(runtime, &runtime->shutdown.grace);
    timer_make(runtime, &runtime->shutdown.turns_grace);
    failed = uv_poll_init(loop->uv, &loop->signal, runtime->stop_signal);
    hf_assert(failed == 0); /* an eventfd can be polled */
    loop->signal.data = runtime;
    loop->has_handles = true;
    loop->is_open = true;
    return HF_OK;
}

/* The runtime has stopped: nothing of it is left on the loop. */
static void loop_ended(hf_runtime *runtime)
{
    struct hf__shutdown *shutdown = &runtime->shutdown;
    hf_assert(runtime->loop.is_ended);
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_INFO,
                            .event = "worker.stop",
                            .lsn = runtime->registration,
                            .worker = runtime->worker_id },
            "stopped");
    uv_mutex_lock(&runtime->mutex);
    if (shutdown->on_stopped) {
        uv_mutex_unlock(&runtime->mutex);
        shutdown->on_stopped(shutdown->user);
        uv_mutex_lock(&runtime->mutex);
    }
    /* Who names somebody from now on tells him itself. */
    runtime->state = HF__RUNTIME_STOPPED;
    uv_cond_broadcast(&runtime->changed);
    uv_mutex_unlock(&runtime->mutex);
}

/* On a loop of its own the thread sees by itself that nothing is left. */
static void handle_closed(uv_handle_t *handle)
{
    hf_runtime *runtime = handle->data;
    struct hf__loop *loop = &runtime->loop;
    hf_assert(loop->closing_count > 0);
    loop->closing_count--;
    if (loop->closing_count == 0 && loop->is_attached) loop_ended(runtime);
}

static void handles_close(hf_runtime *runtime)
{
    struct hf__loop *loop = &runtime->loop;
    uv_handle_t *handles[] = { (uv_handle_t *)&loop->wake,
                               (uv_handle_t *)&loop->tick,
                               (uv_handle_t *)&loop->renew,
                               (uv_handle_t *)&loop->signal,
                               (uv_handle_t *)&runtime->timers.due,
                               (uv_handle_t *)&runtime->releasing.idle,
                               (uv_handle_t *)&runtime->shutdown.grace,
                               (uv_handle_t *)&runtime->shutdown.turns_grace };
    uv_mutex_lock(&runtime->mutex);
    loop->is_open = false;
    uv_mutex_unlock(&runtime->mutex);
    loop->closing_count = HF_COUNT_OF(handles);
    for (size_t i = 0; i < HF_COUNT_OF(handles); i++) uv_close(handles[i], handle_closed);
    loop->has_handles = false;
}

void hf__loop_end(hf_runtime *runtime)
{
    hf_assert(runtime->shutdown.phase == HF__SHUTDOWN_DONE);
    if (runtime->loop.is_ended) return;
    runtime->loop.is_ended = true;
    handles_close(runtime);
}

static void own_close(hf_runtime *runtime)
{
    hf_assert(!runtime->loop.is_attached);
    int failed = uv_run(&runtime->loop.own, UV_RUN_DEFAULT);
    hf_assert(failed == 0);
    failed = uv_loop_close(&runtime->loop.own);
    hf_assert(failed == 0);
}

void hf__loop_discard(hf_runtime *runtime)
{
    if (!runtime->loop.has_handles) return;
    handles_close(runtime);
    own_close(runtime);
}

bool hf__loop_is_here(const hf_runtime *runtime)
{
    const struct hf__loop *loop = &runtime->loop;
    uv_thread_t self = uv_thread_self();
    return loop->has_runner && uv_thread_equal(&loop->runner, &self) != 0;
}

bool hf__loop_is_mine(const hf_runtime *runtime)
{
    return runtime->loop.is_attached && hf__loop_is_here(runtime);
}

void hf__loop_run_out(hf_runtime *runtime)
{
    hf_assert(runtime->loop.is_attached);
    bool is_over = false;
    while (!is_over) {
        uv_run(runtime->loop.uv, UV_RUN_ONCE);
        uv_mutex_lock(&runtime->mutex);
        is_over = runtime->state == HF__RUNTIME_STOPPED;
        uv_mutex_unlock(&runtime->mutex);
    }
}

static void own_run(void *argument)
{
    hf_runtime *runtime = argument;
    uv_mutex_lock(&runtime->mutex);
    runtime->loop.has_runner = true;
    runtime->loop.runner = uv_thread_self();
    uv_mutex_unlock(&runtime->mutex);
    own_close(runtime);
    loop_ended(runtime);
}

hf_status hf__loop_start(hf_runtime *runtime, hf_error *error)
{
    struct hf__loop *loop = &runtime->loop;
    uint64_t period_ms = hf__upkeep_period_ms(runtime);
    int failed = uv_timer_start(&loop->tick, loop_tick, HF__PROBE_MS, HF__PROBE_MS);
    hf_assert(failed == 0);
    failed = uv_timer_start(&loop->renew, loop_renew, period_ms, period_ms);
    hf_assert(failed == 0);
    failed = uv_poll_start(&loop->signal, UV_READABLE, loop_signalled);
    hf_assert(failed == 0);
    if (loop->is_attached) return HF_OK;
    hf_status status = hf__thread_start(&loop->thread, own_run, runtime, error);
    if (status == HF_OK) loop->has_thread = true;
    return status;
}
