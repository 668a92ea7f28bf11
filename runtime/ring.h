/* The ring: wakes the other processes that have the store open.
 *
 * DIR/wake (0700) holds one datagram socket for each handle that listens, named by 16 hex digits.
 * To ring is to send one byte, the bits of enum hf_effect, to each of the others without waiting. A
 * ring can be lost, and nothing but time is lost with it: who hears also looks once a second by
 * itself. */
#ifndef HF_RUNTIME_RING_H
#define HF_RUNTIME_RING_H

#include "engine/store.h"

enum { HF__RING_NAME_SIZE = 17, HF__RING_POLL_MS = 1000 };

struct hf__ring;

/* What a ring needs. */
struct hf__ring_options {
    const struct hf_seams *seams; /* allocator, random, log */
    int directory;                /* of the store. Borrows: until close */
    uint64_t poll_ms;             /* 0: HF__RING_POLL_MS */
    /* Called on the hearing thread with the bits of rings, or with HF__EFFECTS_ALL once in poll_ms
     * without any; always with HF__EFFECT_HEARD. */
    void (*on_heard)(void *self, uint32_t effects);
    void *self;
};

/* Makes DIR/wake if it is not there. Binds nothing and starts no thread yet. Returns owned:
 * hf__ring_close. Errors: HF_NO_MEMORY, HF_IO, HF_UNSAFE_DIRECTORY (wake is no directory). */
HF_MUST_CHECK hf_status hf__ring_open(const struct hf__ring_options *options,
                                      struct hf__ring **out_ring, hf_error *error);
/* Stops hearing, removes its socket. NULL is fine. Not from on_heard. */
void hf__ring_close(struct hf__ring *self);

/* Begins to hear, once; later calls do nothing. When it returns HF_OK, every ring from then on is
 * heard: so first hear, then look. A socket that cannot be bound is only logged: then the poll
 * alone is heard. Errors: HF_IO (no thread). Any thread. */
HF_MUST_CHECK hf_status hf__ring_hear(struct hf__ring *self, hf_error *error);

/* Rings all others. Never waits, never fails: who cannot be reached looks by itself. A socket whose
 * process is gone is removed. Any thread. */
void hf__ring_others(struct hf__ring *self, uint32_t effects);

/* Name of its own socket, empty when none is bound. Valid until: close. */
const char *hf__ring_name(const struct hf__ring *self);

#endif
