/* What virtual workers do with turns: the real engine runs them, on a fiber that is kept or made
 * anew from history, and every decision is made a second time from history and compared. */
#include "engine/base/heap.h"
#include "tests/sim/sim.h"

#include <string.h>

/* ---- what it has ----------------------------------------------------------------------------- */

void sim_turn_release(struct sim_turn *turn)
{
    hf_execution_free(turn->execution);
    struct hf_arena arena = turn->arena;
    if (arena.heap) hf_arena_reset(&arena);
    *turn = (struct sim_turn){ .arena = arena };
}

void sim_live_evict(struct sim_worker *worker)
{
    for (size_t i = 0; i < SIM_LIVE_MAX; i++) {
        hf_execution_free(worker->live[i].code);
        worker->live[i] = (struct sim_live){ 0 };
    }
}

/* The code that stands where the grant's turn begins; NULL: it is to be made. What stands elsewhere
 * is of no use any more. */
static struct hf_execution *live_take(struct sim_worker *worker, const struct hf_turn_grant *grant)
{
    for (size_t i = 0; i < SIM_LIVE_MAX; i++) {
        struct sim_live *live = &worker->live[i];
        if (!live->code || live->instance != grant->token.instance) continue;
        struct hf_execution *code = live->code;
        bool fits = live->execution == grant->execution && live->head == grant->token.head;
        *live = (struct sim_live){ 0 };
        if (fits) return code;
        hf_execution_free(code);
    }
    return NULL;
}

static void live_keep(struct sim *sim, struct sim_worker *worker, const struct sim_turn *turn,
                      uint64_t head)
{
    struct sim_live *live = &worker->live[hf_test_random_below(&sim->random, SIM_LIVE_MAX)];
    hf_execution_free(live->code);
    *live = (struct sim_live){ .instance = turn->grant.token.instance,
                               .execution = turn->grant.execution,
                               .head = head,
                               .code = turn->execution };
}

/* A turn in its hands, decided or not, by chance; NULL: none. */
static struct sim_turn *turn_choose(struct sim *sim, struct sim_worker *worker, bool is_decided)
{
    struct sim_turn *chosen = NULL;
    uint64_t count = 0;
    for (size_t i = 0; i < SIM_TURNS_MAX; i++) {
        struct sim_turn *turn = &worker->turns[i];
        if (!turn->is_used || turn->is_in_group || turn->is_decided != is_decided) continue;
        if (hf_test_random_below(&sim->random, ++count) == 0) chosen = turn;
    }
    return chosen;
}

/* ---- running --------------------------------------------------------------------------------- */

static hf_status turn_read(struct sim *sim, struct sim_turn *turn, hf_error *error)
{
    const struct hf_item_id from = { .instance = turn->grant.token.instance,
                                     .execution = turn->grant.execution,
                                     .event_id = 1 };
    hf_arena_reset(&turn->arena);
    sim->may_fault = true;
    sim->fault_has_struck = false;
    hf_status status = sim->backend->ops->turn_view(sim->backend, &from, &turn->arena, &turn->view,
                                                    error);
    sim->may_fault = false;
    return status;
}

static hf_status turn_decide(struct sim *sim, struct sim_worker *worker, struct sim_turn *turn,
                             hf_error *error)
{
    hf_status status = HF_OK;
    struct hf_turn_view view = turn->view;
    turn->execution = live_take(worker, &turn->grant);
    if (turn->execution) {
        view.events_count = 0;
    } else {
        sim->result.replays++;
        status = hf_execution_new(&sim->engine, &view, turn->grant.execution, &turn->execution,
                                  error);
    }
    if (status != HF_OK) return status;
    status = hf_execution_turn(turn->execution, &view, sim->wall_ms, &turn->arena, &turn->decision,
                               error);
    if (status != HF_OK) return status;
    return hf_execution_check(&sim->engine, &turn->view, sim->wall_ms, &turn->decision, error);
}

/* One that is not to be had any more may read what does not fit together. */
static void turn_run(struct sim *sim, struct sim_worker *worker)
{
    hf_error error = { 0 };
    struct sim_turn *turn = turn_choose(sim, worker, false);
    if (!turn) return;
    sim_note(sim, "%s runs turn of %llu", worker->id,
             (unsigned long long)turn->grant.token.instance);
    hf_status status = turn_read(sim, turn, &error);
    if (status != HF_OK && sim->fault_has_struck) return; /* tried again later */
    if (status == HF_OK) status = turn_decide(sim, worker, turn, &error);
    turn->is_decided = status == HF_OK;
    if (status == HF_OK) return;
    sim_check(sim, !sim_turn_token_holds(sim, &turn->grant.token, worker->registration),
              "a turn of instance %llu: %s: %s", (unsigned long long)turn->grant.token.instance,
              hf_status_name(status), error.message);
    sim_turn_release(turn);
}

/* ---- acts ------------------------------------------------------------------------------------ */

static void act_fetch(struct sim *sim, struct sim_worker *worker)
{
    size_t room = worker->turns_max;
    for (size_t i = 0; i < SIM_TURNS_MAX; i++) {
        if (worker->turns[i].is_used && room > 0) room--;
    }
    if (room == 0) return;
    struct sim_act *act = sim_act_add(sim, HF_STORE_FETCH_TURNS);
    act->worker = worker;
    act->command.fetch_turns = (struct hf_store_fetch_turns){
        .registration = worker->registration,
        .engine_version_max = HF_ENGINE_VERSION,
        .turns_max = room
    };
    act->has_peeked = sim->group.count == 1;
    if (act->has_peeked) {
        act->peek = (struct hf_peek){ .registration = worker->registration,
                                      .engine_version_max = HF_ENGINE_VERSION };
        sim_peek(sim, act);
    }
    sim_note(sim, "%s fetches up to %zu turns", worker->id, room);
}

/* One that was lost too often is given up, unread. */
static void act_bury(struct sim *sim, struct sim_worker *worker, struct sim_turn *turn)
{
    struct sim_act *act = sim_act_add(sim, HF_STORE_FAIL_TURN);
    hf_error failure = { .status = HF_FAILED, .code = "poison", .message = "lost too often" };
    act->worker = worker;
    act->turn = turn;
    turn->is_in_group = true;
    act->command.fail_turn = (struct hf_store_fail_turn){
        .token = turn->grant.token,
        .registration = worker->registration,
        .attempts = turn->grant.attempt - 1,
        .body = hf_body_failed(&failure, &sim->arena),
    };
    sim_note(sim, "%s gives a turn of %llu up", worker->id,
             (unsigned long long)turn->grant.token.instance);
}

static void act_commit(struct sim *sim, struct sim_worker *worker)
{
    struct sim_turn *turn = turn_choose(sim, worker, true);
    if (!turn) return;
    if (turn->grant.attempt > sim->draw.attempts_max) {
        act_bury(sim, worker, turn);
        return;
    }
    struct sim_act *act = sim_act_add(sim, HF_STORE_COMMIT_TURN);
    act->worker = worker;
    act->turn = turn;
    turn->is_in_group = true;
    act->command.commit_turn = (struct hf_store_commit_turn){ .token = turn->grant.token,
                                                              .registration = worker->registration,
                                                              .turn = &turn->decision };
    sim_note(sim, "%s commits turn of %llu", worker->id,
             (unsigned long long)turn->grant.token.instance);
}

/* As if its code did not do what history says. */
static void act_suspend(struct sim *sim, struct sim_worker *worker)
{
    struct sim_turn *turn = turn_choose(sim, worker, true);
    if (!turn) return;
    struct sim_act *act = sim_act_add(sim, HF_STORE_SUSPEND);
    act->worker = worker;
    act->turn = turn;
    turn->is_in_group = true;
    act->command.suspend = (struct hf_store_suspend){ .token = &turn->grant.token,
                                                      .registration = worker->registration,
                                                      .code = hf_text("nondeterminism"),
                                                      .text = hf_text("it is not so") };
    sim_note(sim, "%s suspends instance %llu", worker->id,
             (unsigned long long)turn->grant.token.instance);
}

static void act_abandon(struct sim *sim, struct sim_worker *worker)
{
    struct hf_test_random *random = &sim->random;
    struct sim_turn *turn = turn_choose(sim, worker, hf_test_random_percent(random, 50));
    if (!turn) return;
    struct sim_act *act = sim_act_add(sim, HF_STORE_ABANDON_TURN);
    act->worker = worker;
    act->turn = turn;
    turn->is_in_group = true;
    bool is_delayed = hf_test_random_percent(random, 50);
    act->command.abandon_turn = (struct hf_store_abandon_turn){
        .token = turn->grant.token,
        .registration = worker->registration,
        .counted = hf_test_random_percent(random, 30),
        .reason = HF_REASON_ABANDONED,
        .delay_ms = is_delayed ? hf_test_random_from(random, 1, 60 * 1000) : 0
    };
    sim_note(sim, "%s hands a turn of %llu back", worker->id,
             (unsigned long long)turn->grant.token.instance);
}

void sim_turn_act(struct sim *sim, struct sim_worker *worker, enum sim_action action)
{
    switch (action) {
    case SIM_FETCH_TURNS: act_fetch(sim, worker); return;
    case SIM_RUN_TURN: turn_run(sim, worker); return;
    case SIM_COMMIT_TURN: act_commit(sim, worker); return;
    case SIM_ABANDON_TURN: act_abandon(sim, worker); return;
    case SIM_SUSPEND_TURN: act_suspend(sim, worker); return;
    case SIM_EVICT: sim_live_evict(worker); return;
    default: HF_UNREACHABLE("no act of a worker's");
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void learn_grants(struct sim *sim, struct sim_worker *worker,
                         const struct hf_store_fetch_turns *fetch)
{
    struct sim_turn *turn = worker->turns;
    for (size_t i = 0; i < fetch->out_turns_count; i++) {
        while (turn->is_used) turn++;
        hf_assert(turn < worker->turns + SIM_TURNS_MAX);
        sim_check(sim, hf_slice_equal(fetch->out_turns[i].orchestration, hf_text(PROGRAM_NAME)),
                  "a turn of another orchestration");
        turn->is_used = true;
        turn->grant = fetch->out_turns[i];
        turn->grant.orchestration = (hf_slice)HF_EMPTY;
    }
}

/* A commit that met with trouble is handed back later: its code has run ahead of history. */
static void learn_committed(struct sim *sim, struct sim_worker *worker, struct sim_act *act)
{
    struct sim_turn *turn = act->turn;
    const struct hf_store_command *command = &act->command;
    bool is_committed = command->status == HF_OK && command->kind == HF_STORE_COMMIT_TURN;
    if (is_committed && turn->decision.outcome == HF_OUTCOME_RUNNING) {
        live_keep(sim, worker, turn, command->commit_turn.out_head);
        turn->execution = NULL;
    }
    bool is_trouble = command->status != HF_OK && command->status != HF_STALE;
    struct hf_turn_grant grant = turn->grant;
    sim_turn_release(turn);
    if (!is_trouble) return;
    turn->is_used = true;
    turn->grant = grant;
}

void sim_turn_learn(struct sim *sim, struct sim_act *act)
{
    if (act->turn) {
        learn_committed(sim, act->worker, act);
    } else if (act->command.status == HF_OK) {
        learn_grants(sim, act->worker, &act->command.fetch_turns);
    }
}
