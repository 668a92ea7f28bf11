/* program.h: an orchestration made of bytes: pairs (operation, argument) over the whole authoring
 * API. Any bytes are a program. What it sees (results, statuses) goes into a sum that its custom
 * status shows, so that a difference cannot hide. */
#ifndef HF_FUZZ_PROGRAM_H
#define HF_FUZZ_PROGRAM_H

#include "include/holdfast.h"

struct program {
    const uint8_t *bytes;
    size_t size;
    int *deferred_count; /* clean-ups that have not run */
};

/* Runs the program that hf_orchestration_user gives. */
hf_status program_run(hf_orchestration *o, hf_slice start);

#endif
