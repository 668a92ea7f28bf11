/* shim.h: what happens between a program and the files of one directory. The functions of the C
 * library that change files are defined here once more; a program that is linked with shim.c calls
 * these, and so do the libraries that it loads. They count the calls that concern the directory,
 * let one of them fail, end the process before or after one, and record what was written.
 *
 * `lock.mdb` is left alone: it holds nothing that survives its users. */
#ifndef HF_TEST_SHIM_H
#define HF_TEST_SHIM_H

#include <stdbool.h>
#include <stdint.h>

enum shim_fault {
    SHIM_NONE,
    SHIM_EXIT_BEFORE, /* _exit before the call is made */
    SHIM_EXIT_AFTER,  /* _exit when it is done */
    SHIM_EIO,         /* it fails, nothing is done */
    SHIM_ENOSPC,      /* the same */
    SHIM_EINTR,       /* the same */
    SHIM_SHORT,       /* a write takes half of the bytes and says so; other calls as SHIM_EIO */
    SHIM_EIO_AFTER,   /* it is done, and fails all the same */
    SHIM_FULL,        /* as SHIM_SHORT, other calls as SHIM_ENOSPC; and the disk has no room then */
    SHIM_FAULTS
};

/* The exit status of a process that the shim has ended. */
enum { SHIM_EXIT_STATUS = 99 };

struct shim_plan {
    enum shim_fault fault;
    uint64_t at;    /* the number of the call, from 1 */
    bool is_sticky; /* and all later ones */
};

/* Begins: from now on calls that concern the directory (absolute, resolved path) are counted.
 * trace: a descriptor to which they are recorded, or -1. */
void shim_start(const char *directory, const struct shim_plan *plan, int trace);
/* Ends: nothing is counted, fails or is recorded any more. */
void shim_stop(void);
/* The calls so far. */
uint64_t shim_calls_count(void);
/* Puts a mark into the trace: that number was acknowledged. */
void shim_mark(uint64_t number);

/* ---- the trace: a run of records, each with its bytes behind it ------------------------------ */

enum shim_trace_kind {
    SHIM_WRITE = 1, /* `size` bytes at `offset` */
    SHIM_SYNC,      /* all that was written to the file before is on the disk */
    SHIM_SYNC_LOST, /* it failed: what was written before may never come to the disk */
    SHIM_TRUNCATE,  /* to `offset` bytes */
    SHIM_MARK       /* `offset` is the number */
};

struct shim_trace {
    uint32_t kind;
    uint32_t is_data; /* it concerns data.mdb */
    uint64_t offset, size;
    uint32_t is_durable; /* a write that is on the disk when it returns */
    uint32_t reserved;
};

#endif
