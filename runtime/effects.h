/* Effects: who is told what a commit changed. A commit of this process tells the listeners here
 * (runtimes), the waiting client calls, and rings the other processes; a ring of another process
 * tells listeners and waiters here. */
#ifndef HF_RUNTIME_EFFECTS_H
#define HF_RUNTIME_EFFECTS_H

#include "engine/store.h"

struct hf__committer_group;
struct hf__effects;
struct hf__ring;
struct hf__waiters;

/* Bits beside enum hf_effect, as listeners see them. */
enum {
    HF__EFFECTS_ALL = 255,     /* each bit of enum hf_effect */
    HF__EFFECT_HEARD = 1 << 8, /* not of a commit here: another process rang, or the slow poll asks:
                                  look before fetching */
};

/* Somebody in this process who works for the store: a runtime. Memory of the listener; zeroed, then
 * its calls are set. */
struct hf__listener {
    /* Something changed: `effects` are enum hf_effect bits, and HF__EFFECT_HEARD. Runs on the
     * committer thread or the hearing thread, never both at once. It takes note and returns: no
     * waiting, no reading of the store, no hf__effects_listen. It may submit commands. */
    void (*on_effects)(struct hf__listener *self, uint32_t effects);
    /* Inside a write transaction, behind the commands so far, of which `effects` are known: may let
     * fetch commands join it with hf__committer_join. Called again while anything joins. Committer
     * thread; as brief as on_effects. NULL: wants nothing. */
    void (*want)(struct hf__listener *self, uint32_t effects, struct hf__committer_group *group);
    struct hf__listener *next; /* of the list */
};

/* The hub of a store handle. ring may be NULL: other processes are not told. Borrows all. Returns
 * owned: hf__effects_free; NULL without memory. */
struct hf__effects *hf__effects_new(const hf_allocator *heap, struct hf__waiters *waiters,
                                    struct hf__ring *ring);
/* All listeners must have left. NULL is fine. */
void hf__effects_free(struct hf__effects *self);

/* Adds a listener; from when this returns it is called. Borrows it until hf__effects_leave. Any
 * thread. */
void hf__effects_listen(struct hf__effects *self, struct hf__listener *listener);
/* Removes it; when this returns, none of its calls runs or will. A lock that its calls take must
 * not be held. Not from a call of a listener. */
void hf__effects_leave(struct hf__effects *self, struct hf__listener *listener);

/* Asks every listener what it wants to join. Committer thread, inside a transaction. */
void hf__effects_want(struct hf__effects *self, uint32_t effects,
                      struct hf__committer_group *group);
/* Tells listeners and waiters of this process. */
void hf__effects_tell_here(struct hf__effects *self, uint32_t effects);
/* The same, and rings the other processes. 0: nothing to tell. */
void hf__effects_tell(struct hf__effects *self, uint32_t effects);

#endif
