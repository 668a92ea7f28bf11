/* Turns that do not come back are told. The clocks are moved by hand. */
#include "tests/support/house.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARN_MS = 100 * 1000, LOCK_MS = 1000 * 1000 }; /* far from what a slow machine takes */

/* Runs until the gate opens that its input names, without an await, as nobody should. */
static hf_status spins(hf_orchestration *o, hf_slice input)
{
    struct stage *stage = (struct stage *)(uintptr_t)hf_orchestration_user(o);
    stage_sayf(stage, "spins %s", hf_instance_id(o));
    stage_wait_open(stage, input);
    return hf_complete(o, input);
}

static const struct part parts[] = { { "spins", spins, NULL }, { NULL, NULL, NULL } };

static hf_runtime *worker(struct house *house)
{
    return house_worker(house,
                        HF_WITH(hf_runtime_options, .worker_id = "w", .orchestration_threads = 2,
                                .item_lock_ms = LOCK_MS, .turn_warn_ms = WARN_MS));
}

/* Starts an instance of `spins`, and waits until its code runs. */
static void spin(struct house *house, const char *id)
{
    char line[STAGE_LINE_SIZE];
    house_start(house, id, "spins", id);
    snprintf(line, sizeof line, "spins %s", id);
    stage_wait(&house->stage, line, 1);
}

/* The number behind these words of a line. */
static uint64_t number_behind(const char *line, const char *words)
{
    const char *place = strstr(line, words);
    assert_non_null(place);
    return strtoull(place + strlen(words), NULL, 10);
}

/* Each of two turns that spin is reported once: the second report proves that there was a look
 * behind the first. Both are told when they come back, with how long they took. */
static void row_4b_14_stuck_turn_is_reported_once(void **state)
{
    (void)state;
    struct house house;
    char line[STAGE_LINE_SIZE];
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    spin(&house, "one");
    house_move_clocks(&house, WARN_MS, 0);
    stage_line(&house.stage, "log turn.stuck w one ", 1, line, sizeof line);
    assert_non_null(strstr(line, "\"spins\""));
    assert_true(number_behind(line, "has run for ") >= WARN_MS);
    spin(&house, "two");
    house_move_clocks(&house, WARN_MS, 0);
    stage_wait(&house.stage, "log turn.stuck w two ", 1);
    assert_int_equal(stage_count(&house.stage, "log turn.stuck w one "), 1);
    assert_int_equal(stage_count(&house.stage, "log turn.unstuck "), 0);
    stage_open(&house.stage, NULL);
    house_expect(&house, "one", "one");
    house_expect(&house, "two", "two");
    stage_line(&house.stage, "log turn.unstuck w one ", 1, line, sizeof line);
    assert_true(number_behind(line, "came back after ") >= 2 * WARN_MS);
    stage_wait(&house.stage, "log turn.unstuck w two ", 1);
    house_rest(runtime);
    assert_true(house_metric(runtime, "turns_stuck") == 2);
    hf_runtime_free(runtime);
    house_close(&house);
}

/* An instance that waits is not stuck, however long; nor is a turn that comes back in time. */
static void row_4b_14_waiting_is_not_running(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "idle", "waits", "");
    house_wait_status(&house, "idle", "waiting");
    spin(&house, "one");
    house_move_clocks(&house, WARN_MS, 0);
    stage_wait(&house.stage, "log turn.stuck w one ", 1);
    house_send(&house, "idle", "go", "");
    stage_open(&house.stage, NULL);
    house_expect(&house, "one", "one");
    house_rest(runtime);
    assert_int_equal(stage_count(&house.stage, "log turn.stuck "), 1);
    assert_true(house_metric(runtime, "turns_stuck") == 1);
    hf_runtime_free(runtime);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_4b_14_stuck_turn_is_reported_once),
        cmocka_unit_test(row_4b_14_waiting_is_not_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
