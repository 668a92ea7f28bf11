/* Sessions as the code of an orchestration sees them. What workers and stores do with them is shown
 * elsewhere. */
#include "tests/unit/engine/play.h"

#include <string.h>

#include "engine/event.h"

/* Runs the first turn and gives the instance back to be looked at. */
static void first_turn(struct hf_script *script, hf_orchestration_fn run)
{
    hf_script_init(script, run, NULL);
    play(script, ".");
}

static hf_status two_generated(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_session a = hf_session_open(o), b = hf_session_open(o);
    return hf_complete(o, hf_format(o, "%s %s", hf_session_id(o, a), hf_session_id(o, b)));
}

/* A generated id is not empty; two openings get different ones. */
static void test_generated_ids_differ(void **state)
{
    (void)state;
    struct hf_script script;
    first_turn(&script, two_generated);
    assert_completed(&script, "session-1 session-2");
    hf_script_release(&script);
}

static hf_status generated_beside_given(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_session_open_id(o, "session-1");
    return hf_complete(o, hf_text(hf_session_id(o, hf_session_open(o))));
}

/* A generated id is none that is open. */
static void test_generated_id_skips_an_open_one(void **state)
{
    (void)state;
    struct hf_script script;
    first_turn(&script, generated_beside_given);
    assert_completed(&script, "session-2");
    hf_script_release(&script);
}

static hf_status given(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_session mine = hf_session_open_id(o, "my-id");
    hf_session again = hf_session_open_id(o, "my-id");
    if (mine.id != again.id) return HF_INVALID;
    return hf_complete(o, hf_text(hf_session_id(o, again)));
}

/* A given id is the id; opening it again is a no-op without a second event. */
static void test_given_id_opens_once(void **state)
{
    (void)state;
    struct hf_script script;
    first_turn(&script, given);
    assert_completed(&script, "my-id");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 session_opened \"my-id\" #1\n"
                            "3 completed (5 bytes)");
    hf_script_release(&script);
}

static hf_status close_twice(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x");
    hf_session_close(o, x);
    hf_session_close(o, x);
    hf_session_close(o, hf_session_named(o, "x"));
    return hf_complete(o, input);
}

/* Closing a closed session is a no-op; the store is told of one close. */
static void test_second_close_has_no_effect(void **state)
{
    (void)state;
    struct hf_script script;
    first_turn(&script, close_twice);
    assert_completed(&script, "in");
    assert_int_equal(script.turn.closed.count, 1);
    assert_int_equal(((struct hf_turn_session *)script.turn.closed.items)->incarnation, 1);
    hf_script_release(&script);
}

static hf_status close_unknown(hf_orchestration *o, hf_slice input)
{
    hf_session_close(o, hf_session_named(o, "x"));
    hf_session x = hf_session_open_id(o, "x");
    HF_TRY(hf_call_on(o, x, "a", input, NULL));
    return hf_complete(o, input);
}

/* Closing a session that was never opened is recorded, touches no row, and the id can be opened
 * later. */
static void test_close_of_unknown_is_recorded(void **state)
{
    (void)state;
    struct hf_script script;
    first_turn(&script, close_unknown);
    assert_int_equal(script.turn.closed.count, 0);
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 session_closed \"x\"\n"
                            "3 session_opened \"x\" #1\n"
                            "4 activity_scheduled \"a\" on session \"x\" #1 (2 bytes)");
    play(&script, "e c4=r .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

static hf_status open_close_open(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x");
    hf_future before = hf_schedule_on(o, x, "before", input);
    hf_session_close(o, x);
    hf_session again = hf_session_open_id(o, "x");
    hf_future after = hf_schedule_on(o, again, "after", input);
    if (again.id == x.id) return HF_INVALID;
    if (hf_await(o, before, NULL) != HF_SESSION_CLOSED) return HF_INVALID;
    HF_TRY(hf_await(o, after, NULL));
    return hf_complete(o, input);
}

/* Open X, close X, open X: the second is an incarnation of its own that takes activities, also in
 * one turn. */
static void test_second_opening_takes_activities(void **state)
{
    (void)state;
    struct hf_script script;
    first_turn(&script, open_close_open);
    const struct hf_turn_item *items = script.turn.items.items;
    assert_int_equal(script.turn.items.count, 2);
    assert_int_equal(items[0].incarnation, 1);
    assert_int_equal(items[1].incarnation, 2);
    assert_int_equal(script.turn.opened.count, 2);
    assert_int_equal(script.turn.closed.count, 1);
    assert_int_equal(script.turn.cancels.count, 0); /* the close purges */
    assert_int_equal(script.works_count, 1);
    assert_int_equal(script.sessions_count, 1);
    play(&script, "e C3=late c6=r .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

static hf_status three_open(hf_orchestration *o, hf_slice input)
{
    hf_session a = hf_session_open(o), b = hf_session_open_id(o, "b"), c = hf_session_open(o);
    hf_future ways[] = { hf_schedule_on(o, a, "x", input), hf_schedule_on(o, b, "x", input),
                         hf_schedule_on(o, c, "x", input) };
    for (size_t i = 0; i < 3; i++) HF_TRY(hf_await(o, ways[i], NULL));
    return hf_complete(o, input);
}

/* Three sessions are open at once, and each takes activities. */
static void test_three_sessions_at_once(void **state)
{
    (void)state;
    struct hf_script script;
    first_turn(&script, three_open);
    const struct hf_turn_item *items = script.turn.items.items;
    for (size_t i = 0; i < 3; i++) assert_int_equal(items[i].incarnation, i + 1);
    play(&script, "c5=1 . c7=2 c6=3 .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

/* ---- misuse and limits ----------------------------------------------------------------------- */

static hf_status never_opened(hf_orchestration *o, hf_slice input)
{
    return hf_call_on(o, hf_session_named(o, "ghost"), "a", input, NULL);
}

static hf_status was_closed(hf_orchestration *o, hf_slice input)
{
    hf_session ghost = hf_session_open_id(o, "ghost");
    hf_session_close(o, ghost);
    hf_schedule_on(o, ghost, "a", input);
    return HF_OK;
}

static hf_status was_reopened(hf_orchestration *o, hf_slice input)
{
    hf_session ghost = hf_session_open_id(o, "ghost");
    hf_session_close(o, ghost);
    hf_session_open_id(o, "ghost");
    hf_schedule_on(o, ghost, "a", input);
    return HF_OK;
}

static void check_not_open(hf_orchestration_fn run)
{
    struct hf_script script;
    first_turn(&script, run);
    assert_failed(&script, "session_not_open", "\"ghost\" is not open");
    assert_int_equal(script.turn.items.count, 0);
    hf_script_release(&script);
}

/* An activity on a session that was never opened fails the orchestration; the error names the
 * session. */
static void test_activity_on_unknown_session_fails(void **state)
{
    (void)state;
    check_not_open(never_opened);
}

/* The same on one that was closed, also when its id is open again in another incarnation. */
static void test_activity_on_closed_session_fails(void **state)
{
    (void)state;
    check_not_open(was_closed);
    check_not_open(was_reopened);
}

static hf_status third_open(hf_orchestration *o, hf_slice input)
{
    for (int i = 0; i < 3; i++) hf_session_open(o);
    HF_TRY(hf_sleep(o, 1));
    return hf_complete(o, input);
}

/* The limit of open sessions fails the orchestration; the message gives limit and count. Not at
 * replay. */
static void test_limit_of_open_sessions(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, third_open, NULL);
    script.options.sessions_max = 2;
    play(&script, ".");
    assert_failed(&script, "session_limit", "2 are open, the limit is 2");
    hf_script_release(&script);
    hf_script_init(&script, third_open, NULL);
    play(&script, ".");
    script.options.sessions_max = 2;
    script.options.sessions_supported = false;
    play(&script, "e t5 .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

static hf_status close_one_open_one(hf_orchestration *o, hf_slice input)
{
    hf_session a = hf_session_open(o);
    hf_session_open(o);
    hf_session_close(o, a);
    hf_session_open(o);
    return hf_complete(o, input);
}

/* Limit of 2: open 2, close 1, open 1 works. */
static void test_close_makes_room(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, close_one_open_one, NULL);
    script.options.sessions_max = 2;
    play(&script, ".");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

/* On a store without sessions, open fails the orchestration with "does not support sessions". */
static void test_store_without_sessions(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, three_open, NULL);
    script.options.sessions_supported = false;
    play(&script, ".");
    assert_failed(&script, "sessions_unsupported", "does not support sessions");
    hf_script_release(&script);
}

static hf_status empty_id(hf_orchestration *o, hf_slice input)
{
    hf_session_open_id(o, "");
    return hf_complete(o, input);
}

static hf_status long_id(hf_orchestration *o, hf_slice input)
{
    char *id = hf_alloc(o, 1001);
    memset(id, 'x', 1000);
    hf_session_open_id(o, id);
    return hf_complete(o, input);
}

/* An empty id, and one of 1,000 bytes, fail the orchestration; the error gives the limit. */
static void test_bad_ids(void **state)
{
    (void)state;
    struct hf_script script;
    first_turn(&script, empty_id);
    assert_failed(&script, "bad_id", "session id is empty: give 1 to 255 bytes");
    hf_script_release(&script);
    first_turn(&script, long_id);
    assert_failed(&script, "bad_id", "over 255 bytes");
    hf_script_release(&script);
}

/* ---- replay ---------------------------------------------------------------------------------- */

static hf_status open_and_use(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x");
    HF_TRY(hf_call_on(o, x, "a", input, NULL));
    HF_TRY(hf_call_on(o, x, "b", input, NULL));
    return hf_complete(o, input);
}

static hf_status open_use_close(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x");
    HF_TRY(hf_call_on(o, x, "a", input, NULL));
    hf_session_close(o, x);
    HF_TRY(hf_sleep(o, 1));
    return hf_complete(o, input);
}

/* An orchestration that opens a session and uses it replays without a mismatch. */
static void test_open_and_use_replay(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, open_and_use, NULL);
    script.always_evict = true;
    play(&script, ". c3=r . c5=r .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

/* The same with open, activity, close. */
static void test_open_activity_close_replay(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, open_use_close, NULL);
    script.always_evict = true;
    play(&script, ". c3=r . t6 .");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

static hf_status close_while_pending(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x"), y = hf_session_open_id(o, "y");
    hf_future on_x = hf_schedule_on(o, x, "a", input), on_y = hf_schedule_on(o, y, "a", input);
    hf_future timer = hf_timer(o, 5);
    HF_TRY(hf_await(o, timer, NULL));
    hf_session_close(o, x);
    hf_status status = hf_await(o, on_x, NULL);
    const hf_error *error = hf_orchestration_error(o);
    if (status != HF_SESSION_CLOSED) return HF_INVALID;
    if (strcmp(error->code, "session_closed") != 0) return HF_INVALID;
    if (!strstr(error->message, "session \"x\"")) return HF_INVALID;
    if (hf_await_within(o, on_x, 5, NULL) != HF_SESSION_CLOSED) return HF_INVALID;
    HF_TRY(hf_await(o, on_y, NULL));
    return status;
}

/* A future whose session is closed completes at once with "session closed"; a completion that comes
 * later, or in the same batch, is dropped or ignored; other sessions go on. The error can be passed
 * on. */
static void test_pending_future_of_closed_session_ends(void **state)
{
    (void)state;
    const char *const words[] = { ". t6 . C4=late . c5=r .", ". t6 c4=late . e c5=r .",
                                  ". t6 c4=late c5=r ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, close_while_pending, NULL);
        play(&script, words[i]);
        assert_failed(&script, "session_closed", "session \"x\" was closed");
        hf_script_release(&script);
    }
}

static hf_status try_again_when_lost(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_with(
        o, HF_WITH(hf_session_options, .id = "x", .recovery = HF_SESSION_FAIL));
    hf_future both[] = { hf_schedule_on(o, x, "a", input), hf_schedule(o, "b", input) };
    if (hf_join(o, both, 2) != HF_SESSION_LOST) return HF_INVALID;
    if (hf_await(o, both[1], NULL) != HF_FAILED) return HF_INVALID;
    hf_future again = hf_schedule_on(o, x, "a", input);
    if (hf_select(o, &again, 1, NULL) != HF_OK) return HF_INVALID;
    hf_status status = hf_await(o, again, NULL);
    const hf_error *error = hf_orchestration_error(o);
    if (status != HF_SESSION_LOST || error->status != HF_SESSION_LOST) return HF_INVALID;
    if (strcmp(error->code, "session_lost") != 0) return HF_INVALID;
    return hf_await_within(o, hf_schedule_on(o, x, "a", input), 1000, NULL);
}

/* Work that was lost with its session ends with a status of its own, in every kind of await, and
 * the session is open for the next try; other failures are failures as ever. The error can be
 * passed on.
 */
static void test_lost_session_has_its_own_status(void **state)
{
    (void)state;
    for (int evict = 0; evict < 2; evict++) {
        struct hf_script script;
        hf_script_init(&script, try_again_when_lost, NULL);
        script.always_evict = evict == 1;
        play(&script, ". s3=x f4=bad . s7=x . s9=x .");
        assert_failed(&script, "session_lost", "it failed");
        hf_error error;
        hf_script_output(&script, &error);
        assert_status(error.status, HF_SESSION_LOST);
        assert_int_equal(script.works_count, 0);
        hf_script_release(&script);
    }
}

static hf_status hundred_times(hf_orchestration *o, hf_slice input)
{
    for (int i = 0; i < 100; i++) {
        hf_session x = hf_session_open_id(o, "x");
        hf_schedule_on(o, x, "a", input);
        hf_session_close(o, x);
    }
    return hf_complete(o, input);
}

/* 100 times open and close in one instance: no row is left, and no work. */
static void test_hundred_times_open_and_close(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, hundred_times, NULL);
    play(&script, ".");
    assert_completed(&script, "in");
    assert_int_equal(script.turn.opened.count, 100);
    assert_int_equal(script.turn.closed.count, 100);
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generated_ids_differ),
        cmocka_unit_test(test_generated_id_skips_an_open_one),
        cmocka_unit_test(test_given_id_opens_once),
        cmocka_unit_test(test_second_close_has_no_effect),
        cmocka_unit_test(test_close_of_unknown_is_recorded),
        cmocka_unit_test(test_second_opening_takes_activities),
        cmocka_unit_test(test_three_sessions_at_once),
        cmocka_unit_test(test_activity_on_unknown_session_fails),
        cmocka_unit_test(test_activity_on_closed_session_fails),
        cmocka_unit_test(test_limit_of_open_sessions),
        cmocka_unit_test(test_close_makes_room),
        cmocka_unit_test(test_store_without_sessions),
        cmocka_unit_test(test_bad_ids),
        cmocka_unit_test(test_open_and_use_replay),
        cmocka_unit_test(test_open_activity_close_replay),
        cmocka_unit_test(test_pending_future_of_closed_session_ends),
        cmocka_unit_test(test_lost_session_has_its_own_status),
        cmocka_unit_test(test_hundred_times_open_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
