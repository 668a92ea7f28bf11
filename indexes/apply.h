/* The fold: what a record does to the tables. Committing, rebuilding and verifying call the same
 * hf_apply on the same bytes.
 *
 * It is a function of the hard rows and the record alone: no clock, no chance, and no soft row
 * decides what becomes of a hard one, but for the turns_due row of a locked turn (soft.h). It
 * trusts the record no more than the codec proved: one that does not fit the rows is HF_CORRUPT
 * naming its LSN and what does not fit, and the transaction must then be aborted, for part of it
 * may be written.
 *
 * Which rows of meta the fold keeps: next_instance and next_tag (hard). All others (next_lsn,
 * identity ...) are the log's; store_created and generation_raised change no row here. */
#ifndef HF_INDEXES_APPLY_H
#define HF_INDEXES_APPLY_H

#include "indexes/rows.h"

/* Raised whenever hf_apply makes other rows of the same records. */
enum { HF_FOLD_VERSION = 4 };

struct hf_fold_record {
    uint64_t lsn;
    uint64_t kind;         /* enum hf_record_kind */
    uint64_t wall_unix_ms; /* of its header */
    hf_slice body; /* whole, all parts together; Borrows: not in the map, for the fold writes while
                      it reads */
};

/* Folds one record into the tables; adds to tables->effects what it changed for others. Its own
 * scratch in tables->arena is taken back before it returns. Errors: HF_CORRUPT as above, also for a
 * kind that is none; HF_NO_MEMORY; as hf_table_put. */
HF_MUST_CHECK hf_status hf_apply(struct hf_tables *tables, const struct hf_fold_record *record,
                                 hf_error *error);

/* Names a payload: `payload` lies within record->body, as the decoded slices of a record do. */
struct hf_ref hf_ref_of(const struct hf_fold_record *record, hf_slice payload);

#endif
