/* Values and custom status as clients see them: on whole runtimes, over continue-as-new, the end, a
 * restart of the worker, and deletion. */
#include "tests/support/house.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Each message of the mailbox "set" is "<key>=<value>"; "again", "end" and "clear" are what they
 * say, and "copy" has the code read the value of "k". */
static hf_status keeps(hf_orchestration *o, hf_slice input)
{
    hf_status_set(o, hf_text("waits"));
    for (;;) {
        hf_slice message;
        HF_TRY(hf_dequeue(o, "set", &message));
        if (hf_slice_equal(message, hf_text("again"))) return hf_continue_as_new(o, input);
        if (hf_slice_equal(message, hf_text("end"))) return hf_complete(o, input);
        if (hf_slice_equal(message, hf_text("copy"))) {
            hf_slice value;
            if (hf_kv_get(o, "k", &value)) hf_kv_set(o, "copy", value);
            continue;
        }
        const char *equals = memchr(message.data, '=', message.size);
        if (!equals) {
            hf_kv_clear(o, NULL);
            continue;
        }
        size_t key_size = (size_t)(equals - message.data);
        const char *key = hf_format(o, "%.*s", (int)key_size, message.data).data;
        hf_kv_set(o, key, hf_bytes(equals + 1, message.size - key_size - 1));
    }
}

static const struct part parts[] = { { "keeps", keeps, NULL }, { NULL, NULL, NULL } };

static hf_runtime *worker(struct house *house)
{
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = "w"));
}

static void rest(hf_runtime *runtime)
{
    house_rest(runtime);
    assert_true(house_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
}

static void check_value(struct house *house, const char *key, const char *expected)
{
    const hf_value *value = NULL;
    hf_error error = { 0 };
    assert_ok(hf_kv_read(house->store, "i", key, &value, &error), &error);
    assert_string_equal(value->key, key);
    assert_true(hf_slice_equal(value->value, hf_text(expected)));
    assert_true(value->set_unix_ms > 0);
    hf_value_free(value);
}

static void check_none(struct house *house, const char *instance, const char *key, const char *code)
{
    const hf_value *value = NULL;
    hf_error error = { 0 };
    assert_status(hf_kv_read(house->store, instance, key, &value, &error), HF_NOT_FOUND);
    assert_string_equal(error.code, code);
}

static void wait_value(struct house *house, const char *key, const char *expected)
{
    const hf_value *value = NULL;
    hf_error error = { 0 };
    assert_ok(hf_kv_wait(house->store, "i", key, STAGE_LIMIT_MS, &value, &error), &error);
    assert_true(hf_slice_equal(value->value, hf_text(expected)));
    hf_value_free(value);
}

/* A value is there from the commit of its turn on; over continue-as-new, a restart of the worker
 * and the end of the instance; deleting the instance frees it, and its id begins without. */
static void row_1e_7_values_live_with_their_instance(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *first = worker(&house);
    house_start(&house, "i", "keeps", "out");
    house_send(&house, "i", "set", "k=1");
    wait_value(&house, "k", "1");
    house_send(&house, "i", "set", "again");
    house_send(&house, "i", "set", "l=2");
    wait_value(&house, "l", "2");
    check_value(&house, "k", "1");
    rest(first);

    hf_runtime *second = worker(&house);
    house_send(&house, "i", "set", "copy");
    wait_value(&house, "copy", "1");
    house_send(&house, "i", "set", "end");
    house_expect(&house, "i", "out");
    check_value(&house, "k", "1");
    check_value(&house, "l", "2");
    assert_ok(hf_delete(house.store, "i", false, &error), &error);
    check_none(&house, "i", "k", "no_instance");
    house_start(&house, "i", "keeps", "out");
    house_wait_status(&house, "i", "waits");
    check_none(&house, "i", "k", "no_value");
    assert_ok(hf_terminate(house.store, "i", NULL, &error), &error);
    rest(second);
    house_close(&house);
}

/* Reading says which of the two is missing, and refuses what is no key. */
static void row_3_7_values_are_read_and_awaited(void **state)
{
    (void)state;
    struct house house;
    const hf_value *value = NULL;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    check_none(&house, "i", "k", "no_instance");
    house_start(&house, "i", "keeps", "out");
    check_none(&house, "i", "k", "no_value");
    assert_status(hf_kv_read(house.store, "i", "", &value, &error), HF_INVALID);
    assert_status(hf_kv_read(house.store, "i", "k", NULL, &error), HF_INVALID);
    assert_status(hf_kv_wait(house.store, "i", "k", 1, &value, &error), HF_TIMEOUT);
    house_send(&house, "i", "set", "k=");
    wait_value(&house, "k", "");
    house_send(&house, "i", "set", "clear");
    house_send(&house, "i", "set", "end");
    house_expect(&house, "i", "out");
    assert_status(hf_kv_wait(house.store, "i", "k", STAGE_LIMIT_MS, &value, &error), HF_NOT_FOUND);
    assert_string_equal(error.code, "no_value");
    hf_value_free(NULL);
    rest(runtime);
    house_close(&house);
}

/* ---- waiting -------------------------------------------------------------------------------- */

struct waiter {
    struct house *house;
    pthread_t thread;
    hf_status status;
    uint64_t version;
};

static void *waiter_run(void *argument)
{
    struct waiter *self = argument;
    const hf_instance *instance = NULL;
    self->status = hf_wait_status(self->house->store, "i", 1, STAGE_LIMIT_MS, &instance, NULL);
    if (self->status == HF_OK) self->version = instance->custom_status_version;
    hf_instance_free(instance);
    return NULL;
}

/* Who waits for a newer status is woken by the commit that sets it, or by the end. */
static void row_3_6_status_change_is_awaited(void **state)
{
    (void)state;
    struct house house;
    const hf_instance *instance = NULL;
    hf_error error = { 0 };
    struct waiter waiter = { .house = &house };
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house);
    house_start(&house, "i", "keeps", "out");
    assert_ok(hf_wait_status(house.store, "i", 0, STAGE_LIMIT_MS, &instance, &error), &error);
    assert_true(hf_slice_equal(instance->custom_status, hf_text("waits")));
    assert_int_equal(instance->custom_status_version, 1);
    hf_instance_free(instance);
    assert_status(hf_wait_status(house.store, "i", 1, 1, &instance, &error), HF_TIMEOUT);
    assert_int_equal(pthread_create(&waiter.thread, NULL, waiter_run, &waiter), 0);
    house_send(&house, "i", "set", "again");
    assert_int_equal(pthread_join(waiter.thread, NULL), 0);
    assert_status(waiter.status, HF_OK);
    assert_int_equal(waiter.version, 2);
    house_send(&house, "i", "set", "end");
    assert_ok(hf_wait_status(house.store, "i", 2, STAGE_LIMIT_MS, &instance, &error), &error);
    assert_int_equal(instance->status, HF_INSTANCE_COMPLETED);
    hf_instance_free(instance);
    assert_status(hf_wait_status(house.store, "nobody", 0, 1, &instance, &error), HF_NOT_FOUND);
    rest(runtime);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1e_7_values_live_with_their_instance),
        cmocka_unit_test(row_3_7_values_are_read_and_awaited),
        cmocka_unit_test(row_3_6_status_change_is_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
