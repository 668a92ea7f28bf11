/* The layouts of all record kinds: which key holds which field. Keys are on disk for ever: append,
 * never renumber.
 *
 * Kept free in every record: 96 payload codec, 97 trace context, 98 idempotency key, 99 priority,
 * 100 fairness key, 101 start deadline, 102 patch marker, 103 session tag, 104 reclaim window. */
#include "engine/record.h"

/* clang-format off: one field a line reads as a table */
/* One field: struct, key, whether it must be there, member, layout of its elements. */
#define NUMBER(type, key, required, member)                                                        \
    {                                                                                              \
        key, HF_FIELD_NUMBER, required, offsetof(struct type, member), #member, NULL               \
    }
#define BYTES(type, key, required, member)                                                         \
    {                                                                                              \
        key, HF_FIELD_BYTES, required, offsetof(struct type, member), #member, NULL                \
    }
#define TEXT(type, key, required, member)                                                          \
    {                                                                                              \
        key, HF_FIELD_TEXT, required, offsetof(struct type, member), #member, NULL                 \
    }
#define LIST(type, key, required, member, of)                                                      \
    {                                                                                              \
        key, HF_FIELD_LIST, required, offsetof(struct type, member), #member, &of##_layout         \
    }
#define LAYOUT(name, type)                                                                         \
    static const struct hf_layout name##_layout = { #name, sizeof(struct type), name##_fields,     \
                                                    HF_COUNT_OF(name##_fields) }

static const struct hf_field store_created_fields[] = {
    BYTES(hf_store_created, 1, true, store_id),
    NUMBER(hf_store_created, 2, true, major),
    NUMBER(hf_store_created, 3, false, minor),
    NUMBER(hf_store_created, 4, false, incompatible),
    NUMBER(hf_store_created, 5, false, read_compatible),
    NUMBER(hf_store_created, 6, false, compatible),
    NUMBER(hf_store_created, 7, true, word_size),
    NUMBER(hf_store_created, 8, true, byte_order),
    NUMBER(hf_store_created, 9, true, page_size),
};
LAYOUT(store_created, hf_store_created);

static const struct hf_field generation_raised_fields[] = {
    NUMBER(hf_generation_raised, 1, true, generation),
    NUMBER(hf_generation_raised, 2, false, reason),
};
LAYOUT(generation_raised, hf_generation_raised);

static const struct hf_field started_fields[] = {
    NUMBER(hf_started, 1, true, instance),
    TEXT(hf_started, 2, true, id),
    TEXT(hf_started, 3, true, orchestration),
    NUMBER(hf_started, 4, false, engine_version),
    BYTES(hf_started, 5, true, body),
    NUMBER(hf_started, 6, false, parent_instance),
    NUMBER(hf_started, 7, false, parent_execution),
    NUMBER(hf_started, 8, false, parent_event),
    BYTES(hf_started, 9, false, lost_body),
    BYTES(hf_started, 10, false, orphan_body),
    BYTES(hf_started, 11, false, deleted_body),
    TEXT(hf_started, 12, false, version),
    TEXT(hf_started, 98, false, key),
};
LAYOUT(started, hf_started);

static const struct hf_field message_fields[] = {
    NUMBER(hf_message_record, 1, true, instance),   BYTES(hf_message_record, 2, false, body),
    NUMBER(hf_message_record, 3, false, execution), NUMBER(hf_message_record, 4, false, orphaned),
    TEXT(hf_message_record, 98, false, key),
};
LAYOUT(message, hf_message_record);

static const struct hf_field timer_fired_fields[] = {
    NUMBER(hf_timer_fired, 1, true, timer.instance),
    NUMBER(hf_timer_fired, 2, true, timer.execution),
    NUMBER(hf_timer_fired, 3, true, timer.event_id),
    NUMBER(hf_timer_fired, 4, false, due_unix_ms),
};
LAYOUT(timer_fired, hf_timer_fired);

static const struct hf_field terminated_fields[] = {
    NUMBER(hf_terminated, 1, true, instance),  NUMBER(hf_terminated, 2, true, execution),
    NUMBER(hf_terminated, 3, true, event_id),  BYTES(hf_terminated, 4, true, body),
    NUMBER(hf_terminated, 5, false, attempts), TEXT(hf_terminated, 98, false, key),
};
LAYOUT(terminated, hf_terminated);

static const struct hf_field suspended_fields[] = {
    NUMBER(hf_suspended, 1, true, instance),
    TEXT(hf_suspended, 2, false, code),
    TEXT(hf_suspended, 3, false, text),
    TEXT(hf_suspended, 98, false, key),
};
LAYOUT(suspended, hf_suspended);

static const struct hf_field registered_fields[] = {
    TEXT(hf_registered, 1, true, worker_id),       TEXT(hf_registered, 2, true, life),
    TEXT(hf_registered, 3, false, boot_id),        NUMBER(hf_registered, 4, false, pid),
    NUMBER(hf_registered, 104, false, reclaim_ms),
};
LAYOUT(registered, hf_registered);

static const struct hf_field registration_ended_fields[] = {
    NUMBER(hf_registration_ended, 1, true, registration),
    NUMBER(hf_registration_ended, 2, true, reason),
    NUMBER(hf_registration_ended, 3, false, by),
};
LAYOUT(registration_ended, hf_registration_ended);

static const struct hf_field reclaimed_fields[] = {
    NUMBER(hf_reclaimed, 1, false, registration),
    NUMBER(hf_reclaimed, 2, false, instance),
    NUMBER(hf_reclaimed, 3, false, incarnation),
    NUMBER(hf_reclaimed, 4, true, rows_max),
};
LAYOUT(reclaimed, hf_reclaimed);

static const struct hf_field delivered_item_fields[] = {
    NUMBER(hf_delivered_item, 1, true, item.instance),
    NUMBER(hf_delivered_item, 2, true, item.execution),
    NUMBER(hf_delivered_item, 3, true, item.event_id),
    NUMBER(hf_delivered_item, 4, false, reason),
    NUMBER(hf_delivered_item, 5, false, from),
    NUMBER(hf_delivered_item, 6, false, deadline_boot_ms),
};
LAYOUT(delivered_item, hf_delivered_item);

static const struct hf_field claimed_session_fields[] = {
    NUMBER(hf_claimed_session, 1, true, instance),
    NUMBER(hf_claimed_session, 2, true, incarnation),
    NUMBER(hf_claimed_session, 3, false, reason),
    NUMBER(hf_claimed_session, 4, false, from),
    NUMBER(hf_claimed_session, 5, false, deadline_boot_ms),
};
LAYOUT(claimed_session, hf_claimed_session);

static const struct hf_field delivered_fields[] = {
    NUMBER(hf_delivered, 1, true, registration),
    LIST(hf_delivered, 2, false, items, delivered_item),
    LIST(hf_delivered, 3, false, claims, claimed_session),
};
LAYOUT(delivered, hf_delivered);

static const struct hf_field completed_fields[] = {
    NUMBER(hf_completed, 1, true, item.instance),
    NUMBER(hf_completed, 2, true, item.execution),
    NUMBER(hf_completed, 3, true, item.event_id),
    NUMBER(hf_completed, 4, true, delivery_lsn),
    NUMBER(hf_completed, 5, true, delivery_number),
    NUMBER(hf_completed, 6, true, registration),
    BYTES(hf_completed, 7, true, body),
    NUMBER(hf_completed, 8, false, is_poison),
};
LAYOUT(completed, hf_completed);

static const struct hf_field abandoned_fields[] = {
    NUMBER(hf_abandoned, 1, true, item.instance),   NUMBER(hf_abandoned, 2, true, item.execution),
    NUMBER(hf_abandoned, 3, true, item.event_id),   NUMBER(hf_abandoned, 4, true, delivery_lsn),
    NUMBER(hf_abandoned, 5, true, delivery_number), NUMBER(hf_abandoned, 6, true, registration),
    NUMBER(hf_abandoned, 7, false, reason),         NUMBER(hf_abandoned, 8, false, uncounted),
    NUMBER(hf_abandoned, 9, false, due_unix_ms),
};
LAYOUT(abandoned, hf_abandoned);

static const struct hf_field released_session_fields[] = {
    NUMBER(hf_released_session, 1, true, instance),
    NUMBER(hf_released_session, 2, true, incarnation),
    NUMBER(hf_released_session, 3, true, epoch),
};
LAYOUT(released_session, hf_released_session);

static const struct hf_field sessions_released_fields[] = {
    NUMBER(hf_sessions_released, 1, true, registration),
    NUMBER(hf_sessions_released, 2, false, reason),
    LIST(hf_sessions_released, 3, true, sessions, released_session),
};
LAYOUT(sessions_released, hf_sessions_released);

static const struct hf_field consumed_message_fields[] = {
    NUMBER(hf_consumed_message, 1, true, lsn),
    NUMBER(hf_consumed_message, 2, false, event_id),
};
LAYOUT(consumed_message, hf_consumed_message);

static const struct hf_field turn_event_fields[] = {
    NUMBER(hf_turn_event, 1, true, event_id),
    BYTES(hf_turn_event, 2, true, body),
};
LAYOUT(turn_event, hf_turn_event);

static const struct hf_field turn_item_fields[] = {
    NUMBER(hf_turn_item, 1, true, event_id),
    NUMBER(hf_turn_item, 2, false, incarnation),
    TEXT(hf_turn_item, 3, false, tag),
    BYTES(hf_turn_item, 4, false, late_body),
    NUMBER(hf_turn_item, 101, false, start_due_unix_ms),
};
LAYOUT(turn_item, hf_turn_item);

static const struct hf_field turn_timer_fields[] = {
    NUMBER(hf_turn_timer, 1, true, event_id),
    NUMBER(hf_turn_timer, 2, false, due_unix_ms),
    BYTES(hf_turn_timer, 3, true, body),
};
LAYOUT(turn_timer, hf_turn_timer);

static const struct hf_field turn_cancel_fields[] = {
    NUMBER(hf_turn_cancel, 1, true, event_id),
};
LAYOUT(turn_cancel, hf_turn_cancel);

static const struct hf_field turn_session_fields[] = {
    NUMBER(hf_turn_session, 1, true, incarnation),
    TEXT(hf_turn_session, 2, false, id),
    NUMBER(hf_turn_session, 3, false, event_id),
    TEXT(hf_turn_session, 103, false, tag),
};
LAYOUT(turn_session, hf_turn_session);

static const struct hf_field turn_carried_fields[] = {
    NUMBER(hf_turn_carried, 1, true, event_id),
};
LAYOUT(turn_carried, hf_turn_carried);

static const struct hf_field turn_child_fields[] = {
    NUMBER(hf_turn_child, 1, true, event_id),    TEXT(hf_turn_child, 2, true, id),
    TEXT(hf_turn_child, 3, true, orchestration), BYTES(hf_turn_child, 4, true, body),
    BYTES(hf_turn_child, 5, false, lost_body),   BYTES(hf_turn_child, 6, false, orphan_body),
    BYTES(hf_turn_child, 7, false, clash_body),  BYTES(hf_turn_child, 8, false, deleted_body),
    TEXT(hf_turn_child, 9, false, version),      NUMBER(hf_turn_child, 10, false, is_detached),
};
LAYOUT(turn_child, hf_turn_child);

static const struct hf_field turn_child_cancel_fields[] = {
    NUMBER(hf_turn_child_cancel, 1, true, event_id),
    BYTES(hf_turn_child_cancel, 2, true, body),
};
LAYOUT(turn_child_cancel, hf_turn_child_cancel);

static const struct hf_field turn_value_fields[] = {
    NUMBER(hf_turn_value, 1, true, event_id),
    TEXT(hf_turn_value, 2, false, key),
    NUMBER(hf_turn_value, 3, false, cleared),
};
LAYOUT(turn_value, hf_turn_value);

static const struct hf_field turn_committed_fields[] = {
    NUMBER(hf_turn_committed, 1, true, instance),
    NUMBER(hf_turn_committed, 2, true, execution),
    NUMBER(hf_turn_committed, 3, true, head),
    NUMBER(hf_turn_committed, 4, false, registration),
    NUMBER(hf_turn_committed, 5, false, engine_version),
    LIST(hf_turn_committed, 6, false, messages, consumed_message),
    LIST(hf_turn_committed, 7, false, events, turn_event),
    LIST(hf_turn_committed, 8, false, items, turn_item),
    LIST(hf_turn_committed, 9, false, timers, turn_timer),
    LIST(hf_turn_committed, 10, false, cancels, turn_cancel),
    LIST(hf_turn_committed, 11, false, opened, turn_session),
    LIST(hf_turn_committed, 12, false, closed, turn_session),
    NUMBER(hf_turn_committed, 13, false, status_event),
    NUMBER(hf_turn_committed, 14, true, outcome),
    NUMBER(hf_turn_committed, 15, false, output_event),
    BYTES(hf_turn_committed, 16, false, next_body),
    LIST(hf_turn_committed, 17, false, carried, turn_carried),
    LIST(hf_turn_committed, 18, false, children, turn_child),
    LIST(hf_turn_committed, 19, false, child_cancels, turn_child_cancel),
    BYTES(hf_turn_committed, 20, false, parent_body),
    LIST(hf_turn_committed, 21, false, values, turn_value),
    TEXT(hf_turn_committed, 22, false, version),
    TEXT(hf_turn_committed, 23, false, next_version),
};
LAYOUT(turn_committed, hf_turn_committed);

static const struct hf_field turn_lost_fields[] = {
    NUMBER(hf_turn_lost, 1, true, instance),
    NUMBER(hf_turn_lost, 2, true, head),
    NUMBER(hf_turn_lost, 3, false, registration),
    NUMBER(hf_turn_lost, 4, false, reason),
};
LAYOUT(turn_lost, hf_turn_lost);

static const struct hf_field deleted_fields[] = {
    NUMBER(hf_deleted, 1, true, instance),
    TEXT(hf_deleted, 98, false, key),
};
LAYOUT(deleted, hf_deleted);

static const struct hf_field restarted_fields[] = {
    NUMBER(hf_restarted, 1, true, instance),
    NUMBER(hf_restarted, 2, true, execution),
    NUMBER(hf_restarted, 3, false, events_kept),
    BYTES(hf_restarted, 4, false, body),
    TEXT(hf_restarted, 5, false, version),
    NUMBER(hf_restarted, 6, false, engine_version),
    LIST(hf_restarted, 7, false, sessions, turn_session),
    LIST(hf_restarted, 8, false, items, turn_item),
    LIST(hf_restarted, 9, false, timers, turn_timer),
    LIST(hf_restarted, 10, false, values, turn_value),
    NUMBER(hf_restarted, 11, false, status_event),
    LIST(hf_restarted, 12, false, messages, turn_carried),
};
LAYOUT(restarted, hf_restarted);

static const struct hf_field pruned_fields[] = {
    NUMBER(hf_pruned, 1, true, instance),
    NUMBER(hf_pruned, 2, true, execution),
};
LAYOUT(pruned, hf_pruned);

/* clang-format on */

const struct hf_layout *hf_record_layout(enum hf_record_kind kind)
{
    static const struct hf_layout *const layouts[] = {
        [HF_RECORD_STORE_CREATED] = &store_created_layout,
        [HF_RECORD_GENERATION_RAISED] = &generation_raised_layout,
        [HF_RECORD_STARTED] = &started_layout,
        [HF_RECORD_MESSAGE] = &message_layout,
        [HF_RECORD_TIMER_FIRED] = &timer_fired_layout,
        [HF_RECORD_TERMINATED] = &terminated_layout,
        [HF_RECORD_REGISTERED] = &registered_layout,
        [HF_RECORD_REGISTRATION_ENDED] = &registration_ended_layout,
        [HF_RECORD_RECLAIMED] = &reclaimed_layout,
        [HF_RECORD_DELIVERED] = &delivered_layout,
        [HF_RECORD_COMPLETED] = &completed_layout,
        [HF_RECORD_ABANDONED] = &abandoned_layout,
        [HF_RECORD_SESSIONS_RELEASED] = &sessions_released_layout,
        [HF_RECORD_TURN_COMMITTED] = &turn_committed_layout,
        [HF_RECORD_TURN_LOST] = &turn_lost_layout,
        [HF_RECORD_DELETED] = &deleted_layout,
        [HF_RECORD_SUSPENDED] = &suspended_layout,
        [HF_RECORD_RESTARTED] = &restarted_layout,
        [HF_RECORD_PRUNED] = &pruned_layout,
    };
    _Static_assert(HF_COUNT_OF(layouts) == HF_RECORD_KIND_MAX + 1, "every kind has a layout");
    return kind >= 1 && kind <= HF_RECORD_KIND_MAX ? layouts[kind] : NULL;
}

const char *hf_reason_name(uint64_t reason)
{
    static const char *const names[] = { "none",     "first",        "dead",
                                         "expired",  "released",     "abandoned",
                                         "shutdown", "unregistered", "own" };
    return reason < HF_COUNT_OF(names) ? names[reason] : "?";
}
