/* A store handle from inside the room: what runtimes and client calls share. Everything here is set
 * at open and stays until close; what changes is behind the pointers, each safe for any thread, and
 * the atomic ones. */
#ifndef HF_RUNTIME_STORE_H
#define HF_RUNTIME_STORE_H

#include <stdatomic.h>

#include "engine/store.h"
#include "runtime/committer.h"
#include "runtime/effects.h"
#include "runtime/life.h"
#include "runtime/log.h"
#include "runtime/ring.h"
#include "runtime/waiters.h"
#include "runtime/world.h"

enum {
    HF__CALL_DEADLINE_MS = 10000, /* a blocking call that was not begun by then is withdrawn:
                                     HF_BUSY */
    HF__PAYLOAD_SIZE_DEFAULT = 1024 * 1024,
    HF__PAYLOAD_SIZE_MAX = 16 * 1024 * 1024,
    HF__RENEW_PERIOD_MS = 15000 /* half of the default item lock: the longest time between two
                                   renewals */
};

struct hf_store {
    uint64_t magic;
    int64_t process; /* that opened it; in another one (a forked child) every call is HF_FORKED */

    const hf_allocator *heap;    /* of everything that belongs to the handle */
    const hf_clock *clock;       /* leases: boot_ms; durable timers: wall_unix_ms */
    const hf_observer *observer; /* NULL: nobody */
    uint64_t payload_size_max;
    uint64_t call_deadline_ms;

    char boot_id[HF_BOOT_ID_SIZE];
    int (*fault)(void *self, enum hf_fault_point point); /* of tests; NULL: none */
    void *fault_self;
    struct hf_seams seams; /* as given to the backend; seams.boot_id for HF_STORE_REGISTER,
                              seams.random for names */

    struct hf_backend *backend;
    struct hf__lives *lives; /* hf__life_open before HF_STORE_REGISTER */
    struct hf__ring *ring;   /* NULL: there is none, and effects of other processes are not heard at
                                once */
    struct hf__waiters *waiters;
    struct hf__effects *effects;             /* hf__store_listen */
    struct hf__committer *committer;         /* hf__committer_submit */
    atomic_size_t runtimes_count;            /* made and not freed */
    atomic_uint_fast64_t leaks_told_unix_ms; /* of sessions quiet since then, or longer */
};

/* How a handle is opened beyond what users may choose: hf_store_open's way to the LMDB store, and
 * the seam of tests. */
struct hf__store_setup {
    /* Opens the backend. Returns owned: ops->close. */
    hf_status (*open)(void *self, const struct hf_backend_options *options,
                      struct hf_backend **out_backend, hf_error *error);
    void *self;
    int (*fault)(void *self, enum hf_fault_point point); /* hf_seams.fault, called with
                                                            `fault_self`; NULL: none */
    void *fault_self;
    size_t in_flight_max;      /* 0: HF__IN_FLIGHT_MAX */
    uint64_t call_deadline_ms; /* 0: HF__CALL_DEADLINE_MS */
    uint64_t poll_ms;          /* 0: HF__RING_POLL_MS */
};

/* hf_store_open with another backend behind it. Errors: those of hf_store_open and of setup->open.
 */
HF_MUST_CHECK hf_status hf__store_open_with(const struct hf__store_setup *setup,
                                            const hf_store_options *options, hf_store **out_store,
                                            hf_error *error);

/* Whether calls may use the handle in this process. Errors: HF_INVALID (NULL or closed), HF_FORKED.
 * Any thread. */
HF_MUST_CHECK hf_status hf__handle_check(const hf_store *store, hf_error *error);

/* Hears other processes from now on, and adds the listener. hf__effects_leave(store->effects, ...)
 * ends it. Errors: HF_IO (no thread), and then nothing was added. Any thread. */
HF_MUST_CHECK hf_status hf__store_listen(hf_store *store, struct hf__listener *listener,
                                         hf_error *error);

/* Submits and waits for the answer, which is then in submission->command; of_client calls are
 * withdrawn after the handle's call_deadline_ms in the queue (HF_BUSY). Sets done and user itself.
 * Errors: HF_BUSY, HF_CLOSED, HF_INVALID on the committer thread; else the command's own, copied to
 * error. Blocks. Any thread but the committer's. */
HF_MUST_CHECK hf_status hf__store_call(hf_store *store, struct hf__submission *submission,
                                       hf_error *error);

/* An instance as clients see it, and what it points to. */
struct hf__shown_instance {
    hf_instance instance; /* first */
    hf_error error, suspension;
};
/* Shows an instance; texts in arena. Errors: HF_CORRUPT, HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf__instance_show(const struct hf_instance_info *info,
                                          struct hf_arena *arena,
                                          struct hf__shown_instance *out_shown, hf_error *error);
/* Shows a value as clients see it; in arena. Errors: HF_CORRUPT, HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf__value_show(const struct hf_stored_value *stored, struct hf_arena *arena,
                                       hf_value *out_value, hf_error *error);

/* Proves a payload: data NULL only when it is empty, and at most payload_size_max; over half of
 * that, the log says payload.large. `what` names it
 * in the message ("input"). Errors: HF_INVALID, HF_TOO_LARGE. Any thread. */
HF_MUST_CHECK hf_status hf__payload_check(const hf_store *store, hf_slice payload, const char *what,
                                          hf_error *error);

#endif
