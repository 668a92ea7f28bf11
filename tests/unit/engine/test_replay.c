/* Replay: live and replayed turns decide alike, code that does otherwise is told what and where,
 * damaged histories run no code, and no failed allocation leaves anything behind. */
#include "tests/unit/engine/play.h"

#include <string.h>

#include "engine/event.h"
#include "tests/unit/engine/scenarios.h"

/* ---- live equals replay ---------------------------------------------------------------------- */

static void play_scenario(struct hf_script *script, const struct scenario *scenario)
{
    play(script, scenario->words);
    if (script->outcome == HF_OUTCOME_RUNNING) {
        fail_msg("%s has not ended:\n%s", scenario->name, hf_script_history(script));
    }
}

/* Kept live from turn to turn, or evicted after each: the same decisions, byte for byte. */
static void row_7_1_turns_decide_alike_live_and_replayed(void **state)
{
    (void)state;
    size_t count;
    const struct scenario *all = scenarios_all(&count);
    for (size_t i = 0; i < count; i++) {
        struct hf_script live, replayed;
        int blocks = 0;
        hf_script_init(&live, all[i].run, &blocks);
        play_scenario(&live, &all[i]);
        hf_script_init(&replayed, all[i].run, &blocks);
        replayed.always_evict = true;
        play_scenario(&replayed, &all[i]);
        assert_int_equal(live.decisions_size, replayed.decisions_size);
        assert_memory_equal(live.decisions, replayed.decisions, live.decisions_size);
        hf_script_release(&live);
        hf_script_release(&replayed);
        assert_int_equal(blocks, 0);
    }
}

/* Messages that come all in one turn, or each in a turn of its own, reach the code in the same
 * order: it ends alike. */
static void row_7_3_bundling_of_messages_does_not_change_the_end(void **state)
{
    (void)state;
    size_t count;
    const struct scenario *all = scenarios_all(&count);
    const char *outputs[2];
    for (size_t i = 3; i < 5; i++) {
        struct hf_script script;
        hf_script_init(&script, all[i].run, NULL);
        play_scenario(&script, &all[i]);
        hf_error error;
        outputs[i - 3] = hf_script_output(&script, &error);
        assert_string_equal(outputs[i - 3], "123");
        hf_script_release(&script);
    }
}

/* Whatever allocation fails: HF_NO_MEMORY, nothing leaks, nothing is committed, and the turn
 * succeeds when there is memory again. */
static void test_scenarios_survive_every_failed_allocation(void **state)
{
    (void)state;
    size_t count;
    const struct scenario *all = scenarios_all(&count);
    for (size_t i = 0; i < count; i++) {
        struct hf_script whole;
        int blocks = 0;
        hf_script_init(&whole, all[i].run, &blocks);
        play_scenario(&whole, &all[i]);
        uint64_t failed_count = 0;
        for (uint64_t at = 1; at <= whole.heap.calls_count; at++) {
            struct hf_script script;
            hf_script_init(&script, all[i].run, &blocks);
            script.heap.fail_at = at;
            hf_status status = hf_script_play(&script, all[i].words);
            if (status != HF_OK) {
                assert_status(status, HF_NO_MEMORY);
                assert_int_equal(script.error.status, HF_NO_MEMORY);
                failed_count++;
            }
            hf_script_release(&script);
            assert_int_equal(blocks, 0);
        }
        assert_true(failed_count > 0);
        assert_int_equal(failed_count, whole.heap.calls_count);
        hf_script_release(&whole);
    }
}

/* An allocation that fails once costs one turn: repeated with memory, it decides as if nothing had
 * been. */
static void row_8_1_turn_repeated_after_no_memory_decides_alike(void **state)
{
    (void)state;
    size_t count;
    const struct scenario *all = scenarios_all(&count);
    for (uint64_t at = 1; at < 40; at++) {
        struct hf_script script, whole;
        int blocks = 0;
        hf_script_init(&whole, all[0].run, &blocks);
        play(&whole, ".");
        hf_script_init(&script, all[0].run, &blocks);
        script.heap.fail_at = at;
        if (hf_script_play(&script, ".") != HF_OK) {
            script.heap.fail_at = 0;
            play(&script, ".");
        }
        assert_int_equal(script.decisions_size, whole.decisions_size);
        assert_memory_equal(script.decisions, whole.decisions, whole.decisions_size);
        hf_script_release(&script);
        hf_script_release(&whole);
    }
}

/* ---- eviction -------------------------------------------------------------------------------- */

struct life {
    int made, freed[3];
    size_t freed_count;
    int order[64];
    hf_status (*wait)(hf_orchestration *o, hf_slice input);
};

struct mark {
    struct life *life;
    int number;
};

static void mark_free(void *argument)
{
    struct mark *mark = argument;
    mark->life->freed[mark->number]++;
    mark->life->order[mark->life->freed_count++] = mark->number;
}

static hf_status defer_and_wait(hf_orchestration *o, hf_slice input)
{
    struct life *life = probe_of(o);
    life->made++;
    for (int i = 0; i < 3; i++) {
        struct mark *mark = hf_alloc(o, sizeof *mark);
        *mark = (struct mark){ life, i };
        hf_defer(o, mark_free, mark);
    }
    return life->wait(o, input);
}

static hf_status wait_activity(hf_orchestration *o, hf_slice input)
{
    return hf_call(o, "a", input, NULL);
}

static hf_status wait_session_activity(hf_orchestration *o, hf_slice input)
{
    return hf_call_on(o, hf_session_open(o), "a", input, NULL);
}

static hf_status wait_timer(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_sleep(o, 5);
}

static hf_status wait_mailbox(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_dequeue(o, "q", NULL);
}

static hf_status wait_event(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_await(o, hf_event_wait(o, "e"), NULL);
}

static hf_status wait_within(hf_orchestration *o, hf_slice input)
{
    hf_scope_open(o);
    hf_alloc(o, 100000);
    return hf_await_within(o, hf_schedule(o, "a", input), 5, NULL);
}

static hf_status wait_all(hf_orchestration *o, hf_slice input)
{
    hf_future both[] = { hf_schedule(o, "a", input), hf_timer(o, 5) };
    return hf_join(o, both, 2);
}

static hf_status wait_first(hf_orchestration *o, hf_slice input)
{
    hf_future both[] = { hf_schedule(o, "a", input), hf_timer(o, 5) };
    return hf_select(o, both, 2, NULL);
}

/* Eviction in the middle of any await frees everything; clean-ups run once a life, the latest
 * first. */
static void test_eviction_in_every_await_frees_everything(void **state)
{
    (void)state;
    hf_status (*const waits[])(hf_orchestration *, hf_slice) = {
        wait_activity, wait_session_activity,
        wait_timer,    wait_mailbox,
        wait_within,   wait_all,
        wait_first,    wait_event,
    };
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        struct life life = { .wait = waits[i] };
        struct hf_script script;
        hf_script_init(&script, defer_and_wait, &life);
        script.no_check = true;
        play(&script, "mother=1 .");
        assert_int_equal(life.freed_count, 0);
        assert_true(hf_execution_memory_size(script.live) > sizeof(struct mark));
        play(&script, "e");
        hf_arena_release(&script.turn_arena);
        assert_int_equal(script.heap.blocks_count, 0);
        const int order[] = { 2, 1, 0 };
        assert_int_equal(life.freed_count, 3);
        assert_memory_equal(life.order, order, sizeof order);
        play(&script, ". e");
        assert_int_equal(life.made, 2);
        for (int n = 0; n < 3; n++) assert_int_equal(life.freed[n], 2);
        hf_script_release(&script);
    }
}

/* At the end clean-ups run too, once. */
static void test_end_runs_clean_ups_once(void **state)
{
    (void)state;
    struct life life = { .wait = wait_timer };
    struct hf_script script;
    hf_script_init(&script, defer_and_wait, &life);
    script.no_check = true;
    play(&script, ". t2 .");
    assert_int_equal(life.freed_count, 3);
    hf_script_release(&script);
    assert_int_equal(life.freed_count, 3);
}

/* An execution that never ran a turn is freed like any other. */
static void test_free_before_the_first_turn(void **state)
{
    (void)state;
    struct hf_script script;
    struct hf_execution *execution = NULL;
    hf_script_init(&script, wait_timer, NULL);
    struct hf_turn_view view = { .instance_id = HF_SLICE("i-1"),
                                 .next_event_id = 2,
                                 .events = script.events,
                                 .events_count = 1 };
    assert_ok(hf_execution_new(&script.options, &view, 1, &execution, NULL), NULL);
    hf_execution_free(execution);
    hf_execution_free(NULL);
    hf_script_release(&script);
}

/* ---- code that changed ----------------------------------------------------------------------- */

/* One step of a program that is told what to do: `aX` schedules X, `oX` opens X, `cX` closes X,
 * `sX` schedules on X, `gX` with the tag X, `TX` opens "s" with
 * the tag X, `RX` to be rebuilt by X with the input, `F` to fail, `t` a timer, `mX` takes from X,
 * `eX` waits for event X, `v` sets the status to the input, `w` awaits the latest future, `W`
 * within 5 ms, `i` changes the input. Behind the last step it returns. */
struct program {
    const char *steps;
};

static void open_with(hf_orchestration *o, char step, const char *name, hf_slice input)
{
    hf_session_options options = HF_INIT(hf_session_options);
    options.id = "s";
    if (step == 'T') options.tag = name;
    if (step == 'F') options.recovery = HF_SESSION_FAIL;
    if (step == 'R') {
        options.recovery = HF_SESSION_REBUILD;
        options.rebuild = name;
        options.rebuild_input = input;
    }
    hf_session_open_with(o, &options);
}

static hf_future schedule_with_tag(hf_orchestration *o, const char *tag, hf_slice input)
{
    return hf_schedule_with(o,
                            HF_WITH(hf_activity_options, .name = "a", .input = input, .tag = tag));
}

static hf_status interpret(hf_orchestration *o, hf_slice input)
{
    const struct program *program = hf_orchestration_user(o);
    hf_future latest = { 0 };
    hf_session opened = { 0 };
    for (const char *at = program->steps; *at; at++) {
        char step = *at;
        if (strchr("asocmeigTR", step)) at++;
        const char name[] = { *at, '\0' };
        hf_future made = { 0 };
        switch (step) {
        case 'a': made = hf_schedule(o, name, input); break;
        case 's': made = hf_schedule_on(o, hf_session_named(o, name), "on", input); break;
        case 'o':
            if (opened.id == 0) opened = hf_session_open_id(o, name);
            hf_session_open_id(o, name);
            break;
        case 'k': hf_session_close(o, opened); break;
        case 'c': hf_session_close(o, hf_session_named(o, name)); break;
        case 't': made = hf_timer(o, 5); break;
        case 'm': made = hf_mailbox_take(o, name); break;
        case 'e': made = hf_event_wait(o, name); break;
        case 'g': made = schedule_with_tag(o, name, input); break;
        case 'T':
        case 'F':
        case 'R': open_with(o, step, name, input); break;
        case 'v': hf_status_set(o, input); break;
        case 'i': input = hf_text(name); break;
        case 'w': HF_TRY(hf_await(o, latest, NULL)); break;
        case 'W':
            if (hf_await_within(o, latest, 5, NULL) == HF_OK) return HF_INVALID;
            break;
        default: return HF_INVALID;
        }
        if (made.id != 0) latest = made;
    }
    return HF_OK;
}

struct change {
    const char *name;
    const char *before, *words; /* what history was made by */
    const char *after;          /* what it is replayed with, in one more turn */
    const char *has, *did;      /* in the message */
};

static void check_change(const struct change *change)
{
    struct program program = { change->before };
    struct hf_script script;
    hf_script_init(&script, interpret, &program);
    play(&script, change->words);
    size_t events_count = script.events_count;
    program.steps = change->after;
    hf_status status = hf_script_play(&script, "e mz=news .");
    const char *message = script.error.message;
    if (status != HF_NONDETERMINISM || !strstr(message, change->has) ||
        !strstr(message, change->did)) {
        fail_msg("%s: %s: %s", change->name, hf_status_name(status), message);
    }
    assert_int_equal(script.events_count, events_count);
    hf_script_release(&script);
}

/* Each way in which code can leave its history is refused; the message shows both sides and the
 * event. */
static void row_7_5_changed_code_is_nondeterminism(void **state)
{
    (void)state;
    const struct change changes[] = {
        { "missing", "aAaBw", ".", "aAw", "activity_scheduled \"B\" (2 bytes) at event 3",
          "waits" },
        { "missing at the end", "aAaBw", ".", "aA", "\"B\" (2 bytes) at event 3", "ended" },
        { "surplus in the last segment", "aAw", ".", "aAaBw", "history ends at event 2",
          "the code issued activity_scheduled \"B\"" },
        { "surplus in the middle", "aAwtw", ". c2=x .", "aAaBw", "at event 3",
          "the code issued activity_scheduled \"B\"" },
        { "swapped", "aAaBw", ".", "aBaAw", "\"A\" (2 bytes) at event 2", "another name" },
        { "another kind", "aAw", ".", "tw", "\"A\" (2 bytes) at event 2",
          "the code issued timer_created: another command" },
        { "another input", "aAw", ".", "iXaAw", "\"A\" (2 bytes) at event 2",
          "\"A\" (1 bytes): another input" },
        { "another status", "aAvvw", ".", "aAiXvvw", "status_set (2 bytes) at event 3",
          "another input" },
        { "another mailbox", "mAw", ".", "mBw", "mailbox_waited \"A\" at event 2", "\"B\"" },
        { "another event", "eAw", ".", "eBw", "event_waited \"A\" at event 2", "\"B\"" },
        { "a mailbox instead", "eAw", ".", "mAw", "event_waited \"A\" at event 2",
          "the code issued mailbox_waited \"A\": another command" },
        { "another tag", "gAw", ".", "gBw", "\"a\" tag \"A\" (2 bytes) at event 2",
          "\"B\" (2 bytes): another tag" },
        { "no tag", "gaw", ".", "aaw", "\"a\" tag \"a\"", "another tag" },
        { "another tag of a session", "TAaAw", ".", "TBaAw", "session_opened \"s\" #1 tag \"A\"",
          "tag \"B\": another tag" },
        { "another recovery", "FaAw", ".", "TAaAw", "session_opened \"s\" #1 fail", "another tag" },
        { "no recovery", "FaAw", ".", "osaAw", "session_opened \"s\" #1 fail",
          "\"s\" #1: another recovery" },
        { "another rebuild activity", "RAaAw", ".", "RBaAw", "rebuild \"A\" (2 bytes) at event 2",
          "another name" },
        { "another rebuild input", "RAaAw", ".", "iXRAaAw", "rebuild \"A\" (2 bytes) at event 2",
          "another input" },
        { "another session", "oAoBsAw", ".", "oAoBsBw", "on session \"A\" #1",
          "on session \"B\" #2" },
        { "no session", "oAsAw", ".", "oAaow", "on session \"A\" #1", "\"o\"" },
        { "another incarnation", "oAcAoAsAw", ".", "oAcAoBsBw", "session_opened \"A\" #2",
          "session_opened \"B\" #2" },
        { "close of another incarnation", "oAcAoAkaBw", ".", "oAcAoAcAaBw",
          "session_closed \"A\" at event 5", "another incarnation" },
        { "ends early", "aAwtw", ". c2=x .", "aA", "at event 3", "issued completed" },
        { "misuse instead", "aAaBw", ".", "aAsXw", "at event 3", "\"X\" is not open" },
        { "not cancelled", "aAWtw", ". t3 .", "aAw", "timer_created at event 3", "waits" },
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) check_change(&changes[i]);
}

/* History has SessionOpened, code does not open. */
static void test_open_that_is_missing_is_nondeterminism(void **state)
{
    (void)state;
    const struct change change = { "missing open",
                                   "oAaAw",
                                   ".",
                                   "aAw",
                                   "session_opened \"A\" #1 at event 2",
                                   "the code issued activity_scheduled \"A\"" };
    check_change(&change);
}

/* Code opens a session where history has another command. */
static void row_7_9_open_instead_of_a_command_is_nondeterminism(void **state)
{
    (void)state;
    const struct change change = { "surplus open",
                                   "aAw",
                                   ".",
                                   "oAaAw",
                                   "activity_scheduled \"A\"",
                                   "the code issued session_opened \"A\" #1" };
    check_change(&change);
}

/* History opens A then B, code opens B then A. */
static void row_7_4_swapped_opens_are_nondeterminism(void **state)
{
    (void)state;
    const struct change change = {
        "swapped opens",          "oAoBaAw", ".", "oBoAaAw", "session_opened \"A\" #1 at event 2",
        "session_opened \"B\" #1"
    };
    check_change(&change);
}

/* The last event of history is compared too: an ended instance that now ends otherwise is told. */
static void test_changed_outcome_is_nondeterminism(void **state)
{
    (void)state;
    const struct {
        const char *after, *part;
    } cases[] = { { "aAwvv", "the code issued status_set" },
                  { "aAwsX", "the code issued failed session_not_open" },
                  { "aAww", NULL } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct program program = { "aAw" };
        struct hf_script script;
        hf_script_init(&script, interpret, &program);
        play(&script, ". c2=x .");
        program.steps = cases[i].after;
        script.outcome = HF_OUTCOME_RUNNING;
        if (cases[i].part) play_fails(&script, ".", HF_NONDETERMINISM, cases[i].part);
        if (!cases[i].part) play(&script, ".");
        hf_script_release(&script);
    }
}

/* What a command cancels is compared; and so is how an ended instance failed. */
static void row_7_13_changed_cancels_are_nondeterminism(void **state)
{
    (void)state;
    struct program program = { "aAaBWtw" };
    struct hf_script script;
    hf_script_init(&script, interpret, &program);
    play(&script, ". t4 .");
    struct hf_event event = hf_script_event(&script, 5);
    assert_int_equal(event.source, 3);
    event.source = 2;
    script.events[5].body = hf_event_encode(&event, &script.memory);
    play_fails(&script, "e .", HF_NONDETERMINISM, "of event 3: another source");
    hf_script_release(&script);
    program.steps = "sX";
    hf_script_init(&script, interpret, &program);
    play(&script, ".");
    event = hf_script_event(&script, 1);
    event.code = hf_text("other_code");
    script.events[1].body = hf_event_encode(&event, &script.memory);
    script.outcome = HF_OUTCOME_RUNNING;
    play_fails(&script, ".", HF_NONDETERMINISM, "history has failed other_code");
    hf_script_release(&script);
}

/* ---- histories that cannot be ---------------------------------------------------------------- */

static void check_damage(struct hf_script *script, const char *part)
{
    play_fails(script, "e .", HF_CORRUPT, part);
    assert_true(script->error.lsn > 0);
}

/* Puts event over the one at index of a good history, and sees the history refused before any code
 * runs. */
static void check_damaged_event(size_t index, struct hf_event event, const char *part)
{
    struct program program = { "aAtw" };
    struct hf_script script;
    hf_script_init(&script, interpret, &program);
    play(&script, ". mq=1 c2=x mq=2 .");
    script.outcome = HF_OUTCOME_RUNNING;
    program.steps = "aXaX";
    script.events[index].body = hf_event_encode(&event, &script.memory);
    check_damage(&script, part);
    hf_script_release(&script);
}

/* Each broken rule of a history's shape is damage that names its record. */
static void row_7_12_damaged_history_runs_no_code(void **state)
{
    (void)state;
    const struct hf_event started = { .kind = HF_EVENT_STARTED, .name = HF_SLICE("t") };
    const struct hf_event ended = { .kind = HF_EVENT_COMPLETED };
    check_damaged_event(3, started, "is a second start");
    check_damaged_event(3, ended, "stands behind the last event");
    struct hf_event event = { .kind = HF_EVENT_ACTIVITY_COMPLETED, .source = 2 };
    check_damaged_event(5, event, "is the second completion of its source");
    event.source = 3; /* a timer */
    check_damaged_event(4, event, "names no command that it could answer");
    event.source = 77;
    check_damaged_event(4, event, "names no command that it could answer");
    event.source = UINT64_MAX;
    check_damaged_event(4, event, "names no command that it could answer");
    event = (struct hf_event){ .kind = HF_EVENT_TIMER_FIRED, .source = 2 };
    check_damaged_event(4, event, "names no command that it could answer");
    event = (struct hf_event){ .kind = HF_EVENT_FUTURE_CANCELLED, .source = 1 };
    check_damaged_event(4, event, "names no command that it could cancel");
    event.source = 6; /* behind it */
    check_damaged_event(4, event, "names no command that it could cancel");
}

/* A gap in the event ids is damage. */
static void test_gap_in_event_ids_is_damage(void **state)
{
    (void)state;
    struct program program = { "aAtw" };
    struct hf_script script;
    hf_script_init(&script, interpret, &program);
    play(&script, ".");
    script.events[2].event_id = 4;
    check_damage(&script, "does not have the next id");
    hf_script_release(&script);
}

/* A completion for work that a cancel has ended is legal at replay, too: it was in the same batch.
 */
static void row_7_14_completion_of_cancelled_work_is_ignored(void **state)
{
    (void)state;
    struct program program = { "aAWwaBw" };
    struct hf_script script;
    hf_script_init(&script, interpret, &program);
    script.always_evict = true;
    play(&script, ". t3 c2=late .");
    struct hf_event answer = hf_script_event(&script, 4);
    assert_int_equal(answer.kind, HF_EVENT_ACTIVITY_COMPLETED);
    assert_int_equal(script.outcome, HF_OUTCOME_FAILED); /* the cancelled future was awaited */
    script.outcome = HF_OUTCOME_RUNNING;
    play(&script, "e .");
    assert_int_equal(script.turn.events.count, 0);
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_7_1_turns_decide_alike_live_and_replayed),
        cmocka_unit_test(row_7_3_bundling_of_messages_does_not_change_the_end),
        cmocka_unit_test(test_scenarios_survive_every_failed_allocation),
        cmocka_unit_test(row_8_1_turn_repeated_after_no_memory_decides_alike),
        cmocka_unit_test(test_eviction_in_every_await_frees_everything),
        cmocka_unit_test(test_end_runs_clean_ups_once),
        cmocka_unit_test(test_free_before_the_first_turn),
        cmocka_unit_test(row_7_5_changed_code_is_nondeterminism),
        cmocka_unit_test(test_open_that_is_missing_is_nondeterminism),
        cmocka_unit_test(row_7_9_open_instead_of_a_command_is_nondeterminism),
        cmocka_unit_test(row_7_4_swapped_opens_are_nondeterminism),
        cmocka_unit_test(test_changed_outcome_is_nondeterminism),
        cmocka_unit_test(row_7_13_changed_cancels_are_nondeterminism),
        cmocka_unit_test(row_7_12_damaged_history_runs_no_code),
        cmocka_unit_test(test_gap_in_event_ids_is_damage),
        cmocka_unit_test(row_7_14_completion_of_cancelled_work_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
