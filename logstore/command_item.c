/* Items: delivered, completed, handed back, and what they report. What is delivered is chosen by
 * fetch_items.c, whether a token holds is judged by token.c; here the records are made.
 *
 * A fetch writes one record for all its items and the claims that go with them, or none. */
#include "logstore/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/soft.h"
#include "logstore/fetch.h"
#include "logstore/lease.h"
#include "logstore/token.h"

/* ---- fetch ----------------------------------------------------------------------------------- */

/* The body of the item, or of its session's opening. One that is damaged is handed out without its
 * bytes, said and counted as an attempt: whoever gets it fails it, and it holds nobody else up. */
static hf_status body_read(struct hf__step *step, const struct hf__pick *pick,
                           const struct hf_ref *ref, struct hf_arena *out, hf_slice *out_body)
{
    hf_error error = { 0 };
    const struct hf_item_id *id = &pick->item.id;
    hf_status status = hf_log_read_ref(step->tables, ref, out, out_body, &error);
    if (status == HF_CORRUPT) {
        char message[HF_ERROR_MESSAGE_SIZE + 80];
        (void)snprintf(message, sizeof message,
                       "item %" PRIu64 "/%" PRIu64 "/%" PRIu64 " is handed out without %s: %s",
                       id->instance, id->execution, id->event_id,
                       ref == &pick->item.body ? "its body" : "the opening of its session",
                       error.message);
        hf__store_log(step->store, HF_LOG_ERROR, "item.damaged", message);
        *out_body = (hf_slice)HF_EMPTY;
        return HF_OK;
    }
    if (status != HF_OK) *step->error = error;
    return status;
}

/* What the first item of a claim tells of it. */
static hf_status grant_tell_claim(struct hf__step *step, const struct hf__pick *pick,
                                  struct hf_arena *out, struct hf_item_grant *grant)
{
    const struct hf_claimed_session *claim = pick->first_in;
    grant->first_in_claim = true;
    grant->was_owned = pick->session.epoch != 0;
    grant->from = claim->from;
    grant->claim_reason = claim->reason;
    hf_status status = hf__worker_of(step, claim->from, &grant->from_worker);
    if (status != HF_OK) return status;
    grant->from_worker = hf_arena_copy(out, grant->from_worker);
    if (pick->session.opening.lsn == 0) return HF_OK;
    return body_read(step, pick, &pick->session.opening, out, &grant->session_body);
}

/* When the item was scheduled, for statistics: a damaged record is said elsewhere. */
static uint64_t scheduled_unix_ms(struct hf__step *step, const struct hf__pick *pick)
{
    hf_error error;
    uint64_t unix_ms = 0;
    hf_status status = hf_log_wall_time(step->tables, pick->item.body.lsn, &unix_ms, &error);
    return status == HF_OK ? unix_ms : 0;
}

/* What a former delivery reported. Lost is as good as nothing: whoever gets it begins anew. */
static hf_status progress_read(struct hf__step *step, const struct hf__pick *pick,
                               struct hf_arena *out, hf_slice *out_progress)
{
    struct hf_item_progress row;
    hf_status status = hf_progress_get(step->tables, &pick->item.id, &row, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status == HF_OK) *out_progress = hf_arena_copy(out, row.progress);
    return status;
}

/* All of a grant but what the record's LSN decides. */
static hf_status grant_prepare(struct hf__step *step, const struct hf__pick *pick,
                               struct hf_arena *out, struct hf_item_grant *out_grant)
{
    *out_grant = (struct hf_item_grant){
        .token = { .item = pick->item.id },
        .attempt = pick->item.attempts + 1,
        .deaths = pick->deaths,
        .instance_id = hf_arena_copy(out, pick->instance_id),
        .orchestration = hf_arena_copy(out, pick->orchestration),
        .version = hf_arena_copy(out, pick->version),
        .incarnation = pick->item.incarnation,
    };
    hf_status status = hf_tag_name(step->tables, pick->item.tag, &out_grant->tag, step->error);
    if (status == HF_NOT_FOUND) {
        return hf_error_corrupt(step->error, 0,
                                "the tag of an item has no name: " HF__REBUILD_ADVICE);
    }
    if (status != HF_OK) return status;
    out_grant->tag = hf_arena_copy(out, out_grant->tag);
    if (pick->item.incarnation != 0) {
        out_grant->session_id = hf_arena_copy(out, pick->session.name);
        out_grant->epoch = pick->session.epoch;
        out_grant->scheduled_unix_ms = scheduled_unix_ms(step, pick);
        out_grant->is_older_than_claim = pick->is_claimed ||
                                         pick->item.arrival.lsn < pick->session.epoch;
    }
    if (pick->first_in) status = grant_tell_claim(step, pick, out, out_grant);
    if (status == HF_OK) status = progress_read(step, pick, out, &out_grant->progress);
    return status == HF_OK ? body_read(step, pick, &pick->item.body, out, &out_grant->body)
                           : status;
}

static hf_status deliver(struct hf__step *step, const struct hf__picks *picks,
                         struct hf_store_fetch_items *fetch, struct hf_item_grant *grants)
{
    uint64_t lsn;
    size_t count = picks->items_count;
    struct hf_delivered_item *items = hf_arena_array(step->arena, count, sizeof *items);
    if (!items) return hf_error_set(step->error, HF_NO_MEMORY, "no memory for a delivery");
    for (size_t i = 0; i < count; i++) items[i] = picks->items[i].delivered;
    struct hf_delivered record = { .registration = fetch->registration,
                                   .items = { items, count },
                                   .claims = { picks->claims, picks->claims_count } };
    hf_status status = hf__step_append(step, HF_RECORD_DELIVERED, &record, &lsn);
    if (status != HF_OK) return status;
    for (size_t i = 0; i < count; i++) {
        grants[i].token.delivery_lsn = lsn;
        grants[i].token.delivery_number = i + 1;
        if (picks->items[i].is_claimed) grants[i].epoch = lsn;
    }
    fetch->out_items = grants;
    fetch->out_items_count = count;
    return HF_OK;
}

/* Notes a suspect for which this registration makes way. */
static hf_status make_way(struct hf__step *step, uint64_t registration,
                          const struct hf__picks *picks)
{
    if (!picks->must_tell) return HF_OK;
    return hf__lease_make_way(step, registration, &picks->makes_way_for);
}

hf_status hf__command_fetch_items(struct hf__step *step, struct hf_store_fetch_items *fetch,
                                  struct hf_arena *out)
{
    struct hf_row_registration self;
    struct hf__picks picks = { 0 };
    hf_assert(out);
    hf_status status = hf__registration_check(step, fetch->registration, &self);
    if (status == HF_OK) status = hf__fetch_items_pick(step, fetch, &self, &picks);
    if (status != HF_OK) return status;
    hf_assert(picks.claims_count <= picks.items_count); /* each claim was made for an item */
    fetch->out_items = NULL;
    fetch->out_items_count = 0;
    if (picks.items_count == 0) return make_way(step, fetch->registration, &picks);
    struct hf_item_grant *grants = hf_arena_array(out, picks.items_count, sizeof *grants);
    for (size_t i = 0; grants && i < picks.items_count && status == HF_OK; i++) {
        status = grant_prepare(step, &picks.items[i], out, &grants[i]);
    }
    if (status != HF_OK) return status;
    if (!grants || out->failed) {
        return hf_error_set(step->error, HF_NO_MEMORY, "no memory to hand out %zu items",
                            picks.items_count);
    }
    status = deliver(step, &picks, fetch, grants);
    return status == HF_OK ? make_way(step, fetch->registration, &picks) : status;
}

/* ---- complete and abandon -------------------------------------------------------------------- */

/* Refuses the token unless it holds. */
static hf_status item_check(struct hf__step *step, const struct hf_item_token *token,
                            uint64_t registration)
{
    struct hf__item_verdict verdict;
    hf_status status = hf__item_token_check(step, token, registration, &verdict);
    if (status != HF_OK) return status;
    return verdict.code ? hf__item_refuse(step, token, verdict.code) : HF_OK;
}

hf_status hf__command_complete_item(struct hf__step *step,
                                    const struct hf_store_complete_item *complete)
{
    hf_status status = hf__check_body(step, "the completion", complete->body);
    if (status == HF_OK) status = item_check(step, &complete->token, complete->registration);
    if (status != HF_OK) return status;
    struct hf_completed record = { .item = complete->token.item,
                                   .delivery_lsn = complete->token.delivery_lsn,
                                   .delivery_number = complete->token.delivery_number,
                                   .registration = complete->registration,
                                   .body = complete->body,
                                   .is_poison = complete->is_poison };
    return hf__step_append(step, HF_RECORD_COMPLETED, &record, NULL);
}

static hf_status progress_note(struct hf__step *step, const struct hf_item_token *token,
                               hf_slice progress)
{
    const struct hf_item_progress row = { step->now_wall_unix_ms, progress };
    return hf_progress_put(step->tables, &token->item, &row, step->error);
}

hf_status hf__command_abandon_item(struct hf__step *step,
                                   const struct hf_store_abandon_item *abandon)
{
    hf_status status = item_check(step, &abandon->token, abandon->registration);
    if (status != HF_OK) return status;
    struct hf_abandoned record = { .item = abandon->token.item,
                                   .delivery_lsn = abandon->token.delivery_lsn,
                                   .delivery_number = abandon->token.delivery_number,
                                   .registration = abandon->registration,
                                   .reason = abandon->reason,
                                   .uncounted = abandon->uncounted };
    if (abandon->delay_ms > 0) {
        record.due_unix_ms = UINT64_MAX;
        if (abandon->delay_ms < UINT64_MAX - step->now_wall_unix_ms) {
            record.due_unix_ms = step->now_wall_unix_ms + abandon->delay_ms;
        }
    }
    status = hf__step_append(step, HF_RECORD_ABANDONED, &record, NULL);
    if (status != HF_OK || abandon->progress.size == 0) return status;
    return progress_note(step, &abandon->token, abandon->progress);
}

/* ---- reports --------------------------------------------------------------------------------- */

hf_status hf__command_report(struct hf__step *step, const struct hf_store_report *report)
{
    struct hf_row_registration self;
    hf_status status = hf__registration_check(step, report->registration, &self);
    for (size_t i = 0; status == HF_OK && i < report->reports_count; i++) {
        const struct hf_report *each = &report->reports[i];
        struct hf__item_verdict verdict;
        status = hf__item_token_check(step, &each->token, report->registration, &verdict);
        if (status != HF_OK || verdict.code) continue;
        status = progress_note(step, &each->token, each->progress);
    }
    return status;
}
