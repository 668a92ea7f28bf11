/* A runtime from inside the room: one registration of a worker, its loop thread, its turn threads
 * and its pool of activity threads.
 *
 *     NEW -> RUNNING -> STOPPING -> STOPPED      NEW -> FAILED (start was refused)
 *
 * One mutex guards all that threads share: slots of turns and activities, claims, what is fetched.
 * It is never held during a user's function, an observer, a read or a commit. Locks are taken in
 * this order: the hub of effects, this mutex, the committer's queue. */
#ifndef HF_RUNTIME_RUNTIME_H
#define HF_RUNTIME_RUNTIME_H

#include <uv.h>

#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "runtime/activities.h"
#include "runtime/claims.h"
#include "runtime/dispatch.h"
#include "runtime/leaks.h"
#include "runtime/metrics.h"
#include "runtime/releasing.h"
#include "runtime/sessions.h"
#include "runtime/settings.h"
#include "runtime/shutdown.h"
#include "runtime/store.h"
#include "runtime/timers.h"
#include "runtime/turns.h"
#include "runtime/upkeep.h"

/* What wakes the loop thread. */
enum hf__wake {
    HF__WAKE_LOOK = 1,        /* work may have come from another process */
    HF__WAKE_HELD = 2,        /* something of somebody's is void */
    HF__WAKE_TIMERS = 4,      /* a timer was set */
    HF__WAKE_RECLAIM = 8,     /* rows wait to be moved */
    HF__WAKE_BURY = 16,       /* memory of sessions waits for its destructor */
    HF__WAKE_UPKEEP = 32,     /* an answer to the lease's commands */
    HF__WAKE_FIRED = 64,      /* an answer to the firing of timers */
    HF__WAKE_SHUTDOWN = 128,  /* something of the shutdown has moved on */
    HF__WAKE_FENCED = 256,    /* the store refused us as ended */
    HF__WAKE_NEWS = 512,      /* something of a claim is to be told */
    HF__WAKE_IDLE = 1024,     /* a session has become idle */
    HF__WAKE_RELEASED = 2048, /* an answer to a release */
    HF__WAKE_REPORTED = 4096  /* an answer to reports */
};

enum hf__runtime_state {
    HF__RUNTIME_NEW,
    HF__RUNTIME_FAILED,
    HF__RUNTIME_RUNNING,
    HF__RUNTIME_STOPPING,
    HF__RUNTIME_STOPPED
};

struct hf__loop {
    uv_loop_t own;
    uv_loop_t *uv;      /* own, or the one that it is attached to */
    uv_thread_t thread; /* of its own */
    uv_async_t wake;
    uv_timer_t tick, renew;
    uv_poll_t signal; /* of hf_runtime_stop_signal */
    uv_work_t bury;
    uint64_t ticks_count;

    /* Guarded by the mutex. */
    bool is_open;    /* wake may be sent */
    bool is_burying; /* bury is under way */
    bool has_runner;
    uv_thread_t runner; /* the thread that runs it */
    uint32_t bits;      /* enum hf__wake: not looked at yet */

    bool is_attached; /* the loop is the caller's, and so is its thread */
    bool has_handles, has_thread;
    unsigned closing_count; /* handles whose end is under way */
    bool is_ended;          /* the loop thread's own: handles are being closed */
};

struct hf_runtime {
    uint64_t magic;
    hf_store *store;             /* Borrows */
    const hf_registry *registry; /* Borrows */
    const hf_allocator *heap;    /* the store's */
    struct hf__settings settings;
    char worker_id[HF_ID_SIZE_MAX + 1];
    int stop_signal; /* an eventfd: written by hf_runtime_stop_signal */
    int64_t process;

    uv_mutex_t mutex;
    uv_cond_t changed; /* state has changed */
    enum hf__runtime_state state;
    bool has_begun;    /* its start is over: from now on it may stop */
    bool is_listening; /* told of effects */
    bool is_fenced;    /* our registration was ended by others */

    uint64_t registration; /* LSN; set before any thread starts */
    struct hf__life life;
    struct hf__listener listener;
    struct hf__loop loop;
    struct hf__dispatch dispatch;
    struct hf__turns turns;
    struct hf__activities activities;
    struct hf__claims claims;
    struct hf__upkeep upkeep;
    struct hf__timers timers;
    struct hf__releasing releasing;
    struct hf__leaks leaks;
    struct hf__heartbeats heartbeats;
    struct hf__shutdown shutdown;
    struct hf__retries retries;
    struct hf__metrics metrics;
};

/* Proves that the handle is one. */
void hf__runtime_assert(const hf_runtime *runtime);
/* Submits a command of this runtime: the store outlives it, so it is taken. Any thread, with the
 * mutex or without. */
void hf__runtime_submit(hf_runtime *runtime, struct hf__submission *submission);
/* Has the loop thread look at these. Under the mutex. */
void hf__runtime_wake(hf_runtime *runtime, uint32_t bits);
/* The same for the shutdown, once that has begun. Under the mutex. */
void hf__runtime_wake_if_stopping(hf_runtime *runtime);

/* Makes handles, on the loop that is given (Borrows; the thread that calls runs it) or, with NULL,
 * on one of its own; starts no thread. Errors: HF_IO, HF_NO_MEMORY; then no handle is there. */
HF_MUST_CHECK hf_status hf__loop_open(hf_runtime *runtime, uv_loop_t *given, hf_error *error);
/* Starts the loop's timers, and its thread when it is its own. Errors: HF_IO, of that thread alone.
 */
HF_MUST_CHECK hf_status hf__loop_start(hf_runtime *runtime, hf_error *error);
/* Closes all handles; when they are closed the runtime has stopped, which is told, and a thread of
 * its own ends by itself. Loop thread. */
void hf__loop_end(hf_runtime *runtime);
/* Closes a loop of its own that never ran. */
void hf__loop_discard(hf_runtime *runtime);
/* Whether the calling thread runs the loop: to wait there for the loop would be to wait for
 * oneself. Under the mutex. */
bool hf__loop_is_here(const hf_runtime *runtime);
/* The same, and the loop is the caller's. Under the mutex. */
bool hf__loop_is_mine(const hf_runtime *runtime);
/* Runs the caller's loop until the runtime has stopped. Its thread, outside its callbacks. */
void hf__loop_run_out(hf_runtime *runtime);
/* What the loop thread is told by commits here and rings from elsewhere: hf__listener.on_effects.
 */
void hf__loop_effects(struct hf__listener *listener, uint32_t effects);

#endif
