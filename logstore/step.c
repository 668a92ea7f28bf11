/* One record of a command: encoded, appended, and its very bytes folded. It decides nothing. */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/apply.h"
#include "logstore/store_internal.h"

hf_status hf__step_append(struct hf__step *step, enum hf_record_kind kind, const void *record,
                          uint64_t *out_lsn)
{
    uint64_t lsn = step->next_lsn;
    hf_assert(!step->is_read);
    hf_assert(step->tables->arena == step->arena);
    hf_assert(hf_lsn_counter(lsn) > 0);
    hf_slice body = hf_encode(hf_record_layout(kind), record, step->arena);
    if (!body.data) return hf_error_set(step->error, HF_NO_MEMORY, "no memory for a record");
    struct hf_log_record logged = {
        .lsn = lsn,
        .wall_unix_ms = step->now_wall_unix_ms,
        .kind = kind,
        .critical = true, /* a reader that skipped one of the present kinds would fold wrong rows */
        .body = body,
    };
    hf_status status = hf_log_append(step->tables, &step->store->identity.id, &logged, step->error);
    if (status != HF_OK) return status;
    step->next_lsn = lsn + 1;
    if (step->first_lsn == 0) step->first_lsn = lsn;
    struct hf_fold_record fold = {
        .lsn = lsn, .kind = kind, .wall_unix_ms = step->now_wall_unix_ms, .body = body
    };
    status = hf_apply(step->tables, &fold, step->error);
    /* A record that our own checks let pass and the fold refuses is a fault of ours, but the
     * transaction can be taken back, and the bytes on disk may be to blame: it is told as damage.
     */
    if (status == HF_OK && out_lsn) *out_lsn = lsn;
    return status;
}

bool hf__step_has_passed(const struct hf__step *step, uint64_t deadline_boot_ms)
{
    return step->may_expire && step->now_boot_ms >= deadline_boot_ms;
}

bool hf__store_may_expire(const struct hf__step *step)
{
    return step->may_expire;
}
