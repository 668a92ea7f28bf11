/* Counters and the histogram of a runtime, and hf_runtime_metrics. Not a registry of metrics: the
 * list is closed. */
#include "runtime/metrics.h"

#include <math.h>

#include "engine/base/assert.h"
#include "runtime/runtime.h"

static const char *const names[HF__METRICS_COUNT] = {
    [HF__TURNS_COMMITTED] = "turns_committed",
    [HF__TURNS_REPLAYED] = "turns_replayed",
    [HF__TURNS_ABANDONED] = "turns_abandoned",
    [HF__TURNS_STALE] = "turns_stale",
    [HF__TURNS_POISONED] = "turns_poisoned",
    [HF__TURNS_STUCK] = "turns_stuck",
    [HF__REPLAY_MISMATCHES] = "replay_mismatches",
    [HF__INSTANCES_EVICTED] = "instances_evicted",
    [HF__ACTIVITIES_STARTED] = "activities_started",
    [HF__ACTIVITIES_COMPLETED] = "activities_completed",
    [HF__ACTIVITIES_FAILED] = "activities_failed",
    [HF__ACTIVITIES_ABANDONED] = "activities_abandoned",
    [HF__ACTIVITIES_VOIDED] = "activities_voided",
    [HF__ACTIVITIES_POISONED] = "activities_poisoned",
    [HF__ACTIVITIES_STUCK] = "activities_stuck",
    [HF__ACTIVITIES_SILENT] = "activities_silent",
    [HF__SESSIONS_OPENED] = "sessions_opened",
    [HF__SESSIONS_ENDED] = "sessions_ended",
    [HF__SESSIONS_CLAIMED] = "sessions_claimed",
    [HF__SESSIONS_TAKEN_OVER] = "sessions_taken_over",
    [HF__SESSIONS_REBUILT] = "sessions_rebuilt",
    [HF__SESSIONS_RELEASED] = "sessions_released",
    [HF__SESSIONS_CLOSED] = "sessions_closed",
    [HF__SESSIONS_LOST] = "sessions_lost",
    [HF__SESSIONS_LEAKED] = "sessions_leaked",
    [HF__TIMERS_FIRED] = "timers_fired",
    [HF__RENEWALS] = "renewals",
    [HF__WORKERS_DECLARED_DEAD] = "workers_declared_dead",
    [HF__COMMAND_RETRIES] = "command_retries",
};

/* Of session_wait_ms; the last one holds all. */
static const double wait_bounds_ms[HF__WAIT_BUCKETS] = {
    1, 5, 10, 50, 100, 500, 1000, 5000, 10000, 60000, 600000, INFINITY
};

void hf__metrics_session_wait(struct hf__metrics *self, uint64_t wait_ms)
{
    size_t bucket = 0;
    while ((double)wait_ms > wait_bounds_ms[bucket]) bucket++;
    hf_assert(bucket < HF__WAIT_BUCKETS);
    atomic_fetch_add_explicit(&self->session_waits[bucket], 1, memory_order_relaxed);
}

/* A bucket shows all values up to its bound. */
static void waits_each(struct hf__metrics *self, void (*each)(void *user, const hf_metric *metric),
                       void *user)
{
    uint64_t count = 0;
    for (size_t i = 0; i < HF__WAIT_BUCKETS; i++) {
        count += atomic_load_explicit(&self->session_waits[i], memory_order_relaxed);
        const hf_metric metric = { .size = sizeof metric,
                                   .name = "session_wait_ms",
                                   .kind = HF_HISTOGRAM,
                                   .value = (double)count,
                                   .bound = wait_bounds_ms[i] };
        each(user, &metric);
    }
}

void hf__metrics_add(struct hf__metrics *self, enum hf__metric metric, uint64_t count)
{
    hf_assert(metric < HF__METRICS_COUNT);
    atomic_fetch_add_explicit(&self->counts[metric], count, memory_order_relaxed);
}

const char *hf__metric_name(enum hf__metric metric)
{
    hf_assert(metric < HF__METRICS_COUNT);
    hf_assert(names[metric]);
    return names[metric];
}

void hf__metrics_each(struct hf__metrics *self, void (*each)(void *user, const hf_metric *metric),
                      void *user)
{
    for (int i = 0; i < HF__METRICS_COUNT; i++) {
        uint64_t count = atomic_load_explicit(&self->counts[i], memory_order_relaxed);
        const hf_metric metric = { .size = sizeof metric,
                                   .name = hf__metric_name((enum hf__metric)i),
                                   .kind = HF_COUNTER,
                                   .value = (double)count };
        each(user, &metric);
    }
    waits_each(self, each, user);
}

/* ---- gauges: what stands now ---------------------------------------------------------------- */

struct gauges {
    size_t sessions_owned, activities_running, turns_running, instances_live;
};

static struct gauges gauges_read(hf_runtime *runtime)
{
    uv_mutex_lock(&runtime->mutex);
    struct gauges gauges = {
        .sessions_owned = runtime->claims.owned_count,
        .activities_running = runtime->activities.busy_count,
        .turns_running = runtime->turns.taken_count,
        .instances_live = runtime->turns.live_count,
    };
    uv_mutex_unlock(&runtime->mutex);
    return gauges;
}

void hf_runtime_metrics(hf_runtime *runtime, void (*each)(void *user, const hf_metric *metric),
                        void *user)
{
    hf__runtime_assert(runtime);
    if (hf__handle_check(runtime->store, NULL) != HF_OK) return;
    struct gauges gauges = gauges_read(runtime);
    const struct {
        const char *name;
        size_t value;
    } now[] = {
        { "sessions_owned", gauges.sessions_owned },
        { "activities_running", gauges.activities_running },
        { "turns_running", gauges.turns_running },
        { "instances_live", gauges.instances_live },
    };
    hf__metrics_each(&runtime->metrics, each, user);
    for (size_t i = 0; i < HF_COUNT_OF(now); i++) {
        const hf_metric metric = { .size = sizeof metric,
                                   .name = now[i].name,
                                   .kind = HF_GAUGE,
                                   .value = (double)now[i].value };
        each(user, &metric);
    }
}
