/* Turns: who gets them, what their tokens are worth, how attempts are counted, and that a commit
 * lands whole or not at all. */
#include "tests/conformance/story.h"

static struct hf_turn_grant *turns_fetch(struct world *world, struct hf_store_command *command,
                                         size_t *out_count)
{
    assert_ok(world_run(world, command), &world->error);
    *out_count = command->fetch_turns.out_turns_count;
    return command->fetch_turns.out_turns;
}

/* ---- commit: whole or not at all ------------------------------------------------------------- */

/* A turn brings history, items, timers, sessions and status in one step. */
static void store_atomicity_2_commit_lands_whole(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = instance_start(world, "one");
    instance_message(world, "one", "hello");
    struct plan *plan = scene_turn(world, registration);
    plan_open(plan, 1, "s", "");
    plan_item(plan, 0, "");
    plan_item(plan, 1, "");
    plan_timer(plan, world->wall_ms + 5);
    plan->record.status_event = plan_event(plan, "status");
    uint64_t head = plan_commit(plan);
    struct hf_instance_info info = instance_info(world, "one");
    assert_true(info.head == head);
    assert_int_equal(info.status, HF_INSTANCE_RUNNING);
    assert_int_equal(info.status_version, 1);
    assert_true(hf_slice_equal(info.status_body, hf_text("status")));
    struct hf_turn_view view = turn_view(world, instance, 1);
    assert_int_equal(view.events_count, 7);
    assert_int_equal(view.messages_count, 0);
    assert_true(hf_slice_equal(view.events[1].body, hf_text("hello")));
    assert_int_equal(session_row(world, instance, 1).queued_count, 1);
    size_t count;
    items_fetch(world, registration, 10, &count);
    assert_int_equal(count, 2);
    world->wall_ms += 5;
    assert_int_equal(timers_fire(world), 1);
}

/* A turn whose ids do not follow on, or which names what is not there, is refused without a trace
 * and keeps its lock; mended, it lands. */
static void store_atomicity_1_refused_commit_writes_nothing(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    plan_item(plan, 0, "");
    uint64_t timer = plan_timer(plan, world->wall_ms);
    struct hf_store_command commit = plan_command(plan);
    plan->events[1].event_id = timer + 1;
    assert_refused(world, &commit, HF_CORRUPT, "");
    plan->events[1].event_id = timer;
    plan->record.execution = 2;
    assert_refused(world, &commit, HF_CORRUPT, "");
    plan->record.execution = 1;
    plan->messages = plan->record.messages.items = &(struct hf_consumed_message){ .lsn = 1 };
    plan->record.messages.count = 1;
    assert_refused(world, &commit, HF_CORRUPT, "");
    plan->record.messages.count = 0;
    plan->items[0].event_id = 1;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->items[0].event_id = timer - 1;
    struct hf_turn_grant other;
    assert_false(turn_fetch(world, b, &other));
    plan_commit(plan);
    assert_false(turn_fetch(world, b, &other));
    assert_int_equal(instance_info(world, "one").events_count, 3);
}

/* What would open a session twice, or carry what is not there, is refused as it is looked at. */
static void test_turns_that_do_not_fit_are_refused(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    scene_session(world, registration, "one", 0);
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, registration);
    plan_open(plan, 1, "again", "");
    struct hf_store_command commit = plan_command(plan);
    assert_refused(world, &commit, HF_CORRUPT, "");
    plan->opened[0].incarnation = 2;
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan->record.carried.count = 1;
    plan->carried[0].event_id = 99;
    assert_refused(world, &commit, HF_CORRUPT, "");
    plan->carried[0].event_id = 0;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->record.carried.count = 2;
    plan->carried[0].event_id = 1;                        /* of an earlier turn */
    plan->carried[1].event_id = plan->events[0].event_id; /* of this one */
    plan_commit(plan);
    struct hf_turn_view view = turn_view(world, 1, 2);
    assert_int_equal(view.events_count, 3);
    assert_true(hf_slice_equal(view.events[0].body, hf_text("next input")));
    assert_true(hf_slice_equal(view.events[1].body, hf_text("input")));
    assert_true(hf_slice_equal(view.events[2].body, hf_text("opened")));
}

/* The event with an id that history has already is refused, and history stays as it was. */
static void store_error_2_duplicate_event_id_is_refused(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_event(plan, "again");
    plan->events[0].event_id = 1;
    struct hf_store_command commit = plan_command(plan);
    assert_refused(world, &commit, HF_CORRUPT, "");
    assert_int_equal(instance_info(world, "one").events_count, 1);
}

/* Every form that no record may have is refused before anything is encoded. */
static void test_malformed_turns_are_refused(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_open(plan, 1, "s", "");
    plan_item(plan, 1, "");
    plan_timer(plan, 1);
    plan_cancel(plan, 5);
    plan_close(plan, 2);
    struct hf_turn_committed good = plan->record;
    struct hf_store_command commit = plan_command(plan);
    plan->opened[0].id = hf_text("");
    assert_refused(world, &commit, HF_INVALID, "");
    plan->opened[0].id = hf_bytes("\xc0", 1);
    assert_refused(world, &commit, HF_INVALID, "");
    plan->opened[0].id = hf_text("s");
    plan->opened[0].incarnation = 0;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->opened[0].incarnation = UINT64_C(1) << 32;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->opened[0].incarnation = 1;
    plan->closed[0].incarnation = 0;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->closed[0].incarnation = 2;
    plan->items[0].tag = hf_bytes("\xff", 1);
    assert_refused(world, &commit, HF_INVALID, "");
    plan->items[0].tag = hf_text("");
    plan->timers[0].body = hf_text("");
    assert_refused(world, &commit, HF_INVALID, "");
    plan->timers[0].body = hf_text("fired");
    plan->cancels[0].event_id = 0;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->cancels[0].event_id = 5;
    plan->events[0].body = hf_text("");
    assert_refused(world, &commit, HF_INVALID, "");
    plan->events[0].body = hf_text("opened");
    plan->record.outcome = 9;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->record.outcome = HF_OUTCOME_COMPLETED;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->record.outcome = HF_OUTCOME_CONTINUED;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->record = good;
    plan->record.engine_version = UINT64_C(1) << 32;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->record = good;
    plan->record.status_event = 1;
    assert_refused(world, &commit, HF_INVALID, "");
    plan->record = good;
    plan_commit(plan);
}

static void store_atomicity_3_lock_goes_with_a_good_commit_alone(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    plan_event(plan, "step");
    instance_message(world, "one", "go on");
    struct hf_store_command commit = plan_command(plan);
    plan->events[0].event_id = 99;
    assert_refused(world, &commit, HF_CORRUPT, "");
    struct hf_turn_grant grant;
    assert_false(turn_fetch(world, b, &grant));
    plan->events[0].event_id = 2;
    plan_commit(plan);
    assert_true(turn_fetch(world, b, &grant));
}

/* Of two commits with one token exactly one lands: in one group, and one behind the other. */
static void store_atomicity_4_one_of_two_commits_with_one_token_lands(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_event(plan, "step");
    struct hf_store_command first = plan_command(plan), second = plan_command(plan);
    struct hf_store_command *group[] = { &first, &second };
    world_group(world, group, 2);
    assert_ok(first.status, &first.error);
    assert_status(second.status, HF_STALE);
    assert_string_equal(second.error.code, "superseded");
    struct hf_store_command again = plan_command(plan);
    assert_refused(world, &again, HF_STALE, "superseded");
    assert_int_equal(instance_info(world, "one").events_count, 2);
}

/* ---- locks ----------------------------------------------------------------------------------- */

static void store_lock_6_other_instances_are_not_held_up(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    uint64_t two = instance_start(world, "two");
    turn_take(world, a);
    struct plan *plan = scene_turn(world, b);
    assert_int_equal(plan->token.instance, two);
    plan_commit(plan);
}

static void store_lock_1_locked_turn_is_nobody_elses(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = instance_start(world, "one");
    struct hf_turn_grant none;
    assert_int_equal(turn_take(world, a).token.instance, instance);
    assert_false(turn_fetch(world, a, &none));
    assert_false(turn_fetch(world, b, &none));
    assert_false(world_peek(world, b).out_turns_due);
}

/* The same turn never has the same token twice. */
static void store_lock_2_each_fetch_has_a_new_token(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct hf_turn_grant first = turn_take(world, registration);
    struct hf_store_command back = abandon_turn_command(registration, &first.token);
    assert_ok(world_run(world, &back), &world->error);
    struct hf_turn_grant second = turn_take(world, registration);
    assert_true(first.token.head == second.token.head);
    assert_true(first.token.nonce != second.token.nonce);
}

/* Tokens that were never given, were given to others, or are of other heads are refused by commit
 * and abandon, each with its reason. */
static void store_lock_3_wrong_tokens_are_refused(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    const struct {
        struct hf_turn_token token;
        uint64_t registration;
        const char *code;
    } wrong[] = {
        { { plan->token.instance, plan->token.head, plan->token.nonce + 1 }, a, "superseded" },
        { { plan->token.instance, plan->token.head, plan->token.nonce }, b, "superseded" },
        { { plan->token.instance, plan->token.head - 1, plan->token.nonce }, a, "superseded" },
        { { plan->token.instance, plan->token.head + 9, plan->token.nonce }, a, "unknown" },
        { { 0, plan->token.head, plan->token.nonce }, a, "unknown" },
        { { 77, plan->token.head, plan->token.nonce }, a, "unknown" },
        { plan->token, 12345, "registration_dead" },
        { plan->token, a | UINT64_C(3) << 48, "store_generation" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct hf_store_command commit = plan_command(plan);
        commit.commit_turn.token = wrong[i].token;
        commit.commit_turn.registration = wrong[i].registration;
        assert_refused(world, &commit, HF_STALE, wrong[i].code);
        struct hf_store_command back = abandon_turn_command(wrong[i].registration, &wrong[i].token);
        assert_refused(world, &back, HF_STALE, wrong[i].code);
    }
    plan_commit(plan);
}

/* What arrives while a turn is locked is not offered to others, stays when the turn is committed,
 * and is then due. */
static void store_lock_7_messages_during_a_turn_stay_for_the_next(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = instance_start(world, "one");
    instance_message(world, "one", "first");
    struct plan *plan = scene_turn(world, a);
    instance_message(world, "one", "second");
    assert_int_equal(world->effects & HF_EFFECT_TURNS_DUE, 0);
    struct hf_turn_grant none;
    assert_false(turn_fetch(world, b, &none));
    assert_int_equal(inbox_count(world, instance), 2);
    plan_commit(plan);
    assert_int_equal(world->effects & HF_EFFECT_TURNS_DUE, HF_EFFECT_TURNS_DUE);
    struct hf_turn_view view = turn_view(world, instance, 1);
    assert_int_equal(view.messages_count, 1);
    assert_true(hf_slice_equal(view.messages[0].body, hf_text("second")));
    plan = scene_turn(world, b);
    plan_commit(plan);
    assert_int_equal(inbox_count(world, instance), 0);
    assert_false(turn_fetch(world, a, &none));
}

static void store_lock_5_completion_during_a_turn_is_not_offered_to_others(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t instance = scene_items(world, a, "one", 1);
    struct hf_item_grant grant = item_take(world, b);
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, a);
    item_complete(world, b, &grant.token);
    struct hf_turn_grant turn;
    assert_false(turn_fetch(world, b, &turn));
    plan_commit(plan);
    assert_true(turn_fetch(world, b, &turn));
    assert_int_equal(inbox_count(world, instance), 1);
}

/* Each of two turns removes what its own view showed, and nothing else. */
static void store_lock_8_each_turn_removes_its_own_messages(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = instance_start(world, "one");
    instance_message(world, "one", "first");
    struct plan *plan = scene_turn(world, registration);
    instance_message(world, "one", "second");
    plan_commit(plan);
    plan = scene_turn(world, registration);
    instance_message(world, "one", "third");
    plan_commit(plan);
    struct hf_turn_view view = turn_view(world, instance, 1);
    assert_int_equal(view.messages_count, 1);
    assert_true(hf_slice_equal(view.messages[0].body, hf_text("third")));
    assert_int_equal(view.events_count, 3);
    assert_true(hf_slice_equal(view.events[2].body, hf_text("second")));
}

/* Turns come oldest first, and as many as are asked for. */
static void test_turns_come_oldest_first(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    const char *ids[] = { "one", "two", "three" };
    for (size_t i = 0; i < 3; i++) instance_of_version(world, registration, ids[i], 3 - i);
    size_t count;
    struct hf_store_command fetch = fetch_turns_command(world, registration);
    fetch.fetch_turns.engine_version_max = 3;
    fetch.fetch_turns.turns_max = 2;
    struct hf_turn_grant *grants = turns_fetch(world, &fetch, &count);
    assert_int_equal(count, 2);
    assert_int_equal(grants[0].token.instance, 1);
    assert_int_equal(grants[0].engine_version, 3);
    assert_int_equal(grants[1].token.instance, 2);
    assert_true(hf_slice_equal(grants[1].orchestration, hf_text("demo")));
    grants = turns_fetch(world, &fetch, &count);
    assert_int_equal(count, 1);
    assert_int_equal(grants[0].token.instance, 3);
}

/* ---- leases ---------------------------------------------------------------------------------- */

/* A turn whose holder does not renew can be taken when the deadline for items has passed; until
 * then by nobody. The old token is refused once it was taken. */
static void store_expiry_1_passed_lock_can_be_taken(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    struct hf_turn_grant taken;
    world->boot_ms += WORLD_ITEMS_MS - 1;
    worker_renew(world, b);
    assert_false(world_peek(world, b).out_turns_due);
    assert_false(turn_fetch(world, b, &taken));
    world->boot_ms += 1;
    assert_true(world_peek(world, b).out_turns_due);
    assert_true(turn_fetch(world, b, &taken));
    assert_int_equal(taken.attempt, 1);
    struct hf_store_command commit = plan_command(plan);
    assert_refused(world, &commit, HF_STALE, "superseded");
    plan_commit(plan_new(world, b, &taken));
}

/* Whoever asks, and whenever: before the deadline nobody, behind it exactly one. */
static void store_expiry_4_all_who_ask_honour_the_deadline(void **state)
{
    enum { WORKERS = 4 };
    static const char *const ids[WORKERS] = { "b", "c", "d", "e" };
    struct world *world = *state;
    struct hf_store_command fetches[WORKERS], *group[WORKERS];
    uint64_t a = worker_register(world, "a"), registrations[WORKERS];
    size_t granted = 0;
    for (size_t i = 0; i < WORKERS; i++) registrations[i] = worker_register(world, ids[i]);
    instance_start(world, "one");
    turn_take(world, a);
    for (uint64_t passed_ms = WORLD_ITEMS_MS - 1; granted == 0; passed_ms = 1) {
        world->boot_ms += passed_ms;
        for (size_t i = 0; i < WORKERS; i++) {
            worker_renew(world, registrations[i]);
            fetches[i] = fetch_turns_command(world, registrations[i]);
            group[i] = &fetches[i];
        }
        world_group(world, group, WORKERS);
        for (size_t i = 0; i < WORKERS; i++) granted += fetches[i].fetch_turns.out_turns_count;
        assert_int_equal(granted, passed_ms == 1);
    }
}

/* A turn handed back is due at once. */
static void store_expiry_2_abandon_releases_the_lock_at_once(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    struct hf_turn_grant grant = turn_take(world, a);
    struct hf_store_command back = abandon_turn_command(a, &grant.token);
    assert_ok(world_run(world, &back), &world->error);
    assert_int_equal(world->effects & HF_EFFECT_TURNS_DUE, HF_EFFECT_TURNS_DUE);
    assert_refused(world, &back, HF_STALE, "superseded");
    assert_true(turn_fetch(world, b, &grant));
}

/* A turn handed back with a delay waits for the boot clock, and is then anybody's. */
static void trap_b3_abandon_with_delay_holds_the_turn_back(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t instance = instance_start(world, "one");
    struct hf_turn_grant grant = turn_take(world, a);
    struct hf_store_command back = abandon_turn_command(a, &grant.token);
    back.abandon_turn.delay_ms = 500;
    assert_ok(world_run(world, &back), &world->error);
    world->boot_ms += 499;
    instance_message(world, "one", "does not shorten the wait");
    assert_false(world_peek(world, a).out_turns_due);
    assert_false(turn_fetch(world, a, &grant));
    assert_refused(world, &back, HF_STALE, "superseded");
    world->boot_ms += 1;
    assert_true(world_peek(world, a).out_turns_due);
    assert_true(turn_fetch(world, a, &grant));
    assert_int_equal(grant.token.instance, instance);
    plan_commit(plan_new(world, a, &grant));
}

/* The clock of another boot begins anew, so a wait that it cannot count is over: else it would last
 * as long as the former boot did. A wait of the same boot lasts over a reopening. */
static void test_turn_held_back_does_not_wait_for_the_clock_of_a_former_boot(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t instance = instance_start(world, "one");
    struct hf_turn_grant grant = turn_take(world, a);
    struct hf_store_command back = abandon_turn_command(a, &grant.token);
    back.abandon_turn.delay_ms = 500;
    assert_ok(world_run(world, &back), &world->error);
    world_reopen(world, NULL);
    assert_false(world_peek(world, a).out_turns_due);
    assert_false(turn_fetch(world, a, &grant));
    world->boot_ms = 1000;
    world_reopen(world, "boot-2");
    uint64_t b = worker_register(world, "b");
    assert_true(world_peek(world, b).out_turns_due);
    assert_int_equal(turn_take(world, b).token.instance, instance);
}

/* One that is held back in this boot does not hide one of a former boot, nor the other way round,
 * whatever the two are called. */
static void test_turns_held_back_in_two_boots_do_not_hide_each_other(void **state)
{
    static const char *const boots[] = { "boot-2", "boot-3", "boot-4", "boot-5", "boot-6" };
    struct world *world = *state;
    for (size_t i = 0; i < HF_COUNT_OF(boots); i++) {
        struct hf_turn_grant first, second, taken;
        uint64_t worker = worker_register(world, boots[i]);
        uint64_t instance = instance_start(world, boots[i]);
        first = turn_take(world, worker);
        instance_start(world, "other");
        second = turn_take(world, worker);
        struct hf_store_command back = abandon_turn_command(worker, &first.token);
        back.abandon_turn.delay_ms = UINT64_MAX;
        assert_ok(world_run(world, &back), &world->error);
        world->boot_ms = 1000 + i;
        world_reopen(world, boots[i]);
        back.abandon_turn.token = second.token;
        assert_ok(world_run(world, &back), &world->error);
        taken = turn_take(world, worker);
        assert_int_equal(taken.token.instance, instance);
        assert_false(turn_fetch(world, worker, &second));
        story_delete(world, boots[i]);
        story_delete(world, "other");
    }
}

/* The token decides, not the clock: a commit after the deadline lands while nobody took the turn,
 * also when the lock was freed for others meanwhile; once it was taken, it is refused. */
static void store_error_5_late_commit_lands_unless_the_turn_was_taken(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_of_version(world, a, "one", 5);
    struct hf_store_command fetch = fetch_turns_command(world, a);
    fetch.fetch_turns.engine_version_min = fetch.fetch_turns.engine_version_max = 5;
    size_t count;
    struct hf_turn_grant *grants = turns_fetch(world, &fetch, &count);
    assert_int_equal(count, 1);
    world->boot_ms += WORLD_ITEMS_MS + 1;
    struct hf_turn_grant none;
    assert_false(turn_fetch(world, b, &none)); /* of another version: it only frees the lock */
    plan_commit(plan_new(world, a, &grants[0]));

    worker_renew(world, a);
    instance_message(world, "one", "go on");
    struct plan *late = scene_turn(world, a);
    world->boot_ms += WORLD_ITEMS_MS + 1;
    worker_renew(world, b);
    struct plan *taken = scene_turn(world, b);
    struct hf_store_command commit = plan_command(late);
    assert_refused(world, &commit, HF_STALE, "superseded");
    plan_commit(taken);
}

/* A renewal after the deadline revives what nobody has taken. */
static void store_expiry_13_renewal_after_the_deadline_keeps_the_turn(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, a);
    world->boot_ms += WORLD_ITEMS_MS * 2;
    worker_renew(world, a);
    struct hf_turn_grant none;
    assert_false(turn_fetch(world, b, &none));
    plan_commit(plan);
}

/* A registration that may not act gets no turn and hands none back. */
static void test_ended_registration_gets_no_turn(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    instance_start(world, "one");
    struct hf_turn_grant grant = turn_take(world, a);
    assert_ok(worker_end(world, a, HF_REASON_SHUTDOWN), &world->error);
    struct hf_store_command fetch = fetch_turns_command(world, a);
    assert_refused(world, &fetch, HF_STALE, "registration_dead");
    struct hf_store_command back = abandon_turn_command(a, &grant.token);
    assert_refused(world, &back, HF_STALE, "registration_dead");
    assert_false(world_peek(world, a).out_turns_due);
}

/* ---- attempts -------------------------------------------------------------------------------- */

/* Hands the turn back and takes it again; returns the attempt it then has. */
static uint64_t attempt_after(struct world *world, uint64_t registration, bool counted)
{
    struct hf_turn_grant grant = turn_take(world, registration);
    struct hf_store_command back = abandon_turn_command(registration, &grant.token);
    back.abandon_turn.counted = counted;
    back.abandon_turn.reason = HF_REASON_ABANDONED;
    assert_ok(world_run(world, &back), &world->error);
    assert_int_equal(back.lsn != 0, counted);
    grant = turn_take(world, registration);
    back = abandon_turn_command(registration, &grant.token);
    assert_ok(world_run(world, &back), &world->error);
    return grant.attempt;
}

static void store_poison_1_first_turn_is_attempt_1(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    assert_int_equal(turn_take(world, registration).attempt, 1);
}

/* A turn that is handed back for our own reasons does not count. */
static void store_poison_7_uncounted_turn_adds_none(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    assert_int_equal(attempt_after(world, registration, true), 2);
    assert_int_equal(attempt_after(world, registration, false), 2);
    assert_int_equal(attempt_after(world, registration, true), 3);
}

static void store_poison_8_uncounted_first_turn_is_attempt_1_again(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    assert_int_equal(attempt_after(world, registration, false), 1);
}

/* A committed turn begins anew, a message does not. */
static void store_poison_9_committed_turn_begins_anew_and_a_message_does_not(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    assert_int_equal(attempt_after(world, registration, true), 2);
    instance_message(world, "one", "does not count");
    assert_int_equal(attempt_after(world, registration, false), 2);
    plan_commit(scene_turn(world, registration));
    instance_message(world, "one", "go on");
    assert_int_equal(attempt_after(world, registration, false), 1);
}

static struct hf_store_command fail_command(uint64_t registration,
                                            const struct hf_turn_grant *grant)
{
    struct hf_store_command command = { .kind = HF_STORE_FAIL_TURN };
    command.fail_turn = (struct hf_store_fail_turn){ .token = grant->token,
                                                     .registration = registration,
                                                     .attempts = 3,
                                                     .body = hf_text("poisoned") };
    return command;
}

/* An instance whose first turn is given up is there, failed, with its start and its end. */
static void trap_c2_poison_before_the_first_turn_leaves_a_failed_instance(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct hf_turn_grant grant = turn_take(world, registration);
    struct hf_store_command fail = fail_command(registration, &grant);
    assert_ok(world_run(world, &fail), &world->error);
    struct hf_instance_info info = instance_info(world, "one");
    assert_int_equal(info.status, HF_INSTANCE_FAILED);
    assert_int_equal(info.events_count, 2);
    assert_true(hf_slice_equal(info.output_body, hf_text("poisoned")));
    assert_false(turn_fetch(world, registration, &grant));
}

/* What a poisoned instance had goes as with any failure: items, timers, sessions and messages; what
 * runs is void, and a worker is told. */
static void trap_c4_poison_cleans_up(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    uint64_t instance = scene_session(world, registration, "one", 2);
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, registration);
    plan_timer(plan, world->wall_ms);
    plan_item(plan, 0, "");
    plan_commit(plan);
    instance_message(world, "one", "the last");
    struct hf_item_grant running = item_take(world, registration);
    struct hf_turn_grant grant = turn_take(world, registration);
    struct hf_store_command fail = fail_command(registration, &grant);
    assert_ok(world_run(world, &fail), &world->error);
    assert_int_equal(world->effects & (HF_EFFECT_ENDED | HF_EFFECT_VOIDED),
                     HF_EFFECT_ENDED | HF_EFFECT_VOIDED);
    assert_false(session_find(world, instance, 1, NULL));
    assert_int_equal(inbox_count(world, instance), 0);
    assert_int_equal(timers_fire(world), 0);
    assert_no_item(world, registration);
    struct hf_store_command late = complete_command(registration, &running.token);
    assert_refused(world, &late, HF_STALE, "instance_ended");
}

/* What comes to an instance that has ended changes nothing: not what was counted of its work, nor
 * its history. */
static void trap_c3_late_message_changes_nothing(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    scene_items(world, a, "one", 1);
    item_take(world, a);
    world->boot_ms += WORLD_ITEMS_MS;
    struct hf_item_grant second = item_take(world, b);
    assert_int_equal(second.attempt, 2);
    instance_message(world, "one", "go on");
    struct plan *plan = scene_turn(world, b);
    plan_cancel(plan, second.token.item.event_id);
    plan_end(plan, HF_OUTCOME_COMPLETED);
    plan_commit(plan);
    struct hf_store_command late = complete_command(b, &second.token);
    assert_refused(world, &late, HF_STALE, "instance_ended");
    late = abandon_command(b, &second.token);
    assert_refused(world, &late, HF_STALE, "instance_ended");
    late = message_command("one", "late");
    assert_refused(world, &late, HF_NOT_FOUND, "");
    assert_int_equal(instance_info(world, "one").status, HF_INSTANCE_COMPLETED);
}

/* Bytes that are no event, nor text, go through a store as they came: it reads envelopes alone. */
static void store_error_4_bodies_are_opaque(void **state)
{
    static const hf_slice bytes = HF_SLICE("\xc1\x00\xff no event");
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    struct hf_store_command start = start_command("one");
    start.start.body = bytes;
    assert_ok(world_run(world, &start), &world->error);
    struct hf_store_command message = message_command("one", "");
    message.message.body = bytes;
    assert_ok(world_run(world, &message), &world->error);
    struct plan *plan = scene_turn(world, registration);
    plan_item(plan, 0, "");
    plan->events[plan->record.events.count - 1].body = bytes;
    plan_commit(plan);
    assert_true(hf_slice_equal(item_take(world, registration).body, bytes));
    struct hf_turn_view view = turn_view(world, start.start.out_instance, 1);
    assert_int_equal(view.events_count, 3);
    for (size_t i = 0; i < 3; i++) assert_true(hf_slice_equal(view.events[i].body, bytes));
}

/* A lock that merely ran out blames nobody; a process that died in the turn does; and what one
 * instance lost is not another's. */
static void store_poison_2_only_deaths_and_failures_count(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_start(world, "one");
    turn_take(world, a);
    world->boot_ms += WORLD_ITEMS_MS;
    struct hf_turn_grant grant = turn_take(world, b);
    assert_int_equal(grant.attempt, 1);
    worker_renew(world, b);
    world_kill(world, "b");
    assert_ok(worker_end(world, b, HF_REASON_DEAD), &world->error);
    grant = turn_take(world, a);
    assert_int_equal(grant.attempt, 2);
    instance_start(world, "two");
    grant = turn_take(world, a);
    assert_int_equal(grant.attempt, 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_atomicity_2_commit_lands_whole),
        CASE(store_atomicity_1_refused_commit_writes_nothing),
        CASE(test_turns_that_do_not_fit_are_refused),
        CASE(store_error_2_duplicate_event_id_is_refused),
        CASE(test_malformed_turns_are_refused),
        CASE(store_atomicity_3_lock_goes_with_a_good_commit_alone),
        CASE(store_atomicity_4_one_of_two_commits_with_one_token_lands),
        CASE(store_lock_1_locked_turn_is_nobody_elses),
        CASE(store_lock_6_other_instances_are_not_held_up),
        CASE(store_lock_2_each_fetch_has_a_new_token),
        CASE(store_lock_3_wrong_tokens_are_refused),
        CASE(store_lock_7_messages_during_a_turn_stay_for_the_next),
        CASE(store_lock_5_completion_during_a_turn_is_not_offered_to_others),
        CASE(store_lock_8_each_turn_removes_its_own_messages),
        CASE(test_turns_come_oldest_first),
        CASE(store_expiry_1_passed_lock_can_be_taken),
        CASE(store_expiry_4_all_who_ask_honour_the_deadline),
        CASE(store_expiry_2_abandon_releases_the_lock_at_once),
        CASE(trap_b3_abandon_with_delay_holds_the_turn_back),
        CASE(test_turn_held_back_does_not_wait_for_the_clock_of_a_former_boot),
        CASE(test_turns_held_back_in_two_boots_do_not_hide_each_other),
        CASE(store_error_5_late_commit_lands_unless_the_turn_was_taken),
        CASE(store_expiry_13_renewal_after_the_deadline_keeps_the_turn),
        CASE(test_ended_registration_gets_no_turn),
        CASE(store_poison_1_first_turn_is_attempt_1),
        CASE(store_poison_7_uncounted_turn_adds_none),
        CASE(store_poison_8_uncounted_first_turn_is_attempt_1_again),
        CASE(store_poison_9_committed_turn_begins_anew_and_a_message_does_not),
        CASE(trap_c2_poison_before_the_first_turn_leaves_a_failed_instance),
        CASE(trap_c4_poison_cleans_up),
        CASE(trap_c3_late_message_changes_nothing),
        CASE(store_error_4_bodies_are_opaque),
        CASE(store_poison_2_only_deaths_and_failures_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
