/* The form of a turn that is to be committed: whatever its caller wrote, behind this check it can
 * be encoded, and it fits the instance's events, inbox and sessions.
 *
 * What it does not look at: whether a turn names anything twice, and whether one that continues as
 * new has cancelled all that was pending. The fold proves those as it goes, and refuses them with
 * HF_CORRUPT; the transaction is taken back then. */
#include "logstore/command.h"

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/queries.h"
#include "logstore/command_family.h"

/* A turn under examination. */
struct check {
    struct hf__step *step;
    const struct hf_row_instance *instance;
    const struct hf_turn_committed *turn;
    uint64_t next_event_id;  /* that must come next */
    uint64_t first_event_id; /* of the turn's own events, once they are looked at */
};

static hf_status refuse_form(const struct check *self, const char *what, size_t index)
{
    return hf_error_set(self->step->error, HF_INVALID, "turn of instance %llu: %s, at place %zu",
                        (unsigned long long)self->instance->number, what, index);
}

static hf_status refuse_fit(const struct check *self, const char *what, uint64_t number)
{
    return hf_error_set(self->step->error, HF_CORRUPT,
                        "turn of instance %llu: %s %llu; its next event id is %llu: drop the turn "
                        "and replay it",
                        (unsigned long long)self->instance->number, what,
                        (unsigned long long)number,
                        (unsigned long long)self->instance->next_event_id);
}

/* ---- messages and events --------------------------------------------------------------------- */

static hf_status check_event_id(struct check *self, uint64_t event_id)
{
    if (event_id != self->next_event_id) {
        return refuse_fit(self, "its events do not follow on at event", event_id);
    }
    if (event_id > HF_KEY_PART_MAX) {
        return refuse_fit(self, "an execution has no room for event", event_id);
    }
    self->next_event_id++;
    return HF_OK;
}

static hf_status check_messages(struct check *self)
{
    const struct hf_consumed_message *messages = self->turn->messages.items;
    struct hf_number_pair place = { .first = self->instance->number };
    for (size_t i = 0; i < self->turn->messages.count; i++) {
        uint64_t lsn = messages[i].lsn;
        struct hf_row_message row;
        if (lsn <= place.second) return refuse_form(self, "messages are not by rising LSN", i);
        place.second = lsn - 1;
        hf_status status = hf_inbox_next(self->step->tables, &place, &row, self->step->error);
        if (status != HF_OK && status != HF_NOT_FOUND) return status;
        if (status == HF_NOT_FOUND || row.lsn != lsn) {
            return refuse_fit(self, "its inbox has no message", lsn);
        }
        place.second = lsn;
        if (messages[i].event_id != 0) status = check_event_id(self, messages[i].event_id);
        if (messages[i].event_id != 0 && status != HF_OK) return status;
    }
    return HF_OK;
}

static hf_status check_events(struct check *self)
{
    const struct hf_turn_event *events = self->turn->events.items;
    self->first_event_id = self->next_event_id;
    for (size_t i = 0; i < self->turn->events.count; i++) {
        hf_status status = check_event_id(self, events[i].event_id);
        if (status != HF_OK) return status;
        if (hf_slice_is_empty(events[i].body)) return refuse_form(self, "an event is empty", i);
    }
    return HF_OK;
}

/* Whether the turn itself writes that event. */
static bool is_own_event(const struct check *self, uint64_t event_id)
{
    return event_id >= self->first_event_id && event_id < self->next_event_id;
}

/* ---- what it schedules, cancels and closes --------------------------------------------------- */

static hf_status check_items(struct check *self)
{
    const struct hf_turn_item *items = self->turn->items.items;
    for (size_t i = 0; i < self->turn->items.count; i++) {
        if (!is_own_event(self, items[i].event_id)) {
            return refuse_form(self, "an item is of no event of the turn", i);
        }
        if (items[i].incarnation > HF_KEY_PART_MAX) {
            return refuse_form(self, "an item's incarnation has over 32 bits", i);
        }
        if (items[i].start_due_unix_ms != 0 && hf_slice_is_empty(items[i].late_body)) {
            return refuse_form(self, "an item has a limit and no message", i);
        }
        hf_status status = hf__check_optional_name(self->step, "tag of an item", items[i].tag);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

static hf_status check_timers(struct check *self)
{
    const struct hf_turn_timer *timers = self->turn->timers.items;
    for (size_t i = 0; i < self->turn->timers.count; i++) {
        if (!is_own_event(self, timers[i].event_id)) {
            return refuse_form(self, "a timer is of no event of the turn", i);
        }
        if (hf_slice_is_empty(timers[i].body)) {
            return refuse_form(self, "a timer's message is empty", i);
        }
    }
    return HF_OK;
}

static hf_status check_cancels(struct check *self)
{
    const struct hf_turn_cancel *cancels = self->turn->cancels.items;
    for (size_t i = 0; i < self->turn->cancels.count; i++) {
        if (cancels[i].event_id == 0) return refuse_form(self, "a cancel names no event", i);
    }
    return HF_OK;
}

static hf_status check_carried(struct check *self)
{
    const struct hf_turn_carried *carried = self->turn->carried.items;
    for (size_t i = 0; i < self->turn->carried.count; i++) {
        uint64_t event_id = carried[i].event_id;
        if (event_id == 0) return refuse_form(self, "what is carried is no event", i);
        if (event_id >= self->next_event_id) {
            return refuse_fit(self, "it carries on what is not there, event", event_id);
        }
    }
    return HF_OK;
}

static hf_status check_session(struct check *self, const struct hf_turn_session *session,
                               size_t index)
{
    if (session->incarnation == 0 || session->incarnation > HF_KEY_PART_MAX) {
        return refuse_form(self, "a session's incarnation is not in 1 .. 2^32 - 1", index);
    }
    hf_status status = hf__check_optional_name(self->step, "session id", session->id);
    if (status != HF_OK) return status;
    return hf__check_optional_name(self->step, "tag of a session", session->tag);
}

/* An incarnation is opened once. */
static hf_status check_not_open(struct check *self, uint64_t incarnation)
{
    struct hf_session_id id = { self->instance->number, incarnation };
    struct hf_row_session row;
    hf_status status = hf_session_get(self->step->tables, &id, &row, self->step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK) return status;
    return refuse_fit(self, "it opens a session that is open, incarnation", incarnation);
}

static hf_status check_sessions(struct check *self)
{
    const struct hf_turn_session *opened = self->turn->opened.items;
    const struct hf_turn_session *closed = self->turn->closed.items;
    hf_status status = HF_OK;
    for (size_t i = 0; i < self->turn->opened.count && status == HF_OK; i++) {
        status = hf__check_name(self->step, "session id", opened[i].id);
        if (status == HF_OK) status = check_session(self, &opened[i], i);
        if (status == HF_OK) status = check_not_open(self, opened[i].incarnation);
        if (status == HF_OK && opened[i].event_id && !is_own_event(self, opened[i].event_id)) {
            return refuse_form(self, "a session is opened by no event of the turn", i);
        }
    }
    for (size_t i = 0; i < self->turn->closed.count && status == HF_OK; i++) {
        status = check_session(self, &closed[i], i);
    }
    return status;
}

/* ---- children -------------------------------------------------------------------------------- */

static hf_status check_child(struct check *self, const struct hf_turn_child *child, size_t index)
{
    const hf_slice bodies[] = { child->body, child->lost_body, child->orphan_body,
                                child->deleted_body, child->clash_body };
    if (!is_own_event(self, child->event_id)) {
        return refuse_form(self, "a child is of no event of the turn", index);
    }
    if (index > 0 && child[-1].event_id >= child->event_id) {
        return refuse_form(self, "children are not by rising event id", index);
    }
    size_t bodies_count = child->is_detached ? 1 : HF_COUNT_OF(bodies);
    for (size_t i = 0; i < bodies_count; i++) {
        if (hf_slice_is_empty(bodies[i])) return refuse_form(self, "a body of a child", index);
    }
    hf_status status = hf__check_name(self->step, "id of a child", child->id);
    if (status == HF_OK) {
        status = hf__check_optional_name(self->step, "version of a child", child->version);
    }
    if (status != HF_OK) return status;
    return hf__check_name(self->step, "orchestration of a child", child->orchestration);
}

static hf_status check_children(struct check *self)
{
    const struct hf_turn_child *children = self->turn->children.items;
    const struct hf_turn_child_cancel *cancels = self->turn->child_cancels.items;
    for (size_t i = 0; i < self->turn->children.count; i++) {
        hf_status status = check_child(self, &children[i], i);
        if (status != HF_OK) return status;
    }
    for (size_t i = 0; i < self->turn->child_cancels.count; i++) {
        bool is_whole = cancels[i].event_id != 0 && !hf_slice_is_empty(cancels[i].body);
        if (!is_whole) return refuse_form(self, "a child's cancel has no event or no body", i);
    }
    return HF_OK;
}

/* A turn that continues as new leaves no child behind whose outcome the next execution could not
 * know. */
static hf_status check_children_left(struct check *self)
{
    const struct hf_turn_child *children = self->turn->children.items;
    struct hf_item_id place = { .instance = self->instance->number };
    struct hf__cancelled cancelled;
    uint64_t child = 0;
    if (self->turn->outcome != HF_OUTCOME_CONTINUED) return HF_OK;
    hf_status status = hf__cancelled_collect(self->step, self->turn, &cancelled);
    if (status != HF_OK) return status;
    for (size_t i = 0; i < self->turn->children.count; i++) {
        if (children[i].is_detached) continue;
        if (hf__cancelled_has(&cancelled, children[i].event_id)) continue;
        return refuse_fit(self, "it continues as new with the child of event",
                          children[i].event_id);
    }
    for (;;) {
        status = hf_children_next(self->step->tables, &place, &child, self->step->error);
        if (status == HF_NOT_FOUND) return HF_OK;
        if (status != HF_OK) return status;
        if (hf__cancelled_has(&cancelled, place.event_id)) continue;
        return refuse_fit(self, "it continues as new with the child of event", place.event_id);
    }
}

/* ---- values --------------------------------------------------------------------------------- */

static hf_status check_values(struct check *self)
{
    const struct hf_turn_value *values = self->turn->values.items;
    for (size_t i = 0; i < self->turn->values.count; i++) {
        if (!is_own_event(self, values[i].event_id)) {
            return refuse_form(self, "a value is of no event of the turn", i);
        }
        if (hf_slice_is_empty(values[i].key) && !values[i].cleared) {
            return refuse_form(self, "a value has no key", i);
        }
        hf_status status = hf__check_optional_name(self->step, "key of a value", values[i].key);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

/* ---- the outcome ----------------------------------------------------------------------------- */

static hf_status check_outcome(struct check *self)
{
    const struct hf_turn_committed *turn = self->turn;
    if (turn->outcome < HF_OUTCOME_RUNNING || turn->outcome > HF_OUTCOME_CANCELLED) {
        return refuse_form(self, "its outcome is none", (size_t)turn->outcome);
    }
    bool has_ended = turn->outcome >= HF_OUTCOME_COMPLETED;
    if (has_ended && !is_own_event(self, turn->output_event)) {
        return refuse_form(self, "it ends without an event of its own", (size_t)turn->outcome);
    }
    if (turn->outcome == HF_OUTCOME_CONTINUED && hf_slice_is_empty(turn->next_body)) {
        return refuse_form(self, "it continues as new without a first event", 0);
    }
    if (!has_ended && !hf_slice_is_empty(turn->parent_body)) {
        return refuse_form(self, "it tells its parent of an end that is none", 0);
    }
    if (turn->status_event != 0 && !is_own_event(self, turn->status_event)) {
        return refuse_form(self, "its status is no event of the turn", 0);
    }
    return HF_OK;
}

static hf_status check_frame(struct check *self)
{
    if (self->turn->execution != self->instance->execution) {
        return refuse_fit(self, "it is not in execution", self->turn->execution);
    }
    if (self->turn->engine_version > HF_KEY_PART_MAX) {
        return refuse_form(self, "its engine version has over 32 bits", 0);
    }
    hf_status status = hf__check_optional_name(self->step, "version", self->turn->version);
    if (status != HF_OK) return status;
    return hf__check_optional_name(self->step, "next version", self->turn->next_version);
}

hf_status hf__turn_check(struct hf__step *step, const struct hf_row_instance *instance,
                         const struct hf_turn_committed *turn)
{
    static hf_status (*const checks[])(
        struct check *) = { check_frame,    check_messages,      check_events,  check_items,
                            check_timers,   check_cancels,       check_carried, check_sessions,
                            check_children, check_children_left, check_values,  check_outcome };
    struct check self = {
        .step = step, .instance = instance, .turn = turn, .next_event_id = instance->next_event_id
    };
    hf_status status = HF_OK;
    hf_assert(instance->next_event_id > 0);
    for (size_t i = 0; i < HF_COUNT_OF(checks) && status == HF_OK; i++) status = checks[i](&self);
    return status;
}
