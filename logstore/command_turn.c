/* Turns: handed out, committed, handed back, given up.
 *
 *            fetch: soft lock              commit: turn_committed, new head
 *      DUE -------------------> LOCKED ----------------------------------> not due, or DUE again
 *       ^                         | abandon (counted: turn_lost), lease passed, holder ended
 *       +-------------------------+
 *       +----- not before <---- HELD (abandoned with a delay: a soft lock of nobody)
 *
 * The lock is soft: it keeps a second turn of the instance away, and losing it costs repeated work
 * alone. What makes a commit right is the head: it must be the one at which the turn began. */
#include "logstore/command.h"

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/soft.h"
#include "logstore/command_family.h"
#include "logstore/fetch.h"
#include "logstore/lease.h"
#include "logstore/token.h"

/* ---- fetch ----------------------------------------------------------------------------------- */

/* Nonces are random, so that a holder from before a loss of soft state cannot look like a later
 * one. */
static uint64_t nonce_new(struct hf__step *step)
{
    const struct hf_seams *seams = step->store->seams;
    uint64_t nonce = 0;
    seams->random(seams->self, &nonce, sizeof nonce);
    return nonce;
}

static hf_status turn_lock(struct hf__step *step, const struct hf_row_instance *instance,
                           uint64_t registration, struct hf_turn_grant *out_grant)
{
    struct hf_turn_lock lock = { .registration = registration,
                                 .nonce = nonce_new(step),
                                 .head = instance->head };
    hf_assert(!hf_instance_has_ended(instance));
    *out_grant = (struct hf_turn_grant){
        .token = { .instance = instance->number, .head = instance->head, .nonce = lock.nonce },
        .execution = instance->execution,
        .engine_version = instance->engine_version,
        .attempt = 1 + instance->turns_lost,
        .orchestration = out_grant->orchestration,
    };
    return hf_turn_lock_put(step->tables, instance, &lock, step->error);
}

/* The rows of the picked turns as grants, with their texts in the command's arena. */
static hf_status grants_prepare(struct hf__step *step, const struct hf_row_instance *rows,
                                size_t count, struct hf_arena *out,
                                struct hf_turn_grant **out_grants)
{
    struct hf_turn_grant *grants = hf_arena_array(out, count, sizeof *grants);
    for (size_t i = 0; grants && i < count; i++) {
        grants[i].orchestration = hf_arena_copy(out, rows[i].orchestration);
    }
    if (!grants || out->failed) {
        return hf_error_set(step->error, HF_NO_MEMORY, "no memory to hand out %zu turns", count);
    }
    *out_grants = grants;
    return HF_OK;
}

hf_status hf__command_fetch_turns(struct hf__step *step, struct hf_store_fetch_turns *fetch,
                                  struct hf_arena *out)
{
    struct hf_row_instance *rows = NULL;
    struct hf_turn_grant *grants = NULL;
    size_t count = 0;
    bool has_freed;
    hf_assert(out);
    hf_status status = hf__registration_check(step, fetch->registration, NULL);
    if (status != HF_OK) return status;
    status = hf__fetch_turns_free(step, fetch->registration, &has_freed);
    if (status == HF_OK) status = hf__fetch_turns_pick(step, fetch, &rows, &count);
    if (status == HF_OK) status = grants_prepare(step, rows, count, out, &grants);
    for (size_t i = 0; i < count && status == HF_OK; i++) {
        status = turn_lock(step, &rows[i], fetch->registration, &grants[i]);
    }
    if (status != HF_OK) return status;
    fetch->out_turns = grants;
    fetch->out_turns_count = count;
    return HF_OK;
}

/* ---- commit ---------------------------------------------------------------------------------- */

hf_status hf__command_commit_turn(struct hf__step *step, struct hf_store_commit_turn *commit)
{
    struct hf__turn_verdict verdict;
    hf_assert(commit->turn);
    hf_status status = hf__turn_token_check(step, &commit->token, commit->registration, &verdict);
    if (status != HF_OK) return status;
    if (verdict.code) return hf__turn_refuse(step, &commit->token, verdict.code);
    status = hf__turn_check(step, &verdict.instance, commit->turn);
    if (status != HF_OK) return status;
    struct hf_turn_committed record = *commit->turn;
    record.instance = verdict.instance.number;
    record.head = verdict.instance.head;
    record.registration = commit->registration;
    status = hf__step_append(step, HF_RECORD_TURN_COMMITTED, &record, &commit->out_head);
    return status == HF_OK ? hf__family_turn(step, &verdict.instance, &record) : status;
}

/* ---- abandon --------------------------------------------------------------------------------- */

/* Frees the turn: at once, or when delay_ms have passed. */
static hf_status turn_free(struct hf__step *step, const struct hf_store_abandon_turn *abandon)
{
    struct hf_row_instance instance;
    hf_status status = hf_instance_get(step->tables, abandon->token.instance, &instance,
                                       step->error);
    hf_assert(status != HF_NOT_FOUND);
    if (status != HF_OK) return status;
    if (abandon->delay_ms == 0) {
        return hf_turn_lock_release(step->tables, &instance, step->error);
    }
    struct hf_turn_lock held = { .head = instance.head,
                                 .held_until = hf__hold_until(step, abandon->delay_ms) };
    return hf_turn_lock_put(step->tables, &instance, &held, step->error);
}

hf_status hf__command_abandon_turn(struct hf__step *step,
                                   const struct hf_store_abandon_turn *abandon)
{
    struct hf__turn_verdict verdict;
    hf_status status = hf__turn_token_check(step, &abandon->token, abandon->registration, &verdict);
    if (status != HF_OK) return status;
    /* Without a lock there is nothing to hand back: the turn is due again already. */
    if (!verdict.code && !verdict.is_locked) verdict.code = HF__VOID_SUPERSEDED;
    if (verdict.code) return hf__turn_refuse(step, &abandon->token, verdict.code);
    if (abandon->counted) {
        struct hf_turn_lost record = { .instance = abandon->token.instance,
                                       .head = abandon->token.head,
                                       .registration = abandon->registration,
                                       .reason = abandon->reason };
        status = hf__step_append(step, HF_RECORD_TURN_LOST, &record, NULL);
    }
    return status == HF_OK ? turn_free(step, abandon) : status;
}

/* ---- given up -------------------------------------------------------------------------------- */

hf_status hf__command_fail_turn(struct hf__step *step, const struct hf_store_fail_turn *fail)
{
    struct hf__turn_verdict verdict;
    hf_assert(fail->attempts > 0);
    hf_status status = hf__check_body(step, "the last event", fail->body);
    if (status == HF_OK) {
        status = hf__turn_token_check(step, &fail->token, fail->registration, &verdict);
    }
    if (status != HF_OK) return status;
    if (verdict.code) return hf__turn_refuse(step, &fail->token, verdict.code);
    struct hf_terminated record = { .instance = verdict.instance.number,
                                    .execution = verdict.instance.execution,
                                    .event_id = verdict.instance.next_event_id,
                                    .body = fail->body,
                                    .attempts = fail->attempts };
    status = hf__step_append(step, HF_RECORD_TERMINATED, &record, NULL);
    return status == HF_OK ? hf__family_fail(step, &verdict.instance, fail->parent_body) : status;
}
