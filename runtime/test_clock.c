/* A wall clock that stands still until somebody moves it, or a runtime with nothing to do skips to
 * the next timer. Leases go by the machine's own boot clock: nobody dies of a skip. */
#include "runtime/test_clock.h"

#include <stdatomic.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "runtime/world.h"

struct hf_test_clock {
    hf_clock clock;
    atomic_uint_fast64_t unix_ms;
};

static uint64_t boot_ms(void *self)
{
    (void)self;
    const hf_clock *world = hf_world_clock();
    return world->boot_ms(world->self);
}

static uint64_t wall_unix_ms(void *self)
{
    return hf_test_clock_unix_ms(self);
}

hf_test_clock *hf_test_clock_new(uint64_t start_unix_ms)
{
    hf_test_clock *self = hf_heap_new(hf_heap_default(), sizeof *self);
    if (!self) return NULL;
    self->clock = (hf_clock){ sizeof self->clock, self, boot_ms, wall_unix_ms };
    atomic_init(&self->unix_ms, start_unix_ms);
    return self;
}

void hf_test_clock_free(hf_test_clock *clock)
{
    if (clock) hf_heap_free(hf_heap_default(), clock, sizeof *clock);
}

const hf_clock *hf_test_clock_clock(const hf_test_clock *clock)
{
    return &clock->clock;
}

uint64_t hf_test_clock_unix_ms(const hf_test_clock *clock)
{
    return atomic_load(&clock->unix_ms);
}

void hf_test_clock_advance(hf_test_clock *clock, uint64_t ms)
{
    atomic_fetch_add(&clock->unix_ms, ms);
}

void hf__test_clock_skip_to(hf_test_clock *clock, uint64_t unix_ms)
{
    uint_fast64_t now = atomic_load(&clock->unix_ms);
    while (now < unix_ms && !atomic_compare_exchange_weak(&clock->unix_ms, &now, unix_ms)) continue;
    hf_assert(hf_test_clock_unix_ms(clock) >= unix_ms);
}
