/* The fold of values: set, cleared, kept over continue-as-new and the end, gone with the instance.
 */
#include "indexes/values.h"

#include <string.h>

#include "tests/unit/indexes/world.h"

/* The record that set the value of a key, 0: none; `former`: when the former execution ended. */
static uint64_t value_lsn(struct world *world, const char *key, bool former)
{
    struct hf_row_value row;
    world_begin(world);
    hf_status status = hf_value_get(&world->tables, 1, hf_text(key), &row, NULL);
    world_end(world);
    if (status == HF_NOT_FOUND) return 0;
    assert_status(status, HF_OK);
    return former ? row.former.lsn : row.present.lsn;
}

static uint64_t world_continue(struct world *world)
{
    struct world_turn turn = turn_begin(world);
    turn_event(&turn, "continued");
    turn.body.next_body = hf_text("started again");
    turn.body.outcome = HF_OUTCOME_CONTINUED;
    return world_turn(world, &turn);
}

/* What the present execution sets is told at once, and stays hidden from its own replay until the
 * next one begins. */
static void row_6c_8_values_make_rows(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_set_value(&turn, "k", "one");
    turn_set_value(&turn, "l", "one");
    uint64_t first = world_turn(&world, &turn);
    assert_int_equal(world.effects & HF_EFFECT_CHANGED, HF_EFFECT_CHANGED);
    assert_int_equal(value_lsn(&world, "k", false), first);
    assert_int_equal(value_lsn(&world, "k", true), 0);
    world_continue(&world);
    assert_int_equal(value_lsn(&world, "k", true), first);

    turn = turn_begin(&world);
    turn_set_value(&turn, "k", "two");
    turn_clear_value(&turn, "l");
    uint64_t second = world_turn(&world, &turn);
    assert_int_equal(value_lsn(&world, "k", false), second);
    assert_int_equal(value_lsn(&world, "k", true), first);
    assert_int_equal(value_lsn(&world, "l", false), 0);
    assert_int_equal(value_lsn(&world, "l", true), first);
    world_continue(&world);
    assert_int_equal(value_lsn(&world, "k", true), second);
    assert_int_equal(world_count(&world, HF_TABLE_KV), 1);
    world_release(&world);
}

/* All are cleared in the order of the events: what is set behind that stays. */
static void test_clearing_all_spares_what_is_set_after(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_set_value(&turn, "k", "one");
    turn_set_value(&turn, "l", "one");
    turn_clear_value(&turn, "");
    turn_set_value(&turn, "l", "two");
    world_turn(&world, &turn);
    assert_int_equal(world_count(&world, HF_TABLE_KV), 1);
    assert_true(value_lsn(&world, "l", false) != 0);
    world_release(&world);
}

/* The end leaves values, also those that the last turn set; deletion takes them. */
static void row_1e_7_values_go_with_the_instance(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    world_start(&world, 2, "other");
    struct world_turn turn = turn_begin(&world);
    turn_set_value(&turn, "k", "one");
    turn.body.output_event = turn_event(&turn, "done");
    turn.body.outcome = HF_OUTCOME_COMPLETED;
    world_turn(&world, &turn);
    assert_true(value_lsn(&world, "k", false) != 0);
    struct hf_deleted deleted = { .instance = 1 };
    world_fold(&world, HF_RECORD_DELETED, &deleted);
    assert_int_equal(world_count(&world, HF_TABLE_KV), 0);
    world_release(&world);
}

/* A record that sets a value without a key, or to no event of its own, does not fit. */
static void test_values_that_are_none_do_not_fit(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_set_value(&turn, "", "no key");
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    turn = turn_begin(&world);
    turn_set_value(&turn, "k", "x");
    turn.values[0].event_id++;
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_6c_8_values_make_rows),
        cmocka_unit_test(test_clearing_all_spares_what_is_set_after),
        cmocka_unit_test(row_1e_7_values_go_with_the_instance),
        cmocka_unit_test(test_values_that_are_none_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
