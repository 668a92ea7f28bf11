/* The tables over LMDB, and the keys in them. */
#include "tests/unit/indexes/world.h"

#include <errno.h>
#include <lmdb.h>
#include <string.h>

#include "engine/base/bytes.h"

/* Every table has a name of its own and a class; the soft ones are those which rebuild empties. */
static void test_tables_have_names_and_classes(void **state)
{
    (void)state;
    for (enum hf_table a = 0; a < HF_TABLE_COUNT; a++) {
        assert_true(strlen(hf_table_name(a)) > 0);
        for (enum hf_table b = 0; b < a; b++) {
            assert_string_not_equal(hf_table_name(a), hf_table_name(b));
        }
    }
    assert_int_equal(hf_table_class(HF_TABLE_LOG), HF_TABLE_CLASS_LOG);
    assert_int_equal(hf_table_class(HF_TABLE_META), HF_TABLE_CLASS_META);
    assert_int_equal(hf_table_class(HF_TABLE_RECLAIM), HF_TABLE_CLASS_HARD);
    for (enum hf_table table = HF_TABLE_LEASES; table < HF_TABLE_COUNT; table++) {
        assert_int_equal(hf_table_class(table), HF_TABLE_CLASS_SOFT);
    }
}

static void put(struct world *world, const char *key, const char *value)
{
    assert_ok(
        hf_table_put(&world->tables, HF_TABLE_META, hf_text(key), hf_text(value), &world->error),
        &world->error);
}

/* What is put is got, replaced and deleted; what is not there is HF_NOT_FOUND and leaves the error
 * alone. */
static void test_rows_are_put_got_and_deleted(void **state)
{
    (void)state;
    struct world world;
    hf_slice value = HF_EMPTY;
    world_init(&world);
    world_begin(&world);
    struct hf_tables *tables = &world.tables;
    assert_status(hf_table_get(tables, HF_TABLE_META, hf_text("a"), &value, &world.error),
                  HF_NOT_FOUND);
    assert_status(hf_table_delete(tables, HF_TABLE_META, hf_text("a"), &world.error), HF_NOT_FOUND);
    assert_int_equal(world.error.status, HF_OK);
    put(&world, "a", "one");
    put(&world, "a", "");
    assert_ok(hf_table_get(tables, HF_TABLE_META, hf_text("a"), &value, NULL), NULL);
    assert_int_equal(value.size, 0);
    put(&world, "a", "two");
    assert_ok(hf_table_get(tables, HF_TABLE_META, hf_text("a"), &value, NULL), NULL);
    assert_true(hf_slice_equal(value, hf_text("two")));
    assert_ok(hf_table_delete(tables, HF_TABLE_META, hf_text("a"), NULL), NULL);
    assert_status(hf_table_get(tables, HF_TABLE_META, hf_text("a"), &value, NULL), HF_NOT_FOUND);
    put(&world, "b", "");
    assert_ok(hf_table_empty(tables, HF_TABLE_META, NULL), NULL);
    world_end(&world);
    assert_int_equal(world_count(&world, HF_TABLE_META), 0);
    world_drop(&world);
}

/* A row that is appended must be behind the last one. */
static void test_append_refuses_a_row_that_is_not_last(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_begin(&world);
    assert_ok(hf_table_append(&world.tables, HF_TABLE_LOG, hf_text("b"), hf_text("1"), NULL), NULL);
    assert_ok(hf_table_append(&world.tables, HF_TABLE_LOG, hf_text("c"), hf_text("2"), NULL), NULL);
    assert_status(
        hf_table_append(&world.tables, HF_TABLE_LOG, hf_text("a"), hf_text("3"), &world.error),
        HF_CORRUPT);
    struct hf_table_row last;
    assert_ok(hf_table_last(&world.tables, HF_TABLE_LOG, &last, NULL), NULL);
    assert_true(hf_slice_equal(last.key, hf_text("c")));
    world_end(&world);
    world_drop(&world);
}

/* A search finds the first row at or behind a key; a range ends where the prefix does; each row
 * looked at is counted. */
static void test_searches_stop_at_the_prefix(void **state)
{
    (void)state;
    struct world world;
    struct hf_table_row row;
    uint64_t looked = 0;
    world_init(&world);
    world_begin(&world);
    struct hf_tables *tables = &world.tables;
    assert_status(hf_table_seek(tables, HF_TABLE_META, hf_text("a"), &row, NULL), HF_NOT_FOUND);
    assert_status(hf_table_last(tables, HF_TABLE_META, &row, NULL), HF_NOT_FOUND);
    put(&world, "aa", "1");
    put(&world, "ab", "2");
    put(&world, "ba", "3");
    tables->rows_looked = &looked;
    assert_ok(hf_table_seek(tables, HF_TABLE_META, hf_text("ab"), &row, NULL), NULL);
    assert_true(hf_slice_equal(row.value, hf_text("2")));
    assert_int_equal(looked, 1);
    struct hf_table_range range = { hf_text("aa"), 1 };
    assert_ok(hf_table_next_in(tables, HF_TABLE_META, &range, &row, NULL), NULL);
    assert_true(hf_slice_equal(row.value, hf_text("2")));
    range.key = hf_text("ab");
    assert_status(hf_table_next_in(tables, HF_TABLE_META, &range, &row, NULL), HF_NOT_FOUND);
    range.prefix_size = 0;
    assert_ok(hf_table_next_in(tables, HF_TABLE_META, &range, &row, NULL), NULL);
    assert_true(hf_slice_equal(row.key, hf_text("ba")));
    range.key = hf_text("ba");
    assert_status(hf_table_next_in(tables, HF_TABLE_META, &range, &row, NULL), HF_NOT_FOUND);
    world_end(&world);
    world_drop(&world);
}

/* A fault: the next call at that point fails with that code. */
struct fault {
    enum hf_fault_point point;
    int code;
};

static int fault_at(void *self, enum hf_fault_point point)
{
    const struct fault *fault = self;
    return fault->point == point ? fault->code : 0;
}

/* Faults of the seam and codes of LMDB come out as the status that says what to do. */
static void test_faults_become_statuses(void **state)
{
    (void)state;
    struct world world;
    hf_slice value = HF_EMPTY;
    struct fault fault = { HF_FAULT_PUT, MDB_MAP_FULL };
    const struct hf_seams seams = { .self = &fault, .fault = fault_at };
    hf_error error = { 0 };
    world_init(&world);
    world_begin(&world);
    struct hf_tables *tables = &world.tables;
    tables->seams = &seams;
    assert_status(hf_table_put(tables, HF_TABLE_META, hf_text("a"), hf_text("b"), &error),
                  HF_DISK_FULL);
    assert_int_equal(error.system_error, MDB_MAP_FULL);
    fault.code = ENOSPC;
    assert_status(hf_table_put(tables, HF_TABLE_META, hf_text("a"), hf_text("b"), &error),
                  HF_DISK_FULL);
    fault = (struct fault){ HF_FAULT_READ, MDB_PAGE_NOTFOUND };
    assert_status(hf_table_get(tables, HF_TABLE_META, hf_text("a"), &value, &error), HF_CORRUPT);
    fault.code = EIO;
    assert_status(hf_table_get(tables, HF_TABLE_META, hf_text("a"), &value, &error), HF_IO);
    fault = (struct fault){ HF_FAULT_DELETE, ENOMEM };
    assert_status(hf_table_delete(tables, HF_TABLE_META, hf_text("a"), &error), HF_NO_MEMORY);
    world_end(&world);
    world_drop(&world);
}

/* Each record kind passes on a failure at any of its reads, puts and deletes, and never hides one.
 */
struct countdown {
    uint64_t left;
    bool has_fired;
};

static int countdown_at(void *self, enum hf_fault_point point)
{
    struct countdown *countdown = self;
    (void)point;
    if (countdown->left-- != 1) return 0;
    countdown->has_fired = true;
    return EIO;
}

/* Folds all records of a life of an instance, with the n-th call of the store failing; returns
 * whether that call was reached. */
static bool fold_with_fault(struct world *world, uint64_t n)
{
    struct countdown countdown = { n, false };
    const struct hf_seams seams = { .self = &countdown, .fault = countdown_at };
    hf_status status = HF_OK;
    struct world copy;
    world_init(&copy);
    world_begin(&copy);
    copy.tables.seams = &seams;
    for (size_t i = copy.records_count; status == HF_OK && i < world->records_count; i++) {
        status = hf_apply(&copy.tables, &world->records[i], &copy.error);
    }
    assert_int_equal(status, countdown.has_fired ? HF_IO : HF_OK);
    mdb_txn_abort(copy.tables.txn);
    copy.tables.txn = NULL;
    world_drop(&copy);
    return countdown.has_fired;
}

/* A failing store is passed on by the fold, whichever call of whichever record fails. */
static void test_fold_passes_every_failure_on(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "chat");
    uint64_t event_id = turn_item(&turn, 1, "");
    turn_cancel(&turn, turn_timer(&turn, 5000));
    world_turn(&world, &turn);
    uint64_t dead = world_register(&world, "first"), other = world_register(&world, "second");
    world_deliver(&world, dead, event_id, 1);
    world_end_registration(&world, dead, HF_REASON_DEAD);
    uint64_t delivery = world_deliver(&world, other, event_id, 1);
    uint64_t message = world_complete(&world, other, event_id, delivery);
    turn = turn_begin(&world);
    turn_consume(&turn, message);
    turn_close(&turn, 1);
    turn.body.output_event = turn_event(&turn, "done");
    turn.body.outcome = HF_OUTCOME_COMPLETED;
    world_turn(&world, &turn);
    uint64_t n = 1;
    while (fold_with_fault(&world, n)) n++;
    assert_true(n > 100);
    world_release(&world);
}

/* Keys of numbers sort as their numbers do, at the borders of bytes too. */
static void test_keys_sort_as_numbers(void **state)
{
    (void)state;
    const uint64_t numbers[] = { 0, 1, 255, 256, 65535, 65536, UINT32_MAX };
    for (size_t i = 1; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct hf_key a = hf_key_item(&(struct hf_item_id){ 1, numbers[i - 1], UINT32_MAX });
        struct hf_key b = hf_key_item(&(struct hf_item_id){ 1, numbers[i], 0 });
        assert_true(memcmp(a.bytes, b.bytes, a.size) < 0);
        struct hf_key c = hf_key_running(
            &(struct hf_running_place){ 1, 1, { numbers[i - 1], UINT32_MAX } });
        struct hf_key d = hf_key_running(&(struct hf_running_place){ 1, 1, { numbers[i], 0 } });
        assert_true(memcmp(c.bytes, d.bytes, c.size) < 0);
    }
}

/* Every key reads back as what it was made of, and bytes of another size are no key. */
static void test_keys_read_back(void **state)
{
    (void)state;
    struct hf_session_ready_place ready = { 1, 2, 1, { 3, 4 } }, ready_back;
    struct hf_key key = hf_key_session_ready(&ready);
    assert_true(hf_key_read_session_ready(hf_key_slice(&key), &ready_back));
    assert_memory_equal(&ready, &ready_back, sizeof(ready));
    struct hf_running_place running = { 1, 2, { 3, 4 } }, running_back;
    key = hf_key_running(&running);
    assert_true(hf_key_read_running(hf_key_slice(&key), &running_back));
    assert_memory_equal(&running, &running_back, sizeof(running));
    struct hf_timer_place timer = { UINT64_MAX, { 2, 3, 4 } }, timer_back;
    key = hf_key_timer(&timer);
    assert_true(hf_key_read_timer(hf_key_slice(&key), &timer_back));
    assert_memory_equal(&timer, &timer_back, sizeof(timer));
    struct hf_log_place log = { 7, 300 }, log_back;
    key = hf_key_log(&log);
    assert_int_equal(key.size, 10);
    assert_true(hf_key_read_log(hf_key_slice(&key), &log_back));
    assert_memory_equal(&log, &log_back, sizeof(log));
    assert_false(hf_key_read_timer(hf_key_slice(&key), &timer_back));
    assert_false(hf_key_read_log((hf_slice)HF_EMPTY, &log_back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_have_names_and_classes),
        cmocka_unit_test(test_rows_are_put_got_and_deleted),
        cmocka_unit_test(test_append_refuses_a_row_that_is_not_last),
        cmocka_unit_test(test_searches_stop_at_the_prefix),
        cmocka_unit_test(test_faults_become_statuses),
        cmocka_unit_test(test_fold_passes_every_failure_on),
        cmocka_unit_test(test_keys_sort_as_numbers),
        cmocka_unit_test(test_keys_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
