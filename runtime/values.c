/* What clients read of the values of instances, and waiting for one. */
#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/execution.h"
#include "runtime/store.h"
#include "runtime/wait.h"

/* An hf_value with all that it points to. */
struct shown {
    hf_value value; /* first: it is what users hold */
    struct hf_arena arena;
};

static void shown_free(struct shown *self)
{
    const hf_allocator *heap = self->arena.heap;
    hf_arena_release(&self->arena);
    hf_heap_free(heap, self, sizeof *self);
}

void hf_value_free(const hf_value *value)
{
    if (!value) return;
    hf_assert(value->size == sizeof *value);
    shown_free((struct shown *)(uintptr_t)value);
}

hf_status hf__value_show(const struct hf_stored_value *stored, struct hf_arena *arena,
                         hf_value *out_value, hf_error *error)
{
    *out_value = (hf_value){ .size = sizeof *out_value, .key = hf_arena_text(arena, stored->key) };
    hf_status status = hf_body_read_value(stored->body, arena, &out_value->value,
                                          &out_value->set_unix_ms, error);
    if (status != HF_OK || !arena->failed) return status;
    return hf_error_set(error, HF_NO_MEMORY, "no memory to show a value");
}

static hf_status value_fill(hf_store *store, struct shown *self, const char *id, const char *key,
                            hf_error *error)
{
    struct hf_backend *backend = store->backend;
    struct hf_stored_value *rows = NULL;
    size_t count = 0;
    hf_status status = backend->ops->values(backend, hf_text(id), hf_text(key), &self->arena, &rows,
                                            &count, error);
    if (status != HF_OK) return status;
    if (count > 0) return hf__value_show(&rows[0], &self->arena, &self->value, error);
    hf_error_set(error, HF_NOT_FOUND, "instance \"%s\" has no value of \"%.100s\"", id, key);
    hf_error_code(error, "no_value");
    return HF_NOT_FOUND;
}

/* Reads the value; the checks have been made. */
static hf_status value_read(hf_store *store, const char *id, const char *key,
                            const hf_value **out_value, hf_error *error)
{
    struct shown *self = hf_heap_new(store->heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory to show a value");
    hf_arena_init(&self->arena, store->heap);
    hf_status status = value_fill(store, self, id, key, error);
    if (status == HF_OK) *out_value = &self->value;
    if (status != HF_OK) shown_free(self);
    return status;
}

static hf_status read_check(const hf_store *store, const char *id, const char *key,
                            const hf_value **out_value, hf_error *error)
{
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK) status = hf_id_check(id, "instance id", error);
    if (status == HF_OK) status = hf_id_check(key, "key", error);
    if (status == HF_OK && !out_value) {
        status = hf_error_set(error, HF_INVALID, "out_value is NULL: give it a place");
    }
    return status;
}

hf_status hf_kv_read(hf_store *store, const char *instance, const char *key,
                     const hf_value **out_value, hf_error *error)
{
    hf_error unwanted;
    if (!error) error = &unwanted;
    hf_status status = read_check(store, instance, key, out_value, error);
    return status == HF_OK ? value_read(store, instance, key, out_value, error) : status;
}

/* ---- waiting -------------------------------------------------------------------------------- */

struct wait {
    hf_store *store;
    const char *id, *key;
    const hf_value *found;
};

/* hf__wait.look. Whether the instance has ended is read first: a value that came with the end is
 * found then. */
static hf_status wait_look(void *self, bool *out_is_over, hf_error *error)
{
    struct wait *wait = self;
    const hf_instance *instance = NULL;
    hf_status status = hf_get(wait->store, wait->id, &instance, error);
    if (status != HF_OK) return status;
    bool has_ended = instance->ended_unix_ms != 0;
    hf_instance_free(instance);
    status = value_read(wait->store, wait->id, wait->key, &wait->found, error);
    *out_is_over = status == HF_OK || has_ended;
    bool may_come = status == HF_NOT_FOUND && !has_ended;
    return may_come ? HF_OK : status;
}

hf_status hf_kv_wait(hf_store *store, const char *instance, const char *key, uint64_t timeout_ms,
                     const hf_value **out_value, hf_error *error)
{
    hf_error unwanted;
    if (!error) error = &unwanted;
    struct wait wait = { .store = store, .id = instance, .key = key };
    const struct hf__wait how = { .store = store,
                                  .timeout_ms = timeout_ms,
                                  .call = "hf_kv_wait",
                                  .id = instance,
                                  .what = "has not set the value",
                                  .look = wait_look,
                                  .self = &wait };
    hf_status status = read_check(store, instance, key, out_value, error);
    if (status == HF_OK) status = hf__wait(&how, error);
    if (status == HF_OK) *out_value = wait.found;
    return status;
}
