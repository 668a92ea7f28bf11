/* disk.h: what a power cut may leave of a file, from a recording of its writes and syncs.
 *
 * The disk holds what was synced. What was written since may be there or not, in any order, each
 * sector of 512 bytes for itself; a single sector is never torn. */
#ifndef HF_TEST_DISK_H
#define HF_TEST_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/crash/shim.h"

enum { DISK_SECTOR = 512, DISK_PENDING_MAX = 8192 };

/* A write that is not on the disk yet. */
struct disk_write {
    uint64_t offset, size;
    const unsigned char *bytes; /* in the recording */
};

/* A recording that is played, event by event, and the disk under it. */
struct disk {
    unsigned char *trace, *end, *next; /* the recording, and what comes next of it */
    unsigned char *durable;            /* the file as it is on the disk for sure */
    size_t durable_size, capacity;
    struct disk_write pending[DISK_PENDING_MAX];
    size_t pending_count;
    bool is_marked;  /* there was a mark */
    uint64_t marked; /* the latest */
};

/* Reads the recording of a store's data file. False: it cannot be read. */
bool disk_open(struct disk *self, const char *trace_path);
/* Frees all. */
void disk_close(struct disk *self);
/* Plays the next event; false: there is none. */
bool disk_step(struct disk *self);

/* What of the pending writes is in an image. */
enum disk_choice {
    DISK_NONE,
    DISK_ALL,
    DISK_ALL_BUT, /* all but one */
    DISK_ONLY,    /* one alone */
    DISK_RANDOM,  /* any of them, in any order */
    DISK_TORN     /* any sectors of any of them */
};

/* Writes the file as a power cut now could leave it. `which`: of the one, or what chance starts
 * from. False: it cannot be written. */
bool disk_image(const struct disk *self, enum disk_choice choice, uint64_t which, const char *path);

#endif
