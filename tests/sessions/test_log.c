/* Section 17: what the log says about sessions, as an observer of the store is told. */
#include "tests/sessions/crew.h"

#include <string.h>

static const char *word_of(const char *word)
{
    return word ? word : "-";
}

/* Says "<level> <event> <instance> <session> <worker>: <message>". */
static void observe(void *self, const hf_log_line *line)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };
    stage_sayf(self, "%s %s %s %s %s: %s", levels[line->level], line->event,
               word_of(line->instance), word_of(line->session), word_of(line->worker),
               line->message);
}

static hf_status opens_and_closes(hf_orchestration *o, hf_slice input)
{
    hf_session desk = hf_session_open_id(o, "desk");
    hf_status_set(o, hf_text("open"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    hf_session_close(o, desk);
    hf_status_set(o, hf_text("closed"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, input);
}

static const struct part parts[] = {
    { "opens_and_closes", opens_and_closes, NULL },
    { NULL, NULL, NULL },
};

/* From now on the log comes in the words of `observe`. */
static void crew_observe(struct crew *crew)
{
    struct house *house = &crew->house;
    hf_error error = { 0 };
    crew_dismiss_orchestrator(crew);
    hf_store_close(house->store);
    house->store = NULL;
    house->observer.log = observe;
    assert_ok(hf_store_open(house->directory.path,
                            HF_WITH(hf_store_options, .observer = &house->observer,
                                    .clock = &house->clock.clock),
                            &house->store, &error),
              &error);
    crew->orchestrator = house_orchestrator(house);
}

/* Runs an instance that opens a session, and closes it in a later turn. */
static void run_opens_and_closes(struct crew *crew)
{
    struct house *house = &crew->house;
    crew_observe(crew);
    house_start(house, "talk-1", "opens_and_closes", "");
    house_wait_status(house, "talk-1", "open");
    stage_wait(&house->stage, "info session.open ", 1);
    assert_int_equal(stage_count(&house->stage, "info session.close"), 0);
    house_send(house, "talk-1", "go", "");
    house_wait_status(house, "talk-1", "closed");
    house_send(house, "talk-1", "go", "");
    house_expect(house, "talk-1", "");
    house_rest(crew->orchestrator);
}

/* Opening a session is logged with instance and session, once: not again when code is replayed. */
static void case_17_1_open_is_logged(void **state)
{
    struct crew *crew = *state;
    run_opens_and_closes(crew);
    assert_int_equal(stage_count(&crew->house.stage, "info session.open talk-1 desk "), 1);
    assert_int_equal(stage_count(&crew->house.stage, "info session.open"), 1);
}

/* Closing one is logged with instance and session, once. */
static void case_17_2_close_is_logged(void **state)
{
    struct crew *crew = *state;
    run_opens_and_closes(crew);
    assert_int_equal(stage_count(&crew->house.stage, "info session.close talk-1 desk "), 1);
    assert_int_equal(stage_count(&crew->house.stage, "info session.close"), 1);
}

/* A claim is logged with session and worker, once: later activities in it are no claims, and where
 * nobody had the session before, it is no takeover. */
static void case_17_3_claim_is_logged(void **state)
{
    struct crew *crew = *state;
    struct told told[2];
    crew_observe(crew);
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    crew_start_waiting(crew, "talk-1");
    stage_wait(&crew->house.stage, "info session.claim talk-1 desk a: ", 1);
    house_send(&crew->house, "talk-1", "go", "");
    assert_int_equal(house_told(&crew->house, "talk-1", told, 2), 2);
    house_rest(a);
    assert_int_equal(stage_count(&crew->house.stage, "info session.claim"), 1);
    assert_int_equal(stage_count(&crew->house.stage, "info session.takeover"), 0);
}

/* The session "desk" goes from "a", which hangs until its lease has passed, to "b", while an
 * activity runs on it; then a goes on. */
static void take_over(struct crew *crew)
{
    enum { LEASE_MS = 1000 };
    crew_observe(crew);
    crew_hire_with(crew, HF_WITH(hf_runtime_options, .worker_id = "a",
                                 .orchestration_threads = UINT32_MAX, .activity_threads = 2,
                                 .item_lock_ms = LEASE_MS, .session_lock_ms = LEASE_MS,
                                 .on_session = crew_stall, .user = &crew->house.stage));
    house_start(&crew->house, "talk-1", "hold", "gate");
    stage_wait(&crew->house.stage, "held talk-1 a 1", 1);
    crew_start_stalling(crew);
    crew_hire(crew, "b", 1, 0);
    stage_wait(&crew->house.stage, "held talk-1 b 2", 1);
    stage_open(&crew->house.stage, "stall");
    stage_wait(&crew->house.stage, "told talk-1 a", 1);
}

/* A change of owner is logged with both workers. */
static void case_17_4_change_of_owner_is_logged_with_both(void **state)
{
    struct crew *crew = *state;
    char line[STAGE_LINE_SIZE];
    take_over(crew);
    stage_line(&crew->house.stage, "info session.takeover talk-1 desk b: ", 1, line, sizeof line);
    assert_non_null(strstr(line, ": b has taken it over from a "));
    assert_int_equal(stage_count(&crew->house.stage, "info session.takeover"), 1);
}

/* A session that its holder finds lost to another worker is logged as a warning with the session;
 * one that is found closed is not. */
static void case_17_5_lost_session_is_a_warning_and_a_closed_one_is_none(void **state)
{
    struct crew *crew = *state;
    struct stage *stage = &crew->house.stage;
    take_over(crew);
    stage_wait(stage, "warn session.lost talk-1 desk a: ", 1);
    house_send(&crew->house, "talk-1", "close", "");
    house_expect(&crew->house, "talk-1", "HF_SESSION_CLOSED");
    stage_wait(stage, "told talk-1 b", 1);
    stage_wait(stage, "info session.release talk-1 desk b: ", 1);
    assert_int_equal(stage_count(stage, "warn session."), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_17_1_open_is_logged, parts),
        CREW_TEST(case_17_2_close_is_logged, parts),
        CREW_TEST(case_17_3_claim_is_logged, parts),
        CREW_TEST(case_17_4_change_of_owner_is_logged_with_both, parts),
        CREW_TEST(case_17_5_lost_session_is_a_warning_and_a_closed_one_is_none, parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
