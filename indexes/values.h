/* The values of instances: a row of kv each, under the instance's number and the key.
 *
 * A row says what a value is and what it was at the end of the former execution: replay of the
 * present one begins with that, and everybody else reads the other. At continue-as-new the present
 * becomes the former. A row that says neither is none. */
#ifndef HF_INDEXES_VALUES_H
#define HF_INDEXES_VALUES_H

#include "engine/base/slice.h"
#include "indexes/keys.h"
#include "indexes/table.h"

struct hf_row_value {
    hf_slice key;          /* as the code knows it; in tables->arena */
    struct hf_ref present; /* the event that set it; lsn 0: it was cleared */
    struct hf_ref former;  /* the same at the end of the former execution; lsn 0: there was none */
};

enum { HF_VALUE_KEY_SIZE_MAX = 8 + HF_ID_SIZE_MAX };

/* A key of the table. */
struct hf_value_key {
    unsigned char bytes[HF_VALUE_KEY_SIZE_MAX];
    size_t size;
};

/* The key of a value; name has at most HF_ID_SIZE_MAX bytes; empty: before all of the instance. */
struct hf_value_key hf_value_key(uint64_t instance, hf_slice name);
/* Its bytes. Borrows. */
hf_slice hf_value_key_slice(const struct hf_value_key *key);

/* The row as bytes. */
enum { HF_VALUE_ROW_SIZE = 40 };
/* Writes the bytes of a row that says something. */
void hf_value_write(const struct hf_row_value *row, unsigned char bytes[HF_VALUE_ROW_SIZE]);
/* Reads a row whole; false: key or value are none. Borrows both. */
bool hf_value_read(hf_slice key, hf_slice value, uint64_t *out_instance,
                   struct hf_row_value *out_row);

/* The value of a key; rows whose value was cleared are given, too. Errors: HF_NOT_FOUND,
 * HF_CORRUPT, as hf_table_get. */
HF_MUST_CHECK hf_status hf_value_get(struct hf_tables *tables, uint64_t instance, hf_slice name,
                                     struct hf_row_value *out_row, hf_error *error);
/* The first row of the instance behind the key `after` (empty: the very first). Errors: as above,
 * HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_value_next(struct hf_tables *tables, uint64_t instance, hf_slice after,
                                      struct hf_row_value *out_row, hf_error *error);

#endif
