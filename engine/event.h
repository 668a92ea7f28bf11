/* Events: the entries of an execution's history, as the engine writes and reads them. To a store
 * their bytes are opaque. An event body is also what a message is made of, so that consuming a
 * message writes no payload again. */
#ifndef HF_EVENT_H
#define HF_EVENT_H

#include "engine/codec.h"

/* Append-only numbers. "Command" events are issued by the code, the others come to it. */
enum hf_event_kind {
    HF_EVENT_STARTED = 1,             /* name, payload = input, sessions and counters carried on; of
                                         a child: text = parent's id, source and
                                         parent_execution; version, if one was asked for */
    HF_EVENT_COMPLETED = 2,           /* payload = output; the last event */
    HF_EVENT_FAILED = 3,              /* status, code, text, payload = data; the last event */
    HF_EVENT_CANCELLED = 4,           /* text = reason; the last event */
    HF_EVENT_CONTINUED = 5,           /* the last event of the execution */
    HF_EVENT_TERMINATED = 6,          /* text = reason; the last event */
    HF_EVENT_ACTIVITY_SCHEDULED = 10, /* command: name, payload = input, incarnation or 0, text =
                                         session id, tag, source = the first try or 0,
                                         start_due_unix_ms, heartbeat_timeout_ms */
    HF_EVENT_ACTIVITY_COMPLETED = 11, /* message: source, payload = output */
    HF_EVENT_ACTIVITY_FAILED = 12,    /* message: source, status, code, text, payload = data */
    HF_EVENT_FUTURE_CANCELLED = 13,   /* command: source */
    HF_EVENT_TIMER_CREATED = 14,      /* command: due_unix_ms, due_is_given; of an activity's tries:
                                         source = the first one, text = what for */
    HF_EVENT_TIMER_FIRED = 15,        /* message: source */
    HF_EVENT_MAILBOX_WAITED = 16,     /* command: name */
    HF_EVENT_MAILBOX_MESSAGE = 17,    /* message: name, payload */
    HF_EVENT_CANCEL_REQUESTED = 18,   /* message: text = reason */
    HF_EVENT_SESSION_OPENED = 19,     /* command: text = id, incarnation, tag, recovery, name =
                                         rebuild activity, payload = its input */
    HF_EVENT_SESSION_CLOSED = 20,     /* command: text = id, incarnation; 0: it was not open */
    HF_EVENT_STATUS_SET = 21,         /* command: payload */
    HF_EVENT_EVENT_WAITED = 22,       /* command: name */
    HF_EVENT_EVENT_RAISED = 23,       /* message: name, payload */
    HF_EVENT_CHILD_SCHEDULED = 24, /* command: name, payload = input, text = child's id, version */
    HF_EVENT_CHILD_COMPLETED = 25, /* message: source, payload = output */
    HF_EVENT_CHILD_FAILED = 26,    /* message: source, status, code, text, payload = data */
    HF_EVENT_TIME_READ = 27,       /* command: now_unix_ms */
    HF_EVENT_RANDOM_DRAWN = 28,    /* command: payload = the bits */
    HF_EVENT_PATCHED = 29,         /* command: name = change id */
    HF_EVENT_KV_SET = 30,          /* command: name = key, payload = value, now_unix_ms */
    HF_EVENT_KV_CLEARED = 31,      /* command: name = key; empty: all keys */
    HF_EVENT_VERSION_CHOSEN = 32,  /* command of the engine's own, the first: version */
    HF_EVENT_DETACHED_STARTED = 33 /* command: name, payload = input, text = its id, version */
};

/* A session that continue-as-new carries on. */
struct hf_carried_session {
    uint64_t incarnation;
    hf_slice id;
    hf_slice tag;
};

/* One event of any kind; fields that a kind does not have are empty. */
struct hf_event {
    uint64_t kind;
    uint64_t source; /* event id of the command that it answers, or belongs to */
    hf_slice name;
    hf_slice payload;
    hf_slice text;
    uint64_t incarnation;
    uint64_t due_unix_ms;
    uint64_t status; /* hf_status of a failure */
    hf_slice code;
    struct hf_list sessions;      /* hf_carried_session, by rising incarnation */
    uint64_t incarnations_count;  /* given out in the instance so far */
    uint64_t generated_ids_count; /* given out in the instance so far */
    hf_slice tag;
    uint64_t recovery;         /* hf_session_recovery */
    uint64_t parent_execution; /* of the parent, in which source is the event */
    uint64_t now_unix_ms;      /* the time that the code was told */
    uint64_t due_is_given;     /* 1: the due time is the code's; 0: a delay from the turn's clock */
    uint64_t start_due_unix_ms;    /* of an activity: by then somebody is given it; 0: no limit */
    uint64_t heartbeat_timeout_ms; /* of an activity: so often it reports; 0: it need not */
    hf_slice version; /* of an orchestration; empty: the policy decides, or it is 1.0.0 */
};

/* The bytes of event. data NULL when out of memory. Copies. */
hf_slice hf_event_encode(const struct hf_event *event, struct hf_arena *arena);

/* Reads a body: proves its bytes, that its kind is known, and that it has the fields which the kind
 * needs. Borrows bytes. Errors: HF_CORRUPT, HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_event_decode(hf_slice bytes, struct hf_arena *arena,
                                        struct hf_event *out_event, hf_error *error);

/* "activity_scheduled"; "?" for a number that is none. Static storage. */
const char *hf_event_kind_name(uint64_t kind);

/* How a session is recovered, from hf_event.recovery: "rebuild"; "?" for a number that is none.
 * Static storage. */
const char *hf_event_recovery_name(uint64_t recovery);

/* Whether the code issues events of this kind as commands (and replay matches them). */
bool hf_event_is_command(uint64_t kind);

/* Whether events of this kind reach an execution as messages. */
bool hf_event_is_message(uint64_t kind);

/* The layout of every event, for inspection. Static storage. */
const struct hf_layout *hf_event_layout(void);

#endif
