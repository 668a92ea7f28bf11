/* The lease: keeping what this registration holds, learning what it does not hold any more, and
 * noticing the death of others. All on the loop thread. */
#ifndef HF_RUNTIME_UPKEEP_H
#define HF_RUNTIME_UPKEEP_H

#include "runtime/task.h"

enum {
    HF__PROBE_MS = 250
}; /* how often others are looked at: deaths are noticed within a second */

struct hf_activity;

/* What was presented to the store, so that its answer, which counts places, finds it again. */
struct hf__held {
    struct hf_store_renew renew;
    struct hf_activity **activities; /* by place in renew.items */
};

struct hf__upkeep {
    struct hf__task renew, bury_dead, reclaim;
    struct hf__held presented; /* in the arena of renew */
    hf_slice dead_life;        /* of who is being declared dead; in the arena of bury_dead */
    uint64_t not_buried;       /* a dead registration that could not be ended: then others first */
    struct hf_arena scratch;   /* of what is read */

    /* Guarded by the mutex. */
    uint64_t kept_until_boot_ms; /* the deadline of items, as the store has it */
    unsigned patience_ticks;     /* so long nothing is fetched: others may have been late as well */
};

/* The deadlines that a renewal now asks for. */
struct hf__deadlines {
    uint64_t items_boot_ms, sessions_boot_ms;
};

/* Prepares. */
void hf__upkeep_init(hf_runtime *runtime);
/* No task may be busy. */
void hf__upkeep_release(hf_runtime *runtime);
/* Deadlines counted from now by the store's clock. Any thread. */
struct hf__deadlines hf__upkeep_deadlines(const hf_runtime *runtime);
/* Units: milliseconds between two renewals: half of the shorter lock, without a floor. */
uint64_t hf__upkeep_period_ms(const hf_runtime *runtime);

/* Notes the deadlines that the store has now. Under the mutex. */
void hf__upkeep_kept(hf_runtime *runtime, uint64_t items_deadline_boot_ms);
/* Whether work may be fetched: not by who is late itself, nor at once by who was. Under the mutex.
 */
bool hf__upkeep_may_fetch(const hf_runtime *runtime);
/* Presents all that is held, and moves both deadlines. */
void hf__upkeep_renew(hf_runtime *runtime);
/* Renews what is late. Once a tick. */
void hf__upkeep_tick(hf_runtime *runtime);
/* Looks, by reading, at what is void of all that is held. */
void hf__upkeep_check(hf_runtime *runtime);
/* Looks for registrations whose process is dead, and ends one of them. */
void hf__upkeep_probe(hf_runtime *runtime);
/* Moves rows that wait for it. */
void hf__upkeep_reclaim(hf_runtime *runtime);
/* Looks at answers. */
void hf__upkeep_answers(hf_runtime *runtime);
/* Whether a command of the lease is under way. Under the mutex. */
bool hf__upkeep_is_busy(const hf_runtime *runtime);
/* The registration has ended without us: everything is void, and the runtime stops. */
void hf__upkeep_lost(hf_runtime *runtime);

#endif
