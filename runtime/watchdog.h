/* The watchdog of turns: whether the code of one runs for so long that it may never come back. */
#ifndef HF_RUNTIME_WATCHDOG_H
#define HF_RUNTIME_WATCHDOG_H

#include "engine/base/compiler.h"

struct hf__turn;

/* What the thread of a turn shows of it. Guarded by the mutex. */
struct hf__watch {
    const struct hf__turn *turn; /* whose code runs; NULL: none */
    uint64_t began_boot_ms;
    bool is_stuck; /* and was reported as such */
};

/* The code of the turn begins to run. Its thread, without the mutex, as the next. */
void hf__watch_begin(struct hf__turn *turn);
/* It has come back: said, when it was reported as stuck. */
void hf__watch_end(struct hf__turn *turn);
/* Reports turns whose code has run for turn_warn_ms, each once. Loop thread, without the mutex. */
void hf__watch_look(hf_runtime *runtime);

#endif
