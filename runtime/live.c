/* The table of live executions: buckets by instance number, and a list by use. Not a cache of
 * history: an entry is the code itself, suspended in its await. */
#include "runtime/live.h"

#include "engine/base/assert.h"
#include "engine/base/heap.h"

void hf__live_init(struct hf__live *self, const hf_allocator *heap, size_t count_max)
{
    *self = (struct hf__live){ .heap = heap, .count_max = count_max };
}

static struct hf__live_entry **bucket_of(struct hf__live *self, uint64_t instance)
{
    return &self->buckets[instance % HF__LIVE_BUCKETS];
}

static void list_add(struct hf__live *self, struct hf__live_entry *entry)
{
    entry->newer = NULL;
    entry->older = self->newest;
    if (self->newest) self->newest->newer = entry;
    if (!self->newest) self->oldest = entry;
    self->newest = entry;
    self->count++;
}

static void list_remove(struct hf__live *self, struct hf__live_entry *entry)
{
    hf_assert(self->count > 0);
    hf_assert(entry->newer || self->newest == entry);
    hf_assert(entry->older || self->oldest == entry);
    if (entry->newer) entry->newer->older = entry->older;
    if (!entry->newer) self->newest = entry->older;
    if (entry->older) entry->older->newer = entry->newer;
    if (!entry->older) self->oldest = entry->newer;
    self->count--;
}

static struct hf__live_entry *entry_take(struct hf__live *self, uint64_t instance)
{
    struct hf__live_entry **at = bucket_of(self, instance);
    while (*at && (*at)->place.instance != instance) at = &(*at)->next_in_bucket;
    struct hf__live_entry *entry = *at;
    if (!entry) return NULL;
    *at = entry->next_in_bucket;
    list_remove(self, entry);
    return entry;
}

/* Ends the entry; its execution is the caller's now. */
static struct hf_execution *entry_end(struct hf__live *self, struct hf__live_entry *entry)
{
    struct hf_execution *execution = entry->execution;
    hf_heap_free(self->heap, entry, sizeof *entry);
    return execution;
}

static void evict(struct hf__live *self, uint64_t instance)
{
    struct hf__live_entry *entry = entry_take(self, instance);
    if (!entry) return;
    hf_execution_free(entry_end(self, entry));
    self->evicted_count++;
}

struct hf_execution *hf__live_take(struct hf__live *self, const struct hf__live_place *place)
{
    struct hf__live_entry *entry = entry_take(self, place->instance);
    if (!entry) return NULL;
    bool is_there = entry->place.head == place->head && entry->place.execution == place->execution;
    struct hf_execution *execution = entry_end(self, entry);
    if (is_there) return execution;
    hf_execution_free(execution);
    self->evicted_count++;
    return NULL;
}

void hf__live_put(struct hf__live *self, const struct hf__live_place *place,
                  struct hf_execution *execution)
{
    hf_assert(execution);
    hf_assert(place->instance != 0 && place->head != 0);
    evict(self, place->instance);
    struct hf__live_entry *entry = NULL;
    if (self->count_max > 0) entry = hf_heap_new(self->heap, sizeof *entry);
    if (!entry) {
        hf_execution_free(execution);
        self->evicted_count++;
        return;
    }
    struct hf__live_entry **bucket = bucket_of(self, place->instance);
    *entry = (struct hf__live_entry){ .place = *place,
                                      .execution = execution,
                                      .next_in_bucket = *bucket };
    *bucket = entry;
    list_add(self, entry);
    if (self->count > self->count_max) evict(self, self->oldest->place.instance);
    hf_assert(self->count <= self->count_max);
}

void hf__live_release(struct hf__live *self)
{
    while (self->oldest) evict(self, self->oldest->place.instance);
    hf_assert(self->count == 0);
}
