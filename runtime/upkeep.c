/* Renewal, void tokens, dead workers, reclaiming. No clock decides here who is right: a deadline
 * that passed is revived by the next renewal, and only the store says that something is void.
 *
 * But who is late fetches nothing before it has renewed. When the machine has slept, every worker
 * is late, and all that they run could be fetched again: by the others, and by themselves. So each
 * renews at its next tick, and gives the others two ticks to do the same.
 *
 * An error of a renewal is never a reason to stop anything: the next one tries again. */
#include "runtime/upkeep.h"

#include "engine/base/assert.h"
#include "runtime/runtime.h"

enum { PATIENCE_TICKS = 2 };

void hf__upkeep_init(hf_runtime *runtime)
{
    struct hf__upkeep *self = &runtime->upkeep;
    hf__task_init(&self->renew, runtime, HF__WAKE_UPKEEP);
    hf__task_init(&self->bury_dead, runtime, HF__WAKE_UPKEEP);
    hf__task_init(&self->reclaim, runtime, HF__WAKE_UPKEEP);
    hf_arena_init(&self->scratch, runtime->heap);
}

void hf__upkeep_release(hf_runtime *runtime)
{
    struct hf__upkeep *self = &runtime->upkeep;
    hf__task_release(&self->renew);
    hf__task_release(&self->bury_dead);
    hf__task_release(&self->reclaim);
    hf_arena_release(&self->scratch);
}

bool hf__upkeep_is_busy(const hf_runtime *runtime)
{
    const struct hf__upkeep *self = &runtime->upkeep;
    return self->renew.is_busy || self->bury_dead.is_busy || self->reclaim.is_busy;
}

struct hf__deadlines hf__upkeep_deadlines(const hf_runtime *runtime)
{
    const struct hf__settings *settings = &runtime->settings;
    const hf_clock *clock = runtime->store->clock;
    uint64_t now_ms = clock->boot_ms(clock->self);
    uint64_t sessions_ms = settings->session_lock_ms;
    if (sessions_ms < settings->item_lock_ms) sessions_ms = settings->item_lock_ms;
    return (struct hf__deadlines){ .items_boot_ms = now_ms + settings->item_lock_ms,
                                   .sessions_boot_ms = now_ms + sessions_ms };
}

uint64_t hf__upkeep_period_ms(const hf_runtime *runtime)
{
    const struct hf__settings *settings = &runtime->settings;
    uint64_t shorter_ms = settings->item_lock_ms;
    if (settings->session_lock_ms < shorter_ms) shorter_ms = settings->session_lock_ms;
    return shorter_ms < 2 ? 1 : shorter_ms / 2;
}

/* ---- what is held --------------------------------------------------------------------------- */

static void held_add_items(hf_runtime *runtime, struct hf__held *held, struct hf_item_token *tokens)
{
    struct hf__activities *activities = &runtime->activities;
    size_t count = 0;
    for (size_t i = 0; i < activities->slots_count; i++) {
        struct hf_activity *activity = &activities->slots[i];
        if (!hf__activity_is_held(activity) || activity->is_rebuild) continue;
        tokens[count] = activity->token;
        held->activities[count++] = activity;
    }
    held->renew.items = tokens;
    held->renew.items_count = count;
}

static void held_add_sessions(hf_runtime *runtime, struct hf__held *held,
                              struct hf_session_claim *sessions)
{
    size_t count = 0;
    struct hf__claim *claim = hf__claims_next(&runtime->claims, NULL);
    for (; claim; claim = hf__claims_next(&runtime->claims, claim)) sessions[count++] = claim->key;
    hf_assert(count == runtime->claims.owned_count);
    held->renew.sessions = sessions;
    held->renew.sessions_count = count;
}

/* All that is held now, in arena. False: no memory. */
static bool held_collect(hf_runtime *runtime, struct hf_arena *arena, struct hf__held *out_held)
{
    struct hf__deadlines deadlines = hf__upkeep_deadlines(runtime);
    *out_held = (struct hf__held){ .renew = {
                                       .registration = runtime->registration,
                                       .items_deadline_boot_ms = deadlines.items_boot_ms,
                                       .sessions_deadline_boot_ms = deadlines.sessions_boot_ms } };
    uv_mutex_lock(&runtime->mutex);
    size_t items_max = runtime->activities.held_count;
    size_t sessions_max = runtime->claims.owned_count;
    struct hf_item_token *tokens = hf_arena_array(arena, items_max, sizeof *tokens);
    struct hf_session_claim *sessions = hf_arena_array(arena, sessions_max, sizeof *sessions);
    out_held->activities = (struct hf_activity **)hf_arena_array(arena, items_max,
                                                                 sizeof *out_held->activities);
    bool has_memory = !arena->failed;
    if (has_memory) held_add_items(runtime, out_held, tokens);
    if (has_memory) held_add_sessions(runtime, out_held, sessions);
    uv_mutex_unlock(&runtime->mutex);
    return has_memory;
}

/* ---- what is void --------------------------------------------------------------------------- */

static bool token_equal(const struct hf_item_token *a, const struct hf_item_token *b)
{
    return a->delivery_lsn == b->delivery_lsn && a->delivery_number == b->delivery_number;
}

/* The slot may hold another delivery by now: the token tells. */
static void item_void(hf_runtime *runtime, const struct hf__held *held, const struct hf_void *each)
{
    struct hf_activity *activity = held->activities[each->index];
    uv_mutex_lock(&runtime->mutex);
    if (hf__activity_is_held(activity) &&
        token_equal(&activity->token, &held->renew.items[each->index])) {
        hf__activity_void(activity);
    }
    uv_mutex_unlock(&runtime->mutex);
}

static void session_void(hf_runtime *runtime, const struct hf__held *held,
                         const struct hf_void *each)
{
    const struct hf_session_claim *key = &held->renew.sessions[each->index];
    uv_mutex_lock(&runtime->mutex);
    struct hf__claim *claim = hf__claims_find(&runtime->claims, key);
    /* One that is being released is void because it is ours no more: the release answers for it. */
    if (claim && !claim->is_releasing) hf__sessions_void(runtime, claim, each->code);
    uv_mutex_unlock(&runtime->mutex);
}

/* Sessions first: their activities are told with them. */
static void held_settle(hf_runtime *runtime, const struct hf__held *held,
                        const struct hf_store_renew *answer)
{
    for (size_t i = 0; i < answer->out_voids_count; i++) {
        const struct hf_void *each = &answer->out_voids[i];
        hf_assert(each->index <
                  (each->is_session ? held->renew.sessions_count : held->renew.items_count));
        if (each->is_session) session_void(runtime, held, each);
    }
    for (size_t i = 0; i < answer->out_voids_count; i++) {
        const struct hf_void *each = &answer->out_voids[i];
        if (!each->is_session) item_void(runtime, held, each);
    }
}

void hf__upkeep_check(hf_runtime *runtime)
{
    struct hf__upkeep *self = &runtime->upkeep;
    struct hf_backend *backend = runtime->store->backend;
    struct hf__held held;
    hf_error error;
    hf_arena_reset(&self->scratch);
    if (!held_collect(runtime, &self->scratch, &held)) return;
    if (held.renew.items_count == 0 && held.renew.sessions_count == 0) return;
    hf_status status = backend->ops->check_held(backend, &held.renew, &self->scratch, &error);
    if (status == HF_OK) held_settle(runtime, &held, &held.renew);
    if (status == HF_STALE) hf__upkeep_lost(runtime);
}

void hf__upkeep_kept(hf_runtime *runtime, uint64_t items_deadline_boot_ms)
{
    runtime->upkeep.kept_until_boot_ms = items_deadline_boot_ms;
}

/* By less than a tick nobody is late: a lease of a few milliseconds is not renewed in time, and its
 * worker works all the same. */
static bool is_late(const hf_runtime *runtime)
{
    const hf_clock *clock = runtime->store->clock;
    return clock->boot_ms(clock->self) >= runtime->upkeep.kept_until_boot_ms + HF__PROBE_MS;
}

bool hf__upkeep_may_fetch(const hf_runtime *runtime)
{
    return runtime->upkeep.patience_ticks == 0 && !is_late(runtime);
}

void hf__upkeep_tick(hf_runtime *runtime)
{
    struct hf__upkeep *self = &runtime->upkeep;
    uv_mutex_lock(&runtime->mutex);
    bool must_renew = is_late(runtime);
    if (must_renew) self->patience_ticks = PATIENCE_TICKS;
    if (!must_renew && self->patience_ticks > 0) self->patience_ticks--;
    uv_mutex_unlock(&runtime->mutex);
    if (must_renew && runtime->shutdown.phase <= HF__SHUTDOWN_DRAINING) hf__upkeep_renew(runtime);
}

void hf__upkeep_renew(hf_runtime *runtime)
{
    struct hf__upkeep *self = &runtime->upkeep;
    if (!hf__task_prepare(&self->renew, HF_STORE_RENEW)) return;
    struct hf__submission *submission = &self->renew.submission;
    if (!held_collect(runtime, &submission->arena, &self->presented)) return;
    submission->command.renew = self->presented.renew;
    hf__task_submit(&self->renew);
}

static void renew_answered(hf_runtime *runtime)
{
    struct hf__upkeep *self = &runtime->upkeep;
    const struct hf_store_command *command = &self->renew.submission.command;
    if (command->status == HF_OK) {
        hf__metrics_add(&runtime->metrics, HF__RENEWALS, 1);
        uv_mutex_lock(&runtime->mutex);
        hf__upkeep_kept(runtime, command->renew.items_deadline_boot_ms);
        uv_mutex_unlock(&runtime->mutex);
        held_settle(runtime, &self->presented, &command->renew);
        return;
    }
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_WARN,
                            .event = "worker.not_renewed",
                            .lsn = runtime->registration,
                            .worker = runtime->worker_id },
            "%s: %s", hf_status_name(command->status), command->error.message);
    if (command->status == HF_STALE) hf__upkeep_lost(runtime);
}

void hf__upkeep_lost(hf_runtime *runtime)
{
    uv_mutex_lock(&runtime->mutex);
    bool is_news = !runtime->is_fenced;
    runtime->is_fenced = true;
    for (size_t i = 0; is_news && i < runtime->activities.slots_count; i++) {
        struct hf_activity *activity = &runtime->activities.slots[i];
        if (hf__activity_is_held(activity)) hf__activity_void(activity);
    }
    uv_mutex_unlock(&runtime->mutex);
    if (!is_news) return;
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_ERROR,
                            .event = "worker.lost",
                            .lsn = runtime->registration,
                            .worker = runtime->worker_id },
            "the registration of this worker was ended by another process: it stops; start it "
            "again");
    hf_runtime_stop(runtime, 0, NULL, NULL);
}

/* ---- the death of others -------------------------------------------------------------------- */

static bool registration_is_dead(const hf_runtime *runtime, const struct hf_registration_row *row)
{
    if (row->ended || row->registration == runtime->registration) return false;
    return !hf__lives_is_alive(runtime->store->lives, row->life);
}

/* Declares the registration of row dead; its life stays in the task's arena for the answer. */
static void death_declare(hf_runtime *runtime, const struct hf_registration_row *row)
{
    struct hf__task *task = &runtime->upkeep.bury_dead;
    if (!hf__task_prepare(task, HF_STORE_END_REGISTRATION)) return;
    task->submission.command.end_registration = (struct hf_store_end_registration){
        .registration = row->registration, .reason = HF_REASON_DEAD, .by = runtime->registration
    };
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = HF_LOG_WARN,
                            .event = "worker.dead",
                            .lsn = row->registration,
                            .worker = hf_arena_text(&task->submission.arena, row->worker_id) },
            "its process %llu is gone: its work is taken over", (unsigned long long)row->pid);
    runtime->upkeep.dead_life = hf_arena_copy(&task->submission.arena, row->life);
    hf__task_submit(task);
}

/* The first dead one behind a registration; NULL: none. Rows stand by registration. */
static const struct hf_registration_row *dead_find(const hf_runtime *runtime,
                                                   const struct hf_registration_row *rows,
                                                   size_t count, uint64_t behind)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].registration <= behind) continue;
        if (registration_is_dead(runtime, &rows[i])) return &rows[i];
    }
    return NULL;
}

void hf__upkeep_probe(hf_runtime *runtime)
{
    struct hf__upkeep *self = &runtime->upkeep;
    struct hf_backend *backend = runtime->store->backend;
    struct hf_registration_row *rows = NULL;
    size_t count = 0;
    hf_error error;
    hf_arena_reset(&self->scratch);
    hf_status status = backend->ops->registrations(backend, &self->scratch, &rows, &count, &error);
    if (status != HF_OK) return;
    const struct hf_registration_row *dead = dead_find(runtime, rows, count, self->not_buried);
    if (!dead && self->not_buried != 0) dead = dead_find(runtime, rows, count, 0);
    if (dead) death_declare(runtime, dead);
}

static void death_answered(hf_runtime *runtime)
{
    const struct hf_store_command *command = &runtime->upkeep.bury_dead.submission.command;
    if (command->status != HF_OK) {
        /* The next tick goes on behind it: one whose rows are damaged must not hide the others. */
        runtime->upkeep.not_buried = command->end_registration.registration;
        return;
    }
    hf__metrics_add(&runtime->metrics, HF__WORKERS_DECLARED_DEAD, 1);
    hf__lives_remove(runtime->store->lives, runtime->upkeep.dead_life);
    hf__upkeep_probe(runtime);
}

/* ---- reclaiming ----------------------------------------------------------------------------- */

void hf__upkeep_reclaim(hf_runtime *runtime)
{
    struct hf__task *task = &runtime->upkeep.reclaim;
    if (!hf__task_prepare(task, HF_STORE_RECLAIM)) return;
    hf__task_submit(task);
}

void hf__upkeep_answers(hf_runtime *runtime)
{
    struct hf__upkeep *self = &runtime->upkeep;
    if (hf__task_take_answer(&self->renew)) renew_answered(runtime);
    if (hf__task_take_answer(&self->bury_dead)) death_answered(runtime);
    if (hf__task_take_answer(&self->reclaim)) {
        const struct hf_store_command *command = &self->reclaim.submission.command;
        if (command->status == HF_OK && command->reclaim.out_more) hf__upkeep_reclaim(runtime);
    }
}
