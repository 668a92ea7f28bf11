/* Tags: who is given which work. A fetch always serves work without a tag, and of the tagged that
 * whose tag it names. */
#include "tests/conformance/world.h"

/* One item of each tag, oldest first: none, "gpu", "disk"; their events are 2, 3 and 4. */
static void scene_tagged(struct world *world, uint64_t registration)
{
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_item(plan, 0, "");
    plan_item(plan, 0, "gpu");
    plan_item(plan, 0, "disk");
    plan_commit(plan);
}

enum { PLAIN = 2, GPU, DISK };

/* Fetches all that a worker with these tags (NULL: the end) is given; fails the test unless it is
 * work of exactly these events (0: the end). Returns the grants. */
static struct hf_item_grant *expect(struct world *world, uint64_t registration,
                                    const char *const tags[3], const uint64_t events[4])
{
    hf_slice list[3];
    struct hf_store_command fetch = fetch_items_command(world, registration);
    fetch.fetch_items.items_max = 10;
    fetch.fetch_items.tags = list;
    for (size_t i = 0; i < 3 && tags[i]; i++) {
        list[fetch.fetch_items.tags_count++] = hf_text(tags[i]);
    }
    assert_ok(world_run(world, &fetch), &world->error);
    struct hf_item_grant *grants = fetch.fetch_items.out_items;
    size_t count = 0;
    for (; count < 4 && events[count]; count++) {
        assert_true(count < fetch.fetch_items.out_items_count);
        assert_int_equal(grants[count].token.item.event_id, events[count]);
    }
    assert_int_equal(fetch.fetch_items.out_items_count, count);
    return grants;
}

static const char *const no_tags[3];
static const char *const gpu[3] = { "gpu" };
static const char *const disk[3] = { "disk" };
static const char *const both[3] = { "disk", "gpu" };

static void store_tag_1_worker_without_tags_is_given_untagged_work(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_tagged(world, registration);
    expect(world, registration, no_tags, (const uint64_t[4]){ PLAIN });
}

static void store_tag_3_worker_with_a_tag_is_given_its_and_untagged_work(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_tagged(world, registration);
    expect(world, registration, disk, (const uint64_t[4]){ PLAIN, DISK });
}

static void store_tag_4_fetch_for_nothing_is_given_nothing(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_tagged(world, registration);
    struct hf_store_command fetch = fetch_items_command(world, registration);
    fetch.fetch_items.items_max = 0;
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 0);
    expect(world, registration, both, (const uint64_t[4]){ PLAIN, GPU, DISK });
}

static void store_tag_5_any_of_several_tags_matches(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_tagged(world, registration);
    expect(world, registration, both, (const uint64_t[4]){ PLAIN, GPU, DISK });
}

static void store_tag_6_tag_comes_back_as_it_was_given(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_tagged(world, registration);
    struct hf_item_grant *grants = expect(world, registration, both,
                                          (const uint64_t[4]){ PLAIN, GPU, DISK });
    assert_int_equal(grants[0].tag.size, 0);
    assert_true(hf_slice_equal(grants[1].tag, hf_text("gpu")));
    assert_true(hf_slice_equal(grants[2].tag, hf_text("disk")));
}

static void store_tag_8_tag_survives_being_handed_back(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_tagged(world, registration);
    struct hf_item_grant *grants = expect(world, registration, gpu,
                                          (const uint64_t[4]){ PLAIN, GPU });
    struct hf_store_command back = abandon_command(registration, &grants[1].token);
    assert_ok(world_run(world, &back), &world->error);
    expect(world, registration, no_tags, (const uint64_t[4]){ 0 });
    expect(world, registration, disk, (const uint64_t[4]){ DISK });
    grants = expect(world, registration, gpu, (const uint64_t[4]){ GPU });
    assert_true(hf_slice_equal(grants[0].tag, hf_text("gpu")));
}

static void store_tag_9_workers_of_one_queue_serve_tags_of_their_own(void **state)
{
    struct world *world = *state;
    uint64_t plain = worker_register(world, "plain");
    uint64_t of_gpu = worker_register(world, "gpu");
    uint64_t of_both = worker_register(world, "both");
    scene_tagged(world, plain);
    expect(world, of_gpu, gpu, (const uint64_t[4]){ PLAIN, GPU });
    expect(world, plain, no_tags, (const uint64_t[4]){ 0 });
    expect(world, of_gpu, gpu, (const uint64_t[4]){ 0 });
    expect(world, of_both, both, (const uint64_t[4]){ DISK });
}

static void store_tag_10_tag_survives_the_next_turn_and_a_reopening(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_tagged(world, registration);
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, registration);
    plan_item(plan, 0, "gpu");
    plan_commit(plan);
    world_reopen(world, NULL);
    worker_renew(world, registration);
    struct hf_item_grant *grants = expect(world, registration, gpu,
                                          (const uint64_t[4]){ PLAIN, GPU, 6 });
    assert_true(hf_slice_equal(grants[2].tag, hf_text("gpu")));
}

/* A tag given twice gives nothing twice; one that nobody ever used gives nothing. */
static void test_tags_may_be_given_twice_or_be_unknown(void **state)
{
    static const char *const odd[3] = { "never used", "gpu", "gpu" };
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_tagged(world, registration);
    expect(world, registration, odd, (const uint64_t[4]){ PLAIN, GPU });
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_tag_1_worker_without_tags_is_given_untagged_work),
        CASE(store_tag_3_worker_with_a_tag_is_given_its_and_untagged_work),
        CASE(store_tag_4_fetch_for_nothing_is_given_nothing),
        CASE(store_tag_5_any_of_several_tags_matches),
        CASE(store_tag_6_tag_comes_back_as_it_was_given),
        CASE(store_tag_8_tag_survives_being_handed_back),
        CASE(store_tag_9_workers_of_one_queue_serve_tags_of_their_own),
        CASE(store_tag_10_tag_survives_the_next_turn_and_a_reopening),
        CASE(test_tags_may_be_given_twice_or_be_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
