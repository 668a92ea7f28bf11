/* The keys of all tables: numbers, most significant byte first, so that the order of bytes is the
 * order of work.
 *
 *   table             key (sizes in bytes)
 *   log               lsn 8, part 2
 *   meta              name
 *   instances         number 8
 *   instance_ids      id
 *   history           instance 8, execution 4, event id 4
 *   inbox             instance 8, arrival lsn 8
 *   turns_due         engine version 4, arrival lsn 8, instance 8
 *   items             instance 8, execution 4, event id 4
 *   items_ready       tag 4, arrival lsn 8, number 4
 *   items_running     registration 8, tag 4, arrival lsn 8, number 4
 *   sessions          instance 8, incarnation 4
 *   session_items     instance 8, incarnation 4, state 1, arrival lsn 8, number 4
 *   sessions_ready    owner 8, tag 4, class 1, arrival lsn 8, number 4 (of its oldest ready item)
 *   sessions_owned    owner 8, instance 8, incarnation 4
 *   timers            due unix ms 8, instance 8, execution 4, event id 4
 *   timers_by_id      instance 8, execution 4, event id 4
 *   children          instance 8, execution 4, event id 4 (of the parent)
 *   registrations     lsn 8
 *   workers           worker id
 *   tags / tag_names  text / number 4
 *   command_keys      idempotency key
 *   reclaim           kind 1, number 8, incarnation 4
 *   kv                instance 8, name (values.h)
 *   dead_letters      instance 8, lsn 8
 *   families          root 8, instance 8
 *   leases            registration 8
 *   turn_locks        instance 8
 *   turn_locks_owned  registration 8, instance 8
 *   turns_held        held until 8, instance 8
 *   writers           id 8
 *
 * Executions, event ids, incarnations, engine versions, tags and numbers within a record have 32
 * bits in keys. What comes from records or callers is compared with HF_KEY_PART_MAX before it
 * reaches a key. */
#ifndef HF_INDEXES_KEYS_H
#define HF_INDEXES_KEYS_H

#include "engine/record.h"

#define HF_KEY_PART_MAX UINT32_MAX

enum { HF_KEY_SIZE_MAX = 32 };

/* Bytes of a key of fixed parts. */
struct hf_key {
    unsigned char bytes[HF_KEY_SIZE_MAX];
    size_t size;
};

/* When an item came into its queue: the record that made it ready first, and its place there
 * from 1. Kept when it is handed back. Zero: before all. */
struct hf_arrival {
    uint64_t lsn, number;
};

/* A session for ever: one opening of an id. */
struct hf_session_id {
    uint64_t instance, incarnation;
};

/* Where an item is. Append-only numbers. */
enum hf_item_state {
    HF_ITEM_READY = 1,   /* in items_ready, or in its session */
    HF_ITEM_RUNNING = 2, /* in items_running */
    HF_ITEM_DELAYED = 3  /* in timers, not before its due time */
};

/* Which unclaimed sessions come first. Owned ones are HF_SESSION_CLASS_OTHER. */
enum hf_session_class { HF_SESSION_CLASS_ORPHANED = 0, HF_SESSION_CLASS_OTHER = 1 };

enum hf_reclaim_kind {
    HF_RECLAIM_REGISTRATION = 1, /* number: an ended registration */
    HF_RECLAIM_INSTANCE = 2,     /* number: an ended or deleted instance */
    HF_RECLAIM_SESSION = 3       /* number: the instance; incarnation: of a closed session */
};

/* Places in ordered tables: one row each. A zeroed tail means before all rows of that head. */
struct hf_turn_due {
    uint64_t engine_version, arrival_lsn, instance;
};
struct hf_ready_place {
    uint64_t tag;
    struct hf_arrival arrival;
};
struct hf_running_place {
    uint64_t registration, tag;
    struct hf_arrival arrival;
};
struct hf_session_item_place {
    struct hf_session_id session;
    uint64_t state; /* enum hf_item_state */
    struct hf_arrival arrival;
};
struct hf_session_ready_place {
    uint64_t owner;         /* 0: unclaimed */
    uint64_t tag;           /* 0: none */
    uint64_t session_class; /* enum hf_session_class */
    struct hf_arrival arrival;
};
struct hf_session_owned_place {
    uint64_t owner;
    struct hf_session_id session;
};
struct hf_timer_place {
    uint64_t due_unix_ms;
    struct hf_item_id id;
};
struct hf_reclaim_place {
    uint64_t kind; /* enum hf_reclaim_kind */
    uint64_t number, incarnation;
};
struct hf_log_place {
    uint64_t lsn, part;
};
struct hf_number_pair {
    uint64_t first, second;
};

/* The bytes of a key. Borrows key. */
hf_slice hf_key_slice(const struct hf_key *key);

/* instances, registrations, leases, turn_locks, writers. */
struct hf_key hf_key_number(uint64_t number);
/* tag_names. */
struct hf_key hf_key_tag(uint64_t tag);
/* inbox, turn_locks_owned, turns_held, dead_letters, families. */
struct hf_key hf_key_pair(const struct hf_number_pair *pair);
/* history, items, timers_by_id, children. */
struct hf_key hf_key_item(const struct hf_item_id *item);
/* sessions. */
struct hf_key hf_key_session(const struct hf_session_id *session);
/* log. */
struct hf_key hf_key_log(const struct hf_log_place *place);
/* turns_due. */
struct hf_key hf_key_turn_due(const struct hf_turn_due *place);
/* items_ready. */
struct hf_key hf_key_ready(const struct hf_ready_place *place);
/* items_running. */
struct hf_key hf_key_running(const struct hf_running_place *place);
/* session_items. */
struct hf_key hf_key_session_item(const struct hf_session_item_place *place);
/* sessions_ready. */
struct hf_key hf_key_session_ready(const struct hf_session_ready_place *place);
/* sessions_owned. */
struct hf_key hf_key_session_owned(const struct hf_session_owned_place *place);
/* timers. */
struct hf_key hf_key_timer(const struct hf_timer_place *place);
/* reclaim. */
struct hf_key hf_key_reclaim(const struct hf_reclaim_place *place);

/* And back. False: the bytes have another size than such a key. */
bool hf_key_read_number(hf_slice key, uint64_t *out_number);
/* Reads back what hf_key_pair made; false for bytes of another size. Likewise the next ones. */
bool hf_key_read_pair(hf_slice key, struct hf_number_pair *out_pair);
/* Of hf_key_item. */
bool hf_key_read_item(hf_slice key, struct hf_item_id *out_item);
/* Of hf_key_session. */
bool hf_key_read_session(hf_slice key, struct hf_session_id *out_session);
/* Of hf_key_log. */
bool hf_key_read_log(hf_slice key, struct hf_log_place *out_place);
/* Of hf_key_turn_due. */
bool hf_key_read_turn_due(hf_slice key, struct hf_turn_due *out_place);
/* Of hf_key_ready. */
bool hf_key_read_ready(hf_slice key, struct hf_ready_place *out_place);
/* Of hf_key_running. */
bool hf_key_read_running(hf_slice key, struct hf_running_place *out_place);
/* Of hf_key_session_item. */
bool hf_key_read_session_item(hf_slice key, struct hf_session_item_place *out_place);
/* Of hf_key_session_ready. */
bool hf_key_read_session_ready(hf_slice key, struct hf_session_ready_place *out_place);
/* Of hf_key_session_owned. */
bool hf_key_read_session_owned(hf_slice key, struct hf_session_owned_place *out_place);
/* Of hf_key_timer. */
bool hf_key_read_timer(hf_slice key, struct hf_timer_place *out_place);
/* Of hf_key_reclaim. */
bool hf_key_read_reclaim(hf_slice key, struct hf_reclaim_place *out_place);

/* Whether every 32-bit part of the id fits its key. */
bool hf_item_id_fits(const struct hf_item_id *item);

/* <0, 0, >0: which came first. */
int hf_arrival_compare(const struct hf_arrival *a, const struct hf_arrival *b);

#endif
