/* hf_store_open: the one place of this room that names the store behind the contract. */
#include "engine/base/status.h"
#include "runtime/store.h"

static hf_status open_directory(void *self, const struct hf_backend_options *options,
                                struct hf_backend **out_backend, hf_error *error)
{
    const char *directory = self;
    return hf_backend_open(directory, options, out_backend, error);
}

hf_status hf_store_open(const char *directory, const hf_store_options *options,
                        hf_store **out_store, hf_error *error)
{
    if (!directory || directory[0] == '\0') {
        return hf_error_set(error, HF_INVALID, "no directory is named: give the path of the store");
    }
    const struct hf__store_setup setup = { .open = open_directory, .self = (void *)directory };
    return hf__store_open_with(&setup, options, out_store, error);
}
