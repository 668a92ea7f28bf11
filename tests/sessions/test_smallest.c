/* Section 18: sessions in the smallest worker there is: one orchestration thread and one activity
 * thread. */
#include "tests/sessions/crew.h"

#include <stdio.h>
#include <string.h>

static const hf_runtime_options smallest = { .size = sizeof(hf_runtime_options),
                                             .worker_id = "a",
                                             .orchestration_threads = 1,
                                             .activity_threads = 1 };

/* Two sessions by turns, an ordinary activity, a close and a second opening, and all of it again in
 * a second execution that still has one of the sessions. */
static hf_status a_bit_of_everything(hf_orchestration *o, hf_slice input)
{
    bool is_second = hf_slice_equal(input, hf_text("second"));
    hf_slice on_x, on_y;
    hf_session x = hf_session_open_id(o, "x"), y = hf_session_open_id(o, "y");
    HF_TRY(hf_call_on(o, x, "tell", input, &on_x));
    HF_TRY(hf_call(o, "echo", input, NULL));
    HF_TRY(hf_call_on(o, y, "tell", input, &on_y));
    hf_session_close(o, x);
    x = hf_session_open_id(o, "x");
    HF_TRY(hf_call_on(o, x, "tell", input, &on_x));
    hf_session_close(o, x);
    if (!is_second) return hf_continue_as_new(o, hf_text("second"));
    return hf_complete(o, hf_format(o, HF_FMT "\n" HF_FMT "\n", HF_ARG(on_x), HF_ARG(on_y)));
}

static const struct part parts[] = {
    { "a_bit_of_everything", a_bit_of_everything, NULL },
    { NULL, NULL, NULL },
};

/* One orchestration thread and one activity thread: sessions of several instances work beside each
 * other. */
static void case_18_1_one_thread_of_each_kind_is_enough(void **state)
{
    enum { INSTANCES_COUNT = 5 };
    struct crew *crew = *state;
    char id[32];
    crew_dismiss_orchestrator(crew);
    hf_runtime *a = crew_hire_with(crew, &smallest);
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        snprintf(id, sizeof id, "desk-%d", i);
        house_start(&crew->house, id, "a_bit_of_everything", "");
    }
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        struct told told[2];
        snprintf(id, sizeof id, "desk-%d", i);
        assert_int_equal(house_told(&crew->house, id, told, 2), 2);
        assert_string_equal(told[0].session, "x");
        assert_int_equal(told[0].incarnation, 5);
        assert_int_equal(told[0].met, 0);
        assert_string_equal(told[1].session, "y");
        assert_int_equal(told[1].incarnation, 2); /* carried on */
        assert_int_equal(told[1].met, 1);
    }
    assert_int_equal(house_sessions_count(&crew->house, NULL), 0);
    house_wait_metric(a, "sessions_owned", 0);
}

/* A deadline of the session "desk" that is to come. */
struct deadline {
    struct house *house;
    uint64_t boot_ms;
};

static uint64_t deadline_boot_ms(struct house *house)
{
    struct house_session row;
    uint64_t now_ms = house->clock.clock.boot_ms(house->clock.clock.self);
    assert_true(house_session(house, "desk", "desk", &row));
    return now_ms + row.lease_left_ms;
}

static bool is_renewed(void *context)
{
    const struct deadline *wanted = context;
    return deadline_boot_ms(wanted->house) >= wanted->boot_ms;
}

/* The lease is renewed in that configuration, too, while the one thread is busy in the session: for
 * more than two leases, and the claim stays. */
static void case_18_2_lease_is_renewed_while_the_one_thread_is_busy(void **state)
{
    enum { LEASE_MS = 400 };
    struct crew *crew = *state;
    struct house_session before, after;
    hf_runtime_options options = smallest;
    options.item_lock_ms = options.session_lock_ms = LEASE_MS;
    crew_dismiss_orchestrator(crew);
    hf_runtime *a = crew_hire_with(crew, &options);
    house_start(&crew->house, "desk", "hold", "gate");
    stage_wait(&crew->house.stage, "held desk a 1", 1);
    assert_true(house_session(&crew->house, "desk", "desk", &before));
    struct deadline wanted = { &crew->house, deadline_boot_ms(&crew->house) + 2 * LEASE_MS };
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &wanted, is_renewed));

    assert_true(house_session(&crew->house, "desk", "desk", &after));
    assert_string_equal(after.owner, "a");
    assert_int_equal(after.epoch, before.epoch);
    assert_int_equal(after.running_count, 1);
    assert_true(house_metric(a, "renewals") >= 2);
    stage_open(&crew->house.stage, "gate");
    house_wait_metric(a, "activities_completed", 2);
    house_send(&crew->house, "desk", "close", "");
    house_expect(&crew->house, "desk", "HF_OK");
    assert_int_equal(stage_count(&crew->house.stage, "held desk"), 1);
    assert_int_equal(stage_count(&crew->house.stage, "told"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_18_1_one_thread_of_each_kind_is_enough, parts),
        CREW_TEST(case_18_2_lease_is_renewed_while_the_one_thread_is_busy, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
