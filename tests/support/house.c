/* The helpers of house.h. */
#include "tests/support/house.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/heap.h"
#include "engine/event.h"
#include "logstore/inspect.h"
#include "runtime/store.h"

/* ---- opening and closing -------------------------------------------------------------------- */

static uint64_t moved(uint64_t time_ms, int64_t by_ms)
{
    return (uint64_t)((int64_t)time_ms + by_ms);
}

static uint64_t boot_ms(void *argument)
{
    struct house_clock *self = argument;
    const hf_clock *world = hf_world_clock();
    return moved(world->boot_ms(world->self), atomic_load(&self->boot_ms));
}

static uint64_t wall_unix_ms(void *argument)
{
    struct house_clock *self = argument;
    const hf_clock *world = hf_world_clock();
    return moved(world->wall_unix_ms(world->self), atomic_load(&self->wall_ms));
}

void house_move_clocks(struct house *self, int64_t boot_ms_by, int64_t wall_ms_by)
{
    atomic_fetch_add(&self->clock.boot_ms, boot_ms_by);
    atomic_fetch_add(&self->clock.wall_ms, wall_ms_by);
}

hf_status house_open_backend(void *directory, const struct hf_backend_options *options,
                             struct hf_backend **out_backend, hf_error *error)
{
    return hf_backend_open(directory, options, out_backend, error);
}

static void store_open(struct house *self, uint64_t call_deadline_ms)
{
    hf_error error = { 0 };
    const struct hf__store_setup setup = { .open = house_open_backend,
                                           .self = self->directory.path,
                                           .call_deadline_ms = call_deadline_ms };
    const hf_store_options options = { .size = sizeof options,
                                       .allocator = &self->heap.allocator,
                                       .observer = &self->observer,
                                       .preallocate_size = 1,
                                       .clock = &self->clock.clock };
    assert_ok(hf__store_open_with(&setup, &options, &self->store, &error), &error);
}

void house_open(struct house *self, const struct part *parts)
{
    memset(self, 0, sizeof *self);
    hf_test_directory_make(&self->directory);
    stage_init(&self->stage, -1);
    hf_test_heap_init(&self->heap);
    self->clock.clock = (hf_clock){ .size = sizeof(hf_clock),
                                    .self = &self->clock,
                                    .boot_ms = boot_ms,
                                    .wall_unix_ms = wall_unix_ms };
    self->observer = stage_observer(&self->stage);
    self->registry = stage_registry(&self->stage, parts, NULL);
    store_open(self, 0);
}

void house_reopen(struct house *self, uint64_t call_deadline_ms)
{
    hf_store_close(self->store);
    store_open(self, call_deadline_ms);
}

void house_resume(struct house *self)
{
    store_open(self, 0);
}

static bool nobody_alive(void *self, hf_slice life)
{
    (void)self;
    (void)life;
    return false;
}

static void report_finding(void *self, const struct hf_verify_finding *finding)
{
    (void)self;
    print_error("verify: %s: %s: %s (lsn %llu)\n", finding->law,
                finding->table ? finding->table : "log", finding->message,
                (unsigned long long)finding->lsn);
}

/* Proves a closed store; its histories too, when their bodies are events. */
static void store_verify(const char *directory, bool has_events)
{
    hf_error error = { 0 };
    const struct hf_seams seams = { .allocator = hf_heap_default(),
                                    .clock = hf_world_clock(),
                                    .random = hf_world_random,
                                    .is_alive = nobody_alive,
                                    .boot_id = hf_text("a boot of a test") };
    struct hf_backend *backend = NULL;
    struct hf_verify_summary summary = { 0 };
    const struct hf_backend_options options = { .must_exist = true,
                                                .read_only = true,
                                                .seams = &seams };
    assert_ok(hf_backend_open(directory, &options, &backend, &error), &error);
    assert_ok(hf_store_verify(backend, &summary, &error, NULL, report_finding), &error);
    assert_true(summary.ok);
    if (has_events) {
        assert_ok(hf_store_verify_histories(backend, &summary, &error, NULL, report_finding),
                  &error);
    }
    backend->ops->close(backend);
    assert_true(summary.ok);
    assert_true(summary.records > 0);
}

void house_verify(const char *directory)
{
    store_verify(directory, true);
}

/* Every registration has ended, in order or declared dead: no life file may be left. */
static void assert_no_lives(const char *directory)
{
    char path[512];
    snprintf(path, sizeof path, "%s/life", directory);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') fail_msg("a life file is left: %s", entry->d_name);
    }
    closedir(folder);
}

void house_close(struct house *self)
{
    hf_store_close(self->store);
    assert_int_equal(stage_count(&self->stage, "log store.close"), 0);
    assert_int_equal(self->heap.blocks_count, 0);
    hf_registry_free(self->registry);
    store_verify(self->directory.path, !self->has_foreign_bodies);
    assert_no_lives(self->directory.path);
    assert_int_equal(stage_memories(&self->stage), 0);
    stage_release(&self->stage);
    hf_test_directory_remove(&self->directory);
}

/* ---- workers --------------------------------------------------------------------------------- */

hf_runtime *house_worker(struct house *self, const hf_runtime_options *options)
{
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    hf_runtime_options with_check = *options;
    with_check.check_replay = true;
    assert_ok(hf_runtime_new(self->store, self->registry, &with_check, &runtime, &error), &error);
    assert_ok(hf_runtime_start(runtime, &error), &error);
    return runtime;
}

hf_runtime *house_orchestrator(struct house *self)
{
    return house_worker(self, HF_WITH(hf_runtime_options, .worker_id = "orchestrator",
                                      .activity_threads = UINT32_MAX, .item_lock_ms = 600000,
                                      .session_lock_ms = 600000));
}

void house_rest(hf_runtime *runtime)
{
    hf_error error = { 0 };
    hf_runtime_stop(runtime, STAGE_LIMIT_MS, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, &error), &error);
}

struct wanted {
    const char *name;
    double value;
    bool is_found;
};

static void metric_take(void *user, const hf_metric *metric)
{
    struct wanted *wanted = user;
    if (strcmp(metric->name, wanted->name) != 0) return;
    wanted->value = metric->value;
    wanted->is_found = true;
}

double house_metric(hf_runtime *runtime, const char *name)
{
    struct wanted wanted = { .name = name };
    hf_runtime_metrics(runtime, metric_take, &wanted);
    assert_true(wanted.is_found);
    return wanted.value;
}

struct metric_wait {
    hf_runtime *runtime;
    const char *name;
    double value;
};

static bool metric_is(void *context)
{
    struct metric_wait *wait = context;
    return house_metric(wait->runtime, wait->name) == wait->value;
}

void house_wait_metric(hf_runtime *runtime, const char *name, double value)
{
    struct metric_wait wait = { runtime, name, value };
    if (hf_test_wait(STAGE_LIMIT_MS, &wait, metric_is)) return;
    fail_msg("%s is %g and does not become %g", name, house_metric(runtime, name), value);
}

/* ---- instances ------------------------------------------------------------------------------- */

void house_start(struct house *self, const char *instance, const char *orchestration,
                 const char *input)
{
    hf_error error = { 0 };
    assert_ok(hf_start(self->store, instance, orchestration, hf_text(input), &error), &error);
}

void house_send(struct house *self, const char *instance, const char *queue, const char *message)
{
    hf_error error = { 0 };
    assert_ok(hf_enqueue(self->store, instance, queue, hf_text(message), &error), &error);
}

/* Waits for the end. Returns owned. */
static const hf_instance *ended(struct house *self, const char *instance)
{
    hf_error error = { 0 };
    const hf_instance *done = NULL;
    hf_status status = hf_wait(self->store, instance, STAGE_LIMIT_MS, &done, &error);
    if (status != HF_OK) stage_print(&self->stage);
    assert_ok(status, &error);
    return done;
}

void house_output(struct house *self, const char *instance, char *out_text, size_t text_size)
{
    const hf_instance *done = ended(self, instance);
    if (done->error) print_error("%s: %s\n", instance, done->error->message);
    assert_int_equal(done->status, HF_INSTANCE_COMPLETED);
    assert_true(done->output.size < text_size);
    snprintf(out_text, text_size, HF_FMT, HF_ARG(done->output));
    hf_instance_free(done);
}

void house_expect(struct house *self, const char *instance, const char *output)
{
    char text[HOUSE_TEXT_SIZE];
    house_output(self, instance, text, sizeof text);
    assert_string_equal(text, output);
}

size_t house_told(struct house *self, const char *instance, struct told *out_told, size_t told_max)
{
    char text[HOUSE_TEXT_SIZE];
    house_output(self, instance, text, sizeof text);
    return told_read_all(text, out_told, told_max);
}

void house_failure(struct house *self, const char *instance, hf_instance_status status,
                   hf_error *out_error)
{
    const hf_instance *done = ended(self, instance);
    assert_int_equal(done->status, status);
    assert_non_null(done->error);
    *out_error = *done->error;
    out_error->data = hf_text(NULL);
    hf_instance_free(done);
}

struct status_wait {
    hf_store *store;
    const char *instance, *status;
};

static bool shows_status(void *context)
{
    struct status_wait *wait = context;
    const hf_instance *instance = NULL;
    if (hf_get(wait->store, wait->instance, &instance, NULL) != HF_OK) return false;
    bool shows = hf_slice_equal(instance->custom_status, hf_text(wait->status));
    hf_instance_free(instance);
    return shows;
}

void house_wait_status(struct house *self, const char *instance, const char *status)
{
    struct status_wait wait = { self->store, instance, status };
    if (!hf_test_wait(STAGE_LIMIT_MS, &wait, shows_status)) {
        fail_msg("%s does not become \"%s\"", instance, status);
    }
}

/* ---- what the store shows ------------------------------------------------------------------- */

static void arena_init(struct hf_arena *arena)
{
    hf_arena_init(arena, hf_heap_default());
}

/* Reads the open sessions of the instance (NULL: of all), and hands each to `each`. */
static void sessions_each(struct house *self, const char *instance, void *user,
                          void (*each)(void *user, const hf_session_info *row))
{
    hf_error error = { 0 };
    hf_cursor *cursor = NULL;
    const hf_session_info *row = NULL;
    hf_status status = hf_query_open(self->store, HF_WITH(hf_query, .instance = instance), &cursor,
                                     &error);
    if (status == HF_NOT_FOUND) return;
    assert_ok(status, &error);
    while (hf_next_session(cursor, &row)) each(user, row);
    assert_ok(hf_cursor_close(cursor, &error), &error);
}

struct session_search {
    const char *session;
    struct house_session *out_session;
    size_t found_count;
};

static void session_compare(void *user, const hf_session_info *row)
{
    struct session_search *search = user;
    struct house_session *found = search->out_session;
    if (strcmp(row->session, search->session) != 0) return;
    search->found_count++;
    memset(found, 0, sizeof *found);
    snprintf(found->owner, sizeof found->owner, "%s", row->owner ? row->owner : "");
    found->incarnation = row->incarnation;
    found->epoch = row->epoch;
    found->registration = row->registration_lsn;
    found->lease_left_ms = row->lease_left_ms;
    found->queued_count = row->queued_count;
    found->running_count = row->running_count;
}

bool house_session(struct house *self, const char *instance, const char *session,
                   struct house_session *out_session)
{
    struct session_search search = { session, out_session, 0 };
    sessions_each(self, instance, &search, session_compare);
    assert_true(search.found_count <= 1);
    return search.found_count == 1;
}

static void session_count(void *user, const hf_session_info *row)
{
    size_t *count = user;
    (void)row;
    (*count)++;
}

size_t house_sessions_count(struct house *self, const char *instance)
{
    size_t count = 0;
    sessions_each(self, instance, &count, session_count);
    return count;
}

struct owner_wait {
    struct house *house;
    const char *instance, *session, *owner;
};

static bool has_owner(void *context)
{
    struct owner_wait *wait = context;
    struct house_session row;
    return house_session(wait->house, wait->instance, wait->session, &row) &&
           strcmp(row.owner, wait->owner) == 0;
}

void house_wait_owner(struct house *self, const char *instance, const char *session,
                      const char *owner)
{
    struct owner_wait wait = { self, instance, session, owner };
    if (hf_test_wait(STAGE_LIMIT_MS, &wait, has_owner)) return;
    fail_msg("session %s of %s does not come to \"%s\"", session, instance, owner);
}

struct gone_wait {
    struct house *house;
    const char *worker_id;
};

static bool is_gone(void *context)
{
    struct gone_wait *wait = context;
    struct hf_backend *backend = wait->house->store->backend;
    struct hf_arena arena;
    struct hf_registration_row *rows = NULL;
    size_t count = 0;
    bool lives = false;
    hf_error error = { 0 };
    arena_init(&arena);
    assert_ok(backend->ops->registrations(backend, &arena, &rows, &count, &error), &error);
    for (size_t i = 0; i < count; i++) {
        bool is_it = hf_slice_equal(rows[i].worker_id, hf_text(wait->worker_id));
        lives = lives || (is_it && !rows[i].ended);
    }
    hf_arena_release(&arena);
    return !lives;
}

void house_wait_gone(struct house *self, const char *worker_id)
{
    struct gone_wait wait = { self, worker_id };
    if (!hf_test_wait(STAGE_LIMIT_MS, &wait, is_gone)) fail_msg("%s lives", worker_id);
}

static size_t event_write(const struct hf_event *event, char *text, size_t text_size)
{
    hf_slice name = event->text.size ? event->text : event->name;
    char incarnation[32] = "";
    char source[32] = "";
    if (event->incarnation) {
        snprintf(incarnation, sizeof incarnation, " #%" PRIu64, event->incarnation);
    }
    if (event->source) snprintf(source, sizeof source, " of %" PRIu64, event->source);
    int size = snprintf(text, text_size, "%s%s" HF_FMT "%s%s\n", hf_event_kind_name(event->kind),
                        name.size ? " " : "", HF_ARG(name), incarnation, source);
    assert_true(size > 0 && (size_t)size < text_size);
    return (size_t)size;
}

/* The history of the present execution, in arena. */
static struct hf_turn_view history_read(struct house *self, const char *instance,
                                        struct hf_arena *arena)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_instance_info info;
    struct hf_turn_view view;
    hf_error error = { 0 };
    assert_ok(backend->ops->instance(backend, hf_text(instance), arena, &info, &error), &error);
    const struct hf_item_id first = { info.number, info.execution, 1 };
    assert_ok(backend->ops->turn_view(backend, &first, arena, &view, &error), &error);
    return view;
}

static struct hf_event event_read(const struct hf_stored_event *stored, struct hf_arena *arena)
{
    struct hf_event event;
    hf_error error = { 0 };
    assert_ok(hf_event_decode(stored->body, arena, &event, &error), &error);
    return event;
}

size_t house_history(struct house *self, const char *instance, char *out_text, size_t text_size)
{
    struct hf_arena arena;
    arena_init(&arena);
    struct hf_turn_view view = history_read(self, instance, &arena);
    size_t size = 0;
    for (size_t i = 0; i < view.events_count; i++) {
        const struct hf_event event = event_read(&view.events[i], &arena);
        size += event_write(&event, out_text + size, text_size - size);
    }
    hf_arena_release(&arena);
    return view.events_count;
}

uint64_t house_event_unix_ms(struct house *self, const char *instance, const char *kind)
{
    struct hf_arena arena;
    arena_init(&arena);
    struct hf_turn_view view = history_read(self, instance, &arena);
    uint64_t unix_ms = 0;
    for (size_t i = 0; i < view.events_count && unix_ms == 0; i++) {
        const struct hf_event event = event_read(&view.events[i], &arena);
        if (strcmp(hf_event_kind_name(event.kind), kind) == 0) unix_ms = view.events[i].unix_ms;
    }
    hf_arena_release(&arena);
    if (unix_ms == 0) fail_msg("%s has no event %s", instance, kind);
    return unix_ms;
}
