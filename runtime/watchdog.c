/* Turns whose code does not come back: a loop without an await, or a call that blocks. Such a turn
 * holds its thread, with all instances that belong to it. Nothing is done about it, since nobody
 * can take a thread away from code; it is reported, so that somebody mends the code. Time is the
 * clock's boot time, looked at once a tick. */
#include "runtime/watchdog.h"

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "runtime/runtime.h"

/* What is said of a turn, copied: it may end meanwhile. */
struct report {
    char instance[HF_ID_SIZE_MAX + 1], orchestration[HF_ID_SIZE_MAX + 1];
    uint64_t head, ran_ms;
};

static uint64_t now_boot_ms(const hf_runtime *runtime)
{
    const hf_clock *clock = runtime->store->clock;
    return clock->boot_ms(clock->self);
}

/* How long it has run. The clock is read before the mutex is taken, so it may be behind. */
static uint64_t ran_ms(const struct hf__watch *watch, uint64_t now_ms)
{
    return now_ms > watch->began_boot_ms ? now_ms - watch->began_boot_ms : 0;
}

/* Under the mutex. */
static void report_make(const struct hf__watch *watch, uint64_t now_ms, struct report *out_report)
{
    const struct hf__turn *turn = watch->turn;
    hf_assert(turn);
    out_report->head = turn->grant.token.head;
    out_report->ran_ms = ran_ms(watch, now_ms);
    hf_text_copy(out_report->instance, sizeof out_report->instance, turn->view.instance_id);
    hf_text_copy(out_report->orchestration, sizeof out_report->orchestration, hf_text(turn->name));
}

static void report_log(hf_runtime *runtime, const struct report *report, bool is_over)
{
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_WARN,
                            .event = is_over ? "turn.unstuck" : "turn.stuck",
                            .lsn = report->head,
                            .instance = report->instance,
                            .worker = runtime->worker_id },
            is_over ? "orchestration \"%s\": its code came back after %llu ms"
                    : "orchestration \"%s\": its code has run for %llu ms without an await; other "
                      "instances wait for its thread: look for an endless loop, or a call that "
                      "blocks",
            report->orchestration, (unsigned long long)report->ran_ms);
}

void hf__watch_begin(struct hf__turn *turn)
{
    hf_runtime *runtime = turn->thread->runtime;
    uint64_t began_boot_ms = now_boot_ms(runtime);
    uv_mutex_lock(&runtime->mutex);
    hf_assert(!turn->thread->watch.turn);
    turn->thread->watch = (struct hf__watch){ .turn = turn, .began_boot_ms = began_boot_ms };
    uv_mutex_unlock(&runtime->mutex);
}

void hf__watch_end(struct hf__turn *turn)
{
    hf_runtime *runtime = turn->thread->runtime;
    struct hf__watch *watch = &turn->thread->watch;
    struct report report;
    uint64_t now_ms = now_boot_ms(runtime);
    uv_mutex_lock(&runtime->mutex);
    hf_assert(watch->turn == turn);
    bool was_stuck = watch->is_stuck;
    if (was_stuck) report_make(watch, now_ms, &report);
    *watch = (struct hf__watch){ 0 };
    uv_mutex_unlock(&runtime->mutex);
    if (was_stuck) report_log(runtime, &report, true);
}

/* Whether the thread's turn is stuck, which nobody has said so far. */
static bool stuck_take(struct hf__turn_thread *thread, uint64_t now_ms, struct report *out_report)
{
    hf_runtime *runtime = thread->runtime;
    struct hf__watch *watch = &thread->watch;
    uv_mutex_lock(&runtime->mutex);
    bool is_new = watch->turn && !watch->is_stuck &&
                  ran_ms(watch, now_ms) >= runtime->settings.turn_warn_ms;
    if (is_new) report_make(watch, now_ms, out_report);
    if (is_new) watch->is_stuck = true;
    uv_mutex_unlock(&runtime->mutex);
    return is_new;
}

void hf__watch_look(hf_runtime *runtime)
{
    struct hf__turns *turns = &runtime->turns;
    struct report report;
    uint64_t now_ms = now_boot_ms(runtime);
    for (size_t i = 0; i < turns->threads_count; i++) {
        if (!stuck_take(&turns->threads[i], now_ms, &report)) continue;
        hf__metrics_add(&runtime->metrics, HF__TURNS_STUCK, 1);
        report_log(runtime, &report, false);
    }
}
