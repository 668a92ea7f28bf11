/* Events of a history: one layout for all kinds, and what each kind is. It says what an event's
 * bytes must hold, not what the event does: that is replay's matter. Keys are on disk for ever:
 * append, never renumber. */
#include "engine/event.h"

#include "engine/base/assert.h"
#include "engine/base/status.h"

/* clang-format off */
#define FIELD(key, type, required, member)                                                         \
    { key, type, required, offsetof(struct hf_event, member), #member, NULL }
/* clang-format on */

static const struct hf_field carried_session_fields[] = {
    { 1, HF_FIELD_NUMBER, true, offsetof(struct hf_carried_session, incarnation), "incarnation",
      NULL },
    { 2, HF_FIELD_TEXT, true, offsetof(struct hf_carried_session, id), "id", NULL },
    { 3, HF_FIELD_TEXT, false, offsetof(struct hf_carried_session, tag), "tag", NULL },
};

static const struct hf_layout carried_session_layout = { "carried_session",
                                                         sizeof(struct hf_carried_session),
                                                         carried_session_fields,
                                                         HF_COUNT_OF(carried_session_fields) };

static const struct hf_field event_fields[] = {
    FIELD(0, HF_FIELD_NUMBER, true, kind),
    FIELD(1, HF_FIELD_NUMBER, false, source),
    FIELD(2, HF_FIELD_TEXT, false, name),
    FIELD(3, HF_FIELD_BYTES, false, payload),
    FIELD(4, HF_FIELD_TEXT, false, text),
    FIELD(5, HF_FIELD_NUMBER, false, incarnation),
    FIELD(6, HF_FIELD_NUMBER, false, due_unix_ms),
    FIELD(7, HF_FIELD_NUMBER, false, status),
    FIELD(8, HF_FIELD_TEXT, false, code),
    { 9, HF_FIELD_LIST, false, offsetof(struct hf_event, sessions), "sessions",
      &carried_session_layout },
    FIELD(10, HF_FIELD_NUMBER, false, incarnations_count),
    FIELD(11, HF_FIELD_NUMBER, false, generated_ids_count),
    FIELD(12, HF_FIELD_TEXT, false, tag),
    FIELD(13, HF_FIELD_NUMBER, false, recovery),
    FIELD(14, HF_FIELD_NUMBER, false, parent_execution),
    FIELD(15, HF_FIELD_NUMBER, false, now_unix_ms),
    FIELD(16, HF_FIELD_NUMBER, false, due_is_given),
    FIELD(17, HF_FIELD_TEXT, false, version),
    FIELD(18, HF_FIELD_NUMBER, false, start_due_unix_ms),
    FIELD(19, HF_FIELD_NUMBER, false, heartbeat_timeout_ms),
};

static const struct hf_layout event_layout = { "event", sizeof(struct hf_event), event_fields,
                                               HF_COUNT_OF(event_fields) };

/* What an event of a kind must hold. A time is none of it: a clock may stand at 0. */
enum need {
    NEEDS_SOURCE = 1 << 0,
    NEEDS_NAME = 1 << 1,
    NEEDS_TEXT = 1 << 2,
    NEEDS_INCARNATION = 1 << 3,
    NEEDS_STATUS = 1 << 4,
    NEEDS_PAYLOAD = 1 << 5,
    NEEDS_VERSION = 1 << 6
};

enum role { ROLE_MARK, ROLE_COMMAND, ROLE_MESSAGE };

struct kind {
    const char *name; /* NULL: no kind has this number */
    enum role role;
    unsigned needs; /* enum need */
};

static const struct kind *kind_of(uint64_t number)
{
    static const struct kind kinds[] = {
        [HF_EVENT_STARTED] = { "started", ROLE_MARK, NEEDS_NAME },
        [HF_EVENT_COMPLETED] = { "completed", ROLE_MARK, 0 },
        [HF_EVENT_FAILED] = { "failed", ROLE_MARK, NEEDS_STATUS },
        [HF_EVENT_CANCELLED] = { "cancelled", ROLE_MARK, 0 },
        [HF_EVENT_CONTINUED] = { "continued", ROLE_MARK, 0 },
        [HF_EVENT_TERMINATED] = { "terminated", ROLE_MARK, 0 },
        [HF_EVENT_ACTIVITY_SCHEDULED] = { "activity_scheduled", ROLE_COMMAND, NEEDS_NAME },
        [HF_EVENT_ACTIVITY_COMPLETED] = { "activity_completed", ROLE_MESSAGE, NEEDS_SOURCE },
        [HF_EVENT_ACTIVITY_FAILED] = { "activity_failed", ROLE_MESSAGE,
                                       NEEDS_SOURCE | NEEDS_STATUS },
        [HF_EVENT_FUTURE_CANCELLED] = { "future_cancelled", ROLE_COMMAND, NEEDS_SOURCE },
        [HF_EVENT_TIMER_CREATED] = { "timer_created", ROLE_COMMAND, 0 },
        [HF_EVENT_TIMER_FIRED] = { "timer_fired", ROLE_MESSAGE, NEEDS_SOURCE },
        [HF_EVENT_MAILBOX_WAITED] = { "mailbox_waited", ROLE_COMMAND, NEEDS_NAME },
        [HF_EVENT_MAILBOX_MESSAGE] = { "mailbox_message", ROLE_MESSAGE, NEEDS_NAME },
        [HF_EVENT_CANCEL_REQUESTED] = { "cancel_requested", ROLE_MESSAGE, 0 },
        [HF_EVENT_SESSION_OPENED] = { "session_opened", ROLE_COMMAND,
                                      NEEDS_TEXT | NEEDS_INCARNATION },
        [HF_EVENT_SESSION_CLOSED] = { "session_closed", ROLE_COMMAND, NEEDS_TEXT },
        [HF_EVENT_STATUS_SET] = { "status_set", ROLE_COMMAND, 0 },
        [HF_EVENT_EVENT_WAITED] = { "event_waited", ROLE_COMMAND, NEEDS_NAME },
        [HF_EVENT_EVENT_RAISED] = { "event_raised", ROLE_MESSAGE, NEEDS_NAME },
        [HF_EVENT_CHILD_SCHEDULED] = { "child_scheduled", ROLE_COMMAND, NEEDS_NAME | NEEDS_TEXT },
        [HF_EVENT_CHILD_COMPLETED] = { "child_completed", ROLE_MESSAGE, NEEDS_SOURCE },
        [HF_EVENT_CHILD_FAILED] = { "child_failed", ROLE_MESSAGE, NEEDS_SOURCE | NEEDS_STATUS },
        [HF_EVENT_TIME_READ] = { "time_read", ROLE_COMMAND, 0 },
        [HF_EVENT_RANDOM_DRAWN] = { "random_drawn", ROLE_COMMAND, NEEDS_PAYLOAD },
        [HF_EVENT_PATCHED] = { "patched", ROLE_COMMAND, NEEDS_NAME },
        [HF_EVENT_KV_SET] = { "kv_set", ROLE_COMMAND, NEEDS_NAME },
        [HF_EVENT_KV_CLEARED] = { "kv_cleared", ROLE_COMMAND, 0 },
        [HF_EVENT_VERSION_CHOSEN] = { "version_chosen", ROLE_COMMAND, NEEDS_VERSION },
        [HF_EVENT_DETACHED_STARTED] = { "detached_started", ROLE_COMMAND, NEEDS_NAME | NEEDS_TEXT },
    };
    if (number >= HF_COUNT_OF(kinds) || !kinds[number].name) return NULL;
    return &kinds[number];
}

/* The name of the first field that the kind needs and the event lacks, or NULL. */
static const char *lacking(const struct hf_event *event, unsigned needs)
{
    if (needs & NEEDS_SOURCE && event->source == 0) return "source";
    if (needs & NEEDS_NAME && event->name.size == 0) return "name";
    if (needs & NEEDS_TEXT && event->text.size == 0) return "text";
    if (needs & NEEDS_INCARNATION && event->incarnation == 0) return "incarnation";
    if (needs & NEEDS_STATUS && event->status == 0) return "status";
    if (needs & NEEDS_VERSION && event->version.size == 0) return "version";
    if (needs & NEEDS_PAYLOAD && event->payload.size == 0) return "payload";
    return NULL;
}

hf_slice hf_event_encode(const struct hf_event *event, struct hf_arena *arena)
{
    const struct kind *kind = kind_of(event->kind);
    hf_assert(kind);
    hf_assert(!lacking(event, kind->needs));
    return hf_encode(&event_layout, event, arena);
}

hf_status hf_event_decode(hf_slice bytes, struct hf_arena *arena, struct hf_event *out_event,
                          hf_error *error)
{
    struct hf_event event;
    hf_status status = hf_decode(&event_layout, bytes, arena, &event, error);
    if (status != HF_OK) return status;
    const struct kind *kind = kind_of(event.kind);
    if (!kind) {
        return hf_error_corrupt(error, 0, "event of the unknown kind %llu",
                                (unsigned long long)event.kind);
    }
    const char *missing = lacking(&event, kind->needs);
    if (missing) {
        return hf_error_corrupt(error, 0, "event %s: the field \"%s\" is missing or empty",
                                kind->name, missing);
    }
    *out_event = event;
    return HF_OK;
}

const char *hf_event_kind_name(uint64_t kind)
{
    const struct kind *found = kind_of(kind);
    return found ? found->name : "?";
}

const char *hf_event_recovery_name(uint64_t recovery)
{
    static const char *const names[] = {
        [HF_SESSION_MOVE] = "move", [HF_SESSION_FAIL] = "fail", [HF_SESSION_REBUILD] = "rebuild"
    };
    return recovery < HF_COUNT_OF(names) ? names[recovery] : "?";
}

bool hf_event_is_command(uint64_t kind)
{
    const struct kind *found = kind_of(kind);
    return found && found->role == ROLE_COMMAND;
}

bool hf_event_is_message(uint64_t kind)
{
    const struct kind *found = kind_of(kind);
    return found && found->role == ROLE_MESSAGE;
}

const struct hf_layout *hf_event_layout(void)
{
    return &event_layout;
}
