/* Activities that are tried again: what is a further try and what is not, the pauses, the limits,
 * and that it is one future, whatever ends it. */
#include "tests/unit/engine/play.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/event.h"
#include "engine/execution_internal.h"

struct probe {
    hf_activity_options options;
    hf_status status;
    hf_error error;
    char text[64];
};

static const char in[] = "in";

static void probe_init(struct probe *probe, hf_activity_options options)
{
    *probe = (struct probe){ .options = options };
    probe->options.size = sizeof options;
    probe->options.name = "a";
    probe->options.input = hf_text(in);
}

/* Calls the activity that the probe describes, and notes what comes of it. */
static hf_status call(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    hf_slice output = HF_EMPTY;
    (void)input;
    probe->status = hf_call_with(o, &probe->options, &output);
    probe->error = *hf_orchestration_error(o);
    snprintf(probe->text, sizeof probe->text, HF_FMT, HF_ARG(output));
    return probe->status == HF_OK ? hf_complete(o, output) : probe->status;
}

/* Nothing is behind the ended instance any more, and every command of the history has its place. */
static void assert_nothing_left(struct hf_script *script)
{
    assert_int_not_equal(script->outcome, HF_OUTCOME_RUNNING);
    assert_int_equal(script->works_count, 0);
}

/* ---- tries ---------------------------------------------------------------------------------- */

/* A failure is answered by a pause, its end by the activity scheduled anew; the future is one. */
static void row_1a_8_failed_activity_is_scheduled_again_after_a_pause(void **state)
{
    (void)state;
    for (int evicts = 0; evicts < 2; evicts++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, (hf_activity_options){ .tries_max = 3, .tag = "gpu" });
        hf_script_init(&script, call, &probe);
        script.always_evict = evicts;
        play(&script, ". f2=bad .");
        assert_int_equal(script.works_count, 1);
        assert_int_equal(script.works[0].due_unix_ms, 1100);
        play(&script, "+100 t4 .");
        struct hf_turn_item *item = script.turn.items.items;
        assert_int_equal(script.turn.items.count, 1);
        assert_int_equal(item->event_id, 6);
        assert_true(hf_slice_equal(item->tag, hf_text("gpu")));
        play(&script, "c6=done .");
        assert_completed(&script, "done");
        assert_history(&script, "1 started \"t\" (2 bytes)\n"
                                "2 activity_scheduled \"a\" tag \"gpu\" (2 bytes)\n"
                                "3 activity_failed of event 2 bad \"it failed\" (4 bytes)\n"
                                "4 timer_created of event 2 \"pause\"\n"
                                "5 timer_fired of event 4\n"
                                "6 activity_scheduled \"a\" of event 2 tag \"gpu\" (2 bytes)\n"
                                "7 activity_completed of event 6 (4 bytes)\n"
                                "8 completed (4 bytes)");
        assert_true(hf_slice_equal(hf_script_event(&script, 5).payload, hf_text(in)));
        assert_nothing_left(&script);
        hf_script_release(&script);
    }
}

static void note_line(void *self, const hf_log_line *line)
{
    char *text = self;
    size_t used = strlen(text);
    snprintf(text + used, 512 - used, "%s %s %s %s: %s\n", line->event, line->instance,
             line->activity, line->session ? line->session : "-", line->message);
}

/* The log says of each failure that is answered by a further try, once: no replay says it again. */
static void test_retries_are_logged_once(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    char lines[512] = "";
    probe_init(&probe, (hf_activity_options){ .tries_max = 3 });
    hf_script_init(&script, call, &probe);
    script.options.log = note_line;
    script.options.log_self = lines;
    script.always_evict = true;
    play(&script, ". f2=bad . t4 . f6=worse . t8 . f10=worst .");
    assert_string_equal(lines,
                        "activity.retry i-1 a -: try 1 of 3 failed, the next in 100 ms: bad, "
                        "it failed\n"
                        "activity.retry i-1 a -: try 2 of 3 failed, the next in 200 ms: "
                        "worse, it failed\n");
    hf_script_release(&script);
}

/* The last try's failure is the outcome, whole. */
static void test_last_failure_is_the_outcome(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    probe_init(&probe, (hf_activity_options){ .tries_max = 2 });
    hf_script_init(&script, call, &probe);
    play(&script, ". f2=first . t4 . f6=last .");
    assert_status(probe.status, HF_FAILED);
    assert_string_equal(probe.error.code, "last");
    assert_failed(&script, "last", "it failed");
    assert_nothing_left(&script);
    hf_script_release(&script);
}

/* Without pauses the next try is scheduled in the turn that sees the failure. */
static void row_1a_12_no_pause_tries_at_once(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    probe_init(&probe,
               (hf_activity_options){ .tries_max = UINT32_MAX, .backoff_first_ms = UINT64_MAX });
    hf_script_init(&script, call, &probe);
    play(&script, ". f2=bad . f4=bad . f6=bad . c8=done .");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 activity_scheduled \"a\" (2 bytes)\n"
                            "3 activity_failed of event 2 bad \"it failed\" (4 bytes)\n"
                            "4 activity_scheduled \"a\" of event 2 (2 bytes)\n"
                            "5 activity_failed of event 4 bad \"it failed\" (4 bytes)\n"
                            "6 activity_scheduled \"a\" of event 2 (2 bytes)\n"
                            "7 activity_failed of event 6 bad \"it failed\" (4 bytes)\n"
                            "8 activity_scheduled \"a\" of event 2 (2 bytes)\n"
                            "9 activity_completed of event 8 (4 bytes)\n"
                            "10 completed (4 bytes)");
    hf_script_release(&script);
}

/* An execution that tries for ever does not grow in memory. */
static void test_tries_cost_no_memory(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    size_t sizes[2] = { 0, 0 };
    probe_init(&probe, (hf_activity_options){ .tries_max = UINT32_MAX,
                                              .backoff_first_ms = UINT64_MAX,
                                              .try_timeout_ms = 50 });
    hf_script_init(&script, call, &probe);
    script.no_check = true;
    play(&script, ".");
    for (size_t k = 0; k < 400; k++) {
        char words[32];
        snprintf(words, sizeof words, "f%zu=bad .", 2 + 3 * k);
        play(&script, words);
        assert_int_equal(script.works_count, 2);
        if (k == 40) sizes[0] = hf_execution_memory_size(script.live);
    }
    sizes[1] = hf_execution_memory_size(script.live);
    assert_int_equal(sizes[0], sizes[1]);
    hf_script_release(&script);
}

/* By default there is one try, and its history is that of a plain call. */
static void row_1a_11_default_is_one_try(void **state)
{
    (void)state;
    for (uint32_t tries_max = 0; tries_max < 2; tries_max++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, (hf_activity_options){ .tries_max = tries_max });
        hf_script_init(&script, call, &probe);
        play(&script, ". f2=bad .");
        assert_failed(&script, "bad", "it failed");
        hf_script_release(&script);
    }
}

/* The first pause takes 100 ms, each further one twice as long, none over 30 s. */
static void row_1a_11_default_pauses_double_up_to_30_s(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    uint64_t pause_ms = 100;
    probe_init(&probe, (hf_activity_options){ .tries_max = 20 });
    hf_script_init(&script, call, &probe);
    script.now_unix_ms = 0;
    play(&script, ".");
    for (uint64_t id = 2; id < 2 + 4 * 12; id += 4) {
        char words[64];
        snprintf(words, sizeof words, "f%" PRIu64 "=bad . ", id);
        play(&script, words);
        assert_int_equal(script.works[0].due_unix_ms, pause_ms);
        pause_ms = pause_ms * 2 < 30000 ? pause_ms * 2 : 30000;
        snprintf(words, sizeof words, "e t%" PRIu64 " .", id + 2);
        play(&script, words);
    }
    hf_script_release(&script);
}

/* Poison and a lost session are no failures of the activity: the first try was the last. */
static void row_1a_8_poison_and_lost_sessions_are_not_tried_again(void **state)
{
    (void)state;
    static const char *const words[] = { ". f2=poison .", ". s2=gone ." };
    static const hf_status statuses[] = { HF_FAILED, HF_SESSION_LOST };
    for (size_t i = 0; i < 2; i++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, (hf_activity_options){ .tries_max = 3, .total_timeout_ms = 900 });
        hf_script_init(&script, call, &probe);
        play(&script, words[i]);
        assert_status(probe.status, statuses[i]);
        assert_nothing_left(&script);
        hf_script_release(&script);
    }
}

/* ---- pauses --------------------------------------------------------------------------------- */

/* Pauses grow from the first to the longest by the percentage, rounded up; no product wraps. */
static void row_1a_12_pauses_grow_to_the_longest(void **state)
{
    (void)state;
    static const struct {
        hf_activity_options options;
        uint64_t pauses_ms[6];
    } cases[] = {
        { { .tries_max = 9 }, { 100, 200, 400, 800, 1600, 3200 } },
        { { .backoff_first_ms = 7000 }, { 7000, 14000, 28000, 30000, 30000, 30000 } },
        { { .backoff_first_ms = 50000 }, { 50000, 50000, 50000, 50000, 50000, 50000 } },
        { { .backoff_first_ms = 300, .backoff_percent = 100 }, { 300, 300, 300, 300, 300, 300 } },
        { { .backoff_first_ms = 1, .backoff_percent = 150 }, { 1, 2, 3, 5, 8, 12 } },
        { { .backoff_percent = 100, .backoff_step_ms = 50 }, { 100, 150, 200, 250, 300, 350 } },
        { { .backoff_step_ms = 1, .backoff_max_ms = 1000 }, { 100, 201, 403, 807, 1000, 1000 } },
        { { .backoff_percent = 100, .backoff_step_ms = UINT64_MAX },
          { 100, 30000, 30000, 30000, 30000, 30000 } },
        { { .backoff_max_ms = 350 }, { 100, 200, 350, 350, 350, 350 } },
        { { .backoff_max_ms = 5 }, { 5, 5, 5, 5, 5, 5 } },
        { { .backoff_first_ms = UINT64_MAX - 1, .backoff_percent = UINT32_MAX },
          { UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1,
            UINT64_MAX - 1 } },
        { { .backoff_percent = UINT32_MAX, .backoff_max_ms = UINT64_MAX },
          { 100, UINT64_C(4294967295), UINT64_C(184467440651196171), UINT64_MAX, UINT64_MAX,
            UINT64_MAX } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, cases[i].options);
        probe.options.tries_max = 9;
        hf_script_init(&script, call, &probe);
        script.now_unix_ms = 0;
        play(&script, ".");
        for (uint64_t k = 0, id = 2; k < 6; k++, id += 4) {
            char words[64];
            snprintf(words, sizeof words, "f%" PRIu64 "=bad . ", id);
            play(&script, words);
            assert_int_equal(script.works_count, 1);
            if (script.works[0].due_unix_ms != cases[i].pauses_ms[k]) {
                fail_msg("case %zu: pause %" PRIu64 " is %" PRIu64, i, k,
                         script.works[0].due_unix_ms);
            }
            snprintf(words, sizeof words, "e t%" PRIu64 " .", id + 2);
            play(&script, words);
        }
        hf_script_release(&script);
    }
}

/* A pause that would become ever shorter is a mistake. */
static void test_shrinking_pauses_fail_the_instance(void **state)
{
    (void)state;
    static const uint32_t percents[] = { 1, 99 };
    for (size_t i = 0; i < 2; i++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, (hf_activity_options){ .backoff_percent = percents[i] });
        hf_script_init(&script, call, &probe);
        play(&script, ".");
        assert_failed(&script, "bad_backoff", "100 keeps it");
        hf_script_release(&script);
    }
}

/* ---- limits --------------------------------------------------------------------------------- */

/* A try that is late ends the future and is called off; no further try, whatever comes of it. */
static void row_1a_11_late_try_is_called_off_and_not_tried_again(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    probe_init(&probe, (hf_activity_options){ .tries_max = 3, .try_timeout_ms = 50 });
    hf_script_init(&script, call, &probe);
    play(&script, ". f2=bad .");
    assert_null(hf_script_work(&script, 3)); /* the limit of the first try is called off with it */
    play(&script, "t5 .");
    assert_int_equal(hf_script_work(&script, 8)->due_unix_ms, 1050);
    play(&script, "T8 C7=late .");
    assert_status(probe.status, HF_TIMEOUT);
    assert_string_equal(probe.error.code, "timeout");
    assert_non_null(strstr(probe.error.message,
                           "activity \"a\" (event 2) had no outcome in time, at "
                           "try 2 of 3"));
    assert_nothing_left(&script);
    assert_history(&script,
                   "1 started \"t\" (2 bytes)\n"
                   "2 activity_scheduled \"a\" (2 bytes)\n"
                   "3 timer_created of event 2 \"try_timeout\"\n"
                   "4 activity_failed of event 2 bad \"it failed\" (4 bytes)\n"
                   "5 timer_created of event 2 \"pause\"\n"
                   "6 timer_fired of event 5\n"
                   "7 activity_scheduled \"a\" of event 2 (2 bytes)\n"
                   "8 timer_created of event 2 \"try_timeout\"\n"
                   "9 timer_fired of event 8\n"
                   "10 activity_completed of event 7 (4 bytes)\n"
                   "11 failed timeout \"activity \"a\" (event 2) had no outcome in time, at "
                   "try 2 of 3\"");
    hf_script_release(&script);
}

/* The limit of a try that fires in the very turn that brings its failure comes too late: it is a
 * further try's turn. A message that comes twice is taken once. */
static void test_limit_behind_the_failure_is_dropped(void **state)
{
    (void)state;
    for (int evicts = 0; evicts < 2; evicts++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, (hf_activity_options){ .tries_max = 3, .try_timeout_ms = 50 });
        hf_script_init(&script, call, &probe);
        script.always_evict = evicts;
        play(&script, ". f2=bad T3 C2=again . C2=again T3 t6 . c8=done .");
        assert_completed(&script, "done");
        assert_history(&script, "1 started \"t\" (2 bytes)\n"
                                "2 activity_scheduled \"a\" (2 bytes)\n"
                                "3 timer_created of event 2 \"try_timeout\"\n"
                                "4 activity_failed of event 2 bad \"it failed\" (4 bytes)\n"
                                "5 timer_fired of event 3\n"
                                "6 timer_created of event 2 \"pause\"\n"
                                "7 timer_fired of event 6\n"
                                "8 activity_scheduled \"a\" of event 2 (2 bytes)\n"
                                "9 timer_created of event 2 \"try_timeout\"\n"
                                "10 activity_completed of event 8 (4 bytes)\n"
                                "11 completed (4 bytes)");
        assert_nothing_left(&script);
        hf_script_release(&script);
    }
}

/* The limit of all tries counts from the first scheduling; it ends a try and a pause alike. */
static void row_1a_11_total_limit_ends_tries_and_pauses(void **state)
{
    (void)state;
    static const char *const words[] = { "+10 T3 .", "f2=bad . +10 T3 .",
                                         "f2=bad . t5 . +10 T3 f7=bad ." };
    for (size_t i = 0; i < 3; i++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, (hf_activity_options){ .tries_max = 3, .total_timeout_ms = 700 });
        hf_script_init(&script, call, &probe);
        play(&script, ".");
        assert_int_equal(hf_script_work(&script, 3)->due_unix_ms, 1700);
        play(&script, words[i]);
        assert_status(probe.status, HF_TIMEOUT);
        assert_nothing_left(&script);
        hf_script_release(&script);
    }
}

/* Limits without further tries; they do not outlive the outcome, and one beyond all time is none.
 */
static void test_limits_go_with_one_try_too(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    probe_init(&probe,
               (hf_activity_options){ .try_timeout_ms = 50, .total_timeout_ms = UINT64_MAX });
    hf_script_init(&script, call, &probe);
    play(&script, ".");
    assert_true(hf_script_work(&script, 3)->due_unix_ms == UINT64_MAX);
    assert_int_equal(hf_script_work(&script, 4)->due_unix_ms, 1050);
    play(&script, "c2=done T4 .");
    assert_completed(&script, "done");
    assert_nothing_left(&script);
    hf_script_release(&script);
}

/* ---- whatever ends it ----------------------------------------------------------------------- */

static hf_future schedule(hf_orchestration *o)
{
    struct probe *probe = probe_of(o);
    return hf_schedule_with(o, &probe->options);
}

static hf_status cancel(hf_orchestration *o, hf_slice input)
{
    hf_future future = schedule(o);
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_future_cancel(o, future);
    if (hf_await(o, future, NULL) != HF_CANCELLED) return HF_INVALID;
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

static hf_status reset(hf_orchestration *o, hf_slice input)
{
    hf_scope scope = hf_scope_open(o);
    schedule(o);
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_scope_reset(o, scope);
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

static hf_status lose(hf_orchestration *o, hf_slice input)
{
    hf_future either[] = { schedule(o), hf_mailbox_take(o, "q") };
    size_t winner;
    HF_TRY(hf_select(o, either, 2, &winner));
    if (winner != 1) return HF_INVALID;
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

static hf_status be_late(hf_orchestration *o, hf_slice input)
{
    hf_future future = schedule(o);
    HF_TRY(hf_dequeue(o, "q", NULL));
    if (hf_await_within(o, future, 0, NULL) != HF_TIMEOUT) return HF_INVALID;
    return hf_complete(o, input);
}

static hf_status go_on(hf_orchestration *o, hf_slice input)
{
    if (input.size > 2) return hf_complete(o, hf_text("in"));
    schedule(o);
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_continue_as_new(o, hf_text("next"));
}

static hf_status give_up(hf_orchestration *o, hf_slice input)
{
    schedule(o);
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

/* Cancel, scope, select, deadline, continue-as-new, end: each calls off the try or the pause with
 * its limits, in the turn that does it, and a completion that comes later answers nothing. */
static void test_what_ends_the_future_calls_off_its_works(void **state)
{
    (void)state;
    static const struct {
        hf_orchestration_fn run;
        const char *end;
    } ways[] = {
        { cancel, "mq=1 . C2=late mq=2 ." }, { reset, "mq=1 . C2=late mq=2 ." },
        { lose, "mq=1 . C2=late mq=2 ." },   { be_late, NULL },
        { go_on, "mq=1 . O2=late ." },       { give_up, "mq=1 ." },
    };
    /* 2 try, 3 total limit, 4 limit, 5 what the code waits for, 6 failure, 7 pause, 8 its end */
    static const struct {
        const char *words;
        size_t works_count;
    } places[] = { { "", 3 }, { "f2=bad .", 2 }, { "f2=bad . t7 .", 3 } };
    for (size_t i = 0; i < sizeof ways / sizeof *ways * 6; i++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, (hf_activity_options){
                               .tries_max = 3, .try_timeout_ms = 50, .total_timeout_ms = 900 });
        hf_script_init(&script, ways[i / 6].run, &probe);
        script.always_evict = i % 2;
        play(&script, ".");
        play(&script, places[i / 2 % 3].words);
        assert_int_equal(script.works_count, places[i / 2 % 3].works_count);
        if (ways[i / 6].run == be_late) {
            char words[32];
            play(&script, "mq=1 .");
            snprintf(words, sizeof words, "t%zu .", script.events_count);
            play(&script, words);
        } else {
            play(&script, ways[i / 6].end);
        }
        assert_completed(&script, "in");
        assert_nothing_left(&script);
        hf_script_release(&script);
    }
}

static hf_status on_session(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    hf_session desk = hf_session_open_with(o,
                                           HF_WITH(hf_session_options, .id = "desk", .tag = "gpu"));
    probe->options.session = desk;
    hf_future future = schedule(o);
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_session_close(o, desk);
    probe->status = hf_await(o, future, NULL);
    hf_session_open_id(o, "desk"); /* another incarnation: nothing is tried on it */
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

/* On a session each try is on that incarnation; its close ends try or pause, and no other
 * incarnation is tried on. */
static void row_1a_9_tries_stay_on_their_session(void **state)
{
    (void)state;
    static const char *const before[] = { "f3=bad .", "f3=bad . t7 ." };
    for (size_t i = 0; i < 2; i++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, (hf_activity_options){ .tries_max = 3, .total_timeout_ms = 900 });
        hf_script_init(&script, on_session, &probe);
        play(&script, ".");
        play(&script, before[i]);
        if (i == 1) {
            assert_int_equal(hf_script_work(&script, 9)->incarnation, 1);
            struct hf_event again = hf_script_event(&script, 8);
            assert_true(hf_slice_equal(again.text, hf_text("desk")));
            assert_true(hf_slice_equal(again.tag, hf_text("gpu")));
        }
        play(&script, "mq=1 .");
        assert_status(probe.status, HF_SESSION_CLOSED);
        assert_int_equal(script.works_count, 0);
        play(&script, "C3=late T4 mq=2 .");
        assert_completed(&script, "in");
        hf_script_release(&script);
    }
}

static hf_status compensate(hf_orchestration *o, hf_slice input)
{
    (void)input;
    struct probe *probe = probe_of(o);
    probe->status = hf_await(o, schedule(o), NULL);
    HF_TRY(hf_await(o, schedule(o), NULL));
    return hf_complete(o, input);
}

/* A request to stop ends the future, which is not tried again; what compensates has its own tries.
 */
static void test_request_to_stop_ends_tries_and_compensation_has_its_own(void **state)
{
    (void)state;
    static const char *const words[] = { ". f2=bad x=stop .", ". x=stop f2=bad .",
                                         ". f2=bad . x=stop ." };
    for (size_t i = 0; i < 3; i++) {
        struct probe probe;
        struct hf_script script;
        char more[64];
        probe_init(&probe, (hf_activity_options){ .tries_max = 2 });
        hf_script_init(&script, compensate, &probe);
        play(&script, words[i]);
        assert_status(probe.status, HF_CANCELLED);
        assert_int_equal(script.works_count, 1);
        uint64_t id = script.works[0].event_id;
        snprintf(more, sizeof more, "f%" PRIu64 "=bad . t%" PRIu64 " . c%" PRIu64 "=done .", id,
                 id + 2, id + 4);
        play(&script, more);
        assert_cancelled(&script, "stop");
        hf_script_release(&script);
    }
}

static hf_status many(hf_orchestration *o, hf_slice input)
{
    enum { COUNT = 60 };
    hf_future all[COUNT];
    for (size_t i = 0; i < COUNT; i++) all[i] = schedule(o);
    HF_TRY(hf_join(o, all, COUNT));
    return hf_complete(o, input);
}

/* Many at once, which fail and go on in any order: each work finds its own future. */
static void test_many_are_tried_in_any_order(void **state)
{
    (void)state;
    for (int evicts = 0; evicts < 2; evicts++) {
        struct probe probe;
        struct hf_script script;
        uint64_t random = 88172645463325252u;
        size_t turns = 0, failures = 0;
        probe_init(&probe, (hf_activity_options){ .tries_max = 4, .try_timeout_ms = 9 });
        hf_script_init(&script, many, &probe);
        script.always_evict = evicts;
        script.no_check = true;
        play(&script, ".");
        while (script.outcome == HF_OUTCOME_RUNNING) {
            hf_error error = { .status = HF_FAILED, .code = "bad", .message = "no" };
            for (int k = 0; k < 5 && script.works_count > 0; k++) {
                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                const struct hf_script_work *work = &script.works[random % script.works_count];
                struct hf_event event = hf_script_event(&script, work->event_id - 1);
                bool is_limit = hf_slice_equal(event.text, hf_text("try_timeout"));
                bool fails = event.source == 0 || random >> 40 & 1;
                if (is_limit) continue;
                failures += event.source == 0;
                hf_script_answer(&script, work->event_id, hf_text("x"),
                                 fails && failures < 61 ? &error : NULL);
            }
            play(&script, ".");
            assert_true(++turns < 10000);
        }
        assert_int_equal(failures, 60);
        assert_nothing_left(&script);
        hf_script_release(&script);
    }
}

/* ---- code that does otherwise --------------------------------------------------------------- */

/* The policy is code: another one is told when it does not fit what was done, and taken when it
 * does.
 */
static void test_policy_may_change_where_it_fits(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    probe_init(&probe, (hf_activity_options){ .tries_max = 2 });
    hf_script_init(&script, call, &probe);
    play(&script, ". f2=bad . e");
    probe.options.tries_max = 1;
    play_fails(&script, "mq=wake .", HF_NONDETERMINISM,
               "history has timer_created of event 2 \"pause\" at event 4");
    probe.options.tries_max = 3;
    probe.options.backoff_first_ms = 5000;
    play(&script, ". t4 . f7=bad . t9 . c11=done .");
    assert_completed(&script, "done");
    hf_script_release(&script);
}

/* How often an activity reports may be changed under an instance, and counts for its further tries;
 * that it has to, or need not, was decided when it was scheduled. */
static void row_2_8_heartbeat_may_change_but_not_go(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    probe_init(&probe, (hf_activity_options){ .tries_max = 2,
                                              .backoff_first_ms = UINT64_MAX,
                                              .heartbeat_timeout_ms = 5000 });
    hf_script_init(&script, call, &probe);
    play(&script, ". e");
    assert_int_equal(hf_script_event(&script, 1).heartbeat_timeout_ms, 5000);
    probe.options.heartbeat_timeout_ms = 0;
    play_fails(&script, "mq=wake .", HF_NONDETERMINISM, "another heartbeat");
    probe.options.heartbeat_timeout_ms = 9000;
    play(&script, ". f2=bad .");
    struct hf_turn_item *item = script.turn.items.items;
    assert_int_equal(script.turn.items.count, 1);
    struct hf_event again = hf_script_event(&script, (size_t)item->event_id - 1);
    assert_int_equal(again.heartbeat_timeout_ms, 9000);
    hf_script_release(&script);
}

/* A history in which a further try or a pause belongs to no activity is damaged; so is the cancel
 * of a pause. */
static void test_works_without_an_activity_are_damage(void **state)
{
    (void)state;
    const struct hf_event wrong[] = {
        { .kind = HF_EVENT_ACTIVITY_SCHEDULED, .name = HF_SLICE("a"), .source = 3 },
        { .kind = HF_EVENT_ACTIVITY_SCHEDULED, .name = HF_SLICE("a"), .source = 4 },
        { .kind = HF_EVENT_ACTIVITY_SCHEDULED, .name = HF_SLICE("a"), .source = 9 },
        { .kind = HF_EVENT_TIMER_CREATED, .source = 1 },
        { .kind = HF_EVENT_FUTURE_CANCELLED, .source = 4 },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct probe probe;
        struct hf_script script;
        probe_init(&probe, (hf_activity_options){ .tries_max = 3 });
        hf_script_init(&script, call, &probe);
        play(&script, ". f2=bad . t4 . e");
        script.events[5].body = hf_event_encode(&wrong[i], &script.memory);
        play_fails(&script, "mq=wake .", HF_CORRUPT, "history is damaged: event 6");
        hf_script_release(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1a_8_failed_activity_is_scheduled_again_after_a_pause),
        cmocka_unit_test(test_retries_are_logged_once),
        cmocka_unit_test(test_last_failure_is_the_outcome),
        cmocka_unit_test(row_1a_12_no_pause_tries_at_once),
        cmocka_unit_test(test_tries_cost_no_memory),
        cmocka_unit_test(row_1a_11_default_is_one_try),
        cmocka_unit_test(row_1a_11_default_pauses_double_up_to_30_s),
        cmocka_unit_test(row_1a_8_poison_and_lost_sessions_are_not_tried_again),
        cmocka_unit_test(row_1a_12_pauses_grow_to_the_longest),
        cmocka_unit_test(test_shrinking_pauses_fail_the_instance),
        cmocka_unit_test(row_1a_11_late_try_is_called_off_and_not_tried_again),
        cmocka_unit_test(test_limit_behind_the_failure_is_dropped),
        cmocka_unit_test(row_1a_11_total_limit_ends_tries_and_pauses),
        cmocka_unit_test(test_limits_go_with_one_try_too),
        cmocka_unit_test(test_what_ends_the_future_calls_off_its_works),
        cmocka_unit_test(row_1a_9_tries_stay_on_their_session),
        cmocka_unit_test(test_request_to_stop_ends_tries_and_compensation_has_its_own),
        cmocka_unit_test(test_many_are_tried_in_any_order),
        cmocka_unit_test(test_policy_may_change_where_it_fits),
        cmocka_unit_test(row_2_8_heartbeat_may_change_but_not_go),
        cmocka_unit_test(test_works_without_an_activity_are_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
