/* `holdfast workers` and `sessions` beside workers that live, and one that was killed when nobody
 * was there to declare it. */
#include "tests/support/child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/process/command.h"

/* As long as one that a runtime makes for itself, and longer. */
#define WORKER_ID "8f14e45fceea167a5a36dedd4bea2543-and-some-more"

static void look(struct command *command, const struct house *house, const char *words)
{
    char line[512];
    snprintf(line, sizeof line, "%s '%s'", words, house->directory.path);
    command_run(command, line);
    command_must(command, 0, WORKER_ID); /* whole: so the lists can be joined */
}

/* Under a worker that lives nothing is made anew, and it is named. */
static void rebuild_must_be_refused(struct command *command, const struct house *house, pid_t pid)
{
    char line[512], who[64];
    snprintf(line, sizeof line, "rebuild '%s'", house->directory.path);
    snprintf(who, sizeof who, "process %lld is a worker of this store", (long long)pid);
    command_run(command, line);
    command_must(command, 1, who);
}

/* A worker is live while its process is, and dead at once when that was killed: it holds no lease
 * then, whatever its row says. The next worker declares it, and is live. */
static void test_killed_worker_is_shown_as_dead(void **state)
{
    static struct command command;
    struct house house;
    struct child worker;
    struct told told[2];
    (void)state;
    house_open(&house, NULL);
    child_start(&worker, house.directory.path, WORKER_ID, "session_lock_ms=600000");
    house_start(&house, "desk", "waits", "");
    house_wait_status(&house, "desk", "waiting");
    look(&command, &house, "workers");
    command_must(&command, 0, " live ");
    look(&command, &house, "sessions --json");
    command_must(&command, 0, "\"owner_state\":\"live\"");
    command_must_not(&command, "\"lease_left_ms\":0,");
    rebuild_must_be_refused(&command, &house, worker.pid);

    child_end(&worker, SIGKILL);
    look(&command, &house, "workers");
    command_must(&command, 0, " dead ");
    command_must(&command, 0, "lease 0.0 s (items 0.0 s)");
    command_must_not(&command, " live ");
    look(&command, &house, "workers --json");
    command_must(&command, 0, "\"state\":\"dead\"");
    command_must(&command, 0, "\"lease_left_ms\":0,");
    look(&command, &house, "sessions");
    command_must(&command, 0, " dead ");
    look(&command, &house, "sessions --json");
    command_must(&command, 0, "\"owner_state\":\"dead\"");
    command_must(&command, 0, "\"lease_left_ms\":0,");

    hf_runtime *heir = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "heir"));
    house_send(&house, "desk", "go", "");
    assert_int_equal(house_told(&house, "desk", told, 2), 2);
    hf_runtime_free(heir);
    house_close(&house);
}

int main(int argc, char **argv)
{
    int status = child_main(argc, argv, NULL);
    if (status >= 0) return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_worker_is_shown_as_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
