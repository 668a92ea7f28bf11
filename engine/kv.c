/* The values of an instance, as its code sees them: sorted by key, each a block of the heap.
 *
 * Replay begins with what they were at the end of the former execution, and does again what the
 * commands of this one say. So what a key holds depends on history alone, and never on what the
 * store's rows have come to meanwhile. */
#include <string.h>

#include "engine/execution_internal.h"

size_t hf__kv_search(const struct hf_execution *self, hf_slice key, bool *out_is_there)
{
    size_t low = 0, high = self->values_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hf_slice_compare(self->values[middle]->key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *out_is_there = low < self->values_count && hf_slice_equal(self->values[low]->key, key);
    return low;
}

hf_slice hf__kv_payload(const struct hf__value *value)
{
    return hf_bytes(value->bytes + value->key.size, value->payload_size);
}

static size_t block_size(size_t key_size, size_t payload_size)
{
    return sizeof(struct hf__value) + key_size + payload_size;
}

static void value_free(struct hf_execution *self, struct hf__value *value)
{
    size_t size = block_size(value->key.size, value->payload_size);
    hf_assert(self->values_size >= size);
    self->values_size -= size;
    hf_heap_free(self->heap, value, size);
}

/* NULL: no memory. */
static struct hf__value *value_new(struct hf_execution *self, const struct hf_event *set)
{
    size_t size = block_size(set->name.size, set->payload.size);
    struct hf__value *value = hf_heap_new(self->heap, size);
    if (!value) return NULL;
    memcpy(value->bytes, set->name.data, set->name.size);
    if (set->payload.size > 0) {
        memcpy(value->bytes + set->name.size, set->payload.data, set->payload.size);
    }
    value->key = hf_bytes(value->bytes, set->name.size);
    value->payload_size = set->payload.size;
    value->set_unix_ms = set->now_unix_ms;
    self->values_size += size;
    return value;
}

static bool values_insert(struct hf_execution *self, size_t index, struct hf__value *value)
{
    void *array = self->values;
    bool fits = self->values_count < self->values_capacity ||
                hf_heap_grow(self->heap, &array, &self->values_capacity, sizeof *self->values);
    self->values = array;
    if (!fits) return false;
    struct hf__value **at = self->values + index;
    memmove(at + 1, at, (self->values_count - index) * sizeof *at);
    *at = value;
    self->values_count++;
    return true;
}

bool hf__kv_put(struct hf_execution *self, const struct hf_event *set)
{
    hf_assert(set->kind == HF_EVENT_KV_SET && set->name.size > 0);
    bool is_there = false;
    size_t index = hf__kv_search(self, set->name, &is_there);
    struct hf__value *value = value_new(self, set);
    if (!value) return false;
    if (is_there) {
        value_free(self, self->values[index]);
        self->values[index] = value;
        return true;
    }
    if (values_insert(self, index, value)) return true;
    value_free(self, value);
    return false;
}

void hf__kv_remove(struct hf_execution *self, size_t index)
{
    hf_assert(index < self->values_count);
    value_free(self, self->values[index]);
    self->values_count--;
    struct hf__value **at = self->values + index;
    memmove(at, at + 1, (self->values_count - index) * sizeof *at);
}

void hf__kv_empty(struct hf_execution *self)
{
    while (self->values_count > 0) hf__kv_remove(self, self->values_count - 1);
}

void hf__kv_release(struct hf_execution *self)
{
    hf__kv_empty(self);
    hf_assert(self->values_size == 0);
    hf_heap_free(self->heap, self->values, self->values_capacity * sizeof *self->values);
}

bool hf__status_keep(struct hf_execution *self, hf_slice status)
{
    struct hf_arena copy;
    hf_arena_init(&copy, self->heap);
    self->custom_status = hf_arena_copy(&copy, status);
    hf_arena_release(&self->status_memory);
    self->status_memory = copy;
    return self->custom_status.data != NULL;
}

/* ---- what the former execution left --------------------------------------------------------- */

static hf_status seed_value(struct hf_execution *self, const struct hf_stored_event *stored,
                            struct hf_arena *scratch, hf_error *error)
{
    struct hf_event set;
    hf_status status = hf_event_decode(stored->body, scratch, &set, error);
    if (status == HF_OK && set.kind != HF_EVENT_KV_SET) {
        status = hf_error_corrupt(error, 0, "a value of \"%s\" is a %s event", self->instance_id,
                                  hf_event_kind_name(set.kind));
    }
    if (status == HF_CORRUPT && error) error->lsn = stored->lsn;
    if (status != HF_OK || hf__kv_put(self, &set)) return status;
    return hf_error_set(error, HF_NO_MEMORY, "no memory for the values of \"%s\"",
                        self->instance_id);
}

static hf_status seed_status(struct hf_execution *self, hf_slice body, struct hf_arena *scratch,
                             hf_error *error)
{
    hf_slice custom = HF_EMPTY;
    hf_status status = HF_OK;
    if (body.size > 0) status = hf_body_read_status(body, scratch, &custom, error);
    if (status != HF_OK || hf__status_keep(self, custom)) return status;
    return hf_error_set(error, HF_NO_MEMORY, "no memory for the status of \"%s\"",
                        self->instance_id);
}

hf_status hf__kv_seed(struct hf_execution *self, const struct hf_turn_view *view,
                      struct hf_arena *scratch, hf_error *error)
{
    hf_status status = seed_status(self, view->status_body, scratch, error);
    for (size_t i = 0; status == HF_OK && i < view->values_count; i++) {
        status = seed_value(self, &view->values[i], scratch, error);
    }
    return status;
}
