/* The registry: two sorted arrays of named functions. Mistakes are remembered, the first one is
 * told by hf_registry_check. It has no handle whose allocator it could use: its memory comes from
 * the C library's. */
#include "engine/registry.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"

struct hf_registry {
    struct hf_registered_orchestration *orchestrations; /* by name */
    size_t orchestrations_count, orchestrations_capacity;
    struct hf_registered_activity *activities; /* by name */
    size_t activities_count, activities_capacity;
    hf_error mistake; /* the first one */
};

/* Both kinds of entries begin with their name, so one search serves them. */
_Static_assert(offsetof(struct hf_registered_orchestration, name) == 0, "the name comes first");
_Static_assert(offsetof(struct hf_registered_activity, name) == 0, "the name comes first");

struct entries {
    const void *array;
    size_t count, size;
};

static const char *entry_name(const struct entries *entries, size_t index)
{
    hf_assert(index < entries->count);
    const char *name;
    memcpy(&name, (const char *)entries->array + index * entries->size, sizeof name);
    return name;
}

/* The index of the first entry whose name is not below `name`. */
static size_t entries_search(const struct entries *entries, hf_slice name)
{
    size_t low = 0, high = entries->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hf_slice_compare(hf_text(entry_name(entries, middle)), name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool entries_has(const struct entries *entries, size_t index, hf_slice name)
{
    return index < entries->count && hf_slice_equal(hf_text(entry_name(entries, index)), name);
}

static struct entries orchestrations_of(const hf_registry *self)
{
    return (struct entries){ self->orchestrations, self->orchestrations_count,
                             sizeof *self->orchestrations };
}

static struct entries activities_of(const hf_registry *self)
{
    return (struct entries){ self->activities, self->activities_count, sizeof *self->activities };
}

/* Where a new entry goes; false: a mistake, which is remembered. */
static bool registry_admit(hf_registry *self, const struct entries *entries, const char *name,
                           const char *what, size_t *out_index)
{
    if (self->mistake.status != HF_OK) return false;
    if (hf_id_check(name, what, &self->mistake) != HF_OK) return false;
    *out_index = entries_search(entries, hf_text(name));
    if (!entries_has(entries, *out_index, hf_text(name))) return true;
    hf_error_set(&self->mistake, HF_INVALID, "the %s \"%s\" is registered twice", what, name);
    return false;
}

static char *name_copy(const char *name)
{
    size_t size = strlen(name) + 1;
    char *copy = hf_heap_new(hf_heap_default(), size);
    if (copy) memcpy(copy, name, size);
    return copy;
}

static void name_free(const char *name)
{
    hf_heap_free(hf_heap_default(), (char *)(uintptr_t)name, strlen(name) + 1);
}

static void registry_no_memory(hf_registry *self, const char *name)
{
    hf_error_set(&self->mistake, HF_NO_MEMORY, "no memory to register \"%s\"", name);
}

hf_registry *hf_registry_new(void)
{
    return hf_heap_new(hf_heap_default(), sizeof(hf_registry));
}

void hf_registry_free(hf_registry *registry)
{
    if (!registry) return;
    const hf_allocator *heap = hf_heap_default();
    for (size_t i = 0; i < registry->orchestrations_count; i++) {
        name_free(registry->orchestrations[i].name);
    }
    for (size_t i = 0; i < registry->activities_count; i++) name_free(registry->activities[i].name);
    hf_heap_free(heap, registry->orchestrations,
                 registry->orchestrations_capacity * sizeof *registry->orchestrations);
    hf_heap_free(heap, registry->activities,
                 registry->activities_capacity * sizeof *registry->activities);
    hf_heap_free(heap, registry, sizeof *registry);
}

void hf_register_orchestration(hf_registry *registry, const char *name, hf_orchestration_fn run,
                               const hf_orchestration_settings *settings)
{
    if (!registry) return;
    struct entries entries = orchestrations_of(registry);
    size_t index;
    if (!registry_admit(registry, &entries, name, "orchestration name", &index)) return;
    if (!run) {
        hf_error_set(&registry->mistake, HF_INVALID, "orchestration \"%s\" has no function", name);
        return;
    }
    void *array = registry->orchestrations;
    bool fits = entries.count < registry->orchestrations_capacity ||
                hf_heap_grow(hf_heap_default(), &array, &registry->orchestrations_capacity,
                             entries.size);
    registry->orchestrations = array;
    char *copy = fits ? name_copy(name) : NULL;
    if (!copy) {
        registry_no_memory(registry, name);
        return;
    }
    struct hf_registered_orchestration *at = registry->orchestrations + index;
    memmove(at + 1, at, (entries.count - index) * sizeof *at);
    *at = (struct hf_registered_orchestration){ copy, run, settings ? settings->user : NULL };
    registry->orchestrations_count++;
}

void hf_register_activity(hf_registry *registry, const char *name, hf_activity_fn run,
                          const hf_activity_settings *settings)
{
    if (!registry) return;
    struct entries entries = activities_of(registry);
    size_t index;
    if (!registry_admit(registry, &entries, name, "activity name", &index)) return;
    if (!run) {
        hf_error_set(&registry->mistake, HF_INVALID, "activity \"%s\" has no function", name);
        return;
    }
    void *array = registry->activities;
    bool fits = entries.count < registry->activities_capacity ||
                hf_heap_grow(hf_heap_default(), &array, &registry->activities_capacity,
                             entries.size);
    registry->activities = array;
    char *copy = fits ? name_copy(name) : NULL;
    if (!copy) {
        registry_no_memory(registry, name);
        return;
    }
    struct hf_registered_activity *at = registry->activities + index;
    memmove(at + 1, at, (entries.count - index) * sizeof *at);
    *at = (struct hf_registered_activity){ copy, run, settings ? settings->user : NULL };
    registry->activities_count++;
}

const struct hf_registered_orchestration *hf_registry_orchestration(const hf_registry *registry,
                                                                    hf_slice name)
{
    struct entries entries = orchestrations_of(registry);
    size_t index = entries_search(&entries, name);
    return entries_has(&entries, index, name) ? registry->orchestrations + index : NULL;
}

const struct hf_registered_activity *hf_registry_activity(const hf_registry *registry,
                                                          hf_slice name)
{
    struct entries entries = activities_of(registry);
    size_t index = entries_search(&entries, name);
    return entries_has(&entries, index, name) ? registry->activities + index : NULL;
}

hf_status hf_registry_check(const hf_registry *registry, hf_error *error)
{
    if (registry->mistake.status != HF_OK && error) *error = registry->mistake;
    return registry->mistake.status;
}
