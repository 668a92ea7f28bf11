/* The `holdfast` command: looks for the subcommand and takes the options out of its arguments.
 * Wrong use exits with 2, and says what would be right. */
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
    tool_run_fn run;
    const char *help; /* more, behind the usage; NULL: nothing */
    bool is_hidden;
    bool is_guarded; /* it reads the store that its first word names */
};

static const char demo_help[] =
    "\n"
    "Plays the main job with real processes: three conversations, each a session, are sent\n"
    "the lines of FILE (default README.md) and count its words in the memory of two workers;\n"
    "one of them is killed.\n"
    "\n"
    "  --lines FILE         the same as FILE\n"
    "  --kill-every TIME    the soak: three workers, of which one is killed with SIGKILL every\n"
    "                       TIME and started again half of it later, one after the other,\n"
    "                       until all conversations have ended; 100ms to 1h, as 500ms, 2s, 1m\n"
    "  --conversations N    of the soak: 1 to 1000, default 50\n"
    "\n"
    "The soak deals the lines out in turn, as cards: conversation 1 gets line 1, and so on; a\n"
    "short FILE is dealt again until each has 100. There are at least 6 kills. On a slow\n"
    "machine they come later: between two of them a hundredth of all lines is counted, or all\n"
    "that were sent.\n"
    "\n"
    "Exit status 0: every count is that of a count without holdfast, and the log is verified;\n"
    "1: not so, and what differs is told. The store stays for you to look at.\n";

static const struct subcommand subcommands[] = {
    { "demo", NULL, 0, 1,
      "demo [FILE]           three durable conversations on two workers, one of which is killed\n"
      "  holdfast demo --kill-every TIME [--conversations N] [--lines FILE]   the same as a soak",
      tool_demo, demo_help, false, false },
    { "bench", NULL, 0, 1,
      "bench [chain|fan|hello] [--json] [--count N] [--concurrency N]   beside what LMDB alone can "
      "do",
      tool_bench, NULL, false, false },
    { "instances", NULL, 1, 1,
      "instances DIR         what runs, and what became of the rest; some of them:\n"
      "                        [--status STATUS] [--name ORCHESTRATION] [--prefix BEGINNING-OF-ID]",
      tool_instances, NULL, false, true },
    { "executions", NULL, 2, 2,
      "executions DIR INSTANCE   its executions: when they began, and how they ended",
      tool_executions, NULL, false, true },
    { "values", NULL, 2, 2, "values DIR INSTANCE   the values that it has set", tool_values, NULL,
      false, true },
    { "dead-letters", NULL, 1, 2,
      "dead-letters DIR [INSTANCE]   activities and turns that were given up", tool_dead_letters,
      NULL, false, true },
    { "stats", NULL, 1, 1, "stats DIR             how much of everything is there, and waits",
      tool_stats, NULL, false, true },
    { "history", NULL, 2, 2, "history DIR INSTANCE  the events of its present execution",
      tool_history, NULL, false, true },
    { "export", NULL, 2, 2, "export DIR INSTANCE > FILE   the same as bytes, which hf_replay reads",
      tool_export, NULL, false, true },
    { "sessions", NULL, 1, 1,
      "sessions DIR          open sessions: who holds them, what waits, how long they are quiet",
      tool_sessions, NULL, false, true },
    { "workers", NULL, 1, 1, "workers DIR           registered workers and their leases",
      tool_workers, NULL, false, true },
    { "log", "dump", 1, 1, "log dump DIR          every record", tool_log_dump, NULL, false, true },
    { "log", "verify", 1, 1,
      "log verify DIR        proves each record, and that the indexes are their fold",
      tool_log_verify, NULL, false, true },
    { "suspend", NULL, 2, 3,
      "suspend DIR INSTANCE [REASON]     its code runs no more, until it is resumed", tool_suspend,
      NULL, false, true },
    { "resume", NULL, 2, 2, "resume DIR INSTANCE   its code runs again, whatever suspended it",
      tool_resume, NULL, false, true },
    { "cancel", NULL, 2, 3,
      "cancel DIR INSTANCE [REASON]      asks it to stop; its code may clean up first", tool_cancel,
      NULL, false, true },
    { "terminate", NULL, 2, 3,
      "terminate DIR INSTANCE [REASON]   ends it at once; its code does not run again",
      tool_terminate, NULL, false, true },
    { "restart", NULL, 2, 2,
      "restart DIR INSTANCE [--from-event N]   what has ended runs again: anew, or from that event "
      "on",
      tool_restart, NULL, false, true },
    { "requeue", NULL, 2, 2,
      "requeue DIR INSTANCE  what has ended runs again from its latest dead letter on",
      tool_requeue, NULL, false, true },
    { "rebuild", NULL, 1, 1,
      "rebuild DIR           makes all indexes anew from the log, then verifies; no worker may "
      "live",
      tool_rebuild, NULL, false, true },
    { "demo-worker", NULL, 3, 3, "demo-worker DIR ID SESSIONS", tool_demo_worker, NULL, true,
      false },
};

static int usage(FILE *to)
{
    fputs("holdfast: durable execution in a directory\n\n", to);
    for (size_t i = 0; i < HF_COUNT_OF(subcommands); i++) {
        if (!subcommands[i].is_hidden) fprintf(to, "  holdfast %s\n", subcommands[i].usage);
    }
    fputs(
        "\nCommands from suspend to rebuild change the store, as the demo does its own; the others "
        "open it read-only. All but demo and export take --json: one object a line.\n",
        to);
    return to == stdout ? 0 : 2;
}

static int version(void)
{
    printf("holdfast %d.%d.%d\n", HF_VERSION_MAJOR, HF_VERSION_MINOR, HF_VERSION_PATCH);
    return 0;
}

/* Names the word that is no command: the second one, when the first is half of some. */
static void unknown_tell(int argc, char **argv)
{
    bool is_half = false;
    for (size_t i = 0; i < HF_COUNT_OF(subcommands); i++) {
        is_half = is_half || strcmp(subcommands[i].name, argv[1]) == 0;
    }
    const char *second = is_half && argc > 2 ? argv[2] : "";
    fprintf(stderr, "holdfast: there is no command \"%s%s%s\"\n\n", argv[1], *second ? " " : "",
            second);
}

static int subcommand_usage(const struct subcommand *self, FILE *to)
{
    fprintf(to, "usage: holdfast %s\n", self->usage);
    if (to == stdout && self->help) fputs(self->help, to);
    return to == stdout ? 0 : 2;
}

/* ---- options -------------------------------------------------------------------------------- */

bool tool_number(const char *text, uint64_t *out_number)
{
    int64_t number = 0;
    if (!text || !hf_slice_to_i64(hf_text(text), &number) || number <= 0) return false;
    *out_number = (uint64_t)number;
    return true;
}

/* "500ms", "2s" or "1m" as milliseconds. */
static bool take_time(const char *text, uint64_t *out_ms)
{
    enum { TIME_MIN_MS = 100, TIME_MAX_MS = 3600000 };
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
    int64_t number = 0;
    size_t digits = strspn(text, "0123456789");
    if (!hf_slice_to_i64(hf_bytes(text, digits), &number)) return false;
    for (size_t i = 0; i < HF_COUNT_OF(units); i++) {
        if (strcmp(text + digits, units[i].name) != 0) continue;
        if (number > TIME_MAX_MS) return false;
        *out_ms = (uint64_t)number * units[i].ms;
        return *out_ms >= TIME_MIN_MS && *out_ms <= TIME_MAX_MS;
    }
    return false;
}

static bool take_json(const char *value, struct tool_arguments *arguments)
{
    (void)value;
    arguments->json = true;
    return true;
}

static bool take_count(const char *value, struct tool_arguments *arguments)
{
    return tool_number(value, &arguments->count);
}

static bool take_concurrency(const char *value, struct tool_arguments *arguments)
{
    return tool_number(value, &arguments->concurrency);
}

static bool take_kill_every(const char *value, struct tool_arguments *arguments)
{
    return take_time(value, &arguments->kill_every_ms);
}

static bool take_conversations(const char *value, struct tool_arguments *arguments)
{
    return tool_number(value, &arguments->conversations) && arguments->conversations <= 1000;
}

static bool take_lines(const char *value, struct tool_arguments *arguments)
{
    arguments->lines = value;
    return *value != '\0';
}

static bool take_status(const char *value, struct tool_arguments *arguments)
{
    arguments->suspended = strcmp(value, "suspended") == 0;
    return arguments->suspended || tool_status_find(value, &arguments->status);
}

static bool take_name(const char *value, struct tool_arguments *arguments)
{
    arguments->name = value;
    return *value != '\0';
}

static bool take_from_event(const char *value, struct tool_arguments *arguments)
{
    return tool_number(value, &arguments->from_event) && arguments->from_event >= 2;
}

static bool take_prefix(const char *value, struct tool_arguments *arguments)
{
    arguments->prefix = value;
    return *value != '\0';
}

static const struct option {
    const char *name;
    const char *subcommand; /* NULL: of all */
    const char *wants;      /* the value behind it; NULL: none */
    bool (*take)(const char *value, struct tool_arguments *arguments);
} options[] = {
    { "--json", NULL, NULL, take_json },
    { "--count", "bench", "a number from 1 on", take_count },
    { "--concurrency", "bench", "a number from 1 on", take_concurrency },
    { "--kill-every", "demo", "a time from 100ms to 1h, as 500ms, 2s or 1m", take_kill_every },
    { "--conversations", "demo", "a number from 1 to 1000", take_conversations },
    { "--lines", "demo", "the path of a text", take_lines },
    { "--status", "instances",
      "pending, running, suspended, completed, failed, cancelled or terminated", take_status },
    { "--name", "instances", "the name of an orchestration", take_name },
    { "--from-event", "restart", "the number of an event, from 2 on", take_from_event },
    { "--prefix", "instances", "how the ids begin", take_prefix },
};

static const struct option *option_find(const struct subcommand *self, const char *name)
{
    for (size_t i = 0; i < HF_COUNT_OF(options); i++) {
        const struct option *option = &options[i];
        bool is_ours = !option->subcommand || strcmp(option->subcommand, self->name) == 0;
        if (is_ours && strcmp(option->name, name) == 0) return option;
    }
    return NULL;
}

/* Splits options from words; false after saying what is wrong. */
static bool take_arguments(const struct subcommand *self, char **argv,
                           struct tool_arguments *arguments, const char **words)
{
    for (; *argv; argv++) {
        if (strncmp(*argv, "--", 2) != 0 && arguments->words_count < WORDS_MAX) {
            words[arguments->words_count++] = *argv;
            continue;
        }
        const struct option *option = option_find(self, *argv);
        if (!option) {
            fprintf(stderr, "holdfast: %s has no option or room for %s\n", self->name, *argv);
            return false;
        }
        const char *value = option->wants ? argv[1] : NULL;
        if ((option->wants && !value) || !option->take(value, arguments)) {
            fprintf(stderr, "holdfast: %s wants %s, not %s\n", option->name, option->wants,
                    value ? value : "nothing");
            return false;
        }
        if (option->wants) argv++;
    }
    return true;
}

/* Whether what it prints is there as objects, too. */
static bool has_json(const struct subcommand *self)
{
    return strcmp(self->name, "demo") != 0 && strcmp(self->name, "export") != 0;
}

/* What options and words say only together; false after saying what is wrong. */
static bool arguments_agree(const struct subcommand *self, const struct tool_arguments *arguments)
{
    const char *wrong = NULL;
    if (arguments->words_count < self->words_min) wrong = "a word is missing";
    if (arguments->words_count > self->words_max) wrong = "there is a word too many";
    if (arguments->json && !has_json(self)) wrong = "it has no --json";
    if (arguments->lines && arguments->words_count > 0) wrong = "the text is given twice";
    if (arguments->conversations && !arguments->kill_every_ms) {
        wrong = "--conversations is an option of the soak: give --kill-every too";
    }
    if (wrong) fprintf(stderr, "holdfast: %s: %s\n", self->name, wrong);
    return !wrong;
}

static int subcommand_run(const struct subcommand *self, char **argv)
{
    const char *words[WORDS_MAX] = { NULL };
    struct tool_arguments arguments = { .words = words };
    for (char **word = argv; *word; word++) {
        if (strcmp(*word, "--help") == 0) return subcommand_usage(self, stdout);
    }
    if (!take_arguments(self, argv, &arguments, words) || !arguments_agree(self, &arguments)) {
        return subcommand_usage(self, stderr);
    }
    return self->is_guarded ? tool_guard(self->run, &arguments) : self->run(&arguments);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int command_run(int argc, char **argv)
{
    if (argc > 1 && is_help(argv[1])) return usage(stdout);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) return version();
    for (size_t i = 0; argc > 1 && i < HF_COUNT_OF(subcommands); i++) {
        const struct subcommand *candidate = &subcommands[i];
        bool matches = strcmp(candidate->name, argv[1]) == 0 &&
                       (!candidate->second ||
                        (argc > 2 && strcmp(candidate->second, argv[2]) == 0));
        if (matches) return subcommand_run(candidate, argv + (candidate->second ? 3 : 2));
    }
    if (argc > 1) unknown_tell(argc, argv);
    return usage(stderr);
}

int main(int argc, char **argv)
{
    return tool_finish(command_run(argc, argv));
}
