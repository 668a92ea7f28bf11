/* Lines: futures that wait for what comes under a name, the oldest first. Mailboxes and events that
 * are raised each have a table of them; what comes, and what becomes of it when nobody waits, is
 * theirs to know. A line stays when it is empty: it will be needed again. */
#include <string.h>

#include "engine/execution_internal.h"

/* The index of the line of that name, or where it belongs. */
static size_t lines_search(const struct hf__lines *lines, hf_slice name)
{
    size_t low = 0, high = lines->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hf_slice_compare(lines->items[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool lines_has(const struct hf__lines *lines, size_t index, hf_slice name)
{
    return index < lines->count && hf_slice_equal(lines->items[index]->name, name);
}

struct hf__line *hf__line_find(const struct hf__lines *lines, hf_slice name)
{
    size_t index = lines_search(lines, name);
    return lines_has(lines, index, name) ? lines->items[index] : NULL;
}

struct hf__line *hf__line_of(struct hf_execution *self, struct hf__lines *lines, hf_slice name)
{
    size_t index = lines_search(lines, name);
    if (lines_has(lines, index, name)) return lines->items[index];
    void *array = lines->items;
    bool fits = lines->count < lines->capacity ||
                hf_heap_grow(self->heap, &array, &lines->capacity, sizeof *lines->items);
    lines->items = array;
    struct hf__line *line = fits ? hf_arena_new(&self->memory, sizeof *line) : NULL;
    if (line) line->name = hf_arena_copy(&self->memory, name);
    if (!line || !line->name.data) {
        hf__execution_no_memory(self);
        return NULL;
    }
    struct hf__line **at = lines->items + index;
    memmove(at + 1, at, (lines->count - index) * sizeof *at);
    *at = line;
    lines->count++;
    return line;
}

void hf__line_enter(struct hf__line *line, struct hf__future *future)
{
    hf_assert(future->is_pending && !future->line && !line->messages_first);
    hf_assert(!line->last || line->last->id < future->id);
    future->line = line;
    future->previous_in_line = line->last;
    if (line->last) line->last->next_in_line = future;
    if (!line->last) line->first = future;
    line->last = future;
}

void hf__line_leave(struct hf__future *future)
{
    struct hf__line *line = future->line;
    struct hf__future *previous = future->previous_in_line, *next = future->next_in_line;
    hf_assert(line);
    if (previous) previous->next_in_line = next;
    if (next) next->previous_in_line = previous;
    if (!previous) line->first = next;
    if (!next) line->last = previous;
    future->line = NULL;
    future->previous_in_line = future->next_in_line = NULL;
}

void hf__lines_release(struct hf_execution *self, struct hf__lines *lines)
{
    hf_heap_free(self->heap, lines->items, lines->capacity * sizeof *lines->items);
    *lines = (struct hf__lines){ .items = NULL };
}
