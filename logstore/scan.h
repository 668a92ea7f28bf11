/* Walking the log in a transaction: shared by the scan of tools, verify and rebuild. */
#ifndef HF_LOGSTORE_SCAN_H
#define HF_LOGSTORE_SCAN_H

#include "logstore/inspect.h"

/* What to walk. */
struct hf__log_range {
    struct hf_tables *tables; /* its arena is reset after each record */
    const struct hf_store_id *id;
    uint64_t from_lsn; /* 0: from LSN 1 on, which must be there */
    uint64_t end_lsn;  /* that the next record would get: what is missing before it is damage */
};

/* Visits the records of range: see hf_log_scan. Errors: the same. */
HF_MUST_CHECK hf_status hf__log_walk(const struct hf__log_range *range, hf_error *error, void *self,
                                     hf_log_visit_fn visit);

#endif
