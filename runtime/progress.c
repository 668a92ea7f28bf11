/* What clients read of how far an activity is. */
#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "runtime/store.h"

/* An hf_progress with all that it points to. */
struct shown {
    hf_progress progress; /* first: it is what users hold */
    struct hf_arena arena;
};

static void shown_free(struct shown *self)
{
    const hf_allocator *heap = self->arena.heap;
    hf_arena_release(&self->arena);
    hf_heap_free(heap, self, sizeof *self);
}

void hf_progress_free(const hf_progress *progress)
{
    if (!progress) return;
    hf_assert(progress->size == sizeof *progress);
    shown_free((struct shown *)(uintptr_t)progress);
}

static hf_status progress_fill(hf_store *store, struct shown *self, const char *id,
                               uint64_t activity_id, hf_error *error)
{
    struct hf_backend *backend = store->backend;
    struct hf_progress_row row;
    hf_status status = backend->ops->progress(backend, hf_text(id), activity_id, &self->arena, &row,
                                              error);
    if (status != HF_OK) return status;
    self->progress = (hf_progress){ .size = sizeof self->progress,
                                    .progress = row.progress,
                                    .reported_unix_ms = row.reported_unix_ms,
                                    .attempt = (uint32_t)row.attempts,
                                    .is_running = row.is_running };
    return HF_OK;
}

hf_status hf_progress_read(hf_store *store, const char *instance, uint64_t activity_id,
                           const hf_progress **out_progress, hf_error *error)
{
    hf_error unwanted;
    if (!error) error = &unwanted;
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK) status = hf_id_check(instance, "instance id", error);
    if (status == HF_OK && !out_progress) {
        status = hf_error_set(error, HF_INVALID, "out_progress is NULL: give it a place");
    }
    if (status != HF_OK) return status;
    struct shown *self = hf_heap_new(store->heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory to show progress");
    hf_arena_init(&self->arena, store->heap);
    status = progress_fill(store, self, instance, activity_id, error);
    if (status == HF_OK) *out_progress = &self->progress;
    if (status != HF_OK) shown_free(self);
    return status;
}
