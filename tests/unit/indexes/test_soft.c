/* Leases and locks of turns. */
#include "tests/unit/indexes/world.h"

/* A lease reads back as it was put, the latest one; without one there is none. */
static void test_lease_reads_back(void **state)
{
    (void)state;
    struct world world;
    struct hf_lease lease = { 100, 200, { 3, 1, 4 }, hf_text("boot") }, back;
    world_init(&world);
    world_begin(&world);
    assert_status(hf_lease_get(&world.tables, 7, &back, NULL), HF_NOT_FOUND);
    assert_ok(hf_lease_put(&world.tables, 7, &lease, NULL), NULL);
    lease.items_deadline_boot_ms = 150;
    assert_ok(hf_lease_put(&world.tables, 7, &lease, NULL), NULL);
    assert_ok(hf_lease_get(&world.tables, 7, &back, NULL), NULL);
    assert_int_equal(back.items_deadline_boot_ms, 150);
    assert_int_equal(back.sessions_deadline_boot_ms, 200);
    assert_true(hf_slice_equal(back.boot_id, hf_text("boot")));
    assert_ok(hf_table_put(&world.tables, HF_TABLE_LEASES, (hf_slice)HF_SLICE("\0\0\0\0\0\0\0\x08"),
                           hf_text("short"), NULL),
              NULL);
    assert_status(hf_lease_get(&world.tables, 8, &back, &world.error), HF_CORRUPT);
    world_end(&world);
    world_drop(&world);
}

static void lock(struct world *world, uint64_t instance, struct hf_turn_lock turn_lock)
{
    struct hf_row_instance row = world_instance(world, instance);
    world_begin(world);
    assert_ok(hf_turn_lock_put(&world->tables, &row, &turn_lock, &world->error), &world->error);
    assert_ok(hf_audit_indexes(&world->tables, &world->error), &world->error);
    world_end(world);
}

/* A lock hides a due turn, passes from holder to holder or is held back, and when it is released
 * the turn is due at its old place. */
static void test_lock_hides_a_due_turn(void **state)
{
    (void)state;
    struct world world;
    struct hf_turn_lock back;
    world_init(&world);
    uint64_t start = world_start(&world, 1, "talk");
    lock(&world, 1, (struct hf_turn_lock){ 5, 11, start, 0 });
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 0);
    lock(&world, 1, (struct hf_turn_lock){ 6, 12, start, 0 });
    assert_int_equal(world_count(&world, HF_TABLE_TURN_LOCKS_OWNED), 1);
    lock(&world, 1, (struct hf_turn_lock){ 0, 13, start, 900 });
    assert_int_equal(world_count(&world, HF_TABLE_TURN_LOCKS_OWNED), 0);
    struct hf_number_pair place = { 0, 0 };
    struct hf_row_instance row = world_instance(&world, 1);
    world_begin(&world);
    assert_ok(hf_turn_lock_get(&world.tables, 1, &back, NULL), NULL);
    assert_int_equal(back.nonce, 13);
    assert_int_equal(back.head, start);
    assert_ok(hf_turns_held_next(&world.tables, &place, NULL), NULL);
    assert_int_equal(place.first, 900);
    assert_int_equal(place.second, 1);
    assert_ok(hf_turn_lock_release(&world.tables, &row, NULL), NULL);
    assert_int_equal(world.tables.effects, HF_EFFECT_TURNS_DUE);
    assert_ok(hf_turn_lock_release(&world.tables, &row, NULL), NULL);
    assert_status(hf_turn_lock_get(&world.tables, 1, &back, NULL), HF_NOT_FOUND);
    struct hf_turn_due due = { 0, 0, 0 };
    assert_ok(hf_turns_due_next(&world.tables, &due, NULL), NULL);
    assert_int_equal(due.arrival_lsn, start);
    world_end(&world);
    world_release(&world);
}

/* A message for an instance that is locked though nothing is due makes it due, and its row appears
 * with the release. */
static void test_message_under_a_lock_stays_hidden(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    uint64_t head = world_turn(&world, &turn);
    lock(&world, 1, (struct hf_turn_lock){ 5, 11, head, 0 });
    uint64_t message = world_message(&world, "hello");
    assert_int_equal(world.effects, 0);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 0);
    struct hf_row_instance row = world_instance(&world, 1);
    assert_int_equal(row.turn_due_lsn, message);
    world_begin(&world);
    assert_ok(hf_turn_lock_release(&world.tables, &row, NULL), NULL);
    world_end(&world);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 1);
    world_release(&world);
}

/* Holders of locks are found one by one, whatever each of them holds. */
static void test_lock_owners_are_found_once_each(void **state)
{
    (void)state;
    struct world world;
    uint64_t owner = 0;
    world_init(&world);
    for (uint64_t i = 1; i <= 3; i++) {
        char id[] = { (char)('a' + i), '\0' };
        uint64_t head = world_start(&world, i, id);
        lock(&world, i, (struct hf_turn_lock){ i < 3 ? 5 : 9, i, head, 0 });
    }
    struct hf_number_pair place = { 5, 0 };
    world_begin(&world);
    assert_ok(hf_turn_lock_owner_next(&world.tables, 0, &owner, NULL), NULL);
    assert_int_equal(owner, 5);
    assert_ok(hf_turn_lock_owner_next(&world.tables, 5, &owner, NULL), NULL);
    assert_int_equal(owner, 9);
    assert_status(hf_turn_lock_owner_next(&world.tables, 9, &owner, NULL), HF_NOT_FOUND);
    assert_ok(hf_turn_locks_owned_next(&world.tables, &place, NULL), NULL);
    assert_int_equal(place.second, 1);
    assert_ok(hf_turn_locks_owned_next(&world.tables, &place, NULL), NULL);
    assert_int_equal(place.second, 2);
    assert_status(hf_turn_locks_owned_next(&world.tables, &place, NULL), HF_NOT_FOUND);
    world_end(&world);
    for (uint64_t i = 1; i <= 3; i++) {
        struct hf_row_instance row = world_instance(&world, i);
        world_begin(&world);
        assert_ok(hf_turn_lock_release(&world.tables, &row, NULL), NULL);
        world_end(&world);
    }
    world_release(&world);
}

/* The end of a registration takes its lease and its locks; the turns are due again. */
static void test_ended_registration_leaves_nothing_soft(void **state)
{
    (void)state;
    struct world world;
    struct hf_lease lease = { 100, 200, { 0, 0, 0 }, HF_EMPTY };
    world_init(&world);
    uint64_t head = world_start(&world, 1, "talk");
    uint64_t registration = world_register(&world, "worker");
    lock(&world, 1, (struct hf_turn_lock){ registration, 1, head, 0 });
    world_begin(&world);
    assert_ok(hf_lease_put(&world.tables, registration, &lease, NULL), NULL);
    world_end(&world);
    world_end_registration(&world, registration, HF_REASON_SHUTDOWN);
    assert_true(world.effects & HF_EFFECT_TURNS_DUE);
    assert_int_equal(world_count(&world, HF_TABLE_LEASES), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TURN_LOCKS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TURNS_DUE), 1);
    world_release(&world);
}

/* The lease row of a dead registration with a reclaim window is written after its end; it goes with
 * the last session. */
static void test_window_goes_with_the_last_session(void **state)
{
    (void)state;
    struct world world;
    struct hf_lease window = { 0, 200, { 0, 0, 0 }, HF_EMPTY };
    struct hf_registered registered = { hf_text("worker"), hf_text("life"), hf_text("boot"), 42,
                                        5000 };
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "chat");
    uint64_t item = turn_item(&turn, 1, "");
    world_turn(&world, &turn);
    uint64_t registration = world_fold(&world, HF_RECORD_REGISTERED, &registered);
    world_deliver(&world, registration, item, 1);
    world_end_registration(&world, registration, HF_REASON_DEAD);
    assert_int_equal(world_session(&world, 1).owner, registration);
    world_begin(&world);
    assert_ok(hf_lease_put(&world.tables, registration, &window, NULL), NULL);
    world_end(&world);
    struct hf_reclaimed step = { .registration = registration, .rows_max = 10 };
    world_fold(&world, HF_RECORD_RECLAIMED, &step);
    assert_int_equal(world_session(&world, 1).owner, 0);
    assert_int_equal(world_count(&world, HF_TABLE_REGISTRATIONS), 1);
    assert_int_equal(world_count(&world, HF_TABLE_LEASES), 0);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lease_reads_back),
        cmocka_unit_test(test_lock_hides_a_due_turn),
        cmocka_unit_test(test_message_under_a_lock_stays_hidden),
        cmocka_unit_test(test_lock_owners_are_found_once_each),
        cmocka_unit_test(test_ended_registration_leaves_nothing_soft),
        cmocka_unit_test(test_window_goes_with_the_last_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
