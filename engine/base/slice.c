/* Slices and the rules for ids. */
#include "engine/base/slice.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"

hf_slice hf_text(const char *text)
{
    return (hf_slice){ text, text ? strlen(text) : 0 };
}

hf_slice hf_bytes(const void *data, size_t size)
{
    hf_assert(data || size == 0);
    return (hf_slice){ data, size };
}

bool hf_slice_equal(hf_slice a, hf_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int hf_slice_compare(hf_slice a, hf_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order != 0) return order;
    return (a.size > b.size) - (a.size < b.size);
}

bool hf_slice_to_i64(hf_slice slice, int64_t *out_value)
{
    size_t at = slice.size > 0 && slice.data[0] == '-';
    bool negative = at == 1;
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    uint64_t value = 0;
    if (at == slice.size) return false;
    for (; at < slice.size; at++) {
        if (slice.data[at] < '0' || slice.data[at] > '9') return false;
        uint64_t digit = (uint64_t)(slice.data[at] - '0');
        if (value > (limit - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* The size of the well-formed character at data, or 0. */
static size_t utf8_size(const unsigned char *data, size_t left)
{
    static const unsigned char low[] = { 0x80, 0xa0, 0x90 };
    unsigned char first = data[0];
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size == 0 || first > 0xf4 || size > left) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((data[i] & 0xc0) != 0x80) return 0;
    }
    if (first == 0xe0 && data[1] < low[1]) return 0;
    if (first == 0xed && data[1] > 0x9f) return 0;
    if (first == 0xf0 && data[1] < low[2]) return 0;
    if (first == 0xf4 && data[1] > 0x8f) return 0;
    return size;
}

bool hf_slice_is_utf8(hf_slice slice)
{
    const unsigned char *data = (const unsigned char *)slice.data;
    for (size_t at = 0; at < slice.size;) {
        size_t size = utf8_size(data + at, slice.size - at);
        if (size == 0) return false;
        at += size;
    }
    return true;
}

hf_status hf_id_check(const char *id, const char *what, hf_error *error)
{
    size_t size = id ? strnlen(id, HF_ID_SIZE_MAX + 1) : 0;
    if (size == 0) {
        return hf_error_set(error, HF_INVALID, "the %s is empty: give 1 to 255 bytes", what);
    }
    if (size > HF_ID_SIZE_MAX) {
        return hf_error_set(error, HF_INVALID, "the %s \"%.40s...\" has over 255 bytes: shorten it",
                            what, id);
    }
    if (!hf_slice_is_utf8(hf_bytes(id, size))) {
        return hf_error_set(error, HF_INVALID, "the %s is not UTF-8: give 1 to 255 bytes of UTF-8",
                            what);
    }
    return HF_OK;
}

hf_status hf_name_check(const char *name, const char *what, hf_error *error)
{
    static const char reserved[] = "holdfast.";
    hf_status status = hf_id_check(name, what, error);
    if (status != HF_OK || strncmp(name, reserved, sizeof reserved - 1) != 0) return status;
    return hf_error_set(error, HF_INVALID,
                        "the %s \"%.100s\" is reserved: names that begin with \"%s\" are the "
                        "library's own",
                        what, name, reserved);
}
