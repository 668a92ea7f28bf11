/* Reports of running activities. A report is a note in memory; what is new of all activities goes
 * into one command a tick, so a thousand calls cost one commit, and no record.
 *
 * Silence is judged by the runtime that runs the activity: it alone knows when its author spoke
 * last, and needs no row for that. What it cannot see is the death or the standstill of its own
 * process, and that is what leases are for. Its judgement is an act like any other: it completes
 * the item with a failure, under the token that it holds. So whatever the function answers later
 * finds its token gone.
 *
 * Late twice: after the machine has slept every activity is late at the first look, and none had a
 * chance to speak. Who is still silent a tick later is judged. */
#include "runtime/heartbeats.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/execution.h"
#include "runtime/runtime.h"

void hf__heartbeats_init(hf_runtime *runtime)
{
    hf__task_init(&runtime->heartbeats.report, runtime, HF__WAKE_REPORTED);
}

void hf__heartbeats_release(hf_runtime *runtime)
{
    hf__task_release(&runtime->heartbeats.report);
}

hf_status hf__heartbeat_report(struct hf_activity *activity, hf_slice progress)
{
    hf_runtime *runtime = activity->runtime;
    const hf_clock *clock = runtime->store->clock;
    struct hf__heartbeat *self = &activity->heartbeat;
    uint64_t now_boot_ms = clock->boot_ms(clock->self);
    char *buffer = self->progress;
    hf_assert(progress.size <= HF_PROGRESS_SIZE_MAX);
    if (!buffer) buffer = hf_arena_new(&activity->arena, HF_PROGRESS_SIZE_MAX);
    if (!buffer) return HF_NO_MEMORY;
    uv_mutex_lock(&runtime->mutex);
    if (progress.size > 0) memcpy(buffer, progress.data, progress.size);
    self->progress = buffer;
    self->progress_size = progress.size;
    self->has_news = true;
    self->heard_boot_ms = now_boot_ms;
    uv_mutex_unlock(&runtime->mutex);
    return HF_OK;
}

hf_slice hf__heartbeat_progress(const struct hf_activity *activity)
{
    const struct hf__heartbeat *self = &activity->heartbeat;
    return self->progress ? hf_bytes(self->progress, self->progress_size) : (hf_slice)HF_EMPTY;
}

/* ---- who fell silent ------------------------------------------------------------------------ */

/* Whether its author has had the time that was given, and a tick more. Under the mutex. */
static bool is_silent(struct hf_activity *activity, uint64_t now_boot_ms)
{
    struct hf__heartbeat *self = &activity->heartbeat;
    bool must_speak = activity->is_called && !activity->is_rebuild && !activity->is_completed &&
                      hf__activity_is_held(activity);
    if (!must_speak || self->timeout_ms == 0) return false;
    bool is_late = now_boot_ms > self->heard_boot_ms &&
                   now_boot_ms - self->heard_boot_ms >= self->timeout_ms;
    bool was_late = self->seems_silent;
    self->seems_silent = is_late;
    return is_late && was_late;
}

/* Under the mutex. */
static bool silent_fail(struct hf_activity *activity)
{
    hf_error failure;
    hf_error_set(&failure, HF_TIMEOUT,
                 "activity %s did not report for %llu ms, its heartbeat_timeout_ms",
                 activity->info.activity, (unsigned long long)activity->heartbeat.timeout_ms);
    hf_error_code(&failure, HF_CODE_HEARTBEAT);
    failure.data = hf__heartbeat_progress(activity);
    return hf__activity_fell_silent(activity, &failure);
}

static void silent_tell(hf_runtime *runtime, const struct hf__activity_names *names)
{
    hf__metrics_add(&runtime->metrics, HF__ACTIVITIES_SILENT, 1);
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_WARN,
                            .event = "activity.silent",
                            .lsn = names->lsn,
                            .instance = names->instance,
                            .session = names->session[0] ? names->session : NULL,
                            .worker = runtime->worker_id,
                            .activity = names->activity },
            "it did not report in time: failed with the code " HF_CODE_HEARTBEAT
            ", and told to stop");
}

static void silent_look(hf_runtime *runtime)
{
    struct hf__activities *activities = &runtime->activities;
    const hf_clock *clock = runtime->store->clock;
    uint64_t now_boot_ms = clock->boot_ms(clock->self);
    for (size_t i = 0; i < activities->slots_count; i++) {
        struct hf_activity *activity = &activities->slots[i];
        struct hf__activity_names names;
        uv_mutex_lock(&runtime->mutex);
        bool is_failed = is_silent(activity, now_boot_ms);
        if (is_failed) hf__activity_name(activity, &names);
        if (is_failed) is_failed = silent_fail(activity);
        uv_mutex_unlock(&runtime->mutex);
        if (is_failed) silent_tell(runtime, &names);
    }
}

/* ---- what is new ---------------------------------------------------------------------------- */

static bool has_news(const struct hf_activity *activity)
{
    return activity->heartbeat.has_news && !activity->is_rebuild && hf__activity_is_held(activity);
}

/* Puts all news into the command. Without memory they are news still. Under the mutex. */
static void news_collect(hf_runtime *runtime, struct hf__submission *submission)
{
    struct hf__activities *activities = &runtime->activities;
    struct hf_arena *arena = &submission->arena;
    size_t count = 0;
    for (size_t i = 0; i < activities->slots_count; i++) count += has_news(&activities->slots[i]);
    if (count == 0) return;
    struct hf_report *reports = hf_arena_array(arena, count, sizeof *reports);
    size_t filled = 0;
    for (size_t i = 0; reports && i < activities->slots_count; i++) {
        struct hf_activity *activity = &activities->slots[i];
        if (!has_news(activity)) continue;
        hf_slice progress = hf_arena_copy(arena, hf__heartbeat_progress(activity));
        if (arena->failed) break;
        reports[filled++] = (struct hf_report){ activity->token, progress };
        activity->heartbeat.has_news = false;
    }
    hf_assert(filled <= count);
    submission->command.report = (struct hf_store_report){ .registration = runtime->registration,
                                                           .reports = reports,
                                                           .reports_count = filled };
}

static void news_send(hf_runtime *runtime)
{
    struct hf__task *task = &runtime->heartbeats.report;
    if (!hf__task_prepare(task, HF_STORE_REPORT)) return;
    task->submission.command.report = (struct hf_store_report){ 0 };
    uv_mutex_lock(&runtime->mutex);
    news_collect(runtime, &task->submission);
    uv_mutex_unlock(&runtime->mutex);
    if (task->submission.command.report.reports_count > 0) hf__task_submit(task);
}

void hf__heartbeats_tick(hf_runtime *runtime)
{
    hf_assert(runtime->shutdown.phase <= HF__SHUTDOWN_DRAINING);
    silent_look(runtime);
    news_send(runtime);
}

void hf__heartbeats_answers(hf_runtime *runtime)
{
    struct hf__activities *activities = &runtime->activities;
    struct hf__task *task = &runtime->heartbeats.report;
    if (!hf__task_take_answer(task)) return;
    hf_status status = task->submission.command.status;
    if (status == HF_OK || status == HF_STALE) return;
    /* Nobody knows which of them is new to the store: all that was reported is sent again. */
    uv_mutex_lock(&runtime->mutex);
    for (size_t i = 0; i < activities->slots_count; i++) {
        struct hf__heartbeat *heartbeat = &activities->slots[i].heartbeat;
        if (heartbeat->progress) heartbeat->has_news = true;
    }
    uv_mutex_unlock(&runtime->mutex);
}
