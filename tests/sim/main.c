/* holdfast-sim: runs simulations of whole clusters, each from a seed.
 *
 *     holdfast-sim [--seed N] [--seeds COUNT] [--trace] [--thorough] [--twice]
 *
 *   --seed N      the first seed (1)
 *   --seeds COUNT so many, one after the other (1)
 *   --trace       prints every step
 *   --thorough    proves everything at every step: slow
 *   --twice       runs each seed twice: both must come to the same
 *
 * Ends with 1 at the first seed that breaks a law, which is printed with its latest steps. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

struct asked {
    struct sim_options options;
    uint64_t seeds_count;
    bool runs_twice;
};

static bool read_number(const char *text, uint64_t *out_number)
{
    char *end = NULL;
    if (!text) return false;
    *out_number = strtoull(text, &end, 10);
    return end != text && *end == '\0';
}

static bool read_asked(int count, char **words, struct asked *asked)
{
    for (int i = 1; i < count; i++) {
        const char *next = i + 1 < count ? words[i + 1] : NULL;
        if (strcmp(words[i], "--trace") == 0) {
            asked->options.is_traced = true;
        } else if (strcmp(words[i], "--thorough") == 0) {
            asked->options.is_thorough = true;
        } else if (strcmp(words[i], "--twice") == 0) {
            asked->runs_twice = true;
        } else if (strcmp(words[i], "--seed") == 0 && read_number(next, &asked->options.seed)) {
            i++;
        } else if (strcmp(words[i], "--seeds") == 0 && read_number(next, &asked->seeds_count)) {
            i++;
        } else {
            (void)fprintf(stderr,
                          "holdfast-sim: %s: not understood\n"
                          "usage: holdfast-sim [--seed N] [--seeds COUNT] [--trace] "
                          "[--thorough] [--twice]\n",
                          words[i]);
            return false;
        }
    }
    return true;
}

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_result(const struct sim_result *sum, double seconds)
{
    (void)printf(
        "%llu seeds, %llu steps, %llu commands (%llu refused), %llu turns (%llu replayed), "
        "%llu items, %llu claims\n",
        (unsigned long long)sum->seeds, (unsigned long long)sum->steps,
        (unsigned long long)sum->commands, (unsigned long long)sum->refusals,
        (unsigned long long)sum->turns, (unsigned long long)sum->replays,
        (unsigned long long)sum->items, (unsigned long long)sum->claims);
    (void)printf("%llu instances (%llu outputs as computed, %llu meddled with), %llu restarts\n",
                 (unsigned long long)sum->instances, (unsigned long long)sum->completed,
                 (unsigned long long)sum->touched, (unsigned long long)sum->restarts);
    (void)printf("%llu crashes, %llu reboots, %llu copies, %llu faults, %llu times full\n",
                 (unsigned long long)sum->crashes, (unsigned long long)sum->reboots,
                 (unsigned long long)sum->copies, (unsigned long long)sum->faults,
                 (unsigned long long)sum->fulls);
    (void)printf("digest %016llx, %s, %.1f s\n", (unsigned long long)sum->digest,
                 sum->has_failed ? "A LAW IS BROKEN" : "all laws hold", seconds);
}

/* ---- crashes --------------------------------------------------------------------------------- */

enum { CRASH_LINE_SIZE = 80, CRASH_STACK_SIZE = 64 * 1024 };

/* What a process that dies says: a signal handler has nothing else to go by. */
static char crash_line[CRASH_LINE_SIZE];

static void crash_note(uint64_t seed)
{
    (void)snprintf(crash_line, sizeof crash_line, "holdfast-sim --seed %llu   crashed\n",
                   (unsigned long long)seed);
}

static void crashed(int signal_number)
{
    (void)signal_number;
    ssize_t written = write(STDERR_FILENO, crash_line, strlen(crash_line));
    (void)written;
}

/* A failed assertion and a wild pointer end the process as ever, but not without the seed. */
static void crash_watch(void)
{
    static char stack[CRASH_STACK_SIZE];
    struct sigaction action = { .sa_handler = crashed, .sa_flags = (int)SA_RESETHAND | SA_ONSTACK };
    (void)sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL);
    (void)sigaction(SIGABRT, &action, NULL);
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
}

/* ---- seeds ----------------------------------------------------------------------------------- */

/* One seed, or the same again. False: it has failed. */
static bool seed_run(const struct asked *asked, struct sim_result *sum)
{
    struct sim_result result, again;
    crash_note(asked->options.seed);
    sim_run(&asked->options, &result);
    sim_result_add(sum, &result);
    if (result.has_failed || !asked->runs_twice) return !result.has_failed;
    sim_run(&asked->options, &again);
    if (again.digest == result.digest) return true;
    (void)fprintf(stderr, "holdfast-sim --seed %llu: two runs come to %016llx and %016llx\n",
                  (unsigned long long)asked->options.seed, (unsigned long long)result.digest,
                  (unsigned long long)again.digest);
    sum->has_failed = true;
    return false;
}

int main(int count, char **words)
{
    struct asked asked = { .options = { .seed = 1 }, .seeds_count = 1 };
    struct sim_result sum = { .seeds = 0 };
    if (!read_asked(count, words, &asked)) return 2;
    crash_watch();
    double began = seconds_now();
    for (uint64_t i = 0; i < asked.seeds_count; i++, asked.options.seed++) {
        if (!seed_run(&asked, &sum)) break;
    }
    print_result(&sum, seconds_now() - began);
    return sum.has_failed ? 1 : 0;
}
