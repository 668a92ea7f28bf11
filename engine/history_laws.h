/* The laws of a history that its events tell by themselves, without the code: what it begins and
 * ends with, and that each answer has its question, once. Codes: docs/laws.md. */
#ifndef HF_HISTORY_LAWS_H
#define HF_HISTORY_LAWS_H

#include "engine/base/arena.h"

/* What was seen of one execution. */
struct hf_history_laws {
    struct hf_arena *arena; /* of what follows; Borrows */
    unsigned char *kinds;   /* of events, by event id - 1 */
    unsigned char *answers; /* to them: 1 or more */
    size_t count, capacity;
    bool has_ended;
};

/* Begins a history; arena must not be reset while it is in use. */
void hf_history_laws_begin(struct hf_history_laws *self, struct hf_arena *arena);

/* Takes the body of the next event; scratch is for decoding. Errors: HF_CORRUPT with the code of
 * the law that it breaks: L6, H1, H2 or H3; HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_history_laws_next(struct hf_history_laws *self, hf_slice body,
                                             struct hf_arena *scratch, hf_error *error);

/* The history is all there; is_over: its execution runs no more. Errors: HF_CORRUPT as above. */
HF_MUST_CHECK hf_status hf_history_laws_end(const struct hf_history_laws *self, bool is_over,
                                            hf_error *error);

#endif
