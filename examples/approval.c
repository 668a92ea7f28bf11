/* approval: somebody is asked, and has until a deadline to answer. While it waits, the instance is
 * rows in the store alone: the deadline may be weeks away, and the process may end. */
#include <holdfast.h>
#include <stdio.h>
#include <stdlib.h>

/* input: how long the answer may take, in milliseconds. */
static hf_status order(hf_orchestration *o, hf_slice input)
{
    int64_t limit_ms = 0;
    hf_slice who;
    if (!hf_slice_to_i64(input, &limit_ms)) return hf_fail(o, "bad_input", "no time is given");
    hf_future answer = hf_event_wait(o, "approved");
    hf_status_set(o, hf_text("waits for approval")); /* seen once the event is waited for */

    hf_status status = hf_await_within(o, answer, (uint64_t)limit_ms, &who);
    if (status == HF_TIMEOUT) {
        hf_status_set(o, hf_text("given up"));
        return hf_complete(o, hf_text("nobody approved in time"));
    }
    HF_TRY(status);
    hf_status_set(o, hf_text("approved"));
    return hf_complete(o, hf_format(o, "approved by " HF_FMT, HF_ARG(who)));
}

/* Starts an order, answers when it asks and there is somebody, and shows how it ended. */
static hf_status show(hf_store *store, const char *id, const char *limit_ms, const char *who,
                      hf_error *error)
{
    const hf_instance *asks = NULL, *done = NULL;
    hf_status status = hf_start(store, id, "order", hf_text(limit_ms), error);
    if (status == HF_EXISTS) status = HF_OK; /* of an earlier run */
    if (!status) status = hf_wait_status(store, id, 0, 30000, &asks, error);
    if (!status && who) {
        status = hf_raise(store, id, "approved", hf_text(who), error);
        if (status == HF_NOT_FOUND) status = HF_OK; /* it has ended */
    }
    if (!status) status = hf_wait(store, id, 30000, &done, error);
    if (!status) {
        printf("%s: " HF_FMT " (" HF_FMT ")\n", id, HF_ARG(done->output),
               HF_ARG(done->custom_status));
    }
    hf_instance_free(asks);
    hf_instance_free(done);
    return status;
}

int main(void)
{
    hf_error error;
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "order", order, NULL);

    hf_status status = hf_store_open("approval.hf", NULL, &store, &error);
    if (!status) status = hf_runtime_new(store, registry, NULL, &runtime, &error);
    if (!status) status = hf_runtime_start(runtime, &error);
    if (!status) status = show(store, "order-1", "86400000", "ann", &error);
    if (!status) status = show(store, "order-2", "50", NULL, &error);
    if (status) fprintf(stderr, "approval: %s: %s\n", hf_status_name(status), error.message);

    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
