/* Open sessions as a user sees them: by a query in the program, and by `holdfast sessions` beside
 * it.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/process/command.h"

enum { LIMIT_MS = 60000, OUTPUT_SIZE = 8192, LEAK_MS = 300 };

struct fixture {
    struct hf_test_directory directory;
    hf_store *store;
    hf_registry *registry;
    hf_runtime *runtime;
    hf_observer observer;
    atomic_int leaked_count; /* lines of the session's leak */
};

static void take_line(void *self, const hf_log_line *line)
{
    struct fixture *fixture = self;
    if (strcmp(line->event, "session.leaked") != 0) return;
    bool is_ours = strcmp(line->instance, "one") == 0 && strcmp(line->session, "desk") == 0;
    if (!is_ours || line->level != HF_LOG_WARN) abort();
    atomic_fetch_add(&fixture->leaked_count, 1);
}

static hf_status touch(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

/* Works in a tagged session, then leaves it open and waits. */
static hf_status waits(hf_orchestration *o, hf_slice input)
{
    hf_session session = hf_session_open_with(
        o, HF_WITH(hf_session_options, .id = "desk", .tag = "gpu"));
    HF_TRY(hf_call_on(o, session, "touch", input, NULL));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, input);
}

/* Runs for as long as the worker does. */
static hf_status toil(hf_activity *a, hf_slice input)
{
    (void)input;
    (void)hf_activity_wait_cancelled(a, UINT64_MAX);
    return HF_CANCELLED;
}

/* Has an activity in its session, all the time. */
static hf_status busy(hf_orchestration *o, hf_slice input)
{
    HF_TRY(hf_call_on(o, hf_session_open(o), "toil", input, NULL));
    return hf_complete(o, input);
}

static int setup(void **state)
{
    static const char *const tags[] = { "gpu" };
    struct fixture *fixture = calloc(1, sizeof *fixture);
    hf_error error = { 0 };
    assert_non_null(fixture);
    hf_test_directory_make(&fixture->directory);
    fixture->observer = (hf_observer){ .size = sizeof fixture->observer,
                                       .self = fixture,
                                       .level_max = HF_LOG_INFO,
                                       .log = take_line };
    assert_ok(hf_store_open(fixture->directory.path,
                            HF_WITH(hf_store_options, .durability = HF_DURABLE_NONE,
                                    .observer = &fixture->observer),
                            &fixture->store, &error),
              &error);
    fixture->registry = hf_registry_new();
    hf_register_activity(fixture->registry, "touch", touch, NULL);
    hf_register_activity(fixture->registry, "toil", toil, NULL);
    hf_register_orchestration(fixture->registry, "waits", waits, NULL);
    hf_register_orchestration(fixture->registry, "busy", busy, NULL);
    assert_ok(hf_runtime_new(fixture->store, fixture->registry,
                             HF_WITH(hf_runtime_options, .worker_id = "smith", .tags = tags,
                                     .tags_count = 1, .session_leak_ms = LEAK_MS),
                             &fixture->runtime, &error),
              &error);
    assert_ok(hf_runtime_start(fixture->runtime, &error), &error);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    hf_runtime_free(fixture->runtime);
    hf_registry_free(fixture->registry);
    hf_store_close(fixture->store);
    hf_test_directory_remove(&fixture->directory);
    free(fixture);
    return 0;
}

/* Whether the session of "one" is held and quiet, as a query shows it. */
static bool is_quiet(void *context)
{
    struct fixture *fixture = context;
    hf_cursor *cursor = NULL;
    const hf_session_info *row = NULL;
    const hf_query *query = HF_WITH(hf_query, .instance = "one", .worker_id = "smith");
    if (hf_query_open(fixture->store, query, &cursor, NULL) != HF_OK) return false;
    bool is_so = hf_next_session(cursor, &row) && row->quiet_unix_ms > 0;
    if (is_so) is_so = strcmp(row->session, "desk") == 0 && strcmp(row->tag, "gpu") == 0;
    if (hf_cursor_close(cursor, NULL) != HF_OK) return false;
    return is_so;
}

/* What `holdfast sessions` prints. */
static void run(struct fixture *fixture, const char *options, char *output)
{
    char command[1024];
    snprintf(command, sizeof command, "'%s' sessions %s '%s' 2>&1", HOLDFAST_COMMAND, options,
             fixture->directory.path);
    FILE *from = popen(command, "r");
    assert_non_null(from);
    size_t size = fread(output, 1, OUTPUT_SIZE - 1, from);
    output[size] = '\0';
    int status = pclose(from);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("%s", output);
}

static void assert_says(const char *output, const char *what)
{
    if (!strstr(output, what)) fail_msg("no %s in %s", what, output);
}

/* A session without work shows its tag, its owner, and how long it is quiet. */
static void test_quiet_session_is_shown(void **state)
{
    struct fixture *fixture = *state;
    char output[OUTPUT_SIZE];
    hf_error error = { 0 };
    run(fixture, "", output);
    assert_says(output, "no session is open");
    assert_ok(hf_start(fixture->store, "one", "waits", hf_text(""), &error), &error);
    assert_true(hf_test_wait(LIMIT_MS, fixture, is_quiet));
    run(fixture, "", output);
    assert_says(output, "gpu");
    assert_says(output, "smith");
    assert_says(output, "quiet for");
    run(fixture, "--json", output);
    assert_says(output, "\"tag\":\"gpu\"");
    assert_says(output, "\"quiet_unix_ms\":");
    if (strstr(output, "\"quiet_unix_ms\":0}")) fail_msg("%s", output);
    assert_ok(hf_enqueue(fixture->store, "one", "go", hf_text(""), &error), &error);
    const hf_instance *ended = NULL;
    assert_ok(hf_wait(fixture->store, "one", LIMIT_MS, &ended, &error), &error);
    hf_instance_free(ended);
    run(fixture, "", output);
    assert_says(output, "no session is open");
}

/* The dump names reasons and kinds, and tells what messages and events say. */
static void test_dump_says_what_records_mean(void **state)
{
    struct fixture *fixture = *state;
    static struct command command;
    char line[512];
    hf_error error = { 0 };
    assert_ok(hf_start(fixture->store, "one", "waits", hf_text("words"), &error), &error);
    assert_true(hf_test_wait(LIMIT_MS, fixture, is_quiet));
    snprintf(line, sizeof line, "log dump '%s'", fixture->directory.path);
    command_run(&command, line);
    command_must(&command, 0, "\"reason\":\"first\"");
    command_must(&command, 0, "{\"kind\":\"started\",\"name\":\"waits\",\"payload\":\"words\"");
    command_must(&command, 0, "\"kind\":\"activity_completed\"");
}

/* A word that is no command is named; the version and the help are told; what prints no objects
 * says so. */
static void test_words_and_version(void **state)
{
    static struct command command;
    (void)state;
    command_run(&command, "bogus");
    command_must(&command, 2, "there is no command \"bogus\"");
    command_run(&command, "log bogus");
    command_must(&command, 2, "there is no command \"log bogus\"");
    for (int i = 0; i < 3; i++) {
        static const char *const words[] = { "--help", "-h", "help" };
        command_run(&command, words[i]);
        command_must(&command, 0, "holdfast log verify DIR");
    }
    command_run(&command, "export nowhere one --json");
    command_must(&command, 2, "export: it has no --json");
    command_run(&command, "demo --json");
    command_must(&command, 2, "demo: it has no --json");
    command_run(&command, "--version");
    command_must(&command, 0, "holdfast 0.");
}

static bool is_told(void *context)
{
    struct fixture *fixture = context;
    return atomic_load(&fixture->leaked_count) > 0;
}

/* A session that nobody uses any more is reported; one that is in use, or whose orchestration
 * closes it, is not. */
static void test_forgotten_session_is_reported(void **state)
{
    struct fixture *fixture = *state;
    hf_error error = { 0 };
    assert_ok(hf_start(fixture->store, "one", "waits", hf_text(""), &error), &error);
    assert_ok(hf_start(fixture->store, "two", "busy", hf_text(""), &error), &error);
    assert_true(hf_test_wait(LIMIT_MS, fixture, is_told));
    assert_int_equal(atomic_load(&fixture->leaked_count), 1);
    assert_ok(hf_enqueue(fixture->store, "one", "go", hf_text(""), &error), &error);
    const hf_instance *ended = NULL;
    assert_ok(hf_wait(fixture->store, "one", LIMIT_MS, &ended, &error), &error);
    hf_instance_free(ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_quiet_session_is_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgotten_session_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dump_says_what_records_mean, setup, teardown),
        cmocka_unit_test(test_words_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
