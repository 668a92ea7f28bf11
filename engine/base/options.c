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

/* The size that a user's struct begins with. */
static hf_status size_read(const void *options, size_t *out_size, hf_error *error)
{
    enum { SIZE_MAX_SANE = 64 * 1024 };
    memcpy(out_size, options, sizeof *out_size);
    if (*out_size >= sizeof *out_size && *out_size <= SIZE_MAX_SANE) return HF_OK;
    return hf_error_set(error, HF_INVALID,
                        "a struct of options gives %zu as its size: make it with HF_INIT or "
                        "HF_WITH",
                        *out_size);
}

hf_status hf_options_copy(void *to, size_t to_size, const void *from, hf_error *error)
{
    size_t size = 0;
    hf_assert(to_size >= sizeof size);
    memset(to, 0, to_size);
    if (from) {
        hf_status status = size_read(from, &size, error);
        if (status != HF_OK) return status;
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

hf_status hf_options_fill(void *to, const void *from, size_t from_size, hf_error *error)
{
    size_t size = 0;
    hf_assert(from_size >= sizeof size);
    hf_status status = size_read(to, &size, error);
    if (status != HF_OK) return status;
    memset(to, 0, size);
    memcpy(to, from, size < from_size ? size : from_size);
    memcpy(to, &size, sizeof size);
    return HF_OK;
}
