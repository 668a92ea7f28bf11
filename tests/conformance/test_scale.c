/* What a fetch costs when a million rows of others are ahead, counted in index rows: exactly what
 * it costs with none. */
/* ctest-timeout: 600 */
#include "tests/conformance/world.h"

#include <stdio.h>

#include "engine/base/compiler.h"

/* Sanitizers make each row ten times as dear; there fewer of them show that the count is the same.
 */
enum {
    FOREIGN_COUNT = HF_ASAN || HF_TSAN ? 60 * 1000 : 1000 * 1000,
    INSTANCES_COUNT = 20,
    PER_TURN = FOREIGN_COUNT / INSTANCES_COUNT,
    SESSIONS_PER_INSTANCE = 10,
    FOREIGN_TURNS_COUNT = HF_ASAN || HF_TSAN ? 300 : 5000
};

/* The parts of a turn of any size. */
struct bulk {
    struct hf_turn_event events[2 * PER_TURN];
    struct hf_turn_item items[PER_TURN];
    struct hf_turn_session opened[PER_TURN];
    struct hf_turn_committed turn;
    uint64_t next_event_id;
};

static uint64_t bulk_event(struct bulk *bulk)
{
    struct hf_turn_event *event = &bulk->events[bulk->turn.events.count++];
    *event = (struct hf_turn_event){ .event_id = bulk->next_event_id, .body = hf_text("e") };
    return bulk->next_event_id++;
}

static void bulk_item(struct bulk *bulk, uint64_t incarnation)
{
    bulk->items[bulk->turn.items.count++] = (struct hf_turn_item){ .event_id = bulk_event(bulk),
                                                                   .incarnation = incarnation };
}

static void bulk_open(struct bulk *bulk, uint64_t incarnation, const char *tag)
{
    struct hf_turn_session *session = &bulk->opened[bulk->turn.opened.count++];
    *session = (struct hf_turn_session){ .incarnation = incarnation,
                                         .id = hf_text("s"),
                                         .tag = hf_text(tag),
                                         .event_id = bulk_event(bulk) };
}

/* Begins the turn that is due; its messages are consumed. */
static struct plan *bulk_begin(struct world *world, uint64_t registration, struct bulk *bulk)
{
    struct plan *plan = scene_turn(world, registration);
    bulk->turn = plan->record;
    bulk->turn.events = (struct hf_list){ bulk->events, 0 };
    bulk->turn.items = (struct hf_list){ bulk->items, 0 };
    bulk->turn.opened = (struct hf_list){ bulk->opened, 0 };
    bulk->next_event_id = plan->next_event_id;
    return plan;
}

static void bulk_commit(struct bulk *bulk, struct plan *plan)
{
    struct hf_store_command command = plan_command(plan);
    command.commit_turn.turn = &bulk->turn;
    assert_ok(world_run(plan->world, &command), &plan->world->error);
}

static struct bulk *bulk_new(struct world *world)
{
    struct bulk *bulk = hf_arena_new(&world->arena, sizeof *bulk);
    assert_non_null(bulk);
    return bulk;
}

/* ---- what is ahead --------------------------------------------------------------------------- */

static const char *foreign_id(char text[32], size_t number)
{
    (void)snprintf(text, 32, "foreign %zu", number);
    return text;
}

/* Sessions that `other` owns, with all items queued in them. */
static void foreign_owned_add(struct world *world, uint64_t other, struct bulk *bulk)
{
    char id[32];
    size_t count;
    for (size_t i = 0; i < INSTANCES_COUNT; i++) {
        instance_start(world, foreign_id(id, i));
        struct plan *plan = scene_turn(world, other);
        for (uint64_t session = 1; session <= SESSIONS_PER_INSTANCE; session++) {
            plan_open(plan, session, "s", "");
            plan_item(plan, session, "");
        }
        plan_commit(plan);
    }
    struct hf_store_command claims = fetch_items_command(world, other);
    claims.fetch_items.items_max = INSTANCES_COUNT * SESSIONS_PER_INSTANCE;
    claims.fetch_items.sessions_max = claims.fetch_items.items_max;
    assert_ok(world_run(world, &claims), &world->error);
    count = claims.fetch_items.out_items_count;
    assert_int_equal(count, INSTANCES_COUNT * SESSIONS_PER_INSTANCE);
    for (size_t i = 0; i < INSTANCES_COUNT; i++) {
        instance_message(world, foreign_id(id, i), "more");
        struct plan *plan = bulk_begin(world, other, bulk);
        for (size_t j = 0; j < PER_TURN; j++) bulk_item(bulk, 1 + j % SESSIONS_PER_INSTANCE);
        bulk_commit(bulk, plan);
    }
}

/* Unclaimed sessions of a tag that nobody here serves, each with an item. */
static void foreign_tagged_add(struct world *world, uint64_t other, struct bulk *bulk)
{
    char id[32];
    for (size_t i = 0; i < INSTANCES_COUNT; i++) {
        instance_start(world, foreign_id(id, i));
        struct plan *plan = bulk_begin(world, other, bulk);
        for (uint64_t session = 1; session <= PER_TURN; session++) {
            bulk_open(bulk, session, "foreign");
            bulk_item(bulk, session);
        }
        bulk_commit(bulk, plan);
    }
}

/* Due turns of engine versions that nobody here runs. */
static void foreign_turns_add(struct world *world, uint64_t other)
{
    char id[32];
    for (size_t i = 0; i < FOREIGN_TURNS_COUNT; i++) {
        instance_start(world, foreign_id(id, INSTANCES_COUNT + i));
        struct plan *plan = scene_turn(world, other);
        plan->record.engine_version = WORLD_VERSION + 1 + i % 1000;
        plan_commit(plan);
        instance_message(world, foreign_id(id, INSTANCES_COUNT + i), "due, for others");
    }
}

/* ---- what a fetch looks at ------------------------------------------------------------------- */

static uint64_t rows_of(struct world *world, struct hf_store_command *command)
{
    uint64_t before = world_counters(world).fetch_rows;
    assert_ok(world_run(world, command), &world->error);
    return world_counters(world).fetch_rows - before;
}

/* Rows that the fetches of one round look at: an ordinary item, the first of a session and a turn,
 * all younger than what is ahead. Leaves nothing that can be fetched. */
static uint64_t rows_of_a_round(struct world *world, uint64_t registration, const char *id)
{
    instance_start(world, id);
    struct plan *plan = scene_turn(world, registration);
    plan_item(plan, 0, "");
    plan_open(plan, 1, "s", "");
    plan_item(plan, 1, "");
    plan_commit(plan);
    struct hf_store_command items = fetch_items_command(world, registration);
    items.fetch_items.items_max = 2;
    uint64_t rows = rows_of(world, &items);
    assert_int_equal(items.fetch_items.out_items_count, 2);
    instance_message(world, id, "end");
    struct hf_store_command turns = fetch_turns_command(world, registration);
    rows += rows_of(world, &turns);
    assert_int_equal(turns.fetch_turns.out_turns_count, 1);
    plan = plan_new(world, registration, &turns.fetch_turns.out_turns[0]);
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan_commit(plan);
    struct hf_store_command nothing = fetch_items_command(world, registration);
    rows += rows_of(world, &nothing);
    assert_int_equal(nothing.fetch_items.out_items_count, 0);
    return rows;
}

/* With a million queued items of other workers' sessions ahead, a fetch looks at as many index rows
 * as with none. */
static void case_19_8_fetch_does_not_look_at_sessions_of_others(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t other = worker_register(world, "b");
    uint64_t rows_without = rows_of_a_round(world, registration, "before");
    foreign_owned_add(world, other, bulk_new(world));
    assert_int_equal(rows_of_a_round(world, registration, "after"), rows_without);
}

/* With a million sessions of foreign tags ahead, and turns of foreign versions, a fetch looks at as
 * many index rows as with none. */
static void case_19_16_fetch_does_not_look_at_foreign_tags_and_versions(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t other = worker_register(world, "b");
    uint64_t rows_without = rows_of_a_round(world, registration, "before");
    foreign_tagged_add(world, other, bulk_new(world));
    foreign_turns_add(world, other);
    assert_int_equal(rows_of_a_round(world, registration, "after"), rows_without);
}

/* A million rows cost verify more time than all the rest; with fewer it is asked. */
static int teardown(void **state)
{
    return FOREIGN_COUNT < 100 * 1000 ? world_teardown(state) : world_teardown_unverified(state);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup_large, teardown)
    const struct CMUnitTest tests[] = {
        CASE(case_19_8_fetch_does_not_look_at_sessions_of_others),
        CASE(case_19_16_fetch_does_not_look_at_foreign_tags_and_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
