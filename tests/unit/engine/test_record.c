/* Log records: every kind survives encoding, damage is refused, and the bytes on disk are what the
 * format says. */
#include "tests/support/hf_test.h"

#include <string.h>

#include "engine/record.h"
#include "tests/unit/engine/layouts.h"

static hf_slice filled_record(enum hf_record_kind kind, struct hf_arena *arena)
{
    const struct hf_layout *layout = hf_record_layout(kind);
    union hf_record_body body;
    assert_non_null(layout);
    assert_true(layout->size <= sizeof body);
    layout_fill(layout, &body, arena);
    return layout_round_trip(layout, &body, arena);
}

/* A record of any kind with all its fields comes back as it was. */
static void test_every_kind_survives_a_round_trip(void **state)
{
    for (unsigned kind = 1; kind <= HF_RECORD_KIND_MAX; kind++) {
        filled_record((enum hf_record_kind)kind, *state);
    }
}

static void assert_whole_layout(const struct hf_layout *layout)
{
    assert_int_equal(layout_fields_size(layout), layout->size);
    for (size_t i = 0; i < layout->fields_count; i++) {
        const struct hf_field *field = &layout->fields[i];
        assert_true(field->key <= 127);
        if (i > 0) assert_true(field->key > field[-1].key);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(field->offset, layout->fields[j].offset);
            assert_string_not_equal(field->name, layout->fields[j].name);
        }
        assert_int_equal(field->type == HF_FIELD_LIST, field->of != NULL);
        if (field->of) assert_whole_layout(field->of);
    }
}

/* Each layout lists every member of its struct once, by rising keys. */
static void test_every_layout_covers_its_struct(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind <= HF_RECORD_KIND_MAX; kind++) {
        assert_whole_layout(hf_record_layout((enum hf_record_kind)kind));
    }
}

/* Numbers that name no kind have no layout. */
static void test_unknown_kinds_have_no_layout(void **state)
{
    (void)state;
    assert_null(hf_record_layout((enum hf_record_kind)0));
    assert_null(hf_record_layout((enum hf_record_kind)(HF_RECORD_KIND_MAX + 1)));
}

/* A record that is cut off anywhere is refused. */
static void test_cut_records_are_corrupt(void **state)
{
    for (unsigned kind = 1; kind <= HF_RECORD_KIND_MAX; kind++) {
        hf_slice bytes = filled_record((enum hf_record_kind)kind, *state);
        layout_refuses_prefixes(hf_record_layout((enum hf_record_kind)kind), bytes);
    }
}

/* A record with one changed byte is refused, or is another record that can be written and read. */
static void test_changed_records_decode_or_are_corrupt(void **state)
{
    for (unsigned kind = 1; kind <= HF_RECORD_KIND_MAX; kind++) {
        hf_slice bytes = filled_record((enum hf_record_kind)kind, *state);
        const struct hf_layout *layout = hf_record_layout((enum hf_record_kind)kind);
        assert_int_not_equal(layout_survives_mutations(layout, bytes), 0);
    }
}

/* A field that must be there is missed, whichever it is. */
static void test_every_required_field_is_missed(void **state)
{
    for (unsigned kind = 1; kind <= HF_RECORD_KIND_MAX; kind++) {
        struct hf_layout layout = *hf_record_layout((enum hf_record_kind)kind);
        struct hf_field fields[32];
        union hf_record_body body;
        assert_true(layout.fields_count <= HF_COUNT_OF(fields));
        for (size_t i = 0; i < layout.fields_count; i++) {
            memcpy(fields, layout.fields, layout.fields_count * sizeof fields[0]);
            if (!fields[i].required) continue;
            fields[i].required = false; /* so that it can be written without it */
            struct hf_layout lax = { layout.name, layout.size, fields, layout.fields_count };
            layout_fill(&lax, &body, *state);
            memset((char *)&body + fields[i].offset, 0, sizeof(uint64_t));
            if (fields[i].type != HF_FIELD_NUMBER) {
                memset((char *)&body + fields[i].offset, 0, sizeof(hf_slice));
            }
            hf_slice bytes = hf_encode(&lax, &body, *state);
            hf_error error;
            assert_status(hf_decode(&layout, bytes, *state, &body, &error), HF_CORRUPT);
            assert_non_null(strstr(error.message, fields[i].name));
            assert_non_null(strstr(error.message, layout.name));
        }
    }
}

/* A record's bytes: a map with the numbers of the fields as keys, by rising number, nothing that is
 * empty. */
static void test_message_record_has_these_bytes(void **state)
{
    static const char expected[] = "\x82\x01\xcd\x01\x00\x02\xc4\x03"
                                   "abc";
    struct hf_message_record record = { .instance = 256, .body = HF_SLICE("abc") };
    hf_slice bytes = hf_encode(hf_record_layout(HF_RECORD_MESSAGE), &record, *state);
    assert_int_equal(bytes.size, sizeof expected - 1);
    assert_memory_equal(bytes.data, expected, bytes.size);
}

/* Slices of a decoded record point into its body, so that a payload's place there is known. */
static void test_decoded_slices_point_into_the_body(void **state)
{
    struct hf_message_record record = { .instance = 1, .body = HF_SLICE("abc") };
    hf_slice bytes = hf_encode(hf_record_layout(HF_RECORD_MESSAGE), &record, *state);
    hf_error error;
    assert_ok(hf_decode(hf_record_layout(HF_RECORD_MESSAGE), bytes, *state, &record, &error),
              &error);
    assert_ptr_equal(record.body.data, bytes.data + 6);
    assert_int_equal(record.body.size, 3);
}

/* A turn with one item on instance 1, execution 1, head 5, running; the item's map is given. */
#define TURN_WITH_ITEM(item) "\x85\x01\x01\x02\x01\x03\x05\x08\x91" item "\x0e\x01"

static struct hf_turn_committed turn_with_item(struct hf_turn_item *item)
{
    return (struct hf_turn_committed){ .instance = 1,
                                       .execution = 1,
                                       .head = 5,
                                       .items = { item, 1 },
                                       .outcome = HF_OUTCOME_RUNNING };
}

static void assert_turn_bytes(struct hf_turn_item *item, hf_slice expected, struct hf_arena *arena)
{
    struct hf_turn_committed turn = turn_with_item(item);
    hf_slice bytes = layout_round_trip(hf_record_layout(HF_RECORD_TURN_COMMITTED), &turn, arena);
    assert_int_equal(bytes.size, expected.size);
    assert_memory_equal(bytes.data, expected.data, expected.size);
}

/* An item without a session has no session field in its record. */
static void case_16_1_ordinary_item_has_no_session_field(void **state)
{
    static const hf_slice expected = HF_SLICE(TURN_WITH_ITEM("\x81\x01\x07"));
    struct hf_turn_item item = { .event_id = 7 };
    assert_turn_bytes(&item, expected, *state);
}

/* An item with a session has it. */
static void case_16_2_session_item_has_its_session_field(void **state)
{
    static const hf_slice expected = HF_SLICE(TURN_WITH_ITEM("\x82\x01\x07\x02\x03"));
    struct hf_turn_item item = { .event_id = 7, .incarnation = 3 };
    assert_turn_bytes(&item, expected, *state);
}

/* The kept bytes of an item record without the session key decode as "no session". */
static void case_16_3_kept_item_without_session_key_has_no_session(void **state)
{
    static const hf_slice kept = HF_SLICE(TURN_WITH_ITEM("\x81\x01\x07"));
    struct hf_turn_committed turn;
    hf_error error;
    assert_ok(hf_decode(hf_record_layout(HF_RECORD_TURN_COMMITTED), kept, *state, &turn, &error),
              &error);
    assert_int_equal(turn.items.count, 1);
    const struct hf_turn_item *item = turn.items.items;
    assert_int_equal(item->event_id, 7);
    assert_int_equal(item->incarnation, 0);
    assert_int_equal(item->tag.size, 0);
}

/* A turn with very many commands needs no more stack than one with few. */
static void test_turn_with_100000_commands_survives(void **state)
{
    enum { COMMANDS_COUNT = 100000 };
    struct hf_turn_event *events = hf_arena_array(*state, COMMANDS_COUNT, sizeof *events);
    assert_non_null(events);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        events[i] = (struct hf_turn_event){ i + 1, HF_SLICE("body") };
    }
    struct hf_turn_committed turn = { .instance = 1,
                                      .execution = 1,
                                      .head = 1,
                                      .events = { events, COMMANDS_COUNT },
                                      .outcome = HF_OUTCOME_RUNNING };
    layout_round_trip(hf_record_layout(HF_RECORD_TURN_COMMITTED), &turn, *state);
}

/* Each reason has a name of its own; other numbers have none. */
static void test_reasons_have_names(void **state)
{
    (void)state;
    assert_string_equal(hf_reason_name(HF_REASON_NONE), "none");
    assert_string_equal(hf_reason_name(HF_REASON_DEAD), "dead");
    assert_string_equal(hf_reason_name(HF_REASON_UNREGISTERED), "unregistered");
    assert_string_equal(hf_reason_name(HF_REASON_OWN), "own");
    assert_string_equal(hf_reason_name(HF_REASON_OWN + 1), "?");
    assert_string_equal(hf_reason_name(UINT64_MAX), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_ARENA(test_every_kind_survives_a_round_trip),
        TEST_WITH_ARENA(test_every_layout_covers_its_struct),
        TEST_WITH_ARENA(test_unknown_kinds_have_no_layout),
        TEST_WITH_ARENA(test_cut_records_are_corrupt),
        TEST_WITH_ARENA(test_changed_records_decode_or_are_corrupt),
        TEST_WITH_ARENA(test_every_required_field_is_missed),
        TEST_WITH_ARENA(test_message_record_has_these_bytes),
        TEST_WITH_ARENA(test_decoded_slices_point_into_the_body),
        TEST_WITH_ARENA(case_16_1_ordinary_item_has_no_session_field),
        TEST_WITH_ARENA(case_16_2_session_item_has_its_session_field),
        TEST_WITH_ARENA(case_16_3_kept_item_without_session_key_has_no_session),
        TEST_WITH_ARENA(test_turn_with_100000_commands_survives),
        TEST_WITH_ARENA(test_reasons_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
