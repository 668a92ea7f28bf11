/* Laws 3 to 5 (audit.c): items, sessions, timers, and every row that points to one. */
#include <inttypes.h>

#include "engine/base/bytes.h"
#include "engine/base/status.h"
#include "indexes/audit_internal.h"

/* ---- items ---------------------------------------------------------------------------------- */

/* The row of the queue that an item's state names. */
static hf_status check_item_queue(struct hf__audit *audit, const struct hf_row_item *item,
                                  hf_slice key)
{
    struct hf_key place;
    uint64_t due = 0;
    if (item->state == HF_ITEM_DELAYED) {
        hf_status status = hf_timer_find(audit->tables, &item->id, &due, audit->error);
        return hf__audit_there(audit, HF_LAW_Q1, status, "timer of item", item->id.event_id);
    }
    if (item->state == HF_ITEM_READY) {
        place = hf_key_ready(&(struct hf_ready_place){ item->tag, item->arrival });
        return item->incarnation ? HF_OK
                                 : hf__audit_points(audit, HF_TABLE_ITEMS_READY, &place, key);
    }
    place = hf_key_running(
        &(struct hf_running_place){ item->registration, item->tag, item->arrival });
    return hf__audit_points(audit, HF_TABLE_ITEMS_RUNNING, &place, key);
}

/* Laws 5 and 6 for an item of a session. */
static hf_status check_item_session(struct hf__audit *audit, const struct hf_row_item *item,
                                    hf_slice key)
{
    struct hf_row_session session;
    struct hf_session_id id = { item->id.instance, item->incarnation };
    bool is_dead = false, is_closed = false;
    struct hf_key place = hf_key_session_item(
        &(struct hf_session_item_place){ id, item->state, item->arrival });
    hf_status status = hf__audit_points(audit, HF_TABLE_SESSION_ITEMS, &place, key);
    if (status == HF_OK) status = hf_session_get(audit->tables, &id, &session, audit->error);
    if (status == HF_OK && item->tag != session.tag) {
        return hf__audit_broken(audit, HF_LAW_S11,
                                "item %" PRIu64 " of instance %" PRIu64
                                " has another tag than its session",
                                item->id.event_id, item->id.instance);
    }
    if (status == HF_OK) {
        if (item->state != HF_ITEM_RUNNING || session.owner == item->registration) return HF_OK;
        return hf__audit_broken(audit, HF_LAW_S4,
                                "item %" PRIu64 " of instance %" PRIu64 " runs outside its session",
                                item->id.event_id, item->id.instance);
    }
    if (status != HF_NOT_FOUND) return status;
    status = hf__audit_is_marked(
        audit, &(struct hf_reclaim_place){ HF_RECLAIM_SESSION, id.instance, id.incarnation },
        &is_closed);
    if (status == HF_OK) {
        status = hf__audit_is_marked(
            audit, &(struct hf_reclaim_place){ HF_RECLAIM_INSTANCE, id.instance, 0 }, &is_dead);
    }
    if (status != HF_OK || is_closed || is_dead) return status;
    return hf__audit_broken(audit, HF_LAW_S6,
                            "item %" PRIu64 " of instance %" PRIu64 " outlived its session",
                            item->id.event_id, item->id.instance);
}

/* Whose event scheduled it. What is left of a gone instance or a former execution waits for
 * reclaim, and its history may be pruned. */
static hf_status check_item_event(struct hf__audit *audit, const struct hf_row_item *item)
{
    struct hf_row_instance instance;
    struct hf_row_session session;
    struct hf_ref scheduled;
    hf_status status = hf__audit_instance_of(audit, item->id.instance, &instance);
    if (status != HF_OK || instance.number == 0) return status;
    if (item->id.execution != instance.execution) {
        struct hf_session_id id = { item->id.instance, item->incarnation };
        status = hf_session_get(audit->tables, &id, &session, audit->error);
        if (status == HF_OK || item->incarnation == 0) {
            return hf__audit_broken(audit, HF_LAW_H4, "item %" PRIu64 " is of a former execution",
                                    item->id.event_id);
        }
        return status == HF_NOT_FOUND ? HF_OK : status;
    }
    status = hf_history_get(audit->tables, &item->id, &scheduled, audit->error);
    status = hf__audit_there(audit, HF_LAW_Q2, status, "event of item", item->id.event_id);
    if (status != HF_OK || scheduled.lsn == item->body.lsn) return status;
    return hf__audit_broken(audit, HF_LAW_Q2, "item %" PRIu64 " has another event's body",
                            item->id.event_id);
}

/* Law 3. */
hf_status hf__audit_check_item(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_item_id id;
    struct hf_row_item item;
    struct hf_row_registration registration;
    if (!hf_key_read_item(row->key, &id)) return hf__row_damaged(audit->table, audit->error);
    hf_status status = hf_item_get(audit->tables, &id, &item, audit->error);
    if (status == HF_OK) status = check_item_event(audit, &item);
    if (status != HF_OK) return status;
    if (item.deaths > item.attempts || (item.state == HF_ITEM_RUNNING && item.attempts == 0)) {
        return hf__audit_broken(
            audit, HF_LAW_Q6, "item %" PRIu64 " counts %" PRIu64 " attempts and %" PRIu64 " deaths",
            id.event_id, item.attempts, item.deaths);
    }
    status = check_item_queue(audit, &item, row->key);
    if (status == HF_OK && item.state == HF_ITEM_RUNNING) {
        status = hf_registration_get(audit->tables, item.registration, &registration, audit->error);
        status = hf__audit_there(audit, HF_LAW_R2, status, "registration", item.registration);
    }
    if (status != HF_OK || item.incarnation == 0) return status;
    return check_item_session(audit, &item, row->key);
}

/* The item that a queue's row points to. */
static hf_status item_pointed(struct hf__audit *audit, const struct hf_table_row *row,
                              struct hf_row_item *out_item)
{
    struct hf_item_id id;
    hf_status status = hf__row_item_key(audit->table, row, &id, audit->error);
    if (status == HF_OK) status = hf_item_get(audit->tables, &id, out_item, audit->error);
    return hf__audit_there(audit, HF_LAW_Q1, status, "item",
                           status == HF_NOT_FOUND ? id.event_id : 0);
}

hf_status hf__audit_check_item_ready(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_row_item item;
    hf_status status = item_pointed(audit, row, &item);
    if (status != HF_OK) return status;
    if (item.state != HF_ITEM_READY || item.incarnation != 0) {
        return hf__audit_broken(audit, HF_LAW_Q1, "item %" PRIu64 " is not ready",
                                item.id.event_id);
    }
    struct hf_key key = hf_key_ready(&(struct hf_ready_place){ item.tag, item.arrival });
    return hf__audit_key(audit, row, &key);
}

hf_status hf__audit_check_item_running(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_row_item item;
    hf_status status = item_pointed(audit, row, &item);
    if (status != HF_OK) return status;
    if (item.state != HF_ITEM_RUNNING) {
        return hf__audit_broken(audit, HF_LAW_Q1, "item %" PRIu64 " does not run",
                                item.id.event_id);
    }
    struct hf_key key = hf_key_running(
        &(struct hf_running_place){ item.registration, item.tag, item.arrival });
    return hf__audit_key(audit, row, &key);
}

hf_status hf__audit_check_session_item(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_row_item item;
    hf_status status = item_pointed(audit, row, &item);
    if (status != HF_OK) return status;
    struct hf_key key = hf_key_session_item(&(struct hf_session_item_place){
        { item.id.instance, item.incarnation }, item.state, item.arrival });
    return hf__audit_key(audit, row, &key);
}

/* ---- sessions ------------------------------------------------------------------------------- */

/* How many items of one state a session has, and the oldest of them. */
static hf_status count_items(struct hf__audit *audit, struct hf_session_item_place *place,
                             uint64_t *out_count, struct hf_arrival *out_first)
{
    struct hf_item_id item;
    hf_status status = HF_OK;
    for (*out_count = 0; status == HF_OK; *out_count += status == HF_OK) {
        status = hf_session_items_next(audit->tables, place, &item, audit->error);
        if (status == HF_OK && *out_count == 0) *out_first = place->arrival;
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

static hf_status check_session_counts(struct hf__audit *audit, const struct hf_row_session *session)
{
    const uint64_t said[] = { session->ready_count, session->running_count,
                              session->delayed_count };
    struct hf_arrival head = { 0, 0 }, first = { 0, 0 };
    for (uint64_t state = HF_ITEM_READY; state <= HF_ITEM_DELAYED; state++) {
        struct hf_session_item_place place = { session->id, state, { 0, 0 } };
        uint64_t count = 0;
        hf_status status = count_items(audit, &place, &count, &first);
        if (status != HF_OK) return status;
        if (count != said[state - HF_ITEM_READY]) {
            return hf__audit_broken(audit, HF_LAW_X3,
                                    "session %" PRIu64 " of instance %" PRIu64 " counts %" PRIu64
                                    " items in state %" PRIu64 ", not %" PRIu64,
                                    session->id.incarnation, session->id.instance,
                                    said[state - HF_ITEM_READY], state, count);
        }
        if (state == HF_ITEM_READY && count > 0) head = first;
    }
    if (hf_arrival_compare(&head, &session->head) == 0) return HF_OK;
    return hf__audit_broken(audit, HF_LAW_X3,
                            "session %" PRIu64 " of instance %" PRIu64 " has another oldest item",
                            session->id.incarnation, session->id.instance);
}

static struct hf_key session_ready_key(const struct hf_row_session *session)
{
    return hf_key_session_ready(&(struct hf_session_ready_place){
        session->owner, session->tag,
        session->unowned_reason == HF_REASON_DEAD || session->unowned_reason == HF_REASON_SHUTDOWN
            ? HF_SESSION_CLASS_ORPHANED
            : HF_SESSION_CLASS_OTHER,
        session->head });
}

static bool has_items(const struct hf_row_session *session)
{
    return session->ready_count + session->running_count + session->delayed_count > 0;
}

/* Law 4. */
hf_status hf__audit_check_session(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_session_id id;
    struct hf_row_session session;
    struct hf_row_instance instance;
    if (!hf_key_read_session(row->key, &id)) return hf__row_damaged(audit->table, audit->error);
    hf_status status = hf_session_get(audit->tables, &id, &session, audit->error);
    if (status == HF_OK) status = hf__audit_instance_of(audit, id.instance, &instance);
    if (status == HF_OK) status = check_session_counts(audit, &session);
    if (status == HF_OK && (session.quiet_unix_ms == 0) != has_items(&session)) {
        return hf__audit_broken(audit, HF_LAW_X3,
                                "session %" PRIu64 " of instance %" PRIu64 " is%s quiet",
                                id.incarnation, id.instance, has_items(&session) ? " not" : "");
    }
    if (status == HF_OK && session.ready_count > 0) {
        struct hf_key key = session_ready_key(&session);
        status = hf__audit_points(audit, HF_TABLE_SESSIONS_READY, &key, row->key);
    }
    if (status == HF_OK && session.owner != 0) {
        struct hf_key key = hf_key_session_owned(
            &(struct hf_session_owned_place){ session.owner, id });
        status = hf__audit_points(audit, HF_TABLE_SESSIONS_OWNED, &key, (hf_slice)HF_EMPTY);
    }
    return status;
}

hf_status hf__audit_check_session_ready(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_session_id id;
    struct hf_row_session session;
    if (!hf_key_read_session(row->value, &id)) return hf__row_damaged(audit->table, audit->error);
    hf_status status = hf_session_get(audit->tables, &id, &session, audit->error);
    status = hf__audit_there(audit, HF_LAW_X2, status, "session", id.incarnation);
    if (status != HF_OK) return status;
    if (session.ready_count == 0) {
        return hf__audit_broken(audit, HF_LAW_X2, "session %" PRIu64 " has nothing ready",
                                id.incarnation);
    }
    struct hf_key key = session_ready_key(&session);
    return hf__audit_key(audit, row, &key);
}

hf_status hf__audit_check_session_owned(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_session_owned_place place;
    struct hf_row_session session;
    struct hf_row_registration registration;
    if (!hf_key_read_session_owned(row->key, &place)) {
        return hf__row_damaged(audit->table, audit->error);
    }
    hf_status status = hf_session_get(audit->tables, &place.session, &session, audit->error);
    status = hf__audit_there(audit, HF_LAW_X2, status, "session", place.session.incarnation);
    if (status != HF_OK) return status;
    if (session.owner != place.owner) {
        return hf__audit_broken(audit, HF_LAW_S2,
                                "registration %" PRIu64 " does not own session %" PRIu64,
                                place.owner, place.session.incarnation);
    }
    status = hf_registration_get(audit->tables, place.owner, &registration, audit->error);
    return hf__audit_there(audit, HF_LAW_R2, status, "registration", place.owner);
}

/* ---- timers --------------------------------------------------------------------------------- */

hf_status hf__audit_check_timer(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_timer_place place;
    struct hf_row_timer timer;
    struct hf_row_item item;
    struct hf_row_instance instance;
    unsigned char due[8];
    if (!hf_key_read_timer(row->key, &place)) return hf__row_damaged(audit->table, audit->error);
    hf_put_le64(due, place.due_unix_ms);
    struct hf_key key = hf_key_item(&place.id);
    hf_status status = hf__timer_read(row->value, &timer, audit->error);
    if (status == HF_OK) {
        status = hf__audit_points(audit, HF_TABLE_TIMERS_BY_ID, &key, hf_bytes(due, sizeof(due)));
    }
    if (status == HF_OK) status = hf__audit_instance_of(audit, place.id.instance, &instance);
    if (status != HF_OK || timer.kind == HF_TIMER_MESSAGE) return status;
    status = hf_item_get(audit->tables, &place.id, &item, audit->error);
    status = hf__audit_there(audit, HF_LAW_Q1, status, "item of timer", place.id.event_id);
    if (status != HF_OK) return status;
    bool is_start = timer.kind == HF_TIMER_START;
    if (is_start ? item.has_start_limit != 0 : item.state == HF_ITEM_DELAYED) return HF_OK;
    return hf__audit_broken(audit, HF_LAW_Q1, "item %" PRIu64 " waits for no such timer",
                            place.id.event_id);
}

hf_status hf__audit_check_timer_by_id(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_timer_place place;
    bool has = false;
    if (!hf_key_read_item(row->key, &place.id) || row->value.size != 8) {
        return hf__row_damaged(audit->table, audit->error);
    }
    place.due_unix_ms = hf_get_le64(row->value.data);
    struct hf_key key = hf_key_timer(&place);
    hf_status status = hf__audit_has_row(audit, HF_TABLE_TIMERS, &key, &has);
    if (status != HF_OK || has) return status;
    return hf__audit_broken(audit, HF_LAW_X2,
                            "timer %" PRIu64 " of instance %" PRIu64 " has no due row",
                            place.id.event_id, place.id.instance);
}
