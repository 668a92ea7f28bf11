/* Rows, as the files of this room share them: how they are written, and searches in general. */
#ifndef HF_INDEXES_ROWS_INTERNAL_H
#define HF_INDEXES_ROWS_INTERNAL_H

#include "indexes/dead_letters.h"
#include "indexes/rows.h"

extern const struct hf_layout hf__row_instance_layout;
extern const struct hf_layout hf__row_item_layout;
extern const struct hf_layout hf__row_session_layout;
extern const struct hf_layout hf__row_registration_layout;
extern const struct hf_layout hf__row_dead_letter_layout;

/* A codec row to be written. */
struct hf__row {
    enum hf_table table;
    const struct hf_layout *layout;
    const void *value;
};
/* Encodes and writes it. Errors: HF_NO_MEMORY; as hf_table_put. */
HF_MUST_CHECK hf_status hf__row_put(struct hf_tables *tables, const struct hf_key *key,
                                    const struct hf__row *row, hf_error *error);

/* The first row behind `key` that shares its first prefix_size bytes. Errors: as hf_table_next_in.
 */
struct hf__search {
    enum hf_table table;
    struct hf_key key;
    size_t prefix_size;
};
/* Borrows the map. Errors: as hf_table_next_in. */
HF_MUST_CHECK hf_status hf__search(struct hf_tables *tables, const struct hf__search *search,
                                   struct hf_table_row *out_row, hf_error *error);

/* HF_CORRUPT: the bytes of a row or key of that table are none. */
hf_status hf__row_damaged(enum hf_table table, hf_error *error);

/* The row of a search whose row holds an item's key. Errors: HF_CORRUPT when it does not. */
HF_MUST_CHECK hf_status hf__row_item_key(enum hf_table table, const struct hf_table_row *row,
                                         struct hf_item_id *out_item, hf_error *error);

/* A row of timers. Errors: HF_CORRUPT. */
HF_MUST_CHECK hf_status hf__timer_read(hf_slice value, struct hf_row_timer *out_row,
                                       hf_error *error);

#endif
