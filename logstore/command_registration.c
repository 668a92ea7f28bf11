/* Registrations: their beginning, their end, what they hold, and the rows that others left behind.
 *
 *   registered --> lives --(shutdown: itself | declared dead: proved by the liveness seam)--> ended
 *
 * An end is one small record and voids everything at once, for every check looks at the
 * registration. A death is preceded by one turn_lost for each turn that was in its hands; an end in
 * order blames no turn. Rows move in bounded steps: some with the record, the rest by reclaim. */
#include "logstore/command.h"

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/apply.h"
#include "indexes/queries.h"
#include "logstore/command_family.h"
#include "logstore/lease.h"
#include "logstore/token.h"

/* ---- the end of a registration --------------------------------------------------------------- */

/* A registration that is about to end, and the turns that end with it. */
struct ending {
    struct hf_registration_ended record;
    struct hf_turn_lost *lost;
    size_t lost_count;
};

static hf_status ending_count_turns(struct hf__step *step, uint64_t registration, size_t *out_count)
{
    struct hf_number_pair place = { .first = registration };
    hf_status status = HF_OK;
    *out_count = 0;
    while ((status = hf_turn_locks_owned_next(step->tables, &place, step->error)) == HF_OK) {
        *out_count += 1;
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* Collects the turns in the hands of a registration that died: nothing is written yet. */
static hf_status ending_find_lost(struct hf__step *step, struct ending *self)
{
    uint64_t registration = self->record.registration;
    size_t count;
    hf_status status = ending_count_turns(step, registration, &count);
    if (status != HF_OK || count == 0) return status;
    self->lost = hf_arena_array(step->arena, count, sizeof *self->lost);
    if (!self->lost) {
        return hf_error_set(step->error, HF_NO_MEMORY, "no memory for %zu lost turns", count);
    }
    struct hf_number_pair place = { .first = registration };
    while ((status = hf_turn_locks_owned_next(step->tables, &place, step->error)) == HF_OK) {
        struct hf_row_instance instance;
        status = hf_instance_get(step->tables, place.second, &instance, step->error);
        if (status == HF_NOT_FOUND) continue;
        if (status != HF_OK) return status;
        if (hf_instance_has_ended(&instance)) continue;
        hf_assert(self->lost_count < count);
        self->lost[self->lost_count++] = (struct hf_turn_lost){
            .instance = instance.number,
            .head = instance.head,
            .registration = registration,
            .reason = self->record.reason,
        };
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

static hf_status ending_prepare(struct hf__step *step, struct ending *self)
{
    hf_assert(self->record.registration != 0);
    hf_assert(self->record.reason == HF_REASON_DEAD || self->record.reason == HF_REASON_SHUTDOWN);
    return self->record.reason == HF_REASON_DEAD ? ending_find_lost(step, self) : HF_OK;
}

static hf_status ending_write(struct hf__step *step, const struct ending *self)
{
    hf_status status = HF_OK;
    for (size_t i = 0; i < self->lost_count && status == HF_OK; i++) {
        status = hf__step_append(step, HF_RECORD_TURN_LOST, &self->lost[i], NULL);
    }
    if (status != HF_OK) return status;
    status = hf__step_append(step, HF_RECORD_REGISTRATION_ENDED, &self->record, NULL);
    if (status != HF_OK || self->record.reason != HF_REASON_DEAD) return status;
    return hf__lease_open_window(step, self->record.registration);
}

/* Proves that the process behind a registration is dead. Errors: HF_WORKER_ALIVE. */
static hf_status death_check(struct hf__step *step, const struct hf_row_registration *row)
{
    const struct hf_seams *seams = step->store->seams;
    if (!hf_slice_equal(row->boot_id, seams->boot_id)) return HF_OK;
    if (!seams->is_alive(seams->self, row->life)) return HF_OK;
    return hf_error_set(step->error, HF_WORKER_ALIVE,
                        "worker \"" HF_FMT "\" is alive: registration %llu, process %llu; stop it, "
                        "or use another worker id",
                        HF_ARG(row->worker_id), (unsigned long long)row->lsn,
                        (unsigned long long)row->pid);
}

hf_status hf__command_end_registration(struct hf__step *step,
                                       const struct hf_store_end_registration *end)
{
    if (end->reason != HF_REASON_DEAD && end->reason != HF_REASON_SHUTDOWN) {
        return hf_error_set(
            step->error, HF_INVALID,
            "registration %llu cannot end with reason %llu: it is dead or shut down",
            (unsigned long long)end->registration, (unsigned long long)end->reason);
    }
    struct hf_row_registration row;
    hf_status status = hf_registration_get(step->tables, end->registration, &row, step->error);
    if (status == HF_NOT_FOUND) return HF_OK; /* ended, and nothing is left of it */
    if (status != HF_OK) return status;
    if (row.ended_reason != 0) return HF_OK;
    if (end->reason == HF_REASON_DEAD) status = death_check(step, &row);
    struct ending ending = {
        .record = { .registration = end->registration, .reason = end->reason, .by = end->by }
    };
    if (status == HF_OK) status = ending_prepare(step, &ending);
    return status == HF_OK ? ending_write(step, &ending) : status;
}

/* ---- the beginning --------------------------------------------------------------------------- */

static hf_status register_check_form(struct hf__step *step, const struct hf_store_register *command)
{
    hf_status status = hf__check_name(step, "worker id", command->worker_id);
    if (status == HF_OK) status = hf__check_name(step, "name of the life file", command->life);
    if (status == HF_OK) status = hf__check_optional_name(step, "boot id", command->boot_id);
    return status;
}

/* Finds the registration that must end before the worker's next one may begin, if there is one. */
static hf_status register_find_former(struct hf__step *step, hf_slice worker_id,
                                      struct ending *out_ending)
{
    uint64_t former;
    hf_status status = hf_worker_find(step->tables, worker_id, &former, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    struct hf_row_registration row;
    if (status == HF_OK) status = hf_registration_get(step->tables, former, &row, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK || row.ended_reason != 0) return status;
    status = death_check(step, &row);
    if (status != HF_OK) return status;
    out_ending->record = (struct hf_registration_ended){ .registration = former,
                                                         .reason = HF_REASON_DEAD };
    return ending_prepare(step, out_ending);
}

hf_status hf__command_register(struct hf__step *step, struct hf_store_register *command)
{
    struct ending former = { .lost = NULL };
    hf_status status = register_check_form(step, command);
    if (status == HF_OK) status = register_find_former(step, command->worker_id, &former);
    if (status == HF_OK && former.record.registration != 0) status = ending_write(step, &former);
    if (status != HF_OK) return status;
    struct hf_registered record = { .worker_id = command->worker_id,
                                    .life = command->life,
                                    .boot_id = command->boot_id,
                                    .pid = command->pid,
                                    .reclaim_ms = command->reclaim_ms };
    uint64_t registration;
    status = hf__step_append(step, HF_RECORD_REGISTERED, &record, &registration);
    if (status != HF_OK) return status;
    status = hf__lease_renew(step, registration, command->items_deadline_boot_ms,
                             command->sessions_deadline_boot_ms);
    if (status == HF_OK) command->out_registration = registration;
    return status;
}

/* ---- renewal --------------------------------------------------------------------------------- */

static hf_status held_check_items(struct hf__step *step, struct hf_store_renew *renew)
{
    for (size_t i = 0; i < renew->items_count; i++) {
        struct hf__item_verdict verdict;
        hf_status status = hf__item_token_check(step, &renew->items[i], renew->registration,
                                                &verdict);
        if (status != HF_OK) return status;
        if (!verdict.code) continue;
        renew->out_voids[renew->out_voids_count++] = (struct hf_void){ .is_session = false,
                                                                       .index = i,
                                                                       .code = verdict.code };
    }
    return HF_OK;
}

static hf_status held_check_sessions(struct hf__step *step, struct hf_store_renew *renew)
{
    for (size_t i = 0; i < renew->sessions_count; i++) {
        struct hf__claim_verdict verdict;
        hf_status status = hf__claim_check(step, &renew->sessions[i], renew->registration,
                                           &verdict);
        if (status != HF_OK) return status;
        if (!verdict.code) continue;
        renew->out_voids[renew->out_voids_count++] = (struct hf_void){ .is_session = true,
                                                                       .index = i,
                                                                       .code = verdict.code };
    }
    return HF_OK;
}

hf_status hf__command_check_held(struct hf__step *step, struct hf_store_renew *renew,
                                 struct hf_arena *arena)
{
    hf_assert(arena);
    renew->out_voids_count = 0;
    hf_status status = hf__registration_check(step, renew->registration, NULL);
    if (status != HF_OK) return status;
    size_t count = renew->items_count + renew->sessions_count;
    renew->out_voids = hf_arena_array(arena, count, sizeof *renew->out_voids);
    if (!renew->out_voids) {
        return hf_error_set(step->error, HF_NO_MEMORY, "no memory to look at %zu tokens", count);
    }
    status = held_check_items(step, renew);
    if (status == HF_OK) status = held_check_sessions(step, renew);
    hf_assert(renew->out_voids_count <= count);
    return status;
}

hf_status hf__command_renew(struct hf__step *step, struct hf_store_renew *renew,
                            struct hf_arena *out)
{
    hf_status status = hf__command_check_held(step, renew, out);
    if (status != HF_OK) return status;
    return hf__lease_renew(step, renew->registration, renew->items_deadline_boot_ms,
                           renew->sessions_deadline_boot_ms);
}

/* ---- reclaim --------------------------------------------------------------------------------- */

/* Children of an instance that has ended come first: they are told by records of their own. */
static hf_status reclaim_step(struct hf__step *step, const struct hf_reclaim_place *place,
                              uint64_t rows_max)
{
    uint64_t told_count = 0;
    bool is_instance = place->kind == HF_RECLAIM_INSTANCE;
    hf_status status = is_instance ? hf__family_orphan(step, place->number, &told_count) : HF_OK;
    if (status != HF_OK || told_count >= rows_max) return status;
    struct hf_reclaimed record = { .rows_max = rows_max - told_count };
    if (place->kind == HF_RECLAIM_REGISTRATION) {
        record.registration = place->number;
    } else {
        record.instance = place->number;
        record.incarnation = place->incarnation;
    }
    return hf__step_append(step, HF_RECORD_RECLAIMED, &record, NULL);
}

/* How many rows of an ended registration may move now. While its reclaim window is open that are
 * those of items alone, which the fold moves first; then its sessions must stay. */
static hf_status reclaim_bound(struct hf__step *step, uint64_t registration, uint64_t *out_rows)
{
    struct hf__holder holder;
    struct hf_running_place place = { .registration = registration };
    struct hf_item_id item;
    uint64_t running = 0;
    hf_status status = hf__holder_get(step, registration, &holder);
    *out_rows = HF_PURGE_MAX;
    if (status != HF_OK || holder.sessions_passed) return status;
    while (status == HF_OK && running < HF_PURGE_MAX) {
        status = hf_items_running_any_next(step->tables, &place, &item, step->error);
        if (status == HF_OK) running++;
    }
    *out_rows = running;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

hf_status hf__reclaim_find(struct hf__step *step, struct hf_reclaim_place *out_place,
                           uint64_t *out_rows)
{
    struct hf_reclaim_place place = { 0 };
    hf_status status;
    while ((status = hf_reclaim_next(step->tables, &place, step->error)) == HF_OK) {
        *out_place = place;
        *out_rows = HF_PURGE_MAX;
        if (place.kind == HF_RECLAIM_REGISTRATION) {
            status = reclaim_bound(step, place.number, out_rows);
        }
        if (status != HF_OK || *out_rows > 0) return status;
    }
    return status;
}

hf_status hf__command_reclaim(struct hf__step *step, struct hf_store_reclaim *reclaim)
{
    struct hf_reclaim_place place;
    uint64_t rows_max = 0;
    reclaim->out_more = false;
    hf_status status = hf__reclaim_find(step, &place, &rows_max);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK) return status;
    status = reclaim_step(step, &place, rows_max);
    if (status != HF_OK) return status;
    status = hf__reclaim_find(step, &place, &rows_max);
    reclaim->out_more = status == HF_OK;
    return status == HF_NOT_FOUND ? HF_OK : status;
}
