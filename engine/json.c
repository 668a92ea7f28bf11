/* The JSON writer. It is no parser, and it does not indent. */
#include "engine/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"

void hf_json_init(struct hf_json *self, const hf_allocator *heap)
{
    hf_assert(heap);
    *self = (struct hf_json){ .heap = heap };
}

void hf_json_release(struct hf_json *self)
{
    hf_heap_free(self->heap, self->text, self->capacity);
    hf_json_init(self, self->heap);
}

void hf_json_reset(struct hf_json *self)
{
    self->size = 0;
    self->needs_comma = false;
    self->failed = false;
}

hf_slice hf_json_written(const struct hf_json *self)
{
    if (self->failed) return (hf_slice)HF_EMPTY;
    return (hf_slice){ self->text, self->size };
}

static void put(struct hf_json *self, const char *data, size_t size)
{
    hf_assert(self->heap);
    while (!self->failed && self->capacity - self->size < size) {
        void *text = self->text;
        self->failed = !hf_heap_grow(self->heap, &text, &self->capacity, 1);
        self->text = text;
    }
    if (self->failed) return;
    memcpy(self->text + self->size, data, size);
    self->size += size;
}

static void value_begin(struct hf_json *self)
{
    if (self->needs_comma) put(self, ",", 1);
    self->needs_comma = true;
}

void hf_json_begin(struct hf_json *self, char bracket)
{
    hf_assert(bracket == '{' || bracket == '[');
    value_begin(self);
    put(self, &bracket, 1);
    self->needs_comma = false;
}

void hf_json_end(struct hf_json *self, char bracket)
{
    hf_assert(bracket == '}' || bracket == ']');
    put(self, &bracket, 1);
    self->needs_comma = true;
}

void hf_json_key(struct hf_json *self, const char *name)
{
    hf_assert(name);
    hf_json_text(self, hf_text(name));
    put(self, ":", 1);
    self->needs_comma = false;
}

void hf_json_number(struct hf_json *self, uint64_t number)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, number);
    hf_assert(size > 0 && (size_t)size < sizeof digits);
    value_begin(self);
    put(self, digits, (size_t)size);
}

void hf_json_boolean(struct hf_json *self, bool is_true)
{
    value_begin(self);
    put(self, is_true ? "true" : "false", is_true ? 4 : 5);
}

/* The code point of the control character at `at` (below U+0020, or U+007F to U+009F), or -1. */
static int control_at(hf_slice text, size_t at)
{
    unsigned char first = (unsigned char)text.data[at];
    if (first < 0x20 || first == 0x7f) return first;
    if (first != 0xc2 || at + 1 == text.size) return -1;
    unsigned char second = (unsigned char)text.data[at + 1];
    return second < 0xa0 ? second : -1;
}

static void hex_put(struct hf_json *self, hf_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    hf_json_begin(self, '{');
    hf_json_key(self, "hex");
    put(self, "\"", 1);
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        put(self, (const char[]){ digits[byte >> 4], digits[byte & 15] }, 2);
    }
    put(self, "\"", 1);
    hf_json_end(self, '}');
}

void hf_json_text(struct hf_json *self, hf_slice text)
{
    if (!hf_slice_is_utf8(text)) {
        hex_put(self, text);
        return;
    }
    value_begin(self);
    put(self, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        int control = control_at(text, i);
        if (control >= 0) {
            char escape[8];
            put(self, escape,
                (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)control));
            if (control >= 0x80) i++;
            continue;
        }
        if (text.data[i] == '"' || text.data[i] == '\\') put(self, "\\", 1);
        put(self, text.data + i, 1);
    }
    put(self, "\"", 1);
}

void hf_json_bytes(struct hf_json *self, hf_slice bytes)
{
    bool is_text = hf_slice_is_utf8(bytes);
    for (size_t i = 0; is_text && i < bytes.size; i++) is_text = control_at(bytes, i) < 0;
    (is_text ? hf_json_text : hex_put)(self, bytes);
}

static void field_put(struct hf_json *self, const struct hf_field *field, const char *member)
{
    uint64_t number;
    hf_slice slice;
    struct hf_list list;
    switch (field->type) {
    case HF_FIELD_NUMBER:
        memcpy(&number, member, sizeof number);
        hf_json_number(self, number);
        return;
    case HF_FIELD_TEXT:
    case HF_FIELD_BYTES:
        memcpy(&slice, member, sizeof slice);
        (field->type == HF_FIELD_TEXT ? hf_json_text : hf_json_bytes)(self, slice);
        return;
    case HF_FIELD_LIST:
        memcpy(&list, member, sizeof list);
        hf_json_begin(self, '[');
        for (size_t i = 0; i < list.count; i++) {
            hf_json_layout(self, field->of, (const char *)list.items + i * field->of->size);
        }
        hf_json_end(self, ']');
        return;
    }
    HF_UNREACHABLE("a layout has a field of an unknown type");
}

void hf_json_layout(struct hf_json *self, const struct hf_layout *layout, const void *value)
{
    hf_json_begin(self, '{');
    for (size_t i = 0; i < layout->fields_count; i++) {
        const struct hf_field *field = &layout->fields[i];
        const char *member = (const char *)value + field->offset;
        if (self->field && self->field(self->field_self, self, layout, field, member)) continue;
        hf_json_key(self, field->name);
        field_put(self, field, member);
    }
    hf_json_end(self, '}');
}
