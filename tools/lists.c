/* What else a store holds, from the contract's reads: executions and values of an instance, dead
 * letters, and how much of everything is there. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/execution.h"
#include "tools/tool.h"

enum { PAGE_ROWS = 1000 };

/* The number of the instance of that id. */
static hf_status number_find(struct tool_store *store, const char *id, uint64_t *out_number,
                             hf_error *error)
{
    struct hf_instance_info info;
    hf_status status = store->backend->ops->instance(store->backend, hf_text(id), &store->arena,
                                                     &info, error);
    if (status == HF_OK) *out_number = info.number;
    return status;
}

/* Reads rows and prints them. */
typedef hf_status (*list_fn)(struct tool_store *store, const struct tool_arguments *arguments,
                             hf_error *error);

static int list_run(const struct tool_arguments *arguments, list_fn print)
{
    struct tool_store store;
    hf_error error = { 0 };
    int failed = tool_open(&store, arguments->words[0]);
    if (!failed && print(&store, arguments, &error) != HF_OK) failed = tool_fail(&error);
    tool_close(&store);
    return failed;
}

/* ---- executions ----------------------------------------------------------------------------- */

static void execution_json(struct hf_json *json, const struct hf_execution_row *row,
                           const char *status)
{
    hf_json_begin(json, '{');
    tool_json_number(json, "execution", row->execution);
    tool_json_text(json, "status", hf_text(status));
    tool_json_number(json, "events", row->events_count);
    tool_json_number(json, "started_unix_ms", row->started_unix_ms);
    tool_json_number(json, "ended_unix_ms", row->ended_unix_ms);
    hf_json_end(json, '}');
    tool_print_line(json);
}

static void execution_text(const struct hf_execution_row *row, const char *status)
{
    char started[32], ended[32] = "-";
    if (row->ended_unix_ms) tool_time(row->ended_unix_ms, ended, sizeof ended);
    printf("%6" PRIu64 "  %-10s  %6" PRIu64 " events  from %s to %s\n", row->execution, status,
           row->events_count, tool_time(row->started_unix_ms, started, sizeof started), ended);
}

static hf_status executions_print(struct tool_store *store, const struct tool_arguments *arguments,
                                  hf_error *error)
{
    hf_slice id = hf_text(arguments->words[1]);
    uint64_t number = 0, after = 0;
    size_t count = PAGE_ROWS;
    hf_status status = number_find(store, arguments->words[1], &number, error);
    while (status == HF_OK && count == PAGE_ROWS) {
        struct hf_execution_row *rows = NULL;
        hf_arena_reset(&store->arena);
        status = store->backend->ops->executions(store->backend, id, after, &store->arena, &rows,
                                                 &count, error);
        for (size_t i = 0; i < count && status == HF_OK; i++) {
            const char *name = rows[i].status ? tool_status_name(rows[i].status) : "continued";
            if (arguments->json) {
                execution_json(&store->json, &rows[i], name);
            } else {
                execution_text(&rows[i], name);
            }
            after = rows[i].execution;
        }
    }
    return status;
}

int tool_executions(const struct tool_arguments *arguments)
{
    return list_run(arguments, executions_print);
}

/* ---- values --------------------------------------------------------------------------------- */

static void value_json(struct hf_json *json, hf_slice key, hf_slice value, uint64_t set_unix_ms)
{
    hf_json_begin(json, '{');
    tool_json_text(json, "key", key);
    hf_json_key(json, "value");
    hf_json_bytes(json, value);
    tool_json_number(json, "set_unix_ms", set_unix_ms);
    hf_json_end(json, '}');
    tool_print_line(json);
}

static void value_text(hf_slice key, hf_slice value, uint64_t set_unix_ms)
{
    char set[32];
    tool_print_name(key, 24);
    printf("%s  ", tool_time(set_unix_ms, set, sizeof set));
    tool_print_cut(value, 60);
    putchar('\n');
}

static hf_status values_print(struct tool_store *store, const struct tool_arguments *arguments,
                              hf_error *error)
{
    struct hf_stored_value *rows = NULL;
    size_t count = 0;
    hf_status status = store->backend->ops->values(store->backend, hf_text(arguments->words[1]),
                                                   hf_text(NULL), &store->arena, &rows, &count,
                                                   error);
    for (size_t i = 0; i < count && status == HF_OK; i++) {
        hf_slice value;
        uint64_t set_unix_ms = 0;
        status = hf_body_read_value(rows[i].body, &store->arena, &value, &set_unix_ms, error);
        if (status != HF_OK) break;
        if (arguments->json) {
            value_json(&store->json, rows[i].key, value, set_unix_ms);
        } else {
            value_text(rows[i].key, value, set_unix_ms);
        }
    }
    if (status == HF_OK && count == 0 && !arguments->json) printf("it has no values\n");
    return status;
}

int tool_values(const struct tool_arguments *arguments)
{
    return list_run(arguments, values_print);
}

/* ---- dead letters --------------------------------------------------------------------------- */

/* activity is empty for a turn. */
static void letter_json(struct hf_json *json, const struct hf_dead_letter_info *row,
                        hf_slice activity)
{
    hf_json_begin(json, '{');
    tool_json_text(json, "instance", row->instance_id);
    tool_json_text(json, "orchestration", row->orchestration);
    tool_json_text(json, "kind", hf_text(row->event_id ? "activity" : "turn"));
    tool_json_text(json, "activity", activity);
    tool_json_number(json, "execution", row->execution);
    tool_json_number(json, "event_id", row->event_id);
    tool_json_number(json, "attempts", row->attempts);
    tool_json_number(json, "deaths", row->deaths);
    tool_json_number(json, "given_up_unix_ms", row->given_up_unix_ms);
    tool_json_number(json, "lsn", row->lsn);
    hf_json_end(json, '}');
    tool_print_line(json);
}

static void letter_text(const struct hf_dead_letter_info *row, hf_slice activity)
{
    char given_up[32];
    tool_print_name(row->instance_id, 24);
    tool_print_column(row->orchestration, 20);
    if (row->event_id) {
        fputs("activity ", stdout);
        tool_print_name(activity, 16);
        printf("event %" PRIu64, row->event_id);
    } else {
        fputs("a turn", stdout);
    }
    printf(" of execution %" PRIu64 "  attempts %" PRIu64 "  deaths %" PRIu64 "  given up %s\n",
           row->execution, row->attempts, row->deaths,
           tool_time(row->given_up_unix_ms, given_up, sizeof given_up));
}

static hf_status letter_print(struct tool_store *store, const struct tool_arguments *arguments,
                              const struct hf_dead_letter_info *row, hf_error *error)
{
    struct hf_scheduled_activity activity = { .name = HF_EMPTY };
    hf_status status = HF_OK;
    if (row->body.size > 0) {
        status = hf_body_read_activity(row->body, &store->arena, &activity, error);
    }
    if (status != HF_OK) return status;
    if (arguments->json) {
        letter_json(&store->json, row, activity.name);
    } else {
        letter_text(row, activity.name);
    }
    return HF_OK;
}

static hf_status letters_print(struct tool_store *store, const struct tool_arguments *arguments,
                               hf_error *error)
{
    struct hf_dead_letters_query query = { .instance = 0 };
    bool is_any = false;
    size_t count = PAGE_ROWS;
    hf_status status = HF_OK;
    if (arguments->words[1]) {
        status = number_find(store, arguments->words[1], &query.instance, error);
    }
    while (status == HF_OK && count == PAGE_ROWS) {
        struct hf_dead_letter_info *rows = NULL;
        hf_arena_reset(&store->arena);
        status = store->backend->ops->dead_letters(store->backend, &query, &store->arena, &rows,
                                                   &count, error);
        for (size_t i = 0; i < count && status == HF_OK; i++) {
            if (rows[i].instance_id.size == 0) continue; /* its instance is deleted */
            status = letter_print(store, arguments, &rows[i], error);
            is_any = true;
        }
    }
    if (status == HF_OK && !is_any && !arguments->json) printf("nothing was given up\n");
    return status;
}

int tool_dead_letters(const struct tool_arguments *arguments)
{
    return list_run(arguments, letters_print);
}

/* ---- totals --------------------------------------------------------------------------------- */

static hf_status stats_print(struct tool_store *store, const struct tool_arguments *arguments,
                             hf_error *error)
{
    struct hf_store_totals totals;
    hf_status status = store->backend->ops->totals(store->backend, &store->arena, &totals, error);
    if (status != HF_OK) return status;
    hf_assert(totals.items_running <= totals.items);
    /* Under the names that hf_stats has. */
    const struct {
        const char *name, *label;
        uint64_t count;
    } rows[] = {
        { "pending_count", "instances pending", totals.instances[HF_INSTANCE_PENDING] },
        { "running_count", "instances running", totals.instances[HF_INSTANCE_RUNNING] },
        { "completed_count", "instances completed", totals.instances[HF_INSTANCE_COMPLETED] },
        { "failed_count", "instances failed", totals.instances[HF_INSTANCE_FAILED] },
        { "cancelled_count", "instances cancelled", totals.instances[HF_INSTANCE_CANCELLED] },
        { "terminated_count", "instances terminated", totals.instances[HF_INSTANCE_TERMINATED] },
        { "suspended_count", "of them suspended", totals.suspended },
        { "executions_count", "executions", totals.executions },
        { "events_count", "events", totals.events },
        { "messages_count", "messages not taken", totals.messages },
        { "turns_due_count", "turns due", totals.turns_due },
        { "activities_waiting_count", "activities waiting", totals.items - totals.items_running },
        { "activities_running_count", "activities running", totals.items_running },
        { "timers_count", "timers", totals.timers },
        { "sessions_count", "sessions open", totals.sessions },
        { "values_count", "values", totals.values },
        { "dead_letters_count", "dead letters", totals.dead_letters },
        { "workers_count", "workers", totals.workers },
    };
    if (arguments->json) hf_json_begin(&store->json, '{');
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        if (arguments->json) {
            tool_json_number(&store->json, rows[i].name, rows[i].count);
        } else {
            printf("%-22s %10" PRIu64 "\n", rows[i].label, rows[i].count);
        }
    }
    if (!arguments->json) return HF_OK;
    hf_json_end(&store->json, '}');
    tool_print_line(&store->json);
    return HF_OK;
}

int tool_stats(const struct tool_arguments *arguments)
{
    return list_run(arguments, stats_print);
}
