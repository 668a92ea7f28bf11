/* The laws of the tables, proved over all rows: what each hard table says of the others must be so
 * both ways. For verify and for tests; it costs a walk over everything. */
#ifndef HF_INDEXES_AUDIT_H
#define HF_INDEXES_AUDIT_H

#include "indexes/rows.h"

/* Errors: HF_CORRUPT with the first broken law and the row that breaks it; as hf_table_get;
 * HF_NO_MEMORY. Reads only. */
HF_MUST_CHECK hf_status hf_audit_indexes(struct hf_tables *tables, hf_error *error);

#endif
