/* Section 8: what is not allowed with sessions fails the orchestration that does it, with an error
 * that says what is wrong, and touches nothing else. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

#include "runtime/store.h"

static hf_status closes_ghost(hf_orchestration *o, hf_slice input)
{
    hf_slice message, result;
    hf_session desk = hf_session_open_id(o, "desk");
    hf_future held = hf_schedule_on(o, desk, "hold", input);
    HF_TRY(hf_dequeue(o, "go", &message));
    hf_session_close(o, hf_session_named(o, "ghost"));
    hf_status_set(o, hf_text("closed"));
    HF_TRY(hf_await(o, held, &result));
    return hf_complete(o, result);
}

static hf_status uses_unopened(hf_orchestration *o, hf_slice input)
{
    hf_session_open_id(o, "desk");
    return hf_call_on(o, hf_session_named(o, "ghost"), "where", input, NULL);
}

static hf_status uses_closed_at_once(hf_orchestration *o, hf_slice input)
{
    hf_session ghost = hf_session_open_id(o, "ghost");
    hf_session_close(o, ghost);
    return hf_call_on(o, ghost, "tell", input, NULL);
}

static hf_status uses_closed_later(hf_orchestration *o, hf_slice input)
{
    hf_session ghost = hf_session_open_id(o, "ghost");
    HF_TRY(hf_call_on(o, ghost, "where", input, NULL));
    hf_session_close(o, ghost);
    HF_TRY(hf_call(o, "echo", input, NULL));
    return hf_call_on(o, ghost, "tell", input, NULL);
}

static hf_status opens_three(hf_orchestration *o, hf_slice input)
{
    for (int i = 0; i < 3; i++) {
        HF_TRY(hf_call_on(o, hf_session_open(o), "where", input, NULL));
    }
    return hf_complete(o, input);
}

static hf_status makes_room(hf_orchestration *o, hf_slice input)
{
    hf_session first = hf_session_open_id(o, "first");
    HF_TRY(hf_call_on(o, hf_session_open_id(o, "second"), "where", input, NULL));
    hf_session_close(o, first);
    HF_TRY(hf_call_on(o, hf_session_open_id(o, "third"), "where", input, NULL));
    hf_status_set(o, hf_text("room"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, input);
}

static const struct part parts[] = {
    { "closes_ghost", closes_ghost, NULL },
    { "uses_unopened", uses_unopened, NULL },
    { "uses_closed_at_once", uses_closed_at_once, NULL },
    { "uses_closed_later", uses_closed_later, NULL },
    { "opens_three", opens_three, NULL },
    { "makes_room", makes_room, NULL },
    { NULL, NULL, NULL },
};

/* Runs the orchestration on a worker and asserts that it fails so, and that nothing of it is left.
 */
static void check_failure(struct house *house, const char *orchestration, const char *code,
                          const char *part)
{
    hf_error error = { 0 };
    house_start(house, orchestration, orchestration, "");
    house_failure(house, orchestration, HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, code);
    if (!strstr(error.message, part)) fail_msg("\"%s\" has no \"%s\"", error.message, part);
    assert_int_equal(house_sessions_count(house, NULL), 0);
}

/* Closing a session that was never opened is in history, and that is all: the session that is open
 * keeps its row and its claim, and its activity runs on. */
static void case_8_1_close_of_an_unopened_session_is_recorded_only(void **state)
{
    struct house house;
    struct house_session before, after;
    char history[HOUSE_TEXT_SIZE];
    (void)state;
    house_open(&house, parts);
    hf_runtime *worker = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "a"));
    house_start(&house, "desk", "closes_ghost", "gate");
    stage_wait(&house.stage, "held desk a 1", 1);
    assert_true(house_session(&house, "desk", "desk", &before));
    house_send(&house, "desk", "go", "");
    house_wait_status(&house, "desk", "closed");

    house_history(&house, "desk", history, sizeof history);
    assert_non_null(strstr(history, "session_closed ghost\n"));
    assert_true(house_session(&house, "desk", "desk", &after));
    assert_int_equal(house_sessions_count(&house, NULL), 1);
    assert_int_equal(after.epoch, before.epoch);
    assert_int_equal(after.incarnation, before.incarnation);
    assert_int_equal(after.running_count, 1);
    stage_open(&house.stage, "gate");
    house_expect(&house, "desk", "let go");
    assert_int_equal(stage_count(&house.stage, "told"), 0);
    hf_runtime_free(worker);
    house_close(&house);
}

/* An activity on a session that was never opened fails the orchestration; the error names the
 * session, and no worker sees the activity. */
static void case_8_2_activity_on_an_unopened_session_fails(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, parts);
    hf_runtime *worker = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "a"));
    check_failure(&house, "uses_unopened", "session_not_open", "\"ghost\" is not open");
    house_rest(worker);
    assert_int_equal(stage_count(&house.stage, "where"), 0);
    hf_runtime_free(worker);
    house_close(&house);
}

/* An activity on a session that was closed, in this turn or in a former one, fails in the same way.
 */
static void case_8_3_activity_on_a_closed_session_fails(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, parts);
    hf_runtime *worker = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "a"));
    check_failure(&house, "uses_closed_at_once", "session_not_open", "\"ghost\" is not open");
    check_failure(&house, "uses_closed_later", "session_not_open", "\"ghost\" is not open");
    house_rest(worker);
    assert_int_equal(stage_count(&house.stage, "where"), 1);
    assert_int_equal(stage_count(&house.stage, "tell"), 0);
    hf_runtime_free(worker);
    house_close(&house);
}

static const hf_runtime_options two_at_most = { .size = sizeof(hf_runtime_options),
                                                .worker_id = "a",
                                                .sessions_per_orchestration_max = 2 };

/* With a limit of two open sessions the third opening fails the orchestration; the message gives
 * limit and count. */
static void case_8_4_third_session_is_over_a_limit_of_two(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, parts);
    hf_runtime *worker = house_worker(&house, &two_at_most);
    check_failure(&house, "opens_three", "session_limit", "2 are open, the limit is 2");
    house_rest(worker);
    assert_int_equal(stage_count(&house.stage, "where"), 2);
    hf_runtime_free(worker);
    house_close(&house);
}

/* With a limit of two: open two, close one, open one works. */
static void case_8_5_close_makes_room_for_another(void **state)
{
    struct house house;
    struct house_session session;
    (void)state;
    house_open(&house, parts);
    hf_runtime *worker = house_worker(&house, &two_at_most);
    house_start(&house, "desk", "makes_room", "done");
    house_wait_status(&house, "desk", "room");
    assert_int_equal(house_sessions_count(&house, "desk"), 2);
    assert_true(house_session(&house, "desk", "second", &session));
    assert_true(house_session(&house, "desk", "third", &session));
    house_send(&house, "desk", "go", "");
    house_expect(&house, "desk", "done");
    hf_runtime_free(worker);
    house_close(&house);
}

/* ---- a store without sessions --------------------------------------------------------------- */

struct bare_store {
    const char *directory;
    struct hf_backend_ops ops;
};

static hf_status open_bare(void *self, const struct hf_backend_options *options,
                           struct hf_backend **out_backend, hf_error *error)
{
    struct bare_store *bare = self;
    struct hf_backend *backend = NULL;
    hf_status status = hf_backend_open(bare->directory, options, &backend, error);
    if (status != HF_OK) return status;
    bare->ops = *backend->ops;
    memset(&bare->ops.capabilities, 0, sizeof bare->ops.capabilities);
    backend->ops = &bare->ops;
    *out_backend = backend;
    return HF_OK;
}

/* On a store whose capabilities are zeroed, opening a session fails the orchestration and says why;
 * what needs no session goes on. */
static void case_8_6_store_without_sessions_refuses_to_open_one(void **state)
{
    struct house house;
    hf_error error = { 0 };
    (void)state;
    house_open(&house, parts);
    hf_store_close(house.store);
    struct bare_store bare = { .directory = house.directory.path };
    const struct hf__store_setup setup = { .open = open_bare, .self = &bare };
    assert_ok(hf__store_open_with(&setup, HF_WITH(hf_store_options, .observer = &house.observer),
                                  &house.store, &error),
              &error);
    hf_runtime *worker = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "a"));
    check_failure(&house, "opens_three", "sessions_unsupported", "does not support sessions");
    house_start(&house, "greeting", "hello", "world");
    house_expect(&house, "greeting", "Hello, world!");
    assert_int_equal(stage_count(&house.stage, "where"), 0);
    hf_runtime_free(worker);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_8_1_close_of_an_unopened_session_is_recorded_only),
        cmocka_unit_test(case_8_2_activity_on_an_unopened_session_fails),
        cmocka_unit_test(case_8_3_activity_on_a_closed_session_fails),
        cmocka_unit_test(case_8_4_third_session_is_over_a_limit_of_two),
        cmocka_unit_test(case_8_5_close_makes_room_for_another),
        cmocka_unit_test(case_8_6_store_without_sessions_refuses_to_open_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
