/* The public calls about changes of the code, and what they have answered.
 *
 * An id has one answer in an execution. It depends on history alone: where the code asks first, and
 * whether the marker stands there. No marker is searched for ahead: a history that has it further
 * on was made by code that asked further on. */
#include "engine/execution_internal.h"

static const struct hf__patch *patch_find(const struct hf_execution *self, hf_slice id)
{
    for (size_t i = 0; i < self->patches_count; i++) {
        if (hf_slice_equal(self->patches[i].id, id)) return &self->patches[i];
    }
    return NULL;
}

static void patch_add(struct hf_execution *self, hf_slice id, bool answer)
{
    void *array = self->patches;
    bool fits = self->patches_count < self->patches_capacity ||
                hf_heap_grow(self->heap, &array, &self->patches_capacity, sizeof *self->patches);
    self->patches = array;
    struct hf__patch patch = { .id = hf_arena_copy(&self->memory, id), .answer = answer };
    if (fits && patch.id.data) {
        self->patches[self->patches_count++] = patch;
    } else {
        hf__execution_no_memory(self);
    }
}

bool hf_patched(hf_orchestration *o, const char *change_id)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf__execution_check_id(self, change_id, "change id", "bad_change_id");
    const struct hf__patch *known = patch_find(self, hf_text(change_id));
    if (known) return known->answer;
    struct hf_event marker = { .kind = HF_EVENT_PATCHED, .name = hf_text(change_id) };
    bool answer = self->turn->is_live || hf__command_is_next(self, &marker);
    if (answer) hf__command_issue(self, &marker);
    patch_add(self, marker.name, answer);
    hf__execution_leave(self);
    return answer;
}

void hf_patch_retired(hf_orchestration *o, const char *change_id)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf__execution_check_id(self, change_id, "change id", "bad_change_id");
    if (patch_find(self, hf_text(change_id))) return;
    struct hf_event marker = { .kind = HF_EVENT_PATCHED, .name = hf_text(change_id) };
    if (hf__command_is_next(self, &marker)) hf__command_issue(self, &marker);
    patch_add(self, marker.name, true); /* there is no old way any more */
    hf__execution_leave(self);
}
