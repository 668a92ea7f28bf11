/* Section 4 of the session cases, and 19.17: how a worker keeps its sessions, and lets them go.
 * Long times pass on the clocks of the house, which the test moves. */
#include <stdio.h>
#include <string.h>

#include "engine/base/heap.h"
#include "engine/record.h"
#include "logstore/inspect.h"
#include "runtime/store.h"
#include "tests/sessions/crew.h"

enum { SHORT_MS = 1000, HOUR_MS = 60 * 60 * 1000 };

/* ---- what runs ------------------------------------------------------------------------------ */

/* Two sessions, with an activity on each; the mailbox "close" closes the first, and "go" ends. */
static hf_status closes_one(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session one = hf_session_open_id(o, "one");
    hf_session two = hf_session_open_id(o, "two");
    HF_TRY(stage_tell(o, one, &lines));
    HF_TRY(stage_tell(o, two, &lines));
    hf_status_set(o, hf_text("waiting"));
    HF_TRY(hf_dequeue(o, "close", NULL));
    hf_session_close(o, one);
    hf_status_set(o, hf_text("closed"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, lines);
}

/* Holds on the session "desk" without heeding anything. */
static hf_status stuck_on(hf_orchestration *o, hf_slice gate)
{
    HF_TRY(hf_call_on(o, hf_session_open_id(o, "desk"), "stuck", gate, NULL));
    return hf_complete(o, gate);
}

/* Two activities on the session "desk", with a hold at a gate between them. */
static hf_status around_a_hold(hf_orchestration *o, hf_slice gate)
{
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    HF_TRY(hf_call_on(o, session, "hold", gate, NULL));
    HF_TRY(stage_tell(o, session, &lines));
    return hf_complete(o, lines);
}

static const struct part parts[] = {
    { "closes_one", closes_one, NULL },
    { "stuck_on", stuck_on, NULL },
    { "around_a_hold", around_a_hold, NULL },
    { NULL, NULL, NULL },
};

/* A worker that runs activities alone, with leases of that length. */
static hf_runtime *hire(struct crew *crew, const char *worker_id, uint64_t items_ms,
                        uint64_t sessions_ms)
{
    return crew_hire_with(crew, HF_WITH(hf_runtime_options, .worker_id = worker_id,
                                        .orchestration_threads = UINT32_MAX, .activity_threads = 2,
                                        .item_lock_ms = items_ms, .session_lock_ms = sessions_ms));
}

/* ---- deadlines ------------------------------------------------------------------------------ */

struct deadline_wait {
    struct crew *crew;
    const char *instance;
    uint64_t deadline_ms;
};

/* The deadline of the session "desk" as the store shows it, in boot time of the house; one that has
 * passed is 0. */
static uint64_t deadline_of(const struct deadline_wait *wait)
{
    const hf_clock *clock = &wait->crew->house.clock.clock;
    struct house_session row;
    assert_true(house_session(&wait->crew->house, wait->instance, "desk", &row));
    return row.lease_left_ms > 0 ? clock->boot_ms(clock->self) + row.lease_left_ms : 0;
}

static bool deadline_has_come(void *context)
{
    const struct deadline_wait *wait = context;
    return deadline_of(wait) >= wait->deadline_ms;
}

/* Waits until renewals have moved the deadline forward by so much. */
static void wait_renewed(struct crew *crew, const char *instance, uint64_t by_ms)
{
    const hf_clock *clock = &crew->house.clock.clock;
    struct deadline_wait wait = { crew, instance, 0 };
    wait.deadline_ms = deadline_of(&wait);
    if (wait.deadline_ms == 0) wait.deadline_ms = clock->boot_ms(clock->self);
    wait.deadline_ms += by_ms;
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &wait, deadline_has_come));
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* While an activity of it runs, a session's deadline keeps moving: by more than a lease, and the
 * activity is not disturbed. */
static void case_4_1_deadline_moves_while_an_activity_runs(void **state)
{
    struct crew *crew = *state;
    hire(crew, "a", SHORT_MS, SHORT_MS);
    house_start(&crew->house, "desk", "around_a_hold", "gate");
    stage_wait(&crew->house.stage, "held desk a 1 gate", 1);
    wait_renewed(crew, "desk", SHORT_MS + SHORT_MS / 4);
    assert_int_equal(stage_count(&crew->house.stage, "told desk"), 0);
    assert_int_equal(stage_count(&crew->house.stage, "held desk"), 1);
}

/* A wait of more than a lease between two turns moves no session, although another worker has
 * room. */
static void case_4_2_lease_outlives_a_long_wait(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    hire(crew, "a", SHORT_MS, SHORT_MS);
    crew_start_waiting(crew, "desk");
    hire(crew, "b", SHORT_MS, SHORT_MS);
    wait_renewed(crew, "desk", SHORT_MS + SHORT_MS / 4);
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    crew_assert_one_claim(told, 2);
    assert_string_equal(told[1].worker, "a");
}

/* The owner of a session that is closed is told, forgets that one and its memory, and goes on with
 * the other. The ring tells: no renewal comes within the test. */
static void case_4_3_owner_forgets_a_closed_session(void **state)
{
    struct crew *crew = *state;
    hf_runtime *a = crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "i", "closes_one", "");
    house_wait_status(&crew->house, "i", "waiting");
    assert_true(house_metric(a, "sessions_owned") == 2);
    house_send(&crew->house, "i", "close", "");
    house_wait_metric(a, "sessions_owned", 1);
    stage_wait(&crew->house.stage, "forgotten a", 1);
    assert_int_equal(stage_memories(&crew->house.stage), 1);
    assert_true(house_metric(a, "sessions_closed") == 1);
    assert_true(house_metric(a, "sessions_lost") == 0);
    assert_true(house_metric(a, "renewals") == 0);
    house_send(&crew->house, "i", "go", "");
    house_wait_metric(a, "sessions_owned", 0);
}

/* The releases in the log that a shutdown made: how many records, and sessions in them. */
struct releases {
    struct hf_arena arena;
    size_t records_count, sessions_count;
};

static hf_status releases_visit(void *self, const struct hf_log_visit *visit)
{
    struct releases *releases = self;
    struct hf_sessions_released body;
    hf_error error;
    assert_null(visit->damage);
    if (visit->record.kind != HF_RECORD_SESSIONS_RELEASED) return HF_OK;
    HF_TRY(hf_decode(hf_record_layout(HF_RECORD_SESSIONS_RELEASED), visit->record.body,
                     &releases->arena, &body, &error));
    assert_int_equal(body.reason, HF_REASON_SHUTDOWN);
    releases->records_count++;
    releases->sessions_count += body.sessions.count;
    return HF_OK;
}

static void assert_one_release(struct crew *crew, size_t sessions_count)
{
    struct releases releases = { .records_count = 0 };
    hf_error error = { 0 };
    hf_arena_init(&releases.arena, hf_heap_default());
    assert_ok(hf_log_scan(crew->house.store->backend, 1, &error, &releases, releases_visit),
              &error);
    hf_arena_release(&releases.arena);
    assert_int_equal(releases.records_count, 1);
    assert_int_equal(releases.sessions_count, sessions_count);
}

/* A worker that stops releases its idle sessions at once, in one commit, while an activity of
 * another one drains; those run elsewhere meanwhile, and that one ends where it began. */
static void case_4_4_idle_sessions_are_released_in_one_commit(void **state)
{
    static const char *const idle[] = { "x", "y", "z" };
    struct crew *crew = *state;
    struct told told[2];
    hf_error error = { 0 };
    hf_runtime *a = crew_hire(crew, "a", 2, 0);
    for (int i = 0; i < 3; i++) crew_start_waiting(crew, idle[i]);
    house_start(&crew->house, "busy", "stuck_on", "gate");
    stage_wait(&crew->house.stage, "held busy a 1 gate", 1);
    hf_runtime_stop(a, STAGE_LIMIT_MS, NULL, NULL);
    house_wait_owner(&crew->house, "z", "desk", "");
    assert_one_release(crew, 3);
    crew_assert_owner(crew, "busy", "desk", "a");

    crew_hire(crew, "b", 2, 0);
    for (int i = 0; i < 3; i++) {
        house_send(&crew->house, idle[i], "go", "");
        assert_int_equal(house_told(&crew->house, idle[i], told, 2), 2);
        assert_string_equal(told[1].worker, "b");
    }
    assert_int_equal(stage_count(&crew->house.stage, "log worker.stop a"), 0);
    stage_open(&crew->house.stage, "gate");
    assert_ok(hf_runtime_join(a, &error), &error);
    house_expect(&crew->house, "busy", "gate");
    assert_true(house_metric(a, "activities_completed") == 4);
}

/* Without an idle timeout a session stays owned through hours in which nothing is scheduled on it:
 * its owner is the same, in the same claim, and its memory is there. */
static void case_4_5_idle_session_stays_owned(void **state)
{
    enum { ITEMS_MS = 100, STEP_MS = 5 * 60 * 1000, STEPS = 2 * HOUR_MS / STEP_MS };
    struct crew *crew = *state;
    struct told told[2];
    hf_runtime *a = hire(crew, "a", ITEMS_MS, 600000);
    crew_start_waiting(crew, "desk");
    hf_runtime *b = hire(crew, "b", ITEMS_MS, 600000);
    for (int i = 0; i < STEPS; i++) {
        house_move_clocks(&crew->house, STEP_MS, STEP_MS);
        wait_renewed(crew, "desk", STEP_MS / 2);
    }
    assert_true(house_metric(a, "sessions_owned") == 1);
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    crew_assert_one_claim(told, 2);
    assert_string_equal(told[1].worker, "a");
    assert_true(house_metric(a, "sessions_released") == 0);
    assert_true(house_metric(b, "sessions_claimed") == 0);
}

/* What the log says of the last completion, and of the release for idleness. */
struct idle_times {
    uint64_t completed_unix_ms, released_unix_ms;
    size_t releases_count;
};

static hf_status idle_visit(void *self, const struct hf_log_visit *visit)
{
    struct idle_times *times = self;
    assert_null(visit->damage);
    if (visit->record.kind == HF_RECORD_COMPLETED) {
        times->completed_unix_ms = visit->record.wall_unix_ms;
    } else if (visit->record.kind == HF_RECORD_SESSIONS_RELEASED) {
        times->released_unix_ms = visit->record.wall_unix_ms;
        times->releases_count++;
    }
    return HF_OK;
}

/* With an idle timeout of two seconds a session is released two seconds after its last activity,
 * and not before; another worker claims it then. */
static void case_4_6_idle_session_is_released_in_time(void **state)
{
    enum {
        IDLE_MS = 2000,
        LATE_MS = 2000,
        READING_MS = 10 /* one clock is read before the other */
    };
    struct crew *crew = *state;
    struct idle_times times = { .releases_count = 0 };
    struct told told[2];
    hf_error error = { 0 };
    hf_runtime *a = crew_hire_with(
        crew, HF_WITH(hf_runtime_options, .worker_id = "a", .orchestration_threads = UINT32_MAX,
                      .activity_threads = 2, .sessions_max = 1, .item_lock_ms = 600000,
                      .session_lock_ms = 600000, .session_idle_ms = IDLE_MS));
    crew_start_waiting(crew, "desk");
    crew_assert_owner(crew, "desk", "desk", "a");
    house_wait_owner(&crew->house, "desk", "desk", "");
    assert_ok(hf_log_scan(crew->house.store->backend, 1, &error, &times, idle_visit), &error);
    assert_int_equal(times.releases_count, 1);
    assert_in_range(times.released_unix_ms, times.completed_unix_ms + IDLE_MS - READING_MS,
                    times.completed_unix_ms + IDLE_MS + LATE_MS);
    stage_wait(&crew->house.stage, "forgotten a", 1);
    assert_true(house_metric(a, "sessions_released") == 1);

    house_start(&crew->house, "other", "around_a_hold", "gate"); /* now it has no room */
    stage_wait(&crew->house.stage, "held other a 1 gate", 1);
    crew_hire(crew, "b", 2, 0);
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    assert_string_equal(told[1].worker, "b");
    assert_true(told[1].is_first);
}

/* The wall clock jumps an hour forward, and back by two, while an activity of the session runs and
 * renewals go on: nothing changes its owner. */
static void case_19_17_wall_clock_jumps_move_no_session(void **state)
{
    static const int64_t jumps_ms[] = { HOUR_MS, -2 * HOUR_MS };
    struct crew *crew = *state;
    struct told told[2];
    hire(crew, "a", SHORT_MS, SHORT_MS);
    house_start(&crew->house, "desk", "around_a_hold", "gate");
    stage_wait(&crew->house.stage, "held desk a 1 gate", 1);
    hf_runtime *b = hire(crew, "b", SHORT_MS, SHORT_MS);
    for (size_t i = 0; i < 2; i++) {
        char id[16];
        snprintf(id, sizeof id, "hello-%zu", i);
        house_move_clocks(&crew->house, 0, jumps_ms[i]);
        crew_run_ordinary(crew, id); /* whoever wants it has fetched since */
        wait_renewed(crew, "desk", SHORT_MS / 4);
        crew_assert_owner(crew, "desk", "desk", "a");
    }
    stage_open(&crew->house.stage, "gate");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    crew_assert_one_claim(told, 2);
    assert_int_equal(stage_count(&crew->house.stage, "held desk"), 1);
    assert_true(house_metric(b, "sessions_claimed") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_4_1_deadline_moves_while_an_activity_runs, parts),
        CREW_TEST(case_4_2_lease_outlives_a_long_wait, parts),
        CREW_TEST(case_4_3_owner_forgets_a_closed_session, parts),
        CREW_TEST(case_4_4_idle_sessions_are_released_in_one_commit, parts),
        CREW_TEST(case_4_5_idle_session_stays_owned, parts),
        CREW_TEST(case_4_6_idle_session_is_released_in_time, parts),
        CREW_TEST(case_19_17_wall_clock_jumps_move_no_session, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
