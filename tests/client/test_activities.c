/* What an activity may do beside its work: use the store as a client, write to the log; and how
 * fast it learns that nobody wants it any more. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- what runs ------------------------------------------------------------------------------ */

/* Sets the value "k" to its input, and waits for a message, which is its output. */
static hf_status keeps(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    hf_kv_set(o, "k", input);
    HF_TRY(hf_dequeue(o, "go", &message));
    return hf_complete(o, message);
}

/* Starts another instance, reads its value, sends it a message, and waits for its output. */
static hf_status drives(hf_activity *a, hf_slice input)
{
    hf_store *store = hf_activity_store(a);
    const hf_value *value = NULL;
    const hf_instance *instance = NULL;
    char text[64];
    HF_TRY(hf_start(store, "driven", "keeps", input, NULL));
    HF_TRY(hf_kv_wait(store, "driven", "k", STAGE_LIMIT_MS, &value, NULL));
    HF_TRY(hf_enqueue(store, "driven", "go", hf_text("message"), NULL));
    HF_TRY(hf_wait(store, "driven", STAGE_LIMIT_MS, &instance, NULL));
    snprintf(text, sizeof text, HF_FMT ", " HF_FMT, HF_ARG(value->value), HF_ARG(instance->output));
    hf_value_free(value);
    hf_instance_free(instance);
    return hf_activity_complete(a, hf_text(text));
}

static hf_status drive(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    HF_TRY(hf_call(o, "drives", input, &output));
    return hf_complete(o, output);
}

/* Writes two lines: one that is wanted, and one of a level that is not. */
static hf_status logs(hf_activity *a, hf_slice input)
{
    hf_activity_log(a, HF_LOG_WARN, "%d of " HF_FMT, 3, HF_ARG(input));
    hf_activity_log(a, HF_LOG_DEBUG, "unwanted");
    return hf_activity_complete(a, input);
}

static hf_status log_on_session(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    HF_TRY(hf_call_on(o, hf_session_open_id(o, "desk"), "logs", input, &output));
    return hf_complete(o, output);
}

/* Schedules `hold` twice, and calls both off at a message. */
static hf_status calls_off(hf_orchestration *o, hf_slice input)
{
    hf_future first = hf_schedule(o, "hold", input);
    hf_future second = hf_schedule(o, "hold", hf_text("never"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    hf_future_cancel(o, first);
    hf_future_cancel(o, second);
    hf_status status = hf_await(o, first, NULL);
    if (status != HF_CANCELLED || hf_await(o, second, NULL) != HF_CANCELLED) {
        return hf_fail(o, "other", "%s", hf_status_name(status));
    }
    return hf_complete(o, hf_text("called off"));
}

static const struct part parts[] = {
    { "keeps", keeps, NULL },   { "drive", drive, NULL },
    { "drives", NULL, drives }, { "log_on_session", log_on_session, NULL },
    { "logs", NULL, logs },     { "calls_off", calls_off, NULL },
    { NULL, NULL, NULL }
};

static hf_runtime *worker(struct house *house)
{
    return house_worker(house,
                        HF_WITH(hf_runtime_options, .worker_id = "w", .activity_threads = 1));
}

static void rest(struct house *house, hf_runtime *runtime)
{
    house_rest(runtime);
    hf_runtime_free(runtime);
    house_close(house);
}

/* ---- the whole client ----------------------------------------------------------------------- */

/* From within an activity instances are started, messaged, read and waited for. */
static void row_2_5_activity_is_a_client(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "drive", "value");
    house_expect(&house, "i", "value, message");
    house_expect(&house, "driven", "message");
    rest(&house, runtime);
}

/* ---- the log -------------------------------------------------------------------------------- */

/* What was written about an activity: its last line, whole. */
struct heard {
    pthread_mutex_t mutex;
    hf_log_level level;
    uint64_t lsn;
    unsigned count;
    char line[STAGE_LINE_SIZE];
};

static void hear(void *self, const hf_log_line *line)
{
    struct heard *heard = self;
    if (strcmp(line->event, "activity.log") != 0) return;
    pthread_mutex_lock(&heard->mutex);
    heard->count++;
    heard->level = line->level;
    heard->lsn = line->lsn;
    snprintf(heard->line, sizeof heard->line, "%s %s %s %s: %s", line->instance, line->session,
             line->worker, line->activity, line->message);
    pthread_mutex_unlock(&heard->mutex);
}

/* A line of an activity names its instance, session, worker, activity and delivery, and has the
 * level that it asks for; a line above level_max is not made. */
static void row_2_6_log_line_says_what_it_is_about(void **state)
{
    (void)state;
    struct house house;
    struct heard heard = { .mutex = PTHREAD_MUTEX_INITIALIZER };
    house_open(&house, parts);
    house.observer.self = &heard;
    house.observer.log = hear;
    house.observer.level_max = HF_LOG_INFO;
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "log_on_session", "ten");
    house_expect(&house, "i", "ten");
    house_rest(runtime);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.level, HF_LOG_WARN);
    assert_true(heard.lsn > 0);
    assert_string_equal(heard.line, "i desk w logs: 3 of ten");
    rest(&house, runtime);
}

/* ---- called off ----------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* One activity runs, one waits behind it; both are called off. The first is told, from the message
 * that makes the code do so on; the second never runs. Returns how long it took. */
static uint64_t call_off(struct house *house, int number)
{
    char id[16], held[40], told[40];
    snprintf(id, sizeof id, "i%d", number);
    snprintf(held, sizeof held, "held %s ", id);
    snprintf(told, sizeof told, "told %s ", id);
    house_start(house, id, "calls_off", "gate");
    stage_wait(&house->stage, held, 1);
    uint64_t begin_ms = now_ms();
    house_send(house, id, "go", "");
    stage_wait(&house->stage, told, 1);
    uint64_t took_ms = now_ms() - begin_ms;
    house_expect(house, id, "called off");
    assert_int_equal(stage_count(&house->stage, held), 1);
    return took_ms;
}

/* On a busy machine one measurement may be late: the quickest of some counts. */
static void row_1d_1_called_off_is_told_within_100_ms(void **state)
{
    (void)state;
    struct house house;
    uint64_t quickest_ms = UINT64_MAX;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    for (int i = 0; i < 20 && quickest_ms >= 100; i++) {
        uint64_t took_ms = call_off(&house, i);
        if (took_ms < quickest_ms) quickest_ms = took_ms;
    }
    assert_true(quickest_ms < 100);
    house_start(&house, "last", "hello", "you");
    house_expect(&house, "last", "Hello, you!");
    assert_int_equal(stage_count(&house.stage, "held "), stage_count(&house.stage, "told "));
    rest(&house, runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_2_5_activity_is_a_client),
        cmocka_unit_test(row_2_6_log_line_says_what_it_is_about),
        cmocka_unit_test(row_1d_1_called_off_is_told_within_100_ms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
