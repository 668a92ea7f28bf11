/* Activities: the pool that runs them, and what is held of each while it is delivered here. */
#ifndef HF_RUNTIME_ACTIVITIES_H
#define HF_RUNTIME_ACTIVITIES_H

#include <stdatomic.h>
#include <uv.h>

#include "engine/base/slice.h"
#include "engine/registry.h"
#include "runtime/backoff.h"
#include "runtime/claims.h"
#include "runtime/delivery.h"
#include "runtime/heartbeats.h"
#include "runtime/job.h"

/* Where one delivery stands. After the end of the grace period its answer may be sent while its
 * function still runs: `gave_up` says so. WAITING: for the rebuild of its session.
 *
 *     FREE -> QUEUED -> RUNNING -> SENDING -> FREE
 *       \    /    \         \---------------/       void: nothing is sent
 *      WAITING ----\-----------------> SENDING      handed back without having run
 *
 * A detached one is RUNNING until it is completed, on no thread once its function has returned. */
enum hf__activity_state {
    HF__ACTIVITY_FREE,
    HF__ACTIVITY_WAITING,
    HF__ACTIVITY_QUEUED,
    HF__ACTIVITY_RUNNING,
    HF__ACTIVITY_SENDING
};

/* Why an activity is told to stop. */
enum hf__stop {
    HF__STOP_NONE,
    HF__STOP_SHUTDOWN, /* what returns HF_CANCELLED then is handed back */
    HF__STOP_VOID      /* its token is void: nothing is sent */
};

/* One delivery, or the rebuild of a session. The public hf_activity. */
struct hf_activity {
    struct hf__job job; /* completes it, or hands it back */
    hf_runtime *runtime;
    struct hf_arena arena; /* copies of the grant, input, output */
    struct hf_activity *next;
    enum hf__activity_state state;
    bool gave_up;     /* the grace is over: it was handed back while it ran */
    bool is_sending;  /* the job is on its way, or waits to be tried again */
    bool is_failed;   /* hf_activity_fail was called last, not hf_activity_complete */
    bool is_poison;   /* it was given up without being run */
    bool is_rebuild;  /* of claim: no delivery, and nothing is sent */
    bool is_called;   /* its function runs, or it is detached: info stands until its end */
    bool is_detached; /* it ends when it was completed and its function has returned, as the next
                         two say */
    bool is_completed, has_returned;
    atomic_int stop; /* enum hf__stop; written under the mutex, with `told` */
    uv_cond_t told;
    int cancel_fd;      /* an eventfd, made when it is asked for; -1: not yet */
    bool is_told;       /* to stop, while it ran */
    bool is_told_timed; /* told_boot_ms is set: by the first look of the loop behind it */
    bool is_stuck;      /* it was reported as such */
    bool fell_silent;   /* it did not report in time, and its failure was sent */
    uint64_t told_boot_ms;
    struct hf_item_token token;
    struct hf__claim *claim; /* NULL: an ordinary activity */
    hf_slice body;           /* of the event that scheduled it */
    hf_activity_info info;
    const struct hf_registered_activity *registered;
    hf_slice input, output;
    hf_error failure; /* with its data in arena */
    struct hf__heartbeat heartbeat;
};

/* What is said of one in the log, copied: it may end meanwhile. */
struct hf__activity_names {
    char instance[HF_ID_SIZE_MAX + 1], session[HF_ID_SIZE_MAX + 1], activity[HF_ID_SIZE_MAX + 1];
    uint64_t lsn;
};

struct hf__activities {
    struct hf_activity *slots; /* all of them */
    size_t slots_count;
    size_t shared_count; /* of them, but for those that the detached ones may take */
    struct hf_activity *free;
    struct hf_activity *queue_first, *queue_last;
    size_t threads_count, threads_started_count;
    size_t busy_count;     /* queued or running */
    size_t waiting_count;  /* waiting */
    size_t held_count;     /* not free */
    size_t told_count;     /* running, and told to stop */
    size_t detached_count; /* whose function has returned, and which are not completed */
    uv_thread_t *threads;
    uv_cond_t work; /* something is queued, or is_ending */
    bool is_ending; /* the threads leave */
    struct hf__backoff backoff;
};

/* Makes the slots; starts no thread. Errors: HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf__activities_init(hf_runtime *runtime, hf_error *error);
/* Threads have ended. */
void hf__activities_release(hf_runtime *runtime);
/* Starts the threads. Errors: HF_IO, and then some run: hf__activities_end. */
HF_MUST_CHECK hf_status hf__activities_start(hf_runtime *runtime, hf_error *error);
/* Lets the threads leave when they find nothing to do. Under the mutex. */
void hf__activities_end(hf_runtime *runtime);
/* Waits for them; for as long as an activity runs. */
void hf__activities_join(hf_runtime *runtime);

/* How many items could begin at once. Under the mutex. */
size_t hf__activities_room(const hf_runtime *runtime);
/* Takes a delivery: queues it, or hands it back when that cannot be. Copies grant. Committer
 * thread, under the mutex. */
void hf__activities_granted(hf_runtime *runtime, const struct hf_item_grant *grant);

/* Takes a free slot; there is room for it. Under the mutex. */
struct hf_activity *hf__activity_take(hf_runtime *runtime);
/* Queues it for a thread. Under the mutex. */
void hf__activity_queue(struct hf_activity *activity);
/* The delivery has ended for the store. Under the mutex. */
void hf__activity_item_ended(struct hf_activity *activity);
/* Gives the slot back when neither function nor answer is under way. Under the mutex. */
void hf__activity_settle(struct hf_activity *activity);

/* Whether it is under way: it can be told to stop, and, but for a rebuild, its token should be
 * presented. Under the mutex. */
bool hf__activity_is_held(const struct hf_activity *activity);
/* Its token is void: it is told to stop, and nothing will be sent. Under the mutex. */
void hf__activity_void(struct hf_activity *activity);
/* All deliveries under a claim are void. Under the mutex. */
void hf__activities_void_claim(hf_runtime *runtime, const struct hf__claim *claim);
/* Tells all to stop; queued ones are handed back. Under the mutex. */
void hf__activities_stop(hf_runtime *runtime);
/* It fell silent while it runs: its failure is sent, and it is told to stop; what it returns is
 * dropped. False: no memory, and nothing was done. Under the mutex. */
bool hf__activity_fell_silent(struct hf_activity *activity, const hf_error *failure);
/* Copies what the log says of one. Its function runs. Under the mutex. */
void hf__activity_name(const struct hf_activity *activity, struct hf__activity_names *out_names);
/* Hands back, uncounted, what still runs. Under the mutex. */
void hf__activities_give_up(hf_runtime *runtime);
/* Whether deliveries remain that the store was not told the end of. Under the mutex. */
bool hf__activities_are_pending(const hf_runtime *runtime);

/* Its author keeps it beyond its function. Any thread, without the mutex. */
void hf__activity_detach(struct hf_activity *activity);
/* A detached one is completed with what stands in output and failure. False: the store takes
 * nothing of it any more. Any thread, without the mutex. */
bool hf__activity_completed(struct hf_activity *activity, hf_status status);
/* The descriptor of hf_activity_cancel_fd. Without the mutex. */
int hf__activity_cancel_fd(struct hf_activity *activity);
/* Reports those that run on for longer than cancel_grace_ms after they were told to stop. Loop
 * thread, without the mutex. */
void hf__activities_look_stuck(hf_runtime *runtime);

/* Has the destructors of claims that died run soon, on another thread. Under the mutex. */
void hf__claims_bury_later(hf_runtime *runtime);
/* Runs the destructors of the memory of claims that died. Without the mutex. */
void hf__claims_bury(hf_runtime *runtime);

#endif
