/* Options that users fill in: structs that begin with their own size, so that a program built
 * against an older or a newer header works with this library. */
#ifndef HF_BASE_OPTIONS_H
#define HF_BASE_OPTIONS_H

#include "engine/base/compiler.h"

/* Copies a user's options, which begin with their size, into `to` of to_size bytes, whose own first
 * size_t becomes to_size; `from` NULL or shorter: the rest is zero. Errors: HF_INVALID: the size is
 * none, or fields that this library does not know are set. */
HF_MUST_CHECK hf_status hf_options_copy(void *to, size_t to_size, const void *from,
                                        hf_error *error);
/* The way back: fills the struct that a user gave for an answer, which begins with its size, and
 * writes nothing behind that; what this library does not know is zero. Errors: as above. */
HF_MUST_CHECK hf_status hf_options_fill(void *to, const void *from, size_t from_size,
                                        hf_error *error);

#endif
