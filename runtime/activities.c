/* The pool of activity threads. Not the end of each delivery, which is in delivery.c, nor the calls
 * of an activity's author: those are in activity_calls.c. */
#include "runtime/activities.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "runtime/recovery.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

/* A thread may begin its next activity while the outcomes of former ones are being committed. And
 * each item may need a second slot, for the rebuild of its session. */
enum { SLOTS_PER_THREAD = 8, SLOTS_PER_ITEM = 2 };

/* ---- slots ---------------------------------------------------------------------------------- */

static hf_status slots_make(hf_runtime *runtime, hf_error *error)
{
    struct hf__activities *self = &runtime->activities;
    self->threads_count = runtime->settings.activity_threads;
    if (self->threads_count == 0) return HF_OK;
    self->shared_count = self->threads_count * SLOTS_PER_THREAD;
    self->slots_count = self->shared_count + runtime->settings.detached_max;
    self->slots = hf_heap_new(runtime->heap, self->slots_count * sizeof *self->slots);
    self->threads = hf_heap_new(runtime->heap, self->threads_count * sizeof *self->threads);
    if (!self->slots || !self->threads) {
        return hf_error_set(error, HF_NO_MEMORY, "no memory for %zu activity threads",
                            self->threads_count);
    }
    return HF_OK;
}

hf_status hf__activities_init(hf_runtime *runtime, hf_error *error)
{
    struct hf__activities *self = &runtime->activities;
    int failed = uv_cond_init(&self->work);
    hf_assert(failed == 0);
    hf_status status = slots_make(runtime, error);
    if (status != HF_OK) self->slots_count = self->slots ? self->slots_count : 0;
    for (size_t i = 0; self->slots && i < self->slots_count; i++) {
        struct hf_activity *activity = &self->slots[i];
        activity->runtime = runtime;
        activity->cancel_fd = -1;
        hf_arena_init(&activity->arena, runtime->heap);
        hf__submission_init(&activity->job.submission, runtime->heap, HF_STORE_COMPLETE_ITEM);
        activity->job.submission.done = hf__delivery_answered;
        activity->job.submission.user = activity;
        failed = uv_cond_init(&activity->told);
        hf_assert(failed == 0);
        activity->next = self->free;
        self->free = activity;
    }
    return status;
}

void hf__activities_release(hf_runtime *runtime)
{
    struct hf__activities *self = &runtime->activities;
    hf_assert(self->held_count == 0);
    for (size_t i = 0; self->slots && i < self->slots_count; i++) {
        hf__submission_release(&self->slots[i].job.submission);
        hf_arena_release(&self->slots[i].arena);
        uv_cond_destroy(&self->slots[i].told);
    }
    uv_cond_destroy(&self->work);
    hf_heap_free(runtime->heap, self->slots, self->slots_count * sizeof *self->slots);
    hf_heap_free(runtime->heap, self->threads, self->threads_count * sizeof *self->threads);
}

size_t hf__activities_room(const hf_runtime *runtime)
{
    const struct hf__activities *self = &runtime->activities;
    hf_assert(self->busy_count <= self->held_count);
    if (self->busy_count >= self->threads_count) return 0;
    if (self->detached_count >= runtime->settings.detached_max) return 0;
    size_t idle = self->threads_count - self->busy_count;
    size_t taken = self->held_count - self->detached_count;
    /* Of the detached ones, those that are completed wait for the store among the others. */
    if (taken >= self->shared_count) return 0;
    size_t unused = (self->shared_count - taken) / SLOTS_PER_ITEM;
    return idle < unused ? idle : unused;
}

static void slot_begin(struct hf_activity *activity)
{
    activity->gave_up = false;
    activity->is_failed = false;
    activity->is_poison = false;
    activity->is_rebuild = false;
    activity->is_detached = activity->is_completed = activity->has_returned = false;
    activity->is_told = activity->is_told_timed = activity->is_stuck = false;
    activity->fell_silent = false;
    activity->heartbeat = (struct hf__heartbeat){ 0 };
    activity->claim = NULL;
    activity->registered = NULL;
    activity->input = activity->output = (hf_slice)HF_EMPTY;
    hf_error_clear(&activity->failure);
    atomic_store(&activity->stop, HF__STOP_NONE);
}

struct hf_activity *hf__activity_take(hf_runtime *runtime)
{
    struct hf__activities *self = &runtime->activities;
    struct hf_activity *activity = self->free;
    hf_assert(activity && activity->state == HF__ACTIVITY_FREE);
    self->free = activity->next;
    activity->next = NULL;
    self->held_count++;
    slot_begin(activity);
    return activity;
}

static bool is_under_way(const struct hf_activity *activity)
{
    return activity->state == HF__ACTIVITY_WAITING || activity->state == HF__ACTIVITY_QUEUED ||
           activity->state == HF__ACTIVITY_RUNNING;
}

void hf__activity_settle(struct hf_activity *activity)
{
    struct hf__activities *self = &activity->runtime->activities;
    if (is_under_way(activity) || activity->is_sending) return;
    hf_assert(self->held_count > 0);
    activity->state = HF__ACTIVITY_FREE;
    activity->claim = NULL;
    activity->next = self->free;
    self->free = activity;
    self->held_count--;
    if (self->is_ending) uv_cond_broadcast(&self->work); /* whoever waits for the detached ones */
    hf__runtime_wake_if_stopping(activity->runtime);
}

void hf__activity_item_ended(struct hf_activity *activity)
{
    if (!activity->claim) return;
    hf_runtime *runtime = activity->runtime;
    hf__claims_item_ended(&runtime->claims, activity->claim);
    hf__releasing_note(runtime);
    hf__claims_bury_later(runtime);
}

/* ---- a delivery comes ----------------------------------------------------------------------- */

static const char *key_of(struct hf_activity *activity, const struct hf_item_grant *grant)
{
    enum { NUMBERS_SIZE = 64 };
    char numbers[NUMBERS_SIZE];
    const struct hf_item_id *item = &grant->token.item;
    int size = snprintf(numbers, sizeof numbers, "/%llu/%llu/%llu",
                        (unsigned long long)item->instance, (unsigned long long)item->execution,
                        (unsigned long long)item->event_id);
    hf_assert(size > 0 && size < NUMBERS_SIZE);
    char *key = hf_arena_new(&activity->arena, grant->instance_id.size + (size_t)size + 1);
    if (!key) return NULL;
    memcpy(key, grant->instance_id.data, grant->instance_id.size);
    memcpy(key + grant->instance_id.size, numbers, (size_t)size);
    return key;
}

/* Copies what the grant says. False: no memory. */
static bool grant_copy(struct hf_activity *activity, const struct hf_item_grant *grant)
{
    struct hf_arena *arena = &activity->arena;
    hf_arena_reset(arena);
    activity->token = grant->token;
    activity->body = hf_arena_copy(arena, grant->body);
    activity->info = (hf_activity_info){ .size = sizeof activity->info,
                                         .instance = hf_arena_text(arena, grant->instance_id),
                                         .activity = "",
                                         .orchestration = hf_arena_text(arena,
                                                                        grant->orchestration),
                                         .version = hf_arena_text(arena, grant->version),
                                         .worker_id = activity->runtime->worker_id,
                                         .incarnation = grant->incarnation,
                                         .epoch = grant->epoch,
                                         .execution = grant->token.item.execution,
                                         .activity_id = grant->token.item.event_id,
                                         .attempt = (uint32_t)grant->attempt,
                                         .deaths = (uint32_t)grant->deaths,
                                         .idempotency_key = key_of(activity, grant) };
    bool has_session = grant->session_id.size > 0;
    activity->info.progress = hf_arena_copy(arena, grant->progress);
    if (grant->tag.size > 0) activity->info.tag = hf_arena_text(arena, grant->tag);
    if (has_session) activity->info.session = hf_arena_text(arena, grant->session_id);
    return !arena->failed;
}

void hf__activity_queue(struct hf_activity *activity)
{
    struct hf__activities *self = &activity->runtime->activities;
    hf_assert(!is_under_way(activity) || activity->state == HF__ACTIVITY_WAITING);
    hf_assert(!activity->is_sending);
    activity->state = HF__ACTIVITY_QUEUED;
    activity->next = NULL;
    if (self->queue_last) self->queue_last->next = activity;
    if (!self->queue_last) self->queue_first = activity;
    self->queue_last = activity;
    self->busy_count++;
    uv_cond_signal(&self->work);
}

static void queue_remove(struct hf__activities *self, struct hf_activity *activity)
{
    struct hf_activity *previous = NULL;
    struct hf_activity *each = self->queue_first;
    while (each != activity) {
        hf_assert(each);
        previous = each;
        each = each->next;
    }
    if (previous) previous->next = activity->next;
    if (!previous) self->queue_first = activity->next;
    if (self->queue_last == activity) self->queue_last = previous;
    activity->next = NULL;
    hf_assert(self->busy_count > 0);
    self->busy_count--;
}

void hf__activities_granted(hf_runtime *runtime, const struct hf_item_grant *grant)
{
    struct hf_activity *activity = hf__activity_take(runtime);
    bool is_copied = grant_copy(activity, grant);
    if (is_copied && grant->session_id.size > 0) {
        activity->claim = hf__sessions_learn(runtime, grant);
    }
    bool has_claim = grant->session_id.size == 0 || activity->claim;
    if (!has_claim) runtime->claims.is_incomplete = true;
    activity->state = HF__ACTIVITY_SENDING;
    if (runtime->dispatch.is_stopped) {
        hf__delivery_hand_over(activity);
    } else if (!is_copied || !has_claim) {
        hf__delivery_refuse(activity, HF_NO_MEMORY);
    } else if (hf__delivery_is_poison(activity)) {
        hf__delivery_bury(activity);
    } else if (!hf__recovery_takes(activity, grant)) {
        hf__activity_queue(activity);
    }
}

/* ---- running -------------------------------------------------------------------------------- */

/* The outcome of a function's status: what is to be sent, or NULL error for success. */
static void outcome_set(struct hf_activity *activity, hf_status status)
{
    hf_error *failure = &activity->failure;
    if (status == HF_OK) {
        hf_error_clear(failure);
        return;
    }
    activity->output = (hf_slice)HF_EMPTY;
    if (status == HF_FAILED && activity->is_failed) {
        activity->output = failure->data;
        return;
    }
    hf_error_set(failure, HF_FAILED, "activity %s returned %s (%d)", activity->info.activity,
                 hf_status_name(status), (int)status);
    hf_error_code(failure, hf_status_name(status));
}

static void log_unusable(const struct hf_activity *activity, const char *event,
                         const hf_error *error)
{
    hf__log(activity->runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_ERROR,
                            .event = event,
                            .lsn = activity->token.delivery_lsn,
                            .instance = activity->info.instance,
                            .session = activity->info.session,
                            .worker = activity->runtime->worker_id,
                            .activity = activity->info.activity },
            "%s", error->message);
}

/* Name and input of an item, from its event. */
static hf_status activity_read(struct hf_activity *activity, hf_error *error)
{
    struct hf_scheduled_activity scheduled;
    hf_status status = hf_body_read_activity(activity->body, &activity->arena, &scheduled, error);
    if (status != HF_OK) return status;
    activity->input = scheduled.input;
    activity->heartbeat.timeout_ms = scheduled.heartbeat_timeout_ms;
    const char *text = hf_arena_text(&activity->arena, scheduled.name);
    if (!text) return hf_error_set(error, HF_NO_MEMORY, "no memory for an activity's name");
    activity->info.activity = text;
    return HF_OK;
}

/* Finds what to call. Not HF_OK: the error says why it cannot be called. */
static hf_status activity_find(struct hf_activity *activity, hf_error *error)
{
    hf_status status = activity->is_rebuild ? HF_OK : activity_read(activity, error);
    if (status != HF_OK) return status;
    const char *text = activity->info.activity;
    activity->registered = hf_registry_activity(activity->runtime->registry, hf_text(text));
    if (activity->registered) return HF_OK;
    return hf_error_set(error, HF_NOT_FOUND,
                        "activity %s is not registered in this process: handed back, for a worker "
                        "that has it, until attempts_max is reached",
                        text);
}

/* Sends what the function's end asks for. Under the mutex; not void, not given up. */
static void activity_conclude(struct hf_activity *activity, hf_status found, hf_status returned)
{
    bool is_shutdown = atomic_load(&activity->stop) == HF__STOP_SHUTDOWN;
    if (found != HF_OK) {
        hf__delivery_refuse(activity, found);
    } else if (returned == HF_CANCELLED && is_shutdown) {
        hf__delivery_hand_over(activity);
    } else {
        hf__delivery_complete(activity);
    }
}

/* Nobody is to be told any more. Under the mutex. */
static void told_end(struct hf_activity *activity)
{
    if (activity->cancel_fd >= 0) close(activity->cancel_fd);
    activity->cancel_fd = -1;
    if (!activity->is_told) return;
    hf_assert(activity->runtime->activities.told_count > 0);
    activity->runtime->activities.told_count--;
}

/* Its outcome is there, and nobody uses it any more. Under the mutex. */
static void activity_ended(struct hf_activity *activity, hf_status found, hf_status returned)
{
    hf_runtime *runtime = activity->runtime;
    bool is_void = atomic_load(&activity->stop) == HF__STOP_VOID;
    activity->state = HF__ACTIVITY_SENDING;
    activity->is_called = false;
    told_end(activity);
    if (activity->claim) {
        hf__claims_function_ended(&runtime->claims, activity->claim);
        hf__releasing_note(runtime);
    }
    bool is_ours = !is_void && !activity->gave_up;
    if (is_ours && activity->is_rebuild) {
        hf__recovery_ended(activity, found, returned);
        hf__activity_item_ended(activity);
    } else if (is_ours) {
        activity_conclude(activity, found, returned);
        return;
    }
    hf__activity_settle(activity);
    hf__dispatch_kick(runtime);
}

/* The thread has left the function. Under the mutex. */
static void activity_returned(struct hf_activity *activity, hf_status found, hf_status returned)
{
    hf_runtime *runtime = activity->runtime;
    hf_assert(runtime->activities.busy_count > 0);
    runtime->activities.busy_count--;
    if (!activity->is_detached || activity->is_completed) {
        activity_ended(activity, found, returned);
        return;
    }
    activity->has_returned = true;
    runtime->activities.detached_count++;
    hf__dispatch_kick(runtime);
}

void hf__activity_detach(struct hf_activity *activity)
{
    uv_mutex_lock(&activity->runtime->mutex);
    hf_assert(activity->is_called && !activity->is_detached);
    activity->is_detached = true;
    uv_mutex_unlock(&activity->runtime->mutex);
}

bool hf__activity_completed(struct hf_activity *activity, hf_status status)
{
    hf_runtime *runtime = activity->runtime;
    outcome_set(activity, status);
    uv_mutex_lock(&runtime->mutex);
    hf_assert(activity->is_detached && !activity->is_completed);
    bool is_taken = hf__activity_is_held(activity);
    activity->is_completed = true;
    if (activity->has_returned) {
        hf_assert(runtime->activities.detached_count > 0);
        runtime->activities.detached_count--;
        activity_ended(activity, HF_OK, status);
        hf__claims_bury_later(runtime);
    }
    uv_mutex_unlock(&runtime->mutex);
    return is_taken;
}

/* Its function begins; the first of a claim finds the session's memory new. */
static void activity_note_call(struct hf_activity *activity)
{
    const hf_clock *clock = activity->runtime->store->clock;
    uint64_t now_boot_ms = clock->boot_ms(clock->self);
    uv_mutex_lock(&activity->runtime->mutex);
    activity->is_called = true;
    activity->heartbeat.heard_boot_ms = now_boot_ms;
    if (activity->claim) {
        activity->info.first_in_claim = !activity->claim->has_begun;
        activity->claim->has_begun = true;
    }
    uv_mutex_unlock(&activity->runtime->mutex);
}

static hf_status activity_call(struct hf_activity *activity)
{
    hf__metrics_add(&activity->runtime->metrics, HF__ACTIVITIES_STARTED, 1);
    activity_note_call(activity);
    hf_status returned = activity->registered->run(activity, activity->input);
    if (activity->is_detached) return HF_OK; /* whoever completes it says what became of it */
    outcome_set(activity, returned);
    if (activity->is_rebuild) hf__recovery_log(activity, returned);
    return returned;
}

/* One activity, from the queue to its end here. Comes and goes with the mutex. */
static void activity_run(struct hf_activity *activity)
{
    hf_runtime *runtime = activity->runtime;
    hf_error error;
    hf_status returned = HF_OK;
    activity->state = HF__ACTIVITY_RUNNING;
    if (activity->claim) hf__claims_function_began(&runtime->claims, activity->claim);
    uv_mutex_unlock(&runtime->mutex);

    hf_status found = activity_find(activity, &error);
    if (found == HF_OK) {
        returned = activity_call(activity);
    } else {
        log_unusable(activity,
                     found == HF_NOT_FOUND ? "activity.unregistered" : "activity.unreadable",
                     &error);
    }
    uv_mutex_lock(&runtime->mutex);
    activity_returned(activity, found, returned);
}

static void pool_run(void *argument)
{
    hf_runtime *runtime = argument;
    struct hf__activities *self = &runtime->activities;
    uv_mutex_lock(&runtime->mutex);
    for (;;) {
        while (!self->queue_first && !self->is_ending) uv_cond_wait(&self->work, &runtime->mutex);
        struct hf_activity *activity = self->queue_first;
        if (!activity) break;
        self->queue_first = activity->next;
        if (!self->queue_first) self->queue_last = NULL;
        activity->next = NULL;
        activity_run(activity);
        uv_mutex_unlock(&runtime->mutex);
        hf__claims_bury(runtime);
        uv_mutex_lock(&runtime->mutex);
    }
    uv_mutex_unlock(&runtime->mutex);
}

hf_status hf__activities_start(hf_runtime *runtime, hf_error *error)
{
    struct hf__activities *self = &runtime->activities;
    for (size_t i = 0; i < self->threads_count; i++) {
        hf_status status = hf__thread_start(&self->threads[i], pool_run, runtime, error);
        if (status != HF_OK) return status;
        self->threads_started_count++;
    }
    return HF_OK;
}

void hf__activities_end(hf_runtime *runtime)
{
    runtime->activities.is_ending = true;
    uv_cond_broadcast(&runtime->activities.work);
}

void hf__activities_join(hf_runtime *runtime)
{
    struct hf__activities *self = &runtime->activities;
    for (size_t i = 0; i < self->threads_started_count; i++) {
        int failed = uv_thread_join(&self->threads[i]);
        hf_assert(failed == 0);
    }
    self->threads_started_count = 0;
    uv_mutex_lock(&runtime->mutex);
    while (self->detached_count > 0) uv_cond_wait(&self->work, &runtime->mutex);
    uv_mutex_unlock(&runtime->mutex);
}

/* ---- being told to stop --------------------------------------------------------------------- */

bool hf__activity_is_held(const struct hf_activity *activity)
{
    return is_under_way(activity) && !activity->gave_up &&
           atomic_load(&activity->stop) != HF__STOP_VOID;
}

/* A full counter means that it is readable already. */
static void descriptor_signal(int descriptor)
{
    const uint64_t once = 1;
    ssize_t written = write(descriptor, &once, sizeof once);
    (void)written;
}

static void activity_tell(struct hf_activity *activity, enum hf__stop stop)
{
    atomic_store(&activity->stop, (int)stop);
    uv_cond_broadcast(&activity->told);
    if (activity->cancel_fd >= 0) descriptor_signal(activity->cancel_fd);
    if (activity->state != HF__ACTIVITY_RUNNING || activity->is_told) return;
    activity->is_told = true;
    activity->runtime->activities.told_count++;
}

int hf__activity_cancel_fd(struct hf_activity *activity)
{
    uv_mutex_lock(&activity->runtime->mutex);
    if (activity->cancel_fd < 0) {
        activity->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        bool is_told = atomic_load(&activity->stop) != HF__STOP_NONE;
        if (activity->cancel_fd >= 0 && is_told) descriptor_signal(activity->cancel_fd);
    }
    int descriptor = activity->cancel_fd;
    uv_mutex_unlock(&activity->runtime->mutex);
    return descriptor;
}

/* Takes it out of the line in which it waits for its turn, if it does. */
static void line_leave(struct hf_activity *activity)
{
    if (activity->state == HF__ACTIVITY_WAITING) hf__recovery_leave(activity);
    if (activity->state != HF__ACTIVITY_QUEUED) return;
    queue_remove(&activity->runtime->activities, activity);
    activity->state = HF__ACTIVITY_SENDING;
}

void hf__activity_void(struct hf_activity *activity)
{
    hf_runtime *runtime = activity->runtime;
    hf_assert(hf__activity_is_held(activity));
    hf__metrics_add(&runtime->metrics, HF__ACTIVITIES_VOIDED, 1);
    activity_tell(activity, HF__STOP_VOID);
    line_leave(activity);
    hf__activity_item_ended(activity);
    hf__activity_settle(activity);
    hf__dispatch_kick(runtime);
}

void hf__activities_void_claim(hf_runtime *runtime, const struct hf__claim *claim)
{
    struct hf__activities *self = &runtime->activities;
    for (size_t i = 0; i < self->slots_count; i++) {
        struct hf_activity *activity = &self->slots[i];
        if (activity->claim == claim && hf__activity_is_held(activity)) hf__activity_void(activity);
    }
}

void hf__activities_stop(hf_runtime *runtime)
{
    struct hf__activities *self = &runtime->activities;
    for (size_t i = 0; i < self->slots_count; i++) {
        struct hf_activity *activity = &self->slots[i];
        if (!hf__activity_is_held(activity)) continue;
        activity_tell(activity, HF__STOP_SHUTDOWN);
        line_leave(activity);
        if (activity->state == HF__ACTIVITY_RUNNING) continue;
        if (activity->is_rebuild) {
            hf__activity_item_ended(activity);
            hf__activity_settle(activity);
        } else {
            hf__delivery_hand_over(activity);
        }
    }
}

void hf__activities_give_up(hf_runtime *runtime)
{
    struct hf__activities *self = &runtime->activities;
    for (size_t i = 0; i < self->slots_count; i++) {
        struct hf_activity *activity = &self->slots[i];
        if (activity->state != HF__ACTIVITY_RUNNING || !hf__activity_is_held(activity)) continue;
        activity->gave_up = true;
        if (activity->is_rebuild) {
            hf__activity_item_ended(activity);
        } else if (activity->is_completed) {
            hf__delivery_complete(activity); /* only its function has not returned */
        } else {
            hf__delivery_hand_over(activity);
        }
    }
}

bool hf__activity_fell_silent(struct hf_activity *activity, const hf_error *failure)
{
    hf_assert(activity->state == HF__ACTIVITY_RUNNING && hf__activity_is_held(activity));
    if (!hf__delivery_fail_running(activity, failure)) return false;
    activity->gave_up = activity->fell_silent = true;
    activity_tell(activity, HF__STOP_VOID);
    return true;
}

void hf__activity_name(const struct hf_activity *activity, struct hf__activity_names *out_names)
{
    const hf_activity_info *info = &activity->info;
    hf_assert(activity->is_called);
    out_names->lsn = activity->token.delivery_lsn;
    hf_text_copy(out_names->instance, sizeof out_names->instance, hf_text(info->instance));
    hf_text_copy(out_names->session, sizeof out_names->session, hf_text(info->session));
    hf_text_copy(out_names->activity, sizeof out_names->activity, hf_text(info->activity));
}

bool hf__activities_are_pending(const hf_runtime *runtime)
{
    const struct hf__activities *self = &runtime->activities;
    for (size_t i = 0; i < self->slots_count; i++) {
        const struct hf_activity *activity = &self->slots[i];
        if (activity->is_sending || hf__activity_is_held(activity)) return true;
    }
    return false;
}

/* ---- memory of sessions goes ---------------------------------------------------------------- */

void hf__claims_bury_later(hf_runtime *runtime)
{
    if (runtime->claims.dying) hf__runtime_wake(runtime, HF__WAKE_BURY);
}

void hf__claims_bury(hf_runtime *runtime)
{
    uv_mutex_lock(&runtime->mutex);
    struct hf__claim *claim = hf__claims_dead(&runtime->claims);
    while (claim) {
        uv_mutex_unlock(&runtime->mutex);
        hf__claim_destroy_memory(claim);
        uv_mutex_lock(&runtime->mutex);
        hf__claims_free(&runtime->claims, claim);
        claim = hf__claims_dead(&runtime->claims);
    }
    hf__runtime_wake_if_stopping(runtime);
    uv_mutex_unlock(&runtime->mutex);
}
