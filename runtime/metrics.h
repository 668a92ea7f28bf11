/* Metrics: counters of one runtime, and the gauges that are read with them. Counted where the thing
 * happens, once; names are stable and never carry an instance. */
#ifndef HF_RUNTIME_METRICS_H
#define HF_RUNTIME_METRICS_H

#include <stdatomic.h>

#include "engine/base/compiler.h"

enum hf__metric {
    HF__TURNS_COMMITTED,
    HF__TURNS_REPLAYED,
    HF__TURNS_ABANDONED,
    HF__TURNS_STALE,
    HF__TURNS_POISONED,
    HF__TURNS_STUCK,
    HF__REPLAY_MISMATCHES,
    HF__INSTANCES_EVICTED,
    HF__ACTIVITIES_STARTED,
    HF__ACTIVITIES_COMPLETED,
    HF__ACTIVITIES_FAILED,
    HF__ACTIVITIES_ABANDONED,
    HF__ACTIVITIES_VOIDED,
    HF__ACTIVITIES_POISONED,
    HF__ACTIVITIES_STUCK,
    HF__ACTIVITIES_SILENT,
    HF__SESSIONS_OPENED,
    HF__SESSIONS_ENDED,
    HF__SESSIONS_CLAIMED,
    HF__SESSIONS_TAKEN_OVER,
    HF__SESSIONS_REBUILT,
    HF__SESSIONS_RELEASED,
    HF__SESSIONS_CLOSED,
    HF__SESSIONS_LOST,
    HF__SESSIONS_LEAKED,
    HF__TIMERS_FIRED,
    HF__RENEWALS,
    HF__WORKERS_DECLARED_DEAD,
    HF__COMMAND_RETRIES,
    HF__METRICS_COUNT
};

enum { HF__WAIT_BUCKETS = 12 };

struct hf__metrics {
    atomic_uint_fast64_t counts[HF__METRICS_COUNT];
    atomic_uint_fast64_t session_waits[HF__WAIT_BUCKETS]; /* each by the least bound that holds it
                                                           */
};

/* Counts one more. Any thread. */
void hf__metrics_add(struct hf__metrics *self, enum hf__metric metric, uint64_t count);
/* Notes how long an item of a session waited for its owner. Any thread. */
void hf__metrics_session_wait(struct hf__metrics *self, uint64_t wait_ms);
/* The stable name of a counter. Static storage. */
const char *hf__metric_name(enum hf__metric metric);
/* Calls each for every counter, and every bucket of the histogram, in order. Any thread. */
void hf__metrics_each(struct hf__metrics *self, void (*each)(void *user, const hf_metric *metric),
                      void *user);

#endif
