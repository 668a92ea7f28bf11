/* The outcome of an execution whose code has ended: which of the five it is, and the event that
 * says so.
 *
 *   the code                                       cancel requested    outcome
 *   failed for good (misuse, limit)                either              failed
 *   returned HF_OK after hf_continue_as_new        no                  continued
 *   returned HF_OK otherwise                       no                  completed
 *   returned another status                        no                  failed, with the error of
 * that status returned anything                              yes                 cancelled
 *
 * A request that was delivered after the code had ended counts only where the instance would go on:
 * continued becomes cancelled. */
#include "engine/execution_internal.h"

/* ---- text ----------------------------------------------------------------------------------- */

/* How many bytes at data are one character; 0: none. */
static size_t character_size(const char *data, size_t left)
{
    for (size_t size = 1; size <= 4 && size <= left; size++) {
        if (hf_slice_is_utf8(hf_bytes(data, size))) return size;
    }
    return 0;
}

hf_slice hf_text_clean(hf_slice slice, struct hf_arena *arena)
{
    if (hf_slice_is_utf8(slice)) return slice;
    char *text = hf_arena_text(arena, slice);
    if (!text) return (hf_slice)HF_EMPTY;
    size_t at = 0;
    while (at < slice.size) {
        size_t size = character_size(text + at, slice.size - at);
        if (size == 0) text[at] = '?';
        at += size > 0 ? size : 1;
    }
    return hf_bytes(text, slice.size);
}

/* ---- outcomes ------------------------------------------------------------------------------- */

static struct hf_event failed_event(struct hf_execution *self, const hf_error *cause)
{
    struct hf_arena *scratch = &self->turn->scratch;
    struct hf_event event = { .kind = HF_EVENT_FAILED,
                              .status = (uint32_t)cause->status,
                              .payload = cause->data };
    event.code = hf_text_clean(hf_text(cause->code), scratch);
    event.text = hf_text_clean(hf_text(cause->message), scratch);
    if (scratch->failed) hf__execution_no_memory(self);
    return event;
}

/* The error of the latest await when it is what the code returned; else one made of the status. */
static struct hf_event returned_event(struct hf_execution *self)
{
    hf_assert(self->returned != HF_OK);
    if (self->latest_error.status != self->returned) {
        const char *name = hf_status_name(self->returned);
        hf_error_set(&self->latest_error, self->returned, "the orchestration returned %s (%d)",
                     name, (int)self->returned);
        hf_error_code(&self->latest_error, name);
    }
    return failed_event(self, &self->latest_error);
}

static struct hf_event outcome_event(struct hf_execution *self)
{
    if (self->is_failed) return failed_event(self, &self->failure);
    if (self->is_cancel_requested) {
        return (struct hf_event){ .kind = HF_EVENT_CANCELLED, .text = self->cancel_reason };
    }
    if (self->returned != HF_OK) return returned_event(self);
    if (self->intent == HF__INTENT_CONTINUE) {
        return (struct hf_event){ .kind = HF_EVENT_CONTINUED };
    }
    return (struct hf_event){ .kind = HF_EVENT_COMPLETED, .payload = self->intent_payload };
}

static enum hf_outcome outcome_of(uint64_t kind)
{
    switch (kind) {
    case HF_EVENT_COMPLETED: return HF_OUTCOME_COMPLETED;
    case HF_EVENT_CANCELLED: return HF_OUTCOME_CANCELLED;
    case HF_EVENT_CONTINUED: return HF_OUTCOME_CONTINUED;
    default: hf_assert(kind == HF_EVENT_FAILED); return HF_OUTCOME_FAILED;
    }
}

void hf__ending_issue(struct hf_execution *self)
{
    hf_assert(self->has_ended && !self->fiber);
    struct hf_event event = outcome_event(self);
    if (self->broken != HF_OK) return;
    uint64_t event_id = hf__outcome_issue(self, &event);
    if (!self->turn->is_live || self->broken != HF_OK) return;
    struct hf_turn_committed *decision = &self->turn->decision;
    decision->outcome = outcome_of(event.kind);
    if (event.kind == HF_EVENT_CONTINUED) {
        hf__decision_continue(self);
        return;
    }
    decision->output_event = event_id;
    if (self->parent.event_id != 0) decision->parent_body = hf__child_answer(self, &event);
}
