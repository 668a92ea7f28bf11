/* fan_out: many activities at once, on all threads and all workers that there are; their results
 * in the order in which they were asked for. */
#include <holdfast.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hf_status measure(hf_activity *a, hf_slice word)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", word.size);
    return hf_activity_complete(a, hf_text(text));
}

/* input: words with a blank between each two; the output: each with its length, and their sum. */
static hf_status measure_all(hf_orchestration *o, hf_slice words)
{
    hf_future *futures = hf_alloc(o, (words.size + 1) * sizeof *futures);
    hf_slice *each = hf_alloc(o, (words.size + 1) * sizeof *each);
    size_t count = 0;
    while (words.size > 0) {
        const char *blank = memchr(words.data, ' ', words.size);
        size_t size = blank ? (size_t)(blank - words.data) : words.size;
        each[count] = hf_bytes(words.data, size);
        futures[count] = hf_schedule(o, "measure", each[count]); /* does not wait */
        count++;
        size_t used = blank ? size + 1 : size;
        words = hf_bytes(words.data + used, words.size - used);
    }
    HF_TRY(hf_join(o, futures, count));

    hf_slice told = hf_text("");
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        hf_slice result;
        int64_t length = 0;
        HF_TRY(hf_await(o, futures[i], &result)); /* is done: at once */
        hf_slice_to_i64(result, &length);
        sum += length;
        told = hf_format(o, HF_FMT HF_FMT " %lld, ", HF_ARG(told), HF_ARG(each[i]),
                         (long long)length);
    }
    return hf_complete(o, hf_format(o, HF_FMT "together %lld", HF_ARG(told), (long long)sum));
}

int main(void)
{
    hf_error error;
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    const hf_instance *done = NULL;
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "measure_all", measure_all, NULL);
    hf_register_activity(registry, "measure", measure, NULL);

    hf_status status = hf_store_open("fan_out.hf", NULL, &store, &error);
    if (!status) status = hf_runtime_new(store, registry, NULL, &runtime, &error);
    if (!status) status = hf_runtime_start(runtime, &error);
    if (!status) {
        status = hf_start(store, "words-1", "measure_all", hf_text("every word is measured alone"),
                          &error);
        if (status == HF_EXISTS) status = HF_OK;
    }
    if (!status) status = hf_wait(store, "words-1", 30000, &done, &error);
    if (!status) printf(HF_FMT "\n", HF_ARG(done->output));
    if (status) fprintf(stderr, "fan_out: %s: %s\n", hf_status_name(status), error.message);

    hf_instance_free(done);
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
