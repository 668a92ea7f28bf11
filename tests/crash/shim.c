/* The functions of shim.h. One process, one directory; calls from any thread. Calls are made to the
 * next definition of each name, so that a sanitizer's own still sees them. */
#include "tests/crash/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 1024 };

/* What is known of an open descriptor. */
struct descriptor {
    bool is_ours, is_data, is_durable;
};

static struct {
    pthread_mutex_t mutex; /* of calls: each is recorded in the order in which it was made */
    char directory[PATH_MAX];
    struct shim_plan plan;
    int trace;
    bool is_on;
    uint64_t calls_count;
    struct descriptor descriptors[DESCRIPTORS_MAX];
} shim = { .mutex = PTHREAD_MUTEX_INITIALIZER, .trace = -1 };

/* The next definition of a name. */
static void *next_of(const char *name)
{
    void *next = dlsym(RTLD_NEXT, name);
    if (!next) abort();
    return next;
}

/* `next` becomes the function that this one stands before. */
#define NEXT(name)                                                                                 \
    static __typeof__(&(name)) next;                                                               \
    if (!next) {                                                                                   \
        *(void **)&next = next_of(#name);                                                          \
    }

/* ---- descriptors ---------------------------------------------------------------------------- */

/* Learns what was opened. */
static int opened(int descriptor, int flags)
{
    char link[64], path[PATH_MAX];
    size_t size = strlen(shim.directory);
    if (!shim.is_on || descriptor < 0 || descriptor >= DESCRIPTORS_MAX) return descriptor;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t got = readlink(link, path, sizeof path - 1);
    path[got > 0 ? got : 0] = '\0';
    bool is_inside = strncmp(path, shim.directory, size) == 0 && path[size] == '/';
    const char *name = is_inside ? path + size + 1 : "";
    shim.descriptors[descriptor] = (struct descriptor){
        .is_ours = is_inside && strcmp(name, "lock.mdb") != 0,
        .is_data = strcmp(name, "data.mdb") == 0,
        .is_durable = (flags & (O_DSYNC | O_SYNC)) != 0,
    };
    return descriptor;
}

/* NULL: none of the directory's. */
static const struct descriptor *ours(int descriptor)
{
    if (!shim.is_on || descriptor < 0 || descriptor >= DESCRIPTORS_MAX) return NULL;
    const struct descriptor *self = &shim.descriptors[descriptor];
    return self->is_ours ? self : NULL;
}

/* ---- what happens to a call ------------------------------------------------------------------ */

/* Begins a call that concerns the directory: what is to happen to it. */
static enum shim_fault call_begin(void)
{
    pthread_mutex_lock(&shim.mutex);
    uint64_t number = ++shim.calls_count;
    const struct shim_plan *plan = &shim.plan;
    bool is_meant = plan->is_sticky ? number >= plan->at : number == plan->at;
    enum shim_fault fault = is_meant && plan->at > 0 ? plan->fault : SHIM_NONE;
    if (fault == SHIM_EXIT_BEFORE) _exit(SHIM_EXIT_STATUS);
    return fault;
}

/* Whether the call itself is made. */
static bool is_made(enum shim_fault fault)
{
    return fault == SHIM_NONE || fault == SHIM_EXIT_AFTER || fault == SHIM_EIO_AFTER;
}

/* Whether a write takes half of its bytes. */
static bool is_short(enum shim_fault fault)
{
    return fault == SHIM_SHORT || fault == SHIM_FULL;
}

/* What becomes of a call that cannot come short. */
static enum shim_fault whole(enum shim_fault fault)
{
    if (fault == SHIM_FULL) return SHIM_ENOSPC;
    return fault == SHIM_SHORT ? SHIM_EIO : fault;
}

/* Ends a call with its result, or with what the plan wants. */
static ssize_t call_end(enum shim_fault fault, ssize_t result)
{
    if (fault == SHIM_EXIT_AFTER) _exit(SHIM_EXIT_STATUS);
    bool is_full = fault == SHIM_ENOSPC || fault == SHIM_FULL;
    pthread_mutex_unlock(&shim.mutex);
    if (fault == SHIM_NONE || (is_short(fault) && result >= 0)) return result;
    errno = is_full ? ENOSPC : fault == SHIM_EINTR ? EINTR : EIO;
    return -1;
}

static void trace(const struct shim_trace *record, const void *bytes)
{
    if (shim.trace < 0) return;
    struct iovec parts[] = { { (void *)(uintptr_t)record, sizeof *record },
                             { (void *)(uintptr_t)bytes, bytes ? record->size : 0 } };
    ssize_t size = (ssize_t)(sizeof *record + parts[1].iov_len);
    if (syscall(SYS_writev, shim.trace, parts, bytes ? 2 : 1) != size) abort();
}

static void trace_write(const struct descriptor *descriptor, const void *bytes, ssize_t size,
                        off_t offset)
{
    if (size <= 0) return;
    trace(&(struct shim_trace){ .kind = SHIM_WRITE,
                                .is_data = descriptor->is_data,
                                .offset = (uint64_t)offset,
                                .size = (uint64_t)size,
                                .is_durable = descriptor->is_durable },
          bytes);
}

/* The libraries must find these. */
#pragma GCC visibility push(default)

/* ---- opening and closing: not counted, since they change nothing ------------------------------
 */

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    NEXT(open)
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(next(path, flags, mode), flags);
}

int openat(int directory, const char *path, int flags, ...)
{
    NEXT(openat)
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(next(directory, path, flags, mode), flags);
}

int close(int descriptor)
{
    NEXT(close)
    if (shim.is_on && descriptor >= 0 && descriptor < DESCRIPTORS_MAX) {
        shim.descriptors[descriptor].is_ours = false;
    }
    return next(descriptor);
}

/* ---- writing -------------------------------------------------------------------------------- */

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset)
{
    NEXT(pwrite)
    const struct descriptor *file = ours(descriptor);
    if (!file) return next(descriptor, bytes, size, offset);
    enum shim_fault fault = call_begin();
    ssize_t result = -1;
    if (is_short(fault)) size /= 2;
    if (is_made(fault) || is_short(fault)) result = next(descriptor, bytes, size, offset);
    trace_write(file, bytes, result, offset);
    return call_end(fault, result);
}

/* Where a write without an offset goes. */
static off_t place_of(int descriptor)
{
    return lseek(descriptor, 0, SEEK_CUR);
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    NEXT(write)
    const struct descriptor *file = ours(descriptor);
    if (!file) return next(descriptor, bytes, size);
    enum shim_fault fault = call_begin();
    ssize_t result = -1;
    off_t offset = place_of(descriptor);
    if (is_short(fault)) size /= 2;
    if (is_made(fault) || is_short(fault)) result = next(descriptor, bytes, size);
    trace_write(file, bytes, result, offset);
    return call_end(fault, result);
}

/* Records the parts of a write of `size` bytes. */
static void trace_parts(const struct descriptor *file, const struct iovec *parts, int count,
                        ssize_t size, off_t offset)
{
    for (int i = 0; i < count && size > 0; i++) {
        ssize_t piece = (ssize_t)parts[i].iov_len < size ? (ssize_t)parts[i].iov_len : size;
        trace_write(file, parts[i].iov_base, piece, offset);
        offset += piece;
        size -= piece;
    }
}

ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    NEXT(writev)
    const struct descriptor *file = ours(descriptor);
    if (!file) return next(descriptor, parts, count);
    enum shim_fault fault = call_begin();
    ssize_t result = -1;
    off_t offset = place_of(descriptor);
    if (is_short(fault)) count = (count + 1) / 2;
    if (is_made(fault) || is_short(fault)) result = next(descriptor, parts, count);
    trace_parts(file, parts, count, result, offset);
    return call_end(fault, result);
}

/* ---- syncing and the rest ------------------------------------------------------------------- */

static int synced(int descriptor, int (*sync)(int descriptor))
{
    const struct descriptor *file = ours(descriptor);
    if (!file) return sync(descriptor);
    enum shim_fault fault = call_begin();
    int result = is_made(fault) ? sync(descriptor) : -1;
    trace(&(struct shim_trace){ .kind = result == 0 ? SHIM_SYNC : SHIM_SYNC_LOST,
                                .is_data = file->is_data },
          NULL);
    return (int)call_end(whole(fault), result);
}

int fdatasync(int descriptor)
{
    NEXT(fdatasync)
    return synced(descriptor, next);
}

int fsync(int descriptor)
{
    NEXT(fsync)
    return synced(descriptor, next);
}

int ftruncate(int descriptor, off_t size)
{
    NEXT(ftruncate)
    const struct descriptor *file = ours(descriptor);
    if (!file) return next(descriptor, size);
    enum shim_fault fault = call_begin();
    int result = is_made(fault) ? next(descriptor, size) : -1;
    if (result == 0) {
        trace(&(struct shim_trace){ .kind = SHIM_TRUNCATE,
                                    .is_data = file->is_data,
                                    .offset = (uint64_t)size },
              NULL);
    }
    return (int)call_end(whole(fault), result);
}

/* Names are made and taken away only while a store is created. */
int renameat(int from, const char *name, int to, const char *new_name)
{
    NEXT(renameat)
    if (!shim.is_on) return next(from, name, to, new_name);
    enum shim_fault fault = call_begin();
    int result = is_made(fault) ? next(from, name, to, new_name) : -1;
    return (int)call_end(whole(fault), result);
}

/* Changes nothing, and is not counted. */
int fstatvfs(int descriptor, struct statvfs *out_found)
{
    NEXT(fstatvfs)
    int result = next(descriptor, out_found);
    bool is_full = shim.is_on && shim.plan.fault == SHIM_FULL && shim.plan.at > 0 &&
                   shim.calls_count >= shim.plan.at;
    if (result == 0 && is_full) out_found->f_bavail = 0;
    return result;
}

#pragma GCC visibility pop

/* ---- steering ------------------------------------------------------------------------------- */

void shim_start(const char *directory, const struct shim_plan *plan, int trace_to)
{
    snprintf(shim.directory, sizeof shim.directory, "%s", directory);
    shim.plan = *plan;
    shim.trace = trace_to;
    shim.calls_count = 0;
    memset(shim.descriptors, 0, sizeof shim.descriptors);
    shim.is_on = true;
}

void shim_stop(void)
{
    shim.is_on = false;
    shim.trace = -1;
}

uint64_t shim_calls_count(void)
{
    return shim.calls_count;
}

void shim_mark(uint64_t number)
{
    pthread_mutex_lock(&shim.mutex);
    trace(&(struct shim_trace){ .kind = SHIM_MARK, .offset = number }, NULL);
    pthread_mutex_unlock(&shim.mutex);
}
