/* Log records: what each kind holds. One record is one committed step of the system, whole; the
 * indexes are a fold of them.
 *
 * Each struct below is one kind's body; its layout (record.c) gives the keys on disk.
 * docs/format.md is the same as tables. A record concerns one instance, or a worker's scope and
 * then it holds no payload. Slices that a decoded record holds point into its body, so that a
 * payload's place (offset in the body) is known to the fold. */
#ifndef HF_RECORD_H
#define HF_RECORD_H

#include "engine/codec.h"

/* An LSN: 16 bits store generation, 48 bits counter. */
static inline uint64_t hf_lsn_make(uint64_t generation, uint64_t counter)
{
    return generation << 48 | counter;
}

/* The store generation in an LSN, and in a token made of one. */
static inline uint64_t hf_lsn_generation(uint64_t lsn)
{
    return lsn >> 48;
}

/* The counter in an LSN: from 1, without gaps, going on across generations. */
static inline uint64_t hf_lsn_counter(uint64_t lsn)
{
    return lsn & ((UINT64_C(1) << 48) - 1);
}

/* Append-only numbers. */
enum hf_record_kind {
    HF_RECORD_STORE_CREATED = 1,
    HF_RECORD_GENERATION_RAISED = 2,
    HF_RECORD_STARTED = 3,
    HF_RECORD_MESSAGE = 4,
    HF_RECORD_TIMER_FIRED = 5,
    HF_RECORD_TERMINATED = 6,
    HF_RECORD_REGISTERED = 7,
    HF_RECORD_REGISTRATION_ENDED = 8,
    HF_RECORD_RECLAIMED = 9,
    HF_RECORD_DELIVERED = 10,
    HF_RECORD_COMPLETED = 11,
    HF_RECORD_ABANDONED = 12,
    HF_RECORD_SESSIONS_RELEASED = 13,
    HF_RECORD_TURN_COMMITTED = 14,
    HF_RECORD_TURN_LOST = 15,
    HF_RECORD_DELETED = 16,
    HF_RECORD_SUSPENDED = 17,
    HF_RECORD_RESTARTED = 18,
    HF_RECORD_PRUNED = 19,
    HF_RECORD_KIND_MAX = 19
};

/* Why work was taken from someone, or handed back. Append-only numbers. */
enum hf_reason {
    HF_REASON_NONE = 0,
    HF_REASON_FIRST = 1,        /* nobody had it */
    HF_REASON_DEAD = 2,         /* its process died */
    HF_REASON_EXPIRED = 3,      /* its deadline had passed */
    HF_REASON_RELEASED = 4,     /* given up in order */
    HF_REASON_ABANDONED = 5,    /* handed back as failed */
    HF_REASON_SHUTDOWN = 6,     /* its worker stopped in order */
    HF_REASON_UNREGISTERED = 7, /* its worker has no function of that name */
    HF_REASON_OWN = 8           /* it was ours already: another delivery to the same registration */
};

/* So many items, sessions, timers and messages move or go at most when one record ends a session,
 * an instance or a registration; the rest waits for reclaim. Part of the fold: the same number for
 * ever. */
enum { HF_PURGE_MAX = 1000 };

/* A run of bytes inside the body of a logged record: how rows name a payload that is written once.
 */
struct hf_ref {
    uint64_t lsn;    /* 0: none */
    uint64_t offset; /* in the logical body; has 32 bits, as the next two */
    uint64_t size;
    uint64_t check; /* low half of XXH3-64 of the bytes */
};

/* An item for ever: the activity identity. */
struct hf_item_id {
    uint64_t instance;
    uint64_t execution;
    uint64_t event_id; /* of the event that scheduled it */
};

/* Whether both name the same event. */
static inline bool hf_item_id_equal(const struct hf_item_id *a, const struct hf_item_id *b)
{
    return a->instance == b->instance && a->execution == b->execution && a->event_id == b->event_id;
}

struct hf_store_created {
    hf_slice store_id; /* 16 random bytes */
    uint64_t major, minor;
    uint64_t incompatible, read_compatible, compatible; /* feature bits */
    uint64_t word_size, byte_order, page_size;          /* byte_order: 1 little, 2 big */
};

struct hf_generation_raised {
    uint64_t generation; /* the new one */
    uint64_t reason;     /* 1: a plain copy was opened for writing */
};

struct hf_started {
    uint64_t instance; /* number, counting up, never used again */
    hf_slice id, orchestration;
    uint64_t engine_version;
    hf_slice body;                                            /* event 1 of execution 1; opaque */
    uint64_t parent_instance, parent_execution, parent_event; /* whose child it is; 0: nobody's */
    hf_slice lost_body;    /* of a child: the message to its parent when it is terminated */
    hf_slice orphan_body;  /* of a child: the message to it when its parent has ended */
    hf_slice deleted_body; /* of a child: the message to its parent when it is deleted */
    hf_slice key;          /* idempotency key, or empty */
    hf_slice version;      /* of the orchestration that was asked for; empty: none */
};

struct hf_message_record {
    uint64_t instance;
    hf_slice body; /* opaque event body; empty: its bytes are damaged, and only `orphaned` counts */
    uint64_t execution; /* of the child event that it answers; 0: none */
    uint64_t orphaned;  /* 1: to a child, which is nobody's from here on: its parent has ended, or
                           wants no outcome of it */
    hf_slice key;
};

struct hf_timer_fired {
    struct hf_item_id timer; /* its row says whether it feeds the inbox or puts an item back in its
                                queue */
    uint64_t due_unix_ms;
};

/* Ended without its code: by a client, or since its turn is poison. */
struct hf_terminated {
    uint64_t instance, execution, event_id;
    hf_slice body; /* the last event */
    hf_slice key;
    uint64_t attempts; /* of the turn that was given up: it failed; 0: terminated */
};

/* Its code does not run until it is resumed; messages come in. */
struct hf_suspended {
    uint64_t instance;
    hf_slice code; /* why, for programs; empty: it is resumed */
    hf_slice text; /* why, for people */
    hf_slice key;
};

/* An ended instance runs again, in its next execution, whose history begins with a part of the one
 * that ended, or anew. Event ids are of both. */
struct hf_restarted {
    uint64_t instance, execution; /* that ended */
    uint64_t events_kept;         /* of it, from event 1 on; 0: none */
    hf_slice body;                /* event 1, when none is kept */
    hf_slice version;             /* of the code, or that is asked for; empty: none */
    uint64_t engine_version;      /* when none is kept; 0: as it is */
    struct hf_list sessions;      /* hf_turn_session: open again, cold */
    struct hf_list items;         /* hf_turn_item: to be done again */
    struct hf_list timers;        /* hf_turn_timer: set again */
    struct hf_list values;        /* hf_turn_value: set or cleared in what is kept */
    uint64_t status_event;        /* that set the custom status in what is kept; 0: none */
    struct hf_list messages;      /* hf_turn_carried: behind what is kept; into the inbox again */
};

struct hf_registered {
    hf_slice worker_id;
    hf_slice life;    /* name of the life file */
    hf_slice boot_id; /* of the machine's present boot */
    uint64_t pid;
    uint64_t reclaim_ms; /* after its death its sessions wait so long for the same worker id */
};

struct hf_registration_ended {
    uint64_t registration;
    uint64_t reason; /* enum hf_reason: dead or shutdown */
    uint64_t by;     /* registration that declared it, 0: itself or none */
};

/* A bounded step of clearing up. Exactly one of registration and instance is given. */
struct hf_reclaimed {
    uint64_t registration; /* an ended one: its items and sessions move back to their queues */
    uint64_t instance;     /* an ended one; with incarnation: that closed session of it */
    uint64_t incarnation;
    uint64_t rows_max; /* how many items, sessions, timers and messages move or go */
};

struct hf_delivered_item {
    struct hf_item_id item;
    uint64_t reason;
    uint64_t from;             /* registration that held it, 0: none */
    uint64_t deadline_boot_ms; /* that was seen passed, 0: none */
};

struct hf_claimed_session {
    uint64_t instance, incarnation;
    uint64_t reason, from, deadline_boot_ms; /* as above */
};

struct hf_delivered {
    uint64_t registration;
    struct hf_list items;  /* hf_delivered_item; its place + 1 is the token's number */
    struct hf_list claims; /* hf_claimed_session, folded before the items */
};

struct hf_completed {
    struct hf_item_id item;
    uint64_t delivery_lsn, delivery_number, registration;
    hf_slice body;      /* the message: an opaque event body */
    uint64_t is_poison; /* 1: it was given up without being run */
};

struct hf_abandoned {
    struct hf_item_id item;
    uint64_t delivery_lsn, delivery_number, registration;
    uint64_t reason;
    uint64_t uncounted;   /* 1: the attempt does not count */
    uint64_t due_unix_ms; /* not before; 0: at once */
};

struct hf_released_session {
    uint64_t instance, incarnation, epoch;
};

struct hf_sessions_released {
    uint64_t registration, reason;
    struct hf_list sessions; /* hf_released_session */
};

struct hf_consumed_message {
    uint64_t lsn;      /* its key in the inbox */
    uint64_t event_id; /* that it became; 0: dropped */
};

struct hf_turn_event {
    uint64_t event_id;
    hf_slice body; /* opaque */
};

struct hf_turn_item {
    uint64_t event_id;    /* of this record: its body is the item's */
    uint64_t incarnation; /* of its session, 0: ordinary */
    hf_slice tag;
    uint64_t start_due_unix_ms; /* with late_body: by then somebody is given it, or it goes ... */
    hf_slice late_body;         /* ... and this becomes a message; empty: no limit */
};

struct hf_turn_timer {
    uint64_t event_id, due_unix_ms;
    hf_slice body; /* the message that it becomes */
};

struct hf_turn_cancel {
    uint64_t event_id; /* of an item or timer of this execution; unknown ones have no effect */
};

struct hf_turn_session {
    uint64_t incarnation;
    hf_slice id; /* when opened, as the next two */
    hf_slice tag;
    uint64_t event_id; /* of this record: its body is handed out with each claim */
};

struct hf_turn_carried {
    uint64_t event_id; /* of this execution; its bytes become an event of the next */
};

/* What the code did to a value of its instance. */
struct hf_turn_value {
    uint64_t event_id; /* of this record; when set, its body is the value's */
    hf_slice key;      /* empty: all of them, when cleared */
    uint64_t cleared;  /* 1: it is gone; 0: set */
};

/* A child to be started, under an id that may be taken. */
struct hf_turn_child {
    uint64_t event_id; /* of this record: what its outcome answers */
    hf_slice id, orchestration;
    hf_slice body;                                 /* event 1 of the child */
    hf_slice lost_body, orphan_body, deleted_body; /* as in struct hf_started */
    hf_slice clash_body;  /* the message to this instance when the id is taken */
    hf_slice version;     /* that was asked for; empty: none */
    uint64_t is_detached; /* 1: it is nobody's child, has none of these messages, and does not start
                             when its id is taken */
};

/* A child that is to be asked to stop; its outcome is not wanted any more. */
struct hf_turn_child_cancel {
    uint64_t event_id; /* of this execution, that started it; unknown ones have no effect */
    hf_slice body;     /* the message to the child */
};

/* What became of the instance. Append-only numbers. */
enum hf_outcome {
    HF_OUTCOME_RUNNING = 1,
    HF_OUTCOME_CONTINUED = 2,
    HF_OUTCOME_COMPLETED = 3,
    HF_OUTCOME_FAILED = 4,
    HF_OUTCOME_CANCELLED = 5
};

struct hf_turn_committed {
    uint64_t instance, execution, head, registration;
    uint64_t engine_version;
    struct hf_list messages; /* hf_consumed_message, in the order of their LSNs */
    struct hf_list events;   /* hf_turn_event, by rising id, behind those of the messages */
    struct hf_list items;    /* hf_turn_item */
    struct hf_list timers;   /* hf_turn_timer */
    struct hf_list cancels;  /* hf_turn_cancel: folded behind items and timers */
    struct hf_list opened;   /* hf_turn_session: folded before items */
    struct hf_list closed;   /* hf_turn_session: folded last */
    uint64_t status_event;   /* of this record: its body is the custom status now; 0: unchanged */
    uint64_t outcome;        /* enum hf_outcome */
    uint64_t output_event;   /* of this record: the last one, when the instance ended */
    hf_slice next_body;      /* event 1 of the next execution, when continued */
    struct hf_list carried;  /* hf_turn_carried: its events from 2 */
    /* What the next three do to other instances is records of those, in the same transaction. */
    struct hf_list children;      /* hf_turn_child */
    struct hf_list child_cancels; /* hf_turn_child_cancel */
    hf_slice parent_body;  /* when the instance ended and is a child: the message to its parent */
    struct hf_list values; /* hf_turn_value, in order */
    hf_slice version;      /* of the code, with the first turn of an execution */
    hf_slice next_version; /* that was asked for when continued; empty: none */
};

struct hf_turn_lost {
    uint64_t instance, head, registration;
    uint64_t reason;
};

/* The instance is gone, and its id free; what is left of it is dead to every lookup. */
struct hf_deleted {
    uint64_t instance;
    hf_slice key;
};

/* The history of its executions is gone up to this one, which is a former one. */
struct hf_pruned {
    uint64_t instance, execution;
};

/* The layout of a kind's body; NULL for a number that is none. Static storage. */
const struct hf_layout *hf_record_layout(enum hf_record_kind kind);

/* Room for the decoded body of any kind. */
union hf_record_body {
    struct hf_store_created store_created;
    struct hf_generation_raised generation_raised;
    struct hf_started started;
    struct hf_message_record message;
    struct hf_timer_fired timer_fired;
    struct hf_terminated terminated;
    struct hf_registered registered;
    struct hf_registration_ended registration_ended;
    struct hf_reclaimed reclaimed;
    struct hf_delivered delivered;
    struct hf_completed completed;
    struct hf_abandoned abandoned;
    struct hf_sessions_released sessions_released;
    struct hf_turn_committed turn_committed;
    struct hf_turn_lost turn_lost;
    struct hf_deleted deleted;
    struct hf_suspended suspended;
    struct hf_restarted restarted;
    struct hf_pruned pruned;
};

/* The name of a reason: "dead"; "?" for a number that is none. Static storage. */
const char *hf_reason_name(uint64_t reason);

#endif
