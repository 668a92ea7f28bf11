/* The simulator: a whole cluster of virtual workers and clients on one real store, in one thread,
 * on a clock that is turned by hand, all from one seed.
 *
 *   program.[ch]  what the instances run, and what must come of it
 *   world.c       the store and its seams, faults, groups of commands
 *   shadow.[ch]   what the store was seen to do, and the laws that this must keep
 *   families.c    the shadow of trees
 *   laws.c        the laws of what is handed out
 *   workers.c     workers: registration, leases, items
 *   turns.c       workers: turns
 *   clients.c     clients
 *   restarts.c    clients: restarts of what has ended
 *   run.c         one seed: the draw, the steps, the drain, the end
 *
 * A step is one group of commands, of which each was prepared without knowing of the others, as
 * those are that meet in the queue of a committer. The shadow follows the answers, in their order,
 * whoever learns of them: a worker that dies before it hears its answer leaves work behind.
 *
 * The first broken law ends the seed: sim_fail says which, and jumps back to sim_run. */
#ifndef HF_TESTS_SIM_H
#define HF_TESTS_SIM_H

#include "tests/support/hf_test.h"

#include "engine/execution.h"
#include "tests/sim/program.h"
#include "tests/support/random.h"

enum {
    SIM_WORKERS_MAX = 5,
    SIM_TURNS_MAX = 4, /* that a worker has in its hands */
    SIM_ITEMS_MAX = 8,
    SIM_LIVE_MAX = 4, /* executions that it keeps */
    SIM_CLAIMS_MAX = 64,
    SIM_GROUP_MAX = 12,
    SIM_TRACE_LINES = 24,
    SIM_TRACE_SIZE = 160,
    SIM_TAGS_COUNT = 2,
    SIM_RESTARTS_MAX = 3,
    SIM_DEATHS_MAX = 5,
    SIM_NONE = -1
};

/* ---- what a seed draws ----------------------------------------------------------------------- */

/* Kinds of actions; each has a weight, which may be 0. */
enum sim_action {
    SIM_START,
    SIM_MESSAGE,
    SIM_RAISE,
    SIM_CANCEL,
    SIM_TERMINATE,
    SIM_DELETE,
    SIM_DELETE_ENDED,
    SIM_PRUNE,
    SIM_RESTART,
    SIM_SUSPEND,
    SIM_RESUME,
    SIM_RETRY,
    SIM_REGISTER,
    SIM_RENEW,
    SIM_FETCH_TURNS,
    SIM_RUN_TURN,
    SIM_COMMIT_TURN,
    SIM_ABANDON_TURN,
    SIM_SUSPEND_TURN,
    SIM_EVICT,
    SIM_FETCH_ITEMS,
    SIM_COMPLETE,
    SIM_ABANDON_ITEM,
    SIM_REPORT,
    SIM_STALE,
    SIM_STALE_CLAIM,
    SIM_RELEASE,
    SIM_FIRE_TIMERS,
    SIM_RECLAIM,
    SIM_DECLARE_DEAD,
    SIM_SHUTDOWN,
    SIM_CRASH,
    SIM_PAUSE,
    SIM_CLOCK,
    SIM_CLOCK_FAR,
    SIM_WALL_JUMP,
    SIM_FAULT,
    SIM_REOPEN,
    SIM_REBOOT,
    SIM_REBUILD,
    SIM_COPY,
    SIM_ACTIONS_COUNT
};

struct sim_draw {
    uint32_t weights[SIM_ACTIONS_COUNT];
    uint32_t steps;
    size_t workers_count, instances_max;
    size_t group_max;
    uint64_t items_lease_ms, sessions_lease_ms;
    uint64_t attempts_max; /* as of a runtime */
    uint32_t fail_percent, lose_answer_percent, more_percent;
    uint64_t payload_size; /* bytes that messages are filled up with */
    bool has_large;        /* sessions with over a thousand items, which go in steps */
    uint64_t map_size;     /* of the store until the drain: it may become full */
};

#define SIM_HELD_BACK UINT64_MAX

/* ---- the shadow ------------------------------------------------------------------------------ */

enum sim_life { SIM_RUNNING = 1, SIM_ENDED, SIM_GONE };

struct sim_instance {
    char id[64];
    uint64_t number;
    struct program program;
    enum sim_life life;
    bool is_top;     /* started by a client: it is sent messages */
    bool is_touched; /* somebody meddled with it: its output is not known any more */
    bool is_suspended;
    bool is_asked; /* to stop, by its parent */
    int parent;    /* index, of descent; SIM_NONE */
    uint64_t execution, head;
    uint64_t lock_registration, lock_nonce; /* 0: no lock; SIM_HELD_BACK: nobody's, for a while */
    uint64_t lock_boot, lock_until_boot_ms;
    uint64_t turns_lost, turn_deaths; /* since the head */
    uint64_t consumed_lsn;            /* of the latest message */
    uint32_t sent_count;              /* messages that are there */
    uint32_t restarts_count;
};

enum sim_state { SIM_QUEUED = 1, SIM_DELAYED, SIM_HELD, SIM_COMPLETED, SIM_DROPPED };

struct sim_item {
    struct hf_item_id id;
    uint64_t incarnation;
    char tag[8];
    enum sim_state state;
    bool has_start_limit, is_consumed;
    uint64_t registration, delivery_lsn, delivery_number;
    uint64_t attempts, deaths;
    char progress[8];                         /* that was reported last */
    uint64_t scheduled_lsn, scheduled_number; /* its age */
    uint64_t due_unix_ms;                     /* when delayed */
};

struct sim_session {
    uint64_t instance, incarnation;
    char id[32], tag[8];
    bool is_open;
    uint64_t owner, epoch; /* registration; 0: none */
};

struct sim_registration {
    uint64_t lsn;
    size_t worker;
    bool has_ended, has_died;
    bool is_void; /* of a former generation of the store */
    uint64_t reclaim_ms, window_until_boot_ms;
    uint64_t items_deadline_boot_ms, sessions_deadline_boot_ms;
    uint64_t boot; /* of its lease; 0: there is no lease */
};

/* An item's token that was given, to be presented again, and whose it was. */
struct sim_token {
    struct hf_item_token token;
    uint64_t registration;
};

/* A claim that was made, likewise. */
struct sim_claimed {
    struct hf_session_claim claim;
    uint64_t registration;
};

/* A command of a client's with its key, to be repeated. */
struct sim_keyed {
    char key[32];
    enum hf_store_command_kind kind;
    int instance;
    uint32_t message;  /* its number from 1, of a mailbox message ... */
    uint32_t restarts; /* ... to the instance as it was after so many restarts */
    bool is_done;      /* the store has it */
};

struct sim_shadow {
    struct sim_instance *instances;
    size_t instances_count, instances_capacity;
    struct sim_item *items;
    size_t items_count, items_capacity;
    struct sim_session *sessions;
    size_t sessions_count, sessions_capacity;
    struct sim_registration *registrations;
    size_t registrations_count, registrations_capacity;
    struct sim_token *tokens;
    size_t tokens_count, tokens_capacity;
    struct sim_claimed *claims;
    size_t claims_count, claims_capacity;
    struct sim_keyed *keyed;
    size_t keyed_count, keyed_capacity;
    uint64_t latest_lsn; /* of any record that was answered with */
};

/* ---- workers --------------------------------------------------------------------------------- */

/* A turn in a worker's hands. */
struct sim_turn {
    bool is_used, is_decided, is_in_group;
    struct hf_turn_grant grant;
    struct hf_execution *execution;
    struct hf_arena arena; /* of view and decision */
    struct hf_turn_view view;
    struct hf_turn_committed decision;
};

/* An item in its hands. */
struct sim_work {
    bool is_used, is_in_group;
    struct hf_item_token token;
    uint64_t attempt, deaths;
    uint64_t incarnation, epoch;
    uint64_t value; /* the input */
    bool is_lost;   /* its session's policy fails it */
};

/* An execution that it keeps, and where that stands. */
struct sim_live {
    uint64_t instance, execution, head;
    struct hf_execution *code;
};

struct sim_claim {
    struct hf_session_claim key;
    bool fails_older; /* its policy: what was scheduled before it is lost */
};

struct sim_worker {
    char id[16], life[32];
    bool is_up, is_paused;
    uint64_t registration;
    size_t turns_max, items_max;
    uint64_t sessions_max, reclaim_ms;
    hf_slice tags[SIM_TAGS_COUNT];
    size_t tags_count;
    struct sim_turn turns[SIM_TURNS_MAX];
    struct sim_work works[SIM_ITEMS_MAX];
    struct sim_live live[SIM_LIVE_MAX];
    struct sim_claim claims[SIM_CLAIMS_MAX]; /* the latest; more are forgotten */
    size_t claims_count;
};

/* ---- groups ---------------------------------------------------------------------------------- */

/* A command of a group, and who waits for its answer. */
struct sim_act {
    struct hf_store_command command;
    struct sim_worker *worker; /* NULL: a client's, or nobody's */
    struct sim_turn *turn;
    struct sim_work *work;
    int instance;            /* SIM_NONE: none */
    int keyed;               /* SIM_NONE: it has no key */
    uint32_t messages_count; /* of a restart: that the instance has by then */
    bool has_peeked;         /* right before the group ... */
    struct hf_peek peek;     /* ... this was the answer */
};

struct sim_group {
    struct sim_act acts[SIM_GROUP_MAX];
    size_t count;
    size_t more_count; /* of those, so many are added within the transaction */
};

/* ---- the whole ------------------------------------------------------------------------------- */

/* What came of a seed; sums of several are made by sim_result_add. */
struct sim_result {
    uint64_t seeds, steps, commands, refusals, turns, replays, items, claims;
    uint64_t crashes, reboots, copies, fulls, restarts;
    uint64_t faults, instances, completed, touched;
    uint64_t digest;
    bool has_failed;
    uint64_t failed_seed, failed_step;
};

struct sim_options {
    uint64_t seed;
    bool is_traced;   /* every step on standard output */
    bool is_thorough; /* all proofs at every step */
};

struct sim {
    const struct sim_options *options;
    struct sim_draw draw;
    struct hf_test_random random;
    struct hf_test_directory directory;
    struct hf_backend *backend;
    struct hf_seams seams;
    hf_clock clock;
    uint64_t boot_ms, wall_ms, wall_ms_max;
    uint64_t boot; /* counts boots, from 1 */
    char boot_id[16];
    enum hf_fault_point fault_point;
    uint64_t fault_after; /* so many passes later it fails; 0: none */
    int fault_code;
    uint32_t fault_repeats; /* so often it strikes again, at once */
    bool may_fault;         /* workers and clients are at work; else we are only looking */
    uint32_t effects, effects_needed; /* of the group: whom it wakes, and must wake */
    bool fault_has_struck;            /* since the group, or the read, began */
    hf_registry *registry;
    struct hf_fiber_pool fibers;
    struct hf_execution_options engine;
    struct hf_arena arena; /* of a step */
    struct sim_worker workers[SIM_WORKERS_MAX];
    uint64_t lives_count;
    struct sim_shadow shadow;
    struct sim_group group;
    uint64_t step;
    bool is_draining;
    uint64_t ids_count;
    struct sim_result result;
    char trace[SIM_TRACE_LINES][SIM_TRACE_SIZE];
    uint64_t trace_count;
    jmp_buf failed;
};

/* Runs one seed. On a broken law: says it on standard error, with the seed and the latest steps,
 * and sets has_failed. */
void sim_run(const struct sim_options *options, struct sim_result *out_result);

/* Adds the counts of another seed. */
void sim_result_add(struct sim_result *self, const struct sim_result *other);

/* Room for one more in an array of the shadow's; the new one is zeroed. */
void *sim_grow(void **array, size_t *count, size_t *capacity, size_t size);

/* ---- world.c: the store ---------------------------------------------------------------------- */

/* A law is broken: ends the seed. */
HF_NORETURN void sim_fail(struct sim *sim, const char *format, ...) HF_PRINTF(2, 3);
/* Fails unless a condition holds, and says which. */
#define sim_check(sim, condition, ...) ((condition) ? (void)0 : sim_fail((sim), __VA_ARGS__))
/* Notes what happens, for the trace. */
void sim_note(struct sim *sim, const char *format, ...) HF_PRINTF(2, 3);

/* Makes seams, registry and an empty store. */
void sim_open(struct sim *sim);
/* Ends all of it, and the directory. */
void sim_close(struct sim *sim);
/* What happens to a closed store before it is opened again. */
enum sim_between { SIM_NOTHING, SIM_IS_REBUILT, SIM_IS_COPIED };
/* Closes the store and opens it again. */
void sim_reopen(struct sim *sim, enum sim_between between);
/* Whether the process of that life lives: one of the workers. */
bool sim_life_is_alive(const struct sim *sim, hf_slice life);

/* An act for the group of this step; the command has the step's arena and that kind. */
struct sim_act *sim_act_add(struct sim *sim, enum hf_store_command_kind kind);
/* Asks what may be waiting, for the fetch of that act. */
void sim_peek(struct sim *sim, struct sim_act *act);
/* Commits the group, lets the shadow judge every answer, and tells those who wait. */
void sim_group_commit(struct sim *sim);
/* Lets a fault strike soon. */
void sim_fault_arm(struct sim *sim);

/* A number that changes with any row but those of `meta` and `writers`. */
uint64_t sim_fingerprint(struct sim *sim);
/* The laws of the indexes, over all rows. */
void sim_audit(struct sim *sim);
/* Proves that the indexes are the fold of the log. */
void sim_verify(struct sim *sim);
/* The LSN of the next record. */
uint64_t sim_next_lsn(struct sim *sim);
/* After all instances were deleted: no row of theirs is left anywhere. */
void sim_check_empty(struct sim *sim);

/* ---- shadow.c, laws.c ------------------------------------------------------------------------ */

/* Follows the answer to an act; fails when it breaks a law. */
void sim_shadow_answer(struct sim *sim, struct sim_act *act);
/* Compares sessions and instances of the store with the shadow. */
void sim_shadow_compare(struct sim *sim);
/* The instance of that number; NULL: none that is known. */
struct sim_instance *sim_instance_find(struct sim *sim, uint64_t number);
/* The instance of that id that is not gone; SIM_NONE: none. */
int sim_instance_named(const struct sim *sim, const char *id);
/* The item of that id; NULL: none. */
struct sim_item *sim_item_find(struct sim *sim, const struct hf_item_id *id);
/* Whether an item is on that session. */
static inline bool sim_item_is_on(const struct sim_item *item, const struct sim_session *session)
{
    return item->id.instance == session->instance && item->incarnation == session->incarnation;
}
/* The session; NULL: none. */
struct sim_session *sim_session_find(struct sim *sim, uint64_t instance, uint64_t incarnation);
/* The registration; NULL: none. */
struct sim_registration *sim_registration_find(struct sim *sim, uint64_t lsn);
/* Whether what it has of items, or of sessions, may be taken. */
bool sim_items_passed(const struct sim *sim, const struct sim_registration *registration);
/* As above. */
bool sim_sessions_passed(const struct sim *sim, const struct sim_registration *registration);
/* Whether it may act. */
bool sim_registration_lives(struct sim *sim, uint64_t lsn);
/* Whether a token holds. */
bool sim_item_token_holds(struct sim *sim, const struct hf_item_token *token,
                          uint64_t registration);
/* As above. */
bool sim_claim_holds(struct sim *sim, const struct hf_session_claim *claim, uint64_t registration);
/* As above. */
bool sim_turn_token_holds(struct sim *sim, const struct hf_turn_token *token,
                          uint64_t registration);
/* The instance has ended, or is gone: all that it had is. */
void sim_instance_end(struct sim *sim, struct sim_instance *instance, enum sim_life life);
/* Its children that still run are asked to stop, or some of them: what comes of them is not known
 * any more. must_be: all of them, and the request must be there. */
void sim_children_touch(struct sim *sim, int parent, bool must_be);
/* Something that its holder has is void: it must be told. */
void sim_voided(struct sim *sim, uint64_t registration);
/* An item goes, whoever has it. */
void sim_item_drop(struct sim *sim, struct sim_item *item);
/* An item is in nobody's hands any more. */
void sim_item_take_away(struct sim *sim, struct sim_item *item);
/* What is said to be void of what was presented, and nothing else, must be. */
void sim_laws_held(struct sim *sim, const struct hf_store_renew *renew);
/* Follows a fetch of items, and of turns. */
void sim_laws_items(struct sim *sim, const struct hf_store_fetch_items *fetch);
/* As above. */
void sim_laws_turns(struct sim *sim, const struct hf_store_fetch_turns *fetch);
/* Follows a committed turn: turn is who had it in hand, NULL when its view is not known any more.
 */
void sim_laws_commit(struct sim *sim, const struct hf_store_command *command,
                     const struct sim_turn *turn);

/* ---- families.c -------------------------------------------------------------------------------
 */

/* Whether an instance stems from the one of that number. */
bool sim_is_below(struct sim *sim, int index, uint64_t number);
/* All that stem from an instance are deleted with it. */
void sim_below_end(struct sim *sim, int top);
/* Follows the deletion of a list of ended ones. */
void sim_deleted_ended_answer(struct sim *sim, struct sim_act *act);

/* ---- workers.c, turns.c ---------------------------------------------------------------------- */

/* Draws what a worker is like. */
void sim_worker_draw(struct sim *sim, size_t index);
/* Prepares one act of a worker's, if that action is possible now. */
void sim_worker_act(struct sim *sim, struct sim_worker *worker, enum sim_action action);
/* Tells a worker the answer to its act. */
void sim_worker_learn(struct sim *sim, struct sim_act *act);
/* Its process dies, and what it had in memory is gone. */
void sim_worker_crash(struct sim *sim, struct sim_worker *worker);
/* As sim_worker_act, of turns. */
void sim_turn_act(struct sim *sim, struct sim_worker *worker, enum sim_action action);
/* As sim_worker_learn, of turns. */
void sim_turn_learn(struct sim *sim, struct sim_act *act);
/* Frees a turn and its code. */
void sim_turn_release(struct sim_turn *turn);
/* Frees the code that a worker keeps. */
void sim_live_evict(struct sim_worker *worker);

/* ---- clients.c ------------------------------------------------------------------------------- */

/* Prepares one act of a client's, if it is possible now. */
void sim_client_act(struct sim *sim, enum sim_action action);
/* Prepares the restart of an instance that has ended, if there is one. */
void sim_restart_act(struct sim *sim);
/* Follows the answer to it. */
void sim_restart_answer(struct sim *sim, struct sim_act *act);
/* Resumes an instance. */
void sim_client_resume(struct sim *sim, int instance);
/* Deletes an instance. */
void sim_client_delete(struct sim *sim, int instance);
/* Sends the next message that an instance waits for; false: it needs none. */
bool sim_client_send(struct sim *sim, int instance);

#endif
