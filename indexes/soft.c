/* Leases, locks of turns, progress: the rows that no record knows. It keeps the law of locks
 * (soft.h) and asks no clock. */
#include "indexes/soft.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "indexes/rows_internal.h"
#include "indexes/soft_internal.h"

enum { LEASE_ITEM_OFFSET = 16, LEASE_SIZE_MIN = 32, LOCK_SIZE = 32, PROGRESS_OFFSET = 8 };

/* ---- leases --------------------------------------------------------------------------------- */

hf_status hf_lease_get(struct hf_tables *tables, uint64_t registration, struct hf_lease *out_lease,
                       hf_error *error)
{
    hf_slice value = HF_EMPTY;
    struct hf_key key = hf_key_number(registration);
    hf_status status = hf_table_get(tables, HF_TABLE_LEASES, hf_key_slice(&key), &value, error);
    if (status != HF_OK) return status;
    struct hf_lease lease;
    if (value.size < LEASE_SIZE_MIN ||
        !hf_key_read_item(
            hf_bytes(value.data + LEASE_ITEM_OFFSET, LEASE_SIZE_MIN - LEASE_ITEM_OFFSET),
            &lease.makes_way_for)) {
        return hf__row_damaged(HF_TABLE_LEASES, error);
    }
    lease.items_deadline_boot_ms = hf_get_le64(value.data);
    lease.sessions_deadline_boot_ms = hf_get_le64(value.data + 8);
    hf_slice boot_id = { value.data + LEASE_SIZE_MIN, value.size - LEASE_SIZE_MIN };
    lease.boot_id = hf_arena_copy(tables->arena, boot_id);
    if (!lease.boot_id.data) return hf_error_set(error, HF_NO_MEMORY, "no memory to read a lease");
    *out_lease = lease;
    return HF_OK;
}

hf_status hf_lease_put(struct hf_tables *tables, uint64_t registration,
                       const struct hf_lease *lease, hf_error *error)
{
    unsigned char bytes[LEASE_SIZE_MIN + HF_ID_SIZE_MAX];
    struct hf_key key = hf_key_number(registration);
    hf_assert(registration != 0);
    hf_assert(lease->boot_id.size <= HF_ID_SIZE_MAX);
    hf_put_le64(bytes, lease->items_deadline_boot_ms);
    hf_put_le64(bytes + 8, lease->sessions_deadline_boot_ms);
    struct hf_key item = hf_key_item(&lease->makes_way_for);
    hf_assert(item.size == LEASE_SIZE_MIN - LEASE_ITEM_OFFSET);
    memcpy(bytes + LEASE_ITEM_OFFSET, item.bytes, item.size);
    if (lease->boot_id.size > 0) {
        memcpy(bytes + LEASE_SIZE_MIN, lease->boot_id.data, lease->boot_id.size);
    }
    return hf_table_put(tables, HF_TABLE_LEASES, hf_key_slice(&key),
                        hf_bytes(bytes, LEASE_SIZE_MIN + lease->boot_id.size), error);
}

hf_status hf__lease_drop(struct hf_tables *tables, uint64_t registration, hf_error *error)
{
    struct hf_key key = hf_key_number(registration);
    hf_status status = hf_table_delete(tables, HF_TABLE_LEASES, hf_key_slice(&key), error);
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* ---- progress of items ---------------------------------------------------------------------- */

hf_status hf_progress_get(struct hf_tables *tables, const struct hf_item_id *item,
                          struct hf_item_progress *out_progress, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    struct hf_key key = hf_key_item(item);
    hf_status status = hf_table_get(tables, HF_TABLE_PROGRESS, hf_key_slice(&key), &value, error);
    if (status != HF_OK) return status;
    if (value.size < PROGRESS_OFFSET || value.size > PROGRESS_OFFSET + HF_PROGRESS_SIZE_MAX) {
        return hf__row_damaged(HF_TABLE_PROGRESS, error);
    }
    hf_slice bytes = { value.data + PROGRESS_OFFSET, value.size - PROGRESS_OFFSET };
    struct hf_item_progress progress = { hf_get_le64(value.data),
                                         hf_arena_copy(tables->arena, bytes) };
    if (!progress.progress.data) return hf_error_set(error, HF_NO_MEMORY, "no memory for progress");
    *out_progress = progress;
    return HF_OK;
}

hf_status hf_progress_put(struct hf_tables *tables, const struct hf_item_id *item,
                          const struct hf_item_progress *progress, hf_error *error)
{
    unsigned char bytes[PROGRESS_OFFSET + HF_PROGRESS_SIZE_MAX];
    hf_slice reported = progress->progress;
    struct hf_key key = hf_key_item(item);
    hf_assert(reported.size <= HF_PROGRESS_SIZE_MAX);
    hf_assert(item->instance != 0);
    hf_put_le64(bytes, progress->reported_unix_ms);
    if (reported.size > 0) memcpy(bytes + PROGRESS_OFFSET, reported.data, reported.size);
    return hf_table_put(tables, HF_TABLE_PROGRESS, hf_key_slice(&key),
                        hf_bytes(bytes, PROGRESS_OFFSET + reported.size), error);
}

hf_status hf__progress_drop(struct hf_tables *tables, const struct hf_item_id *item,
                            hf_error *error)
{
    struct hf_key key = hf_key_item(item);
    hf_status status = hf_table_delete(tables, HF_TABLE_PROGRESS, hf_key_slice(&key), error);
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* ---- locks of turns ------------------------------------------------------------------------- */

hf_status hf_turn_lock_get(struct hf_tables *tables, uint64_t instance,
                           struct hf_turn_lock *out_lock, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    struct hf_key key = hf_key_number(instance);
    hf_status status = hf_table_get(tables, HF_TABLE_TURN_LOCKS, hf_key_slice(&key), &value, error);
    if (status != HF_OK) return status;
    if (value.size != LOCK_SIZE) return hf__row_damaged(HF_TABLE_TURN_LOCKS, error);
    *out_lock = (struct hf_turn_lock){ hf_get_le64(value.data), hf_get_le64(value.data + 8),
                                       hf_get_le64(value.data + 16), hf_get_le64(value.data + 24) };
    return HF_OK;
}

/* Where the lock is found by who holds it, or by when it may be taken again. */
struct lock_place {
    enum hf_table table;
    struct hf_key key;
};

static struct lock_place lock_place(uint64_t instance, const struct hf_turn_lock *lock)
{
    bool is_held_back = lock->registration == 0;
    uint64_t first = is_held_back ? lock->held_until : lock->registration;
    return (struct lock_place){ is_held_back ? HF_TABLE_TURNS_HELD : HF_TABLE_TURN_LOCKS_OWNED,
                                hf_key_pair(&(struct hf_number_pair){ first, instance }) };
}

hf_status hf__turn_lock_take(struct hf_tables *tables, uint64_t instance, bool *out_was_locked,
                             hf_error *error)
{
    struct hf_turn_lock lock;
    struct hf_key key = hf_key_number(instance);
    hf_status status = hf_turn_lock_get(tables, instance, &lock, error);
    *out_was_locked = status == HF_OK;
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    struct lock_place place = lock_place(instance, &lock);
    status = hf_table_delete(tables, place.table, hf_key_slice(&place.key), error);
    if (status == HF_NOT_FOUND) return hf__row_damaged(place.table, error);
    if (status != HF_OK) return status;
    return hf_table_delete(tables, HF_TABLE_TURN_LOCKS, hf_key_slice(&key), error);
}

hf_status hf__turn_due_put(struct hf_tables *tables, const struct hf_row_instance *instance,
                           hf_error *error)
{
    hf_assert(hf_instance_due_lsn(instance) != 0);
    struct hf_key key = hf_key_turn_due(&(struct hf_turn_due){
        instance->engine_version, instance->turn_due_lsn, instance->number });
    tables->effects |= HF_EFFECT_TURNS_DUE;
    return hf_table_put(tables, HF_TABLE_TURNS_DUE, hf_key_slice(&key), (hf_slice)HF_EMPTY, error);
}

hf_status hf__turn_due_delete(struct hf_tables *tables, const struct hf_row_instance *instance,
                              hf_error *error)
{
    hf_assert(hf_instance_due_lsn(instance) != 0);
    struct hf_key key = hf_key_turn_due(&(struct hf_turn_due){
        instance->engine_version, instance->turn_due_lsn, instance->number });
    hf_status status = hf_table_delete(tables, HF_TABLE_TURNS_DUE, hf_key_slice(&key), error);
    return status == HF_NOT_FOUND ? hf__row_damaged(HF_TABLE_TURNS_DUE, error) : status;
}

hf_status hf_turn_lock_put(struct hf_tables *tables, const struct hf_row_instance *instance,
                           const struct hf_turn_lock *lock, hf_error *error)
{
    unsigned char bytes[LOCK_SIZE];
    bool was_locked = false;
    hf_assert(instance->number != 0);
    hf_assert(lock->registration == 0 || lock->held_until == 0);
    hf_status status = hf__turn_lock_take(tables, instance->number, &was_locked, error);
    if (status == HF_OK && !was_locked && hf_instance_due_lsn(instance) != 0) {
        status = hf__turn_due_delete(tables, instance, error);
    }
    if (status != HF_OK) return status;
    struct lock_place place = lock_place(instance->number, lock);
    status = hf_table_put(tables, place.table, hf_key_slice(&place.key), (hf_slice)HF_EMPTY, error);
    if (status != HF_OK) return status;
    struct hf_key key = hf_key_number(instance->number);
    hf_put_le64(bytes, lock->registration);
    hf_put_le64(bytes + 8, lock->nonce);
    hf_put_le64(bytes + 16, lock->head);
    hf_put_le64(bytes + 24, lock->held_until);
    return hf_table_put(tables, HF_TABLE_TURN_LOCKS, hf_key_slice(&key),
                        hf_bytes(bytes, sizeof(bytes)), error);
}

hf_status hf_turn_lock_release(struct hf_tables *tables, const struct hf_row_instance *instance,
                               hf_error *error)
{
    bool was_locked = false;
    hf_status status = hf__turn_lock_take(tables, instance->number, &was_locked, error);
    if (status != HF_OK || !was_locked || hf_instance_due_lsn(instance) == 0) return status;
    return hf__turn_due_put(tables, instance, error);
}

/* ---- searches ------------------------------------------------------------------------------- */

static hf_status pair_next(struct hf_tables *tables, const struct hf__search *search,
                           struct hf_number_pair *place, hf_error *error)
{
    struct hf_table_row row;
    hf_status status = hf__search(tables, search, &row, error);
    if (status != HF_OK) return status;
    return hf_key_read_pair(row.key, place) ? HF_OK : hf__row_damaged(search->table, error);
}

hf_status hf_turn_locks_owned_next(struct hf_tables *tables, struct hf_number_pair *place,
                                   hf_error *error)
{
    struct hf__search search = { HF_TABLE_TURN_LOCKS_OWNED, hf_key_pair(place), 8 };
    return pair_next(tables, &search, place, error);
}

hf_status hf_turns_held_next(struct hf_tables *tables, struct hf_number_pair *place,
                             hf_error *error)
{
    struct hf__search search = { HF_TABLE_TURNS_HELD, hf_key_pair(place), 0 };
    return pair_next(tables, &search, place, error);
}

hf_status hf_turn_lock_owner_next(struct hf_tables *tables, uint64_t after,
                                  uint64_t *out_registration, hf_error *error)
{
    struct hf_number_pair place = { after, UINT64_MAX };
    struct hf__search search = { HF_TABLE_TURN_LOCKS_OWNED, hf_key_pair(&place), 0 };
    hf_status status = pair_next(tables, &search, &place, error);
    if (status == HF_OK) *out_registration = place.first;
    return status;
}
