/* Laws 1, 2, 7 and 8 (audit.c): instances, their history, inboxes, due turns, children and
 * families. */
#include <inttypes.h>

#include "engine/base/status.h"
#include "indexes/audit_internal.h"
#include "indexes/soft.h"
#include "indexes/values.h"

/* Law 1. */
static hf_status check_due(struct hf__audit *audit, const struct hf_row_instance *row)
{
    struct hf_number_pair place = { row->number, 0 };
    struct hf_row_message message = { .lsn = 0 };
    struct hf_turn_lock lock;
    bool has_due_row = false;
    hf_status status = hf_inbox_next(audit->tables, &place, &message, audit->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    uint64_t oldest = status == HF_OK ? message.lsn : 0;
    bool is_fresh = row->turn_due_lsn == row->head;
    if (!hf_instance_has_ended(row) && !is_fresh && row->turn_due_lsn != oldest) {
        return hf__audit_broken(audit, HF_LAW_Q9,
                                "instance %" PRIu64 " is due at %" PRIu64
                                ", its oldest message is %" PRIu64,
                                row->number, row->turn_due_lsn, oldest);
    }
    status = hf_turn_lock_get(audit->tables, row->number, &lock, audit->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    bool should_have = status == HF_NOT_FOUND && hf_instance_due_lsn(row) != 0;
    struct hf_key key = hf_key_turn_due(
        &(struct hf_turn_due){ row->engine_version, row->turn_due_lsn, row->number });
    status = hf__audit_has_row(audit, HF_TABLE_TURNS_DUE, &key, &has_due_row);
    if (status != HF_OK || has_due_row == should_have) return status;
    return hf__audit_broken(audit, HF_LAW_Q9, "turns_due is wrong about instance %" PRIu64,
                            row->number);
}

/* Law 7, from the child's side. */
static hf_status check_parent(struct hf__audit *audit, const struct hf_row_instance *row)
{
    uint64_t child = 0;
    if (row->parent.instance == 0) return HF_OK;
    hf_status status = hf_child_get(audit->tables, &row->parent, &child, audit->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    if (status == HF_OK && child == row->number && !hf_instance_has_ended(row)) return HF_OK;
    return hf__audit_broken(audit, HF_LAW_H6, "instance %" PRIu64 " is not the child that it says",
                            row->number);
}

/* Law 8, from the child's side. */
static hf_status check_descent(struct hf__audit *audit, const struct hf_row_instance *row)
{
    struct hf_key key = hf_key_pair(&(struct hf_number_pair){ row->family_root, row->number });
    bool has_row = false;
    if (row->family_root == 0) return HF_OK;
    hf_status status = hf__audit_has_row(audit, HF_TABLE_FAMILIES, &key, &has_row);
    if (status != HF_OK || has_row) return status;
    return hf__audit_broken(audit, HF_LAW_H6, "instance %" PRIu64 " is missing in its family",
                            row->number);
}

hf_status hf__audit_check_instance(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_row_instance instance, same;
    struct hf_ref ref;
    uint64_t number = 0, next = 0;
    if (!hf_key_read_number(row->key, &number)) return hf__row_damaged(audit->table, audit->error);
    hf_status status = hf_instance_get(audit->tables, number, &instance, audit->error);
    if (status == HF_OK) status = hf_instance_number_next(audit->tables, &next, audit->error);
    if (status == HF_OK && number >= next) {
        return hf__audit_broken(audit, HF_LAW_X3,
                                "instance %" PRIu64 " is not below the next number", number);
    }
    if (status == HF_OK) {
        status = hf_instance_find(audit->tables, instance.id, &same, audit->error);
        status = hf__audit_there(audit, HF_LAW_H10, status, "id of instance", number);
    }
    if (status == HF_OK && same.number != number) {
        return hf__audit_broken(audit, HF_LAW_H10, "the id of instance %" PRIu64 " is another's",
                                number);
    }
    if (status == HF_OK) {
        struct hf_item_id last = { number, instance.execution, instance.next_event_id - 1 };
        status = hf_history_get(audit->tables, &last, &ref, audit->error);
        status = hf__audit_there(audit, HF_LAW_H1, status, "last event of instance", number);
    }
    if (status == HF_OK) status = check_parent(audit, &instance);
    if (status == HF_OK) status = check_descent(audit, &instance);
    return status == HF_OK ? check_due(audit, &instance) : status;
}

hf_status hf__audit_check_instance_id(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_row_instance instance;
    hf_status status = hf_instance_find(audit->tables, row->key, &instance, audit->error);
    if (status == HF_OK && !hf_slice_equal(instance.id, row->key)) {
        return hf__audit_broken(audit, HF_LAW_H10,
                                "an id points to instance %" PRIu64 " of another", instance.number);
    }
    return hf__audit_there(audit, HF_LAW_H10, status, "an id", 0);
}

/* Law 2. */
hf_status hf__audit_check_history(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_item_id event, last = audit->last_event;
    struct hf_row_instance instance;
    struct hf_ref ref;
    if (!hf_key_read_item(row->key, &event) || !hf_ref_read(row->value, &ref)) {
        return hf__row_damaged(audit->table, audit->error);
    }
    bool follows = event.instance == last.instance && event.execution == last.execution &&
                   event.event_id == last.event_id + 1;
    audit->last_event = event;
    hf_status status = hf_instance_get(audit->tables, event.instance, &instance, audit->error);
    if (status == HF_NOT_FOUND) return hf__audit_instance_of(audit, event.instance, &instance);
    if (status != HF_OK) return status;
    if (!follows && event.event_id != 1) {
        return hf__audit_broken(audit, HF_LAW_H1,
                                "instance %" PRIu64 " has a gap before event %" PRIu64,
                                event.instance, event.event_id);
    }
    if (event.execution <= instance.pruned) {
        return hf__audit_broken(
            audit, HF_LAW_X6, "instance %" PRIu64 " has an event that was pruned", event.instance);
    }
    if (event.execution > instance.execution ||
        (event.execution == instance.execution && event.event_id >= instance.next_event_id)) {
        return hf__audit_broken(audit, HF_LAW_H1,
                                "instance %" PRIu64 " has event %" PRIu64 " beyond its end",
                                event.instance, event.event_id);
    }
    return HF_OK;
}

hf_status hf__audit_check_inbox(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_number_pair place;
    struct hf_row_instance instance;
    struct hf_row_message message;
    if (!hf_key_read_pair(row->key, &place) || !hf_message_read(row->value, &message)) {
        return hf__row_damaged(audit->table, audit->error);
    }
    hf_status status = hf__audit_instance_of(audit, place.first, &instance);
    if (status != HF_OK || instance.number == 0) return status;
    if (message.execution <= instance.execution) return HF_OK;
    return hf__audit_broken(audit, HF_LAW_H2, "message %" PRIu64 " answers a later execution",
                            place.second);
}

hf_status hf__audit_check_turn_due(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_turn_due place;
    struct hf_row_instance instance;
    if (!hf_key_read_turn_due(row->key, &place)) return hf__row_damaged(audit->table, audit->error);
    hf_status status = hf_instance_get(audit->tables, place.instance, &instance, audit->error);
    status = hf__audit_there(audit, HF_LAW_X2, status, "instance", place.instance);
    if (status != HF_OK) return status;
    if (hf_instance_due_lsn(&instance) == place.arrival_lsn &&
        instance.engine_version == place.engine_version) {
        return HF_OK;
    }
    return hf__audit_broken(audit, HF_LAW_Q9, "instance %" PRIu64 " is not due there",
                            place.instance);
}

/* Law 7, from the parent's side. */
hf_status hf__audit_check_child(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_item_id event;
    struct hf_row_instance parent, child;
    uint64_t number = 0;
    if (!hf_key_read_item(row->key, &event)) return hf__row_damaged(audit->table, audit->error);
    hf_status status = hf_child_get(audit->tables, &event, &number, audit->error);
    if (status == HF_OK) status = hf__audit_instance_of(audit, event.instance, &parent);
    if (status != HF_OK) return status;
    status = hf_instance_get(audit->tables, number, &child, audit->error);
    status = hf__audit_there(audit, HF_LAW_H6, status, "child", number);
    if (status != HF_OK) return status;
    struct hf_key named = hf_key_item(&child.parent);
    if (!hf_slice_equal(hf_key_slice(&named), row->key)) {
        return hf__audit_broken(audit, HF_LAW_H6, "instance %" PRIu64 " is another's child",
                                number);
    }
    bool runs = parent.number != 0 && !hf_instance_has_ended(&parent);
    if (!runs || event.execution == parent.execution) return HF_OK;
    return hf__audit_broken(
        audit, HF_LAW_H6, "instance %" PRIu64 " has a child of a former execution", event.instance);
}

/* Law 8, from the family's side. */
hf_status hf__audit_check_family(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_number_pair place;
    struct hf_row_instance instance;
    if (!hf_key_read_pair(row->key, &place) || row->value.size > 0) {
        return hf__row_damaged(audit->table, audit->error);
    }
    hf_status status = hf_instance_get(audit->tables, place.second, &instance, audit->error);
    status = hf__audit_there(audit, HF_LAW_X2, status, "instance", place.second);
    if (status != HF_OK || instance.family_root == place.first) return status;
    return hf__audit_broken(audit, HF_LAW_H6, "instance %" PRIu64 " is of another family",
                            place.second);
}

/* What outlives the end of its instance stays until that is deleted. */
static hf_status check_lasting(struct hf__audit *audit, uint64_t number)
{
    struct hf_row_instance instance;
    hf_status status = hf_instance_get(audit->tables, number, &instance, audit->error);
    if (status == HF_NOT_FOUND) return hf__audit_instance_of(audit, number, &instance);
    return status;
}

hf_status hf__audit_check_value(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_row_value value;
    uint64_t number = 0;
    if (!hf_value_read(row->key, row->value, &number, &value)) {
        return hf__row_damaged(audit->table, audit->error);
    }
    return check_lasting(audit, number);
}

hf_status hf__audit_check_dead_letter(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_number_pair place;
    struct hf_row_dead_letter letter;
    if (!hf_key_read_pair(row->key, &place) || place.second == 0) {
        return hf__row_damaged(audit->table, audit->error);
    }
    struct hf_number_pair before = { place.first, place.second - 1 };
    hf_status status = hf_dead_letter_next(audit->tables, &before, &letter, audit->error);
    status = hf__audit_there(audit, HF_LAW_X2, status, "dead letter", place.second);
    return status == HF_OK ? check_lasting(audit, place.first) : status;
}
