/* Sessions: claims, takeovers, releases, closes, and what each does to tokens. Section 14 of
 * the session cases; what other sections ask of the store is shown here too, without their ids. */
#include "tests/unit/commands/world.h"

#include <string.h>

#include "logstore/inspect.h"

static struct hf_session_claim claim_of(const struct hf_item_grant *grant)
{
    return (struct hf_session_claim){ .instance = grant->token.item.instance,
                                      .incarnation = grant->incarnation,
                                      .epoch = grant->epoch };
}

/* Releases one session; returns why it was not released, NULL: it was. */
static const char *release_code(struct world *world, uint64_t registration,
                                const struct hf_session_claim *claim, enum hf_reason reason)
{
    struct hf_store_command command = release_command(world, registration, claim);
    command.release_sessions.reason = reason;
    uint64_t fingerprint = world_fingerprint(world);
    assert_ok(world_run(world, &command), &world->error);
    if (command.release_sessions.out_voids_count == 0) {
        assert_true(command.lsn != 0);
        return NULL;
    }
    assert_int_equal(command.release_sessions.out_voids_count, 1);
    assert_true(command.release_sessions.out_voids[0].is_session);
    assert_true(world_fingerprint(world) == fingerprint);
    return command.release_sessions.out_voids[0].code;
}

/* Takes the one item of a session and completes it: the registration owns an idle session then. */
static struct hf_session_claim session_own(struct world *world, uint64_t registration,
                                           const char *id)
{
    scene_session(world, registration, id, 1);
    struct hf_item_grant grant = item_take(world, registration);
    item_complete(world, registration, &grant.token);
    plan_commit(scene_turn(world, registration)); /* consumes the result: nothing is due then */
    return claim_of(&grant);
}

/* Runs a turn of an instance that schedules `count` more items on its session 1. */
static void session_add(struct world *world, uint64_t registration, const char *id, size_t count)
{
    instance_message(world, id, "go on");
    struct plan *plan = scene_turn(world, registration);
    for (size_t i = 0; i < count; i++) plan_item(plan, 1, "");
    plan_commit(plan);
}

/* Runs a turn of an instance that closes its session 1, and opens and uses others as told. */
static struct plan *session_close_plan(struct world *world, uint64_t registration, const char *id)
{
    instance_message(world, id, "close");
    struct plan *plan = scene_turn(world, registration);
    plan_close(plan, 1);
    return plan;
}

/* ---- 14: fetch and claim --------------------------------------------------------------------- */

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

/* The latest delivery of the log, in the arena of the world. */
struct latest {
    struct world *world;
    struct hf_delivered delivered;
};

static hf_status latest_visit(void *self, const struct hf_log_visit *visit)
{
    struct latest *latest = self;
    struct hf_arena *arena = &latest->world->arena;
    if (visit->damage || visit->record.kind != HF_RECORD_DELIVERED) return HF_OK;
    return hf_decode(hf_record_layout(HF_RECORD_DELIVERED),
                     hf_arena_copy(arena, visit->record.body), arena, &latest->delivered,
                     &latest->world->error);
}

static struct hf_delivered delivered_latest(struct world *world)
{
    struct latest latest = { .world = world };
    assert_ok(hf_log_scan(world->backend, 1, &world->error, &latest, latest_visit), &world->error);
    assert_true(latest.delivered.registration != 0);
    return latest.delivered;
}

/* The record that takes work from somebody says from whom, why, and which deadline it saw. */
static void test_log_says_from_whom_work_was_taken_and_why(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 1);
    item_take(world, a);
    struct hf_delivered record = delivered_latest(world);
    const struct hf_claimed_session *claim = record.claims.items;
    const struct hf_delivered_item *item = record.items.items;
    assert_true(record.claims.count == 1 && record.items.count == 1);
    assert_true(claim->reason == HF_REASON_FIRST && claim->from == 0);
    assert_true(item->reason == HF_REASON_FIRST && item->from == 0);
    uint64_t items_deadline = world->boot_ms + WORLD_ITEMS_MS;
    uint64_t sessions_deadline = world->boot_ms + WORLD_SESSIONS_MS;
    world->boot_ms = sessions_deadline;
    worker_renew(world, b);
    struct hf_item_grant grant = item_take(world, b);
    record = delivered_latest(world);
    claim = record.claims.items;
    item = record.items.items;
    assert_true(record.registration == b && claim->from == a && item->from == a);
    assert_true(claim->reason == HF_REASON_EXPIRED && item->reason == HF_REASON_EXPIRED);
    assert_true(claim->deadline_boot_ms == sessions_deadline);
    assert_true(item->deadline_boot_ms == items_deadline);
    item_complete(world, b, &grant.token);
    struct hf_session_claim held = claim_of(&grant);
    assert_null(release_code(world, b, &held, HF_REASON_RELEASED));
    plan_commit(scene_turn(world, b));
    session_add(world, b, "one", 1);
    worker_renew(world, a);
    item_take(world, a);
    record = delivered_latest(world);
    claim = record.claims.items;
    assert_true(claim->from == b && claim->reason == HF_REASON_RELEASED);
    assert_int_equal(claim->deadline_boot_ms, 0);
}

/* The same with nothing running: queued work of an owner that renews no more is taken over too. */
static void test_queued_work_of_a_passed_owner_is_taken_over(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    struct hf_session_claim claim = session_own(world, a, "one");
    session_add(world, a, "one", 2);
    world->boot_ms += WORLD_SESSIONS_MS;
    worker_renew(world, b);
    assert_true(world_peek(world, b).out_items_ready);
    struct hf_store_command full = fetch_items_command(world, b);
    full.fetch_items.sessions_max = 0;
    assert_ok(world_run(world, &full), &world->error);
    assert_int_equal(full.fetch_items.out_items_count, 0);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, b, 10, &count);
    assert_int_equal(count, 2);
    assert_true(grants[0].first_in_claim && grants[0].epoch > claim.epoch);
    assert_int_equal(grants[0].attempt, 1);
    assert_string_equal(held_code(world, a, NULL, &claim), "epoch");
}

/* A fetch that may claim nothing, or has no room, takes no session, and goes on with the rest. */
static void test_full_worker_goes_on_with_what_it_owns(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    session_own(world, registration, "owned");
    scene_session(world, registration, "second", 1);
    scene_session(world, registration, "third", 1);
    session_add(world, registration, "owned", 1);
    scene_items(world, registration, "plain", 1);
    struct hf_store_command fetch = fetch_items_command(world, registration);
    fetch.fetch_items.items_max = 1;
    fetch.fetch_items.sessions_max = 1;
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1);
    assert_int_equal(fetch.fetch_items.out_items[0].token.item.instance, 1);
    fetch.fetch_items.items_max = 10;
    fetch.fetch_items.sessions_max = 2;
    fetch.fetch_items.sessions_only_owned = true;
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1);
    assert_int_equal(fetch.fetch_items.out_items[0].token.item.instance, 4);
    fetch.fetch_items.sessions_only_owned = false;
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1);
    assert_int_equal(fetch.fetch_items.out_items[0].token.item.instance, 2);
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 0);
}

/* Sessions of dead owners are claimed before other claimable ones, which then come oldest first;
 * ordinary work is not held up by either. */
static void test_orphaned_sessions_are_claimed_first(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    session_own(world, b, "of the dead");
    scene_session(world, a, "unclaimed", 1);
    scene_items(world, a, "plain", 1);
    session_add(world, a, "of the dead", 1);
    world_kill(world, "b");
    assert_ok(worker_end(world, b, HF_REASON_DEAD), &world->error);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 3);
    assert_int_equal(grants[0].token.item.instance, 3);
    assert_int_equal(grants[1].token.item.instance, 1);
    assert_int_equal(grants[2].token.item.instance, 2);
}

/* ---- 14: renewal ----------------------------------------------------------------------------- */

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

/* ---- 14: release ----------------------------------------------------------------------------- */

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

/* One release takes what can be released, once each, and names the rest. */
static void test_release_takes_what_it_can_and_names_the_rest(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    struct hf_session_claim idle = session_own(world, registration, "idle");
    scene_session(world, registration, "busy", 1);
    struct hf_item_grant grant = item_take(world, registration);
    struct hf_session_claim claims[] = { claim_of(&grant), idle, idle };
    struct hf_store_command release = release_command(world, registration, claims);
    release.release_sessions.sessions_count = 3;
    assert_ok(world_run(world, &release), &world->error);
    assert_int_equal(release.release_sessions.out_voids_count, 2);
    assert_int_equal(release.release_sessions.out_voids[0].index, 0);
    assert_string_equal(release.release_sessions.out_voids[0].code, "running");
    assert_int_equal(release.release_sessions.out_voids[1].index, 2);
    assert_string_equal(release.release_sessions.out_voids[1].code, "epoch");
    assert_int_equal(session_row(world, idle.instance, 1).owner, 0);
    assert_true(session_row(world, claims[0].instance, 1).owner == registration);
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

/* A worker that shuts down hands queued work on with its session, but nothing that runs. */
static void test_release_at_shutdown_takes_queued_work_along(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 2);
    struct hf_item_grant grant = item_take(world, a);
    struct hf_session_claim claim = claim_of(&grant);
    assert_string_equal(release_code(world, a, &claim, HF_REASON_SHUTDOWN), "running");
    item_complete(world, a, &grant.token);
    assert_string_equal(release_code(world, a, &claim, HF_REASON_RELEASED), "queued");
    assert_null(release_code(world, a, &claim, HF_REASON_SHUTDOWN));
    assert_true(item_take(world, b).first_in_claim);
    struct hf_store_command other = release_command(world, a, &claim);
    other.release_sessions.reason = HF_REASON_DEAD;
    assert_refused(world, &other, HF_INVALID, "");
}

/* ---- 14: turns ------------------------------------------------------------------------------- */

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

/* ---- 15 -------------------------------------------------------------------------------------- */

/* Of two fetches at one moment exactly one gets the item and its session. */
static void test_one_of_two_fetches_gets_the_session(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 2);
    scene_items(world, a, "plain", 1);
    struct hf_store_command first = fetch_items_command(world, a);
    struct hf_store_command second = fetch_items_command(world, b);
    struct hf_store_command *group[] = { &first, &second };
    world_group(world, group, 2);
    assert_int_equal(first.fetch_items.out_items_count, 1);
    assert_int_equal(first.fetch_items.out_items[0].token.item.instance, instance);
    assert_int_equal(second.fetch_items.out_items_count, 1);
    assert_int_equal(second.fetch_items.out_items[0].incarnation, 0);
    assert_true(session_row(world, instance, 1).owner == a);
}

/* A close while an activity runs: everything that its holder then presents is refused as closed,
 * and nothing reaches the inbox. */
static void test_close_voids_what_runs(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_session(world, registration, "one", 2);
    struct hf_item_grant grant = item_take(world, registration);
    struct hf_session_claim claim = claim_of(&grant);
    plan_commit(session_close_plan(world, registration, "one"));
    assert_string_equal(held_code(world, registration, &grant.token, NULL), "session_closed");
    assert_string_equal(held_code(world, registration, NULL, &claim), "session_closed");
    struct hf_store_command back = abandon_command(registration, &grant.token);
    assert_refused(world, &back, HF_STALE, "session_closed");
    struct hf_store_command complete = complete_command(registration, &grant.token);
    assert_refused(world, &complete, HF_STALE, "session_closed");
    assert_int_equal(inbox_count(world, instance), 0);
    assert_no_item(world, registration);
}

/* A completion before the close is another matter: it is final. */
static void test_completed_item_of_a_closed_session_is_closed_not_final(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_session(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    item_complete(world, registration, &grant.token);
    assert_string_equal(held_code(world, registration, &grant.token, NULL), "item_final");
    plan_commit(session_close_plan(world, registration, "one"));
    assert_string_equal(held_code(world, registration, &grant.token, NULL), "session_closed");
}

/* Closed and opened again in one turn: a new incarnation, unclaimed, with nothing left over. */
static void test_reopened_session_is_new_and_empty(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_session(world, registration, "one", 3);
    item_take(world, registration);
    struct plan *plan = session_close_plan(world, registration, "one");
    plan_open(plan, 2, "s", "");
    plan_commit(plan);
    assert_false(session_find(world, instance, 1, NULL));
    struct hf_session_row row = session_row(world, instance, 2);
    assert_int_equal(row.owner | row.epoch | row.queued_count | row.running_count, 0);
    assert_no_item(world, registration);
}

/* Continue-as-new cancels what runs on a session, and the session lives on with its owner. */
static void test_session_survives_continue_as_new(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_session(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, registration);
    plan_cancel(plan, grant.token.item.event_id);
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan_commit(plan);
    assert_string_equal(held_code(world, registration, &grant.token, NULL), "item_final");
    struct hf_session_row row = session_row(world, instance, 1);
    assert_true(row.owner == registration && row.epoch == grant.epoch);
    assert_int_equal(row.running_count, 0);
    plan = scene_turn(world, registration);
    assert_int_equal(plan->record.execution, 2);
    plan_item(plan, 1, "");
    plan_commit(plan);
    struct hf_item_grant next = item_take(world, registration);
    assert_true(next.epoch == grant.epoch && next.token.item.execution == 2);
    assert_false(next.first_in_claim);
}

/* ---- 19 -------------------------------------------------------------------------------------- */

/* Close X, open X, schedule on X in one turn: the new work is kept, the former is purged. */
static void test_work_on_the_reopened_session_is_kept(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_session(world, registration, "one", 2);
    struct plan *plan = session_close_plan(world, registration, "one");
    plan_open(plan, 2, "s", "");
    uint64_t event_id = plan_item(plan, 2, "");
    plan_item(plan, 1, ""); /* on what this turn closes: purged with the rest */
    plan_commit(plan);
    assert_int_equal(session_row(world, instance, 2).queued_count, 1);
    struct hf_item_grant grant = item_take(world, registration);
    assert_true(grant.token.item.event_id == event_id && grant.incarnation == 2);
    assert_no_item(world, registration);
}

/* What was delivered in a former incarnation is refused, although the id is open again. */
static void test_former_incarnation_is_fenced(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_session(world, registration, "one", 1);
    struct hf_item_grant old = item_take(world, registration);
    struct hf_session_claim old_claim = claim_of(&old);
    struct plan *plan = session_close_plan(world, registration, "one");
    plan_open(plan, 2, "s", "");
    plan_item(plan, 2, "");
    plan_commit(plan);
    struct hf_item_grant new = item_take(world, registration);
    struct hf_store_command complete = complete_command(registration, &old.token);
    assert_refused(world, &complete, HF_STALE, "session_closed");
    assert_string_equal(release_code(world, registration, &old_claim, HF_REASON_RELEASED),
                        "session_closed");
    item_complete(world, registration, &new.token);
    assert_int_equal(inbox_count(world, instance), 1);
}

/* A worker that stood still past its lease and lost its session: acknowledgement, renewal and
 * release are refused, with the reason, and nothing is recorded twice. */
static void test_stalled_owner_after_a_takeover(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 1);
    scene_items(world, a, "plain", 1);
    size_t count;
    struct hf_item_grant *stalled = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 2);
    world->boot_ms += WORLD_SESSIONS_MS + 1;
    struct hf_item_grant *taken = items_fetch(world, b, 10, &count);
    assert_int_equal(count, 2);
    struct hf_session_claim claim = claim_of(&stalled[0]);
    struct hf_store_command complete = complete_command(a, &stalled[0].token);
    assert_refused(world, &complete, HF_STALE, "epoch");
    complete = complete_command(a, &stalled[1].token);
    assert_refused(world, &complete, HF_STALE, "superseded");
    assert_string_equal(release_code(world, a, &claim, HF_REASON_RELEASED), "epoch");
    struct hf_item_token tokens[] = { stalled[0].token, stalled[1].token };
    struct hf_store_command renew = renew_command(world, a);
    renew.renew.items = tokens;
    renew.renew.items_count = 2;
    renew.renew.sessions = &claim;
    renew.renew.sessions_count = 1;
    assert_ok(world_run(world, &renew), &world->error);
    assert_int_equal(renew.renew.out_voids_count, 3);
    const char *codes[] = { "epoch", "superseded", "epoch" };
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(renew.renew.out_voids[i].code, codes[i]);
        assert_int_equal(renew.renew.out_voids[i].index, i < 2 ? i : 0);
        assert_int_equal(renew.renew.out_voids[i].is_session, i == 2);
    }
    item_complete(world, b, &taken[0].token);
    assert_int_equal(inbox_count(world, instance), 1);
}

/* The same worker, but nobody took anything: its ack is accepted, its epoch stays, and so does its
 * session when it fetches or renews. */
static void test_stalled_owner_without_a_takeover(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 2);
    struct hf_item_grant grant = item_take(world, a);
    world->boot_ms += WORLD_SESSIONS_MS * 2;
    item_complete(world, a, &grant.token);
    assert_int_equal(inbox_count(world, instance), 1);
    struct hf_item_grant next = item_take(world, a);
    assert_true(next.epoch == grant.epoch && !next.first_in_claim);
    worker_renew(world, a);
    worker_renew(world, b);
    assert_no_item(world, b);
    struct hf_session_row row = session_row(world, instance, 1);
    assert_true(row.owner == a && row.epoch == grant.epoch);
    assert_int_equal(row.lease_left_ms, WORLD_SESSIONS_MS);
}

/* A session that went to another and came back is another claim: what was delivered under the first
 * is fenced by the epoch, although the owner is the same registration. */
static void test_token_of_a_former_claim_of_the_same_owner_is_fenced(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 1);
    struct hf_item_grant first = item_take(world, a);
    world->boot_ms += WORLD_SESSIONS_MS;
    struct hf_item_grant taken = item_take(world, b);
    world->boot_ms += WORLD_SESSIONS_MS;
    struct hf_item_grant again = item_take(world, a);
    assert_int_equal(again.attempt, 3);
    assert_true(again.first_in_claim && session_row(world, instance, 1).owner == a);
    struct hf_session_claim claim = claim_of(&first);
    assert_string_equal(held_code(world, a, &first.token, NULL), "epoch");
    assert_string_equal(held_code(world, a, NULL, &claim), "epoch");
    assert_string_equal(held_code(world, b, &taken.token, NULL), "epoch");
    item_complete(world, a, &again.token);
}

/* The same when the session was given up: work handed back before is no more than superseded while
 * it is held, and of a former claim afterwards. */
static void test_token_of_a_released_session_is_fenced(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_session(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    struct hf_session_claim claim = claim_of(&grant);
    struct hf_store_command back = abandon_command(registration, &grant.token);
    assert_ok(world_run(world, &back), &world->error);
    assert_string_equal(held_code(world, registration, &grant.token, NULL), "superseded");
    assert_null(release_code(world, registration, &claim, HF_REASON_SHUTDOWN));
    assert_string_equal(held_code(world, registration, &grant.token, NULL), "epoch");
}

/* A session with a tag is claimed only by those who serve it. */
static void test_tagged_session_is_claimed_by_those_who_serve_it(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    plan_open(plan, 1, "s", "gpu");
    plan_item(plan, 1, "");
    plan_commit(plan);
    assert_no_item(world, a);
    const hf_slice tag = hf_text("gpu");
    struct hf_store_command fetch = fetch_items_command(world, b);
    fetch.fetch_items.tags = &tag;
    fetch.fetch_items.tags_count = 1;
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 1);
    struct hf_session_row row = session_row(world, instance, 1);
    assert_true(row.owner == b);
    assert_true(hf_slice_equal(row.tag, tag));
}

/* The wall clock decides nothing about sessions. */
static void test_wall_clock_jumps_move_no_session(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_session(world, a, "one", 2);
    item_take(world, a);
    world->wall_ms += 3600 * 1000;
    assert_no_item(world, b);
    world->wall_ms -= 2 * 3600 * 1000;
    assert_no_item(world, b);
    assert_true(session_row(world, instance, 1).owner == a);
}

/* Opening and closing over and over leaves nothing. */
static void test_many_incarnations_leave_no_row(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    for (uint64_t i = 1; i <= 20; i++) {
        if (i > 1) instance_message(world, "one", "again");
        struct plan *plan = scene_turn(world, registration);
        plan_open(plan, 2 * i, "s", "");
        plan_item(plan, 2 * i, "");
        if (i > 1) plan_close(plan, 2 * (i - 1));
        plan_commit(plan);
        if (i % 2) item_take(world, registration);
    }
    struct hf_session_row *rows;
    size_t count;
    struct hf_sessions_query query = { 0 };
    assert_ok(world->backend->ops->sessions(world->backend, &query, &world->arena, &rows, &count,
                                            &world->error),
              &world->error);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].incarnation, 40);
    assert_int_equal(rows[0].queued_count, 1);
    assert_int_equal(world_reclaim(world), 0);
}

/* ---- 11: ends -------------------------------------------------------------------------------- */

/* However an instance ends, its sessions go with it, and their holder is told. */
static void test_ended_instance_leaves_no_session(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    const enum hf_outcome outcomes[] = { HF_OUTCOME_COMPLETED, HF_OUTCOME_FAILED,
                                         HF_OUTCOME_CANCELLED };
    const char *ids[] = { "one", "two", "three" };
    for (size_t i = 0; i < 3; i++) {
        uint64_t instance = scene_session(world, registration, ids[i], 2);
        struct hf_item_grant grant = item_take(world, registration);
        struct hf_session_claim claim = claim_of(&grant);
        instance_message(world, ids[i], "end");
        struct plan *plan = scene_turn(world, registration);
        plan_end(plan, outcomes[i]);
        plan_commit(plan);
        assert_int_equal(world->effects & (HF_EFFECT_ENDED | HF_EFFECT_VOIDED),
                         HF_EFFECT_ENDED | HF_EFFECT_VOIDED);
        assert_false(session_find(world, instance, 1, NULL));
        assert_string_equal(held_code(world, registration, NULL, &claim), "instance_ended");
        assert_string_equal(held_code(world, registration, &grant.token, NULL), "instance_ended");
        assert_no_item(world, registration);
        assert_int_equal(instance_info(world, ids[i]).status, HF_INSTANCE_COMPLETED + (int)i);
    }
}

/* ---- affinity -------------------------------------------------------------------------------- */

/* The owner gets the session's next items, oldest first, and two sessions may have two owners. */
static void test_each_session_has_its_owner(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 3);
    scene_session(world, a, "two", 3);
    struct hf_item_grant of_a = item_take(world, a);
    assert_int_equal(of_a.token.item.instance, 1);
    struct hf_item_grant of_b = item_take(world, b);
    assert_int_equal(of_b.token.item.instance, 2);
    for (uint64_t i = 1; i < 3; i++) {
        struct hf_item_grant next = item_take(world, b);
        assert_int_equal(next.token.item.instance, 2);
        assert_int_equal(next.token.item.event_id, of_b.token.item.event_id + i);
        next = item_take(world, a);
        assert_int_equal(next.token.item.instance, 1);
        assert_int_equal(next.token.item.event_id, of_a.token.item.event_id + i);
    }
}

/* A restarted worker is another owner: what it held before it claims anew, with a cold memory. */
static void test_restarted_worker_is_another_owner(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    struct hf_session_claim claim = session_own(world, a, "one");
    session_add(world, a, "one", 1);
    world_kill(world, "a");
    uint64_t again = worker_register(world, "a");
    struct hf_item_grant grant = item_take(world, again);
    assert_true(grant.first_in_claim && grant.epoch > claim.epoch);
    assert_int_equal(grant.attempt, 1);
}

/* Session work handed back stays its owner's and counts as told. */
static void test_abandoned_session_item_stays_with_the_owner(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    struct hf_store_command back = abandon_command(a, &grant.token);
    assert_ok(world_run(world, &back), &world->error);
    assert_no_item(world, b);
    grant = item_take(world, a);
    assert_int_equal(grant.attempt, 2);
    back = abandon_command(a, &grant.token);
    back.abandon_item.uncounted = true;
    assert_ok(world_run(world, &back), &world->error);
    grant = item_take(world, a);
    assert_int_equal(grant.attempt, 2);
    back = abandon_command(a, &grant.token);
    back.abandon_item.delay_ms = 50;
    assert_ok(world_run(world, &back), &world->error);
    assert_no_item(world, a);
    world->wall_ms += 50;
    assert_int_equal(timers_fire(world), 1);
    assert_no_item(world, b);
    assert_int_equal(item_take(world, a).attempt, 3);
}

/* When only the deadline for items has passed, nobody else is given the session's item; its owner
 * is, with a new token, and the old one is refused. */
static void test_passed_item_of_a_held_session_is_the_owners(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    world->boot_ms += WORLD_ITEMS_MS + 1;
    worker_renew(world, b);
    assert_no_item(world, b);
    struct hf_item_grant again = item_take(world, a);
    assert_true(again.token.delivery_lsn > grant.token.delivery_lsn);
    assert_true(again.epoch == grant.epoch && !again.first_in_claim);
    assert_int_equal(again.attempt, 2);
    struct hf_store_command late = complete_command(a, &grant.token);
    assert_refused(world, &late, HF_STALE, "superseded");
    item_complete(world, a, &again.token);
}

/* With both deadlines passed another worker claims the session and gets the running item; the old
 * owner, back again, is not given it. */
static void test_passed_session_moves_with_its_running_item(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_session(world, a, "one", 1);
    struct hf_item_grant old = item_take(world, a);
    world->boot_ms += WORLD_SESSIONS_MS;
    worker_renew(world, b);
    struct hf_item_grant new = item_take(world, b);
    assert_true(new.first_in_claim &&new.epoch == new.token.delivery_lsn);
    assert_int_equal(new.attempt, 2);
    worker_renew(world, a);
    assert_no_item(world, a);
    struct hf_store_command late = complete_command(a, &old.token);
    assert_refused(world, &late, HF_STALE, "epoch");
    item_complete(world, b, &new.token);
}

/* Renewals before the deadline keep sessions past many of them. */
static void test_renewals_keep_sessions(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    struct hf_session_claim claim = session_own(world, a, "one");
    session_add(world, a, "one", 1);
    for (size_t i = 0; i < 10; i++) {
        world->boot_ms += WORLD_SESSIONS_MS * 6 / 10;
        worker_renew(world, a);
        assert_no_item(world, b);
    }
    assert_true(session_row(world, claim.instance, 1).epoch == claim.epoch);
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
        CASE(test_log_says_from_whom_work_was_taken_and_why),
        CASE(test_queued_work_of_a_passed_owner_is_taken_over),
        CASE(test_full_worker_goes_on_with_what_it_owns),
        CASE(test_orphaned_sessions_are_claimed_first),
        CASE(case_14_6_renewal_moves_the_deadline_of_every_session),
        CASE(case_19_10_renewal_costs_one_transaction_and_one_row),
        CASE(case_14_7_renewal_names_the_closed_session),
        CASE(case_14_8_renewal_names_the_session_that_was_claimed_since),
        CASE(case_14_14_session_deadline_is_never_before_that_of_items),
        CASE(case_14_9_released_session_has_no_owner),
        CASE(case_14_10_release_of_what_is_not_held_is_refused),
        CASE(test_release_takes_what_it_can_and_names_the_rest),
        CASE(case_19_14_idle_release_is_refused_while_work_is_there),
        CASE(test_release_at_shutdown_takes_queued_work_along),
        CASE(case_14_11_opening_turn_makes_an_unclaimed_row),
        CASE(case_14_12_closing_turn_deletes_the_row),
        CASE(case_14_13_item_carries_its_session),
        CASE(case_14_15_sessions_are_a_capability),
        CASE(test_one_of_two_fetches_gets_the_session),
        CASE(test_close_voids_what_runs),
        CASE(test_completed_item_of_a_closed_session_is_closed_not_final),
        CASE(test_reopened_session_is_new_and_empty),
        CASE(test_session_survives_continue_as_new),
        CASE(test_work_on_the_reopened_session_is_kept),
        CASE(test_former_incarnation_is_fenced),
        CASE(test_stalled_owner_after_a_takeover),
        CASE(test_stalled_owner_without_a_takeover),
        CASE(test_token_of_a_former_claim_of_the_same_owner_is_fenced),
        CASE(test_token_of_a_released_session_is_fenced),
        CASE(test_tagged_session_is_claimed_by_those_who_serve_it),
        CASE(test_wall_clock_jumps_move_no_session),
        CASE(test_many_incarnations_leave_no_row),
        CASE(test_ended_instance_leaves_no_session),
        CASE(test_each_session_has_its_owner),
        CASE(test_restarted_worker_is_another_owner),
        CASE(test_abandoned_session_item_stays_with_the_owner),
        CASE(test_passed_item_of_a_held_session_is_the_owners),
        CASE(test_passed_session_moves_with_its_running_item),
        CASE(test_renewals_keep_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
