/* Spawning and two pipes. Not a fork: a child that shared cmocka's state would run the remaining
 * tests. */
#include "tests/support/role.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { WORDS_MAX = 8 };

static void pipe_make(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0) fail_msg("pipe2: %s", strerror(errno));
}

void hf_role_start(struct hf_role *self, const char *const *words)
{
    char *arguments[WORDS_MAX + 3] = { (char *)"/proc/self/exe", (char *)"--role" };
    size_t count = 2;
    for (; *words; words++) {
        assert_true(count < WORDS_MAX + 2);
        arguments[count++] = (char *)(uintptr_t)*words;
    }
    int to[2];
    int from[2];
    posix_spawn_file_actions_t actions;
    pipe_make(to);
    pipe_make(from);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    int failed = posix_spawn(&self->process, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) fail_msg("posix_spawn: %s", strerror(failed));
    close(to[0]);
    close(from[1]);
    self->to = fdopen(to[1], "w");
    self->from = fdopen(from[0], "r");
    assert_true(self->to && self->from);
}

bool hf_role_hear_any(struct hf_role *self)
{
    if (!fgets(self->line, sizeof self->line, self->from)) return false;
    self->line[strcspn(self->line, "\n")] = '\0';
    return true;
}

const char *hf_role_hear(struct hf_role *self, const char *expected)
{
    if (!hf_role_hear_any(self)) fail_msg("the role ended without saying \"%s\"", expected);
    if (strncmp(self->line, expected, strlen(expected)) != 0) {
        fail_msg("the role said \"%s\" and not \"%s\"", self->line, expected);
    }
    return self->line;
}

void hf_role_say(struct hf_role *self, const char *line)
{
    if (fprintf(self->to, "%s\n", line) < 0 || fflush(self->to) != 0) {
        fail_msg("the role does not listen: %s", strerror(errno));
    }
}

static int role_wait(struct hf_role *self)
{
    int status = 0;
    fclose(self->to);
    while (waitpid(self->process, &status, 0) < 0) {
        if (errno != EINTR) fail_msg("waitpid: %s", strerror(errno));
    }
    fclose(self->from);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void hf_role_kill(struct hf_role *self)
{
    kill(self->process, SIGKILL);
    assert_int_equal(role_wait(self), -SIGKILL);
}

int hf_role_finish(struct hf_role *self)
{
    return role_wait(self);
}

void hf_role_print(const char *line)
{
    printf("%s\n", line);
    fflush(stdout);
}

bool hf_role_is_told(void)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    return poll(&input, 1, 0) != 0;
}

bool hf_role_try_read(char line[HF_ROLE_LINE_SIZE])
{
    if (!fgets(line, HF_ROLE_LINE_SIZE, stdin)) return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

void hf_role_read(char line[HF_ROLE_LINE_SIZE])
{
    if (!hf_role_try_read(line)) _exit(1);
}
