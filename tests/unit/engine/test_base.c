/* The lowest floor: slices, UTF-8, statuses and errors, numbers as bytes, heap and arena. */
#include "tests/support/hf_test.h"

#include <errno.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/bytes.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"

#define BYTES(literal) hf_bytes(literal, sizeof(literal) - 1)

/* ---- slices ---------------------------------------------------------------------------------- */

/* hf_text measures; NULL is the empty slice. */
static void test_text_gives_its_bytes(void **state)
{
    (void)state;
    assert_int_equal(hf_text("abc").size, 3);
    assert_int_equal(hf_text("").size, 0);
    assert_null(hf_text(NULL).data);
    assert_true(hf_slice_is_empty(hf_text(NULL)));
    assert_false(hf_slice_is_empty(hf_text("a")));
}

/* Equality is of bytes: NUL counts, and where they are does not. */
static void test_slices_are_equal_by_bytes(void **state)
{
    (void)state;
    assert_true(hf_slice_equal(BYTES("a\0b"), BYTES("a\0b")));
    assert_false(hf_slice_equal(BYTES("a\0b"), BYTES("a\0c")));
    assert_false(hf_slice_equal(BYTES("a"), BYTES("ab")));
    assert_true(hf_slice_equal(hf_text(""), (hf_slice)HF_EMPTY));
}

/* The order is that of unsigned bytes, a prefix first: that of keys on disk. */
static void test_slices_are_ordered_by_unsigned_bytes(void **state)
{
    (void)state;
    assert_true(hf_slice_compare(BYTES("a"), BYTES("b")) < 0);
    assert_true(hf_slice_compare(BYTES("\xff"), BYTES("a")) > 0);
    assert_true(hf_slice_compare(BYTES("a"), BYTES("a\0")) < 0);
    assert_true(hf_slice_compare(BYTES("b"), BYTES("ab")) > 0);
    assert_true(hf_slice_compare((hf_slice)HF_EMPTY, BYTES("a")) < 0);
    assert_int_equal(hf_slice_compare(BYTES("ab"), BYTES("ab")), 0);
    assert_int_equal(hf_slice_compare((hf_slice)HF_EMPTY, hf_text("")), 0);
}

/* Decimal numbers are read whole up to both ends of the range. */
static void test_to_i64_reads_the_whole_range(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } numbers[] = {
        { "0", 0 },
        { "-0", 0 },
        { "7", 7 },
        { "-1", -1 },
        { "0010", 10 },
        { "00000000000000000000000000000012", 12 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
        { "-9223372036854775807", -INT64_MAX },
    };
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(numbers); i++) {
        int64_t value = 99;
        assert_true(hf_slice_to_i64(hf_text(numbers[i].text), &value));
        assert_true(value == numbers[i].value);
    }
}

/* What is no number, or one beyond the range, is refused and nothing is written. */
static void test_to_i64_refuses_the_rest(void **state)
{
    static const char *const others[] = { "",
                                          "-",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "1.0",
                                          "0x10",
                                          "--1",
                                          "1-",
                                          "9223372036854775808",
                                          "-9223372036854775809",
                                          "18446744073709551616",
                                          "99999999999999999999" };
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(others); i++) {
        int64_t value = 99;
        assert_false(hf_slice_to_i64(hf_text(others[i]), &value));
        assert_int_equal(value, 99);
    }
    int64_t value = 99;
    assert_false(hf_slice_to_i64(BYTES("1\0"), &value));
    assert_false(hf_slice_to_i64((hf_slice)HF_EMPTY, &value));
}

/* The number ends where the slice ends, not where digits do. */
static void test_to_i64_stops_at_the_end_of_the_slice(void **state)
{
    int64_t value = 0;
    (void)state;
    assert_true(hf_slice_to_i64(hf_bytes("12345", 2), &value));
    assert_int_equal(value, 12);
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/* The first and last character of each size, and those around the surrogates, are well-formed. */
static void test_utf8_accepts_every_range(void **state)
{
    static const hf_slice good[] = {
        HF_SLICE(""),
        HF_SLICE("\x00"),
        HF_SLICE("\x7f"),
        HF_SLICE("\xc2\x80"),
        HF_SLICE("\xdf\xbf"),
        HF_SLICE("\xe0\xa0\x80"),
        HF_SLICE("\xed\x9f\xbf"),
        HF_SLICE("\xee\x80\x80"),
        HF_SLICE("\xef\xbf\xbf"),
        HF_SLICE("\xf0\x90\x80\x80"),
        HF_SLICE("\xf4\x8f\xbf\xbf"),
        HF_SLICE("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8dz"),
    };
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(good); i++) assert_true(hf_slice_is_utf8(good[i]));
    assert_true(hf_slice_is_utf8((hf_slice)HF_EMPTY));
}

/* Overlong forms, surrogates, what lies beyond U+10FFFF, stray and missing bytes are not. */
static void test_utf8_refuses_the_rest(void **state)
{
    static const hf_slice bad[] = {
        HF_SLICE("\x80"),                 /* a continuation alone */
        HF_SLICE("\xbf"),                 /* the last one */
        HF_SLICE("\xc0\x80"),             /* overlong NUL */
        HF_SLICE("\xc0\xaf"),             /* overlong slash */
        HF_SLICE("\xc1\xbf"),             /* overlong in two bytes, the last */
        HF_SLICE("\xe0\x80\xaf"),         /* overlong slash in three */
        HF_SLICE("\xe0\x9f\xbf"),         /* overlong in three, the last */
        HF_SLICE("\xf0\x80\x80\xaf"),     /* overlong slash in four */
        HF_SLICE("\xf0\x8f\xbf\xbf"),     /* overlong in four, the last */
        HF_SLICE("\xed\xa0\x80"),         /* the first surrogate */
        HF_SLICE("\xed\xbf\xbf"),         /* the last one */
        HF_SLICE("\xf4\x90\x80\x80"),     /* U+110000 */
        HF_SLICE("\xf5\x80\x80\x80"),     /* beyond */
        HF_SLICE("\xf8\x88\x80\x80\x80"), /* five bytes */
        HF_SLICE("\xfe"),                 /* never used */
        HF_SLICE("\xff"),                 /* never used */
        HF_SLICE("\xc3"),                 /* cut */
        HF_SLICE("\xe2\x82"),             /* cut */
        HF_SLICE("\xf0\x9f\x8c"),         /* cut */
        HF_SLICE("\xc3z"),                /* a letter for a continuation */
        HF_SLICE("\xe2\x82z"),            /* the same, third */
        HF_SLICE("\xf0\x9f\x8cz"),        /* the same, fourth */
        HF_SLICE("\xe2z\x80"),            /* the same, second */
        HF_SLICE("a\xc3\xa9\xff"),        /* behind good ones */
    };
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(bad); i++) {
        if (hf_slice_is_utf8(bad[i])) fail_msg("number %zu is taken for UTF-8", i);
    }
}

/* Ids have 1 to 255 bytes of UTF-8; the message says which id, and what is wrong. */
static void test_id_check_knows_the_limits(void **state)
{
    char id[258];
    hf_error error;
    (void)state;
    memset(id, 'x', sizeof id);
    id[256] = '\0';
    assert_status(hf_id_check(id, "instance id", &error), HF_INVALID);
    assert_non_null(strstr(error.message, "instance id"));
    assert_non_null(strstr(error.message, "255"));
    id[255] = '\0';
    assert_ok(hf_id_check(id, "instance id", &error), &error);
    assert_ok(hf_id_check("\xc3\xa9", "instance id", &error), &error);
    assert_status(hf_id_check("", "queue", &error), HF_INVALID);
    assert_non_null(strstr(error.message, "queue"));
    assert_status(hf_id_check(NULL, "queue", &error), HF_INVALID);
    assert_status(hf_id_check("\xff", "queue", &error), HF_INVALID);
    assert_non_null(strstr(error.message, "UTF-8"));
    assert_status(hf_id_check("", "queue", NULL), HF_INVALID);
}

/* ---- statuses and errors --------------------------------------------------------------------- */

/* An hf_error is 512 bytes where pointers have 8: it crosses the ABI. */
static void test_error_is_512_bytes(void **state)
{
    (void)state;
    if (sizeof(void *) == 8) assert_int_equal(sizeof(hf_error), 512);
    assert_int_equal(sizeof(((hf_error *)0)->code), HF_ERROR_CODE_SIZE);
    assert_int_equal(sizeof(((hf_error *)0)->message), HF_ERROR_MESSAGE_SIZE);
}

/* Statuses have the names of the header, and other numbers a constant one. */
static void test_statuses_have_names(void **state)
{
    (void)state;
    assert_string_equal(hf_status_name(HF_OK), "HF_OK");
    assert_string_equal(hf_status_name(HF_TIMEOUT), "HF_TIMEOUT");
    assert_string_equal(hf_status_name(HF_ALREADY_OPEN), "HF_ALREADY_OPEN");
    assert_string_equal(hf_status_name(15), "HF_?");
    assert_string_equal(hf_status_name(-1), "HF_?");
    assert_string_equal(hf_status_name(INT32_MAX), "HF_?");
}

/* Filling an error sets what is given, clears what was there, and returns the status. */
static void test_error_set_replaces_everything(void **state)
{
    hf_error error;
    (void)state;
    memset(&error, 0xa5, sizeof error);
    assert_int_equal(hf_error_set(&error, HF_INVALID, "no %s", "luck"), HF_INVALID);
    assert_int_equal(error.status, HF_INVALID);
    assert_string_equal(error.message, "no luck");
    assert_string_equal(error.code, "");
    assert_int_equal(error.lsn, 0);
    assert_int_equal(error.system_error, 0);
    assert_int_equal(error.data.size, 0);
    hf_error_code(&error, "bad_luck");
    assert_string_equal(error.code, "bad_luck");
    assert_string_equal(error.message, "no luck");
    assert_int_equal(hf_error_system(&error, HF_IO, ENOSPC, "disk"), HF_IO);
    assert_int_equal(error.system_error, ENOSPC);
    assert_string_equal(error.code, "");
    assert_int_equal(hf_error_corrupt(&error, 77, "bytes"), HF_CORRUPT);
    assert_int_equal(error.lsn, 77);
    assert_int_equal(error.status, HF_CORRUPT);
    assert_int_equal(error.system_error, 0);
    hf_error_clear(&error);
    assert_int_equal(error.status, HF_OK);
    assert_string_equal(error.message, "");
}

/* Whoever does not want details gives NULL. */
static void test_errors_may_be_null(void **state)
{
    (void)state;
    assert_int_equal(hf_error_set(NULL, HF_BUSY, "x"), HF_BUSY);
    assert_int_equal(hf_error_system(NULL, HF_IO, 5, "x"), HF_IO);
    assert_int_equal(hf_error_corrupt(NULL, 5, "x"), HF_CORRUPT);
    hf_error_code(NULL, "x");
    hf_error_clear(NULL);
}

/* A message that is too long is cut, never overrun. */
static void test_long_messages_are_cut(void **state)
{
    char text[2 * HF_ERROR_MESSAGE_SIZE];
    hf_error error;
    (void)state;
    memset(text, 'm', sizeof text);
    text[sizeof text - 1] = '\0';
    hf_error_set(&error, HF_INVALID, "%s", text);
    assert_int_equal(strlen(error.message), HF_ERROR_MESSAGE_SIZE - 1);
    hf_error_code(&error, text);
    assert_int_equal(strlen(error.code), HF_ERROR_CODE_SIZE - 1);
    assert_int_equal(strlen(error.message), HF_ERROR_MESSAGE_SIZE - 1);
}

/* A text is cut at the border of a character: what is left is UTF-8. */
static void test_text_copy_cuts_at_characters(void **state)
{
    static const struct {
        size_t field_size;
        const char *expected;
    } cuts[] = {
        { 1, "" },
        { 2, "a" },
        { 3, "a" },
        { 4, "a\xc3\xa9" },
        { 5, "a\xc3\xa9" },
        { 6, "a\xc3\xa9" },
        { 7, "a\xc3\xa9\xe2\x82\xac" },
        { 8, "a\xc3\xa9\xe2\x82\xac" },
        { 11, "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d" },
        { 12, "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d" },
    };
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(cuts); i++) {
        char field[16];
        memset(field, '#', sizeof field);
        hf_text_copy(field, cuts[i].field_size, hf_text("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d"));
        assert_string_equal(field, cuts[i].expected);
        assert_int_equal(field[cuts[i].field_size], '#');
    }
    char field[4] = "old";
    hf_text_copy(field, sizeof field, (hf_slice)HF_EMPTY);
    assert_string_equal(field, "");
}

/* ---- numbers as bytes ------------------------------------------------------------------------ */

/* Values are little-endian, keys big-endian, at any alignment. */
static void test_numbers_have_their_byte_order(void **state)
{
    unsigned char bytes[9];
    (void)state;
    hf_put_le32(bytes + 1, 0x89abcdef);
    assert_memory_equal(bytes + 1, "\xef\xcd\xab\x89", 4);
    assert_int_equal(hf_get_le32(bytes + 1), 0x89abcdef);
    hf_put_be32(bytes + 1, 0x89abcdef);
    assert_memory_equal(bytes + 1, "\x89\xab\xcd\xef", 4);
    assert_int_equal(hf_get_be32(bytes + 1), 0x89abcdef);
    hf_put_le64(bytes + 1, 0x8123456789abcdef);
    assert_memory_equal(bytes + 1, "\xef\xcd\xab\x89\x67\x45\x23\x81", 8);
    assert_true(hf_get_le64(bytes + 1) == 0x8123456789abcdef);
    hf_put_be64(bytes + 1, 0x8123456789abcdef);
    assert_memory_equal(bytes + 1, "\x81\x23\x45\x67\x89\xab\xcd\xef", 8);
    assert_true(hf_get_be64(bytes + 1) == 0x8123456789abcdef);
}

/* ---- heap and arena -------------------------------------------------------------------------- */

/* A heap that gives calls_left blocks and then none, and knows how many bytes are out. */
struct scarce_heap {
    size_t calls_left;
    size_t bytes_out;
};

static void *scarce_resize(void *self, void *block, size_t old_size, size_t new_size)
{
    struct scarce_heap *scarce = self;
    if (new_size > 0 && scarce->calls_left == 0) return NULL;
    if (new_size > 0) scarce->calls_left--;
    const hf_allocator *heap = hf_heap_default();
    scarce->bytes_out += new_size;
    scarce->bytes_out -= old_size;
    return heap->resize(heap->self, block, old_size, new_size);
}

static hf_allocator scarce_allocator(struct scarce_heap *scarce)
{
    return (hf_allocator){ sizeof(hf_allocator), scarce, scarce_resize };
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) return false;
    }
    return true;
}

/* A growing array keeps its elements; without memory it stays as it is. */
static void test_heap_grow_keeps_elements(void **state)
{
    struct scarce_heap scarce = { .calls_left = 5 };
    const hf_allocator heap = scarce_allocator(&scarce);
    void *array = NULL;
    size_t capacity = 0;
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        if (i == capacity) assert_true(hf_heap_grow(&heap, &array, &capacity, sizeof i));
        ((uint64_t *)array)[i] = i;
    }
    for (uint64_t i = 0; i < 100; i++) assert_int_equal(((uint64_t *)array)[i], i);
    size_t before = capacity;
    void *kept = array;
    assert_int_equal(scarce.calls_left, 0);
    assert_false(hf_heap_grow(&heap, &array, &capacity, sizeof(uint64_t)));
    assert_ptr_equal(array, kept);
    assert_int_equal(capacity, before);
    hf_heap_free(&heap, array, capacity * sizeof(uint64_t));
    assert_int_equal(scarce.bytes_out, 0);
}

/* Growth whose size does not fit in a size_t is refused before the heap is asked. */
static void test_heap_grow_refuses_overflow(void **state)
{
    struct scarce_heap scarce = { .calls_left = 5 };
    const hf_allocator heap = scarce_allocator(&scarce);
    size_t capacity = SIZE_MAX / 16;
    void *array = NULL;
    (void)state;
    assert_false(hf_heap_grow(&heap, &array, &capacity, 16));
    assert_int_equal(scarce.calls_left, 5);
    assert_int_equal(capacity, SIZE_MAX / 16);
}

/* Allocations are zeroed, aligned, apart from each other, and all go back. */
static void test_arena_gives_zeroed_aligned_memory(void **state)
{
    enum { BLOCKS_COUNT = 200 };
    struct scarce_heap scarce = { .calls_left = SIZE_MAX };
    const hf_allocator heap = scarce_allocator(&scarce);
    struct hf_arena arena;
    unsigned char *blocks[BLOCKS_COUNT];
    (void)state;
    hf_arena_init(&arena, &heap);
    assert_int_equal(scarce.bytes_out, 0);
    for (size_t i = 0; i < BLOCKS_COUNT; i++) {
        blocks[i] = hf_arena_new(&arena, i * 7);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        assert_true(is_zero(blocks[i], i * 7));
        memset(blocks[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < BLOCKS_COUNT; i++) {
        for (size_t at = 0; at < i * 7; at++) assert_int_equal(blocks[i][at], i);
    }
    assert_int_equal(arena.total_size, scarce.bytes_out);
    hf_arena_release(&arena);
    assert_int_equal(scarce.bytes_out, 0);
}

/* Resetting to a mark gives back what came after it, over chunks too, and nothing before. */
static void test_arena_mark_takes_the_end_back(void **state)
{
    struct scarce_heap scarce = { .calls_left = SIZE_MAX };
    const hf_allocator heap = scarce_allocator(&scarce);
    struct hf_arena arena;
    (void)state;
    hf_arena_init(&arena, &heap);
    char *kept = hf_arena_text(&arena, hf_text("kept"));
    struct hf_arena_mark mark = hf_arena_mark(&arena);
    unsigned char *first = hf_arena_new(&arena, 100);
    size_t size = scarce.bytes_out;
    memset(first, 0xff, 100);
    assert_non_null(hf_arena_new(&arena, 100000));
    assert_true(scarce.bytes_out > size);
    hf_arena_reset_to(&arena, mark);
    assert_int_equal(scarce.bytes_out, size);
    unsigned char *again = hf_arena_new(&arena, 100);
    assert_ptr_equal(again, first);
    assert_true(is_zero(again, 100));
    assert_string_equal(kept, "kept");
    hf_arena_release(&arena);
    assert_int_equal(scarce.bytes_out, 0);
}

/* Resetting keeps one chunk, so that the next use asks the heap for nothing. */
static void test_arena_reset_keeps_one_chunk(void **state)
{
    struct scarce_heap scarce = { .calls_left = SIZE_MAX };
    const hf_allocator heap = scarce_allocator(&scarce);
    struct hf_arena arena;
    (void)state;
    hf_arena_init(&arena, &heap);
    for (int i = 0; i < 1000; i++) assert_non_null(hf_arena_new(&arena, 100));
    size_t size = scarce.bytes_out;
    hf_arena_reset(&arena);
    assert_true(scarce.bytes_out < size);
    assert_int_equal(arena.total_size, scarce.bytes_out);
    scarce.calls_left = 0;
    unsigned char *block = hf_arena_new(&arena, 1000);
    assert_non_null(block);
    assert_true(is_zero(block, 1000));
    assert_false(arena.failed);
    hf_arena_release(&arena);
    assert_int_equal(scarce.bytes_out, 0);
}

/* A failure stays until the arena is reset, though later allocations succeed; what was there before
 * is unharmed. */
static void test_arena_failure_is_sticky(void **state)
{
    struct scarce_heap scarce = { .calls_left = 1 };
    const hf_allocator heap = scarce_allocator(&scarce);
    struct hf_arena arena;
    (void)state;
    hf_arena_init(&arena, &heap);
    char *kept = hf_arena_text(&arena, hf_text("kept"));
    assert_false(arena.failed);
    assert_null(hf_arena_new(&arena, 1000000));
    assert_true(arena.failed);
    assert_non_null(hf_arena_new(&arena, 8));
    assert_true(arena.failed);
    assert_string_equal(kept, "kept");
    hf_arena_reset(&arena);
    assert_false(arena.failed);
    assert_null(hf_arena_text(&arena, hf_bytes(kept, 1000000)));
    assert_true(arena.failed);
    hf_arena_release(&arena);
    assert_false(arena.failed);
    assert_int_equal(scarce.bytes_out, 0);
}

/* Sizes that wrap are refused like a failed allocation, and the heap is not asked. */
static void test_arena_refuses_sizes_that_wrap(void **state)
{
    struct scarce_heap scarce = { .calls_left = 9 };
    const hf_allocator heap = scarce_allocator(&scarce);
    struct hf_arena arena;
    (void)state;
    hf_arena_init(&arena, &heap);
    assert_null(hf_arena_new(&arena, SIZE_MAX));
    assert_true(arena.failed);
    hf_arena_reset(&arena);
    assert_null(hf_arena_new(&arena, SIZE_MAX - 15));
    assert_null(hf_arena_array(&arena, SIZE_MAX / 2, 4));
    assert_true(arena.failed);
    assert_int_equal(scarce.calls_left, 9);
    assert_non_null(hf_arena_array(&arena, 3, 4));
    hf_arena_release(&arena);
    assert_int_equal(scarce.bytes_out, 0);
}

/* A copy is the caller's bytes with a NUL behind them, also of nothing. */
static void test_arena_copies_end_in_nul(void **state)
{
    struct hf_arena arena;
    (void)state;
    hf_arena_init(&arena, hf_heap_default());
    hf_slice copy = hf_arena_copy(&arena, hf_bytes("a\0bc", 3));
    assert_int_equal(copy.size, 3);
    assert_memory_equal(copy.data, "a\0b", 4);
    copy = hf_arena_copy(&arena, (hf_slice)HF_EMPTY);
    assert_non_null(copy.data);
    assert_int_equal(copy.size, 0);
    assert_string_equal(hf_arena_text(&arena, hf_text("xyz")), "xyz");
    hf_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_gives_its_bytes),
        cmocka_unit_test(test_slices_are_equal_by_bytes),
        cmocka_unit_test(test_slices_are_ordered_by_unsigned_bytes),
        cmocka_unit_test(test_to_i64_reads_the_whole_range),
        cmocka_unit_test(test_to_i64_refuses_the_rest),
        cmocka_unit_test(test_to_i64_stops_at_the_end_of_the_slice),
        cmocka_unit_test(test_utf8_accepts_every_range),
        cmocka_unit_test(test_utf8_refuses_the_rest),
        cmocka_unit_test(test_id_check_knows_the_limits),
        cmocka_unit_test(test_error_is_512_bytes),
        cmocka_unit_test(test_statuses_have_names),
        cmocka_unit_test(test_error_set_replaces_everything),
        cmocka_unit_test(test_errors_may_be_null),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_text_copy_cuts_at_characters),
        cmocka_unit_test(test_numbers_have_their_byte_order),
        cmocka_unit_test(test_heap_grow_keeps_elements),
        cmocka_unit_test(test_heap_grow_refuses_overflow),
        cmocka_unit_test(test_arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(test_arena_mark_takes_the_end_back),
        cmocka_unit_test(test_arena_reset_keeps_one_chunk),
        cmocka_unit_test(test_arena_failure_is_sticky),
        cmocka_unit_test(test_arena_refuses_sizes_that_wrap),
        cmocka_unit_test(test_arena_copies_end_in_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
