/* Deletion: what is gone at once, what goes later in bounded steps, and that nothing of it can be
 * met meanwhile. Case 19.9 as far as a store alone shows it. */
#include "tests/conformance/story.h"

#include <stdio.h>
#include <string.h>

#include "tests/conformance/subject.h"

/* ---- words ----------------------------------------------------------------------------------- */

/* Rows of an instance's work and past: all that one record purges no more than a bound of. */
static uint64_t work_count(struct world *world)
{
    return subject_rows_count(world->backend, "sessions") +
           subject_rows_count(world->backend, "items") +
           subject_rows_count(world->backend, "timers") +
           subject_rows_count(world->backend, "inbox") +
           subject_rows_count(world->backend, "history");
}

static void assert_not_found(struct world *world, const char *id)
{
    struct hf_instance_info info;
    assert_status(world->backend->ops->instance(world->backend, hf_text(id), &world->arena, &info,
                                                &world->error),
                  HF_NOT_FOUND);
}

/* An instance of that id whose turn opens sessions, with so many items on each. */
static uint64_t sessions_start(struct world *world, uint64_t registration, const char *id,
                               size_t sessions_count, size_t items_count)
{
    uint64_t instance = instance_start(world, id);
    struct plan *plan = scene_turn(world, registration);
    for (uint64_t i = 1; i <= sessions_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "s-%llu", (unsigned long long)i);
        hf_slice copy = hf_arena_copy(&world->arena, hf_text(name));
        plan_open(plan, i, copy.data, "");
        plan->opened[i - 1].id = copy;
        for (size_t j = 0; j < items_count; j++) plan_item(plan, i, "");
    }
    plan_commit(plan);
    return instance;
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void store_delete_1_ended_instances_go_whole(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    static const char *const ids[] = { "completed", "terminated" };
    for (size_t i = 0; i < HF_COUNT_OF(ids); i++) {
        instance_start(world, ids[i]);
        story_set(world, worker, ids[i], "k", "1");
        story_continue(world, worker, ids[i]);
    }
    story_complete(world, worker, ids[0]);
    story_terminate(world, ids[1]);
    for (size_t i = 0; i < HF_COUNT_OF(ids); i++) {
        struct hf_store_command command = delete_command(ids[i], false);
        assert_ok(world_run(world, &command), &world->error);
        assert_not_found(world, ids[i]);
        assert_executions(world, ids[i], "");
    }
    struct hf_store_totals totals = story_totals(world);
    assert_int_equal(totals.instances[HF_INSTANCE_COMPLETED], 0);
    assert_int_equal(totals.instances[HF_INSTANCE_TERMINATED], 0);
    assert_int_equal(totals.executions + totals.values, 0);
    world_reclaim(world);
    assert_int_equal(work_count(world), 0);
}

static void store_delete_2_running_instance_goes_on_demand_alone(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    instance_start(world, "one");
    struct hf_store_command gently = delete_command("one", false);
    assert_refused(world, &gently, HF_STILL_RUNNING, "");
    plan_commit(story_turn(world, worker, "one"));
    assert_refused(world, &gently, HF_STILL_RUNNING, "");
    story_delete(world, "one");
    assert_int_equal(world->effects & HF_EFFECT_ENDED, HF_EFFECT_ENDED);
    assert_not_found(world, "one");
}

static void store_delete_3_unknown_instance_is_not_deleted(void **state)
{
    struct world *world = *state;
    instance_start(world, "one");
    struct hf_store_command command = delete_command("two", true);
    assert_refused(world, &command, HF_NOT_FOUND, "");
    story_delete(world, "one");
    command = delete_command("one", true);
    assert_refused(world, &command, HF_NOT_FOUND, "");
}

static void store_delete_4_work_goes_along_and_the_id_is_free(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = story_turn(world, worker, "one");
    plan_open(plan, 1, "s", "");
    plan_item(plan, 1, "");
    plan_item(plan, 0, "");
    plan_timer(plan, world->wall_ms);
    plan_commit(plan);
    instance_message(world, "one", "hello");
    turn_take(world, worker);
    instance_message(world, "one", "waits");
    story_delete(world, "one");
    world_reclaim(world);
    assert_int_equal(work_count(world), 0);
    assert_int_equal(timers_fire(world), 0);
    assert_no_item(world, worker);
    uint64_t instance = instance_start(world, "one");
    assert_int_equal(turn_take(world, worker).token.instance, instance);
    assert_int_equal(inbox_count(world, instance), 0);
}

static void store_delete_5_deep_tree_goes_whole(void **state)
{
    static const char *const ids[] = { "0", "1", "2", "3", "4", "5" };
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    instance_start(world, "0");
    for (size_t i = 1; i < HF_COUNT_OF(ids); i++) story_child(world, worker, ids[i - 1], ids[i]);
    instance_start(world, "other");
    struct hf_store_command command = delete_tree_command("2", true);
    assert_ok(world_run(world, &command), &world->error);
    assert_listed(world, story_query(), "0 1 other ");
    command = delete_tree_command("0", true);
    assert_ok(world_run(world, &command), &world->error);
    assert_listed(world, story_query(), "other ");
}

/* An instance is deleted without looking at others: a child alone, and its parent is told. */
static void test_child_goes_alone_and_its_parent_is_told(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    uint64_t parent = instance_start(world, "parent");
    story_child(world, worker, "parent", "child");
    story_delete(world, "child");
    struct hf_turn_view view = turn_view(world, parent, 1);
    assert_int_equal(view.messages_count, 1);
    assert_true(hf_slice_equal(view.messages[0].body, hf_text("deleted")));
    assert_listed(world, story_query(), "parent ");
}

static void store_delete_6_turn_in_flight_brings_nothing_back(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = story_turn(world, worker, "one");
    plan_item(plan, 0, "");
    story_delete(world, "one");
    struct hf_store_command commit = plan_command(plan);
    assert_refused(world, &commit, HF_STALE, "instance_ended");
    assert_not_found(world, "one");
    assert_no_item(world, worker);
}

static void store_delete_11_running_member_is_deleted_on_demand_alone(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    instance_start(world, "top");
    story_child(world, worker, "top", "a");
    story_child(world, worker, "top", "b");
    story_terminate(world, "top");
    story_terminate(world, "a");
    struct hf_store_command gently = delete_tree_command("top", false);
    assert_refused(world, &gently, HF_STILL_RUNNING, "");
    struct hf_store_command command = delete_tree_command("top", true);
    assert_ok(world_run(world, &command), &world->error);
    assert_listed(world, story_query(), "");
}

/* A child that was started since its family was looked at goes with it: nobody is left behind. */
static void test_child_that_came_meanwhile_goes_with_its_tree(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    instance_start(world, "top");
    story_child(world, worker, "top", "a");
    assert_listed(world, story_query(), "top a ");
    struct plan *plan = story_turn(world, worker, "a");
    plan_child(plan, "a1");
    struct hf_store_command commit = plan_command(plan);
    struct hf_store_command command = delete_tree_command("top", true);
    struct hf_store_command *group[] = { &commit, &command };
    world_group(world, group, HF_COUNT_OF(group));
    assert_ok(commit.status, &commit.error);
    assert_ok(command.status, &command.error);
    assert_listed(world, story_query(), "");
}

static void store_delete_13_old_activity_cannot_touch_the_instance_that_follows(void **state)
{
    struct world *world = *state;
    uint64_t worker = worker_register(world, "a");
    scene_items(world, worker, "one", 1);
    struct hf_item_grant old = item_take(world, worker);
    story_delete(world, "one");
    uint64_t instance = scene_items(world, worker, "one", 1);
    struct hf_store_command complete = complete_command(worker, &old.token);
    assert_refused(world, &complete, HF_STALE, "instance_ended");
    struct hf_item_grant item = item_take(world, worker);
    assert_refused(world, &complete, HF_STALE, "instance_ended");
    assert_int_equal(inbox_count(world, instance), 0);
    item_complete(world, worker, &item.token);
    assert_int_equal(inbox_count(world, instance), 1);
}

/* Between continue-as-new and the next turn an instance runs: it is not taken for an ended one. */
static void store_beyond_4_continued_instance_is_still_running(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan_commit(plan);
    struct hf_store_command command = delete_command("one", false);
    assert_refused(world, &command, HF_STILL_RUNNING, "");
}

/* Whether it runs is judged in the transaction: a group in which it ends first may delete it. */
static void store_beyond_5_running_is_judged_in_the_transaction(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_end(plan, HF_OUTCOME_COMPLETED);
    struct hf_store_command early = delete_command("one", false), late = early;
    struct hf_store_command commit = plan_command(plan);
    struct hf_store_command *group[] = { &early, &commit, &late };
    world_group(world, group, HF_COUNT_OF(group));
    assert_status(early.status, HF_STILL_RUNNING);
    assert_ok(commit.status, &commit.error);
    assert_ok(late.status, &late.error);
    assert_not_found(world, "one");
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* The holders of its turn, its items and its sessions are refused, and told by VOIDED; also when
 * its id lives again under another number. */
static void test_tokens_of_a_deleted_instance_are_void(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_session(world, registration, "one", 2);
    struct hf_item_grant grant = item_take(world, registration);
    instance_message(world, "one", "hello");
    struct plan *plan = scene_turn(world, registration);
    story_delete(world, "one");
    assert_int_equal(world->effects & HF_EFFECT_VOIDED, HF_EFFECT_VOIDED);
    for (int round = 0; round < 2; round++) {
        struct hf_store_command commit = plan_command(plan);
        assert_refused(world, &commit, HF_STALE, "instance_ended");
        struct hf_store_command complete = complete_command(registration, &grant.token);
        assert_refused(world, &complete, HF_STALE, "instance_ended");
        struct hf_store_command abandon = abandon_command(registration, &grant.token);
        assert_refused(world, &abandon, HF_STALE, "instance_ended");
        struct hf_session_claim claim = { grant.token.item.instance, 1, grant.epoch };
        assert_string_equal(held_code(world, registration, NULL, &claim), "instance_ended");
        struct hf_store_command release = release_command(world, registration, &claim);
        assert_ok(world_run(world, &release), &world->error);
        assert_string_equal(release.release_sessions.out_voids[0].code, "instance_ended");
        if (round == 0) assert_int_equal(instance_start(world, "one"), 2);
    }
    assert_int_equal(instance_info(world, "one").status, HF_INSTANCE_PENDING);
    assert_int_equal(instance_info(world, "one").events_count, 1);
}

/* Who holds what the deleting transaction has not come to is told all the same. */
static void test_holder_of_what_is_left_is_told(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_open(plan, 1, "s", "");
    for (size_t i = 0; i < HF_PURGE_MAX; i++) plan_item(plan, 1, "");
    plan_item(plan, 0, ""); /* the last that is purged */
    plan_commit(plan);
    struct hf_store_command fetch = fetch_items_command(world, registration);
    fetch.fetch_items.no_sessions = true;
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1);
    story_delete(world, "one");
    assert_int_equal(subject_rows_count(world->backend, "items_running"), 1);
    assert_int_equal(world->effects & HF_EFFECT_VOIDED, HF_EFFECT_VOIDED);
    const struct hf_item_token *token = &fetch.fetch_items.out_items[0].token;
    assert_string_equal(held_code(world, registration, token, NULL), "instance_ended");
}

/* The death of a worker that held a deleted instance's turn and items blames nobody and fails at
 * nothing. */
static void test_worker_of_a_deleted_instance_may_die(void **state)
{
    struct world *world = *state;
    uint64_t dead = worker_register(world, "a");
    scene_session(world, dead, "one", HF_PURGE_MAX + 2);
    size_t count;
    items_fetch(world, dead, 1000, &count);
    instance_message(world, "one", "hello");
    turn_take(world, dead);
    story_delete(world, "one");
    world_kill(world, "a");
    assert_ok(worker_end(world, dead, HF_REASON_DEAD), &world->error);
    uint64_t other = worker_register(world, "b");
    assert_no_item(world, other);
    world_reclaim(world);
    assert_no_item(world, other);
    assert_int_equal(work_count(world), 0);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* A deletion that comes again with its key is done, whatever has come under its id since. */
static void test_deletion_with_known_key_takes_effect_once(void **state)
{
    struct world *world = *state;
    instance_start(world, "one");
    struct hf_store_command command = delete_command("one", true);
    command.delete_instance.key = hf_text("key-1");
    assert_ok(world_run(world, &command), &world->error);
    uint64_t fingerprint = world_fingerprint(world);
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.lsn, 0);
    assert_true(world_fingerprint(world) == fingerprint);
    instance_start(world, "one");
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(instance_info(world, "one").number, 2);
}

/* The key with which a deleted instance was started starts nothing, under its id or another: it is
 * used. */
static void test_key_of_a_deleted_instance_resurrects_nothing(void **state)
{
    struct world *world = *state;
    struct hf_store_command start = start_command("one");
    start.start.key = hf_text("key-1");
    assert_ok(world_run(world, &start), &world->error);
    struct hf_store_command message = message_command("one", "hello");
    message.message.key = hf_text("key-2");
    assert_ok(world_run(world, &message), &world->error);
    story_delete(world, "one");
    assert_refused(world, &start, HF_INVALID, "");
    assert_refused(world, &message, HF_INVALID, "");
    struct hf_store_command other = start_command("two");
    other.start.key = hf_text("key-1");
    assert_refused(world, &other, HF_INVALID, "");
    assert_not_found(world, "one");
    instance_start(world, "one");
    assert_refused(world, &message, HF_INVALID, "");
    assert_int_equal(inbox_count(world, instance_info(world, "one").number), 0);
}

/* ---- 19.9 ------------------------------------------------------------------------------------ */

/* Fails the test if anything of a deleted instance can be met: by its id or number, as a session,
 * by a fetch, by what was handed out of it. */
static void assert_met_by_nobody(struct world *world, uint64_t owner, uint64_t other,
                                 const struct hf_item_grant *grant)
{
    const struct hf_item_id from = { grant->token.item.instance, 1, 1 };
    struct hf_turn_view view;
    assert_not_found(world, "one");
    assert_status(
        world->backend->ops->turn_view(world->backend, &from, &world->arena, &view, &world->error),
        HF_NOT_FOUND);
    for (uint64_t incarnation = 1; incarnation <= 3; incarnation++) {
        assert_false(session_find(world, from.instance, incarnation, NULL));
    }
    assert_no_item(world, owner);
    world->boot_ms += WORLD_SESSIONS_MS; /* whatever is held may be stolen now */
    worker_renew(world, other);
    assert_no_item(world, other);
    worker_renew(world, owner);
    assert_string_equal(held_code(world, owner, &grant->token, NULL), "instance_ended");
    assert_false(world_peek(world, owner).out_turns_due);
}

/* After the commit that deletes an instance, no lookup and no fetch finds its sessions, its items
 * or itself. Exactly 1,000 of its rows go in that transaction, sessions first; each later one takes
 * as many, until nothing is left. */
static void case_19_9_deleted_instance_is_gone_at_once_and_its_rows_in_steps(void **state)
{
    struct world *world = *state;
    uint64_t owner = worker_register(world, "a"), other = worker_register(world, "b");
    sessions_start(world, owner, "one", 3, 900);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, owner, 700, &count);
    assert_int_equal(count, 700);
    instance_message(world, "one", "hello");
    uint64_t before = work_count(world);
    story_delete(world, "one");
    assert_int_equal(before - work_count(world), HF_PURGE_MAX);
    assert_int_equal(subject_rows_count(world->backend, "sessions"), 0);
    assert_int_equal(subject_rows_count(world->backend, "items"), 3 * 900 - (HF_PURGE_MAX - 3));
    assert_int_equal(subject_rows_count(world->backend, "inbox"), 1);
    size_t steps_count = 0;
    struct hf_store_command reclaim = { .kind = HF_STORE_RECLAIM };
    for (bool more = true; more; more = reclaim.reclaim.out_more, steps_count++) {
        assert_met_by_nobody(world, owner, other, &grants[699]);
        world_reopen(world, NULL);
        before = work_count(world);
        assert_ok(world_run(world, &reclaim), &world->error);
        uint64_t gone = before - work_count(world);
        assert_true(reclaim.reclaim.out_more ? gone == HF_PURGE_MAX : gone <= HF_PURGE_MAX);
        world_verify(world);
    }
    assert_int_equal(work_count(world), 0);
    assert_true(steps_count > 3);
}

/* A session beyond the bound of the deleting transaction is found by nobody either, nor is it
 * counted as held, claimed or released. */
static void test_deleted_sessions_beyond_the_bound_are_not_found(void **state)
{
    struct world *world = *state;
    enum { TURNS = 20 };
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = instance_start(world, "one");
    uint64_t incarnation = 0;
    for (size_t turn = 0; turn < TURNS; turn++) {
        struct plan *plan = scene_turn(world, registration);
        for (size_t i = 0; i < PLAN_LIST_MAX; i++) plan_open(plan, ++incarnation, "s", "");
        plan_item(plan, incarnation, "");
        plan_commit(plan);
        instance_message(world, "one", "go on");
    }
    plan_commit(scene_turn(world, registration));
    uint64_t other = scene_session(world, registration, "two", 0);
    assert_true(subject_rows_count(world->backend, "sessions") > HF_PURGE_MAX);
    story_delete(world, "one");
    uint64_t left = subject_rows_count(world->backend, "sessions");
    assert_int_equal(left, TURNS * PLAN_LIST_MAX - HF_PURGE_MAX + 1);
    struct hf_session_row *rows;
    size_t count = 1;
    struct hf_sessions_query query = { 0 };
    assert_ok(world->backend->ops->sessions(world->backend, &query, &world->arena, &rows, &count,
                                            &world->error),
              &world->error);
    assert_int_equal(count, 1); /* and what comes behind them is */
    assert_int_equal(rows[0].instance, other);
    assert_false(session_find(world, instance, incarnation, NULL));
    assert_no_item(world, registration);
    world_reclaim(world);
    assert_int_equal(subject_rows_count(world->backend, "sessions"), 1);
}

/* A deletion with fewer rows than the bound leaves nothing to do. */
static void test_small_instance_goes_whole(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    sessions_start(world, registration, "one", 2, 100);
    story_delete(world, "one");
    assert_int_equal(work_count(world), 0);
    assert_false(world_peek(world, registration).out_reclaim);
    assert_int_equal(world_reclaim(world), 0);
}

/* Timers of a deleted instance that reclaim has not come to yet fire into nothing. */
static void test_timers_of_a_deleted_instance_fire_into_nothing(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    for (size_t turn = 0; turn < 20; turn++) {
        struct plan *plan = scene_turn(world, registration);
        for (size_t i = 0; i < PLAN_LIST_MAX; i++) plan_timer(plan, world->wall_ms + 1000);
        plan_commit(plan);
        instance_message(world, "one", "go on");
    }
    story_delete(world, "one");
    assert_true(subject_rows_count(world->backend, "timers") > 0);
    world->wall_ms += 1000;
    while (timers_fire(world) > 0) continue;
    assert_int_equal(subject_rows_count(world->backend, "timers"), 0);
    assert_int_equal(subject_rows_count(world->backend, "inbox"), 1);
    world_reclaim(world);
    assert_int_equal(work_count(world), 0);
}

/* An ended instance whose rows still wait to be reclaimed may be deleted; the rest goes on. */
static void test_instance_is_deleted_while_it_is_reclaimed(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    sessions_start(world, registration, "one", 1, 3500);
    story_complete(world, registration, "one");
    assert_true(work_count(world) > 2 * HF_PURGE_MAX);
    struct hf_store_command command = delete_command("one", false);
    assert_ok(world_run(world, &command), &world->error);
    world_verify(world);
    world_reclaim(world);
    assert_int_equal(work_count(world), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_delete_1_ended_instances_go_whole),
        CASE(store_delete_2_running_instance_goes_on_demand_alone),
        CASE(store_delete_3_unknown_instance_is_not_deleted),
        CASE(store_delete_4_work_goes_along_and_the_id_is_free),
        CASE(store_delete_5_deep_tree_goes_whole),
        CASE(test_child_goes_alone_and_its_parent_is_told),
        CASE(store_delete_6_turn_in_flight_brings_nothing_back),
        CASE(store_delete_11_running_member_is_deleted_on_demand_alone),
        CASE(test_child_that_came_meanwhile_goes_with_its_tree),
        CASE(store_delete_13_old_activity_cannot_touch_the_instance_that_follows),
        CASE(store_beyond_4_continued_instance_is_still_running),
        CASE(store_beyond_5_running_is_judged_in_the_transaction),
        CASE(test_tokens_of_a_deleted_instance_are_void),
        CASE(test_holder_of_what_is_left_is_told),
        CASE(test_worker_of_a_deleted_instance_may_die),
        CASE(test_deletion_with_known_key_takes_effect_once),
        CASE(test_key_of_a_deleted_instance_resurrects_nothing),
        CASE(case_19_9_deleted_instance_is_gone_at_once_and_its_rows_in_steps),
        CASE(test_deleted_sessions_beyond_the_bound_are_not_found),
        CASE(test_small_instance_goes_whole),
        CASE(test_timers_of_a_deleted_instance_fire_into_nothing),
        CASE(test_instance_is_deleted_while_it_is_reclaimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
