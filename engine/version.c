/* Versions of orchestrations as numbers. */
#include "engine/version.h"

#include "engine/base/assert.h"
#include "engine/base/status.h"

/* Reads one number at the start of *text and takes it off; false: there is none, or it is no number
 * of 32 bits. */
static bool number_take(hf_slice *text, uint32_t *out_number)
{
    uint64_t number = 0;
    size_t size = 0;
    while (size < text->size && text->data[size] >= '0' && text->data[size] <= '9') {
        number = number * 10 + (uint64_t)(text->data[size] - '0');
        if (number > UINT32_MAX) return false;
        size++;
    }
    bool has_leading_zero = size > 1 && text->data[0] == '0';
    if (size == 0 || has_leading_zero) return false;
    *out_number = (uint32_t)number;
    *text = hf_bytes(text->data + size, text->size - size);
    return true;
}

static bool point_take(hf_slice *text)
{
    if (text->size == 0 || text->data[0] != '.') return false;
    *text = hf_bytes(text->data + 1, text->size - 1);
    return true;
}

hf_status hf_version_parse(hf_slice text, const char *what, struct hf_version *out_version,
                           hf_error *error)
{
    struct hf_version version;
    hf_slice rest = text;
    hf_assert(what);
    bool is_one = number_take(&rest, &version.numbers[0]) && point_take(&rest) &&
                  number_take(&rest, &version.numbers[1]) && point_take(&rest) &&
                  number_take(&rest, &version.numbers[2]) && rest.size == 0;
    if (!is_one) {
        return hf_error_set(error, HF_INVALID,
                            "the %s \"%.*s\" is no version: give three numbers, as \"1.2.0\"", what,
                            (int)(text.size < 40 ? text.size : 40), text.data ? text.data : "");
    }
    *out_version = version;
    return HF_OK;
}

int hf_version_compare(const struct hf_version *a, const struct hf_version *b)
{
    for (size_t i = 0; i < 3; i++) {
        if (a->numbers[i] != b->numbers[i]) return a->numbers[i] < b->numbers[i] ? -1 : 1;
    }
    return 0;
}
