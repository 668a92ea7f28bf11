/* Mailboxes: for each name a line of takes or one of messages, never both. The nth take that was
 * not cancelled gets the nth message. Messages that nobody has taken are also linked over all
 * mailboxes by arrival: that is what continue-as-new carries. */
#include <string.h>

#include "engine/execution_internal.h"

/* ---- messages that wait --------------------------------------------------------------------- */

static size_t buffered_block_size(const struct hf__buffered *message)
{
    return sizeof *message + message->payload_size;
}

static struct hf__buffered *buffered_new(struct hf_execution *self, uint64_t event_id,
                                         hf_slice payload)
{
    size_t size = sizeof(struct hf__buffered) + payload.size;
    struct hf__buffered *message = hf_heap_new(self->heap, size);
    if (!message) return NULL;
    message->event_id = event_id;
    message->payload_size = payload.size;
    if (payload.size > 0) memcpy(message->payload, payload.data, payload.size);
    message->previous = self->buffered_last;
    if (message->previous) message->previous->next = message;
    if (!message->previous) self->buffered_first = message;
    self->buffered_last = message;
    self->buffered_size += size;
    return message;
}

static void buffered_free(struct hf_execution *self, struct hf__buffered *message)
{
    struct hf__buffered *previous = message->previous, *next = message->next;
    if (previous) previous->next = next;
    if (next) next->previous = previous;
    if (!previous) self->buffered_first = next;
    if (!next) self->buffered_last = previous;
    hf_assert(self->buffered_size >= buffered_block_size(message));
    self->buffered_size -= buffered_block_size(message);
    hf_heap_free(self->heap, message, buffered_block_size(message));
}

void hf__mailbox_release(struct hf_execution *self)
{
    while (self->buffered_first) buffered_free(self, self->buffered_first);
    hf_assert(self->buffered_size == 0);
}

/* ---- meeting -------------------------------------------------------------------------------- */

void hf__mailbox_take(struct hf_execution *self, struct hf__future *take)
{
    hf_assert(take->kind == HF__FUTURE_TAKE && take->is_pending);
    struct hf__line *line = hf__line_of(self, &self->mailboxes, take->name);
    if (!line) return;
    struct hf__buffered *message = line->messages_first;
    if (!message) {
        hf__line_enter(line, take);
        return;
    }
    line->messages_first = message->next_in_line;
    if (!line->messages_first) line->messages_last = NULL;
    hf__future_receive(self, take, hf_bytes(message->payload, message->payload_size));
    buffered_free(self, message);
}

void hf__mailbox_deliver(struct hf_execution *self, uint64_t event_id, const struct hf_event *event)
{
    struct hf__line *line = hf__line_of(self, &self->mailboxes, event->name);
    if (!line) return;
    if (line->first) {
        hf__future_receive(self, line->first, event->payload);
        return;
    }
    struct hf__buffered *message = buffered_new(self, event_id, event->payload);
    if (!message) {
        hf__execution_no_memory(self);
        return;
    }
    if (line->messages_last) line->messages_last->next_in_line = message;
    if (!line->messages_last) line->messages_first = message;
    line->messages_last = message;
}
