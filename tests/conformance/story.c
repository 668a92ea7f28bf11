/* The words of story.h: each is a few of world.h. */
#include "tests/conformance/story.h"

#include <stdio.h>
#include <string.h>

enum { TURNS_MAX = 100, LISTED_MAX = 500 };

/* ---- turns ----------------------------------------------------------------------------------- */

struct plan *story_turn(struct world *world, uint64_t registration, const char *id)
{
    struct plan *plan = NULL;
    uint64_t number = instance_info(world, id).number;
    instance_message(world, id, "go on");
    struct hf_store_command fetch = fetch_turns_command(world, registration);
    fetch.fetch_turns.turns_max = TURNS_MAX;
    assert_ok(world_run(world, &fetch), &world->error);
    for (size_t i = 0; i < fetch.fetch_turns.out_turns_count; i++) {
        const struct hf_turn_grant *grant = &fetch.fetch_turns.out_turns[i];
        if (grant->token.instance == number) {
            plan = plan_new(world, registration, grant);
            continue;
        }
        struct hf_store_command back = abandon_turn_command(registration, &grant->token);
        assert_ok(world_run(world, &back), &world->error);
    }
    assert_non_null(plan);
    return plan;
}

void story_continue(struct world *world, uint64_t registration, const char *id)
{
    struct plan *plan = story_turn(world, registration, id);
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan_commit(plan);
}

void story_complete(struct world *world, uint64_t registration, const char *id)
{
    struct plan *plan = story_turn(world, registration, id);
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan_commit(plan);
}

void story_child(struct world *world, uint64_t registration, const char *id, const char *child)
{
    struct plan *plan = story_turn(world, registration, id);
    plan_child(plan, child);
    plan_commit(plan);
}

struct hf_instance_run story_continued(struct world *world, uint64_t registration, const char *id,
                                       size_t times)
{
    struct hf_instance_run run = { .instance = instance_start(world, id), .execution = 1 + times };
    for (size_t i = 0; i < times; i++) story_continue(world, registration, id);
    assert_int_equal(instance_info(world, id).execution, run.execution);
    return run;
}

void instance_of_version(struct world *world, uint64_t registration, const char *id,
                         uint64_t version)
{
    instance_start(world, id);
    struct plan *plan = story_turn(world, registration, id);
    plan->record.engine_version = version;
    plan_commit(plan);
    instance_message(world, id, "go on");
}

/* ---- values ---------------------------------------------------------------------------------- */

static void plan_change(struct plan *plan, const struct hf_turn_value *change)
{
    struct hf_list *values = &plan->record.values;
    if (values->count == 0) {
        values->items = hf_arena_array(&plan->world->arena, PLAN_LIST_MAX, sizeof *change);
        assert_non_null(values->items);
    }
    assert_true(values->count < PLAN_LIST_MAX);
    ((struct hf_turn_value *)values->items)[values->count++] = *change;
}

void plan_set_body(struct plan *plan, const char *key, hf_slice body)
{
    uint64_t event_id = plan_event(plan, "set");
    plan->events[plan->record.events.count - 1].body = body;
    plan_change(plan, &(struct hf_turn_value){ .event_id = event_id, .key = hf_text(key) });
}

void plan_set(struct plan *plan, const char *key, const char *value)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%s=%s", key, value);
    assert_true(size > 0 && (size_t)size < sizeof text);
    plan_set_body(plan, key, hf_arena_copy(&plan->world->arena, hf_text(text)));
}

void plan_clear(struct plan *plan, const char *key)
{
    uint64_t event_id = plan_event(plan, "cleared");
    plan_change(plan,
                &(struct hf_turn_value){ .event_id = event_id, .key = hf_text(key), .cleared = 1 });
}

void story_set(struct world *world, uint64_t registration, const char *id, const char *key,
               const char *value)
{
    struct plan *plan = story_turn(world, registration, id);
    plan_set(plan, key, value);
    plan_commit(plan);
}

/* ---- the end --------------------------------------------------------------------------------- */

struct hf_store_command terminate_command(const char *id)
{
    struct hf_store_command command = { .kind = HF_STORE_TERMINATE };
    command.terminate.id = hf_text(id);
    command.terminate.body = hf_text("terminated");
    return command;
}

void story_terminate(struct world *world, const char *id)
{
    struct hf_store_command command = terminate_command(id);
    assert_ok(world_run(world, &command), &world->error);
}

struct hf_store_command delete_command(const char *id, bool even_running)
{
    struct hf_store_command command = { .kind = HF_STORE_DELETE };
    command.delete_instance.id = hf_text(id);
    command.delete_instance.even_running = even_running;
    return command;
}

struct hf_store_command delete_tree_command(const char *id, bool even_running)
{
    struct hf_store_command command = delete_command(id, even_running);
    command.delete_instance.with_descendants = true;
    return command;
}

void story_delete(struct world *world, const char *id)
{
    struct hf_store_command command = delete_command(id, true);
    assert_ok(world_run(world, &command), &world->error);
    assert_true(command.lsn != 0);
}

struct hf_store_command prune_command(const struct hf_instance_run *runs, size_t count)
{
    struct hf_store_command command = { .kind = HF_STORE_PRUNE };
    command.prune = (struct hf_store_prune){ .runs = runs, .count = count };
    return command;
}

uint64_t story_prune(struct world *world, const char *id, uint64_t keep_last)
{
    struct hf_instance_run run = story_run(world, id);
    struct hf_store_command command = prune_command(&run, 1);
    command.prune.keep_last = keep_last;
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.prune.out_looked_count, 1);
    return command.prune.out_executions_count;
}

struct hf_instance_run story_run(struct world *world, const char *id)
{
    struct hf_instance_info info = instance_info(world, id);
    return (struct hf_instance_run){ info.number, info.execution };
}

/* ---- reads ----------------------------------------------------------------------------------- */

bool story_finds(struct world *world, const char *id)
{
    struct hf_instance_info info;
    hf_status status = world->backend->ops->instance(world->backend, hf_text(id), &world->arena,
                                                     &info, &world->error);
    assert_true(status == HF_OK || status == HF_NOT_FOUND);
    return status == HF_OK;
}

struct hf_store_totals story_totals(struct world *world)
{
    struct hf_store_totals totals;
    assert_ok(world->backend->ops->totals(world->backend, &world->arena, &totals, &world->error),
              &world->error);
    return totals;
}

struct hf_instances_query story_query(void)
{
    return (struct hf_instances_query){ .started_until_unix_ms = UINT64_MAX,
                                        .looked_max = LISTED_MAX };
}

/* Adds a name and a blank. */
static void text_add(char *text, size_t text_size, hf_slice name)
{
    size_t size = strlen(text);
    int added = snprintf(text + size, text_size - size, "%.*s ", (int)name.size, name.data);
    assert_true(added > 0 && (size_t)added < text_size - size);
}

void assert_listed(struct world *world, struct hf_instances_query query, const char *ids)
{
    char text[256] = "";
    struct hf_instance_info *rows = NULL;
    size_t count = 0;
    assert_ok(world->backend->ops->instances(world->backend, &query, &world->arena, &rows, &count,
                                             &world->error),
              &world->error);
    assert_false(query.out_more);
    for (size_t i = 0; i < count; i++) text_add(text, sizeof text, rows[i].id);
    assert_string_equal(text, ids);
}

void assert_executions(struct world *world, const char *id, const char *numbers)
{
    char text[256] = "", number[24];
    struct hf_execution_row *rows = NULL;
    size_t count = LISTED_MAX;
    assert_ok(world->backend->ops->executions(world->backend, hf_text(id), 0, &world->arena, &rows,
                                              &count, &world->error),
              &world->error);
    for (size_t i = 0; i < count; i++) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)rows[i].execution);
        text_add(text, sizeof text, hf_text(number));
    }
    assert_string_equal(text, numbers);
}
