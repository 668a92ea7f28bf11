/* Runs of the command, through a shell. */
#include "tests/process/command.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void command_run(struct command *self, const char *words)
{
    enum { REST_SIZE = 4096 };
    static const char faults[] = "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0";
    char line[1024];
    char rest[REST_SIZE];
    int size = snprintf(line, sizeof line,
                        "exec 2>&1; ulimit -c 0; ASAN_OPTIONS=%s TSAN_OPTIONS=%s exec '%s' %s",
                        faults, faults, HOLDFAST_COMMAND, words);
    assert_true(size > 0 && (size_t)size < sizeof line);
    FILE *from = popen(line, "r");
    assert_non_null(from);
    size_t read_size = fread(self->output, 1, sizeof self->output - 1, from);
    self->output[read_size] = '\0';
    while (fread(rest, 1, sizeof rest, from) > 0) continue;
    int status = pclose(from);
    if (!WIFEXITED(status)) fail_msg("holdfast %s: signal %d", words, WTERMSIG(status));
    self->exit_status = WEXITSTATUS(status);
}

void command_must(const struct command *self, int exit_status, const char *said)
{
    if (self->exit_status == exit_status && strstr(self->output, said)) return;
    fail_msg("status %d instead of %d, or no \"%s\" in:\n%s", self->exit_status, exit_status, said,
             self->output);
}

void command_must_not(const struct command *self, const char *said)
{
    if (strstr(self->output, said)) fail_msg("\"%s\" in:\n%s", said, self->output);
}
