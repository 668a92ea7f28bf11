/* Waiters: client calls that sleep until some instance has ended. An effect does not say which one:
 * each waiter wakes, reads its own instance again, and sleeps on. So that nothing is missed in
 * between, a waiter notes the count of wakings before it reads. */
#ifndef HF_RUNTIME_WAITERS_H
#define HF_RUNTIME_WAITERS_H

#include "engine/base/compiler.h"

struct hf__waiters;

/* How a wait ended. */
enum hf__waiters_outcome {
    HF__WAITERS_WOKEN = 1, /* read again */
    HF__WAITERS_TIMEOUT,   /* the time is over */
    HF__WAITERS_CLOSED     /* the store is being closed: leave */
};

/* Returns owned: hf__waiters_free; NULL without memory. */
struct hf__waiters *hf__waiters_new(const hf_allocator *heap);
/* Nobody may be inside. NULL is fine. */
void hf__waiters_free(struct hf__waiters *self);

/* Comes in; false: it is being closed, and the caller is not inside. Each that came in must leave.
 * Any thread. */
bool hf__waiters_enter(struct hf__waiters *self);
/* Goes out again: the other half of hf__waiters_enter. */
void hf__waiters_leave(struct hf__waiters *self);

/* How many sleep in hf__waiters_wait. Any thread. */
size_t hf__waiters_asleep(struct hf__waiters *self);

/* How many times it was woken: note it before reading. Any thread. */
uint64_t hf__waiters_count(struct hf__waiters *self);
/* Sleeps until the count is another than `seen`, until deadline_ns (of uv_hrtime; UINT64_MAX:
 * none), or until it is closed. */
enum hf__waiters_outcome hf__waiters_wait(struct hf__waiters *self, uint64_t seen,
                                          uint64_t deadline_ns);
/* Wakes all. Any thread. */
void hf__waiters_wake(struct hf__waiters *self);
/* Sends all away and returns when the last has left; nobody comes in any more. */
void hf__waiters_close(struct hf__waiters *self);

#endif
