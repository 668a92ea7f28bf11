/* The machine sleeps for longer than all leases: when it wakes every worker is late, and nobody
 * takes anything, from others or from itself. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

enum { LEASE_MS = 600000, INSTANCES_COUNT = 6 };

/* An ordinary activity that waits for its gate. */
static hf_status holds(hf_orchestration *o, hf_slice gate)
{
    hf_slice result;
    HF_TRY(hf_call(o, "hold", gate, &result));
    return hf_complete(o, result);
}

static const struct part parts[] = {
    { "holds", holds, NULL },
    { NULL, NULL, NULL },
};

static hf_runtime *worker(struct house *house, const char *worker_id)
{
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = worker_id,
                                       .activity_threads = INSTANCES_COUNT + 1,
                                       .item_lock_ms = LEASE_MS, .session_lock_ms = LEASE_MS));
}

/* Half of them on sessions, half without. */
static void start_holds(struct house *house)
{
    char id[32];
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        snprintf(id, sizeof id, "i-%d", i);
        house_start(house, id, i % 2 == 0 ? "holds" : "hold_free", "gate");
    }
    stage_wait(&house->stage, "held i-", INSTANCES_COUNT);
}

/* What runs is not handed out again after the sleep, although both workers have room and fetch;
 * each renews first. */
static void test_sleep_of_the_machine_takes_nothing_from_anybody(void **state)
{
    struct house house;
    char id[32];
    (void)state;
    house_open(&house, parts);
    hf_runtime *a = worker(&house, "a"), *b = worker(&house, "b");
    start_holds(&house);
    house_move_clocks(&house, 2 * LEASE_MS, 2 * LEASE_MS);
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        snprintf(id, sizeof id, "hello-%d", i);
        house_start(&house, id, "hello", "world");
        house_expect(&house, id, "Hello, world!");
    }
    assert_int_equal(stage_count(&house.stage, "held i-"), INSTANCES_COUNT);
    assert_int_equal(stage_count(&house.stage, "told"), 0);
    house_wait_metric(a, "renewals", 1);
    house_wait_metric(b, "renewals", 1);
    stage_open(&house.stage, "gate");
    for (int i = 0; i < INSTANCES_COUNT; i++) {
        snprintf(id, sizeof id, "i-%d", i);
        house_expect(&house, id, "let go");
    }
    assert_true(house_metric(a, "activities_voided") + house_metric(b, "activities_voided") == 0);
    hf_runtime_free(a);
    hf_runtime_free(b);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleep_of_the_machine_takes_nothing_from_anybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
