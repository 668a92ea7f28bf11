/* Children and deletion in the fold: who is whose child, until which record, and what is left of a
 * deleted instance. */
#include "indexes/law.h"
#include "indexes/rows_internal.h"
#include "tests/unit/indexes/world.h"

#include <string.h>

/* ---- records in a word ---------------------------------------------------------------------- */

static struct hf_started child_body(uint64_t number, const char *id, uint64_t event_id)
{
    return (struct hf_started){ .instance = number,
                                .id = hf_text(id),
                                .orchestration = hf_text("child"),
                                .body = hf_text("started"),
                                .parent_instance = 1,
                                .parent_execution = 1,
                                .parent_event = event_id,
                                .lost_body = hf_text("lost"),
                                .orphan_body = hf_text("orphan"),
                                .deleted_body = hf_text("deleted") };
}

/* Starts instance 1, and as many children of it, numbered from 2, as events of one turn. Returns
 * the event of the first. */
static uint64_t family_start(struct world *world, size_t count)
{
    world_start(world, 1, "parent");
    struct world_turn turn = turn_begin(world);
    uint64_t first = turn.next_event_id;
    for (size_t i = 0; i < count; i++) turn_event(&turn, "child scheduled");
    world_turn(world, &turn);
    for (size_t i = 0; i < count; i++) {
        const char id[] = { 'c', (char)('0' + i), '\0' };
        struct hf_started body = child_body(2 + i, id, first + i);
        world_fold(world, HF_RECORD_STARTED, &body);
    }
    return first;
}

static struct hf_terminated termination(struct world *world, uint64_t number)
{
    struct hf_row_instance row = world_instance(world, number);
    return (struct hf_terminated){ .instance = number,
                                   .execution = row.execution,
                                   .event_id = row.next_event_id,
                                   .body = hf_text("terminated") };
}

static void terminate(struct world *world, uint64_t number)
{
    struct hf_terminated body = termination(world, number);
    world_fold(world, HF_RECORD_TERMINATED, &body);
}

static void orphan(struct world *world, uint64_t child)
{
    struct hf_message_record body = { .instance = child, .body = hf_text("orphan"), .orphaned = 1 };
    world_fold(world, HF_RECORD_MESSAGE, &body);
}

static void delete_instance(struct world *world, uint64_t number)
{
    struct hf_deleted body = { .instance = number };
    world_fold(world, HF_RECORD_DELETED, &body);
}

static bool is_reclaimed(struct world *world)
{
    return world_count(world, HF_TABLE_RECLAIM) == 0;
}

static bool row_is_gone(struct world *world, uint64_t number)
{
    struct hf_row_instance row;
    world_begin(world);
    hf_status status = hf_instance_get(&world->tables, number, &row, &world->error);
    world_end(world);
    return status == HF_NOT_FOUND;
}

/* ---- children ------------------------------------------------------------------------------- */

/* A child names the event that started it, and the event the child; its bodies are refs. */
static void test_started_child_is_linked_both_ways(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    uint64_t event_id = family_start(&world, 2);
    struct hf_row_instance row = world_instance(&world, 3);
    assert_int_equal(row.parent.instance, 1);
    assert_int_equal(row.parent.execution, 1);
    assert_int_equal(row.parent.event_id, event_id + 1);
    assert_int_equal(row.lost.size, strlen("lost"));
    assert_int_equal(row.deleted.size, strlen("deleted"));
    assert_int_equal(row.orphan.size, strlen("orphan"));
    struct hf_item_id place = { 1, 0, 0 };
    uint64_t child = 0;
    world_begin(&world);
    for (uint64_t i = 0; i < 2; i++) {
        assert_ok(hf_children_next(&world.tables, &place, &child, NULL), NULL);
        assert_int_equal(child, 2 + i);
        assert_int_equal(place.event_id, event_id + i);
    }
    assert_status(hf_children_next(&world.tables, &place, &child, NULL), HF_NOT_FOUND);
    world_end(&world);
    assert_int_equal(world_instance(&world, 1).parent.instance, 0);
    world_release(&world);
}

/* Nobody is the child of an instance that is not there or has ended, of another execution, of an
 * event to come, of an event that has a child; and none without the messages of its end. */
static void test_child_of_nobody_is_refused(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    uint64_t event_id = family_start(&world, 1);
    struct hf_started body = child_body(3, "other", event_id);
    world_refuse(&world, HF_RECORD_STARTED, &body); /* it has one */
    body.parent_event = event_id + 1;
    world_refuse(&world, HF_RECORD_STARTED, &body);
    body = child_body(3, "other", 1);
    body.parent_execution = 2;
    world_refuse(&world, HF_RECORD_STARTED, &body);
    body = child_body(3, "other", 1);
    body.parent_instance = 9;
    world_refuse(&world, HF_RECORD_STARTED, &body);
    body = child_body(3, "other", 1);
    body.lost_body = (hf_slice)HF_EMPTY;
    world_refuse(&world, HF_RECORD_STARTED, &body);
    orphan(&world, 2);
    terminate(&world, 1);
    body = child_body(3, "other", 1);
    world_refuse(&world, HF_RECORD_STARTED, &body);
    world_release(&world);
}

/* A child that ends, in its turn or from outside, or is deleted, is nobody's child any more. */
static void test_ended_child_leaves_its_parent(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    family_start(&world, 3);
    terminate(&world, 2);
    assert_int_equal(world_instance(&world, 2).parent.instance, 0);
    assert_int_equal(world_count(&world, HF_TABLE_CHILDREN), 2);
    struct hf_row_instance row = world_instance(&world, 3);
    struct hf_turn_event output = { row.next_event_id, hf_text("output") };
    struct hf_turn_committed turn = { .instance = 3,
                                      .registration = world.turner,
                                      .execution = 1,
                                      .head = row.head,
                                      .events = { &output, 1 },
                                      .outcome = HF_OUTCOME_COMPLETED,
                                      .output_event = output.event_id };
    world_fold(&world, HF_RECORD_TURN_COMMITTED, &turn);
    assert_int_equal(world_count(&world, HF_TABLE_CHILDREN), 1);
    delete_instance(&world, 4);
    assert_int_equal(world_count(&world, HF_TABLE_CHILDREN), 0);
    assert_true(is_reclaimed(&world));
    world_release(&world);
}

/* A row that says of an ended instance that it is a child still is damage, and told when somebody
 * restarts it. */
static void test_ended_child_with_a_parent_is_damage(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    family_start(&world, 1);
    struct hf_row_instance child = world_instance(&world, 2);
    terminate(&world, 2);
    struct hf_row_instance ended = world_instance(&world, 2);
    struct hf__row row = { HF_TABLE_INSTANCES, &hf__row_instance_layout, &ended };
    struct hf_key key = hf_key_number(2);
    ended.parent = child.parent;
    ended.lost = child.lost;
    ended.deleted = child.deleted;
    ended.orphan = child.orphan;
    world_begin(&world);
    assert_ok(hf__row_put(&world.tables, &key, &row, &world.error), &world.error);
    world_end(&world);
    struct hf_restarted body = { .instance = 2, .execution = 1, .body = hf_text("started") };
    world_refuse(&world, HF_RECORD_RESTARTED, &body);
    assert_string_equal(world.error.code, hf_law_code(HF_LAW_H6));
    world_drop(&world);
}

/* The message that makes a child nobody's takes the link, both ways, and arrives like any other. */
static void test_orphaned_child_is_nobodys(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    family_start(&world, 2);
    orphan(&world, 2);
    struct hf_row_instance row = world_instance(&world, 2);
    assert_int_equal(row.parent.instance, 0);
    assert_int_equal(row.lost.lsn, 0);
    assert_int_equal(world_count(&world, HF_TABLE_CHILDREN), 1);
    assert_int_equal(world_count(&world, HF_TABLE_INBOX), 1);
    struct hf_message_record again = { .instance = 2, .body = hf_text("orphan"), .orphaned = 1 };
    world_refuse(&world, HF_RECORD_MESSAGE, &again);
    again.instance = 1;
    world_refuse(&world, HF_RECORD_MESSAGE, &again);
    world_release(&world);
}

/* A message that answers an execution says so in the inbox; one for an execution to come is none.
 */
static void row_6b_8_answer_names_its_execution(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    family_start(&world, 1);
    struct hf_message_record body = { .instance = 1, .body = hf_text("outcome"), .execution = 1 };
    world_fold(&world, HF_RECORD_MESSAGE, &body);
    struct hf_row_message message;
    world_begin(&world);
    assert_ok(hf_inbox_next(&world.tables, &(struct hf_number_pair){ 1, 0 }, &message, NULL), NULL);
    world_end(&world);
    assert_int_equal(message.execution, 1);
    body.execution = 2;
    world_refuse(&world, HF_RECORD_MESSAGE, &body);
    world_release(&world);
}

/* A parent that has ended stays in reclaim until the last child is told; a step cannot do without.
 */
static void test_ended_parent_waits_for_its_children(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    family_start(&world, 2);
    terminate(&world, 1);
    assert_int_equal(world.effects & HF_EFFECT_RECLAIM, HF_EFFECT_RECLAIM);
    struct hf_reclaimed step = { .instance = 1, .rows_max = 1000 };
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_false(is_reclaimed(&world));
    assert_int_equal(world_count(&world, HF_TABLE_CHILDREN), 2);
    orphan(&world, 2);
    orphan(&world, 3);
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_true(is_reclaimed(&world));
    world_release(&world);
}

/* ---- deletion ------------------------------------------------------------------------------- */

/* Row and id of a deleted instance go at once, with all that it has; the id is free, the number is
 * not used again. */
static void test_deleted_instance_leaves_nothing(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "chat");
    uint64_t running = turn_item(&turn, 1, "");
    turn_item(&turn, 0, "");
    turn_timer(&turn, 9000);
    world_turn(&world, &turn);
    uint64_t registration = world_register(&world, "worker");
    world_deliver(&world, registration, running, 1);
    world_message(&world, "hello");
    delete_instance(&world, 1);
    assert_int_equal(world.effects & (HF_EFFECT_ENDED | HF_EFFECT_VOIDED),
                     HF_EFFECT_ENDED | HF_EFFECT_VOIDED);
    const enum hf_table kept[] = { HF_TABLE_REGISTRATIONS, HF_TABLE_WORKERS };
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        bool is_kept = hf_table_class(table) != HF_TABLE_CLASS_HARD;
        for (size_t i = 0; i < HF_COUNT_OF(kept); i++) is_kept |= table == kept[i];
        if (is_kept || world_count(&world, table) == 0) continue;
        fail_msg("table %s has rows", hf_table_name(table));
    }
    assert_int_equal(world_registration(&world, registration).sessions_count, 0);
    struct hf_deleted again = { .instance = 1 };
    world_refuse(&world, HF_RECORD_DELETED, &again);
    world_start(&world, 2, "talk");
    world_release(&world);
}

/* An instance whose turn is locked takes the lock with it. */
static void test_deleted_instance_takes_its_lock(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct hf_row_instance row = world_instance(&world, 1);
    world_begin(&world);
    struct hf_turn_lock lock = { .registration = 7, .nonce = 1, .head = row.head };
    assert_ok(hf_turn_lock_put(&world.tables, &row, &lock, NULL), NULL);
    world_end(&world);
    delete_instance(&world, 1);
    assert_int_equal(world_count(&world, HF_TABLE_TURN_LOCKS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TURN_LOCKS_OWNED), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 0);
    world_release(&world);
}

/* The parent of a deleted one cannot be taken for a living one by a child that is told later. */
static void test_deleted_parent_is_reclaimed_when_its_children_know(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    family_start(&world, 1);
    delete_instance(&world, 1);
    assert_true(row_is_gone(&world, 1));
    assert_false(is_reclaimed(&world));
    orphan(&world, 2);
    struct hf_reclaimed step = { .instance = 1, .rows_max = 1 };
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_true(is_reclaimed(&world));
    world_release(&world);
}

/* A deletion remembers its idempotency key; keys of a deleted instance stay used. */
static void test_keys_outlive_a_deleted_instance(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct hf_started start = { .instance = 1,
                                .id = hf_text("talk"),
                                .orchestration = hf_text("o"),
                                .body = hf_text("b"),
                                .key = hf_text("start") };
    world_fold(&world, HF_RECORD_STARTED, &start);
    struct hf_deleted deleted = { .instance = 1, .key = hf_text("delete") };
    world_fold(&world, HF_RECORD_DELETED, &deleted);
    assert_int_equal(world_count(&world, HF_TABLE_COMMAND_KEYS), 2);
    start.instance = 2;
    world_refuse(&world, HF_RECORD_STARTED, &start);
    world_release(&world);
}

/* ---- the audit ------------------------------------------------------------------------------ */

static void expect_broken(struct world *world)
{
    hf_error error = { 0 };
    assert_status(hf_audit_indexes(&world->tables, &error), HF_CORRUPT);
    assert_true(strlen(error.message) > 0);
    world_end(world);
}

/* A row of children that goes missing, names another child or another event is found. */
static void test_audit_finds_wrong_children(void **state)
{
    (void)state;
    const unsigned char other_child[8] = { 3 };
    for (int damage = 0; damage < 3; damage++) {
        struct world world;
        world_init(&world);
        struct hf_item_id event = { 1, 1, family_start(&world, 2) };
        struct hf_key key = hf_key_item(&event);
        event.event_id += 5;
        struct hf_key elsewhere = hf_key_item(&event);
        world_begin(&world);
        if (damage == 0) {
            assert_ok(hf_table_delete(&world.tables, HF_TABLE_CHILDREN, hf_key_slice(&key), NULL),
                      NULL);
        } else {
            hf_slice at = damage == 1 ? hf_key_slice(&key) : hf_key_slice(&elsewhere);
            assert_ok(
                hf_table_put(&world.tables, HF_TABLE_CHILDREN, at, hf_bytes(other_child, 8), NULL),
                NULL);
        }
        expect_broken(&world);
        world_drop(&world);
    }
}

/* A row of families that goes missing, or names another root, is found. */
static void test_audit_finds_wrong_families(void **state)
{
    (void)state;
    for (uint64_t root = 0; root < 4; root++) {
        struct world world;
        world_init(&world);
        family_start(&world, 2);
        struct hf_key right = hf_key_pair(&(struct hf_number_pair){ 1, 2 });
        struct hf_key wrong = hf_key_pair(&(struct hf_number_pair){ root, 2 });
        if (root == 1) wrong = hf_key_pair(&(struct hf_number_pair){ 1, 9 });
        world_begin(&world);
        if (root == 0) {
            assert_ok(hf_table_delete(&world.tables, HF_TABLE_FAMILIES, hf_key_slice(&right), NULL),
                      NULL);
        } else {
            assert_ok(hf_table_put(&world.tables, HF_TABLE_FAMILIES, hf_key_slice(&wrong),
                                   (hf_slice)HF_EMPTY, NULL),
                      NULL);
        }
        expect_broken(&world);
        world_drop(&world);
    }
}

/* The present execution cannot be pruned, nor one that is not there yet. */
static void test_present_execution_is_never_pruned(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "i");
    for (uint64_t execution = 1; execution < 3; execution++) {
        struct hf_pruned body = { 1, execution };
        world_refuse(&world, HF_RECORD_PRUNED, &body);
        assert_non_null(strstr(world.error.message, "is none that can go"));
    }
    world_release(&world);
}

/* What is left of a deleted instance without a mark in reclaim is found. */
static void test_audit_finds_leftovers_of_the_deleted(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    delete_instance(&world, 1);
    unsigned char ref[HF_REF_SIZE];
    hf_ref_write(&(struct hf_ref){ 2, 0, 1, 0 }, ref);
    struct hf_key key = hf_key_item(&(struct hf_item_id){ 1, 1, 1 });
    world_begin(&world);
    assert_ok(hf_table_put(&world.tables, HF_TABLE_HISTORY, hf_key_slice(&key),
                           hf_bytes(ref, sizeof(ref)), NULL),
              NULL);
    expect_broken(&world);
    world_drop(&world);
}

/* A row of the next number that counts back is damage: neither does a new instance take another's
 * row, nor does a child come before its parent. */
static void test_instance_number_that_counts_back_is_damage(void **state)
{
    (void)state;
    for (int is_deleted = 0; is_deleted <= 1; is_deleted++) {
        struct world world;
        world_init(&world);
        world_start(&world, 1, "first");
        world_start(&world, 2, "parent");
        if (is_deleted) delete_instance(&world, 1);
        world_begin(&world);
        assert_ok(hf_meta_put_number(&world.tables, "next_instance", 1, &world.error),
                  &world.error);
        world_end(&world);
        struct hf_started body = child_body(1, "child", 1);
        body.parent_instance = 2;
        world_refuse(&world, HF_RECORD_STARTED, &body);
        assert_string_equal(world.error.code, hf_law_code(HF_LAW_H10));
        assert_non_null(
            strstr(world.error.message, is_deleted ? "is older than its parent" : "already"));
        assert_int_equal(row_is_gone(&world, 1), is_deleted);
        world_drop(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_started_child_is_linked_both_ways),
        cmocka_unit_test(test_child_of_nobody_is_refused),
        cmocka_unit_test(test_ended_child_leaves_its_parent),
        cmocka_unit_test(test_orphaned_child_is_nobodys),
        cmocka_unit_test(row_6b_8_answer_names_its_execution),
        cmocka_unit_test(test_ended_parent_waits_for_its_children),
        cmocka_unit_test(test_deleted_instance_leaves_nothing),
        cmocka_unit_test(test_deleted_instance_takes_its_lock),
        cmocka_unit_test(test_deleted_parent_is_reclaimed_when_its_children_know),
        cmocka_unit_test(test_keys_outlive_a_deleted_instance),
        cmocka_unit_test(test_audit_finds_wrong_children),
        cmocka_unit_test(test_audit_finds_wrong_families),
        cmocka_unit_test(test_present_execution_is_never_pruned),
        cmocka_unit_test(test_audit_finds_leftovers_of_the_deleted),
        cmocka_unit_test(test_instance_number_that_counts_back_is_damage),
        cmocka_unit_test(test_ended_child_with_a_parent_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
