/* Shutdown: from hf_runtime_stop to the end of the loop. */
#ifndef HF_RUNTIME_SHUTDOWN_H
#define HF_RUNTIME_SHUTDOWN_H

#include <uv.h>

#include "runtime/task.h"

enum {
    HF__GRACE_MS = 10000,      /* of a stop that names none */
    HF__TURNS_GRACE_MS = 1000, /* turns, which never block, get at least so long */
    HF__ENDINGS_MAX = 20       /* attempts to end the registration, one a tick */
};

/* How far the shutdown is; it only goes forward.
 *
 *     NONE -> DRAINING -> ENDING -> LEAVING -> DONE
 *
 * DRAINING: nothing is fetched; work ends, sessions are released. ENDING: the registration is being
 * ended. LEAVING: threads leave, memory of sessions goes. DONE: the loop may end. */
enum hf__shutdown_phase {
    HF__SHUTDOWN_NONE,
    HF__SHUTDOWN_DRAINING,
    HF__SHUTDOWN_ENDING,
    HF__SHUTDOWN_LEAVING,
    HF__SHUTDOWN_DONE
};

struct hf__shutdown {
    /* Guarded by the mutex. */
    bool is_asked;
    uint64_t grace_ms;
    void (*on_stopped)(void *user);
    void *user;

    /* The loop thread's own. */
    enum hf__shutdown_phase phase;
    bool is_grace_over, is_turns_grace_over;
    uint32_t endings_count; /* attempts to end the registration */
    struct hf__task end;
    uv_timer_t grace, turns_grace;
};

/* Prepares the tasks; the loop makes the timers. */
void hf__shutdown_init(hf_runtime *runtime);
/* No task may be busy. */
void hf__shutdown_release(hf_runtime *runtime);
/* Begins when somebody asked for it, and goes as far as it can now. Loop thread, at each wake. */
void hf__shutdown_advance(hf_runtime *runtime);
/* Notes that somebody asks. False: somebody did before. Under the mutex. */
bool hf__shutdown_ask(hf_runtime *runtime, uint64_t grace_ms);
/* Notes who is to be told of its end, once; whoever asked for it: a signal and the loss of the
 * registration ask, too, and are told nothing. False: nobody is named, or somebody was before.
 * Under the mutex. */
bool hf__shutdown_tell(hf_runtime *runtime, void (*on_stopped)(void *user), void *user);

#endif
