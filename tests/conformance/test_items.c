/* Ordinary items: who gets them and when, what their tokens are worth, how attempts are counted. */
#include "tests/conformance/world.h"

#include "tests/conformance/subject.h"

/* ---- queue ----------------------------------------------------------------------------------- */

/* Items come in the order in which they were scheduled; fetching one does not remove it. */
static void store_queue_1_items_come_oldest_first(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 3);
    assert_int_equal(world->effects & HF_EFFECT_ITEMS_READY, HF_EFFECT_ITEMS_READY);
    scene_items(world, a, "two", 1);
    size_t count;
    struct hf_item_grant *grants = items_fetch(world, a, 10, &count);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(grants[i].token.item.instance, i < 3 ? 1 : 2);
        assert_int_equal(grants[i].token.item.event_id, i < 3 ? 2 + i : 2);
        assert_int_equal(grants[i].token.delivery_number, i + 1);
        assert_int_equal(grants[i].token.delivery_lsn, grants[0].token.delivery_lsn);
    }
    assert_true(hf_slice_equal(grants[0].body, hf_text("activity")));
    assert_true(hf_slice_equal(grants[3].instance_id, hf_text("two")));
    assert_int_equal(grants[0].session_id.size, 0);
    assert_int_equal(grants[0].incarnation | grants[0].epoch | grants[0].first_in_claim, 0);
    assert_no_item(world, b);
    assert_null(held_code(world, a, &grants[3].token, NULL));
}

static void store_queue_2_fetched_item_stays_until_it_is_acknowledged(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    struct hf_item_grant first = item_take(world, a);
    world_reopen(world, NULL);
    world->boot_ms += WORLD_ITEMS_MS;
    struct hf_item_grant again = item_take(world, b);
    assert_int_equal(again.token.item.event_id, first.token.item.event_id);
    item_complete(world, b, &again.token);
    world->boot_ms += WORLD_ITEMS_MS;
    assert_no_item(world, b);
}

static void store_queue_6_new_item_can_be_fetched_at_once(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    assert_int_equal(world->effects & HF_EFFECT_ITEMS_READY, HF_EFFECT_ITEMS_READY);
    assert_true(world_peek(world, registration).out_items_ready);
    item_take(world, registration);
}

/* A completion takes the item away and puts the message into the inbox, in one step. */
static void store_queue_3_completion_is_one_step(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_items(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    item_complete(world, registration, &grant.token);
    assert_int_equal(world->effects & HF_EFFECT_TURNS_DUE, HF_EFFECT_TURNS_DUE);
    struct hf_turn_view view = turn_view(world, instance, 1);
    assert_int_equal(view.messages_count, 1);
    assert_true(hf_slice_equal(view.messages[0].body, hf_text("result")));
    assert_no_item(world, registration);
    struct hf_store_command again = complete_command(registration, &grant.token);
    assert_refused(world, &again, HF_STALE, "item_final");
    assert_true(world_peek(world, registration).out_turns_due);
}

/* Of two outcomes of one item the first is heard, whatever the second says. */
static void store_beyond_6_second_completion_never_reaches_history(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_items(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    struct hf_store_command first = complete_command(registration, &grant.token);
    struct hf_store_command second = complete_command(registration, &grant.token);
    second.complete_item.body = hf_text("failed after all");
    struct hf_store_command *group[] = { &first, &second };
    world_group(world, group, 2);
    assert_ok(first.status, &first.error);
    assert_status(second.status, HF_STALE);
    assert_string_equal(second.error.code, "item_final");
    plan_commit(scene_turn(world, registration));
    assert_refused(world, &second, HF_STALE, "item_final");
    struct hf_turn_view view = turn_view(world, instance, 1);
    assert_int_equal(view.events_count, 3);
    assert_true(hf_slice_equal(view.events[2].body, hf_text("result")));
    assert_int_equal(view.messages_count, 0);
}

/* What is handed back with a delay is skipped until its time, and keeps its place then. */
static void store_queue_7_delayed_item_is_skipped_until_its_time(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 2);
    struct hf_item_grant first = item_take(world, registration);
    struct hf_store_command back = abandon_command(registration, &first.token);
    back.abandon_item.delay_ms = 1000;
    assert_ok(world_run(world, &back), &world->error);
    assert_int_equal(world->effects & HF_EFFECT_TIMERS, HF_EFFECT_TIMERS);
    assert_int_equal(item_take(world, registration).token.item.event_id, 3);
    assert_no_item(world, registration);
    assert_refused(world, &back, HF_STALE, "superseded");
    scene_items(world, registration, "two", 1);
    world->wall_ms += 999;
    assert_int_equal(timers_fire(world), 0);
    world->wall_ms += 1;
    assert_int_equal(timers_fire(world), 1);
    assert_int_equal(world->effects & HF_EFFECT_ITEMS_READY, HF_EFFECT_ITEMS_READY);
    struct hf_item_grant again = item_take(world, registration);
    assert_int_equal(again.token.item.instance, 1);
    assert_int_equal(again.attempt, 2);
    assert_int_equal(item_take(world, registration).token.item.instance, 2);
}

/* ---- progress -------------------------------------------------------------------------------- */

static void report(struct world *world, uint64_t registration, const struct hf_item_token *token,
                   const char *progress)
{
    const struct hf_report one = { *token, hf_text(progress) };
    struct hf_store_command command = { .kind = HF_STORE_REPORT };
    command.report = (struct hf_store_report){ .registration = registration,
                                               .reports = &one,
                                               .reports_count = 1 };
    assert_ok(world_run(world, &command), &world->error);
    assert_int_equal(command.lsn, 0);
}

static size_t progress_count(struct world *world)
{
    return subject_rows_count(world->backend, "progress");
}

/* A report leaves no record. The latest one is told with the next delivery, and goes with the item,
 * by whatever way that goes. */
static void row_2_7_report_goes_with_its_item(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    scene_items(world, a, "one", 2);
    struct hf_item_grant first = item_take(world, a);
    assert_int_equal(first.progress.size, 0);
    report(world, a, &first.token, "some");
    report(world, a, &first.token, "more");
    struct hf_store_command back = abandon_command(a, &first.token);
    assert_ok(world_run(world, &back), &world->error);
    struct hf_item_grant again = item_take(world, a);
    assert_true(hf_slice_equal(again.progress, hf_text("more")));
    struct hf_item_grant second = item_take(world, a);
    assert_int_equal(second.progress.size, 0);
    report(world, a, &second.token, "other");
    assert_int_equal(progress_count(world), 2);
    item_complete(world, a, &again.token);
    assert_int_equal(progress_count(world), 1);
    struct hf_store_command end = { .kind = HF_STORE_TERMINATE };
    end.terminate = (struct hf_store_terminate){ .id = hf_text("one"), .body = hf_text("end") };
    assert_ok(world_run(world, &end), &world->error);
    assert_int_equal(progress_count(world), 0);
}

/* Whoever has lost the item says nothing of it any more. */
static void row_2_7_report_of_a_void_token_is_passed_over(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a"), b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    struct hf_item_grant lost = item_take(world, a);
    struct hf_store_command back = abandon_command(a, &lost.token);
    assert_ok(world_run(world, &back), &world->error);
    struct hf_item_grant held = item_take(world, b);
    report(world, b, &held.token, "mine");
    report(world, a, &lost.token, "stale");
    back = abandon_command(b, &held.token);
    assert_ok(world_run(world, &back), &world->error);
    assert_true(hf_slice_equal(item_take(world, b).progress, hf_text("mine")));
}

static struct hf_store_totals totals(struct world *world)
{
    struct hf_store_totals all;
    assert_ok(world->backend->ops->totals(world->backend, &world->arena, &all, &world->error),
              &world->error);
    return all;
}

/* What was handed back waits like what was never taken, also while it is held back. */
static void store_beyond_14_depths_tell_apart_what_waits(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 3);
    assert_int_equal(totals(world).items, 3);
    assert_int_equal(totals(world).items_running, 0);
    struct hf_item_grant first = item_take(world, registration);
    struct hf_item_grant second = item_take(world, registration);
    assert_int_equal(totals(world).items_running, 2);
    struct hf_store_command back = abandon_command(registration, &first.token);
    assert_ok(world_run(world, &back), &world->error);
    back = abandon_command(registration, &second.token);
    back.abandon_item.delay_ms = 1000;
    assert_ok(world_run(world, &back), &world->error);
    assert_int_equal(totals(world).items, 3);
    assert_int_equal(totals(world).items_running, 0);
    instance_message(world, "one", "go on");
    assert_int_equal(totals(world).turns_due, 1);
    struct hf_turn_grant turn = turn_take(world, registration);
    assert_int_equal(totals(world).turns_due, 0);
    back = abandon_turn_command(registration, &turn.token);
    assert_ok(world_run(world, &back), &world->error);
    assert_int_equal(totals(world).turns_due, 1);
}

/* ---- leases ---------------------------------------------------------------------------------- */

/* Work of a registration that renews no more is delivered again, as one more attempt, and the
 * former token is refused; until the deadline it is nobody else's. */
static void store_queue_5_passed_item_is_delivered_again(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    struct hf_item_grant first = item_take(world, a);
    assert_int_equal(first.attempt, 1);
    world->boot_ms += WORLD_ITEMS_MS - 1;
    worker_renew(world, b);
    assert_no_item(world, b);
    world->boot_ms += 1;
    assert_true(world_peek(world, b).out_items_ready);
    struct hf_item_grant second = item_take(world, b);
    assert_int_equal(world->effects & HF_EFFECT_VOIDED, HF_EFFECT_VOIDED);
    assert_int_equal(second.attempt, 2);
    assert_int_equal(second.token.item.event_id, first.token.item.event_id);
    struct hf_store_command late = complete_command(a, &first.token);
    assert_refused(world, &late, HF_STALE, "superseded");
    late = abandon_command(a, &first.token);
    assert_refused(world, &late, HF_STALE, "superseded");
    assert_string_equal(held_code(world, a, &first.token, NULL), "superseded");
    item_complete(world, b, &second.token);
}

/* The token decides, not the clock: accepted after the deadline while nobody took the item. */
static void store_expiry_12_token_decides_and_not_the_clock(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t instance = scene_items(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    world->boot_ms += WORLD_ITEMS_MS * 10;
    item_complete(world, a, &grant.token);
    assert_int_equal(inbox_count(world, instance), 1);
}

/* A renewal moves the deadline, from then on; what it presents and is right is not named. */
static void store_expiry_5_renewal_moves_the_deadline(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    world->boot_ms += WORLD_ITEMS_MS - 1;
    struct hf_store_command renew = renew_command(world, a);
    renew.renew.items = &grant.token;
    renew.renew.items_count = 1;
    assert_ok(world_run(world, &renew), &world->error);
    assert_int_equal(renew.renew.out_voids_count, 0);
    world->boot_ms += WORLD_ITEMS_MS - 1;
    worker_renew(world, b);
    assert_no_item(world, b);
    world->boot_ms += 1;
    item_take(world, b);
}

static void store_expiry_8_renewed_item_stays_past_its_first_deadline(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    for (size_t i = 0; i < 3; i++) {
        world->boot_ms += WORLD_ITEMS_MS / 2;
        worker_renew(world, a);
        worker_renew(world, b);
        assert_no_item(world, b);
    }
    item_complete(world, a, &grant.token);
}

/* Tokens that were never given are named as unknown, and the rest is renewed. */
static void store_expiry_6_unknown_tokens_are_named(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_items(world, a, "one", 2);
    struct hf_item_grant grant = item_take(world, a);
    struct hf_item_token wrong[6];
    for (size_t i = 0; i < 6; i++) wrong[i] = grant.token;
    wrong[0].delivery_number = 2;
    wrong[1].delivery_lsn -= 1;
    wrong[2].delivery_lsn += 100;
    wrong[3].item.event_id += 1;
    wrong[4].item.instance = instance + 7;
    wrong[5].delivery_number = 0;
    struct hf_store_command renew = renew_command(world, a);
    renew.renew.items = wrong;
    renew.renew.items_count = 6;
    world->boot_ms += 5;
    assert_ok(world_run(world, &renew), &world->error);
    assert_int_equal(renew.renew.out_voids_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(renew.renew.out_voids[i].index, i);
        assert_string_equal(renew.renew.out_voids[i].code, "unknown");
        struct hf_store_command complete = complete_command(a, &wrong[i]);
        assert_refused(world, &complete, HF_STALE, "unknown");
    }
    /* A right token is worth nothing in the hands of another registration. */
    assert_string_equal(held_code(world, b, &grant.token, NULL), "unknown");
    struct hf_store_command complete = complete_command(b, &grant.token);
    assert_refused(world, &complete, HF_STALE, "unknown");
    item_complete(world, a, &grant.token);
}

/* A renewal after the deadline works while nobody has taken the work, and names it once somebody
 * has. */
static void store_expiry_7_renewal_after_the_deadline(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    world->boot_ms += WORLD_ITEMS_MS * 2;
    worker_renew(world, a);
    worker_renew(world, b);
    assert_no_item(world, b);
    world->boot_ms += WORLD_ITEMS_MS;
    item_take(world, b);
    assert_string_equal(held_code(world, a, &grant.token, NULL), "superseded");
}

/* What was acknowledged is named as final. */
static void store_expiry_9_acknowledged_token_is_named_as_final(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    scene_items(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    item_complete(world, a, &grant.token);
    assert_string_equal(held_code(world, a, &grant.token, NULL), "item_final");
}

/* Work handed back can be fetched at once, at its old place. */
static void store_expiry_10_abandoned_item_is_ready_at_once(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 2);
    struct hf_item_grant first = item_take(world, a);
    struct hf_store_command back = abandon_command(a, &first.token);
    assert_ok(world_run(world, &back), &world->error);
    assert_int_equal(world->effects & HF_EFFECT_ITEMS_READY, HF_EFFECT_ITEMS_READY);
    assert_int_equal(item_take(world, b).token.item.event_id, first.token.item.event_id);
}

static void store_expiry_11_item_handed_back_with_a_delay_waits_for_it(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    struct hf_store_command back = abandon_command(registration, &grant.token);
    back.abandon_item.delay_ms = 1000;
    assert_ok(world_run(world, &back), &world->error);
    world->wall_ms += 999;
    timers_fire(world);
    assert_no_item(world, registration);
    world->wall_ms += 1;
    timers_fire(world);
    assert_int_equal(item_take(world, registration).token.item.event_id, 2);
}

/* Leases of another boot are over, and so are those whose soft row is of it. */
static void test_work_of_another_boot_can_be_taken(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    scene_items(world, a, "one", 1);
    item_take(world, a);
    world->boot_ms = 10;
    world_reopen(world, "boot-2");
    uint64_t b = worker_register(world, "b");
    item_take(world, b);
}

/* ---- attempts -------------------------------------------------------------------------------- */

/* Hands the item back and takes it again; returns the attempt it then has. */
static struct hf_item_grant retake(struct world *world, uint64_t registration,
                                   const struct hf_item_grant *grant, bool uncounted)
{
    struct hf_store_command back = abandon_command(registration, &grant->token);
    back.abandon_item.uncounted = uncounted;
    assert_ok(world_run(world, &back), &world->error);
    return item_take(world, registration);
}

static void store_poison_3_first_delivery_is_attempt_1(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    assert_int_equal(item_take(world, registration).attempt, 1);
}

/* A delivery whose deadline passed counts. */
static void store_poison_4_delivery_whose_deadline_passed_counts(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    world->boot_ms += WORLD_ITEMS_MS;
    grant = item_take(world, worker_register(world, "b"));
    assert_int_equal(grant.attempt, 2);
}

/* What is handed back for our own reasons does not. */
static void store_poison_6_uncounted_delivery_gives_its_count_back(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    grant = retake(world, registration, &grant, true);
    assert_int_equal(grant.attempt, 1);
    grant = retake(world, registration, &grant, false);
    assert_int_equal(grant.attempt, 2);
    grant = retake(world, registration, &grant, true);
    assert_int_equal(grant.attempt, 2);
    grant = retake(world, registration, &grant, false);
    assert_int_equal(grant.attempt, 3);
}

/* One item's attempts are not another's, nor one instance's turns'. */
static void store_poison_5_attempts_are_counted_for_each(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 2);
    struct hf_item_grant first = item_take(world, registration);
    first = retake(world, registration, &first, false);
    assert_int_equal(first.attempt, 2);
    assert_int_equal(item_take(world, registration).attempt, 1);
    instance_start(world, "two");
    instance_start(world, "three");
    struct hf_turn_grant turn = turn_take(world, registration);
    struct hf_store_command back = abandon_turn_command(registration, &turn.token);
    back.abandon_turn.counted = true;
    back.abandon_turn.reason = HF_REASON_ABANDONED;
    assert_ok(world_run(world, &back), &world->error);
    assert_int_equal(turn_take(world, registration).attempt, 2);
    assert_int_equal(turn_take(world, registration).attempt, 1);
}

/* ---- cancel ---------------------------------------------------------------------------------- */

/* Named items go, in whatever state they are, and only those; unknown ids have no effect. */
static void store_cancel_10_named_items_go_and_only_those(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 4);
    struct hf_item_grant running = item_take(world, registration);
    struct hf_item_grant delayed = item_take(world, registration);
    struct hf_store_command back = abandon_command(registration, &delayed.token);
    back.abandon_item.delay_ms = 1000;
    assert_ok(world_run(world, &back), &world->error);
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, registration);
    plan_cancel(plan, running.token.item.event_id);
    plan_cancel(plan, delayed.token.item.event_id);
    plan_cancel(plan, 4);
    plan_cancel(plan, 4000);
    plan_commit(plan);
    assert_int_equal(world->effects & HF_EFFECT_VOIDED, HF_EFFECT_VOIDED);
    assert_string_equal(held_code(world, registration, &running.token, NULL), "item_final");
    struct hf_store_command complete = complete_command(registration, &running.token);
    assert_refused(world, &complete, HF_STALE, "item_final");
    complete = complete_command(registration, &delayed.token);
    assert_refused(world, &complete, HF_STALE, "item_final");
    size_t count;
    struct hf_item_grant *left = items_fetch(world, registration, 10, &count);
    assert_int_equal(count, 1);
    assert_int_equal(left[0].token.item.event_id, 5);
    world->wall_ms += 5000;
    assert_int_equal(timers_fire(world), 0);
}

/* What one turn schedules and cancels comes to nothing. */
static void store_cancel_15_scheduled_and_cancelled_is_nothing(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_cancel(plan, plan_item(plan, 0, ""));
    plan_cancel(plan, plan_timer(plan, world->wall_ms));
    plan_commit(plan);
    assert_no_item(world, registration);
    assert_int_equal(timers_fire(world), 0);
}

/* Tokens hold while the instance runs, whatever it waits for, and name its end afterwards. */
static void test_tokens_hold_until_the_instance_ends(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    struct hf_item_grant grant = item_take(world, registration);
    assert_null(held_code(world, registration, &grant.token, NULL));
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, registration);
    plan_cancel(plan, grant.token.item.event_id);
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan_commit(plan);
    assert_int_equal(world->effects & HF_EFFECT_ENDED, HF_EFFECT_ENDED);
    assert_string_equal(held_code(world, registration, &grant.token, NULL), "instance_ended");
    struct hf_store_command complete = complete_command(registration, &grant.token);
    assert_refused(world, &complete, HF_STALE, "instance_ended");
}

/* ---- form ------------------------------------------------------------------------------------ */

/* A completion without bytes is refused; a fetch for nothing gives nothing and writes nothing. */
static void test_malformed_and_empty_item_commands(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_items(world, registration, "one", 1);
    struct hf_store_command fetch = fetch_items_command(world, registration);
    fetch.fetch_items.items_max = 0;
    uint64_t fingerprint = world_fingerprint(world);
    assert_ok(world_run(world, &fetch), &world->error);
    assert_int_equal(fetch.fetch_items.out_items_count, 0);
    assert_true(world_fingerprint(world) == fingerprint);
    struct hf_item_grant grant = item_take(world, registration);
    struct hf_store_command complete = complete_command(registration, &grant.token);
    complete.complete_item.body = hf_text("");
    assert_refused(world, &complete, HF_INVALID, "");
}

/* A registration that has ended, or never was, gets and gives nothing. */
static void test_dead_registrations_are_refused(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, a);
    world_kill(world, "a");
    assert_ok(worker_end(world, a, HF_REASON_DEAD), &world->error);
    struct hf_store_command fetch = fetch_items_command(world, a);
    assert_refused(world, &fetch, HF_STALE, "registration_dead");
    struct hf_store_command complete = complete_command(a, &grant.token);
    assert_refused(world, &complete, HF_STALE, "registration_dead");
    struct hf_store_command back = abandon_command(a, &grant.token);
    assert_refused(world, &back, HF_STALE, "registration_dead");
    fetch = fetch_items_command(world, 999999);
    assert_refused(world, &fetch, HF_STALE, "registration_dead");
    fetch = fetch_items_command(world, a | UINT64_C(1) << 48);
    assert_refused(world, &fetch, HF_STALE, "store_generation");
    struct hf_item_token other = grant.token;
    other.delivery_lsn |= UINT64_C(1) << 48;
    complete = complete_command(a, &other);
    assert_refused(world, &complete, HF_STALE, "store_generation");
    assert_int_equal(item_take(world, b).attempt, 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_queue_1_items_come_oldest_first),
        CASE(store_queue_2_fetched_item_stays_until_it_is_acknowledged),
        CASE(store_queue_6_new_item_can_be_fetched_at_once),
        CASE(store_queue_3_completion_is_one_step),
        CASE(store_beyond_6_second_completion_never_reaches_history),
        CASE(row_2_7_report_goes_with_its_item),
        CASE(row_2_7_report_of_a_void_token_is_passed_over),
        CASE(store_queue_7_delayed_item_is_skipped_until_its_time),
        CASE(store_beyond_14_depths_tell_apart_what_waits),
        CASE(store_queue_5_passed_item_is_delivered_again),
        CASE(store_expiry_12_token_decides_and_not_the_clock),
        CASE(store_expiry_5_renewal_moves_the_deadline),
        CASE(store_expiry_8_renewed_item_stays_past_its_first_deadline),
        CASE(store_expiry_6_unknown_tokens_are_named),
        CASE(store_expiry_7_renewal_after_the_deadline),
        CASE(store_expiry_9_acknowledged_token_is_named_as_final),
        CASE(store_expiry_10_abandoned_item_is_ready_at_once),
        CASE(store_expiry_11_item_handed_back_with_a_delay_waits_for_it),
        CASE(test_work_of_another_boot_can_be_taken),
        CASE(store_poison_3_first_delivery_is_attempt_1),
        CASE(store_poison_4_delivery_whose_deadline_passed_counts),
        CASE(store_poison_6_uncounted_delivery_gives_its_count_back),
        CASE(store_poison_5_attempts_are_counted_for_each),
        CASE(store_cancel_10_named_items_go_and_only_those),
        CASE(store_cancel_15_scheduled_and_cancelled_is_nothing),
        CASE(test_tokens_hold_until_the_instance_ends),
        CASE(test_malformed_and_empty_item_commands),
        CASE(test_dead_registrations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
