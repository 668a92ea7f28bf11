/* All orders of up to five steps of a session's life, run against the store and against a model in
 * plain memory (session_model.h), and compared after each step: answers with their reasons, who
 * owns what, epochs, which items are queued and running, every token and claim that was ever given,
 * and the inbox.
 *
 * Steps are an orchestration's turns (open, close, cancel, continue as new, ack: a turn that
 * consumes what waits), what workers do (complete, renew, release: each of the two presents all
 * that it was ever given, also what it should know to be void; who completes something fetches one
 * more), and what happens to them (takeover, delete). A takeover is a passed lease or a death, and
 * a fetch by the other worker; where there is a reclaim window, then also by the one that comes
 * back.
 *
 * Each sequence has an instance of its own, which begins with a session that the first worker owns
 * and an item that it runs; its tag and its engine version keep what others left out of sight. All
 * sequences of the full length are run: a shorter one is the beginning of longer ones. */
/* ctest-timeout: 600 */
#include "tests/conformance/session_model.h"
#include "tests/conformance/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/compiler.h"

enum step { OPEN, CLOSE, COMPLETE, ACK, RENEW, RELEASE, CANCEL, CONTINUE, TAKEOVER, DELETE, STEPS };

/* How the owner loses its session, or keeps it. */
enum takeover {
    BY_EXPIRY, /* its lease passes, and it goes on as if nothing had been */
    BY_DEATH,  /* it dies, and comes back under its old id */
    BY_RETURN  /* the same, and its reclaim window holds the session for it */
};

enum { LENGTH_MAX = HF_ASAN || HF_TSAN ? 4 : 5, STARTS = 500 };

static const char *const step_names[STEPS] = {
    "open",    "close",  "complete", "ack",      "renew",
    "release", "cancel", "continue", "takeover", "delete"
};

/* What the store gave under a token of the model. */
struct given {
    struct hf_item_token token;
    struct hf_session_claim claim; /* of a claim */
};

/* One sequence under way. */
struct race {
    struct world *world;
    struct model model;
    enum takeover takeover;
    uint64_t number; /* of the sequence, from 1 */
    enum step steps[LENGTH_MAX];
    int length, step; /* the present one */
    char tag[32];
    uint64_t instance, head, execution, next_event_id;
    uint64_t registrations[MODEL_CLAIMS_MAX * 2]; /* by the model's number */
    struct given tokens[MODEL_TOKENS_MAX];
    struct given claims[MODEL_CLAIMS_MAX];
    uint64_t item_events[MODEL_ITEMS_MAX], item_executions[MODEL_ITEMS_MAX];
    uint64_t inbox_lsns[MODEL_ITEMS_MAX];
    size_t inbox_count;
    uint64_t latest_epoch;
};

/* ---- telling what differs -------------------------------------------------------------------- */

static void differs(const struct race *race, const char *what, const char *store, const char *model)
{
    print_error("sequence %llu:", (unsigned long long)race->number);
    for (int i = 0; i < race->length; i++) {
        print_error(" %s%s", i == race->step ? "-> " : "", step_names[race->steps[i]]);
    }
    print_error("\n%s: the store says %s, the model %s\n", what, store, model);
    fail();
}

static void same_number(const struct race *race, const char *what, uint64_t store, uint64_t model)
{
    char texts[2][24];
    if (store == model) return;
    (void)snprintf(texts[0], sizeof texts[0], "%llu", (unsigned long long)store);
    (void)snprintf(texts[1], sizeof texts[1], "%llu", (unsigned long long)model);
    differs(race, what, texts[0], texts[1]);
}

static void same_code(const struct race *race, const char *what, const char *store,
                      const char *model)
{
    if (!store) store = "done";
    if (!model) model = "done";
    if (strcmp(store, model) != 0) differs(race, what, store, model);
}

/* The code of a command's answer; NULL: done. */
static const char *answer_code(const struct hf_store_command *command)
{
    if (command->status == HF_OK) return NULL;
    return command->error.code[0] ? command->error.code : hf_status_name(command->status);
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* A turn in the making. */
struct turn {
    struct hf_turn_event events[2];
    struct hf_turn_item item;
    struct hf_turn_session session;
    struct hf_turn_cancel cancels[MODEL_ITEMS_MAX];
    struct hf_consumed_message messages[MODEL_ITEMS_MAX];
    struct hf_turn_committed record;
    struct hf_store_command command;
};

static void turn_begin(struct race *race, struct turn *turn)
{
    *turn = (struct turn){ .record = { .execution = race->execution,
                                       .engine_version = race->number,
                                       .outcome = HF_OUTCOME_RUNNING } };
    turn->record.messages.items = turn->messages;
    turn->record.events.items = turn->events;
    turn->record.items.items = &turn->item;
    turn->record.cancels.items = turn->cancels;
}

static uint64_t turn_event(struct race *race, struct turn *turn)
{
    uint64_t event_id = race->next_event_id + turn->record.messages.count +
                        turn->record.events.count;
    turn->events[turn->record.events.count++] = (struct hf_turn_event){ event_id, hf_text("e") };
    return event_id;
}

/* Its head alone decides: no lock is taken, for nobody else runs turns here. */
static void turn_prepare(struct race *race, struct turn *turn)
{
    turn->command = (struct hf_store_command){ .kind = HF_STORE_COMMIT_TURN };
    turn->command.commit_turn = (struct hf_store_commit_turn){
        .token = { .instance = race->instance, .head = race->head },
        .registration = race->registrations[race->model.workers[0].registration],
        .turn = &turn->record
    };
}

static void turn_done(struct race *race, const struct turn *turn)
{
    race->head = turn->command.commit_turn.out_head;
    race->next_event_id += turn->record.messages.count + turn->record.events.count;
    if (turn->record.outcome != HF_OUTCOME_CONTINUED) return;
    race->execution++;
    race->next_event_id = 2;
}

static void turn_run(struct race *race, struct turn *turn, const char *code)
{
    turn_prepare(race, turn);
    (void)world_run(race->world, &turn->command);
    same_code(race, "the turn", answer_code(&turn->command), code);
    if (!code) turn_done(race, turn);
}

/* Writes down the item that the turn schedules. */
static void turn_schedule(struct race *race, struct turn *turn)
{
    int item = race->model.items_count - 1;
    race->item_events[item] = turn_event(race, turn);
    race->item_executions[item] = race->execution;
    turn->item = (struct hf_turn_item){ .event_id = race->item_events[item],
                                        .incarnation = (uint64_t)race->model.incarnation };
    turn->record.items.count = 1;
}

/* The model decides first: of it the turn takes the incarnation and the item. */
static const char *turn_open(struct race *race, struct turn *turn)
{
    bool was_open = race->model.is_open;
    const char *code = model_open(&race->model);
    if (!code && !was_open) {
        turn->session = (struct hf_turn_session){
            .incarnation = (uint64_t)race->model.incarnation,
            .id = hf_text("s"),
            .tag = hf_text(race->tag),
            .event_id = turn_event(race, turn),
        };
        turn->record.opened = (struct hf_list){ &turn->session, 1 };
    }
    if (!code) turn_schedule(race, turn);
    return code;
}

static const char *turn_close(struct race *race, struct turn *turn)
{
    (void)turn_event(race, turn);
    if (race->model.is_open) {
        turn->session.incarnation = (uint64_t)race->model.incarnation;
        turn->record.closed = (struct hf_list){ &turn->session, 1 };
    }
    return model_close(&race->model);
}

static void turn_add_cancel(struct race *race, struct turn *turn, int item)
{
    turn->cancels[turn->record.cancels.count++].event_id = race->item_events[item];
}

static const char *turn_cancel(struct race *race, struct turn *turn)
{
    int item = model_cancellable(&race->model);
    (void)turn_event(race, turn);
    if (item != MODEL_NONE) turn_add_cancel(race, turn, item);
    return model_cancel(&race->model, item);
}

static const char *turn_continue(struct race *race, struct turn *turn)
{
    const struct model *model = &race->model;
    for (int i = 0; i < model->items_count; i++) {
        enum model_state state = model->items[i].state;
        if (state == MODEL_QUEUED || state == MODEL_RUNNING) turn_add_cancel(race, turn, i);
    }
    (void)turn_event(race, turn);
    turn->record.outcome = HF_OUTCOME_CONTINUED;
    turn->record.next_body = hf_text("again");
    return model_continue(&race->model);
}

/* All that waits becomes events; what an engine would drop of it is not the store's affair. */
static const char *turn_ack(struct race *race, struct turn *turn)
{
    const char *code = model_consume(&race->model);
    for (size_t i = 0; i < race->inbox_count; i++) {
        turn->messages[i] = (struct hf_consumed_message){ race->inbox_lsns[i],
                                                          race->next_event_id + i };
    }
    turn->record.messages.count = race->inbox_count;
    (void)turn_event(race, turn);
    if (!code) race->inbox_count = 0;
    return code;
}

static void step_turn(struct race *race, const char *(*decide)(struct race *, struct turn *))
{
    struct turn turn;
    turn_begin(race, &turn);
    const char *code = decide(race, &turn);
    turn_run(race, &turn, code);
}

/* ---- workers --------------------------------------------------------------------------------- */

static uint64_t registration_of(const struct race *race, int worker)
{
    return race->registrations[race->model.workers[worker].registration];
}

/* Whether a worker got something by its present registration. */
static bool is_of(const struct race *race, int worker, int registration)
{
    return race->model.workers[worker].registration == registration;
}

static struct hf_store_command fetch_prepare(struct race *race, int worker, size_t items_max,
                                             hf_slice *tag)
{
    struct hf_store_command fetch = fetch_items_command(race->world, registration_of(race, worker));
    *tag = hf_text(race->tag);
    fetch.fetch_items.items_max = items_max;
    fetch.fetch_items.sessions_max = UINT64_MAX;
    fetch.fetch_items.tags = tag;
    fetch.fetch_items.tags_count = 1;
    return fetch;
}

/* What the first item of a claim tells of it. */
static void claim_compare(struct race *race, const struct hf_item_grant *grant, int claim)
{
    const struct model *model = &race->model;
    bool was_owned = model->former_owner != MODEL_NONE;
    race->claims[claim].claim = (struct hf_session_claim){ race->instance, grant->incarnation,
                                                           grant->epoch };
    same_number(race, "a claim's record", grant->epoch, grant->token.delivery_lsn);
    same_number(race, "a later epoch", grant->epoch > race->latest_epoch, true);
    race->latest_epoch = grant->epoch;
    same_number(race, "owned before", grant->was_owned, was_owned);
    same_number(race, "owned by", grant->from,
                was_owned ? race->registrations[model->former_owner] : 0);
    same_number(race, "why no more", grant->claim_reason, model->former_reason);
}

static void grant_compare(struct race *race, const struct hf_item_grant *grant,
                          const struct model_grant *expected)
{
    const struct model_item *item = &race->model.items[expected->item];
    race->tokens[expected->token].token = grant->token;
    same_number(race, "the item", grant->token.item.event_id, race->item_events[expected->item]);
    same_number(race, "its execution", grant->token.item.execution,
                race->item_executions[expected->item]);
    same_number(race, "its attempt", grant->attempt, item->attempts);
    same_number(race, "its deaths", grant->deaths, item->deaths);
    same_number(race, "its incarnation", grant->incarnation, (uint64_t)item->incarnation);
    same_number(race, "older than the claim", grant->is_older_than_claim,
                expected->is_older_than_claim);
    same_number(race, "the first in a claim", grant->first_in_claim, expected->claim != MODEL_NONE);
    if (expected->claim != MODEL_NONE) claim_compare(race, grant, expected->claim);
    same_number(race, "the epoch", grant->epoch, race->latest_epoch);
}

static void fetch_compare(struct race *race, int worker, const struct hf_store_command *fetch)
{
    struct model_grant grants[MODEL_ITEMS_MAX];
    int count = model_fetch(&race->model, worker, (int)fetch->fetch_items.items_max, grants);
    same_code(race, "the fetch", answer_code(fetch), NULL);
    same_number(race, "items given", fetch->fetch_items.out_items_count, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        grant_compare(race, &fetch->fetch_items.out_items[i], &grants[i]);
    }
}

/* Peeks and fetches: a peek says yes if and only if the fetch gives something. */
static void fetch_run(struct race *race, int worker, size_t items_max)
{
    hf_slice tag;
    struct world *world = race->world;
    struct hf_store_command fetch = fetch_prepare(race, worker, items_max, &tag);
    struct hf_peek peek = { .registration = registration_of(race, worker),
                            .tags = &tag,
                            .tags_count = 1 };
    assert_ok(world->backend->ops->peek(world->backend, &peek, &world->error), &world->error);
    (void)world_run(world, &fetch);
    same_number(race, "peek", peek.out_items_ready, fetch.fetch_items.out_items_count > 0);
    fetch_compare(race, worker, &fetch);
}

/* A worker presents every token that it was ever given, and fetches one more item when one of them
 * was accepted. */
static void worker_complete(struct race *race, int worker)
{
    struct model *model = &race->model;
    struct hf_store_command commands[MODEL_TOKENS_MAX], *group[MODEL_TOKENS_MAX];
    size_t count = 0;
    bool has_room = false;
    for (int i = 0; i < model->tokens_count; i++) {
        if (!is_of(race, worker, model->tokens[i].registration)) continue;
        commands[count] = complete_command(registration_of(race, worker), &race->tokens[i].token);
        group[count] = &commands[count];
        count++;
    }
    if (count > 0) world_group(race->world, group, count);
    count = 0;
    for (int i = 0; i < model->tokens_count; i++) {
        if (!is_of(race, worker, model->tokens[i].registration)) continue;
        const struct hf_store_command *command = &commands[count++];
        const char *code = model_complete(model, i);
        same_code(race, "the completion", answer_code(command), code);
        if (code) continue;
        race->inbox_lsns[race->inbox_count++] = command->lsn;
        has_room = true;
    }
    if (has_room) fetch_run(race, worker, 1);
}

static void worker_release(struct race *race, int worker)
{
    struct model *model = &race->model;
    for (int i = 0; i < model->claims_count; i++) {
        if (!is_of(race, worker, model->claims[i].registration)) continue;
        struct hf_store_command command = release_command(
            race->world, registration_of(race, worker), &race->claims[i].claim);
        (void)world_run(race->world, &command);
        const struct hf_store_release_sessions *answer = &command.release_sessions;
        const char *code = answer_code(&command);
        if (!code && answer->out_voids_count > 0) code = answer->out_voids[0].code;
        same_code(race, "the release", code, model_release(model, i));
    }
}

/* Collects what the registration was ever given, and what the model says of it. */
struct presented {
    struct hf_item_token items[MODEL_TOKENS_MAX];
    struct hf_session_claim sessions[MODEL_CLAIMS_MAX];
    const char *codes[MODEL_TOKENS_MAX + MODEL_CLAIMS_MAX]; /* of items, then of sessions */
    size_t items_count, sessions_count;
};

static void presented_collect(const struct race *race, int registration, struct presented *out)
{
    const struct model *model = &race->model;
    out->items_count = out->sessions_count = 0;
    for (int i = 0; i < model->tokens_count; i++) {
        if (model->tokens[i].registration != registration) continue;
        out->codes[out->items_count] = model_token_code(model, i);
        out->items[out->items_count++] = race->tokens[i].token;
    }
    for (int i = 0; i < model->claims_count; i++) {
        if (model->claims[i].registration != registration) continue;
        out->codes[out->items_count + out->sessions_count] = model_claim_code(model, i);
        out->sessions[out->sessions_count++] = race->claims[i].claim;
    }
}

static struct hf_store_command presented_renew(struct race *race, uint64_t registration,
                                               const struct presented *presented)
{
    struct hf_store_command command = renew_command(race->world, registration);
    command.renew.items = presented->items;
    command.renew.items_count = presented->items_count;
    command.renew.sessions = presented->sessions;
    command.renew.sessions_count = presented->sessions_count;
    return command;
}

static void presented_compare(const struct race *race, const struct presented *presented,
                              const struct hf_store_renew *answer)
{
    size_t void_index = 0;
    for (size_t i = 0; i < presented->items_count + presented->sessions_count; i++) {
        bool is_session = i >= presented->items_count;
        size_t index = is_session ? i - presented->items_count : i;
        const struct hf_void *found = &answer->out_voids[void_index];
        bool is_named = void_index < answer->out_voids_count && found->index == index &&
                        found->is_session == is_session;
        same_code(race, is_session ? "a claim" : "a token", is_named ? found->code : NULL,
                  presented->codes[i]);
        if (is_named) void_index++;
    }
    same_number(race, "what is void", answer->out_voids_count, void_index);
}

static void worker_renew_all(struct race *race, int worker)
{
    struct presented presented;
    presented_collect(race, race->model.workers[worker].registration, &presented);
    struct hf_store_command command = presented_renew(race, registration_of(race, worker),
                                                      &presented);
    (void)world_run(race->world, &command);
    same_code(race, "the renewal", answer_code(&command), NULL);
    presented_compare(race, &presented, &command.renew);
    model_renew(&race->model, worker);
}

/* ---- misfortunes ----------------------------------------------------------------------------- */

static const char *const worker_names[MODEL_WORKERS] = { "a", "b" };

static uint64_t worker_new(struct race *race, int worker)
{
    uint64_t reclaim_ms = race->takeover == BY_RETURN ? 1000 : 0;
    return worker_register_to_return(race->world, worker_names[worker], reclaim_ms);
}

/* Both deadlines of a worker are now. */
static struct hf_store_command worker_pass(struct race *race, int worker)
{
    struct hf_store_command command = renew_command(race->world, registration_of(race, worker));
    command.renew.items_deadline_boot_ms = race->world->boot_ms;
    command.renew.sessions_deadline_boot_ms = race->world->boot_ms;
    model_pass(&race->model, worker);
    return command;
}

/* Dies, is declared dead, and is started again under its old id. */
static void owner_die(struct race *race, int worker)
{
    world_kill(race->world, worker_names[worker]);
    assert_ok(worker_end(race->world, registration_of(race, worker), HF_REASON_DEAD),
              &race->world->error);
    model_die(&race->model, worker, race->takeover == BY_RETURN);
    model_register(&race->model, worker);
    race->registrations[race->model.workers[worker].registration] = worker_new(race, worker);
}

/* Which worker owns the session; MODEL_NONE: none. */
static int owner_of(const struct model *model)
{
    for (int i = 0; i < MODEL_WORKERS; i++) {
        if (model->owner != MODEL_NONE && model->workers[i].registration == model->owner) return i;
    }
    return MODEL_NONE;
}

/* The owner loses the session, if there is one; the other worker (or the second) fetches, and then
 * the one that came back. The second has room for all, the first for one item, so that the rest of
 * what it takes over waits in the queue. */
static void step_takeover(struct race *race)
{
    int owner = owner_of(&race->model);
    int other = owner == 1 ? 0 : 1;
    static const size_t room[MODEL_WORKERS] = { 1, MODEL_ITEMS_MAX };
    if (owner != MODEL_NONE && race->takeover == BY_EXPIRY) {
        struct hf_store_command pass = worker_pass(race, owner);
        assert_ok(world_run(race->world, &pass), &race->world->error);
    }
    if (owner != MODEL_NONE && race->takeover != BY_EXPIRY) owner_die(race, owner);
    fetch_run(race, other, room[other]);
    if (race->takeover == BY_RETURN) fetch_run(race, 1 - other, room[1 - other]);
}

static void step_delete(struct race *race)
{
    char id[32];
    (void)snprintf(id, sizeof id, "i%llu", (unsigned long long)race->number);
    struct hf_store_command command = delete_command(id, true);
    (void)world_run(race->world, &command);
    same_code(race, "the deletion", answer_code(&command), model_delete(&race->model));
    race->inbox_count = 0;
}

/* ---- comparing the whole --------------------------------------------------------------------- */

static void compare_session(struct race *race)
{
    struct hf_session_row *rows;
    size_t count;
    struct world *world = race->world;
    const struct model *model = &race->model;
    struct hf_sessions_query query = { .after_instance = race->instance, .looked_max = 2 };
    assert_ok(world->backend->ops->sessions(world->backend, &query, &world->arena, &rows, &count,
                                            &world->error),
              &world->error);
    size_t ours = 0;
    while (ours < count && rows[ours].instance == race->instance) ours++;
    same_number(race, "open sessions", ours, model->is_open);
    if (!model->is_open) return;
    same_number(race, "the incarnation", rows[0].incarnation, (uint64_t)model->incarnation);
    same_number(race, "the owner", rows[0].owner,
                model->owner == MODEL_NONE ? 0 : race->registrations[model->owner]);
    if (model->owner != MODEL_NONE) {
        same_number(race, "the owner's epoch", rows[0].epoch, race->latest_epoch);
    }
    same_number(race, "queued items", rows[0].queued_count,
                (uint64_t)model_count(model, MODEL_QUEUED));
    same_number(race, "running items", rows[0].running_count,
                (uint64_t)model_count(model, MODEL_RUNNING));
    same_number(race, "quiet", rows[0].quiet_unix_ms != 0,
                model_count(model, MODEL_QUEUED) + model_count(model, MODEL_RUNNING) == 0);
}

static void compare_inbox(struct race *race)
{
    struct hf_turn_view view;
    struct world *world = race->world;
    struct hf_item_id from = { race->instance, race->execution, race->next_event_id };
    hf_status status = world->backend->ops->turn_view(world->backend, &from, &world->arena, &view,
                                                      &world->error);
    same_number(race, "an instance that is gone", status == HF_NOT_FOUND, race->model.is_gone);
    if (race->model.is_gone) return;
    assert_ok(status, &world->error);
    same_number(race, "the next event", view.next_event_id, race->next_event_id);
    same_number(race, "messages", view.messages_count, (uint64_t)race->model.inbox_count);
    for (size_t i = 0; i < view.messages_count; i++) {
        same_number(race, "a message", view.messages[i].lsn, race->inbox_lsns[i]);
    }
}

/* Everything that any registration was ever given, also a dead one. */
static void compare_held(struct race *race)
{
    struct presented presented;
    struct world *world = race->world;
    for (int i = 0; i < race->model.registrations; i++) {
        presented_collect(race, i, &presented);
        if (presented.items_count + presented.sessions_count == 0) continue;
        struct hf_store_command command = presented_renew(race, race->registrations[i], &presented);
        hf_status status = world->backend->ops->check_held(world->backend, &command.renew,
                                                           &world->arena, &world->error);
        if (race->model.is_dead[i]) {
            same_number(race, "a dead one is refused", status == HF_STALE, true);
            same_code(race, "what a dead one holds", world->error.code, "registration_dead");
            continue;
        }
        assert_ok(status, &world->error);
        presented_compare(race, &presented, &command.renew);
    }
}

/* ---- sequences ------------------------------------------------------------------------------- */

static void race_step(struct race *race)
{
    switch (race->steps[race->step]) {
    case OPEN: step_turn(race, turn_open); break;
    case CLOSE: step_turn(race, turn_close); break;
    case ACK: step_turn(race, turn_ack); break;
    case CANCEL: step_turn(race, turn_cancel); break;
    case CONTINUE: step_turn(race, turn_continue); break;
    case COMPLETE:
        for (int i = 0; i < MODEL_WORKERS; i++) worker_complete(race, i);
        break;
    case RENEW:
        for (int i = 0; i < MODEL_WORKERS; i++) worker_renew_all(race, i);
        break;
    case RELEASE:
        for (int i = 0; i < MODEL_WORKERS; i++) worker_release(race, i);
        break;
    case TAKEOVER: step_takeover(race); break;
    case DELETE: step_delete(race); break;
    case STEPS: fail(); break;
    }
}

/* Compares the whole, once for each beginning: of all sequences that share it, in the first. */
static void race_compare(struct race *race)
{
    uint64_t sharers = 1;
    for (int i = race->step + 1; i < race->length; i++) sharers *= STEPS;
    if ((race->number - 1) % sharers != 0) return;
    compare_session(race);
    compare_inbox(race);
    compare_held(race);
}

/* Instances are started many at once: that is no part of a race. */
struct starts {
    struct hf_store_command commands[STARTS];
    char ids[STARTS][32];
};

/* Starts the instances of sequences from `number` on. */
static void starts_run(struct world *world, uint64_t number, struct starts *starts)
{
    struct hf_store_command *group[STARTS];
    for (size_t i = 0; i < STARTS; i++) {
        (void)snprintf(starts->ids[i], sizeof starts->ids[i], "i%llu",
                       (unsigned long long)(number + i));
        starts->commands[i] = start_command(starts->ids[i]);
        group[i] = &starts->commands[i];
    }
    world_group(world, group, STARTS);
    for (size_t i = 0; i < STARTS; i++) assert_ok(group[i]->status, &group[i]->error);
}

/* Makes the scene: an open session, owned by the first worker, which runs the item on it. The
 * workers of the sequence before live on, with their leases renewed. */
static void race_begin(struct race *race, const struct hf_store_command *start)
{
    struct turn turn;
    hf_slice tag;
    struct hf_store_command a = renew_command(race->world, registration_of(race, 0));
    struct hf_store_command b = renew_command(race->world, registration_of(race, 1));
    (void)snprintf(race->tag, sizeof race->tag, "t%llu", (unsigned long long)race->number);
    race->instance = start->start.out_instance;
    race->head = start->lsn;
    race->execution = 1;
    race->next_event_id = 2;
    turn_begin(race, &turn);
    assert_null(turn_open(race, &turn));
    turn_prepare(race, &turn);
    struct hf_store_command fetch = fetch_prepare(race, 0, 1, &tag);
    struct hf_store_command *group[] = { &a, &b, &turn.command, &fetch };
    world_group(race->world, group, HF_COUNT_OF(group));
    for (size_t i = 0; i < 2; i++) assert_ok(group[i]->status, &group[i]->error);
    assert_ok(turn.command.status, &turn.command.error);
    turn_done(race, &turn);
    fetch_compare(race, 0, &fetch);
}

/* Runs the sequence of that number, whose digits are its steps. */
static void race_run(struct race *race, uint64_t number, const struct hf_store_command *start)
{
    uint64_t rest = number - 1;
    race->number = number;
    for (int i = race->length - 1; i >= 0; i--, rest /= STEPS) {
        race->steps[i] = (enum step)(rest % STEPS);
    }
    race_begin(race, start);
    for (race->step = 0; race->step < race->length; race->step++) {
        race_step(race);
        race_compare(race);
    }
    /* A suspect must not find what is left of former sequences in its worker's hands. */
    race->step = race->length - 1;
    if (race->takeover != BY_EXPIRY) step_delete(race);
}

static void races_run(struct world *world, enum takeover takeover, int length)
{
    struct race race = { .world = world, .takeover = takeover, .length = length };
    uint64_t count = 1;
    uint64_t registrations[MODEL_WORKERS];
    for (int i = 0; i < length; i++) count *= STEPS;
    for (int i = 0; i < MODEL_WORKERS; i++) {
        registrations[i] = worker_new(&race, i);
    }
    struct starts *starts = calloc(1, sizeof *starts);
    assert_non_null(starts);
    for (uint64_t number = 1; number <= count; number++) {
        size_t place = (number - 1) % STARTS;
        if (place == 0) starts_run(world, number, starts);
        race = (struct race){ .world = world, .takeover = takeover, .length = length };
        model_init(&race.model);
        memcpy(race.registrations, registrations, sizeof registrations);
        race_run(&race, number, &starts->commands[place]);
        for (int i = 0; i < MODEL_WORKERS; i++) registrations[i] = registration_of(&race, i);
        hf_arena_reset(&world->arena);
    }
    free(starts);
}

/* Takeovers by a worker that stood still past its lease, which goes on as if nothing had been. */
static void test_all_orders_with_passed_leases_agree_with_the_model(void **state)
{
    races_run(*state, BY_EXPIRY, LENGTH_MAX);
}

/* Takeovers by death: the dead one's tokens are presented too, and two deaths make a suspect. What
 * is other than in takeovers by a passed lease shows in four steps. */
static void test_all_orders_with_deaths_agree_with_the_model(void **state)
{
    races_run(*state, BY_DEATH, 4);
}

/* Deaths with a reclaim window: the session waits for its worker while everything else happens to
 * it, and nobody else is given it. */
static void test_all_orders_with_reclaim_windows_agree_with_the_model(void **state)
{
    races_run(*state, BY_RETURN, 4);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup_large, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_all_orders_with_passed_leases_agree_with_the_model),
        CASE(test_all_orders_with_deaths_agree_with_the_model),
        CASE(test_all_orders_with_reclaim_windows_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
