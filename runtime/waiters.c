/* A count, a condition variable, and who is inside. Not a list of instances: an effect names none,
 * and a reader is cheaper than an index of who waits for what. */
#include "runtime/waiters.h"

#include <uv.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"

struct hf__waiters {
    const hf_allocator *heap;
    uv_mutex_t mutex;
    uv_cond_t changed; /* count, is_closing or inside_count */
    uint64_t count;    /* of wakings */
    size_t inside_count, asleep_count;
    bool is_closing;
};

struct hf__waiters *hf__waiters_new(const hf_allocator *heap)
{
    struct hf__waiters *self = hf_heap_new(heap, sizeof *self);
    if (!self) return NULL;
    self->heap = heap;
    int failed = uv_mutex_init(&self->mutex);
    hf_assert(failed == 0);
    failed = uv_cond_init(&self->changed);
    hf_assert(failed == 0);
    return self;
}

void hf__waiters_free(struct hf__waiters *self)
{
    if (!self) return;
    hf_assert(self->inside_count == 0);
    uv_cond_destroy(&self->changed);
    uv_mutex_destroy(&self->mutex);
    hf_heap_free(self->heap, self, sizeof *self);
}

bool hf__waiters_enter(struct hf__waiters *self)
{
    uv_mutex_lock(&self->mutex);
    bool may_enter = !self->is_closing;
    if (may_enter) self->inside_count++;
    uv_mutex_unlock(&self->mutex);
    return may_enter;
}

void hf__waiters_leave(struct hf__waiters *self)
{
    uv_mutex_lock(&self->mutex);
    hf_assert(self->inside_count > 0);
    self->inside_count--;
    if (self->is_closing) uv_cond_broadcast(&self->changed);
    uv_mutex_unlock(&self->mutex);
}

size_t hf__waiters_asleep(struct hf__waiters *self)
{
    uv_mutex_lock(&self->mutex);
    size_t count = self->asleep_count;
    uv_mutex_unlock(&self->mutex);
    return count;
}

uint64_t hf__waiters_count(struct hf__waiters *self)
{
    uv_mutex_lock(&self->mutex);
    uint64_t count = self->count;
    uv_mutex_unlock(&self->mutex);
    return count;
}

/* One sleep, to the deadline at most; false: it has passed. Under the mutex. */
static bool waiters_sleep(struct hf__waiters *self, uint64_t deadline_ns)
{
    uint64_t now_ns = uv_hrtime();
    if (now_ns >= deadline_ns) return false;
    self->asleep_count++;
    if (deadline_ns == UINT64_MAX) uv_cond_wait(&self->changed, &self->mutex);
    if (deadline_ns < UINT64_MAX) {
        uv_cond_timedwait(&self->changed, &self->mutex, deadline_ns - now_ns);
    }
    hf_assert(self->asleep_count > 0);
    self->asleep_count--;
    return true;
}

enum hf__waiters_outcome hf__waiters_wait(struct hf__waiters *self, uint64_t seen,
                                          uint64_t deadline_ns)
{
    enum hf__waiters_outcome outcome = HF__WAITERS_WOKEN;
    uv_mutex_lock(&self->mutex);
    hf_assert(self->inside_count > 0);
    hf_assert(seen <= self->count);
    while (!self->is_closing && self->count == seen && outcome == HF__WAITERS_WOKEN) {
        if (!waiters_sleep(self, deadline_ns)) outcome = HF__WAITERS_TIMEOUT;
    }
    if (self->is_closing) outcome = HF__WAITERS_CLOSED;
    uv_mutex_unlock(&self->mutex);
    return outcome;
}

void hf__waiters_wake(struct hf__waiters *self)
{
    uv_mutex_lock(&self->mutex);
    self->count++;
    uv_cond_broadcast(&self->changed);
    uv_mutex_unlock(&self->mutex);
}

void hf__waiters_close(struct hf__waiters *self)
{
    uv_mutex_lock(&self->mutex);
    self->is_closing = true;
    uv_cond_broadcast(&self->changed);
    while (self->inside_count > 0) uv_cond_wait(&self->changed, &self->mutex);
    uv_mutex_unlock(&self->mutex);
}
