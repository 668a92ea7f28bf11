/* Recovery of sessions against a puppet store: what each policy does with the items of a session
 * that was somebody else's before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "tests/unit/runtime/puppet.h"

enum { LEASE_MS = 20, EPOCH = 100 };

struct fixture {
    struct puppet puppet;
    atomic_int rebuilding, rebuilt, running;
    atomic_bool is_open; /* rebuilds return */
    char about[256];     /* what the last rebuild was told of itself */
    int memory;
};

/* Waits until the test lets it go or it is told to stop; fills the session's memory. Its input says
 * how it ends: "ok", "fail" (the first one fails, later ones do not), "stuck" (heeds nothing). */
static hf_status load(hf_activity *a, hf_slice input)
{
    enum { STEP_MS = 1 };
    struct fixture *fixture = hf_activity_user(a);
    const hf_activity_info *info = hf_activity_about(a);
    bool is_stuck = hf_slice_equal(input, hf_text("stuck"));
    snprintf(fixture->about, sizeof fixture->about, "%s %s %s %u %d", info->activity,
             info->instance, info->session, info->attempt, info->first_in_claim);
    atomic_fetch_add(&fixture->rebuilding, 1);
    while (!atomic_load(&fixture->is_open)) {
        if (hf_activity_wait_cancelled(a, STEP_MS) && !is_stuck) return HF_CANCELLED;
    }
    bool is_first = atomic_load(&fixture->rebuilding) == 1;
    if (hf_slice_equal(input, hf_text("fail")) && is_first) {
        return hf_activity_fail(a, "no_model", hf_text(""), "the model is gone");
    }
    if (hf_session_memory_set(a, &fixture->memory, NULL) != &fixture->memory) abort();
    atomic_fetch_add(&fixture->rebuilt, 1);
    return HF_OK;
}

/* Says whether it is the first of its claim, and what memory it found. */
static hf_status talk(hf_activity *a, hf_slice input)
{
    struct fixture *fixture = hf_activity_user(a);
    bool is_warm = hf_session_memory(a) == &fixture->memory;
    (void)input;
    atomic_fetch_add(&fixture->running, 1);
    return hf_activity_complete(a, hf_text(is_warm                                ? "warm"
                                           : hf_activity_about(a)->first_in_claim ? "first"
                                                                                  : "cold"));
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    puppet_open(&fixture->puppet);
    const hf_activity_settings *settings = HF_WITH(hf_activity_settings, .user = fixture);
    hf_register_activity(fixture->puppet.registry, "load", load, settings);
    hf_register_activity(fixture->puppet.registry, "talk", talk, settings);
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

static hf_runtime *worker(struct puppet *puppet)
{
    return puppet_worker(puppet, HF_WITH(hf_runtime_options, .worker_id = "me",
                                         .activity_threads = 2, .item_lock_ms = LEASE_MS));
}

/* An item of session "desk" of the instance, in its claim with EPOCH. */
static struct hf_item_grant item_of(uint64_t instance, uint64_t event_id, bool is_older)
{
    return (struct hf_item_grant){
        .token.item = { .instance = instance, .execution = 1, .event_id = event_id },
        .session_id = hf_text("desk"),
        .incarnation = 1,
        .epoch = EPOCH,
        .is_older_than_claim = is_older
    };
}

/* The first item of a claim, taken over from worker "former" under this policy. */
static struct hf_item_grant first_of(struct puppet *puppet, uint64_t instance, uint64_t recovery,
                                     const char *input)
{
    struct hf_item_grant grant = item_of(instance, 2, true);
    const struct hf_event opened = { .kind = HF_EVENT_SESSION_OPENED,
                                     .text = hf_text("desk"),
                                     .incarnation = 1,
                                     .recovery = recovery,
                                     .name = hf_text(recovery == HF_SESSION_REBUILD ? "load" : ""),
                                     .payload = hf_text(input) };
    grant.first_in_claim = grant.was_owned = true;
    grant.from = PUPPET_REGISTRATION - 1;
    grant.from_worker = hf_text("former");
    grant.claim_reason = HF_REASON_DEAD;
    grant.session_body = hf_event_encode(&opened, &puppet->arena);
    return grant;
}

struct expected {
    atomic_int *value;
    int count;
};

static bool has_count(void *context)
{
    struct expected *expected = context;
    return atomic_load(expected->value) == expected->count;
}

static void wait_count(atomic_int *value, int count)
{
    struct expected expected = { value, count };
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, &expected, has_count));
}

/* Waits until renewals present so many items. */
static void wait_presented(struct puppet *puppet, size_t count)
{
    struct puppet_note note = { .items_count = SIZE_MAX };
    for (size_t i = 1; note.items_count != count; i++) {
        note = puppet_wait(puppet, HF_STORE_RENEW, i);
    }
}

static void assert_lost(const struct puppet_note *note, const char *message)
{
    assert_int_equal(note->event_kind, HF_EVENT_ACTIVITY_FAILED);
    assert_int_equal(note->event_status, HF_SESSION_LOST);
    assert_string_equal(note->text, "session_lost|");
    assert_non_null(strstr(note->message, "desk"));
    assert_non_null(strstr(note->message, "former"));
    if (!strstr(note->message, message)) fail_msg("%s", note->message);
}

/* ---- move and fail -------------------------------------------------------------------------- */

/* By default activities run on the new owner, and the first can tell that its memory is cold. */
static void test_moved_session_runs_cold(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give(puppet, first_of(puppet, 1, HF_SESSION_MOVE, ""), "talk");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1).text, "|first");
    puppet_give(puppet, item_of(1, 3, true), "talk");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2).text, "|cold");
    hf_runtime_free(runtime);
}

/* What was scheduled before the new claim fails with HF_SESSION_LOST, without running; what comes
 * later runs. A session that nobody had is not lost. */
static void test_failing_session_fails_what_is_older_than_its_claim(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give(puppet, first_of(puppet, 1, HF_SESSION_FAIL, ""), "talk");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    assert_lost(&note, "former worker");
    puppet_give(puppet, item_of(1, 3, true), "talk");
    note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    assert_lost(&note, "former worker");
    assert_int_equal(atomic_load(&fixture->running), 0);
    puppet_give(puppet, item_of(1, 4, false), "talk");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 3).text, "|first");
    struct hf_item_grant unowned = first_of(puppet, 2, HF_SESSION_FAIL, "");
    unowned.was_owned = false;
    puppet_give(puppet, unowned, "talk");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 4).text, "|first");
    hf_runtime_free(runtime);
}

/* The policy holds for the whole claim, also when the item that came with it was poison. */
static void test_policy_outlives_its_first_item(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet);
    struct hf_item_grant poison = first_of(puppet, 1, HF_SESSION_FAIL, "");
    poison.attempt = 6;
    poison.deaths = 5;
    puppet_give(puppet, poison, "talk");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1).text, "poison|");
    puppet_give(puppet, item_of(1, 3, true), "talk");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    assert_lost(&note, "former worker");
    hf_runtime_free(runtime);
}

/* ---- rebuild -------------------------------------------------------------------------------- */

/* The rebuild runs first and once; what came meanwhile waits, is presented, and holds no thread;
 * then it finds the memory that the rebuild made. */
static void test_rebuild_runs_first_and_once(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give(puppet, first_of(puppet, 1, HF_SESSION_REBUILD, "ok"), "talk");
    wait_count(&fixture->rebuilding, 1);
    puppet_give(puppet, item_of(1, 3, true), "talk");
    puppet_give(puppet, item_of(1, 4, false), "talk");
    wait_presented(puppet, 3);
    puppet_give_item(puppet, 9, "talk", ""); /* of another kind: it needs the second thread */
    assert_int_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1).instance, 9);
    assert_int_equal(atomic_load(&fixture->running), 1);
    atomic_store(&fixture->is_open, true);
    for (size_t i = 2; i <= 4; i++) {
        assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, i).text, "|warm");
    }
    puppet_give(puppet, item_of(1, 5, false), "talk");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 5).text, "|warm");
    assert_int_equal(atomic_load(&fixture->rebuilding), 1);
    assert_string_equal(fixture->about, "load thing desk 1 1");
    assert_true(puppet_metric(runtime, "sessions_rebuilt") == 1);
    hf_runtime_free(runtime);
}

/* A rebuild that fails: what waits fails with its error, and what is older than the claim and comes
 * later too, without another rebuild. For a newer item it is tried again: nothing runs cold. */
static void test_failed_rebuild_fails_what_waits(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give(puppet, first_of(puppet, 1, HF_SESSION_REBUILD, "fail"), "talk");
    wait_count(&fixture->rebuilding, 1);
    puppet_give(puppet, item_of(1, 3, false), "talk");
    wait_presented(puppet, 2);
    atomic_store(&fixture->is_open, true);
    for (size_t i = 1; i <= 2; i++) {
        struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, i);
        assert_lost(&note, "load: no_model: the model is gone");
    }
    puppet_give(puppet, item_of(1, 4, true), "talk");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 3);
    assert_lost(&note, "no_model");
    assert_int_equal(atomic_load(&fixture->rebuilding), 1);
    assert_int_equal(puppet_wait_log(puppet, "session.rebuild").level, HF_LOG_WARN);
    puppet_give(puppet, item_of(1, 5, false), "talk");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 4).text, "|warm");
    assert_int_equal(atomic_load(&fixture->rebuilding), 2);
    hf_runtime_free(runtime);
}

/* A rebuild that is not registered here: its items are handed back as if they were not, and the
 * next one of the claim tries again. */
static void test_unregistered_rebuild_hands_back(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    const struct hf_event opened = { .kind = HF_EVENT_SESSION_OPENED,
                                     .text = hf_text("desk"),
                                     .incarnation = 1,
                                     .recovery = HF_SESSION_REBUILD,
                                     .name = hf_text("nobody") };
    struct hf_item_grant grant = first_of(puppet, 1, HF_SESSION_REBUILD, "");
    grant.session_body = hf_event_encode(&opened, &puppet->arena);
    puppet_give(puppet, grant, "talk");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 1);
    assert_true(note.is_counted);
    assert_int_equal(note.reason, HF_REASON_UNREGISTERED);
    assert_int_equal(note.delay_ms, 1000);
    grant = item_of(1, 2, true);
    grant.attempt = 2;
    puppet_give(puppet, grant, "talk");
    assert_int_equal(puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 2).delay_ms, 2000);
    assert_int_equal(puppet_count_logs(puppet, "activity.unregistered"), 2);
    grant.attempt = 11;
    puppet_give(puppet, grant, "talk");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1).text, "poison|");
    assert_int_equal(atomic_load(&fixture->running), 0);
    hf_runtime_free(runtime);
}

/* ---- a rebuild that is told to stop --------------------------------------------------------- */

/* By a shutdown: what waits is handed back at once, uncounted, and the session released behind the
 * rebuild. */
static void test_shutdown_stops_a_rebuild(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give(puppet, first_of(puppet, 1, HF_SESSION_REBUILD, "ok"), "talk");
    wait_count(&fixture->rebuilding, 1);
    puppet_give(puppet, item_of(1, 3, true), "talk");
    wait_presented(puppet, 2);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 2);
    assert_false(note.is_counted);
    assert_int_equal(note.reason, HF_REASON_SHUTDOWN);
    assert_int_equal(puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1).sessions_count, 1);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 0);
    assert_int_equal(atomic_load(&fixture->running), 0);
}

/* One that heeds nothing does not hold the shutdown longer than its grace. */
static void test_grace_over_gives_up_a_rebuild(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give(puppet, first_of(puppet, 1, HF_SESSION_REBUILD, "stuck"), "talk");
    wait_count(&fixture->rebuilding, 1);
    hf_runtime_stop(runtime, 0, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_ITEM), 1);
    atomic_store(&fixture->is_open, true);
    hf_runtime_free(runtime);
}

/* By the loss of the session: nothing is sent for what waits, and the rebuild's end changes
 * nothing.
 */
static void test_loss_stops_a_rebuild(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give(puppet, first_of(puppet, 1, HF_SESSION_REBUILD, "stuck"), "talk");
    wait_count(&fixture->rebuilding, 1);
    puppet_give(puppet, item_of(1, 3, true), "talk");
    wait_presented(puppet, 2);
    puppet_void(puppet, true, 1, "epoch");
    puppet_wait_log(puppet, "session.lost");
    wait_presented(puppet, 0);
    atomic_store(&fixture->is_open, true);
    wait_count(&fixture->rebuilt, 1);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 0);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_ITEM), 0);
    assert_int_equal(atomic_load(&fixture->running), 0);
}

/* What waits does not take all slots: the rest is handed back, uncounted, and comes again; other
 * work goes on. */
static void test_waiting_items_leave_room_for_others(void **state)
{
    enum { ITEMS = 30 };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give(puppet, first_of(puppet, 1, HF_SESSION_REBUILD, "ok"), "talk");
    wait_count(&fixture->rebuilding, 1);
    for (uint64_t i = 1; i < ITEMS; i++) puppet_give(puppet, item_of(1, 2 + i, true), "talk");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 1);
    assert_false(note.is_counted);
    puppet_give_item(puppet, 9, "talk", "");
    assert_int_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1).instance, 9);
    atomic_store(&fixture->is_open, true);
    hf_runtime_free(runtime);
}

int main(void)
{
#define RECOVERY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RECOVERY_TEST(test_moved_session_runs_cold),
        RECOVERY_TEST(test_failing_session_fails_what_is_older_than_its_claim),
        RECOVERY_TEST(test_policy_outlives_its_first_item),
        RECOVERY_TEST(test_rebuild_runs_first_and_once),
        RECOVERY_TEST(test_failed_rebuild_fails_what_waits),
        RECOVERY_TEST(test_unregistered_rebuild_hands_back),
        RECOVERY_TEST(test_shutdown_stops_a_rebuild),
        RECOVERY_TEST(test_grace_over_gives_up_a_rebuild),
        RECOVERY_TEST(test_loss_stops_a_rebuild),
        RECOVERY_TEST(test_waiting_items_leave_room_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
