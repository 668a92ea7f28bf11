/* The custom status of an instance: the event that a turn names, and how often one was named. */
#include "tests/conformance/story.h"

#include "engine/event.h"

/* An instance "i" whose first turn has set its status to "one". */
static uint64_t scene_status(struct world *world)
{
    uint64_t worker = worker_register(world, "w");
    instance_start(world, "i");
    struct plan *plan = story_turn(world, worker, "i");
    plan->record.status_event = plan_event(plan, "one");
    plan_commit(plan);
    return worker;
}

/* A turn of "i" whose event is its status from then on. */
static void status_set(struct world *world, uint64_t worker, hf_slice body)
{
    struct plan *plan = story_turn(world, worker, "i");
    plan->record.status_event = plan_event(plan, "status");
    plan->events[plan->record.events.count - 1].body = body;
    plan_commit(plan);
}

static void assert_status_is(struct world *world, const char *id, hf_slice body, uint64_t version)
{
    struct hf_instance_info info = instance_info(world, id);
    assert_true(hf_slice_equal(info.status_body, body));
    assert_int_equal(info.status_version, version);
}

static void store_status_1_change_sets_the_value_and_raises_the_version(void **state)
{
    struct world *world = *state;
    scene_status(world);
    assert_true(world->effects & HF_EFFECT_CHANGED);
    assert_status_is(world, "i", hf_text("one"), 1);
}

/* An event that says "none" takes the place of the former one: the store does not look into it. */
static void store_status_2_clearing_raises_the_version(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_status(world);
    struct hf_event none = { .kind = HF_EVENT_STATUS_SET };
    hf_slice body = hf_event_encode(&none, &world->arena);
    status_set(world, worker, body);
    assert_status_is(world, "i", body, 2);
    assert_true(world->effects & HF_EFFECT_CHANGED);
}

static void store_status_3_turn_without_a_change_keeps_it(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_status(world);
    struct plan *plan = story_turn(world, worker, "i");
    plan_event(plan, "no status");
    plan_commit(plan);
    assert_status_is(world, "i", hf_text("one"), 1);
    story_continue(world, worker, "i");
    assert_status_is(world, "i", hf_text("one"), 1);
}

static void store_status_4_each_change_adds_one_to_the_version(void **state)
{
    static const char *const bodies[] = { "two", "two", "cleared", "three" };
    struct world *world = *state;
    uint64_t worker = scene_status(world);
    for (size_t i = 0; i < HF_COUNT_OF(bodies); i++) {
        status_set(world, worker, hf_text(bodies[i]));
        assert_status_is(world, "i", hf_text(bodies[i]), 2 + i);
    }
}

/* Who asks again sees the same version, and nobody is told of a change. */
static void store_status_5_nothing_changes_until_it_is_changed(void **state)
{
    struct world *world = *state;
    uint64_t worker = scene_status(world);
    assert_status_is(world, "i", hf_text("one"), 1);
    instance_message(world, "i", "hello");
    assert_int_equal(world->effects & HF_EFFECT_CHANGED, 0);
    plan_commit(story_turn(world, worker, "i"));
    assert_int_equal(world->effects & HF_EFFECT_CHANGED, 0);
    assert_status_is(world, "i", hf_text("one"), 1);
}

static void store_status_6_unknown_instance_has_none(void **state)
{
    struct world *world = *state;
    scene_status(world);
    assert_false(story_finds(world, "nobody"));
}

static void store_status_7_new_instance_has_none_of_version_0(void **state)
{
    struct world *world = *state;
    scene_status(world);
    instance_start(world, "j");
    assert_status_is(world, "j", (hf_slice)HF_EMPTY, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_status_1_change_sets_the_value_and_raises_the_version),
        CASE(store_status_2_clearing_raises_the_version),
        CASE(store_status_3_turn_without_a_change_keeps_it),
        CASE(store_status_4_each_change_adds_one_to_the_version),
        CASE(store_status_5_nothing_changes_until_it_is_changed),
        CASE(store_status_6_unknown_instance_has_none),
        CASE(store_status_7_new_instance_has_none_of_version_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
