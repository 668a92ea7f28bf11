/* The table-driven codec. It knows layouts, not what they mean: which fields a kind of event needs
 * is event.c's matter.
 *
 *   body  := map { key: value, ... }         keys as smallest unsigned integers, by rising key
 *   value := uint | bin | str | array [ body, ... ]
 *
 * Laws:
 *  1. Bytes are proved before they are read: value_end() walks the whole body without recursion,
 *     and only behind that do msgpuck's decoders run, each after a look at the type. msgpuck's own
 *     mp_check and mp_next count in an int that wraps: they are never used.
 *  2. Functions here recurse over layouts, which are static tables a few levels deep, never over
 *     what the bytes say.
 *  3. A list's memory is taken after the proof that its elements stand in the body: bytes bound it.
 *  4. What hf_encode writes, hf_decode reads: a field that decoding would refuse is our error,
 *     asserted when writing. */
#include "engine/codec.h"

#include <string.h>

#include <msgpuck.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"

enum { KEY_MAX = 127, KEYS_PER_WORD = 64, NEVER_USED = 0xc1 };

/* ---- the proof ------------------------------------------------------------------------------- */

/* How a value goes on behind its first byte. */
struct form {
    uint8_t length_size;   /* bytes of its big-endian length or count */
    uint8_t fixed_size;    /* bytes behind that, whatever the length */
    uint8_t elements_each; /* 0: the length counts bytes; 1: values; 2: pairs of values */
    uint8_t short_length;  /* the length, when the first byte holds it */
};

static struct form form_of(unsigned char first)
{
    /* c0 nil, -, false, true; c4 bin; c7 ext; ca floats; cc unsigned;
     * d0 signed; d4 ext of a fixed size; d9 str; dc array; de map. An ext has a byte of type. */
    static const uint8_t length_sizes[] = { 0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0,
                                            0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4 };
    static const uint8_t fixed_sizes[] = { 0, 0, 0, 0, 0, 0, 0, 1, 1,  1, 4, 8, 1, 2, 4, 8,
                                           1, 2, 4, 8, 2, 3, 5, 9, 17, 0, 0, 0, 0, 0, 0, 0 };
    _Static_assert(sizeof length_sizes == 0x20 && sizeof fixed_sizes == 0x20, "for c0 to df");
    if (first < 0x80 || first >= 0xe0) return (struct form){ 0 };
    if (first < 0x90) return (struct form){ .elements_each = 2, .short_length = first & 0x0f };
    if (first < 0xa0) return (struct form){ .elements_each = 1, .short_length = first & 0x0f };
    if (first < 0xc0) return (struct form){ .short_length = first & 0x1f };
    uint8_t elements_each = first >= 0xde ? 2 : first >= 0xdc ? 1 : 0;
    return (struct form){ length_sizes[first & 0x1f], fixed_sizes[first & 0x1f], elements_each, 0 };
}

/* One value without its elements. */
struct head {
    size_t size;             /* bytes until its elements, or until its end */
    uint64_t elements_count; /* values that follow and belong to it */
    bool has_elements;       /* an array or a map, an empty one too */
};

/* False when what is left cannot hold the value, or when its type does not exist. */
static bool head_read(const unsigned char *at, size_t left, struct head *out_head)
{
    if (left == 0 || at[0] == NEVER_USED) return false;
    struct form form = form_of(at[0]);
    size_t size = 1u + form.length_size;
    if (left < size) return false;
    uint64_t length = form.short_length;
    for (size_t i = 1; i < size; i++) length = length << 8 | at[i];
    uint64_t elements_count = length * form.elements_each;
    uint64_t body_size = form.fixed_size + (form.elements_each ? 0 : length);
    if (elements_count > left - size || body_size > left - size) return false;
    *out_head = (struct head){ size + (size_t)body_size, elements_count, form.elements_each > 0 };
    return true;
}

/* Walks from *at over one whole value. True: *at is its end. False: there is none, and *at is the
 * place of the damage. */
static bool value_end(const char **at, const char *end)
{
    uint64_t open[HF_CODEC_DEPTH_MAX]; /* values still to come in each open array and map */
    size_t depth = 0;
    do {
        struct head head;
        hf_assert(*at <= end);
        if (!head_read((const unsigned char *)*at, (size_t)(end - *at), &head)) return false;
        if (head.has_elements && depth == HF_CODEC_DEPTH_MAX) return false;
        *at += head.size;
        if (depth > 0) open[depth - 1]--;
        if (head.has_elements) open[depth++] = head.elements_count;
        while (depth > 0 && open[depth - 1] == 0) depth--;
    } while (depth > 0);
    return true;
}

bool hf_codec_is_well_formed(hf_slice bytes)
{
    const char *at = bytes.data;
    if (bytes.size == 0) return false;
    return value_end(&at, bytes.data + bytes.size) && at == bytes.data + bytes.size;
}

/* ---- fields of a struct ---------------------------------------------------------------------- */

static uint64_t field_number(const struct hf_field *field, const void *value)
{
    hf_assert(field->type == HF_FIELD_NUMBER);
    uint64_t number;
    memcpy(&number, (const char *)value + field->offset, sizeof number);
    return number;
}

static hf_slice field_slice(const struct hf_field *field, const void *value)
{
    hf_assert(field->type == HF_FIELD_BYTES || field->type == HF_FIELD_TEXT);
    hf_slice slice;
    memcpy(&slice, (const char *)value + field->offset, sizeof slice);
    return slice;
}

static struct hf_list field_list(const struct hf_field *field, const void *value)
{
    hf_assert(field->type == HF_FIELD_LIST && field->of);
    struct hf_list list;
    memcpy(&list, (const char *)value + field->offset, sizeof list);
    return list;
}

static bool field_is_empty(const struct hf_field *field, const void *value)
{
    switch (field->type) {
    case HF_FIELD_NUMBER: return field_number(field, value) == 0;
    case HF_FIELD_BYTES:
    case HF_FIELD_TEXT: return field_slice(field, value).size == 0;
    case HF_FIELD_LIST: return field_list(field, value).count == 0;
    }
    HF_UNREACHABLE("a layout has a field of an unknown type");
}

/* ---- encoding -------------------------------------------------------------------------------- */

static const void *list_item(const struct hf_field *field, const struct hf_list *list, size_t index)
{
    hf_assert(index < list->count);
    return (const char *)list->items + index * field->of->size;
}

static uint32_t fields_written_count(const struct hf_layout *layout, const void *value)
{
    uint32_t count = 0;
    for (size_t i = 0; i < layout->fields_count; i++) {
        bool is_empty = field_is_empty(&layout->fields[i], value);
        hf_assert(!(is_empty && layout->fields[i].required)); /* law 4 */
        if (!is_empty) count++;
    }
    return count;
}

static size_t map_size(const struct hf_layout *layout, const void *value);

static size_t field_size(const struct hf_field *field, const void *value)
{
    if (field->type == HF_FIELD_NUMBER) return mp_sizeof_uint(field_number(field, value));
    if (field->type == HF_FIELD_LIST) {
        struct hf_list list = field_list(field, value);
        hf_assert(list.count <= UINT32_MAX);
        size_t size = mp_sizeof_array((uint32_t)list.count);
        for (size_t i = 0; i < list.count; i++) {
            size += map_size(field->of, list_item(field, &list, i));
        }
        return size;
    }
    hf_slice slice = field_slice(field, value);
    hf_assert(slice.size <= UINT32_MAX);
    if (field->type == HF_FIELD_BYTES) return mp_sizeof_binl((uint32_t)slice.size) + slice.size;
    hf_assert(hf_slice_is_utf8(slice)); /* law 4 */
    return mp_sizeof_strl((uint32_t)slice.size) + slice.size;
}

static size_t map_size(const struct hf_layout *layout, const void *value)
{
    size_t size = mp_sizeof_map(fields_written_count(layout, value));
    for (size_t i = 0; i < layout->fields_count; i++) {
        const struct hf_field *field = &layout->fields[i];
        hf_assert(field->key <= KEY_MAX && (i == 0 || field->key > field[-1].key));
        if (field_is_empty(field, value)) continue;
        size += mp_sizeof_uint(field->key) + field_size(field, value);
    }
    return size;
}

static char *map_write(char *to, const struct hf_layout *layout, const void *value);

static char *field_write(char *to, const struct hf_field *field, const void *value)
{
    if (field->type == HF_FIELD_NUMBER) return mp_encode_uint(to, field_number(field, value));
    if (field->type == HF_FIELD_LIST) {
        struct hf_list list = field_list(field, value);
        to = mp_encode_array(to, (uint32_t)list.count);
        for (size_t i = 0; i < list.count; i++) {
            to = map_write(to, field->of, list_item(field, &list, i));
        }
        return to;
    }
    hf_slice slice = field_slice(field, value);
    uint32_t size = (uint32_t)slice.size;
    if (field->type == HF_FIELD_BYTES) return mp_encode_bin(to, slice.data, size);
    return mp_encode_str(to, slice.data, size);
}

static char *map_write(char *to, const struct hf_layout *layout, const void *value)
{
    to = mp_encode_map(to, fields_written_count(layout, value));
    for (size_t i = 0; i < layout->fields_count; i++) {
        const struct hf_field *field = &layout->fields[i];
        if (field_is_empty(field, value)) continue;
        to = mp_encode_uint(to, field->key);
        to = field_write(to, field, value);
    }
    return to;
}

hf_slice hf_encode(const struct hf_layout *layout, const void *value, struct hf_arena *arena)
{
    size_t size = map_size(layout, value);
    char *data = hf_arena_new(arena, size);
    if (!data) return (hf_slice)HF_EMPTY;
    const char *end = map_write(data, layout, value);
    hf_assert(end == data + size);
    return (hf_slice){ data, size };
}

/* ---- decoding -------------------------------------------------------------------------------- */

/* A proved body, read from its first byte to its last. */
struct decoder {
    const char *begin;
    const char *at;
    const char *end;
    struct hf_arena *arena;
    hf_error *error;
};

static enum mp_type type_here(const struct decoder *self)
{
    hf_assert(self->at < self->end); /* law 1: the proof found a value here */
    return mp_typeof(*self->at);
}

static void value_skip(struct decoder *self)
{
    bool is_whole = value_end(&self->at, self->end);
    hf_assert(is_whole);
}

static hf_status damaged(const struct decoder *self, const struct hf_layout *layout,
                         const char *what)
{
    return hf_error_corrupt(self->error, 0, "%s, byte %zu: %s", layout->name,
                            (size_t)(self->at - self->begin), what);
}

static hf_status field_damaged(const struct decoder *self, const struct hf_layout *layout,
                               const struct hf_field *field, const char *what)
{
    return hf_error_corrupt(self->error, 0, "%s, byte %zu: the field \"%s\" (key %u) %s",
                            layout->name, (size_t)(self->at - self->begin), field->name,
                            (unsigned)field->key, what);
}

static hf_status map_read(struct decoder *self, const struct hf_layout *layout, void *out_value);

static hf_status list_read(struct decoder *self, const struct hf_field *field,
                           struct hf_list *out_list)
{
    size_t count = mp_decode_array(&self->at);
    hf_assert(count <= (size_t)(self->end - self->at)); /* law 3 */
    if (count == 0) return HF_OK;
    char *items = hf_arena_array(self->arena, count, field->of->size);
    if (!items) {
        return hf_error_set(self->error, HF_NO_MEMORY, "no memory for %zu elements of %s", count,
                            field->of->name);
    }
    for (size_t i = 0; i < count; i++) {
        hf_status status = map_read(self, field->of, items + i * field->of->size);
        if (status != HF_OK) return status;
    }
    *out_list = (struct hf_list){ items, count };
    return HF_OK;
}

/* Reads the value of a field whose type was looked at. Returns what is wrong with it, or NULL. */
static const char *scalar_read(struct decoder *self, const struct hf_field *field, char *member)
{
    if (field->type == HF_FIELD_NUMBER) {
        uint64_t number = mp_decode_uint(&self->at);
        memcpy(member, &number, sizeof number);
        return NULL;
    }
    uint32_t size = 0;
    const char *data = mp_decode_strbin(&self->at, &size);
    hf_slice slice = { data, size };
    if (field->type == HF_FIELD_TEXT && !hf_slice_is_utf8(slice)) return "is not UTF-8";
    memcpy(member, &slice, sizeof slice);
    return NULL;
}

static hf_status field_read(struct decoder *self, const struct hf_layout *layout,
                            const struct hf_field *field, void *out_value)
{
    static const struct {
        enum mp_type type;
        const char *otherwise;
    } expected[] = {
        [HF_FIELD_NUMBER] = { MP_UINT, "is no unsigned integer" },
        [HF_FIELD_BYTES] = { MP_BIN, "is no bin" },
        [HF_FIELD_TEXT] = { MP_STR, "is no str" },
        [HF_FIELD_LIST] = { MP_ARRAY, "is no array" },
    };
    hf_assert(field->type >= HF_FIELD_NUMBER && field->type <= HF_FIELD_LIST);
    if (type_here(self) != expected[field->type].type) {
        return field_damaged(self, layout, field, expected[field->type].otherwise);
    }
    char *member = (char *)out_value + field->offset;
    if (field->type == HF_FIELD_LIST) {
        return list_read(self, field, (struct hf_list *)(void *)member);
    }
    const char *wrong = scalar_read(self, field, member);
    return wrong ? field_damaged(self, layout, field, wrong) : HF_OK;
}

static const struct hf_field *field_of_key(const struct hf_layout *layout, uint64_t key)
{
    for (size_t i = 0; i < layout->fields_count; i++) {
        if (layout->fields[i].key == key) return &layout->fields[i];
    }
    return NULL;
}

/* Reads a key and its value. `seen` has a bit for each key of this map so far. */
static hf_status pair_read(struct decoder *self, const struct hf_layout *layout, void *out_value,
                           uint64_t *seen)
{
    uint64_t key = UINT64_MAX;
    if (type_here(self) == MP_UINT) {
        key = mp_decode_uint(&self->at);
    } else {
        value_skip(self);
    }
    if (key <= KEY_MAX) {
        uint64_t bit = (uint64_t)1 << (key % KEYS_PER_WORD);
        uint64_t *word = &seen[key / KEYS_PER_WORD];
        if (*word & bit) return damaged(self, layout, "a key stands here a second time");
        *word |= bit;
        const struct hf_field *field = field_of_key(layout, key);
        if (field) return field_read(self, layout, field, out_value);
    }
    value_skip(self);
    return HF_OK;
}

static hf_status map_read(struct decoder *self, const struct hf_layout *layout, void *out_value)
{
    uint64_t seen[(KEY_MAX + 1) / KEYS_PER_WORD] = { 0 };
    if (type_here(self) != MP_MAP) return damaged(self, layout, "no map");
    uint32_t count = mp_decode_map(&self->at);
    for (uint32_t i = 0; i < count; i++) {
        hf_status status = pair_read(self, layout, out_value, seen);
        if (status != HF_OK) return status;
    }
    for (size_t i = 0; i < layout->fields_count; i++) {
        const struct hf_field *field = &layout->fields[i];
        if (field->required && field_is_empty(field, out_value)) {
            return field_damaged(self, layout, field, "is missing or empty");
        }
    }
    return HF_OK;
}

hf_status hf_decode(const struct hf_layout *layout, hf_slice bytes, struct hf_arena *arena,
                    void *out_value, hf_error *error)
{
    memset(out_value, 0, layout->size);
    if (bytes.size == 0) return hf_error_corrupt(error, 0, "%s, byte 0: no bytes", layout->name);
    struct decoder self = { bytes.data, bytes.data, bytes.data + bytes.size, arena, error };
    if (!value_end(&self.at, self.end)) {
        return damaged(&self, layout, "not MessagePack, or cut off");
    }
    if (self.at != self.end) return damaged(&self, layout, "bytes behind the end");
    self.at = self.begin;
    hf_status status = map_read(&self, layout, out_value);
    hf_assert(status != HF_OK || self.at == self.end);
    if (status != HF_OK) memset(out_value, 0, layout->size);
    return status;
}
