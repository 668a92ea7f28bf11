/* Opening a store, for the files of logstore/. */
#ifndef HF_LOGSTORE_BACKEND_H
#define HF_LOGSTORE_BACKEND_H

#include "logstore/store_internal.h"

/* As hf_backend_open; with accept_fold also a store whose rows are of another fold version, to be
 * rebuilt. Returns owned: hf__store_close. */
HF_MUST_CHECK hf_status hf__store_open(const char *directory,
                                       const struct hf_backend_options *options, bool accept_fold,
                                       struct hf__store **out_store, hf_error *error);

/* Closes and frees; does nothing in a forked child. */
void hf__store_close(struct hf__store *store);

#endif
