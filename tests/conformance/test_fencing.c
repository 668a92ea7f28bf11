/* Sessions that change hands, close, move and end: what each does to tokens and claims, to queued
 * and running work, and to the rest of a fetch. */
#include "tests/conformance/world.h"

#include "tests/conformance/subject.h"

/* ---- taking over ----------------------------------------------------------------------------- */

static struct hf_delivered delivered_latest(struct world *world)
{
    struct hf_delivered delivered;
    hf_slice body = subject_latest(world->backend, HF_RECORD_DELIVERED, &world->arena);
    assert_ok(hf_decode(hf_record_layout(HF_RECORD_DELIVERED), body, &world->arena, &delivered,
                        &world->error),
              &world->error);
    return delivered;
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
static void trap_b8_full_worker_goes_on_with_what_it_owns(void **state)
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

/* ---- releasing ------------------------------------------------------------------------------- */

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

/* ---- closing --------------------------------------------------------------------------------- */

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

/* ---- former incarnations and claims ---------------------------------------------------------- */

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

/* ---- ends ------------------------------------------------------------------------------------ */

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

/* ---- owners ---------------------------------------------------------------------------------- */

/* The owner gets the session's next items, oldest first, and two sessions may have two owners. */
static void store_affinity_5_sessions_have_owners_of_their_own(void **state)
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
static void store_affinity_20_restarted_worker_is_another_owner(void **state)
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
static void store_affinity_24_abandoned_session_item_stays_with_the_owner(void **state)
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
static void store_affinity_28_passed_item_of_a_held_session_is_the_owners(void **state)
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
static void store_affinity_29_passed_session_moves_with_its_running_item(void **state)
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
static void store_affinity_33_renewals_keep_sessions(void **state)
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
        CASE(test_log_says_from_whom_work_was_taken_and_why),
        CASE(test_queued_work_of_a_passed_owner_is_taken_over),
        CASE(trap_b8_full_worker_goes_on_with_what_it_owns),
        CASE(test_orphaned_sessions_are_claimed_first),
        CASE(test_release_takes_what_it_can_and_names_the_rest),
        CASE(test_release_at_shutdown_takes_queued_work_along),
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
        CASE(store_affinity_5_sessions_have_owners_of_their_own),
        CASE(store_affinity_20_restarted_worker_is_another_owner),
        CASE(store_affinity_24_abandoned_session_item_stays_with_the_owner),
        CASE(store_affinity_28_passed_item_of_a_held_session_is_the_owners),
        CASE(store_affinity_29_passed_session_moves_with_its_running_item),
        CASE(store_affinity_33_renewals_keep_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
