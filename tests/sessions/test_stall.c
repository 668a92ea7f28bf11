/* 19.6, 19.13 and 19.19 of the session cases: processes that stand still, and go on. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/sessions/crew.h"

/* Short leases, so that they pass while a process stands; the clock is the machine's. */
#define SHORT_LEASES "orchestration_threads=none item_lock_ms=500 session_lock_ms=500 "

/* ---- what runs ------------------------------------------------------------------------------ */

/* An activity on the session "desk", a hold at the gate, another activity. */
static hf_status around_a_hold(hf_orchestration *o, hf_slice gate)
{
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    HF_TRY(hf_call_on(o, session, "hold", gate, NULL));
    HF_TRY(stage_tell(o, session, &lines));
    return hf_complete(o, lines);
}

/* A hold at the gate on the session "desk". */
static hf_status holds(hf_orchestration *o, hf_slice gate)
{
    HF_TRY(hf_call_on(o, hf_session_open_id(o, "desk"), "hold", gate, NULL));
    return hf_complete(o, gate);
}

/* The same on no session. */
static hf_status holds_free(hf_orchestration *o, hf_slice gate)
{
    HF_TRY(hf_call(o, "hold", gate, NULL));
    return hf_complete(o, gate);
}

/* Three activities on the session "desk", with the mailbox "go" between them. */
static hf_status thrice(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    hf_status_set(o, hf_text("told"));
    for (int i = 0; i < 2; i++) {
        HF_TRY(hf_dequeue(o, "go", NULL));
        HF_TRY(stage_tell(o, session, &lines));
    }
    return hf_complete(o, lines);
}

static const struct part parts[] = {
    { "around_a_hold", around_a_hold, NULL },
    { "holds", holds, NULL },
    { "holds_free", holds_free, NULL },
    { "thrice", thrice, NULL },
    { NULL, NULL, NULL },
};

struct passed_wait {
    struct crew *crew;
    const char *instance;
};

static bool has_passed(void *context)
{
    struct passed_wait *wait = context;
    struct house_session row;
    return house_session(&wait->crew->house, wait->instance, "desk", &row) &&
           row.lease_left_ms == 0;
}

/* Waits until the lease of the session "desk" has passed. */
static void wait_passed(struct crew *crew, const char *instance)
{
    struct passed_wait wait = { crew, instance };
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &wait, has_passed));
}

static void go_on(const struct child *child)
{
    assert_int_equal(kill(child->pid, SIGCONT), 0);
}

/* History has recorded so many completions of activities. */
static void assert_completions(struct crew *crew, const char *instance, int expected)
{
    char history[HOUSE_TEXT_SIZE];
    int count = 0;
    house_history(&crew->house, instance, history, sizeof history);
    for (const char *at = history; (at = strstr(at, "activity_completed")); at++) count++;
    assert_int_equal(count, expected);
}

/* ---- a worker that stood past its lease ----------------------------------------------------- */

/* Nobody took anything over: the ack is accepted, and the epoch stays. */
static void go_on_undisturbed(struct crew *crew)
{
    struct told told[2];
    char line[STAGE_LINE_SIZE];
    struct child *a = crew_spawn(crew, "a", SHORT_LEASES);
    house_start(&crew->house, "lone", "around_a_hold", "gate");
    child_expect(a, "held lone a 1 gate", line, sizeof line);
    child_stop(a);
    wait_passed(crew, "lone");
    child_open(a, "gate");
    go_on(a);
    assert_int_equal(house_told(&crew->house, "lone", told, 2), 2);
    crew_assert_one_claim(told, 2);
    assert_string_equal(told[1].worker, "a");
    assert_completions(crew, "lone", 3);
    assert_int_equal(crew_end(crew, a, SIGTERM), 0);
}

static bool begins(const char *line, const char *begin)
{
    return strncmp(line, begin, strlen(begin)) == 0;
}

/* Reads lines of the child until both were there, in any order. */
static void expect_both(struct child *child, const char *one, const char *other)
{
    char line[STAGE_LINE_SIZE];
    bool has_one = false;
    bool has_other = false;
    while (!has_one || !has_other) {
        if (!child_line(child, line, sizeof line)) {
            fail_msg("the child ended without \"%s\" and \"%s\"", one, other);
        }
        has_one = has_one || begins(line, one);
        has_other = has_other || begins(line, other);
    }
}

/* Everything was taken over. "x" while the worker stood: when it goes on, its activity is told to
 * stop. It logs that, and is kept there, so that it learns nothing more. Then its lease passes
 * again, "y" and the ordinary "w" are taken over, and its acks are refused, each with its reason.
 * Last "z" is taken over, which is idle; it is released in vain by the worker, which is asked to
 * stop. */
static void go_on_fenced(struct crew *crew)
{
    struct stage *stage = &crew->house.stage;
    struct told told[3];
    char line[STAGE_LINE_SIZE];
    struct child *a = crew_spawn(crew, "a", SHORT_LEASES);
    house_start(&crew->house, "z", "thrice", "");
    house_wait_status(&crew->house, "z", "told");
    house_start(&crew->house, "x", "holds", "x");
    child_expect(a, "held x a 1 x", line, sizeof line);
    house_start(&crew->house, "y", "holds", "y");
    child_expect(a, "held y a 1 y", line, sizeof line);
    house_start(&crew->house, "w", "holds_free", "w");
    child_expect(a, "held w a 1 w", line, sizeof line);
    child_watch(a, "session.lost");

    child_stop(a);
    crew_hire(crew, "b", 1, 1);
    stage_wait(stage, "held x b 2 x", 1);
    go_on(a);
    expect_both(a, "told x a", "log session.lost a x desk");

    crew_hire(crew, "c", 3, 0);
    stage_wait(stage, "held y c 2 y", 1);
    stage_wait(stage, "held w c 2 w", 1);
    child_open(a, "y");
    child_open(a, "w");
    expect_both(a, "log activity.stale a y desk: HF_STALE epoch",
                "log activity.stale a w -: HF_STALE superseded");

    wait_passed(crew, "z");
    house_send(&crew->house, "z", "go", "");
    stage_wait(stage, "tell z c", 1);
    child_retire(a);
    child_open(a, "session.lost");
    child_expect(a, "log session.lost a z desk", line, sizeof line);
    assert_int_equal(crew_end(crew, a, 0), 0);
    crew_assert_owner(crew, "z", "desk", "c");

    house_send(&crew->house, "z", "go", "");
    assert_int_equal(house_told(&crew->house, "z", told, 3), 3);
    crew_assert_one_claim(told + 1, 2);
    stage_open(stage, NULL);
    house_expect(&crew->house, "x", "x");
    house_expect(&crew->house, "y", "y");
    house_expect(&crew->house, "w", "w");
    assert_completions(crew, "x", 1);
    assert_completions(crew, "y", 1);
    assert_completions(crew, "w", 1);
    assert_completions(crew, "z", 3);
}

/* A worker that stood past its lease: fenced in all that others took over meanwhile, and not
 * disturbed in what nobody wanted. */
static void case_19_6_worker_that_stood_past_its_lease(void **state)
{
    struct crew *crew = *state;
    go_on_undisturbed(crew);
    go_on_fenced(crew);
}

/* A session moves from A to B and back to A, whose process lives on: its memory of the first claim
 * was destroyed once, and is not met again. */
static void case_19_19_memory_of_a_former_claim_is_not_met_again(void **state)
{
    struct crew *crew = *state;
    struct told told[3];
    char line[STAGE_LINE_SIZE];
    int forgotten = 0;
    struct child *a = crew_spawn(crew, "a", SHORT_LEASES);
    house_start(&crew->house, "desk", "thrice", "");
    house_wait_status(&crew->house, "desk", "told");
    child_stop(a);
    wait_passed(crew, "desk");
    hf_runtime *b = crew_hire(crew, "b", 2, 0);
    house_send(&crew->house, "desk", "go", "");
    stage_wait(&crew->house.stage, "tell desk b", 1);
    go_on(a);
    child_expect(a, "forgotten a", line, sizeof line);
    crew_dismiss(crew, b);
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 3), 3);
    assert_string_equal(told[0].worker, "a");
    assert_string_equal(told[1].worker, "b");
    assert_string_equal(told[2].worker, "a");
    assert_true(told[2].is_first);
    assert_int_equal(told[2].met, 0);
    assert_int_equal(kill(a->pid, SIGTERM), 0);
    while (child_line(a, line, sizeof line)) forgotten += strcmp(line, "forgotten a") == 0;
    assert_int_equal(crew_end(crew, a, 0), 0);
    assert_int_equal(forgotten, 1); /* that of the last claim */
}

/* ---- a process that stands inside a commit -------------------------------------------------- */

enum { CALL_DEADLINE_MS = 300, REPORT_MIN_MS = 1000, REPORT_MAX_MS = 2000 };

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void note_started(void *user, const hf_error *error)
{
    stage_sayf(user, "started %s", hf_status_name(error->status));
}

/* Starts an instance without waiting for the answer, which is said on the stage. */
static void submit_start(struct crew *crew, const char *instance)
{
    hf_error error = { 0 };
    const hf_command start = { .size = sizeof start,
                               .kind = HF_COMMAND_START,
                               .instance = instance,
                               .name = "hello",
                               .data = HF_SLICE("world"),
                               .on_done = note_started,
                               .user = &crew->house.stage };
    assert_ok(hf_submit(crew->house.store, &start, &error), &error);
}

/* The stall is reported with the process that it is of; returns after how many milliseconds. */
static uint64_t stall_report(struct crew *crew, const struct child *stalling, size_t number)
{
    char line[STAGE_LINE_SIZE], pid[32];
    uint64_t begin_ms = now_ms();
    submit_start(crew, number == 1 ? "late-1" : "late-2");
    stage_line(&crew->house.stage, "log store.stalled", number, line, sizeof line);
    uint64_t took_ms = now_ms() - begin_ms;
    snprintf(pid, sizeof pid, "process %d ", (int)stalling->pid);
    if (!strstr(line, pid)) fail_msg("\"%s\" does not name \"%s\"", line, pid);
    assert_true(took_ms >= REPORT_MIN_MS);
    return took_ms;
}

/* A process stands inside its commit and stops all writers. Others report it; calls with a deadline
 * are busy; and when it goes on, or is killed, everything goes on. The lease of "a", which could
 * not renew and then stands itself so that it cannot be the first, has passed; and yet its session
 * and its running activity are not taken from it. */
static void case_19_13_process_stands_inside_a_commit(void **state)
{
    struct crew *crew = *state;
    struct stage *stage = &crew->house.stage;
    struct told told[2];
    char line[STAGE_LINE_SIZE];
    uint64_t took_ms[2];
    hf_error error = { 0 };
    hf_runtime_free(crew->orchestrator);
    house_reopen(&crew->house, CALL_DEADLINE_MS);
    crew->orchestrator = house_orchestrator(&crew->house);
    struct child *a = crew_spawn(crew, "a", SHORT_LEASES "activity_threads=1 ");
    struct child *x = crew_spawn(crew, "x", SHORT_LEASES "activity_threads=none ");
    house_start(&crew->house, "desk", "around_a_hold", "gate");
    child_expect(a, "held desk a 1 gate", line, sizeof line);
    hf_runtime *b = crew_hire(crew, "b", 2, 0);

    for (int i = 0; i < 2; i++) {
        child_freeze(x);
        took_ms[i] = stall_report(crew, x, (size_t)i + 1);
        print_message("reported after %llu ms\n", (unsigned long long)took_ms[i]);
        assert_status(hf_start(crew->house.store, "refused", "hello", hf_text(""), &error),
                      HF_BUSY);
        wait_passed(crew, "desk");
        child_stop(a);
        if (i == 0) go_on(x);
        if (i == 1) crew_end(crew, x, SIGKILL);
        stage_wait(stage, "started HF_OK", (size_t)i + 1);
        house_expect(&crew->house, i == 0 ? "late-1" : "late-2", "Hello, world!"); /* by b */
        crew_assert_owner(crew, "desk", "desk", "a");
        go_on(a);
    }
    house_wait_gone(&crew->house, "x");
    assert_true(took_ms[0] < REPORT_MAX_MS || took_ms[1] < REPORT_MAX_MS);
    child_open(a, "gate");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    crew_assert_one_claim(told, 2);
    assert_string_equal(told[1].worker, "a");
    assert_completions(crew, "desk", 3);
    assert_true(house_metric(b, "sessions_claimed") == 0);
    assert_int_equal(stage_count(stage, "held desk"), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_19_6_worker_that_stood_past_its_lease, parts),
        CREW_TEST(case_19_13_process_stands_inside_a_commit, parts),
        CREW_TEST(case_19_19_memory_of_a_former_claim_is_not_met_again, parts),
    };
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
