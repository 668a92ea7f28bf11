/* The clock that tests of applications give their store: see hf_test_clock_new. */
#ifndef HF_RUNTIME_TEST_CLOCK_H
#define HF_RUNTIME_TEST_CLOCK_H

#include "engine/base/compiler.h"

/* Moves the wall clock forward to that time; never back. Any thread. */
void hf__test_clock_skip_to(hf_test_clock *clock, uint64_t unix_ms);

#endif
