/* The store contract: all that the engine and the runtime need of any store. The LMDB store stands
 * behind it.
 *
 * A store is dumb storage with an envelope: it sees instance, execution, event ids, due times,
 * activity identity, session and incarnation, tag, engine version and explicit status changes; the
 * bodies of events, items and messages are opaque bytes.
 *
 * Writing: commands are handed over in a batch; the whole batch is one write transaction, in which
 * each command is checked and then applied in turn, seeing the former ones. A refused command
 * leaves no trace and disturbs no other. Each refusal of work that somebody else has taken is
 * HF_STALE with a code in error.code:
 *
 *   superseded          the item or turn was handed out again since
 *   epoch               the session was claimed again since
 *   session_closed      the session is closed, or in another incarnation
 *   item_final          the item is completed or cancelled
 *   instance_ended      the instance has ended or is gone
 *   suspended           the instance is suspended
 *   registration_dead   the registration has ended
 *   store_generation    the token is of a former generation of the store
 *   unknown             no such token was ever given
 *
 * Threads: `commit` is called by one thread at a time; everything else by any thread. */
#ifndef HF_STORE_CONTRACT_H
#define HF_STORE_CONTRACT_H

#include "engine/record.h"

struct hf_backend;

/* ---- tokens --------------------------------------------------------------------------------- */

/* What a completion, an abandonment and a renewal of an item must present. */
struct hf_item_token {
    struct hf_item_id item;
    uint64_t delivery_lsn;
    uint64_t delivery_number; /* from 1: place in that record */
};

/* What the commit of a turn must present. */
struct hf_turn_token {
    uint64_t instance;
    uint64_t head;  /* LSN of the last committed turn, or of the start */
    uint64_t nonce; /* of the soft lock row */
};

/* A session as its holder names it. */
struct hf_session_claim {
    uint64_t instance;
    uint64_t incarnation;
    uint64_t epoch; /* LSN of the claim */
};

/* ---- commands ------------------------------------------------------------------------------- */

enum hf_store_command_kind {
    HF_STORE_START = 1,
    HF_STORE_MESSAGE,
    HF_STORE_TERMINATE,
    HF_STORE_REGISTER,
    HF_STORE_END_REGISTRATION,
    HF_STORE_RECLAIM,
    HF_STORE_RENEW,
    HF_STORE_FETCH_TURNS,
    HF_STORE_COMMIT_TURN,
    HF_STORE_ABANDON_TURN,
    HF_STORE_FETCH_ITEMS,
    HF_STORE_COMPLETE_ITEM,
    HF_STORE_ABANDON_ITEM,
    HF_STORE_RELEASE_SESSIONS,
    HF_STORE_FIRE_TIMERS,
    HF_STORE_DELETE,
    HF_STORE_SUSPEND,
    HF_STORE_FAIL_TURN,
    HF_STORE_RESTART,
    HF_STORE_DELETE_ENDED,
    HF_STORE_PRUNE,
    HF_STORE_REPORT
};

/* Creates an instance. Errors: HF_EXISTS; a known key: done already, HF_OK. */
struct hf_store_start {
    hf_slice id, orchestration;
    hf_slice version; /* of it; may be empty */
    hf_slice body;    /* its event 1 */
    hf_slice key;     /* idempotency key, may be empty */
    uint64_t out_instance;
};

/* Puts a message into the inbox of a running instance. Errors: HF_NOT_FOUND. Ended: HF_NOT_FOUND,
 * or HF_OK without effect when `ended_is_fine`. */
struct hf_store_message {
    hf_slice id;
    hf_slice body; /* opaque event */
    hf_slice key;
    bool ended_is_fine;
};

/* Ends an instance at once: body becomes its last event. A parent gets the instance's lost_body,
 * its children their orphan_body (up to 1,000 here, the rest by reclaim). Errors: HF_NOT_FOUND;
 * ended already: HF_OK without effect. */
struct hf_store_terminate {
    hf_slice id;
    hf_slice body;
    hf_slice key;
};

/* Makes an instance gone: its id is free, its number dead. Up to 1,000 of its rows go at once; the
 * rest is dead to every lookup and reclaimed. Its parent gets its deleted_body, if it runs;
 * children as when it is terminated. With descendants: all that stem from it go, too, in this
 * transaction, or nothing does. Errors: HF_NOT_FOUND; HF_STILL_RUNNING, of any of them, unless
 * `even_running`; HF_TOO_LARGE: they are over HF_TREE_MAX. */
struct hf_store_delete {
    hf_slice id;
    hf_slice key;
    bool even_running;
    bool with_descendants;
};

/* So many instances are deleted as one tree, at most. */
enum { HF_TREE_MAX = 10000 };

/* An instance as a list of them names it: as it was when it was in that execution. */
struct hf_instance_run {
    uint64_t instance, execution;
};

/* Deletes the trees of a list, each whole; passes over those that are gone or in another execution,
 * of which one still runs, or that are over HF_TREE_MAX. Looks at one at least, and at no more once
 * 1,000 instances are deleted: go on behind out_looked_count. */
struct hf_store_delete_ended {
    const struct hf_instance_run *runs;
    size_t count;
    size_t out_looked_count;
    uint64_t out_trees_count;
    uint64_t out_deleted_count; /* instances of them */
};

/* Removes the history of former executions of instances of a list, from the first one on, while
 * they ended by then; never of the present one. Removes one execution at least, and no more once
 * 1,000 events are gone: go on behind out_looked_count. An instance that is gone: no effect. */
struct hf_store_prune {
    const struct hf_instance_run *runs; /* in whatever execution they are now */
    size_t count;
    uint64_t keep_last;           /* executions, with the present one; 0 is 1 */
    uint64_t ended_until_unix_ms; /* 0: any */
    size_t out_looked_count;
    uint64_t out_executions_count, out_events_count;
};

/* Suspends an instance, which a client names by its id, or the holder of its turn by that; the turn
 * in progress is void as long as that lasts. Or resumes it. Errors: HF_NOT_FOUND: no such instance,
 * or it has ended; HF_STALE. It is so already: HF_OK without effect. */
struct hf_store_suspend {
    hf_slice id;
    hf_slice key;
    const struct hf_turn_token *token; /* NULL: of a client */
    uint64_t registration;             /* that holds the turn */
    bool resumes;
    hf_slice code, text; /* as in struct hf_suspended */
};

/* Gives a turn up as poison: the instance fails with `body` as its last event, whatever its history
 * holds, and a dead letter stays. Its parent gets parent_body, or, when that is empty, its
 * lost_body; children as when it is terminated. Errors: HF_STALE. */
struct hf_store_fail_turn {
    struct hf_turn_token token;
    uint64_t registration;
    uint64_t attempts; /* that were made, at least 1 */
    hf_slice body, parent_body;
};

/* Lets an ended instance run again, in its next execution; its dead letters go. Errors:
 * HF_NOT_FOUND; HF_STILL_RUNNING; HF_STALE: it has been restarted since `restarted` was made;
 * HF_BUSY: what it had is being cleared up. */
struct hf_store_restart {
    hf_slice id;
    const struct hf_restarted *restarted;
    struct hf_list answers; /* hf_turn_event: children whose outcome is not known any more, and
                               activities that were not begun in time, each with a message that
                               says so */
};

/* Registers a worker; ends a dead registration of the same worker id in the same transaction. Its
 * life file must be locked before. Errors: HF_WORKER_ALIVE. */
struct hf_store_register {
    hf_slice worker_id, life, boot_id;
    uint64_t pid;
    uint64_t items_deadline_boot_ms, sessions_deadline_boot_ms;
    uint64_t reclaim_ms; /* after its death its sessions wait so long for the same worker id */
    uint64_t out_registration;
};

/* Ends a registration: by shutdown (reason HF_REASON_SHUTDOWN), or declared dead, which is proved
 * in the transaction by the liveness seam (HF_WORKER_ALIVE when it lives; HF_OK when it has ended
 * already). Up to 1,000 of its rows move at once. */
struct hf_store_end_registration {
    uint64_t registration;
    uint64_t reason;
    uint64_t by;
};

/* Moves up to 1,000 more rows of ended registrations and closed sessions, whatever they are. */
struct hf_store_reclaim {
    bool out_more; /* call again */
};

/* One presented token or claim that is void, and why. */
struct hf_void {
    bool is_session;
    size_t index;     /* in the presented list */
    const char *code; /* as above; static storage */
};

/* Moves both deadlines of a registration. Errors: HF_STALE registration_dead. The answer names what
 * is void of what it presents; the rest is kept. */
struct hf_store_renew {
    uint64_t registration;
    uint64_t items_deadline_boot_ms, sessions_deadline_boot_ms;
    const struct hf_item_token *items;
    size_t items_count;
    const struct hf_session_claim *sessions;
    size_t sessions_count;
    struct hf_void *out_voids; /* in the command's arena */
    size_t out_voids_count;
};

/* At most so many turns or items are handed out by one fetch, whatever is asked. */
enum { HF_FETCH_MAX = 1000 };

/* A turn handed out: it belongs to the registration until its lease has passed and someone else
 * takes it. */
struct hf_turn_grant {
    struct hf_turn_token token;
    uint64_t execution;
    uint64_t engine_version;
    uint64_t attempt; /* 1 + turns lost since the head */
    hf_slice orchestration;
};

/* Takes the locks of up to turns_max due turns, oldest first. Also turns whose holder's lease has
 * passed or which has ended. A turn in which processes died twice (HF_SUSPECT_DEATHS) is taken
 * alone, by who has no other. */
struct hf_store_fetch_turns {
    uint64_t registration;
    uint64_t engine_version_min, engine_version_max; /* inclusive */
    size_t turns_max;
    struct hf_turn_grant *out_turns; /* in the command's arena */
    size_t out_turns_count;
};

/* Commits a turn whole: see struct hf_turn_committed. Errors: HF_STALE; HF_CORRUPT when event ids
 * do not follow on. */
struct hf_store_commit_turn {
    struct hf_turn_token token;
    uint64_t registration;
    const struct hf_turn_committed *turn; /* its instance, head and registration are set by the
                                             store */
    uint64_t out_head;
};

/* Hands a turn back. Counted: a turn_lost record. Not before delay_ms (soft). Errors: HF_STALE. */
struct hf_store_abandon_turn {
    struct hf_turn_token token;
    uint64_t registration;
    bool counted;
    uint64_t reason;
    uint64_t delay_ms;
};

/* An item in which so many processes died is a suspect: it runs alone. */
enum { HF_SUSPECT_DEATHS = 2 };

/* An item handed out. All slices are in the command's arena. */
struct hf_item_grant {
    struct hf_item_token token;
    uint64_t attempt;  /* deliveries that count, with this one */
    uint64_t deaths;   /* of those: how often its process died in it */
    hf_slice body;     /* of the event that scheduled it; empty: damaged on disk */
    hf_slice progress; /* what a former delivery reported last; empty: nothing, or it was lost */
    hf_slice tag;
    hf_slice instance_id;
    hf_slice orchestration, version; /* of the instance */
    hf_slice session_id;             /* empty: ordinary */
    uint64_t incarnation, epoch;     /* of the session */
    bool first_in_claim;             /* the first delivery since the session was claimed */
    bool is_older_than_claim;        /* it was scheduled before the session was claimed */
    uint64_t scheduled_unix_ms;      /* of session work: time of the record that scheduled it; 0: it
                                        cannot be read */
    /* With the first in a claim only: */
    bool was_owned;        /* the session had been claimed before */
    uint64_t from;         /* by this registration; 0: by none */
    hf_slice from_worker;  /* its worker id; empty: unknown */
    uint64_t claim_reason; /* enum hf_reason */
    hf_slice session_body; /* of the event that opened the session; empty: damaged on disk, or the
                              turn named none */
};

/* Delivers up to items_max items, oldest first: ordinary ones, those of sessions that the
 * registration owns, and, while it owns fewer than sessions_max, those of claimable sessions (dead
 * owners' first, and before those the ones that wait for this worker id), which it claims in the
 * same record. An item in which a process died twice is a suspect: it is delivered to a
 * registration that runs nothing else, and nothing else to that one while it runs. While a suspect
 * waits, one busy registration (of a session: its owner) is given nothing younger, until it runs
 * nothing. */
struct hf_store_fetch_items {
    uint64_t registration;
    size_t items_max;
    bool sessions_only_owned; /* claim nothing new */
    bool no_sessions;         /* the plain fetch */
    uint64_t sessions_max;
    const hf_slice *tags; /* served besides no tag */
    size_t tags_count;
    struct hf_item_grant *out_items;
    size_t out_items_count;
};

/* Completes an item: body becomes a message of its instance. Errors: HF_STALE. */
struct hf_store_complete_item {
    struct hf_item_token token;
    uint64_t registration;
    hf_slice body;
    bool is_poison; /* it was given up without being run: a dead letter stays */
};

/* Bytes that an item may report at a time. A row of them, with its time, stays below the size at
 * which LMDB gives a value pages of its own. */
enum { HF_PROGRESS_SIZE_MAX = 4000 };

/* What a running item says of how far it is. */
struct hf_report {
    struct hf_item_token token;
    hf_slice progress;
};

/* Keeps the latest report of each item: soft, told with its next delivery, gone with the item. A
 * token that is void is passed over, since renewal and check_held tell its holder. Errors: HF_STALE
 * registration_dead. */
struct hf_store_report {
    uint64_t registration;
    const struct hf_report *reports;
    size_t reports_count;
};

/* Hands an item back. Errors: HF_STALE. */
struct hf_store_abandon_item {
    struct hf_item_token token;
    uint64_t registration;
    uint64_t reason;
    bool uncounted;
    uint64_t delay_ms; /* durable, by the wall clock */
    hf_slice progress; /* what it reported last, as HF_STORE_REPORT; empty: nothing new */
};

/* Releases those of the sessions that the registration still holds with that epoch and in which
 * nothing runs and, but for HF_REASON_SHUTDOWN, nothing is queued, now or for later; the others are
 * named, each with its reason (besides those above: "running", "queued"). The reason is
 * HF_REASON_RELEASED or HF_REASON_SHUTDOWN. What was committed before, also earlier in the same
 * group, counts. */
struct hf_store_release_sessions {
    uint64_t registration;
    uint64_t reason;
    const struct hf_session_claim *sessions;
    size_t sessions_count;
    struct hf_void *out_voids;
    size_t out_voids_count;
};

/* Fires up to timers_max timers whose due time the wall clock has reached. */
struct hf_store_fire_timers {
    size_t timers_max;
    size_t out_fired_count;
};

/* A command and its answer. The caller owns it until commit has returned. */
struct hf_store_command {
    enum hf_store_command_kind kind;
    struct hf_arena *arena; /* Borrows: outputs go here; may be NULL for kinds without */
    hf_status status;       /* the answer: HF_OK, why it was refused, or HF_UNKNOWN */
    hf_error error;
    uint64_t lsn; /* of its first record, 0: none */
    union {
        struct hf_store_start start;
        struct hf_store_message message;
        struct hf_store_terminate terminate;
        struct hf_store_register register_worker;
        struct hf_store_end_registration end_registration;
        struct hf_store_reclaim reclaim;
        struct hf_store_renew renew;
        struct hf_store_fetch_turns fetch_turns;
        struct hf_store_commit_turn commit_turn;
        struct hf_store_abandon_turn abandon_turn;
        struct hf_store_fetch_items fetch_items;
        struct hf_store_complete_item complete_item;
        struct hf_store_abandon_item abandon_item;
        struct hf_store_report report;
        struct hf_store_release_sessions release_sessions;
        struct hf_store_fire_timers fire_timers;
        struct hf_store_delete delete_instance;
        struct hf_store_suspend suspend;
        struct hf_store_fail_turn fail_turn;
        struct hf_store_restart restart;
        struct hf_store_delete_ended delete_ended;
        struct hf_store_prune prune;
    };
};

/* What a batch changed for others: whom to wake. */
enum hf_effect {
    HF_EFFECT_TURNS_DUE = 1,      /* a turn is due that was not */
    HF_EFFECT_ITEMS_READY = 2,    /* an item can be fetched that could not */
    HF_EFFECT_VOIDED = 4,         /* a delivery or claim of somebody is void now */
    HF_EFFECT_ENDED = 8,          /* an instance ended */
    HF_EFFECT_TIMERS = 16,        /* a timer was set */
    HF_EFFECT_RECLAIM = 32,       /* rows wait for HF_STORE_RECLAIM */
    HF_EFFECT_REGISTRATIONS = 64, /* a worker came or went */
    HF_EFFECT_CHANGED = 128       /* a custom status or a value of an instance */
};

/* Commands of one write transaction. */
struct hf_batch {
    struct hf_store_command **commands; /* Borrows */
    size_t count;
    /* Called inside the transaction when the commands so far are applied, with `effects` as they
     * are then; may append more (commands and count move). Called again until it appends none.
     * NULL: nothing more. Not called when a failed transaction is repeated command by command: what
     * it appended is then answered HF_BUSY. */
    void (*more)(void *self, struct hf_batch *batch);
    void *self;
    uint32_t effects; /* enum hf_effect bits */
};

/* ---- reading -------------------------------------------------------------------------------- */

struct hf_instance_info {
    uint64_t number;
    hf_slice id, orchestration;
    uint64_t status; /* hf_instance_status */
    uint64_t execution, head, events_count, engine_version;
    uint64_t started_unix_ms, ended_unix_ms;
    hf_slice output_body; /* the last event, when ended; else empty */
    hf_slice status_body; /* the event that set the custom status; else empty */
    uint64_t status_version;
    hf_slice suspended_code, suspended_text; /* why its code does not run; empty: it runs */
    hf_slice version;   /* of the code of the present execution, or that was asked for; may be empty
                         */
    hf_slice parent_id; /* whose child it was started as; empty: nobody's, or that is deleted */
    hf_slice root_id;   /* the topmost of that line, its own without one; empty: it is deleted */
};

/* How far an activity is. */
struct hf_progress_row {
    hf_slice progress;
    uint64_t reported_unix_ms; /* 0: nothing was reported */
    uint64_t attempts;         /* deliveries that count, so far */
    bool is_running;
};

/* Which instances. The answer goes on behind `after`, which moves on. */
struct hf_instances_query {
    hf_slice id_prefix, orchestration;                    /* empty: any */
    uint64_t status;                                      /* hf_instance_status; 0: any */
    uint64_t started_from_unix_ms, started_until_unix_ms; /* inclusive */
    bool newest_first;
    uint64_t ended_until_unix_ms; /* that have ended by then; 0: any */
    uint64_t root;                /* this one and all that stem from it; 0: all */
    uint64_t after;               /* number; 0: from the first on */
    size_t looked_max;            /* rows that are looked at */
    bool out_more;                /* ask again */
};

/* An execution of an instance. */
struct hf_execution_row {
    uint64_t execution;
    uint64_t status; /* hf_instance_status of the present one; 0: it was continued */
    uint64_t started_unix_ms, ended_unix_ms; /* ended 0: not yet */
    uint64_t events_count;
};

/* What was given up as poison. */
struct hf_dead_letter_info {
    uint64_t instance, lsn, execution, event_id; /* event id 0: a turn */
    hf_slice instance_id, orchestration;         /* empty: it is deleted */
    uint64_t attempts, deaths, given_up_unix_ms;
    hf_slice body; /* of the event that scheduled the item; else empty */
};

/* Which dead letters. The answer goes on behind `after`, which moves on. */
struct hf_dead_letters_query {
    uint64_t instance; /* 0: of all */
    uint64_t after_instance, after_lsn;
};

/* How much of everything a store holds. */
struct hf_store_totals {
    uint64_t instances[HF_INSTANCE_TERMINATED + 1]; /* by hf_instance_status */
    uint64_t suspended, executions, events, messages, turns_due, items, items_running, timers;
    uint64_t sessions, values, dead_letters, workers;
};

/* An event as stored. */
struct hf_stored_event {
    uint64_t event_id;
    uint64_t lsn;     /* record that holds its bytes */
    uint64_t unix_ms; /* of that record */
    hf_slice body;
};

/* A message in the inbox. */
struct hf_stored_message {
    uint64_t lsn;       /* names it in the inbox */
    uint64_t execution; /* of the item or timer it answers, 0: none */
    hf_slice body;
};

/* All that a turn needs, read in one transaction. */
struct hf_turn_view {
    uint64_t instance;
    hf_slice instance_id;
    uint64_t next_event_id;
    struct hf_stored_event *events; /* of the execution, from the asked id on */
    size_t events_count;
    struct hf_stored_message *messages; /* by arrival */
    size_t messages_count;
    /* What the former execution left; only when events from 1 on are asked for. */
    struct hf_stored_event *values; /* each the event that set one; no event id, no time */
    size_t values_count;
    hf_slice status_body; /* the event that set the custom status; empty: none */
};

/* A value of an instance. */
struct hf_stored_value {
    hf_slice key;
    hf_slice body; /* the event that set it */
};

struct hf_session_row {
    uint64_t instance, incarnation;
    hf_slice instance_id, session_id, tag;
    uint64_t owner, epoch; /* registration, 0: unclaimed */
    hf_slice worker_id;    /* of the owner; empty: unclaimed */
    uint64_t lease_left_ms;
    uint64_t queued_count, running_count;
    uint64_t opened_unix_ms;
    uint64_t quiet_unix_ms; /* since then it has no item; 0: it has some */
};

/* Which open sessions. The answer goes on behind `after`, which moves on. */
struct hf_sessions_query {
    uint64_t owner;               /* registration; 0: of all, and the unclaimed ones */
    uint64_t quiet_until_unix_ms; /* only those that are quiet since then, or longer; 0: all */
    uint64_t after_instance, after_incarnation; /* zero: from the first on */
    size_t looked_max;                          /* rows that are looked at; 0: all */
    bool out_more;                              /* ask again */
};

struct hf_registration_row {
    uint64_t registration;
    hf_slice worker_id, life, boot_id;
    uint64_t pid;
    bool ended;
    uint64_t sessions_count, items_count; /* held */
    uint64_t items_left_ms, sessions_left_ms;
};

/* What may be waiting for a worker. */
struct hf_peek {
    uint64_t registration;
    uint64_t engine_version_min, engine_version_max;
    bool no_sessions, sessions_only_owned;
    const hf_slice *tags;
    size_t tags_count;
    bool out_turns_due, out_items_ready, out_reclaim;
    uint64_t out_next_timer_unix_ms; /* 0: none */
};

/* Counts since open. */
struct hf_store_counters {
    uint64_t commits, commands, refusals, records;
    uint64_t fetch_rows; /* index rows that fetches looked at */
    uint64_t stalls;     /* times that another process held the writer lock for over 1 s */
};

/* What a store can do; zeroed: it cannot. */
struct hf_store_capabilities {
    bool sessions;
};

struct hf_backend_ops {
    struct hf_store_capabilities capabilities;
    /* Commits a batch; each command has its own answer. Not HF_OK: the store has failed, and every
     * command has that answer. */
    hf_status (*commit)(struct hf_backend *backend, struct hf_batch *batch, hf_error *error);
    /* HF_NOT_FOUND when there is none of that id. Slices in arena. */
    hf_status (*instance)(struct hf_backend *backend, hf_slice id, struct hf_arena *arena,
                          struct hf_instance_info *out_info, hf_error *error);
    /* Instances that fulfil the query. Slices and rows in arena. */
    hf_status (*instances)(struct hf_backend *backend, struct hf_instances_query *query,
                           struct hf_arena *arena, struct hf_instance_info **out_rows,
                           size_t *out_count, hf_error *error);
    /* Executions of an instance with a number above `after`, at most *count; *count becomes how
     * many. HF_OK and none: no such instance. In arena, as the next two. */
    hf_status (*executions)(struct hf_backend *backend, hf_slice id, uint64_t after,
                            struct hf_arena *arena, struct hf_execution_row **out_rows,
                            size_t *count, hf_error *error);
    /* Dead letters, at most *count; *count becomes how many. */
    hf_status (*dead_letters)(struct hf_backend *backend, struct hf_dead_letters_query *query,
                              struct hf_arena *arena, struct hf_dead_letter_info **out_rows,
                              size_t *count, hf_error *error);
    /* In one transaction; looks at every instance. */
    hf_status (*totals)(struct hf_backend *backend, struct hf_arena *arena,
                        struct hf_store_totals *out_totals, hf_error *error);
    /* events of `execution` with ids from `from` on, and the inbox. HF_NOT_FOUND; HF_CORRUPT with
     * the LSN of the damaged record. All in arena. */
    hf_status (*turn_view)(struct hf_backend *backend, const struct hf_item_id *from,
                           struct hf_arena *arena, struct hf_turn_view *out_view, hf_error *error);
    /* The values of an instance by key, or the one of `key` (empty: all); in arena. HF_NOT_FOUND:
     * no such instance; a key without a value: no row. */
    hf_status (*values)(struct hf_backend *backend, hf_slice id, hf_slice key,
                        struct hf_arena *arena, struct hf_stored_value **out_rows,
                        size_t *out_count, hf_error *error);
    /* What the activity of that event of the present execution reported last; in arena.
     * HF_NOT_FOUND with code no_instance, or no_activity: it waits and runs no more, or never did.
     */
    hf_status (*progress)(struct hf_backend *backend, hf_slice id, uint64_t event_id,
                          struct hf_arena *arena, struct hf_progress_row *out_row, hf_error *error);
    /* Open sessions, in arena. */
    hf_status (*sessions)(struct hf_backend *backend, struct hf_sessions_query *query,
                          struct hf_arena *arena, struct hf_session_row **out_rows,
                          size_t *out_count, hf_error *error);
    /* All registrations that live or still have rows, in arena. */
    hf_status (*registrations)(struct hf_backend *backend, struct hf_arena *arena,
                               struct hf_registration_row **out_rows, size_t *out_count,
                               hf_error *error);
    /* Names what is void of what `renew` presents, without renewing: out fields are set. */
    hf_status (*check_held)(struct hf_backend *backend, struct hf_store_renew *renew,
                            struct hf_arena *arena, hf_error *error);
    hf_status (*peek)(struct hf_backend *backend, struct hf_peek *peek, hf_error *error);
    void (*counters)(struct hf_backend *backend, struct hf_store_counters *out_counters);
    /* A descriptor of the store's directory, for files beside the data. Borrows: until close. */
    int (*directory)(struct hf_backend *backend);
    void (*close)(struct hf_backend *backend);
};

/* A store. Its implementation embeds this at its start. */
struct hf_backend {
    const struct hf_backend_ops *ops;
};

/* ---- opening the store behind the contract -------------------------------------------------- */

/* Places where tests inject failures. */
enum hf_fault_point {
    HF_FAULT_TXN_BEGIN = 1,
    HF_FAULT_PUT,
    HF_FAULT_DELETE,
    HF_FAULT_COMMIT_BEFORE, /* nothing is written yet */
    HF_FAULT_COMMIT_AFTER,  /* committed, but the answer is lost: outcome unknown */
    HF_FAULT_PREALLOCATE,
    HF_FAULT_READ
};

/* The world as the store sees it, given at open; Borrows until close. */
struct hf_seams {
    const hf_allocator *allocator;
    const hf_clock *clock;
    void *self; /* for the calls below */
    void (*random)(void *self, void *bytes, size_t size);
    /* Whether the process of a registration's life file lives. */
    bool (*is_alive)(void *self, hf_slice life);
    /* The id of the machine's present boot: leases of another boot are over. */
    hf_slice boot_id;
    /* 0, or the errno or LMDB code with which this point fails; NULL: no faults. */
    int (*fault)(void *self, enum hf_fault_point point);
    /* One line of the log; may be NULL. */
    void (*log)(void *self, const hf_log_line *line);
};

struct hf_backend_options {
    bool must_exist, read_only;
    hf_durability durability;
    uint64_t map_size_max, preallocate_size; /* 0: default */
    uint64_t renew_period_ms;                /* after a stall nothing expires for this long */
    const struct hf_seams *seams;
};

/* Opens or creates the LMDB store in directory. Defined by logstore/. Returns owned: ops->close.
 * Errors: as hf_store_open. */
HF_MUST_CHECK hf_status hf_backend_open(const char *directory,
                                        const struct hf_backend_options *options,
                                        struct hf_backend **out_backend, hf_error *error);

#endif
