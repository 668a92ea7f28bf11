/* retry: an activity that is tried again while it fails, with pauses that double and a limit for
 * all of it; and what the orchestration does when that was not enough. */
#include <holdfast.h>

#include <stdio.h>
#include <stdlib.h>

/* Stands for a service that is down for a while: how often it was asked by this process. A real one
 * is told the idempotency key, which is the same each time that one try is delivered. */
struct service {
    int calls_count;
    int up_at; /* from this call on it answers */
};

static hf_status charge(hf_activity *a, hf_slice order)
{
    struct service *service = hf_activity_user(a);
    service->calls_count++;
    if (service->calls_count < service->up_at) {
        return hf_activity_fail(a, "unavailable", order, "no answer to call %d",
                                service->calls_count);
    }
    return hf_activity_complete(a, order);
}

static hf_status pay(hf_orchestration *o, hf_slice order)
{
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "charge";
    options.input = order;
    options.tries_max = 4;
    options.backoff_first_ms = 10; /* then 20, then 40 */
    options.total_timeout_ms = 60 * 1000;
    hf_status status = hf_call_with(o, &options, NULL);
    if (status == HF_OK) return hf_complete(o, hf_format(o, "paid " HF_FMT, HF_ARG(order)));
    const hf_error *error = hf_orchestration_error(o); /* of the last try */
    return hf_complete(o, hf_format(o, "left open: %s, %s", error->code, error->message));
}

/* Starts one payment and shows how it ended. */
static hf_status show(hf_store *store, const char *id, hf_error *error)
{
    const hf_instance *done = NULL;
    hf_status status = hf_start(store, id, "pay", hf_text(id), error);
    if (status == HF_EXISTS) status = HF_OK;
    if (!status) status = hf_wait(store, id, 30000, &done, error);
    if (!status) printf("%s: " HF_FMT "\n", id, HF_ARG(done->output));
    hf_instance_free(done);
    return status;
}

int main(void)
{
    hf_error error;
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    struct service service = { .up_at = 3 };
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "pay", pay, NULL);
    hf_register_activity(registry, "charge", charge,
                         HF_WITH(hf_activity_settings, .user = &service));

    hf_status status = hf_store_open("retry.hf", NULL, &store, &error);
    if (!status) {
        status = hf_runtime_new(store, registry, HF_WITH(hf_runtime_options, .activity_threads = 1),
                                &runtime, &error);
    }
    if (!status) status = hf_runtime_start(runtime, &error);
    if (!status) status = show(store, "order-1", &error);
    if (!status) {
        service.calls_count = 0; /* nothing runs now */
        service.up_at = 100;
        status = show(store, "order-2", &error);
    }
    if (status) fprintf(stderr, "retry: %s: %s\n", hf_status_name(status), error.message);

    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
