/* The world of world.h over LMDB. Not a store: it appends no log, it keeps the records in memory.
 */
#include "tests/unit/indexes/world.h"

#include <lmdb.h>
#include <string.h>

/* ---- environments ---- */

static MDB_env *env_open(const char *path, unsigned *dbis)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    hf_error error = { 0 };
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, HF_TABLE_COUNT), 0);
    assert_int_equal(mdb_env_set_mapsize(env, (size_t)256 << 20), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSYNC, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_ok(hf_tables_open(txn, true, dbis, &error), &error);
    assert_int_equal(mdb_txn_commit(txn), 0);
    return env;
}

void world_init(struct world *world)
{
    memset(world, 0, sizeof(*world));
    hf_test_directory_make(&world->directory);
    world->env = env_open(world->directory.path, world->dbis);
    hf_arena_init(&world->arena, hf_heap_default());
    hf_arena_init(&world->log, hf_heap_default());
    world->next_lsn = world->turner = 1;
    assert_int_equal(world_register(world, "turner"), world->turner);
    world->wall_unix_ms = 1000;
}

void world_begin(struct world *world)
{
    assert_null(world->tables.txn);
    world->tables = (struct hf_tables){ .dbis = world->dbis, .arena = &world->arena };
    assert_int_equal(mdb_txn_begin(world->env, NULL, 0, &world->tables.txn), 0);
}

void world_end(struct world *world)
{
    assert_non_null(world->tables.txn);
    assert_int_equal(mdb_txn_commit(world->tables.txn), 0);
    world->tables.txn = NULL;
}

/* ---- folding ---- */

static struct hf_fold_record record_make(struct world *world, enum hf_record_kind kind,
                                         const void *body)
{
    hf_slice bytes = hf_encode(hf_record_layout(kind), body, &world->log);
    assert_non_null(bytes.data);
    return (struct hf_fold_record){ world->next_lsn, kind, world->wall_unix_ms, bytes };
}

uint64_t world_fold(struct world *world, enum hf_record_kind kind, const void *body)
{
    struct hf_fold_record record = record_make(world, kind, body);
    assert_true(world->records_count < WORLD_RECORDS_MAX);
    world_begin(world);
    assert_ok(hf_apply(&world->tables, &record, &world->error), &world->error);
    world->effects = world->tables.effects;
    if (!world->skips_audit) {
        assert_ok(hf_audit_indexes(&world->tables, &world->error), &world->error);
    }
    world_end(world);
    world->records[world->records_count++] = record;
    world->next_lsn++;
    world->wall_unix_ms += 10;
    return record.lsn;
}

void world_refuse(struct world *world, enum hf_record_kind kind, const void *body)
{
    struct hf_fold_record record = record_make(world, kind, body);
    world_begin(world);
    assert_status(hf_apply(&world->tables, &record, &world->error), HF_CORRUPT);
    assert_int_equal(world->error.lsn, record.lsn);
    assert_non_null(strstr(world->error.message, "does not fit"));
    mdb_txn_abort(world->tables.txn);
    world->tables.txn = NULL;
}

/* ---- the second fold ---- */

static void compare_tables(struct hf_tables *a, struct hf_tables *b, enum hf_table table)
{
    struct hf_table_cursor left, right;
    struct hf_table_row left_row, right_row;
    hf_error error = { 0 };
    assert_ok(hf_table_cursor_init(&left, a, table, &error), &error);
    assert_ok(hf_table_cursor_init(&right, b, table, &error), &error);
    hf_status status = hf_table_cursor_seek(&left, (hf_slice)HF_EMPTY, &left_row, &error);
    assert_status(hf_table_cursor_seek(&right, (hf_slice)HF_EMPTY, &right_row, &error), status);
    while (status == HF_OK) {
        assert_int_equal(left_row.key.size, right_row.key.size);
        assert_memory_equal(left_row.key.data, right_row.key.data, left_row.key.size);
        assert_true(hf_slice_equal(left_row.value, right_row.value));
        status = hf_table_cursor_next(&left, &left_row, &error);
        assert_status(hf_table_cursor_next(&right, &right_row, &error), status);
    }
    assert_int_equal(status, HF_NOT_FOUND);
    hf_table_cursor_release(&left);
    hf_table_cursor_release(&right);
}

/* Folds all records into another environment, in one transaction, and compares all hard tables. */
static void refold(struct world *world)
{
    struct hf_test_directory directory;
    unsigned dbis[HF_TABLE_COUNT];
    struct hf_arena arena;
    hf_error error = { 0 };
    hf_test_directory_make(&directory);
    hf_arena_init(&arena, hf_heap_default());
    MDB_env *env = env_open(directory.path, dbis);
    struct hf_tables tables = { .dbis = dbis, .arena = &arena };
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &tables.txn), 0);
    for (size_t i = 0; i < world->records_count; i++) {
        assert_ok(hf_apply(&tables, &world->records[i], &error), &error);
    }
    assert_ok(hf_audit_indexes(&tables, &error), &error);
    world_begin(world);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        if (hf_table_class(table) != HF_TABLE_CLASS_SOFT) {
            compare_tables(&world->tables, &tables, table);
        }
    }
    world_end(world);
    mdb_txn_abort(tables.txn);
    mdb_env_close(env);
    hf_arena_release(&arena);
    hf_test_directory_remove(&directory);
}

void world_drop(struct world *world)
{
    assert_null(world->tables.txn);
    mdb_env_close(world->env);
    hf_arena_release(&world->arena);
    hf_arena_release(&world->log);
    hf_test_directory_remove(&world->directory);
}

void world_release(struct world *world)
{
    refold(world);
    world_drop(world);
}

/* ---- rows ---- */

uint64_t world_count(struct world *world, enum hf_table table)
{
    uint64_t count = 0;
    world_begin(world);
    assert_ok(hf_table_count(&world->tables, table, &count, &world->error), &world->error);
    world_end(world);
    return count;
}

struct hf_row_instance world_instance(struct world *world, uint64_t number)
{
    struct hf_row_instance row;
    world_begin(world);
    assert_ok(hf_instance_get(&world->tables, number, &row, &world->error), &world->error);
    world_end(world);
    return row;
}

struct hf_row_item world_item(struct world *world, uint64_t event_id)
{
    struct hf_row_item row;
    struct hf_item_id id = { 1, world_instance(world, 1).execution, event_id };
    world_begin(world);
    assert_ok(hf_item_get(&world->tables, &id, &row, &world->error), &world->error);
    world_end(world);
    return row;
}

struct hf_row_session world_session(struct world *world, uint64_t incarnation)
{
    struct hf_row_session row;
    struct hf_session_id id = { 1, incarnation };
    world_begin(world);
    assert_ok(hf_session_get(&world->tables, &id, &row, &world->error), &world->error);
    world_end(world);
    return row;
}

struct hf_row_registration world_registration(struct world *world, uint64_t lsn)
{
    struct hf_row_registration row;
    world_begin(world);
    assert_ok(hf_registration_get(&world->tables, lsn, &row, &world->error), &world->error);
    world_end(world);
    return row;
}

/* ---- records in a word ---- */

uint64_t world_start(struct world *world, uint64_t instance, const char *id)
{
    struct hf_started body = { .instance = instance,
                               .id = hf_text(id),
                               .orchestration = hf_text("conversation"),
                               .body = hf_text("started") };
    return world_fold(world, HF_RECORD_STARTED, &body);
}

uint64_t world_message(struct world *world, const char *body)
{
    struct hf_message_record message = { .instance = 1, .body = hf_text(body) };
    return world_fold(world, HF_RECORD_MESSAGE, &message);
}

uint64_t world_register(struct world *world, const char *worker_id)
{
    struct hf_registered body = { .worker_id = hf_text(worker_id),
                                  .life = hf_text("life"),
                                  .boot_id = hf_text("boot"),
                                  .pid = 42 };
    return world_fold(world, HF_RECORD_REGISTERED, &body);
}

uint64_t world_end_registration(struct world *world, uint64_t registration, uint64_t reason)
{
    struct hf_registration_ended body = { .registration = registration, .reason = reason };
    return world_fold(world, HF_RECORD_REGISTRATION_ENDED, &body);
}

/* Why work may be taken from a holder. */
static uint64_t holder_reason(struct world *world, uint64_t holder, uint64_t by)
{
    struct hf_row_registration row;
    assert_ok(hf_registration_get(&world->tables, holder, &row, &world->error), &world->error);
    if (row.ended_reason != 0) return row.ended_reason;
    return holder == by ? HF_REASON_OWN : HF_REASON_EXPIRED;
}

static void claim_reason(struct world *world, struct hf_claimed_session *claim, uint64_t by)
{
    struct hf_session_id id = { claim->instance, claim->incarnation };
    struct hf_row_session session;
    claim->reason = HF_REASON_FIRST;
    if (hf_session_get(&world->tables, &id, &session, &world->error) != HF_OK) return;
    claim->from = session.owner;
    if (session.owner != 0) claim->reason = holder_reason(world, session.owner, by);
    if (session.owner != 0 || session.epoch == 0) return;
    claim->reason = session.unowned_reason;
    for (size_t i = 0; i < world->records_count; i++) {
        struct hf_delivered former;
        if (world->records[i].lsn != session.epoch) continue;
        assert_ok(hf_decode(hf_record_layout(HF_RECORD_DELIVERED), world->records[i].body,
                            &world->arena, &former, &world->error),
                  &world->error);
        claim->from = former.registration;
    }
}

void world_reason(struct world *world, struct hf_delivered *body)
{
    struct hf_delivered_item *items = body->items.items;
    struct hf_claimed_session *claims = body->claims.items;
    struct hf_row_item row;
    world_begin(world);
    for (size_t i = 0; i < body->claims.count; i++) {
        claim_reason(world, &claims[i], body->registration);
    }
    for (size_t i = 0; i < body->items.count; i++) {
        if (hf_item_get(&world->tables, &items[i].item, &row, &world->error) != HF_OK) continue;
        items[i].from = row.registration;
        items[i].reason = row.attempts == 0 ? HF_REASON_FIRST : HF_REASON_NONE;
        if (row.registration == 0) continue;
        items[i].reason = holder_reason(world, row.registration, body->registration);
    }
    world_end(world);
}

uint64_t world_deliver(struct world *world, uint64_t registration, uint64_t event_id,
                       uint64_t claimed)
{
    uint64_t execution = world_instance(world, 1).execution;
    struct hf_delivered_item item = { .item = { 1, execution, event_id } };
    struct hf_claimed_session claim = { .instance = 1, .incarnation = claimed };
    struct hf_delivered body = { .registration = registration, .items = { &item, 1 } };
    if (claimed != 0) body.claims = (struct hf_list){ &claim, 1 };
    world_reason(world, &body);
    return world_fold(world, HF_RECORD_DELIVERED, &body);
}

uint64_t world_complete(struct world *world, uint64_t registration, uint64_t event_id,
                        uint64_t delivery)
{
    struct hf_completed body = { .item = { 1, world_instance(world, 1).execution, event_id },
                                 .delivery_lsn = delivery,
                                 .delivery_number = 1,
                                 .registration = registration,
                                 .body = hf_text("completed") };
    return world_fold(world, HF_RECORD_COMPLETED, &body);
}

/* ---- turns ---- */

struct world_turn turn_begin(struct world *world)
{
    struct hf_row_instance row = world_instance(world, 1);
    struct world_turn turn = { .next_event_id = row.next_event_id };
    turn.body.instance = 1;
    turn.body.execution = row.execution;
    turn.body.head = row.head;
    turn.body.registration = world->turner;
    turn.body.outcome = HF_OUTCOME_RUNNING;
    return turn;
}

uint64_t turn_consume(struct world_turn *turn, uint64_t lsn)
{
    assert_int_equal(turn->body.events.count, 0);
    size_t at = turn->body.messages.count++;
    turn->messages[at] = (struct hf_consumed_message){ lsn, turn->next_event_id };
    return turn->next_event_id++;
}

uint64_t turn_event(struct world_turn *turn, const char *body)
{
    size_t at = turn->body.events.count++;
    assert_true(at < 16);
    turn->events[at] = (struct hf_turn_event){ turn->next_event_id, hf_text(body) };
    return turn->next_event_id++;
}

uint64_t turn_item(struct world_turn *turn, uint64_t incarnation, const char *tag)
{
    uint64_t event_id = turn_event(turn, "scheduled");
    turn->items[turn->body.items.count++] = (struct hf_turn_item){ .event_id = event_id,
                                                                   .incarnation = incarnation,
                                                                   .tag = hf_text(tag) };
    return event_id;
}

uint64_t turn_timer(struct world_turn *turn, uint64_t due_unix_ms)
{
    uint64_t event_id = turn_event(turn, "timer created");
    turn->timers[turn->body.timers.count++] = (struct hf_turn_timer){ event_id, due_unix_ms,
                                                                      hf_text("fired") };
    return event_id;
}

uint64_t turn_set_value(struct world_turn *turn, const char *key, const char *body)
{
    uint64_t event_id = turn_event(turn, body);
    turn->values[turn->body.values.count++] = (struct hf_turn_value){ event_id, hf_text(key), 0 };
    return event_id;
}

void turn_clear_value(struct world_turn *turn, const char *key)
{
    uint64_t event_id = turn_event(turn, "cleared");
    turn->values[turn->body.values.count++] = (struct hf_turn_value){ event_id, hf_text(key), 1 };
}

void turn_cancel(struct world_turn *turn, uint64_t event_id)
{
    turn->cancels[turn->body.cancels.count++] = (struct hf_turn_cancel){ event_id };
}

void turn_open(struct world_turn *turn, uint64_t incarnation, const char *id)
{
    turn_event(turn, "opened");
    turn->opened[turn->body.opened.count++] = (struct hf_turn_session){ .incarnation = incarnation,
                                                                        .id = hf_text(id) };
}

void turn_close(struct world_turn *turn, uint64_t incarnation)
{
    turn_event(turn, "closed");
    turn->closed[turn->body.closed.count++] = (struct hf_turn_session){
        .incarnation = incarnation
    };
}

void turn_finish(struct world_turn *turn)
{
    turn->body.messages.items = turn->messages;
    turn->body.events.items = turn->events;
    turn->body.items.items = turn->items;
    turn->body.timers.items = turn->timers;
    turn->body.cancels.items = turn->cancels;
    turn->body.opened.items = turn->opened;
    turn->body.closed.items = turn->closed;
    turn->body.carried.items = turn->carried;
    turn->body.values.items = turn->values;
}

uint64_t world_turn(struct world *world, struct world_turn *turn)
{
    turn_finish(turn);
    return world_fold(world, HF_RECORD_TURN_COMMITTED, &turn->body);
}

uint64_t world_init_with_item(struct world *world)
{
    world_init(world);
    world_start(world, 1, "talk");
    struct world_turn turn = turn_begin(world);
    uint64_t event_id = turn_item(&turn, 0, "");
    world_turn(world, &turn);
    return event_id;
}
