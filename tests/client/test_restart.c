/* Restarted, requeued: what has ended runs again, anew or from an event on. On whole runtimes. */
#include "tests/support/house.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* ---- what runs ------------------------------------------------------------------------------ */

/* While it is set, work whose input is "b" fails, and so does one that looks at it. */
static _Atomic bool is_broken;
/* How often work ran, by its input. */
static _Atomic int runs[128];

static hf_status works(hf_activity *activity, hf_slice input)
{
    atomic_fetch_add(&runs[(unsigned char)((const char *)input.data)[0]], 1);
    if (is_broken && hf_slice_equal(input, hf_text("b"))) {
        return hf_activity_fail(activity, "broken", hf_text(""), "the world is broken");
    }
    return hf_activity_complete(activity, input);
}

/* Its input, and whether a former execution left a value. */
static hf_status counts(hf_orchestration *o, hf_slice input)
{
    hf_slice value;
    bool is_again = hf_kv_get(o, "ran", &value);
    hf_kv_set(o, "ran", hf_text("yes"));
    return hf_complete(o, hf_format(o, HF_FMT " %s", HF_ARG(input), is_again ? "again" : "first"));
}

/* A child, work on a session, a value and a message; then work that depends on the world. */
static hf_status steps(hf_orchestration *o, hf_slice input)
{
    hf_slice a, b, message;
    (void)input;
    hf_child_options child = HF_INIT(hf_child_options);
    child.orchestration = "counts";
    HF_TRY(hf_await(o, hf_child(o, &child), NULL));
    hf_session session = hf_session_open(o);
    HF_TRY(hf_call_on(o, session, "works", hf_text("a"), &a));
    hf_kv_set(o, "step", a);
    hf_status_set(o, hf_text("one"));
    HF_TRY(hf_dequeue(o, "in", &message));
    hf_kv_set(o, "step", hf_text("later"));
    HF_TRY(hf_call_on(o, session, "works", hf_text("b"), &b));
    return hf_complete(o,
                       hf_format(o, HF_FMT HF_FMT HF_FMT, HF_ARG(a), HF_ARG(b), HF_ARG(message)));
}

/* Ends while a child, a timer and work are under way. */
static hf_status leaves(hf_orchestration *o, hf_slice input)
{
    hf_slice done;
    hf_child_options child = HF_INIT(hf_child_options);
    child.orchestration = "lingers";
    hf_future started = hf_child(o, &child);
    hf_future timer = hf_timer(o, 1);
    hf_future work = hf_schedule(o, "works", hf_text("w"));
    hf_status_set(o, hf_text("waits"));
    HF_TRY(hf_dequeue(o, "in", NULL));
    if (is_broken) return hf_fail(o, "broken", "the world is broken");
    HF_TRY(hf_await(o, timer, NULL));
    HF_TRY(hf_await(o, work, &done));
    if (hf_await(o, started, NULL) != HF_FAILED) return hf_fail(o, "other", "it did not fail");
    return hf_complete(o, hf_format(o, HF_FMT HF_FMT " %s", HF_ARG(input), HF_ARG(done),
                                    hf_orchestration_error(o)->code));
}

static hf_status lingers(hf_orchestration *o, hf_slice input)
{
    HF_TRY(hf_dequeue(o, "never", NULL));
    return hf_complete(o, input);
}

/* Its child is called "c". */
static hf_status names(hf_orchestration *o, hf_slice input)
{
    hf_child_options child = HF_INIT(hf_child_options);
    child.orchestration = "counts";
    child.instance = "c";
    child.input = input;
    HF_TRY(hf_await(o, hf_child(o, &child), NULL));
    return hf_complete(o, input);
}

/* Fails with what the activity that nobody has failed with. */
static hf_status hopes(hf_orchestration *o, hf_slice input)
{
    (void)input;
    HF_TRY(hf_call(o, "late", hf_text("l"), NULL));
    return hf_complete(o, hf_text("at last"));
}

/* Two works that nobody begins in time; then it depends on the world. */
static hf_status expires(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "works";
    options.tag = "nobody serves it";
    options.start_timeout_ms = 1;
    hf_future first = hf_schedule_with(o, &options), second = hf_schedule_with(o, &options);
    if (hf_await(o, first, NULL) != HF_TIMEOUT) return hf_fail(o, "other", "it was begun");
    if (hf_await(o, second, NULL) != HF_TIMEOUT) return hf_fail(o, "other", "it was begun");
    if (is_broken) return hf_fail(o, "broken", "the world is broken");
    return hf_complete(o, hf_text("both expired"));
}

static const struct part parts[] = { { "counts", counts, NULL },   { "steps", steps, NULL },
                                     { "leaves", leaves, NULL },   { "lingers", lingers, NULL },
                                     { "names", names, NULL },     { "hopes", hopes, NULL },
                                     { "expires", expires, NULL }, { "works", NULL, works },
                                     { "late", NULL, works },      { NULL, NULL, NULL } };

/* ---- helpers -------------------------------------------------------------------------------- */

static void scene_open(struct house *house)
{
    is_broken = false;
    for (size_t i = 0; i < HF_COUNT_OF(runs); i++) runs[i] = 0;
    house_open(house, parts);
}

static hf_runtime *worker(struct house *house, uint32_t attempts_max)
{
    return house_worker(
        house, HF_WITH(hf_runtime_options, .worker_id = "w", .attempts_max = attempts_max));
}

static void rest(struct house *house, hf_runtime *runtime)
{
    house_rest(runtime);
    hf_runtime_free(runtime);
    house_close(house);
}

/* The first event of that kind in the history of its latest execution. */
static uint64_t event_of(struct house *house, const char *id, const char *kind)
{
    hf_cursor *cursor = NULL;
    const hf_event_info *row = NULL;
    hf_error error = { 0 };
    uint64_t event_id = 0;
    assert_ok(hf_query_open(house->store, HF_WITH(hf_query, .instance = id), &cursor, &error),
              &error);
    while (event_id == 0 && hf_next_event(cursor, &row)) {
        if (strcmp(row->kind, kind) == 0) event_id = row->event_id;
    }
    assert_ok(hf_cursor_close(cursor, &error), &error);
    assert_true(event_id > 0);
    return event_id;
}

/* A request that is refused while a worker clears up what the instance had. */
struct attempt {
    struct house *house;
    const hf_restart_options *restart; /* NULL: a requeue */
    const char *id;
    hf_error *error;
    hf_status status;
};

static bool attempt_is_answered(void *context)
{
    struct attempt *self = context;
    self->status = self->restart ? hf_restart(self->house->store, self->restart, self->error)
                                 : hf_requeue(self->house->store, self->id, self->error);
    return self->status != HF_BUSY;
}

/* Asks again until the instance is cleared up: HF_BUSY when it never is. */
static hf_status attempt_until_answered(struct attempt attempt)
{
    hf_test_wait(STAGE_LIMIT_MS, &attempt, attempt_is_answered);
    return attempt.status;
}

static hf_status restart(struct house *house, const hf_restart_options *options, hf_error *error)
{
    return attempt_until_answered(
        (struct attempt){ .house = house, .restart = options, .error = error });
}

static hf_status requeue(struct house *house, const char *id, hf_error *error)
{
    return attempt_until_answered((struct attempt){ .house = house, .id = id, .error = error });
}

static uint64_t execution_of(struct house *house, const char *id)
{
    const hf_instance *instance = NULL;
    hf_error error = { 0 };
    assert_ok(hf_get(house->store, id, &instance, &error), &error);
    uint64_t execution = instance->execution;
    hf_instance_free(instance);
    return execution;
}

/* ---- anew ----------------------------------------------------------------------------------- */

/* It has the input of before, or another, and finds the values that were left. */
static void test_restart_anew_is_the_next_execution(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    scene_open(&house);
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "i", "counts", "x");
    house_expect(&house, "i", "x first");
    assert_ok(restart(&house, HF_WITH(hf_restart_options, .instance = "i"), &error), &error);
    house_expect(&house, "i", "x again");
    const hf_restart_options other = { .size = sizeof other,
                                       .instance = "i",
                                       .input = hf_text("y") };
    assert_ok(restart(&house, &other, &error), &error);
    house_expect(&house, "i", "y again");
    assert_int_equal(execution_of(&house, "i"), 3);
    rest(&house, runtime);
}

/* Also what was started as a child; its parent, which had its outcome, hears nothing more. */
static void test_restart_of_a_child_is_as_of_any_other(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    scene_open(&house);
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "i", "names", "x");
    house_expect(&house, "i", "x");
    house_expect(&house, "c", "x first");
    assert_ok(restart(&house, HF_WITH(hf_restart_options, .instance = "c"), &error), &error);
    house_expect(&house, "c", "x again");
    assert_ok(
        restart(&house, HF_WITH(hf_restart_options, .instance = "c", .from_event = 2), &error),
        &error);
    house_expect(&house, "c", "x again");
    assert_int_equal(execution_of(&house, "c"), 3);
    house_expect(&house, "i", "x");
    rest(&house, runtime);
}

/* What has sessions and children begins anew with other ones. */
static void test_restart_anew_does_all_again(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    scene_open(&house);
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "i", "steps", "");
    house_send(&house, "i", "in", "m");
    house_expect(&house, "i", "abm");
    assert_ok(restart(&house, HF_WITH(hf_restart_options, .instance = "i"), &error), &error);
    house_send(&house, "i", "in", "n");
    house_expect(&house, "i", "abn");
    assert_int_equal(runs['a'], 2);
    rest(&house, runtime);
}

/* ---- from an event -------------------------------------------------------------------------- */

/* What was before the event is kept and not done again; the message comes again, and values are as
 * they were. The session is open again. */
static void test_restart_from_an_event_keeps_what_is_before_it(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    const hf_value *value = NULL;
    scene_open(&house);
    is_broken = true;
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "i", "steps", "");
    house_wait_status(&house, "i", "one");
    house_send(&house, "i", "in", "m");
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "broken");
    is_broken = false;
    const hf_restart_options options = { .size = sizeof options,
                                         .instance = "i",
                                         .from_event = event_of(&house, "i", "mailbox_message") };
    assert_ok(restart(&house, &options, &error), &error);
    house_expect(&house, "i", "abm");
    assert_int_equal(execution_of(&house, "i"), 2);
    assert_int_equal(runs['a'], 1);
    assert_int_equal(runs['b'], 2);
    assert_ok(hf_kv_read(house.store, "i", "step", &value, &error), &error);
    assert_true(hf_slice_equal(value->value, hf_text("later")));
    hf_value_free(value);
    rest(&house, runtime);
}

/* The end is of the turn whose commands stand before it: that one is run again, whole. */
static void test_restart_from_the_end_runs_its_turn_again(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    scene_open(&house);
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "i", "counts", "x");
    house_expect(&house, "i", "x first");
    const hf_restart_options options = { .size = sizeof options,
                                         .instance = "i",
                                         .from_event = event_of(&house, "i", "completed") };
    assert_int_equal(options.from_event, 1 + event_of(&house, "i", "kv_set"));
    assert_ok(restart(&house, &options, &error), &error);
    house_expect(&house, "i", "x first");
    assert_int_equal(execution_of(&house, "i"), 2);
    rest(&house, runtime);
}

/* What the part that is not kept had set is gone at once. */
static void test_restart_from_an_event_takes_values_back(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    const hf_value *value = NULL;
    scene_open(&house);
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "i", "counts", "x");
    house_expect(&house, "i", "x first");
    house_rest(runtime);
    hf_runtime_free(runtime);
    assert_ok(hf_kv_read(house.store, "i", "ran", &value, &error), &error);
    hf_value_free(value);
    assert_ok(
        restart(&house, HF_WITH(hf_restart_options, .instance = "i", .from_event = 2), &error),
        &error);
    assert_status(hf_kv_read(house.store, "i", "ran", &value, &error), HF_NOT_FOUND);
    runtime = worker(&house, 0);
    house_expect(&house, "i", "x first");
    rest(&house, runtime);
}

/* What was not begun in time is known of each, though one turn scheduled all and nobody ran. */
static void test_restart_from_an_event_knows_what_expired(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    scene_open(&house);
    is_broken = true;
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "i", "expires", "");
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "broken");
    is_broken = false;
    const hf_restart_options options = { .size = sizeof options,
                                         .instance = "i",
                                         .from_event = event_of(&house, "i", "failed") };
    assert_ok(restart(&house, &options, &error), &error);
    house_expect(&house, "i", "both expired");
    rest(&house, runtime);
}

/* Of what was under way there, work and timer are done again, and the child's outcome is unknown.
 */
static void test_restart_from_an_event_does_again_what_was_pending(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    scene_open(&house);
    is_broken = true;
    hf_runtime *runtime = worker(&house, 0);
    house_start(&house, "i", "leaves", "x");
    house_wait_status(&house, "i", "waits");
    house_send(&house, "i", "in", "m");
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    is_broken = false;
    const hf_restart_options options = { .size = sizeof options,
                                         .instance = "i",
                                         .from_event = event_of(&house, "i", "mailbox_waited") +
                                                       1 };
    assert_ok(restart(&house, &options, &error), &error);
    house_expect(&house, "i", "xw restarted");
    rest(&house, runtime);
}

/* ---- dead letters --------------------------------------------------------------------------- */

static size_t letters_count(struct house *house)
{
    hf_cursor *cursor = NULL;
    const hf_dead_letter *row = NULL;
    hf_error error = { 0 };
    size_t count = 0;
    assert_ok(hf_query_open(house->store, NULL, &cursor, &error), &error);
    while (hf_next_dead_letter(cursor, &row)) count++;
    assert_ok(hf_cursor_close(cursor, &error), &error);
    return count;
}

/* Work, or a turn, that nobody could do, is given up; requeued when somebody can, it is done, and
 * no dead letter is left. */
static void requeue_without(const char *missing, const char *orchestration, const char *output)
{
    enum { BACKOFF_MS = 60000 };
    struct house house;
    hf_error error = { 0 };
    hf_runtime *poor = NULL;
    scene_open(&house);
    hf_registry *less = stage_registry(&house.stage, parts, missing);
    assert_ok(hf_runtime_new(house.store, less,
                             HF_WITH(hf_runtime_options, .worker_id = "poor", .attempts_max = 2),
                             &poor, &error),
              &error);
    assert_ok(hf_runtime_start(poor, &error), &error);
    house_start(&house, "i", orchestration, "x");
    for (size_t i = 1; strcmp(missing, orchestration) == 0 && i <= 2; i++) {
        stage_wait(&house.stage, "log instance.unregistered poor", i);
        house_move_clocks(&house, BACKOFF_MS, BACKOFF_MS);
    }
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "poison");
    assert_int_equal(letters_count(&house), 1);
    house_rest(poor);
    hf_runtime_free(poor);
    hf_registry_free(less);
    hf_runtime *runtime = worker(&house, 2);
    assert_ok(requeue(&house, "i", &error), &error);
    house_expect(&house, "i", output);
    assert_int_equal(letters_count(&house), 0);
    assert_status(requeue(&house, "i", &error), HF_NOT_FOUND);
    assert_string_equal(error.code, "no_dead_letter");
    rest(&house, runtime);
}

static void row_8_4_poison_activity_is_requeued(void **state)
{
    (void)state;
    requeue_without("late", "hopes", "at last");
}

static void row_8_4_poison_turn_is_requeued(void **state)
{
    (void)state;
    requeue_without("counts", "counts", "x first");
}

/* ---- refused -------------------------------------------------------------------------------- */

static void test_restart_refuses_what_cannot_be(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    scene_open(&house);
    hf_runtime *runtime = worker(&house, 0);
    hf_restart_options options = { .size = sizeof options, .instance = "nobody" };
    assert_status(hf_restart(house.store, &options, &error), HF_NOT_FOUND);
    house_start(&house, "i", "steps", "");
    options.instance = "i";
    assert_status(hf_restart(house.store, &options, &error), HF_STILL_RUNNING);
    assert_status(hf_requeue(house.store, "i", &error), HF_STILL_RUNNING);
    house_send(&house, "i", "in", "m");
    house_expect(&house, "i", "abm");
    options.from_event = 1;
    assert_status(restart(&house, &options, &error), HF_INVALID);
    options.from_event = 1000;
    assert_status(restart(&house, &options, &error), HF_INVALID);
    assert_non_null(strstr(error.message, "there is no event 1000"));
    options.from_event = 2;
    options.input = hf_text("y");
    assert_status(restart(&house, &options, &error), HF_INVALID);
    rest(&house, runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart_anew_is_the_next_execution),
        cmocka_unit_test(test_restart_anew_does_all_again),
        cmocka_unit_test(test_restart_of_a_child_is_as_of_any_other),
        cmocka_unit_test(test_restart_from_an_event_keeps_what_is_before_it),
        cmocka_unit_test(test_restart_from_the_end_runs_its_turn_again),
        cmocka_unit_test(test_restart_from_an_event_takes_values_back),
        cmocka_unit_test(test_restart_from_an_event_knows_what_expired),
        cmocka_unit_test(test_restart_from_an_event_does_again_what_was_pending),
        cmocka_unit_test(row_8_4_poison_activity_is_requeued),
        cmocka_unit_test(row_8_4_poison_turn_is_requeued),
        cmocka_unit_test(test_restart_refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
