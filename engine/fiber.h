/* Fibers: stackful coroutines on ucontext. One orchestration function runs on each; it suspends
 * in its awaits.
 *
 * The order of calls is a story of three:
 *   the owner   hf_fiber_new; hf_fiber_resume until the fiber has ended; hf_fiber_free.
 *   the fiber   hf_fiber_suspend wherever it has to wait; at the end its entry function returns.
 *   eviction    The owner notes its wish where the fiber looks after each suspend, and resumes it
 *               once more. The fiber calls hf_fiber_exit there, at whatever depth, and has ended.
 *
 * A fiber that was resumed leaves in one of these two ways; it cannot be freed in the middle. Its
 * pool belongs to one thread, and it never leaves the thread that resumed it first. A fiber may
 * resume another one, never itself. What its frames own when it exits (memory, descriptors) is
 * lost, so they own nothing that needs an ending.
 *
 * Below each stack lies a guard of 64 KiB: running into it kills the process (SIGSEGV). */
#ifndef HF_FIBER_H
#define HF_FIBER_H

#include "engine/base/compiler.h"

struct hf_fiber;

enum {
    HF_FIBER_STACK_SIZE_DEFAULT = 64 * 1024,
    HF_FIBER_STACK_SIZE_MIN = 16 * 1024,
    HF_FIBER_STACK_SIZE_MAX = 1024 * 1024 * 1024,
    HF_FIBER_STACKS_CACHED_DEFAULT = 64
};

/* What a fiber runs. When call returns, the fiber has ended. */
struct hf_fiber_entry {
    void (*call)(struct hf_fiber *fiber, void *argument);
    void *argument; /* Borrows: until the fiber has ended */
};

/* The caller has checked what users gave: stack_size is 0 or from MIN to MAX (asserted). */
struct hf_fiber_pool_options {
    size_t stack_size;          /* bytes for frames; 0: the default */
    uint32_t stacks_cached_max; /* unused stacks that are kept; 0: the default */
};

/* Stacks of one size. All fields are the pool's own; others may read the counts. */
struct hf_fiber_pool {
    struct hf_fiber *cached;      /* unused stacks, the warmest first */
    size_t stack_size;            /* bytes, whole pages */
    size_t guard_size;            /* bytes, whole pages, below each stack */
    uint64_t stacks_made_count;   /* ever mapped; does not grow while stacks are reused */
    uint32_t stacks_cached_count; /* mapped and unused */
    uint32_t stacks_used_count;   /* mapped and given to a fiber */
    uint32_t stacks_cached_max;
};

/* Makes an empty pool; it maps nothing yet.
 * Copies: options (NULL: all defaults). Threads: the thread that will use it, or before that one
 * starts. */
void hf_fiber_pool_init(struct hf_fiber_pool *self, const struct hf_fiber_pool_options *options);

/* Unmaps all cached stacks. Every fiber was freed before (asserted).
 * Threads: the thread that used it, or after that one ended. */
void hf_fiber_pool_release(struct hf_fiber_pool *self);

/* Makes a fiber on a stack of the pool. It does not run before it is resumed.
 * Borrows: pool, until the fiber is freed. Returns owned: *out_fiber, ended by hf_fiber_free.
 * Errors: HF_NO_MEMORY when the system gives no further stack (the message says which limits to
 * raise); the pool is as before.
 * Threads: the pool's. */
HF_MUST_CHECK hf_status hf_fiber_new(struct hf_fiber_pool *pool, struct hf_fiber_entry entry,
                                     struct hf_fiber **out_fiber, hf_error *error);

/* Runs the fiber until it suspends (false) or has ended (true). Not from inside it, nor after it
 * ended (asserted).
 * Threads: always the same one for one fiber (asserted). */
bool hf_fiber_resume(struct hf_fiber *self);

/* Goes back to the one who resumed this fiber, and returns when it is resumed again. Only from
 * inside it (asserted). */
void hf_fiber_suspend(struct hf_fiber *self);

/* Ends this fiber from inside it, at any depth (asserted): the one who resumed it sees it ended,
 * and its frames are abandoned as they stand. */
HF_NORETURN void hf_fiber_exit(struct hf_fiber *self);

/* True when the entry function returned or the fiber exited. */
bool hf_fiber_is_ended(const struct hf_fiber *self);

/* Gives the stack back to the pool. Only when it has ended or was never resumed (asserted). NULL
 * is fine.
 * Threads: the pool's. */
void hf_fiber_free(struct hf_fiber *self);

#endif
