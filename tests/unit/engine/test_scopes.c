/* Scopes: memory and futures of a round go together; what is stale is told, never met. */
#include "tests/unit/engine/play.h"

#include <string.h>

static hf_status reset_with_pending(hf_orchestration *o, hf_slice input)
{
    hf_future outside = hf_schedule(o, "outside", input);
    hf_scope scope = hf_scope_open(o);
    hf_schedule(o, "inside", input);
    hf_scope_open(o);
    hf_timer(o, 5);
    hf_mailbox_take(o, "q");
    hf_scope_reset(o, scope);
    hf_schedule(o, "again", input);
    HF_TRY(hf_await(o, outside, NULL));
    return HF_OK;
}

/* A reset cancels the pending futures of its scope and of those inside, by events, and leaves
 * others alone. */
static void test_reset_cancels_pending_futures_of_the_scope(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, reset_with_pending, NULL);
    play(&script, ".");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"outside\" (2 bytes)\n"
                            "3 activity_scheduled \"inside\" (2 bytes)\n"
                            "4 timer_created\n"
                            "5 mailbox_waited \"q\"\n"
                            "6 future_cancelled of event 4\n"
                            "7 future_cancelled of event 5\n"
                            "8 future_cancelled of event 3\n"
                            "9 activity_scheduled \"again\" (2 bytes)");
    const struct hf_turn_cancel *cancels = script.turn.cancels.items;
    assert_int_equal(script.turn.cancels.count, 2); /* a store knows no takes */
    assert_int_equal(cancels[0].event_id, 4);
    assert_int_equal(cancels[1].event_id, 3);
    play(&script, "C3=late mq=1 . e c2=x .");
    assert_completed(&script, "");
    hf_script_release(&script);
}

enum { ROUNDS_COUNT = 200, BLOCK_SIZE = 10000 };

struct rounds {
    size_t count;
};

static hf_status endless(hf_orchestration *o, hf_slice input)
{
    struct rounds *rounds = probe_of(o);
    hf_scope round = hf_scope_open(o);
    for (;;) {
        hf_slice message;
        hf_scope_reset(o, round);
        hf_scope inner = hf_scope_open(o);
        memset(hf_alloc(o, BLOCK_SIZE), 1, BLOCK_SIZE);
        if (hf_await_within(o, hf_schedule(o, "pending", input), 5, NULL) > HF_TIMEOUT) break;
        HF_TRY(hf_dequeue(o, "q", &message));
        hf_scope_close(o, inner);
        hf_format(o, "%01000d", 5);
        rounds->count++;
    }
    return HF_INVALID;
}

/* An endless loop that resets a scope at its top holds no more memory after 200 rounds than after
 * ten. */
static void test_reset_frees_the_memory_of_a_round(void **state)
{
    (void)state;
    struct rounds rounds = { 0 };
    struct hf_script script;
    hf_script_init(&script, endless, &rounds);
    script.no_check = true;
    size_t after_ten = 0;
    play(&script, ".");
    while (rounds.count < ROUNDS_COUNT) {
        play(&script, "mq=1");
        while (script.works_count > 0) {
            bool fired = hf_script_answer(&script, script.works[0].event_id, hf_text(""), NULL);
            assert_true(fired);
        }
        play(&script, ".");
        if (rounds.count == 10) after_ten = hf_execution_memory_size(script.live);
    }
    assert_true(after_ten > 0);
    assert_true(hf_execution_memory_size(script.live) <= after_ten);
    hf_script_release(&script);
}

static hf_status keep_outwards(hf_orchestration *o, hf_slice input)
{
    hf_scope outer = hf_scope_open(o), inner = hf_scope_open(o);
    hf_slice kept = hf_keep(o, inner, hf_format(o, "%s", "kept"));
    hf_slice empty = hf_keep(o, inner, hf_text(NULL));
    hf_scope_close(o, inner);
    kept = hf_keep(o, outer, kept);
    hf_scope_close(o, outer);
    hf_scope next = hf_scope_open(o);
    memset(hf_alloc(o, 100), 'x', 100);
    HF_TRY(hf_sleep(o, 1));
    hf_scope_close(o, next);
    (void)input;
    return hf_complete(o, empty.size == 0 ? kept : hf_text("?"));
}

/* hf_keep copies into the scope around the given one; what is kept outlives it. */
static void test_keep_outlives_its_scope(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, keep_outwards, NULL);
    play(&script, ". t2 .");
    assert_completed(&script, "kept");
    hf_script_release(&script);
}

static hf_status result_in_scope_of_future(hf_orchestration *o, hf_slice input)
{
    hf_slice result;
    hf_future future = hf_schedule(o, "a", input);
    hf_scope inner = hf_scope_open(o);
    HF_TRY(hf_await(o, future, &result));
    hf_scope_close(o, inner);
    memset(hf_alloc(o, 3000), 'x', 3000);
    return hf_complete(o, result);
}

/* A result lives in the scope in which its future was made, not in that of the await. */
static void test_result_lives_where_its_future_was_made(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, result_in_scope_of_future, NULL);
    play(&script, ". c2=result .");
    assert_completed(&script, "result");
    hf_script_release(&script);
}

static hf_status alloc_is_zeroed(hf_orchestration *o, hf_slice input)
{
    hf_scope scope = hf_scope_open(o);
    memset(hf_alloc(o, 500), 'x', 500);
    hf_scope_reset(o, scope);
    const char *block = hf_alloc(o, 500);
    if ((uintptr_t)block % _Alignof(max_align_t) != 0 || !hf_alloc(o, 0)) return HF_INVALID;
    for (size_t i = 0; i < 500; i++) {
        if (block[i] != 0) return HF_INVALID;
    }
    return hf_complete(o, input);
}

/* Memory is zeroed and aligned, also after a reset. */
static void test_alloc_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, alloc_is_zeroed, NULL);
    play(&script, ".");
    assert_completed(&script, "in");
    hf_script_release(&script);
}

static hf_status alloc_too_much(hf_orchestration *o, hf_slice input)
{
    hf_alloc(o, SIZE_MAX - 100);
    return hf_complete(o, input);
}

/* Memory that cannot be had ends the turn, and nothing is committed. */
static void test_alloc_too_much_is_no_memory(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, alloc_too_much, NULL);
    play_fails(&script, ".", HF_NO_MEMORY, "i-1");
    assert_int_equal(script.events_count, 1);
    hf_script_release(&script);
}

/* ---- stale values ---------------------------------------------------------------------------- */

static hf_status stale_future(hf_orchestration *o, hf_slice input)
{
    hf_scope scope = hf_scope_open(o);
    hf_future future = hf_schedule(o, "a", input);
    hf_scope_close(o, scope);
    hf_schedule(o, "b", input);
    return hf_await(o, future, NULL);
}

static hf_status no_future(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_await_within(o, (hf_future){ 0 }, 5, NULL);
}

static hf_status closed_scope(hf_orchestration *o, hf_slice input)
{
    hf_scope scope = hf_scope_open(o);
    hf_scope_close(o, scope);
    hf_scope_open(o);
    hf_scope_close(o, scope);
    return hf_complete(o, input);
}

static hf_status inner_scope_of_reset(hf_orchestration *o, hf_slice input)
{
    hf_scope outer = hf_scope_open(o), inner = hf_scope_open(o);
    hf_scope_reset(o, outer);
    hf_scope_open(o);
    hf_keep(o, inner, input);
    return hf_complete(o, input);
}

static hf_status no_scope(hf_orchestration *o, hf_slice input)
{
    hf_scope_reset(o, (hf_scope){ 0 });
    return hf_complete(o, input);
}

static hf_status no_session(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_complete(o, hf_text(hf_session_id(o, (hf_session){ 0 })));
}

static hf_status foreign_session(hf_orchestration *o, hf_slice input)
{
    hf_session_close(o, (hf_session){ 99 });
    return hf_complete(o, input);
}

static hf_status no_clean_up(hf_orchestration *o, hf_slice input)
{
    hf_defer(o, NULL, NULL);
    return hf_complete(o, input);
}

/* Stale and foreign values fail the instance, and the message says which. */
static void test_stale_values_fail_the_instance(void **state)
{
    (void)state;
    const struct {
        hf_orchestration_fn run;
        const char *code, *part;
    } cases[] = { { stale_future, "stale_future", "future 2 " },
                  { no_future, "stale_future", "future 0 " },
                  { closed_scope, "stale_scope", "scope 1 " },
                  { inner_scope_of_reset, "stale_scope", "scope 2 " },
                  { no_scope, "stale_scope", "scope 0 " },
                  { no_session, "stale_session", "value 0 " },
                  { foreign_session, "stale_session", "value 99 " },
                  { no_clean_up, "bad_clean_up", "needs a function" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hf_script script;
        hf_script_init(&script, cases[i].run, NULL);
        play(&script, ".");
        assert_failed(&script, cases[i].code, cases[i].part);
        hf_script_release(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_cancels_pending_futures_of_the_scope),
        cmocka_unit_test(test_reset_frees_the_memory_of_a_round),
        cmocka_unit_test(test_keep_outlives_its_scope),
        cmocka_unit_test(test_result_lives_where_its_future_was_made),
        cmocka_unit_test(test_alloc_is_zeroed_and_aligned),
        cmocka_unit_test(test_alloc_too_much_is_no_memory),
        cmocka_unit_test(test_stale_values_fail_the_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
