/* The registry: names to functions, and the first mistake that registering made. */
#include "tests/support/hf_test.h"

#include <stdio.h>
#include <string.h>

#include "engine/registry.h"

static hf_status run(hf_orchestration *o, hf_slice input)
{
    (void)o;
    (void)input;
    return HF_OK;
}

static hf_status act(hf_activity *a, hf_slice input)
{
    (void)a;
    (void)input;
    return HF_OK;
}

/* Every name is found again with its function and user pointer, in whatever order they came. */
static void test_registered_names_are_found(void **state)
{
    (void)state;
    int user;
    hf_registry *registry = hf_registry_new();
    hf_orchestration_settings settings = HF_INIT(hf_orchestration_settings);
    settings.user = &user;
    hf_activity_settings activity_settings = HF_INIT(hf_activity_settings);
    activity_settings.user = &user;
    for (int i = 0; i < 100; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i * 37 % 100);
        hf_register_orchestration(registry, name, run, i % 2 ? &settings : NULL);
        hf_register_activity(registry, name, act, i % 2 ? &activity_settings : NULL);
    }
    assert_ok(hf_registry_check(registry, NULL), NULL);
    for (int i = 0; i < 100; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i * 37 % 100);
        const struct hf_registered_orchestration *orchestration = hf_registry_orchestration(
            registry, hf_text(name), hf_text(NULL));
        const struct hf_registered_activity *activity = hf_registry_activity(registry,
                                                                             hf_text(name));
        assert_non_null(orchestration);
        assert_non_null(activity);
        assert_string_equal(orchestration->name, name);
        assert_string_equal(activity->name, name);
        assert_ptr_equal(orchestration->run, run);
        assert_ptr_equal(activity->run, act);
        assert_ptr_equal(orchestration->user, i % 2 ? &user : NULL);
        assert_ptr_equal(activity->user, i % 2 ? &user : NULL);
    }
    hf_registry_free(registry);
}

/* A name that nobody registered is not found: not a prefix, not a longer one, not one of the other
 * kind. */
static void test_other_names_are_not_found(void **state)
{
    (void)state;
    hf_registry *registry = hf_registry_new();
    assert_null(hf_registry_orchestration(registry, hf_text("one"), hf_text(NULL)));
    hf_register_orchestration(registry, "one", run, NULL);
    assert_null(hf_registry_orchestration(registry, hf_text("on"), hf_text(NULL)));
    assert_null(hf_registry_orchestration(registry, hf_text("ones"), hf_text(NULL)));
    assert_null(hf_registry_orchestration(registry, hf_text(""), hf_text(NULL)));
    assert_null(hf_registry_activity(registry, hf_text("one")));
    assert_ok(hf_registry_check(registry, NULL), NULL);
    hf_registry_free(registry);
    hf_registry_free(NULL);
}

/* The first mistake is kept and told; nothing is registered after it. */
static void test_first_mistake_is_told(void **state)
{
    (void)state;
    char longest[257];
    memset(longest, 'x', sizeof longest);
    longest[256] = '\0';
    const struct {
        const char *first, *second, *part;
        hf_orchestration_fn run;
    } cases[] = { { "a", "a", "\"a\" 1.0.0 is registered twice", run },
                  { "a", "", "orchestration name is empty", run },
                  { "a", NULL, "orchestration name is empty", run },
                  { "a", longest, "over 255 bytes", run },
                  { "a", "\xff", "not UTF-8", run },
                  { "a", "b", "\"b\" has no function", NULL } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hf_error error;
        hf_registry *registry = hf_registry_new();
        hf_register_orchestration(registry, cases[i].first, run, NULL);
        hf_register_orchestration(registry, cases[i].second, cases[i].run, NULL);
        hf_register_activity(registry, "\xff", act, NULL);
        hf_register_activity(registry, "later", act, NULL);
        assert_status(hf_registry_check(registry, &error), HF_INVALID);
        if (!strstr(error.message, cases[i].part)) fail_msg("%s", error.message);
        assert_null(hf_registry_activity(registry, hf_text("later")));
        hf_registry_free(registry);
    }
}

/* The mistakes of activities are told in the same way. */
static void test_mistakes_of_activities_are_told(void **state)
{
    (void)state;
    hf_error error;
    for (int i = 0; i < 2; i++) {
        hf_registry *registry = hf_registry_new();
        hf_register_activity(registry, "a", i == 0 ? act : NULL, NULL);
        hf_register_activity(registry, "a", act, NULL);
        assert_status(hf_registry_check(registry, &error), HF_INVALID);
        assert_non_null(strstr(error.message, i == 0 ? "registered twice" : "has no function"));
        hf_registry_free(registry);
    }
}

/* A registry that could not be made takes registrations without effect. */
static void test_no_registry_is_no_crash(void **state)
{
    (void)state;
    hf_register_orchestration(NULL, "a", run, NULL);
    hf_register_activity(NULL, "a", act, NULL);
    hf_registry_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registered_names_are_found),
        cmocka_unit_test(test_other_names_are_not_found),
        cmocka_unit_test(test_first_mistake_is_told),
        cmocka_unit_test(test_mistakes_of_activities_are_told),
        cmocka_unit_test(test_no_registry_is_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
