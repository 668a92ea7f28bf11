/* The demo: the main job of holdfast, played with real processes.
 *
 *   1. two worker processes share a new store; three conversations start, each opens a session
 *   2. the first half of the text goes to each, a line a message; one conversation plays a long
 *      wait: checkpoint, close, durable timer, open again
 *   3. more lines go in, and the worker that holds the most sessions is killed with SIGKILL
 *   4. the other takes its sessions over, rehydrates them from their checkpoints, and goes on
 *   5. the counts are compared with a plain count, the log is verified, a timeline is printed
 *
 * This process is a client only. It looks at the conversations' status ten times a second: that
 * is its display, and no worker waits for it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/demo.h"
#include "tools/tool.h"

enum { CONVERSATIONS = 3, WORKERS = 2, PATIENCE_MS = 60000, LOOK_MS = 20, PATH_SIZE = 512 };

extern char **environ;

struct worker {
    char id[16];
    pid_t pid; /* 0: not running */
};

struct demo {
    char directory[PATH_SIZE];
    char program[PATH_SIZE]; /* this command, to be run as worker and for inspection */
    hf_store *store;
    struct worker workers[WORKERS];
    hf_slice text;
    hf_slice *lines;
    size_t lines_count;
    bool terminal;
    pthread_mutex_t lock; /* of the three below */
    pthread_cond_t answered;
    size_t in_flight;
    hf_error failure; /* the first failed command */
};

static int say(const char *what, const char *why)
{
    fprintf(stderr, "demo: %s: %s\n", what, why);
    return 1;
}

static const char *conversation_id(size_t conversation)
{
    static const char *const ids[CONVERSATIONS] = { "conversation-1", "conversation-2",
                                                    "conversation-3" };
    return ids[conversation];
}

/* ---- the text ------------------------------------------------------------------------------- */

static int read_file(const char *path, hf_slice *out_text)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        if (file >= 0) close(file);
        return say(path, "cannot be read as a file: give the path of a text");
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
        return say(path, text ? strerror(errno) : "no memory for the text");
    }
    *out_text = hf_bytes(text, done);
    return 0;
}

static int split_lines(struct demo *demo)
{
    size_t count = 0;
    for (size_t i = 0; i < demo->text.size; i++) {
        bool last = i + 1 == demo->text.size;
        count += demo->text.data[i] == '\n' || last;
    }
    demo->lines = calloc(count + 1, sizeof *demo->lines);
    if (!demo->lines) return say("text", "no memory for its lines");
    const char *at = demo->text.data;
    for (; demo->lines_count < count; demo->lines_count++) {
        size_t left = demo->text.size - (size_t)(at - demo->text.data);
        const char *end = memchr(at, '\n', left);
        size_t size = end ? (size_t)(end - at) : left;
        demo->lines[demo->lines_count] = hf_bytes(at, size);
        at += size + (end != NULL);
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

static int worker_start(struct demo *demo, struct worker *worker)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return say("pipe", strerror(errno));
    char *words[] = { demo->program, "demo-worker", demo->directory, worker->id, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int failed = posix_spawn(&worker->pid, demo->program, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    bool ready = !failed && worker_is_ready(ends[0]);
    close(ends[0]);
    if (failed) worker->pid = 0;
    return ready ? 0 : say(worker->id, failed ? strerror(failed) : "did not start");
}

static void worker_end(struct worker *worker, int signal_number)
{
    if (worker->pid == 0) return;
    kill(worker->pid, signal_number);
    waitpid(worker->pid, NULL, 0);
    worker->pid = 0;
}

/* Runs `holdfast sessions DIR [--json]`; its output goes to `to`, or to ours when to < 0. */
static int sessions_run(struct demo *demo, bool json, int to)
{
    pid_t pid = 0;
    char *words[] = { demo->program, "sessions", demo->directory, json ? "--json" : NULL, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (to >= 0) posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
    fflush(stdout);
    int failed = posix_spawn(&pid, demo->program, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    if (!failed) waitpid(pid, &status, 0);
    return failed || status != 0 ? say("sessions", "the command failed") : 0;
}

/* How many open sessions the worker holds, as `holdfast sessions --json` tells. */
static int sessions_count(struct demo *demo, const struct worker *worker)
{
    char path[PATH_SIZE + 16], line[1024], wanted[64];
    snprintf(path, sizeof path, "%s/sessions.json", demo->directory);
    snprintf(wanted, sizeof wanted, "\"%s\"", worker->id);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return 0;
    int count = 0;
    FILE *lines = sessions_run(demo, true, file) == 0 ? fdopen(file, "r") : NULL;
    if (lines) rewind(lines);
    while (lines && fgets(line, sizeof line, lines)) count += strstr(line, wanted) != NULL;
    if (lines) {
        fclose(lines);
    } else {
        close(file);
    }
    unlink(path);
    return count;
}

/* ---- feeding -------------------------------------------------------------------------------- */

static void on_answer(void *user, const hf_error *error)
{
    struct demo *demo = user;
    pthread_mutex_lock(&demo->lock);
    if (error->status != HF_OK && demo->failure.status == HF_OK) demo->failure = *error;
    demo->in_flight--;
    pthread_cond_broadcast(&demo->answered);
    pthread_mutex_unlock(&demo->lock);
}

/* Sends one message to a conversation, without waiting for its commit. */
static int send(struct demo *demo, size_t conversation, char kind, hf_slice line)
{
    enum { IN_FLIGHT_MAX = 512 };
    hf_error error = { 0 };
    char *message = malloc(line.size + 1);
    if (!message) return say("message", "no memory");
    message[0] = kind;
    if (line.size > 0) memcpy(message + 1, line.data, line.size);

    pthread_mutex_lock(&demo->lock);
    while (demo->in_flight >= IN_FLIGHT_MAX) pthread_cond_wait(&demo->answered, &demo->lock);
    demo->in_flight++;
    pthread_mutex_unlock(&demo->lock);
    hf_command command = { .size = sizeof command,
                           .kind = HF_COMMAND_ENQUEUE,
                           .instance = conversation_id(conversation),
                           .name = DEMO_MAILBOX,
                           .data = hf_bytes(message, line.size + 1),
                           .on_done = on_answer,
                           .user = demo };
    if (hf_submit(demo->store, &command, &error)) on_answer(demo, &error);
    free(message);
    return 0;
}

/* Waits until every message is answered; says what failed. */
static int settle(struct demo *demo)
{
    pthread_mutex_lock(&demo->lock);
    while (demo->in_flight > 0) pthread_cond_wait(&demo->answered, &demo->lock);
    hf_error failure = demo->failure;
    pthread_mutex_unlock(&demo->lock);
    return failure.status ? tool_fail(&failure) : 0;
}

/* Sends lines [from, to) to every conversation, and the long wait to the second at line wait_at. */
static int feed(struct demo *demo, size_t from, size_t to, size_t wait_at)
{
    for (size_t line = from; line < to; line++) {
        for (size_t i = 0; i < CONVERSATIONS; i++) {
            if (send(demo, i, DEMO_LINE, demo->lines[line])) return 1;
            if (i == 1 && line == wait_at && send(demo, i, DEMO_LONG_WAIT, hf_text(NULL))) return 1;
        }
    }
    return settle(demo);
}

/* ---- watching ------------------------------------------------------------------------------- */

struct progress {
    int64_t line;
    char worker[16];
};

/* Reads a conversation's status "<line> <words or -> <worker>". An ended one is over: 1. */
static int look(struct demo *demo, size_t conversation, struct progress *out_progress)
{
    hf_error error = { 0 };
    const hf_instance *instance = NULL;
    long long line = 0;
    char text[128];
    *out_progress = (struct progress){ 0 };
    if (hf_get(demo->store, conversation_id(conversation), &instance, &error)) {
        return tool_fail(&error);
    }
    bool over = instance->status > HF_INSTANCE_RUNNING;
    snprintf(text, sizeof text, HF_FMT, HF_ARG(instance->custom_status));
    if (sscanf(text, "%lld %*s %15s", &line, out_progress->worker) == 2) out_progress->line = line;
    hf_instance_free(instance);
    return over ? say(conversation_id(conversation), "ended too early") : 0;
}

static void show_progress(const struct demo *demo, const struct progress *progress)
{
    if (!demo->terminal) return;
    printf("\r");
    for (size_t i = 0; i < CONVERSATIONS; i++) {
        printf("%s line %lld of %zu (%s)   ", i == 0 ? "" : "|", (long long)progress[i].line,
               demo->lines_count, progress[i].worker[0] ? progress[i].worker : "-");
    }
    fflush(stdout);
}

/* Waits until every conversation has counted `line` lines, on `worker` when one is given. */
static int watch(struct demo *demo, int64_t line, const struct worker *worker)
{
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += LOOK_MS) {
        struct progress progress[CONVERSATIONS];
        size_t there = 0;
        for (size_t i = 0; i < CONVERSATIONS; i++) {
            if (look(demo, i, &progress[i])) return 1;
            there += progress[i].line >= line &&
                     (!worker || strcmp(progress[i].worker, worker->id) == 0);
        }
        show_progress(demo, progress);
        if (there == CONVERSATIONS) {
            if (demo->terminal) printf("\n");
            return 0;
        }
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
    }
    return say("conversations", "no progress for a minute");
}

/* ---- the play ------------------------------------------------------------------------------- */

static int start_all(struct demo *demo)
{
    hf_error error = { 0 };
    for (size_t i = 0; i < WORKERS; i++) {
        snprintf(demo->workers[i].id, sizeof demo->workers[i].id, "worker-%zu", i + 1);
        if (worker_start(demo, &demo->workers[i])) return 1;
    }
    for (size_t i = 0; i < CONVERSATIONS; i++) {
        if (hf_start(demo->store, conversation_id(i), DEMO_ORCHESTRATION, hf_text("0 0"), &error)) {
            return tool_fail(&error);
        }
    }
    return 0;
}

/* Kills the worker with the most sessions in the middle of its work; *out_heir is the other one. */
static int kill_one(struct demo *demo, struct worker **out_heir)
{
    int first = sessions_count(demo, &demo->workers[0]);
    int second = sessions_count(demo, &demo->workers[1]);
    struct worker *victim = &demo->workers[second > first];
    *out_heir = &demo->workers[!(second > first)];
    printf("\nkill -KILL %d: %s, which holds %d of %d sessions\n", (int)victim->pid, victim->id,
           second > first ? second : first, CONVERSATIONS);
    worker_end(victim, SIGKILL);
    return 0;
}

static int play(struct demo *demo)
{
    size_t half = demo->lines_count / 2, rest = demo->lines_count - half;
    size_t killed = half + rest / 3, later = killed + (rest + 2) / 3;
    struct worker *heir = NULL;
    if (start_all(demo) || feed(demo, 0, half, half / 2)) return 1;
    if (half > 0 && watch(demo, (int64_t)half, NULL)) return 1;
    printf("\nabout half of the lines are through; holdfast sessions %s:\n", demo->directory);
    if (sessions_run(demo, false, -1)) return 1;
    if (feed(demo, half, killed, SIZE_MAX) || kill_one(demo, &heir)) return 1;
    if (feed(demo, killed, later, SIZE_MAX)) return 1;
    if (later > killed && watch(demo, (int64_t)later, heir)) return 1;
    printf("\n%s has taken over; holdfast sessions %s:\n", heir->id, demo->directory);
    if (sessions_run(demo, false, -1)) return 1;
    if (feed(demo, later, demo->lines_count, SIZE_MAX)) return 1;
    for (size_t i = 0; i < CONVERSATIONS; i++) {
        if (send(demo, i, DEMO_END, hf_text(NULL))) return 1;
    }
    return settle(demo);
}

/* Compares what a conversation ended with, "<lines> <words>", with the plain count. */
static int compare(struct demo *demo, size_t conversation)
{
    hf_error error = { 0 };
    const hf_instance *done = NULL;
    char expected[64];
    if (hf_wait(demo->store, conversation_id(conversation), PATIENCE_MS, &done, &error)) {
        return tool_fail(&error);
    }
    snprintf(expected, sizeof expected, "%zu %lld", demo->lines_count,
             (long long)demo_words(demo->text));
    bool equal = done->status == HF_INSTANCE_COMPLETED &&
                 hf_slice_equal(done->output, hf_text(expected));
    printf("%s: lines and words " HF_FMT ", plain count %s: %s\n", conversation_id(conversation),
           HF_ARG(done->output), expected, equal ? "equal" : "DIFFERENT");
    if (done->error) say(conversation_id(conversation), done->error->message);
    hf_instance_free(done);
    return equal ? 0 : 1;
}

static int prepare(struct demo *demo, const char *path)
{
    ssize_t size = readlink("/proc/self/exe", demo->program, sizeof demo->program - 1);
    if (size <= 0) return say("/proc/self/exe", strerror(errno));
    demo->program[size] = '\0';
    if (read_file(path, &demo->text) || split_lines(demo)) return 1;
    const char *base = getenv("TMPDIR");
    snprintf(demo->directory, sizeof demo->directory, "%s/holdfast-demo-XXXXXX",
             base && *base ? base : "/tmp");
    if (!mkdtemp(demo->directory)) {
        demo->directory[0] = '\0';
        return say("temporary directory", strerror(errno));
    }
    demo->terminal = isatty(STDOUT_FILENO);
    pthread_mutex_init(&demo->lock, NULL);
    pthread_cond_init(&demo->answered, NULL);
    return 0;
}

static int run(struct demo *demo)
{
    hf_error error = { 0 };
    if (hf_store_open(demo->directory, NULL, &demo->store, &error)) return tool_fail(&error);
    int failed = play(demo);
    if (!failed) printf("\n");
    for (size_t i = 0; i < CONVERSATIONS && !failed; i++) failed = compare(demo, i);
    settle(demo);
    hf_store_close(demo->store);
    for (size_t i = 0; i < WORKERS; i++) worker_end(&demo->workers[i], SIGTERM);
    return failed;
}

static int verify(struct demo *demo)
{
    const char *words[] = { demo->directory };
    printf("\nholdfast log verify %s:\n", demo->directory);
    return tool_log_verify(&(struct tool_arguments){ .words = words, .words_count = 1 });
}

int tool_demo(const struct tool_arguments *arguments)
{
    struct demo demo = { .store = NULL };
    const char *path = arguments->words_count > 0 ? arguments->words[0] : "README.md";
    int failed = prepare(&demo, path);
    if (!failed) {
        printf("%s: %zu lines to each of %d conversations, on %d workers; store: %s\n", path,
               demo.lines_count, CONVERSATIONS, WORKERS, demo.directory);
        failed = run(&demo);
    }
    if (!failed) {
        printf("\nwho held what, when (from the log):\n");
        failed = demo_timeline(demo.directory) || verify(&demo);
    }
    if (demo.directory[0]) printf("\nthe store stays for you to look at: %s\n", demo.directory);
    printf("%s\n", failed ? "demo: FAILED" : "demo: ok");
    free(demo.lines);
    free((void *)(uintptr_t)demo.text.data);
    return failed;
}
