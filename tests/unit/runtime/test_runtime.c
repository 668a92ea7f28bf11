/* The life of a runtime against a puppet store: options, starting once, refusals, its lease, and
 * the death of other workers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/puppet.h"

static hf_status nothing(hf_activity *a, hf_slice input)
{
    (void)a;
    (void)input;
    return HF_OK;
}

static int setup(void **state)
{
    struct puppet *puppet = calloc(1, sizeof *puppet);
    assert_non_null(puppet);
    puppet_open(puppet);
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

/* ---- options -------------------------------------------------------------------------------- */

/* Options out of bounds are refused with a message that names them, and nothing is made. */
static void test_options_out_of_bounds_are_refused(void **state)
{
    struct puppet *puppet = *state;
    char long_id[300];
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    const char *const tags[65] = { "gpu", "", NULL, "\xff" };
    const struct {
        const char *name;
        hf_runtime_options options;
    } cases[] = {
        { "size", { .size = 0 } },
        { "stack", { .size = sizeof(hf_runtime_options), .orchestration_stack_size = 1 } },
        { "stack", { .size = sizeof(hf_runtime_options), .orchestration_stack_size = (size_t)-1 } },
        { "orchestration_threads",
          { .size = sizeof(hf_runtime_options), .orchestration_threads = 100000 } },
        { "activity_threads", { .size = sizeof(hf_runtime_options), .activity_threads = 100000 } },
        { "session_lock_ms",
          { .size = sizeof(hf_runtime_options), .session_lock_ms = UINT64_MAX } },
        { "item_lock_ms", { .size = sizeof(hf_runtime_options), .item_lock_ms = UINT64_MAX } },
        { "session_idle_ms",
          { .size = sizeof(hf_runtime_options), .session_idle_ms = UINT64_MAX } },
        { "cancel_grace_ms",
          { .size = sizeof(hf_runtime_options), .cancel_grace_ms = UINT64_MAX } },
        { "session_reclaim_ms",
          { .size = sizeof(hf_runtime_options), .session_reclaim_ms = UINT64_MAX } },
        { "session_leak_ms",
          { .size = sizeof(hf_runtime_options), .session_leak_ms = UINT64_MAX - 1 } },
        { "tags is NULL", { .size = sizeof(hf_runtime_options), .tags_count = 1 } },
        { "at most 64", { .size = sizeof(hf_runtime_options), .tags = tags, .tags_count = 65 } },
        { "tag is empty", { .size = sizeof(hf_runtime_options), .tags = tags, .tags_count = 2 } },
        { "tag is empty",
          { .size = sizeof(hf_runtime_options), .tags = tags + 2, .tags_count = 1 } },
        { "tag is not UTF-8",
          { .size = sizeof(hf_runtime_options), .tags = tags + 3, .tags_count = 1 } },
        { "worker id", { .size = sizeof(hf_runtime_options), .worker_id = "" } },
        { "worker id", { .size = sizeof(hf_runtime_options), .worker_id = "\xff" } },
        { "worker id", { .size = sizeof(hf_runtime_options), .worker_id = long_id } },
    };
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        hf_error error = { 0 };
        hf_runtime *runtime = NULL;
        assert_status(
            hf_runtime_new(puppet->store, puppet->registry, &cases[i].options, &runtime, &error),
            HF_INVALID);
        assert_null(runtime);
        if (!strstr(error.message, cases[i].name)) {
            fail_msg("\"%s\" does not name %s", error.message, cases[i].name);
        }
    }
}

/* Fetches ask for work with the tags that a runtime was made with, though the caller's are gone. */
static void row_4a_19_fetches_ask_for_tags(void **state)
{
    struct puppet *puppet = *state;
    char first[] = "gpu", second[] = "large";
    const char *const tags[] = { first, second };
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    assert_ok(hf_runtime_new(puppet->store, puppet->registry,
                             HF_WITH(hf_runtime_options, .tags = tags, .tags_count = 2), &runtime,
                             &error),
              &error);
    memset(first, 'x', sizeof first - 1);
    memset(second, 'x', sizeof second - 1);
    assert_ok(hf_runtime_start(runtime, &error), &error);
    assert_string_equal(puppet_wait(puppet, HF_STORE_FETCH_ITEMS, 1).text, "gpu,large");
    puppet_wait_peek(puppet, "gpu,large");
    hf_runtime_free(runtime);
}

/* The reclaim window is the registration's: none by default. */
static void test_reclaim_window_is_registered(void **state)
{
    struct puppet *puppet = *state;
    hf_runtime_free(puppet_worker(puppet, NULL));
    assert_int_equal(puppet_wait(puppet, HF_STORE_REGISTER, 1).delay_ms, 0);
    hf_runtime_free(puppet_worker(puppet, HF_WITH(hf_runtime_options, .session_reclaim_ms = 5000)));
    assert_int_equal(puppet_wait(puppet, HF_STORE_REGISTER, 2).delay_ms, 5000);
}

/* A store that has a runtime, also a stopped one, stays open: something may still run in it. */
static void test_store_stays_open_until_its_runtimes_are_freed(void **state)
{
    struct puppet *puppet = *state;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    hf_runtime_stop(runtime, 0, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    hf_store_close(puppet->store);
    assert_non_null(strstr(puppet_wait_log(puppet, "store.close").message, "free the runtime"));
    assert_ok(hf__handle_check(puppet->store, NULL), NULL);
    hf_runtime_free(runtime);
}

/* A mistake that registering made, or no registry, is reported when the runtime is made. */
static void test_registry_mistakes_are_reported(void **state)
{
    struct puppet *puppet = *state;
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    assert_status(hf_runtime_new(puppet->store, NULL, NULL, &runtime, &error), HF_INVALID);
    hf_register_activity(puppet->registry, "twice", nothing, NULL);
    hf_register_activity(puppet->registry, "twice", nothing, NULL);
    assert_status(hf_runtime_new(puppet->store, puppet->registry, NULL, &runtime, &error),
                  HF_INVALID);
    assert_non_null(strstr(error.message, "twice"));
    assert_null(runtime);
}

/* Without a worker id each runtime has 128 random bits of its own, and its start is told with them.
 */
static void row_4b_12_worker_id_is_random_by_default(void **state)
{
    struct puppet *puppet = *state;
    hf_runtime *first = puppet_worker(puppet, NULL);
    struct puppet_note one = puppet_wait(puppet, HF_STORE_REGISTER, 1);
    hf_runtime *second = puppet_worker(puppet, NULL);
    struct puppet_note two = puppet_wait(puppet, HF_STORE_REGISTER, 2);
    assert_int_equal(strspn(one.text, "0123456789abcdef"), 32);
    assert_int_equal(strlen(one.text), 32);
    assert_string_not_equal(one.text, two.text);
    assert_string_equal(puppet_wait_log(puppet, "worker.start").worker, two.text);
    hf_runtime_free(first);
    hf_runtime_free(second);
}

/* ---- starting ------------------------------------------------------------------------------- */

/* A runtime that was never started is not joined, is not stopped, and can be freed. */
static void test_runtime_that_never_started(void **state)
{
    struct puppet *puppet = *state;
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    assert_ok(hf_runtime_new(puppet->store, puppet->registry, NULL, &runtime, &error), &error);
    assert_status(hf_runtime_join(runtime, &error), HF_INVALID);
    assert_status(hf_runtime_start(NULL, &error), HF_INVALID);
    assert_status(hf_runtime_join(NULL, &error), HF_INVALID);
    assert_non_null(strstr(error.message, "hf_runtime_new"));
    hf_runtime_stop(runtime, 0, NULL, NULL);
    hf_runtime_free(runtime);
    hf_runtime_free(NULL);
    assert_int_equal(puppet->notes_count, 0);
}

/* It is started once. */
static void test_second_start_is_refused(void **state)
{
    struct puppet *puppet = *state;
    hf_error error = { 0 };
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    assert_status(hf_runtime_start(runtime, &error), HF_INVALID);
    hf_runtime_stop(runtime, 0, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, &error), &error);
    assert_status(hf_runtime_start(runtime, &error), HF_INVALID);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_REGISTER), 1);
}

/* A refused registration leaves no life file behind, and nothing that runs. */
static void test_refused_registration_leaves_nothing(void **state)
{
    struct puppet *puppet = *state;
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    puppet_refuse(puppet, HF_STORE_REGISTER, 1, HF_WORKER_ALIVE);
    assert_ok(hf_runtime_new(puppet->store, puppet->registry, NULL, &runtime, &error), &error);
    assert_status(hf_runtime_start(runtime, &error), HF_WORKER_ALIVE);
    assert_false(hf__lives_is_alive(puppet->store->lives, hf_text(runtime->life.name)));
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_FETCH_ITEMS), 0);
    assert_int_equal(puppet_count(puppet, HF_STORE_END_REGISTRATION), 0);
}

/* A signal that comes before the start is heeded by the start. */
static void test_stop_signal_before_the_start_is_heeded(void **state)
{
    struct puppet *puppet = *state;
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    assert_ok(hf_runtime_new(puppet->store, puppet->registry, NULL, &runtime, &error), &error);
    hf_runtime_stop_signal(NULL);
    hf_runtime_stop_signal(runtime);
    hf_runtime_stop_signal(runtime);
    assert_ok(hf_runtime_start(runtime, &error), &error);
    assert_ok(hf_runtime_join(runtime, &error), &error);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_END_REGISTRATION), 1);
}

/* ---- the lease ------------------------------------------------------------------------------ */

/* The lease of items is as long as the runtime was told. */
static void row_4a_7_lease_of_items_is_as_long_as_told(void **state)
{
    enum { NOW_MS = 1000000, LOCK_MS = 12345 };
    struct puppet *puppet = *state;
    atomic_store(&puppet->hand_boot_ms, NOW_MS);
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .item_lock_ms = LOCK_MS, .session_lock_ms = 60000));
    assert_int_equal(hf__upkeep_deadlines(runtime).items_boot_ms, NOW_MS + LOCK_MS);
    hf_runtime_free(runtime);
}

static size_t fetches_count(struct puppet *puppet)
{
    return puppet_count(puppet, HF_STORE_FETCH_ITEMS) + puppet_count(puppet, HF_STORE_FETCH_TURNS);
}

/* A store that has nothing is not asked again: ticks go by without a command. */
static void row_4a_1_idle_runtime_asks_for_nothing(void **state)
{
    enum { TICKS_COUNT = 6 };
    struct puppet *puppet = *state;
    hf_register_activity(puppet->registry, "nothing", nothing, NULL);
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_wait(puppet, HF_STORE_FETCH_ITEMS, 1);
    puppet_wait(puppet, HF_STORE_FETCH_TURNS, 1);
    puppet_wait_tick(puppet);
    size_t asked_count = fetches_count(puppet);
    for (int i = 0; i < TICKS_COUNT; i++) puppet_wait_tick(puppet);
    assert_int_equal(fetches_count(puppet), asked_count);
    puppet_give_item(puppet, 1, "nothing", "");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    hf_runtime_free(runtime);
}

/* However many threads it has, a runtime is one worker: it registers once, under its id. */
static void row_4a_18_threads_share_one_worker_id(void **state)
{
    struct puppet *puppet = *state;
    hf_runtime *runtime = puppet_worker(puppet,
                                        HF_WITH(hf_runtime_options, .worker_id = "w",
                                                .orchestration_threads = 3, .activity_threads = 3));
    assert_string_equal(puppet_wait(puppet, HF_STORE_REGISTER, 1).text, "w");
    puppet_wait_tick(puppet);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_REGISTER), 1);
}

/* Renewals come at half of the shorter lock, without a floor; each moves both deadlines. */
static void row_4a_8_renewals_come_at_half_of_the_shorter_lock(void **state)
{
    struct puppet *puppet = *state;
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .item_lock_ms = 1000000, .session_lock_ms = 20));
    assert_int_equal(hf__upkeep_period_ms(runtime), 10);
    struct hf__deadlines deadlines = hf__upkeep_deadlines(runtime);
    assert_true(deadlines.sessions_boot_ms >= deadlines.items_boot_ms);
    puppet_wait(puppet, HF_STORE_RENEW, 5);
    hf_runtime_free(runtime);
    hf_runtime *short_lived = puppet_worker(puppet, HF_WITH(hf_runtime_options, .item_lock_ms = 1));
    assert_int_equal(hf__upkeep_period_ms(short_lived), 1);
    hf_runtime_free(short_lived);
}

/* One whose lease has passed, because machine or process stood still, renews at its next tick, and
 * fetches two ticks later: others may have been late as well. */
static void row_4a_6_late_runtime_renews_before_it_fetches(void **state)
{
    struct puppet *puppet = *state;
    hf_register_activity(puppet->registry, "nothing", nothing, NULL);
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_wait_tick(puppet);
    pthread_mutex_lock(&puppet->mutex);
    size_t probes_count = puppet->probes_count;
    pthread_mutex_unlock(&puppet->mutex);
    uv_mutex_lock(&runtime->mutex);
    hf__upkeep_kept(runtime, 0);
    uv_mutex_unlock(&runtime->mutex);
    size_t fetches_count = puppet_count(puppet, HF_STORE_FETCH_ITEMS);
    assert_int_equal(puppet_count(puppet, HF_STORE_RENEW), 0);
    puppet_give_item(puppet, 1, "nothing", "");
    struct puppet_note fetch = puppet_wait(puppet, HF_STORE_FETCH_ITEMS, fetches_count + 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_RENEW), 1);
    assert_true(fetch.probes_count >= probes_count + 2);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    hf_runtime_free(runtime);
}

/* A registration that others ended: everything is void, the runtime says so and stops by itself. */
static void test_ended_registration_stops_the_runtime(void **state)
{
    struct puppet *puppet = *state;
    hf_error error = { 0 };
    puppet->refused_code = "registration_dead";
    puppet_refuse(puppet, HF_STORE_RENEW, SIZE_MAX, HF_STALE);
    hf_runtime *runtime = puppet_worker(puppet, HF_WITH(hf_runtime_options, .item_lock_ms = 20));
    assert_ok(hf_runtime_join(runtime, &error), &error); /* nobody called stop */
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count_logs(puppet, "worker.lost"), 1);
}

/* ---- the death of others -------------------------------------------------------------------- */

/* A registration whose life file nobody holds is declared dead; one that lives, and one that has
 * ended, are left alone. */
static void test_dead_worker_is_declared_dead(void **state)
{
    struct puppet *puppet = *state;
    struct hf__life life = { .file = -1 };
    hf_error error = { 0 };
    assert_ok(hf__life_open(puppet->store->lives, &life, &error), &error);
    puppet->others[0] = (struct hf_registration_row){ .registration = 3,
                                                      .worker_id = hf_text("living"),
                                                      .life = hf_text(life.name) };
    puppet->others[1] = (struct hf_registration_row){ .registration = 4,
                                                      .worker_id = hf_text("ended"),
                                                      .life = hf_text(
                                                          "00000000000000000000000000000000"),
                                                      .ended = true };
    puppet->others_count = 2;
    hf_runtime *runtime = puppet_worker(puppet, HF_WITH(hf_runtime_options, .item_lock_ms = 20));
    puppet_wait(puppet, HF_STORE_RENEW, 60); /* several looks later */
    assert_int_equal(puppet_count(puppet, HF_STORE_END_REGISTRATION), 0);

    pthread_mutex_lock(&puppet->mutex);
    puppet->others[1].ended = false;
    pthread_mutex_unlock(&puppet->mutex);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_END_REGISTRATION, 1);
    assert_int_equal(note.instance, 4);
    assert_int_equal(note.reason, HF_REASON_DEAD);
    puppet_wait_log(puppet, "worker.dead");
    pthread_mutex_lock(&puppet->mutex);
    puppet->others_count = 0;
    pthread_mutex_unlock(&puppet->mutex);
    hf_runtime_free(runtime);
    hf__life_close(puppet->store->lives, &life);
}

/* A dead registration that the store cannot end does not hide the others behind it. */
static void test_death_that_is_refused_hides_no_other(void **state)
{
    struct puppet *puppet = *state;
    static const uint64_t expected[] = { 4, 5, 4, 5 };
    for (uint64_t i = 0; i < 2; i++) {
        puppet->others[i] = (struct hf_registration_row){ .registration = 4 + i,
                                                          .worker_id = hf_text("dead"),
                                                          .life = hf_text(
                                                              "00000000000000000000000000000000") };
    }
    puppet->others_count = 2;
    puppet_refuse(puppet, HF_STORE_END_REGISTRATION, SIZE_MAX, HF_CORRUPT);
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_wait(puppet, HF_STORE_END_REGISTRATION, HF_COUNT_OF(expected));
    puppet_refuse(puppet, HF_STORE_END_REGISTRATION, 0, HF_OK);
    pthread_mutex_lock(&puppet->mutex);
    puppet->others_count = 0;
    size_t count = 0;
    for (size_t i = 0; count < HF_COUNT_OF(expected); i++) {
        if (puppet->notes[i].kind != HF_STORE_END_REGISTRATION) continue;
        assert_int_equal(puppet->notes[i].instance, expected[count++]);
    }
    pthread_mutex_unlock(&puppet->mutex);
    hf_runtime_free(runtime);
}

/* ---- metrics -------------------------------------------------------------------------------- */

struct names {
    const char *seen[64];
    size_t count;
};

static void name_take(void *user, const hf_metric *metric)
{
    struct names *names = user;
    assert_int_equal(metric->size, sizeof *metric);
    assert_true(metric->kind <= HF_HISTOGRAM);
    if (metric->kind == HF_HISTOGRAM) return;
    for (size_t i = 0; i < names->count; i++) {
        assert_string_not_equal(names->seen[i], metric->name);
    }
    assert_true(names->count < HF_COUNT_OF(names->seen));
    names->seen[names->count++] = metric->name;
}

/* Each metric is told once, under a name of its own. */
static void row_4a_20_each_metric_is_told_once(void **state)
{
    struct puppet *puppet = *state;
    struct names names = { .count = 0 };
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    hf_runtime_metrics(runtime, name_take, &names);
    assert_true(names.count > HF__METRICS_COUNT);
    hf_runtime_free(runtime);
}

struct buckets {
    size_t count;
    double bounds[32], values[32];
};

static void bucket_take(void *user, const hf_metric *metric)
{
    struct buckets *buckets = user;
    if (metric->kind != HF_HISTOGRAM) return;
    assert_string_equal(metric->name, "session_wait_ms");
    assert_true(buckets->count < HF_COUNT_OF(buckets->bounds));
    buckets->bounds[buckets->count] = metric->bound;
    buckets->values[buckets->count++] = metric->value;
}

/* The histogram of waits counts session items by the time since they were scheduled, each bucket
 * with those below it; what was handed out before, and ordinary work, is not counted. */
static void test_waits_of_session_items_are_a_histogram(void **state)
{
    static const uint64_t waits_ms[] = { 0, 1, 7, 120, 10000000 };
    struct puppet *puppet = *state;
    struct buckets buckets = { .count = 0 };
    hf_register_activity(puppet->registry, "nothing", nothing, NULL);
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    atomic_store(&puppet->hand_unix_ms, 2 * waits_ms[4]);
    for (uint64_t i = 0; i < HF_COUNT_OF(waits_ms) + 2; i++) {
        struct hf_item_grant grant = {
            .token.item = { .instance = i + 1, .execution = 1, .event_id = 2 },
            .session_id = hf_text("desk"),
            .incarnation = 1,
            .epoch = PUPPET_EPOCH,
            .first_in_claim = true
        };
        grant.scheduled_unix_ms = 2 * waits_ms[4];
        if (i < HF_COUNT_OF(waits_ms)) grant.scheduled_unix_ms -= waits_ms[i];
        if (i == HF_COUNT_OF(waits_ms)) grant.attempt = 2;
        if (i > HF_COUNT_OF(waits_ms)) grant.scheduled_unix_ms = 0;
        puppet_give(puppet, grant, "nothing");
    }
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, HF_COUNT_OF(waits_ms) + 2);
    hf_runtime_metrics(runtime, bucket_take, &buckets);
    assert_int_equal(buckets.count, HF__WAIT_BUCKETS);
    for (size_t i = 0; i < buckets.count; i++) {
        size_t expected = 0;
        for (size_t j = 0; j < HF_COUNT_OF(waits_ms); j++) {
            expected += (double)waits_ms[j] <= buckets.bounds[i];
        }
        assert_int_equal((size_t)buckets.values[i], expected);
    }
    assert_int_equal((size_t)buckets.values[buckets.count - 1], HF_COUNT_OF(waits_ms));
    hf_runtime_free(runtime);
}

int main(void)
{
#define RUNTIME_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RUNTIME_TEST(test_options_out_of_bounds_are_refused),
        RUNTIME_TEST(test_registry_mistakes_are_reported),
        RUNTIME_TEST(row_4a_19_fetches_ask_for_tags),
        RUNTIME_TEST(test_reclaim_window_is_registered),
        RUNTIME_TEST(test_store_stays_open_until_its_runtimes_are_freed),
        RUNTIME_TEST(row_4b_12_worker_id_is_random_by_default),
        RUNTIME_TEST(test_runtime_that_never_started),
        RUNTIME_TEST(test_second_start_is_refused),
        RUNTIME_TEST(test_refused_registration_leaves_nothing),
        RUNTIME_TEST(test_stop_signal_before_the_start_is_heeded),
        RUNTIME_TEST(row_4a_7_lease_of_items_is_as_long_as_told),
        RUNTIME_TEST(row_4a_1_idle_runtime_asks_for_nothing),
        RUNTIME_TEST(row_4a_18_threads_share_one_worker_id),
        RUNTIME_TEST(row_4a_8_renewals_come_at_half_of_the_shorter_lock),
        RUNTIME_TEST(row_4a_6_late_runtime_renews_before_it_fetches),
        RUNTIME_TEST(test_ended_registration_stops_the_runtime),
        RUNTIME_TEST(test_dead_worker_is_declared_dead),
        RUNTIME_TEST(test_death_that_is_refused_hides_no_other),
        RUNTIME_TEST(row_4a_20_each_metric_is_told_once),
        RUNTIME_TEST(test_waits_of_session_items_are_a_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
