/* What clients send to instances, and what of it stays in a store: messages of all kinds, timers
 * and activities that were called off. On whole runtimes. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/role.h"

/* ---- what runs ------------------------------------------------------------------------------ */

/* Waits for an event and a message. */
static hf_status hears(hf_orchestration *o, hf_slice input)
{
    hf_slice data, message;
    (void)input;
    HF_TRY(hf_await(o, hf_event_wait(o, "e"), &data));
    HF_TRY(hf_dequeue(o, "q", &message));
    return hf_complete(o, hf_format(o, HF_FMT " " HF_FMT, HF_ARG(data), HF_ARG(message)));
}

/* Answers each message, which must be a number that counts up from 0, by a status, until "end". It
 * does so in its second execution, which a message to "begin" starts. */
static hf_status answers(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    int64_t number, count = 0;
    if (!hf_slice_equal(input, hf_text("second"))) {
        HF_TRY(hf_dequeue(o, "begin", NULL));
        return hf_continue_as_new(o, hf_text("second"));
    }
    hf_scope round = hf_scope_open(o);
    for (;; count++) {
        hf_scope_reset(o, round);
        HF_TRY(hf_dequeue(o, "q", &message));
        if (hf_slice_equal(message, hf_text("end"))) break;
        if (!hf_slice_to_i64(message, &number) || number != count) {
            return hf_fail(o, "order", "message %lld is " HF_FMT, (long long)count,
                           HF_ARG(message));
        }
        hf_status_set(o, message);
    }
    return hf_complete(o, hf_format(o, "%lld", (long long)count));
}

/* Has a timer of an hour, until a message comes. */
static hf_status arms(hf_orchestration *o, hf_slice input)
{
    enum { HOUR_MS = 3600000 };
    hf_future timer = hf_timer(o, HOUR_MS);
    hf_status_set(o, hf_text("armed"));
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_future_cancel(o, timer);
    hf_status_set(o, hf_text("gone"));
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

/* Calls off what it has just scheduled. */
static hf_status regrets(hf_orchestration *o, hf_slice input)
{
    hf_future work = hf_schedule(o, "traces", input);
    hf_future timer = hf_timer(o, 1);
    hf_future_cancel(o, work);
    hf_future_cancel(o, timer);
    hf_status_set(o, hf_text("regrets"));
    HF_TRY(hf_dequeue(o, "q", NULL));
    HF_TRY(hf_call(o, "echo", input, NULL));
    return hf_complete(o, input);
}

static hf_status traces(hf_activity *a, hf_slice input)
{
    stage_say(hf_activity_user(a), "it ran");
    return hf_activity_complete(a, input);
}

static const struct part parts[] = { { "hears", hears, NULL },   { "answers", answers, NULL },
                                     { "arms", arms, NULL },     { "regrets", regrets, NULL },
                                     { "traces", NULL, traces }, { NULL, NULL, NULL } };

static hf_runtime *worker(struct house *house)
{
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = "w"));
}

static void close_all(struct house *house, hf_runtime *runtime)
{
    house_rest(runtime);
    hf_runtime_free(runtime);
    house_close(house);
}

static hf_stats stats_of(struct house *house)
{
    hf_stats stats = HF_INIT(hf_stats);
    hf_error error = { 0 };
    assert_ok(hf_stats_read(house->store, &stats, &error), &error);
    return stats;
}

/* ---- to whom -------------------------------------------------------------------------------- */

static void refuse_messages(struct house *house, const char *id)
{
    hf_error error = { 0 };
    assert_status(hf_raise(house->store, id, "e", hf_text("x"), &error), HF_NOT_FOUND);
    assert_non_null(strstr(error.message, id));
    assert_status(hf_enqueue(house->store, id, "q", hf_text("x"), &error), HF_NOT_FOUND);
    assert_non_null(strstr(error.message, id));
    assert_int_equal(stats_of(house).messages_count, 0);
}

/* Nothing waits for somebody of that id: whoever is started under it later hears only what is sent
 * to him. */
static void row_1b_6_message_for_nobody_is_refused(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    refuse_messages(&house, "nobody");
    house_start(&house, "nobody", "hears", "");
    hf_runtime *runtime = worker(&house);
    house_send(&house, "nobody", "q", "message");
    assert_ok(hf_raise(house.store, "nobody", "e", hf_text("event"), &error), &error);
    house_expect(&house, "nobody", "event message");
    close_all(&house, runtime);
}

static void row_1b_7_message_for_an_ended_instance_is_refused(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    const hf_instance *instance = NULL;
    house_open(&house, parts);
    house_start(&house, "done", "hello", "you");
    hf_runtime *runtime = worker(&house);
    house_expect(&house, "done", "Hello, you!");
    assert_ok(hf_get(house.store, "done", &instance, &error), &error);
    uint64_t events_count = instance->events_count;
    hf_instance_free(instance);
    refuse_messages(&house, "done");
    assert_ok(hf_get(house.store, "done", &instance, &error), &error);
    assert_int_equal(instance->events_count, events_count);
    hf_instance_free(instance);
    close_all(&house, runtime);
}

/* ---- durable -------------------------------------------------------------------------------- */

/* Sends both to "i", says so, and waits to be killed. */
static int role_send(const char *directory)
{
    hf_store *store = NULL;
    char line[HF_ROLE_LINE_SIZE];
    if (hf_store_open(directory, NULL, &store, NULL) != HF_OK) return 1;
    if (hf_raise(store, "i", "e", hf_text("event"), NULL) != HF_OK) return 1;
    if (hf_enqueue(store, "i", "q", hf_text("message"), NULL) != HF_OK) return 1;
    hf_role_print("sent");
    hf_role_read(line);
    return 1;
}

/* The process that sent them is killed at once, and nobody ran the instance before. */
static void row_3_2_what_was_sent_is_durable(void **state)
{
    (void)state;
    struct house house;
    struct hf_role role;
    house_open(&house, parts);
    house_start(&house, "i", "hears", "");
    hf_role_start(&role, (const char *const[]){ "send", house.directory.path, NULL });
    hf_role_hear(&role, "sent");
    hf_role_kill(&role);
    house_reopen(&house, 0);
    assert_int_equal(stats_of(&house).messages_count, 2);
    hf_runtime *runtime = worker(&house);
    house_expect(&house, "i", "event message");
    close_all(&house, runtime);
}

/* ---- many ----------------------------------------------------------------------------------- */

enum { MANY = 10000, IN_FLIGHT = 500 };

struct flight {
    _Atomic size_t answered, failed;
    size_t sent;
};

static void on_sent(void *user, const hf_error *error)
{
    struct flight *flight = user;
    if (error->status != HF_OK) atomic_fetch_add(&flight->failed, 1);
    atomic_fetch_add(&flight->answered, 1);
}

static bool has_landed(void *context)
{
    struct flight *flight = context;
    return atomic_load(&flight->answered) == flight->sent;
}

/* Sends the numbers from 0 on, in their order, then "end". */
static void send_many(struct house *house, const char *id)
{
    struct flight flight = { .sent = 0 };
    hf_error error = { 0 };
    for (int i = 0; i < MANY; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        hf_command command = { .size = sizeof command, .kind = HF_COMMAND_ENQUEUE };
        command.instance = id;
        command.name = "q";
        command.data = hf_text(text);
        command.on_done = on_sent;
        command.user = &flight;
        flight.sent++;
        assert_ok(hf_submit(house->store, &command, &error), &error);
        if (flight.sent % IN_FLIGHT == 0) {
            assert_true(hf_test_wait(STAGE_LIMIT_MS, &flight, has_landed));
        }
    }
    assert_int_equal(flight.failed, 0);
    house_send(house, id, "q", "end");
}

/* All of them came before anybody took one. */
static void row_10_1_messages_carried_have_no_limit(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    const hf_instance *instance = NULL;
    house_open(&house, parts);
    house_start(&house, "i", "answers", "");
    send_many(&house, "i");
    house_send(&house, "i", "begin", "");
    hf_runtime *runtime = worker(&house);
    house_expect(&house, "i", "10000");
    assert_ok(hf_get(house.store, "i", &instance, &error), &error);
    assert_int_equal(instance->execution, 2);
    assert_true(instance->events_count > UINT64_C(2) * MANY);
    hf_instance_free(instance);
    close_all(&house, runtime);
}

/* ---- called off ----------------------------------------------------------------------------- */

static void row_1d_4_cancelled_timer_is_gone_at_once(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    house_start(&house, "i", "arms", "out");
    hf_runtime *runtime = worker(&house);
    house_wait_status(&house, "i", "armed");
    assert_int_equal(stats_of(&house).timers_count, 1);
    house_send(&house, "i", "q", "");
    house_wait_status(&house, "i", "gone");
    assert_int_equal(stats_of(&house).timers_count, 0);
    house_send(&house, "i", "q", "");
    house_expect(&house, "i", "out");
    close_all(&house, runtime);
}

/* No row of it is there when the turn is committed, and no worker ever saw it. */
static void row_1d_5_scheduled_and_cancelled_in_one_turn_runs_nothing(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    house_start(&house, "i", "regrets", "out");
    hf_runtime *runtime = worker(&house);
    house_wait_status(&house, "i", "regrets");
    hf_stats stats = stats_of(&house);
    assert_int_equal(stats.activities_waiting_count + stats.activities_running_count, 0);
    assert_int_equal(stats.timers_count, 0);
    house_send(&house, "i", "q", "");
    house_expect(&house, "i", "out");
    assert_int_equal(stage_count(&house.stage, "it ran"), 0);
    close_all(&house, runtime);
}

/* ---- limits of a worker --------------------------------------------------------------------- */

static void row_10_3_worker_has_64_tags_at_most(void **state)
{
    (void)state;
    enum { TAGS_MAX = 64 };
    struct house house;
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    char names[TAGS_MAX + 1][16];
    const char *tags[TAGS_MAX + 1];
    for (int i = 0; i <= TAGS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "tag-%d", i);
        tags[i] = names[i];
    }
    house_open(&house, parts);
    hf_runtime_options options = HF_INIT(hf_runtime_options);
    options.tags = tags;
    options.tags_count = TAGS_MAX + 1;
    assert_status(hf_runtime_new(house.store, house.registry, &options, &runtime, &error),
                  HF_INVALID);
    assert_non_null(strstr(error.message, "at most 64"));
    options.tags_count = TAGS_MAX;
    options.worker_id = "w";
    close_all(&house, house_worker(&house, &options));
}

int main(int count, char **words)
{
    if (count > 3 && strcmp(words[1], "--role") == 0) return role_send(words[3]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1b_6_message_for_nobody_is_refused),
        cmocka_unit_test(row_1b_7_message_for_an_ended_instance_is_refused),
        cmocka_unit_test(row_3_2_what_was_sent_is_durable),
        cmocka_unit_test(row_10_1_messages_carried_have_no_limit),
        cmocka_unit_test(row_1d_4_cancelled_timer_is_gone_at_once),
        cmocka_unit_test(row_1d_5_scheduled_and_cancelled_in_one_turn_runs_nothing),
        cmocka_unit_test(row_10_3_worker_has_64_tags_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
