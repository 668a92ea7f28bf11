/* docs/format.md against a store on disk: the bytes of its rows, record parts and refs are taken
 * apart as the page says, not by the code that reads them, and its directory holds what the page
 * names. Layouts are in test_format.c, numbers in test_format_numbers.c. */
#include "tests/docs/filled_store.h"
#include "tests/docs/page.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "engine/base/slice.h"
#include "indexes/rows_internal.h"
#include "logstore/store_internal.h"
#include "runtime/life.h"
#include "runtime/ring.h"

enum { WRITER_FILE_SIZE = 4096, PATH_SIZE = 512, NAMES_MAX = 8 };

struct fixture {
    struct page *page;
    struct filled_store *store;
    struct hf_arena arena;
    struct hf__reader reader; /* of a transaction that lasts for all cases */
};

static int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->page = page_read("format.md");
    fixture->store = filled_store_new();
    hf_arena_init(&fixture->arena, hf_heap_default());
    hf_error error = { 0 };
    assert_ok(hf__reader_begin(hf__store_of(fixture->store->backend), &fixture->arena,
                               &fixture->reader, &error),
              &error);
    *state = fixture;
    return 0;
}

static int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    if (!fixture) return 0; /* the setup has failed */
    hf__reader_end(&fixture->reader);
    hf_arena_release(&fixture->arena);
    filled_store_free(fixture->store);
    page_free(fixture->page);
    free(fixture);
    return 0;
}

/* ---- walking -------------------------------------------------------------------------------- */

/* Calls each for every row of a table. Returns how many there are. */
static size_t rows_walk(struct fixture *fixture, enum hf_table table,
                        void (*each)(struct fixture *fixture, enum hf_table table,
                                     const struct hf_table_row *row))
{
    struct hf_table_cursor cursor;
    struct hf_table_row row;
    size_t count = 0;
    hf_error error = { 0 };
    assert_ok(hf_table_cursor_init(&cursor, &fixture->reader.tables, table, &error), &error);
    hf_status status = hf_table_cursor_seek(&cursor, (hf_slice)HF_EMPTY, &row, &error);
    for (; status == HF_OK; count++) {
        each(fixture, table, &row);
        status = hf_table_cursor_next(&cursor, &row, &error);
    }
    assert_status(status, HF_NOT_FOUND);
    hf_table_cursor_release(&cursor);
    return count;
}

/* ---- keys and rows -------------------------------------------------------------------------- */

/* How many bytes a list like "kind 1, [ref 20]" allows. */
struct width {
    size_t size;          /* of what must be there */
    size_t optional_size; /* of what may be missing */
    bool is_open;         /* a part without a number: any bytes, or "[..]": none */
};

static struct width width_of(const char *list)
{
    struct width width = { 0, 0, false };
    char part[PAGE_PART_SIZE];
    if (strcmp(list, "empty") == 0) return width;
    while (page_part(&list, part)) {
        size_t size = page_part_bytes(part);
        if (size == 0) {
            width.is_open = true;
            if (part[0] != '[') width.size++;
        } else if (part[0] == '[') {
            width.optional_size += size;
        } else {
            width.size += size;
        }
    }
    return width;
}

static bool width_fits(const char *list, size_t size)
{
    struct width width = width_of(list);
    if (width.is_open) return size >= width.size;
    return size == width.size || size == width.size + width.optional_size;
}

static const struct hf_layout *row_layout(const char *name)
{
    const struct hf_layout *layouts[] = {
        &hf__row_instance_layout,    &hf__row_item_layout,
        &hf__row_session_layout,     &hf__row_registration_layout,
        &hf__row_dead_letter_layout, hf_record_layout(HF_RECORD_STORE_CREATED)
    };
    for (size_t i = 0; i < HF_COUNT_OF(layouts); i++) {
        if (strcmp(layouts[i]->name, name) == 0) return layouts[i];
    }
    return NULL;
}

/* Whether a row's bytes are what the page says of them: a map, or numbers of those widths. */
static bool row_fits(struct fixture *fixture, const char *told, hf_slice value)
{
    union {
        struct hf_row_instance instance;
        struct hf_row_item item;
        struct hf_row_session session;
        struct hf_row_registration registration;
        struct hf_row_dead_letter dead_letter;
        struct hf_store_created store_created;
    } decoded;
    const struct hf_layout *layout = row_layout(told);
    if (!layout) return width_fits(told, value.size);
    assert_true(layout->size <= sizeof decoded);
    return hf_decode(layout, value, &fixture->arena, &decoded, NULL) == HF_OK;
}

static void row_check(struct fixture *fixture, enum hf_table table, const struct hf_table_row *row)
{
    const char *name = hf_table_name(table);
    const struct page_table *told = page_table(fixture->page, "Tables and their keys", 0);
    size_t place = 0;
    assert_true(page_row(told, "table", name, &place));
    const char *key = page_cell(told, place, "key");
    const char *value = page_cell(told, place, "row");
    if (!width_fits(key, row->key.size)) {
        page_differs(fixture->page, "%s: a key of %zu bytes is not \"%s\"", name, row->key.size,
                     key);
    }
    if (table != HF_TABLE_META && !row_fits(fixture, value, row->value)) {
        page_differs(fixture->page, "%s: a row of %zu bytes is not \"%s\"", name, row->value.size,
                     value);
    }
}

/* Every row of every table, and none is without, has a key and a value as the page describes them.
 */
static void test_rows_are_as_told(void **state)
{
    struct fixture *fixture = *state;
    for (enum hf_table table = 0; table < HF_TABLE_COUNT; table++) {
        size_t count = rows_walk(fixture, table, row_check);
        if (count == 0) fail_msg("the store has no row in table %s", hf_table_name(table));
    }
    page_assert_same(fixture->page);
}

static void meta_row_check(struct fixture *fixture, enum hf_table table,
                           const struct hf_table_row *row)
{
    char name[PAGE_PART_SIZE];
    size_t place = 0;
    const struct page_table *told = page_table(fixture->page, "Rows of meta", 0);
    assert_int_equal(table, HF_TABLE_META);
    snprintf(name, sizeof name, HF_FMT, HF_ARG(row->key));
    if (!page_row(told, "key", name, &place)) {
        page_differs(fixture->page, "meta: the row %s is not on the page", name);
    } else if (!row_fits(fixture, page_cell(told, place, "row"), row->value)) {
        page_differs(fixture->page, "meta: %s has %zu bytes", name, row->value.size);
    }
}

/* Meta holds the rows that the page names, and no others. */
static void test_meta_is_as_told(void **state)
{
    struct fixture *fixture = *state;
    size_t count = rows_walk(fixture, HF_TABLE_META, meta_row_check);
    page_expect_rows(fixture->page, page_table(fixture->page, "Rows of meta", 0), count);
    page_assert_same(fixture->page);
}

/* ---- record parts and refs ------------------------------------------------------------------ */

/* Fails the test unless the fields of a table of offsets follow on from 0 without a gap; the last
 * one may have no size, or that of another field. */
static void offsets_check(const struct page_table *table)
{
    uint64_t end = 0;
    for (size_t row = 0; row < table->rows_count; row++) {
        assert_int_equal(page_number(table, row, "offset"), end);
        if (row + 1 < table->rows_count) end += page_number(table, row, "size");
    }
}

/* Where the page's table of offsets has `field` in bytes, and how long it is there. */
static hf_slice field_place(const struct page_table *table, const char *field, const char *bytes)
{
    size_t row = 0;
    if (!page_row(table, "field", field, &row)) fail_msg("%s: no %s", table->heading, field);
    return hf_bytes(bytes + page_number(table, row, "offset"),
                    (size_t)page_number(table, row, "size"));
}

/* The number there, least significant byte first. */
static uint64_t field_read(const struct page_table *table, const char *field, const char *bytes)
{
    hf_slice place = field_place(table, field, bytes);
    uint64_t number = 0;
    for (size_t i = place.size; i > 0; i--) {
        number = number << 8 | (unsigned char)place.data[i - 1];
    }
    return number;
}

/* The number there, in the order of this machine. */
static uint64_t field_read_own(const struct page_table *table, const char *field, const char *bytes)
{
    hf_slice place = field_place(table, field, bytes);
    uint64_t number = 0;
    uint32_t half = 0;
    if (place.size == sizeof number) {
        memcpy(&number, place.data, sizeof number);
        return number;
    }
    assert_int_equal(place.size, sizeof half);
    memcpy(&half, place.data, sizeof half);
    return half;
}

/* The checksum of a part as the page tells it. */
static uint64_t checksum_of(const struct hf_store_id *id, const struct hf_table_row *row)
{
    char seed_bytes[16 + 10 + 16];
    assert_int_equal(row->key.size, 10);
    memcpy(seed_bytes, id->bytes, 16);
    memcpy(seed_bytes + 16, row->key.data, 10);
    memcpy(seed_bytes + 26, row->value.data, 16);
    uint64_t seed = XXH3_64bits(seed_bytes, sizeof seed_bytes);
    return XXH3_64bits_withSeed(row->value.data + 24, row->value.size - 24, seed);
}

static void part_check(struct fixture *fixture, enum hf_table table, const struct hf_table_row *row)
{
    enum { CRITICAL = 1, LAST = 2 };
    const struct page_table *header = page_table(fixture->page, "Part header", 0);
    const struct hf_store_id *id = &fixture->reader.store->identity.id;
    const char *bytes = row->value.data;
    struct hf_log_place place;
    assert_int_equal(table, HF_TABLE_LOG);
    assert_true(hf_key_read_log(row->key, &place));
    assert_true(row->value.size >= 24);
    uint64_t kind = field_read(header, "kind", bytes);
    bool has_next = place.lsn == fixture->store->longest_lsn && place.part == 0;
    assert_int_equal(field_read(header, "format", bytes), HF_LOG_FORMAT);
    assert_int_equal(field_read(header, "flags", bytes), has_next ? CRITICAL : CRITICAL | LAST);
    assert_true(kind >= 1 && kind <= HF_RECORD_KIND_MAX);
    assert_int_equal(field_read(header, "size", bytes), row->value.size - 24);
    assert_int_equal(field_read(header, "wall_unix_ms", bytes), fixture->store->wall_unix_ms);
    assert_int_equal(field_read(header, "checksum", bytes), checksum_of(id, row));
    if (has_next) assert_int_equal(row->value.size, 24 + HF_LOG_PART_SIZE);
}

/* Every part of every record can be taken apart and proved with what the page says alone. */
static void test_record_parts_are_as_told(void **state)
{
    struct fixture *fixture = *state;
    const struct page_table *header = page_table(fixture->page, "Part header", 0);
    uint64_t next_lsn = 0;
    hf_error error = { 0 };
    assert_ok(hf_meta_get_number(&fixture->reader.tables, "next_lsn", &next_lsn, &error), &error);
    offsets_check(header);
    assert_int_equal(page_number(header, header->rows_count - 1, "offset"), HF_LOG_HEADER_SIZE);
    size_t count = rows_walk(fixture, HF_TABLE_LOG, part_check);
    assert_int_equal(count, next_lsn - 1 + 1); /* one record has two parts */
}

/* A ref leads, by what the page says of it, to the payload that was given. */
static void test_refs_are_as_told(void **state)
{
    struct fixture *fixture = *state;
    const struct page_table *told = page_table(fixture->page, "Ref", 0);
    struct hf_tables *tables = &fixture->reader.tables;
    struct hf_key event = hf_key_item(&(struct hf_item_id){ 1, 1, 1 });
    struct hf_key part = hf_key_log(&(struct hf_log_place){ fixture->store->first_lsn, 0 });
    hf_slice ref, record;
    hf_error error = { 0 };
    assert_ok(hf_table_get(tables, HF_TABLE_HISTORY, hf_key_slice(&event), &ref, &error), &error);
    assert_ok(hf_table_get(tables, HF_TABLE_LOG, hf_key_slice(&part), &record, &error), &error);
    offsets_check(told);
    assert_int_equal(ref.size, HF_REF_SIZE);
    uint64_t offset = field_read(told, "offset", ref.data);
    uint64_t size = field_read(told, "size", ref.data);
    assert_true(24 + offset + size <= record.size);
    hf_slice payload = hf_bytes(record.data + 24 + offset, (size_t)size);
    assert_true(hf_slice_equal(payload, hf_text(FILLED_FIRST_BODY)));
    assert_int_equal(field_read(told, "lsn", ref.data), fixture->store->first_lsn);
    assert_int_equal(field_read(told, "check", ref.data),
                     XXH3_64bits(payload.data, payload.size) & UINT32_MAX);
}

/* ---- the directory -------------------------------------------------------------------------- */

/* The file `writer` has its fields where the page says. */
static void test_writer_file_is_as_told(void **state)
{
    struct fixture *fixture = *state;
    const struct page_table *told = page_table(fixture->page, "The file writer", 0);
    char path[PATH_SIZE];
    char bytes[WRITER_FILE_SIZE + 1];
    struct stat found;
    hf_test_directory_join(&fixture->store->directory, "writer", path, sizeof path);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &found), 0);
    assert_int_equal(read(file, bytes, sizeof bytes), WRITER_FILE_SIZE);
    close(file);
    offsets_check(told);
    assert_int_equal(field_read_own(told, "magic", bytes), UINT64_C(0x7265746972574648));
    hf_slice boot_id = fixture->store->seams.boot_id;
    assert_int_equal(field_read_own(told, "version", bytes), 1);
    assert_int_equal(field_read_own(told, "mutex_size", bytes), sizeof(pthread_mutex_t));
    assert_int_equal(field_read_own(told, "boot_hash", bytes),
                     XXH3_64bits(boot_id.data, boot_id.size));
    assert_int_equal(field_read_own(told, "device", bytes), found.st_dev);
    assert_int_equal(field_read_own(told, "inode", bytes), found.st_ino);
    assert_int_equal(field_read_own(told, "grace_end_boot_ms", bytes), 0);
    assert_true(field_read_own(told, "acquired_count", bytes) > 10);
    assert_int_equal(field_read_own(told, "holder_pid", bytes), 0);
    assert_int_equal(field_read_own(told, "holder_registration", bytes),
                     fixture->store->registration);
    assert_int_equal(field_read_own(told, "held_since_boot_ms", bytes), 1000 * 1000);
}

/* Lists a folder of the directory (NULL: itself) into names, sorted by nobody, and fails the test
 * when an entry has another mode than `mode` where that is not 0. Returns how many. */
static size_t names_list(const struct hf_test_directory *directory, const char *folder,
                         unsigned mode, char names[NAMES_MAX][PATH_SIZE])
{
    char path[PATH_SIZE];
    size_t count = 0;
    struct stat found;
    hf_test_directory_join(directory, folder, path, sizeof path);
    DIR *entries = opendir(path);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        assert_true(count < NAMES_MAX);
        snprintf(names[count++], PATH_SIZE, "%s", entry->d_name);
        assert_int_equal(fstatat(dirfd(entries), entry->d_name, &found, AT_SYMLINK_NOFOLLOW), 0);
        if (mode != 0) assert_int_equal(found.st_mode & 07777, mode);
    }
    closedir(entries);
    return count;
}

/* The mode in a row of one of the page's two tables of names. */
static unsigned mode_told(const struct page_table *table, size_t row)
{
    return (unsigned)strtoul(page_cell(table, row, "mode"), NULL, 8);
}

static void directory_check(struct page *page, const struct hf_test_directory *directory)
{
    char names[NAMES_MAX][PATH_SIZE];
    const struct page_table *told = page_table(page, "Directory", 0);
    size_t count = names_list(directory, ".", 0, names);
    page_expect_rows(page, told, count);
    for (size_t i = 0; i < count; i++) {
        char path[PATH_SIZE];
        struct stat found;
        size_t row = 0;
        if (!page_row(told, "name", names[i], &row)) {
            page_differs(page, "%s is not on the page", names[i]);
            continue;
        }
        hf_test_directory_join(directory, names[i], path, sizeof path);
        assert_int_equal(lstat(path, &found), 0);
        assert_int_equal(found.st_mode & 07777, mode_told(told, row));
    }
}

/* A folder with one entry whose name has so many digits as the page says. */
static void folder_check(struct page *page, const struct hf_test_directory *directory,
                         const char *folder, size_t name_size)
{
    char names[NAMES_MAX][PATH_SIZE];
    char told_name[PATH_SIZE];
    size_t row = 0;
    const struct page_table *told = page_table(page, "Directory", 1);
    snprintf(told_name, sizeof told_name, "%s/ + %zu hex digits", folder, name_size);
    if (!page_row(told, "name", told_name, &row)) fail_msg("no row \"%s\"", told_name);
    assert_int_equal(names_list(directory, folder, mode_told(told, row), names), 1);
    assert_int_equal(strlen(names[0]), name_size);
    assert_int_equal(strspn(names[0], "0123456789abcdef"), name_size);
}

static hf_status idle(hf_orchestration *o, hf_slice input)
{
    return hf_complete(o, input);
}

/* While a runtime works, its store's directory holds the files and folders that the page names,
 * with those modes, and nothing else. */
static void test_directory_is_as_told(void **state)
{
    struct fixture *fixture = *state;
    struct hf_test_directory directory;
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    hf_error error = { 0 };
    hf_registry *registry = hf_registry_new();
    assert_non_null(registry);
    hf_register_orchestration(registry, "idle", idle, NULL);
    hf_test_directory_make(&directory);
    const hf_store_options *options = HF_WITH(hf_store_options, .durability = HF_DURABLE_NONE,
                                              .preallocate_size = 1);
    assert_ok(hf_store_open(directory.path, options, &store, &error), &error);
    assert_ok(hf_runtime_new(store, registry, NULL, &runtime, &error), &error);
    assert_ok(hf_runtime_start(runtime, &error), &error);
    directory_check(fixture->page, &directory);
    folder_check(fixture->page, &directory, "life", HF__LIFE_NAME_SIZE - 1);
    folder_check(fixture->page, &directory, "wake", HF__RING_NAME_SIZE - 1);
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    hf_test_directory_remove(&directory);
    page_assert_same(fixture->page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_as_told),
        cmocka_unit_test(test_meta_is_as_told),
        cmocka_unit_test(test_record_parts_are_as_told),
        cmocka_unit_test(test_refs_are_as_told),
        cmocka_unit_test(test_writer_file_is_as_told),
        cmocka_unit_test(test_directory_is_as_told),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
