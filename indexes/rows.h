/* The rows of the tables that hold more than a key: as structs, and how to read them. Rows are
 * written by the fold alone.
 *
 * Rows of instances, items, sessions and registrations are codec maps, as records are (keys in
 * rows.c), so that a later version can add to them. A ref is 20 bytes, little-endian: lsn 8, offset
 * 4, size 4, check 4.
 *
 * The small rows, little-endian too: history a ref; inbox a ref and the execution it answers 4;
 * timers kind 1 and, of a message, a ref; timers_by_id due 8; instance_ids, children, workers and
 * tags a number 8; command_keys lsn 8, instance 8. items_ready, items_running and session_items
 * hold the key of the item, sessions_ready that of the session, tag_names the text; all others are
 * empty.
 *
 * Every read below copies the row to tables->arena (Valid until: the arena is reset), so it
 * outlives later writes. Errors of each: HF_NOT_FOUND (error stays as it was), HF_CORRUPT when the
 * row's bytes are none, HF_NO_MEMORY, and those of hf_table_get. Ids of more than 32 bits where
 * keys have no more are HF_NOT_FOUND. */
#ifndef HF_INDEXES_ROWS_H
#define HF_INDEXES_ROWS_H

#include "indexes/keys.h"
#include "indexes/table.h"

enum { HF_REF_SIZE = 20 };

struct hf_row_instance {
    uint64_t number; /* the key */
    hf_slice id, orchestration;
    uint64_t status;    /* hf_instance_status */
    uint64_t execution; /* the present one, from 1 */
    uint64_t head; /* LSN of the last committed turn, or of the start: what a turn's token must name
                    */
    uint64_t next_event_id;
    uint64_t engine_version; /* of the latest turn, or of the start; its turns_due row stands under
                                it */
    uint64_t started_unix_ms, ended_unix_ms;
    uint64_t turn_due_lsn; /* 0: no turn is due. Its own head: just started or continued. Else its
                              oldest message */
    uint64_t turns_lost;   /* since the head: the attempt of its next turn is 1 more */
    struct hf_ref output;  /* the last event, when ended */
    struct hf_ref status_ref;    /* the event that set the custom status */
    uint64_t status_version;     /* how many events set it */
    struct hf_ref status_former; /* as status_ref was at the end of the former execution */
    struct hf_item_id parent; /* the event whose outcome its own answers; instance 0: it is nobody's
                                 child, not any more, or has ended. Else children has it, too */
    struct hf_ref lost, deleted, orphan;     /* of a child: see struct hf_started */
    hf_slice suspended_code, suspended_text; /* see struct hf_suspended; no code: its code runs */
    hf_slice version;     /* of the code of the present execution, or that was asked for; empty: its
                             first turn will choose it */
    uint64_t turn_deaths; /* of the turns lost: how often their process died */
    uint64_t family_parent; /* instance whose child it was started as, whatever became of the two;
                               0: nobody's */
    uint64_t family_root;   /* the topmost of that line; 0: nobody's child. Then families has it */
    uint64_t pruned;        /* executions up to this one have no history any more; 0: all have */
};

struct hf_row_item {
    struct hf_item_id id; /* the key */
    struct hf_arrival arrival;
    uint64_t tag;         /* 0: none; that of its session, if it has one */
    uint64_t incarnation; /* of its session; 0: ordinary */
    uint64_t attempts;    /* deliveries that count, with the present one */
    uint64_t deaths;      /* of those: how often its process died in it */
    uint64_t state;       /* enum hf_item_state */
    uint64_t registration, delivery_lsn,
        delivery_number;      /* of the latest delivery while running, else 0 */
    struct hf_ref body;       /* of the event that scheduled it */
    uint64_t has_start_limit; /* 1: a timer of kind start stands, until it is delivered once */
};

struct hf_row_session {
    struct hf_session_id id; /* the key */
    hf_slice name;           /* the session's id as the orchestration knows it */
    uint64_t tag;
    uint64_t owner;          /* registration; 0: unclaimed */
    uint64_t epoch;          /* LSN of the latest claim; 0: never claimed */
    uint64_t unowned_reason; /* enum hf_reason: how it lost its latest owner; 0: it has one, or
                                never had */
    uint64_t ready_count, running_count, delayed_count; /* its items by state */
    struct hf_arrival head;                             /* of its oldest ready item; 0: none */
    uint64_t opened_unix_ms;
    uint64_t quiet_unix_ms; /* of the record since which it has no item; 0: it has some */
    struct hf_ref opening;  /* the event that opened it; lsn 0: the turn named none */
};

/* Whether an unclaimed session comes before others: its owner died or shut down. */
static inline bool hf_session_is_orphaned(const struct hf_row_session *row)
{
    return row->unowned_reason == HF_REASON_DEAD || row->unowned_reason == HF_REASON_SHUTDOWN;
}

struct hf_row_registration {
    uint64_t lsn; /* the key */
    hf_slice worker_id, life, boot_id;
    uint64_t pid;
    uint64_t ended_reason;   /* enum hf_reason; 0: it lives */
    uint64_t sessions_count; /* that it owns; of its items see hf_items_running_next */
    uint64_t reclaim_ms;     /* so long its sessions wait for its worker after its death */
};

/* A durable timer: what stands behind its due time. */
enum hf_timer_kind {
    HF_TIMER_MESSAGE = 1, /* body becomes a message */
    HF_TIMER_ITEM = 2,    /* the item of that id goes back to its queue */
    HF_TIMER_START = 3 /* the item of that id, if nobody was given it, goes; body becomes a message
                        */
};
struct hf_row_timer {
    uint64_t kind; /* enum hf_timer_kind */
    struct hf_ref body;
};

/* The instance of a number. */
HF_MUST_CHECK hf_status hf_instance_get(struct hf_tables *tables, uint64_t number,
                                        struct hf_row_instance *out_row, hf_error *error);
/* The instance of an id. */
HF_MUST_CHECK hf_status hf_instance_find(struct hf_tables *tables, hf_slice id,
                                         struct hf_row_instance *out_row, hf_error *error);
/* The first instance with a number above `after`. */
HF_MUST_CHECK hf_status hf_instance_next(struct hf_tables *tables, uint64_t after,
                                         struct hf_row_instance *out_row, hf_error *error);
/* The last instance with a number below `before`; 0: the very last. */
HF_MUST_CHECK hf_status hf_instance_before(struct hf_tables *tables, uint64_t before,
                                           struct hf_row_instance *out_row, hf_error *error);
/* Whether its status says that it has ended. */
bool hf_instance_has_ended(const struct hf_row_instance *row);
/* The arrival under which its turn stands in turns_due, unless it is locked; 0: none is to be run,
 * since nothing has come, or it is suspended. */
uint64_t hf_instance_due_lsn(const struct hf_row_instance *row);

/* The number of the child that an event of its parent started. HF_NOT_FOUND: there is none, it has
 * ended, or its outcome is not wanted any more. */
HF_MUST_CHECK hf_status hf_child_get(struct hf_tables *tables, const struct hf_item_id *event,
                                     uint64_t *out_number, hf_error *error);

/* Also items that are dead already, because their instance has ended or their session was closed
 * and reclaim has not come to them yet: look at those first. */
HF_MUST_CHECK hf_status hf_item_get(struct hf_tables *tables, const struct hf_item_id *id,
                                    struct hf_row_item *out_row, hf_error *error);

/* HF_NOT_FOUND: never opened, or closed. */
HF_MUST_CHECK hf_status hf_session_get(struct hf_tables *tables, const struct hf_session_id *id,
                                       struct hf_row_session *out_row, hf_error *error);
/* The first open session behind `after` (zeroed: the very first), of any instance: compare
 * out_row->id.instance. */
HF_MUST_CHECK hf_status hf_session_next(struct hf_tables *tables, const struct hf_session_id *after,
                                        struct hf_row_session *out_row, hf_error *error);

/* An ended registration stays until nothing is left under it. */
HF_MUST_CHECK hf_status hf_registration_get(struct hf_tables *tables, uint64_t lsn,
                                            struct hf_row_registration *out_row, hf_error *error);
/* The first registration above `after`. */
HF_MUST_CHECK hf_status hf_registration_next(struct hf_tables *tables, uint64_t after,
                                             struct hf_row_registration *out_row, hf_error *error);
/* The live registration of a worker id. */
HF_MUST_CHECK hf_status hf_worker_find(struct hf_tables *tables, hf_slice worker_id,
                                       uint64_t *out_registration, hf_error *error);

/* The number of a tag; the empty tag is 0. HF_NOT_FOUND: no item and no session ever had it. */
HF_MUST_CHECK hf_status hf_tag_find(struct hf_tables *tables, hf_slice tag, uint64_t *out_number,
                                    hf_error *error);
/* The text of a tag, in tables->arena; of 0 the empty one. */
HF_MUST_CHECK hf_status hf_tag_name(struct hf_tables *tables, uint64_t number, hf_slice *out_tag,
                                    hf_error *error);

/* What a command with an idempotency key did: record and instance. */
struct hf_row_command_key {
    uint64_t lsn, instance;
};
/* What was done under an idempotency key; HF_NOT_FOUND: nothing yet. */
HF_MUST_CHECK hf_status hf_command_key_find(struct hf_tables *tables, hf_slice key,
                                            struct hf_row_command_key *out_row, hf_error *error);

/* The payload of one event of history. */
HF_MUST_CHECK hf_status hf_history_get(struct hf_tables *tables, const struct hf_item_id *event,
                                       struct hf_ref *out_ref, hf_error *error);
/* The last event of an execution that has a history; the event id of `execution` says nothing.
 * HF_CORRUPT: it has none. */
HF_MUST_CHECK hf_status hf_history_last(struct hf_tables *tables,
                                        const struct hf_item_id *execution,
                                        struct hf_item_id *out_event, struct hf_ref *out_ref,
                                        hf_error *error);
/* A message in an inbox. */
struct hf_row_message {
    uint64_t lsn; /* names it; not the record that holds its body when a timer brought it */
    struct hf_ref body;
    uint64_t execution; /* of the item or timer that it answers; 0: none */
};
/* A message's row: a ref, and the number of the execution in 4 bytes, little-endian. */
enum { HF_MESSAGE_SIZE = HF_REF_SIZE + 4 };
/* The row's bytes. */
void hf_message_write(const struct hf_row_message *row, unsigned char bytes[HF_MESSAGE_SIZE]);
/* False: the value is no message's row. Leaves lsn, which is in the key. */
bool hf_message_read(hf_slice value, struct hf_row_message *out_row);
/* The first message of an inbox with an LSN above `place->second`, of instance place->first. */
HF_MUST_CHECK hf_status hf_inbox_next(struct hf_tables *tables, const struct hf_number_pair *place,
                                      struct hf_row_message *out_row, hf_error *error);

/* The due time of a timer or delayed item. */
HF_MUST_CHECK hf_status hf_timer_find(struct hf_tables *tables, const struct hf_item_id *id,
                                      uint64_t *out_due_unix_ms, hf_error *error);

/* The number that the next instance gets: a row of meta, 1 in a new store. Errors: as above, never
 * HF_NOT_FOUND. */
HF_MUST_CHECK hf_status hf_instance_number_next(struct hf_tables *tables, uint64_t *out_number,
                                                hf_error *error);

/* A row of meta that is one number of 8 bytes, little-endian. `name`: "next_lsn". */
HF_MUST_CHECK hf_status hf_meta_get_number(struct hf_tables *tables, const char *name,
                                           uint64_t *out_number, hf_error *error);
/* Writes such a row. Errors: as hf_table_put. */
HF_MUST_CHECK hf_status hf_meta_put_number(struct hf_tables *tables, const char *name,
                                           uint64_t number, hf_error *error);

/* A ref as its 20 bytes. */
void hf_ref_write(const struct hf_ref *ref, unsigned char bytes[HF_REF_SIZE]);
/* False: not 20 bytes, or a ref to nothing. */
bool hf_ref_read(hf_slice bytes, struct hf_ref *out_ref);
/* The low half of XXH3-64 of the bytes: the check of a ref. */
uint64_t hf_payload_check(hf_slice payload);
/* The payload as it was, proved against the ref: whether size and check are those of `payload`. */
bool hf_ref_check(const struct hf_ref *ref, hf_slice payload);

#endif
