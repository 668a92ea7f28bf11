/* Turns: who gets them, what their tokens are worth, how attempts are counted, and that a commit
 * lands whole or not at all. */
#include "tests/conformance/world.h"

static struct hf_turn_grant *turns_fetch(struct world *world, struct hf_store_command *command,
                                         size_t *out_count)
{
    assert_ok(world_run(world, command), &world->error);
    *out_count = command->fetch_turns.out_turns_count;
    return command->fetch_turns.out_turns;
}

/* How many turns a registration is offered for a range of engine versions, and then hands back. */
static size_t offered_count(struct world *world, uint64_t registration, uint64_t min, uint64_t max)
{
    size_t count;
    struct hf_store_command fetch = fetch_turns_command(world, registration);
    fetch.fetch_turns.engine_version_min = min;
    fetch.fetch_turns.engine_version_max = max;
    fetch.fetch_turns.turns_max = 100;
    struct hf_turn_grant *grants = turns_fetch(world, &fetch, &count);
    for (size_t i = 0; i < count; i++) {
        struct hf_store_command back = abandon_turn_command(registration, &grants[i].token);
        assert_ok(world_run(world, &back), &world->error);
    }
    return count;
}

/* An instance whose turn of that engine version is due. */
static void instance_of_version(struct world *world, uint64_t registration, const char *id,
                                uint64_t version)
{
    instance_start(world, id);
    struct plan *plan = scene_turn(world, registration);
    plan->record.engine_version = version;
    plan_commit(plan);
    instance_message(world, id, "go on");
}

/* ---- commit: whole or not at all ------------------------------------------------------------- */

/* A turn brings history, items, timers, sessions and status in one step. */
static void test_commit_lands_whole(void **state)
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
static void test_refused_commit_writes_nothing_and_keeps_the_lock(void **state)
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
static void test_duplicate_event_id_is_refused(void **state)
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

/* Of two commits with one token the first lands and the second is fenced. */
static void test_second_commit_with_one_token_is_refused(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan_event(plan, "step");
    plan_commit(plan);
    struct hf_store_command again = plan_command(plan);
    assert_refused(world, &again, HF_STALE, "superseded");
}

/* ---- locks ----------------------------------------------------------------------------------- */

/* A locked turn is nobody else's; other instances are not held up by it. */
static void trap_b1_lock_is_exclusive_and_of_one_instance(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    uint64_t one = instance_start(world, "one");
    uint64_t two = instance_start(world, "two");
    struct hf_turn_grant first = turn_take(world, a);
    struct hf_turn_grant second = turn_take(world, b);
    struct hf_turn_grant none;
    assert_int_equal(first.token.instance, one);
    assert_int_equal(second.token.instance, two);
    assert_false(turn_fetch(world, a, &none));
    assert_false(turn_fetch(world, b, &none));
    assert_false(world_peek(world, a).out_turns_due);
}

/* The same turn never has the same token twice. */
static void trap_b1_each_fetch_has_a_new_token(void **state)
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
static void test_wrong_tokens_are_refused(void **state)
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
static void trap_b2_messages_during_a_turn_stay_for_the_next(void **state)
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
static void row_4a_5_passed_lock_can_be_taken(void **state)
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

/* A turn handed back is due at once. */
static void trap_b15_abandon_releases_the_lock_at_once(void **state)
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

/* The token decides, not the clock: a commit after the deadline lands while nobody took the turn,
 * also when the lock was freed for others meanwhile. */
static void test_late_commit_lands_while_nobody_took_the_turn(void **state)
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
}

/* A renewal after the deadline revives what nobody has taken. */
static void test_renewal_after_the_deadline_keeps_the_turn(void **state)
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

/* ---- versions -------------------------------------------------------------------------------- */

/* A range gives what stands in it, ends included, and nothing beyond. */
static void row_4b_7_range_is_inclusive(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "one", 5);
    assert_int_equal(offered_count(world, registration, 5, 5), 1);
    assert_int_equal(offered_count(world, registration, 1, 5), 1);
    assert_int_equal(offered_count(world, registration, 5, 9), 1);
    assert_int_equal(offered_count(world, registration, 0, UINT64_MAX), 1);
    assert_int_equal(offered_count(world, registration, 6, 9), 0);
    assert_int_equal(offered_count(world, registration, 1, 4), 0);
    instance_start(world, "of no version");
    assert_int_equal(offered_count(world, registration, 6, 9), 1);
    assert_int_equal(offered_count(world, registration, 1, 5), 2);
}

/* What is skipped is neither locked nor in the way. */
static void trap_a18_skipped_turns_are_neither_locked_nor_counted(void **state)
{
    struct world *world = *state;
    uint64_t a = worker_register(world, "a");
    uint64_t b = worker_register(world, "b");
    instance_of_version(world, a, "new", 2);
    instance_of_version(world, a, "old", 1);
    struct hf_store_command ahead = fetch_turns_command(world, a);
    ahead.fetch_turns.engine_version_max = 2;
    size_t count;
    struct hf_turn_grant *of_new = turns_fetch(world, &ahead, &count);
    struct plan *plan = plan_new(world, a, &of_new[0]);
    plan->record.engine_version = 2;
    plan_commit(plan);
    instance_message(world, "new", "behind that of the old");
    struct hf_store_command fetch = fetch_turns_command(world, a);
    fetch.fetch_turns.engine_version_min = fetch.fetch_turns.engine_version_max = 2;
    struct hf_turn_grant *grants = turns_fetch(world, &fetch, &count);
    assert_int_equal(count, 1);
    assert_int_equal(grants[0].token.instance, 1);
    struct hf_turn_grant old = turn_take(world, b);
    assert_int_equal(old.token.instance, 2);
    assert_int_equal(old.attempt, 1);
}

/* An empty range matches nothing, not even instances without a version. */
static void test_empty_range_matches_nothing(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "of no version");
    assert_int_equal(offered_count(world, registration, 3, 2), 0);
    assert_int_equal(offered_count(world, registration, UINT64_MAX, UINT64_MAX), 0);
}

/* A version is stored by the commit that names one, and kept by those that name none. */
static void test_commit_stores_the_version(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_of_version(world, registration, "one", 1);
    struct plan *plan = scene_turn(world, registration);
    plan->record.engine_version = 0;
    plan_commit(plan);
    assert_int_equal(instance_info(world, "one").engine_version, 1);
    instance_message(world, "one", "go on");
    plan = scene_turn(world, registration);
    plan->record.engine_version = 4;
    plan_commit(plan);
    instance_message(world, "one", "go on");
    assert_int_equal(offered_count(world, registration, 1, 1), 0);
    assert_int_equal(offered_count(world, registration, 4, 4), 1);
}

/* The execution that continues has the version of the turn that began it. */
static void test_continued_execution_has_its_own_version(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    struct plan *plan = scene_turn(world, registration);
    plan->record.engine_version = 6;
    plan_end(plan, HF_OUTCOME_CONTINUED);
    plan_commit(plan);
    assert_int_equal(world->effects & HF_EFFECT_TURNS_DUE, HF_EFFECT_TURNS_DUE);
    assert_int_equal(offered_count(world, registration, 1, 1), 0);
    assert_int_equal(offered_count(world, registration, 6, 6), 1);
    assert_int_equal(instance_info(world, "one").execution, 2);
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

/* The first attempt is 1; a turn handed back as failed counts, one handed back for our own reasons
 * does not; a committed turn begins anew, a message does not. */
static void test_attempts_of_turns(void **state)
{
    struct world *world = *state;
    uint64_t registration = worker_register(world, "a");
    instance_start(world, "one");
    assert_int_equal(attempt_after(world, registration, false), 1);
    assert_int_equal(attempt_after(world, registration, true), 2);
    assert_int_equal(attempt_after(world, registration, false), 2);
    instance_message(world, "one", "does not count");
    assert_int_equal(attempt_after(world, registration, true), 3);
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
static void trap_b18_bodies_are_opaque(void **state)
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
static void test_only_deaths_count(void **state)
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
        CASE(test_commit_lands_whole),
        CASE(test_refused_commit_writes_nothing_and_keeps_the_lock),
        CASE(test_turns_that_do_not_fit_are_refused),
        CASE(test_duplicate_event_id_is_refused),
        CASE(test_malformed_turns_are_refused),
        CASE(test_second_commit_with_one_token_is_refused),
        CASE(trap_b1_lock_is_exclusive_and_of_one_instance),
        CASE(trap_b1_each_fetch_has_a_new_token),
        CASE(test_wrong_tokens_are_refused),
        CASE(trap_b2_messages_during_a_turn_stay_for_the_next),
        CASE(test_turns_come_oldest_first),
        CASE(row_4a_5_passed_lock_can_be_taken),
        CASE(trap_b15_abandon_releases_the_lock_at_once),
        CASE(trap_b3_abandon_with_delay_holds_the_turn_back),
        CASE(test_late_commit_lands_while_nobody_took_the_turn),
        CASE(test_renewal_after_the_deadline_keeps_the_turn),
        CASE(test_ended_registration_gets_no_turn),
        CASE(row_4b_7_range_is_inclusive),
        CASE(trap_a18_skipped_turns_are_neither_locked_nor_counted),
        CASE(test_empty_range_matches_nothing),
        CASE(test_commit_stores_the_version),
        CASE(test_continued_execution_has_its_own_version),
        CASE(test_attempts_of_turns),
        CASE(trap_c2_poison_before_the_first_turn_leaves_a_failed_instance),
        CASE(trap_c4_poison_cleans_up),
        CASE(trap_c3_late_message_changes_nothing),
        CASE(trap_b18_bodies_are_opaque),
        CASE(test_only_deaths_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
