/* What every author relies on, on whole runtimes that keep no instance live: each turn runs the
 * code from the top, and everything that it meets on its way must be what it was. */
#include "tests/support/house.h"

#include <stdio.h>
#include <string.h>

static struct stage *stage_of(hf_orchestration *o)
{
    return (struct stage *)(uintptr_t)hf_orchestration_user(o);
}

/* A runtime that replays at every turn, and serves one tag. */
static hf_runtime *open_with_worker(struct house *house, const struct part *parts)
{
    static const char *const tags[] = { "gpu" };
    house_open(house, parts);
    return house_worker(house, HF_WITH(hf_runtime_options, .worker_id = "w", .tags = tags,
                                       .tags_count = 1, .live_instances_max = UINT32_MAX));
}

static void close_all(struct house *house, hf_runtime *runtime)
{
    house_rest(runtime);
    assert_true(house_metric(runtime, "replay_mismatches") == 0);
    hf_runtime_free(runtime);
    house_close(house);
}

/* ---- functions of their input -----------------------------------------------------------------
 */

static hf_status doubles(hf_orchestration *o, hf_slice input)
{
    stage_sayf(stage_of(o), "pass %s", hf_instance_id(o));
    HF_TRY(hf_call(o, "echo", input, NULL));
    if (hf_slice_is_empty(input)) return hf_fail(o, "empty", "nothing to double");
    return hf_complete(o, hf_format(o, HF_FMT HF_FMT, HF_ARG(input), HF_ARG(input)));
}

static void row_1a_1_code_runs_from_the_top_and_ends_once(void **state)
{
    static const struct part parts[] = { { "doubles", doubles, NULL }, { NULL, NULL, NULL } };
    struct house house;
    hf_error error;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, parts);
    house_start(&house, "full", "doubles", "ab");
    house_start(&house, "empty", "doubles", "");
    house_expect(&house, "full", "abab");
    house_failure(&house, "empty", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "empty");
    assert_true(stage_count(&house.stage, "pass full") >= 2);
    close_all(&house, runtime);
}

/* ---- commands that nobody awaits --------------------------------------------------------------
 */

static hf_status leaves(hf_orchestration *o, hf_slice input)
{
    hf_schedule(o, "hold", input);
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, input);
}

/* The activity runs though nobody awaits it, and is told to stop when the instance has ended. */
static void row_1a_2_commands_are_issued_by_the_call(void **state)
{
    static const struct part parts[] = { { "leaves", leaves, NULL }, { NULL, NULL, NULL } };
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, parts);
    house_start(&house, "i", "leaves", "gate");
    stage_wait(&house.stage, "held i w", 1);
    assert_int_equal(stage_count(&house.stage, "told i w"), 0);
    house_send(&house, "i", "go", "");
    house_expect(&house, "i", "gate");
    stage_wait(&house.stage, "told i w", 1);
    close_all(&house, runtime);
}

static hf_status ignores(hf_orchestration *o, hf_slice input)
{
    hf_schedule(o, "hold", input);
    HF_TRY(hf_dequeue(o, "go", NULL));
    hf_status_set(o, hf_text("went on"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, input);
}

static bool has_completed_activity(void *house)
{
    char text[HOUSE_TEXT_SIZE];
    house_history(house, "i", text, sizeof text);
    return strstr(text, "activity_completed") != NULL;
}

/* While it runs the code goes on; what it returns stands in history, and nobody is held up. */
static void row_1c_4_unawaited_work_is_done(void **state)
{
    static const struct part parts[] = { { "ignores", ignores, NULL }, { NULL, NULL, NULL } };
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, parts);
    house_start(&house, "i", "ignores", "gate");
    stage_wait(&house.stage, "held i w", 1);
    house_send(&house, "i", "go", "");
    house_wait_status(&house, "i", "went on");
    stage_open(&house.stage, "gate");
    assert_true(hf_test_wait(STAGE_LIMIT_MS, &house, has_completed_activity));
    house_send(&house, "i", "go", "");
    house_expect(&house, "i", "gate");
    close_all(&house, runtime);
}

/* Echoes and naps, as deep as it is told. */
static hf_status dig(hf_orchestration *o, int64_t depth, hf_slice *told)
{
    hf_slice echoed;
    if (depth == 0) return HF_OK;
    HF_TRY(hf_call(o, "echo", hf_format(o, "%lld", (long long)depth), &echoed));
    HF_TRY(hf_sleep(o, 1));
    *told = hf_format(o, HF_FMT HF_FMT, HF_ARG(*told), HF_ARG(echoed));
    return dig(o, depth - 1, told);
}

static hf_status digs(hf_orchestration *o, hf_slice input)
{
    int64_t depth = 0;
    hf_slice told = hf_text("");
    hf_slice_to_i64(input, &depth);
    HF_TRY(dig(o, depth, &told));
    HF_TRY(dig(o, 2, &told));
    return hf_complete(o, told);
}

static void row_1c_3_helpers_that_await_compose(void **state)
{
    static const struct part parts[] = { { "digs", digs, NULL }, { NULL, NULL, NULL } };
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, parts);
    house_start(&house, "i", "digs", "5");
    house_expect(&house, "i", "5432121");
    close_all(&house, runtime);
}

/* ---- children ---------------------------------------------------------------------------------
 */

static hf_status says_its_id(hf_orchestration *o, hf_slice input)
{
    (void)input;
    return hf_complete(o, hf_text(hf_instance_id(o)));
}

/* input: the id of the second child; the first has none. */
static hf_status has_children(hf_orchestration *o, hf_slice input)
{
    hf_child_options child = HF_INIT(hf_child_options);
    hf_slice first, second;
    child.orchestration = "says_its_id";
    HF_TRY(hf_await(o, hf_child(o, &child), &first));
    if (input.size > 0) child.instance = hf_format(o, HF_FMT, HF_ARG(input)).data;
    HF_TRY(hf_await(o, hf_child(o, &child), &second));
    return hf_complete(o, hf_format(o, HF_FMT " " HF_FMT, HF_ARG(first), HF_ARG(second)));
}

static const struct part families[] = { { "says_its_id", says_its_id, NULL },
                                        { "has_children", has_children, NULL },
                                        { NULL, NULL, NULL } };

/* The ids of the children that the history of an instance names, with a blank between them. */
static void children_in_history(struct house *house, const char *instance, char *text, size_t size)
{
    hf_cursor *cursor = NULL;
    hf_error error;
    const hf_event_info *event;
    size_t used = 0;
    assert_status(
        hf_query_open(house->store, HF_WITH(hf_query, .instance = instance), &cursor, &error),
        HF_OK);
    while (hf_next_event(cursor, &event)) {
        if (strcmp(event->kind, "child_scheduled") != 0) continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", event->text);
        assert_true(used < size);
    }
    assert_status(hf_cursor_close(cursor, &error), HF_OK);
}

static void row_1a_18_generated_ids_stand_in_history(void **state)
{
    struct house house;
    char first[HOUSE_TEXT_SIZE], second[HOUSE_TEXT_SIZE], recorded[HOUSE_TEXT_SIZE];
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, families);
    house_start(&house, "i", "has_children", "");
    house_output(&house, "i", first, sizeof first);
    children_in_history(&house, "i", recorded, sizeof recorded);
    assert_string_equal(recorded, first);
    char *blank = strchr(first, ' ');
    assert_non_null(blank);
    *blank = '\0';
    assert_string_not_equal(first, blank + 1);

    /* The same id again, after the first instance is gone: its children have others. */
    hf_error error;
    assert_status(hf_delete(house.store, "i", false, &error), HF_OK);
    house_start(&house, "i", "has_children", "");
    house_output(&house, "i", second, sizeof second);
    assert_null(strstr(second, first));
    assert_null(strstr(second, blank + 1));
    close_all(&house, runtime);
}

static void row_1a_19_given_id_is_taken_verbatim(void **state)
{
    static const char given[] = "Kid /\xc3\xbc%s::1";
    struct house house;
    const hf_instance *child = NULL;
    char told[HOUSE_TEXT_SIZE];
    hf_error error;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, families);
    house_start(&house, "i", "has_children", given);
    house_output(&house, "i", told, sizeof told);
    assert_non_null(strchr(told, ' '));
    assert_string_equal(told + strlen(told) - strlen(given), given);
    assert_status(hf_get(house.store, given, &child, &error), HF_OK);
    assert_string_equal(child->parent, "i");
    hf_instance_free(child);
    close_all(&house, runtime);
}

/* ---- continue-as-new --------------------------------------------------------------------------
 */

/* Adds its version, and continues: by 1.0.0 first, then by the policy. */
static hf_status versions(hf_orchestration *o, hf_slice input)
{
    const char *version = hf_orchestration_about(o)->version;
    hf_slice all = hf_format(o, HF_FMT "%s ", HF_ARG(input), version);
    switch (hf_orchestration_about(o)->execution) {
    case 1:
        return hf_continue_as_new_with(
            o, HF_WITH(hf_continue_options, .input = all, .version = "1.0.0"));
    case 2: return hf_continue_as_new(o, all);
    default: return hf_complete(o, all);
    }
}

static void row_1a_22_next_execution_has_the_version_asked_for(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, NULL);
    hf_register_orchestration(house.registry, "versions", versions, NULL);
    hf_register_orchestration(house.registry, "versions", versions,
                              HF_WITH(hf_orchestration_settings, .version = "2.0.0"));
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "w"));
    house_start(&house, "i", "versions", "");
    house_expect(&house, "i", "2.0.0 1.0.0 2.0.0 ");
    close_all(&house, runtime);
}

/* ---- what the code is told --------------------------------------------------------------------
 */

static hf_status sets_value(hf_orchestration *o, hf_slice input)
{
    hf_kv_set(o, "limit", input);
    return hf_complete(o, input);
}

/* Reads the value "limit" of the instance that the input names. */
static hf_status reads_value(hf_activity *a, hf_slice instance)
{
    const hf_value *value = NULL;
    char id[64];
    hf_error error;
    snprintf(id, sizeof id, HF_FMT, HF_ARG(instance));
    hf_status status = hf_kv_read(hf_activity_store(a), id, "limit", &value, &error);
    if (status) return hf_activity_fail(a, error.code, hf_text(NULL), "%s", error.message);
    status = hf_activity_complete(a, value->value);
    hf_value_free(value);
    return status;
}

static hf_status asks_value(hf_orchestration *o, hf_slice input)
{
    hf_slice value;
    HF_TRY(hf_call(o, "reads_value", input, &value));
    return hf_complete(o, value);
}

static void row_1e_2_values_of_another_are_read_by_an_activity(void **state)
{
    static const struct part parts[] = { { "sets_value", sets_value, NULL },
                                         { "asks_value", asks_value, NULL },
                                         { "reads_value", NULL, reads_value },
                                         { NULL, NULL, NULL } };
    struct house house;
    hf_error error;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, parts);
    house_start(&house, "owner", "sets_value", "17");
    house_expect(&house, "owner", "17");
    house_start(&house, "asks", "asks_value", "owner");
    house_expect(&house, "asks", "17");
    house_start(&house, "asks in vain", "asks_value", "nobody");
    house_failure(&house, "asks in vain", HF_INSTANCE_FAILED, &error);
    assert_string_equal(error.code, "no_instance");
    close_all(&house, runtime);
}

static hf_status knows(hf_orchestration *o, hf_slice input)
{
    stage_sayf(stage_of(o), "top %d", hf_is_replaying(o));
    hf_status_set(o, hf_text("waits"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    stage_sayf(stage_of(o), "behind %d", hf_is_replaying(o));
    hf_log(o, HF_LOG_WARN, "went on with %d", 7);
    HF_TRY(hf_dequeue(o, "go", NULL));
    return hf_complete(o, input);
}

static const struct part knowing[] = { { "knows", knows, NULL }, { NULL, NULL, NULL } };

/* Beyond history false, once at each place; true whenever the code catches up. */
static void row_1e_9_replaying_is_told(void **state)
{
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, knowing);
    house_start(&house, "i", "knows", "out");
    house_wait_status(&house, "i", "waits");
    house_send(&house, "i", "go", "");
    stage_wait(&house.stage, "behind 0", 1);
    house_send(&house, "i", "go", "");
    house_expect(&house, "i", "out");
    house_rest(runtime);
    assert_int_equal(stage_count(&house.stage, "top 0"), 1);
    assert_true(stage_count(&house.stage, "top 1") >= 2);
    assert_int_equal(stage_count(&house.stage, "behind 0"), 1);
    assert_true(stage_count(&house.stage, "behind 1") >= 1);
    close_all(&house, runtime);
}

/* One line, though its place is passed in every turn that follows; and no event. */
static void row_1e_10_log_is_written_once(void **state)
{
    static const char line[] = "log orchestration.log - i -: went on with 7";
    struct house house;
    char text[HOUSE_TEXT_SIZE];
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, knowing);
    house_start(&house, "i", "knows", "out");
    house_send(&house, "i", "go", "");
    stage_wait(&house.stage, line, 1);
    house_send(&house, "i", "go", "");
    house_expect(&house, "i", "out");
    assert_true(stage_count(&house.stage, "behind 1") >= 1);
    assert_int_equal(stage_count(&house.stage, line), 1);
    house_history(&house, "i", text, sizeof text);
    assert_null(strstr(text, "log"));
    close_all(&house, runtime);
}

static hf_status introduces_itself(hf_orchestration *o, hf_slice input)
{
    const hf_orchestration_info *info = hf_orchestration_about(o);
    hf_slice told = hf_format(
        o, HF_FMT "%s %s %s %llu %s\n", HF_ARG(input), info->instance, info->orchestration,
        info->version, (unsigned long long)info->execution, info->parent ? info->parent : "-");
    HF_TRY(hf_sleep(o, 1));
    if (info->execution == 1) return hf_continue_as_new(o, told);
    return hf_complete(o, told);
}

static void row_1e_11_code_knows_its_instance(void **state)
{
    static const struct part parts[] = { { "introduces_itself", introduces_itself, NULL },
                                         { NULL, NULL, NULL } };
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, parts);
    house_start(&house, "i", "introduces_itself", "");
    house_expect(&house, "i",
                 "i introduces_itself 1.0.0 1 -\n"
                 "i introduces_itself 1.0.0 2 -\n");
    close_all(&house, runtime);
}

/* Its session, and the tag of either. */
static hf_status says_where(hf_activity *a, hf_slice input)
{
    const hf_activity_info *info = hf_activity_about(a);
    char text[128];
    (void)input;
    snprintf(text, sizeof text, "%s %s", info->session ? info->session : "-",
             info->tag ? info->tag : "-");
    return hf_activity_complete(a, hf_text(text));
}

static hf_status asks_where(hf_orchestration *o, hf_slice input)
{
    const hf_activity_options *each[] = {
        HF_WITH(hf_activity_options, .name = "says_where"),
        HF_WITH(hf_activity_options, .name = "says_where", .tag = "gpu"),
        HF_WITH(hf_activity_options, .name = "says_where",
                .session = hf_session_open_with(
                    o, HF_WITH(hf_session_options, .id = "desk", .tag = "gpu"))),
    };
    hf_slice told = input;
    for (size_t i = 0; i < HF_COUNT_OF(each); i++) {
        hf_slice one;
        HF_TRY(hf_call_with(o, each[i], &one));
        told = hf_format(o, HF_FMT HF_FMT ", ", HF_ARG(told), HF_ARG(one));
    }
    return hf_complete(o, told);
}

static void row_2_3_activity_knows_its_session_and_tag(void **state)
{
    static const struct part parts[] = { { "asks_where", asks_where, NULL },
                                         { "says_where", NULL, says_where },
                                         { NULL, NULL, NULL } };
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, parts);
    house_start(&house, "i", "asks_where", "");
    house_expect(&house, "i", "- -, - gpu, desk gpu, ");
    close_all(&house, runtime);
}

/* ---- what clients read ------------------------------------------------------------------------
 */

/* Shows two statuses; completes, or fails when its input is empty. */
static hf_status shows(hf_orchestration *o, hf_slice input)
{
    hf_status_set(o, hf_text("one"));
    HF_TRY(hf_sleep(o, 1));
    hf_status_set(o, hf_text("two"));
    if (hf_slice_is_empty(input)) return hf_fail_with(o, "refused", hf_text("data"), "no input");
    return hf_complete(o, input);
}

static void row_3_4_instance_tells_how_it_ended(void **state)
{
    static const struct part parts[] = { { "shows", shows, NULL }, { NULL, NULL, NULL } };
    struct house house;
    hf_error error;
    const hf_instance *row = NULL;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, parts);
    house_start(&house, "good", "shows", "out");
    house_start(&house, "bad", "shows", "");
    house_expect(&house, "good", "out");
    house_failure(&house, "bad", HF_INSTANCE_FAILED, &error);

    assert_status(hf_get(house.store, "good", &row, &error), HF_OK);
    assert_int_equal(row->status, HF_INSTANCE_COMPLETED);
    assert_true(hf_slice_equal(row->output, hf_text("out")));
    assert_true(hf_slice_equal(row->custom_status, hf_text("two")));
    assert_int_equal(row->custom_status_version, 2);
    assert_null(row->error);
    hf_instance_free(row);

    assert_status(hf_get(house.store, "bad", &row, &error), HF_OK);
    assert_int_equal(row->status, HF_INSTANCE_FAILED);
    assert_int_equal(row->output.size, 0);
    assert_non_null(row->error);
    assert_string_equal(row->error->code, "refused");
    assert_string_equal(row->error->message, "no input");
    assert_true(hf_slice_equal(row->error->data, hf_text("data")));
    hf_instance_free(row);
    close_all(&house, runtime);
}

/* Continues with each message, and ends at "end". */
static hf_status rounds(hf_orchestration *o, hf_slice input)
{
    hf_slice message;
    hf_status_set(o, input);
    HF_TRY(hf_dequeue(o, "go", &message));
    if (hf_slice_equal(message, hf_text("end"))) return hf_complete(o, input);
    return hf_continue_as_new(o, message);
}

static void *wait_for_end(void *house)
{
    house_expect(house, "i", "second");
    return NULL;
}

static void row_3_5_wait_follows_the_executions(void **state)
{
    static const struct part parts[] = { { "rounds", rounds, NULL }, { NULL, NULL, NULL } };
    struct house house;
    pthread_t waits;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, parts);
    house_start(&house, "i", "rounds", "zeroth");
    house_wait_status(&house, "i", "zeroth");
    assert_int_equal(pthread_create(&waits, NULL, wait_for_end, &house), 0);
    house_send(&house, "i", "go", "first");
    house_wait_status(&house, "i", "first");
    house_send(&house, "i", "go", "second");
    house_wait_status(&house, "i", "second");
    house_send(&house, "i", "go", "end");
    assert_int_equal(pthread_join(waits, NULL), 0);
    close_all(&house, runtime);
}

/* ---- traps ------------------------------------------------------------------------------------
 */

/* When the first timer of the instance is due. */
static uint64_t timer_due_unix_ms(struct house *house, const char *instance)
{
    hf_cursor *cursor = NULL;
    hf_error error;
    const hf_event_info *event;
    uint64_t due_unix_ms = 0;
    assert_status(
        hf_query_open(house->store, HF_WITH(hf_query, .instance = instance), &cursor, &error),
        HF_OK);
    while (due_unix_ms == 0 && hf_next_event(cursor, &event)) due_unix_ms = event->due_unix_ms;
    assert_status(hf_cursor_close(cursor, &error), HF_OK);
    return due_unix_ms;
}

/* An hour is slept; the worker is away, and comes back when it is over by a minute. */
static void trap_a7_due_time_does_not_move(void **state)
{
    enum { HOUR_MS = 3600 * 1000 };
    struct house house;
    (void)state;
    hf_runtime *runtime = open_with_worker(&house, NULL);
    house_start(&house, "i", "naps", "3600000");
    house_start(&house, "marker", "naps", "1");
    house_expect(&house, "marker", "woke");
    house_rest(runtime);
    hf_runtime_free(runtime);
    uint64_t due_unix_ms = timer_due_unix_ms(&house, "i");
    assert_true(due_unix_ms > HOUR_MS);

    house_move_clocks(&house, 0, HOUR_MS + 60 * 1000);
    runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "later",
                                           .live_instances_max = UINT32_MAX));
    house_expect(&house, "i", "woke");
    assert_int_equal(timer_due_unix_ms(&house, "i"), due_unix_ms);
    close_all(&house, runtime);
}

/* What was sent to those that are gone is gone with them, and who was sent something later gets it
 * at once. */
static void trap_b7_messages_of_the_gone_hold_up_nobody(void **state)
{
    static const struct part parts[] = { { "rounds", rounds, NULL }, { NULL, NULL, NULL } };
    struct house house;
    hf_error error;
    hf_stats stats = HF_INIT(hf_stats);
    (void)state;
    house_open(&house, parts);
    house_start(&house, "deleted", "rounds", "");
    house_start(&house, "ends", "rounds", "out");
    house_send(&house, "ends", "go", "end");
    for (int i = 0; i < 100; i++) {
        house_send(&house, "deleted", "go", "more");
        house_send(&house, "ends", "go", "more");
    }
    house_start(&house, "later", "rounds", "fine");
    house_send(&house, "later", "go", "end");
    assert_status(hf_delete(house.store, "deleted", true, &error), HF_OK);
    hf_runtime *runtime = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "w"));
    house_expect(&house, "later", "fine");
    house_expect(&house, "ends", "out");
    house_rest(runtime);
    assert_status(hf_stats_read(house.store, &stats, &error), HF_OK);
    assert_int_equal(stats.messages_count, 0);
    assert_int_equal(stats.turns_due_count, 0);
    close_all(&house, runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1a_1_code_runs_from_the_top_and_ends_once),
        cmocka_unit_test(row_1a_2_commands_are_issued_by_the_call),
        cmocka_unit_test(row_1c_4_unawaited_work_is_done),
        cmocka_unit_test(row_1c_3_helpers_that_await_compose),
        cmocka_unit_test(row_1a_18_generated_ids_stand_in_history),
        cmocka_unit_test(row_1a_19_given_id_is_taken_verbatim),
        cmocka_unit_test(row_1a_22_next_execution_has_the_version_asked_for),
        cmocka_unit_test(row_1e_2_values_of_another_are_read_by_an_activity),
        cmocka_unit_test(row_1e_9_replaying_is_told),
        cmocka_unit_test(row_1e_10_log_is_written_once),
        cmocka_unit_test(row_1e_11_code_knows_its_instance),
        cmocka_unit_test(row_2_3_activity_knows_its_session_and_tag),
        cmocka_unit_test(row_3_4_instance_tells_how_it_ended),
        cmocka_unit_test(row_3_5_wait_follows_the_executions),
        cmocka_unit_test(trap_a7_due_time_does_not_move),
        cmocka_unit_test(trap_b7_messages_of_the_gone_hold_up_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
