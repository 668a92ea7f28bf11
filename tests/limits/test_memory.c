/* Memory that is refused to a whole runtime, once, at every allocation in turn: each public call
 * fails with a clear error or succeeds, and all goes on as if nothing had been. */
/* ctest-timeout: 900 */
#include "tests/support/house.h"

#include <string.h>

#include "engine/base/compiler.h"
#include "runtime/store.h"

enum { HASTE = 200, LOCK_MS = 3600 * 1000 };

/* Something of everything: steps on a session, a child, a timer, a value, a message. */
static hf_status sampler(hf_orchestration *o, hf_slice input)
{
    hf_slice first, second, message;
    hf_session session = hf_session_open_id(o, "desk");
    hf_future child = hf_child(
        o, HF_WITH(hf_child_options, .orchestration = "hello", .instance = "kid", .input = input));
    HF_TRY(hf_call_on(o, session, "echo", hf_text("one"), &first));
    hf_kv_set(o, "key", first);
    HF_TRY(hf_sleep(o, 1));
    HF_TRY(hf_dequeue(o, "go", &message));
    HF_TRY(hf_call_on(o, session, "echo", hf_text("two"), &second));
    hf_session_close(o, session);
    HF_TRY(hf_await(o, child, NULL));
    return hf_complete(o, hf_format(o, HF_FMT ", " HF_FMT ", " HF_FMT, HF_ARG(first),
                                    HF_ARG(message), HF_ARG(second)));
}

static const struct part parts[] = { { "sampler", sampler, NULL }, { NULL, NULL, NULL } };

/* A store in a directory of its own, with a runtime and one instance. */
struct scene {
    struct hf_test_directory directory;
    struct hf_test_heap heap;
    struct stage stage;
    hf_registry *registry;
    hf_store *store;
    hf_runtime *runtime;
    hf_error error;
    int refusals_count; /* public calls that were told of it */
};

/* Whether the call was refused for want of memory, and is to be made again. */
static bool is_refused(struct scene *scene, hf_status status)
{
    if (status == HF_OK) return false;
    assert_status(status, HF_NO_MEMORY);
    assert_int_equal(scene->error.status, HF_NO_MEMORY);
    assert_true(scene->error.message[0] != '\0');
    scene->refusals_count++;
    return true;
}

/* Time that runs fast: work that is handed back for a second comes soon. */
static uint64_t hasty_boot_ms(void *self)
{
    (void)self;
    const hf_clock *world = hf_world_clock();
    return world->boot_ms(world->self) * HASTE;
}

static uint64_t hasty_unix_ms(void *self)
{
    return UINT64_C(1700000000000) + hasty_boot_ms(self);
}

static const hf_clock hasty = { .size = sizeof hasty,
                                .boot_ms = hasty_boot_ms,
                                .wall_unix_ms = hasty_unix_ms };

static hf_status open_store(struct scene *scene)
{
    const hf_store_options options = { .size = sizeof options,
                                       .durability = HF_DURABLE_NONE,
                                       .preallocate_size = 1,
                                       .allocator = &scene->heap.allocator,
                                       .clock = &hasty };
    const struct hf__store_setup setup = { .open = house_open_backend,
                                           .self = scene->directory.path,
                                           .poll_ms = 10 };
    return hf__store_open_with(&setup, &options, &scene->store, &scene->error);
}

static hf_status run(struct scene *scene)
{
    const hf_runtime_options *options = HF_WITH(
        hf_runtime_options, .worker_id = "w", .activity_threads = 1, .check_replay = true,
        .item_lock_ms = LOCK_MS, .session_lock_ms = LOCK_MS);
    hf_status status = hf_runtime_new(scene->store, scene->registry, options, &scene->runtime,
                                      &scene->error);
    if (status == HF_OK) status = hf_runtime_start(scene->runtime, &scene->error);
    if (status == HF_OK) return HF_OK;
    hf_runtime_free(scene->runtime);
    scene->runtime = NULL;
    return status;
}

static hf_status send(struct scene *scene)
{
    return hf_enqueue(scene->store, "i", "go", hf_text("go"), &scene->error);
}

static hf_status wait_end(struct scene *scene)
{
    const hf_instance *instance = NULL;
    hf_status status = hf_wait(scene->store, "i", STAGE_LIMIT_MS, &instance, &scene->error);
    if (status != HF_OK) return status;
    assert_int_equal(instance->status, HF_INSTANCE_COMPLETED);
    assert_true(hf_slice_equal(instance->output, hf_text("one, go, two")));
    hf_instance_free(instance);
    return HF_OK;
}

static hf_status start(struct scene *scene)
{
    return hf_start(scene->store, "i", "sampler", hf_text("you"), &scene->error);
}

static hf_status read_value(struct scene *scene)
{
    const hf_value *value = NULL;
    hf_status status = hf_kv_read(scene->store, "i", "key", &value, &scene->error);
    if (status != HF_OK) return status;
    assert_true(hf_slice_equal(value->value, hf_text("one")));
    hf_value_free(value);
    return HF_OK;
}

static hf_status stop(struct scene *scene)
{
    hf_runtime_stop(scene->runtime, STAGE_LIMIT_MS, NULL, NULL);
    return hf_runtime_join(scene->runtime, &scene->error);
}

/* Plays the scene; `count` allocations fail, from `fail_at` on (0: none). Returns how many it asked
 * for; adds the refused calls to *refusals_count. */
static uint64_t play(uint64_t fail_at, uint64_t count, int *refusals_count)
{
    static hf_status (*const acts[])(struct scene * scene) = { open_store, run,        start, send,
                                                               wait_end,   read_value, stop };
    struct scene scene = { .refusals_count = 0 };
    hf_test_directory_make(&scene.directory);
    stage_init(&scene.stage, -1);
    scene.registry = stage_registry(&scene.stage, parts, NULL);
    hf_test_heap_init(&scene.heap);
    scene.heap.fail_count = count;
    scene.heap.fail_at = fail_at;
    for (size_t i = 0; i < HF_COUNT_OF(acts); i++) {
        while (is_refused(&scene, acts[i](&scene))) assert_true(scene.refusals_count <= (int)count);
    }
    hf_runtime_free(scene.runtime);
    hf_store_close(scene.store);
    assert_int_equal(scene.heap.blocks_count, 0);
    house_verify(scene.directory.path);
    hf_registry_free(scene.registry);
    stage_release(&scene.stage);
    hf_test_directory_remove(&scene.directory);
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
