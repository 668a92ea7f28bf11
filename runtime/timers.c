/* Waking for durable timers. The wall clock says when one is due; the alarm runs on the loop's
 * clock and is set anew at least once a second, so that a jump of the wall clock delays nothing
 * longer.
 *
 * Every runtime of a store sets its alarm for the same timer; the first to fire it leaves nothing
 * for the others. */
#include "runtime/timers.h"

#include "engine/base/assert.h"
#include "runtime/runtime.h"
#include "runtime/test_clock.h"

enum { FIRED_MAX = 256, ALARM_MAX_MS = 60000, SKIP_LOOK_MS = 1 };

void hf__timers_init(hf_runtime *runtime)
{
    hf__task_init(&runtime->timers.fire, runtime, HF__WAKE_FIRED);
}

void hf__timers_release(hf_runtime *runtime)
{
    hf__task_release(&runtime->timers.fire);
}

static void timers_fire(hf_runtime *runtime)
{
    struct hf__task *task = &runtime->timers.fire;
    if (!hf__task_prepare(task, HF_STORE_FIRE_TIMERS)) return;
    task->submission.command.fire_timers.timers_max = FIRED_MAX;
    hf__task_submit(task);
}

static void timers_due(uv_timer_t *alarm)
{
    hf__timers_look(alarm->data);
}

/* With a test clock: whether this runtime has nothing to do until the next timer. */
static bool may_skip(hf_runtime *runtime, const struct hf_peek *peek)
{
    if (!runtime->settings.test_clock || peek->out_turns_due || peek->out_items_ready) return false;
    uv_mutex_lock(&runtime->mutex);
    bool is_idle = runtime->turns.taken_count == 0 && runtime->activities.held_count == 0 &&
                   !hf__dispatch_is_busy(runtime);
    uv_mutex_unlock(&runtime->mutex);
    return is_idle;
}

void hf__timers_look(hf_runtime *runtime)
{
    const hf_clock *clock = runtime->store->clock;
    struct hf_backend *backend = runtime->store->backend;
    struct hf_peek peek = { .registration = runtime->registration,
                            .engine_version_min = runtime->settings.engine_version_min,
                            .engine_version_max = runtime->settings.engine_version_max,
                            .no_sessions = runtime->settings.sessions_max == 0,
                            .tags = runtime->settings.tags,
                            .tags_count = runtime->settings.tags_count };
    hf_error error;
    /* What begins while the runtime ends would find nobody to take its answer. */
    if (runtime->shutdown.phase != HF__SHUTDOWN_NONE) return;
    if (backend->ops->peek(backend, &peek, &error) != HF_OK) return;
    if (peek.out_reclaim) hf__upkeep_reclaim(runtime);
    if (peek.out_next_timer_unix_ms == 0) {
        uv_timer_stop(&runtime->timers.due);
        return;
    }
    if (may_skip(runtime, &peek)) {
        hf__test_clock_skip_to(runtime->settings.test_clock, peek.out_next_timer_unix_ms);
    }
    uint64_t now_unix_ms = clock->wall_unix_ms(clock->self);
    if (peek.out_next_timer_unix_ms <= now_unix_ms) {
        timers_fire(runtime);
        return;
    }
    uint64_t left_ms = peek.out_next_timer_unix_ms - now_unix_ms;
    if (left_ms > ALARM_MAX_MS) left_ms = ALARM_MAX_MS;
    if (runtime->settings.test_clock) left_ms = SKIP_LOOK_MS; /* it may have nothing to do then */
    /* The loop's idea of now may be old by what the loop has done since. */
    uv_update_time(runtime->loop.uv);
    int failed = uv_timer_start(&runtime->timers.due, timers_due, left_ms, 0);
    hf_assert(failed == 0);
}

void hf__timers_answers(hf_runtime *runtime)
{
    struct hf__task *task = &runtime->timers.fire;
    if (!hf__task_take_answer(task)) return;
    const struct hf_store_command *command = &task->submission.command;
    if (command->status != HF_OK) return; /* the next look tries again */
    hf__metrics_add(&runtime->metrics, HF__TIMERS_FIRED, command->fire_timers.out_fired_count);
    hf__timers_look(runtime);
}
