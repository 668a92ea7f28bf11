/* What is owed by a record to those behind it.
 *
 *   a turn that goes on    for each child, in order: its start, or the answer that its id is taken
 *   an end                 the message to a parent that runs
 * Between them may stand what the same record brings about beside: starts of instances that are
 * nobody's, and messages that orphan. A deletion owes nothing: of a tree, whose records tell
 * nobody but the parent of its top, the log does not say where it begins. */
#include "logstore/follow.h"

#include <inttypes.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/law.h"
#include "indexes/rows.h"
#include "logstore/command_family.h"

void hf__follow_init(struct hf__follow *self, const hf_allocator *heap)
{
    *self = (struct hf__follow){ .lsn = 0 };
    hf_arena_init(&self->arena, heap);
}

void hf__follow_release(struct hf__follow *self)
{
    hf_arena_release(&self->arena);
}

/* ---- paying ---------------------------------------------------------------------------------- */

static bool is_child_due(const struct hf__follow *self)
{
    return self->events_done < self->events_count;
}

static hf_status follow_broken(struct hf__follow *self, hf_error *error)
{
    uint64_t lsn = self->lsn;
    hf_assert(lsn != 0);
    self->lsn = 0;
    if (is_child_due(self)) {
        hf_error_corrupt(error, lsn,
                         "event %" PRIu64 " of instance %" PRIu64
                         " scheduled a child, and the records behind do not start it",
                         self->events[self->events_done], self->turn.instance);
    } else {
        hf_error_corrupt(error, lsn,
                         "a child of instance %" PRIu64
                         " ended, and the records behind do not tell it",
                         self->parent.instance);
    }
    return hf_law_broken(error, HF_LAW_L7, HF_CORRUPT);
}

static bool pay_start(struct hf__follow *self, const struct hf_started *body)
{
    if (body->parent_instance == 0) return true;
    bool is_due = is_child_due(self) && body->parent_instance == self->turn.instance &&
                  body->parent_event == self->events[self->events_done];
    if (is_due) self->events_done++;
    return is_due;
}

static bool pay_message(struct hf__follow *self, const struct hf_message_record *body)
{
    if (body->orphaned) return true;
    if (is_child_due(self)) {
        bool is_clash = body->instance == self->turn.instance &&
                        body->execution == self->turn.execution;
        if (is_clash) self->events_done++;
        return is_clash;
    }
    bool is_parent = body->instance == self->parent.instance &&
                     body->execution == self->parent.execution;
    if (is_parent) self->parent.instance = 0;
    return is_parent;
}

/* Whether the record is one that is owed, or may stand between them. */
static bool pay(struct hf__follow *self, const struct hf_log_record *record,
                const union hf_record_body *body)
{
    bool is_paid = false;
    if (record->kind == HF_RECORD_STARTED) is_paid = pay_start(self, &body->started);
    if (record->kind == HF_RECORD_MESSAGE) is_paid = pay_message(self, &body->message);
    if (is_paid && !is_child_due(self) && self->parent.instance == 0) self->lsn = 0;
    return is_paid;
}

/* ---- owing ----------------------------------------------------------------------------------- */

/* The children that a turn which goes on starts, but for those that it cancels. */
static hf_status owe_children(struct hf__follow *self, const struct hf_turn_committed *turn,
                              hf_error *error)
{
    const struct hf_turn_child *children = turn->children.items;
    struct hf__step step = { .arena = &self->arena, .error = error };
    struct hf__cancelled cancelled;
    self->turn = (struct hf_item_id){ turn->instance, turn->execution, 0 };
    hf_status status = hf__cancelled_collect(&step, turn, &cancelled);
    if (status != HF_OK) return status;
    self->events = hf_arena_array(&self->arena, turn->children.count, sizeof *self->events);
    if (!self->events) return hf_error_set(error, HF_NO_MEMORY, "no memory for children");
    for (size_t i = 0; i < turn->children.count; i++) {
        if (children[i].is_detached || hf__cancelled_has(&cancelled, children[i].event_id)) {
            continue;
        }
        self->events[self->events_count++] = children[i].event_id;
    }
    return HF_OK;
}

/* The parent of an instance that ends, if it runs. */
static hf_status owe_parent(struct hf__follow *self, struct hf_tables *tables, uint64_t instance,
                            hf_error *error)
{
    struct hf_row_instance row, parent;
    hf_status status = hf_instance_get(tables, instance, &row, error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK || row.parent.instance == 0) return status;
    status = hf_instance_get(tables, row.parent.instance, &parent, error);
    if (status == HF_OK && !hf_instance_has_ended(&parent)) self->parent = row.parent;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

static hf_status owe(struct hf__follow *self, struct hf_tables *tables,
                     const struct hf_log_record *record, const union hf_record_body *body,
                     hf_error *error)
{
    const struct hf_turn_committed *turn = &body->turn_committed;
    hf_status status = HF_OK;
    bool is_turn = record->kind == HF_RECORD_TURN_COMMITTED;
    self->events_count = self->events_done = 0;
    self->parent.instance = 0;
    if (!is_turn) {
        status = owe_parent(self, tables, body->terminated.instance, error);
    } else if (turn->outcome >= HF_OUTCOME_COMPLETED) {
        status = owe_parent(self, tables, turn->instance, error);
    } else if (turn->children.count > 0) {
        status = owe_children(self, turn, error);
    }
    if (is_child_due(self) || self->parent.instance != 0) self->lsn = record->lsn;
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

hf_status hf__follow_record(struct hf__follow *self, struct hf_tables *tables,
                            const struct hf_log_record *record, hf_error *error)
{
    union hf_record_body body;
    bool owes = record->kind == HF_RECORD_TURN_COMMITTED || record->kind == HF_RECORD_TERMINATED;
    bool is_owed = self->lsn != 0;
    bool pays = record->kind == HF_RECORD_STARTED || record->kind == HF_RECORD_MESSAGE;
    if (is_owed && !pays) return follow_broken(self, error);
    if (!is_owed && !owes) return HF_OK;
    struct hf_arena_mark mark = hf_arena_mark(tables->arena);
    const struct hf_layout *layout = hf_record_layout((enum hf_record_kind)record->kind);
    if (!is_owed) hf_arena_reset(&self->arena);
    hf_status status = hf_decode(layout, record->body, tables->arena, &body, error);
    if (status != HF_OK) {
        status = hf_law_broken(error, HF_LAW_L6, status);
    } else if (is_owed) {
        status = pay(self, record, &body) ? HF_OK : follow_broken(self, error);
    } else {
        status = owe(self, tables, record, &body, error);
    }
    hf_arena_reset_to(tables->arena, mark);
    return status;
}

hf_status hf__follow_end(struct hf__follow *self, hf_error *error)
{
    return self->lsn != 0 ? follow_broken(self, error) : HF_OK;
}
