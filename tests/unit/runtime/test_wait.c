/* hf_wait: woken by commits of this process and of others, which this program plays itself; missing
 * no end, and ending with its time or with the handle. */
#include "tests/unit/runtime/handle.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/role.h"

/* ---- hf_wait -------------------------------------------------------------------------------- */

struct waiting {
    struct handle *handle;
    uint64_t timeout_ms;
    hf_status status;
    hf_instance_status seen;
};

static void waiting_run(void *argument)
{
    struct waiting *self = argument;
    const hf_instance *instance = NULL;
    self->status = hf_wait(self->handle->store, "a", self->timeout_ms, &instance, NULL);
    if (self->status != HF_OK) return;
    self->seen = instance->status;
    hf_instance_free(instance);
}

struct sleepers {
    struct handle *handle;
    size_t count;
};

static bool are_asleep(void *context)
{
    struct sleepers *sleepers = context;
    return hf__waiters_asleep(sleepers->handle->store->waiters) == sleepers->count;
}

/* Waits until so many calls sleep in hf_wait. */
static void assert_asleep(struct handle *handle, size_t count)
{
    struct sleepers sleepers = { handle, count };
    assert_true(hf_test_wait(HANDLE_LIMIT_MS, &sleepers, are_asleep));
}

/* There is nothing to wait for when the instance is not there, or has ended. */
static void test_wait_returns_at_once_when_there_is_nothing_to_wait_for(void **state)
{
    struct handle *handle = *state;
    const hf_instance *instance = NULL;
    assert_status(hf_wait(handle->store, "a", 0, &instance, &handle->error), HF_NOT_FOUND);
    handle_start(handle, "a");
    assert_ok(hf_terminate(handle->store, "a", NULL, &handle->error), &handle->error);
    assert_ok(hf_wait(handle->store, "a", 0, &instance, &handle->error), &handle->error);
    assert_int_equal(instance->status, HF_INSTANCE_TERMINATED);
    hf_instance_free(instance);
}

/* A wait ends with its time. */
static void test_wait_times_out(void **state)
{
    struct handle *handle = *state;
    const hf_instance *instance = NULL;
    handle_start(handle, "a");
    uint64_t begin_ns = uv_hrtime();
    assert_status(hf_wait(handle->store, "a", HANDLE_SHORT_MS, &instance, &handle->error),
                  HF_TIMEOUT);
    assert_true(uv_hrtime() - begin_ns >= (uint64_t)HANDLE_SHORT_MS * 1000000);
    assert_null(instance);
    assert_non_null(strstr(handle->error.message, "\"a\""));
}

enum { WAITERS_COUNT = 4 };

/* A commit of this process wakes all who wait, whatever the poll: it is set to a quarter of an hour
 * here. */
static void test_wait_is_woken_by_a_commit_of_this_process(void **state)
{
    struct handle *handle = *state;
    struct waiting each[WAITERS_COUNT];
    uv_thread_t threads[WAITERS_COUNT];
    handle_start(handle, "a");
    for (size_t i = 0; i < WAITERS_COUNT; i++) {
        each[i] = (struct waiting){ .handle = handle, .timeout_ms = i % 2 ? HANDLE_LIMIT_MS : 0 };
        assert_int_equal(uv_thread_create(&threads[i], waiting_run, &each[i]), 0);
    }
    assert_asleep(handle, WAITERS_COUNT);
    assert_ok(hf_terminate(handle->store, "a", NULL, &handle->error), &handle->error);
    for (size_t i = 0; i < WAITERS_COUNT; i++) {
        uv_thread_join(&threads[i]);
        assert_status(each[i].status, HF_OK);
        assert_int_equal(each[i].seen, HF_INSTANCE_TERMINATED);
    }
}

/* Ends the instance, once, and returns when everybody was told. */
static void end_behind_reading(void *user)
{
    struct handle *handle = user;
    handle->fake.on_read = NULL;
    uint64_t seen = hf__waiters_count(handle->store->waiters);
    handle->ended_status = hf_terminate(handle->store, "a", NULL, NULL);
    while (hf__waiters_count(handle->store->waiters) == seen) {
    }
}

/* An end that is told after a waiter has read, and before it sleeps, is not missed. */
static void test_wait_sees_an_end_between_reading_and_sleeping(void **state)
{
    struct handle *handle = *state;
    const hf_instance *instance = NULL;
    handle_start(handle, "a");
    handle->fake.user = handle;
    handle->fake.on_read = end_behind_reading;
    assert_ok(hf_wait(handle->store, "a", HANDLE_LIMIT_MS, &instance, &handle->error),
              &handle->error);
    assert_status(handle->ended_status, HF_OK);
    hf_instance_free(instance);
}

/* Ends that race with the wait, many times over. */
static void test_wait_misses_no_end(void **state)
{
    struct handle *handle = *state;
    for (int i = 0; i < 200; i++) {
        struct handle_starting ends = { .handle = handle, .status = -1 };
        const hf_instance *instance = NULL;
        uv_thread_t thread;
        char id[32];
        snprintf(id, sizeof id, "w%d", i);
        ends.id = id;
        handle_start(handle, id);
        const hf_command command = { .size = sizeof command,
                                     .kind = HF_COMMAND_TERMINATE,
                                     .instance = id };
        if (i % 2) {
            assert_ok(hf_submit(handle->store, &command, &handle->error), &handle->error);
        }
        assert_int_equal(uv_thread_create(&thread, handle_starting_run, &ends), 0);
        if (i % 2 == 0) {
            assert_ok(hf_submit(handle->store, &command, &handle->error), &handle->error);
        }
        assert_ok(hf_wait(handle->store, id, HANDLE_LIMIT_MS, &instance, &handle->error),
                  &handle->error);
        hf_instance_free(instance);
        uv_thread_join(&thread);
        assert_status(ends.status, HF_EXISTS);
    }
}

/* Sleeps in hf_wait for the end of "a", which the role brings about once the sleep has begun. */
static void wait_for_role(struct handle *handle, const char *how)
{
    struct waiting waiting = { .handle = handle, .timeout_ms = HANDLE_LIMIT_MS };
    struct hf_role role;
    uv_thread_t thread;
    handle_start(handle, "a");
    hf_role_start(&role, (const char *const[]){ "terminate", handle->directory.path, how, NULL });
    hf_role_hear(&role, "open");
    assert_int_equal(uv_thread_create(&thread, waiting_run, &waiting), 0);
    assert_asleep(handle, 1);
    hf_role_say(&role, "a");
    uv_thread_join(&thread);
    assert_status(waiting.status, HF_OK);
    assert_int_equal(waiting.seen, HF_INSTANCE_TERMINATED);
    assert_int_equal(hf_role_finish(&role), 0);
}

/* A commit of another process wakes who waits here, through the ring alone: the poll is far away.
 */
static void test_wait_is_woken_by_a_commit_of_another_process(void **state)
{
    wait_for_role(*state, "ring");
}

/* When the ring was lost, the slow poll finds the end: here the other process cannot reach any
 * socket. */
static void test_wait_finds_an_end_that_nobody_rang(void **state)
{
    struct handle *handle = *state;
    handle->setup.poll_ms = HANDLE_SHORT_MS;
    handle_reopen(handle);
    wait_for_role(handle, "mute");
}

/* Closing sends away who waits, and nobody touches the handle any more when it returns. */
static void test_close_ends_a_wait(void **state)
{
    struct handle *handle = *state;
    struct waiting waiting = { .handle = handle };
    uv_thread_t thread;
    handle_start(handle, "a");
    assert_int_equal(uv_thread_create(&thread, waiting_run, &waiting), 0);
    assert_asleep(handle, 1);
    hf_store_close(handle->store);
    uv_thread_join(&thread);
    assert_status(waiting.status, HF_CLOSED);
    handle_open(handle);
}

/* ---- the other process ---------------------------------------------------------------------- */

/* Opens a store of its own on the directory, reads an id, terminates that instance. "mute": the
 * folder of the sockets is moved away before, so that it rings in an empty one. */
static int role_terminate(const char *directory, bool is_mute)
{
    static struct hf_fake_backend fake;
    hf_store *store = NULL;
    char line[HF_ROLE_LINE_SIZE];
    const struct hf__store_setup with = { .open = hf_fake_open, .self = &fake };
    hf_fake_init(&fake, directory);
    if (is_mute && renameat(fake.directory, "wake", fake.directory, "away") != 0) return 4;
    if (hf__store_open_with(&with, NULL, &store, NULL) != HF_OK) return 2;
    hf_role_print("open");
    hf_role_read(line);
    if (hf_terminate(store, line, "from afar", NULL) != HF_OK) return 3;
    hf_store_close(store);
    hf_fake_release(&fake);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, handle_setup, handle_teardown)

int main(int count, char **words)
{
    if (count > 4 && strcmp(words[1], "--role") == 0) {
        return role_terminate(words[3], strcmp(words[4], "mute") == 0);
    }
    const struct CMUnitTest tests[] = {
        CASE(test_wait_returns_at_once_when_there_is_nothing_to_wait_for),
        CASE(test_wait_times_out),
        CASE(test_wait_is_woken_by_a_commit_of_this_process),
        CASE(test_wait_sees_an_end_between_reading_and_sleeping),
        CASE(test_wait_misses_no_end),
        CASE(test_wait_is_woken_by_a_commit_of_another_process),
        CASE(test_wait_finds_an_end_that_nobody_rang),
        CASE(test_close_ends_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
