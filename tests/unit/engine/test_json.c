/* The JSON writer: what it prints, byte for byte. */
#include "tests/support/hf_test.h"

#include <string.h>

#include "engine/event.h"
#include "engine/json.h"
#include "engine/record.h"

#define BYTES(literal) hf_bytes(literal, sizeof(literal) - 1)

static int json_setup(void **state)
{
    struct hf_json *json = hf_heap_new(hf_heap_default(), sizeof *json);
    if (!json) return -1;
    hf_json_init(json, hf_heap_default());
    *state = json;
    return 0;
}

static int json_teardown(void **state)
{
    hf_json_release(*state);
    hf_heap_free(hf_heap_default(), *state, sizeof(struct hf_json));
    return 0;
}

static void assert_written(struct hf_json *json, const char *expected)
{
    hf_slice written = hf_json_written(json);
    if (!hf_slice_equal(written, hf_text(expected))) {
        fail_msg("wrote " HF_FMT "\nnot   %s", HF_ARG(written), expected);
    }
    hf_json_reset(json);
}

/* Commas stand between values and nowhere else, whatever is nested. */
static void test_commas_stand_between_values(void **state)
{
    struct hf_json *json = *state;
    hf_json_begin(json, '{');
    hf_json_key(json, "a");
    hf_json_number(json, 0);
    hf_json_key(json, "b");
    hf_json_begin(json, '[');
    hf_json_boolean(json, true);
    hf_json_begin(json, '[');
    hf_json_end(json, ']');
    hf_json_begin(json, '{');
    hf_json_end(json, '}');
    hf_json_boolean(json, false);
    hf_json_end(json, ']');
    hf_json_key(json, "c");
    hf_json_text(json, hf_text("x"));
    hf_json_end(json, '}');
    assert_written(json, "{\"a\":0,\"b\":[true,[],{},false],\"c\":\"x\"}");
}

/* The largest number is printed in full. */
static void test_numbers_are_exact(void **state)
{
    hf_json_number(*state, UINT64_MAX);
    assert_written(*state, "18446744073709551615");
}

/* What JSON or a terminal would take as its own is escaped; other UTF-8 is not. */
static void test_text_is_escaped(void **state)
{
    hf_json_text(*state,
                 hf_text("a\"b\\c/\n\x01\x1b[0m\x7f\xc2\x85\xc2\xa0\xc3\xa9\xf0\x9f\x8c\x8d"));
    assert_written(*state, "\"a\\\"b\\\\c/\\u000a\\u0001\\u001b[0m\\u007f\\u0085\xc2\xa0\xc3\xa9"
                           "\xf0\x9f\x8c\x8d\"");
    hf_json_text(*state, BYTES("\x00z"));
    assert_written(*state, "\"\\u0000z\"");
    hf_json_text(*state, (hf_slice)HF_EMPTY);
    assert_written(*state, "\"\"");
}

/* Text that is not UTF-8 after all is printed as its bytes, so that the line stays JSON. */
static void test_text_of_other_bytes_is_hex(void **state)
{
    hf_json_text(*state, hf_text("a\xff"));
    assert_written(*state, "{\"hex\":\"61ff\"}");
}

/* Bytes are text where they can be, and hexadecimal where not. */
static void test_bytes_are_text_or_hex(void **state)
{
    hf_json_bytes(*state, hf_text("{\"n\": \"\xc3\xa9\"}"));
    assert_written(*state, "\"{\\\"n\\\": \\\"\xc3\xa9\\\"}\"");
    hf_json_bytes(*state, BYTES("a\nb"));
    assert_written(*state, "{\"hex\":\"610a62\"}");
    hf_json_bytes(*state, BYTES("\x00\xff\x10"));
    assert_written(*state, "{\"hex\":\"00ff10\"}");
    hf_json_bytes(*state, BYTES("\xc2\x9b"));
    assert_written(*state, "{\"hex\":\"c29b\"}");
    hf_json_bytes(*state, (hf_slice)HF_EMPTY);
    assert_written(*state, "\"\"");
}

/* A struct is one object with all its fields, empty ones too, and its lists are arrays of objects.
 */
static void test_layout_prints_every_field(void **state)
{
    struct hf_carried_session sessions[] = { { .incarnation = 1, .id = HF_SLICE("s") },
                                             { .incarnation = 2, .id = HF_SLICE("t") } };
    struct hf_event event = { .kind = HF_EVENT_STARTED,
                              .name = HF_SLICE("f"),
                              .payload = HF_SLICE("\xff"),
                              .sessions = { sessions, 2 } };
    hf_json_layout(*state, hf_event_layout(), &event);
    assert_written(*state,
                   "{\"kind\":1,\"source\":0,\"name\":\"f\",\"payload\":{\"hex\":\"ff\"},"
                   "\"text\":\"\",\"incarnation\":0,\"due_unix_ms\":0,\"status\":0,"
                   "\"code\":\"\",\"sessions\":[{\"incarnation\":1,\"id\":\"s\",\"tag\":\"\"},"
                   "{\"incarnation\":2,\"id\":\"t\",\"tag\":\"\"}],\"incarnations_count\":0,"
                   "\"generated_ids_count\":0,\"tag\":\"\",\"recovery\":0,"
                   "\"parent_execution\":0,\"now_unix_ms\":0,\"due_is_given\":0,"
                   "\"version\":\"\",\"start_due_unix_ms\":0,"
                   "\"heartbeat_timeout_ms\":0}");
}

/* A record among the values of a larger object. */
static void test_layout_stands_inside_an_object(void **state)
{
    struct hf_turn_lost lost = { .instance = 7, .head = 9, .reason = HF_REASON_DEAD };
    struct hf_json *json = *state;
    hf_json_begin(json, '{');
    hf_json_key(json, "lsn");
    hf_json_number(json, 12);
    hf_json_key(json, "body");
    hf_json_layout(json, hf_record_layout(HF_RECORD_TURN_LOST), &lost);
    hf_json_end(json, '}');
    assert_written(json, "{\"lsn\":12,\"body\":{\"instance\":7,\"head\":9,\"registration\":0,"
                         "\"reason\":2}}");
}

/* An allocator that has `left` bytes to give. */
static void *limited_resize(void *self, void *block, size_t old_size, size_t new_size)
{
    size_t *left = self;
    if (new_size > *left + old_size) return NULL;
    const hf_allocator *heap = hf_heap_default();
    void *resized = heap->resize(heap->self, block, old_size, new_size);
    *left = *left + old_size - new_size;
    return resized;
}

/* When memory runs out nothing is written, not even the beginning; after a reset there is a new
 * chance. */
static void test_no_memory_leaves_no_half_line(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 64; limit++) {
        size_t left = limit;
        const hf_allocator heap = { sizeof heap, &left, limited_resize };
        struct hf_json json;
        hf_json_init(&json, &heap);
        for (int i = 0; i < 40; i++) hf_json_number(&json, 8);
        assert_true(json.failed);
        assert_null(hf_json_written(&json).data);
        hf_json_reset(&json);
        if (limit >= 8) {
            hf_json_number(&json, 8);
            assert_written(&json, "8");
        }
        hf_json_release(&json);
        assert_int_equal(left, limit);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, json_setup, json_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_commas_stand_between_values),
        TEST(test_numbers_are_exact),
        TEST(test_text_is_escaped),
        TEST(test_text_of_other_bytes_is_hex),
        TEST(test_bytes_are_text_or_hex),
        TEST(test_layout_prints_every_field),
        TEST(test_layout_stands_inside_an_object),
        TEST(test_no_memory_leaves_no_half_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
