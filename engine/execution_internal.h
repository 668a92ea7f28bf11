/* What the files of the engine share about an execution. Nothing outside engine/ and its tests
 * includes this.
 *
 *   execution.c   its life, and a turn from message to message
 *   replay.c      reading a history, matching commands with it
 *   decision.c    what a turn decides, as lists to be committed
 *   ending.c      what the code's return means
 *   futures.c     what code can await      lines.c     what waits under a name
 *   mailbox.c     messages and takes       raised.c    events and waits
 *   sessions.c    which are open           scopes.c    memory of the code
 *   tries.c       activities tried again   children.c  what a parent and its children say
 *   kv.c          the instance's values
 *   author_*.c    the public calls: thin
 *
 * Trouble has three forms. Misuse and limits fail the instance: hf__execution_fail(), and the
 * decision says so. History that does not fit the code, or is damaged, and a lack of memory break
 * the execution: hf__execution_break() keeps the first such status, whoever stands on the fiber
 * leaves it at the end of its public call, and nothing of the turn is committed. Eviction is no
 * trouble: the fiber leaves in its await. */
#ifndef HF_EXECUTION_INTERNAL_H
#define HF_EXECUTION_INTERNAL_H

#include "engine/base/arena.h"
#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/event.h"
#include "engine/execution.h"

enum hf__future_kind {
    HF__FUTURE_ACTIVITY = 1,
    HF__FUTURE_TIMER,
    HF__FUTURE_TAKE,
    HF__FUTURE_RAISED,
    HF__FUTURE_CHILD
};

/* What is behind a future whose activity is tried again, or has limits of its time. */
enum hf__work_kind {
    HF__WORK_TRY,
    HF__WORK_PAUSE,
    HF__WORK_TRY_LIMIT,
    HF__WORK_TOTAL_LIMIT,
    HF__WORKS_COUNT
};

struct hf__work {
    uint64_t id;      /* event id of the command that made it; 0: there is none now */
    bool is_answered; /* as of a future */
};

/* Lives as long as its future. */
struct hf__tries {
    uint32_t count, max; /* scheduled so far; in all */
    uint64_t pause_ms;   /* the next one; 0: none */
    uint64_t pause_max_ms, percent, step_ms;
    uint64_t try_timeout_ms, start_timeout_ms; /* 0: none */
    struct hf_event again;                     /* the command of a further try */
    struct hf__work works[HF__WORKS_COUNT];
};

/* Whose work it is; but for first tries, which have the id of their future. */
struct hf__owned {
    uint64_t id;
    struct hf__future *future; /* NULL: the work is done */
};

/* Lives in the arena of its scope. */
struct hf__future {
    uint64_t id; /* event id of the command that made it; the public hf_future.id */
    enum hf__future_kind kind;
    bool is_pending;
    bool is_watched;      /* the code waits for it, alone or among others */
    bool is_answered;     /* its completion is among this turn's messages: another one is dropped */
    hf_status status;     /* once it is not pending */
    size_t scope;         /* index in scopes */
    hf_slice name;        /* activity, mailbox, event or orchestration; empty for a timer */
    uint64_t incarnation; /* of its session, 0: ordinary */
    const char *session;  /* id, NULL: ordinary */
    hf_slice result;      /* output; data of a failure */
    hf_slice code, text;  /* of a failure */
    struct hf__tries *tries; /* of an activity; NULL: it is tried once, without limits */
    struct hf__future *previous_pending, *next_pending; /* by rising id */
    struct hf__line *line;                              /* of a pending take or wait */
    struct hf__future *previous_in_line, *next_in_line; /* by rising id */
};

/* A mailbox message that nobody has taken yet. A block of the heap, its payload behind it. */
struct hf__buffered {
    uint64_t event_id;
    size_t payload_size;
    struct hf__buffered *next_in_line;
    struct hf__buffered *previous, *next; /* of all mailboxes, by rising event id */
    char payload[];
};

/* What waits under a name, the oldest first: takes or waits, or the messages of a mailbox that
 * nobody has taken; never both. */
struct hf__line {
    hf_slice name;
    struct hf__future *first, *last;
    struct hf__buffered *messages_first, *messages_last;
};

struct hf__lines {
    struct hf__line **items; /* by name */
    size_t count, capacity;
};

struct hf__scope {
    uint64_t id; /* never used again; 0: the outermost, the execution itself */
    struct hf_arena arena;
    size_t futures_begin; /* futures from this index on were made in it, or in scopes inside it */
};

/* What the public value hf_session names: its index + 1. */
struct hf__session_handle {
    const char *id;       /* in the memory of the execution, as tag */
    uint64_t incarnation; /* 0: whichever is open */
    const char *tag;      /* of that incarnation; NULL: none */
};

/* Whose child the instance is. */
struct hf__parent {
    hf_slice id;
    uint64_t execution, event_id; /* that the outcome answers; 0: nobody's child */
};

/* What hf_patched has answered. */
struct hf__patch {
    hf_slice id;
    bool answer;
};

/* A value of the instance. A block of the heap: key and payload stand behind it. */
struct hf__value {
    hf_slice key;
    size_t payload_size;
    uint64_t set_unix_ms; /* by the clock of the turn that set it */
    char bytes[];
};

struct hf__deferred {
    void (*clean_up)(void *argument);
    void *argument;
};

/* What the code last asked to be its outcome when it returns HF_OK. */
enum hf__intent { HF__INTENT_NONE, HF__INTENT_COMPLETE, HF__INTENT_CONTINUE };

/* An event of the turn: of history, or a message that becomes one. */
struct hf__step {
    uint64_t event_id;
    struct hf_event event; /* Borrows the view */
};

/* What exists while a turn runs. */
struct hf__turn {
    const struct hf_turn_view *view;
    uint64_t now_unix_ms;
    struct hf_arena *arena;  /* of the decision */
    struct hf_arena scratch; /* gone with the turn */
    struct hf__step *steps;  /* history, then the messages that are recorded */
    size_t steps_count;
    size_t history_count; /* of the steps */
    size_t command;       /* the next step that a command of the present segment must match ... */
    size_t commands_end;  /* ... unless it is this one */
    bool is_live;         /* beyond history: commands are recorded, not matched */
    struct hf_turn_committed decision;
};

struct hf_orchestration {
    struct hf_execution *execution;
};

struct hf_execution {
    struct hf_orchestration handle;
    struct hf_execution_options options;
    const hf_allocator *heap;
    const struct hf_registered_orchestration *registered;
    uint64_t number; /* of the execution in its instance */
    uint64_t instance;
    const char *instance_id;
    struct hf__parent parent;
    bool chooses_version; /* the version stands in no start: an event says which it is */
    hf_orchestration_info info;
    hf_slice input;
    struct hf_arena memory; /* what lives as long as the execution and is not the code's */

    /* The code. */
    struct hf_fiber *fiber; /* NULL before event 1 is delivered, and after the end */
    bool is_running;        /* on the fiber now */
    bool is_evicted;        /* the fiber is to leave its await for good */
    bool has_ended;
    size_t watched_count; /* pending futures that the code watches, only while it waits */
    size_t wanted_count;  /* so many of them must end before it goes on */
    struct hf__deferred *deferred;
    size_t deferred_count, deferred_capacity;

    /* Its ending. */
    hf_status returned;
    bool is_failed; /* for good: `failure` is the outcome */
    hf_error failure;
    enum hf__intent intent;
    hf_slice intent_payload;
    hf_slice intent_version; /* of the next execution; empty: the policy decides */
    struct hf_arena intent_memory;
    hf_error latest_error; /* of the latest await that failed, or of hf_fail; its data is in: */
    struct hf_arena error_memory;
    bool is_cancel_requested;
    hf_slice cancel_reason;

    /* Position. */
    uint64_t next_event_id;
    uint64_t delivered_event_id; /* of the latest message that was delivered */
    uint64_t now_unix_ms;        /* what the code was told last ... */
    uint64_t now_event_id;       /* ... when this one had been delivered; 0: never */
    bool has_replayed;           /* a first turn was run */
    struct hf__turn *turn;       /* NULL between turns */
    hf_status broken;            /* HF_OK, or why nothing may be committed */
    hf_error broken_error;

    /* Futures, by rising id; a scope's are the tail from its futures_begin. */
    struct hf__future **futures;
    size_t futures_count, futures_capacity;
    struct hf__future *pending_first, *pending_last;
    struct hf__owned *owned; /* by rising id */
    size_t owned_count, owned_capacity, owned_empty_count;

    struct hf__lines mailboxes, raised;
    struct hf__buffered *buffered_first, *buffered_last;
    size_t buffered_size; /* bytes of the blocks */

    struct hf__scope *scopes; /* the outermost first; never empty */
    size_t scopes_count, scopes_capacity;
    uint64_t scope_ids_count;

    struct hf__session_handle *handles;
    size_t handles_count, handles_capacity;
    uint64_t *open_sessions; /* hf_session ids, by rising incarnation */
    size_t open_sessions_count, open_sessions_capacity;
    uint64_t incarnations_count;
    uint64_t generated_ids_count;

    struct hf__patch *patches; /* by first asking */
    size_t patches_count, patches_capacity;

    struct hf__value **values; /* by key */
    size_t values_count, values_capacity;
    size_t values_size; /* bytes of the blocks */
    hf_slice custom_status;
    struct hf_arena status_memory; /* of it */
};

/* ---- execution.c ---------------------------------------------------------------------------- */

/* The execution behind a public handle. Asserts that its code runs: only it may call. */
struct hf_execution *hf__execution_enter(hf_orchestration *o);
/* Ends a public call: when the execution is broken, the fiber leaves here. */
void hf__execution_leave(struct hf_execution *self);
/* Keeps the first reason why nothing of this execution may be committed. Borrows error. */
void hf__execution_break(struct hf_execution *self, const hf_error *error);
/* As hf__execution_break with HF_NO_MEMORY. */
void hf__execution_no_memory(struct hf_execution *self);
/* Fails the instance for good and leaves the fiber. Copies. */
HF_NORETURN void hf__execution_fail(struct hf_execution *self, hf_status status, const char *code,
                                    const char *format, ...) HF_PRINTF(4, 5);
/* Suspends the code until so many of the futures that it watches have ended; 0: not at all. Does
 * not return when it is evicted. */
void hf__execution_wait(struct hf_execution *self, size_t count);
/* Fails the instance unless id is an id or name. `what` names it, `code` is the error's. */
void hf__execution_check_id(struct hf_execution *self, const char *id, const char *what,
                            const char *code);
/* The same for the name of an orchestration or activity. */
void hf__execution_check_name(struct hf_execution *self, const char *name, const char *what);
/* Fails the instance unless version is NULL or a version. */
void hf__execution_check_version(struct hf_execution *self, const char *version);
/* Copies the code's options as hf_options_copy does; fails the instance when they are none. */
void hf__execution_copy_options(struct hf_execution *self, void *to, size_t to_size,
                                const void *from);
/* Fails the instance when payload is no slice, or, beyond history, over the limit. */
void hf__execution_check_payload(struct hf_execution *self, hf_slice payload, const char *what);

/* Whether a line of the log would reach anybody: at replay it was written before. */
bool hf__execution_is_heard(const struct hf_execution *self);
/* Writes a line of this instance, which somebody hears. */
void hf__execution_log(const struct hf_execution *self, hf_log_line *line);
/* The wall time so long after the turn's; the end of time when it is beyond that. */
uint64_t hf__due_unix_ms(const struct hf_execution *self, uint64_t delay_ms);

/* ---- execution_audit.c ---------------------------------------------------------------------- */

/* Walks the whole execution between two turns, and asserts what must hold of it. Not for a broken
 * one. */
void hf__execution_audit(const struct hf_execution *self);

/* ---- replay.c ------------------------------------------------------------------------------- */

/* Reads the history of the view into the steps of the turn and proves its shape. Makes room for the
 * messages, too. Errors: HF_CORRUPT, HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf__replay_read(struct hf__turn *turn, const hf_allocator *heap,
                                        hf_error *error);
/* Whether the history shows that a turn was committed: it has a command or a last event. */
bool hf__replay_is_committed(const struct hf__turn *turn);
/* Whether the event can only be the last one of an execution. */
bool hf__event_is_last(uint64_t kind);
/* Issues a command of the code: matches it with history (and adopts what the world said: see
 * replay.c), or records it. Returns its event id. Does not return when it does not fit history.
 * Borrows event. */
uint64_t hf__command_issue(struct hf_execution *self, struct hf_event *event);
/* The same off the fiber: returns 0 when it does not fit history, and the execution is broken. */
uint64_t hf__command_match(struct hf_execution *self, struct hf_event *event);
/* Whether history has this command where the code is now; false beyond history. */
bool hf__command_is_next(const struct hf_execution *self, const struct hf_event *event);
/* The command that history has next; NULL: none, the code is beyond it. Borrows: until the turn
 * ends.
 */
const struct hf_event *hf__command_recorded(const struct hf_execution *self);
/* The event id of the command that the code issues next. */
uint64_t hf__command_next_id(const struct hf_execution *self);
/* Whether limits are judged for what the code does now: nothing of history is left to match. */
bool hf__command_is_judged(const struct hf_execution *self);
/* The outcome of the code as an event: matches it with history, or records it. Returns its event
 * id; 0: it does not fit, and the execution is broken. Not on the fiber. */
uint64_t hf__outcome_issue(struct hf_execution *self, const struct hf_event *event);
/* Breaks the execution when a command of the present segment was not issued. Not on the fiber. */
void hf__replay_check_segment(struct hf_execution *self);
/* Writes what an event is, for people: `activity_scheduled "charge" on session "s"`. Cut, never
 * overrun. */
void hf__event_describe(const struct hf_event *event, char *text, size_t text_size);

/* ---- decision.c ----------------------------------------------------------------------------- */

/* Reads the messages of the view, drops those that answer nothing pending, and makes the others
 * steps of the turn. */
void hf__decision_take_messages(struct hf_execution *self);
/* Records an event that the code issued, with its effects on items, timers, sessions and children.
 * Returns its event id. */
uint64_t hf__decision_add_event(struct hf_execution *self, const struct hf_event *event);
/* Names an item or timer to be cancelled; nothing at replay. */
void hf__decision_cancel(struct hf_execution *self, uint64_t event_id);
/* The same of a child, which is told. */
void hf__decision_cancel_child(struct hf_execution *self, uint64_t event_id);
/* Fills the decision with the start of the next execution, and the messages that go with it. */
void hf__decision_continue(struct hf_execution *self);

/* ---- children.c ----------------------------------------------------------------------------- */

/* A child that the code has scheduled, or an instance that it starts as nobody's, as the decision
 * has it; in the turn's arena. Out of memory the execution is broken; likewise below. */
struct hf_turn_child hf__child_of(struct hf_execution *self, uint64_t event_id,
                                  const struct hf_event *scheduled);
/* The request to a child whose outcome is not wanted any more. */
hf_slice hf__child_cancel_body(struct hf_execution *self);
/* What the last event of an instance that is a child says to its parent. */
hf_slice hf__child_answer(struct hf_execution *self, const struct hf_event *last);

/* ---- ending.c ------------------------------------------------------------------------------- */

/* Issues the outcome of the code, which has ended, and notes it in the decision. Not on the fiber.
 */
void hf__ending_issue(struct hf_execution *self);

/* ---- futures.c ------------------------------------------------------------------------------ */

/* Makes the pending future of the command with that event id in the innermost scope; NULL: no
 * memory, the execution is broken. */
struct hf__future *hf__future_new(struct hf_execution *self, enum hf__future_kind kind,
                                  uint64_t event_id, hf_slice name);
/* The future of that id, or NULL. */
struct hf__future *hf__future_find(const struct hf_execution *self, uint64_t id);
/* Adds a future to those that the code is about to wait for. One that is done, or watched already,
 * adds nothing. */
void hf__future_watch(struct hf_execution *self, struct hf__future *future);
/* Ends a pending future with a status; it leaves the list of pending ones and its line. */
void hf__future_finish(struct hf_execution *self, struct hf__future *future, hf_status status);
/* Ends a pending future with HF_OK and a copy of what came for it. */
void hf__future_receive(struct hf_execution *self, struct hf__future *future, hf_slice payload);
/* Where it is noted that an awaited completion of that source is among this turn's messages;
 * *out_kind is what it must be a completion of. NULL: nobody awaits one. Valid until: a future
 * ends.
 */
bool *hf__future_expect(struct hf_execution *self, uint64_t source, enum hf__future_kind *out_kind);
/* Lets the pending future go on that the message answers, when there is one: it ends, or is tried
 * again. */
void hf__future_deliver(struct hf_execution *self, const struct hf_event *event);
/* Ends a pending future with the outcome that the message brings; copies it into its scope. */
void hf__future_end(struct hf_execution *self, struct hf__future *future,
                    const struct hf_event *event);
/* Cancels a pending future by a command of the code. On the fiber. */
void hf__future_cancel(struct hf_execution *self, struct hf__future *future);
/* Cancels all pending futures without an event: history tells it otherwise. tells_children: unless
 * the store tells those, since the instance has ended. */
void hf__futures_cancel_all(struct hf_execution *self, bool tells_children);
/* Ends the pending futures of a session that closes. */
void hf__futures_close_session(struct hf_execution *self, uint64_t incarnation);
/* Forgets the futures from index `begin` on; cancels the pending ones by commands. On the fiber. */
void hf__futures_cut(struct hf_execution *self, size_t begin);

/* ---- tries.c -------------------------------------------------------------------------------- */

/* Whether the options ask for more than one try without limits. */
bool hf__tries_are_asked(const hf_activity_options *options);
/* Makes the tries of a future whose first try was just scheduled by that command. Out of memory the
 * execution is broken. */
void hf__tries_begin(struct hf_execution *self, struct hf__future *future,
                     const hf_activity_options *options, const struct hf_event *scheduled);
/* The future behind which that work is, which is no first try; NULL: none. */
struct hf__future *hf__tries_find(const struct hf_execution *self, uint64_t id);
/* As hf__future_expect, of a pending future with tries. */
bool *hf__tries_expect(struct hf__future *future, uint64_t source, enum hf__future_kind *out_kind);
/* Takes the outcome of one of its works: it ends, or the next work begins. */
void hf__tries_deliver(struct hf_execution *self, struct hf__future *future,
                       const struct hf_event *event);
/* Calls off what is still behind a future that ends. */
void hf__tries_end(struct hf_execution *self, struct hf__future *future);

/* ---- lines.c -------------------------------------------------------------------------------- */

/* The line of that name; NULL: there is none. */
struct hf__line *hf__line_find(const struct hf__lines *lines, hf_slice name);
/* The line of that name, made when there is none. NULL: no memory, the execution is broken. */
struct hf__line *hf__line_of(struct hf_execution *self, struct hf__lines *lines, hf_slice name);
/* Puts a pending future at its end. */
void hf__line_enter(struct hf__line *line, struct hf__future *future);
/* Takes a pending future out of its line. */
void hf__line_leave(struct hf__future *future);
/* Frees the table. */
void hf__lines_release(struct hf_execution *self, struct hf__lines *lines);

/* ---- mailbox.c ------------------------------------------------------------------------------ */

/* Gives the take the oldest message of its mailbox, or lets it wait in line. */
void hf__mailbox_take(struct hf_execution *self, struct hf__future *take);
/* Gives the message to the oldest take of its mailbox, or keeps it. */
void hf__mailbox_deliver(struct hf_execution *self, uint64_t event_id,
                         const struct hf_event *event);
/* Frees the messages that nobody took. */
void hf__mailbox_release(struct hf_execution *self);

/* ---- raised.c ------------------------------------------------------------------------------- */

/* Lets the wait stand in the line of its event. */
void hf__raised_wait(struct hf_execution *self, struct hf__future *wait);
/* Gives what was raised to the oldest wait of its name; nobody waits: it is dropped. */
void hf__raised_deliver(struct hf_execution *self, const struct hf_event *event);

/* ---- kv.c -------------------------------------------------------------------------------------
 */

/* The index of the value of that key, or where it belongs. */
size_t hf__kv_search(const struct hf_execution *self, hf_slice key, bool *out_is_there);
/* Its bytes. Valid until: it is set again, or removed. */
hf_slice hf__kv_payload(const struct hf__value *value);
/* Does what a kv_set event says; false: no memory. */
bool hf__kv_put(struct hf_execution *self, const struct hf_event *set);
/* Removes the value at index. */
void hf__kv_remove(struct hf_execution *self, size_t index);
/* Removes all. */
void hf__kv_empty(struct hf_execution *self);
/* The same, and frees the array. */
void hf__kv_release(struct hf_execution *self);
/* Begins with what the former execution left: values and custom status. Errors: HF_CORRUPT,
 * HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf__kv_seed(struct hf_execution *self, const struct hf_turn_view *view,
                                    struct hf_arena *scratch, hf_error *error);
/* Keeps a copy as the custom status; false: no memory. */
bool hf__status_keep(struct hf_execution *self, hf_slice status);

/* ---- sessions.c ----------------------------------------------------------------------------- */

/* Makes sessions open that continue-as-new carried here. False: no memory. */
bool hf__sessions_carry(struct hf_execution *self, const struct hf_event *started);
/* The handle behind the value; fails the instance when there is none. */
const struct hf__session_handle *hf__session_handle(struct hf_execution *self, hf_session session);
/* The open session that id names, or 0. */
hf_session hf__session_find_open(const struct hf_execution *self, hf_slice id);
/* The handle of the open session that this one means; NULL: it is not open. */
const struct hf__session_handle *hf__session_open_of(const struct hf_execution *self,
                                                     const struct hf__session_handle *handle);
/* A value that names whichever session is open under that id; the same one for the same id. {0}
 * when out of memory, the execution is broken. */
hf_session hf__session_name(struct hf_execution *self, hf_slice id);
/* Opens a session that is not open, by a command; of options the id does not count. On the fiber.
 */
hf_session hf__session_open(struct hf_execution *self, hf_slice id,
                            const hf_session_options *options);
/* Forgets an open session. */
void hf__session_forget(struct hf_execution *self, uint64_t incarnation);

/* ---- scopes.c ------------------------------------------------------------------------------- */

/* The arena of the innermost scope. */
struct hf_arena *hf__scope_arena(struct hf_execution *self);
/* Opens a scope inside the innermost one; false: no memory. */
bool hf__scope_push(struct hf_execution *self);
/* The index of an open scope that the code opened; fails the instance when it is stale. */
size_t hf__scope_index(struct hf_execution *self, hf_scope scope);
/* Closes the scopes from index on: cancels their pending futures (on the fiber), frees their
 * memory. */
void hf__scopes_cut(struct hf_execution *self, size_t index);
/* Frees all scopes, without any command. */
void hf__scopes_release(struct hf_execution *self);

#endif
