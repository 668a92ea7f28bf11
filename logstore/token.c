/* The judgement of tokens: see token.h for the codes and their order.
 *
 * Laws:
 *  1. A token that holds costs a few rows. Only one that does not sends us to the log, which knows
 *     every delivery and claim that ever was: so "unknown" is proved, not guessed.
 *  2. The row of an item goes with its completion, its cancel and its session's close. Which of
 *     them it was is read from the record of the turn that scheduled it: it names the session, and
 *     whether that incarnation is open is a row.
 *  3. Of a session's work only its owner's deliveries since the latest claim hold.
 *  4. A raised generation voids what was given before it: deliveries and claims are younger than it
 *     or void, and registrations must be, too. The head of an instance may be older: an instance
 *     lives on in a restored store, and so its generation says nothing of a turn's token. */
#include "logstore/token.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"

/* ---- what the log knows ---------------------------------------------------------------------- */

/* The record at lsn when it is there and of that kind; *out_found says so. */
static hf_status log_decode(struct hf__step *step, uint64_t lsn, enum hf_record_kind kind,
                            union hf_record_body *out_body, bool *out_found)
{
    struct hf_log_record record;
    *out_found = false;
    if (lsn == 0) return HF_OK;
    hf_status status = hf_log_read(step->tables, &step->store->identity.id, lsn, &record,
                                   step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK || record.kind != kind) return status;
    status = hf_decode(hf_record_layout(kind), record.body, step->arena, out_body, step->error);
    *out_found = status == HF_OK;
    return status;
}

/* Whether that delivery was made to the registration. */
static hf_status item_token_was_given(struct hf__step *step, const struct hf_item_token *token,
                                      uint64_t registration, bool *out_given)
{
    union hf_record_body body;
    hf_status status = log_decode(step, token->delivery_lsn, HF_RECORD_DELIVERED, &body, out_given);
    if (status != HF_OK || !*out_given) return status;
    const struct hf_delivered *delivered = &body.delivered;
    const struct hf_delivered_item *items = delivered->items.items;
    uint64_t number = token->delivery_number;
    *out_given = delivered->registration == registration && number >= 1 &&
                 number <= delivered->items.count &&
                 hf_item_id_equal(&items[number - 1].item, &token->item);
    return HF_OK;
}

/* Whether that record claims the session, for whomever. */
static hf_status claim_was_made(struct hf__step *step, const struct hf_session_claim *claim,
                                bool *out_made)
{
    union hf_record_body body;
    bool is_found;
    *out_made = false;
    hf_status status = log_decode(step, claim->epoch, HF_RECORD_DELIVERED, &body, &is_found);
    if (status != HF_OK || !is_found) return status;
    const struct hf_claimed_session *claims = body.delivered.claims.items;
    for (size_t i = 0; i < body.delivered.claims.count; i++) {
        if (claims[i].instance == claim->instance && claims[i].incarnation == claim->incarnation) {
            *out_made = true;
        }
    }
    return HF_OK;
}

/* The session on which an item was scheduled that has no row any more; 0: none. */
static hf_status scheduled_incarnation(struct hf__step *step, const struct hf_item_id *id,
                                       uint64_t *out_incarnation)
{
    struct hf_ref ref;
    union hf_record_body body;
    bool is_found;
    *out_incarnation = 0;
    hf_status status = hf_history_get(step->tables, id, &ref, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status == HF_OK) {
        status = log_decode(step, ref.lsn, HF_RECORD_TURN_COMMITTED, &body, &is_found);
    }
    if (status != HF_OK || !is_found) return status;
    const struct hf_turn_item *items = body.turn_committed.items.items;
    for (size_t i = 0; i < body.turn_committed.items.count; i++) {
        if (items[i].event_id == id->event_id) *out_incarnation = items[i].incarnation;
    }
    return HF_OK;
}

hf_status hf__delivered_to(struct hf__step *step, uint64_t lsn, uint64_t *out_registration)
{
    union hf_record_body body;
    bool is_found;
    *out_registration = 0;
    hf_status status = log_decode(step, lsn, HF_RECORD_DELIVERED, &body, &is_found);
    if (status == HF_OK && is_found) *out_registration = body.delivered.registration;
    return status;
}

hf_status hf__worker_of(struct hf__step *step, uint64_t registration, hf_slice *out_worker_id)
{
    union hf_record_body body;
    bool is_found;
    *out_worker_id = (hf_slice)HF_EMPTY;
    hf_status status = log_decode(step, registration, HF_RECORD_REGISTERED, &body, &is_found);
    if (status == HF_OK && is_found) *out_worker_id = body.registered.worker_id;
    return status;
}

/* ---- what all three have in common ----------------------------------------------------------- */

/* Sets *code when the registration has ended, or the instance has, or is gone. */
static hf_status parties_check(struct hf__step *step, uint64_t registration, uint64_t instance,
                               const char **code)
{
    if (hf_lsn_generation(registration) != step->generation) {
        *code = HF__VOID_STORE_GENERATION; /* law 4 */
        return HF_OK;
    }
    struct hf_row_registration holder;
    hf_status status = hf_registration_get(step->tables, registration, &holder, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    if (status == HF_NOT_FOUND || holder.ended_reason != 0) {
        *code = HF__VOID_REGISTRATION_DEAD;
        return HF_OK;
    }
    struct hf_row_instance row;
    status = hf_instance_get(step->tables, instance, &row, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    if (status == HF_NOT_FOUND || hf_instance_has_ended(&row)) *code = HF__VOID_INSTANCE_ENDED;
    return HF_OK;
}

/* ---- items ----------------------------------------------------------------------------------- */

/* Law 3. Sets *code when the item's session is closed or is not the registration's any more. */
static hf_status item_session_check(struct hf__step *step, const struct hf_item_token *token,
                                    uint64_t incarnation, uint64_t registration, const char **code)
{
    if (incarnation == 0) return HF_OK;
    struct hf_session_id id = { token->item.instance, incarnation };
    struct hf_row_session session;
    hf_status status = hf_session_get(step->tables, &id, &session, step->error);
    if (status == HF_NOT_FOUND) {
        *code = HF__VOID_SESSION_CLOSED;
        return HF_OK;
    }
    if (status != HF_OK) return status;
    if (session.owner != registration || session.epoch > token->delivery_lsn) {
        *code = HF__VOID_EPOCH;
    }
    return HF_OK;
}

static bool item_is_held(const struct hf_row_item *item, const struct hf_item_token *token,
                         uint64_t registration)
{
    return item->state == HF_ITEM_RUNNING && item->registration == registration &&
           item->delivery_lsn == token->delivery_lsn &&
           item->delivery_number == token->delivery_number;
}

hf_status hf__item_token_check(struct hf__step *step, const struct hf_item_token *token,
                               uint64_t registration, struct hf__item_verdict *out_verdict)
{
    *out_verdict = (struct hf__item_verdict){ .code = NULL };
    if (hf_lsn_generation(token->delivery_lsn) != step->generation) {
        out_verdict->code = HF__VOID_STORE_GENERATION;
        return HF_OK;
    }
    struct hf_row_item *item = &out_verdict->item;
    hf_status status = hf_item_get(step->tables, &token->item, item, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    bool is_gone = status == HF_NOT_FOUND;
    bool is_held = !is_gone && item_is_held(item, token, registration);

    bool was_given = true;
    status = is_held ? HF_OK : item_token_was_given(step, token, registration, &was_given);
    if (status != HF_OK) return status;
    const char **code = &out_verdict->code;
    if (!was_given) *code = HF__VOID_UNKNOWN;
    if (!*code) status = parties_check(step, registration, token->item.instance, code);
    uint64_t incarnation = is_gone ? 0 : item->incarnation;
    if (status == HF_OK && !*code && is_gone) {
        status = scheduled_incarnation(step, &token->item, &incarnation);
    }
    if (status == HF_OK && !*code) {
        status = item_session_check(step, token, incarnation, registration, code);
    }
    if (status == HF_OK && !*code && is_gone) *code = HF__VOID_ITEM_FINAL;
    if (status == HF_OK && !*code && !is_held) *code = HF__VOID_SUPERSEDED;
    if (status == HF_OK && !*code) hf_assert(is_held && was_given); /* law 1: no row, no right */
    return status;
}

/* ---- sessions -------------------------------------------------------------------------------- */

hf_status hf__claim_check(struct hf__step *step, const struct hf_session_claim *claim,
                          uint64_t registration, struct hf__claim_verdict *out_verdict)
{
    *out_verdict = (struct hf__claim_verdict){ .code = NULL };
    if (hf_lsn_generation(claim->epoch) != step->generation) {
        out_verdict->code = HF__VOID_STORE_GENERATION;
        return HF_OK;
    }
    struct hf_session_id id = { claim->instance, claim->incarnation };
    struct hf_row_session *session = &out_verdict->session;
    hf_status status = hf_session_get(step->tables, &id, session, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    bool is_closed = status == HF_NOT_FOUND;
    bool is_held = !is_closed && claim->epoch != 0 && session->owner == registration &&
                   session->epoch == claim->epoch;

    bool was_made = true;
    status = is_held ? HF_OK : claim_was_made(step, claim, &was_made);
    if (status != HF_OK) return status;
    const char **code = &out_verdict->code;
    if (!was_made) *code = HF__VOID_UNKNOWN;
    if (!*code) status = parties_check(step, registration, claim->instance, code);
    if (status != HF_OK || *code) return status;
    if (!is_held) *code = is_closed ? HF__VOID_SESSION_CLOSED : HF__VOID_EPOCH;
    if (!*code) hf_assert(was_made && !is_closed);
    return HF_OK;
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* The head and the lock, of an instance that runs. */
static hf_status turn_lock_check(struct hf__step *step, const struct hf_turn_token *token,
                                 uint64_t registration, struct hf__turn_verdict *verdict)
{
    uint64_t head = verdict->instance.head;
    hf_assert(!verdict->code);
    hf_assert(!hf_instance_has_ended(&verdict->instance));
    if (token->head != head) {
        verdict->code = token->head > head ? HF__VOID_UNKNOWN : HF__VOID_SUPERSEDED;
        return HF_OK;
    }
    struct hf_turn_lock lock;
    hf_status status = hf_turn_lock_get(step->tables, token->instance, &lock, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK) return status;
    verdict->is_locked = true;
    if (lock.registration != registration || lock.nonce != token->nonce) {
        verdict->code = HF__VOID_SUPERSEDED;
    }
    return HF_OK;
}

hf_status hf__turn_token_check(struct hf__step *step, const struct hf_turn_token *token,
                               uint64_t registration, struct hf__turn_verdict *out_verdict)
{
    *out_verdict = (struct hf__turn_verdict){ .code = NULL };
    uint64_t next_instance;
    hf_status status = hf_instance_number_next(step->tables, &next_instance, step->error);
    if (status != HF_OK) return status;
    if (token->instance == 0 || token->instance >= next_instance) {
        out_verdict->code = HF__VOID_UNKNOWN;
        return HF_OK;
    }
    status = parties_check(step, registration, token->instance, &out_verdict->code);
    if (status != HF_OK || out_verdict->code) return status;
    status = hf_instance_get(step->tables, token->instance, &out_verdict->instance, step->error);
    if (status != HF_OK) return status;
    if (out_verdict->instance.suspended_code.size > 0) {
        out_verdict->code = HF__VOID_SUSPENDED;
        return HF_OK;
    }
    return turn_lock_check(step, token, registration, out_verdict);
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* Why, and what to do, in words. */
static const char *code_text(const char *code)
{
    static const char *const texts[][2] = {
        { HF__VOID_STORE_GENERATION,
          "it is of a former generation of the store (restored, or a copy): register anew" },
        { HF__VOID_UNKNOWN, "no such token was ever given to this registration: drop it" },
        { HF__VOID_REGISTRATION_DEAD,
          "the registration has ended: drop what it held and register anew" },
        { HF__VOID_INSTANCE_ENDED, "the instance has ended or is gone: drop the work" },
        { HF__VOID_SUSPENDED, "the instance is suspended: drop the turn" },
        { HF__VOID_SESSION_CLOSED, "its session is closed: stop the work and drop it" },
        { HF__VOID_EPOCH,
          "its session was claimed again or released since: stop the work and drop it" },
        { HF__VOID_ITEM_FINAL, "the item is completed or cancelled already: drop the work" },
        { HF__VOID_SUPERSEDED, "it was handed out again, or back, since: drop the work" },
    };
    for (size_t i = 0; i < HF_COUNT_OF(texts); i++) {
        if (strcmp(texts[i][0], code) == 0) return texts[i][1];
    }
    HF_UNREACHABLE("every code has its words");
}

hf_status hf__item_refuse(struct hf__step *step, const struct hf_item_token *token,
                          const char *code)
{
    hf_assert(code);
    hf_error_set(step->error, HF_STALE, "item %llu/%llu/%llu, delivery %llu.%llu: %s",
                 (unsigned long long)token->item.instance,
                 (unsigned long long)token->item.execution,
                 (unsigned long long)token->item.event_id, (unsigned long long)token->delivery_lsn,
                 (unsigned long long)token->delivery_number, code_text(code));
    hf_error_code(step->error, code);
    return HF_STALE;
}

hf_status hf__turn_refuse(struct hf__step *step, const struct hf_turn_token *token,
                          const char *code)
{
    hf_assert(code);
    hf_error_set(step->error, HF_STALE, "turn of instance %llu behind head %llu: %s",
                 (unsigned long long)token->instance, (unsigned long long)token->head,
                 code_text(code));
    hf_error_code(step->error, code);
    return HF_STALE;
}

hf_status hf__registration_refuse(struct hf__step *step, uint64_t registration, const char *code)
{
    hf_assert(code);
    hf_error_set(step->error, HF_STALE, "registration %llu: %s", (unsigned long long)registration,
                 code_text(code));
    hf_error_code(step->error, code);
    return HF_STALE;
}
