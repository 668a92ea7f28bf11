/* Searches along the ordered tables: a key, the part of it that must stay the same, and one seek.
 */
#include "indexes/queries.h"

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "indexes/rows_internal.h"

/* ---- turns and timers ----------------------------------------------------------------------- */

hf_status hf_turns_due_next(struct hf_tables *tables, struct hf_turn_due *place, hf_error *error)
{
    struct hf__search search = { HF_TABLE_TURNS_DUE, hf_key_turn_due(place), 0 };
    struct hf_table_row row;
    hf_status status = hf__search(tables, &search, &row, error);
    if (status != HF_OK) return status;
    return hf_key_read_turn_due(row.key, place) ? HF_OK
                                                : hf__row_damaged(HF_TABLE_TURNS_DUE, error);
}

hf_status hf_timers_next(struct hf_tables *tables, struct hf_timer_place *place,
                         struct hf_row_timer *out_row, hf_error *error)
{
    struct hf__search search = { HF_TABLE_TIMERS, hf_key_timer(place), 0 };
    struct hf_table_row row;
    struct hf_timer_place found;
    hf_status status = hf__search(tables, &search, &row, error);
    if (status != HF_OK) return status;
    status = hf__timer_read(row.value, out_row, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_timer(row.key, &found)) return hf__row_damaged(HF_TABLE_TIMERS, error);
    *place = found;
    return HF_OK;
}

/* ---- items ---------------------------------------------------------------------------------- */

hf_status hf_items_ready_next(struct hf_tables *tables, struct hf_ready_place *place,
                              struct hf_item_id *out_item, hf_error *error)
{
    struct hf__search search = { HF_TABLE_ITEMS_READY, hf_key_ready(place), 4 };
    struct hf_table_row row;
    struct hf_ready_place found;
    hf_status status = hf__search(tables, &search, &row, error);
    if (status == HF_OK) status = hf__row_item_key(search.table, &row, out_item, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_ready(row.key, &found)) return hf__row_damaged(search.table, error);
    *place = found;
    return HF_OK;
}

static hf_status items_running_next(struct hf_tables *tables, struct hf_running_place *place,
                                    size_t prefix_size, struct hf_item_id *out_item,
                                    hf_error *error)
{
    struct hf__search search = { HF_TABLE_ITEMS_RUNNING, hf_key_running(place), prefix_size };
    struct hf_table_row row;
    struct hf_running_place found;
    hf_status status = hf__search(tables, &search, &row, error);
    if (status == HF_OK) status = hf__row_item_key(search.table, &row, out_item, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_running(row.key, &found)) return hf__row_damaged(search.table, error);
    *place = found;
    return HF_OK;
}

hf_status hf_items_running_next(struct hf_tables *tables, struct hf_running_place *place,
                                struct hf_item_id *out_item, hf_error *error)
{
    return items_running_next(tables, place, 12, out_item, error);
}

hf_status hf_items_running_any_next(struct hf_tables *tables, struct hf_running_place *place,
                                    struct hf_item_id *out_item, hf_error *error)
{
    return items_running_next(tables, place, 8, out_item, error);
}

/* ---- sessions ------------------------------------------------------------------------------- */

hf_status hf_sessions_ready_next(struct hf_tables *tables, struct hf_session_ready_place *place,
                                 struct hf_session_id *out_session, hf_error *error)
{
    struct hf__search search = { HF_TABLE_SESSIONS_READY, hf_key_session_ready(place), 13 };
    struct hf_table_row row;
    struct hf_session_ready_place found;
    hf_status status = hf__search(tables, &search, &row, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_session_ready(row.key, &found) ||
        !hf_key_read_session(row.value, out_session)) {
        return hf__row_damaged(search.table, error);
    }
    *place = found;
    return HF_OK;
}

static hf_status session_items_next(struct hf_tables *tables, struct hf_session_item_place *place,
                                    size_t prefix_size, struct hf_item_id *out_item,
                                    hf_error *error)
{
    struct hf__search search = { HF_TABLE_SESSION_ITEMS, hf_key_session_item(place), prefix_size };
    struct hf_table_row row;
    struct hf_session_item_place found;
    hf_status status = hf__search(tables, &search, &row, error);
    if (status == HF_OK) status = hf__row_item_key(search.table, &row, out_item, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_session_item(row.key, &found)) return hf__row_damaged(search.table, error);
    *place = found;
    return HF_OK;
}

hf_status hf_session_items_next(struct hf_tables *tables, struct hf_session_item_place *place,
                                struct hf_item_id *out_item, hf_error *error)
{
    return session_items_next(tables, place, 13, out_item, error);
}

hf_status hf_session_items_any_next(struct hf_tables *tables, struct hf_session_item_place *place,
                                    struct hf_item_id *out_item, hf_error *error)
{
    return session_items_next(tables, place, 12, out_item, error);
}

hf_status hf_sessions_owned_next(struct hf_tables *tables, struct hf_session_owned_place *place,
                                 hf_error *error)
{
    struct hf__search search = { HF_TABLE_SESSIONS_OWNED, hf_key_session_owned(place), 8 };
    struct hf_table_row row;
    hf_status status = hf__search(tables, &search, &row, error);
    if (status != HF_OK) return status;
    return hf_key_read_session_owned(row.key, place) ? HF_OK : hf__row_damaged(search.table, error);
}

hf_status hf_children_next(struct hf_tables *tables, struct hf_item_id *place, uint64_t *out_child,
                           hf_error *error)
{
    struct hf__search search = { HF_TABLE_CHILDREN, hf_key_item(place), 8 };
    struct hf_table_row row;
    hf_status status = hf__search(tables, &search, &row, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_item(row.key, place) || row.value.size != 8) {
        return hf__row_damaged(HF_TABLE_CHILDREN, error);
    }
    *out_child = hf_get_le64(row.value.data);
    return HF_OK;
}

hf_status hf_reclaim_next(struct hf_tables *tables, struct hf_reclaim_place *place, hf_error *error)
{
    struct hf__search search = { HF_TABLE_RECLAIM, hf_key_reclaim(place), 0 };
    struct hf_table_row row;
    hf_status status = hf__search(tables, &search, &row, error);
    if (status != HF_OK) return status;
    return hf_key_read_reclaim(row.key, place) ? HF_OK : hf__row_damaged(search.table, error);
}
