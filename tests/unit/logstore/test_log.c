/* The log's bytes: what was appended is read again, and nothing else ever passes for it. */
#include "tests/unit/logstore/store_fixture.h"

#include <stdio.h>
#include <string.h>

#include "indexes/rows.h"
#include "logstore/env.h"

/* A record that this test appends, and a transaction to do it in. */
struct log_part {
    struct store_part *store;
    struct hf__write write;
    hf_error error;
};

static void log_must_begin(struct log_part *self, struct store_part *store)
{
    *self = (struct log_part){ .store = store };
    struct hf__store *opened = hf__store_of(store->backend);
    assert_ok(hf__write_begin(opened, 0, &self->write, &self->error), &self->error);
    assert_ok(hf__write_load(&self->write, &self->error), &self->error);
}

static const struct hf_store_id *log_id(const struct log_part *self)
{
    return &hf__store_of(self->store->backend)->identity.id;
}

/* Bytes of a body: no two parts are alike. */
static hf_slice body_of(struct store_part *store, size_t size)
{
    return command_message(store, "-", size).message.body;
}

static hf_status log_append(struct log_part *self, uint64_t lsn, hf_slice body)
{
    struct hf_log_record record = {
        .lsn = lsn, .wall_unix_ms = 77, .kind = HF_RECORD_MESSAGE, .critical = true, .body = body
    };
    return hf_log_append(&self->write.tables, log_id(self), &record, &self->error);
}

static hf_status log_read(struct log_part *self, uint64_t lsn, struct hf_log_record *out_record)
{
    self->error = (hf_error){ 0 };
    return hf_log_read(&self->write.tables, log_id(self), lsn, out_record, &self->error);
}

static const size_t sizes[] = {
    0,
    1,
    100,
    HF_LOG_PART_SIZE - 1,
    HF_LOG_PART_SIZE,
    HF_LOG_PART_SIZE + 1,
    2 * HF_LOG_PART_SIZE,
    3 * HF_LOG_PART_SIZE + 17,
};

/* Bodies of every number of parts, with and without a rest, are read as they were appended. */
static void test_appended_bodies_of_all_sizes_are_read_again(void **state)
{
    struct log_part self;
    log_must_begin(&self, *state);
    uint64_t first = self.write.next_lsn;
    for (size_t i = 0; i < HF_COUNT_OF(sizes); i++) {
        hf_slice body = body_of(self.store, sizes[i]);
        assert_ok(log_append(&self, first + i, body), &self.error);
    }
    for (size_t i = 0; i < HF_COUNT_OF(sizes); i++) {
        struct hf_log_record record = { 0 };
        assert_ok(log_read(&self, first + i, &record), &self.error);
        assert_int_equal(record.lsn, first + i);
        assert_int_equal(record.kind, HF_RECORD_MESSAGE);
        assert_int_equal(record.wall_unix_ms, 77);
        assert_true(record.critical);
        assert_true(hf_slice_equal(record.body, body_of(self.store, sizes[i])));
    }
    struct hf_log_record record;
    assert_status(log_read(&self, first + HF_COUNT_OF(sizes), &record), HF_NOT_FOUND);
    hf__write_abort(&self.write);
}

/* A record never comes before another that is there already. */
static void test_append_of_an_older_lsn_is_refused(void **state)
{
    struct log_part self;
    log_must_begin(&self, *state);
    uint64_t lsn = self.write.next_lsn;
    assert_ok(log_append(&self, lsn + 1, body_of(self.store, 10)), &self.error);
    assert_status(log_append(&self, lsn, body_of(self.store, 10)), HF_CORRUPT);
    hf__write_abort(&self.write);
}

/* Each run of bytes of a record can be named by a ref and is read alone, also over the border of
 * parts; and a ref whose check or place is wrong gives nothing. */
static void test_refs_read_their_bytes_over_parts_and_prove_them(void **state)
{
    struct log_part self;
    log_must_begin(&self, *state);
    uint64_t lsn = self.write.next_lsn;
    hf_slice body = body_of(self.store, 2 * HF_LOG_PART_SIZE + 500);
    assert_ok(log_append(&self, lsn, body), &self.error);
    static const struct {
        size_t offset, size;
    } runs[] = {
        { 0, 1 },
        { 10, 300 },
        { HF_LOG_PART_SIZE - 1, 1 },
        { HF_LOG_PART_SIZE - 1, 2 },
        { HF_LOG_PART_SIZE, 5 },
        { 5, 2 * HF_LOG_PART_SIZE },
        { 0, 2 * HF_LOG_PART_SIZE + 500 },
        { 2 * HF_LOG_PART_SIZE + 499, 1 },
    };
    for (size_t i = 0; i < HF_COUNT_OF(runs); i++) {
        hf_slice wanted = { body.data + runs[i].offset, runs[i].size };
        struct hf_ref ref = { lsn, runs[i].offset, runs[i].size, hf_payload_check(wanted) };
        hf_slice read = HF_EMPTY;
        struct hf_tables *tables = &self.write.tables;
        assert_ok(hf_log_read_ref(tables, &ref, &self.store->arena, &read, &self.error),
                  &self.error);
        assert_true(hf_slice_equal(read, wanted));
        ref.check ^= 1;
        assert_status(hf_log_read_ref(tables, &ref, &self.store->arena, &read, &self.error),
                      HF_CORRUPT);
        assert_int_equal(self.error.lsn, lsn);
    }
    struct hf_ref bad[] = {
        { lsn, body.size, 1, 0 },      { lsn, body.size - 1, 2, 0 },
        { lsn + 1, 0, 1, 0 },          { 0, 0, 1, 0 },
        { lsn, UINT64_MAX, 1, 0 },     { lsn, UINT32_MAX, UINT32_MAX, 0 },
        { lsn, 0, UINT64_MAX / 2, 0 }, { lsn, 3 * HF_LOG_PART_SIZE, 1, 0 },
    };
    for (size_t i = 0; i < HF_COUNT_OF(bad); i++) {
        hf_slice read;
        assert_status(
            hf_log_read_ref(&self.write.tables, &bad[i], &self.store->arena, &read, &self.error),
            HF_CORRUPT);
    }
    hf__write_abort(&self.write);
}

/* The value of a part as it stands in the table, copied. */
static hf_slice part_value(struct log_part *self, const struct hf_key *key)
{
    hf_slice value;
    assert_ok(
        hf_table_get(&self->write.tables, HF_TABLE_LOG, hf_key_slice(key), &value, &self->error),
        &self->error);
    return hf_arena_copy(&self->store->arena, value);
}

static void part_put(struct log_part *self, const struct hf_key *key, hf_slice value)
{
    assert_ok(
        hf_table_put(&self->write.tables, HF_TABLE_LOG, hf_key_slice(key), value, &self->error),
        &self->error);
}

/* Whatever byte of a record's value is damaged, header or body, reading names the record. */
static void test_a_damaged_byte_anywhere_is_found_with_its_lsn(void **state)
{
    struct log_part self;
    log_must_begin(&self, *state);
    uint64_t lsn = self.write.next_lsn;
    struct hf_log_record record;
    assert_ok(log_append(&self, lsn, body_of(self.store, 300)), &self.error);
    struct hf_key key = hf_key_log(&(struct hf_log_place){ lsn, 0 });
    hf_slice value = part_value(&self, &key);
    assert_int_equal(value.size, HF_LOG_HEADER_SIZE + 300);
    char *bytes = (char *)(uintptr_t)value.data;
    for (size_t i = 0; i < value.size; i++) {
        for (int bit = 0; bit < 8; bit += 7) {
            bytes[i] = (char)(bytes[i] ^ (1 << bit));
            part_put(&self, &key, value);
            assert_status(log_read(&self, lsn, &record), HF_CORRUPT);
            assert_int_equal(self.error.lsn, lsn);
            bytes[i] = (char)(bytes[i] ^ (1 << bit));
        }
    }
    for (size_t size = 0; size < value.size; size++) {
        part_put(&self, &key, (hf_slice){ value.data, size });
        assert_status(log_read(&self, lsn, &record), HF_CORRUPT);
    }
    part_put(&self, &key, value);
    assert_ok(log_read(&self, lsn, &record), &self.error);
    hf__write_abort(&self.write);
}

/* A part that is missing, stands elsewhere or is of another record is not taken for the right one.
 */
static void test_parts_that_are_missing_or_exchanged_are_found(void **state)
{
    struct log_part self;
    log_must_begin(&self, *state);
    uint64_t lsn = self.write.next_lsn;
    struct hf_log_record record;
    hf_slice body = body_of(self.store, 3 * HF_LOG_PART_SIZE);
    assert_ok(log_append(&self, lsn, body), &self.error);
    assert_ok(log_append(&self, lsn + 1, body), &self.error);
    struct hf_key keys[4];
    hf_slice values[4];
    for (size_t i = 0; i < 3; i++) {
        keys[i] = hf_key_log(&(struct hf_log_place){ lsn, i });
        values[i] = part_value(&self, &keys[i]);
    }
    keys[3] = hf_key_log(&(struct hf_log_place){ lsn + 1, 1 });
    values[3] = part_value(&self, &keys[3]);
    part_put(&self, &keys[1], values[2]);
    assert_status(log_read(&self, lsn, &record), HF_CORRUPT);
    part_put(&self, &keys[1], values[3]); /* the same bytes of another record */
    assert_status(log_read(&self, lsn, &record), HF_CORRUPT);
    part_put(&self, &keys[1], values[1]);
    assert_ok(log_read(&self, lsn, &record), &self.error);
    for (size_t i = 1; i < 3; i++) {
        assert_ok(
            hf_table_delete(&self.write.tables, HF_TABLE_LOG, hf_key_slice(&keys[i]), &self.error),
            &self.error);
        assert_status(log_read(&self, lsn, &record), HF_CORRUPT);
        assert_int_equal(self.error.lsn, lsn);
        part_put(&self, &keys[i], values[i]);
    }
    hf__write_abort(&self.write);
}

/* ---- scanning ------------------------------------------------------------------------------ */

struct scanned {
    uint64_t lsns[64];
    bool is_damage[64];
    size_t count;
};

static hf_status scan_visit(void *context, const struct hf_log_visit *visit)
{
    struct scanned *self = context;
    if (self->count == HF_COUNT_OF(self->lsns)) return HF_TOO_LARGE;
    self->lsns[self->count] = visit->record.lsn;
    self->is_damage[self->count++] = visit->damage != NULL;
    return HF_OK;
}

static struct scanned must_scan(struct store_part *store, uint64_t from_lsn)
{
    struct scanned scanned = { .count = 0 };
    hf_error error = { 0 };
    assert_ok(hf_log_scan(store->backend, from_lsn, &error, &scanned, scan_visit), &error);
    return scanned;
}

/* A scan visits each record once, by rising LSN, from where it is told to. */
static void test_scan_visits_all_records_in_order(void **state)
{
    struct store_part *store = *state;
    store_must_fill(store);
    struct scanned all = must_scan(store, 0);
    assert_true(all.count > 10);
    for (size_t i = 0; i < all.count; i++) {
        assert_int_equal(all.lsns[i], i + 1);
        assert_false(all.is_damage[i]);
    }
    struct scanned rest = must_scan(store, 6);
    assert_int_equal(rest.count, all.count - 5);
    assert_int_equal(rest.lsns[0], 6);
    assert_int_equal(must_scan(store, all.count + 1).count, 0);
}

/* What a visit returns ends the scan. */
static hf_status stop_visit(void *context, const struct hf_log_visit *visit)
{
    (void)visit;
    ++*(int *)context;
    return HF_CANCELLED;
}

static void test_scan_stops_when_a_visit_says_so(void **state)
{
    struct store_part *store = *state;
    int visits_count = 0;
    hf_error error = { 0 };
    assert_status(hf_log_scan(store->backend, 0, &error, &visits_count, stop_visit), HF_CANCELLED);
    assert_int_equal(visits_count, 1);
}

/* Records that are missing, at the begin, inside or at the end, are told as damage with their LSN,
 * and the scan goes on behind them. */
static void test_scan_names_missing_records(void **state)
{
    struct store_part *store = *state;
    store_must_fill(store);
    size_t count = must_scan(store, 0).count;
    uint64_t missing[] = { 1, 5, count };
    for (size_t i = 0; i < HF_COUNT_OF(missing); i++) {
        struct hf_table_row row;
        struct hf_key key = hf_key_log(&(struct hf_log_place){ missing[i], 0 });
        size_t at = 0;
        while (store_row(store, HF_TABLE_LOG, at, &row) &&
               !hf_slice_equal(row.key, hf_key_slice(&key))) {
            at++;
        }
        assert_true(hf_slice_equal(row.key, hf_key_slice(&key)));
        store_must_tamper(store, HF_TABLE_LOG, row.key, (hf_slice)HF_EMPTY);
        struct scanned scanned = must_scan(store, 0);
        assert_int_equal(scanned.count, count);
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(scanned.lsns[j], j + 1);
            assert_int_equal(scanned.is_damage[j], j + 1 == missing[i]);
        }
        struct findings found = store_must_find(store);
        assert_int_equal(found.first_lsn, missing[i]);
        store_must_tamper(store, HF_TABLE_LOG, row.key, row.value);
    }
    store_must_verify(store);
}

/* A record of several parts that lost its first one is damage, told once, and not the end. */
static void test_scan_goes_on_behind_a_record_without_its_first_part(void **state)
{
    struct store_part *store = *state;
    store_must_start(store, "a");
    struct hf_store_command message = command_message(store, "a", 3 * HF_LOG_PART_SIZE);
    store_must_commit(store, &message);
    store_must_start(store, "b");
    uint64_t damaged = message.lsn;
    struct hf_key key = hf_key_log(&(struct hf_log_place){ damaged, 0 });
    store_must_tamper(store, HF_TABLE_LOG, hf_key_slice(&key), (hf_slice)HF_EMPTY);
    struct scanned scanned = must_scan(store, 0);
    assert_int_equal(scanned.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(scanned.lsns[i], i + 1);
        assert_int_equal(scanned.is_damage[i], i + 1 == damaged);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_appended_bodies_of_all_sizes_are_read_again),
        CASE(test_append_of_an_older_lsn_is_refused),
        CASE(test_refs_read_their_bytes_over_parts_and_prove_them),
        CASE(test_a_damaged_byte_anywhere_is_found_with_its_lsn),
        CASE(test_parts_that_are_missing_or_exchanged_are_found),
        CASE(test_scan_visits_all_records_in_order),
        CASE(test_scan_stops_when_a_visit_says_so),
        CASE(test_scan_names_missing_records),
        CASE(test_scan_goes_on_behind_a_record_without_its_first_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
