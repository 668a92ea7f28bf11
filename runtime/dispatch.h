/* Dispatch: when this runtime asks the store for work, and for how much. One fetch of turns and one
 * of items are on their way at most; what may have been left is remembered in `more`. */
#ifndef HF_RUNTIME_DISPATCH_H
#define HF_RUNTIME_DISPATCH_H

#include "runtime/committer.h"

struct hf__fetch {
    struct hf__submission submission;
    hf_runtime *runtime;
    bool is_in_flight;
    bool has_joined; /* the transaction in progress */
    bool more;       /* something may be due that no fetch of ours has seen */
    bool is_told;    /* want was told, in the transaction in progress, of what became due: this one
                        has joined, or `more` says so */
    size_t asked_count;
};

struct hf__dispatch {
    struct hf__fetch turns, items;
    bool is_stopped; /* no fetch is begun any more */
};

/* Prepares; fetches nothing yet. */
void hf__dispatch_init(hf_runtime *runtime);
/* No fetch may be in flight. */
void hf__dispatch_release(hf_runtime *runtime);

/* hf__listener.want: lets fetches for free slots join the transaction. */
void hf__dispatch_want(hf_runtime *runtime, uint32_t effects, struct hf__committer_group *group);
/* Fetches what may be there, as far as there is room. Under the mutex. */
void hf__dispatch_kick(hf_runtime *runtime);
/* Notes what a commit of this process changed (not heard from others). Under the mutex. */
void hf__dispatch_effects(hf_runtime *runtime, uint32_t effects);
/* Looks, by reading, whether there is work, and fetches it then. Loop thread, without the mutex. */
void hf__dispatch_look(hf_runtime *runtime);
/* Whether a fetch is on its way. Under the mutex. */
bool hf__dispatch_is_busy(const hf_runtime *runtime);

#endif
