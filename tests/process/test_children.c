/* Parents and children on whole runtimes: outcomes, ends from outside, and what is asked of whom.
 * Two runtimes share all turns, so either may run a parent's and a child's. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/slice.h"

/* ---- the orchestrations --------------------------------------------------------------------- */

static hf_status calls(hf_orchestration *o, const char *orchestration, hf_slice id)
{
    hf_slice output;
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = orchestration;
    options.instance = id.size > 0 ? id.data : NULL;
    options.input = hf_text(hf_instance_id(o));
    HF_TRY(hf_await(o, hf_child(o, &options), &output));
    return hf_complete(o, output);
}

/* "<its id>-kid", with a NUL behind it. */
static hf_slice kid_id(hf_orchestration *o)
{
    return hf_format(o, "%s-kid", hf_instance_id(o));
}

static hf_status parent(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return calls(o, "kid", kid_id(o));
}

static hf_status grandparent(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return calls(o, "parent", kid_id(o));
}

/* Calls nine children with generated ids at once, and tells how many completed. */
static hf_status crowd(hf_orchestration *o, hf_slice input)
{
    enum { CHILDREN = 9 };
    hf_future all[CHILDREN];
    for (size_t i = 0; i < CHILDREN; i++) {
        hf_child_options options = HF_INIT(hf_child_options);
        options.orchestration = "hello";
        options.input = input;
        all[i] = hf_child(o, &options);
    }
    HF_TRY(hf_join(o, all, CHILDREN));
    return hf_complete(o, hf_format(o, "%d", CHILDREN));
}

/* Waits for a message, and does what it says. */
static hf_status kid(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    hf_status_set(o, hf_format(o, "waits for " HF_FMT, HF_ARG(input)));
    HF_TRY(hf_dequeue(o, "do", &message));
    if (hf_slice_equal(message, hf_text("fail"))) return hf_fail(o, "refused", "by the kid");
    if (hf_slice_equal(message, hf_text("again"))) return hf_continue_as_new(o, hf_text("more"));
    return hf_complete(o, message);
}

static const struct part parts[] = {
    { "parent", parent, NULL }, { "grandparent", grandparent, NULL },
    { "kid", kid, NULL },       { "crowd", crowd, NULL },
    { NULL, NULL, NULL },
};

/* ---- the family ----------------------------------------------------------------------------- */

struct family {
    struct house house;
    hf_runtime *runtimes[2];
};

static int family_setup(void **state)
{
    static struct family family;
    house_open(&family.house, parts);
    family.runtimes[0] = house_worker(&family.house, HF_WITH(hf_runtime_options, .worker_id = "a"));
    family.runtimes[1] = house_worker(&family.house, HF_WITH(hf_runtime_options, .worker_id = "b"));
    *state = &family;
    return 0;
}

static int family_teardown(void **state)
{
    struct family *family = *state;
    for (size_t i = 0; i < HF_COUNT_OF(family->runtimes); i++) {
        house_rest(family->runtimes[i]);
        assert_true(house_metric(family->runtimes[i], "replay_mismatches") == 0);
        hf_runtime_free(family->runtimes[i]);
    }
    house_close(&family->house);
    return 0;
}

/* Starts a parent, and waits until its child waits. */
static void start_waiting(struct house *house, const char *id)
{
    char kid_of[64], status[64];
    house_start(house, id, "parent", "");
    snprintf(kid_of, sizeof kid_of, "%s-kid", id);
    snprintf(status, sizeof status, "waits for %s", id);
    house_wait_status(house, kid_of, status);
}

/* Waits for the failure of an instance, and compares its code. */
static void expect_failed(struct house *house, const char *id, const char *code)
{
    hf_error error;
    house_failure(house, id, HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, code);
}

/* Waits until it is cancelled because its parent, of that id, has ended. */
static void expect_orphaned(struct house *house, const char *id, const char *parent_id)
{
    hf_error error;
    house_failure(house, id, HF_INSTANCE_CANCELLED, &error);
    assert_non_null(strstr(error.message, "has ended"));
    assert_non_null(strstr(error.message, parent_id));
}

/* ---- outcomes ------------------------------------------------------------------------------- */

/* The child's output is the parent's, also when the child has continued as new meanwhile. */
static void test_output_reaches_the_parent(void **state)
{
    struct house *house = &((struct family *)*state)->house;
    start_waiting(house, "p");
    house_send(house, "p-kid", "do", "again");
    house_wait_status(house, "p-kid", "waits for more");
    house_send(house, "p-kid", "do", "output");
    house_expect(house, "p", "output");
}

/* The child's failure is the parent's, with code and message. */
static void test_failure_reaches_the_parent(void **state)
{
    struct house *house = &((struct family *)*state)->house;
    hf_error error;
    start_waiting(house, "p");
    house_send(house, "p-kid", "do", "fail");
    house_failure(house, "p", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "refused");
    assert_string_equal(error.message, "by the kid");
}

/* A child that is cancelled, terminated or deleted fails its parent with that code; so does one
 * whose id is taken. */
static void test_ends_from_outside_reach_the_parent(void **state)
{
    struct house *house = &((struct family *)*state)->house;
    hf_error error;
    start_waiting(house, "p");
    assert_ok(hf_cancel(house->store, "p-kid", "enough", &error), &error);
    expect_failed(house, "p", "cancelled");
    start_waiting(house, "q");
    assert_ok(hf_terminate(house->store, "q-kid", "enough", &error), &error);
    expect_failed(house, "q", "terminated");
    start_waiting(house, "r");
    assert_ok(hf_delete(house->store, "r-kid", true, &error), &error);
    expect_failed(house, "r", "deleted");
    house_start(house, "s-kid", "kid", "s-kid");
    house_start(house, "s", "parent", "");
    expect_failed(house, "s", "child_exists");
    house_send(house, "s-kid", "do", "its own");
    house_expect(house, "s-kid", "its own"); /* nobody's child, and untouched */
}

/* Many children at once, with ids that nobody gave, and again under the parent's id when that was
 * deleted. */
static void test_many_children_at_once(void **state)
{
    struct house *house = &((struct family *)*state)->house;
    hf_error error;
    for (int round = 0; round < 2; round++) {
        house_start(house, "p", "crowd", "world");
        house_expect(house, "p", "9");
        assert_ok(hf_delete(house->store, "p", false, &error), &error);
    }
}

/* ---- a parent's end ------------------------------------------------------------------------- */

/* Whatever ends a parent, its child is asked to stop. */
static void test_child_of_an_ended_parent_is_cancelled(void **state)
{
    struct house *house = &((struct family *)*state)->house;
    hf_error error;
    start_waiting(house, "p");
    assert_ok(hf_terminate(house->store, "p", "enough", &error), &error);
    expect_orphaned(house, "p-kid", "\"p\"");
    start_waiting(house, "q");
    assert_ok(hf_delete(house->store, "q", true, &error), &error);
    expect_orphaned(house, "q-kid", "\"q\"");
    start_waiting(house, "r");
    assert_ok(hf_cancel(house->store, "r", "enough", &error), &error);
    house_failure(house, "r", HF_INSTANCE_CANCELLED, &error);
    house_failure(house, "r-kid", HF_INSTANCE_CANCELLED, &error);
}

/* A request to stop reaches the children of children. */
static void test_cancel_reaches_grandchildren(void **state)
{
    struct house *house = &((struct family *)*state)->house;
    hf_error error;
    house_start(house, "p", "grandparent", "");
    house_wait_status(house, "p-kid-kid", "waits for p-kid");
    assert_ok(hf_terminate(house->store, "p", "enough", &error), &error);
    expect_orphaned(house, "p-kid", "\"p\"");
    house_failure(house, "p-kid-kid", HF_INSTANCE_CANCELLED, &error);
}

/* A parent whose runtime is gone hears its child from another one, which replays it. */
static void test_parent_is_resumed_elsewhere(void **state)
{
    struct family *family = *state;
    struct house *house = &family->house;
    start_waiting(house, "p");
    for (size_t i = 0; i < HF_COUNT_OF(family->runtimes); i++) {
        house_rest(family->runtimes[i]);
        hf_runtime_free(family->runtimes[i]);
        family->runtimes[i] = house_worker(
            house, HF_WITH(hf_runtime_options, .worker_id = i == 0 ? "c" : "d"));
    }
    house_send(house, "p-kid", "do", "output");
    house_expect(house, "p", "output");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, family_setup, family_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_output_reaches_the_parent),
        CASE(test_failure_reaches_the_parent),
        CASE(test_ends_from_outside_reach_the_parent),
        CASE(test_many_children_at_once),
        CASE(test_child_of_an_ended_parent_is_cancelled),
        CASE(test_cancel_reaches_grandchildren),
        CASE(test_parent_is_resumed_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
