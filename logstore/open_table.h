/* The stores that this process has open: one directory, one handle. */
#ifndef HF_LOGSTORE_OPEN_TABLE_H
#define HF_LOGSTORE_OPEN_TABLE_H

#include "logstore/store_internal.h"

/* Enters a directory. Takes entry until hf__open_table_leave. Errors: HF_ALREADY_OPEN. Any thread.
 */
HF_MUST_CHECK hf_status hf__open_table_enter(struct hf__open_entry *entry,
                                             const struct hf__place *place, hf_error *error);

/* Gives entry back; one that was not entered is fine. Any thread. */
void hf__open_table_leave(struct hf__open_entry *entry);

#endif
