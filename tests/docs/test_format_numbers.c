/* docs/format.md against the numbers of the code: those with names, limits and versions, the tables
 * and their keys. Each case tells of all differences before it fails. */
#include "tests/docs/page.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/slice.h"
#include "engine/event.h"
#include "indexes/apply.h"
#include "logstore/identity.h"
#include "runtime/store.h"

enum { NUMBERS_MAX = 256, TEXT_SIZE = 160 };

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
    case HF_TIMER_START: return "start";
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
    case HF_EFFECT_CHANGED: return "changed";
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
        { "Recoveries", hf_event_recovery_name },
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

/* ---- limits and versions -------------------------------------------------------------------- */

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
        CONSTANT(HF_TABLE_COUNT),           CONSTANT(HF_ID_SIZE_MAX),
        CONSTANT(HF_TABLE_KEY_SIZE_MAX),    CONSTANT(HF_KEY_SIZE_MAX),
        CONSTANT(HF_CODEC_DEPTH_MAX),       CONSTANT(HF_LOG_PART_SIZE),
        CONSTANT(HF_LOG_PARTS_MAX),         CONSTANT(HF_PROGRESS_SIZE_MAX),
        CONSTANT(HF__PAYLOAD_SIZE_DEFAULT), CONSTANT(HF__PAYLOAD_SIZE_MAX),
        CONSTANT(HF__IDENTITY_SIZE_MAX),    CONSTANT(HF_PURGE_MAX),
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

/* ---- tables --------------------------------------------------------------------------------- */

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
    case HF_TABLE_KV: /* a text follows */
    case HF_TABLE_WRITERS: return hf_key_number(1);
    case HF_TABLE_HISTORY:
    case HF_TABLE_ITEMS:
    case HF_TABLE_TIMERS_BY_ID:
    case HF_TABLE_PROGRESS:
    case HF_TABLE_CHILDREN: return hf_key_item(&item);
    case HF_TABLE_INBOX:
    case HF_TABLE_TURN_LOCKS_OWNED:
    case HF_TABLE_DEAD_LETTERS:
    case HF_TABLE_FAMILIES:
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_have_the_names_told),
        cmocka_unit_test(test_limits_and_versions_are_as_told),
        cmocka_unit_test(test_tables_are_hard_or_soft_as_told),
        cmocka_unit_test(test_keys_are_made_as_told),
    };
    return cmocka_run_group_tests(tests, page_format_setup, page_teardown);
}
