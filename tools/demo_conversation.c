/* The conversation of the demo, as a user would write it: one orchestration and its activities.
 *
 * A call carries the last checkpoint ("<line> <words>") and every line since, so it can be answered
 * by a worker whose memory is warm or cold. A warm one skips, by line number, what it has counted
 * already; a cold one starts at the checkpoint. Thus a line that is delivered twice counts once,
 * and none is lost with a worker. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo.h"

/* ---- the activities: state in the memory of the session ------------------------------------- */

struct tally {
    pthread_mutex_t lock;
    int64_t line; /* the last one counted */
    int64_t words;
};

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

int64_t demo_words(hf_slice text)
{
    int64_t words = 0;
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        bool blank = is_blank(text.data[i]);
        words += !blank && !inside;
        inside = !blank;
    }
    return words;
}

static void tally_free(void *memory)
{
    struct tally *tally = memory;
    pthread_mutex_destroy(&tally->lock);
    free(tally);
}

/* Takes the next line off text. False: there is none. */
static bool next_line(hf_slice *text, hf_slice *out_line)
{
    const char *end = text->size > 0 ? memchr(text->data, '\n', text->size) : NULL;
    if (!end) return false;
    *out_line = hf_bytes(text->data, (size_t)(end - text->data));
    *text = hf_bytes(end + 1, text->size - out_line->size - 1);
    return true;
}

/* Reads "<line> <words>"; false when it is something else. */
static bool read_checkpoint(hf_slice text, int64_t *out_line, int64_t *out_words)
{
    const char *blank = text.size > 0 ? memchr(text.data, ' ', text.size) : NULL;
    if (!blank) return false;
    size_t size = (size_t)(blank - text.data);
    return hf_slice_to_i64(hf_bytes(text.data, size), out_line) &&
           hf_slice_to_i64(hf_bytes(blank + 1, text.size - size - 1), out_words);
}

/* The tally in memory, or a new one that starts at the checkpoint. NULL: no memory. */
static struct tally *tally_of(hf_activity *a, int64_t line, int64_t words)
{
    struct tally *tally = hf_session_memory(a);
    if (tally) return tally;
    tally = calloc(1, sizeof *tally);
    if (!tally) return NULL;
    pthread_mutex_init(&tally->lock, NULL);
    tally->line = line;
    tally->words = words;
    hf_activity_log(a, HF_LOG_INFO, "cold memory: starts at line %lld", (long long)line);
    return hf_session_memory_set(a, tally, tally_free);
}

/* Counts the lines behind a checkpoint. The output is "<line> <words> <worker>" where a checkpoint
 * is due, else
 * "<line> - <worker>". Registered twice: the one with user data always gives a checkpoint. */
static hf_status count(hf_activity *a, hf_slice input)
{
    hf_slice checkpoint, text;
    int64_t line = 0, words = 0;
    if (!next_line(&input, &checkpoint) || !read_checkpoint(checkpoint, &line, &words)) {
        return hf_activity_fail(a, "bad_input", input, "the input has no checkpoint");
    }
    struct tally *tally = tally_of(a, line, words);
    if (!tally) return hf_activity_fail(a, "no_memory", hf_text(NULL), "no memory for the tally");

    char output[128];
    const char *worker = hf_activity_about(a)->worker_id;
    pthread_mutex_lock(&tally->lock);
    while (next_line(&input, &text)) {
        if (++line != tally->line + 1) continue; /* it is counted already */
        tally->line = line;
        tally->words += demo_words(text);
    }
    if (hf_activity_user(a) || tally->line % DEMO_CHECKPOINT_LINES == 0) {
        snprintf(output, sizeof output, "%lld %lld %s", (long long)tally->line,
                 (long long)tally->words, worker);
    } else {
        snprintf(output, sizeof output, "%lld - %s", (long long)tally->line, worker);
    }
    pthread_mutex_unlock(&tally->lock);
    return hf_activity_complete(a, hf_text(output));
}

/* ---- the orchestration ---------------------------------------------------------------------- */

struct conversation {
    hf_session session;
    hf_slice checkpoint; /* "<line> <words>" */
    hf_slice pending;    /* the lines since, each with its '\n' */
};

/* Calls activity with all that it may need; keeps the checkpoint when it gives one. */
static hf_status call(hf_orchestration *o, struct conversation *talk, hf_scope round,
                      const char *activity)
{
    hf_slice output;
    hf_slice input = hf_format(o, HF_FMT "\n" HF_FMT, HF_ARG(talk->checkpoint),
                               HF_ARG(talk->pending));
    HF_TRY(hf_call_on(o, talk->session, activity, input, &output));
    hf_status_set(o, output);
    const char *line_end = memchr(output.data, ' ', output.size);
    if (!line_end) return hf_fail(o, "bad_output", "no blank in \"" HF_FMT "\"", HF_ARG(output));
    if (line_end[1] == '-') return HF_OK;
    const char *worker = memchr(line_end + 1, ' ',
                                output.size - (size_t)(line_end + 1 - output.data));
    if (!worker) return hf_fail(o, "bad_output", "no worker in \"" HF_FMT "\"", HF_ARG(output));
    talk->checkpoint = hf_keep(o, round, hf_bytes(output.data, (size_t)(worker - output.data)));
    talk->pending = hf_text(NULL);
    return HF_OK;
}

/* Checkpoint, close, durable timer, open again: nothing stays in memory meanwhile. */
static hf_status wait_long(hf_orchestration *o, struct conversation *talk, hf_scope round)
{
    HF_TRY(call(o, talk, round, "checkpoint"));
    hf_session_close(o, talk->session);
    HF_TRY(hf_sleep(o, DEMO_LONG_WAIT_MS));
    talk->session = hf_session_open_id(o, "tally");
    return HF_OK;
}

static hf_status conversation(hf_orchestration *o, hf_slice checkpoint)
{
    struct conversation talk = { hf_session_open_id(o, "tally"), checkpoint, hf_text(NULL) };
    for (;;) {
        hf_slice message;
        hf_scope round = hf_scope_open(o);
        HF_TRY(hf_dequeue(o, DEMO_MAILBOX, &message));
        char kind = message.size > 0 ? message.data[0] : DEMO_END;
        if (kind == DEMO_LINE) {
            hf_slice more = hf_format(o, HF_FMT HF_FMT "\n", HF_ARG(talk.pending),
                                      (int)message.size - 1, message.data + 1);
            talk.pending = hf_keep(o, round, more);
            HF_TRY(call(o, &talk, round, "count"));
        } else if (kind == DEMO_LONG_WAIT) {
            HF_TRY(wait_long(o, &talk, round));
        } else {
            HF_TRY(call(o, &talk, round, "checkpoint"));
            break;
        }
        hf_scope_close(o, round);
        if (hf_history_is_long(o) && hf_slice_is_empty(talk.pending)) {
            return hf_continue_as_new(o, talk.checkpoint);
        }
    }
    hf_session_close(o, talk.session);
    return hf_complete(o, talk.checkpoint);
}

hf_registry *demo_registry(void)
{
    static char always = 1;
    hf_registry *registry = hf_registry_new();
    if (!registry) return NULL;
    hf_register_orchestration(registry, DEMO_ORCHESTRATION, conversation, NULL);
    hf_register_activity(registry, "count", count, NULL);
    hf_register_activity(registry, "checkpoint", count,
                         HF_WITH(hf_activity_settings, .user = &always));
    return registry;
}
