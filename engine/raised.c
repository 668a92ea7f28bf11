/* Events that are raised by name. Each one is in history; it reaches the oldest wait of its name
 * that is live when it is delivered, and otherwise nobody: it answers no question that was asked. A
 * wait that was cancelled is out of its line, so it takes nothing from a later one. Nothing is
 * kept, hence nothing is carried on by continue-as-new: a mailbox is for that. */
#include "engine/execution_internal.h"

void hf__raised_wait(struct hf_execution *self, struct hf__future *wait)
{
    hf_assert(wait->kind == HF__FUTURE_RAISED && wait->is_pending);
    struct hf__line *line = hf__line_of(self, &self->raised, wait->name);
    if (line) hf__line_enter(line, wait);
}

void hf__raised_deliver(struct hf_execution *self, const struct hf_event *event)
{
    struct hf__line *line = hf__line_find(&self->raised, event->name);
    if (line && line->first) hf__future_receive(self, line->first, event->payload);
}
