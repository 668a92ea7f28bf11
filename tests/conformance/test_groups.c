/* Groups: later commands see the former ones, a refused one leaves no trace between good ones, a
 * failing store refuses the culprit alone; and what a fetch costs. */
#include "tests/conformance/world.h"

#include <errno.h>
#include <stdio.h>

enum { FOREIGN_COUNT = 2000 };

/* Commits one command from within more(), once. */
struct follow_up {
    struct hf_store_command *commands[8];
    size_t commands_count;
    bool is_done;
    uint32_t effects_seen;
};

static void follow_up_more(void *self, struct hf_batch *batch)
{
    struct follow_up *follow_up = self;
    if (follow_up->is_done) return;
    follow_up->is_done = true;
    follow_up->effects_seen = batch->effects;
    batch->count = follow_up->commands_count;
}

/* A start, its message and the fetch of its turn work in one group. */
static void test_later_commands_see_the_former_ones(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    struct hf_store_command start = start_command("one");
    struct hf_store_command again = start_command("one");
    struct hf_store_command message = message_command("one", "hello");
    struct hf_store_command fetch = fetch_turns_command(world, registration);
    struct hf_store_command *group[] = { &start, &again, &message, &fetch };
    struct hf_store_counters before = world_counters(world);
    world_group(world, group, 4);
    assert_ok(start.status, &start.error);
    assert_status(again.status, HF_EXISTS);
    assert_ok(message.status, &message.error);
    assert_ok(fetch.status, &fetch.error);
    assert_int_equal(fetch.fetch_turns.out_turns_count, 1);
    assert_true(message.lsn == start.lsn + 1 && again.lsn == 0);
    struct hf_store_counters after = world_counters(world);
    assert_int_equal(after.commits, before.commits + 1);
    assert_int_equal(after.commands, before.commands + 3);
    assert_int_equal(after.refusals, before.refusals + 1);
    assert_int_equal(after.records, before.records + 2);
}

/* A group with refused commands in it leaves exactly what the good ones alone leave. */
static void test_refused_commands_between_good_ones_leave_no_trace(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_session(world, registration, "one", 2);
    struct hf_item_grant grant = item_take(world, registration);
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, registration);
    plan_item(plan, 1, "");

    struct hf_item_token wrong = grant.token;
    wrong.delivery_number = 9;
    struct hf_session_claim claim = { grant.token.item.instance, 1, grant.epoch };
    struct hf_store_command good[] = { start_command("two"), message_command("two", "x"),
                                       complete_command(registration, &grant.token),
                                       plan_command(plan) };
    struct hf_store_command bad[] = { start_command("one"),
                                      message_command("nobody", "x"),
                                      complete_command(registration, &wrong),
                                      abandon_command(777, &grant.token),
                                      abandon_turn_command(777, &plan->token),
                                      register_command(world, "a"),
                                      release_command(world, 777, &claim),
                                      renew_command(world, 777),
                                      fetch_turns_command(world, 777),
                                      fetch_items_command(world, 777) };
    const hf_status statuses[] = { HF_EXISTS,       HF_NOT_FOUND, HF_STALE, HF_STALE, HF_STALE,
                                   HF_WORKER_ALIVE, HF_STALE,     HF_STALE, HF_STALE, HF_STALE };
    struct hf_store_command *group[14];
    for (size_t i = 0; i < 4; i++) group[i * 3] = &good[i];
    for (size_t i = 0; i < 10; i++) group[i < 8 ? i + i / 2 + 1 : i + 4] = &bad[i];
    uint64_t lsn = world_next_lsn(world);
    world_group(world, group, 14);
    for (size_t i = 0; i < 4; i++) {
        assert_ok(good[i].status, &good[i].error);
        assert_true(good[i].lsn == lsn + i);
    }
    for (size_t i = 0; i < 10; i++) {
        assert_status(bad[i].status, statuses[i]);
        assert_true(bad[i].lsn == 0 && bad[i].error.message[0] != 0);
    }
    assert_true(world_next_lsn(world) == lsn + 4);
}

/* What more() appends runs in the same transaction and sees its effects. */
static void test_commands_of_more_run_in_the_same_transaction(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_item(plan, 0, "");
    struct hf_store_command commit = plan_command(plan);
    struct hf_store_command fetch = fetch_items_command(world, registration);
    struct follow_up follow_up = { .commands = { &commit, &fetch }, .commands_count = 2 };
    struct hf_batch batch = {
        .commands = follow_up.commands, .count = 1, .more = follow_up_more, .self = &follow_up
    };
    struct hf_store_counters before = world_counters(world);
    assert_ok(world->backend->ops->commit(world->backend, &batch, &world->error), &world->error);
    assert_int_equal(follow_up.effects_seen & HF_EFFECT_ITEMS_READY, HF_EFFECT_ITEMS_READY);
    assert_ok(commit.status, &commit.error);
    assert_ok(fetch.status, &fetch.error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1);
    assert_int_equal(world_counters(world).commits, before.commits + 1);
}

/* A store that fails at any write of any command of a group: whatever is refused then has left no
 * trace, the rest is there, and the indexes are the fold of the log; the next group works. */
static void store_beyond_16_culprit_alone_is_refused(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    world->fault_point = HF_FAULT_PUT;
    world->fault_code = ENOSPC;
    bool has_failed = true;
    for (uint64_t after = 1; has_failed; after++) {
        char ids[3][32];
        struct hf_store_command commands[3];
        struct hf_store_command *group[3];
        for (size_t i = 0; i < 3; i++) {
            (void)snprintf(ids[i], sizeof ids[i], "%llu-%zu", (unsigned long long)after, i);
            commands[i] = start_command(ids[i]);
            group[i] = &commands[i];
        }
        world->fault_after = after;
        world_group(world, group, 3);
        has_failed = world->fault_after == 0;
        world->fault_after = 0;
        for (size_t i = 0; i < 3; i++) {
            struct hf_instance_info info;
            hf_status status = world->backend->ops->instance(world->backend, hf_text(ids[i]),
                                                             &world->arena, &info, &world->error);
            assert_status(status, commands[i].status == HF_OK ? HF_OK : HF_NOT_FOUND);
            if (commands[i].status != HF_OK) assert_status(commands[i].status, HF_DISK_FULL);
        }
        assert_true(after < 200);
    }
    struct hf_turn_grant grant = turn_take(world, registration);
    plan_commit(plan_new(world, registration, &grant));
}

/* The same for the commands of work: delivery, completion, turn, each at every write. */
static void test_work_commands_survive_a_failure_at_every_write(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    world->fault_code = ENOSPC;
    const enum hf_fault_point points[] = { HF_FAULT_PUT, HF_FAULT_DELETE };
    size_t rounds_count = 0;
    for (size_t point = 0; point < 2; point++) {
        world->fault_point = points[point];
        bool has_failed = true;
        for (uint64_t after = 1; has_failed; after++) {
            char id[32];
            (void)snprintf(id, sizeof id, "%zu-%llu", point, (unsigned long long)after);
            scene_session(world, registration, id, 1);
            struct hf_store_command fetch = fetch_items_command(world, registration);
            uint64_t fingerprint = world_fingerprint(world);
            world->fault_after = after;
            hf_status status = world_run(world, &fetch);
            has_failed = world->fault_after == 0;
            world->fault_after = 0;
            if (status != HF_OK) {
                assert_status(status, HF_DISK_FULL);
                assert_true(world_fingerprint(world) == fingerprint);
                assert_ok(world_run(world, &fetch), &world->error);
            }
            assert_int_equal(fetch.fetch_items.out_items_count, 1);
            item_complete(world, registration, &fetch.fetch_items.out_items[0].token);
            struct plan *plan = scene_turn(world, registration);
            plan_close(plan, 1);
            struct hf_store_command commit = plan_command(plan);
            fingerprint = world_fingerprint(world);
            world->fault_after = after;
            status = world_run(world, &commit);
            has_failed = has_failed || world->fault_after == 0;
            world->fault_after = 0;
            if (status != HF_OK) {
                assert_status(status, HF_DISK_FULL);
                assert_true(world_fingerprint(world) == fingerprint);
                assert_ok(world_run(world, &commit), &world->error);
            }
            rounds_count++;
            assert_true(after < 200);
        }
    }
    assert_true(rounds_count > 10);
}

/* ---- what a fetch costs ---------------------------------------------------------------------- */

static uint64_t rows_of(struct world *world, struct hf_store_command *command)
{
    uint64_t before = world_counters(world).fetch_rows;
    assert_ok(world_run(world, command), &world->error);
    uint64_t rows = world_counters(world).fetch_rows - before;
    assert_true(rows > 0);
    return rows;
}

/* The rows of a fetch of 2 items and a fetch of 2 turns: an ordinary item, a claimable session, and
 * two due turns are there, made by this very call. */
static uint64_t rows_of_a_round(struct world *world, uint64_t registration, const char *id)
{
    char ids[4][48];
    for (size_t i = 0; i < 4; i++) (void)snprintf(ids[i], sizeof ids[i], "%s-%zu", id, i);
    scene_items(world, registration, ids[0], 1);
    scene_session(world, registration, ids[1], 1);
    instance_start(world, ids[2]);
    instance_start(world, ids[3]);
    struct hf_store_command items = fetch_items_command(world, registration);
    items.fetch_items.items_max = 2;
    uint64_t rows = rows_of(world, &items);
    assert_int_equal(items.fetch_items.out_items_count, 2);
    for (size_t i = 0; i < 2; i++) {
        item_complete(world, registration, &items.fetch_items.out_items[i].token);
    }
    struct hf_store_command turns = fetch_turns_command(world, registration);
    turns.fetch_turns.turns_max = 2;
    rows += rows_of(world, &turns);
    assert_int_equal(turns.fetch_turns.out_turns_count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct plan *plan = plan_new(world, registration, &turns.fetch_turns.out_turns[i]);
        plan_end(plan, HF_OUTCOME_COMPLETED);
        plan_commit(plan);
    }
    struct hf_turn_grant left;
    while (turn_fetch(world, registration, &left)) {
        plan_commit(plan_new(world, registration, &left));
    }
    return rows;
}

/* Very much of everything that is `other`'s, or of a tag that nobody here serves, all of it older
 * than what comes later. */
static void foreign_add(struct world *world, uint64_t other)
{
    /* Sessions of another owner, with queued work; one of a foreign tag, with as much. */
    instance_start(world, "foreign sessions");
    struct plan *plan = scene_turn(world, other);
    for (uint64_t i = 1; i <= 20; i++) {
        plan_open(plan, i, "s", "");
        plan_item(plan, i, "");
    }
    plan_open(plan, 21, "tagged", "foreign");
    for (size_t i = 0; i < FOREIGN_COUNT; i++) plan_item(plan, 21, "");
    plan_commit(plan);
    size_t count;
    items_fetch(world, other, 20, &count);
    assert_int_equal(count, 20);
    instance_message(world, "foreign sessions", "more");
    plan = scene_turn(world, other);
    for (size_t i = 0; i < FOREIGN_COUNT; i++) plan_item(plan, 1 + i % 20, "");
    plan_commit(plan);
    /* Ordinary items of a foreign tag, running ones, delayed ones, and timers to come. */
    instance_start(world, "foreign items");
    plan = scene_turn(world, other);
    for (size_t i = 0; i < FOREIGN_COUNT; i++) plan_item(plan, 0, "foreign");
    for (size_t i = 0; i < 60; i++) plan_timer(plan, world->wall_ms + 1000000 + i);
    for (size_t i = 0; i < 60; i++) plan_item(plan, 0, "");
    plan_commit(plan);
    struct hf_store_command plain = fetch_items_command(world, other);
    plain.fetch_items.items_max = 100;
    plain.fetch_items.no_sessions = true;
    assert_ok(world_run(world, &plain), &world->error);
    assert_int_equal(plain.fetch_items.out_items_count, 60);
    for (size_t i = 0; i < 30; i++) {
        struct hf_store_command back = abandon_command(other,
                                                       &plain.fetch_items.out_items[i].token);
        back.abandon_item.delay_ms = 1000000;
        assert_ok(world_run(world, &back), &world->error);
    }
}

/* Turns that are locked by another, held back, or of a foreign engine version. */
static void foreign_turns_add(struct world *world, uint64_t other)
{
    for (size_t i = 0; i < 150; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "foreign %zu", i);
        instance_start(world, id);
        struct hf_turn_grant grant = turn_take(world, other);
        if (i % 3 == 0) continue;
        if (i % 3 == 1) {
            struct hf_store_command back = abandon_turn_command(other, &grant.token);
            back.abandon_turn.delay_ms = 1000000;
            assert_ok(world_run(world, &back), &world->error);
            continue;
        }
        struct plan *plan = plan_new(world, other, &grant);
        plan->record.engine_version = i % 2 ? 99 : 1000 + i;
        plan_commit(plan);
        instance_message(world, id, "due, for others");
    }
}

/* With thousands of foreign rows ahead a fetch looks at exactly as many rows as with none. */
static void store_beyond_12_fetch_rows_do_not_grow(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t other = worker_register(world, "b");
    /* Who holds turns counts, how many they hold does not: the other holds one either way. So do
     * turns that are held back, at all: one is either way. */
    instance_start(world, "held back");
    struct hf_turn_grant grant = turn_take(world, other);
    struct hf_store_command back = abandon_turn_command(other, &grant.token);
    back.abandon_turn.delay_ms = 1000000;
    assert_ok(world_run(world, &back), &world->error);
    instance_start(world, "held");
    turn_take(world, other);
    uint64_t rows_without = rows_of_a_round(world, registration, "before");
    foreign_add(world, other);
    foreign_turns_add(world, other);
    worker_renew(world, registration);
    uint64_t rows_with = rows_of_a_round(world, registration, "after");
    assert_int_equal(rows_with, rows_without);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_later_commands_see_the_former_ones),
        CASE(test_refused_commands_between_good_ones_leave_no_trace),
        CASE(test_commands_of_more_run_in_the_same_transaction),
        CASE(store_beyond_16_culprit_alone_is_refused),
        CASE(test_work_commands_survive_a_failure_at_every_write),
        CASE(store_beyond_12_fetch_rows_do_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
