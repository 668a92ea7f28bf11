/* Exporting the history of an instance's present execution. */
#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/history.h"
#include "runtime/store.h"

/* An hf_history with its bytes. */
struct exported {
    hf_history history; /* first: it is what users hold */
    struct hf_arena arena;
};

static void exported_free(struct exported *self)
{
    const hf_allocator *heap = self->arena.heap;
    hf_arena_release(&self->arena);
    hf_heap_free(heap, self, sizeof *self);
}

void hf_history_free(const hf_history *history)
{
    if (!history) return;
    hf_assert(history->size == sizeof *history);
    exported_free((struct exported *)(uintptr_t)history);
}

static hf_status exported_fill(struct exported *self, struct hf_backend *backend, const char *id,
                               hf_error *error)
{
    struct hf_instance_info info;
    struct hf_turn_view view = { .events_count = 0 };
    hf_status status = backend->ops->instance(backend, hf_text(id), &self->arena, &info, error);
    if (status != HF_OK) return status;
    const struct hf_item_id from = { info.number, info.execution, 1 };
    status = backend->ops->turn_view(backend, &from, &self->arena, &view, error);
    if (status != HF_OK) return status;
    self->history = (hf_history){ .size = sizeof self->history,
                                  .bytes = hf_history_encode(&view, info.execution, &self->arena),
                                  .execution = info.execution,
                                  .events_count = view.events_count };
    if (self->history.bytes.data) return HF_OK;
    return hf_error_set(error, HF_NO_MEMORY, "no memory to export a history of %zu events",
                        view.events_count);
}

hf_status hf_history_export(hf_store *store, const char *instance, const hf_history **out_history,
                            hf_error *error)
{
    hf_error unwanted;
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK) status = hf_id_check(instance, "instance id", error);
    if (status == HF_OK && !out_history) {
        status = hf_error_set(error, HF_INVALID, "out_history is NULL: give it a place");
    }
    if (status != HF_OK) return status;
    struct exported *self = hf_heap_new(store->heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory to export a history");
    hf_arena_init(&self->arena, store->heap);
    status = exported_fill(self, store->backend, instance, error ? error : &unwanted);
    if (status == HF_OK) *out_history = &self->history;
    if (status != HF_OK) exported_free(self);
    return status;
}
