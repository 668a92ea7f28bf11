/* Random numbers from a seed: the same in every run. splitmix64. */
#ifndef HF_TEST_RANDOM_H
#define HF_TEST_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/assert.h"

struct hf_test_random {
    uint64_t state;
};

/* 64 bits. */
static inline uint64_t hf_test_random_bits(struct hf_test_random *self)
{
    self->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = self->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Below count, which is not 0. */
static inline uint64_t hf_test_random_below(struct hf_test_random *self, uint64_t count)
{
    hf_assert(count > 0);
    return hf_test_random_bits(self) % count;
}

/* From first to last, both included. */
static inline uint64_t hf_test_random_from(struct hf_test_random *self, uint64_t first,
                                           uint64_t last)
{
    hf_assert(first <= last);
    return first + hf_test_random_below(self, last - first + 1);
}

/* True so often in a hundred. */
static inline bool hf_test_random_percent(struct hf_test_random *self, uint64_t percent)
{
    return hf_test_random_below(self, 100) < percent;
}

#endif
