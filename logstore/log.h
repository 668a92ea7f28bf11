/* The log: records in parts, each proven by a checksum. It knows bytes, not what a record means.
 *
 * A record's logical body is stored in parts of at most HF_LOG_PART_SIZE bytes, all but the last
 * exactly that long, under the key (LSN, part). What a part looks like is in log.c. A payload is
 * read by its ref: only the parts that hold it are touched, and the ref's own check proves it.
 *
 * Threads: those of the transaction behind the tables. */
#ifndef HF_LOG_H
#define HF_LOG_H

#include "engine/record.h"
#include "indexes/table.h"

enum {
    HF_LOG_FORMAT = 1,
    HF_LOG_HEADER_SIZE = 24,
    HF_LOG_KEY_SIZE = 10,
    HF_LOG_PART_SIZE = 65536 - 64, /* with header and LMDB's page header: 16 pages */
    HF_LOG_PARTS_MAX = 65535,
    HF_STORE_ID_SIZE = 16
};

/* What seeds the checksums: the 16 random bytes that StoreCreated names. */
struct hf_store_id {
    unsigned char bytes[HF_STORE_ID_SIZE];
};

/* A record, whole and proven. */
struct hf_log_record {
    uint64_t lsn;
    uint64_t wall_unix_ms;
    uint64_t kind; /* enum hf_record_kind, or one of a later version */
    bool critical; /* a reader that does not know the kind must stop */
    hf_slice body; /* all parts together; Borrows the reader's arena */
};

/* Appends record in as many parts as it needs. Its LSN must be above all that are there. Copies the
 * body. Errors: HF_TOO_LARGE (over HF_LOG_PARTS_MAX parts) before anything is written; those of
 * hf_table_append, and then the transaction is lost. */
HF_MUST_CHECK hf_status hf_log_append(struct hf_tables *tables, const struct hf_store_id *id,
                                      const struct hf_log_record *record, hf_error *error);

/* Reads the record at lsn, proving every part. The body is in tables->arena. Errors: HF_NOT_FOUND
 * (no error set); HF_CORRUPT with the LSN; HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_log_read(struct hf_tables *tables, const struct hf_store_id *id,
                                    uint64_t lsn, struct hf_log_record *out_record,
                                    hf_error *error);

/* The LSN of the first record at or above *lsn, whatever its bytes. Errors: HF_NOT_FOUND (none);
 * HF_CORRUPT with the LSN of a record that lacks its first part, or with LSN 0: the table itself is
 * damaged there, and no search finds what is behind. */
HF_MUST_CHECK hf_status hf_log_seek(struct hf_tables *tables, uint64_t *lsn, hf_error *error);

/* Copies the bytes that ref names into arena and proves them by ref->check. Looks at no other bytes
 * of the record. Errors: HF_CORRUPT with the LSN, HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_log_read_ref(struct hf_tables *tables, const struct hf_ref *ref,
                                        struct hf_arena *arena, hf_slice *out_bytes,
                                        hf_error *error);

/* The wall time in the header of the record at lsn, without proving its body. Errors: HF_CORRUPT
 * when there is no such record. */
HF_MUST_CHECK hf_status hf_log_wall_time(struct hf_tables *tables, uint64_t lsn,
                                         uint64_t *out_unix_ms, hf_error *error);

#endif
