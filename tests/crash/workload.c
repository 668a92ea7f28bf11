/* The steps of workload.h, and their judge. */
#include "tests/crash/workload.h"

#include <stdio.h>

#include "engine/base/compiler.h"
#include "tests/conformance/subject.h"
#include "tests/crash/shim.h"
#include "tests/crash/short_memory.h"

/* ---- steps ---------------------------------------------------------------------------------- */

/* One command: makes it, and heeds its answer when it was done. */
struct step {
    const char *name;
    void (*make)(struct workload *self, struct hf_store_command *command);
    void (*heed)(struct workload *self, const struct hf_store_command *command);
};

static void register_a(struct workload *self, struct hf_store_command *command)
{
    *command = register_command(&self->world, "a");
}

static void heed_a(struct workload *self, const struct hf_store_command *command)
{
    self->a = command->register_worker.out_registration;
}

static void register_b(struct workload *self, struct hf_store_command *command)
{
    *command = register_command(&self->world, "b");
}

static void heed_b(struct workload *self, const struct hf_store_command *command)
{
    self->b = command->register_worker.out_registration;
}

static void start_one(struct workload *self, struct hf_store_command *command)
{
    (void)self;
    *command = start_command("one");
    command->start.key = hf_text("key 1");
}

static void start_two(struct workload *self, struct hf_store_command *command)
{
    (void)self;
    *command = start_command("two");
}

static void send(struct workload *self, struct hf_store_command *command)
{
    (void)self;
    *command = message_command("one", "hello");
    command->message.key = hf_text("key 2");
}

static void fetch_turn_a(struct workload *self, struct hf_store_command *command)
{
    *command = fetch_turns_command(&self->world, self->a);
}

static void fetch_turn_b(struct workload *self, struct hf_store_command *command)
{
    *command = fetch_turns_command(&self->world, self->b);
}

static void heed_turn(struct workload *self, const struct hf_store_command *command)
{
    assert_int_equal(command->fetch_turns.out_turns_count, 1);
    self->turn = command->fetch_turns.out_turns[0];
}

static struct plan *plan_of(struct workload *self, uint64_t registration)
{
    return plan_new(&self->world, registration, &self->turn);
}

static void commit_work(struct workload *self, struct hf_store_command *command)
{
    struct plan *plan = plan_of(self, self->a);
    plan_open(plan, 1, "s", "");
    plan_item(plan, 1, "");
    plan_item(plan, 1, "");
    plan_item(plan, 0, "");
    plan_timer(plan, self->world.wall_ms + 1);
    *command = plan_command(plan);
}

static void fetch_items(struct workload *self, struct hf_store_command *command)
{
    *command = fetch_items_command(&self->world, self->a);
    command->fetch_items.items_max = WORKLOAD_ITEMS;
}

static void heed_items(struct workload *self, const struct hf_store_command *command)
{
    assert_int_equal(command->fetch_items.out_items_count, WORKLOAD_ITEMS);
    for (size_t i = 0; i < WORKLOAD_ITEMS; i++) {
        self->items[i] = command->fetch_items.out_items[i];
    }
}

static void complete_first(struct workload *self, struct hf_store_command *command)
{
    *command = complete_command(self->a, &self->items[0].token);
}

static void abandon_last(struct workload *self, struct hf_store_command *command)
{
    *command = abandon_command(self->a, &self->items[2].token);
    command->abandon_item.delay_ms = 1;
}

static void fire_timers(struct workload *self, struct hf_store_command *command)
{
    (void)self;
    *command = (struct hf_store_command){ .kind = HF_STORE_FIRE_TIMERS };
    command->fire_timers.timers_max = 100;
}

static void renew(struct workload *self, struct hf_store_command *command)
{
    *command = renew_command(&self->world, self->a);
}

/* The session is closed while its second item runs: that is purged. */
static void commit_close(struct workload *self, struct hf_store_command *command)
{
    struct plan *plan = plan_of(self, self->b);
    plan_close(plan, 1);
    plan_child(plan, "kid");
    *command = plan_command(plan);
}

static void commit_kid(struct workload *self, struct hf_store_command *command)
{
    struct plan *plan = plan_of(self, self->a);
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan->record.parent_body = hf_text("outcome");
    *command = plan_command(plan);
}

static void suspend(struct workload *self, struct hf_store_command *command)
{
    (void)self;
    *command = (struct hf_store_command){ .kind = HF_STORE_SUSPEND };
    command->suspend = (struct hf_store_suspend){ .id = hf_text("two"), .code = hf_text("asked") };
}

static void terminate(struct workload *self, struct hf_store_command *command)
{
    (void)self;
    *command = (struct hf_store_command){ .kind = HF_STORE_TERMINATE };
    command->terminate = (struct hf_store_terminate){ .id = hf_text("two"),
                                                      .body = hf_text("terminated") };
}

static void delete_two(struct workload *self, struct hf_store_command *command)
{
    (void)self;
    *command = (struct hf_store_command){ .kind = HF_STORE_DELETE };
    command->delete_instance.id = hf_text("two");
}

/* It dies in a turn. */
static void declare_dead(struct workload *self, struct hf_store_command *command)
{
    world_kill(&self->world, "b");
    *command = (struct hf_store_command){ .kind = HF_STORE_END_REGISTRATION };
    command->end_registration = (struct hf_store_end_registration){ .registration = self->b,
                                                                    .reason = HF_REASON_DEAD };
}

static void reclaim(struct workload *self, struct hf_store_command *command)
{
    (void)self;
    *command = (struct hf_store_command){ .kind = HF_STORE_RECLAIM };
}

static void commit_continue(struct workload *self, struct hf_store_command *command)
{
    struct plan *plan = plan_of(self, self->a);
    plan_cancel(plan, self->items[2].token.item.event_id);
    plan_end(plan, HF_OUTCOME_CONTINUED);
    *command = plan_command(plan);
}

static void commit_end(struct workload *self, struct hf_store_command *command)
{
    struct plan *plan = plan_of(self, self->a);
    plan_end(plan, HF_OUTCOME_COMPLETED);
    *command = plan_command(plan);
}

static void prune(struct workload *self, struct hf_store_command *command)
{
    static const struct hf_instance_run run = { 1, 2 };
    (void)self;
    *command = (struct hf_store_command){ .kind = HF_STORE_PRUNE };
    command->prune = (struct hf_store_prune){ .runs = &run, .count = 1 };
}

static void leave(struct workload *self, struct hf_store_command *command)
{
    *command = (struct hf_store_command){ .kind = HF_STORE_END_REGISTRATION };
    command->end_registration = (struct hf_store_end_registration){ .registration = self->a,
                                                                    .reason = HF_REASON_SHUTDOWN };
}

static const struct step steps[] = {
    { "register a", register_a, heed_a },
    { "register b", register_b, heed_b },
    { "start one", start_one, NULL },
    { "start one again, by its key", start_one, NULL },
    { "fetch the first turn", fetch_turn_a, heed_turn },
    { "commit work", commit_work, NULL },
    { "send", send, NULL },
    { "send again, by its key", send, NULL },
    { "fetch items", fetch_items, heed_items },
    { "complete", complete_first, NULL },
    { "abandon", abandon_last, NULL },
    { "fire timers", fire_timers, NULL },
    { "renew", renew, NULL },
    { "fetch the second turn", fetch_turn_b, heed_turn },
    { "commit a close and a child", commit_close, NULL },
    { "fetch the child's turn", fetch_turn_a, heed_turn },
    { "commit the child's end", commit_kid, NULL },
    { "start two", start_two, NULL },
    { "suspend two", suspend, NULL },
    { "terminate two", terminate, NULL },
    { "delete two", delete_two, NULL },
    { "fetch the third turn", fetch_turn_b, NULL },
    { "declare b dead", declare_dead, NULL },
    { "reclaim", reclaim, NULL },
    { "fetch the third turn again", fetch_turn_a, heed_turn },
    { "commit a continuation", commit_continue, NULL },
    { "fetch the fourth turn", fetch_turn_a, heed_turn },
    { "commit the end", commit_end, NULL },
    { "prune", prune, NULL },
    { "leave", leave, NULL },
};

/* ---- the workload --------------------------------------------------------------------------- */

size_t workload_steps_count(void)
{
    return HF_COUNT_OF(steps);
}

const char *workload_step_name(size_t step)
{
    return step < HF_COUNT_OF(steps) ? steps[step].name : "close";
}

void workload_init(struct workload *self, const char *directory, hf_durability durability)
{
    *self = (struct workload){ .a = 0 };
    world_init(&self->world);
    self->world.durability = durability;
    self->world.preallocate_size = 128 * 1024; /* the file grows while it is watched */
    int size = snprintf(self->world.directory.path, sizeof self->world.directory.path, "%s",
                        directory);
    assert_in_range(size, 1, sizeof self->world.directory.path - 1);
}

hf_status workload_step(struct workload *self, size_t step)
{
    struct hf_store_command command;
    assert_true(step < HF_COUNT_OF(steps));
    self->world.wall_ms = UINT64_C(1700000000000) + step * 1000;
    self->world.random_state = 42 + step;
    steps[step].make(self, &command);
    command.arena = &self->world.arena;
    struct hf_store_command *group[] = { &command };
    struct hf_batch batch = { .commands = group, .count = 1 };
    struct hf_backend *backend = self->world.backend;
    short_memory_arm(true);
    hf_status status = backend->ops->commit(backend, &batch, &self->world.error);
    short_memory_arm(false);
    if (status != HF_OK) return status;
    self->world.error = command.error;
    if (command.status == HF_OK && steps[step].heed) steps[step].heed(self, &command);
    return command.status;
}

/* ---- the judge ------------------------------------------------------------------------------ */

void reference_make(struct reference *self, hf_durability durability)
{
    struct hf_test_directory directory;
    struct workload workload;
    hf_test_directory_make(&directory);
    shim_start(directory.path, &(struct shim_plan){ .fault = SHIM_NONE }, -1);
    workload_init(&workload, directory.path, durability);
    world_open(&workload.world);
    self->fingerprints[0] = subject_fingerprint(workload.world.backend);
    for (size_t step = 0; step < HF_COUNT_OF(steps); step++) {
        assert_ok(workload_step(&workload, step), &workload.world.error);
        self->fingerprints[step + 1] = subject_fingerprint(workload.world.backend);
    }
    subject_verify(workload.world.backend);
    world_leave(&workload.world);
    self->calls_count = shim_calls_count();
    shim_stop();
    hf_test_directory_remove(&directory);
}

size_t reference_find(const struct reference *self, struct hf_backend *backend, size_t acked)
{
    uint64_t fingerprint = subject_fingerprint(backend);
    for (size_t count = acked; count <= acked + 1 && count <= HF_COUNT_OF(steps); count++) {
        if (self->fingerprints[count] == fingerprint) return count;
    }
    fail_msg("with %zu steps acknowledged and \"%s\" under way it is neither", acked,
             workload_step_name(acked));
    return 0;
}

void workload_prove(struct world *world)
{
    subject_verify(world->backend);
    uint64_t registration = worker_register(world, "newcomer");
    instance_start(world, "new");
    struct hf_store_command fetch = fetch_turns_command(world, registration);
    fetch.fetch_turns.turns_max = 10;
    assert_ok(world_run(world, &fetch), &world->error);
    size_t count = fetch.fetch_turns.out_turns_count;
    assert_in_range(count, 1, 10);
    plan_commit(plan_new(world, registration, &fetch.fetch_turns.out_turns[count - 1]));
    assert_int_equal(instance_info(world, "new").status, HF_INSTANCE_RUNNING);
    subject_verify(world->backend);
}

void workload_judge(const struct reference *reference, const char *directory, size_t acked)
{
    struct workload workload;
    workload_init(&workload, directory, HF_DURABLE_NONE);
    world_open(&workload.world);
    reference_find(reference, workload.world.backend, acked);
    workload_prove(&workload.world);
    world_leave(&workload.world);
}
