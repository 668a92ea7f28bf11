/* Assertions about ourselves, never about bytes from disk, network or callers: those are errors.
 * They stay on in release. */
#ifndef HF_BASE_ASSERT_H
#define HF_BASE_ASSERT_H

#include "engine/base/compiler.h"

/* Ends the process when `condition` is false: the program, not its data, is wrong. */
#define hf_assert(condition)                                                                       \
    ((condition) ? (void)0 : hf_assert_failed(#condition, __FILE__, __LINE__))

/* Marks a place that no correct program reaches. */
#define HF_UNREACHABLE(why) hf_assert_failed(why, __FILE__, __LINE__)

/* Says what failed and where on standard error, and aborts. */
HF_NORETURN void hf_assert_failed(const char *what, const char *file, int line);

#endif
