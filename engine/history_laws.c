/* The laws of a history, event by event. */
#include "engine/history_laws.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "engine/event.h"

void hf_history_laws_begin(struct hf_history_laws *self, struct hf_arena *arena)
{
    *self = (struct hf_history_laws){ .arena = arena };
}

HF_PRINTF(3, 4)
static hf_status broken(hf_error *error, const char *code, const char *format, ...)
{
    char what[160];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    (void)hf_error_set(error, HF_CORRUPT, "%s", what);
    hf_error_code(error, code);
    return HF_CORRUPT;
}

/* Room for one more event. */
static hf_status laws_grow(struct hf_history_laws *self, hf_error *error)
{
    if (self->count < self->capacity) return HF_OK;
    size_t capacity = self->capacity > 0 ? self->capacity * 2 : 64;
    unsigned char *kinds = hf_arena_array(self->arena, capacity, 1);
    unsigned char *answers = hf_arena_array(self->arena, capacity, 1);
    if (!kinds || !answers) {
        return hf_error_set(error, HF_NO_MEMORY, "no memory for %zu events", capacity);
    }
    if (self->count > 0) {
        memcpy(kinds, self->kinds, self->count);
        memcpy(answers, self->answers, self->count);
    }
    self->kinds = kinds;
    self->answers = answers;
    self->capacity = capacity;
    return HF_OK;
}

/* The kind of event that one of this kind answers; 0: none. */
static uint64_t kind_answered(uint64_t kind)
{
    switch (kind) {
    case HF_EVENT_ACTIVITY_COMPLETED:
    case HF_EVENT_ACTIVITY_FAILED: return HF_EVENT_ACTIVITY_SCHEDULED;
    case HF_EVENT_TIMER_FIRED: return HF_EVENT_TIMER_CREATED;
    case HF_EVENT_CHILD_COMPLETED:
    case HF_EVENT_CHILD_FAILED: return HF_EVENT_CHILD_SCHEDULED;
    default: return 0;
    }
}

static bool is_ending(uint64_t kind)
{
    return kind >= HF_EVENT_COMPLETED && kind <= HF_EVENT_TERMINATED;
}

/* Law H1: what begins, and what ends. */
static hf_status check_place(const struct hf_history_laws *self, uint64_t kind, hf_error *error)
{
    bool is_first = self->count == 0;
    if (is_first != (kind == HF_EVENT_STARTED)) {
        return broken(error, "H1", "event %zu is %s: a history begins with its start",
                      self->count + 1, hf_event_kind_name(kind));
    }
    if (self->has_ended) {
        return broken(error, "H1", "event %zu (%s) stands behind the end", self->count + 1,
                      hf_event_kind_name(kind));
    }
    return HF_OK;
}

/* Laws H2 and H3: an answer has its question, and is the only one. */
static hf_status check_answer(const struct hf_history_laws *self, const struct hf_event *event,
                              hf_error *error)
{
    uint64_t asked = kind_answered(event->kind);
    if (asked == 0) return HF_OK;
    bool is_asked = event->source > 0 && event->source <= self->count &&
                    self->kinds[event->source - 1] == asked;
    if (!is_asked) {
        return broken(error, "H2", "event %zu (%s) answers event %llu, which asked nothing",
                      self->count + 1, hf_event_kind_name(event->kind),
                      (unsigned long long)event->source);
    }
    if (self->answers[event->source - 1] == 0) return HF_OK;
    return broken(error, "H3", "event %zu (%s) answers event %llu once more", self->count + 1,
                  hf_event_kind_name(event->kind), (unsigned long long)event->source);
}

hf_status hf_history_laws_next(struct hf_history_laws *self, hf_slice body,
                               struct hf_arena *scratch, hf_error *error)
{
    struct hf_event event;
    hf_status status = hf_event_decode(body, scratch, &event, error);
    if (status == HF_CORRUPT) hf_error_code(error, "L6");
    if (status == HF_OK) status = check_place(self, event.kind, error);
    if (status == HF_OK) status = check_answer(self, &event, error);
    if (status == HF_OK) status = laws_grow(self, error);
    if (status != HF_OK) return status;
    hf_assert(event.kind <= UINT8_MAX);
    if (kind_answered(event.kind) != 0) self->answers[event.source - 1] = 1;
    self->kinds[self->count++] = (unsigned char)event.kind;
    self->has_ended = is_ending(event.kind);
    return HF_OK;
}

hf_status hf_history_laws_end(const struct hf_history_laws *self, bool is_over, hf_error *error)
{
    hf_assert(self->count > 0);
    if (is_over == self->has_ended) return HF_OK;
    return broken(error, "H1", "event %zu is the last one, and %s", self->count,
                  is_over ? "no end" : "the execution runs");
}
