/* What a restart of an ended execution keeps of its history and does again, read out of that alone:
 * the code does not run. What history does not tell, that work is not wanted any more, costs that
 * it is done again for nothing. */
#ifndef HF_RESTART_H
#define HF_RESTART_H

#include "engine/store.h"

struct hf_restart_plan {
    struct hf_restarted restarted; /* but for its execution */
    struct hf_list answers;        /* hf_turn_event: see struct hf_store_restart */
};

/* From the start, with another input unless its data is NULL. view: the whole history of the
 * execution. All in arena, or borrowed from view. Errors: HF_CORRUPT, HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_restart_anew(const struct hf_turn_view *view, hf_slice input,
                                        struct hf_arena *arena, struct hf_restart_plan *out_plan,
                                        hf_error *error);

/* From the turn that has that event on; version: of the code that ran. Otherwise as above. Errors:
 * HF_INVALID, too: see hf_restart. */
HF_MUST_CHECK hf_status hf_restart_from(const struct hf_turn_view *view, uint64_t event_id,
                                        hf_slice version, struct hf_arena *arena,
                                        struct hf_restart_plan *out_plan, hf_error *error);

/* The event that tells of the failure of an activity, or, when there is none, the last one. Errors:
 * as of hf_restart_anew. */
HF_MUST_CHECK hf_status hf_restart_find_failure(const struct hf_turn_view *view,
                                                uint64_t activity_event_id, struct hf_arena *arena,
                                                uint64_t *out_event_id, hf_error *error);

#endif
