/* Children: what an execution asks of a store for them, what their outcomes do, and what a child
 * says to its parent. */
#include "tests/unit/engine/play.h"

#include <string.h>

#include "engine/base/slice.h"
#include "engine/event.h"

static hf_future child(hf_orchestration *o, const char *id, hf_slice input)
{
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = "t";
    options.instance = id;
    options.input = input;
    return hf_child(o, &options);
}

static struct hf_event decoded(struct hf_script *script, hf_slice body)
{
    struct hf_event event;
    hf_error error = { 0 };
    assert_ok(hf_event_decode(body, &script->memory, &event, &error), &error);
    return event;
}

static const struct hf_turn_child *child_at(const struct hf_script *script, size_t index)
{
    assert_true(index < script->turn.children.count);
    return (const struct hf_turn_child *)script->turn.children.items + index;
}

/* ---- outcomes ------------------------------------------------------------------------------- */

/* Fails as its child failed, or completes with its output. */
static hf_status calls_child(hf_orchestration *o, hf_slice input)
{
    hf_slice output;
    HF_TRY(hf_await(o, child(o, "kid", input), &output));
    return hf_complete(o, output);
}

/* A child is a command with name, id and input; its completion is the result of the future. */
static void test_child_completes_the_future(void **state)
{
    (void)state;
    for (int evict = 0; evict < 2; evict++) {
        struct hf_script script;
        hf_script_init(&script, calls_child, NULL);
        play(&script, evict ? ". e c2=output ." : ". c2=output .");
        assert_history(&script, "1 started \"t\" (2 bytes)\n"
                                "2 child_scheduled \"t\" \"kid\" (2 bytes)\n"
                                "3 child_completed of event 2 (6 bytes)\n"
                                "4 completed (6 bytes)");
        assert_completed(&script, "output");
        hf_script_release(&script);
    }
}

/* What the store gets is all that it needs: the child's first event, and every word that may have
 * to be said without the child. */
static void test_decision_holds_all_that_may_be_said(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, calls_child, NULL);
    play(&script, ".");
    const struct hf_turn_child *kid = child_at(&script, 0);
    assert_int_equal(kid->event_id, 2);
    assert_true(hf_slice_equal(kid->id, hf_text("kid")));
    assert_true(hf_slice_equal(kid->orchestration, hf_text("t")));
    struct hf_event started = decoded(&script, kid->body);
    assert_int_equal(started.kind, HF_EVENT_STARTED);
    assert_int_equal(started.source, 2);
    assert_int_equal(started.parent_execution, 1);
    assert_true(hf_slice_equal(started.text, hf_text("i-1")));
    assert_true(hf_slice_equal(started.payload, hf_text("in")));
    const struct {
        hf_slice body;
        const char *code;
    } failures[] = { { kid->lost_body, "terminated" },
                     { kid->deleted_body, "deleted" },
                     { kid->clash_body, "child_exists" } };
    for (size_t i = 0; i < HF_COUNT_OF(failures); i++) {
        struct hf_event event = decoded(&script, failures[i].body);
        assert_int_equal(event.kind, HF_EVENT_CHILD_FAILED);
        assert_int_equal(event.source, 2);
        assert_int_equal(event.status, HF_FAILED);
        assert_true(hf_slice_equal(event.code, hf_text(failures[i].code)));
        assert_true(event.text.size > 0);
    }
    struct hf_event orphan = decoded(&script, kid->orphan_body);
    assert_int_equal(orphan.kind, HF_EVENT_CANCEL_REQUESTED);
    assert_true(hf_slice_equal(orphan.text, hf_text("its parent \"i-1\" has ended")));
    hf_script_release(&script);
}

/* The names of child and parent may be as long as any; nothing of the words is cut. */
static void test_words_hold_the_longest_names(void **state)
{
    (void)state;
    struct hf_script script;
    char id[HF_ID_SIZE_MAX + 1] = { 0 };
    memset(id, 'p', HF_ID_SIZE_MAX);
    hf_script_init(&script, calls_child, NULL);
    script.id = id;
    play(&script, ".");
    struct hf_event orphan = decoded(&script, child_at(&script, 0)->orphan_body);
    assert_int_equal(orphan.text.size, HF_ID_SIZE_MAX + strlen("its parent \"\" has ended"));
    hf_script_release(&script);
}

/* A child that failed, was terminated or deleted, or whose id is taken fails its future with a code
 * of its own; code, text and data of a failure are the child's. */
static void test_child_fails_the_future(void **state)
{
    (void)state;
    const struct {
        const char *words, *code, *part;
    } ends[] = {
        { ". f2=refused .", "refused", "it failed" },
        { ". e f2=refused .", "refused", "it failed" },
        { ". l2 .", "terminated", "\"kid\" was terminated" },
        { ". d2 .", "deleted", "\"kid\" was deleted" },
        { ". k2 .", "child_exists", "\"kid\" exists already" },
    };
    for (size_t i = 0; i < HF_COUNT_OF(ends); i++) {
        struct hf_script script;
        hf_error error = { 0 };
        hf_script_init(&script, calls_child, NULL);
        play(&script, ends[i].words);
        assert_failed(&script, ends[i].code, ends[i].part);
        hf_script_output(&script, &error);
        assert_status(error.status, HF_FAILED);
        bool has_data = ends[i].words[strlen(ends[i].words) - 3] == 'd';
        if (has_data) assert_true(hf_slice_equal(error.data, hf_text("data")));
        hf_script_release(&script);
    }
}

/* A second outcome, one of another execution, and one that comes too late are dropped. */
static void test_further_outcomes_are_dropped(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, calls_child, NULL);
    play(&script, ". c2=first C2=second .");
    assert_completed(&script, "first");
    hf_script_release(&script);
}

/* ---- ids ------------------------------------------------------------------------------------ */

static hf_status makes_two(hf_orchestration *o, hf_slice input)
{
    hf_future all[] = { child(o, NULL, input), child(o, NULL, input) };
    HF_TRY(hf_join(o, all, 2));
    if (input.size == 2) return hf_continue_as_new(o, hf_text("again"));
    return hf_complete(o, input);
}

/* A generated id names instance, execution and event, so it is never repeated, also not after
 * continue-as-new, and the same at replay. */
static void test_generated_ids_are_never_repeated(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, makes_two, NULL);
    script.always_evict = true;
    play(&script, ".");
    assert_true(hf_slice_equal(child_at(&script, 0)->id, hf_text("i-1.1.1.2")));
    assert_true(hf_slice_equal(child_at(&script, 1)->id, hf_text("i-1.1.1.3")));
    play(&script, "c2 . c3 . .");
    assert_true(hf_slice_equal(child_at(&script, 0)->id, hf_text("i-1.1.2.2")));
    play(&script, "c2 c3 .");
    assert_completed(&script, "again");
    hf_script_release(&script);
}

/* Where a parent's id leaves no room for its children's, they go without it: the numbers alone are
 * of no other child. */
static void test_generated_id_always_fits(void **state)
{
    (void)state;
    const size_t sizes[] = { HF_ID_SIZE_MAX - 8, HF_ID_SIZE_MAX - 7, HF_ID_SIZE_MAX };
    for (size_t i = 0; i < HF_COUNT_OF(sizes); i++) {
        struct hf_script script;
        char id[HF_ID_SIZE_MAX + 1] = { 0 };
        memset(id, 'p', sizes[i]);
        hf_script_init(&script, makes_two, NULL);
        script.id = id;
        play(&script, ".");
        hf_slice made = child_at(&script, 0)->id;
        bool fits = sizes[i] + strlen(".1.1.2") <= HF_ID_SIZE_MAX;
        assert_int_equal(made.size, fits ? sizes[i] + strlen(".1.1.2") : strlen("child.1.1.2"));
        if (!fits) assert_true(hf_slice_equal(made, hf_text("child.1.1.2")));
        hf_script_release(&script);
    }
}

/* ---- misuse and other code ------------------------------------------------------------------ */

static hf_status misuses(hf_orchestration *o, hf_slice input)
{
    const int *kind = probe_of(o);
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = *kind == 0 ? "" : "t";
    options.instance = *kind == 1 ? "" : NULL;
    options.input = *kind == 2 ? (hf_slice){ NULL, 1 } : input;
    if (*kind == 3) options.size = 0;
    hf_child(o, *kind == 4 ? NULL : &options);
    return HF_INVALID;
}

/* Misuse fails the instance and schedules nothing. */
static void test_misuse_fails_the_instance(void **state)
{
    (void)state;
    const char *const codes[] = { "bad_name", "bad_id", "bad_slice", "bad_options", "bad_options" };
    for (int kind = 0; kind < (int)HF_COUNT_OF(codes); kind++) {
        struct hf_script script;
        hf_script_init(&script, misuses, &kind);
        play(&script, ".");
        hf_error error = { 0 };
        hf_script_output(&script, &error);
        if (kind < 4) assert_failed(&script, codes[kind], "");
        assert_int_equal(script.turn.children.count, 0);
        assert_int_equal(script.events_count, 2);
        hf_script_release(&script);
    }
}

static hf_status changes(hf_orchestration *o, hf_slice input)
{
    const char *const *id = probe_of(o);
    hf_slice output;
    HF_TRY(hf_await(o, child(o, *id, input), &output));
    return hf_complete(o, output);
}

/* Code that gives its child another id, or none, does not match history. */
static void test_another_id_is_nondeterminism(void **state)
{
    (void)state;
    const char *const others[] = { "other", NULL };
    for (size_t i = 0; i < HF_COUNT_OF(others); i++) {
        struct hf_script script;
        const char *id = "kid";
        hf_script_init(&script, changes, &id);
        play(&script, ". e");
        id = others[i];
        play_fails(&script, "c2=x .", HF_NONDETERMINISM, "another id");
        hf_script_release(&script);
    }
}

/* An inbox that holds the outcome of another kind is damaged. */
static void test_wrong_outcome_is_damage(void **state)
{
    (void)state;
    struct hf_script script;
    struct hf_event wrong = { .kind = HF_EVENT_ACTIVITY_COMPLETED, .source = 2 };
    hf_script_init(&script, calls_child, NULL);
    play(&script, ".");
    hf_script_post(&script, 1, hf_event_encode(&wrong, &script.memory));
    play_fails(&script, ".", HF_CORRUPT, "answers a command of another kind");
    hf_script_release(&script);
}

/* So is a history in which a child's outcome answers what is no child, or a child is answered by
 * what is no outcome of one. */
static void test_history_with_a_wrong_outcome_is_damage(void **state)
{
    (void)state;
    const struct hf_event wrong[] = {
        { .kind = HF_EVENT_CHILD_COMPLETED, .source = 1 },
        { .kind = HF_EVENT_CHILD_FAILED, .source = 1, .status = HF_FAILED },
        { .kind = HF_EVENT_ACTIVITY_COMPLETED, .source = 2 },
    };
    for (size_t i = 0; i < HF_COUNT_OF(wrong); i++) {
        struct hf_script script;
        hf_script_init(&script, makes_two, NULL);
        play(&script, ". c2 . e");
        script.events[3].body = hf_event_encode(&wrong[i], &script.memory);
        play_fails(&script, "c3 .", HF_CORRUPT, "names no command that it could answer");
        hf_script_release(&script);
    }
}

/* ---- giving up ------------------------------------------------------------------------------ */

static hf_status gives_up(hf_orchestration *o, hf_slice input)
{
    hf_future slow = child(o, "slow", input);
    size_t winner = 0;
    HF_TRY(hf_dequeue(o, "q", NULL));
    hf_future all[] = { slow, hf_timer(o, 10) };
    HF_TRY(hf_select(o, all, 2, &winner));
    if (winner != 1 || hf_await(o, slow, NULL) != HF_CANCELLED) return HF_INVALID;
    hf_future_cancel(o, child(o, "never", input));
    hf_scope scope = hf_scope_open(o);
    child(o, "scoped", input);
    hf_scope_close(o, scope);
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, input);
}

/* A child whose future is given up, by a select, a cancel or a scope, is asked to stop; its outcome
 * is not recorded any more. */
static void test_given_up_child_is_asked_to_stop(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, gives_up, NULL);
    play(&script, ". mq . e t5 .");
    const struct hf_turn_child_cancel *cancels = script.turn.child_cancels.items;
    assert_int_equal(script.turn.child_cancels.count, 3);
    assert_int_equal(cancels[0].event_id, 2);
    struct hf_event request = decoded(&script, cancels[0].body);
    assert_int_equal(request.kind, HF_EVENT_CANCEL_REQUESTED);
    assert_true(hf_slice_equal(request.text,
                               hf_text("its parent \"i-1\" has no use for its outcome any more")));
    assert_int_equal(script.turn.cancels.count, 0);
    assert_int_equal(script.turn.children.count, 2);
    play(&script, "C2=late mq .");
    assert_completed(&script, "in");
    const struct hf_consumed_message *messages = script.turn.messages.items;
    assert_int_equal(messages[0].event_id, 0);
    hf_script_release(&script);
}

static hf_status leaves_children(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    child(o, NULL, input);
    HF_TRY(hf_dequeue(o, "q", &message));
    child(o, NULL, input);
    if (hf_slice_equal(message, hf_text("again"))) return hf_continue_as_new(o, message);
    if (hf_slice_equal(message, hf_text("fail"))) return hf_fail(o, "failed", "as told");
    return hf_complete(o, message);
}

/* Continue-as-new names all children that are pending, for no execution could hear them any more;
 * an end names none, since the store tells them whatever the end. */
static void test_pending_children_at_the_end(void **state)
{
    (void)state;
    const char *const words[] = { ". mq=again .", ". mq=fail .", ". mq=done ." };
    for (size_t i = 0; i < HF_COUNT_OF(words); i++) {
        struct hf_script script;
        hf_script_init(&script, leaves_children, NULL);
        play(&script, words[i]);
        assert_int_equal(script.turn.children.count, 1);
        assert_int_equal(script.turn.child_cancels.count, i == 0 ? 2 : 0);
        hf_script_release(&script);
    }
}

/* ---- a child's side ------------------------------------------------------------------------- */

/* A family of two scripts: what the store would pass on, the test does. */
struct family {
    struct hf_script parent, child;
};

static void family_init(struct family *family, hf_orchestration_fn parent, hf_orchestration_fn run)
{
    hf_script_init(&family->parent, parent, NULL);
    play(&family->parent, ".");
    const struct hf_turn_child *kid = child_at(&family->parent, 0);
    hf_script_init(&family->child, run, NULL);
    hf_script_become(&family->child, "kid", kid->body);
}

static void family_release(struct family *family)
{
    hf_script_release(&family->child);
    hf_script_release(&family->parent);
}

/* Passes on what the ended child says, and runs the parent's turn. */
static void family_answer(struct family *family)
{
    hf_slice body = family->child.turn.parent_body;
    assert_true(body.size > 0);
    hf_script_post(&family->parent, 1, body);
    struct hf_script_work *work = hf_script_work(&family->parent, 2);
    assert_non_null(work);
    work->kind = HF_SCRIPT_ITEM; /* it is ended here, not by the script */
    *work = family->parent.works[--family->parent.works_count];
    play(&family->parent, ".");
}

static hf_status works(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    HF_TRY(hf_dequeue(o, "q", &message));
    if (hf_slice_equal(message, hf_text("again"))) return hf_continue_as_new(o, input);
    if (hf_slice_equal(message, hf_text("fail"))) return hf_fail(o, "refused", "by the child");
    if (hf_slice_equal(message, hf_text("misuse"))) return hf_await(o, (hf_future){ 99 }, NULL);
    return hf_complete(o, message);
}

/* Leaves an activity pending, and returns more than may be. */
static hf_status outgrows(hf_orchestration *o, hf_slice input)
{
    hf_schedule(o, "left", input);
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_complete(o, hf_text("more than ten bytes"));
}

/* What ended a child is what its parent's await tells: its output, its failure, also one for good,
 * and that it was cancelled. */
static void test_child_answers_with_its_end(void **state)
{
    (void)state;
    const struct {
        const char *words, *code, *part;
    } ends[] = {
        { ". mq=output .", NULL, NULL },
        { ". e mq=fail .", "refused", "by the child" },
        { ". mq=misuse .", "stale_future", "does not exist" },
        { ". x=enough .", "cancelled", "enough" },
    };
    for (size_t i = 0; i < HF_COUNT_OF(ends); i++) {
        struct family family;
        family_init(&family, calls_child, works);
        play(&family.child, ends[i].words);
        family_answer(&family);
        if (!ends[i].code) assert_completed(&family.parent, "output");
        if (ends[i].code) assert_failed(&family.parent, ends[i].code, ends[i].part);
        family_release(&family);
    }
}

/* A limit that is broken ends the child once: what it had pending is called off, and its parent is
 * told, by one turn. */
static void trap_c6_broken_limit_ends_once_and_tells(void **state)
{
    (void)state;
    struct family family;
    family_init(&family, calls_child, outgrows);
    family.child.options.payload_size_max = 10;
    play(&family.child, ". mq=go .");
    assert_failed(&family.child, "too_large", "the limit is 10");
    assert_int_equal(family.child.turn.cancels.count, 1);
    size_t events_count = family.child.events_count;
    assert_int_equal(hf_script_event(&family.child, events_count - 1).kind, HF_EVENT_FAILED);
    family_answer(&family);
    assert_failed(&family.parent, "too_large", "the limit is 10");
    family_release(&family);
}

/* The parent survives continue-as-new of its child: the first event of each execution names it. */
static void row_6b_2_continued_child_knows_its_parent(void **state)
{
    (void)state;
    struct family family;
    family_init(&family, calls_child, works);
    play(&family.child, ". mq=again .");
    assert_int_equal(family.child.turn.parent_body.size, 0);
    struct hf_event started = hf_script_event(&family.child, 0);
    assert_int_equal(started.source, 2);
    assert_int_equal(started.parent_execution, 1);
    assert_true(hf_slice_equal(started.text, hf_text("i-1")));
    play(&family.child, ". mq=again . . e mq=output .");
    family_answer(&family);
    assert_completed(&family.parent, "output");
    family_release(&family);
}

/* An instance that is nobody's child tells nobody. */
static void test_nobodys_child_tells_nobody(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, works, NULL);
    play(&script, ". mq=output .");
    assert_int_equal(script.turn.parent_body.size, 0);
    hf_script_release(&script);
}

static hf_status waits_for_child(hf_orchestration *o, hf_slice input)
{
    hf_status status = hf_await(o, child(o, "grandchild", input), NULL);
    return status == HF_CANCELLED ? hf_complete(o, hf_text("ignored")) : HF_INVALID;
}

/* A request to the parent reaches the children of its children: each asks its own, when it is
 * asked. */
static void test_cancel_reaches_children_of_children(void **state)
{
    (void)state;
    struct family family;
    family_init(&family, waits_for_child, waits_for_child);
    play(&family.child, ".");
    play(&family.parent, "x=enough .");
    assert_cancelled(&family.parent, "enough");
    const struct hf_turn_child_cancel *cancels = family.parent.turn.child_cancels.items;
    assert_int_equal(family.parent.turn.child_cancels.count, 1);
    hf_script_post(&family.child, 0, cancels[0].body);
    play(&family.child, ".");
    assert_int_equal(family.child.outcome, HF_OUTCOME_CANCELLED);
    assert_int_equal(family.child.turn.child_cancels.count, 1);
    struct hf_event answer = decoded(&family.child, family.child.turn.parent_body);
    assert_true(hf_slice_equal(answer.code, hf_text("cancelled")));
    cancels = family.child.turn.child_cancels.items;
    struct hf_event request = decoded(&family.child, cancels[0].body);
    assert_int_equal(request.kind, HF_EVENT_CANCEL_REQUESTED);
    family_release(&family);
}

static hf_status opens_and_calls(hf_orchestration *o, hf_slice input)
{
    hf_session_open_id(o, "warm");
    HF_TRY(hf_await(o, child(o, "kid", input), NULL));
    return hf_complete(o, input);
}

static hf_status uses_session(hf_orchestration *o, hf_slice input)
{
    return hf_call_on(o, hf_session_named(o, "warm"), "work", input, NULL);
}

/* A session of the parent is none of the child's: scheduling on it fails the child, and so the
 * parent's await, with an error that names the session. */
static void test_session_of_the_parent_is_not_the_childs(void **state)
{
    (void)state;
    struct hf_script parent, kid;
    hf_script_init(&parent, opens_and_calls, NULL);
    play(&parent, ".");
    hf_script_init(&kid, uses_session, NULL);
    hf_script_become(&kid, "kid", child_at(&parent, 0)->body);
    play(&kid, ".");
    assert_failed(&kid, "session_not_open", "\"warm\"");
    hf_script_post(&parent, 1, kid.turn.parent_body);
    play(&parent, ".");
    assert_failed(&parent, "session_not_open", "\"warm\"");
    hf_script_release(&kid);
    hf_script_release(&parent);
}

/* Whatever allocation fails in a child, also while it says its last word: nothing is said, and it
 * says it when there is memory again. */
static void test_child_survives_every_failed_allocation(void **state)
{
    (void)state;
    uint64_t calls_count = 1;
    for (uint64_t at = 1; at <= calls_count; at++) {
        struct family family;
        family_init(&family, calls_child, works);
        struct hf_script *kid = &family.child;
        kid->heap.fail_at = at;
        hf_status status = hf_script_play(kid, ". mq=again . . e mq=output .");
        if (status == HF_OK) calls_count = kid->heap.calls_count;
        if (status != HF_OK) {
            assert_status(status, HF_NO_MEMORY);
            calls_count = at + 1;
        }
        kid->heap.fail_at = 0;
        while (kid->outcome == HF_OUTCOME_RUNNING) play(kid, "mq=output .");
        family_answer(&family);
        assert_completed(&family.parent, "output");
        family_release(&family);
    }
    assert_true(calls_count > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_completes_the_future),
        cmocka_unit_test(test_decision_holds_all_that_may_be_said),
        cmocka_unit_test(test_words_hold_the_longest_names),
        cmocka_unit_test(test_child_fails_the_future),
        cmocka_unit_test(test_further_outcomes_are_dropped),
        cmocka_unit_test(test_generated_ids_are_never_repeated),
        cmocka_unit_test(test_generated_id_always_fits),
        cmocka_unit_test(test_misuse_fails_the_instance),
        cmocka_unit_test(test_another_id_is_nondeterminism),
        cmocka_unit_test(test_wrong_outcome_is_damage),
        cmocka_unit_test(test_history_with_a_wrong_outcome_is_damage),
        cmocka_unit_test(test_given_up_child_is_asked_to_stop),
        cmocka_unit_test(test_pending_children_at_the_end),
        cmocka_unit_test(test_child_answers_with_its_end),
        cmocka_unit_test(trap_c6_broken_limit_ends_once_and_tells),
        cmocka_unit_test(row_6b_2_continued_child_knows_its_parent),
        cmocka_unit_test(test_nobodys_child_tells_nobody),
        cmocka_unit_test(test_cancel_reaches_children_of_children),
        cmocka_unit_test(test_session_of_the_parent_is_not_the_childs),
        cmocka_unit_test(test_child_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
