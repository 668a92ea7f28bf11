/* Records of an instance's life outside its turns: started, message, suspended, terminated,
 * deleted, pruned. */
#include <inttypes.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/slice.h"
#include "indexes/fold.h"

/* The number is the next one, nobody has it, and the id is free. */
static hf_status started_check(struct hf__fold *fold, const struct hf_started *body)
{
    struct hf_row_instance other;
    uint64_t next = 0;
    if (body->id.size > HF_ID_SIZE_MAX) {
        return hf__fold_misfit(fold, HF_LAW_L6, "its id is too long");
    }
    if (body->engine_version > HF_KEY_PART_MAX) {
        return hf__fold_misfit(fold, HF_LAW_L6, "engine version %" PRIu64, body->engine_version);
    }
    hf_status status = hf_instance_number_next(fold->tables, &next, fold->error);
    if (status != HF_OK) return status;
    if (body->instance != next) {
        return hf__fold_misfit(fold, HF_LAW_H10,
                               "instance %" PRIu64 " is not the next one, %" PRIu64, body->instance,
                               next);
    }
    status = hf_instance_get(fold->tables, next, &other, fold->error);
    if (status == HF_OK) {
        return hf__fold_misfit(fold, HF_LAW_H10, "instance %" PRIu64 " is there already", next);
    }
    if (status != HF_NOT_FOUND) return status;
    status = hf_instance_find(fold->tables, body->id, &other, fold->error);
    if (status == HF_OK) {
        return hf__fold_misfit(fold, HF_LAW_H10, "instance %" PRIu64 " has its id", other.number);
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* Whose child it is, as its row says it. */
static hf_status started_parent(struct hf__fold *fold, const struct hf_started *body,
                                struct hf_row_instance *row)
{
    const struct hf_fold_record *record = fold->record;
    if (body->parent_instance == 0) return HF_OK;
    if (body->lost_body.size == 0 || body->deleted_body.size == 0 || body->orphan_body.size == 0) {
        return hf__fold_misfit(fold, HF_LAW_H6, "it is a child without the messages of its end");
    }
    row->parent = (struct hf_item_id){ body->parent_instance, body->parent_execution,
                                       body->parent_event };
    row->lost = hf_ref_of(record, body->lost_body);
    row->deleted = hf_ref_of(record, body->deleted_body);
    row->orphan = hf_ref_of(record, body->orphan_body);
    return hf__child_link(fold, row);
}

hf_status hf__apply_started(struct hf__fold *fold, const struct hf_started *body)
{
    const struct hf_fold_record *record = fold->record;
    struct hf_row_instance row = {
        .number = body->instance,
        .id = body->id,
        .orchestration = body->orchestration,
        .status = HF_INSTANCE_PENDING,
        .execution = 1,
        .head = record->lsn,
        .next_event_id = 2,
        .engine_version = body->engine_version,
        .started_unix_ms = record->wall_unix_ms,
        .turn_due_lsn = record->lsn,
        .version = body->version,
    };
    struct hf_ref ref = hf_ref_of(record, body->body);
    unsigned char number[8];
    hf_status status = started_check(fold, body);
    if (status == HF_OK) status = started_parent(fold, body, &row);
    if (status == HF_OK) status = hf__command_key_put(fold, body->key, body->instance);
    if (status == HF_OK) {
        status = hf__history_put(fold, &(struct hf_item_id){ row.number, 1, 1 }, &ref);
    }
    if (status == HF_OK) {
        status = hf_meta_put_number(fold->tables, "next_instance", row.number + 1, fold->error);
    }
    if (status != HF_OK) return status;
    hf_put_le64(number, row.number);
    status = hf_table_put(fold->tables, HF_TABLE_INSTANCE_IDS, body->id,
                          hf_bytes(number, sizeof(number)), fold->error);
    if (status != HF_OK) return status;
    return hf__instance_put(fold, &(struct hf__instance_change){ NULL, &row, false });
}

/* The receiver is nobody's child from here on. */
static hf_status message_orphan(struct hf__fold *fold, uint64_t instance)
{
    struct hf_row_instance before;
    hf_status status = hf__instance_running(fold, instance, &before);
    if (status != HF_OK) return status;
    struct hf_row_instance after = before;
    if (before.parent.instance == 0) {
        return hf__fold_misfit(fold, HF_LAW_H6, "instance %" PRIu64 " is nobody's child", instance);
    }
    status = hf__child_cut(fold, &after);
    if (status != HF_OK) return status;
    return hf__instance_put(fold, &(struct hf__instance_change){ &before, &after, false });
}

hf_status hf__apply_message(struct hf__fold *fold, const struct hf_message_record *body)
{
    hf_status status = body->orphaned ? message_orphan(fold, body->instance) : HF_OK;
    if (status != HF_OK) return status;
    if (body->body.size == 0) {
        return body->orphaned ? HF_OK : hf__fold_misfit(fold, HF_LAW_L6, "it has no body");
    }
    const struct hf_row_message message = { .body = hf_ref_of(fold->record, body->body),
                                            .execution = body->execution };
    status = hf__message_arrive(fold, body->instance, &message);
    return status == HF_OK ? hf__command_key_put(fold, body->key, body->instance) : status;
}

hf_status hf__apply_terminated(struct hf__fold *fold, const struct hf_terminated *body)
{
    struct hf_row_instance before;
    struct hf_ref ref = hf_ref_of(fold->record, body->body);
    struct hf_item_id event = { body->instance, body->execution, body->event_id };
    hf_status status = hf__instance_running(fold, body->instance, &before);
    if (status != HF_OK) return status;
    if (body->execution != before.execution || body->event_id != before.next_event_id) {
        return hf__fold_misfit(fold, HF_LAW_H1,
                               "event %" PRIu64 " of execution %" PRIu64 " is not the next",
                               body->event_id, body->execution);
    }
    status = hf__history_put(fold, &event, &ref);
    if (status == HF_OK) status = hf__command_key_put(fold, body->key, body->instance);
    if (status != HF_OK) return status;
    if (body->attempts > 0) {
        status = hf__dead_letter_put(fold,
                                     &(struct hf_row_dead_letter){ .instance = body->instance,
                                                                   .execution = body->execution,
                                                                   .attempts = body->attempts });
        if (status != HF_OK) return status;
    }
    struct hf_row_instance after = before;
    after.next_event_id++;
    const uint64_t ended_as = body->attempts > 0 ? HF_INSTANCE_FAILED : HF_INSTANCE_TERMINATED;
    return hf__instance_end(fold, &before, &after, &(struct hf__ending){ ended_as, ref });
}

hf_status hf__apply_suspended(struct hf__fold *fold, const struct hf_suspended *body)
{
    struct hf_row_instance before;
    hf_status status = hf__instance_running(fold, body->instance, &before);
    if (status == HF_OK) status = hf__command_key_put(fold, body->key, body->instance);
    if (status != HF_OK) return status;
    struct hf_row_instance after = before;
    bool is_resumed = body->code.size == 0;
    if (is_resumed == (before.suspended_code.size == 0)) {
        return hf__fold_misfit(fold, HF_LAW_H11, "instance %" PRIu64 " is so already",
                               body->instance);
    }
    after.suspended_code = body->code;
    after.suspended_text = is_resumed ? (hf_slice)HF_EMPTY : body->text;
    fold->tables->effects |= HF_EFFECT_CHANGED;
    return hf__instance_put(fold, &(struct hf__instance_change){ &before, &after, !is_resumed });
}

hf_status hf__apply_deleted(struct hf__fold *fold, const struct hf_deleted *body)
{
    struct hf_row_instance row;
    hf_status status = hf_instance_get(fold->tables, body->instance, &row, fold->error);
    status = hf__fold_expect(fold, HF_LAW_H1, status, "instance", body->instance);
    if (status == HF_OK) status = hf__command_key_put(fold, body->key, body->instance);
    return status == HF_OK ? hf__instance_remove(fold, &row) : status;
}

/* Removes the first event of the instance, if it is of an execution up to `execution`. */
static hf_status event_prune(struct hf__fold *fold, const struct hf_pruned *body, bool *out_is_done)
{
    struct hf_item_id event = { body->instance, 0, 0 };
    struct hf__search search = { HF_TABLE_HISTORY, hf_key_item(&event), 8 };
    struct hf_table_row row;
    hf_status status = hf__search(fold->tables, &search, &row, fold->error);
    status = hf__fold_expect(fold, HF_LAW_X6, status, "history of instance", body->instance);
    if (status != HF_OK) return status;
    if (!hf_key_read_item(row.key, &event)) return hf__row_damaged(search.table, fold->error);
    *out_is_done = event.execution > body->execution;
    if (*out_is_done) return HF_OK;
    struct hf_key key = hf_key_item(&event);
    return hf__fold_delete(fold, HF_TABLE_HISTORY, &key);
}

hf_status hf__apply_pruned(struct hf__fold *fold, const struct hf_pruned *body)
{
    struct hf_row_instance before;
    bool is_done = false;
    hf_status status = hf_instance_get(fold->tables, body->instance, &before, fold->error);
    status = hf__fold_expect(fold, HF_LAW_H1, status, "instance", body->instance);
    if (status != HF_OK) return status;
    if (body->execution <= before.pruned || body->execution >= before.execution) {
        return hf__fold_misfit(fold, HF_LAW_X6, "execution %" PRIu64 " is none that can go",
                               body->execution);
    }
    while (status == HF_OK && !is_done) status = event_prune(fold, body, &is_done);
    if (status != HF_OK) return status;
    struct hf_row_instance after = before;
    after.pruned = body->execution;
    return hf__instance_put(fold, &(struct hf__instance_change){ &before, &after, false });
}
