/* hf_submit keeps its four promises under several threads; what is too much, and what a stalled
 * store does to calls. */
#include "tests/unit/runtime/handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const hf_slice INPUT = HF_SLICE("input");

/* ---- hf_submit ------------------------------------------------------------------------------ */

enum { SUBMITTERS_COUNT = 4, PER_SUBMITTER_COUNT = 2000 };

struct crowd;

/* One command and its answers. */
struct answer {
    struct crowd *crowd;
    uv_thread_t caller;
    bool has_returned; /* hf_submit has: set by the caller, under its lock */
    uv_mutex_t *lock;  /* the caller's, which it holds around hf_submit */
    hf_status status;
    size_t count;
};

struct crowd {
    struct handle *handle;
    size_t number;
    uv_mutex_t lock;
    struct answer answers[PER_SUBMITTER_COUNT];
    size_t refused_count;
    size_t on_caller_count; /* answers on the thread of the caller */
    size_t early_count;     /* answers before hf_submit had returned */
};

static void crowd_on_done(void *user, const hf_error *error)
{
    struct answer *answer = user;
    uv_thread_t here = uv_thread_self();
    uv_mutex_lock(answer->lock);
    answer->count++;
    answer->status = error->status;
    if (!answer->has_returned) answer->crowd->early_count++;
    if (uv_thread_equal(&here, &answer->caller)) answer->crowd->on_caller_count++;
    uv_mutex_unlock(answer->lock);
}

/* Submits all; every tenth is a second start of the one before. The strings are overwritten as soon
 * as the call has returned. */
static void crowd_run(void *argument)
{
    struct crowd *crowd = argument;
    for (size_t i = 0; i < PER_SUBMITTER_COUNT; i++) {
        struct answer *answer = &crowd->answers[i];
        char id[64];
        char name[] = "hello";
        char input[] = "input";
        snprintf(id, sizeof id, "%zu-%zu", crowd->number, i % 10 == 9 ? i - 1 : i);
        *answer = (struct answer){ .crowd = crowd,
                                   .caller = uv_thread_self(),
                                   .lock = &crowd->lock };
        const hf_command command = { .size = sizeof command,
                                     .kind = HF_COMMAND_START,
                                     .instance = id,
                                     .name = name,
                                     .data = hf_text(input),
                                     .on_done = crowd_on_done,
                                     .user = answer };
        uv_mutex_lock(&crowd->lock);
        hf_status status = hf_submit(crowd->handle->store, &command, NULL);
        answer->has_returned = true;
        if (status != HF_OK) crowd->refused_count++;
        uv_mutex_unlock(&crowd->lock);
        memset(id, '?', sizeof id - 1);
        memset(name, '?', sizeof name - 1);
        memset(input, '?', sizeof input - 1);
    }
}

static void crowd_check(struct crowd *crowd)
{
    assert_int_equal(crowd->refused_count, 0);
    assert_int_equal(crowd->on_caller_count, 0);
    assert_int_equal(crowd->early_count, 0);
    for (size_t i = 0; i < PER_SUBMITTER_COUNT; i++) {
        char id[64];
        assert_int_equal(crowd->answers[i].count, 1);
        assert_status(crowd->answers[i].status, i % 10 == 9 ? HF_EXISTS : HF_OK);
        if (i % 10 == 9) continue;
        snprintf(id, sizeof id, "%zu-%zu", crowd->number, i);
        assert_true(hf_fake_has(&crowd->handle->fake, id));
    }
}

/* Thousands of commands from several threads: each is answered exactly once, on another thread than
 * its caller's and behind the return of the call, with its own answer; and they share commits. */
static void test_submitted_thousands_share_commits_and_are_answered_once(void **state)
{
    struct handle *handle = *state;
    struct crowd *crowds = calloc(SUBMITTERS_COUNT, sizeof *crowds);
    uv_thread_t threads[SUBMITTERS_COUNT];
    assert_non_null(crowds);
    hf_fake_hold(&handle->fake);
    for (size_t i = 0; i < SUBMITTERS_COUNT; i++) {
        crowds[i].handle = handle;
        crowds[i].number = i;
        uv_mutex_init(&crowds[i].lock);
        assert_int_equal(uv_thread_create(&threads[i], crowd_run, &crowds[i]), 0);
    }
    hf_fake_wait_held(&handle->fake);
    hf_fake_let_go(&handle->fake);
    for (size_t i = 0; i < SUBMITTERS_COUNT; i++) uv_thread_join(&threads[i]);
    hf_store_close(handle->store);
    size_t total = (size_t)SUBMITTERS_COUNT * PER_SUBMITTER_COUNT;
    assert_true(hf_fake_groups(&handle->fake) < total / 2);
    for (size_t i = 0; i < SUBMITTERS_COUNT; i++) {
        crowd_check(&crowds[i]);
        uv_mutex_destroy(&crowds[i].lock);
    }
    free(crowds);
    handle_open(handle);
}

/* Over the limit of what is in flight: HF_BUSY, no answer ever; afterwards there is room again. */
static void test_too_much_in_flight_is_busy_until_answered(void **state)
{
    struct handle *handle = *state;
    struct handle_note note = { .mutex = &handle->mutex };
    struct handle_note refused = { .mutex = &handle->mutex };
    handle->setup.in_flight_max = 3;
    handle_reopen(handle);
    hf_fake_hold(&handle->fake);
    static const char *const ids[] = { "a", "b", "c" };
    for (size_t i = 0; i < 3; i++) {
        const hf_command command = handle_start_command(ids[i], i == 2 ? &note : NULL);
        assert_ok(hf_submit(handle->store, &command, &handle->error), &handle->error);
    }
    const hf_command fourth = handle_start_command("d", &refused);
    assert_status(hf_submit(handle->store, &fourth, &handle->error), HF_BUSY);
    assert_non_null(strstr(handle->error.message, "3 commands are in flight"));
    assert_status(hf_start(handle->store, "e", "hello", INPUT, &handle->error), HF_BUSY);
    hf_fake_let_go(&handle->fake);
    assert_true(hf_test_wait(HANDLE_LIMIT_MS, &note, handle_is_noted));
    assert_ok(hf_submit(handle->store, &fourth, &handle->error), &handle->error);
    assert_true(hf_test_wait(HANDLE_LIMIT_MS, &refused, handle_is_noted));
    assert_int_equal(refused.count, 1);
    assert_false(hf_fake_has(&handle->fake, "e"));
}

/* A repeat with the same key is done already; with another key the id is taken. */
static void test_repeat_with_the_same_key_is_fine(void **state)
{
    struct handle *handle = *state;
    static const char *const keys[] = { "k1", "k1", "k2" };
    static const hf_status expected[] = { HF_OK, HF_OK, HF_EXISTS };
    for (size_t i = 0; i < 3; i++) {
        struct handle_note note = { .mutex = &handle->mutex };
        hf_command command = handle_start_command("a", &note);
        command.idempotency_key = keys[i];
        assert_ok(hf_submit(handle->store, &command, &handle->error), &handle->error);
        assert_true(hf_test_wait(HANDLE_LIMIT_MS, &note, handle_is_noted));
        assert_status(note.status, expected[i]);
    }
}

/* What on_done tries. */
struct from_callback {
    struct handle_note note;
    struct handle *handle;
    hf_status submitted, started, waited, got;
};

static void call_everything(void *user, const hf_error *error)
{
    struct from_callback *self = user;
    hf_store *store = self->handle->store;
    const hf_instance *instance = NULL;
    const hf_command command = handle_start_command("b", &self->note);
    assert_int_equal(error->status, HF_OK);
    self->got = hf_get(store, "a", &instance, NULL);
    if (self->got == HF_OK) hf_instance_free(instance);
    self->started = hf_start(store, "c", "hello", INPUT, NULL);
    self->waited = hf_wait(store, "a", 0, &instance, NULL);
    hf_store_close(store);
    self->submitted = hf_submit(store, &command, NULL);
}

/* on_done may submit and read. What would wait for its own thread is refused instead of hanging; so
 * is closing. */
static void test_on_done_may_submit_and_is_kept_from_waiting(void **state)
{
    struct handle *handle = *state;
    struct from_callback self = { .note = { .mutex = &handle->mutex }, .handle = handle };
    hf_command command = handle_start_command("a", NULL);
    command.on_done = call_everything;
    command.user = &self;
    assert_ok(hf_submit(handle->store, &command, &handle->error), &handle->error);
    assert_true(hf_test_wait(HANDLE_LIMIT_MS, &self.note, handle_is_noted));
    assert_status(self.submitted, HF_OK);
    assert_status(self.got, HF_OK);
    assert_status(self.started, HF_INVALID);
    assert_status(self.waited, HF_INVALID);
    assert_status(self.note.status, HF_OK);
    assert_int_equal(handle->close_errors_count, 1);
    assert_false(hf_fake_has(&handle->fake, "c"));
}

/* ---- a stalled store ------------------------------------------------------------------------ */

/* While a commit is stalled, a call that was not begun gives up as busy and is certainly not done;
 * one that is inside has to wait, and then gets its true answer. */
static void test_stalled_store_is_busy_for_what_was_not_begun(void **state)
{
    struct handle *handle = *state;
    struct handle_starting inside = { .handle = handle, .id = "inside", .status = -1 };
    uv_thread_t thread;
    handle->setup.call_deadline_ms = HANDLE_SHORT_MS;
    handle_reopen(handle);
    hf_fake_hold(&handle->fake);
    assert_int_equal(uv_thread_create(&thread, handle_starting_run, &inside), 0);
    hf_fake_wait_held(&handle->fake);
    assert_status(hf_start(handle->store, "outside", "hello", INPUT, &handle->error), HF_BUSY);
    assert_non_null(strstr(handle->error.message, "nothing was done"));
    assert_status(hf_start(handle->store, "outside", "hello", INPUT, &handle->error), HF_BUSY);
    hf_fake_let_go(&handle->fake);
    uv_thread_join(&thread);
    assert_status(inside.status, HF_OK);
    handle_reopen(handle);
    assert_true(hf_fake_has(&handle->fake, "inside"));
    assert_false(hf_fake_has(&handle->fake, "outside"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, handle_setup, handle_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_submitted_thousands_share_commits_and_are_answered_once),
        CASE(test_too_much_in_flight_is_busy_until_answered),
        CASE(test_repeat_with_the_same_key_is_fine),
        CASE(test_on_done_may_submit_and_is_kept_from_waiting),
        CASE(test_stalled_store_is_busy_for_what_was_not_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
