/* Section 8: what is not allowed with sessions fails the orchestration that does it, with an error
 * that says what is wrong, and touches nothing else. */
#include "tests/sessions/crew.h"

#include <stdlib.h>
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

/* Runs the orchestration and asserts that it fails so. */
static void assert_fails(struct crew *crew, const char *orchestration, const char *code,
                         const char *part)
{
    hf_error error = { 0 };
    house_start(&crew->house, orchestration, orchestration, "");
    house_failure(&crew->house, orchestration, HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, code);
    if (!strstr(error.message, part)) fail_msg("\"%s\" has no \"%s\"", error.message, part);
}

/* The same, and no session is left. */
static void check_failure(struct crew *crew, const char *orchestration, const char *code,
                          const char *part)
{
    assert_fails(crew, orchestration, code, part);
    assert_int_equal(house_sessions_count(&crew->house, NULL), 0);
}

/* Closing a session that was never opened is in history, and that is all: the session that is open
 * keeps its row and its claim, and its activity runs on. */
static void case_8_1_close_of_an_unopened_session_is_recorded_only(void **state)
{
    struct crew *crew = *state;
    struct house_session before, after;
    char history[HOUSE_TEXT_SIZE];
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "closes_ghost", "gate");
    stage_wait(&crew->house.stage, "held desk a 1", 1);
    assert_true(house_session(&crew->house, "desk", "desk", &before));
    house_send(&crew->house, "desk", "go", "");
    house_wait_status(&crew->house, "desk", "closed");

    house_history(&crew->house, "desk", history, sizeof history);
    assert_non_null(strstr(history, "session_closed ghost\n"));
    assert_true(house_session(&crew->house, "desk", "desk", &after));
    assert_int_equal(house_sessions_count(&crew->house, NULL), 1);
    assert_int_equal(after.epoch, before.epoch);
    assert_int_equal(after.incarnation, before.incarnation);
    assert_int_equal(after.running_count, 1);
    stage_open(&crew->house.stage, "gate");
    house_expect(&crew->house, "desk", "let go");
    assert_int_equal(stage_count(&crew->house.stage, "told"), 0);
}

/* An activity on a session that was never opened fails the orchestration; the error names the
 * session, and no worker sees the activity. */
static void case_8_2_activity_on_an_unopened_session_fails(void **state)
{
    struct crew *crew = *state;
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    check_failure(crew, "uses_unopened", "session_not_open", "\"ghost\" is not open");
    house_rest(a);
    assert_int_equal(stage_count(&crew->house.stage, "where"), 0);
}

/* An activity on a session that was closed, in this turn or in a former one, fails in the same way.
 */
static void case_8_3_activity_on_a_closed_session_fails(void **state)
{
    struct crew *crew = *state;
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    check_failure(crew, "uses_closed_at_once", "session_not_open", "\"ghost\" is not open");
    check_failure(crew, "uses_closed_later", "session_not_open", "\"ghost\" is not open");
    house_rest(a);
    assert_int_equal(stage_count(&crew->house.stage, "where"), 1);
    assert_int_equal(stage_count(&crew->house.stage, "tell"), 0);
}

/* Has orchestrations run by a runtime that allows each of them two open sessions. */
static void allow_two_sessions(struct crew *crew)
{
    crew_dismiss_orchestrator(crew);
    crew->orchestrator = house_worker(
        &crew->house, HF_WITH(hf_runtime_options, .worker_id = "orchestrator",
                              .activity_threads = UINT32_MAX, .sessions_per_orchestration_max = 2));
}

/* With a limit of two open sessions the third opening fails the orchestration; the message gives
 * limit and count. */
static void case_8_4_third_session_is_over_a_limit_of_two(void **state)
{
    struct crew *crew = *state;
    allow_two_sessions(crew);
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    check_failure(crew, "opens_three", "session_limit", "2 are open, the limit is 2");
    house_rest(a);
    assert_int_equal(stage_count(&crew->house.stage, "where"), 2);
}

/* With a limit of two: open two, close one, open one works. */
static void case_8_5_close_makes_room_for_another(void **state)
{
    struct crew *crew = *state;
    struct house_session session;
    allow_two_sessions(crew);
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "makes_room", "done");
    house_wait_status(&crew->house, "desk", "room");
    assert_int_equal(house_sessions_count(&crew->house, "desk"), 2);
    assert_true(house_session(&crew->house, "desk", "second", &session));
    assert_true(house_session(&crew->house, "desk", "third", &session));
    house_send(&crew->house, "desk", "go", "");
    house_expect(&crew->house, "desk", "done");
}

/* ---- a store without sessions --------------------------------------------------------------- */

/* What stands in for the calls of a store: the same, but for what it says it can. */
struct bare_ops {
    struct hf_backend_ops ops; /* first */
    const struct hf_backend_ops *whole;
};

static void close_bare(struct hf_backend *backend)
{
    struct bare_ops *bare = (struct bare_ops *)(uintptr_t)backend->ops;
    backend->ops = bare->whole;
    free(bare);
    backend->ops->close(backend);
}

static hf_status open_bare(void *self, const struct hf_backend_options *options,
                           struct hf_backend **out_backend, hf_error *error)
{
    struct bare_ops *bare = calloc(1, sizeof *bare);
    assert_non_null(bare);
    assert_ok(hf_backend_open(self, options, out_backend, error), error);
    bare->whole = (*out_backend)->ops;
    bare->ops = *bare->whole;
    bare->ops.close = close_bare;
    memset(&bare->ops.capabilities, 0, sizeof bare->ops.capabilities);
    (*out_backend)->ops = &bare->ops;
    return HF_OK;
}

/* The house goes on with a store whose capabilities are zeroed. */
static void take_bare_store(struct crew *crew)
{
    hf_error error = { 0 };
    struct house *house = &crew->house;
    const struct hf__store_setup setup = { .open = open_bare, .self = house->directory.path };
    crew_dismiss_orchestrator(crew);
    hf_store_close(house->store);
    house->store = NULL;
    assert_ok(hf__store_open_with(&setup, HF_WITH(hf_store_options, .observer = &house->observer),
                                  &house->store, &error),
              &error);
    crew->orchestrator = house_orchestrator(house);
}

/* On a store whose capabilities are zeroed, opening a session fails the orchestration and says why;
 * what needs no session goes on. */
static void case_8_6_store_without_sessions_refuses_to_open_one(void **state)
{
    struct crew *crew = *state;
    take_bare_store(crew);
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    assert_fails(crew, "opens_three", "sessions_unsupported", "does not support sessions");
    crew_run_ordinary(crew, "greeting");
    house_rest(a);
    assert_int_equal(stage_count(&crew->house.stage, "where"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_8_1_close_of_an_unopened_session_is_recorded_only, parts),
        CREW_TEST(case_8_2_activity_on_an_unopened_session_fails, parts),
        CREW_TEST(case_8_3_activity_on_a_closed_session_fails, parts),
        CREW_TEST(case_8_4_third_session_is_over_a_limit_of_two, parts),
        CREW_TEST(case_8_5_close_makes_room_for_another, parts),
        CREW_TEST(case_8_6_store_without_sessions_refuses_to_open_one, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
