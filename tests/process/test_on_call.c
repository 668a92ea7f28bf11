/* `holdfast` beside the workers of a store: what a person on call reads of it, and what they do to
 * its instances. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/process/command.h"

/* ---- what runs ------------------------------------------------------------------------------ */

/* Sets values and waits for a message; "end" ends it, another one is its next execution's. */
static hf_status rounds(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    hf_kv_set(o, "color", hf_text("blue"));
    hf_kv_set(o, "shape", input);
    hf_status_set(o, hf_text("round"));
    HF_TRY(hf_dequeue(o, "q", &message));
    if (hf_slice_equal(message, hf_text("end"))) return hf_complete(o, input);
    return hf_continue_as_new(o, message);
}

/* Calls what nobody has, until it is poison. */
static hf_status hopes(hf_orchestration *o, hf_slice input)
{
    HF_TRY(hf_call(o, "nobody has it", input, NULL));
    return hf_complete(o, input);
}

static const struct part parts[] = { { "rounds", rounds, NULL },
                                     { "hopes", hopes, NULL },
                                     { NULL, NULL, NULL } };

struct scene {
    struct house house;
    hf_runtime *runtime;
    struct command command; /* the latest run */
};

static int scene_setup(void **state)
{
    static struct scene scene;
    house_open(&scene.house, parts);
    scene.runtime = house_worker(&scene.house,
                                 HF_WITH(hf_runtime_options, .worker_id = "w", .attempts_max = 1));
    *state = &scene;
    return 0;
}

static int scene_teardown(void **state)
{
    struct scene *scene = *state;
    house_rest(scene->runtime);
    hf_runtime_free(scene->runtime);
    house_close(&scene->house);
    return 0;
}

/* Runs `holdfast <name> <store> <rest>`; it must end so, and say so. */
static void run(struct scene *scene, const char *name, const char *rest, int exit_status,
                const char *said)
{
    char words[1024];
    int size = snprintf(words, sizeof words, "%s '%s' %s", name, scene->house.directory.path, rest);
    assert_true(size > 0 && (size_t)size < sizeof words);
    command_run(&scene->command, words);
    command_must(&scene->command, exit_status, said);
}

static size_t lines_count(const struct command *command)
{
    size_t count = 0;
    for (const char *at = command->output; (at = strchr(at, '\n')); at++) count++;
    return count;
}

static void start_rounds(struct scene *scene, const char *id)
{
    house_start(&scene->house, id, "rounds", "x");
    house_wait_status(&scene->house, id, "round");
}

static void end_rounds(struct scene *scene, const char *id)
{
    house_send(&scene->house, id, "q", "end");
    house_expect(&scene->house, id, "x");
}

/* Starts one that fails, and leaves a dead letter. */
static void give_up(struct scene *scene, const char *id)
{
    hf_error error = { 0 };
    house_start(&scene->house, id, "hopes", "");
    house_failure(&scene->house, id, HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "poison");
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Each filter narrows the list; together they narrow it further. */
static void test_instances_are_filtered(void **state)
{
    struct scene *scene = *state;
    house_start(&scene->house, "a-1", "hello", "you");
    house_expect(&scene->house, "a-1", "Hello, you!");
    start_rounds(scene, "a-2");
    start_rounds(scene, "b-1");
    static const struct {
        const char *options, *shown;
        size_t count;
    } cases[] = { { "--json", "\"instance\":\"a-1\"", 3 },
                  { "--json --status completed", "\"instance\":\"a-1\"", 1 },
                  { "--json --name rounds", "\"instance\":\"a-2\"", 2 },
                  { "--json --prefix a-", "\"instance\":\"a-2\"", 2 },
                  { "--json --prefix b", "\"instance\":\"b-1\"", 1 },
                  { "--status running --name rounds --prefix a", "a-2", 1 },
                  { "--status failed", "", 0 } };
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        run(scene, "instances", cases[i].options, 0, cases[i].shown);
        assert_int_equal(lines_count(&scene->command), cases[i].count);
    }
    run(scene, "instances", "--status lost", 2, "--status wants pending, running, ");
    run(scene, "instances", "--prefix ''", 2, "--prefix wants how the ids begin");
    end_rounds(scene, "a-2");
    end_rounds(scene, "b-1");
}

static void test_executions_are_listed(void **state)
{
    struct scene *scene = *state;
    start_rounds(scene, "one");
    house_send(&scene->house, "one", "q", "x");
    end_rounds(scene, "one");
    run(scene, "executions", "one --json", 0,
        "{\"execution\":1,\"status\":\"continued\",\"events\":");
    command_must(&scene->command, 0, "{\"execution\":2,\"status\":\"completed\",\"events\":");
    assert_int_equal(lines_count(&scene->command), 2);
    run(scene, "executions", "one", 0, "     2  completed ");
    run(scene, "executions", "two", 1, "there is no instance \"two\"");
    run(scene, "executions", "", 2, "a word is missing");
}

static void test_values_are_listed(void **state)
{
    struct scene *scene = *state;
    start_rounds(scene, "one");
    run(scene, "values", "one --json", 0,
        "{\"key\":\"color\",\"value\":\"blue\",\"set_unix_ms\":1");
    command_must(&scene->command, 0, "{\"key\":\"shape\",\"value\":\"x\",\"set_unix_ms\":1");
    assert_int_equal(lines_count(&scene->command), 2);
    run(scene, "values", "one", 0, "color ");
    end_rounds(scene, "one");
    give_up(scene, "none");
    run(scene, "values", "none", 0, "it has no values");
    run(scene, "values", "two", 1, "there is no instance \"two\"");
}

/* The letters of a later instance are found though an earlier one has some, too. */
static void test_dead_letters_are_listed(void **state)
{
    struct scene *scene = *state;
    run(scene, "dead-letters", "", 0, "nothing was given up");
    give_up(scene, "one");
    give_up(scene, "two");
    run(scene, "dead-letters", "--json", 0, "{\"instance\":\"one\",\"orchestration\":\"hopes\",");
    assert_int_equal(lines_count(&scene->command), 2);
    run(scene, "dead-letters", "two --json", 0,
        "{\"instance\":\"two\",\"orchestration\":\"hopes\",\"kind\":\"activity\","
        "\"activity\":\"nobody has it\",\"execution\":1,\"event_id\":2,\"attempts\":");
    assert_int_equal(lines_count(&scene->command), 1);
    run(scene, "dead-letters", "two", 0, "activity nobody has it");
    run(scene, "dead-letters", "three", 1, "there is no instance \"three\"");
}

static void test_stats_are_told(void **state)
{
    struct scene *scene = *state;
    give_up(scene, "bad");
    start_rounds(scene, "one");
    run(scene, "stats", "--json", 0,
        "{\"pending_count\":0,\"running_count\":1,\"completed_count\":0,"
        "\"failed_count\":1,");
    command_must(&scene->command, 0,
                 "\"values_count\":2,\"dead_letters_count\":1,"
                 "\"workers_count\":1}");
    run(scene, "stats", "", 0, "dead letters                    1\n");
    end_rounds(scene, "one");
}

/* ---- doing ---------------------------------------------------------------------------------- */

static bool is_suspended(struct scene *scene, const char *id)
{
    const hf_instance *instance = NULL;
    hf_error error = { 0 };
    assert_ok(hf_get(scene->house.store, id, &instance, &error), &error);
    bool is_so = instance->suspension != NULL;
    hf_instance_free(instance);
    return is_so;
}

static void test_suspend_and_resume(void **state)
{
    struct scene *scene = *state;
    start_rounds(scene, "one");
    start_rounds(scene, "other");
    run(scene, "suspend", "one 'the disk is full'", 0, "one: suspended\n");
    assert_true(is_suspended(scene, "one"));
    run(scene, "instances", "", 0, "the disk is full");
    run(scene, "instances", "--json --status suspended", 0, "\"instance\":\"one\"");
    assert_int_equal(lines_count(&scene->command), 1);
    run(scene, "suspend", "one", 0, "one: suspended, as before\n");
    run(scene, "resume", "one --json", 0, "{\"instance\":\"one\",\"done\":\"resume\"}\n");
    assert_false(is_suspended(scene, "one"));
    run(scene, "instances", "--json --status suspended", 0, "");
    assert_int_equal(lines_count(&scene->command), 0);
    run(scene, "resume", "one", 0, "it was not suspended");
    end_rounds(scene, "one");
    end_rounds(scene, "other");
    run(scene, "suspend", "one", 1, "has ended (completed): there is nothing to suspend");
}

static void test_cancel_and_terminate(void **state)
{
    struct scene *scene = *state;
    hf_error error = { 0 };
    start_rounds(scene, "one");
    run(scene, "suspend", "one", 0, "");
    run(scene, "cancel", "one 'by request'", 0, "hears of it when it is resumed");
    run(scene, "resume", "one", 0, "one: resumed\n");
    house_failure(&scene->house, "one", HF_INSTANCE_CANCELLED, &error);
    assert_non_null(strstr(error.message, "by request"));
    start_rounds(scene, "two");
    run(scene, "terminate", "two enough", 0, "two: terminated\n");
    house_failure(&scene->house, "two", HF_INSTANCE_TERMINATED, &error);
    assert_non_null(strstr(error.message, "enough"));
    run(scene, "terminate", "two", 1, "has ended (terminated)");
    run(scene, "cancel", "two", 1, "restart lets it run again");
    run(scene, "cancel", "three", 1, "there is no instance \"three\"");
}

static void test_restart_anew_and_from_an_event(void **state)
{
    struct scene *scene = *state;
    start_rounds(scene, "one");
    run(scene, "restart", "one", 1, "has not ended (running): wait for its end or terminate it");
    end_rounds(scene, "one");
    run(scene, "restart", "one", 0, "one: restarted\n");
    end_rounds(scene, "one");
    run(scene, "executions", "one --json", 0, "{\"execution\":2,\"status\":\"completed\"");
    run(scene, "restart", "one --from-event 2 --json", 0,
        "{\"instance\":\"one\",\"done\":\"restart\"}");
    house_expect(&scene->house, "one", "x"); /* the message that ended it comes again */
    run(scene, "executions", "one --json", 0, "{\"execution\":3,\"status\":\"completed\"");
    run(scene, "restart", "one --from-event 1", 2, "--from-event wants the number of an event");
    run(scene, "restart", "one --from-event two", 2, "from 2 on, not two");
    run(scene, "restart", "one --from-event 999", 1, "999");
    run(scene, "restart", "two", 1, "there is no instance \"two\"");
}

/* Its letter goes, and it runs again from what was given up; again for nothing. */
static void test_requeue(void **state)
{
    struct scene *scene = *state;
    hf_error error = { 0 };
    give_up(scene, "one");
    run(scene, "requeue", "one", 0, "one: requeued\n");
    house_failure(&scene->house, "one", HF_INSTANCE_FAILED, &error);
    run(scene, "executions", "one --json", 0, "{\"execution\":2,\"status\":\"failed\"");
    start_rounds(scene, "two");
    run(scene, "requeue", "two", 1, "has not ended (running)");
    end_rounds(scene, "two");
    run(scene, "requeue", "two", 1, "has no dead letter");
    run(scene, "requeue", "three", 1, "there is no instance \"three\"");
}

/* No command makes a store where none is; the path that is wrong is told. */
static void test_missing_store_is_told(void **state)
{
    static const struct {
        const char *name, *rest;
    } lines[] = { { "stats", "" },        { "instances", "" },  { "sessions", "" },
                  { "workers", "" },      { "history", "one" }, { "executions", "one" },
                  { "dead-letters", "" }, { "values", "one" },  { "suspend", "one" },
                  { "resume", "one" },    { "cancel", "one" },  { "terminate", "one" },
                  { "restart", "one" },   { "requeue", "one" } };
    struct scene *scene = *state;
    char path[512], words[1024];
    snprintf(path, sizeof path, "%s/missing", scene->house.directory.path);
    for (size_t i = 0; i < HF_COUNT_OF(lines); i++) {
        snprintf(words, sizeof words, "%s '%s' %s", lines[i].name, path, lines[i].rest);
        command_run(&scene->command, words);
        command_must(&scene->command, 1, path);
        assert_int_equal(access(path, F_OK), -1);
    }
}

/* The list of all commands has each, and each tells its own use. */
static void test_help_lists_each(void **state)
{
    struct scene *scene = *state;
    command_run(&scene->command, "--help");
    command_must(&scene->command, 0, "holdfast dead-letters DIR [INSTANCE]");
    command_must(&scene->command, 0, "holdfast restart DIR INSTANCE [--from-event N]");
    command_run(&scene->command, "requeue --help");
    command_must(&scene->command, 0, "usage: holdfast requeue DIR INSTANCE");
    command_run(&scene->command, "stats /tmp --from-event 3");
    command_must(&scene->command, 2, "stats has no option or room for --from-event");
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_instances_are_filtered),
        SCENE_TEST(test_executions_are_listed),
        SCENE_TEST(test_values_are_listed),
        SCENE_TEST(test_dead_letters_are_listed),
        SCENE_TEST(test_stats_are_told),
        SCENE_TEST(test_suspend_and_resume),
        SCENE_TEST(test_cancel_and_terminate),
        SCENE_TEST(test_restart_anew_and_from_an_event),
        SCENE_TEST(test_requeue),
        SCENE_TEST(test_missing_store_is_told),
        SCENE_TEST(test_help_lists_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
