/* What virtual workers do with items, sessions, leases and registrations. A worker knows what it
 * was told, and nothing else: it acts on tokens that may be void by now, as a real one would. */
#include <stdio.h>
#include <string.h>

#include "engine/base/heap.h"
#include "engine/base/status.h"
#include "tests/sim/sim.h"

/* ---- what it has ----------------------------------------------------------------------------- */

void sim_worker_draw(struct sim *sim, size_t index)
{
    static const char *const tags[SIM_TAGS_COUNT] = { "gpu", "cpu" };
    struct sim_worker *worker = &sim->workers[index];
    struct hf_test_random *random = &sim->random;
    (void)snprintf(worker->id, sizeof worker->id, "w%zu", index);
    worker->turns_max = (size_t)hf_test_random_from(random, 1, SIM_TURNS_MAX);
    worker->items_max = (size_t)hf_test_random_from(random, 1, SIM_ITEMS_MAX);
    worker->sessions_max = hf_test_random_from(random, 1, 6);
    worker->reclaim_ms = hf_test_random_percent(random, 40) ? hf_test_random_from(random, 1, 60000)
                                                            : 0;
    for (size_t i = 0; i < SIM_TAGS_COUNT; i++) {
        /* The first serves all, so that nothing waits for ever. */
        if (index > 0 && hf_test_random_percent(random, 50)) continue;
        worker->tags[worker->tags_count++] = hf_text(tags[i]);
    }
    for (size_t i = 0; i < SIM_TURNS_MAX; i++) {
        hf_arena_init(&worker->turns[i].arena, hf_heap_default());
    }
}

bool sim_life_is_alive(const struct sim *sim, hf_slice life)
{
    for (size_t i = 0; i < SIM_WORKERS_MAX; i++) {
        const struct sim_worker *worker = &sim->workers[i];
        if (worker->is_up && hf_slice_equal(hf_text(worker->life), life)) return true;
    }
    return false;
}

void sim_worker_crash(struct sim *sim, struct sim_worker *worker)
{
    sim_note(sim, "%s dies", worker->id);
    worker->is_up = worker->is_paused = false;
    worker->registration = 0;
    worker->life[0] = '\0';
    for (size_t i = 0; i < SIM_TURNS_MAX; i++) sim_turn_release(&worker->turns[i]);
    for (size_t i = 0; i < SIM_ITEMS_MAX; i++) worker->works[i] = (struct sim_work){ 0 };
    sim_live_evict(worker);
    worker->claims_count = 0;
    sim->result.crashes++;
}

/* A work that it has in hand and is in no command yet, by chance; NULL: none. */
static struct sim_work *work_choose(struct sim *sim, struct sim_worker *worker)
{
    struct sim_work *chosen = NULL;
    uint64_t count = 0;
    for (size_t i = 0; i < SIM_ITEMS_MAX; i++) {
        struct sim_work *work = &worker->works[i];
        if (!work->is_used || work->is_in_group) continue;
        if (hf_test_random_below(&sim->random, ++count) == 0) chosen = work;
    }
    return chosen;
}

static size_t works_count(const struct sim_worker *worker)
{
    size_t count = 0;
    for (size_t i = 0; i < SIM_ITEMS_MAX; i++) count += worker->works[i].is_used ? 1 : 0;
    return count;
}

/* ---- acts ------------------------------------------------------------------------------------ */

static struct sim_act *worker_add(struct sim *sim, struct sim_worker *worker,
                                  enum hf_store_command_kind kind)
{
    struct sim_act *act = sim_act_add(sim, kind);
    act->worker = worker;
    return act;
}

static void act_register(struct sim *sim, struct sim_worker *worker)
{
    if (worker->is_up) return;
    struct sim_act *act = worker_add(sim, worker, HF_STORE_REGISTER);
    /* The life file is locked before: from here on the process lives. */
    worker->is_up = true;
    worker->registration = 0;
    (void)snprintf(worker->life, sizeof worker->life, "life-%llu",
                   (unsigned long long)++sim->lives_count);
    act->command.register_worker = (struct hf_store_register){
        .worker_id = hf_text(worker->id),
        .life = hf_text(worker->life),
        .boot_id = hf_text(sim->boot_id),
        .pid = 1000 + sim->lives_count,
        .items_deadline_boot_ms = sim->boot_ms + sim->draw.items_lease_ms,
        .sessions_deadline_boot_ms = sim->boot_ms + sim->draw.sessions_lease_ms,
        .reclaim_ms = worker->reclaim_ms
    };
    sim_note(sim, "%s registers, as %s", worker->id, worker->life);
}

/* Asks the same as a renewal without renewing. */
static void check_held(struct sim *sim, struct hf_store_renew renew)
{
    hf_error error;
    hf_status status = sim->backend->ops->check_held(sim->backend, &renew, &sim->arena, &error);
    bool lives = sim_registration_lives(sim, renew.registration);
    sim_check(sim, status == (lives ? HF_OK : HF_STALE), "check_held: %s", error.message);
    if (lives) sim_laws_held(sim, &renew);
}

/* Presents all that it believes to hold. */
static void act_renew(struct sim *sim, struct sim_worker *worker)
{
    struct sim_act *act = worker_add(sim, worker, HF_STORE_RENEW);
    struct hf_item_token *items = hf_arena_array(&sim->arena, SIM_ITEMS_MAX, sizeof *items);
    struct hf_session_claim *claims = hf_arena_array(&sim->arena, SIM_CLAIMS_MAX, sizeof *claims);
    size_t items_count = 0;
    hf_assert(items && claims);
    for (size_t i = 0; i < SIM_ITEMS_MAX; i++) {
        if (worker->works[i].is_used) items[items_count++] = worker->works[i].token;
    }
    for (size_t i = 0; i < worker->claims_count; i++) claims[i] = worker->claims[i].key;
    act->command.renew = (struct hf_store_renew){
        .registration = worker->registration,
        .items_deadline_boot_ms = sim->boot_ms + sim->draw.items_lease_ms,
        .sessions_deadline_boot_ms = sim->boot_ms + sim->draw.sessions_lease_ms,
        .items = items,
        .items_count = items_count,
        .sessions = claims,
        .sessions_count = worker->claims_count
    };
    if (sim->group.count == 1) check_held(sim, act->command.renew);
    sim_note(sim, "%s renews %zu items, %zu claims", worker->id, items_count, worker->claims_count);
}

static void act_fetch(struct sim *sim, struct sim_worker *worker)
{
    size_t room = worker->items_max - works_count(worker);
    if (works_count(worker) >= worker->items_max) return;
    struct sim_act *act = worker_add(sim, worker, HF_STORE_FETCH_ITEMS);
    act->has_peeked = sim->group.count == 1;
    bool is_special = hf_test_random_percent(&sim->random, 10) && !sim->is_draining;
    act->command.fetch_items = (struct hf_store_fetch_items){
        .registration = worker->registration,
        .items_max = room,
        .sessions_only_owned = is_special && hf_test_random_percent(&sim->random, 50),
        .no_sessions = is_special && hf_test_random_percent(&sim->random, 50),
        .sessions_max = worker->sessions_max,
        .tags = worker->tags,
        .tags_count = worker->tags_count
    };
    if (act->has_peeked) {
        act->peek = (struct hf_peek){
            .registration = worker->registration,
            .no_sessions = act->command.fetch_items.no_sessions,
            .sessions_only_owned = act->command.fetch_items.sessions_only_owned,
            .tags = worker->tags,
            .tags_count = worker->tags_count
        };
        sim_peek(sim, act);
    }
    sim_note(sim, "%s fetches up to %zu items", worker->id, room);
}

/* What its function makes of an item: a result, a failure, or the failure that its session's policy
 * or its many deliveries ask for. */
static hf_slice outcome_make(struct sim *sim, const struct sim_work *work, bool is_poison)
{
    uint64_t value = program_activity(work->value);
    hf_error failure = { .status = HF_FAILED, .code = "bad", .message = "it failed" };
    bool fails = !sim->is_draining && hf_test_random_percent(&sim->random, sim->draw.fail_percent);
    if (is_poison) hf_error_code(&failure, "poison");
    if (work->is_lost) failure.status = HF_SESSION_LOST;
    bool is_failure = is_poison || fails || work->is_lost;
    return hf_body_activity_outcome(work->token.item.event_id, hf_bytes(&value, sizeof value),
                                    is_failure ? &failure : NULL, &sim->arena);
}

static void act_complete(struct sim *sim, struct sim_worker *worker)
{
    struct sim_work *work = work_choose(sim, worker);
    if (!work) return;
    struct sim_act *act = worker_add(sim, worker, HF_STORE_COMPLETE_ITEM);
    bool is_poison = work->deaths >= SIM_DEATHS_MAX ||
                     work->attempt - 1 - work->deaths >= sim->draw.attempts_max;
    act->work = work;
    work->is_in_group = true;
    act->command.complete_item = (struct hf_store_complete_item){
        .token = work->token,
        .registration = worker->registration,
        .body = outcome_make(sim, work, is_poison),
        .is_poison = is_poison
    };
    sim_note(sim, "%s completes item %llu/%llu", worker->id,
             (unsigned long long)work->token.item.instance,
             (unsigned long long)work->token.item.event_id);
}

static void act_abandon(struct sim *sim, struct sim_worker *worker)
{
    struct sim_work *work = work_choose(sim, worker);
    if (!work) return;
    struct sim_act *act = worker_add(sim, worker, HF_STORE_ABANDON_ITEM);
    struct hf_test_random *random = &sim->random;
    act->work = work;
    work->is_in_group = true;
    bool is_delayed = hf_test_random_percent(random, 40);
    act->command.abandon_item = (struct hf_store_abandon_item){
        .token = work->token,
        .registration = worker->registration,
        .reason = HF_REASON_ABANDONED,
        .uncounted = hf_test_random_percent(random, 70),
        .delay_ms = is_delayed ? hf_test_random_from(random, 1, 20000) : 0,
        .progress = hf_test_random_percent(random, 30) ? hf_text("some") : (hf_slice)HF_EMPTY
    };
    sim_note(sim, "%s hands item %llu/%llu back", worker->id,
             (unsigned long long)work->token.item.instance,
             (unsigned long long)work->token.item.event_id);
}

static void act_report(struct sim *sim, struct sim_worker *worker)
{
    struct sim_work *work = work_choose(sim, worker);
    if (!work) return;
    struct sim_act *act = worker_add(sim, worker, HF_STORE_REPORT);
    struct hf_report *report = hf_arena_new(&sim->arena, sizeof *report);
    hf_assert(report);
    const char *how_far = hf_test_random_percent(&sim->random, 50) ? "half" : "most";
    *report = (struct hf_report){ .token = work->token, .progress = hf_text(how_far) };
    act->command.report = (struct hf_store_report){ .registration = worker->registration,
                                                    .reports = report,
                                                    .reports_count = 1 };
    sim_note(sim, "%s reports", worker->id);
}

/* Presents a token that was given at any time, to anybody, under the registration that had it. */
static void act_stale(struct sim *sim, struct sim_worker *worker)
{
    const struct sim_shadow *shadow = &sim->shadow;
    if (shadow->tokens_count == 0) return;
    size_t index = (size_t)hf_test_random_below(&sim->random, shadow->tokens_count);
    const struct sim_token *given = &shadow->tokens[index];
    bool is_other = hf_test_random_percent(&sim->random, 20); /* as if it were its own */
    struct sim_act *act = worker_add(sim, worker, HF_STORE_COMPLETE_ITEM);
    const struct sim_item *item = sim_item_find(sim, &given->token.item);
    hf_assert(item);
    /* Under a token that holds it would be a result that the program does not know. */
    bool holds = sim_item_token_holds(sim, &given->token, given->registration);
    uint64_t registration = is_other && !holds ? worker->registration : given->registration;
    hf_error failure = { .status = HF_FAILED, .code = "stale", .message = "it came late" };
    act->command.complete_item = (struct hf_store_complete_item){
        .token = given->token,
        .registration = registration,
        .body = hf_body_activity_outcome(given->token.item.event_id, (hf_slice)HF_EMPTY, &failure,
                                         &sim->arena)
    };
    sim_note(sim, "an old token of %llu for item %llu/%llu", (unsigned long long)registration,
             (unsigned long long)item->id.instance, (unsigned long long)item->id.event_id);
}

/* A claim by chance; rather one whose session its maker lost and got again. */
static size_t claim_choose(struct sim *sim)
{
    const struct sim_shadow *shadow = &sim->shadow;
    size_t index = (size_t)hf_test_random_below(&sim->random, shadow->claims_count);
    for (size_t i = 0; i < shadow->claims_count; i++) {
        size_t at = (index + i) % shadow->claims_count;
        const struct hf_session_claim *claim = &shadow->claims[at].claim;
        const struct sim_session *session = sim_session_find(sim, claim->instance,
                                                             claim->incarnation);
        bool is_regained = session->is_open && session->epoch != claim->epoch &&
                           session->owner == shadow->claims[at].registration;
        if (is_regained) return at;
    }
    return index;
}

/* Presents a claim that was made at any time: for release, or, of its own, with a renewal. */
static void act_stale_claim(struct sim *sim, struct sim_worker *worker)
{
    const struct sim_shadow *shadow = &sim->shadow;
    if (shadow->claims_count == 0) return;
    size_t index = claim_choose(sim);
    struct hf_session_claim *claim = hf_arena_new(&sim->arena, sizeof *claim);
    hf_assert(claim);
    *claim = shadow->claims[index].claim;
    uint64_t registration = shadow->claims[index].registration;
    bool is_own = registration == worker->registration;
    /* One that holds is its owner's to release. */
    if (sim_claim_holds(sim, claim, registration)) return;
    struct sim_act *act = worker_add(sim, worker,
                                     is_own ? HF_STORE_RENEW : HF_STORE_RELEASE_SESSIONS);
    if (is_own) {
        act->command.renew = (struct hf_store_renew){
            .registration = registration,
            .items_deadline_boot_ms = sim->boot_ms + sim->draw.items_lease_ms,
            .sessions_deadline_boot_ms = sim->boot_ms + sim->draw.sessions_lease_ms,
            .sessions = claim,
            .sessions_count = 1
        };
    } else {
        act->command.release_sessions = (struct hf_store_release_sessions){
            .registration = registration,
            .reason = HF_REASON_SHUTDOWN,
            .sessions = claim,
            .sessions_count = 1
        };
        act->worker = NULL; /* nobody is to hear of it */
    }
    sim_note(sim, "an old claim of %llu on session %llu/%llu", (unsigned long long)registration,
             (unsigned long long)claim->instance, (unsigned long long)claim->incarnation);
}

static void act_release(struct sim *sim, struct sim_worker *worker)
{
    if (worker->claims_count == 0) return;
    struct hf_session_claim *claims = hf_arena_array(&sim->arena, SIM_CLAIMS_MAX, sizeof *claims);
    size_t count = 0;
    hf_assert(claims);
    for (size_t i = 0; i < worker->claims_count; i++) {
        bool is_named = sim->is_draining || hf_test_random_percent(&sim->random, 70);
        if (is_named) claims[count++] = worker->claims[i].key;
    }
    if (count == 0) return;
    struct sim_act *act = worker_add(sim, worker, HF_STORE_RELEASE_SESSIONS);
    bool is_idle = sim->is_draining || hf_test_random_percent(&sim->random, 70);
    act->command.release_sessions = (struct hf_store_release_sessions){
        .registration = worker->registration,
        .reason = is_idle ? HF_REASON_RELEASED : HF_REASON_SHUTDOWN,
        .sessions = claims,
        .sessions_count = count
    };
    sim_note(sim, "%s releases %zu sessions", worker->id, count);
}

static void act_timers(struct sim *sim, struct sim_worker *worker)
{
    struct sim_act *act = worker_add(sim, worker, HF_STORE_FIRE_TIMERS);
    act->command.fire_timers.timers_max = (size_t)hf_test_random_from(&sim->random, 1, 20);
    sim_note(sim, "%s fires timers", worker->id);
}

static void act_reclaim(struct sim *sim, struct sim_worker *worker)
{
    (void)worker_add(sim, worker, HF_STORE_RECLAIM);
    sim_note(sim, "%s reclaims", worker->id);
}

/* Says that another is dead, whether or not it is. */
static void act_declare(struct sim *sim, struct sim_worker *worker)
{
    const struct sim_shadow *shadow = &sim->shadow;
    if (shadow->registrations_count == 0) return;
    size_t index = (size_t)hf_test_random_below(&sim->random, shadow->registrations_count);
    struct sim_act *act = worker_add(sim, worker, HF_STORE_END_REGISTRATION);
    act->command.end_registration = (struct hf_store_end_registration){
        .registration = shadow->registrations[index].lsn,
        .reason = HF_REASON_DEAD,
        .by = worker->registration
    };
    sim_note(sim, "%s says that %llu is dead", worker->id,
             (unsigned long long)act->command.end_registration.registration);
}

static void act_shutdown(struct sim *sim, struct sim_worker *worker)
{
    struct sim_act *act = worker_add(sim, worker, HF_STORE_END_REGISTRATION);
    act->command.end_registration = (struct hf_store_end_registration){
        .registration = worker->registration, .reason = HF_REASON_SHUTDOWN
    };
    sim_note(sim, "%s shuts down", worker->id);
}

void sim_worker_act(struct sim *sim, struct sim_worker *worker, enum sim_action action)
{
    if (worker->is_paused || worker->is_up == (action == SIM_REGISTER)) return;
    if (worker->is_up && worker->registration == 0) return; /* its registration is on its way */
    switch (action) {
    case SIM_REGISTER: act_register(sim, worker); return;
    case SIM_RENEW: act_renew(sim, worker); return;
    case SIM_FETCH_ITEMS: act_fetch(sim, worker); return;
    case SIM_COMPLETE: act_complete(sim, worker); return;
    case SIM_ABANDON_ITEM: act_abandon(sim, worker); return;
    case SIM_REPORT: act_report(sim, worker); return;
    case SIM_STALE: act_stale(sim, worker); return;
    case SIM_STALE_CLAIM: act_stale_claim(sim, worker); return;
    case SIM_RELEASE: act_release(sim, worker); return;
    case SIM_FIRE_TIMERS: act_timers(sim, worker); return;
    case SIM_RECLAIM: act_reclaim(sim, worker); return;
    case SIM_DECLARE_DEAD: act_declare(sim, worker); return;
    case SIM_SHUTDOWN: act_shutdown(sim, worker); return;
    default: sim_turn_act(sim, worker, action);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The claim of a grant, learned with its first item. */
static struct sim_claim *claim_learn(struct sim *sim, struct sim_worker *worker,
                                     const struct hf_item_grant *grant)
{
    struct sim_claim *claim = NULL;
    for (size_t i = 0; i < worker->claims_count; i++) {
        const struct hf_session_claim *key = &worker->claims[i].key;
        if (key->instance != grant->token.item.instance) continue;
        if (key->incarnation == grant->incarnation) claim = &worker->claims[i];
    }
    if (claim && claim->key.epoch == grant->epoch) return claim;
    if (!claim && worker->claims_count == SIM_CLAIMS_MAX) worker->claims_count--;
    if (!claim) claim = &worker->claims[worker->claims_count++];
    struct hf_session_policy policy = { .recovery = HF_SESSION_MOVE };
    if (grant->was_owned && grant->session_body.size > 0) {
        hf_error error;
        hf_status status = hf_body_read_session(grant->session_body, &sim->arena, &policy, &error);
        sim_check(sim, status == HF_OK, "the policy of a session: %s", error.message);
    }
    *claim = (struct sim_claim){ .key = { grant->token.item.instance, grant->incarnation,
                                          grant->epoch },
                                 .fails_older = policy.recovery == HF_SESSION_FAIL };
    return claim;
}

static void work_begin(struct sim *sim, struct sim_worker *worker,
                       const struct hf_item_grant *grant)
{
    hf_error error;
    struct hf_scheduled_activity activity;
    struct sim_work *work = worker->works;
    while (work->is_used) work++;
    hf_assert(work < worker->works + SIM_ITEMS_MAX);
    hf_status status = hf_body_read_activity(grant->body, &sim->arena, &activity, &error);
    sim_check(sim, status == HF_OK, "an item cannot be read: %s", error.message);
    *work = (struct sim_work){ .is_used = true,
                               .token = grant->token,
                               .attempt = grant->attempt,
                               .deaths = grant->deaths,
                               .incarnation = grant->incarnation,
                               .epoch = grant->epoch,
                               .value = program_value(activity.input) };
    if (grant->incarnation == 0) return;
    const struct sim_claim *claim = claim_learn(sim, worker, grant);
    work->is_lost = claim->fails_older && grant->is_older_than_claim;
}

static void claims_forget(struct sim_worker *worker, const struct hf_session_claim *key)
{
    for (size_t i = 0; i < worker->claims_count; i++) {
        const struct hf_session_claim *each = &worker->claims[i].key;
        if (each->instance != key->instance || each->incarnation != key->incarnation) continue;
        if (each->epoch != key->epoch) continue;
        worker->claims[i] = worker->claims[--worker->claims_count];
        return;
    }
}

/* It drops what is void. */
static void learn_renewed(struct sim_worker *worker, const struct hf_store_renew *renew)
{
    for (size_t i = 0; i < renew->out_voids_count; i++) {
        const struct hf_void *found = &renew->out_voids[i];
        if (found->is_session) claims_forget(worker, &renew->sessions[found->index]);
        for (size_t k = 0; k < SIM_ITEMS_MAX && !found->is_session; k++) {
            struct sim_work *work = &worker->works[k];
            const struct hf_item_token *token = &renew->items[found->index];
            if (work->is_used && work->token.delivery_lsn == token->delivery_lsn &&
                work->token.delivery_number == token->delivery_number) {
                *work = (struct sim_work){ 0 };
            }
        }
    }
}

static void learn_released(struct sim_worker *worker,
                           const struct hf_store_release_sessions *release)
{
    for (size_t i = 0; i < release->sessions_count; i++) {
        bool is_kept = false;
        for (size_t k = 0; k < release->out_voids_count; k++) {
            const char *code = release->out_voids[k].code;
            bool has_work = strcmp(code, "running") == 0 || strcmp(code, "queued") == 0;
            if (release->out_voids[k].index == i && has_work) is_kept = true;
        }
        if (!is_kept) claims_forget(worker, &release->sessions[i]);
    }
}

static void learn_work(struct sim_act *act)
{
    hf_status status = act->command.status;
    act->work->is_in_group = false;
    if (status == HF_OK || status == HF_STALE) *act->work = (struct sim_work){ 0 };
}

static void learn_done(struct sim *sim, struct sim_act *act)
{
    struct sim_worker *worker = act->worker;
    const struct hf_store_command *command = &act->command;
    switch (command->kind) {
    case HF_STORE_REGISTER: worker->registration = command->register_worker.out_registration; break;
    case HF_STORE_RENEW: learn_renewed(worker, &command->renew); break;
    case HF_STORE_FETCH_ITEMS:
        for (size_t i = 0; i < command->fetch_items.out_items_count; i++) {
            work_begin(sim, worker, &command->fetch_items.out_items[i]);
        }
        break;
    case HF_STORE_RELEASE_SESSIONS: learn_released(worker, &command->release_sessions); break;
    default: break;
    }
}

/* A dead one hears it by any refusal of a command for itself. */
static bool is_told_to_end(const struct hf_store_command *command)
{
    bool is_own = command->kind == HF_STORE_RENEW || command->kind == HF_STORE_FETCH_ITEMS ||
                  command->kind == HF_STORE_FETCH_TURNS;
    return is_own && command->status == HF_STALE;
}

static bool is_own_end(const struct hf_store_command *command)
{
    return command->kind == HF_STORE_END_REGISTRATION && command->status == HF_OK &&
           command->end_registration.reason == HF_REASON_SHUTDOWN;
}

void sim_worker_learn(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_command *command = &act->command;
    struct sim_worker *worker = act->worker;
    if (!worker->is_up) return; /* it died meanwhile, and hears nothing */
    bool is_lost = !sim->is_draining &&
                   hf_test_random_percent(&sim->random, sim->draw.lose_answer_percent);
    bool has_failed = command->kind == HF_STORE_REGISTER && command->status != HF_OK;
    if (is_lost || has_failed || is_told_to_end(command) || is_own_end(command)) {
        sim_worker_crash(sim, worker);
        return;
    }
    if (act->work) learn_work(act);
    if (act->turn || command->kind == HF_STORE_FETCH_TURNS) sim_turn_learn(sim, act);
    if (command->status == HF_OK) learn_done(sim, act);
}
