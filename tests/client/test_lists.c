/* Looking into a store through the public cursors: instances, executions, events, values and dead
 * letters, and how much of everything there is. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

/* ---- what runs ------------------------------------------------------------------------------ */

/* Takes a round for each message, and ends at "end". */
static hf_status rounds(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    hf_status_set(o, hf_text("round"));
    hf_kv_set(o, "b", input);
    hf_kv_set(o, "a", input);
    HF_TRY(hf_dequeue(o, "q", &message));
    if (hf_slice_equal(message, hf_text("end"))) return hf_complete(o, input);
    return hf_continue_as_new(o, message);
}

/* Calls what nobody has, and ends all the same. */
static hf_status hopes(hf_orchestration *o, hf_slice input)
{
    if (hf_call(o, "nobody has it", input, NULL) == HF_OK) return hf_fail(o, "done", "it was done");
    return hf_complete(o, hf_text(hf_orchestration_error(o)->code));
}

static const struct part parts[] = { { "rounds", rounds, NULL },
                                     { "hopes", hopes, NULL },
                                     { NULL, NULL, NULL } };

struct scene {
    struct house house;
    hf_runtime *runtime;
};

static int scene_setup(void **state)
{
    static struct scene scene;
    house_open(&scene.house, parts);
    scene.runtime = house_worker(&scene.house,
                                 HF_WITH(hf_runtime_options, .worker_id = "w", .attempts_max = 1));
    *state = &scene;
    return 0;
}

static int scene_teardown(void **state)
{
    struct scene *scene = *state;
    house_rest(scene->runtime);
    hf_runtime_free(scene->runtime);
    house_close(&scene->house);
    return 0;
}

static hf_cursor *cursor_open(struct scene *scene, const hf_query *query)
{
    hf_cursor *cursor = NULL;
    hf_error error = { 0 };
    assert_ok(hf_query_open(scene->house.store, query, &cursor, &error), &error);
    return cursor;
}

static void cursor_end(hf_cursor *cursor)
{
    hf_error error = { 0 };
    assert_ok(hf_cursor_close(cursor, &error), &error);
}

/* ---- instances ------------------------------------------------------------------------------ */

/* The ids that a query gives, with a blank behind each. */
static void check_ids(struct scene *scene, const hf_query *query, const char *expected)
{
    char text[512] = "";
    const hf_instance *row = NULL;
    hf_cursor *cursor = cursor_open(scene, query);
    while (hf_next_instance(cursor, &row)) {
        size_t size = strlen(text);
        snprintf(text + size, sizeof text - size, "%s ", row->id);
    }
    cursor_end(cursor);
    assert_string_equal(text, expected);
}

static void row_3_9_instances_are_listed_by_what_is_asked(void **state)
{
    struct scene *scene = *state;
    struct house *house = &scene->house;
    house_start(house, "a-1", "hello", "you");
    house_expect(house, "a-1", "Hello, you!");
    house_move_clocks(house, 1000, 100000);
    house_start(house, "b-1", "rounds", "x");
    house_start(house, "a-2", "rounds", "x");
    house_wait_status(house, "b-1", "round");
    house_wait_status(house, "a-2", "round");
    const hf_instance *first = NULL;
    hf_error error = { 0 };
    assert_ok(hf_get(house->store, "a-1", &first, &error), &error);
    uint64_t later = first->started_unix_ms + 50000;
    hf_instance_free(first);

    check_ids(scene, NULL, "a-1 b-1 a-2 ");
    check_ids(scene, HF_WITH(hf_query, .newest_first = true), "a-2 b-1 a-1 ");
    check_ids(scene, HF_WITH(hf_query, .newest_first = true, .limit = 1), "a-2 ");
    check_ids(scene, HF_WITH(hf_query, .id_prefix = "a-"), "a-1 a-2 ");
    check_ids(scene, HF_WITH(hf_query, .id_prefix = "a-", .orchestration = "rounds"), "a-2 ");
    check_ids(scene, HF_WITH(hf_query, .status = HF_INSTANCE_COMPLETED), "a-1 ");
    check_ids(scene, HF_WITH(hf_query, .status = HF_INSTANCE_FAILED), "");
    check_ids(scene, HF_WITH(hf_query, .started_from_unix_ms = later), "b-1 a-2 ");
    check_ids(scene, HF_WITH(hf_query, .started_until_unix_ms = later), "a-1 ");
    check_ids(scene, HF_WITH(hf_query, .instance = "b-1"), "b-1 ");
    check_ids(scene, HF_WITH(hf_query, .instance = "b-1", .status = HF_INSTANCE_FAILED), "");
    house_send(house, "b-1", "q", "end");
    house_send(house, "a-2", "q", "end");
    house_expect(house, "b-1", "x");
    house_expect(house, "a-2", "x");
}

/* More instances than a page has rows, in both directions, each once. */
static void test_pages_of_instances_join(void **state)
{
    enum { COUNT = 600 };
    struct scene *scene = *state;
    hf_error error = { 0 };
    char id[24];
    for (int i = 0; i < COUNT; i++) {
        hf_command start = HF_INIT(hf_command);
        snprintf(id, sizeof id, "i-%03d", i);
        start.kind = HF_COMMAND_START;
        start.instance = id;
        start.name = "nowhere";
        assert_ok(hf_submit(scene->house.store, &start, &error), &error);
    }
    house_start(&scene->house, "last", "hello", "you");
    for (int newest_first = 0; newest_first < 2; newest_first++) {
        const hf_instance *row = NULL;
        hf_cursor *cursor = cursor_open(
            scene, HF_WITH(hf_query, .newest_first = newest_first, .id_prefix = "i-"));
        for (int i = 0; i < COUNT; i++) {
            assert_true(hf_next_instance(cursor, &row));
            snprintf(id, sizeof id, "i-%03d", newest_first ? COUNT - 1 - i : i);
            assert_string_equal(row->id, id);
        }
        assert_false(hf_next_instance(cursor, &row));
        cursor_end(cursor);
    }
    house_expect(&scene->house, "last", "Hello, you!");
}

/* Everything about one, without reading its history. */
static void row_3_10_instance_tells_all_of_itself(void **state)
{
    struct scene *scene = *state;
    const hf_instance *row = NULL;
    house_start(&scene->house, "i", "rounds", "x");
    house_wait_status(&scene->house, "i", "round");
    hf_cursor *cursor = cursor_open(scene, HF_WITH(hf_query, .instance = "i"));
    assert_true(hf_next_instance(cursor, &row));
    assert_string_equal(row->id, "i");
    assert_string_equal(row->orchestration, "rounds");
    assert_string_equal(row->version, "1.0.0");
    assert_int_equal(row->status, HF_INSTANCE_RUNNING);
    assert_int_equal(row->execution, 1);
    assert_true(row->started_unix_ms > 0 && row->ended_unix_ms == 0);
    assert_true(hf_slice_equal(row->custom_status, hf_text("round")));
    cursor_end(cursor);
    house_send(&scene->house, "i", "q", "end");
    house_expect(&scene->house, "i", "x");
}

/* ---- executions, events, values ------------------------------------------------------------- */

static void row_3_11_executions_tell_status_times_and_events(void **state)
{
    struct scene *scene = *state;
    const hf_execution_info *row = NULL;
    house_start(&scene->house, "i", "rounds", "x");
    house_send(&scene->house, "i", "q", "y");
    house_send(&scene->house, "i", "q", "z");
    house_send(&scene->house, "i", "q", "end");
    house_expect(&scene->house, "i", "z");
    hf_cursor *cursor = cursor_open(scene, HF_WITH(hf_query, .instance = "i"));
    uint64_t former_end = 0;
    for (uint64_t number = 1; number <= 3; number++) {
        assert_true(hf_next_execution(cursor, &row));
        assert_int_equal(row->execution, number);
        assert_int_equal(row->status, number == 3 ? HF_INSTANCE_COMPLETED : 0);
        assert_true(row->started_unix_ms >= former_end);
        assert_true(row->ended_unix_ms >= row->started_unix_ms);
        assert_true(row->events_count >= 6);
        former_end = row->ended_unix_ms;
    }
    assert_false(hf_next_execution(cursor, &row));
    cursor_end(cursor);
}

/* The events of each execution, whole and in order. */
static void row_3_12_history_of_each_execution_is_read(void **state)
{
    static const char *const kinds[] = { "started",        "status_set",      "kv_set",   "kv_set",
                                         "mailbox_waited", "mailbox_message", "continued" };
    struct scene *scene = *state;
    const hf_event_info *row = NULL;
    house_start(&scene->house, "i", "rounds", "x");
    house_wait_status(&scene->house, "i", "round");
    house_send(&scene->house, "i", "q", "y");
    house_send(&scene->house, "i", "q", "end");
    house_expect(&scene->house, "i", "y");
    hf_cursor *cursor = cursor_open(scene, HF_WITH(hf_query, .instance = "i", .execution = 1));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        assert_true(hf_next_event(cursor, &row));
        assert_int_equal(row->event_id, i + 1);
        assert_string_equal(row->kind, kinds[i]);
        assert_true(row->lsn > 0 && row->unix_ms > 0);
    }
    assert_false(hf_next_event(cursor, &row));
    cursor_end(cursor);
    cursor = cursor_open(scene, HF_WITH(hf_query, .instance = "i"));
    assert_true(hf_next_event(cursor, &row));
    assert_string_equal(row->name, "rounds");
    assert_true(hf_slice_equal(row->payload, hf_text("y")));
    assert_null(row->code);
    cursor_end(cursor);
}

static void trap_b11_values_are_read_in_one_view(void **state)
{
    struct scene *scene = *state;
    const hf_value *row = NULL;
    house_start(&scene->house, "i", "rounds", "x");
    house_wait_status(&scene->house, "i", "round");
    hf_cursor *cursor = cursor_open(scene, HF_WITH(hf_query, .instance = "i"));
    assert_true(hf_next_value(cursor, &row));
    assert_string_equal(row->key, "a");
    house_send(&scene->house, "i", "q", "other"); /* sets both anew while the cursor is open */
    house_send(&scene->house, "i", "q", "end");
    house_expect(&scene->house, "i", "other");
    assert_true(hf_next_value(cursor, &row));
    assert_string_equal(row->key, "b");
    assert_true(hf_slice_equal(row->value, hf_text("x")));
    assert_false(hf_next_value(cursor, &row));
    cursor_end(cursor);
}

/* ---- dead letters --------------------------------------------------------------------------- */

/* What was given up is listed with its attempts, until its instance is deleted. */
static void row_8_4_dead_letters_are_listed(void **state)
{
    struct scene *scene = *state;
    const hf_dead_letter *row = NULL;
    hf_error error = { 0 };
    house_start(&scene->house, "i", "hopes", "");
    house_expect(&scene->house, "i", "poison");
    house_start(&scene->house, "j", "hopes", "");
    house_expect(&scene->house, "j", "poison");
    hf_cursor *cursor = cursor_open(scene, NULL);
    for (int i = 0; i < 2; i++) {
        assert_true(hf_next_dead_letter(cursor, &row));
        assert_string_equal(row->instance, i == 0 ? "i" : "j");
        assert_string_equal(row->orchestration, "hopes");
        assert_string_equal(row->activity, "nobody has it");
        assert_int_equal(row->event_id, 2);
        assert_true(row->attempts_count >= 1 && row->deaths_count == 0);
        assert_true(row->given_up_unix_ms > 0);
    }
    assert_false(hf_next_dead_letter(cursor, &row));
    cursor_end(cursor);
    assert_ok(hf_delete(scene->house.store, "i", false, &error), &error);
    cursor = cursor_open(scene, NULL);
    assert_true(hf_next_dead_letter(cursor, &row));
    assert_string_equal(row->instance, "j");
    assert_false(hf_next_dead_letter(cursor, &row));
    cursor_end(cursor);
    cursor = cursor_open(scene, HF_WITH(hf_query, .instance = "j"));
    assert_true(hf_next_dead_letter(cursor, &row));
    assert_false(hf_next_dead_letter(cursor, &row));
    cursor_end(cursor);
}

/* ---- totals --------------------------------------------------------------------------------- */

static void row_3_13_totals_are_counted(void **state)
{
    struct scene *scene = *state;
    hf_stats stats = HF_INIT(hf_stats);
    hf_error error = { 0 };
    house_start(&scene->house, "done", "hello", "you");
    house_expect(&scene->house, "done", "Hello, you!");
    house_start(&scene->house, "on", "rounds", "x");
    house_wait_status(&scene->house, "on", "round");
    house_send(&scene->house, "on", "q", "y");
    house_send(&scene->house, "on", "q", "end");
    house_expect(&scene->house, "on", "y");
    house_start(&scene->house, "later", "rounds", "x");
    house_wait_status(&scene->house, "later", "round");
    assert_ok(hf_stats_read(scene->house.store, &stats, &error), &error);
    assert_int_equal(stats.completed_count, 2);
    assert_int_equal(stats.running_count, 1);
    assert_int_equal(stats.failed_count + stats.cancelled_count + stats.terminated_count, 0);
    assert_int_equal(stats.executions_count, 4);
    assert_true(stats.events_count >= 16);
    assert_int_equal(stats.values_count, 4);
    assert_int_equal(stats.workers_count, 1);
    assert_status(hf_stats_read(scene->house.store, NULL, &error), HF_INVALID);
    hf_stats unsized = { .size = 0 },
             short_one = { .size = offsetof(hf_stats, failed_count), .failed_count = 77 };
    assert_status(hf_stats_read(scene->house.store, &unsized, &error), HF_INVALID);
    assert_ok(hf_stats_read(scene->house.store, &short_one, &error), &error); /* an older header */
    assert_int_equal(short_one.completed_count, 2);
    assert_int_equal(short_one.failed_count, 77);
    house_send(&scene->house, "later", "q", "end");
    house_expect(&scene->house, "later", "x");
}

/* Depths count what waits and what runs; what was handed back waits as before. */
static void row_3_14_depths_are_counted(void **state)
{
    struct scene *scene = *state;
    hf_stats stats = HF_INIT(hf_stats);
    hf_error error = { 0 };
    house_start(&scene->house, "held", "hold", "gate");
    stage_wait(&scene->house.stage, "held held w", 1);
    house_start(&scene->house, "naps", "naps", "100000000");
    house_start(&scene->house, "paused", "rounds", "x");
    house_wait_status(&scene->house, "paused", "round");
    assert_ok(hf_suspend(scene->house.store, "paused", NULL, &error), &error);
    house_send(&scene->house, "paused", "q", "end");
    while (stats.timers_count == 0) {
        assert_ok(hf_stats_read(scene->house.store, &stats, &error), &error);
    }
    assert_int_equal(stats.activities_running_count, 1);
    assert_int_equal(stats.activities_waiting_count, 0);
    assert_int_equal(stats.sessions_count, 1);
    assert_int_equal(stats.suspended_count, 1);
    assert_int_equal(stats.messages_count, 1);
    assert_int_equal(stats.turns_due_count, 0);
    assert_ok(hf_terminate(scene->house.store, "naps", NULL, &error), &error);
    assert_ok(hf_terminate(scene->house.store, "paused", NULL, &error), &error);
    stage_open(&scene->house.stage, NULL);
    house_send(&scene->house, "held", "close", "");
    const hf_instance *held = NULL;
    assert_ok(hf_wait(scene->house.store, "held", STAGE_LIMIT_MS, &held, &error), &error);
    hf_instance_free(held);
}

/* ---- mistakes ------------------------------------------------------------------------------- */

static void test_cursor_gives_rows_of_one_kind(void **state)
{
    struct scene *scene = *state;
    const hf_instance *instance = NULL;
    const hf_execution_info *execution = NULL;
    hf_error error = { 0 };
    hf_cursor *cursor = cursor_open(scene, NULL);
    assert_false(hf_next_instance(cursor, &instance));
    assert_false(hf_next_execution(cursor, &execution));
    assert_status(hf_cursor_close(cursor, &error), HF_INVALID);
    assert_non_null(strstr(error.message, "hf_next_instance has begun to read"));
    cursor = cursor_open(scene, NULL);
    assert_false(hf_next_execution(cursor, &execution));
    assert_status(hf_cursor_close(cursor, &error), HF_INVALID);
    assert_non_null(strstr(error.message, "name it in the query"));
    hf_query query = HF_INIT(hf_query);
    query.status = (hf_instance_status)99;
    assert_status(hf_query_open(scene->house.store, &query, &cursor, &error), HF_INVALID);
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(row_3_9_instances_are_listed_by_what_is_asked),
        SCENE_TEST(test_pages_of_instances_join),
        SCENE_TEST(row_3_10_instance_tells_all_of_itself),
        SCENE_TEST(row_3_11_executions_tell_status_times_and_events),
        SCENE_TEST(row_3_12_history_of_each_execution_is_read),
        SCENE_TEST(trap_b11_values_are_read_in_one_view),
        SCENE_TEST(row_8_4_dead_letters_are_listed),
        SCENE_TEST(row_3_13_totals_are_counted),
        SCENE_TEST(row_3_14_depths_are_counted),
        SCENE_TEST(test_cursor_gives_rows_of_one_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
