/* Client calls on a real store: what a fake cannot show, durability and several processes. */
#include "tests/support/hf_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "runtime/store.h"
#include "tests/support/role.h"

enum { LIMIT_MS = 60000, THREADS_COUNT = 4, PER_THREAD_COUNT = 500 };

static const hf_slice INPUT = HF_SLICE("input");

struct fixture {
    struct hf_test_directory directory;
    hf_store_options options;
    hf_store *store;
    hf_error error;
};

static void store_open(struct fixture *fixture)
{
    assert_ok(
        hf_store_open(fixture->directory.path, &fixture->options, &fixture->store, &fixture->error),
        &fixture->error);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    hf_test_directory_make(&fixture->directory);
    fixture->options = (hf_store_options)HF_INIT(hf_store_options);
    fixture->options.preallocate_size = 1;
    store_open(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    hf_store_close(fixture->store);
    hf_test_directory_remove(&fixture->directory);
    free(fixture);
    return 0;
}

static void start(struct fixture *fixture, const char *id)
{
    assert_ok(hf_start(fixture->store, id, "hello", INPUT, &fixture->error), &fixture->error);
}

static hf_instance_status status_of(struct fixture *fixture, const char *id)
{
    const hf_instance *instance = NULL;
    assert_ok(hf_get(fixture->store, id, &instance, &fixture->error), &fixture->error);
    hf_instance_status status = instance->status;
    hf_instance_free(instance);
    return status;
}

static struct hf_store_counters counters_of(struct fixture *fixture)
{
    struct hf_store_counters counters;
    fixture->store->backend->ops->counters(fixture->store->backend, &counters);
    return counters;
}

/* ---- what is kept --------------------------------------------------------------------------- */

/* What was acknowledged is there when the store is opened again. */
static void test_commands_outlive_the_handle(void **state)
{
    struct fixture *fixture = *state;
    const hf_instance *instance = NULL;
    start(fixture, "runs");
    start(fixture, "ends");
    assert_ok(hf_enqueue(fixture->store, "runs", "mail", INPUT, &fixture->error), &fixture->error);
    assert_ok(hf_terminate(fixture->store, "ends", "enough", &fixture->error), &fixture->error);
    hf_store_close(fixture->store);
    store_open(fixture);
    assert_int_equal(status_of(fixture, "runs"), HF_INSTANCE_PENDING);
    assert_ok(hf_get(fixture->store, "ends", &instance, &fixture->error), &fixture->error);
    assert_int_equal(instance->status, HF_INSTANCE_TERMINATED);
    assert_string_equal(instance->orchestration, "hello");
    assert_non_null(strstr(instance->error->message, "enough"));
    assert_true(instance->started_unix_ms > 0);
    assert_true(instance->ended_unix_ms >= instance->started_unix_ms);
    hf_instance_free(instance);
    assert_status(hf_start(fixture->store, "ends", "hello", INPUT, &fixture->error), HF_EXISTS);
    assert_status(hf_enqueue(fixture->store, "ends", "mail", INPUT, &fixture->error), HF_NOT_FOUND);
    assert_ok(hf_cancel(fixture->store, "ends", NULL, &fixture->error), &fixture->error);
    assert_status(hf_cancel(fixture->store, "none", NULL, &fixture->error), HF_NOT_FOUND);
}

/* Notes the status; read behind the closing of the store. */
static void status_done(void *user, const hf_error *error)
{
    hf_status *statuses = user;
    statuses[0] = error->status;
}

/* A deletion frees the id; one that has not ended is deleted on demand alone, and whoever waits for
 * it is told that it is gone. A repeat with its key leaves a later one of that id alone. */
static void test_deleted_instance_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    hf_store *store = fixture->store;
    hf_error *error = &fixture->error;
    const hf_instance *instance = NULL;
    hf_status answers[2] = { HF_UNKNOWN, HF_UNKNOWN };
    start(fixture, "a");
    assert_status(hf_delete(store, "a", false, error), HF_STILL_RUNNING);
    assert_non_null(strstr(error->message, "terminate it"));
    assert_int_equal(status_of(fixture, "a"), HF_INSTANCE_PENDING);
    assert_ok(hf_delete(store, "a", true, error), error);
    assert_status(hf_get(store, "a", &instance, error), HF_NOT_FOUND);
    assert_status(hf_wait(store, "a", LIMIT_MS, &instance, error), HF_NOT_FOUND);
    assert_status(hf_delete(store, "a", true, error), HF_NOT_FOUND);
    hf_command command = { .size = sizeof command,
                           .kind = HF_COMMAND_DELETE,
                           .instance = "a",
                           .idempotency_key = "key",
                           .on_done = status_done,
                           .user = &answers[0],
                           .even_running = true };
    start(fixture, "a");
    assert_ok(hf_submit(store, &command, error), error);
    hf_store_close(store); /* answers first */
    store_open(fixture);
    start(fixture, "a");
    command.user = &answers[1];
    assert_ok(hf_submit(fixture->store, &command, error), error);
    hf_store_close(fixture->store);
    store_open(fixture);
    assert_ok(answers[0], NULL);
    assert_ok(answers[1], NULL);
    assert_int_equal(status_of(fixture, "a"), HF_INSTANCE_PENDING);
}

/* A store that must exist is not made; one that is open in this process is not opened twice. */
static void test_open_refuses_what_is_not_there_or_open_already(void **state)
{
    struct fixture *fixture = *state;
    struct hf_test_directory empty;
    hf_store *store = NULL;
    hf_store_options options = fixture->options;
    hf_test_directory_make(&empty);
    options.must_exist = true;
    assert_status(hf_store_open(empty.path, &options, &store, &fixture->error), HF_NOT_A_STORE);
    assert_status(hf_store_open(fixture->directory.path, &options, &store, &fixture->error),
                  HF_ALREADY_OPEN);
    assert_status(hf_store_open(NULL, NULL, &store, &fixture->error), HF_INVALID);
    assert_status(hf_store_open("", NULL, &store, &fixture->error), HF_INVALID);
    assert_null(store);
    hf_test_directory_remove(&empty);
}

/* A repeat with the same key takes effect once, also when the store was closed in between. */
static void test_key_is_remembered(void **state)
{
    struct fixture *fixture = *state;
    static const char *const keys[] = { "k1", "k1", "k2" };
    static const hf_status expected[] = { HF_OK, HF_OK, HF_EXISTS };
    for (size_t i = 0; i < HF_COUNT_OF(keys); i++) {
        hf_status status = -1;
        const hf_command command = { .size = sizeof command,
                                     .kind = HF_COMMAND_START,
                                     .instance = "a",
                                     .name = "hello",
                                     .idempotency_key = keys[i],
                                     .on_done = status_done,
                                     .user = &status };
        assert_ok(hf_submit(fixture->store, &command, &fixture->error), &fixture->error);
        hf_store_close(fixture->store);
        assert_status(status, expected[i]);
        store_open(fixture);
    }
}

/* The largest payload that the option allows is taken whole. */
static void test_payload_of_16_mib_is_taken(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 16 * 1024 * 1024 };
    char *bytes = calloc(1, SIZE + 1);
    assert_non_null(bytes);
    hf_store_close(fixture->store);
    fixture->options.payload_size_max = SIZE;
    store_open(fixture);
    assert_ok(hf_start(fixture->store, "a", "hello", hf_bytes(bytes, SIZE), &fixture->error),
              &fixture->error);
    assert_status(
        hf_start(fixture->store, "b", "hello", hf_bytes(bytes, SIZE + 1), &fixture->error),
        HF_TOO_LARGE);
    free(bytes);
}

/* ---- many at once --------------------------------------------------------------------------- */

struct crowd {
    struct fixture *fixture;
    size_t number;
    uv_mutex_t mutex;
    size_t done_count, failed_count, refused_count;
};

static void crowd_on_done(void *user, const hf_error *error)
{
    struct crowd *crowd = user;
    uv_mutex_lock(&crowd->mutex);
    crowd->done_count++;
    if (error->status != HF_OK) crowd->failed_count++;
    uv_mutex_unlock(&crowd->mutex);
}

static void crowd_run(void *argument)
{
    struct crowd *crowd = argument;
    for (size_t i = 0; i < PER_THREAD_COUNT; i++) {
        char id[64];
        snprintf(id, sizeof id, "%zu-%zu", crowd->number, i);
        const hf_command command = { .size = sizeof command,
                                     .kind = HF_COMMAND_START,
                                     .instance = id,
                                     .name = "hello",
                                     .data = INPUT,
                                     .on_done = crowd_on_done,
                                     .user = crowd };
        hf_status status = hf_submit(crowd->fixture->store, &command, NULL);
        if (status != HF_OK) crowd->refused_count++;
    }
}

/* Thousands of commands of several threads are all done, in far fewer transactions. */
static void test_thousands_share_commits(void **state)
{
    struct fixture *fixture = *state;
    struct crowd crowds[THREADS_COUNT];
    uv_thread_t threads[THREADS_COUNT];
    uint64_t commits_before = counters_of(fixture).commits;
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        crowds[i] = (struct crowd){ .fixture = fixture, .number = i };
        uv_mutex_init(&crowds[i].mutex);
        assert_int_equal(uv_thread_create(&threads[i], crowd_run, &crowds[i]), 0);
    }
    for (size_t i = 0; i < THREADS_COUNT; i++) uv_thread_join(&threads[i]);
    start(fixture, "last");
    uint64_t commits_count = counters_of(fixture).commits - commits_before;
    assert_true(commits_count < THREADS_COUNT * PER_THREAD_COUNT / 2);
    hf_store_close(fixture->store);
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(crowds[i].done_count, PER_THREAD_COUNT);
        assert_int_equal(crowds[i].failed_count + crowds[i].refused_count, 0);
        uv_mutex_destroy(&crowds[i].mutex);
    }
    store_open(fixture);
    assert_int_equal(status_of(fixture, "3-499"), HF_INSTANCE_PENDING);
}

/* ---- several processes ---------------------------------------------------------------------- */

struct waiting {
    struct fixture *fixture;
    hf_status status;
    hf_instance_status seen;
};

static void waiting_run(void *argument)
{
    struct waiting *self = argument;
    const hf_instance *instance = NULL;
    self->status = hf_wait(self->fixture->store, "a", LIMIT_MS, &instance, NULL);
    if (self->status != HF_OK) return;
    self->seen = instance->status;
    hf_instance_free(instance);
}

static bool is_asleep(void *context)
{
    struct fixture *fixture = context;
    return hf__waiters_asleep(fixture->store->waiters) == 1;
}

/* Another process ends the instance that is awaited here. */
static void test_wait_sees_the_end_that_another_process_commits(void **state)
{
    struct fixture *fixture = *state;
    struct waiting waiting = { .fixture = fixture };
    struct hf_role role;
    uv_thread_t thread;
    start(fixture, "a");
    hf_role_start(&role, (const char *const[]){ "terminate", fixture->directory.path, NULL });
    hf_role_hear(&role, "open");
    assert_int_equal(uv_thread_create(&thread, waiting_run, &waiting), 0);
    assert_true(hf_test_wait(LIMIT_MS, fixture, is_asleep));
    hf_role_say(&role, "a");
    uv_thread_join(&thread);
    assert_status(waiting.status, HF_OK);
    assert_int_equal(waiting.seen, HF_INSTANCE_TERMINATED);
    assert_int_equal(hf_role_finish(&role), 0);
}

/* What a killed process had acknowledged is there, and the store goes on at once. */
static void test_killed_process_leaves_what_it_had_acknowledged(void **state)
{
    struct fixture *fixture = *state;
    struct hf_role role;
    hf_role_start(&role, (const char *const[]){ "start-many", fixture->directory.path, NULL });
    hf_role_hear(&role, "open");
    for (int i = 0; i < 20; i++) hf_role_hear(&role, "started");
    hf_role_kill(&role);
    unsigned number = (unsigned)strtoul(role.line + strlen("started "), NULL, 10);
    assert_int_equal(number, 19);
    for (unsigned i = 0; i <= number; i++) {
        char id[32];
        snprintf(id, sizeof id, "many-%u", i);
        assert_int_equal(status_of(fixture, id), HF_INSTANCE_PENDING);
    }
    start(fixture, "after");
}

/* A forked child may use nothing of the handle, and its end does not disturb the parent's. */
static void test_forked_child_is_refused_and_harmless(void **state)
{
    struct fixture *fixture = *state;
    int status = 0;
    start(fixture, "a");
    pid_t child = fork();
    if (child == 0) {
        bool is_refused = hf_start(fixture->store, "b", "hello", INPUT, NULL) == HF_FORKED;
        hf_store_close(fixture->store);
        _exit(is_refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    start(fixture, "b");
    assert_int_equal(status_of(fixture, "a"), HF_INSTANCE_PENDING);
}

/* ---- the other process ---------------------------------------------------------------------- */

static int role_play(const char *name, const char *directory)
{
    hf_store *store = NULL;
    char line[HF_ROLE_LINE_SIZE];
    const hf_store_options options = { .size = sizeof options, .preallocate_size = 1 };
    if (hf_store_open(directory, &options, &store, NULL) != HF_OK) return 2;
    hf_role_print("open");
    if (strcmp(name, "terminate") == 0) {
        hf_role_read(line);
        if (hf_terminate(store, line, "from afar", NULL) != HF_OK) return 3;
        hf_store_close(store);
        return 0;
    }
    for (unsigned i = 0;; i++) {
        char id[32];
        snprintf(id, sizeof id, "many-%u", i);
        if (hf_start(store, id, "hello", INPUT, NULL) != HF_OK) return 4;
        snprintf(line, sizeof line, "started %u", i);
        hf_role_print(line);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int count, char **words)
{
    if (count > 3 && strcmp(words[1], "--role") == 0) return role_play(words[2], words[3]);

    const struct CMUnitTest tests[] = {
        CASE(test_commands_outlive_the_handle),
        CASE(test_deleted_instance_is_not_found),
        CASE(test_open_refuses_what_is_not_there_or_open_already),
        CASE(test_key_is_remembered),
        CASE(test_payload_of_16_mib_is_taken),
        CASE(test_thousands_share_commits),
        CASE(test_wait_sees_the_end_that_another_process_commits),
        CASE(test_killed_process_leaves_what_it_had_acknowledged),
        CASE(test_forked_child_is_refused_and_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
