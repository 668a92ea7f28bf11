/* Values in the fold: what a committed turn does to them, and what continue-as-new makes of them.
 */
#include "indexes/values.h"

#include "engine/base/assert.h"
#include "indexes/fold.h"

/* Writes the row of a value, or removes it when it says nothing any more. */
static hf_status value_put(struct hf__fold *fold, uint64_t instance, const struct hf_row_value *row)
{
    unsigned char bytes[HF_VALUE_ROW_SIZE];
    struct hf_value_key key = hf_value_key(instance, row->key);
    hf_slice place = hf_value_key_slice(&key);
    if (row->present.lsn != 0 || row->former.lsn != 0) {
        hf_value_write(row, bytes);
        return hf_table_put(fold->tables, HF_TABLE_KV, place, hf_bytes(bytes, sizeof bytes),
                            fold->error);
    }
    hf_status status = hf_table_delete(fold->tables, HF_TABLE_KV, place, fold->error);
    return status == HF_NOT_FOUND ? HF_OK : status;
}

hf_status hf__value_set(struct hf__fold *fold, uint64_t instance, hf_slice key,
                        const struct hf_ref *present)
{
    struct hf_row_value row = { .present = { 0, 0, 0, 0 } };
    hf_status status = hf_value_get(fold->tables, instance, key, &row, fold->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    row.key = key;
    row.present = *present;
    return value_put(fold, instance, &row);
}

/* Does the same to each value of an instance. */
static hf_status values_each(struct hf__fold *fold, uint64_t instance,
                             void (*change)(struct hf_row_value *row))
{
    struct hf_row_value row = { .key = HF_EMPTY };
    for (;;) {
        hf_status status = hf_value_next(fold->tables, instance, row.key, &row, fold->error);
        if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
        change(&row);
        status = value_put(fold, instance, &row);
        if (status != HF_OK) return status;
    }
}

static void value_clear(struct hf_row_value *row)
{
    row->present = (struct hf_ref){ 0, 0, 0, 0 };
}

static void value_settle(struct hf_row_value *row)
{
    row->former = row->present;
}

static void value_revert(struct hf_row_value *row)
{
    row->present = row->former;
}

hf_status hf__value_clear(struct hf__fold *fold, uint64_t instance, hf_slice key)
{
    if (key.size == 0) return values_each(fold, instance, value_clear);
    const struct hf_ref none = { 0, 0, 0, 0 };
    return hf__value_set(fold, instance, key, &none);
}

hf_status hf__values_settle(struct hf__fold *fold, uint64_t instance)
{
    return values_each(fold, instance, value_settle);
}

hf_status hf__values_revert(struct hf__fold *fold, uint64_t instance)
{
    return values_each(fold, instance, value_revert);
}

hf_status hf__value_purge(struct hf__fold *fold, uint64_t instance)
{
    struct hf_row_value row;
    hf_status status = hf_value_next(fold->tables, instance, (hf_slice)HF_EMPTY, &row, fold->error);
    if (status != HF_OK) return status;
    row.present = row.former = (struct hf_ref){ 0, 0, 0, 0 };
    return value_put(fold, instance, &row);
}
