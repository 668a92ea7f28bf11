/* A scratch environment for verify: tables without a store, in a file that has no name. */
#ifndef HF_LOGSTORE_SCRATCH_H
#define HF_LOGSTORE_SCRATCH_H

#include "logstore/store_internal.h"

struct hf__scratch {
    struct MDB_env *env;
    struct MDB_txn *txn;
    unsigned dbis[HF_TABLE_COUNT];
    struct hf_tables tables; /* of txn */
    uint64_t records_count;  /* folded since the last commit */
};

/* Makes one with empty tables; rows are read and folded in arena (Borrows). Returns owned:
 * hf__scratch_close. Errors: HF_IO, HF_DISK_FULL, HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf__scratch_open(struct hf__scratch *scratch, uint64_t map_size,
                                         struct hf_arena *arena, hf_error *error);

/* Folds one record into it. Errors: as hf_apply. */
HF_MUST_CHECK hf_status hf__scratch_fold(struct hf__scratch *scratch,
                                         const struct hf_log_record *record, hf_error *error);

/* Removes it; a zeroed or closed one is fine. */
void hf__scratch_close(struct hf__scratch *scratch);

#endif
