/* Values of any layout, and what every layout must stand. Blocks are of their exact size, so that a
 * sanitizer sees any step beyond them. */
#include "tests/unit/engine/layouts.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/hf_test.h"

enum { SLICE_SIZE_MAX = 80, FILL_STEP = 7 };

int arena_setup(void **state)
{
    struct hf_arena *arena = hf_heap_new(hf_heap_default(), sizeof *arena);
    if (!arena) return -1;
    hf_arena_init(arena, hf_heap_default());
    *state = arena;
    return 0;
}

int arena_teardown(void **state)
{
    struct hf_arena *arena = *state;
    hf_arena_release(arena);
    hf_heap_free(hf_heap_default(), arena, sizeof *arena);
    return 0;
}

static hf_slice text_make(unsigned n, struct hf_arena *arena)
{
    char text[SLICE_SIZE_MAX];
    int size = snprintf(text, sizeof text, "text %u \xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d", n);
    hf_slice copy = hf_arena_copy(arena, hf_bytes(text, (size_t)size));
    assert_non_null(copy.data);
    return copy;
}

static hf_slice bytes_make(unsigned n, struct hf_arena *arena)
{
    size_t size = 1 + n * 5 % SLICE_SIZE_MAX;
    char *data = hf_arena_new(arena, size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++) data[i] = (char)(n * 0x55 + i * 0x33);
    return hf_bytes(data, size);
}

static void fill(const struct hf_layout *layout, void *value, struct hf_arena *arena, unsigned n);

static struct hf_list list_make(const struct hf_layout *of, struct hf_arena *arena, unsigned n)
{
    struct hf_list list = { NULL, 1 + n % 3 };
    list.items = hf_arena_array(arena, list.count, of->size);
    assert_non_null(list.items);
    for (size_t i = 0; i < list.count; i++) {
        fill(of, (char *)list.items + i * of->size, arena, n + (unsigned)i * FILL_STEP);
    }
    return list;
}

static void fill(const struct hf_layout *layout, void *value, struct hf_arena *arena, unsigned n)
{
    memset(value, 0, layout->size);
    for (size_t i = 0; i < layout->fields_count; i++) {
        const struct hf_field *field = &layout->fields[i];
        void *member = (char *)value + field->offset;
        unsigned own = n + (unsigned)i + 1;
        if (field->type == HF_FIELD_NUMBER) {
            *(uint64_t *)member = (uint64_t)1 << (own * FILL_STEP % 64) | own;
        } else if (field->type == HF_FIELD_TEXT) {
            *(hf_slice *)member = text_make(own, arena);
        } else if (field->type == HF_FIELD_BYTES) {
            *(hf_slice *)member = bytes_make(own, arena);
        } else {
            *(struct hf_list *)member = list_make(field->of, arena, own);
        }
    }
}

void layout_fill(const struct hf_layout *layout, void *value, struct hf_arena *arena)
{
    fill(layout, value, arena, 0);
}

static bool list_equal(const struct hf_layout *of, const struct hf_list *a, const struct hf_list *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        const char *item_a = (const char *)a->items + i * of->size;
        const char *item_b = (const char *)b->items + i * of->size;
        if (!layout_equal(of, item_a, item_b)) return false;
    }
    return true;
}

static bool field_equal(const struct hf_field *field, const void *a, const void *b)
{
    if (field->type == HF_FIELD_NUMBER) return *(const uint64_t *)a == *(const uint64_t *)b;
    if (field->type == HF_FIELD_LIST) return list_equal(field->of, a, b);
    return hf_slice_equal(*(const hf_slice *)a, *(const hf_slice *)b);
}

bool layout_equal(const struct hf_layout *layout, const void *a, const void *b)
{
    for (size_t i = 0; i < layout->fields_count; i++) {
        const struct hf_field *field = &layout->fields[i];
        const void *member_a = (const char *)a + field->offset;
        const void *member_b = (const char *)b + field->offset;
        if (!field_equal(field, member_a, member_b)) return false;
    }
    return true;
}

size_t layout_fields_size(const struct hf_layout *layout)
{
    size_t size = 0;
    for (size_t i = 0; i < layout->fields_count; i++) {
        enum hf_field_type type = layout->fields[i].type;
        size += type == HF_FIELD_NUMBER ? sizeof(uint64_t)
                : type == HF_FIELD_LIST ? sizeof(struct hf_list)
                                        : sizeof(hf_slice);
    }
    return size;
}

hf_slice layout_round_trip(const struct hf_layout *layout, const void *value,
                           struct hf_arena *arena)
{
    hf_error error;
    hf_slice bytes = hf_encode(layout, value, arena);
    assert_non_null(bytes.data);
    assert_true(hf_codec_is_well_formed(bytes));
    void *decoded = hf_arena_new(arena, layout->size);
    assert_non_null(decoded);
    memset(decoded, 0xa5, layout->size);
    assert_ok(hf_decode(layout, bytes, arena, decoded, &error), &error);
    assert_true(layout_equal(layout, value, decoded));
    return bytes;
}

/* Decodes a copy of bytes in a block of its own, and what decodes a second time from its canonical
 * form. */
static hf_status decode_twice(const struct hf_layout *layout, hf_slice bytes)
{
    const hf_allocator *heap = hf_heap_default();
    struct hf_arena arena;
    hf_arena_init(&arena, heap);
    char *copy = hf_heap_new(heap, bytes.size ? bytes.size : 1);
    void *value = hf_heap_new(heap, layout->size);
    assert_non_null(copy);
    assert_non_null(value);
    if (bytes.size > 0) memcpy(copy, bytes.data, bytes.size);
    hf_error error = { 0 };
    hf_status status = hf_decode(layout, hf_bytes(copy, bytes.size), &arena, value, &error);
    assert_int_equal(error.status, status);
    if (status == HF_OK) layout_round_trip(layout, value, &arena);
    hf_heap_free(heap, value, layout->size);
    hf_heap_free(heap, copy, bytes.size ? bytes.size : 1);
    hf_arena_release(&arena);
    return status;
}

void layout_refuses_prefixes(const struct hf_layout *layout, hf_slice bytes)
{
    for (size_t size = 0; size < bytes.size; size++) {
        assert_status(decode_twice(layout, hf_bytes(bytes.data, size)), HF_CORRUPT);
    }
}

size_t layout_survives_mutations(const struct hf_layout *layout, hf_slice bytes)
{
    static const unsigned char hostile[] = { 0x00, 0x80, 0x90, 0xc1, 0xc4, 0xc6, 0xcf, 0xd9,
                                             0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xff, 0x01, 0x7f };
    const hf_allocator *heap = hf_heap_default();
    unsigned char *changed = hf_heap_new(heap, bytes.size);
    assert_non_null(changed);
    memcpy(changed, bytes.data, bytes.size);
    size_t decoded_count = 0;
    for (size_t at = 0; at < bytes.size; at++) {
        unsigned char kept = changed[at];
        for (unsigned i = 0; i < 8 + HF_COUNT_OF(hostile); i++) {
            changed[at] = (unsigned char)(i < 8 ? kept ^ 1u << i : hostile[i - 8]);
            hf_status status = decode_twice(layout, hf_bytes(changed, bytes.size));
            if (status != HF_OK) assert_status(status, HF_CORRUPT);
            decoded_count += status == HF_OK;
        }
        changed[at] = kept;
    }
    hf_heap_free(heap, changed, bytes.size);
    return decoded_count;
}
