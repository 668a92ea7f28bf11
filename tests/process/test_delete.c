/* Deletion on a whole runtime: who works for a deleted instance or waits for it is told, and
 * nothing of it reaches the next instance of its id. */
#include <uv.h>

#include "runtime/store.h"
#include "tests/support/house.h"

struct fixture {
    struct house house;
    hf_runtime *worker;
};

static int setup(void **state)
{
    static struct fixture fixture;
    house_open(&fixture.house, NULL);
    fixture.worker = house_worker(
        &fixture.house, HF_WITH(hf_runtime_options, .worker_id = "a", .activity_threads = 2));
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    stage_open(&fixture->house.stage, NULL);
    hf_runtime_free(fixture->worker);
    house_close(&fixture->house);
    return 0;
}

static void delete_running(struct house *house, const char *id)
{
    hf_error error;
    assert_status(hf_delete(house->store, id, false, &error), HF_STILL_RUNNING);
    assert_ok(hf_delete(house->store, id, true, &error), &error);
}

struct waiting {
    hf_store *store;
    hf_status status;
};

static void waiting_run(void *argument)
{
    struct waiting *self = argument;
    const hf_instance *instance = NULL;
    self->status = hf_wait(self->store, "d", STAGE_LIMIT_MS, &instance, NULL);
    hf_instance_free(instance);
}

static bool is_asleep(void *store)
{
    return hf__waiters_asleep(((hf_store *)store)->waiters) == 1;
}

/* The activity in progress is told to stop, its worker forgets the session, and a wait for the
 * instance ends: there is none. */
static void test_deletion_is_told_to_workers_and_waiters(void **state)
{
    struct fixture *fixture = *state;
    struct house *house = &fixture->house;
    struct waiting waiting = { house->store, HF_OK };
    uv_thread_t thread;
    house_start(house, "d", "hold", "never");
    stage_wait(&house->stage, "held d a", 1);
    assert_int_equal(house_sessions_count(house, "d"), 1);
    assert_int_equal(uv_thread_create(&thread, waiting_run, &waiting), 0);
    assert_true(hf_test_wait(STAGE_LIMIT_MS, house->store, is_asleep));
    delete_running(house, "d");
    assert_int_equal(house_sessions_count(house, NULL), 0);
    stage_wait(&house->stage, "told d a", 1);
    house_wait_metric(fixture->worker, "sessions_owned", 0);
    assert_int_equal(uv_thread_join(&thread), 0);
    assert_status(waiting.status, HF_NOT_FOUND);
}

/* An activity of the deleted instance that heeds nothing ends while another instance lives under
 * its id: its result is refused, and the new one sees nothing of it. */
static void test_late_result_does_not_reach_the_next_of_its_id(void **state)
{
    struct fixture *fixture = *state;
    struct house *house = &fixture->house;
    house_start(house, "d", "hold_free", "old");
    stage_wait(&house->stage, "held d a", 1);
    delete_running(house, "d");
    house_start(house, "d", "hold_free", "new");
    stage_wait(&house->stage, "held d a", 2);
    assert_int_equal(house_sessions_count(house, "d"), 1);
    stage_open(&house->stage, "old");
    house_wait_metric(fixture->worker, "activities_running", 1);
    assert_int_equal(house_sessions_count(house, "d"), 1);
    stage_open(&house->stage, "new");
    house_expect(house, "d", "let go");
    house_rest(fixture->worker);
    assert_true(house_metric(fixture->worker, "activities_completed") == 1);
    assert_true(house_metric(fixture->worker, "activities_voided") == 1);
}

/* A live execution of a deleted instance is no obstacle to the next of its id: the code begins
 * anew. */
static void test_live_execution_of_a_deleted_instance_is_left(void **state)
{
    struct house *house = &((struct fixture *)*state)->house;
    house_start(house, "d", "waits", "");
    house_wait_status(house, "d", "waiting");
    delete_running(house, "d");
    house_start(house, "d", "hello", "world");
    house_expect(house, "d", "Hello, world!");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_deletion_is_told_to_workers_and_waiters),
        CASE(test_late_result_does_not_reach_the_next_of_its_id),
        CASE(test_live_execution_of_a_deleted_instance_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
