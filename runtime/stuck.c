/* Activities that were told to stop and run on. Nothing is done about them: a thread cannot be
 * taken away from a function, and what the function returns is fenced anyway. They are reported, so
 * that somebody mends them. */
#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "runtime/runtime.h"

/* Whether it is stuck, which nobody has said so far. Under the mutex. */
static bool is_newly_stuck(struct hf_activity *activity, uint64_t now_boot_ms)
{
    uint64_t grace_ms = activity->runtime->settings.cancel_grace_ms;
    if (!activity->is_called || !activity->is_told) return false;
    if (!activity->is_told_timed) {
        activity->is_told_timed = true;
        activity->told_boot_ms = now_boot_ms;
    }
    return !activity->is_stuck && now_boot_ms - activity->told_boot_ms >= grace_ms;
}

/* Finds one, notes that it was found. */
static bool stuck_take(hf_runtime *runtime, uint64_t now_boot_ms,
                       struct hf__activity_names *out_stuck)
{
    struct hf__activities *self = &runtime->activities;
    bool is_found = false;
    uv_mutex_lock(&runtime->mutex);
    for (size_t i = 0; self->told_count > 0 && i < self->slots_count && !is_found; i++) {
        struct hf_activity *activity = &self->slots[i];
        is_found = is_newly_stuck(activity, now_boot_ms);
        if (!is_found) continue;
        activity->is_stuck = true;
        hf__activity_name(activity, out_stuck);
    }
    uv_mutex_unlock(&runtime->mutex);
    return is_found;
}

void hf__activities_look_stuck(hf_runtime *runtime)
{
    const hf_clock *clock = runtime->store->clock;
    uint64_t now_boot_ms = clock->boot_ms(clock->self);
    struct hf__activity_names stuck;
    while (stuck_take(runtime, now_boot_ms, &stuck)) {
        hf__metrics_add(&runtime->metrics, HF__ACTIVITIES_STUCK, 1);
        hf__log(runtime->store->observer,
                &(hf_log_line){ .level = HF_LOG_WARN,
                                .event = "activity.stuck",
                                .lsn = stuck.lsn,
                                .instance = stuck.instance,
                                .session = stuck.session[0] ? stuck.session : NULL,
                                .worker = runtime->worker_id,
                                .activity = stuck.activity },
                "told to stop, and still running after %llu ms: it should ask "
                "hf_activity_is_cancelled, wait for it, or poll hf_activity_cancel_fd",
                (unsigned long long)runtime->settings.cancel_grace_ms);
    }
}
