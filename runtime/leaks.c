/* Looking for leaked sessions. What was told is not remembered for each session: a scan tells those
 * that became leaked since the scan before, by the time since which they are quiet. So each is told
 * once in a process, and once more only when it worked in between. The time up to which that was
 * done is the store handle's, which its runtimes share. */
#include "runtime/leaks.h"

#include "engine/base/slice.h"
#include "runtime/runtime.h"

void hf__leaks_init(hf_runtime *runtime)
{
    hf_arena_init(&runtime->leaks.arena, runtime->heap);
}

void hf__leaks_release(hf_runtime *runtime)
{
    hf_arena_release(&runtime->leaks.arena);
}

static void tell(hf_runtime *runtime, const struct hf_session_row *row, uint64_t now_unix_ms)
{
    struct hf_arena *arena = &runtime->leaks.arena;
    hf__metrics_add(&runtime->metrics, HF__SESSIONS_LEAKED, 1);
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_WARN,
                            .event = "session.leaked",
                            .lsn = row->epoch,
                            .instance = hf_arena_text(arena, row->instance_id),
                            .session = hf_arena_text(arena, row->session_id) },
            "open, and without an activity for %llu s: its orchestration should close it when it "
            "waits for long",
            (unsigned long long)(now_unix_ms - row->quiet_unix_ms) / 1000);
}

static uint64_t period_ms(uint64_t leak_ms)
{
    uint64_t period_ms = leak_ms / HF__LEAKS_PERIODS;
    return period_ms < HF__LEAKS_PERIOD_MAX_MS ? period_ms : HF__LEAKS_PERIOD_MAX_MS;
}

/* Begins a scan when there is a time that nobody of this process has looked at. */
static void scan_begin(hf_runtime *runtime, uint64_t now_unix_ms)
{
    struct hf__leaks *self = &runtime->leaks;
    uint64_t leak_ms = runtime->settings.session_leak_ms;
    if (now_unix_ms <= leak_ms) return;
    uint64_t until_unix_ms = now_unix_ms - leak_ms;
    uint_fast64_t from_unix_ms = atomic_load(&runtime->store->leaks_told_unix_ms);
    if (until_unix_ms <= from_unix_ms + period_ms(leak_ms)) return;
    if (!atomic_compare_exchange_strong(&runtime->store->leaks_told_unix_ms, &from_unix_ms,
                                        until_unix_ms)) {
        return;
    }
    self->is_scanning = true;
    self->from_unix_ms = from_unix_ms;
    self->place = (struct hf_sessions_query){ .quiet_until_unix_ms = until_unix_ms,
                                              .looked_max = HF__LEAKS_SLICE_ROWS };
}

/* A slice that cannot be read is read again at the next look. */
static void scan_go_on(hf_runtime *runtime, uint64_t now_unix_ms)
{
    struct hf__leaks *self = &runtime->leaks;
    struct hf_backend *backend = runtime->store->backend;
    struct hf_session_row *rows = NULL;
    size_t count = 0;
    hf_error error;
    hf_arena_reset(&self->arena);
    hf_status status = backend->ops->sessions(backend, &self->place, &self->arena, &rows, &count,
                                              &error);
    if (status != HF_OK) return;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].quiet_unix_ms > self->from_unix_ms) tell(runtime, &rows[i], now_unix_ms);
    }
    self->is_scanning = self->place.out_more;
}

void hf__leaks_look(hf_runtime *runtime)
{
    const hf_clock *clock = runtime->store->clock;
    bool is_wanted = runtime->settings.session_leak_ms != UINT64_MAX &&
                     runtime->store->backend->ops->capabilities.sessions;
    if (!is_wanted) return;
    uint64_t now_unix_ms = clock->wall_unix_ms(clock->self);
    if (!runtime->leaks.is_scanning) scan_begin(runtime, now_unix_ms);
    if (runtime->leaks.is_scanning) scan_go_on(runtime, now_unix_ms);
}
