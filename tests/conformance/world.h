/* A world for tests of commands: a real store in a directory of its own, whose clock, randomness,
 * liveness and faults the test turns by hand, and short words for the commands.
 *
 * Every word fails the test when its command is not HF_OK, but for those that return an hf_status.
 * Teardown proves that the indexes are the fold of the log. */
#ifndef HF_TESTS_CONFORMANCE_WORLD_H
#define HF_TESTS_CONFORMANCE_WORLD_H

#include "tests/support/hf_test.h"

#include "engine/store.h"

enum {
    WORLD_LIVES_MAX = 16,
    WORLD_ITEMS_MS = 30 * 1000,     /* the lease of items that workers ask for */
    WORLD_SESSIONS_MS = 600 * 1000, /* and of sessions */
    WORLD_VERSION = 1               /* the engine version of turns */
};

/* A process as the liveness seam sees it. */
struct world_life {
    char name[32];
    bool is_alive;
};

struct world {
    struct hf_test_directory directory;
    struct hf_backend *backend;
    struct hf_seams seams;
    hf_clock clock;
    uint64_t map_size, preallocate_size;
    hf_durability durability;
    bool is_read_only;
    uint64_t boot_ms, wall_ms;
    uint64_t random_state;
    struct world_life lives[WORLD_LIVES_MAX];
    size_t lives_count;
    enum hf_fault_point fault_point; /* that fails */
    uint64_t fault_after;            /* so many passes later; 0: none fails */
    int fault_code;
    size_t puts_count, deletes_count; /* of rows that were written and removed */
    size_t damaged_count;  /* lines of the log that tell of an item or a child without its body */
    struct hf_arena arena; /* all that commands and reads give out, until the test ends */
    uint32_t effects;      /* of the latest batch */
    hf_error error;        /* of the latest command or read */
};

/* cmocka's: *state becomes a struct world with an empty store; teardown verifies and removes it. */
int world_setup(void **state);
/* As above, with a map in which millions of rows have room. */
int world_setup_large(void **state);
/* As above. */
int world_teardown(void **state);
/* As above, without the proof: for scenes that are too large for it. */
int world_teardown_unverified(void **state);

/* For worlds that are not a test's own: sets clock, chance, lives, seams and options to where each
 * world begins; the directory is the caller's business. */
void world_init(struct world *world);
/* Closes its store, and lets go of its memory. */
void world_leave(struct world *world);

/* Opens the store in world->directory; world->error tells why not. */
hf_status world_try_open(struct world *world);
/* The same, which must succeed. */
void world_open(struct world *world);

/* Closes the store and opens it again; boot_id: NULL for the same boot. */
void world_reopen(struct world *world, const char *boot_id);

/* Fails the test unless the indexes are the fold of the log, and keep their laws. */
void world_verify(struct world *world);

/* A number that changes with any row of any table but `writers`. */
uint64_t world_fingerprint(struct world *world);
/* The LSN of the next record. */
uint64_t world_next_lsn(struct world *world);
/* Its counters. */
struct hf_store_counters world_counters(struct world *world);

/* ---- commands -------------------------------------------------------------------------------- */

/* Runs one command in a batch of its own; world->error is its error. */
hf_status world_run(struct world *world, struct hf_store_command *command);
/* Runs commands as one group; each has its own status then. */
void world_group(struct world *world, struct hf_store_command **commands, size_t count);

/* Fails the test unless the command is refused with status and code ("": none) and a message, and
 * has left no trace: no record, no row. */
#define assert_refused(world, command, status, code)                                               \
    world_assert_refused((world), (command), (status), (code), __FILE__, __LINE__)
/* The body of the macro above. */
void world_assert_refused(struct world *world, struct hf_store_command *command, hf_status status,
                          const char *code, const char *file, int line);

/* Makes all later processes of that name live or dead. */
void world_kill(struct world *world, const char *worker_id);

/* Registers a worker under a life of the same name. */
uint64_t worker_register(struct world *world, const char *worker_id);
/* The same with a reclaim window. */
uint64_t worker_register_to_return(struct world *world, const char *worker_id, uint64_t reclaim_ms);
/* The command of it. */
struct hf_store_command register_command(struct world *world, const char *worker_id);
/* Moves its lease to the usual distance from now. */
void worker_renew(struct world *world, uint64_t registration);
/* Ends a registration. */
hf_status worker_end(struct world *world, uint64_t registration, enum hf_reason reason);
/* A worker dies, and its registration is declared dead. */
void worker_die(struct world *world, const char *worker_id, uint64_t registration);
/* Reclaims until nothing more is to be done; returns in how many steps. */
size_t world_reclaim(struct world *world);

/* A start of orchestration "demo". */
struct hf_store_command start_command(const char *id);
/* Starts an instance of orchestration "demo"; returns its number. */
uint64_t instance_start(struct world *world, const char *id);
/* A message. */
struct hf_store_command message_command(const char *id, const char *body);
/* Sends it. */
void instance_message(struct world *world, const char *id, const char *body);

/* A fetch of one turn of WORLD_VERSION. */
struct hf_store_command fetch_turns_command(struct world *world, uint64_t registration);
/* Locks one turn if there is one; false: none was due. */
bool turn_fetch(struct world *world, uint64_t registration, struct hf_turn_grant *out_grant);
/* Locks the turn that must be due. */
struct hf_turn_grant turn_take(struct world *world, uint64_t registration);
/* Hands a turn back, uncounted and at once. */
struct hf_store_command abandon_turn_command(uint64_t registration,
                                             const struct hf_turn_token *token);

/* A fetch of one item of any kind, without tags. */
struct hf_store_command fetch_items_command(struct world *world, uint64_t registration);
/* Fetches up to count items with the usual options; NULL when there was none. */
struct hf_item_grant *items_fetch(struct world *world, uint64_t registration, size_t count,
                                  size_t *out_count);
/* Fetches the one item that must be there. */
struct hf_item_grant item_take(struct world *world, uint64_t registration);
/* Fails the test if an item can be fetched. */
void assert_no_item(struct world *world, uint64_t registration);

/* A completion with some result. */
struct hf_store_command complete_command(uint64_t registration, const struct hf_item_token *token);
/* Hands an item back as failed, counted and at once. */
struct hf_store_command abandon_command(uint64_t registration, const struct hf_item_token *token);
/* Completes it. */
void item_complete(struct world *world, uint64_t registration, const struct hf_item_token *token);
/* The release of one session, as idle. */
struct hf_store_command release_command(struct world *world, uint64_t registration,
                                        const struct hf_session_claim *claim);
/* A renewal to the usual distance from now that presents nothing. */
struct hf_store_command renew_command(struct world *world, uint64_t registration);
/* Fires up to 100 timers; returns how many there were. */
size_t timers_fire(struct world *world);

/* The code with which a renewal names a token or claim; NULL: it holds. */
const char *held_code(struct world *world, uint64_t registration, const struct hf_item_token *item,
                      const struct hf_session_claim *claim);

/* ---- turns ----------------------------------------------------------------------------------- */

enum { PLAN_LIST_MAX = 64, PLAN_EVENTS_MAX = 4096 };

/* A turn in the making: what a replay would have decided. */
struct plan {
    struct world *world;
    struct hf_turn_token token;
    uint64_t registration;
    uint64_t next_event_id;
    struct hf_turn_committed record;
    struct hf_consumed_message *messages;
    struct hf_turn_event *events;
    struct hf_turn_item *items;
    struct hf_turn_timer timers[PLAN_LIST_MAX];
    struct hf_turn_cancel cancels[PLAN_LIST_MAX];
    struct hf_turn_session opened[PLAN_LIST_MAX];
    struct hf_turn_session closed[PLAN_LIST_MAX];
    struct hf_turn_carried carried[PLAN_LIST_MAX];
    struct hf_turn_child *children;
    struct hf_turn_child_cancel *child_cancels;
};

/* Begins a turn for a grant: consumes all messages that are in the inbox now. In world->arena. */
struct plan *plan_new(struct world *world, uint64_t registration,
                      const struct hf_turn_grant *grant);
/* An event; returns its id. */
uint64_t plan_event(struct plan *plan, const char *body);
/* An activity, on a session or on none (0), with a tag or none (""); returns its event id. */
uint64_t plan_item(struct plan *plan, uint64_t incarnation, const char *tag);
/* A timer; returns its event id. */
uint64_t plan_timer(struct plan *plan, uint64_t due_unix_ms);
/* Opens a session, with a tag or none (""). */
void plan_open(struct plan *plan, uint64_t incarnation, const char *id, const char *tag);
/* Closes one. */
void plan_close(struct plan *plan, uint64_t incarnation);
/* Cancels what that event scheduled. */
void plan_cancel(struct plan *plan, uint64_t event_id);
/* A child; returns its event id. Its bodies are "start", "lost", "orphan", "deleted", "clash". */
uint64_t plan_child(struct plan *plan, const char *id);
/* Cancels the child that event scheduled, with the body "cancel". */
void plan_child_cancel(struct plan *plan, uint64_t event_id);
/* Ends the execution, with an event of its own. */
void plan_end(struct plan *plan, enum hf_outcome outcome);
/* The commit of the turn. */
struct hf_store_command plan_command(struct plan *plan);
/* Commits; returns the new head. */
uint64_t plan_commit(struct plan *plan);

/* ---- reads ----------------------------------------------------------------------------------- */

/* The instance of that id, which must be there. */
struct hf_instance_info instance_info(struct world *world, const char *id);
/* History from its first event on, and inbox. */
struct hf_turn_view turn_view(struct world *world, uint64_t instance, uint64_t execution);
/* How many messages wait for the instance. */
size_t inbox_count(struct world *world, uint64_t instance);
/* False: there is no such session row. */
bool session_find(struct world *world, uint64_t instance, uint64_t incarnation,
                  struct hf_session_row *out_row);
/* The session row, which must be there. */
struct hf_session_row session_row(struct world *world, uint64_t instance, uint64_t incarnation);
/* What waits for a registration that asks for everything without tags. */
struct hf_peek world_peek(struct world *world, uint64_t registration);

/* ---- scenes that many cases begin with ------------------------------------------------------- */

/* A started instance whose first turn schedules `count` ordinary activities. Returns its number. */
uint64_t scene_items(struct world *world, uint64_t registration, const char *id, size_t count);
/* The same on a session, incarnation 1 of id "s". */
uint64_t scene_session(struct world *world, uint64_t registration, const char *id, size_t count);
/* Begins the turn that must be due, with nothing but its messages; for changes by hand. */
struct plan *scene_turn(struct world *world, uint64_t registration);

/* ---- sessions as their holders see them ------------------------------------------------------ */

/* The claim under which an item of a session was given. */
struct hf_session_claim claim_of(const struct hf_item_grant *grant);
/* Releases one session; returns why it was not released, NULL: it was. Fails the test when a
 * refusal has left a trace. */
const char *release_code(struct world *world, uint64_t registration,
                         const struct hf_session_claim *claim, enum hf_reason reason);
/* A new instance whose idle session 1 the registration owns: it has done the one item on it. */
struct hf_session_claim session_own(struct world *world, uint64_t registration, const char *id);
/* Runs a turn of an instance that schedules `count` more items on its session 1. */
void session_add(struct world *world, uint64_t registration, const char *id, size_t count);
/* Begins a turn of an instance that closes its session 1; it may open and use others. */
struct plan *session_close_plan(struct world *world, uint64_t registration, const char *id);

#endif
