/* saga: steps that are undone, the last one first, when a later one fails or the instance is asked
 * to stop. Cancelling asks: what is scheduled after it runs as ever, so the code can clean up. */
#include <holdfast.h>
#include <stdio.h>
#include <stdlib.h>

/* Each of them must be ready to run twice: a delivery may be repeated. */
static hf_status book(hf_activity *a, hf_slice what)
{
    if (hf_slice_equal(what, hf_text("car"))) {
        return hf_activity_fail(a, "none_left", what, "there is no car left");
    }
    return hf_activity_complete(a, what);
}

static hf_status undo(hf_activity *a, hf_slice what)
{
    return hf_activity_complete(a, what);
}

/* Books the steps, then waits for the payment if there is one. *out_booked counts what was booked.
 */
static hf_status go(hf_orchestration *o, const char *const *steps, size_t count, size_t *out_booked)
{
    for (*out_booked = 0; *out_booked < count; (*out_booked)++) {
        HF_TRY(hf_call(o, "book", hf_text(steps[*out_booked]), NULL));
    }
    hf_status_set(o, hf_text("waits for the payment"));
    return hf_dequeue(o, "payment", NULL);
}

/* input: what is booked last. */
static hf_status trip(hf_orchestration *o, hf_slice input)
{
    const char *last = hf_format(o, HF_FMT, HF_ARG(input)).data;
    const char *const steps[] = { "flight", "hotel", last };
    size_t booked;
    hf_status status = go(o, steps, sizeof steps / sizeof *steps, &booked);
    if (status == HF_OK) return hf_complete(o, hf_text("booked"));

    const char *why = hf_format(o, "%s", hf_orchestration_error(o)->code).data;
    hf_slice undone = hf_text("undone:");
    while (booked-- > 0) {
        HF_TRY(hf_call(o, "undo", hf_text(steps[booked]), NULL));
        undone = hf_format(o, HF_FMT " %s", HF_ARG(undone), steps[booked]);
        hf_status_set(o, undone);
    }
    if (status == HF_CANCELLED) return status; /* the instance ends as cancelled */
    return hf_fail(o, why, "the trip could not be booked");
}

/* Starts a trip, and shows how it ended. */
static hf_status show(hf_store *store, const char *id, const char *last, bool cancels,
                      hf_error *error)
{
    const hf_instance *asks = NULL, *done = NULL;
    hf_status status = hf_start(store, id, "trip", hf_text(last), error);
    if (status == HF_EXISTS) status = HF_OK; /* of an earlier run */
    if (!status && cancels) status = hf_wait_status(store, id, 0, 30000, &asks, error);
    if (!status && cancels) status = hf_cancel(store, id, "changed their mind", error);
    if (!status) status = hf_wait(store, id, 30000, &done, error);
    if (!status && done->error) {
        printf("%s: %s: " HF_FMT "\n", id, done->error->code, HF_ARG(done->custom_status));
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
    hf_register_orchestration(registry, "trip", trip, NULL);
    hf_register_activity(registry, "book", book, NULL);
    hf_register_activity(registry, "undo", undo, NULL);

    hf_status status = hf_store_open("saga.hf", NULL, &store, &error);
    if (!status) status = hf_runtime_new(store, registry, NULL, &runtime, &error);
    if (!status) status = hf_runtime_start(runtime, &error);
    if (!status) status = show(store, "trip-1", "car", false, &error);
    if (!status) status = show(store, "trip-2", "train", true, &error);
    if (status) fprintf(stderr, "saga: %s: %s\n", hf_status_name(status), error.message);

    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
