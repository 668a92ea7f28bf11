/* Section 14 of the session cases, and of section 19 what the contract of a store shows whole. What
 * becomes of tokens when sessions change hands or end is in test_fencing.c. */
#include "tests/conformance/world.h"

/* ---- fetch and claim ------------------------------------------------------------------------- */

/* The plain fetch gives items without a session alone, also of sessions that it owns. */
static void case_14_1_plain_fetch_gives_no_session_items(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    session_own(world, registration, "owned");
    session_add(world, registration, "owned", 1);
    scene_session(world, registration, "unclaimed", 1);
    scene_items(world, registration, "plain", 1);
    struct hf_store_command fetch = fetch_items_command(world, registration);
    fetch.fetch_items.items_max = 10;
    fetch.fetch_items.no_sessions = true;
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1);
    assert_int_equal(fetch.fetch_items.out_items[0].incarnation, 0);
    struct hf_item_grant session_item = item_take(world, registration);
    uint64_t other = worker_register(world, "b");
    world->boot_ms += WORLD_SESSIONS_MS;
    worker_renew(world, other);
    fetch.fetch_items.registration = other; /* both deadlines of that item have passed by now */
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1);
    assert_int_equal(fetch.fetch_items.out_items[0].incarnation, 0);
    assert_int_equal(session_item.incarnation, 1);
    struct hf_peek peek = { .registration = other, .no_sessions = true };
    assert_ok(world->backend->ops->peek(world->backend, &peek, &world->error), &world->error);
    assert_false(peek.out_items_ready);
    /* Its own deadline has passed as well: even then it is given no session item again. */
    fetch.fetch_items.registration = registration;
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 0);
}

/* The session-aware fetch gives owned, claimable and ordinary work, oldest first. */
static void case_14_2_session_fetch_gives_all_kinds(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    session_own(world, registration, "owned");
    scene_items(world, registration, "plain", 1);
    session_add(world, registration, "owned", 2);
    scene_session(world, registration, "unclaimed", 2);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, registration, 10, &count);
    assert_int_equal(count, 5);
    const uint64_t instances[] = { 2, 1, 1, 3, 3 };
    const bool firsts[] = { false, false, false, true, false };
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(grants[i].token.item.instance, instances[i]);
        assert_int_equal(grants[i].first_in_claim, firsts[i]);
    }
    assert_true(grants[3].epoch == grants[3].token.delivery_lsn);
    assert_true(grants[4].epoch == grants[3].epoch);
    assert_true(grants[1].epoch < grants[1].token.delivery_lsn);
    assert_true(hf_slice_equal(grants[1].session_id, hf_text("s")));
}

/* Claim and delivery are one record of one transaction. */
static void case_14_3_claim_and_delivery_are_one_step(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_session(world, registration, "one", 1);
    uint64_t lsn = world_next_lsn(world);
    struct hf_item_grant grant = item_take(world, registration);
    assert_true(world_next_lsn(world) == lsn + 1);
    assert_true(grant.token.delivery_lsn == lsn && grant.epoch == lsn);
    assert_true(grant.first_in_claim);
    struct hf_session_row row = session_row(world, instance, 1);
    assert_true(row.owner == registration && row.epoch == lsn);
    assert_int_equal(row.running_count, 1);
    assert_int_equal(row.queued_count, 0);
    assert_int_equal(row.lease_left_ms, WORLD_SESSIONS_MS);
    assert_true(hf_slice_equal(row.worker_id, hf_text("a")));
}

/* What another worker holds is not given away. */
static void case_14_4_sessions_of_others_are_not_given(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 3);
    item_take(world, a);
    assert_no_item(world, b);
    size_t count;
    items_fetch(world, a, 10, &count);
    assert_int_equal(count, 2);
}

/* When the owner's deadline for sessions has passed, its session gets a new owner and epoch, also
 * with what ran in it; the old tokens and the old claim are void with reasons of their own. */
static void case_14_5_passed_session_is_taken_over(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 2);
    struct hf_item_grant old = item_take(world, a);
    world->boot_ms += WORLD_SESSIONS_MS - 1;
    worker_renew(world, b);
    assert_no_item(world, b);
    world->boot_ms += 1;
    assert_true(world_peek(world, b).out_items_ready);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, b, 10, &count);
    assert_int_equal(world->effects & HF_EFFECT_VOIDED, HF_EFFECT_VOIDED);
    assert_int_equal(count, 2);
    assert_int_equal(grants[0].token.item.event_id, old.token.item.event_id);
    assert_int_equal(grants[0].attempt, 2);
    assert_int_equal(grants[1].attempt, 1);
    assert_true(grants[0].first_in_claim && !grants[1].first_in_claim);
    struct hf_session_row row = session_row(world, instance, 1);
    assert_true(row.owner == b && row.epoch == grants[0].epoch && row.epoch > old.epoch);
    struct hf_session_claim claim = claim_of(&old);
    assert_string_equal(held_code(world, a, &old.token, NULL), "epoch");
    assert_string_equal(held_code(world, a, NULL, &claim), "epoch");
    struct hf_store_command late = complete_command(a, &old.token);
    assert_refused(world, &late, HF_STALE, "epoch");
    worker_renew(world, a);
    assert_no_item(world, a);
}

/* ---- renewal --------------------------------------------------------------------------------- */

/* One renewal moves the deadline of every session that the registration owns. */
static void case_14_6_renewal_moves_the_deadline_of_every_session(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    const char *ids[] = { "one", "two", "three" };
    for (size_t i = 0; i < 3; i++) session_own(world, registration, ids[i]);
    world->boot_ms += 20 * 1000;
    for (uint64_t instance = 1; instance <= 3; instance++) {
        assert_int_equal(session_row(world, instance, 1).lease_left_ms, WORLD_SESSIONS_MS - 20000);
    }
    worker_renew(world, registration);
    for (uint64_t instance = 1; instance <= 3; instance++) {
        assert_int_equal(session_row(world, instance, 1).lease_left_ms, WORLD_SESSIONS_MS);
    }
}

/* A renewal that presents very much costs one write transaction, no record, and one row: nothing
 * but the lease is another afterwards. */
static void case_19_10_renewal_costs_one_transaction_and_one_row(void **state)
{
    enum { SESSIONS = 40, ITEMS = 2 * SESSIONS };
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    for (uint64_t i = 1; i <= SESSIONS; i++) {
        plan_open(plan, i, "s", "");
        plan_item(plan, i, "");
        plan_item(plan, 0, "");
    }
    plan_commit(plan);
    struct hf_item_token items[ITEMS];
    struct hf_session_claim sessions[SESSIONS];
    size_t count, sessions_count = 0;
    struct hf_item_grant *grants = items_fetch(world, registration, ITEMS, &count);
    assert_int_equal(count, ITEMS);
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = grants[i].token;
        if (grants[i].incarnation) sessions[sessions_count++] = claim_of(&grants[i]);
    }
    assert_int_equal(sessions_count, SESSIONS);
    world->boot_ms += 20 * 1000;
    struct hf_store_command renew = renew_command(world, registration);
    renew.renew.items = items;
    renew.renew.items_count = ITEMS;
    renew.renew.sessions = sessions;
    renew.renew.sessions_count = SESSIONS;
    struct hf_store_counters before = world_counters(world);
    size_t puts = world->puts_count, deletes = world->deletes_count;
    assert_ok(world_run(world, &renew), &world->error);
    assert_int_equal(renew.renew.out_voids_count, 0);
    assert_int_equal(world_counters(world).commits, before.commits + 1);
    assert_int_equal(world_counters(world).records, before.records);
    assert_int_equal(world->puts_count, puts + 2); /* the lease, and the row of the group's writer
                                                    */
    assert_int_equal(world->deletes_count, deletes);
    assert_int_equal(session_row(world, 1, SESSIONS).lease_left_ms, WORLD_SESSIONS_MS);
}

/* A renewal names the closed session and renews the rest. */
static void case_14_7_renewal_names_the_closed_session(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    struct hf_session_claim claims[2] = { session_own(world, registration, "one"),
                                          session_own(world, registration, "two") };
    plan_commit(session_close_plan(world, registration, "one"));
    assert_int_equal(world->effects & HF_EFFECT_VOIDED, HF_EFFECT_VOIDED);
    world->boot_ms += 100;
    struct hf_store_command renew = renew_command(world, registration);
    renew.renew.sessions = claims;
    renew.renew.sessions_count = 2;
    assert_ok(world_run(world, &renew), &world->error);
    assert_int_equal(renew.renew.out_voids_count, 1);
    assert_int_equal(renew.renew.out_voids[0].index, 0);
    assert_true(renew.renew.out_voids[0].is_session);
    assert_string_equal(renew.renew.out_voids[0].code, "session_closed");
    assert_int_equal(session_row(world, 2, 1).lease_left_ms, WORLD_SESSIONS_MS);
}

/* A renewal names the session that someone else claimed since and renews the rest. */
static void case_14_8_renewal_names_the_session_that_was_claimed_since(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    struct hf_session_claim claims[2] = { session_own(world, a, "one"),
                                          session_own(world, a, "two") };
    assert_null(release_code(world, a, &claims[1], HF_REASON_RELEASED));
    session_add(world, a, "two", 1);
    item_take(world, b);
    struct hf_store_command renew = renew_command(world, a);
    renew.renew.sessions = claims;
    renew.renew.sessions_count = 2;
    assert_ok(world_run(world, &renew), &world->error);
    assert_int_equal(renew.renew.out_voids_count, 1);
    assert_int_equal(renew.renew.out_voids[0].index, 1);
    assert_string_equal(renew.renew.out_voids[0].code, "epoch");
}

/* The deadline of sessions never is before that of items, whatever is asked. */
static void case_14_14_session_deadline_is_never_before_that_of_items(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 1);
    item_take(world, a);
    struct hf_store_command renew = renew_command(world, a);
    renew.renew.items_deadline_boot_ms = world->boot_ms + 5000;
    renew.renew.sessions_deadline_boot_ms = world->boot_ms + 10;
    assert_ok(world_run(world, &renew), &world->error);
    assert_int_equal(session_row(world, instance, 1).lease_left_ms, 5000);
    world->boot_ms += 4999;
    assert_no_item(world, b);
    struct hf_store_command early = register_command(world, "c");
    early.register_worker.sessions_deadline_boot_ms = 0;
    assert_ok(world_run(world, &early), &world->error);
    struct hf_registration_row *rows;
    size_t count;
    assert_ok(world->backend->ops->registrations(world->backend, &world->arena, &rows, &count,
                                                 &world->error),
              &world->error);
    assert_int_equal(count, 3);
    assert_int_equal(rows[2].sessions_left_ms, WORLD_ITEMS_MS);
}

/* ---- release --------------------------------------------------------------------------------- */

/* A released session has no owner and shows no deadline. */
static void case_14_9_released_session_has_no_owner(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    struct hf_session_claim claim = session_own(world, a, "one");
    assert_null(release_code(world, a, &claim, HF_REASON_RELEASED));
    struct hf_session_row row = session_row(world, claim.instance, 1);
    assert_int_equal(row.owner | row.lease_left_ms, 0);
    assert_int_equal(row.worker_id.size, 0);
    session_add(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, b);
    assert_true(grant.first_in_claim && grant.epoch > claim.epoch);
    assert_string_equal(release_code(world, a, &claim, HF_REASON_RELEASED), "epoch");
}

/* Claims of others, of former epochs, never made or over are refused, each with its reason. */
static void case_14_10_release_of_what_is_not_held_is_refused(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    struct hf_session_claim claim = session_own(world, a, "one");
    assert_string_equal(release_code(world, b, &claim, HF_REASON_RELEASED), "epoch");
    struct hf_session_claim wrong = claim;
    wrong.epoch -= 1;
    assert_string_equal(release_code(world, a, &wrong, HF_REASON_RELEASED), "unknown");
    wrong.epoch = 0;
    assert_string_equal(release_code(world, a, &wrong, HF_REASON_RELEASED), "unknown");
    wrong = claim;
    wrong.incarnation = 2;
    assert_string_equal(release_code(world, a, &wrong, HF_REASON_RELEASED), "unknown");
    wrong = claim;
    wrong.epoch |= UINT64_C(1) << 48;
    assert_string_equal(release_code(world, a, &wrong, HF_REASON_RELEASED), "store_generation");
    struct hf_store_command dead = release_command(world, 99999, &claim);
    assert_refused(world, &dead, HF_STALE, "registration_dead");
    assert_null(release_code(world, a, &claim, HF_REASON_RELEASED));
    assert_string_equal(release_code(world, a, &claim, HF_REASON_RELEASED), "epoch");
    session_add(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    item_complete(world, a, &grant.token);
    assert_string_equal(release_code(world, a, &claim, HF_REASON_RELEASED), "epoch");
    struct hf_session_claim second = claim_of(&grant);
    plan_commit(session_close_plan(world, a, "one"));
    assert_string_equal(release_code(world, a, &second, HF_REASON_RELEASED), "session_closed");
}

/* A turn of an instance that schedules one more item on its session 1, not committed yet. */
static struct plan *session_add_plan(struct world *world, uint64_t registration, const char *id)
{
    instance_message(world, id, "go on");
    struct plan *plan = scene_turn(world, registration);
    plan_item(plan, 1, "");
    return plan;
}

/* The answers of a group of one turn and one idle release, in either order. */
static void assert_turn_beside_release(struct world *world, struct hf_store_command *first,
                                       struct hf_store_command *second, const char *code)
{
    struct hf_store_command *group[] = { first, second };
    struct hf_store_command *release = first->kind == HF_STORE_RELEASE_SESSIONS ? first : second;
    world_group(world, group, 2);
    assert_ok(first->status, &first->error);
    assert_ok(second->status, &second->error);
    assert_int_equal(release->release_sessions.out_voids_count, code ? 1 : 0);
    if (!code) return;
    assert_int_equal(release->release_sessions.out_voids[0].index, 0);
    assert_string_equal(release->release_sessions.out_voids[0].code, code);
}

/* Work committed before an idle release, also earlier in the same group, makes it refused, and the
 * session stays with its owner; work committed after it, also later in the same group, is claimed
 * anew, by whoever comes first. */
static void case_19_14_idle_release_is_refused_while_work_is_there(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    struct hf_session_claim claim = session_own(world, a, "one");
    struct plan *plan = session_add_plan(world, a, "one");
    struct hf_store_command commit = plan_command(plan);
    struct hf_store_command release = release_command(world, a, &claim);
    assert_turn_beside_release(world, &commit, &release, "queued");
    assert_string_equal(release_code(world, a, &claim, HF_REASON_RELEASED), "queued");
    assert_no_item(world, b);
    struct hf_item_grant grant = item_take(world, a);
    assert_true(grant.epoch == claim.epoch && !grant.first_in_claim);
    assert_string_equal(release_code(world, a, &claim, HF_REASON_RELEASED), "running");
    struct hf_store_command back = abandon_command(a, &grant.token);
    back.abandon_item.delay_ms = 50;
    assert_ok(world_run(world, &back), &world->error);
    assert_string_equal(release_code(world, a, &claim, HF_REASON_RELEASED), "queued");
    world->wall_ms += 50;
    assert_int_equal(timers_fire(world), 1);
    grant = item_take(world, a);
    item_complete(world, a, &grant.token);
    plan_commit(scene_turn(world, a));
    plan = session_add_plan(world, a, "one");
    commit = plan_command(plan);
    release = release_command(world, a, &claim);
    assert_turn_beside_release(world, &release, &commit, NULL);
    assert_int_equal(session_row(world, claim.instance, 1).owner, 0);
    grant = item_take(world, b);
    assert_true(grant.epoch > claim.epoch && grant.first_in_claim);
    assert_string_equal(release_code(world, a, &claim, HF_REASON_RELEASED), "epoch");
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* A turn that opens a session makes its row, unclaimed, with the commit itself. */
static void case_14_11_opening_turn_makes_an_unclaimed_row(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_open(plan, 1, "s", "");
    assert_false(session_find(world, instance, 1, NULL));
    struct hf_store_counters before = world_counters(world);
    plan_commit(plan);
    assert_int_equal(world_counters(world).commits, before.commits + 1);
    struct hf_session_row row = session_row(world, instance, 1);
    assert_int_equal(row.owner | row.epoch | row.queued_count | row.running_count, 0);
    assert_int_equal(row.lease_left_ms, 0);
    assert_true(hf_slice_equal(row.session_id, hf_text("s")));
    assert_true(hf_slice_equal(row.instance_id, hf_text("one")));
}

/* A turn that closes a session takes its row away with the commit itself, claimed or not. */
static void case_14_12_closing_turn_deletes_the_row(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t unclaimed = scene_session(world, registration, "one", 0);
    struct hf_session_claim claimed = session_own(world, registration, "two");
    struct plan *plan = session_close_plan(world, registration, "one");
    assert_true(session_find(world, unclaimed, 1, NULL));
    struct hf_store_counters before = world_counters(world);
    plan_commit(plan);
    assert_int_equal(world_counters(world).commits, before.commits + 1);
    assert_false(session_find(world, unclaimed, 1, NULL));
    assert_true(session_find(world, claimed.instance, 1, NULL));
    plan_commit(session_close_plan(world, registration, "two"));
    assert_false(session_find(world, claimed.instance, 1, NULL));
}

/* An item scheduled on a session is the session's in the queue. */
static void case_14_13_item_carries_its_session(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_session(world, registration, "one", 2);
    assert_int_equal(session_row(world, instance, 1).queued_count, 2);
    struct hf_item_grant grant = item_take(world, registration);
    assert_int_equal(grant.incarnation, 1);
    assert_true(hf_slice_equal(grant.session_id, hf_text("s")));
}

/* The store says that it has sessions; nothing said means that it has none. */
static void case_14_15_sessions_are_a_capability(void **state)
{
    struct world *world = *state;
    struct hf_store_capabilities none = { 0 };
    assert_false(none.sessions);
    assert_true(world->backend->ops->capabilities.sessions);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(case_14_1_plain_fetch_gives_no_session_items),
        CASE(case_14_2_session_fetch_gives_all_kinds),
        CASE(case_14_3_claim_and_delivery_are_one_step),
        CASE(case_14_4_sessions_of_others_are_not_given),
        CASE(case_14_5_passed_session_is_taken_over),
        CASE(case_14_6_renewal_moves_the_deadline_of_every_session),
        CASE(case_19_10_renewal_costs_one_transaction_and_one_row),
        CASE(case_14_7_renewal_names_the_closed_session),
        CASE(case_14_8_renewal_names_the_session_that_was_claimed_since),
        CASE(case_14_14_session_deadline_is_never_before_that_of_items),
        CASE(case_14_9_released_session_has_no_owner),
        CASE(case_14_10_release_of_what_is_not_held_is_refused),
        CASE(case_19_14_idle_release_is_refused_while_work_is_there),
        CASE(case_14_11_opening_turn_makes_an_unclaimed_row),
        CASE(case_14_12_closing_turn_deletes_the_row),
        CASE(case_14_13_item_carries_its_session),
        CASE(case_14_15_sessions_are_a_capability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
