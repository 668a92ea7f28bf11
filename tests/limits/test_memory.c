/* Memory that is refused to a whole runtime, at every allocation in turn: each public call fails
 * with a clear error or succeeds, and all goes on as if nothing had been. */
/* ctest-timeout: 900 */
#include "tests/limits/scene.h"

static bool is_refused(struct scene *scene, hf_status status)
{
    if (status == HF_OK) return false;
    assert_status(status, HF_NO_MEMORY);
    assert_int_equal(scene->error.status, HF_NO_MEMORY);
    assert_true(scene->error.message[0] != '\0');
    assert_true(scene->refusals_count < (int)scene->heap.fail_count);
    return true;
}

/* Plays the scene; `count` allocations fail, from `fail_at` on (0: none). Returns how many it asked
 * for; adds the refused calls to *refusals_count. */
static uint64_t play(uint64_t fail_at, uint64_t count, int *refusals_count)
{
    struct scene scene;
    scene_init(&scene);
    scene.heap.fail_count = count;
    scene.heap.fail_at = fail_at;
    scene_play(&scene, is_refused);
    scene_end(&scene);
    *refusals_count += scene.refusals_count;
    return scene.heap.calls_count;
}

/* So many allocations in a row fail, from each one on. */
static void refuse_each(uint64_t count)
{
    int refusals_count = 0;
    uint64_t calls_count = play(0, count, &refusals_count);
    assert_int_equal(refusals_count, 0);
    for (uint64_t at = 1; at <= calls_count; at++) play(at, count, &refusals_count);
    print_message("%llu allocations, %d refused calls\n", (unsigned long long)calls_count,
                  refusals_count);
    assert_true(refusals_count > 10);
}

static void test_runtime_survives_every_refused_allocation(void **state)
{
    (void)state;
    refuse_each(1);
}

static void test_runtime_survives_a_shortage_from_every_allocation_on(void **state)
{
    (void)state;
    refuse_each(5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runtime_survives_every_refused_allocation),
        cmocka_unit_test(test_runtime_survives_a_shortage_from_every_allocation_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
