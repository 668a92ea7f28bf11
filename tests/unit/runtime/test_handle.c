/* The store handle: its options, who may use and close it, and memory that ends anywhere. */
#include "tests/unit/runtime/handle.h"

#include <sys/wait.h>
#include <unistd.h>

static const hf_slice INPUT = HF_SLICE("input");

/* ---- options */

/* Options that are none are refused before anything is opened. */
static void test_bad_options_are_refused(void **state)
{
    struct handle *handle = *state;
    hf_store *store = NULL;
    hf_error *error = &handle->error;
    const hf_allocator no_allocator = { .size = sizeof no_allocator };
    const hf_clock no_clock = { .size = sizeof no_clock };
    const hf_observer no_observer = { .size = sizeof no_observer };
    hf_store_options bad[] = {
        { .size = sizeof(size_t) - 1 },
        { .size = sizeof bad[0], .payload_size_max = 16 * 1024 * 1024 + 1 },
        { .size = sizeof bad[0], .durability = (hf_durability)3 },
        { .size = sizeof bad[0], .allocator = &no_allocator },
        { .size = sizeof bad[0], .clock = &no_clock },
        { .size = sizeof bad[0], .observer = &no_observer },
    };
    static const char *const words[] = { "HF_INIT",   "16 MiB", "durability",
                                         "allocator", "clock",  "observer" };
    for (size_t i = 0; i < HF_COUNT_OF(bad); i++) {
        handle_assert_invalid(handle, hf__store_open_with(&handle->setup, &bad[i], &store, error),
                              words[i], "");
        assert_null(store);
    }
    handle_assert_invalid(handle, hf__store_open_with(&handle->setup, NULL, NULL, error),
                          "out_store", "NULL");
}

/* A program built against a newer header works as long as it sets nothing that this library does
 * not know. */
static void test_longer_options_are_read_when_the_rest_is_zero(void **state)
{
    struct handle *handle = *state;
    struct {
        hf_store_options known;
        uint64_t newer;
    } options = { .known = handle->options };
    hf_store *store = NULL;
    options.known.size = sizeof options;
    hf_store_close(handle->store);
    assert_ok(hf__store_open_with(&handle->setup, &options.known, &store, &handle->error),
              &handle->error);
    hf_store_close(store);
    options.newer = 1;
    handle_assert_invalid(
        handle, hf__store_open_with(&handle->setup, &options.known, &store, &handle->error),
        "does not know", "newer library");
    handle_open(handle);
}

/* A program built against an older header gives fewer fields. */
static void test_shorter_options_leave_the_rest_at_default(void **state)
{
    struct handle *handle = *state;
    hf_store_options options = { .size = offsetof(hf_store_options, payload_size_max),
                                 .payload_size_max = 1 };
    hf_store *store = NULL;
    hf_store_close(handle->store);
    assert_ok(hf__store_open_with(&handle->setup, &options, &store, &handle->error),
              &handle->error);
    assert_ok(hf_start(store, "a", "o", INPUT, &handle->error), &handle->error);
    hf_store_close(store);
    handle_open(handle);
}

/* ---- the handle ----------------------------------------------------------------------------- */

/* A handle opened without options works, and closes what it opened. */
static void test_no_options_are_all_defaults(void **state)
{
    struct handle *handle = *state;
    hf_store *store = NULL;
    hf_store_close(handle->store);
    assert_true(handle->fake.is_closed);
    assert_ok(hf__store_open_with(&handle->setup, NULL, &store, &handle->error), &handle->error);
    assert_ok(hf_start(store, "a", "hello", INPUT, &handle->error), &handle->error);
    assert_int_equal(store->seams.boot_id.size, 36);
    assert_true(store->clock->boot_ms(store->clock->self) > 0);
    assert_true(store->clock->wall_unix_ms(store->clock->self) > UINT64_C(1600000000000));
    hf_store_close(store);
    handle_open(handle);
}

/* While a runtime uses it, a handle stays open, and says so. */
static void test_close_under_a_runtime_is_refused(void **state)
{
    struct handle *handle = *state;
    hf_registry *registry = hf_registry_new();
    hf_runtime *runtime = NULL;
    assert_ok(hf_runtime_new(handle->store, registry, NULL, &runtime, &handle->error),
              &handle->error);
    hf_store_close(handle->store);
    assert_int_equal(handle->close_errors_count, 1);
    assert_false(handle->fake.is_closed);
    handle_start(handle, "a");
    hf_runtime_free(runtime);
    hf_registry_free(registry);
}

/* Every call of a forked child, by a bit; it has no threads but its own. */
static int forked_calls(hf_store *store)
{
    const hf_instance *instance = NULL;
    const hf_command command = handle_start_command("a", NULL);
    int other = 0;
    if (hf_start(store, "a", "o", INPUT, NULL) != HF_FORKED) other |= 1;
    if (hf_enqueue(store, "a", "q", INPUT, NULL) != HF_FORKED) other |= 2;
    if (hf_cancel(store, "a", NULL, NULL) != HF_FORKED) other |= 4;
    if (hf_terminate(store, "a", NULL, NULL) != HF_FORKED) other |= 8;
    if (hf_submit(store, &command, NULL) != HF_FORKED) other |= 16;
    if (hf_get(store, "a", &instance, NULL) != HF_FORKED) other |= 32;
    if (hf_wait(store, "a", 0, &instance, NULL) != HF_FORKED) other |= 64;
    if (hf_delete(store, "a", true, NULL) != HF_FORKED) other |= 128;
    hf_store_close(store);
    return other;
}

/* After fork() the child may use nothing of the handle; the parent goes on. */
static void test_calls_in_a_forked_child_are_refused(void **state)
{
    struct handle *handle = *state;
    int status = 0;
    handle_start(handle, "a");
    pid_t child = fork();
    if (child == 0) _exit(forked_calls(handle->store));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_false(handle->fake.is_closed);
    handle_start(handle, "b");
}

/* ---- no memory ------------------------------------------------------------------------------ */

/* An allocator whose allocations from the left_count-th on fail. */
struct scarce {
    uv_mutex_t mutex;
    size_t left_count;
    size_t blocks_count;
};

static void *scarce_resize(void *self, void *block, size_t old_size, size_t new_size)
{
    struct scarce *scarce = self;
    uv_mutex_lock(&scarce->mutex);
    bool is_refused = new_size > 0 && scarce->left_count == 0;
    if (new_size > 0 && !is_refused) scarce->left_count--;
    if (!block && !is_refused) scarce->blocks_count++;
    if (block && new_size == 0) scarce->blocks_count--;
    uv_mutex_unlock(&scarce->mutex);
    return is_refused ? NULL : hf_heap_default()->resize(NULL, block, old_size, new_size);
}

/* Opens, starts, submits, reads and closes; the first error ends it. */
static hf_status everything_run(struct handle *handle, struct handle_note *note)
{
    hf_store *store = NULL;
    const hf_instance *instance = NULL;
    hf_error *error = &handle->error;
    const hf_command command = handle_start_command("b", note);
    hf_status status = hf__store_open_with(&handle->setup, &handle->options, &store, error);
    if (status == HF_OK) status = hf_start(store, "a", "hello", INPUT, error);
    if (status == HF_EXISTS) status = HF_OK;
    if (status == HF_OK) status = hf_submit(store, &command, error);
    if (status == HF_OK) status = hf_get(store, "a", &instance, error);
    hf_instance_free(instance);
    hf_store_close(store);
    return status;
}

/* Wherever memory ends, the call says so, nothing leaks, and what was submitted is answered. */
static void test_each_allocation_may_fail(void **state)
{
    struct handle *handle = *state;
    struct scarce scarce = { .left_count = 0 };
    const hf_allocator allocator = { sizeof allocator, &scarce, scarce_resize };
    hf_status status = HF_NO_MEMORY;
    size_t failures_count = 0;
    uv_mutex_init(&scarce.mutex);
    hf_store_close(handle->store);
    handle->options.allocator = &allocator;
    for (size_t allowed = 0; status != HF_OK; allowed++) {
        struct handle_note note = { .mutex = &handle->mutex };
        scarce.left_count = allowed;
        status = everything_run(handle, &note);
        if (status != HF_OK) assert_status(status, HF_NO_MEMORY);
        if (status != HF_OK) failures_count++;
        assert_int_equal(scarce.blocks_count, 0);
        assert_true(note.count <= 1);
        assert_true(allowed < 1000);
    }
    assert_true(failures_count > 8);
    uv_mutex_destroy(&scarce.mutex);
    handle->options.allocator = NULL;
    handle_open(handle);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, handle_setup, handle_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_bad_options_are_refused),
        CASE(test_longer_options_are_read_when_the_rest_is_zero),
        CASE(test_shorter_options_leave_the_rest_at_default),
        CASE(test_no_options_are_all_defaults),
        CASE(test_close_under_a_runtime_is_refused),
        CASE(test_calls_in_a_forked_child_are_refused),
        CASE(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
