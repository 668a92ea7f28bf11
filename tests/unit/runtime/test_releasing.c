/* Idle sessions against a puppet store and a clock that is turned by hand: when they are released,
 * and what the store's refusals do. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/puppet.h"

enum { IDLE_MS = 1000, BEGIN_MS = 5000000, PERIOD_MS = 20 };

struct fixture {
    struct puppet puppet;
    atomic_int running;
    atomic_bool is_open;
};

static hf_status quick(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

/* Runs until the test lets it go. */
static hf_status stay(hf_activity *a, hf_slice input)
{
    enum { STEP_MS = 1 };
    struct fixture *fixture = hf_activity_user(a);
    atomic_fetch_add(&fixture->running, 1);
    while (!atomic_load(&fixture->is_open)) (void)hf_activity_wait_cancelled(a, STEP_MS);
    return hf_activity_complete(a, input);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    puppet_open(&fixture->puppet);
    atomic_store(&fixture->puppet.hand_boot_ms, BEGIN_MS);
    const hf_activity_settings *settings = HF_WITH(hf_activity_settings, .user = fixture);
    hf_register_activity(fixture->puppet.registry, "quick", quick, settings);
    hf_register_activity(fixture->puppet.registry, "stay", stay, settings);
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

static hf_runtime *worker(struct puppet *puppet, uint64_t idle_ms)
{
    return puppet_worker(puppet, HF_WITH(hf_runtime_options, .activity_threads = 2,
                                         .item_lock_ms = PERIOD_MS, .session_idle_ms = idle_ms));
}

struct idle {
    hf_runtime *runtime;
    size_t count;
};

static bool are_idle(void *context)
{
    const struct idle *idle = context;
    size_t count = 0;
    uv_mutex_lock(&idle->runtime->mutex);
    const struct hf__claim *claim = idle->runtime->claims.idle_first;
    for (; claim && claim->is_idle_timed; claim = claim->idle_next) count++;
    uv_mutex_unlock(&idle->runtime->mutex);
    return count == idle->count;
}

/* Waits until the idle time of so many sessions counts. */
static void wait_idle(hf_runtime *runtime, size_t count)
{
    struct idle idle = { runtime, count };
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, &idle, are_idle));
}

static bool is_complete(void *context)
{
    hf_runtime *runtime = context;
    uv_mutex_lock(&runtime->mutex);
    bool is_so = !runtime->claims.is_incomplete;
    uv_mutex_unlock(&runtime->mutex);
    return is_so;
}

static void advance(struct puppet *puppet, hf_runtime *runtime, uint64_t by_ms)
{
    atomic_fetch_add(&puppet->hand_boot_ms, by_ms);
    puppet_look(puppet, runtime, HF__WAKE_IDLE);
}

/* Released when its idle time is over, and not before; from then on it is not ours. */
static void test_idle_session_is_released_when_its_time_is_over(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, IDLE_MS);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    wait_idle(runtime, 1);
    advance(puppet, runtime, IDLE_MS - 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 0);
    advance(puppet, runtime, 1);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1);
    assert_int_equal(note.sessions_count, 1);
    assert_int_equal(note.reason, HF_REASON_RELEASED);
    struct puppet_log log = puppet_wait_log(puppet, "session.release");
    assert_string_equal(log.session, "desk");
    assert_string_equal(log.instance, "thing");
    assert_non_null(strstr(log.message, "idle"));
    assert_true(puppet_metric(runtime, "sessions_owned") == 0);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 1);
}

static size_t count_ticks(struct puppet *puppet)
{
    pthread_mutex_lock(&puppet->mutex);
    size_t count = puppet->probes_count;
    pthread_mutex_unlock(&puppet->mutex);
    return count;
}

/* The timer wakes at the end of an idle time: now and then two sessions in a row are released
 * without a tick, which looks as well. */
static void test_timer_wakes_at_the_end_of_the_idle_time(void **state)
{
    enum { SHORT_MS = 10, TRIES = 500 };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    atomic_store(&puppet->hand_boot_ms, 0);
    hf_runtime *runtime = puppet_worker(puppet,
                                        HF_WITH(hf_runtime_options, .session_idle_ms = SHORT_MS));
    bool is_between_ticks = false;
    for (uint64_t i = 1; i < TRIES && !is_between_ticks; i += 2) {
        size_t before = count_ticks(puppet);
        puppet_give_session_item(puppet, i, "quick", PUPPET_EPOCH);
        assert_int_equal(puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, i).instance, i);
        puppet_give_session_item(puppet, i + 1, "quick", PUPPET_EPOCH);
        assert_int_equal(puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, i + 1).instance, i + 1);
        is_between_ticks = count_ticks(puppet) == before;
    }
    hf_runtime_free(runtime);
    assert_true(is_between_ticks);
}

/* Refused because work runs or is queued, perhaps for later: it stays ours, and its idle time
 * counts anew. */
static void test_refused_release_counts_anew(void **state)
{
    static const char *const codes[] = { "running", "queued" };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, IDLE_MS);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    wait_idle(runtime, 1);
    for (size_t i = 0; i < HF_COUNT_OF(codes); i++) {
        puppet_refuse_release(puppet, codes[i]);
        advance(puppet, runtime, IDLE_MS - 1);
        assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), i);
        advance(puppet, runtime, 1);
        puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, i + 1);
        wait_idle(runtime, 1);
        assert_true(puppet_metric(runtime, "sessions_owned") == 1);
        assert_int_equal(puppet_count_logs(puppet, "session.release"), 0);
    }
    advance(puppet, runtime, IDLE_MS);
    puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, HF_COUNT_OF(codes) + 1);
    puppet_wait_log(puppet, "session.release");
    hf_runtime_free(runtime);
}

/* No idle time passes while an activity of the session runs; it counts from its end. */
static void test_no_idle_time_passes_while_an_activity_runs(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet, IDLE_MS);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    wait_idle(runtime, 1);
    puppet_give_session_item(puppet, 1, "stay", PUPPET_EPOCH);
    wait_idle(runtime, 0);
    advance(puppet, runtime, 10 * IDLE_MS);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 0);
    atomic_store(&fixture->is_open, true);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    wait_idle(runtime, 1);
    advance(puppet, runtime, IDLE_MS - 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 0);
    advance(puppet, runtime, 1);
    puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1);
    hf_runtime_free(runtime);
}

/* An activity whose outcome the store has not taken yet has not ended. */
static void test_no_idle_time_passes_before_an_outcome_is_taken(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, IDLE_MS);
    puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, SIZE_MAX, HF_DISK_FULL);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    advance(puppet, runtime, 10 * IDLE_MS);
    wait_idle(runtime, 0);
    puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, 0, HF_OK);
    wait_idle(runtime, 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 0);
    advance(puppet, runtime, IDLE_MS);
    puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1);
    hf_runtime_free(runtime);
}

static bool is_releasing(void *context)
{
    hf_runtime *runtime = context;
    uv_mutex_lock(&runtime->mutex);
    bool is_busy = runtime->releasing.task.is_busy;
    uv_mutex_unlock(&runtime->mutex);
    return is_busy;
}

/* One release is on its way at most: what becomes due meanwhile goes with the next. */
static void test_one_release_is_on_its_way_at_most(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, IDLE_MS);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    wait_idle(runtime, 1);
    atomic_fetch_add(&puppet->hand_boot_ms, 1);
    puppet_give_session_item(puppet, 2, "quick", PUPPET_EPOCH);
    wait_idle(runtime, 2);
    puppet_hold(puppet, true);
    atomic_fetch_add(&puppet->hand_boot_ms, IDLE_MS - 1);
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, runtime, is_releasing));
    atomic_fetch_add(&puppet->hand_boot_ms, 1);
    puppet_hold(puppet, false);
    assert_int_equal(puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1).sessions_count, 1);
    struct puppet_note second = puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 2);
    assert_int_equal(second.sessions_count, 1);
    assert_int_equal(second.instance, 2);
    hf_runtime_free(runtime);
}

/* A release that cannot be committed is tried again with the next tick, without counting anew. */
static void test_release_that_cannot_commit_is_tried_again(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, IDLE_MS);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    wait_idle(runtime, 1);
    puppet_refuse(puppet, HF_STORE_RELEASE_SESSIONS, 2, HF_DISK_FULL);
    atomic_fetch_add(&puppet->hand_boot_ms, IDLE_MS);
    assert_int_equal(puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 3).status, HF_OK);
    puppet_wait_log(puppet, "session.release");
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 3);
}

/* A release whose session somebody else has by now is a loss, and one that was closed is none. */
static void test_release_of_what_is_gone(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, IDLE_MS);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    wait_idle(runtime, 1);
    puppet_refuse_release(puppet, "session_closed");
    atomic_fetch_add(&puppet->hand_boot_ms, IDLE_MS);
    assert_non_null(strstr(puppet_wait_log(puppet, "session.release").message, "closed"));
    assert_int_equal(puppet_count_logs(puppet, "session.lost"), 0);
    puppet_give_session_item(puppet, 2, "quick", PUPPET_EPOCH);
    wait_idle(runtime, 1);
    puppet_refuse_release(puppet, "epoch");
    atomic_fetch_add(&puppet->hand_boot_ms, IDLE_MS);
    assert_int_equal(puppet_wait_log(puppet, "session.lost").level, HF_LOG_WARN);
    assert_true(puppet_metric(runtime, "sessions_released") == 0);
    assert_true(puppet_metric(runtime, "sessions_owned") == 0);
    hf_runtime_free(runtime);
}

/* A worker that was declared dead holds nothing: its sessions end, and are lost to nobody it knows.
 */
static void test_release_of_a_dead_worker(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, IDLE_MS);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    wait_idle(runtime, 1);
    puppet_refuse(puppet, HF_STORE_RELEASE_SESSIONS, 1, HF_STALE);
    atomic_fetch_add(&puppet->hand_boot_ms, IDLE_MS);
    struct puppet_log log = puppet_wait_log(puppet, "session.release");
    assert_non_null(strstr(log.message, "registration_dead"));
    assert_int_equal(puppet_count_logs(puppet, "session.lost"), 0);
    assert_true(puppet_metric(runtime, "sessions_lost") == 1);
    assert_true(puppet_metric(runtime, "sessions_released") == 0);
    hf_runtime_free(runtime);
}

/* A session that the store knows as ours and we could not learn (there was no memory) is let go,
 * with or without an idle time, and until the store agrees; known ones stay. */
static void test_unknown_session_is_let_go(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    struct hf_session_row rows[] = {
        { .instance = 1, .incarnation = 1, .owner = PUPPET_REGISTRATION, .epoch = PUPPET_EPOCH },
        { .instance = 2, .incarnation = 1, .owner = PUPPET_REGISTRATION, .epoch = PUPPET_EPOCH },
        { .instance = 3,
          .incarnation = 1,
          .owner = PUPPET_REGISTRATION + 1,
          .epoch = PUPPET_EPOCH },
    };
    puppet->rows = rows;
    puppet->rows_count = HF_COUNT_OF(rows);
    hf_runtime *runtime = worker(puppet, 0);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    puppet_refuse_release(puppet, "running");
    uv_mutex_lock(&runtime->mutex);
    runtime->claims.is_incomplete = true;
    uv_mutex_unlock(&runtime->mutex);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 2);
    assert_int_equal(note.sessions_count, 1);
    assert_int_equal(note.instance, 2);
    assert_int_equal(note.reason, HF_REASON_SHUTDOWN); /* queued work moves with it */
    pthread_mutex_lock(&puppet->mutex);
    puppet->rows_count = 1;
    pthread_mutex_unlock(&puppet->mutex);
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, runtime, is_complete));
    assert_true(puppet_metric(runtime, "sessions_owned") == 1);
    hf_runtime_free(runtime);
}

/* A delivery of a claim whose first one could not be learned is handed back: it would run without
 * what its session's policy asks for. The session is let go. */
static void test_only_the_first_delivery_makes_a_claim_known(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    struct hf_session_row rows[] = {
        { .instance = 1, .incarnation = 1, .owner = PUPPET_REGISTRATION, .epoch = PUPPET_EPOCH },
    };
    puppet->rows = rows;
    puppet->rows_count = HF_COUNT_OF(rows);
    hf_runtime *runtime = worker(puppet, 0);
    const struct hf_item_grant later = { .token = { .item = { 1, 1, 3 } },
                                         .session_id = hf_text("desk"),
                                         .incarnation = 1,
                                         .epoch = PUPPET_EPOCH };
    puppet_give(puppet, later, "quick");
    assert_false(puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 1).is_counted);
    assert_int_equal(puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1).instance, 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 0);
    assert_true(puppet_metric(runtime, "sessions_owned") == 0);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH + 1);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    puppet_give(puppet,
                (struct hf_item_grant){ .token = { .item = { 1, 1, 3 } },
                                        .session_id = hf_text("desk"),
                                        .incarnation = 1,
                                        .epoch = PUPPET_EPOCH + 1 },
                "quick");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    hf_runtime_free(runtime);
}

/* A session that is let go as one that could not be learned, while its first delivery is on its way
 * here, stays: the store refuses, for work runs in it. */
static void test_session_is_learned_while_it_is_let_go(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    struct hf_session_row rows[] = {
        { .instance = 1, .incarnation = 1, .owner = PUPPET_REGISTRATION, .epoch = PUPPET_EPOCH },
    };
    const struct hf_item_grant grant = { .token = { .item = { 1, 1, 2 }, .delivery_lsn = 7 },
                                         .attempt = 1,
                                         .instance_id = hf_text("thing"),
                                         .session_id = hf_text("desk"),
                                         .incarnation = 1,
                                         .epoch = PUPPET_EPOCH,
                                         .first_in_claim = true };
    hf_runtime *runtime = worker(puppet, 0);
    puppet_refuse_release(puppet, "running");
    puppet_hold(puppet, true);
    pthread_mutex_lock(&puppet->mutex);
    puppet->rows = rows;
    puppet->rows_count = HF_COUNT_OF(rows);
    pthread_mutex_unlock(&puppet->mutex);
    uv_mutex_lock(&runtime->mutex);
    runtime->claims.is_incomplete = true;
    uv_mutex_unlock(&runtime->mutex);
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, runtime, is_releasing));
    uv_mutex_lock(&runtime->mutex);
    hf__activities_granted(runtime, &grant);
    uv_mutex_unlock(&runtime->mutex);
    puppet_hold(puppet, false);
    puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1);
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, runtime, is_complete));
    assert_true(puppet_metric(runtime, "sessions_owned") == 1);
    hf_runtime_free(runtime);
}

/* Without an idle time, the default, a session with nothing running is kept for ever, and each
 * renewal is one command that presents all. */
static void test_session_is_kept_without_an_idle_time(void **state)
{
    enum { SESSIONS = 5 };
    static const uint64_t day_ms = 24ULL * 3600 * 1000;
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = worker(puppet, 0);
    for (uint64_t i = 1; i <= SESSIONS; i++) {
        puppet_give_session_item(puppet, i, "quick", PUPPET_EPOCH);
    }
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, SESSIONS);
    for (int i = 0; i < 3; i++) {
        atomic_fetch_add(&puppet->hand_boot_ms, day_ms);
        puppet_look(puppet, runtime, HF__WAKE_IDLE);
        assert_int_equal(puppet_wait(puppet, HF_STORE_RENEW, 1).sessions_count, SESSIONS);
    }
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 0);
    hf_runtime_free(runtime);
}

int main(void)
{
#define RELEASING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RELEASING_TEST(test_idle_session_is_released_when_its_time_is_over),
        RELEASING_TEST(test_timer_wakes_at_the_end_of_the_idle_time),
        RELEASING_TEST(test_refused_release_counts_anew),
        RELEASING_TEST(test_no_idle_time_passes_while_an_activity_runs),
        RELEASING_TEST(test_no_idle_time_passes_before_an_outcome_is_taken),
        RELEASING_TEST(test_one_release_is_on_its_way_at_most),
        RELEASING_TEST(test_release_that_cannot_commit_is_tried_again),
        RELEASING_TEST(test_release_of_what_is_gone),
        RELEASING_TEST(test_release_of_a_dead_worker),
        RELEASING_TEST(test_unknown_session_is_let_go),
        RELEASING_TEST(test_only_the_first_delivery_makes_a_claim_known),
        RELEASING_TEST(test_session_is_learned_while_it_is_let_go),
        RELEASING_TEST(test_session_is_kept_without_an_idle_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
