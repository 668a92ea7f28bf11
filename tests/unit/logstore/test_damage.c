/* Damage below the records: bytes of LMDB's own pages, which no checksum of ours proves. Whatever
 * they say, it is told as damage with its place; nothing of ours believes it. */
#include "indexes/rows.h"
#include "tests/unit/logstore/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole data file, while the store is closed. */
struct file_part {
    char path[320];
    unsigned char *bytes;
    size_t size;
};

static void file_must_read(struct file_part *file, struct store_part *store)
{
    store_close(store);
    snprintf(file->path, sizeof file->path, "%s/data.mdb", store->path);
    FILE *from = fopen(file->path, "rb");
    assert_non_null(from);
    assert_int_equal(fseek(from, 0, SEEK_END), 0);
    file->size = (size_t)ftell(from);
    file->bytes = malloc(file->size);
    assert_non_null(file->bytes);
    rewind(from);
    assert_int_equal(fread(file->bytes, 1, file->size, from), file->size);
    fclose(from);
}

static void file_must_write(struct file_part *file, struct store_part *store)
{
    FILE *to = fopen(file->path, "r+b");
    assert_non_null(to);
    assert_int_equal(fwrite(file->bytes, 1, file->size, to), file->size);
    assert_int_equal(fclose(to), 0);
    free(file->bytes);
    store_must_open(store);
}

/* The next place at or behind `from` where a node of LMDB holds this key: size, key. NULL: none. */
static unsigned char *node_key(const struct file_part *file, const unsigned char *from,
                               hf_slice key)
{
    unsigned char wanted[32] = { (unsigned char)key.size, 0 };
    const unsigned char *end = file->bytes + file->size;
    memcpy(wanted + 2, key.data, key.size);
    unsigned char *found = memmem(from, (size_t)(end - from), wanted, key.size + 2);
    return found ? found + 2 : NULL;
}

/* Changes the key of a record wherever the file has it, also in pages that are free by now. */
static void file_must_change_lsn(struct file_part *file, uint64_t lsn, uint64_t to)
{
    char key[HF_LOG_KEY_SIZE] = { 0 };
    size_t count = 0;
    for (int i = 0; i < 8; i++) key[i] = (char)(lsn >> (56 - 8 * i));
    unsigned char *place = node_key(file, file->bytes, hf_bytes(key, sizeof key));
    for (; place; place = node_key(file, place, hf_bytes(key, sizeof key))) {
        for (int i = 0; i < 8; i++) place[i] = (unsigned char)(to >> (56 - 8 * i));
        count++;
    }
    assert_true(count > 0);
}

/* A key that was moved up by a flipped bit: a walk meets it where a search does not look. */
static void test_key_that_no_search_finds_is_damage(void **state)
{
    struct store_part *self = *state;
    struct file_part file;
    store_must_fill(self);
    file_must_read(&file, self);
    file_must_change_lsn(&file, 5, 5 + (UINT64_C(1) << 32));
    file_must_write(&file, self);
    struct findings found = store_must_find(self);
    assert_false(found.summary.ok);
    assert_int_equal(found.first_lsn, 5);
}

/* A key that was moved down stands behind greater ones: the walk does not turn back. One record is
 * missing, and is counted as one. */
static void test_key_out_of_order_is_damage(void **state)
{
    struct store_part *self = *state;
    struct file_part file;
    store_must_fill(self);
    file_must_read(&file, self);
    file_must_change_lsn(&file, 6, 2);
    file_must_write(&file, self);
    struct findings found = store_must_find(self);
    assert_false(found.summary.ok);
    assert_int_equal(found.first_lsn, 6);
    assert_string_equal(found.first_message, "1 record is missing from here on");
}

/* A page of the log that is not there: verify says from which record on nothing is found, and a
 * rebuild refuses it and changes nothing. */
static void test_lost_page_of_the_log_is_damage(void **state)
{
    enum { ROOT_OFFSET = 40 /* in MDB_db, the value of a named table */ };
    struct store_part *self = *state;
    struct file_part file;
    hf_error error = { 0 };
    size_t count = 0;
    store_must_fill(self);
    file_must_read(&file, self);
    unsigned char *place = node_key(&file, file.bytes, hf_text("log"));
    for (; place; place = node_key(&file, place + 1, hf_text("log"))) {
        place[3 + ROOT_OFFSET + 4] ^= 1; /* 2^32 pages further */
        count++;
    }
    assert_true(count > 0);
    file_must_write(&file, self);
    struct findings found = store_must_find(self);
    assert_false(found.summary.ok);
    assert_int_equal(found.first_lsn, 1);
    assert_int_equal(strncmp(found.first_message, "log: ", 5), 0);
    store_close(self);
    assert_status(hf_store_rebuild(self->path, &self->seams.seams, &error), HF_CORRUPT);
}

/* ---- rows that disagree --------------------------------------------------------------------- */

/* The key of the item that was handed back with a delay: it stands behind its due time. */
static hf_slice delayed_item(struct store_part *store)
{
    struct hf_table_row row;
    for (size_t i = 0; store_row(store, HF_TABLE_TIMERS, i, &row); i++) {
        if (row.value.data[0] == HF_TIMER_ITEM) return hf_bytes(row.key.data + 8, row.key.size - 8);
    }
    fail_msg("no item is put aside");
    return (hf_slice)HF_EMPTY;
}

/* An index that names an item as ready that is put aside is damage: the fetch that meets it says
 * so, and goes on living. */
static void test_delayed_item_among_the_ready_is_damage(void **state)
{
    struct store_part *store = *state;
    struct hf_table_row ready;
    store_must_fill(store);
    uint64_t registration = store_must_register(store, "fetches");
    assert_true(store_row(store, HF_TABLE_ITEMS_READY, 0, &ready));
    store_must_tamper(store, HF_TABLE_ITEMS_READY, ready.key, delayed_item(store));
    struct hf_store_command fetch = { .kind = HF_STORE_FETCH_ITEMS };
    fetch.fetch_items = (struct hf_store_fetch_items){ .registration = registration,
                                                       .items_max = 10 };
    assert_status(store_commit(store, &fetch), HF_CORRUPT);
    assert_non_null(strstr(fetch.error.message, "waits for its time"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_key_that_no_search_finds_is_damage),
        CASE(test_key_out_of_order_is_damage),
        CASE(test_lost_page_of_the_log_is_damage),
        CASE(test_delayed_item_among_the_ready_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
