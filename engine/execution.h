/* An execution in memory: one orchestration function on its fiber, with its futures, sessions,
 * scopes and history position. This is the brain: (history, messages, time) -> decision. Pure: no
 * files, clocks, threads or random numbers of its own: the time of a turn is given, random bits
 * come from the options, and what the code was told of either stands in history.
 *
 * An execution is made, given turns one after the other, and freed (which evicts it: its code never
 * notices but for deferred clean-ups). Its first turn replays history; while it is kept, each
 * further turn goes on from where the code stands. All calls of one execution, and of all that
 * share a fiber pool, come from one thread. */
#ifndef HF_EXECUTION_H
#define HF_EXECUTION_H

#include "engine/fiber.h"
#include "engine/registry.h"
#include "engine/store.h"

enum {
    /* The engine version that new executions are pinned to: major << 16 | minor << 8 | patch. */
    HF_ENGINE_VERSION = HF_VERSION_MAJOR << 16 | HF_VERSION_MINOR << 8 | HF_VERSION_PATCH,
    HF_HISTORY_LONG_EVENTS = 1000 /* hf_history_is_long */
};

/* What executions of one turn thread share. Borrowed by them until they are freed. */
struct hf_execution_options {
    const hf_allocator *heap;
    struct hf_fiber_pool *fibers;
    const hf_registry *registry;
    bool sessions_supported;
    uint64_t sessions_max; /* open at a time in one instance */
    uint64_t payload_size_max;
    uint64_t kv_keys_max, kv_value_size_max;
    uint64_t history_events_max; /* of an execution; 0: no limit */
    /* Fills bytes with random ones, on the small stack of the code. */
    void (*random)(void *self, void *bytes, size_t size);
    void *random_self;
    /* hf_log of orchestrations, on their small stack, and activity.retry; not called while
     * replaying. May be NULL. */
    void (*log)(void *self, const hf_log_line *line);
    void *log_self;
};

struct hf_execution;

/* Makes the execution of the history that view holds from event 1 on; runs nothing yet. Copies what
 * it keeps. Errors: HF_NOT_FOUND when the registry has no such orchestration (the message names
 * it), HF_CORRUPT when history does not begin with its start, HF_NO_MEMORY. Returns owned:
 * hf_execution_free. */
HF_MUST_CHECK hf_status hf_execution_new(const struct hf_execution_options *options,
                                         const struct hf_turn_view *view, uint64_t execution,
                                         struct hf_execution **out_execution, hf_error *error);

/* Runs a turn: replays view->events (the whole history at the first turn, none at later ones), then
 * takes view->messages, until the code waits or ends. *out_turn is the decision, ready to be
 * committed: its lists and bodies are in arena. Every message of the view is consumed; a completion
 * or timer that answers nothing pending in this execution becomes no event (id 0). now_unix_ms: the
 * wall clock of this turn, which the code is told and from which new timers are counted. Errors,
 * and then nothing may be committed and the execution only be freed: HF_NONDETERMINISM (expected,
 * found and the event's id), HF_CORRUPT, HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_execution_turn(struct hf_execution *execution,
                                          const struct hf_turn_view *view, uint64_t now_unix_ms,
                                          struct hf_arena *arena,
                                          struct hf_turn_committed *out_turn, hf_error *error);

/* Evicts the code in the middle of its await, runs deferred clean-ups, frees all. NULL is fine. */
void hf_execution_free(struct hf_execution *execution);

/* The sessions that are open, as hf_carried_session, by rising incarnation. In arena; items NULL
 * when out of memory. */
struct hf_list hf_execution_sessions(const struct hf_execution *execution, struct hf_arena *arena);

/* Bytes that the execution holds besides its stack. */
size_t hf_execution_memory_size(const struct hf_execution *execution);

/* The checking mode: makes a second execution from view (whole history and the same messages), runs
 * the turn, and compares its decision with `turn`, byte for byte. Errors: HF_NONDETERMINISM that
 * shows the first difference; as hf_execution_turn. */
HF_MUST_CHECK hf_status hf_execution_check(const struct hf_execution_options *options,
                                           const struct hf_turn_view *view, uint64_t now_unix_ms,
                                           const struct hf_turn_committed *turn, hf_error *error);

/* ---- bodies that others make for the engine; all in arena, data NULL when out of memory ------ */

/* A copy in which every byte that is not UTF-8 is a '?'; slice itself when there is none. data NULL
 * when out of memory. */
hf_slice hf_text_clean(hf_slice slice, struct hf_arena *arena);
/* Event 1 of a new instance; version may be empty. */
hf_slice hf_body_started(hf_slice orchestration, hf_slice version, hf_slice input,
                         struct hf_arena *arena);
/* A message for a mailbox. */
hf_slice hf_body_mailbox_message(hf_slice queue, hf_slice payload, struct hf_arena *arena);
/* An event that is raised by name. */
hf_slice hf_body_event_raised(hf_slice event_name, hf_slice payload, struct hf_arena *arena);
/* A request to stop. */
hf_slice hf_body_cancel_requested(hf_slice reason, struct hf_arena *arena);
/* The last event of an instance that is terminated. */
hf_slice hf_body_terminated(hf_slice reason, struct hf_arena *arena);
/* The last event of an instance that is given up, for this reason. */
hf_slice hf_body_failed(const hf_error *error, struct hf_arena *arena);
/* The same as a message to its parent, of which event 1 of the instance tells. Empty: it is
 * nobody's child, or that event cannot be read. */
hf_slice hf_body_child_failed(hf_slice started, const hf_error *error, struct hf_arena *arena);
/* The outcome of an activity: error NULL: completed with payload; else failed with error's status,
 * code, message and payload as its data. */
hf_slice hf_body_activity_outcome(uint64_t source_event_id, hf_slice payload, const hf_error *error,
                                  struct hf_arena *arena);

/* What a client is shown of an ended instance: reads its last event. *out_error is filled for all
 * but completed ones. Borrows body. Errors: HF_CORRUPT. */
HF_MUST_CHECK hf_status hf_body_read_output(hf_slice body, struct hf_arena *arena,
                                            hf_slice *out_output, hf_error *out_error,
                                            hf_error *error);
/* The value of a custom status from the event that set it. Borrows body. Errors: HF_CORRUPT. */
HF_MUST_CHECK hf_status hf_body_read_status(hf_slice body, struct hf_arena *arena,
                                            hf_slice *out_status, hf_error *error);
/* A value and the time at which it was set, from the event that set it. Borrows body. Errors:
 * HF_CORRUPT. */
HF_MUST_CHECK hf_status hf_body_read_value(hf_slice body, struct hf_arena *arena,
                                           hf_slice *out_value, uint64_t *out_set_unix_ms,
                                           hf_error *error);
/* The code of the failure of an activity that did not report in time: one that may be tried again.
 */
#define HF_CODE_HEARTBEAT "heartbeat_timeout"

/* What is to be done of a scheduled activity. */
struct hf_scheduled_activity {
    hf_slice name, input;
    uint64_t heartbeat_timeout_ms; /* so often it reports; 0: it need not */
};

/* Reads it from its event. Borrows body. Errors: HF_CORRUPT. */
HF_MUST_CHECK hf_status hf_body_read_activity(hf_slice body, struct hf_arena *arena,
                                              struct hf_scheduled_activity *out_activity,
                                              hf_error *error);

/* What a session does when its owner is gone. */
struct hf_session_policy {
    uint64_t recovery; /* hf_session_recovery */
    hf_slice rebuild;  /* the activity that fills its memory; empty: none */
    hf_slice rebuild_input;
};

/* Reads it from the event that opened the session. Borrows body. Errors: HF_CORRUPT, HF_NO_MEMORY.
 */
HF_MUST_CHECK hf_status hf_body_read_session(hf_slice body, struct hf_arena *arena,
                                             struct hf_session_policy *out_policy, hf_error *error);

#endif
