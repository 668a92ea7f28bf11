/* The shadow: what the store's answers have said so far, kept in plain arrays. It follows each
 * answer, and where an answer is not what it must be, a law is broken. What is handed out is judged
 * in laws.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/heap.h"
#include "engine/base/status.h"
#include "engine/event.h"
#include "tests/sim/sim.h"

/* ---- finding --------------------------------------------------------------------------------- */

void *sim_grow(void **array, size_t *count, size_t *capacity, size_t size)
{
    bool fits = *count < *capacity || hf_heap_grow(hf_heap_default(), array, capacity, size);
    hf_assert(fits);
    void *added = (char *)*array + *count * size;
    *count += 1;
    memset(added, 0, size);
    return added;
}

struct sim_instance *sim_instance_find(struct sim *sim, uint64_t number)
{
    struct sim_shadow *shadow = &sim->shadow;
    for (size_t i = shadow->instances_count; i > 0; i--) {
        if (shadow->instances[i - 1].number == number) return &shadow->instances[i - 1];
    }
    return NULL;
}

int sim_instance_named(const struct sim *sim, const char *id)
{
    const struct sim_shadow *shadow = &sim->shadow;
    for (size_t i = shadow->instances_count; i > 0; i--) {
        const struct sim_instance *each = &shadow->instances[i - 1];
        bool is_there = each->life == SIM_RUNNING || each->life == SIM_ENDED;
        if (is_there && strcmp(each->id, id) == 0) return (int)(i - 1);
    }
    return SIM_NONE;
}

struct sim_item *sim_item_find(struct sim *sim, const struct hf_item_id *id)
{
    struct sim_shadow *shadow = &sim->shadow;
    for (size_t i = shadow->items_count; i > 0; i--) {
        const struct hf_item_id *each = &shadow->items[i - 1].id;
        if (each->instance == id->instance && each->execution == id->execution &&
            each->event_id == id->event_id) {
            return &shadow->items[i - 1];
        }
    }
    return NULL;
}

struct sim_session *sim_session_find(struct sim *sim, uint64_t instance, uint64_t incarnation)
{
    struct sim_shadow *shadow = &sim->shadow;
    for (size_t i = shadow->sessions_count; i > 0; i--) {
        struct sim_session *each = &shadow->sessions[i - 1];
        if (each->instance == instance && each->incarnation == incarnation) return each;
    }
    return NULL;
}

struct sim_registration *sim_registration_find(struct sim *sim, uint64_t lsn)
{
    struct sim_shadow *shadow = &sim->shadow;
    for (size_t i = shadow->registrations_count; i > 0; i--) {
        if (shadow->registrations[i - 1].lsn == lsn) return &shadow->registrations[i - 1];
    }
    return NULL;
}

/* ---- what holds ------------------------------------------------------------------------------ */

bool sim_items_passed(const struct sim *sim, const struct sim_registration *registration)
{
    if (!registration || registration->has_ended || registration->is_void) return true;
    if (registration->boot != sim->boot) return true;
    return sim->boot_ms >= registration->items_deadline_boot_ms;
}

bool sim_sessions_passed(const struct sim *sim, const struct sim_registration *registration)
{
    if (!registration || registration->boot != sim->boot) return true;
    if (registration->is_void && !registration->has_died) return true;
    if (!registration->has_ended) return sim->boot_ms >= registration->sessions_deadline_boot_ms;
    if (!registration->has_died || registration->reclaim_ms == 0) return true;
    return sim->boot_ms >= registration->window_until_boot_ms;
}

bool sim_registration_lives(struct sim *sim, uint64_t lsn)
{
    const struct sim_registration *registration = sim_registration_find(sim, lsn);
    return registration && !registration->has_ended && !registration->is_void;
}

static bool instance_runs(struct sim *sim, uint64_t number)
{
    const struct sim_instance *instance = sim_instance_find(sim, number);
    return instance && instance->life == SIM_RUNNING;
}

bool sim_item_token_holds(struct sim *sim, const struct hf_item_token *token, uint64_t registration)
{
    const struct sim_item *item = sim_item_find(sim, &token->item);
    if (!sim_registration_lives(sim, registration)) return false;
    if (!instance_runs(sim, token->item.instance)) return false;
    if (!item || item->state != SIM_HELD || item->registration != registration) return false;
    if (item->delivery_lsn != token->delivery_lsn) return false;
    if (item->delivery_number != token->delivery_number) return false;
    if (item->incarnation == 0) return true;
    const struct sim_session *session = sim_session_find(sim, token->item.instance,
                                                         item->incarnation);
    return session && session->is_open && session->owner == registration &&
           session->epoch <= token->delivery_lsn;
}

bool sim_claim_holds(struct sim *sim, const struct hf_session_claim *claim, uint64_t registration)
{
    const struct sim_session *session = sim_session_find(sim, claim->instance, claim->incarnation);
    return sim_registration_lives(sim, registration) && session && session->is_open &&
           session->owner == registration && session->epoch == claim->epoch;
}

bool sim_turn_token_holds(struct sim *sim, const struct hf_turn_token *token, uint64_t registration)
{
    const struct sim_instance *instance = sim_instance_find(sim, token->instance);
    if (!sim_registration_lives(sim, registration)) return false;
    if (!instance || instance->life != SIM_RUNNING || instance->is_suspended) return false;
    if (instance->head != token->head) return false;
    if (instance->lock_registration == 0) return true;
    return instance->lock_registration == registration && instance->lock_nonce == token->nonce;
}

/* ---- ends ------------------------------------------------------------------------------------ */

void sim_item_take_away(struct sim *sim, struct sim_item *item)
{
    const struct sim_registration *holder = sim_registration_find(sim, item->registration);
    if (item->state == SIM_HELD && holder && holder->has_died) item->deaths++;
    item->state = SIM_QUEUED;
    item->registration = item->delivery_lsn = item->delivery_number = 0;
}

void sim_voided(struct sim *sim, uint64_t registration)
{
    bool is_told = registration != 0 && sim_registration_lives(sim, registration);
    if (is_told) sim->effects_needed |= HF_EFFECT_VOIDED;
}

void sim_item_drop(struct sim *sim, struct sim_item *item)
{
    if (item->state == SIM_COMPLETED || item->state == SIM_DROPPED) return;
    if (item->state == SIM_HELD) sim_voided(sim, item->registration);
    item->state = SIM_DROPPED;
}

/* Whether a request to stop waits for an instance, or it has ended or is gone by the end of the
 * group. */
static bool has_request(struct sim *sim, const struct sim_instance *instance)
{
    hf_error error;
    struct hf_turn_view view;
    struct hf_event event;
    struct hf_instance_info info;
    struct hf_item_id from = { instance->number, instance->execution, UINT32_MAX };
    hf_status found = sim->backend->ops->instance(sim->backend, hf_text(instance->id), &sim->arena,
                                                  &info, &error);
    if (found == HF_NOT_FOUND || info.status >= HF_INSTANCE_COMPLETED) return true;
    hf_status status = sim->backend->ops->turn_view(sim->backend, &from, &sim->arena, &view,
                                                    &error);
    if (status == HF_NOT_FOUND) return true;
    sim_check(sim, status == HF_OK, "the inbox of %s: %s", instance->id, error.message);
    for (size_t i = 0; i < view.messages_count; i++) {
        status = hf_event_decode(view.messages[i].body, &sim->arena, &event, &error);
        if (status == HF_OK && event.kind == HF_EVENT_CANCEL_REQUESTED) return true;
    }
    return false;
}

void sim_children_touch(struct sim *sim, int parent, bool must_be)
{
    for (size_t i = 0; i < sim->shadow.instances_count; i++) {
        struct sim_instance *child = &sim->shadow.instances[i];
        /* One that was restarted is nobody's child. */
        if (child->parent != parent || child->restarts_count > 0) continue;
        if (child->life != SIM_RUNNING) continue;
        sim_check(sim, child->is_asked || !must_be || has_request(sim, child),
                  "the parent of %s has ended, and it is not asked to stop", child->id);
        child->is_touched = child->is_asked = true;
    }
}

void sim_instance_end(struct sim *sim, struct sim_instance *instance, enum sim_life life)
{
    struct sim_shadow *shadow = &sim->shadow;
    if (instance->life == SIM_RUNNING) sim->effects_needed |= HF_EFFECT_ENDED;
    instance->life = life;
    instance->lock_registration = 0;
    instance->is_suspended = false;
    for (size_t i = 0; i < shadow->items_count; i++) {
        if (shadow->items[i].id.instance == instance->number) {
            sim_item_drop(sim, &shadow->items[i]);
        }
    }
    for (size_t i = 0; i < shadow->sessions_count; i++) {
        struct sim_session *session = &shadow->sessions[i];
        if (session->instance != instance->number || !session->is_open) continue;
        sim_voided(sim, session->owner);
        session->is_open = false;
    }
    sim_children_touch(sim, (int)(instance - shadow->instances), true);
}

static void registration_end(struct sim *sim, struct sim_registration *registration, bool has_died)
{
    struct sim_shadow *shadow = &sim->shadow;
    if (registration->has_ended) return;
    registration->has_ended = true;
    sim->effects_needed |= HF_EFFECT_REGISTRATIONS;
    registration->has_died = has_died;
    bool has_window = has_died && registration->reclaim_ms > 0;
    registration->window_until_boot_ms = sim->boot_ms + registration->reclaim_ms;
    if (has_window) registration->boot = sim->boot;
    for (size_t i = 0; i < shadow->items_count; i++) {
        struct sim_item *item = &shadow->items[i];
        if (item->state == SIM_HELD && item->registration == registration->lsn) {
            sim_item_take_away(sim, item);
        }
    }
    for (size_t i = 0; i < shadow->sessions_count; i++) {
        struct sim_session *session = &shadow->sessions[i];
        if (session->owner == registration->lsn && !has_window) session->owner = 0;
    }
    for (size_t i = 0; i < shadow->instances_count; i++) {
        struct sim_instance *instance = &shadow->instances[i];
        if (instance->lock_registration != registration->lsn) continue;
        instance->lock_registration = 0;
        if (!has_died || instance->life != SIM_RUNNING) continue;
        instance->turns_lost++;
        instance->turn_deaths++;
    }
}

/* ---- clients --------------------------------------------------------------------------------- */

static void answer_start(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_start *start = &act->command.start;
    struct sim_instance *instance = &sim->shadow.instances[act->instance];
    bool is_known = instance->number != 0;
    sim_check(sim, !is_known || start->out_instance == instance->number,
              "a repeated start made another instance");
    sim_check(sim, is_known == (act->command.lsn == 0), "a start and its record do not fit");
    if (is_known) return;
    sim_check(sim, !sim_instance_find(sim, start->out_instance), "instance number %llu again",
              (unsigned long long)start->out_instance);
    instance->number = start->out_instance;
    instance->life = SIM_RUNNING;
    instance->execution = 1;
    instance->head = act->command.lsn;
    sim->result.instances++;
}

static void answer_message(struct sim *sim, struct sim_act *act)
{
    struct sim_instance *instance = &sim->shadow.instances[act->instance];
    bool is_mailbox = act->keyed != SIM_NONE && sim->shadow.keyed[act->keyed].message > 0;
    bool is_known = act->keyed != SIM_NONE && sim->shadow.keyed[act->keyed].is_done;
    sim_check(sim, is_known || instance->life == SIM_RUNNING || act->command.message.ended_is_fine,
              "a message to %s, which does not run, is done", instance->id);
    sim_check(sim, !is_known || act->command.lsn == 0, "a repeated message is there twice");
    if (is_known) return;
    if (instance->life == SIM_RUNNING) {
        sim_check(sim, act->command.lsn != 0, "a message has no record");
        if (is_mailbox) instance->sent_count++;
        if (act->command.message.ended_is_fine) instance->is_touched = true; /* asked to stop */
    }
}

static void answer_end(struct sim *sim, struct sim_act *act)
{
    struct sim_instance *instance = &sim->shadow.instances[act->instance];
    bool is_deletion = act->command.kind == HF_STORE_DELETE;
    if (act->keyed != SIM_NONE && sim->shadow.keyed[act->keyed].is_done) return;
    sim_check(sim, instance->life != SIM_GONE, "an instance that is gone is ended");
    if (instance->life == SIM_RUNNING) instance->is_touched = true;
    if (is_deletion || instance->life == SIM_RUNNING) {
        sim_instance_end(sim, instance, is_deletion ? SIM_GONE : SIM_ENDED);
    }
}

static void answer_suspend(struct sim *sim, struct sim_act *act)
{
    struct sim_instance *instance = &sim->shadow.instances[act->instance];
    bool resumes = act->command.suspend.resumes;
    if (act->keyed != SIM_NONE && sim->shadow.keyed[act->keyed].is_done) return;
    sim_check(sim, instance->life == SIM_RUNNING, "an instance that does not run is suspended");
    sim_check(sim, (act->command.lsn == 0) == (instance->is_suspended != resumes),
              "a suspension and its record do not fit");
    if (!resumes && !instance->is_suspended) instance->lock_registration = 0;
    instance->is_suspended = !resumes;
}

static void answer_deleted(struct sim *sim, struct sim_act *act)
{
    bool is_known = act->keyed != SIM_NONE && sim->shadow.keyed[act->keyed].is_done;
    bool is_tree = !is_known && act->command.delete_instance.with_descendants;
    if (is_tree) sim_below_end(sim, act->instance);
    answer_end(sim, act);
}

/* What a refusal of a client's must have for its reason. */
static void refused_client(struct sim *sim, const struct sim_act *act)
{
    hf_status status = act->command.status;
    const struct sim_instance *instance = &sim->shadow.instances[act->instance];
    bool is_done = act->keyed != SIM_NONE && sim->shadow.keyed[act->keyed].is_done;
    if (status == HF_NOT_FOUND) {
        sim_check(sim, instance->life != SIM_RUNNING, "%s runs, and is not found", instance->id);
    } else if (status == HF_EXISTS) {
        sim_check(sim, sim_instance_named(sim, instance->id) != SIM_NONE && !is_done,
                  "%s does not exist, and its id is taken", instance->id);
    } else if (status == HF_BUSY && act->command.kind == HF_STORE_RESTART) {
        sim_check(sim, instance->life == SIM_ENDED, "%s is not cleared up", instance->id);
    } else if (status == HF_STILL_RUNNING) {
        bool is_tree = act->command.kind == HF_STORE_DELETE &&
                       act->command.delete_instance.with_descendants;
        sim_check(sim, is_tree || instance->life == SIM_RUNNING, "%s does not run", instance->id);
    } else if (status == HF_INVALID) {
        sim_check(sim, is_done && instance->life == SIM_GONE, "invalid: %s",
                  act->command.error.message);
    }
}

/* ---- workers --------------------------------------------------------------------------------- */

static void lease_set(struct sim *sim, struct sim_registration *registration, uint64_t items,
                      uint64_t sessions)
{
    registration->items_deadline_boot_ms = items;
    registration->sessions_deadline_boot_ms = sessions < items ? items : sessions;
    registration->boot = sim->boot;
}

static void answer_register(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_register *answer = &act->command.register_worker;
    size_t worker = (size_t)(act->worker - sim->workers);
    struct sim_shadow *shadow = &sim->shadow;
    for (size_t i = 0; i < shadow->registrations_count; i++) {
        struct sim_registration *each = &shadow->registrations[i];
        if (each->worker == worker) registration_end(sim, each, true);
    }
    sim_check(sim, !sim_registration_find(sim, answer->out_registration), "a registration again");
    struct sim_registration *added = sim_grow((void **)&shadow->registrations,
                                              &shadow->registrations_count,
                                              &shadow->registrations_capacity, sizeof *added);
    *added = (struct sim_registration){ .lsn = answer->out_registration,
                                        .worker = worker,
                                        .reclaim_ms = answer->reclaim_ms };
    lease_set(sim, added, answer->items_deadline_boot_ms, answer->sessions_deadline_boot_ms);
    if (answer->out_registration > shadow->latest_lsn) {
        shadow->latest_lsn = answer->out_registration;
    }
}

void sim_laws_held(struct sim *sim, const struct hf_store_renew *renew)
{
    size_t at = 0;
    for (size_t i = 0; i < renew->items_count + renew->sessions_count; i++) {
        bool is_session = i >= renew->items_count;
        size_t index = is_session ? i - renew->items_count : i;
        bool holds = is_session
                         ? sim_claim_holds(sim, &renew->sessions[index], renew->registration)
                         : sim_item_token_holds(sim, &renew->items[index], renew->registration);
        bool is_void = at < renew->out_voids_count && renew->out_voids[at].index == index &&
                       renew->out_voids[at].is_session == is_session;
        if (is_void) at++;
        sim_check(sim, holds != is_void, "a %s is said to %s, and it %s",
                  is_session ? "claim" : "token", is_void ? "be void" : "hold",
                  holds ? "holds" : "does not");
    }
    sim_check(sim, at == renew->out_voids_count, "too many are said to be void");
}

static void answer_renew(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_renew *renew = &act->command.renew;
    sim_check(sim, sim_registration_lives(sim, renew->registration),
              "a dead registration is renewed");
    sim_laws_held(sim, renew);
    lease_set(sim, sim_registration_find(sim, renew->registration), renew->items_deadline_boot_ms,
              renew->sessions_deadline_boot_ms);
}

static void answer_ended(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_end_registration *end = &act->command.end_registration;
    struct sim_registration *registration = sim_registration_find(sim, end->registration);
    bool has_died = end->reason == HF_REASON_DEAD;
    sim_check(sim, registration, "an unknown registration ends");
    if (has_died && !registration->has_ended) {
        const struct sim_worker *worker = &sim->workers[registration->worker];
        bool lives = worker->is_up && worker->registration == registration->lsn;
        sim_check(sim, !lives, "a worker that lives is declared dead");
    }
    registration_end(sim, registration, has_died);
}

static void answer_complete(struct sim *sim, struct sim_act *act)
{
    const struct hf_item_token *token = &act->command.complete_item.token;
    uint64_t registration = act->command.complete_item.registration;
    sim_check(sim, sim_item_token_holds(sim, token, registration),
              "item %llu/%llu/%llu is completed with a token that does not hold",
              (unsigned long long)token->item.instance, (unsigned long long)token->item.execution,
              (unsigned long long)token->item.event_id);
    struct sim_item *item = sim_item_find(sim, &token->item);
    item->state = SIM_COMPLETED;
    sim->result.items++;
}

/* Nothing new leaves what was. */
static void progress_note(struct sim_item *item, hf_slice progress)
{
    if (progress.size > 0) hf_text_copy(item->progress, sizeof item->progress, progress);
}

/* A report under a token that is void is passed over. */
static void answer_report(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_report *report = &act->command.report;
    for (size_t i = 0; i < report->reports_count; i++) {
        const struct hf_item_token *token = &report->reports[i].token;
        if (!sim_item_token_holds(sim, token, report->registration)) continue;
        progress_note(sim_item_find(sim, &token->item), report->reports[i].progress);
    }
}

static void answer_abandon(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_abandon_item *abandon = &act->command.abandon_item;
    sim_check(sim, sim_item_token_holds(sim, &abandon->token, abandon->registration),
              "an item is handed back with a token that does not hold");
    struct sim_item *item = sim_item_find(sim, &abandon->token.item);
    sim_item_take_away(sim, item);
    progress_note(item, abandon->progress);
    if (abandon->uncounted) item->attempts--;
    if (abandon->delay_ms == 0) return;
    item->state = SIM_DELAYED;
    item->due_unix_ms = sim->wall_ms + abandon->delay_ms;
}

/* Whether some work keeps a session with its owner. */
static bool session_has_work(const struct sim *sim, const struct sim_session *session, bool held)
{
    const struct sim_shadow *shadow = &sim->shadow;
    for (size_t i = 0; i < shadow->items_count; i++) {
        const struct sim_item *item = &shadow->items[i];
        if (!sim_item_is_on(item, session)) continue;
        if (item->state == SIM_HELD) return true;
        /* One with a limit of its start may be gone, and nobody was told yet. */
        bool waits = item->state == SIM_QUEUED || item->state == SIM_DELAYED;
        if (!held && waits && !item->has_start_limit) return true;
    }
    return false;
}

static void answer_release(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_release_sessions *release = &act->command.release_sessions;
    sim_check(sim, sim_registration_lives(sim, release->registration), "a dead one releases");
    size_t at = 0;
    for (size_t i = 0; i < release->sessions_count; i++) {
        const struct hf_session_claim *claim = &release->sessions[i];
        if (at < release->out_voids_count && release->out_voids[at].index == i) {
            const char *code = release->out_voids[at++].code;
            bool has_work = strcmp(code, "running") == 0 || strcmp(code, "queued") == 0;
            sim_check(sim, sim_claim_holds(sim, claim, release->registration) == has_work,
                      "a release is refused with %s", code);
            continue;
        }
        sim_check(sim, sim_claim_holds(sim, claim, release->registration),
                  "a session is released with a claim that does not hold");
        struct sim_session *session = sim_session_find(sim, claim->instance, claim->incarnation);
        bool is_shutdown = release->reason == HF_REASON_SHUTDOWN;
        sim_check(sim, !session_has_work(sim, session, is_shutdown),
                  "a session with work is released");
        session->owner = 0;
    }
    sim_check(sim, at == release->out_voids_count, "a release names too many that are void");
}

static void answer_turn_back(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_abandon_turn *abandon = &act->command.abandon_turn;
    struct sim_instance *instance = sim_instance_find(sim, abandon->token.instance);
    sim_check(sim, sim_turn_token_holds(sim, &abandon->token, abandon->registration),
              "a turn is handed back with a token that does not hold");
    instance->lock_registration = abandon->delay_ms > 0 ? SIM_HELD_BACK : 0;
    instance->lock_boot = sim->boot;
    instance->lock_until_boot_ms = sim->boot_ms + abandon->delay_ms;
    if (abandon->counted) instance->turns_lost++;
}

static void answer_turn_suspended(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_suspend *suspend = &act->command.suspend;
    struct sim_instance *instance = sim_instance_find(sim, suspend->token->instance);
    sim_check(sim, sim_turn_token_holds(sim, suspend->token, suspend->registration),
              "a turn is suspended with a token that does not hold");
    instance->lock_registration = 0;
    instance->is_suspended = true;
}

static void answer_turn_failed(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_fail_turn *fail = &act->command.fail_turn;
    struct sim_instance *instance = sim_instance_find(sim, fail->token.instance);
    sim_check(sim, sim_turn_token_holds(sim, &fail->token, fail->registration),
              "a turn is given up with a token that does not hold");
    instance->is_touched = true;
    sim_instance_end(sim, instance, SIM_ENDED);
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* A token was refused: it must not hold. */
static void refused_token(struct sim *sim, const struct sim_act *act)
{
    const struct hf_store_command *command = &act->command;
    bool holds = false;
    switch (command->kind) {
    case HF_STORE_COMPLETE_ITEM:
        holds = sim_item_token_holds(sim, &command->complete_item.token,
                                     command->complete_item.registration);
        break;
    case HF_STORE_ABANDON_ITEM:
        holds = sim_item_token_holds(sim, &command->abandon_item.token,
                                     command->abandon_item.registration);
        break;
    case HF_STORE_COMMIT_TURN:
        holds = sim_turn_token_holds(sim, &command->commit_turn.token,
                                     command->commit_turn.registration);
        break;
    case HF_STORE_FAIL_TURN:
        holds = sim_turn_token_holds(sim, &command->fail_turn.token,
                                     command->fail_turn.registration);
        break;
    case HF_STORE_SUSPEND:
        holds = sim_turn_token_holds(sim, command->suspend.token, command->suspend.registration);
        break;
    case HF_STORE_RENEW: holds = sim_registration_lives(sim, command->renew.registration); break;
    case HF_STORE_FETCH_TURNS:
        holds = sim_registration_lives(sim, command->fetch_turns.registration);
        break;
    case HF_STORE_FETCH_ITEMS:
        holds = sim_registration_lives(sim, command->fetch_items.registration);
        break;
    default: return; /* a turn that was freed needs no handing back */
    }
    sim_check(sim, !holds, "command %d is refused (%s), and what it presents holds",
              (int)command->kind, command->error.code);
}

static void shadow_refused(struct sim *sim, const struct sim_act *act)
{
    hf_status status = act->command.status;
    bool is_kind_of_client = act->instance != SIM_NONE && !act->worker;
    if (status == HF_STALE) refused_token(sim, act);
    if (is_kind_of_client) refused_client(sim, act);
    if (status == HF_WORKER_ALIVE) {
        bool is_first = act->command.kind == HF_STORE_REGISTER;
        sim_check(sim, !is_first, "a worker that is down cannot register: %s",
                  act->command.error.message);
    }
}

/* Whoever asks before it fetches misses nothing. */
static void check_peek(struct sim *sim, const struct sim_act *act)
{
    const struct hf_store_command *command = &act->command;
    if (!act->has_peeked) return;
    if (command->kind == HF_STORE_FETCH_TURNS) {
        sim_check(sim, act->peek.out_turns_due || command->fetch_turns.out_turns_count == 0,
                  "no turn was due, and some were given");
    }
    if (command->kind == HF_STORE_FETCH_ITEMS) {
        sim_check(sim, act->peek.out_items_ready || command->fetch_items.out_items_count == 0,
                  "no item was ready, and some were given");
    }
}

static void shadow_done(struct sim *sim, struct sim_act *act)
{
    check_peek(sim, act);
    switch (act->command.kind) {
    case HF_STORE_START: answer_start(sim, act); break;
    case HF_STORE_MESSAGE: answer_message(sim, act); break;
    case HF_STORE_TERMINATE: answer_end(sim, act); break;
    case HF_STORE_DELETE: answer_deleted(sim, act); break;
    case HF_STORE_DELETE_ENDED: sim_deleted_ended_answer(sim, act); break;
    case HF_STORE_RESTART: sim_restart_answer(sim, act); break;
    case HF_STORE_SUSPEND:
        if (act->turn) answer_turn_suspended(sim, act);
        if (!act->turn) answer_suspend(sim, act);
        break;
    case HF_STORE_REGISTER: answer_register(sim, act); break;
    case HF_STORE_RENEW: answer_renew(sim, act); break;
    case HF_STORE_END_REGISTRATION: answer_ended(sim, act); break;
    case HF_STORE_FETCH_TURNS: sim_laws_turns(sim, &act->command.fetch_turns); break;
    case HF_STORE_FETCH_ITEMS: sim_laws_items(sim, &act->command.fetch_items); break;
    case HF_STORE_COMMIT_TURN: sim_laws_commit(sim, &act->command, act->turn); break;
    case HF_STORE_ABANDON_TURN: answer_turn_back(sim, act); break;
    case HF_STORE_FAIL_TURN: answer_turn_failed(sim, act); break;
    case HF_STORE_COMPLETE_ITEM: answer_complete(sim, act); break;
    case HF_STORE_ABANDON_ITEM: answer_abandon(sim, act); break;
    case HF_STORE_REPORT: answer_report(sim, act); break;
    case HF_STORE_RELEASE_SESSIONS: answer_release(sim, act); break;
    default: break;
    }
}

void sim_shadow_answer(struct sim *sim, struct sim_act *act)
{
    if (act->command.status != HF_OK) {
        shadow_refused(sim, act);
        return;
    }
    shadow_done(sim, act);
    /* What had nothing to do leaves no record, and so no key. */
    bool has_key = act->keyed != SIM_NONE && act->command.lsn != 0;
    if (has_key) sim->shadow.keyed[act->keyed].is_done = true;
}

/* ---- comparing the whole --------------------------------------------------------------------- */

static void compare_sessions(struct sim *sim)
{
    hf_error error;
    struct hf_session_row *rows = NULL;
    size_t count = 0, open_count = 0;
    struct hf_sessions_query query = { 0 };
    hf_status status = sim->backend->ops->sessions(sim->backend, &query, &sim->arena, &rows, &count,
                                                   &error);
    sim_check(sim, status == HF_OK, "sessions: %s", error.message);
    for (size_t i = 0; i < sim->shadow.sessions_count; i++) {
        if (sim->shadow.sessions[i].is_open) open_count++;
    }
    sim_check(sim, count == open_count, "%zu sessions are open instead of %zu", count, open_count);
    for (size_t i = 0; i < count; i++) {
        const struct sim_session *session = sim_session_find(sim, rows[i].instance,
                                                             rows[i].incarnation);
        sim_check(sim, session && session->is_open, "an unknown session is open");
        bool is_former = rows[i].owner == 0 && !sim_registration_lives(sim, session->owner);
        sim_check(sim, is_former || rows[i].owner == session->owner,
                  "session %llu/%llu belongs to %llu instead of %llu",
                  (unsigned long long)rows[i].instance, (unsigned long long)rows[i].incarnation,
                  (unsigned long long)rows[i].owner, (unsigned long long)session->owner);
    }
}

/* No item is lost, and none is there that nobody scheduled. */
static void compare_totals(struct sim *sim)
{
    hf_error error;
    struct hf_store_totals totals;
    uint64_t items = 0, unsure = 0, held = 0;
    for (size_t i = 0; i < sim->shadow.items_count; i++) {
        const struct sim_item *item = &sim->shadow.items[i];
        if (item->state == SIM_COMPLETED || item->state == SIM_DROPPED) continue;
        items++;
        if (item->state == SIM_HELD) held++;
        /* It may be too late for it, and nobody was told yet. */
        if (item->state == SIM_QUEUED && item->has_start_limit) unsure++;
    }
    hf_status status = sim->backend->ops->totals(sim->backend, &sim->arena, &totals, &error);
    sim_check(sim, status == HF_OK, "totals: %s", error.message);
    /* What goes in steps is dead before it is gone. */
    bool may_be_more = sim->draw.has_large;
    sim_check(sim, totals.items_running == held || (may_be_more && totals.items_running > held),
              "%llu items run instead of %llu", (unsigned long long)totals.items_running,
              (unsigned long long)held);
    sim_check(sim, totals.items <= items || may_be_more, "%llu items are there instead of %llu",
              (unsigned long long)totals.items, (unsigned long long)items);
    sim_check(sim, totals.items + unsure >= items, "%llu items are there instead of %llu",
              (unsigned long long)totals.items, (unsigned long long)items);
}

static void compare_instance(struct sim *sim, const struct sim_instance *instance)
{
    hf_error error;
    struct hf_instance_info info;
    if (instance->number == 0 || instance->life == SIM_GONE) return;
    hf_status status = sim->backend->ops->instance(sim->backend, hf_text(instance->id), &sim->arena,
                                                   &info, &error);
    sim_check(sim, status == HF_OK, "%s: %s", instance->id, error.message);
    bool has_ended = info.status >= HF_INSTANCE_COMPLETED;
    sim_check(sim, info.number == instance->number, "%s is another instance", instance->id);
    sim_check(sim, has_ended == (instance->life == SIM_ENDED), "%s has status %llu", instance->id,
              (unsigned long long)info.status);
    if (has_ended) return;
    sim_check(sim, info.execution == instance->execution, "%s is in execution %llu", instance->id,
              (unsigned long long)info.execution);
    sim_check(sim, info.head == instance->head, "%s has another head", instance->id);
    sim_check(sim, (info.suspended_code.size > 0) == instance->is_suspended,
              "%s is suspended, or not", instance->id);
}

/* The list, page by page: all that are there, by their numbers, each once. */
static void compare_list(struct sim *sim, const struct hf_instances_query *wanted)
{
    hf_error error;
    struct hf_instances_query query = *wanted;
    query.started_until_unix_ms = UINT64_MAX;
    uint64_t latest = 0;
    size_t found = 0, expected = 0;
    do {
        struct hf_instance_info *rows = NULL;
        size_t count = 0;
        query.looked_max = (size_t)sim->step % 7 + 1;
        hf_status status = sim->backend->ops->instances(sim->backend, &query, &sim->arena, &rows,
                                                        &count, &error);
        sim_check(sim, status == HF_OK, "instances: %s", error.message);
        for (size_t i = 0; i < count; i++, found++) {
            const struct sim_instance *instance = sim_instance_find(sim, rows[i].number);
            sim_check(sim, rows[i].number > latest, "a list of instances is out of order");
            sim_check(sim, instance && instance->life != SIM_GONE, "who is gone is in a list");
            latest = rows[i].number;
        }
    } while (query.out_more);
    for (size_t i = 0; i < sim->shadow.instances_count; i++) {
        const struct sim_instance *instance = &sim->shadow.instances[i];
        bool is_there = instance->life == SIM_RUNNING || instance->life == SIM_ENDED;
        bool is_of_tree = wanted->root == 0 || instance->number == wanted->root ||
                          sim_is_below(sim, (int)i, wanted->root);
        if (is_there && is_of_tree) expected++;
    }
    sim_check(sim, found == expected, "a list has %zu instances instead of %zu", found, expected);
}

/* All of them, and a tree. */
static void compare_lists(struct sim *sim)
{
    const struct sim_shadow *shadow = &sim->shadow;
    compare_list(sim, &(struct hf_instances_query){ .root = 0 });
    if (shadow->instances_count == 0) return;
    const struct sim_instance *top = &shadow->instances[sim->step % shadow->instances_count];
    bool is_there = top->life == SIM_RUNNING || top->life == SIM_ENDED;
    if (is_there) compare_list(sim, &(struct hf_instances_query){ .root = top->number });
}

void sim_shadow_compare(struct sim *sim)
{
    compare_sessions(sim);
    compare_totals(sim);
    compare_lists(sim);
    for (size_t i = 0; i < sim->shadow.instances_count; i++) {
        compare_instance(sim, &sim->shadow.instances[i]);
    }
}
