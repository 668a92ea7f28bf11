/* The stage of demo and soak: see demo_stage.h. Processes are workers; this one is a client only.
 */
#include "tools/demo_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/demo.h"
#include "tools/tool.h"

extern char **environ;

int demo_say(const char *what, const char *why)
{
    fprintf(stderr, "demo: %s: %s\n", what, why);
    return 1;
}

/* ---- the text ------------------------------------------------------------------------------- */

static int read_file(const char *path, hf_slice *out_text)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        if (file >= 0) close(file);
        return demo_say(path, "cannot be read as a file: give the path of a text");
    }
    size_t size = (size_t)about.st_size, done = 0;
    char *text = malloc(size + 1);
    ssize_t got = 1;
    while (text && done < size && (got = read(file, text + done, size - done)) > 0) {
        done += (size_t)got;
    }
    close(file);
    if (!text || got < 0) {
        free(text);
        return demo_say(path, text ? strerror(errno) : "no memory for the text");
    }
    *out_text = hf_bytes(text, done);
    return 0;
}

static int split_lines(struct demo_stage *stage)
{
    size_t count = 0;
    for (size_t i = 0; i < stage->text.size; i++) {
        bool last = i + 1 == stage->text.size;
        count += stage->text.data[i] == '\n' || last;
    }
    stage->lines = calloc(count + 1, sizeof *stage->lines);
    if (!stage->lines) return demo_say("text", "no memory for its lines");
    const char *at = stage->text.data;
    for (; stage->lines_count < count; stage->lines_count++) {
        size_t left = stage->text.size - (size_t)(at - stage->text.data);
        const char *end = memchr(at, '\n', left);
        size_t size = end ? (size_t)(end - at) : left;
        stage->lines[stage->lines_count] = hf_bytes(at, size);
        at += size + (end != NULL);
    }
    return 0;
}

/* ---- opening and closing -------------------------------------------------------------------- */

static int make_directory(struct demo_stage *stage)
{
    const char *base = getenv("TMPDIR");
    snprintf(stage->directory, sizeof stage->directory, "%s/holdfast-demo-XXXXXX",
             base && *base ? base : "/tmp");
    if (mkdtemp(stage->directory)) return 0;
    stage->directory[0] = '\0';
    return demo_say("temporary directory", strerror(errno));
}

int demo_stage_open(struct demo_stage *stage, const char *path, size_t conversations_count)
{
    hf_error error = { 0 };
    *stage = (struct demo_stage){ .conversations_count = conversations_count };
    pthread_mutex_init(&stage->lock, NULL);
    pthread_cond_init(&stage->answered, NULL);
    ssize_t size = readlink("/proc/self/exe", stage->program, sizeof stage->program - 1);
    if (size <= 0) return demo_say("/proc/self/exe", strerror(errno));
    stage->program[size] = '\0';
    if (read_file(path, &stage->text) || split_lines(stage) || make_directory(stage)) return 1;
    return hf_store_open(stage->directory, NULL, &stage->store, &error) ? tool_fail(&error) : 0;
}

void demo_stage_leave(struct demo_stage *stage)
{
    hf_store_close(stage->store);
    stage->store = NULL;
}

void demo_stage_close(struct demo_stage *stage)
{
    demo_stage_leave(stage);
    pthread_cond_destroy(&stage->answered);
    pthread_mutex_destroy(&stage->lock);
    free(stage->lines);
    free((void *)(uintptr_t)stage->text.data);
}

char *demo_conversation_id(size_t conversation, char id[DEMO_ID_SIZE])
{
    snprintf(id, DEMO_ID_SIZE, "conversation-%zu", conversation + 1);
    return id;
}

int demo_conversations_start(struct demo_stage *stage)
{
    hf_error error = { 0 };
    char id[DEMO_ID_SIZE];
    for (size_t i = 0; i < stage->conversations_count; i++) {
        demo_conversation_id(i, id);
        if (hf_start(stage->store, id, DEMO_ORCHESTRATION, hf_text("0 0"), &error)) {
            return tool_fail(&error);
        }
    }
    return 0;
}

/* ---- processes ------------------------------------------------------------------------------ */

/* Waits until the worker says "+": it is registered. */
static bool worker_is_ready(int from_worker)
{
    char answer = 0;
    return read(from_worker, &answer, 1) == 1 && answer == '+';
}

int demo_worker_start(struct demo_stage *stage, struct demo_worker *worker, int number)
{
    int ends[2];
    char sessions_max[24];
    snprintf(worker->id, sizeof worker->id, "worker-%d", number);
    snprintf(sessions_max, sizeof sessions_max, "%zu", stage->conversations_count);
    if (pipe2(ends, O_CLOEXEC) != 0) return demo_say("pipe", strerror(errno));
    char *words[] = { stage->program, "demo-worker", stage->directory,
                      worker->id,     sessions_max,  NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int failed = posix_spawn(&worker->pid, stage->program, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    bool ready = !failed && worker_is_ready(ends[0]);
    close(ends[0]);
    if (failed) worker->pid = 0;
    return ready ? 0 : demo_say(worker->id, failed ? strerror(failed) : "did not start");
}

int demo_worker_end(struct demo_worker *worker, int signal_number)
{
    int status = 0;
    char how[64];
    if (worker->pid == 0) return 0;
    kill(worker->pid, signal_number);
    waitpid(worker->pid, &status, 0);
    worker->pid = 0;
    bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    bool is_in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (signal_number == SIGKILL ? is_killed : is_in_order) return 0;
    snprintf(how, sizeof how, "ended badly: %s %d", WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return demo_say(worker->id, how);
}

int demo_sessions_run(const struct demo_stage *stage, bool json, int to)
{
    pid_t pid = 0;
    char *words[] = { (char *)(uintptr_t)stage->program, "sessions",
                      (char *)(uintptr_t)stage->directory, json ? "--json" : NULL, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (to >= 0) posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
    fflush(stdout);
    int failed = posix_spawn(&pid, stage->program, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    if (!failed) waitpid(pid, &status, 0);
    return failed || status != 0 ? demo_say("sessions", "the command failed") : 0;
}

int demo_verify(const struct demo_stage *stage)
{
    const char *words[] = { stage->directory };
    printf("\nholdfast log verify %s:\n", stage->directory);
    return tool_log_verify(&(struct tool_arguments){ .words = words, .words_count = 1 });
}

/* ---- messages ------------------------------------------------------------------------------- */

static void on_answer(void *user, const hf_error *error)
{
    struct demo_stage *stage = user;
    pthread_mutex_lock(&stage->lock);
    if (error->status != HF_OK && stage->failure.status == HF_OK) stage->failure = *error;
    stage->in_flight--;
    pthread_cond_broadcast(&stage->answered);
    pthread_mutex_unlock(&stage->lock);
}

int demo_send(struct demo_stage *stage, size_t conversation, char kind, hf_slice line)
{
    enum { IN_FLIGHT_MAX = 512 };
    hf_error error = { 0 };
    char id[DEMO_ID_SIZE];
    char *message = malloc(line.size + 1);
    if (!message) return demo_say("message", "no memory");
    message[0] = kind;
    if (line.size > 0) memcpy(message + 1, line.data, line.size);

    pthread_mutex_lock(&stage->lock);
    while (stage->in_flight >= IN_FLIGHT_MAX) pthread_cond_wait(&stage->answered, &stage->lock);
    stage->in_flight++;
    pthread_mutex_unlock(&stage->lock);
    hf_command command = { .size = sizeof command,
                           .kind = HF_COMMAND_ENQUEUE,
                           .instance = demo_conversation_id(conversation, id),
                           .name = DEMO_MAILBOX,
                           .data = hf_bytes(message, line.size + 1),
                           .on_done = on_answer,
                           .user = stage };
    if (hf_submit(stage->store, &command, &error)) on_answer(stage, &error);
    free(message);
    return 0;
}

int demo_settle(struct demo_stage *stage)
{
    pthread_mutex_lock(&stage->lock);
    while (stage->in_flight > 0) pthread_cond_wait(&stage->answered, &stage->lock);
    hf_error failure = stage->failure;
    pthread_mutex_unlock(&stage->lock);
    return failure.status ? tool_fail(&failure) : 0;
}

/* ---- looking -------------------------------------------------------------------------------- */

/* The custom status is "<line> <words or -> <worker>". */
int demo_look(struct demo_stage *stage, size_t conversation, struct demo_progress *out_progress)
{
    hf_error error = { 0 };
    const hf_instance *instance = NULL;
    long long line = 0;
    char id[DEMO_ID_SIZE], text[128];
    *out_progress = (struct demo_progress){ 0 };
    demo_conversation_id(conversation, id);
    if (hf_get(stage->store, id, &instance, &error)) return tool_fail(&error);
    out_progress->has_ended = instance->status > HF_INSTANCE_RUNNING;
    snprintf(text, sizeof text, HF_FMT, HF_ARG(instance->custom_status));
    if (sscanf(text, "%lld %*s %39s", &line, out_progress->worker) == 2) out_progress->line = line;
    hf_instance_free(instance);
    return 0;
}

/* A conversation's output is "<lines> <words>". */
int demo_compare(struct demo_stage *stage, size_t conversation, const struct demo_count *plain)
{
    hf_error error = { 0 };
    const hf_instance *done = NULL;
    char id[DEMO_ID_SIZE], expected[64], why[256];
    demo_conversation_id(conversation, id);
    if (hf_wait(stage->store, id, DEMO_PATIENCE_MS, &done, &error)) return tool_fail(&error);
    snprintf(expected, sizeof expected, "%lld %lld", (long long)plain->lines,
             (long long)plain->words);
    bool is_equal = done->status == HF_INSTANCE_COMPLETED &&
                    hf_slice_equal(done->output, hf_text(expected));
    snprintf(why, sizeof why, "it counted \"%.*s\", without holdfast it is \"%s\"",
             (int)(done->output.size < 64 ? done->output.size : 64), done->output.data, expected);
    if (!is_equal) demo_say(id, done->error ? done->error->message : why);
    hf_instance_free(done);
    return is_equal ? 0 : 1;
}
