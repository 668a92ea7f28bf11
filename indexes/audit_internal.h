/* The audit's own tools: one walk over one table, what a row is compared with, and how a broken law
 * is told. */
#ifndef HF_INDEXES_AUDIT_INTERNAL_H
#define HF_INDEXES_AUDIT_INTERNAL_H

#include "indexes/audit.h"
#include "indexes/law.h"
#include "indexes/queries.h"
#include "indexes/rows_internal.h"

/* A walk over one table. */
struct hf__audit {
    struct hf_tables *tables;
    hf_error *error;
    enum hf_table table;
    struct hf_item_id last_event; /* of history: the row before */
};

/* HF_CORRUPT: the table breaks a law; names law, table and row. */
hf_status hf__audit_broken(struct hf__audit *audit, enum hf_law law, const char *format, ...)
    HF_PRINTF(3, 4);

/* Passes status on; HF_NOT_FOUND is a broken law: "<what> <number> is missing". */
hf_status hf__audit_there(struct hf__audit *audit, enum hf_law law, hf_status status,
                          const char *what, uint64_t number);

/* Proves that another table has a row of key with this value. */
HF_MUST_CHECK hf_status hf__audit_points(struct hf__audit *audit, enum hf_table table,
                                         const struct hf_key *key, hf_slice expected);

/* Whether a table has a row of key. */
HF_MUST_CHECK hf_status hf__audit_has_row(struct hf__audit *audit, enum hf_table table,
                                          const struct hf_key *key, bool *out_has);

/* Whether reclaim names it. */
HF_MUST_CHECK hf_status hf__audit_is_marked(struct hf__audit *audit,
                                            const struct hf_reclaim_place *place, bool *out_is);

/* The instance of a row; an ended or deleted one may have rows only while reclaim names it.
 * out_row->number 0: it is deleted. */
HF_MUST_CHECK hf_status hf__audit_instance_of(struct hf__audit *audit, uint64_t number,
                                              struct hf_row_instance *out_row);

/* Proves that a row stands under the key that what it points to calls for. */
HF_MUST_CHECK hf_status hf__audit_key(struct hf__audit *audit, const struct hf_table_row *row,
                                      const struct hf_key *key);

/* The laws of one row of instances. */
HF_MUST_CHECK hf_status hf__audit_check_instance(struct hf__audit *audit,
                                                 const struct hf_table_row *row);
/* The laws of one row of instance_ids. */
HF_MUST_CHECK hf_status hf__audit_check_instance_id(struct hf__audit *audit,
                                                    const struct hf_table_row *row);
/* The laws of one row of history. */
HF_MUST_CHECK hf_status hf__audit_check_history(struct hf__audit *audit,
                                                const struct hf_table_row *row);
/* The laws of one row of inbox. */
HF_MUST_CHECK hf_status hf__audit_check_inbox(struct hf__audit *audit,
                                              const struct hf_table_row *row);
/* The laws of one row of turns_due. */
HF_MUST_CHECK hf_status hf__audit_check_turn_due(struct hf__audit *audit,
                                                 const struct hf_table_row *row);
/* The laws of one row of items. */
HF_MUST_CHECK hf_status hf__audit_check_item(struct hf__audit *audit,
                                             const struct hf_table_row *row);
/* The laws of one row of items_ready. */
HF_MUST_CHECK hf_status hf__audit_check_item_ready(struct hf__audit *audit,
                                                   const struct hf_table_row *row);
/* The laws of one row of items_running. */
HF_MUST_CHECK hf_status hf__audit_check_item_running(struct hf__audit *audit,
                                                     const struct hf_table_row *row);
/* The laws of one row of sessions. */
HF_MUST_CHECK hf_status hf__audit_check_session(struct hf__audit *audit,
                                                const struct hf_table_row *row);
/* The laws of one row of session_items. */
HF_MUST_CHECK hf_status hf__audit_check_session_item(struct hf__audit *audit,
                                                     const struct hf_table_row *row);
/* The laws of one row of sessions_ready. */
HF_MUST_CHECK hf_status hf__audit_check_session_ready(struct hf__audit *audit,
                                                      const struct hf_table_row *row);
/* The laws of one row of sessions_owned. */
HF_MUST_CHECK hf_status hf__audit_check_session_owned(struct hf__audit *audit,
                                                      const struct hf_table_row *row);
/* The laws of one row of timers. */
HF_MUST_CHECK hf_status hf__audit_check_timer(struct hf__audit *audit,
                                              const struct hf_table_row *row);
/* The laws of one row of children. */
HF_MUST_CHECK hf_status hf__audit_check_child(struct hf__audit *audit,
                                              const struct hf_table_row *row);
/* The laws of one row of families. */
HF_MUST_CHECK hf_status hf__audit_check_family(struct hf__audit *audit,
                                               const struct hf_table_row *row);
/* The laws of one row of kv. */
HF_MUST_CHECK hf_status hf__audit_check_value(struct hf__audit *audit,
                                              const struct hf_table_row *row);
/* The laws of one row of dead_letters. */
HF_MUST_CHECK hf_status hf__audit_check_dead_letter(struct hf__audit *audit,
                                                    const struct hf_table_row *row);
/* The laws of one row of timers_by_id. */
HF_MUST_CHECK hf_status hf__audit_check_timer_by_id(struct hf__audit *audit,
                                                    const struct hf_table_row *row);

#endif
