/* Stopping in order, a step at each wake of the loop thread. Nothing here waits.
 *
 *   1. No fetch begins any more; a grant that was on its way is handed back.
 *   2. Every session with nothing running is released, in one commit; activities are told to stop.
 *   3. What ends is committed; each other session is released with its last item. Renewals go on.
 *   4. The grace over: what still runs is handed back, uncounted, and its result will be dropped.
 *   5. Nothing is held any more: the registration ends, and its life file goes.
 *   6. Threads leave, but for those that a user's function does not let go: hf_runtime_free waits
 *      for them. */
#include "runtime/shutdown.h"

#include "engine/base/assert.h"
#include "runtime/runtime.h"

void hf__shutdown_init(hf_runtime *runtime)
{
    hf__task_init(&runtime->shutdown.end, runtime, HF__WAKE_SHUTDOWN);
}

void hf__shutdown_release(hf_runtime *runtime)
{
    hf__task_release(&runtime->shutdown.end);
}

bool hf__shutdown_ask(hf_runtime *runtime, uint64_t grace_ms)
{
    struct hf__shutdown *self = &runtime->shutdown;
    if (self->is_asked) return false;
    self->is_asked = true;
    self->grace_ms = grace_ms;
    return true;
}

bool hf__shutdown_tell(hf_runtime *runtime, void (*on_stopped)(void *user), void *user)
{
    struct hf__shutdown *self = &runtime->shutdown;
    if (!on_stopped || self->on_stopped) return false;
    self->on_stopped = on_stopped;
    self->user = user;
    return true;
}

/* ---- the steps ------------------------------------------------------------------------------ */

static void grace_over(uv_timer_t *timer)
{
    hf_runtime *runtime = timer->data;
    struct hf__shutdown *self = &runtime->shutdown;
    if (timer == &self->grace) self->is_grace_over = true;
    if (timer == &self->turns_grace) self->is_turns_grace_over = true;
    if (timer == &self->grace) {
        uv_mutex_lock(&runtime->mutex);
        hf__activities_give_up(runtime);
        uv_mutex_unlock(&runtime->mutex);
    }
    hf__shutdown_advance(runtime);
}

static void shutdown_begin(hf_runtime *runtime)
{
    struct hf__shutdown *self = &runtime->shutdown;
    uv_mutex_lock(&runtime->mutex);
    /* Not before the start is over: what it makes last would outlive the end. */
    bool is_asked = self->is_asked && runtime->has_begun;
    uint64_t grace_ms = self->grace_ms;
    if (is_asked) {
        runtime->state = HF__RUNTIME_STOPPING;
        runtime->dispatch.is_stopped = true;
        hf__activities_stop(runtime);
    }
    uv_mutex_unlock(&runtime->mutex);
    if (!is_asked) return;
    self->phase = HF__SHUTDOWN_DRAINING;
    uint64_t turns_ms = grace_ms > HF__TURNS_GRACE_MS ? grace_ms : HF__TURNS_GRACE_MS;
    uv_update_time(runtime->loop.uv);
    int failed = uv_timer_start(&self->grace, grace_over, grace_ms, 0);
    hf_assert(failed == 0);
    failed = uv_timer_start(&self->turns_grace, grace_over, turns_ms, 0);
    hf_assert(failed == 0);
}

static void draining(hf_runtime *runtime)
{
    struct hf__shutdown *self = &runtime->shutdown;
    /* Whoever cannot commit by now leaves it to the end of the registration. */
    if (self->is_turns_grace_over) {
        hf__retries_close(runtime);
    } else {
        hf__releasing_stop(runtime);
    }
    uv_mutex_lock(&runtime->mutex);
    bool is_work_over = !hf__dispatch_is_busy(runtime) && !hf__activities_are_pending(runtime) &&
                        (runtime->turns.taken_count == 0 || self->is_turns_grace_over);
    bool is_released = runtime->claims.owned_count == 0 || self->is_turns_grace_over;
    bool is_over = is_work_over && is_released && !runtime->releasing.task.is_busy &&
                   !hf__upkeep_is_busy(runtime) && !runtime->timers.fire.is_busy &&
                   !runtime->heartbeats.report.is_busy;
    uv_mutex_unlock(&runtime->mutex);
    if (is_over) self->phase = HF__SHUTDOWN_ENDING;
}

static void registration_end(hf_runtime *runtime)
{
    struct hf__task *task = &runtime->shutdown.end;
    if (!hf__task_prepare(task, HF_STORE_END_REGISTRATION)) return;
    task->submission.command.end_registration = (struct hf_store_end_registration){
        .registration = runtime->registration,
        .reason = HF_REASON_SHUTDOWN,
        .by = runtime->registration
    };
    runtime->shutdown.endings_count++;
    hf__task_submit(task);
}

/* The registration has ended, or cannot be ended: then others will find its process dead. */
static void leave(hf_runtime *runtime)
{
    runtime->shutdown.phase = HF__SHUTDOWN_LEAVING;
    uv_mutex_lock(&runtime->mutex);
    bool is_listening = runtime->is_listening;
    runtime->is_listening = false;
    uv_mutex_unlock(&runtime->mutex);
    if (is_listening) hf__effects_leave(runtime->store->effects, &runtime->listener);
    hf__life_close(runtime->store->lives, &runtime->life);
    uv_mutex_lock(&runtime->mutex);
    struct hf__claim *claim = hf__claims_next(&runtime->claims, NULL);
    while (claim) {
        hf__claims_forget(&runtime->claims, claim, HF__CLAIM_RELEASED,
                          "its registration has ended");
        claim = hf__claims_next(&runtime->claims, NULL);
    }
    hf__sessions_news(runtime);
    hf__turns_end(runtime);
    hf__activities_end(runtime);
    uv_mutex_unlock(&runtime->mutex);
}

static void ending(hf_runtime *runtime)
{
    struct hf__shutdown *self = &runtime->shutdown;
    if (hf__task_take_answer(&self->end)) {
        const struct hf_store_command *command = &self->end.submission.command;
        bool is_over = command->status == HF_OK || command->status == HF_STALE;
        if (!is_over) {
            hf__log(runtime->store->observer,
                    &(hf_log_line){ .level = HF_LOG_ERROR,
                                    .event = "worker.not_ended",
                                    .lsn = runtime->registration,
                                    .worker = runtime->worker_id },
                    "%s: %s", hf_status_name(command->status), command->error.message);
        }
        if (is_over || self->endings_count >= HF__ENDINGS_MAX) leave(runtime);
        return; /* else the next tick tries again */
    }
    registration_end(runtime);
}

static void leaving(hf_runtime *runtime)
{
    struct hf__shutdown *self = &runtime->shutdown;
    uv_mutex_lock(&runtime->mutex);
    bool is_quiet = !runtime->claims.news_first && runtime->claims.dying_count == 0 &&
                    !runtime->loop.is_burying;
    bool have_left = runtime->turns.threads_running_count == 0 || self->is_turns_grace_over;
    uv_mutex_unlock(&runtime->mutex);
    if (is_quiet && have_left) self->phase = HF__SHUTDOWN_DONE;
}

void hf__shutdown_advance(hf_runtime *runtime)
{
    struct hf__shutdown *self = &runtime->shutdown;
    if (self->phase == HF__SHUTDOWN_NONE) shutdown_begin(runtime);
    if (self->phase == HF__SHUTDOWN_DRAINING) draining(runtime);
    if (self->phase == HF__SHUTDOWN_ENDING) ending(runtime);
    if (self->phase == HF__SHUTDOWN_LEAVING) leaving(runtime);
    if (self->phase == HF__SHUTDOWN_DONE) hf__loop_end(runtime);
}
