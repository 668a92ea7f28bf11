/* The store under the suite: LMDB. */
#include "tests/conformance/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/heap.h"
#include "logstore/env.h"
#include "logstore/inspect.h"
#include "logstore/store_internal.h"

/* ---- proofs --------------------------------------------------------------------------------- */

static void report(void *self, const struct hf_verify_finding *finding)
{
    (void)self;
    print_error("verify: law %s, table %s, lsn %llu: %s\n", finding->law,
                finding->table ? finding->table : "-", (unsigned long long)finding->lsn,
                finding->message);
}

void subject_verify(struct hf_backend *backend)
{
    struct hf_verify_summary summary;
    hf_error error = { 0 };
    assert_ok(hf_store_verify(backend, &summary, &error, NULL, report), &error);
    assert_true(summary.ok);
}

bool subject_is_whole(struct hf_backend *backend)
{
    struct hf_verify_summary summary;
    hf_error error = { 0 };
    assert_ok(hf_store_verify(backend, &summary, &error, NULL, NULL), &error);
    return summary.ok;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* A read transaction with an arena of its own. */
struct look {
    struct hf_arena arena;
    struct hf__reader reader;
    hf_error error;
};

static void look_begin(struct look *look, struct hf_backend *backend)
{
    memset(look, 0, sizeof *look);
    hf_arena_init(&look->arena, hf_heap_default());
    assert_ok(hf__reader_begin(hf__store_of(backend), &look->arena, &look->reader, &look->error),
              &look->error);
}

static void look_end(struct look *look)
{
    hf__reader_end(&look->reader);
    hf_arena_release(&look->arena);
}

static uint64_t hash_add(uint64_t hash, hf_slice bytes)
{
    hash = (hash ^ bytes.size) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < bytes.size; i++) {
        hash = (hash ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t table_hash(struct look *look, enum hf_table table, uint64_t hash)
{
    struct hf_table_cursor cursor;
    struct hf_table_row row;
    struct hf_tables *tables = &look->reader.tables;
    assert_ok(hf_table_cursor_init(&cursor, tables, table, &look->error), &look->error);
    hf_status status = hf_table_cursor_seek(&cursor, (hf_slice)HF_EMPTY, &row, &look->error);
    while (status == HF_OK) {
        bool is_place = table == HF_TABLE_META && hf_slice_equal(row.key, hf_text("data_file"));
        if (!is_place) hash = hash_add(hash_add(hash, row.key), row.value);
        status = hf_table_cursor_next(&cursor, &row, &look->error);
    }
    hf_table_cursor_release(&cursor);
    assert_status(status, HF_NOT_FOUND);
    return hash_add(hash, hf_text(hf_table_name(table)));
}

uint64_t subject_fingerprint(struct hf_backend *backend)
{
    struct look look;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    look_begin(&look, backend);
    for (int table = 0; table < HF_TABLE_COUNT; table++) {
        if (table == HF_TABLE_WRITERS) continue;
        hash = table_hash(&look, (enum hf_table)table, hash);
    }
    look_end(&look);
    return hash;
}

static enum hf_table table_of(const char *name)
{
    for (int table = 0; table < HF_TABLE_COUNT; table++) {
        if (strcmp(hf_table_name((enum hf_table)table), name) == 0) return (enum hf_table)table;
    }
    fail_msg("there is no table \"%s\"", name);
    return HF_TABLE_COUNT;
}

uint64_t subject_rows_count(struct hf_backend *backend, const char *table)
{
    struct look look;
    uint64_t count = 0;
    look_begin(&look, backend);
    assert_ok(hf_table_count(&look.reader.tables, table_of(table), &count, &look.error),
              &look.error);
    look_end(&look);
    return count;
}

void subject_lose_row(struct hf_backend *backend, const char *table)
{
    struct hf__write write;
    struct hf_table_cursor cursor;
    struct hf_table_row row;
    hf_error error = { 0 };
    assert_ok(hf__write_begin(hf__store_of(backend), 0, &write, &error), &error);
    assert_ok(hf_table_cursor_init(&cursor, &write.tables, table_of(table), &error), &error);
    assert_ok(hf_table_cursor_seek(&cursor, (hf_slice)HF_EMPTY, &row, &error), &error);
    row.key = hf_arena_copy(write.tables.arena, row.key);
    hf_table_cursor_release(&cursor);
    assert_ok(hf_table_delete(&write.tables, table_of(table), row.key, &error), &error);
    assert_ok(hf__write_commit(&write, &error), &error);
}

/* ---- the log -------------------------------------------------------------------------------- */

uint64_t subject_next_lsn(struct hf_backend *backend)
{
    struct hf_store_facts facts;
    hf_error error = { 0 };
    assert_ok(hf_store_facts_read(backend, &facts, &error), &error);
    return facts.next_lsn;
}

/* The latest record of a kind that a scan has met. */
struct latest {
    enum hf_record_kind kind;
    struct hf_arena *arena;
    hf_slice body;
    bool is_found;
};

static hf_status latest_visit(void *self, const struct hf_log_visit *visit)
{
    struct latest *latest = self;
    if (visit->damage || visit->record.kind != (uint64_t)latest->kind) return HF_OK;
    latest->body = hf_arena_copy(latest->arena, visit->record.body);
    latest->is_found = true;
    return HF_OK;
}

hf_slice subject_latest(struct hf_backend *backend, enum hf_record_kind kind,
                        struct hf_arena *arena)
{
    struct latest latest = { .kind = kind, .arena = arena };
    hf_error error = { 0 };
    assert_ok(hf_log_scan(backend, 1, &error, &latest, latest_visit), &error);
    assert_true(latest.is_found);
    return latest.body;
}

/* ---- what happens to a closed store ---------------------------------------------------------- */

void subject_rebuild(const char *directory, const struct hf_seams *seams)
{
    hf_error error = { 0 };
    assert_ok(hf_store_rebuild(directory, seams, &error), &error);
}

static FILE *data_open(const char *directory, const char *mode)
{
    char path[300];
    int size = snprintf(path, sizeof path, "%s/data.mdb", directory);
    assert_in_range(size, 1, sizeof path - 1);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

/* The data file in memory. Returns owned: free. */
static char *data_read(const char *directory, size_t *out_size)
{
    FILE *file = data_open(directory, "rb");
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    char *bytes = malloc((size_t)size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, file), (size_t)size);
    assert_int_equal(fclose(file), 0);
    *out_size = (size_t)size;
    return bytes;
}

static void data_write(const char *directory, const char *bytes, size_t size)
{
    FILE *file = data_open(directory, "wb");
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

void subject_copy(const char *directory, const char *copy)
{
    size_t size;
    char *bytes = data_read(directory, &size);
    data_write(copy, bytes, size);
    free(bytes);
}

void subject_damage(const char *directory, const char *text)
{
    size_t size, found_count = 0, text_size = strlen(text);
    char *bytes = data_read(directory, &size);
    for (size_t i = 0; i + text_size <= size; i++) {
        if (memcmp(bytes + i, text, text_size) != 0) continue;
        bytes[i] ^= 1;
        found_count++;
    }
    assert_true(found_count > 0);
    data_write(directory, bytes, size);
    free(bytes);
}
