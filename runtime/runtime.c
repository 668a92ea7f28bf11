/* The life of a runtime: options, start, stop, join, free. What it does in between is in loop.c,
 * dispatch.c, turns.c, activities.c, upkeep.c and shutdown.c.
 *
 * A runtime is started once. Its registration is made before any of its threads runs, and has ended
 * before on_stopped runs, so that nothing of it stands in the store once it has stopped. */
#include "runtime/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "engine/base/options.h"

static const uint64_t RUNTIME_MAGIC = 0x656d69746e757268U;      /* "hruntime" */
static const uint64_t GRACE_MAX_MS = 366ULL * 24 * 3600 * 1000; /* a year: sums cannot overflow */

void hf__runtime_assert(const hf_runtime *runtime)
{
    hf_assert(runtime);
    hf_assert(runtime->magic == RUNTIME_MAGIC);
}

void hf__runtime_submit(hf_runtime *runtime, struct hf__submission *submission)
{
    hf_error error;
    hf_status status = hf__committer_submit(runtime->store->committer, submission, &error);
    hf_assert(status == HF_OK);
}

/* The id that was given, or 128 random bits. */
static hf_status worker_id_make(hf_runtime *runtime, const char *given, hf_error *error)
{
    unsigned char random[16];
    if (given) {
        hf_status status = hf_id_check(given, "worker id", error);
        if (status != HF_OK) return status;
        hf_text_copy(runtime->worker_id, sizeof runtime->worker_id, hf_text(given));
        return HF_OK;
    }
    runtime->store->seams.random(runtime->store->seams.self, random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(runtime->worker_id + 2 * i, 3, "%02x", random[i]);
    }
    return HF_OK;
}

/* ---- new and free --------------------------------------------------------------------------- */

static void parts_init(hf_runtime *runtime)
{
    int failed = uv_mutex_init(&runtime->mutex);
    hf_assert(failed == 0);
    failed = uv_cond_init(&runtime->changed);
    hf_assert(failed == 0);
    hf__claims_init(&runtime->claims, runtime->heap);
    hf__dispatch_init(runtime);
    hf__upkeep_init(runtime);
    hf__timers_init(runtime);
    hf__releasing_init(runtime);
    hf__leaks_init(runtime);
    hf__heartbeats_init(runtime);
    hf__shutdown_init(runtime);
}

static hf_status parts_make(hf_runtime *runtime, hf_error *error)
{
    hf_status status = hf__turns_init(runtime, error);
    hf_status pool_status = hf__activities_init(runtime, status == HF_OK ? error : NULL);
    if (status == HF_OK) status = pool_status;
    if (status != HF_OK) return status;
    runtime->stop_signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (runtime->stop_signal >= 0) return HF_OK;
    return hf_error_system(error, HF_IO, errno, "cannot make an eventfd: raise the limit of files");
}

static void runtime_dispose(hf_runtime *runtime)
{
    const hf_allocator *heap = runtime->heap;
    hf__dispatch_release(runtime);
    hf__upkeep_release(runtime);
    hf__timers_release(runtime);
    hf__releasing_release(runtime);
    hf__leaks_release(runtime);
    hf__heartbeats_release(runtime);
    hf__shutdown_release(runtime);
    hf__activities_release(runtime);
    hf__turns_release(runtime);
    hf__claims_bury(runtime);
    hf__claims_release(&runtime->claims);
    if (runtime->stop_signal >= 0) close(runtime->stop_signal);
    uv_cond_destroy(&runtime->changed);
    uv_mutex_destroy(&runtime->mutex);
    hf__settings_release(&runtime->settings, heap);
    atomic_fetch_sub(&runtime->store->runtimes_count, 1);
    runtime->magic = 0;
    hf_heap_free(heap, runtime, sizeof *runtime);
}

hf_status hf_runtime_new(hf_store *store, const hf_registry *registry,
                         const hf_runtime_options *options, hf_runtime **out_runtime,
                         hf_error *error)
{
    hf_runtime_options given;
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK && (!registry || !out_runtime)) {
        status = hf_error_set(error, HF_INVALID, "registry and out_runtime must be given");
    }
    if (status == HF_OK) status = hf_registry_check(registry, error);
    if (status == HF_OK) status = hf_options_copy(&given, sizeof given, options, error);
    if (status != HF_OK) return status;

    hf_runtime *runtime = hf_heap_new(store->heap, sizeof *runtime);
    if (!runtime) return hf_error_set(error, HF_NO_MEMORY, "no memory for a runtime");
    status = hf__settings_make(&runtime->settings, &given, store->heap, error);
    if (status != HF_OK) {
        hf_heap_free(store->heap, runtime, sizeof *runtime);
        return status;
    }
    runtime->magic = RUNTIME_MAGIC;
    runtime->store = store;
    runtime->registry = registry;
    runtime->heap = store->heap;
    runtime->stop_signal = -1;
    runtime->process = store->process;
    atomic_fetch_add(&store->runtimes_count, 1);
    parts_init(runtime);
    status = parts_make(runtime, error);
    if (status == HF_OK) status = worker_id_make(runtime, given.worker_id, error);
    if (status != HF_OK) {
        runtime_dispose(runtime);
        return status;
    }
    *out_runtime = runtime;
    return HF_OK;
}

/* Waits for the threads that are left: those that a user's function held. */
static void threads_join(hf_runtime *runtime)
{
    if (runtime->loop.has_thread) {
        int failed = uv_thread_join(&runtime->loop.thread);
        hf_assert(failed == 0);
    }
    hf__turns_join(runtime);
    hf__activities_join(runtime);
}

void hf_runtime_free(hf_runtime *runtime)
{
    if (!runtime) return;
    hf__runtime_assert(runtime);
    /* In a forked child the threads do not exist, and the locks may be held for ever. */
    if (getpid() != runtime->process) return;
    uv_mutex_lock(&runtime->mutex);
    bool was_started = runtime->state != HF__RUNTIME_NEW && runtime->state != HF__RUNTIME_FAILED;
    bool must_run = was_started && runtime->state != HF__RUNTIME_STOPPED &&
                    hf__loop_is_mine(runtime);
    uv_mutex_unlock(&runtime->mutex);
    if (was_started) {
        hf_runtime_stop(runtime, HF__GRACE_MS, NULL, NULL);
        if (must_run) hf__loop_run_out(runtime);
        hf_status status = hf_runtime_join(runtime, NULL);
        hf_assert(status == HF_OK);
    }
    threads_join(runtime);
    runtime_dispose(runtime);
}

/* ---- start ---------------------------------------------------------------------------------- */

static void want(struct hf__listener *listener, uint32_t effects, struct hf__committer_group *group)
{
    size_t offset = offsetof(struct hf_runtime, listener);
    hf_runtime *runtime = (hf_runtime *)(void *)((char *)listener - offset);
    hf__dispatch_want(runtime, effects, group);
}

static hf_status start_register(hf_runtime *runtime, hf_error *error)
{
    struct hf__submission submission;
    struct hf__deadlines deadlines = hf__upkeep_deadlines(runtime);
    hf__submission_init(&submission, runtime->heap, HF_STORE_REGISTER);
    submission.command.register_worker = (struct hf_store_register){
        .worker_id = hf_text(runtime->worker_id),
        .life = hf_text(runtime->life.name),
        .boot_id = runtime->store->seams.boot_id,
        .pid = (uint64_t)runtime->process,
        .items_deadline_boot_ms = deadlines.items_boot_ms,
        .sessions_deadline_boot_ms = deadlines.sessions_boot_ms,
        .reclaim_ms = runtime->settings.session_reclaim_ms
    };
    hf_status status = hf__store_call(runtime->store, &submission, error);
    if (status == HF_OK) {
        runtime->registration = submission.command.register_worker.out_registration;
        uv_mutex_lock(&runtime->mutex);
        hf__upkeep_kept(runtime, deadlines.items_boot_ms);
        uv_mutex_unlock(&runtime->mutex);
    }
    hf__submission_release(&submission);
    return status;
}

/* The life of a former start of the same worker, which HF_STORE_REGISTER ends when it is dead.
 * data NULL: there is none. In arena. */
static hf_slice former_life(hf_runtime *runtime, struct hf_arena *arena)
{
    struct hf_backend *backend = runtime->store->backend;
    struct hf_registration_row *rows = NULL;
    size_t count = 0;
    hf_error error;
    hf_status status = backend->ops->registrations(backend, arena, &rows, &count, &error);
    for (size_t i = 0; status == HF_OK && i < count; i++) {
        bool is_same = hf_slice_equal(rows[i].worker_id, hf_text(runtime->worker_id));
        if (is_same && !rows[i].ended) return rows[i].life;
    }
    return (hf_slice)HF_EMPTY;
}

/* Registers; whoever ends a registration removes its life file. */
static hf_status start_anew(hf_runtime *runtime, hf_error *error)
{
    struct hf_arena arena;
    hf_arena_init(&arena, runtime->heap);
    hf_slice former = former_life(runtime, &arena);
    hf_status status = start_register(runtime, error);
    if (status == HF_OK && former.data) hf__lives_remove(runtime->store->lives, former);
    hf_arena_release(&arena);
    return status;
}

/* Ends a registration that was made for nothing; when that fails, its life file is gone anyway. */
static void start_unregister(hf_runtime *runtime)
{
    struct hf__submission submission;
    hf__submission_init(&submission, runtime->heap, HF_STORE_END_REGISTRATION);
    submission.command.end_registration = (struct hf_store_end_registration){
        .registration = runtime->registration,
        .reason = HF_REASON_SHUTDOWN,
        .by = runtime->registration
    };
    hf_status status = hf__store_call(runtime->store, &submission, NULL);
    if (status != HF_OK) runtime->registration = 0;
    hf__submission_release(&submission);
}

/* Starts all threads, or none that stays. The loop comes last: handles on a loop that is not ours
 * could not be taken back. */
static hf_status start_threads(hf_runtime *runtime, uv_loop_t *given, hf_error *error)
{
    hf_status status = hf__turns_start(runtime, error);
    if (status == HF_OK) status = hf__activities_start(runtime, error);
    if (status == HF_OK) status = hf__loop_open(runtime, given, error);
    if (status == HF_OK) {
        /* Before the loop runs: a stop by signal is heeded from its first turn on. */
        uv_mutex_lock(&runtime->mutex);
        runtime->state = HF__RUNTIME_RUNNING;
        uv_mutex_unlock(&runtime->mutex);
        status = hf__loop_start(runtime, error);
    }
    if (status == HF_OK) return HF_OK;
    uv_mutex_lock(&runtime->mutex);
    runtime->state = HF__RUNTIME_FAILED;
    hf__turns_end(runtime);
    hf__activities_end(runtime);
    uv_mutex_unlock(&runtime->mutex);
    hf__turns_join(runtime);
    hf__activities_join(runtime);
    return status;
}

/* First listen, then look: what came in between is seen. */
static hf_status start_listening(hf_runtime *runtime, hf_error *error)
{
    hf_status status = hf__store_listen(runtime->store, &runtime->listener, error);
    uv_mutex_lock(&runtime->mutex);
    runtime->is_listening = status == HF_OK;
    runtime->has_begun = true;
    hf__runtime_wake(runtime, HF__WAKE_LOOK | HF__WAKE_TIMERS | HF__WAKE_RECLAIM);
    uv_mutex_unlock(&runtime->mutex);
    return status;
}

static hf_status runtime_start(hf_runtime *runtime, uv_loop_t *given, hf_error *error)
{
    hf_status status = hf__life_open(runtime->store->lives, &runtime->life, error);
    if (status == HF_OK) status = start_anew(runtime, error);
    if (status == HF_OK) status = start_threads(runtime, given, error);
    if (status == HF_OK) {
        status = start_listening(runtime, error);
        if (status != HF_OK) hf_runtime_stop(runtime, 0, NULL, NULL);
        return status;
    }
    if (runtime->registration != 0) start_unregister(runtime);
    if (runtime->life.is_open) hf__life_close(runtime->store->lives, &runtime->life);
    hf__loop_discard(runtime);
    return status;
}

/* Who did not look whether hf_runtime_new had made one comes here with none. */
static hf_status runtime_missing(hf_error *error)
{
    return hf_error_set(error, HF_INVALID, "the runtime is NULL: make one with hf_runtime_new");
}

static hf_status start_on(hf_runtime *runtime, uv_loop_t *given, hf_error *error)
{
    if (!runtime) return runtime_missing(error);
    hf__runtime_assert(runtime);
    hf_status status = hf__handle_check(runtime->store, error);
    if (status != HF_OK) return status;
    uv_mutex_lock(&runtime->mutex);
    bool is_new = runtime->state == HF__RUNTIME_NEW;
    if (is_new) runtime->state = HF__RUNTIME_FAILED; /* until it has begun */
    uv_mutex_unlock(&runtime->mutex);
    if (!is_new) return hf_error_set(error, HF_INVALID, "a runtime is started once: make another");

    runtime->listener.on_effects = hf__loop_effects;
    runtime->listener.want = want;
    status = runtime_start(runtime, given, error);
    if (status != HF_OK) return status;
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_INFO,
                            .event = "worker.start",
                            .lsn = runtime->registration,
                            .worker = runtime->worker_id },
            "registered");
    return HF_OK;
}

hf_status hf_runtime_start(hf_runtime *runtime, hf_error *error)
{
    return start_on(runtime, NULL, error);
}

hf_status hf_runtime_attach(hf_runtime *runtime, struct uv_loop_s *loop, hf_error *error)
{
    if (!loop) return hf_error_set(error, HF_INVALID, "loop is NULL: give the loop that you run");
    return start_on(runtime, loop, error);
}

/* ---- stop and join -------------------------------------------------------------------------- */

void hf_runtime_stop(hf_runtime *runtime, uint64_t grace_ms, void (*on_stopped)(void *user),
                     void *user)
{
    hf__runtime_assert(runtime);
    if (getpid() != runtime->process) return;
    if (grace_ms > GRACE_MAX_MS) grace_ms = GRACE_MAX_MS;
    uv_mutex_lock(&runtime->mutex);
    bool is_over = runtime->state == HF__RUNTIME_STOPPED;
    bool was_started = is_over || runtime->state == HF__RUNTIME_RUNNING ||
                       runtime->state == HF__RUNTIME_STOPPING;
    bool is_to_tell = was_started && hf__shutdown_tell(runtime, on_stopped, user);
    if (runtime->state == HF__RUNTIME_RUNNING && hf__shutdown_ask(runtime, grace_ms)) {
        hf__runtime_wake(runtime, HF__WAKE_SHUTDOWN);
    }
    uv_mutex_unlock(&runtime->mutex);
    if (is_to_tell && is_over) on_stopped(user); /* its loop has nobody to tell any more */
}

void hf_runtime_stop_signal(hf_runtime *runtime)
{
    const uint64_t once = 1;
    int before = errno;
    if (runtime && getpid() == runtime->process) {
        /* A full counter means that it was asked for already. */
        ssize_t written = write(runtime->stop_signal, &once, sizeof once);
        (void)written;
    }
    errno = before;
}

hf_status hf_runtime_join(hf_runtime *runtime, hf_error *error)
{
    if (!runtime) return runtime_missing(error);
    hf__runtime_assert(runtime);
    hf_status status = hf__handle_check(runtime->store, error);
    if (status != HF_OK) return status;
    uv_mutex_lock(&runtime->mutex);
    bool was_started = runtime->state != HF__RUNTIME_NEW && runtime->state != HF__RUNTIME_FAILED;
    bool is_over = runtime->state == HF__RUNTIME_STOPPED;
    bool would_hang = was_started && !is_over &&
                      (hf__loop_is_here(runtime) ||
                       hf__committer_is_self(runtime->store->committer));
    while (was_started && !would_hang && runtime->state != HF__RUNTIME_STOPPED) {
        uv_cond_wait(&runtime->changed, &runtime->mutex);
    }
    uv_mutex_unlock(&runtime->mutex);
    if (would_hang) {
        return hf_error_set(error, HF_INVALID,
                            "the runtime needs this thread to stop: return to the loop that it is "
                            "attached to, or from the callback of the library");
    }
    if (was_started) return HF_OK;
    return hf_error_set(error, HF_INVALID, "the runtime was never started: start it first");
}
