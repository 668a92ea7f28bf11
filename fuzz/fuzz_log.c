/* fuzz_log: any rows as a log: what a damaged disk, or an enemy, may leave in its table.
 *
 *   rows, each | how 1 | ... |
 *     how % 4 = 0   a row as it is: key size 1, key; value size 2, value
 *     how % 4 = 1   a record with good checksums: kind 1, flags 1, body size 2, body; next LSN
 *     how % 4 = 2   the same, one LSN further on
 *     how % 4 = 3   a byte of the row before is changed: place 2, by 1
 *
 * Records are sealed here, so that a mutation reaches the fold and not only the checksum. The log
 * is walked, what proves itself is folded, and the laws of the tables are audited: each ends well,
 * or with damage that has a message and the code of a law. */
#include <lmdb.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "fuzz/fuzz.h"
#include "indexes/audit.h"
#include "logstore/scan.h"
#include "logstore/scratch.h"

enum { ROWS_MAX = 512, KEY_MAX = 64, MAP_SIZE = 64 * 1024 * 1024 };

/* The input, from its front. */
struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t take(struct input *self)
{
    if (self->size == 0) return 0;
    self->size--;
    return *self->data++;
}

static size_t take_size(struct input *self)
{
    size_t low = take(self);
    return low | (size_t)take(self) << 8;
}

static hf_slice take_bytes(struct input *self, size_t size)
{
    if (size > self->size) size = self->size;
    hf_slice bytes = hf_bytes(self->data, size);
    self->data += size;
    self->size -= size;
    return bytes;
}

/* A log in the making, in the scratch environment that stands for a store. */
struct log {
    struct hf__scratch store, folded;
    struct hf_arena store_arena, folded_arena;
    struct hf_store_id id;
    uint64_t next_lsn;
    unsigned char key[KEY_MAX]; /* of the row before */
    size_t key_size;
    bool folds; /* nothing was refused yet */
};

static void fits(hf_status status)
{
    hf_assert(status == HF_OK || status == HF_INVALID || status == HF_CORRUPT ||
              status == HF_TOO_LARGE);
}

static void row_put(struct log *log, hf_slice key, hf_slice value)
{
    hf_error error = { 0 };
    if (key.size == 0 || key.size > KEY_MAX) return;
    memcpy(log->key, key.data, key.size);
    log->key_size = key.size;
    fits(hf_table_put(&log->store.tables, HF_TABLE_LOG, key, value, &error));
}

/* Appends a record that proves itself. */
static void record_put(struct log *log, struct input *input)
{
    hf_error error = { 0 };
    struct hf_log_record record = { .lsn = log->next_lsn++, .kind = take(input) };
    record.critical = take(input) % 2 == 0;
    record.body = take_bytes(input, take_size(input));
    fits(hf_log_append(&log->store.tables, &log->id, &record, &error));
}

static void row_change(struct log *log, struct input *input)
{
    unsigned char changed[256];
    hf_error error = { 0 };
    hf_slice value;
    size_t place = take_size(input);
    uint8_t by = take(input);
    hf_slice key = hf_bytes(log->key, log->key_size);
    if (log->key_size == 0) return;
    if (hf_table_get(&log->store.tables, HF_TABLE_LOG, key, &value, &error) != HF_OK) return;
    if (value.size > sizeof changed || place >= value.size) return;
    memcpy(changed, value.data, value.size);
    changed[place] ^= by;
    row_put(log, key, hf_bytes(changed, value.size));
}

static void rows_put(struct log *log, struct input *input)
{
    for (size_t i = 0; i < ROWS_MAX && input->size > 0; i++) {
        uint8_t how = take(input) % 4;
        if (how == 0) {
            hf_slice key = take_bytes(input, take(input));
            row_put(log, key, take_bytes(input, take_size(input)));
        } else if (how == 3) {
            row_change(log, input);
        } else {
            log->next_lsn += how == 2;
            record_put(log, input);
        }
    }
}

static hf_status visit(void *self, const struct hf_log_visit *visit)
{
    struct log *log = self;
    hf_error error = { 0 };
    if (visit->damage) {
        hf_assert(visit->damage->message[0] != '\0' && visit->damage->code[0] != '\0');
        log->folds = false;
        return HF_OK;
    }
    if (!log->folds) return HF_OK;
    hf_status status = hf__scratch_fold(&log->folded, &visit->record, &error);
    hf_assert(status == HF_OK || status == HF_CORRUPT);
    hf_assert(status == HF_OK || (error.message[0] != '\0' && error.code[0] != '\0'));
    log->folds = status == HF_OK;
    return HF_OK;
}

/* Walks, folds and audits. What the fold took whole keeps all laws. */
static void judge(struct log *log)
{
    hf_error error = { 0 };
    const struct hf__log_range range = { .tables = &log->store.tables,
                                         .id = &log->id,
                                         .end_lsn = log->next_lsn };
    log->folds = true;
    hf_status status = hf__log_walk(&range, &error, log, visit);
    hf_assert(status == HF_OK || status == HF_CORRUPT);
    hf_arena_reset(&log->folded_arena);
    status = hf_audit_indexes(&log->folded.tables, &error);
    hf_assert(status == HF_OK || (status == HF_CORRUPT && !log->folds));
}

/* Makes a scratch environment once; its tables are empty again at each begin. */
static void scratch_make(struct hf__scratch *scratch, struct hf_arena *arena)
{
    hf_error error = { 0 };
    hf_arena_init(arena, hf_heap_default());
    if (!scratch->env) {
        hf_assert(hf__scratch_open(scratch, MAP_SIZE, arena, &error) == HF_OK);
        hf_assert(mdb_txn_commit(scratch->txn) == 0);
    }
    hf_assert(mdb_txn_begin(scratch->env, NULL, 0, &scratch->txn) == 0);
    scratch->tables.txn = scratch->txn;
    scratch->tables.arena = arena;
    scratch->records_count = 0;
}

static void scratch_empty(struct hf__scratch *scratch, struct hf_arena *arena)
{
    mdb_txn_abort(scratch->txn);
    hf_arena_release(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct log log;
    struct input input = { data, size };
    log.next_lsn = 1;
    log.key_size = 0;
    scratch_make(&log.store, &log.store_arena);
    scratch_make(&log.folded, &log.folded_arena);
    rows_put(&log, &input);
    judge(&log);
    scratch_empty(&log.store, &log.store_arena);
    scratch_empty(&log.folded, &log.folded_arena);
    return 0;
}
