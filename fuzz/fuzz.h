/* fuzz.h: what a harness and whoever drives it (libFuzzer, or replayer_main.c) agree on. */
#ifndef HF_FUZZ_H
#define HF_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Gives one input to the code under test, which must neither crash, hang nor leak on it. Borrows
 * data (size bytes; may be NULL when size is 0). Returns 0 always. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
