/* The allocations of short_memory.h; one thread. */
#include "tests/crash/short_memory.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/compiler.h"

static struct {
    uint64_t fail_at, count;
    bool is_armed;
} memory;

void short_memory_plan(uint64_t fail_at)
{
    memory.fail_at = fail_at;
    memory.count = 0;
}

void short_memory_arm(bool is_armed)
{
    memory.is_armed = is_armed;
}

uint64_t short_memory_count(void)
{
    return memory.count;
}

#if !HF_ASAN && !HF_TSAN

/* glibc's own names for what stands behind. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static bool is_refused(void)
{
    if (!memory.is_armed || ++memory.count != memory.fail_at) return false;
    errno = ENOMEM;
    return true;
}

#pragma GCC visibility push(default)

void *malloc(size_t size)
{
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return is_refused() ? NULL : __libc_realloc(block, size);
}

#pragma GCC visibility pop
#endif
