/* Poison: turns that kill their process or cannot be read, and activities that nobody can do, are
 * given up after the attempts that are allowed; whoever waits for them is told. */
#include "tests/support/child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "engine/base/heap.h"
#include "runtime/store.h"

/* ---- what runs ------------------------------------------------------------------------------ */

/* Kills the process that runs it. */
static hf_status kills(hf_orchestration *o, hf_slice input)
{
    (void)o;
    (void)input;
    raise(SIGKILL);
    return HF_OK;
}

/* Waits for a message, in a turn of its own. */
static hf_status patient(hf_orchestration *o, hf_slice input)
{
    hf_status_set(o, hf_text("waits"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, input);
}

/* Has a child of that orchestration, and says with which code it failed. */
static hf_status has_child(hf_orchestration *o, hf_slice orchestration)
{
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = hf_format(o, HF_FMT, HF_ARG(orchestration)).data;
    options.instance = "child";
    hf_status status = hf_await(o, hf_child(o, &options), NULL);
    if (status != HF_FAILED) return hf_fail(o, "other", "the child did not fail");
    return hf_complete(o, hf_text(hf_orchestration_error(o)->code));
}

static const struct part parts[] = { { "kills", kills, NULL },
                                     { "patient", patient, NULL },
                                     { "has_child", has_child, NULL },
                                     { NULL, NULL, NULL } };

/* ---- a turn that kills ---------------------------------------------------------------------- */

/* A worker process that dies of a turn. */
static void die_once(struct house *house)
{
    struct child child;
    child_start(&child, house->directory.path, "w", "attempts_max=3");
    int status = child_end(&child, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Three processes die in it before its first turn was ever committed; the fourth gives it up, and
 * its parent is told. The instance is there, failed, with a whole event. */
static void row_4b_4_turn_that_kills_is_given_up(void **state)
{
    (void)state;
    struct house house;
    struct child last;
    hf_error error = { 0 };
    const hf_instance *child = NULL;
    house_open(&house, parts);
    house_start(&house, "parent", "has_child", "kills");
    for (int i = 0; i < 3; i++) die_once(&house);
    child_start(&last, house.directory.path, "w", "attempts_max=3");
    house_expect(&house, "parent", "poison");
    house_failure(&house, "child", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "poison");
    assert_non_null(strstr(error.message, "its turn was tried 3 times"));
    assert_ok(hf_get(house.store, "child", &child, &error), &error);
    assert_int_equal(child->events_count, 2);
    hf_instance_free(child);
    assert_int_equal(child_end(&last, SIGTERM), 0);
    house_close(&house);
}

/* Others, whose turns were in the same hands each time, are not given up with it: from its second
 * loss on a turn is alone. */
static void trap_c1_crashes_count_and_blame_no_other(void **state)
{
    (void)state;
    enum { OTHERS = 8 };
    struct house house;
    struct child last;
    hf_error error = { 0 };
    char id[24];
    house_open(&house, parts);
    house_start(&house, "killer", "kills", "");
    for (int i = 0; i < OTHERS; i++) {
        snprintf(id, sizeof id, "other-%d", i);
        house_start(&house, id, "patient", "out");
        house_send(&house, id, "go", "");
    }
    for (int i = 0; i < 3; i++) die_once(&house);
    child_start(&last, house.directory.path, "w", "attempts_max=3");
    house_failure(&house, "killer", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "poison");
    for (int i = 0; i < OTHERS; i++) {
        snprintf(id, sizeof id, "other-%d", i);
        house_expect(&house, id, "out");
    }
    assert_int_equal(child_end(&last, SIGTERM), 0);
    house_close(&house);
}

/* ---- history that cannot be read ------------------------------------------------------------ */

enum { BACKOFF_MS = 60000 };

/* Starts an instance whose first event is those bytes. */
static void start_raw(struct house *house, const char *id, const char *bytes, size_t size)
{
    struct hf_store_command start = { .kind = HF_STORE_START };
    struct hf_store_command *commands = &start;
    struct hf_batch batch = { .commands = &commands, .count = 1 };
    struct hf_backend *backend = house->store->backend;
    start.start = (struct hf_store_start){ .id = hf_text(id),
                                           .orchestration = hf_text("patient"),
                                           .body = hf_bytes(bytes, size) };
    assert_ok(backend->ops->commit(backend, &batch, &start.error), &start.error);
    assert_ok(start.status, &start.error);
}

/* Each attempt to read it counts, and waits; then it is given up with the next event id, without a
 * look at what is there. */
static void give_up_unreadable(struct house *house, const char *bytes, size_t size)
{
    hf_error error = { 0 };
    const hf_instance *instance = NULL;
    start_raw(house, "i", bytes, size);
    hf_runtime *runtime = house_worker(
        house, HF_WITH(hf_runtime_options, .worker_id = "w", .attempts_max = 2));
    for (size_t i = 1; i <= 2; i++) {
        stage_wait(&house->stage, "log instance.unreadable w", i);
        house_move_clocks(house, BACKOFF_MS, BACKOFF_MS);
    }
    house_failure(house, "i", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "poison");
    assert_ok(hf_get(house->store, "i", &instance, &error), &error);
    assert_int_equal(instance->events_count, 2);
    house_wait_metric(runtime, "turns_poisoned", 1);
    hf_instance_free(instance);
    house_rest(runtime);
    hf_runtime_free(runtime);
}

static void row_4b_6_damaged_history_is_given_up(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    house.has_foreign_bodies = true;
    give_up_unreadable(&house, "\xc1 no event", 10);
    house_close(&house);
}

/* An event of a kind that this library does not know. */
static void trap_a19_unknown_kind_counts_and_ends(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    house.has_foreign_bodies = true;
    give_up_unreadable(&house, "\x81\x00\x7f", 3);
    house_close(&house);
}

/* Puts bytes that are no message into its inbox. */
static void message_raw(struct house *house, const char *id, hf_slice bytes)
{
    struct hf_store_command message = { .kind = HF_STORE_MESSAGE };
    struct hf_store_command *commands = &message;
    struct hf_batch batch = { .commands = &commands, .count = 1 };
    struct hf_backend *backend = house->store->backend;
    message.message = (struct hf_store_message){ .id = hf_text(id), .body = bytes };
    assert_ok(backend->ops->commit(backend, &batch, &message.error), &message.error);
    assert_ok(message.status, &message.error);
}

static void check_last_event(struct house *house, const char *id, uint64_t event_id)
{
    hf_error error = { 0 };
    hf_cursor *cursor = NULL;
    const hf_event_info *event = NULL;
    uint64_t last = 0;
    assert_ok(hf_query_open(house->store, HF_WITH(hf_query, .instance = id), &cursor, &error),
              &error);
    while (hf_next_event(cursor, &event)) {
        last = event->event_id;
        if (last == event_id) {
            assert_string_equal(event->kind, "failed");
            assert_string_equal(event->code, "poison");
            assert_true(strlen(event->text) > 0);
        }
    }
    assert_ok(hf_cursor_close(cursor, &error), &error);
    assert_int_equal(last, event_id);
}

/* The store writes its end without a look at what cannot be read: a failure like any other, with
 * the next id, and its parent goes on. */
static void trap_a20_unreadable_child_ends_and_its_parent_is_told(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    house_start(&house, "parent", "has_child", "patient");
    hf_runtime *runtime = house_worker(
        &house, HF_WITH(hf_runtime_options, .worker_id = "w", .attempts_max = 2));
    house_wait_status(&house, "child", "waits");
    message_raw(&house, "child", hf_text("\xc1 no event"));
    for (size_t i = 1; i <= 2; i++) {
        stage_wait(&house.stage, "log instance.unreadable w", i);
        house_move_clocks(&house, BACKOFF_MS, BACKOFF_MS);
    }
    house_expect(&house, "parent", "poison");
    check_last_event(&house, "child", 4);
    house_rest(runtime);
    hf_runtime_free(runtime);
    house_close(&house);
}

int main(int argc, char **argv)
{
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_4b_4_turn_that_kills_is_given_up),
        cmocka_unit_test(trap_c1_crashes_count_and_blame_no_other),
        cmocka_unit_test(row_4b_6_damaged_history_is_given_up),
        cmocka_unit_test(trap_a19_unknown_kind_counts_and_ends),
        cmocka_unit_test(trap_a20_unreadable_child_ends_and_its_parent_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
