/* conversation: state in memory on a session, fed by a mailbox, checkpointed by what the activity
 * returns, and rehydrated from the last checkpoint when the memory is cold. Start it again after a
 * kill at any moment: it goes on where it was. */
#include <holdfast.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the process that holds the session has in memory. */
struct talk {
    pthread_mutex_t lock;
    int64_t words;
};

static void talk_free(void *memory)
{
    struct talk *talk = memory;
    pthread_mutex_destroy(&talk->lock);
    free(talk);
}

/* Cold: the first activity here, or the session was elsewhere in between. */
static struct talk *talk_of(hf_activity *a, hf_slice checkpoint)
{
    struct talk *talk = hf_session_memory(a);
    if (talk) return talk;
    talk = calloc(1, sizeof *talk);
    if (!talk) return NULL;
    pthread_mutex_init(&talk->lock, NULL);
    hf_slice_to_i64(checkpoint, &talk->words);
    return hf_session_memory_set(a, talk, talk_free);
}

static int64_t words_in(const char *text, const char *end)
{
    int64_t words = 0;
    bool inside = false;
    for (; text < end; text++) {
        words += *text != ' ' && !inside;
        inside = *text != ' ';
    }
    return words;
}

/* input: "<words at the last checkpoint> <line>"; the output is the next checkpoint. */
static hf_status count(hf_activity *a, hf_slice input)
{
    const char *blank = memchr(input.data, ' ', input.size);
    if (!blank) return hf_activity_fail(a, "bad_input", input, "no blank in the input");
    struct talk *talk = talk_of(a, hf_bytes(input.data, (size_t)(blank - input.data)));
    if (!talk) return hf_activity_fail(a, "no_memory", hf_text(NULL), "no memory for the talk");

    char text[32];
    pthread_mutex_lock(&talk->lock);
    talk->words += words_in(blank + 1, input.data + input.size);
    snprintf(text, sizeof text, "%lld", (long long)talk->words);
    pthread_mutex_unlock(&talk->lock);
    return hf_activity_complete(a, hf_text(text));
}

static hf_status conversation(hf_orchestration *o, hf_slice checkpoint)
{
    hf_session chat = hf_session_open_id(o, "chat"); /* after continue-as-new: the one that is open
                                                      */
    hf_slice words = checkpoint.size ? checkpoint : hf_text("0");
    for (;;) {
        hf_scope round = hf_scope_open(o);
        hf_slice line, counted;
        HF_TRY(hf_dequeue(o, "lines", &line));
        if (hf_slice_equal(line, hf_text("bye"))) break;
        hf_slice input = hf_format(o, HF_FMT " " HF_FMT, HF_ARG(words), HF_ARG(line));
        HF_TRY(hf_call_on(o, chat, "count", input, &counted));
        words = hf_keep(o, round, counted);
        hf_scope_close(o, round);
        if (hf_history_is_long(o)) return hf_continue_as_new(o, words);
    }
    hf_session_close(o, chat);
    return hf_complete(o, words);
}

static hf_status talk_to(hf_store *store, const hf_instance **out_done, hf_error *error)
{
    static const char *const lines[] = { "the quick brown fox", "jumps over", "the lazy dog",
                                         "bye" };
    hf_status status = hf_start(store, "talk-1", "conversation", hf_text(NULL), error);
    for (size_t i = 0; i < sizeof lines / sizeof *lines && !status; i++) {
        status = hf_enqueue(store, "talk-1", "lines", hf_text(lines[i]), error);
    }
    if (status == HF_EXISTS) status = HF_OK; /* an earlier run has said its lines */
    return status ? status : hf_wait(store, "talk-1", 10000, out_done, error);
}

int main(void)
{
    hf_error error;
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    const hf_instance *done = NULL;
    hf_registry *registry = hf_registry_new();
    hf_register_orchestration(registry, "conversation", conversation, NULL);
    hf_register_activity(registry, "count", count, NULL);

    hf_status status = hf_store_open("chat.hf", NULL, &store, &error);
    if (!status) status = hf_runtime_new(store, registry, NULL, &runtime, &error);
    if (!status) status = hf_runtime_start(runtime, &error);
    if (!status) status = talk_to(store, &done, &error);
    if (!status) {
        printf(HF_FMT " words\n", HF_ARG(done->output));
    } else {
        fprintf(stderr, "conversation: %s: %s\n", hf_status_name(status), error.message);
    }

    hf_instance_free(done);
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
