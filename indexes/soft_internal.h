/* Soft rows as the fold meets them. */
#ifndef HF_INDEXES_SOFT_INTERNAL_H
#define HF_INDEXES_SOFT_INTERNAL_H

#include "indexes/soft.h"

/* Removes the lease of a registration, if it has one. */
HF_MUST_CHECK hf_status hf__lease_drop(struct hf_tables *tables, uint64_t registration,
                                       hf_error *error);

/* Removes what an item reported, if it did. */
HF_MUST_CHECK hf_status hf__progress_drop(struct hf_tables *tables, const struct hf_item_id *item,
                                          hf_error *error);

/* Removes the lock of an instance's turn, if there is one, and leaves turns_due to the caller. */
HF_MUST_CHECK hf_status hf__turn_lock_take(struct hf_tables *tables, uint64_t instance,
                                           bool *out_was_locked, hf_error *error);

/* Writes the turns_due row of an instance that is due, and says HF_EFFECT_TURNS_DUE. */
HF_MUST_CHECK hf_status hf__turn_due_put(struct hf_tables *tables,
                                         const struct hf_row_instance *instance, hf_error *error);
/* Removes the turns_due row of an instance that is due. Errors: HF_CORRUPT when it is not there. */
HF_MUST_CHECK hf_status hf__turn_due_delete(struct hf_tables *tables,
                                            const struct hf_row_instance *instance,
                                            hf_error *error);

#endif
