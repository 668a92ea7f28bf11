/* What one record brings about in other instances is records of theirs, right behind it: the fold,
 * which sees one record at a time, cannot miss them. Verify asks for them here. Law L7. */
#ifndef HF_LOGSTORE_FOLLOW_H
#define HF_LOGSTORE_FOLLOW_H

#include "indexes/table.h"
#include "logstore/log.h"

/* What is owed after the record that was seen last. */
struct hf__follow {
    struct hf_arena arena;
    uint64_t lsn;           /* of the record that owes it; 0: nothing is owed */
    struct hf_item_id turn; /* whose children shall start: instance and execution */
    uint64_t *events;       /* that scheduled them, in order */
    size_t events_count, events_done;
    struct hf_item_id parent; /* that shall be told of an end; instance 0: nobody */
};

/* Begins at a log's first record. Released by hf__follow_release. */
void hf__follow_init(struct hf__follow *self, const hf_allocator *heap);
/* Frees its memory. */
void hf__follow_release(struct hf__follow *self);

/* Takes the next record, which is not folded into tables yet. Errors: HF_CORRUPT with the LSN of
 * the record whose due does not follow (and that is forgotten); those of decoding; HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf__follow_record(struct hf__follow *self, struct hf_tables *tables,
                                          const struct hf_log_record *record, hf_error *error);

/* Ends at the log's end. Errors: HF_CORRUPT as above. */
HF_MUST_CHECK hf_status hf__follow_end(struct hf__follow *self, hf_error *error);

#endif
