/* The soak: the main job under fire. Many conversations on three workers; the workers are killed
 * with SIGKILL, one after the other, and started again, until all conversations have ended.
 *
 * The lines of the text are dealt out in turn, so that no two conversations count the same and a
 * mixed-up session would show; a short text is dealt again until each has LINES_MIN. The first
 * portion is sent at the start and each other one right before a kill, so that even a short text
 * lives through KILLS_MIN of them; and kills hit busy workers, by turns at the beginning of a
 * portion and MIDDLE_MS later.
 *
 * On a slow machine kills come later than asked for: between two of them some of the lines must be
 * counted (progress_due), so that the run is bounded by the text and not by the machine. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tools/demo.h"
#include "tools/demo_stage.h"
#include "tools/tool.h"

enum {
    WORKERS = 3,
    KILLS_MIN = 2 * WORKERS,
    PORTIONS = KILLS_MIN + 1,
    LINES_MIN = 100,
    PROGRESS_PARTS = 100, /* a kill waits until one of so many parts of the lines is counted */
    CONVERSATIONS_DEFAULT = 50,
    LOOK_MS = 50,
    MIDDLE_MS = 100
};

struct soak {
    struct demo_stage stage;
    struct demo_worker workers[WORKERS];
    uint64_t kill_every_ms;
    uint64_t start_ms;
    size_t lines_each;  /* to each conversation */
    size_t sent_each;   /* so far; behind the last one the end is sent */
    uint64_t counted;   /* lines, by all conversations together; one that has ended has no more */
    size_t ended_count; /* conversations */
    uint64_t kills_count;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- dealing -------------------------------------------------------------------------------- */

/* The line that a conversation is dealt in that round. */
static hf_slice dealt_line(const struct soak *soak, size_t conversation, size_t round)
{
    const struct demo_stage *stage = &soak->stage;
    return stage->lines[(round * stage->conversations_count + conversation) % stage->lines_count];
}

static struct demo_count plain_count(const struct soak *soak, size_t conversation)
{
    struct demo_count count = { (int64_t)soak->lines_each, 0 };
    for (size_t i = 0; i < soak->lines_each; i++) {
        count.words += demo_words(dealt_line(soak, conversation, i));
    }
    return count;
}

static uint64_t counted_max(const struct soak *soak)
{
    return (uint64_t)soak->sent_each * soak->stage.conversations_count;
}

/* Sends the next portion, unless half of the last one still waits to be counted. */
static int send_portion(struct soak *soak)
{
    size_t portion = (soak->lines_each + PORTIONS - 1) / PORTIONS;
    size_t left = soak->lines_each - soak->sent_each;
    size_t waiting = (size_t)(counted_max(soak) - soak->counted);
    if (left == 0 || waiting > portion * soak->stage.conversations_count / 2) return 0;
    if (portion > left) portion = left;
    for (size_t i = 0; i < portion; i++, soak->sent_each++) {
        for (size_t j = 0; j < soak->stage.conversations_count; j++) {
            hf_slice line = dealt_line(soak, j, soak->sent_each);
            if (demo_send(&soak->stage, j, DEMO_LINE, line)) return 1;
        }
    }
    for (size_t j = 0; portion == left && j < soak->stage.conversations_count; j++) {
        if (demo_send(&soak->stage, j, DEMO_END, hf_text(NULL))) return 1;
    }
    return demo_settle(&soak->stage);
}

/* ---- watching ------------------------------------------------------------------------------- */

/* One that ended before it was told to has failed: how is told. */
static int ended_too_early(struct soak *soak, size_t conversation)
{
    struct demo_count plain = plain_count(soak, conversation);
    demo_compare(&soak->stage, conversation, &plain);
    return demo_say("conversations", "one ended too early");
}

static int look_at_all(struct soak *soak)
{
    soak->counted = 0;
    soak->ended_count = 0;
    for (size_t i = 0; i < soak->stage.conversations_count; i++) {
        struct demo_progress progress;
        if (demo_look(&soak->stage, i, &progress)) return 1;
        bool is_early = progress.has_ended && soak->sent_each < soak->lines_each;
        if (is_early) return ended_too_early(soak, i);
        soak->counted += progress.has_ended ? soak->lines_each : (uint64_t)progress.line;
        soak->ended_count += progress.has_ended;
    }
    return 0;
}

static bool all_have_ended(const struct soak *soak)
{
    return soak->ended_count == soak->stage.conversations_count;
}

/* Waits until the time has come and enough is counted, or all have ended. Fails when nothing is
 * counted for long. */
static int watch_until(struct soak *soak, uint64_t until_ms, uint64_t counted_due)
{
    uint64_t progress_ms = now_ms(), counted = 0;
    while (!all_have_ended(soak) && (now_ms() < until_ms || soak->counted < counted_due)) {
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
        if (look_at_all(soak)) return 1;
        if (soak->counted != counted || now_ms() < until_ms) progress_ms = now_ms();
        counted = soak->counted;
        if (now_ms() > progress_ms + DEMO_PATIENCE_MS) {
            return demo_say("conversations", "no line was counted for a minute");
        }
    }
    return 0;
}

/* How many lines must be counted before the next kill: some more, or all that were sent. */
static uint64_t progress_due(const struct soak *soak)
{
    uint64_t all = (uint64_t)soak->lines_each * soak->stage.conversations_count;
    uint64_t due = soak->counted + all / PROGRESS_PARTS + 1;
    return due < counted_max(soak) ? due : counted_max(soak);
}

static void tell(const struct soak *soak, const char *what, const struct demo_worker *worker)
{
    printf("%8.1f s  %s %s; %" PRIu64 " of %zu lines counted, %zu of %zu conversations ended\n",
           (double)(now_ms() - soak->start_ms) / 1000.0, what, worker->id, soak->counted,
           soak->lines_each * soak->stage.conversations_count, soak->ended_count,
           soak->stage.conversations_count);
    fflush(stdout);
}

/* ---- the run -------------------------------------------------------------------------------- */

static int start_all(struct soak *soak)
{
    soak->start_ms = now_ms();
    for (int i = 0; i < WORKERS; i++) {
        if (demo_worker_start(&soak->stage, &soak->workers[i], i + 1)) return 1;
    }
    if (demo_conversations_start(&soak->stage) || send_portion(soak)) return 1;
    return watch_until(soak, now_ms() + soak->kill_every_ms, progress_due(soak));
}

/* Kills the next worker in the middle of its work and starts it again: half of the time later, so
 * that others take over what it held. */
static int kill_next(struct soak *soak)
{
    int number = (int)(soak->kills_count % WORKERS);
    struct demo_worker *victim = &soak->workers[number];
    if (send_portion(soak)) return 1;
    if (soak->kills_count % 2 && watch_until(soak, now_ms() + MIDDLE_MS, 0)) return 1;
    if (look_at_all(soak)) return 1;
    uint64_t killed_ms = now_ms(), due = progress_due(soak);
    if (demo_worker_end(victim, SIGKILL)) return 1;
    soak->kills_count++;
    tell(soak, "killed", victim);
    if (watch_until(soak, killed_ms + soak->kill_every_ms / 2, 0)) return 1;
    if (demo_worker_start(&soak->stage, victim, number + 1)) return 1;
    return watch_until(soak, killed_ms + soak->kill_every_ms, due);
}

/* Every conversation against its plain count; tells of each that differs. */
static int compare_all(struct soak *soak)
{
    int failed = 0;
    int64_t lines = 0, words = 0;
    for (size_t i = 0; i < soak->stage.conversations_count; i++) {
        struct demo_count plain = plain_count(soak, i);
        if (demo_compare(&soak->stage, i, &plain)) failed = 1;
        lines += plain.lines;
        words += plain.words;
    }
    if (failed) return 1;
    printf("\n%zu conversations, %lld lines, %lld words: each as counted without holdfast\n",
           soak->stage.conversations_count, (long long)lines, (long long)words);
    return 0;
}

static int play(struct soak *soak)
{
    int failed = start_all(soak);
    while (!failed && !all_have_ended(soak)) failed = kill_next(soak);
    if (!failed) failed = compare_all(soak);
    demo_stage_leave(&soak->stage);
    for (int i = 0; i < WORKERS; i++) {
        if (demo_worker_end(&soak->workers[i], SIGTERM)) failed = 1;
    }
    return failed;
}

/* What the log says of the run; every kill must be a death in it. */
static int report(const struct soak *soak)
{
    struct demo_tally tally;
    if (demo_tally_read(soak->stage.directory, &tally)) return 1;
    printf("kills %" PRIu64 ", deaths in the log %" PRIu64 ", claims of sessions %" PRIu64
           ", of them takeovers %" PRIu64 ", redeliveries %" PRIu64 ", turns lost %" PRIu64 "\n",
           soak->kills_count, tally.deaths, tally.claims, tally.takeovers, tally.redeliveries,
           tally.turns_lost);
    return tally.deaths == soak->kills_count ? 0 : demo_say("deaths", "not as many as kills");
}

static int run(struct soak *soak, const char *path, size_t conversations_count)
{
    if (demo_stage_open(&soak->stage, path, conversations_count)) return 1;
    size_t lines_count = soak->stage.lines_count;
    if (lines_count == 0) return demo_say(path, "it has no lines: give another text");
    soak->lines_each = (lines_count + conversations_count - 1) / conversations_count;
    if (soak->lines_each < LINES_MIN) soak->lines_each = LINES_MIN;
    printf("%s: %zu lines, dealt out in turn to %zu conversations, %zu to each, on %d workers;\n"
           "every %" PRIu64 " ms one of them is killed; store: %s\n\n",
           path, lines_count, conversations_count, soak->lines_each, WORKERS, soak->kill_every_ms,
           soak->stage.directory);
    return play(soak) || report(soak) || demo_verify(&soak->stage);
}

int demo_soak(const struct tool_arguments *arguments, const char *path)
{
    struct soak soak = { .kill_every_ms = arguments->kill_every_ms };
    size_t conversations_count = CONVERSATIONS_DEFAULT;
    if (arguments->conversations) conversations_count = (size_t)arguments->conversations;
    int failed = run(&soak, path, conversations_count);
    if (soak.stage.directory[0]) {
        printf("\nthe store stays for you to look at: %s\n", soak.stage.directory);
    }
    demo_stage_close(&soak.stage);
    if (failed) {
        printf("soak: FAILED: what differs is told above\n");
    } else {
        printf("soak: ok: %zu conversations counted right through %" PRIu64
               " kills, and the log is verified\n",
               conversations_count, soak.kills_count);
    }
    return failed;
}
