/* Changes of the code under instances that run: what hf_patched answers, when, and how it is
 * retired. */
#include "tests/unit/engine/play.h"

#include <stdio.h>
#include <string.h>

#include "engine/event.h"

/* The versions of one orchestration, as its author ships them one after the other. */
enum version { OLD, PATCHED, RETIRED, NEW };

struct probe {
    enum version version;
    char answers[32]; /* of the latest pass: 'n'ew or 'o'ld */
};

/* Whether this version, here, goes the new way. */
static bool is_new(hf_orchestration *o)
{
    struct probe *probe = probe_of(o);
    bool answer = probe->version != OLD;
    if (probe->version == PATCHED) answer = hf_patched(o, "ask");
    if (probe->version == RETIRED) hf_patch_retired(o, "ask");
    probe->answers[strlen(probe->answers)] = answer ? 'n' : 'o';
    return answer;
}

/* Takes three messages and then books; the new code asks before each of it. */
static hf_status book(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    memset(probe->answers, 0, sizeof probe->answers);
    for (int i = 0; i < 3; i++) {
        HF_TRY(hf_dequeue(o, "q", NULL));
        if (is_new(o)) HF_TRY(hf_call(o, "ask", input, NULL));
    }
    return hf_call(o, "book", input, NULL);
}

static void script_open(struct hf_script *script, struct probe *probe, enum version version)
{
    *probe = (struct probe){ .version = version };
    hf_script_init(script, book, probe);
}

/* Ships another version: the process is another one. */
static void ship(struct hf_script *script, struct probe *probe, enum version version)
{
    hf_script_evict(script);
    probe->version = version;
}

/* An instance of new code goes the new way from the first time on; the marker is in history once,
 * where it was asked first. */
static void test_new_instance_goes_the_new_way(void **state)
{
    (void)state;
    for (int evicts = 0; evicts < 2; evicts++) {
        struct probe probe;
        struct hf_script script;
        script_open(&script, &probe, PATCHED);
        script.always_evict = evicts;
        play(&script, ". mq=1 . c5=yes . mq=2 . c9=yes . mq=3 . c13=yes .");
        assert_string_equal(probe.answers, "nnn");
        assert_history(&script, "1 started \"t\" (2 bytes)\n"
                                "2 mailbox_waited \"q\"\n"
                                "3 mailbox_message \"q\" (1 bytes)\n"
                                "4 patched \"ask\"\n"
                                "5 activity_scheduled \"ask\" (2 bytes)\n"
                                "6 activity_completed of event 5 (3 bytes)\n"
                                "7 mailbox_waited \"q\"\n"
                                "8 mailbox_message \"q\" (1 bytes)\n"
                                "9 activity_scheduled \"ask\" (2 bytes)\n"
                                "10 activity_completed of event 9 (3 bytes)\n"
                                "11 mailbox_waited \"q\"\n"
                                "12 mailbox_message \"q\" (1 bytes)\n"
                                "13 activity_scheduled \"ask\" (2 bytes)\n"
                                "14 activity_completed of event 13 (3 bytes)\n"
                                "15 activity_scheduled \"book\" (2 bytes)");
        hf_script_release(&script);
    }
}

/* An instance that passed the place with old code keeps to the old way for ever: at that place, and
 * where the same id is asked beyond its history. */
static void test_history_of_old_code_keeps_to_the_old_way(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    script_open(&script, &probe, OLD);
    play(&script, ". mq=1 .");
    ship(&script, &probe, PATCHED);
    play(&script, "mq=2 .");
    assert_string_equal(probe.answers, "oo");
    play(&script, "e mq=3 . e mq=4 .");
    assert_string_equal(probe.answers, "ooo");
    assert_history(&script, "1 started \"t\" (2 bytes)\n"
                            "2 mailbox_waited \"q\"\n"
                            "3 mailbox_message \"q\" (1 bytes)\n"
                            "4 mailbox_waited \"q\"\n"
                            "5 mailbox_message \"q\" (1 bytes)\n"
                            "6 mailbox_waited \"q\"\n"
                            "7 mailbox_message \"q\" (1 bytes)\n"
                            "8 activity_scheduled \"book\" (2 bytes)\n"
                            "9 mailbox_message \"q\" (1 bytes)");
    hf_script_release(&script);
}

/* The same when the old code had nothing left to do behind the place: it had passed it. */
static void test_place_at_the_end_of_history_was_passed(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    script_open(&script, &probe, OLD);
    play(&script, ". mq=1 mq=2 mq=3 . c8=done");
    ship(&script, &probe, PATCHED);
    play(&script, ".");
    assert_string_equal(probe.answers, "ooo");
    assert_completed(&script, "");
    hf_script_release(&script);
}

/* An instance that old code began, and that had not come to the place, goes the new way. */
static void test_instance_before_the_place_goes_the_new_way(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    script_open(&script, &probe, OLD);
    play(&script, ".");
    ship(&script, &probe, PATCHED);
    play(&script, "mq=1 . e c5=yes . e mq=2 .");
    assert_string_equal(probe.answers, "nn");
    assert_int_equal(hf_script_event(&script, 3).kind, HF_EVENT_PATCHED);
    hf_script_release(&script);
}

/* What was recorded and is not asked for is told, with what to do. */
static void test_dropped_patch_is_nondeterminism_with_advice(void **state)
{
    (void)state;
    static const enum version versions[] = { NEW, OLD };
    static const char *const did[] = { "/ the code issued activity_scheduled \"ask\"",
                                       "/ the code issued mailbox_waited \"q\"" };
    for (size_t i = 0; i < 2; i++) {
        struct probe probe;
        struct hf_script script;
        script_open(&script, &probe, PATCHED);
        play(&script, ". mq=1 .");
        ship(&script, &probe, versions[i]);
        play_fails(&script, "mq=2 .", HF_NONDETERMINISM,
                   "history has patched \"ask\" at event 4, where hf_patched or hf_patch_retired "
                   "must stay until no history has it /");
        assert_non_null(strstr(script.error.message, did[i]));
        ship(&script, &probe, PATCHED); /* nothing was appended: the code is mended and goes on */
        play(&script, "c5=yes .");
        hf_script_release(&script);
    }
}

/* A retired patch accepts the marker of those that have it, and gives none to others, which then
 * need neither call. */
static void test_retired_patch_accepts_and_does_not_record(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    script_open(&script, &probe, PATCHED);
    play(&script, ". mq=1 .");
    ship(&script, &probe, RETIRED);
    play(&script, "c5=yes . e mq=2 .");
    assert_int_equal(hf_script_event(&script, 8).kind, HF_EVENT_ACTIVITY_SCHEDULED);
    hf_script_release(&script);

    script_open(&script, &probe, RETIRED);
    play(&script, ". mq=1 . e c4=yes .");
    assert_int_equal(hf_script_event(&script, 3).kind, HF_EVENT_ACTIVITY_SCHEDULED);
    ship(&script, &probe, NEW);
    play(&script, "mq=2 .");
    assert_string_equal(probe.answers, "nn");
    hf_script_release(&script);
}

/* Retired too early, while a history went the old way: told, not guessed. */
static void test_patch_retired_too_early_is_nondeterminism(void **state)
{
    (void)state;
    struct probe probe;
    struct hf_script script;
    script_open(&script, &probe, OLD);
    play(&script, ". mq=1 .");
    ship(&script, &probe, RETIRED);
    play_fails(&script, "mq=2 .", HF_NONDETERMINISM,
               "history has mailbox_waited \"q\" at event 4 / the code issued activity_scheduled");
    hf_script_release(&script);
}

/* ---- several, and executions ---------------------------------------------------------------- */

static hf_status two_changes(hf_orchestration *o, hf_slice input)
{
    struct probe *probe = probe_of(o);
    memset(probe->answers, 0, sizeof probe->answers);
    if (probe->version != OLD) probe->answers[0] = hf_patched(o, "first") ? 'n' : 'o';
    HF_TRY(hf_dequeue(o, "q", NULL));
    if (probe->version != OLD) probe->answers[1] = hf_patched(o, "second") ? 'n' : 'o';
    HF_TRY(hf_dequeue(o, "q", NULL));
    return hf_continue_as_new(o, input);
}

/* Changes have answers of their own; the next execution asks anew. */
static void test_each_change_and_each_execution_has_its_answer(void **state)
{
    (void)state;
    struct probe probe = { .version = OLD };
    struct hf_script script;
    hf_script_init(&script, two_changes, &probe);
    play(&script, ".");
    ship(&script, &probe, PATCHED);
    play(&script, "mq=1 .");
    assert_string_equal(probe.answers, "on");
    play(&script, "e mq=2 .");
    assert_string_equal(probe.answers, "on");
    assert_int_equal(script.execution, 2);
    play(&script, ". mq=3 .");
    assert_string_equal(probe.answers, "nn");
    hf_script_release(&script);
}

static hf_status ask_badly(hf_orchestration *o, hf_slice input)
{
    if (probe_of(o)) hf_patch_retired(o, "");
    hf_patched(o, "\xff");
    return hf_complete(o, input);
}

/* A change id is an id like all others. */
static void test_bad_change_ids_fail_the_instance(void **state)
{
    (void)state;
    struct probe probe;
    void *users[] = { NULL, &probe };
    for (size_t i = 0; i < 2; i++) {
        struct hf_script script;
        hf_script_init(&script, ask_badly, users[i]);
        play(&script, ".");
        assert_failed(&script, "bad_change_id", "change id");
        hf_script_release(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_instance_goes_the_new_way),
        cmocka_unit_test(test_history_of_old_code_keeps_to_the_old_way),
        cmocka_unit_test(test_place_at_the_end_of_history_was_passed),
        cmocka_unit_test(test_instance_before_the_place_goes_the_new_way),
        cmocka_unit_test(test_dropped_patch_is_nondeterminism_with_advice),
        cmocka_unit_test(test_retired_patch_accepts_and_does_not_record),
        cmocka_unit_test(test_patch_retired_too_early_is_nondeterminism),
        cmocka_unit_test(test_each_change_and_each_execution_has_its_answer),
        cmocka_unit_test(test_bad_change_ids_fail_the_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
