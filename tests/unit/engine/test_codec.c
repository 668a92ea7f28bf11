/* The codec by itself: what it writes, and what it refuses whatever the layout. */
#include "tests/support/hf_test.h"

#include <string.h>

#include <msgpuck.h>

#include "tests/unit/engine/layouts.h"

struct leaf {
    uint64_t number;
    hf_slice text;
};

struct tree {
    uint64_t number;
    hf_slice bytes;
    hf_slice text;
    struct hf_list leaves;
};

static const struct hf_field leaf_fields[] = {
    { 1, HF_FIELD_NUMBER, true, offsetof(struct leaf, number), "number", NULL },
    { 2, HF_FIELD_TEXT, false, offsetof(struct leaf, text), "text", NULL },
};
static const struct hf_layout leaf_layout = { "leaf", sizeof(struct leaf), leaf_fields, 2 };

static const struct hf_field tree_fields[] = {
    { 0, HF_FIELD_NUMBER, false, offsetof(struct tree, number), "number", NULL },
    { 3, HF_FIELD_BYTES, false, offsetof(struct tree, bytes), "bytes", NULL },
    { 7, HF_FIELD_TEXT, false, offsetof(struct tree, text), "text", NULL },
    { 127, HF_FIELD_LIST, false, offsetof(struct tree, leaves), "leaves", &leaf_layout },
};
static const struct hf_layout tree_layout = { "tree", sizeof(struct tree), tree_fields, 4 };

#define BYTES(literal) hf_bytes(literal, sizeof(literal) - 1)

static hf_status tree_decode(hf_slice bytes, struct hf_arena *arena, struct tree *out_tree)
{
    hf_error error = { 0 };
    hf_status status = hf_decode(&tree_layout, bytes, arena, out_tree, &error);
    assert_int_equal(error.status, status);
    if (status != HF_OK) assert_string_not_equal(error.message, "");
    return status;
}

static void assert_corrupt(hf_slice bytes, const char *message, struct hf_arena *arena)
{
    struct tree tree;
    hf_error error = { 0 };
    assert_status(hf_decode(&tree_layout, bytes, arena, &tree, &error), HF_CORRUPT);
    assert_string_equal(error.message, message);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A struct with nothing in it is the empty map, and reads back as nothing. */
static void test_empty_struct_is_the_empty_map(void **state)
{
    struct tree tree = { 0 };
    hf_slice bytes = layout_round_trip(&tree_layout, &tree, *state);
    assert_int_equal(bytes.size, 1);
    assert_memory_equal(bytes.data, "\x80", 1);
}

/* Every field type has the bytes that MessagePack gives it. */
static void test_filled_struct_has_these_bytes(void **state)
{
    static const char expected[] = "\x84\x00\x05\x03\xc4\x02\x00\xff\x07\xa1"
                                   "x\x7f\x92\x81\x01\x01\x82\x01\xcc\x80\x02\xa1"
                                   "y";
    struct leaf leaves[] = { { 1, HF_EMPTY }, { 128, HF_SLICE("y") } };
    struct tree tree = { 5, BYTES("\x00\xff"), HF_SLICE("x"), { leaves, 2 } };
    hf_slice bytes = layout_round_trip(&tree_layout, &tree, *state);
    assert_int_equal(bytes.size, sizeof expected - 1);
    assert_memory_equal(bytes.data, expected, bytes.size);
}

/* A number of each width comes back whole. */
static void test_numbers_of_all_widths_survive(void **state)
{
    for (int bits = 0; bits < 64; bits++) {
        uint64_t power = (uint64_t)1 << bits;
        struct tree below = { .number = power - 1 }, at = { .number = power };
        layout_round_trip(&tree_layout, &below, *state);
        layout_round_trip(&tree_layout, &at, *state);
    }
    struct tree last = { .number = UINT64_MAX };
    layout_round_trip(&tree_layout, &last, *state);
}

/* Slices and lists survive on both sides of each border between two headers. */
static void test_lengths_on_both_sides_of_each_header_survive(void **state)
{
    static const size_t sizes[] = { 1, 15, 16, 31, 32, 255, 256, 65535, 65536, 65537 };
    char *letters = hf_arena_new(*state, 65537);
    struct leaf *leaves = hf_arena_array(*state, 65537, sizeof *leaves);
    assert_non_null(letters);
    assert_non_null(leaves);
    memset(letters, 'a', 65537);
    for (size_t i = 0; i < 65537; i++) leaves[i].number = i + 1;
    for (size_t i = 0; i < HF_COUNT_OF(sizes); i++) {
        hf_slice slice = hf_bytes(letters, sizes[i]);
        struct tree tree = { 0, slice, slice, { leaves, sizes[i] } };
        layout_round_trip(&tree_layout, &tree, *state);
    }
}

/* ---- the proof ------------------------------------------------------------------------------- */

/* One whole value of each kind that the format has is well-formed; less or more is not. */
static void test_each_format_is_well_formed_only_whole(void **state)
{
    static const hf_slice values[] = {
        HF_SLICE("\x00"),
        HF_SLICE("\x7f"),
        HF_SLICE("\x80"),
        HF_SLICE("\x81\x01\x02"),
        HF_SLICE("\x90"),
        HF_SLICE("\x92\x01\x02"),
        HF_SLICE("\xa0"),
        HF_SLICE("\xa2yz"),
        HF_SLICE("\xc0"),
        HF_SLICE("\xc2"),
        HF_SLICE("\xc3"),
        HF_SLICE("\xc4\x01z"),
        HF_SLICE("\xc5\x00\x01z"),
        HF_SLICE("\xc6\x00\x00\x00\x01z"),
        HF_SLICE("\xc7\x01tz"),
        HF_SLICE("\xc8\x00\x01tz"),
        HF_SLICE("\xc9\x00\x00\x00\x01tz"),
        HF_SLICE("\xc7\x00t"),
        HF_SLICE("\xca...."),
        HF_SLICE("\xcb........"),
        HF_SLICE("\xcc."),
        HF_SLICE("\xcd.."),
        HF_SLICE("\xce...."),
        HF_SLICE("\xcf........"),
        HF_SLICE("\xd0."),
        HF_SLICE("\xd1.."),
        HF_SLICE("\xd2...."),
        HF_SLICE("\xd3........"),
        HF_SLICE("\xd4t."),
        HF_SLICE("\xd5t.."),
        HF_SLICE("\xd6t...."),
        HF_SLICE("\xd7t........"),
        HF_SLICE("\xd8t................"),
        HF_SLICE("\xd9\x01z"),
        HF_SLICE("\xda\x00\x01z"),
        HF_SLICE("\xdb\x00\x00\x00\x01z"),
        HF_SLICE("\xdc\x00\x01\x05"),
        HF_SLICE("\xdd\x00\x00\x00\x01\x05"),
        HF_SLICE("\xde\x00\x01\x05\x06"),
        HF_SLICE("\xdf\x00\x00\x00\x01\x05\x06"),
        HF_SLICE("\xe0"),
        HF_SLICE("\xff"),
    };
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(values); i++) {
        char longer[32] = { 0 };
        memcpy(longer, values[i].data, values[i].size);
        assert_true(hf_codec_is_well_formed(values[i]));
        assert_false(hf_codec_is_well_formed(hf_bytes(values[i].data, values[i].size - 1)));
        assert_false(hf_codec_is_well_formed(hf_bytes(longer, values[i].size + 1)));
    }
}

/* Counts and lengths beyond what is there, and the byte that starts no value, are refused; some of
 * them pass msgpuck's check. */
static void test_hostile_counts_are_refused(void **state)
{
    static const hf_slice hostile[] = {
        HF_SLICE("\xc1"),
        HF_SLICE("\x91\xc1"),
        HF_SLICE("\xdd\xff\xff\xff\xff"),
        HF_SLICE("\xdf\x80\x00\x00\x00"),
        HF_SLICE("\xdf\xff\xff\xff\xff\x01"),
        HF_SLICE("\xdf\x00\x00\x00\x02\x01\x02\x03"),
        HF_SLICE("\x92\xdd\x7f\xff\xff\xff\x01"),
        HF_SLICE("\xdd\x80\x00\x00\x00\xdd\x80\x00\x00\x00"),
        HF_SLICE("\xc6\xff\xff\xff\xff"),
        HF_SLICE("\xc9\xff\xff\xff\xff\x00"),
        HF_SLICE("\xdb\xff\xff\xff\xffz"),
    };
    for (size_t i = 0; i < HF_COUNT_OF(hostile); i++) {
        struct tree tree;
        assert_false(hf_codec_is_well_formed(hostile[i]));
        assert_status(tree_decode(hostile[i], *state, &tree), HF_CORRUPT);
    }
    assert_false(hf_codec_is_well_formed((hf_slice)HF_EMPTY));
}

/* Values nest eight deep and no deeper, whether the innermost is empty or not, and behind a shallow
 * one too. */
static void test_depth_is_bounded(void **state)
{
    (void)state;
    assert_true(hf_codec_is_well_formed(BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x00")));
    assert_true(hf_codec_is_well_formed(BYTES("\x91\x91\x91\x91\x91\x91\x91\x90")));
    assert_false(hf_codec_is_well_formed(BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x90")));
    assert_false(hf_codec_is_well_formed(BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x00")));
    assert_true(hf_codec_is_well_formed(BYTES("\x92\x90\x91\x91\x91\x91\x91\x91\x90")));
    assert_false(hf_codec_is_well_formed(BYTES("\x92\x90\x91\x91\x91\x91\x91\x91\x91\x90")));
}

/* A million arrays in each other are refused without a million frames of stack. */
static void test_depth_bomb_is_refused(void **state)
{
    enum { BOMB_SIZE = 1000000 };
    char *bomb = hf_arena_new(*state, BOMB_SIZE);
    struct tree tree;
    assert_non_null(bomb);
    memset(bomb, '\x91', BOMB_SIZE);
    assert_false(hf_codec_is_well_formed(hf_bytes(bomb, BOMB_SIZE)));
    bomb[0] = '\x81';
    bomb[1] = '\x50';
    assert_status(tree_decode(hf_bytes(bomb, BOMB_SIZE), *state, &tree), HF_CORRUPT);
}

static bool is_well_formed_to_msgpuck(const char *data, size_t size)
{
    const char *at = data;
    return mp_check(&at, data + size) == 0 && at == data + size;
}

/* On all bodies of up to two bytes, and of three that begin with an array, a map or a header with a
 * length, the proof says what msgpuck's check says: there its faults (0xc1, counts that wrap)
 * cannot show. */
static void test_proof_agrees_with_msgpuck_on_short_bodies(void **state)
{
    static const unsigned char firsts[] = { 0x81, 0x82, 0x91, 0x92, 0xa1, 0xa2, 0xc4, 0xc7,
                                            0xcd, 0xd1, 0xd4, 0xd9, 0xdc, 0xdd, 0xde, 0xdf };
    (void)state;
    for (unsigned i = 0; i < 0x10000 * (1 + HF_COUNT_OF(firsts)); i++) {
        unsigned char body[3] = { firsts[i >> 16 ? (i >> 16) - 1 : 0], (unsigned char)(i >> 8),
                                  (unsigned char)i };
        if (body[1] == 0xc1 || body[2] == 0xc1) continue;
        const char *data = (const char *)body + (i < 0x10000);
        size_t size = sizeof body - (i < 0x10000);
        bool expected = is_well_formed_to_msgpuck(data, size);
        if (hf_codec_is_well_formed(hf_bytes(data, size)) != expected) {
            fail_msg("%02x %02x %02x", body[0], body[1], body[2]);
        }
    }
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* The message of a refusal names the layout, the place, and what is wrong there. */
static void test_refusals_say_what_and_where(void **state)
{
    assert_corrupt((hf_slice)HF_EMPTY, "tree, byte 0: no bytes", *state);
    assert_corrupt(BYTES("\x82\x00\x05\xc1\x00"), "tree, byte 3: not MessagePack, or cut off",
                   *state);
    assert_corrupt(BYTES("\x81\x00"), "tree, byte 0: not MessagePack, or cut off", *state);
    assert_corrupt(BYTES("\x81\x00\x05\x00"), "tree, byte 3: bytes behind the end", *state);
    assert_corrupt(BYTES("\x90"), "tree, byte 0: no map", *state);
    assert_corrupt(BYTES("\x07"), "tree, byte 0: no map", *state);
}

/* A value of another type than the field's is refused, also one that could be turned into it. */
static void test_other_types_are_refused(void **state)
{
    static const char *const number =
        "tree, byte 2: the field \"number\" (key 0) is no unsigned integer";
    static const char *const bytes = "tree, byte 2: the field \"bytes\" (key 3) is no bin";
    static const char *const text = "tree, byte 2: the field \"text\" (key 7) is no str";
    static const char *const leaves = "tree, byte 2: the field \"leaves\" (key 127) is no array";
    assert_corrupt(BYTES("\x81\x00\xff"), number, *state);
    assert_corrupt(BYTES("\x81\x00\xd0\x05"), number, *state);
    assert_corrupt(BYTES("\x81\x00\xc0"), number, *state);
    assert_corrupt(BYTES("\x81\x00\xc3"), number, *state);
    assert_corrupt(BYTES("\x81\x00\xcb........"), number, *state);
    assert_corrupt(BYTES("\x81\x03\xa1x"), bytes, *state);
    assert_corrupt(BYTES("\x81\x03\x91\x00"), bytes, *state);
    assert_corrupt(BYTES("\x81\x03\xd4t."), bytes, *state);
    assert_corrupt(BYTES("\x81\x07\xc4\x01x"), text, *state);
    assert_corrupt(BYTES("\x81\x07\x05"), text, *state);
    assert_corrupt(BYTES("\x81\x7f\x80"), leaves, *state);
    assert_corrupt(BYTES("\x81\x7f\x05"), leaves, *state);
    assert_corrupt(BYTES("\x81\x7f\x91\x05"), "leaf, byte 3: no map", *state);
}

/* A text that is not UTF-8 is refused. */
static void test_text_is_proved_to_be_utf8(void **state)
{
    struct tree tree;
    assert_status(tree_decode(BYTES("\x81\x07\xa2\xc3\xa9"), *state, &tree), HF_OK);
    assert_status(tree_decode(BYTES("\x81\x07\xa2\xa9\xc3"), *state, &tree), HF_CORRUPT);
    assert_status(tree_decode(BYTES("\x81\x07\xa1\xff"), *state, &tree), HF_CORRUPT);
}

/* A key that stands twice is refused, a key of no field too: one of the two would be believed by
 * chance. */
static void test_double_keys_are_refused(void **state)
{
    static const char *const twice = "tree, byte 4: a key stands here a second time";
    assert_corrupt(BYTES("\x82\x00\x05\x00\x05"), twice, *state);
    assert_corrupt(BYTES("\x82\x40\x05\x40\x05"), twice, *state);
    assert_corrupt(BYTES("\x82\x00\x05\xcc\x00\x05"),
                   "tree, byte 5: a key stands here a second time", *state);
    struct tree tree;
    assert_status(tree_decode(BYTES("\x82\x00\x05\x40\x05"), *state, &tree), HF_OK);
}

/* A required field that is missing or holds nothing is refused, in a list's element as well. */
static void test_required_field_is_refused_when_empty(void **state)
{
    static const char *const missing = "the field \"number\" (key 1) is missing or empty";
    static const hf_slice bodies[] = { HF_SLICE("\x81\x7f\x91\x80"),
                                       HF_SLICE("\x81\x7f\x91\x81\x01\x00"),
                                       HF_SLICE("\x81\x7f\x91\x81\x02\xa1x") };
    for (size_t i = 0; i < HF_COUNT_OF(bodies); i++) {
        struct tree tree;
        hf_error error;
        assert_status(hf_decode(&tree_layout, bodies[i], *state, &tree, &error), HF_CORRUPT);
        assert_non_null(strstr(error.message, missing));
    }
}

/* Nothing of a refused body stays in the struct, and the error may be left out. */
static void test_refused_body_leaves_nothing(void **state)
{
    static const struct tree nothing;
    struct tree tree;
    memset(&tree, 0xa5, sizeof tree);
    hf_status status = hf_decode(&tree_layout, BYTES("\x82\x00\x05\x03\x05"), *state, &tree, NULL);
    assert_status(status, HF_CORRUPT);
    assert_memory_equal(&tree, &nothing, sizeof tree);
}

/* ---- what is skipped ------------------------------------------------------------------------- */

/* Keys that the layout does not know are skipped with whatever value they have, and the fields
 * around them are read. */
static void test_unknown_keys_are_skipped(void **state)
{
    static const hf_slice bodies[] = {
        HF_SLICE("\x83\x00\x05\x01\x06\x07\xa1x"),
        HF_SLICE("\x83\x00\x05\x01\x93\x01\x81\x00\x09\xa1z\x07\xa1x"),
        HF_SLICE("\x83\x00\x05\x7e\xd8t................\x07\xa1x"),
        HF_SLICE("\x83\x00\x05\x7e\x91\x91\x91\x91\x91\x91\x90\x07\xa1x"),
        HF_SLICE("\x83\x00\x05\x01\xcb........\x07\xa1x"),
        HF_SLICE("\x83\x00\x05\x01\xc0\x07\xa1x"),
    };
    for (size_t i = 0; i < HF_COUNT_OF(bodies); i++) {
        struct tree tree;
        assert_status(tree_decode(bodies[i], *state, &tree), HF_OK);
        assert_int_equal(tree.number, 5);
        assert_true(hf_slice_equal(tree.text, hf_text("x")));
    }
}

/* Keys over 127 and keys that are no unsigned integers are skipped, however often they stand there.
 */
static void test_odd_keys_are_skipped(void **state)
{
    static const hf_slice bodies[] = {
        HF_SLICE("\x83\xcc\x80\x01\xcc\x80\x02\x00\x05"),
        HF_SLICE("\x82\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x05"),
        HF_SLICE("\x83\xa1k\x01\xa1k\x91\x02\x00\x05"),
        HF_SLICE("\x82\xff\x01\x00\x05"),
        HF_SLICE("\x82\xd0\x00\x01\x00\x05"),
        HF_SLICE("\x82\x92\x00\x81\x00\x00\x07\x00\x05"),
        HF_SLICE("\x82\xc0\x01\x00\x05"),
    };
    for (size_t i = 0; i < HF_COUNT_OF(bodies); i++) {
        struct tree tree;
        assert_status(tree_decode(bodies[i], *state, &tree), HF_OK);
        assert_int_equal(tree.number, 5);
    }
}

/* Keys in any order, and numbers and headers that are wider than they need be, are read as other
 * writers make them. */
static void test_other_writers_are_read(void **state)
{
    struct tree tree;
    assert_status(tree_decode(BYTES("\xde\x00\x03\x07\xda\x00\x01x\xcd\x00\x03\xc6\x00\x00\x00\x01y"
                                    "\xcc\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x05"),
                              *state, &tree),
                  HF_OK);
    assert_int_equal(tree.number, 5);
    assert_true(hf_slice_equal(tree.text, hf_text("x")));
    assert_true(hf_slice_equal(tree.bytes, hf_text("y")));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void *refuse(void *self, void *block, size_t old_size, size_t new_size)
{
    (void)self;
    (void)block;
    (void)old_size;
    (void)new_size;
    return NULL;
}

/* Without memory, encoding gives no bytes and decoding a list says so; neither asks for more than
 * the bytes can justify. */
static void test_no_memory_is_told(void **state)
{
    static const hf_allocator none = { sizeof none, NULL, refuse };
    struct leaf leaf = { 1, HF_EMPTY };
    struct tree tree = { .leaves = { &leaf, 1 } };
    hf_slice bytes = hf_encode(&tree_layout, &tree, *state);
    struct hf_arena arena;
    hf_arena_init(&arena, &none);
    assert_null(hf_encode(&tree_layout, &tree, &arena).data);
    assert_true(arena.failed);
    hf_arena_reset(&arena);
    assert_status(tree_decode(bytes, &arena, &tree), HF_NO_MEMORY);
    assert_null(tree.leaves.items);
    hf_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_ARENA(test_empty_struct_is_the_empty_map),
        TEST_WITH_ARENA(test_filled_struct_has_these_bytes),
        TEST_WITH_ARENA(test_numbers_of_all_widths_survive),
        TEST_WITH_ARENA(test_lengths_on_both_sides_of_each_header_survive),
        TEST_WITH_ARENA(test_each_format_is_well_formed_only_whole),
        TEST_WITH_ARENA(test_hostile_counts_are_refused),
        TEST_WITH_ARENA(test_depth_is_bounded),
        TEST_WITH_ARENA(test_depth_bomb_is_refused),
        TEST_WITH_ARENA(test_proof_agrees_with_msgpuck_on_short_bodies),
        TEST_WITH_ARENA(test_refusals_say_what_and_where),
        TEST_WITH_ARENA(test_other_types_are_refused),
        TEST_WITH_ARENA(test_text_is_proved_to_be_utf8),
        TEST_WITH_ARENA(test_double_keys_are_refused),
        TEST_WITH_ARENA(test_required_field_is_refused_when_empty),
        TEST_WITH_ARENA(test_refused_body_leaves_nothing),
        TEST_WITH_ARENA(test_unknown_keys_are_skipped),
        TEST_WITH_ARENA(test_odd_keys_are_skipped),
        TEST_WITH_ARENA(test_other_writers_are_read),
        TEST_WITH_ARENA(test_no_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
