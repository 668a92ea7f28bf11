/* What becomes of a delivery when its function returned, or is not called:
 *
 *   told to stop because its token is void    nothing is sent
 *   HF_CANCELLED after being told by shutdown handed back, uncounted
 *   no function of that name here             handed back, counted, for 1 s doubling to 60 s
 *   its event cannot be read                  handed back, counted, for the longest delay
 *   no memory                                 handed back, uncounted, with growing delays
 *   handed out too often (poison)             failed, with the code "poison"
 *   its session was lost                      failed, as the session's policy says (recovery.c)
 *   it did not report in time                 failed while it runs; what it returns is dropped
 *   anything else                             its outcome is sent
 *   still running when the grace is over      handed back, uncounted; what it returns is dropped
 *
 * HF_STALE is an answer that is expected: cancelled, closed or taken over in the meantime. An
 * outcome that the store refuses for good is not ours to keep: it is handed back, once. */
#include "runtime/delivery.h"

#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/execution.h"
#include "runtime/runtime.h"

/* ---- sending -------------------------------------------------------------------------------- */

static void activity_send(struct hf_activity *activity)
{
    const struct hf_store_command *command = &activity->job.submission.command;
    hf_assert(!activity->is_sending);
    hf_assert(command->kind == HF_STORE_COMPLETE_ITEM || command->kind == HF_STORE_ABANDON_ITEM);
    activity->is_sending = true;
    hf__runtime_submit(activity->runtime, &activity->job.submission);
}

void hf__delivery_hand_back(struct hf_activity *activity, const struct hf_store_abandon_item *how)
{
    hf_assert(!activity->is_sending);
    hf__submission_reset(&activity->job.submission, HF_STORE_ABANDON_ITEM);
    struct hf_store_abandon_item *command = &activity->job.submission.command.abandon_item;
    *command = *how;
    command->token = activity->token;
    command->registration = activity->runtime->registration;
    command->progress = hf_arena_copy(&activity->job.submission.arena,
                                      hf__heartbeat_progress(activity));
    hf__metrics_add(&activity->runtime->metrics, HF__ACTIVITIES_ABANDONED, 1);
    activity_send(activity);
}

void hf__delivery_hand_over(struct hf_activity *activity)
{
    hf__delivery_hand_back(activity, &(struct hf_store_abandon_item){ .reason = HF_REASON_SHUTDOWN,
                                                                      .uncounted = true });
}

void hf__delivery_refuse(struct hf_activity *activity, hf_status status)
{
    struct hf__backoff *backoff = &activity->runtime->activities.backoff;
    struct hf_store_abandon_item how = { .reason = HF_REASON_ABANDONED };
    if (status == HF_NOT_FOUND) {
        how.reason = HF_REASON_UNREGISTERED;
        how.delay_ms = hf__backoff_ms(activity->info.attempt);
    } else if (status == HF_CORRUPT) {
        how.delay_ms = HF__BACKOFF_MAX_MS;
    } else {
        how.uncounted = true;
        how.delay_ms = hf__backoff_next(backoff, activity->token.item);
    }
    hf__delivery_hand_back(activity, &how);
}

/* ---- completing ----------------------------------------------------------------------------- */

/* Makes the command that completes it with output, or failure (NULL: none). False: no memory. */
static bool completion_make(struct hf_activity *activity, hf_slice output, const hf_error *failure)
{
    struct hf__submission *submission = &activity->job.submission;
    hf__submission_reset(submission, HF_STORE_COMPLETE_ITEM);
    hf_assert(activity->token.delivery_lsn != 0 && activity->token.delivery_number != 0);
    struct hf_store_complete_item *command = &submission->command.complete_item;
    command->token = activity->token;
    command->registration = activity->runtime->registration;
    command->is_poison = activity->is_poison;
    command->body = hf_body_activity_outcome(activity->token.item.event_id, output, failure,
                                             &submission->arena);
    return command->body.data != NULL;
}

void hf__delivery_complete(struct hf_activity *activity)
{
    const hf_error *failure = activity->failure.status == HF_OK ? NULL : &activity->failure;
    if (completion_make(activity, activity->output, failure)) {
        activity_send(activity);
    } else {
        hf__delivery_refuse(activity, HF_NO_MEMORY);
    }
}

void hf__delivery_fail(struct hf_activity *activity, const hf_error *failure)
{
    hf_assert(failure->status != HF_OK);
    activity->failure = *failure;
    activity->output = (hf_slice)HF_EMPTY;
    hf__delivery_complete(activity);
}

bool hf__delivery_fail_running(struct hf_activity *activity, const hf_error *failure)
{
    hf_assert(failure->status != HF_OK && !activity->is_sending);
    if (!completion_make(activity, failure->data, failure)) return false;
    activity_send(activity);
    return true;
}

/* ---- poison --------------------------------------------------------------------------------- */

/* Deliveries before this one that ended without an outcome and without a death. */
static uint64_t failures_count(const struct hf_activity *activity)
{
    uint64_t former = activity->info.attempt - 1;
    return former > activity->info.deaths ? former - activity->info.deaths : 0;
}

bool hf__delivery_is_poison(const struct hf_activity *activity)
{
    return activity->info.deaths >= HF__DEATHS_MAX ||
           failures_count(activity) >= activity->runtime->settings.attempts_max;
}

void hf__delivery_bury(struct hf_activity *activity)
{
    hf_error failure;
    struct hf_scheduled_activity scheduled;
    hf_status status = hf_body_read_activity(activity->body, &activity->arena, &scheduled,
                                             &failure);
    if (status != HF_OK) scheduled.name = hf_text("(its event cannot be read)");
    const char *text = hf_arena_text(&activity->arena, scheduled.name);
    if (text) activity->info.activity = text;
    if (activity->info.deaths >= HF__DEATHS_MAX) {
        hf_error_set(
            &failure, HF_FAILED,
            "activity %s is given up: the process that ran it died %u times; find out what "
            "in it ends the process, then schedule it again",
            activity->info.activity, activity->info.deaths);
    } else {
        hf_error_set(
            &failure, HF_FAILED,
            "activity %s is given up: it was handed out %llu times without an outcome, and "
            "attempts_max is %llu; its workers' logs say why (activity.unregistered, "
            "activity.unreadable), then schedule it again",
            activity->info.activity, (unsigned long long)failures_count(activity),
            (unsigned long long)activity->runtime->settings.attempts_max);
    }
    hf_error_code(&failure, "poison");
    activity->is_poison = true;
    hf__delivery_fail(activity, &failure);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void log_answer(const struct hf_activity *activity, const hf_log_line *line,
                       const char *message)
{
    hf_log_line whole = *line;
    whole.instance = activity->info.instance;
    whole.session = activity->info.session;
    whole.worker = activity->runtime->worker_id;
    whole.activity = activity->gave_up ? NULL : activity->info.activity;
    hf__log(activity->runtime->store->observer, &whole, "%s", message);
}

static void log_unsent(const struct hf_activity *activity, const struct hf_store_command *command)
{
    bool is_stale = command->status == HF_STALE;
    char message[HF__LOG_MESSAGE_SIZE];
    snprintf(message, sizeof message, "%s %s: %s", hf_status_name(command->status),
             command->error.code, command->error.message);
    log_answer(activity,
               &(hf_log_line){ .level = is_stale ? HF_LOG_DEBUG : HF_LOG_ERROR,
                               .event = is_stale ? "activity.stale" : "activity.unsent" },
               message);
}

/* What a completed delivery counts as; poison is told only now that the store agreed. */
static void note_completed(struct hf_activity *activity)
{
    struct hf__metrics *metrics = &activity->runtime->metrics;
    /* The failure of one that runs on is the function's to write. */
    bool is_failed = activity->fell_silent || activity->failure.status != HF_OK;
    hf__metrics_add(metrics, is_failed ? HF__ACTIVITIES_FAILED : HF__ACTIVITIES_COMPLETED, 1);
    if (!activity->is_poison) return;
    hf__metrics_add(metrics, HF__ACTIVITIES_POISONED, 1);
    log_answer(activity,
               &(hf_log_line){ .level = HF_LOG_ERROR,
                               .event = "activity.poison",
                               .lsn = activity->token.delivery_lsn },
               activity->failure.message);
}

/* Whether an outcome was refused for a reason that another attempt at it meets again: then the item
 * would be ours, and stuck, for as long as this process lives. */
static bool is_to_hand_back(const struct hf_activity *activity,
                            const struct hf_store_command *command)
{
    return command->kind == HF_STORE_COMPLETE_ITEM && command->status != HF_OK &&
           command->status != HF_STALE && !activity->runtime->retries.is_closed &&
           !activity->gave_up;
}

/* Committer thread, or the loop thread when nothing is tried again. */
void hf__delivery_answered(struct hf__submission *submission)
{
    struct hf_activity *activity = submission->user;
    hf_runtime *runtime = activity->runtime;
    const struct hf_store_command *command = &submission->command;
    hf_assert(submission == &activity->job.submission);
    uv_mutex_lock(&runtime->mutex);
    bool is_kept = hf__retries_add(runtime, &activity->job);
    uv_mutex_unlock(&runtime->mutex);
    if (is_kept) return;
    if (command->status != HF_OK) log_unsent(activity, command);
    if (command->status == HF_OK && command->kind == HF_STORE_COMPLETE_ITEM) {
        note_completed(activity);
    }
    if (command->status == HF_STALE) hf__metrics_add(&runtime->metrics, HF__ACTIVITIES_VOIDED, 1);

    uv_mutex_lock(&runtime->mutex);
    hf_assert(activity->is_sending);
    activity->is_sending = false;
    if (is_to_hand_back(activity, command)) {
        hf__delivery_refuse(activity, HF_CORRUPT);
    } else {
        hf__activity_item_ended(activity);
        hf__activity_settle(activity);
        hf__dispatch_kick(runtime);
    }
    uv_mutex_unlock(&runtime->mutex);
}
