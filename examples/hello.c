/* hello: one orchestration, one activity, one process. */
#include <holdfast.h>

#include <stdio.h>
#include <stdlib.h>

static hf_status greet(hf_activity *a, hf_slice name)
{
    char text[128];
    int size = snprintf(text, sizeof text, "Hello, " HF_FMT "!", HF_ARG(name));
    return hf_activity_complete(
        a, hf_bytes(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1));
}

static hf_status hello(hf_orchestration *o, hf_slice name)
{
    hf_slice greeting;
    HF_TRY(hf_call(o, "greet", name, &greeting));
    return hf_complete(o, greeting);
}

int main(void)
{
    hf_error error;
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    const hf_instance *done = NULL;
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "hello", hello, NULL);
    hf_register_activity(registry, "greet", greet, NULL);

    hf_status status = hf_store_open("hello.hf", NULL, &store, &error);
    if (!status) status = hf_runtime_new(store, registry, NULL, &runtime, &error);
    if (!status) status = hf_runtime_start(runtime, &error);
    if (!status) status = hf_start(store, "greeting-1", "hello", hf_text("world"), &error);
    if (status == HF_EXISTS) status = HF_OK; /* run again: the instance is there already */
    if (!status) status = hf_wait(store, "greeting-1", 10000, &done, &error);
    if (!status) {
        printf(HF_FMT "\n", HF_ARG(done->output));
    } else {
        fprintf(stderr, "hello: %s: %s\n", hf_status_name(status), error.message);
    }

    hf_instance_free(done);
    hf_runtime_free(runtime); /* stops it, and waits, when it still runs */
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
