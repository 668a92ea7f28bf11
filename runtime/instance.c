/* What a client is shown of an instance, and waiting for its end or its status. */
#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/execution.h"
#include "runtime/store.h"
#include "runtime/wait.h"

/* An hf_instance with all that it points to. */
struct shown {
    struct hf__shown_instance shown; /* first, and its instance first: that is what users hold */
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

/* ---- showing -------------------------------------------------------------------------------- */

/* Reads output and error out of the last event. */
static hf_status show_end(const struct hf_instance_info *info, struct hf_arena *arena,
                          struct hf__shown_instance *shown, hf_error *error)
{
    if (!has_ended(info->status)) return HF_OK;
    hf_status status = hf_body_read_output(info->output_body, arena, &shown->instance.output,
                                           &shown->error, error);
    if (status != HF_OK) return status;
    if (info->status != HF_INSTANCE_COMPLETED) shown->instance.error = &shown->error;
    return HF_OK;
}

static void show_suspension(const struct hf_instance_info *info, struct hf__shown_instance *shown)
{
    hf_error *suspension = &shown->suspension;
    if (info->suspended_code.size == 0) return;
    *suspension = (hf_error){ .status = HF_BUSY };
    hf_text_copy(suspension->code, sizeof suspension->code, info->suspended_code);
    hf_text_copy(suspension->message, sizeof suspension->message, info->suspended_text);
    shown->instance.suspension = suspension;
}

static const char *text_or_null(struct hf_arena *arena, hf_slice text)
{
    return text.size > 0 ? hf_arena_text(arena, text) : NULL;
}

hf_status hf__instance_show(const struct hf_instance_info *info, struct hf_arena *arena,
                            struct hf__shown_instance *out_shown, hf_error *error)
{
    hf_instance *instance = &out_shown->instance;
    *instance = (hf_instance){ .size = sizeof *instance,
                               .id = hf_arena_text(arena, info->id),
                               .orchestration = hf_arena_text(arena, info->orchestration),
                               .version = hf_arena_text(arena, info->version),
                               .parent = text_or_null(arena, info->parent_id),
                               .root = text_or_null(arena, info->root_id),
                               .status = (hf_instance_status)info->status,
                               .execution = info->execution,
                               .started_unix_ms = info->started_unix_ms,
                               .ended_unix_ms = info->ended_unix_ms,
                               .events_count = info->events_count,
                               .custom_status_version = info->status_version };
    show_suspension(info, out_shown);
    hf_status status = show_end(info, arena, out_shown, error);
    if (status == HF_OK && info->status_body.size > 0) {
        status = hf_body_read_status(info->status_body, arena, &instance->custom_status, error);
    }
    if (status == HF_OK && arena->failed) {
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
    if (status == HF_OK) status = hf__instance_show(&info, &self->arena, &self->shown, error);
    if (status != HF_OK) {
        shown_free(self);
        return status;
    }
    *out_instance = &self->shown.instance;
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

/* ---- waiting -------------------------------------------------------------------------------- */

/* A wait for the end, or for a newer status. */
struct wait {
    hf_store *store;
    const char *id;
    uint64_t newer_than_version; /* UINT64_MAX: for the end alone */
    const hf_instance *found;
};

/* hf__wait.look. */
static hf_status wait_look(void *self, bool *out_is_over, hf_error *error)
{
    struct wait *wait = self;
    const hf_instance *instance = NULL;
    hf_status status = instance_read(wait->store, wait->id, &instance, error);
    if (status != HF_OK) return status;
    *out_is_over = has_ended(instance->status) ||
                   instance->custom_status_version > wait->newer_than_version;
    if (*out_is_over) wait->found = instance;
    if (!*out_is_over) hf_instance_free(instance);
    return HF_OK;
}

static hf_status wait_run(struct wait *self, struct hf__wait *how, const hf_instance **out_instance,
                          hf_error *error)
{
    hf_status status = read_check(self->store, self->id, out_instance, error);
    if (status != HF_OK) return status;
    how->store = self->store;
    how->id = self->id;
    how->look = wait_look;
    how->self = self;
    status = hf__wait(how, error);
    if (status == HF_OK) *out_instance = self->found;
    return status;
}

hf_status hf_wait(hf_store *store, const char *instance, uint64_t timeout_ms,
                  const hf_instance **out_instance, hf_error *error)
{
    struct wait wait = { .store = store, .id = instance, .newer_than_version = UINT64_MAX };
    struct hf__wait how = { .timeout_ms = timeout_ms, .call = "hf_wait", .what = "has not ended" };
    return wait_run(&wait, &how, out_instance, error);
}

hf_status hf_wait_status(hf_store *store, const char *instance, uint64_t newer_than_version,
                         uint64_t timeout_ms, const hf_instance **out_instance, hf_error *error)
{
    struct wait wait = { .store = store, .id = instance, .newer_than_version = newer_than_version };
    struct hf__wait how = { .timeout_ms = timeout_ms,
                            .call = "hf_wait_status",
                            .what = "has not changed its status" };
    return wait_run(&wait, &how, out_instance, error);
}
