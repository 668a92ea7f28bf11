/* A store with a rich log, and the means to break one law of it: change a record or a row, look
 * what verify says, put everything back.
 *
 *   instance 3, "rich"   session 1, taken over by a second worker; session 2, never claimed; items
 *                        in every state, a timer, a child, a value, an answer in its inbox
 *   "loop"               continued as new with a carried event; its first execution is pruned
 *   "again"              was ended after its child "told" was, and restarted
 *   "due"                nobody has its turn; "ended" and "deleted" are so
 *
 * A changed record gets its right checksum: what is found then is the law, not the bytes. */
#ifndef LAW_STORE_H
#define LAW_STORE_H

#include "tests/unit/logstore/store_fixture.h"

#include "indexes/law.h"
#include "indexes/queries.h"

enum { LAW_RECORDS_MAX = 128, LAW_ROWS_MAX = 1024 };

/* One row as it was. */
struct law_row {
    enum hf_table table;
    struct hf_table_row row;
};

struct law_store {
    struct store_part *store;
    uint64_t owner, thief;                         /* the registrations */
    struct hf_log_record records[LAW_RECORDS_MAX]; /* the log, as it is changed */
    size_t records_count;
    uint64_t next_lsn;
    bool is_log_changed;
    struct law_row rows[LAW_ROWS_MAX]; /* of all tables but soft ones, as they were */
    size_t rows_count;
};

/* Makes it in an open store. Fails the test when verify finds anything in it. */
void law_store_init(struct law_store *self, struct store_part *store);

/* The nth record (from 0) of a kind, which must be there: its place in records. */
size_t law_record(const struct law_store *self, enum hf_record_kind kind, size_t nth);
/* The body of a record. Lists can be changed in place. */
union hf_record_body law_body(struct law_store *self, size_t place);
/* Gives a record another body. */
void law_body_set(struct law_store *self, size_t place, const void *body);
/* Appends a record, of the time of the last one. */
void law_append(struct law_store *self, enum hf_record_kind kind, const void *body);
/* The same with these bytes as its body, and any kind. */
void law_append_bytes(struct law_store *self, uint64_t kind, hf_slice body);

/* Rows, which must be there. */
struct hf_row_instance law_instance(struct law_store *self, const char *id);
/* As above; the first behind `after`, in any table of items' keys. */
struct hf_item_id law_item_id(struct law_store *self, enum hf_table table, bool is_in_key);
/* As above. */
struct hf_row_item law_item(struct law_store *self, const struct hf_item_id *id);
/* As above. */
struct hf_row_session law_session(struct law_store *self, uint64_t instance, uint64_t incarnation);

/* As above. */
void law_registration(struct law_store *self, uint64_t lsn, struct hf_row_registration *out_row);

/* Removes the nth row (from 0) of a table. */
void law_row_drop(struct law_store *self, enum hf_table table, size_t nth);
/* Writes a row. */
void law_row_put(struct law_store *self, enum hf_table table, const struct hf_key *key,
                 hf_slice value);

/* The laws that verify finds broken, a bit each; shows what it finds. */
uint64_t law_verify(struct law_store *self);
/* Puts log and tables back. */
void law_restore(struct law_store *self);

#endif
