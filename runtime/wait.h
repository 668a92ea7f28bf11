/* Waiting of client calls for something that a commit brings: look, and sleep until it is worth
 * looking again. */
#ifndef HF_RUNTIME_WAIT_H
#define HF_RUNTIME_WAIT_H

#include "engine/base/compiler.h"

struct hf__wait {
    hf_store *store;
    uint64_t timeout_ms; /* 0: no limit */
    const char *call;    /* "hf_wait", for messages, as the next two */
    const char *id;      /* of the instance */
    const char *what;    /* that did not come: "has not ended" */
    /* Looks whether it is there; sets *out_is_over, or fails, and then the wait fails so. */
    hf_status (*look)(void *self, bool *out_is_over, hf_error *error);
    void *self;
};

/* Looks until it is over: at once, and after each commit that may have brought it, here or in
 * another process. Errors: HF_TIMEOUT, HF_CLOSED, HF_INVALID (called from a callback of the store),
 * HF_IO, and those of look. Blocks. */
HF_MUST_CHECK hf_status hf__wait(const struct hf__wait *wait, hf_error *error);

#endif
