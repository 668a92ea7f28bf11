/* docs/format.md against the layouts of the code: records, events and rows, their kinds and fields.
 * Numbers, names and tables are in test_format_numbers.c, what only a store can show in
 * test_format_store.c. Each case tells of all differences before it fails. */
#include "tests/docs/page.h"

#include <stdio.h>
#include <string.h>

#include "engine/event.h"
#include "engine/history.h"
#include "engine/record.h"
#include "indexes/rows_internal.h"

enum { LAYOUTS_MAX = 64, NUMBERS_MAX = 256, KEPT_KEYS_FIRST = 96, TEXT_SIZE = 160 };

/* ---- layouts -------------------------------------------------------------------------------- */

struct layouts {
    const struct hf_layout *all[LAYOUTS_MAX];
    size_t count;
};

static void layouts_add(struct layouts *layouts, const struct hf_layout *layout)
{
    assert_non_null(layout);
    for (size_t i = 0; i < layouts->count; i++) {
        if (layouts->all[i] == layout) return;
    }
    assert_true(layouts->count < LAYOUTS_MAX);
    layouts->all[layouts->count++] = layout;
}

/* Adds the layouts of the elements of all lists, and of their lists. */
static void layouts_add_elements(struct layouts *layouts)
{
    for (size_t i = 0; i < layouts->count; i++) {
        for (size_t j = 0; j < layouts->all[i]->fields_count; j++) {
            const struct hf_field *field = &layouts->all[i]->fields[j];
            if (field->type == HF_FIELD_LIST) layouts_add(layouts, field->of);
        }
    }
}

static struct layouts layouts_of_records(void)
{
    struct layouts layouts = { .count = 0 };
    for (int kind = 1; kind <= HF_RECORD_KIND_MAX; kind++) {
        layouts_add(&layouts, hf_record_layout((enum hf_record_kind)kind));
    }
    layouts_add_elements(&layouts);
    return layouts;
}

static struct layouts layouts_of_all(void)
{
    struct layouts layouts = layouts_of_records();
    layouts_add(&layouts, hf_event_layout());
    layouts_add(&layouts, hf_history_layout());
    layouts_add_elements(&layouts);
    layouts_add(&layouts, &hf__row_instance_layout);
    layouts_add(&layouts, &hf__row_item_layout);
    layouts_add(&layouts, &hf__row_session_layout);
    layouts_add(&layouts, &hf__row_registration_layout);
    layouts_add(&layouts, &hf__row_dead_letter_layout);
    return layouts;
}

static const char *type_name(const struct hf_field *field, char text[TEXT_SIZE])
{
    switch (field->type) {
    case HF_FIELD_NUMBER: return "number";
    case HF_FIELD_BYTES: return "bytes";
    case HF_FIELD_TEXT: return "text";
    case HF_FIELD_LIST: break;
    }
    snprintf(text, TEXT_SIZE, "list of %s", field->of->name);
    return text;
}

static void layout_compare(struct page *page, const struct hf_layout *layout)
{
    const struct page_table *table = page_find(page, layout->name, 0);
    if (!table) {
        page_differs(page, "there is no table of %s", layout->name);
        return;
    }
    page_expect_rows(page, table, layout->fields_count);
    for (size_t i = 0; i < layout->fields_count && i < table->rows_count; i++) {
        const struct hf_field *field = &layout->fields[i];
        char text[TEXT_SIZE];
        snprintf(text, sizeof text, "%u", field->key);
        page_expect(page, table, i, "key", text);
        page_expect(page, table, i, "field", field->name);
        page_expect(page, table, i, "type", type_name(field, text));
        page_expect(page, table, i, "required", field->required ? "yes" : "");
    }
}

/* Every map on disk has its table, with the same keys, fields, types and requirements. */
static void test_every_layout_is_on_the_page(void **state)
{
    struct page *page = *state;
    struct layouts layouts = layouts_of_all();
    for (size_t i = 0; i < layouts.count; i++) layout_compare(page, layouts.all[i]);
    page_assert_same(page);
}

/* Every table of fields on the page is that of a map on disk, and there is one of each. */
static void test_every_table_of_fields_is_a_layout(void **state)
{
    struct page *page = *state;
    struct layouts layouts = layouts_of_all();
    size_t tables_count = 0;
    for (size_t i = 0; i < page->tables_count; i++) {
        const struct page_table *table = &page->tables[i];
        if (strcmp(table->columns[0], "key") != 0 || strcmp(table->columns[1], "field") != 0) {
            continue;
        }
        bool is_known = false;
        for (size_t j = 0; j < layouts.count; j++) {
            if (strcmp(layouts.all[j]->name, table->heading) == 0) is_known = true;
        }
        if (!is_known) page_differs(page, "%s is no layout", table->heading);
        tables_count++;
    }
    assert_int_equal(tables_count, layouts.count);
    page_assert_same(page);
}

/* ---- records -------------------------------------------------------------------------------- */

/* The kinds of records have the numbers and names that the page gives them, and there are no
 * others.
 */
static void test_record_kinds_are_numbered_as_told(void **state)
{
    struct page *page = *state;
    const struct page_table *table = page_table(page, "Record kinds", 0);
    page_expect_rows(page, table, HF_RECORD_KIND_MAX);
    for (size_t i = 0; i < table->rows_count; i++) {
        uint64_t number = page_number(table, i, "number");
        assert_int_equal(number, i + 1);
        const struct hf_layout *layout = hf_record_layout((enum hf_record_kind)number);
        page_expect(page, table, i, "kind", layout ? layout->name : "none");
    }
    page_assert_same(page);
}

/* Numbers that are kept for later kinds are free. */
static void test_kept_numbers_are_free(void **state)
{
    const struct page_table *table = page_table(*state, "Record kinds", 1);
    for (size_t i = 0; i < table->rows_count; i++) {
        uint64_t number = page_number(table, i, "kept number");
        assert_null(hf_record_layout((enum hf_record_kind)number));
    }
    assert_true(table->rows_count > 0);
}

/* Kept keys are used by the layouts that the page names, and no others from the first of them on.
 */
static void test_kept_keys_are_used_as_told(void **state)
{
    struct page *page = *state;
    struct layouts layouts = layouts_of_records();
    const struct page_table *table = page_table(page, "Record kinds", 2);
    for (unsigned key = KEPT_KEYS_FIRST; key <= 127; key++) {
        char number[TEXT_SIZE], users[TEXT_SIZE] = "";
        size_t row = 0;
        for (size_t i = 0; i < layouts.count; i++) {
            for (size_t j = 0; j < layouts.all[i]->fields_count; j++) {
                if (layouts.all[i]->fields[j].key != key) continue;
                size_t size = strlen(users);
                snprintf(users + size, sizeof users - size, "%s%s", size > 0 ? ", " : "",
                         layouts.all[i]->name);
            }
        }
        snprintf(number, sizeof number, "%u", key);
        if (page_row(table, "kept key", number, &row)) {
            page_expect(page, table, row, "used by", users);
        } else if (users[0] != '\0') {
            page_differs(page, "key %u of %s is not among the kept ones", key, users);
        }
    }
    page_assert_same(page);
}

/* ---- events --------------------------------------------------------------------------------- */

/* The kinds of events have the numbers, names and roles that the page gives them, and there are no
 * others. */
static void test_event_kinds_are_numbered_as_told(void **state)
{
    struct page *page = *state;
    const struct page_table *table = page_table(page, "Event kinds", 0);
    size_t kinds_count = 0;
    for (unsigned kind = 0; kind < NUMBERS_MAX; kind++) {
        char number[TEXT_SIZE];
        size_t row = 0;
        const char *name = hf_event_kind_name(kind);
        if (strcmp(name, "?") == 0) continue;
        kinds_count++;
        snprintf(number, sizeof number, "%u", kind);
        if (!page_row(table, "number", number, &row)) {
            page_differs(page, "event kind %u (%s) is not on the page", kind, name);
            continue;
        }
        page_expect(page, table, row, "kind", name);
        page_expect(page, table, row, "role",
                    hf_event_is_command(kind)   ? "command"
                    : hf_event_is_message(kind) ? "message"
                                                : "mark");
    }
    page_expect_rows(page, table, kinds_count);
    page_assert_same(page);
}

/* An event in which every field holds something. */
static struct hf_event event_full(uint64_t kind, struct hf_carried_session *session)
{
    *session = (struct hf_carried_session){ .incarnation = 1, .id = hf_text("s") };
    return (struct hf_event){ .kind = kind,
                              .source = 1,
                              .name = hf_text("n"),
                              .payload = hf_text("p"),
                              .text = hf_text("t"),
                              .incarnation = 1,
                              .due_unix_ms = 1,
                              .status = 1,
                              .code = hf_text("c"),
                              .sessions = { session, 1 },
                              .incarnations_count = 1,
                              .generated_ids_count = 1,
                              .tag = hf_text("g"),
                              .recovery = 1,
                              .parent_execution = 1,
                              .now_unix_ms = 1,
                              .due_is_given = 1,
                              .version = hf_text("1.0.0"),
                              .start_due_unix_ms = 1,
                              .heartbeat_timeout_ms = 1 };
}

/* Whether an event of the kind is refused without the field. */
static bool event_needs(uint64_t kind, const struct hf_field *field, struct hf_arena *arena)
{
    struct hf_carried_session session;
    struct hf_event decoded, event = event_full(kind, &session);
    hf_slice whole = hf_encode(hf_event_layout(), &event, arena);
    assert_status(hf_event_decode(whole, arena, &decoded, NULL), HF_OK);
    size_t size = field->type == HF_FIELD_NUMBER ? sizeof(uint64_t)
                  : field->type == HF_FIELD_LIST ? sizeof(struct hf_list)
                                                 : sizeof(hf_slice);
    memset((char *)&event + field->offset, 0, size);
    hf_slice without = hf_encode(hf_event_layout(), &event, arena);
    hf_status status = hf_event_decode(without, arena, &decoded, NULL);
    if (status != HF_OK) assert_status(status, HF_CORRUPT);
    return status != HF_OK;
}

/* Whether the page's list of fields has the field, and whether it is bold there. */
static bool list_has(const char *list, const char *name, bool *out_is_bold)
{
    char part[PAGE_PART_SIZE];
    size_t size = strlen(name);
    while (page_part(&list, part)) {
        *out_is_bold = strncmp(part, "**", 2) == 0;
        const char *bare = part + (*out_is_bold ? 2 : 0);
        if (strncmp(bare, name, size) == 0 && strspn(bare + size, "*") == strlen(bare + size)) {
            return true;
        }
    }
    *out_is_bold = false;
    return false;
}

static size_t list_count(const char *list)
{
    char part[PAGE_PART_SIZE];
    size_t count = 0;
    while (page_part(&list, part)) count++;
    return count;
}

/* Of each kind exactly the bold fields are needed, and every field named is one. */
static void test_events_need_the_bold_fields(void **state)
{
    struct page *page = *state;
    struct hf_arena arena;
    const struct hf_layout *layout = hf_event_layout();
    const struct page_table *table = page_table(page, "Event kinds", 0);
    hf_arena_init(&arena, hf_heap_default());
    for (size_t row = 0; row < table->rows_count; row++) {
        const char *list = page_cell(table, row, "fields");
        uint64_t kind = page_number(table, row, "number");
        size_t known_count = 0;
        assert_string_equal(layout->fields[0].name, "kind");
        for (size_t i = 1; i < layout->fields_count; i++) {
            bool is_bold;
            if (list_has(list, layout->fields[i].name, &is_bold)) known_count++;
            if (event_needs(kind, &layout->fields[i], &arena) == is_bold) continue;
            page_differs(page, "event %s: %s is %s on the page", hf_event_kind_name(kind),
                         layout->fields[i].name, is_bold ? "bold" : "not bold");
        }
        if (known_count != list_count(list)) {
            page_differs(page, "event %s: not each of \"%s\" is a field", hf_event_kind_name(kind),
                         list);
        }
    }
    hf_arena_release(&arena);
    page_assert_same(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layout_is_on_the_page),
        cmocka_unit_test(test_every_table_of_fields_is_a_layout),
        cmocka_unit_test(test_record_kinds_are_numbered_as_told),
        cmocka_unit_test(test_kept_numbers_are_free),
        cmocka_unit_test(test_kept_keys_are_used_as_told),
        cmocka_unit_test(test_event_kinds_are_numbered_as_told),
        cmocka_unit_test(test_events_need_the_bold_fields),
    };
    return cmocka_run_group_tests(tests, page_format_setup, page_teardown);
}
