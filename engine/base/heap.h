/* Memory of a handle: everything that the library allocates itself comes through the hf_allocator
 * of its handle. */
#ifndef HF_BASE_HEAP_H
#define HF_BASE_HEAP_H

#include "engine/base/compiler.h"

/* The allocator of the C library, for handles that were given none. Static storage. */
const hf_allocator *hf_heap_default(void);

/* Zeroed memory of at least size bytes, or NULL. Returns owned: hf_heap_free with the same size. */
void *hf_heap_new(const hf_allocator *heap, size_t size);

/* Grows or shrinks a block; new bytes are not set. NULL: no memory, block unchanged. */
void *hf_heap_resize(const hf_allocator *heap, void *block, size_t old_size, size_t new_size);

/* Gives a block back. NULL is fine. */
void hf_heap_free(const hf_allocator *heap, void *block, size_t size);

/* Makes room for one more element in an array that doubles: *capacity counts elements. False: no
 * memory, nothing changed. */
bool hf_heap_grow(const hf_allocator *heap, void **array, size_t *capacity, size_t element_size);

#endif
