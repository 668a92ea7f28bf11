/* Instances that grow without measure: they end in order, in memory that is bounded, and who lives
 * beside them is served meanwhile. */
/* ctest-timeout: 600 */
#include "tests/support/house.h"

#include <stdio.h>

#include "engine/base/compiler.h"

/* Sanitizers make each event ten times as dear; there fewer show that it ends in order. */
enum {
    IS_SLOW = HF_ASAN || HF_TSAN,
    EVENTS_COUNT = IS_SLOW ? 5 * 1000 : 100 * 1000,
    WIDTH = IS_SLOW ? 5 * 1000 : 100 * 1000,
    DEPTH = 1000
};

/* ---- what runs ------------------------------------------------------------------------------ */

/* Fills its history with that many events: statuses, and a step after each thousand. */
static hf_status lengthy(hf_orchestration *o, hf_slice input)
{
    int64_t count = 0;
    if (!hf_slice_to_i64(input, &count)) return HF_INVALID;
    for (int64_t i = 0; i < count; i++) {
        hf_status_set(o, hf_text("more"));
        if (i % 1000 == 0) HF_TRY(hf_call(o, "echo", hf_text("step"), NULL));
    }
    return hf_complete(o, input);
}

/* Schedules that many activities at once, and awaits each. */
static hf_status wide(hf_orchestration *o, hf_slice input)
{
    int64_t count = 0;
    if (!hf_slice_to_i64(input, &count)) return HF_INVALID;
    hf_future *futures = hf_alloc(o, (size_t)count * sizeof *futures);
    for (int64_t i = 0; i < count; i++) futures[i] = hf_schedule(o, "echo", hf_text("x"));
    for (int64_t i = 0; i < count; i++) HF_TRY(hf_await(o, futures[i], NULL));
    return hf_complete(o, input);
}

/* Has a child that has a child ... so many deep; the deepest one answers. */
static hf_status deep(hf_orchestration *o, hf_slice input)
{
    int64_t left = 0;
    if (!hf_slice_to_i64(input, &left)) return HF_INVALID;
    if (left == 0) return hf_complete(o, hf_text("bottom"));
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = "deep";
    options.input = hf_format(o, "%lld", (long long)left - 1);
    hf_slice output;
    HF_TRY(hf_await(o, hf_child(o, &options), &output));
    return hf_complete(o, output);
}

static const struct part parts[] = { { "lengthy", lengthy, NULL },
                                     { "wide", wide, NULL },
                                     { "deep", deep, NULL },
                                     { NULL, NULL, NULL } };

/* ---- the scene ------------------------------------------------------------------------------ */

/* Without check_replay: it would replay the whole history in each turn. */
static hf_runtime *worker(struct house *house, const hf_runtime_options *options)
{
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    assert_ok(hf_runtime_new(house->store, house->registry, options, &runtime, &error), &error);
    assert_ok(hf_runtime_start(runtime, &error), &error);
    return runtime;
}

/* Fails the test if the bomb has ended. */
static void assert_ticking(struct house *house)
{
    const hf_instance *bomb = NULL;
    hf_error error = { 0 };
    assert_ok(hf_get(house->store, "bomb", &bomb, &error), &error);
    assert_int_equal(bomb->status, HF_INSTANCE_RUNNING);
    hf_instance_free(bomb);
}

/* Waits without another limit than ctest's: a bomb takes long. */
static void wait_bomb(struct house *house)
{
    const hf_instance *bomb = NULL;
    hf_error error = { 0 };
    assert_ok(hf_wait(house->store, "bomb", 0, &bomb, &error), &error);
    hf_instance_free(bomb);
}

/* Runs a bomb of that size. A neighbour that is started with it does not wait for its end, and the
 * library holds at most so many bytes for each unit of the size. */
static void explode(const char *orchestration, int size, const char *output, size_t unit_bytes_max,
                    const hf_runtime_options *options)
{
    char text[32];
    struct house house;
    snprintf(text, sizeof text, "%d", size);
    house_open(&house, parts);
    house_start(&house, "bomb", orchestration, text);
    house_start(&house, "neighbour", "naps", "1");
    hf_runtime *runtime = worker(&house, options);
    house_expect(&house, "neighbour", "woke");
    assert_ticking(&house);
    wait_bomb(&house);
    house_expect(&house, "bomb", output ? output : text);
    house_rest(runtime);
    hf_runtime_free(runtime);
    size_t unit_bytes = house.heap.size_max / (size_t)size;
    print_message("%s: %d, %zu bytes each\n", orchestration, size, unit_bytes);
    assert_true(unit_bytes <= unit_bytes_max);
    house_close(&house);
}

/* Each turn replays it from its beginning. */
static void test_history_of_a_hundred_thousand_events(void **state)
{
    (void)state;
    explode("lengthy", EVENTS_COUNT, NULL, 500,
            HF_WITH(hf_runtime_options, .worker_id = "w", .live_instances_max = UINT32_MAX));
}

static void test_fan_out_of_a_hundred_thousand(void **state)
{
    (void)state;
    explode("wide", WIDTH, NULL, 2000,
            HF_WITH(hf_runtime_options, .worker_id = "w", .history_events_max = 3 * WIDTH));
}

static void test_thousand_orchestrations_deep(void **state)
{
    (void)state;
    explode("deep", DEPTH, "bottom", 20 * 1000, HF_WITH(hf_runtime_options, .worker_id = "w"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_of_a_hundred_thousand_events),
        cmocka_unit_test(test_fan_out_of_a_hundred_thousand),
        cmocka_unit_test(test_thousand_orchestrations_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
