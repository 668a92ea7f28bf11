/* Section 15: what happens at the same moment, too late, very often, or with ids that are none. */
#include "tests/sessions/crew.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "engine/event.h"
#include "indexes/table.h"
#include "logstore/inspect.h"
#include "logstore/store_internal.h"
#include "runtime/runtime.h"

enum { LONG_LEASE_MS = 600000 };

/* Shows a status, and goes on when told. */
static hf_status pause_as(hf_orchestration *o, const char *status)
{
    hf_status_set(o, hf_text(status));
    return hf_dequeue(o, "go", NULL);
}

/* ---- at the same moment --------------------------------------------------------------------- */

/* One activity on a session, and an ordinary one beside it. */
static hf_status one_of_each(hf_orchestration *o, hf_slice input)
{
    hf_slice on_desk, ordinary;
    hf_future first = hf_schedule_on(o, hf_session_open_id(o, "desk"), "tell", input);
    hf_future second = hf_schedule(o, "tell", input);
    HF_TRY(hf_await(o, first, &on_desk));
    HF_TRY(hf_await(o, second, &ordinary));
    return hf_complete(o, hf_format(o, HF_FMT "\n" HF_FMT "\n", HF_ARG(on_desk), HF_ARG(ordinary)));
}

/* A worker process, and how much it did as far as it was heard. */
struct competitor {
    struct child *child;
    size_t activities_count, claims_count;
};

/* Hears it, until a line begins so; NULL: until its end. */
static void competitor_hear(struct competitor *self, const char *until)
{
    char line[STAGE_LINE_SIZE];
    while (child_line(self->child, line, sizeof line)) {
        self->activities_count += strncmp(line, "tell ", 5) == 0;
        self->claims_count += strncmp(line, "log session.claim ", 18) == 0;
        if (until && strncmp(line, until, strlen(until)) == 0) return;
    }
    if (until) fail_msg("a worker ended without \"%s\"", until);
}

static void competitor_end(struct crew *crew, struct competitor *self)
{
    assert_int_equal(kill(self->child->pid, SIGTERM), 0);
    competitor_hear(self, NULL);
    assert_int_equal(crew_end(crew, self->child, 0), 0);
}

/* Runs one instance, and hears of its two activities from those who ran them. */
static void compete(struct crew *crew, const char *instance, struct competitor *a,
                    struct competitor *b)
{
    struct told told[2];
    char line[STAGE_NAME_SIZE];
    house_start(&crew->house, instance, "one_of_each", "");
    assert_int_equal(house_told(&crew->house, instance, told, 2), 2);
    snprintf(line, sizeof line, "tell %s ", instance);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(told[i].attempt, 1);
        competitor_hear(strcmp(told[i].worker, "a") == 0 ? a : b, line);
    }
}

/* Two worker processes fetch at the same moment, rung by the commits of a third one: exactly one of
 * them gets each item and each session, until both have got some. */
static void case_15_1_one_of_two_gets_the_item_and_the_session(void **state)
{
    enum { ROUNDS_MIN = 20, ROUNDS_MAX = 2000 };
    struct crew *crew = *state;
    struct competitor a = { crew_spawn(crew, "a", CHILD_ACTIVITIES), 0, 0 };
    struct competitor b = { crew_spawn(crew, "b", CHILD_ACTIVITIES), 0, 0 };
    char id[32];
    size_t rounds = 0;
    while (rounds < ROUNDS_MIN || a.claims_count == 0 || b.claims_count == 0) {
        assert_true(rounds < ROUNDS_MAX);
        snprintf(id, sizeof id, "desk-%zu", rounds++);
        compete(crew, id, &a, &b);
    }
    competitor_end(crew, &a);
    competitor_end(crew, &b);
    assert_int_equal(a.activities_count + b.activities_count, 2 * rounds);
    assert_int_equal(a.claims_count + b.claims_count, rounds);
}

/* ---- too late ------------------------------------------------------------------------------- */

/* `stuck` runs on the session "desk" while that is closed. */
static hf_status closes_under_it(hf_orchestration *o, hf_slice input)
{
    hf_session desk = hf_session_open_id(o, "desk");
    hf_future stuck = hf_schedule_on(o, desk, "stuck", input);
    HF_TRY(pause_as(o, "open"));
    hf_session_close(o, desk);
    hf_status status = hf_await(o, stuck, NULL);
    HF_TRY(pause_as(o, "closed"));
    return hf_complete(o, hf_text(hf_status_name(status)));
}

/* The token of the one activity that runs here. */
static struct hf_item_token running_token(hf_runtime *runtime)
{
    struct hf_item_token token = { 0 };
    size_t running_count = 0;
    uv_mutex_lock(&runtime->mutex);
    for (size_t i = 0; i < runtime->activities.slots_count; i++) {
        const struct hf_activity *activity = &runtime->activities.slots[i];
        if (activity->state != HF__ACTIVITY_RUNNING) continue;
        token = activity->token;
        running_count++;
    }
    uv_mutex_unlock(&runtime->mutex);
    assert_int_equal(running_count, 1);
    return token;
}

/* The session of an activity that runs was closed by a committed turn. */
struct late {
    struct crew *crew;
    hf_runtime *runtime;
    uint64_t registration;
    struct hf_item_token token;
    struct hf__submission submission; /* presents the token */
};

static void late_begin(struct late *self, struct crew *crew)
{
    self->crew = crew;
    self->runtime = crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "closes_under_it", "gate");
    stage_wait(&crew->house.stage, "held desk a 1", 1);
    self->token = running_token(self->runtime);
    self->registration = self->runtime->registration;
    house_wait_status(&crew->house, "desk", "open");
    house_send(&crew->house, "desk", "go", "");
    house_wait_status(&crew->house, "desk", "closed");
    hf__submission_init(&self->submission, hf_heap_default(), HF_STORE_RENEW);
}

/* Lets the activity return: nothing comes of it. */
static void late_end(struct late *self)
{
    struct house *house = &self->crew->house;
    stage_open(&house->stage, "gate");
    house_send(house, "desk", "go", "");
    house_expect(house, "desk", "HF_SESSION_CLOSED");
    hf__submission_release(&self->submission);
    house_rest(self->runtime);
    assert_true(house_metric(self->runtime, "activities_completed") == 0);
    assert_true(house_metric(self->runtime, "activities_abandoned") == 0);
}

/* A turn closes a session while an activity runs on it: once it has committed, renewal and
 * abandonment of that delivery are refused because the session is closed. */
static void case_15_2_renewal_and_abandon_are_refused_after_the_close(void **state)
{
    struct late late;
    hf_error error = { 0 };
    late_begin(&late, *state);
    struct hf_store_command *command = &late.submission.command;
    command->renew = (struct hf_store_renew){ .registration = late.registration,
                                              .items_deadline_boot_ms = UINT32_MAX,
                                              .sessions_deadline_boot_ms = UINT32_MAX,
                                              .items = &late.token,
                                              .items_count = 1 };
    assert_ok(hf__store_call(late.crew->house.store, &late.submission, &error), &error);
    assert_int_equal(command->renew.out_voids_count, 1);
    assert_false(command->renew.out_voids[0].is_session);
    assert_string_equal(command->renew.out_voids[0].code, "session_closed");

    hf__submission_reset(&late.submission, HF_STORE_ABANDON_ITEM);
    command->abandon_item = (struct hf_store_abandon_item){ .token = late.token,
                                                            .registration = late.registration,
                                                            .reason = HF_REASON_ABANDONED };
    assert_status(hf__store_call(late.crew->house.store, &late.submission, &error), HF_STALE);
    assert_string_equal(error.code, "session_closed");
    late_end(&late);
}

/* How many messages wait for the instance; an open turn takes none of them. */
static size_t inbox_count(struct house *house, const char *instance)
{
    struct hf_backend *backend = house->store->backend;
    struct hf_arena arena;
    struct hf_instance_info info;
    struct hf_turn_view view;
    hf_error error = { 0 };
    hf_arena_init(&arena, hf_heap_default());
    assert_ok(backend->ops->instance(backend, hf_text(instance), &arena, &info, &error), &error);
    const struct hf_item_id first = { info.number, info.execution, 1 };
    assert_ok(backend->ops->turn_view(backend, &first, &arena, &view, &error), &error);
    hf_arena_release(&arena);
    return view.messages_count;
}

/* An activity acknowledges after its session was closed: refused because it is closed, and nothing
 * reaches the inbox or history. */
static void case_15_4_ack_after_the_close_is_refused(void **state)
{
    struct late late;
    char before[HOUSE_TEXT_SIZE], after[HOUSE_TEXT_SIZE];
    hf_error error = { 0 };
    late_begin(&late, *state);
    house_history(&late.crew->house, "desk", before, sizeof before);
    hf__submission_reset(&late.submission, HF_STORE_COMPLETE_ITEM);
    late.submission.command.complete_item = (struct hf_store_complete_item){
        .token = late.token,
        .registration = late.registration,
        .body = hf_body_activity_outcome(late.token.item.event_id, hf_text("too late"), NULL,
                                         &late.submission.arena)
    };
    assert_status(hf__store_call(late.crew->house.store, &late.submission, &error), HF_STALE);
    assert_string_equal(error.code, "session_closed");
    assert_int_equal(inbox_count(&late.crew->house, "desk"), 0);
    house_history(&late.crew->house, "desk", after, sizeof after);
    assert_string_equal(after, before);
    assert_null(strstr(after, "activity_completed"));
    late_end(&late);
}

/* ---- in one turn ---------------------------------------------------------------------------- */

static hf_status reopens(hf_orchestration *o, hf_slice input)
{
    hf_session x = hf_session_open_id(o, "x");
    hf_schedule_on(o, x, "hold", input);
    hf_schedule_on(o, x, "hold", input);
    HF_TRY(pause_as(o, "open"));
    hf_session_close(o, x);
    hf_session_open_id(o, "x");
    HF_TRY(pause_as(o, "open again"));
    return hf_complete(o, input);
}

/* Close X and open X in one turn, and nothing scheduled: X is open in a new incarnation, nobody's,
 * and without the work of before, running or queued. */
static void case_15_3_reopened_session_is_new_and_empty(void **state)
{
    struct crew *crew = *state;
    struct house_session before, after;
    hf_runtime *a = crew_hire(crew, "a", 1, 0);
    house_start(&crew->house, "desk", "reopens", "gate");
    stage_wait(&crew->house.stage, "held desk a 1", 1);
    house_wait_status(&crew->house, "desk", "open");
    assert_true(house_session(&crew->house, "desk", "x", &before));
    assert_int_equal(before.incarnation, 1);
    assert_int_equal(before.running_count, 1);
    assert_int_equal(before.queued_count, 1);
    house_send(&crew->house, "desk", "go", "");
    house_wait_status(&crew->house, "desk", "open again");
    assert_true(house_session(&crew->house, "desk", "x", &after));
    assert_int_equal(after.incarnation, 2);
    assert_string_equal(after.owner, "");
    assert_int_equal(after.running_count, 0);
    assert_int_equal(after.queued_count, 0);
    assert_int_equal(house_sessions_count(&crew->house, NULL), 1);
    stage_wait(&crew->house.stage, "told desk a", 1);
    house_send(&crew->house, "desk", "go", "");
    house_expect(&crew->house, "desk", "gate");
    house_rest(a);
    assert_int_equal(stage_count(&crew->house.stage, "held"), 1);
}

static hf_status continues_over_it(hf_orchestration *o, hf_slice input)
{
    if (hf_slice_equal(input, hf_text("second"))) {
        hf_slice report;
        HF_TRY(hf_call_on(o, hf_session_named(o, "desk"), "tell", input, &report));
        return hf_complete(o, report);
    }
    hf_session desk = hf_session_open_id(o, "desk");
    HF_TRY(hf_call_on(o, desk, "tell", input, NULL));
    hf_schedule_on(o, desk, "hold", hf_text("never"));
    HF_TRY(pause_as(o, "first"));
    return hf_continue_as_new(o, hf_text("second"));
}

/* Continue-as-new while an activity runs on a session: the activity is cancelled, and the session
 * lives on in the same claim, with its memory. */
static void case_15_5_continue_cancels_the_activity_and_keeps_the_session(void **state)
{
    struct crew *crew = *state;
    struct house_session row;
    struct told told;
    crew_hire(crew, "a", 2, 0);
    crew_hire(crew, "b", 2, 0);
    house_start(&crew->house, "desk", "continues_over_it", "");
    stage_wait(&crew->house.stage, "held desk", 1);
    house_wait_status(&crew->house, "desk", "first");
    assert_true(house_session(&crew->house, "desk", "desk", &row));
    house_send(&crew->house, "desk", "go", "");
    stage_wait(&crew->house.stage, "told desk", 1);
    assert_int_equal(house_told(&crew->house, "desk", &told, 1), 1);
    assert_string_equal(told.worker, row.owner);
    assert_int_equal(told.epoch, row.epoch);
    assert_int_equal(told.met, 1);
    assert_int_equal(stage_count(&crew->house.stage, "held desk"), 1);
}

/* ---- idle time ------------------------------------------------------------------------------ */

enum { IDLE_MS = 1000 };

/* When things happened, by the records of the log. */
struct times {
    uint64_t completed_unix_ms; /* the latest */
    uint64_t released_unix_ms;
    size_t releases_count;
};

static hf_status times_visit(void *self, const struct hf_log_visit *visit)
{
    struct times *times = self;
    if (visit->damage) return HF_CORRUPT;
    if (visit->record.kind == HF_RECORD_COMPLETED) {
        times->completed_unix_ms = visit->record.wall_unix_ms;
    }
    if (visit->record.kind == HF_RECORD_SESSIONS_RELEASED) {
        times->released_unix_ms = visit->record.wall_unix_ms;
        times->releases_count++;
    }
    return HF_OK;
}

/* No idle time passes while an activity of the session runs: with 1 s of idle time, and 3 s that
 * pass during an activity, the release comes 1 s after the activity's end. */
static void case_15_6_idle_time_counts_from_the_end_of_an_activity(void **state)
{
    enum { RUNS_MS = 3000, READING_MS = 10 /* two clocks are read, one behind the other */ };
    struct crew *crew = *state;
    struct times times = { 0 };
    hf_error error = { 0 };
    crew_hire_with(crew, HF_WITH(hf_runtime_options, .worker_id = "a",
                                 .orchestration_threads = UINT32_MAX, .activity_threads = 1,
                                 .item_lock_ms = LONG_LEASE_MS, .session_lock_ms = LONG_LEASE_MS,
                                 .session_idle_ms = IDLE_MS));
    house_start(&crew->house, "desk", "hold", "gate");
    stage_wait(&crew->house.stage, "held desk a 1 gate", 1);
    house_move_clocks(&crew->house, RUNS_MS, RUNS_MS);
    stage_open(&crew->house.stage, "gate");
    house_wait_owner(&crew->house, "desk", "desk", "");
    assert_ok(hf_log_scan(crew->house.store->backend, 0, &error, &times, times_visit), &error);
    assert_int_equal(times.releases_count, 1);
    assert_true(times.released_unix_ms + READING_MS >= times.completed_unix_ms + IDLE_MS);
    house_send(&crew->house, "desk", "close", "");
    house_expect(&crew->house, "desk", "HF_OK");
}

/* ---- very often ----------------------------------------------------------------------------- */

enum { OFTEN = 100 };

static hf_status opens_often(hf_orchestration *o, hf_slice input)
{
    for (int i = 0; i < OFTEN; i++) {
        hf_session x = hf_session_open_id(o, "x");
        HF_TRY(hf_call_on(o, x, "where", input, NULL));
        hf_schedule_on(o, x, "hold", hf_text("never")); /* running or queued when it closes */
        hf_session_close(o, x);
    }
    HF_TRY(pause_as(o, "closed"));
    return hf_complete(o, input);
}

/* Asserts that the store has no row about sessions, their work, or work at all. */
static void assert_no_rows(struct house *house)
{
    static const enum hf_table tables[] = { HF_TABLE_SESSIONS,       HF_TABLE_SESSION_ITEMS,
                                            HF_TABLE_SESSIONS_READY, HF_TABLE_SESSIONS_OWNED,
                                            HF_TABLE_ITEMS,          HF_TABLE_ITEMS_READY,
                                            HF_TABLE_ITEMS_RUNNING,  HF_TABLE_RECLAIM };
    struct hf_arena arena;
    struct hf__reader reader;
    hf_error error = { 0 };
    hf_arena_init(&arena, hf_heap_default());
    assert_ok(hf__reader_begin(hf__store_of(house->store->backend), &arena, &reader, &error),
              &error);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        uint64_t count = 0;
        assert_ok(hf_table_count(&reader.tables, tables[i], &count, &error), &error);
        if (count > 0) fail_msg("%s has %d rows", hf_table_name(tables[i]), (int)count);
    }
    hf__reader_end(&reader);
    hf_arena_release(&arena);
}

static bool has_no_claims(void *context)
{
    hf_runtime *runtime = context;
    uv_mutex_lock(&runtime->mutex);
    const struct hf__claims *claims = &runtime->claims;
    size_t count = claims->owned_count + claims->forgotten_count + claims->dying_count;
    uv_mutex_unlock(&runtime->mutex);
    return count == 0;
}

/* A hundred times open and close in one instance, which then still runs: no row is left in the
 * store, and no claim or memory of a session in the worker. */
static void case_15_7_hundred_openings_leave_nothing_behind(void **state)
{
    struct crew *crew = *state;
    hf_runtime *a = crew_hire(crew, "a", 2, 0);
    house_start(&crew->house, "desk", "opens_often", "done");
    house_wait_status(&crew->house, "desk", "closed");
    assert_int_equal(stage_count(&crew->house.stage, "where desk a cold first 1"), OFTEN);
    assert_int_equal(house_sessions_count(&crew->house, NULL), 0);
    assert_no_rows(&crew->house);
    assert_true(hf_test_wait(STAGE_LIMIT_MS, a, has_no_claims));
    assert_int_equal(stage_memories(&crew->house.stage), 0);
    house_wait_metric(a, "sessions_owned", 0);
    assert_true(house_metric(a, "sessions_claimed") == OFTEN);
    house_send(&crew->house, "desk", "go", "");
    house_expect(&crew->house, "desk", "done");
}

/* ---- a turn that another runtime took ------------------------------------------------------- */

/* Hangs in its second turn, the first time that it is there, as code does whose worker stands
 * still.
 */
static hf_status hangs(hf_orchestration *o, hf_slice input)
{
    struct stage *stage = (struct stage *)(uintptr_t)hf_orchestration_user(o);
    if (hf_slice_equal(input, hf_text("second"))) {
        hf_slice on_x, on_y;
        HF_TRY(pause_as(o, "second"));
        HF_TRY(hf_call_on(o, hf_session_named(o, "x"), "tell", input, &on_x));
        HF_TRY(hf_call_on(o, hf_session_named(o, "y"), "tell", input, &on_y));
        return hf_complete(o, hf_format(o, HF_FMT "\n" HF_FMT "\n", HF_ARG(on_x), HF_ARG(on_y)));
    }
    hf_session x = hf_session_open_id(o, "x");
    hf_session gone = hf_session_open_id(o, "gone");
    HF_TRY(hf_call_on(o, x, "tell", input, NULL));
    HF_TRY(pause_as(o, "first"));
    hf_session_close(o, gone);
    hf_session_open_id(o, "y");
    if (stage_count(stage, "hangs") == 0) {
        stage_say(stage, "hangs");
        stage_wait_open(stage, hf_text("hang"));
    }
    return hf_continue_as_new(o, hf_text("second"));
}

/* Asserts that the present execution was begun with x of incarnation 1 and y of incarnation 3. */
static void assert_carried(struct house *house)
{
    struct house_session row;
    assert_int_equal(house_sessions_count(house, "desk"), 2);
    assert_true(house_session(house, "desk", "x", &row));
    assert_int_equal(row.incarnation, 1);
    assert_true(house_session(house, "desk", "y", &row));
    assert_int_equal(row.incarnation, 3);
}

/* A worker that runs orchestrations, of several instances at once, and activities. */
static hf_runtime *hire_for_all(struct crew *crew, const char *worker_id, uint64_t lease_ms)
{
    return crew_hire_with(crew, HF_WITH(hf_runtime_options, .worker_id = worker_id,
                                        .orchestration_threads = 2, .activity_threads = 1,
                                        .item_lock_ms = lease_ms, .session_lock_ms = lease_ms,
                                        .on_session = crew_stall, .user = &crew->house.stage));
}

/* A runtime hangs in a turn until its lease has passed, and another one takes the turn: it rebuilds
 * the open set from history, and carries on what is open then. What the first one decided comes too
 * late, and is refused. */
static void case_15_10_taken_turn_rebuilds_the_open_set(void **state)
{
    struct crew *crew = *state;
    enum { LEASE_MS = 1000 };
    struct told told[2];
    char before[HOUSE_TEXT_SIZE], after[HOUSE_TEXT_SIZE];
    crew_dismiss_orchestrator(crew);
    hf_runtime *a = hire_for_all(crew, "a", LEASE_MS);
    house_start(&crew->house, "desk", "hangs", "");
    house_wait_status(&crew->house, "desk", "first");
    house_send(&crew->house, "desk", "go", "");
    stage_wait(&crew->house.stage, "hangs", 1);

    crew_start_stalling(crew);
    hf_runtime *b = hire_for_all(crew, "b", LONG_LEASE_MS);
    house_wait_status(&crew->house, "desk", "second");
    assert_carried(&crew->house);
    assert_true(house_metric(b, "turns_replayed") >= 1);
    house_history(&crew->house, "desk", before, sizeof before);

    stage_open(&crew->house.stage, "hang");
    house_wait_metric(a, "turns_running", 0);
    stage_open(&crew->house.stage, "stall");
    assert_true(house_metric(a, "turns_stale") >= 1);
    assert_carried(&crew->house);
    house_history(&crew->house, "desk", after, sizeof after);
    assert_string_equal(after, before);
    house_send(&crew->house, "desk", "go", "");
    assert_int_equal(house_told(&crew->house, "desk", told, 2), 2);
    assert_int_equal(told[0].incarnation, 1);
    assert_int_equal(told[1].incarnation, 3);
    assert_int_equal(house_sessions_count(&crew->house, "desk"), 0);
    assert_int_equal(stage_count(&crew->house.stage, "log instance."), 0);
}

/* ---- ids that are none ---------------------------------------------------------------------- */

static hf_status opens_empty(hf_orchestration *o, hf_slice input)
{
    hf_session_open_id(o, "");
    return hf_complete(o, input);
}

static hf_status opens_long(hf_orchestration *o, hf_slice input)
{
    enum { LONG_SIZE = 1000 };
    char *id = hf_alloc(o, LONG_SIZE + 1);
    memset(id, 'x', LONG_SIZE);
    hf_session_open_id(o, id);
    return hf_complete(o, input);
}

/* Runs an orchestration that opens such an id, and asserts that its error says so. */
static void check_bad_id(struct crew *crew, const char *orchestration, const char *part)
{
    hf_error error = { 0 };
    house_start(&crew->house, "desk", orchestration, "");
    house_failure(&crew->house, "desk", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "bad_id");
    if (!strstr(error.message, part)) fail_msg("\"%s\" has no \"%s\"", error.message, part);
}

/* Opening an empty session id fails the orchestration; the error says that it is empty. */
static void case_15_11_empty_id_fails_the_orchestration(void **state)
{
    check_bad_id(*state, "opens_empty", "session id is empty");
}

/* Opening a session id of 1,000 bytes fails the orchestration; the error gives the limit. */
static void case_15_12_long_id_fails_the_orchestration(void **state)
{
    check_bad_id(*state, "opens_long", "255 bytes");
}

static const struct part parts[] = {
    { "one_of_each", one_of_each, NULL },
    { "closes_under_it", closes_under_it, NULL },
    { "reopens", reopens, NULL },
    { "continues_over_it", continues_over_it, NULL },
    { "opens_often", opens_often, NULL },
    { "hangs", hangs, NULL },
    { "opens_empty", opens_empty, NULL },
    { "opens_long", opens_long, NULL },
    { NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CREW_TEST(case_15_1_one_of_two_gets_the_item_and_the_session, parts),
        CREW_TEST(case_15_2_renewal_and_abandon_are_refused_after_the_close, parts),
        CREW_TEST(case_15_3_reopened_session_is_new_and_empty, parts),
        CREW_TEST(case_15_4_ack_after_the_close_is_refused, parts),
        CREW_TEST(case_15_5_continue_cancels_the_activity_and_keeps_the_session, parts),
        CREW_TEST(case_15_6_idle_time_counts_from_the_end_of_an_activity, parts),
        CREW_TEST(case_15_7_hundred_openings_leave_nothing_behind, parts),
        CREW_TEST(case_15_10_taken_turn_rebuilds_the_open_set, parts),
        CREW_TEST(case_15_11_empty_id_fails_the_orchestration, parts),
        CREW_TEST(case_15_12_long_id_fails_the_orchestration, parts),
    };
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
