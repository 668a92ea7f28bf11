/* Shutdown against a puppet store: in which order things are released, handed back and ended, and
 * what trouble does to it. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/puppet.h"

struct place {
    atomic_int running, stops;
    atomic_bool is_open;
    uv_sem_t leave; /* of `ahead` */
};

struct fixture {
    struct puppet puppet;
    struct place place;
};

/* Returns at once. */
static hf_status quick(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

/* Returns HF_CANCELLED once told. */
static hf_status heed(hf_activity *a, hf_slice input)
{
    struct place *place = hf_activity_user(a);
    (void)input;
    atomic_fetch_add(&place->running, 1);
    if (!hf_activity_wait_cancelled(a, UINT64_MAX)) abort();
    return HF_CANCELLED;
}

/* Heeds nothing until the test lets it go. */
static hf_status stuck(hf_activity *a, hf_slice input)
{
    enum { STEP_MS = 1 };
    struct place *place = hf_activity_user(a);
    atomic_fetch_add(&place->running, 1);
    while (!atomic_load(&place->is_open)) (void)hf_activity_wait_cancelled(a, STEP_MS);
    return hf_activity_complete(a, input);
}

/* Completes before its function returns, which the test lets it. */
static hf_status ahead(hf_activity *a, hf_slice input)
{
    struct place *place = hf_activity_user(a);
    if (hf_completion_complete(hf_activity_detach(a), input) != HF_OK) abort();
    atomic_fetch_add(&place->running, 1);
    uv_sem_wait(&place->leave);
    return HF_OK;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_int_equal(uv_sem_init(&fixture->place.leave, 0), 0);
    puppet_open(&fixture->puppet);
    const hf_activity_settings *settings = HF_WITH(hf_activity_settings, .user = &fixture->place);
    hf_register_activity(fixture->puppet.registry, "quick", quick, settings);
    hf_register_activity(fixture->puppet.registry, "heed", heed, settings);
    hf_register_activity(fixture->puppet.registry, "stuck", stuck, settings);
    hf_register_activity(fixture->puppet.registry, "ahead", ahead, settings);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    puppet_close(&fixture->puppet);
    uv_sem_destroy(&fixture->place.leave);
    free(fixture);
    return 0;
}

static hf_runtime *worker(struct puppet *puppet)
{
    return puppet_worker(puppet, HF_WITH(hf_runtime_options, .activity_threads = 4));
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

static void wait_running(struct fixture *fixture, int count)
{
    struct expected expected = { &fixture->place.running, count };
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, &expected, has_count));
}

/* Place of the nth command of a kind (from 1) among all; fails the test when there is none. */
static size_t place_of(const struct puppet *puppet, enum hf_store_command_kind kind, size_t nth)
{
    for (size_t i = 0; i < puppet->notes_count; i++) {
        if (puppet->notes[i].kind == kind && --nth == 0) return i;
    }
    fail_msg("command %d never came", (int)kind);
    return 0;
}

static void count_stop(void *user)
{
    atomic_int *count = user;
    atomic_fetch_add(count, 1);
}

/* An idle runtime ends its registration as its last command, and tells so once. */
static void test_idle_runtime_ends_its_registration_last(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, count_stop, &fixture->place.stops);
    hf_runtime_stop(runtime, 0, count_stop, &fixture->place.stops);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    assert_int_equal(atomic_load(&fixture->place.stops), 1);
    assert_false(hf__lives_is_alive(puppet->store->lives, hf_text(runtime->life.name)));
    hf_runtime_free(runtime);
    const struct puppet_note *last = &puppet->notes[puppet->notes_count - 1];
    assert_int_equal(last->kind, HF_STORE_END_REGISTRATION);
    assert_int_equal(last->reason, HF_REASON_SHUTDOWN);
    assert_int_equal(last->instance, PUPPET_REGISTRATION);
    assert_int_equal(puppet_count(puppet, HF_STORE_END_REGISTRATION), 1);
}

/* Sessions with nothing running are released in one command, before anything else ends; the session
 * of a running activity behind that activity. */
static void test_idle_sessions_are_released_in_one_command(void **state)
{
    enum { IDLE_COUNT = 5 };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    for (uint64_t i = 1; i <= IDLE_COUNT; i++) {
        puppet_give_session_item(puppet, i, "quick", PUPPET_EPOCH);
    }
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, IDLE_COUNT);
    puppet_give_session_item(puppet, 9, "stuck", PUPPET_EPOCH);
    wait_running(fixture, 1);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1);
    assert_int_equal(note.sessions_count, IDLE_COUNT);
    assert_int_equal(note.reason, HF_REASON_SHUTDOWN);
    assert_int_equal(puppet_count(puppet, HF_STORE_END_REGISTRATION), 0);
    atomic_store(&fixture->place.is_open, true);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), IDLE_COUNT + 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 2);
    size_t completed = place_of(puppet, HF_STORE_COMPLETE_ITEM, IDLE_COUNT + 1);
    size_t released = place_of(puppet, HF_STORE_RELEASE_SESSIONS, 2);
    size_t ended = place_of(puppet, HF_STORE_END_REGISTRATION, 1);
    assert_true(completed < released && released < ended);
}

/* Told to stop, an activity that returns HF_CANCELLED is handed back, uncounted and at once. */
static void row_4b_10_cancelled_activity_is_handed_back_uncounted(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give_item(puppet, 1, "heed", "");
    wait_running(fixture, 1);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    hf_runtime_free(runtime);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 1);
    assert_false(note.is_counted);
    assert_int_equal(note.reason, HF_REASON_SHUTDOWN);
    assert_int_equal(note.delay_ms, 0);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 0);
}

/* The grace over: what runs on is handed back once, its session released, the runtime has stopped;
 * what it returns later is dropped. */
static void test_grace_over_gives_up_what_runs_on(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give_session_item(puppet, 1, "stuck", PUPPET_EPOCH);
    wait_running(fixture, 1);
    hf_runtime_stop(runtime, 0, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 1);
    assert_false(note.is_counted);
    assert_int_equal(note.reason, HF_REASON_SHUTDOWN);
    assert_int_equal(puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1).sessions_count, 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_END_REGISTRATION), 1);
    atomic_store(&fixture->place.is_open, true);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_ITEM), 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 0);
}

/* Shutdown takes nothing new and gives what is idle away at once; what runs keeps its lease until
 * it has ended, and only then its session goes and the worker. */
static void trap_c14_shutdown_renews_and_releases_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    atomic_store(&puppet->hand_boot_ms, 1000000); /* stands still: nobody renews for being late */
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .activity_threads = 4, .item_lock_ms = 20));
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    puppet_give_session_item(puppet, 9, "stuck", PUPPET_EPOCH);
    wait_running(fixture, 1);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    struct puppet_note released = puppet_wait(puppet, HF_STORE_RELEASE_SESSIONS, 1);
    assert_int_equal(released.instance, 1);
    size_t fetches_count = puppet_count(puppet, HF_STORE_FETCH_ITEMS);
    puppet_give_item(puppet, 2, "quick", "");
    size_t renewals_count = puppet_count(puppet, HF_STORE_RENEW);
    struct puppet_note renewal = puppet_wait(puppet, HF_STORE_RENEW, renewals_count + 5);
    assert_int_equal(renewal.items_count, 1);
    assert_int_equal(renewal.sessions_count, 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_END_REGISTRATION), 0);
    atomic_store(&fixture->place.is_open, true);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_FETCH_ITEMS), fetches_count);
    size_t completed = place_of(puppet, HF_STORE_COMPLETE_ITEM, 2);
    size_t last_released = place_of(puppet, HF_STORE_RELEASE_SESSIONS, 2);
    assert_true(completed < last_released);
    assert_true(last_released < place_of(puppet, HF_STORE_END_REGISTRATION, 1));
}

struct holding {
    struct puppet *puppet;
    hf_runtime *runtime;
};

/* Whether every fetch has been answered and none is wanted; from then on commits are held. Under
 * one lock: no fetch can slip in between that has looked at the store already. */
static bool holds_when_quiet(void *context)
{
    const struct holding *holding = context;
    struct hf__dispatch *dispatch = &holding->runtime->dispatch;
    uv_mutex_lock(&holding->runtime->mutex);
    bool is_quiet = !hf__dispatch_is_busy(holding->runtime) && !dispatch->turns.more &&
                    !dispatch->items.more;
    if (is_quiet) puppet_hold(holding->puppet, true);
    uv_mutex_unlock(&holding->runtime->mutex);
    return is_quiet;
}

/* Work that a fetch brings after the stop is handed back without having run. */
static void test_late_grants_are_handed_back(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    puppet_set_view(puppet, "quick", NULL, false);
    hf_runtime *runtime = worker(puppet);
    struct holding holding = { puppet, runtime };
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, &holding, holds_when_quiet));
    puppet_give_item(puppet, 1, "stuck", "");
    puppet_give_session_item(puppet, 2, "stuck", PUPPET_EPOCH);
    puppet_give_turn(puppet, 3, 10, "nobody");
    /* Both fetches are on their way when the stop comes, and cannot be answered before. */
    uv_mutex_lock(&runtime->mutex);
    runtime->dispatch.turns.more = runtime->dispatch.items.more = true;
    hf__dispatch_kick(runtime);
    bool is_busy = runtime->dispatch.turns.is_in_flight && runtime->dispatch.items.is_in_flight;
    uv_mutex_unlock(&runtime->mutex);
    assert_true(is_busy);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    while (true) {
        uv_mutex_lock(&runtime->mutex);
        bool is_stopped = runtime->dispatch.is_stopped;
        uv_mutex_unlock(&runtime->mutex);
        if (is_stopped) break;
    }
    puppet_hold(puppet, false);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    hf_runtime_free(runtime);
    assert_int_equal(atomic_load(&fixture->place.running), 0);
    struct puppet_note item = puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 2);
    assert_false(item.is_counted);
    struct puppet_note turn = puppet_wait(puppet, HF_STORE_ABANDON_TURN, 1);
    assert_false(turn.is_counted);
    assert_int_equal(turn.reason, HF_REASON_SHUTDOWN);
    assert_int_equal(turn.delay_ms, 0);
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 1);
}

/* A release or an end that the store refuses for a while is tried again. */
static void test_refused_release_and_end_are_tried_again(void **state)
{
    static const enum hf_store_command_kind kinds[] = { HF_STORE_RELEASE_SESSIONS,
                                                        HF_STORE_END_REGISTRATION };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    for (size_t i = 0; i < HF_COUNT_OF(kinds); i++) {
        hf_runtime *runtime = worker(puppet);
        puppet_give_session_item(puppet, i + 1, "quick", PUPPET_EPOCH + i);
        puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, i + 1);
        size_t before = puppet_count(puppet, kinds[i]);
        puppet_refuse(puppet, kinds[i], 2, HF_DISK_FULL);
        hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
        assert_ok(hf_runtime_join(runtime, NULL), NULL);
        hf_runtime_free(runtime);
        assert_int_equal(puppet_count(puppet, kinds[i]), before + 3);
        assert_int_equal(puppet_wait(puppet, kinds[i], before + 3).status, HF_OK);
    }
}

/* A store that refuses everything does not keep a runtime from stopping: its death will be seen. */
static void test_dead_store_does_not_hold_the_stop(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_refuse(puppet, HF_STORE_END_REGISTRATION, SIZE_MAX, HF_STORE_FAILED);
    hf_runtime_stop(runtime, 0, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    assert_false(hf__lives_is_alive(puppet->store->lives, hf_text(runtime->life.name)));
    hf_runtime_free(runtime);
    assert_true(puppet_count_logs(puppet, "worker.not_ended") > 0);
}

/* The same for a completion that is never taken: it is given up with the grace. */
static void test_completion_that_is_never_taken_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, SIZE_MAX, HF_DISK_FULL);
    puppet_give_item(puppet, 1, "quick", "");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    hf_runtime_stop(runtime, 0, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count_logs(puppet, "activity.unsent"), 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_END_REGISTRATION), 1);
}

/* Told HF_OK, a completion counts, also when its function runs on beyond the grace. */
static void test_completion_ahead_of_its_function_is_not_handed_back(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = worker(puppet);
    puppet_give_item(puppet, 1, "ahead", "");
    wait_running(fixture, 1);
    hf_runtime_stop(runtime, 0, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_ITEM), 0);
    uv_sem_post(&fixture->place.leave);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 1);
}

/* A session whose work only the store knows of, since its end could not be told, is asked for once
 * a tick, not as fast as answers come. */
static void test_session_that_the_store_keeps_is_asked_for_once_a_tick(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    enum { NS_PER_TICK = HF__PROBE_MS * 1000000 };
    hf_runtime *runtime = worker(puppet);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    pthread_mutex_lock(&puppet->mutex);
    puppet->release_code = "running";
    puppet->release_codes_count = SIZE_MAX;
    pthread_mutex_unlock(&puppet->mutex);
    uint64_t begin_ns = uv_hrtime();
    hf_runtime_stop(runtime, 0, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    uint64_t ticks_count = (uv_hrtime() - begin_ns) / NS_PER_TICK;
    hf_runtime_free(runtime);
    assert_in_range(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 1, ticks_count + 2);
}

/* Whoever asks is told of the end once, though a signal or an earlier call had begun it, and though
 * it is over already. */
static void test_whoever_asks_first_with_a_callback_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    atomic_int *stops = &fixture->place.stops;
    hf_runtime *runtime = worker(puppet);
    hf_runtime_stop_signal(runtime);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    hf_runtime_stop(runtime, 0, count_stop, stops);
    hf_runtime_stop(runtime, 0, count_stop, stops);
    assert_int_equal(atomic_load(stops), 1);
    hf_runtime_free(runtime);

    runtime = worker(puppet);
    puppet_give_item(puppet, 1, "stuck", "");
    wait_running(fixture, 1);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    hf_runtime_stop(runtime, 0, count_stop, stops);
    hf_runtime_stop(runtime, 0, count_stop, stops);
    atomic_store(&fixture->place.is_open, true);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    assert_int_equal(atomic_load(stops), 2);
    hf_runtime_free(runtime);
}

/* A runtime and what its callbacks were answered when they waited for it. */
struct waiting {
    hf_runtime *runtime;
    uv_sem_t is_made; /* the runtime stands above */
    atomic_int on_session, on_stopped, on_done;
};

static void wait_on_session(void *user, const hf_session_info *session, bool gained)
{
    struct waiting *waiting = user;
    (void)session;
    if (!gained) return;
    uv_sem_wait(&waiting->is_made);
    atomic_store(&waiting->on_session, (int)hf_runtime_join(waiting->runtime, NULL));
}

static void wait_on_stopped(void *user)
{
    struct waiting *waiting = user;
    atomic_store(&waiting->on_stopped, (int)hf_runtime_join(waiting->runtime, NULL));
}

static void wait_on_done(void *user, const hf_error *error)
{
    struct waiting *waiting = user;
    (void)error;
    atomic_store(&waiting->on_done, (int)hf_runtime_join(waiting->runtime, NULL));
    uv_sem_post(&waiting->is_made);
}

/* A callback without which the runtime cannot stop is refused to wait for that. */
static void test_callbacks_cannot_wait_for_the_stop(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    struct waiting waiting = { .runtime = NULL };
    hf_error error = { 0 };
    assert_int_equal(uv_sem_init(&waiting.is_made, 0), 0);
    puppet_give_session_item(puppet, 1, "quick", PUPPET_EPOCH);
    waiting.runtime = puppet_worker(puppet,
                                    HF_WITH(hf_runtime_options, .activity_threads = 1,
                                            .on_session = wait_on_session, .user = &waiting));
    assert_ok(hf_submit(puppet->store,
                        HF_WITH(hf_command, .kind = HF_COMMAND_CANCEL, .instance = "i",
                                .on_done = wait_on_done, .user = &waiting),
                        &error),
              &error);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    hf_runtime_stop(waiting.runtime, PUPPET_LIMIT_MS, wait_on_stopped, &waiting);
    assert_ok(hf_runtime_join(waiting.runtime, &error), &error);
    assert_int_equal(atomic_load(&waiting.on_session), HF_INVALID);
    assert_int_equal(atomic_load(&waiting.on_stopped), HF_INVALID);
    assert_int_equal(atomic_load(&waiting.on_done), HF_INVALID);
    hf_runtime_free(waiting.runtime);
    uv_sem_destroy(&waiting.is_made);
}

int main(void)
{
#define SHUTDOWN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SHUTDOWN_TEST(test_idle_runtime_ends_its_registration_last),
        SHUTDOWN_TEST(test_idle_sessions_are_released_in_one_command),
        SHUTDOWN_TEST(row_4b_10_cancelled_activity_is_handed_back_uncounted),
        SHUTDOWN_TEST(trap_c14_shutdown_renews_and_releases_in_order),
        SHUTDOWN_TEST(test_grace_over_gives_up_what_runs_on),
        SHUTDOWN_TEST(test_late_grants_are_handed_back),
        SHUTDOWN_TEST(test_refused_release_and_end_are_tried_again),
        SHUTDOWN_TEST(test_dead_store_does_not_hold_the_stop),
        SHUTDOWN_TEST(test_completion_that_is_never_taken_is_given_up),
        SHUTDOWN_TEST(test_completion_ahead_of_its_function_is_not_handed_back),
        SHUTDOWN_TEST(test_session_that_the_store_keeps_is_asked_for_once_a_tick),
        SHUTDOWN_TEST(test_whoever_asks_first_with_a_callback_is_told),
        SHUTDOWN_TEST(test_callbacks_cannot_wait_for_the_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
