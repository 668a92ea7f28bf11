/* index: a session that is rebuilt. Its memory is dear to make, so an activity of its own makes it;
 * whenever the session goes to another worker, that activity runs there first, once, and then those
 * that wait. Here the second worker is a second runtime; it could be on the heir of a crash. */
#include <holdfast.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char text[] = "the quick brown fox jumps over the lazy dog";

/* Where each word begins; in real life an index of gigabytes, or a model. */
struct word_index {
    const char *words[16];
    size_t count;
};

static hf_status load(hf_activity *a, hf_slice input)
{
    atomic_int *loads = hf_activity_user(a);
    struct word_index *index = calloc(1, sizeof *index);
    if (!index) return hf_activity_fail(a, "no_memory", input, "no memory for the index");
    for (const char *at = text; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
        index->words[index->count++] = at;
    }
    atomic_fetch_add(loads, 1);
    hf_session_memory_set(a, index, free);
    return HF_OK;
}

static hf_status find(hf_activity *a, hf_slice word)
{
    char answer[64];
    const struct word_index *index = hf_session_memory(a);
    if (!index) return hf_activity_fail(a, "cold", word, "nothing is loaded");
    size_t at = 0;
    while (at < index->count && strncmp(index->words[at], word.data, word.size) != 0) at++;
    snprintf(answer, sizeof answer, HF_FMT " is word %zu, says %s", HF_ARG(word), at + 1,
             hf_activity_about(a)->worker_id);
    return hf_activity_complete(a, hf_text(answer));
}

static hf_status lookups(hf_orchestration *o, hf_slice input)
{
    hf_slice word, found;
    hf_session index = hf_session_open_with(o, HF_WITH(hf_session_options, .id = "index",
                                                       .recovery = HF_SESSION_REBUILD,
                                                       .rebuild = "load", .rebuild_input = input));
    HF_TRY(hf_call_on(o, index, "load", input, NULL));
    for (int i = 0; i < 2; i++) {
        HF_TRY(hf_dequeue(o, "words", &word));
        HF_TRY(hf_call_on(o, index, "find", word, &found));
        hf_status_set(o, found);
    }
    return hf_complete(o, found); /* ends the session, too */
}

/* Waits until the orchestration has answered so often, and prints the latest answer. */
static hf_status print_answer(hf_store *store, uint64_t answers_count, hf_error *error)
{
    const hf_instance *instance = NULL;
    hf_status status = hf_get(store, "lookups-1", &instance, error);
    while (!status && instance->custom_status_version < answers_count && !instance->error) {
        hf_instance_free(instance);
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        status = hf_get(store, "lookups-1", &instance, error);
    }
    if (status) return status;
    printf(HF_FMT "\n", HF_ARG(instance->custom_status));
    hf_instance_free(instance);
    return HF_OK;
}

/* Asks for a word while that worker runs. Its runtime is stopped in order: it gives sessions up. */
static hf_status ask(hf_store *store, hf_registry *registry, const char *worker_id,
                     const char *word, uint64_t answers_count, hf_error *error)
{
    hf_runtime *runtime = NULL;
    const hf_runtime_options *options = HF_WITH(hf_runtime_options, .worker_id = worker_id);
    hf_status status = hf_enqueue(store, "lookups-1", "words", hf_text(word), error);
    if (!status) status = hf_runtime_new(store, registry, options, &runtime, error);
    if (!status) status = hf_runtime_start(runtime, error);
    if (!status) status = print_answer(store, answers_count, error);
    hf_runtime_free(runtime);
    return status;
}

int main(void)
{
    hf_error error = { 0 };
    hf_store *store = NULL;
    atomic_int loads = 0;
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "lookups", lookups, NULL);
    hf_register_activity(registry, "find", find, NULL);
    hf_register_activity(registry, "load", load, HF_WITH(hf_activity_settings, .user = &loads));

    hf_status status = hf_store_open("index.hf", NULL, &store, &error);
    if (!status) status = hf_start(store, "lookups-1", "lookups", hf_text(NULL), &error);
    if (!status) status = ask(store, registry, "worker-1", "fox", 1, &error);
    if (!status) status = ask(store, registry, "worker-2", "dog", 2, &error);
    if (status) fprintf(stderr, "index: %s: %s\n", hf_status_name(status), error.message);
    printf("loaded %d times\n", atomic_load(&loads));
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
