/* 19.7 of the session cases: a worker id is one live process, and comes back after a crash. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/sessions/crew.h"

enum { WINDOW_MS = 60000 }; /* far below the leases */
#define WINDOW "session_reclaim_ms=60000 "

static void kill_and_wait_declared(struct crew *crew, struct child *child)
{
    crew_end(crew, child, SIGKILL);
    house_wait_gone(&crew->house, "a");
}

/* A second process with the id of a live one is refused, with a message that names the id and the
 * other process. */
static void refuse_a_twin(struct crew *crew)
{
    char line[STAGE_LINE_SIZE], pid[32];
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
    child_start_refused(crew->house.directory.path, "a", CHILD_ACTIVITIES, line, sizeof line);
    assert_non_null(strstr(line, "HF_WORKER_ALIVE"));
    snprintf(pid, sizeof pid, "%d", (int)a->pid);
    if (!strstr(line, "\"a\"") && !strstr(line, " a ")) fail_msg("it names no worker: %s", line);
    if (!strstr(line, pid)) fail_msg("it names no process: %s", line);
    assert_int_equal(crew_end(crew, a, SIGTERM), 0);
}

/* The id of a killed process is free at once, under a lease of ten minutes; without a window its
 * session goes to whoever fetches first, also to another worker. */
static void come_back_without_a_window(struct crew *crew)
{
    struct told told[2];
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
    crew_start_waiting(crew, "anybody's");
    crew_end(crew, a, SIGKILL);
    a = crew_spawn(crew, "a", CHILD_ACTIVITIES "sessions_max=none ");
    hf_runtime *b = crew_hire(crew, "b", 2, 0);
    house_send(&crew->house, "anybody's", "go", "");
    assert_int_equal(house_told(&crew->house, "anybody's", told, 2), 2);
    assert_string_equal(told[1].worker, "b");
    crew_dismiss(crew, b);
    assert_int_equal(crew_end(crew, a, SIGTERM), 0);
}

/* With a window the session waits for the same id, although another worker has room and has
 * fetched; and when the window is over, it is anybody's. */
static void come_back_within_a_window(struct crew *crew)
{
    struct told told[2];
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES WINDOW);
    crew_start_waiting(crew, "back");
    crew_start_waiting(crew, "late");
    kill_and_wait_declared(crew, a);
    hf_runtime *b = crew_hire(crew, "b", 2, 0);
    house_send(&crew->house, "back", "go", "");
    crew_wait_queued(crew, "back", "desk", 1);
    crew_run_ordinary(crew, "hello-1");
    crew_wait_queued(crew, "back", "desk", 1);

    a = crew_spawn(crew, "a", CHILD_ACTIVITIES WINDOW);
    assert_int_equal(house_told(&crew->house, "back", told, 2), 2);
    assert_string_equal(told[1].worker, "a");
    assert_true(told[1].is_first);
    assert_int_not_equal(told[1].epoch, told[0].epoch);
    assert_true(house_metric(b, "sessions_claimed") == 0);

    kill_and_wait_declared(crew, a);
    house_send(&crew->house, "late", "go", "");
    crew_wait_queued(crew, "late", "desk", 1);
    crew_run_ordinary(crew, "hello-2");
    crew_wait_queued(crew, "late", "desk", 1);
    house_move_clocks(&crew->house, WINDOW_MS, 0);
    assert_int_equal(house_told(&crew->house, "late", told, 2), 2);
    assert_string_equal(told[1].worker, "b");
}

/* One live process an id; the id is free after a crash; the window. */
static void case_19_7_worker_id_is_one_live_process(void **state)
{
    struct crew *crew = *state;
    refuse_a_twin(crew);
    come_back_without_a_window(crew);
    come_back_within_a_window(crew);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_19_7_worker_id_is_one_live_process, NULL),
    };
    int status = child_main(argc, argv, NULL);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
