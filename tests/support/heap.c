/* The allocator of heap.h. */
#include "tests/support/heap.h"

#include "engine/base/assert.h"

static bool must_fail(struct hf_test_heap *self)
{
    uint64_t call = atomic_fetch_add(&self->calls_count, 1) + 1;
    uint64_t fail_at = atomic_load(&self->fail_at);
    if (fail_at == 0 || call < fail_at) return false;
    return self->fail_count == 0 || call - fail_at < self->fail_count;
}

static void raise_max(struct hf_test_heap *self, size_t size)
{
    size_t max = atomic_load(&self->size_max);
    while (size > max && !atomic_compare_exchange_weak(&self->size_max, &max, size)) continue;
}

static void *heap_resize(void *context, void *block, size_t old_size, size_t new_size)
{
    struct hf_test_heap *self = context;
    const hf_allocator *real = hf_heap_default();
    size_t given_back = block ? old_size : 0;
    if (new_size > 0 && must_fail(self)) return NULL;
    void *result = real->resize(real->self, block, old_size, new_size);
    if (new_size > 0 && !result) return NULL;
    if (!block && new_size > 0) self->blocks_count++;
    if (block && new_size == 0) self->blocks_count--;
    raise_max(self, atomic_fetch_add(&self->size, new_size) + new_size);
    size_t held = atomic_fetch_sub(&self->size, given_back);
    hf_assert(held >= given_back);
    return result;
}

void hf_test_heap_init(struct hf_test_heap *self)
{
    *self = (struct hf_test_heap){ .fail_count = 0 };
    self->allocator = (hf_allocator){ sizeof(hf_allocator), self, heap_resize };
}
