/* Deleting whole trees: an instance and all that stem from it, in one transaction or not at all.
 *
 * Who is below goes before who is above, and each is deleted as one alone is: by a record of its
 * own. But between the members nobody is told of an end, since all of them go; only the parent of
 * the topmost is. */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/apply.h"
#include "indexes/families.h"
#include "logstore/command.h"
#include "logstore/command_family.h"

/* Numbers rise, and a parent's is below that of its children: so the topmost is the first. */
struct tree {
    const struct hf_row_instance *top;
    bool even_running;
    uint64_t *numbers; /* HF_TREE_MAX of them, in the step's arena */
    size_t count;
};

static bool tree_has(const struct tree *self, uint64_t number)
{
    size_t from = 0, until = self->count;
    while (from < until) {
        size_t middle = from + (until - from) / 2;
        if (self->numbers[middle] == number) return true;
        if (self->numbers[middle] < number) from = middle + 1;
        if (self->numbers[middle] > number) until = middle;
    }
    return false;
}

static hf_status tree_add(struct hf__step *step, struct tree *self,
                          const struct hf_row_instance *row)
{
    if (!self->even_running && !hf_instance_has_ended(row)) {
        return hf_error_set(step->error, HF_STILL_RUNNING,
                            "instance \"" HF_FMT "\" has not ended: wait for it, terminate it, or "
                            "delete the tree even running",
                            HF_ARG(row->id));
    }
    if (self->count == HF_TREE_MAX) {
        return hf_error_set(step->error, HF_TOO_LARGE,
                            "more than %d instances stem from \"" HF_FMT "\": delete the trees of "
                            "its children first",
                            HF_TREE_MAX, HF_ARG(self->top->id));
    }
    hf_assert(self->count == 0 || self->numbers[self->count - 1] < row->number);
    self->numbers[self->count++] = row->number;
    return HF_OK;
}

/* A member's parent is one; below the root of all, so is whoever lost its parent. */
static bool is_member(const struct tree *self, const struct hf_row_instance *row)
{
    return row->family_root == self->top->number || tree_has(self, row->family_parent);
}

/* Collects the tree of self->top. Errors: HF_STILL_RUNNING, HF_TOO_LARGE. */
static hf_status tree_collect(struct hf__step *step, struct tree *self)
{
    struct hf_number_pair place = { hf_family_of(self->top), self->top->number };
    self->count = 0;
    self->numbers = hf_arena_array(step->arena, HF_TREE_MAX, sizeof *self->numbers);
    if (!self->numbers) return hf_error_set(step->error, HF_NO_MEMORY, "no memory for a tree");
    hf_status status = tree_add(step, self, self->top);
    struct hf_arena_mark mark = hf_arena_mark(step->arena);
    while (status == HF_OK) {
        struct hf_row_instance row;
        status = hf_family_next(step->tables, &place, step->error);
        if (status == HF_NOT_FOUND) return HF_OK;
        if (status == HF_OK) {
            status = hf__family_member(step, HF_TABLE_FAMILIES, place.second, &row);
        }
        if (status == HF_OK && is_member(self, &row)) status = tree_add(step, self, &row);
        hf_arena_reset_to(step->arena, mark);
    }
    return status;
}

/* Deletes what was collected. */
static hf_status tree_remove(struct hf__step *step, const struct tree *self, hf_slice key)
{
    struct hf_arena_mark mark = hf_arena_mark(step->arena);
    hf_assert(self->count > 0 && self->numbers[0] == self->top->number);
    for (size_t i = self->count - 1; i > 0; i--) {
        struct hf_deleted record = { .instance = self->numbers[i] };
        hf_status status = hf__step_append(step, HF_RECORD_DELETED, &record, NULL);
        hf_arena_reset_to(step->arena, mark);
        if (status != HF_OK) return status;
    }
    struct hf_deleted record = { .instance = self->top->number, .key = key };
    hf_status status = hf__step_append(step, HF_RECORD_DELETED, &record, NULL);
    return status == HF_OK ? hf__family_end(step, self->top, &self->top->deleted) : status;
}

hf_status hf__tree_delete(struct hf__step *step, const struct hf_row_instance *top,
                          const struct hf_store_delete *deletion)
{
    struct tree tree = { .top = top, .even_running = deletion->even_running };
    hf_assert(deletion->with_descendants);
    hf_status status = tree_collect(step, &tree);
    return status == HF_OK ? tree_remove(step, &tree, deletion->key) : status;
}

/* ---- many ----------------------------------------------------------------------------------- */

/* Deletes the tree of one of the list, if it is as it was and all of it has ended. */
static hf_status ended_delete(struct hf__step *step, const struct hf_instance_run *run,
                              struct hf_store_delete_ended *deletion)
{
    struct hf_row_instance row;
    struct tree tree = { .top = &row };
    hf_status status = hf_instance_get(step->tables, run->instance, &row, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK || row.execution != run->execution) return status;
    status = tree_collect(step, &tree);
    if (status == HF_STILL_RUNNING || status == HF_TOO_LARGE) {
        hf_error_clear(step->error);
        return HF_OK;
    }
    if (status == HF_OK) status = tree_remove(step, &tree, (hf_slice)HF_EMPTY);
    if (status != HF_OK) return status;
    deletion->out_trees_count++;
    deletion->out_deleted_count += tree.count;
    return HF_OK;
}

hf_status hf__command_delete_ended(struct hf__step *step, struct hf_store_delete_ended *deletion)
{
    deletion->out_looked_count = 0;
    deletion->out_trees_count = deletion->out_deleted_count = 0;
    while (deletion->out_looked_count < deletion->count &&
           deletion->out_deleted_count < HF_PURGE_MAX) {
        struct hf_arena_mark mark = hf_arena_mark(step->arena);
        hf_status status = ended_delete(step, &deletion->runs[deletion->out_looked_count],
                                        deletion);
        hf_arena_reset_to(step->arena, mark);
        if (status != HF_OK) return status;
        deletion->out_looked_count++;
    }
    return HF_OK;
}
