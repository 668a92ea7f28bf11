/* The public calls about sessions. */
#include <stdio.h>

#include "engine/execution_internal.h"

static void check_options(struct hf_execution *self, const hf_session_options *options)
{
    uint32_t recovery = (uint32_t)options->recovery;
    if (options->tag) hf__execution_check_id(self, options->tag, "tag", "bad_tag");
    if (recovery > HF_SESSION_REBUILD) {
        hf__execution_fail(self, HF_INVALID, "bad_recovery",
                           "%u is no way to recover a session: use HF_SESSION_...", recovery);
    }
    if (recovery == HF_SESSION_REBUILD) {
        hf__execution_check_id(self, options->rebuild, "rebuild activity's name", "bad_recovery");
    } else if (options->rebuild || options->rebuild_input.size > 0) {
        hf__execution_fail(self, HF_INVALID, "bad_recovery",
                           "a session that is not opened with HF_SESSION_REBUILD has no rebuild "
                           "activity: leave its name and input out");
    }
    hf__execution_check_payload(self, options->rebuild_input, "input of the rebuild activity");
}

static hf_session open_id(struct hf_execution *self, const char *id,
                          const hf_session_options *options)
{
    hf__execution_check_id(self, id, "session id", "bad_id");
    hf_session session = hf__session_find_open(self, hf_text(id));
    if (session.id == 0) session = hf__session_open(self, hf_text(id), options);
    hf__execution_leave(self);
    return session;
}

static hf_session open_generated(struct hf_execution *self, const hf_session_options *options)
{
    char id[sizeof "session-18446744073709551615"];
    do {
        self->generated_ids_count++;
        snprintf(id, sizeof id, "session-%llu", (unsigned long long)self->generated_ids_count);
    } while (hf__session_find_open(self, hf_text(id)).id != 0);
    return open_id(self, id, options);
}

hf_session hf_session_open(hf_orchestration *o)
{
    const hf_session_options none = { .id = NULL };
    return open_generated(hf__execution_enter(o), &none);
}

hf_session hf_session_open_id(hf_orchestration *o, const char *id)
{
    const hf_session_options none = { .id = NULL };
    return open_id(hf__execution_enter(o), id, &none);
}

hf_session hf_session_open_with(hf_orchestration *o, const hf_session_options *options)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf_session_options own;
    hf__execution_copy_options(self, &own, sizeof own, options);
    check_options(self, &own);
    return own.id ? open_id(self, own.id, &own) : open_generated(self, &own);
}

hf_session hf_session_named(hf_orchestration *o, const char *id)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf__execution_check_id(self, id, "session id", "bad_id");
    hf_session session = hf__session_name(self, hf_text(id));
    hf__execution_leave(self);
    return session;
}

void hf_session_close(hf_orchestration *o, hf_session session)
{
    struct hf_execution *self = hf__execution_enter(o);
    const struct hf__session_handle *handle = hf__session_handle(self, session);
    const struct hf__session_handle *open = hf__session_open_of(self, handle);
    uint64_t incarnation = open ? open->incarnation : 0;
    struct hf_event event = { .kind = HF_EVENT_SESSION_CLOSED,
                              .text = hf_text(handle->id),
                              .incarnation = incarnation };
    hf__command_issue(self, &event);
    if (incarnation > 0) {
        hf__futures_close_session(self, incarnation);
        hf__session_forget(self, incarnation);
    }
    hf__execution_leave(self);
}

const char *hf_session_id(hf_orchestration *o, hf_session session)
{
    return hf__session_handle(hf__execution_enter(o), session)->id;
}
