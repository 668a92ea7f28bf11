/* Activities that are kept beyond their function and completed from other threads. */
#include "tests/support/house.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- what runs ------------------------------------------------------------------------------ */

enum { KEPT_MAX = 64 };

/* Completions that the activity `later` has left behind. */
static struct {
    pthread_mutex_t mutex;
    hf_completion *all[KEPT_MAX];
    size_t count;
} kept = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static hf_status later(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    (void)input;
    pthread_mutex_lock(&kept.mutex);
    kept.all[kept.count++] = hf_activity_detach(a);
    pthread_mutex_unlock(&kept.mutex);
    stage_sayf(stage, "kept %s", hf_activity_about(a)->instance);
    return HF_IO; /* which says nothing: it is detached */
}

/* Completes itself before its function returns. */
static hf_status at_once(hf_activity *a, hf_slice input)
{
    hf_completion *completion = hf_activity_detach(a);
    return hf_completion_complete(completion, input);
}

static hf_status asks(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    HF_TRY(hf_call(o, "later", input, &output));
    return hf_complete(o, output);
}

static hf_status asks_at_once(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    HF_TRY(hf_call(o, "at_once", input, &output));
    return hf_complete(o, output);
}

static hf_status asks_on_session(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    HF_TRY(hf_call_on(o, hf_session_open(o), "later", input, &output));
    return hf_complete(o, output);
}

static const struct part parts[] = { { "asks", asks, NULL },
                                     { "asks_at_once", asks_at_once, NULL },
                                     { "asks_on_session", asks_on_session, NULL },
                                     { "later", NULL, later },
                                     { "at_once", NULL, at_once },
                                     { NULL, NULL, NULL } };

/* The latest one that was kept for that instance, taken. */
static hf_completion *take(struct house *house, const char *instance)
{
    char begin[64];
    hf_completion *found = NULL;
    snprintf(begin, sizeof begin, "kept %s", instance);
    stage_wait(&house->stage, begin, 1);
    pthread_mutex_lock(&kept.mutex);
    for (size_t i = 0; i < kept.count && !found; i++) {
        const hf_activity_info *about = hf_activity_about(hf_completion_activity(kept.all[i]));
        if (strcmp(about->instance, instance) != 0) continue;
        found = kept.all[i];
        kept.all[i] = kept.all[--kept.count];
    }
    pthread_mutex_unlock(&kept.mutex);
    assert_non_null(found);
    return found;
}

static hf_runtime *worker(struct house *house, uint32_t detached_max)
{
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = "w", .activity_threads = 1,
                                       .detached_max = detached_max));
}

static void rest(struct house *house, hf_runtime *runtime)
{
    house_rest(runtime);
    hf_runtime_free(runtime);
    house_close(house);
}

/* ---- completing ----------------------------------------------------------------------------- */

static void *complete(void *completion)
{
    return (void *)(intptr_t)hf_completion_complete(completion, hf_text("from elsewhere"));
}

/* One thread keeps many at a time; each is completed from another thread, in any order. */
static void row_2_1_detached_activities_are_completed_from_any_thread(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    struct house house;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house, 0);
    char id[24];
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "i-%d", i);
        house_start(&house, id, "asks", "x");
    }
    stage_wait(&house.stage, "kept ", COUNT);
    house_start(&house, "ordinary", "hello", "you"); /* the thread is free */
    house_expect(&house, "ordinary", "Hello, you!");
    for (int i = COUNT - 1; i >= 0; i--) {
        pthread_t thread;
        void *status = NULL;
        snprintf(id, sizeof id, "i-%d", i);
        assert_int_equal(pthread_create(&thread, NULL, complete, take(&house, id)), 0);
        assert_int_equal(pthread_join(thread, &status), 0);
        assert_int_equal((intptr_t)status, HF_OK);
        house_expect(&house, id, "from elsewhere");
    }
    rest(&house, runtime);
}

/* Completed before its function has returned; failed with an error of its own; refused when it is
 * too large, and then still to be completed. */
static void test_ways_of_completing(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "now", "asks_at_once", "out");
    house_expect(&house, "now", "out");
    house_start(&house, "bad", "asks", "x");
    hf_completion *completion = take(&house, "bad");
    const hf_slice too_large = { "", (size_t)2 * 1024 * 1024 };
    assert_status(hf_completion_complete(completion, too_large), HF_TOO_LARGE);
    assert_status(hf_completion_fail(completion, "broken", hf_text("why"), "it broke"), HF_OK);
    house_failure(&house, "bad", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "broken");
    assert_string_equal(error.message, "it broke");
    rest(&house, runtime);
}

/* At the limit nothing more is taken; with a place free it is. */
static void test_limit_of_detached_activities_holds(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house, 2);
    house_start(&house, "a", "asks", "x");
    house_start(&house, "b", "asks", "x");
    stage_wait(&house.stage, "kept ", 2);
    house_start(&house, "c", "asks", "x");
    house_start(&house, "turns", "waits", ""); /* turns go on */
    hf_stats stats = HF_INIT(hf_stats);
    while (stats.activities_waiting_count < 2) {
        assert_ok(hf_stats_read(house.store, &stats, NULL), NULL);
    }
    assert_int_equal(stats.activities_running_count, 2);
    assert_int_equal(stage_count(&house.stage, "kept "), 2);
    assert_status(hf_completion_complete(take(&house, "a"), hf_text("1")), HF_OK);
    assert_status(hf_completion_complete(take(&house, "c"), hf_text("3")), HF_OK);
    assert_status(hf_completion_complete(take(&house, "b"), hf_text("2")), HF_OK);
    house_expect(&house, "a", "1");
    house_expect(&house, "b", "2");
    house_expect(&house, "c", "3");
    house_wait_status(&house, "turns", "waiting");
    assert_ok(hf_terminate(house.store, "turns", NULL, NULL), NULL);
    rest(&house, runtime);
}

/* ---- being told to stop --------------------------------------------------------------------- */

/* A cancel reaches it after its function has returned: by flag, wait and descriptor. What is
 * completed then is not wanted. */
static void row_2_4_detached_activity_is_told_to_stop(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    uint64_t once = 0;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "i", "asks_on_session", "x");
    hf_completion *completion = take(&house, "i");
    hf_activity *a = hf_completion_activity(completion);
    assert_false(hf_activity_is_cancelled(a));
    assert_string_equal(hf_activity_about(a)->activity, "later");
    int descriptor = hf_activity_cancel_fd(a);
    assert_ok(hf_terminate(house.store, "i", NULL, &error), &error);
    assert_true(hf_activity_wait_cancelled(a, STAGE_LIMIT_MS));
    assert_int_equal(read(descriptor, &once, sizeof once), sizeof once);
    assert_status(hf_completion_complete(completion, hf_text("late")), HF_STALE);
    rest(&house, runtime);
}

/* The runtime stops: it is told, handed back when the grace is over, and waited for. Its completion
 * comes too late, and the next worker runs it again. */
static void *free_runtime(void *runtime)
{
    hf_runtime_free(runtime);
    return NULL;
}

static void test_runtime_waits_for_its_detached_activities(void **state)
{
    (void)state;
    struct house house;
    pthread_t thread;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *first = worker(&house, 0);
    house_start(&house, "i", "asks", "x");
    hf_completion *completion = take(&house, "i");
    hf_runtime_stop(first, 1, NULL, NULL);
    assert_ok(hf_runtime_join(first, &error), &error);
    assert_true(hf_activity_is_cancelled(hf_completion_activity(completion)));
    assert_int_equal(pthread_create(&thread, NULL, free_runtime, first), 0);
    hf_runtime *second = worker(&house, 0);
    stage_wait(&house.stage, "kept i", 2);
    assert_status(hf_completion_complete(completion, hf_text("late")), HF_STALE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_status(hf_completion_complete(take(&house, "i"), hf_text("in time")), HF_OK);
    house_expect(&house, "i", "in time");
    rest(&house, second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_2_1_detached_activities_are_completed_from_any_thread),
        cmocka_unit_test(test_ways_of_completing),
        cmocka_unit_test(test_limit_of_detached_activities_holds),
        cmocka_unit_test(row_2_4_detached_activity_is_told_to_stop),
        cmocka_unit_test(test_runtime_waits_for_its_detached_activities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
