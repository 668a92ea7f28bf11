/* The hub between commits, rings, listeners and waiters. It holds nothing back and remembers
 * nothing: what to do about an effect is each listener's business.
 *
 * One mutex is held while listeners are called, so that leaving can promise that no call runs any
 * more. Locks are taken in this order: hub, then the listener's own, then the committer's queue. */
#include "runtime/effects.h"

#include <uv.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "runtime/ring.h"
#include "runtime/waiters.h"

struct hf__effects {
    const hf_allocator *heap;
    struct hf__waiters *waiters;
    struct hf__ring *ring; /* NULL: none */
    uv_mutex_t mutex;
    struct hf__listener *listeners;
};

struct hf__effects *hf__effects_new(const hf_allocator *heap, struct hf__waiters *waiters,
                                    struct hf__ring *ring)
{
    hf_assert(waiters);
    struct hf__effects *self = hf_heap_new(heap, sizeof *self);
    if (!self) return NULL;
    self->heap = heap;
    self->waiters = waiters;
    self->ring = ring;
    int failed = uv_mutex_init(&self->mutex);
    hf_assert(failed == 0);
    return self;
}

void hf__effects_free(struct hf__effects *self)
{
    if (!self) return;
    hf_assert(!self->listeners);
    uv_mutex_destroy(&self->mutex);
    hf_heap_free(self->heap, self, sizeof *self);
}

void hf__effects_listen(struct hf__effects *self, struct hf__listener *listener)
{
    hf_assert(listener->on_effects);
    uv_mutex_lock(&self->mutex);
    listener->next = self->listeners;
    self->listeners = listener;
    uv_mutex_unlock(&self->mutex);
}

void hf__effects_leave(struct hf__effects *self, struct hf__listener *listener)
{
    uv_mutex_lock(&self->mutex);
    struct hf__listener **place = &self->listeners;
    while (*place && *place != listener) place = &(*place)->next;
    hf_assert(*place == listener);
    *place = listener->next;
    listener->next = NULL;
    uv_mutex_unlock(&self->mutex);
}

void hf__effects_want(struct hf__effects *self, uint32_t effects, struct hf__committer_group *group)
{
    hf_assert(group);
    uv_mutex_lock(&self->mutex);
    for (struct hf__listener *each = self->listeners; each; each = each->next) {
        if (each->want) each->want(each, effects, group);
    }
    uv_mutex_unlock(&self->mutex);
}

void hf__effects_tell_here(struct hf__effects *self, uint32_t effects)
{
    if (effects == 0) return;
    uv_mutex_lock(&self->mutex);
    for (struct hf__listener *each = self->listeners; each; each = each->next) {
        each->on_effects(each, effects);
    }
    uv_mutex_unlock(&self->mutex);
    if (effects & (HF_EFFECT_ENDED | HF_EFFECT_CHANGED)) hf__waiters_wake(self->waiters);
}

void hf__effects_tell(struct hf__effects *self, uint32_t effects)
{
    hf_assert((effects & ~(uint32_t)HF__EFFECTS_ALL) == 0);
    if (effects == 0) return;
    hf__effects_tell_here(self, effects);
    if (self->ring) hf__ring_others(self->ring, effects);
}
