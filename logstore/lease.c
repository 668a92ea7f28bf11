/* Leases: see lease.h. A deadline that passed makes work stealable and nothing more: whoever holds
 * it goes on, and revives its lease by renewing, until somebody has stolen the work. */
#include "logstore/lease.h"

#include <xxhash.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/soft.h"
#include "logstore/token.h"

static bool is_former_generation(const struct hf__step *step, uint64_t registration)
{
    return hf_lsn_generation(registration) != step->generation;
}

/* How the registration ended; 0: it lives. */
static hf_status holder_find_end(struct hf__step *step, struct hf__holder *holder,
                                 bool *out_has_window)
{
    struct hf_row_registration row = { .ended_reason = HF_REASON_NONE };
    hf_status status = hf_registration_get(step->tables, holder->registration, &row, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    holder->ended_reason = status == HF_OK ? row.ended_reason : (uint64_t)HF_REASON_DEAD;
    holder->has_died = row.ended_reason == HF_REASON_DEAD;
    *out_has_window = holder->has_died && row.reclaim_ms > 0;
    if (holder->ended_reason == 0 && is_former_generation(step, holder->registration)) {
        holder->ended_reason = HF_REASON_DEAD;
    }
    return HF_OK;
}

hf_status hf__holder_get(struct hf__step *step, uint64_t registration,
                         struct hf__holder *out_holder)
{
    bool has_window = false;
    *out_holder = (struct hf__holder){ .registration = registration };
    hf_status status = holder_find_end(step, out_holder, &has_window);
    if (status != HF_OK) return status;
    if (out_holder->ended_reason != 0 && !has_window) {
        out_holder->items_passed = out_holder->sessions_passed = true;
        return HF_OK;
    }
    struct hf_lease lease;
    status = hf_lease_get(step->tables, registration, &lease, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    if (status == HF_NOT_FOUND || !hf_slice_equal(lease.boot_id, step->store->seams->boot_id)) {
        out_holder->items_passed = out_holder->sessions_passed = hf__store_may_expire(step);
    } else {
        out_holder->items_deadline_boot_ms = lease.items_deadline_boot_ms;
        out_holder->sessions_deadline_boot_ms = lease.sessions_deadline_boot_ms;
        out_holder->makes_way_for = lease.makes_way_for;
        out_holder->items_passed = hf__step_has_passed(step, lease.items_deadline_boot_ms);
        out_holder->sessions_passed = hf__step_has_passed(step, lease.sessions_deadline_boot_ms);
    }
    if (has_window) out_holder->items_passed = true;
    if (out_holder->ended_reason != 0) hf_assert(out_holder->items_passed);
    if (out_holder->has_died) hf_assert(out_holder->ended_reason == HF_REASON_DEAD);
    return HF_OK;
}

hf_status hf__registration_check(struct hf__step *step, uint64_t registration,
                                 struct hf_row_registration *out_row)
{
    struct hf_row_registration row;
    if (is_former_generation(step, registration)) {
        return hf__registration_refuse(step, registration, HF__VOID_STORE_GENERATION);
    }
    hf_status status = hf_registration_get(step->tables, registration, &row, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    if (status == HF_NOT_FOUND || row.ended_reason != 0) {
        return hf__registration_refuse(step, registration, HF__VOID_REGISTRATION_DEAD);
    }
    hf_assert(row.lsn == registration);
    if (out_row) *out_row = row;
    return HF_OK;
}

hf_status hf__lease_renew(struct hf__step *step, uint64_t registration,
                          uint64_t items_deadline_boot_ms, uint64_t sessions_deadline_boot_ms)
{
    hf_assert(!step->is_read && registration != 0);
    struct hf_lease lease = { .boot_id = HF_EMPTY };
    hf_status status = hf_lease_get(step->tables, registration, &lease, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    lease.items_deadline_boot_ms = items_deadline_boot_ms;
    lease.sessions_deadline_boot_ms = sessions_deadline_boot_ms;
    lease.boot_id = step->store->seams->boot_id;
    if (lease.sessions_deadline_boot_ms < items_deadline_boot_ms) {
        lease.sessions_deadline_boot_ms = items_deadline_boot_ms;
    }
    return hf_lease_put(step->tables, registration, &lease, step->error);
}

hf_status hf__lease_open_window(struct hf__step *step, uint64_t registration)
{
    struct hf_row_registration row;
    struct hf_lease lease = { .sessions_deadline_boot_ms = UINT64_MAX,
                              .boot_id = step->store->seams->boot_id };
    hf_assert(!step->is_read);
    hf_status status = hf_registration_get(step->tables, registration, &row, step->error);
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    if (row.ended_reason != HF_REASON_DEAD || row.reclaim_ms == 0) return HF_OK;
    if (row.reclaim_ms < UINT64_MAX - step->now_boot_ms) {
        lease.sessions_deadline_boot_ms = step->now_boot_ms + row.reclaim_ms;
    }
    return hf_lease_put(step->tables, registration, &lease, step->error);
}

hf_status hf__lease_make_way(struct hf__step *step, uint64_t registration,
                             const struct hf_item_id *suspect)
{
    struct hf_lease lease;
    hf_assert(!step->is_read);
    hf_status status = hf_lease_get(step->tables, registration, &lease, step->error);
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    lease.makes_way_for = *suspect;
    return hf_lease_put(step->tables, registration, &lease, step->error);
}

/* ---- turns that are held back ---------------------------------------------------------------- */

#define HOLD_CLOCK_BITS 48
#define HOLD_CLOCK_MAX (UINT64_MAX >> (64 - HOLD_CLOCK_BITS))

/* The boot, above the bits of the clock. */
static uint64_t hold_boot(const struct hf__step *step)
{
    hf_slice boot_id = step->store->seams->boot_id;
    uint64_t hash = boot_id.size > 0 ? XXH3_64bits(boot_id.data, boot_id.size) : 0;
    return hash << HOLD_CLOCK_BITS;
}

uint64_t hf__hold_until(const struct hf__step *step, uint64_t delay_ms)
{
    uint64_t until = HOLD_CLOCK_MAX;
    hf_assert(delay_ms > 0);
    hf_assert(step->now_boot_ms < HOLD_CLOCK_MAX);
    if (delay_ms < HOLD_CLOCK_MAX - step->now_boot_ms) until = step->now_boot_ms + delay_ms;
    uint64_t hold = hold_boot(step) | until;
    hf_assert(hold != 0);
    hf_assert(!hf__hold_is_over(step, hold));
    return hold;
}

uint64_t hf__hold_last(const struct hf__step *step)
{
    return hold_boot(step) | HOLD_CLOCK_MAX;
}

bool hf__hold_is_over(const struct hf__step *step, uint64_t hold)
{
    if ((hold & ~HOLD_CLOCK_MAX) != hold_boot(step)) return true;
    return (hold & HOLD_CLOCK_MAX) <= step->now_boot_ms;
}
