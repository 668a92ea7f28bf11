/* Starting a thread of the library. A signal sent to the host's process must not be delivered on a
 * thread that its handlers know nothing of; faults of the thread itself stay deliverable, so that a
 * host's crash reporter and sanitizers see them. */
#include "runtime/thread.h"

#include <signal.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"

static void host_signals(sigset_t *out_set)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
    sigfillset(out_set);
    for (size_t i = 0; i < HF_COUNT_OF(faults); i++) sigdelset(out_set, faults[i]);
}

hf_status hf__thread_start(uv_thread_t *out_thread, void (*run)(void *argument), void *argument,
                           hf_error *error)
{
    sigset_t blocked;
    sigset_t before;
    hf_assert(run);
    host_signals(&blocked);
    /* A thread inherits the mask of the one that starts it. */
    int masked = pthread_sigmask(SIG_BLOCK, &blocked, &before);
    hf_assert(masked == 0);
    int failed = uv_thread_create(out_thread, run, argument);
    masked = pthread_sigmask(SIG_SETMASK, &before, NULL);
    hf_assert(masked == 0);
    if (failed) {
        return hf_error_system(error, HF_IO, -failed,
                               "cannot start a thread (%s): raise the limit of threads",
                               uv_strerror(failed));
    }
    return HF_OK;
}
