/* Durable timers: the loop thread wakes when the next one is due, and has the store fire it. */
#ifndef HF_RUNTIME_TIMERS_H
#define HF_RUNTIME_TIMERS_H

#include <uv.h>

#include "runtime/task.h"

struct hf__timers {
    struct hf__task fire;
    uv_timer_t due;
};

/* Prepares the task; the loop makes the timer. */
void hf__timers_init(hf_runtime *runtime);
/* Not while the task is busy. */
void hf__timers_release(hf_runtime *runtime);
/* Looks when the next timer is due: fires, or sets the alarm. Also after a jump of the wall clock.
 * Loop thread. */
void hf__timers_look(hf_runtime *runtime);
/* Looks at answers. Loop thread. */
void hf__timers_answers(hf_runtime *runtime);

#endif
