/* Turns against a puppet store: when an execution is resumed, replayed or dropped, and what becomes
 * of turns that cannot be run or committed; then the table of live executions and the back-off. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/puppet.h"

/* What orchestrations share with their test: how often their code began, and was evicted. */
struct counts {
    atomic_int begun, left;
};

struct fixture {
    struct puppet puppet;
    struct counts counts;
};

static void code_left(void *argument)
{
    struct counts *counts = argument;
    atomic_fetch_add(&counts->left, 1);
}

/* Calls one activity and ends with its result. */
static hf_status call_once(hf_orchestration *o, hf_slice input)
{
    struct counts *counts = (struct counts *)(uintptr_t)hf_orchestration_user(o);
    hf_slice result;
    atomic_fetch_add(&counts->begun, 1);
    hf_defer(o, code_left, counts);
    HF_TRY(hf_call(o, "work", input, &result));
    return hf_complete(o, result);
}

/* Decides otherwise each time that its code begins: what no orchestration may do. */
static hf_status fickle(hf_orchestration *o, hf_slice input)
{
    struct counts *counts = (struct counts *)(uintptr_t)hf_orchestration_user(o);
    int begun = atomic_fetch_add(&counts->begun, 1);
    hf_slice result;
    HF_TRY(hf_call(o, "work", input, &result));
    return hf_complete(o, hf_format(o, "%d", begun));
}

enum { MEETING_SIZE = 3 };

static bool all_have_begun(void *context)
{
    struct counts *counts = context;
    return atomic_load(&counts->begun) >= MEETING_SIZE;
}

/* Goes on when so many instances run at the same time. */
static hf_status meets(hf_orchestration *o, hf_slice input)
{
    struct counts *counts = (struct counts *)(uintptr_t)hf_orchestration_user(o);
    atomic_fetch_add(&counts->begun, 1);
    if (!hf_test_wait(PUPPET_LIMIT_MS / 2, counts, all_have_begun)) {
        return hf_fail(o, "alone", "nobody else came");
    }
    return hf_complete(o, input);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    puppet_open(&fixture->puppet);
    const hf_orchestration_settings *settings = HF_WITH(hf_orchestration_settings,
                                                        .user = &fixture->counts);
    hf_register_orchestration(fixture->puppet.registry, "once", call_once, settings);
    hf_register_orchestration(fixture->puppet.registry, "fickle", fickle, settings);
    hf_register_orchestration(fixture->puppet.registry, "meets", meets, settings);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    puppet_close(&fixture->puppet);
    free(fixture);
    return 0;
}

static hf_runtime *worker(struct puppet *puppet, bool check_replay)
{
    return puppet_worker(puppet, HF_WITH(hf_runtime_options, .activity_threads = UINT32_MAX,
                                         .check_replay = check_replay));
}

/* Gives a first turn and waits for its commit; returns the head at which the instance stands. */
static uint64_t first_turn(struct puppet *puppet, const char *orchestration)
{
    puppet_set_view(puppet, orchestration, NULL, false);
    puppet_give_turn(puppet, 1, 10, orchestration);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMMIT_TURN, 1);
    assert_int_equal(note.outcome, HF_OUTCOME_RUNNING);
    assert_int_equal(note.events_count, 1);
    puppet_set_view(puppet, orchestration, "work", true);
    return puppet->lsn;
}

/* ---- resumed, replayed, dropped ------------------------------------------------------------- */

/* A turn at the head where the live execution stands goes on from there: the code began once. */
static void test_turn_at_its_head_resumes_the_live_execution(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet, false);
    uint64_t head = first_turn(puppet, "once");
    puppet_give_turn(puppet, 1, head, "once");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMMIT_TURN, 2);
    assert_int_equal(note.outcome, HF_OUTCOME_COMPLETED);
    assert_int_equal(note.messages_count, 1);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    assert_true(puppet_metric(runtime, "instances_evicted") == 0); /* it has ended: none is kept */
    hf_runtime_free(runtime);
    assert_int_equal(atomic_load(&fixture->counts.begun), 1);
    assert_int_equal(atomic_load(&fixture->counts.left), 1);
}

/* At another head somebody else has moved the instance: the live one is dropped, history replayed.
 */
static void test_turn_at_another_head_replays(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet, false);
    uint64_t head = first_turn(puppet, "once");
    puppet_give_turn(puppet, 1, head + 1000, "once");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMMIT_TURN, 2);
    assert_int_equal(note.outcome, HF_OUTCOME_COMPLETED);
    hf_runtime_free(runtime);
    assert_int_equal(atomic_load(&fixture->counts.begun), 2);
    assert_int_equal(atomic_load(&fixture->counts.left), 2);
}

/* A fenced commit is dropped without a word, and the execution, which ran ahead, with it. */
static void trap_b17_stale_commit_drops_the_execution(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet, false);
    puppet_refuse(puppet, HF_STORE_COMMIT_TURN, 1, HF_STALE);
    uint64_t head = first_turn(puppet, "once");
    puppet_give_turn(puppet, 1, head, "once");
    puppet_wait(puppet, HF_STORE_COMMIT_TURN, 2);
    hf_runtime_free(runtime);
    assert_int_equal(atomic_load(&fixture->counts.begun), 2);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_TURN), 0);
    assert_int_equal(puppet_count_logs(puppet, "instance.turn_failed"), 0);
}

/* A commit that a full disk refused: the turn is handed back, uncounted, and tried again. */
static void row_4b_2_refused_commit_is_handed_back_uncounted(void **state)
{
    static const hf_status refusals[] = { HF_DISK_FULL, HF_UNKNOWN, HF_IO, HF_BUSY };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet, false);
    puppet_set_view(puppet, "once", NULL, false);
    for (size_t i = 0; i < HF_COUNT_OF(refusals); i++) {
        puppet_refuse(puppet, HF_STORE_COMMIT_TURN, 1, refusals[i]);
        puppet_give_turn(puppet, 1, 10, "once");
        struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_TURN, i + 1);
        assert_false(note.is_counted);
        assert_int_equal(note.delay_ms, 1000 << i);
    }
    puppet_wait_log(puppet, "instance.turn_failed");
    hf_runtime_free(runtime);
    assert_int_equal(atomic_load(&fixture->counts.left), HF_COUNT_OF(refusals));
}

/* Attempts up to the limit run; the turn beyond it fails its instance, without running. */
static void row_4a_9_turn_beyond_the_last_attempt_fails(void **state)
{
    enum { ATTEMPTS_MAX = 2 };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    puppet_set_view(puppet, "once", NULL, false);
    hf_runtime *runtime = puppet_worker(
        puppet,
        HF_WITH(hf_runtime_options, .activity_threads = UINT32_MAX, .attempts_max = ATTEMPTS_MAX));
    puppet->turn_attempt = ATTEMPTS_MAX;
    puppet_give_turn(puppet, 1, 10, "once");
    puppet_wait(puppet, HF_STORE_COMMIT_TURN, 1);
    puppet->turn_attempt = ATTEMPTS_MAX + 1;
    puppet_give_turn(puppet, 2, 10, "once");
    assert_int_equal(puppet_wait(puppet, HF_STORE_FAIL_TURN, 1).instance, 2);
    hf_runtime_free(runtime);
    assert_int_equal(atomic_load(&fixture->counts.begun), 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMMIT_TURN), 1);
}

/* Trouble with reading or committing never fails an instance, however long it lasts. */
static void trap_b16_storage_trouble_fails_no_instance(void **state)
{
    enum { TROUBLES = 6 };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .activity_threads = UINT32_MAX, .attempts_max = 2));
    puppet_set_view(puppet, "once", NULL, false);
    for (size_t i = 0; i < TROUBLES; i++) {
        pthread_mutex_lock(&puppet->mutex);
        puppet->view_status = i % 2 == 0 ? HF_IO : HF_OK;
        pthread_mutex_unlock(&puppet->mutex);
        puppet_refuse(puppet, HF_STORE_COMMIT_TURN, 1, HF_DISK_FULL);
        puppet_give_turn(puppet, 1, 10, "once");
        assert_false(puppet_wait(puppet, HF_STORE_ABANDON_TURN, i + 1).is_counted);
    }
    puppet_refuse(puppet, HF_STORE_COMMIT_TURN, 0, HF_OK);
    puppet_give_turn(puppet, 1, 10, "once");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMMIT_TURN, TROUBLES / 2 + 1);
    assert_int_equal(note.outcome, HF_OUTCOME_RUNNING);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_FAIL_TURN), 0);
}

/* Handing back is tried again until it is answered, else the turn would be ours for ever; with
 * pauses that grow: of 1, 2 and 4 ticks. */
static void trap_b14_refused_abandonment_is_tried_again(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, false);
    puppet_refuse(puppet, HF_STORE_ABANDON_TURN, 3, HF_DISK_FULL);
    puppet_set_view(puppet, "nobody", NULL, false);
    puppet_give_turn(puppet, 1, 10, "nobody");
    struct puppet_note first = puppet_wait(puppet, HF_STORE_ABANDON_TURN, 1);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_TURN, 4);
    assert_true(note.probes_count >= first.probes_count + 6);
    assert_int_equal(note.status, HF_OK);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_TURN), 4);
}

/* ---- turns that cannot be run --------------------------------------------------------------- */

/* An orchestration that is not registered: handed back with growing delays, counted, and logged. */
static void test_unregistered_orchestration_is_handed_back(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, false);
    puppet_set_view(puppet, "nobody", NULL, false);
    for (uint64_t i = 0; i < 8; i++) {
        puppet_give_turn(puppet, 1, 10, "nobody");
        struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_TURN, i + 1);
        assert_true(note.is_counted);
        assert_int_equal(note.reason, HF_REASON_UNREGISTERED);
        assert_int_equal(note.delay_ms, i < 6 ? 1000 << i : 60000);
    }
    puppet_wait_log(puppet, "instance.unregistered");
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMMIT_TURN), 0);
}

/* Code that does not do what history says: nothing is committed, and the instance is suspended. */
static void test_nondeterminism_suspends(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, false);
    puppet_set_view(puppet, "once", "another", true);
    puppet_give_turn(puppet, 1, 10, "once");
    puppet_wait(puppet, HF_STORE_SUSPEND, 1);
    puppet_wait_log(puppet, "instance.nondeterminism");
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMMIT_TURN), 0);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_TURN), 0);
}

/* Damaged history counts, and waits for the longest delay; a failing disk does not count. */
static void test_unreadable_history_is_handed_back(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, false);
    puppet->view_status = HF_CORRUPT;
    puppet_give_turn(puppet, 1, 10, "once");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_TURN, 1);
    assert_true(note.is_counted);
    assert_int_equal(note.delay_ms, 60000);
    puppet_wait_log(puppet, "instance.unreadable");
    pthread_mutex_lock(&puppet->mutex);
    puppet->view_status = HF_IO;
    pthread_mutex_unlock(&puppet->mutex);
    puppet_give_turn(puppet, 1, 10, "once");
    note = puppet_wait(puppet, HF_STORE_ABANDON_TURN, 2);
    assert_false(note.is_counted);
    assert_int_equal(note.delay_ms, 1000);
    hf_runtime_free(runtime);
}

/* Why a turn went back is said only when it was still ours: an instance that ended while its turn
 * was read is no damage. */
static void test_reason_is_not_logged_when_the_turn_was_not_ours(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, false);
    puppet->view_status = HF_CORRUPT;
    puppet_refuse(puppet, HF_STORE_ABANDON_TURN, 1, HF_STALE);
    puppet_give_turn(puppet, 1, 10, "once");
    puppet_wait(puppet, HF_STORE_ABANDON_TURN, 1);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count_logs(puppet, "instance.unreadable"), 0);
}

/* ---- the checking mode ---------------------------------------------------------------------- */

/* A resumed turn that decides what a replay decides is committed; the code ran twice for it. */
static void test_check_replay_passes_faithful_code(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet, true);
    uint64_t head = first_turn(puppet, "once");
    puppet_give_turn(puppet, 1, head, "once");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMMIT_TURN, 2);
    assert_int_equal(note.outcome, HF_OUTCOME_COMPLETED);
    assert_true(puppet_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
    assert_int_equal(atomic_load(&fixture->counts.begun), 2);
}

/* One that does not is counted, logged and suspended. */
static void test_check_replay_catches_fickle_code(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, true);
    uint64_t head = first_turn(puppet, "fickle");
    puppet_give_turn(puppet, 1, head, "fickle");
    puppet_wait(puppet, HF_STORE_SUSPEND, 1);
    puppet_wait_log(puppet, "instance.nondeterminism");
    assert_true(puppet_metric(runtime, "replay_mismatches") == 1);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMMIT_TURN), 1);
}

/* Without the check the same code is not caught: it is the check that catches it. */
static void test_without_check_fickle_code_is_committed(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, false);
    uint64_t head = first_turn(puppet, "fickle");
    puppet_give_turn(puppet, 1, head, "fickle");
    puppet_wait(puppet, HF_STORE_COMMIT_TURN, 2);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_TURN), 0);
}

/* ---- many turns ----------------------------------------------------------------------------- */

/* As many turns run at the same time as there are threads for orchestrations. */
static void row_4a_3_turns_run_on_as_many_threads_as_told(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    puppet_set_view(puppet, "meets", NULL, false);
    hf_runtime *runtime = puppet_worker(puppet, HF_WITH(hf_runtime_options,
                                                        .orchestration_threads = MEETING_SIZE,
                                                        .activity_threads = UINT32_MAX));
    for (uint64_t i = 1; i <= MEETING_SIZE; i++) puppet_give_turn(puppet, i, 10, "meets");
    for (size_t i = 1; i <= MEETING_SIZE; i++) {
        struct puppet_note note = puppet_wait(puppet, HF_STORE_COMMIT_TURN, i);
        assert_int_equal(note.outcome, HF_OUTCOME_COMPLETED);
    }
    hf_runtime_free(runtime);
}

/* Turns of many instances on several threads: each is committed once, none is lost; live ones
 * beyond the maximum are evicted on their thread. */
static void test_turns_of_many_instances_on_threads(void **state)
{
    enum { INSTANCES_COUNT = 60, LIVE_MAX = 7 };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    bool seen[INSTANCES_COUNT + 1] = { false };
    puppet_set_view(puppet, "once", NULL, false);
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .orchestration_threads = 3,
                        .live_instances_max = LIVE_MAX, .activity_threads = UINT32_MAX));
    for (uint64_t i = 1; i <= INSTANCES_COUNT; i++) puppet_give_turn(puppet, i, 10, "once");
    puppet_wait(puppet, HF_STORE_COMMIT_TURN, INSTANCES_COUNT);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    assert_true(puppet_metric(runtime, "instances_evicted") == INSTANCES_COUNT);
    hf_runtime_free(runtime);
    for (size_t i = 0; i < puppet->notes_count; i++) {
        const struct puppet_note *note = &puppet->notes[i];
        if (note->kind != HF_STORE_COMMIT_TURN) continue;
        assert_in_range(note->instance, 1, INSTANCES_COUNT);
        assert_false(seen[note->instance]);
        seen[note->instance] = true;
    }
    assert_int_equal(atomic_load(&fixture->counts.left), INSTANCES_COUNT);
}

/* With more room than one fetch may fill it asks for what a fetch may give: then a full answer
 * shows that there may be more. */
static void test_fetch_asks_for_no_more_than_it_can_get(void **state)
{
    enum { THREADS = HF_FETCH_MAX / HF__TURNS_PER_THREAD + 1 };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, HF_WITH(hf_runtime_options,
                                                        .orchestration_threads = THREADS,
                                                        .activity_threads = UINT32_MAX));
    puppet_ring(puppet, HF_EFFECT_TURNS_DUE);
    assert_int_equal(puppet_wait(puppet, HF_STORE_FETCH_TURNS, 1).items_count, HF_FETCH_MAX);
    hf_runtime_free(runtime);
}

/* ---- back-off ------------------------------------------------------------------------------- */

/* Each piece of work has a count of its own, which doubles from 1 s up to 60 s. */
static void row_4a_10_backoff_doubles_for_each_work(void **state)
{
    struct hf__backoff backoff = { 0 };
    struct hf_item_id a = { .instance = 1 };
    struct hf_item_id b = { .instance = 2, .execution = 1, .event_id = 3 };
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(hf__backoff_next(&backoff, a), i < 6 ? 1000 << i : 60000);
    }
    assert_int_equal(hf__backoff_next(&backoff, b), 1000);
    assert_int_equal(hf__backoff_next(&backoff, a), 60000);
    assert_int_equal(hf__backoff_next(&backoff, b), 2000);
}

/* However much other work fails, a delay is never below the first or above the longest. */
static void test_backoff_forgets_within_its_bounds(void **state)
{
    enum { WORKS_COUNT = 10 * HF__BACKOFF_SLOTS };
    struct hf__backoff backoff = { 0 };
    (void)state;
    for (uint64_t i = 0; i < WORKS_COUNT; i++) {
        uint64_t delay_ms = hf__backoff_next(&backoff, (struct hf_item_id){ .instance = i / 2 });
        assert_in_range(delay_ms, HF__BACKOFF_FIRST_MS, HF__BACKOFF_MAX_MS);
        assert_int_equal(delay_ms, i % 2 == 0 ? 1000 : 2000);
    }
}

int main(void)
{
#define TURN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TURN_TEST(test_turn_at_its_head_resumes_the_live_execution),
        TURN_TEST(test_turn_at_another_head_replays),
        TURN_TEST(trap_b17_stale_commit_drops_the_execution),
        TURN_TEST(row_4b_2_refused_commit_is_handed_back_uncounted),
        TURN_TEST(row_4a_9_turn_beyond_the_last_attempt_fails),
        TURN_TEST(trap_b16_storage_trouble_fails_no_instance),
        TURN_TEST(trap_b14_refused_abandonment_is_tried_again),
        TURN_TEST(test_unregistered_orchestration_is_handed_back),
        TURN_TEST(test_nondeterminism_suspends),
        TURN_TEST(test_unreadable_history_is_handed_back),
        TURN_TEST(test_reason_is_not_logged_when_the_turn_was_not_ours),
        TURN_TEST(test_check_replay_passes_faithful_code),
        TURN_TEST(test_check_replay_catches_fickle_code),
        TURN_TEST(test_without_check_fickle_code_is_committed),
        TURN_TEST(row_4a_3_turns_run_on_as_many_threads_as_told),
        TURN_TEST(test_turns_of_many_instances_on_threads),
        TURN_TEST(test_fetch_asks_for_no_more_than_it_can_get),
        cmocka_unit_test(row_4a_10_backoff_doubles_for_each_work),
        cmocka_unit_test(test_backoff_forgets_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
