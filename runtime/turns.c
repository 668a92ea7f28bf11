/* Running turns and committing them. What a turn decides is the engine's business; when it may be
 * committed, the store's.
 *
 * The happy path: a grant comes to the thread of its instance; the thread reads history and inbox,
 * runs the turn, submits its decision, and goes on with others. The answer comes back to the
 * thread: committed, the execution stays live at the new head.
 *
 * Laws:
 *   1. An execution is made, run, kept and freed on one thread.
 *   2. A live execution is resumed only when it stands at the head that the grant names.
 *   3. A turn that could not be committed leaves no execution behind: its code has run ahead of
 *      history.
 *   4. Trouble of ours (no memory, a full disk) never fails an instance: the turn is handed back,
 *      uncounted, for a growing while. Damaged history counts, and so does code that is nowhere:
 * the turn is given up when it was lost too often. */
#include "runtime/turns.h"

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

static void turn_done(struct hf__submission *submission);

/* ---- slots and queues ----------------------------------------------------------------------- */

/* Of the live instances of the process, those of this thread. */
static size_t live_share(const hf_runtime *runtime, size_t index)
{
    size_t threads = runtime->settings.orchestration_threads;
    size_t whole = runtime->settings.live_instances_max;
    return whole / threads + (index < whole % threads ? 1 : 0);
}

static void thread_init(hf_runtime *runtime, size_t index)
{
    struct hf__turn_thread *thread = &runtime->turns.threads[index];
    hf_store *store = runtime->store;
    thread->runtime = runtime;
    int failed = uv_cond_init(&thread->work);
    hf_assert(failed == 0);
    hf__live_init(&thread->live, runtime->heap, live_share(runtime, index));
    hf_fiber_pool_init(&thread->fibers, &(struct hf_fiber_pool_options){
                                            .stack_size = runtime->settings.stack_size });
    thread->options = (struct hf_execution_options){
        .heap = runtime->heap,
        .fibers = &thread->fibers,
        .registry = runtime->registry,
        .sessions_supported = store->backend->ops->capabilities.sessions,
        .sessions_max = runtime->settings.sessions_per_orchestration_max,
        .payload_size_max = store->payload_size_max,
        .history_events_max = runtime->settings.history_events_max,
        .kv_keys_max = runtime->settings.kv_keys_max,
        .kv_value_size_max = runtime->settings.kv_value_size_max,
        .random = store->seams.random,
        .random_self = store->seams.self,
        .log = store->observer ? hf__log_pass : NULL,
        .log_self = (void *)(uintptr_t)store->observer,
    };
}

hf_status hf__turns_init(hf_runtime *runtime, hf_error *error)
{
    struct hf__turns *self = &runtime->turns;
    size_t threads_count = runtime->settings.orchestration_threads;
    size_t slots_count = threads_count * HF__TURNS_PER_THREAD;
    if (threads_count == 0) return HF_OK;
    self->threads = hf_heap_new(runtime->heap, threads_count * sizeof *self->threads);
    self->slots = hf_heap_new(runtime->heap, slots_count * sizeof *self->slots);
    if (self->threads) self->threads_count = threads_count;
    if (self->slots) self->slots_count = slots_count;
    for (size_t i = 0; i < self->threads_count; i++) thread_init(runtime, i);
    for (size_t i = 0; i < self->slots_count; i++) {
        struct hf__turn *turn = &self->slots[i];
        hf_arena_init(&turn->arena, runtime->heap);
        hf__submission_init(&turn->job.submission, runtime->heap, HF_STORE_COMMIT_TURN);
        turn->job.submission.done = turn_done;
        turn->job.submission.user = turn;
        turn->next = self->free;
        self->free = turn;
    }
    if (self->threads && self->slots) return HF_OK;
    return hf_error_set(error, HF_NO_MEMORY, "no memory for %zu orchestration threads",
                        threads_count);
}

void hf__turns_release(hf_runtime *runtime)
{
    struct hf__turns *self = &runtime->turns;
    hf_assert(self->taken_count == 0);
    hf_assert(self->live_count == 0);
    for (size_t i = 0; i < self->slots_count; i++) {
        hf__submission_release(&self->slots[i].job.submission);
        hf_arena_release(&self->slots[i].arena);
    }
    for (size_t i = 0; i < self->threads_count; i++) {
        hf_fiber_pool_release(&self->threads[i].fibers);
        uv_cond_destroy(&self->threads[i].work);
    }
    hf_heap_free(runtime->heap, self->slots, self->slots_count * sizeof *self->slots);
    hf_heap_free(runtime->heap, self->threads, self->threads_count * sizeof *self->threads);
}

size_t hf__turns_room(const hf_runtime *runtime)
{
    const struct hf__turns *self = &runtime->turns;
    hf_assert(self->taken_count <= self->slots_count);
    return self->slots_count - self->taken_count;
}

/* Under the mutex. */
static void queue_add(struct hf__turn *turn)
{
    struct hf__turn_thread *thread = turn->thread;
    turn->next = NULL;
    if (thread->queue_last) thread->queue_last->next = turn;
    if (!thread->queue_last) thread->queue_first = turn;
    thread->queue_last = turn;
    uv_cond_signal(&thread->work);
}

static struct hf__turn *queue_take(struct hf__turn_thread *thread)
{
    struct hf__turn *turn = thread->queue_first;
    if (!turn) return NULL;
    thread->queue_first = turn->next;
    if (!thread->queue_first) thread->queue_last = NULL;
    turn->next = NULL;
    return turn;
}

void hf__turns_granted(hf_runtime *runtime, const struct hf_turn_grant *grant)
{
    struct hf__turns *self = &runtime->turns;
    struct hf__turn *turn = self->free;
    hf_assert(turn && turn->state == HF__TURN_FREE);
    self->free = turn->next;
    self->taken_count++;
    turn->thread = &self->threads[grant->token.instance % self->threads_count];
    turn->thread->taken_count++;
    turn->state = HF__TURN_GRANTED;
    turn->grant = *grant;
    hf_text_copy(turn->name, sizeof turn->name, grant->orchestration);
    turn->grant.orchestration = hf_text(turn->name);
    queue_add(turn);
}

/* The slot is free again. Turn thread. */
static void turn_release(struct hf__turn *turn)
{
    hf_runtime *runtime = turn->thread->runtime;
    struct hf__turns *self = &runtime->turns;
    hf_assert(!turn->execution);
    uv_mutex_lock(&runtime->mutex);
    hf_assert(self->taken_count > 0 && turn->thread->taken_count > 0);
    turn->state = HF__TURN_FREE;
    turn->thread->taken_count--;
    turn->next = self->free;
    self->free = turn;
    self->taken_count--;
    hf__dispatch_kick(runtime);
    hf__runtime_wake_if_stopping(runtime);
    uv_mutex_unlock(&runtime->mutex);
}

/* ---- submitting ----------------------------------------------------------------------------- */

/* The answer is there: back to the turn's thread with it. Committer thread. */
static void turn_done(struct hf__submission *submission)
{
    struct hf__turn *turn = submission->user;
    hf_runtime *runtime = turn->thread->runtime;
    hf_assert(turn->state == HF__TURN_COMMITTING || turn->state == HF__TURN_ABANDONING);
    uv_mutex_lock(&runtime->mutex);
    bool is_abandoning = turn->state == HF__TURN_ABANDONING;
    /* A commit is not repeated: it is handed back, which ends in the same way and sooner. */
    if (!is_abandoning || !hf__retries_add(runtime, &turn->job)) queue_add(turn);
    uv_mutex_unlock(&runtime->mutex);
}

static void turn_submit(struct hf__turn *turn, enum hf__turn_state state)
{
    turn->state = state;
    hf__runtime_submit(turn->thread->runtime, &turn->job.submission);
}

/* How a turn is handed back. */
struct give_back {
    bool counted;
    uint64_t reason, delay_ms;
};

static void turn_abandon(struct hf__turn *turn, struct give_back how)
{
    hf_execution_free(turn->execution);
    turn->execution = NULL;
    hf__submission_reset(&turn->job.submission, HF_STORE_ABANDON_TURN);
    turn->job.submission.command.abandon_turn = (struct hf_store_abandon_turn){
        .token = turn->grant.token,
        .registration = turn->thread->runtime->registration,
        .counted = how.counted,
        .reason = how.reason,
        .delay_ms = how.delay_ms
    };
    turn_submit(turn, HF__TURN_ABANDONING);
}

/* Its code does not do what history says: nothing more is appended until somebody has mended it. */
static void turn_suspend(struct hf__turn *turn)
{
    hf_execution_free(turn->execution);
    turn->execution = NULL;
    hf__submission_reset(&turn->job.submission, HF_STORE_SUSPEND);
    turn->job.submission.command.suspend = (struct hf_store_suspend){
        .token = &turn->grant.token,
        .registration = turn->thread->runtime->registration,
        .code = hf_text("nondeterminism"),
        .text = hf_text_clean(hf_text(turn->error.message), &turn->job.submission.arena)
    };
    turn_submit(turn, HF__TURN_ABANDONING);
}

/* Hands a turn back that could not be run or committed, for the reason in turn->error. */
static void turn_give_up(struct hf__turn *turn)
{
    hf_status status = turn->error.status;
    if (status == HF_NONDETERMINISM) {
        turn_suspend(turn);
        return;
    }
    struct give_back how = { .reason = HF_REASON_ABANDONED };
    struct hf_item_id work = { .instance = turn->grant.token.instance };
    hf_assert(status != HF_OK);
    if (status == HF_NOT_FOUND) how.reason = HF_REASON_UNREGISTERED;
    how.counted = status == HF_CORRUPT || status == HF_NOT_FOUND;
    how.delay_ms = status == HF_CORRUPT ? HF__BACKOFF_MAX_MS
                                        : hf__backoff_next(&turn->thread->backoff, work);
    turn_abandon(turn, how);
}

/* ---- running a turn ------------------------------------------------------------------------- */

/* Reads what the turn needs: the whole history, or, for a live execution, the messages alone. */
static hf_status turn_read(struct hf__turn *turn, bool is_live)
{
    struct hf_backend *backend = turn->thread->runtime->store->backend;
    const struct hf_item_id from = { .instance = turn->grant.token.instance,
                                     .execution = turn->grant.execution,
                                     .event_id = is_live ? UINT32_MAX : 1 };
    hf_arena_reset(&turn->arena);
    return backend->ops->turn_view(backend, &from, &turn->arena, &turn->view, &turn->error);
}

/* Makes the execution for a turn whose code is not in memory. */
static hf_status turn_begin(struct hf__turn *turn)
{
    hf_runtime *runtime = turn->thread->runtime;
    hf_status status = hf_execution_new(&turn->thread->options, &turn->view, turn->grant.execution,
                                        &turn->execution, &turn->error);
    if (status == HF_OK) hf__metrics_add(&runtime->metrics, HF__TURNS_REPLAYED, 1);
    return status;
}

/* Proves that the resumed turn decided what a replay from history decides. */
static hf_status turn_check(struct hf__turn *turn, uint64_t now_unix_ms)
{
    hf_runtime *runtime = turn->thread->runtime;
    hf_status status = hf_execution_check(&turn->thread->options, &turn->view, now_unix_ms,
                                          &turn->decision, &turn->error);
    if (status == HF_NONDETERMINISM) hf__metrics_add(&runtime->metrics, HF__REPLAY_MISMATCHES, 1);
    return status;
}

/* Runs its code over what is new, with the watchdog on. */
static hf_status turn_code(struct hf__turn *turn, const struct hf_turn_view *view, bool is_checked)
{
    const hf_clock *clock = turn->thread->runtime->store->clock;
    uint64_t now_unix_ms = clock->wall_unix_ms(clock->self);
    hf__submission_reset(&turn->job.submission, HF_STORE_COMMIT_TURN);
    hf__watch_begin(turn);
    hf_status status = hf_execution_turn(turn->execution, view, now_unix_ms,
                                         &turn->job.submission.arena, &turn->decision,
                                         &turn->error);
    if (status == HF_OK && is_checked) status = turn_check(turn, now_unix_ms);
    hf__watch_end(turn);
    return status;
}

/* Runs the turn; its decision is then in turn->decision. Not HF_OK: turn->error says why not. */
static hf_status turn_run(struct hf__turn *turn)
{
    hf_runtime *runtime = turn->thread->runtime;
    const struct hf__live_place place = { .instance = turn->grant.token.instance,
                                          .execution = turn->grant.execution,
                                          .head = turn->grant.token.head };
    bool is_checked = runtime->settings.check_replay;
    turn->execution = hf__live_take(&turn->thread->live, &place);
    bool is_live = turn->execution != NULL;
    hf_status status = turn_read(turn, is_live && !is_checked);
    if (status == HF_OK && !is_live) status = turn_begin(turn);
    if (status != HF_OK) return status;

    struct hf_turn_view view = turn->view;
    if (is_live) view.events_count = 0;
    return turn_code(turn, &view, is_live && is_checked);
}

/* It was lost too often: the instance fails, whatever its history holds. */
static void turn_bury(struct hf__turn *turn)
{
    hf_runtime *runtime = turn->thread->runtime;
    struct hf_arena *arena = &turn->job.submission.arena;
    uint64_t attempts = turn->grant.attempt - 1;
    hf_slice started = HF_EMPTY;
    if (turn_read(turn, false) == HF_OK && turn->view.events_count > 0) {
        started = turn->view.events[0].body;
    }
    hf_error_set(&turn->error, HF_FAILED,
                 "its turn was tried %llu times, and each time it was lost: its process died in "
                 "it, its history could not be read, or no worker had its orchestration \"%s\"",
                 (unsigned long long)attempts, turn->name);
    hf_error_code(&turn->error, "poison");
    hf__submission_reset(&turn->job.submission, HF_STORE_FAIL_TURN);
    turn->job.submission.command.fail_turn = (struct hf_store_fail_turn){
        .token = turn->grant.token,
        .registration = runtime->registration,
        .attempts = attempts,
        .body = hf_body_failed(&turn->error, arena),
        .parent_body = hf_body_child_failed(started, &turn->error, arena)
    };
    if (!turn->job.submission.command.fail_turn.body.data) {
        hf_error_set(&turn->error, HF_NO_MEMORY, "no memory to give up a turn");
        turn_give_up(turn);
        return;
    }
    turn_submit(turn, HF__TURN_ABANDONING);
}

static void turn_granted(struct hf__turn *turn)
{
    hf_runtime *runtime = turn->thread->runtime;
    hf_error_clear(&turn->error);
    uv_mutex_lock(&runtime->mutex);
    bool is_stopped = runtime->dispatch.is_stopped;
    uv_mutex_unlock(&runtime->mutex);
    if (is_stopped) {
        turn_abandon(turn, (struct give_back){ .reason = HF_REASON_SHUTDOWN });
        return;
    }
    if (turn->grant.attempt > runtime->settings.attempts_max) {
        turn_bury(turn);
        return;
    }
    hf_status status = turn_run(turn);
    if (status != HF_OK) {
        turn->error.status = status;
        turn_give_up(turn);
        return;
    }
    turn->job.submission.command.commit_turn = (struct hf_store_commit_turn){
        .token = turn->grant.token, .registration = runtime->registration, .turn = &turn->decision
    };
    turn_submit(turn, HF__TURN_COMMITTING);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* What it did to sessions; what was read for it is not needed any more. */
static void turn_tell(struct hf__turn *turn)
{
    char instance[HF_ID_SIZE_MAX + 1];
    hf_text_copy(instance, sizeof instance, turn->view.instance_id);
    hf__sessions_turned(turn->thread->runtime, instance, &turn->decision, turn->execution,
                        &turn->arena);
}

static void turn_committed(struct hf__turn *turn)
{
    const struct hf_store_commit_turn *answer = &turn->job.submission.command.commit_turn;
    const struct hf__live_place place = { .instance = turn->grant.token.instance,
                                          .execution = turn->grant.execution,
                                          .head = answer->out_head };
    hf__metrics_add(&turn->thread->runtime->metrics, HF__TURNS_COMMITTED, 1);
    turn_tell(turn);
    bool is_waiting = turn->decision.outcome == HF_OUTCOME_RUNNING;
    if (is_waiting) hf__live_put(&turn->thread->live, &place, turn->execution);
    if (!is_waiting) hf_execution_free(turn->execution);
    turn->execution = NULL;
    turn_release(turn);
}

/* Somebody else has the instance, or it has ended: an expected outcome, nothing to say. */
static void turn_fenced(struct hf__turn *turn)
{
    hf_runtime *runtime = turn->thread->runtime;
    hf_execution_free(turn->execution);
    turn->execution = NULL;
    hf__metrics_add(&runtime->metrics, HF__TURNS_STALE, 1);
    const hf_error *error = &turn->job.submission.command.error;
    if (hf_slice_equal(hf_text(error->code), hf_text("registration_dead"))) {
        uv_mutex_lock(&runtime->mutex);
        hf__runtime_wake(runtime, HF__WAKE_FENCED);
        uv_mutex_unlock(&runtime->mutex);
    }
    turn_release(turn);
}

static const char *event_of(hf_status status)
{
    switch (status) {
    case HF_NOT_FOUND: return "instance.unregistered";
    case HF_NONDETERMINISM: return "instance.nondeterminism";
    case HF_CORRUPT: return "instance.unreadable";
    case HF_FAILED: return "instance.poison";
    default: return "instance.turn_failed";
    }
}

/* Says why a turn was handed back: not before the store agreed that it was still ours. */
static void turn_abandoned(struct hf__turn *turn)
{
    hf_runtime *runtime = turn->thread->runtime;
    const struct hf_store_command *command = &turn->job.submission.command;
    bool is_poison = command->kind == HF_STORE_FAIL_TURN;
    hf__metrics_add(&runtime->metrics, is_poison ? HF__TURNS_POISONED : HF__TURNS_ABANDONED, 1);
    if (command->status != HF_STALE && turn->error.status != HF_OK) {
        char instance[HF_ID_SIZE_MAX + 1];
        hf_text_copy(instance, sizeof instance, turn->view.instance_id);
        hf__log(runtime->store->observer,
                &(hf_log_line){ .level = HF_LOG_ERROR,
                                .event = event_of(turn->error.status),
                                .lsn = turn->error.lsn,
                                .instance = instance,
                                .worker = runtime->worker_id },
                "%s", turn->error.message);
    }
    turn_release(turn);
}

static void turn_answered(struct hf__turn *turn)
{
    const struct hf_store_command *command = &turn->job.submission.command;
    if (turn->state == HF__TURN_ABANDONING) {
        turn_abandoned(turn);
    } else if (command->status == HF_OK) {
        turn_committed(turn);
    } else if (command->status == HF_STALE) {
        turn_fenced(turn);
    } else {
        turn->error = command->error;
        turn->error.status = command->status;
        turn_give_up(turn);
    }
}

/* ---- threads -------------------------------------------------------------------------------- */

static void turn_step(struct hf__turn *turn)
{
    hf_assert(turn->state != HF__TURN_FREE);
    if (turn->state == HF__TURN_GRANTED) {
        turn->view = (struct hf_turn_view){ 0 };
        turn_granted(turn);
    } else {
        turn_answered(turn);
    }
}

/* Publishes how many executions the thread keeps; under the mutex. */
static void live_note(struct hf__turn_thread *thread, size_t *noted_count, uint64_t *noted_evicted)
{
    struct hf__turns *self = &thread->runtime->turns;
    self->live_count = self->live_count + thread->live.count - *noted_count;
    *noted_count = thread->live.count;
    hf__metrics_add(&thread->runtime->metrics, HF__INSTANCES_EVICTED,
                    thread->live.evicted_count - *noted_evicted);
    *noted_evicted = thread->live.evicted_count;
}

static void thread_run(void *argument)
{
    struct hf__turn_thread *thread = argument;
    hf_runtime *runtime = thread->runtime;
    struct hf__turns *self = &runtime->turns;
    size_t noted_count = 0;
    uint64_t noted_evicted = 0;
    uv_mutex_lock(&runtime->mutex);
    for (;;) {
        struct hf__turn *turn = queue_take(thread);
        if (!turn && self->is_ending && thread->taken_count == 0) break;
        if (!turn) {
            uv_cond_wait(&thread->work, &runtime->mutex);
            continue;
        }
        uv_mutex_unlock(&runtime->mutex);
        turn_step(turn);
        uv_mutex_lock(&runtime->mutex);
        live_note(thread, &noted_count, &noted_evicted);
    }
    uv_mutex_unlock(&runtime->mutex);

    hf__live_release(&thread->live);
    uv_mutex_lock(&runtime->mutex);
    live_note(thread, &noted_count, &noted_evicted);
    self->threads_running_count--;
    hf__runtime_wake_if_stopping(runtime);
    uv_mutex_unlock(&runtime->mutex);
}

hf_status hf__turns_start(hf_runtime *runtime, hf_error *error)
{
    struct hf__turns *self = &runtime->turns;
    for (size_t i = 0; i < self->threads_count; i++) {
        struct hf__turn_thread *thread = &self->threads[i];
        uv_mutex_lock(&runtime->mutex);
        self->threads_running_count++;
        uv_mutex_unlock(&runtime->mutex);
        hf_status status = hf__thread_start(&thread->thread, thread_run, thread, error);
        if (status == HF_OK) {
            self->threads_started_count++;
            continue;
        }
        uv_mutex_lock(&runtime->mutex);
        self->threads_running_count--;
        uv_mutex_unlock(&runtime->mutex);
        return status;
    }
    return HF_OK;
}

void hf__turns_end(hf_runtime *runtime)
{
    struct hf__turns *self = &runtime->turns;
    self->is_ending = true;
    for (size_t i = 0; i < self->threads_count; i++) uv_cond_broadcast(&self->threads[i].work);
}

void hf__turns_join(hf_runtime *runtime)
{
    struct hf__turns *self = &runtime->turns;
    for (size_t i = 0; i < self->threads_started_count; i++) {
        int failed = uv_thread_join(&self->threads[i].thread);
        hf_assert(failed == 0);
    }
    self->threads_started_count = 0;
}
