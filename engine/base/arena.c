/* Chunked arena.
 *
 *   chunk: | header | allocation | allocation | ... free |
 *
 * A chunk is at least twice as large as the one before, up to CHUNK_SIZE_MAX, or as large as one
 * allocation needs. */
#include "engine/base/arena.h"

#include <string.h>

#include "engine/base/assert.h"

#if HF_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum {
    ALIGNMENT = _Alignof(max_align_t),
    GAP_SIZE = HF_ASAN ? ALIGNMENT : 0, /* poisoned bytes behind each allocation */
    CHUNK_SIZE_MIN = 1024,
    CHUNK_SIZE_MAX = 256 * 1024
};

struct hf_arena_chunk {
    struct hf_arena_chunk *older;
    size_t capacity; /* bytes behind the header */
    _Alignas(max_align_t) unsigned char bytes[];
};

static size_t chunk_size(const struct hf_arena_chunk *chunk)
{
    return sizeof *chunk + chunk->capacity;
}

static void chunk_free(struct hf_arena *arena, struct hf_arena_chunk *chunk)
{
    hf_assert(arena->total_size >= chunk_size(chunk));
    arena->total_size -= chunk_size(chunk);
    ASAN_UNPOISON_MEMORY_REGION(chunk->bytes, chunk->capacity);
    hf_heap_free(arena->heap, chunk, chunk_size(chunk));
}

void hf_arena_init(struct hf_arena *arena, const hf_allocator *heap)
{
    hf_assert(heap);
    *arena = (struct hf_arena){ .heap = heap };
}

void hf_arena_release(struct hf_arena *arena)
{
    hf_arena_reset_to(arena, (struct hf_arena_mark){ NULL, 0 });
    hf_assert(arena->total_size == 0);
    arena->failed = false;
}

struct hf_arena_mark hf_arena_mark(const struct hf_arena *arena)
{
    return (struct hf_arena_mark){ arena->last, arena->used };
}

void hf_arena_reset_to(struct hf_arena *arena, struct hf_arena_mark mark)
{
    while (arena->last != mark.last) {
        struct hf_arena_chunk *chunk = arena->last;
        hf_assert(chunk);
        arena->last = chunk->older;
        chunk_free(arena, chunk);
    }
    arena->used = mark.used;
    if (arena->last) {
        hf_assert(mark.used <= arena->last->capacity);
        ASAN_POISON_MEMORY_REGION(arena->last->bytes + mark.used,
                                  arena->last->capacity - mark.used);
    }
}

void hf_arena_reset(struct hf_arena *arena)
{
    struct hf_arena_chunk *kept = arena->last;
    if (kept) {
        arena->last = kept->older;
        hf_arena_reset_to(arena, (struct hf_arena_mark){ NULL, 0 });
        kept->older = NULL;
        arena->last = kept;
        ASAN_POISON_MEMORY_REGION(kept->bytes, kept->capacity);
    }
    arena->used = 0;
    arena->failed = false;
}

static bool chunk_add(struct hf_arena *arena, size_t needed)
{
    size_t capacity = arena->last ? arena->last->capacity * 2 : CHUNK_SIZE_MIN;
    if (capacity > CHUNK_SIZE_MAX) capacity = CHUNK_SIZE_MAX;
    if (capacity < needed) capacity = needed;
    struct hf_arena_chunk *chunk = hf_heap_resize(arena->heap, NULL, 0,
                                                  sizeof(struct hf_arena_chunk) + capacity);
    if (!chunk) return false;
    chunk->older = arena->last;
    chunk->capacity = capacity;
    arena->last = chunk;
    arena->used = 0;
    arena->total_size += chunk_size(chunk);
    ASAN_POISON_MEMORY_REGION(chunk->bytes, capacity);
    return true;
}

void *hf_arena_new(struct hf_arena *arena, size_t size)
{
    hf_assert(arena->heap);
    size_t needed = (size + GAP_SIZE + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    bool fits = arena->last && needed <= arena->last->capacity - arena->used;
    if (size > SIZE_MAX / 2 || (!fits && !chunk_add(arena, needed))) {
        arena->failed = true;
        return NULL;
    }
    unsigned char *block = arena->last->bytes + arena->used;
    arena->used += needed;
    hf_assert(arena->used <= arena->last->capacity);
    ASAN_UNPOISON_MEMORY_REGION(block, size);
    memset(block, 0, size);
    return block;
}

void *hf_arena_array(struct hf_arena *arena, size_t count, size_t element_size)
{
    hf_assert(element_size > 0);
    if (count > SIZE_MAX / 2 / element_size) {
        arena->failed = true;
        return NULL;
    }
    return hf_arena_new(arena, count * element_size);
}

char *hf_arena_text(struct hf_arena *arena, hf_slice slice)
{
    char *text = slice.size < SIZE_MAX ? hf_arena_new(arena, slice.size + 1) : NULL;
    if (text && slice.size > 0) memcpy(text, slice.data, slice.size);
    return text;
}

hf_slice hf_arena_copy(struct hf_arena *arena, hf_slice slice)
{
    const char *text = hf_arena_text(arena, slice);
    return (hf_slice){ text, text ? slice.size : 0 };
}
