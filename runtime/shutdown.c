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
    hf__task_init(&runtime->shutdown.release, runtime, HF__WAKE_SHUTDOWN);
    hf__task_init(&runtime->shutdown.end, runtime, HF__WAKE_SHUTDOWN);
}

void hf__shutdown_release(hf_runtime *runtime)
{
    hf__task_release(&runtime->shutdown.release);
    hf__task_release(&runtime->shutdown.end);
}

bool hf__shutdown_ask(hf_runtime *runtime, uint64_t grace_ms, void (*on_stopped)(void *user),
                      void *user)
{
    struct hf__shutdown *self = &runtime->shutdown;
    if (self->is_asked) return false;
    self->is_asked = true;
    self->grace_ms = grace_ms;
    self->on_stopped = on_stopped;
    self->user = user;
    return true;
}

/* ---- releasing sessions --------------------------------------------------------------------- */

static void log_released(hf_runtime *runtime, const struct hf__claim *claim)
{
    hf__metrics_add(&runtime->metrics, HF__SESSIONS_RELEASED, 1);
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_INFO,
                            .event = "session.release",
                            .lsn = claim->key.epoch,
                            .instance = claim->instance,
                            .session = claim->session,
                            .worker = runtime->worker_id },
            "released: its worker stops");
}

/* Names all sessions in which nothing of ours is under way. */
static size_t idle_collect(hf_runtime *runtime, struct hf_session_claim *sessions, size_t max)
{
    size_t count = 0;
    struct hf__claim *claim = hf__claims_next(&runtime->claims, NULL);
    for (; claim; claim = hf__claims_next(&runtime->claims, claim)) {
        if (claim->items_count > 0 || claim->is_releasing) continue;
        hf_assert(count < max);
        claim->is_releasing = true;
        sessions[count++] = claim->key;
    }
    return count;
}

static void release_idle(hf_runtime *runtime)
{
    struct hf__task *task = &runtime->shutdown.release;
    if (!hf__task_prepare(task, HF_STORE_RELEASE_SESSIONS)) return;
    uv_mutex_lock(&runtime->mutex);
    size_t max = runtime->claims.owned_count;
    struct hf_session_claim *sessions = hf_arena_array(&task->submission.arena, max,
                                                       sizeof *sessions);
    size_t count = sessions ? idle_collect(runtime, sessions, max) : 0;
    uv_mutex_unlock(&runtime->mutex);
    if (count == 0) return;
    task->submission.command.release_sessions = (struct hf_store_release_sessions){
        .registration = runtime->registration,
        .reason = HF_REASON_SHUTDOWN,
        .sessions = sessions,
        .sessions_count = count
    };
    hf__task_submit(task);
}

static bool is_refused(const struct hf_store_release_sessions *answer, size_t index)
{
    for (size_t i = 0; i < answer->out_voids_count; i++) {
        const struct hf_void *each = &answer->out_voids[i];
        if (each->index == index && hf_slice_equal(hf_text(each->code), hf_text("running"))) {
            return true;
        }
    }
    return false;
}

/* One of the sessions that were named is released (or was not ours any more), or has work after all
 * and is released with that. */
static void release_settle(hf_runtime *runtime, const struct hf_session_claim *key, bool is_over)
{
    uv_mutex_lock(&runtime->mutex);
    struct hf__claim *claim = hf__claims_find(&runtime->claims, key);
    if (claim) claim->is_releasing = false;
    uv_mutex_unlock(&runtime->mutex);
    if (!claim || !is_over) return;
    log_released(runtime, claim);
    uv_mutex_lock(&runtime->mutex);
    hf__claims_forget(&runtime->claims, claim);
    hf__claims_bury_later(runtime);
    uv_mutex_unlock(&runtime->mutex);
}

/* Answer of the store to a release. Refused as a whole, it is tried again at the next tick. */
static void release_answered(hf_runtime *runtime)
{
    const struct hf_store_command *command = &runtime->shutdown.release.submission.command;
    const struct hf_store_release_sessions *answer = &command->release_sessions;
    bool is_final = command->status == HF_OK || command->status == HF_STALE;
    runtime->shutdown.is_release_refused = !is_final;
    for (size_t i = 0; i < answer->sessions_count; i++) {
        bool is_over = is_final && !(command->status == HF_OK && is_refused(answer, i));
        release_settle(runtime, &answer->sessions[i], is_over);
    }
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
    uv_update_time(&runtime->loop.uv);
    int failed = uv_timer_start(&self->grace, grace_over, grace_ms, 0);
    hf_assert(failed == 0);
    failed = uv_timer_start(&self->turns_grace, grace_over, turns_ms, 0);
    hf_assert(failed == 0);
}

static void draining(hf_runtime *runtime)
{
    struct hf__shutdown *self = &runtime->shutdown;
    if (hf__task_take_answer(&self->release)) release_answered(runtime);
    /* Whoever cannot commit by now leaves it to the end of the registration. */
    if (self->is_turns_grace_over) {
        hf__retries_close(runtime);
    } else if (!self->is_release_refused) {
        release_idle(runtime);
    }
    uv_mutex_lock(&runtime->mutex);
    bool is_work_over = !hf__dispatch_is_busy(runtime) && !hf__activities_are_pending(runtime) &&
                        (runtime->turns.taken_count == 0 || self->is_turns_grace_over);
    bool is_released = runtime->claims.owned_count == 0 || self->is_turns_grace_over;
    bool is_over = is_work_over && is_released && !self->release.is_busy &&
                   !hf__upkeep_is_busy(runtime) && !runtime->timers.fire.is_busy;
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
        hf__claims_forget(&runtime->claims, claim);
        claim = hf__claims_next(&runtime->claims, NULL);
    }
    hf__claims_bury_later(runtime);
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
    bool is_quiet = runtime->claims.dying_count == 0 && !runtime->loop.is_burying;
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
