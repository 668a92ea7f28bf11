/* Clocks, randomness and boot id of the machine. */
#include "runtime/world.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"

static uint64_t clock_ms(clockid_t which)
{
    struct timespec now;
    int failed = clock_gettime(which, &now);
    hf_assert(failed == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t boot_ms(void *self)
{
    (void)self;
    return clock_ms(CLOCK_BOOTTIME);
}

static uint64_t wall_unix_ms(void *self)
{
    (void)self;
    return clock_ms(CLOCK_REALTIME);
}

const hf_clock *hf_world_clock(void)
{
    static const hf_clock clock = { sizeof clock, NULL, boot_ms, wall_unix_ms };
    return &clock;
}

void hf_world_random(void *self, void *bytes, size_t size)
{
    (void)self;
    for (size_t filled = 0; filled < size;) {
        ssize_t got = getrandom((char *)bytes + filled, size - filled, 0);
        if (got < 0) hf_assert(errno == EINTR);
        if (got > 0) filled += (size_t)got;
    }
}

hf_status hf_world_boot_id(char *boot_id, hf_error *error)
{
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, boot_id, HF_BOOT_ID_SIZE - 1);
    int failed = got < 0 ? errno : 0;
    if (file >= 0) close(file);
    if (got <= 0) {
        return hf_error_system(error, HF_IO, failed, "cannot read %s: %s", path,
                               failed == ENOENT ? "/proc is not mounted" : strerror(failed));
    }
    boot_id[got] = '\0';
    boot_id[strcspn(boot_id, "\n")] = '\0';
    return HF_OK;
}
