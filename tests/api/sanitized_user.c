/* A program that is built with a sanitizer and uses the library that is built without one. Its
 * orchestrations are evicted in the depth, at every await, and others find their stacks: what the
 * sanitizer remembers of the frames that were left there must go with them. It must print nothing,
 * and end well. */
#include <holdfast.h>

#include <stdio.h>
#include <stdlib.h>

enum { INSTANCES = 4, DEPTH = 6 };

static hf_status echo(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

/* Waits in the depth, with variables that the sanitizer watches in each frame. */
static hf_status descend(hf_orchestration *o, int depth, hf_slice input)
{
    char text[64];
    snprintf(text, sizeof text, HF_FMT "%d", HF_ARG(input), depth);
    HF_TRY(hf_call(o, "echo", hf_text(text), NULL));
    return depth == 0 ? HF_OK : descend(o, depth - 1, input);
}

/* Uses as much of the stack in other places. */
static hf_status wide(hf_orchestration *o, hf_slice input)
{
    char texts[8][96];
    for (int i = 0; i < 8; i++) snprintf(texts[i], sizeof texts[i], HF_FMT "%d", HF_ARG(input), i);
    HF_TRY(hf_call(o, "echo", hf_text(texts[7]), NULL));
    return hf_fail(o, "as_meant", "%s %s", texts[0], texts[7]);
}

static hf_status deep(hf_orchestration *o, hf_slice input)
{
    HF_TRY(descend(o, DEPTH, input));
    hf_future child = hf_child(o,
                               HF_WITH(hf_child_options, .orchestration = "wide", .input = input));
    hf_status status = hf_await(o, child, NULL);
    return status == HF_FAILED ? hf_complete(o, input) : hf_fail(o, "child", "it must fail");
}

static hf_status run_all(hf_store *store, hf_error *error)
{
    char ids[INSTANCES][16];
    hf_status status = HF_OK;
    for (int i = 0; i < INSTANCES && !status; i++) {
        snprintf(ids[i], sizeof ids[i], "deep-%d", i);
        status = hf_start(store, ids[i], "deep", hf_text(ids[i]), error);
    }
    for (int i = 0; i < INSTANCES && !status; i++) {
        const hf_instance *done = NULL;
        status = hf_wait(store, ids[i], 30000, &done, error);
        if (!status && done->status != HF_INSTANCE_COMPLETED) printf("%s failed\n", ids[i]);
        hf_instance_free(done);
    }
    return status;
}

int main(void)
{
    hf_error error;
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "deep", deep, NULL);
    hf_register_orchestration(registry, "wide", wide, NULL);
    hf_register_activity(registry, "echo", echo, NULL);
    hf_status status = hf_store_open(
        "sanitized.hf", HF_WITH(hf_store_options, .map_size_max = 1 << 30), &store, &error);
    if (!status) {
        status = hf_runtime_new(store, registry,
                                HF_WITH(hf_runtime_options, .live_instances_max = UINT32_MAX),
                                &runtime, &error);
    }
    if (!status) status = hf_runtime_start(runtime, &error);
    if (!status) status = run_all(store, &error);
    if (status) fprintf(stderr, "%s: %s\n", hf_status_name(status), error.message);
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
