/* What a command does to the parent and the children of its instance: records of those, behind the
 * instance's own and in the same transaction. Who is whose child is told by rows; what a message
 * says was given by the parent when it scheduled the child.
 *
 *   the parent's turn schedules a child   started; the id is taken: a message to the parent
 *   the child ends                        a message to the parent, if it still runs that execution
 *   the parent does not want it any more  a message to the child, which is nobody's from then on
 *   the parent ends, in any way           the same to each child: up to a bound at once, the rest
 *                                         by reclaim
 *
 * A child that is scheduled and not wanted any more in one turn never starts.
 *
 * No record here is too large: each holds less than the one that gave its bytes. */
#include "logstore/command_family.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "indexes/apply.h"
#include "indexes/queries.h"

hf_status hf__family_member(struct hf__step *step, enum hf_table table, uint64_t number,
                            struct hf_row_instance *out_row)
{
    hf_assert(table == HF_TABLE_CHILDREN || table == HF_TABLE_FAMILIES);
    hf_status status = hf_instance_get(step->tables, number, out_row, step->error);
    if (status != HF_NOT_FOUND) return status;
    return hf_error_corrupt(step->error, 0,
                            "%s names instance %llu, which has no row: " HF__REBUILD_ADVICE,
                            hf_table_name(table), (unsigned long long)number);
}

/* What was written down to be said at this end. Damaged bytes hold nobody up: then nothing is said,
 * and the log tells of it. */
static hf_status words_read(struct hf__step *step, const struct hf_row_instance *child,
                            const struct hf_ref *words, hf_slice *out_words)
{
    hf_error error = { 0 };
    *out_words = (hf_slice)HF_EMPTY;
    hf_status status = hf_log_read_ref(step->tables, words, step->arena, out_words, &error);
    if (status == HF_CORRUPT) {
        char message[HF_ERROR_MESSAGE_SIZE + HF_ID_SIZE_MAX + 80];
        (void)snprintf(
            message, sizeof message,
            "instance \"" HF_FMT "\": what was to be said %s cannot be read: %s", HF_ARG(child->id),
            words == &child->orphan ? "to it at its parent's end" : "to its parent at its end",
            error.message);
        hf__store_log(step->store, HF_LOG_ERROR, "child.damaged", message);
        *out_words = (hf_slice)HF_EMPTY;
        return HF_OK;
    }
    if (status != HF_OK) *step->error = error;
    return status;
}

/* ---- to the parent --------------------------------------------------------------------------- */

/* A message that answers an event of the parent; one that has ended or is gone gets none. It runs
 * in that execution: continue-as-new has cut the links of all children. */
static hf_status parent_answer(struct hf__step *step, const struct hf_item_id *event, hf_slice body)
{
    struct hf_row_instance parent;
    hf_status status = hf_instance_get(step->tables, event->instance, &parent, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK || hf_instance_has_ended(&parent)) return status;
    struct hf_message_record record = { .instance = event->instance,
                                        .body = body,
                                        .execution = event->execution };
    return hf__step_append(step, HF_RECORD_MESSAGE, &record, NULL);
}

static hf_status lost_answer(struct hf__step *step, const struct hf_row_instance *child,
                             const struct hf_ref *words)
{
    hf_slice body = HF_EMPTY;
    if (child->parent.instance == 0) return HF_OK;
    hf_status status = words_read(step, child, words, &body);
    if (status != HF_OK || hf_slice_is_empty(body)) return status;
    return parent_answer(step, &child->parent, body);
}

/* ---- to the children ------------------------------------------------------------------------- */

static hf_status child_orphan(struct hf__step *step, uint64_t child, hf_slice body)
{
    struct hf_message_record record = { .instance = child, .body = body, .orphaned = 1 };
    return hf__step_append(step, HF_RECORD_MESSAGE, &record, NULL);
}

/* Tells one child that its parent has ended. */
static hf_status child_tell(struct hf__step *step, uint64_t number)
{
    struct hf_row_instance child;
    hf_slice body = HF_EMPTY;
    hf_status status = hf__family_member(step, HF_TABLE_CHILDREN, number, &child);
    if (status == HF_OK) status = words_read(step, &child, &child.orphan, &body);
    return status == HF_OK ? child_orphan(step, number, body) : status;
}

hf_status hf__family_orphan(struct hf__step *step, uint64_t parent, uint64_t *out_told_count)
{
    struct hf_arena_mark mark = hf_arena_mark(step->arena);
    hf_status status = HF_OK;
    for (*out_told_count = 0; *out_told_count < HF_PURGE_MAX; ++*out_told_count) {
        /* Each search begins anew: who is told is nobody's child any more. */
        struct hf_item_id place = { .instance = parent };
        uint64_t child = 0;
        status = hf_children_next(step->tables, &place, &child, step->error);
        if (status == HF_OK) status = child_tell(step, child);
        hf_arena_reset_to(step->arena, mark);
        if (status != HF_OK) break;
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

hf_status hf__family_end(struct hf__step *step, const struct hf_row_instance *instance,
                         const struct hf_ref *body)
{
    uint64_t told_count = 0;
    hf_status status = lost_answer(step, instance, body);
    return status == HF_OK ? hf__family_orphan(step, instance->number, &told_count) : status;
}

/* ---- a committed turn ------------------------------------------------------------------------ */

static int event_id_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

hf_status hf__cancelled_collect(struct hf__step *step, const struct hf_turn_committed *turn,
                                struct hf__cancelled *out)
{
    const struct hf_turn_child_cancel *cancels = turn->child_cancels.items;
    out->count = turn->child_cancels.count;
    out->event_ids = hf_arena_array(step->arena, out->count, sizeof *out->event_ids);
    if (!out->event_ids) {
        return hf_error_set(step->error, HF_NO_MEMORY, "no memory for %zu cancels", out->count);
    }
    for (size_t i = 0; i < out->count; i++) out->event_ids[i] = cancels[i].event_id;
    qsort(out->event_ids, out->count, sizeof *out->event_ids, event_id_compare);
    return HF_OK;
}

bool hf__cancelled_has(const struct hf__cancelled *self, uint64_t event_id)
{
    return self->count > 0 && bsearch(&event_id, self->event_ids, self->count,
                                      sizeof *self->event_ids, event_id_compare) != NULL;
}

/* An id that is taken: a parent is told; nobody waits for one that is detached, so the log is. */
static hf_status child_clash(struct hf__step *step, const struct hf_item_id *event,
                             const struct hf_turn_child *child)
{
    if (!child->is_detached) return parent_answer(step, event, child->clash_body);
    char message[HF_ID_SIZE_MAX + 120];
    (void)snprintf(message, sizeof message,
                   "instance \"" HF_FMT "\" exists already: it was not started once more, detached "
                   "by event %llu",
                   HF_ARG(child->id), (unsigned long long)event->event_id);
    hf__store_log(step->store, HF_LOG_WARN, "instance.detached_clash", message);
    return HF_OK;
}

/* Starts a child, or an instance that is nobody's. */
static hf_status child_start(struct hf__step *step, const struct hf_item_id *event,
                             const struct hf_turn_child *child)
{
    struct hf_row_instance other;
    hf_status status = hf_instance_find(step->tables, child->id, &other, step->error);
    if (status == HF_OK) return child_clash(step, event, child);
    if (status != HF_NOT_FOUND) return status;
    struct hf_started record = { .id = child->id,
                                 .orchestration = child->orchestration,
                                 .version = child->version,
                                 .body = child->body };
    if (!child->is_detached) {
        record.parent_instance = event->instance;
        record.parent_execution = event->execution;
        record.parent_event = event->event_id;
        record.lost_body = child->lost_body;
        record.orphan_body = child->orphan_body;
        record.deleted_body = child->deleted_body;
    }
    status = hf_instance_number_next(step->tables, &record.instance, step->error);
    return status == HF_OK ? hf__step_append(step, HF_RECORD_STARTED, &record, NULL) : status;
}

/* Of a turn that ends its instance only what is detached starts. */
static hf_status children_start(struct hf__step *step, const struct hf_turn_committed *turn,
                                bool has_ended)
{
    const struct hf_turn_child *children = turn->children.items;
    struct hf__cancelled cancelled;
    if (turn->children.count == 0) return HF_OK;
    hf_status status = hf__cancelled_collect(step, turn, &cancelled);
    for (size_t i = 0; status == HF_OK && i < turn->children.count; i++) {
        struct hf_item_id event = { turn->instance, turn->execution, children[i].event_id };
        if (has_ended && !children[i].is_detached) continue;
        if (hf__cancelled_has(&cancelled, event.event_id)) continue;
        struct hf_arena_mark mark = hf_arena_mark(step->arena);
        status = child_start(step, &event, &children[i]);
        hf_arena_reset_to(step->arena, mark);
    }
    return status;
}

static hf_status children_cancel(struct hf__step *step, const struct hf_turn_committed *turn)
{
    const struct hf_turn_child_cancel *cancels = turn->child_cancels.items;
    struct hf_arena_mark mark = hf_arena_mark(step->arena);
    for (size_t i = 0; i < turn->child_cancels.count; i++) {
        struct hf_item_id event = { turn->instance, turn->execution, cancels[i].event_id };
        uint64_t child = 0;
        hf_status status = hf_child_get(step->tables, &event, &child, step->error);
        if (status == HF_OK) status = child_orphan(step, child, cancels[i].body);
        hf_arena_reset_to(step->arena, mark);
        if (status != HF_OK && status != HF_NOT_FOUND) return status;
    }
    return HF_OK;
}

/* The outcome that the turn tells the parent; one that tells none has lost it. */
static hf_status outcome_answer(struct hf__step *step, const struct hf_row_instance *child,
                                hf_slice body)
{
    if (body.size == 0) return lost_answer(step, child, &child->lost);
    return child->parent.instance != 0 ? parent_answer(step, &child->parent, body) : HF_OK;
}

hf_status hf__family_fail(struct hf__step *step, const struct hf_row_instance *instance,
                          hf_slice body)
{
    uint64_t told_count = 0;
    hf_status status = outcome_answer(step, instance, body);
    return status == HF_OK ? hf__family_orphan(step, instance->number, &told_count) : status;
}

hf_status hf__family_turn(struct hf__step *step, const struct hf_row_instance *before,
                          const struct hf_turn_committed *turn)
{
    bool has_ended = turn->outcome >= HF_OUTCOME_COMPLETED;
    hf_status status = children_start(step, turn, has_ended);
    if (status == HF_OK) status = children_cancel(step, turn);
    if (status != HF_OK || !has_ended) return status;
    return hf__family_fail(step, before, turn->parent_body);
}
