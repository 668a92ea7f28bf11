/* The store of filled_store.h: six instances and a worker, left in the middle of their work.
 *
 *   a   a turn committed: three items on session 1 (running, delayed, ready), a tagged item that
 *       nobody takes, a timer, a child, e, a value; a message has arrived since
 *   b   its turn is locked
 *   c   its turn is handed back until later
 *   f   its turn was given up as poison
 *   d   ended with more timers than one record removes: the rest waits to be reclaimed */
#include "tests/docs/filled_store.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/heap.h"
#include "indexes/apply.h"

enum {
    SESSION_ITEMS = 3,
    TIMERS_COUNT = HF_PURGE_MAX + 1,
    DELAY_MS = 60 * 1000,
    EVENT_SIZE = 96 /* so that TIMERS_COUNT events fill more than one part */
};

/* ---- the seams ------------------------------------------------------------------------------ */

static uint64_t seam_boot_ms(void *self)
{
    (void)self;
    return 1000 * 1000;
}

static uint64_t seam_wall_unix_ms(void *self)
{
    return ((struct filled_store *)self)->wall_unix_ms;
}

static void seam_random(void *self, void *bytes, size_t size)
{
    struct filled_store *store = self;
    unsigned char *to = bytes;
    for (size_t i = 0; i < size; i++) {
        store->random_state = store->random_state * UINT64_C(6364136223846793005) +
                              1442695040888963407;
        to[i] = (unsigned char)(store->random_state >> 56);
    }
}

static bool seam_is_alive(void *self, hf_slice life)
{
    (void)self;
    (void)life;
    return true;
}

/* ---- commands ------------------------------------------------------------------------------- */

static void run(struct filled_store *store, struct hf_store_command *command)
{
    struct hf_batch batch = { .commands = &command, .count = 1 };
    command->arena = &store->arena;
    assert_ok(store->backend->ops->commit(store->backend, &batch, &store->error), &store->error);
    assert_ok(command->status, &command->error);
}

static uint64_t start(struct filled_store *store, const char *id, const char *body)
{
    struct hf_store_command command = { .kind = HF_STORE_START };
    command.start = (struct hf_store_start){ .id = hf_text(id),
                                             .orchestration = hf_text("demo"),
                                             .body = hf_text(body),
                                             .key = hf_text(id) };
    run(store, &command);
    return command.lsn;
}

static void register_worker(struct filled_store *store)
{
    struct hf_store_command command = { .kind = HF_STORE_REGISTER };
    command.register_worker = (struct hf_store_register){ .worker_id = hf_text("worker"),
                                                          .life = hf_text("life"),
                                                          .boot_id = store->seams.boot_id,
                                                          .pid = 1,
                                                          .items_deadline_boot_ms = 2000 * 1000,
                                                          .sessions_deadline_boot_ms = 2000 *
                                                                                       1000 };
    run(store, &command);
    store->registration = command.register_worker.out_registration;
}

static struct hf_turn_grant turn_take(struct filled_store *store)
{
    struct hf_store_command command = { .kind = HF_STORE_FETCH_TURNS };
    command.fetch_turns = (struct hf_store_fetch_turns){ .registration = store->registration,
                                                         .engine_version_max = 1,
                                                         .turns_max = 1 };
    run(store, &command);
    assert_int_equal(command.fetch_turns.out_turns_count, 1);
    return command.fetch_turns.out_turns[0];
}

static uint64_t turn_commit(struct filled_store *store, const struct hf_turn_grant *grant,
                            const struct hf_turn_committed *turn)
{
    struct hf_store_command command = { .kind = HF_STORE_COMMIT_TURN };
    command.commit_turn = (struct hf_store_commit_turn){ .token = grant->token,
                                                         .registration = store->registration,
                                                         .turn = turn };
    run(store, &command);
    return command.lsn;
}

/* Zeroed elements of a list, in the store's arena. */
static void *elements(struct filled_store *store, size_t count, size_t size)
{
    void *items = hf_arena_array(&store->arena, count, size);
    assert_non_null(items);
    return items;
}

/* Events from 2 on: those behind the first of an execution that has had no messages. */
static struct hf_list events(struct filled_store *store, size_t count)
{
    struct hf_turn_event *items = elements(store, count, sizeof *items);
    char *body = elements(store, EVENT_SIZE, 1);
    memset(body, 'e', EVENT_SIZE);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct hf_turn_event){ i + 2, hf_bytes(body, EVENT_SIZE) };
    }
    return (struct hf_list){ items, count };
}

static struct hf_list timers(struct filled_store *store, uint64_t first_event_id, size_t count)
{
    struct hf_turn_timer *items = elements(store, count, sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct hf_turn_timer){ first_event_id + i, store->wall_unix_ms + DELAY_MS,
                                           hf_text("fired") };
    }
    return (struct hf_list){ items, count };
}

/* ---- the instances -------------------------------------------------------------------------- */

static void fill_a_commit(struct filled_store *store)
{
    struct hf_turn_grant grant = turn_take(store);
    struct hf_turn_session opened = { .incarnation = 1, .id = hf_text("s"), .tag = hf_text("gpu") };
    struct hf_turn_item items[SESSION_ITEMS + 1] = { { 0 } };
    struct hf_turn_child child = { .event_id = SESSION_ITEMS + 4,
                                   .id = hf_text("e"),
                                   .orchestration = hf_text("demo"),
                                   .body = hf_text("start"),
                                   .lost_body = hf_text("lost"),
                                   .orphan_body = hf_text("orphan"),
                                   .deleted_body = hf_text("deleted"),
                                   .clash_body = hf_text("clash") };
    for (size_t i = 0; i < SESSION_ITEMS; i++) {
        items[i] = (struct hf_turn_item){ .event_id = i + 2, .incarnation = 1 };
    }
    items[SESSION_ITEMS] = (struct hf_turn_item){ .event_id = SESSION_ITEMS + 2,
                                                  .tag = hf_text("rare") };
    struct hf_turn_value value = { .event_id = 2, .key = hf_text("k") };
    const struct hf_turn_committed turn = {
        .execution = grant.execution,
        .engine_version = 1,
        .events = events(store, SESSION_ITEMS + 3),
        .values = { &value, 1 },
        .items = { items, SESSION_ITEMS + 1 },
        .timers = timers(store, SESSION_ITEMS + 3, 1),
        .opened = { &opened, 1 },
        .children = { &child, 1 },
        .status_event = 2,
        .outcome = HF_OUTCOME_RUNNING,
    };
    turn_commit(store, &grant, &turn);
}

/* The child's first turn leaves it waiting. */
static void fill_e(struct filled_store *store)
{
    struct hf_turn_grant grant = turn_take(store);
    const struct hf_turn_committed turn = { .execution = grant.execution,
                                            .engine_version = 1,
                                            .outcome = HF_OUTCOME_RUNNING };
    turn_commit(store, &grant, &turn);
}

/* One item of a's session runs, and one is handed back with a delay. */
static void fill_a_deliver(struct filled_store *store)
{
    hf_slice tag = hf_text("gpu");
    struct hf_store_command fetch = { .kind = HF_STORE_FETCH_ITEMS };
    fetch.fetch_items = (struct hf_store_fetch_items){ .registration = store->registration,
                                                       .items_max = 2,
                                                       .sessions_max = 1,
                                                       .tags = &tag,
                                                       .tags_count = 1 };
    run(store, &fetch);
    assert_int_equal(fetch.fetch_items.out_items_count, 2);
    const struct hf_report half = { fetch.fetch_items.out_items[0].token, hf_text("half") };
    struct hf_store_command report = { .kind = HF_STORE_REPORT };
    report.report = (struct hf_store_report){ .registration = store->registration,
                                              .reports = &half,
                                              .reports_count = 1 };
    struct hf_store_command abandon = { .kind = HF_STORE_ABANDON_ITEM };
    abandon.abandon_item = (struct hf_store_abandon_item){
        .token = fetch.fetch_items.out_items[1].token,
        .registration = store->registration,
        .reason = HF_REASON_ABANDONED,
        .delay_ms = DELAY_MS,
    };
    run(store, &abandon);
    run(store, &report);
}

static void fill_a_message(struct filled_store *store)
{
    struct hf_store_command command = { .kind = HF_STORE_MESSAGE };
    command.message = (struct hf_store_message){ .id = hf_text("a"), .body = hf_text("hello") };
    run(store, &command);
}

static void fill_c(struct filled_store *store)
{
    struct hf_turn_grant grant = turn_take(store);
    struct hf_store_command command = { .kind = HF_STORE_ABANDON_TURN };
    command.abandon_turn = (struct hf_store_abandon_turn){ .token = grant.token,
                                                           .registration = store->registration,
                                                           .counted = true,
                                                           .reason = HF_REASON_ABANDONED,
                                                           .delay_ms = DELAY_MS };
    run(store, &command);
}

static void fill_f(struct filled_store *store)
{
    struct hf_turn_grant grant = turn_take(store);
    struct hf_store_command command = { .kind = HF_STORE_FAIL_TURN };
    command.fail_turn = (struct hf_store_fail_turn){ .token = grant.token,
                                                     .registration = store->registration,
                                                     .attempts = 3,
                                                     .body = hf_text("poison") };
    run(store, &command);
}

static void fill_d(struct filled_store *store)
{
    struct hf_turn_grant grant = turn_take(store);
    const struct hf_turn_committed turn = {
        .execution = grant.execution,
        .engine_version = 1,
        .events = events(store, TIMERS_COUNT),
        .timers = timers(store, 2, TIMERS_COUNT),
        .outcome = HF_OUTCOME_RUNNING,
    };
    store->longest_lsn = turn_commit(store, &grant, &turn);
    struct hf_store_command command = { .kind = HF_STORE_TERMINATE };
    command.terminate = (struct hf_store_terminate){ .id = hf_text("d"), .body = hf_text("end") };
    run(store, &command);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void store_open(struct filled_store *store)
{
    struct hf_backend_options options = { .durability = HF_DURABLE_NONE,
                                          .map_size_max = UINT64_C(1) << 28,
                                          .preallocate_size = 1,
                                          .seams = &store->seams };
    assert_ok(hf_backend_open(store->directory.path, &options, &store->backend, &store->error),
              &store->error);
}

struct filled_store *filled_store_new(void)
{
    struct filled_store *store = calloc(1, sizeof *store);
    assert_non_null(store);
    hf_test_directory_make(&store->directory);
    hf_arena_init(&store->arena, hf_heap_default());
    store->wall_unix_ms = UINT64_C(1700000000000);
    store->clock = (hf_clock){ .size = sizeof store->clock,
                               .self = store,
                               .boot_ms = seam_boot_ms,
                               .wall_unix_ms = seam_wall_unix_ms };
    store->seams = (struct hf_seams){ .allocator = hf_heap_default(),
                                      .clock = &store->clock,
                                      .self = store,
                                      .random = seam_random,
                                      .is_alive = seam_is_alive,
                                      .boot_id = hf_text("boot") };
    store_open(store);
    store->first_lsn = start(store, "a", FILLED_FIRST_BODY);
    register_worker(store);
    fill_a_commit(store);
    fill_e(store);
    fill_a_deliver(store);
    start(store, "c", "event");
    fill_c(store);
    start(store, "f", "event");
    fill_f(store);
    start(store, "d", "event");
    fill_d(store);
    start(store, "b", "event");
    fill_a_message(store);
    turn_take(store); /* of b, which is older than a's message; last, so that `writer` names us */
    return store;
}

void filled_store_free(struct filled_store *store)
{
    store->backend->ops->close(store->backend);
    hf_arena_release(&store->arena);
    hf_test_directory_remove(&store->directory);
    free(store);
}
