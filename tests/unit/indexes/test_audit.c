/* The audit: a sound world passes, and a row taken away, added or changed anywhere is found. */
#include "tests/unit/indexes/world.h"

#include <lmdb.h>
#include <string.h>

/* A world with rows in each hard table but reclaim: a session at work, queued, running and delayed
 * items, timers, messages, tags, a child. */
static void busy_world(struct world *world)
{
    world_init(world);
    world_start(world, 1, "talk");
    struct world_turn turn = turn_begin(world);
    turn_open(&turn, 1, "chat");
    uint64_t running = turn_item(&turn, 1, "");
    turn_item(&turn, 1, "");
    turn_item(&turn, 0, "gpu");
    uint64_t delayed = turn_item(&turn, 0, "");
    turn_timer(&turn, 9000);
    turn_set_value(&turn, "key", "value");
    uint64_t scheduled = turn_event(&turn, "child scheduled");
    world_turn(world, &turn);
    struct hf_started child = { .instance = 2,
                                .id = hf_text("child"),
                                .orchestration = hf_text("conversation"),
                                .body = hf_text("started"),
                                .parent_instance = 1,
                                .parent_execution = 1,
                                .parent_event = scheduled,
                                .lost_body = hf_text("lost"),
                                .orphan_body = hf_text("orphan"),
                                .deleted_body = hf_text("deleted") };
    world_fold(world, HF_RECORD_STARTED, &child);
    uint64_t registration = world_register(world, "worker");
    world_deliver(world, registration, running, 1);
    uint64_t delivery = world_deliver(world, registration, delayed, 0);
    struct hf_abandoned back = { { 1, 1, delayed }, delivery, 1, registration, 0, 0, 7000 };
    world_fold(world, HF_RECORD_ABANDONED, &back);
    struct hf_message_record message = { .instance = 1,
                                         .body = HF_SLICE("hello"),
                                         .key = HF_SLICE("key") };
    world_fold(world, HF_RECORD_MESSAGE, &message);
    world_start(world, 3, "poison");
    struct hf_terminated given_up = { 3, 1, 2, hf_text("poison"), HF_EMPTY, 2 };
    world_fold(world, HF_RECORD_TERMINATED, &given_up);
}

/* Audits the open transaction after a change, which must be found, and takes the change back. */
static void expect_broken(struct world *world, enum hf_table table)
{
    hf_error error = { 0 };
    hf_status status = hf_audit_indexes(&world->tables, &error);
    if (status != HF_CORRUPT) {
        print_error("a change of table %s is not found\n", hf_table_name(table));
    }
    assert_int_equal(status, HF_CORRUPT);
    assert_true(strlen(error.message) > 0);
    mdb_txn_abort(world->tables.txn);
    world->tables.txn = NULL;
}

static bool is_audited(enum hf_table table)
{
    return hf_table_class(table) == HF_TABLE_CLASS_HARD && table != HF_TABLE_RECLAIM;
}

/* Whether its rows are known by themselves alone: idempotency keys, values, dead letters. That one
 * of them is missing is found by folding the log again, not here. */
static bool stands_alone(enum hf_table table)
{
    return table == HF_TABLE_COMMAND_KEYS || table == HF_TABLE_KV || table == HF_TABLE_DEAD_LETTERS;
}

/* Any one row that goes missing from any other hard table is found. */
static void test_missing_row_is_found(void **state)
{
    (void)state;
    struct world world;
    busy_world(&world);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        if (!is_audited(table) || stands_alone(table)) continue;
        uint64_t count = world_count(&world, table);
        assert_true(count > 0);
        for (uint64_t skip = 0; skip < count; skip++) {
            struct hf_table_cursor cursor;
            struct hf_table_row row;
            unsigned char key[HF_TABLE_KEY_SIZE_MAX];
            world_begin(&world);
            assert_ok(hf_table_cursor_init(&cursor, &world.tables, table, NULL), NULL);
            assert_ok(hf_table_cursor_seek(&cursor, (hf_slice)HF_EMPTY, &row, NULL), NULL);
            for (uint64_t i = 0; i < skip; i++) {
                assert_ok(hf_table_cursor_next(&cursor, &row, NULL), NULL);
            }
            memcpy(key, row.key.data, row.key.size);
            hf_slice gone = hf_bytes(key, row.key.size);
            hf_table_cursor_release(&cursor);
            assert_ok(hf_table_delete(&world.tables, table, gone, NULL), NULL);
            expect_broken(&world, table);
        }
    }
    world_release(&world);
}

/* Any row whose key is moved to where nothing should be is found, in each hard table. */
static void test_misplaced_row_is_found(void **state)
{
    (void)state;
    struct world world;
    busy_world(&world);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        struct hf_table_row row;
        unsigned char key[HF_TABLE_KEY_SIZE_MAX];
        if (!is_audited(table) || stands_alone(table)) continue;
        world_begin(&world);
        assert_ok(hf_table_seek(&world.tables, table, (hf_slice)HF_EMPTY, &row, NULL), NULL);
        memcpy(key, row.key.data, row.key.size);
        key[row.key.size - 1] ^= 0x40;
        if (table == HF_TABLE_INBOX) key[row.key.size - 1] = 1; /* a later message would be sound */
        hf_slice value = hf_arena_copy(&world.arena, row.value);
        assert_ok(hf_table_put(&world.tables, table, hf_bytes(key, row.key.size), value, NULL),
                  NULL);
        expect_broken(&world, table);
    }
    world_release(&world);
}

/* Bytes that are no row are found in each hard table whose rows have bytes. */
static void test_damaged_row_is_found(void **state)
{
    (void)state;
    struct world world;
    busy_world(&world);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        struct hf_table_row row;
        unsigned char key[HF_TABLE_KEY_SIZE_MAX];
        if (!is_audited(table)) continue;
        world_begin(&world);
        assert_ok(hf_table_seek(&world.tables, table, (hf_slice)HF_EMPTY, &row, NULL), NULL);
        if (row.value.size == 0) {
            world_end(&world);
            continue;
        }
        memcpy(key, row.key.data, row.key.size);
        assert_ok(hf_table_put(&world.tables, table, hf_bytes(key, row.key.size),
                               hf_text("\xc1 damage"), NULL),
                  NULL);
        expect_broken(&world, table);
    }
    world_release(&world);
}

/* A reclaim row for something that lives is found. */
static void test_reclaim_of_the_living_is_found(void **state)
{
    (void)state;
    struct world world;
    busy_world(&world);
    const struct hf_reclaim_place places[] = { { HF_RECLAIM_INSTANCE, 1, 0 },
                                               { HF_RECLAIM_SESSION, 1, 1 },
                                               { HF_RECLAIM_REGISTRATION, 4, 0 },
                                               { 9, 1, 1 } };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct hf_key key = hf_key_reclaim(&places[i]);
        world_begin(&world);
        assert_ok(hf_table_put(&world.tables, HF_TABLE_RECLAIM, hf_key_slice(&key),
                               (hf_slice)HF_EMPTY, NULL),
                  NULL);
        expect_broken(&world, HF_TABLE_RECLAIM);
    }
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_row_is_found),
        cmocka_unit_test(test_misplaced_row_is_found),
        cmocka_unit_test(test_damaged_row_is_found),
        cmocka_unit_test(test_reclaim_of_the_living_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
