/* Live instances: executions that stay suspended in memory between turns, with the head at which
 * they stand. One such table belongs to one turn thread; the oldest used one goes when it is full.
 */
#ifndef HF_RUNTIME_LIVE_H
#define HF_RUNTIME_LIVE_H

#include "engine/execution.h"

enum { HF__LIVE_BUCKETS = 1024 };

/* Where an execution stands. */
struct hf__live_place {
    uint64_t instance, execution;
    uint64_t head; /* LSN of its last committed turn */
};

struct hf__live_entry {
    struct hf__live_place place;
    struct hf_execution *execution;
    struct hf__live_entry *next_in_bucket;
    struct hf__live_entry *newer, *older;
};

struct hf__live {
    const hf_allocator *heap;
    size_t count, count_max;
    uint64_t evicted_count; /* made to leave by others, not by their own end */
    struct hf__live_entry *newest, *oldest;
    struct hf__live_entry *buckets[HF__LIVE_BUCKETS];
};

/* An empty table for at most count_max executions. Borrows heap. */
void hf__live_init(struct hf__live *self, const hf_allocator *heap, size_t count_max);
/* Evicts all. On the thread of the executions. */
void hf__live_release(struct hf__live *self);

/* Takes out the execution that stands exactly there; NULL: there is none, and one of that instance
 * that stands elsewhere was evicted. Returns owned: hf_execution_free, or put back. */
struct hf_execution *hf__live_take(struct hf__live *self, const struct hf__live_place *place);
/* Keeps an execution, in place of one of the same instance; evicts the longest unused one above the
 * maximum, or this one when there is no memory. Takes execution. */
void hf__live_put(struct hf__live *self, const struct hf__live_place *place,
                  struct hf_execution *execution);

#endif
