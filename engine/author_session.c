/* The public calls about sessions. */
#include <stdio.h>

#include "engine/execution_internal.h"

hf_session hf_session_open(hf_orchestration *o)
{
    struct hf_execution *self = hf__execution_enter(o);
    char id[sizeof "session-18446744073709551615"];
    do {
        self->generated_ids_count++;
        snprintf(id, sizeof id, "session-%llu", (unsigned long long)self->generated_ids_count);
    } while (hf__session_find_open(self, hf_text(id)).id != 0);
    hf_session session = hf__session_open(self, hf_text(id));
    hf__execution_leave(self);
    return session;
}

hf_session hf_session_open_id(hf_orchestration *o, const char *id)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf__execution_check_id(self, id, "session id", "bad_id");
    hf_session session = hf__session_find_open(self, hf_text(id));
    if (session.id == 0) session = hf__session_open(self, hf_text(id));
    hf__execution_leave(self);
    return session;
}

hf_session hf_session_named(hf_orchestration *o, const char *id)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf__execution_check_id(self, id, "session id", "bad_id");
    hf_session session = hf__session_name(self, hf_text(id), 0);
    hf__execution_leave(self);
    return session;
}

void hf_session_close(hf_orchestration *o, hf_session session)
{
    struct hf_execution *self = hf__execution_enter(o);
    const struct hf__session_handle *handle = hf__session_handle(self, session);
    uint64_t incarnation = hf__session_incarnation(self, handle);
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
