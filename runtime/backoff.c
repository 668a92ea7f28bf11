/* The table of hf__backoff: direct-mapped, so that it needs no clearing up. */
#include "runtime/backoff.h"

#include "engine/base/assert.h"

static size_t slot_of(const struct hf_item_id *work)
{
    /* Odd multipliers spread neighbours; which ones they are does not matter. */
    uint64_t mixed = work->instance * 0x9e3779b97f4a7c15U + work->execution * 0xc2b2ae3d27d4eb4fU +
                     work->event_id * 0x165667b19e3779f9U;
    return (size_t)(mixed >> 32) % HF__BACKOFF_SLOTS;
}

uint64_t hf__backoff_ms(uint64_t attempt)
{
    uint64_t delay_ms = HF__BACKOFF_FIRST_MS;
    for (uint64_t i = 1; i < attempt && delay_ms < HF__BACKOFF_MAX_MS; i++) delay_ms *= 2;
    return delay_ms < HF__BACKOFF_MAX_MS ? delay_ms : HF__BACKOFF_MAX_MS;
}

uint64_t hf__backoff_next(struct hf__backoff *self, struct hf_item_id work)
{
    struct hf__backoff_slot *slot = &self->slots[slot_of(&work)];
    if (slot->count == 0 || !hf_item_id_equal(&slot->work, &work)) {
        slot->work = work;
        slot->count = 0;
    }
    if (slot->count < UINT32_MAX) slot->count++;
    return hf__backoff_ms(slot->count);
}
