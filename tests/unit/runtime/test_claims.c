/* Claims: the table by itself, and the memory of sessions through a runtime on a puppet store. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/puppet.h"

/* ---- the table ------------------------------------------------------------------------------ */

static struct hf_item_grant grant_of(uint64_t instance, uint64_t incarnation, uint64_t epoch)
{
    return (struct hf_item_grant){ .token.item.instance = instance,
                                   .instance_id = hf_text("thing"),
                                   .session_id = hf_text("desk"),
                                   .incarnation = incarnation,
                                   .epoch = epoch };
}

static void claims_bury_all(struct hf__claims *claims)
{
    struct hf__claim *claim = hf__claims_dead(claims);
    for (; claim; claim = hf__claims_dead(claims)) {
        hf__claim_destroy_memory(claim);
        hf__claims_free(claims, claim);
    }
}

/* Forgets it, and tells all news: the user's part of it is not what is tested here. */
static void forget(struct hf__claims *claims, struct hf__claim *claim)
{
    hf__claims_forget(claims, claim, HF__CLAIM_LOST, "test");
    struct hf__claim *news = hf__claims_take_news(claims);
    for (; news; news = hf__claims_take_news(claims)) hf__claims_told(claims, news);
}

/* The same key gives the same claim, however many items it has; it dies with the last of them. */
static void test_claim_dies_with_its_last_item_once_forgotten(void **state)
{
    struct hf__claims claims;
    struct hf_item_grant grant = grant_of(1, 1, 10);
    (void)state;
    hf__claims_init(&claims, hf_heap_default());
    struct hf__claim *claim = hf__claims_learn(&claims, &grant);
    assert_ptr_equal(hf__claims_learn(&claims, &grant), claim);
    assert_string_equal(claim->instance, "thing");
    assert_string_equal(claim->session, "desk");
    assert_int_equal(claims.owned_count, 1);
    hf__claims_item_ended(&claims, claim);
    hf__claims_item_ended(&claims, claim);
    assert_null(claims.dying); /* idle, and still ours */
    assert_ptr_equal(hf__claims_find(&claims, &claim->key), claim);
    hf__claims_learn(&claims, &grant);
    hf__claims_function_began(&claims, claim);
    forget(&claims, claim);
    forget(&claims, claim); /* twice is once */
    assert_int_equal(claims.owned_count, 0);
    assert_null(hf__claims_find(&claims, &claim->key));
    hf__claims_item_ended(&claims, claim);
    assert_null(claims.dying); /* its function runs */
    hf__claims_function_ended(&claims, claim);
    assert_ptr_equal(claims.dying, claim);
    claims_bury_all(&claims);
    hf__claims_release(&claims);
}

/* A newer epoch or incarnation is another claim; a newer epoch means that the older one has ended,
 * which is found by it. */
static void test_newer_epoch_is_another_claim(void **state)
{
    struct hf__claims claims;
    struct hf_item_grant old = grant_of(1, 1, 10);
    struct hf_item_grant new = grant_of(1, 1, 20);
    struct hf_item_grant other = grant_of(1, 2, 15);
    (void)state;
    hf__claims_init(&claims, hf_heap_default());
    struct hf__claim *first = hf__claims_learn(&claims, &old);
    struct hf__claim *second = hf__claims_learn(&claims, &other);
    assert_int_equal(claims.owned_count, 2);
    assert_ptr_equal(hf__claims_find_older(&claims, &new), first);
    forget(&claims, first);
    assert_null(hf__claims_find_older(&claims, &new));
    struct hf__claim *third = hf__claims_learn(&claims, &new);
    assert_null(hf__claims_find_older(&claims, &new));
    assert_ptr_not_equal(first, third);
    assert_int_equal(claims.owned_count, 2);
    assert_false(second->is_forgotten);
    hf__claims_item_ended(&claims, first);
    forget(&claims, second);
    hf__claims_item_ended(&claims, second);
    forget(&claims, third);
    hf__claims_item_ended(&claims, third);
    assert_int_equal(claims.dying_count, 3);
    claims_bury_all(&claims);
    hf__claims_release(&claims);
}

/* Walking finds each held claim once, and none that was forgotten. */
static void test_next_walks_held_claims_once(void **state)
{
    enum { CLAIMS_COUNT = 1000 };
    struct hf__claims claims;
    struct hf__claim *all[CLAIMS_COUNT];
    size_t seen = 0;
    (void)state;
    hf__claims_init(&claims, hf_heap_default());
    for (uint64_t i = 0; i < CLAIMS_COUNT; i++) {
        struct hf_item_grant grant = grant_of(i + 1, 1, i + 1);
        all[i] = hf__claims_learn(&claims, &grant);
        hf__claims_item_ended(&claims, all[i]);
    }
    for (size_t i = 0; i < CLAIMS_COUNT; i += 2) forget(&claims, all[i]);
    claims_bury_all(&claims);
    struct hf__claim *claim = hf__claims_next(&claims, NULL);
    for (; claim; claim = hf__claims_next(&claims, claim)) {
        assert_int_equal(claim->key.instance % 2, 0);
        claim->items_count = 1; /* a mark: seen */
        seen++;
    }
    assert_int_equal(seen, CLAIMS_COUNT / 2);
    for (size_t i = 1; i < CLAIMS_COUNT; i += 2) {
        assert_int_equal(all[i]->items_count, 1);
        forget(&claims, all[i]);
        hf__claims_item_ended(&claims, all[i]);
    }
    claims_bury_all(&claims);
    hf__claims_release(&claims);
}

/* ---- memory of sessions --------------------------------------------------------------------- */

struct memories {
    atomic_int made, destroyed, running, returned;
    atomic_bool is_open;
    void *_Atomic kept;
};

struct memory {
    struct memories *memories;
    int destroyed_count;
};

static void memory_destroy(void *argument)
{
    struct memory *memory = argument;
    if (++memory->destroyed_count > 1) abort();
    atomic_fetch_add(&memory->memories->destroyed, 1);
    free(memory);
}

static struct memory *memory_new(struct memories *memories)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory) abort();
    memory->memories = memories;
    atomic_fetch_add(&memories->made, 1);
    return memory;
}

/* Sets a memory, whether there is one or not, and says which one is kept. */
static hf_status set(hf_activity *a, hf_slice input)
{
    struct memories *memories = hf_activity_user(a);
    void *own = memory_new(memories);
    (void)input;
    void *kept = hf_session_memory_set(a, own, memory_destroy);
    if (kept != hf_session_memory(a)) abort();
    atomic_store(&memories->kept, kept);
    return hf_activity_complete(a, hf_text(!kept ? "none" : kept == own ? "mine" : "other"));
}

/* Sets a memory and runs on until the test lets it go. */
static hf_status stay(hf_activity *a, hf_slice input)
{
    enum { STEP_MS = 1 };
    struct memories *memories = hf_activity_user(a);
    (void)input;
    if (!hf_session_memory_set(a, memory_new(memories), memory_destroy)) abort();
    atomic_fetch_add(&memories->running, 1);
    bool is_told = false;
    while (!atomic_load(&memories->is_open)) is_told = hf_activity_wait_cancelled(a, STEP_MS);
    if (!hf_session_memory(a)) abort(); /* it stands as long as the function runs */
    atomic_fetch_add(&memories->returned, 1);
    return hf_activity_complete(a, hf_text(is_told ? "told" : "not told"));
}

struct fixture {
    struct puppet puppet;
    struct memories memories;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    puppet_open(&fixture->puppet);
    const hf_activity_settings *settings = HF_WITH(hf_activity_settings,
                                                   .user = &fixture->memories);
    hf_register_activity(fixture->puppet.registry, "set", set, settings);
    hf_register_activity(fixture->puppet.registry, "stay", stay, settings);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(atomic_load(&fixture->memories.made),
                     atomic_load(&fixture->memories.destroyed));
    puppet_close(&fixture->puppet);
    free(fixture);
    return 0;
}

struct expected {
    atomic_int *value;
    int count;
};

static bool has_count(void *context)
{
    struct expected *expected = context;
    return atomic_load(expected->value) == expected->count;
}

static void wait_count(atomic_int *value, int count)
{
    struct expected expected = { value, count };
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, &expected, has_count));
}

/* The first memory stays; a second one is destroyed at once, and the first is returned. */
static void test_first_memory_wins(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_give_session_item(puppet, 1, "set", PUPPET_EPOCH);
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1).text, "|mine");
    void *first = atomic_load(&fixture->memories.kept);
    puppet_give_session_item(puppet, 1, "set", PUPPET_EPOCH);
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2).text, "|other");
    assert_ptr_equal(atomic_load(&fixture->memories.kept), first);
    assert_int_equal(atomic_load(&fixture->memories.destroyed), 1);
    hf_runtime_free(runtime); /* shutdown destroys the other */
    assert_int_equal(atomic_load(&fixture->memories.destroyed), 2);
}

/* Without a session the memory is destroyed and there is none. */
static void test_memory_without_session_is_destroyed(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_give_item(puppet, 1, "set", "");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1).text, "|none");
    assert_int_equal(atomic_load(&fixture->memories.destroyed), 1);
    hf_runtime_free(runtime);
}

/* A later claim of the same session begins cold: the state of the former one is never met. */
static void test_newer_claim_has_no_memory_of_the_former(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_give_session_item(puppet, 1, "set", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    puppet_give_session_item(puppet, 1, "set", PUPPET_EPOCH + 1);
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2).text, "|mine");
    wait_count(&fixture->memories.destroyed, 1);
    assert_true(puppet_metric(runtime, "sessions_owned") == 1);
    hf_runtime_free(runtime);
}

/* A session that somebody else claimed: forgotten with a warning, its activity told, its memory
 * destroyed once, behind the activity. */
static void test_lost_session_is_forgotten_behind_its_activity(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_give_session_item(puppet, 1, "stay", PUPPET_EPOCH);
    wait_count(&fixture->memories.running, 1);
    puppet_void(puppet, true, 1, "epoch");
    puppet_wait_log(puppet, "session.lost");
    assert_true(puppet_metric(runtime, "sessions_lost") == 1);
    assert_int_equal(atomic_load(&fixture->memories.destroyed), 0);
    atomic_store(&fixture->memories.is_open, true);
    wait_count(&fixture->memories.destroyed, 1);
    assert_true(puppet_metric(runtime, "sessions_owned") == 0);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 0); /* void: nothing is sent */
    assert_int_equal(puppet_count(puppet, HF_STORE_RELEASE_SESSIONS), 0);
}

/* A closed session with nothing running: its memory goes, without a warning, on no thread of the
 * pool. */
static void test_closed_idle_session_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_give_session_item(puppet, 1, "set", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    puppet_void(puppet, true, 1, "session_closed");
    wait_count(&fixture->memories.destroyed, 1);
    assert_true(puppet_metric(runtime, "sessions_closed") == 1);
    assert_int_equal(puppet_count_logs(puppet, "session.lost"), 0);
    assert_int_equal(puppet_count_logs(puppet, "session.release"), 1);
    hf_runtime_free(runtime);
}

/* Renewals present the sessions that are held, and forgotten ones no more. */
static void test_renewal_presents_held_sessions(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet, HF_WITH(hf_runtime_options, .item_lock_ms = 20));
    puppet_give_session_item(puppet, 1, "set", PUPPET_EPOCH);
    puppet_give_session_item(puppet, 2, "set", PUPPET_EPOCH);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    size_t seen = puppet_count(puppet, HF_STORE_RENEW);
    assert_int_equal(puppet_wait(puppet, HF_STORE_RENEW, seen + 2).sessions_count, 2);
    puppet_void(puppet, true, 1, "epoch");
    wait_count(&fixture->memories.destroyed, 1);
    seen = puppet_count(puppet, HF_STORE_RENEW);
    assert_int_equal(puppet_wait(puppet, HF_STORE_RENEW, seen + 2).sessions_count, 1);
    hf_runtime_free(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim_dies_with_its_last_item_once_forgotten),
        cmocka_unit_test(test_newer_epoch_is_another_claim),
        cmocka_unit_test(test_next_walks_held_claims_once),
        cmocka_unit_test_setup_teardown(test_first_memory_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_without_session_is_destroyed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_claim_has_no_memory_of_the_former, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_lost_session_is_forgotten_behind_its_activity, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_closed_idle_session_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewal_presents_held_sessions, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
