/* The disk of disk.h. */
#include "tests/crash/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/random.h"

/* ---- the recording -------------------------------------------------------------------------- */

bool disk_open(struct disk *self, const char *trace_path)
{
    memset(self, 0, sizeof *self);
    FILE *file = fopen(trace_path, "rb");
    struct stat entry;
    if (!file) return false;
    bool is_read = fstat(fileno(file), &entry) == 0;
    size_t size = is_read ? (size_t)entry.st_size : 0;
    self->trace = malloc(size + 1);
    is_read = self->trace && fread(self->trace, 1, size, file) == size;
    fclose(file);
    self->next = self->trace;
    self->end = self->trace + size;
    return is_read;
}

void disk_close(struct disk *self)
{
    free(self->trace);
    free(self->durable);
}

/* ---- the file on the disk ------------------------------------------------------------------- */

/* Makes the durable file at least that large; new bytes are zero. */
static void durable_grow(struct disk *self, size_t size)
{
    if (size > self->capacity) {
        size_t capacity = size * 2;
        self->durable = realloc(self->durable, capacity);
        if (!self->durable) abort();
        memset(self->durable + self->capacity, 0, capacity - self->capacity);
        self->capacity = capacity;
    }
    if (size > self->durable_size) self->durable_size = size;
}

static void durable_write(struct disk *self, const struct disk_write *write)
{
    durable_grow(self, write->offset + write->size);
    memcpy(self->durable + write->offset, write->bytes, write->size);
}

static void flush(struct disk *self)
{
    for (size_t i = 0; i < self->pending_count; i++) durable_write(self, &self->pending[i]);
    self->pending_count = 0;
}

static void heed_write(struct disk *self, const struct shim_trace *event)
{
    const struct disk_write write = { event->offset, event->size, self->next };
    if (event->is_durable) {
        durable_write(self, &write);
        return;
    }
    if (self->pending_count == DISK_PENDING_MAX) abort();
    self->pending[self->pending_count++] = write;
}

bool disk_step(struct disk *self)
{
    struct shim_trace event;
    if (self->next + sizeof event > self->end) return false;
    memcpy(&event, self->next, sizeof event);
    self->next += sizeof event;
    if (event.kind == SHIM_MARK) {
        self->is_marked = true;
        self->marked = event.offset;
    } else if (event.is_data && event.kind == SHIM_WRITE) {
        heed_write(self, &event);
    } else if (event.is_data && event.kind == SHIM_SYNC) {
        flush(self);
    } else if (event.is_data && event.kind == SHIM_SYNC_LOST) {
        self->pending_count = 0;
    } else if (event.is_data && event.kind == SHIM_TRUNCATE) {
        flush(self); /* a size of its own: kept simple, since only a failed preallocation does it */
        self->durable_size = event.offset;
    }
    self->next += event.size;
    return true;
}

/* ---- images --------------------------------------------------------------------------------- */

static bool put(int file, const struct disk_write *write)
{
    return pwrite(file, write->bytes, write->size, (off_t)write->offset) == (ssize_t)write->size;
}

/* Writes each sector of a write, or does not. */
static bool put_torn(int file, const struct disk_write *write, struct hf_test_random *chance)
{
    bool is_good = true;
    uint64_t at = 0;
    while (at < write->size && is_good) {
        uint64_t left = DISK_SECTOR - (write->offset + at) % DISK_SECTOR;
        uint64_t piece = left < write->size - at ? left : write->size - at;
        const struct disk_write sector = { write->offset + at, piece, write->bytes + at };
        if (hf_test_random_percent(chance, 50)) is_good = put(file, &sector);
        at += piece;
    }
    return is_good;
}

/* Writes some of the pending ones, each once at most, in an order of chance. */
static bool put_random(int file, const struct disk *self, bool is_torn, uint64_t which)
{
    struct hf_test_random chance = { which };
    bool is_good = true;
    size_t first = (size_t)hf_test_random_below(&chance, self->pending_count);
    for (size_t i = 0; i < self->pending_count && is_good; i++) {
        const struct disk_write *write = &self->pending[(first + i) % self->pending_count];
        if (hf_test_random_percent(&chance, 50)) continue;
        is_good = is_torn ? put_torn(file, write, &chance) : put(file, write);
    }
    return is_good;
}

static bool put_chosen(int file, const struct disk *self, enum disk_choice choice, uint64_t which)
{
    bool is_good = true;
    if (choice == DISK_NONE || self->pending_count == 0) return true;
    if (choice >= DISK_RANDOM) return put_random(file, self, choice == DISK_TORN, which);
    for (size_t i = 0; i < self->pending_count && is_good; i++) {
        bool is_in = choice == DISK_ALL || (choice == DISK_ONLY) == (i == which);
        if (is_in) is_good = put(file, &self->pending[i]);
    }
    return is_good;
}

bool disk_image(const struct disk *self, enum disk_choice choice, uint64_t which, const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return false;
    const struct disk_write whole = { 0, self->durable_size, self->durable };
    bool is_good = self->durable_size == 0 || put(file, &whole);
    if (is_good) is_good = put_chosen(file, self, choice, which);
    return close(file) == 0 && is_good;
}
