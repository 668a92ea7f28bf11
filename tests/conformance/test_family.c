/* Parents and children through the contract: who is started, who is told of whose end, what nobody
 * waits for. What a message says is the engine's business; here it is a word. */
#include "tests/conformance/story.h"

#include <stdio.h>
#include <string.h>

/* ---- words ----------------------------------------------------------------------------------- */

/* Starts instance "parent" and runs its first turn, which starts one child, "child". Returns the
 * event that did. */
static uint64_t family_start(struct world *world, uint64_t registration)
{
    instance_start(world, "parent");
    struct plan *plan = scene_turn(world, registration);
    uint64_t event_id = plan_child(plan, "child");
    plan_commit(plan);
    return event_id;
}

/* A turn of the instance of that number, which must be the next that is due. */
static struct plan *turn_of(struct world *world, uint64_t registration, const char *id)
{
    struct hf_turn_grant grant = turn_take(world, registration);
    assert_int_equal(grant.token.instance, instance_info(world, id).number);
    return plan_new(world, registration, &grant);
}

/* Fails the test unless exactly this message waits for the instance, for that execution. */
static void assert_message(struct world *world, const char *id, const char *body,
                           uint64_t execution)
{
    struct hf_instance_info info = instance_info(world, id);
    struct hf_turn_view view = turn_view(world, info.number, info.execution);
    assert_int_equal(view.messages_count, 1);
    assert_true(hf_slice_equal(view.messages[0].body, hf_text(body)));
    assert_int_equal(view.messages[0].execution, execution);
}

static void assert_no_message(struct world *world, const char *id)
{
    assert_int_equal(inbox_count(world, instance_info(world, id).number), 0);
}

/* ---- a child's life -------------------------------------------------------------------------- */

/* The commit of a turn starts its child in the same transaction: it is there, with its first event,
 * and its turn is due. */
static void store_create_4_committed_turn_starts_the_child(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t lsn = world_next_lsn(world);
    family_start(world, registration);
    assert_true(world_next_lsn(world) == lsn + 3); /* started, turn_committed, started */
    assert_true(world->effects & HF_EFFECT_TURNS_DUE);
    struct hf_instance_info info = instance_info(world, "child");
    assert_int_equal(info.status, HF_INSTANCE_PENDING);
    assert_true(hf_slice_equal(info.orchestration, hf_text("demo")));
    struct hf_turn_view view = turn_view(world, info.number, 1);
    assert_true(hf_slice_equal(view.events[0].body, hf_text("start")));
    assert_no_message(world, "parent");
}

/* A detached start is an instance of its own when the turn is committed, and not before: an event
 * of its starter's, and no bond between them. */
static void row_6c_5_committed_turn_starts_the_detached(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "starter");
    struct plan *plan = scene_turn(world, registration);
    plan_child(plan, "loose");
    plan->children[0] = (struct hf_turn_child){ .event_id = plan->children[0].event_id,
                                                .id = hf_text("loose"),
                                                .orchestration = hf_text("demo"),
                                                .body = hf_text("start"),
                                                .is_detached = 1 };
    struct hf_store_command message = message_command("loose", "too early");
    assert_refused(world, &message, HF_NOT_FOUND, "");
    plan_end(plan, HF_OUTCOME_COMPLETED);
    uint64_t lsn = world_next_lsn(world);
    plan_commit(plan);
    assert_true(world_next_lsn(world) == lsn + 2); /* turn_committed, started */
    struct hf_instance_info info = instance_info(world, "loose");
    assert_int_equal(info.status, HF_INSTANCE_PENDING);
    plan = turn_of(world, registration, "loose");
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan_commit(plan);
    assert_no_message(world, "starter");
    assert_int_equal(instance_info(world, "starter").events_count, 3);
}

/* What the child's last turn tells its parent becomes a message of the parent, which names the
 * execution that it answers. */
static void test_ended_child_answers_its_parent(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    family_start(world, registration);
    struct plan *plan = turn_of(world, registration, "child");
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan->record.parent_body = hf_text("outcome");
    plan_commit(plan);
    assert_message(world, "parent", "outcome", 1);
    assert_true(world_peek(world, registration).out_turns_due);
}

/* A child that tells nothing, as an engine of another make might, is lost, not waited for. */
static void test_silent_child_is_lost(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    family_start(world, registration);
    struct plan *plan = turn_of(world, registration, "child");
    plan_end(plan, HF_OUTCOME_FAILED);
    plan_commit(plan);
    assert_message(world, "parent", "lost", 1);
}

/* A child that was terminated, and one that was deleted, answer with what the parent gave them for
 * that end. */
static void test_child_ended_from_outside_answers_its_parent(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    family_start(world, registration);
    story_terminate(world, "child");
    assert_message(world, "parent", "lost", 1);
    struct plan *plan = turn_of(world, registration, "parent");
    plan_child(plan, "other");
    plan_commit(plan);
    story_delete(world, "other");
    assert_message(world, "parent", "deleted", 1);
    story_delete(world, "child"); /* it has answered already */
    assert_message(world, "parent", "deleted", 1);
}

/* The link lasts over the continue-as-new of the child: it belongs to the instance. */
static void store_beyond_7_link_survives_continue_as_new_and_reopening(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    family_start(world, registration);
    struct plan *plan = turn_of(world, registration, "child");
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan_commit(plan);
    assert_no_message(world, "parent");
    world_reopen(world, NULL);
    assert_true(hf_slice_equal(instance_info(world, "child").parent_id, hf_text("parent")));
    plan = turn_of(world, registration, "child");
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan->record.parent_body = hf_text("outcome");
    plan_commit(plan);
    assert_message(world, "parent", "outcome", 1);
}

/* An id that is taken, by whatever and in whatever state, also by a sister of the same turn, is an
 * answer to the parent, not an error of its turn. */
static void test_taken_id_is_an_answer(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "taken");
    story_terminate(world, "taken");
    instance_start(world, "parent");
    struct plan *plan = scene_turn(world, registration);
    plan_child(plan, "taken");
    plan_child(plan, "twin");
    plan_child(plan, "twin");
    plan_child(plan, "parent");
    plan_commit(plan);
    struct hf_turn_view view = turn_view(world, instance_info(world, "parent").number, 1);
    assert_int_equal(view.messages_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(hf_slice_equal(view.messages[i].body, hf_text("clash")));
        assert_int_equal(view.messages[i].execution, 1);
    }
    assert_int_equal(instance_info(world, "twin").status, HF_INSTANCE_PENDING);
    assert_int_equal(instance_info(world, "taken").status, HF_INSTANCE_TERMINATED);
}

/* ---- nobody waits any more ------------------------------------------------------------------- */

/* A cancelled child gets its message and is nobody's from then on: its outcome has no effect. */
static void test_cancelled_child_is_told_and_not_heard(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t event_id = family_start(world, registration);
    plan_commit(turn_of(world, registration, "child"));
    instance_message(world, "parent", "go on");
    struct plan *plan = turn_of(world, registration, "parent");
    plan_child_cancel(plan, event_id);
    plan_child_cancel(plan, event_id + 50); /* none: no effect */
    plan_commit(plan);
    assert_message(world, "child", "cancel", 0);
    plan = turn_of(world, registration, "child");
    plan_end(plan, HF_OUTCOME_CANCELLED);
    plan->record.parent_body = hf_text("outcome");
    uint64_t lsn = world_next_lsn(world);
    plan_commit(plan);
    assert_true(world_next_lsn(world) == lsn + 1);
    assert_no_message(world, "parent");
}

/* A child that is scheduled and cancelled in one turn never starts; nor does one whose parent ends
 * in that turn. */
static void test_child_of_one_turn_never_starts(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "parent");
    struct plan *plan = scene_turn(world, registration);
    uint64_t first = plan_child(plan, "one");
    plan_child(plan, "two");
    uint64_t third = plan_child(plan, "three");
    plan_child_cancel(plan, third);
    plan_child_cancel(plan, first);
    plan_commit(plan);
    struct hf_instance_info info;
    assert_status(world->backend->ops->instance(world->backend, hf_text("one"), &world->arena,
                                                &info, &world->error),
                  HF_NOT_FOUND);
    assert_int_equal(instance_info(world, "two").number, 2);
    instance_message(world, "parent", "go on");
    plan_commit(turn_of(world, registration, "two"));
    plan = turn_of(world, registration, "parent");
    plan_child(plan, "four");
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan_commit(plan);
    assert_status(world->backend->ops->instance(world->backend, hf_text("four"), &world->arena,
                                                &info, &world->error),
                  HF_NOT_FOUND);
    assert_message(world, "two", "orphan", 0);
}

/* An outcome for a parent that has ended, or is in another execution, is no message and no record.
 */
static void test_answer_to_nobody_is_dropped(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t event_id = family_start(world, registration);
    plan_commit(turn_of(world, registration, "child"));
    instance_message(world, "parent", "go on");
    struct plan *plan = turn_of(world, registration, "parent");
    plan_child_cancel(plan, event_id);
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan_commit(plan);
    assert_message(world, "child", "cancel", 0);
    plan_commit(turn_of(world, registration, "parent")); /* the first of its next execution */
    plan = turn_of(world, registration, "child");
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan->record.parent_body = hf_text("outcome");
    uint64_t lsn = world_next_lsn(world);
    plan_commit(plan);
    assert_true(world_next_lsn(world) == lsn + 1);
    assert_int_equal(instance_info(world, "parent").execution, 2);
    assert_no_message(world, "parent");
}

/* A turn that continues as new and leaves a child behind, old or new, is refused: nobody could tell
 * its outcome to the next execution. */
static void test_continue_with_a_child_left_is_refused(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t event_id = family_start(world, registration);
    plan_commit(turn_of(world, registration, "child"));
    instance_message(world, "parent", "go on");
    struct plan *plan = turn_of(world, registration, "parent");
    uint64_t second = plan_child(plan, "second");
    plan_end(plan, HF_OUTCOME_CONTINUED);
    struct hf_store_command command = plan_command(plan);
    assert_refused(world, &command, HF_CORRUPT, "");
    plan_child_cancel(plan, second);
    assert_refused(world, &command, HF_CORRUPT, "");
    plan_child_cancel(plan, event_id);
    assert_ok(world_run(world, &command), &world->error);
}

/* ---- a parent's end -------------------------------------------------------------------------- */

/* Every way in which a parent can end tells its children. */
static void test_every_end_of_a_parent_tells_its_children(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    const enum hf_outcome outcomes[] = { HF_OUTCOME_COMPLETED, HF_OUTCOME_FAILED,
                                         HF_OUTCOME_CANCELLED };
    for (size_t i = 0; i < HF_COUNT_OF(outcomes) + 2; i++) {
        char parent[16], child[16];
        snprintf(parent, sizeof parent, "parent-%zu", i);
        snprintf(child, sizeof child, "child-%zu", i);
        instance_start(world, parent);
        struct plan *plan = scene_turn(world, registration);
        plan_child(plan, child);
        plan_commit(plan);
        plan_commit(turn_of(world, registration, child));
        if (i < HF_COUNT_OF(outcomes)) {
            instance_message(world, parent, "end");
            plan = turn_of(world, registration, parent);
            plan_end(plan, outcomes[i]);
            plan_commit(plan);
        } else if (i == HF_COUNT_OF(outcomes)) {
            story_terminate(world, parent);
        } else {
            story_delete(world, parent);
        }
        assert_message(world, child, "orphan", 0);
        assert_true(world->effects & HF_EFFECT_TURNS_DUE);
        plan = turn_of(world, registration, child);
        plan_end(plan, HF_OUTCOME_CANCELLED);
        plan->record.parent_body = hf_text("outcome");
        plan_commit(plan);
        world_reclaim(world);
        world_verify(world);
    }
}

/* How many of the children of a family have their message. */
static size_t told_count(struct world *world, size_t children_count)
{
    size_t count = 0;
    for (size_t i = 0; i < children_count; i++) count += inbox_count(world, 2 + i);
    return count;
}

/* A parent with more children than one transaction tells has ended at once; the rest is told step
 * by step, and those that end meanwhile are not told at all. */
static void test_very_many_children_are_told_in_steps(void **state)
{
    struct world *world = *state;
    enum { CHILDREN = 2 * HF_PURGE_MAX + 100 };
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "parent");
    struct plan *plan = scene_turn(world, registration);
    for (size_t i = 0; i < CHILDREN; i++) {
        char id[16];
        snprintf(id, sizeof id, "child-%zu", i);
        plan_child(plan, id);
    }
    plan_commit(plan);
    story_terminate(world, "parent");
    assert_true(world->effects & HF_EFFECT_RECLAIM);
    assert_int_equal(instance_info(world, "parent").status, HF_INSTANCE_TERMINATED);
    assert_int_equal(told_count(world, CHILDREN), HF_PURGE_MAX);
    story_terminate(world, "child-2099"); /* the last one */
    world_verify(world);
    struct hf_store_command reclaim = { .kind = HF_STORE_RECLAIM };
    assert_ok(world_run(world, &reclaim), &world->error);
    assert_true(reclaim.reclaim.out_more);
    assert_int_equal(told_count(world, CHILDREN), 2 * HF_PURGE_MAX);
    assert_ok(world_run(world, &reclaim), &world->error);
    assert_false(reclaim.reclaim.out_more);
    assert_int_equal(told_count(world, CHILDREN), CHILDREN - 1);
    assert_int_equal(world_reclaim(world), 0);
}

/* ---- form and faults ------------------------------------------------------------------------- */

/* A turn whose children no store could hold is refused before anything is written. */
static void test_malformed_children_are_refused(void **state)
{
    struct world *world = *state;
    char long_id[256];
    memset(long_id, 'x', sizeof long_id);
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "parent");
    struct plan *plan = scene_turn(world, registration);
    plan_child(plan, "one");
    plan_child(plan, "two");
    struct hf_store_command command = plan_command(plan);
    const struct hf_turn_child good = plan->children[1];
    struct hf_turn_child *child = &plan->children[1];
    hf_slice *const texts[] = { &child->id,        &child->orchestration, &child->body,
                                &child->lost_body, &child->orphan_body,   &child->deleted_body,
                                &child->clash_body };
    for (size_t i = 0; i < HF_COUNT_OF(texts); i++) {
        *texts[i] = (hf_slice)HF_EMPTY;
        assert_refused(world, &command, HF_INVALID, "");
        *child = good;
    }
    child->id = hf_bytes(long_id, sizeof long_id);
    assert_refused(world, &command, HF_INVALID, "");
    *child = good;
    child->event_id = plan->children[0].event_id;
    assert_refused(world, &command, HF_INVALID, "");
    child->event_id = 99;
    assert_refused(world, &command, HF_INVALID, "");
    *child = good;
    plan->record.parent_body = hf_text("no end");
    assert_refused(world, &command, HF_INVALID, "");
    plan->record.parent_body = (hf_slice)HF_EMPTY;
    plan_child_cancel(plan, 0);
    assert_refused(world, &command, HF_INVALID, "");
    plan->child_cancels[0] = (struct hf_turn_child_cancel){ 1, HF_EMPTY };
    assert_refused(world, &command, HF_INVALID, "");
    plan->record.child_cancels.count = 0;
    assert_ok(world_run(world, &command), &world->error);
}

/* Whatever write fails while a parent ends and its child is told, nothing of it is there, and the
 * next try succeeds. */
static void family_fails_at_each(struct world *world, enum hf_fault_point point,
                                 struct hf_store_command *command)
{
    uint64_t fingerprint = world_fingerprint(world);
    hf_status status = HF_IO;
    world->fault_point = point;
    world->fault_code = 5; /* EIO */
    for (uint64_t passes = 1; status != HF_OK; passes++) {
        assert_true(passes < 1000);
        world->fault_after = passes;
        status = world_run(world, command);
        if (status == HF_OK) assert_true(passes > 1);
        if (status == HF_OK) break;
        assert_status(status, HF_IO);
        assert_true(world_fingerprint(world) == fingerprint);
    }
    world->fault_after = 0;
}

static void test_failing_write_leaves_no_half_family(void **state)
{
    struct world *world = *state;
    const enum hf_fault_point points[] = { HF_FAULT_PUT, HF_FAULT_DELETE };
    uint64_t registration = worker_register(world, "a");
    for (size_t i = 0; i < 2 * HF_COUNT_OF(points); i++) {
        struct hf_store_command end = terminate_command("parent");
        if (i % 2 == 1) end = delete_command("parent", true);
        family_start(world, registration);
        plan_commit(turn_of(world, registration, "child"));
        family_fails_at_each(world, points[i / 2], &end);
        assert_message(world, "child", "orphan", 0);
        if (i % 2 == 0) story_delete(world, "parent");
        story_delete(world, "child");
        world_reclaim(world);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_create_4_committed_turn_starts_the_child),
        CASE(row_6c_5_committed_turn_starts_the_detached),
        CASE(test_ended_child_answers_its_parent),
        CASE(test_silent_child_is_lost),
        CASE(test_child_ended_from_outside_answers_its_parent),
        CASE(store_beyond_7_link_survives_continue_as_new_and_reopening),
        CASE(test_taken_id_is_an_answer),
        CASE(test_cancelled_child_is_told_and_not_heard),
        CASE(test_child_of_one_turn_never_starts),
        CASE(test_answer_to_nobody_is_dropped),
        CASE(test_continue_with_a_child_left_is_refused),
        CASE(test_every_end_of_a_parent_tells_its_children),
        CASE(test_very_many_children_are_told_in_steps),
        CASE(test_malformed_children_are_refused),
        CASE(test_failing_write_leaves_no_half_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
