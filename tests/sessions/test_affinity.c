/* Sections 2 and 3 of the session cases, 19.11 and 19.15: which worker runs what.
 *
 * Where a session stays, another worker has room and has just shown it: it has run ordinary work
 * since the session's activity was queued. */
#include <stdio.h>
#include <string.h>

#include "tests/sessions/crew.h"

/* ---- orchestrations ------------------------------------------------------------------------- */

static const hf_session nowhere = { 0 };

/* Three activities in a row on one session: a hold at the gate that its input names, two tells. */
static hf_status in_a_row(hf_orchestration *o, hf_slice gate)
{
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(hf_call_on(o, session, "hold", gate, NULL));
    HF_TRY(stage_tell(o, session, &lines));
    HF_TRY(stage_tell(o, session, &lines));
    return hf_complete(o, lines);
}

/* An ordinary hold; the status tells that it is scheduled. */
static hf_status in_the_way(hf_orchestration *o, hf_slice gate)
{
    hf_future held = hf_schedule(o, "hold", gate);
    hf_status_set(o, hf_text("scheduled"));
    HF_TRY(hf_await(o, held, NULL));
    return hf_complete(o, gate);
}

/* As many activities on one session as its input says, all scheduled at once. */
static hf_status at_once(hf_orchestration *o, hf_slice input)
{
    int64_t count = 0;
    hf_slice lines = HF_EMPTY;
    if (!hf_slice_to_i64(input, &count)) return hf_fail(o, "input", "no number");
    hf_session session = hf_session_open_id(o, "desk");
    hf_future *futures = hf_alloc(o, (size_t)count * sizeof *futures);
    for (int64_t i = 0; i < count; i++) futures[i] = hf_schedule_on(o, session, "tell", lines);
    for (int64_t i = 0; i < count; i++) {
        hf_slice report;
        HF_TRY(hf_await(o, futures[i], &report));
        lines = stage_add(o, lines, report);
    }
    return hf_complete(o, lines);
}

/* An activity on a session, the external event "go", another one. */
static hf_status around_an_event(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    hf_future go = hf_event_wait(o, "go");
    hf_status_set(o, hf_text("waiting"));
    HF_TRY(hf_await(o, go, NULL));
    HF_TRY(stage_tell(o, session, &lines));
    return hf_complete(o, lines);
}

/* Holds on two sessions at once, at the gate that its input names. */
static hf_status two_held(hf_orchestration *o, hf_slice gate)
{
    hf_future x = hf_schedule_on(o, hf_session_open_id(o, "x"), "hold", gate);
    hf_future y = hf_schedule_on(o, hf_session_open_id(o, "y"), "hold", gate);
    HF_TRY(hf_await(o, x, NULL));
    HF_TRY(hf_await(o, y, NULL));
    return hf_complete(o, gate);
}

/* Holds on a session, and meanwhile runs an ordinary activity; the output is what that one saw. */
static hf_status beside_a_held_one(hf_orchestration *o, hf_slice gate)
{
    hf_slice lines = HF_EMPTY;
    hf_future held = hf_schedule_on(o, hf_session_open_id(o, "desk"), "hold", gate);
    HF_TRY(hf_dequeue(o, "go", NULL));
    HF_TRY(stage_tell(o, nowhere, &lines));
    hf_status_set(o, hf_text("told"));
    HF_TRY(hf_await(o, held, NULL));
    return hf_complete(o, lines);
}

static hf_status on_and_off(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    HF_TRY(stage_tell(o, hf_session_open_id(o, "desk"), &lines));
    HF_TRY(stage_tell(o, nowhere, &lines));
    return hf_complete(o, lines);
}

/* Several holds on one session at once: gates "0", "1", "2". */
static hf_status overlapping(hf_orchestration *o, hf_slice input)
{
    enum { COUNT = 3 };
    hf_future futures[COUNT];
    hf_session session = hf_session_open_id(o, "desk");
    for (int i = 0; i < COUNT; i++) {
        futures[i] = hf_schedule_on(o, session, "hold", hf_format(o, "%d", i));
    }
    for (int i = COUNT; i-- > 0;) {
        HF_TRY(hf_await(o, futures[i], NULL));
        hf_status_set(o, hf_format(o, "%d", i));
    }
    return hf_complete(o, input);
}

/* Two activities on a session with the tag "gpu": one says so, the other leaves it to the session.
 */
static hf_status tagged(hf_orchestration *o, hf_slice input)
{
    hf_slice report;
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_with(
        o, HF_WITH(hf_session_options, .id = "desk", .tag = "gpu"));
    HF_TRY(hf_call_with(o,
                        HF_WITH(hf_activity_options, .name = "tell", .input = input,
                                .session = session, .tag = "gpu"),
                        &report));
    lines = stage_add(o, lines, report);
    HF_TRY(stage_tell(o, session, &lines));
    return hf_complete(o, lines);
}

/* Schedules with another tag on such a session. */
static hf_status mistagged(hf_orchestration *o, hf_slice input)
{
    hf_session session = hf_session_open_with(
        o, HF_WITH(hf_session_options, .id = "desk", .tag = "gpu"));
    hf_schedule_with(o, HF_WITH(hf_activity_options, .name = "tell", .input = input,
                                .session = session, .tag = "cpu"));
    return hf_complete(o, input);
}

static const struct part parts[] = {
    { "in_a_row", in_a_row, NULL },
    { "in_the_way", in_the_way, NULL },
    { "at_once", at_once, NULL },
    { "around_an_event", around_an_event, NULL },
    { "two_held", two_held, NULL },
    { "beside_a_held_one", beside_a_held_one, NULL },
    { "on_and_off", on_and_off, NULL },
    { "overlapping", overlapping, NULL },
    { "tagged", tagged, NULL },
    { "mistagged", mistagged, NULL },
    { NULL, NULL, NULL },
};

/* Starts one whose first activity waits because there is no room. */
static void start_queued(struct crew *crew, const char *instance)
{
    house_start(&crew->house, instance, "waits", "");
    crew_wait_queued(crew, instance, "desk", 1);
}

/* ---- section 2 ------------------------------------------------------------------------------ */

/* Three activities in a row run on one worker: although something is in the way there, and another
 * worker has nothing to do. */
static void case_2_1_activities_in_a_row_share_one_worker(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "in_a_row", "first");
    stage_wait(&crew->house.stage, "held desk a 1 first", 1);
    house_start(&crew->house, "other", "in_the_way", "other");
    house_wait_status(&crew->house, "other", "scheduled");
    stage_open(&crew->house.stage, "first");
    stage_wait(&crew->house.stage, "held other a 1 other", 1);
    crew_hire(crew, "b", 1, 0);
    crew_wait_queued(crew, "desk", "desk", 1);
    crew_run_ordinary(crew, "hello");
    crew_wait_queued(crew, "desk", "desk", 1);
    stage_open(&crew->house.stage, "other");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(told[i].worker, "a");
        assert_int_equal(told[i].epoch, told[0].epoch);
        assert_int_equal(told[i].met, i);
    }
}

/* The same around a wait for an external event: the worker is the same, and has kept its memory. */
static void case_2_2_session_stays_through_an_external_event(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    hf_error error = { 0 };
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "around_an_event", "");
    house_wait_status(&crew->house, "desk", "waiting");
    house_start(&crew->house, "other", "in_the_way", "other");
    stage_wait(&crew->house.stage, "held other a 1 other", 1);
    crew_hire(crew, "b", 1, 0);
    assert_ok(hf_raise(crew->house.store, "desk", "go", hf_text(""), &error), &error);
    crew_wait_queued(crew, "desk", "desk", 1);
    crew_run_ordinary(crew, "hello");
    crew_wait_queued(crew, "desk", "desk", 1);
    stage_open(&crew->house.stage, "other");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    crew_assert_one_claim(told, 2);
    assert_string_equal(told[1].worker, "a");
}

/* Two sessions of one orchestration are busy at once in two workers, each with room for one. */
static void case_2_3_two_sessions_run_on_two_workers_at_once(void **state)
{
    struct crew *crew = *state;
    crew_hire(crew, "a", 2, 1);
    crew_hire(crew, "b", 2, 1);
    house_start(&crew->house, "pair", "two_held", "gate");
    stage_wait(&crew->house.stage, "held pair a 1", 1);
    stage_wait(&crew->house.stage, "held pair b 1", 1);
    stage_open(&crew->house.stage, "gate");
    house_expect(&crew->house, "pair", "gate");
}

/* While the one thread of its session's owner is taken, an orchestration's ordinary activity runs
 * elsewhere. */
static void case_2_4_ordinary_activity_runs_beside_a_busy_owner(void **state)
{
    struct crew *crew = *state;
    struct told told;
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "beside_a_held_one", "gate");
    stage_wait(&crew->house.stage, "held desk a 1 gate", 1);
    crew_hire(crew, "b", 1, 0);
    house_send(&crew->house, "desk", "go", "");
    house_wait_status(&crew->house, "desk", "told");
    stage_open(&crew->house.stage, "gate");
    assert_int_equal(house_told(&crew->house, "desk", &told, 1), 1);
    assert_string_equal(told.worker, "b");
    assert_int_equal(stage_count(&crew->house.stage, "told desk"), 0);
}

/* An activity on a session reads its session from its context. */
static void case_2_5_session_activity_reads_its_session(void **state)
{
    struct crew *crew = *state;
    struct house_session row;
    struct told told[2];
    crew_hire(crew, "a", 1, 0);
    crew_start_waiting(crew, "desk");
    assert_true(house_session(&crew->house, "desk", "desk", &row));
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(told[i].session, "desk");
        assert_int_equal(told[i].incarnation, row.incarnation);
        assert_int_equal(told[i].epoch, row.epoch);
    }
}

/* An ordinary activity reads no session, also in a worker that holds one of its instance. */
static void case_2_6_ordinary_activity_reads_no_session(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "i", "on_and_off", "");
    assert_int_equal(house_told(&crew->house, "i", told, 2), 2);
    assert_string_equal(told[0].session, "desk");
    assert_string_equal(told[1].session, "-");
    assert_int_equal(told[1].incarnation, 0);
    assert_int_equal(told[1].epoch, 0);
    assert_int_equal(told[1].met, 0);
}

/* ---- section 3 ------------------------------------------------------------------------------ */

/* One session is claimed by the first of two runtimes, the other by the second; later work goes
 * where the claims are. */
static void case_3_1_later_work_follows_the_claims(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    crew_hire(crew, "first", 2, 1);
    crew_start_waiting(crew, "A");
    crew_hire(crew, "second", 2, 0);
    crew_start_waiting(crew, "B");
    crew_assert_owner(crew, "A", "desk", "first");
    crew_assert_owner(crew, "B", "desk", "second");
    house_send(&crew->house, "B", "go", "");
    house_send(&crew->house, "A", "go", "");
    assert_int_equal(house_told(&crew->house, "A", told, 2), 2);
    crew_assert_one_claim(told, 2);
    assert_string_equal(told[1].worker, "first");
    assert_int_equal(house_told(&crew->house, "B", told, 2), 2);
    crew_assert_one_claim(told, 2);
    assert_string_equal(told[1].worker, "second");
}

/* Many activities of one session, offered to two workers at once: one claims it, and all go there.
 */
static void case_3_2_one_of_two_competitors_gets_all(void **state)
{
    enum { COUNT = 40 };
    struct crew *crew = *state;
    struct told told[COUNT];
    hf_runtime *a = crew_hire(crew, "a", 2, 0);
    hf_runtime *b = crew_hire(crew, "b", 2, 0);
    house_start(&crew->house, "desk", "at_once", "40");
    assert_int_equal(house_told(&crew->house, "desk", told, COUNT), COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(told[i].worker, told[0].worker);
        assert_int_equal(told[i].epoch, told[0].epoch);
    }
    assert_true(house_metric(a, "sessions_claimed") + house_metric(b, "sessions_claimed") == 1);
}

/* A third session waits at a worker with room for two, until one of them ends; a fourth goes to
 * another worker that has room. */
static void case_3_3_sessions_beyond_the_room_wait_or_go_elsewhere(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    crew_hire(crew, "a", 4, 2);
    crew_start_waiting(crew, "first");
    crew_start_waiting(crew, "second");
    start_queued(crew, "third");
    crew_run_ordinary(crew, "hello"); /* a has fetched since, and has room for activities */
    crew_assert_owner(crew, "third", "desk", "");

    house_send(&crew->house, "first", "go", "");
    assert_int_equal(house_told(&crew->house, "first", told, 2), 2);
    house_wait_status(&crew->house, "third", "waiting");
    crew_assert_owner(crew, "third", "desk", "a");

    start_queued(crew, "fourth");
    crew_hire(crew, "b", 4, 2);
    house_wait_status(&crew->house, "fourth", "waiting");
    crew_assert_owner(crew, "fourth", "desk", "b");
}

/* The only worker is full, and runs ordinary activities all the same. */
static void case_3_4_full_worker_runs_ordinary_activities(void **state)
{
    struct crew *crew = *state;
    crew_hire(crew, "a", 1, 1);
    crew_start_waiting(crew, "own");
    start_queued(crew, "other");
    crew_run_ordinary(crew, "hello");
    crew_assert_owner(crew, "other", "desk", "");
}

/* The only worker is full, with work of another session waiting in front, and runs activities of
 * the session that it owns. */
static void case_3_5_full_worker_runs_its_own_sessions(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    crew_hire(crew, "a", 1, 1);
    crew_start_waiting(crew, "own");
    start_queued(crew, "other");
    house_send(&crew->house, "own", "go", "");
    assert_int_equal(house_told(&crew->house, "own", told, 2), 2);
    crew_assert_one_claim(told, 2);
}

/* ---- order ---------------------------------------------------------------------------------- */

/* Activities of one session run at the same time in its owner, and end in any order: the one that
 * was scheduled last ends first. */
static void case_19_11_activities_of_one_session_overlap(void **state)
{
    struct crew *crew = *state;
    char last[] = "2";
    crew_hire(crew, "a", 3, 0);
    crew_hire(crew, "b", 3, 0);
    house_start(&crew->house, "desk", "overlapping", "");
    stage_wait(&crew->house.stage, "held desk", 3);
    size_t on_a = stage_count(&crew->house.stage, "held desk a");
    assert_true(on_a == 0 || on_a == 3);
    for (; last[0] >= '0'; last[0]--) {
        stage_open(&crew->house.stage, last);
        if (last[0] > '0') house_wait_status(&crew->house, "desk", last);
    }
    house_expect(&crew->house, "desk", "");
}

/* ---- tags ----------------------------------------------------------------------------------- */

/* A worker that serves these tags, up to a NULL. */
static hf_runtime *hire_for(struct crew *crew, const char *worker_id, const char *const *tags)
{
    uint32_t count = 0;
    while (tags[count]) count++;
    return crew_hire_with(crew, HF_WITH(hf_runtime_options, .worker_id = worker_id,
                                        .orchestration_threads = UINT32_MAX, .activity_threads = 2,
                                        .tags = tags, .tags_count = count));
}

/* A session with a tag is claimed by a worker of that tag, and not by one without tags, or with
 * another, that has room and has fetched. Work with another tag on it is an application error. */
static void case_19_15_tagged_session_is_claimed_by_its_tag_alone(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    hf_error error;
    crew_hire(crew, "plain", 2, 0);
    hire_for(crew, "other", (const char *const[]){ "cpu", "tpu", NULL });
    house_start(&crew->house, "desk", "tagged", "");
    crew_wait_queued(crew, "desk", "desk", 1);
    crew_run_ordinary(crew, "hello");
    crew_assert_owner(crew, "desk", "desk", "");
    hire_for(crew, "right", (const char *const[]){ "cpu", "gpu", NULL });
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    crew_assert_one_claim(told, 2);
    assert_string_equal(told[0].worker, "right");

    house_start(&crew->house, "wrong", "mistagged", "");
    house_failure(&crew->house, "wrong", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "session_tag");
    assert_non_null(strstr(error.message, "desk"));
    assert_non_null(strstr(error.message, "gpu"));
    assert_non_null(strstr(error.message, "cpu"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_2_1_activities_in_a_row_share_one_worker, parts),
        CREW_TEST(case_2_2_session_stays_through_an_external_event, parts),
        CREW_TEST(case_2_3_two_sessions_run_on_two_workers_at_once, parts),
        CREW_TEST(case_2_4_ordinary_activity_runs_beside_a_busy_owner, parts),
        CREW_TEST(case_2_5_session_activity_reads_its_session, parts),
        CREW_TEST(case_2_6_ordinary_activity_reads_no_session, parts),
        CREW_TEST(case_3_1_later_work_follows_the_claims, parts),
        CREW_TEST(case_3_2_one_of_two_competitors_gets_all, parts),
        CREW_TEST(case_3_3_sessions_beyond_the_room_wait_or_go_elsewhere, parts),
        CREW_TEST(case_3_4_full_worker_runs_ordinary_activities, parts),
        CREW_TEST(case_3_5_full_worker_runs_its_own_sessions, parts),
        CREW_TEST(case_19_11_activities_of_one_session_overlap, parts),
        CREW_TEST(case_19_15_tagged_session_is_claimed_by_its_tag_alone, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
