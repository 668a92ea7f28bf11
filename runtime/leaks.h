/* Leaks: sessions that stand open without an activity for so long that somebody has forgotten them.
 */
#ifndef HF_RUNTIME_LEAKS_H
#define HF_RUNTIME_LEAKS_H

#include "engine/store.h"

enum {
    HF__LEAKS_SLICE_ROWS = 1000,     /* sessions looked at in one go */
    HF__LEAKS_PERIOD_MAX_MS = 60000, /* between two scans */
    HF__LEAKS_PERIODS = 10           /* scans in the time after which a session is leaked */
};

/* A scan over all open sessions, a slice at each look. */
struct hf__leaks {
    bool is_scanning;
    uint64_t from_unix_ms; /* those quiet since then, or longer, were told before */
    struct hf_sessions_query place;
    struct hf_arena arena; /* of a slice */
};

/* Prepares. */
void hf__leaks_init(hf_runtime *runtime);
/* Gives its memory back. */
void hf__leaks_release(hf_runtime *runtime);
/* Goes on with the scan, or begins one when it is time. Loop thread, about once a second. */
void hf__leaks_look(hf_runtime *runtime);

#endif
