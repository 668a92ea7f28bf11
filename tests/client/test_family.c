/* Families as clients see and manage them: trees, their deletion, the pruning of former executions.
 * On whole runtimes; house_close proves the store at the end of each test. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

/* ---- what runs ------------------------------------------------------------------------------ */

/* Waits for a message, which is its output; asked to stop, it says so. */
static hf_status waits_go(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    (void)input;
    hf_status_set(o, hf_text("waits"));
    HF_TRY(hf_dequeue(o, "go", &message));
    return hf_complete(o, message);
}

static hf_future child(hf_orchestration *o, const char *orchestration, int number, hf_slice input)
{
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = orchestration;
    options.instance = hf_format(o, "%s.%d", hf_instance_id(o), number).data;
    options.input = input;
    return hf_child(o, &options);
}

/* Starts "<id>.0", of the same kind with a depth that is one less, and the leaf "<id>.1", and waits
 * for a message itself. */
static hf_status tree(hf_orchestration *o, hf_slice input)
{
    int64_t depth = 0;
    if (!hf_slice_to_i64(input, &depth)) return hf_fail(o, "input", "no number");
    if (depth > 0) {
        (void)child(o, "tree", 0, hf_format(o, "%d", (int)depth - 1));
        (void)child(o, "waits_go", 1, input);
    }
    return waits_go(o, input);
}

/* Each round takes a message and keeps it as a value; "end" is the last one. */
static hf_status rounds(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    hf_status_set(o, input);
    HF_TRY(hf_dequeue(o, "go", &message));
    hf_kv_set(o, "latest", message);
    if (hf_slice_equal(message, hf_text("end"))) return hf_complete(o, input);
    return hf_continue_as_new(o, message);
}

/* Starts `rounds` as "<id>.0", and has its output. */
static hf_status awaits_rounds(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    HF_TRY(hf_await(o, child(o, "rounds", 0, input), &output));
    return hf_complete(o, output);
}

/* In each execution a child by the input's name, at the same event; a message continues it as new
 * with that for its input, an empty one has it await the child. */
static hf_status replaces(hf_orchestration *o, hf_slice input)
{
    hf_slice message, output;
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = "waits_go";
    options.instance = hf_format(o, HF_FMT, HF_ARG(input)).data;
    hf_future started = hf_child(o, &options);
    hf_status_set(o, input);
    HF_TRY(hf_dequeue(o, "go", &message));
    if (message.size > 0) return hf_continue_as_new(o, message);
    HF_TRY(hf_await(o, started, &output));
    return hf_complete(o, output);
}

/* Awaits a child under the id of its input; its output is how that failed. */
static hf_status names_child(hf_orchestration *o, hf_slice input)
{
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = "waits_go";
    options.instance = hf_format(o, HF_FMT, HF_ARG(input)).data;
    hf_status status = hf_await(o, hf_child(o, &options), NULL);
    if (status != HF_FAILED) return hf_fail(o, "other", "it did not fail");
    return hf_complete(o, hf_text(hf_orchestration_error(o)->code));
}

/* Cancels its child, and ends when it is told to. */
static hf_status drops_child(hf_orchestration *o, hf_slice input)
{
    hf_future started = child(o, "waits_go", 0, input);
    hf_slice message;
    hf_status_set(o, hf_text("has"));
    HF_TRY(hf_dequeue(o, "drop", &message));
    hf_future_cancel(o, started);
    return waits_go(o, input);
}

/* Leaves a child, work, a timer and a session under way, and ends as the message says. */
static hf_status leaves(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    if (hf_slice_equal(input, hf_text("again"))) return waits_go(o, input);
    hf_session session = hf_session_open_id(o, "desk");
    (void)child(o, "waits_go", 0, input);
    (void)hf_schedule_on(o, session, "hold", input);
    (void)hf_timer(o, 1000 * 1000);
    hf_status_set(o, hf_text("busy"));
    HF_TRY(hf_dequeue(o, "go", &message));
    if (hf_slice_equal(message, hf_text("fail"))) return hf_fail(o, "failed", "as told");
    if (hf_slice_equal(message, hf_text("misuse"))) (void)hf_session_open_id(o, "");
    if (hf_slice_equal(message, hf_text("continue"))) {
        return hf_continue_as_new(o, hf_text("again"));
    }
    return hf_complete(o, message);
}

static hf_status undo(hf_activity *a, hf_slice input)
{
    stage_sayf(hf_activity_user(a), "undone %s", hf_activity_about(a)->instance);
    return hf_activity_complete(a, input);
}

/* A child of the same kind below, as deep as the input says; asked to stop it takes back what it
 * did. */
static hf_status undoes(hf_orchestration *o, hf_slice input)
{
    int64_t depth = 0;
    hf_slice message;
    if (!hf_slice_to_i64(input, &depth)) return hf_fail(o, "input", "no number");
    if (depth > 0) (void)child(o, "undoes", 0, hf_format(o, "%d", (int)depth - 1));
    hf_status_set(o, hf_text("waits"));
    hf_status status = hf_dequeue(o, "go", &message);
    if (status != HF_CANCELLED) return hf_fail(o, "other", "it was not asked to stop");
    HF_TRY(hf_call(o, "undo", input, NULL));
    return HF_CANCELLED;
}

/* Is in the middle of a turn until the gate opens: what no code should be, but any may be. */
static hf_status blocks(hf_orchestration *o, hf_slice input)
{
    struct stage *stage = (struct stage *)(uintptr_t)hf_orchestration_user(o);
    stage_sayf(stage, "in turn " HF_FMT, HF_ARG(input));
    stage_wait_open(stage, hf_text("turn"));
    return hf_complete(o, input);
}

static const struct part parts[] = { { "waits_go", waits_go, NULL },
                                     { "tree", tree, NULL },
                                     { "rounds", rounds, NULL },
                                     { "awaits_rounds", awaits_rounds, NULL },
                                     { "replaces", replaces, NULL },
                                     { "names_child", names_child, NULL },
                                     { "drops_child", drops_child, NULL },
                                     { "leaves", leaves, NULL },
                                     { "undoes", undoes, NULL },
                                     { "blocks", blocks, NULL },
                                     { "undo", NULL, undo },
                                     { NULL, NULL, NULL } };

/* ---- helpers -------------------------------------------------------------------------------- */

static hf_runtime *open_with_worker(struct house *house)
{
    house_open(house, parts);
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = "w"));
}

static void rest(struct house *house, hf_runtime *runtime)
{
    house_rest(runtime);
    hf_runtime_free(runtime);
    house_close(house);
}

/* The ids that a query gives, one behind the other: "a a.0 ". */
static const char *listed(struct house *house, const hf_query *query)
{
    static char text[HOUSE_TEXT_SIZE];
    hf_cursor *cursor = NULL;
    const hf_instance *row = NULL;
    hf_error error = { 0 };
    size_t size = 0;
    text[0] = 0;
    assert_ok(hf_query_open(house->store, query, &cursor, &error), &error);
    while (hf_next_instance(cursor, &row)) {
        size += (size_t)snprintf(text + size, sizeof text - size, "%s ", row->id);
        assert_true(size < sizeof text);
    }
    assert_ok(hf_cursor_close(cursor, &error), &error);
    return text;
}

/* Starts "a" with "a.0", "a.1", "a.0.0" and "a.0.1", all of which wait in the end. */
static void tree_start(struct house *house)
{
    static const char *const ids[] = { "a", "a.0", "a.1", "a.0.0", "a.0.1" };
    house_start(house, "a", "tree", "2");
    for (size_t i = 0; i < HF_COUNT_OF(ids); i++) house_wait_status(house, ids[i], "waits");
}

/* ---- trees ---------------------------------------------------------------------------------- */

/* An instance and all that stem from it are listed, from the top or from anywhere in between, with
 * what else a query asks, also when parents have ended; each tells its parent and the topmost. */
static void row_3_15_tree_is_an_instance_and_its_descendants(void **state)
{
    struct house house;
    const hf_instance *row = NULL;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    tree_start(&house);
    house_start(&house, "other", "waits_go", "");
    house_wait_status(&house, "other", "waits");
    assert_string_equal(listed(&house, HF_WITH(hf_query, .root = "a")), "a a.0 a.1 a.0.0 a.0.1 ");
    assert_string_equal(listed(&house, HF_WITH(hf_query, .root = "a.0")), "a.0 a.0.0 a.0.1 ");
    assert_string_equal(listed(&house, HF_WITH(hf_query, .root = "a.0", .newest_first = true)),
                        "a.0.1 a.0.0 a.0 ");
    assert_string_equal(listed(&house, HF_WITH(hf_query, .root = "other")), "other ");
    assert_string_equal(listed(&house, HF_WITH(hf_query, .root = "a", .instance = "a.0.0")),
                        "a.0.0 ");
    assert_string_equal(listed(&house, HF_WITH(hf_query, .root = "a", .instance = "other")), "");
    assert_ok(hf_get(house.store, "a.0.0", &row, &error), &error);
    assert_string_equal(row->parent, "a.0");
    assert_string_equal(row->root, "a");
    hf_instance_free(row);
    assert_ok(hf_get(house.store, "a", &row, &error), &error);
    assert_null(row->parent);
    assert_string_equal(row->root, "a");
    hf_instance_free(row);
    assert_ok(hf_terminate(house.store, "a.0", NULL, &error), &error);
    assert_string_equal(listed(&house, HF_WITH(hf_query, .root = "a")), "a a.0 a.1 a.0.0 a.0.1 ");
    assert_string_equal(
        listed(&house, HF_WITH(hf_query, .root = "a", .status = HF_INSTANCE_TERMINATED)), "a.0 ");
    house_send(&house, "a", "go", "end");
    house_expect(&house, "a", "end");
    hf_cursor *cursor = NULL;
    assert_status(hf_query_open(house.store, HF_WITH(hf_query, .root = "nobody"), &cursor, &error),
                  HF_NOT_FOUND);
    rest(&house, runtime);
}

static hf_instance_status status_of(struct house *house, const char *id)
{
    const hf_instance *row = NULL;
    hf_error error = { 0 };
    assert_ok(hf_wait(house->store, id, STAGE_LIMIT_MS, &row, &error), &error);
    hf_instance_status status = row->status;
    hf_instance_free(row);
    return status;
}

static void terminate(struct house *house, const char *id)
{
    hf_error error = { 0 };
    assert_ok(hf_terminate(house->store, id, NULL, &error), &error);
}

/* What is not there is not found by its id. */
static void assert_gone(struct house *house, const char *id)
{
    const hf_instance *row = NULL;
    hf_error error = { 0 };
    assert_status(hf_get(house->store, id, &row, &error), HF_NOT_FOUND);
}

/* ---- deleting trees ------------------------------------------------------------------------- */

/* While one of a tree runs nothing of it goes; even running all goes, from the top or from within,
 * and the rest of the family stays. */
static void row_3_16_tree_is_deleted_whole_or_not_at_all(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    tree_start(&house);
    assert_ok(hf_suspend(house.store, "a.0.1", NULL, &error), &error);
    terminate(&house, "a");
    terminate(&house, "a.0");
    assert_int_equal(status_of(&house, "a.0.0"), HF_INSTANCE_CANCELLED);
    assert_int_equal(status_of(&house, "a.1"), HF_INSTANCE_CANCELLED);
    assert_status(hf_delete_tree(house.store, "a", false, &error), HF_STILL_RUNNING);
    assert_non_null(strstr(error.message, "\"a.0.1\""));
    assert_string_equal(listed(&house, HF_WITH(hf_query, .root = "a")), "a a.0 a.1 a.0.0 a.0.1 ");
    assert_ok(hf_delete_tree(house.store, "a.0", true, &error), &error);
    assert_string_equal(listed(&house, NULL), "a a.1 ");
    assert_ok(hf_delete_tree(house.store, "a", false, &error), &error);
    assert_string_equal(listed(&house, NULL), "");
    assert_status(hf_delete_tree(house.store, "a", false, &error), HF_NOT_FOUND);
    house_start(&house, "a.0.1", "waits_go", "");
    house_send(&house, "a.0.1", "go", "anew");
    house_expect(&house, "a.0.1", "anew");
    rest(&house, runtime);
}

/* A tree that runs in all its parts goes at once, with its turns, timers and messages; who waits
 * for its topmost from outside is told. */
static void row_3_16_running_tree_is_deleted_and_its_parent_told(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "up", "names_child", "mid");
    house_wait_status(&house, "mid", "waits");
    assert_ok(hf_delete_tree(house.store, "mid", true, &error), &error);
    house_expect(&house, "up", "deleted");
    tree_start(&house);
    assert_ok(hf_delete_tree(house.store, "a", true, &error), &error);
    assert_string_equal(listed(&house, NULL), "up ");
    rest(&house, runtime);
}

/* Who was below an instance that was deleted alone goes with the topmost, and with that alone. */
static void row_3_16_gap_in_a_tree_keeps_nobody(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    tree_start(&house);
    assert_ok(hf_delete(house.store, "a.0", true, &error), &error);
    assert_string_equal(listed(&house, HF_WITH(hf_query, .root = "a")), "a a.1 a.0.0 a.0.1 ");
    assert_int_equal(status_of(&house, "a.0.0"), HF_INSTANCE_CANCELLED);
    assert_ok(hf_delete_tree(house.store, "a", true, &error), &error);
    assert_string_equal(listed(&house, NULL), "");
    rest(&house, runtime);
}

/* ---- deleting many -------------------------------------------------------------------------- */

static uint64_t delete_many(struct house *house, const hf_query *query)
{
    hf_error error = { 0 };
    uint64_t count = UINT64_MAX;
    assert_ok(hf_delete_many(house->store, query, &count, &error), &error);
    return count;
}

/* What the query asks for and has ended goes, as much as the limit says; what runs stays. */
static void row_3_17_ended_roots_are_deleted_in_bulk(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    house_open(&house, parts);
    static const char *const ids[] = { "r1", "r2", "r3", "q1", "r4" };
    for (size_t i = 0; i < HF_COUNT_OF(ids); i++) house_start(&house, ids[i], "waits_go", "");
    for (size_t i = 0; i < HF_COUNT_OF(ids) - 1; i++) terminate(&house, ids[i]);
    hf_query some = HF_INIT(hf_query);
    some.id_prefix = "r";
    some.limit = 2;
    assert_int_equal(delete_many(&house, &some), 2);
    assert_string_equal(listed(&house, NULL), "r3 q1 r4 ");
    assert_int_equal(delete_many(&house, &some), 1);
    assert_int_equal(delete_many(&house, &some), 0);
    assert_string_equal(listed(&house, NULL), "q1 r4 ");
    assert_int_equal(delete_many(&house, HF_WITH(hf_query, .ended_until_unix_ms = 1)), 0);
    assert_int_equal(delete_many(&house, NULL), 1);
    assert_string_equal(listed(&house, NULL), "r4 ");
    assert_status(hf_delete_many(house.store, HF_WITH(hf_query, .instance = "q1"), NULL, &error),
                  HF_NOT_FOUND);
    house_close(&house);
}

/* A root that has ended stays while one below it runs, and a child that has ended while its root is
 * there. */
static void row_3_17_trees_go_whole_in_bulk(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    tree_start(&house);
    assert_ok(hf_suspend(house.store, "a.0.1", NULL, &error), &error);
    terminate(&house, "a");
    assert_int_equal(status_of(&house, "a.0"), HF_INSTANCE_CANCELLED);
    assert_int_equal(delete_many(&house, NULL), 0);
    assert_string_equal(listed(&house, NULL), "a a.0 a.1 a.0.0 a.0.1 ");
    assert_ok(hf_resume(house.store, "a.0.1", &error), &error);
    assert_int_equal(status_of(&house, "a.0.1"), HF_INSTANCE_CANCELLED);
    assert_int_equal(status_of(&house, "a.0.0"), HF_INSTANCE_CANCELLED);
    assert_int_equal(status_of(&house, "a.1"), HF_INSTANCE_CANCELLED);
    assert_int_equal(delete_many(&house, HF_WITH(hf_query, .root = "a.0")), 0);
    assert_int_equal(delete_many(&house, NULL), 5);
    assert_string_equal(listed(&house, NULL), "");
    rest(&house, runtime);
}

/* Without a limit at most 1,000 go. */
static void row_10_8_bulk_has_a_limit_of_1000(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    for (int i = 0; i < 1001; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%d", i);
        house_start(&house, id, "waits_go", "");
        terminate(&house, id);
    }
    assert_int_equal(delete_many(&house, NULL), 1000);
    assert_string_equal(listed(&house, NULL), "i1000 ");
    assert_int_equal(delete_many(&house, NULL), 1);
    house_close(&house);
}

/* An instance that continues as new runs, between its executions too, and does not go with what has
 * ended. */
static void trap_b12_what_runs_is_not_deleted(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "i", "rounds", "0");
    for (int i = 1; i < 20; i++) {
        char round[16];
        snprintf(round, sizeof round, "%d", i);
        house_send(&house, "i", "go", round);
        assert_status(hf_delete(house.store, "i", false, &error), HF_STILL_RUNNING);
        assert_status(hf_delete_tree(house.store, "i", false, &error), HF_STILL_RUNNING);
        assert_int_equal(delete_many(&house, NULL), 0);
    }
    house_send(&house, "i", "go", "end");
    house_expect(&house, "i", "19");
    assert_int_equal(delete_many(&house, NULL), 1);
    rest(&house, runtime);
}

/* Deleted while its work runs, and started again under its id: the old outcome reaches nobody, and
 * nothing of the old one comes back. */
static void trap_b13_old_work_cannot_reach_a_new_instance_of_its_id(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "i", "leaves", "gate");
    stage_wait(&house.stage, "held i w", 1);
    house_wait_status(&house, "i.0", "waits");
    assert_ok(hf_delete_tree(house.store, "i", true, &error), &error);
    assert_gone(&house, "i.0");
    house_start(&house, "i", "leaves", "gate");
    stage_wait(&house.stage, "told i w", 1);
    stage_wait(&house.stage, "held i w", 2);
    stage_open(&house.stage, "gate");
    house_send(&house, "i", "go", "new");
    house_expect(&house, "i", "new");
    rest(&house, runtime);
}

/* Deleted while its turn is under way: the commit of that is refused, and neither brings the old
 * one back nor ends the new one of its id. */
static void trap_b13_turn_in_flight_cannot_bring_it_back(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "i", "blocks", "old");
    house_start(&house, "j", "blocks", "gone");
    stage_wait(&house.stage, "in turn old", 1);
    assert_ok(hf_delete_tree(house.store, "i", true, &error), &error);
    assert_ok(hf_delete(house.store, "j", true, &error), &error);
    house_start(&house, "i", "blocks", "new");
    stage_open(&house.stage, "turn");
    house_expect(&house, "i", "new");
    assert_string_equal(listed(&house, NULL), "i ");
    rest(&house, runtime);
}

/* ---- pruning -------------------------------------------------------------------------------- */

/* Its executions that have a history: "1 2 3 ". */
static const char *executions(struct house *house, const char *id)
{
    static char text[HOUSE_TEXT_SIZE];
    hf_cursor *cursor = NULL;
    const hf_execution_info *row = NULL;
    hf_error error = { 0 };
    size_t size = 0;
    text[0] = 0;
    assert_ok(hf_query_open(house->store, HF_WITH(hf_query, .instance = id), &cursor, &error),
              &error);
    while (hf_next_execution(cursor, &row)) {
        size += (size_t)snprintf(text + size, sizeof text - size, "%d ", (int)row->execution);
        assert_true(size < sizeof text);
    }
    assert_ok(hf_cursor_close(cursor, &error), &error);
    return text;
}

static uint64_t prune(struct house *house, const hf_prune_options *options)
{
    hf_error error = { 0 };
    uint64_t count = UINT64_MAX;
    assert_ok(hf_prune(house->store, options, &count, &error), &error);
    return count;
}

/* Has `rounds` go through so many more executions. */
static void go_rounds(struct house *house, const char *id, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        char round[16];
        snprintf(round, sizeof round, "%d", i);
        house_send(house, id, "go", round);
        house_wait_status(house, id, round);
    }
}

/* Former executions go by number and by age, both at once if both are asked for; the present one
 * never. */
static void row_3_18_former_executions_are_pruned(void **state)
{
    struct house house;
    hf_error error = { 0 };
    hf_stats stats = HF_INIT(hf_stats);
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "i", "rounds", "0");
    go_rounds(&house, "i", 1, 3);
    uint64_t until_unix_ms = house_event_unix_ms(&house, "i", "started") + 1000;
    house_move_clocks(&house, 0, 10 * 1000);
    go_rounds(&house, "i", 4, 3);
    assert_string_equal(executions(&house, "i"), "1 2 3 4 5 6 7 ");
    assert_int_equal(prune(&house, HF_WITH(hf_prune_options, .instance = "i", .keep_last = 7)), 0);
    assert_int_equal(prune(&house, HF_WITH(hf_prune_options, .instance = "i", .keep_last = 6)), 1);
    assert_string_equal(executions(&house, "i"), "2 3 4 5 6 7 ");
    assert_int_equal(prune(&house, HF_WITH(hf_prune_options, .instance = "i", .keep_last = 2,
                                           .ended_until_unix_ms = until_unix_ms)),
                     2);
    assert_string_equal(executions(&house, "i"), "4 5 6 7 ");
    assert_ok(hf_stats_read(house.store, &stats, &error), &error);
    assert_int_equal(stats.executions_count, 4);
    assert_int_equal(prune(&house, HF_WITH(hf_prune_options, .instance = "i")), 3);
    assert_string_equal(executions(&house, "i"), "7 ");
    house_send(&house, "i", "go", "end");
    house_expect(&house, "i", "6");
    assert_int_equal(prune(&house, HF_WITH(hf_prune_options, .instance = "i")), 0);
    assert_string_equal(executions(&house, "i"), "7 ");
    assert_status(hf_prune(house.store, HF_WITH(hf_prune_options, .instance = "no"), NULL, &error),
                  HF_NOT_FOUND);
    rest(&house, runtime);
}

/* All instances at once, running ones too, page by page. */
static void row_3_19_all_instances_are_pruned_running_ones_too(void **state)
{
    enum { INSTANCES = 70 };
    struct house house;
    char id[16];
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    for (int i = 0; i < INSTANCES; i++) {
        snprintf(id, sizeof id, "i%d", i);
        house_start(&house, id, "rounds", "0");
        house_send(&house, id, "go", "1");
        house_send(&house, id, "go", "2");
        if (i % 2 == 0) house_send(&house, id, "go", "end");
    }
    for (int i = 0; i < INSTANCES; i++) {
        snprintf(id, sizeof id, "i%d", i);
        if (i % 2 == 0) house_expect(&house, id, "2");
        if (i % 2 == 1) house_wait_status(&house, id, "2");
    }
    assert_int_equal(prune(&house, NULL), 2 * INSTANCES);
    for (int i = 0; i < INSTANCES; i++) {
        snprintf(id, sizeof id, "i%d", i);
        assert_string_equal(executions(&house, id), "3 ");
    }
    rest(&house, runtime);
}

/* Values, status and what replay of the present execution begins with stay; so an instance that was
 * pruned while it ran goes on in another worker as if nothing had happened. */
static void trap_b21_pruning_keeps_values_and_what_runs(void **state)
{
    struct house house;
    const hf_value *value = NULL;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "i", "rounds", "0");
    go_rounds(&house, "i", 1, 2);
    assert_int_equal(prune(&house, NULL), 2);
    assert_ok(hf_kv_read(house.store, "i", "latest", &value, &error), &error);
    assert_true(hf_slice_equal(value->value, hf_text("2")));
    hf_value_free(value);
    house_rest(runtime);
    hf_runtime_free(runtime);
    runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "v"));
    go_rounds(&house, "i", 3, 1);
    house_send(&house, "i", "go", "end");
    house_expect(&house, "i", "3");
    assert_string_equal(executions(&house, "i"), "3 4 ");
    rest(&house, runtime);
}

/* ---- children ------------------------------------------------------------------------------- */

/* A child that continues as new is still its parent's. */
static void trap_c7_child_that_continues_as_new_keeps_its_parent(void **state)
{
    struct house house;
    const hf_instance *row = NULL;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "p", "awaits_rounds", "0");
    house_wait_status(&house, "p.0", "0");
    go_rounds(&house, "p.0", 1, 2);
    assert_ok(hf_get(house.store, "p.0", &row, &error), &error);
    assert_string_equal(row->parent, "p");
    hf_instance_free(row);
    house_send(&house, "p.0", "go", "end");
    house_expect(&house, "p", "2");
    rest(&house, runtime);
}

/* The outcome of a child that a former execution started reaches nobody, though the present one has
 * a child at the same event; also when another worker runs it. */
static void trap_c8_outcome_of_a_former_executions_child_reaches_nobody(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "p", "replaces", "old");
    house_wait_status(&house, "old", "waits");
    assert_ok(hf_suspend(house.store, "old", NULL, &error), &error);
    house_send(&house, "p", "go", "new");
    house_wait_status(&house, "p", "new");
    house_wait_status(&house, "new", "waits");
    house_rest(runtime);
    hf_runtime_free(runtime);
    runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "v"));
    house_send(&house, "p", "go", "");
    assert_ok(hf_resume(house.store, "old", &error), &error);
    assert_int_equal(status_of(&house, "old"), HF_INSTANCE_CANCELLED);
    house_send(&house, "new", "go", "from the new");
    house_expect(&house, "p", "from the new");
    rest(&house, runtime);
}

/* A child whose id is taken fails at once, and the other one knows nothing of it. */
static void trap_c9_child_whose_id_is_taken_answers_its_parent(void **state)
{
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "taken", "waits_go", "");
    house_start(&house, "p", "names_child", "taken");
    house_expect(&house, "p", "child_exists");
    house_send(&house, "taken", "go", "mine");
    house_expect(&house, "taken", "mine");
    rest(&house, runtime);
}

/* A child that is cancelled is asked to stop, while its parent runs on. */
static void row_1d_2_cancelled_child_is_asked_to_stop(void **state)
{
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "p", "drops_child", "");
    house_wait_status(&house, "p.0", "waits");
    house_wait_status(&house, "p", "has");
    house_send(&house, "p", "drop", "");
    assert_int_equal(status_of(&house, "p.0"), HF_INSTANCE_CANCELLED);
    house_send(&house, "p", "go", "went on");
    house_expect(&house, "p", "went on");
    rest(&house, runtime);
}

/* Every way in which a parent ends: by its code, by a message of that text; by a client. */
static const char *const ends[] = { "complete", "fail", "misuse", "continue" };
static hf_status (*const client_ends[])(hf_store *, const char *, const char *,
                                        hf_error *) = { hf_cancel, hf_terminate };

/* Begins `leaves` under the id, ends it in one of the ways above or by its deletion. */
static void leave(struct house *house, const char *id, size_t way)
{
    char below[STAGE_NAME_SIZE], held[STAGE_LINE_SIZE];
    hf_error error = { 0 };
    snprintf(below, sizeof below, "%s.0", id);
    snprintf(held, sizeof held, "held %s w", id);
    house_start(house, id, "leaves", "gate");
    house_wait_status(house, id, "busy");
    house_wait_status(house, below, "waits");
    stage_wait(&house->stage, held, 1);
    if (way < HF_COUNT_OF(ends)) {
        house_send(house, id, "go", ends[way]);
    } else if (way < HF_COUNT_OF(ends) + HF_COUNT_OF(client_ends)) {
        assert_ok(client_ends[way - HF_COUNT_OF(ends)](house->store, id, NULL, &error), &error);
    } else {
        assert_ok(hf_delete(house->store, id, true, &error), &error);
    }
}

enum { WAYS = HF_COUNT_OF(ends) + HF_COUNT_OF(client_ends) + 1 };

/* However a parent ends, its child is asked to stop. */
static void trap_c10_every_end_of_a_parent_asks_its_children_to_stop(void **state)
{
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    for (size_t way = 0; way < WAYS; way++) {
        char id[STAGE_NAME_SIZE], below[STAGE_NAME_SIZE + 2];
        snprintf(id, sizeof id, "p%zu", way);
        snprintf(below, sizeof below, "%s.0", id);
        leave(&house, id, way);
        assert_int_equal(status_of(&house, below), HF_INSTANCE_CANCELLED);
    }
    rest(&house, runtime);
}

/* However it ends, its work is told to stop, and no item, no timer and, unless it continues as new,
 * no session of it is left. */
static void row_7_17_every_end_leaves_no_work_behind(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    for (size_t way = 0; way < WAYS; way++) {
        char id[STAGE_NAME_SIZE], told[STAGE_LINE_SIZE];
        hf_stats stats = HF_INIT(hf_stats);
        snprintf(id, sizeof id, "p%zu", way);
        snprintf(told, sizeof told, "told %s w", id);
        leave(&house, id, way);
        stage_wait(&house.stage, told, 1);
        bool is_continued = way < HF_COUNT_OF(ends) && strcmp(ends[way], "continue") == 0;
        assert_ok(hf_stats_read(house.store, &stats, &error), &error);
        assert_int_equal(stats.activities_waiting_count + stats.activities_running_count, 0);
        assert_int_equal(stats.timers_count, 0);
        assert_int_equal(stats.sessions_count, is_continued ? 1 : 0);
        if (is_continued) terminate(&house, id);
    }
    rest(&house, runtime);
}

/* A request to stop goes down a line of three, each of which takes back what it did. */
static void test_cancel_compensates_down_a_line_of_three(void **state)
{
    static const char *const ids[] = { "i", "i.0", "i.0.0" };
    struct house house;
    hf_error error = { 0 };
    (void)state;
    hf_runtime *runtime = open_with_worker(&house);
    house_start(&house, "i", "undoes", "2");
    for (size_t i = 0; i < HF_COUNT_OF(ids); i++) house_wait_status(&house, ids[i], "waits");
    assert_ok(hf_cancel(house.store, "i", "enough", &error), &error);
    for (size_t i = 0; i < HF_COUNT_OF(ids); i++) {
        char line[STAGE_LINE_SIZE];
        assert_int_equal(status_of(&house, ids[i]), HF_INSTANCE_CANCELLED);
        stage_line(&house.stage, "undone", i + 1, line, sizeof line);
        assert_string_equal(line + strlen("undone "), ids[i]);
    }
    assert_int_equal(stage_count(&house.stage, "undone"), HF_COUNT_OF(ids));
    rest(&house, runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_3_15_tree_is_an_instance_and_its_descendants),
        cmocka_unit_test(row_3_16_tree_is_deleted_whole_or_not_at_all),
        cmocka_unit_test(row_3_16_running_tree_is_deleted_and_its_parent_told),
        cmocka_unit_test(row_3_16_gap_in_a_tree_keeps_nobody),
        cmocka_unit_test(row_3_17_ended_roots_are_deleted_in_bulk),
        cmocka_unit_test(row_3_17_trees_go_whole_in_bulk),
        cmocka_unit_test(row_10_8_bulk_has_a_limit_of_1000),
        cmocka_unit_test(trap_b12_what_runs_is_not_deleted),
        cmocka_unit_test(trap_b13_old_work_cannot_reach_a_new_instance_of_its_id),
        cmocka_unit_test(trap_b13_turn_in_flight_cannot_bring_it_back),
        cmocka_unit_test(row_3_18_former_executions_are_pruned),
        cmocka_unit_test(row_3_19_all_instances_are_pruned_running_ones_too),
        cmocka_unit_test(trap_b21_pruning_keeps_values_and_what_runs),
        cmocka_unit_test(trap_c7_child_that_continues_as_new_keeps_its_parent),
        cmocka_unit_test(trap_c8_outcome_of_a_former_executions_child_reaches_nobody),
        cmocka_unit_test(trap_c9_child_whose_id_is_taken_answers_its_parent),
        cmocka_unit_test(row_1d_2_cancelled_child_is_asked_to_stop),
        cmocka_unit_test(trap_c10_every_end_of_a_parent_asks_its_children_to_stop),
        cmocka_unit_test(row_7_17_every_end_leaves_no_work_behind),
        cmocka_unit_test(test_cancel_compensates_down_a_line_of_three),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
