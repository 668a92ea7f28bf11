/* 19.1 to 19.4 of the session cases: ids are used again, openings never. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/sessions/crew.h"

/* ---- what runs ------------------------------------------------------------------------------ */

/* The first execution opens two sessions with generated ids, closes one and carries the other on;
 * the second opens another. The output is the three ids, and what an activity saw on the latter
 * two.
 */
static hf_status carries(hf_orchestration *o, hf_slice carried)
{
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open(o);
    if (hf_slice_is_empty(carried)) {
        hf_session kept = hf_session_open(o);
        HF_TRY(stage_tell(o, kept, &lines));
        hf_session_close(o, session);
        return hf_continue_as_new(
            o, hf_format(o, "%s %s", hf_session_id(o, session), hf_session_id(o, kept)));
    }
    const char *kept = strchr(hf_format(o, HF_FMT, HF_ARG(carried)).data, ' ') + 1;
    HF_TRY(stage_tell(o, hf_session_named(o, kept), &lines));
    HF_TRY(stage_tell(o, session, &lines));
    return hf_complete(o, hf_format(o, HF_FMT " %s\n" HF_FMT, HF_ARG(carried),
                                    hf_session_id(o, session), HF_ARG(lines)));
}

/* How the three futures of a session end that is closed while one activity runs, one is queued and
 * one is just being scheduled. The status is set in the turn that closes. */
static hf_status closes_all(hf_orchestration *o, hf_slice input)
{
    hf_session session = hf_session_open_id(o, "desk");
    hf_future futures[3];
    futures[0] = hf_schedule_on(o, session, "hold", hf_text("running"));
    futures[1] = hf_schedule_on(o, session, "hold", hf_text("queued"));
    HF_TRY(hf_dequeue(o, "close", NULL));
    futures[2] = hf_schedule_on(o, session, "hold", hf_text("new"));
    hf_session_close(o, session);
    hf_slice lines = HF_EMPTY;
    for (int i = 0; i < 3; i++) {
        hf_status status = hf_await(o, futures[i], NULL);
        lines = stage_add(o, lines, hf_text(hf_status_name(status)));
    }
    hf_status_set(o, lines);
    HF_TRY(hf_call(o, "echo", input, NULL));
    return hf_complete(o, lines);
}

/* Closes X under two activities, opens it again and schedules on it, all in one turn. */
static hf_status reopens(hf_orchestration *o, hf_slice input)
{
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    hf_future running = hf_schedule_on(o, session, "hold", hf_text("running"));
    hf_future queued = hf_schedule_on(o, session, "hold", hf_text("queued"));
    HF_TRY(hf_dequeue(o, "close", NULL));
    hf_session_close(o, session);
    session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    if (hf_await(o, running, NULL) != HF_SESSION_CLOSED) return hf_fail(o, "running", "lives");
    if (hf_await(o, queued, NULL) != HF_SESSION_CLOSED) return hf_fail(o, "queued", "lives");
    HF_TRY(hf_call_on(o, session, "echo", input, NULL));
    return hf_complete(o, lines);
}

/* A hold at the gate "former"; its second turn waits at the gate "turn" before it closes the
 * session and opens it again, which no real orchestration may do: so a completion comes meanwhile.
 * Then the same activity again, at the gate "next". */
static hf_status reopens_late(hf_orchestration *o, hf_slice input)
{
    struct stage *stage = (struct stage *)(uintptr_t)hf_orchestration_user(o);
    hf_session session = hf_session_open_id(o, "desk");
    hf_future former = hf_schedule_on(o, session, "hold", hf_text("former"));
    HF_TRY(hf_dequeue(o, "close", NULL));
    stage_say(stage, "in the turn");
    stage_wait_open(stage, hf_text("turn"));
    hf_session_close(o, session);
    session = hf_session_open_id(o, "desk");
    hf_future next = hf_schedule_on(o, session, "hold", hf_text("next"));
    hf_status status = hf_await(o, former, NULL);
    HF_TRY(hf_await(o, next, NULL));
    HF_TRY(hf_call_on(o, session, "echo", input, NULL));
    return hf_complete(o, hf_text(hf_status_name(status)));
}

static const struct part parts[] = {
    { "carries", carries, NULL }, { "closes_all", closes_all, NULL },
    { "reopens", reopens, NULL }, { "reopens_late", reopens_late, NULL },
    { NULL, NULL, NULL },
};

/* ---- cases ---------------------------------------------------------------------------------- */

/* After continue-as-new a generated id is none of those that the instance had before, be it closed
 * or carried on; the carried session and the new one both work. */
static void case_19_1_generated_ids_are_never_repeated(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    char output[HOUSE_TEXT_SIZE], closed[64], kept[64], next[64];
    int end = 0;
    crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "i", "carries", "");
    house_output(&crew->house, "i", output, sizeof output);
    assert_int_equal(sscanf(output, "%63s %63s %63s\n%n", closed, kept, next, &end), 3);
    assert_string_not_equal(closed, kept);
    assert_string_not_equal(next, closed);
    assert_string_not_equal(next, kept);
    assert_int_equal(told_read_all(output + end, told, 2), 2);
    assert_string_equal(told[0].session, kept);
    assert_string_equal(told[1].session, next);
    assert_int_equal(told[0].met, 1); /* it is the session of the former execution */
    assert_int_equal(told[1].met, 0);
}

/* Futures that are pending when their session closes have ended at that point: the turn that closes
 * goes on behind their awaits without any message. */
static void case_19_2_futures_of_a_closed_session_end_at_once(void **state)
{
    struct crew *crew = *state;
    char history[HOUSE_TEXT_SIZE];
    crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "closes_all", "");
    stage_wait(&crew->house.stage, "held desk a 1 running", 1);
    crew_wait_queued(crew, "desk", "desk", 1);
    house_send(&crew->house, "desk", "close", "");
    house_expect(&crew->house, "desk", "HF_SESSION_CLOSED\nHF_SESSION_CLOSED\nHF_SESSION_CLOSED\n");
    house_history(&crew->house, "desk", history, sizeof history);
    assert_non_null(strstr(history, "mailbox_message close\n"
                                    "activity_scheduled desk #1\n"
                                    "session_closed desk #1\n"
                                    "status_set\n"));
    assert_int_equal(stage_count(&crew->house.stage, "held desk"), 1);
}

/* Close, open and schedule in one turn: what was running in the former opening is told to stop,
 * what was queued never runs, and the new activity does, in an opening of its own. */
static void case_19_3_new_work_survives_the_purge_of_the_former(void **state)
{
    struct crew *crew = *state;
    struct told told;
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "reopens", "");
    stage_wait(&crew->house.stage, "held desk a 1 running", 1);
    crew_wait_queued(crew, "desk", "desk", 1);
    house_send(&crew->house, "desk", "close", "");
    assert_int_equal(house_told(&crew->house, "desk", &told, 1), 1);
    assert_string_equal(told.session, "desk");
    assert_int_equal(told.incarnation, 2);
    assert_true(told.is_first);
    assert_int_equal(told.met, 0);
    assert_int_equal(stage_count(&crew->house.stage, "told desk a"), 1);
    assert_int_equal(stage_count(&crew->house.stage, "held desk"), 1);
    house_rest(a);
    assert_true(house_metric(a, "activities_started") == 3);
    assert_true(house_metric(a, "activities_completed") == 2);
}

/* Asserts that history has the completion of the activity in the second opening, and of the echo,
 * and no other. */
static void assert_former_is_dropped(struct crew *crew)
{
    char history[HOUSE_TEXT_SIZE];
    house_history(&crew->house, "desk", history, sizeof history);
    assert_string_equal(history, "started reopens_late\n"
                                 "session_opened desk #1\n"
                                 "activity_scheduled desk #1\n"
                                 "mailbox_waited close\n"
                                 "mailbox_message close\n"
                                 "session_closed desk #1\n"
                                 "session_opened desk #2\n"
                                 "activity_scheduled desk #2\n"
                                 "activity_completed of 8\n"
                                 "activity_scheduled desk #2\n"
                                 "activity_completed of 10\n"
                                 "completed\n");
}

/* A completion of the former opening, acknowledged before that was closed, is dropped although the
 * id is open again when it would be consumed. And an ack of the former opening that comes when the
 * id is open again is refused: the worker is kept from learning that before. */
static void case_19_4_former_opening_completes_nothing(void **state)
{
    struct crew *crew = *state;
    struct stage *stage = &crew->house.stage;
    char line[STAGE_LINE_SIZE];
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "reopens_late", "");
    stage_wait(stage, "held desk a 1 former", 1);
    house_send(&crew->house, "desk", "close", "");
    stage_wait(stage, "in the turn", 1);
    stage_open(stage, "former");
    house_wait_metric(a, "activities_completed", 1);
    stage_open(stage, "turn");
    stage_open(stage, "next");
    house_expect(&crew->house, "desk", "HF_SESSION_CLOSED");
    assert_former_is_dropped(crew);
    crew_dismiss(crew, a);

    struct child *b = crew_spawn(crew, "b", CHILD_ACTIVITIES);
    house_start(&crew->house, "kept", "reopens_late", "");
    child_expect(b, "held kept b 1 former", line, sizeof line);
    crew_start_waiting(crew, "other");
    child_watch(b, "session.release");
    house_send(&crew->house, "other", "go", ""); /* it ends: the worker tells, and is kept there */
    child_expect(b, "log session.release b other", line, sizeof line);
    house_send(&crew->house, "kept", "close", "");
    crew_wait_queued(crew, "kept", "desk", 1); /* in the next opening */
    child_open(b, "former");
    child_expect(b, "log activity.stale b kept desk: HF_STALE session_closed", line, sizeof line);
    child_open(b, NULL);
    house_expect(&crew->house, "kept", "HF_SESSION_CLOSED");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_19_1_generated_ids_are_never_repeated, parts),
        CREW_TEST(case_19_2_futures_of_a_closed_session_end_at_once, parts),
        CREW_TEST(case_19_3_new_work_survives_the_purge_of_the_former, parts),
        CREW_TEST(case_19_4_former_opening_completes_nothing, parts),
    };
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
