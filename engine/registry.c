/* The registry: three sorted arrays, of orchestrations by name and version, of activities by name,
 * and of policies. Mistakes are remembered, the first one is told by hf_registry_check. It has no
 * handle whose allocator it could use: its memory comes from the C library's. */
#include "engine/registry.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "engine/base/options.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"

/* Which version starts of a name get that ask for none: this one; a name without a policy: the
 * latest. */
struct policy {
    const char *name;
    const char *version;
    struct hf_version number;
};

struct hf_registry {
    struct hf_registered_orchestration *orchestrations; /* by name, then by version */
    size_t orchestrations_count, orchestrations_capacity;
    struct hf_registered_activity *activities; /* by name */
    size_t activities_count, activities_capacity;
    struct policy *policies; /* by name */
    size_t policies_count, policies_capacity;
    hf_error mistake; /* the first one */
};

/* All entries begin with their name, so one search serves them. */
_Static_assert(offsetof(struct hf_registered_orchestration, name) == 0, "the name comes first");
_Static_assert(offsetof(struct hf_registered_activity, name) == 0, "the name comes first");
_Static_assert(offsetof(struct policy, name) == 0, "the name comes first");

/* ---- sorted arrays -------------------------------------------------------------------------- */

struct entries {
    void **array;
    size_t *count, *capacity;
    size_t size;
};

static const char *entry_name(const struct entries *entries, size_t index)
{
    hf_assert(index < *entries->count);
    const char *name;
    memcpy(&name, (const char *)*entries->array + index * entries->size, sizeof name);
    return name;
}

/* The index of the first entry whose name is not below `name`. */
static size_t entries_search(const struct entries *entries, hf_slice name)
{
    size_t low = 0, high = *entries->count;
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
    return index < *entries->count && hf_slice_equal(hf_text(entry_name(entries, index)), name);
}

/* Puts an entry, whose texts it takes, at index. False: no memory. */
static bool entries_insert(const struct entries *entries, size_t index, const void *entry)
{
    bool fits = *entries->count < *entries->capacity ||
                hf_heap_grow(hf_heap_default(), entries->array, entries->capacity, entries->size);
    if (!fits) return false;
    char *at = (char *)*entries->array + index * entries->size;
    memmove(at + entries->size, at, (*entries->count - index) * entries->size);
    memcpy(at, entry, entries->size);
    ++*entries->count;
    return true;
}

static struct entries orchestrations_of(hf_registry *self)
{
    return (struct entries){ (void **)&self->orchestrations, &self->orchestrations_count,
                             &self->orchestrations_capacity, sizeof *self->orchestrations };
}

static struct entries activities_of(hf_registry *self)
{
    return (struct entries){ (void **)&self->activities, &self->activities_count,
                             &self->activities_capacity, sizeof *self->activities };
}

static struct entries policies_of(hf_registry *self)
{
    return (struct entries){ (void **)&self->policies, &self->policies_count,
                             &self->policies_capacity, sizeof *self->policies };
}

/* ---- texts ---------------------------------------------------------------------------------- */

/* NULL: no memory. */
static char *text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = hf_heap_new(hf_heap_default(), size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

static void text_free(const char *text)
{
    if (text) hf_heap_free(hf_heap_default(), (char *)(uintptr_t)text, strlen(text) + 1);
}

static void registry_no_memory(hf_registry *self, const char *name)
{
    hf_error_set(&self->mistake, HF_NO_MEMORY, "no memory to register \"%s\"", name);
}

/* ---- life ----------------------------------------------------------------------------------- */

hf_registry *hf_registry_new(void)
{
    return hf_heap_new(hf_heap_default(), sizeof(hf_registry));
}

void hf_registry_free(hf_registry *registry)
{
    if (!registry) return;
    hf_registry *self = registry;
    const hf_allocator *heap = hf_heap_default();
    for (size_t i = 0; i < self->orchestrations_count; i++) {
        text_free(self->orchestrations[i].name);
        text_free(self->orchestrations[i].version);
    }
    for (size_t i = 0; i < self->activities_count; i++) text_free(self->activities[i].name);
    for (size_t i = 0; i < self->policies_count; i++) {
        text_free(self->policies[i].name);
        text_free(self->policies[i].version);
    }
    hf_heap_free(heap, self->orchestrations,
                 self->orchestrations_capacity * sizeof *self->orchestrations);
    hf_heap_free(heap, self->activities, self->activities_capacity * sizeof *self->activities);
    hf_heap_free(heap, self->policies, self->policies_capacity * sizeof *self->policies);
    hf_heap_free(heap, self, sizeof *self);
}

/* ---- registering ---------------------------------------------------------------------------- */

/* Whether a name may be registered; false: a mistake, which is remembered. */
static bool name_admit(hf_registry *self, const char *name, const char *what, bool has_function)
{
    if (self->mistake.status != HF_OK) return false;
    if (hf_name_check(name, what, &self->mistake) != HF_OK) return false;
    if (has_function) return true;
    hf_error_set(&self->mistake, HF_INVALID, "the %s \"%s\" has no function", what, name);
    return false;
}

/* The index of the version of a name, or where it belongs. */
static size_t version_search(hf_registry *self, hf_slice name, const struct hf_version *number,
                             bool *out_is_there)
{
    struct entries entries = orchestrations_of(self);
    size_t index = entries_search(&entries, name);
    int order = -1;
    for (; entries_has(&entries, index, name); index++) {
        order = hf_version_compare(&self->orchestrations[index].number, number);
        if (order >= 0) break;
    }
    *out_is_there = order == 0;
    return index;
}

void hf_register_orchestration(hf_registry *registry, const char *name, hf_orchestration_fn run,
                               const hf_orchestration_settings *settings)
{
    hf_registry *self = registry;
    hf_orchestration_settings own;
    bool is_there = false;
    if (!self || !name_admit(self, name, "orchestration name", run != NULL)) return;
    if (hf_options_copy(&own, sizeof own, settings, &self->mistake) != HF_OK) return;
    if (!own.version) own.version = HF_VERSION_FIRST;
    struct hf_registered_orchestration entry = { .run = run, .user = own.user };
    if (hf_version_parse(hf_text(own.version), "orchestration version", &entry.number,
                         &self->mistake) != HF_OK) {
        return;
    }
    size_t index = version_search(self, hf_text(name), &entry.number, &is_there);
    if (is_there) {
        hf_error_set(&self->mistake, HF_INVALID, "the orchestration \"%s\" %s is registered twice",
                     name, own.version);
        return;
    }
    entry.name = text_copy(name);
    entry.version = text_copy(own.version);
    struct entries entries = orchestrations_of(self);
    if (entry.name && entry.version && entries_insert(&entries, index, &entry)) return;
    text_free(entry.name);
    text_free(entry.version);
    registry_no_memory(self, name);
}

void hf_register_activity(hf_registry *registry, const char *name, hf_activity_fn run,
                          const hf_activity_settings *settings)
{
    hf_registry *self = registry;
    hf_activity_settings own;
    if (!self || !name_admit(self, name, "activity name", run != NULL)) return;
    if (hf_options_copy(&own, sizeof own, settings, &self->mistake) != HF_OK) return;
    struct entries entries = activities_of(self);
    size_t index = entries_search(&entries, hf_text(name));
    if (entries_has(&entries, index, hf_text(name))) {
        hf_error_set(&self->mistake, HF_INVALID, "the activity name \"%s\" is registered twice",
                     name);
        return;
    }
    struct hf_registered_activity entry = { text_copy(name), run, own.user };
    if (entry.name && entries_insert(&entries, index, &entry)) return;
    text_free(entry.name);
    registry_no_memory(self, name);
}

static void policy_remove(hf_registry *self, size_t index)
{
    text_free(self->policies[index].name);
    text_free(self->policies[index].version);
    self->policies_count--;
    memmove(self->policies + index, self->policies + index + 1,
            (self->policies_count - index) * sizeof *self->policies);
}

void hf_register_policy(hf_registry *registry, const char *name, const char *version)
{
    hf_registry *self = registry;
    struct policy policy = { .name = NULL };
    if (!self || !name_admit(self, name, "orchestration name", true)) return;
    if (version && hf_version_parse(hf_text(version), "version of a policy", &policy.number,
                                    &self->mistake) != HF_OK) {
        return;
    }
    struct entries entries = policies_of(self);
    size_t index = entries_search(&entries, hf_text(name));
    if (entries_has(&entries, index, hf_text(name))) policy_remove(self, index);
    if (!version) return;
    policy.name = text_copy(name);
    policy.version = text_copy(version);
    if (policy.name && policy.version && entries_insert(&entries, index, &policy)) return;
    text_free(policy.name);
    text_free(policy.version);
    registry_no_memory(self, name);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* A registry that is only read: the tools above are for both. */
static hf_registry *readable(const hf_registry *registry)
{
    return (hf_registry *)(uintptr_t)registry;
}

/* The last of a name: its latest version. */
static const struct hf_registered_orchestration *latest(hf_registry *self, hf_slice name)
{
    struct entries entries = orchestrations_of(self);
    size_t index = entries_search(&entries, name);
    if (!entries_has(&entries, index, name)) return NULL;
    while (entries_has(&entries, index + 1, name)) index++;
    return self->orchestrations + index;
}

const struct hf_registered_orchestration *hf_registry_orchestration(const hf_registry *registry,
                                                                    hf_slice name, hf_slice version)
{
    hf_registry *self = readable(registry);
    struct hf_version number;
    bool is_there = false;
    if (version.size == 0) {
        struct entries policies = policies_of(self);
        size_t policy = entries_search(&policies, name);
        if (!entries_has(&policies, policy, name)) return latest(self, name);
        number = self->policies[policy].number;
    } else if (hf_version_parse(version, "version", &number, NULL) != HF_OK) {
        return NULL;
    }
    size_t index = version_search(self, name, &number, &is_there);
    return is_there ? self->orchestrations + index : NULL;
}

const struct hf_registered_activity *hf_registry_activity(const hf_registry *registry,
                                                          hf_slice name)
{
    struct entries entries = activities_of(readable(registry));
    size_t index = entries_search(&entries, name);
    return entries_has(&entries, index, name) ? registry->activities + index : NULL;
}

bool hf_registry_at(const hf_registry *registry, size_t index, hf_registry_entry *out_entry)
{
    size_t orchestrations = registry ? registry->orchestrations_count : 0;
    size_t activities = registry ? registry->activities_count : 0;
    if (index >= orchestrations + activities) return false;
    *out_entry = (hf_registry_entry){ .size = sizeof *out_entry };
    if (index < orchestrations) {
        out_entry->name = registry->orchestrations[index].name;
        out_entry->version = registry->orchestrations[index].version;
    } else {
        out_entry->name = registry->activities[index - orchestrations].name;
    }
    return true;
}

hf_status hf_registry_check(const hf_registry *registry, hf_error *error)
{
    if (registry->mistake.status != HF_OK && error) *error = registry->mistake;
    return registry->mistake.status;
}
