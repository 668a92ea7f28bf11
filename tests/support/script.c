/* script.c: the smallest store that can carry an execution, and its driver. */
#include "tests/support/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/event.h"
#include "engine/execution_internal.h"

/* ---- what it keeps -----------------------------------------------------------------------------
 */

/* Room for one more element; the script's own arrays come from the C library. */
static void *grown(void *array, size_t count, size_t *capacity, size_t element_size)
{
    if (count < *capacity) return array;
    bool fits = hf_heap_grow(hf_heap_default(), &array, capacity, element_size);
    hf_assert(fits);
    return array;
}

/* Random bytes that the next run of the same script draws again. */
static void script_random(void *context, void *bytes, size_t size)
{
    struct hf_script *self = context;
    self->drawn++;
    unsigned char *to = bytes;
    for (size_t i = 0; i < size; i++) to[i] = (unsigned char)(self->drawn + i);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void add_event(struct hf_script *self, uint64_t event_id, hf_slice body)
{
    hf_assert(event_id == self->events_count + 1);
    self->events = grown(self->events, self->events_count, &self->events_capacity,
                         sizeof *self->events);
    self->events[self->events_count++] = (struct hf_stored_event){
        .event_id = event_id, .lsn = self->next_lsn++, .body = hf_arena_copy(&self->memory, body)
    };
}

void hf_script_init(struct hf_script *self, hf_orchestration_fn run, const void *user)
{
    *self = (struct hf_script){ .id = "i-1", .execution = 1, .next_lsn = 1, .now_unix_ms = 1000 };
    self->outcome = HF_OUTCOME_RUNNING;
    hf_test_heap_init(&self->heap);
    hf_arena_init(&self->memory, hf_heap_default());
    hf_arena_init(&self->turn_arena, &self->heap.allocator);
    self->registry = hf_registry_new();
    hf_orchestration_settings settings = HF_INIT(hf_orchestration_settings);
    settings.user = user;
    hf_register_orchestration(self->registry, "t", run, &settings);
    hf_fiber_pool_init(&self->fibers, NULL);
    self->options = (struct hf_execution_options){ .heap = &self->heap.allocator,
                                                   .fibers = &self->fibers,
                                                   .registry = self->registry,
                                                   .sessions_supported = true,
                                                   .sessions_max = 10,
                                                   .payload_size_max = 1024 * 1024,
                                                   .kv_keys_max = 100,
                                                   .kv_value_size_max = 16 * 1024,
                                                   .random = script_random,
                                                   .random_self = self };
    add_event(self, 1, hf_body_started(hf_text("t"), hf_text(NULL), hf_text("in"), &self->memory));
}

void hf_script_become(struct hf_script *self, const char *id, hf_slice body)
{
    hf_assert(!self->live && self->decisions_size == 0);
    self->id = id;
    self->events_count = 0;
    add_event(self, 1, body);
}

void hf_script_evict(struct hf_script *self)
{
    hf_execution_free(self->live);
    self->live = NULL;
}

void hf_script_release(struct hf_script *self)
{
    const hf_allocator *heap = hf_heap_default();
    hf_script_evict(self);
    hf_arena_release(&self->turn_arena);
    hf_assert(self->heap.blocks_count == 0 && self->heap.size == 0);
    hf_fiber_pool_release(&self->fibers);
    hf_registry_free(self->registry);
    hf_arena_release(&self->memory);
    hf_heap_free(heap, self->events, self->events_capacity * sizeof *self->events);
    hf_heap_free(heap, self->messages, self->messages_capacity * sizeof *self->messages);
    hf_heap_free(heap, self->works, self->works_capacity * sizeof *self->works);
    hf_heap_free(heap, self->values, self->values_capacity * sizeof *self->values);
    hf_heap_free(heap, self->sessions, self->sessions_capacity * sizeof *self->sessions);
    hf_heap_free(heap, self->decisions, self->decisions_size);
}

/* ---- committing ----------------------------------------------------------------------------- */

struct hf_script_work *hf_script_work(struct hf_script *self, uint64_t event_id)
{
    for (size_t i = 0; i < self->works_count; i++) {
        if (self->works[i].event_id == event_id) return &self->works[i];
    }
    return NULL;
}

static void work_add(struct hf_script *self, struct hf_script_work work)
{
    self->works = grown(self->works, self->works_count, &self->works_capacity, sizeof *self->works);
    work.execution = self->execution;
    self->works[self->works_count++] = work;
}

static void work_remove(struct hf_script *self, struct hf_script_work *work)
{
    *work = self->works[--self->works_count];
}

static void commit_messages(struct hf_script *self)
{
    const struct hf_consumed_message *consumed = self->turn.messages.items;
    size_t count = self->turn.messages.count;
    hf_assert(count <= self->messages_count);
    for (size_t i = 0; i < count; i++) {
        hf_assert(consumed[i].lsn == self->messages[i].lsn);
        if (consumed[i].event_id) add_event(self, consumed[i].event_id, self->messages[i].body);
    }
    self->messages_count -= count;
    if (count > 0) {
        memmove(self->messages, self->messages + count,
                self->messages_count * sizeof *self->messages);
    }
}

static bool is_new_event(const struct hf_script *self, uint64_t event_id)
{
    return event_id > self->events_count - self->turn.events.count &&
           event_id <= self->events_count;
}

static hf_slice kept(struct hf_script *self, hf_slice slice)
{
    hf_assert(slice.size > 0);
    return hf_arena_copy(&self->memory, slice);
}

/* A child starts with what names its parent; all it may ever say to the parent is there. */
static void commit_children(struct hf_script *self)
{
    const struct hf_turn_child *children = self->turn.children.items;
    for (size_t i = 0; i < self->turn.children.count; i++) {
        struct hf_event started;
        hf_assert(is_new_event(self, children[i].event_id));
        if (children[i].is_detached) continue; /* nobody's: it is started, and forgotten here */
        hf_status status = hf_event_decode(children[i].body, &self->memory, &started, NULL);
        hf_assert(status == HF_OK && started.source == children[i].event_id);
        hf_assert(started.parent_execution == self->execution);
        hf_assert(hf_slice_equal(started.text, hf_text(self->id)));
        hf_assert(hf_slice_equal(started.name, children[i].orchestration));
        struct hf_turn_child child = {
            .event_id = children[i].event_id,
            .id = kept(self, children[i].id),
            .orchestration = kept(self, children[i].orchestration),
            .body = kept(self, children[i].body),
            .lost_body = kept(self, children[i].lost_body),
            .orphan_body = kept(self, children[i].orphan_body),
            .deleted_body = kept(self, children[i].deleted_body),
            .clash_body = kept(self, children[i].clash_body),
        };
        work_add(self, (struct hf_script_work){
                           .kind = HF_SCRIPT_CHILD, .event_id = child.event_id, .child = child });
    }
    const struct hf_turn_child_cancel *cancels = self->turn.child_cancels.items;
    for (size_t i = 0; i < self->turn.child_cancels.count; i++) {
        struct hf_script_work *work = hf_script_work(self, cancels[i].event_id);
        hf_assert(cancels[i].body.size > 0 && (!work || work->kind == HF_SCRIPT_CHILD));
        if (work) work_remove(self, work);
    }
}

/* Children of an instance that has ended are told by the store, not by the engine. */
static void orphan_children(struct hf_script *self)
{
    for (size_t i = self->works_count; i > 0; i--) {
        if (self->works[i - 1].kind == HF_SCRIPT_CHILD) work_remove(self, &self->works[i - 1]);
    }
}

static void commit_work(struct hf_script *self)
{
    const struct hf_turn_item *items = self->turn.items.items;
    const struct hf_turn_timer *timers = self->turn.timers.items;
    const struct hf_turn_cancel *cancels = self->turn.cancels.items;
    for (size_t i = 0; i < self->turn.items.count; i++) {
        hf_assert(is_new_event(self, items[i].event_id));
        work_add(self, (struct hf_script_work){ .event_id = items[i].event_id,
                                                .incarnation = items[i].incarnation });
    }
    for (size_t i = 0; i < self->turn.timers.count; i++) {
        hf_assert(is_new_event(self, timers[i].event_id));
        work_add(self, (struct hf_script_work){ .kind = HF_SCRIPT_TIMER,
                                                .event_id = timers[i].event_id,
                                                .due_unix_ms = timers[i].due_unix_ms });
    }
    for (size_t i = 0; i < self->turn.cancels.count; i++) {
        struct hf_script_work *work = hf_script_work(self, cancels[i].event_id);
        hf_assert(!work || work->kind != HF_SCRIPT_CHILD);
        if (work) work_remove(self, work);
    }
}

static void session_close(struct hf_script *self, uint64_t incarnation)
{
    for (size_t i = self->works_count; i > 0; i--) {
        if (self->works[i - 1].incarnation == incarnation) work_remove(self, &self->works[i - 1]);
    }
    size_t at = 0;
    while (at < self->sessions_count && self->sessions[at].incarnation != incarnation) at++;
    hf_assert(at < self->sessions_count);
    self->sessions[at] = self->sessions[--self->sessions_count];
}

static void commit_sessions(struct hf_script *self)
{
    const struct hf_turn_session *opened = self->turn.opened.items;
    const struct hf_turn_session *closed = self->turn.closed.items;
    for (size_t i = 0; i < self->turn.opened.count; i++) {
        self->sessions = grown(self->sessions, self->sessions_count, &self->sessions_capacity,
                               sizeof *self->sessions);
        struct hf_turn_session *row = &self->sessions[self->sessions_count++];
        *row = opened[i];
        hf_assert(is_new_event(self, opened[i].event_id));
        row->id = hf_arena_copy(&self->memory, opened[i].id);
        row->tag = hf_arena_copy(&self->memory, opened[i].tag);
    }
    for (size_t i = 0; i < self->turn.closed.count; i++) {
        session_close(self, closed[i].incarnation);
    }
}

static struct hf_script_value *value_find(struct hf_script *self, hf_slice key)
{
    for (size_t i = 0; i < self->values_count; i++) {
        if (hf_slice_equal(self->values[i].key, key)) return &self->values[i];
    }
    return NULL;
}

static void value_set(struct hf_script *self, hf_slice key, hf_slice body)
{
    struct hf_script_value *value = value_find(self, key);
    if (!value) {
        self->values = grown(self->values, self->values_count, &self->values_capacity,
                             sizeof *self->values);
        value = &self->values[self->values_count++];
        *value = (struct hf_script_value){ .key = kept(self, key) };
    }
    value->present = body;
}

static void commit_values(struct hf_script *self)
{
    const struct hf_turn_value *values = self->turn.values.items;
    const hf_slice none = HF_EMPTY;
    for (size_t i = 0; i < self->turn.values.count; i++) {
        hf_assert(is_new_event(self, values[i].event_id));
        hf_slice body = self->events[values[i].event_id - 1].body;
        bool clears_all = values[i].cleared && values[i].key.size == 0;
        if (!clears_all) value_set(self, values[i].key, values[i].cleared ? none : body);
        for (size_t k = 0; clears_all && k < self->values_count; k++) {
            self->values[k].present = none;
        }
    }
}

static void commit_continued(struct hf_script *self)
{
    self->status_former = self->status_body;
    for (size_t i = 0; i < self->values_count; i++) {
        self->values[i].former = self->values[i].present;
    }
    const struct hf_turn_carried *carried = self->turn.carried.items;
    size_t count = self->turn.carried.count, bodies_size = (count + 1) * sizeof(hf_slice);
    hf_slice *bodies = hf_heap_new(hf_heap_default(), bodies_size);
    hf_assert(bodies);
    bodies[0] = self->turn.next_body;
    for (size_t i = 0; i < count; i++) {
        hf_assert(carried[i].event_id <= self->events_count);
        bodies[i + 1] = self->events[carried[i].event_id - 1].body;
    }
    self->events_count = 0;
    self->execution++;
    for (size_t i = 0; i <= count; i++) add_event(self, i + 1, bodies[i]);
    hf_heap_free(hf_heap_default(), bodies, bodies_size);
}

static void remember_decision(struct hf_script *self)
{
    struct hf_turn_committed turn = self->turn;
    turn.instance = turn.head = turn.registration = 1;
    hf_slice bytes = hf_encode(hf_record_layout(HF_RECORD_TURN_COMMITTED), &turn, &self->memory);
    size_t size = self->decisions_size + bytes.size;
    self->decisions = hf_heap_resize(hf_heap_default(), self->decisions, self->decisions_size,
                                     size);
    hf_assert(self->decisions && bytes.data);
    memcpy(self->decisions + self->decisions_size, bytes.data, bytes.size);
    self->decisions_size = size;
}

static void commit(struct hf_script *self)
{
    const struct hf_turn_event *events = self->turn.events.items;
    hf_assert(self->turn.execution == self->execution);
    remember_decision(self);
    commit_messages(self);
    for (size_t i = 0; i < self->turn.events.count; i++) {
        add_event(self, events[i].event_id, events[i].body);
    }
    if (self->turn.status_event) {
        hf_assert(is_new_event(self, self->turn.status_event));
        self->status_body = self->events[self->turn.status_event - 1].body;
    }
    commit_values(self);
    commit_work(self);
    commit_children(self);
    commit_sessions(self);
    self->outcome = self->turn.outcome;
    if (self->outcome == HF_OUTCOME_RUNNING) return;
    if (self->outcome != HF_OUTCOME_CONTINUED) orphan_children(self);
    hf_assert(self->works_count == 0); /* the engine names all that is pending */
    if (self->outcome == HF_OUTCOME_CONTINUED) {
        commit_continued(self);
        self->outcome = HF_OUTCOME_RUNNING;
        hf_script_evict(self);
    } else {
        hf_assert(self->turn.output_event == self->events_count);
        self->sessions_count = 0;
    }
}

/* ---- turns ---------------------------------------------------------------------------------- */

static hf_status run(struct hf_script *self, const struct hf_turn_view *whole)
{
    struct hf_turn_view rest = *whole;
    hf_status status = HF_OK;
    if (!self->live) {
        status = hf_execution_new(&self->options, whole, self->execution, &self->live,
                                  &self->error);
    } else {
        rest.events_count = 0;
    }
    if (status != HF_OK) return status;
    status = hf_execution_turn(self->live, &rest, self->now_unix_ms, &self->turn_arena, &self->turn,
                               &self->error);
    if (status != HF_OK || self->no_check) return status;
    return hf_execution_check(&self->options, whole, self->now_unix_ms, &self->turn, &self->error);
}

/* What the former execution left. */
static void view_values(struct hf_script *self, struct hf_turn_view *view)
{
    view->status_body = self->status_former;
    view->values = hf_arena_array(&self->memory, self->values_count, sizeof *view->values);
    hf_assert(view->values);
    for (size_t i = 0; i < self->values_count; i++) {
        if (self->values[i].former.size == 0) continue;
        view->values[view->values_count++].body = self->values[i].former;
    }
}

hf_status hf_script_turn(struct hf_script *self)
{
    hf_assert(self->outcome == HF_OUTCOME_RUNNING);
    hf_arena_release(&self->turn_arena);
    self->turn = (struct hf_turn_committed){ 0 };
    struct hf_turn_view view = { .instance = 1,
                                 .instance_id = hf_text(self->id),
                                 .next_event_id = self->events_count + 1,
                                 .events = self->events,
                                 .events_count = self->events_count,
                                 .messages = self->messages,
                                 .messages_count = self->messages_count };
    view_values(self, &view);
    hf_status status = run(self, &view);
    if (status == HF_OK) {
        if (self->before_commit) self->before_commit(self);
        commit(self);
    }
    bool ended = self->outcome != HF_OUTCOME_RUNNING;
    if (status != HF_OK || ended || self->always_evict) hf_script_evict(self);
    return status;
}

void hf_script_post(struct hf_script *self, uint64_t execution, hf_slice body)
{
    hf_assert(body.size > 0);
    self->messages = grown(self->messages, self->messages_count, &self->messages_capacity,
                           sizeof *self->messages);
    self->messages[self->messages_count++] = (struct hf_stored_message){
        .lsn = self->next_lsn++,
        .execution = execution,
        .body = hf_arena_copy(&self->memory, body),
    };
}

static hf_slice answer_body(struct hf_script *self, const struct hf_script_work *work,
                            hf_slice payload, const hf_error *error)
{
    struct hf_event event = { .kind = HF_EVENT_TIMER_FIRED, .source = work->event_id };
    switch (work->kind) {
    case HF_SCRIPT_TIMER: return hf_event_encode(&event, &self->memory);
    case HF_SCRIPT_ITEM:
        return hf_body_activity_outcome(work->event_id, payload, error, &self->memory);
    case HF_SCRIPT_CHILD: break;
    }
    event.kind = error ? HF_EVENT_CHILD_FAILED : HF_EVENT_CHILD_COMPLETED;
    event.payload = payload;
    if (error) {
        event.status = (uint32_t)error->status;
        event.code = hf_text(error->code);
        event.text = hf_text(error->message);
    }
    return hf_event_encode(&event, &self->memory);
}

bool hf_script_answer(struct hf_script *self, uint64_t event_id, hf_slice payload,
                      const hf_error *error)
{
    struct hf_script_work *work = hf_script_work(self, event_id);
    if (!work) return false;
    hf_script_post(self, work->execution, answer_body(self, work, payload, error));
    work_remove(self, work);
    return true;
}

/* ---- playing -------------------------------------------------------------------------------- */

/* What an answer to that event of the present history is of. */
static enum hf_script_work_kind answered_kind(struct hf_script *self, uint64_t event_id)
{
    bool is_known = event_id > 0 && event_id <= self->events_count;
    bool is_child = is_known &&
                    hf_script_event(self, event_id - 1).kind == HF_EVENT_CHILD_SCHEDULED;
    return is_child ? HF_SCRIPT_CHILD : HF_SCRIPT_ITEM;
}

/* Answers an event whether or not it is pending. */
static void answer_late(struct hf_script *self, enum hf_script_work_kind kind, uint64_t event_id,
                        hf_slice payload)
{
    struct hf_script_work work = { .kind = kind, .event_id = event_id };
    if (hf_script_work(self, event_id)) work_remove(self, hf_script_work(self, event_id));
    hf_script_post(self, self->execution, answer_body(self, &work, payload, NULL));
}

/* Answers an item of the former execution. */
static void answer_former(struct hf_script *self, uint64_t event_id, hf_slice payload)
{
    struct hf_script_work work = { .kind = HF_SCRIPT_ITEM, .event_id = event_id };
    hf_script_post(self, self->execution - 1, answer_body(self, &work, payload, NULL));
}

/* A child is terminated or deleted, or never was since its id was taken. */
static void end_child(struct hf_script *self, uint64_t event_id, char how)
{
    struct hf_script_work *work = hf_script_work(self, event_id);
    if (!work || work->kind != HF_SCRIPT_CHILD) return;
    hf_slice body = how == 'k'   ? work->child.clash_body
                    : how == 'd' ? work->child.deleted_body
                                 : work->child.lost_body;
    hf_script_post(self, work->execution, body);
    work_remove(self, work);
}

static void play_word(struct hf_script *self, char *word)
{
    char *text = strchr(word, '=');
    if (text) *text++ = '\0';
    hf_slice payload = hf_text(text);
    uint64_t id = strtoull(word + 1, NULL, 10);
    hf_error error = { .status = HF_FAILED, .message = "it failed" };
    hf_text_copy(error.code, sizeof error.code, payload);
    switch (word[0]) {
    case 'e': hf_script_evict(self); break;
    case 'c':
    case 't': hf_script_answer(self, id, payload, NULL); break;
    case 's':
        error.status = HF_SESSION_LOST;
        hf_script_answer(self, id, payload, &error);
        break;
    case 'f': hf_script_answer(self, id, hf_text("data"), &error); break;
    case 'l':
    case 'd':
    case 'k': end_child(self, id, word[0]); break;
    case 'C': answer_late(self, answered_kind(self, id), id, payload); break;
    case 'T': answer_late(self, HF_SCRIPT_TIMER, id, payload); break;
    case 'O': answer_former(self, id, payload); break;
    case 'm':
        hf_script_post(self, 0, hf_body_mailbox_message(hf_text(word + 1), payload, &self->memory));
        break;
    case 'v':
        hf_script_post(self, 0, hf_body_event_raised(hf_text(word + 1), payload, &self->memory));
        break;
    case 'x': hf_script_post(self, 0, hf_body_cancel_requested(payload, &self->memory)); break;
    case '+': self->now_unix_ms += id; break;
    default: HF_UNREACHABLE("an unknown word");
    }
}

hf_status hf_script_play(struct hf_script *self, const char *words)
{
    char *copy = hf_arena_text(&self->memory, hf_text(words));
    char *rest = NULL;
    hf_status status = HF_OK;
    hf_assert(copy);
    char *word = strtok_r(copy, " ", &rest);
    for (; word && status == HF_OK; word = strtok_r(NULL, " ", &rest)) {
        if (word[0] == '.') {
            status = hf_script_turn(self);
        } else {
            play_word(self, word);
        }
    }
    return status;
}

/* ---- looking -------------------------------------------------------------------------------- */

struct hf_event hf_script_event(struct hf_script *self, size_t index)
{
    struct hf_event event;
    hf_assert(index < self->events_count);
    hf_status status = hf_event_decode(self->events[index].body, &self->memory, &event,
                                       &self->error);
    hf_assert(status == HF_OK);
    return event;
}

const char *hf_script_history(struct hf_script *self)
{
    enum { LINE_SIZE = 256 };
    size_t size = self->events_count * LINE_SIZE + 1, used = 0;
    char *text = hf_arena_new(&self->memory, size);
    hf_assert(text);
    for (size_t i = 0; i < self->events_count; i++) {
        char line[LINE_SIZE - 32];
        struct hf_event event = hf_script_event(self, i);
        hf__event_describe(&event, line, sizeof line);
        used += (size_t)snprintf(text + used, size - used, "%zu %s\n", i + 1, line);
    }
    return text;
}

const char *hf_script_output(struct hf_script *self, hf_error *out_error)
{
    hf_slice output = HF_EMPTY;
    hf_assert(self->events_count > 0);
    hf_status status = hf_body_read_output(self->events[self->events_count - 1].body, &self->memory,
                                           &output, out_error, &self->error);
    hf_assert(status == HF_OK);
    return hf_arena_text(&self->memory, output);
}

const char *hf_script_value(struct hf_script *self, const char *key)
{
    hf_slice payload = HF_EMPTY;
    uint64_t set_unix_ms = 0;
    const struct hf_script_value *value = value_find(self, hf_text(key));
    if (!value || value->present.size == 0) return NULL;
    hf_status status = hf_body_read_value(value->present, &self->memory, &payload, &set_unix_ms,
                                          &self->error);
    hf_assert(status == HF_OK);
    return hf_arena_text(&self->memory, payload);
}
