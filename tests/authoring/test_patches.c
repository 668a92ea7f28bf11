/* A change of code, shipped: workers of the old code are replaced by workers of the new one while
 * instances are under way. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

/* What was shipped, one after the other. All take a message, then another, and tell which way they
 * went at both places. */
static hf_status go(hf_orchestration *o, bool (*is_new)(hf_orchestration *o))
{
    bool ways[2];
    for (size_t i = 0; i < 2; i++) {
        hf_status_set(o, hf_text(i == 0 ? "first" : "second"));
        HF_TRY(hf_dequeue(o, "go", NULL));
        ways[i] = is_new(o);
        if (ways[i]) HF_TRY(hf_call(o, "echo", hf_text("asked"), NULL));
    }
    return hf_complete(o, hf_format(o, "%s %s", ways[0] ? "new" : "old", ways[1] ? "new" : "old"));
}

static bool never(hf_orchestration *o)
{
    (void)o;
    return false;
}

static bool patched(hf_orchestration *o)
{
    return hf_patched(o, "ask");
}

static bool retired(hf_orchestration *o)
{
    hf_patch_retired(o, "ask");
    return true;
}

static bool always(hf_orchestration *o)
{
    (void)o;
    return true;
}

static hf_status old_code(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return go(o, never);
}

static hf_status patched_code(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return go(o, patched);
}

static hf_status retired_code(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return go(o, retired);
}

static hf_status new_code(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return go(o, always);
}

/* Workers of one version at a time. */
struct fleet {
    struct house house;
    hf_registry *registry;
    hf_runtime *runtime;
};

static void withdraw(struct fleet *fleet)
{
    house_rest(fleet->runtime);
    assert_true(house_metric(fleet->runtime, "replay_mismatches") == 0);
    hf_runtime_free(fleet->runtime);
    hf_registry_free(fleet->registry);
    fleet->runtime = NULL;
}

static void ship(struct fleet *fleet, hf_orchestration_fn run)
{
    const struct part parts[] = { { "trip", run, NULL }, { NULL, NULL, NULL } };
    hf_error error = { 0 };
    if (fleet->runtime) withdraw(fleet);
    fleet->registry = stage_registry(&fleet->house.stage, parts, NULL);
    assert_ok(hf_runtime_new(fleet->house.store, fleet->registry,
                             HF_WITH(hf_runtime_options, .worker_id = "w", .check_replay = true),
                             &fleet->runtime, &error),
              &error);
    assert_ok(hf_runtime_start(fleet->runtime, &error), &error);
}

static void reach(struct fleet *fleet, const char *id, const char *status)
{
    house_wait_status(&fleet->house, id, status);
}

static void send(struct fleet *fleet, const char *id)
{
    house_send(&fleet->house, id, "go", "");
}

/* Who has passed the first place keeps to the old way, who has not goes the new one; then the patch
 * is retired, and at last deleted, under instances that still run. */
static void test_change_is_shipped_retired_and_deleted(void **state)
{
    (void)state;
    struct fleet fleet = { .runtime = NULL };
    house_open(&fleet.house, NULL);
    ship(&fleet, old_code);
    house_start(&fleet.house, "past", "trip", "");
    house_start(&fleet.house, "before", "trip", "");
    reach(&fleet, "before", "first");
    send(&fleet, "past");
    reach(&fleet, "past", "second");

    ship(&fleet, patched_code);
    house_start(&fleet.house, "fresh", "trip", "");
    send(&fleet, "past");
    house_expect(&fleet.house, "past", "old old");
    send(&fleet, "before");
    send(&fleet, "fresh");
    reach(&fleet, "before", "second");
    reach(&fleet, "fresh", "second");
    send(&fleet, "before");
    house_expect(&fleet.house, "before", "new new");

    ship(&fleet, retired_code); /* no instance of the old way is left */
    house_start(&fleet.house, "after", "trip", "");
    send(&fleet, "after");
    reach(&fleet, "after", "second");
    send(&fleet, "fresh");
    house_expect(&fleet.house, "fresh", "new new");

    ship(&fleet, new_code); /* no history with the marker is left */
    send(&fleet, "after");
    house_expect(&fleet.house, "after", "new new");
    withdraw(&fleet);
    house_close(&fleet.house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_change_is_shipped_retired_and_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
