/* heap.h: an allocator that counts, and fails when told to: for every handle under test. No
 * assertions of the test library, so that fuzzers can use it too. */
#ifndef HF_TEST_HEAP_H
#define HF_TEST_HEAP_H

#include <stdatomic.h>

#include "engine/base/heap.h"

struct hf_test_heap {
    hf_allocator allocator;
    atomic_size_t blocks_count, size; /* held now */
    atomic_size_t size_max;           /* ever held at once */
    _Atomic uint64_t calls_count;     /* allocations asked for so far */
    _Atomic uint64_t fail_at;         /* this allocation fails, and all later ones; 0: none */
    uint64_t fail_count;              /* so many fail and no more; 0: all later ones */
};

/* Prepares a heap that holds nothing. Any thread may allocate from it. */
void hf_test_heap_init(struct hf_test_heap *self);

#endif
