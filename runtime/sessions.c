/* The telling. A claim that this worker makes is logged where its grant comes in, before any of its
 * activities runs; how it ends, and both sides of on_session, are told by the loop thread, in the
 * order in which they came up. A turn that opens or closes sessions tells that when it is
 * committed: then it is true, and it is told once, whoever holds the session. */
#include "runtime/sessions.h"

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/event.h"
#include "engine/execution.h"
#include "runtime/recovery.h"
#include "runtime/runtime.h"

/* ---- turns ---------------------------------------------------------------------------------- */

static void log_turned(hf_runtime *runtime, const char *instance, hf_slice id, const char *event,
                       const char *what)
{
    char session[HF_ID_SIZE_MAX + 1];
    hf_text_copy(session, sizeof session, id);
    hf__log(runtime->store->observer,
            &(hf_log_line){
                .level = HF_LOG_INFO, .event = event, .instance = instance, .session = session },
            "%s", what);
}

static void tell_opened(hf_runtime *runtime, const char *instance,
                        const struct hf_turn_committed *turn)
{
    const struct hf_turn_session *opened = turn->opened.items;
    for (size_t i = 0; i < turn->opened.count; i++) {
        hf__metrics_add(&runtime->metrics, HF__SESSIONS_OPENED, 1);
        log_turned(runtime, instance, opened[i].id, "session.open", "opened");
    }
}

/* The record of a turn names closed sessions by number: their ids are in the turn's events. */
static void tell_closed(hf_runtime *runtime, const char *instance,
                        const struct hf_turn_committed *turn, struct hf_arena *arena)
{
    const struct hf_turn_event *events = turn->events.items;
    for (size_t i = 0; turn->closed.count > 0 && i < turn->events.count; i++) {
        struct hf_event event;
        hf_arena_reset(arena);
        if (hf_event_decode(events[i].body, arena, &event, NULL) != HF_OK) continue;
        if (event.kind != HF_EVENT_SESSION_CLOSED || event.incarnation == 0) continue;
        hf__metrics_add(&runtime->metrics, HF__SESSIONS_ENDED, 1);
        log_turned(runtime, instance, event.text, "session.close", "closed by its orchestration");
    }
}

static void tell_left_open(hf_runtime *runtime, const char *instance,
                           const struct hf_execution *execution, struct hf_arena *arena)
{
    hf_arena_reset(arena);
    struct hf_list open = hf_execution_sessions(execution, arena);
    const struct hf_carried_session *sessions = open.items;
    for (size_t i = 0; sessions && i < open.count; i++) {
        hf__metrics_add(&runtime->metrics, HF__SESSIONS_ENDED, 1);
        log_turned(runtime, instance, sessions[i].id, "session.close",
                   "closed by the end of its instance");
    }
}

void hf__sessions_turned(hf_runtime *runtime, const char *instance,
                         const struct hf_turn_committed *turn, const struct hf_execution *execution,
                         struct hf_arena *arena)
{
    bool has_ended = turn->outcome != HF_OUTCOME_RUNNING && turn->outcome != HF_OUTCOME_CONTINUED;
    tell_opened(runtime, instance, turn);
    tell_closed(runtime, instance, turn, arena);
    if (has_ended) tell_left_open(runtime, instance, execution, arena);
}

/* ---- claims --------------------------------------------------------------------------------- */

/* A claim as its grant tells of it, in lines of the log. */
struct claimed {
    hf_runtime *runtime;
    const struct hf_item_grant *grant;
    char instance[HF_ID_SIZE_MAX + 1], session[HF_ID_SIZE_MAX + 1];
};

static hf_log_line line_of(const struct claimed *self, const char *event)
{
    return (hf_log_line){ .level = HF_LOG_INFO,
                          .event = event,
                          .lsn = self->grant->epoch,
                          .instance = self->instance,
                          .session = self->session,
                          .worker = self->runtime->worker_id };
}

static void tell_claim(const struct claimed *self)
{
    hf_log_line line = line_of(self, "session.claim");
    hf__metrics_add(&self->runtime->metrics, HF__SESSIONS_CLAIMED, 1);
    hf__log(self->runtime->store->observer, &line, "claimed by %s in incarnation %llu",
            self->runtime->worker_id, (unsigned long long)self->grant->incarnation);
}

static void tell_takeover(const struct claimed *self)
{
    const struct hf_item_grant *grant = self->grant;
    hf_log_line line = line_of(self, "session.takeover");
    hf_slice former = grant->from_worker;
    if (former.size == 0) former = hf_text("a worker that is not known any more");
    hf__metrics_add(&self->runtime->metrics, HF__SESSIONS_TAKEN_OVER, 1);
    hf__log(self->runtime->store->observer, &line,
            "%s has taken it over from " HF_FMT " (registration %llu): %s",
            self->runtime->worker_id, HF_ARG(former), (unsigned long long)grant->from,
            hf_reason_name(grant->claim_reason));
}

/* What was handed out before did not wait for its owner since it was scheduled. */
static void note_wait(hf_runtime *runtime, const struct hf_item_grant *grant)
{
    const hf_clock *clock = runtime->store->clock;
    if (grant->attempt != 1 || grant->scheduled_unix_ms == 0) return;
    uint64_t now_unix_ms = clock->wall_unix_ms(clock->self);
    uint64_t since_unix_ms = grant->scheduled_unix_ms;
    hf__metrics_session_wait(&runtime->metrics,
                             now_unix_ms > since_unix_ms ? now_unix_ms - since_unix_ms : 0);
}

void hf__sessions_granted(hf_runtime *runtime, const struct hf_store_fetch_items *answer)
{
    struct claimed claimed = { .runtime = runtime };
    for (size_t i = 0; i < answer->out_items_count; i++) {
        const struct hf_item_grant *grant = &answer->out_items[i];
        if (grant->session_id.size == 0) continue;
        note_wait(runtime, grant);
        if (!grant->first_in_claim) continue;
        claimed.grant = grant;
        hf_text_copy(claimed.instance, sizeof claimed.instance, grant->instance_id);
        hf_text_copy(claimed.session, sizeof claimed.session, grant->session_id);
        tell_claim(&claimed);
        if (grant->was_owned && grant->from != runtime->registration) tell_takeover(&claimed);
    }
}

enum hf__claim_end hf__sessions_end(const char *code)
{
    bool is_closed = hf_slice_equal(hf_text(code), hf_text("session_closed")) ||
                     hf_slice_equal(hf_text(code), hf_text("instance_ended"));
    if (is_closed) return HF__CLAIM_CLOSED;
    return hf_slice_equal(hf_text(code), hf_text("epoch")) ? HF__CLAIM_LOST : HF__CLAIM_VOID;
}

void hf__sessions_void(hf_runtime *runtime, struct hf__claim *claim, const char *code)
{
    claim->items_count++; /* keeps it while its activities are told */
    hf__claims_forget(&runtime->claims, claim, hf__sessions_end(code), code);
    hf__activities_void_claim(runtime, claim);
    hf__claims_item_ended(&runtime->claims, claim);
    hf__sessions_news(runtime);
}

/* Only the first delivery of a claim tells of its policy. One whose claim is not known was not the
 * first: that came when there was no memory, and the session is to be let go (releasing.c). */
static bool can_be_learned(hf_runtime *runtime, const struct hf_item_grant *grant)
{
    const struct hf_session_claim key = { .instance = grant->token.item.instance,
                                          .incarnation = grant->incarnation,
                                          .epoch = grant->epoch };
    return grant->first_in_claim || hf__claims_find(&runtime->claims, &key);
}

struct hf__claim *hf__sessions_learn(hf_runtime *runtime, const struct hf_item_grant *grant)
{
    struct hf__claim *older = hf__claims_find_older(&runtime->claims, grant);
    if (older && older->is_releasing) {
        hf__claims_forget(&runtime->claims, older, HF__CLAIM_RELEASED, "claimed again");
    } else if (older) {
        hf__sessions_void(runtime, older, "epoch");
    }
    bool is_known = can_be_learned(runtime, grant);
    struct hf__claim *claim = is_known ? hf__claims_learn(&runtime->claims, grant) : NULL;
    if (claim && grant->was_owned) hf__recovery_learn(runtime, claim);
    hf__sessions_news(runtime);
    return claim;
}

/* ---- news ----------------------------------------------------------------------------------- */

void hf__sessions_news(hf_runtime *runtime)
{
    if (runtime->claims.news_first) hf__runtime_wake(runtime, HF__WAKE_NEWS);
    hf__claims_bury_later(runtime);
}

static void call_user(hf_runtime *runtime, const struct hf__claim *claim, bool gained)
{
    const struct hf__settings *settings = &runtime->settings;
    if (!settings->on_session) return;
    const hf_session_info info = { .size = sizeof info,
                                   .instance = claim->instance,
                                   .session = claim->session,
                                   .owner = runtime->worker_id,
                                   .tag = claim->tag,
                                   .incarnation = claim->key.incarnation,
                                   .epoch = claim->key.epoch,
                                   .registration_lsn = runtime->registration };
    settings->on_session(settings->user, &info, gained);
}

static void tell_end(hf_runtime *runtime, const struct hf__claim *claim)
{
    static const struct {
        enum hf__metric metric;
        hf_log_level level;
        const char *event, *what;
    } ends[] = {
        [HF__CLAIM_RELEASED] = { HF__SESSIONS_RELEASED, HF_LOG_INFO, "session.release",
                                 "released" },
        [HF__CLAIM_CLOSED] = { HF__SESSIONS_CLOSED, HF_LOG_INFO, "session.release",
                               "not held any more: it is closed" },
        [HF__CLAIM_LOST] = { HF__SESSIONS_LOST, HF_LOG_WARN, "session.lost",
                             "another worker has it" },
        [HF__CLAIM_VOID] = { HF__SESSIONS_LOST, HF_LOG_WARN, "session.release",
                             "not held any more: its claim is void" },
    };
    hf_assert(claim->end != HF__CLAIM_HELD && claim->end < HF_COUNT_OF(ends));
    hf__metrics_add(&runtime->metrics, ends[claim->end].metric, 1);
    hf__log(runtime->store->observer,
            &(hf_log_line){ .level = ends[claim->end].level,
                            .event = ends[claim->end].event,
                            .lsn = claim->key.epoch,
                            .instance = claim->instance,
                            .session = claim->session,
                            .worker = runtime->worker_id },
            "%s (%s)", ends[claim->end].what, claim->why);
    call_user(runtime, claim, false);
}

/* Tells all that is to be told of a claim, which stands meanwhile. */
static void tell(hf_runtime *runtime, struct hf__claim *claim, bool has_ended)
{
    if (!claim->is_gain_told) call_user(runtime, claim, true);
    claim->is_gain_told = true;
    if (has_ended) tell_end(runtime, claim);
    if (has_ended) claim->is_end_told = true;
}

void hf__sessions_tell(hf_runtime *runtime)
{
    uv_mutex_lock(&runtime->mutex);
    struct hf__claim *claim = hf__claims_take_news(&runtime->claims);
    while (claim) {
        bool has_ended = claim->is_forgotten;
        uv_mutex_unlock(&runtime->mutex);
        tell(runtime, claim, has_ended);
        uv_mutex_lock(&runtime->mutex);
        if (claim->is_forgotten && !claim->is_end_told) continue; /* it ended meanwhile */
        hf__claims_told(&runtime->claims, claim);
        claim = hf__claims_take_news(&runtime->claims);
    }
    hf__claims_bury_later(runtime);
    hf__runtime_wake_if_stopping(runtime);
    uv_mutex_unlock(&runtime->mutex);
}
