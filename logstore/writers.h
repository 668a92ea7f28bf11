/* The rows of `writers`: which group of a handle was committed last. Soft. */
#ifndef HF_LOGSTORE_WRITERS_H
#define HF_LOGSTORE_WRITERS_H

#include "logstore/env.h"

/* Writes that this group of our handle is the counter-th. Errors: as hf_table_put. */
HF_MUST_CHECK hf_status hf__writers_put(struct hf__write *write, uint64_t counter, hf_error *error);

/* The counter that stands there for our handle, 0: none. In a read transaction of its own. */
HF_MUST_CHECK hf_status hf__writers_get(struct hf__store *store, uint64_t *out_counter,
                                        hf_error *error);

/* Removes rows that nobody can be looking for any more, once there are many. */
HF_MUST_CHECK hf_status hf__writers_trim(struct hf__write *write, hf_error *error);

#endif
