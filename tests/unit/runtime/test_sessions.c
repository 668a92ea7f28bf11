/* What users hear of sessions: lines of the log, counters, and on_session, against a puppet store.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "tests/unit/runtime/puppet.h"

/* What on_session was told, in order: "+1@100 " a gain of instance 1's session at epoch 100. */
struct told {
    hf_runtime *runtime;
    pthread_mutex_t mutex;
    char text[512];
    char tag[32], session[32], owner[64];
};

struct fixture {
    struct puppet puppet;
    struct told told;
};

static void on_session(void *user, const hf_session_info *session, bool gained)
{
    struct told *told = user;
    /* The mutex of the runtime is free: its metrics take it. */
    if (told->runtime) (void)puppet_metric(told->runtime, "sessions_owned");
    pthread_mutex_lock(&told->mutex);
    size_t used = strlen(told->text);
    snprintf(told->text + used, sizeof told->text - used, "%s%llu ", gained ? "+" : "-",
             (unsigned long long)session->epoch);
    snprintf(told->tag, sizeof told->tag, "%s", session->tag ? session->tag : "");
    snprintf(told->session, sizeof told->session, "%s/%s", session->instance, session->session);
    snprintf(told->owner, sizeof told->owner, "%s", session->owner);
    pthread_mutex_unlock(&told->mutex);
}

struct expected {
    struct told *told;
    const char *text;
};

static bool has_told(void *context)
{
    const struct expected *expected = context;
    pthread_mutex_lock(&expected->told->mutex);
    bool is_so = strcmp(expected->told->text, expected->text) == 0;
    pthread_mutex_unlock(&expected->told->mutex);
    return is_so;
}

static void wait_told(struct told *told, const char *text)
{
    struct expected expected = { told, text };
    if (!hf_test_wait(PUPPET_LIMIT_MS, &expected, has_told)) fail_msg("%s", told->text);
}

static hf_status quick(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

/* Opens two sessions, closes one, and leaves the other to its end. */
static hf_status opener(hf_orchestration *o, hf_slice input)
{
    (void)hf_session_open_id(o, "left");
    hf_session closed = hf_session_open_id(o, "closed");
    hf_session_close(o, closed);
    hf_session_close(o, hf_session_named(o, "never opened"));
    return hf_complete(o, input);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    pthread_mutex_init(&fixture->told.mutex, NULL);
    puppet_open(&fixture->puppet);
    hf_register_activity(fixture->puppet.registry, "quick", quick, NULL);
    hf_register_orchestration(fixture->puppet.registry, "opener", opener, NULL);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    puppet_close(&fixture->puppet);
    pthread_mutex_destroy(&fixture->told.mutex);
    free(fixture);
    return 0;
}

static hf_runtime *hearing_worker(struct fixture *fixture)
{
    return puppet_worker(&fixture->puppet,
                         HF_WITH(hf_runtime_options, .worker_id = "me", .on_session = on_session,
                                 .user = &fixture->told));
}

/* ---- on_session ----------------------------------------------------------------------------- */

/* Each gain is followed by exactly one loss, whatever ends the claim: loss, close, a newer claim of
 * our own, or the end of the runtime. */
static void test_each_gain_has_one_loss(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    struct told *told = &fixture->told;
    hf_runtime *runtime = hearing_worker(fixture);
    told->runtime = runtime;
    puppet_give_session_item(puppet, 1, "quick", 100);
    wait_told(told, "+100 ");
    puppet_give_session_item(puppet, 1, "quick", 100);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    puppet_void(puppet, true, 1, "epoch");
    wait_told(told, "+100 -100 ");
    puppet_give_session_item(puppet, 2, "quick", 200);
    wait_told(told, "+100 -100 +200 ");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 3); /* what is void before sends nothing */
    puppet_void(puppet, true, 2, "session_closed");
    wait_told(told, "+100 -100 +200 -200 ");
    puppet_give_session_item(puppet, 3, "quick", 300);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 4);
    puppet_give_session_item(puppet, 3, "quick", 301);
    wait_told(told, "+100 -100 +200 -200 +300 -300 +301 ");
    told->runtime = NULL;
    hf_runtime_free(runtime);
    wait_told(told, "+100 -100 +200 -200 +300 -300 +301 -301 ");
    assert_int_equal(puppet_count_logs(puppet, "session.lost"), 2);
    assert_int_equal(puppet_count_logs(puppet, "session.release"), 2);
}

/* A session that is gone before its gain was told is told of in order all the same. */
static void test_gain_is_told_before_its_loss(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = hearing_worker(fixture);
    puppet_give_session_item(puppet, 1, "quick", 100);
    puppet_give_session_item(puppet, 1, "quick", 101);
    wait_told(&fixture->told, "+100 -100 +101 ");
    hf_runtime_free(runtime);
}

/* What is known of the session is told. */
static void test_gain_names_the_session(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = hearing_worker(fixture);
    puppet_give(
        puppet,
        (struct hf_item_grant){ .token.item = { .instance = 1, .execution = 1, .event_id = 2 },
                                .session_id = hf_text("desk"),
                                .tag = hf_text("gpu"),
                                .incarnation = 1,
                                .epoch = 100,
                                .first_in_claim = true },
        "quick");
    wait_told(&fixture->told, "+100 ");
    assert_string_equal(fixture->told.session, "thing/desk");
    assert_string_equal(fixture->told.tag, "gpu");
    assert_string_equal(fixture->told.owner, "me");
    hf_runtime_free(runtime);
}

/* ---- lines and counters --------------------------------------------------------------------- */

static struct hf_item_grant taken_over(uint64_t instance, uint64_t from, const char *worker)
{
    return (struct hf_item_grant){
        .token.item = { .instance = instance, .execution = 1, .event_id = 2 },
        .session_id = hf_text("desk"),
        .incarnation = 1,
        .epoch = 100,
        .first_in_claim = true,
        .was_owned = true,
        .from = from,
        .from_worker = hf_text(worker),
        .claim_reason = HF_REASON_DEAD
    };
}

/* A claim is logged with session and worker, a takeover with both workers and its reason; a session
 * that was ours before is none. */
static void test_takeover_names_both_workers(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = hearing_worker(fixture);
    puppet_give_session_item(puppet, 1, "quick", 90);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    struct puppet_log log = puppet_wait_log(puppet, "session.claim");
    assert_string_equal(log.session, "desk");
    assert_string_equal(log.instance, "thing");
    assert_string_equal(log.worker, "me");
    puppet_give(puppet, taken_over(2, PUPPET_REGISTRATION, "me"), "quick");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    assert_int_equal(puppet_count_logs(puppet, "session.takeover"), 0);
    puppet_give(puppet, taken_over(3, PUPPET_REGISTRATION - 1, "former"), "quick");
    log = puppet_wait_log(puppet, "session.takeover");
    assert_non_null(strstr(log.message, "me has taken"));
    assert_non_null(strstr(log.message, "former"));
    assert_non_null(strstr(log.message, "dead"));
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 3);
    assert_true(puppet_metric(runtime, "sessions_claimed") == 3);
    assert_true(puppet_metric(runtime, "sessions_taken_over") == 1);
    hf_runtime_free(runtime);
}

/* A turn's sessions are logged once it is committed: opened, closed, and closed by the end of the
 * instance; a close of what was not open is none. */
static void test_committed_turn_logs_its_sessions(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    puppet_set_view(puppet, "opener", NULL, false);
    hf_runtime *runtime = hearing_worker(fixture);
    puppet_give_turn(puppet, 1, 10, "opener");
    struct puppet_log log = puppet_wait_log(puppet, "session.open");
    assert_string_equal(log.instance, "thing");
    puppet_wait(puppet, HF_STORE_COMMIT_TURN, 1);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count_logs(puppet, "session.open"), 2);
    assert_int_equal(puppet_count_logs(puppet, "session.close"), 2);
    log = puppet_wait_log(puppet, "session.close");
    assert_string_equal(log.session, "left");
    assert_non_null(strstr(log.message, "end of its instance"));
}

/* A turn that was not committed has opened nothing. */
static void test_refused_turn_logs_no_session(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    puppet_set_view(puppet, "opener", NULL, false);
    puppet_refuse(puppet, HF_STORE_COMMIT_TURN, 1, HF_STALE);
    hf_runtime *runtime = hearing_worker(fixture);
    puppet_give_turn(puppet, 1, 10, "opener");
    puppet_wait(puppet, HF_STORE_COMMIT_TURN, 1);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count_logs(puppet, "session.open"), 0);
    assert_int_equal(puppet_count_logs(puppet, "session.close"), 0);
}

int main(void)
{
#define SESSIONS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SESSIONS_TEST(test_each_gain_has_one_loss),
        SESSIONS_TEST(test_gain_is_told_before_its_loss),
        SESSIONS_TEST(test_gain_names_the_session),
        SESSIONS_TEST(test_takeover_names_both_workers),
        SESSIONS_TEST(test_committed_turn_logs_its_sessions),
        SESSIONS_TEST(test_refused_turn_logs_no_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
