/* upgrade: new code beside instances that old code began. Two ways: hf_patched changes what runs
 * already from the next place on; a new version is for those that begin from now on. */
#include <holdfast.h>
#include <stdio.h>
#include <stdlib.h>

/* What was deployed first. */
static hf_status order_first(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_status_set(o, hf_text("waits"));
    HF_TRY(hf_dequeue(o, "payment", NULL));
    return hf_complete(o, hf_text("1.0.0: paid"));
}

/* The same, as it is deployed later: instances that wait for their payment go the new way. */
static hf_status order_patched(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_status_set(o, hf_text("waits"));
    HF_TRY(hf_dequeue(o, "payment", NULL));
    if (hf_patched(o, "print-bill")) {
        HF_TRY(hf_call(o, "print_bill", hf_text(NULL), NULL));
        return hf_complete(o, hf_text("1.0.0: paid, with a bill"));
    }
    return hf_complete(o, hf_text("1.0.0: paid"));
}

/* Another course of things: only for those that begin with it. */
static hf_status order_second(hf_orchestration *o, hf_slice input)
{
    (void)input;
    HF_TRY(hf_call(o, "print_bill", hf_text(NULL), NULL));
    hf_status_set(o, hf_text("waits"));
    HF_TRY(hf_dequeue(o, "payment", NULL));
    return hf_complete(o, hf_text("2.0.0: a bill, then paid"));
}

static hf_status print_bill(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

/* Runs the code of the registry and starts an order; pays up to two that wait, and shows them. */
static hf_status deploy(hf_store *store, const hf_registry *registry, const char *starts,
                        const char *const *pays, size_t pays_count, hf_error *error)
{
    const hf_instance *waits = NULL;
    hf_runtime *runtime = NULL;
    hf_status status = hf_runtime_new(store, registry, NULL, &runtime, error);
    if (!status) status = hf_runtime_start(runtime, error);
    if (!status) status = hf_start(store, starts, "order", hf_text(NULL), error);
    if (status == HF_EXISTS) status = HF_OK; /* of an earlier run */
    if (!status) status = hf_wait_status(store, starts, 0, 30000, &waits, error);
    for (size_t i = 0; i < pays_count && !status; i++) {
        const hf_instance *done = NULL;
        status = hf_enqueue(store, pays[i], "payment", hf_text("10"), error);
        if (status == HF_NOT_FOUND) status = HF_OK; /* it has ended */
        if (!status) status = hf_wait(store, pays[i], 30000, &done, error);
        if (!status) printf("%s: " HF_FMT "\n", pays[i], HF_ARG(done->output));
        hf_instance_free(done);
    }
    hf_instance_free(waits);
    hf_runtime_free(runtime); /* the end of this deployment */
    return status;
}

int main(void)
{
    static const char *const orders[] = { "order-1", "order-2" };
    hf_error error;
    hf_store *store = NULL;
    hf_registry *first = hf_registry_new(), *second = hf_registry_new();
    hf_register_orchestration(first, "order", order_first, NULL);
    hf_register_orchestration(second, "order", order_patched, NULL);
    hf_register_orchestration(second, "order", order_second,
                              HF_WITH(hf_orchestration_settings, .version = "2.0.0"));
    hf_register_activity(second, "print_bill", print_bill, NULL);

    hf_status status = hf_store_open("upgrade.hf", NULL, &store, &error);
    if (!status) status = deploy(store, first, orders[0], NULL, 0, &error);
    if (!status) status = deploy(store, second, orders[1], orders, 2, &error);
    if (status) fprintf(stderr, "upgrade: %s: %s\n", hf_status_name(status), error.message);

    hf_store_close(store);
    hf_registry_free(first);
    hf_registry_free(second);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
