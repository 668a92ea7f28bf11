/* Mailboxes: the nth take that was not cancelled gets the nth message, in whatever turns they come.
 */
#include "tests/unit/engine/play.h"

#include <stdio.h>
#include <string.h>

static hf_status take_in_other_order(hf_orchestration *o, hf_slice input)
{
    hf_future first = hf_mailbox_take(o, "q"), second = hf_mailbox_take(o, "q");
    hf_slice a, b;
    (void)input;
    HF_TRY(hf_await(o, second, &b));
    HF_TRY(hf_await(o, first, &a));
    return hf_complete(o, hf_format(o, HF_FMT HF_FMT, HF_ARG(a), HF_ARG(b)));
}

/* Order is that of the takes, not of the awaits; messages may come before, between or after. */
static void trap_a14_takes_pair_in_their_order(void **state)
{
    (void)state;
    const char *const words[] = { "mq=1 mq=2 .", ". mq=1 . mq=2 .", "mq=1 . mq=2 .",
                                  ". mq=1 mq=2 .", ". mother=x mq=1 e . mq=2 ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, take_in_other_order, NULL);
        play(&script, words[i]);
        assert_completed(&script, "12");
        hf_script_release(&script);
    }
}

static hf_status sleep_then_take_three(hf_orchestration *o, hf_slice input)
{
    hf_slice a, b, c;
    (void)input;
    HF_TRY(hf_sleep(o, 5));
    HF_TRY(hf_dequeue(o, "q", &a));
    HF_TRY(hf_dequeue(o, "q", &b));
    HF_TRY(hf_sleep(o, 5));
    HF_TRY(hf_dequeue(o, "q", &c));
    return hf_complete(o, hf_format(o, HF_FMT HF_FMT HF_FMT, HF_ARG(a), HF_ARG(b), HF_ARG(c)));
}

/* Messages that nobody waits for yet are kept in their order, over turns and evictions. */
static void row_1b_4_messages_wait_in_order(void **state)
{
    (void)state;
    const char *const words[] = { ". mq=1 mq=2 mq=3 t2 .", ". mq=1 . mq=2 . e t2 . mq=3 ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, sleep_then_take_three, NULL);
        play(&script, words[i]);
        while (script.works_count > 0) {
            hf_script_answer(&script, script.works[0].event_id, hf_text(""), NULL);
            play(&script, ".");
        }
        assert_completed(&script, "123");
        hf_script_release(&script);
    }
}

static hf_status cancel_the_first_take(hf_orchestration *o, hf_slice input)
{
    hf_slice got;
    hf_future first = hf_mailbox_take(o, "q"), second = hf_mailbox_take(o, "q");
    (void)input;
    if (hf_await_within(o, first, 5, NULL) != HF_TIMEOUT) return HF_INVALID;
    HF_TRY(hf_await(o, second, &got));
    return hf_complete(o, got);
}

/* A cancelled take consumes nothing: the message goes to the next one, also when it came in the
 * same batch. */
static void row_1b_4_cancelled_take_takes_nothing(void **state)
{
    (void)state;
    const char *const words[] = { ". t4 . mq=1 .", ". t4 mq=1 .", ". t4 . e mq=1 ." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct hf_script script;
        hf_script_init(&script, cancel_the_first_take, NULL);
        play(&script, words[i]);
        assert_completed(&script, "1");
        assert_int_equal(script.turn.cancels.count, 0); /* a store knows no takes */
        hf_script_release(&script);
    }
}

/* What decides is the order of history: a message before the timer is the first take's. */
static void test_message_before_the_deadline_wins(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, cancel_the_first_take, NULL);
    play(&script, ". mq=1 t4 .");
    assert_failed(&script, "HF_INVALID", "returned");
    hf_script_release(&script);
}

static hf_status many_queues(hf_orchestration *o, hf_slice input)
{
    hf_slice all = HF_EMPTY, got;
    (void)input;
    for (int i = 0; i < 50; i++) {
        char queue[16];
        snprintf(queue, sizeof queue, "q%d", i * 7 % 50);
        HF_TRY(hf_dequeue(o, queue, &got));
        if (!hf_slice_equal(got, hf_text(queue))) return HF_INVALID;
        all = hf_format(o, HF_FMT HF_FMT, HF_ARG(all), HF_ARG(got));
    }
    return hf_complete(o, hf_format(o, "%zu", all.size));
}

/* Mailboxes do not mix, however many there are. */
static void test_queues_are_apart(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, many_queues, NULL);
    for (int i = 0; i < 50; i++) {
        char word[40];
        snprintf(word, sizeof word, "mq%d=q%d", i, i);
        play(&script, word);
    }
    play(&script, ".");
    assert_completed(&script, "140");
    hf_script_release(&script);
}

/* An empty message is a message. */
static void test_empty_message_is_taken(void **state)
{
    (void)state;
    struct hf_script script;
    hf_script_init(&script, take_in_other_order, NULL);
    play(&script, "mq= . mq=2 .");
    assert_completed(&script, "2");
    hf_script_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap_a14_takes_pair_in_their_order),
        cmocka_unit_test(row_1b_4_messages_wait_in_order),
        cmocka_unit_test(row_1b_4_cancelled_take_takes_nothing),
        cmocka_unit_test(test_message_before_the_deadline_wins),
        cmocka_unit_test(test_queues_are_apart),
        cmocka_unit_test(test_empty_message_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
