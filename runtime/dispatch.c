/* Fetching. The happy path: a commit makes a turn or an item due; `want`, inside that transaction,
 * lets a fetch for the free slots join it; its answer is handed to the turn threads or the pool.
 *
 * `more` is set when something became due that could not be fetched at once (no room, a fetch on
 * its way, an error) and when a fetch came back full; it is cleared by the next fetch that begins.
 * So whoever makes room only has to ask hf__dispatch_kick, and nothing is due for ever. A fetch
 * that had joined a transaction which failed for another's sake asks again at once, by itself;
 * after an error of its own the next commit, or the next tick, tries again. */
#include "runtime/dispatch.h"

#include "engine/base/assert.h"
#include "runtime/runtime.h"

static void fetch_done(struct hf__submission *submission);

static void fetch_init(hf_runtime *runtime, struct hf__fetch *fetch,
                       enum hf_store_command_kind kind)
{
    *fetch = (struct hf__fetch){ .runtime = runtime, .more = true };
    hf__submission_init(&fetch->submission, runtime->heap, kind);
    fetch->submission.done = fetch_done;
    fetch->submission.user = fetch;
}

void hf__dispatch_init(hf_runtime *runtime)
{
    fetch_init(runtime, &runtime->dispatch.turns, HF_STORE_FETCH_TURNS);
    fetch_init(runtime, &runtime->dispatch.items, HF_STORE_FETCH_ITEMS);
}

void hf__dispatch_release(hf_runtime *runtime)
{
    hf_assert(!hf__dispatch_is_busy(runtime));
    hf__submission_release(&runtime->dispatch.turns.submission);
    hf__submission_release(&runtime->dispatch.items.submission);
}

bool hf__dispatch_is_busy(const hf_runtime *runtime)
{
    return runtime->dispatch.turns.is_in_flight || runtime->dispatch.items.is_in_flight;
}

/* ---- a fetch begins ------------------------------------------------------------------------- */

static void prepare_turns(hf_runtime *runtime, struct hf__fetch *fetch)
{
    hf__submission_reset(&fetch->submission, HF_STORE_FETCH_TURNS);
    fetch->submission.command.fetch_turns = (struct hf_store_fetch_turns){
        .registration = runtime->registration,
        .engine_version_min = runtime->settings.engine_version_min,
        .engine_version_max = runtime->settings.engine_version_max,
        .turns_max = fetch->asked_count
    };
}

static void prepare_items(hf_runtime *runtime, struct hf__fetch *fetch)
{
    hf__submission_reset(&fetch->submission, HF_STORE_FETCH_ITEMS);
    fetch->submission.command.fetch_items = (struct hf_store_fetch_items){
        .registration = runtime->registration,
        .items_max = fetch->asked_count,
        .no_sessions = runtime->settings.sessions_max == 0,
        .sessions_max = runtime->settings.sessions_max,
        .tags = runtime->settings.tags,
        .tags_count = runtime->settings.tags_count
    };
}

/* Makes the fetch ready to be submitted, when it is wanted and there is room. Under the mutex. */
static bool fetch_prepare(hf_runtime *runtime, struct hf__fetch *fetch)
{
    bool is_turns = fetch == &runtime->dispatch.turns;
    if (runtime->dispatch.is_stopped || fetch->is_in_flight || !fetch->more) return false;
    if (!hf__upkeep_may_fetch(runtime)) return false; /* each tick asks again */
    fetch->asked_count = is_turns ? hf__turns_room(runtime) : hf__activities_room(runtime);
    if (fetch->asked_count == 0) return false;
    /* Of more the store would give a part, which looked as if there were no more. */
    if (fetch->asked_count > HF_FETCH_MAX) fetch->asked_count = HF_FETCH_MAX;
    if (is_turns) prepare_turns(runtime, fetch);
    if (!is_turns) prepare_items(runtime, fetch);
    return true;
}

static void fetch_begin(struct hf__fetch *fetch, bool has_joined)
{
    fetch->is_in_flight = true;
    fetch->has_joined = has_joined;
    fetch->more = false;
    if (!has_joined) fetch->is_told = false; /* it comes behind the transaction in progress */
}

static void fetch_submit(hf_runtime *runtime, struct hf__fetch *fetch)
{
    if (!fetch_prepare(runtime, fetch)) return;
    fetch_begin(fetch, false);
    hf__runtime_submit(runtime, &fetch->submission);
}

void hf__dispatch_kick(hf_runtime *runtime)
{
    fetch_submit(runtime, &runtime->dispatch.turns);
    fetch_submit(runtime, &runtime->dispatch.items);
}

static void fetch_join(hf_runtime *runtime, struct hf__fetch *fetch,
                       struct hf__committer_group *group)
{
    if (!fetch_prepare(runtime, fetch)) return;
    if (!hf__committer_join(group, &fetch->submission)) return;
    fetch_begin(fetch, true);
}

/* Tells it whether something became due so far. Had it joined before, it has seen that. */
static void fetch_tell(struct hf__fetch *fetch, bool is_due)
{
    if (is_due && !fetch->has_joined) fetch->more = true;
    fetch->is_told = is_due;
}

void hf__dispatch_want(hf_runtime *runtime, uint32_t effects, struct hf__committer_group *group)
{
    struct hf__dispatch *self = &runtime->dispatch;
    uv_mutex_lock(&runtime->mutex);
    fetch_tell(&self->turns, (effects & HF_EFFECT_TURNS_DUE) != 0);
    fetch_tell(&self->items, (effects & HF_EFFECT_ITEMS_READY) != 0);
    fetch_join(runtime, &self->turns, group);
    fetch_join(runtime, &self->items, group);
    uv_mutex_unlock(&runtime->mutex);
}

/* Something became due of which it may not have been told: the transaction was repeated command by
 * command. */
static void fetch_catch_up(hf_runtime *runtime, struct hf__fetch *fetch)
{
    bool was_told = fetch->is_told;
    fetch->is_told = false;
    if (was_told) return;
    fetch->more = true;
    fetch_submit(runtime, fetch);
}

void hf__dispatch_effects(hf_runtime *runtime, uint32_t effects)
{
    struct hf__dispatch *self = &runtime->dispatch;
    if (effects & HF_EFFECT_TURNS_DUE) fetch_catch_up(runtime, &self->turns);
    if (effects & HF_EFFECT_ITEMS_READY) fetch_catch_up(runtime, &self->items);
}

/* ---- its answer ----------------------------------------------------------------------------- */

static size_t turns_granted(hf_runtime *runtime, const struct hf_store_fetch_turns *answer)
{
    for (size_t i = 0; i < answer->out_turns_count; i++) {
        hf__turns_granted(runtime, &answer->out_turns[i]);
    }
    return answer->out_turns_count;
}

static size_t items_granted(hf_runtime *runtime, const struct hf_store_fetch_items *answer)
{
    for (size_t i = 0; i < answer->out_items_count; i++) {
        hf__activities_granted(runtime, &answer->out_items[i]);
    }
    return answer->out_items_count;
}

/* What it was told of is not fetched. One that had joined may have been refused for the sake of
 * another command; the next one stands in a group by right, so nothing spins. Under the mutex. */
static void fetch_refused(hf_runtime *runtime, struct hf__fetch *fetch)
{
    bool had_joined = fetch->has_joined;
    fetch->has_joined = fetch->is_told = false;
    fetch->more = true;
    if (fetch->submission.command.status == HF_STALE) {
        hf__runtime_wake(runtime, HF__WAKE_FENCED);
    } else if (had_joined) {
        fetch_submit(runtime, fetch);
    }
}

static void fetch_done(struct hf__submission *submission)
{
    struct hf__fetch *fetch = submission->user;
    hf_runtime *runtime = fetch->runtime;
    struct hf_store_command *command = &submission->command;
    bool is_items = command->kind == HF_STORE_FETCH_ITEMS;
    if (command->status == HF_OK && is_items) hf__sessions_granted(runtime, &command->fetch_items);

    uv_mutex_lock(&runtime->mutex);
    hf_assert(fetch->is_in_flight);
    /* Not before its grants have their slots could another one begin. */
    size_t count = command->status != HF_OK ? 0
                   : is_items               ? items_granted(runtime, &command->fetch_items)
                                            : turns_granted(runtime, &command->fetch_turns);
    fetch->is_in_flight = false;
    if (command->status != HF_OK) {
        fetch_refused(runtime, fetch);
    } else {
        hf_assert(count <= fetch->asked_count);
        fetch->has_joined = false;
        if (count == fetch->asked_count) fetch->more = true;
        if (fetch->more) hf__dispatch_kick(runtime);
    }
    hf__runtime_wake_if_stopping(runtime);
    uv_mutex_unlock(&runtime->mutex);
}

/* ---- looking -------------------------------------------------------------------------------- */

void hf__dispatch_look(hf_runtime *runtime)
{
    struct hf__dispatch *self = &runtime->dispatch;
    uv_mutex_lock(&runtime->mutex);
    bool is_useful = !self->is_stopped &&
                     (hf__turns_room(runtime) > 0 || hf__activities_room(runtime) > 0);
    struct hf_peek peek = {
        .registration = runtime->registration,
        .engine_version_min = runtime->settings.engine_version_min,
        .engine_version_max = runtime->settings.engine_version_max,
        .no_sessions = runtime->settings.sessions_max == 0,
        .sessions_only_owned = runtime->claims.owned_count >= runtime->settings.sessions_max,
        .tags = runtime->settings.tags,
        .tags_count = runtime->settings.tags_count,
    };
    if (!is_useful) self->turns.more = self->items.more = true;
    uv_mutex_unlock(&runtime->mutex);
    if (!is_useful) return;

    struct hf_backend *backend = runtime->store->backend;
    hf_error error;
    hf_status status = backend->ops->peek(backend, &peek, &error);
    uv_mutex_lock(&runtime->mutex);
    if (status != HF_OK || peek.out_turns_due) self->turns.more = true;
    if (status != HF_OK || peek.out_items_ready) self->items.more = true;
    if (status == HF_OK) hf__dispatch_kick(runtime);
    uv_mutex_unlock(&runtime->mutex);
}
