/* Threads of the library: they take no signals that are meant for the host. */
#ifndef HF_RUNTIME_THREAD_H
#define HF_RUNTIME_THREAD_H

#include <uv.h>

#include "engine/base/compiler.h"

/* Starts a thread with all signals blocked but those of its own faults. Returns owned:
 * uv_thread_join. Errors: HF_IO. */
HF_MUST_CHECK hf_status hf__thread_start(uv_thread_t *out_thread, void (*run)(void *argument),
                                         void *argument, hf_error *error);

#endif
