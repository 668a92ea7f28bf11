/* Names of the status codes, and the one place where an hf_error is filled. */
#include "engine/base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/assert.h"

_Static_assert(sizeof(void *) != 8 || sizeof(hf_error) == 512, "hf_error is 512 bytes for ever");

const char *hf_status_name(hf_status status)
{
    switch ((enum hf_status_code)status) {
#define NAME(code)                                                                                 \
    case code: return #code
        NAME(HF_OK);
        NAME(HF_FAILED);
        NAME(HF_CANCELLED);
        NAME(HF_TIMEOUT);
        NAME(HF_SESSION_CLOSED);
        NAME(HF_SESSION_LOST);
        NAME(HF_INVALID);
        NAME(HF_NOT_FOUND);
        NAME(HF_EXISTS);
        NAME(HF_STILL_RUNNING);
        NAME(HF_BUSY);
        NAME(HF_NO_MEMORY);
        NAME(HF_IO);
        NAME(HF_DISK_FULL);
        NAME(HF_CORRUPT);
        NAME(HF_FORMAT_NEWER);
        NAME(HF_NOT_A_STORE);
        NAME(HF_UNSAFE_DIRECTORY);
        NAME(HF_WORKER_ALIVE);
        NAME(HF_FORKED);
        NAME(HF_STORE_FAILED);
        NAME(HF_CLOSED);
        NAME(HF_TOO_LARGE);
        NAME(HF_NONDETERMINISM);
        NAME(HF_STALE);
        NAME(HF_UNKNOWN);
        NAME(HF_ALREADY_OPEN);
#undef NAME
    }
    return "HF_?";
}

uint32_t hf_version(void)
{
    return (uint32_t)HF_VERSION_MAJOR << 16 | (uint32_t)HF_VERSION_MINOR << 8 | HF_VERSION_PATCH;
}

void hf_error_clear(hf_error *error)
{
    if (error) *error = (hf_error){ 0 };
}

static void error_fill(hf_error *error, hf_status status, const char *format, va_list arguments)
    HF_PRINTF(3, 0);

static void error_fill(hf_error *error, hf_status status, const char *format, va_list arguments)
{
    hf_assert(status != HF_OK);
    if (!error) return;
    hf_error_clear(error);
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, arguments);
}

hf_status hf_error_set(hf_error *error, hf_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_fill(error, status, format, arguments);
    va_end(arguments);
    return status;
}

hf_status hf_error_system(hf_error *error, hf_status status, int system_error, const char *format,
                          ...)
{
    va_list arguments;
    if (system_error == ENOMEM) status = HF_NO_MEMORY;
    va_start(arguments, format);
    error_fill(error, status, format, arguments);
    va_end(arguments);
    if (error) error->system_error = system_error;
    return status;
}

hf_status hf_error_corrupt(hf_error *error, uint64_t lsn, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_fill(error, HF_CORRUPT, format, arguments);
    va_end(arguments);
    if (error) error->lsn = lsn;
    return HF_CORRUPT;
}

void hf_error_code(hf_error *error, const char *code)
{
    if (error) hf_text_copy(error->code, sizeof error->code, hf_text(code));
}

void hf_text_copy(char *field, size_t field_size, hf_slice text)
{
    hf_assert(field_size > 0);
    size_t size = text.size < field_size ? text.size : field_size - 1;
    while (size > 0 && size < text.size && ((unsigned char)text.data[size] & 0xc0) == 0x80) size--;
    if (size > 0) memcpy(field, text.data, size);
    field[size] = '\0';
}
