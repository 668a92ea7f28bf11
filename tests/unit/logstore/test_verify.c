/* Verify and rebuild: the log is the truth, and every row is what it says. */
#include "tests/unit/logstore/store_fixture.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logstore/env.h"

/* The hard tables, and of meta the rows that the fold makes. */
static bool is_hard(enum hf_table table)
{
    return hf_table_class(table) == HF_TABLE_CLASS_HARD;
}

/* Proves that verify finds exactly one row of this table to be wrong, by the fold's comparison. */
static void must_find_in(struct store_part *self, enum hf_table table)
{
    struct findings found = store_must_find(self);
    assert_false(found.summary.ok);
    assert_string_equal(found.first_table, hf_table_name(table));
}

/* The fixture leaves something in every hard table but `reclaim`, which is filled only by purges of
 * more than a thousand rows: else the tests below would prove little. */
static void test_fixture_fills_every_hard_table(void **state)
{
    struct store_part *self = *state;
    struct hf_table_row row;
    store_must_fill(self);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        if (!is_hard(table) || table == HF_TABLE_RECLAIM) continue;
        if (!store_row(self, table, 0, &row)) fail_msg("%s is empty", hf_table_name(table));
    }
}

/* A row that is missing, in each hard table, is found and named. */
static void test_verify_finds_a_missing_row_in_each_hard_table(void **state)
{
    struct store_part *self = *state;
    struct hf_table_row row;
    store_must_fill(self);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        if (!is_hard(table) || !store_row(self, table, 0, &row)) continue;
        store_must_tamper(self, table, row.key, (hf_slice)HF_EMPTY);
        must_find_in(self, table);
        store_must_tamper(self, table, row.key,
                          row.value.size > 0 ? row.value : (hf_slice){ "", 0 });
        store_must_verify(self);
    }
}

/* A row whose bytes differ, in each hard table, is found and named. */
static void test_verify_finds_a_changed_row_in_each_hard_table(void **state)
{
    struct store_part *self = *state;
    struct hf_table_row row;
    store_must_fill(self);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        if (!is_hard(table) || !store_row(self, table, 0, &row)) continue;
        char bytes[1024];
        assert_true(row.value.size < sizeof bytes - 1);
        if (row.value.size > 0) memcpy(bytes, row.value.data, row.value.size);
        bytes[row.value.size] = '\0';
        size_t size = row.value.size > 0 ? row.value.size : 1;
        bytes[size - 1] = (char)(bytes[size - 1] ^ 1);
        store_must_tamper(self, table, row.key, (hf_slice){ bytes, size });
        must_find_in(self, table);
        store_must_tamper(self, table, row.key,
                          row.value.size > 0 ? row.value : (hf_slice){ "", 0 });
        store_must_verify(self);
    }
}

/* A row that no record makes, in each hard table, is found and named: behind all others. */
static void test_verify_finds_an_extra_row_in_each_hard_table(void **state)
{
    struct store_part *self = *state;
    static const char key_bytes[20] = { 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f };
    store_must_fill(self);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        if (!is_hard(table)) continue;
        hf_slice key = { key_bytes, sizeof key_bytes };
        store_must_tamper(self, table, key, (hf_slice)HF_SLICE("row"));
        must_find_in(self, table);
        store_must_tamper(self, table, key, (hf_slice)HF_EMPTY);
        store_must_verify(self);
    }
}

/* The counters of meta that the fold keeps are compared too; what is not the fold's is not. */
static void test_verify_compares_the_counters_of_meta(void **state)
{
    struct store_part *self = *state;
    store_must_fill(self);
    static const char wrong[8] = { 99 };
    store_must_tamper(self, HF_TABLE_META, hf_text("next_instance"), hf_bytes(wrong, sizeof wrong));
    must_find_in(self, HF_TABLE_META);
    store_must_tamper(self, HF_TABLE_META, hf_text("next_tag"), (hf_slice)HF_EMPTY);
    must_find_in(self, HF_TABLE_META);
    store_close(self);
    hf_error error = { 0 };
    assert_ok(hf_store_rebuild(self->path, &self->seams.seams, &error), &error);
    store_must_open(self);
    store_must_verify(self);
}

/* The row of a locked turn is absent from turns_due, and that is right; a row there beside its lock
 * is not. */
static void test_verify_knows_the_rows_of_locked_turns(void **state)
{
    struct store_part *self = *state;
    struct hf_table_row lock, due;
    uint64_t instance = store_must_start(self, "a");
    assert_true(store_row(self, HF_TABLE_TURNS_DUE, 0, &due));
    uint64_t registration = store_must_register(self, "w");
    assert_int_equal(store_must_fetch_turn(self, registration).token.instance, instance);
    store_must_verify(self);
    store_must_tamper(self, HF_TABLE_TURNS_DUE, due.key, (hf_slice){ "", 0 });
    assert_false(store_must_find(self).summary.ok);
    store_must_tamper(self, HF_TABLE_TURNS_DUE, due.key, (hf_slice)HF_EMPTY);
    assert_true(store_row(self, HF_TABLE_TURN_LOCKS, 0, &lock));
    store_must_tamper(self, HF_TABLE_TURN_LOCKS, lock.key, (hf_slice)HF_EMPTY);
    must_find_in(self, HF_TABLE_TURNS_DUE);
}

/* A damaged record is named by verify, and rebuild refuses to fold it and changes nothing. */
static void test_damaged_record_is_named_and_not_rebuilt(void **state)
{
    struct store_part *self = *state;
    struct hf_table_row row;
    char bytes[1024];
    hf_error error = { 0 };
    store_must_fill(self);
    assert_true(store_row(self, HF_TABLE_LOG, 2, &row));
    assert_true(row.value.size <= sizeof bytes);
    memcpy(bytes, row.value.data, row.value.size);
    bytes[row.value.size - 1] = (char)(bytes[row.value.size - 1] ^ 16);
    store_must_tamper(self, HF_TABLE_LOG, row.key, (hf_slice){ bytes, row.value.size });
    struct findings found = store_must_find(self);
    assert_int_equal(found.summary.findings, 1);
    assert_int_equal(found.first_lsn, 3);
    uint64_t before = store_must_hash(self);
    store_close(self);
    assert_status(hf_store_rebuild(self->path, &self->seams.seams, &error), HF_CORRUPT);
    assert_int_equal(error.lsn, 3);
    store_must_open(self);
    assert_int_equal(store_must_hash(self), before);
}

/* After a rebuild every hard row is what it was, also when all had been spoilt; and soft state is
 * gone: the locked turn is due again. */
static void test_rebuild_makes_every_hard_row_anew(void **state)
{
    struct store_part *self = *state;
    hf_error error = { 0 };
    store_must_fill(self);
    struct hf_table_row row;
    assert_true(store_row(self, HF_TABLE_TURN_LOCKS, 0, &row));
    store_must_tamper(self, HF_TABLE_TURN_LOCKS, row.key, (hf_slice)HF_EMPTY);
    store_close(self);
    assert_ok(hf_store_rebuild(self->path, &self->seams.seams, &error), &error);
    store_must_open(self);
    store_must_verify(self);
    uint64_t rebuilt = store_must_hash(self);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        if (!is_hard(table)) continue;
        while (store_row(self, table, 0, &row)) {
            store_must_tamper(self, table, row.key, (hf_slice)HF_EMPTY);
        }
    }
    assert_int_not_equal(store_must_hash(self), rebuilt);
    store_close(self);
    assert_ok(hf_store_rebuild(self->path, &self->seams.seams, &error), &error);
    store_must_open(self);
    assert_int_equal(store_must_hash(self), rebuilt);
    assert_false(store_row(self, HF_TABLE_TURN_LOCKS, 0, &row));
    assert_false(store_row(self, HF_TABLE_LEASES, 0, &row));
    store_must_verify(self);
}

/* Closes the store after its table was taken away, as if an older library had made it. */
static void store_close_without(struct store_part *self, enum hf_table table)
{
    struct hf__write write;
    hf_error error = { 0 };
    struct hf__store *store = hf__store_of(self->backend);
    assert_ok(hf__write_begin(store, 0, &write, &error), &error);
    assert_int_equal(mdb_drop(write.txn, store->dbis[table], 1), 0);
    write.tables.is_written = true;
    assert_ok(hf__write_commit(&write, &error), &error);
    store_close(self);
}

/* A store of an older library lacks tables: opening it says what to do, and that makes them. */
static void test_rebuild_makes_missing_tables(void **state)
{
    static const enum hf_table later[] = { HF_TABLE_FAMILIES, HF_TABLE_PROGRESS };
    struct store_part *self = *state;
    hf_error error = { 0 };
    store_must_fill(self);
    store_close(self);
    assert_ok(hf_store_rebuild(self->path, &self->seams.seams, &error), &error);
    store_must_open(self); /* soft state is gone */
    uint64_t before = store_must_hash(self);
    for (size_t i = 0; i < HF_COUNT_OF(later); i++) {
        store_close_without(self, later[i]);
        assert_status(store_open(self), HF_FORMAT_NEWER);
        assert_non_null(strstr(self->error.message, hf_table_name(later[i])));
        assert_non_null(strstr(self->error.message, "run holdfast rebuild"));
        assert_ok(hf_store_rebuild(self->path, &self->seams.seams, &error), &error);
        store_must_open(self);
        store_must_verify(self);
        assert_int_equal(store_must_hash(self), before);
    }
}

/* A rebuild that cannot be committed leaves the store as it was. */
static void test_failed_rebuild_changes_nothing(void **state)
{
    struct store_part *self = *state;
    hf_error error = { 0 };
    store_must_fill(self);
    uint64_t before = store_must_hash(self);
    store_close(self);
    for (uint64_t nth = 1;; nth += 7) {
        seams_part_fail(&self->seams, HF_FAULT_PUT, nth, 28 /* ENOSPC */);
        hf_status status = hf_store_rebuild(self->path, &self->seams.seams, &error);
        if (self->seams.faults_count == 0) {
            assert_ok(status, &error);
            break;
        }
        assert_status(status, HF_DISK_FULL);
        store_must_open(self);
        assert_int_equal(store_must_hash(self), before);
        store_close(self);
    }
    store_must_open(self);
    store_must_verify(self);
}

/* Rows of another fold version are not used, only rebuilt. */
static void test_other_fold_version_is_refused_until_rebuilt(void **state)
{
    struct store_part *self = *state;
    hf_error error = { 0 };
    static const char version[8] = { 100 };
    store_must_fill(self);
    store_must_tamper(self, HF_TABLE_META, hf_text("fold_version"),
                      hf_bytes(version, sizeof version));
    store_close(self);
    assert_status(store_open(self), HF_FORMAT_NEWER);
    assert_non_null(strstr(self->error.message, "100"));
    self->options.read_only = true;
    assert_status(store_open(self), HF_FORMAT_NEWER);
    self->options.read_only = false;
    assert_ok(hf_store_rebuild(self->path, &self->seams.seams, &error), &error);
    store_must_open(self);
    store_must_verify(self);
}

/* Verify works on a store that is open read-only, changes nothing in it, and leaves nothing behind
 * in the directory for temporary files. */
static void test_verify_of_a_read_only_store_leaves_nothing_behind(void **state)
{
    struct store_part *self = *state;
    char temporary[300];
    store_must_fill(self);
    uint64_t before = store_must_hash(self);
    store_close(self);
    self->options.read_only = true;
    store_must_open(self);
    hf_test_directory_join(&self->directory, "temporary", temporary, sizeof temporary);
    assert_int_equal(mkdir(temporary, 0700), 0);
    const char *former = getenv("TMPDIR");
    hf_slice kept = hf_arena_copy(&self->arena, hf_text(former));
    assert_int_equal(setenv("TMPDIR", temporary, 1), 0);
    store_must_verify(self);
    assert_int_equal(former ? setenv("TMPDIR", kept.data, 1) : unsetenv("TMPDIR"), 0);
    assert_int_equal(rmdir(temporary), 0); /* it is empty */
    assert_int_equal(store_must_hash(self), before);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_fixture_fills_every_hard_table),
        CASE(test_verify_finds_a_missing_row_in_each_hard_table),
        CASE(test_verify_finds_a_changed_row_in_each_hard_table),
        CASE(test_verify_finds_an_extra_row_in_each_hard_table),
        CASE(test_verify_compares_the_counters_of_meta),
        CASE(test_verify_knows_the_rows_of_locked_turns),
        CASE(test_damaged_record_is_named_and_not_rebuilt),
        CASE(test_rebuild_makes_every_hard_row_anew),
        CASE(test_rebuild_makes_missing_tables),
        CASE(test_failed_rebuild_changes_nothing),
        CASE(test_other_fold_version_is_refused_until_rebuilt),
        CASE(test_verify_of_a_read_only_store_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
