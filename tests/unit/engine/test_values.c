/* What the code is told of the world: the time, random bits, absolute timers. Recorded once, and
 * the same at every replay. */
#include "tests/unit/engine/play.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/event.h"

struct probe {
    uint64_t times[8], numbers[4];
    char ids[2][40];
    int kind; /* what the code does in its present version */
};

/* ---- time ----------------------------------------------------------------------------------- */

static hf_status read_times(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    probe->times[0] = hf_now_unix_ms(o);
    probe->times[1] = hf_now_unix_ms(o);
    HF_TRY(hf_call(o, "a", input, NULL));
    probe->times[2] = hf_now_unix_ms(o);
    HF_TRY(hf_call(o, "b", input, NULL));
    probe->times[3] = hf_now_unix_ms(o);
    return hf_complete(o, input);
}

/* Trap A6: the clock goes on between the turns, and each replay tells the code what it was told. A
 * second read before the next message is served by the event of the first. */
static void row_1e_1_time_is_what_it_was_at_replay(void **state)
{
    (void)state;
    struct probe probe = { .times = { 0 } };
    struct hf_script script;
    hf_script_init(&script, read_times, &probe);
    play(&script, ". e +500 c3=x . e +700 c6=y");
    probe = (struct probe){ .times = { 0 } };
    play(&script, ".");
    assert_int_equal(probe.times[0], 1000);
    assert_int_equal(probe.times[1], 1000);
    assert_int_equal(probe.times[2], 1500);
    assert_int_equal(probe.times[3], 2200);
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 time_read\n"
                            "3 activity_scheduled \"a\" (2 bytes)\n"
                            "4 activity_completed of event 3 (1 bytes)\n"
                            "5 time_read\n"
                            "6 activity_scheduled \"b\" (2 bytes)\n"
                            "7 activity_completed of event 6 (1 bytes)\n"
                            "8 time_read\n"
                            "9 completed (2 bytes)");
    assert_int_equal(hf_script_event(&script, 4).now_unix_ms, 1500);
    hf_script_release(&script);
}

/* The wall clock is set back while the instance waits: its time stands still. */
static void test_time_never_goes_back(void **state)
{
    (void)state;
    for (int evicts = 0; evicts < 2; evicts++) {
        struct probe probe = { .times = { 0 } };
        struct hf_script script;
        hf_script_init(&script, read_times, &probe);
        script.always_evict = evicts;
        play(&script, ".");
        script.now_unix_ms = 400;
        play(&script, "c3=x .");
        assert_int_equal(probe.times[2], 1000);
        script.now_unix_ms = 1001;
        play(&script, "c6=y .");
        assert_int_equal(probe.times[3], 1001);
        hf_script_release(&script);
    }
}

/* ---- random bits ---------------------------------------------------------------------------- */

static hf_status draw_some(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    probe->numbers[0] = hf_random(o);
    probe->numbers[1] = hf_random(o);
    snprintf(probe->ids[0], sizeof probe->ids[0], "%s", hf_uuid(o));
    HF_TRY(hf_call(o, "a", input, NULL));
    snprintf(probe->ids[1], sizeof probe->ids[1], "%s", hf_uuid(o));
    return hf_complete(o, input);
}

/* Trap A6: bits are drawn once, written into history, and told again at replay; a live turn draws
 * them from the source that the execution was given. */
static void row_1e_1_random_bits_are_what_they_were_at_replay(void **state)
{
    (void)state;
    struct probe probe = { .numbers = { 0 } };
    struct hf_script script;
    hf_script_init(&script, draw_some, &probe);
    play(&script, ".");
    assert_int_equal(script.drawn, 3);
    assert_true(probe.numbers[0] == UINT64_C(0x0807060504030201)); /* as the script draws them */
    assert_true(probe.numbers[1] == UINT64_C(0x0908070605040302));
    struct probe first = probe;
    memset(&probe, 0, sizeof probe);
    play(&script, "e c5=x .");
    assert_int_equal(script.drawn, 4);
    assert_memory_equal(probe.numbers, first.numbers, sizeof probe.numbers);
    assert_string_equal(probe.ids[0], first.ids[0]);
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 random_drawn (8 bytes)\n"
                            "3 random_drawn (8 bytes)\n"
                            "4 random_drawn (16 bytes)\n"
                            "5 activity_scheduled \"a\" (2 bytes)\n"
                            "6 activity_completed of event 5 (1 bytes)\n"
                            "7 random_drawn (16 bytes)\n"
                            "8 completed (2 bytes)");
    hf_script_release(&script);
}

/* The text is that of RFC 9562: the version is 4, the variant is 10, all other bits are the drawn
 * ones. */
static void row_1e_1_uuid_is_of_version_4(void **state)
{
    (void)state;
    struct probe probe = { .numbers = { 0 } };
    struct hf_script script;
    hf_script_init(&script, draw_some, &probe);
    play(&script, ". c5=x .");
    assert_string_equal(probe.ids[0], "03040506-0708-490a-8b0c-0d0e0f101112");
    assert_string_equal(probe.ids[1], "04050607-0809-4a0b-8c0d-0e0f10111213");
    hf_script_release(&script);
}

/* ---- code that asks otherwise --------------------------------------------------------------- */

enum { ASKS_NUMBER = 0, ASKS_ID, ASKS_TIME, ASKS_NOTHING };

static hf_status ask(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    if (probe->kind == ASKS_NUMBER) hf_random(o);
    if (probe->kind == ASKS_ID) hf_uuid(o);
    if (probe->kind == ASKS_TIME) hf_now_unix_ms(o);
    return hf_call(o, "a", input, NULL);
}

/* What was asked is a command: code that asks for something else, or no more, is told. */
static void test_values_are_matched_with_history(void **state)
{
    (void)state;
    static const struct {
        int before, after;
        const char *part;
    } cases[] = {
        { ASKS_NUMBER, ASKS_ID,
          "random_drawn (8 bytes) at event 2 / the code issued random_drawn (16 bytes): another "
          "size" },
        { ASKS_NUMBER, ASKS_TIME, "random_drawn (8 bytes) at event 2 / the code issued time_read" },
        { ASKS_TIME, ASKS_NOTHING,
          "time_read at event 2 / the code issued activity_scheduled \"a\"" },
        { ASKS_NOTHING, ASKS_TIME,
          "activity_scheduled \"a\" (2 bytes) at event 2 / the code issued time_read" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct probe probe = { .kind = cases[i].before };
        struct hf_script script;
        hf_script_init(&script, ask, &probe);
        play(&script, ". e mq=wake");
        probe.kind = cases[i].after;
        play_fails(&script, ".", HF_NONDETERMINISM, cases[i].part);
        hf_script_release(&script);
    }
}

/* ---- absolute timers ------------------------------------------------------------------------ */

static hf_status wait_until(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    HF_TRY(hf_call(o, "a", input, NULL));
    HF_TRY(hf_await(o, probe->kind ? hf_timer(o, probe->times[0]) : hf_timer_at(o, probe->times[0]),
                    NULL));
    return hf_complete(o, input);
}

/* Trap A7: the due time is the one that was given, whatever fired or was due before, and a replay
 * years later leaves it alone. */
static void test_timer_at_is_due_when_it_was_told(void **state)
{
    (void)state;
    static const uint64_t dues[] = { 0, 999, 123456, UINT64_MAX };
    for (size_t i = 0; i < sizeof dues / sizeof *dues; i++) {
        struct probe probe = { .times = { dues[i] } };
        struct hf_script script;
        hf_script_init(&script, wait_until, &probe);
        play(&script, ". +5000 c2=x .");
        assert_true(script.works[0].due_unix_ms == dues[i]);
        play(&script, "e +100000 mq=wake .");
        assert_int_equal(script.works_count, 1);
        assert_true(hf_script_event(&script, 3).due_unix_ms == dues[i]);
        play(&script, "e t4 .");
        assert_completed(&script, "in");
        hf_script_release(&script);
    }
}

/* A time that differs at replay was taken from a clock: it is told. A delay is no such time, also
 * when it comes to the same. */
static void test_timer_at_is_matched_with_history(void **state)
{
    (void)state;
    enum { AT, DELAY };
    static const struct {
        int kind;
        uint64_t time;
    } cases[][2] = {
        { { AT, 7000 }, { AT, 7001 } },
        { { AT, 7000 }, { DELAY, 6000 } },
        { { DELAY, 6000 }, { AT, 7000 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct probe probe = { .kind = cases[i][0].kind, .times = { cases[i][0].time } };
        struct hf_script script;
        hf_script_init(&script, wait_until, &probe);
        play(&script, ". c2=x .");
        assert_int_equal(script.works[0].due_unix_ms, 7000);
        probe.kind = cases[i][1].kind;
        probe.times[0] = cases[i][1].time;
        play_fails(&script, "e mq=wake .", HF_NONDETERMINISM, "timer_created: another due time");
        hf_script_release(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1e_1_time_is_what_it_was_at_replay),
        cmocka_unit_test(test_time_never_goes_back),
        cmocka_unit_test(row_1e_1_random_bits_are_what_they_were_at_replay),
        cmocka_unit_test(row_1e_1_uuid_is_of_version_4),
        cmocka_unit_test(test_values_are_matched_with_history),
        cmocka_unit_test(test_timer_at_is_due_when_it_was_told),
        cmocka_unit_test(test_timer_at_is_matched_with_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
