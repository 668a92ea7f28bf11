/* Cursors over sessions against a puppet store: what each filter asks for, pages, and errors. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/puppet.h"

enum { ROWS = 700, PER_INSTANCE = 7, NOW_MS = 100000000 };

struct fixture {
    struct puppet puppet;
    struct hf_session_row rows[ROWS];
    char ids[ROWS / PER_INSTANCE][16];
};

/* 100 instances with 7 sessions each; the third of each is held by worker "a" (registration 5, a
 * former one is 4), the fourth is tagged, and the fifth quiet. */
static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    puppet_open(&fixture->puppet);
    for (size_t i = 0; i < ROWS; i++) {
        size_t instance = i / PER_INSTANCE, place = i % PER_INSTANCE;
        struct hf_session_row *row = &fixture->rows[i];
        snprintf(fixture->ids[instance], sizeof fixture->ids[0], "thing-%zu", instance);
        *row = (struct hf_session_row){ .instance = instance + 1,
                                        .incarnation = place + 1,
                                        .instance_id = hf_text(fixture->ids[instance]),
                                        .session_id = hf_text("desk"),
                                        .opened_unix_ms = 7 };
        if (place == 2) {
            row->owner = instance < 10 ? 4 : 5;
            row->worker_id = hf_text("a");
            row->epoch = 99;
            row->lease_left_ms = 1000;
        }
        if (place == 3) row->tag = hf_text("gpu");
        if (place == 4) row->quiet_unix_ms = NOW_MS - 60000;
    }
    fixture->puppet.rows = fixture->rows;
    fixture->puppet.rows_count = ROWS;
    fixture->puppet.others[0] = (struct hf_registration_row){ .registration = 4,
                                                              .worker_id = hf_text("a"),
                                                              .ended = true };
    fixture->puppet.others[1] = (struct hf_registration_row){ .registration = 5,
                                                              .worker_id = hf_text("a") };
    fixture->puppet.others_count = 2;
    atomic_store(&fixture->puppet.hand_unix_ms, NOW_MS);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    puppet_close(&fixture->puppet);
    free(fixture);
    return 0;
}

/* Counts what a query gives; *out_last (may be NULL) is the last row's incarnation. */
static size_t count_rows(struct puppet *puppet, const hf_query *query, uint64_t *out_last)
{
    hf_error error = { 0 };
    hf_cursor *cursor = NULL;
    const hf_session_info *row = NULL;
    size_t count = 0;
    assert_ok(hf_query_open(puppet->store, query, &cursor, &error), &error);
    while (hf_next_session(cursor, &row)) {
        count++;
        if (out_last) *out_last = row->incarnation;
    }
    assert_ok(hf_cursor_close(cursor, &error), &error);
    return count;
}

/* All sessions are read in pages of a bounded size, in order, with all that is known of them. */
static void test_all_sessions_are_read_in_pages(void **state)
{
    struct fixture *fixture = *state;
    hf_error error = { 0 };
    hf_cursor *cursor = NULL;
    const hf_session_info *row = NULL;
    assert_ok(hf_query_open(fixture->puppet.store, NULL, &cursor, &error), &error);
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(hf_next_session(cursor, &row));
        const struct hf_session_row *expected = &fixture->rows[i];
        assert_string_equal(row->instance, expected->instance_id.data);
        assert_string_equal(row->session, "desk");
        assert_int_equal(row->incarnation, expected->incarnation);
        assert_int_equal(row->registration_lsn, expected->owner);
        assert_int_equal(row->lease_left_ms, expected->lease_left_ms);
        assert_int_equal(row->quiet_unix_ms, expected->quiet_unix_ms);
        assert_int_equal(row->opened_unix_ms, 7);
        if (expected->owner) assert_string_equal(row->owner, "a");
        if (!expected->owner) assert_null(row->owner);
        if (expected->tag.size) assert_string_equal(row->tag, "gpu");
        if (!expected->tag.size) assert_null(row->tag);
    }
    assert_false(hf_next_session(cursor, &row));
    assert_false(hf_next_session(cursor, &row));
    assert_ok(hf_cursor_close(cursor, &error), &error);
    assert_int_equal(fixture->puppet.pages_count, 3);
    assert_int_equal(fixture->puppet.page_rows_max, 256);
}

/* Each filter alone and together; a limit; a worker that is not there holds none. */
static void test_filters_and_limit(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    uint64_t last = 0;
    assert_int_equal(count_rows(puppet, HF_WITH(hf_query, .instance = "thing-40"), NULL), 7);
    assert_true(puppet->pages_count == 1); /* from its first on, and not to the end of all */
    assert_int_equal(count_rows(puppet, HF_WITH(hf_query, .worker_id = "a"), &last), 100);
    assert_int_equal(last, 3);
    assert_int_equal(count_rows(puppet, HF_WITH(hf_query, .worker_id = "nobody"), NULL), 0);
    assert_int_equal(count_rows(puppet, HF_WITH(hf_query, .quiet_ms = 60000), &last), 100);
    assert_int_equal(last, 5);
    assert_int_equal(count_rows(puppet, HF_WITH(hf_query, .quiet_ms = 60001), NULL), 0);
    assert_int_equal(count_rows(puppet, HF_WITH(hf_query, .quiet_ms = UINT64_MAX), NULL), 0);
    assert_int_equal(count_rows(puppet, HF_WITH(hf_query, .limit = 300), NULL), 300);
    assert_int_equal(
        count_rows(puppet, HF_WITH(hf_query, .instance = "thing-40", .worker_id = "a"), &last), 1);
    assert_int_equal(last, 3);
    assert_int_equal(
        count_rows(puppet, HF_WITH(hf_query, .instance = "thing-40", .quiet_ms = 1), &last), 1);
    assert_int_equal(last, 5);
}

/* Mistakes are refused at opening; what ends the reading is told at closing. */
static void test_errors_of_cursors(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_error error = { 0 };
    hf_cursor *cursor = NULL;
    const hf_session_info *row = NULL;
    assert_status(hf_query_open(NULL, NULL, &cursor, &error), HF_INVALID);
    assert_status(hf_query_open(puppet->store, NULL, NULL, &error), HF_INVALID);
    assert_status(hf_query_open(puppet->store, HF_WITH(hf_query, .instance = ""), &cursor, &error),
                  HF_INVALID);
    assert_status(
        hf_query_open(puppet->store, HF_WITH(hf_query, .worker_id = "\xff"), &cursor, &error),
        HF_INVALID);
    assert_status(
        hf_query_open(puppet->store, HF_WITH(hf_query, .instance = "nothing"), &cursor, &error),
        HF_NOT_FOUND);
    assert_status(
        hf_query_open(puppet->store, HF_WITH(hf_query, .instance = "nothing"), &cursor, NULL),
        HF_NOT_FOUND);
    assert_null(cursor);
    assert_ok(hf_query_open(puppet->store, NULL, &cursor, &error), &error);
    assert_true(hf_next_session(cursor, &row));
    puppet->sessions_status = HF_IO;
    size_t count = 1;
    while (hf_next_session(cursor, &row)) count++;
    assert_int_equal(count, 256); /* the page that was read stays good */
    assert_status(hf_cursor_close(cursor, &error), HF_IO);
    assert_string_equal(error.message, "told to fail");
    assert_ok(hf_cursor_close(NULL, NULL), NULL);
}

int main(void)
{
#define QUERY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        QUERY_TEST(test_all_sessions_are_read_in_pages),
        QUERY_TEST(test_filters_and_limit),
        QUERY_TEST(test_errors_of_cursors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
