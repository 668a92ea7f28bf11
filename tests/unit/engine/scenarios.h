/* scenarios.h: orchestrations that use the whole authoring API, with what is to happen to them. */
#ifndef HF_SCENARIOS_H
#define HF_SCENARIOS_H

#include "include/holdfast.h"

struct scenario {
    const char *name;
    hf_orchestration_fn run;
    const char *words; /* for hf_script_play; to the end of the instance */
};

/* All of them. Static storage. */
const struct scenario *scenarios_all(size_t *out_count);

#endif
