/* Walks along families: down by their rows, up by the parents that rows of instances name. */
#include "indexes/families.h"

#include "engine/base/assert.h"
#include "indexes/rows_internal.h"

uint64_t hf_family_of(const struct hf_row_instance *row)
{
    return row->family_root ? row->family_root : row->number;
}

static hf_status place_read(const struct hf_table_row *row, struct hf_number_pair *out_place,
                            hf_error *error)
{
    return hf_key_read_pair(row->key, out_place) ? HF_OK
                                                 : hf__row_damaged(HF_TABLE_FAMILIES, error);
}

hf_status hf_family_next(struct hf_tables *tables, struct hf_number_pair *place, hf_error *error)
{
    struct hf__search search = { HF_TABLE_FAMILIES, hf_key_pair(place), 8 };
    struct hf_table_row row;
    hf_assert(place->first != 0);
    hf_status status = hf__search(tables, &search, &row, error);
    return status == HF_OK ? place_read(&row, place, error) : status;
}

hf_status hf_family_before(struct hf_tables *tables, struct hf_number_pair *place, hf_error *error)
{
    struct hf_number_pair found = { place->first, place->second ? place->second : UINT64_MAX };
    struct hf_key key = hf_key_pair(&found);
    struct hf_table_row row;
    hf_assert(place->first != 0);
    hf_status status = hf_table_before(tables, HF_TABLE_FAMILIES, hf_key_slice(&key), &row, error);
    if (status == HF_OK) status = place_read(&row, &found, error);
    if (status != HF_OK) return status;
    if (found.first != place->first) return HF_NOT_FOUND;
    *place = found;
    return HF_OK;
}

hf_status hf_family_stems_from(struct hf_tables *tables, const struct hf_row_instance *row,
                               uint64_t ancestor, bool *out_does, hf_error *error)
{
    struct hf_row_instance above = { .family_parent = row->family_parent };
    hf_status status = HF_OK;
    hf_assert(ancestor != 0);
    *out_does = row->family_root == ancestor;
    while (status == HF_OK && !*out_does && above.family_parent >= ancestor) {
        struct hf_arena_mark mark = hf_arena_mark(tables->arena);
        *out_does = above.family_parent == ancestor;
        if (!*out_does) status = hf_instance_get(tables, above.family_parent, &above, error);
        hf_arena_reset_to(tables->arena, mark);
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}
