/* The scene of scene.h. */
#include "tests/limits/scene.h"

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

/* ---- the scene ------------------------------------------------------------------------------ */

void scene_init(struct scene *self)
{
    memset(self, 0, sizeof *self);
    hf_test_directory_make(&self->directory);
    hf_test_heap_init(&self->heap);
    stage_init(&self->stage, -1);
    self->registry = stage_registry(&self->stage, parts, NULL);
}

void scene_play(struct scene *self, scene_judge_fn is_refused)
{
    static hf_status (*const acts[])(struct scene * scene) = { open_store, run,        start, send,
                                                               wait_end,   read_value, stop };
    for (size_t i = 0; i < HF_COUNT_OF(acts); i++) {
        while (is_refused(self, acts[i](self))) self->refusals_count++;
    }
}

void scene_end(struct scene *self)
{
    hf_runtime_free(self->runtime);
    hf_store_close(self->store);
    assert_int_equal(self->heap.blocks_count, 0);
    house_verify(self->directory.path);
    hf_registry_free(self->registry);
    stage_release(&self->stage);
    hf_test_directory_remove(&self->directory);
}
