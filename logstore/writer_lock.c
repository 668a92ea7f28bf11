/* The writer lock: a process-shared robust mutex in the file `writer`. It is not what protects the
 * data: that is LMDB's mutex, which comes behind it and cannot be waited for with a timeout.
 *
 *   free --acquire--> held --release--> free
 *                     held --death----> (kernel marks it) --acquire--> held by the next
 *                     held, stopped --> the others wait, and say so each second: a stall
 *
 * Laws:
 *  1. The file belongs to one boot and to one inode: what a power cut left locked, or what was
 * copied while it was locked, is never waited for, but replaced. It is replaced only inside a write
 *     transaction of LMDB, and only when it is of no use, so nobody can be using it.
 *  2. While it waits longer than a second for the same holder, a waiter moves the end of the grace
 *     forward, each second. So the grace stands before anybody can get the lock after the stall.
 *  3. It is measured in waits that timed out, not by a clock of ours: the seam's time may stand
 * still.
 */
#include "logstore/writer_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "engine/base/assert.h"
#include "engine/base/sanitizer.h"
#include "engine/base/status.h"
#include "indexes/table.h"
#include "logstore/place.h"

#define WRITER_NAME_NEW HF__WRITER_NAME ".new"

enum { WRITER_FILE_SIZE = 4096, WRITER_VERSION = 1, STALL_MS = 1000 };

static const uint64_t writer_magic = UINT64_C(0x7265746972574648); /* "HFWriter" */

/* The file as it is mapped: shared memory between processes of one machine and one C library, whose
 * mutex it holds; not a format. */
struct hf__writer_file {
    uint64_t magic;
    uint32_t version;
    uint32_t mutex_size; /* another C library has another one */
    uint64_t boot_hash;
    uint64_t device, inode; /* of this file */
    atomic_ullong grace_end_boot_ms;
    atomic_ullong acquired_count; /* changes with each holder */
    atomic_ullong holder_pid, holder_registration, held_since_boot_ms;
    pthread_mutex_t mutex;
};
_Static_assert(sizeof(struct hf__writer_file) <= WRITER_FILE_SIZE, "it fits one page");

static hf_status writer_error(int system_error, const char *what, hf_error *error)
{
    hf_assert(system_error != 0);
    return hf_table_error(system_error, what, error);
}

static uint64_t boot_hash(const struct hf__store *store)
{
    return XXH3_64bits(store->seams->boot_id.data, store->seams->boot_id.size);
}

/* ---- the file ------------------------------------------------------------------------------ */

static hf_status file_map(int descriptor, struct hf__writer_file **out_file, hf_error *error)
{
    void *bytes = mmap(NULL, WRITER_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (bytes == MAP_FAILED) return writer_error(errno, "mapping the writer lock", error);
    *out_file = bytes;
    return HF_OK;
}

static bool file_is_ours(const struct hf__writer_file *file, const struct stat *found,
                         uint64_t hash)
{
    return file->magic == writer_magic && file->version == WRITER_VERSION &&
           file->mutex_size == sizeof file->mutex && file->boot_hash == hash &&
           file->device == (uint64_t)found->st_dev && file->inode == (uint64_t)found->st_ino;
}

hf_status hf__writer_attach(struct hf__store *store, hf_error *error)
{
    struct stat found;
    struct hf__writer_file *file = NULL;
    hf_assert(!store->writer.file);
    int descriptor = openat(store->place.directory, HF__WRITER_NAME,
                            O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) return HF_NOT_FOUND;
    if (descriptor < 0) return writer_error(errno, "opening the writer lock", error);
    hf_status status = HF_OK;
    if (fstat(descriptor, &found) != 0) {
        status = writer_error(errno, "looking at the writer lock", error);
    } else if (found.st_size < WRITER_FILE_SIZE) {
        status = HF_NOT_FOUND;
    }
    if (status == HF_OK) status = file_map(descriptor, &file, error);
    close(descriptor);
    if (status != HF_OK) return status;
    if (!file_is_ours(file, &found, boot_hash(store))) {
        munmap(file, WRITER_FILE_SIZE);
        return HF_NOT_FOUND;
    }
    store->writer.file = file;
    return HF_OK;
}

static int mutex_make(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    int code = pthread_mutexattr_init(&attributes);
    if (code != 0) return code;
    code = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (code == 0) code = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (code == 0) code = pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return code;
}

/* Fills the new file. Its bytes are written before it is mapped: a full disk is an error, not a
 * signal. */
static hf_status file_fill(int descriptor, uint64_t hash, hf_error *error)
{
    static const char zeros[WRITER_FILE_SIZE];
    struct stat found;
    struct hf__writer_file *file = NULL;
    ssize_t written = pwrite(descriptor, zeros, sizeof zeros, 0);
    if (written != (ssize_t)sizeof zeros) {
        return writer_error(written < 0 ? errno : ENOSPC, "writing the writer lock", error);
    }
    if (fstat(descriptor, &found) != 0) {
        return writer_error(errno, "looking at the writer lock", error);
    }
    hf_status status = file_map(descriptor, &file, error);
    if (status != HF_OK) return status;
    file->magic = writer_magic;
    file->version = WRITER_VERSION;
    file->mutex_size = sizeof file->mutex;
    file->boot_hash = hash;
    file->device = (uint64_t)found.st_dev;
    file->inode = (uint64_t)found.st_ino;
    int code = mutex_make(&file->mutex);
    munmap(file, WRITER_FILE_SIZE);
    return code == 0 ? HF_OK : writer_error(code, "making the writer lock", error);
}

hf_status hf__writer_create(struct hf__store *store, hf_error *error)
{
    int directory = store->place.directory;
    hf_status status = hf__writer_attach(store, error);
    if (status != HF_NOT_FOUND) return status;
    if (unlinkat(directory, WRITER_NAME_NEW, 0) != 0 && errno != ENOENT) {
        return writer_error(errno, "removing an old " WRITER_NAME_NEW, error);
    }
    int descriptor = openat(directory, WRITER_NAME_NEW,
                            O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) return writer_error(errno, "making " WRITER_NAME_NEW, error);
    status = file_fill(descriptor, boot_hash(store), error);
    close(descriptor);
    if (status != HF_OK) return status;
    if (renameat(directory, WRITER_NAME_NEW, directory, HF__WRITER_NAME) != 0) {
        return writer_error(errno, "naming the writer lock", error);
    }
    status = hf__writer_attach(store, error);
    if (status != HF_NOT_FOUND) return status;
    return hf_error_set(error, HF_IO, "the writer lock vanished while it was made");
}

void hf__writer_detach(struct hf__store *store)
{
    if (store->writer.file) munmap(store->writer.file, WRITER_FILE_SIZE);
    store->writer.file = NULL;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static bool grace_extend(struct hf__writer_file *file, uint64_t end_boot_ms)
{
    unsigned long long seen = atomic_load(&file->grace_end_boot_ms);
    while (seen < end_boot_ms) {
        if (atomic_compare_exchange_weak(&file->grace_end_boot_ms, &seen, end_boot_ms)) return true;
    }
    return false;
}

/* Waits up to STALL_MS. */
/* A second from now by that clock. */
static struct timespec stall_end(clockid_t clock)
{
    struct timespec until;
    int failed = clock_gettime(clock, &until);
    hf_assert(failed == 0);
    until.tv_sec += STALL_MS / 1000;
    return until;
}

/* ThreadSanitizer knows only the wait by the wall clock, and must be told that a mutex whose owner
 * died is ours now. */
static int mutex_wait_tsan(pthread_mutex_t *mutex)
{
    struct timespec until = stall_end(CLOCK_REALTIME);
    int code = pthread_mutex_timedlock(mutex, &until);
    if (code != EOWNERDEAD) return code;
    __tsan_mutex_pre_lock(mutex, 0);
    __tsan_mutex_post_lock(mutex, 0, 0);
    return code;
}

static int mutex_wait(pthread_mutex_t *mutex)
{
    if (__tsan_mutex_pre_lock) return mutex_wait_tsan(mutex);
    struct timespec until = stall_end(CLOCK_MONOTONIC);
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
}

/* Says who stalls the store. */
static void stall_report(struct hf__store *store, unsigned seconds)
{
    char message[160];
    const struct hf__writer_file *file = store->writer.file;
    hf_assert(seconds > 0);
    snprintf(
        message, sizeof message,
        "process %llu (registration %llx) has held the writer lock for %u s: continue or kill it",
        (unsigned long long)atomic_load(&file->holder_pid),
        (unsigned long long)atomic_load(&file->holder_registration), seconds);
    hf__store_log(store, HF_LOG_WARN, "store.stalled", message);
}

/* After a wait that timed out: a stall, if the holder is still the one that it was. */
static void stall_look(struct hf__store *store, uint64_t acquired_before, unsigned *seconds)
{
    struct hf__writer_file *file = store->writer.file;
    const hf_clock *clock = store->seams->clock;
    if (atomic_load(&file->acquired_count) != acquired_before) {
        *seconds = 0;
        return;
    }
    if (++*seconds == 1) {
        pthread_mutex_lock(&store->counters_mutex);
        store->counters.stalls++;
        pthread_mutex_unlock(&store->counters_mutex);
    }
    grace_extend(file, clock->boot_ms(clock->self) + STALL_MS + store->options.renew_period_ms);
    stall_report(store, *seconds);
}

hf_status hf__writer_acquire(struct hf__store *store, uint64_t registration, hf_error *error)
{
    struct hf__writer_file *file = store->writer.file;
    const hf_clock *clock = store->seams->clock;
    unsigned seconds = 0; /* that the present holder has stalled us */
    hf_assert(file);
    uint64_t acquired_before = atomic_load(&file->acquired_count);
    int code = mutex_wait(&file->mutex);
    while (code == ETIMEDOUT) {
        stall_look(store, acquired_before, &seconds);
        acquired_before = atomic_load(&file->acquired_count);
        code = mutex_wait(&file->mutex);
    }
    if (code == EOWNERDEAD) {
        code = pthread_mutex_consistent(&file->mutex);
        hf__store_log(store, HF_LOG_WARN, "store.writer_died",
                      "a process died while it wrote; LMDB has dropped what it did not commit");
    }
    if (code != 0) return writer_error(code, "taking the writer lock", error);
    uint64_t now_boot_ms = clock->boot_ms(clock->self);
    if (seconds > 0) grace_extend(file, now_boot_ms + store->options.renew_period_ms);
    atomic_fetch_add(&file->acquired_count, 1);
    atomic_store(&file->holder_pid, (unsigned long long)store->pid);
    atomic_store(&file->holder_registration, registration);
    atomic_store(&file->held_since_boot_ms, now_boot_ms);
    return HF_OK;
}

void hf__writer_release(struct hf__store *store)
{
    struct hf__writer_file *file = store->writer.file;
    hf_assert(file);
    hf_assert(atomic_load(&file->holder_pid) == (unsigned long long)store->pid);
    atomic_store(&file->holder_pid, 0);
    int failed = pthread_mutex_unlock(&file->mutex);
    hf_assert(failed == 0);
}

bool hf__writer_in_grace(const struct hf__store *store, uint64_t now_boot_ms)
{
    const struct hf__writer_file *file = store->writer.file;
    return file && now_boot_ms < atomic_load(&file->grace_end_boot_ms);
}
