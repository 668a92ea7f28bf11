/* Dead letters: what was given up as poison. One row each, until the instance is restarted or
 * deleted. */
#ifndef HF_INDEXES_DEAD_LETTERS_H
#define HF_INDEXES_DEAD_LETTERS_H

#include "indexes/keys.h"
#include "indexes/table.h"

struct hf_row_dead_letter {
    uint64_t instance, lsn;       /* the key: of the record that gave it up */
    uint64_t execution, event_id; /* of the item; event id 0: a turn of the execution */
    uint64_t attempts, deaths;    /* that were counted; of those: of processes */
    uint64_t given_up_unix_ms;
};

/* The first dead letter behind `place` (instance, LSN); zeroed: the very first. Errors:
 * HF_NOT_FOUND, HF_CORRUPT, HF_NO_MEMORY, as hf_table_get. */
HF_MUST_CHECK hf_status hf_dead_letter_next(struct hf_tables *tables,
                                            const struct hf_number_pair *place,
                                            struct hf_row_dead_letter *out_row, hf_error *error);

#endif
