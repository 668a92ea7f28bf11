/* The C library's allocator behind the hf_allocator seam, and the few calls through which the rest
 * allocates. */
#include "engine/base/heap.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"

static void *default_resize(void *self, void *block, size_t old_size, size_t new_size)
{
    (void)self;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static const hf_allocator default_allocator = { sizeof(hf_allocator), NULL, default_resize };

const hf_allocator *hf_heap_default(void)
{
    return &default_allocator;
}

void *hf_heap_new(const hf_allocator *heap, size_t size)
{
    hf_assert(size > 0);
    void *block = heap->resize(heap->self, NULL, 0, size);
    if (block) memset(block, 0, size);
    return block;
}

void *hf_heap_resize(const hf_allocator *heap, void *block, size_t old_size, size_t new_size)
{
    hf_assert(new_size > 0);
    return heap->resize(heap->self, block, old_size, new_size);
}

void hf_heap_free(const hf_allocator *heap, void *block, size_t size)
{
    if (block) heap->resize(heap->self, block, size, 0);
}

bool hf_heap_grow(const hf_allocator *heap, void **array, size_t *capacity, size_t element_size)
{
    enum { FIRST_COUNT = 8 };
    hf_assert(element_size > 0);
    size_t count = *capacity ? *capacity * 2 : FIRST_COUNT;
    if (count > SIZE_MAX / element_size) return false;
    void *grown = hf_heap_resize(heap, *array, *capacity * element_size, count * element_size);
    if (!grown) return false;
    *array = grown;
    *capacity = count;
    return true;
}
