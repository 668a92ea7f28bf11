/* Values of instances: what a commit does to them, what clients read of them (assert_values), and
 * what an execution is given to begin with (assert_given): the values as its former one left them.
 */
#include "tests/conformance/story.h"

#include <string.h>

#include "engine/event.h"

/* ---- words ----------------------------------------------------------------------------------- */

static struct hf_stored_value *values_read(struct world *world, const char *id, const char *key,
                                           size_t *out_count)
{
    struct hf_stored_value *rows = NULL;
    assert_ok(world->backend->ops->values(world->backend, hf_text(id), hf_text(key), &world->arena,
                                          &rows, out_count, &world->error),
              &world->error);
    return rows;
}

static void join(char *text, size_t text_size, hf_slice body)
{
    size_t size = strlen(text);
    assert_true(size + body.size + 2 < text_size);
    memcpy(text + size, body.data, body.size);
    memcpy(text + size + body.size, " ", 2);
}

/* Fails the test unless clients read exactly these, as "a=1 b=2 ", together and each by its key. */
static void assert_values(struct world *world, const char *id, const char *expected)
{
    char text[256] = "";
    size_t count = 0, one_count = 0;
    const struct hf_stored_value *rows = values_read(world, id, "", &count);
    for (size_t i = 0; i < count; i++) {
        join(text, sizeof text, rows[i].body);
        assert_true(hf_slice_equal(hf_bytes(rows[i].body.data, rows[i].key.size), rows[i].key));
        const char *key = hf_arena_text(&world->arena, rows[i].key);
        const struct hf_stored_value *alone = values_read(world, id, key, &one_count);
        assert_int_equal(one_count, 1);
        assert_true(hf_slice_equal(alone->body, rows[i].body));
    }
    assert_string_equal(text, expected);
}

/* Fails the test if clients read a value of that key. */
static void assert_no_value(struct world *world, const char *id, const char *key)
{
    size_t count = 1;
    values_read(world, id, key, &count);
    assert_int_equal(count, 0);
}

/* Fails the test unless the present execution is given exactly these to begin with. */
static void assert_given(struct world *world, const char *id, const char *expected)
{
    char text[256] = "";
    struct hf_instance_run run = story_run(world, id);
    struct hf_turn_view view = turn_view(world, run.instance, run.execution);
    for (size_t i = 0; i < view.values_count; i++) join(text, sizeof text, view.values[i].body);
    assert_string_equal(text, expected);
}

/* A worker, and an instance "i" whose first turn has set a and b to 1. */
static uint64_t scene_values(struct world *world)
{
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    struct plan *plan = story_turn(world, worker, "i");
    plan_set(plan, "a", "1");
    plan_set(plan, "b", "1");
    plan_commit(plan);
    return worker;
}

/* A turn of "i" that clears one value, or all: "". */
static void value_clear(struct world *world, uint64_t worker, const char *key)
{
    struct plan *plan = story_turn(world, worker, "i");
    plan_clear(plan, key);
    plan_commit(plan);
}

/* ---- one execution --------------------------------------------------------------------------- */

static void store_kv_1_value_of_a_commit_is_readable(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    struct plan *plan = story_turn(world, worker, "i");
    plan_set(plan, "a", "1");
    assert_no_value(world, "i", "a");
    plan_commit(plan);
    assert_values(world, "i", "a=1 ");
    assert_true(world->effects & HF_EFFECT_CHANGED);
}

static void store_kv_2_later_value_replaces_the_former(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_set(world, worker, "i", "a", "2");
    assert_values(world, "i", "a=2 b=1 ");
}

static void store_kv_3_one_key_is_cleared(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    value_clear(world, worker, "a");
    assert_values(world, "i", "b=1 ");
}

static void store_kv_4_all_keys_are_cleared(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    value_clear(world, worker, "");
    assert_values(world, "i", "");
}

static void store_kv_5_missing_key_gives_none(void **state)
{
    struct world *world = *state;
    scene_values(world);
    assert_no_value(world, "i", "c");
}

static void store_kv_16_clearing_a_missing_key_is_fine(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    value_clear(world, worker, "c");
    assert_values(world, "i", "a=1 b=1 ");
}

static void store_kv_17_unknown_instance_has_none(void **state)
{
    struct world *world = *state;
    struct hf_stored_value *rows = NULL;
    size_t count = 0;
    scene_values(world);
    assert_status(world->backend->ops->values(world->backend, hf_text("nobody"), hf_text("a"),
                                              &world->arena, &rows, &count, &world->error),
                  HF_NOT_FOUND);
    assert_int_equal(count, 0);
}

static void store_kv_18_set_behind_clear_all_stays(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    struct plan *plan = story_turn(world, worker, "i");
    plan_clear(plan, "");
    plan_set(plan, "b", "2");
    plan_commit(plan);
    assert_values(world, "i", "b=2 ");
}

/* An event without a value in it is a value: the store does not look into it. */
static void store_kv_19_empty_value_is_a_value(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    struct hf_event set = { .kind = HF_EVENT_KV_SET, .name = hf_text("a") }, read;
    struct plan *plan = story_turn(world, worker, "i");
    plan_set_body(plan, "a", hf_event_encode(&set, &world->arena));
    plan_commit(plan);
    size_t count = 0;
    const struct hf_stored_value *row = values_read(world, "i", "a", &count);
    assert_int_equal(count, 1);
    assert_ok(hf_event_decode(row->body, &world->arena, &read, &world->error), &world->error);
    assert_int_equal(read.kind, HF_EVENT_KV_SET);
    assert_int_equal(read.payload.size, 0);
}

static void store_kv_20_large_value_is_stored(void **state)
{
    enum { SIZE = 64 * 1024 };
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    char *bytes = hf_arena_array(&world->arena, SIZE, 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++) bytes[i] = (char)(i * 7);
    struct plan *plan = story_turn(world, worker, "i");
    plan_set_body(plan, "a", hf_bytes(bytes, SIZE));
    plan_commit(plan);
    size_t count = 0;
    const struct hf_stored_value *row = values_read(world, "i", "a", &count);
    assert_int_equal(count, 1);
    assert_true(hf_slice_equal(row->body, hf_bytes(bytes, SIZE)));
}

static void store_kv_21_keys_may_hold_any_text(void **state)
{
    static const char *const keys[] = { "a b", "a.b/c\\d", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x92",
                                        "a=b", "A B" };
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    struct plan *plan = story_turn(world, worker, "i");
    for (size_t i = 0; i < HF_COUNT_OF(keys); i++) plan_set_body(plan, keys[i], hf_text(keys[i]));
    plan_commit(plan);
    for (size_t i = 0; i < HF_COUNT_OF(keys); i++) {
        size_t count = 0;
        const struct hf_stored_value *row = values_read(world, "i", keys[i], &count);
        assert_int_equal(count, 1);
        assert_true(hf_slice_equal(row->key, hf_text(keys[i])));
        assert_true(hf_slice_equal(row->body, hf_text(keys[i])));
    }
}

/* ---- several instances ----------------------------------------------------------------------- */

static void store_kv_14_same_key_of_two_instances_is_two_values(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    instance_start(world, "j");
    story_set(world, worker, "j", "a", "2");
    assert_values(world, "i", "a=1 b=1 ");
    assert_values(world, "j", "a=2 ");
}

static void store_kv_26_clearing_one_instance_leaves_the_other(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    instance_start(world, "j");
    story_set(world, worker, "j", "a", "2");
    value_clear(world, worker, "");
    assert_values(world, "j", "a=2 ");
    assert_values(world, "i", "");
}

static void store_kv_15_deletion_takes_the_values_along(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    story_complete(world, worker, "i");
    struct hf_store_command command = delete_command("i", false);
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(story_totals(world).values, 0);
    instance_start(world, "i");
    assert_values(world, "i", "");
    assert_given(world, "i", "");
}

static void store_kv_25_deletion_of_a_tree_takes_the_values_of_children_along(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_child(world, worker, "i", "child");
    story_set(world, worker, "child", "c", "1");
    assert_int_equal(story_totals(world).values, 3);
    struct hf_store_command command = delete_tree_command("i", true);
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(story_totals(world).values, 0);
}

/* What the present execution alone has set goes, too. */
static void store_kv_34_deletion_takes_the_values_of_the_present_execution_along(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    story_continue(world, worker, "i");
    story_set(world, worker, "i", "a", "1");
    story_delete(world, "i");
    assert_int_equal(story_totals(world).values, 0);
}

/* ---- what an execution begins with ----------------------------------------------------------- */

static void store_kv_6_execution_begins_with_all_values(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    assert_given(world, "i", "a=1 b=1 ");
}

static void store_kv_7_cleared_key_is_not_among_them(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    value_clear(world, worker, "a");
    story_continue(world, worker, "i");
    assert_given(world, "i", "b=1 ");
}

static void store_kv_8_nothing_is_left_of_clear_all(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    value_clear(world, worker, "");
    story_continue(world, worker, "i");
    assert_given(world, "i", "");
}

static void store_kv_22_without_keys_it_begins_with_none(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    story_continued(world, worker, "i", 1);
    assert_given(world, "i", "");
}

static void store_kv_23_keys_of_two_executions_are_both_given(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    story_set(world, worker, "i", "c", "2");
    story_continue(world, worker, "i");
    assert_given(world, "i", "a=1 b=1 c=2 ");
}

static void store_kv_27_own_values_are_not_given_to_an_execution(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    assert_given(world, "i", "");
    story_continue(world, worker, "i");
    story_set(world, worker, "i", "c", "2");
    assert_given(world, "i", "a=1 b=1 ");
}

static void store_kv_28_values_of_an_ended_execution_are_given(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    story_continued(world, worker, "i", 1);
    story_set(world, worker, "i", "a", "2");
    assert_given(world, "i", "");
    story_continue(world, worker, "i");
    assert_given(world, "i", "a=2 ");
}

/* An instance that completed keeps its values; run again, it begins with them. */
static void store_kv_32_completion_settles_the_values(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_complete(world, worker, "i");
    assert_values(world, "i", "a=1 b=1 ");
    struct hf_restarted restarted = { .instance = story_run(world, "i").instance,
                                      .execution = 1,
                                      .body = hf_text("start") };
    struct hf_store_command restart = { .kind = HF_STORE_RESTART };
    restart.restart = (struct hf_store_restart){ .id = hf_text("i"), .restarted = &restarted };
    assert_ok(world_run(world, &restart), &world->error);
    assert_given(world, "i", "a=1 b=1 ");
    story_set(world, worker, "i", "a", "2");
    assert_given(world, "i", "a=1 b=1 ");
    assert_values(world, "i", "a=2 b=1 ");
}

/* What the turn sets that continues as new is settled by that same commit. */
static void store_kv_33_continuing_settles_the_values(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    struct plan *plan = story_turn(world, worker, "i");
    plan_set(plan, "a", "2");
    plan_clear(plan, "b");
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan_commit(plan);
    assert_given(world, "i", "a=2 ");
    assert_values(world, "i", "a=2 ");
}

/* ---- over executions ------------------------------------------------------------------------- */

static void store_kv_10_value_of_the_later_execution_wins(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    story_set(world, worker, "i", "a", "2");
    story_continue(world, worker, "i");
    assert_values(world, "i", "a=2 b=1 ");
    assert_given(world, "i", "a=2 b=1 ");
}

static void store_kv_11_set_cleared_and_set_again_gives_the_last(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    story_set(world, worker, "i", "a", "1");
    story_continue(world, worker, "i");
    value_clear(world, worker, "a");
    story_continue(world, worker, "i");
    assert_values(world, "i", "");
    story_set(world, worker, "i", "a", "3");
    assert_values(world, "i", "a=3 ");
    story_continue(world, worker, "i");
    assert_given(world, "i", "a=3 ");
}

static void store_kv_29_clients_read_what_the_present_execution_has_set(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    story_set(world, worker, "i", "a", "2");
    story_set(world, worker, "i", "c", "2");
    assert_values(world, "i", "a=2 b=1 c=2 ");
}

static void store_kv_30_clear_hides_a_former_value_from_clients(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    value_clear(world, worker, "a");
    assert_no_value(world, "i", "a");
    assert_values(world, "i", "b=1 ");
    assert_given(world, "i", "a=1 b=1 ");
}

static void store_kv_31_clear_all_hides_all_former_values_from_clients(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    value_clear(world, worker, "");
    assert_no_value(world, "i", "b");
    assert_values(world, "i", "");
    assert_given(world, "i", "a=1 b=1 ");
}

/* ---- pruning --------------------------------------------------------------------------------- */

static void store_kv_9_value_of_a_later_execution_survives_the_pruning_of_the_former(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    story_set(world, worker, "i", "a", "2");
    story_continue(world, worker, "i");
    assert_int_equal(story_prune(world, "i", 2), 1);
    assert_executions(world, "i", "2 3 ");
    assert_values(world, "i", "a=2 b=1 ");
    assert_given(world, "i", "a=2 b=1 ");
}

static void store_kv_12_pruning_keeps_what_the_present_execution_has_rewritten(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    story_set(world, worker, "i", "a", "2");
    assert_int_equal(story_prune(world, "i", 1), 1);
    assert_values(world, "i", "a=2 b=1 ");
    assert_given(world, "i", "a=1 b=1 ");
}

static void store_kv_13_pruning_keeps_what_only_the_pruned_execution_has_written(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    story_continue(world, worker, "i");
    assert_int_equal(story_prune(world, "i", 1), 1);
    assert_executions(world, "i", "2 ");
    assert_values(world, "i", "a=1 b=1 ");
}

static void store_kv_24_pruning_the_only_execution_keeps_its_values(void **state)
{
    struct world *world = *state;
    scene_values(world);
    assert_int_equal(story_prune(world, "i", 1), 0);
    assert_values(world, "i", "a=1 b=1 ");
}

static void store_kv_35_old_untouched_value_survives_pruning(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_values(world);
    for (int i = 0; i < 4; i++) story_continue(world, worker, "i");
    assert_int_equal(story_prune(world, "i", 1), 4);
    world_reopen(world, NULL);
    assert_values(world, "i", "a=1 b=1 ");
    assert_given(world, "i", "a=1 b=1 ");
    story_continue(world, worker, "i");
    assert_given(world, "i", "a=1 b=1 ");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_kv_1_value_of_a_commit_is_readable),
        CASE(store_kv_2_later_value_replaces_the_former),
        CASE(store_kv_3_one_key_is_cleared),
        CASE(store_kv_4_all_keys_are_cleared),
        CASE(store_kv_5_missing_key_gives_none),
        CASE(store_kv_16_clearing_a_missing_key_is_fine),
        CASE(store_kv_17_unknown_instance_has_none),
        CASE(store_kv_18_set_behind_clear_all_stays),
        CASE(store_kv_19_empty_value_is_a_value),
        CASE(store_kv_20_large_value_is_stored),
        CASE(store_kv_21_keys_may_hold_any_text),
        CASE(store_kv_14_same_key_of_two_instances_is_two_values),
        CASE(store_kv_26_clearing_one_instance_leaves_the_other),
        CASE(store_kv_15_deletion_takes_the_values_along),
        CASE(store_kv_25_deletion_of_a_tree_takes_the_values_of_children_along),
        CASE(store_kv_34_deletion_takes_the_values_of_the_present_execution_along),
        CASE(store_kv_6_execution_begins_with_all_values),
        CASE(store_kv_7_cleared_key_is_not_among_them),
        CASE(store_kv_8_nothing_is_left_of_clear_all),
        CASE(store_kv_22_without_keys_it_begins_with_none),
        CASE(store_kv_23_keys_of_two_executions_are_both_given),
        CASE(store_kv_27_own_values_are_not_given_to_an_execution),
        CASE(store_kv_28_values_of_an_ended_execution_are_given),
        CASE(store_kv_32_completion_settles_the_values),
        CASE(store_kv_33_continuing_settles_the_values),
        CASE(store_kv_10_value_of_the_later_execution_wins),
        CASE(store_kv_11_set_cleared_and_set_again_gives_the_last),
        CASE(store_kv_29_clients_read_what_the_present_execution_has_set),
        CASE(store_kv_30_clear_hides_a_former_value_from_clients),
        CASE(store_kv_31_clear_all_hides_all_former_values_from_clients),
        CASE(store_kv_9_value_of_a_later_execution_survives_the_pruning_of_the_former),
        CASE(store_kv_12_pruning_keeps_what_the_present_execution_has_rewritten),
        CASE(store_kv_13_pruning_keeps_what_only_the_pruned_execution_has_written),
        CASE(store_kv_24_pruning_the_only_execution_keeps_its_values),
        CASE(store_kv_35_old_untouched_value_survives_pruning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
