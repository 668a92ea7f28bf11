/* The store of a simulation, and all that it sees of the world. Nothing here knows what workers and
 * clients want. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/heap.h"
#include "indexes/audit.h"
#include "logstore/inspect.h"
#include "logstore/store_internal.h"
#include "tests/sim/sim.h"

#define MAP_SIZE_LARGE (UINT64_C(1) << 28)

/* ---- saying what happened -------------------------------------------------------------------- */

void sim_note(struct sim *sim, const char *format, ...)
{
    char *line = sim->trace[sim->trace_count++ % SIM_TRACE_LINES];
    va_list arguments;
    va_start(arguments, format);
    int size = snprintf(line, SIM_TRACE_SIZE, "%6llu  ", (unsigned long long)sim->step);
    hf_assert(size > 0 && size < SIM_TRACE_SIZE);
    (void)vsnprintf(line + size, SIM_TRACE_SIZE - (size_t)size, format, arguments);
    va_end(arguments);
    if (sim->options->is_traced) (void)printf("%s\n", line);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    uint64_t first = sim->trace_count > SIM_TRACE_LINES ? sim->trace_count - SIM_TRACE_LINES : 0;
    for (uint64_t i = first; i < sim->trace_count; i++) {
        (void)fprintf(stderr, "%s\n", sim->trace[i % SIM_TRACE_LINES]);
    }
    (void)fprintf(stderr,
                  "holdfast-sim --seed %llu   step %llu: ", (unsigned long long)sim->options->seed,
                  (unsigned long long)sim->step);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\n");
    longjmp(sim->failed, 1);
}

/* ---- the seams ------------------------------------------------------------------------------- */

static uint64_t clock_boot_ms(void *self)
{
    return ((struct sim *)self)->boot_ms;
}

static uint64_t clock_wall_unix_ms(void *self)
{
    return ((struct sim *)self)->wall_ms;
}

static void seam_random(void *self, void *bytes, size_t size)
{
    struct sim *sim = self;
    unsigned char *to = bytes;
    for (size_t i = 0; i < size; i++) to[i] = (unsigned char)hf_test_random_bits(&sim->random);
}

static bool seam_is_alive(void *self, hf_slice life)
{
    return sim_life_is_alive(self, life);
}

static int seam_fault(void *self, enum hf_fault_point point)
{
    struct sim *sim = self;
    if (!sim->may_fault || sim->fault_after == 0 || point != sim->fault_point) return 0;
    if (--sim->fault_after > 0) return 0;
    sim->fault_has_struck = true;
    sim->result.faults++;
    if (sim->fault_repeats > 0) {
        sim->fault_repeats--;
        sim->fault_after = 1;
    }
    return sim->fault_code;
}

void sim_fault_arm(struct sim *sim)
{
    enum { MAP_FULL = -30792 }; /* LMDB's MDB_MAP_FULL */
    static const enum hf_fault_point points[] = { HF_FAULT_TXN_BEGIN,    HF_FAULT_PUT,
                                                  HF_FAULT_DELETE,       HF_FAULT_COMMIT_BEFORE,
                                                  HF_FAULT_COMMIT_AFTER, HF_FAULT_READ };
    static const int codes[] = { EIO, ENOSPC, MAP_FULL };
    sim->fault_point = points[hf_test_random_below(&sim->random, HF_COUNT_OF(points))];
    sim->fault_code = codes[hf_test_random_below(&sim->random, HF_COUNT_OF(codes))];
    bool is_of_rows = sim->fault_point == HF_FAULT_PUT || sim->fault_point == HF_FAULT_DELETE ||
                      sim->fault_point == HF_FAULT_READ;
    sim->fault_after = hf_test_random_from(&sim->random, 1, is_of_rows ? 12 : 2);
    sim->fault_repeats = hf_test_random_percent(&sim->random, 30)
                             ? (uint32_t)hf_test_random_from(&sim->random, 1, 20)
                             : 0;
    sim_note(sim, "fault %d after %llu", (int)sim->fault_point,
             (unsigned long long)sim->fault_after);
}

/* ---- open and close -------------------------------------------------------------------------- */

static void backend_open(struct sim *sim)
{
    hf_error error;
    struct hf_backend_options options = { .durability = HF_DURABLE_NONE,
                                          .map_size_max = sim->is_draining ? MAP_SIZE_LARGE
                                                                           : sim->draw.map_size,
                                          .preallocate_size = 1,
                                          .seams = &sim->seams };
    hf_status status = hf_backend_open(sim->directory.path, &options, &sim->backend, &error);
    sim_check(sim, status == HF_OK, "the store does not open: %s", error.message);
}

static void engine_open(struct sim *sim)
{
    sim->registry = hf_registry_new();
    program_register(sim->registry);
    hf_fiber_pool_init(&sim->fibers, NULL);
    sim->engine = (struct hf_execution_options){ .heap = hf_heap_default(),
                                                 .fibers = &sim->fibers,
                                                 .registry = sim->registry,
                                                 .sessions_supported = true,
                                                 .sessions_max = 16,
                                                 .payload_size_max = 1024 * 1024,
                                                 .kv_keys_max = 100,
                                                 .kv_value_size_max = 16 * 1024,
                                                 .random = seam_random,
                                                 .random_self = sim };
}

void sim_open(struct sim *sim)
{
    hf_arena_init(&sim->arena, hf_heap_default());
    sim->clock = (hf_clock){ .size = sizeof(hf_clock),
                             .self = sim,
                             .boot_ms = clock_boot_ms,
                             .wall_unix_ms = clock_wall_unix_ms };
    sim->seams = (struct hf_seams){ .allocator = hf_heap_default(),
                                    .clock = &sim->clock,
                                    .self = sim,
                                    .random = seam_random,
                                    .is_alive = seam_is_alive,
                                    .boot_id = hf_text(sim->boot_id),
                                    .fault = seam_fault };
    engine_open(sim);
    hf_test_directory_make(&sim->directory);
    backend_open(sim);
}

void sim_close(struct sim *sim)
{
    for (size_t i = 0; i < SIM_WORKERS_MAX; i++) {
        struct sim_worker *worker = &sim->workers[i];
        for (size_t k = 0; k < SIM_TURNS_MAX; k++) {
            sim_turn_release(&worker->turns[k]);
            hf_arena_release(&worker->turns[k].arena);
        }
        sim_live_evict(worker);
    }
    if (sim->backend) sim->backend->ops->close(sim->backend);
    sim->backend = NULL;
    hf_fiber_pool_release(&sim->fibers);
    hf_registry_free(sim->registry);
    hf_test_directory_remove(&sim->directory);
    hf_arena_release(&sim->arena);
}

/* The data file becomes another one with the same bytes, as by a restored backup. */
static void data_copy(struct sim *sim)
{
    char from[300], to[300], bytes[16 * 1024];
    hf_test_directory_join(&sim->directory, "data.mdb", from, sizeof from);
    hf_test_directory_join(&sim->directory, "copy.mdb", to, sizeof to);
    FILE *source = fopen(from, "rb"), *target = fopen(to, "wb");
    sim_check(sim, source && target, "the data cannot be copied");
    size_t size = 0;
    while ((size = fread(bytes, 1, sizeof bytes, source)) > 0) {
        sim_check(sim, fwrite(bytes, 1, size, target) == size, "the data cannot be copied");
    }
    (void)fclose(source);
    bool is_whole = fclose(target) == 0 && rename(to, from) == 0 && chmod(from, 0600) == 0;
    sim_check(sim, is_whole, "the data cannot be copied");
}

void sim_reopen(struct sim *sim, enum sim_between between)
{
    hf_error error;
    sim->backend->ops->close(sim->backend);
    sim->backend = NULL;
    sim->fault_after = 0;
    sim->seams.boot_id = hf_text(sim->boot_id);
    if (between == SIM_IS_COPIED) data_copy(sim);
    if (between == SIM_IS_REBUILT) {
        hf_status status = hf_store_rebuild(sim->directory.path, &sim->seams, &error);
        sim_check(sim, status == HF_OK, "the rebuild failed: %s", error.message);
    }
    backend_open(sim);
}

/* ---- groups ---------------------------------------------------------------------------------- */

struct sim_act *sim_act_add(struct sim *sim, enum hf_store_command_kind kind)
{
    struct sim_group *group = &sim->group;
    hf_assert(group->count < SIM_GROUP_MAX);
    struct sim_act *act = &group->acts[group->count++];
    *act = (struct sim_act){ .instance = SIM_NONE, .keyed = SIM_NONE };
    act->command.kind = kind;
    act->command.arena = &sim->arena;
    return act;
}

void sim_peek(struct sim *sim, struct sim_act *act)
{
    hf_error error;
    hf_status status = sim->backend->ops->peek(sim->backend, &act->peek, &error);
    act->has_peeked = status == HF_OK;
    sim_check(sim, status == HF_OK || status == HF_STALE, "peek: %s", error.message);
}

static void group_more(void *self, struct hf_batch *batch)
{
    struct sim *sim = self;
    batch->count = sim->group.count;
}

/* What the answers were, for the digest. */
static void digest_add(struct sim *sim, uint64_t value)
{
    sim->result.digest = (sim->result.digest ^ value) * UINT64_C(0x100000001b3);
    sim->result.digest ^= sim->result.digest >> 29;
}

/* An answer that no state of the store explains. */
static bool is_trouble(const struct hf_store_command *command)
{
    hf_status status = command->status;
    if (status == HF_BUSY) return command->kind != HF_STORE_RESTART;
    return status == HF_IO || status == HF_DISK_FULL || status == HF_CORRUPT ||
           status == HF_NO_MEMORY || status == HF_STORE_FAILED || status == HF_UNKNOWN;
}

/* A refusal is an expected answer; trouble needs a fault, or a map that is full. */
static void answer_judge(struct sim *sim, const struct sim_act *act)
{
    const struct hf_store_command *command = &act->command;
    hf_status status = command->status;
    bool is_full = status == HF_DISK_FULL && sim->draw.map_size < MAP_SIZE_LARGE;
    bool is_explained = is_full || sim->fault_has_struck || !is_trouble(command);
    if (is_full) sim->result.fulls++;
    sim_check(sim, is_explained, "command %d: %s without a fault: %s", (int)command->kind,
              hf_status_name(status), command->error.message);
    sim_check(sim, status == HF_OK || command->lsn == 0, "a refused command names a record");
    sim_check(sim, command->lsn == 0 || command->lsn > sim->shadow.latest_lsn,
              "record %llu is not behind record %llu", (unsigned long long)command->lsn,
              (unsigned long long)sim->shadow.latest_lsn);
    if (command->lsn) sim->shadow.latest_lsn = command->lsn;
    sim->result.commands++;
    if (status != HF_OK) sim->result.refusals++;
    digest_add(sim, (uint64_t)command->kind << 32 | (uint32_t)status);
    digest_add(sim, command->lsn);
}

static void group_run(struct sim *sim)
{
    hf_error error = { 0 };
    struct sim_group *group = &sim->group;
    struct hf_store_command *commands[SIM_GROUP_MAX];
    for (size_t i = 0; i < group->count; i++) commands[i] = &group->acts[i].command;
    struct hf_batch batch = { .commands = commands, .count = group->count - group->more_count };
    if (group->more_count > 0) batch.more = group_more;
    batch.self = sim;
    sim->may_fault = true;
    hf_status status = sim->backend->ops->commit(sim->backend, &batch, &error);
    sim->may_fault = false;
    sim->effects = batch.effects;
    group->count = batch.count; /* what was to be added is left when the first try has failed */
    sim_check(sim, status == HF_OK, "the store has failed: %s", error.message);
}

/* A group in which all was refused has left no trace. */
static void group_check_traceless(struct sim *sim, uint64_t lsn, uint64_t fingerprint)
{
    const struct sim_group *group = &sim->group;
    for (size_t i = 0; i < group->count; i++) {
        if (group->acts[i].command.status == HF_OK) return;
    }
    sim_check(sim, sim_next_lsn(sim) == lsn, "refused commands have made a record");
    if (!sim->options->is_thorough) return;
    sim_check(sim, sim_fingerprint(sim) == fingerprint, "refused commands have changed a row");
}

void sim_group_commit(struct sim *sim)
{
    struct sim_group *group = &sim->group;
    if (group->count == 0) return;
    sim->fault_has_struck = false;
    sim->effects_needed = 0;
    uint64_t lsn = sim_next_lsn(sim);
    uint64_t fingerprint = sim->options->is_thorough ? sim_fingerprint(sim) : 0;
    group_run(sim);
    for (size_t i = 0; i < group->count; i++) {
        answer_judge(sim, &group->acts[i]);
        sim_shadow_answer(sim, &group->acts[i]);
    }
    sim_check(sim, (sim->effects & sim->effects_needed) == sim->effects_needed,
              "effects %x where %x are needed", (unsigned)sim->effects,
              (unsigned)sim->effects_needed);
    group_check_traceless(sim, lsn, fingerprint);
    for (size_t i = 0; i < group->count; i++) {
        if (group->acts[i].worker) sim_worker_learn(sim, &group->acts[i]);
    }
    group->count = group->more_count = 0;
}

/* ---- looking at the whole -------------------------------------------------------------------- */

static uint64_t hash_add(uint64_t hash, hf_slice bytes)
{
    hash = (hash ^ bytes.size) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < bytes.size; i++) {
        hash = (hash ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* A read transaction over the tables, with rows in an arena of its own. */
struct look {
    struct hf__reader reader;
    struct hf_arena arena;
};

static void look_begin(struct sim *sim, struct look *self)
{
    hf_error error;
    hf_arena_init(&self->arena, hf_heap_default());
    hf_status status = hf__reader_begin(hf__store_of(sim->backend), &self->arena, &self->reader,
                                        &error);
    sim_check(sim, status == HF_OK, "a read cannot begin: %s", error.message);
}

static void look_end(struct look *self)
{
    hf__reader_end(&self->reader);
    hf_arena_release(&self->arena);
}

static uint64_t table_hash(struct look *look, enum hf_table table, uint64_t hash)
{
    hf_error error;
    struct hf_table_cursor cursor;
    struct hf_table_row row;
    hf_status status = hf_table_cursor_init(&cursor, &look->reader.tables, table, &error);
    if (status == HF_OK) status = hf_table_cursor_seek(&cursor, (hf_slice)HF_EMPTY, &row, &error);
    while (status == HF_OK) {
        hash = hash_add(hash_add(hash, row.key), row.value);
        status = hf_table_cursor_next(&cursor, &row, &error);
    }
    hf_table_cursor_release(&cursor);
    hf_assert(status == HF_NOT_FOUND);
    return hash_add(hash, hf_text(hf_table_name(table)));
}

uint64_t sim_fingerprint(struct sim *sim)
{
    struct look look;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    look_begin(sim, &look);
    for (int table = 0; table < HF_TABLE_COUNT; table++) {
        /* The one names the file's inode, the other the handle. */
        if (table == HF_TABLE_META || table == HF_TABLE_WRITERS) continue;
        hash = table_hash(&look, (enum hf_table)table, hash);
    }
    look_end(&look);
    return hash;
}

void sim_audit(struct sim *sim)
{
    hf_error error;
    struct look look;
    look_begin(sim, &look);
    hf_status status = hf_audit_indexes(&look.reader.tables, &error);
    look_end(&look);
    sim_check(sim, status == HF_OK, "audit: law %s: %s", error.code, error.message);
}

static void verify_report(void *self, const struct hf_verify_finding *finding)
{
    sim_note(self, "verify: law %s, table %s, lsn %llu: %s", finding->law,
             finding->table ? finding->table : "-", (unsigned long long)finding->lsn,
             finding->message);
}

void sim_verify(struct sim *sim)
{
    hf_error error;
    struct hf_verify_summary summary;
    hf_status status = hf_store_verify(sim->backend, &summary, &error, sim, verify_report);
    sim_check(sim, status == HF_OK, "verify: %s", error.message);
    sim_check(sim, summary.ok, "the indexes are not the fold of the log");
}

uint64_t sim_next_lsn(struct sim *sim)
{
    hf_error error;
    uint64_t lsn = 0;
    struct look look;
    look_begin(sim, &look);
    hf_status status = hf_meta_get_number(&look.reader.tables, "next_lsn", &lsn, &error);
    look_end(&look);
    sim_check(sim, status == HF_OK, "next_lsn: %s", error.message);
    return lsn;
}

void sim_check_empty(struct sim *sim)
{
    static const enum hf_table tables[] = {
        HF_TABLE_INSTANCES,
        HF_TABLE_INSTANCE_IDS,
        HF_TABLE_HISTORY,
        HF_TABLE_INBOX,
        HF_TABLE_TURNS_DUE,
        HF_TABLE_ITEMS,
        HF_TABLE_ITEMS_READY,
        HF_TABLE_ITEMS_RUNNING,
        HF_TABLE_SESSIONS,
        HF_TABLE_SESSION_ITEMS,
        HF_TABLE_SESSIONS_READY,
        HF_TABLE_SESSIONS_OWNED,
        HF_TABLE_TIMERS,
        HF_TABLE_TIMERS_BY_ID,
        HF_TABLE_CHILDREN,
        HF_TABLE_RECLAIM,
        HF_TABLE_KV,
        HF_TABLE_DEAD_LETTERS,
        HF_TABLE_FAMILIES,
        HF_TABLE_TURN_LOCKS,
        HF_TABLE_TURN_LOCKS_OWNED,
        HF_TABLE_TURNS_HELD,
        HF_TABLE_PROGRESS,
    };
    struct look look;
    look_begin(sim, &look);
    for (size_t i = 0; i < HF_COUNT_OF(tables); i++) {
        hf_error error;
        uint64_t count = 0;
        hf_status status = hf_table_count(&look.reader.tables, tables[i], &count, &error);
        if (status == HF_OK && count == 0) continue;
        look_end(&look);
        sim_fail(sim, "all instances are deleted, and %s has %llu rows", hf_table_name(tables[i]),
                 (unsigned long long)count);
    }
    look_end(&look);
}
