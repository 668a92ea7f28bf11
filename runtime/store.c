/* The life of a store handle: its options, its view of the world (clocks, randomness, liveness,
 * log) and the parts that work for it. Not the store itself, which stands behind hf_backend.
 *
 * Opening makes the parts in the order backend, lives, ring, waiters, effects, committer; closing
 * takes them down so that nothing is called that is gone: first the committer (its last commits
 * tell effects), then those who wait, then the hearing thread. */
#include "runtime/store.h"

#include <string.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/options.h"
#include "engine/base/status.h"

static const uint64_t STORE_MAGIC = UINT64_C(0x686f6c6466617374); /* "holdfast" */

/* ---- the world ------------------------------------------------------------------------------ */

/* While the backend is being opened there is no table yet; nobody is declared dead then. */
static bool world_is_alive(void *self, hf_slice life)
{
    hf_store *store = self;
    return !store->lives || hf__lives_is_alive(store->lives, life);
}

static int world_fault(void *self, enum hf_fault_point point)
{
    hf_store *store = self;
    return store->fault(store->fault_self, point);
}

static void world_log(void *self, const hf_log_line *line)
{
    hf_store *store = self;
    if (hf__log_wants(store->observer, line->level)) {
        store->observer->log(store->observer->self, line);
    }
}

/* ---- options -------------------------------------------------------------------------------- */

/* A vtable that a user gave: made with its size, and with the call that it cannot do without. */
static hf_status seam_check(const char *what, bool is_whole, hf_error *error)
{
    if (is_whole) return HF_OK;
    return hf_error_set(error, HF_INVALID,
                        "the %s of the options is not whole: set its size and all its functions",
                        what);
}

static hf_status options_check(const hf_store_options *options, hf_error *error)
{
    const hf_allocator *allocator = options->allocator;
    const hf_clock *clock = options->clock;
    const hf_observer *observer = options->observer;
    if ((uint32_t)options->durability > HF_DURABLE_NONE) {
        return hf_error_set(error, HF_INVALID, "%d is no durability: use one of HF_DURABLE_...",
                            (int)options->durability);
    }
    if (options->payload_size_max > HF__PAYLOAD_SIZE_MAX) {
        return hf_error_set(error, HF_INVALID,
                            "payload_size_max is %llu: at most 16 MiB are allowed",
                            (unsigned long long)options->payload_size_max);
    }
    hf_status status = seam_check(
        "allocator", !allocator || (allocator->size >= sizeof *allocator && allocator->resize),
        error);
    if (status != HF_OK) return status;
    status = seam_check(
        "clock", !clock || (clock->size >= sizeof *clock && clock->boot_ms && clock->wall_unix_ms),
        error);
    if (status != HF_OK) return status;
    return seam_check("observer",
                      !observer || (observer->size >= sizeof *observer && observer->log), error);
}

/* Sets what the options say; allocates nothing. */
static void store_configure(hf_store *self, const struct hf__store_setup *setup,
                            const hf_store_options *options)
{
    self->magic = STORE_MAGIC;
    self->process = getpid();
    self->observer = options->observer;
    self->clock = options->clock ? options->clock : hf_world_clock();
    self->payload_size_max = options->payload_size_max;
    if (self->payload_size_max == 0) self->payload_size_max = HF__PAYLOAD_SIZE_DEFAULT;
    self->call_deadline_ms = setup->call_deadline_ms;
    if (self->call_deadline_ms == 0) self->call_deadline_ms = HF__CALL_DEADLINE_MS;
    self->fault = setup->fault;
    self->fault_self = setup->fault_self;
    self->seams = (struct hf_seams){ .allocator = self->heap,
                                     .clock = self->clock,
                                     .self = self,
                                     .random = hf_world_random,
                                     .is_alive = world_is_alive,
                                     .boot_id = hf_text(self->boot_id),
                                     .fault = setup->fault ? world_fault : NULL,
                                     .log = world_log };
}

/* ---- opening and closing -------------------------------------------------------------------- */

static void store_on_heard(void *self, uint32_t effects)
{
    hf_store *store = self;
    hf__effects_tell_here(store->effects, effects);
}

/* The ring is a convenience: without it work waits for a look of its own. */
static void store_open_ring(hf_store *self, const struct hf__store_setup *setup)
{
    const struct hf__ring_options options = { .seams = &self->seams,
                                              .directory = self->backend->ops->directory(
                                                  self->backend),
                                              .poll_ms = setup->poll_ms,
                                              .on_heard = store_on_heard,
                                              .self = self };
    hf_error error = { 0 };
    if (hf__ring_open(&options, &self->ring, &error) == HF_OK) return;
    hf__log(self->observer, &(hf_log_line){ .level = HF_LOG_WARN, .event = "ring.none" },
            "%s; other processes are neither rung nor heard", error.message);
}

static hf_status store_open_parts(hf_store *self, const struct hf__store_setup *setup,
                                  hf_error *error)
{
    hf_status status = hf__lives_open(&self->seams, self->backend->ops->directory(self->backend),
                                      &self->lives, error);
    if (status != HF_OK) return status;
    store_open_ring(self, setup);
    self->waiters = hf__waiters_new(self->heap);
    if (self->waiters) self->effects = hf__effects_new(self->heap, self->waiters, self->ring);
    if (!self->effects) return hf_error_set(error, HF_NO_MEMORY, "no memory for a store handle");
    const struct hf__committer_options options = { .heap = self->heap,
                                                   .backend = self->backend,
                                                   .effects = self->effects,
                                                   .in_flight_max = setup->in_flight_max,
                                                   .log = world_log,
                                                   .log_self = self };
    return hf__committer_new(&options, &self->committer, error);
}

/* Takes down what there is, in the order of the opening comment. */
static void store_free(hf_store *self)
{
    const hf_allocator *heap = self->heap;
    hf__committer_free(self->committer);
    if (self->waiters) hf__waiters_close(self->waiters);
    hf__ring_close(self->ring);
    hf__effects_free(self->effects);
    hf__waiters_free(self->waiters);
    struct hf__lives *lives = self->lives;
    self->lives = NULL;
    hf__lives_close(lives);
    if (self->backend) self->backend->ops->close(self->backend);
    self->magic = 0;
    hf_heap_free(heap, self, sizeof *self);
}

static hf_status store_open_backend(hf_store *self, const struct hf__store_setup *setup,
                                    const hf_store_options *options, hf_error *error)
{
    const struct hf_backend_options wanted = { .must_exist = options->must_exist,
                                               .durability = options->durability,
                                               .map_size_max = options->map_size_max,
                                               .preallocate_size = options->preallocate_size,
                                               .renew_period_ms = HF__RENEW_PERIOD_MS,
                                               .seams = &self->seams };
    hf_status status = hf_world_boot_id(self->boot_id, error);
    if (status != HF_OK) return status;
    self->seams.boot_id = hf_text(self->boot_id);
    return setup->open(setup->self, &wanted, &self->backend, error);
}

hf_status hf__store_open_with(const struct hf__store_setup *setup, const hf_store_options *options,
                              hf_store **out_store, hf_error *error)
{
    hf_store_options own;
    hf_assert(setup->open);
    if (!out_store) return hf_error_set(error, HF_INVALID, "out_store is NULL: give it a place");
    hf_status status = hf_options_copy(&own, sizeof own, options, error);
    if (status == HF_OK) status = options_check(&own, error);
    if (status != HF_OK) return status;

    const hf_allocator *heap = own.allocator ? own.allocator : hf_heap_default();
    hf_store *self = hf_heap_new(heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory for a store handle");
    self->heap = heap;
    store_configure(self, setup, &own);
    status = store_open_backend(self, setup, &own, error);
    if (status == HF_OK) status = store_open_parts(self, setup, error);
    if (status != HF_OK) {
        store_free(self);
        return status;
    }
    *out_store = self;
    return HF_OK;
}

/* Why a handle cannot be closed now; NULL: it can. */
static const char *close_obstacle(hf_store *store)
{
    if (hf__committer_is_self(store->committer)) {
        return "hf_store_close was called from a callback of the store: call it on another thread";
    }
    if (atomic_load(&store->runtimes_count) > 0) {
        return "hf_store_close was called while a runtime uses the store: free the runtime first";
    }
    return NULL;
}

void hf_store_close(hf_store *store)
{
    if (!store || hf__handle_check(store, NULL) != HF_OK) return;
    const char *obstacle = close_obstacle(store);
    if (obstacle) {
        hf__log(store->observer, &(hf_log_line){ .level = HF_LOG_ERROR, .event = "store.close" },
                "%s; the store stays open", obstacle);
        return;
    }
    store_free(store);
}

hf_status hf__handle_check(const hf_store *store, hf_error *error)
{
    if (!store || store->magic != STORE_MAGIC) {
        return hf_error_set(error, HF_INVALID, "the store handle is %s: open a store first",
                            store ? "none, or closed" : "NULL");
    }
    if (store->process != getpid()) {
        return hf_error_set(error, HF_FORKED,
                            "process %lld opened this store, and this is a child of it: open the "
                            "store again here",
                            (long long)store->process);
    }
    return HF_OK;
}

hf_status hf__store_listen(hf_store *store, struct hf__listener *listener, hf_error *error)
{
    hf_status status = store->ring ? hf__ring_hear(store->ring, error) : HF_OK;
    if (status != HF_OK) return status;
    hf__effects_listen(store->effects, listener);
    return HF_OK;
}
