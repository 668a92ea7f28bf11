/* Section 5 of the session cases, and what the project adds to it: processes that hold sessions are
 * killed, and others take over. All leases are ten minutes long: no time decides here. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sessions/crew.h"

enum { TAKEOVER_MS = 1000, ROUNDS = 3, OFFSPRING_MAX_S = 120 };

/* ---- what runs ------------------------------------------------------------------------------ */

/* Two holds on one session at once, at the gates "running" and "queued". */
static hf_status one_behind_the_other(hf_orchestration *o, hf_slice input)
{
    hf_session session = hf_session_open_id(o, "desk");
    hf_future running = hf_schedule_on(o, session, "hold", hf_text("running"));
    hf_future queued = hf_schedule_on(o, session, "hold", hf_text("queued"));
    HF_TRY(hf_await(o, running, NULL));
    HF_TRY(hf_await(o, queued, NULL));
    return hf_complete(o, input);
}

/* Runs `forks` on a session. */
static hf_status has_offspring(hf_orchestration *o, hf_slice input)
{
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(hf_call_on(o, session, "forks", input, NULL));
    return hf_complete(o, input);
}

/* At its first attempt it leaves a child process behind that ends long after the test, says
 * "offspring <pid>", and holds; later ones return. */
static hf_status forks(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    const hf_activity_info *about = hf_activity_about(a);
    if (about->attempt > 1) {
        stage_sayf(stage, "again %s %u", about->worker_id, about->attempt);
        return hf_activity_complete(a, input);
    }
    pid_t offspring = fork();
    if (offspring == 0) alarm(OFFSPRING_MAX_S);
    while (offspring == 0) pause();
    stage_sayf(stage, "offspring %d", (int)offspring);
    hf_activity_wait_cancelled(a, STAGE_LIMIT_MS);
    return HF_CANCELLED;
}

static const struct part parts[] = {
    { "one_behind_the_other", one_behind_the_other, NULL },
    { "has_offspring", has_offspring, NULL },
    { "forks", NULL, forks },
    { NULL, NULL, NULL },
};

static void kill_child(struct crew *crew, struct child *child)
{
    int status = crew_end(crew, child, SIGKILL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- section 5 ------------------------------------------------------------------------------ */

/* The owner of an idle session is killed: what is scheduled on it then runs on another worker. */
static void case_5_1_idle_session_moves_from_a_killed_owner(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
    crew_start_waiting(crew, "desk");
    crew_assert_owner(crew, "desk", "desk", "a");
    crew_spawn(crew, "b", CHILD_ACTIVITIES);
    kill_child(crew, a);
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    assert_string_equal(told[0].worker, "a");
    assert_string_equal(told[1].worker, "b");
    assert_int_not_equal(told[1].epoch, told[0].epoch);
    assert_int_equal(told[1].incarnation, told[0].incarnation);
}

/* Whoever has the session after its owner was killed can tell that the memory is missing: another
 * worker, and the same one started again. */
static void case_5_2_memory_is_known_to_be_missing_after_a_takeover(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
    crew_start_waiting(crew, "to-another");
    crew_start_waiting(crew, "to-itself");
    kill_child(crew, a);
    struct child *b = crew_spawn(crew, "b", CHILD_ACTIVITIES "sessions_max=1 ");
    house_send(&crew->house, "to-another", "go", "");
    assert_int_equal(house_told(&crew->house, "to-another", told, 2), 2);
    assert_string_equal(told[1].worker, "b");
    assert_true(told[1].is_first);
    assert_int_equal(told[1].met, 0);
    assert_int_equal(crew_end(crew, b, SIGTERM), 0);

    crew_spawn(crew, "a", CHILD_ACTIVITIES);
    house_send(&crew->house, "to-itself", "go", "");
    assert_int_equal(house_told(&crew->house, "to-itself", told, 2), 2);
    assert_string_equal(told[1].worker, "a");
    assert_true(told[1].is_first);
    assert_int_equal(told[1].met, 0);
    assert_int_not_equal(told[1].epoch, told[0].epoch);
}

/* The owner is killed in the middle of an activity: the item is delivered again, to the session's
 * new owner, with a higher attempt number. */
static void case_5_3_running_activity_is_delivered_again(void **state)
{
    struct crew *crew = *state;
    char line[STAGE_LINE_SIZE];
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
    house_start(&crew->house, "desk", "hold", "");
    child_expect(a, "held desk a 1", line, sizeof line);
    struct child *b = crew_spawn(crew, "b", CHILD_ACTIVITIES);
    kill_child(crew, a);
    child_expect(b, "held desk", line, sizeof line);
    assert_string_equal(line, "held desk b 2");
    crew_assert_owner(crew, "desk", "desk", "b");

    /* Its cancellation crosses processes: the turn that closes the session is committed here. */
    house_send(&crew->house, "desk", "close", "");
    house_expect(&crew->house, "desk", "HF_SESSION_CLOSED");
    child_expect(b, "told desk b", line, sizeof line);
}

/* All of several sessions of a killed worker become claimable. */
static void case_5_4_all_sessions_of_a_killed_worker_move(void **state)
{
    static const char *const instances[] = { "x", "y", "z" };
    struct crew *crew = *state;
    struct told told[2];
    struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
    for (int i = 0; i < 3; i++) {
        crew_start_waiting(crew, instances[i]);
        crew_assert_owner(crew, instances[i], "desk", "a");
    }
    kill_child(crew, a);
    crew_spawn(crew, "b", CHILD_ACTIVITIES);
    for (int i = 0; i < 3; i++) house_send(&crew->house, instances[i], "go", "");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(house_told(&crew->house, instances[i], told, 2), 2);
        assert_string_equal(told[1].worker, "b");
        assert_true(told[1].is_first);
    }
}

/* ---- within a second ------------------------------------------------------------------------ */

/* Asserts that a takeover happened within a second most times: a machine may sleep, a lease of ten
 * minutes cannot pass. */
static void assert_within_a_second(const uint64_t took_ms[ROUNDS])
{
    int in_time = 0;
    for (int i = 0; i < ROUNDS; i++) {
        print_message("taken over after %llu ms\n", (unsigned long long)took_ms[i]);
        in_time += took_ms[i] <= TAKEOVER_MS;
    }
    assert_true(in_time > ROUNDS / 2);
}

/* A killed process leaves an activity of its session running and another queued: within a second it
 * is declared dead and both run on a live worker that has room, not on the one that has none. */
static void case_19_5_dead_workers_sessions_run_elsewhere_within_a_second(void **state)
{
    struct crew *crew = *state;
    uint64_t took_ms[ROUNDS];
    char id[32], line[STAGE_LINE_SIZE];
    crew_hire(crew, "full", 4, UINT32_MAX);
    for (int i = 0; i < ROUNDS; i++) {
        struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES "activity_threads=1 ");
        snprintf(id, sizeof id, "desk-%d", i);
        house_start(&crew->house, id, "one_behind_the_other", "");
        child_expect(a, "held desk-", line, sizeof line);
        crew_wait_queued(crew, id, "desk", 1);
        struct child *b = crew_spawn(crew, "b", CHILD_ACTIVITIES);
        kill_child(crew, a);
        uint64_t killed_ms = now_ms();
        child_expect(b, "held desk-", line, sizeof line);
        child_expect(b, "held desk-", line, sizeof line);
        took_ms[i] = now_ms() - killed_ms;
        crew_assert_owner(crew, id, "desk", "b");
        child_open(b, NULL);
        house_expect(&crew->house, id, "");
        assert_int_equal(crew_end(crew, b, SIGTERM), 0);
    }
    assert_within_a_second(took_ms);
    assert_int_equal(stage_count(&crew->house.stage, "held"), 0);
}

/* A child process that an activity forked has all that its parent had open, and outlives it: the
 * takeover waits for it no more than for anything else. */
static void case_19_18_forked_child_does_not_delay_the_takeover(void **state)
{
    struct crew *crew = *state;
    uint64_t took_ms[ROUNDS];
    char id[32], line[STAGE_LINE_SIZE];
    for (int i = 0; i < ROUNDS; i++) {
        int offspring = 0;
        struct child *a = crew_spawn(crew, "a", CHILD_ACTIVITIES);
        snprintf(id, sizeof id, "desk-%d", i);
        house_start(&crew->house, id, "has_offspring", "");
        child_expect(a, "offspring", line, sizeof line);
        assert_int_equal(sscanf(line, "offspring %d", &offspring), 1);
        struct child *b = crew_spawn(crew, "b", CHILD_ACTIVITIES);
        kill_child(crew, a);
        uint64_t killed_ms = now_ms();
        child_expect(b, "again", line, sizeof line);
        took_ms[i] = now_ms() - killed_ms;
        assert_string_equal(line, "again b 2");
        house_expect(&crew->house, id, "");
        assert_int_equal(crew_end(crew, b, SIGTERM), 0);
        assert_int_equal(kill(offspring, SIGKILL), 0); /* it was there all the time */
    }
    assert_within_a_second(took_ms);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_5_1_idle_session_moves_from_a_killed_owner, parts),
        CREW_TEST(case_5_2_memory_is_known_to_be_missing_after_a_takeover, parts),
        CREW_TEST(case_5_3_running_activity_is_delivered_again, parts),
        CREW_TEST(case_5_4_all_sessions_of_a_killed_worker_move, parts),
        CREW_TEST(case_19_5_dead_workers_sessions_run_elsewhere_within_a_second, parts),
        CREW_TEST(case_19_18_forked_child_does_not_delay_the_takeover, parts),
    };
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
