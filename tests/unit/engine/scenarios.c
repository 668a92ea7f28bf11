/* Scenarios: each ends its instance, and together they reach every public call. The user pointer is
 * an int that counts the blocks which deferred clean-ups have to free. */
#include "tests/unit/engine/scenarios.h"

#include <stdint.h>

static hf_status calls(hf_orchestration *o, hf_slice input)
{
    hf_future a = hf_schedule(o, "a", input), b = hf_schedule(o, "b", input);
    hf_future t = hf_timer(o, 10);
    hf_slice first = HF_EMPTY, second = HF_EMPTY;
    hf_log(o, HF_LOG_DEBUG, "a and b are scheduled");
    if (hf_await(o, b, &second) != HF_OK) second = hf_text(hf_orchestration_error(o)->code);
    HF_TRY(hf_await(o, t, NULL));
    HF_TRY(hf_await(o, a, &first));
    hf_status_set(o, first);
    return hf_complete(o, hf_format(o, HF_FMT " " HF_FMT, HF_ARG(first), HF_ARG(second)));
}

static hf_status deadlines(hf_orchestration *o, hf_slice input)
{
    hf_slice output = HF_EMPTY;
    hf_status late = hf_await_within(o, hf_schedule(o, "slow", input), 10, &output);
    if (late != HF_TIMEOUT) return HF_INVALID;
    hf_status take = hf_await_within(o, hf_mailbox_take(o, "q"), 10, &output);
    if (take != HF_TIMEOUT) return HF_INVALID;
    HF_TRY(hf_await_within(o, hf_schedule(o, "quick", input), 10, &output));
    HF_TRY(hf_dequeue(o, "q", &output));
    return hf_complete(o, output);
}

static hf_status mailboxes(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_scope round = hf_scope_open(o);
    hf_slice all = HF_EMPTY;
    for (int i = 0; i < 3; i++) {
        hf_slice message;
        HF_TRY(hf_dequeue(o, "q", &message));
        all = hf_keep(o, round, hf_format(o, HF_FMT HF_FMT, HF_ARG(all), HF_ARG(message)));
        hf_scope_reset(o, round);
    }
    hf_mailbox_take(o, "other");
    hf_scope_close(o, round);
    HF_TRY(hf_dequeue(o, "other", NULL));
    return hf_complete(o, all);
}

static void count_down(void *argument)
{
    int *blocks = argument;
    *blocks -= 1;
}

static void defer_block(hf_orchestration *o)
{
    int *blocks = (int *)(uintptr_t)hf_orchestration_user(o);
    *blocks += 1;
    hf_defer(o, count_down, blocks);
}

static hf_status compensation(hf_orchestration *o, hf_slice input)
{
    defer_block(o);
    hf_future pending = hf_schedule(o, "other", input);
    hf_status status = hf_call(o, "book", input, NULL);
    defer_block(o);
    if (status != HF_CANCELLED || hf_await(o, pending, NULL) != HF_CANCELLED) return HF_INVALID;
    HF_TRY(hf_call(o, "undo", input, NULL));
    return hf_complete(o, hf_text("ignored"));
}

static hf_status sessions(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x"), any = hf_session_open(o);
    hf_slice output;
    HF_TRY(hf_call_on(o, x, "a", input, &output));
    hf_future pending = hf_schedule_on(o, x, "b", input);
    hf_session_close(o, x);
    if (hf_await(o, pending, NULL) != HF_SESSION_CLOSED) return HF_INVALID;
    hf_session again = hf_session_open_id(o, "x");
    hf_session_close(o, x);
    HF_TRY(hf_call_on(o, hf_session_named(o, "x"), "c", input, NULL));
    HF_TRY(hf_call_on(o, again, "d", output, &output));
    return hf_complete(o, hf_format(o, HF_FMT "%s", HF_ARG(output), hf_session_id(o, any)));
}

static hf_status generations(hf_orchestration *o, hf_slice input)
{
    hf_session chat = hf_session_open_id(o, "chat");
    hf_slice message;
    hf_future left = hf_schedule(o, "left behind", input);
    HF_TRY(hf_dequeue(o, "q", &message));
    defer_block(o);
    if (input.size < 4) {
        hf_session_open(o);
        return hf_continue_as_new(o, hf_format(o, HF_FMT HF_FMT, HF_ARG(input), HF_ARG(message)));
    }
    HF_TRY(hf_call_on(o, chat, "a", input, NULL));
    hf_session_close(o, chat);
    if (hf_await_within(o, left, 10, NULL) == HF_OK) return HF_INVALID;
    return hf_complete(o, input);
}

static hf_status fan_out(hf_orchestration *o, hf_slice input)
{
    hf_scope scope = hf_scope_open(o);
    hf_future all[] = { hf_schedule(o, "a", input), hf_mailbox_take(o, "q"), hf_timer(o, 5) };
    hf_slice message, output;
    HF_TRY(hf_join(o, all, 3));
    HF_TRY(hf_await(o, all[1], &message));
    output = hf_keep(o, scope, message);
    hf_scope_close(o, scope);
    hf_future failing = hf_schedule(o, "b", input);
    if (hf_join(o, &failing, 1) != HF_FAILED) return HF_INVALID;
    return hf_complete(o, output);
}

static hf_status races(hf_orchestration *o, hf_slice input)
{
    hf_scope round = hf_scope_open(o);
    hf_slice message = HF_EMPTY;
    for (size_t winner = 0; winner == 0; hf_scope_reset(o, round)) {
        hf_future all[] = { hf_mailbox_take(o, "q"), hf_schedule(o, "a", input), hf_timer(o, 5) };
        HF_TRY(hf_select(o, all, 3, &winner));
        if (!hf_future_is_done(o, all[1])) return HF_INVALID;
        if (winner == 0) HF_TRY(hf_await(o, all[0], &message));
        hf_future spare = hf_schedule(o, "spare", input);
        hf_future_cancel(o, spare);
        message = hf_keep(o, round, message);
    }
    return hf_complete(o, message);
}

static hf_status events(hf_orchestration *o, hf_slice input)
{
    hf_scope round = hf_scope_open(o);
    hf_slice data;
    hf_future waits[] = { hf_event_wait(o, "e"), hf_event_wait(o, "other"), hf_event_wait(o, "e") };
    (void)input;
    HF_TRY(hf_join(o, waits, 2));
    HF_TRY(hf_await(o, waits[1], &data));
    data = hf_keep(o, round, data);
    hf_scope_close(o, round);
    if (hf_await_within(o, hf_event_wait(o, "e"), 5, NULL) != HF_TIMEOUT) return HF_INVALID;
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), NULL));
    return hf_complete(o, data);
}

static hf_status options(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_with(o, HF_WITH(hf_session_options, .id = "x", .tag = "gpu",
                                                   .recovery = HF_SESSION_REBUILD,
                                                   .rebuild = "warm", .rebuild_input = input));
    hf_future both[] = { hf_schedule_on(o, x, "a", input),
                         hf_schedule_with(o, HF_WITH(hf_activity_options, .name = "b",
                                                     .input = input, .tag = "cpu")) };
    hf_status status = hf_join(o, both, 2);
    if (input.size == 2) return hf_continue_as_new(o, hf_text("next"));
    return status == HF_SESSION_LOST ? hf_complete(o, hf_text("lost")) : status;
}

static hf_status children(hf_orchestration *o, hf_slice input)
{
    const hf_child_options *own = HF_WITH(hf_child_options, .orchestration = "t", .instance = "kid",
                                          .input = input);
    const hf_child_options *any = HF_WITH(hf_child_options, .orchestration = "t");
    hf_future both[] = { hf_child(o, own), hf_child(o, any) };
    hf_slice output;
    if (hf_await(o, both[1], NULL) != HF_FAILED) return HF_INVALID;
    HF_TRY(hf_await(o, both[0], &output));
    hf_future_cancel(o, hf_child(o, any));
    if (hf_await_within(o, hf_child(o, any), 5, NULL) != HF_TIMEOUT) return HF_INVALID;
    hf_child(o, any);
    if (input.size == 2) return hf_continue_as_new(o, output);
    return hf_complete(o, output);
}

static hf_status values(hf_orchestration *o, hf_slice input)
{
    hf_scope scope = hf_scope_open(o);
    uint64_t began = hf_now_unix_ms(o), number = hf_random(o);
    HF_TRY(hf_await(o, hf_timer_at(o, began + number % 64), NULL));
    const char *id = hf_uuid(o);
    HF_TRY(hf_call(o, id, input, NULL));
    uint64_t lasted = hf_now_unix_ms(o) - began + hf_now_unix_ms(o) - began;
    hf_slice output = hf_format(o, "%s %llu", id, (unsigned long long)lasted);
    output = hf_keep(o, scope, output);
    hf_scope_close(o, scope);
    return hf_complete(o, output);
}

static hf_status patches(hf_orchestration *o, hf_slice input)
{
    for (int i = 0; i < 2; i++) {
        hf_patch_retired(o, "oldest");
        bool is_new = hf_patched(o, "new"), is_newer = hf_patched(o, "newer");
        if (!is_new || !is_newer) return HF_INVALID;
        HF_TRY(hf_dequeue(o, "q", NULL));
    }
    return hf_complete(o, input);
}

static hf_status tries(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x");
    const hf_activity_options *often = HF_WITH(hf_activity_options, .name = "often", .input = input,
                                               .session = x, .tries_max = 3, .try_timeout_ms = 50,
                                               .total_timeout_ms = 500);
    const hf_activity_options *at_once = HF_WITH(hf_activity_options, .name = "at once",
                                                 .input = input, .tag = "gpu", .tries_max = 3,
                                                 .backoff_first_ms = UINT64_MAX);
    hf_future both[] = { hf_schedule_with(o, often), hf_schedule_with(o, at_once) };
    hf_slice output = HF_EMPTY;
    if (hf_join(o, both, 2) != HF_OK) output = hf_text(hf_orchestration_error(o)->message);
    hf_future late = hf_schedule_with(o, often), left = hf_schedule_with(o, often);
    if (hf_await(o, late, NULL) != HF_TIMEOUT) return HF_INVALID;
    hf_session_close(o, x);
    if (hf_await(o, left, NULL) != HF_SESSION_CLOSED) return HF_INVALID;
    hf_schedule_with(o, at_once);
    return input.size == 2 ? hf_continue_as_new(o, hf_text("next")) : hf_complete(o, output);
}

static hf_status misuse(hf_orchestration *o, hf_slice input)
{
    defer_block(o);
    hf_scope scope = hf_scope_open(o);
    hf_future stale = hf_schedule(o, "a", input);
    HF_TRY(hf_sleep(o, 5));
    hf_scope_reset(o, scope);
    hf_alloc(o, 3000);
    return hf_await(o, stale, NULL);
}

static hf_status failure(hf_orchestration *o, hf_slice input)
{
    hf_scope scope = hf_scope_open(o);
    hf_status status = hf_call(o, "a", input, NULL);
    hf_scope_close(o, scope);
    if (hf_is_replaying(o) || hf_history_is_long(o)) hf_alloc(o, 0);
    return status != HF_OK ? status : hf_fail(o, "code", "on %s", hf_instance_id(o));
}

/* `often` fails twice and pauses, `at once` does not pause; a limit passes in the turn that brings
 * the outcome; one is late, and one pauses when its session is closed. */
#define TRIES                                                                                      \
    ". f3=bad f6=bad . t9 . f10=bad f12=worse . c16=done . t17 . c20=done T21 . f27=bad t26 . "

const struct scenario *scenarios_all(size_t *out_count)
{
    static const struct scenario all[] = {
        { "calls", calls, ". t4 . f3=bad c2=A C2=B ." },
        { "deadlines", deadlines, ". t3 . C2=late t7 . mq=m . c10=ok T11 ." },
        { "deadlines in one turn", deadlines, ". t3 . t7 mq=m . c11=ok ." },
        { "mailboxes", mailboxes, "mq=1 mother=z . mq=2 mq=3 . mother=y ." },
        { "mailboxes one by one", mailboxes, ". mq=1 . mq=2 . mother=y . mq=3 . mother=z ." },
        { "compensation", compensation, ". x=stop C3=late . C2=late x=again c6=ok ." },
        { "sessions", sessions, ". c4=out . C6=late c10=C . c12=D ." },
        { "generations", generations, ". mq=1 mq=2 . . mq=3 . O3=old c5=A . t8 ." },
        { "fan out", fan_out, ". c2=A . mq=M t4 . f8=bad ." },
        { "races", races, ". mq=1 . mq=2 mq=3 . t28 ." },
        { "events", events, "ve=1 . vother=2 vlost=3 . t10 . ve=4 ." },
        { "options", options, ". c3=A c4=B . . s2=gone c3=B ." },
        { "children", children, ". c2=out . l3 . t9 . . k3 c2=last . C2=late T9 ." },
        { "values", values, ". +50 t4 . +70 c7=ok ." },
        { "patches", patches, ". mq=1 . mq=2 ." },
        { "tries", tries, TRIES TRIES },
        { "misuse", misuse, ". t3 ." },
        { "failure", failure, ". f2=bad ." },
        { "failure of its own", failure, ". c2=good ." },
    };
    *out_count = sizeof all / sizeof *all;
    return all;
}
