/* What a client is shown of an instance, and waiting for its end.
 *
 * hf_wait: come in, begin to hear other processes, then repeat: note the count of wakings, read,
 * and sleep until the count has moved. An end that is committed after the reading moves the count,
 * here at once or through the ring; a lost ring costs one period of the slow poll. */
#include <uv.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/execution.h"
#include "runtime/store.h"

enum { NS_PER_MS = 1000 * 1000 };

/* An hf_instance with all that it points to. */
struct shown {
    hf_instance instance; /* first: it is what users hold */
    hf_error error;
    struct hf_arena arena;
};

static bool has_ended(uint64_t status)
{
    return status != HF_INSTANCE_PENDING && status != HF_INSTANCE_RUNNING;
}

static void shown_free(struct shown *self)
{
    const hf_allocator *heap = self->arena.heap;
    hf_arena_release(&self->arena);
    hf_heap_free(heap, self, sizeof *self);
}

/* Reads output and error out of the last event. */
static hf_status shown_read_end(struct shown *self, const struct hf_instance_info *info,
                                hf_error *error)
{
    hf_instance *instance = &self->instance;
    if (!has_ended(info->status)) return HF_OK;
    hf_status status = hf_body_read_output(info->output_body, &self->arena, &instance->output,
                                           &self->error, error);
    if (status != HF_OK) return status;
    if (info->status != HF_INSTANCE_COMPLETED) instance->error = &self->error;
    return HF_OK;
}

static hf_status shown_fill(struct shown *self, const struct hf_instance_info *info,
                            hf_error *error)
{
    hf_instance *instance = &self->instance;
    *instance = (hf_instance){ .size = sizeof *instance,
                               .id = hf_arena_text(&self->arena, info->id),
                               .orchestration = hf_arena_text(&self->arena, info->orchestration),
                               .status = (hf_instance_status)info->status,
                               .execution = info->execution,
                               .started_unix_ms = info->started_unix_ms,
                               .ended_unix_ms = info->ended_unix_ms,
                               .events_count = info->events_count,
                               .custom_status_version = info->status_version };
    hf_status status = shown_read_end(self, info, error);
    if (status == HF_OK && info->status_body.size > 0) {
        status = hf_body_read_status(info->status_body, &self->arena, &instance->custom_status,
                                     error);
    }
    if (status == HF_OK && self->arena.failed) {
        status = hf_error_set(error, HF_NO_MEMORY, "no memory to show an instance");
    }
    return status;
}

/* Reads the instance; the checks have been made. */
static hf_status instance_read(hf_store *store, const char *id, const hf_instance **out_instance,
                               hf_error *error)
{
    struct hf_backend *backend = store->backend;
    struct hf_instance_info info = { 0 };
    struct shown *self = hf_heap_new(store->heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory to show an instance");
    hf_arena_init(&self->arena, store->heap);
    hf_status status = backend->ops->instance(backend, hf_text(id), &self->arena, &info, error);
    if (status == HF_OK) status = shown_fill(self, &info, error);
    if (status != HF_OK) {
        shown_free(self);
        return status;
    }
    *out_instance = &self->instance;
    return HF_OK;
}

static hf_status read_check(const hf_store *store, const char *id, const hf_instance **out_instance,
                            hf_error *error)
{
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK) status = hf_id_check(id, "instance id", error);
    if (status == HF_OK && !out_instance) {
        status = hf_error_set(error, HF_INVALID, "out_instance is NULL: give it a place");
    }
    return status;
}

hf_status hf_get(hf_store *store, const char *instance, const hf_instance **out_instance,
                 hf_error *error)
{
    hf_status status = read_check(store, instance, out_instance, error);
    if (status != HF_OK) return status;
    return instance_read(store, instance, out_instance, error);
}

void hf_instance_free(const hf_instance *instance)
{
    if (!instance) return;
    hf_assert(instance->size == sizeof *instance);
    shown_free((struct shown *)(uintptr_t)instance);
}

/* A wait in progress. */
struct wait {
    hf_store *store;
    const char *id;
    uint64_t deadline_ns; /* of uv_hrtime; UINT64_MAX: none */
};

/* What a wait that ended without the instance's end returns. */
static hf_status wait_error(enum hf__waiters_outcome outcome, const char *id, hf_error *error)
{
    hf_assert(outcome != HF__WAITERS_WOKEN);
    if (outcome == HF__WAITERS_CLOSED) {
        return hf_error_set(error, HF_CLOSED, "the store was closed while \"%.255s\" was awaited",
                            id);
    }
    return hf_error_set(error, HF_TIMEOUT, "\"%.255s\" has not ended in the given time", id);
}

/* Reads again at each waking; the caller is inside the waiters. */
static hf_status wait_for_end(const struct wait *wait, const hf_instance **out_instance,
                              hf_error *error)
{
    struct hf__waiters *waiters = wait->store->waiters;
    for (;;) {
        const hf_instance *instance = NULL;
        uint64_t seen = hf__waiters_count(waiters);
        hf_status status = instance_read(wait->store, wait->id, &instance, error);
        if (status != HF_OK) return status;
        if (has_ended(instance->status)) {
            *out_instance = instance;
            return HF_OK;
        }
        hf_instance_free(instance);
        enum hf__waiters_outcome outcome = hf__waiters_wait(waiters, seen, wait->deadline_ns);
        if (outcome != HF__WAITERS_WOKEN) return wait_error(outcome, wait->id, error);
    }
}

/* When a wait that begins now is over, in the time of uv_hrtime. */
static uint64_t wait_deadline_ns(uint64_t timeout_ms)
{
    uint64_t now_ns = uv_hrtime();
    if (timeout_ms == 0 || timeout_ms > (UINT64_MAX - now_ns) / NS_PER_MS) return UINT64_MAX;
    return now_ns + timeout_ms * NS_PER_MS;
}

hf_status hf_wait(hf_store *store, const char *instance, uint64_t timeout_ms,
                  const hf_instance **out_instance, hf_error *error)
{
    const struct wait wait = { store, instance, wait_deadline_ns(timeout_ms) };
    hf_status status = read_check(store, instance, out_instance, error);
    if (status != HF_OK) return status;
    if (hf__committer_is_self(store->committer)) {
        return hf_error_set(error, HF_INVALID,
                            "hf_wait was called from a callback of the store, which it would wait "
                            "for: call it on another thread");
    }
    if (!hf__waiters_enter(store->waiters)) return wait_error(HF__WAITERS_CLOSED, instance, error);
    if (store->ring) status = hf__ring_hear(store->ring, error);
    if (status == HF_OK) status = wait_for_end(&wait, out_instance, error);
    hf__waiters_leave(store->waiters);
    return status;
}
