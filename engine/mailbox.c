/* Mailboxes: for each name a line of takes or a line of messages, never both. The nth take that was
 * not cancelled gets the nth message. Messages that nobody has taken are also linked over all
 * mailboxes by arrival: that is what continue-as-new carries. */
#include <string.h>

#include "engine/execution_internal.h"

/* The index of the queue of that name, or where it belongs. */
static size_t queues_search(const struct hf_execution *self, hf_slice name)
{
    size_t low = 0, high = self->queues_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hf_slice_compare(self->queues[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The queue of that name, made when there is none. NULL: no memory, the execution is broken. */
static struct hf__queue *queue_of(struct hf_execution *self, hf_slice name)
{
    size_t index = queues_search(self, name);
    bool is_known = index < self->queues_count && hf_slice_equal(self->queues[index]->name, name);
    if (is_known) return self->queues[index];
    void *array = self->queues;
    bool fits = self->queues_count < self->queues_capacity ||
                hf_heap_grow(self->heap, &array, &self->queues_capacity, sizeof *self->queues);
    self->queues = array;
    struct hf__queue *queue = fits ? hf_arena_new(&self->memory, sizeof *queue) : NULL;
    if (queue) queue->name = hf_arena_copy(&self->memory, name);
    if (!queue || !queue->name.data) {
        hf__execution_no_memory(self);
        return NULL;
    }
    struct hf__queue **at = self->queues + index;
    memmove(at + 1, at, (self->queues_count - index) * sizeof *at);
    *at = queue;
    self->queues_count++;
    return queue;
}

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

/* ---- takes that wait ------------------------------------------------------------------------ */

static void takes_append(struct hf__queue *queue, struct hf__future *take)
{
    hf_assert(!queue->messages_first);
    take->queue = queue;
    take->previous_take = queue->takes_last;
    if (queue->takes_last) queue->takes_last->next_take = take;
    if (!queue->takes_last) queue->takes_first = take;
    queue->takes_last = take;
}

void hf__mailbox_leave(struct hf__future *take)
{
    struct hf__queue *queue = take->queue;
    hf_assert(take->kind == HF__FUTURE_TAKE && queue);
    if (take->previous_take) take->previous_take->next_take = take->next_take;
    if (take->next_take) take->next_take->previous_take = take->previous_take;
    if (queue->takes_first == take) queue->takes_first = take->next_take;
    if (queue->takes_last == take) queue->takes_last = take->previous_take;
    take->queue = NULL;
    take->previous_take = take->next_take = NULL;
}

/* ---- meeting -------------------------------------------------------------------------------- */

static void take_finish(struct hf_execution *self, struct hf__future *take, hf_slice payload)
{
    take->result = hf_arena_copy(&self->scopes[take->scope].arena, payload);
    if (!take->result.data) hf__execution_no_memory(self);
    hf__future_finish(self, take, HF_OK);
}

void hf__mailbox_take(struct hf_execution *self, struct hf__future *take)
{
    hf_assert(take->kind == HF__FUTURE_TAKE && take->is_pending);
    struct hf__queue *queue = queue_of(self, take->name);
    if (!queue) return;
    struct hf__buffered *message = queue->messages_first;
    if (!message) {
        takes_append(queue, take);
        return;
    }
    queue->messages_first = message->next_in_queue;
    if (!queue->messages_first) queue->messages_last = NULL;
    take_finish(self, take, hf_bytes(message->payload, message->payload_size));
    buffered_free(self, message);
}

void hf__mailbox_deliver(struct hf_execution *self, uint64_t event_id, const struct hf_event *event)
{
    struct hf__queue *queue = queue_of(self, event->name);
    if (!queue) return;
    if (queue->takes_first) {
        take_finish(self, queue->takes_first, event->payload);
        return;
    }
    struct hf__buffered *message = buffered_new(self, event_id, event->payload);
    if (!message) {
        hf__execution_no_memory(self);
        return;
    }
    if (queue->messages_last) queue->messages_last->next_in_queue = message;
    if (!queue->messages_last) queue->messages_first = message;
    queue->messages_last = message;
}
