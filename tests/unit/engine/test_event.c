/* Events: every kind survives encoding, and bytes that are no event are refused. */
#include "tests/support/hf_test.h"

#include <stdio.h>
#include <string.h>

#include "engine/event.h"
#include "tests/unit/engine/layouts.h"

enum { KIND_NUMBERS_MAX = 64 };

#define BYTES(literal) hf_bytes(literal, sizeof(literal) - 1)

static bool is_kind(uint64_t kind)
{
    return strcmp(hf_event_kind_name(kind), "?") != 0;
}

static struct hf_event filled_event(uint64_t kind, struct hf_arena *arena)
{
    struct hf_event event;
    layout_fill(hf_event_layout(), &event, arena);
    event.kind = kind;
    return event;
}

static void assert_event_survives(const struct hf_event *event, struct hf_arena *arena)
{
    struct hf_event decoded;
    hf_error error;
    hf_slice bytes = hf_event_encode(event, arena);
    assert_non_null(bytes.data);
    assert_ok(hf_event_decode(bytes, arena, &decoded, &error), &error);
    assert_true(layout_equal(hf_event_layout(), event, &decoded));
}

/* An event of any kind with all fields comes back as it was. */
static void test_every_kind_survives_a_round_trip(void **state)
{
    size_t kinds_count = 0;
    for (uint64_t kind = 0; kind < KIND_NUMBERS_MAX; kind++) {
        if (!is_kind(kind)) continue;
        struct hf_event event = filled_event(kind, *state);
        assert_event_survives(&event, *state);
        kinds_count++;
    }
    assert_int_equal(kinds_count, 30);
}

/* The layout lists every member of the struct. */
static void test_layout_covers_the_struct(void **state)
{
    (void)state;
    assert_int_equal(layout_fields_size(hf_event_layout()), sizeof(struct hf_event));
    assert_int_equal(hf_event_layout()->size, sizeof(struct hf_event));
}

/* The bytes of an event are what the format says. */
static void test_scheduled_event_has_these_bytes(void **state)
{
    static const char expected[] = "\x85\x00\x0a\x02\xa1"
                                   "f\x03\xc4\x02hi\x04\xa1s\x05\x03";
    struct hf_event event = { .kind = HF_EVENT_ACTIVITY_SCHEDULED,
                              .name = HF_SLICE("f"),
                              .payload = HF_SLICE("hi"),
                              .text = HF_SLICE("s"),
                              .incarnation = 3 };
    hf_slice bytes = hf_event_encode(&event, *state);
    assert_int_equal(bytes.size, sizeof expected - 1);
    assert_memory_equal(bytes.data, expected, bytes.size);
}

/* An event that is cut off anywhere is refused. */
static void test_cut_events_are_corrupt(void **state)
{
    struct hf_event event = filled_event(HF_EVENT_STARTED, *state), decoded;
    hf_slice bytes = hf_event_encode(&event, *state);
    layout_refuses_prefixes(hf_event_layout(), bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        hf_slice cut = hf_bytes(bytes.data, size);
        assert_status(hf_event_decode(cut, *state, &decoded, NULL), HF_CORRUPT);
    }
}

/* An event with one changed byte is refused, or is another event that can be written and read. */
static void test_changed_events_decode_or_are_corrupt(void **state)
{
    struct hf_event event = filled_event(HF_EVENT_STARTED, *state);
    hf_slice bytes = hf_event_encode(&event, *state);
    assert_int_not_equal(layout_survives_mutations(hf_event_layout(), bytes), 0);
}

/* A kind that is not known is refused, and the message names it. */
static void test_unknown_kinds_are_corrupt(void **state)
{
    static const uint64_t unknown[] = { 7, 9, 63, 127, UINT64_MAX };
    for (size_t i = 0; i < HF_COUNT_OF(unknown); i++) {
        char number[32];
        struct hf_event event = filled_event(unknown[i], *state), decoded;
        hf_slice bytes = hf_encode(hf_event_layout(), &event, *state);
        hf_error error;
        assert_false(is_kind(unknown[i]));
        assert_status(hf_event_decode(bytes, *state, &decoded, &error), HF_CORRUPT);
        snprintf(number, sizeof number, "kind %llu", (unsigned long long)unknown[i]);
        assert_non_null(strstr(error.message, number));
    }
}

/* An event without a kind is refused. */
static void test_event_without_kind_is_corrupt(void **state)
{
    struct hf_event event;
    assert_status(hf_event_decode(BYTES("\x80"), *state, &event, NULL), HF_CORRUPT);
    assert_status(hf_event_decode(BYTES("\x81\x00\x00"), *state, &event, NULL), HF_CORRUPT);
    assert_status(hf_event_decode(BYTES("\x81\x02\xa1x"), *state, &event, NULL), HF_CORRUPT);
}

/* Each field that a kind needs is missed when it is absent; the message names kind and field. */
static void test_missing_fields_of_a_kind_are_corrupt(void **state)
{
    static const struct {
        uint64_t kind;
        const char *field;
        size_t offset, size;
    } needs[] = {
#define NEED(kind, member)                                                                         \
    { kind, #member, offsetof(struct hf_event, member), sizeof(((struct hf_event *)0)->member) }
        NEED(HF_EVENT_STARTED, name),
        NEED(HF_EVENT_FAILED, status),
        NEED(HF_EVENT_ACTIVITY_SCHEDULED, name),
        NEED(HF_EVENT_ACTIVITY_COMPLETED, source),
        NEED(HF_EVENT_ACTIVITY_FAILED, source),
        NEED(HF_EVENT_ACTIVITY_FAILED, status),
        NEED(HF_EVENT_FUTURE_CANCELLED, source),
        NEED(HF_EVENT_TIMER_FIRED, source),
        NEED(HF_EVENT_MAILBOX_WAITED, name),
        NEED(HF_EVENT_MAILBOX_MESSAGE, name),
        NEED(HF_EVENT_SESSION_OPENED, text),
        NEED(HF_EVENT_SESSION_OPENED, incarnation),
        NEED(HF_EVENT_SESSION_CLOSED, text),
#undef NEED
    };
    for (size_t i = 0; i < HF_COUNT_OF(needs); i++) {
        struct hf_event event = filled_event(needs[i].kind, *state), decoded;
        memset((char *)&event + needs[i].offset, 0, needs[i].size);
        hf_slice bytes = hf_encode(hf_event_layout(), &event, *state);
        hf_error error;
        assert_status(hf_event_decode(bytes, *state, &decoded, &error), HF_CORRUPT);
        assert_non_null(strstr(error.message, needs[i].field));
        assert_non_null(strstr(error.message, hf_event_kind_name(needs[i].kind)));
    }
}

/* The smallest event of each kind: what its kind needs, and nothing more. An empty payload or
 * reason is simply absent. */
static void test_smallest_events_survive(void **state)
{
    static const struct hf_event events[] = {
        { .kind = HF_EVENT_STARTED, .name = HF_SLICE("f") },
        { .kind = HF_EVENT_COMPLETED },
        { .kind = HF_EVENT_FAILED, .status = HF_FAILED },
        { .kind = HF_EVENT_CANCELLED },
        { .kind = HF_EVENT_CONTINUED },
        { .kind = HF_EVENT_TERMINATED },
        { .kind = HF_EVENT_ACTIVITY_SCHEDULED, .name = HF_SLICE("f") },
        { .kind = HF_EVENT_ACTIVITY_COMPLETED, .source = 1 },
        { .kind = HF_EVENT_ACTIVITY_FAILED, .source = 1, .status = HF_FAILED },
        { .kind = HF_EVENT_FUTURE_CANCELLED, .source = 1 },
        { .kind = HF_EVENT_TIMER_CREATED },
        { .kind = HF_EVENT_TIMER_FIRED, .source = 1 },
        { .kind = HF_EVENT_MAILBOX_WAITED, .name = HF_SLICE("q") },
        { .kind = HF_EVENT_MAILBOX_MESSAGE, .name = HF_SLICE("q") },
        { .kind = HF_EVENT_CANCEL_REQUESTED },
        { .kind = HF_EVENT_SESSION_OPENED, .text = HF_SLICE("s"), .incarnation = 1 },
        { .kind = HF_EVENT_SESSION_CLOSED, .text = HF_SLICE("s") },
        { .kind = HF_EVENT_STATUS_SET },
        { .kind = HF_EVENT_TIME_READ },
        { .kind = HF_EVENT_RANDOM_DRAWN, .payload = HF_SLICE("x") },
        { .kind = HF_EVENT_PATCHED, .name = HF_SLICE("c") },
        { .kind = HF_EVENT_KV_SET, .name = HF_SLICE("k") },
        { .kind = HF_EVENT_KV_CLEARED },
        { .kind = HF_EVENT_VERSION_CHOSEN, .version = HF_SLICE("2.0.0") },
        { .kind = HF_EVENT_DETACHED_STARTED, .name = HF_SLICE("f"), .text = HF_SLICE("i") },
    };
    for (size_t i = 0; i < HF_COUNT_OF(events); i++) assert_event_survives(&events[i], *state);
}

/* Whether a kind is a command or a message, by the list of the header. */
static void test_commands_and_messages_are_told_apart(void **state)
{
    static const uint64_t commands[] = { 10, 13, 14, 16, 19, 20, 21, 22,
                                         24, 27, 28, 29, 30, 31, 32, 33 };
    static const uint64_t messages[] = { 11, 12, 15, 17, 18, 23, 25, 26 };
    (void)state;
    for (uint64_t kind = 0; kind < KIND_NUMBERS_MAX; kind++) {
        bool is_command = false, is_message = false;
        for (size_t i = 0; i < HF_COUNT_OF(commands); i++) is_command |= commands[i] == kind;
        for (size_t i = 0; i < HF_COUNT_OF(messages); i++) is_message |= messages[i] == kind;
        assert_int_equal(hf_event_is_command(kind), is_command);
        assert_int_equal(hf_event_is_message(kind), is_message);
    }
    assert_false(hf_event_is_command(UINT64_MAX));
    assert_false(hf_event_is_message(UINT64_MAX));
}

/* Names of kinds are stable words; a number that is no kind has none. */
static void test_kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(hf_event_kind_name(HF_EVENT_STARTED), "started");
    assert_string_equal(hf_event_kind_name(HF_EVENT_TERMINATED), "terminated");
    assert_string_equal(hf_event_kind_name(HF_EVENT_ACTIVITY_SCHEDULED), "activity_scheduled");
    assert_string_equal(hf_event_kind_name(HF_EVENT_STATUS_SET), "status_set");
    assert_string_equal(hf_event_kind_name(0), "?");
    assert_string_equal(hf_event_kind_name(8), "?");
    assert_string_equal(hf_event_kind_name(UINT64_MAX), "?");
}

/* An ActivityScheduled event without a session field reads as "no session". */
static void case_16_4_scheduled_event_without_session_has_no_session(void **state)
{
    static const hf_slice kept = HF_SLICE("\x82\x00\x0a\x02\xa1"
                                          "f");
    struct hf_event event;
    hf_error error;
    assert_ok(hf_event_decode(kept, *state, &event, &error), &error);
    assert_true(hf_slice_equal(event.name, hf_text("f")));
    assert_int_equal(event.incarnation, 0);
    assert_int_equal(event.text.size, 0);
}

/* SessionOpened and SessionClosed survive encoding and decoding unchanged. */
static void case_16_5_session_events_survive_unchanged(void **state)
{
    static const uint64_t kinds[] = { HF_EVENT_SESSION_OPENED, HF_EVENT_SESSION_CLOSED };
    for (size_t i = 0; i < HF_COUNT_OF(kinds); i++) {
        struct hf_event event = { .kind = kinds[i],
                                  .text = HF_SLICE("s\xc3\xa9"),
                                  .incarnation = 300 };
        struct hf_event decoded;
        hf_error error;
        hf_slice bytes = hf_event_encode(&event, *state);
        assert_ok(hf_event_decode(bytes, *state, &decoded, &error), &error);
        assert_int_equal(decoded.kind, kinds[i]);
        assert_true(hf_slice_equal(decoded.text, hf_text("s\xc3\xa9")));
        assert_int_equal(decoded.incarnation, 300);
        assert_true(layout_equal(hf_event_layout(), &event, &decoded));
        hf_slice again = hf_event_encode(&decoded, *state);
        assert_true(hf_slice_equal(bytes, again));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_ARENA(test_every_kind_survives_a_round_trip),
        TEST_WITH_ARENA(test_layout_covers_the_struct),
        TEST_WITH_ARENA(test_scheduled_event_has_these_bytes),
        TEST_WITH_ARENA(test_cut_events_are_corrupt),
        TEST_WITH_ARENA(test_changed_events_decode_or_are_corrupt),
        TEST_WITH_ARENA(test_unknown_kinds_are_corrupt),
        TEST_WITH_ARENA(test_event_without_kind_is_corrupt),
        TEST_WITH_ARENA(test_missing_fields_of_a_kind_are_corrupt),
        TEST_WITH_ARENA(test_smallest_events_survive),
        TEST_WITH_ARENA(test_commands_and_messages_are_told_apart),
        TEST_WITH_ARENA(test_kinds_have_names),
        TEST_WITH_ARENA(case_16_4_scheduled_event_without_session_has_no_session),
        TEST_WITH_ARENA(case_16_5_session_events_survive_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
