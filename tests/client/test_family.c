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

static const struct part parts[] = { { "waits_go", waits_go, NULL },
                                     { "tree", tree, NULL },
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_3_15_tree_is_an_instance_and_its_descendants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
