/* The fold of sessions and deliveries: open, claim, release, takeover, close, delayed and stolen
 * items. */
#include "tests/unit/indexes/world.h"

#include <string.h>

/* A world in which instance 1 has session 1 open with `items_count` items, their event ids from 3
 * on. */
static void open_session(struct world *world, size_t items_count)
{
    world_init(world);
    world_start(world, 1, "talk");
    struct world_turn turn = turn_begin(world);
    turn_open(&turn, 1, "chat");
    for (size_t i = 0; i < items_count; i++) turn_item(&turn, 1, "");
    world_turn(world, &turn);
}

/* The first session that a place finds; incarnation 0: none. */
static struct hf_session_id ready_session(struct world *world, uint64_t owner,
                                          uint64_t session_class)
{
    struct hf_session_ready_place place = { .owner = owner, .session_class = session_class };
    struct hf_session_id id = { 0, 0 };
    world_begin(world);
    hf_status status = hf_sessions_ready_next(&world->tables, &place, &id, &world->error);
    assert_true(status == HF_OK || status == HF_NOT_FOUND);
    world_end(world);
    return id;
}

/* An opened session is unclaimed and stands ready under its oldest item; ordinary queues do not
 * know its items. */
static void test_opened_session_stands_ready(void **state)
{
    (void)state;
    struct world world;
    open_session(&world, 2);
    struct hf_row_session row = world_session(&world, 1);
    assert_int_equal(row.owner, 0);
    assert_int_equal(row.ready_count, 2);
    assert_int_equal(row.head.number, 1);
    assert_int_equal(ready_session(&world, 0, HF_SESSION_CLASS_OTHER).incarnation, 1);
    assert_int_equal(ready_session(&world, 0, HF_SESSION_CLASS_ORPHANED).incarnation, 0);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_READY), 0);
    world_release(&world);
}

/* The claim sets owner and epoch; the second item of the session is found under its owner;
 * completions empty it. */
static void test_claim_gives_session_to_its_owner(void **state)
{
    (void)state;
    struct world world;
    open_session(&world, 2);
    uint64_t registration = world_register(&world, "worker");
    uint64_t claim = world_deliver(&world, registration, 3, 1);
    struct hf_row_session row = world_session(&world, 1);
    assert_int_equal(row.owner, registration);
    assert_int_equal(row.epoch, claim);
    assert_int_equal(row.ready_count, 1);
    assert_int_equal(row.running_count, 1);
    assert_int_equal(row.head.number, 2);
    assert_int_equal(world_registration(&world, registration).sessions_count, 1);
    assert_int_equal(ready_session(&world, 0, HF_SESSION_CLASS_OTHER).incarnation, 0);
    assert_int_equal(ready_session(&world, registration, HF_SESSION_CLASS_OTHER).incarnation, 1);
    uint64_t second = world_deliver(&world, registration, 4, 0);
    assert_int_equal(world_session(&world, 1).epoch, claim);
    assert_int_equal(world_count(&world, HF_TABLE_SESSIONS_READY), 0);
    world_complete(&world, registration, 3, claim);
    world_complete(&world, registration, 4, second);
    assert_int_equal(world_session(&world, 1).running_count, 0);
    assert_int_equal(world_count(&world, HF_TABLE_SESSION_ITEMS), 0);
    world_release(&world);
}

/* A delivery from a session that the registration does not own is refused, and so is one to a
 * registration that is none. */
static void test_delivery_without_claim_is_corrupt(void **state)
{
    (void)state;
    struct world world;
    open_session(&world, 1);
    uint64_t registration = world_register(&world, "worker");
    struct hf_delivered_item item = { .item = { 1, 1, 3 } };
    struct hf_delivered body = { .registration = registration, .items = { &item, 1 } };
    world_reason(&world, &body);
    world_refuse(&world, HF_RECORD_DELIVERED, &body);
    assert_non_null(strstr(world.error.message, "own"));
    body.registration = 77;
    world_refuse(&world, HF_RECORD_DELIVERED, &body);
    struct hf_claimed_session claim = { .instance = 1, .incarnation = 9 };
    body = (struct hf_delivered){ registration, { NULL, 0 }, { &claim, 1 } };
    world_refuse(&world, HF_RECORD_DELIVERED, &body);
    claim.incarnation = UINT64_MAX;
    world_refuse(&world, HF_RECORD_DELIVERED, &body);
    struct hf_registered again = { .worker_id = HF_SLICE("worker"), .life = HF_SLICE("l") };
    world_refuse(&world, HF_RECORD_REGISTERED, &again);
    world_release(&world);
}

/* A released session is claimable at once, behind orphaned ones; work in it, another epoch or
 * another owner forbid the release. */
static void test_release_makes_session_claimable(void **state)
{
    (void)state;
    struct world world;
    open_session(&world, 2);
    uint64_t registration = world_register(&world, "worker");
    uint64_t claim = world_deliver(&world, registration, 3, 1);
    struct hf_released_session released = { 1, 1, claim };
    struct hf_sessions_released body = { registration, HF_REASON_RELEASED, { &released, 1 } };
    world_refuse(&world, HF_RECORD_SESSIONS_RELEASED, &body);
    assert_non_null(strstr(world.error.message, "runs"));
    world_complete(&world, registration, 3, claim);
    released.epoch = claim + 1;
    world_refuse(&world, HF_RECORD_SESSIONS_RELEASED, &body);
    released.epoch = claim;
    world_fold(&world, HF_RECORD_SESSIONS_RELEASED, &body);
    assert_int_equal(world.effects, HF_EFFECT_ITEMS_READY);
    assert_int_equal(ready_session(&world, 0, HF_SESSION_CLASS_OTHER).incarnation, 1);
    assert_int_equal(world_registration(&world, registration).sessions_count, 0);
    world_refuse(&world, HF_RECORD_SESSIONS_RELEASED, &body);
    claim = world_deliver(&world, registration, 4, 1);
    world_complete(&world, registration, 4, claim);
    released.epoch = claim;
    body.reason = HF_REASON_SHUTDOWN;
    world_fold(&world, HF_RECORD_SESSIONS_RELEASED, &body);
    assert_int_equal(world_session(&world, 1).unowned_reason, HF_REASON_SHUTDOWN);
    world_release(&world);
}

/* A dead owner's session is orphaned with what ran in it at its old place; another claims it, and
 * the dead one's row is gone. */
static void test_takeover_after_death(void **state)
{
    (void)state;
    struct world world;
    open_session(&world, 2);
    uint64_t dead = world_register(&world, "first");
    uint64_t claim = world_deliver(&world, dead, 3, 1);
    uint64_t other = world_register(&world, "second");
    world_end_registration(&world, dead, HF_REASON_DEAD);
    assert_true(world.effects & HF_EFFECT_REGISTRATIONS);
    assert_true(world.effects & HF_EFFECT_ITEMS_READY);
    struct hf_row_session row = world_session(&world, 1);
    assert_int_equal(row.owner, 0);
    assert_int_equal(row.unowned_reason, HF_REASON_DEAD);
    assert_int_equal(row.ready_count, 2);
    assert_int_equal(row.head.number, 1);
    assert_int_equal(world_item(&world, 3).attempts, 1);
    assert_int_equal(ready_session(&world, 0, HF_SESSION_CLASS_ORPHANED).incarnation, 1);
    assert_int_equal(world_count(&world, HF_TABLE_REGISTRATIONS), 2);
    struct hf_completed late = { { 1, 1, 3 }, claim, 1, dead, hf_text("late"), 0 };
    world_refuse(&world, HF_RECORD_COMPLETED, &late);
    uint64_t taken = world_deliver(&world, other, 3, 1);
    row = world_session(&world, 1);
    assert_int_equal(row.owner, other);
    assert_int_equal(row.epoch, taken);
    assert_int_equal(row.unowned_reason, 0);
    assert_int_equal(world_item(&world, 3).attempts, 2);
    world_refuse(&world, HF_RECORD_REGISTRATION_ENDED,
                 &(struct hf_registration_ended){ dead, HF_REASON_DEAD, 0 });
    world_release(&world);
}

/* A claim from a living owner whose deadline passed puts all that ran there back first: nothing
 * runs outside its session. */
static void test_takeover_from_the_living_requeues_what_ran(void **state)
{
    (void)state;
    struct world world;
    open_session(&world, 2);
    uint64_t slow = world_register(&world, "slow");
    world_deliver(&world, slow, 3, 1);
    world_deliver(&world, slow, 4, 0);
    uint64_t other = world_register(&world, "other");
    world_deliver(&world, other, 3, 1);
    assert_true(world.effects & HF_EFFECT_VOIDED);
    assert_int_equal(world_item(&world, 3).registration, other);
    assert_int_equal(world_item(&world, 4).state, HF_ITEM_READY);
    assert_int_equal(world_session(&world, 1).running_count, 1);
    assert_int_equal(world_registration(&world, slow).sessions_count, 0);
    assert_int_equal(world_registration(&world, other).sessions_count, 1);
    world_release(&world);
}

/* Closing purges what is queued, running and delayed, the owner's row, and voids what runs. */
static void test_close_purges_queued_running_and_delayed(void **state)
{
    (void)state;
    struct world world;
    open_session(&world, 3);
    uint64_t registration = world_register(&world, "worker");
    uint64_t claim = world_deliver(&world, registration, 3, 1);
    struct hf_abandoned back = {
        { 1, 1, 3 }, claim, 1, registration, HF_REASON_ABANDONED, 0, 9000
    };
    world_fold(&world, HF_RECORD_ABANDONED, &back);
    assert_int_equal(world_session(&world, 1).delayed_count, 1);
    world_deliver(&world, registration, 4, 0);
    struct world_turn turn = turn_begin(&world);
    turn_close(&turn, 1);
    world_turn(&world, &turn);
    assert_true(world.effects & HF_EFFECT_VOIDED);
    assert_int_equal(world_count(&world, HF_TABLE_SESSIONS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_SESSIONS_OWNED), 0);
    assert_int_equal(world_count(&world, HF_TABLE_SESSIONS_READY), 0);
    assert_int_equal(world_count(&world, HF_TABLE_SESSION_ITEMS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_RUNNING), 0);
    assert_int_equal(world_count(&world, HF_TABLE_TIMERS), 0);
    assert_int_equal(world_count(&world, HF_TABLE_RECLAIM), 0);
    assert_int_equal(world_registration(&world, registration).sessions_count, 0);
    world_release(&world);
}

/* open X, close X, open X, close X, open X, schedule on X in one turn: X is open once, with that
 * one item. */
static void test_open_and_close_in_one_turn_leaves_the_last(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "X");
    turn_item(&turn, 1, "");
    turn_close(&turn, 1);
    turn_open(&turn, 2, "X");
    turn_close(&turn, 2);
    turn_open(&turn, 3, "X");
    uint64_t event_id = turn_item(&turn, 3, "");
    turn_close(&turn, 9);
    world_turn(&world, &turn);
    assert_int_equal(world_count(&world, HF_TABLE_SESSIONS), 1);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS), 1);
    assert_int_equal(world_item(&world, event_id).incarnation, 3);
    assert_int_equal(world_session(&world, 3).ready_count, 1);
    turn = turn_begin(&world);
    turn_item(&turn, 1, "");
    world_turn(&world, &turn);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS), 1);
    turn = turn_begin(&world);
    turn_open(&turn, 3, "X");
    turn_finish(&turn);
    world_refuse(&world, HF_RECORD_TURN_COMMITTED, &turn.body);
    world_release(&world);
}

/* Work of a session has the session's tag; ordinary work its own; a tag keeps its number. */
static void test_session_items_have_the_sessions_tag(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    turn_open(&turn, 1, "chat");
    turn.opened[0].tag = hf_text("gpu");
    uint64_t in_session = turn_item(&turn, 1, "");
    uint64_t ordinary = turn_item(&turn, 0, "disk");
    uint64_t second = turn_item(&turn, 0, "gpu");
    world_turn(&world, &turn);
    assert_int_equal(world_item(&world, in_session).tag, 1);
    assert_int_equal(world_item(&world, ordinary).tag, 2);
    assert_int_equal(world_item(&world, second).tag, 1);
    hf_slice name = HF_EMPTY;
    world_begin(&world);
    assert_ok(hf_tag_name(&world.tables, 2, &name, &world.error), &world.error);
    world_end(&world);
    assert_true(hf_slice_equal(name, hf_text("disk")));
    world_release(&world);
}

/* Handed-back work keeps its place before younger work; uncounted, it also keeps its attempts. */
static void test_abandoned_item_keeps_its_place(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    uint64_t first = turn_item(&turn, 0, ""), second = turn_item(&turn, 0, "");
    world_turn(&world, &turn);
    uint64_t registration = world_register(&world, "worker");
    uint64_t delivery = world_deliver(&world, registration, first, 0);
    struct hf_abandoned back = { { 1, 1, first }, delivery, 2, registration, 0, 1, 0 };
    world_refuse(&world, HF_RECORD_ABANDONED, &back);
    back.delivery_number = 1;
    world_fold(&world, HF_RECORD_ABANDONED, &back);
    assert_int_equal(world_item(&world, first).attempts, 0);
    struct hf_ready_place place = { 0, { 0, 0 } };
    struct hf_item_id found;
    world_begin(&world);
    assert_ok(hf_items_ready_next(&world.tables, &place, &found, &world.error), &world.error);
    assert_int_equal(found.event_id, first);
    assert_ok(hf_items_ready_next(&world.tables, &place, &found, &world.error), &world.error);
    assert_int_equal(found.event_id, second);
    assert_status(hf_items_ready_next(&world.tables, &place, &found, &world.error), HF_NOT_FOUND);
    world_end(&world);
    world_release(&world);
}

/* An item abandoned with a due time waits in timers and goes back to its old place when that fires.
 */
static void test_delayed_item_comes_back_to_its_place(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_start(&world, 1, "talk");
    struct world_turn turn = turn_begin(&world);
    uint64_t event_id = turn_item(&turn, 0, "");
    uint64_t head = world_turn(&world, &turn);
    uint64_t registration = world_register(&world, "worker");
    uint64_t delivery = world_deliver(&world, registration, event_id, 0);
    struct hf_abandoned back = { { 1, 1, event_id }, delivery, 1, registration, 0, 0, 7000 };
    world_fold(&world, HF_RECORD_ABANDONED, &back);
    assert_int_equal(world.effects, HF_EFFECT_TIMERS);
    assert_int_equal(world_item(&world, event_id).state, HF_ITEM_DELAYED);
    assert_int_equal(world_count(&world, HF_TABLE_ITEMS_READY), 0);
    struct hf_delivered_item item = { .item = { 1, 1, event_id } };
    struct hf_delivered early = { registration, { &item, 1 }, { NULL, 0 } };
    world_refuse(&world, HF_RECORD_DELIVERED, &early);
    struct hf_timer_fired fired = { { 1, 1, event_id }, 7000 };
    world_refuse(&world, HF_RECORD_TIMER_FIRED, &fired); /* it is not due yet */
    assert_string_equal(world.error.code, "Q7");
    world.wall_unix_ms = 7000;
    world_fold(&world, HF_RECORD_TIMER_FIRED, &fired);
    assert_int_equal(world.effects, HF_EFFECT_ITEMS_READY);
    assert_int_equal(world_item(&world, event_id).arrival.lsn, head);
    assert_int_equal(world_item(&world, event_id).attempts, 1);
    assert_int_equal(world_count(&world, HF_TABLE_INBOX), 0);
    world_release(&world);
}

/* A stolen ordinary item runs under its new holder with a new token, and the old token is void. */
static void test_stolen_item_changes_its_token(void **state)
{
    (void)state;
    struct world world;
    uint64_t event_id = world_init_with_item(&world);
    uint64_t slow = world_register(&world, "slow"), other = world_register(&world, "other");
    uint64_t delivery = world_deliver(&world, slow, event_id, 0);
    uint64_t stolen = world_deliver(&world, other, event_id, 0);
    assert_true(world.effects & HF_EFFECT_VOIDED);
    struct hf_completed late = { { 1, 1, event_id }, delivery, 1, slow, hf_text("late"), 0 };
    world_refuse(&world, HF_RECORD_COMPLETED, &late);
    late = (struct hf_completed){ { 1, 1, event_id }, stolen, 1, slow, hf_text("late"), 0 };
    world_refuse(&world, HF_RECORD_COMPLETED, &late);
    assert_int_equal(world_item(&world, event_id).delivery_lsn, stolen);
    assert_int_equal(world_item(&world, event_id).attempts, 2);
    world_complete(&world, other, event_id, stolen);
    world_release(&world);
}

/* The end of an instance purges everything that it has, in every state, and leaves its history. */
static void test_end_of_instance_purges_all(void **state)
{
    (void)state;
    struct world world;
    open_session(&world, 3);
    uint64_t registration = world_register(&world, "worker");
    world_deliver(&world, registration, 3, 1);
    world_message(&world, "unread");
    struct world_turn turn = turn_begin(&world);
    turn_timer(&turn, 9000);
    turn_item(&turn, 0, "gpu");
    turn.body.output_event = turn_event(&turn, "failed");
    turn.body.outcome = HF_OUTCOME_FAILED;
    world_turn(&world, &turn);
    assert_true(world.effects & HF_EFFECT_VOIDED);
    const enum hf_table empty[] = {
        HF_TABLE_ITEMS,         HF_TABLE_ITEMS_READY,    HF_TABLE_ITEMS_RUNNING,  HF_TABLE_SESSIONS,
        HF_TABLE_SESSION_ITEMS, HF_TABLE_SESSIONS_READY, HF_TABLE_SESSIONS_OWNED, HF_TABLE_TIMERS,
        HF_TABLE_TIMERS_BY_ID,  HF_TABLE_INBOX,          HF_TABLE_TURNS_DUE,      HF_TABLE_RECLAIM
    };
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        assert_int_equal(world_count(&world, empty[i]), 0);
    }
    assert_int_equal(world_instance(&world, 1).status, HF_INSTANCE_FAILED);
    assert_int_equal(world_count(&world, HF_TABLE_HISTORY), 8);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opened_session_stands_ready),
        cmocka_unit_test(test_claim_gives_session_to_its_owner),
        cmocka_unit_test(test_delivery_without_claim_is_corrupt),
        cmocka_unit_test(test_release_makes_session_claimable),
        cmocka_unit_test(test_takeover_after_death),
        cmocka_unit_test(test_takeover_from_the_living_requeues_what_ran),
        cmocka_unit_test(test_close_purges_queued_running_and_delayed),
        cmocka_unit_test(test_open_and_close_in_one_turn_leaves_the_last),
        cmocka_unit_test(test_session_items_have_the_sessions_tag),
        cmocka_unit_test(test_abandoned_item_keeps_its_place),
        cmocka_unit_test(test_delayed_item_comes_back_to_its_place),
        cmocka_unit_test(test_stolen_item_changes_its_token),
        cmocka_unit_test(test_end_of_instance_purges_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
