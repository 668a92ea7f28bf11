/* Families: an instance and all that were started as its children, their children, and so on; ended
 * ones too. One row each, under the topmost of the line, until it is deleted. Who is deleted leaves
 * a gap: what is below it is still the topmost's, and nobody's else that is above. */
#ifndef HF_INDEXES_FAMILIES_H
#define HF_INDEXES_FAMILIES_H

#include "indexes/rows.h"

/* The number under which the family of an instance stands: its root's, or its own. */
uint64_t hf_family_of(const struct hf_row_instance *row);

/* The next of a family behind place.second, by rising number, without its root; place.first is the
 * family. Moves place. Errors: HF_NOT_FOUND, HF_CORRUPT, as hf_table_get. */
HF_MUST_CHECK hf_status hf_family_next(struct hf_tables *tables, struct hf_number_pair *place,
                                       hf_error *error);
/* The same by falling number: the one before place.second; 0: the last. */
HF_MUST_CHECK hf_status hf_family_before(struct hf_tables *tables, struct hf_number_pair *place,
                                         hf_error *error);

/* Whether the instance of a row stems from another one, over parents that are all there, or from
 * the root of its family. Errors: HF_CORRUPT, HF_NO_MEMORY, as hf_table_get. */
HF_MUST_CHECK hf_status hf_family_stems_from(struct hf_tables *tables,
                                             const struct hf_row_instance *row, uint64_t ancestor,
                                             bool *out_does, hf_error *error);

#endif
