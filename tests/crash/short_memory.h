/* short_memory.h: allocations of the C library that fail when told to, so those of LMDB too. Under
 * a sanitizer, whose allocator must stay, they do not: there the store's own allocator is the seam.
 */
#ifndef HF_TEST_SHORT_MEMORY_H
#define HF_TEST_SHORT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* From now on, while it is armed, the allocation of that number, from 1, fails; 0: none. */
void short_memory_plan(uint64_t fail_at);
/* Counts, and lets fail, or stops it: only what the store allocates is meant. */
void short_memory_arm(bool is_armed);
/* The allocations that were counted. */
uint64_t short_memory_count(void);

#endif
