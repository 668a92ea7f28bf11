/* The `holdfast` command: looks for the subcommand and takes the options out of its arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"
#include "tools/tool.h"

enum { WORDS_MAX = 8 };

struct subcommand {
    const char *name, *second; /* "log", "dump"; second NULL: one word */
    int words_min, words_max;
    const char *usage;
    int (*run)(const struct tool_arguments *arguments);
    bool is_hidden;
};

static const struct subcommand subcommands[] = {
    { "demo", NULL, 0, 1,
      "demo [FILE]           three durable conversations on two workers, one of which is killed",
      tool_demo, false },
    { "bench", NULL, 0, 1,
      "bench [chain|fan|hello] [--json] [--count N] [--concurrency N]   beside what LMDB alone can "
      "do",
      tool_bench, false },
    { "instances", NULL, 1, 1, "instances DIR         all instances, and what became of them",
      tool_instances, false },
    { "history", NULL, 2, 2, "history DIR INSTANCE  the events of its present execution",
      tool_history, false },
    { "sessions", NULL, 1, 1, "sessions DIR          open sessions: who holds them, how much waits",
      tool_sessions, false },
    { "workers", NULL, 1, 1, "workers DIR           registered workers and their leases",
      tool_workers, false },
    { "log", "dump", 1, 1, "log dump DIR          every record", tool_log_dump, false },
    { "log", "verify", 1, 1,
      "log verify DIR        proves each record, and that the indexes are their fold",
      tool_log_verify, false },
    { "demo-worker", NULL, 2, 2, "demo-worker DIR ID", tool_demo_worker, true },
};

static int usage(FILE *to)
{
    fputs("holdfast: durable execution in a directory\n\n", to);
    for (size_t i = 0; i < HF_COUNT_OF(subcommands); i++) {
        if (!subcommands[i].is_hidden) fprintf(to, "  holdfast %s\n", subcommands[i].usage);
    }
    fputs("\nInspection opens the store read-only and changes nothing. --json prints one object a "
          "line.\n",
          to);
    return to == stdout ? 0 : 2;
}

static bool take_number(const char *text, uint64_t *out_number)
{
    int64_t number = 0;
    if (!text || !hf_slice_to_i64(hf_text(text), &number) || number <= 0) return false;
    *out_number = (uint64_t)number;
    return true;
}

/* Splits options from words; false: an option that is none. */
static bool take_arguments(char **argv, struct tool_arguments *arguments, const char **words)
{
    for (; *argv; argv++) {
        if (strcmp(*argv, "--json") == 0) {
            arguments->json = true;
        } else if (strcmp(*argv, "--count") == 0) {
            if (!take_number(*++argv, &arguments->count)) return false;
        } else if (strcmp(*argv, "--concurrency") == 0) {
            if (!take_number(*++argv, &arguments->concurrency)) return false;
        } else if (strncmp(*argv, "--", 2) == 0 || arguments->words_count == WORDS_MAX) {
            return false;
        } else {
            words[arguments->words_count++] = *argv;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) return usage(stdout);
    for (size_t i = 0; argc > 1 && i < HF_COUNT_OF(subcommands); i++) {
        const struct subcommand *candidate = &subcommands[i];
        bool matches = strcmp(candidate->name, argv[1]) == 0 &&
                       (!candidate->second ||
                        (argc > 2 && strcmp(candidate->second, argv[2]) == 0));
        if (!matches) continue;
        const char *words[WORDS_MAX] = { NULL };
        struct tool_arguments arguments = { .words = words };
        if (!take_arguments(argv + (candidate->second ? 3 : 2), &arguments, words) ||
            arguments.words_count < candidate->words_min ||
            arguments.words_count > candidate->words_max) {
            fprintf(stderr, "usage: holdfast %s\n", candidate->usage);
            return 2;
        }
        return candidate->run(&arguments);
    }
    return usage(stderr);
}
