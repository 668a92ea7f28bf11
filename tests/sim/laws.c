/* The laws of what is handed out and of what turns commit.
 *
 *   items     one at a time, each to who may have it: nobody else holds it, or has lost the right
 * to tokens    never the same again: the record of a delivery is newer than any other attempts  the
 * deliveries that count sessions  to the owner alone; a claim only of what nobody owns, or has
 * lost; the oldest first; no more than a worker has room for turns     one at a time; committed by
 * who holds it, on the head at which it began messages  consumed once, each in its turn; an
 * activity's outcome only of one that was completed under a token that held; a timer not before its
 * time */
#include <stdio.h>
#include <string.h>

#include "engine/base/heap.h"
#include "engine/base/status.h"
#include "engine/event.h"
#include "tests/sim/sim.h"

/* ---- items ----------------------------------------------------------------------------------- */

static bool serves_tag(const struct hf_store_fetch_items *fetch, const char *tag)
{
    for (size_t i = 0; i < fetch->tags_count; i++) {
        if (hf_slice_equal(fetch->tags[i], hf_text(tag))) return true;
    }
    return tag[0] == '\0';
}

/* Whose claim it takes away, if anybody's. */
static void law_claim(struct sim *sim, const struct hf_store_fetch_items *fetch,
                      struct sim_session *session, const struct hf_item_grant *grant)
{
    const struct sim_registration *owner = sim_registration_find(sim, session->owner);
    const struct sim_registration *us = sim_registration_find(sim, fetch->registration);
    hf_assert(us);
    bool is_return = owner && (owner->has_ended || owner->is_void) && owner->worker == us->worker;
    sim_check(sim, session->owner == 0 || is_return || sim_sessions_passed(sim, owner),
              "session %llu/%llu is claimed from %llu, which may keep it",
              (unsigned long long)session->instance, (unsigned long long)session->incarnation,
              (unsigned long long)session->owner);
    sim_check(sim, session->owner != fetch->registration, "a session is claimed by its owner");
    sim_check(sim, !fetch->no_sessions && !fetch->sessions_only_owned, "a claim was not asked for");
    sim_check(sim, grant->first_in_claim, "a claim without a first item");
    sim_check(sim, grant->was_owned == (session->epoch != 0), "was owned, or not");
    sim_voided(sim, session->owner);
    for (size_t i = 0; i < sim->shadow.items_count; i++) {
        struct sim_item *item = &sim->shadow.items[i];
        if (item->state == SIM_HELD && sim_item_is_on(item, session)) sim_item_take_away(sim, item);
    }
    session->owner = fetch->registration;
    session->epoch = grant->token.delivery_lsn;
    sim->result.claims++;
    struct sim_shadow *shadow = &sim->shadow;
    struct sim_claimed *claimed = sim_grow((void **)&shadow->claims, &shadow->claims_count,
                                           &shadow->claims_capacity, sizeof *claimed);
    *claimed = (struct sim_claimed){ { session->instance, session->incarnation, session->epoch },
                                     fetch->registration };
}

static void law_session(struct sim *sim, const struct hf_store_fetch_items *fetch,
                        const struct hf_item_grant *grant, const struct sim_item *item)
{
    struct sim_session *session = sim_session_find(sim, item->id.instance, item->incarnation);
    sim_check(sim, grant->incarnation == item->incarnation, "an item is on another session");
    if (item->incarnation == 0) return;
    sim_check(sim, session && session->is_open, "work of a closed session is handed out");
    sim_check(sim, grant->epoch != 0 && grant->epoch <= grant->token.delivery_lsn, "epoch");
    if (grant->epoch == grant->token.delivery_lsn && session->epoch != grant->epoch) {
        law_claim(sim, fetch, session, grant);
    } else {
        sim_check(sim, session->epoch != grant->epoch || session->owner == fetch->registration,
                  "session %llu/%llu belongs to %llu, and its work goes to %llu",
                  (unsigned long long)session->instance, (unsigned long long)session->incarnation,
                  (unsigned long long)session->owner, (unsigned long long)fetch->registration);
    }
    sim_check(sim, session->epoch == grant->epoch, "a grant names another epoch");
    sim_check(sim, session->owner == fetch->registration, "work goes to who is not the owner");
}

/* It was nobody's, or whoever had it has lost the right to. */
static void law_holder(struct sim *sim, const struct hf_store_fetch_items *fetch,
                       const struct sim_item *item)
{
    const struct sim_registration *holder = sim_registration_find(sim, item->registration);
    const char *what = NULL;
    if (item->state == SIM_COMPLETED) what = "is completed";
    if (item->state == SIM_DROPPED) what = "was cancelled";
    if (item->state == SIM_DELAYED && item->due_unix_ms > sim->wall_ms_max) what = "is not due";
    if (item->state == SIM_HELD && !sim_items_passed(sim, holder)) what = "is held";
    if (!what) return;
    sim_fail(sim, "item %llu/%llu/%llu %s (by %llu), and is handed out to %llu",
             (unsigned long long)item->id.instance, (unsigned long long)item->id.execution,
             (unsigned long long)item->id.event_id, what, (unsigned long long)item->registration,
             (unsigned long long)fetch->registration);
}

static void law_item(struct sim *sim, const struct hf_store_fetch_items *fetch, size_t index)
{
    const struct hf_item_grant *grant = &fetch->out_items[index];
    struct sim_item *item = sim_item_find(sim, &grant->token.item);
    sim_check(sim, item, "an item is handed out that no turn has scheduled");
    sim_check(sim, grant->token.delivery_number == index + 1, "a token has another number");
    sim_check(sim, item->delivery_lsn != grant->token.delivery_lsn, "an item is given out twice");
    law_session(sim, fetch, grant, item); /* a claim takes away what runs in it */
    law_holder(sim, fetch, item);
    sim_check(sim, serves_tag(fetch, item->tag), "work with tag %s is not served", item->tag);
    sim_check(sim, hf_slice_equal(grant->tag, hf_text(item->tag)), "a grant has another tag");
    sim_check(sim, grant->body.size > 0, "an item has no body");
    sim_check(sim, hf_slice_equal(grant->progress, hf_text(item->progress)),
              "an item had come to \"%s\", and another progress is told", item->progress);
    if (item->state == SIM_HELD && item->registration != fetch->registration) {
        sim_voided(sim, item->registration);
    }
    if (item->state == SIM_HELD) sim_item_take_away(sim, item);
    item->attempts++;
    sim_check(sim, grant->attempt == item->attempts, "attempt %llu instead of %llu",
              (unsigned long long)grant->attempt, (unsigned long long)item->attempts);
    sim_check(sim, grant->deaths == item->deaths, "%llu deaths instead of %llu",
              (unsigned long long)grant->deaths, (unsigned long long)item->deaths);
    item->state = SIM_HELD;
    item->has_start_limit = false;
    item->registration = fetch->registration;
    item->delivery_lsn = grant->token.delivery_lsn;
    item->delivery_number = grant->token.delivery_number;
    struct sim_shadow *shadow = &sim->shadow;
    struct sim_token *token = sim_grow((void **)&shadow->tokens, &shadow->tokens_count,
                                       &shadow->tokens_capacity, sizeof *token);
    *token = (struct sim_token){ grant->token, fetch->registration };
}

static bool is_older(const struct sim_item *a, const struct sim_item *b)
{
    if (a->scheduled_lsn != b->scheduled_lsn) return a->scheduled_lsn < b->scheduled_lsn;
    return a->scheduled_number < b->scheduled_number;
}

static bool is_suspect(const struct sim_item *item)
{
    return item->deaths >= HF_SUSPECT_DEATHS;
}

/* A suspect is given to who has nothing else, and nothing else to who has one. */
static void law_alone(struct sim *sim, const struct hf_store_fetch_items *fetch)
{
    size_t held = 0, suspects = 0;
    for (size_t i = 0; i < sim->shadow.items_count; i++) {
        const struct sim_item *item = &sim->shadow.items[i];
        if (item->state != SIM_HELD || item->registration != fetch->registration) continue;
        held++;
        if (is_suspect(item)) suspects++;
    }
    bool is_alone = suspects == 0 || held == 1;
    sim_check(sim, is_alone || fetch->out_items_count == 0,
              "a suspect is one of %zu items of a worker", held);
}

/* No ordinary work that a fetch serves is passed over for younger one, but for suspects. */
static void law_in_order(struct sim *sim, const struct hf_store_fetch_items *fetch,
                         const struct hf_item_grant *grant)
{
    const struct sim_item *given = sim_item_find(sim, &grant->token.item);
    if (given->incarnation != 0) return;
    for (size_t i = 0; i < sim->shadow.items_count; i++) {
        const struct sim_item *other = &sim->shadow.items[i];
        if (other->incarnation != 0 || other->state != SIM_QUEUED || is_suspect(other)) continue;
        if (other->has_start_limit || !serves_tag(fetch, other->tag)) continue;
        sim_check(sim, !is_older(other, given), "older work is passed over");
    }
}

/* What waits in a session of which something was given out is younger than that. */
static void law_oldest_first(struct sim *sim, const struct hf_item_grant *grant)
{
    const struct sim_item *given = sim_item_find(sim, &grant->token.item);
    if (given->incarnation == 0) return;
    for (size_t i = 0; i < sim->shadow.items_count; i++) {
        const struct sim_item *other = &sim->shadow.items[i];
        if (other->id.instance != given->id.instance) continue;
        if (other->incarnation != given->incarnation || other->state != SIM_QUEUED) continue;
        if (other->has_start_limit) continue; /* it may be gone, and nobody was told yet */
        sim_check(sim, !is_older(other, given), "older work of a session is passed over");
    }
}

static void law_capacity(struct sim *sim, const struct hf_store_fetch_items *fetch)
{
    uint64_t owned = 0;
    bool has_claimed = false;
    for (size_t i = 0; i < sim->shadow.sessions_count; i++) {
        const struct sim_session *session = &sim->shadow.sessions[i];
        if (session->is_open && session->owner == fetch->registration) owned++;
    }
    for (size_t i = 0; i < fetch->out_items_count; i++) {
        if (fetch->out_items[i].first_in_claim) has_claimed = true;
    }
    sim_check(sim, !has_claimed || owned <= fetch->sessions_max,
              "a worker with room for %llu sessions owns %llu",
              (unsigned long long)fetch->sessions_max, (unsigned long long)owned);
}

void sim_laws_items(struct sim *sim, const struct hf_store_fetch_items *fetch)
{
    sim_check(sim, sim_registration_lives(sim, fetch->registration),
              "a dead registration is given work");
    sim_check(sim, fetch->out_items_count <= fetch->items_max, "more items than asked for");
    uint64_t lsn = fetch->out_items_count > 0 ? fetch->out_items[0].token.delivery_lsn : 0;
    for (size_t i = 0; i < sim->shadow.tokens_count && lsn > 0; i++) {
        sim_check(sim, sim->shadow.tokens[i].token.delivery_lsn < lsn, "a token comes again");
    }
    for (size_t i = 0; i < fetch->out_items_count; i++) {
        sim_check(sim, fetch->out_items[i].token.delivery_lsn == lsn, "a fetch of two records");
        law_item(sim, fetch, i);
    }
    for (size_t i = 0; i < fetch->out_items_count; i++) {
        law_oldest_first(sim, &fetch->out_items[i]);
        law_in_order(sim, fetch, &fetch->out_items[i]);
    }
    law_alone(sim, fetch);
    law_capacity(sim, fetch);
}

/* ---- turns handed out ------------------------------------------------------------------------ */

static void law_turn(struct sim *sim, const struct hf_store_fetch_turns *fetch,
                     const struct hf_turn_grant *grant)
{
    struct sim_instance *instance = sim_instance_find(sim, grant->token.instance);
    sim_check(sim, instance, "a turn of an unknown instance");
    sim_check(sim, instance->life == SIM_RUNNING && !instance->is_suspended,
              "a turn of %s, which does not run", instance->id);
    sim_check(sim, instance->lock_registration == 0, "a turn of %s, which is in hands",
              instance->id);
    sim_check(sim, grant->token.head == instance->head, "a turn of %s on another head",
              instance->id);
    sim_check(sim, grant->execution == instance->execution, "a turn of another execution of %s",
              instance->id);
    sim_check(sim, grant->attempt == 1 + instance->turns_lost, "attempt %llu of a turn of %s",
              (unsigned long long)grant->attempt, instance->id);
    instance->lock_registration = fetch->registration;
    instance->lock_nonce = grant->token.nonce;
}

/* As law_alone. */
static void law_turn_alone(struct sim *sim, const struct hf_store_fetch_turns *fetch)
{
    size_t held = 0, suspects = 0;
    for (size_t i = 0; i < sim->shadow.instances_count; i++) {
        const struct sim_instance *instance = &sim->shadow.instances[i];
        if (instance->lock_registration != fetch->registration) continue;
        held++;
        if (instance->turn_deaths >= HF_SUSPECT_DEATHS) suspects++;
    }
    bool is_alone = suspects == 0 || held == 1;
    sim_check(sim, is_alone || fetch->out_turns_count == 0,
              "a suspect is one of %zu turns of a worker", held);
}

static bool is_hold_over(const struct sim *sim, const struct sim_instance *instance)
{
    return instance->lock_boot != sim->boot || instance->lock_until_boot_ms <= sim->boot_ms;
}

void sim_laws_turns(struct sim *sim, const struct hf_store_fetch_turns *fetch)
{
    struct sim_shadow *shadow = &sim->shadow;
    sim_check(sim, fetch->out_turns_count <= fetch->turns_max, "more turns than asked for");
    for (size_t i = 0; i < shadow->instances_count; i++) {
        struct sim_instance *instance = &shadow->instances[i];
        uint64_t holder = instance->lock_registration;
        if (holder == 0 || holder == fetch->registration) continue;
        bool is_over = holder == SIM_HELD_BACK
                           ? is_hold_over(sim, instance)
                           : sim_items_passed(sim, sim_registration_find(sim, holder));
        if (is_over) instance->lock_registration = 0;
    }
    for (size_t i = 0; i < fetch->out_turns_count; i++) law_turn(sim, fetch, &fetch->out_turns[i]);
    law_turn_alone(sim, fetch);
}

/* ---- turns committed ------------------------------------------------------------------------- */

static void law_outcome(struct sim *sim, const struct hf_event *event,
                        const struct hf_turn_committed *turn, uint64_t instance)
{
    struct hf_item_id id = { instance, turn->execution, event->source };
    struct sim_item *item = sim_item_find(sim, &id);
    sim_check(sim, item, "the outcome of an activity that was never scheduled");
    sim_check(sim, !item->is_consumed, "the outcome of an activity is consumed twice");
    bool is_late = event->kind == HF_EVENT_ACTIVITY_FAILED && event->status == HF_TIMEOUT;
    if (is_late && item->has_start_limit && item->state == SIM_QUEUED) item->state = SIM_DROPPED;
    sim_check(sim, item->state == SIM_COMPLETED || (is_late && item->state == SIM_DROPPED),
              "the outcome of an activity that nobody has completed");
    item->is_consumed = true;
}

static void law_timer(struct sim *sim, const struct hf_event *event, const struct sim_turn *turn)
{
    hf_error error;
    struct hf_event timer;
    hf_status status = HF_NOT_FOUND;
    for (size_t i = 0; i < turn->view.events_count; i++) {
        const struct hf_stored_event *each = &turn->view.events[i];
        if (each->event_id != event->source) continue;
        status = hf_event_decode(each->body, &sim->arena, &timer, &error);
    }
    sim_check(sim, status == HF_OK, "the timer of an unknown event has fired");
    sim_check(sim, timer.due_unix_ms <= sim->wall_ms_max, "a timer has fired before its time");
}

static void law_message(struct sim *sim, struct sim_instance *instance,
                        const struct hf_consumed_message *consumed, const struct sim_turn *turn)
{
    hf_error error;
    struct hf_event event;
    sim_check(sim, consumed->lsn > instance->consumed_lsn,
              "a message of %s is consumed twice, or out of order", instance->id);
    instance->consumed_lsn = consumed->lsn;
    if (consumed->event_id == 0) return;
    for (size_t i = 0; i < turn->view.messages_count; i++) {
        const struct hf_stored_message *message = &turn->view.messages[i];
        if (message->lsn != consumed->lsn) continue;
        hf_status status = hf_event_decode(message->body, &sim->arena, &event, &error);
        sim_check(sim, status == HF_OK, "a message cannot be read: %s", error.message);
        bool is_outcome = event.kind == HF_EVENT_ACTIVITY_COMPLETED ||
                          event.kind == HF_EVENT_ACTIVITY_FAILED;
        if (is_outcome) law_outcome(sim, &event, &turn->decision, instance->number);
        if (event.kind == HF_EVENT_TIMER_FIRED) law_timer(sim, &event, turn);
        return;
    }
    sim_fail(sim, "a turn consumes a message that it was not shown");
}

static void commit_sessions(struct sim *sim, uint64_t instance,
                            const struct hf_turn_committed *turn)
{
    uint32_t restarts_count = sim_instance_find(sim, instance)->restarts_count;
    struct sim_shadow *shadow = &sim->shadow;
    const struct hf_turn_session *opened = turn->opened.items;
    for (size_t i = 0; i < turn->opened.count; i++) {
        /* A restart forgets what was opened behind the part that it keeps. */
        const struct sim_session *former = sim_session_find(sim, instance, opened[i].incarnation);
        bool is_forgotten = former && !former->is_open && restarts_count > 0;
        sim_check(sim, !former || is_forgotten, "an incarnation is given out twice");
        struct sim_session *added = sim_grow((void **)&shadow->sessions, &shadow->sessions_count,
                                             &shadow->sessions_capacity, sizeof *added);
        *added = (struct sim_session){ .instance = instance,
                                       .incarnation = opened[i].incarnation,
                                       .is_open = true };
        hf_text_copy(added->id, sizeof added->id, opened[i].id);
        hf_text_copy(added->tag, sizeof added->tag, opened[i].tag);
    }
}

static void commit_items(struct sim *sim, const struct hf_store_command *command,
                         const struct hf_turn_committed *turn)
{
    struct sim_shadow *shadow = &sim->shadow;
    const struct hf_turn_item *items = turn->items.items;
    uint64_t instance = command->commit_turn.token.instance;
    for (size_t i = 0; i < turn->items.count; i++) {
        struct hf_item_id id = { instance, turn->execution, items[i].event_id };
        sim_check(sim, !sim_item_find(sim, &id), "an item is scheduled twice");
        struct sim_item *added = sim_grow((void **)&shadow->items, &shadow->items_count,
                                          &shadow->items_capacity, sizeof *added);
        *added = (struct sim_item){ .id = id,
                                    .incarnation = items[i].incarnation,
                                    .state = SIM_QUEUED,
                                    .has_start_limit = items[i].late_body.size > 0,
                                    .scheduled_lsn = command->commit_turn.out_head,
                                    .scheduled_number = i };
        const struct sim_session *session = sim_session_find(sim, instance, items[i].incarnation);
        hf_text_copy(added->tag, sizeof added->tag, session ? hf_text(session->tag) : items[i].tag);
    }
}

static void commit_cancels(struct sim *sim, uint64_t instance, const struct hf_turn_committed *turn)
{
    const struct hf_turn_cancel *cancels = turn->cancels.items;
    const struct hf_turn_session *closed = turn->closed.items;
    for (size_t i = 0; i < turn->cancels.count; i++) {
        struct hf_item_id id = { instance, turn->execution, cancels[i].event_id };
        struct sim_item *item = sim_item_find(sim, &id);
        if (item) sim_item_drop(sim, item);
    }
    for (size_t i = 0; i < turn->closed.count; i++) {
        struct sim_session *session = sim_session_find(sim, instance, closed[i].incarnation);
        sim_check(sim, session && session->is_open, "a session is closed that is not open");
        session->is_open = false;
        sim_voided(sim, session->owner);
        for (size_t k = 0; k < sim->shadow.items_count; k++) {
            struct sim_item *item = &sim->shadow.items[k];
            if (sim_item_is_on(item, session)) sim_item_drop(sim, item);
        }
    }
}

/* An id has one open session, whatever the turn opened and closed. */
static void law_one_opening(struct sim *sim, uint64_t instance)
{
    const struct sim_shadow *shadow = &sim->shadow;
    for (size_t i = 0; i < shadow->sessions_count; i++) {
        const struct sim_session *session = &shadow->sessions[i];
        if (session->instance != instance || !session->is_open) continue;
        for (size_t k = 0; k < i; k++) {
            const struct sim_session *other = &shadow->sessions[k];
            bool is_same = other->instance == instance && other->is_open &&
                           strcmp(other->id, session->id) == 0;
            sim_check(sim, !is_same, "session %s is open twice", session->id);
        }
    }
}

/* Whether this group deletes a tree, and with it children that it had only just started. */
static bool deletes_tree(const struct sim *sim)
{
    for (size_t i = 0; i < sim->group.count; i++) {
        const struct hf_store_command *command = &sim->group.acts[i].command;
        if (command->kind != HF_STORE_DELETE || command->status != HF_OK) continue;
        if (command->delete_instance.with_descendants) return true;
    }
    return false;
}

/* What the store made of a child: it is asked, since nobody else told its number. */
static void commit_child(struct sim *sim, int parent, const struct hf_turn_child *child)
{
    hf_error error;
    char id[64];
    struct hf_event started;
    struct hf_instance_info info;
    struct sim_shadow *shadow = &sim->shadow;
    hf_text_copy(id, sizeof id, child->id);
    if (sim_instance_named(sim, id) != SIM_NONE) return; /* the id is taken */
    hf_status status = hf_event_decode(child->body, &sim->arena, &started, &error);
    if (status == HF_OK) {
        status = sim->backend->ops->instance(sim->backend, child->id, &sim->arena, &info, &error);
    }
    if (status == HF_NOT_FOUND && deletes_tree(sim)) return;
    sim_check(sim, status == HF_OK, "child %s: %s", id, error.message);
    sim_check(sim, !sim_instance_find(sim, info.number), "a child has the number of another one");
    struct sim_instance *added = sim_grow((void **)&shadow->instances, &shadow->instances_count,
                                          &shadow->instances_capacity, sizeof *added);
    *added = (struct sim_instance){ .number = info.number,
                                    .life = SIM_RUNNING,
                                    .parent = child->is_detached ? SIM_NONE : parent,
                                    .execution = 1,
                                    .head = info.head };
    memcpy(added->id, id, sizeof id);
    sim_check(sim, started.payload.size == sizeof added->program, "a child has another input");
    memcpy(&added->program, started.payload.data, sizeof added->program);
    sim->result.instances++;
}

static bool is_cancelled(const struct hf_turn_committed *turn, uint64_t event_id)
{
    const struct hf_turn_child_cancel *cancels = turn->child_cancels.items;
    for (size_t i = 0; i < turn->child_cancels.count; i++) {
        if (cancels[i].event_id == event_id) return true;
    }
    return false;
}

static void commit_children(struct sim *sim, int parent, const struct hf_turn_committed *turn)
{
    const struct hf_turn_child *children = turn->children.items;
    bool has_ended = turn->outcome >= HF_OUTCOME_COMPLETED;
    for (size_t i = 0; i < turn->children.count; i++) {
        /* Of a turn that ends its instance only what is detached starts. */
        bool is_wanted = !has_ended || children[i].is_detached;
        if (is_wanted && !is_cancelled(turn, children[i].event_id)) {
            commit_child(sim, parent, &children[i]);
        }
    }
    if (turn->child_cancels.count == 0 && turn->outcome == HF_OUTCOME_RUNNING) return;
    sim_children_touch(sim, parent, false);
}

static void commit_outcome(struct sim *sim, struct sim_instance *instance,
                           const struct hf_turn_committed *turn)
{
    if (turn->outcome == HF_OUTCOME_CONTINUED) {
        instance->execution++;
    } else if (turn->outcome != HF_OUTCOME_RUNNING) {
        enum hf_outcome expected = program_fails(&instance->program) ? HF_OUTCOME_FAILED
                                                                     : HF_OUTCOME_COMPLETED;
        sim_check(sim, instance->is_touched || turn->outcome == expected,
                  "%s ended with outcome %llu, and nobody meddled with it", instance->id,
                  (unsigned long long)turn->outcome);
        sim_instance_end(sim, instance, SIM_ENDED);
    }
}

void sim_laws_commit(struct sim *sim, const struct hf_store_command *command,
                     const struct sim_turn *turn)
{
    const struct hf_store_commit_turn *commit = &command->commit_turn;
    const struct hf_turn_committed *decision = commit->turn;
    struct sim_instance *instance = sim_instance_find(sim, commit->token.instance);
    sim_check(sim, sim_turn_token_holds(sim, &commit->token, commit->registration),
              "a turn is committed with a token that does not hold");
    const struct hf_consumed_message *messages = decision->messages.items;
    for (size_t i = 0; i < decision->messages.count; i++) {
        law_message(sim, instance, &messages[i], turn);
    }
    sim_check(sim, commit->out_head == command->lsn && command->lsn > instance->head,
              "the head of %s does not move on", instance->id);
    instance->head = commit->out_head;
    instance->lock_registration = 0;
    instance->turns_lost = instance->turn_deaths = 0;
    if (decision->timers.count > 0) sim->effects_needed |= HF_EFFECT_TIMERS;
    commit_sessions(sim, instance->number, decision);
    commit_items(sim, command, decision);
    commit_cancels(sim, instance->number, decision);
    law_one_opening(sim, instance->number);
    int index = (int)(instance - sim->shadow.instances);
    commit_children(sim, index, decision); /* the array may move */
    commit_outcome(sim, &sim->shadow.instances[index], decision);
    sim->result.turns++;
}
