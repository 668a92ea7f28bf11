/* A history as it is exported: the events of one execution, and what the former one left, as one
 * run of bytes that needs no store. docs/format.md has its bytes. */
#ifndef HF_HISTORY_H
#define HF_HISTORY_H

#include "engine/store.h"

/* One body: an event. */
struct hf_history_body {
    hf_slice body;
};

struct hf_exported_history {
    hf_slice what;    /* HF_HISTORY_WHAT */
    uint64_t version; /* HF_HISTORY_VERSION */
    hf_slice instance;
    uint64_t execution;
    struct hf_list events; /* hf_history_body, from event 1 on */
    struct hf_list values; /* hf_history_body: each the event that set a value */
    hf_slice status_body;  /* the event that set the custom status; empty: none */
};

#define HF_HISTORY_WHAT "holdfast history"
enum { HF_HISTORY_VERSION = 1 };

/* The bytes of what a first turn would be given, without its messages. data NULL: no memory. */
hf_slice hf_history_encode(const struct hf_turn_view *view, uint64_t execution,
                           struct hf_arena *arena);
/* Reads them as such a view; events are not looked at. Borrows bytes. Errors: HF_CORRUPT,
 * HF_FORMAT_NEWER, HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_history_decode(hf_slice bytes, struct hf_arena *arena,
                                          struct hf_turn_view *out_view, uint64_t *out_execution,
                                          hf_error *error);
/* The layout of the whole, for the documentation's sake. Static storage. */
const struct hf_layout *hf_history_layout(void);

#endif
