/* The contract's reads: what they give is what was committed, whole and from the asked place on. */
#include "tests/unit/logstore/store_fixture.h"

#include <stdio.h>
#include <string.h>

static const struct hf_backend_ops *ops_of(const struct store_part *self)
{
    return self->backend->ops;
}

static struct hf_turn_view must_view(struct store_part *self, const struct hf_item_id *from)
{
    struct hf_turn_view view;
    assert_ok(ops_of(self)->turn_view(self->backend, from, &self->arena, &view, &self->error),
              &self->error);
    return view;
}

static struct hf_instance_info must_info(struct store_part *self, const char *id)
{
    struct hf_instance_info info;
    assert_ok(ops_of(self)->instance(self->backend, hf_text(id), &self->arena, &info, &self->error),
              &self->error);
    return info;
}

static void assert_slice(hf_slice slice, const char *text)
{
    assert_true(hf_slice_equal(slice, hf_text(text)));
}

/* An instance is told as it is, with its custom status and, once ended, its last event. */
static void test_instance_is_told_as_it_is(void **state)
{
    struct store_part *self = *state;
    store_must_fill(self);
    struct hf_instance_info info = must_info(self, "rich");
    assert_slice(info.id, "rich");
    assert_slice(info.orchestration, "o");
    assert_int_equal(info.status, HF_INSTANCE_RUNNING);
    assert_int_equal(info.execution, 1);
    assert_int_equal(info.events_count, 11);
    assert_slice(info.status_body, "event body");
    assert_int_equal(info.status_version, 1);
    assert_int_equal(info.output_body.size, 0);
    assert_int_equal(info.started_unix_ms, self->seams.wall_unix_ms);
    info = must_info(self, "ended");
    assert_int_equal(info.status, HF_INSTANCE_TERMINATED);
    assert_slice(info.output_body, "bye");
    assert_int_equal(info.ended_unix_ms, self->seams.wall_unix_ms);
}

/* Who is not there is not found, and an id that cannot be is refused. */
static void test_missing_instances_are_not_found(void **state)
{
    struct store_part *self = *state;
    struct hf_instance_info info;
    struct hf_turn_view view;
    char id[300];
    assert_status(
        ops_of(self)->instance(self->backend, hf_text("none"), &self->arena, &info, &self->error),
        HF_NOT_FOUND);
    assert_non_null(strstr(self->error.message, "none"));
    memset(id, 'x', sizeof id);
    assert_status(ops_of(self)->instance(self->backend, hf_bytes(id, sizeof id), &self->arena,
                                         &info, &self->error),
                  HF_INVALID);
    static const struct hf_item_id nowhere[] = { { 77, 1, 1 }, { 1, UINT64_MAX, 1 } };
    for (size_t i = 0; i < 2; i++) {
        assert_status(
            ops_of(self)->turn_view(self->backend, &nowhere[i], &self->arena, &view, &self->error),
            HF_NOT_FOUND);
    }
}

/* Pages of instances join without a gap, and end. */
static void test_instances_come_in_pages(void **state)
{
    struct store_part *self = *state;
    struct hf_instance_info *rows = NULL;
    struct hf_instances_query query = { .started_until_unix_ms = UINT64_MAX,
                                        .looked_max = 3,
                                        .out_more = true };
    size_t total = 0, count = 0;
    for (int i = 0; i < 7; i++) {
        char id[16];
        snprintf(id, sizeof id, "p-%d", i);
        store_must_start(self, id);
    }
    for (; query.out_more; total += count) {
        assert_ok(ops_of(self)->instances(self->backend, &query, &self->arena, &rows, &count,
                                          &self->error),
                  &self->error);
        for (size_t i = 0; i < count; i++) {
            char id[16];
            snprintf(id, sizeof id, "p-%zu", total + i);
            assert_slice(rows[i].id, id);
        }
        if (count < 3) assert_int_equal(total + count, 7);
    }
    assert_int_equal(total, 7);
}

/* A view has the events of one execution from the asked id on, in order, and the inbox by arrival;
 * its bodies are whole, also those of several parts. */
static void test_view_has_events_from_the_asked_id_and_the_inbox(void **state)
{
    struct store_part *self = *state;
    store_must_fill(self);
    struct hf_instance_info info = must_info(self, "rich");
    struct hf_turn_view view = must_view(self, &(struct hf_item_id){ info.number, 1, 1 });
    assert_slice(view.instance_id, "rich");
    assert_int_equal(view.next_event_id, 12);
    assert_int_equal(view.events_count, 11);
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(view.events[i].event_id, i + 1);
        assert_int_equal(view.events[i].unix_ms, self->seams.wall_unix_ms);
        assert_true(view.events[i].lsn > 0);
        assert_slice(view.events[i].body, i == 0 ? "in" : "event body");
    }
    assert_int_equal(view.messages_count, 1);
    assert_slice(view.messages[0].body, "given up");
    view = must_view(self, &(struct hf_item_id){ info.number, 1, 9 });
    assert_int_equal(view.events_count, 3);
    assert_int_equal(view.events[0].event_id, 9);
    view = must_view(self, &(struct hf_item_id){ info.number, 1, 12 });
    assert_int_equal(view.events_count, 0);
    info = must_info(self, "keyed");
    view = must_view(self, &(struct hf_item_id){ info.number, 1, 1 });
    assert_int_equal(view.messages_count, 1);
    struct hf_store_command same = command_message(self, "keyed", 200000);
    assert_true(hf_slice_equal(view.messages[0].body, same.message.body));
}

/* A view of one execution has nothing of the next. */
static void test_view_of_an_execution_has_nothing_of_the_next(void **state)
{
    struct store_part *self = *state;
    uint64_t instance = store_must_start(self, "a");
    uint64_t registration = store_must_register(self, "w");
    struct hf_turn_grant grant = store_must_fetch_turn(self, registration);
    struct hf_turn_event events[] = { { .event_id = 2, .body = HF_SLICE("last") } };
    struct hf_turn_committed turn = {
        .execution = 1,
        .engine_version = grant.engine_version,
        .events = { events, 1 },
        .outcome = HF_OUTCOME_CONTINUED,
        .output_event = 2,
        .next_body = HF_SLICE("again"),
    };
    struct hf_store_command command = {
        .kind = HF_STORE_COMMIT_TURN,
        .commit_turn = { .token = grant.token, .registration = registration, .turn = &turn },
    };
    store_must_commit(self, &command);
    struct hf_turn_view view = must_view(self, &(struct hf_item_id){ instance, 2, 1 });
    assert_int_equal(view.events_count, 1);
    assert_slice(view.events[0].body, "again");
    view = must_view(self, &(struct hf_item_id){ instance, 1, 1 });
    for (size_t i = 0; i < view.events_count; i++) {
        assert_false(hf_slice_equal(view.events[i].body, hf_text("again")));
    }
    store_must_verify(self);
}

/* A damaged payload is never given out: the view names its record. */
static void test_view_names_the_damaged_record(void **state)
{
    struct store_part *self = *state;
    struct hf_turn_view view;
    struct hf_table_row row;
    char bytes[512];
    uint64_t instance = store_must_start(self, "a");
    assert_true(store_row(self, HF_TABLE_LOG, 1, &row));
    assert_true(row.value.size <= sizeof bytes);
    memcpy(bytes, row.value.data, row.value.size);
    char *body = memmem(bytes, row.value.size, "in", 2);
    assert_non_null(body);
    for (char *next = body; next;
         next = memmem(next + 1, (size_t)(bytes + row.value.size - next - 1), "in", 2)) {
        body = next;
    }
    body[0] = 'X';
    store_must_tamper(self, HF_TABLE_LOG, row.key, (hf_slice){ bytes, row.value.size });
    struct hf_item_id from = { instance, 1, 1 };
    assert_status(ops_of(self)->turn_view(self->backend, &from, &self->arena, &view, &self->error),
                  HF_CORRUPT);
    assert_int_equal(self->error.lsn, 2);
}

/* Sessions are told with instance, tag, owner and what is left of the lease; of one owner, or all.
 */
static void test_sessions_are_told_with_their_owners(void **state)
{
    struct store_part *self = *state;
    struct hf_session_row *rows = NULL;
    size_t count = 0;
    store_must_fill(self);
    struct hf_sessions_query query = { 0 };
    assert_ok(
        ops_of(self)->sessions(self->backend, &query, &self->arena, &rows, &count, &self->error),
        &self->error);
    assert_int_equal(count, 2);
    assert_slice(rows[0].instance_id, "rich");
    assert_slice(rows[0].session_id, "s");
    assert_slice(rows[0].tag, "gpu");
    assert_slice(rows[0].worker_id, "worker");
    assert_true(rows[0].owner > 0 && rows[0].epoch > 0);
    assert_int_equal(rows[0].lease_left_ms, 10000);
    assert_int_equal(rows[0].running_count, 1);
    assert_slice(rows[1].session_id, "queued");
    assert_int_equal(rows[1].owner, 0);
    assert_int_equal(rows[1].queued_count, 1);
    assert_int_equal(rows[1].worker_id.size, 0);
    uint64_t owner = rows[0].owner;
    self->seams.boot_ms += 4000;
    query = (struct hf_sessions_query){ .owner = owner };
    assert_ok(
        ops_of(self)->sessions(self->backend, &query, &self->arena, &rows, &count, &self->error),
        &self->error);
    assert_int_equal(count, 1);
    assert_slice(rows[0].session_id, "s");
    assert_int_equal(rows[0].lease_left_ms, 6000);
    query = (struct hf_sessions_query){ .owner = owner + 1000 };
    assert_ok(
        ops_of(self)->sessions(self->backend, &query, &self->arena, &rows, &count, &self->error),
        &self->error);
    assert_int_equal(count, 0);
}

/* Registrations are told with what they hold and how long. */
static void test_registrations_are_told_with_what_they_hold(void **state)
{
    struct store_part *self = *state;
    struct hf_registration_row *rows = NULL;
    size_t count = 0;
    store_must_fill(self);
    assert_ok(ops_of(self)->registrations(self->backend, &self->arena, &rows, &count, &self->error),
              &self->error);
    assert_true(count >= 1);
    assert_slice(rows[0].worker_id, "worker");
    assert_int_equal(rows[0].pid, 4711);
    assert_false(rows[0].ended);
    assert_int_equal(rows[0].sessions_count, 1);
    assert_int_equal(rows[0].items_count, 2);
    assert_int_equal(rows[0].items_left_ms, 10000);
    self->seams.boot_ms += 10000;
    assert_ok(ops_of(self)->registrations(self->backend, &self->arena, &rows, &count, &self->error),
              &self->error);
    assert_int_equal(rows[0].items_left_ms, 0);
    assert_int_equal(rows[0].sessions_left_ms, 0);
}

/* What may be waiting, and what is void of what is held, are asked without writing anything. */
static void test_questions_write_nothing(void **state)
{
    struct store_part *self = *state;
    store_must_start(self, "a");
    uint64_t registration = store_must_register(self, "w");
    struct hf_store_counters before, after;
    ops_of(self)->counters(self->backend, &before);
    struct hf_peek peek = { .registration = registration, .engine_version_max = 10 };
    assert_ok(ops_of(self)->peek(self->backend, &peek, &self->error), &self->error);
    assert_true(peek.out_turns_due);
    assert_false(peek.out_items_ready);
    struct hf_item_token never = { { 1, 1, 2 }, 3, 1 };
    struct hf_store_renew renew = { .registration = registration,
                                    .items = &never,
                                    .items_count = 1 };
    assert_ok(ops_of(self)->check_held(self->backend, &renew, &self->arena, &self->error),
              &self->error);
    assert_int_equal(renew.out_voids_count, 1);
    assert_string_equal(renew.out_voids[0].code, "unknown");
    ops_of(self)->counters(self->backend, &after);
    assert_int_equal(after.commits, before.commits);
    assert_true(ops_of(self)->directory(self->backend) >= 0);
    assert_true(ops_of(self)->capabilities.sessions);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_instance_is_told_as_it_is),
        CASE(test_missing_instances_are_not_found),
        CASE(test_instances_come_in_pages),
        CASE(test_view_has_events_from_the_asked_id_and_the_inbox),
        CASE(test_view_of_an_execution_has_nothing_of_the_next),
        CASE(test_view_names_the_damaged_record),
        CASE(test_sessions_are_told_with_their_owners),
        CASE(test_registrations_are_told_with_what_they_hold),
        CASE(test_questions_write_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
