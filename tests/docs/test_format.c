/* docs/format.md against the tables of the code: layouts, kinds, numbers, names, keys. What only a
 * store can show is in test_format_store.c. Each case tells of all differences before it fails. */
#include "tests/docs/page.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/slice.h"
#include "engine/event.h"
#include "indexes/apply.h"
#include "indexes/rows_internal.h"
#include "logstore/identity.h"
#include "runtime/store.h"

enum { LAYOUTS_MAX = 64, NUMBERS_MAX = 256, KEPT_KEYS_FIRST = 96, TEXT_SIZE = 160 };

/* ---- layouts ------------------------------------------------------------------------------------
 */

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
    layouts_add_elements(&layouts);
    layouts_add(&layouts, &hf__row_instance_layout);
    layouts_add(&layouts, &hf__row_item_layout);
    layouts_add(&layouts, &hf__row_session_layout);
    layouts_add(&layouts, &hf__row_registration_layout);
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

/* ---- records ------------------------------------------------------------------------------------
 */

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
    assert_int_equal(table->rows_count, 3);
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

/* ---- events -------------------------------------------------------------------------------------
 */

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
    *session = (struct hf_carried_session){ 1, hf_text("s") };
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
                              .generated_ids_count = 1 };
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

/* ---- numbers with names -------------------------------------------------------------------------
 * The compiler asks for each name here: a switch over an enum has a case for every number. */

static const char *outcome_name(uint64_t number)
{
    switch ((enum hf_outcome)number) {
    case HF_OUTCOME_RUNNING: return "running";
    case HF_OUTCOME_CONTINUED: return "continued";
    case HF_OUTCOME_COMPLETED: return "completed";
    case HF_OUTCOME_FAILED: return "failed";
    case HF_OUTCOME_CANCELLED: return "cancelled";
    }
    return "?";
}

static const char *status_name(uint64_t number)
{
    switch ((hf_instance_status)number) {
    case HF_INSTANCE_PENDING: return "pending";
    case HF_INSTANCE_RUNNING: return "running";
    case HF_INSTANCE_COMPLETED: return "completed";
    case HF_INSTANCE_FAILED: return "failed";
    case HF_INSTANCE_CANCELLED: return "cancelled";
    case HF_INSTANCE_TERMINATED: return "terminated";
    }
    return "?";
}

static const char *item_state_name(uint64_t number)
{
    switch ((enum hf_item_state)number) {
    case HF_ITEM_READY: return "ready";
    case HF_ITEM_RUNNING: return "running";
    case HF_ITEM_DELAYED: return "delayed";
    }
    return "?";
}

static const char *session_class_name(uint64_t number)
{
    switch ((enum hf_session_class)number) {
    case HF_SESSION_CLASS_ORPHANED: return "orphaned";
    case HF_SESSION_CLASS_OTHER: return "other";
    }
    return "?";
}

static const char *reclaim_kind_name(uint64_t number)
{
    switch ((enum hf_reclaim_kind)number) {
    case HF_RECLAIM_REGISTRATION: return "registration";
    case HF_RECLAIM_INSTANCE: return "instance";
    case HF_RECLAIM_SESSION: return "session";
    }
    return "?";
}

static const char *timer_kind_name(uint64_t number)
{
    switch ((enum hf_timer_kind)number) {
    case HF_TIMER_MESSAGE: return "message";
    case HF_TIMER_ITEM: return "item";
    }
    return "?";
}

static const char *effect_name(uint64_t number)
{
    switch ((enum hf_effect)number) {
    case HF_EFFECT_TURNS_DUE: return "turns_due";
    case HF_EFFECT_ITEMS_READY: return "items_ready";
    case HF_EFFECT_VOIDED: return "voided";
    case HF_EFFECT_ENDED: return "ended";
    case HF_EFFECT_TIMERS: return "timers";
    case HF_EFFECT_RECLAIM: return "reclaim";
    case HF_EFFECT_REGISTRATIONS: return "registrations";
    }
    return "?";
}

static void names_compare(struct page *page, const char *heading,
                          const char *(*name_of)(uint64_t number))
{
    const struct page_table *table = page_table(page, heading, 0);
    size_t count = 0;
    for (unsigned number = 0; number < NUMBERS_MAX; number++) {
        char text[TEXT_SIZE];
        size_t row = 0;
        if (strcmp(name_of(number), "?") == 0) continue;
        count++;
        snprintf(text, sizeof text, "%u", number);
        if (page_row(table, "number", text, &row)) {
            page_expect(page, table, row, "name", name_of(number));
        } else {
            page_differs(page, "%s: %u (%s) is not on the page", heading, number, name_of(number));
        }
    }
    assert_true(count > 1);
    page_expect_rows(page, table, count);
}

/* Reasons, outcomes and the other numbers that stand for something are the page's, both ways. */
static void test_numbers_have_the_names_told(void **state)
{
    static const struct {
        const char *heading;
        const char *(*name_of)(uint64_t number);
    } groups[] = {
        { "Reasons", hf_reason_name },
        { "Outcomes", outcome_name },
        { "Instance statuses", status_name },
        { "Item states", item_state_name },
        { "Session classes", session_class_name },
        { "Reclaim kinds", reclaim_kind_name },
        { "Timer kinds", timer_kind_name },
        { "Effects", effect_name },
    };
    for (size_t i = 0; i < HF_COUNT_OF(groups); i++) {
        names_compare(*state, groups[i].heading, groups[i].name_of);
    }
    page_assert_same(*state);
}

/* ---- limits and versions ------------------------------------------------------------------------
 */

struct constant {
    const char *name;
    uint64_t value;
};
#define CONSTANT(name)                                                                             \
    {                                                                                              \
#name, name                                                                                \
    }

static void constants_compare(struct page *page, const struct page_table *table,
                              const struct constant *constants, size_t count)
{
    page_expect_rows(page, table, count);
    for (size_t i = 0; i < count && i < table->rows_count; i++) {
        char value[TEXT_SIZE];
        snprintf(value, sizeof value, "%llu", (unsigned long long)constants[i].value);
        page_expect(page, table, i, "name in the code", constants[i].name);
        page_expect(page, table, i, "value", value);
    }
}

/* Limits and versions have the values that the page gives them. */
static void test_limits_and_versions_are_as_told(void **state)
{
    static const struct constant limits[] = {
        CONSTANT(HF_TABLE_COUNT),        CONSTANT(HF_ID_SIZE_MAX),
        CONSTANT(HF_TABLE_KEY_SIZE_MAX), CONSTANT(HF_KEY_SIZE_MAX),
        CONSTANT(HF_CODEC_DEPTH_MAX),    CONSTANT(HF_LOG_PART_SIZE),
        CONSTANT(HF_LOG_PARTS_MAX),      CONSTANT(HF__PAYLOAD_SIZE_DEFAULT),
        CONSTANT(HF__PAYLOAD_SIZE_MAX),  CONSTANT(HF__IDENTITY_SIZE_MAX),
        CONSTANT(HF_PURGE_MAX),
    };
    static const struct constant versions[] = {
        CONSTANT(HF__FORMAT_MAJOR),
        CONSTANT(HF__FORMAT_MINOR),
        CONSTANT(HF_FOLD_VERSION),
        CONSTANT(HF_LOG_FORMAT),
    };
    struct page *page = *state;
    constants_compare(page, page_table(page, "Limits", 0), limits, HF_COUNT_OF(limits));
    constants_compare(page, page_table(page, "Identity and versions", 1), versions,
                      HF_COUNT_OF(versions));
    page_assert_same(page);
}

/* ---- tables -------------------------------------------------------------------------------------
 */

static const char *class_name(enum hf_table table)
{
    switch (hf_table_class(table)) {
    case HF_TABLE_CLASS_LOG: return "log";
    case HF_TABLE_CLASS_META: return "meta";
    case HF_TABLE_CLASS_HARD: return "hard";
    case HF_TABLE_CLASS_SOFT: return "soft";
    }
    return "?";
}

/* All named databases are on the page, in their order, hard or soft as they are. */
static void test_tables_are_hard_or_soft_as_told(void **state)
{
    struct page *page = *state;
    const struct page_table *table = page_table(page, "Tables and their keys", 0);
    page_expect_rows(page, table, HF_TABLE_COUNT);
    for (size_t i = 0; i < table->rows_count && i < HF_TABLE_COUNT; i++) {
        page_expect(page, table, i, "table", hf_table_name((enum hf_table)i));
        page_expect(page, table, i, "class", class_name((enum hf_table)i));
    }
    page_assert_same(page);
}

/* A key of the table whose numbers are 1, 2, 3 ...; no bytes: its keys are texts. */
static struct hf_key key_counting(enum hf_table table)
{
    const struct hf_item_id item = { 1, 2, 3 };
    switch (table) {
    case HF_TABLE_LOG: return hf_key_log(&(struct hf_log_place){ 1, 2 });
    case HF_TABLE_INSTANCES:
    case HF_TABLE_REGISTRATIONS:
    case HF_TABLE_LEASES:
    case HF_TABLE_TURN_LOCKS:
    case HF_TABLE_WRITERS: return hf_key_number(1);
    case HF_TABLE_HISTORY:
    case HF_TABLE_ITEMS:
    case HF_TABLE_TIMERS_BY_ID: return hf_key_item(&item);
    case HF_TABLE_INBOX:
    case HF_TABLE_TURN_LOCKS_OWNED:
    case HF_TABLE_TURNS_HELD: return hf_key_pair(&(struct hf_number_pair){ 1, 2 });
    case HF_TABLE_TURNS_DUE: return hf_key_turn_due(&(struct hf_turn_due){ 1, 2, 3 });
    case HF_TABLE_ITEMS_READY: return hf_key_ready(&(struct hf_ready_place){ 1, { 2, 3 } });
    case HF_TABLE_ITEMS_RUNNING:
        return hf_key_running(&(struct hf_running_place){ 1, 2, { 3, 4 } });
    case HF_TABLE_SESSIONS: return hf_key_session(&(struct hf_session_id){ 1, 2 });
    case HF_TABLE_SESSION_ITEMS:
        return hf_key_session_item(&(struct hf_session_item_place){ { 1, 2 }, 3, { 4, 5 } });
    case HF_TABLE_SESSIONS_READY:
        return hf_key_session_ready(&(struct hf_session_ready_place){ 1, 2, 3, { 4, 5 } });
    case HF_TABLE_SESSIONS_OWNED:
        return hf_key_session_owned(&(struct hf_session_owned_place){ 1, { 2, 3 } });
    case HF_TABLE_TIMERS: return hf_key_timer(&(struct hf_timer_place){ 1, { 2, 3, 4 } });
    case HF_TABLE_TAG_NAMES: return hf_key_tag(1);
    case HF_TABLE_RECLAIM: return hf_key_reclaim(&(struct hf_reclaim_place){ 1, 2, 3 });
    case HF_TABLE_META:
    case HF_TABLE_INSTANCE_IDS:
    case HF_TABLE_WORKERS:
    case HF_TABLE_TAGS:
    case HF_TABLE_COMMAND_KEYS:
    case HF_TABLE_COUNT: break;
    }
    return (struct hf_key){ .size = 0 };
}

/* The key that the page describes, with the numbers 1, 2, 3 ..., most significant byte first. */
static struct hf_key key_told(const char *list)
{
    struct hf_key key = { .size = 0 };
    char part[PAGE_PART_SIZE];
    for (unsigned char number = 1; page_part(&list, part); number++) {
        size_t size = page_part_bytes(part);
        if (size == 0) break;
        assert_true(key.size + size <= HF_KEY_SIZE_MAX);
        key.size += size;
        key.bytes[key.size - 1] = number;
    }
    return key;
}

/* The keys of all tables are made of the numbers that the page lists, in its order and widths. */
static void test_keys_are_made_as_told(void **state)
{
    struct page *page = *state;
    const struct page_table *table = page_table(page, "Tables and their keys", 0);
    for (size_t i = 0; i < table->rows_count && i < HF_TABLE_COUNT; i++) {
        struct hf_key made = key_counting((enum hf_table)i);
        struct hf_key told = key_told(page_cell(table, i, "key"));
        if (hf_slice_equal(hf_bytes(made.bytes, made.size), hf_bytes(told.bytes, told.size))) {
            continue;
        }
        page_differs(page, "%s: a key is not \"%s\"", hf_table_name((enum hf_table)i),
                     page_cell(table, i, "key"));
    }
    page_assert_same(page);
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

static int page_setup(void **state)
{
    *state = page_read("format.md");
    return 0;
}

static int page_teardown(void **state)
{
    page_free(*state);
    return 0;
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
        cmocka_unit_test(test_numbers_have_the_names_told),
        cmocka_unit_test(test_limits_and_versions_are_as_told),
        cmocka_unit_test(test_tables_are_hard_or_soft_as_told),
        cmocka_unit_test(test_keys_are_made_as_told),
    };
    return cmocka_run_group_tests(tests, page_setup, page_teardown);
}
