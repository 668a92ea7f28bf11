/* script.h: an orchestration driven by hand, on a store that is a few arrays. It keeps one
 * instance: history, inbox, pending items and timers, and commits decisions the way a store must,
 * asserting what a store relies on. No disk, no clock, no threads; no assertions of the test
 * library, so that fuzzers can use it too.
 *
 * Every turn is also run a second time from history alone (hf_execution_check). */
#ifndef HF_SCRIPT_H
#define HF_SCRIPT_H

#include "engine/base/arena.h"
#include "engine/execution.h"
#include "tests/support/heap.h"

enum hf_script_work_kind { HF_SCRIPT_ITEM, HF_SCRIPT_TIMER, HF_SCRIPT_CHILD };

/* A pending item, timer or child, as a store keeps it. */
struct hf_script_work {
    enum hf_script_work_kind kind;
    uint64_t execution, event_id;
    uint64_t incarnation; /* of an item's session */
    uint64_t due_unix_ms; /* of a timer */
    struct hf_turn_child child;
};

/* A value of the instance: the event that set it, now and when the former execution ended. */
struct hf_script_value {
    hf_slice key, present, former; /* bodies; empty: none */
};

struct hf_script {
    struct hf_test_heap heap; /* what the engine allocates from */
    struct hf_arena memory;   /* what the script itself keeps */
    hf_registry *registry;
    struct hf_fiber_pool fibers;
    struct hf_execution_options options;

    const char *id;            /* of the instance: "i-1" */
    struct hf_execution *live; /* NULL: evicted */
    bool always_evict;         /* after each turn */
    bool no_check;             /* leave the second run out */
    uint64_t now_unix_ms;
    uint64_t drawn; /* the latest random number: they count up */

    uint64_t execution; /* present one */
    uint64_t next_lsn;
    struct hf_stored_event *events;
    size_t events_count, events_capacity;
    struct hf_stored_message *messages;
    size_t messages_count, messages_capacity;
    struct hf_script_work *works;
    size_t works_count, works_capacity;
    struct hf_turn_session *sessions; /* open ones, as a store sees them */
    size_t sessions_count, sessions_capacity;
    uint64_t outcome;                    /* enum hf_outcome */
    hf_slice status_body, status_former; /* now, and when the former execution ended */
    struct hf_script_value *values;      /* as a store keeps them */
    size_t values_count, values_capacity;

    struct hf_arena turn_arena;                      /* of `turn` */
    struct hf_turn_committed turn;                   /* the latest decision */
    hf_error error;                                  /* of the latest turn that failed */
    void (*before_commit)(struct hf_script *script); /* may post messages; NULL: nothing */

    char *decisions; /* all committed ones, encoded one behind the other */
    size_t decisions_size;
};

/* Makes the script of an instance of `run`, registered as "t" with user, that was started with
 * input "in"; no turn is run. Borrows user. The caller may change options and input afterwards. */
void hf_script_init(struct hf_script *self, hf_orchestration_fn run, const void *user);
/* Makes it another instance, a child, before its first turn: the id is Borrowed, the body is event
 * 1 and Copied. */
void hf_script_become(struct hf_script *self, const char *id, hf_slice body);
/* Evicts and frees all. Afterwards the heap holds nothing (asserted). */
void hf_script_release(struct hf_script *self);

/* Runs one turn over what is in the inbox, checks it, and commits it. Errors: of the engine;
 * nothing is committed, and the execution is evicted. */
hf_status hf_script_turn(struct hf_script *self);
/* Frees the live execution. */
void hf_script_evict(struct hf_script *self);
/* Puts a body into the inbox. Copies. execution: of the item or timer it answers, 0: none. */
void hf_script_post(struct hf_script *self, uint64_t execution, hf_slice body);
/* Ends pending work as a store does, and puts its message into the inbox. False: nothing of that
 * event id is pending. */
bool hf_script_answer(struct hf_script *self, uint64_t event_id, hf_slice payload,
                      const hf_error *error);

/* Plays words, separated by blanks, until one fails:
 *
 *   .          a turn                       e          eviction
 *   c3=text    completion of item 3         C3=text    the same, also when it is not pending
 *   f3=code    failure of item 3            T3         timer 3 fires, also when it is not pending
 *   t3         timer 3 fires                mq=text    message for mailbox q
 *   l3         child 3 is terminated        ve=text    event e is raised
 *   d3         child 3 is deleted           s3=text    item 3 is lost with its session
 *   k3         the id of child 3 is taken
 *   O3=text    completion of item 3 of the former execution
 *   x=reason   request to stop              +500       the wall clock goes on by 500 ms
 *
 * c, C and f are for children, too. Returns the status of the latest turn. A word that a store
 * would refuse does nothing. */
hf_status hf_script_play(struct hf_script *self, const char *words);

/* The pending work of that event id, or NULL. Valid until: something is played. */
struct hf_script_work *hf_script_work(struct hf_script *self, uint64_t event_id);
/* The value of a key as clients read it; NULL: none. Valid until: release. */
const char *hf_script_value(struct hf_script *self, const char *key);
/* The history as text, one event a line: `2 activity_scheduled "a" (2 bytes)`. Valid until:
 * release. */
const char *hf_script_history(struct hf_script *self);
/* The event at index, decoded. Valid until: release. */
struct hf_event hf_script_event(struct hf_script *self, size_t index);
/* The output of the ended instance as text; *out_error is filled for one that did not complete.
 * Valid until: release. */
const char *hf_script_output(struct hf_script *self, hf_error *out_error);

#endif
