/* Items: delivered, completed, handed back. What is delivered is chosen by fetch_items.c, whether a
 * token holds is judged by token.c; here the records are made.
 *
 * A fetch writes one record for all its items and the claims that go with them, or none. */
#include "logstore/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "logstore/fetch.h"
#include "logstore/lease.h"
#include "logstore/token.h"

/* ---- fetch ----------------------------------------------------------------------------------- */

/* The body of an item. One that is damaged is handed out without its bytes, said and counted as an
 * attempt: whoever gets it fails it, and it holds nobody else up. */
static hf_status body_read(struct hf__step *step, const struct hf_row_item *item,
                           struct hf_arena *out, hf_slice *out_body)
{
    hf_error error = { 0 };
    hf_status status = hf_log_read_ref(step->tables, &item->body, out, out_body, &error);
    if (status == HF_CORRUPT) {
        char message[HF_ERROR_MESSAGE_SIZE + 80];
        (void)snprintf(message, sizeof message,
                       "item %" PRIu64 "/%" PRIu64 "/%" PRIu64
                       " is handed out without its body: %s",
                       item->id.instance, item->id.execution, item->id.event_id, error.message);
        hf__store_log(step->store, HF_LOG_ERROR, "item.damaged", message);
        *out_body = (hf_slice)HF_EMPTY;
        return HF_OK;
    }
    if (status != HF_OK) *step->error = error;
    return status;
}

/* All of a grant but what the record's LSN decides. */
static hf_status grant_prepare(struct hf__step *step, const struct hf__pick *pick,
                               struct hf_arena *out, struct hf_item_grant *out_grant)
{
    *out_grant = (struct hf_item_grant){
        .token = { .item = pick->item.id },
        .attempt = pick->item.attempts + 1,
        .instance_id = hf_arena_copy(out, pick->instance_id),
        .incarnation = pick->item.incarnation,
        .first_in_claim = pick->first_in_claim,
    };
    if (pick->item.incarnation != 0) {
        out_grant->session_id = hf_arena_copy(out, pick->session.name);
        out_grant->epoch = pick->session.epoch;
    }
    return body_read(step, &pick->item, out, &out_grant->body);
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
    if (picks.items_count == 0) return HF_OK;
    struct hf_item_grant *grants = hf_arena_array(out, picks.items_count, sizeof *grants);
    for (size_t i = 0; grants && i < picks.items_count && status == HF_OK; i++) {
        status = grant_prepare(step, &picks.items[i], out, &grants[i]);
    }
    if (status != HF_OK) return status;
    if (!grants || out->failed) {
        return hf_error_set(step->error, HF_NO_MEMORY, "no memory to hand out %zu items",
                            picks.items_count);
    }
    return deliver(step, &picks, fetch, grants);
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
                                   .body = complete->body };
    return hf__step_append(step, HF_RECORD_COMPLETED, &record, NULL);
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
    return hf__step_append(step, HF_RECORD_ABANDONED, &record, NULL);
}
