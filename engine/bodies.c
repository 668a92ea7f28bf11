/* Bodies that others make or read for the engine: events that reach an execution as messages, its
 * start, its end as clients see it. Text that comes from outside is made UTF-8 here, since what is
 * stored must be. */
#include "engine/execution_internal.h"

static hf_slice encode(struct hf_event *event, struct hf_arena *arena)
{
    event->text = hf_text_clean(event->text, arena);
    event->code = hf_text_clean(event->code, arena);
    if (arena->failed) return (hf_slice)HF_EMPTY;
    return hf_event_encode(event, arena);
}

hf_slice hf_body_started(hf_slice orchestration, hf_slice version, hf_slice input,
                         struct hf_arena *arena)
{
    struct hf_event event = {
        .kind = HF_EVENT_STARTED, .name = orchestration, .version = version, .payload = input
    };
    return encode(&event, arena);
}

hf_slice hf_body_mailbox_message(hf_slice queue, hf_slice payload, struct hf_arena *arena)
{
    struct hf_event event = { .kind = HF_EVENT_MAILBOX_MESSAGE, .name = queue, .payload = payload };
    return encode(&event, arena);
}

hf_slice hf_body_event_raised(hf_slice event_name, hf_slice payload, struct hf_arena *arena)
{
    struct hf_event event = { .kind = HF_EVENT_EVENT_RAISED,
                              .name = event_name,
                              .payload = payload };
    return encode(&event, arena);
}

hf_slice hf_body_cancel_requested(hf_slice reason, struct hf_arena *arena)
{
    struct hf_event event = { .kind = HF_EVENT_CANCEL_REQUESTED, .text = reason };
    return encode(&event, arena);
}

hf_slice hf_body_terminated(hf_slice reason, struct hf_arena *arena)
{
    struct hf_event event = { .kind = HF_EVENT_TERMINATED, .text = reason };
    return encode(&event, arena);
}

static struct hf_event failure_event(uint64_t kind, const hf_error *error)
{
    return (struct hf_event){ .kind = kind,
                              .status = (uint32_t)error->status,
                              .code = hf_text(error->code),
                              .text = hf_text(error->message),
                              .payload = error->data };
}

hf_slice hf_body_failed(const hf_error *error, struct hf_arena *arena)
{
    hf_assert(error->status != HF_OK);
    struct hf_event event = failure_event(HF_EVENT_FAILED, error);
    return encode(&event, arena);
}

hf_slice hf_body_child_failed(hf_slice started, const hf_error *error, struct hf_arena *arena)
{
    struct hf_event first, event = failure_event(HF_EVENT_CHILD_FAILED, error);
    if (hf_event_decode(started, arena, &first, NULL) != HF_OK) return (hf_slice)HF_EMPTY;
    if (first.kind != HF_EVENT_STARTED || first.source == 0) return (hf_slice)HF_EMPTY;
    event.source = first.source;
    return encode(&event, arena);
}

hf_slice hf_body_activity_outcome(uint64_t source_event_id, hf_slice payload, const hf_error *error,
                                  struct hf_arena *arena)
{
    hf_assert(source_event_id > 0);
    struct hf_event event = { .kind = HF_EVENT_ACTIVITY_COMPLETED,
                              .source = source_event_id,
                              .payload = payload };
    if (error) {
        hf_status status = error->status != HF_OK ? error->status : HF_FAILED;
        event.kind = HF_EVENT_ACTIVITY_FAILED;
        event.status = (uint32_t)status;
        event.code = hf_text(error->code);
        event.text = hf_text(error->message);
    }
    return encode(&event, arena);
}

/* Fills the error that a client is shown from the last event of an instance that did not complete.
 */
static void failure_read(const struct hf_event *event, hf_error *out_error)
{
    bool failed = event->kind == HF_EVENT_FAILED;
    *out_error = (hf_error){ .status = failed ? (hf_status)(uint32_t)event->status : HF_CANCELLED };
    out_error->data = event->payload;
    const char *code = event->kind == HF_EVENT_CANCELLED ? "cancelled" : "terminated";
    hf_text_copy(out_error->code, sizeof out_error->code, failed ? event->code : hf_text(code));
    hf_text_copy(out_error->message, sizeof out_error->message, event->text);
}

hf_status hf_body_read_output(hf_slice body, struct hf_arena *arena, hf_slice *out_output,
                              hf_error *out_error, hf_error *error)
{
    struct hf_event event;
    hf_status status = hf_event_decode(body, arena, &event, error);
    if (status != HF_OK) return status;
    if (event.kind == HF_EVENT_COMPLETED) {
        *out_output = event.payload;
        return HF_OK;
    }
    if (event.kind != HF_EVENT_FAILED && event.kind != HF_EVENT_CANCELLED &&
        event.kind != HF_EVENT_TERMINATED) {
        return hf_error_corrupt(error, 0, "the event %s is not the last one of an instance",
                                hf_event_kind_name(event.kind));
    }
    *out_output = (hf_slice)HF_EMPTY;
    failure_read(&event, out_error);
    return HF_OK;
}

hf_status hf_body_read_status(hf_slice body, struct hf_arena *arena, hf_slice *out_status,
                              hf_error *error)
{
    struct hf_event event;
    hf_status status = hf_event_decode(body, arena, &event, error);
    if (status != HF_OK) return status;
    if (event.kind != HF_EVENT_STATUS_SET) {
        return hf_error_corrupt(error, 0, "the event %s sets no custom status",
                                hf_event_kind_name(event.kind));
    }
    *out_status = event.payload;
    return HF_OK;
}

hf_status hf_body_read_value(hf_slice body, struct hf_arena *arena, hf_slice *out_value,
                             uint64_t *out_set_unix_ms, hf_error *error)
{
    struct hf_event event;
    hf_status status = hf_event_decode(body, arena, &event, error);
    if (status != HF_OK) return status;
    if (event.kind != HF_EVENT_KV_SET) {
        return hf_error_corrupt(error, 0, "the event %s sets no value",
                                hf_event_kind_name(event.kind));
    }
    *out_value = event.payload;
    *out_set_unix_ms = event.now_unix_ms;
    return HF_OK;
}

hf_status hf_body_read_activity(hf_slice body, struct hf_arena *arena,
                                struct hf_scheduled_activity *out_activity, hf_error *error)
{
    struct hf_event event;
    hf_status status = hf_event_decode(body, arena, &event, error);
    if (status != HF_OK) return status;
    if (event.kind != HF_EVENT_ACTIVITY_SCHEDULED) {
        return hf_error_corrupt(error, 0, "the event %s schedules no activity",
                                hf_event_kind_name(event.kind));
    }
    *out_activity = (struct hf_scheduled_activity){
        .name = event.name,
        .input = event.payload,
        .heartbeat_timeout_ms = event.heartbeat_timeout_ms
    };
    return HF_OK;
}

hf_status hf_body_read_session(hf_slice body, struct hf_arena *arena,
                               struct hf_session_policy *out_policy, hf_error *error)
{
    struct hf_event event;
    hf_status status = hf_event_decode(body, arena, &event, error);
    if (status != HF_OK) return status;
    if (event.kind != HF_EVENT_SESSION_OPENED) {
        return hf_error_corrupt(error, 0, "the event %s opens no session",
                                hf_event_kind_name(event.kind));
    }
    if (event.recovery > HF_SESSION_REBUILD) {
        return hf_error_corrupt(error, 0, "%llu is no way to recover a session",
                                (unsigned long long)event.recovery);
    }
    if (event.recovery == HF_SESSION_REBUILD && event.name.size == 0) {
        return hf_error_corrupt(error, 0, "a session is to be rebuilt, and no activity is named");
    }
    *out_policy = (struct hf_session_policy){ .recovery = event.recovery,
                                              .rebuild = event.name,
                                              .rebuild_input = event.payload };
    return HF_OK;
}
