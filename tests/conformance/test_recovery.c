/* Commands behind a rebuild, in a copy of the store, and on damaged bytes: what soft state and
 * store generations mean for tokens. */
#include "tests/conformance/world.h"

#include "tests/conformance/subject.h"

/* Makes all indexes anew: soft state is gone then. */
static void world_rebuild(struct world *world)
{
    world->backend->ops->close(world->backend);
    subject_rebuild(world->directory.path, &world->seams);
    world_open(world);
}

/* When soft rows are lost the head alone decides: the turn in progress lands while nobody has taken
 * it again, and its leases count as passed until they are renewed. */
static void test_turn_survives_the_loss_of_soft_state(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    world_rebuild(world);
    assert_true(world_peek(world, a).out_turns_due);
    struct hf_store_command back = abandon_turn_command(a, &plan->token);
    assert_refused(world, &back, HF_STALE, "superseded"); /* it is due already */
    plan_commit(plan);
    struct hf_store_command again = plan_command(plan);
    assert_refused(world, &again, HF_STALE, "superseded");
}

/* The same, but another has taken the turn meanwhile: then the first is fenced. */
static void test_turn_taken_after_the_loss_of_soft_state_is_fenced(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    world_rebuild(world);
    struct hf_turn_grant taken = turn_take(world, b);
    struct hf_store_command commit = plan_command(plan);
    assert_refused(world, &commit, HF_STALE, "superseded");
    plan_commit(plan_new(world, b, &taken));
}

/* Who holds what is hard: deliveries and claims survive, stealable until the next renewal. */
static void test_deliveries_and_claims_survive_the_loss_of_soft_state(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 1);
    scene_items(world, a, "two", 1);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 2);
    world_rebuild(world);
    struct hf_session_row row = session_row(world, 1, 1);
    assert_true(row.owner == a && row.epoch == grants[0].epoch);
    assert_true(world_peek(world, b).out_items_ready);
    worker_renew(world, a);
    worker_renew(world, b);
    assert_no_item(world, b);
    item_complete(world, a, &grants[0].token);
    item_complete(world, a, &grants[1].token);
}

/* In a plain copy of the store every token of the original is void, and work goes on with new ones:
 * the heads of instances may be older than the copy. */
static void store_beyond_8_copy_voids_every_token(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    scene_session(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    struct hf_session_claim claim = { grant.token.item.instance, 1, grant.epoch };
    instance_start(world, "two");
    struct plan *plan = scene_turn(world, a);
    world_kill(world, "a");
    struct hf_test_directory original = world->directory;
    world->backend->ops->close(world->backend);
    hf_test_directory_make(&world->directory);
    subject_copy(original.path, world->directory.path);
    world_open(world);
    assert_int_equal(world_next_lsn(world) >> 48, 1);

    uint64_t b = worker_register(world, "b");
    struct hf_store_command command = complete_command(a, &grant.token);
    assert_refused(world, &command, HF_STALE, "store_generation");
    command = complete_command(b, &grant.token);
    assert_refused(world, &command, HF_STALE, "store_generation");
    command = plan_command(plan);
    assert_refused(world, &command, HF_STALE, "store_generation");
    command = renew_command(world, a);
    assert_refused(world, &command, HF_STALE, "store_generation");
    assert_string_equal(held_code(world, b, NULL, &claim), "store_generation");
    struct hf_item_grant again = item_take(world, b);
    assert_int_equal(again.attempt, 2);
    assert_true(again.first_in_claim);
    item_complete(world, b, &again.token);
    struct hf_turn_grant turn = turn_take(world, b);
    assert_int_equal(turn.token.head >> 48, 0);
    plan_commit(plan_new(world, b, &turn));
    assert_ok(worker_end(world, a, HF_REASON_DEAD), &world->error);
    hf_test_directory_remove(&original);
}

static void data_damage(struct world *world, const char *text)
{
    world->backend->ops->close(world->backend);
    subject_damage(world->directory.path, text);
    world_open(world);
}

/* An item whose body is damaged on disk is handed out without it, said and counted, and holds
 * nothing else up. (The store is not whole then: this case verifies nothing at its end.) */
static void store_beyond_2_damaged_item_holds_nothing_up(void **state)
{
    static const char body[] = "the body that a disk will damage";
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    plan_item(plan, 0, "");
    plan->events[0].body = hf_text(body);
    plan_item(plan, 0, "");
    plan_commit(plan);
    data_damage(world, body);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 2);
    assert_int_equal(grants[0].body.size, 0);
    assert_true(hf_slice_equal(grants[1].body, hf_text("activity")));
    assert_int_equal(world->damaged_count, 1);
    item_complete(world, a, &grants[0].token);
    item_complete(world, a, &grants[1].token);
    assert_true(world_peek(world, a).out_turns_due);
}

/* What a child or its parent cannot be told, since its bytes are damaged, keeps nobody from ending,
 * and its sisters are told. */
static void test_damaged_words_of_a_family_hold_nothing_up(void **state)
{
    static const char words[] = "the words that a disk will damage";
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    instance_start(world, "parent");
    struct plan *plan = scene_turn(world, a);
    const char *const ids[] = { "deaf", "dumb", "sound" };
    for (size_t i = 0; i < HF_COUNT_OF(ids); i++) plan_child(plan, ids[i]);
    plan->children[0].orphan_body = hf_text(words);
    plan->children[1].lost_body = hf_text(words);
    plan_commit(plan);
    data_damage(world, words);
    struct hf_store_command terminate = { .kind = HF_STORE_TERMINATE };
    terminate.terminate = (struct hf_store_terminate){ .id = hf_text("dumb"),
                                                       .body = hf_text("t") };
    assert_ok(world_run(world, &terminate), &world->error);
    assert_int_equal(instance_info(world, "dumb").status, HF_INSTANCE_TERMINATED);
    assert_int_equal(inbox_count(world, instance_info(world, "parent").number), 0);
    assert_int_equal(world->damaged_count, 1);
    terminate.terminate.id = hf_text("parent");
    assert_ok(world_run(world, &terminate), &world->error);
    assert_int_equal(world->damaged_count, 2);
    assert_int_equal(inbox_count(world, instance_info(world, "deaf").number), 0);
    assert_int_equal(inbox_count(world, instance_info(world, "sound").number), 1);
    world_reclaim(world);
    assert_false(world_peek(world, a).out_reclaim);
    terminate.terminate.id = hf_text("deaf");
    assert_ok(world_run(world, &terminate), &world->error);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_turn_survives_the_loss_of_soft_state),
        CASE(test_turn_taken_after_the_loss_of_soft_state_is_fenced),
        CASE(test_deliveries_and_claims_survive_the_loss_of_soft_state),
        CASE(store_beyond_8_copy_voids_every_token),
        cmocka_unit_test_setup_teardown(store_beyond_2_damaged_item_holds_nothing_up, world_setup,
                                        world_teardown_unverified),
        cmocka_unit_test_setup_teardown(test_damaged_words_of_a_family_hold_nothing_up, world_setup,
                                        world_teardown_unverified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
