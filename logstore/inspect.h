/* Looking into a store, and mending its indexes: for tools and tests. The store is one that
 * hf_backend_open made, read-only or not. Threads: any, as reads of the contract. */
#ifndef HF_LOGSTORE_INSPECT_H
#define HF_LOGSTORE_INSPECT_H

#include "engine/store.h"
#include "logstore/log.h"

/* What a store says of itself. */
struct hf_store_facts {
    struct hf_store_id id;
    uint64_t format_major, format_minor;
    uint64_t fold_version;
    uint64_t generation;
    uint64_t next_lsn;
    bool is_copy; /* a plain copy, opened read-only: its tokens are still those of the original */
    uint64_t map_size, data_size; /* bytes; of the file what is in use */
};

/* Reads the facts. Errors: HF_CORRUPT, HF_IO, HF_FORKED. */
HF_MUST_CHECK hf_status hf_store_facts_read(struct hf_backend *backend,
                                            struct hf_store_facts *out_facts, hf_error *error);

/* One record of a scan, or one damage in the log. Valid until: the visit returns. */
struct hf_log_visit {
    struct hf_log_record record; /* damaged: lsn alone is set */
    const hf_error *damage;      /* NULL: the record is whole and proven */
};

/* Is called for each record by rising LSN, and for each damage: a record that does not prove
 * itself, and each run of missing LSNs (named by the first). Anything but HF_OK ends the scan and
 * is its status. */
typedef hf_status (*hf_log_visit_fn)(void *self, const struct hf_log_visit *visit);

/* Visits all records from from_lsn on, in one read transaction: while it lasts the file cannot
 * reuse pages. Damages are told to visit, and are no error. Errors: what visit returns; HF_CORRUPT
 * with the LSN from which on nothing can be found, because the table is damaged; HF_IO, HF_FORKED,
 * HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_log_scan(struct hf_backend *backend, uint64_t from_lsn, hf_error *error,
                                    void *self, hf_log_visit_fn visit);

/* Something that is not as the log says. Valid until: the report returns. */
struct hf_verify_finding {
    const char *law;   /* its code, see docs/laws.md: "S4" */
    uint64_t lsn;      /* of a damaged or missing record, or from which on none is found; else 0 */
    const char *table; /* with the row that differs, else NULL */
    hf_slice key;      /* of that row */
    const char *message;
};

/* Is told of each finding. */
typedef void (*hf_verify_report_fn)(void *self, const struct hf_verify_finding *finding);

struct hf_verify_summary {
    uint64_t records, instances, findings;
    bool ok; /* the log is whole, and the indexes are its fold */
};

/* Proves the store: every record; that the fold of the log in a scratch file is, row by row and
 * both ways, what each hard table holds; and the laws of the indexes. A damaged log is not folded
 * beyond its first damage, and then no rows are compared. A table that cannot be read is a finding
 * and ends the proof. One read transaction, as hf_log_scan.
 * Writes nothing into the store; the scratch file is in $TMPDIR or /tmp. Findings are told to
 * report and are no error: see out_summary->ok. Errors: HF_IO, HF_DISK_FULL, HF_NO_MEMORY,
 * HF_FORKED. */
HF_MUST_CHECK hf_status hf_store_verify(struct hf_backend *backend,
                                        struct hf_verify_summary *out_summary, hf_error *error,
                                        void *self, hf_verify_report_fn report);

/* Proves what the histories of a store say, by their events alone: for one that hf_store_verify
 * found to be sound (its summary, which goes on here), and whose bodies are events, as the runtime
 * makes them. Of each history the first finding is told. Errors: as there, and HF_CORRUPT. */
HF_MUST_CHECK hf_status hf_store_verify_histories(struct hf_backend *backend,
                                                  struct hf_verify_summary *summary,
                                                  hf_error *error, void *self,
                                                  hf_verify_report_fn report);

/* Makes all indexes of the store in directory anew from its log, and empties the soft ones: work in
 * progress is handed out again, and none is lost. One write transaction: after a crash the store is
 * as it was. Other processes may have it open. Also for rows of another fold version.
 * Errors: HF_CORRUPT with the LSN of a damaged record: nothing was changed; those of
 * hf_backend_open; HF_DISK_FULL, HF_IO. */
HF_MUST_CHECK hf_status hf_store_rebuild(const char *directory, const struct hf_seams *seams,
                                         hf_error *error);

#endif
