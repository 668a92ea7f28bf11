/* Client commands that wait, with a fake store behind the handle: what they do, and what every call
 * refuses. */
#include "tests/unit/runtime/handle.h"

#include <string.h>

#include "engine/base/slice.h"

static const hf_slice INPUT = HF_SLICE("input");

/* ---- commands that wait --------------------------------------------------------------------- */

/* A started instance is there, pending, when hf_start returns; a second start of its id is refused.
 */
static void test_start_makes_a_pending_instance_once(void **state)
{
    struct handle *handle = *state;
    const hf_instance *instance = NULL;
    handle_start(handle, "a");
    assert_ok(hf_get(handle->store, "a", &instance, &handle->error), &handle->error);
    assert_int_equal(instance->size, sizeof *instance);
    assert_string_equal(instance->id, "a");
    assert_int_equal(instance->status, HF_INSTANCE_PENDING);
    assert_int_equal(instance->execution, 1);
    assert_int_equal(instance->ended_unix_ms, 0);
    assert_int_equal(instance->output.size, 0);
    assert_null(instance->error);
    hf_instance_free(instance);
    assert_status(hf_start(handle->store, "a", "hello", INPUT, &handle->error), HF_EXISTS);
    assert_non_null(strstr(handle->error.message, "\"a\" exists"));
    assert_status(hf_start(handle->store, "a", "hello", INPUT, NULL), HF_EXISTS);
}

/* Messages reach running instances only; a cancel request of an ended one is fine and does nothing.
 */
static void test_messages_and_requests_reach_running_instances(void **state)
{
    struct handle *handle = *state;
    hf_store *store = handle->store;
    hf_error *error = &handle->error;
    assert_status(hf_enqueue(store, "a", "mail", INPUT, error), HF_NOT_FOUND);
    assert_status(hf_raise(store, "a", "go", INPUT, error), HF_NOT_FOUND);
    assert_status(hf_cancel(store, "a", "why", error), HF_NOT_FOUND);
    assert_status(hf_terminate(store, "a", NULL, error), HF_NOT_FOUND);
    handle_start(handle, "a");
    assert_ok(hf_enqueue(store, "a", "mail", INPUT, error), error);
    assert_ok(hf_raise(store, "a", "go", INPUT, error), error);
    assert_ok(hf_cancel(store, "a", NULL, error), error);
    assert_int_equal(hf_fake_messages(&handle->fake, "a"), 3);
    assert_ok(hf_terminate(store, "a", "enough", error), error);
    assert_status(hf_enqueue(store, "a", "mail", INPUT, error), HF_NOT_FOUND);
    assert_status(hf_raise(store, "a", "go", INPUT, error), HF_NOT_FOUND);
    assert_ok(hf_cancel(store, "a", "why", error), error);
    assert_ok(hf_terminate(store, "a", NULL, error), error);
    assert_int_equal(hf_fake_messages(&handle->fake, "a"), 3);
}

/* A terminated instance shows why. */
static void test_terminated_instance_shows_its_reason(void **state)
{
    struct handle *handle = *state;
    const hf_instance *instance = NULL;
    handle_start(handle, "a");
    assert_ok(hf_terminate(handle->store, "a", "enough", &handle->error), &handle->error);
    assert_ok(hf_get(handle->store, "a", &instance, &handle->error), &handle->error);
    assert_int_equal(instance->status, HF_INSTANCE_TERMINATED);
    assert_non_null(instance->error);
    assert_non_null(strstr(instance->error->message, "enough"));
    assert_true(instance->ended_unix_ms > 0);
    hf_instance_free(instance);
    hf_instance_free(NULL);
}

/* Unknown is passed on as it is: nobody says done or not done who does not know. */
static void test_unknown_outcome_is_passed_on(void **state)
{
    struct handle *handle = *state;
    handle->fake.unknown = "u";
    assert_status(hf_start(handle->store, "u", "hello", INPUT, &handle->error), HF_UNKNOWN);
    assert_int_equal(handle->error.status, HF_UNKNOWN);
    assert_string_equal(handle->error.message, "who knows");
    handle_start(handle, "v");
}

/* ---- what is refused ------------------------------------------------------------------------ */

struct bad_text {
    const char *text;
    const char *complaint;
};

static void bad_ids_fill(struct bad_text bad[4], char long_id[HF_ID_SIZE_MAX + 2])
{
    memset(long_id, 'x', HF_ID_SIZE_MAX + 1);
    long_id[HF_ID_SIZE_MAX + 1] = '\0';
    bad[0] = (struct bad_text){ NULL, "is empty" };
    bad[1] = (struct bad_text){ "", "is empty" };
    bad[2] = (struct bad_text){ long_id, "over 255 bytes" };
    bad[3] = (struct bad_text){ "caf\xe9", "not UTF-8" };
}

/* Every id and name is proved by every call, and the message names which one is wrong and how. */
static void row_10_10_ids_and_names_have_a_limit(void **state)
{
    struct handle *handle = *state;
    hf_store *store = handle->store;
    hf_error *error = &handle->error;
    const hf_instance *instance = NULL;
    char long_id[HF_ID_SIZE_MAX + 2];
    struct bad_text bad[4];
    bad_ids_fill(bad, long_id);
    for (size_t i = 0; i < HF_COUNT_OF(bad); i++) {
        const char *text = bad[i].text;
        const char *how = bad[i].complaint;
        handle_assert_invalid(handle, hf_start(store, text, "o", INPUT, error), "instance id", how);
        handle_assert_invalid(handle, hf_start(store, "a", text, INPUT, error), "orchestration's",
                              how);
        handle_assert_invalid(handle, hf_enqueue(store, text, "q", INPUT, error), "instance id",
                              how);
        handle_assert_invalid(handle, hf_enqueue(store, "a", text, INPUT, error), "queue's name",
                              how);
        handle_assert_invalid(handle, hf_raise(store, text, "e", INPUT, error), "instance id", how);
        handle_assert_invalid(handle, hf_raise(store, "a", text, INPUT, error), "event's name",
                              how);
        handle_assert_invalid(handle, hf_cancel(store, text, NULL, error), "instance id", how);
        handle_assert_invalid(handle, hf_terminate(store, text, NULL, error), "instance id", how);
        handle_assert_invalid(handle, hf_get(store, text, &instance, error), "instance id", how);
        handle_assert_invalid(handle, hf_wait(store, text, 1, &instance, error), "instance id",
                              how);
    }
    assert_int_equal(hf_fake_groups(&handle->fake), 0);
    assert_null(instance);
}

/* An id of exactly 255 bytes is one. */
static void test_id_of_255_bytes_is_allowed(void **state)
{
    struct handle *handle = *state;
    char id[HF_ID_SIZE_MAX + 1];
    memset(id, 'x', HF_ID_SIZE_MAX);
    id[HF_ID_SIZE_MAX] = '\0';
    handle_start(handle, id);
    assert_true(hf_fake_has(&handle->fake, id));
}

/* NULL where something must be is an error, never a crash. */
static void test_null_where_something_must_be_is_refused(void **state)
{
    struct handle *handle = *state;
    hf_error *error = &handle->error;
    const hf_instance *instance = NULL;
    const hf_slice hollow = { NULL, 5 };
    handle_assert_invalid(handle, hf_start(NULL, "a", "o", INPUT, error), "handle", "NULL");
    handle_assert_invalid(handle, hf_get(NULL, "a", &instance, error), "handle", "NULL");
    handle_assert_invalid(handle, hf_wait(NULL, "a", 0, &instance, error), "handle", "NULL");
    handle_assert_invalid(handle, hf_submit(NULL, NULL, error), "handle", "NULL");
    handle_assert_invalid(handle, hf_submit(handle->store, NULL, error), "command", "NULL");
    handle_assert_invalid(handle, hf_get(handle->store, "a", NULL, error), "out_instance", "NULL");
    handle_assert_invalid(handle, hf_wait(handle->store, "a", 0, NULL, error), "out_instance",
                          "NULL");
    handle_assert_invalid(handle, hf_start(handle->store, "a", "o", hollow, error), "input",
                          "NULL");
    assert_status(hf_start(handle->store, NULL, NULL, hollow, NULL), HF_INVALID);
    hf_store_close(NULL);
    assert_int_equal(hf_fake_groups(&handle->fake), 0);
}

/* A payload may be as large as the option says, and not a byte larger; the message has both
 * numbers. */
static void row_10_10_payloads_have_a_limit(void **state)
{
    struct handle *handle = *state;
    static const char bytes[1001];
    const hf_slice allowed = { bytes, 1000 };
    const hf_slice large = { bytes, 1001 };
    hf_error *error = &handle->error;
    handle->options.payload_size_max = 1000;
    handle_reopen(handle);
    hf_store *store = handle->store;
    assert_ok(hf_start(store, "a", "o", allowed, error), error);
    assert_status(hf_start(store, "b", "o", large, error), HF_TOO_LARGE);
    assert_string_equal(error->message,
                        "the input has 1001 bytes, and payload_size_max is 1000: keep large data "
                        "elsewhere, or raise the option");
    assert_status(hf_enqueue(store, "a", "q", large, error), HF_TOO_LARGE);
    assert_non_null(strstr(error->message, "the message has 1001 bytes"));
    assert_status(hf_raise(store, "a", "e", large, error), HF_TOO_LARGE);
    assert_non_null(strstr(error->message, "the data has 1001 bytes"));
    assert_false(hf_fake_has(&handle->fake, "b"));
    assert_int_equal(hf_fake_messages(&handle->fake, "a"), 0);
}

/* By default a payload may have 1 MiB. */
static void test_default_payload_limit_is_1_mib(void **state)
{
    struct handle *handle = *state;
    static char bytes[1024 * 1024 + 1];
    hf_error *error = &handle->error;
    assert_ok(hf_start(handle->store, "a", "o", hf_bytes(bytes, sizeof bytes - 1), error), error);
    assert_status(hf_start(handle->store, "b", "o", hf_bytes(bytes, sizeof bytes), error),
                  HF_TOO_LARGE);
}

static void count_done(void *user, const hf_error *error)
{
    (void)error;
    ++*(size_t *)user;
}

/* Commands that make no sense are refused by hf_submit, and their on_done never runs. */
static void test_bad_commands_are_refused_and_not_answered(void **state)
{
    struct handle *handle = *state;
    size_t done_count = 0;
    const hf_command good = { .size = sizeof good,
                              .kind = HF_COMMAND_CANCEL,
                              .instance = "a",
                              .on_done = count_done,
                              .user = &done_count };
    hf_command bad = good;
    bad.kind = (hf_command_kind)0;
    handle_assert_invalid(handle, hf_submit(handle->store, &bad, &handle->error), "kind", "0");
    bad.kind = (hf_command_kind)99;
    handle_assert_invalid(handle, hf_submit(handle->store, &bad, &handle->error), "kind", "99");
    bad = good;
    bad.name = "queue";
    handle_assert_invalid(handle, hf_submit(handle->store, &bad, &handle->error), "name", "NULL");
    bad = good;
    bad.even_running = true;
    handle_assert_invalid(handle, hf_submit(handle->store, &bad, &handle->error), "even_running",
                          "deletes");
    bad = good;
    bad.kind = HF_COMMAND_DELETE;
    bad.data = hf_text("reason");
    handle_assert_invalid(handle, hf_submit(handle->store, &bad, &handle->error), "data", "empty");
    bad = good;
    bad.idempotency_key = "";
    handle_assert_invalid(handle, hf_submit(handle->store, &bad, &handle->error), "key", "empty");
    bad = good;
    bad.size = 0;
    handle_assert_invalid(handle, hf_submit(handle->store, &bad, &handle->error), "size",
                          "HF_INIT");
    hf_store_close(handle->store);
    assert_int_equal(done_count, 0);
    handle_open(handle);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, handle_setup, handle_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_start_makes_a_pending_instance_once),
        CASE(test_messages_and_requests_reach_running_instances),
        CASE(test_terminated_instance_shows_its_reason),
        CASE(test_unknown_outcome_is_passed_on),
        CASE(row_10_10_ids_and_names_have_a_limit),
        CASE(test_id_of_255_bytes_is_allowed),
        CASE(test_null_where_something_must_be_is_refused),
        CASE(row_10_10_payloads_have_a_limit),
        CASE(test_default_payload_limit_is_1_mib),
        CASE(test_bad_commands_are_refused_and_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
