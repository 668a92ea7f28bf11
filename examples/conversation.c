/* conversation: state in memory on a session, fed by a mailbox, rehydrated from the last checkpoint
 * when the memory is cold. Start it again after a kill at any moment: it goes on where it was. */
#include <holdfast.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the process that holds the session has in memory. */
struct talk {
    pthread_mutex_t lock;
    int64_t lines, words;
};

static void talk_free(void *memory)
{
    struct talk *talk = memory;
    pthread_mutex_destroy(&talk->lock);
    free(talk);
}

/* Cold: the first activity here since the session came. Starts at the checkpoint. */
static struct talk *talk_of(hf_activity *a, int64_t lines, int64_t words)
{
    struct talk *talk = hf_session_memory(a);
    if (talk) return talk;
    talk = calloc(1, sizeof *talk);
    if (!talk) return NULL;
    pthread_mutex_init(&talk->lock, NULL);
    talk->lines = lines;
    talk->words = words;
    return hf_session_memory_set(a, talk, talk_free);
}

/* Takes a number, and the blank behind it, off the text. */
static bool take_number(hf_slice *text, int64_t *out_number)
{
    const char *blank = text->size > 0 ? memchr(text->data, ' ', text->size) : NULL;
    if (!blank) return false;
    size_t size = (size_t)(blank - text->data);
    hf_slice number = hf_bytes(text->data, size);
    *text = hf_bytes(blank + 1, text->size - size - 1);
    return hf_slice_to_i64(number, out_number);
}

static int64_t words_in(hf_slice text)
{
    int64_t words = text.size > 0;
    for (size_t i = 0; i < text.size; i++) words += text.data[i] == ' ';
    return words;
}

/* input: "<lines> <words> <line>", the last checkpoint and the next line; the output is the next
 * checkpoint. */
static hf_status count(hf_activity *a, hf_slice input)
{
    int64_t lines, words;
    if (!take_number(&input, &lines) || !take_number(&input, &words)) {
        return hf_activity_fail(a, "bad_input", input, "the input has no checkpoint");
    }
    struct talk *talk = talk_of(a, lines, words);
    if (!talk) return hf_activity_fail(a, "no_memory", hf_text(NULL), "no memory for the talk");

    char text[64];
    pthread_mutex_lock(&talk->lock);
    if (talk->lines == lines) { /* else it was counted before, and the answer was lost */
        talk->lines++;
        talk->words += words_in(input);
    }
    snprintf(text, sizeof text, "%lld %lld", (long long)talk->lines, (long long)talk->words);
    pthread_mutex_unlock(&talk->lock);
    return hf_activity_complete(a, hf_text(text));
}

static hf_status conversation(hf_orchestration *o, hf_slice checkpoint)
{
    hf_session chat = hf_session_open_id(o, "chat"); /* after continue-as-new: the open one */
    hf_slice last = checkpoint.size ? checkpoint : hf_text("0 0");
    for (;;) {
        hf_scope round = hf_scope_open(o);
        hf_slice line, counted;
        HF_TRY(hf_dequeue(o, "lines", &line));
        if (hf_slice_equal(line, hf_text("bye"))) break;
        hf_slice input = hf_format(o, HF_FMT " " HF_FMT, HF_ARG(last), HF_ARG(line));
        HF_TRY(hf_call_on(o, chat, "count", input, &counted));
        last = hf_keep(o, round, counted);
        hf_scope_close(o, round);
        if (hf_history_is_long(o)) return hf_continue_as_new(o, last);
    }
    hf_session_close(o, chat);
    return hf_complete(o, last);
}

static hf_status talk_to(hf_store *store, const hf_instance **out_done, hf_error *error)
{
    static const char *const lines[] = { "the quick brown", "fox jumps over", "the dog", "bye" };
    hf_status status = hf_start(store, "talk-1", "conversation", hf_text(NULL), error);
    if (status == HF_EXISTS) status = HF_OK; /* an earlier run began it, and said some lines */
    for (size_t i = 0; i < sizeof lines / sizeof *lines && !status; i++) {
        const hf_command *say = /* a line that is said again counts once, by its key */
            HF_WITH(hf_command, .kind = HF_COMMAND_ENQUEUE, .instance = "talk-1", .name = "lines",
                    .data = hf_text(lines[i]), .idempotency_key = lines[i]);
        status = hf_submit(store, say, error);
    }
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
    if (!status) printf("lines and words: " HF_FMT "\n", HF_ARG(done->output));
    if (status) fprintf(stderr, "conversation: %s: %s\n", hf_status_name(status), error.message);
    hf_instance_free(done);
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
