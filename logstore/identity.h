/* Who the store is: the rows of meta that the log itself does not fold, and what LSN 1 says. */
#ifndef HF_LOGSTORE_IDENTITY_H
#define HF_LOGSTORE_IDENTITY_H

#include "logstore/env.h"

/* Rows of meta. next_lsn: the LSN that the next record gets. identity: the body of LSN 1.
 * data_file: device 8 and inode 8 of data.mdb, little-endian. fold_version: of the hf_apply that
 * made the rows. */
#define HF__META_NEXT_LSN "next_lsn"
#define HF__META_IDENTITY "identity"
#define HF__META_DATA_FILE "data_file"
#define HF__META_FOLD_VERSION "fold_version"

enum {
    HF__FORMAT_MAJOR = 1,
    HF__FORMAT_MINOR = 0,
    HF__REASON_COPY = 1 /* of generation_raised */
};

/* Makes the store in an environment that has no tables: handles, LSN 1, meta. Errors: as
 * hf_table_put. */
HF_MUST_CHECK hf_status hf__identity_create(struct hf__write *write, hf_error *error);

/* Reads and judges the identity; sets store->identity. Errors: HF_NOT_A_STORE, HF_FORMAT_NEWER with
 * both values, HF_CORRUPT. */
HF_MUST_CHECK hf_status hf__identity_load(struct hf__store *store, struct hf_tables *tables,
                                          hf_error *error);

/* Raises the generation of a plain copy by a record, and adopts the data file as it is now. Does
 * nothing for a store that is none. Errors: as hf_table_put. */
HF_MUST_CHECK hf_status hf__identity_adopt(struct hf__write *write, hf_error *error);

/* Proves, in each write transaction, that the identity is still the one that was loaded.
 * Errors: HF_FORMAT_NEWER, HF_STORE_FAILED, HF_CORRUPT. */
HF_MUST_CHECK hf_status hf__identity_recheck(struct hf__write *write, hf_error *error);

/* Refuses rows of another fold. Errors: HF_FORMAT_NEWER. */
HF_MUST_CHECK hf_status hf__identity_check_fold(struct hf_tables *tables, hf_error *error);

#endif
