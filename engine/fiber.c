/* Fibers on ucontext, and the pool of their stacks.
 *
 * The engine knows no files, threads or clocks. Its one exception is here: stacks are mapped with
 * mmap, because only a mapping can have a guard. This is no scheduler: nothing here decides who
 * runs, and no fiber ever changes threads (compilers may keep the address of a thread-local
 * variable across a switch).
 *
 * A mapping, from its low address up; the stack grows downwards, away from the fiber's record:
 *
 *   | guard, no access | frames ... stack_size bytes | struct hf_fiber |
 *
 * Every stack takes two of the kernel's memory maps (vm.max_map_count). The guard is larger than a
 * page, since a frame with a large array may step over a single page without touching it; it costs
 * address space alone.
 *
 *            new            resume             entry returns, exit
 *   CACHED -------> NEW -----------------> RUNNING ----------------> ENDED
 *     ^              |      resume ^         | suspend                 |
 *     |              |             |         v                         |
 *     |              |            SUSPENDED <+                         |
 *     +--------------+---------------- free ---------------------------+
 *
 * Laws
 *  1. A context is made once for each stack. fiber_main() never returns: it runs one entry after
 *     the other, and between two of them the stack lies in the cache, suspended. So a cached stack
 *     is started again by a mere switch.
 *  2. hf_fiber_exit() jumps up into fiber_entry_run() and leaves like an entry that returned,
 *     instead of switching away from the depth. ThreadSanitizer keeps a stack of calls for each of
 *     its fibers, which live as long as our stacks because they are slow to create. A longjmp
 *     unwinds it; frames that are merely abandoned would stay there, and fill it in the end.
 *  3. ThreadSanitizer is told of a switch in the very function that switches, hence the inlined
 *     helpers: a call that begins on one of its stacks of calls must end on the same one.
 *  4. AddressSanitizer is told before and after each switch. The last switch of an entry gives it
 *     no place to keep the fake stack, which frees it. That leaves nothing dangling: fiber_main(),
 *     fiber_entry_run() and fiber_leave(), the only frames that go on, have no variable whose
 *     address is taken, and therefore nothing on the fake stack.
 *  5. No context names the size of its stack when it is switched to (makecontext alone needs it):
 *     AddressSanitizer would clear the stack's shadow at every switch, and then miss overflows in
 *     frames that were suspended.
 *  6. A cached stack is poisoned, and clean again when it is used or unmapped: abandoned frames
 *     leave their red zones behind.
 *  7. The sanitizers are told whenever the program has them, also when this library is built
 *     without (engine/base/sanitizer.h).
 *  8. LeakSanitizer does not look into suspended stacks. So whoever owns fibers ends them before
 *     the process exits; the pool's release asserts it. */
#include "engine/fiber.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/sanitizer.h"
#include "engine/base/status.h"

/* Also where nothing is optimised (law 3). */
#define ALWAYS_INLINE inline __attribute__((always_inline))

enum {
    GUARD_SIZE = 64 * 1024,
    RECORD_ALIGNMENT = 64 /* a cache line, and more than any ABI wants of a stack */
};

enum fiber_state { FIBER_CACHED = 1, FIBER_NEW, FIBER_RUNNING, FIBER_SUSPENDED, FIBER_ENDED };

struct hf_fiber {
    _Alignas(RECORD_ALIGNMENT) struct hf_fiber_pool *pool;
    enum fiber_state state;
    struct hf_fiber_entry entry;
    const void *thread;             /* the one that resumed it first; see thread_current() */
    struct hf_fiber *next_cached;   /* while it is cached */
    unsigned char *stack;           /* lowest usable byte; the stack ends at this record */
    ucontext_t *resumer;            /* while it runs: where to go back to, on the resumer's stack */
    ucontext_t context;             /* while it does not run: where to go on */
    jmp_buf start;                  /* while it runs: where an exit goes */
    void *asan_fake_stack;          /* while it is suspended */
    const void *asan_resumer_stack; /* while it runs: the bounds of the resumer's stack */
    size_t asan_resumer_stack_size;
    void *tsan_fiber;
    void *tsan_resumer;
};

/* Addresses of thread-local variables differ while threads live; errno's needs no variable of
 * our own. */
static const void *thread_current(void)
{
    return &errno;
}

static size_t size_round_up(size_t size, size_t unit)
{
    hf_assert(unit > 0 && size <= SIZE_MAX - unit);
    return (size + unit - 1) / unit * unit;
}

static size_t stack_bytes(const struct hf_fiber *self)
{
    return (size_t)((const unsigned char *)self - self->stack);
}

/* Whether the caller stands on this fiber's stack. Not by a variable's address: that may be on a
 * fake stack. */
static bool fiber_is_inside(const struct hf_fiber *self)
{
    const unsigned char *frame = __builtin_frame_address(0);
    return frame >= self->stack && frame < (const unsigned char *)self;
}

/* ---- what the sanitizers are told ------------------------------------------------------------ */

static void stack_poison(struct hf_fiber *self)
{
    if (__asan_poison_memory_region) __asan_poison_memory_region(self->stack, stack_bytes(self));
}

static void stack_unpoison(struct hf_fiber *self)
{
    if (!__asan_unpoison_memory_region) return;
    __asan_unpoison_memory_region(self->stack, stack_bytes(self));
}

static void *tsan_fiber_new(void)
{
    return __tsan_create_fiber ? __tsan_create_fiber(0) : NULL;
}

static void tsan_fiber_free(void *tsan_fiber)
{
    if (tsan_fiber) __tsan_destroy_fiber(tsan_fiber);
}

/* The last thing before the switch into the fiber. Returns the resumer's fake stack. */
static ALWAYS_INLINE void *sanitizers_enter(struct hf_fiber *self)
{
    void *fake_stack = NULL;
    if (__sanitizer_start_switch_fiber) {
        __sanitizer_start_switch_fiber(&fake_stack, self->stack, stack_bytes(self));
    }
    if (self->tsan_fiber) {
        self->tsan_resumer = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(self->tsan_fiber, 0);
    }
    return fake_stack;
}

/* The first thing after the switch into the fiber. */
static void sanitizers_entered(struct hf_fiber *self)
{
    if (!__sanitizer_finish_switch_fiber) return;
    __sanitizer_finish_switch_fiber(self->asan_fake_stack, &self->asan_resumer_stack,
                                    &self->asan_resumer_stack_size);
    self->asan_fake_stack = NULL;
}

/* The last thing before the switch out of the fiber. */
static ALWAYS_INLINE void sanitizers_leave(struct hf_fiber *self)
{
    bool is_last = self->state == FIBER_ENDED;
    if (__sanitizer_start_switch_fiber) {
        __sanitizer_start_switch_fiber(is_last ? NULL : &self->asan_fake_stack,
                                       self->asan_resumer_stack, self->asan_resumer_stack_size);
    }
    if (self->tsan_fiber) __tsan_switch_to_fiber(self->tsan_resumer, 0);
}

/* The first thing after the switch out of the fiber, back on the resumer's stack. */
static void sanitizers_left(void *fake_stack)
{
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
}

/* ---- on the fiber's own stack ---------------------------------------------------------------- */

static void fiber_leave(struct hf_fiber *self)
{
    hf_assert(self->state == FIBER_SUSPENDED || self->state == FIBER_ENDED);
    sanitizers_leave(self);
    int failed = swapcontext(&self->context, self->resumer);
    hf_assert(!failed);
    sanitizers_entered(self);
    hf_assert(self->state == FIBER_RUNNING);
}

/* Returns when the entry function returned, or when something in it called hf_fiber_exit(). */
static void fiber_entry_run(struct hf_fiber *self)
{
    if (setjmp(self->start) == 0) self->entry.call(self, self->entry.argument);
}

/* The lowest frame of every stack. makecontext passes int arguments, so the pointer comes in two
 * halves. */
static void fiber_main(unsigned int low, unsigned int high)
{
    struct hf_fiber *self = (struct hf_fiber *)(uintptr_t)((uint64_t)high << 32 | low);
    sanitizers_entered(self);
    for (;;) {
        hf_assert(self->state == FIBER_RUNNING);
        fiber_entry_run(self);
        self->state = FIBER_ENDED;
        fiber_leave(self);
    }
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static size_t mapping_size(const struct hf_fiber_pool *pool)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    size_t record_size = size_round_up(sizeof(struct hf_fiber), page_size);
    return pool->guard_size + pool->stack_size + record_size;
}

static hf_status stack_refused(const struct hf_fiber_pool *pool, hf_error *error)
{
    return hf_error_system(error, HF_NO_MEMORY, errno,
                           "no stack of %zu bytes for a fiber beside the %" PRIu32 " in use: each "
                           "takes two of the process's memory maps; raise vm.max_map_count, "
                           "or its memory limits (ulimit -v, -d), or keep fewer instances live",
                           pool->stack_size, pool->stacks_used_count);
}

/* Maps guard, stack and record. First all without access, so that the guard is never counted as
 * memory in use. */
static hf_status mapping_new(const struct hf_fiber_pool *pool, unsigned char **out_mapping,
                             hf_error *error)
{
    size_t size = mapping_size(pool);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
    void *mapping = mmap(NULL, size, PROT_NONE, flags, -1, 0);
    if (mapping == MAP_FAILED) return stack_refused(pool, error);
    unsigned char *stack = (unsigned char *)mapping + pool->guard_size;
    if (mprotect(stack, size - pool->guard_size, PROT_READ | PROT_WRITE)) {
        hf_status status = stack_refused(pool, error);
        /* At the limit of maps even this can fail, when it would split a map; then address space
         * is lost, but no memory. */
        (void)munmap(mapping, size);
        return status;
    }
    *out_mapping = mapping;
    return HF_OK;
}

static void context_make(struct hf_fiber *self)
{
    int failed = getcontext(&self->context);
    hf_assert(!failed);
    uint64_t address = (uint64_t)(uintptr_t)self;
    self->context.uc_link = NULL;
    self->context.uc_stack.ss_sp = self->stack;
    self->context.uc_stack.ss_size = stack_bytes(self);
    makecontext(&self->context, (void (*)(void))fiber_main, 2, (unsigned int)address,
                (unsigned int)(address >> 32));
    self->context.uc_stack.ss_size = 0; /* law 5 */
}

/* A new stack with its record, as if it came from the cache. */
static hf_status stack_new(struct hf_fiber_pool *pool, struct hf_fiber **out_fiber, hf_error *error)
{
    unsigned char *mapping = NULL;
    hf_status status = mapping_new(pool, &mapping, error);
    if (status != HF_OK) return status;
    unsigned char *end = mapping + mapping_size(pool);
    struct hf_fiber *self = (struct hf_fiber *)(void *)(end - sizeof(struct hf_fiber));
    hf_assert((uintptr_t)self % RECORD_ALIGNMENT == 0);
    *self = (struct hf_fiber){ .pool = pool,
                               .state = FIBER_CACHED,
                               .stack = mapping + pool->guard_size,
                               .tsan_fiber = tsan_fiber_new() };
    hf_assert(stack_bytes(self) >= pool->stack_size);
    context_make(self);
    pool->stacks_made_count++;
    *out_fiber = self;
    return HF_OK;
}

static void stack_free(struct hf_fiber *self)
{
    hf_assert(self->state == FIBER_CACHED);
    unsigned char *mapping = self->stack - self->pool->guard_size;
    size_t size = mapping_size(self->pool);
    stack_unpoison(self); /* law 6: whoever gets these addresses next must find them clean */
    tsan_fiber_free(self->tsan_fiber);
    int failed = munmap(mapping, size);
    hf_assert(!failed);
}

static struct hf_fiber *cache_take(struct hf_fiber_pool *pool)
{
    struct hf_fiber *self = pool->cached;
    hf_assert((self == NULL) == (pool->stacks_cached_count == 0));
    if (!self) return NULL;
    pool->cached = self->next_cached;
    pool->stacks_cached_count--;
    self->next_cached = NULL;
    return self;
}

static void cache_put(struct hf_fiber_pool *pool, struct hf_fiber *self)
{
    hf_assert(pool->stacks_cached_count < pool->stacks_cached_max);
    stack_poison(self);
    self->next_cached = pool->cached;
    pool->cached = self;
    pool->stacks_cached_count++;
}

/* ---- pool ------------------------------------------------------------------------------------ */

void hf_fiber_pool_init(struct hf_fiber_pool *self, const struct hf_fiber_pool_options *options)
{
    struct hf_fiber_pool_options chosen = { 0 };
    if (options) chosen = *options;
    if (chosen.stack_size == 0) chosen.stack_size = HF_FIBER_STACK_SIZE_DEFAULT;
    if (chosen.stacks_cached_max == 0) chosen.stacks_cached_max = HF_FIBER_STACKS_CACHED_DEFAULT;
    hf_assert(chosen.stack_size >= HF_FIBER_STACK_SIZE_MIN);
    hf_assert(chosen.stack_size <= HF_FIBER_STACK_SIZE_MAX);
    long page_size = sysconf(_SC_PAGESIZE);
    hf_assert(page_size > 0);
    *self = (struct hf_fiber_pool){
        .stack_size = size_round_up(chosen.stack_size, (size_t)page_size),
        .guard_size = size_round_up(GUARD_SIZE, (size_t)page_size),
        .stacks_cached_max = chosen.stacks_cached_max,
    };
}

void hf_fiber_pool_release(struct hf_fiber_pool *self)
{
    hf_assert(self->stacks_used_count == 0);
    struct hf_fiber *fiber;
    while ((fiber = cache_take(self)) != NULL) stack_free(fiber);
    hf_assert(self->stacks_cached_count == 0);
}

/* ---- fibers ---------------------------------------------------------------------------------- */

hf_status hf_fiber_new(struct hf_fiber_pool *pool, struct hf_fiber_entry entry,
                       struct hf_fiber **out_fiber, hf_error *error)
{
    hf_assert(entry.call);
    struct hf_fiber *self = cache_take(pool);
    if (!self) {
        hf_status status = stack_new(pool, &self, error);
        if (status != HF_OK) return status;
    }
    hf_assert(self->pool == pool && self->state == FIBER_CACHED);
    stack_unpoison(self);
    self->entry = entry;
    self->thread = NULL;
    self->state = FIBER_NEW;
    pool->stacks_used_count++;
    *out_fiber = self;
    return HF_OK;
}

bool hf_fiber_resume(struct hf_fiber *self)
{
    hf_assert(self->state == FIBER_NEW || self->state == FIBER_SUSPENDED);
    if (self->state == FIBER_NEW) self->thread = thread_current();
    hf_assert(self->thread == thread_current());
    ucontext_t resumer;
    resumer.uc_stack.ss_sp = NULL; /* law 5; swapcontext fills in the rest */
    resumer.uc_stack.ss_size = 0;
    self->resumer = &resumer;
    self->state = FIBER_RUNNING;
    void *fake_stack = sanitizers_enter(self);
    int failed = swapcontext(&resumer, &self->context);
    sanitizers_left(fake_stack);
    hf_assert(!failed);
    hf_assert(self->state == FIBER_SUSPENDED || self->state == FIBER_ENDED);
    self->resumer = NULL;
    return self->state == FIBER_ENDED;
}

void hf_fiber_suspend(struct hf_fiber *self)
{
    hf_assert(self->state == FIBER_RUNNING);
    hf_assert(fiber_is_inside(self));
    self->state = FIBER_SUSPENDED;
    fiber_leave(self);
}

void hf_fiber_exit(struct hf_fiber *self)
{
    hf_assert(self->state == FIBER_RUNNING);
    hf_assert(fiber_is_inside(self));
    longjmp(self->start, 1);
}

bool hf_fiber_is_ended(const struct hf_fiber *self)
{
    return self->state == FIBER_ENDED;
}

void hf_fiber_free(struct hf_fiber *self)
{
    if (!self) return;
    hf_assert(self->state == FIBER_ENDED || self->state == FIBER_NEW);
    struct hf_fiber_pool *pool = self->pool;
    hf_assert(pool->stacks_used_count > 0);
    pool->stacks_used_count--;
    self->state = FIBER_CACHED;
    if (pool->stacks_cached_count < pool->stacks_cached_max) {
        cache_put(pool, self);
    } else {
        stack_free(self);
    }
}
