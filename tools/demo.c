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
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/demo.h"
#include "tools/demo_stage.h"
#include "tools/tool.h"

enum { CONVERSATIONS = 3, WORKERS = 2, LOOK_MS = 20 };

struct demo {
    struct demo_stage stage;
    struct demo_worker workers[WORKERS];
    bool terminal;
};

/* How many open sessions the worker holds, as `holdfast sessions --json` tells. */
static int sessions_count(struct demo *demo, const struct demo_worker *worker)
{
    char path[DEMO_PATH_SIZE + 16], line[1024], wanted[64];
    snprintf(path, sizeof path, "%s/sessions.json", demo->stage.directory);
    snprintf(wanted, sizeof wanted, "\"%s\"", worker->id);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return 0;
    int count = 0;
    FILE *lines = demo_sessions_run(&demo->stage, true, file) == 0 ? fdopen(file, "r") : NULL;
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

/* ---- feeding and watching ------------------------------------------------------------------- */

/* Sends lines [from, to) to every conversation, and the long wait to the second at line wait_at. */
static int feed(struct demo *demo, size_t from, size_t to, size_t wait_at)
{
    for (size_t line = from; line < to; line++) {
        for (size_t i = 0; i < CONVERSATIONS; i++) {
            if (demo_send(&demo->stage, i, DEMO_LINE, demo->stage.lines[line])) return 1;
            bool waits = i == 1 && line == wait_at;
            if (waits && demo_send(&demo->stage, i, DEMO_LONG_WAIT, hf_text(NULL))) return 1;
        }
    }
    return demo_settle(&demo->stage);
}

static void show_progress(const struct demo *demo, const struct demo_progress *progress)
{
    if (!demo->terminal) return;
    printf("\r");
    for (size_t i = 0; i < CONVERSATIONS; i++) {
        printf("%s line %lld of %zu (%s)   ", i == 0 ? "" : "|", (long long)progress[i].line,
               demo->stage.lines_count, progress[i].worker[0] ? progress[i].worker : "-");
    }
    fflush(stdout);
}

/* Waits until every conversation has counted `line` lines, on `worker` when one is given. */
static int watch(struct demo *demo, int64_t line, const struct demo_worker *worker)
{
    for (int waited_ms = 0; waited_ms < DEMO_PATIENCE_MS; waited_ms += LOOK_MS) {
        struct demo_progress progress[CONVERSATIONS];
        size_t there = 0;
        for (size_t i = 0; i < CONVERSATIONS; i++) {
            if (demo_look(&demo->stage, i, &progress[i])) return 1;
            if (progress[i].has_ended) return demo_say("conversations", "one ended too early");
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
    return demo_say("conversations", "no progress for a minute");
}

/* ---- the play ------------------------------------------------------------------------------- */

static int start_all(struct demo *demo)
{
    for (int i = 0; i < WORKERS; i++) {
        if (demo_worker_start(&demo->stage, &demo->workers[i], i + 1)) return 1;
    }
    return demo_conversations_start(&demo->stage);
}

/* Kills the worker with the most sessions in the middle of its work; *out_heir is the other one. */
static int kill_one(struct demo *demo, struct demo_worker **out_heir)
{
    int first = sessions_count(demo, &demo->workers[0]);
    int second = sessions_count(demo, &demo->workers[1]);
    struct demo_worker *victim = &demo->workers[second > first];
    *out_heir = &demo->workers[!(second > first)];
    printf("\nkill -KILL %d: %s, which holds %d of %d sessions\n", (int)victim->pid, victim->id,
           second > first ? second : first, CONVERSATIONS);
    return demo_worker_end(victim, SIGKILL);
}

static int play(struct demo *demo)
{
    size_t half = demo->stage.lines_count / 2, rest = demo->stage.lines_count - half;
    size_t killed = half + rest / 3, later = killed + (rest + 2) / 3;
    struct demo_worker *heir = NULL;
    if (start_all(demo) || feed(demo, 0, half, half / 2)) return 1;
    if (half > 0 && watch(demo, (int64_t)half, NULL)) return 1;
    printf("\nabout half of the lines are through; holdfast sessions %s:\n", demo->stage.directory);
    if (demo_sessions_run(&demo->stage, false, -1)) return 1;
    if (feed(demo, half, killed, SIZE_MAX) || kill_one(demo, &heir)) return 1;
    if (feed(demo, killed, later, SIZE_MAX)) return 1;
    if (later > killed && watch(demo, (int64_t)later, heir)) return 1;
    printf("\n%s has taken over; holdfast sessions %s:\n", heir->id, demo->stage.directory);
    if (demo_sessions_run(&demo->stage, false, -1)) return 1;
    if (feed(demo, later, demo->stage.lines_count, SIZE_MAX)) return 1;
    for (size_t i = 0; i < CONVERSATIONS; i++) {
        if (demo_send(&demo->stage, i, DEMO_END, hf_text(NULL))) return 1;
    }
    return demo_settle(&demo->stage);
}

/* Compares what each conversation ended with, with the plain count. */
static int compare_all(struct demo *demo)
{
    struct demo_count plain = { (int64_t)demo->stage.lines_count, demo_words(demo->stage.text) };
    char id[DEMO_ID_SIZE];
    printf("\n");
    for (size_t i = 0; i < CONVERSATIONS; i++) {
        if (demo_compare(&demo->stage, i, &plain)) return 1;
        printf("%s: %lld lines, %lld words, as counted without holdfast\n",
               demo_conversation_id(i, id), (long long)plain.lines, (long long)plain.words);
    }
    return 0;
}

static int run(struct demo *demo, const char *path)
{
    int failed = demo_stage_open(&demo->stage, path, CONVERSATIONS);
    if (failed) return failed;
    printf("%s: %zu lines to each of %d conversations, on %d workers; store: %s\n", path,
           demo->stage.lines_count, CONVERSATIONS, WORKERS, demo->stage.directory);
    failed = play(demo) || compare_all(demo);
    demo_stage_leave(&demo->stage);
    for (size_t i = 0; i < WORKERS; i++) {
        if (demo_worker_end(&demo->workers[i], SIGTERM)) failed = 1;
    }
    if (failed) return failed;
    printf("\nwho held what, when (from the log):\n");
    return demo_timeline(demo->stage.directory) || demo_verify(&demo->stage);
}

int tool_demo(const struct tool_arguments *arguments)
{
    struct demo demo = { .terminal = isatty(STDOUT_FILENO) };
    const char *path = "README.md";
    if (arguments->words_count > 0) path = arguments->words[0];
    if (arguments->lines) path = arguments->lines;
    if (arguments->kill_every_ms > 0) return demo_soak(arguments, path);
    int failed = run(&demo, path);
    if (demo.stage.directory[0]) {
        printf("\nthe store stays for you to look at: %s\n", demo.stage.directory);
    }
    demo_stage_close(&demo.stage);
    printf("%s\n", failed ? "demo: FAILED" : "demo: ok");
    return failed;
}
