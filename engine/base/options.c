/* Copying a user's options: what is shorter is filled up, what is longer must say nothing. */
#include "engine/base/options.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"

/* Whether all bytes are zero. */
static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) return false;
    }
    return true;
}

hf_status hf_options_copy(void *to, size_t to_size, const void *from, hf_error *error)
{
    enum { SIZE_MAX_SANE = 64 * 1024 };
    size_t size = 0;
    hf_assert(to_size >= sizeof size);
    memset(to, 0, to_size);
    if (from) {
        memcpy(&size, from, sizeof size);
        if (size < sizeof size || size > SIZE_MAX_SANE) {
            return hf_error_set(
                error, HF_INVALID,
                "a struct of options gives %zu as its size: make it with HF_INIT or "
                "HF_WITH",
                size);
        }
        if (size > to_size && !is_zero((const unsigned char *)from + to_size, size - to_size)) {
            return hf_error_set(error, HF_INVALID,
                                "an option is set that holdfast %d.%d.%d does not know: use the "
                                "header of this version, or a newer library",
                                HF_VERSION_MAJOR, HF_VERSION_MINOR, HF_VERSION_PATCH);
        }
        memcpy(to, from, size < to_size ? size : to_size);
    }
    memcpy(to, &to_size, sizeof to_size);
    return HF_OK;
}
