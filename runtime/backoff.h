/* Back-off: how long work that cannot be done here now is handed back for: 1 s, doubling to 60 s,
 * counted for each piece of work. A bounded memory: another piece of work may take the place of one
 * that was forgotten, which then begins at 1 s again. That costs a few more tries, never work. */
#ifndef HF_RUNTIME_BACKOFF_H
#define HF_RUNTIME_BACKOFF_H

#include "engine/record.h"

enum { HF__BACKOFF_SLOTS = 256, HF__BACKOFF_FIRST_MS = 1000, HF__BACKOFF_MAX_MS = 60000 };

/* Zeroed: nothing failed yet. One thread, or under a lock of its owner's. */
struct hf__backoff {
    struct hf__backoff_slot {
        struct hf_item_id work;
        uint32_t count;
    } slots[HF__BACKOFF_SLOTS];
};

/* The delay in milliseconds behind the attempt number `attempt`, from 1. */
uint64_t hf__backoff_ms(uint64_t attempt);
/* Notes that `work` could not be done once more. Returns the delay in milliseconds. An instance's
 * turn is named with execution and event_id 0. */
uint64_t hf__backoff_next(struct hf__backoff *self, struct hf_item_id work);

#endif
