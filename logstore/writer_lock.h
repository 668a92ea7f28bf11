/* The lock before LMDB's own: taken before each write transaction, with a timeout, so that a
 * process that is stopped inside a commit is named instead of hanging all others silently. */
#ifndef HF_LOGSTORE_WRITER_LOCK_H
#define HF_LOGSTORE_WRITER_LOCK_H

#include "logstore/store_internal.h"

/* Maps the directory's lock file when it is one of this boot and this directory. Returns owned:
 * hf__writer_detach. Errors: HF_NOT_FOUND (no error set): hf__writer_create must make it; HF_IO. */
HF_MUST_CHECK hf_status hf__writer_attach(struct hf__store *store, hf_error *error);

/* Makes the lock file anew, unless another process just did, and maps it. The caller is in a write
 * transaction of LMDB: nobody else creates meanwhile. Errors: HF_IO, HF_DISK_FULL. */
HF_MUST_CHECK hf_status hf__writer_create(struct hf__store *store, hf_error *error);

/* Gives the mapping back; a detached one is fine. */
void hf__writer_detach(struct hf__store *store);

/* Waits for the lock. After each second in which one holder kept it, logs "store.stalled" with that
 * holder; the wait as a whole counts as one stall. registration names us to others that wait, 0:
 * none. The same thread must release. Errors: HF_IO. */
HF_MUST_CHECK hf_status hf__writer_acquire(struct hf__store *store, uint64_t registration,
                                           hf_error *error);
/* Gives it back; only after an acquire that returned HF_OK. */
void hf__writer_release(struct hf__store *store);

/* Whether a stall ended less than a renewal period ago: nothing is declared expired then. */
bool hf__writer_in_grace(const struct hf__store *store, uint64_t now_boot_ms);

#endif
