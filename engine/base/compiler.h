/* The compiler's attributes in one place, so that the rest is plain C11. */
#ifndef HF_BASE_COMPILER_H
#define HF_BASE_COMPILER_H

#include "include/holdfast.h"

#define HF_NORETURN __attribute__((noreturn))
#define HF_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__SANITIZE_ADDRESS__)
#define HF_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HF_ASAN 1
#endif
#endif
#ifndef HF_ASAN
#define HF_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define HF_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HF_TSAN 1
#endif
#endif
#ifndef HF_TSAN
#define HF_TSAN 0
#endif

#endif
