/* Reading the rows of kv. They are written by the fold (fold_value.c). */
#include "indexes/values.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/status.h"
#include "indexes/rows_internal.h"

/* ---- keys and bytes ------------------------------------------------------------------------- */

struct hf_value_key hf_value_key(uint64_t instance, hf_slice name)
{
    struct hf_value_key key = { .size = 8 + name.size };
    hf_assert(name.size <= HF_ID_SIZE_MAX);
    hf_put_be64(key.bytes, instance);
    if (name.size > 0) memcpy(key.bytes + 8, name.data, name.size);
    return key;
}

hf_slice hf_value_key_slice(const struct hf_value_key *key)
{
    hf_assert(key->size >= 8 && key->size <= sizeof key->bytes);
    return hf_bytes(key->bytes, key->size);
}

void hf_value_write(const struct hf_row_value *row, unsigned char bytes[HF_VALUE_ROW_SIZE])
{
    hf_assert(row->present.lsn != 0 || row->former.lsn != 0);
    hf_ref_write(&row->present, bytes);
    hf_ref_write(&row->former, bytes + HF_REF_SIZE);
}

bool hf_value_read(hf_slice key, hf_slice value, uint64_t *out_instance,
                   struct hf_row_value *out_row)
{
    if (key.size <= 8 || key.size > HF_VALUE_KEY_SIZE_MAX || value.size != HF_VALUE_ROW_SIZE) {
        return false;
    }
    *out_instance = hf_get_be64(key.data);
    out_row->key = hf_bytes(key.data + 8, key.size - 8);
    bool is_present = hf_ref_read(hf_bytes(value.data, HF_REF_SIZE), &out_row->present);
    bool is_former = hf_ref_read(hf_bytes(value.data + HF_REF_SIZE, HF_REF_SIZE), &out_row->former);
    return is_present || is_former;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* What was found, out of the map. */
static hf_status value_take(struct hf_tables *tables, const struct hf_table_row *found,
                            struct hf_row_value *out_row, hf_error *error)
{
    uint64_t instance = 0;
    if (!hf_value_read(found->key, found->value, &instance, out_row)) {
        return hf__row_damaged(HF_TABLE_KV, error);
    }
    out_row->key = hf_arena_copy(tables->arena, out_row->key);
    if (out_row->key.data) return HF_OK;
    return hf_error_set(error, HF_NO_MEMORY, "no memory to read a value");
}

hf_status hf_value_get(struct hf_tables *tables, uint64_t instance, hf_slice name,
                       struct hf_row_value *out_row, hf_error *error)
{
    struct hf_table_row found;
    if (name.size == 0 || name.size > HF_ID_SIZE_MAX) return HF_NOT_FOUND;
    struct hf_value_key key = hf_value_key(instance, name);
    found.key = hf_value_key_slice(&key);
    hf_status status = hf_table_get(tables, HF_TABLE_KV, found.key, &found.value, error);
    return status == HF_OK ? value_take(tables, &found, out_row, error) : status;
}

hf_status hf_value_next(struct hf_tables *tables, uint64_t instance, hf_slice after,
                        struct hf_row_value *out_row, hf_error *error)
{
    struct hf_table_row found;
    struct hf_value_key key = hf_value_key(instance, after);
    struct hf_table_range range = { hf_value_key_slice(&key), 8 };
    hf_status status = hf_table_next_in(tables, HF_TABLE_KV, &range, &found, error);
    return status == HF_OK ? value_take(tables, &found, out_row, error) : status;
}
