/* What the author of an activity calls: hf_activity_* and hf_session_memory*. Thin: the pool is in
 * activities.c, the memory slots are the claims' own. */
#include <stdarg.h>
#include <stdio.h>

#include "engine/base/assert.h"
#include "runtime/runtime.h"

hf_status hf_activity_complete(hf_activity *a, hf_slice output)
{
    hf_assert(a->state == HF__ACTIVITY_RUNNING);
    hf_status status = hf__payload_check(a->runtime->store, output, "output", NULL);
    if (status != HF_OK) return status;
    hf_slice copy = hf_arena_copy(&a->arena, output);
    if (!copy.data) return HF_NO_MEMORY;
    a->output = copy;
    a->is_failed = false;
    return HF_OK;
}

hf_status hf_activity_fail(hf_activity *a, const char *code, hf_slice data, const char *format, ...)
{
    hf_error *failure = &a->failure;
    char message[HF_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    hf_error_set(failure, HF_FAILED, "%s", message);
    hf_error_code(failure, code ? code : "");
    /* Details that cannot be kept are left out: the failure itself matters more. */
    bool is_kept = hf__payload_check(a->runtime->store, data, "data", NULL) == HF_OK;
    if (is_kept) failure->data = hf_arena_copy(&a->arena, data);
    a->is_failed = true;
    return HF_FAILED;
}

hf_status hf_activity_report(hf_activity *a, hf_slice progress)
{
    hf_assert(a->state == HF__ACTIVITY_RUNNING);
    if (progress.size > HF_PROGRESS_SIZE_MAX) return HF_TOO_LARGE;
    hf_status status = hf__heartbeat_report(a, progress);
    if (status != HF_OK) return status;
    return hf_activity_is_cancelled(a) ? HF_CANCELLED : HF_OK;
}

/* ---- detached ------------------------------------------------------------------------------- */

/* A completion is the activity, to whoever may complete it. */
hf_completion *hf_activity_detach(hf_activity *a)
{
    hf__activity_detach(a);
    return (hf_completion *)a;
}

hf_activity *hf_completion_activity(hf_completion *completion)
{
    return (hf_activity *)completion;
}

hf_status hf_completion_complete(hf_completion *completion, hf_slice output)
{
    hf_activity *a = hf_completion_activity(completion);
    hf_status status = hf_activity_complete(a, output);
    if (status != HF_OK) return status;
    return hf__activity_completed(a, HF_OK) ? HF_OK : HF_STALE;
}

hf_status hf_completion_fail(hf_completion *completion, const char *code, hf_slice data,
                             const char *message)
{
    hf_activity *a = hf_completion_activity(completion);
    hf_status status = hf_activity_fail(a, code, data, "%s", message ? message : "");
    return hf__activity_completed(a, status) ? HF_OK : HF_STALE;
}

hf_store *hf_activity_store(const hf_activity *a)
{
    return a->runtime->store;
}

const hf_activity_info *hf_activity_about(const hf_activity *a)
{
    return &a->info;
}

void *hf_activity_user(const hf_activity *a)
{
    hf_assert(a->registered);
    return a->registered->user;
}

void hf_activity_log(hf_activity *a, hf_log_level level, const char *format, ...)
{
    const hf_observer *observer = a->runtime->store->observer;
    if (!hf__log_wants(observer, level)) return;
    char message[HF__LOG_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    hf__log(observer,
            &(hf_log_line){ .level = level,
                            .event = "activity.log",
                            .lsn = a->token.delivery_lsn,
                            .instance = a->info.instance,
                            .session = a->info.session,
                            .worker = a->info.worker_id,
                            .activity = a->info.activity },
            "%s", message);
}

/* ---- being told to stop --------------------------------------------------------------------- */

bool hf_activity_is_cancelled(const hf_activity *a)
{
    return atomic_load(&a->stop) != HF__STOP_NONE;
}

/* Its slot: what authors see is constant. */
static hf_activity *slot_of(const hf_activity *a)
{
    hf_activity *slots = a->runtime->activities.slots;
    hf_activity *self = &slots[a - slots];
    hf_assert(self == a);
    return self;
}

int hf_activity_cancel_fd(const hf_activity *a)
{
    return hf__activity_cancel_fd(slot_of(a));
}

bool hf_activity_wait_cancelled(const hf_activity *a, uint64_t timeout_ms)
{
    enum { NS_PER_MS = 1000000 };
    const uint64_t ms_max = UINT64_MAX / NS_PER_MS / 4; /* over a century */
    hf_runtime *runtime = a->runtime;
    hf_activity *self = slot_of(a);
    if (timeout_ms > ms_max) timeout_ms = ms_max;
    uint64_t begin_ns = uv_hrtime();
    uint64_t limit_ns = timeout_ms * NS_PER_MS;
    uv_mutex_lock(&runtime->mutex);
    for (;;) {
        uint64_t passed_ns = uv_hrtime() - begin_ns;
        if (hf_activity_is_cancelled(a) || passed_ns >= limit_ns) break;
        uv_cond_timedwait(&self->told, &runtime->mutex, limit_ns - passed_ns);
    }
    uv_mutex_unlock(&runtime->mutex);
    return hf_activity_is_cancelled(a);
}

/* ---- memory of a session -------------------------------------------------------------------- */

void *hf_session_memory(const hf_activity *a)
{
    if (!a->claim) return NULL;
    uv_mutex_lock(&a->runtime->mutex);
    void *memory = a->claim->memory;
    uv_mutex_unlock(&a->runtime->mutex);
    return memory;
}

void *hf_session_memory_set(hf_activity *a, void *memory, void (*destroy)(void *memory))
{
    void *kept = NULL;
    if (a->claim) {
        uv_mutex_lock(&a->runtime->mutex);
        if (!a->claim->memory) {
            a->claim->memory = memory;
            a->claim->destroy = destroy;
        }
        kept = a->claim->memory;
        uv_mutex_unlock(&a->runtime->mutex);
    }
    /* The loser's memory goes here, without the mutex: its destructor is the user's code. The same
     * pointer set again is no loser. */
    if (kept != memory && memory && destroy) destroy(memory);
    return kept;
}
