/* eternal: a loop that never ends takes messages, one after the other. Its memory and its history
 * stay small: a scope for each round, and now and then a new execution with an empty history. */
#include <holdfast.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS_COUNT = 800, ROUNDS_MAX = 100 };

/* input: the sum so far. */
static hf_status account(hf_orchestration *o, hf_slice input)
{
    int64_t sum = 0;
    hf_slice_to_i64(input, &sum);
    hf_scope round = hf_scope_open(o);
    for (int rounds = 0; rounds < ROUNDS_MAX; rounds++) { /* or: while (!hf_history_is_long(o)) */
        hf_scope_reset(o, round);
        hf_slice message;
        int64_t number;
        HF_TRY(hf_dequeue(o, "numbers", &message));
        if (!hf_slice_to_i64(message, &number)) {
            return hf_complete(o, hf_format(o, "%lld", (long long)sum));
        }
        sum += number;
    }
    /* Messages that wait already come along. */
    return hf_continue_as_new(o, hf_format(o, "%lld", (long long)sum));
}

/* Sends the numbers without waiting for each; those of an earlier run count once. */
static hf_status send_all(hf_store *store, hf_error *error)
{
    hf_status status = HF_OK;
    for (int i = 1; i <= NUMBERS_COUNT + 1 && !status; i++) {
        char key[32], text[32];
        snprintf(key, sizeof key, "account-1 number %d", i);
        snprintf(text, sizeof text, "%d", i);
        hf_command send = HF_INIT(hf_command);
        send.kind = HF_COMMAND_ENQUEUE;
        send.instance = "account-1";
        send.name = "numbers";
        send.data = hf_text(i <= NUMBERS_COUNT ? text : "no more");
        send.idempotency_key = key;
        status = hf_submit(store, &send, error);
    }
    return status;
}

int main(void)
{
    hf_error error;
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    const hf_instance *done = NULL;
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "account", account, NULL);

    hf_status status = hf_store_open("eternal.hf", NULL, &store, &error);
    if (!status) status = hf_runtime_new(store, registry, NULL, &runtime, &error);
    if (!status) status = hf_runtime_start(runtime, &error);
    if (!status) status = hf_start(store, "account-1", "account", hf_text("0"), &error);
    if (status == HF_EXISTS) status = HF_OK;
    if (!status) status = send_all(store, &error);
    if (!status) status = hf_wait(store, "account-1", 60000, &done, &error);
    if (!status) {
        printf("sum " HF_FMT " in %llu executions\n", HF_ARG(done->output),
               (unsigned long long)done->execution);
    }
    if (status) fprintf(stderr, "eternal: %s: %s\n", hf_status_name(status), error.message);

    hf_instance_free(done);
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
