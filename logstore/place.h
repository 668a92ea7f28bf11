/* The store's directory: verified once at open, and afterwards only reached by its descriptor. */
#ifndef HF_LOGSTORE_PLACE_H
#define HF_LOGSTORE_PLACE_H

#include "logstore/store_internal.h"

#define HF__DATA_NAME "data.mdb"
#define HF__LOCK_NAME "lock.mdb" /* for fstatat alone: nobody but LMDB ever opens it */
#define HF__WRITER_NAME "writer"

/* Opens directory and proves that a store may live or be made there; creates it (0700) where
 * options allow. out_place->directory is the descriptor. Returns owned: hf__place_close. Errors:
 * HF_NOT_A_STORE, HF_UNSAFE_DIRECTORY, HF_FORMAT_NEWER, HF_IO. */
HF_MUST_CHECK hf_status hf__place_open(const char *directory,
                                       const struct hf_backend_options *options,
                                       struct hf__place *out_place, hf_error *error);

/* Examines the files of the opened directory once more, as hf__place_open did: a store must be
 * there when must_exist. Errors: as hf__place_open. */
HF_MUST_CHECK hf_status hf__place_examine(const struct hf__place *place, bool must_exist,
                                          hf_error *error);

/* Says of a data file that LMDB does not know what it may be: a long one may hold a store, whose
 * first pages are damaged. code is LMDB's, or 0. Returns HF_NOT_A_STORE. */
HF_MUST_CHECK hf_status hf__place_foreign(int directory, int code, hf_error *error);

/* The name of a file system, by its magic number, that is refused since other machines may write to
 * it; NULL: it is not refused. Static storage. */
const char *hf__place_network_name(uint32_t magic);

/* Makes the directory's entries, and its own entry in its parent, survive a power cut. */
HF_MUST_CHECK hf_status hf__place_sync(const struct hf__place *place, hf_error *error);

/* Closes the descriptor; a closed place is fine. */
void hf__place_close(struct hf__place *place);

#endif
