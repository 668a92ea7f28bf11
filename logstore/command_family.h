/* Parents and children: what an act on one of them means to the other. Called behind the record of
 * the act, in its transaction; all errors are those of tables, log and fold, and end it. */
#ifndef HF_COMMAND_FAMILY_H
#define HF_COMMAND_FAMILY_H

#include "indexes/rows.h"
#include "logstore/store_internal.h"

/* The row of an instance that children or families names. Errors: HF_CORRUPT: it is not there. */
HF_MUST_CHECK hf_status hf__family_member(struct hf__step *step, enum hf_table table,
                                          uint64_t number, struct hf_row_instance *out_row);

/* The events whose children a turn cancels, in order. */
struct hf__cancelled {
    uint64_t *event_ids; /* in the step's arena */
    size_t count;
};
/* Collects them. Errors: HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf__cancelled_collect(struct hf__step *step,
                                              const struct hf_turn_committed *turn,
                                              struct hf__cancelled *out);
/* Whether the event is one of them. */
bool hf__cancelled_has(const struct hf__cancelled *self, uint64_t event_id);

/* What a committed turn does to others: starts children, or says that their id is taken; tells
 * those whose outcome is not wanted any more; when the instance ended, tells its parent and its
 * children. `before` is its row as the turn found it; turn has its instance set. */
HF_MUST_CHECK hf_status hf__family_turn(struct hf__step *step, const struct hf_row_instance *before,
                                        const struct hf_turn_committed *turn);

/* An instance was ended from outside: its parent gets the message that `body` names, its children
 * are told as below. `instance` is its row as it was. */
HF_MUST_CHECK hf_status hf__family_end(struct hf__step *step,
                                       const struct hf_row_instance *instance,
                                       const struct hf_ref *body);

/* The same, with the bytes themselves; none: its lost_body. */
HF_MUST_CHECK hf_status hf__family_fail(struct hf__step *step,
                                        const struct hf_row_instance *instance, hf_slice body);

/* Tells up to HF_PURGE_MAX children that their parent, which has ended or is gone, is none any
 * more. */
HF_MUST_CHECK hf_status hf__family_orphan(struct hf__step *step, uint64_t parent,
                                          uint64_t *out_told_count);

#endif
