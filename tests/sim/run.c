/* One seed: what is drawn, the steps, the drain, the end.
 *
 * After the steps faults stop, and the workers work in turn until every instance has ended: in a
 * bounded number of rounds, or something hangs. Then each output is compared with what its program
 * computes, the store is proved, and all instances are deleted, which must leave no row. */
#include <stdio.h>
#include <string.h>

#include "engine/base/heap.h"
#include "tests/sim/sim.h"

enum {
    DRAIN_ROUNDS_MAX = 400,
    DRAIN_STEP_MS = 20 * 1000,
    COMPARE_EVERY = 16, /* steps between two looks at the whole */
    AUDIT_EVERY = 64
};

/* ---- the draw -------------------------------------------------------------------------------- */

/* How often each action is chosen when it is not switched off. */
static const uint32_t base_weights[SIM_ACTIONS_COUNT] = {
    [SIM_START] = 20,       [SIM_MESSAGE] = 20,     [SIM_RAISE] = 6,         [SIM_CANCEL] = 2,
    [SIM_TERMINATE] = 2,    [SIM_DELETE] = 2,       [SIM_SUSPEND] = 3,       [SIM_RESUME] = 6,
    [SIM_RETRY] = 8,        [SIM_REGISTER] = 30,    [SIM_RENEW] = 20,        [SIM_FETCH_TURNS] = 60,
    [SIM_RUN_TURN] = 100,   [SIM_COMMIT_TURN] = 80, [SIM_ABANDON_TURN] = 10, [SIM_EVICT] = 6,
    [SIM_FETCH_ITEMS] = 70, [SIM_COMPLETE] = 100,   [SIM_ABANDON_ITEM] = 10, [SIM_REPORT] = 4,
    [SIM_STALE] = 12,       [SIM_STALE_CLAIM] = 8,  [SIM_PRUNE] = 3,         [SIM_DELETE_ENDED] = 1,
    [SIM_RESTART] = 6,      [SIM_SUSPEND_TURN] = 1, [SIM_COPY] = 1,          [SIM_RELEASE] = 10,
    [SIM_FIRE_TIMERS] = 15, [SIM_RECLAIM] = 8,      [SIM_DECLARE_DEAD] = 8,  [SIM_SHUTDOWN] = 3,
    [SIM_CRASH] = 5,        [SIM_PAUSE] = 10,       [SIM_CLOCK] = 30,        [SIM_CLOCK_FAR] = 8,
    [SIM_WALL_JUMP] = 3,    [SIM_FAULT] = 8,        [SIM_REOPEN] = 2,        [SIM_REBOOT] = 2,
    [SIM_REBUILD] = 1,
};

/* Without these nothing would be done at all. */
static bool is_needed(enum sim_action action)
{
    return action == SIM_START || action == SIM_REGISTER || action == SIM_FETCH_TURNS ||
           action == SIM_RUN_TURN || action == SIM_COMMIT_TURN;
}

/* Whole kinds are switched off, others are made much more frequent: a swarm. */
static void draw_weights(struct sim *sim)
{
    struct hf_test_random *random = &sim->random;
    for (int i = 0; i < SIM_ACTIONS_COUNT; i++) {
        uint32_t weight = base_weights[i];
        uint64_t luck = hf_test_random_below(random, 10);
        if (luck < 3 && !is_needed((enum sim_action)i)) weight = 0;
        if (luck == 9) weight *= 4;
        sim->draw.weights[i] = weight;
    }
}

static void draw(struct sim *sim)
{
    struct hf_test_random *random = &sim->random;
    struct sim_draw *self = &sim->draw;
    draw_weights(sim);
    self->steps = (uint32_t)hf_test_random_from(random, 100, 600);
    self->workers_count = (size_t)hf_test_random_from(random, 1, SIM_WORKERS_MAX);
    self->instances_max = (size_t)hf_test_random_from(random, 1, 20);
    self->group_max = (size_t)hf_test_random_from(random, 1, 5);
    self->items_lease_ms = hf_test_random_from(random, 1000, 60000);
    self->sessions_lease_ms = self->items_lease_ms + hf_test_random_below(random, 60000);
    self->attempts_max = hf_test_random_from(random, 1, 10);
    self->fail_percent = (uint32_t)hf_test_random_below(random, 3) * 10;
    self->lose_answer_percent = (uint32_t)hf_test_random_below(random, 3);
    self->more_percent = (uint32_t)hf_test_random_below(random, 3) * 20;
    self->map_size = UINT64_C(1) << (hf_test_random_percent(random, 5) ? 20 : 28);
    self->has_large = hf_test_random_percent(random, 2);
    self->payload_size = hf_test_random_percent(random, 10) ? 70000 : 0; /* records in parts */
    for (size_t i = 0; i < self->workers_count; i++) sim_worker_draw(sim, i);
}

/* ---- the world's actions --------------------------------------------------------------------- */

static void boot_name(struct sim *sim)
{
    unsigned number = (unsigned)hf_test_random_below(&sim->random, UINT64_C(1) << 32);
    (void)snprintf(sim->boot_id, sizeof sim->boot_id, "boot-%08x", number);
}

static void clock_advance(struct sim *sim, uint64_t ms)
{
    sim->boot_ms += ms;
    sim->wall_ms += ms;
    if (sim->wall_ms > sim->wall_ms_max) sim->wall_ms_max = sim->wall_ms;
}

/* The wall clock is set: forward by hours, or back. */
static void wall_jump(struct sim *sim)
{
    uint64_t ms = hf_test_random_from(&sim->random, 1, 7200 * 1000);
    sim->wall_ms = hf_test_random_percent(&sim->random, 50) ? sim->wall_ms + ms : sim->wall_ms - ms;
    clock_advance(sim, 0);
    sim_note(sim, "the wall clock is set to %llu", (unsigned long long)sim->wall_ms);
}

/* Soft rows are gone: leases, locks, reports. */
static void soft_lost(struct sim *sim)
{
    struct sim_shadow *shadow = &sim->shadow;
    for (size_t i = 0; i < shadow->registrations_count; i++) shadow->registrations[i].boot = 0;
    for (size_t i = 0; i < shadow->instances_count; i++) {
        shadow->instances[i].lock_registration = 0;
    }
    for (size_t i = 0; i < shadow->items_count; i++) shadow->items[i].progress[0] = '\0';
}

/* All workers die, the boot clock begins anew. */
static void reboot(struct sim *sim)
{
    sim_note(sim, "the machine starts again");
    for (size_t i = 0; i < sim->draw.workers_count; i++) {
        if (sim->workers[i].is_up) sim_worker_crash(sim, &sim->workers[i]);
    }
    sim->boot++;
    boot_name(sim);
    sim->boot_ms = hf_test_random_from(&sim->random, 1000, 100000);
    sim_reopen(sim, SIM_NOTHING);
    sim->result.reboots++;
}

static void rebuild(struct sim *sim)
{
    sim_note(sim, "the store is rebuilt");
    sim_reopen(sim, SIM_IS_REBUILT);
    soft_lost(sim);
}

/* A generation begins: all that was given out before is void. */
static void become_copy(struct sim *sim)
{
    struct sim_shadow *shadow = &sim->shadow;
    sim_note(sim, "the store is a copy of itself");
    sim_reopen(sim, SIM_IS_COPIED);
    for (size_t i = 0; i < shadow->registrations_count; i++) {
        shadow->registrations[i].is_void = true;
    }
    sim->result.copies++;
}

/* A worker stands still, or goes on. */
static void worker_pause(struct sim *sim, struct sim_worker *worker)
{
    if (!worker->is_up) return;
    worker->is_paused = !worker->is_paused;
    sim_note(sim, "%s %s", worker->id, worker->is_paused ? "stands still" : "goes on");
}

static void world_act(struct sim *sim, struct sim_worker *worker, enum sim_action action)
{
    struct hf_test_random *random = &sim->random;
    switch (action) {
    case SIM_CRASH:
        if (worker->is_up) sim_worker_crash(sim, worker);
        return;
    case SIM_PAUSE: worker_pause(sim, worker); return;
    case SIM_CLOCK: clock_advance(sim, hf_test_random_from(random, 1, 2000)); return;
    case SIM_CLOCK_FAR: clock_advance(sim, hf_test_random_from(random, 2000, 200000)); return;
    case SIM_WALL_JUMP: wall_jump(sim); return;
    case SIM_FAULT: sim_fault_arm(sim); return;
    case SIM_REOPEN: sim_reopen(sim, SIM_NOTHING); return;
    case SIM_REBOOT: reboot(sim); return;
    case SIM_REBUILD: rebuild(sim); return;
    case SIM_COPY: become_copy(sim); return;
    default: sim_worker_act(sim, worker, action);
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static enum sim_action action_choose(struct sim *sim)
{
    uint64_t total = 0;
    for (int i = 0; i < SIM_ACTIONS_COUNT; i++) total += sim->draw.weights[i];
    uint64_t at = hf_test_random_below(&sim->random, total);
    for (int i = 0; i < SIM_ACTIONS_COUNT; i++) {
        if (at < sim->draw.weights[i]) return (enum sim_action)i;
        at -= sim->draw.weights[i];
    }
    HF_UNREACHABLE("the weights add up");
}

static struct sim_worker *worker_choose(struct sim *sim)
{
    return &sim->workers[hf_test_random_below(&sim->random, sim->draw.workers_count)];
}

static bool is_of_clients(enum sim_action action)
{
    return action <= SIM_RETRY;
}

static void act(struct sim *sim, enum sim_action action)
{
    struct sim_worker *worker = worker_choose(sim);
    if (is_of_clients(action)) {
        sim_client_act(sim, action);
    } else {
        world_act(sim, worker, action);
    }
}

/* What a runtime asks for within the transaction: work for one of its workers. */
static void more_add(struct sim *sim)
{
    struct sim_group *group = &sim->group;
    if (group->count == 0 || !hf_test_random_percent(&sim->random, sim->draw.more_percent)) return;
    size_t count = group->count;
    struct sim_worker *worker = worker_choose(sim);
    for (size_t i = 0; i < count; i++) {
        bool fetches = group->acts[i].worker == worker;
        if (fetches) return; /* its room is spoken for */
    }
    sim_worker_act(sim, worker, SIM_FETCH_TURNS);
    sim_worker_act(sim, worker, SIM_FETCH_ITEMS);
    group->more_count = group->count - count;
}

/* Whether an act is one that no other of the same worker may stand beside in a group: what it does
 * depends on the answer. */
static bool is_group_over(const struct sim *sim)
{
    for (size_t i = 0; i < sim->group.count; i++) {
        enum hf_store_command_kind kind = sim->group.acts[i].command.kind;
        if (kind == HF_STORE_FETCH_TURNS || kind == HF_STORE_FETCH_ITEMS) return true;
        if (kind == HF_STORE_REGISTER || kind == HF_STORE_END_REGISTRATION) return true;
    }
    return false;
}

/* The store is closed between groups alone. */
static bool is_alone(enum sim_action action)
{
    return action == SIM_REOPEN || action == SIM_REBOOT || action == SIM_REBUILD ||
           action == SIM_COPY || action == SIM_CRASH;
}

static void look(struct sim *sim)
{
    bool always = sim->options->is_thorough;
    if (always || sim->step % COMPARE_EVERY == 0) sim_shadow_compare(sim);
    if (always || sim->step % AUDIT_EVERY == 0) sim_audit(sim);
    if (always) sim_verify(sim);
}

static void step(struct sim *sim)
{
    uint64_t count = hf_test_random_from(&sim->random, 1, sim->draw.group_max);
    sim->step++;
    sim->result.steps++;
    hf_arena_reset(&sim->arena);
    for (uint64_t i = 0; i < count && !is_group_over(sim); i++) {
        enum sim_action action = action_choose(sim);
        if (is_alone(action) && sim->group.count > 0) break;
        act(sim, action);
    }
    more_add(sim);
    sim_group_commit(sim);
    look(sim);
}

/* ---- the drain ------------------------------------------------------------------------------- */

static void drain_act(struct sim *sim, struct sim_worker *worker, enum sim_action action)
{
    sim->step++;
    hf_arena_reset(&sim->arena);
    sim_worker_act(sim, worker, action);
    sim_group_commit(sim);
}

static void drain_worker(struct sim *sim, struct sim_worker *worker)
{
    drain_act(sim, worker, SIM_REGISTER);
    drain_act(sim, worker, SIM_RENEW);
    drain_act(sim, worker, SIM_FIRE_TIMERS);
    drain_act(sim, worker, SIM_RECLAIM);
    drain_act(sim, worker, SIM_FETCH_TURNS);
    for (int i = 0; i < SIM_TURNS_MAX; i++) {
        drain_act(sim, worker, SIM_RUN_TURN);
        drain_act(sim, worker, SIM_COMMIT_TURN);
    }
    drain_act(sim, worker, SIM_FETCH_ITEMS);
    for (int i = 0; i < SIM_ITEMS_MAX; i++) drain_act(sim, worker, SIM_COMPLETE);
    drain_act(sim, worker, SIM_RELEASE);
}

/* Clients send what is waited for, and let go on what they have suspended. */
static void drain_clients(struct sim *sim)
{
    for (size_t i = 0; i < sim->shadow.instances_count; i++) {
        hf_arena_reset(&sim->arena);
        if (sim->shadow.instances[i].is_suspended) sim_client_resume(sim, (int)i);
        (void)sim_client_send(sim, (int)i);
        sim_group_commit(sim);
    }
}

static const struct sim_instance *unended(const struct sim *sim)
{
    for (size_t i = 0; i < sim->shadow.instances_count; i++) {
        if (sim->shadow.instances[i].life == SIM_RUNNING) return &sim->shadow.instances[i];
    }
    return NULL;
}

static void drain(struct sim *sim)
{
    sim->is_draining = true;
    sim->fault_after = 0;
    sim->wall_ms = sim->wall_ms_max;
    sim_note(sim, "the drain begins");
    if (sim->draw.map_size < UINT64_C(1) << 28) sim_reopen(sim, SIM_NOTHING);
    for (size_t i = 0; i < sim->draw.workers_count; i++) sim->workers[i].is_paused = false;
    for (int round = 0; unended(sim); round++) {
        sim_check(sim, round < DRAIN_ROUNDS_MAX, "%s does not end: %.16s", unended(sim)->id,
                  unended(sim)->program.ops);
        clock_advance(sim, DRAIN_STEP_MS);
        drain_clients(sim);
        for (size_t i = 0; i < sim->draw.workers_count; i++) drain_worker(sim, &sim->workers[i]);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void check_output(struct sim *sim, const struct sim_instance *instance)
{
    hf_error error, failure;
    struct hf_instance_info info;
    hf_slice output = HF_EMPTY;
    if (instance->life != SIM_ENDED) return;
    hf_status status = sim->backend->ops->instance(sim->backend, hf_text(instance->id), &sim->arena,
                                                   &info, &error);
    if (status == HF_OK) {
        status = hf_body_read_output(info.output_body, &sim->arena, &output, &failure, &error);
    }
    sim_check(sim, status == HF_OK, "the output of %s: %s", instance->id, error.message);
    if (instance->is_touched) {
        sim->result.touched++;
        return;
    }
    uint64_t expected = program_expected(&instance->program);
    bool fails = program_fails(&instance->program);
    uint64_t status_expected = fails ? HF_INSTANCE_FAILED : HF_INSTANCE_COMPLETED;
    sim_check(sim, info.status == status_expected, "%s has status %llu", instance->id,
              (unsigned long long)info.status);
    if (fails) output = failure.data;
    sim_check(sim, program_value(output) == expected,
              "the output of %s (%.16s) is %llu instead of %llu", instance->id,
              instance->program.ops, (unsigned long long)program_value(output),
              (unsigned long long)expected);
    sim->result.completed++;
}

static void end(struct sim *sim)
{
    struct sim_shadow *shadow = &sim->shadow;
    sim_shadow_compare(sim);
    for (size_t i = 0; i < shadow->instances_count; i++) check_output(sim, &shadow->instances[i]);
    sim_verify(sim);
    sim->result.digest ^= sim_fingerprint(sim);
    for (size_t i = 0; i < shadow->instances_count; i++) {
        hf_arena_reset(&sim->arena);
        if (shadow->instances[i].life == SIM_ENDED) sim_client_delete(sim, (int)i);
        sim_group_commit(sim);
    }
    for (size_t i = 0; i < sim->draw.workers_count; i++) {
        drain_act(sim, &sim->workers[i], SIM_REGISTER);
        drain_act(sim, &sim->workers[i], SIM_RENEW);
        for (int k = 0; k < DRAIN_ROUNDS_MAX / 10; k++) {
            drain_act(sim, &sim->workers[i], SIM_RECLAIM);
        }
    }
    sim_audit(sim);
    sim_check_empty(sim);
}

static void shadow_release(struct sim_shadow *self)
{
    const hf_allocator *heap = hf_heap_default();
    hf_heap_free(heap, self->instances, self->instances_capacity * sizeof *self->instances);
    hf_heap_free(heap, self->items, self->items_capacity * sizeof *self->items);
    hf_heap_free(heap, self->sessions, self->sessions_capacity * sizeof *self->sessions);
    hf_heap_free(heap, self->registrations,
                 self->registrations_capacity * sizeof *self->registrations);
    hf_heap_free(heap, self->tokens, self->tokens_capacity * sizeof *self->tokens);
    hf_heap_free(heap, self->claims, self->claims_capacity * sizeof *self->claims);
    hf_heap_free(heap, self->keyed, self->keyed_capacity * sizeof *self->keyed);
}

/* Apart from sim_run, whose variables a jump may spoil. */
static void run(struct sim *sim)
{
    draw(sim);
    sim_open(sim);
    for (uint32_t i = 0; i < sim->draw.steps; i++) step(sim);
    drain(sim);
    end(sim);
}

void sim_run(const struct sim_options *options, struct sim_result *out_result)
{
    struct sim *sim = hf_heap_new(hf_heap_default(), sizeof *sim);
    hf_assert(sim);
    sim->options = options;
    sim->random.state = options->seed;
    sim->result.seeds = 1;
    sim->result.digest = options->seed;
    sim->boot = 1;
    boot_name(sim);
    sim->boot_ms = hf_test_random_from(&sim->random, 1, UINT64_C(1) << 32); /* up to 50 days */
    sim->wall_ms = sim->wall_ms_max = UINT64_C(1700000000000);
    if (setjmp(sim->failed) == 0) {
        run(sim);
    } else {
        sim->result.has_failed = true;
        sim->result.failed_seed = options->seed;
        sim->result.failed_step = sim->step;
    }
    sim_close(sim);
    shadow_release(&sim->shadow);
    *out_result = sim->result;
    hf_heap_free(hf_heap_default(), sim, sizeof *sim);
}

void sim_result_add(struct sim_result *self, const struct sim_result *other)
{
    self->seeds += other->seeds;
    self->steps += other->steps;
    self->commands += other->commands;
    self->refusals += other->refusals;
    self->turns += other->turns;
    self->replays += other->replays;
    self->items += other->items;
    self->claims += other->claims;
    self->crashes += other->crashes;
    self->reboots += other->reboots;
    self->copies += other->copies;
    self->fulls += other->fulls;
    self->restarts += other->restarts;
    self->faults += other->faults;
    self->instances += other->instances;
    self->completed += other->completed;
    self->touched += other->touched;
    self->digest = self->digest * 31 + other->digest;
    if (!other->has_failed) return;
    self->has_failed = true;
    self->failed_seed = other->failed_seed;
    self->failed_step = other->failed_step;
}
