/* The world of command tests: see world.h. It is the seams, and short words; what must be so is
 * asserted by the tests. */
#include "tests/conformance/world.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/compiler.h"
#include "engine/base/heap.h"
#include "tests/conformance/subject.h"

/* ---- the seams ------------------------------------------------------------------------------- */

static uint64_t clock_boot_ms(void *self)
{
    return ((struct world *)self)->boot_ms;
}

static uint64_t clock_wall_unix_ms(void *self)
{
    return ((struct world *)self)->wall_ms;
}

/* xorshift64*: the same numbers in each run. */
static void seam_random(void *self, void *bytes, size_t size)
{
    struct world *world = self;
    unsigned char *to = bytes;
    for (size_t i = 0; i < size; i++) {
        world->random_state ^= world->random_state >> 12;
        world->random_state ^= world->random_state << 25;
        world->random_state ^= world->random_state >> 27;
        to[i] = (unsigned char)(world->random_state * UINT64_C(2685821657736338717) >> 56);
    }
}

static bool seam_is_alive(void *self, hf_slice life)
{
    struct world *world = self;
    for (size_t i = 0; i < world->lives_count; i++) {
        if (hf_slice_equal(hf_text(world->lives[i].name), life)) return world->lives[i].is_alive;
    }
    return false;
}

static int seam_fault(void *self, enum hf_fault_point point)
{
    struct world *world = self;
    if (point == HF_FAULT_PUT) world->puts_count++;
    if (point == HF_FAULT_DELETE) world->deletes_count++;
    if (world->fault_after == 0 || point != world->fault_point) return 0;
    return --world->fault_after == 0 ? world->fault_code : 0;
}

static void seam_log(void *self, const hf_log_line *line)
{
    struct world *world = self;
    if (strcmp(line->event, "item.damaged") == 0 || strcmp(line->event, "child.damaged") == 0) {
        world->damaged_count++;
    }
}

hf_status world_try_open(struct world *world)
{
    struct hf_backend_options options = { .durability = world->durability,
                                          .read_only = world->is_read_only,
                                          .map_size_max = world->map_size,
                                          .preallocate_size = world->preallocate_size,
                                          .seams = &world->seams };
    return hf_backend_open(world->directory.path, &options, &world->backend, &world->error);
}

void world_open(struct world *world)
{
    assert_ok(world_try_open(world), &world->error);
}

void world_init(struct world *world)
{
    memset(world, 0, sizeof *world);
    world->map_size = UINT64_C(1) << 28;
    world->durability = HF_DURABLE_NONE;
    world->preallocate_size = 1; /* never */
    hf_arena_init(&world->arena, hf_heap_default());
    world->boot_ms = 1000 * 1000;
    world->wall_ms = UINT64_C(1700000000000);
    world->random_state = 42;
    world->clock = (hf_clock){ .size = sizeof(hf_clock),
                               .self = world,
                               .boot_ms = clock_boot_ms,
                               .wall_unix_ms = clock_wall_unix_ms };
    world->seams = (struct hf_seams){ .allocator = hf_heap_default(),
                                      .clock = &world->clock,
                                      .self = world,
                                      .random = seam_random,
                                      .is_alive = seam_is_alive,
                                      .boot_id = hf_text("boot-1"),
                                      .fault = seam_fault,
                                      .log = seam_log };
}

static int setup(void **state, uint64_t map_size)
{
    struct world *world = malloc(sizeof *world);
    assert_non_null(world);
    world_init(world);
    if (map_size > 0) world->map_size = map_size;
    hf_test_directory_make(&world->directory);
    world_open(world);
    *state = world;
    return 0;
}

void world_leave(struct world *world)
{
    world->backend->ops->close(world->backend);
    hf_arena_release(&world->arena);
}

int world_setup(void **state)
{
    return setup(state, 0);
}

int world_setup_large(void **state)
{
    bool is_small = HF_TSAN || sizeof(size_t) < 8;
    return setup(state, is_small ? UINT64_C(1) << 30 : UINT64_C(8) << 30);
}

int world_teardown(void **state)
{
    struct world *world = *state;
    world->fault_after = 0;
    world_verify(world);
    return world_teardown_unverified(state);
}

int world_teardown_unverified(void **state)
{
    struct world *world = *state;
    world_leave(world);
    hf_test_directory_remove(&world->directory);
    free(world);
    return 0;
}

void world_reopen(struct world *world, const char *boot_id)
{
    world->backend->ops->close(world->backend);
    if (boot_id) world->seams.boot_id = hf_text(boot_id);
    world_open(world);
}

/* ---- looking at the whole -------------------------------------------------------------------- */

void world_verify(struct world *world)
{
    subject_verify(world->backend);
}

uint64_t world_fingerprint(struct world *world)
{
    return subject_fingerprint(world->backend);
}

uint64_t world_next_lsn(struct world *world)
{
    return subject_next_lsn(world->backend);
}

struct hf_store_counters world_counters(struct world *world)
{
    struct hf_store_counters counters;
    world->backend->ops->counters(world->backend, &counters);
    return counters;
}

/* ---- commands -------------------------------------------------------------------------------- */

void world_group(struct world *world, struct hf_store_command **commands, size_t count)
{
    struct hf_batch batch = { .commands = commands, .count = count };
    for (size_t i = 0; i < count; i++) commands[i]->arena = &world->arena;
    assert_ok(world->backend->ops->commit(world->backend, &batch, &world->error), &world->error);
    world->effects = batch.effects;
}

hf_status world_run(struct world *world, struct hf_store_command *command)
{
    world_group(world, &command, 1);
    world->error = command->error;
    return command->status;
}

/* Runs a command that must succeed. */
static void run_ok(struct world *world, struct hf_store_command *command)
{
    hf_status status = world_run(world, command);
    assert_ok(status, &world->error);
}

void world_assert_refused(struct world *world, struct hf_store_command *command, hf_status status,
                          const char *code, const char *file, int line)
{
    uint64_t next_lsn = world_next_lsn(world);
    uint64_t fingerprint = world_fingerprint(world);
    hf_status answer = world_run(world, command);
    if (answer != status || strcmp(world->error.code, code) != 0) {
        print_error("refused with %s, code \"%s\", where %s, code \"%s\" was expected: %s\n",
                    hf_status_name(answer), world->error.code, hf_status_name(status), code,
                    world->error.message);
        _fail(file, line);
    }
    if (command->lsn != 0 || world->error.lsn != 0 || world->error.status != status ||
        world->error.message[0] == 0) {
        print_error("the refusal names a record, has another status, or no message\n");
        _fail(file, line);
    }
    if (world_next_lsn(world) != next_lsn || world_fingerprint(world) != fingerprint) {
        print_error("the refused command has left a trace\n");
        _fail(file, line);
    }
}

/* ---- workers --------------------------------------------------------------------------------- */

static struct world_life *life_of(struct world *world, const char *name)
{
    for (size_t i = 0; i < world->lives_count; i++) {
        if (strcmp(world->lives[i].name, name) == 0) return &world->lives[i];
    }
    assert_true(world->lives_count < WORLD_LIVES_MAX);
    struct world_life *life = &world->lives[world->lives_count++];
    assert_true(strlen(name) < sizeof life->name);
    memcpy(life->name, name, strlen(name) + 1);
    return life;
}

void world_kill(struct world *world, const char *worker_id)
{
    life_of(world, worker_id)->is_alive = false;
}

struct hf_store_command register_command(struct world *world, const char *worker_id)
{
    struct hf_store_command command = { .kind = HF_STORE_REGISTER };
    command.register_worker = (struct hf_store_register){
        .worker_id = hf_text(worker_id),
        .life = hf_text(worker_id),
        .boot_id = world->seams.boot_id,
        .pid = 4711,
        .items_deadline_boot_ms = world->boot_ms + WORLD_ITEMS_MS,
        .sessions_deadline_boot_ms = world->boot_ms + WORLD_SESSIONS_MS,
    };
    return command;
}

uint64_t worker_register(struct world *world, const char *worker_id)
{
    return worker_register_to_return(world, worker_id, 0);
}

uint64_t worker_register_to_return(struct world *world, const char *worker_id, uint64_t reclaim_ms)
{
    struct hf_store_command command = register_command(world, worker_id);
    command.register_worker.reclaim_ms = reclaim_ms;
    run_ok(world, &command);
    life_of(world, worker_id)->is_alive = true;
    assert_true(command.register_worker.out_registration >= command.lsn && command.lsn != 0);
    return command.register_worker.out_registration;
}

struct hf_store_command renew_command(struct world *world, uint64_t registration)
{
    struct hf_store_command command = { .kind = HF_STORE_RENEW };
    command.renew = (struct hf_store_renew){
        .registration = registration,
        .items_deadline_boot_ms = world->boot_ms + WORLD_ITEMS_MS,
        .sessions_deadline_boot_ms = world->boot_ms + WORLD_SESSIONS_MS,
    };
    return command;
}

void worker_renew(struct world *world, uint64_t registration)
{
    struct hf_store_command command = renew_command(world, registration);
    run_ok(world, &command);
}

hf_status worker_end(struct world *world, uint64_t registration, enum hf_reason reason)
{
    struct hf_store_command command = { .kind = HF_STORE_END_REGISTRATION };
    command.end_registration.registration = registration;
    command.end_registration.reason = reason;
    return world_run(world, &command);
}

void worker_die(struct world *world, const char *worker_id, uint64_t registration)
{
    world_kill(world, worker_id);
    assert_ok(worker_end(world, registration, HF_REASON_DEAD), &world->error);
}

size_t world_reclaim(struct world *world)
{
    size_t steps_count = 0;
    struct hf_store_command command;
    do {
        command = (struct hf_store_command){ .kind = HF_STORE_RECLAIM };
        run_ok(world, &command);
        if (command.lsn != 0) steps_count++;
    } while (command.reclaim.out_more);
    return steps_count;
}

/* ---- clients --------------------------------------------------------------------------------- */

struct hf_store_command start_command(const char *id)
{
    struct hf_store_command command = { .kind = HF_STORE_START };
    command.start.id = hf_text(id);
    command.start.orchestration = hf_text("demo");
    command.start.body = hf_text("input");
    return command;
}

uint64_t instance_start(struct world *world, const char *id)
{
    struct hf_store_command command = start_command(id);
    run_ok(world, &command);
    return command.start.out_instance;
}

struct hf_store_command message_command(const char *id, const char *body)
{
    struct hf_store_command command = { .kind = HF_STORE_MESSAGE };
    command.message.id = hf_text(id);
    command.message.body = hf_text(body);
    return command;
}

void instance_message(struct world *world, const char *id, const char *body)
{
    struct hf_store_command command = message_command(id, body);
    run_ok(world, &command);
}

/* ---- turns ----------------------------------------------------------------------------------- */

struct hf_store_command fetch_turns_command(struct world *world, uint64_t registration)
{
    struct hf_store_command command = { .kind = HF_STORE_FETCH_TURNS, .arena = &world->arena };
    command.fetch_turns = (struct hf_store_fetch_turns){ .registration = registration,
                                                         .engine_version_min = WORLD_VERSION,
                                                         .engine_version_max = WORLD_VERSION,
                                                         .turns_max = 1 };
    return command;
}

bool turn_fetch(struct world *world, uint64_t registration, struct hf_turn_grant *out_grant)
{
    struct hf_store_command command = fetch_turns_command(world, registration);
    run_ok(world, &command);
    assert_true(command.fetch_turns.out_turns_count <= 1);
    if (command.fetch_turns.out_turns_count == 0) return false;
    *out_grant = command.fetch_turns.out_turns[0];
    return true;
}

struct hf_turn_grant turn_take(struct world *world, uint64_t registration)
{
    struct hf_turn_grant grant;
    assert_true(turn_fetch(world, registration, &grant));
    return grant;
}

struct hf_store_command abandon_turn_command(uint64_t registration,
                                             const struct hf_turn_token *token)
{
    struct hf_store_command command = { .kind = HF_STORE_ABANDON_TURN };
    command.abandon_turn.registration = registration;
    command.abandon_turn.token = *token;
    return command;
}

struct plan *plan_new(struct world *world, uint64_t registration, const struct hf_turn_grant *grant)
{
    struct plan *plan = hf_arena_new(&world->arena, sizeof *plan);
    assert_non_null(plan);
    struct hf_turn_view view = turn_view(world, grant->token.instance, grant->execution);
    *plan = (struct plan){ .world = world,
                           .token = grant->token,
                           .registration = registration,
                           .next_event_id = view.next_event_id };
    plan->messages = hf_arena_array(&world->arena, view.messages_count, sizeof *plan->messages);
    plan->events = hf_arena_array(&world->arena, PLAN_EVENTS_MAX, sizeof *plan->events);
    plan->items = hf_arena_array(&world->arena, PLAN_EVENTS_MAX, sizeof *plan->items);
    plan->children = hf_arena_array(&world->arena, PLAN_EVENTS_MAX, sizeof *plan->children);
    plan->child_cancels = hf_arena_array(&world->arena, PLAN_EVENTS_MAX,
                                         sizeof *plan->child_cancels);
    assert_true(plan->messages && plan->events && plan->items);
    assert_true(plan->children && plan->child_cancels);
    for (size_t i = 0; i < view.messages_count; i++) {
        plan->messages[i].lsn = view.messages[i].lsn;
        plan->messages[i].event_id = plan->next_event_id++;
    }
    plan->record = (struct hf_turn_committed){
        .execution = grant->execution,
        .engine_version = WORLD_VERSION,
        .messages = { plan->messages, view.messages_count },
        .events = { plan->events, 0 },
        .items = { plan->items, 0 },
        .timers = { plan->timers, 0 },
        .cancels = { plan->cancels, 0 },
        .opened = { plan->opened, 0 },
        .closed = { plan->closed, 0 },
        .carried = { plan->carried, 0 },
        .children = { plan->children, 0 },
        .child_cancels = { plan->child_cancels, 0 },
        .outcome = HF_OUTCOME_RUNNING,
    };
    return plan;
}

uint64_t plan_event(struct plan *plan, const char *body)
{
    size_t index = plan->record.events.count++;
    assert_true(index < PLAN_EVENTS_MAX);
    plan->events[index] = (struct hf_turn_event){ .event_id = plan->next_event_id,
                                                  .body = hf_text(body) };
    return plan->next_event_id++;
}

uint64_t plan_item(struct plan *plan, uint64_t incarnation, const char *tag)
{
    uint64_t event_id = plan_event(plan, "activity");
    plan->items[plan->record.items.count++] = (struct hf_turn_item){ .event_id = event_id,
                                                                     .incarnation = incarnation,
                                                                     .tag = hf_text(tag) };
    return event_id;
}

uint64_t plan_timer(struct plan *plan, uint64_t due_unix_ms)
{
    uint64_t event_id = plan_event(plan, "timer");
    assert_true(plan->record.timers.count < PLAN_LIST_MAX);
    plan->timers[plan->record.timers.count++] = (struct hf_turn_timer){ .event_id = event_id,
                                                                        .due_unix_ms = due_unix_ms,
                                                                        .body = hf_text("fired") };
    return event_id;
}

void plan_open(struct plan *plan, uint64_t incarnation, const char *id, const char *tag)
{
    uint64_t event_id = plan_event(plan, "opened");
    assert_true(plan->record.opened.count < PLAN_LIST_MAX);
    plan->opened[plan->record.opened.count++] = (struct hf_turn_session){
        .incarnation = incarnation, .id = hf_text(id), .tag = hf_text(tag), .event_id = event_id
    };
}

void plan_close(struct plan *plan, uint64_t incarnation)
{
    (void)plan_event(plan, "closed");
    assert_true(plan->record.closed.count < PLAN_LIST_MAX);
    plan->closed[plan->record.closed.count++] = (struct hf_turn_session){
        .incarnation = incarnation
    };
}

void plan_cancel(struct plan *plan, uint64_t event_id)
{
    assert_true(plan->record.cancels.count < PLAN_LIST_MAX);
    plan->cancels[plan->record.cancels.count++] = (struct hf_turn_cancel){ .event_id = event_id };
}

uint64_t plan_child(struct plan *plan, const char *id)
{
    uint64_t event_id = plan_event(plan, "child scheduled");
    hf_slice copy = hf_arena_copy(&plan->world->arena, hf_text(id));
    assert_non_null(copy.data);
    plan->children[plan->record.children.count++] = (struct hf_turn_child){
        .event_id = event_id,
        .id = copy,
        .orchestration = hf_text("demo"),
        .body = hf_text("start"),
        .lost_body = hf_text("lost"),
        .orphan_body = hf_text("orphan"),
        .deleted_body = hf_text("deleted"),
        .clash_body = hf_text("clash"),
    };
    return event_id;
}

void plan_child_cancel(struct plan *plan, uint64_t event_id)
{
    size_t index = plan->record.child_cancels.count++;
    assert_true(index < PLAN_EVENTS_MAX);
    plan->child_cancels[index] = (struct hf_turn_child_cancel){ event_id, hf_text("cancel") };
}

void plan_end(struct plan *plan, enum hf_outcome outcome)
{
    uint64_t event_id = plan_event(plan, "output");
    plan->record.outcome = outcome;
    if (outcome >= HF_OUTCOME_COMPLETED) plan->record.output_event = event_id;
    if (outcome == HF_OUTCOME_CONTINUED) plan->record.next_body = hf_text("next input");
}

struct hf_store_command plan_command(struct plan *plan)
{
    struct hf_store_command command = { .kind = HF_STORE_COMMIT_TURN };
    command.commit_turn = (struct hf_store_commit_turn){ .token = plan->token,
                                                         .registration = plan->registration,
                                                         .turn = &plan->record };
    return command;
}

uint64_t plan_commit(struct plan *plan)
{
    struct hf_store_command command = plan_command(plan);
    run_ok(plan->world, &command);
    assert_int_equal(command.commit_turn.out_head, command.lsn);
    return command.commit_turn.out_head;
}

/* ---- items ----------------------------------------------------------------------------------- */

struct hf_store_command fetch_items_command(struct world *world, uint64_t registration)
{
    struct hf_store_command command = { .kind = HF_STORE_FETCH_ITEMS, .arena = &world->arena };
    command.fetch_items = (struct hf_store_fetch_items){ .registration = registration,
                                                         .items_max = 1,
                                                         .sessions_max = 100 };
    return command;
}

struct hf_item_grant *items_fetch(struct world *world, uint64_t registration, size_t count,
                                  size_t *out_count)
{
    struct hf_store_command command = fetch_items_command(world, registration);
    command.fetch_items.items_max = count;
    run_ok(world, &command);
    assert_true(command.fetch_items.out_items_count <= count);
    *out_count = command.fetch_items.out_items_count;
    return command.fetch_items.out_items;
}

struct hf_item_grant item_take(struct world *world, uint64_t registration)
{
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, registration, 1, &count);
    assert_int_equal(count, 1);
    return grants[0];
}

void assert_no_item(struct world *world, uint64_t registration)
{
    size_t count;
    assert_false(world_peek(world, registration).out_items_ready);
    items_fetch(world, registration, 10, &count);
    assert_int_equal(count, 0);
}

struct hf_store_command complete_command(uint64_t registration, const struct hf_item_token *token)
{
    struct hf_store_command command = { .kind = HF_STORE_COMPLETE_ITEM };
    command.complete_item = (struct hf_store_complete_item){ .token = *token,
                                                             .registration = registration,
                                                             .body = hf_text("result") };
    return command;
}

struct hf_store_command abandon_command(uint64_t registration, const struct hf_item_token *token)
{
    struct hf_store_command command = { .kind = HF_STORE_ABANDON_ITEM };
    command.abandon_item = (struct hf_store_abandon_item){ .token = *token,
                                                           .registration = registration,
                                                           .reason = HF_REASON_ABANDONED };
    return command;
}

void item_complete(struct world *world, uint64_t registration, const struct hf_item_token *token)
{
    struct hf_store_command command = complete_command(registration, token);
    run_ok(world, &command);
}

struct hf_store_command release_command(struct world *world, uint64_t registration,
                                        const struct hf_session_claim *claim)
{
    struct hf_store_command command = { .kind = HF_STORE_RELEASE_SESSIONS, .arena = &world->arena };
    command.release_sessions = (struct hf_store_release_sessions){ .registration = registration,
                                                                   .reason = HF_REASON_RELEASED,
                                                                   .sessions = claim,
                                                                   .sessions_count = 1 };
    return command;
}

size_t timers_fire(struct world *world)
{
    struct hf_store_command command = { .kind = HF_STORE_FIRE_TIMERS };
    command.fire_timers.timers_max = 100;
    run_ok(world, &command);
    return command.fire_timers.out_fired_count;
}

const char *held_code(struct world *world, uint64_t registration, const struct hf_item_token *item,
                      const struct hf_session_claim *claim)
{
    struct hf_store_command command = renew_command(world, registration);
    struct hf_store_renew *renew = &command.renew;
    renew->items = item;
    renew->items_count = item ? 1 : 0;
    renew->sessions = claim;
    renew->sessions_count = claim ? 1 : 0;
    assert_ok(world->backend->ops->check_held(world->backend, renew, &world->arena, &world->error),
              &world->error);
    if (renew->out_voids_count == 0) return NULL;
    assert_int_equal(renew->out_voids_count, 1);
    assert_int_equal(renew->out_voids[0].index, 0);
    assert_int_equal(renew->out_voids[0].is_session, claim != NULL);
    return renew->out_voids[0].code;
}

/* ---- reads ----------------------------------------------------------------------------------- */

struct hf_instance_info instance_info(struct world *world, const char *id)
{
    struct hf_instance_info info;
    assert_ok(world->backend->ops->instance(world->backend, hf_text(id), &world->arena, &info,
                                            &world->error),
              &world->error);
    return info;
}

struct hf_turn_view turn_view(struct world *world, uint64_t instance, uint64_t execution)
{
    struct hf_turn_view view;
    struct hf_item_id from = { .instance = instance, .execution = execution, .event_id = 1 };
    assert_ok(
        world->backend->ops->turn_view(world->backend, &from, &world->arena, &view, &world->error),
        &world->error);
    return view;
}

size_t inbox_count(struct world *world, uint64_t instance)
{
    return turn_view(world, instance, 1).messages_count;
}

bool session_find(struct world *world, uint64_t instance, uint64_t incarnation,
                  struct hf_session_row *out_row)
{
    struct hf_session_row *rows;
    size_t count;
    struct hf_sessions_query query = { 0 };
    assert_ok(world->backend->ops->sessions(world->backend, &query, &world->arena, &rows, &count,
                                            &world->error),
              &world->error);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].instance != instance || rows[i].incarnation != incarnation) continue;
        if (out_row) *out_row = rows[i];
        return true;
    }
    return false;
}

struct hf_session_row session_row(struct world *world, uint64_t instance, uint64_t incarnation)
{
    struct hf_session_row row;
    assert_true(session_find(world, instance, incarnation, &row));
    return row;
}

struct hf_peek world_peek(struct world *world, uint64_t registration)
{
    struct hf_peek peek = { .registration = registration,
                            .engine_version_min = WORLD_VERSION,
                            .engine_version_max = WORLD_VERSION };
    assert_ok(world->backend->ops->peek(world->backend, &peek, &world->error), &world->error);
    return peek;
}

/* ---- scenes ---------------------------------------------------------------------------------- */

struct plan *scene_turn(struct world *world, uint64_t registration)
{
    struct hf_turn_grant grant = turn_take(world, registration);
    return plan_new(world, registration, &grant);
}

uint64_t scene_items(struct world *world, uint64_t registration, const char *id, size_t count)
{
    uint64_t instance = instance_start(world, id);
    struct plan *plan = scene_turn(world, registration);
    for (size_t i = 0; i < count; i++) plan_item(plan, 0, "");
    plan_commit(plan);
    return instance;
}

uint64_t scene_session(struct world *world, uint64_t registration, const char *id, size_t count)
{
    uint64_t instance = instance_start(world, id);
    struct plan *plan = scene_turn(world, registration);
    plan_open(plan, 1, "s", "");
    for (size_t i = 0; i < count; i++) plan_item(plan, 1, "");
    plan_commit(plan);
    return instance;
}

/* ---- sessions as their holders see them ------------------------------------------------------ */

struct hf_session_claim claim_of(const struct hf_item_grant *grant)
{
    return (struct hf_session_claim){ .instance = grant->token.item.instance,
                                      .incarnation = grant->incarnation,
                                      .epoch = grant->epoch };
}

const char *release_code(struct world *world, uint64_t registration,
                         const struct hf_session_claim *claim, enum hf_reason reason)
{
    struct hf_store_command command = release_command(world, registration, claim);
    command.release_sessions.reason = reason;
    uint64_t fingerprint = world_fingerprint(world);
    assert_ok(world_run(world, &command), &world->error);
    if (command.release_sessions.out_voids_count == 0) {
        assert_true(command.lsn != 0);
        return NULL;
    }
    assert_int_equal(command.release_sessions.out_voids_count, 1);
    assert_true(command.release_sessions.out_voids[0].is_session);
    assert_true(world_fingerprint(world) == fingerprint);
    return command.release_sessions.out_voids[0].code;
}

struct hf_session_claim session_own(struct world *world, uint64_t registration, const char *id)
{
    scene_session(world, registration, id, 1);
    struct hf_item_grant grant = item_take(world, registration);
    item_complete(world, registration, &grant.token);
    plan_commit(scene_turn(world, registration)); /* consumes the result: nothing is due then */
    return claim_of(&grant);
}

void session_add(struct world *world, uint64_t registration, const char *id, size_t count)
{
    instance_message(world, id, "go on");
    struct plan *plan = scene_turn(world, registration);
    for (size_t i = 0; i < count; i++) plan_item(plan, 1, "");
    plan_commit(plan);
}

struct plan *session_close_plan(struct world *world, uint64_t registration, const char *id)
{
    instance_message(world, id, "close");
    struct plan *plan = scene_turn(world, registration);
    plan_close(plan, 1);
    return plan;
}
