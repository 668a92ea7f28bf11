/* Fibers: order of switches, locals, exits at depth, reuse of stacks, limits, and misuse. Fibers
 * only note what they see; the assertions stand on the test's own stack. What must kill a
 * process runs in a child: this program, started again with `--child ROLE`, so that neither
 * cmocka nor a fork is in its way. */
#include "tests/support/hf_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/compiler.h"
#include "engine/fiber.h"

#if HF_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define NOINLINE __attribute__((noinline))

enum {
    FIBERS_COUNT = 100,
    ROUNDS_COUNT = 100,
    WORDS_COUNT = 32,
    NEST_DEPTH = 12,
    EXITS_COUNT = 20000,
    BLOCK_SIZE = 512,
    CALL_SIZE_MAX = 4096, /* more than one call of descend() takes, sanitized or not */
    GUARD_SIZE_MAX = 64 * 1024,
    LARGE_STACK_SIZE = 256 * 1024 * 1024,
    CHILD_TEXT_SIZE = 16 * 1024,
    CHILD_SURVIVED = 3
};

static struct hf_fiber *fiber_new(struct hf_fiber_pool *pool,
                                  void (*call)(struct hf_fiber *, void *), void *argument)
{
    struct hf_fiber *fiber = NULL;
    hf_error error = { 0 };
    struct hf_fiber_entry entry = { .call = call, .argument = argument };
    assert_ok(hf_fiber_new(pool, entry, &fiber, &error), &error);
    assert_non_null(fiber);
    return fiber;
}

static void pool_init(struct hf_fiber_pool *pool, size_t stack_size, uint32_t stacks_cached_max)
{
    const struct hf_fiber_pool_options options = { .stack_size = stack_size,
                                                   .stacks_cached_max = stacks_cached_max };
    hf_fiber_pool_init(pool, &options);
}

/* ---- order and locals ------------------------------------------------------------------------ */

struct trace {
    char text[32];
    struct hf_fiber *inner;
};

static void trace_add(struct trace *trace, char step)
{
    size_t size = strlen(trace->text);
    if (size + 1 < sizeof trace->text) trace->text[size] = step;
}

static void call_two_stops(struct hf_fiber *fiber, void *argument)
{
    trace_add(argument, 'a');
    hf_fiber_suspend(fiber);
    trace_add(argument, 'b');
    hf_fiber_suspend(fiber);
    trace_add(argument, 'c');
}

/* A fiber runs when it is resumed, stops where it suspends, and has ended when its function
 * returned. */
static void test_resume_runs_to_the_next_suspend(void **state)
{
    (void)state;
    struct trace trace = { 0 };
    struct hf_fiber_pool pool;
    hf_fiber_pool_init(&pool, NULL);
    struct hf_fiber *fiber = fiber_new(&pool, call_two_stops, &trace);
    trace_add(&trace, '1');
    assert_false(hf_fiber_resume(fiber));
    trace_add(&trace, '2');
    assert_false(hf_fiber_resume(fiber));
    assert_false(hf_fiber_is_ended(fiber));
    trace_add(&trace, '3');
    assert_true(hf_fiber_resume(fiber));
    assert_true(hf_fiber_is_ended(fiber));
    assert_string_equal(trace.text, "1a2b3c");
    hf_fiber_free(fiber);
    hf_fiber_pool_release(&pool);
}

static void call_resume_inner(struct hf_fiber *fiber, void *argument)
{
    struct trace *trace = argument;
    trace_add(trace, '(');
    while (!hf_fiber_resume(trace->inner)) hf_fiber_suspend(fiber);
    trace_add(trace, ')');
}

/* A fiber may resume another one, whose suspends come back to it and not to the thread. */
static void test_fiber_resumes_another_fiber(void **state)
{
    (void)state;
    struct trace trace = { 0 };
    struct hf_fiber_pool pool;
    hf_fiber_pool_init(&pool, NULL);
    struct hf_fiber *outer = fiber_new(&pool, call_resume_inner, &trace);
    trace.inner = fiber_new(&pool, call_two_stops, &trace);
    assert_false(hf_fiber_resume(outer));
    assert_false(hf_fiber_resume(outer));
    assert_true(hf_fiber_resume(outer));
    assert_true(hf_fiber_is_ended(trace.inner));
    assert_string_equal(trace.text, "(abc)");
    hf_fiber_free(trace.inner);
    hf_fiber_free(outer);
    hf_fiber_pool_release(&pool);
}

struct keeper {
    uint32_t seed;
    uint32_t rounds_count;     /* switches seen */
    uint32_t mismatches_count; /* locals found changed */
};

static void call_keep_locals(struct hf_fiber *fiber, void *argument)
{
    struct keeper *keeper = argument;
    volatile uint32_t words[WORDS_COUNT];
    double share = (double)keeper->seed / 3;
    for (uint32_t i = 0; i < WORDS_COUNT; i++) words[i] = keeper->seed * 31 + i;
    for (uint32_t round = 0; round < ROUNDS_COUNT; round++) {
        hf_fiber_suspend(fiber);
        keeper->rounds_count++;
        for (uint32_t i = 0; i < WORDS_COUNT; i++) {
            keeper->mismatches_count += words[i] != keeper->seed * 31 + i + round;
            words[i] = words[i] + 1;
        }
    }
    keeper->mismatches_count += share < keeper->seed / 3.0 || share > keeper->seed / 3.0;
}

/* Resumes fibers in an order that changes each round, until all have ended. Returns the number
 * of resumes. */
static uint32_t resume_all(struct hf_fiber **fibers)
{
    uint32_t resumes_count = 0;
    for (uint32_t round = 0; round <= ROUNDS_COUNT; round++) {
        for (uint32_t i = 0; i < FIBERS_COUNT; i++) {
            uint32_t next = (i * 37 + round * 11) % FIBERS_COUNT;
            assert_int_equal(hf_fiber_resume(fibers[next]), round == ROUNDS_COUNT);
            resumes_count++;
        }
    }
    return resumes_count;
}

/* A hundred fibers interleaved over ten thousand switches never see each other's locals. */
static void test_interleaved_fibers_keep_their_locals(void **state)
{
    (void)state;
    struct hf_fiber_pool pool;
    pool_init(&pool, 0, FIBERS_COUNT);
    struct hf_fiber *fibers[FIBERS_COUNT];
    struct keeper keepers[FIBERS_COUNT] = { { 0 } };
    for (uint32_t i = 0; i < FIBERS_COUNT; i++) {
        keepers[i].seed = i + 1;
        fibers[i] = fiber_new(&pool, call_keep_locals, &keepers[i]);
    }
    assert_int_equal(pool.stacks_used_count, FIBERS_COUNT);
    assert_int_equal(resume_all(fibers), FIBERS_COUNT * (ROUNDS_COUNT + 1));
    for (uint32_t i = 0; i < FIBERS_COUNT; i++) {
        assert_int_equal(keepers[i].rounds_count, ROUNDS_COUNT);
        assert_int_equal(keepers[i].mismatches_count, 0);
        hf_fiber_free(fibers[i]);
    }
    hf_fiber_pool_release(&pool);
}

/* ---- exits ----------------------------------------------------------------------------------- */

struct nest {
    struct hf_fiber *fiber;
    uint32_t depth;
    bool evicted;
    uint32_t entered_count;
    uint32_t returned_count; /* frames that were left in the ordinary way */
};

/* Suspends at the bottom of nested calls, and exits there when it was evicted meanwhile. */
static NOINLINE uint32_t nest_down(struct nest *nest, uint32_t depth)
{
    volatile unsigned char block[64];
    memset((void *)(uintptr_t)block, (int)depth, sizeof block);
    nest->entered_count++;
    uint32_t sum = block[depth];
    if (depth < nest->depth) {
        sum += nest_down(nest, depth + 1);
    } else {
        hf_fiber_suspend(nest->fiber);
        if (nest->evicted) hf_fiber_exit(nest->fiber);
    }
    nest->returned_count++;
    return sum + block[depth + 1];
}

static void call_nest(struct hf_fiber *fiber, void *argument)
{
    struct nest *nest = argument;
    nest->fiber = fiber;
    (void)nest_down(nest, 0);
}

/* Runs a fiber of the pool to its suspend at the given depth, then to its end, evicted or not. */
static struct nest nest_run(struct hf_fiber_pool *pool, uint32_t depth, bool evicted)
{
    struct nest nest = { .depth = depth };
    struct hf_fiber *fiber = fiber_new(pool, call_nest, &nest);
    assert_false(hf_fiber_resume(fiber));
    nest.evicted = evicted;
    assert_true(hf_fiber_resume(fiber));
    assert_true(hf_fiber_is_ended(fiber));
    hf_fiber_free(fiber);
    return nest;
}

/* An exit in the middle of nested calls ends the fiber and abandons its frames; the next fiber
 * runs whole on the same stack. */
static void test_exit_abandons_frames_and_the_stack_serves_again(void **state)
{
    (void)state;
    struct hf_fiber_pool pool;
    hf_fiber_pool_init(&pool, NULL);
    struct nest evicted = nest_run(&pool, NEST_DEPTH, true);
    assert_int_equal(evicted.entered_count, NEST_DEPTH + 1);
    assert_int_equal(evicted.returned_count, 0);
    struct nest whole = nest_run(&pool, NEST_DEPTH / 2, false);
    assert_int_equal(whole.returned_count, NEST_DEPTH / 2 + 1);
    assert_ptr_equal(whole.fiber, evicted.fiber);
    assert_int_equal(pool.stacks_made_count, 1);
    hf_fiber_pool_release(&pool);
}

static void call_exit_at_once(struct hf_fiber *fiber, void *argument)
{
    trace_add(argument, 'x');
    hf_fiber_exit(fiber);
}

/* A fiber may exit before it ever suspended. */
static void test_exit_before_the_first_suspend_ends_the_fiber(void **state)
{
    (void)state;
    struct trace trace = { 0 };
    struct hf_fiber_pool pool;
    hf_fiber_pool_init(&pool, NULL);
    struct hf_fiber *fiber = fiber_new(&pool, call_exit_at_once, &trace);
    assert_true(hf_fiber_resume(fiber));
    assert_string_equal(trace.text, "x");
    hf_fiber_free(fiber);
    hf_fiber_pool_release(&pool);
}

/* Exits leave nothing behind on a stack that serves for ever: under ThreadSanitizer their frames
 * would fill up its record of calls (65,536 of them). */
static void test_stack_outlives_twenty_thousand_exits(void **state)
{
    (void)state;
    struct hf_fiber_pool pool;
    hf_fiber_pool_init(&pool, NULL);
    for (uint32_t i = 0; i < EXITS_COUNT; i++) {
        struct nest nest = nest_run(&pool, NEST_DEPTH, i % 8 != 7);
        assert_int_equal(nest.entered_count, NEST_DEPTH + 1);
    }
    assert_int_equal(pool.stacks_made_count, 1);
    hf_fiber_pool_release(&pool);
}

/* ---- pool ------------------------------------------------------------------------------------ */

/* Freed stacks serve the next fibers, and no more of them are kept than was asked for. */
static void test_pool_reuses_stacks_and_keeps_no_more_than_asked(void **state)
{
    (void)state;
    struct hf_fiber_pool pool;
    pool_init(&pool, HF_FIBER_STACK_SIZE_MIN, 2);
    struct trace trace = { 0 };
    struct hf_fiber *fibers[3];
    for (uint64_t pass = 0; pass < 4; pass++) {
        for (size_t i = 0; i < HF_COUNT_OF(fibers); i++) {
            fibers[i] = fiber_new(&pool, call_exit_at_once, &trace);
            assert_true(hf_fiber_resume(fibers[i]));
        }
        assert_int_equal(pool.stacks_made_count, 3 + pass);
        assert_int_equal(pool.stacks_used_count, 3);
        assert_int_equal(pool.stacks_cached_count, 0);
        for (size_t i = 0; i < HF_COUNT_OF(fibers); i++) hf_fiber_free(fibers[i]);
        assert_int_equal(pool.stacks_used_count, 0);
        assert_int_equal(pool.stacks_cached_count, 2);
    }
    assert_string_equal(trace.text, "xxxxxxxxxxxx");
    hf_fiber_pool_release(&pool);
    assert_int_equal(pool.stacks_cached_count, 0);
}

/* A fiber that was never resumed is freed like any other, and its stack runs the next one. */
static void test_free_of_a_fiber_that_never_ran_returns_its_stack(void **state)
{
    (void)state;
    struct trace trace = { 0 };
    struct hf_fiber_pool pool;
    hf_fiber_pool_init(&pool, NULL);
    struct hf_fiber *unused = fiber_new(&pool, call_exit_at_once, &trace);
    assert_false(hf_fiber_is_ended(unused));
    hf_fiber_free(unused);
    assert_string_equal(trace.text, "");
    struct nest nest = nest_run(&pool, 1, false);
    assert_int_equal(nest.returned_count, 2);
    hf_fiber_free(fiber_new(&pool, call_exit_at_once, &trace));
    hf_fiber_free(NULL);
    assert_int_equal(pool.stacks_made_count, 1);
    hf_fiber_pool_release(&pool);
}

/* ---- stack size ------------------------------------------------------------------------------ */

struct descent {
    const unsigned char *top;
    size_t limit; /* bytes to go down */
    size_t size;  /* bytes gone down */
};

/* Calls itself until it stands `limit` bytes below the top, and touches every page on the way. */
static NOINLINE size_t descend(const struct descent *descent)
{
    volatile unsigned char block[BLOCK_SIZE];
    block[0] = 1;
    block[BLOCK_SIZE - 1] = 1;
    size_t size = (size_t)(descent->top - (const unsigned char *)__builtin_frame_address(0));
    if (size < descent->limit) size = descend(descent);
    return size + block[0] - block[BLOCK_SIZE - 1];
}

static void call_descend(struct hf_fiber *fiber, void *argument)
{
    (void)fiber;
    struct descent *descent = argument;
    descent->top = __builtin_frame_address(0);
    descent->size = descend(descent);
}

/* The size that was asked for can be used, down to its last page. */
static void test_stack_of_the_size_asked_for_is_usable(void **state)
{
    (void)state;
    struct hf_fiber_pool pool;
    pool_init(&pool, 100 * 1000, 0);
    assert_true(pool.stack_size >= 100 * 1000);
    assert_int_equal(pool.stack_size % (size_t)sysconf(_SC_PAGESIZE), 0);
    struct descent descent = { .limit = pool.stack_size - CALL_SIZE_MAX };
    struct hf_fiber *fiber = fiber_new(&pool, call_descend, &descent);
    assert_true(hf_fiber_resume(fiber));
    assert_true(descent.size >= descent.limit);
    hf_fiber_free(fiber);
    hf_fiber_pool_release(&pool);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* Address space of this process, in bytes. */
static size_t address_space_size(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    assert_int_equal(fclose(file), 0);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Asks for a fiber while the soft limit of resource is as given; nothing else runs under that
 * limit. */
static hf_status new_under_limit(struct hf_fiber_pool *pool, int resource, rlim_t limit,
                                 hf_error *error)
{
    struct rlimit before;
    assert_int_equal(getrlimit((__rlimit_resource_t)resource, &before), 0);
    struct rlimit tight = { .rlim_cur = limit, .rlim_max = before.rlim_max };
    struct trace trace = { 0 };
    struct hf_fiber_entry entry = { .call = call_exit_at_once, .argument = &trace };
    struct hf_fiber *fiber = NULL;
    int set = setrlimit((__rlimit_resource_t)resource, &tight);
    hf_status status = hf_fiber_new(pool, entry, &fiber, error);
    int reset = setrlimit((__rlimit_resource_t)resource, &before);
    assert_int_equal(set, 0);
    assert_int_equal(reset, 0);
    assert_true(status == HF_OK || fiber == NULL);
    return status;
}

/* Asserts that the refusal says what to do, that nothing of it stays mapped, and that the pool
 * works on. */
static void assert_refused_and_usable(struct hf_fiber_pool *pool, int resource, rlim_t limit)
{
    hf_error error = { 0 };
    size_t before = address_space_size();
    assert_status(new_under_limit(pool, resource, limit, &error), HF_NO_MEMORY);
    assert_true(address_space_size() < before + pool->stack_size);
    assert_int_equal(error.status, HF_NO_MEMORY);
    assert_int_not_equal(error.system_error, 0);
    assert_non_null(strstr(error.message, "vm.max_map_count"));
    assert_int_equal(pool->stacks_used_count, 0);
    assert_int_equal(pool->stacks_made_count, 0);
}

/* A stack that the system refuses is HF_NO_MEMORY with advice; the pool is as before and serves
 * once there is room. */
static void test_refused_stack_is_no_memory_and_changes_nothing(void **state)
{
    (void)state;
    struct hf_fiber_pool pool;
    pool_init(&pool, LARGE_STACK_SIZE, 0);
    /* No room for the mapping at all. */
    assert_refused_and_usable(&pool, RLIMIT_AS, address_space_size() + LARGE_STACK_SIZE / 2);
#if !HF_TSAN
    /* Room for the mapping, none for making it writable. ThreadSanitizer maps writable memory of
     * its own beside every mapping and does not survive this limit. */
    assert_refused_and_usable(&pool, RLIMIT_DATA, LARGE_STACK_SIZE / 2);
#endif
    struct nest nest = nest_run(&pool, 1, false);
    assert_int_equal(nest.returned_count, 2);
    hf_fiber_pool_release(&pool);
}

/* ---- what kills a process: the roles of the child -------------------------------------------- */

static struct hf_fiber *child_fiber(struct hf_fiber_pool *pool,
                                    void (*call)(struct hf_fiber *, void *), void *argument)
{
    struct hf_fiber *fiber = NULL;
    struct hf_fiber_entry entry = { .call = call, .argument = argument };
    if (hf_fiber_new(pool, entry, &fiber, NULL) != HF_OK) _exit(CHILD_SURVIVED);
    return fiber;
}

static void call_suspend(struct hf_fiber *fiber, void *argument)
{
    (void)argument;
    hf_fiber_suspend(fiber);
}

/* Goes below its own stack, as far as a guard may reach and a little farther. Other stacks lie
 * below. */
static void child_overflow(struct hf_fiber_pool *pool)
{
    struct descent descent = { .limit = pool->stack_size + GUARD_SIZE_MAX + CALL_SIZE_MAX };
    struct hf_fiber *first = child_fiber(pool, call_descend, &descent);
    for (int i = 0; i < 4; i++) (void)hf_fiber_resume(child_fiber(pool, call_suspend, NULL));
    (void)hf_fiber_resume(first);
}

static void child_release_with_fiber_in_use(struct hf_fiber_pool *pool)
{
    (void)child_fiber(pool, call_suspend, NULL);
    hf_fiber_pool_release(pool);
}

static void resume_to_end(struct hf_fiber *fiber)
{
    bool ended = false;
    while (!ended) ended = hf_fiber_resume(fiber);
}

static void child_free_while_suspended(struct hf_fiber_pool *pool)
{
    struct hf_fiber *fiber = child_fiber(pool, call_suspend, NULL);
    (void)hf_fiber_resume(fiber);
    hf_fiber_free(fiber);
}

static void child_resume_after_end(struct hf_fiber_pool *pool)
{
    struct hf_fiber *fiber = child_fiber(pool, call_suspend, NULL);
    resume_to_end(fiber);
    (void)hf_fiber_resume(fiber);
}

static void call_resume_itself(struct hf_fiber *fiber, void *argument)
{
    (void)argument;
    (void)hf_fiber_resume(fiber);
}

static void child_resume_from_inside(struct hf_fiber_pool *pool)
{
    (void)hf_fiber_resume(child_fiber(pool, call_resume_itself, NULL));
}

static void call_suspend_another(struct hf_fiber *fiber, void *argument)
{
    (void)fiber;
    hf_fiber_suspend(argument);
}

static void call_start_intruder(struct hf_fiber *fiber, void *argument)
{
    (void)hf_fiber_resume(child_fiber(argument, call_suspend_another, fiber));
}

/* The outer fiber counts as running while the inner one, on another stack, tries to suspend it. */
static void child_suspend_from_outside(struct hf_fiber_pool *pool)
{
    (void)hf_fiber_resume(child_fiber(pool, call_start_intruder, pool));
}

static void *thread_resume(void *fiber)
{
    (void)hf_fiber_resume(fiber);
    return NULL;
}

static void child_resume_on_another_thread(struct hf_fiber_pool *pool)
{
    struct hf_fiber *fiber = child_fiber(pool, call_suspend, NULL);
    (void)hf_fiber_resume(fiber);
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_resume, fiber) == 0) pthread_join(thread, NULL);
}

#if HF_ASAN
static void call_overrun_after_suspend(struct hf_fiber *fiber, void *argument)
{
    unsigned char block[16] = { 0 };
    unsigned char *volatile end = block + sizeof block;
    hf_fiber_suspend(fiber);
    *end = 1;
    (void)argument;
}

static void child_overrun_after_suspend(struct hf_fiber_pool *pool)
{
    struct hf_fiber *fiber = child_fiber(pool, call_overrun_after_suspend, NULL);
    resume_to_end(fiber);
}

static void call_give_away_local(struct hf_fiber *fiber, void *argument)
{
    volatile unsigned char local = 1;
    *(volatile unsigned char **)argument = &local;
    hf_fiber_suspend(fiber);
    hf_fiber_exit(fiber);
}

static void child_use_of_a_freed_stack(struct hf_fiber_pool *pool)
{
    volatile unsigned char *local = NULL;
    struct hf_fiber *fiber = child_fiber(pool, call_give_away_local, &local);
    resume_to_end(fiber);
    hf_fiber_free(fiber);
    *local = 2;
}
#endif

/* ---- running a child ------------------------------------------------------------------------- */

struct role {
    const char *name;
    void (*run)(struct hf_fiber_pool *pool);
};

static const struct role roles[] = {
    { "overflow", child_overflow },
    { "release-in-use", child_release_with_fiber_in_use },
    { "free-suspended", child_free_while_suspended },
    { "resume-ended", child_resume_after_end },
    { "resume-inside", child_resume_from_inside },
    { "suspend-outside", child_suspend_from_outside },
    { "resume-elsewhere", child_resume_on_another_thread },
#if HF_ASAN
    { "overrun", child_overrun_after_suspend },
    { "freed-stack", child_use_of_a_freed_stack },
#endif
};

/* Never returns to the caller's main: a role is expected to kill the process, and leaves no core
 * file. */
static HF_NORETURN void child_main(const char *name)
{
    const struct rlimit none = { 0, 0 };
    if (setrlimit(RLIMIT_CORE, &none) != 0) _exit(CHILD_SURVIVED);
    struct hf_fiber_pool pool;
    pool_init(&pool, 32 * 1024, 0);
    for (size_t i = 0; i < HF_COUNT_OF(roles); i++) {
        if (strcmp(roles[i].name, name) == 0) roles[i].run(&pool);
    }
    _exit(CHILD_SURVIVED);
}

struct child_end {
    int status;
    char text[CHILD_TEXT_SIZE]; /* what it wrote to standard error, cut */
};

static void read_all(int file, char *text, size_t text_size)
{
    char rest[512];
    size_t size = 0;
    for (;;) {
        bool full = size + 1 == text_size;
        ssize_t got = full ? read(file, rest, sizeof rest)
                           : read(file, text + size, text_size - 1 - size);
        assert_true(got >= 0);
        if (got == 0) break;
        if (!full) size += (size_t)got;
    }
    text[size] = '\0';
}

/* Runs this program as a child in the role called name, to its end. */
static void child_run(const char *name, struct child_end *out_end)
{
    char program[] = "test_fiber", option[] = "--child", role[32];
    assert_true((size_t)snprintf(role, sizeof role, "%s", name) < sizeof role);
    char *arguments[] = { program, option, role, NULL };
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO), 0);
    pid_t pid = 0;
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    read_all(ends[0], out_end->text, sizeof out_end->text);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &out_end->status, 0), pid);
}

static bool is_killed_by(const struct child_end *end, int signal)
{
    return WIFSIGNALED(end->status) && WTERMSIG(end->status) == signal;
}

/* A sanitizer ends the process with a status or a signal of its choice, and names the finding. */
static bool is_reported(const struct child_end *end, const char *finding)
{
    bool failed = WIFSIGNALED(end->status) ||
                  (WIFEXITED(end->status) && WEXITSTATUS(end->status) != 0 &&
                   WEXITSTATUS(end->status) != CHILD_SURVIVED);
    return (HF_ASAN || HF_TSAN) && failed && strstr(end->text, finding) != NULL;
}

/* Running over the end of a stack hits its guard at once, before anything of another stack is
 * touched. */
static void test_stack_overflow_hits_the_guard(void **state)
{
    (void)state;
    struct child_end end;
    child_run("overflow", &end);
    if (!is_killed_by(&end, SIGSEGV) && !is_reported(&end, "stack-overflow")) {
        fail_msg("status %#x, said: %s", (unsigned int)end.status, end.text);
    }
}

static void assert_role_aborts(const char *role)
{
    struct child_end end;
    child_run(role, &end);
    if (!is_killed_by(&end, SIGABRT) || !strstr(end.text, "engine/fiber.c") ||
        !strstr(end.text, "broken invariant")) {
        fail_msg("%s: status %#x, said: %s", role, (unsigned int)end.status, end.text);
    }
}

/* A fiber that may still have something on its stack cannot lose it: neither free nor release
 * takes it. */
static void test_stack_in_use_is_never_given_back(void **state)
{
    (void)state;
    assert_role_aborts("release-in-use");
    assert_role_aborts("free-suspended");
}

/* Switches that would run two things on one stack, or one stack on two threads, are refused. */
static void test_impossible_switch_aborts(void **state)
{
    (void)state;
    assert_role_aborts("resume-ended");
    assert_role_aborts("resume-inside");
    assert_role_aborts("suspend-outside");
    assert_role_aborts("resume-elsewhere");
}

#if HF_ASAN
static void assert_role_reported(const char *role, const char *finding)
{
    struct child_end end;
    child_run(role, &end);
    if (!is_reported(&end, finding)) {
        fail_msg("%s: status %#x, said: %s", role, (unsigned int)end.status, end.text);
    }
}

/* AddressSanitizer still knows the frames of a fiber after it was suspended, and its stack after
 * it was freed. */
static void test_address_sanitizer_sees_errors_on_fiber_stacks(void **state)
{
    (void)state;
    assert_role_reported("overrun", "stack-buffer-overflow");
    assert_role_reported("freed-stack", "AddressSanitizer: ");
}
#endif

#if HF_TSAN
static void call_note_tsan_fiber(struct hf_fiber *fiber, void *argument)
{
    void **seen = argument;
    seen[0] = __tsan_get_current_fiber();
    hf_fiber_suspend(fiber);
    seen[1] = __tsan_get_current_fiber();
}

/* ThreadSanitizer knows at any time which fiber runs, and that the thread runs in between. */
static void test_thread_sanitizer_follows_each_switch(void **state)
{
    (void)state;
    struct hf_fiber_pool pool;
    hf_fiber_pool_init(&pool, NULL);
    void *seen[2] = { NULL, NULL };
    void *thread = __tsan_get_current_fiber();
    struct hf_fiber *fiber = fiber_new(&pool, call_note_tsan_fiber, seen);
    assert_false(hf_fiber_resume(fiber));
    assert_ptr_equal(__tsan_get_current_fiber(), thread);
    assert_true(hf_fiber_resume(fiber));
    assert_ptr_equal(__tsan_get_current_fiber(), thread);
    assert_non_null(seen[0]);
    assert_ptr_not_equal(seen[0], thread);
    assert_ptr_equal(seen[1], seen[0]);
    hf_fiber_free(fiber);
    hf_fiber_pool_release(&pool);
}
#endif

int main(int argument_count, char **arguments)
{
    if (argument_count == 3 && strcmp(arguments[1], "--child") == 0) child_main(arguments[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume_runs_to_the_next_suspend),
        cmocka_unit_test(test_fiber_resumes_another_fiber),
        cmocka_unit_test(test_interleaved_fibers_keep_their_locals),
        cmocka_unit_test(test_exit_abandons_frames_and_the_stack_serves_again),
        cmocka_unit_test(test_exit_before_the_first_suspend_ends_the_fiber),
        cmocka_unit_test(test_stack_outlives_twenty_thousand_exits),
        cmocka_unit_test(test_pool_reuses_stacks_and_keeps_no_more_than_asked),
        cmocka_unit_test(test_free_of_a_fiber_that_never_ran_returns_its_stack),
        cmocka_unit_test(test_stack_of_the_size_asked_for_is_usable),
        cmocka_unit_test(test_refused_stack_is_no_memory_and_changes_nothing),
        cmocka_unit_test(test_stack_overflow_hits_the_guard),
        cmocka_unit_test(test_stack_in_use_is_never_given_back),
        cmocka_unit_test(test_impossible_switch_aborts),
#if HF_ASAN
        cmocka_unit_test(test_address_sanitizer_sees_errors_on_fiber_stacks),
#endif
#if HF_TSAN
        cmocka_unit_test(test_thread_sanitizer_follows_each_switch),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
