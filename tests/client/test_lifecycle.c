/* Suspended, resumed, given up: what becomes of an instance that somebody stops, whose code was
 * changed under it, or whose turn cannot be done. On whole runtimes. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

/* ---- what runs ------------------------------------------------------------------------------ */

/* Echoes messages in its status until "end". */
static hf_status listens(hf_orchestration *o, hf_slice input)
{
    hf_status_set(o, hf_text("listens"));
    for (;;) {
        hf_slice message;
        hf_status status = hf_dequeue(o, "in", &message);
        if (status != HF_OK) return status;
        if (hf_slice_equal(message, hf_text("end"))) return hf_complete(o, input);
        hf_status_set(o, message);
    }
}

/* What `changed` does first in this life of the process. */
static bool is_changed;

static hf_status changed(hf_orchestration *o, hf_slice input)
{
    if (!is_changed) hf_status_set(o, hf_text("old way"));
    if (is_changed) HF_TRY(hf_sleep(o, 1));
    HF_TRY(hf_dequeue(o, "in", NULL));
    return hf_complete(o, input);
}

static const struct part parts[] = { { "listens", listens, NULL },
                                     { "changed", changed, NULL },
                                     { NULL, NULL, NULL } };

static hf_runtime *worker(struct house *house, const char *id, uint32_t attempts_max)
{
    return house_worker(house,
                        HF_WITH(hf_runtime_options, .worker_id = id,
                                .live_instances_max = UINT32_MAX, .attempts_max = attempts_max));
}

static void rest(hf_runtime *runtime)
{
    house_rest(runtime);
    hf_runtime_free(runtime);
}

/* The suspension of an instance; "": none. */
static void suspension(struct house *house, const char *id, char *out_code, size_t size)
{
    const hf_instance *instance = NULL;
    hf_error error = { 0 };
    assert_ok(hf_get(house->store, id, &instance, &error), &error);
    snprintf(out_code, size, "%s", instance->suspension ? instance->suspension->code : "");
    hf_instance_free(instance);
}

static void check_suspension(struct house *house, const char *id, const char *code)
{
    char found[64];
    suspension(house, id, found, sizeof found);
    assert_string_equal(found, code);
}

/* ---- suspended by hand ---------------------------------------------------------------------- */

/* Another instance runs from its start to its end: whoever wanted a turn has looked since. */
static void pass_by(struct house *house, const char *id)
{
    house_start(house, id, "hello", "you");
    house_expect(house, id, "Hello, you!");
}

/* A suspended instance keeps what comes and runs nothing; resumed it takes all of it, in order.
 * Both are done once, however often they are said. */
static void test_suspended_instance_waits_for_its_resume(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house, "w", 0);
    house_start(&house, "i", "listens", "out");
    house_wait_status(&house, "i", "listens");
    assert_ok(hf_resume(house.store, "i", &error), &error);
    assert_ok(hf_suspend(house.store, "i", "for a while", &error), &error);
    assert_ok(hf_suspend(house.store, "i", NULL, &error), &error);
    check_suspension(&house, "i", "suspended");
    house_send(&house, "i", "in", "hello");
    pass_by(&house, "other");
    house_wait_status(&house, "i", "listens");
    house_send(&house, "i", "in", "end");
    pass_by(&house, "another");
    check_suspension(&house, "i", "suspended");
    assert_ok(hf_resume(house.store, "i", &error), &error);
    house_expect(&house, "i", "out");
    check_suspension(&house, "i", "");
    assert_status(hf_suspend(house.store, "i", NULL, &error), HF_NOT_FOUND);
    assert_status(hf_resume(house.store, "nobody", &error), HF_NOT_FOUND);
    rest(runtime);
    house_close(&house);
}

/* Suspended before its first turn, and by a worker that comes later; it can be terminated so. A
 * cancel request waits for the resume. */
static void row_3_3_cancel_waits_for_the_resume(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    house_start(&house, "i", "listens", "out");
    house_start(&house, "j", "listens", "out");
    assert_ok(hf_suspend(house.store, "i", NULL, &error), &error);
    assert_ok(hf_suspend(house.store, "j", NULL, &error), &error);
    hf_runtime *runtime = worker(&house, "w", 0);
    pass_by(&house, "other");
    assert_ok(hf_terminate(house.store, "j", "enough", &error), &error);
    house_failure(&house, "j", HF_INSTANCE_TERMINATED, &error);
    check_suspension(&house, "j", "");
    assert_ok(hf_cancel(house.store, "i", "enough", &error), &error);
    pass_by(&house, "another");
    check_suspension(&house, "i", "suspended");
    assert_ok(hf_resume(house.store, "i", &error), &error);
    house_failure(&house, "i", HF_INSTANCE_CANCELLED, &error);
    rest(runtime);
    house_close(&house);
}

/* ---- suspended by its worker ---------------------------------------------------------------- */

/* Code that was changed under an instance appends nothing: it is suspended with both sides, and
 * goes on when the code is as it was and it is resumed. */
static void row_8_2_nondeterminism_suspends_until_the_code_is_mended(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    char line[STAGE_LINE_SIZE];
    house_open(&house, parts);
    is_changed = false;
    hf_runtime *runtime = worker(&house, "w", 2);
    house_start(&house, "i", "changed", "out");
    house_wait_status(&house, "i", "old way");
    rest(runtime);
    is_changed = true;
    runtime = worker(&house, "v", 2);
    house_send(&house, "i", "in", "go");
    stage_line(&house.stage, "log instance.nondeterminism v i", 1, line, sizeof line);
    assert_non_null(strstr(line, "history has status_set (7 bytes) at event 2"));
    rest(runtime);
    check_suspension(&house, "i", "nondeterminism");
    runtime = worker(&house, "u", 2);
    assert_ok(hf_resume(house.store, "i", &error), &error);
    stage_wait(&house.stage, "log instance.nondeterminism u i", 1);
    rest(runtime);
    is_changed = false;
    runtime = worker(&house, "t", 2);
    assert_ok(hf_resume(house.store, "i", &error), &error);
    house_expect(&house, "i", "out");
    rest(runtime);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suspended_instance_waits_for_its_resume),
        cmocka_unit_test(row_3_3_cancel_waits_for_the_resume),
        cmocka_unit_test(row_8_2_nondeterminism_suspends_until_the_code_is_mended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
