/* Section 15 again: activities of sessions that use up their attempts. */
#include "tests/sessions/crew.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logstore/inspect.h"
#include "runtime/store.h"

/* ---- unregistered --------------------------------------------------------------------------- */

/* The code with which an activity failed, as a line. */
static hf_status failure_add(hf_orchestration *o, hf_future future, hf_slice *lines)
{
    hf_status status = hf_await(o, future, NULL);
    const char *code = status == HF_FAILED ? hf_orchestration_error(o)->code
                                           : hf_status_name(status);
    *lines = stage_add(o, *lines, hf_text(code));
    return HF_OK;
}

/* An activity that nobody has, on a session and without one; then one that there is. */
static hf_status asks_for_nobodys(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_session desk = hf_session_open_id(o, "desk");
    hf_future on_desk = hf_schedule_on(o, desk, "nobodys", input);
    hf_future ordinary = hf_schedule(o, "nobodys", input);
    HF_TRY(failure_add(o, on_desk, &lines));
    HF_TRY(failure_add(o, ordinary, &lines));
    HF_TRY(hf_call_on(o, desk, "echo", hf_text("goes on"), &input));
    return hf_complete(o, stage_add(o, lines, input));
}

enum { ATTEMPTS_MAX = 3, ITEMS_COUNT = 2 };

/* For how long the items were handed back, by the records of the log. */
struct delays {
    uint64_t ms[ITEMS_COUNT][ATTEMPTS_MAX]; /* in the order of their event ids */
    size_t counts[ITEMS_COUNT];
    uint64_t first_event_id;
};

static hf_status delays_visit(void *self, const struct hf_log_visit *visit)
{
    struct delays *delays = self;
    struct hf_arena arena;
    union hf_record_body body;
    if (visit->damage) return HF_CORRUPT;
    if (visit->record.kind != HF_RECORD_ABANDONED) return HF_OK;
    hf_arena_init(&arena, hf_heap_default());
    hf_status status = hf_decode(hf_record_layout(HF_RECORD_ABANDONED), visit->record.body, &arena,
                                 &body, NULL);
    hf_arena_release(&arena);
    if (status != HF_OK) return status;
    const struct hf_abandoned *abandoned = &body.abandoned;
    size_t index = (size_t)(abandoned->item.event_id - delays->first_event_id);
    if (index >= ITEMS_COUNT || delays->counts[index] == ATTEMPTS_MAX) return HF_CORRUPT;
    if (abandoned->uncounted || abandoned->reason != HF_REASON_UNREGISTERED) return HF_CORRUPT;
    delays->ms[index][delays->counts[index]++] = abandoned->due_unix_ms -
                                                 visit->record.wall_unix_ms;
    return HF_OK;
}

/* An activity on a session that no worker has registered is handed back for 1 s, 2 s, 4 s, and then
 * fails as poison: exactly as an ordinary one. Its session goes on working. */
static void case_15_8_unregistered_activity_becomes_poison(void **state)
{
    enum { DELAY_MAX_MS = 60000 };
    struct crew *crew = *state;
    struct delays delays = { .first_event_id = 3 };
    hf_error error = { 0 };
    crew_hire_with(crew, HF_WITH(hf_runtime_options, .worker_id = "a",
                                 .orchestration_threads = UINT32_MAX, .activity_threads = 1,
                                 .attempts_max = ATTEMPTS_MAX));
    house_start(&crew->house, "desk", "asks_for_nobodys", "");
    for (size_t i = 1; i <= ATTEMPTS_MAX; i++) {
        stage_wait(&crew->house.stage, "log activity.unregistered a desk desk: ", i);
        stage_wait(&crew->house.stage, "log activity.unregistered a desk -: ", i);
        house_move_clocks(&crew->house, 0, DELAY_MAX_MS);
    }
    house_expect(&crew->house, "desk", "poison\npoison\ngoes on\n");
    assert_int_equal(stage_count(&crew->house.stage, "log activity.poison a desk"), 2);
    assert_ok(hf_log_scan(crew->house.store->backend, 0, &error, &delays, delays_visit), &error);
    for (size_t i = 0; i < ITEMS_COUNT; i++) {
        assert_int_equal(delays.counts[i], ATTEMPTS_MAX);
        for (size_t j = 0; j < ATTEMPTS_MAX; j++) {
            assert_int_equal(delays.ms[i][j], UINT64_C(1000) << j);
        }
    }
}

/* ---- deadly --------------------------------------------------------------------------------- */

/* Two activities on one session at once: one that kills its process, and an innocent one. */
static hf_status runs_a_killer(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_slice report;
    hf_session desk = hf_session_open_id(o, "desk");
    hf_future killer = hf_schedule_on(o, desk, "kill", input);
    hf_future innocent = hf_schedule_on(o, desk, "innocent", input);
    HF_TRY(failure_add(o, killer, &lines));
    hf_status_set(o, hf_text(hf_orchestration_error(o)->message));
    HF_TRY(hf_await(o, innocent, &report));
    lines = stage_add(o, lines, report);
    HF_TRY(hf_call_on(o, desk, "echo", hf_text("goes on"), &report));
    return hf_complete(o, stage_add(o, lines, report));
}

/* How often a process may die beside others until those who were in it are run alone. */
enum { SUSPECT_DEATHS = 2, DEATHS_MAX = 5 };

/* Ends its process, once that is known to be ready: the first times only when the innocent one runs
 * beside it. */
static hf_status kills(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    const hf_activity_info *about = hf_activity_about(a);
    (void)input;
    stage_wait_open(stage, hf_text("killer may go"));
    if (about->attempt <= SUSPECT_DEATHS) stage_wait_open(stage, hf_text("innocent runs"));
    kill(getpid(), SIGKILL);
    return HF_INVALID;
}

/* Says "innocent <attempt>"; returns when it is let go. */
static hf_status is_innocent(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    (void)input;
    stage_sayf(stage, "innocent %u", hf_activity_about(a)->attempt);
    stage_open(stage, "innocent runs");
    stage_wait_open(stage, hf_text("innocent may go"));
    return hf_activity_complete(a, hf_text("innocent"));
}

static const struct part parts[] = {
    { "asks_for_nobodys", asks_for_nobodys, NULL },
    { "runs_a_killer", runs_a_killer, NULL },
    { "kill", NULL, kills },
    { "innocent", NULL, is_innocent },
    { NULL, NULL, NULL },
};

/* Follows a worker until it dies; lets the innocent one go where it runs alone. */
static void follow_to_death(struct crew *crew)
{
    char line[STAGE_LINE_SIZE];
    struct child *child = crew_spawn(crew, "a", CHILD_ACTIVITIES "attempts_max=1");
    child_open(child, "killer may go");
    while (child_line(child, line, sizeof line)) {
        if (strncmp(line, "innocent ", 9) != 0) continue;
        if (strtoul(line + 9, NULL, 10) > SUSPECT_DEATHS) child_open(child, "innocent may go");
    }
    int status = crew_end(crew, child, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Asserts that the custom status of the instance has such a part. */
static void assert_shows(struct house *house, const char *instance, const char *part)
{
    hf_error error = { 0 };
    const hf_instance *shown = NULL;
    char status[STAGE_LINE_SIZE];
    assert_ok(hf_get(house->store, instance, &shown, &error), &error);
    snprintf(status, sizeof status, HF_FMT, HF_ARG(shown->custom_status));
    hf_instance_free(shown);
    if (!strstr(status, part)) fail_msg("\"%s\" has no \"%s\"", status, part);
}

/* An activity that kills its worker each time fails alone, after five deaths. The session goes on
 * working, and the activity that ran beside it completes: deaths are no attempts of its own, of
 * which it has one. */
static void case_15_9_deadly_activity_fails_alone(void **state)
{
    struct crew *crew = *state;
    house_start(&crew->house, "desk", "runs_a_killer", "");
    for (int i = 0; i < DEATHS_MAX; i++) follow_to_death(crew);
    struct child *child = crew_spawn(crew, "a", CHILD_ACTIVITIES "attempts_max=1");
    child_open(child, "innocent may go");
    house_expect(&crew->house, "desk", "poison\ninnocent\ngoes on\n");
    assert_shows(&crew->house, "desk", "died 5 times");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_15_8_unregistered_activity_becomes_poison, parts),
        CREW_TEST(case_15_9_deadly_activity_fails_alone, parts),
    };
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
