/* Records of items: delivered (with claims), completed, abandoned, timer fired. */
#include <inttypes.h>

#include "engine/base/assert.h"
#include "indexes/fold.h"

/* ---- delivered ------------------------------------------------------------------------------ */

/* What a record says of work that it takes from its holder. */
struct taking {
    enum hf_law law; /* that is broken when it is not so */
    uint64_t holder; /* from whom it is taken */
    uint64_t by;
    uint64_t from, reason; /* as the record says */
};

/* Proves that the record says truly from whom it takes, and why: the deadlines are soft, so of a
 * holder that lives only that it was another or itself. */
static hf_status taking_check(struct hf__fold *fold, const struct taking *taking)
{
    struct hf_row_registration holder;
    uint64_t truth = taking->holder == taking->by ? HF_REASON_OWN : HF_REASON_EXPIRED;
    hf_assert(taking->holder != 0);
    hf_status status = hf_registration_get(fold->tables, taking->holder, &holder, fold->error);
    status = hf__fold_expect(fold, HF_LAW_R2, status, "registration", taking->holder);
    if (status != HF_OK) return status;
    bool is_former = hf_lsn_generation(taking->holder) != hf_lsn_generation(fold->record->lsn);
    if (is_former) truth = HF_REASON_DEAD;
    if (holder.ended_reason != 0) truth = holder.ended_reason;
    if (taking->from == taking->holder && taking->reason == truth) return HF_OK;
    return hf__fold_misfit(fold, taking->law,
                           "it takes from registration %" PRIu64 " for reason %" PRIu64
                           ", not from %" PRIu64 " for %" PRIu64,
                           taking->holder, truth, taking->from, taking->reason);
}

/* The same of a session, which may be nobody's. */
static hf_status claim_check(struct hf__fold *fold, const struct hf_claimed_session *claim,
                             const struct hf_row_session *session, uint64_t registration)
{
    const struct taking taking = { HF_LAW_S3, session->owner, registration, claim->from,
                                   claim->reason };
    if (session->owner != 0) return taking_check(fold, &taking);
    uint64_t truth = session->epoch == 0 ? HF_REASON_FIRST : session->unowned_reason;
    bool is_from_fit = claim->from == 0 || session->epoch != 0; /* 0: the log could not say */
    if (claim->reason == truth && is_from_fit) return HF_OK;
    return hf__fold_misfit(fold, HF_LAW_S3,
                           "session %" PRIu64 " is free for reason %" PRIu64 ", not %" PRIu64,
                           session->id.incarnation, truth, claim->reason);
}

/* Gives a session to the registration: what ran under the old claim is queued again, and the epoch
 * is this record. */
static hf_status deliver_claim(struct hf__fold *fold, const struct hf_claimed_session *claim,
                               uint64_t registration)
{
    struct hf_session_id id = { claim->instance, claim->incarnation };
    struct hf_row_session before;
    hf_status status = hf_session_get(fold->tables, &id, &before, fold->error);
    status = hf__fold_expect(fold, HF_LAW_S7, status, "claimed session", claim->incarnation);
    if (status == HF_OK) status = claim_check(fold, claim, &before, registration);
    if (status == HF_OK) status = hf__session_requeue(fold, &id);
    if (status == HF_OK) status = hf_session_get(fold->tables, &id, &before, fold->error);
    if (status != HF_OK) {
        return hf__fold_expect(fold, HF_LAW_S7, status, "session", claim->incarnation);
    }
    hf_assert(fold->rows_left > 0);
    if (before.owner != 0) fold->tables->effects |= HF_EFFECT_VOIDED;
    struct hf_row_session after = before;
    after.owner = registration;
    after.epoch = fold->record->lsn;
    after.unowned_reason = 0;
    return hf__session_put(fold, &before, &after);
}

/* Proves that the session of an item is the registration's. */
static hf_status deliver_check_owner(struct hf__fold *fold, const struct hf_row_item *item,
                                     uint64_t registration)
{
    struct hf_session_id id = { item->id.instance, item->incarnation };
    struct hf_row_session session;
    if (item->incarnation == 0) return HF_OK;
    hf_status status = hf_session_get(fold->tables, &id, &session, fold->error);
    status = hf__fold_expect(fold, HF_LAW_S7, status, "session", id.incarnation);
    if (status != HF_OK || session.owner == registration) return status;
    return hf__fold_misfit(fold, HF_LAW_S4,
                           "registration %" PRIu64 " does not own session %" PRIu64, registration,
                           id.incarnation);
}

/* The limit of its start is kept. */
static hf_status deliver_in_time(struct hf__fold *fold, const struct hf_row_item *item)
{
    struct hf_row_timer timer;
    if (!item->has_start_limit) return HF_OK;
    hf_status status = hf__timer_take(fold, &item->id, &timer);
    return hf__fold_expect(fold, HF_LAW_X2, status, "start limit of item", item->id.event_id);
}

/* Proves that the record says truly why the item was to be had. What ran in a session that the
 * record claims was queued again by that. */
static hf_status deliver_check_reason(struct hf__fold *fold, const struct hf_row_item *item,
                                      const struct hf_delivered_item *delivered, uint64_t by)
{
    const struct taking taking = { HF_LAW_Q5, item->registration, by, delivered->from,
                                   delivered->reason };
    struct hf_session_id id = { item->id.instance, item->incarnation };
    struct hf_row_session session = { .epoch = 0 };
    if (item->state == HF_ITEM_RUNNING) return taking_check(fold, &taking);
    if (item->attempts == 0 && delivered->reason == HF_REASON_FIRST && delivered->from == 0) {
        return HF_OK;
    }
    if (item->attempts > 0 && delivered->reason == HF_REASON_NONE && delivered->from == 0) {
        return HF_OK;
    }
    if (item->attempts > 0 && item->incarnation != 0) {
        hf_status status = hf_session_get(fold->tables, &id, &session, fold->error);
        status = hf__fold_expect(fold, HF_LAW_S7, status, "session", id.incarnation);
        if (status != HF_OK || session.epoch == fold->record->lsn) return status;
    }
    return hf__fold_misfit(fold, HF_LAW_Q5,
                           "item %" PRIu64 " waited after %" PRIu64
                           " attempts, and was not to be had for reason %" PRIu64,
                           item->id.event_id, item->attempts, delivered->reason);
}

static hf_status deliver_item(struct hf__fold *fold, const struct hf_delivered_item *delivered,
                              const struct hf_row_item *delivery)
{
    const struct hf_item_id *id = &delivered->item;
    struct hf_row_instance instance;
    struct hf_row_item before;
    hf_status status = hf_item_get(fold->tables, id, &before, fold->error);
    status = hf__fold_expect(fold, HF_LAW_Q1, status, "item", id->event_id);
    if (status == HF_OK) status = hf__instance_running(fold, id->instance, &instance);
    if (status != HF_OK) return status;
    if (before.delivery_lsn == fold->record->lsn) {
        return hf__fold_misfit(fold, HF_LAW_T1, "item %" PRIu64 " is in it twice", id->event_id);
    }
    if (before.state == HF_ITEM_DELAYED) {
        return hf__fold_misfit(fold, HF_LAW_Q7,
                               "item %" PRIu64 " of instance %" PRIu64 " is not to be had",
                               id->event_id, id->instance);
    }
    if (before.state == HF_ITEM_RUNNING) fold->tables->effects |= HF_EFFECT_VOIDED;
    struct hf_row_item after;
    status = deliver_check_reason(fold, &before, delivered, delivery->registration);
    if (status == HF_OK) status = deliver_in_time(fold, &before);
    if (status == HF_OK) status = hf__item_take_away(fold, &before, &after);
    if (status != HF_OK) return status;
    after.has_start_limit = 0;
    after.state = HF_ITEM_RUNNING;
    after.registration = delivery->registration;
    after.delivery_lsn = delivery->delivery_lsn;
    after.delivery_number = delivery->delivery_number;
    after.attempts++;
    status = deliver_check_owner(fold, &after, delivery->registration);
    if (status == HF_OK) status = hf__item_put(fold, &before, &after);
    if (status != HF_OK || before.state != HF_ITEM_RUNNING) return status;
    return hf__registration_settle(fold, before.registration);
}

hf_status hf__apply_delivered(struct hf__fold *fold, const struct hf_delivered *body)
{
    const struct hf_claimed_session *claims = body->claims.items;
    const struct hf_delivered_item *items = body->items.items;
    struct hf_row_registration registration;
    fold->rows_left = UINT64_MAX; /* what runs in a claimed session is bounded by its worker */
    hf_status status = hf__registration_live(fold, body->registration, &registration);
    if (status == HF_OK) status = hf__token_present(fold, body->registration);
    for (size_t i = 0; status == HF_OK && i < body->claims.count; i++) {
        status = deliver_claim(fold, &claims[i], body->registration);
    }
    for (size_t i = 0; status == HF_OK && i < body->items.count; i++) {
        struct hf_row_item delivery = { .registration = body->registration,
                                        .delivery_lsn = fold->record->lsn,
                                        .delivery_number = i + 1 };
        status = deliver_item(fold, &items[i], &delivery);
    }
    return status;
}

/* ---- completed and abandoned ---------------------------------------------------------------- */

/* Proves that the session of an item is open, and was not claimed again since the delivery. */
static hf_status held_check_session(struct hf__fold *fold, const struct hf_row_item *item,
                                    const struct hf_row_item *delivery)
{
    struct hf_row_session session;
    struct hf_session_id id = { item->id.instance, item->incarnation };
    if (item->incarnation == 0) return HF_OK;
    hf_status status = hf_session_get(fold->tables, &id, &session, fold->error);
    status = hf__fold_expect(fold, HF_LAW_S5, status, "session", id.incarnation);
    if (status != HF_OK || delivery->delivery_lsn >= session.epoch) return status;
    return hf__fold_misfit(fold, HF_LAW_S5,
                           "delivery %" PRIu64 " is older than the claim of session %" PRIu64
                           ", %" PRIu64,
                           delivery->delivery_lsn, id.incarnation, session.epoch);
}

/* The row of an item that runs under exactly this delivery, in a session, if it has one, under
 * the latest claim. */
static hf_status item_held(struct hf__fold *fold, const struct hf_row_item *delivery,
                           struct hf_row_item *out_row)
{
    struct hf_row_registration registration;
    hf_status status = hf_item_get(fold->tables, &delivery->id, out_row, fold->error);
    status = hf__fold_expect(fold, HF_LAW_Q1, status, "item", delivery->id.event_id);
    if (status == HF_OK) {
        status = hf__registration_live(fold, delivery->registration, &registration);
    }
    if (status == HF_OK) status = hf__token_present(fold, delivery->delivery_lsn);
    if (status == HF_OK) status = held_check_session(fold, out_row, delivery);
    if (status != HF_OK) return status;
    if (out_row->state != HF_ITEM_RUNNING || out_row->registration != delivery->registration ||
        out_row->delivery_lsn != delivery->delivery_lsn ||
        out_row->delivery_number != delivery->delivery_number) {
        return hf__fold_misfit(fold, HF_LAW_Q4,
                               "item %" PRIu64 " of instance %" PRIu64
                               " does not run under that delivery",
                               delivery->id.event_id, delivery->id.instance);
    }
    return HF_OK;
}

hf_status hf__apply_completed(struct hf__fold *fold, const struct hf_completed *body)
{
    struct hf_row_item row;
    struct hf_row_item delivery = { .id = body->item,
                                    .registration = body->registration,
                                    .delivery_lsn = body->delivery_lsn,
                                    .delivery_number = body->delivery_number };
    const struct hf_row_message message = { .body = hf_ref_of(fold->record, body->body),
                                            .execution = body->item.execution };
    hf_status status = item_held(fold, &delivery, &row);
    if (status == HF_OK && body->is_poison) {
        status = hf__dead_letter_put(fold,
                                     &(struct hf_row_dead_letter){ .instance = row.id.instance,
                                                                   .execution = row.id.execution,
                                                                   .event_id = row.id.event_id,
                                                                   .attempts = row.attempts,
                                                                   .deaths = row.deaths });
    }
    if (status == HF_OK) status = hf__item_put(fold, &row, NULL);
    return status == HF_OK ? hf__message_arrive(fold, body->item.instance, &message) : status;
}

/* Puts a running item aside until its due time. */
static hf_status item_delay(struct hf__fold *fold, const struct hf_row_item *row,
                            uint64_t due_unix_ms)
{
    struct hf_timer_place place = { due_unix_ms, row->id };
    struct hf_row_timer timer = { HF_TIMER_ITEM, { 0, 0, 0, 0 } };
    struct hf_row_item after;
    hf_status status = hf__item_take_away(fold, row, &after);
    if (status != HF_OK) return status;
    after.state = HF_ITEM_DELAYED;
    status = hf__timer_put(fold, &place, &timer);
    return status == HF_OK ? hf__item_put(fold, row, &after) : status;
}

hf_status hf__apply_abandoned(struct hf__fold *fold, const struct hf_abandoned *body)
{
    struct hf_row_instance instance;
    struct hf_row_item before;
    struct hf_row_item delivery = { .id = body->item,
                                    .registration = body->registration,
                                    .delivery_lsn = body->delivery_lsn,
                                    .delivery_number = body->delivery_number };
    hf_status status = hf__instance_running(fold, body->item.instance, &instance);
    if (status == HF_OK) status = item_held(fold, &delivery, &before);
    if (status != HF_OK) return status;
    struct hf_row_item uncounted = before;
    if (body->uncounted && before.attempts > 0) uncounted.attempts--;
    if (body->due_unix_ms != 0) return item_delay(fold, &uncounted, body->due_unix_ms);
    return hf__item_requeue(fold, &uncounted);
}

/* ---- timers --------------------------------------------------------------------------------- */

/* Nobody was given the item in time: it goes. Its timer has gone already. */
static hf_status start_is_late(struct hf__fold *fold, const struct hf_item_id *id)
{
    struct hf_row_item item;
    hf_status status = hf__item_pointed(fold, id, &item);
    if (status != HF_OK) return status;
    if (item.state != HF_ITEM_READY || !item.has_start_limit) {
        return hf__fold_misfit(fold, HF_LAW_X2, "item %" PRIu64 " has no limit of its start",
                               id->event_id);
    }
    return hf__item_put(fold, &item, NULL);
}

hf_status hf__apply_timer_fired(struct hf__fold *fold, const struct hf_timer_fired *body)
{
    struct hf_row_instance instance;
    struct hf_row_timer timer;
    struct hf_row_item item;
    uint64_t number = body->timer.instance, due = 0;
    hf_status status = hf_timer_find(fold->tables, &body->timer, &due, fold->error);
    status = hf__fold_expect(fold, HF_LAW_H3, status, "timer", body->timer.event_id);
    if (status == HF_OK) status = hf__timer_take(fold, &body->timer, &timer);
    if (status != HF_OK) return status;
    if (body->due_unix_ms != due || fold->record->wall_unix_ms < due) {
        return hf__fold_misfit(fold, timer.kind == HF_TIMER_ITEM ? HF_LAW_Q7 : HF_LAW_H5,
                               "timer %" PRIu64 " is due at %" PRIu64 ", and fired at %" PRIu64
                               " as if due at %" PRIu64,
                               body->timer.event_id, due, fold->record->wall_unix_ms,
                               body->due_unix_ms);
    }
    if (timer.kind == HF_TIMER_START) {
        status = start_is_late(fold, &body->timer);
        if (status != HF_OK) return status;
    }
    if (timer.kind == HF_TIMER_ITEM) {
        status = hf__item_pointed(fold, &body->timer, &item);
        if (status == HF_OK && item.state != HF_ITEM_DELAYED) {
            return hf__fold_misfit(fold, HF_LAW_X2, "item %" PRIu64 " is not delayed",
                                   item.id.event_id);
        }
        return status == HF_OK ? hf__item_requeue(fold, &item) : status;
    }
    /* Of one that has ended or is deleted, and which reclaim has not come to yet. */
    status = hf_instance_get(fold->tables, number, &instance, fold->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK || hf_instance_has_ended(&instance)) return status;
    const struct hf_row_message message = { .body = timer.body,
                                            .execution = body->timer.execution };
    return hf__message_arrive(fold, number, &message);
}
