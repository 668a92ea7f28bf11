/* Releases. The store has the last word: it refuses what has work, queued or running, and then the
 * session stays ours, with its memory warm.
 *
 * Idle time counts by the store's clock, from the look of the loop thread that follows the end of
 * the last activity. The timer only wakes: it does not run while the machine sleeps, so the tick
 * looks as well. */
#include "runtime/releasing.h"

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "runtime/runtime.h"

void hf__releasing_init(hf_runtime *runtime)
{
    hf__task_init(&runtime->releasing.task, runtime, HF__WAKE_RELEASED);
    hf_arena_init(&runtime->releasing.owned, runtime->heap);
}

void hf__releasing_release(hf_runtime *runtime)
{
    hf__task_release(&runtime->releasing.task);
    hf_arena_release(&runtime->releasing.owned);
}

/* ---- a release begins ----------------------------------------------------------------------- */

static void release_submit(hf_runtime *runtime, uint64_t reason, struct hf_session_claim *sessions,
                           size_t count)
{
    struct hf__task *task = &runtime->releasing.task;
    task->submission.command.release_sessions = (struct hf_store_release_sessions){
        .registration = runtime->registration,
        .reason = reason,
        .sessions = sessions,
        .sessions_count = count
    };
    hf__task_submit(task);
}

/* Room for all that is held; NULL: none. Under the mutex. */
static struct hf_session_claim *room_make(hf_runtime *runtime)
{
    return hf_arena_array(&runtime->releasing.task.submission.arena, runtime->claims.owned_count,
                          sizeof(struct hf_session_claim));
}

/* What runs on after the grace has no delivery any more, and does not keep its session. */
static size_t unused_collect(hf_runtime *runtime, struct hf_session_claim *sessions)
{
    size_t count = 0;
    struct hf__claim *claim = hf__claims_next(&runtime->claims, NULL);
    for (; claim; claim = hf__claims_next(&runtime->claims, claim)) {
        if (claim->items_count > 0 || claim->is_releasing) continue;
        hf_assert(count < runtime->claims.owned_count);
        hf__claims_release_begun(&runtime->claims, claim);
        sessions[count++] = claim->key;
    }
    return count;
}

void hf__releasing_stop(hf_runtime *runtime)
{
    struct hf__task *task = &runtime->releasing.task;
    if (runtime->releasing.is_refused || !hf__task_prepare(task, HF_STORE_RELEASE_SESSIONS)) return;
    uv_mutex_lock(&runtime->mutex);
    struct hf_session_claim *sessions = room_make(runtime);
    size_t count = sessions ? unused_collect(runtime, sessions) : 0;
    uv_mutex_unlock(&runtime->mutex);
    if (count > 0) release_submit(runtime, HF_REASON_SHUTDOWN, sessions, count);
}

/* ---- idle ----------------------------------------------------------------------------------- */

/* Takes those off the list of idle ones whose time is over. */
static size_t overdue_collect(hf_runtime *runtime, uint64_t now_boot_ms,
                              struct hf_session_claim *sessions)
{
    size_t count = 0;
    struct hf__claim *claim = runtime->claims.idle_first;
    while (claim && claim->idle_from_boot_ms + runtime->settings.session_idle_ms <= now_boot_ms) {
        struct hf__claim *next = claim->idle_next;
        hf__claims_release_begun(&runtime->claims, claim);
        sessions[count++] = claim->key;
        claim = next;
    }
    return count;
}

static void idle_over(uv_timer_t *timer)
{
    hf__releasing_look(timer->data);
}

static void sleep_until(hf_runtime *runtime, uint64_t now_boot_ms, uint64_t then_boot_ms)
{
    uint64_t left_ms = then_boot_ms > now_boot_ms ? then_boot_ms - now_boot_ms : 1;
    uv_update_time(runtime->loop.uv);
    int failed = uv_timer_start(&runtime->releasing.idle, idle_over, left_ms, 0);
    hf_assert(failed == 0);
}

void hf__releasing_look(hf_runtime *runtime)
{
    struct hf__releasing *self = &runtime->releasing;
    const hf_clock *clock = runtime->store->clock;
    uint64_t idle_ms = runtime->settings.session_idle_ms;
    if (idle_ms == 0 || runtime->shutdown.phase != HF__SHUTDOWN_NONE) return;
    uint64_t now_boot_ms = clock->boot_ms(clock->self);
    bool can_release = !self->is_refused &&
                       hf__task_prepare(&self->task, HF_STORE_RELEASE_SESSIONS);
    uv_mutex_lock(&runtime->mutex);
    hf__claims_look_idle(&runtime->claims, now_boot_ms);
    struct hf_session_claim *sessions = can_release ? room_make(runtime) : NULL;
    size_t count = sessions ? overdue_collect(runtime, now_boot_ms, sessions) : 0;
    const struct hf__claim *next = runtime->claims.idle_first;
    uint64_t next_boot_ms = next ? next->idle_from_boot_ms + idle_ms : 0;
    uv_mutex_unlock(&runtime->mutex);
    if (count > 0) release_submit(runtime, HF_REASON_RELEASED, sessions, count);
    /* When one could not be named now, an answer or the tick brings the next look. */
    if (next && can_release) sleep_until(runtime, now_boot_ms, next_boot_ms);
}

/* ---- what could not be learned -------------------------------------------------------------- */

/* Those of rows that no claim here stands for. Under the mutex. */
static size_t unknown_collect(hf_runtime *runtime, const struct hf_session_row *rows, size_t count,
                              struct hf_session_claim *sessions)
{
    size_t unknown_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct hf_session_claim key = { rows[i].instance, rows[i].incarnation,
                                              rows[i].epoch };
        if (!hf__claims_find(&runtime->claims, &key)) sessions[unknown_count++] = key;
    }
    return unknown_count;
}

/* Lets go what the store says is ours and we know nothing of: the delivery that claimed it came
 * when there was no memory, and with it the session's policy. Whoever claims it next hears of that.
 */
static void release_unknown(hf_runtime *runtime)
{
    struct hf__releasing *self = &runtime->releasing;
    struct hf_backend *backend = runtime->store->backend;
    struct hf_sessions_query query = { .owner = runtime->registration };
    struct hf_session_row *rows = NULL;
    size_t count = 0;
    hf_error error;
    hf_arena_reset(&self->owned);
    hf_status status = backend->ops->sessions(backend, &query, &self->owned, &rows, &count, &error);
    if (status != HF_OK || !hf__task_prepare(&self->task, HF_STORE_RELEASE_SESSIONS)) return;
    struct hf_session_claim *sessions = hf_arena_array(&self->task.submission.arena, count,
                                                       sizeof *sessions);
    if (!sessions) return;
    uv_mutex_lock(&runtime->mutex);
    size_t unknown_count = unknown_collect(runtime, rows, count, sessions);
    runtime->claims.is_incomplete = unknown_count > 0;
    uv_mutex_unlock(&runtime->mutex);
    /* As at a stop: its work is queued again, and moves with it. */
    if (unknown_count > 0) release_submit(runtime, HF_REASON_SHUTDOWN, sessions, unknown_count);
}

void hf__releasing_tick(hf_runtime *runtime)
{
    uv_mutex_lock(&runtime->mutex);
    bool is_incomplete = runtime->claims.is_incomplete;
    uv_mutex_unlock(&runtime->mutex);
    runtime->releasing.is_refused = false;
    hf__releasing_look(runtime);
    if (is_incomplete && runtime->shutdown.phase == HF__SHUTDOWN_NONE) release_unknown(runtime);
}

void hf__releasing_note(hf_runtime *runtime)
{
    if (runtime->settings.session_idle_ms == 0) return;
    if (hf__claims_are_newly_idle(&runtime->claims)) hf__runtime_wake(runtime, HF__WAKE_IDLE);
}

/* ---- its answer ----------------------------------------------------------------------------- */

/* Why the session at that place was not released; NULL: it was. */
static const char *refusal_of(const struct hf_store_command *command, size_t index)
{
    const struct hf_store_release_sessions *answer = &command->release_sessions;
    if (command->status == HF_STALE) return command->error.code;
    for (size_t i = 0; i < answer->out_voids_count; i++) {
        if (answer->out_voids[i].index == index) return answer->out_voids[i].code;
    }
    return NULL;
}

/* Whether it stays ours because it has work: of ours, or in its queue. */
static bool is_kept_by_work(const char *refusal)
{
    return refusal && (hf_slice_equal(hf_text(refusal), hf_text("running")) ||
                       hf_slice_equal(hf_text(refusal), hf_text("queued")));
}

static void release_settle(hf_runtime *runtime, const struct hf_store_command *command,
                           struct hf__claim *claim, size_t index)
{
    bool is_final = command->status == HF_OK || command->status == HF_STALE;
    const char *refusal = is_final ? refusal_of(command, index) : NULL;
    bool has_work = is_kept_by_work(refusal);
    if (!is_final || has_work) {
        /* Its first delivery was on its way when it was named as not known: it is, by now. */
        if (!claim->is_releasing) return;
        /* Work that only the store knows of, since its end could not be told: no event of ours
         * will say when it is worth asking again. */
        if (claim->items_count == 0) runtime->releasing.is_refused = true;
        hf__claims_release_failed(&runtime->claims, claim, has_work);
    } else if (refusal) {
        hf__sessions_void(runtime, claim, command->status == HF_OK ? refusal : "registration_dead");
    } else {
        bool is_idle = command->release_sessions.reason == HF_REASON_RELEASED;
        hf__claims_forget(&runtime->claims, claim, HF__CLAIM_RELEASED,
                          is_idle ? "it was idle" : "its worker stops");
    }
}

void hf__releasing_answers(hf_runtime *runtime)
{
    struct hf__releasing *self = &runtime->releasing;
    if (!hf__task_take_answer(&self->task)) return;
    const struct hf_store_command *command = &self->task.submission.command;
    const struct hf_store_release_sessions *answer = &command->release_sessions;
    self->is_refused = command->status != HF_OK && command->status != HF_STALE;
    uv_mutex_lock(&runtime->mutex);
    for (size_t i = answer->sessions_count; i > 0; i--) {
        struct hf__claim *claim = hf__claims_find(&runtime->claims, &answer->sessions[i - 1]);
        if (claim) release_settle(runtime, command, claim, i - 1);
    }
    hf__sessions_news(runtime);
    uv_mutex_unlock(&runtime->mutex);
    hf__releasing_look(runtime);
}
