/* Children: what a store must know to start one, and what a child says to its parent at its end. No
 * store can make an event, so all that may ever have to be said without the child's engine is
 * written down when it is scheduled: that it was terminated or deleted, that its id was taken, that
 * its parent has ended.
 *
 * Whose child an execution is stands in its first event, which continue-as-new carries on. */
#include <stdio.h>

#include "engine/execution_internal.h"

enum { TEXT_SIZE = HF_ID_SIZE_MAX + 96 };

static hf_slice encoded(struct hf_execution *self, const struct hf_event *event)
{
    hf_slice body = hf_event_encode(event, self->turn->arena);
    if (!body.data) hf__execution_no_memory(self);
    return body;
}

/* ---- a parent's words ----------------------------------------------------------------------- */

/* The failure of the child `id` that is told without it. */
static hf_slice failure(struct hf_execution *self, const struct hf_turn_child *child,
                        const char *code, const char *what)
{
    char text[TEXT_SIZE];
    int size = snprintf(text, sizeof text, "instance \"" HF_FMT "\" %s", HF_ARG(child->id), what);
    hf_assert(size > 0 && (size_t)size < sizeof text);
    const struct hf_event event = { .kind = HF_EVENT_CHILD_FAILED,
                                    .source = child->event_id,
                                    .status = HF_FAILED,
                                    .code = hf_text(code),
                                    .text = hf_text(text) };
    return encoded(self, &event);
}

/* A request to stop, for a child. */
static hf_slice request(struct hf_execution *self, const char *why)
{
    char text[TEXT_SIZE];
    int size = snprintf(text, sizeof text, "its parent \"%s\" %s", self->instance_id, why);
    hf_assert(size > 0 && (size_t)size < sizeof text);
    const struct hf_event event = { .kind = HF_EVENT_CANCEL_REQUESTED, .text = hf_text(text) };
    return encoded(self, &event);
}

struct hf_turn_child hf__child_of(struct hf_execution *self, uint64_t event_id,
                                  const struct hf_event *scheduled)
{
    struct hf_arena *arena = self->turn->arena;
    bool is_detached = scheduled->kind == HF_EVENT_DETACHED_STARTED;
    struct hf_event started = { .kind = HF_EVENT_STARTED,
                                .name = scheduled->name,
                                .version = scheduled->version,
                                .payload = scheduled->payload };
    if (!is_detached) {
        started.text = hf_text(self->instance_id);
        started.source = event_id;
        started.parent_execution = self->number;
    }
    struct hf_turn_child child = { .event_id = event_id,
                                   .id = hf_arena_copy(arena, scheduled->text),
                                   .orchestration = hf_arena_copy(arena, scheduled->name),
                                   .version = hf_arena_copy(arena, scheduled->version),
                                   .body = encoded(self, &started),
                                   .is_detached = is_detached };
    if (is_detached) return child;
    child.lost_body = failure(self, &child, "terminated", "was terminated");
    child.deleted_body = failure(self, &child, "deleted", "was deleted");
    child.clash_body = failure(self, &child, "child_exists",
                               "exists already: give the child another id");
    child.orphan_body = request(self, "has ended");
    if (arena->failed) hf__execution_no_memory(self);
    return child;
}

hf_slice hf__child_cancel_body(struct hf_execution *self)
{
    return request(self, "has no use for its outcome any more");
}

/* ---- a child's words ------------------------------------------------------------------------ */

hf_slice hf__child_answer(struct hf_execution *self, const struct hf_event *last)
{
    struct hf_event answer = { .kind = HF_EVENT_CHILD_COMPLETED,
                               .source = self->parent.event_id,
                               .payload = last->payload };
    if (last->kind != HF_EVENT_COMPLETED) {
        bool is_cancelled = last->kind == HF_EVENT_CANCELLED;
        hf_assert(is_cancelled || last->kind == HF_EVENT_FAILED);
        answer.kind = HF_EVENT_CHILD_FAILED;
        answer.status = is_cancelled ? HF_FAILED : last->status;
        answer.code = is_cancelled ? hf_text("cancelled") : last->code;
        answer.text = last->text;
    }
    return encoded(self, &answer);
}
