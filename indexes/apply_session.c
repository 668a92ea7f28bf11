/* Sessions given up by their owner, and registrations: registered, ended. */
#include <inttypes.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/slice.h"
#include "indexes/fold.h"
#include "indexes/soft_internal.h"

/* ---- sessions ------------------------------------------------------------------------------- */

static hf_status release_one(struct hf__fold *fold, const struct hf_sessions_released *body,
                             const struct hf_released_session *released)
{
    struct hf_session_id id = { released->instance, released->incarnation };
    struct hf_row_session row;
    hf_status status = hf_session_get(fold->tables, &id, &row, fold->error);
    status = hf__fold_expect(fold, HF_LAW_S1, status, "session", id.incarnation);
    if (status != HF_OK) return status;
    if (row.owner != body->registration || row.epoch != released->epoch) {
        return hf__fold_misfit(fold, HF_LAW_S2,
                               "session %" PRIu64 " of instance %" PRIu64
                               " is not held by registration %" PRIu64,
                               id.incarnation, id.instance, body->registration);
    }
    status = hf__token_present(fold, released->epoch);
    return status == HF_OK ? hf__session_release(fold, &id, body->reason) : status;
}

hf_status hf__apply_sessions_released(struct hf__fold *fold,
                                      const struct hf_sessions_released *body)
{
    const struct hf_released_session *sessions = body->sessions.items;
    struct hf_row_registration registration;
    hf_status status = hf__registration_live(fold, body->registration, &registration);
    for (size_t i = 0; status == HF_OK && i < body->sessions.count; i++) {
        status = release_one(fold, body, &sessions[i]);
    }
    return status;
}

/* ---- registrations -------------------------------------------------------------------------- */

hf_status hf__apply_registered(struct hf__fold *fold, const struct hf_registered *body)
{
    struct hf_row_registration row = { .lsn = fold->record->lsn,
                                       .worker_id = body->worker_id,
                                       .life = body->life,
                                       .boot_id = body->boot_id,
                                       .pid = body->pid,
                                       .reclaim_ms = body->reclaim_ms };
    unsigned char lsn[8];
    uint64_t other = 0;
    if (body->worker_id.size > HF_ID_SIZE_MAX) {
        return hf__fold_misfit(fold, HF_LAW_L6, "its id is too long");
    }
    hf_status status = hf_worker_find(fold->tables, body->worker_id, &other, fold->error);
    if (status == HF_OK) {
        return hf__fold_misfit(fold, HF_LAW_R2, "registration %" PRIu64 " of that worker id lives",
                               other);
    }
    if (status != HF_NOT_FOUND) return status;
    hf_put_le64(lsn, row.lsn);
    status = hf_table_put(fold->tables, HF_TABLE_WORKERS, body->worker_id,
                          hf_bytes(lsn, sizeof(lsn)), fold->error);
    fold->tables->effects |= HF_EFFECT_REGISTRATIONS;
    return status == HF_OK ? hf__registration_put(fold, &row) : status;
}

/* Soft: its lease, and the turns in its hands, which others may take at once. */
static hf_status ended_drop_soft(struct hf__fold *fold, uint64_t registration)
{
    struct hf_row_instance instance;
    struct hf_number_pair place = { registration, 0 };
    hf_status status = hf__lease_drop(fold->tables, registration, fold->error);
    while (status == HF_OK) {
        status = hf_turn_locks_owned_next(fold->tables, &place, fold->error);
        if (status == HF_NOT_FOUND) return HF_OK;
        if (status == HF_OK) {
            status = hf_instance_get(fold->tables, place.second, &instance, fold->error);
            status = hf__fold_expect(fold, HF_LAW_X2, status, "locked instance", place.second);
        }
        if (status == HF_OK) {
            status = hf_turn_lock_release(fold->tables, &instance, fold->error);
        }
    }
    return status;
}

hf_status hf__apply_registration_ended(struct hf__fold *fold,
                                       const struct hf_registration_ended *body)
{
    struct hf_row_registration row;
    struct hf_reclaim_place place = { HF_RECLAIM_REGISTRATION, body->registration, 0 };
    uint64_t latest = 0;
    hf_status status = hf__registration_live(fold, body->registration, &row);
    if (status == HF_OK) {
        status = hf_worker_find(fold->tables, row.worker_id, &latest, fold->error);
        status = hf__fold_expect(fold, HF_LAW_R2, status, "worker of registration", row.lsn);
    }
    if (status != HF_OK) return status;
    if (latest != row.lsn) {
        return hf__fold_misfit(fold, HF_LAW_R2, "its worker id is that of registration %" PRIu64,
                               latest);
    }
    fold->tables->effects |= HF_EFFECT_REGISTRATIONS;
    status = hf_table_delete(fold->tables, HF_TABLE_WORKERS, row.worker_id, fold->error);
    status = hf__fold_expect(fold, HF_LAW_R2, status, "worker of registration", row.lsn);
    if (status != HF_OK) return status;
    row.ended_reason = body->reason;
    status = hf__registration_put(fold, &row);
    if (status == HF_OK) status = ended_drop_soft(fold, row.lsn);
    return status == HF_OK ? hf__purge(fold, &place) : status;
}
