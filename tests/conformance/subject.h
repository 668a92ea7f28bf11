/* subject.h: what the suite needs of the store under it besides the contract. Whoever puts another
 * store under the suite writes another subject.c; the tests stay as they are.
 *
 * Each word fails the test when it cannot be done. */
#ifndef HF_TESTS_CONFORMANCE_SUBJECT_H
#define HF_TESTS_CONFORMANCE_SUBJECT_H

#include "tests/support/hf_test.h"

#include "engine/store.h"

/* Proves that the indexes are what the log makes of them, both ways, and that all laws hold. */
void subject_verify(struct hf_backend *backend);

/* Whether that can be proved, without failing the test. */
bool subject_is_whole(struct hf_backend *backend);

/* A number that changes with any row of any table but `writers`, and but for where the data file
 * lies: two stores of one number are alike. */
uint64_t subject_fingerprint(struct hf_backend *backend);

/* The LSN of the next record. */
uint64_t subject_next_lsn(struct hf_backend *backend);

/* How many rows a table of docs/format.md has. */
uint64_t subject_rows_count(struct hf_backend *backend, const char *table);

/* Removes the first row of a table, of which no record tells. */
void subject_lose_row(struct hf_backend *backend, const char *table);

/* The body of the latest record of a kind, in arena. */
hf_slice subject_latest(struct hf_backend *backend, enum hf_record_kind kind,
                        struct hf_arena *arena);

/* Makes all indexes anew of a store that nobody has open: soft rows are gone then. */
void subject_rebuild(const char *directory, const struct hf_seams *seams);

/* Copies a store that nobody has open into an empty directory, as a plain copy of its files. */
void subject_copy(const char *directory, const char *copy);

/* Changes a bit of each place on the disk where the text stands in a store that nobody has open. */
void subject_damage(const char *directory, const char *text);

#endif
