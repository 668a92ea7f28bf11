/* Section 11: an instance that ends, in whatever way, leaves no session behind: no row, and nothing
 * that a worker holds. */
#include "tests/sessions/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TELL_LIMIT_MS = 100, /* from the commit to the activity */
    TELL_TRIES_MAX = 5   /* the machine may be busy with something else; a net takes seconds */
};

/* Opens two sessions, and ends as the message says. */
static hf_status leaves_two(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    HF_TRY(hf_call_on(o, hf_session_open_id(o, "left"), "where", input, NULL));
    HF_TRY(hf_call_on(o, hf_session_open_id(o, "right"), "where", input, NULL));
    hf_status_set(o, hf_text("open"));
    HF_TRY(hf_dequeue(o, "end", &message));
    if (hf_slice_equal(message, hf_text("fail"))) return hf_fail(o, "refused", "as it was told");
    return hf_complete(o, hf_text("done"));
}

/* Two activities on two sessions, which run until they are told to stop. */
static hf_status holds_two(hf_orchestration *o, hf_slice input)
{
    hf_session left = hf_session_open_id(o, "left"), right = hf_session_open_id(o, "right");
    HF_TRY(hf_call_on(o, left, "where", input, NULL));
    HF_TRY(hf_call_on(o, right, "where", input, NULL));
    hf_future on_left = hf_schedule_on(o, left, "heed", input);
    hf_future on_right = hf_schedule_on(o, right, "heed", input);
    HF_TRY(hf_await(o, on_left, NULL));
    HF_TRY(hf_await(o, on_right, NULL));
    return hf_complete(o, input);
}

/* Says when it was told to stop: "heeded <instance> <wall clock>". */
static hf_status heed(hf_activity *a, hf_slice input)
{
    struct timespec now;
    const char *instance = hf_activity_about(a)->instance;
    (void)input;
    stage_sayf(hf_activity_user(a), "heeds %s", instance);
    hf_activity_wait_cancelled(a, STAGE_LIMIT_MS);
    clock_gettime(CLOCK_REALTIME, &now);
    stage_sayf(hf_activity_user(a), "heeded %s %lld", instance,
               (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    return HF_CANCELLED;
}

static const struct part parts[] = {
    { "leaves_two", leaves_two, NULL },
    { "holds_two", holds_two, NULL },
    { "heed", NULL, heed },
    { NULL, NULL, NULL },
};

/* Runs `leaves_two` until both sessions are claimed and open. */
static void start_leaves_two(struct house *house)
{
    house_start(house, "desk", "leaves_two", "");
    house_wait_status(house, "desk", "open");
    assert_int_equal(house_sessions_count(house, "desk"), 2);
}

/* An orchestration that completes without closing its two sessions leaves no row. */
static void case_11_1_completed_instance_leaves_no_session(void **state)
{
    struct crew *crew = *state;
    crew_hire(crew, "a", 4, 0);
    start_leaves_two(&crew->house);
    house_send(&crew->house, "desk", "end", "complete");
    house_expect(&crew->house, "desk", "done");
    assert_int_equal(house_sessions_count(&crew->house, NULL), 0);
}

/* Nor does one that fails. */
static void case_11_2_failed_instance_leaves_no_session(void **state)
{
    struct crew *crew = *state;
    hf_error error = { 0 };
    crew_hire(crew, "a", 4, 0);
    start_leaves_two(&crew->house);
    house_send(&crew->house, "desk", "end", "fail");
    house_failure(&crew->house, "desk", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "refused");
    assert_int_equal(house_sessions_count(&crew->house, NULL), 0);
}

/* When the last event of the instance was committed, by the wall clock. */
static long long ended_unix_ms(struct house *house, const char *instance)
{
    hf_error error = { 0 };
    const hf_instance *ended = NULL;
    assert_ok(hf_get(house->store, instance, &ended, &error), &error);
    long long ended_ms = (long long)ended->ended_unix_ms;
    hf_instance_free(ended);
    return ended_ms;
}

/* Cancels a fresh instance with two activities in flight; returns how long after the commit that
 * cancelled them the later one was told. */
static long long cancel_one(struct house *house, const char *instance)
{
    char begin[STAGE_NAME_SIZE];
    char line[STAGE_LINE_SIZE];
    hf_error error = { 0 };
    house_start(house, instance, "holds_two", "");
    snprintf(begin, sizeof begin, "heeds %s", instance);
    stage_wait(&house->stage, begin, 2);
    assert_int_equal(house_sessions_count(house, instance), 2);
    assert_ok(hf_cancel(house->store, instance, "enough", &error), &error);
    house_failure(house, instance, HF_INSTANCE_CANCELLED, &error);
    assert_int_equal(house_sessions_count(house, instance), 0);

    long long told_ms = 0;
    snprintf(begin, sizeof begin, "heeded %s", instance);
    for (size_t i = 1; i <= 2; i++) {
        stage_line(&house->stage, begin, i, line, sizeof line);
        long long at_ms = strtoll(line + strlen(begin), NULL, 10);
        if (at_ms > told_ms) told_ms = at_ms;
    }
    return told_ms - ended_unix_ms(house, instance);
}

/* An orchestration that ends as cancelled leaves no row, and its activities in flight are told to
 * stop within 100 ms of the commit: the leases are ten minutes long, so no renewal tells them. */
static void case_11_3_cancelled_instance_leaves_no_session(void **state)
{
    struct crew *crew = *state;
    char id[32];
    long long passed_ms = TELL_LIMIT_MS;
    hf_runtime *a = crew_hire(crew, "a", 4, 0);
    for (int i = 0; i < TELL_TRIES_MAX && passed_ms >= TELL_LIMIT_MS; i++) {
        snprintf(id, sizeof id, "desk-%d", i);
        passed_ms = cancel_one(&crew->house, id);
        print_message("told %lld ms after the commit\n", passed_ms);
    }
    assert_true(passed_ms < TELL_LIMIT_MS);
    house_rest(a);
    assert_true(house_metric(a, "renewals") == 0);
}

static bool no_memories(void *context)
{
    return stage_memories(context) == 0;
}

/* A number of renewals to come. */
struct renewals {
    hf_runtime *runtime;
    double count;
};

static bool has_renewed(void *context)
{
    const struct renewals *wanted = context;
    return house_metric(wanted->runtime, "renewals") >= wanted->count;
}

/* After the instance ended its former owner is told, forgets the sessions with their memory, and
 * presents them no more: later renewals name nothing that is void. */
static void case_11_4_former_owner_forgets(void **state)
{
    enum { LEASE_MS = 200 };
    struct crew *crew = *state;
    hf_runtime *a = crew_hire_with(
        crew, HF_WITH(hf_runtime_options, .worker_id = "a", .orchestration_threads = UINT32_MAX,
                      .item_lock_ms = LEASE_MS, .session_lock_ms = LEASE_MS));
    start_leaves_two(&crew->house);
    assert_true(house_metric(a, "sessions_owned") == 2);
    assert_int_equal(stage_memories(&crew->house.stage), 2);
    house_send(&crew->house, "desk", "end", "complete");
    house_expect(&crew->house, "desk", "done");
    house_wait_metric(a, "sessions_owned", 0);
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &crew->house.stage, no_memories));
    assert_true(house_metric(a, "sessions_closed") == 2);

    struct renewals later = { a, house_metric(a, "renewals") + 2 };
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &later, has_renewed));
    house_rest(a);
    assert_true(house_metric(a, "sessions_closed") == 2);
    assert_true(house_metric(a, "sessions_lost") == 0);
    assert_int_equal(stage_count(&crew->house.stage, "log worker.not_renewed"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_11_1_completed_instance_leaves_no_session, parts),
        CREW_TEST(case_11_2_failed_instance_leaves_no_session, parts),
        CREW_TEST(case_11_3_cancelled_instance_leaves_no_session, parts),
        CREW_TEST(case_11_4_former_owner_forgets, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
