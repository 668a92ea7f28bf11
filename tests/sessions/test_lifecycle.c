/* Section 1 of the session cases: sessions are opened and closed. */
#include <stdio.h>
#include <string.h>

#include "tests/sessions/crew.h"

/* ---- orchestrations ------------------------------------------------------------------------- */

/* Two sessions with generated ids; the output is their ids and what one activity on each saw. */
static hf_status generated(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session one = hf_session_open(o);
    hf_session two = hf_session_open(o);
    HF_TRY(stage_tell(o, one, &lines));
    HF_TRY(stage_tell(o, two, &lines));
    return hf_complete(o, hf_format(o, "%s\n%s\n" HF_FMT, hf_session_id(o, one),
                                    hf_session_id(o, two), HF_ARG(lines)));
}

/* Opens the session that its input names; as above. */
static hf_status chosen(hf_orchestration *o, hf_slice id)
{
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, hf_format(o, HF_FMT, HF_ARG(id)).data);
    HF_TRY(stage_tell(o, session, &lines));
    return hf_complete(o, hf_format(o, "%s\n" HF_FMT, hf_session_id(o, session), HF_ARG(lines)));
}

static hf_status opened_twice(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    hf_session again = hf_session_open_id(o, "desk");
    if (strcmp(hf_session_id(o, session), hf_session_id(o, again)) != 0) {
        return hf_fail(o, "other", "the second open gave another id");
    }
    HF_TRY(stage_tell(o, again, &lines));
    return hf_complete(o, lines);
}

/* Shows "open", and "closed" once it has closed its session; both wait for the mailbox "go". */
static hf_status closes(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    hf_status_set(o, hf_text("open"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    hf_session_close(o, session);
    hf_status_set(o, hf_text("closed"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, lines);
}

static hf_status closed_twice(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    hf_session_close(o, session);
    hf_session_close(o, session);
    const hf_session none = { 0 };
    HF_TRY(stage_tell(o, none, &lines));
    return hf_complete(o, lines);
}

static hf_status closed_unopened(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session_close(o, hf_session_named(o, "desk"));
    const hf_session none = { 0 };
    HF_TRY(stage_tell(o, none, &lines));
    HF_TRY(stage_tell(o, hf_session_open_id(o, "desk"), &lines));
    return hf_complete(o, lines);
}

static hf_status reopened(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    hf_session_close(o, session);
    session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    return hf_complete(o, lines);
}

/* Three sessions; an activity on each before the mailbox "go", and one after it. */
static hf_status three(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    const hf_session sessions[] = { hf_session_open_id(o, "x"), hf_session_open_id(o, "y"),
                                    hf_session_open_id(o, "z") };
    for (int i = 0; i < 3; i++) HF_TRY(stage_tell(o, sessions[i], &lines));
    hf_status_set(o, hf_text("open"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    for (int i = 0; i < 3; i++) HF_TRY(stage_tell(o, sessions[i], &lines));
    return hf_complete(o, lines);
}

static hf_status noted(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session x = hf_session_open_id(o, "x");
    hf_session y = hf_session_open_id(o, "y");
    HF_TRY(stage_tell(o, y, &lines));
    hf_session_close(o, y);
    hf_session_close(o, x);
    return hf_complete(o, lines);
}

static const struct part parts[] = {
    { "generated", generated, NULL },
    { "chosen", chosen, NULL },
    { "opened_twice", opened_twice, NULL },
    { "closes", closes, NULL },
    { "closed_twice", closed_twice, NULL },
    { "closed_unopened", closed_unopened, NULL },
    { "reopened", reopened, NULL },
    { "three", three, NULL },
    { "noted", noted, NULL },
    { NULL, NULL, NULL },
};

/* ---- running one ---------------------------------------------------------------------------- */

enum { TOLD_MAX = 6 };

/* What an instance's activities told, and its history. */
struct run {
    struct told told[TOLD_MAX];
    size_t told_count;
    char history[HOUSE_TEXT_SIZE];
};

/* Runs the instance "i" to its end, with one worker. */
static void run_alone(struct crew *crew, const char *orchestration, struct run *out_run)
{
    crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "i", orchestration, "");
    out_run->told_count = house_told(&crew->house, "i", out_run->told, TOLD_MAX);
    house_history(&crew->house, "i", out_run->history, sizeof out_run->history);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, word)); at++) count++;
    return count;
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* A generated id is not empty, it is what an activity on the session sees, and the next is another.
 */
static void case_1_1_generated_ids_differ(void **state)
{
    struct crew *crew = *state;
    struct told told[TOLD_MAX];
    char output[HOUSE_TEXT_SIZE], one[64], two[64];
    int end = 0;
    crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "i", "generated", "");
    house_output(&crew->house, "i", output, sizeof output);
    assert_int_equal(sscanf(output, "%63s %63s\n%n", one, two, &end), 2);
    assert_string_not_equal(one, two);
    assert_int_equal(told_read_all(output + end, told, TOLD_MAX), 2);
    assert_string_equal(told[0].session, one);
    assert_string_equal(told[1].session, two);
}

/* A chosen id is the session's id, for the orchestration and for its activities. */
static void case_1_2_chosen_id_is_kept(void **state)
{
    struct crew *crew = *state;
    struct told told[TOLD_MAX];
    char output[HOUSE_TEXT_SIZE];
    crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "i", "chosen", "my-id");
    house_output(&crew->house, "i", output, sizeof output);
    assert_memory_equal(output, "my-id\n", 6);
    told_read(output + 6, &told[0]);
    assert_string_equal(told[0].session, "my-id");
}

/* Opening an open session changes nothing: one event, one incarnation, one claim, one memory. */
static void case_1_3_open_again_is_a_no_op(void **state)
{
    struct crew *crew = *state;
    struct run run;
    run_alone(crew, "opened_twice", &run);
    assert_int_equal(run.told_count, 2);
    assert_int_equal(run.told[1].incarnation, run.told[0].incarnation);
    assert_int_equal(run.told[1].epoch, run.told[0].epoch);
    assert_int_equal(run.told[1].met, 1);
    assert_int_equal(count_of(run.history, "session_opened"), 1);
}

/* The row goes with the commit of the turn that closes: whoever sees what that turn has set sees no
 * row. */
static void case_1_4_row_goes_with_the_close(void **state)
{
    struct crew *crew = *state;
    struct told told[TOLD_MAX];
    struct house_session row;
    crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "i", "closes", "");
    house_wait_status(&crew->house, "i", "open");
    assert_true(house_session(&crew->house, "i", "desk", &row));
    assert_string_equal(row.owner, "a");
    house_send(&crew->house, "i", "go", "");
    house_wait_status(&crew->house, "i", "closed");
    assert_int_equal(house_sessions_count(&crew->house, NULL), 0);
    house_send(&crew->house, "i", "go", "");
    assert_int_equal(house_told(&crew->house, "i", told, TOLD_MAX), 1);
}

/* Closing a closed session is recorded, as one that was not open, and the orchestration goes on. */
static void case_1_5_close_again_is_a_no_op(void **state)
{
    struct crew *crew = *state;
    struct run run;
    run_alone(crew, "closed_twice", &run);
    assert_int_equal(run.told_count, 2);
    assert_non_null(strstr(run.history, "session_closed desk #1\nsession_closed desk\n"));
}

/* Closing what was never opened does not keep that id from being opened and used. */
static void case_1_6_close_of_an_unopened_session_does_no_harm(void **state)
{
    struct crew *crew = *state;
    struct run run;
    run_alone(crew, "closed_unopened", &run);
    assert_int_equal(run.told_count, 2);
    assert_string_equal(run.told[1].session, "desk");
    assert_int_equal(run.told[1].incarnation, 1);
}

/* Opened, closed and opened again, an id accepts activities, in an incarnation of its own. */
static void case_1_7_reopened_session_accepts_activities(void **state)
{
    struct crew *crew = *state;
    struct run run;
    run_alone(crew, "reopened", &run);
    assert_int_equal(run.told_count, 2);
    assert_string_equal(run.told[1].session, "desk");
    assert_int_equal(run.told[1].incarnation, run.told[0].incarnation + 1);
    assert_int_equal(run.told[1].met, 0);
}

/* Three sessions are open at the same time, and each accepts activities before and after a wait. */
static void case_1_8_three_sessions_are_open_at_once(void **state)
{
    static const char *const ids[] = { "x", "y", "z", "x", "y", "z" };
    struct crew *crew = *state;
    struct told told[TOLD_MAX];
    crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "i", "three", "");
    house_wait_status(&crew->house, "i", "open");
    assert_int_equal(house_sessions_count(&crew->house, "i"), 3);
    house_send(&crew->house, "i", "go", "");
    assert_int_equal(house_told(&crew->house, "i", told, TOLD_MAX), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(told[i].session, ids[i]);
        assert_int_equal(told[i].met, i / 3);
    }
}

/* History names each session where it was opened and where it was closed. */
static void case_1_9_history_shows_opens_and_closes_in_order(void **state)
{
    struct crew *crew = *state;
    struct run run;
    run_alone(crew, "noted", &run);
    assert_string_equal(run.history, "started noted\n"
                                     "session_opened x #1\n"
                                     "session_opened y #2\n"
                                     "activity_scheduled y #2\n"
                                     "activity_completed of 4\n"
                                     "session_closed y #2\n"
                                     "session_closed x #1\n"
                                     "completed\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_1_1_generated_ids_differ, parts),
        CREW_TEST(case_1_2_chosen_id_is_kept, parts),
        CREW_TEST(case_1_3_open_again_is_a_no_op, parts),
        CREW_TEST(case_1_4_row_goes_with_the_close, parts),
        CREW_TEST(case_1_5_close_again_is_a_no_op, parts),
        CREW_TEST(case_1_6_close_of_an_unopened_session_does_no_harm, parts),
        CREW_TEST(case_1_7_reopened_session_accepts_activities, parts),
        CREW_TEST(case_1_8_three_sessions_are_open_at_once, parts),
        CREW_TEST(case_1_9_history_shows_opens_and_closes_in_order, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
