/* Client calls on a store handle with a fake store behind it: what they refuse, what they wait for,
 * and that hf_submit keeps its four promises under several threads. */
#include "tests/support/hf_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "engine/base/slice.h"
#include "runtime/store.h"
#include "tests/support/fake_backend.h"
#include "tests/support/role.h"

enum { LIMIT_MS = 60000, NEVER_MS = 1000 * 1000, SHORT_MS = 20 };

static const hf_slice INPUT = HF_SLICE("input");

/* A handle and what its observer was told. */
struct fixture {
    struct hf_test_directory directory;
    struct hf_fake_backend fake;
    struct hf__store_setup setup;
    hf_observer observer;
    hf_store_options options;
    hf_store *store;
    hf_error error;
    uv_mutex_t mutex;
    size_t close_errors_count;
    hf_status ended_status; /* of an end brought about by a callback */
};

static void on_log(void *self, const hf_log_line *line)
{
    struct fixture *fixture = self;
    if (strcmp(line->event, "store.close") != 0) return;
    fixture->close_errors_count++;
}

static void store_open(struct fixture *fixture)
{
    assert_ok(
        hf__store_open_with(&fixture->setup, &fixture->options, &fixture->store, &fixture->error),
        &fixture->error);
}

static void store_reopen(struct fixture *fixture)
{
    hf_store_close(fixture->store);
    store_open(fixture);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    hf_test_directory_make(&fixture->directory);
    hf_fake_init(&fixture->fake, fixture->directory.path);
    assert_int_equal(uv_mutex_init(&fixture->mutex), 0);
    fixture->setup = (struct hf__store_setup){ .open = hf_fake_open,
                                               .self = &fixture->fake,
                                               .poll_ms = NEVER_MS };
    fixture->observer = (hf_observer){
        .size = sizeof(hf_observer), .self = fixture, .level_max = HF_LOG_DEBUG, .log = on_log
    };
    fixture->options = (hf_store_options)HF_INIT(hf_store_options);
    fixture->options.observer = &fixture->observer;
    store_open(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    hf_store_close(fixture->store);
    assert_true(fixture->fake.is_closed);
    hf_fake_release(&fixture->fake);
    hf_test_directory_remove(&fixture->directory);
    uv_mutex_destroy(&fixture->mutex);
    free(fixture);
    return 0;
}

static void start(struct fixture *fixture, const char *id)
{
    assert_ok(hf_start(fixture->store, id, "hello", INPUT, &fixture->error), &fixture->error);
}

/* ---- commands that wait -------------------------------------------------------------------------
 */

/* A started instance is there, pending, when hf_start returns; a second start of its id is refused.
 */
static void test_start_makes_a_pending_instance_once(void **state)
{
    struct fixture *fixture = *state;
    const hf_instance *instance = NULL;
    start(fixture, "a");
    assert_ok(hf_get(fixture->store, "a", &instance, &fixture->error), &fixture->error);
    assert_int_equal(instance->size, sizeof *instance);
    assert_string_equal(instance->id, "a");
    assert_int_equal(instance->status, HF_INSTANCE_PENDING);
    assert_int_equal(instance->execution, 1);
    assert_int_equal(instance->ended_unix_ms, 0);
    assert_int_equal(instance->output.size, 0);
    assert_null(instance->error);
    hf_instance_free(instance);
    assert_status(hf_start(fixture->store, "a", "hello", INPUT, &fixture->error), HF_EXISTS);
    assert_non_null(strstr(fixture->error.message, "\"a\" exists"));
    assert_status(hf_start(fixture->store, "a", "hello", INPUT, NULL), HF_EXISTS);
}

/* Messages reach running instances only; a cancel request of an ended one is fine and does nothing.
 */
static void test_enqueue_and_cancel_reach_running_instances(void **state)
{
    struct fixture *fixture = *state;
    hf_store *store = fixture->store;
    hf_error *error = &fixture->error;
    assert_status(hf_enqueue(store, "a", "mail", INPUT, error), HF_NOT_FOUND);
    assert_status(hf_cancel(store, "a", "why", error), HF_NOT_FOUND);
    assert_status(hf_terminate(store, "a", NULL, error), HF_NOT_FOUND);
    start(fixture, "a");
    assert_ok(hf_enqueue(store, "a", "mail", INPUT, error), error);
    assert_ok(hf_cancel(store, "a", NULL, error), error);
    assert_int_equal(hf_fake_messages(&fixture->fake, "a"), 2);
    assert_ok(hf_terminate(store, "a", "enough", error), error);
    assert_status(hf_enqueue(store, "a", "mail", INPUT, error), HF_NOT_FOUND);
    assert_ok(hf_cancel(store, "a", "why", error), error);
    assert_ok(hf_terminate(store, "a", NULL, error), error);
    assert_int_equal(hf_fake_messages(&fixture->fake, "a"), 2);
}

/* A terminated instance shows why. */
static void test_terminated_instance_shows_its_reason(void **state)
{
    struct fixture *fixture = *state;
    const hf_instance *instance = NULL;
    start(fixture, "a");
    assert_ok(hf_terminate(fixture->store, "a", "enough", &fixture->error), &fixture->error);
    assert_ok(hf_get(fixture->store, "a", &instance, &fixture->error), &fixture->error);
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
    struct fixture *fixture = *state;
    fixture->fake.unknown = "u";
    assert_status(hf_start(fixture->store, "u", "hello", INPUT, &fixture->error), HF_UNKNOWN);
    assert_int_equal(fixture->error.status, HF_UNKNOWN);
    assert_string_equal(fixture->error.message, "who knows");
    start(fixture, "v");
}

/* ---- what is refused ----------------------------------------------------------------------------
 */

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

static void assert_invalid(struct fixture *fixture, hf_status status, const char *what,
                           const char *complaint)
{
    assert_status(status, HF_INVALID);
    assert_int_equal(fixture->error.status, HF_INVALID);
    if (!strstr(fixture->error.message, what) || !strstr(fixture->error.message, complaint)) {
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", fixture->error.message, what, complaint);
    }
}

/* Every id and name is proved by every call, and the message names which one is wrong and how. */
static void test_bad_ids_are_refused_by_name(void **state)
{
    struct fixture *fixture = *state;
    hf_store *store = fixture->store;
    hf_error *error = &fixture->error;
    const hf_instance *instance = NULL;
    char long_id[HF_ID_SIZE_MAX + 2];
    struct bad_text bad[4];
    bad_ids_fill(bad, long_id);
    for (size_t i = 0; i < HF_COUNT_OF(bad); i++) {
        const char *text = bad[i].text;
        const char *how = bad[i].complaint;
        assert_invalid(fixture, hf_start(store, text, "o", INPUT, error), "instance id", how);
        assert_invalid(fixture, hf_start(store, "a", text, INPUT, error), "orchestration's", how);
        assert_invalid(fixture, hf_enqueue(store, text, "q", INPUT, error), "instance id", how);
        assert_invalid(fixture, hf_enqueue(store, "a", text, INPUT, error), "queue's name", how);
        assert_invalid(fixture, hf_cancel(store, text, NULL, error), "instance id", how);
        assert_invalid(fixture, hf_terminate(store, text, NULL, error), "instance id", how);
        assert_invalid(fixture, hf_get(store, text, &instance, error), "instance id", how);
        assert_invalid(fixture, hf_wait(store, text, 1, &instance, error), "instance id", how);
    }
    assert_int_equal(hf_fake_groups(&fixture->fake), 0);
    assert_null(instance);
}

/* An id of exactly 255 bytes is one. */
static void test_id_of_255_bytes_is_allowed(void **state)
{
    struct fixture *fixture = *state;
    char id[HF_ID_SIZE_MAX + 1];
    memset(id, 'x', HF_ID_SIZE_MAX);
    id[HF_ID_SIZE_MAX] = '\0';
    start(fixture, id);
    assert_true(hf_fake_has(&fixture->fake, id));
}

/* NULL where something must be is an error, never a crash. */
static void test_null_where_something_must_be_is_refused(void **state)
{
    struct fixture *fixture = *state;
    hf_error *error = &fixture->error;
    const hf_instance *instance = NULL;
    const hf_slice hollow = { NULL, 5 };
    assert_invalid(fixture, hf_start(NULL, "a", "o", INPUT, error), "handle", "NULL");
    assert_invalid(fixture, hf_get(NULL, "a", &instance, error), "handle", "NULL");
    assert_invalid(fixture, hf_wait(NULL, "a", 0, &instance, error), "handle", "NULL");
    assert_invalid(fixture, hf_submit(NULL, NULL, error), "handle", "NULL");
    assert_invalid(fixture, hf_submit(fixture->store, NULL, error), "command", "NULL");
    assert_invalid(fixture, hf_get(fixture->store, "a", NULL, error), "out_instance", "NULL");
    assert_invalid(fixture, hf_wait(fixture->store, "a", 0, NULL, error), "out_instance", "NULL");
    assert_invalid(fixture, hf_start(fixture->store, "a", "o", hollow, error), "input", "NULL");
    assert_status(hf_start(fixture->store, NULL, NULL, hollow, NULL), HF_INVALID);
    hf_store_close(NULL);
    assert_int_equal(hf_fake_groups(&fixture->fake), 0);
}

/* A payload may be as large as the option says, and not a byte larger; the message has both
 * numbers. */
static void test_payload_over_its_limit_is_too_large(void **state)
{
    struct fixture *fixture = *state;
    static const char bytes[1001];
    const hf_slice allowed = { bytes, 1000 };
    const hf_slice large = { bytes, 1001 };
    hf_error *error = &fixture->error;
    fixture->options.payload_size_max = 1000;
    store_reopen(fixture);
    hf_store *store = fixture->store;
    assert_ok(hf_start(store, "a", "o", allowed, error), error);
    assert_status(hf_start(store, "b", "o", large, error), HF_TOO_LARGE);
    assert_string_equal(error->message,
                        "the input has 1001 bytes, and payload_size_max is 1000: keep large data "
                        "elsewhere, or raise the option");
    assert_status(hf_enqueue(store, "a", "q", large, error), HF_TOO_LARGE);
    assert_non_null(strstr(error->message, "the message has 1001 bytes"));
    assert_false(hf_fake_has(&fixture->fake, "b"));
    assert_int_equal(hf_fake_messages(&fixture->fake, "a"), 0);
}

/* By default a payload may have 1 MiB. */
static void test_default_payload_limit_is_1_mib(void **state)
{
    struct fixture *fixture = *state;
    static char bytes[1024 * 1024 + 1];
    hf_error *error = &fixture->error;
    assert_ok(hf_start(fixture->store, "a", "o", hf_bytes(bytes, sizeof bytes - 1), error), error);
    assert_status(hf_start(fixture->store, "b", "o", hf_bytes(bytes, sizeof bytes), error),
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
    struct fixture *fixture = *state;
    size_t done_count = 0;
    const hf_command good = { .size = sizeof good,
                              .kind = HF_COMMAND_CANCEL,
                              .instance = "a",
                              .on_done = count_done,
                              .user = &done_count };
    hf_command bad = good;
    bad.kind = (hf_command_kind)0;
    assert_invalid(fixture, hf_submit(fixture->store, &bad, &fixture->error), "kind", "0");
    bad.kind = (hf_command_kind)5;
    assert_invalid(fixture, hf_submit(fixture->store, &bad, &fixture->error), "kind", "5");
    bad = good;
    bad.name = "queue";
    assert_invalid(fixture, hf_submit(fixture->store, &bad, &fixture->error), "name", "NULL");
    bad = good;
    bad.idempotency_key = "";
    assert_invalid(fixture, hf_submit(fixture->store, &bad, &fixture->error), "key", "empty");
    bad = good;
    bad.size = 0;
    assert_invalid(fixture, hf_submit(fixture->store, &bad, &fixture->error), "size", "HF_INIT");
    hf_store_close(fixture->store);
    assert_int_equal(done_count, 0);
    store_open(fixture);
}

/* Options that are none are refused before anything is opened. */
static void test_bad_options_are_refused(void **state)
{
    struct fixture *fixture = *state;
    hf_store *store = NULL;
    hf_error *error = &fixture->error;
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
        assert_invalid(fixture, hf__store_open_with(&fixture->setup, &bad[i], &store, error),
                       words[i], "");
        assert_null(store);
    }
    assert_invalid(fixture, hf__store_open_with(&fixture->setup, NULL, NULL, error), "out_store",
                   "NULL");
}

/* A program built against a newer header works as long as it sets nothing that this library does
 * not know. */
static void test_longer_options_are_read_when_the_rest_is_zero(void **state)
{
    struct fixture *fixture = *state;
    struct {
        hf_store_options known;
        uint64_t newer;
    } options = { .known = fixture->options };
    hf_store *store = NULL;
    options.known.size = sizeof options;
    hf_store_close(fixture->store);
    assert_ok(hf__store_open_with(&fixture->setup, &options.known, &store, &fixture->error),
              &fixture->error);
    hf_store_close(store);
    options.newer = 1;
    assert_invalid(fixture,
                   hf__store_open_with(&fixture->setup, &options.known, &store, &fixture->error),
                   "does not know", "newer library");
    store_open(fixture);
}

/* A program built against an older header gives fewer fields. */
static void test_shorter_options_leave_the_rest_at_default(void **state)
{
    struct fixture *fixture = *state;
    hf_store_options options = { .size = offsetof(hf_store_options, payload_size_max),
                                 .payload_size_max = 1 };
    hf_store *store = NULL;
    hf_store_close(fixture->store);
    assert_ok(hf__store_open_with(&fixture->setup, &options, &store, &fixture->error),
              &fixture->error);
    assert_ok(hf_start(store, "a", "o", INPUT, &fixture->error), &fixture->error);
    hf_store_close(store);
    store_open(fixture);
}

/* ---- hf_submit ----------------------------------------------------------------------------------
 */

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
    struct fixture *fixture;
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
        hf_status status = hf_submit(crowd->fixture->store, &command, NULL);
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
        assert_true(hf_fake_has(&crowd->fixture->fake, id));
    }
}

/* Thousands of commands from several threads: each is answered exactly once, on another thread than
 * its caller's and behind the return of the call, with its own answer; and they share commits. */
static void test_submitted_thousands_share_commits_and_are_answered_once(void **state)
{
    struct fixture *fixture = *state;
    struct crowd *crowds = calloc(SUBMITTERS_COUNT, sizeof *crowds);
    uv_thread_t threads[SUBMITTERS_COUNT];
    assert_non_null(crowds);
    hf_fake_hold(&fixture->fake);
    for (size_t i = 0; i < SUBMITTERS_COUNT; i++) {
        crowds[i].fixture = fixture;
        crowds[i].number = i;
        uv_mutex_init(&crowds[i].lock);
        assert_int_equal(uv_thread_create(&threads[i], crowd_run, &crowds[i]), 0);
    }
    hf_fake_wait_held(&fixture->fake);
    hf_fake_let_go(&fixture->fake);
    for (size_t i = 0; i < SUBMITTERS_COUNT; i++) uv_thread_join(&threads[i]);
    hf_store_close(fixture->store);
    size_t total = (size_t)SUBMITTERS_COUNT * PER_SUBMITTER_COUNT;
    assert_true(hf_fake_groups(&fixture->fake) < total / 2);
    for (size_t i = 0; i < SUBMITTERS_COUNT; i++) {
        crowd_check(&crowds[i]);
        uv_mutex_destroy(&crowds[i].lock);
    }
    free(crowds);
    store_open(fixture);
}

/* Answers to single commands, noted under a lock. */
struct note {
    uv_mutex_t *mutex;
    size_t count;
    hf_status status;
};

static void note_done(void *user, const hf_error *error)
{
    struct note *note = user;
    uv_mutex_lock(note->mutex);
    note->count++;
    note->status = error->status;
    uv_mutex_unlock(note->mutex);
}

static bool is_noted(void *context)
{
    struct note *note = context;
    uv_mutex_lock(note->mutex);
    bool is = note->count > 0;
    uv_mutex_unlock(note->mutex);
    return is;
}

static hf_command start_command(const char *id, struct note *note)
{
    return (hf_command){ .size = sizeof(hf_command),
                         .kind = HF_COMMAND_START,
                         .instance = id,
                         .name = "hello",
                         .on_done = note ? note_done : NULL,
                         .user = note };
}

/* Over the limit of what is in flight: HF_BUSY, no answer ever; afterwards there is room again. */
static void test_too_much_in_flight_is_busy_until_answered(void **state)
{
    struct fixture *fixture = *state;
    struct note note = { .mutex = &fixture->mutex };
    struct note refused = { .mutex = &fixture->mutex };
    fixture->setup.in_flight_max = 3;
    store_reopen(fixture);
    hf_fake_hold(&fixture->fake);
    static const char *const ids[] = { "a", "b", "c" };
    for (size_t i = 0; i < 3; i++) {
        const hf_command command = start_command(ids[i], i == 2 ? &note : NULL);
        assert_ok(hf_submit(fixture->store, &command, &fixture->error), &fixture->error);
    }
    const hf_command fourth = start_command("d", &refused);
    assert_status(hf_submit(fixture->store, &fourth, &fixture->error), HF_BUSY);
    assert_non_null(strstr(fixture->error.message, "3 commands are in flight"));
    assert_status(hf_start(fixture->store, "e", "hello", INPUT, &fixture->error), HF_BUSY);
    hf_fake_let_go(&fixture->fake);
    assert_true(hf_test_wait(LIMIT_MS, &note, is_noted));
    assert_ok(hf_submit(fixture->store, &fourth, &fixture->error), &fixture->error);
    assert_true(hf_test_wait(LIMIT_MS, &refused, is_noted));
    assert_int_equal(refused.count, 1);
    assert_false(hf_fake_has(&fixture->fake, "e"));
}

/* A repeat with the same key is done already; with another key the id is taken. */
static void test_repeat_with_the_same_key_is_fine(void **state)
{
    struct fixture *fixture = *state;
    static const char *const keys[] = { "k1", "k1", "k2" };
    static const hf_status expected[] = { HF_OK, HF_OK, HF_EXISTS };
    for (size_t i = 0; i < 3; i++) {
        struct note note = { .mutex = &fixture->mutex };
        hf_command command = start_command("a", &note);
        command.idempotency_key = keys[i];
        assert_ok(hf_submit(fixture->store, &command, &fixture->error), &fixture->error);
        assert_true(hf_test_wait(LIMIT_MS, &note, is_noted));
        assert_status(note.status, expected[i]);
    }
}

/* What on_done tries. */
struct from_callback {
    struct note note;
    struct fixture *fixture;
    hf_status submitted, started, waited, got;
};

static void call_everything(void *user, const hf_error *error)
{
    struct from_callback *self = user;
    hf_store *store = self->fixture->store;
    const hf_instance *instance = NULL;
    const hf_command command = start_command("b", &self->note);
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
    struct fixture *fixture = *state;
    struct from_callback self = { .note = { .mutex = &fixture->mutex }, .fixture = fixture };
    hf_command command = start_command("a", NULL);
    command.on_done = call_everything;
    command.user = &self;
    assert_ok(hf_submit(fixture->store, &command, &fixture->error), &fixture->error);
    assert_true(hf_test_wait(LIMIT_MS, &self.note, is_noted));
    assert_status(self.submitted, HF_OK);
    assert_status(self.got, HF_OK);
    assert_status(self.started, HF_INVALID);
    assert_status(self.waited, HF_INVALID);
    assert_status(self.note.status, HF_OK);
    assert_int_equal(fixture->close_errors_count, 1);
    assert_false(hf_fake_has(&fixture->fake, "c"));
}

/* ---- a stalled store ----------------------------------------------------------------------------
 */

struct starting {
    struct fixture *fixture;
    const char *id;
    hf_status status;
};

static void starting_run(void *argument)
{
    struct starting *self = argument;
    self->status = hf_start(self->fixture->store, self->id, "hello", INPUT, NULL);
}

/* While a commit is stalled, a call that was not begun gives up as busy and is certainly not done;
 * one that is inside has to wait, and then gets its true answer. */
static void test_stalled_store_is_busy_for_what_was_not_begun(void **state)
{
    struct fixture *fixture = *state;
    struct starting inside = { .fixture = fixture, .id = "inside", .status = -1 };
    uv_thread_t thread;
    fixture->setup.call_deadline_ms = SHORT_MS;
    store_reopen(fixture);
    hf_fake_hold(&fixture->fake);
    assert_int_equal(uv_thread_create(&thread, starting_run, &inside), 0);
    hf_fake_wait_held(&fixture->fake);
    assert_status(hf_start(fixture->store, "outside", "hello", INPUT, &fixture->error), HF_BUSY);
    assert_non_null(strstr(fixture->error.message, "nothing was done"));
    assert_status(hf_start(fixture->store, "outside", "hello", INPUT, &fixture->error), HF_BUSY);
    hf_fake_let_go(&fixture->fake);
    uv_thread_join(&thread);
    assert_status(inside.status, HF_OK);
    store_reopen(fixture);
    assert_true(hf_fake_has(&fixture->fake, "inside"));
    assert_false(hf_fake_has(&fixture->fake, "outside"));
}

/* ---- hf_wait ------------------------------------------------------------------------------------
 */

struct waiting {
    struct fixture *fixture;
    uint64_t timeout_ms;
    hf_status status;
    hf_instance_status seen;
};

static void waiting_run(void *argument)
{
    struct waiting *self = argument;
    const hf_instance *instance = NULL;
    self->status = hf_wait(self->fixture->store, "a", self->timeout_ms, &instance, NULL);
    if (self->status != HF_OK) return;
    self->seen = instance->status;
    hf_instance_free(instance);
}

struct sleepers {
    struct fixture *fixture;
    size_t count;
};

static bool are_asleep(void *context)
{
    struct sleepers *sleepers = context;
    return hf__waiters_asleep(sleepers->fixture->store->waiters) == sleepers->count;
}

/* Waits until so many calls sleep in hf_wait. */
static void assert_asleep(struct fixture *fixture, size_t count)
{
    struct sleepers sleepers = { fixture, count };
    assert_true(hf_test_wait(LIMIT_MS, &sleepers, are_asleep));
}

/* There is nothing to wait for when the instance is not there, or has ended. */
static void test_wait_returns_at_once_when_there_is_nothing_to_wait_for(void **state)
{
    struct fixture *fixture = *state;
    const hf_instance *instance = NULL;
    assert_status(hf_wait(fixture->store, "a", 0, &instance, &fixture->error), HF_NOT_FOUND);
    start(fixture, "a");
    assert_ok(hf_terminate(fixture->store, "a", NULL, &fixture->error), &fixture->error);
    assert_ok(hf_wait(fixture->store, "a", 0, &instance, &fixture->error), &fixture->error);
    assert_int_equal(instance->status, HF_INSTANCE_TERMINATED);
    hf_instance_free(instance);
}

/* A wait ends with its time. */
static void test_wait_times_out(void **state)
{
    struct fixture *fixture = *state;
    const hf_instance *instance = NULL;
    start(fixture, "a");
    uint64_t begin_ns = uv_hrtime();
    assert_status(hf_wait(fixture->store, "a", SHORT_MS, &instance, &fixture->error), HF_TIMEOUT);
    assert_true(uv_hrtime() - begin_ns >= (uint64_t)SHORT_MS * 1000000);
    assert_null(instance);
    assert_non_null(strstr(fixture->error.message, "\"a\""));
}

enum { WAITERS_COUNT = 4 };

/* A commit of this process wakes all who wait, whatever the poll: it is set to a quarter of an hour
 * here. */
static void test_wait_is_woken_by_a_commit_of_this_process(void **state)
{
    struct fixture *fixture = *state;
    struct waiting each[WAITERS_COUNT];
    uv_thread_t threads[WAITERS_COUNT];
    start(fixture, "a");
    for (size_t i = 0; i < WAITERS_COUNT; i++) {
        each[i] = (struct waiting){ .fixture = fixture, .timeout_ms = i % 2 ? LIMIT_MS : 0 };
        assert_int_equal(uv_thread_create(&threads[i], waiting_run, &each[i]), 0);
    }
    assert_asleep(fixture, WAITERS_COUNT);
    assert_ok(hf_terminate(fixture->store, "a", NULL, &fixture->error), &fixture->error);
    for (size_t i = 0; i < WAITERS_COUNT; i++) {
        uv_thread_join(&threads[i]);
        assert_status(each[i].status, HF_OK);
        assert_int_equal(each[i].seen, HF_INSTANCE_TERMINATED);
    }
}

/* Ends the instance, once, and returns when everybody was told. */
static void end_behind_reading(void *user)
{
    struct fixture *fixture = user;
    fixture->fake.on_read = NULL;
    uint64_t seen = hf__waiters_count(fixture->store->waiters);
    fixture->ended_status = hf_terminate(fixture->store, "a", NULL, NULL);
    while (hf__waiters_count(fixture->store->waiters) == seen) {
    }
}

/* An end that is told after a waiter has read, and before it sleeps, is not missed. */
static void test_wait_sees_an_end_between_reading_and_sleeping(void **state)
{
    struct fixture *fixture = *state;
    const hf_instance *instance = NULL;
    start(fixture, "a");
    fixture->fake.user = fixture;
    fixture->fake.on_read = end_behind_reading;
    assert_ok(hf_wait(fixture->store, "a", LIMIT_MS, &instance, &fixture->error), &fixture->error);
    assert_status(fixture->ended_status, HF_OK);
    hf_instance_free(instance);
}

/* Ends that race with the wait, many times over. */
static void test_wait_misses_no_end(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 200; i++) {
        struct starting ends = { .fixture = fixture, .status = -1 };
        const hf_instance *instance = NULL;
        uv_thread_t thread;
        char id[32];
        snprintf(id, sizeof id, "w%d", i);
        ends.id = id;
        start(fixture, id);
        const hf_command command = { .size = sizeof command,
                                     .kind = HF_COMMAND_TERMINATE,
                                     .instance = id };
        if (i % 2) {
            assert_ok(hf_submit(fixture->store, &command, &fixture->error), &fixture->error);
        }
        assert_int_equal(uv_thread_create(&thread, starting_run, &ends), 0);
        if (i % 2 == 0) {
            assert_ok(hf_submit(fixture->store, &command, &fixture->error), &fixture->error);
        }
        assert_ok(hf_wait(fixture->store, id, LIMIT_MS, &instance, &fixture->error),
                  &fixture->error);
        hf_instance_free(instance);
        uv_thread_join(&thread);
        assert_status(ends.status, HF_EXISTS);
    }
}

/* Sleeps in hf_wait for the end of "a", which the role brings about once the sleep has begun. */
static void wait_for_role(struct fixture *fixture, const char *how)
{
    struct waiting waiting = { .fixture = fixture, .timeout_ms = LIMIT_MS };
    struct hf_role role;
    uv_thread_t thread;
    start(fixture, "a");
    hf_role_start(&role, (const char *const[]){ "terminate", fixture->directory.path, how, NULL });
    hf_role_hear(&role, "open");
    assert_int_equal(uv_thread_create(&thread, waiting_run, &waiting), 0);
    assert_asleep(fixture, 1);
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
    struct fixture *fixture = *state;
    fixture->setup.poll_ms = SHORT_MS;
    store_reopen(fixture);
    wait_for_role(fixture, "mute");
}

/* Closing sends away who waits, and nobody touches the handle any more when it returns. */
static void test_close_ends_a_wait(void **state)
{
    struct fixture *fixture = *state;
    struct waiting waiting = { .fixture = fixture };
    uv_thread_t thread;
    start(fixture, "a");
    assert_int_equal(uv_thread_create(&thread, waiting_run, &waiting), 0);
    assert_asleep(fixture, 1);
    hf_store_close(fixture->store);
    uv_thread_join(&thread);
    assert_status(waiting.status, HF_CLOSED);
    store_open(fixture);
}

/* ---- the handle ---------------------------------------------------------------------------------
 */

/* A handle opened without options works, and closes what it opened. */
static void test_no_options_are_all_defaults(void **state)
{
    struct fixture *fixture = *state;
    hf_store *store = NULL;
    hf_store_close(fixture->store);
    assert_true(fixture->fake.is_closed);
    assert_ok(hf__store_open_with(&fixture->setup, NULL, &store, &fixture->error), &fixture->error);
    assert_ok(hf_start(store, "a", "hello", INPUT, &fixture->error), &fixture->error);
    assert_int_equal(store->seams.boot_id.size, 36);
    assert_true(store->clock->boot_ms(store->clock->self) > 0);
    assert_true(store->clock->wall_unix_ms(store->clock->self) > UINT64_C(1600000000000));
    hf_store_close(store);
    store_open(fixture);
}

static void ignore_effects(struct hf__listener *self, uint32_t effects)
{
    (void)self;
    (void)effects;
}

/* While a runtime uses it, a handle stays open, and says so. */
static void test_close_under_a_runtime_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct hf__listener listener = { .on_effects = ignore_effects };
    assert_ok(hf__store_listen(fixture->store, &listener, &fixture->error), &fixture->error);
    hf_store_close(fixture->store);
    assert_int_equal(fixture->close_errors_count, 1);
    assert_false(fixture->fake.is_closed);
    start(fixture, "a");
    hf__effects_leave(fixture->store->effects, &listener);
}

/* Every call of a forked child, by a bit; it has no threads but its own. */
static int forked_calls(hf_store *store)
{
    const hf_instance *instance = NULL;
    const hf_command command = start_command("a", NULL);
    int other = 0;
    if (hf_start(store, "a", "o", INPUT, NULL) != HF_FORKED) other |= 1;
    if (hf_enqueue(store, "a", "q", INPUT, NULL) != HF_FORKED) other |= 2;
    if (hf_cancel(store, "a", NULL, NULL) != HF_FORKED) other |= 4;
    if (hf_terminate(store, "a", NULL, NULL) != HF_FORKED) other |= 8;
    if (hf_submit(store, &command, NULL) != HF_FORKED) other |= 16;
    if (hf_get(store, "a", &instance, NULL) != HF_FORKED) other |= 32;
    if (hf_wait(store, "a", 0, &instance, NULL) != HF_FORKED) other |= 64;
    hf_store_close(store);
    return other;
}

/* After fork() the child may use nothing of the handle; the parent goes on. */
static void test_calls_in_a_forked_child_are_refused(void **state)
{
    struct fixture *fixture = *state;
    int status = 0;
    start(fixture, "a");
    pid_t child = fork();
    if (child == 0) _exit(forked_calls(fixture->store));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_false(fixture->fake.is_closed);
    start(fixture, "b");
}

/* ---- no memory ----------------------------------------------------------------------------------
 */

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
static hf_status everything_run(struct fixture *fixture, struct note *note)
{
    hf_store *store = NULL;
    const hf_instance *instance = NULL;
    hf_error *error = &fixture->error;
    const hf_command command = start_command("b", note);
    hf_status status = hf__store_open_with(&fixture->setup, &fixture->options, &store, error);
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
    struct fixture *fixture = *state;
    struct scarce scarce = { .left_count = 0 };
    const hf_allocator allocator = { sizeof allocator, &scarce, scarce_resize };
    hf_status status = HF_NO_MEMORY;
    size_t failures_count = 0;
    uv_mutex_init(&scarce.mutex);
    hf_store_close(fixture->store);
    fixture->options.allocator = &allocator;
    for (size_t allowed = 0; status != HF_OK; allowed++) {
        struct note note = { .mutex = &fixture->mutex };
        scarce.left_count = allowed;
        status = everything_run(fixture, &note);
        if (status != HF_OK) assert_status(status, HF_NO_MEMORY);
        if (status != HF_OK) failures_count++;
        assert_int_equal(scarce.blocks_count, 0);
        assert_true(note.count <= 1);
        assert_true(allowed < 1000);
    }
    assert_true(failures_count > 8);
    uv_mutex_destroy(&scarce.mutex);
    fixture->options.allocator = NULL;
    store_open(fixture);
}

/* ---- the other process --------------------------------------------------------------------------
 */

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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int count, char **words)
{
    if (count > 4 && strcmp(words[1], "--role") == 0) {
        return role_terminate(words[3], strcmp(words[4], "mute") == 0);
    }
    const struct CMUnitTest tests[] = {
        CASE(test_start_makes_a_pending_instance_once),
        CASE(test_enqueue_and_cancel_reach_running_instances),
        CASE(test_terminated_instance_shows_its_reason),
        CASE(test_unknown_outcome_is_passed_on),
        CASE(test_bad_ids_are_refused_by_name),
        CASE(test_id_of_255_bytes_is_allowed),
        CASE(test_null_where_something_must_be_is_refused),
        CASE(test_payload_over_its_limit_is_too_large),
        CASE(test_default_payload_limit_is_1_mib),
        CASE(test_bad_commands_are_refused_and_not_answered),
        CASE(test_bad_options_are_refused),
        CASE(test_longer_options_are_read_when_the_rest_is_zero),
        CASE(test_shorter_options_leave_the_rest_at_default),
        CASE(test_submitted_thousands_share_commits_and_are_answered_once),
        CASE(test_too_much_in_flight_is_busy_until_answered),
        CASE(test_repeat_with_the_same_key_is_fine),
        CASE(test_on_done_may_submit_and_is_kept_from_waiting),
        CASE(test_stalled_store_is_busy_for_what_was_not_begun),
        CASE(test_wait_returns_at_once_when_there_is_nothing_to_wait_for),
        CASE(test_wait_times_out),
        CASE(test_wait_is_woken_by_a_commit_of_this_process),
        CASE(test_wait_sees_an_end_between_reading_and_sleeping),
        CASE(test_wait_misses_no_end),
        CASE(test_wait_is_woken_by_a_commit_of_another_process),
        CASE(test_wait_finds_an_end_that_nobody_rang),
        CASE(test_close_ends_a_wait),
        CASE(test_no_options_are_all_defaults),
        CASE(test_close_under_a_runtime_is_refused),
        CASE(test_calls_in_a_forked_child_are_refused),
        CASE(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
