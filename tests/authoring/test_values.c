/* What orchestrations are told of the world, on whole runtimes: their random bits are the system's,
 * their time is the clock's, and a runtime that replays them tells the same. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

/* Says what it is told, at each pass of its code: "told <instance> <id> <number> <time>". */
static hf_status told(hf_orchestration *o, hf_slice input)
{
    struct stage *stage = (struct stage *)(uintptr_t)hf_orchestration_user(o);
    const char *id = hf_uuid(o);
    uint64_t number = hf_random(o), now = hf_now_unix_ms(o);
    stage_sayf(stage, "told %s %s %llu %llu", hf_instance_id(o), id, (unsigned long long)number,
               (unsigned long long)now);
    hf_status_set(o, hf_text("waits"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    HF_TRY(hf_await(o, hf_timer_at(o, 1), NULL)); /* past: at once */
    if (hf_now_unix_ms(o) < now) return hf_fail(o, "time", "went back");
    return hf_complete(o, input);
}

static const struct part parts[] = { { "told", told, NULL }, { NULL, NULL, NULL } };

/* Two instances are told different bits; the runtime that goes on with them after a restart, when
 * the clock was set back by an hour, tells each what it was told. */
static void trap_a6_values_outlive_their_runtime(void **state)
{
    (void)state;
    struct house house;
    char before[2][STAGE_LINE_SIZE], after[STAGE_LINE_SIZE];
    house_open(&house, parts);
    hf_runtime *first = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "first"));
    house_start(&house, "a", "told", "out");
    house_start(&house, "b", "told", "out");
    house_wait_status(&house, "a", "waits");
    house_wait_status(&house, "b", "waits");
    house_rest(first);
    assert_true(house_metric(first, "replay_mismatches") == 0);
    hf_runtime_free(first);
    stage_line(&house.stage, "told a ", 1, before[0], sizeof before[0]);
    stage_line(&house.stage, "told b ", 1, before[1], sizeof before[1]);
    assert_int_not_equal(strncmp(before[0] + strlen("told a "), before[1] + strlen("told b "), 8),
                         0);

    house_move_clocks(&house, 0, -3600 * 1000);
    hf_runtime *second = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "second"));
    house_send(&house, "a", "go", "");
    house_send(&house, "b", "go", "");
    house_expect(&house, "a", "out");
    house_expect(&house, "b", "out");
    house_rest(second);
    assert_true(house_metric(second, "replay_mismatches") == 0);
    hf_runtime_free(second);
    for (size_t i = 0; i < 2; i++) {
        const char *begin = i == 0 ? "told a " : "told b ";
        assert_true(stage_count(&house.stage, begin) >= 2);
        stage_line(&house.stage, begin, stage_count(&house.stage, begin), after, sizeof after);
        assert_string_equal(after, before[i]);
    }
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap_a6_values_outlive_their_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
