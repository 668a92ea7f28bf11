/* Versions and detached starts on whole runtimes: what clients ask for, what workers can run, and
 * what is left for others. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

/* ---- what runs ------------------------------------------------------------------------------ */

static hf_status about(hf_orchestration *o, hf_slice input)
{
    hf_slice told;
    const hf_orchestration_info *self = hf_orchestration_about(o);
    HF_TRY(hf_call(o, "who", input, &told));
    return hf_complete(o, hf_format(o, "%s %s %s " HF_FMT, self->orchestration, self->version,
                                    self->parent ? self->parent : "-", HF_ARG(told)));
}

/* What an activity is told about its orchestration. */
static hf_status who(hf_activity *a, hf_slice input)
{
    char text[128];
    const hf_activity_info *self = hf_activity_about(a);
    (void)input;
    snprintf(text, sizeof text, "%s %s %s", self->instance, self->orchestration, self->version);
    return hf_activity_complete(a, hf_text(text));
}

/* Starts "<id>-a" on the way and "<id>-b" in the turn that ends it, both detached, and one whose id
 * is its own. */
static hf_status scatters(hf_orchestration *o, hf_slice input)
{
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = "hello";
    options.input = input;
    options.instance = hf_format(o, "%s-a", hf_instance_id(o)).data;
    hf_start_detached(o, &options);
    options.instance = hf_instance_id(o);
    hf_start_detached(o, &options);
    HF_TRY(hf_sleep(o, 0));
    options.instance = hf_format(o, "%s-b", hf_instance_id(o)).data;
    hf_start_detached(o, &options);
    return hf_complete(o, input);
}

/* Ends in its first turn. */
static hf_status ends(hf_orchestration *o, hf_slice input)
{
    return hf_complete(o, input);
}

static const struct part parts[] = { { "about", about, NULL },
                                     { "ends", ends, NULL },
                                     { "scatters", scatters, NULL },
                                     { "who", NULL, who },
                                     { NULL, NULL, NULL } };

static hf_runtime *worker(struct house *house, const char *id)
{
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = id, .attempts_max = 2));
}

static void rest(hf_runtime *runtime)
{
    house_rest(runtime);
    assert_true(house_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
}

/* ---- starts --------------------------------------------------------------------------------- */

/* A start with all that it can say; repeated with its key it is done once, without it refused, and
 * neither changes the instance. */
static void row_3_1_start_is_done_once(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    hf_command start = HF_INIT(hf_command);
    start.kind = HF_COMMAND_START;
    start.instance = "i";
    start.name = "about";
    start.version = "1.0.0";
    start.idempotency_key = "once";
    assert_ok(hf_execute(house.store, &start, &error), &error);
    assert_ok(hf_execute(house.store, &start, &error), &error);
    start.idempotency_key = NULL;
    assert_status(hf_execute(house.store, &start, &error), HF_EXISTS);
    start.version = "one";
    assert_status(hf_execute(house.store, &start, &error), HF_INVALID);
    start.version = NULL;
    start.name = "holdfast.about";
    assert_status(hf_execute(house.store, &start, &error), HF_INVALID);
    assert_non_null(strstr(error.message, "reserved"));
    hf_runtime *runtime = worker(&house, "w");
    house_expect(&house, "i", "about 1.0.0 - i about 1.0.0");
    rest(runtime);
    house_close(&house);
}

/* A second start of a running instance, under another name or version, is refused in its own
 * transaction: what runs is what was started. */
static void trap_a2_second_start_changes_nothing(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    house_start(&house, "i", "waits", "");
    hf_runtime *runtime = worker(&house, "w");
    house_wait_status(&house, "i", "waiting");
    assert_status(hf_start(house.store, "i", "about", hf_text(NULL), &error), HF_EXISTS);
    house_send(&house, "i", "go", "");
    const hf_instance *instance = NULL;
    assert_ok(hf_wait(house.store, "i", STAGE_LIMIT_MS, &instance, &error), &error);
    assert_string_equal(instance->orchestration, "waits");
    assert_string_equal(instance->version, "1.0.0");
    assert_int_equal(instance->status, HF_INSTANCE_COMPLETED);
    hf_instance_free(instance);
    rest(runtime);
    house_close(&house);
}

/* Code and activity are told name and version, the activity without a look at history. */
static void row_2_2_activity_knows_its_orchestration(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    hf_orchestration_settings settings = HF_INIT(hf_orchestration_settings);
    settings.version = "2.5.0";
    hf_register_orchestration(house.registry, "about", about, &settings);
    hf_runtime *runtime = worker(&house, "w");
    house_start(&house, "i", "about", "");
    house_expect(&house, "i", "about 2.5.0 - i about 2.5.0");
    rest(runtime);
    house_close(&house);
}

/* ---- detached ------------------------------------------------------------------------------- */

/* Both start, also the one of the last turn; a taken id is told in the log and disturbs nobody. */
static void row_1a_21_detached_starts_are_nobodys_children(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, parts);
    hf_runtime *runtime = worker(&house, "w");
    house_start(&house, "i", "scatters", "you");
    house_expect(&house, "i", "you");
    house_expect(&house, "i-a", "Hello, you!");
    house_expect(&house, "i-b", "Hello, you!");
    stage_wait(&house.stage, "log instance.detached_clash", 1);
    rest(runtime);
    house_close(&house);
}

/* ---- work for others ------------------------------------------------------------------------ */

/* Starts an instance of a version that the house's registry lacks. */
static void start_version(struct house *house, const char *id, const char *version)
{
    hf_error error = { 0 };
    hf_command start = HF_INIT(hf_command);
    start.kind = HF_COMMAND_START;
    start.instance = id;
    start.name = "about";
    start.version = version;
    assert_ok(hf_execute(house->store, &start, &error), &error);
}

/* A worker without the version hands it back; one that has it runs it. */
static void row_1f_7_work_is_left_to_who_has_the_code(void **state)
{
    (void)state;
    enum { BACKOFF_MS = 60000 };
    struct house house;
    hf_runtime *newer = NULL;
    hf_error error = { 0 };
    house_open(&house, parts);
    start_version(&house, "i", "2.0.0");
    hf_runtime *older = worker(&house, "old");
    stage_wait(&house.stage, "log instance.unregistered old", 1);
    hf_registry *registry = stage_registry(&house.stage, parts, NULL);
    hf_orchestration_settings settings = HF_INIT(hf_orchestration_settings);
    settings.version = "2.0.0";
    hf_register_orchestration(registry, "about", about, &settings);
    assert_ok(hf_runtime_new(house.store, registry, HF_WITH(hf_runtime_options, .worker_id = "new"),
                             &newer, &error),
              &error);
    rest(older);
    assert_ok(hf_runtime_start(newer, &error), &error);
    house_move_clocks(&house, BACKOFF_MS, BACKOFF_MS);
    house_expect(&house, "i", "about 2.0.0 - i about 2.0.0");
    rest(newer);
    hf_registry_free(registry);
    house_close(&house);
}

/* What is nowhere ends as poison after the attempts that are allowed. */
static void trap_c5_unregistered_work_ends_as_poison(void **state)
{
    (void)state;
    enum { BACKOFF_MS = 60000 };
    struct house house;
    hf_error error = { 0 };
    house_open(&house, parts);
    start_version(&house, "i", "3.0.0");
    hf_runtime *runtime = worker(&house, "w");
    for (size_t i = 1; i <= 2; i++) {
        stage_wait(&house.stage, "log instance.unregistered w", i);
        house_move_clocks(&house, BACKOFF_MS, BACKOFF_MS);
    }
    house_failure(&house, "i", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "poison");
    rest(runtime);
    house_close(&house);
}

/* An execution of an engine that this worker does not run is neither locked nor counted; one that
 * does run it finds it as it was. */
static void row_4a_12_engine_versions_out_of_range_are_left(void **state)
{
    (void)state;
    struct house house;
    hf_error error = { 0 };
    hf_runtime *refused = NULL;
    house_open(&house, parts);
    hf_runtime *first = worker(&house, "first");
    house_start(&house, "i", "waits", "");
    house_wait_status(&house, "i", "waiting");
    rest(first);
    hf_runtime *old = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "old",
                                                   .engine_version_max = hf_version() - 1));
    house_send(&house, "i", "go", "");
    house_start(&house, "other", "ends", "out"); /* begun by nobody yet: anybody's */
    house_expect(&house, "other", "out");
    assert_true(house_metric(old, "turns_abandoned") == 0);
    rest(old);
    assert_status(
        hf_runtime_new(house.store, house.registry,
                       HF_WITH(hf_runtime_options, .engine_version_max = hf_version() + 1),
                       &refused, &error),
        HF_INVALID);
    assert_status(hf_runtime_new(house.store, house.registry,
                                 HF_WITH(hf_runtime_options, .engine_version_min = UINT32_MAX),
                                 &refused, &error),
                  HF_INVALID);
    hf_runtime *last = worker(&house, "last");
    const hf_instance *instance = NULL;
    assert_ok(hf_wait(house.store, "i", STAGE_LIMIT_MS, &instance, &error), &error);
    assert_int_equal(instance->status, HF_INSTANCE_COMPLETED);
    hf_instance_free(instance);
    rest(last);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_3_1_start_is_done_once),
        cmocka_unit_test(trap_a2_second_start_changes_nothing),
        cmocka_unit_test(row_2_2_activity_knows_its_orchestration),
        cmocka_unit_test(row_1a_21_detached_starts_are_nobodys_children),
        cmocka_unit_test(row_1f_7_work_is_left_to_who_has_the_code),
        cmocka_unit_test(trap_c5_unregistered_work_ends_as_poison),
        cmocka_unit_test(row_4a_12_engine_versions_out_of_range_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
