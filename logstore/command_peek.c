/* What may be waiting for a worker: the questions of the fetches, asked in a read transaction. A
 * "yes" may prove empty when the fetch comes, a "no" is sure for the state that was read. */
#include "logstore/command.h"

#include "engine/base/assert.h"
#include "indexes/queries.h"
#include "logstore/fetch.h"

static hf_status peek_turns(struct hf__step *step, struct hf_peek *peek)
{
    struct hf_store_fetch_turns asked = { .registration = peek->registration,
                                          .engine_version_min = peek->engine_version_min,
                                          .engine_version_max = peek->engine_version_max,
                                          .turns_max = 1 };
    struct hf_row_instance *rows;
    size_t count;
    bool can_be_freed;
    hf_status status = hf__fetch_turns_pick(step, &asked, &rows, &count);
    if (status != HF_OK) return status;
    peek->out_turns_due = count > 0;
    if (count > 0) return HF_OK;
    status = hf__fetch_turns_free(step, peek->registration, &can_be_freed);
    peek->out_turns_due = status == HF_OK && can_be_freed;
    return status;
}

static hf_status peek_items(struct hf__step *step, struct hf_peek *peek,
                            const struct hf_row_registration *self)
{
    struct hf_store_fetch_items asked = { .registration = peek->registration,
                                          .items_max = 1,
                                          .sessions_only_owned = peek->sessions_only_owned,
                                          .no_sessions = peek->no_sessions,
                                          .sessions_max = UINT64_MAX,
                                          .tags = peek->tags,
                                          .tags_count = peek->tags_count };
    struct hf__picks picks = { 0 };
    hf_status status = hf__fetch_items_pick(step, &asked, self, &picks);
    if (status != HF_OK) return status;
    peek->out_items_ready = picks.items_count > 0 || picks.must_tell;
    return HF_OK;
}

/* What concerns no registration: timers, and rows to reclaim. */
static hf_status peek_common(struct hf__step *step, struct hf_peek *peek)
{
    struct hf_timer_place timer = { 0 };
    struct hf_row_timer row;
    struct hf_reclaim_place reclaim;
    uint64_t rows;
    hf_status status = hf_timers_next(step->tables, &timer, &row, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    /* 0 says that there is none, so a timer that is due since 0 is told as due since 1. */
    if (status == HF_OK) {
        peek->out_next_timer_unix_ms = timer.due_unix_ms ? timer.due_unix_ms : 1;
    }
    status = hf__reclaim_find(step, &reclaim, &rows);
    peek->out_reclaim = status == HF_OK;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

hf_status hf__command_peek(struct hf__step *step, struct hf_peek *peek)
{
    hf_assert(step && peek && step->is_read);
    peek->out_turns_due = peek->out_items_ready = peek->out_reclaim = false;
    peek->out_next_timer_unix_ms = 0;
    hf_status status = peek_common(step, peek);
    if (status != HF_OK) return status;
    struct hf_row_registration self;
    status = hf_registration_get(step->tables, peek->registration, &self, step->error);
    if (status == HF_NOT_FOUND || (status == HF_OK && self.ended_reason != 0)) {
        return HF_OK; /* nothing waits for a registration that may not act */
    }
    if (status == HF_OK) status = peek_turns(step, peek);
    return status == HF_OK ? peek_items(step, peek, &self) : status;
}
