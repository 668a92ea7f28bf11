/* An arena: memory that goes all at once. Chunks from a handle's heap; marks let the end be taken
 * back. Its failure is sticky, so that a run of allocations is checked once. With HF_ASAN each
 * allocation is followed by poisoned bytes and reset poisons all. */
#ifndef HF_BASE_ARENA_H
#define HF_BASE_ARENA_H

#include "engine/base/heap.h"

struct hf_arena_chunk;

struct hf_arena {
    const hf_allocator *heap;
    struct hf_arena_chunk *last; /* newest chunk, linked to the older ones; NULL: none yet */
    size_t used;                 /* bytes taken of the newest chunk */
    size_t total_size;           /* bytes of all chunks */
    bool failed;                 /* an allocation failed since init or reset */
};

/* A place in an arena to which it can be reset. */
struct hf_arena_mark {
    struct hf_arena_chunk *last;
    size_t used;
};

/* Makes an empty arena; allocates nothing. Borrows heap until release. */
void hf_arena_init(struct hf_arena *arena, const hf_allocator *heap);
/* Gives everything back. A zeroed or released arena is fine. */
void hf_arena_release(struct hf_arena *arena);
/* Forgets everything and keeps one chunk for the next use. */
void hf_arena_reset(struct hf_arena *arena);

/* Where the arena stands now. */
struct hf_arena_mark hf_arena_mark(const struct hf_arena *arena);
/* Forgets what was allocated since mark. */
void hf_arena_reset_to(struct hf_arena *arena, struct hf_arena_mark mark);

/* Zeroed memory, aligned for anything; NULL when out of memory (and arena->failed is set). size 0
 * gives a valid pointer. Valid until: reset or release. */
void *hf_arena_new(struct hf_arena *arena, size_t size);
/* count elements of element_size; refuses an overflow like a failed allocation. */
void *hf_arena_array(struct hf_arena *arena, size_t count, size_t element_size);
/* A copy of slice, with a NUL behind it that does not count; the empty slice with data NULL when
 * out of memory. */
hf_slice hf_arena_copy(struct hf_arena *arena, hf_slice slice);
/* A copy as a NUL-terminated string; NULL when out of memory. */
char *hf_arena_text(struct hf_arena *arena, hf_slice slice);

#endif
