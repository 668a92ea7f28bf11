/* Committing a batch of commands: the contract's `commit`. */
#ifndef HF_LOGSTORE_COMMIT_H
#define HF_LOGSTORE_COMMIT_H

#include "logstore/store_internal.h"

/* See struct hf_backend_ops. batch->more runs inside the write transaction, with the environment's
 * lock held: it must call nothing of this backend. */
HF_MUST_CHECK hf_status hf__commit(struct hf_backend *backend, struct hf_batch *batch,
                                   hf_error *error);

#endif
