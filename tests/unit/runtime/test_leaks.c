/* The look for leaked sessions against a puppet store and a wall clock that is turned by hand. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/puppet.h"

enum { NOW_MS = 100000000, LEAK_MS = 1000 };

static int setup(void **state)
{
    struct puppet *puppet = calloc(1, sizeof *puppet);
    assert_non_null(puppet);
    puppet_open(puppet);
    atomic_store(&puppet->hand_unix_ms, NOW_MS);
    *state = puppet;
    return 0;
}

static int teardown(void **state)
{
    struct puppet *puppet = *state;
    puppet_close(puppet);
    free(puppet);
    return 0;
}

static struct hf_session_row row_of(uint64_t instance, uint64_t quiet_unix_ms)
{
    return (struct hf_session_row){ .instance = instance,
                                    .incarnation = 1,
                                    .instance_id = hf_text("thing"),
                                    .session_id = hf_text("desk"),
                                    .quiet_unix_ms = quiet_unix_ms };
}

static void show(struct puppet *puppet, struct hf_session_row *rows, size_t count)
{
    pthread_mutex_lock(&puppet->mutex);
    puppet->rows = rows;
    puppet->rows_count = count;
    pthread_mutex_unlock(&puppet->mutex);
}

struct looked {
    struct puppet *puppet;
    size_t pages_count;
};

static bool has_looked(void *context)
{
    const struct looked *looked = context;
    pthread_mutex_lock(&looked->puppet->mutex);
    bool is_so = looked->puppet->pages_count >= looked->pages_count;
    pthread_mutex_unlock(&looked->puppet->mutex);
    return is_so;
}

/* Waits until so many slices were read from now on. */
static void wait_slices(struct puppet *puppet, size_t count)
{
    pthread_mutex_lock(&puppet->mutex);
    struct looked looked = { puppet, puppet->pages_count + count };
    pthread_mutex_unlock(&puppet->mutex);
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, &looked, has_looked));
}

/* A session that is quiet for long enough is told once; one that has work, or had some since, is
 * not; one that becomes leaked later is told then. */
static void test_leaked_session_is_told_once(void **state)
{
    struct puppet *puppet = *state;
    struct hf_session_row rows[] = { row_of(1, NOW_MS - LEAK_MS), row_of(2, 0),
                                     row_of(3, NOW_MS - LEAK_MS + 500) };
    show(puppet, rows, 3);
    hf_runtime *runtime = puppet_worker(puppet,
                                        HF_WITH(hf_runtime_options, .session_leak_ms = LEAK_MS));
    struct puppet_log log = puppet_wait_log(puppet, "session.leaked");
    assert_int_equal(log.level, HF_LOG_WARN);
    assert_string_equal(log.instance, "thing");
    assert_string_equal(log.session, "desk");
    assert_non_null(strstr(log.message, "for 1 s"));
    atomic_store(&puppet->hand_unix_ms, NOW_MS + 400);
    wait_slices(puppet, 1);
    assert_int_equal(puppet_count_logs(puppet, "session.leaked"), 1);
    atomic_store(&puppet->hand_unix_ms, NOW_MS + 1000);
    wait_slices(puppet, 1);
    atomic_store(&puppet->hand_unix_ms, NOW_MS + 2000);
    wait_slices(puppet, 1);
    assert_int_equal(puppet_count_logs(puppet, "session.leaked"), 2);
    assert_true(puppet_metric(runtime, "sessions_leaked") == 2);
    hf_runtime_free(runtime);
}

/* A scan of many sessions takes slices of a bounded size; a slice that cannot be read is read
 * again.
 */
static void test_scan_takes_bounded_slices(void **state)
{
    enum { SESSIONS = 2500 };
    struct puppet *puppet = *state;
    struct hf_session_row *rows = calloc(SESSIONS, sizeof *rows);
    assert_non_null(rows);
    for (uint64_t i = 0; i < SESSIONS; i++) rows[i] = row_of(i + 1, NOW_MS - LEAK_MS);
    rows[SESSIONS - 1].quiet_unix_ms = NOW_MS - 3 * LEAK_MS;
    for (uint64_t i = 0; i + 1 < SESSIONS; i++) rows[i].quiet_unix_ms = 0;
    show(puppet, rows, SESSIONS);
    puppet->sessions_status = HF_IO;
    hf_runtime *runtime = puppet_worker(puppet,
                                        HF_WITH(hf_runtime_options, .session_leak_ms = LEAK_MS));
    wait_slices(puppet, 1);
    pthread_mutex_lock(&puppet->mutex);
    puppet->sessions_status = HF_OK;
    size_t before = puppet->pages_count;
    pthread_mutex_unlock(&puppet->mutex);
    puppet_wait_log(puppet, "session.leaked");
    assert_int_equal(puppet->page_rows_max, HF__LEAKS_SLICE_ROWS);
    assert_true(puppet->pages_count - before >= 2);
    hf_runtime_free(runtime);
    free(rows);
}

/* The runtimes of a process tell it once between them, and one that never looks does not. */
static void test_runtimes_of_a_process_tell_it_once(void **state)
{
    struct puppet *puppet = *state;
    struct hf_session_row rows[] = { row_of(1, NOW_MS - LEAK_MS) };
    show(puppet, rows, 1);
    const hf_runtime_options *never = HF_WITH(hf_runtime_options, .session_leak_ms = UINT64_MAX);
    const hf_runtime_options *looking = HF_WITH(hf_runtime_options, .session_leak_ms = LEAK_MS);
    hf_runtime *runtimes[] = { puppet_worker(puppet, never), puppet_worker(puppet, looking),
                               puppet_worker(puppet, looking) };
    puppet_wait_log(puppet, "session.leaked");
    for (int i = 0; i < 4; i++) puppet_wait_tick(puppet); /* each has had its look */
    assert_int_equal(puppet_count_logs(puppet, "session.leaked"), 1);
    assert_true(puppet_metric(runtimes[0], "sessions_leaked") == 0);
    for (size_t i = 0; i < HF_COUNT_OF(runtimes); i++) hf_runtime_free(runtimes[i]);
}

int main(void)
{
#define LEAKS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LEAKS_TEST(test_leaked_session_is_told_once),
        LEAKS_TEST(test_scan_takes_bounded_slices),
        LEAKS_TEST(test_runtimes_of_a_process_tell_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
