/* The store of law_store.h. */
#include "tests/unit/logstore/law_store.h"

#include <string.h>

#include "logstore/env.h"

static struct hf_store_command command_of(enum hf_store_command_kind kind)
{
    return (struct hf_store_command){ .kind = kind };
}

/* ---- scenes --------------------------------------------------------------------------------- */

/* Locks all turns that are due; gives that of an instance. */
static struct hf_turn_grant must_take_turn(struct law_store *self, uint64_t instance)
{
    struct hf_store_command command = command_of(HF_STORE_FETCH_TURNS);
    command.fetch_turns = (struct hf_store_fetch_turns){ .registration = self->thief,
                                                         .engine_version_max = 10,
                                                         .turns_max = 20 };
    store_must_commit(self->store, &command);
    for (size_t i = 0; i < command.fetch_turns.out_turns_count; i++) {
        struct hf_turn_grant *grant = &command.fetch_turns.out_turns[i];
        if (grant->token.instance == instance) return *grant;
    }
    fail_msg("no turn of instance %llu is due", (unsigned long long)instance);
    return (struct hf_turn_grant){ .execution = 0 };
}

static void must_commit_turn(struct law_store *self, const struct hf_turn_grant *grant,
                             const struct hf_turn_committed *turn)
{
    struct hf_store_command command = command_of(HF_STORE_COMMIT_TURN);
    command.commit_turn = (struct hf_store_commit_turn){ .token = grant->token,
                                                         .registration = self->thief,
                                                         .turn = turn };
    store_must_commit(self->store, &command);
}

/* The leases of the first worker pass, and the second takes session 1 over; of what it gets it puts
 * the second item aside. */
static void must_take_over(struct law_store *self)
{
    static const hf_slice tags[] = { HF_SLICE("gpu") };
    self->store->seams.boot_ms += 20 * 1000;
    self->thief = store_must_register(self->store, "thief");
    struct hf_store_command fetch = command_of(HF_STORE_FETCH_ITEMS);
    fetch.fetch_items = (struct hf_store_fetch_items){ .registration = self->thief,
                                                       .items_max = 2,
                                                       .sessions_max = 4,
                                                       .tags = tags,
                                                       .tags_count = 1 };
    store_must_commit(self->store, &fetch);
    assert_int_equal(fetch.fetch_items.out_items_count, 2);
    struct hf_store_command abandon = command_of(HF_STORE_ABANDON_ITEM);
    abandon.abandon_item = (struct hf_store_abandon_item){
        .token = fetch.fetch_items.out_items[1].token,
        .registration = self->thief,
        .reason = HF_REASON_ABANDONED,
        .delay_ms = 60 * 1000,
    };
    store_must_commit(self->store, &abandon);
}

/* An instance schedules an item and a timer, then calls both off and continues as new, with the
 * message that it got; the former execution is pruned. */
static void must_loop(struct law_store *self)
{
    uint64_t loop = store_must_start(self->store, "loop");
    struct hf_turn_event events[] = { { 2, HF_SLICE("scheduled") }, { 3, HF_SLICE("set") } };
    struct hf_turn_item item = { .event_id = 2, .tag = HF_SLICE("nobody's") };
    struct hf_turn_timer timer = { 3, UINT64_C(1) << 50, HF_SLICE("late") };
    struct hf_turn_committed first = { .execution = 1,
                                       .events = { events, 2 },
                                       .items = { &item, 1 },
                                       .timers = { &timer, 1 },
                                       .outcome = HF_OUTCOME_RUNNING };
    struct hf_turn_grant grant = must_take_turn(self, loop);
    must_commit_turn(self, &grant, &first);
    struct hf_store_command message = command_message(self->store, "loop", 10);
    store_must_commit(self->store, &message);
    struct hf_consumed_message consumed = { message.lsn, 4 };
    struct hf_turn_event last = { 5, HF_SLICE("continued") };
    struct hf_turn_cancel cancels[] = { { 2 }, { 3 } };
    struct hf_turn_carried carried = { 4 };
    struct hf_turn_committed second = { .execution = 1,
                                        .messages = { &consumed, 1 },
                                        .events = { &last, 1 },
                                        .cancels = { cancels, 2 },
                                        .outcome = HF_OUTCOME_CONTINUED,
                                        .next_body = HF_SLICE("again"),
                                        .carried = { &carried, 1 } };
    grant = must_take_turn(self, loop);
    must_commit_turn(self, &grant, &second);
    struct hf_instance_run run = { loop, 1 };
    struct hf_store_command prune = command_of(HF_STORE_PRUNE);
    prune.prune = (struct hf_store_prune){ .runs = &run, .count = 1 };
    store_must_commit(self->store, &prune);
    assert_int_equal(prune.prune.out_executions_count, 1);
}

static void must_terminate(struct law_store *self, const char *id)
{
    struct hf_store_command command = command_of(HF_STORE_TERMINATE);
    command.terminate = (struct hf_store_terminate){ .id = hf_text(id), .body = HF_SLICE("end") };
    store_must_commit(self->store, &command);
}

/* What a restart goes on with: the session, the items, the timer and the value of its first turn.
 */
static void must_restart_again(struct law_store *self, uint64_t instance,
                               const struct hf_turn_committed *turn)
{
    struct hf_restarted restarted = { .instance = instance,
                                      .execution = 1,
                                      .events_kept = 7,
                                      .sessions = turn->opened,
                                      .items = turn->items,
                                      .timers = turn->timers,
                                      .values = turn->values };
    struct hf_store_command command = command_of(HF_STORE_RESTART);
    command.restart = (struct hf_store_restart){ .id = HF_SLICE("again"), .restarted = &restarted };
    store_must_commit(self->store, &command);
}

/* An instance with a child that ends; it is ended itself, and restarted. */
static void must_end_and_restart(struct law_store *self)
{
    uint64_t again = store_must_start(self->store, "again");
    struct hf_turn_event events[6];
    for (size_t i = 0; i < HF_COUNT_OF(events); i++) {
        events[i] = (struct hf_turn_event){ i + 2, HF_SLICE("an event") };
    }
    struct hf_turn_session opened = { .incarnation = 1, .id = HF_SLICE("s"), .event_id = 4 };
    struct hf_turn_item items[] = { { .event_id = 2, .tag = HF_SLICE("nobody's") },
                                    { .event_id = 5, .incarnation = 1 } };
    struct hf_turn_timer timer = { 3, UINT64_C(1) << 50, HF_SLICE("late") };
    struct hf_turn_value value = { .event_id = 6, .key = HF_SLICE("v") };
    struct hf_turn_child child = { .event_id = 7,
                                   .id = HF_SLICE("told"),
                                   .orchestration = HF_SLICE("demo"),
                                   .body = HF_SLICE("start"),
                                   .lost_body = HF_SLICE("lost"),
                                   .orphan_body = HF_SLICE("orphan"),
                                   .deleted_body = HF_SLICE("deleted"),
                                   .clash_body = HF_SLICE("clash") };
    struct hf_turn_committed turn = { .execution = 1,
                                      .events = { events, HF_COUNT_OF(events) },
                                      .opened = { &opened, 1 },
                                      .items = { items, HF_COUNT_OF(items) },
                                      .timers = { &timer, 1 },
                                      .values = { &value, 1 },
                                      .children = { &child, 1 },
                                      .outcome = HF_OUTCOME_RUNNING };
    struct hf_turn_grant grant = must_take_turn(self, again);
    must_commit_turn(self, &grant, &turn);
    must_terminate(self, "told");
    must_terminate(self, "again");
    must_restart_again(self, again, &turn);
}

/* The first of what was put aside comes back. */
static void must_fire_one(struct law_store *self)
{
    self->store->seams.wall_unix_ms += 4000;
    struct hf_store_command fire = command_of(HF_STORE_FIRE_TIMERS);
    fire.fire_timers.timers_max = 10;
    store_must_commit(self->store, &fire);
    assert_int_equal(fire.fire_timers.out_fired_count, 1);
}

/* ---- all rows ------------------------------------------------------------------------------- */

static void read_begin(struct law_store *self, struct hf__reader *reader)
{
    assert_ok(hf__reader_begin(hf__store_of(self->store->backend), &self->store->arena, reader,
                               &self->store->error),
              &self->store->error);
}

static void rows_keep(struct law_store *self)
{
    struct hf_table_row row;
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        if (hf_table_class(table) == HF_TABLE_CLASS_SOFT) continue;
        for (size_t i = 0; store_row(self->store, table, i, &row); i++) {
            assert_true(self->rows_count < LAW_ROWS_MAX);
            self->rows[self->rows_count++] = (struct law_row){ table, row };
        }
    }
}

static hf_status log_keep_visit(void *context, const struct hf_log_visit *visit)
{
    struct law_store *self = context;
    assert_null(visit->damage);
    assert_true(self->records_count < LAW_RECORDS_MAX);
    struct hf_log_record *record = &self->records[self->records_count++];
    *record = visit->record;
    record->body = hf_arena_copy(&self->store->arena, visit->record.body);
    return HF_OK;
}

static void log_keep(struct law_store *self)
{
    hf_error error = { 0 };
    self->records_count = 0;
    self->is_log_changed = false;
    assert_ok(hf_log_scan(self->store->backend, 0, &error, self, log_keep_visit), &error);
    self->next_lsn = self->records[self->records_count - 1].lsn + 1;
}

void law_store_init(struct law_store *self, struct store_part *store)
{
    *self = (struct law_store){ .store = store };
    store_must_fill(store);
    must_take_over(self);
    must_fire_one(self);
    must_loop(self);
    must_end_and_restart(self);
    store_must_start(store, "due");
    store_must_verify(store);
    rows_keep(self);
    log_keep(self);
    union hf_record_body body = law_body(self, law_record(self, HF_RECORD_DELIVERED, 0));
    self->owner = body.delivered.registration;
}

/* ---- records -------------------------------------------------------------------------------- */

size_t law_record(const struct law_store *self, enum hf_record_kind kind, size_t nth)
{
    for (size_t i = 0; i < self->records_count; i++) {
        if (self->records[i].kind == (uint64_t)kind && nth-- == 0) return i;
    }
    fail_msg("there is no such record of kind %d", (int)kind);
    return 0;
}

union hf_record_body law_body(struct law_store *self, size_t place)
{
    const struct hf_log_record *record = &self->records[place];
    union hf_record_body body;
    hf_error error = { 0 };
    assert_ok(hf_decode(hf_record_layout((enum hf_record_kind)record->kind), record->body,
                        &self->store->arena, &body, &error),
              &error);
    return body;
}

static hf_slice encoded(struct law_store *self, uint64_t kind, const void *body)
{
    hf_slice bytes = hf_encode(hf_record_layout((enum hf_record_kind)kind), body,
                               &self->store->arena);
    assert_non_null(bytes.data);
    return bytes;
}

void law_body_set(struct law_store *self, size_t place, const void *body)
{
    self->records[place].body = encoded(self, self->records[place].kind, body);
    self->is_log_changed = true;
}

void law_append_bytes(struct law_store *self, uint64_t kind, hf_slice body)
{
    assert_true(self->records_count < LAW_RECORDS_MAX);
    const struct hf_log_record *last = &self->records[self->records_count - 1];
    self->records[self->records_count++] = (struct hf_log_record){
        .lsn = self->next_lsn++,
        .wall_unix_ms = last->wall_unix_ms,
        .kind = kind,
        .critical = true,
        .body = body,
    };
    self->is_log_changed = true;
}

void law_append(struct law_store *self, enum hf_record_kind kind, const void *body)
{
    law_append_bytes(self, kind, encoded(self, kind, body));
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct hf_row_instance law_instance(struct law_store *self, const char *id)
{
    struct hf__reader reader;
    struct hf_row_instance row;
    read_begin(self, &reader);
    assert_ok(hf_instance_find(&reader.tables, hf_text(id), &row, &self->store->error),
              &self->store->error);
    hf__reader_end(&reader);
    return row;
}

struct hf_item_id law_item_id(struct law_store *self, enum hf_table table, bool is_in_key)
{
    struct hf_table_row row;
    struct hf_item_id id;
    assert_true(store_row(self->store, table, 0, &row));
    assert_true(hf_key_read_item(is_in_key ? row.key : row.value, &id));
    return id;
}

struct hf_row_item law_item(struct law_store *self, const struct hf_item_id *id)
{
    struct hf__reader reader;
    struct hf_row_item row;
    read_begin(self, &reader);
    assert_ok(hf_item_get(&reader.tables, id, &row, &self->store->error), &self->store->error);
    hf__reader_end(&reader);
    return row;
}

struct hf_row_session law_session(struct law_store *self, uint64_t instance, uint64_t incarnation)
{
    struct hf__reader reader;
    struct hf_row_session row;
    struct hf_session_id id = { instance, incarnation };
    read_begin(self, &reader);
    assert_ok(hf_session_get(&reader.tables, &id, &row, &self->store->error), &self->store->error);
    hf__reader_end(&reader);
    return row;
}

void law_registration(struct law_store *self, uint64_t lsn, struct hf_row_registration *out_row)
{
    struct hf__reader reader;
    read_begin(self, &reader);
    assert_ok(hf_registration_get(&reader.tables, lsn, out_row, &self->store->error),
              &self->store->error);
    hf__reader_end(&reader);
}

void law_row_drop(struct law_store *self, enum hf_table table, size_t nth)
{
    struct hf_table_row row;
    assert_true(store_row(self->store, table, nth, &row));
    store_must_tamper(self->store, table, row.key, (hf_slice)HF_EMPTY);
}

void law_row_put(struct law_store *self, enum hf_table table, const struct hf_key *key,
                 hf_slice value)
{
    store_must_tamper(self->store, table, hf_key_slice(key), value);
}

/* ---- writing and judging -------------------------------------------------------------------- */

static void table_empty(struct hf_tables *tables, enum hf_table table)
{
    struct hf_table_row row;
    hf_error error = { 0 };
    static const char first[] = { 0 };
    while (hf_table_seek(tables, table, hf_bytes(first, sizeof first), &row, &error) == HF_OK) {
        char key[HF_TABLE_KEY_SIZE_MAX];
        memcpy(key, row.key.data, row.key.size);
        assert_ok(hf_table_delete(tables, table, hf_bytes(key, row.key.size), &error), &error);
    }
}

static void write_begin(struct law_store *self, struct hf__write *write)
{
    hf_error error = { 0 };
    assert_ok(hf__write_begin(hf__store_of(self->store->backend), 0, write, &error), &error);
}

static void write_commit(struct hf__write *write)
{
    hf_error error = { 0 };
    assert_ok(hf__write_commit(write, &error), &error);
}

static void log_write(struct law_store *self)
{
    struct hf__write write;
    hf_error error = { 0 };
    const struct hf_store_id *id = &hf__store_of(self->store->backend)->identity.id;
    write_begin(self, &write);
    table_empty(&write.tables, HF_TABLE_LOG);
    for (size_t i = 0; i < self->records_count; i++) {
        assert_ok(hf_log_append(&write.tables, id, &self->records[i], &error), &error);
    }
    assert_ok(hf_meta_put_number(&write.tables, "next_lsn", self->next_lsn, &error), &error);
    write_commit(&write);
}

static void findings_add(void *context, const struct hf_verify_finding *finding)
{
    uint64_t *laws = context;
    enum hf_law law = 0;
    while (law < HF_LAW_COUNT && strcmp(hf_law_code(law), finding->law) != 0) law++;
    assert_true(law < HF_LAW_COUNT);
    *laws |= UINT64_C(1) << law;
    print_message("    %s: %s%s%s\n", finding->law, finding->table ? finding->table : "",
                  finding->table ? ": " : "", finding->message);
}

uint64_t law_verify(struct law_store *self)
{
    struct hf_verify_summary summary;
    uint64_t laws = 0;
    hf_error error = { 0 };
    if (self->is_log_changed) log_write(self);
    assert_ok(hf_store_verify(self->store->backend, &summary, &error, &laws, findings_add), &error);
    assert_int_equal(summary.ok, laws == 0);
    return laws;
}

void law_restore(struct law_store *self)
{
    struct hf__write write;
    hf_error error = { 0 };
    write_begin(self, &write);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        if (hf_table_class(table) != HF_TABLE_CLASS_SOFT) table_empty(&write.tables, table);
    }
    for (size_t i = 0; i < self->rows_count; i++) {
        const struct hf_table_row *row = &self->rows[i].row;
        assert_ok(hf_table_put(&write.tables, self->rows[i].table, row->key, row->value, &error),
                  &error);
    }
    write_commit(&write);
    log_keep(self);
}
