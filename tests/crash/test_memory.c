/* Memory that is refused to the store, once, at every allocation in turn, LMDB's own included: the
 * command says so or succeeds, the same again works, and in the end the store is, row by row, what
 * it would be without. */
/* ctest-timeout: 300 */
#include "tests/crash/workload.h"

#include "engine/base/compiler.h"
#include "tests/conformance/subject.h"
#include "tests/crash/short_memory.h"
#include "tests/support/heap.h"

enum { IS_SEAM = HF_ASAN || HF_TSAN, TRIES_MAX = 3 };

/* One run of the workload, with one refusal somewhere. */
struct run {
    struct hf_test_directory directory;
    struct workload workload;
    struct hf_test_heap heap;
    size_t refusals_count;
};

static void heed_refusal(struct run *run, hf_status status)
{
    const hf_error *error = &run->workload.world.error;
    if (status != HF_NO_MEMORY || error->message[0] == '\0') assert_ok(status, error);
    run->workload.world.arena.failed = false; /* as a caller does who gives a fresh one */
    run->refusals_count++;
}

static void open_store(struct run *run)
{
    struct world *world = &run->workload.world;
    uint64_t random_state = world->random_state;
    hf_status status = HF_NO_MEMORY;
    for (int tries = 0; tries < TRIES_MAX && status != HF_OK; tries++) {
        world->random_state = random_state; /* of the id of the store */
        short_memory_arm(true);
        status = world_try_open(world);
        short_memory_arm(false);
        if (status != HF_OK) heed_refusal(run, status);
    }
    assert_ok(status, &world->error);
}

static void take_step(struct run *run, size_t step)
{
    hf_status status = HF_NO_MEMORY;
    for (int tries = 0; tries < TRIES_MAX && status != HF_OK; tries++) {
        status = workload_step(&run->workload, step);
        if (status != HF_OK) heed_refusal(run, status);
    }
    assert_ok(status, &run->workload.world.error);
}

/* Runs with the refusal of that number, 0: none; returns how many allocations there were, adds to
 * *refusals_count the calls that were refused. */
static uint64_t play(const struct reference *reference, uint64_t fail_at, size_t *refusals_count)
{
    struct run run = { .refusals_count = 0 };
    size_t steps_count = workload_steps_count();
    hf_test_directory_make(&run.directory);
    workload_init(&run.workload, run.directory.path, HF_DURABLE_NONE);
    hf_test_heap_init(&run.heap);
    run.heap.fail_at = IS_SEAM ? fail_at : 0;
    run.heap.fail_count = 1;
    run.workload.world.seams.allocator = &run.heap.allocator;
    short_memory_plan(fail_at);
    open_store(&run);
    for (size_t step = 0; step < steps_count; step++) take_step(&run, step);
    uint64_t calls_count = IS_SEAM ? run.heap.calls_count : short_memory_count();
    run.heap.fail_at = 0; /* the proof is no part of it */
    reference_find(reference, run.workload.world.backend, steps_count);
    subject_verify(run.workload.world.backend);
    world_leave(&run.workload.world);
    assert_int_equal(run.heap.blocks_count, 0);
    hf_test_directory_remove(&run.directory);
    *refusals_count += run.refusals_count;
    return calls_count;
}

static void test_store_survives_every_refused_allocation(void **state)
{
    struct reference reference;
    size_t refusals_count = 0;
    (void)state;
    reference_make(&reference, HF_DURABLE_NONE);
    uint64_t calls_count = play(&reference, 0, &refusals_count);
    assert_int_equal(refusals_count, 0);
    for (uint64_t at = 1; at <= calls_count; at++) play(&reference, at, &refusals_count);
    print_message("%llu allocations, %zu refused calls\n", (unsigned long long)calls_count,
                  refusals_count);
    assert_true(refusals_count > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_survives_every_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
