/* Defaults and limits of a runtime's options. */
#include "runtime/settings.h"

#include <string.h>
#include <uv.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/execution.h"
#include "engine/fiber.h"

enum {
    ACTIVITY_THREADS_MAX = 4096,
    ORCHESTRATION_THREADS_MAX = 256,
    SESSIONS_MAX_DEFAULT = 100,
    SESSIONS_PER_ORCHESTRATION_DEFAULT = 10,
    LIVE_INSTANCES_DEFAULT = 1000,
    SESSION_LOCK_DEFAULT_MS = 600000,
    ITEM_LOCK_DEFAULT_MS = 30000,
    CANCEL_GRACE_DEFAULT_MS = 10000,
    SESSION_LEAK_DEFAULT_MS = 86400000,
    TURN_WARN_DEFAULT_MS = 5000,
    ATTEMPTS_MAX_DEFAULT = 10,
    HISTORY_EVENTS_DEFAULT = 200000,
    DETACHED_DEFAULT = 100,
    DETACHED_MAX = 100000,
    KV_KEYS_DEFAULT = 100,
    KV_KEYS_MAX = 10000, /* continue-as-new writes a row for each */
    KV_VALUE_SIZE_DEFAULT = 16 * 1024
};

static const uint64_t DURATION_MAX_MS = 366ULL * 24 * 3600 * 1000; /* a year: sums cannot overflow
                                                                    */

/* UINT32_MAX says "none", which is 0 here. */
static uint64_t given_or(uint64_t given, uint64_t by_default)
{
    if (given == UINT32_MAX) return 0;
    return given == 0 ? by_default : given;
}

static uint64_t duration_or(uint64_t given_ms, uint64_t by_default_ms)
{
    return given_ms == 0 ? by_default_ms : given_ms;
}

static hf_status count_check(const char *what, size_t count, size_t max, hf_error *error)
{
    if (count <= max) return HF_OK;
    return hf_error_set(error, HF_INVALID, "%s is %zu: at most %zu", what, count, max);
}

static hf_status stack_check(size_t stack_size, hf_error *error)
{
    if (stack_size == 0) return HF_OK;
    if (stack_size >= HF_FIBER_STACK_SIZE_MIN && stack_size <= HF_FIBER_STACK_SIZE_MAX) {
        return HF_OK;
    }
    return hf_error_set(error, HF_INVALID, "orchestration_stack_size is %zu: from %d to %d",
                        stack_size, HF_FIBER_STACK_SIZE_MIN, HF_FIBER_STACK_SIZE_MAX);
}

static hf_status engine_versions_check(const struct hf__settings *self, hf_error *error)
{
    if (self->engine_version_max > HF_ENGINE_VERSION) {
        return hf_error_set(
            error, HF_INVALID,
            "engine_version_max is %llu: this library is %d, and runs no newer ones",
            (unsigned long long)self->engine_version_max, HF_ENGINE_VERSION);
    }
    if (self->engine_version_min <= self->engine_version_max) return HF_OK;
    return hf_error_set(error, HF_INVALID, "engine_version_min is %llu: over engine_version_max",
                        (unsigned long long)self->engine_version_min);
}

static hf_status durations_check(const struct hf__settings *self, hf_error *error)
{
    const struct {
        const char *what;
        uint64_t value_ms;
    } durations[] = {
        { "session_lock_ms", self->session_lock_ms },
        { "item_lock_ms", self->item_lock_ms },
        { "session_idle_ms", self->session_idle_ms },
        { "cancel_grace_ms", self->cancel_grace_ms },
        { "session_reclaim_ms", self->session_reclaim_ms },
        { "session_leak_ms", self->session_leak_ms == UINT64_MAX ? 0 : self->session_leak_ms },
        { "turn_warn_ms", self->turn_warn_ms == UINT64_MAX ? 0 : self->turn_warn_ms },
    };
    for (size_t i = 0; i < HF_COUNT_OF(durations); i++) {
        if (durations[i].value_ms <= DURATION_MAX_MS) continue;
        return hf_error_set(error, HF_INVALID, "%s is %llu: at most %llu (milliseconds)",
                            durations[i].what, (unsigned long long)durations[i].value_ms,
                            (unsigned long long)DURATION_MAX_MS);
    }
    return HF_OK;
}

/* ---- tags ----------------------------------------------------------------------------------- */

static hf_status tag_copy(hf_slice *tag, const char *given, const hf_allocator *heap,
                          hf_error *error)
{
    hf_status status = hf_id_check(given, "tag", error);
    if (status != HF_OK) return status;
    size_t size = strlen(given);
    char *copy = hf_heap_new(heap, size + 1);
    if (!copy) return hf_error_set(error, HF_NO_MEMORY, "no memory for the tags of a runtime");
    memcpy(copy, given, size + 1);
    *tag = hf_bytes(copy, size);
    return HF_OK;
}

static hf_status tags_copy(struct hf__settings *self, const hf_runtime_options *options,
                           const hf_allocator *heap, hf_error *error)
{
    size_t count = options->tags_count;
    if (count == 0) return HF_OK;
    if (!options->tags) {
        return hf_error_set(error, HF_INVALID,
                            "tags_count is %zu and tags is NULL: give the tags, or 0", count);
    }
    if (count > HF__TAGS_MAX) {
        return hf_error_set(error, HF_INVALID, "tags_count is %zu: a worker serves at most %d tags",
                            count, HF__TAGS_MAX);
    }
    self->tags = hf_heap_new(heap, count * sizeof *self->tags);
    if (!self->tags) {
        return hf_error_set(error, HF_NO_MEMORY, "no memory for the tags of a runtime");
    }
    self->tags_count = count;
    hf_status status = HF_OK;
    for (size_t i = 0; i < count && status == HF_OK; i++) {
        status = tag_copy(&self->tags[i], options->tags[i], heap, error);
    }
    return status;
}

void hf__settings_release(struct hf__settings *self, const hf_allocator *heap)
{
    for (size_t i = 0; i < self->tags_count; i++) {
        char *copy = (char *)(uintptr_t)self->tags[i].data;
        if (copy) hf_heap_free(heap, copy, self->tags[i].size + 1);
    }
    hf_heap_free(heap, self->tags, self->tags_count * sizeof *self->tags);
    self->tags = NULL;
    self->tags_count = 0;
}

/* ---- all ------------------------------------------------------------------------------------ */

hf_status hf__settings_make(struct hf__settings *self, const hf_runtime_options *options,
                            const hf_allocator *heap, hf_error *error)
{
    *self = (struct hf__settings){
        .orchestration_threads = given_or(options->orchestration_threads, 1),
        .activity_threads = given_or(options->activity_threads, uv_available_parallelism()),
        .sessions_max = given_or(options->sessions_max, SESSIONS_MAX_DEFAULT),
        .sessions_per_orchestration_max = given_or(options->sessions_per_orchestration_max,
                                                   SESSIONS_PER_ORCHESTRATION_DEFAULT),
        .live_instances_max = given_or(options->live_instances_max, LIVE_INSTANCES_DEFAULT),
        .stack_size = options->orchestration_stack_size,
        .session_lock_ms = duration_or(options->session_lock_ms, SESSION_LOCK_DEFAULT_MS),
        .item_lock_ms = duration_or(options->item_lock_ms, ITEM_LOCK_DEFAULT_MS),
        .session_idle_ms = options->session_idle_ms,
        .cancel_grace_ms = duration_or(options->cancel_grace_ms, CANCEL_GRACE_DEFAULT_MS),
        .session_reclaim_ms = options->session_reclaim_ms,
        .session_leak_ms = duration_or(options->session_leak_ms, SESSION_LEAK_DEFAULT_MS),
        .turn_warn_ms = duration_or(options->turn_warn_ms, TURN_WARN_DEFAULT_MS),
        .kv_keys_max = options->kv_keys_max ? options->kv_keys_max : KV_KEYS_DEFAULT,
        .kv_value_size_max = options->kv_value_size_max ? options->kv_value_size_max
                                                        : KV_VALUE_SIZE_DEFAULT,
        .history_events_max = options->history_events_max ? options->history_events_max
                                                          : HISTORY_EVENTS_DEFAULT,
        .test_clock = options->test_clock,
        .detached_max = options->detached_max ? options->detached_max : DETACHED_DEFAULT,
        .engine_version_min = options->engine_version_min,
        .engine_version_max = options->engine_version_max ? options->engine_version_max
                                                          : HF_ENGINE_VERSION,
        .attempts_max = options->attempts_max ? options->attempts_max : ATTEMPTS_MAX_DEFAULT,
        .check_replay = options->check_replay,
        .on_session = options->on_session,
        .user = options->user,
    };
    hf_status status = count_check("orchestration_threads", self->orchestration_threads,
                                   ORCHESTRATION_THREADS_MAX, error);
    if (status == HF_OK) {
        status = count_check("activity_threads", self->activity_threads, ACTIVITY_THREADS_MAX,
                             error);
    }
    if (status == HF_OK) {
        status = count_check("kv_keys_max", self->kv_keys_max, KV_KEYS_MAX, error);
    }
    if (status == HF_OK) {
        status = count_check("detached_max", self->detached_max, DETACHED_MAX, error);
    }
    if (status == HF_OK) status = engine_versions_check(self, error);
    if (status == HF_OK) status = stack_check(self->stack_size, error);
    if (status == HF_OK) status = durations_check(self, error);
    if (status == HF_OK) status = tags_copy(self, options, heap, error);
    if (status != HF_OK) hf__settings_release(self, heap);
    return status;
}
