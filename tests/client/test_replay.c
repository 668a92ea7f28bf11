/* What the library gives to tests of applications: histories that are replayed against the present
 * code, and a clock that skips what nobody waits for. */
#include "tests/support/house.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- histories ------------------------------------------------------------------------------ */

static hf_status counts(hf_orchestration *o, hf_slice input)
{
    hf_slice value = hf_text("0");
    int64_t count = 0;
    hf_kv_get(o, "count", &value);
    if (!hf_slice_to_i64(value, &count)) return HF_INVALID;
    hf_kv_set(o, "count", hf_format(o, "%lld", (long long)count + 1));
    HF_TRY(hf_call(o, "echo", value, NULL));
    hf_status_set(o, hf_text("waits"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    if (count < 1) return hf_continue_as_new(o, input);
    return hf_complete(o, input);
}

/* The same, changed. */
static hf_status counts_otherwise(hf_orchestration *o, hf_slice input)
{
    HF_TRY(hf_call(o, "echo", hf_text("0"), NULL));
    return hf_complete(o, input);
}

static const struct part parts[] = { { "counts", counts, NULL }, { NULL, NULL, NULL } };

static hf_history *copy_history(struct house *house, const char *instance)
{
    const hf_history *history = NULL;
    hf_error error = { 0 };
    assert_ok(hf_history_export(house->store, instance, &history, &error), &error);
    hf_history *copy = malloc(sizeof *copy + history->bytes.size);
    assert_non_null(copy);
    *copy = *history;
    memcpy(copy + 1, history->bytes.data, history->bytes.size);
    copy->bytes.data = (const char *)(copy + 1);
    hf_history_free(history);
    return copy;
}

static hf_registry *registry_of(hf_orchestration_fn run)
{
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "counts", run, NULL);
    return registry;
}

/* A history in the middle of the second execution, whose values the first one left, and the whole:
 * the code that made them fits, code that does otherwise is told where and how. */
static void test_histories_are_replayed_without_a_store(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    const hf_history *none = NULL;
    house_open(&house, parts);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "w"));
    house_start(&house, "i", "counts", "out");
    house_send(&house, "i", "go", "");
    const hf_instance *instance = NULL;
    assert_ok(hf_wait_status(house.store, "i", 1, STAGE_LIMIT_MS, &instance, &error), &error);
    assert_int_equal(instance->execution, 2);
    hf_instance_free(instance);
    hf_history *middle = copy_history(&house, "i");
    assert_int_equal(middle->execution, 2);
    house_send(&house, "i", "go", "");
    house_expect(&house, "i", "out");
    hf_history *whole = copy_history(&house, "i");
    assert_true(whole->events_count > middle->events_count);
    assert_status(hf_history_export(house.store, "nobody", &none, &error), HF_NOT_FOUND);
    house_rest(runtime);
    hf_runtime_free(runtime);
    house_close(&house);

    hf_registry *same = registry_of(counts), *other = registry_of(counts_otherwise);
    hf_registry *empty = hf_registry_new();
    assert_ok(hf_replay(same, middle->bytes, &error), &error);
    assert_ok(hf_replay(same, whole->bytes, &error), &error);
    assert_status(hf_replay(other, whole->bytes, &error), HF_NONDETERMINISM);
    assert_non_null(strstr(error.message, "history has kv_set \"count\" (1 bytes) at event 2"));
    assert_non_null(strstr(error.message, "the code issued activity_scheduled \"echo\""));
    assert_status(hf_replay(empty, whole->bytes, &error), HF_NOT_FOUND);
    assert_status(hf_replay(NULL, whole->bytes, &error), HF_INVALID);
    assert_status(hf_replay(same, (hf_slice){ NULL, 8 }, &error), HF_INVALID);
    hf_registry_free(same);
    hf_registry_free(other);
    hf_registry_free(empty);
    free(middle);
    free(whole);
}

/* Bytes that are no history, cut or changed anywhere, are told; no code goes astray. */
static void test_damaged_histories_are_refused(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    house_start(&house, "i", "counts", "out");
    hf_history *history = copy_history(&house, "i");
    hf_registry *registry = registry_of(counts);
    assert_ok(hf_replay(registry, history->bytes, &error), &error);
    for (size_t size = 0; size < history->bytes.size; size++) {
        assert_status(hf_replay(registry, hf_bytes(history->bytes.data, size), &error), HF_CORRUPT);
    }
    char *bytes = (char *)(uintptr_t)history->bytes.data;
    for (size_t i = 0; i < history->bytes.size; i++) {
        bytes[i] ^= 0x55;
        hf_status status = hf_replay(registry, history->bytes, &error); /* whatever it says */
        assert_true(status == error.status || status == HF_OK);
        bytes[i] ^= 0x55;
    }
    assert_status(hf_replay(registry, hf_text("hello"), &error), HF_CORRUPT);
    hf_registry_free(registry);
    free(history);
    house_close(&house);
}

/* ---- time ----------------------------------------------------------------------------------- */

enum { DAY_MS = 24 * 3600 * 1000 };

/* Reminds thrice, a month apart, while an activity runs between. */
static hf_status reminds(hf_orchestration *o, hf_slice input)
{
    uint64_t begin = hf_now_unix_ms(o);
    for (int i = 0; i < 3; i++) {
        HF_TRY(hf_sleep(o, (uint64_t)30 * DAY_MS));
        HF_TRY(hf_call(o, "remind", input, NULL));
    }
    return hf_complete(o, hf_format(o, "%llu", (unsigned long long)(hf_now_unix_ms(o) - begin)));
}

static hf_status remind(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

/* Ninety days pass in no time, and are ninety days to the code; time does not run ahead of an
 * activity. */
static void test_time_skips_what_nobody_waits_for(void **state)
{
    (void)state;
    struct hf_test_directory directory;
    hf_error error = { 0 };
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    const hf_instance *instance = NULL;
    hf_test_directory_make(&directory);
    hf_test_clock *clock = hf_test_clock_new(1000);
    hf_store_options options = HF_INIT(hf_store_options);
    options.clock = hf_test_clock_clock(clock);
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "reminds", reminds, NULL);
    hf_register_activity(registry, "remind", remind, NULL);
    assert_ok(hf_store_open(directory.path, &options, &store, &error), &error);
    assert_ok(hf_runtime_new(store, registry, HF_WITH(hf_runtime_options, .test_clock = clock),
                             &runtime, &error),
              &error);
    assert_ok(hf_runtime_start(runtime, &error), &error);
    assert_ok(hf_start(store, "i", "reminds", hf_text("x"), &error), &error);
    assert_ok(hf_wait(store, "i", STAGE_LIMIT_MS, &instance, &error), &error);
    assert_true(hf_slice_equal(instance->output, hf_text("7776000000")));
    assert_int_equal(instance->started_unix_ms, 1000);
    assert_true(hf_test_clock_unix_ms(clock) == UINT64_C(7776001000));
    hf_test_clock_advance(clock, 5);
    assert_true(hf_test_clock_unix_ms(clock) == UINT64_C(7776001005));
    hf_instance_free(instance);
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    hf_test_clock_free(clock);
    hf_test_clock_free(NULL);
    hf_test_directory_remove(&directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories_are_replayed_without_a_store),
        cmocka_unit_test(test_damaged_histories_are_refused),
        cmocka_unit_test(test_time_skips_what_nobody_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
