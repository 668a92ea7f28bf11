/* What a store holds, from the contract's reads: instances, an instance's history, sessions,
 * workers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/status.h"
#include "engine/event.h"
#include "engine/execution.h"
#include "engine/history.h"
#include "tools/tool.h"

/* ---- instances ------------------------------------------------------------------------------ */

/* What to show of how an instance ended, or of its custom status while it runs. */
static hf_status instance_result(const struct hf_instance_info *info, struct hf_arena *arena,
                                 hf_slice *out_result, hf_error *error)
{
    hf_error outcome = { 0 };
    *out_result = info->suspended_text;
    if (info->suspended_code.size > 0) return HF_OK;
    if (info->output_body.size == 0) {
        if (info->status_body.size == 0) return HF_OK;
        return hf_body_read_status(info->status_body, arena, out_result, error);
    }
    hf_status status = hf_body_read_output(info->output_body, arena, out_result, &outcome, error);
    if (!status && info->status != HF_INSTANCE_COMPLETED) {
        *out_result = hf_arena_copy(arena, hf_text(outcome.message));
    }
    return status;
}

static void instance_json(struct tool_store *store, const struct hf_instance_info *info,
                          hf_slice result)
{
    struct hf_json *json = &store->json;
    bool ended = info->status > HF_INSTANCE_RUNNING;
    hf_json_begin(json, '{');
    tool_json_text(json, "instance", info->id);
    tool_json_number(json, "number", info->number);
    tool_json_text(json, "orchestration", info->orchestration);
    tool_json_text(json, "version", info->version);
    tool_json_text(json, "status", hf_text(tool_status_name(info->status)));
    tool_json_number(json, "execution", info->execution);
    tool_json_number(json, "events", info->events_count);
    tool_json_number(json, "started_unix_ms", info->started_unix_ms);
    tool_json_number(json, "ended_unix_ms", info->ended_unix_ms);
    tool_json_text(json, "suspended", info->suspended_code);
    hf_json_key(json, ended ? "result" : "custom_status");
    hf_json_bytes(json, result);
    hf_json_end(json, '}');
    tool_print_line(json);
}

static void instance_text(const struct hf_instance_info *info, hf_slice result)
{
    char started[32];
    tool_print_column(info->id, 24);
    bool is_suspended = info->suspended_code.size > 0;
    printf("%-10s ", is_suspended ? "suspended" : tool_status_name(info->status));
    tool_print_column(info->orchestration, 20);
    printf("execution %-3" PRIu64 " %6" PRIu64 " events  since %s  ", info->execution,
           info->events_count, tool_time(info->started_unix_ms, started, sizeof started));
    tool_print_cut(result, 60);
    putchar('\n');
}

static hf_status instance_print(struct tool_store *store, const struct tool_arguments *arguments,
                                const struct hf_instance_info *info, hf_error *error)
{
    hf_slice result;
    hf_status status = instance_result(info, &store->arena, &result, error);
    if (status) return status;
    if (arguments->json) {
        instance_json(store, info, result);
    } else {
        instance_text(info, result);
    }
    return HF_OK;
}

int tool_instances(const struct tool_arguments *arguments)
{
    struct tool_store store;
    hf_error error = { 0 };
    struct hf_instances_query query = { .id_prefix = hf_text(arguments->prefix),
                                        .orchestration = hf_text(arguments->name),
                                        .status = arguments->status,
                                        .started_until_unix_ms = UINT64_MAX,
                                        .looked_max = 100,
                                        .out_more = true };
    int failed = tool_open(&store, arguments->words[0]);
    while (!failed && query.out_more) {
        struct hf_instance_info *rows = NULL;
        size_t count = 0;
        hf_arena_reset(&store.arena);
        hf_status status = store.backend->ops->instances(store.backend, &query, &store.arena, &rows,
                                                         &count, &error);
        for (size_t i = 0; i < count && !status; i++) {
            if (arguments->suspended && rows[i].suspended_code.size == 0) continue;
            status = instance_print(&store, arguments, &rows[i], &error);
        }
        if (status) failed = tool_fail(&error);
    }
    tool_close(&store);
    return failed;
}

/* ---- history -------------------------------------------------------------------------------- */

/* A fired timer's bytes were written with the timer, so record and time are that one's and not
 * shown: the log has a timer_fired record. */
static void event_json(struct tool_store *store, const struct hf_stored_event *stored,
                       const struct hf_event *event)
{
    struct hf_json *json = &store->json;
    hf_json_begin(json, '{');
    tool_json_number(json, "event_id", stored->event_id);
    if (event->kind != HF_EVENT_TIMER_FIRED) {
        tool_json_number(json, "lsn", stored->lsn);
        tool_json_number(json, "unix_ms", stored->unix_ms);
    }
    tool_json_text(json, "kind", hf_text(hf_event_kind_name(event->kind)));
    hf_json_key(json, "event");
    hf_json_layout(json, hf_event_layout(), event);
    hf_json_end(json, '}');
    tool_print_line(json);
}

static void event_part(const char *before, hf_slice part)
{
    if (part.size == 0) return;
    fputs(before, stdout);
    tool_print_cut(part, 60);
    putchar(' ');
}

static void event_text(const struct hf_stored_event *stored, const struct hf_event *event)
{
    bool opens = event->kind == HF_EVENT_SESSION_OPENED; /* name: its rebuild activity */
    char time[32] = "-";
    if (event->kind != HF_EVENT_TIMER_FIRED) tool_time(stored->unix_ms, time, sizeof time);
    printf("%6" PRIu64 "  %-23s  %-20s ", stored->event_id, time, hf_event_kind_name(event->kind));
    if (event->source) printf("of %" PRIu64 "  ", event->source);
    if (!opens) event_part("", event->name);
    event_part("", event->text);
    if (event->incarnation) printf("#%" PRIu64 "  ", event->incarnation);
    event_part("tag ", event->tag);
    if (event->recovery) printf("%s ", hf_event_recovery_name(event->recovery));
    if (opens) event_part("", event->name);
    if (event->due_unix_ms) {
        printf("due %s  ", tool_time(event->due_unix_ms, time, sizeof time));
    }
    if (event->now_unix_ms) {
        printf("now %s  ", tool_time(event->now_unix_ms, time, sizeof time));
    }
    event_part("", event->code);
    if (event->payload.size) tool_print_cut(event->payload, 60);
    putchar('\n');
}

static hf_status history_read(struct tool_store *store, hf_slice id, struct hf_turn_view *out_view,
                              uint64_t *out_execution, hf_error *error)
{
    const struct hf_backend_ops *ops = store->backend->ops;
    struct hf_instance_info info;
    hf_status status = ops->instance(store->backend, id, &store->arena, &info, error);
    if (status) return status;
    struct hf_item_id first = { info.number, info.execution, 1 };
    *out_execution = info.execution;
    return ops->turn_view(store->backend, &first, &store->arena, out_view, error);
}

int tool_history(const struct tool_arguments *arguments)
{
    struct tool_store store;
    struct hf_turn_view view = { .events_count = 0 };
    hf_error error = { 0 };
    int failed = tool_open(&store, arguments->words[0]);
    hf_status status = HF_OK;
    uint64_t execution = 0;
    if (!failed) {
        status = history_read(&store, hf_text(arguments->words[1]), &view, &execution, &error);
    }
    for (size_t i = 0; i < view.events_count && !status; i++) {
        struct hf_event event;
        status = hf_event_decode(view.events[i].body, &store.arena, &event, &error);
        if (status) break;
        if (arguments->json) {
            event_json(&store, &view.events[i], &event);
        } else {
            event_text(&view.events[i], &event);
        }
    }
    if (status) failed = tool_fail(&error);
    tool_close(&store);
    return failed;
}

int tool_export(const struct tool_arguments *arguments)
{
    struct tool_store store;
    struct hf_turn_view view = { .events_count = 0 };
    hf_error error = { 0 };
    uint64_t execution = 0;
    int failed = tool_open(&store, arguments->words[0]);
    if (failed) return failed;
    hf_status status = history_read(&store, hf_text(arguments->words[1]), &view, &execution,
                                    &error);
    hf_slice bytes = HF_EMPTY;
    if (!status) bytes = hf_history_encode(&view, execution, &store.arena);
    if (!status && !bytes.data) status = hf_error_set(&error, HF_NO_MEMORY, "no memory to export");
    if (!status && fwrite(bytes.data, 1, bytes.size, stdout) != bytes.size) {
        status = hf_error_set(&error, HF_IO, "the history could not be written");
    }
    if (status) failed = tool_fail(&error);
    tool_close(&store);
    return failed;
}

/* ---- who is there --------------------------------------------------------------------------- */

/* All registrations, by rising number; in the store's arena. */
struct crew {
    struct hf_registration_row *rows;
    const char **states; /* of each: "live", "ended", or "dead": nobody has declared it yet */
    size_t count;
};

/* A worker that was killed is registered until another one looks; its life file tells at once. */
static const char *registration_state(const struct tool_store *store,
                                      const struct hf_registration_row *row)
{
    if (row->ended) return "ended";
    return store->seams.is_alive(store->seams.self, row->life) ? "live" : "dead";
}

/* 0, or 1 after saying why not. */
static int crew_read(struct tool_store *store, struct hf_arena *arena, struct crew *crew)
{
    hf_error error = { 0 };
    *crew = (struct crew){ 0 };
    hf_status status = store->backend->ops->registrations(store->backend, arena, &crew->rows,
                                                          &crew->count, &error);
    if (status) return tool_fail(&error);
    crew->states = hf_arena_array(arena, crew->count, sizeof *crew->states);
    if (!crew->states) {
        hf_error_set(&error, HF_NO_MEMORY, "no memory for %zu registrations", crew->count);
        return tool_fail(&error);
    }
    for (size_t i = 0; i < crew->count; i++) {
        crew->states[i] = registration_state(store, &crew->rows[i]);
        /* A lease of the dead keeps nothing from the living. */
        if (strcmp(crew->states[i], "dead") != 0) continue;
        crew->rows[i].items_left_ms = crew->rows[i].sessions_left_ms = 0;
    }
    return 0;
}

/* The state of a session's owner; "" for nobody. */
static const char *crew_state(const struct crew *crew, uint64_t registration)
{
    size_t low = 0, high = crew->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (crew->rows[middle].registration == registration) return crew->states[middle];
        if (crew->rows[middle].registration < registration) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return registration ? "ended" : "";
}

/* ---- sessions ------------------------------------------------------------------------------- */

/* How long it has been without an activity; 0: it has some. */
static uint64_t quiet_ms(const struct tool_store *store, const struct hf_session_row *row)
{
    const hf_clock *clock = store->seams.clock;
    uint64_t now_unix_ms = clock->wall_unix_ms(clock->self);
    bool is_quiet = row->quiet_unix_ms > 0 && row->quiet_unix_ms < now_unix_ms;
    return is_quiet ? now_unix_ms - row->quiet_unix_ms : 0;
}

static void session_json(struct tool_store *store, const struct hf_session_row *row,
                         const char *state)
{
    struct hf_json *json = &store->json;
    hf_json_begin(json, '{');
    tool_json_text(json, "instance", row->instance_id);
    tool_json_text(json, "session", row->session_id);
    tool_json_number(json, "incarnation", row->incarnation);
    tool_json_text(json, "tag", row->tag);
    tool_json_text(json, "owner", row->worker_id);
    tool_json_text(json, "owner_state", hf_text(state));
    tool_json_number(json, "registration_lsn", row->owner);
    tool_json_number(json, "epoch", row->epoch);
    tool_json_number(json, "lease_left_ms", row->lease_left_ms);
    tool_json_number(json, "queued_count", row->queued_count);
    tool_json_number(json, "running_count", row->running_count);
    tool_json_number(json, "opened_unix_ms", row->opened_unix_ms);
    tool_json_number(json, "quiet_unix_ms", row->quiet_unix_ms);
    hf_json_end(json, '}');
    tool_print_line(json);
}

static void session_text(const struct tool_store *store, const struct hf_session_row *row,
                         const char *state)
{
    tool_print_column(row->instance_id, 20);
    tool_print_column(row->session_id, 12);
    printf("#%-3" PRIu64 " ", row->incarnation);
    tool_print_column(row->tag.size ? row->tag : hf_text("-"), 8);
    tool_print_name(row->owner ? row->worker_id : hf_text("(unclaimed)"), 16);
    printf("%-5s epoch %-8" PRIu64 " lease ", state, row->epoch);
    tool_print_seconds(row->lease_left_ms);
    printf("  queued %" PRIu64 "  running %" PRIu64, row->queued_count, row->running_count);
    uint64_t quiet = quiet_ms(store, row);
    if (quiet > 0) {
        fputs("  quiet for ", stdout);
        tool_print_seconds(quiet);
    }
    putchar('\n');
}

static void session_show(struct tool_store *store, struct hf_session_row *row,
                         const struct crew *crew, bool json)
{
    const char *state = crew_state(crew, row->owner);
    if (strcmp(state, "dead") == 0) row->lease_left_ms = 0; /* as in crew_read */
    if (json) {
        session_json(store, row, state);
    } else {
        session_text(store, row, state);
    }
}

int tool_sessions(const struct tool_arguments *arguments)
{
    enum { PAGE_ROWS = 1000 };
    struct tool_store store;
    struct crew crew;
    struct hf_arena crew_arena;
    struct hf_sessions_query query = { .looked_max = PAGE_ROWS, .out_more = true };
    bool is_any = false;
    hf_error error = { 0 };
    hf_arena_init(&crew_arena, hf_heap_default());
    int failed = tool_open(&store, arguments->words[0]);
    if (!failed) failed = crew_read(&store, &crew_arena, &crew);
    while (!failed && query.out_more) {
        struct hf_session_row *rows = NULL;
        size_t count = 0;
        hf_arena_reset(&store.arena);
        hf_status status = store.backend->ops->sessions(store.backend, &query, &store.arena, &rows,
                                                        &count, &error);
        if (status) failed = tool_fail(&error);
        for (size_t i = 0; i < count && !failed; i++) {
            session_show(&store, &rows[i], &crew, arguments->json);
        }
        is_any = is_any || count > 0;
    }
    if (!failed && !is_any && !arguments->json) printf("no session is open\n");
    tool_close(&store);
    hf_arena_release(&crew_arena);
    return failed;
}

/* ---- workers -------------------------------------------------------------------------------- */

static void worker_json(struct tool_store *store, const struct hf_registration_row *row,
                        const char *state)
{
    struct hf_json *json = &store->json;
    hf_json_begin(json, '{');
    tool_json_text(json, "worker", row->worker_id);
    tool_json_text(json, "state", hf_text(state));
    tool_json_number(json, "registration_lsn", row->registration);
    tool_json_number(json, "pid", row->pid);
    tool_json_number(json, "sessions_count", row->sessions_count);
    tool_json_number(json, "items_count", row->items_count);
    tool_json_number(json, "lease_left_ms", row->sessions_left_ms);
    tool_json_number(json, "items_lease_left_ms", row->items_left_ms);
    hf_json_end(json, '}');
    tool_print_line(json);
}

static void worker_text(const struct hf_registration_row *row, const char *state)
{
    tool_print_name(row->worker_id, 16);
    printf("%-5s registration %-8" PRIu64 " pid %-8" PRIu64 " sessions %" PRIu64 "  items %" PRIu64
           "  lease ",
           state, row->registration, row->pid, row->sessions_count, row->items_count);
    tool_print_seconds(row->sessions_left_ms);
    fputs(" (items ", stdout);
    tool_print_seconds(row->items_left_ms);
    fputs(")\n", stdout);
}

int tool_workers(const struct tool_arguments *arguments)
{
    struct tool_store store;
    struct crew crew = { 0 };
    int failed = tool_open(&store, arguments->words[0]);
    if (!failed) failed = crew_read(&store, &store.arena, &crew);
    for (size_t i = 0; i < crew.count && !failed; i++) {
        if (arguments->json) {
            worker_json(&store, &crew.rows[i], crew.states[i]);
        } else {
            worker_text(&crew.rows[i], crew.states[i]);
        }
    }
    if (!failed && crew.count == 0 && !arguments->json) printf("no worker is registered\n");
    tool_close(&store);
    return failed;
}
