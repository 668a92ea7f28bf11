/* Heartbeats: what running activities report of how far they are, and those that fell silent. */
#ifndef HF_RUNTIME_HEARTBEATS_H
#define HF_RUNTIME_HEARTBEATS_H

#include "runtime/task.h"

struct hf_activity;

/* Of one activity. Guarded by the mutex, but timeout_ms, which is set before its function runs. */
struct hf__heartbeat {
    uint64_t timeout_ms; /* 0: it need not report */
    uint64_t heard_boot_ms;
    char *progress; /* HF_PROGRESS_SIZE_MAX bytes of its arena; NULL: it has reported nothing */
    size_t progress_size;
    bool has_news;     /* that were not sent */
    bool seems_silent; /* it was late at the last look */
};

struct hf__heartbeats {
    struct hf__task report;
};

/* Prepares. */
void hf__heartbeats_init(hf_runtime *runtime);
/* The task may not be busy. */
void hf__heartbeats_release(hf_runtime *runtime);
/* Notes what an activity reports. Copies. Errors: HF_NO_MEMORY. The thread of its author, without
 * the mutex. */
HF_MUST_CHECK hf_status hf__heartbeat_report(struct hf_activity *activity, hf_slice progress);
/* What it reported last; empty: nothing. Under the mutex. */
hf_slice hf__heartbeat_progress(const struct hf_activity *activity);
/* Fails those that fell silent, and sends what is new of the others. Once a tick, while anything
 * may be submitted. */
void hf__heartbeats_tick(hf_runtime *runtime);
/* Looks at the answer. */
void hf__heartbeats_answers(hf_runtime *runtime);

#endif
