/* Section 9: code that uses sessions follows its history, and code that does not is refused: by a
 * worker that starts with another registry on the same store. */
#include "tests/sessions/crew.h"

#include <string.h>

#include "engine/event.h"
#include "runtime/store.h"

/* What every orchestration here does between its two halves. */
static hf_status pause_here(hf_orchestration *o)
{
    hf_status_set(o, hf_text("waiting"));
    return hf_dequeue(o, "go", NULL);
}

static hf_status opens_and_uses(hf_orchestration *o, hf_slice input)
{
    hf_slice before, after;
    hf_session x = hf_session_open_id(o, "x");
    HF_TRY(hf_call_on(o, x, "where", input, &before));
    HF_TRY(pause_here(o));
    HF_TRY(hf_call_on(o, x, "where", input, &after));
    return hf_complete(o, hf_format(o, HF_FMT "\n" HF_FMT "\n", HF_ARG(before), HF_ARG(after)));
}

static hf_status opens_uses_closes(hf_orchestration *o, hf_slice input)
{
    hf_slice report;
    hf_session x = hf_session_open_id(o, "x");
    HF_TRY(hf_call_on(o, x, "where", input, &report));
    hf_session_close(o, x);
    HF_TRY(pause_here(o));
    HF_TRY(hf_call(o, "echo", report, &report));
    return hf_complete(o, report);
}

static hf_status opens(hf_orchestration *o, hf_slice input)
{
    hf_session_open_id(o, "x");
    HF_TRY(pause_here(o));
    return hf_complete(o, input);
}

static hf_status opens_nothing(hf_orchestration *o, hf_slice input)
{
    HF_TRY(pause_here(o));
    return hf_complete(o, input);
}

static hf_status calls(hf_orchestration *o, hf_slice input)
{
    HF_TRY(hf_call(o, "echo", input, NULL));
    HF_TRY(pause_here(o));
    return hf_complete(o, input);
}

static hf_status opens_and_calls(hf_orchestration *o, hf_slice input)
{
    hf_session_open_id(o, "x");
    return calls(o, input);
}

static hf_status opens_a_then_b(hf_orchestration *o, hf_slice input)
{
    hf_session_open_id(o, "A");
    hf_session_open_id(o, "B");
    HF_TRY(pause_here(o));
    return hf_complete(o, input);
}

static hf_status opens_b_then_a(hf_orchestration *o, hf_slice input)
{
    hf_session_open_id(o, "B");
    hf_session_open_id(o, "A");
    HF_TRY(pause_here(o));
    return hf_complete(o, input);
}

/* From now on the orchestration `job` is `run`. No runtime uses the registry. */
static void change_code(struct crew *crew, hf_orchestration_fn run)
{
    struct house *house = &crew->house;
    const struct part parts[] = { { "job", run, NULL }, { NULL, NULL, NULL } };
    hf_registry_free(house->registry);
    house->registry = stage_registry(&house->stage, parts, NULL);
}

/* A worker that keeps no code in memory: each of its turns begins with the history. */
static hf_runtime *forgetful(struct crew *crew, const char *worker_id)
{
    return crew_hire_with(crew, HF_WITH(hf_runtime_options, .worker_id = worker_id,
                                        .live_instances_max = UINT32_MAX));
}

/* Runs `before` on a worker "a" until it waits, and stops that. */
static void run_to_pause(struct crew *crew, hf_orchestration_fn before)
{
    crew_dismiss_orchestrator(crew);
    change_code(crew, before);
    hf_runtime *a = forgetful(crew, "a");
    house_start(&crew->house, "desk", "job", "done");
    house_wait_status(&crew->house, "desk", "waiting");
    crew_dismiss(crew, a);
    assert_int_equal(stage_count(&crew->house.stage, "log instance."), 0);
}

/* Goes on with the same code on a worker "b", which has only the history. */
static void go_on(struct crew *crew, const char *output)
{
    hf_runtime *b = forgetful(crew, "b");
    house_send(&crew->house, "desk", "go", "");
    house_expect(&crew->house, "desk", output);
    house_rest(b);
    assert_true(house_metric(b, "turns_replayed") == 2);
    assert_true(house_metric(b, "replay_mismatches") == 0);
    assert_int_equal(stage_count(&crew->house.stage, "log instance."), 0);
}

/* An orchestration that opens a session and uses it is replayed by another worker, and goes on. */
static void case_9_1_open_and_use_replay(void **state)
{
    struct crew *crew = *state;
    run_to_pause(crew, opens_and_uses);
    go_on(crew, "a cold first 1\nb cold first 1\n");
}

/* So is one that opens a session, uses it and closes it. */
static void case_9_2_open_activity_close_replay(void **state)
{
    struct crew *crew = *state;
    run_to_pause(crew, opens_uses_closes);
    go_on(crew, "a cold first 1");
}

/* ---- code that has changed ------------------------------------------------------------------ */

struct change {
    hf_orchestration_fn before, after;
    const char *has, *issued; /* the two sides of the error */
};

static uint64_t events_count(struct house *house, bool is_suspended)
{
    hf_error error = { 0 };
    const hf_instance *instance = NULL;
    assert_ok(hf_get(house->store, "desk", &instance, &error), &error);
    assert_int_equal(instance->status, HF_INSTANCE_RUNNING);
    assert_true(is_suspended == (instance->suspension != NULL));
    if (is_suspended) assert_string_equal(instance->suspension->code, "nondeterminism");
    uint64_t count = instance->events_count;
    hf_instance_free(instance);
    return count;
}

static void assert_has(const char *line, const char *part)
{
    if (!strstr(line, part)) fail_msg("\"%s\" has no \"%s\"", line, part);
}

/* Runs `before` to its pause, then goes on with `after`: its worker logs both sides, suspends the
 * instance and appends nothing. Resumed with `before` again it completes. */
static void check_change(struct crew *crew, const struct change *change)
{
    hf_error error = { 0 };
    char line[STAGE_LINE_SIZE];
    run_to_pause(crew, change->before);
    uint64_t count = events_count(&crew->house, false);

    change_code(crew, change->after);
    hf_runtime *b = forgetful(crew, "b");
    house_send(&crew->house, "desk", "go", "");
    stage_line(&crew->house.stage, "log instance.nondeterminism b desk", 1, line, sizeof line);
    assert_has(line, change->has);
    assert_has(line, change->issued);
    house_rest(b);
    assert_true(house_metric(b, "turns_committed") == 0);
    crew_dismiss(crew, b);
    assert_int_equal(events_count(&crew->house, true), count);

    change_code(crew, change->before);
    forgetful(crew, "c");
    assert_ok(hf_resume(crew->house.store, "desk", &error), &error);
    house_expect(&crew->house, "desk", "done");
}

/* History has SessionOpened and the code does not open: a nondeterminism error. */
static void case_9_3_open_that_the_code_lacks_is_nondeterminism(void **state)
{
    check_change(*state,
                 &(struct change){ opens, opens_nothing, "session_opened \"x\" #1 at event 2",
                                   "the code issued status_set" });
}

/* The code opens a session where history has another command: the error shows both. */
static void case_9_4_open_instead_of_a_command_is_nondeterminism(void **state)
{
    check_change(*state, &(struct change){ calls, opens_and_calls, "activity_scheduled \"echo\"",
                                           "the code issued session_opened \"x\" #1" });
}

/* History opens A then B, the code B then A. */
static void case_9_5_swapped_opens_are_nondeterminism(void **state)
{
    check_change(*state, &(struct change){ opens_a_then_b, opens_b_then_a,
                                           "session_opened \"A\" #1 at event 2",
                                           "session_opened \"B\" #1" });
}

/* ---- over continue-as-new ------------------------------------------------------------------- */

static hf_status carries(hf_orchestration *o, hf_slice input)
{
    if (hf_slice_equal(input, hf_text("second"))) {
        HF_TRY(pause_here(o));
        return hf_complete(o, hf_text("done"));
    }
    hf_session x = hf_session_open_id(o, "x"), y = hf_session_open_id(o, "y");
    hf_session generated = hf_session_open(o);
    hf_session_close(o, y);
    HF_TRY(hf_call_on(o, x, "where", input, NULL));
    HF_TRY(hf_call_on(o, generated, "where", input, NULL));
    return hf_continue_as_new(o, hf_text("second"));
}

/* Reads the first event of the present execution into arena. */
static struct hf_event started_event(struct house *house, struct hf_arena *arena)
{
    struct hf_backend *backend = house->store->backend;
    struct hf_instance_info info = { 0 };
    struct hf_turn_view view = { 0 };
    struct hf_event event;
    hf_error error = { 0 };
    assert_ok(backend->ops->instance(backend, hf_text("desk"), arena, &info, &error), &error);
    const struct hf_item_id first = { info.number, info.execution, 1 };
    assert_ok(backend->ops->turn_view(backend, &first, arena, &view, &error), &error);
    assert_int_equal(info.execution, 2);
    assert_ok(hf_event_decode(view.events[0].body, arena, &event, &error), &error);
    return event;
}

/* After continue-as-new the carried sessions are those that were open before, in history as in the
 * store; the next worker replays from them. */
static void case_9_6_carried_sessions_are_those_that_were_open(void **state)
{
    struct crew *crew = *state;
    struct hf_arena arena;
    struct house_session row;
    run_to_pause(crew, carries);
    hf_arena_init(&arena, hf_heap_default());
    struct hf_event started = started_event(&crew->house, &arena);
    const struct hf_carried_session *carried = started.sessions.items;
    assert_int_equal(started.sessions.count, 2);
    assert_true(hf_slice_equal(carried[0].id, hf_text("x")));
    assert_int_equal(carried[0].incarnation, 1);
    assert_true(hf_slice_equal(carried[1].id, hf_text("session-1")));
    assert_int_equal(carried[1].incarnation, 3);
    hf_arena_release(&arena);
    assert_int_equal(house_sessions_count(&crew->house, "desk"), 2);
    assert_true(house_session(&crew->house, "desk", "x", &row));
    assert_int_equal(row.incarnation, 1);
    assert_true(house_session(&crew->house, "desk", "session-1", &row));
    assert_int_equal(row.incarnation, 3);

    forgetful(crew, "b");
    house_send(&crew->house, "desk", "go", "");
    house_expect(&crew->house, "desk", "done");
    assert_int_equal(stage_count(&crew->house.stage, "log instance."), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_9_1_open_and_use_replay, NULL),
        CREW_TEST(case_9_2_open_activity_close_replay, NULL),
        CREW_TEST(case_9_3_open_that_the_code_lacks_is_nondeterminism, NULL),
        CREW_TEST(case_9_4_open_instead_of_a_command_is_nondeterminism, NULL),
        CREW_TEST(case_9_5_swapped_opens_are_nondeterminism, NULL),
        CREW_TEST(case_9_6_carried_sessions_are_those_that_were_open, NULL),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
