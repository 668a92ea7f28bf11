/* The puppet of puppet.h. */
#include "tests/unit/runtime/puppet.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/event.h"
#include "runtime/world.h"

static struct timespec limit_time(void)
{
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += PUPPET_LIMIT_MS / 1000;
    return limit;
}

static struct puppet *puppet_of(struct hf_backend *backend)
{
    return (struct puppet *)backend;
}

/* ---- commands ------------------------------------------------------------------------------- */

static void note_completion(struct puppet_note *note, const struct hf_store_command *command)
{
    struct hf_event event;
    hf_error error;
    note->instance = command->complete_item.token.item.instance;
    note->event_id = command->complete_item.token.item.event_id;
    if (hf_event_decode(command->complete_item.body, command->arena, &event, &error)) abort();
    note->event_kind = event.kind;
    note->event_status = (hf_status)(uint32_t)event.status;
    hf_text_copy(note->message, sizeof note->message, event.text);
    snprintf(note->text, sizeof note->text, HF_FMT "|" HF_FMT, HF_ARG(event.code),
             HF_ARG(event.payload));
}

/* "a,b" into text. */
static void join_tags(const hf_slice *tags, size_t count, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s" HF_FMT, i ? "," : "",
                                 HF_ARG(tags[i]));
        if (used >= size) abort();
    }
}

/* What is kept of a command. */
static void note_fill(struct puppet_note *note, const struct hf_store_command *command)
{
    note->kind = command->kind;
    note->status = command->status;
    switch (command->kind) {
    case HF_STORE_COMPLETE_ITEM: note_completion(note, command); break;
    case HF_STORE_ABANDON_ITEM:
        note->instance = command->abandon_item.token.item.instance;
        note->is_counted = !command->abandon_item.uncounted;
        note->reason = command->abandon_item.reason;
        note->delay_ms = command->abandon_item.delay_ms;
        break;
    case HF_STORE_ABANDON_TURN:
        note->instance = command->abandon_turn.token.instance;
        note->is_counted = command->abandon_turn.counted;
        note->reason = command->abandon_turn.reason;
        note->delay_ms = command->abandon_turn.delay_ms;
        break;
    case HF_STORE_FAIL_TURN: note->instance = command->fail_turn.token.instance; break;
    case HF_STORE_COMMIT_TURN:
        note->instance = command->commit_turn.token.instance;
        note->outcome = command->commit_turn.turn->outcome;
        note->events_count = command->commit_turn.turn->events.count;
        note->messages_count = command->commit_turn.turn->messages.count;
        break;
    case HF_STORE_FETCH_ITEMS:
        note->items_count = command->fetch_items.items_max;
        join_tags(command->fetch_items.tags, command->fetch_items.tags_count, note->text,
                  sizeof note->text);
        break;
    case HF_STORE_FETCH_TURNS: note->items_count = command->fetch_turns.turns_max; break;
    case HF_STORE_RENEW:
        note->items_count = command->renew.items_count;
        note->sessions_count = command->renew.sessions_count;
        break;
    case HF_STORE_RELEASE_SESSIONS:
        note->instance = command->release_sessions.sessions[0].instance;
        note->sessions_count = command->release_sessions.sessions_count;
        note->reason = command->release_sessions.reason;
        break;
    case HF_STORE_END_REGISTRATION:
        note->instance = command->end_registration.registration;
        note->reason = command->end_registration.reason;
        break;
    case HF_STORE_REGISTER:
        hf_text_copy(note->text, sizeof note->text, command->register_worker.worker_id);
        note->delay_ms = command->register_worker.reclaim_ms;
        break;
    default: break;
    }
}

static void hand_items(struct puppet *self, struct hf_store_fetch_items *fetch,
                       struct hf_arena *arena)
{
    size_t count = self->items_count < fetch->items_max ? self->items_count : fetch->items_max;
    fetch->out_items = hf_arena_array(arena, count, sizeof *fetch->out_items);
    if (!fetch->out_items) abort();
    memcpy(fetch->out_items, self->items, count * sizeof *self->items);
    fetch->out_items_count = count;
    self->items_count -= count;
    memmove(self->items, self->items + count, self->items_count * sizeof *self->items);
}

static void hand_turns(struct puppet *self, struct hf_store_fetch_turns *fetch,
                       struct hf_arena *arena)
{
    size_t count = self->turns_count < fetch->turns_max ? self->turns_count : fetch->turns_max;
    fetch->out_turns = hf_arena_array(arena, count, sizeof *fetch->out_turns);
    if (!fetch->out_turns) abort();
    memcpy(fetch->out_turns, self->turns, count * sizeof *self->turns);
    fetch->out_turns_count = count;
    self->turns_count -= count;
    memmove(self->turns, self->turns + count, self->turns_count * sizeof *self->turns);
}

static bool presents(const struct hf_store_renew *renew, const struct puppet_void *each,
                     size_t *out_index)
{
    size_t count = each->is_session ? renew->sessions_count : renew->items_count;
    for (size_t i = 0; i < count; i++) {
        uint64_t instance = each->is_session ? renew->sessions[i].instance
                                             : renew->items[i].item.instance;
        if (instance != each->instance) continue;
        *out_index = i;
        return true;
    }
    return false;
}

/* Names the voids among what is presented. Under the mutex. */
static void name_voids(struct puppet *self, struct hf_store_renew *renew, struct hf_arena *arena)
{
    renew->out_voids = hf_arena_array(arena, self->voids_count, sizeof *renew->out_voids);
    if (!renew->out_voids) abort();
    renew->out_voids_count = 0;
    for (size_t i = 0; i < self->voids_count; i++) {
        const struct puppet_void *each = &self->voids[i];
        size_t index = 0;
        if (!presents(renew, each, &index)) continue;
        renew->out_voids[renew->out_voids_count++] = (struct hf_void){
            .is_session = each->is_session, .index = index, .code = each->code
        };
    }
}

/* Refuses each session of a release. Under the mutex. */
static void name_refused(struct puppet *self, struct hf_store_release_sessions *release,
                         struct hf_arena *arena)
{
    if (self->release_codes_count == 0) return;
    self->release_codes_count--;
    release->out_voids = hf_arena_array(arena, release->sessions_count, sizeof *release->out_voids);
    if (!release->out_voids) abort();
    release->out_voids_count = release->sessions_count;
    for (size_t i = 0; i < release->sessions_count; i++) {
        release->out_voids[i] = (struct hf_void){ .is_session = true,
                                                  .index = i,
                                                  .code = self->release_code };
    }
}

static void command_run(struct puppet *self, struct hf_store_command *command)
{
    command->status = HF_OK;
    if (command->kind == self->refused_kind && self->refused_count > 0) {
        self->refused_count--;
        command->status = hf_error_set(&command->error, self->refused_status, "told to refuse");
        if (self->refused_code) hf_error_code(&command->error, self->refused_code);
        return;
    }
    switch (command->kind) {
    case HF_STORE_REGISTER: command->register_worker.out_registration = PUPPET_REGISTRATION; break;
    case HF_STORE_FETCH_ITEMS: hand_items(self, &command->fetch_items, command->arena); break;
    case HF_STORE_FETCH_TURNS: hand_turns(self, &command->fetch_turns, command->arena); break;
    case HF_STORE_COMMIT_TURN: command->commit_turn.out_head = ++self->lsn; break;
    case HF_STORE_RENEW: name_voids(self, &command->renew, command->arena); break;
    case HF_STORE_RELEASE_SESSIONS:
        name_refused(self, &command->release_sessions, command->arena);
        break;
    default: break;
    }
}

static void batch_run(struct puppet *self, struct hf_batch *batch, size_t from)
{
    pthread_mutex_lock(&self->mutex);
    for (size_t i = from; i < batch->count; i++) {
        command_run(self, batch->commands[i]);
        if (self->notes_count == PUPPET_NOTES_MAX) abort();
        self->notes[self->notes_count].probes_count = self->probes_count;
        note_fill(&self->notes[self->notes_count++], batch->commands[i]);
    }
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

static hf_status puppet_commit(struct hf_backend *backend, struct hf_batch *batch, hf_error *error)
{
    struct puppet *self = puppet_of(backend);
    (void)error;
    pthread_mutex_lock(&self->mutex);
    while (self->is_held) pthread_cond_wait(&self->changed, &self->mutex);
    bool is_start = batch->commands[0]->kind == HF_STORE_START;
    bool is_repeated = is_start && self->is_repeated;
    uint32_t effects = is_start ? self->effects : 0;
    batch->effects = is_start ? self->inner_effects : 0;
    pthread_mutex_unlock(&self->mutex);
    size_t done_count = 0;
    while (done_count < batch->count) {
        batch_run(self, batch, done_count);
        done_count = batch->count;
        if (batch->more && !is_repeated) batch->more(batch->self, batch);
    }
    batch->effects = effects;
    return HF_OK;
}

/* ---- reads ---------------------------------------------------------------------------------- */

static hf_status puppet_turn_view(struct hf_backend *backend, const struct hf_item_id *from,
                                  struct hf_arena *arena, struct hf_turn_view *out_view,
                                  hf_error *error)
{
    struct puppet *self = puppet_of(backend);
    (void)arena;
    pthread_mutex_lock(&self->mutex);
    hf_status status = self->view_status;
    self->views_count++;
    *out_view = self->view;
    pthread_mutex_unlock(&self->mutex);
    if (from->event_id > 1) out_view->events_count = 0;
    return status == HF_OK ? HF_OK : hf_error_set(error, status, "told to fail");
}

static hf_status puppet_registrations(struct hf_backend *backend, struct hf_arena *arena,
                                      struct hf_registration_row **out_rows, size_t *out_count,
                                      hf_error *error)
{
    struct puppet *self = puppet_of(backend);
    (void)error;
    pthread_mutex_lock(&self->mutex);
    size_t count = self->others_count;
    self->probes_count++;
    pthread_cond_broadcast(&self->changed);
    *out_rows = hf_arena_array(arena, count, sizeof **out_rows);
    if (!*out_rows) abort();
    memcpy(*out_rows, self->others, count * sizeof **out_rows);
    *out_count = count;
    pthread_mutex_unlock(&self->mutex);
    return HF_OK;
}

static hf_status puppet_check_held(struct hf_backend *backend, struct hf_store_renew *renew,
                                   struct hf_arena *arena, hf_error *error)
{
    struct puppet *self = puppet_of(backend);
    (void)error;
    pthread_mutex_lock(&self->mutex);
    if (!self->is_blind) name_voids(self, renew, arena);
    pthread_mutex_unlock(&self->mutex);
    return HF_OK;
}

static hf_status puppet_peek(struct hf_backend *backend, struct hf_peek *peek, hf_error *error)
{
    struct puppet *self = puppet_of(backend);
    (void)error;
    pthread_mutex_lock(&self->mutex);
    peek->out_turns_due = !self->is_blind && self->turns_count > 0;
    peek->out_items_ready = !self->is_blind && self->items_count > 0;
    join_tags(peek->tags, peek->tags_count, self->peek_tags, sizeof self->peek_tags);
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    return HF_OK;
}

/* Whether the query asks for the row: as the store does, but for the leases. */
static bool is_asked(const struct hf_sessions_query *query, const struct hf_session_row *row)
{
    bool is_quiet = row->quiet_unix_ms > 0 && row->quiet_unix_ms <= query->quiet_until_unix_ms;
    return query->quiet_until_unix_ms == 0 || is_quiet;
}

static hf_status puppet_sessions(struct hf_backend *backend, struct hf_sessions_query *query,
                                 struct hf_arena *arena, struct hf_session_row **out_rows,
                                 size_t *out_count, hf_error *error)
{
    struct puppet *self = puppet_of(backend);
    pthread_mutex_lock(&self->mutex);
    self->pages_count++;
    self->page_rows_max = query->looked_max;
    hf_status status = self->sessions_status;
    struct hf_session_row *rows = hf_arena_array(arena, self->rows_count, sizeof *rows);
    if (!rows) abort();
    size_t looked = 0, count = 0, i = 0;
    for (; i < self->rows_count && (query->looked_max == 0 || looked < query->looked_max); i++) {
        const struct hf_session_row *row = &self->rows[i];
        if (query->owner != 0 && row->owner != query->owner) continue;
        if (row->instance < query->after_instance ||
            (row->instance == query->after_instance &&
             row->incarnation <= query->after_incarnation)) {
            continue;
        }
        looked++;
        query->after_instance = row->instance;
        query->after_incarnation = row->incarnation;
        if (is_asked(query, row)) rows[count++] = *row;
    }
    query->out_more = i < self->rows_count;
    *out_rows = rows;
    *out_count = count;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    return status == HF_OK ? HF_OK : hf_error_set(error, status, "told to fail");
}

static hf_status puppet_instance(struct hf_backend *backend, hf_slice id, struct hf_arena *arena,
                                 struct hf_instance_info *out_info, hf_error *error)
{
    struct puppet *self = puppet_of(backend);
    uint64_t number = 0;
    (void)arena;
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; i < self->rows_count && number == 0; i++) {
        if (hf_slice_equal(self->rows[i].instance_id, id)) number = self->rows[i].instance;
    }
    pthread_mutex_unlock(&self->mutex);
    if (number == 0) return hf_error_set(error, HF_NOT_FOUND, "there is none");
    *out_info = (struct hf_instance_info){ .number = number, .id = id };
    return HF_OK;
}

static int puppet_directory(struct hf_backend *backend)
{
    return puppet_of(backend)->directory_file;
}

static void puppet_closed(struct hf_backend *backend)
{
    (void)backend;
}

static const struct hf_backend_ops puppet_ops = {
    .capabilities = { .sessions = true },
    .commit = puppet_commit,
    .turn_view = puppet_turn_view,
    .instance = puppet_instance,
    .sessions = puppet_sessions,
    .registrations = puppet_registrations,
    .check_held = puppet_check_held,
    .peek = puppet_peek,
    .directory = puppet_directory,
    .close = puppet_closed,
};

/* ---- life ----------------------------------------------------------------------------------- */

static hf_status puppet_hand_out(void *self, const struct hf_backend_options *options,
                                 struct hf_backend **out_backend, hf_error *error)
{
    struct puppet *puppet = self;
    (void)options;
    (void)error;
    *out_backend = &puppet->backend;
    return HF_OK;
}

static void log_copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

static void puppet_log(void *self, const hf_log_line *line)
{
    struct puppet *puppet = self;
    pthread_mutex_lock(&puppet->mutex);
    if (puppet->logs_count < PUPPET_LOGS_MAX) {
        struct puppet_log *log = &puppet->logs[puppet->logs_count++];
        log->level = line->level;
        log_copy(log->event, sizeof log->event, line->event);
        log_copy(log->instance, sizeof log->instance, line->instance);
        log_copy(log->session, sizeof log->session, line->session);
        log_copy(log->worker, sizeof log->worker, line->worker);
        log_copy(log->message, sizeof log->message, line->message);
    }
    pthread_cond_broadcast(&puppet->changed);
    pthread_mutex_unlock(&puppet->mutex);
}

static uint64_t puppet_boot_ms(void *self)
{
    uint64_t hand_ms = atomic_load(&((struct puppet *)self)->hand_boot_ms);
    return hand_ms ? hand_ms : hf_world_clock()->boot_ms(NULL);
}

static uint64_t puppet_wall_unix_ms(void *self)
{
    uint64_t hand_ms = atomic_load(&((struct puppet *)self)->hand_unix_ms);
    return hand_ms ? hand_ms : hf_world_clock()->wall_unix_ms(NULL);
}

void puppet_open(struct puppet *self)
{
    hf_error error = { 0 };
    pthread_condattr_t monotonic;
    memset(self, 0, sizeof *self);
    self->backend.ops = &puppet_ops;
    self->lsn = 1000;
    hf_test_directory_make(&self->directory);
    self->directory_file = open(self->directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(self->directory_file >= 0);
    hf_arena_init(&self->arena, hf_heap_default());
    pthread_mutex_init(&self->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    self->notes = calloc(PUPPET_NOTES_MAX, sizeof *self->notes);
    assert_non_null(self->notes);
    self->registry = hf_registry_new();
    self->observer = (hf_observer){
        .size = sizeof self->observer, .self = self, .level_max = HF_LOG_INFO, .log = puppet_log
    };
    self->clock = (hf_clock){ .size = sizeof self->clock,
                              .self = self,
                              .boot_ms = puppet_boot_ms,
                              .wall_unix_ms = puppet_wall_unix_ms };
    const struct hf__store_setup setup = { .open = puppet_hand_out, .self = self };
    assert_ok(hf__store_open_with(
                  &setup,
                  HF_WITH(hf_store_options, .observer = &self->observer, .clock = &self->clock),
                  &self->store, &error),
              &error);
}

void puppet_close(struct puppet *self)
{
    assert_int_equal(atomic_load(&self->store->runtimes_count), 0);
    hf_store_close(self->store);
    hf_registry_free(self->registry);
    hf_arena_release(&self->arena);
    close(self->directory_file);
    hf_test_directory_remove(&self->directory);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    free(self->notes);
}

hf_runtime *puppet_worker(struct puppet *self, const hf_runtime_options *options)
{
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    assert_ok(hf_runtime_new(self->store, self->registry, options, &runtime, &error), &error);
    assert_ok(hf_runtime_start(runtime, &error), &error);
    return runtime;
}

/* ---- giving --------------------------------------------------------------------------------- */

void puppet_ring(struct puppet *self, uint32_t effects)
{
    hf__effects_tell_here(self->store->effects, effects | HF__EFFECT_HEARD);
}

static void give(struct puppet *self, struct hf_item_grant grant, const struct hf_event *event)
{
    pthread_mutex_lock(&self->mutex);
    assert_true(self->items_count < PUPPET_GRANTS_MAX);
    grant.token.delivery_lsn = ++self->lsn;
    grant.token.delivery_number = 1;
    if (grant.attempt == 0) grant.attempt = 1;
    grant.instance_id = hf_text("thing");
    grant.body = hf_event_encode(event, &self->arena);
    assert_non_null(grant.body.data);
    self->items[self->items_count++] = grant;
    pthread_mutex_unlock(&self->mutex);
    puppet_ring(self, HF_EFFECT_ITEMS_READY);
}

void puppet_give(struct puppet *self, struct hf_item_grant grant, const char *name)
{
    give(self, grant,
         &(struct hf_event){ .kind = HF_EVENT_ACTIVITY_SCHEDULED,
                             .name = hf_text(name),
                             .incarnation = grant.incarnation,
                             .text = grant.session_id });
}

void puppet_give_item(struct puppet *self, uint64_t instance, const char *name, const char *input)
{
    give(self,
         (struct hf_item_grant){
             .token.item = { .instance = instance, .execution = 1, .event_id = 2 } },
         &(struct hf_event){ .kind = HF_EVENT_ACTIVITY_SCHEDULED,
                             .name = hf_text(name),
                             .payload = hf_text(input) });
}

void puppet_give_session_item(struct puppet *self, uint64_t instance, const char *name,
                              uint64_t epoch)
{
    puppet_give(self,
                (struct hf_item_grant){
                    .token.item = { .instance = instance, .execution = 1, .event_id = 2 },
                    .session_id = hf_text("desk"),
                    .incarnation = 1,
                    .epoch = epoch,
                    .first_in_claim = true },
                name);
}

void puppet_give_turn(struct puppet *self, uint64_t instance, uint64_t head,
                      const char *orchestration)
{
    pthread_mutex_lock(&self->mutex);
    assert_true(self->turns_count < PUPPET_GRANTS_MAX);
    self->turns[self->turns_count++] = (struct hf_turn_grant){
        .token = { .instance = instance, .head = head, .nonce = ++self->lsn },
        .execution = 1,
        .engine_version = HF_ENGINE_VERSION,
        .attempt = self->turn_attempt > 0 ? self->turn_attempt : 1,
        .orchestration = hf_text(orchestration),
    };
    pthread_mutex_unlock(&self->mutex);
    puppet_ring(self, HF_EFFECT_TURNS_DUE);
}

void puppet_set_view(struct puppet *self, const char *orchestration, const char *activity,
                     bool answered)
{
    pthread_mutex_lock(&self->mutex);
    struct hf_arena *arena = &self->arena;
    struct hf_stored_event *events = hf_arena_array(arena, 2, sizeof *events);
    struct hf_stored_message *messages = hf_arena_array(arena, 1, sizeof *messages);
    assert_true(events && messages);
    const struct hf_event scheduled = { .kind = HF_EVENT_ACTIVITY_SCHEDULED,
                                        .name = hf_text(activity ? activity : "") };
    events[0] = (struct hf_stored_event){
        .event_id = 1,
        .lsn = 1,
        .body = hf_body_started(hf_text(orchestration), hf_text(NULL), hf_text(""), arena)
    };
    self->view = (struct hf_turn_view){
        .instance_id = hf_text("thing"), .next_event_id = 2, .events = events, .events_count = 1
    };
    if (answered) {
        events[1] = (struct hf_stored_event){ .event_id = 2,
                                              .lsn = 2,
                                              .body = hf_event_encode(&scheduled, arena) };
        messages[0] = (struct hf_stored_message){ .lsn = 3,
                                                  .execution = 1,
                                                  .body = hf_body_activity_outcome(
                                                      2, hf_text("done"), NULL, arena) };
        self->view.next_event_id = 3;
        self->view.events_count = 2;
        self->view.messages = messages;
        self->view.messages_count = 1;
    }
    assert_false(arena->failed);
    pthread_mutex_unlock(&self->mutex);
}

void puppet_void(struct puppet *self, bool is_session, uint64_t instance, const char *code)
{
    pthread_mutex_lock(&self->mutex);
    assert_true(self->voids_count < PUPPET_VOIDS_MAX);
    self->voids[self->voids_count++] = (struct puppet_void){ is_session, instance, code };
    pthread_mutex_unlock(&self->mutex);
    puppet_ring(self, HF_EFFECT_VOIDED);
}

void puppet_refuse(struct puppet *self, enum hf_store_command_kind kind, size_t count,
                   hf_status status)
{
    pthread_mutex_lock(&self->mutex);
    self->refused_kind = kind;
    self->refused_count = count;
    self->refused_status = status;
    pthread_mutex_unlock(&self->mutex);
}

void puppet_refuse_release(struct puppet *self, const char *code)
{
    pthread_mutex_lock(&self->mutex);
    self->release_code = code;
    self->release_codes_count = 1;
    pthread_mutex_unlock(&self->mutex);
}

void puppet_look(struct puppet *self, hf_runtime *runtime, uint32_t bits)
{
    uv_mutex_lock(&runtime->mutex);
    hf__runtime_wake(runtime, bits);
    uv_mutex_unlock(&runtime->mutex);
    /* The second renewal from now on is of a later round of the loop. */
    puppet_wait(self, HF_STORE_RENEW, puppet_count(self, HF_STORE_RENEW) + 3);
}

void puppet_wait_tick(struct puppet *self)
{
    /* One may be on its way, the next is whole, and the one behind it shows that it is over. */
    enum { PROBES = 3 };
    struct timespec limit = limit_time();
    int failed = 0;
    pthread_mutex_lock(&self->mutex);
    size_t until = self->probes_count + PROBES;
    while (self->probes_count < until && failed == 0) {
        failed = pthread_cond_timedwait(&self->changed, &self->mutex, &limit);
    }
    bool is_over = self->probes_count >= until;
    pthread_mutex_unlock(&self->mutex);
    assert_true(is_over);
}

void puppet_hold(struct puppet *self, bool is_held)
{
    pthread_mutex_lock(&self->mutex);
    self->is_held = is_held;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

/* ---- what happened -------------------------------------------------------------------------- */

/* Counts notes of a kind; *out_last becomes the last. Under the mutex. */
static size_t count_notes(const struct puppet *self, enum hf_store_command_kind kind,
                          struct puppet_note *out_last)
{
    size_t count = 0;
    for (size_t i = 0; i < self->notes_count; i++) {
        if (self->notes[i].kind != kind) continue;
        count++;
        if (out_last) *out_last = self->notes[i];
    }
    return count;
}

struct puppet_note puppet_wait(struct puppet *self, enum hf_store_command_kind kind, size_t count)
{
    struct timespec limit = limit_time();
    struct puppet_note last = { .kind = 0 };
    int failed = 0;
    pthread_mutex_lock(&self->mutex);
    while (count_notes(self, kind, &last) < count && failed == 0) {
        failed = pthread_cond_timedwait(&self->changed, &self->mutex, &limit);
    }
    size_t seen = count_notes(self, kind, &last);
    pthread_mutex_unlock(&self->mutex);
    if (seen < count) fail_msg("%zu commands of kind %d, not %zu", seen, (int)kind, count);
    return last;
}

void puppet_wait_peek(struct puppet *self, const char *tags)
{
    struct timespec limit = limit_time();
    int failed = 0;
    pthread_mutex_lock(&self->mutex);
    while (strcmp(self->peek_tags, tags) != 0 && failed == 0) {
        failed = pthread_cond_timedwait(&self->changed, &self->mutex, &limit);
    }
    bool is_so = strcmp(self->peek_tags, tags) == 0;
    pthread_mutex_unlock(&self->mutex);
    assert_true(is_so);
}

size_t puppet_count(struct puppet *self, enum hf_store_command_kind kind)
{
    pthread_mutex_lock(&self->mutex);
    size_t count = count_notes(self, kind, NULL);
    pthread_mutex_unlock(&self->mutex);
    return count;
}

/* Counts lines of an event; *out_last (may be NULL) becomes the last. Under the mutex. */
static size_t count_logs(const struct puppet *self, const char *event, struct puppet_log *out_last)
{
    size_t count = 0;
    for (size_t i = 0; i < self->logs_count; i++) {
        if (strcmp(self->logs[i].event, event) != 0) continue;
        count++;
        if (out_last) *out_last = self->logs[i];
    }
    return count;
}

size_t puppet_count_logs(struct puppet *self, const char *event)
{
    pthread_mutex_lock(&self->mutex);
    size_t count = count_logs(self, event, NULL);
    pthread_mutex_unlock(&self->mutex);
    return count;
}

struct puppet_log puppet_wait_log(struct puppet *self, const char *event)
{
    struct timespec limit = limit_time();
    struct puppet_log last = { .level = HF_LOG_ERROR };
    int failed = 0;
    pthread_mutex_lock(&self->mutex);
    while (count_logs(self, event, &last) == 0 && failed == 0) {
        failed = pthread_cond_timedwait(&self->changed, &self->mutex, &limit);
    }
    size_t count = count_logs(self, event, &last);
    pthread_mutex_unlock(&self->mutex);
    if (count == 0) fail_msg("no line %s was logged", event);
    return last;
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

double puppet_metric(hf_runtime *runtime, const char *name)
{
    struct wanted wanted = { .name = name };
    hf_runtime_metrics(runtime, metric_take, &wanted);
    assert_true(wanted.is_found);
    return wanted.value;
}
