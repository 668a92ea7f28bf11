/* The store of the tests; see store_fixture.h. */
#include "tests/unit/logstore/store_fixture.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "engine/base/heap.h"
#include "logstore/env.h"

/* ---- seams --------------------------------------------------------------------------------- */

static uint64_t seams_boot_ms(void *self)
{
    return ((const struct seams_part *)self)->boot_ms;
}

static uint64_t seams_wall_unix_ms(void *self)
{
    return ((const struct seams_part *)self)->wall_unix_ms;
}

static void seams_random(void *self, void *bytes, size_t size)
{
    struct seams_part *part = self;
    unsigned char *out = bytes;
    for (size_t i = 0; i < size; i++) {
        part->random_state = part->random_state * UINT64_C(6364136223846793005) +
                             1442695040888963407U;
        out[i] = (unsigned char)(part->random_state >> 56);
    }
}

static bool seams_is_alive(void *self, hf_slice life)
{
    (void)life;
    return ((const struct seams_part *)self)->is_alive;
}

static int seams_fault(void *self, enum hf_fault_point point)
{
    struct seams_part *part = self;
    if (atomic_load(&part->fault_point) != (int)point) return 0;
    if (atomic_load(&part->fault_countdown) == 0) return 0;
    if (atomic_fetch_sub(&part->fault_countdown, 1) != 1) return 0;
    part->faults_count++;
    if (part->on_fault) part->on_fault(part->on_fault_context);
    return part->fault_code;
}

static void seams_log(void *self, const hf_log_line *line)
{
    struct seams_part *part = self;
    snprintf(part->last_event, sizeof part->last_event, "%s", line->event);
    snprintf(part->last_message, sizeof part->last_message, "%s", line->message);
    if (strcmp(line->event, "store.stalled") == 0) atomic_fetch_add(&part->stalled_count, 1);
    atomic_fetch_add(&part->lines_count, 1);
    if (part->on_log) part->on_log(part->on_log_context, line);
}

void seams_part_init(struct seams_part *self, uint64_t seed)
{
    *self = (struct seams_part){ .boot_ms = 1000000,
                                 .wall_unix_ms = UINT64_C(1700000000000),
                                 .random_state = seed };
    self->clock = (hf_clock){ .size = sizeof self->clock,
                              .self = self,
                              .boot_ms = seams_boot_ms,
                              .wall_unix_ms = seams_wall_unix_ms };
    self->seams = (struct hf_seams){ .allocator = hf_heap_default(),
                                     .clock = &self->clock,
                                     .self = self,
                                     .random = seams_random,
                                     .is_alive = seams_is_alive,
                                     .boot_id = HF_SLICE("boot-one"),
                                     .fault = seams_fault,
                                     .log = seams_log };
}

void seams_part_fail(struct seams_part *self, enum hf_fault_point point, uint64_t nth, int code)
{
    self->fault_code = code;
    self->faults_count = 0;
    atomic_store(&self->fault_countdown, nth);
    atomic_store(&self->fault_point, (int)point);
}

/* ---- the store ----------------------------------------------------------------------------- */

int store_setup(void **state)
{
    static struct store_part part;
    memset(&part, 0, sizeof part);
    hf_test_directory_make(&part.directory);
    hf_test_directory_join(&part.directory, "store", part.path, sizeof part.path);
    seams_part_init(&part.seams, 1);
    part.options = (struct hf_backend_options){ .durability = HF_DURABLE_NONE,
                                                .preallocate_size = 1,
                                                .seams = &part.seams.seams };
    hf_arena_init(&part.arena, hf_heap_default());
    store_must_open(&part);
    *state = &part;
    return 0;
}

int store_teardown(void **state)
{
    struct store_part *self = *state;
    store_close(self);
    hf_arena_release(&self->arena);
    hf_test_directory_remove(&self->directory);
    return 0;
}

hf_status store_open(struct store_part *self)
{
    assert_null(self->backend);
    return hf_backend_open(self->path, &self->options, &self->backend, &self->error);
}

void store_must_open(struct store_part *self)
{
    assert_ok(store_open(self), &self->error);
    assert_non_null(self->backend);
}

void store_close(struct store_part *self)
{
    if (self->backend) self->backend->ops->close(self->backend);
    self->backend = NULL;
}

/* ---- commands ------------------------------------------------------------------------------ */

hf_status store_commit(struct store_part *self, struct hf_store_command *command)
{
    struct hf_store_command *commands[] = { command };
    struct hf_batch batch = { .commands = commands, .count = 1 };
    hf_error error = { 0 };
    command->arena = &self->arena;
    command->status = HF_UNKNOWN;
    hf_status status = self->backend->ops->commit(self->backend, &batch, &error);
    if (status != HF_OK) assert_int_equal(command->status, status);
    return command->status;
}

void store_must_commit(struct store_part *self, struct hf_store_command *command)
{
    assert_ok(store_commit(self, command), &command->error);
}

struct hf_store_command command_start(const char *id)
{
    return (struct hf_store_command){
        .kind = HF_STORE_START,
        .start = { .id = hf_text(id), .orchestration = HF_SLICE("o"), .body = HF_SLICE("in") },
    };
}

struct hf_store_command command_message(struct store_part *self, const char *id, size_t size)
{
    char *body = hf_arena_new(&self->arena, size);
    assert_non_null(body);
    for (size_t i = 0; i < size; i++) body[i] = (char)(i * 31 + i / 251);
    return (struct hf_store_command){ .kind = HF_STORE_MESSAGE,
                                      .message = { .id = hf_text(id), .body = { body, size } } };
}

uint64_t store_must_start(struct store_part *self, const char *id)
{
    struct hf_store_command command = command_start(id);
    store_must_commit(self, &command);
    assert_true(command.start.out_instance > 0);
    return command.start.out_instance;
}

uint64_t store_must_register(struct store_part *self, const char *worker_id)
{
    struct hf_store_command command = {
        .kind = HF_STORE_REGISTER,
        .register_worker = { .worker_id = hf_text(worker_id),
                             .life = hf_text(worker_id),
                             .boot_id = self->seams.seams.boot_id,
                             .pid = 4711,
                             .items_deadline_boot_ms = self->seams.boot_ms + 10000,
                             .sessions_deadline_boot_ms = self->seams.boot_ms + 10000 },
    };
    store_must_commit(self, &command);
    assert_true(command.register_worker.out_registration > 0);
    return command.register_worker.out_registration;
}

struct hf_turn_grant store_must_fetch_turn(struct store_part *self, uint64_t registration)
{
    struct hf_store_command command = {
        .kind = HF_STORE_FETCH_TURNS,
        .fetch_turns = { .registration = registration, .engine_version_max = 10, .turns_max = 1 },
    };
    store_must_commit(self, &command);
    assert_int_equal(command.fetch_turns.out_turns_count, 1);
    return command.fetch_turns.out_turns[0];
}

/* ---- filling ------------------------------------------------------------------------------- */

#define LIST_OF(array)                                                                             \
    {                                                                                              \
        (array), sizeof(array) / sizeof((array)[0])                                                \
    }

static void must_commit_turn(struct store_part *self, uint64_t registration,
                             const struct hf_turn_grant *grant,
                             const struct hf_turn_committed *turn)
{
    struct hf_store_command command = {
        .kind = HF_STORE_COMMIT_TURN,
        .commit_turn = { .token = grant->token, .registration = registration, .turn = turn },
    };
    store_must_commit(self, &command);
}

/* A turn that opens a session, schedules items in it and beside it, sets timers and starts a child.
 */
static void must_commit_rich_turn(struct store_part *self, uint64_t registration)
{
    struct hf_turn_grant grant = store_must_fetch_turn(self, registration);
    struct hf_turn_event events[10];
    for (size_t i = 0; i < HF_COUNT_OF(events); i++) {
        events[i] = (struct hf_turn_event){ .event_id = i + 2, .body = HF_SLICE("event body") };
    }
    struct hf_turn_session opened[] = {
        { .incarnation = 1, .id = HF_SLICE("s"), .tag = HF_SLICE("gpu") },
        { .incarnation = 2, .id = HF_SLICE("queued") },
    };
    struct hf_turn_item items[] = {
        { .event_id = 4, .incarnation = 1, .tag = HF_SLICE("gpu") },
        { .event_id = 5, .incarnation = 1, .tag = HF_SLICE("gpu") },
        { .event_id = 6 },
        { .event_id = 7, .tag = HF_SLICE("gpu") },
        { .event_id = 8 },
        { .event_id = 9, .incarnation = 2 }, /* stays queued */
    };
    struct hf_turn_timer timers[] = {
        { .event_id = 10,
          .due_unix_ms = self->seams.wall_unix_ms + 5000,
          .body = HF_SLICE("tick") },
    };
    struct hf_turn_child children[] = {
        { .event_id = 11,
          .id = HF_SLICE("child"),
          .orchestration = HF_SLICE("demo"),
          .body = HF_SLICE("start"),
          .lost_body = HF_SLICE("lost"),
          .orphan_body = HF_SLICE("orphan"),
          .deleted_body = HF_SLICE("deleted"),
          .clash_body = HF_SLICE("clash") },
    };
    struct hf_turn_value values[] = { { .event_id = 2, .key = HF_SLICE("k") } };
    struct hf_turn_committed turn = {
        .execution = grant.execution,
        .engine_version = grant.engine_version,
        .events = LIST_OF(events),
        .values = LIST_OF(values),
        .items = LIST_OF(items),
        .timers = LIST_OF(timers),
        .opened = LIST_OF(opened),
        .children = LIST_OF(children),
        .status_event = 3,
        .outcome = HF_OUTCOME_RUNNING,
    };
    must_commit_turn(self, registration, &grant, &turn);
}

static struct hf_store_fetch_items must_fetch_items(struct store_part *self, uint64_t registration,
                                                    size_t items_max)
{
    static const hf_slice tags[] = { HF_SLICE("gpu") };
    struct hf_store_command command = {
        .kind = HF_STORE_FETCH_ITEMS,
        .fetch_items = { .registration = registration,
                         .items_max = items_max,
                         .sessions_max = 4,
                         .tags = tags,
                         .tags_count = 1 },
    };
    store_must_commit(self, &command);
    assert_int_equal(command.fetch_items.out_items_count, items_max);
    return command.fetch_items;
}

static void must_complete(struct store_part *self, uint64_t registration,
                          const struct hf_item_grant *grant)
{
    struct hf_store_command command = {
        .kind = HF_STORE_COMPLETE_ITEM,
        .complete_item = { .token = grant->token,
                           .registration = registration,
                           .body = HF_SLICE("given up"),
                           .is_poison = true },
    };
    store_must_commit(self, &command);
}

static void must_abandon(struct store_part *self, uint64_t registration,
                         const struct hf_item_grant *grant, uint64_t delay_ms)
{
    struct hf_store_command command = {
        .kind = HF_STORE_ABANDON_ITEM,
        .abandon_item = { .token = grant->token,
                          .registration = registration,
                          .reason = HF_REASON_ABANDONED,
                          .delay_ms = delay_ms },
    };
    store_must_commit(self, &command);
}

/* An instance that is started and terminated. */
static void must_fill_ended(struct store_part *self)
{
    store_must_start(self, "ended");
    struct hf_store_command command = {
        .kind = HF_STORE_TERMINATE,
        .terminate = { .id = HF_SLICE("ended"), .body = HF_SLICE("bye") },
    };
    store_must_commit(self, &command);
}

/* An instance that is started and deleted. */
static void must_fill_deleted(struct store_part *self)
{
    store_must_start(self, "deleted");
    struct hf_store_command command = {
        .kind = HF_STORE_DELETE,
        .delete_instance = { .id = HF_SLICE("deleted"), .even_running = true },
    };
    store_must_commit(self, &command);
}

void store_must_fill(struct store_part *self)
{
    must_fill_ended(self);
    must_fill_deleted(self);
    store_must_start(self, "rich");
    uint64_t registration = store_must_register(self, "worker");
    must_commit_rich_turn(self, registration);
    struct hf_store_fetch_items fetched = must_fetch_items(self, registration, 4);
    must_complete(self, registration, &fetched.out_items[0]);
    must_abandon(self, registration, &fetched.out_items[3], 3000);
    uint64_t dying = store_must_register(self, "dying");
    must_fetch_items(self, dying, 1);
    struct hf_store_command end = {
        .kind = HF_STORE_END_REGISTRATION,
        .end_registration = { .registration = dying, .reason = HF_REASON_DEAD, .by = registration },
    };
    store_must_commit(self, &end);
    struct hf_store_command keyed = command_start("keyed");
    keyed.start.key = (hf_slice)HF_SLICE("key-1");
    store_must_commit(self, &keyed);
    struct hf_store_command message = command_message(self, "keyed", 200000);
    store_must_commit(self, &message);
    store_must_start(self, "waiting");
    store_must_fetch_turn(self, registration); /* one turn stays locked */
}

/* ---- proving ------------------------------------------------------------------------------- */

static void findings_report(void *context, const struct hf_verify_finding *finding)
{
    struct findings *self = context;
    if (self->first_message[0] != '\0') return;
    self->first_lsn = finding->lsn;
    snprintf(self->first_table, sizeof self->first_table, "%s",
             finding->table ? finding->table : "");
    snprintf(self->first_message, sizeof self->first_message, "%s", finding->message);
}

struct findings store_must_find(struct store_part *self)
{
    struct findings found;
    memset(&found, 0, sizeof found);
    hf_error error = { 0 };
    assert_ok(hf_store_verify(self->backend, &found.summary, &error, &found, findings_report),
              &error);
    assert_int_equal(found.summary.ok, found.summary.findings == 0);
    return found;
}

void store_must_verify(struct store_part *self)
{
    struct findings found = store_must_find(self);
    if (found.summary.findings == 0) return;
    fail_msg("verify found %llu differences; first: table \"%s\", LSN %llx: %s",
             (unsigned long long)found.summary.findings, found.first_table,
             (unsigned long long)found.first_lsn, found.first_message);
}

static uint64_t hash_slice(uint64_t hash, hf_slice slice)
{
    return XXH3_64bits_withSeed(slice.data, slice.size, hash + slice.size);
}

static hf_status hash_table(struct hf_tables *tables, enum hf_table table, uint64_t *hash,
                            hf_error *error)
{
    struct hf_table_cursor cursor;
    struct hf_table_row row;
    hf_status status = hf_table_cursor_init(&cursor, tables, table, error);
    if (status == HF_OK) status = hf_table_cursor_seek(&cursor, (hf_slice)HF_EMPTY, &row, error);
    while (status == HF_OK) {
        *hash = hash_slice(hash_slice(*hash, row.key), row.value);
        status = hf_table_cursor_next(&cursor, &row, error);
    }
    hf_table_cursor_release(&cursor);
    return status == HF_NOT_FOUND ? HF_OK : status;
}

uint64_t store_must_hash(struct store_part *self)
{
    struct hf__reader reader;
    hf_error error = { 0 };
    uint64_t hash = 0;
    assert_ok(hf__reader_begin(hf__store_of(self->backend), &self->arena, &reader, &error), &error);
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        enum hf_table_class table_class = hf_table_class(table);
        if (table_class == HF_TABLE_CLASS_SOFT) continue;
        hash = hash * 31 + table;
        assert_ok(hash_table(&reader.tables, table, &hash, &error), &error);
    }
    hf__reader_end(&reader);
    return hash;
}

bool store_row(struct store_part *self, enum hf_table table, size_t index,
               struct hf_table_row *out_row)
{
    struct hf__reader reader;
    struct hf_table_cursor cursor;
    struct hf_table_row row;
    hf_error error = { 0 };
    assert_ok(hf__reader_begin(hf__store_of(self->backend), &self->arena, &reader, &error), &error);
    assert_ok(hf_table_cursor_init(&cursor, &reader.tables, table, &error), &error);
    hf_status status = hf_table_cursor_seek(&cursor, (hf_slice)HF_EMPTY, &row, &error);
    for (size_t i = 0; i < index && status == HF_OK; i++) {
        status = hf_table_cursor_next(&cursor, &row, &error);
    }
    if (status == HF_OK) {
        out_row->key = hf_arena_copy(&self->arena, row.key);
        out_row->value = hf_arena_copy(&self->arena, row.value);
    }
    hf_table_cursor_release(&cursor);
    hf__reader_end(&reader);
    return status == HF_OK;
}

void store_must_tamper(struct store_part *self, enum hf_table table, hf_slice key, hf_slice value)
{
    struct hf__write write;
    hf_error error = { 0 };
    assert_ok(hf__write_begin(hf__store_of(self->backend), 0, &write, &error), &error);
    hf_status status = value.data ? hf_table_put(&write.tables, table, key, value, &error)
                                  : hf_table_delete(&write.tables, table, key, &error);
    if (status == HF_OK) {
        status = hf__write_commit(&write, &error);
    } else {
        hf__write_abort(&write);
    }
    assert_ok(status, &error);
}
