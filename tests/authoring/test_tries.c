/* Activities that are tried again, on whole runtimes: each try is an item of its own, which a
 * worker runs, on its session too; what must not be tried again is not. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

/* Says "try <instance> <worker> <key> <session or -> <tag or -> <attempt>", and fails until it was
 * called as often as its input says. */
static hf_status flaky(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    const hf_activity_info *about = hf_activity_about(a);
    char begin[STAGE_LINE_SIZE];
    int64_t wanted = 0;
    if (!hf_slice_to_i64(input, &wanted)) return HF_INVALID;
    snprintf(begin, sizeof begin, "try %s ", about->instance);
    stage_sayf(stage, "%s%s %s %s %s %u", begin, about->worker_id, about->idempotency_key,
               about->session ? about->session : "-", about->tag ? about->tag : "-",
               about->attempt);
    size_t count = stage_count(stage, begin);
    if (count < (size_t)wanted) return hf_activity_fail(a, "flaky", input, "try %zu", count);
    char text[32];
    snprintf(text, sizeof text, "done at %zu", count);
    return hf_activity_complete(a, hf_text(text));
}

/* Tries `flaky` up to three times with short pauses; on a session when the input has a blank. */
static hf_status persist(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "flaky";
    options.input = hf_bytes(input.data, 1);
    options.tries_max = 3;
    options.backoff_first_ms = 1;
    options.total_timeout_ms = 1000 * 1000;
    if (input.size > 1) {
        const hf_session_options *desk = HF_WITH(hf_session_options, .id = "desk", .tag = "gpu");
        options.session = hf_session_open_with(o, desk);
    }
    HF_TRY(hf_call_with(o, &options, &output));
    return hf_complete(o, output);
}

/* The same with a tag, on no session. */
static hf_status persist_tagged(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "flaky";
    options.input = input;
    options.tag = "gpu";
    options.tries_max = 9;
    options.backoff_first_ms = 1;
    HF_TRY(hf_call_with(o, &options, &output));
    return hf_complete(o, output);
}

/* Tries what no worker of the house has: it is handed out until it is poison. */
static hf_status hopeless(hf_orchestration *o, hf_slice input)
{
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "nobody has it";
    options.input = input;
    options.tries_max = 3;
    options.backoff_first_ms = 1;
    return hf_call_with(o, &options, NULL);
}

/* Gives its activity hardly any time. */
static hf_status hasty(hf_orchestration *o, hf_slice input)
{
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "hold";
    options.input = input;
    options.tries_max = 3;
    options.try_timeout_ms = 100;
    return hf_call_with(o, &options, NULL);
}

static const struct part parts[] = {
    { "persist", persist, NULL },   { "persist_tagged", persist_tagged, NULL },
    { "hopeless", hopeless, NULL }, { "hasty", hasty, NULL },
    { "flaky", NULL, flaky },       { NULL, NULL, NULL }
};

static const char *const tags[] = { "gpu" };

static hf_runtime *worker(struct house *house)
{
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = "w", .tags = tags,
                                       .tags_count = 1, .attempts_max = 1));
}

/* The runtime rests, and no turn of it was decided otherwise from history. */
static void rest(struct house *house, hf_runtime *runtime)
{
    house_rest(runtime);
    assert_true(house_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
    house_close(house);
}

/* Two failures, then the outcome: three items with keys of their own, each delivered once. On a
 * session each of them is on it, and has its tag. */
static void row_1a_8_each_try_is_an_item_of_its_own(void **state)
{
    (void)state;
    static const char *const inputs[] = { "3", "3 on a session" };
    for (size_t i = 0; i < 2; i++) {
        struct house house;
        char keys[3][STAGE_LINE_SIZE];
        house_open(&house, parts);
        hf_runtime *runtime = worker(&house);
        house_start(&house, "i", "persist", inputs[i]);
        house_expect(&house, "i", "done at 3");
        assert_int_equal(stage_count(&house.stage, "try i "), 3);
        for (size_t k = 0; k < 3; k++) {
            stage_line(&house.stage, "try i ", k + 1, keys[k], sizeof keys[k]);
            assert_non_null(strstr(keys[k], i == 0 ? " - - 1" : " desk gpu 1"));
            for (size_t j = 0; j < k; j++) assert_string_not_equal(keys[j], keys[k]);
        }
        rest(&house, runtime);
    }
}

/* Runs that orchestration for six instances on the worker w and on another, x, which serves as many
 * tags; says how many tries x had. */
static size_t tries_elsewhere(const char *orchestration, const char *input, uint32_t tags_count)
{
    struct house house;
    char id[32], first[STAGE_LINE_SIZE], each[STAGE_LINE_SIZE];
    size_t count = 0;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    hf_runtime *other = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "x",
                                                     .tags = tags_count ? tags : NULL,
                                                     .tags_count = tags_count));
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "i%d", i);
        house_start(&house, id, orchestration, input);
    }
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "i%d", i);
        house_expect(&house, id, "done at 3");
        snprintf(id, sizeof id, "try i%d ", i);
        stage_line(&house.stage, id, 1, first, sizeof first);
        char worker_id = first[strlen(id)];
        for (size_t k = 1; k <= 3; k++) {
            stage_line(&house.stage, id, k, each, sizeof each);
            assert_int_equal(each[strlen(id)], worker_id);
        }
        count += worker_id == 'x';
    }
    house_rest(other);
    hf_runtime_free(other);
    rest(&house, runtime);
    return count;
}

/* Two workers could do them: all tries of an instance run where its session is. */
static void row_1a_9_all_tries_run_where_the_session_is(void **state)
{
    (void)state;
    (void)tries_elsewhere("persist", "3 on a session", 1);
}

/* Only one of two workers serves the tag: each try waits for that one. */
static void row_1a_10_tries_keep_the_tag(void **state)
{
    (void)state;
    assert_int_equal(tries_elsewhere("persist_tagged", "3", 0), 0);
}

/* The last failure is what the instance fails with. */
static void row_1a_8_failure_of_the_last_try_is_passed_on(void **state)
{
    (void)state;
    struct house house;
    hf_error error;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "persist", "9");
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "flaky");
    assert_string_equal(error.message, "try 3");
    assert_int_equal(stage_count(&house.stage, "try i "), 3);
    rest(&house, runtime);
}

/* Poison is not tried again: history has one try. */
static void row_1a_8_poison_is_not_tried_again(void **state)
{
    (void)state;
    struct house house;
    hf_error error;
    char history[HOUSE_TEXT_SIZE];
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "hopeless", "");
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "poison");
    house_history(&house, "i", history, sizeof history);
    const char *first = strstr(history, "activity_scheduled");
    assert_non_null(first);
    assert_null(strstr(first + 1, "activity_scheduled"));
    rest(&house, runtime);
}

/* A try that is late ends the future, and the activity that runs is told to stop. On a slow machine
 * it may be late before it runs: then another one is. */
static void row_1a_11_late_try_is_told_to_stop(void **state)
{
    (void)state;
    struct house house;
    hf_error error;
    char id[16], told[32];
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    for (int i = 0; stage_count(&house.stage, "held ") == 0; i++) {
        assert_true(i < 100);
        snprintf(id, sizeof id, "i%d", i);
        house_start(&house, id, "hasty", "gate");
        house_failure(&house, id, HF_INSTANCE_FAILED, &error);
        assert_status(error.status, HF_TIMEOUT);
        assert_string_equal(error.code, "timeout");
    }
    snprintf(told, sizeof told, "told %s ", id);
    stage_wait(&house.stage, told, 1);
    rest(&house, runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1a_8_each_try_is_an_item_of_its_own),
        cmocka_unit_test(row_1a_9_all_tries_run_where_the_session_is),
        cmocka_unit_test(row_1a_10_tries_keep_the_tag),
        cmocka_unit_test(row_1a_8_failure_of_the_last_try_is_passed_on),
        cmocka_unit_test(row_1a_8_poison_is_not_tried_again),
        cmocka_unit_test(row_1a_11_late_try_is_told_to_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
